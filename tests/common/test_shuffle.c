/* SPDX-License-Identifier: Apache-2.0
 * Orders that are computed: each is one, they are uniform, and none changes ever. */
#include <asy/shuffle.h>
#include <stdlib.h>
#include <string.h>
#include "asytest.h"

static void every_row_has_one_place(void)
{
    static uint8_t seen[70000];
    static uint32_t order[70000];
    static const uint64_t large[] = { 511, 512, 513, 4095, 4096, 4097, 65535, 65536, 65537, 70000 };

    for (uint64_t k = 1; k <= 300 + ASY_ARRAY_LEN(large); k++) {
        uint64_t n = k <= 300 ? k : large[k - 301], wrong = 0;
        struct asy_shuffle shuffle;

        asy_shuffle_init(&shuffle, n, 7, k);
        asy_shuffle_get(&shuffle, 0, n, order);
        memset(seen, 0, sizeof seen);
        for (uint64_t i = 0; i < n; i++)
            if (order[i] >= n || seen[order[i]]++)
                wrong++;
        if (!T_EQ("wrong", wrong, 0))
            printf("    of %llu rows\n", (unsigned long long)n);
    }
}

/* Also at the end of what there can be. */
static void a_part_is_that_of_the_whole(void)
{
    static uint32_t order[1000], part[1000];
    struct asy_shuffle shuffle;
    uint32_t last[2], one;

    asy_shuffle_init(&shuffle, 1000, 1, 2);
    asy_shuffle_get(&shuffle, 0, 1000, order);
    for (size_t from = 0; from <= 1000; from += 37) {
        size_t n = 1000 - from < 37 ? 1000 - from : 37;

        asy_shuffle_get(&shuffle, from, n, part);
        T_EQ("part", memcmp(part, order + from, n * sizeof *part), 0);
    }
    asy_shuffle_init(&shuffle, ASY_SHUFFLE_MAX, 1, 2);
    asy_shuffle_get(&shuffle, ASY_SHUFFLE_MAX - 2, 2, last);
    asy_shuffle_get(&shuffle, ASY_SHUFFLE_MAX - 1, 1, &one);
    T_EQ("the last", last[1], one);
    T_TRUE(last[0] != last[1]);
}

/* Resumed trials depend on these very numbers. */
static void an_order_never_changes(void)
{
    static const uint32_t want[] = { 850307, 997544, 597445, 998975 };
    struct asy_shuffle shuffle;
    uint32_t got[ASY_ARRAY_LEN(want)];

    asy_shuffle_init(&shuffle, 1000000, 12345, 3);
    asy_shuffle_get(&shuffle, 500000, ASY_ARRAY_LEN(want), got);
    for (size_t i = 0; i < ASY_ARRAY_LEN(want); i++)
        T_EQ("row", got[i], want[i]);
}

static double chi_square(const uint32_t *counts, size_t n, double expected)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += ((double)counts[i] - expected) * ((double)counts[i] - expected) / expected;
    return sum;
}

/* k + 5 sqrt(2 k) of chi-square's k degrees of freedom: beyond it is one in millions. The keys are
 * fixed, so the outcome is, too. */
static void check(const char *name, double chi, double freedom)
{
    t__check(chi < freedom + 5 * sqrt(2 * freedom), __LINE__, __FILE__,
             "%s: chi-square is %g of %g degrees of freedom", name, chi, freedom);
}

static void each_place_gets_each_row_equally_often(void)
{
    static const uint64_t sizes[] = { 2, 3, 5, 17, 64, 100, 129 };
    static uint32_t counts[129 * 129], order[129];

    for (size_t k = 0; k < ASY_ARRAY_LEN(sizes); k++) {
        uint64_t n = sizes[k], orders = 2000 + 20 * n;

        memset(counts, 0, sizeof counts);
        for (uint64_t epoch = 0; epoch < orders; epoch++) {
            struct asy_shuffle shuffle;

            asy_shuffle_init(&shuffle, n, 99, epoch);
            asy_shuffle_get(&shuffle, 0, n, order);
            for (uint64_t i = 0; i < n; i++)
                counts[i * n + order[i]]++;
        }
        check("places", chi_square(counts, n * n, (double)orders / (double)n),
              (double)((n - 1) * (n - 1)));
    }
}

/* What follows a row is no more often the next one, nor any other. */
static void neighbours_are_separated(void)
{
    enum { N = 101, ORDERS = 2000 };
    static uint32_t distances[N], order[N];

    for (uint64_t epoch = 0; epoch < ORDERS; epoch++) {
        struct asy_shuffle shuffle;

        asy_shuffle_init(&shuffle, N, 5, epoch);
        asy_shuffle_get(&shuffle, 0, N, order);
        for (size_t i = 0; i + 1 < N; i++)
            distances[(order[i + 1] + N - order[i]) % N]++;
    }
    T_EQ("none follows itself", distances[0], 0);
    check("distances", chi_square(distances + 1, N - 1, (double)ORDERS), N - 2);
}

/* All 24 orders of four rows, and all 120 of five. */
static void few_rows_come_in_all_orders(void)
{
    for (uint64_t n = 4; n <= 5; n++) {
        static uint32_t counts[3125];
        uint32_t order[5], seen[120] = { 0 };
        size_t orders = n == 4 ? 24 : 120, n_seen = 0;

        memset(counts, 0, sizeof counts);
        for (uint64_t epoch = 0; epoch < 100 * orders; epoch++) {
            struct asy_shuffle shuffle;
            size_t code = 0;

            asy_shuffle_init(&shuffle, n, 3, epoch);
            asy_shuffle_get(&shuffle, 0, n, order);
            for (uint64_t i = 0; i < n; i++)
                code = 5 * code + order[i];
            counts[code]++;
        }
        for (size_t i = 0; i < ASY_ARRAY_LEN(counts); i++)
            if (counts[i] && n_seen < orders)
                seen[n_seen++] = counts[i];
        T_EQ("orders", n_seen, orders);
        check("orders", chi_square(seen, orders, 100), (double)orders - 1);
    }
}

static void seeds_and_epochs_have_orders_of_their_own(void)
{
    struct asy_shuffle a, b;
    uint32_t x[50], y[50];

    asy_shuffle_init(&a, 1000, 1, 1);
    asy_shuffle_get(&a, 0, 50, x);
    for (uint64_t i = 0; i < 2; i++) {
        asy_shuffle_init(&b, 1000, 1 + i, 2 - i);
        asy_shuffle_get(&b, 0, 50, y);
        T_TRUE(memcmp(x, y, sizeof x) != 0);
    }
}

T_MAIN("shuffle", T_TEST(every_row_has_one_place), T_TEST(a_part_is_that_of_the_whole),
       T_TEST(an_order_never_changes), T_TEST(each_place_gets_each_row_equally_often),
       T_TEST(neighbours_are_separated), T_TEST(few_rows_come_in_all_orders),
       T_TEST(seeds_and_epochs_have_orders_of_their_own))
