/* SPDX-License-Identifier: Apache-2.0
 * lanes_avx2.h - vectors of eight floats. The files that include it say what they need. */
#ifndef ASY_CPU_LANES_AVX2_H
#define ASY_CPU_LANES_AVX2_H
#include <immintrin.h>
#include <stddef.h>

#define LANES 8
typedef __m256 vec;
typedef __m256i mask;
#define zero() _mm256_setzero_ps()
#define load(p) _mm256_loadu_ps(p)
#define store(p, v) _mm256_storeu_ps(p, v)
#define spread(p) _mm256_broadcast_ss(p)
#define fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define mask_of(n)                                                                                 \
    _mm256_cmpgt_epi32(_mm256_set1_epi32((int)(n)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
#define load_part(p, part) _mm256_maskload_ps(p, part)
#define store_part(p, part, v) _mm256_maskstore_ps(p, part, v)
/* 0 where v is less, a NaN as it is: of a pair with one, the second is taken. */
#define rectify(v) _mm256_max_ps(_mm256_setzero_ps(), v)
#endif
