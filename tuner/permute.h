/* SPDX-License-Identifier: Apache-2.0
 * permute.h - a random permutation of 0 .. n - 1 that maps one index at a time. */
#ifndef ASY_TUNER_PERMUTE_H
#define ASY_TUNER_PERMUTE_H
#include <asy/base.h>

/* The image of i < n under the permutation of this seed. n <= 2^62. */
uint64_t asy__permute(uint64_t i, uint64_t n, uint64_t seed);
#endif
