/* SPDX-License-Identifier: Apache-2.0
 * query_text.c - the store's rows as JSON: what `assay ... --json` prints and every other output of
 * the command line is made from. Fields are only ever added. */
#include "query.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <asy/study.h>

#define TRIAL_NONE UINT64_MAX

struct found {
    struct asy_jsonw *w;
    struct asy_id id;
    int n;
};

static void put_id(struct asy_jsonw *w, const char *key, struct asy_id id)
{
    char text[ASY_ID_TEXT];

    asy_jsonw_str(w, key, asy_id_format(id, text));
}

static void put_number(struct asy_jsonw *w, const char *key, double value)
{
    if (isnan(value))
        asy_jsonw_null(w, key);
    else
        asy_jsonw_f64(w, key, value);
}

static void put_cause(struct asy_jsonw *w, enum asy_cause cause, const char *text)
{
    const struct asy_cause_info *info = asy_cause_info(cause);

    asy_jsonw_str(w, "cause", cause != ASY_CAUSE_NONE && info ? info->name : NULL);
    asy_jsonw_str(w, "text", text);
}

static void put_json(struct asy_jsonw *w, const char *key, const char *json)
{
    if (json && *json)
        asy_jsonw_raw(w, key, json, strlen(json));
    else
        asy_jsonw_null(w, key);
}

static void study_members(struct asy_jsonw *w, const struct asy_study_row *row, int with_spec)
{
    put_id(w, "id", row->id);
    asy_jsonw_str(w, "name", row->name);
    asy_jsonw_str(w, "project", row->project);
    asy_jsonw_str(w, "state", asy_study_state_name(row->state));
    put_cause(w, row->cause, row->text);
    asy_jsonw_i64(w, "created_us", row->created_us);
    asy_jsonw_i64(w, "ended_us", row->ended_us);
    asy_jsonw_u64(w, "trials", row->trials);
    asy_jsonw_u64(w, "queued", row->queued);
    asy_jsonw_u64(w, "running", row->running);
    asy_jsonw_u64(w, "paused", row->paused);
    asy_jsonw_u64(w, "complete", row->complete);
    asy_jsonw_u64(w, "pruned", row->pruned);
    asy_jsonw_u64(w, "failed", row->failed);
    asy_jsonw_u64(w, "cancelled", row->cancelled);
    put_number(w, "best", row->best);
    asy_jsonw_i64(w, "best_trial", row->best_trial);
    asy_jsonw_str(w, "command", row->command_line);
    asy_jsonw_u64(w, "last_seq", row->last_seq);
    if (with_spec)
        put_json(w, "spec", row->spec);
}

static int on_study(void *arg, const struct asy_study_row *row)
{
    struct found *found = arg;

    found->id = row->id;
    if (!found->w)
        return 0;
    asy_jsonw_open(found->w, NULL, '{');
    study_members(found->w, row, 0);
    asy_jsonw_close(found->w, '}');
    return 0;
}

static int on_whole_study(void *arg, const struct asy_study_row *row)
{
    struct found *found = arg;

    if (!found->n++)
        study_members(found->w, row, 1);
    found->id = row->id;
    return 0;
}

static void trial_members(struct asy_jsonw *w, const struct asy_trial_row *row)
{
    put_id(w, "id", row->id);
    asy_jsonw_u64(w, "number", row->number);
    asy_jsonw_str(w, "state", asy_trial_state_name(row->state));
    put_cause(w, row->cause, row->text);
    put_number(w, "value", row->value);
    asy_jsonw_u64(w, "step", row->step);
    put_json(w, "params", row->params);
    asy_jsonw_str(w, "source", row->source);
    asy_jsonw_u64(w, "seed", row->seed);
    asy_jsonw_u64(w, "attempts", row->attempts);
    asy_jsonw_str(w, "host", row->host);
    asy_jsonw_i64(w, "created_us", row->created_us);
    asy_jsonw_i64(w, "started_us", row->started_us);
    asy_jsonw_i64(w, "ended_us", row->ended_us);
}

static int on_trial(void *arg, const struct asy_trial_row *row)
{
    struct asy_jsonw *w = arg;

    asy_jsonw_open(w, NULL, '{');
    trial_members(w, row);
    asy_jsonw_close(w, '}');
    return 0;
}

static int on_attempt(void *arg, const struct asy_attempt_row *row)
{
    struct asy_jsonw *w = arg;

    asy_jsonw_open(w, NULL, '{');
    asy_jsonw_u64(w, "attempt", row->attempt);
    put_id(w, "id", row->id);
    asy_jsonw_str(w, "end", row->end ? asy_end_name(row->end) : NULL);
    put_cause(w, row->cause, row->text);
    asy_jsonw_u64(w, "resumed_from", row->resumed_from);
    asy_jsonw_u64(w, "resumed_step", row->resumed_step);
    asy_jsonw_u64(w, "milestone", row->milestone);
    asy_jsonw_u64(w, "step", row->step);
    asy_jsonw_str(w, "host", row->host);
    asy_jsonw_str(w, "cores", row->cores);
    put_json(w, "hardware", row->hardware);
    put_json(w, "versions", row->versions);
    asy_jsonw_i64(w, "leased_us", row->leased_us);
    asy_jsonw_i64(w, "started_us", row->started_us);
    asy_jsonw_i64(w, "ended_us", row->ended_us);
    asy_jsonw_i64(w, "exit_code", row->exit_code);
    asy_jsonw_i64(w, "signal", row->signal);
    put_number(w, "cpu_s", row->cpu_s);
    asy_jsonw_u64(w, "max_rss", row->max_rss);
    asy_jsonw_close(w, '}');
    return 0;
}

static int on_metric(void *arg, const struct asy_metric_row *row)
{
    struct asy_jsonw *w = arg;

    asy_jsonw_open(w, NULL, '{');
    asy_jsonw_str(w, "name", row->name);
    asy_jsonw_u64(w, "step", row->step);
    asy_jsonw_f64(w, "value", row->value);
    asy_jsonw_u64(w, "attempt", row->attempt);
    asy_jsonw_i64(w, "wall_us", row->wall_us);
    asy_jsonw_bool(w, "superseded", row->superseded);
    asy_jsonw_close(w, '}');
    return 0;
}

static int on_artifact(void *arg, const struct asy_artifact_row *row)
{
    struct asy_jsonw *w = arg;
    char sha[ASY_SHA_TEXT];

    asy_jsonw_open(w, NULL, '{');
    asy_jsonw_str(w, "name", row->name);
    asy_jsonw_str(w, "path", row->path);
    asy_jsonw_str(w, "sha256", asy_sha_format(row->sha, sha));
    asy_jsonw_u64(w, "bytes", row->bytes);
    asy_jsonw_u64(w, "step", row->step);
    asy_jsonw_u64(w, "attempt", row->attempt);
    asy_jsonw_close(w, '}');
    return 0;
}

static int on_tag(void *arg, const struct asy_tag_row *row)
{
    asy_jsonw_str(arg, row->key, row->value);
    return 0;
}

static int on_dataset(void *arg, const struct asy_dataset_row *row)
{
    struct asy_jsonw *w = arg;

    asy_jsonw_open(w, NULL, '{');
    asy_jsonw_str(w, "name", row->name);
    asy_jsonw_str(w, "digest", row->digest);
    asy_jsonw_str(w, "source", row->source);
    put_json(w, "profile", row->profile);
    asy_jsonw_close(w, '}');
    return 0;
}

static int on_event(void *arg, const struct asy_event *event)
{
    asy_event_write_json(event, arg, NULL);
    return 0;
}

static int write_trials(struct asy_reader *reader, const struct asy__question *q, struct asy_id study,
                        struct asy_jsonw *w, struct asy_error *err)
{
    int rc;

    asy_jsonw_open(w, "trials", '[');
    rc = asy_reader_trials(reader, study, q->after, q->limit, !strcmp(q->arg, "best"), on_trial, w,
                           err);
    asy_jsonw_close(w, ']');
    return rc;
}

/* Data is the study's, the same for all of its trials. */
static int write_datasets(struct asy_reader *reader, struct asy_id study, struct asy_jsonw *w,
                          struct asy_error *err)
{
    int rc;

    asy_jsonw_open(w, "datasets", '[');
    rc = asy_reader_datasets(reader, study, TRIAL_NONE, on_dataset, w, err);
    asy_jsonw_close(w, ']');
    return rc;
}

/* What a trial runs: the study's command with this trial's parameters; null for a model. */
static void write_command(struct asy_jsonw *w, const char *spec_text, const char *params_text)
{
    struct asy_study_spec *spec = NULL;
    struct asy_json *params = NULL;
    char **argv = NULL;

    if (asy_study_parse(spec_text, strlen(spec_text), "the study", NULL, &spec, NULL, NULL) == 0 &&
        spec->kind == ASY_RUN_COMMAND &&
        asy_json_parse(params_text, strlen(params_text), &params, NULL) == 0 &&
        asy_study_argv(spec, params, &argv, NULL) == 0) {
        asy_jsonw_open(w, "command", '[');
        for (size_t i = 0; argv[i]; i++)
            asy_jsonw_str(w, NULL, argv[i]);
        asy_jsonw_close(w, ']');
        asy_study_argv_free(argv);
    } else {
        asy_jsonw_null(w, "command");
    }
    asy_json_destroy(params);
    asy_study_destroy(spec);
}

struct whole_trial {
    struct asy_jsonw *w;
    const char *spec;
};

static int on_whole_trial(void *arg, const struct asy_trial_row *row)
{
    struct whole_trial *whole = arg;

    trial_members(whole->w, row);
    write_command(whole->w, whole->spec, row->params);
    return 0;
}

static int write_trial(struct asy_reader *reader, struct asy_id study, uint64_t number,
                       const char *spec, struct asy_jsonw *w, struct asy_error *err)
{
    struct whole_trial whole = { w, spec };
    int rc = asy_reader_trial(reader, study, number, on_whole_trial, &whole, err);

    if (rc == 0)
        rc = write_datasets(reader, study, w, err);
    asy_jsonw_open(w, "attempt_list", '[');
    if (rc == 0)
        rc = asy_reader_attempts(reader, study, number, on_attempt, w, err);
    asy_jsonw_close(w, ']');
    asy_jsonw_open(w, "metrics", '[');
    if (rc == 0)
        rc = asy_reader_metrics(reader, study, number, 0, on_metric, w, err);
    asy_jsonw_close(w, ']');
    asy_jsonw_open(w, "artifacts", '[');
    if (rc == 0)
        rc = asy_reader_artifacts(reader, study, number, on_artifact, w, err);
    asy_jsonw_close(w, ']');
    asy_jsonw_open(w, "tags", '{');
    if (rc == 0)
        rc = asy_reader_tags(reader, study, number, on_tag, w, err);
    asy_jsonw_close(w, '}');
    return rc;
}

static int write_study(struct asy_reader *reader, const struct asy__question *q, struct asy_jsonw *w,
                       struct asy_id *ret_id, struct asy_error *err)
{
    struct found found = { .w = w };
    int rc = asy_reader_studies(reader, q->study, 1, on_whole_study, &found, err);

    *ret_id = found.id;
    return rc;
}

static int write_events(struct asy_reader *reader, const struct asy__question *q,
                        struct asy_id study, struct asy_jsonw *w, struct asy_error *err)
{
    int rc;

    asy_jsonw_open(w, "events", '[');
    rc = asy_reader_events(reader, study, q->trial < 0 ? TRIAL_NONE : (uint64_t)q->trial,
                           q->after < 0 ? 0 : (uint64_t)q->after, q->limit, on_event, w, err);
    asy_jsonw_close(w, ']');
    return rc;
}

struct spec_of {
    struct asy_id id;
    char *spec;
};

static int on_spec(void *arg, const struct asy_study_row *row)
{
    struct spec_of *of = arg;

    of->id = row->id;
    free(of->spec);
    return (of->spec = strdup(row->spec)) ? 0 : ASY_E_NOMEM;
}

static int answer_trial(struct asy_reader *reader, const struct asy__question *q,
                        struct asy_jsonw *w, struct asy_error *err)
{
    struct spec_of of = { .spec = NULL };
    int rc = asy_reader_studies(reader, q->study, 1, on_spec, &of, err);

    if (rc == 0)
        rc = write_trial(reader, of.id, (uint64_t)q->trial, of.spec ? of.spec : "", w, err);
    free(of.spec);
    return rc;
}

static int write_answer(struct asy_reader *reader, const struct asy__question *q,
                        struct asy_jsonw *w, struct asy_error *err)
{
    struct found found = { 0 };
    struct asy_id study;
    int rc;

    if (!strcmp(q->what, "studies")) {
        found.w = w;
        asy_jsonw_open(w, "studies", '[');
        rc = asy_reader_studies(reader, NULL, q->limit, on_study, &found, err);
        asy_jsonw_close(w, ']');
        return rc;
    }
    if (!strcmp(q->what, "study")) {
        if ((rc = write_study(reader, q, w, &study, err)) < 0)
            return rc;
        asy_jsonw_open(w, "tags", '{');
        rc = asy_reader_tags(reader, study, TRIAL_NONE, on_tag, w, err);
        asy_jsonw_close(w, '}');
        return rc < 0 ? rc : write_datasets(reader, study, w, err);
    }
    if (!strcmp(q->what, "trial") && q->trial >= 0)
        return answer_trial(reader, q, w, err);
    rc = asy_reader_studies(reader, q->study, 1, on_study, &found, err);
    if (rc < 0)
        return rc;
    if (!strcmp(q->what, "trials"))
        return write_trials(reader, q, found.id, w, err);
    if (!strcmp(q->what, "events"))
        return write_events(reader, q, found.id, w, err);
    return asy_fail(err, ASY_E_UNSUPPORTED, "no question is called '%s'", q->what);
}

int asy__query_text(struct asy_reader *reader, const struct asy__question *question,
                    struct asy_buf *json, struct asy_error *err)
{
    struct asy_jsonw w;
    int rc;

    asy_jsonw_init(&w, json, 0);
    asy_jsonw_open(&w, NULL, '{');
    rc = write_answer(reader, question, &w, err);
    asy_jsonw_close(&w, '}');
    return rc < 0 ? rc : asy_buf_check(json, "the answer", err);
}
