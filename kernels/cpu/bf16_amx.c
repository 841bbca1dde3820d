/* SPDX-License-Identifier: Apache-2.0
 * bf16_amx.c - products of rounded operands on the AMX unit.
 *
 * The unit multiplies tiles of 16 rows of 32 numbers of op(a) with tiles of 16 pairs of rows of 16
 * numbers of op(b), a pair side by side, and adds to tiles of 16 x 16 sums. Two of each at once
 * make four sums out of four tiles read, which hides the reading.
 *
 * Both operands are packed into tiles as they are rounded: those of a block of op(a) once, for all
 * of the columns that it meets, those of two tiles' width of op(b) when their turn comes, so that
 * they lie in the first cache. An operand lies along k or across it, and is wanted along it (a) or
 * in pairs across it (b): where the two differ a tile is turned as 16 x 16 pairs.
 *
 * Sums wait in c between blocks of k, which does not change them, as blocks begin at multiples of a
 * tile's depth. Zeros fill up tiles beyond the last row, column or k.
 *
 * Sources: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 1, chapter 18, and
 * TDPBF16PS in volume 2; Linux' Documentation/arch/x86/xstate.rst for leave to use the unit. */
#include "bf16.h"
#include <string.h>
#include <unistd.h>
#include <sys/syscall.h>
#include "bf16_avx512.h"
#include "lanes_avx512.h"
#include "turn_avx512.h"

#define SIDE ((size_t)16)           /* rows and columns of a tile of sums */
#define DEPTH ((size_t)32)          /* k of a tile */
#define TILE (SIDE * DEPTH)         /* numbers in a tile */
#define K_BLOCK (16 * DEPTH)        /* two tiles' width of op(b) so deep: two thirds of a cache */
#define BLOCK ((size_t)256 * 1024)  /* numbers of a block of op(a): a quarter of the second cache */
#define ROW_BYTES 64                /* of a tile, of any kind */

/* Where things lie in the room, in floats; two rounded numbers take one. */
#define A_AT ((size_t)0)
#define B_AT (BLOCK / 2)
#define EDGE_AT (B_AT + K_BLOCK * SIDE)      /* [2 SIDE][2 SIDE]: sums that are not all c's */
_Static_assert(EDGE_AT + 4 * SIDE * SIDE <= ASY_BF16_ROOM, "the room is too small");

#define ALWAYS static inline __attribute__((always_inline))

/* An operand by its rows and k, whichever it is: x(i, k) = x[i step + k] where it lies along k,
 * else x[k step + i]. */
struct operand {
    const float *x;
    size_t step;
    int along_k;
};

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

/* ---- leave ----------------------------------------------------------------------------------- */

#define XFEATURE_TILES 18
#ifndef ARCH_REQ_XCOMP_PERM
#define ARCH_REQ_XCOMP_PERM 0x1023
#endif

int asy__bf16_amx_is_here(void)
{
    unsigned a, b, c, d;
    const unsigned wanted = 1u << 22 | 1u << 24; /* AMX-BF16, AMX-TILE */

    __asm__("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(7), "c"(0));
    if ((d & wanted) != wanted || !__builtin_cpu_supports("avx512bf16") ||
        !__builtin_cpu_supports("avx512bw"))
        return 0;
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_TILES) == 0;
}

/* All eight tiles whole: 0 to 3 sums, 4 and 5 of a, 6 and 7 of b. */
static void configure(void)
{
    static const struct {
        uint8_t palette, start, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } all __attribute__((aligned(64))) = {
        .palette = 1,
        .row_bytes = { ROW_BYTES, ROW_BYTES, ROW_BYTES, ROW_BYTES,
                       ROW_BYTES, ROW_BYTES, ROW_BYTES, ROW_BYTES },
        .rows = { SIDE, SIDE, SIDE, SIDE, SIDE, SIDE, SIDE, SIDE },
    };

    _tile_loadconfig(&all);
}

/* ---- packing --------------------------------------------------------------------------------- */

/* 16 rows of 32 numbers along k, of which n and depth are there. */
ALWAYS void take_along(const float *x, size_t step, size_t n, size_t depth, __m512 r[16])
{
    mask low = mask_of(smaller(depth, 16)), high = mask_of(depth > 16 ? depth - 16 : 0);

#pragma GCC unroll 16
    for (size_t i = 0; i < SIDE; i++)
        r[i] = i < n ? round_two(load_part(x + i * step, low),
                                 high ? load_part(x + i * step + 16, high) : zero())
                     : zero();
}

/* 16 pairs of rows across k of 16 numbers, of which depth and n are there: the first number of a
 * pair's first row, that of its second, and so on. */
ALWAYS void take_across(const float *x, size_t step, size_t n, size_t depth, __m512 r[16])
{
    mask part = mask_of(n);

#pragma GCC unroll 16
    for (size_t p = 0; p < SIDE; p++) {
        size_t k = 2 * p;
        __m512 first = k < depth ? load_part(x + k * step, part) : zero();
        __m512 second = k + 1 < depth ? load_part(x + (k + 1) * step, part) : zero();

        r[p] = round_pairs(first, second);
    }
}

/* The tile of rows i0.. and k0.., n and depth of them, along k or in pairs across it. */
ALWAYS void pack_tile(const struct operand *o, size_t i0, size_t n, size_t k0, size_t depth,
                      int pairs, uint16_t *to)
{
    __m512 r[16];

    if (o->along_k)
        take_along(o->x + i0 * o->step + k0, o->step, n, depth, r);
    else
        take_across(o->x + k0 * o->step + i0, o->step, n, depth, r);
    if (o->along_k == pairs)
        turn(r);
#pragma GCC unroll 16
    for (size_t i = 0; i < SIDE; i++)
        _mm512_store_si512(to + i * DEPTH, (__m512i)r[i]);
}

/* Rows i0.. in twos of tiles, [n / 32][k / 32][2][tile]; the second of the last two is left out if
 * it would be empty. */
ALWAYS void pack(const struct operand *o, size_t i0, size_t n, size_t k0, size_t depth, int pairs,
                 uint16_t *to)
{
    for (size_t i = 0; i < n; i += 2 * SIDE)
        for (size_t k = 0; k < depth; k += DEPTH, to += 2 * TILE)
            for (size_t t = 0; t < 2 && i + t * SIDE < n; t++)
                pack_tile(o, i0 + i + t * SIDE, smaller(n - i - t * SIDE, SIDE), k0 + k,
                          smaller(depth - k, DEPTH), pairs, to + t * TILE);
}

static void pack_a(const struct operand *o, size_t i0, size_t n, size_t k0, size_t depth,
                   uint16_t *to)
{
    pack(o, i0, n, k0, depth, 0, to);
}

static void pack_b(const struct operand *o, size_t i0, size_t n, size_t k0, size_t depth,
                   uint16_t *to)
{
    pack(o, i0, n, k0, depth, 1, to);
}

/* ---- sums ------------------------------------------------------------------------------------ */

/* c [16 rows][16 columns of tiles], by strides in bytes, += a b over so many tiles of k; add == 0:
 * =. The unit's operands are numbers of tiles, so each size has a loop of its own. */
ALWAYS void sum_up(const int rows, const int cols, const uint16_t *a, const uint16_t *b,
                   size_t tiles, int add, float *c, size_t step)
{
    float *below = c + SIDE * step;

    if (add) {
        _tile_loadd(0, c, step * sizeof *c);
        if (cols > 1)
            _tile_loadd(1, c + SIDE, step * sizeof *c);
        if (rows > 1)
            _tile_loadd(2, below, step * sizeof *c);
        if (rows > 1 && cols > 1)
            _tile_loadd(3, below + SIDE, step * sizeof *c);
    } else {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    for (size_t t = 0; t < tiles; t++, a += 2 * TILE, b += 2 * TILE) {
        _tile_loadd(4, a, ROW_BYTES);
        _tile_loadd(6, b, ROW_BYTES);
        _tile_dpbf16ps(0, 4, 6);
        if (cols > 1) {
            _tile_loadd(7, b + TILE, ROW_BYTES);
            _tile_dpbf16ps(1, 4, 7);
        }
        if (rows > 1) {
            _tile_loadd(5, a + TILE, ROW_BYTES);
            _tile_dpbf16ps(2, 5, 6);
        }
        if (rows > 1 && cols > 1)
            _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, c, step * sizeof *c);
    if (cols > 1)
        _tile_stored(1, c + SIDE, step * sizeof *c);
    if (rows > 1)
        _tile_stored(2, below, step * sizeof *c);
    if (rows > 1 && cols > 1)
        _tile_stored(3, below + SIDE, step * sizeof *c);
}

static void sum_some(size_t m, size_t n, const uint16_t *a, const uint16_t *b, size_t tiles,
                     int add, float *c, size_t step)
{
    if (m > SIDE && n > SIDE)
        sum_up(2, 2, a, b, tiles, add, c, step);
    else if (m > SIDE)
        sum_up(2, 1, a, b, tiles, add, c, step);
    else if (n > SIDE)
        sum_up(1, 2, a, b, tiles, add, c, step);
    else
        sum_up(1, 1, a, b, tiles, add, c, step);
}

/* to [m][n] = from. */
static void copy(size_t m, size_t n, const float *from, size_t from_step, float *to, size_t to_step)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j += 16) {
            mask part = mask_of(smaller(n - j, 16));

            store_part(to + i * to_step + j, part, load_part(from + i * from_step + j, part));
        }
}

/* Sums of which only m x n are c's: in the room. */
static void sum_edge(size_t m, size_t n, const uint16_t *a, const uint16_t *b, size_t tiles,
                     int add, float *c, size_t step, float *edge)
{
    if (add)
        copy(m, n, c, step, edge, 2 * SIDE);
    sum_some(m, n, a, b, tiles, add, edge, 2 * SIDE);
    copy(m, n, edge, 2 * SIDE, c, step);
}

/* A packed block of op(a) with all columns. */
static void block(const struct asy_gemm *s, const struct operand *b, size_t m, size_t k0,
                  size_t depth, int add, float *c, float *room)
{
    const uint16_t *rows = (const uint16_t *)(const void *)(room + A_AT);
    uint16_t *panel = (uint16_t *)(void *)(room + B_AT);
    size_t tiles = round_up(depth, DEPTH) / DEPTH;

    for (size_t j = 0; j < s->n; j += 2 * SIDE) {
        size_t n = smaller(s->n - j, 2 * SIDE);

        pack_b(b, j, n, k0, depth, panel);
        for (size_t i = 0; i < m; i += 2 * SIDE) {
            size_t left = smaller(m - i, 2 * SIDE);
            const uint16_t *a = rows + i / (2 * SIDE) * tiles * 2 * TILE;
            float *to = c + i * s->ldc + j;

            if (left % SIDE || n % SIDE)
                sum_edge(left, n, a, panel, tiles, add, to, s->ldc, room + EDGE_AT);
            else
                sum_some(left, n, a, panel, tiles, add, to, s->ldc);
        }
    }
}

static void run(const struct asy_gemm *s, const float *a, const float *b, float *c, float *room)
{
    struct operand of_a = { a, s->lda, !s->trans_a }, of_b = { b, s->ldb, s->trans_b != 0 };
    size_t parts = (s->k + K_BLOCK - 1) / K_BLOCK;
    size_t deep = round_up((s->k + parts - 1) / parts, DEPTH);
    size_t high = BLOCK / deep / (2 * SIDE) * (2 * SIDE);

    configure();
    for (size_t k = 0; k < s->k; k += deep) {
        size_t depth = smaller(s->k - k, deep);

        for (size_t i = 0; i < s->m; i += high) {
            size_t m = smaller(s->m - i, high);

            pack_a(&of_a, i, m, k, depth, (uint16_t *)(void *)(room + A_AT));
            block(s, &of_b, m, k, depth, s->add || k > 0, c + i * s->ldc, room);
        }
    }
    _tile_release();
}

const struct asy__bf16 asy__bf16_amx = { "amx", run };
