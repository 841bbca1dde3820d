/* SPDX-License-Identifier: Apache-2.0
 * fit_avx2.c - losses and updates, compiled for AVX2. */
#define FIT asy__fit_avx2
#define FIT_NAME "avx2"
#include "fit_impl.h"
