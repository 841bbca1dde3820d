/* SPDX-License-Identifier: Apache-2.0
 * ahead.h - rows of data that are copied soon, from places all over memory. */
#ifndef ASY_DATA_AHEAD_H
#define ASY_DATA_AHEAD_H
#include <stddef.h>

#define ASY__ROWS_AHEAD ((size_t)2) /* how many are on their way while one is copied */

/* Asks for where a row of `width` numbers begins; what follows, the processor fetches ahead by
 * itself. */
static inline void asy__row_ahead(const float *row, size_t width)
{
    const size_t line = 16, most = 16 * line;

    for (size_t j = 0; j < width && j < most; j += line)
        __builtin_prefetch(row + j);
}
#endif
