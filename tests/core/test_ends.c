/* SPDX-License-Identifier: Apache-2.0
 * test_ends.c - how attempts end and what that means for their trials: crashes, losses, refusals,
 * rungs that were reached and not heard of. */
#include "life.h"

static void crashes_use_up_retries_and_wait_longer_each_time(void)
{
    struct world w;
    struct asy_id a;
    int64_t at;

    if (begin(&w, 1)) {
        a = submit(&w, 1, STUDY_HEAD("a") RUN(4, true) "retries: 2\nbudget: {trials: 1}\n");
        world_started(&w, &w.leases[0]);
        world_end(&w, &w.leases[0], ASY_END_CRASHED, 0);
        T_EQ("it waits", w.n_leases, 1);
        world_pass(&w, 999, 2, 2);
        T_EQ("still", w.n_leases, 1);
        world_pass(&w, 1, 2, 2);
        T_EQ("a second is over", w.n_leases, 2);
        at = w.now;
        world_end(&w, &w.leases[1], ASY_END_CRASHED, 0);
        world_pass(&w, 1999, 2, 2);
        T_EQ("twice as long", w.n_leases, 2);
        world_pass(&w, 1, 2, 2);
        T_EQ("two seconds", w.n_leases, 3);
        T_EQ("deadline was exact", w.now - at, 2000);
        T_TRUE(world_restart(&w));
        world_agent(&w, &(struct agent){
            .peer = 2, .cores = 1, .n_holdings = 1,
            .holdings = &(struct asy_holding){ a, 0, 3, 3, 1, 0 } });
        world_end(&w, &w.leases[2], ASY_END_CRASHED, 0);
        T_EQ("failed", trial_event(&w, a, 0)->trial_state.state, ASY_TRIAL_FAILED);
        T_EQ("no retry is left", trial_event(&w, a, 0)->trial_state.cause, ASY_CAUSE_RETRIES);
        T_HAS("says how", trial_event(&w, a, 0)->trial_state.text, "crashed 3 times");
    }
    world_close(&w);
}

static void some_ends_fail_a_trial_at_once(void)
{
    static const struct {
        const char *name;
        enum asy_end end;
        enum asy_cause cause, want;
    } cases[] = {
        { "diverged", ASY_END_DIVERGED, ASY_CAUSE_DIVERGED, ASY_CAUSE_DIVERGED },
        { "bad data", ASY_END_CRASHED, ASY_CAUSE_DATA, ASY_CAUSE_DATA },
        { "a bad job", ASY_END_CRASHED, ASY_CAUSE_BAD_JOB, ASY_CAUSE_BAD_JOB },
        { "no value", ASY_END_COMPLETE, ASY_CAUSE_NONE, ASY_CAUSE_NO_VALUE },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct world w;
        struct asy_id a;

        if (begin(&w, 1)) {
            a = submit(&w, 1, STUDY_HEAD("a") RUN(4, true) "budget: {trials: 1}\n");
            world_started(&w, &w.leases[0]);
            world_end_cause(&w, &w.leases[0], cases[i].end, 0, cases[i].cause);
            T_EQ(cases[i].name, trial_event(&w, a, 0)->trial_state.cause, cases[i].want);
            T_EQ(cases[i].name, trial_event(&w, a, 0)->trial_state.state, ASY_TRIAL_FAILED);
            if (T_EQ("told", w.n_tells, 1))
                T_EQ(cases[i].name, w.tells[0].diverged, cases[i].end == ASY_END_DIVERGED);
        }
        world_close(&w);
    }
}

static void a_first_crash_without_retries_names_its_own_cause(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w, 1)) {
        a = submit(&w, 1, STUDY_HEAD("a") RUN(4, true) "retries: 0\nbudget: {trials: 1}\n");
        world_started(&w, &w.leases[0]);
        world_end_cause(&w, &w.leases[0], ASY_END_CRASHED, 0, ASY_CAUSE_OUT_OF_MEMORY);
        T_EQ("cause", trial_event(&w, a, 0)->trial_state.cause, ASY_CAUSE_OUT_OF_MEMORY);
    }
    world_close(&w);
}

/* So does one whose program dies on its way out, except at the whole length: it may have had a
 * model to hand over. */
static void a_rung_that_was_reached_is_not_trained_for_again(void)
{
    static const struct {
        const char *name;
        enum asy_end end;
        unsigned length;
        enum asy_trial_state want;
    } cases[] = {
        { "preempted at a rung", ASY_END_PREEMPTED, 8, ASY_TRIAL_PAUSED },
        { "crashed at a rung", ASY_END_CRASHED, 8, ASY_TRIAL_PAUSED },
        { "crashed at the end", ASY_END_CRASHED, 1, ASY_TRIAL_QUEUED },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_buf yaml;
        struct asy_id a;
        struct world w;

        asy_buf_init(&yaml, 4096);
        asy_buf_addf(&yaml, STUDY_HEAD("a") "run: {command: [run], length: {unit: steps, max: %u}, "
                     "checkpoint: true}\n" ASHA "budget: {trials: 2}\n", cases[i].length);
        if (begin(&w, 1)) {
            a = submit(&w, 1, yaml.data);
            world_started(&w, &w.leases[0]);
            world_report(&w, &w.leases[0], 1, 1.0);
            world_checkpoint(&w, &w.leases[0], 1);
            world_end(&w, &w.leases[0], cases[i].end, 1);
            T_EQ(cases[i].name, world_state(&w, a, 0), cases[i].want);
            T_EQ("the next trial", w.leases[w.n_leases - 1].trial, 1);
            T_TRUE(world_restart(&w));
        }
        world_close(&w);
        asy_buf_fini(&yaml);
    }
}

static void a_crash_at_a_rung_that_was_reached_uses_up_no_retry(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w, 1)) {
        a = submit(&w, 1, STUDY_HEAD("a") RUN(8, true) ASHA "retries: 1\nbudget: {trials: 1}\n");
        world_started(&w, &w.leases[0]);
        world_report(&w, &w.leases[0], 1, 1.0);
        world_checkpoint(&w, &w.leases[0], 1);
        world_end(&w, &w.leases[0], ASY_END_CRASHED, 1);
        T_TRUE(world_restart(&w));
        world_agent(&w, &(struct agent){
            .peer = 2, .cores = 1, .n_holdings = 1,
            .holdings = &(struct asy_holding){ a, 0, 2, 2, 1, 0 } });
        if (T_EQ("goes on, being the best", w.n_leases, 2)) {
            world_started(&w, &w.leases[1]);
            world_end(&w, &w.leases[1], ASY_END_CRASHED, 1);
            T_EQ("its first crash", world_state(&w, a, 0), ASY_TRIAL_QUEUED);
            world_pass(&w, w.config.backoff_ms, 2, 2);
        }
        if (T_EQ("its retry, after the first wait", w.n_leases, 3)) {
            world_started(&w, &w.leases[2]);
            world_end(&w, &w.leases[2], ASY_END_CRASHED, 1);
            T_EQ("no other", trial_event(&w, a, 0)->trial_state.cause, ASY_CAUSE_RETRIES);
        }
    }
    world_close(&w);
}

/* The pruner could not rank it: it goes back to the checkpoint before, and reports this time. */
static void a_checkpoint_without_its_value_does_not_reach_a_rung(void)
{
    static const struct {
        const char *name;
        enum asy_end end;
    } cases[] = { { "lost", ASY_END_LOST },
                  { "preempted", ASY_END_PREEMPTED },
                  { "crashed", ASY_END_CRASHED } };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct world w;
        struct asy_id a;

        if (begin(&w, 1)) {
            a = submit(&w, 1, STUDY_HEAD("a") RUN(8, true) "search: {sampler: random, pruner: "
                              "{name: asha, min: 2, reduction: 2, rule: 1}}\n"
                              "budget: {trials: 1}\n");
            world_started(&w, &w.leases[0]);
            world_report(&w, &w.leases[0], 1, 1.0);
            world_checkpoint(&w, &w.leases[0], 1);
            world_checkpoint(&w, &w.leases[0], 2);
            if (cases[i].end == ASY_END_LOST) {
                world_tick(&w, w.config.lost_after_ms);
                world_agent(&w, &(struct agent){ .peer = 3, .cores = 1, .life = 1 });
            } else {
                world_end(&w, &w.leases[0], cases[i].end, 2);
                world_pass(&w, w.config.backoff_ms, 2, 2);
            }
            if (T_EQ(cases[i].name, w.n_leases, 2)) {
                T_STR(cases[i].name, w.leases[1].from, "0/1/1");
                T_EQ(cases[i].name, w.leases[1].milestone, 2);
                T_TRUE(world_restart(&w));
                world_agent(&w, &(struct agent){
                    .peer = cases[i].end == ASY_END_LOST ? 3 : 2, .cores = 1, .n_holdings = 1,
                    .life = cases[i].end == ASY_END_LOST,
                    .holdings = &(struct asy_holding){ a, 0, 2, 2, 1, 0 } });
                to_rung(&w, &w.leases[1], 0.5);
                T_EQ("its rung counts", trial_event(&w, a, 0)->trial_state.cause, ASY_CAUSE_RUNG);
            }
        }
        world_close(&w);
    }
}

static void a_trial_that_pauses_at_a_rung_without_a_value_has_failed(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w, 1)) {
        a = submit(&w, 1, STUDY_HEAD("a") RUN(8, true) "search: {sampler: random, pruner: "
                          "{name: asha, min: 2, reduction: 2, rule: 1}}\nbudget: {trials: 2}\n");
        world_started(&w, &w.leases[0]);
        world_report(&w, &w.leases[0], 1, 1.0);
        world_checkpoint(&w, &w.leases[0], 2);
        world_end(&w, &w.leases[0], ASY_END_PAUSED, 2);
        T_EQ("failed", world_state(&w, a, 0), ASY_TRIAL_FAILED);
        T_EQ("for want of a value", trial_event(&w, a, 0)->trial_state.cause, ASY_CAUSE_NO_VALUE);
        T_HAS("says where", trial_event(&w, a, 0)->trial_state.text,
              "no value for 'loss' was reported at step 2");
        T_EQ("its checkpoint goes", w.n_drops, 1);
        T_TRUE(world_restart(&w));
    }
    world_close(&w);
}

/* With one checkpoint kept, values before it are settled; without it they are undone as well. */
static void what_starts_from_nothing_has_no_values(void)
{
    struct world w;
    struct asy_id a;

    if (!world_open(&w))
        return;
    w.config.checkpoints_kept = 1;
    if (world_start(&w)) {
        world_client(&w, CLIENT_PEER, OWNER);
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 1 });
        a = submit(&w, 1, STUDY_HEAD("a") RUN(8, true) "search: {sampler: random, pruner: "
                          "{name: asha, min: 3, reduction: 2, rule: 1}}\nbudget: {trials: 2}\n");
        world_started(&w, &w.leases[0]);
        for (uint64_t step = 1; step < 3; step++) {
            world_report(&w, &w.leases[0], step, 0.1);
            world_checkpoint(&w, &w.leases[0], step);
        }
        world_checkpoint(&w, &w.leases[0], 3);
        world_end(&w, &w.leases[0], ASY_END_PREEMPTED, 3);
        if (T_EQ("leased again", w.n_leases, 2)) {
            T_STR("from nothing", w.leases[1].from, "");
            to_rung(&w, &w.leases[1], 0.7);
            T_NEAR("its value", world_last(&w, a, 0, ASY_EV_TRIAL_STATE)->trial_state.value, 0.7,
                   0);
        }
    }
    world_close(&w);
}

/* The values up to its checkpoint are settled; the sampler hears how far they go. */
static void what_is_undone_leaves_what_was_before_it(void)
{
    struct world w;

    if (!world_open(&w))
        return;
    w.config.checkpoints_kept = 1;
    if (world_start(&w)) {
        world_client(&w, CLIENT_PEER, OWNER);
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 1 });
        submit(&w, 1, STUDY_HEAD("a") RUN(8, true) "budget: {trials: 1, time: 5s}\n");
        world_started(&w, &w.leases[0]);
        for (uint64_t step = 1; step < 4; step++) {
            world_report(&w, &w.leases[0], step, 1.0 / (double)step);
            if (step < 3)
                world_checkpoint(&w, &w.leases[0], step);
        }
        world_end(&w, &w.leases[0], ASY_END_PREEMPTED, 3);
        world_pass(&w, 5000, 2, 2);
        if (T_EQ("leased again", w.n_leases, 2) && T_EQ("its time is up", w.n_cancels, 1)) {
            world_end(&w, &w.leases[1], ASY_END_STOPPED, 2);
            if (T_EQ("told", w.n_tells, 1)) {
                T_EQ("as pruned", w.tells[0].state, ASY_OUTCOME_PRUNED);
                T_NEAR("with its value", w.tell_values[0], 0.5, 0);
                T_NEAR("at its step", w.tells[0].last_step, 2, 0);
            }
        }
    }
    world_close(&w);
}

static void a_rung_that_is_never_valued_is_not_tried_for_ever(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w, 1)) {
        a = submit(&w, 1, STUDY_HEAD("a") RUN(8, true) ASHA "budget: {trials: 1}\n");
        for (size_t i = 0; i < w.config.lost_limit && T_EQ("leased", w.n_leases, i + 1); i++) {
            T_EQ("from nothing", w.leases[i].from_step, 0);
            world_started(&w, &w.leases[i]);
            world_checkpoint(&w, &w.leases[i], 1);
            world_end(&w, &w.leases[i], ASY_END_PREEMPTED, 1);
        }
        T_EQ("failed", trial_event(&w, a, 0)->trial_state.cause, ASY_CAUSE_NO_PROGRESS);
    }
    world_close(&w);
}

static void losses_use_no_retries_but_progress_is_wanted(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w, 1)) {
        a = submit(&w, 1, STUDY_HEAD("a") RUN(9, true) "retries: 0\nbudget: {trials: 1}\n");
        for (size_t i = 0; i < 4; i++) { /* each wrote a checkpoint */
            world_started(&w, &w.leases[i]);
            world_report(&w, &w.leases[i], i + 1, 1.0);
            world_checkpoint(&w, &w.leases[i], i + 1);
            world_end(&w, &w.leases[i], ASY_END_PREEMPTED, i + 1);
        }
        T_EQ("goes on after four", w.n_leases, 5);
        T_EQ("two checkpoints are kept",
             world_count(&w, ASY_EV_CHECKPOINT) - world_count(&w, ASY_EV_CHECKPOINT_DROPPED), 2);
        T_STR("from the newest", w.leases[4].from, "0/4/4");
        for (size_t i = 4; i < 6; i++) { /* these did not; the first loss since counted already */
            world_started(&w, &w.leases[i]);
            world_end(&w, &w.leases[i], ASY_END_PREEMPTED, 4);
        }
        T_EQ("failed", trial_event(&w, a, 0)->trial_state.cause, ASY_CAUSE_NO_PROGRESS);
        T_EQ("finished", study_state(&w, a), ASY_STUDY_FINISHED);
    }
    world_close(&w);
}

/* It writes checkpoints, but none beyond those of before. */
static void a_program_that_always_begins_anew_makes_no_progress(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w, 1)) {
        a = submit(&w, 1, STUDY_HEAD("a") RUN(9, true) "budget: {trials: 1}\n");
        for (size_t i = 0; i < w.config.lost_limit && T_EQ("leased", w.n_leases, i + 1); i++) {
            world_started(&w, &w.leases[i]);
            world_checkpoint(&w, &w.leases[i], 1);
            if (i != 1)
                world_checkpoint(&w, &w.leases[i], 2);
            T_TRUE(world_restart(&w));
            world_agent(&w, &(struct agent){
                .peer = 2, .cores = 1, .n_holdings = 1,
                .holdings = &(struct asy_holding){ a, 0, (uint32_t)i + 1, i + 1, 1,
                                                   w.leases[i].reported } });
            world_end(&w, &w.leases[i], ASY_END_PREEMPTED, 2);
        }
        T_EQ("failed", trial_event(&w, a, 0)->trial_state.cause, ASY_CAUSE_NO_PROGRESS);
    }
    world_close(&w);
}

/* Without checkpoints each Ctrl-C and each resumption starts a trial anew. */
static void interruptions_are_no_losses(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w, 1)) {
        a = submit(&w, 1, STUDY_HEAD("a") RUN(9, false) "budget: {trials: 1}\n");
        for (size_t i = 0; i < 6; i++) {
            world_started(&w, &w.leases[i]);
            world_end_cause(&w, &w.leases[i], ASY_END_PREEMPTED, 0, ASY_CAUSE_DRAINING);
        }
        T_EQ("leased again", w.n_leases, 7);
        world_complete(&w, &w.leases[6], 9, 1.0);
        T_EQ("complete", trial_event(&w, a, 0)->trial_state.state, ASY_TRIAL_COMPLETE);
    }
    world_close(&w);
}

/* A worker that refuses all is asked ever more seldom; one that takes it ends that. */
static void refused_leases_cost_nothing_but_a_wait(void)
{
    static const int64_t waits_ms[] = { 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000 };
    const size_t n = ASY_ARRAY_LEN(waits_ms);
    struct world w;
    struct asy_id a;

    if (begin(&w, 1)) {
        a = submit(&w, 1, STUDY_HEAD("a") RUN(4, true) "retries: 0\nbudget: {trials: 1}\n");
        for (size_t i = 0; i < n; i++) {
            world_end(&w, &w.leases[i], ASY_END_REFUSED, 0);
            T_EQ("waits", w.n_leases, i + 1);
            world_pass(&w, waits_ms[i] - 1, 2, 2);
            T_EQ("not earlier", w.n_leases, i + 1);
            world_pass(&w, 1, 2, 2);
            T_EQ("leased again", w.n_leases, i + 2);
        }
        T_HAS("says so", trial_event(&w, a, 0)->trial_state.text, "refused 8 times in a row");
        world_started(&w, &w.leases[n]);
        world_end(&w, &w.leases[n], ASY_END_PREEMPTED, 0);
        world_end(&w, &w.leases[n + 1], ASY_END_REFUSED, 0);
        world_pass(&w, waits_ms[0], 2, 2);
        T_EQ("the first of others", w.n_leases, n + 3);
        world_complete(&w, &w.leases[n + 2], 4, 1.0);
        T_EQ("complete", trial_event(&w, a, 0)->trial_state.state, ASY_TRIAL_COMPLETE);
    }
    world_close(&w);
}

T_MAIN("ends", T_TEST(crashes_use_up_retries_and_wait_longer_each_time),
       T_TEST(some_ends_fail_a_trial_at_once),
       T_TEST(a_first_crash_without_retries_names_its_own_cause),
       T_TEST(a_rung_that_was_reached_is_not_trained_for_again),
       T_TEST(a_crash_at_a_rung_that_was_reached_uses_up_no_retry),
       T_TEST(a_checkpoint_without_its_value_does_not_reach_a_rung),
       T_TEST(a_trial_that_pauses_at_a_rung_without_a_value_has_failed),
       T_TEST(what_starts_from_nothing_has_no_values),
       T_TEST(what_is_undone_leaves_what_was_before_it),
       T_TEST(a_rung_that_is_never_valued_is_not_tried_for_ever),
       T_TEST(losses_use_no_retries_but_progress_is_wanted),
       T_TEST(a_program_that_always_begins_anew_makes_no_progress),
       T_TEST(interruptions_are_no_losses),
       T_TEST(refused_leases_cost_nothing_but_a_wait))
