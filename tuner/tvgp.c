/* SPDX-License-Identifier: Apache-2.0
 * tvgp.c - see tvgp.h. The likelihood has its analytic gradient (Rasmussen and Williams 2006,
 * equations 2.30 and 5.9). gp_model.c is not this: its covariance is another one, has no time, and
 * its hyperparameters have priors, where the paper has none but bounds. */
#include "tvgp.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <asy/la.h>
#include "lbfgs.h"

#define SD_MIN 1e-6 /* of a prediction: there the bound has no slope */

/* Values have variance 1. A length above 1 would make all of the cube alike, and an eps above 0.5
 * forget what two turns ago was true: the paper's code has the same bounds. */
static const double theta_lo[] = { 0.05, 0.05, 5e-4, 1e-3 };
static const double theta_hi[] = { 20, 1, 0.35, 2 };
static const double theta_start[] = { 1, 0.5, 0.05, 0.1 };

int asy__tvgp_init(struct asy__tvgp *gp, size_t d, size_t cap)
{
    double *at;

    *gp = (struct asy__tvgp){ .d = d, .cap = cap };
    if (!(at = calloc(cap, (d + 4 + 2 * cap) * sizeof *at)))
        return ASY_E_NOMEM;
    gp->x = at;
    gp->t = at += cap * d;
    gp->alpha = at += cap;
    gp->k = at += cap;
    gp->v = at += cap;
    gp->l = at += cap;
    gp->w = at + cap * cap;
    for (size_t j = 0; j < ASY__TVGP_THETA; j++) {
        gp->theta[j] = log(theta_start[j]);
        gp->s[j] = theta_start[j];
    }
    return 0;
}

void asy__tvgp_fini(struct asy__tvgp *gp)
{
    free(gp->x);
    *gp = (struct asy__tvgp){ 0 };
}

void asy__tvgp_push(struct asy__tvgp *gp, const double *x, double t)
{
    ASY_ASSERT(gp->n < gp->cap);
    memcpy(gp->x + gp->n * gp->d, x, gp->d * sizeof *x);
    gp->t[gp->n++] = t;
}

void asy__tvgp_set_theta(struct asy__tvgp *gp, const double theta[ASY__TVGP_THETA])
{
    memcpy(gp->theta, theta, sizeof gp->theta);
    for (size_t j = 0; j < ASY__TVGP_THETA; j++)
        gp->s[j] = exp(theta[j]);
}

static double distance(const struct asy__tvgp *gp, const double *x, const double *x2)
{
    double sum = 0;

    for (size_t j = 0; j < gp->d; j++)
        sum += (x[j] - x2[j]) * (x[j] - x2[j]);
    return sum;
}

double asy__tvgp_covariance(const struct asy__tvgp *gp, const double *x, double t, const double *x2,
                            double t2)
{
    double length = gp->s[ASY__TVGP_LENGTH];

    return gp->s[ASY__TVGP_VARIANCE] * exp(-distance(gp, x, x2) / (2 * length * length) -
                                           gp->s[ASY__TVGP_RATE] * fabs(t - t2));
}

/* k [n]: with the first n rows. */
static void covariances(const struct asy__tvgp *gp, const double *x, double t, size_t n, double *k)
{
    for (size_t i = 0; i < n; i++)
        k[i] = asy__tvgp_covariance(gp, x, t, gp->x + i * gp->d, gp->t[i]);
}

static int factor(struct asy__tvgp *gp)
{
    double own = gp->s[ASY__TVGP_VARIANCE] + gp->s[ASY__TVGP_NOISE];

    for (size_t i = 0; i < gp->n; i++) {
        covariances(gp, gp->x + i * gp->d, gp->t[i], i, gp->l + i * gp->cap);
        gp->l[i * gp->cap + i] = own;
    }
    if (asy_la_cholesky(0, gp->n, gp->l, gp->cap))
        return ASY_E_INVAL;
    asy_la_invert_lower(0, gp->n, gp->l, gp->cap, gp->w, gp->cap);
    return 0;
}

/* ---- hyperparameters ------------------------------------------------------------------------- */

/* The gradient, 1/2 tr(M dK) with M = K^-1 - alpha alpha^T; m: the lower triangle of K^-1. */
static void slopes(const struct asy__tvgp *gp, const double *m, double *gradient)
{
    double variance = gp->s[ASY__TVGP_VARIANCE], rate = gp->s[ASY__TVGP_RATE];
    double length = gp->s[ASY__TVGP_LENGTH], trace = 0;

    memset(gradient, 0, ASY__TVGP_THETA * sizeof *gradient);
    for (size_t i = 0; i < gp->n; i++) {
        const double *x = gp->x + i * gp->d;

        trace += m[i * gp->cap + i] - gp->alpha[i] * gp->alpha[i];
        for (size_t j = 0; j < i; j++) {
            const double *other = gp->x + j * gp->d;
            double by = (m[i * gp->cap + j] - gp->alpha[i] * gp->alpha[j]) *
                        asy__tvgp_covariance(gp, x, gp->t[i], other, gp->t[j]);

            gradient[ASY__TVGP_VARIANCE] += by;
            gradient[ASY__TVGP_LENGTH] += by * distance(gp, x, other) / (length * length);
            gradient[ASY__TVGP_RATE] -= by * rate * fabs(gp->t[i] - gp->t[j]);
        }
    }
    gradient[ASY__TVGP_VARIANCE] += 0.5 * variance * trace;
    gradient[ASY__TVGP_NOISE] = 0.5 * gp->s[ASY__TVGP_NOISE] * trace;
}

double asy__tvgp_loss(struct asy__tvgp *gp, const double *y, double *work,
                      double ret_gradient[ASY__TVGP_THETA])
{
    double loss;

    if (factor(gp)) {
        memset(ret_gradient, 0, ASY__TVGP_THETA * sizeof *ret_gradient);
        return INFINITY;
    }
    asy_la_lower_many(gp->n, 1, gp->w, gp->cap, y, gp->n, gp->v, gp->n);
    asy_la_lower_many_t(gp->n, 1, gp->w, gp->cap, gp->v, gp->n, gp->alpha, gp->n);
    loss = 0.5 * (asy_la_dot(gp->n, gp->v, gp->v) + asy_la_logdet(gp->n, gp->l, gp->cap));
    asy_la_gram(gp->n, gp->w, gp->cap, work, gp->cap);
    slopes(gp, work, ret_gradient);
    return loss;
}

int asy__tvgp_fit(struct asy__tvgp *gp, const double *y, double *work)
{
    static const struct asy__lbfgs_rule rule = { .evaluations_max = 30, .gradient = 1e-2,
                                                 .gain = 1e-5, .step_max = 2 };
    double start[ASY__TVGP_THETA], gradient[ASY__TVGP_THETA], loss;
    struct asy__lbfgs o;

    if (asy__lbfgs_init(&o, ASY__TVGP_THETA))
        return ASY_E_NOMEM;
    for (size_t j = 0; j < ASY__TVGP_THETA; j++) {
        o.lo[j] = log(theta_lo[j]);
        o.hi[j] = log(theta_hi[j]);
        o.size[j] = 1;
        start[j] = log(theta_start[j]);
    }
    asy__lbfgs_start(&o, &rule, start);
    do {
        asy__tvgp_set_theta(gp, o.trial);
        loss = asy__tvgp_loss(gp, y, work, gradient);
    } while (asy__lbfgs_tell(&o, loss, gradient));
    asy__tvgp_set_theta(gp, o.x);
    asy__lbfgs_fini(&o);
    return 0;
}

/* ---- predictions ----------------------------------------------------------------------------- */

int asy__tvgp_settle(struct asy__tvgp *gp, const double *y, size_t n_known)
{
    int rc = factor(gp);

    if (rc)
        return rc;
    /* The factor of the rows known is the upper part of that of all. */
    memset(gp->alpha, 0, gp->n * sizeof *gp->alpha);
    asy_la_lower_many(n_known, 1, gp->w, gp->cap, y, n_known, gp->v, n_known);
    asy_la_lower_many_t(n_known, 1, gp->w, gp->cap, gp->v, n_known, gp->alpha, n_known);
    return 0;
}

double asy__tvgp_bound(struct asy__tvgp *gp, const double *x, double t, double bonus,
                       double *ret_gradient)
{
    double length = gp->s[ASY__TVGP_LENGTH], mean, sd;

    covariances(gp, x, t, gp->n, gp->k);
    mean = asy_la_dot(gp->n, gp->k, gp->alpha);
    asy_la_lower_many(gp->n, 1, gp->w, gp->cap, gp->k, gp->n, gp->v, gp->n);
    sd = sqrt(fmax(gp->s[ASY__TVGP_VARIANCE] - asy_la_dot(gp->n, gp->v, gp->v),
                   SD_MIN * SD_MIN));
    if (!ret_gradient)
        return mean + bonus * sd;
    memset(ret_gradient, 0, gp->d * sizeof *ret_gradient);
    for (size_t i = 0; i < gp->n; i++) { /* (K^-1 k)_i is column i of w times v */
        const double *other = gp->x + i * gp->d;
        double solved = 0, by;

        for (size_t r = i; r < gp->n && sd > SD_MIN; r++)
            solved += gp->w[r * gp->cap + i] * gp->v[r];
        by = gp->k[i] * (gp->alpha[i] - bonus * solved / sd) / (length * length);
        for (size_t j = 0; j < gp->d; j++)
            ret_gradient[j] -= by * (x[j] - other[j]);
    }
    return mean + bonus * sd;
}
