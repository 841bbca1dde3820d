/* SPDX-License-Identifier: Apache-2.0
 * gemm_avx512.c - tiles of 14 rows and two vectors: 28 sums, two of b and one of a in 32
 * registers. */
#include "lanes_avx512.h"

#define GEMM asy__gemm_avx512
#define GEMM_NAME "avx512"
#define ROWS 14

/* The low (high) pairs of two vectors, interleaved within each 128 bits. */
#define LOW2(a, b)                                                                                 \
    _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)))
#define HIGH2(a, b)                                                                                \
    _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)))

/* Single floats, then pairs, then blocks of four twice: r [i] holds row i at first, then column
 * i. */
static inline void turn(__m512 r[16])
{
    __m512 t[16];

#pragma GCC unroll 8
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4) {
        r[i] = LOW2(t[i], t[i + 2]);
        r[i + 1] = HIGH2(t[i], t[i + 2]);
        r[i + 2] = LOW2(t[i + 1], t[i + 3]);
        r[i + 3] = HIGH2(t[i + 1], t[i + 3]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 8] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd);
        t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_f32x4(t[i], t[i + 4], 0x88);
        r[i + 4] = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0x88);
        r[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 4], 0xdd);
        r[i + 12] = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0xdd);
    }
}

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
