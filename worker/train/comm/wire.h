/* SPDX-License-Identifier: Apache-2.0
 * wire.h - numbers as they go between nodes: bfloat16, the upper half of a float.
 *
 * Threads: any. */
#ifndef ASY__WIRE_H
#define ASY__WIRE_H
#include <stddef.h>
#include <stdint.h>

/* to [n] = x [n], rounded to the nearest, ties to even. What is too large becomes infinite; a NaN
 * stays one. */
void asy__wire_pack(size_t n, const float *x, uint16_t *to);
/* to [n] = x [n], exactly. */
void asy__wire_unpack(size_t n, const uint16_t *x, float *to);
#endif
