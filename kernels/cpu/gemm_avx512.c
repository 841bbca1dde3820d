/* SPDX-License-Identifier: Apache-2.0
 * gemm_avx512.c - tiles of 14 rows and two vectors: 28 sums, two of b and one of a in 32
 * registers. */
#include "lanes_avx512.h"
#include "turn_avx512.h"

#define GEMM asy__gemm_avx512
#define GEMM_NAME "avx512"
#define ROWS 14

static void transpose(size_t rows, size_t cols, const float *from, size_t from_row, float *to,
                      size_t to_row, size_t written)
{
    __mmask16 part = mask_of(cols), out = mask_of(written);
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
#include "gemm_impl.h"
