/* SPDX-License-Identifier: Apache-2.0
 * dense.h - the BLAS of this node. */
#ifndef ASY_DENSE_H
#define ASY_DENSE_H
#include <asy/gemm.h>
#include <asy/kernels.h>

/* Holds BLAS to one thread and writes its name, version and core type. */
void asy__blas_init(char *ret_name, size_t size);
const struct asy_blas *asy__blas_get(void);
/* asy_gemm() by BLAS, with m, n and k above 0. */
void asy__blas_gemm(const struct asy_gemm *shape, const float *a, const float *b, float *c);
#endif
