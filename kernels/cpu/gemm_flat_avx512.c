/* SPDX-License-Identifier: Apache-2.0
 * gemm_flat_avx512.c - products of few rows with a matrix whose rows lie along the result's, and
 * those of one vector's width: where tiles of 14 rows and two vectors would be called for a few
 * multiply-adds each.
 *
 * Up to seven rows meet four vectors, one call for all columns, or up to sixteen rows one vector.
 * Nothing is packed: all rows of a are in one tile, so that b is read once.
 * Sums are chains over k, as those of all tiles. */
#include "anew.h"
#include "gemm.h"
#include "lanes_avx512.h"

#define ALWAYS static inline __attribute__((always_inline))
#define ROWS_WIDE 7    /* with four vectors: 28 sums, four of b */
#define ROWS_NARROW 16 /* with one */
#define VECTORS 4

/* rows and vectors are constants to the compiler; the last vector is c's in part. */
ALWAYS void tile(const int rows, const int vectors, mask part, const struct asy__flat *f,
                 const float *b, float *c)
{
    const float *before = asy__anew(c);
    const size_t a_row = f->a_row, b_row = f->b_row, c_row = f->c_row;
    const size_t steps[ROWS_WIDE] = { 0, a_row, 2 * a_row, 3 * a_row, 4 * a_row, 5 * a_row,
                                      6 * a_row };
    const int many = rows > ROWS_WIDE ? 3 : ROWS_WIDE; /* rows of a base, as in gemm_impl.h */
    const mask whole = mask_of(LANES);
    const float *bases[(ROWS_NARROW + 2) / 3];
    vec sums[ROWS_NARROW][VECTORS];

#pragma GCC unroll 6
    for (int i = 0; i < (rows + many - 1) / many; i++)
        bases[i] = f->a + (size_t)(i * many) * a_row;
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++, before += c_row)
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++)
            sums[i][j] = f->add ? load_part(before + (size_t)j * LANES,
                                            j == vectors - 1 ? part : whole)
                                : zero();
    for (size_t k = f->k; k > 0; k--) {
        vec across[VECTORS];

#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++)
            across[j] = load_part(b + (size_t)j * LANES, j == vectors - 1 ? part : whole);
#pragma GCC unroll 16
        for (int i = 0; i < rows; i++) {
            vec down = spread(bases[i / many] + steps[i % many]);

#pragma GCC unroll 4
            for (int j = 0; j < vectors; j++)
                sums[i][j] = fma(down, across[j], sums[i][j]);
        }
#pragma GCC unroll 6
        for (int i = 0; i < (rows + many - 1) / many; i++)
            bases[i]++;
        b += b_row;
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++, c += c_row)
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++)
            store_part(c + (size_t)j * LANES, j == vectors - 1 ? part : whole, sums[i][j]);
}

ALWAYS void wide(const int rows, const struct asy__flat *f)
{
    const float *b = f->b;
    float *c = f->c;
    size_t n = f->n;

    for (; n > VECTORS * LANES; n -= VECTORS * LANES) {
        tile(rows, VECTORS, mask_of(LANES), f, b, c);
        b += VECTORS * LANES;
        c += VECTORS * LANES;
    }
    if (n > 3 * LANES)
        tile(rows, 4, mask_of(n - 3 * LANES), f, b, c);
    else if (n > 2 * LANES)
        tile(rows, 3, mask_of(n - 2 * LANES), f, b, c);
    else if (n > LANES)
        tile(rows, 2, mask_of(n - LANES), f, b, c);
    else
        tile(rows, 1, mask_of(n), f, b, c);
}

#define WIDE(rows)                                                                                 \
    static void of_##rows(const struct asy__flat *f)                                               \
    {                                                                                              \
        wide(rows, f);                                                                             \
    }
#define NARROW(rows)                                                                               \
    static void of_##rows(const struct asy__flat *f)                                               \
    {                                                                                              \
        tile(rows, 1, mask_of(f->n), f, f->b, f->c);                                               \
    }
WIDE(1)
WIDE(2)
WIDE(3)
WIDE(4)
WIDE(5)
WIDE(6)
WIDE(7)
NARROW(8)
NARROW(9)
NARROW(10)
NARROW(11)
NARROW(12)
NARROW(13)
NARROW(14)
NARROW(15)
NARROW(16)

int asy__gemm_flat_avx512(const struct asy__flat *f)
{
    static void (*const of[ROWS_NARROW])(const struct asy__flat *f) = {
        of_1, of_2,  of_3,  of_4,  of_5,  of_6,  of_7,  of_8,
        of_9, of_10, of_11, of_12, of_13, of_14, of_15, of_16,
    };

    if (f->rows > (f->n <= LANES ? ROWS_NARROW : ROWS_WIDE))
        return 0;
    of[f->rows - 1](f);
    return 1;
}
