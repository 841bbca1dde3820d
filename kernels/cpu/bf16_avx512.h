/* SPDX-License-Identifier: Apache-2.0
 * bf16_avx512.h - two vectors of floats rounded to one of bfloat16, where AVX512_BF16 and AVX512BW
 * are. */
#ifndef ASY_CPU_BF16_AVX512_H
#define ASY_CPU_BF16_AVX512_H
#include <immintrin.h>
#include <stdint.h>

/* Numbers in the order of the two vectors. */
static inline __attribute__((always_inline)) __m512 round_two(__m512 first, __m512 second)
{
    return (__m512)_mm512_cvtne2ps_pbh(second, first);
}

/* The first number of each, the second of each, and so on. */
static inline __attribute__((always_inline)) __m512 round_pairs(__m512 first, __m512 second)
{
    static const uint16_t order[32] __attribute__((aligned(64))) = {
        0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23,
        8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31,
    };

    return (__m512)_mm512_permutexvar_epi16(_mm512_load_si512(order),
                                            (__m512i)round_two(first, second));
}
#endif
