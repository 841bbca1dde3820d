/* SPDX-License-Identifier: Apache-2.0
 * lanes_avx512.h - vectors of sixteen floats. The files that include it say what they need. */
#ifndef ASY_CPU_LANES_AVX512_H
#define ASY_CPU_LANES_AVX512_H
#include <immintrin.h>
#include <stddef.h>

#define LANES 16
typedef __m512 vec;
typedef __mmask16 mask;
#define zero() _mm512_setzero_ps()
#define load(p) _mm512_loadu_ps(p)
#define store(p, v) _mm512_storeu_ps(p, v)
#define spread(p) _mm512_set1_ps(*(p))
#define fma(a, b, c) _mm512_fmadd_ps(a, b, c)
#define mask_of(n) ((__mmask16)((1u << (n)) - 1))
#define load_part(p, part) _mm512_maskz_loadu_ps(part, p)
#define store_part(p, part, v) _mm512_mask_storeu_ps(p, part, v)
/* 0 where v is less, a NaN as it is: of a pair with one, the second is taken. */
#define rectify(v) _mm512_max_ps(_mm512_setzero_ps(), v)
#endif
