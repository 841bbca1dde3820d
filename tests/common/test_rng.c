/* SPDX-License-Identifier: Apache-2.0
 * test_rng.c - random numbers as a function of (seed, number, purpose, position). */
#include <asy/rng.h>
#include "asytest.h"

/* The known answers of Random123's kat_vectors for philox4x32 with 10 rounds. */
static void philox_gives_the_known_answers(void)
{
    static const struct { uint32_t counter[4], key[2], want[4]; } cases[] = {
        { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { ~0u, ~0u, ~0u, ~0u }, { ~0u, ~0u },
          { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 }, { 0xa4093822, 0x299f31d0 },
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        uint32_t out[4];

        asy_philox(cases[i].counter, cases[i].key, out);
        for (size_t k = 0; k < 4; k++)
            T_EQ("word", out[k], cases[i].want[k]);
    }
}

/* Stored sweeps depend on these very numbers. */
static void a_stream_never_changes(void)
{
    static const uint32_t want[] = { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 };
    struct asy_rng rng;

    asy_rng_init(&rng, 0, UINT64_C(7) << 56, ASY_RNG_SIM); /* the purpose cancels: stream 0 */
    for (size_t i = 0; i < ASY_ARRAY_LEN(want); i++)
        T_EQ("word", asy_rng_u32(&rng), want[i]);
    T_EQ("blocks", rng.counter, 1);
    asy_rng_init(&rng, 0, UINT64_C(7) << 56, ASY_RNG_SIM);
    T_TRUE(asy_rng_u64(&rng) == UINT64_C(0xe169c58d6627e8d5));
    T_NEAR("double", asy_rng_double(&rng), (double)(UINT64_C(0x9b00dbd8bc57ac4c) >> 11) * 0x1p-53,
           0);
}

static void streams_of_seed_number_and_purpose_differ(void)
{
    enum { SEEDS = 4, NUMBERS = 50, PURPOSES = 7, ALL = SEEDS * NUMBERS * PURPOSES };
    static uint64_t first[ALL];
    size_t n = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++)
        for (uint64_t number = 0; number < NUMBERS; number++)
            for (int purpose = 1; purpose <= PURPOSES; purpose++) {
                struct asy_rng rng;

                asy_rng_init(&rng, seed, number, (enum asy_rng_purpose)purpose);
                first[n] = asy_rng_u64(&rng);
                for (size_t i = 0; i < n; i++)
                    if (first[i] == first[n])
                        t__check(false, __LINE__, __FILE__, "streams %zu and %zu agree", i, n);
                n++;
            }
    T_EQ("streams", n, ALL);
}

static void a_copied_state_goes_on_alike(void)
{
    struct asy_rng a, b;

    for (int drawn = 0; drawn < 9; drawn++) {
        asy_rng_init(&a, 5, 6, ASY_RNG_SAMPLER);
        for (int i = 0; i < drawn; i++)
            asy_rng_u32(&a);
        b = a;
        for (int i = 0; i < 20; i++)
            T_TRUE(asy_rng_u32(&a) == asy_rng_u32(&b));
    }
}

/* Seeds are fixed: bounds of five standard deviations do not flicker. */
static void draws_have_their_distribution(void)
{
    enum { N = 200000 };
    double sum = 0, sum2 = 0, cube = 0, uniform = 0, low = 1, high = 0;
    size_t seen[7] = { 0 };
    struct asy_rng rng;

    asy_rng_init(&rng, 11, 12, ASY_RNG_INIT);
    for (int i = 0; i < N; i++) {
        double x = asy_rng_normal(&rng), u = asy_rng_double(&rng);

        if (!T_TRUE(isfinite(x) && u >= 0 && u < 1))
            return;
        sum += x;
        sum2 += x * x;
        cube += x * x * x;
        uniform += u;
        low = u < low ? u : low;
        high = u > high ? u : high;
        seen[asy_rng_below(&rng, 7)]++;
    }
    T_NEAR("mean", sum / N, 0, 5 / sqrt(N));
    T_NEAR("variance", sum2 / N, 1, 5 * sqrt(2) / sqrt(N));
    T_NEAR("skew", cube / N, 0, 5 * sqrt(15) / sqrt(N));
    T_NEAR("uniform mean", uniform / N, 0.5, 5 / sqrt(12 * N));
    T_TRUE(low < 1e-3 && high > 1 - 1e-3);
    for (size_t i = 0; i < 7; i++)
        T_NEAR("sevenths", (double)seen[i], N / 7.0, 5 * sqrt(N / 7.0));
}

static void below_has_no_bias_and_no_way_out(void)
{
    static const uint64_t limits[] = { 1, 2, 3, UINT64_C(1) << 63, (UINT64_C(1) << 63) + 1,
                                       UINT64_MAX };
    size_t upper = 0;
    struct asy_rng rng;

    asy_rng_init(&rng, 1, 1, ASY_RNG_SIM);
    for (size_t i = 0; i < ASY_ARRAY_LEN(limits); i++)
        for (int k = 0; k < 2000; k++) {
            uint64_t got = asy_rng_below(&rng, limits[i]);

            if (!T_TRUE(got < limits[i]))
                return;
            /* of 3 * 2^62 a draw modulo n would favour the lower third 2 to 1 */
            upper += asy_rng_below(&rng, UINT64_C(3) << 62) >= UINT64_C(2) << 62;
        }
    T_NEAR("upper third", (double)upper, 4000, 5 * sqrt(12000 * 2.0 / 9));
}

T_MAIN("rng", T_TEST(philox_gives_the_known_answers), T_TEST(a_stream_never_changes),
       T_TEST(streams_of_seed_number_and_purpose_differ), T_TEST(a_copied_state_goes_on_alike),
       T_TEST(draws_have_their_distribution), T_TEST(below_has_no_bias_and_no_way_out))
