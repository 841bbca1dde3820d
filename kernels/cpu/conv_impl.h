/* SPDX-License-Identifier: Apache-2.0
 * conv_impl.h - tiles of convolutions, compiled once per instruction set.
 *
 * As in gemm_impl.h a tile's sums stay in registers from the first step of their chains to the
 * last, and sizes are constants to the compiler. A tile of outputs has pixels as its rows, or the
 * same pixel of some images, and channels across; one of dw has what the kernel meets as its rows
 * and output channels across, or the other way round.
 *
 * The includer defines CONV (the table's name), GEMM (that of the products), SPARSE (that
 * of the lists), maybe POOLED, ROWS as for gemm_impl.h and BASES, and includes the lanes. */
#include "conv.h"

/* Indexes of what is in registers are constants once loops are unrolled: checks of each would make
 * a build with clang's take minutes. */
#define ALWAYS static inline __attribute__((always_inline, no_sanitize("undefined")))
#define SUMS 28 /* the most of a tile, in rows of one vector */

ALWAYS void correlate(const int rows, const int vectors, const struct asy__corr *tile)
{
    vec sums[ASY__TILE_ROWS][ASY__TILE_VECTORS], b[ASY__TILE_VECTORS];
    const float *bases[(ASY__TILE_ROWS + 2) / 3];
    const size_t steps[3] = { 0, tile->a_row, 2 * tile->a_row }, c_row = tile->c_row;
    const int part = tile->tail < LANES;
    mask tail = mask_of(tile->tail);
    float *c = tile->c;

#pragma GCC unroll 14
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
        for (int j = 0; j < vectors; j++)
            sums[i][j] = load(tile->start + (size_t)j * LANES);
    for (size_t r = 0; r < tile->n_runs; r++) {
        const struct asy__run *run = &tile->runs[r];
        const float *from = tile->b + run->b * (size_t)vectors * LANES;

#pragma GCC unroll 5
        for (int i = 0; i < (rows + 2) / 3; i++)
            bases[i] = tile->a + run->a + (size_t)i * 3 * tile->a_row;
        for (size_t k = run->steps; k > 0; k--) {
#pragma GCC unroll 2
            for (int j = 0; j < vectors; j++)
                b[j] = load(from + (size_t)j * LANES);
#pragma GCC unroll 14
            for (int i = 0; i < rows; i++) {
                vec a = spread(bases[i / 3] + steps[i % 3]);

#pragma GCC unroll 2
                for (int j = 0; j < vectors; j++)
                    sums[i][j] = fma(a, b[j], sums[i][j]);
            }
#pragma GCC unroll 5
            for (int i = 0; i < (rows + 2) / 3; i++)
                bases[i]++;
            from += (size_t)vectors * LANES;
        }
    }
    if (tile->relu)
#pragma GCC unroll 14
        for (int i = 0; i < rows; i++)
#pragma GCC unroll 2
            for (int j = 0; j < vectors; j++)
                sums[i][j] = rectify(sums[i][j]);
#pragma GCC unroll 14
    for (int i = 0; i < rows; i++, c += c_row) {
#pragma GCC unroll 2
        for (int j = 0; j < vectors; j++) {
            if (part && j == vectors - 1)
                store_part(c + (size_t)j * LANES, tail, sums[i][j]);
            else
                store(c + (size_t)j * LANES, sums[i][j]);
        }
    }
}

/* The steps of a tile of dw. part: the last vector of b is read as far as it is c's. A load of a
 * part takes the place of a multiply-add. */
ALWAYS void outer_steps(const int bases, const int rows, const int vectors, const int part,
                        const struct asy__outer *tile, vec sums[SUMS][ASY__TILE_VECTORS])
{
    mask tail = mask_of(tile->tail);
    vec b[ASY__TILE_VECTORS];
    const float *a[ASY__BASES];

    for (size_t n = 0; n < tile->n; n++) {
        for (size_t y = 0; y < tile->y; y++) {
            const float *from = tile->b + n * tile->b_n + y * tile->b_y;

#pragma GCC unroll 5
            for (int e = 0; e < bases; e++)
                a[e] = tile->a[e] + n * tile->a_n + y * tile->a_y;
            for (size_t x = tile->x; x > 0; x--) {
#pragma GCC unroll 2
                for (int j = 0; j < vectors; j++)
                    b[j] = part && j == vectors - 1 ? load_part(from + (size_t)j * LANES, tail)
                                                    : load(from + (size_t)j * LANES);
#pragma GCC unroll 28
                for (int i = 0; i < bases * rows; i++) {
                    vec s = spread(a[i / rows] + i % rows);

#pragma GCC unroll 2
                    for (int j = 0; j < vectors; j++)
                        sums[i][j] = fma(s, b[j], sums[i][j]);
                }
#pragma GCC unroll 5
                for (int e = 0; e < bases; e++)
                    a[e] += tile->a_x;
                from += tile->b_x;
            }
        }
    }
}

ALWAYS void outer(const int bases, const int rows, const int vectors,
                  const struct asy__outer *tile)
{
    vec sums[SUMS][ASY__TILE_VECTORS];
    mask tail = mask_of(tile->tail);
    const size_t c_row = tile->c_row;
    float *to[ASY__BASES];

#pragma GCC unroll 5
    for (int e = 0; e < bases; e++)
        to[e] = tile->c[e];
#pragma GCC unroll 28
    for (int i = 0; i < bases * rows; i++) {
        const float *c = to[i / rows] + (size_t)(i % rows) * c_row;

#pragma GCC unroll 2
        for (int j = 0; j < vectors; j++) {
            if (!tile->add)
                sums[i][j] = zero();
            else if (j == vectors - 1)
                sums[i][j] = load_part(c + (size_t)j * LANES, tail);
            else
                sums[i][j] = load(c + (size_t)j * LANES);
        }
    }
    if (tile->tail < LANES)
        outer_steps(bases, rows, vectors, 1, tile, sums);
    else
        outer_steps(bases, rows, vectors, 0, tile, sums);
#pragma GCC unroll 28
    for (int i = 0; i < bases * rows; i++) {
        float *c = to[i / rows] + (size_t)(i % rows) * c_row;

#pragma GCC unroll 2
        for (int j = 0; j < vectors; j++) {
            if (j == vectors - 1)
                store_part(c + (size_t)j * LANES, tail, sums[i][j]);
            else
                store(c + (size_t)j * LANES, sums[i][j]);
        }
    }
}

/* A tile of outputs of as many channels as a vector has, each of its own channel alone. */
ALWAYS void correlate_depth(const int rows, const int part, const struct asy__corr *tile)
{
    const size_t steps[3] = { 0, tile->a_row, 2 * tile->a_row };
    const float *bases[(ASY__TILE_ROWS + 2) / 3];
    mask tail = mask_of(tile->tail);
    float *c = tile->c;
    vec sums[ASY__TILE_ROWS];

#pragma GCC unroll 14
    for (int i = 0; i < rows; i++)
        sums[i] = load(tile->start);
    for (size_t r = 0; r < tile->n_runs; r++) {
        vec b = load(tile->b + tile->runs[r].b * tile->b_row);

#pragma GCC unroll 5
        for (int i = 0; i < (rows + 2) / 3; i++)
            bases[i] = tile->a + tile->runs[r].a + (size_t)i * 3 * tile->a_row;
#pragma GCC unroll 14
        for (int i = 0; i < rows; i++) {
            const float *a = bases[i / 3] + steps[i % 3];

            sums[i] = fma(part ? load_part(a, tail) : load(a), b, sums[i]);
        }
    }
#pragma GCC unroll 14
    for (int i = 0; i < rows; i++, c += tile->c_row) {
        vec sum = tile->relu ? rectify(sums[i]) : sums[i];

        if (part)
            store_part(c, tail, sum);
        else
            store(c, sum);
    }
}

/* The same of dw: a vector for each of some taps. */
ALWAYS void outer_depth(const int bases, const int rows, const struct asy__outer *tile)
{
    vec sums[ASY__DEPTH_BASES * ASY__BASE_ROWS];
    const float *a[ASY__DEPTH_BASES];
    mask tail = mask_of(tile->tail);

#pragma GCC unroll 15
    for (int i = 0; i < bases * rows; i++)
        sums[i] = tile->add ? load(tile->c[i / rows] + (size_t)(i % rows) * tile->c_row) : zero();
    for (size_t n = 0; n < tile->n; n++)
        for (size_t y = 0; y < tile->y; y++) {
            const float *from = tile->b + n * tile->b_n + y * tile->b_y;

#pragma GCC unroll 3
            for (int e = 0; e < bases; e++)
                a[e] = tile->a[e] + n * tile->a_n + y * tile->a_y;
            for (size_t x = tile->x; x > 0; x--, from += tile->b_x) {
                vec b = load_part(from, tail);

#pragma GCC unroll 15
                for (int i = 0; i < bases * rows; i++)
                    sums[i] = fma(load_part(a[i / rows] + (size_t)(i % rows) * tile->a_r, tail), b,
                                  sums[i]);
#pragma GCC unroll 3
                for (int e = 0; e < bases; e++)
                    a[e] += tile->a_x;
            }
        }
#pragma GCC unroll 15
    for (int i = 0; i < bases * rows; i++)
        store(tile->c[i / rows] + (size_t)(i % rows) * tile->c_row, sums[i]);
}

#define CORR(rows, vectors)                                                                        \
    static void corr_##rows##_##vectors(const struct asy__corr *tile)                              \
    {                                                                                              \
        correlate(rows, vectors, tile);                                                            \
    }
#define OUTER(bases, rows, vectors)                                                                \
    static void outer_##bases##_##rows##_##vectors(const struct asy__outer *tile)                  \
    {                                                                                              \
        outer(bases, rows, vectors, tile);                                                         \
    }
#define DEPTH(rows)                                                                                \
    static void depth_##rows(const struct asy__corr *tile)                                         \
    {                                                                                              \
        if (tile->tail < LANES)                                                                    \
            correlate_depth(rows, 1, tile);                                                        \
        else                                                                                       \
            correlate_depth(rows, 0, tile);                                                        \
    }
#define DEPTH_DW(bases, rows)                                                                      \
    static void depth_dw_##bases##_##rows(const struct asy__outer *tile)                           \
    {                                                                                              \
        outer_depth(bases, rows, tile);                                                            \
    }
#define DEPTH_DWS(bases)                                                                           \
    DEPTH_DW(bases, 1)                                                                             \
    DEPTH_DW(bases, 2)                                                                             \
    DEPTH_DW(bases, 3)                                                                             \
    DEPTH_DW(bases, 4)                                                                             \
    DEPTH_DW(bases, 5)
#define DEPTH_DWS_OF(bases)                                                                        \
    { depth_dw_##bases##_1, depth_dw_##bases##_2, depth_dw_##bases##_3, depth_dw_##bases##_4,      \
      depth_dw_##bases##_5 }
#define TILES(rows)                                                                                \
    DEPTH(rows)                                                                                    \
    CORR(rows, 1)                                                                                  \
    CORR(rows, 2)                                                                                  \
    OUTER(1, rows, 1)                                                                              \
    OUTER(1, rows, 2)
#define SPANS(bases)                                                                               \
    OUTER(bases, 1, 1)                                                                             \
    OUTER(bases, 2, 1)                                                                             \
    OUTER(bases, 3, 1)                                                                             \
    OUTER(bases, 4, 1)                                                                             \
    OUTER(bases, 5, 1)
#define CORR_OF(rows) { corr_##rows##_1, corr_##rows##_2 }
#define OUTER_OF(rows) { outer_1_##rows##_1, outer_1_##rows##_2 }
#define SPANS_OF(bases)                                                                            \
    { outer_##bases##_1_1, outer_##bases##_2_1, outer_##bases##_3_1, outer_##bases##_4_1,          \
      outer_##bases##_5_1 }

TILES(1)
TILES(2)
TILES(3)
TILES(4)
#if ROWS > 4
TILES(5)
TILES(6)
#endif
#if ROWS > 6
TILES(7)
TILES(8)
TILES(9)
TILES(10)
TILES(11)
TILES(12)
TILES(13)
TILES(14)
#endif
DEPTH_DWS(1)
DEPTH_DWS(2)
DEPTH_DWS(3)
#if BASES > 1
SPANS(2)
#endif
#if BASES > 2
SPANS(3)
SPANS(4)
SPANS(5)
#endif

const struct asy__conv CONV = {
    .gemm = &GEMM,
    .sparse = &SPARSE,
#ifdef POOLED
    .pooled = &POOLED,
#endif
    .bases = BASES,
    .corr = {
        CORR_OF(1), CORR_OF(2), CORR_OF(3), CORR_OF(4),
#if ROWS > 4
        CORR_OF(5), CORR_OF(6),
#endif
#if ROWS > 6
        CORR_OF(7), CORR_OF(8), CORR_OF(9), CORR_OF(10), CORR_OF(11), CORR_OF(12), CORR_OF(13),
        CORR_OF(14),
#endif
    },
    .outer = {
        OUTER_OF(1), OUTER_OF(2), OUTER_OF(3), OUTER_OF(4),
#if ROWS > 4
        OUTER_OF(5), OUTER_OF(6),
#endif
#if ROWS > 6
        OUTER_OF(7), OUTER_OF(8), OUTER_OF(9), OUTER_OF(10), OUTER_OF(11), OUTER_OF(12),
        OUTER_OF(13), OUTER_OF(14),
#endif
    },
    .depth = {
        depth_1, depth_2, depth_3, depth_4,
#if ROWS > 4
        depth_5, depth_6,
#endif
#if ROWS > 6
        depth_7, depth_8, depth_9, depth_10, depth_11, depth_12, depth_13, depth_14,
#endif
    },
    .depth_dw = { DEPTH_DWS_OF(1), DEPTH_DWS_OF(2), DEPTH_DWS_OF(3) },
    .spanning = {
        [0] = { NULL },
#if BASES > 1
        [1] = SPANS_OF(2),
#endif
#if BASES > 2
        [2] = SPANS_OF(3), [3] = SPANS_OF(4), [4] = SPANS_OF(5),
#endif
    },
};
