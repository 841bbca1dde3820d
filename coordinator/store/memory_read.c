/* SPDX-License-Identifier: Apache-2.0
 * memory_read.c - rows out of the events in memory. Each query walks through all of them; lists are
 * gathered, then sorted, then given out. */
#include "memory_impl.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct asy__memory *memory_of(struct asy_reader *reader)
{
    return ((struct asy__memory_reader *)reader)->memory;
}

static int no_memory(struct asy_error *err)
{
    return asy_fail(err, ASY_E_NOMEM, "no memory for a query");
}

/* An array of rows of one size. */
struct list {
    void *rows;
    size_t n, cap, size;
};

static void *add_row(struct list *list)
{
    if (list->n == list->cap) {
        size_t cap = list->cap ? 2 * list->cap : 32;
        void *grown = reallocarray(list->rows, cap, list->size);

        if (!grown)
            return NULL;
        list->rows = grown;
        list->cap = cap;
    }
    return (char *)list->rows + list->n++ * list->size;
}

static void drop_row(struct list *list, size_t i)
{
    char *at = (char *)list->rows + i * list->size;

    memmove(at, at + list->size, (list->n - i - 1) * list->size);
    list->n--;
}

/* Sorting an empty list would hand qsort() a null pointer. */
static void sort(struct list *list, int (*cmp)(const void *a, const void *b))
{
    if (list->n > 1)
        qsort(list->rows, list->n, list->size, cmp);
}

static int is_of(const struct asy_event *ev, struct asy_id study, uint64_t trial)
{
    return ev->trial == trial && asy_id_cmp(ev->study, study) == 0 &&
           asy__needs_study(ev->kind);
}

/* ---- studies and trials ---------------------------------------------------------------------- */

struct built {
    struct asy__study row;
    struct asy__trial *trials;          /* [known->trials] */
    const struct asy_event **created;   /* [known->trials] */
    const char *spec;
    uint64_t last_seq;
};

static void fini(struct built *b)
{
    free(b->trials);
    free(b->created);
}

/* 0 with *ret zeroed by fini() in the end. */
static int build(const struct asy__memory *m, const struct asy__memory_study *known,
                 struct built *ret, struct asy_error *err)
{
    *ret = (struct built){ .spec = "" };
    if (!(ret->trials = calloc(known->trials + 1, sizeof *ret->trials)) ||
        !(ret->created = calloc(known->trials + 1, sizeof *ret->created))) {
        fini(ret);
        return no_memory(err);
    }
    for (size_t i = known->created; i < m->n_events; i++) {
        const struct asy_event *ev = &m->events[i];

        if (asy_id_cmp(ev->study, known->id) != 0)
            continue;
        ret->last_seq = ev->seq;
        if (ev->kind == ASY_EV_STUDY_CREATED) {
            asy__study_init(&ret->row, ev);
            ret->spec = asy__text(ev->study_created.spec);
        } else if (ev->kind == ASY_EV_STUDY_CHANGED) {
            ret->spec = asy__text(ev->study_changed.spec);
        } else if (ev->kind == ASY_EV_TRIAL_CREATED) {
            asy__trial_init(&ret->trials[ev->trial], ev);
            ret->created[ev->trial] = ev;
            ret->row.trials++;
            ret->row.counts[ASY_TRIAL_QUEUED]++;
        } else if (asy__needs_trial(ev->kind)) {
            ASY_IGNORE(asy__trial_apply(&ret->trials[ev->trial], &ret->row, ev) != 0);
        } else {
            ASY_IGNORE(asy__study_apply(&ret->row, ev) != 0);
        }
    }
    return 0;
}

static int give_study(const struct asy__memory *m, const struct asy__memory_study *known,
                      asy_study_row_f each, void *arg, struct asy_error *err)
{
    const struct asy_event *ev = &m->events[known->created];
    struct built b;
    const uint64_t *counts = b.row.counts;
    struct asy_study_row row;
    int rc = build(m, known, &b, err);

    if (rc)
        return rc;
    row = (struct asy_study_row){
        .id = known->id, .name = asy__text(ev->study_created.name),
        .project = asy__text(ev->study_created.project),
        .owner = asy__text(ev->study_created.owner), .spec = b.spec,
        .command_line = asy__text(ev->study_created.command_line), .state = b.row.state,
        .cause = b.row.cause, .text = b.row.text, .created_us = b.row.created_us,
        .ended_us = b.row.ended_us, .trials = b.row.trials,
        .complete = counts[ASY_TRIAL_COMPLETE], .pruned = counts[ASY_TRIAL_PRUNED],
        .failed = counts[ASY_TRIAL_FAILED], .cancelled = counts[ASY_TRIAL_CANCELLED],
        .running = counts[ASY_TRIAL_LEASED] + counts[ASY_TRIAL_RUNNING],
        .paused = counts[ASY_TRIAL_PAUSED], .queued = counts[ASY_TRIAL_QUEUED],
        .best = b.row.best, .best_trial = b.row.best_trial, .maximize = b.row.maximize,
        .last_seq = b.last_seq,
    };
    rc = each(arg, &row);
    fini(&b);
    return rc;
}

static int studies(struct asy_reader *reader, const struct asy__pick *pick, int64_t limit,
                   asy_study_row_f each, void *arg, struct asy_error *err)
{
    const struct asy__memory *m = memory_of(reader);
    int rc = 0;

    for (size_t i = m->n_studies; i-- > 0 && limit != 0 && rc == 0;) {
        const struct asy__memory_study *s = &m->studies[i];
        const char *name = asy__text(m->events[s->created].study_created.name);

        if (pick->by_id ? asy_id_cmp(s->id, pick->lo) < 0 || asy_id_cmp(s->id, pick->hi) > 0
                        : pick->name && strcmp(name, pick->name) != 0)
            continue;
        limit -= limit > 0;
        rc = give_study(m, s, each, arg, err);
    }
    return rc;
}

struct rank {
    double key;
    uint64_t number;
};

static int by_rank(const void *a, const void *b)
{
    const struct rank *x = a, *y = b;

    if (isnan(x->key) != isnan(y->key))
        return isnan(x->key) ? 1 : -1;
    if (!isnan(x->key) && x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

static int give_trial(const struct built *b, struct asy_id study, uint64_t number,
                      asy_trial_row_f each, void *arg)
{
    const struct asy__trial *t = &b->trials[number];
    const struct asy_event *ev = b->created[number];
    struct asy_trial_row row = {
        .id = ev->trial_created.id, .study = study, .number = number, .state = t->state,
        .cause = t->cause, .text = t->text, .params = asy__text(ev->trial_created.params),
        .source = asy__text(ev->trial_created.source), .value = t->value, .step = t->step,
        .seed = ev->trial_created.seed, .attempts = t->attempts, .created_us = t->created_us,
        .started_us = t->started_us, .ended_us = t->ended_us, .host = t->host,
        .outcome = t->outcome, .parent = ev->trial_created.parent,
        .member = ev->trial_created.member,
    };

    return each(arg, &row);
}

static int trials(struct asy_reader *reader, struct asy_id study, uint64_t number, int64_t after,
                  int64_t limit, int order_by_value, asy_trial_row_f each, void *arg,
                  struct asy_error *err)
{
    const struct asy__memory *m = memory_of(reader);
    const struct asy__memory_study *known = asy__memory_find(m, study);
    struct list ranks = { .size = sizeof(struct rank) };
    struct built b;
    int rc;

    if (!known)
        return 0;
    if ((rc = build(m, known, &b, err)))
        return rc;
    for (uint64_t i = 0; i < known->trials; i++) {
        struct rank *rank;

        if (number != ASY__NO_TRIAL && i != number)
            continue;
        if (!(rank = add_row(&ranks))) {
            rc = no_memory(err);
            goto out;
        }
        *rank = (struct rank){ b.row.maximize ? -b.trials[i].value : b.trials[i].value, i };
    }
    if (order_by_value)
        sort(&ranks, by_rank);
    for (size_t i = (size_t)(after + 1); i < ranks.n && limit != 0 && rc == 0; i++) {
        limit -= limit > 0;
        rc = give_trial(&b, study, ((struct rank *)ranks.rows)[i].number, each, arg);
    }
out:
    free(ranks.rows);
    fini(&b);
    return rc;
}

/* ---- attempts -------------------------------------------------------------------------------- */

static int attempt_leased(struct list *list, struct list *cores, const struct asy_event *ev)
{
    struct asy_attempt_row *row = add_row(list);
    char **text = add_row(cores);
    struct asy_buf buf;

    if (!row || !text)
        return ASY_E_NOMEM;
    asy_buf_init(&buf, ASY__BODY_BUDGET);
    asy__write_cores(ev->leased.placements, ev->leased.n_placements, &buf);
    if (!(*text = asy_buf_take(&buf, NULL))) {
        asy_buf_fini(&buf);
        return ASY_E_NOMEM;
    }
    *row = (struct asy_attempt_row){
        .id = ev->leased.id, .attempt = ev->attempt, .resumed_from = ev->leased.from.attempt,
        .resumed_step = ev->leased.from.step, .epoch = ev->leased.epoch,
        .milestone = ev->leased.milestone, .step = ev->leased.from.step, .text = "", .host = "",
        .hardware = "", .versions = "", .cores = *text, .leased_us = ev->wall_us,
    };
    return 0;
}

static void attempt_ended(struct asy_attempt_row *row, const struct asy_event *ev, uint64_t step)
{
    row->ended_us = ev->wall_us;
    row->end = ev->ended.end;
    row->cause = ev->ended.cause;
    row->text = asy__text(ev->ended.text);
    row->exit_code = ev->ended.exit_code;
    row->signal = ev->ended.signal;
    row->step = ev->ended.step ? ev->ended.step : step;
    row->cpu_s = ev->ended.cpu_s >= 0 ? ev->ended.cpu_s : 0;
    row->max_rss = ev->ended.max_rss;
}

static struct asy_attempt_row *row_of(const struct list *list, uint32_t attempt)
{
    struct asy_attempt_row *rows = list->rows;

    for (size_t i = list->n; i-- > 0;)
        if (rows[i].attempt == attempt)
            return &rows[i];
    return NULL;
}

/* Steps of the trial, as asy__trial_apply() has them. */
static uint64_t step_after(uint64_t step, const struct asy_event *ev)
{
    if (ev->kind == ASY_EV_REPORT)
        return ev->report.step;
    if (ev->kind == ASY_EV_LEASED)
        return ev->leased.from.attempt ? ev->leased.from.step : 0;
    if (ev->kind == ASY_EV_TRIAL_STATE && ev->trial_state.step > 0)
        return ev->trial_state.step;
    return step;
}

static int gather_attempts(const struct asy__memory *m, struct asy_id study, uint64_t number,
                           struct list *list, struct list *cores)
{
    uint64_t step = 0;

    for (size_t i = 0; i < m->n_events; i++) {
        const struct asy_event *ev = &m->events[i];
        struct asy_attempt_row *row;

        if (!is_of(ev, study, number))
            continue;
        row = row_of(list, ev->attempt);
        if (ev->kind == ASY_EV_LEASED) {
            if (attempt_leased(list, cores, ev))
                return ASY_E_NOMEM;
        } else if (row && ev->kind == ASY_EV_STARTED) {
            row->started_us = ev->wall_us;
            row->host = asy__text(ev->started.host);
            row->hardware = asy__text(ev->started.hardware);
            row->versions = asy__text(ev->started.versions);
        } else if (row && ev->kind == ASY_EV_ENDED) {
            attempt_ended(row, ev, step);
        }
        step = step_after(step, ev);
    }
    if (list->n > 0) {
        struct asy_attempt_row *last = (struct asy_attempt_row *)list->rows + list->n - 1;

        if (last->end == 0)
            last->step = step;
    }
    return 0;
}

static int attempts(struct asy_reader *reader, struct asy_id study, uint64_t number,
                    asy_attempt_row_f each, void *arg, struct asy_error *err)
{
    struct list list = { .size = sizeof(struct asy_attempt_row) };
    struct list cores = { .size = sizeof(char *) };
    int rc = 0;

    if (gather_attempts(memory_of(reader), study, number, &list, &cores))
        rc = no_memory(err);
    for (size_t i = 0; i < list.n && rc == 0; i++)
        rc = each(arg, (struct asy_attempt_row *)list.rows + i);
    for (size_t i = 0; i < cores.n; i++)
        free(((char **)cores.rows)[i]);
    free(cores.rows);
    free(list.rows);
    return rc;
}

/* ---- metrics --------------------------------------------------------------------------------- */

struct metric {
    struct asy_metric_row row;
};

static int add_metric(struct list *list, const struct asy_metric *metric, uint64_t step,
                      uint32_t attempt, int64_t wall_us, uint64_t seq)
{
    struct metric *rows = list->rows, *m = NULL;

    for (size_t i = list->n; i-- > 0 && rows[i].row.seq == seq;)
        if (!strcmp(rows[i].row.name, asy__text(metric->name)))
            m = &rows[i]; /* twice in one report: the later counts */
    if (!m && !(m = add_row(list)))
        return ASY_E_NOMEM;
    *m = (struct metric){ { asy__text(metric->name), step, metric->value, attempt, wall_us, 0,
                            seq } };
    return 0;
}

static void undo_metrics(struct list *list, const struct asy_event *leased)
{
    struct metric *rows = list->rows;
    int all;
    uint64_t above = asy__undone_above(leased, &all);

    for (size_t i = 0; i < list->n; i++)
        if (rows[i].row.attempt > 0 && (all || rows[i].row.step > above))
            rows[i].row.superseded = 1;
}

static int gather_metric(struct list *list, const struct asy_event *ev)
{
    struct asy_metric score;
    int64_t wall_us;
    int rc = 0;

    if (ev->kind == ASY_EV_LEASED) {
        undo_metrics(list, ev);
    } else if (ev->kind == ASY_EV_SCORE) {
        score = (struct asy_metric){ ev->score.name, ev->score.value };
        rc = add_metric(list, &score, ev->score.step, 0, ev->wall_us, ev->seq);
    } else if (ev->kind == ASY_EV_REPORT) {
        wall_us = ev->report.reporter_wall_us ? ev->report.reporter_wall_us : ev->wall_us;
        for (size_t i = 0; i < ev->report.n_metrics && rc == 0; i++)
            rc = add_metric(list, &ev->report.metrics[i], ev->report.step, ev->attempt, wall_us,
                            ev->seq);
    }
    return rc;
}

static int by_name_step(const void *a, const void *b)
{
    const struct metric *x = a, *y = b;
    int cmp = strcmp(x->row.name, y->row.name);

    if (cmp)
        return cmp;
    if (x->row.step != y->row.step)
        return x->row.step < y->row.step ? -1 : 1;
    return (x->row.seq > y->row.seq) - (x->row.seq < y->row.seq);
}

/* All of a trial, by name and step; the caller frees list->rows, also after a failure. */
static int gather_metrics(struct asy_reader *reader, struct asy_id study, uint64_t number,
                          struct list *list, struct asy_error *err)
{
    const struct asy__memory *m = memory_of(reader);
    int rc = 0;

    for (size_t i = 0; i < m->n_events && rc == 0; i++)
        if (is_of(&m->events[i], study, number))
            rc = gather_metric(list, &m->events[i]);
    if (rc)
        return no_memory(err);
    sort(list, by_name_step);
    return 0;
}

static int metrics(struct asy_reader *reader, struct asy_id study, uint64_t number,
                   int with_superseded, asy_metric_row_f each, void *arg, struct asy_error *err)
{
    struct list list = { .size = sizeof(struct metric) };
    int rc = gather_metrics(reader, study, number, &list, err);

    for (size_t i = 0; i < list.n && rc == 0; i++) {
        const struct metric *metric = (struct metric *)list.rows + i;

        if (with_superseded || !metric->row.superseded)
            rc = each(arg, &metric->row);
    }
    free(list.rows);
    return rc;
}

static int metric_names(struct asy_reader *reader, struct asy_id study, uint64_t number,
                        const char *after, int64_t limit, asy_metric_name_f each, void *arg,
                        struct asy_error *err)
{
    struct list list = { .size = sizeof(struct metric) };
    const char *last = after;
    int64_t n = 0;
    int rc = gather_metrics(reader, study, number, &list, err);

    for (size_t i = 0; i < list.n && rc == 0 && (limit < 0 || n < limit); i++) {
        const struct metric *metric = (struct metric *)list.rows + i;

        if (metric->row.superseded || (last && strcmp(metric->row.name, last) <= 0))
            continue;
        last = metric->row.name;
        rc = each(arg, last);
        n++;
    }
    free(list.rows);
    return rc;
}

static int is_after(const struct metric *metric, uint64_t step, uint64_t seq)
{
    return metric->row.step != step ? metric->row.step > step : metric->row.seq > seq;
}

static int series(struct asy_reader *reader, struct asy_id study, uint64_t number,
                  const char *name, uint64_t step, uint64_t seq, int64_t limit,
                  asy_metric_row_f each, void *arg, struct asy_error *err)
{
    struct list list = { .size = sizeof(struct metric) };
    int64_t n = 0;
    int rc = gather_metrics(reader, study, number, &list, err);

    for (size_t i = 0; i < list.n && rc == 0 && (limit < 0 || n < limit); i++) {
        const struct metric *metric = (struct metric *)list.rows + i;

        if (metric->row.superseded || strcmp(metric->row.name, name) != 0 ||
            !is_after(metric, step, seq))
            continue;
        rc = each(arg, &metric->row);
        n++;
    }
    free(list.rows);
    return rc;
}

/* ---- artifacts and tags ---------------------------------------------------------------------- */

static int by_file(const void *a, const void *b)
{
    const struct asy_artifact_row *x = a, *y = b;
    int cmp = strcmp(x->name, y->name);

    if (cmp)
        return cmp;
    if (x->step != y->step)
        return x->step < y->step ? -1 : 1;
    return (x->attempt > y->attempt) - (x->attempt < y->attempt);
}

/* Adds a file, or takes it away; one with the same name, step and attempt is replaced. */
static int set_file(struct list *list, const char *name, const struct asy_checkpoint *file,
                    int gone)
{
    struct asy_artifact_row row = { asy__text(name), asy__text(file->path), file->sha, file->bytes,
                                    file->step, file->attempt };
    struct asy_artifact_row *rows = list->rows, *at;

    for (size_t i = 0; i < list->n; i++) {
        if (by_file(&rows[i], &row) == 0) {
            drop_row(list, i);
            break;
        }
    }
    if (gone)
        return 0;
    if (!(at = add_row(list)))
        return ASY_E_NOMEM;
    *at = row;
    return 0;
}

/* What an attempt left as it ended: a model, and how it did. */
static int gather_left(struct list *list, const struct asy_event *ev, uint64_t trial_step)
{
    uint64_t step = ev->ended.step ? ev->ended.step : trial_step;
    struct asy_checkpoint model = { ev->attempt, step, ev->ended.model_sha, ev->ended.model_bytes,
                                    ev->ended.model_path };
    struct asy_checkpoint scores = { ev->attempt, step, ev->ended.scores_sha,
                                     ev->ended.scores_bytes, ev->ended.scores_path };
    int rc = *asy__text(model.path) ? set_file(list, "model", &model, 0) : 0;

    return rc == 0 && *asy__text(scores.path) ? set_file(list, ASY_SCORES_FILE, &scores, 0) : rc;
}

static int gather_file(struct list *list, const struct asy_event *ev, uint64_t trial_step)
{
    struct asy_checkpoint file;

    switch (ev->kind) {
    case ASY_EV_CHECKPOINT:
        return set_file(list, "checkpoint", &ev->checkpoint.checkpoint, 0);
    case ASY_EV_CHECKPOINT_DROPPED:
        return set_file(list, "checkpoint", &ev->checkpoint_dropped.checkpoint, 1);
    case ASY_EV_ARTIFACT:
        file = (struct asy_checkpoint){ .attempt = ev->attempt, .sha = ev->artifact.sha,
                                        .bytes = ev->artifact.bytes, .path = ev->artifact.path };
        return set_file(list, ev->artifact.name, &file, 0);
    case ASY_EV_ENDED:
        return gather_left(list, ev, trial_step);
    default:
        return 0;
    }
}

static int artifacts(struct asy_reader *reader, struct asy_id study, uint64_t number,
                     asy_artifact_row_f each, void *arg, struct asy_error *err)
{
    const struct asy__memory *m = memory_of(reader);
    struct list list = { .size = sizeof(struct asy_artifact_row) };
    uint64_t step = 0;
    int rc = 0;

    for (size_t i = 0; i < m->n_events && rc == 0; i++) {
        if (!is_of(&m->events[i], study, number))
            continue;
        if (gather_file(&list, &m->events[i], step))
            rc = no_memory(err);
        step = step_after(step, &m->events[i]);
    }
    sort(&list, by_file);
    for (size_t i = 0; i < list.n && rc == 0; i++)
        rc = each(arg, (struct asy_artifact_row *)list.rows + i);
    free(list.rows);
    return rc;
}

static int is_at(void *path, const struct asy_artifact_row *row)
{
    return !strcmp(row->path, path);
}

static int tells_of(const struct asy_event *ev, const char *path)
{
    switch (ev->kind) {
    case ASY_EV_CHECKPOINT:
        return !strcmp(asy__text(ev->checkpoint.checkpoint.path), path);
    case ASY_EV_ARTIFACT:
        return !strcmp(asy__text(ev->artifact.path), path);
    case ASY_EV_ENDED:
        return !strcmp(asy__text(ev->ended.model_path), path) ||
               !strcmp(asy__text(ev->ended.scores_path), path);
    default:
        return 0;
    }
}

/* Whoever ever had a file there is asked for those that it still has. */
static int has_file(struct asy_reader *reader, const char *path, struct asy_error *err)
{
    const struct asy__memory *m = memory_of(reader);
    char *wanted = strdup(path);
    int rc = wanted ? 0 : no_memory(err);

    for (size_t i = 0; i < m->n_events && rc == 0; i++)
        if (tells_of(&m->events[i], path))
            rc = artifacts(reader, m->events[i].study, m->events[i].trial, is_at, wanted, err);
    free(wanted);
    return rc;
}

static int by_key(const void *a, const void *b)
{
    const struct asy_tag_row *x = a, *y = b;

    return strcmp(x->key, y->key);
}

static int set_tag(struct list *list, const struct asy_event *ev)
{
    struct asy_tag_row row = { asy__text(ev->tag.key), asy__text(ev->tag.value) };
    struct asy_tag_row *rows = list->rows, *at;

    for (size_t i = 0; i < list->n; i++) {
        if (by_key(&rows[i], &row) == 0) {
            rows[i] = row;
            return 0;
        }
    }
    if (!(at = add_row(list)))
        return ASY_E_NOMEM;
    *at = row;
    return 0;
}

static int tags(struct asy_reader *reader, struct asy_id study, uint64_t number,
                asy_tag_row_f each, void *arg, struct asy_error *err)
{
    const struct asy__memory *m = memory_of(reader);
    struct list list = { .size = sizeof(struct asy_tag_row) };
    int rc = 0;

    for (size_t i = 0; i < m->n_events && rc == 0; i++)
        if (m->events[i].kind == ASY_EV_TAG && is_of(&m->events[i], study, number) &&
            set_tag(&list, &m->events[i]))
            rc = no_memory(err);
    sort(&list, by_key);
    for (size_t i = 0; i < list.n && rc == 0; i++)
        rc = each(arg, (struct asy_tag_row *)list.rows + i);
    free(list.rows);
    return rc;
}

static int by_digest(const void *a, const void *b)
{
    const struct asy_dataset_row *x = a, *y = b;
    int cmp = strcmp(x->name, y->name);

    return cmp ? cmp : strcmp(x->digest, y->digest);
}

/* The first word on a name and digest stays. */
static int add_dataset(struct list *list, const struct asy_event *ev)
{
    struct asy_dataset_row row = { asy__text(ev->dataset.name), asy__text(ev->dataset.digest),
                                   asy__text(ev->dataset.source), asy__text(ev->dataset.profile) };
    struct asy_dataset_row *rows = list->rows, *at;

    for (size_t i = 0; i < list->n; i++)
        if (by_digest(&rows[i], &row) == 0)
            return 0;
    if (!(at = add_row(list)))
        return ASY_E_NOMEM;
    *at = row;
    return 0;
}

static int datasets(struct asy_reader *reader, struct asy_id study, uint64_t number,
                    asy_dataset_row_f each, void *arg, struct asy_error *err)
{
    const struct asy__memory *m = memory_of(reader);
    struct list list = { .size = sizeof(struct asy_dataset_row) };
    int rc = 0;

    for (size_t i = 0; i < m->n_events && rc == 0; i++)
        if (m->events[i].kind == ASY_EV_DATASET && is_of(&m->events[i], study, number) &&
            add_dataset(&list, &m->events[i]))
            rc = no_memory(err);
    sort(&list, by_digest);
    for (size_t i = 0; i < list.n && rc == 0; i++)
        rc = each(arg, (struct asy_dataset_row *)list.rows + i);
    free(list.rows);
    return rc;
}

/* ---- workers --------------------------------------------------------------------------------- */

static int joined_again(const struct asy__memory *m, size_t joined)
{
    for (size_t i = joined + 1; i < m->n_events; i++)
        if (m->events[i].kind == ASY_EV_WORKER_JOINED &&
            asy_id_cmp(m->events[i].worker_joined.id, m->events[joined].worker_joined.id) == 0)
            return 1;
    return 0;
}

static int give_worker(const struct asy__memory *m, size_t joined, asy_worker_row_f each, void *arg)
{
    const struct asy_event *ev = &m->events[joined];
    struct asy_worker_row row = {
        .id = ev->worker_joined.id, .host = asy__text(ev->worker_joined.host),
        .hardware = asy__text(ev->worker_joined.hardware), .fit = asy__text(ev->worker_joined.fit),
        .version = asy__text(ev->worker_joined.version), .cores = ev->worker_joined.cores,
        .memory = ev->worker_joined.memory, .joined_us = ev->wall_us, .text = "",
    };

    for (size_t i = joined + 1; i < m->n_events; i++) {
        ev = &m->events[i];
        if (ev->kind != ASY_EV_WORKER_GONE || asy_id_cmp(ev->worker_gone.id, row.id) != 0)
            continue;
        row.gone_us = ev->wall_us;
        row.cause = ev->worker_gone.cause;
        row.text = asy__text(ev->worker_gone.text);
    }
    return each(arg, &row);
}

static int workers(struct asy_reader *reader, int64_t limit, asy_worker_row_f each, void *arg,
                   struct asy_error *err)
{
    const struct asy__memory *m = memory_of(reader);
    int rc = 0;

    (void)err;
    for (size_t i = m->n_events; i-- > 0 && limit != 0 && rc == 0;) {
        if (m->events[i].kind != ASY_EV_WORKER_JOINED || joined_again(m, i))
            continue;
        limit -= limit > 0;
        rc = give_worker(m, i, each, arg);
    }
    return rc;
}

/* ---- events ---------------------------------------------------------------------------------- */

static int events(struct asy_reader *reader, struct asy_id study, uint64_t trial,
                  uint64_t after_seq, uint64_t upto_seq, int64_t limit, asy_event_f each,
                  void *arg, struct asy_error *err)
{
    const struct asy__memory *m = memory_of(reader);
    int rc = 0;

    (void)err;
    for (size_t i = 0; i < m->n_events && limit != 0 && rc == 0; i++) {
        const struct asy_event *ev = &m->events[i];

        if (ev->seq <= after_seq || ev->seq > upto_seq || (!asy_id_is_none(study) &&
            (asy_id_cmp(ev->study, study) != 0 || (trial != ASY__NO_TRIAL && ev->trial != trial))))
            continue;
        limit -= limit > 0;
        rc = each(arg, ev);
    }
    return rc;
}

static void close_reader(struct asy_reader *reader)
{
    (void)reader; /* part of its store */
}

const struct asy__reader_ops asy__memory_reader_ops = {
    .close = close_reader, .studies = studies, .trials = trials, .attempts = attempts,
    .metrics = metrics, .metric_names = metric_names, .series = series, .artifacts = artifacts,
    .has_file = has_file,
    .tags = tags,
    .datasets = datasets, .workers = workers, .events = events,
};
