/* SPDX-License-Identifier: Apache-2.0
 * vec_impl.h - the inner loops themselves, compiled once per instruction set (see vec.h, and for
 * why not by attribute kernels/cpu/fused_impl.h).
 *
 * Sums over lanes and tiles are written with the compiler's vector types: plain loops of this shape
 * were not kept in registers by both compilers. What works entry by entry is plain loops.
 *
 * The includer defines VEC (the table's name), VEC_NAME and VEC_LANES (doubles in a vector). */
#include "vec.h"
#include <math.h>
#include <string.h>

typedef double vec __attribute__((vector_size(8 * VEC_LANES)));
#define PARTS (8 / VEC_LANES) /* vectors that hold the eight lanes */

static inline vec load(const double *p)
{
    vec v;

    memcpy(&v, p, sizeof v);
    return v;
}

static inline double tree(const double *l)
{
    return ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]));
}

static double dot(size_t n, const double *x, const double *y)
{
    vec sums[PARTS] = { { 0 } };
    double lanes[8];
    size_t i = 0;

    for (; i + 8 <= n; i += 8)
        for (size_t p = 0; p < PARTS; p++)
            sums[p] += load(x + i + p * VEC_LANES) * load(y + i + p * VEC_LANES);
    memcpy(lanes, sums, sizeof lanes);
    for (size_t l = 0; i < n; i++, l++)
        lanes[l] += x[i] * y[i];
    return tree(lanes);
}

static void axpy(size_t n, double a, const double *restrict x, double *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

static void tile(size_t k, const double *const a[ASY__TILE_ROWS], const double *b, double *sums)
{
    const double *a0 = a[0], *a1 = a[1], *a2 = a[2], *a3 = a[3];
    vec s00 = { 0 }, s01 = { 0 }, s10 = { 0 }, s11 = { 0 };
    vec s20 = { 0 }, s21 = { 0 }, s30 = { 0 }, s31 = { 0 };

    for (size_t i = 0; i < k; i++, b += 2 * VEC_LANES) {
        vec b0 = load(b), b1 = load(b + VEC_LANES);

        s00 += a0[i] * b0;
        s01 += a0[i] * b1;
        s10 += a1[i] * b0;
        s11 += a1[i] * b1;
        s20 += a2[i] * b0;
        s21 += a2[i] * b1;
        s30 += a3[i] * b0;
        s31 += a3[i] * b1;
    }
    memcpy(sums + 0 * VEC_LANES, &s00, sizeof s00);
    memcpy(sums + 1 * VEC_LANES, &s01, sizeof s01);
    memcpy(sums + 2 * VEC_LANES, &s10, sizeof s10);
    memcpy(sums + 3 * VEC_LANES, &s11, sizeof s11);
    memcpy(sums + 4 * VEC_LANES, &s20, sizeof s20);
    memcpy(sums + 5 * VEC_LANES, &s21, sizeof s21);
    memcpy(sums + 6 * VEC_LANES, &s30, sizeof s30);
    memcpy(sums + 7 * VEC_LANES, &s31, sizeof s31);
}

static void dist_add(size_t n, double scale, const double *restrict x, double at,
                     double *restrict d)
{
    for (size_t i = 0; i < n; i++)
        d[i] += scale * ((x[i] - at) * (x[i] - at));
}

static double dist_sum(size_t n, const double *g, const double *x, double at)
{
    vec sums[PARTS] = { { 0 } };
    double lanes[8];
    size_t i = 0;

    for (; i + 8 <= n; i += 8)
        for (size_t p = 0; p < PARTS; p++) {
            vec t = load(x + i + p * VEC_LANES) - at;

            sums[p] += load(g + i + p * VEC_LANES) * (t * t);
        }
    memcpy(lanes, sums, sizeof lanes);
    for (size_t l = 0; i < n; i++, l++)
        lanes[l] += g[i] * ((x[i] - at) * (x[i] - at));
    return tree(lanes);
}

/* e^x for x <= 0, as 2^n e^r with |r| <= ln(2)/2: n by adding 1.5 * 2^52, which rounds to an
 * integer, e^r by its Taylor polynomial of degree 13 (remainder r^14/14! < 5e-18), 2^n put together
 * in the exponent's bits. ln 2 in two parts, the first of which has zeros at its end. Below -708 as
 * at -708: 3e-308. */
static inline double exp_poly(double x)
{
    const double round = 6755399441055744.0; /* 1.5 * 2^52 */
    double held = x < -708.0 ? -708.0 : x;
    double shifted = held * 1.44269504088896338700 + round, n = shifted - round;
    double r = (held - n * 6.93147180369123816490e-01) - n * 1.90821492927058770002e-10;
    double p = 1.0 / 6227020800, power;
    int64_t bits;

    p = p * r + 1.0 / 479001600;
    p = p * r + 1.0 / 39916800;
    p = p * r + 1.0 / 3628800;
    p = p * r + 1.0 / 362880;
    p = p * r + 1.0 / 40320;
    p = p * r + 1.0 / 5040;
    p = p * r + 1.0 / 720;
    p = p * r + 1.0 / 120;
    p = p * r + 1.0 / 24;
    p = p * r + 1.0 / 6;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (int64_t)(((uint64_t)bits + 1023u) << 52);
    memcpy(&power, &bits, sizeof power);
    return p * power;
}

static void matern_block(size_t n, double scale, const double *restrict d, double *restrict k,
                         double *restrict dk)
{
    for (size_t i = 0; i < n; i++) {
        double r = sqrt(5.0 * d[i]), e = scale * exp_poly(-r);

        k[i] = (1.0 + r + d[i] * (5.0 / 3.0)) * e;
        dk[i] = (-5.0 / 6.0) * (1.0 + r) * e;
    }
}

/* d may be dk: by blocks of which a copy is read. */
static void matern(size_t n, double scale, const double *d, double *k, double *dk)
{
    double block[128];

    for (size_t from = 0; from < n; from += ASY_ARRAY_LEN(block)) {
        size_t m = n - from < ASY_ARRAY_LEN(block) ? n - from : ASY_ARRAY_LEN(block);

        memcpy(block, d + from, m * sizeof *block);
        matern_block(m, scale, block, k + from, dk + from);
    }
}

const struct asy__vec VEC = {
    VEC_NAME, 2 * VEC_LANES, dot, axpy, tile, dist_add, dist_sum, matern,
};
