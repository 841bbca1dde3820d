/* SPDX-License-Identifier: Apache-2.0
 * gemm_taken.c - products whose tiles somebody takes, and sums of several products.
 *
 * Panels of b go side by side into the room, as many as it holds; tiles then go along the rows, so
 * that what the taker reads beside them comes in long runs, which the processor fetches by itself;
 * the lines of the next tile's places are asked for while a tile is computed. A tile is one of our
 * own, which the first cache keeps: c as a whole is nowhere. Of a sum, each part's tile begins at
 * zero and is added to what the parts before it came to. */
#include "gemm_order.h"
#include <asy/base.h>
#include <asy/kernels.h>

#define K_TAKEN ((size_t)128) /* of more, taking tiles slows the product by more than it saves */
#define AHEAD_MAX ((size_t)256)

/* In the room, in floats: panels, each part's behind the one before; a strip of rows of each part;
 * a tile. */
#define TILE_LEN (ASY__TILE_ROWS * ASY__PANEL)
#define TILE_AT (ASY_GEMM_ROOM - TILE_LEN)
#define STRIP_LEN(k) ((k) * ASY__TILE_ROWS + ASY__LANES_MAX)
_Static_assert(STRIP_LEN(ASY_GEMM_SUMMED) + ASY_GEMM_SUMMED * ASY__PANEL <= TILE_AT,
               "the room is too small");

struct sum {
    const struct asy__gemm *isa;
    const struct asy_gemm *shape;
    const struct asy_gemm_part *parts;
    size_t n_parts, k; /* k: of all of them */
    const struct asy_gemm_taker *taker;
    float *room, *strip;
    size_t across;              /* columns of a panel */
    int near;                   /* operands are read where they lie */
    ptrdiff_t *ahead;           /* [n_ahead], floats from near[0] */
    size_t n_ahead;
};

/* The lines of a tile in all arrays beside it. */
static void list_near(struct sum *sum)
{
    const struct asy_gemm_taker *taker = sum->taker;
    size_t most = asy__smaller(sum->k, AHEAD_MAX);

    for (size_t s = 0; s < taker->n_near; s++) {
        intptr_t from = ((intptr_t)taker->near[s] - (intptr_t)taker->near[0]) /
                        (intptr_t)sizeof(float);

        for (size_t i = 0; i < sum->isa->rows; i++)
            for (size_t j = 0; j < sum->across && sum->n_ahead < most; j += ASY__LINE)
                sum->ahead[sum->n_ahead++] = from + (ptrdiff_t)(i * sum->shape->ldc + j);
    }
}

/* Columns from .. to of b, of all parts. */
static void pack_panels(const struct sum *sum, size_t from, size_t to)
{
    size_t lanes = sum->isa->lanes;

    for (size_t j = from; j < to; j += sum->across) {
        size_t w = asy__smaller(sum->shape->n - j, sum->across);
        size_t width = (w + lanes - 1) / lanes * lanes;
        float *panel = sum->room + (j - from) * sum->k;

        if (sum->near && w == width)
            continue;
        for (const struct asy_gemm_part *p = sum->parts; p < sum->parts + sum->n_parts; p++) {
            sum->isa->copy(p->k, w, p->b + j, sum->shape->ldb, panel, width);
            panel += p->k * width;
        }
    }
}

static void pack_strip(const struct sum *sum, size_t i, size_t rows)
{
    float *to = sum->strip;

    for (const struct asy_gemm_part *p = sum->parts; p < sum->parts + sum->n_parts; p++) {
        sum->isa->copy(p->k, rows, p->a + i, sum->shape->lda, to, sum->isa->rows);
        to += p->k * sum->isa->rows;
    }
}

/* One tile of all parts, c(i0.., j0..) of it; tile says where it goes and what is near it. */
static void add_parts(const struct sum *sum, struct asy__tile *tile, size_t i0, size_t j0,
                      asy__tile_f compute)
{
    size_t ahead = 0, width = tile->b_k;

    tile->a = sum->near ? sum->parts->a + i0 : sum->strip;
    if (sum->near && sum->shape->n - j0 >= width) {
        tile->b = sum->parts->b + j0;
        tile->b_k = sum->shape->ldb;
    }
    for (size_t s = 0; s < sum->n_parts; s++) {
        tile->k = sum->parts[s].k;
        tile->late = s > 0;
        tile->ahead = sum->ahead + ahead;
        tile->n_ahead = asy__smaller(sum->n_ahead - ahead,
                                (sum->n_ahead * tile->k + sum->k - 1) / sum->k);
        ahead += tile->n_ahead;
        compute(tile);
        tile->a += tile->k * sum->isa->rows;
        tile->b += tile->k * width;
    }
}

/* The tiles of a strip, rows from i0 on, with panels of the columns from .. to. */
static void take_strip(const struct sum *sum, size_t i0, size_t rows, size_t from, size_t to)
{
    const struct asy_gemm_taker *taker = sum->taker;
    enum asy__tile_kind kind = sum->n_ahead ? ASY__TILE_AHEAD : ASY__TILE_PLAIN;
    size_t across = sum->across, lanes = sum->isa->lanes, row = sum->shape->ldc;
    struct asy__tile tile = { .a_row = 1, .a_k = sum->near ? sum->shape->lda : sum->isa->rows,
                              .c = sum->room + TILE_AT };

    for (size_t j = from; j < to; j += across) {
        size_t w = asy__smaller(sum->shape->n - j, across), vectors = (w + lanes - 1) / lanes;

        tile.b = sum->room + (j - from) * sum->k;
        tile.b_k = vectors * lanes;
        /* Rows that are one tile wide lie side by side, as they do in the whole: each is written
         * over what lies beyond the one before. */
        tile.c_row = w < sum->shape->n ? tile.b_k : w;
        if (taker->n_near)
            tile.near = taker->near[0] + (j + across < to ? i0 * row + j + across
                                                          : (i0 + rows) * row + from);
        add_parts(sum, &tile, i0, j, sum->isa->tiles[rows - 1][vectors - 1][kind]);
        taker->take(taker->arg, i0, j, rows, w, tile.c, tile.c_row);
    }
}

void asy__gemm_run_summed(const struct asy__gemm *isa, const struct asy_gemm *shape, size_t n_parts,
                          const struct asy_gemm_part *parts, float *room,
                          const struct asy_gemm_taker *taker)
{
    ptrdiff_t ahead[AHEAD_MAX];
    struct sum sum = { .isa = isa, .shape = shape, .parts = parts, .n_parts = n_parts,
                       .taker = taker, .room = room, .across = ASY__TILE_VECTORS * isa->lanes,
                       .ahead = ahead };
    size_t tiles = (shape->m + isa->rows - 1) / isa->rows, group;

    if (shape->m == 0 || shape->n == 0)
        return;
    for (size_t s = 0; s < n_parts; s++)
        sum.k += parts[s].k;
    sum.strip = room + TILE_AT - STRIP_LEN(sum.k);
    sum.near = n_parts == 1 && sum.k * (shape->lda + shape->ldb) < ASY__NEAR;
    if (!sum.near)
        list_near(&sum);
    group = asy__part((shape->n + sum.across - 1) / sum.across,
                 (TILE_AT - STRIP_LEN(sum.k)) / sum.across / sum.k) * sum.across;
    for (size_t j = 0; j < shape->n; j += group) {
        size_t end = asy__smaller(shape->n, j + group);

        pack_panels(&sum, j, end);
        for (size_t t = 0, i = 0, rows; t < tiles; t++, i += rows) {
            rows = shape->m / tiles + (t < shape->m % tiles);
            if (!sum.near)
                pack_strip(&sum, i, rows);
            take_strip(&sum, i, rows, j, end);
        }
    }
}

void asy_gemm_summed(const struct asy_gemm *shape, size_t n_parts,
                     const struct asy_gemm_part *parts, float *room,
                     const struct asy_gemm_taker *taker)
{
    size_t k = 0;

    for (size_t s = 0; s < n_parts; s++) {
        ASY_ASSERT(parts[s].k > 0, "part %zu of a sum of products has no terms", s);
        k += parts[s].k;
    }
    ASY_ASSERT(shape->trans_a && !shape->trans_b && !shape->add && k > 0 && k <= ASY_GEMM_SUMMED,
               "products of another kind (%d %d %d, of %zu terms) are not summed", shape->trans_a,
               shape->trans_b, shape->add, k);
    asy__gemm_run_summed(asy__gemm_get(), shape, n_parts, parts, room, taker);
}

void asy_gemm_taken(const struct asy_gemm *shape, const float *a, const float *b, float *c,
                    float *room, const struct asy_gemm_taker *taker)
{
    const struct asy_gemm_part whole = { a, b, shape->k };

    ASY_ASSERT(shape->trans_a && !shape->trans_b && !shape->add,
               "a product of another kind (%d %d %d) is not taken", shape->trans_a, shape->trans_b,
               shape->add);
    if (asy_kernels_products() == ASY_PRODUCTS_BLAS || shape->k == 0 || shape->k > K_TAKEN) {
        asy_gemm(shape, a, b, c, room);
        taker->take(taker->arg, 0, 0, shape->m, shape->n, c, shape->ldc);
        return;
    }
    asy__gemm_run_summed(asy__gemm_get(), shape, 1, &whole, room, taker);
}
