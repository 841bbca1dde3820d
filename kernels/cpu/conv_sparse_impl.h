/* SPDX-License-Identifier: Apache-2.0
 * conv_sparse_impl.h - tiles over lists of what is not 0, compiled once per instruction set.
 *
 * A tile's sums stay in registers while a list is gone through: one number spread over a vector,
 * and for each sum a vector that is read where it lies.
 *
 * The includer defines SPARSE (the table's name) and SUMS (6, 12 or 28: what registers hold), and
 * includes the lanes; with OWN_PICK it has a pick() of its own. */
#include "conv_sparse.h"

/* (as in conv_impl.h) */
#define ALWAYS static inline __attribute__((always_inline, no_sanitize("undefined")))

ALWAYS void go_through(const int rows, const int vectors, const struct asy__sparse_tile *tile)
{
    vec sums[ASY__SPARSE_ROWS][ASY__SPARSE_VECTORS];
    const size_t b_row = tile->b_row, c_row = tile->c_row, last = (size_t)(vectors - 1) * LANES;
    mask tail = mask_of(tile->tail);
    size_t e = tile->begin;

    for (size_t l = 0; l < tile->lists; l++) {
        size_t end = tile->end[(l + 1) * tile->slots - 1];
        float *c = tile->c + tile->to[l];

        if (e == end)
            continue;
#pragma GCC unroll 5
        for (int r = 0; r < rows; r++, c += c_row) {
#pragma GCC unroll 6
            for (int j = 0; j < vectors - 1; j++)
                sums[r][j] = load(c + (size_t)j * LANES);
            sums[r][vectors - 1] = load_part(c + last, tail);
        }
        for (; e < end; e++) {
            const float *b = tile->b + tile->at[e];
            vec v = spread(tile->v + e);

#pragma GCC unroll 5
            for (int r = 0; r < rows; r++, b += b_row) {
#pragma GCC unroll 6
                for (int j = 0; j < vectors - 1; j++)
                    sums[r][j] = fma(v, load(b + (size_t)j * LANES), sums[r][j]);
                sums[r][vectors - 1] = fma(v, load_part(b + last, tail), sums[r][vectors - 1]);
            }
        }
        c = tile->c + tile->to[l];
#pragma GCC unroll 5
        for (int r = 0; r < rows; r++, c += c_row) {
#pragma GCC unroll 6
            for (int j = 0; j < vectors - 1; j++)
                store(c + (size_t)j * LANES, sums[r][j]);
            store_part(c + last, tail, sums[r][vectors - 1]);
        }
    }
}

#ifndef OWN_PICK
/* Every place is written, and counts if it is one: a branch would be guessed wrong too often. */
static size_t pick(const struct asy__pick *p, size_t n, float *v, uint32_t *at, uint32_t *ret_end)
{
    for (size_t i = 0; i < p->n_slots; i++) {
        const struct asy__slots *s = &p->slots[i];

        for (size_t k = 0; k < 16; k++) {
            size_t from = s->from + (size_t)s->off[k];
            uint32_t tap = (uint32_t)(p->which[from] - p->first - s->first[k]);

            v[n] = p->v[from];
            at[n] = p->at + s->at[k] + tap * p->tap;
            n += (tap < p->taps) & (v[n] != 0);
        }
        ret_end[i] = (uint32_t)n;
    }
    return n;
}
#endif

#define TILE(rows, vectors)                                                                        \
    static void tile_##rows##_##vectors(const struct asy__sparse_tile *tile)                       \
    {                                                                                              \
        go_through(rows, vectors, tile);                                                           \
    }
#define AT(rows, vectors) [(rows) - 1][(vectors) - 1] = tile_##rows##_##vectors
#define UP_TO_6(X) X(1, 1) X(1, 2) X(1, 3) X(1, 4) X(1, 5) X(1, 6) X(2, 1) X(2, 2) X(2, 3)         \
    X(3, 1) X(3, 2) X(4, 1) X(5, 1)
#define UP_TO_12(X) X(2, 4) X(2, 5) X(2, 6) X(3, 3) X(3, 4) X(4, 2) X(4, 3) X(5, 2)
#define UP_TO_28(X) X(3, 5) X(3, 6) X(4, 4) X(4, 5) X(4, 6) X(5, 3) X(5, 4) X(5, 5)
#define ENTRY(rows, vectors) AT(rows, vectors),

UP_TO_6(TILE)
#if SUMS > 6
UP_TO_12(TILE)
#endif
#if SUMS > 12
UP_TO_28(TILE)
#endif

const struct asy__sparse SPARSE = {
    .sums = SUMS,
    .tiles = {
        UP_TO_6(ENTRY)
#if SUMS > 6
        UP_TO_12(ENTRY)
#endif
#if SUMS > 12
        UP_TO_28(ENTRY)
#endif
    },
    .pick = pick,
};
