/* SPDX-License-Identifier: Apache-2.0
 * asy/norm.h - layer normalisation (Ba, Kiros and Hinton 2016, arXiv 1607.06450, equations 3 and 4,
 * over each row's own numbers).
 *
 * Bits: the same for every instruction set; a row's do not depend on the rows beside it. Sums along
 * a row go in sixteen chains, number j to chain j mod 16, and those fold in halves.
 *
 * Threads: any; a call runs on the calling thread alone. */
#ifndef ASY_NORM_H
#define ASY_NORM_H
#include <stddef.h>

/* y [rows][cols] = (x - mean) / sqrt(variance + epsilon) * scale + shift, with mean and variance
 * (over cols, not cols - 1) of x's row; scale, shift [cols]. stats [rows][2], =: mean, and one over
 * the root, which the gradient reads. cols > 0; y may be x. */
void asy_layer_norm(size_t rows, size_t cols, float epsilon, const float *x, const float *scale,
                    const float *shift, float *y, float *stats);
void asy_layer_norm_ref(size_t rows, size_t cols, float epsilon, const float *x,
                        const float *scale, const float *shift, float *y, float *stats);
/* dx [rows][cols] = the gradient by x, or += if add; dscale, dshift [cols], =: theirs, summed over
 * the rows in row order. dx may be dy unless add. */
void asy_layer_norm_grad(size_t rows, size_t cols, int add, const float *x, const float *scale,
                         const float *stats, const float *dy, float *dx, float *dscale,
                         float *dshift);
void asy_layer_norm_grad_ref(size_t rows, size_t cols, int add, const float *x,
                             const float *scale, const float *stats, const float *dy, float *dx,
                             float *dscale, float *dshift);
#endif
