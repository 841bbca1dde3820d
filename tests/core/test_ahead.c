/* SPDX-License-Identifier: Apache-2.0
 * test_ahead.c - when points of a sampler that learns are drawn ahead, and how many. */
#include "core_impl.h"
#include "world.h"

#define WORKERS 64

static void depths_follow_what_was_measured(void)
{
    static const struct {
        const char *name;
        double ask_ms, gap_ms;
        uint64_t running, depth;
    } cases[] = {
        { "nothing is known yet", 0, 0, 256, 0 },
        { "the sampler is fast", 0.3, 4, 256, 0 },
        { "a worker would wait for a hundredth of its trial", 2.5, 4, 256, 16 },
        { "the sampler is behind", 6, 5, 256, 16 },
        { "trials are long", 5, 4000, 256, 0 },
        { "few run", 5, 5, 31, 0 },
        { "enough for two ahead", 5, 5, 32, 2 },
        { "very many run", 5, 5, 100000, 32 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy__ahead ahead = { .ask_ms = cases[i].ask_ms, .gap_ms = cases[i].gap_ms };

        T_EQ(cases[i].name, asy__ahead_depth(&ahead, cases[i].running), cases[i].depth);
    }
}

static void a_pause_is_no_measure(void)
{
    struct asy__ahead ahead = { 0 };
    double now = 1;

    for (size_t i = 0; i < 500; i++) {
        asy__ahead_asked(&ahead, 1, now);
        asy__ahead_answered(&ahead, now += 2);
        asy__ahead_taken(&ahead, now += 2);
    }
    T_TRUE(fabs(ahead.ask_ms - 2) < 0.01 && fabs(ahead.gap_ms - 4) < 0.01);
    asy__ahead_taken(&ahead, now += 3600e3);
    T_TRUE(ahead.gap_ms < 5);
    for (size_t i = 0; i < 300; i++) /* but slower trials are, after a while */
        asy__ahead_taken(&ahead, now += 1000);
    T_TRUE(ahead.gap_ms > 900);
}

/* Answers what it was asked, each after so many ms; returns the next trial to be answered. */
static uint64_t answer(struct world *w, struct asy_id study, uint64_t next, int64_t ms)
{
    while (next < w->n_asks && next < 200) {
        w->now += ms;
        world_asked(w, study, next++, 0.5, 0);
    }
    return next;
}

static void a_slow_sampler_of_many_workers_is_asked_ahead(void)
{
    struct world w;
    struct asy_id a;
    uint64_t next;

    if (!world_open(&w) || !world_start(&w))
        goto out;
    world_client(&w, CLIENT_PEER, OWNER);
    w.auto_ask = 0;
    w.needs_history = 1;
    a = world_submit(&w, CLIENT_PEER, OWNER, 1,
                     STUDY_HEAD("a") RUN(4, true) "budget: {trials: 500}\n", 0);
    world_agent(&w, &(struct agent){ .peer = 2, .cores = WORKERS });
    T_EQ("none is asked for ahead at first", w.n_ahead, 0);
    next = answer(&w, a, 0, 10);
    T_EQ("all run", w.n_leases, WORKERS);
    T_TRUE(w.n_ahead > 0);
    T_EQ("a sixteenth is ready", next, WORKERS + WORKERS / 16);
    for (size_t i = 0; i < 4; i++) { /* whoever ends has its next one at once */
        struct lease l = w.leases[i];

        world_complete(&w, &l, 4, 1);
        T_EQ("another runs", w.n_leases, WORKERS + 1 + i);
        T_EQ("and one more is asked for", w.n_asks, next + 1 + i);
    }
    next = answer(&w, a, next, 1);
    for (size_t i = 4; i < 120; i++) {
        struct lease l = w.leases[i];

        w.now += 400;
        world_complete(&w, &l, 4, 1);
        next = answer(&w, a, next, 1);
    }
    T_EQ("trials are long now: none is drawn ahead", next, WORKERS + 120);
    T_TRUE(world_restart(&w));
out:
    world_close(&w);
}

T_MAIN("ahead", T_TEST(depths_follow_what_was_measured), T_TEST(a_pause_is_no_measure),
       T_TEST(a_slow_sampler_of_many_workers_is_asked_ahead))
