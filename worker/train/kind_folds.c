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
#include "trainer_impl.h"
#include "comm/agree.h"
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <asy/durable.h>
#include "learn/report.h"

#define EPOCH_MAX (4u << 20)

struct asy__folds {
    size_t n, n_divisions; /* trainings: those of the divisions, then that of all rows */
    struct asy__job *jobs; /* [n] */
    struct asy__run *runs; /* [n] */
    struct asy_buf *identities;    /* [n] */
    struct asy__metric_list *done; /* [n_divisions], of this epoch */
    size_t begun; /* 1 + number of the training whose epoch has begun here; 0: none */
};

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

/* The training that so many batches of an epoch have come to; *batch becomes its own. n: all are
 * done. */
static size_t training_at(const struct asy__folds *f, uint64_t *batch)
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
    size_t k = training_at(f, &at), left, rows;
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

static void add_metric(struct asy__metric_list *list, const char *name, const char *end,
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
        add_metric(list, name, "", sum / n);
        if (!strncmp(name, "val_", 4))
            add_metric(list, name, ASY__STD, sqrt(squares / n));
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

/* ---- checkpoints ----------------------------------------------------------------------------- */

static int keep(struct asy__run *run, struct asy_error *err)
{
    struct asy__folds *f = run->folds;
    struct asy__score total;
    int rc = 0;

    for (size_t k = 0; k < f->n && rc == 0; k++) {
        struct asy__run *one = &f->runs[k];

        rc = asy__run_total(one, &total, err);
        if (rc == 0 && one->kind->keep)
            rc = one->kind->keep(one, err);
        one->state.progress.shards = one->shards;
    }
    return rc;
}

/* A file in a checkpoint's folder; number 0: of all trainings. */
static int file_in(const char *folder, size_t number, const char *end, char path[PATH_MAX],
                   struct asy_error *err)
{
    int n = number ? snprintf(path, PATH_MAX, "%s/training-%zu%s", folder, number, end)
                   : snprintf(path, PATH_MAX, "%s/epoch%s", folder, end);

    if (n < 0 || n >= PATH_MAX)
        return asy_fail(err, ASY_E_INVAL, "the path of the job's folder is too long");
    return 0;
}

/* Metrics of the divisions that have done this epoch. */
static int write_done(const struct asy__folds *f, size_t n_done, const char *path,
                      struct asy_error *err)
{
    struct asy_jsonw w;
    struct asy_buf json;
    int rc;

    asy_buf_init(&json, EPOCH_MAX);
    asy_jsonw_init(&w, &json, 0);
    asy_jsonw_open(&w, NULL, '[');
    for (size_t k = 0; k < n_done; k++) {
        asy_jsonw_open(&w, NULL, '{');
        for (size_t m = 0; m < f->done[k].n; m++)
            asy_jsonw_f64(&w, f->done[k].item[m].name, f->done[k].item[m].value);
        asy_jsonw_close(&w, '}');
    }
    asy_jsonw_close(&w, ']');
    if ((rc = asy_buf_check(&json, "the epoch so far", err)) == 0)
        rc = asy_durable_write(path, json.data, json.len, 0600, err);
    asy_buf_fini(&json);
    return rc;
}

static size_t n_done(const struct asy__run *run)
{
    uint64_t batch = run->state.progress.batch;
    size_t k = training_at(run->folds, &batch);

    return k < run->folds->n_divisions ? k : run->folds->n_divisions;
}

static int write(struct asy__run *run, const char *folder, struct asy_error *err)
{
    struct asy__folds *f = run->folds;
    char path[PATH_MAX];
    int rc;

    if (mkdir(folder, 0700) < 0 && errno != EEXIST)
        return asy_fail_errno(err, errno, "cannot make '%s'", folder);
    if ((rc = file_in(folder, 0, ".safetensors", path, err)) < 0 ||
        (rc = asy__checkpoint_write(path, run->identity, &run->state, run->sums, err)) < 0 ||
        (rc = file_in(folder, 0, ".json", path, err)) < 0 ||
        (rc = write_done(f, n_done(run), path, err)) < 0)
        return rc;
    for (size_t k = 0; k < f->n && rc == 0; k++) {
        const struct asy__run *one = &f->runs[k];

        if ((rc = file_in(folder, k + 1, ".safetensors", path, err)) == 0)
            rc = asy__checkpoint_write(path, one->identity, &one->state, one->sums, err);
    }
    return rc;
}

static int take_done(const struct asy_json *root, struct asy__folds *f, size_t n,
                     struct asy_error *err)
{
    const struct asy_json *value;
    const char *name;

    for (size_t k = 0; k < n; k++) {
        const struct asy_json *one = asy_json_at(root, k);
        struct asy__metric_list *list = &f->done[k];

        list->n = 0;
        for (size_t m = 0; (value = asy_json_member(one, m, &name)); m++) {
            if (list->n >= 2 * ASY_PLUGIN_METRICS_MAX)
                return asy_fail(err, ASY_E_CORRUPT, "cannot resume: too many metrics");
            add_metric(list, name, "", asy_json_f64(value, (double)NAN));
        }
        if (!list->n)
            return asy_fail(err, ASY_E_CORRUPT, "cannot resume: the epoch so far is not there");
    }
    return 0;
}

static int read_done(struct asy__folds *f, size_t n, const char *path, struct asy_error *err)
{
    struct asy_json *root = NULL;
    char *text = NULL;
    size_t len;
    int rc;

    if ((rc = asy_read_file(path, EPOCH_MAX, &text, &len, err)) == 0 &&
        (rc = asy_json_parse(text, len, &root, err)) == 0)
        rc = take_done(root, f, n, err);
    asy_json_destroy(root);
    free(text);
    return rc;
}

/* Each stands where the epoch's batches say. */
static int check_places(const struct asy__run *run, struct asy_error *err)
{
    const struct asy__progress *all = &run->state.progress;
    uint64_t at = all->batch;
    size_t now = training_at(run->folds, &at);

    for (size_t k = 0; k < run->folds->n; k++) {
        const struct asy__progress *p = &run->folds->runs[k].state.progress;

        if (p->epoch != all->epoch + (k < now) || p->batch != (k == now ? at : 0))
            return asy_fail(err, ASY_E_CORRUPT, "cannot resume: the trainings of the checkpoint "
                            "stand at different places");
    }
    return 0;
}

static int read(struct asy__run *run, const char *folder, struct asy_error *err)
{
    struct asy_comm *comm = run->trainer->comm;
    struct asy__folds *f = run->folds;
    char path[PATH_MAX];
    size_t n;
    int rc;

    if ((rc = file_in(folder, 0, ".safetensors", path, err)) < 0 ||
        (rc = asy__start_at(run, path, err)) < 0)
        return rc;
    for (size_t k = 0; k < f->n; k++)
        if ((rc = file_in(folder, k + 1, ".safetensors", path, err)) < 0 ||
            (rc = asy__start(&f->runs[k], path, err)) < 0)
            return rc;
    if ((rc = check_places(run, err)) < 0 || (rc = file_in(folder, 0, ".json", path, err)) < 0)
        return rc;
    n = n_done(run);
    if (asy_comm_rank(comm) == 0)
        rc = read_done(f, n, path, err);
    if ((rc = asy__agree(comm, rc, err)) < 0)
        return rc;
    return asy_comm_bcast(comm, f->done, f->n_divisions * sizeof *f->done, 0, err);
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
    .keep = keep,
    .write = write,
    .read = read,
    .parts = parts,
    .report = judge,
    .destroy = destroy,
};
