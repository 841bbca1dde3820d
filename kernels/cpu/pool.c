/* SPDX-License-Identifier: Apache-2.0
 * pool.c - the public entries over the pooling kernels, and their plain twins. */
#include "pool.h"
#include <string.h>

size_t asy_pool_h(const struct asy_pool *pool)
{
    return (pool->h + 2 * pool->pad - pool->size) / pool->stride + 1;
}

size_t asy_pool_w(const struct asy_pool *pool)
{
    return (pool->w + 2 * pool->pad - pool->size) / pool->stride + 1;
}

void asy_max_pool(const struct asy_pool *pool, size_t rows, const float *x, float *y,
                  uint8_t *from)
{
    asy__pool_get()->max(pool, rows, x, y, from);
}

void asy_max_pool_grad(const struct asy_pool *pool, size_t rows, const float *dy,
                       const uint8_t *from, float *dx)
{
    asy__pool_get()->max_grad(pool, rows, dy, from, dx);
}

void asy_mean_pool(const struct asy_pool *pool, size_t rows, const float *x, float *y)
{
    asy__pool_get()->mean(pool, rows, x, y);
}

void asy_mean_pool_grad(const struct asy_pool *pool, size_t rows, const float *dy, float *dx)
{
    asy__pool_get()->mean_grad(pool, rows, dy, dx);
}

void asy_global_mean(size_t rows, size_t pixels, size_t channels, const float *x, float *y)
{
    asy__pool_get()->global_mean(rows, pixels, channels, x, y);
}

void asy_global_mean_grad(size_t rows, size_t pixels, size_t channels, const float *dy, float *dx)
{
    asy__pool_get()->global_mean_grad(rows, pixels, channels, dy, dx);
}

void asy_global_max(size_t rows, size_t pixels, size_t channels, const float *x, float *y)
{
    for (size_t r = 0; r < rows; r++, y += channels) {
        memcpy(y, x, channels * sizeof *y);
        x += channels;
        for (size_t i = 1; i < pixels; i++, x += channels)
            for (size_t k = 0; k < channels; k++)
                y[k] = x[k] > y[k] || x[k] != x[k] ? x[k] : y[k];
    }
}

void asy_global_max_grad(size_t rows, size_t pixels, size_t channels, const float *dy,
                         const float *x, const float *y, float *dx)
{
    size_t n = pixels * channels;

    memset(dx, 0, rows * n * sizeof *dx);
    for (size_t r = 0; r < rows; r++, x += n, dx += n)
        for (size_t k = 0; k < channels; k++, y++, dy++) {
            size_t at = k;

            while (at + channels < n && !(x[at] == *y || x[at] != x[at]))
                at += channels;
            dx[at] = *dy;
        }
}

/* Number k of the window of output `at` (counted over rows, places and channels): where it lies in
 * x, or -1 beyond the image. */
static ptrdiff_t met(const struct asy_pool *p, size_t at, size_t k)
{
    size_t h = asy_pool_h(p), w = asy_pool_w(p), pixel = at / p->channels;
    size_t row = pixel / w % h * p->stride + k / p->size;
    size_t col = pixel % w * p->stride + k % p->size;

    if (row < p->pad || row >= p->h + p->pad || col < p->pad || col >= p->w + p->pad)
        return -1;
    return (ptrdiff_t)(((pixel / (h * w) * p->h + row - p->pad) * p->w + col - p->pad) *
                           p->channels + at % p->channels);
}

static size_t outputs(const struct asy_pool *p, size_t rows)
{
    return rows * asy_pool_h(p) * asy_pool_w(p) * p->channels;
}

static void clear(const struct asy_pool *p, size_t rows, float *dx)
{
    memset(dx, 0, rows * p->h * p->w * p->channels * sizeof *dx);
}

void asy_max_pool_ref(const struct asy_pool *p, size_t rows, const float *x, float *y,
                      uint8_t *from)
{
    for (size_t i = 0; i < outputs(p, rows); i++) {
        int found = 0;

        for (size_t k = 0; k < p->size * p->size; k++) {
            ptrdiff_t at = met(p, i, k);

            if (at >= 0 && (!found || x[at] > y[i] || (x[at] != x[at] && y[i] == y[i]))) {
                found = 1;
                y[i] = x[at];
                from[i] = (uint8_t)k;
            }
        }
    }
}

void asy_max_pool_grad_ref(const struct asy_pool *p, size_t rows, const float *dy,
                           const uint8_t *from, float *dx)
{
    clear(p, rows, dx);
    for (size_t i = 0; i < outputs(p, rows); i++)
        dx[met(p, i, from[i])] += dy[i];
}

static size_t inside(const struct asy_pool *p, size_t at)
{
    size_t n = 0;

    for (size_t k = 0; k < p->size * p->size; k++)
        n += met(p, at, k) >= 0;
    return n;
}

void asy_mean_pool_ref(const struct asy_pool *p, size_t rows, const float *x, float *y)
{
    for (size_t i = 0; i < outputs(p, rows); i++) {
        double sum = 0;

        for (size_t k = 0; k < p->size * p->size; k++)
            sum += met(p, i, k) >= 0 ? (double)x[met(p, i, k)] : 0;
        y[i] = (float)(sum / (double)inside(p, i));
    }
}

void asy_mean_pool_grad_ref(const struct asy_pool *p, size_t rows, const float *dy, float *dx)
{
    clear(p, rows, dx);
    for (size_t i = 0; i < outputs(p, rows); i++)
        for (size_t k = 0; k < p->size * p->size; k++)
            if (met(p, i, k) >= 0)
                dx[met(p, i, k)] += dy[i] / (float)inside(p, i);
}

void asy_global_mean_ref(size_t rows, size_t pixels, size_t channels, const float *x, float *y)
{
    for (size_t i = 0; i < rows * channels; i++) {
        double sum = 0;

        for (size_t k = 0; k < pixels; k++)
            sum += (double)x[(i / channels * pixels + k) * channels + i % channels];
        y[i] = (float)(sum / (double)pixels);
    }
}

void asy_global_mean_grad_ref(size_t rows, size_t pixels, size_t channels, const float *dy,
                              float *dx)
{
    for (size_t i = 0; i < rows * pixels * channels; i++)
        dx[i] = dy[i / (pixels * channels) * channels + i % channels] / (float)pixels;
}
