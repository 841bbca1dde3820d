/* SPDX-License-Identifier: Apache-2.0
 * cma_coord.h - parameters as coordinates of a normal distribution, and as categories beside it.
 *
 * Numeric parameters and ordered choices are coordinates on [0, 1], in logarithms where the
 * parameter is. Values of a grid are cells there, of which the outer ones reach to infinity, and
 * the bounds of a continuous one are cells from there on outwards, once the mean is close to them:
 * draws from beyond are put onto the bound. Where a trial was in its cells cannot be told from its
 * values, nor where it was in coordinates whose condition did not hold: a place is drawn anew,
 * keyed by the trial, from the present distribution given the trial's other coordinates and cut to
 * the cell. So a point has the same coordinates whoever suggested it, selection works on cells
 * alone, and what is drawn is neutral: without it the distribution would become thin wherever it
 * meets a bound or a cell. */
#ifndef ASY_TUNER_CMA_COORD_H
#define ASY_TUNER_CMA_COORD_H
#include "cma.h"
#include "sampler.h"

struct asy__cma_dim {
    size_t param;
    double n;      /* cells; INFINITY: continuous */
    int log;
    double lo, hi; /* of the values at 0 and 1, or their logarithms */
};
struct asy__cma_choice {
    size_t param, n;
    size_t first;  /* of its probabilities among all */
};
struct asy__cma_coords {
    const struct asy_sampler *sampler;
    struct asy__cma_dim *dims; /* [d] */
    size_t d;
    struct asy__cma_choice *choices; /* [n_choices] */
    size_t n_choices, n_probs;
    int n_grids; /* dims that have cells */
};

ASY_MUST_CHECK int asy__cma_coords_init(struct asy__cma_coords *coords,
                                        const struct asy_sampler *s);
void asy__cma_coords_fini(struct asy__cma_coords *coords);
/* All coordinates of x are told by its values. */
int asy__cma_is_placed(const struct asy__cma_coords *coords, const struct asy__cma *cma,
                       const double *x);
/* The coordinates of trial number's point x: [d]. Where they are not all told by it,
 * asy__cma_precise() came before. */
void asy__cma_locate(const struct asy__cma_coords *coords, const struct asy__cma *cma,
                     uint64_t number, const double *x, double *ret_u);
/* The value at coordinate u of dim j; beyond the cube it is the nearest. */
double asy__cma_value(const struct asy__cma_coords *coords, size_t j, double u);
/* The first distribution of dim j: mean and standard deviation of its prior, the latter in units of
 * that of the whole cube; 1/2 and 1 without a prior. */
void asy__cma_begin(const struct asy__cma_coords *coords, size_t j, double *ret_mean,
                    double *ret_spread);
/* Where a share u of the prior lies below; u without a prior. */
double asy__cma_likely(const struct asy__cma_coords *coords, size_t j, double u);
/* Keeps each cell beside the mean's within reach of every batch (Hamano et al. 2022): the chance of
 * leaving is at least 1 / (lambda d). */
void asy__cma_keep_margin(const struct asy__cma_coords *coords, struct asy__cma *cma);

/* ---- categories (cma_choice.c) -------------------------------------------------------------- */

/* As likely as their priors say. */
void asy__cma_choices_start(const struct asy__cma_coords *coords, struct asy__cma *cma);
/* xs: [lambda] points of the space, the best first. */
void asy__cma_choices_step(const struct asy__cma_coords *coords, struct asy__cma *cma,
                           const double *const *xs, double *scratch /* [2 n_probs + lambda] */);
/* No probability is below the least that keeps a value in play. */
void asy__cma_choices_settle(const struct asy__cma_coords *coords, struct asy__cma *cma);
double asy__cma_choice_at(const struct asy__cma_choice *choice, const struct asy__cma *cma,
                          double u);
#endif
