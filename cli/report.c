/* SPDX-License-Identifier: Apache-2.0
 * report.c - assay report: a study as one page that needs nothing else, neither scripts nor fonts
 * nor a network, so that it can be kept, sent and opened anywhere. Everything is drawn here, from
 * the same answers that `--json` of other commands prints.
 *
 * Rejected: a plotting library in the page (megabytes, or a network), and scripts at all: a page
 * that shows names from outside is safest without. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "cli.h"
#include "format.h"
#include "plan.h"
#include "report.h"
#include "tables.h"

#define ROWS_MAX 2000 /* of the table; the page says if there are more */

/* The answers that a report is made of. */
static const struct {
    const char *what, *arg;
} questions[] = { { "study", NULL }, { "trials", "best" }, { "importance", "ped-anova" },
                  { "history", NULL }, { "curves", NULL } };
enum { STUDY, TRIALS, IMPORTANCE, HISTORY, CURVES, N_QUESTIONS };

struct sheet {
    struct asy__report r;
    struct asy_study_spec *spec;
    struct asy_json *roots[N_QUESTIONS];
    struct asy__report_row *rows;
    double *x;
    size_t *params;
};

static const char *text_of(const struct asy_json *node, const char *key)
{
    return asy_json_str(asy_json_get(node, key), "");
}

static void sheet_fini(struct sheet *s)
{
    for (size_t i = 0; i < N_QUESTIONS; i++)
        asy_json_destroy(s->roots[i]);
    asy_study_destroy(s->spec);
    free(s->rows);
    free(s->x);
    free(s->params);
}

/* ---- what there is --------------------------------------------------------------------------- */

static void read_row(const struct asy_study_spec *spec, const struct asy_json *node, double *x,
                     struct asy__report_row *row)
{
    const struct asy_json *outcome = asy_json_get(node, "outcome");
    const struct asy_json *values = asy_json_get(outcome, "values");

    *row = (struct asy__report_row){
        .number = (uint64_t)asy_json_i64(asy_json_get(node, "number"), 0),
        .step = (uint64_t)asy_json_i64(asy_json_get(node, "step"), 0),
        .state = text_of(node, "state"),
        .outside = asy__outside_constraints(outcome),
        .node = node,
    };
    row->complete = !strcmp(row->state, "complete");
    for (size_t j = 0; j < spec->n_objectives; j++)
        row->values[j] = values ? asy_json_f64(asy_json_at(values, j), NAN)
                         : j == 0 ? asy_json_f64(asy_json_get(node, "value"), NAN) : NAN;
    if (asy_space_read(spec->space, asy_json_get(node, "params"), 0, x, NULL) == 0)
        row->x = x;
}

/* Parameters in the order of their importance, where there is one. */
static void order_params(struct sheet *s)
{
    const struct asy_json *each = asy_json_get(s->roots[IMPORTANCE], "importances"), *p;
    const struct asy_json *list = asy_json_get(asy_json_at(each, 0), "parameters");

    for (size_t i = 0; (p = asy_json_at(list, i)); i++) {
        size_t at = asy_space_find(s->spec->space, text_of(p, "name"));

        if (at != SIZE_MAX && s->r.n_params < asy_space_len(s->spec->space))
            s->params[s->r.n_params++] = at;
    }
}

static int fill(struct sheet *s, struct asy_error *err)
{
    const struct asy_json *trials = asy_json_get(s->roots[TRIALS], "trials");
    size_t n = asy_json_len(trials), d;
    int rc = asy__study_of(s->roots[STUDY], &s->spec, err);

    if (rc < 0)
        return rc;
    d = asy_space_len(s->spec->space);
    if (!(s->rows = calloc(n + 1, sizeof *s->rows)) || !(s->x = calloc(n * d + 1, sizeof *s->x)) ||
        !(s->params = calloc(d + 1, sizeof *s->params)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a report of %zu trials", n);
    for (size_t i = 0; i < n; i++) {
        read_row(s->spec, asy_json_at(trials, i), s->x + i * d, &s->rows[i]);
        if (s->r.n_complete == i && s->rows[i].complete && !s->rows[i].outside)
            s->r.n_complete++;
    }
    s->r.spec = s->spec;
    s->r.study = s->roots[STUDY];
    s->r.importance = s->roots[IMPORTANCE];
    s->r.history = s->roots[HISTORY];
    s->r.curves = s->roots[CURVES];
    s->r.rows = s->rows;
    s->r.n = n;
    s->r.params = s->params;
    order_params(s);
    return 0;
}

const char *asy__report_title(const struct asy__report_row *row, char text[160])
{
    struct asy_buf out;

    asy_buf_init(&out, 1u << 16);
    asy_buf_addf(&out, "trial %" PRIu64 ": ", row->number);
    asy__fmt_number(&out, row->values[0]);
    asy_buf_addc(&out, ' ');
    asy__fmt_params(&out, asy_json_get(row->node, "params"));
    asy_buf_addc(&out, '\n');
    asy_buf_adds(&out, row->complete ? row->outside ? "outside the constraints" : "" : row->state);
    snprintf(text, 160, "%s", out.data && !out.rc ? out.data : "");
    asy_buf_fini(&out);
    return text;
}

/* ---- the page -------------------------------------------------------------------------------- */

/* Blue and vermilion of Okabe and Ito (2008), told apart by the colour-blind; the shades of viridis
 * (Smith and van der Walt 2015), which differ in lightness too: the best is what stands out most
 * from the ground. */
static const char style[] =
    ":root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--soft:#5b6570;--grid:#e4e7eb;"
    "--dot:#0072b2;--best:#d55e00;--faint:#9aa5b1;--s0:#440154;--s1:#3b528b;--s2:#21918c;"
    "--s3:#5ec962;--s4:#e5d55a}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#14171c;--fg:#e6e8eb;--soft:#9aa4b0;"
    "--grid:#2a3038;--dot:#56b4e9;--best:#e69f00;--faint:#66707c;--s0:#fde725;--s1:#5ec962;"
    "--s2:#21918c;--s3:#4a66a0;--s4:#6b3a7d}}\n"
    "body{background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif;margin:2rem auto;"
    "max-width:60rem;padding:0 1rem}\n"
    "h1{font-size:1.6rem;margin:0;overflow-wrap:anywhere}h2{font-size:1.15rem;"
    "margin:2.2rem 0 .2rem}"
    "p{margin:.2rem 0 .6rem;color:var(--soft)}svg{display:block;width:100%;height:auto;"
    "margin-bottom:.8rem}\n"
    ".slices{display:grid;grid-template-columns:repeat(auto-fill,minmax(20rem,1fr));gap:.5rem}\n"
    "text{fill:var(--fg);font:11px system-ui,sans-serif}.tick{fill:var(--soft)}"
    ".title{font-weight:600}.halo{paint-order:stroke;stroke:var(--bg);stroke-width:4px;"
    "fill:var(--fg)}\n"
    ".grid{stroke:var(--grid);fill:none}.axis{stroke:var(--soft);fill:none}.bar{fill:var(--dot)}"
    ".dot{fill:var(--dot);fill-opacity:.55}.faint{fill:var(--faint);fill-opacity:.6}"
    ".front{fill:var(--best);stroke:var(--bg)}\n"
    ".line,.curve{fill:none;stroke-width:1.2;stroke-linecap:round}\n"
    ".curve{stroke:var(--dot);stroke-opacity:.3}"
    ".best{stroke:var(--best);stroke-width:2.2}.shade0{stroke:var(--s0);stroke-width:1.8}"
    ".shade1{stroke:var(--s1)}.shade2{stroke:var(--s2)}.shade3{stroke:var(--s3)}"
    ".shade4{stroke:var(--s4)}\n"
    ".wide{overflow-x:auto}table{border-collapse:collapse;font-size:.85rem}th,td{text-align:left;"
    "padding:.2rem .7rem .2rem 0;border-bottom:1px solid var(--grid);white-space:nowrap;"
    "max-width:18rem;overflow:hidden;text-overflow:ellipsis}th.n,.n{text-align:right;"
    "font-variant-numeric:tabular-nums}\n";

/* "60 trials: 58 complete, 2 failed; sampler tpe, pruner none" */
static void put_counts(const struct asy__report *r, struct asy_buf *out)
{
    static const char *const states[] = { "complete", "pruned", "failed", "cancelled", "running",
                                          "paused", "queued" };

    asy_buf_adds(out, "<p>");
    asy__fmt_count(out, r->n, "trial");
    for (size_t i = 0, k = 0; i < ASY_ARRAY_LEN(states); i++) {
        int64_t n = asy_json_i64(asy_json_get(r->study, states[i]), 0);

        if (n > 0)
            asy_buf_addf(out, "%s%" PRId64 " %s", k++ ? ", " : ": ", n, states[i]);
    }
    asy_buf_adds(out, "; sampler ");
    asy__html_text(out, r->spec->sampler);
    asy_buf_adds(out, ", pruner ");
    asy__html_text(out, r->spec->pruner);
    asy_buf_adds(out, "</p>\n");
    if (*text_of(r->study, "sampler_reason")) {
        asy_buf_adds(out, "<p>Sampler ");
        asy__html_text(out, text_of(r->study, "sampler_reason"));
        asy_buf_adds(out, "</p>\n");
    }
}

static void put_head(const struct asy__report *r, struct asy_buf *out)
{
    const char *name = text_of(r->study, "name"), *why = text_of(r->study, "text");
    int counted = !strcmp(text_of(r->study, "cause"), "budget-trials"); /* why: the counts again */

    asy_buf_adds(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\n<meta "
                      "name=\"viewport\" content=\"width=device-width,initial-scale=1\"/>\n"
                      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                      "style-src 'unsafe-inline'\"/>\n<title>");
    asy__html_text(out, name);
    asy_buf_addf(out, " - assay report</title>\n<style>%s</style></head>\n<body>\n<h1>", style);
    asy__html_text(out, name);
    asy_buf_adds(out, "</h1>\n");
    if (r->spec->description) {
        asy_buf_adds(out, "<p>");
        asy__html_text(out, r->spec->description);
        asy_buf_adds(out, "</p>\n");
    }
    asy_buf_adds(out, "<p>");
    asy__html_text(out, text_of(r->study, "state"));
    if (*why && !counted) {
        asy_buf_adds(out, ": ");
        asy__html_text(out, why);
    }
    asy_buf_adds(out, "</p>\n");
    put_counts(r, out);
}

static void put_best(const struct asy__report *r, struct asy_buf *out)
{
    char text[160];

    if (r->n_complete == 0) {
        asy_buf_adds(out, "<p>No trial is complete yet and within the constraints.</p>\n");
        return;
    }
    asy_buf_adds(out, r->spec->n_objectives > 1 ? "<p>Best by the first objective (" : "<p>Best (");
    asy__html_text(out, r->spec->objectives[0].metric);
    asy_buf_adds(out, r->spec->objectives[0].maximize ? ", more is better): "
                                                      : ", less is better): ");
    asy__html_text(out, asy__report_title(&r->rows[0], text));
    asy_buf_adds(out, "</p>\n");
}

static void put_cell(struct asy_buf *out, const struct asy_json *node)
{
    struct asy_buf cell;

    asy_buf_init(&cell, 1u << 20);
    if (node)
        asy__fmt_value(&cell, node);
    asy_buf_adds(out, asy_json_type(node) == ASY_JSON_STRING ? "<td>" : "<td class=\"n\">");
    asy__html_text(out, cell.data ? cell.data : "");
    asy_buf_adds(out, "</td>");
    asy_buf_fini(&cell);
}

static void put_row(const struct asy__report *r, const struct asy__report_row *row,
                    struct asy_buf *out)
{
    const struct asy_json *params = asy_json_get(row->node, "params");
    const struct asy_space *space = r->spec->space;

    asy_buf_addf(out, "<tr><td class=\"n\">%" PRIu64 "</td><td>", row->number);
    asy__html_text(out, row->outside && row->complete ? "outside" : row->state);
    asy_buf_adds(out, "</td>");
    for (size_t j = 0; j < r->spec->n_objectives; j++) {
        asy_buf_adds(out, "<td class=\"n\">");
        asy__fmt_number(out, row->values[j]);
        asy_buf_adds(out, "</td>");
    }
    asy_buf_addf(out, "<td class=\"n\">%" PRIu64 "</td>", row->step);
    for (size_t i = 0; i < asy_space_len(space); i++)
        put_cell(out, asy_json_get(params, asy_space_at(space, i)->name));
    asy_buf_adds(out, "</tr>\n");
}

static void put_table(const struct asy__report *r, struct asy_buf *out)
{
    const struct asy_space *space = r->spec->space;
    size_t n = r->n < ROWS_MAX ? r->n : ROWS_MAX;

    asy_buf_adds(out, "<section><h2>Trials</h2>\n<p>Best first");
    if (n < r->n)
        asy_buf_addf(out, "; the first %zu of %zu (assay export has all)", n, r->n);
    asy_buf_adds(out, ".</p>\n<div class=\"wide\"><table><thead><tr><th class=\"n\">trial</th>"
                      "<th>state</th>");
    for (size_t j = 0; j < r->spec->n_objectives; j++) {
        asy_buf_adds(out, "<th class=\"n\">");
        asy__html_text(out, r->spec->objectives[j].metric);
        asy_buf_adds(out, "</th>");
    }
    asy_buf_adds(out, "<th class=\"n\">step</th>");
    for (size_t i = 0; i < asy_space_len(space); i++) {
        asy_buf_adds(out, asy_space_at(space, i)->type == ASY_PARAM_CHOICE ? "<th>"
                                                                          : "<th class=\"n\">");
        asy__html_text(out, asy_space_at(space, i)->name);
        asy_buf_adds(out, "</th>");
    }
    asy_buf_adds(out, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < n; i++)
        put_row(r, &r->rows[i], out);
    asy_buf_adds(out, "</tbody></table></div></section>\n");
}

static void put_page(const struct asy__report *r, struct asy_buf *out)
{
    put_head(r, out);
    put_best(r, out);
    if (r->n > 0)
        asy__report_history(r, out);
    asy__report_front(r, out);
    asy__report_importance(r, out);
    asy__report_slices(r, out);
    asy__report_parallel(r, out);
    asy__report_curves(r, out);
    asy__report_lineage(r, out);
    if (r->n > 0)
        put_table(r, out);
    asy_buf_adds(out, "</body></html>\n");
}

/* ---- the command ----------------------------------------------------------------------------- */

static int ask(const struct asy__options *options, struct sheet *s, struct asy_error *err)
{
    struct asy__session *session = NULL;
    struct asy_buf json = { 0 };
    int rc;

    asy_buf_init(&json, 256u << 20);
    rc = asy__session_open(options, ASY__START_COORDINATOR, &session, err);
    for (size_t i = 0; i < N_QUESTIONS && rc == 0; i++)
        rc = asy__query(session, questions[i].what, options->words[0], -1, -1, -1,
                        questions[i].arg, &json, &s->roots[i], err);
    asy_buf_fini(&json);
    asy__session_close(session);
    return rc;
}

/* The file is whole or as it was. */
static int write_file(const char *path, const struct asy_buf *page, struct asy_error *err)
{
    char next[4096];
    FILE *file;
    int bad;

    if (!path)
        return fwrite(page->data, 1, page->len, stdout) == page->len
                   ? 0 : asy_fail_errno(err, errno, "cannot write to standard output");
    if (snprintf(next, sizeof next, "%s.part", path) >= (int)sizeof next)
        return asy_fail(err, ASY_E_TOOBIG, "path '%.100s' is too long", path);
    if (!(file = fopen(next, "we")))
        return asy_fail_errno(err, errno, "cannot write '%.200s'", next);
    bad = fwrite(page->data, 1, page->len, file) != page->len;
    bad |= fclose(file) != 0;
    if (!bad && rename(next, path) == 0)
        return 0;
    bad = errno;
    remove(next);
    return asy_fail_errno(err, bad, "cannot write '%.200s'", path);
}

int asy__cmd_report(int argc, char **argv)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__options options;
    struct asy_buf page = { 0 };
    struct sheet s = { 0 };
    int status = EXIT_DONE;

    if (asy__options_parse(argc, argv, "o", 1, 1, &options, &err) < 0) {
        asy__complain(&err);
        return EXIT_USAGE;
    }
    asy_buf_init(&page, 1u << 30);
    if (ask(&options, &s, &err) < 0 || fill(&s, &err) < 0) {
        status = asy__complain(&err);
    } else {
        put_page(&s.r, &page);
        if (asy_buf_check(&page, "the report", &err) < 0 ||
            write_file(options.output, &page, &err) < 0)
            status = asy__complain(&err);
    }
    asy_buf_fini(&page);
    sheet_fini(&s);
    return status;
}
