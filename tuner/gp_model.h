/* SPDX-License-Identifier: Apache-2.0
 * gp_model.h - a Gaussian process with mean 0 over coordinates of gp_dim.h (Rasmussen and Williams
 * 2006, chapters 2 and 5): its data, its likelihood, what it predicts.
 *
 * Covariance: scale k(sum over j of s_j d_j^2) + noise, k Matern 5/2, d_j the difference of the
 * j-th coordinates, for choices 0 or 1.
 *
 * The hyperparameters theta are logarithms: [d] of the s_j, of scale, of noise; where inputs are
 * warped (gp_input.h), [d] of a and [d] of b, which for a choice are never used.
 *
 * Rows are in an order that the owner keeps; a row of the factor depends on the rows above it
 * alone, so rows can be appended, or those from some place on replaced, with the bits of a whole
 * made anew. */
#ifndef ASY_TUNER_GP_MODEL_H
#define ASY_TUNER_GP_MODEL_H
#include "gp_dim.h"

#define ASY__GP_NOISE_MIN 1e-6

struct asy__gp {
    const struct asy__gp_dim *dims; /* [d], the owner's */
    size_t d, n, cap;
    int warped;                     /* as asy__gp_warp_inputs() has set it: theta is longer */
    size_t n_factored;              /* rows of l and w that hold for theta */
    double *u;                      /* [d, cap] one coordinate of all rows after the other */
    double *x;                      /* [d, cap] as the covariance sees them; u if not warped */
    double *l, *w;                  /* [cap, cap] Cholesky factor and its inverse */
    double *theta;                  /* [ASY__GP_THETA_MAX(d)] */
    double *s;                      /* [ASY__GP_THETA_MAX(d)] exp(theta) */
};
#define ASY__GP_THETA_MAX(d) (3 * (d) + 2)

/* dims: d of them, borrowed. */
ASY_MUST_CHECK int asy__gp_init(struct asy__gp *gp, const struct asy__gp_dim *dims, size_t d);
void asy__gp_fini(struct asy__gp *gp);
ASY_MUST_CHECK int asy__gp_reserve(struct asy__gp *gp, size_t n); /* room for n rows */
/* Keeps the first n rows. */
void asy__gp_cut(struct asy__gp *gp, size_t n);
/* Appends a row; there is room. u: [d]. */
void asy__gp_push(struct asy__gp *gp, const double *u);
/* How long its theta is. */
static inline size_t asy__gp_theta_len(const struct asy__gp *gp)
{
    return gp->warped ? ASY__GP_THETA_MAX(gp->d) : gp->d + 2;
}
/* Whether inputs are warped from the next theta on, which is to be set. */
void asy__gp_warp_inputs(struct asy__gp *gp, int warped);
void asy__gp_set_theta(struct asy__gp *gp, const double *theta); /* [asy__gp_theta_len()] */
/* A point as the covariance sees it, and the derivatives of each coordinate by itself: [d] each. */
void asy__gp_see(const struct asy__gp *gp, const double *u, double *ret_x, double *ret_slope);
/* Brings l and w up to date. ASY_E_INVAL: not positive definite. */
ASY_MUST_CHECK int asy__gp_factor(struct asy__gp *gp);
/* The same; where rounding has made it indefinite it gets more noise, in theta as well. */
ASY_MUST_CHECK int asy__gp_settle(struct asy__gp *gp, double *theta);
/* Covariances k, and their derivatives dk by squared distance, of x [d], as the covariance sees it,
 * with the first n rows. */
void asy__gp_covariances(const struct asy__gp *gp, const double *x, size_t n, double *k,
                         double *dk);

/* ---- hyperparameters (gp_fit.c) ------------------------------------------------------------ */

/* The negative logarithm of the posterior density of theta given y [n], constants dropped, and its
 * gradient, as long. Factors gp. work: [ASY__GP_FIT_WORK(gp)]. INFINITY: not positive definite. The
 * prior is that of Optuna 5.0: log densities -0.1 / s_j - 0.1 s_j, Gamma(2, 1) for scale,
 * Gamma(1.1, 30) for noise; and standard deviation of log a and log b ASY__GP_INPUT_SD around 0. */
#define ASY__GP_INPUT_SD 0.5
#define ASY__GP_FIT_WORK(gp) \
    ((gp)->n * ((gp)->cap + 2 + ((gp)->warped ? (gp)->d : 0)) + (gp)->d)
double asy__gp_loss(struct asy__gp *gp, const double *y, double *work, double *ret_gradient);
/* Maximises that density from start, as long; theta is set, not factored. *ret_loss: there. */
ASY_MUST_CHECK int asy__gp_fit(struct asy__gp *gp, const double *y, const double *start,
                               double *ret_loss);
/* Where a fit begins that knows nothing: all 1. theta: [d + 2]. */
void asy__gp_fit_start(size_t d, double *theta);
#endif
