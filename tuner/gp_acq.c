/* SPDX-License-Identifier: Apache-2.0
 * gp_acq.c - see gp_acq.h. */
#include "gp_acq.h"
#include <string.h>
#include <asy/la.h>
#include "logei.h"
#include "truncnorm.h"

#define VARIANCE_MIN 1e-12

/* One process at the points of a chunk: arrays [m, n]. */
struct chunk {
    const struct asy__gp *gp;
    size_t m, n, d;
    double *x, *slope; /* [m, d] the points as the process sees them, derivatives by themselves */
    double *k, *dk; /* covariances with the rows, derivatives by squared distance */
    double *v, *back; /* W k, W^T W k */
};

static void fill(struct chunk *c, const double *u, int gradients)
{
    const struct asy__gp *gp = c->gp;

    for (size_t p = 0; p < c->m; p++) {
        asy__gp_see(gp, u + p * c->d, c->x + p * c->d, c->slope + p * c->d);
        asy__gp_covariances(gp, c->x + p * c->d, c->n, c->k + p * c->n, c->dk + p * c->n);
    }
    asy_la_lower_many(c->n, c->m, gp->w, gp->cap, c->k, c->n, c->v, c->n);
    if (gradients)
        asy_la_lower_many_t(c->n, c->m, gp->w, gp->cap, c->v, c->n, c->back, c->n);
}

static double sigma_at(const struct chunk *c, size_t p)
{
    const double *v = c->v + p * c->n;
    double variance = c->gp->s[c->d] - asy_la_dot(c->n, v, v);

    return sqrt(variance > VARIANCE_MIN ? variance : VARIANCE_MIN);
}

/* gradient += the derivative by the point, from those by sigma and by the covariances' means: by_k
 * [n] is the latter; it is overwritten. */
static void add_gradient(const struct chunk *c, size_t p, double sigma, double by_sigma,
                         double *by_k, double *gradient)
{
    const struct asy__gp *gp = c->gp;
    const double *x = c->x + p * c->d, *slope = c->slope + p * c->d;
    double sum = 0;

    for (size_t i = 0; i < c->n; i++) {
        by_k[i] = (by_k[i] - by_sigma / sigma * c->back[p * c->n + i]) * c->dk[p * c->n + i];
        sum += by_k[i];
    }
    for (size_t j = 0; j < c->d; j++)
        if (gp->dims[j].kind != ASY__GP_CATEGORY)
            gradient[j] += 2 * gp->s[j] * slope[j] *
                           (x[j] * sum - asy_la_dot(c->n, by_k, gp->x + j * gp->cap));
}

/* log of the mean of exp(logs[n]); ret_shares[n]: of that mean. */
static double mean_of(size_t n, const double *logs, double *ret_shares)
{
    double top = -INFINITY, sum = 0;

    for (size_t s = 0; s < n; s++)
        top = logs[s] > top ? logs[s] : top;
    if (!(top > -INFINITY)) {
        memset(ret_shares, 0, n * sizeof *ret_shares);
        return top;
    }
    for (size_t s = 0; s < n; s++)
        sum += ret_shares[s] = exp(logs[s] - top);
    for (size_t s = 0; s < n; s++)
        ret_shares[s] /= sum;
    return top + log(sum / (double)n);
}

/* The part of the mean that earlier studies make expect, and its derivatives by u. */
static double expect(const struct asy__gp_acq *acq, const double *u, double *ret_gradient)
{
    return !acq->earlier ? 0 : acq->weight * asy__gp_earlier_mean(acq->earlier, u,
                                                                  acq->earlier_work, ret_gradient);
}

static void add_expected(const struct asy__gp_acq *acq, const double *u, double by,
                         double *gradient)
{
    double *slopes;

    if (!acq->earlier)
        return;
    slopes = acq->earlier_work + 2 * acq->earlier->gp.n;
    expect(acq, u, slopes);
    for (size_t j = 0; j < acq->earlier->gp.d; j++)
        gradient[j] += by * acq->weight * slopes[j];
}

/* log of the mean over paths of the expected improvement. */
static double improvement(const struct asy__gp_acq *acq, const struct chunk *c, size_t p,
                          const double *u, double *gradient)
{
    double sigma = sigma_at(c, p), by_sigma = 0, value, shares[ASY__GP_PATHS_MAX];
    double logs[ASY__GP_PATHS_MAX], slopes[ASY__GP_PATHS_MAX], z[ASY__GP_PATHS_MAX];
    double *by_k = c->v + p * c->n, expected = expect(acq, u, NULL), by_expected = 0;

    for (size_t s = 0; s < acq->n_paths; s++) {
        double mean = expected + asy_la_dot(c->n, c->k + p * c->n, acq->alpha + s * c->n);

        z[s] = (acq->best[s] - mean) / sigma;
        logs[s] = asy__log_h(z[s], &slopes[s]);
    }
    value = mean_of(acq->n_paths, logs, shares);
    if (gradient) {
        memset(by_k, 0, c->n * sizeof *by_k);
        for (size_t s = 0; s < acq->n_paths; s++) {
            double by_mean = -shares[s] * slopes[s] / sigma;

            by_expected += by_mean;
            by_sigma += shares[s] * (1 - slopes[s] * z[s]) / sigma;
            for (size_t i = 0; i < c->n; i++)
                by_k[i] += by_mean * acq->alpha[s * c->n + i];
        }
        add_gradient(c, p, sigma, by_sigma, by_k, gradient);
        add_expected(acq, u, by_expected, gradient);
    }
    return log(sigma) + value;
}

/* log of the mean over paths of the expected hypervolume improvement. c: [2] of either objective */
static double volume(const struct asy__gp_acq *acq, const struct chunk *c, size_t p,
                     double *gradient)
{
    const double *alphas[2] = { acq->alpha, acq->second_alpha };
    double sigma[2] = { sigma_at(&c[0], p), sigma_at(&c[1], p) }, value;
    double by_mean[ASY__GP_PATHS_MAX][2], by_sigma[ASY__GP_PATHS_MAX][2];
    double logs[ASY__GP_PATHS_MAX], shares[ASY__GP_PATHS_MAX];
    size_t n = c->n;

    for (size_t s = 0; s < acq->n_paths; s++) {
        double mean[2];

        for (size_t g = 0; g < 2; g++)
            mean[g] = asy_la_dot(n, c[g].k + p * n, alphas[g] + s * n);
        logs[s] = asy__log_ehvi(&acq->strips[s], mean, sigma, by_mean[s], by_sigma[s]);
    }
    value = mean_of(acq->n_paths, logs, shares);
    for (size_t g = 0; gradient && g < 2; g++) {
        double *by_k = c[g].v + p * n, by = 0;

        memset(by_k, 0, n * sizeof *by_k);
        for (size_t s = 0; s < acq->n_paths; s++) {
            by += shares[s] * by_sigma[s][g];
            for (size_t i = 0; i < n; i++)
                by_k[i] += shares[s] * by_mean[s][g] * alphas[g][s * n + i];
        }
        add_gradient(&c[g], p, sigma[g], by, by_k, gradient);
    }
    return value;
}

/* log of the probability that the value is at most 0. */
static double feasibility(const struct asy__gp_acq *acq, const struct chunk *c, size_t p,
                          double *gradient)
{
    double mean = asy_la_dot(c->n, c->k + p * c->n, acq->feasible_alpha);
    double sigma = sigma_at(c, p), z = -mean / sigma, value = asy__log_ndtr(z);
    double *by_k = c->v + p * c->n, slope;

    if (gradient) {
        slope = exp(-0.5 * z * z - ASY__LOG_SQRT_2PI - value);
        for (size_t i = 0; i < c->n; i++)
            by_k[i] = -slope / sigma * acq->feasible_alpha[i];
        add_gradient(c, p, sigma, -slope * z / sigma, by_k, gradient);
    }
    return value;
}

/* A chunk of one process at m points, in the i-th half of the memory for work. */
static struct chunk open_chunk(const struct asy__gp_acq *acq, const struct asy__gp *gp, size_t i,
                               size_t m, const double *u, int gradients)
{
    struct chunk c = { .gp = gp, .m = m, .n = gp->n, .d = gp->d };

    c.x = acq->work + i * ASY__GP_CHUNK * (4 * c.n + 2 * c.d);
    c.slope = c.x + ASY__GP_CHUNK * c.d;
    c.k = c.slope + ASY__GP_CHUNK * c.d;
    c.dk = c.k + ASY__GP_CHUNK * c.n;
    c.v = c.dk + ASY__GP_CHUNK * c.n;
    c.back = c.v + ASY__GP_CHUNK * c.n;
    fill(&c, u, gradients);
    return c;
}

enum part { IMPROVEMENT, FEASIBILITY };

static void add_part(const struct asy__gp_acq *acq, enum part part, size_t m, const double *u,
                     double *values, double *gradients)
{
    const struct asy__gp *gp = part == FEASIBILITY ? acq->feasible : acq->objective;
    int both = part == IMPROVEMENT && acq->second;
    struct chunk c[2];

    c[0] = open_chunk(acq, gp, 0, m, u, gradients != NULL);
    if (both)
        c[1] = open_chunk(acq, acq->second, 1, m, u, gradients != NULL);
    for (size_t p = 0; p < m; p++) {
        double *gradient = gradients ? gradients + p * gp->d : NULL;

        values[p] += part == FEASIBILITY ? feasibility(acq, c, p, gradient)
                     : both              ? volume(acq, c, p, gradient)
                                         : improvement(acq, c, p, u + p * gp->d, gradient);
    }
}

void asy__gp_acq_eval(const struct asy__gp_acq *acq, size_t m, const double *u, double *values,
                      double *gradients)
{
    size_t d = acq->objective ? acq->objective->d : acq->feasible->d;

    memset(values, 0, m * sizeof *values);
    if (gradients)
        memset(gradients, 0, m * d * sizeof *gradients);
    for (size_t at = 0; at < m; at += ASY__GP_CHUNK) {
        size_t now = m - at < ASY__GP_CHUNK ? m - at : ASY__GP_CHUNK;
        double *gradient = gradients ? gradients + at * d : NULL;

        if (acq->objective)
            add_part(acq, IMPROVEMENT, now, u + at * d, values + at, gradient);
        if (acq->feasible)
            add_part(acq, FEASIBILITY, now, u + at * d, values + at, gradient);
    }
}
