/* SPDX-License-Identifier: Apache-2.0
 * memory.c - the memory of a training, taken once before its first step: a rank's own, and what
 * the ranks of a node have in common. */
#include "trainer_impl.h"
#include <stdlib.h>
#include <string.h>
#include <asy/pages.h>

static float *take(float **memory, size_t n)
{
    float *here = *memory;

    *memory += (n + 15) / 16 * 16;
    return here;
}

/* A block of which parts are taken one after the other; at NULL: they are counted. */
struct block {
    float *at;
    size_t n;
};

static float *part_of(struct block *block, size_t n)
{
    float *here = block->at ? block->at + block->n : NULL;

    block->n += (n + 15) / 16 * 16;
    return here;
}

/* What a training goes on from. Returns what its kind keeps. */
static float *place_kept(struct asy__run *run, struct block *block)
{
    size_t score = run->shards * sizeof(struct asy__score) / sizeof(float);
    size_t n_buffers = run->learner.n_buffers, best = run->learner.n_params + n_buffers;

    if (asy_comm_rank(run->trainer->comm) > 0)
        best = 0;
    run->state.best = best ? part_of(block, best) : NULL;
    run->partials = (struct asy__score *)(void *)part_of(block, score);
    run->sums = (struct asy__score *)(void *)part_of(block, score);
    run->state.buffers = run->learner.buffers = part_of(block, n_buffers);
    return part_of(block, run->kind->own ? run->kind->own(run) : 0);
}

/* Others of the node read what this rank's gradients are made of. */
static int is_joint(const struct asy__run *run)
{
    return run->net && run->net->joint;
}

/* What means nothing between two batches. Returns its kind's room. */
static float *place_passing(struct asy__run *run, struct block *block)
{
    size_t mine = run->kind->whole ? 0 : asy__gradient_rows(run);
    size_t piece = run->job->hyper.accumulate > 1 ? run->learner.n_params : 0; /* trees: 0 */

    run->x = is_joint(run) ? NULL /* see place_joint() */
                           : part_of(block, mine * run->data->schema.n_features);
    run->label = (int32_t *)(void *)part_of(block, mine * asy__data_labels(run->data));
    run->target = part_of(block, mine);
    run->rows = (uint32_t *)(void *)part_of(block, mine);
    run->piece = piece ? part_of(block, piece) : NULL;
    return part_of(block, run->kind->room ? run->kind->room(run) : 0);
}

/* Kept if it is large enough for the next job; n zeros. */
static int grow(struct asy__arena *arena, size_t n, const struct asy__run *run,
                struct asy_error *err)
{
    if (n > arena->n) {
        free(arena->at);
        *arena = (struct asy__arena){ NULL, 0 };
        if (!(arena->at = asy_pages_alloc(n * sizeof *arena->at)))
            return asy_fail(err, ASY_E_NOMEM, "no memory for batches of %zu", run->batch);
        arena->n = n;
    }
    if (n)
        memset(arena->at, 0, n * sizeof *arena->at);
    return 0;
}

static int own_one(struct asy__run *run, struct asy_error *err)
{
    struct block passing = { run->trainer->passing.at, 0 }, kept = { NULL, 0 };
    float *own, *room;
    int rc;

    place_kept(run, &kept);
    if ((rc = grow(&run->place->arena, kept.n, run, err)) < 0)
        return rc;
    kept = (struct block){ run->place->arena.at, 0 };
    own = place_kept(run, &kept);
    room = place_passing(run, &passing);
    return run->kind->bind ? run->kind->bind(run, own, room, err) : 0;
}

/* What this rank needs for itself: a block for each of the runs, and one that they share. */
int asy__memory_own(struct asy__run *runs, size_t n, struct asy_error *err)
{
    size_t most = 0;
    int rc;

    for (size_t i = 0; i < n; i++) {
        struct block passing = { NULL, 0 };

        place_passing(&runs[i], &passing);
        most = passing.n > most ? passing.n : most;
    }
    rc = most ? grow(&runs->trainer->passing, most, runs, err) : 0;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = own_one(&runs[i], err);
    return rc;
}

#define RIDERS 16 /* floats, so that what follows them begins where a vector does */
#define SPARE_MAX (4u << 20) /* parameters: of more, no cache keeps what was read in a step */

static int has_spare(const struct asy__run *run)
{
    return run->update && !run->local.comm && !is_joint(run) &&
           run->learner.n_params <= SPARE_MAX && asy_comm_local_size(run->trainer->comm) > 1;
}

static int has_outer(const struct asy__run *run)
{
    return run->local.comm && run->job->hyper.outer_momentum > 0;
}

/* Floats of what the ranks of a node have in common. */
static size_t common_of(const struct asy__run *run)
{
    const struct asy__hyper *hyper = &run->job->hyper;
    size_t each = (run->learner.n_params + 15) / 16 * 16;

    if (!run->update)
        return each;
    return (size_t)(1 + asy__update_keeps_mean(hyper) + asy__update_keeps_squares(hyper) +
                    (hyper->ema > 0) + has_outer(run) + has_spare(run)) * each +
           (asy__update_room(run->update) + 15) / 16 * 16;
}

static void place(struct asy__run *run, float **at)
{
    const struct asy__hyper *hyper = &run->job->hyper;
    size_t n = run->learner.n_params;
    int m = run->update && asy__update_keeps_mean(hyper);
    int v = run->update && asy__update_keeps_squares(hyper);

    run->learner.params = run->state.params = take(at, n);
    run->state.m = m ? take(at, n) : NULL;
    run->state.v = v ? take(at, n) : NULL;
    run->state.mean = hyper->ema > 0 && run->update ? take(at, n) : NULL;
    run->state.outer = has_outer(run) ? take(at, n) : NULL;
    run->spare = has_spare(run) ? take(at, n) : NULL;
    run->update_room = take(at, run->update ? asy__update_room(run->update) : 0);
    run->state.m_may_lack = run->job->population && !v;
    run->state.mean_may_lack = run->job->population;
    run->state.outer_may_lack = run->job->population;
}

/* Gradient and riders, then what joint gradients are made of. */
static size_t place_joint(struct asy__run *run, float *own)
{
    size_t rows = asy__gradient_rows(run) * run->data->schema.n_features;

    run->input = (run->ride + ASY__RIDES + 15) / 16 * 16;
    run->work = run->input + (rows + 15) / 16 * 16;
    if (own) {
        run->x = own + run->input;
        asy__net_work(run->net, own + run->work);
    }
    return run->work + run->net->n_work;
}

/* In this rank's array (NULL: not there yet): gradient and riders, or, where ranks make steps
 * alone, what it has by itself, riders behind what is averaged. Returns how long it is. */
static size_t place_own(struct asy__run *run, float *own)
{
    const struct asy__hyper *hyper = &run->job->hyper;
    struct asy__local *local = &run->local;
    size_t each = (run->learner.n_params + 15) / 16 * 16;
    int m, v;

    run->ride = run->learner.n_params;
    if (is_joint(run))
        return place_joint(run, own);
    if (!local->comm)
        return run->ride + ASY__RIDES;
    m = asy__update_keeps_mean(hyper);
    v = asy__update_keeps_squares(hyper); /* beside means */
    local->each = each;
    run->ride = (size_t)(1 + m + v) * each;
    if (own) {
        local->params = own;
        local->m = m ? own + each : NULL;
        local->v = v ? own + 2 * each : NULL;
        local->grads = own + run->ride + RIDERS;
        local->room = local->grads + each;
    }
    return run->ride + RIDERS + each + asy__update_room(run->update);
}
_Static_assert(ASY__RIDES <= RIDERS, "riders fit before the gradient");

/* What is summed over the ranks, and what the ranks of a node have in common. By all ranks. */
int asy__memory_share(struct asy__run *runs, size_t n, struct asy_error *err)
{
    struct asy_comm_memory memory;
    const struct asy_comm_extent *extents;
    size_t common = 0, most = 0, n_extents;
    float *at;
    int rc;

    for (size_t i = 0; i < n; i++) {
        size_t own = place_own(&runs[i], NULL);

        common += common_of(&runs[i]);
        most = own > most ? own : most;
    }
    rc = asy_comm_share(runs->trainer->comm, runs->shards, most, common, &memory, err);
    if (rc < 0)
        return rc;
    if (runs->job->hyper.wire == ASY__BF16)
        asy_comm_round(runs->trainer->comm);
    at = memory.common;
    for (size_t i = 0; i < n; i++) {
        runs[i].memory = memory;
        place_own(&runs[i], memory.own);
        place(&runs[i], &at);
    }
    if (!runs->order)
        return 0;
    extents = asy__net_order_get(runs->order, &n_extents);
    return asy_comm_order(runs->trainer->comm, extents, n_extents, ASY__RIDES, err);
}
