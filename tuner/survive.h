/* SPDX-License-Identifier: Apache-2.0
 * survive.h - which members of a pool the next population keeps, and in which order they mate: the
 * environmental selection of NSGA-II and NSGA-III.
 *
 * Feasible members go by fronts of non-domination (Deb 2000, 2002), whole ones while they fit.
 * Of the front that does not fit, NSGA-II keeps those with most room around them (crowding
 * distance); NSGA-III (Deb and Jain 2014) fills the directions of a grid over the simplex that have
 * fewest members: objectives are normalised by the pool's best values and the hyperplane through
 * its extreme points (by its worst values where that has no intercepts), and each member belongs to
 * the direction that it is nearest to. Members that are not feasible come after all fronts in the
 * order of their `place`. */
#ifndef ASY_TUNER_SURVIVE_H
#define ASY_TUNER_SURVIVE_H
#include <asy/pareto.h>
#include <asy/rng.h>

struct asy__mate {
    uint32_t at;   /* in the pool */
    uint32_t rank; /* smaller is better */
    double room;   /* among equal ranks larger is better; NSGA-III: 0 */
};

struct asy__member {
    const double *losses; /* [m] no NaN; NULL: not feasible */
    uint32_t place;       /* not feasible: order among those */
};

struct asy__survive {
    size_t m, population;
    double *directions; /* [n_directions, m] unit vectors; NULL: NSGA-II */
    size_t n_directions;
};

/* divisions: 0: NSGA-II; else of the simplex's edges (Das and Dennis 1998). ASY_E_INVAL: that makes
 * more than 100,000 directions. */
ASY_MUST_CHECK int asy__survive_init(struct asy__survive *s, size_t m, size_t population,
                                     size_t divisions, struct asy_error *err);
void asy__survive_fini(struct asy__survive *s);
/* The most divisions with no more than n directions; at least 1. */
size_t asy__survive_divisions(size_t m, size_t n);
/* ret: the best first, [min(n, population)], *ret_n of them; in doubt those that stand first in the
 * pool. */
ASY_MUST_CHECK int asy__survive(const struct asy__survive *s, const struct asy__member *pool,
                                size_t n, struct asy_rng *rng, struct asy__mate *ret, size_t *ret_n,
                                struct asy_error *err);
#endif
