/* SPDX-License-Identifier: Apache-2.0
 * conv_avx2.c - tiles of convolutions, as large as those of gemm_avx2.c. */
#include "lanes_avx2.h"

#define CONV asy__conv_avx2
#define GEMM asy__gemm_avx2
#define SPARSE asy__sparse_avx2
#define ROWS 6
#define BASES 2
#include "conv_impl.h"
