/* SPDX-License-Identifier: Apache-2.0
 * test_progress.c - a study out of answers and events. */
#include "study_kit.h"

static void a_study_says_what_it_is_after(void)
{
    struct asy__progress p;

    if (kit_study(&p)) {
        T_STR("metric", p.metric, "val_accuracy");
        T_STR("unit", p.unit, "epochs");
        T_EQ("trials", p.max_trials, 8);
        T_EQ("time", p.max_time_ms, 600000);
        T_EQ("length", p.length_max, 16);
        T_EQ("last event", p.seq, 1);
    }
    asy__progress_fini(&p);
}

static void trials_are_counted_by_state(void)
{
    struct asy__progress p;

    if (kit_study(&p)) {
        kit_trial(&p, 0, "{\"x\":1}", 4);
        kit_trial(&p, 1, "{\"x\":2}", 4);
        kit_event(&p, "{\"kind\":\"trial-created\",\"trial\":2,\"params\":{}}");
        kit_report(&p, 0, 4, 0.5);
        kit_state(&p, 0, "paused", 4);
        T_EQ("running", p.counts[ASY_TRIAL_RUNNING], 1);
        T_EQ("queued", p.counts[ASY_TRIAL_QUEUED], 1);
        T_EQ("paused", p.counts[ASY_TRIAL_PAUSED], 1);
        T_EQ("done", asy__progress_done(&p), 1);
        T_STR("params", p.trials[1].params, "x=2");
        asy__progress_drained(&p);
        T_EQ("none runs any more", p.counts[ASY_TRIAL_RUNNING], 0);
        T_EQ("what ran waits", p.counts[ASY_TRIAL_QUEUED], 2);
        T_EQ("what was paused is it still", p.counts[ASY_TRIAL_PAUSED], 1);
    }
    asy__progress_fini(&p);
}

static void an_event_seen_twice_counts_once(void)
{
    struct asy__progress p;

    if (kit_study(&p)) {
        for (int i = 0; i < 2; i++) {
            kit_trial(&p, 0, "{}", 4);
            kit_report(&p, 0, 1, 0.5);
            kit_state(&p, 0, "complete", 1);
        }
        T_EQ("one trial", p.n, 1);
        T_EQ("complete", p.counts[ASY_TRIAL_COMPLETE], 1);
        T_EQ("none runs", p.counts[ASY_TRIAL_RUNNING] + p.counts[ASY_TRIAL_LEASED], 0);
    }
    asy__progress_fini(&p);
}

static void the_best_is_the_best_of_all_that_count(void)
{
    struct asy__progress p;

    if (kit_study(&p)) {
        for (int i = 0; i < 3; i++)
            kit_trial(&p, i, "{}", 16);
        kit_report(&p, 0, 1, 0.5);
        kit_report(&p, 1, 1, 0.9);
        kit_report(&p, 1, 2, 0.4); /* the best of a trial counts */
        kit_report(&p, 2, 1, 0.7);
        T_EQ("the best", p.best_trial, 1);
        T_NEAR("its value", p.trials[1].value, 0.9, 0);
        T_EQ("where it had it", p.trials[1].value_step, 1);
        kit_state(&p, 1, "failed", 2);
        T_EQ("a failed one does not count", p.best_trial, 2);
        kit_event(&p, "{\"kind\":\"trial-state\",\"trial\":0,\"state\":\"complete\","
                  "\"value\":0.8,\"step\":16}");
        T_EQ("nor is the last word missed", p.best_trial, 0);
    }
    asy__progress_fini(&p);
}

static void what_is_undone_does_not_count(void)
{
    struct asy__progress p;

    if (kit_study(&p)) {
        kit_trial(&p, 0, "{}", 16);
        kit_trial(&p, 1, "{}", 16);
        kit_report(&p, 0, 2, 0.9);
        kit_report(&p, 1, 2, 0.5);
        kit_event(&p, "{\"kind\":\"leased\",\"trial\":0,\"attempt\":2,\"milestone\":16,"
                  "\"from\":{\"attempt\":1,\"step\":1}}");
        T_EQ("the other one is the best now", p.best_trial, 1);
        kit_report(&p, 0, 2, 0.9);
        T_EQ("until it comes again", p.best_trial, 0);
        kit_event(&p, "{\"kind\":\"leased\",\"trial\":0,\"attempt\":3,\"milestone\":16,"
                  "\"from\":{\"attempt\":2,\"step\":2}}");
        T_EQ("what its checkpoint has stays", p.best_trial, 0);
    }
    asy__progress_fini(&p);
}

static void samples_are_those_of_what_runs(void)
{
    struct asy__progress p;

    if (kit_study(&p)) {
        T_TRUE(isnan(asy__progress_rate(&p)));
        kit_trial(&p, 0, "{}", 16);
        kit_report(&p, 0, 1, 0.5);
        kit_trial(&p, 1, "{}", 16);
        T_NEAR("one that was silent counts as the other", asy__progress_rate(&p), 1000, 0);
        kit_state(&p, 0, "paused", 1);
        T_NEAR("by the last known", asy__progress_rate(&p), 500, 0);
        kit_state(&p, 1, "paused", 1);
        T_TRUE(isnan(asy__progress_rate(&p)));
    }
    asy__progress_fini(&p);
}

static void what_is_left_is_said_only_if_it_is_known(void)
{
    static const struct { const char *name; uint64_t then; int64_t elapsed_ms, age_ms, want;
                          int at_most; } cases[] = {
        { "at this pace", 0, 60000, -1, 60000, 0 },
        { "what was done before has no part in it", 2, 60000, -1, -1, 1 },
        { "too early", 0, 500, -1, -1, 1 },
        { "only budget.time is known", 0, 500, 500, 599500, 1 },
        { "budget.time comes first", 0, 60000, 570000, 30000, 0 },
        { "it is used up", 0, 60000, 700000, 0, 0 },
    };
    struct asy__progress p;
    int at_most;

    if (kit_study(&p)) {
        T_EQ("nothing is known", asy__progress_left_ms(&p, 0, 60000, -1, &at_most), -1);
        for (int i = 0; i < 4; i++) {
            kit_trial(&p, i, "{}", 16);
            kit_state(&p, i, "paused", 1);
        }
        for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
            T_EQ(cases[i].name, asy__progress_left_ms(&p, cases[i].then, cases[i].elapsed_ms,
                                                      cases[i].age_ms, &at_most), cases[i].want);
            T_EQ(cases[i].name, at_most, cases[i].at_most);
        }
    }
    asy__progress_fini(&p);
}

static void rows_and_events_give_the_same(void)
{
    struct asy_json *rows =
        kit_json("{\"trials\":[{\"number\":0,\"state\":\"paused\",\"value\":0.5,"
                 "\"step\":4,\"attempts\":1,\"params\":{\"x\":1}},"
                 "{\"number\":1,\"state\":\"failed\",\"value\":null,"
                 "\"step\":2,\"attempts\":2,\"params\":{\"x\":2}}]}");
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__progress p;

    if (kit_study(&p) && T_OK(asy__progress_trials(&p, rows, &err), &err)) {
        T_EQ("best", p.best_trial, 0);
        T_EQ("paused", p.counts[ASY_TRIAL_PAUSED], 1);
        kit_event(&p, "{\"kind\":\"leased\",\"trial\":0,\"attempt\":2,\"milestone\":16,"
                  "\"from\":{\"attempt\":1,\"step\":4}}");
        kit_event(&p, "{\"kind\":\"started\",\"trial\":0,\"attempt\":2}");
        T_EQ("goes on", p.trials[0].state, ASY_TRIAL_RUNNING);
        T_EQ("from", p.trials[0].from, 4);
        kit_event(&p, "{\"kind\":\"leased\",\"trial\":1,\"attempt\":3,\"milestone\":16}");
        T_EQ("an ended one stays ended", p.trials[1].state, ASY_TRIAL_FAILED);
    }
    asy_json_destroy(rows);
    asy__progress_fini(&p);
}

static void an_event_of_no_sense_is_refused(void)
{
    static const char *const cases[] = {
        "{\"kind\":\"report\",\"trial\":-1}", "{\"kind\":\"leased\",\"trial\":\"x\"}",
        "{\"kind\":\"trial-created\",\"trial\":4294967296}",
    };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__progress p;

    if (kit_study(&p))
        for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
            struct asy_json *event = kit_json(cases[i]);

            T_TRUE(asy__progress_event(&p, event, &err) < 0);
            asy_json_destroy(event);
        }
    asy__progress_fini(&p);
}

T_MAIN("cli progress", T_TEST(a_study_says_what_it_is_after), T_TEST(trials_are_counted_by_state),
       T_TEST(an_event_seen_twice_counts_once), T_TEST(the_best_is_the_best_of_all_that_count),
       T_TEST(what_is_undone_does_not_count), T_TEST(samples_are_those_of_what_runs),
       T_TEST(what_is_left_is_said_only_if_it_is_known),
       T_TEST(rows_and_events_give_the_same), T_TEST(an_event_of_no_sense_is_refused))
