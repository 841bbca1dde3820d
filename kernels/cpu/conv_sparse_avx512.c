/* SPDX-License-Identifier: Apache-2.0
 * conv_sparse_avx512.c - tiles over lists: up to 28 sums of 32 registers; and lists made sixteen
 * places at a time, the ones that count moved together. */
#include "conv_sparse.h"
#include "lanes_avx512.h"

static size_t pick(const struct asy__pick *p, size_t n, float *ret_v, uint32_t *ret_at,
                   uint32_t *ret_end)
{
    const __m512i taps = _mm512_set1_epi32((int)p->taps), on = _mm512_set1_epi32((int)p->tap);
    const __m512i first = _mm512_set1_epi32(p->first), from = _mm512_set1_epi32((int)p->at);

    for (size_t i = 0; i < p->n_slots; i++) {
        const struct asy__slots *s = &p->slots[i];
        mask part = mask_of(s->n), here;
        __m512i off = _mm512_loadu_si512(s->off), at;
        __m512i tap = _mm512_maskz_loadu_epi32(part, p->which + s->from);
        __m512 v = _mm512_permutexvar_ps(off, _mm512_maskz_loadu_ps(part, p->v + s->from));

        tap = _mm512_sub_epi32(_mm512_permutexvar_epi32(off, tap), first);
        tap = _mm512_sub_epi32(tap, _mm512_loadu_si512(s->first));
        here = _mm512_mask_cmp_ps_mask(_mm512_cmplt_epu32_mask(tap, taps), v,
                                       _mm512_setzero_ps(), _CMP_NEQ_UQ);
        at = _mm512_add_epi32(from, _mm512_loadu_si512(s->at));
        at = _mm512_add_epi32(at, _mm512_mullo_epi32(tap, on));
        _mm512_storeu_ps(ret_v + n, _mm512_maskz_compress_ps(here, v));
        _mm512_storeu_si512(ret_at + n, _mm512_maskz_compress_epi32(here, at));
        n += (size_t)__builtin_popcount(here);
        ret_end[i] = (uint32_t)n;
    }
    return n;
}

#define OWN_PICK
#define SPARSE asy__sparse_avx512
#define SUMS 28
#include "conv_sparse_impl.h"
