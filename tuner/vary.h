/* SPDX-License-Identifier: Apache-2.0
 * vary.h - a child of two points: crossover and mutation, over spaces with conditions.
 *
 * Numbers (log ones as logarithms, those with a step between half a step below and above) cross by
 * simulated binary crossover within bounds (Deb and Agrawal 1995; Deb's bounded form as in Deb et
 * al. 2002, III-F), choices by taking either parent's. Each active parameter then mutates with
 * probability 1 over their number: numbers polynomially (Deb and Goyal 1996, bounded form), by at
 * least a step where they have one; choices to another one. What is active in one parent alone is
 * taken from it, what is active in none is drawn at random. */
#ifndef ASY_TUNER_VARY_H
#define ASY_TUNER_VARY_H
#include "parzen.h"
#include "sampler.h"

struct asy__vary {
    const struct asy__dim *dims; /* [space length], one for each parameter */
    double crossover_eta;        /* larger: children closer to their parents */
    double mutation_eta;
    int uniform;                 /* numbers too are taken from either parent as they are */
};

/* a, b: points of s->space. fixed: as for ask. ret_x is a point. */
void asy__vary(const struct asy_sampler *s, const struct asy__vary *v, uint64_t number,
               const double *a, const double *b, const double *fixed, struct asy_rng *rng,
               double *ret_x);
#endif
