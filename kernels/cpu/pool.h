/* SPDX-License-Identifier: Apache-2.0
 * pool.h - the table of pooling kernels that one instruction set provides. */
#ifndef ASY_CPU_POOL_H
#define ASY_CPU_POOL_H
#include <asy/pool.h>

struct asy__pool {
    const char *name;
    void (*max)(const struct asy_pool *pool, size_t rows, const float *x, float *y, uint8_t *from);
    void (*max_grad)(const struct asy_pool *pool, size_t rows, const float *dy,
                     const uint8_t *from, float *dx);
    void (*mean)(const struct asy_pool *pool, size_t rows, const float *x, float *y);
    void (*mean_grad)(const struct asy_pool *pool, size_t rows, const float *dy, float *dx);
    void (*global_mean)(size_t rows, size_t pixels, size_t channels, const float *x, float *y);
    void (*global_mean_grad)(size_t rows, size_t pixels, size_t channels, const float *dy,
                             float *dx);
};
extern const struct asy__pool asy__pool_base, asy__pool_avx2, asy__pool_avx512;
const struct asy__pool *asy__pool_get(void);

/* Of a window: the first row (or column) inside the image, the end of those, and which of the
 * window's the first is. */
struct asy__window {
    size_t first, end, skipped;
};
static inline struct asy__window asy__window_of(const struct asy_pool *pool, size_t length,
                                                size_t place)
{
    size_t begin = place * pool->stride, end = begin + pool->size - pool->pad;
    size_t skipped = begin < pool->pad ? pool->pad - begin : 0;

    return (struct asy__window){ begin + skipped - pool->pad, end < length ? end : length,
                                 skipped };
}
#endif
