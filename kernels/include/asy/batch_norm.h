/* SPDX-License-Identifier: Apache-2.0
 * asy/batch_norm.h - batch normalisation (Ioffe and Szegedy 2015, arXiv 1502.03167): each channel
 * of x [rows][n] (the pixels of all images count as rows) at mean 0 and variance 1, scaled and
 * shifted.
 *
 * A batch may lie in several places: each adds up its own rows, the sums are added, and the rest
 * needs but those. Sums are in double precision, in the order of rows.
 *
 * Threads: any; a call runs on the calling thread alone. asy_kernels_init() comes first. */
#ifndef ASY_BATCH_NORM_H
#define ASY_BATCH_NORM_H
#include <asy/error.h>

#define ASY_BATCH_MOMENTUM 0.1f /* share of a batch in the running statistics, as in PyTorch */

/* Numbers of sums of n channels: of the values, of their squares, and how many rows. */
static inline size_t asy_batch_sums_len(size_t n)
{
    return 2 * n + 1;
}
/* Floats of a batch's statistics: means, one by the deviations, and how many rows. */
static inline size_t asy_batch_stats_len(size_t n)
{
    return 2 * n + 1;
}
/* sums = those of x. */
void asy_batch_sums(size_t rows, size_t n, const float *x, double *sums);
void asy_batch_sums_ref(size_t rows, size_t n, const float *x, double *sums);
/* From the sums of the whole batch: stats =; mean and variance (that of a sample) [n]: the running
 * ones move towards them (both NULL: there are none). Of no rows the mean and the variance are 0,
 * and the running ones stay. */
void asy_batch_stats(size_t n, float epsilon, const double *sums, float *stats, float *mean,
                     float *variance);
/* Those of the running ones. */
void asy_batch_stats_of(size_t n, float epsilon, const float *mean, const float *variance,
                        float *stats);
/* y = (x - mean) / deviation * scale + shift; y may be x. */
void asy_batch_norm(size_t rows, size_t n, const float *x, const float *stats, const float *scale,
                    const float *shift, float *y);
void asy_batch_norm_ref(size_t rows, size_t n, const float *x, const float *stats,
                        const float *scale, const float *shift, float *y);
/* sums = of dy, of dy times what x is normalised to, and how many rows: the first two, of these
 * rows, are the gradients to shift and scale. */
void asy_batch_grad_sums(size_t rows, size_t n, const float *dy, const float *x,
                         const float *stats, double *sums);
void asy_batch_grad_sums_ref(size_t rows, size_t n, const float *dy, const float *x,
                             const float *stats, double *sums);
/* dx =, from the sums of the whole batch; dx may be dy. */
void asy_batch_norm_grad(size_t rows, size_t n, const float *dy, const float *x,
                         const float *stats, const float *scale, const double *sums, float *dx);
void asy_batch_norm_grad_ref(size_t rows, size_t n, const float *dy, const float *x,
                             const float *stats, const float *scale, const double *sums,
                             float *dx);
#endif
