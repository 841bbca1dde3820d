/* SPDX-License-Identifier: Apache-2.0
 * transpose_avx512.h - transpose() of gemm.h for the sets of tiles whose vectors have sixteen
 * floats, or what takes the place of one. */
#ifndef ASY_CPU_TRANSPOSE_AVX512_H
#define ASY_CPU_TRANSPOSE_AVX512_H
#include "lanes_avx512.h"
#include "turn_avx512.h"

/* Sixteen rows; the last eight columns may be among those before. */
static void transpose_whole(size_t cols, const float *from, size_t from_row, float *to,
                            size_t to_row, __mmask16 out)
{
    __m512 r[8];

    for (size_t j = 0; j < cols; j += 8) {
        size_t at = j + 8 > cols ? cols - 8 : j;

        turn_eight(from + at, from_row, r);
#pragma GCC unroll 8
        for (size_t i = 0; i < 8; i++)
            store_part(to + (at + i) * to_row, out, r[i]);
    }
}

/* At most sixteen columns. */
static void transpose_part(size_t rows, size_t cols, const float *from, size_t from_row, float *to,
                           size_t to_row, __mmask16 out)
{
    __mmask16 part = mask_of(cols);
    __m512 r[16];

#pragma GCC unroll 16
    for (size_t i = 0; i < 16; i++)
        r[i] = i < rows ? _mm512_maskz_loadu_ps(part, from + i * from_row) : zero();
    turn(r);
#pragma GCC unroll 16
    for (size_t i = 0; i < 16; i++)
        if (i < cols)
            store_part(to + i * to_row, out, r[i]);
}

static void transpose(size_t rows, size_t cols, const float *from, size_t from_row, float *to,
                      size_t to_row, size_t written)
{
    __mmask16 out = mask_of(written);

    if (rows == 16 && cols >= 8) {
        transpose_whole(cols, from, from_row, to, to_row, out);
        return;
    }
    for (size_t j = 0; j < cols; j += 16)
        transpose_part(rows, cols - j < 16 ? cols - j : 16, from + j, from_row, to + j * to_row,
                       to_row, out);
}
#endif
