/* SPDX-License-Identifier: Apache-2.0
 * conv_base.c - tiles of convolutions, as large as those of gemm_base.c. */
#include "lanes_base.h"

#define CONV asy__conv_base
#define GEMM asy__gemm_base
#define SPARSE asy__sparse_base
#define ROWS 4
#define BASES 1
#include "conv_impl.h"
