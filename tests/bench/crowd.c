/* SPDX-License-Identifier: Apache-2.0
 * crowd.c - see crowd.h.
 *
 * One poll over all connections and one timer. Heartbeats are spread evenly over their interval, as
 * those of agents that started at different times are. With a rate, the moments of results are a
 * Poisson process that waits for nobody; the agent that has held its lease longest reports. */
#include "crowd.h"
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <asy/clock.h>
#include <asy/rng.h>

#define PATIENCE_MS 120000
#define FRAMES_BUDGET (16u << 20)
#define SWEEP_MS 100 /* how often idle agents look at what came */
/* Looking at many connections costs a system call for each, on cores that the coordinator shares: a
 * large crowd looks every few milliseconds, which is little beside the time of its cycles. */
#define LARGE 128
#define LARGE_NS 4000000

/* What a node of a cluster says of itself, in length and form. */
static const char hardware[] =
    "{\"host\":\"node\",\"model\":\"simulated\",\"sockets\":1,\"physical_cores\":1,\"threads\":1,"
    "\"cores\":1,\"numa\":1,\"caches\":{\"l1\":32768,\"l2\":524288,\"l3\":33554432},"
    "\"memory\":4674974516,\"memory_total\":5194416128,"
    "\"boot_id\":\"00000000-0000-0000-0000-000000000000\",\"launcher\":\"mpirun (Open MPI) 4.1.4\","
    "\"trainer\":{\"version\":\"0.1.0\",\"kernels\":\"openblas-0.3.21 Zen, fused avx2\","
    "\"selftest\":\"ok\",\"gflops\":73.784,\"bandwidth_gb_s\":18.524,\"mpi\":\"Open MPI v4.1.4\"}}";

enum state { GREETING, IDLE, HOLDING, REPORTED, LEAVING, GONE };

struct agent {
    struct asy_client *client;
    struct asy_id id, session;
    enum state state;
    struct asy_lease lease;  /* HOLDING, REPORTED: its plain numbers */
    int waits;               /* reported, and no lease since */
    int64_t reported_ns;
    int64_t heard_ns;        /* when the last frame came */
    int64_t beat_ns;         /* when its last heartbeat went out */
    size_t next;             /* in the queue of those who hold a lease */
};
struct crowd {
    struct crowd_spec spec;
    struct agent *agents;
    struct asy_poll_item *items; /* [n + 1]; the last is the timer */
    size_t n, n_greeting, n_reported, n_left;
    int timer;
    int64_t armed_ns, next_beat_ns, beat_ns, next_result_ns, lost_ns,
        idle_ns;
    size_t beat;                 /* whose heartbeat is next */
    size_t first, last;          /* queue of holders; NONE: empty */
    int draining;
    struct asy_rng rng;
    struct asy_arena *arena;
    struct asy_buf frame;
    uint8_t *leased;             /* [cap] by trial number */
    uint64_t cap, results;
    double *waits;
    size_t n_waits, cap_waits;
};
#define NONE SIZE_MAX

double crowd_value(uint64_t trial)
{
    return (double)(trial * 7919 % 10007) / 10007;
}

static int broken(struct asy_error *err, const char *what, const struct agent *agent)
{
    return asy_fail(err, ASY_E_CORRUPT, "%s: trial %" PRIu64 " attempt %" PRIu32, what,
                    agent->lease.trial, agent->lease.attempt);
}

/* ---- sending --------------------------------------------------------------------------------- */

static int send_msg(struct crowd *crowd, struct agent *agent, struct asy_msg *msg,
                    struct asy_error *err)
{
    int rc;

    msg->session = agent->session;
    asy_buf_clear(&crowd->frame);
    if ((rc = asy_msg_encode(msg, &crowd->frame, err)) < 0)
        return rc;
    return asy_client_send(agent->client, crowd->frame.data, crowd->frame.len, err);
}

static int send_hello(struct crowd *crowd, struct agent *agent, struct asy_error *err)
{
    static const uint32_t group = 0;
    struct asy_msg msg = { .type = ASY_MSG_HELLO };

    msg.hello.role = ASY_ROLE_AGENT;
    msg.hello.major = ASY_PROTOCOL_MAJOR;
    msg.hello.minor = ASY_PROTOCOL_MINOR;
    msg.hello.version = "0.1.0";
    msg.hello.host = "node";
    msg.hello.agent = agent->id;
    msg.hello.cores = 1;
    msg.hello.core_groups = &group;
    msg.hello.n_core_groups = 1;
    msg.hello.memory = UINT64_C(4) << 30;
    msg.hello.hardware = hardware;
    msg.hello.versions = "{\"zeromq\":\"4.3.4\"}";
    msg.hello.fit = "";
    msg.hello.walltime_left_ms = -1;
    return send_msg(crowd, agent, &msg, err);
}

static int send_beat(struct crowd *crowd, struct agent *agent, struct asy_error *err)
{
    struct asy_msg msg = { .type = ASY_MSG_HEARTBEAT };

    msg.heartbeat.sent_ms = asy_clock_ms();
    msg.heartbeat.free_cores = agent->state == IDLE;
    msg.heartbeat.load = 0.5;
    return send_msg(crowd, agent, &msg, err);
}

/* A report of an attempt that nobody knows. Its acknowledgement says that all that was decided for
 * this agent before has come: frames of a connection keep their order. */
static int send_mark(struct crowd *crowd, struct agent *agent, struct asy_error *err)
{
    struct asy_report report = { .study = agent->id, .attempt = 1, .epoch = 1, .number = 1 };
    struct asy_msg msg = { .type = ASY_MSG_REPORTS };

    report.event.kind = ASY_EV_STARTED;
    report.event.started.host = report.event.started.hardware = report.event.started.versions = "";
    msg.reports.reports = &report;
    msg.reports.n_reports = 1;
    return send_msg(crowd, agent, &msg, err);
}

static int send_result(struct crowd *crowd, struct agent *agent, struct asy_error *err)
{
    double value = crowd_value(agent->lease.trial);
    struct asy_metric metrics[] = { { "loss", value }, { "accuracy", 1 - value } };
    struct asy_report reports[2];
    struct asy_msg msg = { .type = ASY_MSG_REPORTS };

    for (size_t i = 0; i < ASY_ARRAY_LEN(reports); i++)
        reports[i] = (struct asy_report){
            .study = agent->lease.study, .trial = agent->lease.trial,
            .attempt = agent->lease.attempt, .epoch = agent->lease.epoch, .number = i + 1,
        };
    reports[0].event.kind = ASY_EV_REPORT;
    reports[0].event.report.report = 1;
    reports[0].event.report.step = 1;
    reports[0].event.report.metrics = metrics;
    reports[0].event.report.n_metrics = ASY_ARRAY_LEN(metrics);
    reports[0].event.report.reporter_wall_us = asy_clock_wall_us();
    reports[1].event.kind = ASY_EV_ENDED;
    reports[1].event.ended.report = 2;
    reports[1].event.ended.end = ASY_END_COMPLETE;
    reports[1].event.ended.text = "";
    reports[1].event.ended.step = 1;
    reports[1].event.ended.objective = value;
    reports[1].event.ended.model_path = "";
    reports[1].event.ended.cpu_s = 0.5;
    reports[1].event.ended.max_rss = 1 << 20;
    msg.reports.reports = reports;
    msg.reports.n_reports = ASY_ARRAY_LEN(reports);
    agent->state = REPORTED;
    agent->waits = 1;
    crowd->n_reported++;
    agent->reported_ns = asy_clock_ns();
    return send_msg(crowd, agent, &msg, err);
}

/* ---- what comes ------------------------------------------------------------------------------ */

static int note_wait(struct crowd *crowd, struct agent *agent, struct asy_error *err)
{
    if (!agent->waits)
        return 0;
    agent->waits = 0;
    if (crowd->n_waits == crowd->cap_waits) {
        size_t cap = crowd->cap_waits ? 2 * crowd->cap_waits : 1024;
        double *grown = realloc(crowd->waits, cap * sizeof *grown);

        if (!grown)
            return asy_fail(err, ASY_E_NOMEM, "no memory for %zu times", cap);
        crowd->waits = grown;
        crowd->cap_waits = cap;
    }
    crowd->waits[crowd->n_waits++] = 1e-6 * (double)(asy_clock_ns() - agent->reported_ns);
    return 0;
}

static int note_lease(struct crowd *crowd, uint64_t trial, struct asy_error *err)
{
    if (trial >= crowd->cap) {
        uint64_t cap = 2 * trial + 1024;
        uint8_t *grown = realloc(crowd->leased, cap);

        if (!grown)
            return asy_fail(err, ASY_E_NOMEM, "no memory for %" PRIu64 " trials", cap);
        memset(grown + crowd->cap, 0, cap - crowd->cap);
        crowd->leased = grown;
        crowd->cap = cap;
    }
    if (crowd->leased[trial]++)
        return asy_fail(err, ASY_E_CORRUPT, "trial %" PRIu64 " was leased twice", trial);
    return 0;
}

static void enqueue(struct crowd *crowd, struct agent *agent)
{
    size_t i = (size_t)(agent - crowd->agents);

    agent->next = NONE;
    if (crowd->last != NONE)
        crowd->agents[crowd->last].next = i;
    else
        crowd->first = i;
    crowd->last = i;
}

static struct agent *dequeue(struct crowd *crowd)
{
    struct agent *agent = &crowd->agents[crowd->first];

    if ((crowd->first = agent->next) == NONE)
        crowd->last = NONE;
    return agent;
}

static int on_lease(struct crowd *crowd, struct agent *agent, const struct asy_msg *msg,
                    struct asy_error *err)
{
    const struct asy_lease *lease = msg->lease.leases;
    int rc;

    if (agent->state == REPORTED)
        return broken(err, "a lease before the acknowledgement", agent);
    if (agent->state != IDLE || msg->lease.n_leases != 1)
        return broken(err, "a lease beyond the agent's one core", agent);
    agent->lease = *lease;
    if (lease->attempt != 1 || lease->epoch != 1 || !lease->params[0])
        return broken(err, "not a first lease", agent);
    if ((rc = note_wait(crowd, agent, err)) < 0 || (rc = note_lease(crowd, lease->trial, err)) < 0)
        return rc;
    agent->state = HOLDING;
    if (crowd->spec.rate == 0 || crowd->draining)
        return send_result(crowd, agent, err);
    enqueue(crowd, agent);
    return 0;
}

static int on_ack(struct crowd *crowd, struct agent *agent, const struct asy_msg *msg,
                  struct asy_error *err)
{
    const struct asy_watermark *mark = msg->ack.marks;

    if (msg->ack.n_marks == 1 && asy_id_cmp(mark->study, agent->id) == 0) {
        crowd->n_left++;
        return 0;
    }
    if (agent->state != REPORTED || msg->ack.n_marks != 1 || mark->trial != agent->lease.trial ||
        mark->attempt != agent->lease.attempt || mark->durable != 2 || !mark->closed)
        return broken(err, "an acknowledgement that does not fit", agent);
    agent->state = IDLE;
    crowd->n_reported--;
    crowd->results++;
    return 0;
}

static void on_welcome(struct crowd *crowd, struct agent *agent, const struct asy_msg *msg)
{
    if (agent->state != GREETING)
        return;
    agent->session = msg->session;
    agent->state = IDLE;
    crowd->n_greeting--;
    crowd->lost_ns = msg->welcome.lost_after_ms * INT64_C(1000000);
    crowd->idle_ns = msg->welcome.idle_heartbeat_ms * INT64_C(1000000);
    crowd->beat_ns = msg->welcome.heartbeat_ms * INT64_C(1000000) / (int64_t)crowd->n;
}

/* An agent that hears nothing for lost_after takes the coordinator for dead. */
static int note_heard(struct crowd *crowd, struct agent *agent, struct asy_error *err)
{
    int64_t now_ns = asy_clock_ns();

    if (agent->heard_ns &&
        now_ns - agent->heard_ns > crowd->lost_ns / (agent->state == IDLE ? 1 : 2))
        return asy_fail(err, ASY_E_CORRUPT, "an agent heard nothing for %.1f s",
                        1e-9 * (double)(now_ns - agent->heard_ns));
    agent->heard_ns = now_ns;
    return 0;
}

static int take(struct crowd *crowd, struct agent *agent, const struct asy_msg *msg,
                struct asy_error *err)
{
    int rc = note_heard(crowd, agent, err);

    if (rc < 0)
        return rc;
    switch (msg->type) {
    case ASY_MSG_WELCOME:
        on_welcome(crowd, agent, msg);
        return 0;
    case ASY_MSG_LEASE:
        return on_lease(crowd, agent, msg, err);
    case ASY_MSG_ACK:
        return on_ack(crowd, agent, msg, err);
    case ASY_MSG_PONG:
        return 0;
    default:
        return asy_fail(err, ASY_E_CORRUPT, "an agent got %s", asy_msg_type_name(msg->type));
    }
}

static int drain_agent(struct crowd *crowd, struct agent *agent, struct asy_error *err)
{
    for (;;) {
        struct asy_msg msg;
        const void *bytes;
        size_t len;
        int rc = asy_client_recv(agent->client, &bytes, &len, err);

        if (rc == ASY_E_AGAIN)
            return 0;
        if (rc < 0)
            return rc;
        asy_arena_reset(crowd->arena);
        if ((rc = asy_msg_decode(bytes, len, crowd->arena, &msg, err)) < 0 ||
            (rc = take(crowd, agent, &msg, err)) < 0)
            return rc;
    }
}

/* ---- time ------------------------------------------------------------------------------------ */

static int arm(struct crowd *crowd, int64_t at_ns, struct asy_error *err)
{
    struct itimerspec spec = { .it_value = { at_ns / 1000000000, at_ns % 1000000000 } };

    if (at_ns == crowd->armed_ns)
        return 0;
    crowd->armed_ns = at_ns;
    if (timerfd_settime(crowd->timer, TFD_TIMER_ABSTIME, &spec, NULL) < 0)
        return asy_fail_errno(err, errno, "cannot set a timer");
    return 0;
}

/* The heartbeats that are due; in debt (the machine was busy) they go out one by one all the
 * same. */
static int beat(struct crowd *crowd, int64_t now_ns, struct asy_error *err)
{
    int rc = 0;

    while (rc == 0 && now_ns >= crowd->next_beat_ns) {
        struct agent *agent = &crowd->agents[crowd->beat++ % crowd->n];

        crowd->next_beat_ns += crowd->beat_ns;
        if (agent->state == GONE || (agent->state == IDLE && now_ns - agent->beat_ns <
                                                                 crowd->idle_ns * 3 / 4))
            continue;
        agent->beat_ns = now_ns;
        rc = send_beat(crowd, agent, err);
    }
    return rc;
}

/* The results that are due, as far as there are leases. */
static int report(struct crowd *crowd, int64_t now_ns, struct asy_error *err)
{
    int rc = 0;

    while (rc == 0 && crowd->first != NONE && now_ns >= crowd->next_result_ns) {
        crowd->next_result_ns -=
            (int64_t)(1e9 / crowd->spec.rate * log(1 - asy_rng_double(&crowd->rng)));
        rc = send_result(crowd, dequeue(crowd), err);
    }
    return rc;
}

static int turn(struct crowd *crowd, struct asy_error *err)
{
    static const struct timespec pause = { 0, LARGE_NS };
    int64_t next_ns = crowd->next_beat_ns;
    uint64_t count;
    int rc;

    if (crowd->n >= LARGE)
        clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    if (crowd->first != NONE && crowd->next_result_ns < next_ns)
        next_ns = crowd->next_result_ns;
    if ((rc = arm(crowd, next_ns, err)) < 0 ||
        (rc = asy_poll(crowd->items, crowd->n + 1, PATIENCE_MS, err)) < 0)
        return rc;
    if (rc == 0)
        return asy_fail(err, ASY_E_TIMEOUT, "the coordinator is silent");
    if (crowd->items[crowd->n].revents) {
        ASY_IGNORE(read(crowd->timer, &count, sizeof count) < 0); /* only to make it quiet */
        crowd->armed_ns = 0;
    }
    for (size_t i = 0; i < crowd->n; i++)
        if (crowd->items[i].revents && (rc = drain_agent(crowd, &crowd->agents[i], err)) < 0)
            return rc;
    if ((rc = beat(crowd, asy_clock_ns(), err)) < 0)
        return rc;
    return report(crowd, asy_clock_ns(), err);
}

/* ---- the whole crowd ------------------------------------------------------------------------- */

static int greet(struct crowd *crowd, struct agent *agent, struct asy_error *err)
{
    struct asy_poll_item item = { .client = agent->client, .fd = -1, .events = POLLOUT };
    int64_t until_ms = asy_clock_ms() + PATIENCE_MS;
    int rc;

    while ((rc = send_hello(crowd, agent, err)) == ASY_E_AGAIN) { /* not connected yet */
        if (asy_clock_ms() > until_ms)
            return asy_fail(err, ASY_E_TIMEOUT, "an agent cannot connect");
        if ((rc = asy_poll(&item, 1, 1000, err)) < 0)
            return rc;
    }
    return rc;
}

static int connect_all(struct crowd *crowd, const struct coordinator *at, struct asy_error *err)
{
    const char *endpoint = at->found.endpoints[0];
    struct asy_client_spec spec = { &endpoint, 1, at->found.server_key, at->user.public_key,
                                    at->user.secret_key };
    int rc;

    for (size_t i = 0; i < crowd->n; i++) {
        struct agent *agent = &crowd->agents[i];

        agent->id = asy_id_make();
        if ((rc = asy_client_create(at->channel, &spec, &agent->client, err)) < 0)
            return rc;
        crowd->items[i] =
            (struct asy_poll_item){ .client = agent->client, .fd = -1, .events = POLLIN };
    }
    for (size_t i = 0; i < crowd->n; i++)
        if ((rc = greet(crowd, &crowd->agents[i], err)) < 0)
            return rc;
    return 0;
}

static int await_welcomes(struct crowd *crowd, struct asy_error *err)
{
    int rc = 0;

    crowd->next_beat_ns = crowd->next_result_ns = INT64_MAX;
    while (rc == 0 && crowd->n_greeting > 0)
        rc = turn(crowd, err);
    crowd->next_beat_ns = crowd->next_result_ns = asy_clock_ns();
    return rc;
}

int crowd_create(const struct coordinator *at, const struct crowd_spec *spec,
                 struct crowd **ret_crowd, struct asy_error *err)
{
    struct crowd *crowd = calloc(1, sizeof *crowd);
    int rc;

    if (!crowd)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a crowd");
    crowd->spec = *spec;
    crowd->n = crowd->n_greeting = spec->n;
    crowd->first = crowd->last = NONE;
    asy_buf_init(&crowd->frame, ASY_FRAME_MAX);
    asy_rng_init(&crowd->rng, spec->seed, 0, ASY_RNG_SIM);
    crowd->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    crowd->agents = calloc(spec->n, sizeof *crowd->agents);
    crowd->items = calloc(spec->n + 1, sizeof *crowd->items);
    if (crowd->timer < 0 || !crowd->agents || !crowd->items) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for %zu agents", spec->n);
        goto out;
    }
    crowd->items[spec->n] = (struct asy_poll_item){ .fd = crowd->timer, .events = POLLIN };
    if ((rc = asy_arena_create(FRAMES_BUDGET, &crowd->arena, err)) < 0 ||
        (rc = connect_all(crowd, at, err)) < 0 || (rc = await_welcomes(crowd, err)) < 0)
        goto out;
    *ret_crowd = crowd;
    crowd = NULL;
out:
    crowd_destroy(crowd);
    return rc;
}

void crowd_destroy(struct crowd *crowd)
{
    if (!crowd)
        return;
    for (size_t i = 0; crowd->agents && i < crowd->n; i++)
        asy_client_destroy(crowd->agents[i].client);
    if (crowd->timer >= 0)
        close(crowd->timer);
    asy_arena_destroy(crowd->arena);
    asy_buf_fini(&crowd->frame);
    free(crowd->agents);
    free(crowd->items);
    free(crowd->leased);
    free(crowd->waits);
    free(crowd);
}

int crowd_work(struct crowd *crowd, uint64_t results, struct asy_error *err)
{
    uint64_t goal = crowd->results + results;
    int64_t now_ns = asy_clock_ns();
    int rc = 0;

    if (crowd->next_result_ns < now_ns)
        crowd->next_result_ns = now_ns; /* what fell due while nobody worked comes in no burst */
    while (rc == 0 && crowd->results < goal)
        rc = turn(crowd, err);
    return rc;
}

int crowd_idle(struct crowd *crowd, int64_t ms, struct asy_error *err)
{
    int64_t end_ns = asy_clock_ns() + ms * 1000000, sweep_ns = 0, now_ns;
    int rc = 0;

    while (rc == 0 && (now_ns = asy_clock_ns()) < end_ns) {
        struct timespec until = { crowd->next_beat_ns / 1000000000,
                                  crowd->next_beat_ns % 1000000000 };

        if ((rc = beat(crowd, now_ns, err)) < 0)
            return rc;
        if (now_ns >= sweep_ns) {
            for (size_t i = 0; rc == 0 && i < crowd->n; i++)
                rc = drain_agent(crowd, &crowd->agents[i], err);
            sweep_ns = now_ns + SWEEP_MS * 1000000;
        }
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    }
    return rc;
}

static int say_drain(struct crowd *crowd, struct asy_error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < crowd->n; i++) {
        struct asy_msg msg = { .type = ASY_MSG_DRAIN };

        msg.drain.text = "the measurement is over";
        if (!(rc = send_msg(crowd, &crowd->agents[i], &msg, err)))
            rc = send_mark(crowd, &crowd->agents[i], err);
    }
    return rc;
}

static int say_goodbye(struct crowd *crowd, struct asy_error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < crowd->n; i++) {
        struct asy_msg msg = { .type = ASY_MSG_BYE };

        msg.bye.text = "the measurement is over";
        rc = send_msg(crowd, &crowd->agents[i], &msg, err);
        crowd->agents[i].state = GONE;
    }
    return rc;
}

int crowd_leave(struct crowd *crowd, struct coordinator *at, struct asy_error *err)
{
    size_t left = crowd->n;
    int rc;

    crowd->draining = 1;
    crowd->next_beat_ns = INT64_MAX;
    if ((rc = say_drain(crowd, err)) < 0)
        return rc;
    while (crowd->first != NONE)
        if ((rc = send_result(crowd, dequeue(crowd), err)) < 0)
            return rc;
    while (crowd->n_left < crowd->n || crowd->n_reported > 0)
        if ((rc = turn(crowd, err)) < 0)
            return rc;
    if ((rc = say_goodbye(crowd, err)) < 0)
        return rc;
    while (left > 0) /* each answer comes after the commit of what was decided before it */
        if ((rc = coordinator_workers(at, &left, err)) < 0)
            return rc;
    return 0;
}

uint64_t crowd_results(const struct crowd *crowd)
{
    return crowd->results;
}

double *crowd_waits(struct crowd *crowd, size_t *ret_n)
{
    *ret_n = crowd->n_waits;
    return crowd->waits;
}

void crowd_forget(struct crowd *crowd)
{
    crowd->n_waits = 0;
    for (size_t i = 0; i < crowd->n; i++)
        crowd->agents[i].waits = 0;
}
