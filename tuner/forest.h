/* SPDX-License-Identifier: Apache-2.0
 * forest.h - a regression tree over points in the unit cube, and what it says of each coordinate.
 *
 * CART (Breiman et al. 1984): the split that leaves the least squared error, numbers at the middle
 * between two neighbours, choices into two sets in the order of their means, which for squared
 * error is the best pair of sets (Breiman's theorem 4.5). Which of equally good splits is taken is
 * drawn. */
#ifndef ASY_TUNER_FOREST_H
#define ASY_TUNER_FOREST_H
#include <asy/rng.h>

#define ASY__TREE_DEPTH 64

struct asy__split {
    uint32_t dim;         /* UINT32_MAX: a leaf */
    uint32_t left, right; /* nodes */
    uint32_t set;         /* of a choice: index into sets of the byte of its first value */
    double at;            /* of a number: up to here goes left */
    double value;         /* mean of the losses */
};
struct asy__tree {
    struct asy__split *nodes;
    uint8_t *sets;        /* per choice split a byte for each value: 1 goes left */
    size_t n_nodes, n_sets, cap_nodes, cap_sets;
};
/* What a tree is made of: [d] coordinates, each a number in [0, 1] or one of n_choices. */
struct asy__samples {
    const double *x;          /* [n, d] */
    const double *y;          /* [n] */
    const size_t *n_choices;  /* [d], 0: a number */
    size_t n, d;
};

void asy__tree_fini(struct asy__tree *tree);
/* Fits to the samples drawn[n_drawn], which may repeat. ASY_E_NOMEM: *ret_tree is empty. */
ASY_MUST_CHECK int asy__tree_fit(const struct asy__samples *samples, const uint32_t *drawn,
                                 size_t n_drawn, struct asy_rng *rng, struct asy__tree *ret_tree);
double asy__tree_value(const struct asy__tree *tree, const struct asy__samples *samples,
                       const double *x);
/* The variance over the unit cube, choices being equally likely, and for each coordinate that of
 * its marginal; ret[d]. */
ASY_MUST_CHECK int asy__tree_variances(const struct asy__tree *tree,
                                       const struct asy__samples *samples, double *ret,
                                       double *ret_total);
#endif
