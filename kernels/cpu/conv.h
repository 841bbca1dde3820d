/* SPDX-License-Identifier: Apache-2.0
 * conv.h - what one instruction set provides for asy/conv.h: tiles that stay in registers. */
#ifndef ASY_CPU_CONV_H
#define ASY_CPU_CONV_H
#include <asy/conv.h>
#include "conv_pooled.h"
#include "conv_sparse.h"
#include "gemm.h"

#define ASY__BASES 5      /* the most rows of a kernel that a tile of dw spans ... */
#define ASY__BASE_ROWS 5  /* ... if it takes no more numbers than this of each */
#define ASY__DEPTH_BASES 3 /* the same of dw where channels have nothing to do with each other */

/* A stretch of a chain: steps that lie side by side in a, and in b row after row. */
struct asy__run {
    size_t a, b, steps;
};
/* A tile of outputs, or of dx: c(i, j) = start(j) + sums over the runs of a(i) times b(j); where
 * channels have nothing to do with each other, with one vector and a step to each run, a is of the
 * same channels: a(i, step, j) = a[i a_row + run.a + j], b(step, j) = b[run.b b_row + j]. */
struct asy__corr {
    const float *a;      /* a(i, step) = a[i a_row + run.a + step] */
    const float *b;      /* b(step, j) = b[(run.b + step) vectors lanes + j] */
    const float *start;  /* [vectors of lanes] */
    float *c;            /* c(i, j) = c[i c_row + j] */
    const struct asy__run *runs;
    size_t n_runs, a_row, b_row, c_row;
    size_t tail;         /* lanes of the last vector that are c's */
    int relu;            /* what is less than 0 becomes 0 */
};
/* A tile of dw: c(i, j) = or += sums over n images of y rows of x pixels of a(i) times b(j). It
 * has rows from each of some bases; a(i) of row r of base e is a[e][r + ...]. Where channels have
 * nothing to do with each other a, too, is a vector of them, a[e][r a_r + ... + j]. */
struct asy__outer {
    const float *a[ASY__BASES];
    float *c[ASY__BASES]; /* c(i, j) = c[e][r c_row + j] */
    const float *b;
    size_t n, y, x, a_n, a_y, a_x, b_n, b_y, b_x; /* how many; floats from one to the next */
    size_t a_r;
    size_t c_row, tail;
    int add;
};
typedef void (*asy__corr_f)(const struct asy__corr *tile);
typedef void (*asy__outer_f)(const struct asy__outer *tile);

struct asy__conv {
    const struct asy__gemm *gemm; /* of the same instruction set: its lanes, rows, copies */
    const struct asy__sparse *sparse;
    const struct asy__pooled *pooled; /* NULL: it has none */
    size_t bases;                 /* of a tile of dw, with ASY__BASE_ROWS rows and one vector */
    asy__corr_f corr[ASY__TILE_ROWS][ASY__TILE_VECTORS]; /* by rows - 1, vectors - 1 */
    asy__outer_f outer[ASY__TILE_ROWS][ASY__TILE_VECTORS];
    asy__outer_f spanning[ASY__BASES][ASY__BASE_ROWS]; /* by bases - 1, rows - 1 */
    /* Of channels that have nothing to do with each other, by rows - 1; by bases - 1, rows - 1. */
    asy__corr_f depth[ASY__TILE_ROWS];
    asy__outer_f depth_dw[ASY__DEPTH_BASES][ASY__BASE_ROWS];
};
extern const struct asy__conv asy__conv_base, asy__conv_avx2, asy__conv_avx512;
const struct asy__conv *asy__conv_get(void);

/* The calls of asy/conv.h with a set that this processor has. */
void asy__conv_run(const struct asy__conv *isa, const struct asy_conv *conv, enum asy_act act,
                   size_t rows, const float *x, const float *w, const float *bias, float *z,
                   float *y, float *room);
void asy__conv_run_dx(const struct asy__conv *isa, const struct asy_conv *conv, size_t rows,
                      const float *dy, const float *w, float *dx, float *room);
void asy__conv_run_dw(const struct asy__conv *isa, const struct asy_conv *conv, size_t rows,
                      int add, const float *dy, const float *x, float *dw, float *room);
void asy__conv_pool_run(const struct asy__conv *isa, const struct asy_conv *conv, size_t size,
                        size_t stride, enum asy_act act, size_t rows, const float *x,
                        const float *w, const float *bias, float *y, uint8_t *from, float *room);
void asy__conv_pool_run_grad(const struct asy__conv *isa, const struct asy_conv *conv,
                             size_t size, size_t stride, size_t rows, int add, const float *dy,
                             const uint8_t *from, const float *x, const float *w, float *dw,
                             float *dx, float *room);
#endif
