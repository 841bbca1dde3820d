/* SPDX-License-Identifier: Apache-2.0
 * lanes_base.h - vectors of four floats in plain C, for any processor. The files that include it
 * say what they need. */
#ifndef ASY_CPU_LANES_BASE_H
#define ASY_CPU_LANES_BASE_H
#include <math.h>
#include <stddef.h>
#include <string.h>

#define LANES 4
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

/* 0 where v is less, a NaN as it is. */
static inline vec rectify(vec v)
{
    for (int i = 0; i < LANES; i++)
        v.of[i] = v.of[i] < 0 ? 0 : v.of[i];
    return v;
}
#endif
