/* SPDX-License-Identifier: Apache-2.0
 * report_plots.c - how a study went: history, learning curves, importance, front. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "format.h"
#include "report.h"
#include "tables.h"

#define WIDTH 760
#define HEIGHT 300
#define CURVES_MAX 150 /* lines that are drawn; of more, the best and every k-th */

static void frame(struct asy__axis *x, struct asy__axis *y)
{
    x->from = 70;
    x->to = WIDTH - 12;
    y->from = HEIGHT - 42;
    y->to = 28;
}

static void section(struct asy_buf *out, const char *head, const char *text)
{
    asy_buf_addf(out, "<section><h2>%s</h2>\n<p>%s</p>\n", head, text);
}

/* Trials from 0 to the last one, none of which stands on the edge. */
static struct asy__axis by_trial(double last)
{
    double pad = fmax(0.012 * last, 0.2);

    return (struct asy__axis){ .lo = -pad, .hi = last + pad, .whole = 1 };
}

static const struct asy_objective *objective(const struct asy__report *r, size_t j)
{
    return &r->spec->objectives[j];
}

/* Values of objective j of the first n rows; the caller frees. */
static double *column(const struct asy__report *r, size_t n, size_t j, struct asy_buf *out)
{
    double *values = malloc((n + 1) * sizeof *values);

    if (!values && !out->rc)
        out->rc = ASY_E_NOMEM;
    for (size_t i = 0; i < n && values; i++)
        values[i] = r->rows[i].values[j];
    return values;
}

/* ---- history --------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    const struct asy__report_row *x = *(const struct asy__report_row *const *)a;
    const struct asy__report_row *y = *(const struct asy__report_row *const *)b;

    return (x->number > y->number) - (x->number < y->number);
}

/* The best value so far, in steps. */
static void best_line(const struct asy__report *r, size_t j, const struct asy__axis *x,
                      const struct asy__axis *y, struct asy_buf *out)
{
    const struct asy__report_row **rows = malloc((r->n_complete + 1) * sizeof *rows);
    double best = NAN;

    if (!rows) {
        out->rc = out->rc ? out->rc : ASY_E_NOMEM;
        return;
    }
    for (size_t i = 0; i < r->n_complete; i++)
        rows[i] = &r->rows[i];
    qsort(rows, r->n_complete, sizeof *rows, by_number);
    asy_buf_adds(out, "<path class=\"best line\" d=\"");
    for (size_t i = 0; i < r->n_complete; i++) {
        double v = rows[i]->values[j];
        int better = objective(r, j)->maximize ? v > best : v < best;

        if (!isfinite(v) || (!isnan(best) && !better))
            continue;
        asy_buf_addf(out, isnan(best) ? "M%.1f %.1f" : "H%.1fV%.1f",
                     asy__axis_at(x, (double)rows[i]->number), asy__axis_at(y, v));
        best = v;
    }
    if (!isnan(best))
        asy_buf_addf(out, "H%.1f", x->to);
    asy_buf_adds(out, "\"/>\n");
    free(rows);
}

static void history_of(const struct asy__report *r, size_t j, struct asy_buf *out)
{
    double last = 0, *values = column(r, r->n, j, out);
    struct asy__axis x, y = asy__axis_of(values, values ? r->n : 0);
    size_t n_infinite = 0;
    char text[160];

    free(values);
    for (size_t i = 0; i < r->n; i++) {
        last = fmax(last, (double)r->rows[i].number);
        n_infinite += isinf(r->rows[i].values[j]) != 0;
    }
    x = by_trial(last);
    frame(&x, &y);
    asy__chart_open(out, "values by trial", WIDTH, HEIGHT);
    asy__chart_x(out, &x, &y, "trial");
    asy__chart_y(out, &x, &y, objective(r, j)->metric);
    for (size_t i = r->n; i-- > 0;)
        asy__chart_dot(out, &x, &y, (double)r->rows[i].number, r->rows[i].values[j],
                       i < r->n_complete ? "dot" : "dot faint",
                       asy__report_title(&r->rows[i], text));
    best_line(r, j, &x, &y, out);
    asy__chart_close(out);
    if (n_infinite)
        asy_buf_addf(out, "<p>%zu of the values %s infinite and not drawn, here or below.</p>\n",
                     n_infinite, n_infinite == 1 ? "is" : "are");
}

void asy__report_history(const struct asy__report *r, struct asy_buf *out)
{
    section(out, "History", "Each trial's value, and the best of the complete ones so far. Faint: "
            "not complete, or outside the constraints.");
    for (size_t j = 0; j < r->spec->n_objectives; j++)
        history_of(r, j, out);
    asy_buf_adds(out, "</section>\n");
}

/* ---- learning curves ------------------------------------------------------------------------- */

static void curve(const struct asy_json *node, const struct asy__axis *x, const struct asy__axis *y,
                  const char *mark, struct asy_buf *out)
{
    const struct asy_json *steps = asy_json_get(node, "steps");
    const struct asy_json *values = asy_json_get(node, "values");
    size_t drawn = 0;
    char go = 'M';

    asy_buf_addf(out, "<path class=\"%s\" d=\"", mark);
    for (size_t i = 0; i < asy_json_len(values); i++) {
        double v = asy_json_f64(asy_json_at(values, i), NAN);

        if (isfinite(v)) {
            asy_buf_addf(out, "%c%.1f %.1f", go,
                         asy__axis_at(x, asy_json_f64(asy_json_at(steps, i), 0)),
                         asy__axis_at(y, v));
            go = 'L';
            drawn++;
        }
    }
    asy_buf_addf(out, "%s\"><title>trial %" PRId64 "</title></path>\n",
                 drawn == 1 ? "h0" : "", /* a dot: its ends are round */
                 asy_json_i64(asy_json_get(node, "trial"), -1));
}

/* Whether any has two points, which make a line. */
static int are_lines(const struct asy_json *curves)
{
    for (size_t i = 0; i < asy_json_len(curves); i++)
        if (asy_json_len(asy_json_get(asy_json_at(curves, i), "values")) > 1)
            return 1;
    return 0;
}

/* All values of all curves, and the last step; the caller frees. */
static double *curve_values(const struct asy_json *curves, size_t *ret_n, double *ret_last,
                            struct asy_buf *out)
{
    size_t n = 0, at = 0;
    double *values;

    for (size_t i = 0; i < asy_json_len(curves); i++)
        n += asy_json_len(asy_json_get(asy_json_at(curves, i), "values"));
    values = malloc((n + 1) * sizeof *values);
    if (!values && !out->rc)
        out->rc = ASY_E_NOMEM;
    *ret_last = 1;
    for (size_t i = 0; i < asy_json_len(curves) && values; i++) {
        const struct asy_json *node = asy_json_at(curves, i);
        const struct asy_json *each = asy_json_get(node, "values");
        const struct asy_json *steps = asy_json_get(node, "steps");

        for (size_t k = 0; k < asy_json_len(each); k++) {
            values[at++] = asy_json_f64(asy_json_at(each, k), NAN);
            *ret_last = fmax(*ret_last, asy_json_f64(asy_json_at(steps, k), 0));
        }
    }
    *ret_n = values ? n : 0;
    return values;
}

void asy__report_curves(const struct asy__report *r, struct asy_buf *out)
{
    const struct asy_json *curves = asy_json_get(r->curves, "curves"), *node, *best = NULL;
    size_t n = asy_json_len(curves), n_values, each = n / CURVES_MAX + 1;
    double last, *values;
    struct asy__axis x, y;

    if (!are_lines(curves))
        return; /* one report a trial: the history shows it */
    values = curve_values(curves, &n_values, &last, out);
    y = asy__axis_of(values, n_values);
    free(values);
    x = (struct asy__axis){ .lo = 0, .hi = last, .whole = 1 };
    frame(&x, &y);
    section(out, "Learning curves", "What trials reported on their way, the best one in front.");
    asy__chart_open(out, "learning curves", WIDTH, HEIGHT);
    asy__chart_x(out, &x, &y, r->spec->length_unit ? r->spec->length_unit : "step");
    asy__chart_y(out, &x, &y, objective(r, 0)->metric);
    for (size_t i = 0; (node = asy_json_at(curves, i)); i++) {
        if (r->n_complete &&
            asy_json_i64(asy_json_get(node, "trial"), -1) == (int64_t)r->rows[0].number)
            best = node;
        else if (i % each == 0)
            curve(node, &x, &y, "curve", out);
    }
    if (best)
        curve(best, &x, &y, "best line", out);
    asy__chart_close(out);
    asy_buf_adds(out, "</section>\n");
}

/* ---- importance ------------------------------------------------------------------------------ */

#define BARS_MAX 20

static void bars(const struct asy_json *list, const char *title, struct asy_buf *out)
{
    size_t n = asy_json_len(list) < BARS_MAX ? asy_json_len(list) : BARS_MAX;
    int height = 30 + 22 * (int)n;

    asy__chart_open(out, "importance of parameters", WIDTH, height);
    asy_buf_adds(out, "<text class=\"title\" x=\"4\" y=\"16\">");
    asy__html_short(out, title, 90);
    asy_buf_adds(out, "</text>\n");
    for (size_t i = 0; i < n; i++) {
        const struct asy_json *p = asy_json_at(list, i);
        double share = asy_json_f64(asy_json_get(p, "share"), 0), y = 30 + 22 * (double)i;
        const char *name = asy_json_str(asy_json_get(p, "name"), "");

        asy_buf_addf(out, "<text class=\"tick\" x=\"170\" y=\"%.1f\" text-anchor=\"end\">", y + 12);
        asy__html_short(out, name, 24);
        asy_buf_adds(out, "<title>");
        asy__html_text(out, name);
        asy_buf_addf(out, "</title></text><rect class=\"bar\" x=\"178\" y=\"%.1f\" width=\"%.1f\" "
                          "height=\"15\"/><text class=\"tick\" x=\"%.1f\" y=\"%.1f\">%.1f %%"
                          "</text>\n",
                     y, 500 * share, 184 + 500 * share, y + 12, 100 * share);
    }
    asy__chart_close(out);
}

void asy__report_importance(const struct asy__report *r, struct asy_buf *out)
{
    const struct asy_json *list = asy_json_get(r->importance, "importances"), *one;

    if (asy_json_type(asy_json_get(asy_json_at(asy_json_get(asy_json_at(list, 0), "parameters"), 0),
                                   "share")) == ASY_JSON_NULL)
        return;
    section(out, "Importance", "How much each parameter had to do with a trial being among the "
            "best tenth (PED-ANOVA).");
    for (size_t i = 0; (one = asy_json_at(list, i)); i++)
        bars(asy_json_get(one, "parameters"),
             asy_json_len(list) == 1 ? ""
                                     : asy_json_str(asy_json_get(one, "objective"),
                                                    "all objectives together"), out);
    if (r->n_complete < ASY__IMPORTANCE_TRIALS)
        asy_buf_addf(out, "<p>Only %zu trials are complete: with fewer than %d these shares are "
                          "rough.</p>\n", r->n_complete, ASY__IMPORTANCE_TRIALS);
    asy_buf_adds(out, "</section>\n");
}

/* ---- front ----------------------------------------------------------------------------------- */

static int on_front(const struct asy__report *r, uint64_t number)
{
    const struct asy_json *front = asy_json_get(r->study, "front"), *point;

    for (size_t i = 0; (point = asy_json_at(front, i)); i++)
        if (asy_json_i64(asy_json_get(point, "trial"), -1) == (int64_t)number)
            return 1;
    return 0;
}

static void front_of(const struct asy__report *r, size_t j, struct asy_buf *out)
{
    double *a = column(r, r->n_complete, 0, out), *b = column(r, r->n_complete, j, out);
    struct asy__axis x = asy__axis_of(a, a ? r->n_complete : 0);
    struct asy__axis y = asy__axis_of(b, b ? r->n_complete : 0);
    char text[160];

    free(a);
    free(b);
    frame(&x, &y);
    asy__chart_open(out, "two objectives", WIDTH, HEIGHT);
    asy__chart_x(out, &x, &y, objective(r, 0)->metric);
    asy__chart_y(out, &x, &y, objective(r, j)->metric);
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < r->n_complete; i++)
            if (on_front(r, r->rows[i].number) == pass)
                asy__chart_dot(out, &x, &y, r->rows[i].values[0], r->rows[i].values[j],
                               pass ? "front" : "dot faint",
                               asy__report_title(&r->rows[i], text));
    asy__chart_close(out);
}

static void volumes(const struct asy__report *r, struct asy_buf *out)
{
    const struct asy_json *list = asy_json_get(r->history, "history"), *one;
    struct asy__axis x, y = { .lo = 0, .hi = 0 };
    double last = 0;

    if (asy_json_len(list) && !asy_json_get(asy_json_at(list, 0), "volume"))
        asy_buf_adds(out, "<p>" ASY__NO_VOLUMES ".</p>\n");
    for (size_t i = 0; (one = asy_json_at(list, i)); i++) {
        last = fmax(last, asy_json_f64(asy_json_get(one, "trial"), 0));
        y.hi = fmax(y.hi, asy_json_f64(asy_json_get(one, "volume"), 0));
    }
    if (!(y.hi > 0) || !isfinite(y.hi))
        return;
    x = by_trial(last);
    y.hi *= 1.04;
    frame(&x, &y);
    asy_buf_adds(out, "<p>How much the front covers after each trial:</p>\n");
    asy__chart_open(out, "hypervolume by trial", WIDTH, HEIGHT);
    asy__chart_x(out, &x, &y, "trial");
    asy__chart_y(out, &x, &y, "hypervolume of the front");
    asy_buf_adds(out, "<path class=\"best line\" d=\"");
    for (size_t i = 0; (one = asy_json_at(list, i)); i++)
        asy_buf_addf(out, i ? "H%.1fV%.1f" : "M%.1f %.1f",
                     asy__axis_at(&x, asy_json_f64(asy_json_get(one, "trial"), 0)),
                     asy__axis_at(&y, asy_json_f64(asy_json_get(one, "volume"), 0)));
    asy_buf_addf(out, "H%.1f\"/>\n", x.to);
    asy__chart_close(out);
}

void asy__report_front(const struct asy__report *r, struct asy_buf *out)
{
    if (r->spec->n_objectives < 2)
        return;
    section(out, "Front", "Complete trials within the constraints; the strong dots are those that "
            "no other beats in all objectives.");
    for (size_t j = 1; j < r->spec->n_objectives; j++)
        front_of(r, j, out);
    volumes(r, out);
    asy_buf_adds(out, "</section>\n");
}
