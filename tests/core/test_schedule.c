/* SPDX-License-Identifier: Apache-2.0
 * test_schedule.c - who gets which cores: fairness, priorities, fit, budgets, asks. */
#include "core_impl.h"
#include "world.h"

#define PLAIN(name, more) STUDY_HEAD(name) RUN(4, true) more

static size_t leases_of(const struct world *w, struct asy_id study)
{
    size_t n = 0;

    for (size_t i = 0; i < w->n_leases; i++)
        n += asy_id_cmp(w->leases[i].study, study) == 0;
    return n;
}

static struct lease *newest(struct world *w, struct asy_id study)
{
    size_t i = w->n_leases;

    while (i > 0 && asy_id_cmp(w->leases[i - 1].study, study) != 0)
        i--;
    ASY_ASSERT(i > 0, "no lease");
    return &w->leases[i - 1];
}

static bool begin(struct world *w)
{
    if (!world_open(w) || !world_start(w))
        return false;
    world_client(w, CLIENT_PEER, OWNER);
    return true;
}

static void studies_of_one_priority_share_the_cores(void)
{
    struct world w;
    struct asy_id a, b;

    if (begin(&w)) {
        a = world_submit(&w, CLIENT_PEER, OWNER, 1, PLAIN("a", "budget: {trials: 20}\n"), 0);
        b = world_submit(&w, CLIENT_PEER, OWNER, 2, PLAIN("b", "budget: {trials: 20}\n"), 0);
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 8 });
        T_EQ("all cores are used", w.n_leases, 8);
        T_EQ("half for the first", leases_of(&w, a), 4);
        T_EQ("half for the second", leases_of(&w, b), 4);
        T_TRUE(world_restart(&w));
    }
    world_close(&w);
}

static void the_higher_priority_goes_first(void)
{
    struct world w;
    struct asy_id a, b;

    if (begin(&w)) {
        a = world_submit(&w, CLIENT_PEER, OWNER, 1, PLAIN("a", "budget: {trials: 20}\n"), 0);
        b = world_submit(&w, CLIENT_PEER, OWNER, 2,
                         PLAIN("b", "priority: 1\nbudget: {trials: 20}\n"), 0);
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 4 });
        T_EQ("of low priority", leases_of(&w, a), 0);
        T_EQ("of high priority", leases_of(&w, b), 4);
        world_clear(&w);
        T_EQ("priority", world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_PRIORITY, "a", 5), 0);
        world_agent(&w, &(struct agent){ .peer = 3, .cores = 2 });
        T_EQ("the raised one goes first now", leases_of(&w, a), 2);
        T_TRUE(world_restart(&w));
    }
    world_close(&w);
}

static void a_large_trial_is_not_starved_by_small_ones(void)
{
    struct world w;
    struct asy_id small, large;

    if (begin(&w)) {
        small =
            world_submit(&w, CLIENT_PEER, OWNER, 1, PLAIN("small", "budget: {trials: 90}\n"), 0);
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 4 });
        world_agent(&w, &(struct agent){ .peer = 3, .cores = 4 });
        T_EQ("small ones everywhere", leases_of(&w, small), 8);
        large = world_submit(&w, CLIENT_PEER, OWNER, 2,
                             PLAIN("large", "budget: {trials: 1}\nresources: {cores: 4}\n"), 0);
        for (size_t i = 0; i < 60 && leases_of(&w, large) == 0; i++) {
            struct lease l = w.leases[i];

            world_complete(&w, &l, 4, 1);
        }
        T_EQ("the large one runs in the end", leases_of(&w, large), 1);
    }
    world_close(&w);
}

/* Both have nothing running whenever a small one ends, and the small ones' study is the older. */
static void nor_by_an_older_study_that_takes_turns_with_it(void)
{
    struct world w;
    struct asy_id small, large;

    if (begin(&w)) {
        small = world_submit(&w, CLIENT_PEER, OWNER, 1,
                             PLAIN("small", "budget: {trials: 90, parallel: 1}\n"), 0);
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 4 });
        large = world_submit(&w, CLIENT_PEER, OWNER, 2,
                             PLAIN("large", "budget: {trials: 2}\nresources: {cores: 4}\n"), 0);
        T_EQ("a small one runs", leases_of(&w, small), 1);
        world_complete(&w, newest(&w, small), 4, 1);
        T_EQ("it is followed by the large one", leases_of(&w, large), 1);
        world_complete(&w, newest(&w, large), 4, 1);
        T_EQ("then by a small one", leases_of(&w, small), 2);
        T_STR("why the large one waits", world_explain(&w, "large", -1), "no-cores");
        T_HAS("where", w.reply, "; worker 'node' is kept for it");
        world_complete(&w, newest(&w, small), 4, 1);
        T_EQ("then by a large one", leases_of(&w, large), 2);
        T_TRUE(world_restart(&w));
    }
    world_close(&w);
}

/* The large one needs three of four cores: one is always of use to the others. */
static void beside_a_large_trial_that_waits_others_begin(void)
{
    struct world w;
    struct asy_id small, large;

    if (begin(&w)) {
        small = world_submit(&w, CLIENT_PEER, OWNER, 1,
                             PLAIN("small", "budget: {trials: 90}\n"), 0);
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 4 });
        large = world_submit(&w, CLIENT_PEER, OWNER, 2,
                             PLAIN("large", "budget: {trials: 1}\nresources: {cores: 3}\n"), 0);
        T_EQ("small ones everywhere", leases_of(&w, small), 4);
        world_pass(&w, 1000, 2, 2);
        for (size_t i = 0; i < 4; i++) {
            struct lease l = w.leases[i];

            T_EQ("it waits for those of before", leases_of(&w, large), 0);
            world_complete(&w, &l, 4, 1);
            T_EQ("one began beside it", leases_of(&w, small), 5);
            T_STR("no other did", world_explain(&w, "small", -1), i < 3 ? "priority" : "no-cores");
            if (i < 3)
                T_HAS("for whom", w.reply, "study 'large' goes first: it needs 3 cores at once, "
                                           "for which 1 worker is kept");
        }
        T_EQ("then it runs", leases_of(&w, large), 1);
        world_complete(&w, newest(&w, small), 4, 1);
        T_EQ("beside it now", leases_of(&w, small), 6);
    }
    world_close(&w);
}

static void memory_counts_beside_it(void)
{
    static const struct { const char *name, *memory; size_t want; } cases[] = {
        { "as much as there is", "3GiB", 5 }, { "more", "3500MiB", 4 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        char yaml[600];
        struct world w;

        if (begin(&w)) {
            struct asy_id small = world_submit(&w, CLIENT_PEER, OWNER, 1,
                                               PLAIN("small", "budget: {trials: 90}\n"
                                                     "resources: {memory: 1GiB}\n"), 0);

            world_agent(&w, &(struct agent){ .peer = 2, .cores = 8,
                                             .memory = (uint64_t)4 << 30 });
            T_EQ("small ones everywhere", leases_of(&w, small), 4);
            snprintf(yaml, sizeof yaml, PLAIN("large", "budget: {trials: 1}\n"
                     "resources: {memory: %s}\n"), cases[i].memory);
            world_submit(&w, CLIENT_PEER, OWNER, 2, yaml, 0);
            world_pass(&w, 1000, 2, 2);
            world_complete(&w, newest(&w, small), 4, 1);
            T_EQ(cases[i].name, leases_of(&w, small), cases[i].want);
        }
        world_close(&w);
    }
}

/* STARTED, a while, one report, its end. */
static void take_ms(struct world *w, struct lease *l, int64_t ms)
{
    world_started(w, l);
    world_pass(w, ms, 2, 2);
    world_report(w, l, 4, 1.0);
    world_end(w, l, ASY_END_COMPLETE, 4);
}

/* Two cores: trials of 10 s on one, of 1 s on the other, and one that waits for both. */
static void what_ends_before_it_could_begin_is_not_kept_waiting(void)
{
    struct world w;
    struct asy_id slow, fast, large;
    size_t before;
    int i;

    if (!begin(&w))
        goto out;
    world_agent(&w, &(struct agent){ .peer = 2, .cores = 2 });
    fast = world_submit(&w, CLIENT_PEER, OWNER, 1,
                        PLAIN("fast", "budget: {trials: 90, parallel: 1}\n"), 0);
    take_ms(&w, newest(&w, fast), 1000);
    slow = world_submit(&w, CLIENT_PEER, OWNER, 2,
                        PLAIN("slow", "budget: {trials: 90, parallel: 1}\n"), 0);
    take_ms(&w, newest(&w, slow), 10000);
    world_started(&w, newest(&w, slow));
    large = world_submit(&w, CLIENT_PEER, OWNER, 3,
                         PLAIN("large", "budget: {trials: 1}\nresources: {cores: 2}\n"), 0);
    before = leases_of(&w, fast);
    for (i = 0; i < 20 && leases_of(&w, fast) == before + (size_t)i; i++)
        take_ms(&w, newest(&w, fast), 1000);
    T_EQ("as many as end before the slow one", i, 10);
    T_EQ("it waits", leases_of(&w, large), 0);
    T_EQ("for the second slow one", leases_of(&w, slow), 2);
    world_report(&w, newest(&w, slow), 4, 1.0);
    world_end(&w, newest(&w, slow), ASY_END_COMPLETE, 4);
    T_EQ("it runs", leases_of(&w, large), 1);
out:
    world_close(&w);
}

static void trials_that_begin_together_end_together(void)
{
    struct world w;
    struct asy_id small, large;

    if (begin(&w)) {
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 4 });
        large = world_submit(&w, CLIENT_PEER, OWNER, 2,
                             PLAIN("large", "budget: {trials: 9}\nresources: {cores: 4}\n"), 0);
        small = world_submit(&w, CLIENT_PEER, OWNER, 1,
                             PLAIN("small", "budget: {trials: 9}\n"), 0);
        T_EQ("the large one runs", leases_of(&w, large), 1);
        world_complete(&w, newest(&w, large), 4, 1);
        T_EQ("then small ones, on all cores", leases_of(&w, small), 4);
        for (size_t i = 0; i < w.n_leases; i++) {
            struct lease l = w.leases[i];

            if (asy_id_cmp(l.study, small) == 0) {
                T_EQ("the large one waits for all", leases_of(&w, large), 1);
                world_complete(&w, &l, 4, 1);
            }
            if (leases_of(&w, large) > 1)
                break;
        }
        T_EQ("no further small one", leases_of(&w, small), 4);
        T_EQ("then the next large one", leases_of(&w, large), 2);
    }
    world_close(&w);
}

static void cores_come_from_one_group_where_they_can(void)
{
    struct world w;

    if (begin(&w)) {
        world_submit(&w, CLIENT_PEER, OWNER, 1,
                     PLAIN("a", "budget: {trials: 3}\nresources: {cores: 3}\n"), 0);
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 8, .n_groups = 2 });
        if (T_EQ("leases", w.n_leases, 2)) {
            T_EQ("first of group 0", w.leases[0].cores[0], 0);
            T_EQ("all in group 0", w.leases[0].cores[2], 2);
            T_EQ("second in group 1", w.leases[1].cores[0], 4);
            T_EQ("all in group 1", w.leases[1].cores[2], 6);
        }
        world_submit(&w, CLIENT_PEER, OWNER, 2,
                     PLAIN("b", "budget: {trials: 1}\nresources: {cores: 2}\n"), 0);
        if (T_EQ("what is left is used across groups", w.n_leases, 3)) {
            T_EQ("one of group 0", w.leases[2].cores[0], 3);
            T_EQ("one of group 1", w.leases[2].cores[1], 7);
        }
    }
    world_close(&w);
}

static void memory_is_counted(void)
{
    struct world w;

    if (begin(&w)) {
        world_submit(&w, CLIENT_PEER, OWNER, 1,
                     PLAIN("a", "budget: {trials: 9}\nresources: {memory: 1GiB}\n"), 0);
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 8, .memory = (uint64_t)3 << 30 });
        T_EQ("three fit into the memory", w.n_leases, 3);
    }
    world_close(&w);
}

static void workers_serve_their_owner_alone(void)
{
    struct world w;

    if (begin(&w)) {
        world_submit(&w, CLIENT_PEER, OWNER, 1, PLAIN("a", "budget: {trials: 9}\n"), 0);
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 8, .key = "somebody" });
        T_EQ("another's worker", w.n_leases, 0);
        world_client(&w, 4, "somebody");
        world_submit(&w, 4, "somebody", 2, PLAIN("b", "budget: {trials: 9}\n"), 0);
        T_EQ("its own study", w.n_leases, 8);
        T_EQ("not theirs to stop",
             world_control(&w, 4, "somebody", ASY_CONTROL_STOP, "a", 0), ASY_E_DENIED);
        T_EQ("who started it may",
             world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_STOP, "b", 0), 0);
    }
    world_close(&w);
}

static void budgets_bound_trials_and_running_ones(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w)) {
        a = world_submit(&w, CLIENT_PEER, OWNER, 1,
                         PLAIN("a", "budget: {trials: 5, parallel: 2}\n"), 0);
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 8 });
        T_EQ("two at once", w.n_leases, 2);
        for (size_t i = 0; i < 5 && i < w.n_leases; i++)
            world_complete(&w, &w.leases[i], 4, 1);
        T_EQ("five in all", w.n_leases, 5);
        T_EQ("finished", world_last(&w, a, -1, ASY_EV_STUDY_STATE)->study_state.state,
             ASY_STUDY_FINISHED);
        T_EQ("for its budget", world_last(&w, a, -1, ASY_EV_STUDY_STATE)->study_state.cause,
             ASY_CAUSE_BUDGET_TRIALS);
    }
    world_close(&w);
}

static void time_counts_without_pauses_and_over_restarts(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w)) {
        a = world_submit(&w, CLIENT_PEER, OWNER, 1, PLAIN("a", "budget: {time: 20s}\n"), 0);
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 1 });
        world_started(&w, &w.leases[0]);
        world_pass(&w, 5000, 2, 2);
        world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_PAUSE, "a", 0);
        world_pass(&w, 60000, 2, 2);
        world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_RESUME, "a", 0);
        world_pass(&w, 5000, 2, 2);
        T_TRUE(world_restart(&w));
        world_tick(&w, 9000);
        T_EQ("19 s are used", world_last(&w, a, -1, ASY_EV_STUDY_STATE)->study_state.state,
             ASY_STUDY_RUNNING);
        world_tick(&w, 1000);
        T_EQ("time is up", world_last(&w, a, -1, ASY_EV_STUDY_STATE)->study_state.cause,
             ASY_CAUSE_BUDGET_TIME);
    }
    world_close(&w);
}

static void samplers_are_asked_as_far_ahead_as_they_allow(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w)) {
        w.auto_ask = 0;
        w.needs_history = 1;
        a = world_submit(&w, CLIENT_PEER, OWNER, 1, PLAIN("a", "budget: {trials: 50}\n"), 0);
        T_EQ("nobody to run it, nothing is asked", w.n_asks, 0);
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 3 });
        T_EQ("one for each free core", w.n_asks, 3);
        world_asked(&w, a, 0, 0.5, 0);
        T_EQ("no more before there is room", w.n_asks, 3);
        T_EQ("and one lease", w.n_leases, 1);
        w.needs_history = 0;
        world_asked(&w, a, 1, 0.5, 0);
        T_EQ("twice the room and two ahead, of which one is on its way", w.n_asks, 5 + 1);
    }
    world_close(&w);
}

static void enqueued_points_are_asked_for_first(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w)) {
        w.auto_ask = 0;
        a = world_submit(&w, CLIENT_PEER, OWNER, 1,
                         STUDY_HEAD("a") RUN(4, true)
                         "search: {sampler: random, enqueue: [{x: 0.25}]}\n"
                         "budget: {trials: 2}\n", 0);
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 2 });
        world_asked(&w, a, 0, 0.25, 0);
        world_asked(&w, a, 1, 0.75, 0);
        T_STR("source of the first",
              world_last(&w, a, 0, ASY_EV_TRIAL_CREATED)->trial_created.source, "enqueued");
        T_STR("source of the second",
              world_last(&w, a, 1, ASY_EV_TRIAL_CREATED)->trial_created.source, "test");
    }
    world_close(&w);
}

/* Two reports, so far apart. */
static void take_steps(struct world *w, size_t i, int64_t step_ms)
{
    struct lease l = w->leases[i];

    world_started(w, &l);
    for (uint64_t step = 1; step <= 2; step++) {
        world_pass(w, step_ms, 2, 3);
        world_report(w, &l, step, 1.0);
    }
    world_end(w, &l, ASY_END_COMPLETE, 2);
}

static size_t leases_at(const struct world *w, uint64_t peer, struct asy_id study)
{
    size_t n = 0;

    for (size_t i = 0; i < w->n_leases; i++)
        n += w->leases[i].peer == peer && asy_id_cmp(w->leases[i].study, study) == 0;
    return n;
}

/* An allocation that ends is passed over by a slow study, not by others, until it is faster. */
static void who_cannot_checkpoint_in_time_is_not_leased_there(void)
{
    struct world w;
    struct asy_id a, b;
    size_t i, next;

    if (!begin(&w))
        goto out;
    world_agent(&w, &(struct agent){ .peer = 2, .cores = 1 });
    a = world_submit(&w, CLIENT_PEER, OWNER, 1, PLAIN("a", "budget: {trials: 99}\n"), 0);
    take_steps(&w, 0, 10000);
    world_agent(&w, &(struct agent){ .peer = 3, .cores = 2, .walltime_ms = 20000 });
    T_EQ("a step takes 10 s: too slow", leases_at(&w, 3, a), 0);
    b = world_submit(&w, CLIENT_PEER, OWNER, 2, PLAIN("b", "budget: {trials: 2}\n"), 0);
    T_EQ("of whom nothing is known", leases_at(&w, 3, b), 2);
    for (i = 1; i < w.n_leases && w.leases[i].peer != 3; i++)
        ;
    world_complete(&w, &w.leases[i], 4, 1.0);
    T_EQ("still too slow", leases_at(&w, 3, a), 0);
    for (i = 0; i < 9 && leases_at(&w, 3, a) == 0; i++) {
        for (next = w.n_leases; next > 1 && w.leases[next - 1].peer != 2; next--)
            ;
        take_steps(&w, next - 1, 500);
    }
    T_EQ("it has become faster", leases_at(&w, 3, a), 1);
    T_TRUE(world_restart(&w));
out:
    world_close(&w);
}

/* An hour in which a job was suspended would else keep the study off every short job for ever. */
static void one_long_gap_shuts_nobody_out(void)
{
    struct asy_id a;
    struct lease *l;
    struct world w;

    if (begin(&w)) {
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 1 });
        a = world_submit(&w, CLIENT_PEER, OWNER, 1,
                         STUDY_HEAD("a") RUN(9, true) "budget: {trials: 99}\n", 0);
        l = &w.leases[0];
        world_started(&w, l);
        for (uint64_t step = 1; step <= 4; step++) {
            world_pass(&w, step == 3 ? 3600000 : 1000, 2, 2);
            world_report(&w, l, step, 1.0);
        }
        world_agent(&w, &(struct agent){ .peer = 3, .cores = 1, .walltime_ms = 20000 });
        T_EQ("goes on", leases_at(&w, 3, a), 1);
        T_TRUE(world_restart(&w));
        world_clear(&w);
        world_agent(&w, &(struct agent){ .peer = 4, .cores = 1, .walltime_ms = 20000 });
        T_EQ("after a restart, too", leases_at(&w, 4, a), 1);
    }
    world_close(&w);
}

/* The last lease of an agent. */
static struct lease last_at(const struct world *w, uint64_t peer)
{
    size_t i = w->n_leases - 1;

    while (i > 0 && w->leases[i].peer != peer)
        i--;
    return w->leases[i];
}

/* Attempts of one agent that begin together, a report after first_ms, further ones a second apart,
 * the end. */
static void take_start(struct world *w, uint64_t peer, size_t n, int64_t first_ms, uint64_t reports)
{
    struct lease l[2];
    size_t at = 0;

    for (size_t i = w->n_leases; i-- > 0 && at < n;)
        if (w->leases[i].peer == peer)
            l[at++] = w->leases[i];
    for (size_t i = 0; i < at; i++)
        world_started(w, &l[i]);
    for (uint64_t step = 1; step <= reports || step == 1; step++) {
        world_pass(w, step == 1 ? first_ms : 1000, 2, 2);
        for (size_t i = 0; i < at && step <= reports; i++)
            world_report(w, &l[i], step, 1.0);
    }
    for (size_t i = 0; i < at; i++)
        world_end(w, &l[i], ASY_END_COMPLETE, reports);
}

/* Whether an agent that has so much time left is given a trial; and after a restart, another. */
static void expect_lease(struct world *w, const char *name, struct asy_id study,
                         int64_t walltime_ms, size_t want)
{
    for (uint64_t peer = 3; peer <= 4; peer++) {
        world_agent(w, &(struct agent){ .peer = peer, .cores = 1, .walltime_ms = walltime_ms });
        T_EQ(name, leases_at(w, peer, study), want);
        if (peer == 3 && T_TRUE(world_restart(w)))
            world_clear(w);
    }
}

/* An hour for a file that was not in any cache yet would else keep the study off every short job;
 * an hour each time rightly does. */
static void a_start_counts_when_it_was_slow_twice(void)
{
    static const char pausable[] = STUDY_HEAD("a") RUN(9, true) "budget: {trials: 99}\n";
    static const char whole[] = STUDY_HEAD("a") RUN(9, false) "budget: {trials: 99}\n";
    static const struct {
        const char *name, *yaml;
        size_t n;                     /* that begin together */
        uint64_t reports;             /* of each attempt */
        int64_t first_ms[4];          /* of one round after the other; 0: no further one */
        size_t want;                  /* leases of an agent with 20 s left */
    } cases[] = {
        { "once, at first", pausable, 1, 2, { 3600000 }, 1 },
        { "once, and nothing more is known", pausable, 1, 1, { 3600000 }, 1 },
        { "once, of two that waited for the same", pausable, 2, 2, { 3600000 }, 1 },
        { "once, to the end", whole, 1, 2, { 3600000 }, 1 },
        { "once, of who does not report", whole, 1, 0, { 3600000 }, 1 },
        { "once, later", pausable, 1, 2, { 1000, 3600000 }, 1 },
        { "twice", pausable, 1, 2, { 3600000, 3600000 }, 0 },
        { "twice, two each time", pausable, 2, 2, { 3600000, 3600000 }, 0 },
        { "twice, with a fast one between", pausable, 1, 2, { 3600000, 1000, 3600000 }, 0 },
        { "twice, to the end", whole, 1, 2, { 3600000, 3600000 }, 0 },
        { "twice, of who does not report", whole, 1, 0, { 3600000, 3600000 }, 0 },
        { "as slow as its gaps", pausable, 1, 2, { 1000 }, 1 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_id a;
        struct world w;

        if (begin(&w)) {
            world_agent(&w, &(struct agent){ .peer = 2, .cores = (uint32_t)cases[i].n });
            a = world_submit(&w, CLIENT_PEER, OWNER, 1, cases[i].yaml, 0);
            for (size_t k = 0; k < 4 && cases[i].first_ms[k]; k++)
                take_start(&w, 2, cases[i].n, cases[i].first_ms[k], cases[i].reports);
            expect_lease(&w, cases[i].name, a, 20000, cases[i].want);
        }
        world_close(&w);
    }
}

/* Two that waited for the same hour, and between their first words a third one that started at
 * once: still one slow round. */
static void a_slow_start_told_late_is_no_second_one(void)
{
    struct lease first, second, third;
    struct asy_id a;
    struct world w;

    if (begin(&w)) {
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 2 });
        a = world_submit(&w, CLIENT_PEER, OWNER, 1,
                         STUDY_HEAD("a") RUN(9, true) "budget: {trials: 99}\n", 0);
        first = w.leases[0];
        second = w.leases[1];
        world_started(&w, &first);
        world_started(&w, &second);
        world_pass(&w, 3600000, 2, 2);
        world_report(&w, &first, 1, 1.0);
        world_end(&w, &first, ASY_END_COMPLETE, 1);
        third = last_at(&w, 2);
        world_started(&w, &third);
        world_pass(&w, 1000, 2, 2);
        world_report(&w, &third, 1, 1.0);
        world_pass(&w, 1000, 2, 2);
        world_report(&w, &second, 1, 1.0);
        expect_lease(&w, "told late", a, 20000, 1);
    }
    world_close(&w);
}

/* Each start takes 100 s. A job that had 40 s is enough to see that once more. */
static void a_start_in_vain_is_not_repeated(void)
{
    struct lease l;
    struct asy_id a;
    struct world w;

    if (begin(&w)) {
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 1 });
        a = world_submit(&w, CLIENT_PEER, OWNER, 1,
                         STUDY_HEAD("a") RUN(9, true) "budget: {trials: 99}\n", 0);
        take_start(&w, 2, 1, 100000, 2);
        world_agent(&w, &(struct agent){ .peer = 5, .cores = 1, .walltime_ms = 40000 });
        T_EQ("it is tried", leases_at(&w, 5, a), 1);
        l = last_at(&w, 5);
        world_started(&w, &l);
        world_pass(&w, 35000, 2, 5);
        world_end(&w, &l, ASY_END_PREEMPTED, 0);
        world_closed(&w, 5);
        expect_lease(&w, "not as long again", a, 40000, 0);
        world_agent(&w, &(struct agent){ .peer = 6, .cores = 1, .walltime_ms = 50000 });
        T_EQ("longer", leases_at(&w, 6, a), 1);
    }
    world_close(&w);
}

/* With checkpoints 10 s to the first report and 10 s more count, without them 20 s to the end; and
 * a quarter more. */
static void a_restart_does_not_forget_how_slow_a_study_is(void)
{
    static const struct { const char *name, *run; } cases[] = {
        { "to its first checkpoint", STUDY_HEAD("a") RUN(4, true) "budget: {trials: 99}\n" },
        { "to its end", STUDY_HEAD("a") RUN(4, false) "budget: {trials: 99}\n" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_id a;
        struct world w;

        if (begin(&w)) {
            world_agent(&w, &(struct agent){ .peer = 2, .cores = 1 });
            a = world_submit(&w, CLIENT_PEER, OWNER, 1, cases[i].run, 0);
            take_steps(&w, 0, 10000);
            if (T_TRUE(world_restart(&w))) {
                world_clear(&w);
                world_client(&w, CLIENT_PEER, OWNER);
                world_agent(&w, &(struct agent){ .peer = 3, .cores = 2, .walltime_ms = 20000 });
                T_EQ(cases[i].name, leases_at(&w, 3, a), 0);
                world_agent(&w, &(struct agent){ .peer = 4, .cores = 2, .walltime_ms = 30000 });
                T_EQ(cases[i].name, leases_at(&w, 4, a), 2);
            }
        }
        world_close(&w);
    }
}

/* A trial ended while there was no coordinator, and after an hour without one its end comes. */
static void what_came_late_does_not_seem_slow(void)
{
    struct asy_holding held;
    struct asy_id a;
    struct lease l;
    struct world w;

    if (!begin(&w))
        goto out;
    world_agent(&w, &(struct agent){ .peer = 2, .cores = 1 });
    a = world_submit(&w, CLIENT_PEER, OWNER, 1,
                     STUDY_HEAD("a") RUN(4, false) "budget: {trials: 99}\n", 0);
    l = w.leases[0];
    world_started(&w, &l);
    for (uint64_t step = 1; step <= 2; step++) {
        world_pass(&w, 1000, 2, 2);
        world_report(&w, &l, step, 1.0);
    }
    w.now += 3600000;
    for (int i = 0; i < 2; i++) { /* the end is heard of; the end is in the log */
        if (!T_TRUE(world_restart(&w)))
            goto out;
        held = (struct asy_holding){ .study = a, .trial = 0, .attempt = 1, .running = 1,
                                     .epoch = l.epoch };
        world_clear(&w);
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 1, .holdings = &held,
                                         .n_holdings = i == 0 });
        if (i == 0)
            world_end(&w, &l, ASY_END_COMPLETE, 2);
        T_EQ("its end", world_state(&w, a, 0), ASY_TRIAL_COMPLETE);
        world_agent(&w, &(struct agent){ .peer = 3, .cores = 1, .walltime_ms = 60000 });
        T_EQ(i ? "after another restart" : "once it came", leases_at(&w, 3, a), 1);
    }
out:
    world_close(&w);
}

static void nothing_is_leased_while_the_store_cannot_write(void)
{
    struct asy_input full = { .type = ASY_IN_FAILED_COMMIT };
    struct world w;

    if (begin(&w)) {
        struct asy_id study;

        w.auto_ask = 0;
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 2 });
        study = world_submit(&w, CLIENT_PEER, OWNER, 1, PLAIN("a", "budget: {trials: 2}\n"), 0);
        full.store.text = "disk full";
        world_input(&w, &full);
        world_asked(&w, study, 0, 0.5, 0); /* they were asked for before */
        world_asked(&w, study, 1, 0.5, 0);
        T_EQ("no lease", w.n_leases, 0);
        full.store.ok = 1;
        world_input(&w, &full);
        T_EQ("leases again", w.n_leases, 2);
    }
    world_close(&w);
}

static void points_that_make_no_sense_fail_the_study(void)
{
    static const struct { const char *name; uint64_t number; double x; int rc;
                          enum asy_cause want; } cases[] = {
        { "outside the space", 0, 7.0, 0, ASY_CAUSE_SAMPLER_FAILED },
        { "an error", 0, 0.5, ASY_E_NOMEM, ASY_CAUSE_SAMPLER_FAILED },
        { "no point at all", 0, 0.5, ASY_E_FULL, ASY_CAUSE_EXHAUSTED },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct world w;
        struct asy_id a;

        if (begin(&w)) {
            w.auto_ask = 0;
            a = world_submit(&w, CLIENT_PEER, OWNER, 1, PLAIN("a", "budget: {trials: 2}\n"), 0);
            world_agent(&w, &(struct agent){ .peer = 2, .cores = 1 });
            world_asked(&w, a, cases[i].number, cases[i].x, cases[i].rc);
            T_EQ(cases[i].name, world_last(&w, a, -1, ASY_EV_STUDY_STATE)->study_state.cause,
                 cases[i].want);
        }
        world_close(&w);
    }
}

T_MAIN("schedule", T_TEST(studies_of_one_priority_share_the_cores),
       T_TEST(the_higher_priority_goes_first), T_TEST(a_large_trial_is_not_starved_by_small_ones),
       T_TEST(nor_by_an_older_study_that_takes_turns_with_it),
       T_TEST(one_long_gap_shuts_nobody_out), T_TEST(a_start_counts_when_it_was_slow_twice),
       T_TEST(a_slow_start_told_late_is_no_second_one),
       T_TEST(a_start_in_vain_is_not_repeated),
       T_TEST(beside_a_large_trial_that_waits_others_begin), T_TEST(memory_counts_beside_it),
       T_TEST(what_ends_before_it_could_begin_is_not_kept_waiting),
       T_TEST(trials_that_begin_together_end_together),
       T_TEST(cores_come_from_one_group_where_they_can), T_TEST(memory_is_counted),
       T_TEST(workers_serve_their_owner_alone), T_TEST(budgets_bound_trials_and_running_ones),
       T_TEST(time_counts_without_pauses_and_over_restarts),
       T_TEST(samplers_are_asked_as_far_ahead_as_they_allow),
       T_TEST(enqueued_points_are_asked_for_first),
       T_TEST(who_cannot_checkpoint_in_time_is_not_leased_there),
       T_TEST(a_restart_does_not_forget_how_slow_a_study_is),
       T_TEST(what_came_late_does_not_seem_slow),
       T_TEST(nothing_is_leased_while_the_store_cannot_write),
       T_TEST(points_that_make_no_sense_fail_the_study))
