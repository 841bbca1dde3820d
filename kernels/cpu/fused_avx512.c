/* SPDX-License-Identifier: Apache-2.0
 * fused_avx512.c - the fused kernels, compiled for AVX-512. */
#define FUSED asy__fused_avx512
#define FUSED_NAME "avx512"
#include "fused_impl.h"
