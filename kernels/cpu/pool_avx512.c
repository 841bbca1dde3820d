/* SPDX-License-Identifier: Apache-2.0
 * pool_avx512.c - the pooling kernels, compiled for AVX-512. */
#define POOL asy__pool_avx512
#define POOL_NAME "avx512"
#define GROUP 16
#include "pool_impl.h"
