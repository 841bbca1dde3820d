/* SPDX-License-Identifier: Apache-2.0
 * test_order.c - the counting order of a rung, and the map, against plain arrays. */
#include "order.h"
#include "map.h"
#include <asy/rng.h>
#include "asytest.h"

enum { N = 400 };
struct plain {
    double value;
    uint64_t number;
    int waiting;
};

static int worse(double a, double b)
{
    return isnan(a) ? !isnan(b) : a > b;
}

static int before(const struct plain *a, const struct plain *b)
{
    if (worse(b->value, a->value) || worse(a->value, b->value))
        return worse(b->value, a->value);
    return a->number < b->number;
}

/* Compares every query with a scan of the entries. */
static void compare(const struct asy__order *order, const struct plain *entries, size_t n)
{
    const struct plain *best = NULL;
    uint64_t number = 0;
    size_t place = 0, want_place = 0;

    for (size_t i = 0; i < n; i++) {
        size_t better = 0, ahead = 0;

        if (entries[i].waiting && (!best || before(&entries[i], best)))
            best = &entries[i];
        for (size_t j = 0; j < n; j++) {
            better += worse(entries[i].value, entries[j].value);
            ahead += before(&entries[j], &entries[i]);
        }
        T_EQ("better", asy__order_better(order, entries[i].value), better);
        T_EQ("place", asy__order_place(order, entries[i].value, entries[i].number), ahead);
    }
    for (size_t j = 0; best && j < n; j++)
        want_place += before(&entries[j], best);
    T_EQ("found", asy__order_best_waiting(order, &number, &place), best != NULL);
    if (best) {
        T_EQ("number", number, best->number);
        T_EQ("place", place, want_place);
    }
}

static void order_matches_a_scan(void)
{
    static const double special[] = { NAN, INFINITY, -INFINITY, 0, 1, 1, 1 };
    struct asy__order order = { 0 };
    struct plain entries[N] = { { 0 } };
    struct asy_rng rng;

    asy_rng_init(&rng, 3, 1, ASY_RNG_SIM);
    compare(&order, entries, 0);
    for (size_t i = 0; i < N; i++) {
        size_t flip = (size_t)asy_rng_below(&rng, i + 1);

        entries[i].value = asy_rng_below(&rng, 2) ? special[asy_rng_below(&rng, 7)]
                                                  : asy_rng_double(&rng);
        entries[i].number = i * 37 % N; /* coprime: each once */
        entries[i].waiting = asy_rng_below(&rng, 2) != 0;
        if (!T_EQ("reserve", asy__order_reserve(&order), 0))
            break;
        asy__order_insert(&order, entries[i].value, entries[i].number, entries[i].waiting);
        entries[flip].waiting = !entries[flip].waiting;
        asy__order_set_waiting(&order, entries[flip].value, entries[flip].number,
                               entries[flip].waiting);
        if (i % 20 == 0 || i + 1 == N)
            compare(&order, entries, i + 1);
    }
    asy__order_fini(&order);
}

static void map_keeps_every_key(void)
{
    struct asy__map map = { 0 };

    T_TRUE(asy__map_get(&map, 7) == ASY__MAP_NONE);
    for (uint32_t i = 0; i < 5000; i++) {
        uint64_t key = i % 2 ? i : (uint64_t)i << 40;

        if (!T_EQ("reserve", asy__map_reserve(&map), 0))
            break;
        asy__map_put(&map, key, i);
        asy__map_put(&map, key, i + 1); /* replaces */
    }
    T_EQ("len", map.len, 5000);
    for (uint32_t i = 0; i < 5000; i++)
        T_EQ("value", asy__map_get(&map, i % 2 ? i : (uint64_t)i << 40), i + 1);
    T_TRUE(asy__map_get(&map, 2) == ASY__MAP_NONE);
    asy__map_fini(&map);
}

T_MAIN("order", T_TEST(order_matches_a_scan), T_TEST(map_keeps_every_key))
