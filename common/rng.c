/* SPDX-License-Identifier: Apache-2.0
 * rng.c - Philox4x32-10 and what is drawn from it.
 *
 * The 128-bit counter of a block is (blocks drawn, stream): a stream has 2^64 blocks and streams
 * of one seed never overlap. A stream is the number with the purpose laid over its top byte, which
 * keeps apart all pairs whose number is below 2^56. */
#include <asy/rng.h>
#include <math.h>

#define PI 3.14159265358979323846

/* Salmon et al., section 3.3 and table 2: M0, M1 and the Weyl constants of the key schedule. */
void asy_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];

    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xd2511f53 * c0, p1 = (uint64_t)0xcd9e8d57 * c2;

        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9e3779b9;
        k1 += 0xbb67ae85;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

void asy_rng_init(struct asy_rng *rng, uint64_t seed, uint64_t number,
                  enum asy_rng_purpose purpose)
{
    uint64_t stream = number ^ (uint64_t)purpose << 56;

    *rng = (struct asy_rng){
        .key = { (uint32_t)seed, (uint32_t)(seed >> 32) },
        .stream = { (uint32_t)stream, (uint32_t)(stream >> 32) },
    };
}

uint32_t asy_rng_u32(struct asy_rng *rng)
{
    if (rng->left == 0) {
        const uint32_t counter[4] = { (uint32_t)rng->counter, (uint32_t)(rng->counter >> 32),
                                      rng->stream[0], rng->stream[1] };

        asy_philox(counter, rng->key, rng->block);
        rng->counter++;
        rng->left = 4;
    }
    return rng->block[4 - rng->left--];
}

uint64_t asy_rng_u64(struct asy_rng *rng)
{
    uint64_t low = asy_rng_u32(rng);

    return (uint64_t)asy_rng_u32(rng) << 32 | low;
}

double asy_rng_double(struct asy_rng *rng)
{
    return (double)(asy_rng_u64(rng) >> 11) * 0x1p-53;
}

/* Box and Muller 1958, the cosine branch alone: the sine branch would have to be stored and would
 * make the state more than a position in the stream. */
double asy_rng_normal(struct asy_rng *rng)
{
    double u = 1.0 - asy_rng_double(rng); /* (0, 1], so that the logarithm is finite */
    double v = asy_rng_double(rng);

    return sqrt(-2.0 * log(u)) * cos(2.0 * PI * v);
}

uint64_t asy_rng_below(struct asy_rng *rng, uint64_t n)
{
    uint64_t least, draw;

    ASY_ASSERT(n > 0);
    least = -n % n; /* 2^64 mod n: the draws below it would favour the small results */
    do
        draw = asy_rng_u64(rng);
    while (draw < least);
    return draw % n;
}
