/* SPDX-License-Identifier: Apache-2.0
 * memory.c - the memory of a training, taken once before its first step: a rank's own, and what
 * the ranks of a node have in common. */
#include "trainer_impl.h"
#include <stdlib.h>
#include <string.h>

static float *take(float **memory, size_t n)
{
    float *here = *memory;

    *memory += (n + 15) / 16 * 16;
    return here;
}

/* What this rank needs for itself, in one block: kept if it is large enough for the next job. */
int asy__memory_own(struct asy__run *run, struct asy_error *err)
{
    struct asy__place *place = run->place;
    size_t n_params = run->learner.n_params, n_buffers = run->learner.n_buffers;
    size_t best = asy_comm_rank(run->trainer->comm) == 0 ? n_params + n_buffers : 0;
    size_t mine = run->kind->whole ? 0 : asy__gradient_rows(run);
    size_t width = run->data->schema.n_features;
    size_t own = run->kind->room ? run->kind->room(run) : 0, room;
    size_t score = run->shards * sizeof(struct asy__score) / sizeof(float);
    size_t labels = mine * asy__data_labels(run->data);
    size_t piece = run->job->hyper.accumulate > 1 ? n_params : 0; /* trees: 0 */
    float *at;

    room = best + n_buffers + own + mine * (width + 2) + labels + 2 * score + piece + 16 * 16;
    if (room > place->arena_len) {
        free(place->arena);
        place->arena_len = 0;
        if (posix_memalign((void **)&place->arena, 64, room * sizeof *at)) {
            place->arena = NULL;
            return asy_fail(err, ASY_E_NOMEM, "no memory for batches of %zu", run->batch);
        }
        place->arena_len = room;
    }
    at = place->arena;
    memset(at, 0, room * sizeof *at);
    run->state.best = best ? take(&at, best) : NULL;
    run->x = take(&at, mine * width);
    run->label = (int32_t *)(void *)take(&at, labels);
    run->target = take(&at, mine);
    run->rows = (uint32_t *)(void *)take(&at, mine);
    run->partials = (struct asy__score *)(void *)take(&at, score);
    run->sums = (struct asy__score *)(void *)take(&at, score);
    run->piece = piece ? take(&at, piece) : NULL;
    run->state.buffers = run->learner.buffers = take(&at, n_buffers);
    return run->kind->bind ? run->kind->bind(run, at, err) : 0;
}

#define RIDERS 16 /* floats, so that what follows them begins where a vector does */
#define SPARE_MAX (4u << 20) /* parameters: of more, no cache keeps what was read in a step */

static int has_spare(const struct asy__run *run)
{
    return run->update && !run->local.comm && run->learner.n_params <= SPARE_MAX &&
           asy_comm_local_size(run->trainer->comm) > 1;
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

/* In this rank's array (NULL: not there yet): gradient and riders, or, where ranks make steps
 * alone, what it has by itself, riders behind what is averaged. Returns how long it is. */
static size_t place_own(struct asy__run *run, float *own)
{
    const struct asy__hyper *hyper = &run->job->hyper;
    struct asy__local *local = &run->local;
    size_t each = (run->learner.n_params + 15) / 16 * 16;
    int m, v;

    run->ride = run->learner.n_params;
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
