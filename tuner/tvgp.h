/* SPDX-License-Identifier: Apache-2.0
 * tvgp.h - a Gaussian process with mean 0 over points of which the world changes: what is older
 * says less (Bogunovic, Scarlett and Cevher 2016; Parker-Holder, Nguyen and Roberts 2020).
 *
 * Covariance: variance exp(-|x - x'|^2 / (2 length^2)) (1 - eps)^(|t - t'| / 2) + noise. One length
 * for all inputs, as in the latter paper: a population knows too little for one of each. The
 * hyperparameters theta are logarithms; instead of eps there is rate = -log(1 - eps) / 2. */
#ifndef ASY_TUNER_TVGP_H
#define ASY_TUNER_TVGP_H
#include <stddef.h>
#include <asy/error.h>

enum { ASY__TVGP_VARIANCE, ASY__TVGP_LENGTH, ASY__TVGP_RATE, ASY__TVGP_NOISE, ASY__TVGP_THETA };

struct asy__tvgp {
    size_t d, n, cap;
    double *x;     /* [cap, d] */
    double *t;     /* [cap] */
    double *l, *w; /* [cap, cap] Cholesky factor and its inverse, of factored rows */
    double *alpha; /* [cap] K^-1 y of the rows that have a y, 0 of the others */
    double *k, *v; /* [cap] scratch */
    double theta[ASY__TVGP_THETA], s[ASY__TVGP_THETA]; /* s: exp(theta) */
};

ASY_MUST_CHECK int asy__tvgp_init(struct asy__tvgp *gp, size_t d, size_t cap);
void asy__tvgp_fini(struct asy__tvgp *gp);
/* Appends a row; there is room. x: [d]. */
void asy__tvgp_push(struct asy__tvgp *gp, const double *x, double t);
void asy__tvgp_set_theta(struct asy__tvgp *gp, const double theta[ASY__TVGP_THETA]);
double asy__tvgp_covariance(const struct asy__tvgp *gp, const double *x, double t, const double *x2,
                            double t2);
/* The negative logarithm of the likelihood of y [n], constants dropped, and its gradient by theta.
 * Overwrites l and w. work: [cap, cap]. INFINITY: not positive definite. */
double asy__tvgp_loss(struct asy__tvgp *gp, const double *y, double *work,
                      double ret_gradient[ASY__TVGP_THETA]);
/* Sets theta to where the likelihood of y [n] is largest, within bounds. work: as above. */
ASY_MUST_CHECK int asy__tvgp_fit(struct asy__tvgp *gp, const double *y, double *work);
/* Makes predictions possible: y [n_known] of the first rows. The rows behind them are points whose
 * values are still to come: they stand in with their own mean, which leaves all means as they are,
 * and takes away what they will tell from the deviations (Desautels, Krause and Burdick 2014).
 * ASY_E_INVAL: not positive definite. */
ASY_MUST_CHECK int asy__tvgp_settle(struct asy__tvgp *gp, const double *y, size_t n_known);
/* mean + bonus times the deviation, without noise, and its derivatives by x [d] (NULL: not
 * wanted). */
double asy__tvgp_bound(struct asy__tvgp *gp, const double *x, double t, double bonus,
                       double *ret_gradient);
#endif
