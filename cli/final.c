/* SPDX-License-Identifier: Apache-2.0
 * final.c - the last screen of a study: the best trial and its scores, what became of the others
 * and why, where everything is, what to type next. The best model is scored once on the test part;
 * its scores are kept with its run and read from there afterwards. */
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "cli.h"
#include "format.h"
#include "reasons.h"
#include "tables.h"

#define LABEL 9 /* "stored   " */
#define INDENT "         "
#define ANSWER_MAX (256u << 20)
#define FRONT_SHOWN 10

const struct asy_json *asy__left_of(const struct asy_json *trial, const char *name)
{
    const struct asy_json *artifacts = asy_json_get(trial, "artifacts"), *item;

    for (size_t i = 0; (item = asy_json_at(artifacts, i)); i++)
        if (!strcmp(asy_json_str(asy_json_get(item, "name"), ""), name))
            return item;
    return NULL;
}

/* One objective is an object in the canonical study, several are a list. */
static const struct asy_json *objective_of(const struct asy_json *spec)
{
    const struct asy_json *objective = asy_json_get(spec, "objective");

    return asy_json_type(objective) == ASY_JSON_ARRAY ? asy_json_at(objective, 0) : objective;
}

static const char *metric_name(const struct asy_json *spec)
{
    return asy_json_str(asy_json_get(objective_of(spec), "metric"), "objective");
}

static void put_score(const char *name, double value, struct asy_buf *out)
{
    asy_buf_addf(out, INDENT "%-14s ", name);
    asy__fmt_number(out, value);
    asy_buf_addc(out, '\n');
}

/* ---- the test part ------------------------------------------------------------------------- */

/* Whether a score is kept, but not shown to somebody who has not asked for such a metric. */
static int is_aside(const char *name, const char *metric)
{
    const char *asked = strchr(metric, '_');

    if (strncmp(name, "test_top", 8) != 0 && strcmp(name, "test_perplexity") != 0)
        return 0;
    return !asked || strcmp(name + 4, asked) != 0;
}

static size_t put_kept_scores(const struct asy_json *trial, const char *wanted,
                              struct asy_buf *out)
{
    const struct asy_json *metrics = asy_json_get(trial, "metrics"), *metric;
    size_t n = 0;

    for (size_t i = 0; (metric = asy_json_at(metrics, i)); i++) {
        const char *name = asy_json_str(asy_json_get(metric, "name"), "");

        if (asy_json_i64(asy_json_get(metric, "attempt"), 0) != 0 || strncmp(name, "test_", 5) != 0)
            continue;
        if (!is_aside(name, wanted))
            put_score(name, asy_json_f64(asy_json_get(metric, "value"), NAN), out);
        n++;
    }
    return n;
}

static int is_score(const char *name)
{
    return strcmp(name, "rows") != 0;
}

static int test_scores(struct asy__session *session, const struct asy_json *study,
                       const struct asy_json *trial, const struct asy_json *model,
                       struct asy_buf *out, struct asy_error *err)
{
    const char *name = asy_json_str(asy_json_get(study, "name"), ""), *key;
    const char *wanted = metric_name(asy_json_get(study, "spec"));
    int64_t number = asy_json_i64(asy_json_get(trial, "number"), 0);
    const struct asy_json *value;
    struct asy__model here = { .path = "" };
    struct asy_json *scores = NULL;
    char full[128];
    int rc;

    if (put_kept_scores(trial, wanted, out))
        return 0;
    rc = asy__model_get(session, asy_json_str(asy_json_get(study, "id"), ""), number, model, &here,
                        err);
    if (rc == 0)
        rc = asy__evaluate(asy_json_get(study, "spec"), here.path, "test", &scores, err);
    asy__model_drop(&here);
    for (size_t i = 0; rc == 0 && (value = asy_json_member(scores, i, &key)); i++) {
        if (!is_score(key))
            continue;
        snprintf(full, sizeof full, "%s%s", strncmp(key, "test_", 5) ? "test_" : "", key);
        if (!is_aside(full, wanted))
            put_score(full, asy_json_f64(value, NAN), out);
        rc = asy__record_score(session, name, number, full, asy_json_f64(value, NAN), err);
    }
    asy_json_destroy(scores);
    return rc;
}

static int is_of_plugin(const struct asy_json *study)
{
    return asy_json_get(asy_json_get(asy_json_get(study, "spec"), "run"), "plugin") != NULL;
}

/* The command that its model is for; "": none of ours. */
static const char *use_of(const struct asy_json *study)
{
    const struct asy_json *run = asy_json_get(asy_json_get(study, "spec"), "run");
    int writes = !strcmp(asy_json_str(asy_json_get(run, "model"), ""), "gpt");

    return is_of_plugin(study) ? "" : writes ? "generate" : "predict";
}

static int has_test_part(const struct asy_json *study)
{
    const struct asy_json *spec = asy_json_get(study, "spec"), *data = asy_json_get(spec, "data");

    /* It knows, and says nothing of no rows; but its files are in the trial's folder. */
    if (!data && is_of_plugin(study))
        return !asy_json_at(asy_json_get(asy_json_get(spec, "run"), "files"), 0);
    return asy_json_f64(asy_json_get(asy_json_get(data, "split"), "test"), 0) > 0;
}

/* ---- parts --------------------------------------------------------------------------------- */

static void put_head(const struct asy_json *study, size_t width, struct asy_buf *out)
{
    static const char *const states[] = { "complete", "pruned", "failed", "cancelled", "paused" };
    const char *text = asy_json_str(asy_json_get(study, "text"), "");
    int64_t from_us = asy_json_i64(asy_json_get(study, "created_us"), 0);
    int64_t to_us = asy_json_i64(asy_json_get(study, "ended_us"), 0), n;
    struct asy_buf line = { 0 };

    asy_buf_init(&line, 4096);
    asy_buf_addf(&line, "%-*s%s %s", LABEL, "study", asy_json_str(asy_json_get(study, "name"), ""),
                 asy_json_str(asy_json_get(study, "state"), ""));
    if (asy_json_i64(asy_json_get(study, "best_trial"), -1) < 0)
        asy_buf_adds(&line, " without a result");
    if (to_us > from_us) {
        asy_buf_adds(&line, " after ");
        asy__fmt_duration(&line, to_us - from_us);
    }
    if (strcmp(asy_json_str(asy_json_get(study, "cause"), ""), "budget-trials") != 0 && *text) {
        asy_buf_adds(&line, ": ");
        asy__fmt_clean(&line, text);
    }
    asy__fmt_wrap(out, line.data, "", INDENT, width);
    asy_buf_addf(out, "%-*s%" PRId64 ":", LABEL, "trials",
                 asy_json_i64(asy_json_get(study, "trials"), 0));
    for (size_t i = 0, k = 0; i < ASY_ARRAY_LEN(states); i++)
        if ((n = asy_json_i64(asy_json_get(study, states[i]), 0)))
            asy_buf_addf(out, "%s %" PRId64 " %s", k++ ? "," : "", n, states[i]);
    asy_buf_addc(out, '\n');
    asy_buf_fini(&line);
}

static void put_best(const struct asy_json *study, const struct asy_json *trial, size_t width,
                     struct asy_buf *out)
{
    const struct asy_json *spec = asy_json_get(study, "spec");
    const struct asy_json *length = asy_json_get(asy_json_get(spec, "run"), "length");
    struct asy_buf line = { 0 };

    asy_buf_init(&line, 1u << 20);
    asy_buf_addf(out, "%-*strial %" PRId64, LABEL, "best",
                 asy_json_i64(asy_json_get(trial, "number"), 0));
    if (asy_json_get(study, "front")) {
        asy_buf_adds(out, " by ");
        asy__fmt_clean(out, metric_name(spec));
    }
    asy_buf_adds(out, ", ended at ");
    asy__fmt_step(out, asy_json_str(asy_json_get(length, "unit"), "steps"),
                  (uint64_t)asy_json_i64(asy_json_get(trial, "step"), 0));
    asy_buf_addc(out, '\n');
    asy__fmt_params(&line, asy_json_get(trial, "params"));
    asy__fmt_wrap(out, line.data, INDENT, "", width);
    put_score(metric_name(spec), asy_json_f64(asy_json_get(study, "best"), NAN), out);
    asy_buf_fini(&line);
}

/* Several objectives: who is beaten by nobody in all of them, the first few by name. */
static void put_front(const struct asy_json *study, size_t width, struct asy_buf *out)
{
    const struct asy_json *front = asy_json_get(study, "front"), *point;
    const struct asy_json *objectives = asy_json_get(asy_json_get(study, "spec"), "objective");
    size_t n = asy_json_len(front);
    struct asy_buf line = { 0 };

    if (n == 0)
        return;
    asy_buf_init(&line, 4096);
    asy_buf_addf(&line, "front    %zu trial%s that no other beats in all objectives:", n,
                 n == 1 ? "" : "s");
    asy__fmt_wrap(out, line.data, "", INDENT, width);
    for (size_t i = 0; (point = asy_json_at(front, i)) && i < FRONT_SHOWN; i++) {
        asy_buf_clear(&line);
        asy_buf_addf(&line, "trial %" PRId64 ": ",
                     asy_json_i64(asy_json_get(point, "trial"), 0));
        asy__front_values(objectives, asy_json_get(point, "values"), &line);
        asy__fmt_wrap(out, line.data, INDENT, "  ", width);
    }
    if (n > FRONT_SHOWN)
        asy_buf_addf(out, INDENT "... and %zu more\n", n - FRONT_SHOWN);
    asy_buf_fini(&line);
}

/* The trial that had the best value of all, complete or not; NULL: none had any. */
static const struct asy_json *find_top(const struct asy_json *spec, const struct asy_json *trials)
{
    const char *goal = asy_json_str(asy_json_get(objective_of(spec), "goal"), "");
    const struct asy_json *trial, *top = NULL;
    int maximize = !strcmp(goal, "maximize");
    double best = NAN;

    for (size_t i = 0; (trial = asy_json_at(asy_json_get(trials, "trials"), i)); i++) {
        double value = asy_json_f64(asy_json_get(trial, "value"), NAN);

        if (isnan(value) || !strcmp(asy_json_str(asy_json_get(trial, "state"), ""), "failed") ||
            (top && (maximize ? value <= best : value >= best)))
            continue;
        top = trial;
        best = value;
    }
    return top;
}

/* A trial that was stopped on its way may have had a better value than the result: it was seen on
 * the way, so it is named. */
static void put_top(const struct asy_json *study, const struct asy_json *trials, size_t width,
                    struct asy_buf *out)
{
    const struct asy_json *spec = asy_json_get(study, "spec"), *top = find_top(spec, trials);
    const struct asy_json *length = asy_json_get(asy_json_get(spec, "run"), "length");
    double value = asy_json_f64(asy_json_get(top, "value"), NAN);
    double best = asy_json_f64(asy_json_get(study, "best"), NAN);
    struct asy_buf line = { 0 };

    if (!top || asy_json_get(study, "front") || !(value < best || value > best))
        return; /* as good as the result, or one of several objectives */
    asy_buf_init(&line, 4096);
    asy_buf_addf(&line, "better, but no result: trial %" PRId64 " had ",
                 asy_json_i64(asy_json_get(top, "number"), 0));
    asy__fmt_number(&line, value);
    asy_buf_addf(&line, " and is %s at ",
                 asy__outside_constraints(asy_json_get(top, "outcome"))
                     ? "outside the constraints"
                     : asy_json_str(asy_json_get(top, "state"), ""));
    asy__fmt_step(&line, asy_json_str(asy_json_get(length, "unit"), "steps"),
                  (uint64_t)asy_json_i64(asy_json_get(top, "step"), 0));
    asy__fmt_wrap(out, line.data, INDENT, "  ", width);
    asy_buf_fini(&line);
}

/* What stood between the study and a result: the limit that ended it, or who pruned all. NULL: a
 * person did, or what failed says it itself. */
static const char *way_to_a_result(const struct asy_json *study)
{
    const struct asy_json *search = asy_json_get(asy_json_get(study, "spec"), "search");
    const char *cause = asy_json_str(asy_json_get(study, "cause"), "");
    const char *pruner = asy_json_str(asy_json_get(asy_json_get(search, "pruner"), "name"), "none");

    if (asy_json_i64(asy_json_get(study, "complete"), 0) > 0)
        return "to do: wider constraints, or a larger budget";
    if (!strcmp(cause, "budget-time"))
        return "to do: a larger budget.time, or shorter trials (run.length)";
    if (!strcmp(pruner, "none") || !asy_json_i64(asy_json_get(study, "pruned"), 0) ||
        !strcmp(cause, "user"))
        return NULL;
    return !strcmp(cause, "budget-trials")
               ? "to do: a larger budget.trials, or a pruner that lets more through (search.pruner)"
               : "to do: a pruner that lets more through (search.pruner)";
}

/* Where no trial ran to its end, the study has no result; what came nearest, and the way to one. */
static void put_no_best(const struct asy_json *study, const struct asy_json *trials, size_t width,
                        struct asy_buf *out)
{
    const struct asy_json *spec = asy_json_get(study, "spec");
    const struct asy_json *top = find_top(spec, trials);
    const char *way = way_to_a_result(study);
    struct asy_buf line = { 0 };

    asy_buf_init(&line, 4096);
    if (asy_json_i64(asy_json_get(study, "complete"), 0) > 0)
        asy_buf_adds(&line, "best     none: no complete trial is within the constraints");
    else
        asy_buf_adds(&line, "best     none: no trial ran to its end");
    if (top) {
        asy_buf_addf(&line, "; trial %" PRId64 " had %s ",
                     asy_json_i64(asy_json_get(top, "number"), 0), metric_name(spec));
        asy__fmt_number(&line, asy_json_f64(asy_json_get(top, "value"), NAN));
    }
    asy__fmt_wrap(out, line.data, "", INDENT, width);
    if (way)
        asy__fmt_wrap(out, way, INDENT, "  ", width);
    asy_buf_fini(&line);
}

static void put_command(const struct asy__options *options, const char *command, const char *what,
                        int first, struct asy_buf *out)
{
    struct asy_buf line = { 0 };

    asy_buf_init(&line, 1u << 16);
    asy_buf_addf(&line, "assay %s", command);
    asy__put_place(&line, options);
    asy_buf_addf(out, "%-*s%-42s  %s\n", LABEL, first ? "next" : "", line.data, what);
    asy_buf_fini(&line);
}

ASY_PRINTF(1, 2) static const char *words(const char *fmt, ...)
{
    static char text[400];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return text;
}

/* Without a result: how to find out why. */
static void put_next_without(const struct asy__options *options, const char *study,
                             const struct asy_json *trials, struct asy_buf *out)
{
    const struct asy_json *trial;

    put_command(options, words("explain %s", study), "why", 1, out);
    for (size_t i = 0; (trial = asy_json_at(asy_json_get(trials, "trials"), i)); i++)
        if (!strcmp(asy_json_str(asy_json_get(trial, "state"), ""), "failed")) {
            put_command(options, words("logs %s %" PRId64 " --stderr", study,
                                       asy_json_i64(asy_json_get(trial, "number"), 0)),
                        "what the first that failed printed", 0, out);
            break;
        }
    put_command(options, words("trials %s", study), "all trials", 0, out);
}

/* use: of the model, without whom it is of. */
static void put_next(const struct asy__options *options, const char *study, int64_t best,
                     int has_model, const char *use, int has_front, struct asy_buf *out)
{
    if (has_front)
        put_command(options, words("pareto %s", study), "the whole front", 1, out);
    else
        put_command(options, words("best %s", study), "the best trials", 1, out);
    put_command(options, words("show %s %" PRId64, study, best), "all about that trial", 0, out);
    if (!has_model)
        return;
    if (*use && !strcmp(use, "generate"))
        put_command(options, words("generate %s", study), "let its model write", 0, out);
    else if (*use)
        put_command(options, words("predict %s FILE.csv", study), "apply its model", 0, out);
    put_command(options, words("export %s --model -o FILE", study), "copy its model", 0, out);
}

/* ---- the whole ----------------------------------------------------------------------------- */

/* A path of another machine would lead nowhere. */
static void put_model(const struct asy__session *session, const struct asy_json *model,
                      struct asy_buf *out)
{
    asy_buf_addf(out, "%-*s", LABEL, "model");
    if (asy__session_remote(session))
        asy_buf_addf(out, "on '%s'", asy__session_host(session));
    else
        asy__fmt_clean(out, asy_json_str(asy_json_get(model, "path"), ""));
    asy_buf_adds(out, " (");
    asy__fmt_bytes(out, (uint64_t)asy_json_i64(asy_json_get(model, "bytes"), 0));
    asy_buf_adds(out, ")\n");
}

int asy__final_screen(struct asy__session *session, const char *study,
                      const struct asy__options *options, struct asy_error *err)
{
    size_t width = asy__columns(stdout);
    struct asy_buf json = { 0 }, out = { 0 };
    struct asy_json *row = NULL, *trials = NULL, *trial = NULL;
    const struct asy_json *model = NULL;
    int64_t best;
    int rc, scored = 0;

    asy_buf_init(&json, ANSWER_MAX);
    asy_buf_init(&out, 1u << 20);
    if ((rc = asy__query(session, "study", study, -1, -1, -1, NULL, &json, &row, err)) < 0 ||
        (rc = asy__query(session, "trials", study, -1, -1, -1, NULL, &json, &trials, err)) < 0)
        goto out;
    asy_buf_addc(&out, '\n');
    put_head(row, width, &out);
    if ((rc = asy__reasons(row, trials, INDENT, width, &out, err)) < 0)
        goto out;
    best = asy_json_i64(asy_json_get(row, "best_trial"), -1);
    if (best >= 0) {
        if ((rc = asy__query(session, "trial", study, best, -1, -1, NULL, &json, &trial, err)) < 0)
            goto out;
        put_front(row, width, &out);
        put_best(row, trial, width, &out);
        put_top(row, trials, width, &out);
        model = asy__left_of(trial, "model");
    } else {
        put_no_best(row, trials, width, &out);
    }
    if (model && has_test_part(row))
        scored = test_scores(session, row, trial, model, &out, err);
    if (model)
        put_model(session, model, &out);
    if (asy__session_remote(session))
        asy_buf_addf(&out, "%-*son '%s'\n", LABEL, "stored", asy__session_host(session));
    else
        asy_buf_addf(&out, "%-*s%s\n", LABEL, "stored", options->home);
    if (best >= 0)
        put_next(options, study, best, model != NULL, use_of(row),
                 asy_json_get(row, "front") != NULL, &out);
    else
        put_next_without(options, study, trials, &out);
    if ((rc = asy_buf_check(&out, "the last screen", err)) == 0) {
        fputs(out.data, stdout);
        fflush(stdout);
        if (scored < 0) { /* all the rest is as good as ever */
            asy_error_prefix(err, "the test score is missing");
            rc = scored;
        }
    }
out:
    asy_json_destroy(trial);
    asy_json_destroy(trials);
    asy_json_destroy(row);
    asy_buf_fini(&out);
    asy_buf_fini(&json);
    return rc;
}
