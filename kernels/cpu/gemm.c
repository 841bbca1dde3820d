/* SPDX-License-Identifier: Apache-2.0
 * gemm.c - the order in which tiles are computed, the same for all instruction sets.
 *
 * Roles: the rows of one operand are spread over vectors one number at a time ("a"), the other one
 * is read as vectors ("b") and packed, a panel of two vectors' width at a time: copied if its rows
 * lie along the vectors, transposed if they lie along k. Where both lie along k (a dense layer's
 * forward pass: x w^T) a is read as it is and the transposing costs most, so that is done to the
 * operand with which it costs less; if that is op(a), the product's transpose is computed, and its
 * tiles are turned as they are written. Of few rows or columns there is another way (gemm_way.c).
 *
 * Blocks: ASY__K_BLOCK steps of a panel stay in the first cache while it meets ROWS_BLOCK rows of
 * a, which stay in the second. Between blocks sums rest in c, which does not change them. Turned
 * tiles are summed over K_TURNED steps, as turning costs more than a panel that the first cache
 * does not hold; as many panels as the room holds meet a few rows of a before the next ones, so
 * that a comes from far away once for each group of panels. Products that are taken go by groups,
 * too (gemm_taken.c), and large ones in strips along them (gemm_strips.c).
 *
 * Rejected: a dense layer's bias and rectifier done to sums in registers. What every tile then has
 * to look at costs a small network more (1 % of a step) than a pass over rows in the first cache,
 * and 64 rows of 512 gain half a per cent.
 *
 * After Goto and van de Geijn 2008 (Anatomy of high-performance matrix multiplication), and the
 * tiles of LIBXSMM (Heinecke et al. 2016) for what is not packed. */
#include "gemm_order.h"
#include <string.h>

#define K_TURNED ((size_t)4096)
#define ROWS_BLOCK ((size_t)448)

/* Where things lie in the room, in floats. Rows are packed only beside panels of one block. */
#define PANEL_AT ((size_t)0)                /* [k][ASY__PANEL] */
#define ROWS_AT (ASY__K_BLOCK * ASY__PANEL) /* [tiles][k][rows of the largest tile] */
#define ROWS_LEN ((ROWS_BLOCK + ASY__TILE_ROWS) * ASY__K_BLOCK + ASY__LANES_MAX)
#define TILE_AT (K_TURNED * ASY__PANEL)     /* [rows][ASY__PANEL] */
_Static_assert(ROWS_AT + ROWS_LEN <= TILE_AT, "rows and panel lie in the way of a tile");
_Static_assert(TILE_AT + ASY__TILE_ROWS * ASY__PANEL <= ASY_GEMM_ROOM, "the room is too small");

/* A panel of b, w columns from j0 on, whole vectors wide and with zeros beyond the last column. */
static void pack_panel(const struct asy__product *p, size_t k0, size_t kc, size_t j0, size_t w,
                       size_t width, float *to)
{
    size_t lanes = p->isa->lanes;

    if (!p->b_along_k) {
        p->isa->copy(kc, w, p->b + k0 * p->b_row + j0, p->b_row, to, width);
        return;
    }
    for (size_t j = 0; j < width; j += lanes)
        p->isa->transpose(asy__smaller(w - j, lanes), kc, p->b + (j0 + j) * p->b_row + k0,
                          p->b_row, to + j, width, lanes);
}

void asy__pack_panels(const struct asy__product *p, size_t k0, size_t kc, size_t from, size_t to,
                      int all)
{
    size_t across = ASY__TILE_VECTORS * p->isa->lanes, lanes = p->isa->lanes;

    for (size_t j = from; j < to; j += across) {
        size_t w = asy__smaller(p->n - j, across), width = (w + lanes - 1) / lanes * lanes;

        if (all || w < width)
            pack_panel(p, k0, kc, j, w, width, p->room + (j - from) * kc);
    }
}

/* Rows of a that lie along its columns, a tile's together. */
static void pack_rows(const struct asy__product *p, const struct asy__cut *cut, size_t i0,
                      size_t k0, size_t kc)
{
    float *to = p->room + ROWS_AT;

    for (size_t t = 0; t < cut->tiles; t++) {
        size_t rows = cut->rows + (t < cut->longer);

        p->isa->copy(kc, rows, p->a + i0 + k0 * p->a_k, p->a_k, to, p->isa->rows);
        to += kc * p->isa->rows;
        i0 += rows;
    }
}

/* c(i0.., j0..) of a turned product: through a tile of our own. */
static void turned_tile(const struct asy__product *p, struct asy__tile *tile, size_t rows,
                        size_t i0, size_t j0, size_t w)
{
    size_t lanes = p->isa->lanes, vectors = (w + lanes - 1) / lanes;
    float *mine = p->room + TILE_AT, *c = p->c + j0 * p->c_row + i0;

    tile->c = mine;
    tile->c_row = vectors * lanes;
    if (tile->add)
        for (size_t i = 0; i < rows; i++)
            for (size_t j = 0; j < tile->c_row; j++)
                mine[i * tile->c_row + j] = j < w ? c[j * p->c_row + i] : 0;
    p->isa->tiles[rows - 1][vectors - 1][tile->near ? ASY__TILE_FETCH : ASY__TILE_PLAIN](tile);
    p->isa->transpose(rows, w, mine, tile->c_row, c, p->c_row, rows);
}

/* One panel of b with the rows of a block. */
static void panel(const struct asy__product *p, const struct asy__cut *cut, size_t i0, size_t k0,
                  size_t kc, size_t j0)
{
    size_t lanes = p->isa->lanes, w = asy__smaller(p->n - j0, ASY__TILE_VECTORS * lanes);
    size_t vectors = (w + lanes - 1) / lanes, width = vectors * lanes;
    float *packed = p->room + PANEL_AT;
    int packed_rows = p->a_k != 1 && !p->near, ready = p->b_along_k || w < width;
    enum asy__tile_kind kind = ready ? ASY__TILE_PLAIN : ASY__TILE_PACKING;
    struct asy__tile tile = {
        .a_row = packed_rows ? 1 : p->a_row, .a_k = packed_rows ? p->isa->rows : p->a_k,
        .b = ready ? packed : p->b + k0 * p->b_row + j0, .b_k = ready ? width : p->b_row,
        .packed = packed, .k = kc, .tail = w - (vectors - 1) * lanes,
    };

    if (ready)
        pack_panel(p, k0, kc, j0, w, width, packed);
    else if (p->near || cut->tiles == 1)
        kind = ASY__TILE_PLAIN; /* else nobody else will read it */
    for (size_t t = 0; t < cut->tiles; t++) {
        size_t rows = cut->rows + (t < cut->longer);

        tile.a = packed_rows ? p->room + ROWS_AT + t * kc * p->isa->rows
                             : p->a + i0 * p->a_row + k0 * p->a_k;
        tile.add = p->add || k0 > 0;
        tile.c = p->c + i0 * p->c_row + j0;
        tile.c_row = p->c_row;
        tile.next = !p->near && t + 1 < cut->tiles ? tile.c + rows * p->c_row : NULL;
        p->isa->tiles[rows - 1][vectors - 1][w < width ? ASY__TILE_TAIL : kind](&tile);
        if (kind == ASY__TILE_PACKING) {
            kind = ASY__TILE_PLAIN;
            tile.b = packed;
            tile.b_k = width;
        }
        i0 += rows;
    }
}

/* Some panels of b, packed side by side, with all rows of a: these come from far away, once for
 * each group. */
static void turned_group(const struct asy__product *p, size_t k0, size_t kc, size_t from, size_t to)
{
    size_t across = ASY__TILE_VECTORS * p->isa->lanes, lanes = p->isa->lanes;
    size_t panels = (to - from + across - 1) / across;
    struct asy__cut cut = asy__cut_rows(p->m, p->isa->rows);
    struct asy__tile tile = { .a = p->a + k0, .a_row = p->a_row, .a_k = 1, .k = kc,
                              .add = p->add || k0 > 0,
                              .n_ahead = (cut.rows * kc / ASY__LINE + panels - 1) / panels };
    float *packed = p->room + PANEL_AT;

    asy__pack_panels(p, k0, kc, from, to, 1);
    for (size_t t = 0, i = 0; t < cut.tiles; t++) {
        size_t rows = cut.rows + (t < cut.longer);
        const float *next = p->a_row == kc ? tile.a + rows * p->a_row : NULL;

        for (size_t j = from; j < to; j += across) {
            size_t w = asy__smaller(p->n - j, across);

            tile.near = t + 1 < cut.tiles ? next : NULL;
            if (next)
                next += tile.n_ahead * ASY__LINE;
            tile.b = packed + (j - from) * kc;
            tile.b_k = (w + lanes - 1) / lanes * lanes;
            turned_tile(p, &tile, rows, i, j, w);
        }
        tile.a += rows * p->a_row;
        i += rows;
    }
}

static void compute_turned(const struct asy__product *p)
{
    size_t k_part = asy__part(p->k, K_TURNED), across = ASY__TILE_VECTORS * p->isa->lanes;
    size_t panels = asy__part((p->n + across - 1) / across, (TILE_AT - PANEL_AT) / across / k_part);

    for (size_t k0 = 0; k0 < p->k; k0 += k_part) {
        size_t kc = asy__smaller(p->k - k0, k_part);

        for (size_t j = 0; j < p->n; j += panels * across)
            turned_group(p, k0, kc, j, asy__smaller(p->n, j + panels * across));
    }
}

static void compute(const struct asy__product *p)
{
    size_t k_part = asy__part(p->k, ASY__K_BLOCK), m_part = asy__part(p->m, ROWS_BLOCK);

    for (size_t k0 = 0; k0 < p->k; k0 += k_part) {
        size_t kc = asy__smaller(p->k - k0, k_part);

        for (size_t i0 = 0; i0 < p->m; i0 += m_part) {
            struct asy__cut cut = asy__cut_rows(asy__smaller(p->m - i0, m_part), p->isa->rows);

            if (p->a_k != 1 && !p->near)
                pack_rows(p, &cut, i0, k0, kc);
            for (size_t j0 = 0; j0 < p->n; j0 += ASY__TILE_VECTORS * p->isa->lanes)
                panel(p, &cut, i0, k0, kc, j0);
        }
    }
}

/* Both in the first two caches, and in few pages. */
static int is_near(const struct asy__product *p)
{
    return !p->turned && !p->b_along_k && p->m * p->a_row + p->k * (p->a_k + p->b_row) < ASY__NEAR;
}

static void clear(const struct asy_gemm *shape, float *c)
{
    for (size_t i = 0; !shape->add && i < shape->m; i++)
        memset(c + i * shape->ldc, 0, shape->n * sizeof *c);
}

void asy__gemm_run(const struct asy__gemm *isa, const struct asy_gemm *shape, const float *a,
                   const float *b, float *c, float *room)
{
    struct asy__product p = { .isa = isa, .room = room, .k = shape->k, .c = c,
                         .c_row = shape->ldc, .add = shape->add };

    if (shape->m == 0 || shape->n == 0)
        return;
    if (shape->k == 0) {
        clear(shape, c);
        return;
    }
    if (asy__gemm_flat(isa, shape, a, b, c))
        return;
    if (asy__gemm_is_few(isa, shape)) {
        asy__gemm_few(isa, shape, a, b, c, room);
        return;
    }
    if (asy__gemm_is_turned(isa, shape, (shape->k - 1) / ASY__K_BLOCK)) {
        p.turned = 1;
        p.m = shape->n;
        p.n = shape->m;
        p.a = b;
        p.a_row = shape->ldb;
        p.a_k = 1;
        p.b = a;
        p.b_row = shape->lda;
        p.b_along_k = !shape->trans_a;
    } else {
        p.m = shape->m;
        p.n = shape->n;
        p.a = a;
        p.a_row = shape->trans_a ? 1 : shape->lda;
        p.a_k = shape->trans_a ? shape->lda : 1;
        p.b = b;
        p.b_row = shape->ldb;
        p.b_along_k = shape->trans_b;
    }
    p.near = is_near(&p);
    if (p.turned)
        compute_turned(&p);
    else if (asy__product_in_strips(&p))
        asy__product_strips(&p);
    else
        compute(&p);
}
