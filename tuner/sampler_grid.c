/* SPDX-License-Identifier: Apache-2.0
 * sampler_grid.c - every point of a finite space once, in the order of asy_space_point() or in a
 * shuffled one.
 *
 * Trials whose points are given take no place: without this each enqueued point would leave a hole
 * in the grid. A trial with only some entries given gets random draws for the others. The shuffled
 * order is a permutation that maps one index at a time, so nothing needs to be kept or stored. */
#include "permute.h"
#include "place.h"
#include <stdlib.h>

enum { SHUFFLE };
static const struct asy__option options[] = {
    [SHUFFLE] = { "shuffle", 0, 0, 1 },
};
struct grid {
    struct asy__places places;
    uint64_t n; /* points */
};

static int create(struct asy_sampler *s, struct asy_error *err)
{
    double n = asy_space_cardinality(s->space);
    struct grid *g;

    for (size_t i = 0; i < asy_space_len(s->space); i++)
        if (isinf(asy_space_values(s->space, i)))
            return asy_fail(err, ASY_E_INVAL,
                            "sampler 'grid': float '%s' has neither step nor list of values",
                            asy_space_at(s->space, i)->name);
    if (!(n <= 0x1p53))
        return asy_fail(err, ASY_E_INVAL, "sampler 'grid': the space has too many points");
    if (!(g = calloc(1, sizeof *g)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a sampler");
    g->n = (uint64_t)n;
    s->state = g;
    return 0;
}

static void destroy(struct asy_sampler *s)
{
    struct grid *g = s->state;

    asy__places_fini(&g->places);
    free(g);
}

static int ask(struct asy_sampler *s, uint64_t number, const double *fixed, double *x,
               struct asy_error *err)
{
    struct grid *g = s->state;
    uint64_t index;
    int rc = asy__sequence_place(s, &g->places, number, fixed, &index, err);

    if (rc <= 0) {
        asy__random_point(s, number, fixed, x);
        return rc;
    }
    if (s->options[SHUFFLE] && index < g->n)
        index = asy__permute(index, g->n, s->seed);
    rc = asy_space_point(s->space, index, x, err);
    asy_error_prefix(rc ? err : NULL, "sampler 'grid'");
    return rc;
}

const struct asy__sampler_class asy__sampler_grid = {
    .name = "grid", .options = options, .n_options = ASY_ARRAY_LEN(options), .create = create,
    .destroy = destroy, .ask = ask,
};
