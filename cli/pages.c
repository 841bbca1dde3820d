/* SPDX-License-Identifier: Apache-2.0
 * pages.c - one study, one trial: everything that is recorded of it, on one page for people. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <asy/clock.h>
#include "format.h"
#include "plan.h"
#include "table.h"
#include "tables.h"

#define FRONT_SHOWN 20
#define LABEL 10 /* "versions  " */
#define INDENT "          "

static int64_t number(const struct asy_json *node, const char *key)
{
    return asy_json_i64(asy_json_get(node, key), 0);
}

static const char *text(const struct asy_json *node, const char *key)
{
    return asy_json_str(asy_json_get(node, key), "");
}

/* "label     words", wrapped. */
static void put(struct asy_buf *out, const char *label, const char *words, size_t width)
{
    struct asy_buf line = { 0 };

    if (!*words)
        return;
    asy_buf_init(&line, 1u << 20);
    asy_buf_addf(&line, "%-*s%s", LABEL, label, words);
    asy__fmt_wrap(out, line.data, "", INDENT, width);
    asy_buf_fini(&line);
}

static void put_time(struct asy_buf *out, const char *label, int64_t wall_us)
{
    char when[32];

    if (wall_us <= 0)
        return;
    asy_clock_format(wall_us, when);
    asy_buf_addf(out, "%-*s%s (", LABEL, label, when);
    asy__fmt_age(out, (asy_clock_wall_us() - wall_us) / 1000);
    asy_buf_adds(out, ")\n");
}

/* "pruned: the study has ended ..." */
static void put_state(struct asy_buf *line, const struct asy_json *node, const char *why)
{
    const char *cause = text(node, "cause");

    asy_buf_adds(line, text(node, "state"));
    if (*cause && strcmp(cause, "none") != 0)
        asy_buf_addf(line, " (%s)", cause);
    if (*why) {
        asy_buf_adds(line, ": ");
        asy__fmt_clean(line, why);
    }
}

/* ---- data ---------------------------------------------------------------------------------- */

static void put_data(struct asy_buf *out, const struct asy_json *root, size_t width)
{
    const struct asy_json *list = asy_json_get(root, "datasets"), *item, *profile;
    struct asy_buf line = { 0 };

    asy_buf_init(&line, 1u << 16);
    for (size_t i = 0; (item = asy_json_at(list, i)); i++) {
        asy_buf_clear(&line);
        asy__fmt_clean(&line, text(item, "name"));
        profile = asy_json_get(item, "profile");
        if (asy_json_get(profile, "rows"))
            asy_buf_addf(&line, ": %" PRId64 " rows, %" PRId64 " columns", number(profile, "rows"),
                         number(profile, "columns"));
        asy_buf_adds(&line, ", sha256 ");
        asy__fmt_clean(&line, text(item, "digest"));
        put(out, i ? "" : "data", line.data, width);
    }
    asy_buf_fini(&line);
}

/* How the study uses its data: what `assay run` has noted in a tag. */
static void put_use(struct asy_buf *out, const struct asy_json *tags, size_t width)
{
    const char *tag = asy_json_str(asy_json_get(tags, "assay.data"), "");
    const struct asy_json *split, *rows;
    struct asy_json *use = NULL;
    struct asy_buf line = { 0 };
    const char *part;

    if (asy_json_parse(tag, strlen(tag), &use, NULL) < 0)
        return;
    asy_buf_init(&line, 1u << 16);
    if (asy_json_get(use, "label")) {
        asy_buf_adds(&line, "label ");
        asy__fmt_value(&line, asy_json_get(use, "label"));
    } else {
        asy_buf_adds(&line, "tokens");
    }
    if (number(use, "classes"))
        asy_buf_addf(&line, ", %" PRId64 " classes", number(use, "classes"));
    split = asy_json_get(use, "split");
    for (size_t i = 0; (rows = asy_json_member(split, i, &part)); i++) {
        asy_buf_addf(&line, ", %s ", part);
        asy__fmt_value(&line, rows);
    }
    put(out, "", line.data, width);
    asy_buf_fini(&line);
    asy_json_destroy(use);
}

static void put_words(struct asy_buf *out, const char *label, const struct asy_json *list,
                      size_t width)
{
    const struct asy_json *word;
    struct asy_buf line = { 0 };

    asy_buf_init(&line, 1u << 20);
    for (size_t i = 0; (word = asy_json_at(list, i)); i++) {
        asy_buf_adds(&line, i ? " " : "");
        asy__fmt_clean(&line, asy_json_str(word, ""));
    }
    put(out, label, line.data, width);
    asy_buf_fini(&line);
}

static void put_tags(struct asy_buf *out, const struct asy_json *tags, size_t width)
{
    const struct asy_json *value;
    struct asy_buf line = { 0 };
    const char *key;

    asy_buf_init(&line, 1u << 20);
    for (size_t i = 0, n = 0; (value = asy_json_member(tags, i, &key)); i++) {
        if (!strcmp(key, "assay.data"))
            continue; /* shown with the data */
        asy_buf_clear(&line);
        asy_buf_addf(&line, "%s=", key);
        asy__fmt_short(&line, asy_json_str(value, ""), 400);
        put(out, n++ ? "" : "tags", line.data, width);
    }
    asy_buf_fini(&line);
}

/* ---- what a study is ----------------------------------------------------------------------- */

/* The lines of a plan under our labels; its first is about the objective. */
static void put_lines(struct asy_buf *out, const char *lines, size_t width)
{
    char label[ASY__PLAN_LABEL + 1];
    struct asy_buf line = { 0 };
    const char *words;

    asy_buf_init(&line, 1u << 20);
    for (size_t i = 0, len; *lines; lines += len + (lines[len] == '\n'), i++) {
        len = strcspn(lines, "\n");
        asy_buf_clear(&line);
        asy_buf_add(&line, lines, len);
        snprintf(label, sizeof label, "%s", line.data);
        label[strcspn(label, " ")] = 0;
        words = line.data + (line.len < ASY__PLAN_LABEL ? line.len : ASY__PLAN_LABEL);
        if (i == 0 && strstr(words, ": "))
            words = strstr(words, ": ") + 2;
        put(out, i ? label : "objective", words, width);
    }
    asy_buf_fini(&line);
}

/* As `assay run` said it. A study of another version may not read: then the bare words of it. */
static void put_study_plan(struct asy_buf *out, const struct asy_json *root, size_t width)
{
    const struct asy_json *spec = asy_json_get(root, "spec"), *run = asy_json_get(spec, "run");
    const struct asy_json *objective = asy_json_get(spec, "objective");
    struct asy_study_spec *study = NULL;
    struct asy_buf text_of = { 0 };

    asy_buf_init(&text_of, 4u << 20);
    if (spec && asy__study_of(root, &study, NULL) == 0) {
        asy__plan_study(study, &text_of);
        asy__plan_resources(study, &text_of);
        put_lines(out, text_of.data, width);
    } else {
        put(out, "model", text(run, "model"), width);
        put_words(out, "runs", asy_json_get(run, "command"), width);
        if (asy_json_type(objective) == ASY_JSON_ARRAY)
            objective = asy_json_at(objective, 0);
        asy_buf_addf(&text_of, "%s %s", text(objective, "goal"), text(objective, "metric"));
        put(out, "objective", text_of.data, width);
    }
    asy_study_destroy(study);
    asy_buf_fini(&text_of);
}

/* ---- a study ------------------------------------------------------------------------------- */

int asy__page_of_study(const struct asy_json *root, size_t width, struct asy_buf *out,
                       struct asy_error *err)
{
    static const char *const states[] = { "complete", "pruned", "failed", "cancelled", "running",
                                          "paused", "queued" };
    int counted = !strcmp(text(root, "cause"), "budget-trials"); /* as the line of trials says */
    const struct asy_json *front = asy_json_get(root, "front");
    struct asy_buf line = { 0 };

    asy_buf_init(&line, 1u << 20);
    asy_buf_addf(&line, "%s ", text(root, "name"));
    put_state(&line, root, counted ? "" : text(root, "text"));
    put(out, "study", line.data, width);
    put(out, "id", text(root, "id"), width);
    put(out, "about", text(asy_json_get(root, "spec"), "description"), width);
    put(out, "command", text(root, "command"), width);
    put_time(out, "created", number(root, "created_us"));
    put_time(out, "ended", number(root, "ended_us"));
    put_study_plan(out, root, width);
    put(out, "sampler", text(root, "sampler_reason"), width);
    put_data(out, root, width);
    put_use(out, asy_json_get(root, "tags"), width);
    asy_buf_clear(&line);
    asy_buf_addf(&line, "%" PRId64, number(root, "trials"));
    for (size_t i = 0, k = 0; i < ASY_ARRAY_LEN(states); i++)
        if (number(root, states[i]))
            asy_buf_addf(&line, "%s %" PRId64 " %s", k++ ? "," : ":", number(root, states[i]),
                         states[i]);
    put(out, "trials", line.data, width);
    if (number(root, "best_trial") >= 0) {
        asy_buf_clear(&line);
        asy__fmt_value(&line, asy_json_get(root, "best"));
        asy_buf_addf(&line, " (trial %" PRId64 ")", number(root, "best_trial"));
        put(out, "best", line.data, width);
    }
    if (front) {
        asy_buf_clear(&line);
        asy_buf_addf(&line, "%zu trials (assay pareto %s):", asy_json_len(front),
                     text(root, "name"));
        for (size_t i = 0; i < asy_json_len(front) && i < FRONT_SHOWN; i++)
            asy_buf_addf(&line, " %" PRId64, number(asy_json_at(front, i), "trial"));
        asy_buf_adds(&line, asy_json_len(front) > FRONT_SHOWN ? " ..." : "");
        put(out, "front", line.data, width);
    }
    put_tags(out, asy_json_get(root, "tags"), width);
    asy_buf_fini(&line);
    return asy_buf_check(out, "the page", err);
}

/* ---- the parts of a trial ------------------------------------------------------------------ */

struct series {
    const char *name;
    size_t n;
    double first, last, least, most;
    int64_t at_least, at_most;
};

static void series_add(struct series *s, const struct asy_json *metric)
{
    double value = asy_json_f64(asy_json_get(metric, "value"), NAN);

    if (!s->n++)
        *s = (struct series){ text(metric, "name"), 1, value, value, value, value,
                              number(metric, "step"), number(metric, "step") };
    s->last = value;
    if (value < s->least || isnan(s->least)) {
        s->least = value;
        s->at_least = number(metric, "step");
    }
    if (value > s->most || isnan(s->most)) {
        s->most = value;
        s->at_most = number(metric, "step");
    }
}

static void put_extreme(struct asy__table *table, const struct series *s, double value, int64_t at)
{
    struct asy_buf *cell = asy__table_cell(table);

    if (s->n < 2)
        return;
    asy__fmt_number(cell, value);
    asy_buf_addf(cell, " at %" PRId64, at);
}

static void put_series(struct asy__table *table, const struct series *s)
{
    asy__fmt_clean(asy__table_cell(table), s->name);
    asy_buf_addf(asy__table_cell(table), "%zu", s->n);
    asy__fmt_number(asy__table_cell(table), s->first);
    asy__fmt_number(asy__table_cell(table), s->last);
    put_extreme(table, s, s->least, s->at_least);
    put_extreme(table, s, s->most, s->at_most);
}

/* Metrics come by name and step. */
static int summary(const struct asy_json *metrics, size_t width, struct asy_buf *out,
                   struct asy_error *err)
{
    static const char *const heads[] = { "METRIC", ">VALUES", ">FIRST", ">LAST", ">LEAST", ">MOST",
                                         NULL };
    const struct asy_json *metric;
    struct asy__table table;
    struct series s = { .n = 0 };
    int rc;

    asy__table_init(&table, heads);
    for (size_t i = 0; (metric = asy_json_at(metrics, i)); i++) {
        if (s.n && strcmp(s.name, text(metric, "name")) != 0) {
            put_series(&table, &s);
            s.n = 0;
        }
        series_add(&s, metric);
    }
    if (s.n)
        put_series(&table, &s);
    asy_buf_addc(out, '\n');
    rc = asy__table_write(&table, width, out, err);
    asy__table_fini(&table);
    return rc;
}

static int history(const struct asy_json *metrics, size_t width, struct asy_buf *out,
                   struct asy_error *err)
{
    static const char *const heads[] = { "METRIC", ">STEP", ">VALUE", ">ATTEMPT", NULL };
    const struct asy_json *metric;
    struct asy__table table;
    int rc;

    asy__table_init(&table, heads);
    for (size_t i = 0; (metric = asy_json_at(metrics, i)); i++) {
        asy__fmt_clean(asy__table_cell(&table), text(metric, "name"));
        asy_buf_addf(asy__table_cell(&table), "%" PRId64, number(metric, "step"));
        asy__fmt_number(asy__table_cell(&table),
                        asy_json_f64(asy_json_get(metric, "value"), NAN));
        asy_buf_addf(asy__table_cell(&table), "%" PRId64, number(metric, "attempt"));
    }
    asy_buf_addc(out, '\n');
    rc = asy__table_write(&table, width, out, err);
    asy__table_fini(&table);
    return rc;
}

/* "exit code 3", "signal 9", and what the record says. */
static void put_exit(struct asy_buf *cell, const struct asy_json *attempt)
{
    const char *why = text(attempt, "text"), *cause = text(attempt, "cause");

    if (number(attempt, "signal"))
        asy_buf_addf(cell, "signal %" PRId64, number(attempt, "signal"));
    else if (number(attempt, "exit_code"))
        asy_buf_addf(cell, "exit code %" PRId64, number(attempt, "exit_code"));
    if (!*why && (!*cause || !strcmp(cause, "none")))
        return;
    asy_buf_adds(cell, cell->len && cell->data[cell->len - 1] ? ": " : "");
    asy__fmt_clean(cell, *why ? why : cause);
}

/* first: of its trial, which starts from a trial's checkpoint where it has a parent (< 0: none). */
static void put_from(struct asy_buf *cell, const struct asy_json *attempt,
                     const struct asy_json *first, int64_t parent)
{
    int64_t step = number(attempt, "resumed_step");

    if (!number(attempt, "resumed_from"))
        return;
    if (parent >= 0 && step == number(first, "resumed_step"))
        asy_buf_addf(cell, "%" PRId64 " (trial %" PRId64 ")", step, parent);
    else
        asy_buf_addf(cell, "%" PRId64 " (attempt %" PRId64 ")", step,
                     number(attempt, "resumed_from"));
}

static void attempt_cells(struct asy__table *table, const struct asy_json *attempt,
                          const struct asy_json *first, int64_t parent)
{
    int64_t ended_us = number(attempt, "ended_us");
    double cpu_s = asy_json_f64(asy_json_get(attempt, "cpu_s"), NAN);
    struct asy_buf *cell;

    asy_buf_addf(asy__table_cell(table), "%" PRId64, number(attempt, "attempt"));
    asy__fmt_clean(asy__table_cell(table), text(attempt, "host"));
    asy__fmt_clean(asy__table_cell(table), text(attempt, "cores"));
    put_from(asy__table_cell(table), attempt, first, parent);
    asy_buf_addf(asy__table_cell(table), "%" PRId64, number(attempt, "step"));
    asy__fmt_took(asy__table_cell(table), number(attempt, "leased_us"),
                  number(attempt, "started_us"), ended_us);
    cell = asy__table_cell(table);
    if (!isnan(cpu_s) && ended_us > 0)
        asy__fmt_duration(cell, (int64_t)(cpu_s * 1e6));
    cell = asy__table_cell(table);
    if (number(attempt, "max_rss"))
        asy__fmt_bytes(cell, (uint64_t)number(attempt, "max_rss"));
    cell = asy__table_cell(table);
    asy_buf_adds(cell, *text(attempt, "end") ? text(attempt, "end") : "under way");
    put_exit(asy__table_cell(table), attempt);
}

static int attempts(const struct asy_json *list, int64_t parent, size_t width, struct asy_buf *out,
                    struct asy_error *err)
{
    static const char *const heads[] = { ">ATTEMPT", "HOST", "CORES", "FROM", ">TO", "TOOK", "CPU",
                                         "MEMORY", "END", "WHY", NULL };
    const struct asy_json *attempt;
    struct asy__table table;
    int rc;

    if (!asy_json_len(list))
        return 0;
    asy__table_init(&table, heads);
    for (size_t i = 0; (attempt = asy_json_at(list, i)); i++)
        attempt_cells(&table, attempt, asy_json_at(list, 0), parent);
    asy_buf_addc(out, '\n');
    rc = asy__table_write(&table, width, out, err);
    asy__table_fini(&table);
    return rc;
}

/* Paths are for copying: never shortened. */
static int artifacts(const struct asy_json *list, struct asy_buf *out, struct asy_error *err)
{
    static const char *const heads[] = { "ARTIFACT", ">STEP", ">SIZE", "PATH", NULL };
    const struct asy_json *item;
    struct asy__table table;
    int rc;

    if (!asy_json_len(list))
        return 0;
    asy__table_init(&table, heads);
    for (size_t i = 0; (item = asy_json_at(list, i)); i++) {
        asy__fmt_clean(asy__table_cell(&table), text(item, "name"));
        asy_buf_addf(asy__table_cell(&table), "%" PRId64, number(item, "step"));
        asy__fmt_bytes(asy__table_cell(&table), (uint64_t)number(item, "bytes"));
        asy__fmt_clean(asy__table_cell(&table), text(item, "path"));
    }
    asy_buf_addc(out, '\n');
    rc = asy__table_write(&table, 0, out, err);
    asy__table_fini(&table);
    return rc;
}

/* ", NVIDIA A100 (GPU-…), 0.25 of NVIDIA A100 (GPU-…)" */
static void put_gpus(struct asy_buf *line, const struct asy_json *gpus)
{
    const struct asy_json *gpu;

    for (size_t i = 0; (gpu = asy_json_at(gpus, i)); i++) {
        double share = asy_json_f64(asy_json_get(gpu, "share"), 1);

        asy_buf_adds(line, ", ");
        if (share < 1) {
            asy__fmt_number(line, share);
            asy_buf_adds(line, " of ");
        }
        asy__fmt_clean(line, text(gpu, "name"));
        asy_buf_addf(line, " (%s)", text(gpu, "id"));
    }
}

/* "AMD EPYC on node7, caches 32 KiB, 512 KiB, memory 21 GiB, 76 GFLOP/s, 28 GB/s" */
static void put_hardware(struct asy_buf *line, const struct asy_json *hardware)
{
    static const struct { const char *key, *unit; } speeds[] = { { "gflops", "GFLOP/s" },
                                                                 { "bandwidth_gb_s", "GB/s" } };
    const struct asy_json *caches = asy_json_get(hardware, "caches"), *cache;
    const char *key;

    asy__fmt_clean(line, text(hardware, "model"));
    if (*text(hardware, "host")) {
        asy_buf_adds(line, line->len ? " on " : "");
        asy__fmt_clean(line, text(hardware, "host"));
    }
    if (number(hardware, "ranks") > 1)
        asy_buf_addf(line, ", %" PRId64 " ranks", number(hardware, "ranks"));
    put_gpus(line, asy_json_get(hardware, "gpus"));
    for (size_t i = 0; (cache = asy_json_member(caches, i, &key)); i++) {
        asy_buf_adds(line, i ? ", " : ", caches ");
        asy__fmt_bytes(line, (uint64_t)asy_json_i64(cache, 0));
    }
    if (number(hardware, "memory") > 0) {
        asy_buf_adds(line, ", memory ");
        asy__fmt_bytes(line, (uint64_t)number(hardware, "memory"));
    }
    for (size_t i = 0; i < ASY_ARRAY_LEN(speeds); i++) {
        double speed = asy_json_f64(asy_json_get(hardware, speeds[i].key), NAN);

        if (!isnan(speed))
            asy_buf_addf(line, ", %.*f %s", speed < 10 ? 1 : 0, speed, speeds[i].unit);
    }
}

/* Texts of an object, one level deep: "zeromq 4.3.4, kernels openblas ...". */
static void put_texts(struct asy_buf *line, const struct asy_json *node, int depth)
{
    const struct asy_json *value;
    const char *key;

    for (size_t i = 0; (value = asy_json_member(node, i, &key)); i++) {
        if (asy_json_type(value) == ASY_JSON_OBJECT && depth > 0) {
            put_texts(line, value, depth - 1);
            continue;
        }
        if (asy_json_type(value) == ASY_JSON_ARRAY)
            continue;
        asy_buf_adds(line, line->len ? ", " : "");
        asy_buf_addf(line, "%s ", key);
        asy__fmt_value(line, value);
    }
}

static void put_where(struct asy_buf *out, const struct asy_json *attempt, size_t width)
{
    struct asy_buf line = { 0 };

    asy_buf_init(&line, 1u << 20);
    put_hardware(&line, asy_json_get(attempt, "hardware"));
    put(out, "hardware", line.data, width);
    asy_buf_clear(&line);
    put_texts(&line, asy_json_get(attempt, "versions"), 1);
    put(out, "versions", line.data, width);
    asy_buf_fini(&line);
}

/* ---- a trial ------------------------------------------------------------------------------- */

static void put_value(struct asy_buf *out, const struct asy_json *root)
{
    const struct asy_json *outcome = asy_json_get(root, "outcome");

    asy_buf_addf(out, "%-*s", LABEL, "value");
    if (asy_json_len(asy_json_get(outcome, "values")) > 1) {
        asy__front_values(asy_json_get(root, "objectives"), asy_json_get(outcome, "values"), out);
    } else {
        asy__fmt_clean(out, *text(root, "metric") ? text(root, "metric") : "objective");
        asy_buf_addc(out, ' ');
        asy__fmt_value(out, asy_json_get(root, "value"));
    }
    asy_buf_adds(out, number(root, "ended_us") ? ", ended at " : ", now at ");
    asy__fmt_step(out, text(root, "unit"), (uint64_t)number(root, "step"));
    asy_buf_addc(out, '\n');
}

static void put_seed(struct asy_buf *out, const struct asy_json *root)
{
    asy_buf_addf(out, "%-*s", LABEL, "seed");
    asy__fmt_value(out, asy_json_get(root, "seed"));
    if (*text(root, "source")) {
        asy_buf_adds(out, ", point by ");
        asy__fmt_clean(out, text(root, "source"));
    }
    asy_buf_addc(out, '\n');
}

/* Of a trial of a population. */
static void put_lineage(struct asy_buf *out, const struct asy_json *root)
{
    int64_t parent = asy_json_i64(asy_json_get(root, "parent"), -1);

    if (!number(root, "member"))
        return;
    asy_buf_addf(out, "%-*smember %" PRId64 " of the population, ", LABEL, "lineage",
                 number(root, "member"));
    if (parent >= 0)
        asy_buf_addf(out, "from the checkpoint of trial %" PRId64 "\n", parent);
    else
        asy_buf_adds(out, "from nothing\n");
}

int asy__page_of_trial(const struct asy_json *root, int all, size_t width, struct asy_buf *out,
                       struct asy_error *err)
{
    const struct asy_json *list = asy_json_get(root, "attempt_list");
    const struct asy_json *metrics = asy_json_get(root, "metrics");
    size_t n = asy_json_len(list);
    struct asy_buf line = { 0 };
    int rc;

    asy_buf_init(&line, 1u << 20);
    asy_buf_addf(&line, "%" PRId64 " of %s ", number(root, "number"), text(root, "study"));
    put_state(&line, root, text(root, "text"));
    put(out, "trial", line.data, width);
    put(out, "run", text(root, "id"), width);
    asy_buf_clear(&line);
    asy__fmt_params(&line, asy_json_get(root, "params"));
    put(out, "params", line.data, width);
    put_value(out, root);
    put_time(out, "created", number(root, "created_us"));
    put_time(out, "ended", number(root, "ended_us"));
    put_seed(out, root);
    put_lineage(out, root);
    put_words(out, "command", asy_json_get(root, "command"), width);
    put_data(out, root, width);
    if (n)
        put_where(out, asy_json_at(list, n - 1), width);
    put_tags(out, asy_json_get(root, "tags"), width);
    asy_buf_fini(&line);
    if ((rc = attempts(list, asy_json_i64(asy_json_get(root, "parent"), -1), width, out, err)) < 0)
        return rc;
    if (asy_json_len(metrics) &&
        (rc = all ? history(metrics, width, out, err) : summary(metrics, width, out, err)) < 0)
        return rc;
    return artifacts(asy_json_get(root, "artifacts"), out, err);
}
