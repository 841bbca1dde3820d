/* SPDX-License-Identifier: Apache-2.0
 * query_text.c - the store's rows as JSON: what `assay ... --json` prints and every other output of
 * the command line is made from. Fields are only ever added.
 *
 * An answer is a list of parts, a part is made in one or more pieces, and no piece reads more than
 * PAGE rows or WINDOW events: between two of them the store can be written, and other questions get
 * their turn. What has no paging is short: the list of studies, what belongs to one trial but its
 * metrics (query_metrics.c).
 * For the best trials the values of all are read first, in pages as well. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <asy/study.h>
#include "query_impl.h"
#include <inttypes.h>

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
    if (!with_spec)
        return;
    put_json(w, "spec", row->spec);
    asy__auto_reason_write(w, row->spec);
}

static int on_study(void *arg, const struct asy_study_row *row)
{
    struct asy__asked *asked = arg;
    struct asy_study_row told = *row;

    told.best_trial = asy__ties_best(asked, row);
    asy_jsonw_open(&asked->w, NULL, '{');
    study_members(&asked->w, &told, 0);
    asy_jsonw_close(&asked->w, '}');
    return 0;
}

static int on_whole_study(void *arg, const struct asy_study_row *row)
{
    struct asy__asked *asked = arg;
    struct asy_study_row told = *row;

    asy__front_best(asked, &told);
    study_members(&asked->w, &told, 1);
    return 0;
}

static void trial_members(struct asy_jsonw *w, const struct asy_trial_row *row)
{
    put_id(w, "id", row->id);
    asy_jsonw_u64(w, "number", row->number);
    asy_jsonw_str(w, "state", asy_trial_state_name(row->state));
    put_cause(w, row->cause, row->text);
    put_number(w, "value", row->value);
    put_json(w, "outcome", row->outcome);
    asy_jsonw_u64(w, "step", row->step);
    put_json(w, "params", row->params);
    asy_jsonw_str(w, "source", row->source);
    if (row->member)
        asy_jsonw_u64(w, "member", row->member);
    if (row->parent)
        asy_jsonw_u64(w, "parent", row->parent - 1);
    asy_jsonw_u64(w, "seed", row->seed);
    asy_jsonw_u64(w, "attempts", row->attempts);
    asy_jsonw_str(w, "host", row->host);
    asy_jsonw_i64(w, "created_us", row->created_us);
    asy_jsonw_i64(w, "started_us", row->started_us);
    asy_jsonw_i64(w, "ended_us", row->ended_us);
}

int asy__put_trial(void *arg, const struct asy_trial_row *row)
{
    struct asy__asked *asked = arg;
    struct asy_jsonw *w = &asked->w;

    asked->rows++;
    asked->after = (int64_t)row->number;
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
    struct asy__asked *asked = arg;

    asked->rows++;
    asked->after = (int64_t)event->seq;
    if (asy__asked_may_see(asked, event->study))
        asy_event_write_json(event, &asked->w, NULL);
    return 0;
}

/* ---- which study ----------------------------------------------------------------------------- */

static int on_found(void *arg, const struct asy_study_row *row)
{
    struct asy__asked *asked = arg;

    asked->study = row->id;
    asked->maximize = row->maximize;
    free(asked->name);
    free(asked->spec);
    asked->name = strdup(row->name);
    asked->spec = strdup(row->spec);
    return asked->name && asked->spec ? 0 : ASY_E_NOMEM;
}

int asy__asked_find(struct asy__asked *asked, struct asy_reader *reader, struct asy_error *err)
{
    int rc = asy_reader_studies(reader, asked->q->key, asked->q->study, 1, on_found, asked, err);

    return rc == ASY_E_NOMEM ? asy_fail(err, ASY_E_NOMEM, "no memory for a study") : rc;
}

static int on_visible(void *arg, const struct asy_study_row *row)
{
    struct asy__asked *asked = arg;
    struct asy_id *grown;

    if (!(grown = realloc(asked->visible, (asked->n_visible + 1) * sizeof *grown)))
        return ASY_E_NOMEM;
    asked->visible = grown;
    asked->visible[asked->n_visible++] = row->id;
    return 0;
}

/* All studies: of a user who may not see everything, those that are his. */
static int find_visible(struct asy__asked *asked, struct asy_reader *reader, struct asy_error *err)
{
    int rc = 0;

    if (asked->q->key)
        rc = asy_reader_studies(reader, asked->q->key, NULL, -1, on_visible, asked, err);
    return rc == ASY_E_NOMEM ? asy_fail(err, ASY_E_NOMEM, "no memory for a list of studies") : rc;
}

int asy__asked_may_see(const struct asy__asked *asked, struct asy_id study)
{
    if (!asked->q->key || !asy_id_is_none(asked->study))
        return 1; /* the one study was checked when it was asked for */
    for (size_t i = 0; i < asked->n_visible; i++)
        if (asy_id_cmp(asked->visible[i], study) == 0)
            return 1;
    return 0;
}

/* ---- lists in pages -------------------------------------------------------------------------- */

void asy__list_begin(struct asy__asked *asked, const char *key)
{
    if (asked->begun)
        return;
    asked->begun = 1;
    asked->after = asked->q->after;
    asked->left = asked->q->limit;
    asy_jsonw_open(&asked->w, key, '[');
}

/* How many rows the next piece may bring. */
static int64_t page(const struct asy__asked *asked)
{
    return asked->left >= 0 && asked->left < ASY__PAGE ? asked->left : ASY__PAGE;
}

/* 1: there may be more rows. */
static int end_page(struct asy__asked *asked, int64_t asked_for)
{
    asked->left -= asked->left > 0 ? asked->rows : 0;
    if (asked->rows == asked_for && asked->left != 0)
        return 1;
    asy_jsonw_close(&asked->w, ']');
    return 0;
}

static int trials(struct asy__asked *asked, struct asy_reader *reader, struct asy_error *err)
{
    int64_t n;
    int rc;

    if (!strcmp(asked->q->arg, "best"))
        return asy__best_write(asked, reader, err);
    asy__list_begin(asked, "trials");
    n = page(asked);
    asked->rows = 0;
    rc = asy_reader_trials(reader, asked->study, asked->after, n, 0, asy__put_trial, asked, err);
    return rc < 0 ? rc : end_page(asked, n);
}

static int events_of_trial(struct asy__asked *asked, struct asy_reader *reader,
                           struct asy_error *err)
{
    int64_t n = page(asked);
    int rc;

    asked->rows = 0;
    rc = asy_reader_events(reader, asked->study, (uint64_t)asked->q->trial, (uint64_t)asked->after,
                           asked->q->upto, n, on_event, asked, err);
    return rc < 0 ? rc : end_page(asked, n);
}

/* A piece is a stretch of the order of all events, however few of them are the study's. */
static int events_in_window(struct asy__asked *asked, struct asy_reader *reader,
                            struct asy_error *err)
{
    uint64_t after = (uint64_t)asked->after, upto = asked->q->upto;
    uint64_t to = after < upto && upto - after > ASY__WINDOW ? after + ASY__WINDOW : upto;
    int rc;

    asked->rows = 0;
    rc = asy_reader_events(reader, asked->study, ASY__TRIAL_NONE, after, to, asked->left, on_event,
                           asked, err);
    if (rc < 0)
        return rc;
    asked->after = (int64_t)to;
    asked->left -= asked->left > 0 ? asked->rows : 0;
    if (to < upto && asked->left != 0)
        return 1;
    asy_jsonw_close(&asked->w, ']');
    return 0;
}

static int events(struct asy__asked *asked, struct asy_reader *reader, struct asy_error *err)
{
    asy__list_begin(asked, "events");
    if (asked->after < 0)
        asked->after = 0;
    return asked->q->trial >= 0 ? events_of_trial(asked, reader, err)
                                : events_in_window(asked, reader, err);
}

/* What the answer holds ends here: a watcher goes on behind it. */
static int upto(struct asy__asked *asked, struct asy_reader *reader, struct asy_error *err)
{
    (void)reader, (void)err;
    asy_jsonw_u64(&asked->w, "upto", asked->q->upto);
    return 0;
}

static int studies(struct asy__asked *asked, struct asy_reader *reader, struct asy_error *err)
{
    int rc;

    asy_jsonw_open(&asked->w, "studies", '[');
    rc = asy_reader_studies(reader, asked->q->key, NULL, asked->q->limit, on_study, asked, err);
    asy_jsonw_close(&asked->w, ']');
    return rc;
}

/* ---- one study, one trial -------------------------------------------------------------------- */

static int study(struct asy__asked *asked, struct asy_reader *reader, struct asy_error *err)
{
    int rc = asy_reader_studies(reader, asked->q->key, asked->q->study, 1, on_whole_study,
                                asked, err);

    asy_jsonw_open(&asked->w, "tags", '{');
    if (rc == 0)
        rc = asy_reader_tags(reader, asked->study, ASY__TRIAL_NONE, on_tag, &asked->w, err);
    asy_jsonw_close(&asked->w, '}');
    return rc;
}

/* Data is the study's, the same for all of its trials. */
static int datasets(struct asy__asked *asked, struct asy_reader *reader, struct asy_error *err)
{
    int rc;

    asy_jsonw_open(&asked->w, "datasets", '[');
    rc = asy_reader_datasets(reader, asked->study, ASY__TRIAL_NONE, on_dataset, &asked->w, err);
    asy_jsonw_close(&asked->w, ']');
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
        asy_study_argv(spec, params, NULL, NULL, &argv, NULL) == 0) {
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

void asy__put_objectives(struct asy_jsonw *w, const struct asy_json *spec)
{
    const struct asy_json *list = asy_json_get(spec, "objective"), *one;

    asy_jsonw_open(w, "objectives", '[');
    for (size_t j = 0;; j++) {
        one = asy_json_type(list) == ASY_JSON_ARRAY ? asy_json_at(list, j) : j == 0 ? list : NULL;
        if (!one)
            break;
        asy_jsonw_open(w, NULL, '{');
        asy_jsonw_str(w, "metric", asy_json_str(asy_json_get(one, "metric"), NULL));
        asy_jsonw_str(w, "goal", asy_json_str(asy_json_get(one, "goal"), NULL));
        asy_jsonw_close(w, '}');
    }
    asy_jsonw_close(w, ']');
}

/* How its study measures it: the first objective's metric, the unit of steps. */
static void write_measure(struct asy_jsonw *w, const char *study_name, const char *spec_text)
{
    struct asy_json *spec = NULL;
    const struct asy_json *objective, *length;

    if (asy_json_parse(spec_text, strlen(spec_text), &spec, NULL) < 0)
        return;
    objective = asy_json_get(spec, "objective");
    if (asy_json_type(objective) == ASY_JSON_ARRAY)
        objective = asy_json_at(objective, 0);
    length = asy_json_get(asy_json_get(spec, "run"), "length");
    asy_jsonw_str(w, "study", study_name);
    asy_jsonw_str(w, "metric", asy_json_str(asy_json_get(objective, "metric"), NULL));
    asy_jsonw_str(w, "goal", asy_json_str(asy_json_get(objective, "goal"), NULL));
    asy_jsonw_str(w, "unit", asy_json_str(asy_json_get(length, "unit"), NULL));
    asy__put_objectives(w, spec);
    asy_json_destroy(spec);
}

static int on_whole_trial(void *arg, const struct asy_trial_row *row)
{
    struct asy__asked *asked = arg;

    trial_members(&asked->w, row);
    write_measure(&asked->w, asked->name, asked->spec);
    write_command(&asked->w, asked->spec, row->params);
    return 0;
}

int asy__asked_trial(struct asy__asked *asked, struct asy_reader *reader, asy_trial_row_f each,
                     struct asy_error *err)
{
    int rc = asy_reader_trial(reader, asked->study, (uint64_t)asked->q->trial, each, asked, err);

    if (rc == ASY_E_NOENT)
        return asy_fail(err, rc, "study '%.64s' has no trial %" PRId64, asked->name,
                        asked->q->trial);
    return rc;
}

static int trial(struct asy__asked *asked, struct asy_reader *reader, struct asy_error *err)
{
    return asy__asked_trial(asked, reader, on_whole_trial, err);
}

static int attempts(struct asy__asked *asked, struct asy_reader *reader, struct asy_error *err)
{
    int rc;

    asy_jsonw_open(&asked->w, "attempt_list", '[');
    rc = asy_reader_attempts(reader, asked->study, (uint64_t)asked->q->trial, on_attempt, &asked->w,
                             err);
    asy_jsonw_close(&asked->w, ']');
    return rc;
}

static int artifacts(struct asy__asked *asked, struct asy_reader *reader, struct asy_error *err)
{
    uint64_t number = (uint64_t)asked->q->trial;
    int rc;

    asy_jsonw_open(&asked->w, "artifacts", '[');
    rc = asy_reader_artifacts(reader, asked->study, number, on_artifact, &asked->w, err);
    asy_jsonw_close(&asked->w, ']');
    asy_jsonw_open(&asked->w, "tags", '{');
    if (rc == 0)
        rc = asy_reader_tags(reader, asked->study, number, on_tag, &asked->w, err);
    asy_jsonw_close(&asked->w, '}');
    return rc;
}

/* ---- questions ------------------------------------------------------------------------------- */

static const struct {
    const char *what;
    enum { ANY, OF_STUDY, OF_TRIAL } about;
    asy__part_f parts[8]; /* up to the first NULL */
} questions[] = {
    { "studies", ANY, { asy__ties_find, asy__ties_read, studies } },
    { "study", ANY, { asy__asked_find, asy__front_read, study, datasets, asy__front_points } },
    { "front", ANY, { asy__asked_find, asy__front_read, asy__front_trials } },
    { "history", ANY, { asy__asked_find, asy__front_read, asy__history_write } },
    { "curves", ANY, { asy__asked_find, asy__curves_write } },
    { "importance", ANY, { asy__asked_find, asy__importance_read, asy__importance_work } },
    { "replay", ANY, { asy__asked_find, asy__again_work } },
    { "trials", ANY, { asy__asked_find, asy__best_read, trials } },
    { "events", ANY, { asy__asked_find, events, upto } },
    { "news", ANY, { find_visible, events, upto } },
    { "trial", OF_TRIAL,
      { asy__asked_find, trial, datasets, attempts, asy__metrics_write, artifacts } },
    { "explain-worker", ANY, { asy__explain_worker } },
    { "explain", OF_STUDY,
      { asy__asked_find, asy__ties_find, asy__ties_read, asy__explain_study,
        asy__explain_trials } },
    { "explain", OF_TRIAL,
      { asy__asked_find, asy__explain_trial, asy__explain_history, asy__explain_attempts } },
};

static const asy__part_f *parts_of(const struct asy__question *q)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(questions); i++)
        if (!strcmp(questions[i].what, q->what) &&
            (questions[i].about == ANY || (questions[i].about == OF_TRIAL) == (q->trial >= 0)))
            return questions[i].parts;
    return NULL;
}

int asy__asked_piece(struct asy__asked *asked, struct asy_reader *reader, struct asy_error *err)
{
    int rc;

    if (!asked->parts) {
        if (!(asked->parts = parts_of(asked->q)))
            return asy_fail(err, ASY_E_UNSUPPORTED, "no question is called '%s'", asked->q->what);
        asy_jsonw_open(&asked->w, NULL, '{');
    }
    if ((rc = asked->parts[0](asked, reader, err)) < 0)
        return rc;
    if (rc == 0) {
        asked->parts++;
        asked->begun = 0;
    }
    rc = *asked->parts != NULL;
    if (!rc)
        asy_jsonw_close(&asked->w, '}');
    if (asy_buf_check(asked->w.buf, "the answer", err) < 0)
        return err ? (int)err->code : ASY_E_NOMEM;
    return rc;
}

void asy__asked_init(struct asy__asked *asked, const struct asy__question *question,
                     struct asy_buf *json)
{
    *asked = (struct asy__asked){ .q = question, .study = ASY_ID_NONE };
    asy_jsonw_init(&asked->w, json, 0);
}

void asy__asked_fini(struct asy__asked *asked)
{
    asy__explain_fini(asked);
    asy__front_free(asked);
    asy__ties_free(asked);
    asy__importance_free(asked);
    asy__past_free(asked);
    asy__metrics_free(asked);
    asy__again_free(asked);
    free(asked->name);
    free(asked->spec);
    free(asked->visible);
    asy__best_free(asked);
}
