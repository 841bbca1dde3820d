/* SPDX-License-Identifier: Apache-2.0
 * asy/pareto.h - points with several objectives: who is dominated, how much a front covers, which
 * few of its points cover most.
 *
 * Values are rows of m objectives, [n, m], all minimised and none NaN (infinite is fine); m is from
 * 1 to ASY_OBJECTIVES_MAX. a dominates b if it is nowhere worse and somewhere better. Equal points
 * do not dominate each other. Results depend on the points and their order alone.
 *
 * A reference point ref, [m], bounds what is covered from above: points that are not better than it
 * in each objective cover nothing. A volume is finite if points and ref are.
 *
 * Ownership: nothing is kept. Threads: any. Errors: ASY_E_NOMEM, with nothing written. */
#ifndef ASY_PARETO_H
#define ASY_PARETO_H
#include <asy/error.h>

#define ASY_OBJECTIVES_MAX 16

int asy_pareto_dominates(const double *a, const double *b, size_t m);

/* ret_ranks[n]: 0 for what nobody dominates, 1 for what only those dominate, and so on (Goldberg
 * 1989). violations: NULL, or [n] summed constraint violations (0: feasible); what violates comes
 * after all that does not, by its violation alone (Deb 2000), equal ones in one rank. Two
 * objectives take O(n log n); more, the bisection of Zhang et al. 2015 (ENS-BS), at worst
 * O(m n^2). */
ASY_MUST_CHECK int asy_pareto_ranks(const double *values, const double *violations, size_t n,
                                    size_t m, uint32_t *ret_ranks, struct asy_error *err);

/* Deb et al. 2002 (NSGA-II), III-B: per objective the distance of both neighbours over the range of
 * the points, summed; INFINITY at either end. Objectives with a single or an infinite range count
 * nothing. The points are those of one front. */
ASY_MUST_CHECK int asy_pareto_crowding(const double *values, size_t n, size_t m, double *ret,
                                       struct asy_error *err);

/* The exact hypervolume: a sweep for two objectives, a sweep over a sorted front for three (Beume
 * et al. 2009, with an array for its tree), slices of those beyond (WFG, While et al. 2012). */
ASY_MUST_CHECK int asy_pareto_volume(const double *values, size_t n, size_t m, const double *ref,
                                     double *ret_volume, struct asy_error *err);
/* ret[n]: what the volume would lose without each point; equal points lose nothing. */
ASY_MUST_CHECK int asy_pareto_contributions(const double *values, size_t n, size_t m,
                                            const double *ref, double *ret, struct asy_error *err);

/* Of each objective the worst value, a tenth of its size further: max(1.1 w, 0.9 w), and 1e-12 for
 * 0 (the rule of Optuna 5.0's MOTPE). n >= 1. */
void asy_pareto_reference(const double *values, size_t n, size_t m, double *ret_ref);
/* k <= n points that cover much: greedily, each time the one that adds most (the hypervolume subset
 * selection problem; at least 1 - 1/e of the best subset's volume, Nemhauser et al. 1978), upper
 * bounds of what is added being renewed only where they could decide. Ties go to the point that is
 * smaller in lexicographic order, equal points to the first; repeated ones come last. Where ref is
 * not finite: the first k. ret[k] are indices in ascending order. */
ASY_MUST_CHECK int asy_pareto_subset(const double *values, size_t n, size_t m, const double *ref,
                                     size_t k, uint32_t *ret, struct asy_error *err);
/* The k <= n best, as MOTPE splits (Ozaki et al. 2020, rules of Optuna 5.0): whole ranks while they
 * fit, of the next a subset as above, its reference point from that rank alone. Ascending. */
ASY_MUST_CHECK int asy_pareto_best(const double *values, size_t n, size_t m, size_t k,
                                   uint32_t *ret, struct asy_error *err);
#endif
