/* SPDX-License-Identifier: Apache-2.0
 * conv_sparse_base.c - tiles over lists, for any processor. */
#include "lanes_base.h"

#define SPARSE asy__sparse_base
#define SUMS 6
#include "conv_sparse_impl.h"
