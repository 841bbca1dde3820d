/* SPDX-License-Identifier: Apache-2.0
 * product.c - matrix products on devices: by the maker's library where the driver has one and takes
 * the product, else by source/product.clc.
 *
 * A product with few tiles and a long k (the gradient of weights over many rows) is cut along k, so
 * that there is work for all units. How often depends on its sizes alone: bits are the same on
 * devices with more or fewer units. */
#include "frame.h"

#define TILE 64
#define GROUPS_WANTED 256
#define PIECE_LEAST 256 /* of k: less is not worth a pass over the parts */

/* Into how many pieces of how much k. */
static size_t pieces_of(size_t m, size_t n, size_t k, size_t *ret_piece)
{
    size_t tiles = asy__groups(m, TILE) * asy__groups(n, TILE);
    size_t pieces = tiles == 0 || tiles >= GROUPS_WANTED ? 1 : GROUPS_WANTED / tiles;

    if (pieces > k / PIECE_LEAST)
        pieces = k / PIECE_LEAST;
    if (pieces <= 1) {
        *ret_piece = k;
        return 1;
    }
    *ret_piece = asy__groups(asy__groups(k, pieces), 16) * 16;
    return asy__groups(k, *ret_piece);
}

size_t asy__product_room(size_t m, size_t n, size_t k)
{
    size_t piece, pieces = pieces_of(m, n, k, &piece);

    return pieces == 1 ? 0 : pieces * m * n;
}

static int tiles(struct asy_device *device, const struct asy__product *p, struct asy__mem *parts,
                 struct asy_error *err)
{
    static const enum asy__kernel_id kernels[2][2] = { { ASY__K_product_nn, ASY__K_product_nt },
                                                       { ASY__K_product_tn, ASY__K_product_tt } };
    size_t piece, pieces = pieces_of(p->m, p->n, p->k, &piece);
    int cut = pieces > 1, rc;
    const struct asy__arg args[] = {
        ARG_AT(p->a, p->a_at), ARG_U64(p->lda),
        ARG_AT(p->b, p->b_at), ARG_U64(p->ldb),
        ARG_AT(cut ? parts : p->c, cut ? 0 : p->c_at), ARG_U64(cut ? p->n : p->ldc),
        ARG_U32(p->m), ARG_U32(p->n), ARG_U32(p->k), ARG_U32(piece), ARG_U32(!cut && p->adds),
    };

    rc = asy__device_launch(device, kernels[p->t_a != 0][p->t_b != 0], asy__groups(p->m, TILE),
                            asy__groups(p->n, TILE), pieces, args, ASY_ARRAY_LEN(args), err);
    if (rc || !cut)
        return rc;
    return ASY__LAUNCH(device, err, product_total, asy__groups(p->m * p->n, 256), 1, 1,
                       ARG_MEM(parts), ARG_U32(pieces), ARG_AT(p->c, p->c_at), ARG_U64(p->ldc),
                       ARG_U32(p->n), ARG_U64(p->m * p->n), ARG_U32(p->adds));
}

int asy__device_product(struct asy_device *device, const struct asy__product *product,
                        struct asy__mem *parts, struct asy_error *err)
{
    int done = 0, rc;

    if (product->m == 0 || product->n == 0)
        return 0;
    if ((rc = asy__device_library_product(device, product, &done, err)) || done)
        return rc;
    return tiles(device, product, parts, err);
}
