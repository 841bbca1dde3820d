/* SPDX-License-Identifier: Apache-2.0
 * vec_avx512.c - the inner loops compiled for AVX-512. */
#define VEC asy__vec_avx512
#define VEC_NAME "avx512"
#define VEC_LANES 8
#include "vec_impl.h"
