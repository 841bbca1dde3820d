/* SPDX-License-Identifier: Apache-2.0
 * vec_base.c - the inner loops for any CPU of the architecture. */
#define VEC asy__vec_base
#define VEC_NAME "base"
#define VEC_LANES 2
#include "vec_impl.h"
