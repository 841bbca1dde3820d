/* SPDX-License-Identifier: Apache-2.0
 * test_gpus.c - which GPUs a trial gets: whole ones, parts, several ranks, near its cores; and what
 * is left of them after ends, losses and restarts. */
#include "core_impl.h"
#include "world.h"

#define PLAIN(name, more) STUDY_HEAD(name) RUN(4, true) more
#define ASKS(trials, resources) "budget: {trials: " #trials "}\nresources: {" resources "}\n"

static const struct asy_gpu four[] = {
    { .id = "G0", .group = 1 }, { .id = "G1", .group = 1 },
    { .id = "G2", .group = 2 }, { .id = "G3", .group = 2 },
};

static bool begin(struct world *w)
{
    if (!world_open(w) || !world_start(w))
        return false;
    world_client(w, CLIENT_PEER, OWNER);
    return true;
}

/* An agent of 8 cores in two groups with the first n of the four. */
static void with_gpus(struct world *w, uint64_t peer, size_t n)
{
    world_agent(w, &(struct agent){ .peer = peer, .cores = 8, .n_groups = 2, .gpus = four,
                                    .n_gpus = n });
}

static struct asy_id submit(struct world *w, uint64_t serial, const char *yaml)
{
    return world_submit(w, CLIENT_PEER, OWNER, serial, yaml, 0);
}

static void trials_get_what_they_ask_for(void)
{
    static const struct {
        const char *name, *yaml;
        size_t gpus, leases;
        uint32_t ranks;            /* 0: as the study has it */
        const char *got[4];
    } cases[] = {
        { "none", PLAIN("a", ASKS(2, "gpus: 0")), 4, 2, 0, { "", "" } },
        { "one each, near their cores", PLAIN("a", ASKS(9, "gpus: 1")), 4, 4, 0,
          { "G0", "G1", "G2", "G3" } },
        { "two each", PLAIN("a", ASKS(9, "gpus: 2")), 4, 2, 0, { "G0 G1", "G2 G3" } },
        { "three, of both groups", PLAIN("a", ASKS(9, "gpus: 3")), 4, 1, 0, { "G0 G1 G2" } },
        { "more than there are", PLAIN("a", ASKS(9, "gpus: 4")), 3, 0, 0, { NULL } },
        { "halves go together", PLAIN("a", ASKS(3, "gpus: 0.5")), 2, 3, 0,
          { "G0:5000", "G0:5000", "G1:5000" } },
        { "thirds leave a rest", PLAIN("a", ASKS(4, "gpus: 0.3333")), 2, 4, 0,
          { "G0:3333", "G0:3333", "G0:3333", "G1:3333" } },
        { "no two of these on one", PLAIN("a", ASKS(9, "gpus: 0.6")), 2, 2, 0,
          { "G0:6000", "G1:6000" } },
        { "ranks with one each", PLAIN("a", ASKS(9, "gpus: 1")), 4, 2, 2, { "G0 G1", "G2 G3" } },
        { "ranks over both groups", PLAIN("a", ASKS(9, "gpus: 1, cores: 2")), 4, 1, 4,
          { "G0 G1 G2 G3" } },
        { "ranks with parts", PLAIN("a", ASKS(9, "gpus: 0.5")), 2, 1, 3,
          { "G0:5000 G0:5000 G1:5000" } },
        { "ranks with parts of more than there is", PLAIN("a", ASKS(9, "gpus: 0.75")), 2, 0, 3,
          { NULL } },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_id id;
        struct world w;

        if (begin(&w)) {
            w.auto_ask = 0;
            id = submit(&w, 1, cases[i].yaml);
            if (cases[i].ranks) /* of native models */
                asy__study_get(w.core, id)->spec->ranks = cases[i].ranks;
            w.auto_ask = 1;
            for (uint64_t k = 0; k < w.n_asks; k++)
                world_asked(&w, id, w.asks[k], 0.5, 0);
            with_gpus(&w, 2, cases[i].gpus);
            T_EQ(cases[i].name, w.n_leases, cases[i].leases);
            for (size_t k = 0; k < w.n_leases && k < 4; k++)
                T_STR(cases[i].name, w.leases[k].gpus, cases[i].got[k]);
        }
        world_close(&w);
    }
}

static void cores_are_near_the_gpu(void)
{
    struct world w;

    if (begin(&w)) {
        submit(&w, 1, PLAIN("cpus", "priority: 1\n" ASKS(1, "cores: 3")));
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 8, .n_groups = 2, .gpus = four + 1,
                                         .n_gpus = 2 }); /* one of each group */
        T_EQ("cores of the first group are taken", w.leases[0].cores[2], 2);
        submit(&w, 2, PLAIN("gpus", ASKS(2, "cores: 2, gpus: 1")));
        if (T_EQ("both run", w.n_leases, 3)) {
            T_STR("the one whose group has the cores", w.leases[1].gpus, "G2");
            T_EQ("which it gets", w.leases[1].cores[0], 4);
            T_STR("then the other, all the same", w.leases[2].gpus, "G1");
            T_EQ("with cores from where there are some", w.leases[2].cores[1], 7);
        }
    }
    world_close(&w);
}

static void whole_ones_stay_whole_for_as_long_as_possible(void)
{
    struct world w;

    if (begin(&w)) {
        with_gpus(&w, 2, 3);
        submit(&w, 1, PLAIN("whole", ASKS(1, "gpus: 1")));
        submit(&w, 2, PLAIN("parts", ASKS(2, "gpus: 0.25")));
        submit(&w, 3, PLAIN("halves", ASKS(1, "gpus: 0.5")));
        submit(&w, 4, PLAIN("last", ASKS(2, "gpus: 1")));
        if (T_EQ("all but one run", w.n_leases, 5)) {
            T_STR("not one of a pair", w.leases[0].gpus, "G2");
            T_STR("a part of an unused one", w.leases[1].gpus, "G0:2500");
            T_STR("and of the same", w.leases[2].gpus, "G0:2500");
            T_STR("up to its end", w.leases[3].gpus, "G0:5000");
            T_STR("so one was left", w.leases[4].gpus, "G1");
        }
    }
    world_close(&w);
}

static size_t leases_of(const struct world *w, struct asy_id study)
{
    size_t n = 0;

    for (size_t i = 0; i < w->n_leases; i++)
        n += asy_id_cmp(w->leases[i].study, study) == 0;
    return n;
}

/* One study always waits for the GPU: the cores are not kept empty for that. */
static void who_waits_for_a_gpu_keeps_no_more_than_it_will_need(void)
{
    struct asy_id gpus, cpus;
    struct lease first;
    struct world w;

    if (begin(&w)) {
        with_gpus(&w, 2, 1);
        gpus = submit(&w, 1, PLAIN("gpus", "priority: 1\n" ASKS(9, "gpus: 1")));
        cpus = submit(&w, 2, PLAIN("cpus", ASKS(20, "cores: 1")));
        T_EQ("one has the GPU", leases_of(&w, gpus), 1);
        T_EQ("the others have the cores but one", leases_of(&w, cpus), 6);
        first = w.leases[0];
        world_complete(&w, &first, 4, 1);
        T_EQ("the next one has the GPU", leases_of(&w, gpus), 2);
        T_EQ("and no more of the others run", leases_of(&w, cpus), 6);
    }
    world_close(&w);
}

static void parts_do_not_keep_a_whole_one_waiting(void)
{
    struct asy_id parts, whole;
    struct world w;

    if (begin(&w)) {
        with_gpus(&w, 2, 1);
        parts = submit(&w, 1, PLAIN("parts", ASKS(20, "gpus: 0.5")));
        whole = submit(&w, 2, PLAIN("whole", "priority: 1\n" ASKS(1, "gpus: 1")));
        T_EQ("two halves run", leases_of(&w, parts), 2);
        for (size_t i = 0; i < 2; i++) {
            struct lease l = w.leases[i];

            world_complete(&w, &l, 4, 1);
        }
        T_EQ("no third one came before", leases_of(&w, parts), 2);
        T_EQ("the whole one runs", leases_of(&w, whole), 1);
    }
    world_close(&w);
}

static void what_ends_gives_back_its_part(void)
{
    struct world w;
    struct lease first;

    if (begin(&w)) {
        with_gpus(&w, 2, 1);
        submit(&w, 1, PLAIN("a", ASKS(4, "gpus: 0.5")));
        T_EQ("two at once", w.n_leases, 2);
        first = w.leases[0];
        world_complete(&w, &first, 4, 1);
        T_EQ("the third after the first", w.n_leases, 3);
        T_STR("on what it had", w.leases[2].gpus, "G0:5000");
        T_TRUE(world_restart(&w));
    }
    world_close(&w);
}

/* A restarted coordinator knows from its leases what is taken, before any worker has greeted. */
static void a_restart_forgets_no_part(void)
{
    struct asy_holding held[2] = { { .attempt = 1, .epoch = 1, .running = 1 },
                                   { .trial = 1, .attempt = 1, .epoch = 1, .running = 1 } };
    struct world w;

    if (begin(&w)) {
        with_gpus(&w, 2, 2);
        held[0].study = held[1].study = submit(&w, 1, PLAIN("a", ASKS(2, "gpus: 0.5")));
        T_EQ("two share one", w.n_leases, 2);
        if (!T_TRUE(world_restart(&w)))
            goto out;
        world_clear(&w);
        world_client(&w, CLIENT_PEER, OWNER);
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 8, .n_groups = 2, .gpus = four,
                                         .n_gpus = 2, .holdings = held, .n_holdings = 2 });
        T_EQ("both are kept", w.welcome.n_keep, 2);
        submit(&w, 2, PLAIN("b", ASKS(2, "gpus: 1")));
        if (T_EQ("one is left", w.n_leases, 1))
            T_STR("the other one", w.leases[0].gpus, "G1");
    }
out:
    world_close(&w);
}

/* As of a worker whose drivers were slow to answer. */
static void devices_that_come_later_are_given_out(void)
{
    struct asy_holding held = { .attempt = 1, .epoch = 1, .running = 1 };
    struct lease first;
    struct world w;

    if (begin(&w)) {
        with_gpus(&w, 2, 0);
        held.study = submit(&w, 1, PLAIN("cpu", ASKS(1, "cores: 8")));
        submit(&w, 2, PLAIN("gpu", ASKS(1, "gpus: 1")));
        T_EQ("the one without", w.n_leases, 1);
        first = w.leases[0];
        world_clear(&w);
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 8, .n_groups = 2, .gpus = four,
                                         .n_gpus = 2, .holdings = &held, .n_holdings = 1 });
        T_EQ("goes on", w.welcome.n_keep, 1);
        T_EQ("nothing is cancelled", w.n_cancels, 0);
        world_complete(&w, &first, 4, 1);
        if (T_EQ("then the other", w.n_leases, 1))
            T_STR("has one", w.leases[0].gpus, "G0");
    }
    world_close(&w);
}

static void no_part_of_a_device_for_one_process(void)
{
    static const struct asy_gpu gpus[] = { { .id = "G0", .whole = 1 }, { .id = "G1" } };
    struct world w;

    if (begin(&w)) {
        world_agent(&w, &(struct agent){ .peer = 2, .cores = 8, .gpus = gpus, .n_gpus = 2 });
        submit(&w, 1, PLAIN("parts", ASKS(3, "gpus: 0.5")));
        T_EQ("two halves of the other", w.n_leases, 2);
        T_STR("first", w.leases[0].gpus, "G1:5000");
        submit(&w, 2, PLAIN("whole", ASKS(2, "gpus: 1")));
        if (T_EQ("a whole one", w.n_leases, 3))
            T_STR("is what it is for", w.leases[2].gpus, "G0");
    }
    world_close(&w);
}

static void bad_offers_are_refused(void)
{
    static const struct { const char *name, *ids[2], *why; } cases[] = {
        { "twice", { "G0", "G0" }, "offers a GPU twice" },
        { "nameless", { "G0", "" }, "a GPU's id is 1 to 95 letters" },
        { "with a comma", { "G0,G1", "G2" }, "a GPU's id is" },
        { "with a control character", { "G0", "\033[2J" }, "a GPU's id is" },
        { "too long", { "G0", "GPU-0123456789012345678901234567890123456789012345678901234567890123"
                              "45678901234567890123456789012" }, "a GPU's id is" },
    };
    struct world w;

    if (begin(&w))
        for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
            struct asy_gpu gpus[2] = { { .id = cases[i].ids[0] }, { .id = cases[i].ids[1] } };

            w.reject[0] = '\0';
            world_agent(&w, &(struct agent){ .peer = 2 + i, .cores = 1, .gpus = gpus,
                                             .n_gpus = 2 });
            T_HAS(cases[i].name, w.reject, cases[i].why);
        }
    world_close(&w);
}

T_MAIN("gpus", T_TEST(trials_get_what_they_ask_for), T_TEST(cores_are_near_the_gpu),
       T_TEST(whole_ones_stay_whole_for_as_long_as_possible), T_TEST(what_ends_gives_back_its_part),
       T_TEST(who_waits_for_a_gpu_keeps_no_more_than_it_will_need),
       T_TEST(parts_do_not_keep_a_whole_one_waiting),
       T_TEST(a_restart_forgets_no_part), T_TEST(devices_that_come_later_are_given_out),
       T_TEST(no_part_of_a_device_for_one_process),
       T_TEST(bad_offers_are_refused))
