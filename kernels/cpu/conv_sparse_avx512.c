/* SPDX-License-Identifier: Apache-2.0
 * conv_sparse_avx512.c - tiles over lists: up to 28 sums of 32 registers; and lists made sixteen
 * places at a time, the ones that count moved together. */
#include "conv_sparse.h"
#include "lanes_avx512.h"

static size_t pick_line(const struct asy__pick *p, size_t from, int32_t first, uint32_t at,
                        float *ret_v, uint32_t *ret_at)
{
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512i place = _mm512_mullo_epi32(lanes, _mm512_set1_epi32((int)p->place));
    size_t n = 0;

    for (size_t j = 0; j < p->n; j += LANES) {
        mask part = mask_of(p->n - j < LANES ? p->n - j : LANES), here;
        __m512 v = _mm512_maskz_loadu_ps(part, p->v + from + j);
        __m512i tap = _mm512_maskz_loadu_epi32(part, p->which + from + j), to;

        tap = _mm512_sub_epi32(tap, _mm512_set1_epi32(first));
        here = _mm512_mask_cmplt_epu32_mask(part, tap, _mm512_set1_epi32(p->taps));
        here = _mm512_mask_cmp_ps_mask(here, v, _mm512_setzero_ps(), _CMP_NEQ_UQ);
        to = _mm512_mullo_epi32(tap, _mm512_set1_epi32((int)p->tap));
        to = _mm512_add_epi32(_mm512_add_epi32(to, place), _mm512_set1_epi32((int)at));
        _mm512_storeu_ps(ret_v + n, _mm512_maskz_compress_ps(here, v));
        _mm512_storeu_si512(ret_at + n, _mm512_maskz_compress_epi32(here, to));
        n += (size_t)__builtin_popcount(here);
        at += LANES * p->place;
    }
    return n;
}

static size_t pick(const struct asy__pick *p, float *ret_v, uint32_t *ret_at)
{
    size_t n = 0;

    for (size_t y = 0; y < p->lines; y++) {
        uint32_t at = p->at + (uint32_t)y * p->line;

        for (int32_t first = p->first; first < p->end; first += p->taps, at += p->turn)
            n += pick_line(p, y * p->row, first, at, ret_v + n, ret_at + n);
    }
    return n;
}

#define OWN_PICK
#define SPARSE asy__sparse_avx512
#define SUMS 28
#include "conv_sparse_impl.h"
