/* SPDX-License-Identifier: Apache-2.0
 * permute.c - a Feistel network over the smallest even number of bits that holds n, walked until it
 * comes back below n (Black and Rogaway 2002, "Ciphers with arbitrary finite domains"), at most
 * four steps on average. Its round function is Philox. */
#include "permute.h"
#include <asy/rng.h>

#define ROUNDS 6

static uint64_t feistel(uint64_t i, unsigned half, uint64_t seed)
{
    const uint32_t key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };
    uint32_t mask = (uint32_t)(((uint64_t)1 << half) - 1), left = (uint32_t)(i >> half) & mask;
    uint32_t right = (uint32_t)i & mask;

    for (uint32_t round = 0; round < ROUNDS; round++) {
        const uint32_t counter[4] = { right, round, half, ASY_RNG_SAMPLER };
        uint32_t out[4], held = right;

        asy_philox(counter, key, out);
        right = (left ^ out[0]) & mask;
        left = held;
    }
    return (uint64_t)left << half | right;
}

uint64_t asy__permute(uint64_t i, uint64_t n, uint64_t seed)
{
    unsigned half = 1;

    while (half < 31 && (uint64_t)1 << 2 * half < n)
        half++;
    do
        i = feistel(i, half, seed);
    while (i >= n);
    return i;
}
