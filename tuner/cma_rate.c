/* SPDX-License-Identifier: Apache-2.0
 * cma_rate.c - adaptation of the learning rates (Nomura, Akimoto and Ono, GECCO 2023, algorithm 1):
 * steps are shortened until their signal stands out of their noise, so that the usual batch is
 * enough for objectives that are noisy or have many local optima. */
#include "cma_impl.h"
#include <asy/la.h>
#include <math.h>
#include <string.h>

#define ALPHA 1.4
#define BETA_MEAN 0.1
#define BETA_COV 0.03
#define GAMMA 0.1

/* Keeps the old mean in work->mean[1] and the old sigma^2 C, both triangles, in work->cov[0]. */
void asy__cma_rate_before(struct asy__cma *cma, const struct asy__cma_work *work)
{
    size_t d = cma->shape.d;
    double variance = cma->vars.sigma * cma->vars.sigma;

    memcpy(work->mean + d, cma->mean, d * sizeof *cma->mean);
    for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j <= i; j++)
            work->cov[i * d + j] = work->cov[j * d + i] = variance * cma->cov[i * d + j];
    *work->sigma = cma->vars.sigma;
}

/* The inverse root of the old C, whose eigenvectors are still there. */
static void inverse_root(const struct asy__cma *cma, double *ret_root)
{
    size_t d = cma->shape.d;

    memset(ret_root, 0, d * d * sizeof *ret_root);
    for (size_t k = 0; k < d; k++) {
        const double *v = cma->vectors + k * d;

        for (size_t i = 0; i < d; i++)
            for (size_t j = 0; j < d; j++)
                ret_root[i * d + j] += v[i] / cma->scales[k] * v[j];
    }
}

/* c = a b, symmetric or not; all [d, d]. */
static void product(const double *a, const double *b, size_t d, double *ret_c)
{
    memset(ret_c, 0, d * d * sizeof *ret_c);
    for (size_t i = 0; i < d; i++)
        for (size_t k = 0; k < d; k++)
            for (size_t j = 0; j < d; j++)
                ret_c[i * d + j] += a[i * d + k] * b[k * d + j];
}

/* Takes a step, in coordinates in which the old distribution is the standard one, into its moving
 * averages, and changes the rate by the ratio of signal to noise. */
static void adapt(const double *step, size_t n, double beta, double *drift, double *power,
                  double *rate)
{
    double signal = 0, total = 0, snr, change;

    for (size_t i = 0; i < n; i++) {
        total += step[i] * step[i];
        drift[i] = (1 - beta) * drift[i] + beta * step[i];
        signal += drift[i] * drift[i];
    }
    *power = (1 - beta) * *power + beta * total;
    if (!(*power > signal)) /* no step at all */
        return;
    snr = (signal - beta / (2 - beta) * *power) / (*power - signal);
    change = fmin(fmax(snr / (ALPHA * *rate) - 1, -1), 1);
    *rate = fmin(*rate * exp(fmin(GAMMA * *rate, beta) * change), 1);
}

static void adapt_mean(struct asy__cma *cma, const double *root, double sigma,
                       const struct asy__cma_work *work)
{
    size_t d = cma->shape.d;
    const double *old = work->mean + d;

    for (size_t i = 0; i < d; i++) {
        work->t[i] = 0;
        for (size_t j = 0; j < d; j++)
            work->t[i] += root[i * d + j] * (cma->mean[j] - old[j]) / sigma;
    }
    adapt(work->t, d, BETA_MEAN, cma->drift_mean, &cma->vars.power_mean, &cma->vars.rate_mean);
    for (size_t j = 0; j < d; j++)
        cma->mean[j] = old[j] + cma->vars.rate_mean * (cma->mean[j] - old[j]);
}

/* work->cov: old sigma^2 C, its change (then that in standard coordinates), root, a product. */
static void adapt_cov(struct asy__cma *cma, const double *root, double sigma,
                      const struct asy__cma_work *work)
{
    size_t d = cma->shape.d;
    double *old = work->cov, *change = old + d * d, *half = change + 2 * d * d, *local = change;
    double variance = cma->vars.sigma * cma->vars.sigma, scale = 1 / (sigma * sigma * sqrt(2));

    for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j < d; j++)
            change[i * d + j] = variance * cma->cov[i >= j ? i * d + j : j * d + i] -
                                old[i * d + j];
    product(root, change, d, half);
    for (size_t i = 0; i < d; i++) /* kept here while its place is needed */
        for (size_t j = 0; j <= i; j++)
            cma->cov[i * d + j] = change[i * d + j];
    product(half, root, d, local);
    for (size_t i = 0; i < d * d; i++)
        local[i] *= scale;
    adapt(local, d * d, BETA_COV, cma->drift_cov, &cma->vars.power_cov, &cma->vars.rate_cov);
    for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j <= i; j++)
            cma->cov[i * d + j] = old[i * d + j] + cma->vars.rate_cov * cma->cov[i * d + j];
}

/* sigma is what makes the determinant of C 1. */
static void split(struct asy__cma *cma, const struct asy__cma_work *work)
{
    size_t d = cma->shape.d;
    double sum = 0, sigma;

    if (asy_la_eigh(cma->cov, d, work->t, work->cov, work->eigh, NULL)) {
        cma->vars.broken = 1;
        return;
    }
    for (size_t k = 0; k < d; k++)
        sum += log(work->t[k]);
    sigma = exp(sum / (2 * (double)d));
    if (!(sigma > 0) || !isfinite(sigma)) {
        cma->vars.broken = 1;
        return;
    }
    for (size_t i = 0; i < d; i++)
        for (size_t j = 0; j <= i; j++)
            cma->cov[i * d + j] /= sigma * sigma;
    cma->vars.sigma = sigma;
}

void asy__cma_rate_after(struct asy__cma *cma, const struct asy__cma_work *work)
{
    double rate = cma->vars.rate_mean, sigma = *work->sigma;
    double *root = work->cov + 2 * cma->shape.d * cma->shape.d;

    inverse_root(cma, root);
    adapt_mean(cma, root, sigma, work);
    adapt_cov(cma, root, sigma, work);
    split(cma, work);
    cma->vars.sigma *= rate / cma->vars.rate_mean;
}
