/* SPDX-License-Identifier: Apache-2.0
 * batch_norm_avx512.c - the kernels of batch normalisation, compiled for AVX-512. */
#define BATCH asy__batch_avx512
#define BATCH_NAME "avx512"
#include "batch_norm_impl.h"
