/* SPDX-License-Identifier: Apache-2.0
 * fused_base.c - the fused kernels for any CPU of the architecture. */
#define FUSED asy__fused_base
#define FUSED_NAME "base"
#include "fused_impl.h"
