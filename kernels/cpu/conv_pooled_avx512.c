/* SPDX-License-Identifier: Apache-2.0
 * conv_pooled_avx512.c - tiles of up to three windows of 2 x 2 outputs and two vectors: 24 sums.
 * Outputs are compared where they were summed up, so of four one is stored. */
#include "conv.h"
#include "conv_pooled.h"
#include "lanes_avx512.h"

/* (as in conv_impl.h) */
#define ALWAYS static inline __attribute__((always_inline, no_sanitize("undefined")))
#define TAPS 4

/* As pool_impl.h has it: more is what is not less or equal, but of what is no number the first. */
ALWAYS void keep_greatest(const __m512 sums[TAPS], __m512 *ret_best, __m512i *ret_which)
{
    __m512i which = _mm512_setzero_si512();
    __m512 best = sums[0];

#pragma GCC unroll 3
    for (int t = 1; t < TAPS; t++) {
        mask more = _mm512_cmp_ps_mask(best, best, _CMP_ORD_Q);

        more = _mm512_mask_cmp_ps_mask(more, sums[t], best, _CMP_NLE_UQ);
        best = _mm512_mask_mov_ps(best, more, sums[t]);
        which = _mm512_mask_mov_epi32(which, more, _mm512_set1_epi32(t));
    }
    *ret_best = best;
    *ret_which = which;
}

ALWAYS void finish(const int windows, const int vectors, const struct asy__pooled_tile *tile,
                   __m512 sums[ASY__WINDOWS][ASY__WINDOW_VECTORS][TAPS])
{
    mask tail = mask_of(tile->tail);

#pragma GCC unroll 3
    for (int i = 0; i < windows; i++)
#pragma GCC unroll 2
        for (int j = 0; j < vectors; j++) {
            size_t at = (size_t)i * tile->c_row + (size_t)j * LANES;
            mask part = j == vectors - 1 ? tail : 0xffff;
            __m512i which;
            __m512 best;

            if (tile->relu)
#pragma GCC unroll 4
                for (int t = 0; t < TAPS; t++)
                    sums[i][j][t] = rectify(sums[i][j][t]);
            keep_greatest(sums[i][j], &best, &which);
            _mm512_mask_storeu_ps(tile->c + at, part, best);
            _mm512_mask_cvtepi32_storeu_epi8(tile->from + at, part, which);
        }
}

ALWAYS void pooled(const int windows, const int vectors, const struct asy__pooled_tile *tile)
{
    __m512 sums[ASY__WINDOWS][ASY__WINDOW_VECTORS][TAPS], b[ASY__WINDOW_VECTORS];
    const size_t steps[TAPS] = { 0, tile->a_row, tile->a_line, tile->a_line + tile->a_row };
    const float *bases[ASY__WINDOWS];

#pragma GCC unroll 3
    for (int i = 0; i < windows; i++)
#pragma GCC unroll 2
        for (int j = 0; j < vectors; j++)
#pragma GCC unroll 4
            for (int t = 0; t < TAPS; t++)
                sums[i][j][t] = load(tile->start + (size_t)j * LANES);
    for (size_t r = 0; r < tile->n_runs; r++) {
        const struct asy__run *run = &tile->runs[r];
        const float *from = tile->b + run->b * (size_t)vectors * LANES;

#pragma GCC unroll 3
        for (int i = 0; i < windows; i++)
            bases[i] = tile->a + run->a + (size_t)i * 2 * tile->a_row;
        for (size_t k = run->steps; k > 0; k--) {
#pragma GCC unroll 2
            for (int j = 0; j < vectors; j++)
                b[j] = load(from + (size_t)j * LANES);
#pragma GCC unroll 3
            for (int i = 0; i < windows; i++)
#pragma GCC unroll 4
                for (int t = 0; t < TAPS; t++) {
                    __m512 a = spread(bases[i] + steps[t]);

#pragma GCC unroll 2
                    for (int j = 0; j < vectors; j++)
                        sums[i][j][t] = fma(a, b[j], sums[i][j][t]);
                }
#pragma GCC unroll 3
            for (int i = 0; i < windows; i++)
                bases[i]++;
            from += (size_t)vectors * LANES;
        }
    }
    finish(windows, vectors, tile, sums);
}

#define TILE(windows, vectors)                                                                     \
    static void pooled_##windows##_##vectors(const struct asy__pooled_tile *tile)                  \
    {                                                                                              \
        pooled(windows, vectors, tile);                                                            \
    }
TILE(1, 1)
TILE(1, 2)
TILE(2, 1)
TILE(2, 2)
TILE(3, 1)
TILE(3, 2)

const struct asy__pooled asy__pooled_avx512 = {
    .tiles = { { pooled_1_1, pooled_1_2 }, { pooled_2_1, pooled_2_2 }, { pooled_3_1, pooled_3_2 } },
};
