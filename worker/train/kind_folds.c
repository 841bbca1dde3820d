/* SPDX-License-Identifier: Apache-2.0
 * kind_folds.c - rows that are divided more than once, into folds or by repeated splits: a training
 * for each division, and one of all rows but the test part, whose model is kept.
 *
 * They go on side by side, an epoch of each after the other, so that after each epoch there is a
 * mean over the divisions, by which trials are judged, stopped and paused as others are, and by
 * which the best epoch is found. An epoch's batches are those of all; a checkpoint, which may fall
 * between any two of them, is a folder with a file for each training, and what those that have done
 * this epoch came to. Rejected: one division after the other up to the end, which would leave
 * nothing to judge a trial by before the last; another training of all rows afterwards, which would
 * need a length of its own in the budget and in the checkpoints. */
#include "folds.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "learn/report.h"

static void destroy(struct asy__run *run)
{
    struct asy__folds *f = run->folds;

    if (!f)
        return;
    for (size_t k = 0; k < f->n; k++) {
        if (f->runs)
            asy__run_fini(&f->runs[k]);
        if (f->identities)
            asy_buf_fini(&f->identities[k]);
    }
    free(f->jobs);
    free(f->runs);
    free(f->identities);
    free(f->done);
    free(f);
    run->folds = NULL;
}

static int create(struct asy__run *run, struct asy_error *err)
{
    size_t divisions = asy__divisions(&run->job->data), n = divisions + 1;
    struct asy__folds *f = calloc(1, sizeof *f);

    if (!(run->folds = f) || !(f->jobs = calloc(n, sizeof *f->jobs)) ||
        !(f->runs = calloc(n, sizeof *f->runs)) ||
        !(f->identities = calloc(n, sizeof *f->identities)) ||
        !(f->done = calloc(n, sizeof *f->done)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu trainings", n);
    f->n = n;
    f->n_divisions = divisions;
    for (size_t k = 0; k < n; k++) {
        asy_buf_init(&f->identities[k], 1u << 20);
        f->jobs[k] = *run->job;
        f->jobs[k].data.division = k < divisions ? (int32_t)k : ASY__UNDIVIDED;
        f->runs[k] = (struct asy__run){ .trainer = run->trainer,
                                        .place = &run->trainer->places[k + 1],
                                        .kind = asy__kind_of(run->trainer, run->job),
                                        .job = &f->jobs[k],
                                        .callbacks = run->callbacks,
                                        .dir = run->dir };
    }
    return 0;
}

static int find_data(struct asy__run *run, struct asy_error *err)
{
    struct asy__run *first;
    int rc = create(run, err);

    if (rc < 0)
        return rc;
    first = run->folds->runs;
    rc = asy__run_plan(first, err); /* as a whole: a plug-in has its data from its beginning on */
    run->data = first->data;
    return rc;
}

static int plan(struct asy__run *run, struct asy_error *err)
{
    struct asy__folds *f = run->folds;
    int rc;

    run->n_train = run->n_batches = 0;
    for (size_t k = 0; k < f->n; k++) {
        struct asy__run *one = &f->runs[k];

        if (k > 0 && (rc = asy__run_plan(one, err)) < 0)
            return rc;
        asy__job_identity(one->job, one->data, &f->identities[k]);
        if ((rc = asy_buf_check(&f->identities[k], "a training's identity", err)) < 0)
            return rc;
        one->identity = f->identities[k].data;
        run->n_train += one->n_train;
        run->n_batches += one->n_batches;
    }
    run->batch = run->n_train / run->n_batches; /* in the mean */
    return asy__memory_own(f->runs, f->n, err);
}

static int share(struct asy__run *run, struct asy_error *err)
{
    return asy__memory_share(run->folds->runs, run->folds->n, err);
}

static int begin(struct asy__run *run, struct asy_error *err)
{
    int rc = 0;

    for (size_t k = 0; k < run->folds->n && rc == 0; k++)
        rc = asy__start(&run->folds->runs[k], NULL, err);
    return rc;
}

/* ---- an epoch -------------------------------------------------------------------------------- */

size_t asy__folds_at(const struct asy__folds *f, uint64_t *batch)
{
    size_t k = 0;

    while (k < f->n && *batch >= f->runs[k].n_batches)
        *batch -= f->runs[k++].n_batches;
    return k;
}

/* Of all rows there is nothing to validate on. */
static int end_one(struct asy__folds *f, size_t k, struct asy_error *err)
{
    struct asy__run *one = &f->runs[k];
    int rc = 0;

    if (k < f->n_divisions) {
        f->done[k].n = 0;
        rc = one->kind->measure(one, &f->done[k], err);
    } else if (one->kind->tally_up) {
        rc = one->kind->tally_up(one, err);
    }
    one->state.progress.epoch++;
    one->state.progress.batch = 0;
    memset(one->partials, 0, one->shards * sizeof *one->partials);
    return rc;
}

static int batch(struct asy__run *run, size_t n, struct asy_error *err)
{
    struct asy__folds *f = run->folds;
    uint64_t at = run->state.progress.batch;
    size_t k = asy__folds_at(f, &at), left, rows;
    struct asy__run *one = &f->runs[k];
    int rc;

    if (f->begun != k + 1)
        asy__run_begin_epoch(one);
    f->begun = k + 1;
    left = one->n_train - (size_t)at * one->batch;
    rows = left < one->batch ? left : one->batch;
    one->checkpoint_due_ms = run->checkpoint_due_ms;
    one->rode = rows;
    if ((rc = one->kind->batch(one, rows, err)) < 0)
        return rc;
    memcpy(run->riders, one->riders, sizeof run->riders);
    if (one->rode)
        run->riders[ASY__RIDE_LOSS] *= (float)n / (float)one->rode; /* as if there were n */
    run->rode = one->rode ? n : 0;
    run->diverged = one->diverged;
    if (run->diverged)
        return 0;
    one->state.progress.step++;
    one->state.progress.batch++;
    if (one->state.progress.batch == one->n_batches && (rc = end_one(f, k, err)) < 0)
        return rc;
    run->diverged = one->diverged; /* which some notice at an epoch's end */
    return 0;
}

void asy__folds_add_metric(struct asy__metric_list *list, const char *name, const char *end,
                           double value)
{
    ASY_ASSERT(list->n < ASY__METRICS_MAX, "%zu metrics", list->n);
    snprintf(list->item[list->n].name, sizeof list->item[0].name, "%.50s%s", name, end);
    list->item[list->n++].value = value;
}

/* values [n_divisions]; 0: one of them has not reported it. */
static int collect(const struct asy__folds *f, const char *name, double *values)
{
    for (size_t k = 0; k < f->n_divisions; k++) {
        const struct asy__metric_list *list = &f->done[k];
        size_t m = 0;

        while (m < list->n && strcmp(list->item[m].name, name) != 0)
            m++;
        if (m == list->n)
            return 0;
        values[k] = list->item[m].value;
    }
    return 1;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b); /* the name is what an item begins with */
}

/* Means over the divisions; of the validation parts also how far these are from it, the root of the
 * mean square (with n, not n - 1). What a plug-in has counted in some of them only has no mean. */
static int measure(struct asy__run *run, struct asy__metric_list *list, struct asy_error *err)
{
    const struct asy__folds *f = run->folds;
    double n = (double)f->n_divisions, values[ASY__DIVISIONS_MAX];

    (void)err;
    for (size_t m = 0; m < f->done[0].n; m++) {
        const char *name = f->done[0].item[m].name;
        double sum = 0, squares = 0;

        if (!collect(f, name, values))
            continue;
        for (size_t k = 0; k < f->n_divisions; k++)
            sum += values[k];
        for (size_t k = 0; k < f->n_divisions; k++)
            squares += (values[k] - sum / n) * (values[k] - sum / n);
        asy__folds_add_metric(list, name, "", sum / n);
        if (!strncmp(name, "val_", 4))
            asy__folds_add_metric(list, name, ASY__STD, sqrt(squares / n));
    }
    qsort(list->item, list->n, sizeof list->item[0], by_name);
    return 0;
}

/* What is judged is judged for all: they have the best epoch and the learning rate in common. */
static int end_epoch(struct asy__run *run, int is_best, struct asy_error *err)
{
    const struct asy__progress *all = &run->state.progress;
    struct asy__folds *f = run->folds;
    int rc = 0;

    f->begun = 0;
    for (size_t k = 0; k < f->n && rc == 0; k++) {
        struct asy__run *one = &f->runs[k];
        struct asy__progress *p = &one->state.progress;

        p->best = all->best;
        p->best_epoch = all->best_epoch;
        p->last = all->last;
        p->plateau = all->plateau;
        if (is_best)
            asy__run_save_best(one);
        if (one->kind->end_epoch)
            rc = one->kind->end_epoch(one, is_best, err);
    }
    return rc;
}

static int fetch(struct asy__run *run, struct asy_error *err)
{
    int rc = 0;

    for (size_t k = 0; k < run->folds->n && rc == 0; k++) {
        struct asy__run *one = &run->folds->runs[k];

        rc = one->kind->fetch ? one->kind->fetch(one, err) : 0;
        run->diverged |= one->diverged;
    }
    return rc;
}

/* ---- what is left ---------------------------------------------------------------------------- */

static int parts(struct asy__run *run, int is_best, struct asy__model_parts *ret,
                 struct asy_error *err)
{
    struct asy__run *all_rows = &run->folds->runs[run->folds->n_divisions];
    int rc = all_rows->kind->parts(all_rows, is_best, ret, err);

    ret->schema = &all_rows->data->schema;
    return rc;
}

/* Each division's model on the rows that it was not trained on. */
static int judge(struct asy__run *run, const struct asy__model_parts *parts_,
                 struct asy__report *report, struct asy_error *err)
{
    const struct asy__progress *p = &run->state.progress;
    struct asy__folds *f = run->folds;
    int is_best = run->job->takes_best && p->best_epoch > 0, rc = 0;

    (void)parts_; /* of all rows */
    for (size_t k = 0; k < f->n_divisions && rc == 0; k++) {
        struct asy__run *one = &f->runs[k];
        struct asy__model_parts its;

        if ((rc = one->kind->parts(one, is_best, &its, err)) == 0)
            rc = one->kind->report(one, &its, report, err);
    }
    return rc;
}

const struct asy__kind asy__kind_folds = {
    .whole = 1,
    .data = find_data,
    .plan = plan,
    .share = share,
    .begin = begin,
    .batch = batch,
    .measure = measure,
    .fetch = fetch,
    .end_epoch = end_epoch,
    .keep = asy__folds_keep,
    .write = asy__folds_write,
    .read = asy__folds_read,
    .parts = parts,
    .report = judge,
    .destroy = destroy,
};
