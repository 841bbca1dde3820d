/* SPDX-License-Identifier: Apache-2.0
 * chol.c - Cholesky factors by rows, their inverses, and products with these.
 *
 * Blocks of 32 at fixed places, nearly all work in asy__gemm(). A row of a factor, or of its
 * inverse, is computed from the rows above it in one way, whether alone or among others: so a
 * factor to which rows were appended has the bits of one made at once. The panel below a diagonal
 * block is multiplied by that block's inverse rather than solved for; the blocks are small enough
 * for the difference not to show (Higham 2002, section 14.2). */
#include "vec.h"
#include <math.h>
#include <string.h>

enum { BLOCK = 32, PANEL = 64 }; /* PANEL: rows of one copy */

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Rows from..n-1 of a diagonal block at a, the rows above being done. */
static int factor_block(size_t from, size_t n, double *a, size_t lda)
{
    for (size_t i = from; i < n; i++) {
        double *row = a + i * lda, rest = row[i];

        for (size_t j = 0; j < i; j++) {
            double sum = 0;

            for (size_t k = 0; k < j; k++)
                sum += row[k] * a[j * lda + k];
            row[j] = (row[j] - sum) / a[j * lda + j];
        }
        for (size_t k = 0; k < i; k++)
            rest -= row[k] * row[k];
        if (!(rest > 0) || !(rest < INFINITY))
            return ASY_E_INVAL;
        row[i] = sqrt(rest);
    }
    return 0;
}

/* d[BLOCK, BLOCK] = the inverse of the whole diagonal block at l, zeros above its diagonal. */
static void invert_block(const struct asy__vec *v, const double *l, size_t ldl, double *d)
{
    memset(d, 0, (size_t)BLOCK * BLOCK * sizeof *d);
    for (size_t i = 0; i < BLOCK; i++) {
        double *row = d + i * BLOCK, scale = 1 / l[i * ldl + i];

        for (size_t k = 0; k < i; k++)
            v->axpy(k + 1, l[i * ldl + k], d + k * BLOCK, row);
        for (size_t j = 0; j < i; j++)
            row[j] *= -scale;
        row[i] = scale;
    }
}

/* The n rows at a, BLOCK columns wide, times the transpose of the inverse d. */
static void solve_panel(const struct asy__vec *v, size_t n, const double *d, double *a, size_t lda)
{
    double held[PANEL * BLOCK];

    for (size_t i0 = 0; i0 < n; i0 += PANEL) {
        size_t m = smaller(n - i0, PANEL);
        double *to = a + i0 * lda;

        for (size_t i = 0; i < m; i++) {
            memcpy(held + i * BLOCK, to + i * lda, BLOCK * sizeof *held);
            memset(to + i * lda, 0, BLOCK * sizeof *held);
        }
        asy__gemm(v, m, BLOCK, BLOCK, 1, (struct asy__view){ held, BLOCK, 1 },
                  (struct asy__view){ d, 1, BLOCK }, to, lda, 1);
    }
}

int asy__cholesky(const struct asy__vec *v, size_t from, size_t n, double *a, size_t lda)
{
    double d[BLOCK * BLOCK];

    for (size_t j = 0; j < n; j += BLOCK) {
        size_t end = smaller(j + BLOCK, n), top = larger(from, j), below = larger(from, end);

        asy__gemm(v, n - top, end - j, j, -1, (struct asy__view){ a + top * lda, lda, 1 },
                  (struct asy__view){ a + j * lda, 1, lda }, a + top * lda + j, lda, 1);
        if (top < end && factor_block(top - j, end - j, a + j * lda + j, lda))
            return ASY_E_INVAL;
        if (below >= n)
            continue;
        invert_block(v, a + j * lda + j, lda, d);
        solve_panel(v, n - below, d, a + below * lda + j, lda);
    }
    return 0;
}

void asy__invert_lower(const struct asy__vec *v, size_t from, size_t n, const double *l, size_t ldl,
                       double *w, size_t ldw)
{
    for (size_t i0 = from - from % BLOCK; i0 < n; i0 += BLOCK) {
        size_t end = smaller(i0 + BLOCK, n), top = larger(from, i0);

        for (size_t i = top; i < end; i++)
            memset(w + i * ldw, 0, smaller(i0 + BLOCK, ldw) * sizeof *w);
        for (size_t j = 0; j < i0; j += BLOCK)
            asy__gemm(v, end - top, BLOCK, i0 - j, 1,
                      (struct asy__view){ l + top * ldl + j, ldl, 1 },
                      (struct asy__view){ w + j * ldw + j, ldw, 1 }, w + top * ldw + j, ldw, 1);
        for (size_t i = top; i < end; i++) {
            double *row = w + i * ldw, scale = 1 / l[i * ldl + i];

            for (size_t k = i0; k < i; k++)
                v->axpy(k + 1, l[i * ldl + k], w + k * ldw, row);
            for (size_t j = 0; j < i; j++)
                row[j] *= -scale;
            row[i] = scale;
        }
    }
}

void asy__gram(const struct asy__vec *v, size_t n, const double *w, size_t ldw, double *c,
               size_t ldc)
{
    for (size_t i = 0; i < n; i += BLOCK) {
        size_t end = smaller(i + BLOCK, n);

        for (size_t r = i; r < end; r++)
            memset(c + r * ldc, 0, end * sizeof *c);
        asy__gemm(v, end - i, end, n - i, 1, (struct asy__view){ w + i * ldw + i, 1, ldw },
                  (struct asy__view){ w + i * ldw, ldw, 1 }, c + i * ldc, ldc, 1);
    }
}

void asy__lower_many(const struct asy__vec *v, size_t n, size_t m, const double *w, size_t ldw,
                     const double *x, size_t ldx, double *y, size_t ldy)
{
    for (size_t p = 0; p < m; p++)
        memset(y + p * ldy, 0, n * sizeof *y);
    for (size_t i = 0; i < n; i += BLOCK) {
        size_t end = smaller(i + BLOCK, n);

        asy__gemm(v, end - i, m, end, 1, (struct asy__view){ w + i * ldw, ldw, 1 },
                  (struct asy__view){ x, 1, ldx }, y + i, 1, ldy);
    }
}

void asy__lower_many_t(const struct asy__vec *v, size_t n, size_t m, const double *w, size_t ldw,
                       const double *x, size_t ldx, double *y, size_t ldy)
{
    for (size_t p = 0; p < m; p++)
        memset(y + p * ldy, 0, n * sizeof *y);
    for (size_t i = 0; i < n; i += BLOCK)
        asy__gemm(v, smaller(i + BLOCK, n) - i, m, n - i, 1,
                  (struct asy__view){ w + i * ldw + i, 1, ldw },
                  (struct asy__view){ x + i, 1, ldx }, y + i, 1, ldy);
}

void asy__solve_lower_many(const struct asy__vec *v, size_t n, size_t m, const double *l,
                           size_t ldl, double *x, size_t ldx)
{
    for (size_t i0 = 0; i0 < n; i0 += BLOCK) {
        size_t end = smaller(i0 + BLOCK, n);

        asy__gemm(v, end - i0, m, i0, -1, (struct asy__view){ l + i0 * ldl, ldl, 1 },
                  (struct asy__view){ x, 1, ldx }, x + i0, 1, ldx);
        for (size_t p = 0; p < m; p++)
            for (size_t i = i0; i < end; i++) {
                double sum = 0;

                for (size_t k = i0; k < i; k++)
                    sum += l[i * ldl + k] * x[p * ldx + k];
                x[p * ldx + i] = (x[p * ldx + i] - sum) / l[i * ldl + i];
            }
    }
}
