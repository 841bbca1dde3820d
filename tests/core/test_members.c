/* SPDX-License-Identifier: Apache-2.0
 * test_members.c - the turns of a population's members: where they start, what becomes of them
 * where a checkpoint is gone or a backup is restored, and how a population ends. */
#include "life.h"

#define POPULATION STUDY_HEAD("a") RUN(9, true)                                                    \
    "search: {sampler: {name: pbt, population: 2, interval: 3}}\n"
#define AGENT 2

/* The sampler's answers are the test's own. */
static bool open(struct world *w, enum asy_foreign foreign, struct asy_id *ret_study)
{
    if (!world_open(w))
        return false;
    w->auto_ask = 0;
    w->config.foreign = foreign;
    if (!world_start(w))
        return false;
    world_client(w, CLIENT_PEER, OWNER);
    world_agent(w, &(struct agent){ .peer = AGENT, .cores = 2 });
    *ret_study = submit(w, 1, POPULATION);
    return true;
}

/* The next trial is a turn of this member, from that trial's checkpoint (< 0: from nothing); its
 * lease. */
static struct lease *turn(struct world *w, struct asy_id study, uint64_t number, uint64_t member,
                          int64_t parent)
{
    world_member(w, study, number, 0.5, 0, (struct asy_origin){ member, (uint64_t)(parent + 1) });
    if (!T_TRUE(w->n_leases > 0 && w->leases[w->n_leases - 1].trial == number))
        fprintf(stderr, "trial %d was not leased\n", (int)number);
    return &w->leases[w->n_leases ? w->n_leases - 1 : 0];
}

static void fail(struct world *w, struct lease *l)
{
    world_started(w, l);
    world_end(w, l, ASY_END_DIVERGED, 1);
}

/* Two turns of member 2 fail; whoever still trains may come to its end. */
static void a_population_that_is_given_up_says_why(void)
{
    struct asy_id a;
    struct world w;

    if (open(&w, ASY_FOREIGN_ASK, &a)) {
        struct lease *first = turn(&w, a, 0, 1, -1);

        fail(&w, turn(&w, a, 1, 2, -1));
        fail(&w, turn(&w, a, 2, 2, -1));
        world_member(&w, a, 3, 0, ASY_E_GONE, (struct asy_origin){ 0 });
        T_EQ("who trains goes on", study_state(&w, a), ASY_STUDY_RUNNING);
        T_EQ("nobody is stopped", w.n_cancels, 0);
        w.n_asks = 0;
        to_rung(&w, first, 0.5);
        T_EQ("nothing more is asked for", w.n_asks, 0);
        T_EQ("failed", study_state(&w, a), ASY_STUDY_FAILED);
        T_EQ("by the sampler", world_last(&w, a, -1, ASY_EV_STUDY_STATE)->study_state.cause,
             ASY_CAUSE_SAMPLER_FAILED);
        T_STR("in its words", world_last(&w, a, -1, ASY_EV_STUDY_STATE)->study_state.text,
              "no point");
        T_EQ("what was trained counts", world_state(&w, a, 0), ASY_TRIAL_COMPLETE);
    }
    world_close(&w);
}

/* Its word stays the reason over whatever becomes of the study until then. */
static void the_word_of_its_sampler_outlives_a_pause(void)
{
    struct asy_id a;
    struct world w;

    if (open(&w, ASY_FOREIGN_ASK, &a)) {
        struct lease *first = turn(&w, a, 0, 1, -1);

        fail(&w, turn(&w, a, 1, 2, -1));
        world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_PAUSE, "a", 0);
        world_member(&w, a, 2, 0, ASY_E_GONE, (struct asy_origin){ 0 });
        T_EQ("paused", study_state(&w, a), ASY_STUDY_PAUSED);
        world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_RESUME, "a", 0);
        to_rung(&w, first, 0.5);
        T_EQ("failed", study_state(&w, a), ASY_STUDY_FAILED);
        T_STR("in its words", world_last(&w, a, -1, ASY_EV_STUDY_STATE)->study_state.text,
              "no point");
    }
    world_close(&w);
}

/* The same is on record: a restart between the sampler's word and the end changes nothing. */
static void that_it_is_given_up_is_on_record(void)
{
    struct asy_id a;
    struct world w;

    if (open(&w, ASY_FOREIGN_ASK, &a)) {
        turn(&w, a, 0, 1, -1);
        fail(&w, turn(&w, a, 1, 2, -1));
        world_member(&w, a, 2, 0, ASY_E_GONE, (struct asy_origin){ 0 });
        w.n_asks = 0;
        T_TRUE(world_restart(&w));
        world_pass(&w, 100000, 0, 0); /* its worker does not come back */
        T_EQ("nothing is asked for", w.n_asks, 0);
    }
    world_close(&w);
}

/* To the whole length at once, beyond the interval: nobody could go on from there. */
static void a_turn_that_reaches_the_very_end_is_the_last(void)
{
    static const enum asy_end ends[] = { ASY_END_PAUSED, ASY_END_COMPLETE };

    for (size_t i = 0; i < ASY_ARRAY_LEN(ends); i++) {
        struct asy_id a;
        struct world w;

        if (open(&w, ASY_FOREIGN_ASK, &a)) {
            struct lease *l = turn(&w, a, 0, 1, -1);

            T_EQ("one interval", l->milestone, 3);
            world_started(&w, l);
            world_report(&w, l, 9, 0.5);
            world_checkpoint(&w, l, 9);
            world_end(&w, l, ends[i], 9);
            T_EQ("complete", world_state(&w, a, 0), ASY_TRIAL_COMPLETE);
            if (T_TRUE(w.n_tells > 0))
                T_EQ(asy_end_name(ends[i]), w.tells[w.n_tells - 1].over, 1);
        }
        world_close(&w);
    }
}

static void refuse_twice(struct world *w)
{
    for (int i = 0; i < 2; i++) {
        world_end_cause(w, &w->leases[w->n_leases - 1], ASY_END_REFUSED, 0,
                        ASY_CAUSE_CHECKPOINT_GONE);
        world_pass(w, 2000, AGENT, AGENT);
    }
}

/* First its own checkpoint is gone, then its parent's, too. */
static void without_its_own_checkpoint_a_turn_starts_from_its_parents(void)
{
    struct asy_id a;
    struct world w;
    struct lease *l;

    if (open(&w, ASY_FOREIGN_ASK, &a)) {
        to_rung(&w, turn(&w, a, 0, 1, -1), 0.5);
        l = turn(&w, a, 1, 1, 0);
        T_STR("from its parent's", l->from, "0/1/3");
        T_EQ("one interval on", l->milestone, 6);
        world_started(&w, l);
        world_report(&w, l, 4, 0.5);
        world_checkpoint(&w, l, 4);
        world_end(&w, l, ASY_END_PREEMPTED, 4);
        T_STR("from its own", w.leases[w.n_leases - 1].from, "1/1/4");
        refuse_twice(&w);
        T_STR("from its parent's", w.leases[w.n_leases - 1].from, "0/1/3");
        T_EQ("it goes on", world_state(&w, a, 1), ASY_TRIAL_LEASED);
        refuse_twice(&w);
        T_EQ("from neither", world_state(&w, a, 1), ASY_TRIAL_FAILED);
        T_HAS("says so", trial_event(&w, a, 1)->trial_state.text, "it cannot start from trial 0");
    }
    world_close(&w);
}

/* What its agent offers after a backup was restored: begun from the checkpoint at that step. */
static void offer(struct world *w, const struct lease *l, uint64_t step)
{
    struct asy_offer offered = world_offer(l);
    struct asy_holding holding = { .study = l->study, .trial = l->trial, .attempt = l->attempt,
                                   .epoch = l->epoch, .running = 1, .reported = 3,
                                   .offer = &offered };

    offered.from = (struct asy_checkpoint){ .attempt = 1, .step = step };
    if (!T_TRUE(world_restore(w, w->n_events)))
        return;
    world_clear(w);
    world_client(w, CLIENT_PEER, OWNER);
    world_agent(w, &(struct agent){ .peer = AGENT, .cores = 2, .holdings = &holding,
                                    .n_holdings = 1 });
}

/* Its own checkpoints come again with its reports. */
static void an_adopted_turn_may_have_begun_from_its_parents_checkpoint(void)
{
    struct asy_id a;
    struct world w;
    struct lease l;

    if (open(&w, ASY_FOREIGN_ADOPT, &a)) {
        to_rung(&w, turn(&w, a, 0, 1, -1), 0.5);
        l = *turn(&w, a, 1, 1, 0);
        world_started(&w, &l);
        world_report(&w, &l, 4, 0.5);
        world_checkpoint(&w, &l, 4);
        offer(&w, &l, 3);
        if (T_EQ("adopted", w.n_leases, 1))
            T_STR("from its parent's", w.leases[0].from, "0/1/3");
        T_EQ("off the record", world_count(&w, ASY_EV_CHECKPOINT_DROPPED), 1);
        T_EQ("of the trial itself", world_last(&w, a, 1, ASY_EV_CHECKPOINT_DROPPED) != NULL, 1);
        T_TRUE(world_restart(&w));
    }
    world_close(&w);
}

/* That of its parent's parent is still there, for another member. */
static void but_not_from_one_further_back(void)
{
    struct asy_id a;
    struct world w;
    struct lease l;

    if (open(&w, ASY_FOREIGN_ADOPT, &a)) {
        to_rung(&w, turn(&w, a, 0, 1, -1), 0.5);
        fail(&w, turn(&w, a, 1, 2, -1));
        turn(&w, a, 2, 2, 0);
        to_rung(&w, turn(&w, a, 3, 1, 0), 0.5);
        l = *turn(&w, a, 4, 1, 3);
        T_STR("from its parent's", l.from, "3/1/6");
        T_EQ("nothing was dropped", world_count(&w, ASY_EV_CHECKPOINT_DROPPED), 0);
        world_started(&w, &l);
        offer(&w, &l, 3);
        T_EQ("not adopted", w.n_leases, 0);
        T_EQ("killed", w.n_cancels == 1 && w.cancels[0].mode == ASY_CANCEL_KILL, 1);
    }
    world_close(&w);
}

T_MAIN("members", T_TEST(a_population_that_is_given_up_says_why),
       T_TEST(the_word_of_its_sampler_outlives_a_pause), T_TEST(that_it_is_given_up_is_on_record),
       T_TEST(a_turn_that_reaches_the_very_end_is_the_last),
       T_TEST(without_its_own_checkpoint_a_turn_starts_from_its_parents),
       T_TEST(an_adopted_turn_may_have_begun_from_its_parents_checkpoint),
       T_TEST(but_not_from_one_further_back))
