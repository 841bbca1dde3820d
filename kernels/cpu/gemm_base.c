/* SPDX-License-Identifier: Apache-2.0
 * gemm_base.c - tiles in plain C, for any processor. fmaf() rounds once wherever it runs; without
 * an instruction for it that is a call, and slow. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#define GEMM asy__gemm_base
#define GEMM_NAME "base"
#define LANES 4
#define ROWS 4
typedef struct {
    float of[LANES];
} vec;
typedef size_t mask;

static inline vec zero(void)
{
    return (vec){ { 0 } };
}

static inline vec load(const float *p)
{
    vec v;

    memcpy(&v, p, sizeof v);
    return v;
}

static inline void store(float *p, vec v)
{
    memcpy(p, &v, sizeof v);
}

static inline vec spread(const float *p)
{
    vec v;

    for (int i = 0; i < LANES; i++)
        v.of[i] = *p;
    return v;
}

static inline vec multiply_add(vec a, vec b, vec c)
{
    for (int i = 0; i < LANES; i++)
        c.of[i] = fmaf(a.of[i], b.of[i], c.of[i]);
    return c;
}
#define fma multiply_add

static inline mask mask_of(size_t n)
{
    return n;
}

static inline vec load_part(const float *p, mask part)
{
    vec v = zero();

    memcpy(&v, p, part * sizeof *p);
    return v;
}

static inline void store_part(float *p, mask part, vec v)
{
    memcpy(p, &v, part * sizeof *p);
}

static void transpose(size_t rows, size_t cols, const float *from, size_t from_row, float *to,
                      size_t to_row, size_t written)
{
    for (size_t i = 0; i < cols; i++)
        for (size_t j = 0; j < written; j++)
            to[i * to_row + j] = j < rows ? from[j * from_row + i] : 0;
}
#include "gemm_impl.h"
