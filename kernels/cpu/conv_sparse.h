/* SPDX-License-Identifier: Apache-2.0
 * conv_sparse.h - gradients of a convolution from outputs of which max pooling took a few: what one
 * instruction set provides, and the passes (conv_sparse.c) that are put together from it. */
#ifndef ASY_CPU_CONV_SPARSE_H
#define ASY_CPU_CONV_SPARSE_H
#include <asy/conv.h>
#include <asy/pool.h>

#define ASY__SPARSE_ROWS 5    /* the most rows of a kernel that a tile has ... */
#define ASY__SPARSE_VECTORS 6 /* ... and vectors of each */
#define ASY__SPARSE_SLACK 16  /* entries that may be written behind a list */

struct asy__conv;

/* Some lists, and a place for the sums of each: c(r, j) += sums over a list's entries e, in their
 * order, of v[e] times b(r, j) at at[e]. */
struct asy__sparse_tile {
    const float *v;      /* of all lists, one after another */
    const uint32_t *at;  /* the same */
    size_t begin;        /* of the first list's entries */
    size_t lists, slots;
    const uint32_t *end; /* [lists][slots]: of the entries of each slots; the last is the list's */
    const uint32_t *to;  /* [lists]: its c is this much further on */
    const float *b;      /* b(r, j) at e = b[at[e] + r b_row + j] */
    float *c;            /* c(r, j) = c[to + r c_row + j] */
    size_t b_row, c_row;
    size_t tail;         /* lanes of the last vector that are there */
};
typedef void (*asy__sparse_f)(const struct asy__sparse_tile *tile);

/* Sixteen places that a list may be made of, in their order: the k-th is of number from + off[k] of
 * what is gone through, and counts if that number's `which` is one of `taps` from first[k] on; its
 * at is at[k], and `tap` more for each that it is further on. */
struct asy__slots {
    size_t from, n;     /* so many numbers from there on may be read, off[k] is less; 16 at most */
    int32_t off[16];
    int32_t first[16];  /* ASY__NO_SLOT: there is none */
    uint32_t at[16];
};
#define ASY__NO_SLOT 1024 /* beyond all places of a window */
struct asy__pick {
    const float *v;
    const int32_t *which;
    const struct asy__slots *slots;
    size_t n_slots;
    uint32_t taps, tap;
    int32_t first;        /* these come to each first and at */
    uint32_t at;
};

struct asy__sparse {
    size_t sums;          /* rows times vectors, the most of a tile */
    asy__sparse_f tiles[ASY__SPARSE_ROWS][ASY__SPARSE_VECTORS]; /* by rows - 1, vectors - 1 */
    /* Entries of the places whose v is not 0, behind the n that are there. How many there are then,
     * also after each slots (ret_end, [n_slots]); SLACK more may be written. */
    size_t (*pick)(const struct asy__pick *pick, size_t n, float *ret_v, uint32_t *ret_at,
                   uint32_t *ret_end);
};
extern const struct asy__sparse asy__sparse_base, asy__sparse_avx2, asy__sparse_avx512;

/* Whether the two passes below are for this: a question of the shape alone, as they leave out
 * products with 0, and so may miss that an operand is no number. */
int asy__sparse_fits(const struct asy_conv *conv, const struct asy_pool *pool);
size_t asy__sparse_room(const struct asy_conv *conv); /* floats, for any pooling */
/* asy_conv_pool_grad() */
void asy__sparse_grad(const struct asy__conv *isa, const struct asy_conv *conv,
                      const struct asy_pool *pool, size_t rows, int add, const float *dy,
                      const uint8_t *from, const float *x, const float *w, float *dw, float *dx,
                      float *room);
#endif
