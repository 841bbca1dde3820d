/* SPDX-License-Identifier: Apache-2.0
 * gradient.c - training by gradients: what networks and plug-ins have in common.
 *
 * A batch is divided into shards, and those among the ranks; each computes the gradients of its
 * own, their sum is taken over all, and each updates its part. A step allocates nothing. */
#include "trainer_impl.h"
#include "comm/agree.h"
#include "data/ahead.h"
#include "data/tokens.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The most rows of a batch that are computed at once: a piece of a shard of it. */
size_t asy__gradient_rows(const struct asy__run *run)
{
    size_t shard = (run->batch + run->shards - 1) / run->shards;
    size_t pieces = (size_t)run->job->hyper.accumulate;

    return (shard + pieces - 1) / pieces;
}

/* Rounded sums are for gradients, which are made anew for each step. */
static int check_wire(const struct asy__run *run, struct asy_error *err)
{
    const struct asy__hyper *h = &run->job->hyper;

    if (h->wire == ASY__FP32)
        return 0;
    if (run->job->strict)
        return asy_fail(err, ASY_E_INVAL, "resources.reproducible: strict gives the same bits for "
                        "any nodes, wire: bf16 does not; wire: fp32 does");
    if (h->sync_every > 1)
        return asy_fail(err, ASY_E_INVAL, "wire: bf16 rounds gradients; with sync_every above 1 it "
                        "would round weights, and lose what a step changes of them");
    return 0;
}

/* What an optimiser knows of the parameters: the tensors of a network, of which those of one
 * dimension are biases and the like; of a plug-in it is all one. */
int asy__gradient_plan(struct asy__run *run, struct asy_error *err)
{
    const struct asy__net *net = run->net;
    size_t n = 0, tensors = net ? net->n_tensors : 0;
    struct asy__span *spans;
    int rc = check_wire(run, err);

    if (rc == 0)
        rc = asy__local_check(run, err);
    if (rc == 0 && run->job->hyper.sync_every > 1)
        rc = asy_comm_self(&run->local.comm, err);
    if (rc < 0)
        return rc;
    if (!(spans = calloc(tensors + 1, sizeof *spans)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for the updates of %zu tensors", tensors);
    for (size_t t = 0; t < tensors; t++)
        if (!net->tensors[t].is_buffer)
            spans[n++] = (struct asy__span){ net->tensors[t].at, net->tensors[t].n,
                                             net->tensors[t].n_dims > 1,
                                             net->joint ? net->tensors[t].joint
                                                        : net->tensors[t].early };
    if (!net)
        spans[n++] = (struct asy__span){ 0, run->learner.n_params, 1, 0 };
    run->fused = net && !run->trainer->team && run->shards == 1 &&
                 run->job->hyper.accumulate == 1 && asy__update_is_local(&run->job->hyper);
    rc = asy__update_create(&run->job->hyper, run->n_batches, run->job->max, spans, n,
                            run->learner.n_params, &run->update, err);
    free(spans);
    run->state.n_params = run->learner.n_params;
    run->state.n_buffers = run->learner.n_buffers;
    return rc;
}

/* One rank of a node lets the running mean begin at the first weights. */
void asy__gradient_begin_mean(struct asy__run *run)
{
    struct asy__state *s = &run->state;

    if (s->mean && asy_comm_local_rank(run->trainer->comm) == 0)
        memcpy(s->mean, s->params, s->n_params * sizeof *s->mean);
}

/* Rank 0 draws them for all: on other machines the logarithms that it takes might be others. */
int asy__gradient_begin(struct asy__run *run, struct asy_error *err)
{
    struct asy_comm *comm = run->trainer->comm;
    struct asy__state *s = &run->state;
    int rc;

    run->learner.type->init(&run->learner, run->job->seed,
                            asy_comm_rank(comm) == 0 ? s->params : NULL, s->buffers);
    if ((rc = asy_comm_spread(comm, s->params, s->n_params, err)) < 0)
        return rc;
    asy__gradient_begin_mean(run);
    asy_comm_settle(comm);
    return asy_comm_bcast(comm, s->buffers, s->n_buffers * sizeof *s->buffers, 0, err);
}

/* What a thread of the team takes part in. */
struct part {
    struct asy__run *run;
    size_t rows, place;             /* of a batch: how many, and the first one's */
    const struct asy_comm_sum *sum; /* of an update */
};

static void gather_some(void *arg, size_t part, size_t parts)
{
    const struct part *whole = arg;
    struct asy__run *run = whole->run;
    size_t width = run->data->schema.n_features, i, end;

    for (asy_team_part(whole->rows, 1, part, parts, &i, &end); i < end; i++) {
        size_t row = run->rows[i];

        if (run->data->tokens) {
            asy__tokens_row(run->data, row, run->later, run->x + i * width, run->label + i * width);
            continue;
        }
        if (i + ASY__ROWS_AHEAD < end)
            asy__row_ahead(run->data->x + run->rows[i + ASY__ROWS_AHEAD] * width, width);
        if (run->augment.column)
            asy__augment_row(&run->augment, run->state.progress.step, whole->place + i,
                             run->data->x + row * width, run->x + i * width);
        else
            memcpy(run->x + i * width, run->data->x + row * width, width * sizeof *run->x);
        run->label[i] = run->data->label[row];
        run->target[i] = run->data->target[row];
    }
}

/* Numbers from which on the team's threads gain by sharing them out. */
#define MANY ((size_t)32768)

/* The epoch's order is a function of seed and epoch alone, so no resumption can change it; each
 * rank works out its own rows of it. */
void asy__gradient_gather(struct asy__run *run, size_t from, size_t rows)
{
    size_t place = from - (size_t)run->state.progress.batch * run->batch;
    struct part whole = { run, rows, place, NULL };
    /* (who augments has one place for what he works out) */
    int alone = rows * run->data->schema.n_features < MANY || run->augment.column;

    asy_shuffle_get(&run->shuffle, from, rows, run->rows);
    if (run->data->x) /* a plug-in may have its own */
        asy_team_run(alone ? NULL : run->trainer->team, gather_some, &whole);
}

struct asy__update_memory asy__gradient_memory(const struct asy__run *run)
{
    const struct asy__state *s = &run->state;

    return (struct asy__update_memory){ run->spare ? run->spare : s->params, s->m, s->v, s->mean,
                                        run->update_room };
}

/* A block of the gradient of a fused step. The loss is known by then; one that is no number ends
 * the training with the parameters as they were. */
static void take_block(void *arg, size_t at, const struct asy_block *block, const float *g)
{
    const struct asy__run *run = arg;

    if (isfinite((float)(run->partials[0].loss - run->loss_before)))
        asy__update_block(&run->pass, at, block, g);
}

/* Lets the gradient's blocks go to the update while they are made: there is one rank. */
static void begin_fused(struct asy__run *run)
{
    struct asy__update_memory memory = asy__gradient_memory(run);

    run->taker = (struct asy_op_taker){ .take = take_block, .arg = run };
    run->taker.n_near = asy__update_near(&memory, run->taker.near);
    run->learner.taker = &run->taker;
    run->loss_before = run->partials[0].loss;
    run->pass = asy__update_begin(run->update, &memory, run->state.progress.step + 1,
                                  run->state.progress.plateau.cut);
}

#define AT_ONCE 8192 /* entries of a part: with all that belongs to them they stay near the core */

/* Entries from..to of this rank's part, of a gradient that is added up there. */
static void update_some(struct asy__run *run, const struct asy_comm_sum *sum, size_t from,
                        size_t to)
{
    const struct asy__state *s = &run->state;
    struct asy__update_memory memory = asy__gradient_memory(run);
    struct asy_comm_sum some = { sum->x, from, to };

    if (run->spare)
        memcpy(run->spare + from, s->params + from, (to - from) * sizeof *s->params);
    asy__update_step(run->update, &memory, run->trainer->comm, &some, s->progress.step + 1,
                     s->progress.plateau.cut);
}

static void update_part(void *arg, size_t i, size_t n)
{
    const struct part *whole = arg;
    const struct asy_comm_sum *sum = whole->sum;
    size_t from, to;

    asy_team_part(sum->to - sum->from, ASY_COMM_BLOCK, i, n, &from, &to);
    for (size_t at = from, end; at < to; at = end) {
        end = to - at < AT_ONCE ? to : at + AT_ONCE;
        update_some(whole->run, sum, sum->from + at, sum->from + end);
    }
}

void asy__gradient_update(struct asy__run *run, const struct asy_comm_sum *sum)
{
    int in_parts = asy_comm_local_size(run->trainer->comm) > 1 &&
                   asy__update_is_local(&run->job->hyper);
    size_t at_once = in_parts ? AT_ONCE : run->learner.n_params, at = sum->from, to;

    do { /* once at least: norms are of all ranks */
        to = sum->to - at < at_once ? sum->to : at + at_once;
        asy_comm_add_up(run->trainer->comm, sum, at, to);
        update_some(run, sum, at, to);
        at = to;
    } while (at < sum->to);
}

/* This rank's part of the parameters; the others of its node do the rest. Where several ranks have
 * read them, their caches all hold them, and each line that is written there must be taken away
 * from the others: they go where nobody has been since the step before. */
static void update(struct asy__run *run, const struct asy_comm_sum *sum)
{
    float *params = run->state.params;
    struct part whole = { run, 0, 0, sum };
    int in_team = run->trainer->team && asy__update_is_local(&run->job->hyper);

    if (in_team && sum->to - sum->from >= MANY) {
        asy_comm_add_up(run->trainer->comm, sum, sum->from, sum->to);
        asy_team_run(run->trainer->team, update_part, &whole);
    } else {
        asy__gradient_update(run, sum);
    }
    if (!run->spare)
        return;
    run->learner.params = run->state.params = run->spare;
    run->spare = params;
}

/* The gradient of rows begin.. of a batch. */
static int pass_piece(struct asy__run *run, size_t shard, size_t begin, size_t rows, size_t of,
                      float *grads, struct asy_error *err)
{
    size_t from = (size_t)run->state.progress.batch * run->batch + begin;
    struct asy__batch batch = { rows, begin, run->x, run->label, run->target,
                                1.0f / (float)(of * asy__data_labels(run->data)),
                                run->job->seed, run->state.progress.step, run->rows,
                                shard };

    asy__gradient_gather(run, from, rows);
    return run->learner.type->gradient(&run->learner, &batch, grads, &run->partials[shard], err);
}

int asy__gradient_pass(struct asy__run *run, size_t shard, size_t n, size_t of, float *grads,
                       double *ret_loss, struct asy_error *err)
{
    size_t pieces = (size_t)run->job->hyper.accumulate;
    size_t begin = asy__share_begin(n, shard, run->shards), params = run->learner.n_params;
    size_t rows = asy__share_begin(n, shard + 1, run->shards) - begin, done = 0;
    struct asy__score *score = &run->partials[shard];
    double before = score->loss;
    int rc = 0;

    for (size_t p = 0; p < pieces && rc == 0; p++) {
        size_t from = asy__share_begin(rows, p, pieces), to = asy__share_begin(rows, p + 1, pieces);
        float *into = done ? run->piece : grads;

        if (from == to && !run->learner.joins)
            continue;
        rc = pass_piece(run, shard, begin + from, to - from, of, into, err);
        if (done && rc == 0)
            asy_sum_rows(2, params, (const float *const[]){ grads, into }, grads);
        done = to;
    }
    if (!rows)
        memset(grads, 0, params * sizeof *grads);
    *ret_loss = score->loss - before;
    return rc;
}

/* Who sends on what is whole of a gradient. */
struct sender {
    struct asy__run *run;
    struct asy_error *err;
    int rc;
};

static void send_on(void *arg, const struct asy_op *op, size_t n)
{
    struct sender *sender = arg;
    const struct asy__run *run = sender->run;

    if (sender->rc == 0)
        sender->rc = asy_comm_ready(run->trainer->comm, asy__net_order_whole(run->order, op, n),
                                    sender->err);
}

/* This rank's i-th shard of a batch of n rows. When the last one's gradient is whole, all are. */
static int pass(struct asy__run *run, size_t i, size_t n, struct asy_error *err)
{
    struct sender sender = { run, err, 0 };
    double loss = 0;
    int rc;

    if (run->order && i + 1 == run->memory.count && run->job->hyper.accumulate == 1) {
        run->learner.between = send_on;
        run->learner.between_arg = &sender;
    }
    rc = asy__gradient_pass(run, run->memory.first + i, n, n,
                            run->memory.own + i * run->memory.stride, &loss, err);
    run->learner.between = NULL;
    rc = rc < 0 ? rc : sender.rc;
    asy__riders_set(run, i, loss, rc < 0);
    return rc;
}

int asy__gradient_batch(struct asy__run *run, size_t n, struct asy_error *err)
{
    struct asy_comm *comm = run->trainer->comm;
    struct asy_comm_sum sum;
    int rc, failed = 0, joint = asy__joint_can(run, n);

    if (run->local.comm)
        return asy__local_batch(run, n, err);
    run->learner.leaves = joint;
    if (run->fused)
        begin_fused(run);
    for (size_t i = 0; i < run->memory.count && failed == 0; i++)
        failed = pass(run, i, n, err);
    if ((rc = asy__riders_sum(run, failed, &sum, err)) < 0)
        return rc;
    if (!run->diverged && run->fused)
        asy__update_rest(&run->pass, run->memory.own);
    else if (!run->diverged && joint)
        asy__joint_update(run, &sum, n);
    else if (!run->diverged)
        update(run, &sum);
    asy_comm_settle(comm);
    return 0;
}

/* The learner as it is validated and stored. */
struct asy__learner asy__gradient_judged(const struct asy__run *run)
{
    struct asy__learner learner = run->learner;

    learner.params = run->state.mean ? run->state.mean : run->state.params;
    return learner;
}
