/* SPDX-License-Identifier: Apache-2.0
 * trainer.c - a job from its text to its result: its data, which are kept from the last job if they
 * are the same, its kind, and all that it takes in turn. */
#include "trainer_impl.h"
#include "comm/agree.h"
#include "folds.h"
#include "net/families.h"
#include "learn/loss.h"
#include "data/tokens.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int asy_trainer_create(struct asy_comm *comm, struct asy_trainer **ret_trainer,
                       struct asy_error *err)
{
    struct asy_trainer *trainer = calloc(1, sizeof *trainer);

    if (!trainer)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a trainer");
    asy_kernels_init();
    trainer->comm = comm;
    atomic_init(&trainer->request, ASY_TRAIN_GO_ON);
    *ret_trainer = trainer;
    return 0;
}

static void place_fini(struct asy__place *place)
{
    free(place->data_key);
    asy__data_fini(&place->data);
    free(place->arena.at);
}

void asy_trainer_destroy(struct asy_trainer *trainer)
{
    int saved = errno;

    if (!trainer)
        return;
    for (size_t i = 0; i < trainer->n_places; i++)
        place_fini(&trainer->places[i]);
    free(trainer->places);
    free(trainer->passing.at);
    asy_device_close(trainer->device);
    free(trainer);
    errno = saved;
}

int asy__trainer_places(struct asy_trainer *trainer, size_t n, struct asy_error *err)
{
    struct asy__place *places;

    for (size_t i = n; i < trainer->n_places; i++)
        place_fini(&trainer->places[i]);
    if (n < trainer->n_places)
        trainer->n_places = n;
    if (!(places = realloc(trainer->places, n * sizeof *places)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu trainings", n);
    for (size_t i = trainer->n_places; i < n; i++)
        places[i] = (struct asy__place){ 0 };
    trainer->places = places;
    trainer->n_places = n;
    return 0;
}

void asy_trainer_set_device(struct asy_trainer *trainer, const char *word)
{
    trainer->device_word = word;
}

int asy_trainer_on_device(const struct asy_trainer *trainer)
{
    return trainer->on_device;
}

void asy_trainer_request(struct asy_trainer *trainer, enum asy_train_request request)
{
    atomic_store_explicit(&trainer->request, request, memory_order_relaxed);
}

static int add_file(struct asy_buf *buf, const char *path, struct asy_error *err)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return asy_fail_errno(err, errno, "cannot open '%s'", path);
    asy_buf_addf(buf, "%s\n%llu %llu %llu %lld.%09ld\n", path, (unsigned long long)st.st_dev,
                 (unsigned long long)st.st_ino, (unsigned long long)st.st_size,
                 (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    return 0;
}

/* What the data is read by: the spec and the files' identity. */
static int make_key(const struct asy__data_spec *spec, char **ret_key, struct asy_error *err)
{
    struct asy_buf buf;
    int rc;

    asy_buf_init(&buf, 1u << 20);
    rc = add_file(&buf, spec->file, err);
    if (rc == 0 && spec->labels)
        rc = add_file(&buf, spec->labels, err);
    asy__data_spec_text(spec, &buf);
    if (rc == 0 && (rc = asy_buf_check(&buf, "the data's key", err)) == 0 &&
        !(*ret_key = asy_buf_take(&buf, NULL)))
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for the data's key");
    asy_buf_fini(&buf);
    return rc;
}

/* As an import, or else by itself, which tells what is wrong with it. What is not what was
 * submitted any more is not trained on: the agent has looked at it, but that was before. */
static int load_data(const struct asy__job *job, struct asy__data *ret, struct asy_error *err)
{
    struct asy_error why = ASY_ERROR_INIT;
    int imported = asy__import_load(&job->import, &job->data, ret, &why), rc;

    if (imported == 0)
        return 0;
    if (imported == ASY_E_STATE)
        return asy_fail(err, ASY_E_STATE, "%s", why.text);
    rc = asy__data_load(&job->data, NULL, 1, ret, err);
    if (rc == ASY_E_TOOBIG && imported == ASY_E_NOSPACE)
        return asy_fail(err, ASY_E_NOSPACE, "memory does not hold it, and %s", why.text);
    if (rc == 0 && (rc = asy__import_check(&job->import, &job->data, err)) < 0)
        asy__data_fini(ret);
    return rc;
}

static int get_data(struct asy__place *place, const struct asy__job *job, struct asy_error *err)
{
    char *key = NULL;
    int rc;

    if ((rc = make_key(&job->data, &key, err)) < 0)
        return rc;
    if (place->data_key && !strcmp(place->data_key, key)) {
        free(key);
        return 0;
    }
    free(place->data_key);
    place->data_key = NULL;
    asy__data_fini(&place->data);
    if ((rc = load_data(job, &place->data, err)) < 0)
        free(key);
    else
        place->data_key = key;
    return rc;
}

int asy__run_data(struct asy__run *run, struct asy_error *err)
{
    struct asy__data *data = &run->place->data;
    const struct asy__hyper *hyper = &run->job->hyper;
    int rc;

    if ((rc = get_data(run->place, run->job, err)) < 0)
        return rc;
    run->data = data;
    rc = asy__family_check((enum asy__family)hyper->family, &data->schema, err);
    if (rc < 0 || !data->tokens)
        return rc;
    return asy__tokens_window(data, (size_t)hyper->context, err);
}

int asy__run_tally(struct asy__run *run, size_t begin, size_t end, struct asy_error *err)
{
    const size_t *start = run->data->start;
    size_t rows = start[ASY__VALIDATION + 1] - start[ASY__VALIDATION];

    if (!run->data->schema.classification || run->data->tokens || rows == 0)
        return 0;
    return asy__tally_create(run->data->schema.classes.n, rows, begin, end,
                             (run->job->wants & ASY__WANTS_AREA) != 0, &run->tally, err);
}

const struct asy__kind *asy__kind_of(const struct asy_trainer *trainer, const struct asy__job *job)
{
    if (job->plugin)
        return &asy__kind_plugged;
    if (job->hyper.family == ASY__GBDT)
        return &asy__kind_trees;
    return trainer->device ? &asy__kind_device : &asy__kind_net;
}

/* Into how many parts a batch goes. */
static int divide(struct asy__run *run, struct asy_error *err)
{
    int ranks = asy_comm_size(run->trainer->comm);

    run->shards = (size_t)ranks;
    if (!run->job->strict || run->kind->whole) /* trees always are */
        return 0;
    run->shards = ASY__STRICT_SHARDS;
    if (ranks > ASY__STRICT_SHARDS)
        return asy_fail(err, ASY_E_INVAL, "resources.reproducible: strict is for at most %d ranks, "
                        "not %d", ASY__STRICT_SHARDS, ranks);
    return 0;
}

int asy__run_plan(struct asy__run *run, struct asy_error *err)
{
    const struct asy__job *job = run->job;
    int is_whole = !job->plugin && (run->folds || !asy__divisions(&job->data)), rc;
    size_t batch;

    if ((rc = divide(run, err)) < 0 || (rc = run->kind->data(run, err)) < 0)
        return rc;
    run->n_train = run->data->start[ASY__TRAIN + 1];
    batch = run->kind->whole ? run->n_train : (size_t)job->hyper.batch_size;
    run->batch = batch < run->n_train ? batch : run->n_train;
    run->n_batches = (run->n_train + run->batch - 1) / run->batch;
    if ((is_whole && (rc = asy__metric_check(run->data, job->metric, err)) < 0) ||
        (rc = asy__loss_check(&job->hyper, &run->data->schema, err)) < 0)
        return rc;
    return run->kind->plan(run, err);
}

int asy__run_set_up(struct asy__run *run, struct asy_error *err)
{
    int rc = asy__run_plan(run, err);

    return rc < 0 ? rc : asy__memory_own(run, 1, err);
}

void asy__run_fini(struct asy__run *run)
{
    if (run->kind)
        run->kind->destroy(run);
    asy__update_destroy(run->update);
    asy_comm_destroy(run->local.comm);
    asy__tally_destroy(run->tally);
}

/* A training by itself, or, where the rows are divided more than once, one of several. */
static int choose_kind(struct asy__run *run, struct asy_error *err)
{
    const struct asy__job *job = run->job;
    size_t divisions = asy__divisions(&job->data);
    int rc = asy__trainer_device(run->trainer, job, err);

    if (rc < 0)
        return rc;
    run->kind = divisions ? &asy__kind_folds : asy__kind_of(run->trainer, job);
    if ((rc = asy__trainer_places(run->trainer, divisions ? divisions + 2 : 1, err)) < 0)
        return rc;
    run->place = run->trainer->places;
    return 0;
}

/* Of what all ranks make batches. */
struct footing {
    uint64_t start[ASY__PARTS + 1];
    uint64_t crc;
};

static int check_data(const struct asy__run *run, struct asy_error *err)
{
    const size_t *start = run->data->start, n = start[ASY__PARTS], n_train = start[ASY__TRAIN + 1];
    struct footing mine = { .crc = run->data->crc }, first;
    int rc;

    for (size_t p = 0; p <= ASY__PARTS; p++)
        mine.start[p] = start[p];
    first = mine;
    if ((rc = asy_comm_bcast(run->trainer->comm, &first, sizeof first, 0, err)) < 0 ||
        memcmp(&first, &mine, sizeof first) == 0)
        return rc;
    if (first.start[ASY__PARTS] == n && first.start[ASY__TRAIN + 1] == n_train)
        return asy_fail(err, ASY_E_STATE, "its data is not that of rank 0: as many rows (%zu), "
                        "but not the same", n);
    return asy_fail(err, ASY_E_STATE, "its data is not that of rank 0: %zu rows, %zu of them to "
                    "train on, where that has %llu and %llu", n, n_train,
                    (unsigned long long)first.start[ASY__PARTS],
                    (unsigned long long)first.start[ASY__TRAIN + 1]);
}

/* Ranks of other rows would make other numbers of batches, and wait for each other for ever. All
 * go through all trainings, whatever one of them finds. */
static int check_footing(const struct asy__run *run, struct asy_error *err)
{
    const struct asy__run *runs = run->folds ? run->folds->runs : run;
    size_t n = run->folds ? run->folds->n : 1;
    int rc = 0;

    for (size_t i = 0; i < n; i++) {
        int one = check_data(&runs[i], rc < 0 ? NULL : err);

        rc = rc < 0 ? rc : one;
    }
    return rc;
}

int asy_trainer_run(struct asy_trainer *trainer, const struct asy_json *job_json, const char *dir,
                    const char *resume, const struct asy_train_callbacks *callbacks,
                    struct asy_train_result *ret_result, struct asy_error *err)
{
    struct asy_train_result *result = calloc(1, sizeof *result);
    struct asy_error own = ASY_ERROR_INIT;
    struct asy__job job = { 0 };
    struct asy__run run = { .trainer = trainer, .job = &job, .dir = dir, .callbacks = callbacks };
    struct asy_buf identity;
    int rc;

    err = err ? err : &own;
    trainer->on_device = 0;
    asy_buf_init(&identity, 1u << 20);
    if (!result) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for a result");
        goto out;
    }
    rc = callbacks->prepare ? callbacks->prepare(callbacks->arg, err) : 0;
    if (rc == 0 && (rc = asy__job_read(job_json, &job, err)) == 0 &&
        (rc = choose_kind(&run, err)) == 0)
        rc = asy__run_set_up(&run, err);
    if ((rc = asy__agree(trainer->comm, rc, err)) < 0 ||
        (rc = asy__agree(trainer->comm, check_footing(&run, err), err)) < 0)
        goto out;
    rc = run.kind->share ? run.kind->share(&run, err) : asy__memory_share(&run, 1, err);
    if ((rc = asy__agree(trainer->comm, rc, err)) < 0)
        goto out;
    asy__job_identity(&job, run.data, &identity);
    run.identity = identity.data;
    if ((rc = asy_buf_check(&identity, "the job's identity", err)) < 0 ||
        (rc = asy__start(&run, resume, err)) < 0 ||
        (rc = asy__run_epochs(&run, result, err)) < 0 ||
        (rc = asy__put_away(&run, result, err)) < 0)
        goto out;
    *ret_result = *result;
out:
    atomic_store_explicit(&trainer->request, ASY_TRAIN_GO_ON, memory_order_relaxed);
    asy__run_fini(&run);
    asy_team_destroy(trainer->team);
    trainer->team = NULL;
    asy__job_fini(&job);
    asy_buf_fini(&identity);
    free(result);
    return rc;
}
