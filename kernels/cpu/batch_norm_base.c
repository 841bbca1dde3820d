/* SPDX-License-Identifier: Apache-2.0
 * batch_norm_base.c - the kernels of batch normalisation, for any processor. */
#define BATCH asy__batch_base
#define BATCH_NAME "base"
#include "batch_norm_impl.h"
