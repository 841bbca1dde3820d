/* SPDX-License-Identifier: Apache-2.0
 * poly.h - exp and tanh as polynomials, for loops that the compiler turns into vectors. Stated
 * errors are in asy/kernels.h. */
#ifndef ASY_POLY_H
#define ASY_POLY_H
#include <math.h>
#include <stdint.h>
#include <string.h>

static inline float as_float(int32_t bits)
{
    float x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline int32_t as_bits(float x)
{
    int32_t bits;

    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* e^x = 2^n e^r with |r| <= ln(2)/2: n by adding 1.5 * 2^23, which rounds to an integer, e^r by
 * its Taylor polynomial of degree 7 (remainder r^8/8! < 5.3e-9 at the ends). 2^n is put together
 * in the exponent bits. */
static inline float exp_poly(float x)
{
    const float round = 12582912.0f; /* 1.5 * 2^23 */
    float held = x < -87.0f ? -87.0f : x;
    float shifted, n, r, p;

    held = held > 88.0f ? 88.0f : held;
    shifted = held * 1.44269504f + round;
    n = shifted - round;
    r = (held - n * 0.693359375f) + n * 2.12194440e-4f; /* ln 2 in two parts */
    p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    return p * as_float((int32_t)(((uint32_t)as_bits(shifted) + 127u) << 23));
}

/* Below 0.3 the Taylor polynomial x - x^3/3 + 2x^5/15 - 17x^7/315 + 62x^9/2835 (remainder relative
 * to x below 6e-8), above it 1 - 2 / (e^2x + 1). */
static inline float tanh_poly(float x)
{
    float a = fabsf(x), s = x * x;
    float tail = 2.0f / 15 + s * (-17.0f / 315 + s * (62.0f / 2835));
    float small = x + x * s * (-1.0f / 3 + s * tail);
    float large = copysignf(1.0f - 2.0f / (exp_poly(2.0f * a) + 1.0f), x);

    return a < 0.3f ? small : large;
}

static inline float sigmoid(float x)
{
    return 1.0f / (1.0f + exp_poly(-x));
}
#endif
