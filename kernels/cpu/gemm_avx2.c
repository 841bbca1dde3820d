/* SPDX-License-Identifier: Apache-2.0
 * gemm_avx2.c - tiles of 6 rows and two vectors: 12 sums, two of b and one of a in 16 registers. */
#include "lanes_avx2.h"

#define GEMM asy__gemm_avx2
#define GEMM_NAME "avx2"
#define ROWS 6
#define FEW NULL
#define FLAT NULL

/* Single floats, pairs, halves: r [i] holds row i at first, then column i. */
static inline void turn(__m256 r[8])
{
    __m256 t[8];

#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) {
        r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        t[i] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x20);
        t[i + 4] = _mm256_permute2f128_ps(r[i], r[i + 4], 0x31);
    }
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
        r[i] = t[i];
}

/* Eight rows, each written in whole; the last eight columns may be among those before. Masks, which
 * cost some processors as much as all the rest, are for what is not so. */
static void transpose_whole(size_t cols, const float *from, size_t from_row, float *to,
                            size_t to_row)
{
    __m256 r[8];

    for (size_t j = 0; j < cols; j += 8) {
        size_t at = j + 8 > cols ? cols - 8 : j;

#pragma GCC unroll 8
        for (size_t i = 0; i < 8; i++)
            r[i] = load(from + at + i * from_row);
        turn(r);
#pragma GCC unroll 8
        for (size_t i = 0; i < 8; i++)
            store(to + (at + i) * to_row, r[i]);
    }
}

/* At most eight columns. */
static void transpose_part(size_t rows, size_t cols, const float *from, size_t from_row, float *to,
                           size_t to_row, __m256i out)
{
    __m256i part = mask_of(cols);
    __m256 r[8];

#pragma GCC unroll 8
    for (size_t i = 0; i < 8; i++)
        r[i] = i < rows ? load_part(from + i * from_row, part) : zero();
    turn(r);
#pragma GCC unroll 8
    for (size_t i = 0; i < 8; i++)
        if (i < cols)
            store_part(to + i * to_row, out, r[i]);
}

static void transpose(size_t rows, size_t cols, const float *from, size_t from_row, float *to,
                      size_t to_row, size_t written)
{
    __m256i out = mask_of(written);

    if (rows == 8 && written == 8 && cols >= 8) {
        transpose_whole(cols, from, from_row, to, to_row);
        return;
    }
    for (size_t j = 0; j < cols; j += 8)
        transpose_part(rows, cols - j < 8 ? cols - j : 8, from + j, from_row, to + j * to_row,
                       to_row, out);
}
#include "gemm_impl.h"
