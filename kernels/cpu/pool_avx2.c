/* SPDX-License-Identifier: Apache-2.0
 * pool_avx2.c - the pooling kernels, compiled for AVX2. */
#define POOL asy__pool_avx2
#define POOL_NAME "avx2"
#define GROUP 8
#include "pool_impl.h"
