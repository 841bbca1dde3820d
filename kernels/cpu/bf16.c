/* SPDX-License-Identifier: Apache-2.0
 * bf16.c - products of rounded operands without a unit for them, and the public entries.
 *
 * The stand-in rounds a block of each operand at a time and leaves the sums to the kernels of
 * single precision: a product of two numbers of eight bits each is exact there. */
#include "bf16.h"
#include <string.h>
#include "gemm.h"

#define SIDE ((size_t)128) /* rows and columns of a block: one pass of rounding for so many sums */
#define DEPTH ((size_t)256)
#define A_AT ASY_GEMM_ROOM
#define B_AT (A_AT + SIDE * DEPTH)
_Static_assert(B_AT + SIDE * DEPTH <= ASY_BF16_ROOM, "the room is too small");

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static float rounded(float x)
{
    uint32_t bits, size;

    memcpy(&bits, &x, sizeof bits);
    size = bits & 0x7fffffff;
    if (size > 0x7f800000)
        bits |= 0x400000; /* a NaN whose last bits are cut stays one */
    else if (size < 0x800000)
        bits &= 0x80000000;
    else
        bits += 0x7fff + (bits >> 16 & 1);
    bits &= 0xffff0000;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* to [rows][cols], = what is there of from. */
static void round_block(size_t rows, size_t cols, const float *from, size_t step, float *to)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            to[i * cols + j] = rounded(from[i * step + j]);
}

/* op(x)(i0.., k0..) of rows times depth, stored as x is; returns the distance of its rows. */
static size_t take(int transposed, const float *x, size_t ld, size_t i0, size_t rows, size_t k0,
                   size_t depth, float *to)
{
    if (transposed)
        round_block(depth, rows, x + k0 * ld + i0, ld, to);
    else
        round_block(rows, depth, x + i0 * ld + k0, ld, to);
    return transposed ? rows : depth;
}

static void run(const struct asy_gemm *s, const float *a, const float *b, float *c, float *room)
{
    struct asy_gemm part = { .trans_a = s->trans_a, .trans_b = s->trans_b, .ldc = s->ldc };

    for (size_t k = 0; k < s->k; k += DEPTH) {
        part.k = smaller(s->k - k, DEPTH);
        part.add = s->add || k > 0;
        for (size_t i = 0; i < s->m; i += SIDE) {
            part.m = smaller(s->m - i, SIDE);
            part.lda = take(s->trans_a, a, s->lda, i, part.m, k, part.k, room + A_AT);
            for (size_t j = 0; j < s->n; j += SIDE) {
                part.n = smaller(s->n - j, SIDE);
                part.ldb = take(!s->trans_b, b, s->ldb, j, part.n, k, part.k, room + B_AT);
                asy__gemm_run(asy__gemm_get(), &part, room + A_AT, room + B_AT,
                              c + i * s->ldc + j, room);
            }
        }
    }
}

const struct asy__bf16 asy__bf16_rounded = { "rounded", run };

void asy__bf16_run(const struct asy__bf16 *way, const struct asy_gemm *s, const float *a,
                   const float *b, float *c, float *room)
{
    if (s->m == 0 || s->n == 0)
        return;
    if (s->k > 0) {
        way->run(s, a, b, c, room);
        return;
    }
    for (size_t i = 0; !s->add && i < s->m; i++)
        memset(c + i * s->ldc, 0, s->n * sizeof *c);
}

void asy_bf16_gemm(const struct asy_gemm *s, const float *a, const float *b, float *c, float *room)
{
    asy__bf16_run(asy__bf16_get(), s, a, b, c, room);
}

void asy_bf16_gemm_ref(const struct asy_gemm *s, const float *a, const float *b, float *c)
{
    for (size_t i = 0; i < s->m; i++)
        for (size_t j = 0; j < s->n; j++) {
            float sum = s->add ? c[i * s->ldc + j] : 0;

            for (size_t k = 0; k < s->k; k++)
                sum += rounded(a[s->trans_a ? k * s->lda + i : i * s->lda + k]) *
                       rounded(b[s->trans_b ? j * s->ldb + k : k * s->ldb + j]);
            c[i * s->ldc + j] = sum;
        }
}

const char *asy_bf16_name(void)
{
    return asy__bf16_get()->name;
}

static struct asy_gemm forward(size_t rows, size_t in, size_t out)
{
    return (struct asy_gemm){ .trans_b = 1, .m = rows, .n = out, .k = in, .lda = in, .ldb = in,
                              .ldc = out };
}

static struct asy_gemm to_x(size_t rows, size_t in, size_t out)
{
    return (struct asy_gemm){ .m = rows, .n = in, .k = out, .lda = out, .ldb = in, .ldc = in };
}

static struct asy_gemm to_w(size_t rows, size_t in, size_t out)
{
    return (struct asy_gemm){ .trans_a = 1, .m = out, .n = in, .k = rows, .lda = out, .ldb = in,
                              .ldc = in };
}

void asy_bf16_dense(size_t rows, size_t in, size_t out, const float *x, const float *w, float *y,
                    float *room)
{
    struct asy_gemm shape = forward(rows, in, out);

    asy_bf16_gemm(&shape, x, w, y, room);
}

void asy_bf16_dense_ref(size_t rows, size_t in, size_t out, const float *x, const float *w,
                        float *y)
{
    struct asy_gemm shape = forward(rows, in, out);

    asy_bf16_gemm_ref(&shape, x, w, y);
}

void asy_bf16_dense_dx(size_t rows, size_t in, size_t out, const float *dy, const float *w,
                       float *dx, float *room)
{
    struct asy_gemm shape = to_x(rows, in, out);

    asy_bf16_gemm(&shape, dy, w, dx, room);
}

void asy_bf16_dense_dx_ref(size_t rows, size_t in, size_t out, const float *dy, const float *w,
                           float *dx)
{
    struct asy_gemm shape = to_x(rows, in, out);

    asy_bf16_gemm_ref(&shape, dy, w, dx);
}

void asy_bf16_dense_dw(size_t rows, size_t in, size_t out, const float *dy, const float *x,
                       float *dw, float *room)
{
    struct asy_gemm shape = to_w(rows, in, out);

    asy_bf16_gemm(&shape, dy, x, dw, room);
}

void asy_bf16_dense_dw_ref(size_t rows, size_t in, size_t out, const float *dy, const float *x,
                           float *dw)
{
    struct asy_gemm shape = to_w(rows, in, out);

    asy_bf16_gemm_ref(&shape, dy, x, dw);
}
