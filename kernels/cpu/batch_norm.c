/* SPDX-License-Identifier: Apache-2.0
 * batch_norm.c - the public entries over the kernels of batch normalisation, their plain twins, and
 * what is done once for each channel. */
#include "batch_norm.h"
#include <math.h>

void asy_batch_sums(size_t rows, size_t n, const float *x, double *sums)
{
    asy__batch_get()->sums(rows, n, x, sums);
}

void asy_batch_grad_sums(size_t rows, size_t n, const float *dy, const float *x,
                         const float *stats, double *sums)
{
    asy__batch_get()->grad_sums(rows, n, dy, x, stats, sums);
}

void asy_batch_norm(size_t rows, size_t n, const float *x, const float *stats, const float *scale,
                    const float *shift, float *y)
{
    asy__batch_get()->norm(rows, n, x, stats, scale, shift, y);
}

void asy_batch_norm_grad(size_t rows, size_t n, const float *dy, const float *x,
                         const float *stats, const float *scale, const double *sums, float *dx)
{
    asy__batch_get()->norm_grad(rows, n, dy, x, stats, scale, sums, dx);
}

/* Squares less the mean's square lose digits where the mean is large beside the deviation; in
 * double precision those of floats are left. */
void asy_batch_stats(size_t n, float epsilon, const double *sums, float *stats, float *mean,
                     float *variance)
{
    double rows = sums[2 * n], others = rows > 1 ? rows - 1 : 1, some = rows > 0 ? rows : 1;

    for (size_t i = 0; i < n; i++) {
        double m = sums[i] / some, v = fmax(sums[n + i] / some - m * m, 0);

        stats[i] = (float)m;
        stats[n + i] = (float)(1 / sqrt(v + (double)epsilon));
        if (!mean || rows == 0)
            continue;
        mean[i] += ASY_BATCH_MOMENTUM * ((float)m - mean[i]);
        variance[i] += ASY_BATCH_MOMENTUM * ((float)(v * rows / others) - variance[i]);
    }
    stats[2 * n] = (float)rows;
}

void asy_batch_stats_of(size_t n, float epsilon, const float *mean, const float *variance,
                        float *stats)
{
    for (size_t i = 0; i < n; i++) {
        stats[i] = mean[i];
        stats[n + i] = (float)(1 / sqrt((double)variance[i] + (double)epsilon));
    }
    stats[2 * n] = 0;
}

void asy_batch_sums_ref(size_t rows, size_t n, const float *x, double *sums)
{
    for (size_t i = 0; i < n; i++) {
        sums[i] = sums[n + i] = 0;
        for (size_t r = 0; r < rows; r++) {
            sums[i] += (double)x[r * n + i];
            sums[n + i] += (double)x[r * n + i] * (double)x[r * n + i];
        }
    }
    sums[2 * n] = (double)rows;
}

static double normal(size_t n, const float *stats, size_t i, float x)
{
    return ((double)x - (double)stats[i]) * (double)stats[n + i];
}

void asy_batch_grad_sums_ref(size_t rows, size_t n, const float *dy, const float *x,
                             const float *stats, double *sums)
{
    for (size_t i = 0; i < n; i++) {
        sums[i] = sums[n + i] = 0;
        for (size_t r = 0; r < rows; r++) {
            sums[i] += (double)dy[r * n + i];
            sums[n + i] += (double)dy[r * n + i] * normal(n, stats, i, x[r * n + i]);
        }
    }
    sums[2 * n] = (double)rows;
}

void asy_batch_norm_ref(size_t rows, size_t n, const float *x, const float *stats,
                        const float *scale, const float *shift, float *y)
{
    for (size_t k = 0; k < rows * n; k++)
        y[k] = (float)(normal(n, stats, k % n, x[k]) * (double)scale[k % n] +
                       (double)shift[k % n]);
}

void asy_batch_norm_grad_ref(size_t rows, size_t n, const float *dy, const float *x,
                             const float *stats, const float *scale, const double *sums, float *dx)
{
    for (size_t k = 0; k < rows * n; k++) {
        size_t i = k % n;
        double by = (double)scale[i] * (double)stats[n + i];

        dx[k] = (float)(by * ((double)dy[k] - sums[i] / sums[2 * n] -
                              normal(n, stats, i, x[k]) * sums[n + i] / sums[2 * n]));
    }
}
