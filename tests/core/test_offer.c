/* SPDX-License-Identifier: Apache-2.0
 * test_offer.c - a backup is restored while agents run what an earlier store has leased: they offer
 * it, and it is adopted or discarded, as a setting has it or as its owner says. */
#include "world.h"

#define STUDY STUDY_HEAD("a") RUN(9, true) "budget: {trials: 2}\n"
#define AGENT 2
#define OTHER 3

/* A world in which AGENT was leased trial 0 and has said what `said` says, then a backup of the
 * first n events (SIZE_MAX: all) is restored. */
struct restored {
    struct world w;
    struct asy_id study;
    struct lease lease;
    struct asy_offer offer;
    struct asy_holding holding;
};

static bool lease_one(struct restored *r, enum asy_foreign foreign)
{
    if (!world_open(&r->w))
        return false;
    r->w.config.foreign = foreign;
    if (!world_start(&r->w))
        return false;
    world_client(&r->w, CLIENT_PEER, OWNER);
    world_agent(&r->w, &(struct agent){ .peer = AGENT, .cores = 1 });
    r->study = world_submit(&r->w, CLIENT_PEER, OWNER, 1, STUDY, 0);
    r->lease = r->w.leases[0];
    r->offer = world_offer(&r->lease);
    r->holding = (struct asy_holding){ .study = r->study, .attempt = 1, .epoch = 1, .running = 1,
                                       .reported = 2, .offer = &r->offer };
    return T_EQ("leased", r->w.n_leases, 1);
}

static bool restore(struct restored *r, size_t n_events)
{
    if (!world_restore(&r->w, n_events))
        return false;
    world_clear(&r->w);
    world_client(&r->w, CLIENT_PEER, OWNER);
    return true;
}

static void greet(struct restored *r)
{
    world_agent(&r->w, &(struct agent){ .peer = AGENT, .cores = 1, .holdings = &r->holding,
                                        .n_holdings = 1 });
}

static bool begin(struct restored *r, enum asy_foreign foreign)
{
    if (!lease_one(r, foreign) || !restore(r, r->w.n_events))
        return false;
    greet(r);
    return true;
}

static size_t events_before(struct world *w, enum asy_event_kind kind)
{
    for (size_t i = 0; i < w->n_events; i++)
        if (w->events[i].kind == kind)
            return i;
    return w->n_events;
}

static int adopt(struct restored *r)
{
    return world_control(&r->w, CLIENT_PEER, OWNER, ASY_CONTROL_ADOPT, "a", 0);
}

static void what_is_offered_runs_on_and_is_leased_to_nobody(void)
{
    struct restored r = { 0 };

    if (begin(&r, ASY_FOREIGN_ASK)) {
        T_EQ("offered", r.w.welcome.n_offers, 1);
        T_EQ("not killed", r.w.welcome.n_kill, 0);
        T_EQ("not closed", r.w.welcome.n_marks, 0);
        world_agent(&r.w, &(struct agent){ .peer = OTHER, .cores = 4 });
        world_pass(&r.w, 12000, AGENT, OTHER);
        T_EQ("the other trial alone", r.w.n_leases, 1);
        T_EQ("the other trial alone", r.w.leases[0].trial, 1);
        T_EQ("on the other worker: its core is in use", r.w.leases[0].peer, OTHER);
        T_STR("explained", world_explain(&r.w, "a", 0), "offered");
        T_EQ("no loss", world_last(&r.w, r.study, 0, ASY_EV_ENDED)->ended.cause,
             ASY_CAUSE_OFFERED);
        T_TRUE(world_restart(&r.w)); /* soft: nothing of it is on record */
    }
    world_close(&r.w);
}

static void after_a_restore_nothing_is_leased_until_agents_could_offer(void)
{
    struct restored r = { 0 };

    if (lease_one(&r, ASY_FOREIGN_ASK) && restore(&r, r.w.n_events)) {
        world_agent(&r.w, &(struct agent){ .peer = OTHER, .cores = 4 });
        world_pass(&r.w, 9000, OTHER, OTHER);
        T_EQ("not yet", r.w.n_leases, 0);
        T_STR("explained", world_explain(&r.w, "a", -1), "reattach");
        world_pass(&r.w, 2000, OTHER, OTHER);
        T_EQ("now", r.w.n_leases, 2);
    }
    world_close(&r.w);
}

static void what_is_adopted_is_the_trials_next_attempt(void)
{
    struct restored r = { 0 };
    struct lease *l = &r.w.leases[0];

    if (begin(&r, ASY_FOREIGN_ASK)) {
        T_EQ("done", adopt(&r), 0);
        T_HAS("told", r.w.reply_json, "\"adopted\":1");
        if (!T_EQ("leased", r.w.n_leases, 1))
            goto out;
        T_EQ("the same trial", l->trial, 0);
        T_EQ("a number of its own", l->attempt, 2);
        T_EQ("what it goes on with", l->adopts_attempt, 1);
        T_EQ("of the other store", asy_id_cmp(l->adopts, r.offer.store), 0);
        T_EQ("where it runs", l->cores[0], r.lease.cores[0]);
        world_started(&r.w, l);
        world_report(&r.w, l, 9, 0.5);
        T_EQ("taken", r.w.mark.durable, 2);
        world_checkpoint(&r.w, l, 9);
        world_end(&r.w, l, ASY_END_PAUSED, 9);
        T_EQ("its end", world_state(&r.w, r.study, 0), ASY_TRIAL_COMPLETE);
        world_send(&r.w, &r.lease, 3, &(struct asy_event){ .kind = ASY_EV_ENDED,
                   .ended.end = ASY_END_COMPLETE });
        T_EQ("the old number counts for nothing", r.w.mark.closed, 1);
        T_TRUE(world_restart(&r.w));
        world_client(&r.w, CLIENT_PEER, OWNER);
        T_EQ("twice", adopt(&r), ASY_E_NOENT);
    }
out:
    world_close(&r.w);
}

/* The backup has a checkpoint of the offered attempt, which is told anew like all its history. */
static void its_checkpoints_come_again_with_its_reports(void)
{
    struct restored r = { 0 };

    if (lease_one(&r, ASY_FOREIGN_ADOPT)) {
        world_started(&r.w, &r.lease);
        world_report(&r.w, &r.lease, 4, 0.5);
        world_checkpoint(&r.w, &r.lease, 4);
        if (!restore(&r, r.w.n_events))
            goto out;
        greet(&r);
        T_EQ("adopted", r.w.n_leases, 1);
        T_EQ("from nothing", r.w.leases[0].from_step, 0);
        T_EQ("off the record", world_count(&r.w, ASY_EV_CHECKPOINT_DROPPED), 1);
        T_EQ("its file stays", r.w.n_drops, 0);
        world_started(&r.w, &r.w.leases[0]);
        world_report(&r.w, &r.w.leases[0], 4, 0.5);
        world_end(&r.w, &r.w.leases[0], ASY_END_PREEMPTED, 4);
        T_EQ("the next one has no hole in its history", r.w.leases[1].from_step, 0);
        T_TRUE(world_restart(&r.w));
    }
out:
    world_close(&r.w);
}

static void what_is_discarded_is_killed_and_leased_anew(void)
{
    struct restored r = { 0 };

    if (begin(&r, ASY_FOREIGN_ASK)) {
        T_EQ("done", world_control(&r.w, CLIENT_PEER, OWNER, ASY_CONTROL_DISCARD, "", 0), 0);
        T_HAS("told", r.w.reply_json, "\"discarded\":1");
        T_EQ("killed", r.w.n_cancels == 1 && r.w.cancels[0].mode == ASY_CANCEL_KILL, 1);
        world_pass(&r.w, 12000, AGENT, AGENT);
        T_EQ("anew", r.w.n_leases, 1);
        T_EQ("anew", r.w.leases[0].adopts_attempt, 0);
    }
    world_close(&r.w);
}

static void a_setting_decides_in_advance(void)
{
    struct restored r = { 0 };

    if (begin(&r, ASY_FOREIGN_ADOPT)) {
        T_EQ("adopted", r.w.n_leases, 1);
        T_EQ("adopted", r.w.leases[0].adopts_attempt, 1);
    }
    world_close(&r.w);
    r = (struct restored){ 0 };
    if (begin(&r, ASY_FOREIGN_DISCARD)) {
        T_EQ("discarded", r.w.welcome.n_kill, 1);
        T_EQ("no mark: one of ours may have its numbers", r.w.welcome.n_marks, 0);
    }
    world_close(&r.w);
}

/* The backup has neither trial nor attempt: the sampler makes the same point again. */
static void a_trial_made_after_the_backup_is_adopted_once_it_is_there_again(void)
{
    struct restored r = { 0 };

    if (lease_one(&r, ASY_FOREIGN_ASK)) {
        r.w.auto_ask = 0;
        r.holding.attempt = 4;
        r.holding.epoch = 4;
        if (!restore(&r, events_before(&r.w, ASY_EV_TRIAL_CREATED)))
            goto out;
        greet(&r);
        T_EQ("done", adopt(&r), 0);
        T_HAS("not yet", r.w.reply_json, "has no trial 0 here yet");
        world_pass(&r.w, 500, AGENT, AGENT);
        world_asked(&r.w, r.study, 0, 0.125, 0);
        T_EQ("another point", adopt(&r), 0);
        T_HAS("another point", r.w.reply_json, "other parameters here");
    }
    world_close(&r.w);
    r = (struct restored){ 0 };
    if (lease_one(&r, ASY_FOREIGN_ASK)) {
        r.holding.attempt = 4;
        r.holding.epoch = 4;
        if (!restore(&r, events_before(&r.w, ASY_EV_TRIAL_CREATED)))
            goto out;
        greet(&r);
        world_pass(&r.w, 12000, AGENT, AGENT);
        T_EQ("held back", r.w.n_leases, 0);
        T_EQ("done", adopt(&r), 0);
        T_HAS("the same", r.w.reply_json, "\"adopted\":1");
        T_EQ("keeps its number", r.w.leases[0].attempt, 4);
        T_EQ("keeps its number", r.w.leases[0].adopts_attempt, 4);
        T_TRUE(world_restart(&r.w));
    }
out:
    world_close(&r.w);
}

static void a_trial_that_was_leased_again_goes_on_there(void)
{
    struct restored r = { 0 };

    if (lease_one(&r, ASY_FOREIGN_ASK) && restore(&r, r.w.n_events)) {
        world_agent(&r.w, &(struct agent){ .peer = OTHER, .cores = 1 });
        world_pass(&r.w, 12000, OTHER, OTHER);
        T_EQ("again", r.w.n_leases == 1 && r.w.leases[0].trial == 0, 1);
        greet(&r);
        T_EQ("offered all the same", r.w.welcome.n_offers, 1);
        T_EQ("done", adopt(&r), 0);
        T_HAS("left", r.w.reply_json, "attempt 2 runs on worker");
        T_EQ("one lease", r.w.n_leases, 1);
        world_pass(&r.w, 12000, AGENT, AGENT); /* now that one is lost */
        T_STR("held back", world_explain(&r.w, "a", 0), "offered");
        T_EQ("done", adopt(&r), 0);
        T_EQ("adopted after all", r.w.leases[r.w.n_leases - 1].attempt, 3);
    }
    world_close(&r.w);
}

static void a_history_with_a_hole_is_not_taken_over(void)
{
    static const struct { const char *name; uint64_t first, milestone; uint32_t from; uint64_t seed;
                          const char *why; } cases[] = {
        { "reports are gone", 3, 0, 0, 0, "its first 2 reports are on no disk any more" },
        { "an unknown checkpoint", 1, 0, 1, 0, "a checkpoint at step 5 that was made after" },
        { "another milestone", 1, 4, 0, 0, "goes to step 9 here, not to 4" },
        { "another seed", 1, 0, 0, 1, "other parameters here" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct restored r = { 0 };

        if (lease_one(&r, ASY_FOREIGN_ASK) && restore(&r, r.w.n_events)) {
            r.offer.first = cases[i].first;
            r.offer.milestone = cases[i].milestone ? cases[i].milestone : r.offer.milestone;
            r.offer.from.attempt = cases[i].from;
            r.offer.from.step = 5;
            r.offer.seed += cases[i].seed;
            greet(&r);
            T_EQ(cases[i].name, adopt(&r), 0);
            T_HAS(cases[i].name, r.w.reply_json, cases[i].why);
            T_EQ(cases[i].name, r.w.n_leases, 0);
        }
        world_close(&r.w);
    }
}

static void only_their_owner_decides(void)
{
    struct restored r = { 0 };

    if (begin(&r, ASY_FOREIGN_ASK)) {
        world_client(&r.w, 9, "stranger");
        T_EQ("the study", world_control(&r.w, 9, "stranger", ASY_CONTROL_ADOPT, "a", 0),
             ASY_E_DENIED);
        T_EQ("all that are theirs",
             world_control(&r.w, 9, "stranger", ASY_CONTROL_DISCARD, "", 0), ASY_E_NOENT);
        T_EQ("nothing happened", r.w.n_cancels + r.w.n_leases, 0);
    }
    world_close(&r.w);
}

/* It came back to the store that had leased it. */
static void their_own_store_keeps_them(void)
{
    struct restored r = { 0 };

    if (lease_one(&r, ASY_FOREIGN_ASK)) {
        T_TRUE(world_restart(&r.w));
        greet(&r);
        T_EQ("kept", r.w.welcome.n_keep, 1);
        T_EQ("not offered", r.w.welcome.n_offers, 0);
    }
    world_close(&r.w);
}

T_MAIN("offer", T_TEST(what_is_offered_runs_on_and_is_leased_to_nobody),
       T_TEST(after_a_restore_nothing_is_leased_until_agents_could_offer),
       T_TEST(what_is_adopted_is_the_trials_next_attempt),
       T_TEST(its_checkpoints_come_again_with_its_reports),
       T_TEST(what_is_discarded_is_killed_and_leased_anew), T_TEST(a_setting_decides_in_advance),
       T_TEST(a_trial_made_after_the_backup_is_adopted_once_it_is_there_again),
       T_TEST(a_trial_that_was_leased_again_goes_on_there),
       T_TEST(a_history_with_a_hole_is_not_taken_over), T_TEST(only_their_owner_decides),
       T_TEST(their_own_store_keeps_them))
