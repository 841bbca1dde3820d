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
#define ASY_GEMM_ROOM ((size_t)131584)

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
#endif
