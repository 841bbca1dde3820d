/* SPDX-License-Identifier: Apache-2.0
 * grow.h - arrays of a sampler's own, which grow as trials are told. */
#ifndef ASY_TUNER_GROW_H
#define ASY_TUNER_GROW_H
#include <stdlib.h>
#include <asy/error.h>

/* array: the address of a pointer to n elements or fewer, of `size` bytes each. ASY_E_NOMEM: it is
 * as it was. */
static inline int asy__grow(void *array, size_t n, size_t size)
{
    void **at = array, *more = realloc(*at, n * size);

    if (!more)
        return ASY_E_NOMEM;
    *at = more;
    return 0;
}
#endif
