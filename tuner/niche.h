/* SPDX-License-Identifier: Apache-2.0
 * niche.h - the directions of NSGA-III and who represents them (Deb and Jain 2014, algorithms 2 to
 * 4). */
#ifndef ASY_TUNER_NICHE_H
#define ASY_TUNER_NICHE_H
#include <asy/error.h>
#include <asy/rng.h>

#define ASY__DIRECTIONS_MAX 100000

/* Points of the simplex of m coordinates whose coordinates are multiples of 1 / divisions; of more
 * than ASY__DIRECTIONS_MAX: any larger number. */
size_t asy__directions_count(size_t m, size_t divisions);
/* ret: [count, m], as unit vectors. */
void asy__directions_fill(size_t m, size_t divisions, double *ret);

struct asy__niching {
    size_t m;
    const double *directions; /* [n_directions, m] */
    size_t n_directions;
    const double *values;     /* [n, m] no NaN */
    const uint32_t *ranks;    /* [n] */
    size_t n;
};
/* Marks k <= n members in ret_kept[n], zeroed: whole ranks while they fit, of the next those that
 * fill the emptiest niches; rng decides among equally empty ones. */
ASY_MUST_CHECK int asy__niche(const struct asy__niching *niching, size_t k, struct asy_rng *rng,
                              uint8_t *ret_kept, struct asy_error *err);
#endif
