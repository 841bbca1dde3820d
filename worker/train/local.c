/* SPDX-License-Identifier: Apache-2.0
 * local.c - steps that ranks make alone (`sync_every`): local SGD, and DiLoCo (Douillard et al.
 * 2023, arXiv 2311.08105, algorithm 1).
 *
 * Each rank trains parameters and an optimiser of its own, by its rows of each batch. After
 * sync_every batches, and at the end of an epoch, the ranks meet: what they have is averaged, and
 * an outer step of Nesterov's momentum goes from the last joint parameters towards the mean. So an
 * epoch ends, a checkpoint is made and a request takes effect where there is one state for all.
 *
 * The optimiser's moments are averaged with the parameters (one of the choices of SlowMo, Wang et
 * al. 2019, arXiv 1910.00643): three arrays go where one might, but a checkpoint is what it always
 * was, of any number of ranks. Moments that stay with each rank were rejected for that. */
#include "trainer_impl.h"
#include <string.h>

static int is_last(const struct asy__run *run)
{
    uint64_t next = run->state.progress.batch + 1;

    return next % (uint64_t)run->job->hyper.sync_every == 0 || next == run->n_batches;
}

/* The arrays of a state, NULL or in the order in which they lie behind each other. */
#define ARRAYS 3

/* From the joint state: after a meeting, and wherever a training begins or goes on, which may be
 * between two meetings: in a population, where a checkpoint was made with others. */
static void part(struct asy__run *run)
{
    const struct asy__state *s = &run->state;
    struct asy__local *local = &run->local;
    const float *from[ARRAYS] = { s->params, s->m, s->v };
    float *to[ARRAYS] = { local->params, local->m, local->v };

    for (size_t i = 0; i < ARRAYS; i++)
        if (to[i])
            memcpy(to[i], from[i], s->n_params * sizeof *to[i]);
    local->failed = 0;
    local->loss = 0;
    local->rows = 0;
    local->apart = 1;
}

/* This rank's rows of a batch of n; the mean is over them alone. */
static void step_alone(struct asy__run *run, size_t n, struct asy_error *err)
{
    struct asy__local *local = &run->local;
    size_t shard = run->memory.first, begin = asy__share_begin(n, shard, run->shards);
    size_t rows = asy__share_begin(n, shard + 1, run->shards) - begin;
    struct asy__update_memory memory = { local->params, local->m, local->v, NULL, local->room };
    struct asy_comm_sum sum = { local->grads, 0, run->learner.n_params };
    double loss = 0;

    local->rows += n;
    if (local->failed || rows == 0)
        return;
    run->learner.params = local->params;
    local->failed = asy__gradient_pass(run, shard, n, rows, local->grads, &loss, err);
    local->loss += loss;
    if (!local->failed)
        asy__update_step(run->update, &memory, local->comm, &sum, run->state.progress.step + 1,
                         run->state.progress.plateau.cut);
}

/* Entry by entry: g = joint - mean, u = momentum u + g, joint -= rate (g + momentum u). */
static void outer_step(const struct asy__hyper *h, size_t n, const float *mean, float *joint,
                       float *u)
{
    float rate = (float)h->outer_lr, momentum = (float)h->outer_momentum;

    if (!u && rate == 1) {
        memcpy(joint, mean, n * sizeof *joint);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        float g = joint[i] - mean[i];

        if (u) {
            u[i] = momentum * u[i] + g;
            g += momentum * u[i];
        }
        joint[i] -= rate * g;
    }
}

/* This rank's part of the sum: of the parameters and of the moments behind them. */
static void take_mean(struct asy__run *run, const struct asy_comm_sum *sum)
{
    const struct asy__state *s = &run->state;
    float share = (float)asy_comm_size(run->trainer->comm);
    float *joint[ARRAYS] = { s->params, s->m, s->v };

    for (size_t i = sum->from; i < sum->to; i++)
        sum->x[i] /= share;
    for (size_t a = 0; a < ARRAYS; a++) {
        size_t begin = a * run->local.each, end = begin + s->n_params;
        size_t from = sum->from > begin ? sum->from : begin, to = sum->to < end ? sum->to : end;

        if (!joint[a] || from >= to)
            continue;
        if (a == 0)
            outer_step(&run->job->hyper, to - from, sum->x + from, joint[a] + from,
                       s->outer ? s->outer + from : NULL);
        else
            memcpy(joint[a] + from - begin, sum->x + from, (to - from) * sizeof *sum->x);
    }
}

static int meet(struct asy__run *run, struct asy_error *err)
{
    struct asy_comm *comm = run->trainer->comm;
    struct asy_comm_sum sum;
    int rc;

    run->learner.params = run->state.params;
    run->local.apart = 0;
    asy__riders_set(run, 0, run->local.loss, run->local.failed < 0);
    if ((rc = asy__riders_sum(run, run->local.failed, &sum, err)) < 0)
        return rc;
    if (!run->diverged) {
        asy_comm_add_up(comm, &sum, sum.from, sum.to);
        take_mean(run, &sum);
    }
    asy_comm_settle(comm);
    run->rode = run->local.rows;
    return 0;
}

int asy__local_batch(struct asy__run *run, size_t n, struct asy_error *err)
{
    if (!run->local.apart)
        part(run);
    step_alone(run, n, err);
    if (is_last(run))
        return meet(run, err);
    memset(run->riders, 0, sizeof run->riders);
    run->rode = 0;
    return 0;
}

int asy__local_check(const struct asy__run *run, struct asy_error *err)
{
    const struct asy__hyper *h = &run->job->hyper;
    int alone = asy_comm_size(run->trainer->comm) == 1;
    const char *why = run->job->strict ? "resources.reproducible: strict gives the same bits for "
                                         "any number of ranks"
                      : h->ema > 0     ? "ema is a mean over the steps of all ranks"
                      : run->kind == &asy__kind_device && alone
                          ? "a device that trains by itself has no others to meet"
                      : run->learner.joins ? "batch normalisation needs a batch as a whole (norm: "
                                             "layer does not)"
                                           : NULL;

    if (h->sync_every == 1 || !why)
        return 0;
    return asy_fail(err, ASY_E_INVAL, "with sync_every above 1 ranks make steps alone, %s", why);
}
