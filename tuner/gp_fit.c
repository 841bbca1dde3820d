/* SPDX-License-Identifier: Apache-2.0
 * gp_fit.c - the hyperparameters of a Gaussian process: its posterior density with the analytic
 * gradient (Rasmussen and Williams 2006, equations 2.30 and 5.9), maximised by L-BFGS. */
#include "gp_model.h"
#include <stdlib.h>
#include <string.h>
#include <asy/la.h>
#include "gp_input.h"
#include "lbfgs.h"

/* Bounds of the logarithms: wide enough never to be what decides. */
#define S_MIN 1e-4
#define S_MAX 1e4
#define SCALE_MIN 1e-3
#define SCALE_MAX 1e3
#define NOISE_MAX 10.0
#define INPUT_MAX 16.0

void asy__gp_fit_start(size_t d, double *theta)
{
    for (size_t j = 0; j < d + 2; j++)
        theta[j] = 0;
}

/* Minus the log density of the prior, and its derivatives by the logarithms. */
static double prior(const struct asy__gp *gp, double *gradient)
{
    const double *s = gp->s;
    size_t d = gp->d;
    double loss = 0;

    for (size_t j = 0; j < d; j++) {
        loss += 0.1 / s[j] + 0.1 * s[j];
        gradient[j] = -0.1 / s[j] + 0.1 * s[j];
    }
    loss += s[d] - gp->theta[d] + 30 * s[d + 1] - 0.1 * gp->theta[d + 1];
    gradient[d] = s[d] - 1;
    gradient[d + 1] = 30 * s[d + 1] - 0.1;
    for (size_t j = d + 2; j < asy__gp_theta_len(gp); j++) {
        gradient[j] = gp->theta[j] / (ASY__GP_INPUT_SD * ASY__GP_INPUT_SD);
        loss += 0.5 * gp->theta[j] * gradient[j];
    }
    return loss;
}

/* Factor and inverse of all rows; dk [n, cap] gets the derivatives of the covariances. */
static int factor_all(struct asy__gp *gp, double *dk, double *u)
{
    for (size_t i = 0; i < gp->n; i++) {
        for (size_t j = 0; j < gp->d; j++)
            u[j] = gp->x[j * gp->cap + i];
        asy__gp_covariances(gp, u, i, gp->l + i * gp->cap, dk + i * gp->cap);
        gp->l[i * gp->cap + i] = gp->s[gp->d] + gp->s[gp->d + 1];
    }
    if (asy_la_cholesky(0, gp->n, gp->l, gp->cap))
        return ASY_E_INVAL;
    asy_la_invert_lower(0, gp->n, gp->l, gp->cap, gp->w, gp->cap);
    return 0;
}

/* pull [n] of a coordinate x: += what the weights g [i] of row i with the rows before it make of
 * the differences, for both rows of each pair. sum: of g. */
static void add_pull(size_t i, const double *g, double sum, const double *x, double *pull)
{
    pull[i] += x[i] * sum - asy_la_dot(i, g, x);
    for (size_t k = 0; k < i; k++)
        pull[k] -= g[k] * (x[i] - x[k]);
}

/* Adds the derivatives by a and b: those by each row's input, 2 s_j pull, times those of the
 * input. */
static void add_inputs(const struct asy__gp *gp, const double *pull, double *gradient)
{
    size_t d = gp->d, n = gp->n;

    for (size_t j = 0; j < d; j++)
        for (size_t i = 0; i < n && gp->dims[j].kind != ASY__GP_CATEGORY; i++) {
            double by_a, by_b, by = 2 * gp->s[j] * pull[j * n + i];

            asy__gp_input_by(gp->u[j * gp->cap + i], gp->s[d + 2 + j], gp->s[2 * d + 2 + j], &by_a,
                            &by_b);
            gradient[d + 2 + j] += by * by_a;
            gradient[2 * d + 2 + j] += by * by_b;
        }
}

/* Adds the derivatives of the likelihood: 1/2 tr(M dK), M = K^-1 - alpha alpha^T, whose lower
 * triangle stands in m but for the second term. fit: y^T alpha. Overwrites dk. pull: [d, n]
 * zeros where inputs are warped. */
static void add_gradient(const struct asy__gp *gp, const double *alpha, double fit, const double *m,
                         double *dk, double *pull, double *gradient)
{
    double trace = 0;

    for (size_t i = 0; i < gp->n; i++) {
        double *g = dk + i * gp->cap, all = 0;

        trace += m[i * gp->cap + i] - alpha[i] * alpha[i];
        for (size_t k = 0; k < i; k++)
            g[k] *= m[i * gp->cap + k] - alpha[i] * alpha[k];
        for (size_t k = 0; k < i && gp->warped; k++)
            all += g[k];
        for (size_t j = 0; j < gp->d; j++) {
            const double *x = gp->x + j * gp->cap;
            double sum = 0;

            if (gp->dims[j].kind != ASY__GP_CATEGORY)
                sum = asy_la_dist_sum(i, g, x, x[i]);
            else
                for (size_t k = 0; k < i; k++)
                    sum += x[k] != x[i] ? g[k] : 0;
            gradient[j] += gp->s[j] * sum;
            if (gp->warped && gp->dims[j].kind != ASY__GP_CATEGORY)
                add_pull(i, g, all, x, pull + j * gp->n);
        }
    }
    gradient[gp->d] += 0.5 * ((double)gp->n - fit - gp->s[gp->d + 1] * trace);
    gradient[gp->d + 1] += 0.5 * gp->s[gp->d + 1] * trace;
}

double asy__gp_loss(struct asy__gp *gp, const double *y, double *work, double *ret_gradient)
{
    size_t n = gp->n, ld = gp->cap;
    double *alpha = work + n * ld, *v = alpha + n, *pull = v + n + gp->d, loss, fit;

    gp->n_factored = 0;
    if (factor_all(gp, work, v))
        return INFINITY;
    loss = prior(gp, ret_gradient) + 0.5 * asy_la_logdet(n, gp->l, ld);
    asy_la_lower_many(n, 1, gp->w, ld, y, n, v, n);
    asy_la_lower_many_t(n, 1, gp->w, ld, v, n, alpha, n);
    fit = asy_la_dot(n, v, v);
    asy_la_gram(n, gp->w, ld, gp->l, ld); /* the factor has done its duty */
    if (gp->warped)
        memset(pull, 0, gp->d * n * sizeof *pull);
    add_gradient(gp, alpha, fit, gp->l, work, pull, ret_gradient);
    if (gp->warped)
        add_inputs(gp, pull, ret_gradient);
    return loss + 0.5 * fit;
}

static void set_box(const struct asy__gp *gp, struct asy__lbfgs *o)
{
    for (size_t j = 0; j < asy__gp_theta_len(gp); j++) {
        o->lo[j] = log(j < gp->d ? S_MIN : j == gp->d ? SCALE_MIN : ASY__GP_NOISE_MIN);
        o->hi[j] = log(j < gp->d ? S_MAX : j == gp->d ? SCALE_MAX : NOISE_MAX);
        if (j >= gp->d + 2) {
            o->hi[j] = log(INPUT_MAX);
            o->lo[j] = -o->hi[j];
        }
        o->size[j] = 1;
    }
}

int asy__gp_fit(struct asy__gp *gp, const double *y, const double *start, double *ret_loss)
{
    static const struct asy__lbfgs_rule rule = { .evaluations_max = 60, .gradient = 1e-2,
                                                 .gain = 1e-5, .step_max = 2 };
    struct asy__lbfgs o;
    size_t len = asy__gp_theta_len(gp), size = ASY__GP_FIT_WORK(gp);
    double *work = malloc((size + len) * sizeof *work), *gradient;
    int rc = ASY_E_NOMEM;

    if (asy__lbfgs_init(&o, len) || !work)
        goto out;
    gradient = work + size;
    set_box(gp, &o);
    asy__lbfgs_start(&o, &rule, start);
    do
        asy__gp_set_theta(gp, o.trial);
    while (asy__lbfgs_tell(&o, asy__gp_loss(gp, y, work, gradient), gradient));
    asy__gp_set_theta(gp, o.x);
    *ret_loss = o.f;
    rc = 0;
out:
    asy__lbfgs_fini(&o);
    free(work);
    return rc;
}
