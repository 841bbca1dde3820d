/* SPDX-License-Identifier: Apache-2.0
 * test_patience.c - how long a silent link is waited for: as long as it takes, not much longer. */
#include <asy/error.h>
#include <patience.h>
#include "asytest.h"

/* A link that brings what is asked for after gap_ms, if it is let, and begins anew if not. Returns
 * how often it had to, for n pieces; small: after each comes something small at once. */
static int breaks(struct asy__patience *p, int64_t gap_ms, int n, int small)
{
    int64_t now_ms = 1000, began_ms = now_ms;
    int over = 0, came = 0;

    asy__patience_begin(p, now_ms);
    for (; came < n && over < 50; now_ms += 100) {
        if (now_ms - began_ms >= gap_ms) {
            asy__patience_heard(p, now_ms);
            if (small)
                asy__patience_heard(p, now_ms + 1);
            came++;
            began_ms = now_ms;
        } else if (asy__patience_over(p, now_ms)) {
            over++;
            began_ms = now_ms;
        }
    }
    return over;
}

static void a_slow_link_is_given_the_time_that_it_takes(void)
{
    static const struct { const char *name; int64_t gap_ms; int small, first, later; } cases[] = {
        { "fast", 100, 0, 0, 0 },
        { "just fast enough", 9900, 0, 0, 0 },
        { "13 s a chunk", 13000, 0, 1, 0 },
        { "30 s a chunk", 30000, 0, 2, 0 },
        { "30 s a chunk, and small ones between", 30000, 1, 2, 0 },
        { "two minutes", 120000, 1, 4, 0 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy__patience p = { 0 };

        T_EQ(cases[i].name, breaks(&p, cases[i].gap_ms, 20, cases[i].small), cases[i].first);
        T_EQ(cases[i].name, breaks(&p, cases[i].gap_ms, 20, cases[i].small), cases[i].later);
    }
}

static void a_dead_link_is_left_soon_and_again(void)
{
    struct asy__patience p = { 0 };
    int64_t at_ms[6], now_ms = 0, last_ms = 0;
    static const int64_t want_ms[] = { 10000, 20000, 40000, 80000, 160000, 160000 };

    asy__patience_begin(&p, 0);
    for (size_t n = 0; n < ASY_ARRAY_LEN(at_ms); now_ms += 100)
        if (asy__patience_over(&p, now_ms)) {
            at_ms[n] = now_ms - last_ms;
            last_ms = now_ms;
            T_EQ("not before", at_ms[n] > want_ms[n], 1);
            T_EQ("soon after", at_ms[n] <= want_ms[n] + 100, 1);
            n++;
        }
}

static void a_link_that_became_fast_is_one_again(void)
{
    struct asy__patience p = { 0 };

    T_EQ("slow", breaks(&p, 30000, 5, 0), 2);
    T_EQ("fast", breaks(&p, 100, 60, 0), 0);
    T_EQ("limit", p.limit_ms < ASY__PATIENCE_LEAST_MS + 1000, 1);
}

T_MAIN("patience", T_TEST(a_slow_link_is_given_the_time_that_it_takes),
       T_TEST(a_dead_link_is_left_soon_and_again), T_TEST(a_link_that_became_fast_is_one_again))
