/* SPDX-License-Identifier: Apache-2.0
 * asy/pool.h - pooling of images [height][width][channels], in single precision.
 *
 * Bits: windows are read row by row; of equal numbers the first is the greatest; gradients of
 * windows that overlap are added in the order of the windows. A NaN is greater than anything.
 *
 * Threads: any; a call runs on the calling thread alone. asy_kernels_init() comes first. */
#ifndef ASY_POOL_H
#define ASY_POOL_H
#include <asy/error.h>

#define ASY_POOL_MAX 15 /* of size and stride */

/* Windows of size x size, of which each begins `stride` further on; a border of `pad` on each side
 * counts for nothing (pad at most half of size). No window is larger than the image with its
 * border. */
struct asy_pool {
    size_t h, w, channels, size, stride, pad;
};
/* Of the output: [asy_pool_h][asy_pool_w][channels]. */
size_t asy_pool_h(const struct asy_pool *pool);
size_t asy_pool_w(const struct asy_pool *pool);

/* y = the greatest of each window, of `rows` images; from = which one of the window it was, row
 * after row. */
void asy_max_pool(const struct asy_pool *pool, size_t rows, const float *x, float *y,
                  uint8_t *from);
void asy_max_pool_ref(const struct asy_pool *pool, size_t rows, const float *x, float *y,
                      uint8_t *from);
/* dx = dy where the greatest was, else zero. */
void asy_max_pool_grad(const struct asy_pool *pool, size_t rows, const float *dy,
                       const uint8_t *from, float *dx);
void asy_max_pool_grad_ref(const struct asy_pool *pool, size_t rows, const float *dy,
                           const uint8_t *from, float *dx);
/* y = the mean of what of each window lies inside the image. */
void asy_mean_pool(const struct asy_pool *pool, size_t rows, const float *x, float *y);
void asy_mean_pool_ref(const struct asy_pool *pool, size_t rows, const float *x, float *y);
void asy_mean_pool_grad(const struct asy_pool *pool, size_t rows, const float *dy, float *dx);
void asy_mean_pool_grad_ref(const struct asy_pool *pool, size_t rows, const float *dy, float *dx);
/* y [rows][channels] = means of x [rows][pixels][channels] over the pixels. */
void asy_global_mean(size_t rows, size_t pixels, size_t channels, const float *x, float *y);
void asy_global_mean_ref(size_t rows, size_t pixels, size_t channels, const float *x, float *y);
void asy_global_mean_grad(size_t rows, size_t pixels, size_t channels, const float *dy, float *dx);
void asy_global_mean_grad_ref(size_t rows, size_t pixels, size_t channels, const float *dy,
                              float *dx);
/* y [rows][channels] = the greatest of x [rows][pixels][channels] over the pixels, pixels > 0; not
 * a number is greater than all. dx = dy at the first pixel that is as y says, else zero. (Nothing
 * but comparisons, so these are their own references.) */
void asy_global_max(size_t rows, size_t pixels, size_t channels, const float *x, float *y);
void asy_global_max_grad(size_t rows, size_t pixels, size_t channels, const float *dy,
                         const float *x, const float *y, float *dx);
#endif
