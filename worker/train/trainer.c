/* SPDX-License-Identifier: Apache-2.0
 * trainer.c - setting a job up: data (kept from the last job if it is the same), memory, a fresh
 * start or a checkpoint; and putting the result away. */
#include "trainer_impl.h"
#include "comm/agree.h"
#include "net/families.h"
#include "learn/loss.h"
#include "data/tokens.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define EVAL_ROWS 256 /* least rows of a scoring pass: small batches would make slow products */

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

void asy_trainer_destroy(struct asy_trainer *trainer)
{
    int saved = errno;

    if (!trainer)
        return;
    free(trainer->data_key);
    asy__data_fini(&trainer->data);
    free(trainer->arena);
    free(trainer);
    errno = saved;
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

static int get_data(struct asy_trainer *trainer, const struct asy__job *job, struct asy_error *err)
{
    char *key = NULL;
    int rc;

    if ((rc = make_key(&job->data, &key, err)) < 0)
        return rc;
    if (trainer->data_key && !strcmp(trainer->data_key, key)) {
        free(key);
        return 0;
    }
    free(trainer->data_key);
    trainer->data_key = NULL;
    asy__data_fini(&trainer->data);
    if ((rc = load_data(job, &trainer->data, err)) < 0)
        free(key);
    else
        trainer->data_key = key;
    return rc;
}

static float *take(float **memory, size_t n)
{
    float *here = *memory;

    *memory += (n + 15) / 16 * 16;
    return here;
}

/* The most rows of a batch that are computed at once: a piece of a shard of it. */
static size_t rows_at_once(const struct asy__run *run)
{
    size_t shard = (run->batch + run->shards - 1) / run->shards;
    size_t pieces = (size_t)run->job->hyper.accumulate;

    return (shard + pieces - 1) / pieces;
}

/* What this rank needs for itself, in one block: kept if it is large enough for the next job. */
static int lay_out(struct asy__run *run, struct asy_error *err)
{
    struct asy_trainer *trainer = run->trainer;
    size_t n_params = run->learner.n_params, n_buffers = run->learner.n_buffers;
    size_t best = asy_comm_rank(trainer->comm) == 0 ? n_params + n_buffers : 0;
    size_t mine = run->trees ? 0 : rows_at_once(run), width = run->data->schema.n_features;
    size_t pass = run->net ? asy__net_room(run->net) : 0, room;
    size_t score = run->shards * sizeof(struct asy__score) / sizeof(float);
    size_t labels = mine * asy__data_labels(run->data);
    size_t piece = !run->trees && run->job->hyper.accumulate > 1 ? n_params : 0;
    size_t weights = asy__loss_weighs(&run->job->hyper) ? run->data->schema.classes.n : 0;
    float *at;

    room = best + n_buffers + pass + mine * (width + 2) + labels + 2 * score + piece + weights +
           16 * 16;
    if (room > trainer->arena_len) {
        free(trainer->arena);
        trainer->arena_len = 0;
        if (posix_memalign((void **)&trainer->arena, 64, room * sizeof *at)) {
            trainer->arena = NULL;
            return asy_fail(err, ASY_E_NOMEM, "no memory for batches of %zu", run->batch);
        }
        trainer->arena_len = room;
    }
    at = trainer->arena;
    memset(at, 0, room * sizeof *at);
    run->state.best = best ? take(&at, best) : NULL;
    run->x = take(&at, mine * width);
    run->label = (int32_t *)(void *)take(&at, labels);
    run->target = take(&at, mine);
    run->rows = (uint32_t *)(void *)take(&at, mine);
    run->partials = (struct asy__score *)(void *)take(&at, score);
    run->sums = (struct asy__score *)(void *)take(&at, score);
    run->piece = piece ? take(&at, piece) : NULL;
    run->class_weights = weights ? take(&at, weights) : NULL;
    run->state.buffers = run->learner.buffers = take(&at, n_buffers);
    if (run->net)
        asy__net_bind(run->net, at);
    return 0;
}

/* After the memory is there. */
static int weigh_classes(struct asy__run *run, struct asy_error *err)
{
    if (!run->class_weights)
        return 0;
    run->net->cpu.class_weights = run->class_weights;
    return asy__loss_weights(&run->job->hyper, run->data, run->class_weights, err);
}

/* What is summed over the ranks, and what the ranks of a node have in common. By all ranks. */
static int share(struct asy__run *run, struct asy_error *err)
{
    const struct asy__hyper *hyper = &run->job->hyper;
    size_t n = run->learner.n_params, each = (n + 15) / 16 * 16;
    size_t room = run->update ? asy__update_room(run->update) : 0;
    int m = run->update && asy__update_keeps_mean(hyper), mean = hyper->ema > 0;
    int v = run->update && asy__update_keeps_squares(hyper);
    float *at;
    int rc;

    rc = asy_comm_share(run->trainer->comm, run->shards, n + ASY__RIDES,
                        (size_t)(1 + m + v + mean) * each + room, &run->memory, err);
    if (rc < 0)
        return rc;
    at = run->memory.common;
    run->learner.params = run->state.params = take(&at, n);
    run->state.m = m ? take(&at, n) : NULL;
    run->state.v = v ? take(&at, n) : NULL;
    run->state.mean = mean ? take(&at, n) : NULL;
    run->update_room = at;
    run->state.m_may_lack = run->job->population && !v;
    run->state.mean_may_lack = run->job->population;
    return 0;
}

/* Of a plug-in: before its rows are known, where it has its own. */
static int plug_in(struct asy__run *run, const struct asy__data *data, struct asy_error *err)
{
    struct asy_comm *comm = run->trainer->comm;
    struct asy__plugged_options options = { run->job, data, comm, run->dir, run->shards, NULL,
                                            run->callbacks->arg };
    int rc;

    if (asy_comm_rank(comm) == 0 && run->callbacks->alive) {
        options.alive = run->callbacks->alive;
        options.alive(options.arg); /* data may have taken long to read */
    }
    if ((rc = asy__plugged_create(&options, &run->plugged, err)) < 0 ||
        (rc = asy__plugged_metric(run->plugged, run->job->metric, err)) < 0)
        return rc;
    run->state.kept = asy__plugged_kept(run->plugged);
    run->data = data ? data : asy__plugged_data(run->plugged);
    return 0;
}

/* What an optimiser knows of the parameters: the tensors of a network, of which those of one
 * dimension are biases and the like; of a plug-in it is all one. */
static int plan_update(struct asy__run *run, struct asy_error *err)
{
    const struct asy__net *net = run->net;
    size_t n = 0, tensors = net ? net->n_tensors : 0;
    struct asy__span *spans = calloc(tensors + 1, sizeof *spans);
    int rc;

    if (!spans)
        return asy_fail(err, ASY_E_NOMEM, "no memory for the updates of %zu tensors", tensors);
    for (size_t t = 0; t < tensors; t++)
        if (!net->tensors[t].is_buffer)
            spans[n++] = (struct asy__span){ net->tensors[t].at, net->tensors[t].n,
                                             net->tensors[t].n_dims > 1 };
    if (!net)
        spans[n++] = (struct asy__span){ 0, run->learner.n_params, 1 };
    rc = asy__update_create(&run->job->hyper, run->n_batches, run->job->max, spans, n,
                            run->learner.n_params, &run->update, err);
    free(spans);
    return rc;
}

/* For the metrics of the validation part that need more than sums. */
static int plan_tally(struct asy__run *run, struct asy_error *err)
{
    const size_t *start = run->data->start;
    size_t rows = start[ASY__VALIDATION + 1] - start[ASY__VALIDATION], begin, end;

    if (!run->data->schema.classification || run->data->tokens || rows == 0)
        return 0;
    if (run->job->hyper.family == ASY__GBDT) /* which divide it otherwise: room for all */
        begin = 0, end = rows;
    else
        asy__own_rows(run->trainer->comm, run->shards, rows, &begin, &end);
    return asy__tally_create(run->data->schema.classes.n, rows, begin, end,
                             (run->job->wants & ASY__WANTS_AREA) != 0, &run->tally, err);
}

/* Whether sums over the whole batch can be had: parts of one are computed one after the other. */
static int check_joins(const struct asy__run *run, struct asy_error *err)
{
    const char *why = run->job->strict ? "resources.reproducible: strict"
                      : run->job->hyper.accumulate > 1 ? "accumulate" : NULL;

    if (!run->learner.joins || !why)
        return 0;
    return asy_fail(err, ASY_E_INVAL, "%s computes parts of a batch one by one, batch "
                    "normalisation needs it whole; norm: layer does not", why);
}

static int plan(struct asy__run *run, struct asy_error *err)
{
    const struct asy__hyper *hyper = &run->job->hyper;
    int rc;

    if ((rc = asy__loss_check(hyper, &run->data->schema, err)) < 0)
        return rc;
    if (run->plugged) {
        rc = asy__plugged_learner(run->plugged, rows_at_once(run), &run->learner, err);
        run->state.n_params = run->learner.n_params;
        return rc < 0 ? rc : plan_update(run, err);
    }
    if ((rc = plan_tally(run, err)) < 0)
        return rc;
    if (asy__family_is_net((enum asy__family)hyper->family)) {
        rc = asy__family_net(hyper, &run->data->schema, rows_at_once(run), EVAL_ROWS, &run->net,
                             err);
        if (rc < 0)
            return rc;
        run->learner = asy__net_learner(run->net, NULL, NULL);
        if ((rc = check_joins(run, err)) < 0)
            return rc;
        if (asy_comm_size(run->trainer->comm) > 1)
            run->learner.comm = run->trainer->comm;
        run->state.n_params = run->learner.n_params;
        run->state.n_buffers = run->learner.n_buffers;
        return plan_update(run, err);
    }
    rc = asy__trees_create(hyper, run->job->seed, run->data, run->trainer->comm, &run->trees, err);
    if (rc == 0)
        run->state.trees = asy__trees_get(run->trees);
    return rc;
}

/* Into how many parts a batch goes. */
static int divide(struct asy__run *run, struct asy_error *err)
{
    int ranks = asy_comm_size(run->trainer->comm);

    run->shards = (size_t)ranks;
    if (!run->job->strict || run->job->hyper.family == ASY__GBDT) /* trees always are */
        return 0;
    run->shards = ASY__STRICT_SHARDS;
    if (ranks > ASY__STRICT_SHARDS)
        return asy_fail(err, ASY_E_INVAL, "resources.reproducible: strict is for at most %d ranks, "
                        "not %d", ASY__STRICT_SHARDS, ranks);
    return 0;
}

/* Whether the family learns from such data; rows of a sequence are as long as it wants them. */
static int fit_data(struct asy__run *run, struct asy_error *err)
{
    const struct asy__hyper *hyper = &run->job->hyper;
    int rc = asy__family_check((enum asy__family)hyper->family, &run->data->schema, err);

    if (rc < 0 || !run->data->tokens)
        return rc;
    return asy__tokens_window(&run->trainer->data, (size_t)hyper->context, err);
}

static int set_up(struct asy__run *run, struct asy_error *err)
{
    const struct asy__job *job = run->job;
    int has_data = asy__plugged_has_data(job), rc;
    size_t batch;

    if ((rc = divide(run, err)) < 0 ||
        (!has_data && (rc = get_data(run->trainer, job, err)) < 0))
        return rc;
    run->data = &run->trainer->data;
    if (!has_data && (rc = fit_data(run, err)) < 0)
        return rc;
    if (job->plugin && (rc = plug_in(run, has_data ? NULL : run->data, err)) < 0)
        return rc;
    run->n_train = run->data->start[ASY__TRAIN + 1];
    batch = job->hyper.family == ASY__GBDT ? run->n_train : (size_t)job->hyper.batch_size;
    run->batch = batch < run->n_train ? batch : run->n_train;
    run->n_batches = (run->n_train + run->batch - 1) / run->batch;
    if ((!run->plugged && (rc = asy__metric_check(run->data, job->metric, err)) < 0) ||
        (rc = plan(run, err)) < 0 || (rc = lay_out(run, err)) < 0)
        return rc;
    return weigh_classes(run, err);
}

static int share_state(struct asy__run *run, struct asy_error *err)
{
    struct asy_comm *comm = run->trainer->comm;
    struct asy__state *s = &run->state;
    float *blocks[] = { s->params, s->m, s->v, s->mean };
    size_t first, end;
    int rc;

    if ((rc = asy_comm_bcast(comm, &s->progress, sizeof s->progress, 0, err)) < 0 ||
        (rc = asy_comm_bcast(comm, run->partials, run->shards * sizeof *run->partials, 0, err)) < 0)
        return rc;
    for (size_t i = 0; i < ASY_ARRAY_LEN(blocks) && !run->trees; i++)
        if (blocks[i] && (rc = asy_comm_spread(comm, blocks[i], s->n_params, err)) < 0)
            return rc;
    if (s->n_buffers &&
        (rc = asy_comm_bcast(comm, s->buffers, s->n_buffers * sizeof *s->buffers, 0, err)) < 0)
        return rc;
    asy__own_shards(comm, run->shards, &first, &end);
    memset(run->partials, 0, first * sizeof *run->partials);
    memset(run->partials + end, 0, (run->shards - end) * sizeof *run->partials);
    return 0;
}

/* Rank 0's trees to all, which make the same model of them. */
static int share_trees(struct asy__run *run, struct asy_error *err)
{
    struct asy_comm *comm = run->trainer->comm;
    struct asy_gbdt_packed packed = { 0 };
    int first = asy_comm_rank(comm) == 0, rc = 0;
    uint64_t n[2] = { 0, 0 };

    if (asy_comm_size(comm) == 1)
        return 0;
    if (first)
        rc = asy_gbdt_pack(run->state.trees, SIZE_MAX, &packed, err);
    n[0] = packed.n_trees;
    n[1] = packed.n_nodes;
    if ((rc = asy__agree(comm, rc, err)) < 0 ||
        (rc = asy_comm_bcast(comm, n, sizeof n, 0, err)) < 0)
        goto out;
    if (!first)
        rc = asy_gbdt_packed_init((size_t)n[0], (size_t)n[1], &packed, err);
    if ((rc = asy__agree(comm, rc, err)) == 0 &&
        (rc = asy_comm_bcast(comm, packed.trees, n[0] * sizeof *packed.trees, 0, err)) == 0 &&
        (rc = asy_comm_bcast(comm, packed.nodes, n[1] * ASY_GBDT_FIELDS * sizeof *packed.nodes, 0,
                             err)) == 0 && !first)
        rc = asy_gbdt_unpack(run->state.trees, &packed, err);
    rc = asy__agree(comm, rc, err);
out:
    asy_gbdt_packed_fini(&packed);
    return rc;
}

/* The last preparation that can fail on one rank alone. */
static int start_trees(struct asy__run *run, struct asy_error *err)
{
    return asy__agree(run->trainer->comm, asy__trees_start(run->trees, err), err);
}

/* One rank of a node lets the running mean begin at the first weights. */
static void begin_mean(struct asy__run *run)
{
    struct asy__state *s = &run->state;

    if (s->mean && asy_comm_local_rank(run->trainer->comm) == 0)
        memcpy(s->mean, s->params, s->n_params * sizeof *s->mean);
}

/* A plug-in is asked on one rank. By all. */
static int init_plugged(struct asy__run *run, struct asy_error *err)
{
    struct asy_comm *comm = run->trainer->comm;
    int rc = 0;

    if (asy_comm_rank(comm) == 0)
        rc = asy__plugged_init(run->plugged, run->state.params, err);
    if ((rc = asy__agree(comm, rc, err)) < 0 ||
        (rc = asy_comm_spread(comm, run->state.params, run->state.n_params, err)) < 0)
        return rc;
    begin_mean(run);
    asy_comm_settle(comm);
    return 0;
}

/* Rank 0 draws them for all: on other machines the logarithms that it takes might be others. */
static int init_values(struct asy__run *run, struct asy_error *err)
{
    struct asy_comm *comm = run->trainer->comm;
    struct asy__state *s = &run->state;
    int rc;

    run->learner.type->init(&run->learner, run->job->seed,
                            asy_comm_rank(comm) == 0 ? s->params : NULL, s->buffers);
    if ((rc = asy_comm_spread(comm, s->params, s->n_params, err)) < 0)
        return rc;
    begin_mean(run);
    asy_comm_settle(comm);
    return asy_comm_bcast(comm, s->buffers, s->n_buffers * sizeof *s->buffers, 0, err);
}

static int start_or_resume(struct asy__run *run, const char *resume, struct asy_error *err)
{
    struct asy_comm *comm = run->trainer->comm;
    struct asy__progress *p = &run->state.progress;
    int rc = 0;

    p->best = p->last = NAN;
    p->plateau = (struct asy__plateau)ASY__PLATEAU_INIT;
    if (!resume && run->trees)
        return start_trees(run, err);
    if (!resume && run->plugged)
        return init_plugged(run, err);
    if (!resume)
        return init_values(run, err);
    if (asy_comm_rank(comm) == 0) {
        rc = asy__checkpoint_read(resume, run->identity, &run->state, run->partials,
                                   run->shards, err);
        if (rc == 0 && (p->batch >= run->n_batches || p->epoch > run->job->max))
            rc = asy_fail(err, ASY_E_CORRUPT, "cannot resume: checkpoint '%.80s' stands beyond "
                          "the end", resume);
    }
    if ((rc = asy__agree(comm, rc, err)) < 0 || (rc = share_state(run, err)) < 0)
        return rc;
    if (!run->trees)
        return run->plugged ? asy__plugged_resume(run->plugged, err) : 0;
    return (rc = share_trees(run, err)) < 0 ? rc : start_trees(run, err);
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
    asy_buf_init(&identity, 1u << 20);
    if (!result) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for a result");
        goto out;
    }
    rc = callbacks->prepare ? callbacks->prepare(callbacks->arg, err) : 0;
    if (rc == 0 && (rc = asy__job_read(job_json, &job, err)) == 0)
        rc = set_up(&run, err);
    if ((rc = asy__agree(trainer->comm, rc, err)) < 0)
        goto out;
    rc = share(&run, err);
    if ((rc = asy__agree(trainer->comm, rc, err)) < 0)
        goto out;
    asy__job_identity(&job, run.data, &identity);
    run.identity = identity.data;
    if ((rc = asy_buf_check(&identity, "the job's identity", err)) < 0 ||
        (rc = start_or_resume(&run, resume, err)) < 0 ||
        (rc = asy__run_epochs(&run, result, err)) < 0 ||
        (rc = asy__put_away(&run, result, err)) < 0)
        goto out;
    *ret_result = *result;
out:
    atomic_store_explicit(&trainer->request, ASY_TRAIN_GO_ON, memory_order_relaxed);
    asy__trees_destroy(run.trees);
    asy__net_destroy(run.net);
    asy__plugged_destroy(run.plugged);
    asy__update_destroy(run.update);
    asy__tally_destroy(run.tally);
    asy__job_fini(&job);
    asy_buf_fini(&identity);
    free(result);
    return rc;
}
