/* SPDX-License-Identifier: Apache-2.0
 * asy/importance.h - how much each parameter had to do with what came of the trials.
 *
 * Both measures look at one set of points with finite losses; which trials those are is for the
 * caller to say (complete ones, within the constraints).
 *
 * PED-ANOVA (Watanabe, Bansal and Hutter 2023, arXiv 2304.10255), with the rules and numbers of
 * Optuna 5.0's evaluator: how far the distribution of a parameter among the best tenth of the
 * points is from its distribution among all of them. Where a parameter is active in a part of the
 * points only, after Theorem 4.2 of "Conditional PED-ANOVA" (arXiv 2601.20800). It says what
 * mattered for getting among the best, and takes any number of objectives: the best tenth is then
 * that of asy_pareto_best().
 *
 * fANOVA (Hutter, Hoos and Leyton-Brown 2014): a forest of regression trees is fitted to the
 * losses; a parameter's importance is the share of the forest's variance over the whole space that
 * is due to it alone (the variance of its marginal), worked out exactly from the partition that a
 * tree makes, and then the mean over the trees. The space is weighed as it is searched: logarithmic
 * parameters by their logarithm, grid values and choices equally. Interactions belong to none, so
 * the sum is at most 1. It says what mattered over the whole space, and is good if the points cover
 * it.
 *
 * Pure: the same points in the same order, and the same seed, give the same numbers.
 * Ownership: nothing is kept. Threads: any. Errors: ASY_E_NOMEM, with nothing written. */
#ifndef ASY_IMPORTANCE_H
#define ASY_IMPORTANCE_H
#include <asy/space.h>

/* What came of n trials. x holds points of the space: they are not checked again. */
struct asy_losses {
    const struct asy_space *space;
    const double *x;      /* [n, d], d: the space's length */
    const double *losses; /* [n, m], all minimised, all finite */
    size_t n, m;          /* 1 <= m <= ASY_OBJECTIVES_MAX (asy/pareto.h) */
};

/* ret[d]: 0 or more, comparable among the parameters of one call; not a share. All 0 for fewer than
 * two points, and where the best tenth are all of them. */
ASY_MUST_CHECK int asy_importance_ped_anova(const struct asy_losses *losses, double *ret,
                                            struct asy_error *err);

#define ASY_FANOVA_TREES 64
/* m == 1. ret[d]: shares of the variance, at most 1 together (rounding aside). ASY_INACTIVE (NaN)
 * for parameters that are not always active, which it cannot tell of. All 0 where no tree sees any
 * variance. */
ASY_MUST_CHECK int asy_importance_fanova(const struct asy_losses *losses, uint64_t seed,
                                         double *ret, struct asy_error *err);
/* The shares of one tree alone, for who wants to work in pieces; the mean over the trees
 * 0, 1, ... ASY_FANOVA_TREES - 1 that saw a variance (*ret_varies) is the above. A tree is fitted
 * to n draws with replacement, to 4,096 where there are more points, down to equal losses or a
 * depth of 64. O(d n log n). */
ASY_MUST_CHECK int asy_importance_fanova_tree(const struct asy_losses *losses, uint64_t seed,
                                              uint64_t tree, double *ret, int *ret_varies,
                                              struct asy_error *err);
#endif
