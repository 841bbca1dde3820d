/* SPDX-License-Identifier: Apache-2.0
 * pool_base.c - the pooling kernels, for any processor. */
#define POOL asy__pool_base
#define POOL_NAME "base"
#define GROUP 4
#include "pool_impl.h"
