/* SPDX-License-Identifier: Apache-2.0
 * turn_avx512.h - sixteen vectors of sixteen numbers, transposed. */
#ifndef ASY_CPU_TURN_AVX512_H
#define ASY_CPU_TURN_AVX512_H
#include <immintrin.h>
#include <stddef.h>

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

/* Eight numbers of two rows, one in each half. */
static inline __m512 halves(const float *low, const float *high)
{
    return (__m512)_mm512_insertf64x4((__m512d)_mm512_castps256_ps512(_mm256_loadu_ps(low)),
                                      (__m256d)_mm256_loadu_ps(high), 1);
}

/* r [i] holds rows i and i + 4 of sixteen, from the fourth on i + 4 and i + 8, in halves; then
 * column i. A quarter of what turn() does is left to the loads: one port of the processor shuffles,
 * two insert what comes from memory. */
static inline void turn_halves(__m512 r[8])
{
    __m512 t[8];

#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) {
        __m512 ab = _mm512_unpacklo_ps(r[i], r[i + 1]), cd = _mm512_unpacklo_ps(r[i + 2], r[i + 3]);

        t[i] = LOW2(ab, cd);
        t[i + 1] = HIGH2(ab, cd);
        ab = _mm512_unpackhi_ps(r[i], r[i + 1]);
        cd = _mm512_unpackhi_ps(r[i + 2], r[i + 3]);
        t[i + 2] = LOW2(ab, cd);
        t[i + 3] = HIGH2(ab, cd);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_f32x4(t[i], t[i + 4], 0x88);
        r[i + 4] = _mm512_shuffle_f32x4(t[i], t[i + 4], 0xdd);
    }
}

/* r [i] = column i of sixteen rows of eight numbers. */
static inline void turn_eight(const float *from, size_t step, __m512 r[8])
{
#pragma GCC unroll 8
    for (size_t i = 0; i < 8; i++) {
        const float *row = from + (i + i / 4 * 4) * step;

        r[i] = halves(row, row + 4 * step);
    }
    turn_halves(r);
}

#undef LOW2
#undef HIGH2
#endif
