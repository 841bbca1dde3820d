/* SPDX-License-Identifier: Apache-2.0
 * test_nomem.c - the n-th allocation fails, for every n: a step says so and nothing is torn down
 * twice, leaked or half done. Allocations of our own code go through the linker's --wrap. */
#include <asy/core.h>
#include <asy/gate.h>
#include "nomem.h"

#define KEY "owner"

struct run {
    struct asy_core *core;
    struct asy_gate *gate;
    struct asy_id sessions[4];
    struct asy_lease lease;
    int leases, finished;
};

/* One input; its effects go through the gate, its asks are answered. */
static int feed(struct run *r, const struct asy_input *input)
{
    struct asy_input asked = { .type = ASY_IN_ASKED }, durable = { .type = ASY_IN_DURABLE };
    const struct asy_effect *fx;
    struct asy_step step;
    double x = 0.5;
    int rc = asy_core_step(r->core, input, 1000, 1000000, &step, NULL), ask = 0;

    for (size_t i = 0; rc == 0 && i < step.n_events; i++)
        r->finished |= step.events[i].kind == ASY_EV_STUDY_STATE &&
                       step.events[i].study_state.state == ASY_STUDY_FINISHED;
    for (size_t i = 0; rc == 0 && i < step.n_effects; i++)
        rc = asy_gate_put(r->gate, &step.effects[i], NULL);
    if (rc)
        return rc;
    durable.durable.commit = asy_core_seal(r->core);
    asy_gate_durable(r->gate, durable.durable.commit);
    while ((fx = asy_gate_next(r->gate))) {
        if (fx->type == ASY_FX_ASK) {
            ask = 1;
            asked.asked.study = fx->study;
            asked.asked.number = fx->ask.number;
            asked.asked.knew = fx->ask.knew;
        } else if (fx->type == ASY_FX_SEND && fx->msg.type == ASY_MSG_WELCOME) {
            r->sessions[fx->peer] = fx->msg.session;
        } else if (fx->type == ASY_FX_SEND && fx->msg.type == ASY_MSG_LEASE) {
            r->lease.study = fx->msg.lease.leases[0].study;
            r->lease.trial = fx->msg.lease.leases[0].trial;
            r->lease.attempt = fx->msg.lease.leases[0].attempt;
            r->leases++;
        }
    }
    if (durable.durable.commit && (rc = feed(r, &durable)))
        return rc;
    asked.asked.x = &x;
    asked.asked.source = "test";
    return ask ? feed(r, &asked) : 0;
}

static int send(struct run *r, uint64_t peer, struct asy_msg *msg)
{
    struct asy_input input = { .type = ASY_IN_MSG, .peer = peer };

    msg->session = r->sessions[peer];
    input.msg.msg = msg;
    input.msg.key = KEY;
    return feed(r, &input);
}

static int hello(struct run *r, uint64_t peer, enum asy_role role)
{
    static const uint32_t groups[2] = { 0, 1 };
    static const struct asy_gpu gpu = { .id = "G", .name = "a GPU", .group = 1 };
    struct asy_msg msg = { .type = ASY_MSG_HELLO };

    msg.hello.role = role;
    msg.hello.major = ASY_PROTOCOL_MAJOR;
    msg.hello.agent = asy_id_from(1, peer);
    msg.hello.host = "node";
    msg.hello.cores = 2;
    msg.hello.core_groups = groups;
    msg.hello.n_core_groups = 2;
    msg.hello.hardware = "{}";
    msg.hello.gpus = &gpu;
    msg.hello.n_gpus = 1;
    msg.hello.walltime_left_ms = -1;
    return send(r, peer, &msg);
}

static int report(struct run *r)
{
    struct asy_metric metric = { "loss", 0.5 };
    struct asy_report reports[4] = { 0 };
    struct asy_msg msg = { .type = ASY_MSG_REPORTS };

    for (uint64_t i = 0; i < 4; i++)
        reports[i] = (struct asy_report){ .study = r->lease.study, .trial = r->lease.trial,
                                          .attempt = r->lease.attempt, .number = i + 1,
                                          .epoch = r->lease.attempt };
    reports[0].event.kind = ASY_EV_STARTED;
    reports[1].event.kind = ASY_EV_REPORT;
    reports[1].event.report.step = 2;
    reports[1].event.report.metrics = &metric;
    reports[1].event.report.n_metrics = 1;
    reports[2].event.kind = ASY_EV_CHECKPOINT;
    reports[2].event.checkpoint.checkpoint.step = 2;
    reports[2].event.checkpoint.checkpoint.path = "here";
    reports[3].event.kind = ASY_EV_ENDED;
    reports[3].event.ended.end = ASY_END_COMPLETE;
    msg.reports.reports = reports;
    msg.reports.n_reports = 4;
    return send(r, 2, &msg);
}

static int all(struct run *r, const char *spec)
{
    struct asy_core_config config = ASY_CORE_CONFIG_INIT;
    struct asy_msg submit = { .type = ASY_MSG_SUBMIT }, watch = { .type = ASY_MSG_WATCH };
    struct asy_step step;
    int rc;

    config.store = asy_id_from(1, 1);
    config.owner = KEY;
    config.idle_exit_ms = -1;
    submit.submit.study = asy_id_from(2, 2);
    submit.submit.spec = spec;
    if ((rc = asy_core_create(&config, &r->core, NULL)) ||
        (rc = asy_gate_create(&r->gate, NULL)) ||
        (rc = asy_core_start(r->core, 0, 0, &step, NULL)) ||
        (rc = hello(r, 1, ASY_ROLE_CLIENT)) || (rc = send(r, 1, &watch)) ||
        (rc = send(r, 1, &submit)) || (rc = hello(r, 2, ASY_ROLE_AGENT)))
        return rc;
    for (int i = 0; rc == 0 && i < 3 && r->leases > i; i++)
        rc = report(r);
    return rc;
}

static void each_allocation_may_fail(void)
{
    static const char yaml[] =
        "assay: 1\nname: a\nobjective: {metric: loss, goal: minimize}\n"
        "parameters: {x: {min: 0.0, max: 1.0}}\n"
        "run: {command: [run], length: {unit: steps, max: 4}, checkpoint: true}\n"
        "search: {sampler: random, deterministic: true, lag: 1}\nbudget: {trials: 3}\n";
    struct asy_study_spec *spec = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    int finished = 0, failures = 0;

    if (!T_OK(asy_study_parse(yaml, sizeof yaml - 1, "t", "/t", &spec, NULL, &err), &err))
        return;
    for (int64_t n = 0; n < 5000 && !finished; n++) {
        struct run r = { 0 };
        int rc;

        t_nomem_from((long)n);
        rc = all(&r, spec->canonical);
        t_nomem_end();
        if (rc)
            failures += T_EQ("code", rc, ASY_E_NOMEM);
        else /* what was not told as failed has gone all the way, unless the submission failed */
            finished = r.finished;
        asy_gate_destroy(r.gate);
        asy_core_destroy(r.core);
    }
    T_TRUE(finished);
    printf("%d failures ... ", failures);
    T_TRUE(failures > 50);
    asy_study_destroy(spec);
}

T_MAIN("nomem", T_TEST(each_allocation_may_fail))
