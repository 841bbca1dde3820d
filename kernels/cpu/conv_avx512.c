/* SPDX-License-Identifier: Apache-2.0
 * conv_avx512.c - tiles of convolutions, as large as those of gemm_avx512.c. */
#include "lanes_avx512.h"

#define CONV asy__conv_avx512
#define GEMM asy__gemm_avx512
#define SPARSE asy__sparse_avx512
#define POOLED asy__pooled_avx512
#define ROWS 14
#define BASES 5
#include "conv_impl.h"
