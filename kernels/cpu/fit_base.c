/* SPDX-License-Identifier: Apache-2.0
 * fit_base.c - losses and updates for any CPU of the architecture. */
#define FIT asy__fit_base
#define FIT_NAME "base"
#include "fit_impl.h"
