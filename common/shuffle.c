/* SPDX-License-Identifier: Apache-2.0
 * shuffle.c - see asy/shuffle.h.
 *
 * Halves have 16 bits at most, for which a multiplication a round is enough, by numbers that Philox
 * makes once. A domain of 2^8 at least gives few rows many orders; it is walked through quickly all
 * the same, since there are so few.
 *
 * An order drawn by swaps (Fisher and Yates) was rejected: it has to be stored, by every rank for
 * all rows, and nobody can begin in its middle. */
#include <asy/rng.h>
#include <asy/shuffle.h>

#define BITS_MIN 8

void asy_shuffle_init(struct asy_shuffle *shuffle, uint64_t n, uint64_t seed, uint64_t number)
{
    unsigned bits = BITS_MIN;
    struct asy_rng rng;

    ASY_ASSERT(n > 0 && n <= ASY_SHUFFLE_MAX, "%llu rows", (unsigned long long)n);
    while (UINT64_C(1) << bits < n)
        bits++;
    *shuffle = (struct asy_shuffle){ .n = n, .high = bits - bits / 2, .low = bits / 2 };
    asy_rng_init(&rng, seed, number, ASY_RNG_SHUFFLE);
    for (size_t i = 0; i < ASY_SHUFFLE_ROUNDS; i++) {
        shuffle->factor[i] = asy_rng_u64(&rng);
        shuffle->shift[i] = asy_rng_u64(&rng);
    }
}

/* Dietzfelbinger 1996, "Universal hashing and k-wise independent random variables via integer
 * arithmetic without primes": the top bits of a random line. */
static uint32_t hash(const struct asy_shuffle *shuffle, size_t i, uint32_t half, unsigned bits)
{
    return (uint32_t)((shuffle->factor[i] * half + shuffle->shift[i]) >> (64 - bits));
}

/* One way through the network: 0 .. 2^bits - 1, each once. */
static uint64_t pass(const struct asy_shuffle *shuffle, uint64_t x)
{
    uint32_t low = (uint32_t)x & ((1u << shuffle->low) - 1), high = (uint32_t)(x >> shuffle->low);

    for (size_t i = 0; i < ASY_SHUFFLE_ROUNDS; i += 2) {
        high ^= hash(shuffle, i, low, shuffle->high);
        low ^= hash(shuffle, i + 1, high, shuffle->low);
    }
    return (uint64_t)high << shuffle->low | low;
}

void asy_shuffle_get(const struct asy_shuffle *shuffle, uint64_t from, size_t count, uint32_t *ret)
{
    ASY_ASSERT(from <= shuffle->n && count <= shuffle->n - from, "%llu + %zu of %llu",
               (unsigned long long)from, count, (unsigned long long)shuffle->n);
    for (size_t i = 0; i < count; i++) {
        uint64_t x = from + i;

        do
            x = pass(shuffle, x);
        while (x >= shuffle->n);
        ret[i] = (uint32_t)x;
    }
}
