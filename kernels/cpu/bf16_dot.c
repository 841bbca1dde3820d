/* SPDX-License-Identifier: Apache-2.0
 * bf16_dot.c - products of rounded operands by the dot product of AVX512_BF16.
 *
 * Two rounded numbers along k take the place of one of single precision, and the instruction, which
 * adds both products of two such pairs to a sum, that of a multiply-add: tiles, panels and their
 * order are those of other products (gemm_impl.h, gemm.c), with half as many steps. Of a pair the
 * second product is added first, each rounded by itself, so an entry of the result is one chain
 * here as well, in another order.
 *
 * A block of each operand at a time is rounded into the room, stored as the operand is: along k,
 * where pairs lie side by side already, or across it, where two rows become one.
 *
 * Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, VDPBF16PS. */
#include "bf16.h"
#include "bf16_avx512.h"
#include "gemm_order.h"
#include "transpose_avx512.h"

/* ---- tiles of pairs -------------------------------------------------------------------------- */

#undef fma
#define fma(a, b, c) _mm512_dpbf16_ps(c, (__m512bh)(a), (__m512bh)(b))
#define GEMM asy__gemm_pairs
#define GEMM_NAME "avx512bf16"
#define ROWS 14
#define FEW NULL
#define FLAT NULL
#include "gemm_impl.h"

/* ---- rounding -------------------------------------------------------------------------------- */

/* Blocks of op(a), of op(b), and what both have along k, in pairs. */
#define ROWS_MOST ((size_t)256)
#define COLS_MOST ((size_t)512)
#define PAIRS_MOST ((size_t)256)
#define PAD ((size_t)16) /* pairs behind a row, so that rows meet in different sets of a cache */
#define A_AT ASY_GEMM_ROOM
#define B_AT (A_AT + ROWS_MOST * (PAIRS_MOST + PAD))
#define END (B_AT + COLS_MOST * (PAIRS_MOST + PAD))
_Static_assert(END <= ASY_BF16_ROOM, "the room is too small");

/* to [n][step] pairs, = rows of x, which lie along k, depth numbers of each. */
static void round_along(size_t n, size_t depth, const float *x, size_t ld, float *to, size_t step)
{
    size_t whole = depth / 32 * 32, rest = depth - whole;
    mask low = mask_of(asy__smaller(rest, 16)), high = mask_of(rest > 16 ? rest - 16 : 0);

    for (; n > 0; n--, x += ld, to += step) {
        for (size_t k = 0; k < whole; k += 32)
            store(to + k / 2, round_two(load(x + k), load(x + k + 16)));
        if (rest)
            store(to + whole / 2, round_two(load_part(x + whole, low),
                                            load_part(x + whole + 16, high)));
    }
}

/* to [pairs of depth][step], = two rows of x, n numbers of each, side by side. */
static void round_across(size_t n, size_t depth, const float *x, size_t ld, float *to, size_t step)
{
    for (size_t k = 0; k < depth; k += 2, x += 2 * ld, to += step)
        for (size_t j = 0; j < n; j += 16) {
            mask part = mask_of(asy__smaller(n - j, 16));
            vec second = k + 1 < depth ? load_part(x + ld + j, part) : zero();

            store(to + j, round_pairs(load_part(x + j, part), second));
        }
}

/* n rows of op(x) from i on, depth of their numbers from k on; returns the distance of what it
 * stores, in pairs. */
static size_t take(int along_k, const float *x, size_t ld, size_t i, size_t n, size_t k,
                   size_t depth, float *to)
{
    size_t step = ((along_k ? (depth + 1) / 2 : n) + PAD - 1) / PAD * PAD + (along_k ? PAD : 0);

    if (along_k)
        round_along(n, depth, x + i * ld + k, ld, to, step);
    else
        round_across(n, depth, x + k * ld + i, ld, to, step);
    return step;
}

/* ---- products -------------------------------------------------------------------------------- */

int asy__bf16_dot_is_here(void)
{
    return __builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512bw");
}

int asy__bf16_dot_pays(void)
{
    return asy__bf16_dot_is_here() && __builtin_cpu_is("amd");
}

static void run(const struct asy_gemm *s, const float *a, const float *b, float *c, float *room)
{
    struct asy_gemm part = { .trans_a = s->trans_a, .trans_b = s->trans_b, .ldc = s->ldc };
    size_t deep = 2 * asy__part((s->k + 1) / 2, PAIRS_MOST);
    size_t wide = asy__part(s->n, COLS_MOST), high = asy__part(s->m, ROWS_MOST);

    for (size_t k = 0; k < s->k; k += deep) {
        size_t depth = asy__smaller(s->k - k, deep);

        part.k = (depth + 1) / 2;
        part.add = s->add || k > 0;
        for (size_t j = 0; j < s->n; j += wide) {
            part.n = asy__smaller(s->n - j, wide);
            part.ldb = take(s->trans_b, b, s->ldb, j, part.n, k, depth, room + B_AT);
            for (size_t i = 0; i < s->m; i += high) {
                part.m = asy__smaller(s->m - i, high);
                part.lda = take(!s->trans_a, a, s->lda, i, part.m, k, depth, room + A_AT);
                asy__gemm_run(&asy__gemm_pairs, &part, room + A_AT, room + B_AT,
                              c + i * s->ldc + j, room);
            }
        }
    }
}

const struct asy__bf16 asy__bf16_dot = { "avx512", run };
