/* SPDX-License-Identifier: Apache-2.0
 * dense.h - the BLAS of this node. */
#ifndef ASY_DENSE_H
#define ASY_DENSE_H
#include <asy/kernels.h>

/* Holds BLAS to one thread and writes its name, version and core type. */
void asy__blas_init(char *ret_name, size_t size);
const struct asy_blas *asy__blas_get(void);
#endif
