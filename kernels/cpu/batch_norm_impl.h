/* SPDX-License-Identifier: Apache-2.0
 * batch_norm_impl.h - batch normalisation, compiled once per instruction set: plain loops over
 * channels, some of which stay in registers for all rows where sums are made.
 *
 * The includer defines BATCH (the table's name) and BATCH_NAME. */
#include "batch_norm.h"
#include <string.h>

#define GROUP 16 /* channels whose sums are at hand */

static inline void sums_of(size_t rows, size_t n, size_t width, const float *x, double *first,
                           double *second)
{
    double a[GROUP] = { 0 }, b[GROUP] = { 0 };

    for (size_t r = 0; r < rows; r++, x += n)
        for (size_t i = 0; i < width; i++) {
            double v = (double)x[i];

            a[i] += v;
            b[i] += v * v;
        }
    memcpy(first, a, width * sizeof *a);
    memcpy(second, b, width * sizeof *b);
}

static void sums(size_t rows, size_t n, const float *x, double *to)
{
    size_t i = 0;

    for (; i + GROUP <= n; i += GROUP)
        sums_of(rows, n, GROUP, x + i, to + i, to + n + i);
    if (i < n)
        sums_of(rows, n, n - i, x + i, to + i, to + n + i);
    to[2 * n] = (double)rows;
}

static inline void grad_sums_of(size_t rows, size_t n, size_t width, const float *dy,
                                const float *x, const float *mean, const float *factor,
                                double *first, double *second)
{
    double a[GROUP] = { 0 }, b[GROUP] = { 0 };

    for (size_t r = 0; r < rows; r++, x += n, dy += n)
        for (size_t i = 0; i < width; i++) {
            a[i] += (double)dy[i];
            b[i] += (double)dy[i] * (double)((x[i] - mean[i]) * factor[i]);
        }
    memcpy(first, a, width * sizeof *a);
    memcpy(second, b, width * sizeof *b);
}

static void grad_sums(size_t rows, size_t n, const float *dy, const float *x, const float *stats,
                      double *to)
{
    size_t i = 0;

    for (; i + GROUP <= n; i += GROUP)
        grad_sums_of(rows, n, GROUP, dy + i, x + i, stats + i, stats + n + i, to + i, to + n + i);
    if (i < n)
        grad_sums_of(rows, n, n - i, dy + i, x + i, stats + i, stats + n + i, to + i, to + n + i);
    to[2 * n] = (double)rows;
}

static void norm(size_t rows, size_t n, const float *x, const float *stats, const float *scale,
                 const float *shift, float *y)
{
    const float *mean = stats, *factor = stats + n;

    for (size_t r = 0; r < rows; r++, x += n, y += n)
        for (size_t i = 0; i < n; i++)
            y[i] = (x[i] - mean[i]) * factor[i] * scale[i] + shift[i];
}

/* dx = scale / deviation (dy - mean of dy - normalised x times the mean of dy times it); with two
 * numbers for each channel worked out first, GROUP channels at a time. */
static void norm_grad(size_t rows, size_t n, const float *dy, const float *x, const float *stats,
                      const float *scale, const double *from, float *dx)
{
    const float *mean = stats, *factor = stats + n;

    for (size_t at = 0; at < n; at += GROUP) {
        size_t width = n - at < GROUP ? n - at : GROUP;
        float shift[GROUP], slope[GROUP], by[GROUP];

        for (size_t i = 0; i < width; i++) {
            shift[i] = (float)(from[at + i] / from[2 * n]);
            slope[i] = (float)(from[n + at + i] / from[2 * n]);
            by[i] = scale[at + i] * factor[at + i];
        }
        for (size_t r = 0; r < rows; r++)
            for (size_t i = 0; i < width; i++) {
                size_t k = r * n + at + i;
                float normal = (x[k] - mean[at + i]) * factor[at + i];

                dx[k] = by[i] * (dy[k] - shift[i] - normal * slope[i]);
            }
    }
}

const struct asy__batch BATCH = { BATCH_NAME, sums, grad_sums, norm, norm_grad };
