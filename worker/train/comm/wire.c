/* SPDX-License-Identifier: Apache-2.0
 * wire.c - see wire.h. Plain loops over bits, which compilers turn into vectors. */
#include "wire.h"
#include <string.h>

void asy__wire_pack(size_t n, const float *x, uint16_t *to)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits, up, nan;

        memcpy(&bits, &x[i], sizeof bits);
        up = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
        nan = bits >> 16 | 0x40; /* whose last bits may be all that makes it one */
        to[i] = (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? nan : up);
    }
}

void asy__wire_unpack(size_t n, const uint16_t *x, float *to)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = (uint32_t)x[i] << 16;

        memcpy(&to[i], &bits, sizeof bits);
    }
}
