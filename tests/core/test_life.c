/* SPDX-License-Identifier: Apache-2.0
 * test_life.c - what becomes of trials: rungs, pauses, stops, targets, resumption, and what of it
 * survives a restart (each test restarts somewhere and compares). How attempts end: test_ends.c. */
#include "life.h"

static void asha_promotes_the_better_and_prunes_the_rest(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w, 1)) {
        a = submit(&w, 1, STUDY_HEAD("a") RUN(4, true) ASHA "budget: {trials: 2}\n");
        T_EQ("first milestone", w.leases[0].milestone, 1);
        to_rung(&w, &w.leases[0], 1.0);
        to_rung(&w, &w.leases[1], 0.5);
        if (T_EQ("the better one goes on", w.n_leases, 3)) {
            T_EQ("it is trial 1", w.leases[2].trial, 1);
            T_EQ("to the next rung", w.leases[2].milestone, 2);
            T_STR("from its checkpoint", w.leases[2].from, "1/1/1");
            T_TRUE(world_restart(&w));
            world_clear(&w);
        }
        T_EQ("the other one waits", world_state(&w, a, 0), ASY_TRIAL_PAUSED);
        T_NEAR("with its value so far", trial_event(&w, a, 0)->trial_state.value, 1.0, 0);
    }
    world_close(&w);
}

static void a_study_without_a_whole_trial_lets_its_best_run_to_the_end(void)
{
    static const char *const heads[] = { "", "deterministic: true, lag: 2, " };

    for (size_t i = 0; i < ASY_ARRAY_LEN(heads); i++) {
        struct world w;
        struct asy_id a;
        char yaml[400];

        snprintf(yaml, sizeof yaml,
                 STUDY_HEAD("a")
                     RUN(8, true) "search: {%ssampler: random, pruner: "
                                  "{name: asha, min: 1, reduction: 4, rule: 1}}\n"
                                  "budget: {trials: 2}\n",
                 heads[i]);
        if (begin(&w, 1)) {
            a = submit(&w, 1, yaml);
            to_rung(&w, &w.leases[0], 0.5);
            to_rung(&w, &w.leases[1], 1.0);
            if (T_EQ("the best goes on", w.n_leases, 3)) {
                T_EQ("it is trial 0", w.leases[2].trial, 0);
                T_EQ("to its end", w.leases[2].milestone, 8);
                T_STR("from its checkpoint", w.leases[2].from, "0/1/1");
                T_EQ("the study goes on", study_state(&w, a), ASY_STUDY_RUNNING);
                world_complete(&w, &w.leases[2], 8, 0.25);
                T_EQ("finished", study_state(&w, a), ASY_STUDY_FINISHED);
                T_EQ("with a whole trial", world_state(&w, a, 0), ASY_TRIAL_COMPLETE);
                T_TRUE(world_restart(&w));
            }
        }
        world_close(&w);
    }
}

static void a_last_trial_that_fails_is_followed_by_the_next_but_not_for_ever(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w, 1)) {
        a = submit(&w, 1,
                   STUDY_HEAD("a")
                       RUN(8, true) "retries: 0\nsearch: {sampler: random, pruner: "
                                    "{name: asha, min: 1, reduction: 8, rule: 1}}\n"
                                    "budget: {trials: 5}\n");
        for (size_t i = 0; i < 5; i++)
            to_rung(&w, &w.leases[i], 0.1 * (double)(5 - i));
        for (size_t i = 5; i < 8 && T_TRUE(w.n_leases == i + 1); i++) {
            T_EQ("the next best", w.leases[i].trial, 9 - i);
            world_started(&w, &w.leases[i]);
            world_end(&w, &w.leases[i], ASY_END_CRASHED, 1);
        }
        T_EQ("no fourth", w.n_leases, 8);
        T_EQ("finished", study_state(&w, a), ASY_STUDY_FINISHED);
        T_EQ("the rest is pruned", world_state(&w, a, 0), ASY_TRIAL_PRUNED);
    }
    world_close(&w);
}

static void paused_trials_end_as_pruned_with_their_study(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w, 1)) {
        a = submit(&w, 1, STUDY_HEAD("a") RUN(2, true) ASHA "budget: {trials: 2}\n");
        to_rung(&w, &w.leases[0], 1.0);
        to_rung(&w, &w.leases[1], 0.5);
        world_complete(&w, &w.leases[2], 2, 0.25);
        T_EQ("finished", study_state(&w, a), ASY_STUDY_FINISHED);
        T_EQ("pruned", trial_event(&w, a, 0)->trial_state.state, ASY_TRIAL_PRUNED);
        T_EQ("because the study ended", trial_event(&w, a, 0)->trial_state.cause,
             ASY_CAUSE_STUDY_ENDED);
        T_NEAR("with its value", trial_event(&w, a, 0)->trial_state.value, 1.0, 0);
        T_NEAR("the other's value", trial_event(&w, a, 1)->trial_state.value, 0.25, 0);
        T_EQ("no checkpoint stays", world_count(&w, ASY_EV_CHECKPOINT),
             world_count(&w, ASY_EV_CHECKPOINT_DROPPED));
        T_EQ("nor its file", w.n_drops, 2);
        T_EQ("two pauses and an end are news to the sampler", w.n_tells, 3);
    }
    world_close(&w);
}

/* Most trials of an ASHA study wait at a rung until the study ends; a sampler that hears of them
 * only then suggests at random all along. */
static void the_sampler_learns_from_trials_that_wait(void)
{
    static const char *const heads[] = { "",
                                         "search: {sampler: random, pruner: {name: asha, min: 1, "
                                         "reduction: 2, rule: 1}, deterministic: true, lag: 1}\n" };
    struct world w;

    for (size_t i = 0; i < ASY_ARRAY_LEN(heads) && begin(&w, 1); i++) {
        struct asy_buf yaml;

        asy_buf_init(&yaml, 4096);
        asy_buf_addf(&yaml, STUDY_HEAD("a") RUN(4, true) "%sbudget: {trials: 2}\n",
                     i ? heads[i] : ASHA);
        submit(&w, 1, yaml.data);
        to_rung(&w, &w.leases[0], 1.0);
        if (T_EQ("it heard of the pause", w.n_tells, 1)) {
            T_EQ("of trial 0", w.tells[0].number, 0);
            T_EQ("as if pruned", w.tells[0].state, ASY_OUTCOME_PRUNED);
            T_NEAR("at its rung", w.tells[0].last_step, 1, 0);
            T_NEAR("with its value", w.tell_values[0], 1.0, 0);
        }
        to_rung(&w, &w.leases[1], 0.5);
        world_started(&w, &w.leases[2]);
        world_report(&w, &w.leases[2], 2, 0.25); /* trial 1 runs on when the coordinator dies */
        world_clear(&w);
        T_TRUE(world_restart(&w));
        world_tick(&w, 1);
        if (T_TRUE(w.n_tells >= 2)) {
            T_EQ("the last is told again", w.tells[w.n_tells - 1].number, 1);
            T_NEAR("as it waited", w.tells[w.n_tells - 1].last_step, 1, 0);
            T_NEAR("with the value of its rung", w.tell_values[w.n_tells - 1], 0.5, 0);
        }
        asy_buf_fini(&yaml);
        world_close(&w);
    }
}

static void median_stops_a_trial_between_milestones(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w, 1)) {
        a = submit(&w, 1, STUDY_HEAD("a") RUN(4, true)
                   "search: {sampler: random, pruner: {name: median, startup_trials: 1}}\n"
                   "budget: {trials: 2}\n");
        world_started(&w, &w.leases[0]);
        world_report(&w, &w.leases[0], 1, 0.1);
        world_report(&w, &w.leases[0], 2, 0.1);
        world_end(&w, &w.leases[0], ASY_END_COMPLETE, 2);
        world_started(&w, &w.leases[1]);
        world_report(&w, &w.leases[1], 1, 9.0);
        if (T_EQ("told to stop", w.n_cancels, 1)) {
            T_EQ("without a checkpoint", w.cancels[0].mode, ASY_CANCEL_STOP);
            T_EQ("as pruned", w.cancels[0].cause, ASY_CAUSE_PRUNED);
        }
        T_TRUE(world_restart(&w));
        world_clear(&w);
        world_agent(&w, &(struct agent){ .peer = 3, .cores = 1 });
        world_agent(&w, &(struct agent){
            .peer = 2, .cores = 1, .n_holdings = 1,
            .holdings = &(struct asy_holding){ a, 1, 1, 1, 1, 2 } });
        T_EQ("told again after a restart", w.n_cancels, 1);
        world_end(&w, &w.leases[1], ASY_END_STOPPED, 1);
        T_EQ("pruned", trial_event(&w, a, 1)->trial_state.cause, ASY_CAUSE_PRUNED);
    }
    world_close(&w);
}

static void a_paused_study_pauses_what_it_runs_and_goes_on(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w, 1)) {
        a = submit(&w, 1, STUDY_HEAD("a") RUN(4, true) "budget: {trials: 3}\n");
        world_started(&w, &w.leases[0]);
        world_report(&w, &w.leases[0], 1, 1.0);
        T_EQ("pause", world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_PAUSE, "a", 0), 0);
        T_EQ("it is told", w.n_cancels == 1 && w.cancels[0].mode == ASY_CANCEL_PAUSE, 1);
        T_EQ("again changes nothing",
             world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_PAUSE, "a", 0), 0);
        world_checkpoint(&w, &w.leases[0], 1);
        world_end(&w, &w.leases[0], ASY_END_PAUSED, 1);
        T_EQ("it queues", world_state(&w, a, 0), ASY_TRIAL_QUEUED);
        T_EQ("nothing runs", w.n_leases, 1);
        T_TRUE(world_restart(&w));
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 1 });
        world_client(&w, CLIENT_PEER, OWNER);
        T_EQ("nothing runs after a restart either", w.n_leases, 1);
        T_EQ("resume", world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_RESUME, "a", 0), 0);
        if (T_EQ("it goes on", w.n_leases, 2)) {
            T_EQ("as the second attempt", w.leases[1].attempt, 2);
            T_STR("from its checkpoint", w.leases[1].from, "0/1/1");
        }
    }
    world_close(&w);
}

static void a_checkpoint_replaces_one_of_the_same_step(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w, 1)) {
        a = submit(&w, 1, STUDY_HEAD("a") RUN(9, true) "budget: {trials: 1}\n");
        world_started(&w, &w.leases[0]);
        world_checkpoint(&w, &w.leases[0], 1);
        world_checkpoint(&w, &w.leases[0], 2);
        world_checkpoint(&w, &w.leases[0], 2);
        T_EQ("one is dropped", world_count(&w, ASY_EV_CHECKPOINT_DROPPED), 1);
        T_EQ("that of the same step",
             world_last(&w, a, 0, ASY_EV_CHECKPOINT_DROPPED)->checkpoint_dropped.checkpoint.step,
             2);
        T_TRUE(world_last(&w, a, 0, ASY_EV_CHECKPOINT_DROPPED) <
               world_last(&w, a, 0, ASY_EV_CHECKPOINT));
        T_EQ("its file is looked at", w.n_drops, 1);
        T_TRUE(world_restart(&w));
    }
    world_close(&w);
}

static void heavy_checkpoint(struct world *w, struct lease *l, uint64_t step, uint64_t mib)
{
    struct asy_event ev = { .kind = ASY_EV_CHECKPOINT };
    char path[64];

    snprintf(path, sizeof path, "%d/%d", (int)l->trial, (int)step);
    ev.checkpoint.checkpoint =
        (struct asy_checkpoint){ .step = step, .bytes = mib << 20, .path = path };
    world_send(w, l, ++l->reported, &ev);
}

static void complete_with_model(struct world *w, struct lease *l, uint64_t mib)
{
    struct asy_event ev = { .kind = ASY_EV_ENDED };

    ev.ended = (typeof(ev.ended)){ .end = ASY_END_COMPLETE, .step = 9, .text = "",
                                   .objective = 0.5, .model_path = "model",
                                   .model_bytes = mib << 20 };
    world_report(w, l, 9, 0.5);
    world_send(w, l, ++l->reported, &ev);
}

/* The last that was dropped is that of this trial and step. */
static void dropped(struct world *w, struct asy_id study, size_t n, int64_t trial, uint64_t step)
{
    const struct asy_event *ev = world_last(w, study, trial, ASY_EV_CHECKPOINT_DROPPED);

    T_EQ("so many are dropped", world_count(w, ASY_EV_CHECKPOINT_DROPPED), n);
    if (T_TRUE(ev != NULL))
        T_EQ("its step", ev->checkpoint_dropped.checkpoint.step, step);
}

static void above_its_quota_a_study_keeps_the_newest_alone(void)
{
    struct world w;
    struct asy_id a;

    if (!world_open(&w))
        return;
    w.config.artifact_quota = UINT64_C(100) << 20;
    if (world_start(&w)) {
        world_client(&w, CLIENT_PEER, OWNER);
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 3 });
        a = submit(&w, 1, STUDY_HEAD("a") RUN(9, true) "budget: {trials: 3}\n");
        for (size_t i = 0; i < 3; i++)
            world_started(&w, &w.leases[i]);
        heavy_checkpoint(&w, &w.leases[0], 1, 40);
        heavy_checkpoint(&w, &w.leases[1], 1, 10);
        heavy_checkpoint(&w, &w.leases[1], 2, 10);
        heavy_checkpoint(&w, &w.leases[0], 2, 40);
        T_EQ("at the quota all stay", world_count(&w, ASY_EV_CHECKPOINT_DROPPED), 0);
        complete_with_model(&w, &w.leases[2], 5); /* a model counts */
        dropped(&w, a, 1, 1, 1);
        heavy_checkpoint(&w, &w.leases[1], 3, 10);
        dropped(&w, a, 2, 0, 1);
        T_TRUE(world_restart(&w));
        world_client(&w, CLIENT_PEER, OWNER);
        world_agent(&w, &(struct agent){
            .peer = 2, .cores = 3, .n_holdings = 2,
            .holdings = (struct asy_holding[]){ { a, 0, 1, w.leases[0].epoch, 1, 3 },
                                                { a, 1, 1, w.leases[1].epoch, 1, 4 } } });
        world_explain(&w, "a", -1);
        T_TRUE(!strstr(w.reply, "artifact_quota"));
        heavy_checkpoint(&w, &w.leases[0], 3, 100);
        dropped(&w, a, 4, 1, 2);
        dropped(&w, a, 4, 0, 2);
        world_explain(&w, "a", -1);
        T_HAS("the newest stay", w.reply, "take 115 MiB, artifact_quota is 100 MiB");
        world_report(&w, &w.leases[0], 9, 0.5);
        world_end(&w, &w.leases[0], ASY_END_COMPLETE, 9);
        world_explain(&w, "a", -1);
        T_TRUE(!strstr(w.reply, "artifact_quota"));
        T_TRUE(world_restart(&w));
    }
    world_close(&w);
}

/* The agent died between the checkpoint at the milestone and the word that it paused there. */
static void what_was_lost_at_its_milestone_is_not_run_again(void)
{
    static const struct {
        const char *name;
        unsigned length;
        enum asy_trial_state want;
    } cases[] = { { "at a rung", 4, ASY_TRIAL_PAUSED }, { "at the end", 1, ASY_TRIAL_COMPLETE } };

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
            world_tick(&w, w.config.lost_after_ms);
            T_EQ("its worker may come back", world_state(&w, a, 0), ASY_TRIAL_QUEUED);
            world_agent(&w, &(struct agent){ .peer = 3, .cores = 1, .life = 1 });
            T_EQ(cases[i].name, world_state(&w, a, 0), cases[i].want);
            T_EQ("the next trial is leased", w.leases[w.n_leases - 1].trial, 1);
            T_TRUE(world_restart(&w));
        }
        world_close(&w);
        asy_buf_fini(&yaml);
    }
}

static void what_cannot_checkpoint_runs_on_to_its_end(void)
{
    struct world w;

    if (begin(&w, 1)) {
        submit(&w, 1, STUDY_HEAD("a") RUN(4, false) "budget: {trials: 3}\n");
        world_started(&w, &w.leases[0]);
        world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_PAUSE, "a", 0);
        T_EQ("it is left alone", w.n_cancels, 0);
        world_report(&w, &w.leases[0], 4, 1.0);
        world_end(&w, &w.leases[0], ASY_END_COMPLETE, 4);
        T_EQ("and nothing follows", w.n_leases, 1);
    }
    world_close(&w);
}

static void a_drained_coordinator_pauses_all_and_quits(void)
{
    struct asy_input drain = { .type = ASY_IN_DRAIN };
    struct asy_msg bye = { .type = ASY_MSG_BYE };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_jsonw j = { 0 };
    struct world w;
    struct asy_id a;

    if (begin(&w, 2)) {
        a = submit(&w, 1, STUDY_HEAD("a") RUN(4, true) "budget: {trials: 3}\n");
        world_started(&w, &w.leases[0]);
        world_started(&w, &w.leases[1]);
        world_input(&w, &drain);
        T_EQ("both are told", w.n_cancels, 2);
        T_EQ("and their agent", w.n_drains, 1);
        T_EQ("the study is paused", study_state(&w, a), ASY_STUDY_PAUSED);
        world_end(&w, &w.leases[0], ASY_END_PAUSED, 0);
        T_EQ("not yet", w.n_quits, 0);
        world_end(&w, &w.leases[1], ASY_END_PREEMPTED, 0);
        T_EQ("its agent is about to hear that", w.n_quits, 0);
        world_msg(&w, 2, OWNER, &bye);
        T_EQ("quits when it has left", w.n_quits, 1);
        T_EQ("on record", world_count(&w, ASY_EV_WORKER_GONE), 1);
        world_clear(&w);
        world_agent(&w, &(struct agent){ .peer = 3, .cores = 2 });
        T_EQ("takes no other", world_count(&w, ASY_EV_WORKER_JOINED), 1);
        T_TRUE(world_restart(&w));
        T_EQ("and waits for none", asy_core_explain_worker(w.core, NULL, "node", &j, &err),
             ASY_E_NOENT);
        world_clear(&w);
        world_client(&w, CLIENT_PEER, OWNER);
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 2 });
        T_EQ("still paused", w.n_leases, 0);
        world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_RESUME, "a", 0);
        T_EQ("goes on", w.n_leases, 2);
    }
    world_close(&w);
}

static void a_drained_coordinator_does_not_wait_for_ever(void)
{
    struct asy_input drain = { .type = ASY_IN_DRAIN };
    struct world w;

    if (begin(&w, 2)) {
        world_agent(&w, &(struct agent){ .peer = 3, .cores = 1 });
        world_input(&w, &drain);
        world_closed(&w, 3);
        world_pass(&w, 4500, 2, 2);
        T_EQ("one is there and does not leave", w.n_quits, 0);
        world_pass(&w, 500, 2, 2);
        T_EQ("long enough", w.n_quits, 1);
        T_EQ("parted with both", world_count(&w, ASY_EV_WORKER_GONE), 2);
    }
    world_close(&w);
}

static void values_follow_the_lineage(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w, 1)) {
        a = submit(&w, 1, STUDY_HEAD("a") RUN(9, true) "budget: {trials: 1}\n");
        world_started(&w, &w.leases[0]);
        world_report(&w, &w.leases[0], 1, 0.9);
        world_checkpoint(&w, &w.leases[0], 1);
        world_report(&w, &w.leases[0], 2, 0.1); /* above the checkpoint: undone */
        world_end(&w, &w.leases[0], ASY_END_PREEMPTED, 2);
        T_EQ("from step 1", w.leases[1].from_step, 1);
        world_started(&w, &w.leases[1]);
        T_TRUE(world_restart(&w));
        world_agent(&w, &(struct agent){
            .peer = 2, .cores = 1, .n_holdings = 1,
            .holdings = &(struct asy_holding){ a, 0, 2, 2, 1, 1 } });
        world_report(&w, &w.leases[1], 2, 0.7);
        world_report(&w, &w.leases[1], 3, 0.8);
        world_end(&w, &w.leases[1], ASY_END_COMPLETE, 3);
        T_NEAR("best of what counts", trial_event(&w, a, 0)->trial_state.value, 0.7, 0);
    }
    world_close(&w);
}

static void the_last_value_counts_where_asked_for(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w, 1)) {
        a = submit(&w, 1, "assay: 1\nname: a\n"
                   "objective: {metric: loss, goal: minimize, take: last}\n"
                   "parameters: {x: {min: 0.0, max: 1.0}}\n" RUN(9, true)
                   "budget: {trials: 1}\n");
        world_started(&w, &w.leases[0]);
        world_report(&w, &w.leases[0], 1, 0.1);
        world_report(&w, &w.leases[0], 2, NAN);
        world_report(&w, &w.leases[0], 3, 0.4);
        world_report(&w, &w.leases[0], 4, NAN);
        world_end(&w, &w.leases[0], ASY_END_COMPLETE, 4);
        T_NEAR("last number", trial_event(&w, a, 0)->trial_state.value, 0.4, 0);
    }
    world_close(&w);
}

static void the_target_ends_the_study(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w, 2)) {
        a = submit(&w, 1, "assay: 1\nname: a\n"
                   "objective: {metric: loss, goal: minimize, target: 0.2}\n"
                   "parameters: {x: {min: 0.0, max: 1.0}}\n" RUN(9, true)
                   "budget: {trials: 20}\n");
        world_started(&w, &w.leases[0]);
        world_started(&w, &w.leases[1]);
        world_report(&w, &w.leases[1], 1, 0.5);
        world_report(&w, &w.leases[0], 1, 0.2);
        T_EQ("stopping", study_state(&w, a), ASY_STUDY_STOPPING);
        T_EQ("both are told", w.n_cancels, 2);
        T_TRUE(world_restart(&w));
        world_agent(&w, &(struct agent){
            .peer = 2, .cores = 2, .n_holdings = 2,
            .holdings = (struct asy_holding[]){ { a, 0, 1, 1, 1, 2 }, { a, 1, 1, 1, 1, 2 } } });
        world_end(&w, &w.leases[0], ASY_END_STOPPED, 1);
        world_end(&w, &w.leases[1], ASY_END_STOPPED, 1);
        T_EQ("the one that reached it", trial_event(&w, a, 0)->trial_state.state,
             ASY_TRIAL_COMPLETE);
        T_EQ("the other", trial_event(&w, a, 1)->trial_state.state, ASY_TRIAL_PRUNED);
        T_EQ("finished", study_state(&w, a), ASY_STUDY_FINISHED);
    }
    world_close(&w);
}

static void users_stop_trials_and_studies(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w, 1)) {
        a = submit(&w, 1, STUDY_HEAD("a") RUN(9, true) "budget: {trials: 4}\n");
        T_EQ("a queued one",
             world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_STOP_TRIAL, "a", 1), 0);
        T_EQ("ends at once", world_state(&w, a, 1), ASY_TRIAL_CANCELLED);
        world_started(&w, &w.leases[0]);
        T_EQ("a running one",
             world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_STOP_TRIAL, "a", 0), 0);
        T_EQ("is told", w.cancels[0].mode, ASY_CANCEL_STOP);
        T_TRUE(world_restart(&w)); /* the wish is on record */
        world_client(&w, CLIENT_PEER, OWNER);
        world_agent(&w, &(struct agent){
            .peer = 2, .cores = 1, .n_holdings = 1,
            .holdings = &(struct asy_holding){ a, 0, 1, 1, 1, 1 } });
        T_EQ("and told again", w.n_cancels, 2);
        world_end(&w, &w.leases[0], ASY_END_STOPPED, 0);
        T_EQ("cancelled", world_state(&w, a, 0), ASY_TRIAL_CANCELLED);
        T_EQ("asked again",
             world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_STOP_TRIAL, "a", 0), 0);
        world_complete(&w, &w.leases[1], 9, 1.0);
        T_EQ("over is over",
             world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_STOP_TRIAL, "a", 2), ASY_E_STATE);
        T_EQ("no such trial",
             world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_STOP_TRIAL, "a", 99), ASY_E_NOENT);
        world_started(&w, &w.leases[2]);
        T_EQ("all", world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_STOP, "a", 0), 0);
        world_end(&w, &w.leases[2], ASY_END_STOPPED, 0);
        T_EQ("stopped", study_state(&w, a), ASY_STUDY_STOPPED);
        T_EQ("its trial is cancelled", trial_event(&w, a, 3)->trial_state.cause, ASY_CAUSE_USER);
        T_EQ("again is fine", world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_STOP, "a", 0), 0);
        T_EQ("no such study",
             world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_STOP, "b", 0), ASY_E_NOENT);
    }
    world_close(&w);
}

static void resubmission_and_resumption(void)
{
    static const char first[] = STUDY_HEAD("a") RUN(4, true) "budget: {trials: 1}\n";
    static const char more[] = STUDY_HEAD("a") RUN(4, true) "budget: {trials: 3}\n";
    static const char other[] = STUDY_HEAD("a") RUN(5, true) "budget: {trials: 3}\n";
    struct world w;
    struct asy_id a;

    if (begin(&w, 1)) {
        a = submit(&w, 1, first);
        T_HAS("name", w.reply_json, "\"name\":\"a\"");
        world_submit(&w, CLIENT_PEER, OWNER, 1, first, 0);
        T_EQ("sent twice, made once", world_count(&w, ASY_EV_STUDY_CREATED), 1);
        T_HAS("and answered the same", w.reply_json, "\"name\":\"a\"");
        submit(&w, 2, first);
        T_HAS("the name is taken", w.reply_json, "\"name\":\"a-2\"");
        world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_STOP, "a-2", 0);
        world_started(&w, &w.leases[0]);
        world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_PAUSE, "a", 0);
        world_submit(&w, CLIENT_PEER, OWNER, 3, other, 1);
        T_EQ("another length is refused", w.reply_code, ASY_E_INVAL);
        T_HAS("and named", w.reply, "length");
        world_submit(&w, CLIENT_PEER, OWNER, 4, more, 1);
        T_EQ("more trials are fine", w.reply_code, 0);
        T_EQ("running again", study_state(&w, a), ASY_STUDY_RUNNING);
        T_TRUE(world_restart(&w));
        world_client(&w, CLIENT_PEER, OWNER);
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 1 });
        for (size_t i = 1; i < 4 && i < w.n_leases; i++)
            world_complete(&w, &w.leases[i], 4, 1.0);
        T_EQ("three in all", world_count(&w, ASY_EV_TRIAL_CREATED), 3);
        T_EQ("finished", study_state(&w, a), ASY_STUDY_FINISHED);
        T_EQ("a stop is late", world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_STOP, "a", 0), 0);
        T_STR("and no news", w.reply, "");
        world_submit(&w, CLIENT_PEER, OWNER, 5, more, 1);
        T_EQ("nothing unfinished", w.reply_code, ASY_E_NOENT);
        T_HAS("says so", w.reply, "no unfinished study is named 'a'");
    }
    world_close(&w);
}

/* A file that says nothing of asha's rule goes on with the rule that its study has. */
static void a_resume_keeps_what_its_file_leaves_open(void)
{
#define BY(options, budget) STUDY_HEAD("a") RUN(4, true) "budget: {trials: " #budget "}\n" \
    "search: {pruner: {name: asha" options "}}\n"
    static const struct { const char *name, *first, *other, *remedy, *rule; } cases[] = {
        { "rule 1", BY(", rule: 1", 2), BY(", rule: 2", 3), "write 'rule: 1', or leave it out",
          "\"rule\":1" },
        { "rule 2", BY(", rule: 2", 2), BY(", rule: 1", 3), "write 'rule: 2', or leave it out",
          "\"rule\":2" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        const struct asy_event *changed;
        struct world w;
        struct asy_id a;

        if (begin(&w, 1)) {
            a = submit(&w, 1, cases[i].first);
            world_submit(&w, CLIENT_PEER, OWNER, 2, cases[i].other, 1);
            T_EQ(cases[i].name, w.reply_code, ASY_E_INVAL);
            T_HAS(cases[i].name, w.reply, cases[i].remedy);
            world_submit(&w, CLIENT_PEER, OWNER, 3, BY("", 3), 1);
            T_EQ(cases[i].name, w.reply_code, 0);
            changed = world_last(&w, a, -1, ASY_EV_STUDY_CHANGED);
            if (T_TRUE(changed != NULL))
                T_HAS(cases[i].name, changed->study_changed.spec, cases[i].rule);
            T_TRUE(world_restart(&w));
        }
        world_close(&w);
    }
#undef BY
}

static void deterministic_studies_refuse_what_depends_on_time(void)
{
    static const struct { const char *name, *yaml, *want; } cases[] = {
        { "median", STUDY_HEAD("a") RUN(4, true)
          "search: {deterministic: true, pruner: median}\nbudget: {trials: 2}\n", "median" },
        { "time", STUDY_HEAD("a") RUN(4, true)
          "search: {deterministic: true}\nbudget: {time: 5s}\n", "budget.time" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_study_spec *spec = NULL;
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_buf problems;
        struct world w;

        /* Either the study file's checks or the coordinator refuse it. */
        asy_buf_init(&problems, 1 << 16);
        if (asy_study_parse(cases[i].yaml, strlen(cases[i].yaml), "t", "/t", &spec, &problems,
                            &err) == 0 && begin(&w, 1)) {
            world_submit(&w, CLIENT_PEER, OWNER, 1, cases[i].yaml, 0);
            T_EQ(cases[i].name, w.reply_code, ASY_E_INVAL);
            T_HAS(cases[i].name, w.reply, cases[i].want);
            world_close(&w);
        } else {
            T_HAS(cases[i].name, problems.data, "deterministic");
        }
        asy_study_destroy(spec);
        asy_buf_fini(&problems);
    }
}

T_MAIN("life", T_TEST(asha_promotes_the_better_and_prunes_the_rest),
       T_TEST(a_study_without_a_whole_trial_lets_its_best_run_to_the_end),
       T_TEST(a_last_trial_that_fails_is_followed_by_the_next_but_not_for_ever),
       T_TEST(paused_trials_end_as_pruned_with_their_study),
       T_TEST(the_sampler_learns_from_trials_that_wait),
       T_TEST(median_stops_a_trial_between_milestones),
       T_TEST(a_paused_study_pauses_what_it_runs_and_goes_on),
       T_TEST(what_was_lost_at_its_milestone_is_not_run_again),
       T_TEST(what_cannot_checkpoint_runs_on_to_its_end),
       T_TEST(a_drained_coordinator_pauses_all_and_quits),
       T_TEST(a_drained_coordinator_does_not_wait_for_ever),
       T_TEST(a_checkpoint_replaces_one_of_the_same_step),
       T_TEST(above_its_quota_a_study_keeps_the_newest_alone),
       T_TEST(values_follow_the_lineage),
       T_TEST(the_last_value_counts_where_asked_for),
       T_TEST(the_target_ends_the_study),
       T_TEST(users_stop_trials_and_studies),
       T_TEST(resubmission_and_resumption),
       T_TEST(a_resume_keeps_what_its_file_leaves_open),
       T_TEST(deterministic_studies_refuse_what_depends_on_time))
