/* SPDX-License-Identifier: Apache-2.0
 * conv_sparse_avx2.c - tiles over lists: twelve sums of sixteen registers. */
#include "lanes_avx2.h"

#define SPARSE asy__sparse_avx2
#define SUMS 12
#include "conv_sparse_impl.h"
