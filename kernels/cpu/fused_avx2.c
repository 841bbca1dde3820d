/* SPDX-License-Identifier: Apache-2.0
 * fused_avx2.c - the fused kernels, compiled for AVX2. */
#define FUSED asy__fused_avx2
#define FUSED_NAME "avx2"
#include "fused_impl.h"
