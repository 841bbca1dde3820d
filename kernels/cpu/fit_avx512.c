/* SPDX-License-Identifier: Apache-2.0
 * fit_avx512.c - losses and updates, compiled for AVX-512. */
#define FIT asy__fit_avx512
#define FIT_NAME "avx512"
#include "fit_impl.h"
