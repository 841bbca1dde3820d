/* SPDX-License-Identifier: Apache-2.0
 * test_scale.c - many trials: a hundred thousand replay to the same state, many workers get all
 * their cores, and a step's work does not grow with the trials. Times are printed, not judged. */
#include "world.h"
#include <asy/clock.h>
#include <malloc.h>

#define TRIALS 100000

static struct asy_event event(struct asy_id study, enum asy_event_kind kind, uint64_t trial,
                              uint32_t attempt)
{
    return (struct asy_event){ .study = study, .kind = kind, .trial = trial, .attempt = attempt,
                               .wall_us = INT64_C(1700000000000000) };
}

static struct asy_event state_event(struct asy_id study, uint64_t trial)
{
    struct asy_event ev = event(study, ASY_EV_TRIAL_STATE, trial, 1);

    ev.trial_state.state = ASY_TRIAL_COMPLETE;
    ev.trial_state.value = 0.5;
    ev.trial_state.step = 4;
    return ev;
}

static void replay_trial(struct asy_core *core, struct asy_id study, uint64_t i)
{
    static const uint32_t core_number = 0;
    struct asy_placement placement = { .worker = asy_id_from(1, 1), .ranks = 1,
                                       .cores = &core_number, .n_cores = 1 };
    struct asy_metric metric = { "loss", 0.5 };
    double x = 0.5;
    struct asy_event ev[6];

    ev[0] = event(study, ASY_EV_TRIAL_CREATED, i, 0);
    ev[0].trial_created.id = asy_id_from(2, i);
    ev[0].trial_created.x = &x;
    ev[0].trial_created.n_x = 1;
    ev[1] = event(study, ASY_EV_LEASED, i, 1);
    ev[1].leased.epoch = 1;
    ev[1].leased.milestone = 4;
    ev[1].leased.placements = &placement;
    ev[1].leased.n_placements = 1;
    ev[2] = event(study, ASY_EV_STARTED, i, 1);
    ev[2].started.report = 1;
    ev[3] = event(study, ASY_EV_REPORT, i, 1);
    ev[3].report.report = 2;
    ev[3].report.step = 4;
    ev[3].report.metrics = &metric;
    ev[3].report.n_metrics = 1;
    ev[4] = event(study, ASY_EV_ENDED, i, 1);
    ev[4].ended.report = 3;
    ev[4].ended.end = ASY_END_COMPLETE;
    ev[5] = state_event(study, i);
    for (size_t k = 0; k < ASY_ARRAY_LEN(ev); k++)
        ASY_IGNORE(asy_core_replay(core, &ev[k], NULL)); /* the digest tells */
}

static void a_hundred_thousand_trials_replay(void)
{
    static const char yaml[] = STUDY_HEAD("a") RUN(4, true)
                               "search: {sampler: random, pruner: {name: asha, min: 4}}\n"
                               "budget: {trials: 1000000}\n";
    struct asy_event made = event(asy_id_from(9, 9), ASY_EV_STUDY_CREATED, UINT64_MAX, 0);
    struct asy_study_spec *spec = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_core *cores[2] = { NULL, NULL };
    struct world w;
    size_t before;
    int64_t start;

    if (!world_open(&w) ||
        !T_OK(asy_study_parse(yaml, strlen(yaml), "t", "/t", &spec, NULL, &err), &err))
        goto out;
    made.study_created.name = "a";
    made.study_created.project = "p";
    made.study_created.owner = OWNER;
    made.study_created.spec = spec->canonical;
    for (size_t c = 0; c < 2; c++) {
        if (!T_OK(asy_core_create(&w.config, &cores[c], &err), &err) ||
            !T_OK(asy_core_replay(cores[c], &made, &err), &err))
            goto out;
        before = mallinfo2().uordblks;
        start = asy_clock_ns();
        for (uint64_t i = 0; i < TRIALS; i++)
            replay_trial(cores[c], made.study, i);
        printf("%d trials: %.3f s, %zu bytes each ... ", TRIALS,
               (double)(asy_clock_ns() - start) * 1e-9,
               (mallinfo2().uordblks - before) / TRIALS);
    }
    T_TRUE(asy_core_digest(cores[0]) == asy_core_digest(cores[1]));
    T_EQ("the last one", asy_core_trial_state(cores[0], made.study, TRIALS - 1,
                                              &(enum asy_trial_state){ 0 }, &(uint32_t){ 0 }), 1);
out:
    asy_core_destroy(cores[0]);
    asy_core_destroy(cores[1]);
    asy_study_destroy(spec);
    world_close(&w);
}

/* Without keeping events and effects, as the loop does. */
static void feed(struct world *w, struct asy_msg *msg, uint64_t peer, struct asy_step *step)
{
    struct asy_input input = { .type = ASY_IN_MSG, .peer = peer };

    msg->session = w->sessions[peer];
    input.msg.msg = msg;
    input.msg.key = OWNER;
    T_EQ("step", asy_core_step(w->core, &input, w->now, w->now * 1000, step, NULL), 0);
    asy_core_seal(w->core);
}

static uint64_t cycle(struct world *w, struct lease *l, struct asy_id study, uint64_t next)
{
    struct asy_metric metric = { "loss", 0.5 };
    struct asy_report reports[3];
    struct asy_msg msg = { .type = ASY_MSG_REPORTS };
    struct asy_step step;
    uint64_t asked = next;
    double x = 0.5;

    for (uint64_t i = 0; i < 3; i++)
        reports[i] = (struct asy_report){ .study = l->study, .trial = l->trial,
                                          .attempt = l->attempt, .epoch = l->epoch,
                                          .number = i + 1 };
    reports[0].event.kind = ASY_EV_STARTED;
    reports[1].event.kind = ASY_EV_REPORT;
    reports[1].event.report.step = 4;
    reports[1].event.report.metrics = &metric;
    reports[1].event.report.n_metrics = 1;
    reports[2].event.kind = ASY_EV_ENDED;
    reports[2].event.ended.end = ASY_END_COMPLETE;
    msg.reports.reports = reports;
    msg.reports.n_reports = 3;
    feed(w, &msg, l->peer, &step);
    for (size_t i = 0; i < step.n_effects; i++) {
        const struct asy_effect *fx = &step.effects[i];

        if (fx->type == ASY_FX_ASK)
            asked = fx->ask.number + 1;
        if (fx->type == ASY_FX_SEND && fx->msg.type == ASY_MSG_LEASE) {
            l->trial = fx->msg.lease.leases[0].trial;
            l->attempt = fx->msg.lease.leases[0].attempt;
            l->epoch = fx->msg.lease.leases[0].epoch;
        }
    }
    for (; next < asked; next++) {
        struct asy_input input = { .type = ASY_IN_ASKED };

        input.asked.study = study;
        input.asked.number = next;
        input.asked.x = &x;
        T_EQ("asked", asy_core_step(w->core, &input, w->now, w->now * 1000, &step, NULL), 0);
        asy_core_seal(w->core);
    }
    return next;
}

static void cycles_of_a_long_study(void)
{
    struct world w;
    struct asy_id a;
    uint64_t next;
    int64_t start;
    int n = 20000;

    if (world_open(&w) && world_start(&w)) {
        world_client(&w, CLIENT_PEER, OWNER);
        a = world_submit(&w, CLIENT_PEER, OWNER, 1,
                         STUDY_HEAD("a") RUN(4, true) "budget: {trials: 1000000}\n", 0);
        for (uint64_t peer = 2; peer < 18; peer++)
            world_agent(&w, &(struct agent){ .peer = peer, .cores = 8 });
        T_EQ("all cores", w.n_leases, 128);
        next = world_count(&w, ASY_EV_TRIAL_CREATED);
        start = asy_clock_ns();
        for (int i = 0; i < n; i++)
            next = cycle(&w, &w.leases[i % 128], a, next);
        printf("%.1f us a cycle ... ", (double)(asy_clock_ns() - start) * 1e-3 / n);
        T_TRUE(next > (uint64_t)n);
    }
    world_close(&w);
}

T_MAIN("scale", T_TEST(a_hundred_thousand_trials_replay), T_TEST(cycles_of_a_long_study))
