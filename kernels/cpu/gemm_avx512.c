/* SPDX-License-Identifier: Apache-2.0
 * gemm_avx512.c - tiles of 14 rows and two vectors: 28 sums, two of b and one of a in 32
 * registers. */
#include "lanes_avx512.h"
#include "transpose_avx512.h"

#define GEMM asy__gemm_avx512
#define GEMM_NAME "avx512"
#define ROWS 14
#define FEW asy__gemm_few_avx512
#define FLAT asy__gemm_flat_avx512
#include "gemm_impl.h"
