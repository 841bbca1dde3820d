/* SPDX-License-Identifier: Apache-2.0
 * asy/gemm.h - the matrix product of training, in single precision, by kernels of our own.
 *
 * Bits: each entry of c is one chain of fused multiply-adds over k = 0, 1, ..., whatever the shape,
 * the neighbours and the instruction set. So a row's result does not depend on how many rows stand
 * beside it, and AVX-512, AVX2 and plain C agree to the bit (on processors without FMA that costs a
 * call of fmaf() for each product: right, and slow).
 *
 * Threads: any, each with room of its own; a call runs on the calling thread alone. */
#ifndef ASY_GEMM_H
#define ASY_GEMM_H
#include <asy/error.h>

/* Floats that a product needs beside its operands, aligned to 64 bytes; what is in them does not
 * matter before and after. */
#define ASY_GEMM_ROOM ((size_t)276992)

/* c [m][n] = op(a) op(b), or += if add, with op(a) [m][k] and op(b) [k][n]; row-major. trans != 0:
 * the operand is stored transposed. ld: floats from row to row as stored, at least a row's length.
 * k = 0 leaves zeros, or c as it was. c overlaps neither a nor b. asy_kernels_init() comes
 * first. */
struct asy_gemm {
    int trans_a, trans_b, add;
    size_t m, n, k, lda, ldb, ldc;
};
void asy_gemm(const struct asy_gemm *shape, const float *a, const float *b, float *c,
              float *room);
void asy_gemm_ref(const struct asy_gemm *shape, const float *a, const float *b, float *c);

/* Takes a block of a product as soon as its sums are whole, while they are in the first cache:
 * block [rows][cols], block_row floats from row to row, is c from row i and column j on. */
#define ASY_GEMM_NEAR 4
struct asy_gemm_taker {
    void (*take)(void *arg, size_t i, size_t j, size_t rows, size_t cols, const float *block,
                 size_t block_row);
    void *arg;
    /* Arrays laid out as c that take() reads or writes at the same places: they are fetched while
     * the block is computed. */
    const float *near[ASY_GEMM_NEAR];
    size_t n_near;
};
/* op(a) op(b) as asy_gemm() computes it, by blocks that go to the taker, each entry once, in no
 * order that is told. trans_a is 1, trans_b and add are 0. c is room of the result's size; what it
 * holds afterwards means nothing. */
void asy_gemm_taken(const struct asy_gemm *shape, const float *a, const float *b, float *c,
                    float *room, const struct asy_gemm_taker *taker);

/* Products of one shape but for k, whose sum is wanted. */
struct asy_gemm_part {
    const float *a, *b;
    size_t k;
};
#define ASY_GEMM_SUMMED ((size_t)1024) /* the most k of all parts */
/* The sum of the parts' op(a) op(b), each by itself as asy_gemm() with our own kernels computes it,
 * added up in their order, by blocks as above. shape: its k means nothing; of each part k > 0. */
void asy_gemm_summed(const struct asy_gemm *shape, size_t n_parts,
                     const struct asy_gemm_part *parts, float *room,
                     const struct asy_gemm_taker *taker);
#endif
