/* SPDX-License-Identifier: Apache-2.0
 * asy/shuffle.h - a random order of 0 .. n - 1 that is computed place by place and stored nowhere:
 * who wants a part of it works that part out, with the same result on every machine.
 *
 * A Feistel network over the next power of two, walked on along its cycle until it comes back
 * below n: Black and Rogaway, "Ciphers with Arbitrary Finite Domains" (CT-RSA 2002), section 3;
 * Mitchell, Stokes, Frank and Holmes, "Bandwidth-Optimal Random Shuffling for GPUs" (ACM TOPC 9(1),
 * 2022), who shuffle by it. Not every order of many rows can come of 1024 bits of keys; each place
 * gets each row as often as another.
 *
 * Threads: any, read-only after init. */
#ifndef ASY_SHUFFLE_H
#define ASY_SHUFFLE_H
#include <asy/base.h>

#define ASY_SHUFFLE_ROUNDS 8
#define ASY_SHUFFLE_MAX (UINT64_C(1) << 32)

struct asy_shuffle {
    uint64_t n;
    unsigned high, low; /* bits of the halves */
    uint64_t factor[ASY_SHUFFLE_ROUNDS], shift[ASY_SHUFFLE_ROUNDS];
};
/* The order of number (as an epoch) under a seed; n: 1 .. ASY_SHUFFLE_MAX. */
void asy_shuffle_init(struct asy_shuffle *shuffle, uint64_t n, uint64_t seed, uint64_t number);
/* ret [count] = what stands at places from .. from + count - 1, which are below n. */
void asy_shuffle_get(const struct asy_shuffle *shuffle, uint64_t from, size_t count,
                     uint32_t *ret);
#endif
