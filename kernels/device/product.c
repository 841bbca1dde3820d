/* SPDX-License-Identifier: Apache-2.0
 * product.c - matrix products on devices: by the maker's library where the driver has one and takes
 * the product, else by source/product.clc.
 *
 * Large products have large tiles, which read less. A product with few tiles and a long k (the
 * gradient of weights over many rows) is cut along k, so that there is work for all units. Both
 * depend on the sizes alone: bits are the same on devices with more or fewer units. */
#include "frame.h"

#define TILE 64
#define TILE_LARGE 128
#define LARGE_TILES 64 /* fewer large ones would leave units idle */
#define GROUPS_WANTED 256
#define PIECE_LEAST 256 /* of k: less is not worth a pass over the parts */

/* The grid: tiles, and pieces of k. */
struct plan {
    size_t tile, rows, cols, pieces, piece;
};

static struct plan plan_of(size_t m, size_t n, size_t k)
{
    size_t large = asy__groups(m, TILE_LARGE) * asy__groups(n, TILE_LARGE);
    struct plan p = { .tile = m >= TILE_LARGE && n >= TILE_LARGE && large >= LARGE_TILES
                                  ? TILE_LARGE : TILE,
                      .pieces = 1, .piece = k };
    size_t tiles, pieces;

    p.rows = asy__groups(m, p.tile);
    p.cols = asy__groups(n, p.tile);
    tiles = p.rows * p.cols;
    if (p.tile == TILE_LARGE || tiles == 0 || tiles >= GROUPS_WANTED)
        return p;
    pieces = GROUPS_WANTED / tiles < k / PIECE_LEAST ? GROUPS_WANTED / tiles : k / PIECE_LEAST;
    if (pieces > 1) {
        p.piece = asy__groups(asy__groups(k, pieces), 16) * 16;
        p.pieces = asy__groups(k, p.piece);
    }
    return p;
}

size_t asy__product_parts(size_t m, size_t n, size_t k)
{
    struct plan plan = plan_of(m, n, k);

    return plan.pieces == 1 ? 0 : plan.pieces * m * n;
}

/* Parts alone do not grow with the sizes: fewer rows have fewer tiles, which are cut into more
 * pieces, and pieces grow to multiples of 16. Two bounds of pieces * m * n grow, so that what they
 * are for these sizes bounds all smaller ones. Lengthening pieces makes them fewer, so
 * - pieces <= GROUPS_WANTED / tiles, and m * n <= tiles * TILE * TILE: their product has at most
 *   GROUPS_WANTED * TILE * TILE;
 * - pieces <= k / PIECE_LEAST, which is at most that of the largest k. */
size_t asy__product_room(size_t m, size_t n, size_t k)
{
    size_t most = (size_t)GROUPS_WANTED * TILE * TILE, pieces = k / PIECE_LEAST, all;

    if (pieces < 2)
        return 0;
    if (__builtin_mul_overflow(m, n, &all) || __builtin_mul_overflow(all, pieces, &all))
        return most;
    return all < most ? all : most;
}

static enum asy__kernel_id kernel_of(const struct plan *plan, const struct asy__product *p)
{
    static const enum asy__kernel_id kernels[2][2][2] = {
        { { ASY__K_product_nn, ASY__K_product_nt }, { ASY__K_product_tn, ASY__K_product_tt } },
        { { ASY__K_product_large_nn, ASY__K_product_large_nt },
          { ASY__K_product_large_tn, ASY__K_product_large_tt } },
    };

    return kernels[plan->tile == TILE_LARGE][p->t_a != 0][p->t_b != 0];
}

static int tiles(struct asy_device *device, const struct asy__product *p, struct asy__mem *parts,
                 size_t n_parts, struct asy_error *err)
{
    struct plan plan = plan_of(p->m, p->n, p->k);
    int cut = plan.pieces > 1, rc;
    const struct asy__arg args[] = {
        ARG_AT(p->a, p->a_at), ARG_U64(p->lda),
        ARG_AT(p->b, p->b_at), ARG_U64(p->ldb),
        ARG_AT(cut ? parts : p->c, cut ? 0 : p->c_at), ARG_U64(cut ? p->n : p->ldc),
        ARG_U32(p->m), ARG_U32(p->n), ARG_U32(p->k), ARG_U32(plan.piece),
        ARG_U32(!cut && p->adds),
    };

    ASY_ASSERT(asy__product_parts(p->m, p->n, p->k) <= n_parts, "%zu x %zu x %zu in %zu", p->m,
               p->n, p->k, n_parts);
    rc = asy__device_launch(device, kernel_of(&plan, p), plan.rows, plan.cols, plan.pieces, args,
                            ASY_ARRAY_LEN(args), err);
    if (rc || !cut)
        return rc;
    return ASY__LAUNCH(device, err, product_total, asy__groups(p->m * p->n, 256), 1, 1,
                       ARG_MEM(parts), ARG_U32(plan.pieces), ARG_AT(p->c, p->c_at),
                       ARG_U64(p->ldc), ARG_U32(p->n), ARG_U64(p->m * p->n),
                       ARG_U32(p->adds != 0));
}

int asy__device_product(struct asy_device *device, const struct asy__product *product,
                        struct asy__mem *parts, size_t n_parts, struct asy_error *err)
{
    int done = 0, rc;

    if (product->m == 0 || product->n == 0)
        return 0;
    if ((rc = asy__device_library_product(device, product, &done, err)) || done)
        return rc;
    return tiles(device, product, parts, n_parts, err);
}
