/* SPDX-License-Identifier: Apache-2.0
 * update.c - see update.h. */
#include "update.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of a tensor, within a block of the memory: one rank has all of it. */
struct piece {
    size_t from, n, span;
};

struct asy__update {
    struct asy__hyper hyper;
    struct asy__schedule schedule;
    struct asy__span *spans; /* in the order of the memory */
    size_t n_spans, n_params, n_blocks;
    struct piece *pieces; /* in the order of the memory; none unless norms of tensors are needed */
    size_t n_pieces;
    struct asy_norms *norms; /* [n_spans] of this step; or NULL */
};

/* ---- planning -------------------------------------------------------------------------------- */

static int goes_by_tensors(const struct asy__hyper *hyper)
{
    return hyper->optimizer == ASY__LAMB || hyper->optimizer == ASY__LARS;
}

static int goes_by_momentum(const struct asy__hyper *hyper)
{
    return hyper->optimizer == ASY__SGD || hyper->optimizer == ASY__LARS;
}

int asy__update_is_local(const struct asy__hyper *hyper)
{
    return !goes_by_tensors(hyper) && hyper->clip == 0;
}

int asy__update_keeps_mean(const struct asy__hyper *hyper)
{
    return !goes_by_momentum(hyper) || hyper->momentum > 0;
}

int asy__update_keeps_squares(const struct asy__hyper *hyper)
{
    return !goes_by_momentum(hyper);
}

static struct asy__schedule schedule_of(const struct asy__hyper *h, uint64_t steps, uint64_t epochs)
{
    return (struct asy__schedule){
        .rule = (enum asy__lr_schedule)h->lr_schedule,
        .lr = h->lr,
        .end = h->lr_end,
        .factor = h->lr_factor,
        .every = (uint64_t)h->lr_every * steps,
        .warmup = (uint64_t)rint(h->warmup * (double)steps),
        .total = steps * epochs,
    };
}

/* Where the block that holds an entry ends. */
static size_t block_end(size_t at)
{
    return (at / ASY_COMM_BLOCK + 1) * ASY_COMM_BLOCK;
}

/* Writes the pieces of all spans, or only counts them. */
static size_t cut_up(const struct asy__span *spans, size_t n_spans, struct piece *ret)
{
    size_t n = 0;

    for (size_t s = 0; s < n_spans; s++)
        for (size_t at = spans[s].from, end = at + spans[s].n, to; at < end; at = to, n++) {
            to = block_end(at) < end ? block_end(at) : end;
            if (ret)
                ret[n] = (struct piece){ at, to - at, s };
        }
    return n;
}

static int by_place(const void *a, const void *b)
{
    const struct asy__span *x = a, *y = b;

    return (x->from > y->from) - (x->from < y->from);
}

int asy__update_create(const struct asy__hyper *hyper, uint64_t steps_per_epoch, uint64_t epochs,
                       const struct asy__span *spans, size_t n_spans, size_t n_params,
                       struct asy__update **ret_update, struct asy_error *err)
{
    struct asy__update *update = calloc(1, sizeof *update);
    int rc = 0;

    if (!update)
        goto nomem;
    update->hyper = *hyper;
    update->schedule = schedule_of(hyper, steps_per_epoch, epochs);
    update->n_params = n_params;
    update->n_blocks = (n_params + ASY_COMM_BLOCK - 1) / ASY_COMM_BLOCK;
    update->n_spans = n_spans;
    if (!(update->spans = calloc(n_spans + 1, sizeof *spans)))
        goto nomem;
    memcpy(update->spans, spans, n_spans * sizeof *spans);
    qsort(update->spans, n_spans, sizeof *spans, by_place);
    if (goes_by_tensors(hyper)) {
        if (!(update->norms = calloc(n_spans + 1, sizeof *update->norms)))
            goto nomem;
        update->n_pieces = cut_up(update->spans, n_spans, NULL);
        if (!(update->pieces = calloc(update->n_pieces + 1, sizeof *update->pieces)))
            goto nomem;
        cut_up(update->spans, n_spans, update->pieces);
    }
    *ret_update = update;
    return 0;
nomem:
    rc = asy_fail(err, ASY_E_NOMEM, "no memory for the updates of %zu tensors", n_spans);
    asy__update_destroy(update);
    return rc;
}

void asy__update_destroy(struct asy__update *update)
{
    int saved = errno;

    if (!update)
        return;
    free(update->spans);
    free(update->pieces);
    free(update->norms);
    free(update);
    errno = saved;
}

#define PER_DOUBLE (sizeof(double) / sizeof(float))

static size_t clip_room(const struct asy__update *update)
{
    return update->hyper.clip > 0 ? (update->n_blocks * PER_DOUBLE + 15) / 16 * 16 : 0;
}

size_t asy__update_room(const struct asy__update *update)
{
    return clip_room(update) + update->n_pieces * 2 * PER_DOUBLE;
}

static struct asy_norms *norms_in(const struct asy__update *update,
                                  const struct asy__update_memory *memory)
{
    return (struct asy_norms *)(void *)(memory->room + clip_room(update));
}
_Static_assert(sizeof(struct asy_norms) == 2 * sizeof(double), "norms are two sums");

/* ---- clipping -------------------------------------------------------------------------------- */

/* By the norm of the whole gradient, as PyTorch's clip_grad_norm_. */
static void clip(const struct asy__update *update, const struct asy__update_memory *memory,
                 struct asy_comm *comm, const struct asy_comm_sum *sum)
{
    double *squares = (double *)(void *)memory->room, total = 0, factor;

    for (size_t at = sum->from, to; at < sum->to; at = to) {
        to = block_end(at) < sum->to ? block_end(at) : sum->to;
        squares[at / ASY_COMM_BLOCK] = asy_sum_squares(to - at, sum->x + at);
    }
    asy_comm_settle(comm);
    for (size_t b = 0; b < update->n_blocks; b++)
        total += squares[b];
    factor = update->hyper.clip / (sqrt(total) + 1e-6);
    if (factor < 1)
        asy_scale(sum->to - sum->from, (float)factor, sum->x + sum->from);
}

/* ---- optimisers ------------------------------------------------------------------------------ */

static struct asy_adam adam_of(const struct asy__hyper *h, double lr)
{
    return (struct asy_adam){ lr, h->beta1, h->beta2, h->epsilon, h->weight_decay };
}

static struct asy_sgd sgd_of(const struct asy__hyper *h, double lr)
{
    return (struct asy_sgd){ (float)lr, (float)h->momentum, (float)h->weight_decay,
                             (int)h->nesterov };
}

/* Those of each tensor, of all ranks' pieces in the order of the memory. */
static void add_up_norms(struct asy__update *update, const struct asy_norms *pieces)
{
    memset(update->norms, 0, update->n_spans * sizeof *update->norms);
    for (size_t p = 0; p < update->n_pieces; p++) {
        struct asy_norms *span = &update->norms[update->pieces[p].span];

        span->weights += pieces[p].weights;
        span->change += pieces[p].change;
    }
}

static float trust_of(const struct asy__update *update, size_t span)
{
    double weights = sqrt(update->norms[span].weights), change = sqrt(update->norms[span].change);
    const struct asy__hyper *h = &update->hyper;

    if (!update->spans[span].adapts || weights == 0 || change == 0)
        return 1;
    if (h->optimizer == ASY__LAMB)
        return (float)(weights / change);
    return (float)(h->trust * weights / (change + h->weight_decay * weights));
}

/* Both passes of LAMB or LARS over this rank's pieces. */
static void step_by_tensors(struct asy__update *update, const struct asy__update_memory *memory,
                            struct asy_comm *comm, const struct asy_comm_sum *sum, uint64_t step,
                            double lr)
{
    struct asy_adam adam = adam_of(&update->hyper, lr);
    struct asy_sgd sgd = sgd_of(&update->hyper, lr);
    struct asy_norms *norms = norms_in(update, memory);
    int lamb = update->hyper.optimizer == ASY__LAMB;
    size_t first = 0, end;

    while (first < update->n_pieces && update->pieces[first].from < sum->from)
        first++;
    for (end = first; end < update->n_pieces && update->pieces[end].from < sum->to; end++) {
        size_t at = update->pieces[end].from, n = update->pieces[end].n;

        if (lamb)
            asy_lamb_moments(&adam, step, n, memory->params + at, sum->x + at, memory->m + at,
                             memory->v + at, &norms[end]);
        else
            norms[end] = (struct asy_norms){ asy_sum_squares(n, memory->params + at),
                                             asy_sum_squares(n, sum->x + at) };
    }
    asy_comm_settle(comm);
    add_up_norms(update, norms);
    for (size_t p = first; p < end; p++) {
        size_t at = update->pieces[p].from, n = update->pieces[p].n;
        float trust = trust_of(update, update->pieces[p].span);

        if (lamb)
            asy_lamb_apply(&adam, step, trust, n, memory->params + at, memory->m + at,
                           memory->v + at);
        else
            asy_lars_apply(&sgd, trust, n, memory->params + at, sum->x + at,
                           memory->m ? memory->m + at : NULL);
    }
}

static void mean_step(const struct asy__update_pass *pass, size_t at, const struct asy_block *block)
{
    const struct asy__update_memory *memory = &pass->memory;

    if (!memory->mean)
        return;
    for (size_t i = 0; i < block->rows; i++, at += block->row)
        asy_mean_step(block->cols, pass->mean_rate, memory->params + at, memory->mean + at);
}

static struct asy_rule rule_of(const struct asy__hyper *hyper, uint64_t step, double lr)
{
    struct asy_adam adam = adam_of(hyper, lr);
    struct asy_sgd sgd = sgd_of(hyper, lr);

    if (goes_by_momentum(hyper))
        return asy_rule_sgd(&sgd);
    return asy_rule_adam(hyper->optimizer == ASY__ADAM_L2 ? ASY_BY_ADAM_L2 : ASY_BY_ADAM, &adam,
                         step);
}

/* By how much the running mean of the weights moves; the first weights are soon forgotten. */
static double mean_rate(const struct asy__update *update, uint64_t step)
{
    double kept = update->hyper.ema, young = (1 + (double)step) / (10 + (double)step);

    return 1 - (kept < young ? kept : young);
}

struct asy__update_pass asy__update_begin(const struct asy__update *update,
                                          const struct asy__update_memory *memory, uint64_t step,
                                          double cut)
{
    double lr = asy__schedule_lr(&update->schedule, step, cut);

    return (struct asy__update_pass){ .update = update, .memory = *memory, .lr = lr,
                                      .mean_rate = (float)mean_rate(update, step),
                                      .rule = rule_of(&update->hyper, step, lr) };
}

size_t asy__update_near(const struct asy__update_memory *memory,
                        const float *ret_near[ASY__UPDATE_NEAR])
{
    const float *const all[ASY__UPDATE_NEAR] = { memory->params, memory->m, memory->v,
                                                 memory->mean };
    size_t n = 0;

    for (size_t i = 0; i < ASY__UPDATE_NEAR; i++)
        if (all[i])
            ret_near[n++] = all[i];
    return n;
}

void asy__update_block(const struct asy__update_pass *pass, size_t at,
                       const struct asy_block *block, const float *g)
{
    const struct asy__update_memory *memory = &pass->memory;

    asy_rule_step(&pass->rule, block, memory->params + at, g, memory->m ? memory->m + at : NULL,
                  memory->v ? memory->v + at : NULL);
    mean_step(pass, at, block);
}

static void step_by_entries(const struct asy__update_pass *pass, size_t at, size_t n,
                            const float *g)
{
    asy__update_block(pass, at, &(struct asy_block){ 1, n, n, n }, g);
}

int asy__update_stretch(const struct asy__update *update, size_t *at, size_t *ret_from,
                        size_t *ret_n)
{
    const struct asy__span *span = update->spans, *end = span + update->n_spans;

    if (*at > update->n_params)
        return 0;
    while (span < end && (!span->early || span->from < *at))
        span++;
    *ret_from = *at;
    *ret_n = (span < end ? span->from : update->n_params) - *at;
    *at = span < end ? span->from + span->n : update->n_params + 1;
    return 1;
}

void asy__update_rest(const struct asy__update_pass *pass, const float *g)
{
    size_t at = 0, from, n;

    while (asy__update_stretch(pass->update, &at, &from, &n))
        step_by_entries(pass, from, n, g + from);
}

void asy__update_step(struct asy__update *update, const struct asy__update_memory *memory,
                      struct asy_comm *comm, const struct asy_comm_sum *sum, uint64_t step,
                      double cut)
{
    size_t at = sum->from, n = sum->to - at;
    struct asy__update_pass pass = asy__update_begin(update, memory, step, cut);

    if (update->hyper.clip > 0)
        clip(update, memory, comm, sum);
    if (!goes_by_tensors(&update->hyper)) {
        step_by_entries(&pass, at, n, sum->x + at);
        return;
    }
    step_by_tensors(update, memory, comm, sum, step, pass.lr);
    mean_step(&pass, at, &(struct asy_block){ 1, n, n, n });
}

struct asy_device_update asy__update_on_device(const struct asy__update *update, uint64_t step,
                                               double cut)
{
    static const enum asy_device_rule rule_of[] = {
        [ASY__SGD] = ASY_RULE_SGD,         [ASY__ADAM] = ASY_RULE_ADAMW,
        [ASY__ADAMW] = ASY_RULE_ADAMW,     [ASY__ADAM_L2] = ASY_RULE_ADAM_L2,
        [ASY__LAMB] = ASY_RULE_LAMB,       [ASY__LARS] = ASY_RULE_LARS,
    };
    const struct asy__hyper *h = &update->hyper;
    double lr = asy__schedule_lr(&update->schedule, step, cut);

    return (struct asy_device_update){
        .rule = rule_of[h->optimizer],
        .sgd = sgd_of(h, lr),
        .adam = adam_of(h, lr),
        .trust = h->trust,
        .clip = h->clip,
        .mean_rate = h->ema > 0 ? mean_rate(update, step) : 0,
        .step = step,
    };
}
