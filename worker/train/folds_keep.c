/* SPDX-License-Identifier: Apache-2.0
 * folds_keep.c - checkpoints of trainings that go on side by side: a folder with a file for each
 * in the form that it has alone, one for where the whole stands, and the metrics of those that have
 * done this epoch. */
#include "folds.h"
#include "comm/agree.h"
#include "paths.h"
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <asy/durable.h>

#define EPOCH_MAX (4u << 20)

int asy__folds_keep(struct asy__run *run, struct asy_error *err)
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
    if (number)
        return asy__path(path, PATH_MAX, ASY__JOB_FOLDER, err, "%s/training-%zu%s", folder, number,
                         end);
    return asy__path(path, PATH_MAX, ASY__JOB_FOLDER, err, "%s/epoch%s", folder, end);
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
    size_t k = asy__folds_at(run->folds, &batch);

    return k < run->folds->n_divisions ? k : run->folds->n_divisions;
}

static int write_files(struct asy__run *run, const char *folder, struct asy_error *err)
{
    struct asy__folds *f = run->folds;
    char path[PATH_MAX];
    int rc;

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

/* A part of one would be a checkpoint to nobody, and takes of a disk that may be full. But what
 * stood there before is not ours. */
int asy__folds_write(struct asy__run *run, const char *folder, struct asy_error *err)
{
    int is_new = mkdir(folder, 0700) == 0, rc;

    if (!is_new && errno != EEXIST)
        return asy_fail_errno(err, errno, "cannot make '%s'", folder);
    if ((rc = write_files(run, folder, err)) < 0 && is_new)
        ASY_IGNORE(asy_durable_remove(folder, NULL)); /* err says what failed first */
    return rc;
}

/* No more of them than a plug-in may have, of each part: their means have the room for it. */
static int take_done(const struct asy_json *root, struct asy__folds *f, size_t n,
                     struct asy_error *err)
{
    const struct asy_json *value;
    const char *name;

    for (size_t k = 0; k < n; k++) {
        const struct asy_json *one = asy_json_at(root, k);
        struct asy__metric_list *list = &f->done[k];
        size_t n_val = 0;

        list->n = 0;
        for (size_t m = 0; (value = asy_json_member(one, m, &name)); m++) {
            n_val += !strncmp(name, "val_", 4);
            if (list->n >= 2 * ASY_PLUGIN_METRICS_MAX || n_val > ASY_PLUGIN_METRICS_MAX)
                return asy_fail(err, ASY_E_CORRUPT, "cannot resume: too many metrics");
            asy__folds_add_metric(list, name, "", asy_json_f64(value, (double)NAN));
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

/* Each stands where the epoch's batches say, and has kept the best epoch of all. */
static int check_places(const struct asy__run *run, struct asy_error *err)
{
    const struct asy__progress *all = &run->state.progress;
    uint64_t at = all->batch;
    size_t now = asy__folds_at(run->folds, &at);

    for (size_t k = 0; k < run->folds->n; k++) {
        const struct asy__progress *p = &run->folds->runs[k].state.progress;

        if (p->epoch != all->epoch + (k < now) || p->batch != (k == now ? at : 0) ||
            p->best_epoch != all->best_epoch)
            return asy_fail(err, ASY_E_CORRUPT, "cannot resume: the trainings of the checkpoint "
                            "stand at different places");
    }
    return 0;
}

int asy__folds_read(struct asy__run *run, const char *folder, struct asy_error *err)
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
