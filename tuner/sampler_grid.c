/* SPDX-License-Identifier: Apache-2.0
 * sampler_grid.c - every point of a finite space once, in the order of asy_space_point().
 *
 * The index is the trial's number less the trials with fixed entries below it: those are not points
 * of the grid's order, and without this each enqueued point would leave a hole in the grid. A trial
 * with only some entries fixed gets random draws for the others. */
#include "sampler.h"
#include <stdlib.h>
#include <string.h>

struct grid {
    uint64_t *fixed; /* [n_fixed], ascending: numbers of trials with fixed entries */
    size_t n_fixed, cap;
};

static int create(struct asy_sampler *s, struct asy_error *err)
{
    double n = asy_space_cardinality(s->space);

    for (size_t i = 0; i < asy_space_len(s->space); i++)
        if (isinf(asy_space_values(s->space, i)))
            return asy_fail(err, ASY_E_INVAL,
                            "sampler 'grid': float '%s' has neither step nor list of values",
                            asy_space_at(s->space, i)->name);
    if (!(n <= 0x1p53))
        return asy_fail(err, ASY_E_INVAL, "sampler 'grid': the space has too many points");
    if (!(s->state = calloc(1, sizeof(struct grid))))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a sampler");
    return 0;
}

static void destroy(struct asy_sampler *s)
{
    struct grid *g = s->state;

    free(g->fixed);
    free(g);
}

/* How many trials with fixed entries have lower numbers. */
static size_t fixed_below(const struct grid *g, uint64_t number)
{
    size_t lo = 0, hi = g->n_fixed;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (g->fixed[mid] < number)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static int note_fixed(struct grid *g, uint64_t number, struct asy_error *err)
{
    size_t at = fixed_below(g, number);

    if (at < g->n_fixed && g->fixed[at] == number)
        return 0;
    if (g->n_fixed == g->cap) {
        size_t cap = g->cap ? 2 * g->cap : 8;
        uint64_t *more = realloc(g->fixed, cap * sizeof *more);

        if (!more)
            return asy_fail(err, ASY_E_NOMEM, "no memory for an enqueued trial");
        g->fixed = more;
        g->cap = cap;
    }
    memmove(&g->fixed[at + 1], &g->fixed[at], (g->n_fixed - at) * sizeof *g->fixed);
    g->fixed[at] = number;
    g->n_fixed++;
    return 0;
}

static int ask(struct asy_sampler *s, uint64_t number, const double *fixed, double *x,
               struct asy_error *err)
{
    struct grid *g = s->state;
    int any = 0, rc;

    for (size_t i = 0; fixed && i < asy_space_len(s->space); i++)
        any |= !isnan(fixed[i]);
    if (any) {
        if ((rc = note_fixed(g, number, err)))
            return rc;
        asy__random_point(s, number, fixed, x);
        return 0;
    }
    rc = asy_space_point(s->space, number - fixed_below(g, number), x, err);
    asy_error_prefix(rc ? err : NULL, "sampler 'grid'");
    return rc;
}

const struct asy__sampler_class asy__sampler_grid = {
    .name = "grid", .create = create, .destroy = destroy, .ask = ask,
};
