/* SPDX-License-Identifier: Apache-2.0
 * test_span.c - gangs that no single worker could hold: where their ranks go, what the parts hear
 * of each other, and that they live and die together. */
#include "world.h"

#define GANG(name, ranks, more)                                                                    \
    "assay: 1\nname: " name "\nobjective: {metric: val_loss, goal: minimize}\n"                    \
    "parameters: {lr: {min: 0.0, max: 1.0}}\nrun: {model: mlp, length: {max: 9}}\n"                \
    "data: /d.csv\nresources: {ranks: " #ranks ", memory: 1GiB}\n" more
#define SMALL(name, more) STUDY_HEAD(name) RUN(4, true) more
#define ONE "budget: {trials: 1}\n"
#define MANY "budget: {trials: 90}\n"

static bool begin(struct world *w)
{
    if (!world_open(w) || !world_start(w))
        return false;
    world_client(w, CLIENT_PEER, OWNER);
    return true;
}

static void agent(struct world *w, uint64_t peer, uint32_t cores)
{
    world_agent(w, &(struct agent){ .peer = peer, .cores = cores });
}

static struct asy_id submit(struct world *w, uint64_t serial, const char *yaml)
{
    return world_submit(w, CLIENT_PEER, OWNER, serial, yaml, 0);
}

static struct lease *lease_of(struct world *w, struct asy_id study, uint32_t part)
{
    for (size_t i = 0; i < w->n_leases; i++)
        if (asy_id_cmp(w->leases[i].study, study) == 0 && w->leases[i].part == part)
            return &w->leases[i];
    return NULL;
}

static size_t leases_of(const struct world *w, struct asy_id study)
{
    size_t n = 0;

    for (size_t i = 0; i < w->n_leases; i++)
        n += asy_id_cmp(w->leases[i].study, study) == 0;
    return n;
}

static size_t kills_to(const struct world *w, uint64_t peer)
{
    size_t n = 0;

    for (size_t i = 0; i < w->n_cancels; i++)
        n += w->cancels[i].peer == peer && w->cancels[i].mode == ASY_CANCEL_KILL;
    return n;
}

/* Two workers of 2 cores, one gang of 3 ranks: the lead on peer 2 has two of them. */
static bool spread(struct world *w, struct lease *lead, struct lease *member)
{
    struct asy_id a;

    if (!begin(w))
        return false;
    agent(w, 2, 2);
    agent(w, 3, 2);
    a = submit(w, 1, GANG("a", 3, ONE));
    if (!T_EQ("leases", leases_of(w, a), 2))
        return false;
    *lead = *lease_of(w, a, 0);
    *member = *lease_of(w, a, 1);
    return T_TRUE(lead->peer != member->peer);
}

static struct asy_holding holding(const struct lease *l)
{
    return (struct asy_holding){ .study = l->study, .trial = l->trial, .attempt = l->attempt,
                                 .epoch = l->epoch, .running = 1, .part = l->part };
}

static void back(struct world *w, const struct lease *l)
{
    struct asy_holding h = holding(l);

    world_agent(w, &(struct agent){ .peer = l->peer, .cores = 2, .holdings = &h,
                                    .n_holdings = 1 });
}

/* ---- where the ranks go ---------------------------------------------------------------------- */

static void one_worker_is_waited_for_where_it_could_hold_all(void)
{
    struct world w;
    struct asy_id small, a;

    if (begin(&w)) {
        agent(&w, 2, 4);
        small = submit(&w, 1, SMALL("small", "budget: {trials: 2}\n"));
        T_EQ("small ones", leases_of(&w, small), 2);
        agent(&w, 3, 2);
        a = submit(&w, 2, GANG("a", 4, ONE));
        T_EQ("not spread over the free cores", leases_of(&w, a), 0);
        T_STR("why", world_explain(&w, "a", -1), "no-cores");
        for (size_t i = 0; i < 2; i++)
            world_complete(&w, &w.leases[i], 4, 1);
        if (T_EQ("leased", leases_of(&w, a), 1)) {
            T_EQ("ranks", lease_of(&w, a, 0)->ranks, 4);
            T_EQ("no list of parts", lease_of(&w, a, 0)->n_parts, 0);
        }
        T_TRUE(world_restart(&w));
    }
    world_close(&w);
}

static void else_it_goes_to_the_fewest_workers(void)
{
    static const struct {
        const char *name;
        uint32_t cores[4];
        size_t n_parts;
        uint32_t ranks[4]; /* by part */
    } cases[] = {
        { "two of two", { 2, 2 }, 2, { 2, 2 } },
        { "the large one and the one that leaves least over", { 1, 3, 2 }, 2, { 3, 1 } },
        { "all four", { 1, 1, 1, 1 }, 4, { 1, 1, 1, 1 } },
    };
    struct world w;
    struct asy_id a;

    for (size_t c = 0; c < ASY_ARRAY_LEN(cases); c++) {
        if (begin(&w)) {
            for (uint64_t i = 0; i < 4 && cases[c].cores[i]; i++)
                agent(&w, 2 + i, cases[c].cores[i]);
            a = submit(&w, 1, GANG("a", 4, ONE));
            T_EQ(cases[c].name, leases_of(&w, a), cases[c].n_parts);
            for (uint32_t p = 0; p < cases[c].n_parts; p++) {
                const struct lease *l = lease_of(&w, a, p);

                if (!T_TRUE(l != NULL))
                    break;
                T_EQ(cases[c].name, l->ranks, cases[c].ranks[p]);
                T_EQ("cores", l->n_cores, l->ranks);
                T_EQ("ranks in all", l->all_ranks, 4);
                T_EQ("parts", l->n_parts, cases[c].n_parts);
            }
            T_TRUE(world_restart(&w));
        }
        world_close(&w);
    }
}

static void more_workers_than_needed_are_not_used(void)
{
    struct world w;
    struct asy_id small, a;

    if (begin(&w)) { /* a core free on each of four, two of which could hold it */
        for (uint64_t peer = 2; peer < 6; peer++)
            agent(&w, peer, 2);
        small = submit(&w, 1, SMALL("small", "budget: {trials: 4}\n"));
        T_EQ("small ones", leases_of(&w, small), 4);
        a = submit(&w, 2, GANG("a", 4, ONE));
        T_EQ("it waits", leases_of(&w, a), 0);
        T_STR("why", world_explain(&w, "a", -1), "no-cores");
        T_HAS("numbers", w.reply, "4 of 8 places are free");
        for (size_t i = 0; i < 4; i++)
            world_complete(&w, &w.leases[i], 4, 1);
        T_EQ("parts", leases_of(&w, a), 2);
    }
    world_close(&w);
}

static void memory_counts_for_each_rank(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w)) {
        for (uint64_t peer = 2; peer < 4; peer++)
            world_agent(&w, &(struct agent){ .peer = peer, .cores = 4,
                                             .memory = (uint64_t)2 << 30 });
        a = submit(&w, 1, GANG("a", 4, ONE));
        if (T_EQ("parts", leases_of(&w, a), 2))
            T_EQ("ranks of the first", lease_of(&w, a, 0)->ranks, 2);
        submit(&w, 2, GANG("b", 5, ONE));
        T_STR("too large", world_explain(&w, "b", -1), "too-large");
        T_HAS("numbers", w.reply, "all 2 workers together hold 4");
    }
    world_close(&w);
}

static void a_worker_that_leaves_soon_holds_no_part(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w)) {
        agent(&w, 2, 2);
        world_agent(&w, &(struct agent){ .peer = 3, .cores = 2, .walltime_ms = 4000 });
        a = submit(&w, 1, GANG("a", 4, ONE));
        T_EQ("it waits", leases_of(&w, a), 0);
        T_STR("why", world_explain(&w, "a", -1), "walltime");
        agent(&w, 4, 2);
        T_EQ("parts", leases_of(&w, a), 2);
        for (uint32_t p = 0; p < 2 && lease_of(&w, a, p); p++)
            T_TRUE(lease_of(&w, a, p)->peer != 3);
        T_TRUE(world_restart(&w));
    }
    world_close(&w);
}

static void small_trials_do_not_starve_a_gang(void)
{
    struct world w;
    struct asy_id small, a;

    if (begin(&w)) {
        small = submit(&w, 1, SMALL("small", MANY));
        agent(&w, 2, 2);
        agent(&w, 3, 2);
        T_EQ("small ones everywhere", leases_of(&w, small), 4);
        a = submit(&w, 2, GANG("a", 4, ONE));
        for (size_t i = 0; i < 60 && leases_of(&w, a) == 0; i++) {
            struct lease l = w.leases[i];

            world_complete(&w, &l, 4, 1);
        }
        T_EQ("the gang runs in the end", leases_of(&w, a), 2);
    }
    world_close(&w);
}

static void two_waiting_gangs_do_not_hold_half_each(void)
{
    struct world w;
    struct asy_id small, a, b;

    if (begin(&w)) {
        small = submit(&w, 1, SMALL("small", "budget: {trials: 4}\n"));
        agent(&w, 2, 2);
        agent(&w, 3, 2);
        T_EQ("small ones everywhere", leases_of(&w, small), 4);
        a = submit(&w, 2, GANG("a", 4, ONE));
        b = submit(&w, 3, GANG("b", 4, ONE));
        for (size_t i = 0; i < 4; i++) {
            struct lease l = w.leases[i];

            world_complete(&w, &l, 4, 1);
        }
        T_EQ("the first runs whole", leases_of(&w, a), 2);
        T_EQ("the second not at all", leases_of(&w, b), 0);
        world_complete(&w, lease_of(&w, a, 0), 9, 1);
        T_EQ("then the second", leases_of(&w, b), 2);
        T_TRUE(world_restart(&w));
    }
    world_close(&w);
}

/* ---- with GPUs ------------------------------------------------------------------------------- */

static const struct asy_gpu two[] = { { .id = "G0" }, { .id = "G1" } };

static void agent_with(struct world *w, uint64_t peer, uint32_t cores, size_t n_gpus)
{
    world_agent(w, &(struct agent){ .peer = peer, .cores = cores, .gpus = two, .n_gpus = n_gpus });
}

#define GPU_GANG(name, ranks, gpus, more)                                                          \
    "assay: 1\nname: " name "\nobjective: {metric: val_loss, goal: minimize}\n"                    \
    "parameters: {lr: {min: 0.0, max: 1.0}}\nrun: {model: mlp, length: {max: 9}}\n"                \
    "data: /d.csv\nresources: {ranks: " #ranks ", memory: 1GiB, gpus: " #gpus "}\n" more

/* By devices, too: cores alone would let one worker hold all. */
static void each_part_has_the_gpus_of_its_ranks(void)
{
    static const struct {
        const char *name, *yaml;
        uint32_t ranks[2];
        const char *gpus[2];
    } cases[] = {
        { "one each", GPU_GANG("a", 2, 1, ONE), { 1, 1 }, { "G0", "G0" } },
        { "halves", GPU_GANG("a", 4, 0.5, ONE), { 2, 2 },
          { "G0:5000 G0:5000", "G0:5000 G0:5000" } },
        { "a rank less there", GPU_GANG("a", 3, 0.5, ONE), { 2, 1 },
          { "G0:5000 G0:5000", "G0:5000" } },
    };

    for (size_t c = 0; c < ASY_ARRAY_LEN(cases); c++) {
        struct asy_id a;
        struct world w;

        if (begin(&w)) {
            agent_with(&w, 2, 8, 1);
            agent(&w, 4, 8); /* without any */
            agent_with(&w, 3, 8, 1);
            a = submit(&w, 1, cases[c].yaml);
            if (T_EQ(cases[c].name, leases_of(&w, a), 2))
                for (uint32_t p = 0; p < 2; p++) {
                    T_TRUE(lease_of(&w, a, p)->peer != 4);
                    T_EQ(cases[c].name, lease_of(&w, a, p)->ranks, cases[c].ranks[p]);
                    T_STR(cases[c].name, lease_of(&w, a, p)->gpus, cases[c].gpus[p]);
                }
            T_TRUE(world_restart(&w));
        }
        world_close(&w);
    }
}

static void one_worker_with_the_gpus_is_waited_for(void)
{
    struct world w;
    struct asy_id a;

    if (begin(&w)) {
        agent_with(&w, 2, 8, 2);
        agent_with(&w, 3, 8, 1);
        a = submit(&w, 1, GPU_GANG("a", 2, 1, ONE));
        if (T_EQ("not spread", leases_of(&w, a), 1))
            T_STR("both of one", lease_of(&w, a, 0)->gpus, "G0 G1");
        T_TRUE(world_restart(&w));
    }
    world_close(&w);
}

static void gangs_that_wait_for_gpus_say_so(void)
{
    struct asy_id small, a;
    struct world w;

    if (begin(&w)) {
        agent_with(&w, 2, 8, 1);
        agent_with(&w, 3, 8, 1);
        small = submit(&w, 1, SMALL("small", "budget: {trials: 1}\nresources: {gpus: 0.5}\n"));
        T_EQ("small", leases_of(&w, small), 1);
        a = submit(&w, 2, GPU_GANG("a", 2, 1, ONE));
        T_EQ("leased", leases_of(&w, a), 0);
        T_STR("why", world_explain(&w, "a", -1), "no-gpu");
        world_complete(&w, lease_of(&w, small, 0), 4, 1);
        T_EQ("leased", leases_of(&w, a), 2);
        submit(&w, 3, GPU_GANG("b", 3, 1, ONE));
        T_STR("why", world_explain(&w, "b", -1), "too-large");
        T_TRUE(world_restart(&w));
    }
    world_close(&w);
}

/* What the gang has on each worker is given back when it ends, and when it is lost. */
static void gpus_of_all_parts_are_given_back(void)
{
    struct asy_id a, b;
    struct world w;

    if (begin(&w)) {
        agent_with(&w, 2, 8, 1);
        agent_with(&w, 3, 8, 1);
        a = submit(&w, 1, GPU_GANG("a", 2, 1, ONE));
        b = submit(&w, 2, GPU_GANG("b", 2, 1, ONE));
        T_EQ("a has both", leases_of(&w, a), 2);
        T_EQ("b waits", leases_of(&w, b), 0);
        world_complete(&w, lease_of(&w, a, 0), 9, 1);
        if (T_EQ("b has both", leases_of(&w, b), 2))
            T_STR("it is whole", lease_of(&w, b, 1)->gpus, "G0");
        T_TRUE(world_restart(&w));
    }
    world_close(&w);
}

/* ---- together -------------------------------------------------------------------------------- */

static void only_the_lead_reports(void)
{
    struct lease lead, member;
    struct world w;

    if (spread(&w, &lead, &member)) {
        T_EQ("its ranks", lead.ranks, 2);
        world_started(&w, &member);
        T_EQ("not heard", world_state(&w, member.study, 0), ASY_TRIAL_LEASED);
        T_EQ("not acknowledged", w.mark.durable, 0);
        world_started(&w, &lead);
        T_EQ("heard", world_state(&w, lead.study, 0), ASY_TRIAL_RUNNING);
        world_clear(&w);
        world_end(&w, &lead, ASY_END_CRASHED, 1);
        T_EQ("the member is killed", kills_to(&w, member.peer), 1);
        T_EQ("the lead is not told", kills_to(&w, lead.peer), 0);
        T_TRUE(world_restart(&w));
    }
    world_close(&w);
}

static void an_end_in_peace_lets_the_members_stay_warm(void)
{
    struct lease lead, member;
    struct world w;

    if (spread(&w, &lead, &member)) {
        world_started(&w, &lead);
        world_clear(&w);
        world_complete(&w, &lead, 9, 1);
        T_EQ("no kill", w.n_cancels, 0);
        T_EQ("both hear that it is closed", w.n_closed, 2);
    }
    world_close(&w);
}

static void a_lost_member_ends_the_attempt(void)
{
    struct lease lead, member;
    struct world w;

    if (spread(&w, &lead, &member)) {
        world_started(&w, &lead);
        world_clear(&w);
        world_closed(&w, member.peer);
        T_EQ("it may come back", world_state(&w, lead.study, 0), ASY_TRIAL_RUNNING);
        T_STR("why", world_explain(&w, "a", 0), "reattach");
        world_pass(&w, 1500, lead.peer, lead.peer);
        T_EQ("queued again", world_state(&w, lead.study, 0), ASY_TRIAL_QUEUED);
        T_EQ("the lead is killed", kills_to(&w, lead.peer), 1);
        T_EQ("as lost", world_last(&w, lead.study, 0, ASY_EV_ENDED)->ended.end, ASY_END_LOST);
        T_TRUE(world_restart(&w));
        back(&w, &member);
        T_EQ("what comes back late is killed", w.welcome.n_kill, 1);
    }
    world_close(&w);
}

static void a_lost_lead_ends_the_attempt(void)
{
    struct lease lead, member;
    struct world w;

    if (spread(&w, &lead, &member)) {
        world_started(&w, &lead);
        world_clear(&w);
        world_closed(&w, lead.peer);
        world_pass(&w, 1500, member.peer, member.peer);
        T_EQ("queued again", world_state(&w, lead.study, 0), ASY_TRIAL_QUEUED);
        T_EQ("the member is killed", kills_to(&w, member.peer), 1);
        T_TRUE(world_restart(&w));
    }
    world_close(&w);
}

static void parts_come_back_one_by_one(void)
{
    struct lease lead, member;
    struct world w;

    if (spread(&w, &lead, &member)) {
        world_started(&w, &lead);
        T_TRUE(world_restart(&w));
        world_client(&w, CLIENT_PEER, OWNER);
        back(&w, &member);
        T_EQ("kept", w.welcome.n_keep, 1);
        world_pass(&w, 5000, member.peer, member.peer);
        T_EQ("not lost yet", world_state(&w, lead.study, 0), ASY_TRIAL_RUNNING);
        back(&w, &lead);
        T_EQ("kept", w.welcome.n_keep, 1);
        world_pass(&w, 12000, 2, 3);
        T_EQ("it goes on", world_state(&w, lead.study, 0), ASY_TRIAL_RUNNING);
        world_complete(&w, &lead, 9, 1);
        T_EQ("to its end", world_count(&w, ASY_EV_ENDED), 1);
    }
    world_close(&w);
}

static void a_part_that_does_not_come_back_ends_it(void)
{
    struct lease lead, member;
    struct world w;

    if (spread(&w, &lead, &member)) {
        world_started(&w, &lead);
        T_TRUE(world_restart(&w));
        back(&w, &lead);
        world_clear(&w);
        world_pass(&w, 12000, lead.peer, lead.peer);
        T_EQ("queued again", world_state(&w, lead.study, 0), ASY_TRIAL_QUEUED);
        T_EQ("the lead is killed", kills_to(&w, lead.peer), 1);
        T_EQ("no retry", w.events[w.n_events - 1].kind == ASY_EV_WORKER_GONE, 1);
    }
    world_close(&w);
}

static void a_worker_without_its_part_ends_it(void)
{
    struct lease lead, member;
    struct world w;

    if (spread(&w, &lead, &member)) {
        world_started(&w, &lead);
        world_clear(&w);
        agent(&w, member.peer, 2); /* the same process, which lists nothing */
        T_EQ("the lead is killed", kills_to(&w, lead.peer), 1);
        T_EQ("the member is not told", kills_to(&w, member.peer), 0);
        T_TRUE(world_restart(&w));
    }
    world_close(&w);
}

static void a_member_that_drains_makes_all_pause(void)
{
    struct asy_msg drain = { .type = ASY_MSG_DRAIN };
    struct lease lead, member;
    struct world w;

    if (spread(&w, &lead, &member)) {
        world_started(&w, &lead);
        world_clear(&w);
        world_msg(&w, member.peer, OWNER, &drain);
        if (T_EQ("one order", w.n_cancels, 1)) {
            T_EQ("to the lead", w.cancels[0].peer, lead.peer);
            T_EQ("pause", w.cancels[0].mode, ASY_CANCEL_PAUSE);
        }
        world_checkpoint(&w, &lead, 3);
        world_end(&w, &lead, ASY_END_PAUSED, 3);
        T_EQ("queued again", world_state(&w, lead.study, 0), ASY_TRIAL_QUEUED);
    }
    world_close(&w);
}

/* ---- what they say to each other ------------------------------------------------------------- */

static void words_go_from_part_to_part(void)
{
    struct lease lead, member, stranger;
    struct world w;

    if (spread(&w, &lead, &member)) {
        world_part(&w, &lead, 1, ASY_PART_START, "orted", "");
        if (T_EQ("relayed", w.n_parts, 1)) {
            T_EQ("to the member", w.parts[0].peer, member.peer);
            T_EQ("from", w.parts[0].from, 0);
            T_STR("word", w.parts[0].word, "orted");
        }
        world_part(&w, &member, 0, ASY_PART_FAILED, NULL, "rank 2 died");
        if (T_EQ("and back", w.n_parts, 2)) {
            T_EQ("to the lead", w.parts[1].peer, lead.peer);
            T_EQ("from", w.parts[1].from, 1);
            T_STR("text", w.parts[1].text, "rank 2 died");
        }
        agent(&w, 4, 2);
        stranger = lead;
        stranger.peer = 4;
        world_part(&w, &stranger, 1, ASY_PART_START, "sh", "");
        T_EQ("not for who has no part", w.n_parts, 2);
        stranger = lead;
        stranger.epoch++;
        world_part(&w, &stranger, 1, ASY_PART_START, "sh", "");
        T_EQ("not of another epoch", w.n_parts, 2);
        world_part(&w, &lead, 2, ASY_PART_START, "sh", "");
        world_part(&w, &lead, 0, ASY_PART_START, "sh", "");
        T_EQ("not to a part that is none, or itself", w.n_parts, 2);
        world_closed(&w, member.peer);
        world_part(&w, &lead, 1, ASY_PART_START, "orted", "");
        if (T_EQ("answered", w.n_parts, 3)) {
            T_EQ("to the sender", w.parts[2].peer, lead.peer);
            T_EQ("away", w.parts[2].kind, ASY_PART_AWAY);
            T_EQ("which one", w.parts[2].from, 1);
            T_EQ("to part", w.parts[2].to, 0);
        }
    }
    world_close(&w);
}

T_MAIN("span", T_TEST(one_worker_is_waited_for_where_it_could_hold_all),
       T_TEST(else_it_goes_to_the_fewest_workers), T_TEST(each_part_has_the_gpus_of_its_ranks),
       T_TEST(one_worker_with_the_gpus_is_waited_for), T_TEST(gangs_that_wait_for_gpus_say_so),
       T_TEST(gpus_of_all_parts_are_given_back), T_TEST(more_workers_than_needed_are_not_used),
       T_TEST(memory_counts_for_each_rank), T_TEST(a_worker_that_leaves_soon_holds_no_part),
       T_TEST(small_trials_do_not_starve_a_gang),
       T_TEST(two_waiting_gangs_do_not_hold_half_each), T_TEST(only_the_lead_reports),
       T_TEST(an_end_in_peace_lets_the_members_stay_warm), T_TEST(a_lost_member_ends_the_attempt),
       T_TEST(a_lost_lead_ends_the_attempt), T_TEST(parts_come_back_one_by_one),
       T_TEST(a_part_that_does_not_come_back_ends_it), T_TEST(a_worker_without_its_part_ends_it),
       T_TEST(a_member_that_drains_makes_all_pause), T_TEST(words_go_from_part_to_part))
