/* SPDX-License-Identifier: Apache-2.0
 * vec_avx2.c - the inner loops compiled for AVX2. */
#define VEC asy__vec_avx2
#define VEC_NAME "avx2"
#define VEC_LANES 4
#include "vec_impl.h"
