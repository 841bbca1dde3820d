/* SPDX-License-Identifier: Apache-2.0
 * sampler_qmc.c - points of a low-discrepancy sequence, which cover the space more evenly than
 * random ones. Each parameter with more than one value has a dimension of its own, also while its
 * condition does not hold.
 *
 * The scrambling is drawn once per study from the seed, never per worker: only then do all points
 * belong to one sequence. A trial's place is its number less the trials whose points were given, so
 * no point is left out or comes twice, whatever runs at once and however often a study goes on.
 * Parameters beyond the dimensions that there are direction numbers for are drawn at random. */
#include "place.h"
#include "qmc.h"
#include "unit.h"
#include <stdlib.h>

enum { SEQUENCE, SCRAMBLE };
static const struct asy__option options[] = {
    [SEQUENCE] = { "sequence", ASY__QMC_SOBOL, ASY__QMC_SOBOL, ASY__QMC_HALTON },
    [SCRAMBLE] = { "scramble", ASY__QMC_LINEAR, ASY__QMC_NONE, ASY__QMC_OWEN },
};
#define STUDY_NUMBER ((uint64_t)1 << 53) /* the stream of no trial */

struct sequence {
    struct asy__places places;
    struct asy__qmc qmc;
    size_t *dim_of; /* [space length] SIZE_MAX: none */
};

static void destroy(struct asy_sampler *s)
{
    struct sequence *q = s->state;

    asy__places_fini(&q->places);
    asy__qmc_fini(&q->qmc);
    free(q->dim_of);
    free(q);
}

/* Gives out the dimensions; returns how many. */
static size_t assign(const struct asy_sampler *s, size_t *dim_of)
{
    size_t n_dims = 0;

    for (size_t i = 0; i < asy_space_len(s->space); i++)
        dim_of[i] = asy_space_values(s->space, i) > 1 && n_dims < ASY__QMC_DIMS ? n_dims++
                                                                                : SIZE_MAX;
    return n_dims;
}

static int create(struct asy_sampler *s, struct asy_error *err)
{
    struct sequence *q = calloc(1, sizeof *q);
    struct asy_rng rng = asy__sampler_rng(s, STUDY_NUMBER, 0);
    uint64_t keys[ASY__QMC_DIMS];
    size_t n_dims;

    if (!q)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a sampler");
    s->state = q;
    if (!(q->dim_of = malloc((asy_space_len(s->space) + 1) * sizeof *q->dim_of)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a sampler");
    n_dims = assign(s, q->dim_of);
    for (size_t dim = 0; dim < n_dims; dim++)
        keys[dim] = asy_rng_u64(&rng);
    if (asy__qmc_init(&q->qmc, (enum asy__qmc_sequence)s->options[SEQUENCE],
                      (enum asy__qmc_scramble)s->options[SCRAMBLE], keys, n_dims))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a sequence of %zu dimensions", n_dims);
    return 0;
}

static int ask(struct asy_sampler *s, uint64_t number, const double *fixed, double *x,
               struct asy_error *err)
{
    struct sequence *q = s->state;
    uint64_t index;
    int rc = asy__sequence_place(s, &q->places, number, fixed, &index, err);

    if (rc <= 0) {
        asy__random_point(s, number, fixed, x);
        return rc;
    }
    for (size_t i = 0; i < asy_space_len(s->space); i++) {
        x[i] = ASY_INACTIVE;
        if (!asy_space_active(s->space, x, i))
            continue;
        x[i] = q->dim_of[i] == SIZE_MAX
                   ? asy__random_value(s, number, i)
                   : asy__unit_value(s->space, i, asy__qmc_at(&q->qmc, index, q->dim_of[i]));
    }
    return 0;
}

const struct asy__sampler_class asy__sampler_qmc = {
    .name = "qmc", .priors = ASY__PRIORS_ALL, .options = options,
    .n_options = ASY_ARRAY_LEN(options), .create = create,
    .destroy = destroy, .ask = ask,
};
