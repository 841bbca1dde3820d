/* SPDX-License-Identifier: Apache-2.0
 * round.h - lengths in whole cache lines of floats. */
#ifndef ASY_ROUND_H
#define ASY_ROUND_H
#include <stddef.h>

static inline size_t asy__round16(size_t n)
{
    return (n + 15) / 16 * 16;
}
#endif
