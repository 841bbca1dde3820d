/* SPDX-License-Identifier: Apache-2.0
 * gemm_order.h - a product in terms of its roles (gemm.c), and the orders of its tiles. */
#ifndef ASY_CPU_GEMM_ORDER_H
#define ASY_CPU_GEMM_ORDER_H
#include "gemm.h"

#define ASY__K_BLOCK ((size_t)256) /* steps of k whose panel the first cache holds */
#define ASY__PANEL (ASY__TILE_VECTORS * ASY__LANES_MAX) /* floats across the widest */

/* op(a) op(b), or its transpose, in terms of the roles above. */
struct asy__product {
    const struct asy__gemm *isa;
    float *room;
    size_t m, n, k;
    const float *a, *b;
    size_t a_row, a_k;    /* a(i, k) = a[i a_row + k a_k] */
    size_t b_row;         /* of b as it is stored */
    int b_along_k;        /* b(k, j) = b[j b_row + k], else b[k b_row + j] */
    float *c;
    size_t c_row;
    int turned;           /* c(i, j) = c[j c_row + i], else c[i c_row + j] */
    int add;
    int near;             /* the operands lie so close together that packing them gains nothing */
};
/* Rows of a, cut into tiles as even as can be. */
struct asy__cut {
    size_t tiles, rows, longer; /* the first `longer` tiles have rows + 1 */
};

static inline size_t asy__smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* So many as even parts of at most `most` give. */
static inline size_t asy__part(size_t n, size_t most)
{
    size_t parts;

    if (n <= most)
        return n; /* (a division takes as long as a small tile) */
    parts = (n + most - 1) / most;
    return (n + parts - 1) / parts;
}

static inline struct asy__cut asy__cut_rows(size_t m, size_t most)
{
    size_t tiles;

    if (m <= most)
        return (struct asy__cut){ 1, m, 0 };
    tiles = (m + most - 1) / most;
    return (struct asy__cut){ tiles, m / tiles, m % tiles };
}

/* Panels of b side by side at the beginning of the room, columns from .. to and kc steps from k0:
 * each [kc][whole vectors], with zeros beyond the last column. all 0: the one that is not whole. */
void asy__pack_panels(const struct asy__product *p, size_t k0, size_t kc, size_t from, size_t to,
                      int all);
/* Whether strips are the faster order of a product that is not turned; and that order. */
int asy__product_in_strips(const struct asy__product *p);
void asy__product_strips(const struct asy__product *p);
#endif
