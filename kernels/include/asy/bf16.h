/* SPDX-License-Identifier: Apache-2.0
 * asy/bf16.h - products whose operands are rounded to bfloat16 where they enter, and summed in
 * single precision: what mixed precision makes of a dense layer.
 *
 * Rounding is to the nearest, ties to even; numbers too small to be normal count as zero (sums,
 * too, but in the stand-in), NaN stays NaN. The AMX unit computes them where the processor has it
 * and the system lets it be used, the dot product of AVX512_BF16 on AMD's processors; elsewhere the
 * operands are rounded and asy_gemm() does the rest, which costs more than not rounding.
 *
 * Bits: each entry of c is a sum over k in one order, which each of the three chooses differently.
 * A row's result does not depend on how many rows stand beside it, in any of them.
 *
 * Threads: any, each with room of its own; a call runs on the calling thread alone. */
#ifndef ASY_BF16_H
#define ASY_BF16_H
#include <asy/gemm.h>

/* Floats that a product needs beside its operands, aligned to 64 bytes; what is in them does not
 * matter before and after. */
#define ASY_BF16_ROOM (ASY_GEMM_ROOM + 208896)

/* As asy_gemm() (asy/gemm.h). asy_kernels_init() comes first. */
void asy_bf16_gemm(const struct asy_gemm *shape, const float *a, const float *b, float *c,
                   float *room);
void asy_bf16_gemm_ref(const struct asy_gemm *shape, const float *a, const float *b, float *c);
/* "amx", "avx512", or "rounded". */
const char *asy_bf16_name(void);

/* The products of a dense layer, as asy_dense() and its like have them (asy/kernels.h). */
void asy_bf16_dense(size_t rows, size_t in, size_t out, const float *x, const float *w, float *y,
                    float *room);
void asy_bf16_dense_ref(size_t rows, size_t in, size_t out, const float *x, const float *w,
                        float *y);
void asy_bf16_dense_dx(size_t rows, size_t in, size_t out, const float *dy, const float *w,
                       float *dx, float *room);
void asy_bf16_dense_dx_ref(size_t rows, size_t in, size_t out, const float *dy, const float *w,
                           float *dx);
void asy_bf16_dense_dw(size_t rows, size_t in, size_t out, const float *dy, const float *x,
                       float *dw, float *room);
void asy_bf16_dense_dw_ref(size_t rows, size_t in, size_t out, const float *dy, const float *x,
                           float *dw);
#endif
