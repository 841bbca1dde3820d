/* SPDX-License-Identifier: Apache-2.0
 * query_explain.c - why, from the store: what core said of it if it still lives, else the cause and
 * numbers that its last event recorded, and around that what happened on the way.
 *
 * A trial: its states in order ("history": each with the numbers that decided), then its attempts,
 * each with how it ended, where, and what it had been given. A study: its end, and its trials
 * counted by state and cause, each count with what helps and one trial as an example. Where a cause
 * only says that it happened too often, what its last attempt ended with says what helps. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/parse.h>
#include "query_impl.h"

#define NAMES_MAX 16
#define ID_PREFIX_MIN 6u
#define FOUND 1 /* the newest is enough */
#define GROUPS_MAX 128 /* more than there are pairs of a state and a cause that go together */

struct attempt {
    struct asy_id worker;
    char *host;            /* of the worker, where the attempt never started to name its own */
    int started;
    uint64_t memory;       /* its limit, 0: none */
    uint64_t superseded;   /* reports that came after it no longer counted */
};
struct group {
    enum asy_trial_state state;
    enum asy_cause cause, last; /* last: of the last attempt, where that tells more */
    uint64_t n, example;
    char *text;
};
struct asy__explained {
    struct attempt *attempts; /* by number */
    size_t n_attempts;
    char *names[NAMES_MAX];   /* of metrics that were reported */
    size_t n_names;
    struct group groups[GROUPS_MAX];
    size_t n_groups;
    struct group page[ASY__PAGE]; /* trials of the piece in hand */
    size_t n_page;
    uint64_t parent;          /* of the trial, one more than its number; 0: none */
};

void asy__explain_fini(struct asy__asked *asked)
{
    struct asy__explained *e = asked->explained;

    if (!e)
        return;
    for (size_t i = 0; i < e->n_names; i++)
        free(e->names[i]);
    for (size_t i = 0; i < e->n_groups; i++)
        free(e->groups[i].text);
    for (size_t i = 0; i < e->n_page; i++)
        free(e->page[i].text);
    for (size_t i = 0; i < e->n_attempts; i++)
        free(e->attempts[i].host);
    free(e->attempts);
    free(e);
    asked->explained = NULL;
}

static int need(struct asy__asked *asked, struct asy_error *err)
{
    if (!asked->explained && !(asked->explained = calloc(1, sizeof *asked->explained)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for an explanation");
    return 0;
}

static void put_number(struct asy_jsonw *w, const char *key, double value)
{
    if (isnan(value))
        asy_jsonw_null(w, key);
    else
        asy_jsonw_f64(w, key, value);
}

/* What core said: the members of an object. 0: it said nothing. */
static int put_live(struct asy__asked *asked)
{
    const struct asy_json *value;
    struct asy_json *root = NULL;
    const char *key;

    if (!asked->q->live ||
        asy_json_parse(asked->q->live, strlen(asked->q->live), &root, NULL) < 0)
        return 0;
    for (size_t i = 0; (value = asy_json_member(root, i, &key)); i++)
        asy_jsonw_node(&asked->w, key, value);
    asy_json_destroy(root);
    return 1;
}

/* ---- a study --------------------------------------------------------------------------------- */

static void put_counts(struct asy_jsonw *w, const struct asy_study_row *row)
{
    asy_jsonw_open(w, "counts", '{');
    asy_jsonw_u64(w, "queued", row->queued);
    asy_jsonw_u64(w, "running", row->running);
    asy_jsonw_u64(w, "paused", row->paused);
    asy_jsonw_u64(w, "complete", row->complete);
    asy_jsonw_u64(w, "pruned", row->pruned);
    asy_jsonw_u64(w, "failed", row->failed);
    asy_jsonw_u64(w, "cancelled", row->cancelled);
    asy_jsonw_close(w, '}');
}

static int on_study(void *arg, const struct asy_study_row *row)
{
    struct asy__asked *asked = arg;
    struct asy_jsonw *w = &asked->w;

    asy_jsonw_str(w, "study", row->name);
    if (!put_live(asked)) {
        asy_jsonw_str(w, "state", asy_study_state_name(row->state));
        if (row->ended_us && row->best_trial < 0)
            asy_cause_write_fruitless(w, row->cause, row->text, row->name);
        else
            asy_cause_write_json(w, row->cause, row->text, row->name, -1);
    }
    asy_jsonw_i64(w, "created_us", row->created_us);
    asy_jsonw_i64(w, "ended_us", row->ended_us);
    asy_jsonw_u64(w, "trials", row->trials);
    put_counts(w, row);
    put_number(w, "best", row->best);
    asy_jsonw_i64(w, "best_trial", asy__ties_best(asked, row));
    return 0;
}

int asy__explain_study(struct asy__asked *asked, struct asy_reader *reader, struct asy_error *err)
{
    return asy_reader_studies(reader, asked->q->key, asked->q->study, 1, on_study, asked, err);
}

/* A cause that says nothing (a trial that runs or is complete) makes no group, nor does that of a
 * queued trial: it is why the trial had to go back once. Why it waits now the study says, and what
 * helped then would contradict it. */
static int on_trial(void *arg, const struct asy_trial_row *row)
{
    struct asy__asked *asked = arg;
    struct asy__explained *e = asked->explained;

    asked->rows++;
    asked->after = (int64_t)row->number;
    if (row->cause == ASY_CAUSE_NONE || row->state == ASY_TRIAL_QUEUED || e->n_page == ASY__PAGE)
        return 0;
    e->page[e->n_page] = (struct group){ .state = row->state, .cause = row->cause, .n = 1,
                                         .example = row->number, .text = strdup(row->text) };
    return e->page[e->n_page++].text ? 0 : ASY_E_NOMEM;
}

static int on_last(void *arg, const struct asy_attempt_row *row)
{
    struct group *g = arg;

    g->last = row->cause; /* they come in order */
    return 0;
}

/* Takes over g's text. */
static void count_in(struct asy__explained *e, struct group *g)
{
    size_t i;

    for (i = 0; i < e->n_groups; i++)
        if (e->groups[i].state == g->state && e->groups[i].cause == g->cause &&
            e->groups[i].last == g->last)
            break;
    if (i < e->n_groups) {
        e->groups[i].n++;
    } else if (i < GROUPS_MAX) {
        e->groups[e->n_groups++] = *g;
        g->text = NULL;
    }
    free(g->text);
    g->text = NULL;
}

static int count_page(struct asy__asked *asked, struct asy_reader *reader, struct asy_error *err)
{
    struct asy__explained *e = asked->explained;
    int rc = 0;

    for (size_t i = 0; i < e->n_page && rc == 0; i++) {
        if (e->page[i].cause == ASY_CAUSE_RETRIES)
            rc = asy_reader_attempts(reader, asked->study, e->page[i].example, on_last,
                                     &e->page[i], err);
        if (rc == 0)
            count_in(e, &e->page[i]);
    }
    if (rc == 0)
        e->n_page = 0;
    return rc;
}

static int by_count(const void *a, const void *b)
{
    const struct group *x = a, *y = b;

    if (x->n != y->n)
        return x->n < y->n ? 1 : -1;
    return (x->example > y->example) - (x->example < y->example);
}

static void put_group(struct asy_jsonw *w, const struct group *g, const char *study)
{
    if (g->last != ASY_CAUSE_NONE) {
        asy_jsonw_open(w, "last", '{');
        asy_cause_write_json(w, g->last, "", study, (int64_t)g->example);
        asy_jsonw_close(w, '}');
    }
    asy_cause_write_json(w, g->cause, g->text, study, (int64_t)g->example);
}

static void put_groups(struct asy__asked *asked)
{
    struct asy__explained *e = asked->explained;
    struct asy_jsonw *w = &asked->w;

    qsort(e->groups, e->n_groups, sizeof *e->groups, by_count);
    asy_jsonw_open(w, "causes", '[');
    for (size_t i = 0; i < e->n_groups; i++) {
        asy_jsonw_open(w, NULL, '{');
        asy_jsonw_str(w, "state", asy_trial_state_name(e->groups[i].state));
        asy_jsonw_u64(w, "trials", e->groups[i].n);
        asy_jsonw_u64(w, "example", e->groups[i].example);
        put_group(w, &e->groups[i], asked->name);
        asy_jsonw_close(w, '}');
    }
    asy_jsonw_close(w, ']');
}

int asy__explain_trials(struct asy__asked *asked, struct asy_reader *reader, struct asy_error *err)
{
    int rc;

    if (!asked->begun)
        asked->after = -1;
    asked->begun = 1;
    asked->rows = 0;
    if ((rc = need(asked, err)) < 0)
        return rc;
    rc = asy_reader_trials(reader, asked->study, asked->after, ASY__PAGE, 0, on_trial, asked, err);
    if (rc < 0)
        return rc == ASY_E_NOMEM ? asy_fail(err, rc, "no memory for an explanation") : rc;
    if ((rc = count_page(asked, reader, err)) < 0)
        return rc;
    if (asked->rows == ASY__PAGE)
        return 1;
    put_groups(asked);
    return 0;
}

/* ---- a trial --------------------------------------------------------------------------------- */

static void put_ended(struct asy__asked *asked, const struct asy_trial_row *row)
{
    char text[120], value[32];

    asy_jsonw_str(&asked->w, "state", asy_trial_state_name(row->state));
    if (row->state == ASY_TRIAL_COMPLETE && row->cause == ASY_CAUSE_NONE && !*row->text) {
        snprintf(text, sizeof text, "ran to its end at step %" PRIu64 " with %s", row->step,
                 asy_format_short(row->value, value));
        asy_cause_write_json(&asked->w, row->cause, text, asked->name, asked->q->trial);
    } else {
        asy_cause_write_json(&asked->w, row->cause, row->text, asked->name, asked->q->trial);
    }
}

static void put_params(struct asy_jsonw *w, const char *key, const char *text)
{
    struct asy_json *params = NULL;

    if (asy_json_parse(text, strlen(text), &params, NULL) == 0)
        asy_jsonw_node(w, key, params);
    asy_json_destroy(params);
}

/* Of a population: whose turn it is, and with what; who it goes on from is read next. */
static void put_lineage(struct asy__asked *asked, const struct asy_trial_row *row)
{
    if (row->member == 0)
        return;
    asy_jsonw_u64(&asked->w, "member", row->member);
    put_params(&asked->w, "params", row->params);
    if (row->parent)
        asy_jsonw_u64(&asked->w, "parent", row->parent - 1);
    asked->explained->parent = row->parent;
}

static int on_parent(void *arg, const struct asy_trial_row *row)
{
    struct asy__asked *asked = arg;

    asy_jsonw_u64(&asked->w, "parent_member", row->member);
    put_params(&asked->w, "parent_params", row->params);
    return 0;
}

static int on_whole_trial(void *arg, const struct asy_trial_row *row)
{
    struct asy__asked *asked = arg;

    asy_jsonw_str(&asked->w, "study", asked->name);
    asy_jsonw_u64(&asked->w, "trial", row->number);
    if (!put_live(asked))
        put_ended(asked, row);
    put_number(&asked->w, "value", row->value);
    asy_jsonw_u64(&asked->w, "step", row->step);
    asy_jsonw_i64(&asked->w, "created_us", row->created_us);
    asy_jsonw_i64(&asked->w, "ended_us", row->ended_us);
    put_lineage(asked, row);
    return 0;
}

/* Core may know a trial that is not on disk yet. */
int asy__explain_trial(struct asy__asked *asked, struct asy_reader *reader, struct asy_error *err)
{
    int rc = need(asked, err);

    if (rc == 0)
        rc = asy__asked_trial(asked, reader, on_whole_trial, err);
    if (rc == 0 && asked->explained->parent)
        rc = asy_reader_trials(reader, asked->study, (int64_t)asked->explained->parent - 2, 1, 0,
                               on_parent, asked, err);
    if (rc != ASY_E_NOENT || !asked->q->live)
        return rc;
    asy_jsonw_str(&asked->w, "study", asked->name);
    asy_jsonw_i64(&asked->w, "trial", asked->q->trial);
    put_live(asked);
    return 0;
}

static struct attempt *attempt_of(struct asy__explained *e, uint32_t number)
{
    size_t n = (size_t)number + 1;
    struct attempt *grown;

    if (n > e->n_attempts) {
        if (!(grown = realloc(e->attempts, n * sizeof *grown)))
            return NULL;
        memset(grown + e->n_attempts, 0, (n - e->n_attempts) * sizeof *grown);
        e->attempts = grown;
        e->n_attempts = n;
    }
    return &e->attempts[number];
}

static int add_name(struct asy__explained *e, const char *name)
{
    for (size_t i = 0; i < e->n_names; i++)
        if (!strcmp(e->names[i], name))
            return 0;
    if (e->n_names == NAMES_MAX)
        return 0;
    if (!(e->names[e->n_names] = strdup(name)))
        return ASY_E_NOMEM;
    e->n_names++;
    return 0;
}

static void put_state(struct asy_jsonw *w, const struct asy_event *ev)
{
    const struct asy_cause_info *info = asy_cause_info(ev->trial_state.cause);

    asy_jsonw_open(w, NULL, '{');
    asy_jsonw_i64(w, "wall_us", ev->wall_us);
    asy_jsonw_str(w, "state", asy_trial_state_name(ev->trial_state.state));
    asy_jsonw_u64(w, "attempt", ev->attempt);
    asy_jsonw_u64(w, "step", ev->trial_state.step);
    asy_jsonw_str(w, "cause", info ? info->name : "unknown");
    asy_jsonw_str(w, "text", ev->trial_state.text);
    asy_jsonw_close(w, '}');
}

static int on_event(void *arg, const struct asy_event *ev)
{
    struct asy__asked *asked = arg;
    struct asy__explained *e = asked->explained;
    struct attempt *attempt;

    asked->rows++;
    asked->after = (int64_t)ev->seq;
    switch (ev->kind) {
    case ASY_EV_TRIAL_STATE:
        put_state(&asked->w, ev);
        return 0;
    case ASY_EV_LEASED:
    case ASY_EV_STARTED:
    case ASY_EV_SUPERSEDED:
        if (!(attempt = attempt_of(e, ev->attempt)))
            return ASY_E_NOMEM;
        attempt->superseded += ev->kind == ASY_EV_SUPERSEDED;
        attempt->started |= ev->kind == ASY_EV_STARTED;
        if (ev->kind == ASY_EV_LEASED && ev->leased.n_placements) {
            attempt->worker = ev->leased.placements[0].worker;
            attempt->memory = ev->leased.placements[0].memory;
        }
        return 0;
    case ASY_EV_REPORT:
        for (size_t i = 0; i < ev->report.n_metrics; i++)
            if (add_name(e, ev->report.metrics[i].name))
                return ASY_E_NOMEM;
        return 0;
    default:
        return 0;
    }
}

int asy__explain_history(struct asy__asked *asked, struct asy_reader *reader,
                         struct asy_error *err)
{
    int rc;

    if ((rc = need(asked, err)) < 0)
        return rc;
    if (!asked->begun) {
        asked->after = 0;
        asy_jsonw_open(&asked->w, "history", '[');
    }
    asked->begun = 1;
    asked->rows = 0;
    rc = asy_reader_events(reader, asked->study, (uint64_t)asked->q->trial, (uint64_t)asked->after,
                           asked->q->upto, ASY__PAGE, on_event, asked, err);
    if (rc < 0)
        return rc == ASY_E_NOMEM ? asy_fail(err, rc, "no memory for an explanation") : rc;
    if (asked->rows == ASY__PAGE)
        return 1;
    asy_jsonw_close(&asked->w, ']');
    asy_jsonw_open(&asked->w, "reported", '[');
    for (size_t i = 0; i < asked->explained->n_names; i++)
        asy_jsonw_str(&asked->w, NULL, asked->explained->names[i]);
    asy_jsonw_close(&asked->w, ']');
    return 0;
}

static int on_host(void *arg, const struct asy_worker_row *row)
{
    struct asy__explained *e = arg;

    for (size_t i = 0; i < e->n_attempts; i++) {
        struct attempt *a = &e->attempts[i];

        if (!a->started && !a->host && asy_id_cmp(a->worker, row->id) == 0 &&
            !(a->host = strdup(row->host)))
            return ASY_E_NOMEM;
    }
    return 0;
}

/* Only one that has started says where; of the others their lease knows the worker. */
static int find_hosts(struct asy__explained *e, struct asy_reader *reader, struct asy_error *err)
{
    int rc = 0;

    for (size_t i = 1; i < e->n_attempts; i++)
        if (!e->attempts[i].started) {
            rc = asy_reader_workers(reader, -1, on_host, e, err);
            break;
        }
    return rc == ASY_E_NOMEM ? asy_fail(err, ASY_E_NOMEM, "no memory for an explanation") : rc;
}

static int on_attempt(void *arg, const struct asy_attempt_row *row)
{
    struct asy__asked *asked = arg;
    const struct asy__explained *e = asked->explained;
    const struct attempt *known = row->attempt < e->n_attempts ? &e->attempts[row->attempt] : NULL;
    struct asy_jsonw *w = &asked->w;

    asy_jsonw_open(w, NULL, '{');
    asy_jsonw_u64(w, "attempt", row->attempt);
    asy_jsonw_str(w, "end", row->end ? asy_end_name(row->end) : NULL);
    asy_cause_write_json(w, row->cause, row->text, asked->name, asked->q->trial);
    asy_jsonw_str(w, "host", known && known->host ? known->host : row->host);
    asy_jsonw_str(w, "cores", row->cores);
    asy_jsonw_i64(w, "leased_us", row->leased_us);
    asy_jsonw_i64(w, "started_us", row->started_us);
    asy_jsonw_i64(w, "ended_us", row->ended_us);
    asy_jsonw_u64(w, "resumed_from", row->resumed_from);
    asy_jsonw_u64(w, "resumed_step", row->resumed_step);
    asy_jsonw_u64(w, "milestone", row->milestone);
    asy_jsonw_u64(w, "step", row->step);
    asy_jsonw_i64(w, "exit_code", row->exit_code);
    asy_jsonw_i64(w, "signal", row->signal);
    asy_jsonw_u64(w, "max_rss", row->max_rss);
    asy_jsonw_u64(w, "memory", known ? known->memory : 0);
    asy_jsonw_u64(w, "superseded_reports", known ? known->superseded : 0);
    asy_jsonw_close(w, '}');
    return 0;
}

int asy__explain_attempts(struct asy__asked *asked, struct asy_reader *reader,
                          struct asy_error *err)
{
    int rc;

    if ((rc = find_hosts(asked->explained, reader, err)) < 0)
        return rc;
    asy_jsonw_open(&asked->w, "attempts", '[');
    rc = asy_reader_attempts(reader, asked->study, (uint64_t)asked->q->trial, on_attempt, asked,
                             err);
    asy_jsonw_close(&asked->w, ']');
    return rc;
}

/* ---- a worker that is gone ------------------------------------------------------------------- */

static int on_worker(void *arg, const struct asy_worker_row *row)
{
    struct asy__asked *asked = arg;
    const char *word = asked->q->arg;
    struct asy_jsonw *w = &asked->w;
    size_t len = strlen(word);
    char id[ASY_ID_TEXT];

    asy_id_format(row->id, id);
    if (strcmp(row->host, word) != 0 && (len < ID_PREFIX_MIN || strncmp(id, word, len) != 0))
        return 0;
    asked->rows = 1;
    asy_jsonw_str(w, "id", id);
    asy_jsonw_str(w, "host", row->host);
    asy_jsonw_str(w, "version", row->version);
    asy_jsonw_str(w, "state", row->gone_us ? "gone" : "away");
    asy_jsonw_str(w, "fit", row->fit);
    asy_jsonw_u64(w, "cores", row->cores);
    asy_jsonw_u64(w, "memory", row->memory);
    asy_jsonw_i64(w, "joined_us", row->joined_us);
    asy_jsonw_i64(w, "gone_us", row->gone_us);
    asy_cause_write_json(w, row->cause, row->text, NULL, -1);
    return FOUND;
}

int asy__explain_worker(struct asy__asked *asked, struct asy_reader *reader, struct asy_error *err)
{
    int rc;

    asked->rows = 0;
    rc = asy_reader_workers(reader, -1, on_worker, asked, err);
    if (rc < 0 || asked->rows)
        return rc < 0 ? rc : 0;
    return asy_fail(err, ASY_E_NOENT, "no worker '%.64s' is known; 'assay workers' lists them",
                    asked->q->arg);
}
