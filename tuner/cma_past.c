/* SPDX-License-Identifier: Apache-2.0
 * cma_past.c - finished trials by number. Results mostly come at the end of the order, or near it
 * when many workers run, so an array with insertion is enough. */
#include "cma_past.h"
#include <stdlib.h>
#include <string.h>

void asy__cma_past_fini(struct asy__cma_past *past)
{
    asy__map_fini(&past->numbers);
    free(past->trials);
    free(past->xs);
    free(past->order);
}

int asy__cma_past_reserve(struct asy__cma_past *past)
{
    size_t cap = past->cap ? past->cap + past->cap / 2 : 64;
    void *more;

    if (past->n_trials == past->cap) {
        if (cap >= ASY__MAP_NONE || !(more = realloc(past->trials, cap * sizeof *past->trials)))
            return ASY_E_NOMEM;
        past->trials = more;
        if (!(more = realloc(past->order, cap * sizeof *past->order)))
            return ASY_E_NOMEM;
        past->order = more;
        if (!(more = realloc(past->xs, cap * (past->len_x + 1) * sizeof *past->xs)))
            return ASY_E_NOMEM;
        past->xs = more;
        past->cap = cap;
    }
    return asy__map_reserve(&past->numbers);
}

/* As of tpe (sampler_tpe.c). */
static void classify(const struct asy_sampler *s, const struct asy_outcome *o,
                     struct asy__cma_trial *trial)
{
    double value = o->values ? o->values[0] : NAN;

    if (s->goals[0] == ASY_MAXIMIZE)
        value = -value;
    trial->a = trial->b = 0;
    if (o->state == ASY_OUTCOME_FAILED || o->state == ASY_OUTCOME_RUNNING) {
        trial->kind = o->state == ASY_OUTCOME_FAILED && o->diverged ? ASY__CMA_DIVERGED
                                                                    : ASY__CMA_UNFINISHED;
    } else if (o->violation > 0) {
        trial->kind = ASY__CMA_INFEASIBLE;
        trial->a = o->violation;
    } else if (o->state == ASY_OUTCOME_PRUNED) {
        trial->kind = ASY__CMA_PRUNED;
        trial->a = o->last_step >= 0 ? -o->last_step : 1;
        trial->b = !(o->last_step >= 0) ? 0 : isnan(value) ? INFINITY : value;
    } else {
        trial->kind = isnan(value) ? ASY__CMA_DIVERGED : ASY__CMA_FEASIBLE;
        trial->a = isnan(value) ? 0 : value;
    }
}

static size_t place(const struct asy__cma_past *past, uint64_t number)
{
    size_t lo = 0, hi = past->n_order;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (past->trials[past->order[mid]].number < number)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void take_out(struct asy__cma_past *past, struct asy__cma_trial *trial)
{
    size_t at = place(past, trial->number);

    if (trial->kind == ASY__CMA_UNFINISHED)
        return;
    memmove(&past->order[at], &past->order[at + 1],
            (past->n_order - at - 1) * sizeof *past->order);
    past->n_order--;
    trial->kind = ASY__CMA_UNFINISHED;
    past->same = at < past->same ? at : past->same;
}

static void put_in(struct asy__cma_past *past, uint32_t slot)
{
    size_t at = place(past, past->trials[slot].number);

    memmove(&past->order[at + 1], &past->order[at], (past->n_order - at) * sizeof *past->order);
    past->order[at] = slot;
    past->n_order++;
    past->same = at < past->same ? at : past->same;
}

void asy__cma_past_forget(struct asy__cma_past *past, uint64_t number)
{
    uint32_t slot = asy__map_get(&past->numbers, number);

    if (slot != ASY__MAP_NONE)
        take_out(past, &past->trials[slot]);
}

static int is_known(const struct asy__cma_past *past, uint32_t slot,
                    const struct asy__cma_trial *trial, const double *x)
{
    const struct asy__cma_trial *old = &past->trials[slot];

    return old->kind == trial->kind && old->a == trial->a && old->b == trial->b &&
           !memcmp(&past->xs[slot * past->len_x], x, past->len_x * sizeof *x);
}

void asy__cma_past_tell(struct asy__cma_past *past, const struct asy_sampler *s,
                        const struct asy_outcome *outcome)
{
    struct asy__cma_trial trial = { .number = outcome->number };
    uint32_t slot = asy__map_get(&past->numbers, outcome->number);

    classify(s, outcome, &trial);
    if (trial.kind == ASY__CMA_UNFINISHED) {
        asy__cma_past_forget(past, outcome->number);
        return;
    }
    if (slot != ASY__MAP_NONE && is_known(past, slot, &trial, outcome->x))
        return;
    if (slot == ASY__MAP_NONE) {
        slot = (uint32_t)past->n_trials++;
        asy__map_put(&past->numbers, outcome->number, slot);
    } else {
        take_out(past, &past->trials[slot]);
    }
    past->trials[slot] = trial;
    if (past->len_x)
        memcpy(&past->xs[slot * past->len_x], outcome->x, past->len_x * sizeof *outcome->x);
    put_in(past, slot);
}

const struct asy__cma_trial *asy__cma_past_at(const struct asy__cma_past *past, size_t i)
{
    return &past->trials[past->order[i]];
}

const double *asy__cma_past_x(const struct asy__cma_past *past, size_t i)
{
    return &past->xs[past->order[i] * past->len_x];
}

int asy__cma_compare(const struct asy__cma_trial *a, const struct asy__cma_trial *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->a != b->a)
        return a->a < b->a ? -1 : 1;
    if (a->b != b->b)
        return a->b < b->b ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}
