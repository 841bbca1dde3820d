/* SPDX-License-Identifier: Apache-2.0
 * batch_norm_avx2.c - the kernels of batch normalisation, compiled for AVX2. */
#define BATCH asy__batch_avx2
#define BATCH_NAME "avx2"
#include "batch_norm_impl.h"
