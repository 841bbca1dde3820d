/* SPDX-License-Identifier: Apache-2.0
 * test_refused.c - a stored study that this build refuses fails with the reason when the
 * coordinator starts; it ends what it had open, and the other studies go on. */
#include "life.h"

#define FOUR                                                                                       \
    "assay: 1\nname: four\nobjective: [{metric: loss, goal: minimize}, {metric: b, goal: "         \
    "minimize}, {metric: c, goal: minimize}, {metric: d, goal: minimize}]\n"                       \
    "parameters: {x: {min: 0.0, max: 1.0}}\n" RUN(9, true)                                         \
    "search: {sampler: random, pruner: {name: none}}\nbudget: {trials: 9}\n"

/* The canonical text of a stored study with another pruner, as an older build had accepted. */
static const char *with_pruner(struct world *w, struct asy_id study, const char *pruner)
{
    static char text[16 << 10];
    const struct asy_event *made = world_last(w, study, -1, ASY_EV_STUDY_CREATED);
    const char *spec = made->study_created.spec, *at = strstr(spec, "\"pruner\":{"), *end;

    if (!T_TRUE(at && (end = strchr(at, '}'))))
        return spec;
    snprintf(text, sizeof text, "%.*s\"pruner\":%s%s", (int)(at - spec), spec, pruner, end + 1);
    return text;
}

static void report_four(struct world *w, struct lease *l, uint64_t step)
{
    const struct asy_metric all[] = { { "loss", 1 }, { "b", 2 }, { "c", 3 }, { "d", 4 } };
    struct asy_event ev = { .kind = ASY_EV_REPORT };

    ev.report.step = step;
    ev.report.metrics = all;
    ev.report.n_metrics = ASY_ARRAY_LEN(all);
    world_send(w, l, ++l->reported, &ev);
}

/* Trial 0 is complete, 1 runs, 2 waits for its next attempt, 3 is leased. */
static struct asy_id four(struct world *w)
{
    struct asy_id study;

    world_client(w, CLIENT_PEER, OWNER);
    world_agent(w, &(struct agent){ .peer = 2, .cores = 4 });
    study = world_submit(w, CLIENT_PEER, OWNER, 1, FOUR, 0);
    for (size_t i = 0; i < 3; i++) {
        world_started(w, &w->leases[i]);
        report_four(w, &w->leases[i], 3);
    }
    report_four(w, &w->leases[0], 9);
    world_end(w, &w->leases[0], ASY_END_COMPLETE, 9);
    world_end(w, &w->leases[2], ASY_END_CRASHED, 3);
    return study;
}

static void check_trials(struct world *w, struct asy_id study)
{
    const struct asy_event *ended = world_last(w, study, 1, ASY_EV_ENDED);

    T_EQ("complete", world_last(w, study, 0, ASY_EV_TRIAL_STATE)->trial_state.state,
         ASY_TRIAL_COMPLETE);
    for (int64_t i = 1; i < 4; i++) {
        const struct asy_event *last = world_last(w, study, i, ASY_EV_TRIAL_STATE);

        T_EQ("open", last->trial_state.state, ASY_TRIAL_CANCELLED);
        T_EQ("cause", last->trial_state.cause, ASY_CAUSE_STUDY_ENDED);
        T_HAS("why", last->trial_state.text, "moasha compares three objectives at most");
    }
    if (T_TRUE(ended != NULL)) {
        T_EQ("its attempt", ended->attempt, 1);
        T_EQ("is lost", ended->ended.end, ASY_END_LOST);
    }
}

static void it_fails_and_the_others_go_on(void)
{
    const struct asy_event *last;
    struct asy_holding held;
    struct asy_id study, other;
    struct world w;

    if (!world_open(&w) || !world_start(&w))
        goto out;
    study = four(&w);
    world_agent(&w, &(struct agent){ .peer = 3, .cores = 1 });
    other = world_submit(&w, CLIENT_PEER, OWNER, 2,
                         STUDY_HEAD("b") RUN(9, true) "budget: {trials: 1}\npriority: 5\n", 0);
    held = (struct asy_holding){ .study = study, .trial = 1, .attempt = 1, .running = 1,
                                 .epoch = w.leases[1].epoch };
    world_clear(&w);
    if (!T_TRUE(world_refuse(&w, study, ASY_EV_STUDY_CREATED,
                             with_pruner(&w, study, "{\"name\":\"moasha\",\"min\":1,"
                                                    "\"reduction\":4}"))))
        goto out;
    last = world_last(&w, study, -1, ASY_EV_STUDY_STATE);
    T_EQ("failed", last->study_state.state, ASY_STUDY_FAILED);
    T_EQ("cause", last->study_state.cause, ASY_CAUSE_REFUSED);
    T_HAS("why", last->study_state.text, "moasha compares three objectives at most, not 4");
    check_trials(&w, study);
    world_agent(&w, &(struct agent){ .peer = 2, .cores = 4, .holdings = &held, .n_holdings = 1,
                                     .life = 1 });
    T_EQ("what still runs of it is ended", w.welcome.n_kill, 1);
    world_client(&w, CLIENT_PEER, OWNER);
    T_EQ("it is over", world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_STOP, "four", -1), 0);
    world_pass(&w, w.config.reattach_ms + 1000, 2, 2);
    T_TRUE(w.n_leases > 0 && asy_id_cmp(w.leases[w.n_leases - 1].study, other) == 0);
    world_complete(&w, &w.leases[w.n_leases - 1], 9, 0.5);
    T_EQ("the other one", world_last(&w, other, -1, ASY_EV_STUDY_STATE)->study_state.state,
         ASY_STUDY_FINISHED);
    T_TRUE(world_restart(&w));
out:
    world_close(&w);
}

/* Its trials were made under the spec before: what runs of them is cancelled like that of any study
 * that stops. */
static void a_change_that_is_refused_fails_the_study(void)
{
    static const char first[] = STUDY_HEAD("a") RUN(9, true) "budget: {trials: 2}\n";
    static const char more[] = STUDY_HEAD("a") RUN(9, true) "budget: {trials: 3}\n";
    const struct asy_event *last;
    struct asy_id study;
    struct world w;

    if (!world_open(&w) || !world_start(&w))
        goto out;
    world_client(&w, CLIENT_PEER, OWNER);
    world_agent(&w, &(struct agent){ .peer = 2, .cores = 2 });
    study = world_submit(&w, CLIENT_PEER, OWNER, 1, first, 0);
    world_complete(&w, &w.leases[0], 9, 0.5);
    world_started(&w, &w.leases[1]);
    world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_PAUSE, "a", 0);
    world_submit(&w, CLIENT_PEER, OWNER, 2, more, 1);
    T_EQ("changed", world_count(&w, ASY_EV_STUDY_CHANGED), 1);
    if (!T_TRUE(world_refuse(&w, study, ASY_EV_STUDY_CHANGED,
                             "{\"assay\":1,\"search\":{\"sampler\":\"nobody\"}}")))
        goto out;
    last = world_last(&w, study, -1, ASY_EV_STUDY_STATE);
    T_EQ("stopping", last->study_state.state, ASY_STUDY_STOPPING);
    T_HAS("why", last->study_state.text, "study 'a'");
    world_pass(&w, w.config.reattach_ms + 1000, 2, 2); /* nobody comes back with what ran */
    last = world_last(&w, study, -1, ASY_EV_STUDY_STATE);
    T_EQ("failed", last->study_state.state, ASY_STUDY_FAILED);
    T_EQ("cause", last->study_state.cause, ASY_CAUSE_REFUSED);
    T_EQ("its results stay", world_last(&w, study, 0, ASY_EV_TRIAL_STATE)->trial_state.state,
         ASY_TRIAL_COMPLETE);
    T_TRUE(world_restart(&w));
out:
    world_close(&w);
}

/* Put back by another change that is fine: the study goes on. */
static void a_later_change_takes_the_refusal_back(void)
{
    static const char first[] = STUDY_HEAD("a") RUN(9, true) "budget: {trials: 2}\n";
    static const char more[] = STUDY_HEAD("a") RUN(9, true) "budget: {trials: 3}\n";
    struct asy_id study;
    struct world w;
    size_t n = 0;

    if (!world_open(&w) || !world_start(&w))
        goto out;
    world_client(&w, CLIENT_PEER, OWNER);
    world_agent(&w, &(struct agent){ .peer = 2, .cores = 2 });
    study = world_submit(&w, CLIENT_PEER, OWNER, 1, first, 0);
    world_started(&w, &w.leases[1]);
    for (uint64_t i = 2; i < 4; i++) {
        world_control(&w, CLIENT_PEER, OWNER, ASY_CONTROL_PAUSE, "a", 0);
        world_submit(&w, CLIENT_PEER, OWNER, i, i == 2 ? more : first, 1);
    }
    for (size_t i = 0; i < w.n_events && n == 0; i++)
        if (w.events[i].kind == ASY_EV_STUDY_CHANGED && n++ == 0)
            w.events[i].study_changed.spec = "{\"assay\":1,\"search\":{\"sampler\":\"nobody\"}}";
    T_EQ("two changes", world_count(&w, ASY_EV_STUDY_CHANGED), 2);
    T_TRUE(world_restart(&w));
    T_EQ("runs", world_last(&w, study, -1, ASY_EV_STUDY_STATE)->study_state.state,
         ASY_STUDY_RUNNING);
out:
    world_close(&w);
}

/* Whatever is wrong with the file, and whether it has trials yet or not. */
static void any_mistake_is_the_reason(void)
{
    static const struct {
        const char *name, *spec, *text;
    } cases[] = {
        { "no JSON", "{", "study 'a'" },
        { "a missing key", "{\"assay\": 1}", "is missing" },
        { "an unknown sampler", "{\"assay\":1,\"search\":{\"sampler\":\"nobody\"}}", "study 'a'" },
    };

    for (size_t i = 0; i < 2 * ASY_ARRAY_LEN(cases); i++) {
        const struct asy_event *last;
        struct asy_id study;
        struct world w;

        if (world_open(&w) && world_start(&w)) {
            world_client(&w, CLIENT_PEER, OWNER);
            if (i % 2)
                world_agent(&w, &(struct agent){ .peer = 2, .cores = 1 });
            study = world_submit(&w, CLIENT_PEER, OWNER, 1,
                                 STUDY_HEAD("a") RUN(9, true) "budget: {trials: 1}\n", 0);
            T_EQ(cases[i / 2].name, w.n_leases, i % 2);
            T_TRUE(world_refuse(&w, study, ASY_EV_STUDY_CREATED, cases[i / 2].spec));
            last = world_last(&w, study, -1, ASY_EV_STUDY_STATE);
            if (T_TRUE(last && last->study_state.cause == ASY_CAUSE_REFUSED))
                T_HAS(cases[i / 2].name, last->study_state.text, cases[i / 2].text);
            T_TRUE(world_restart(&w));
        }
        world_close(&w);
    }
}

T_MAIN("refused", T_TEST(it_fails_and_the_others_go_on),
       T_TEST(a_change_that_is_refused_fails_the_study),
       T_TEST(a_later_change_takes_the_refusal_back), T_TEST(any_mistake_is_the_reason))
