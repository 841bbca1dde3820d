/* SPDX-License-Identifier: Apache-2.0
 * dropout_impl.h - dropout, compiled once per instruction set: sixteen blocks of Philox side by
 * side (asy/kernels.h says which bits are whose), for 128 numbers at once.
 *
 * A mask that is stored was rejected: it would cost memory traffic twice, and no random number here
 * depends on another. */
#include <asy/rng.h>

#define DROP_LANES 16
#define DROP_GROUP (8 * DROP_LANES)

/* c [4][lanes]: counters in, words out, as asy_philox(). */
static void philox_lanes(uint32_t c[4][DROP_LANES], uint32_t k0, uint32_t k1)
{
    for (int round = 0; round < 10; round++) {
        for (int l = 0; l < DROP_LANES; l++) {
            uint64_t p0 = (uint64_t)0xd2511f53 * c[0][l], p1 = (uint64_t)0xcd9e8d57 * c[2][l];

            c[0][l] = (uint32_t)(p1 >> 32) ^ c[1][l] ^ k0;
            c[1][l] = (uint32_t)p1;
            c[2][l] = (uint32_t)(p0 >> 32) ^ c[3][l] ^ k1;
            c[3][l] = (uint32_t)p0;
        }
        k0 += 0x9e3779b9;
        k1 += 0xbb67ae85;
    }
}

/* factors [DROP_GROUP] of the numbers of a group: 0 or keep. */
static void drop_factors(const struct asy_dropout *how, uint64_t group, uint32_t below, float keep,
                         float *restrict factors)
{
    uint64_t block = DROP_LANES * group;
    uint32_t c[4][DROP_LANES];

    for (uint32_t l = 0; l < DROP_LANES; l++) {
        c[0][l] = (uint32_t)block + l; /* block is a multiple of 16: no carry */
        c[1][l] = (uint32_t)(block >> 32);
        c[2][l] = how->step;
        c[3][l] = how->layer ^ (uint32_t)ASY_RNG_DROPOUT << 24;
    }
    philox_lanes(c, (uint32_t)how->seed, (uint32_t)(how->seed >> 32));
    for (int w = 0; w < 4; w++)
        for (int l = 0; l < DROP_LANES; l++) {
            factors[2 * w * DROP_LANES + l] = (c[w][l] & 0xffff) < below ? 0 : keep;
            factors[(2 * w + 1) * DROP_LANES + l] = c[w][l] >> 16 < below ? 0 : keep;
        }
}

/* A number that is dropped is 0 even where x is none. */
static void drop(size_t n, const float *restrict factors, float *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = factors[i] == 0 ? 0 : y[i] * factors[i];
}

/* The factors of the group that was last asked for: ranges that follow each other share some. */
struct dropper {
    const struct asy_dropout *how;
    uint64_t group; /* UINT64_MAX: none yet */
    float factors[DROP_GROUP];
};

static uint32_t drop_below(const struct asy_dropout *how)
{
    return (uint32_t)(how->rate * 65536 + 0.5f);
}

static float drop_keep(const struct asy_dropout *how)
{
    return 65536 / (65536 - (float)drop_below(how));
}

/* y [n], numbers first and later, in place. */
static void drop_range(struct dropper *d, uint64_t first, size_t n, float *y)
{
    uint32_t below = drop_below(d->how);
    float keep = drop_keep(d->how);

    for (size_t i = 0; i < n;) {
        uint64_t group = (first + i) / DROP_GROUP;
        size_t skip = (size_t)((first + i) % DROP_GROUP), len = DROP_GROUP - skip;

        len = len < n - i ? len : n - i;
        if (group != d->group)
            drop_factors(d->how, group, below, keep, d->factors);
        d->group = group;
        drop(len, d->factors + skip, y + i);
        i += len;
    }
}

static void dropout(const struct asy_dropout *how, uint64_t first, size_t n, const float *x,
                    float *y)
{
    struct dropper d;

    d.how = how;
    d.group = UINT64_MAX;
    if (y != x)
        memcpy(y, x, n * sizeof *y);
    drop_range(&d, first, n, y);
}
