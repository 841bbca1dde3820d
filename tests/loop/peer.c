/* SPDX-License-Identifier: Apache-2.0
 * peer.c - see peer.h. */
#include "peer.h"
#include <asytest.h>
#include <math.h>
#include <poll.h>
#include <asy/channel.h>
#include <asy/clock.h>

#define PATIENCE_MS 300000
#define BEAT_MS 500
#define TURN_MS 20

static bool put(struct peer *p, struct asy_msg *msg)
{
    struct asy_poll_item item = { .client = p->client, .fd = -1, .events = POLLOUT };
    int64_t limit_ms = asy_clock_ms() + PATIENCE_MS;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf frame;
    int rc;

    asy_buf_init(&frame, ASY_FRAME_MAX);
    msg->session = p->session;
    rc = asy_msg_encode(msg, &frame, &err);
    while (rc == 0 &&
           (rc = asy_client_send(p->client, frame.data, frame.len, &err)) == ASY_E_AGAIN &&
           asy_clock_ms() < limit_ms)
        rc = asy_poll(&item, 1, 1000, &err) < 0 ? -1 : 0;
    asy_buf_fini(&frame);
    return T_OK(rc, &err);
}

int peer_say(struct peer *p, enum asy_msg_type type)
{
    struct asy_msg msg = { .type = type };

    msg.bye.text = msg.drain.text = NULL;
    return put(p, &msg);
}

static bool greet(struct peer *p)
{
    struct asy_msg msg = { .type = ASY_MSG_HELLO };
    struct asy_holding held[PEER_ATTEMPTS_MAX];
    size_t n = 0;

    for (size_t i = 0; i < p->n_attempts; i++)
        if (!p->attempts[i].closed)
            held[n++] = (struct asy_holding){
                .study = p->attempts[i].study, .trial = p->attempts[i].trial,
                .attempt = p->attempts[i].attempt, .epoch = p->attempts[i].epoch,
                .running = !p->attempts[i].over, .reported = p->attempts[i].made };
    p->session = ASY_ID_NONE;
    msg.hello.role = ASY_ROLE_AGENT;
    msg.hello.major = ASY_PROTOCOL_MAJOR;
    msg.hello.minor = p->minor;
    msg.hello.version = "0.1.0";
    msg.hello.host = p->minor ? "new" : "old";
    msg.hello.agent = p->id;
    msg.hello.store = p->store;
    msg.hello.owner_epoch = p->owner_epoch;
    msg.hello.cores = p->cores;
    msg.hello.gpus = p->gpus;
    msg.hello.n_gpus = p->n_gpus;
    msg.hello.hardware = msg.hello.versions = "{}";
    msg.hello.walltime_left_ms = -1;
    msg.hello.holdings = held;
    msg.hello.n_holdings = n;
    return put(p, &msg);
}

static int join(struct peer *p, const struct coordinator *c)
{
    const char *endpoint = c->found.endpoints[0];
    struct asy_client_spec spec = { &endpoint, 1, c->found.server_key, c->user.public_key,
                                    c->user.secret_key };
    struct asy_error err = ASY_ERROR_INIT;

    return T_OK(asy_client_create(c->channel, &spec, &p->client, &err), &err) && greet(p);
}

int peer_open(struct peer *p, const struct coordinator *c)
{
    struct asy_error err = ASY_ERROR_INIT;

    p->id = asy_id_make();
    return T_OK(asy_arena_create(16u << 20, &p->arena, &err), &err) && join(p, c);
}

int peer_again(struct peer *p, const struct coordinator *c)
{
    peer_leave(p);
    return join(p, c);
}

void peer_leave(struct peer *p)
{
    asy_client_destroy(p->client);
    p->client = NULL;
    p->session = ASY_ID_NONE;
}

void peer_close(struct peer *p)
{
    peer_leave(p);
    asy_arena_destroy(p->arena);
    p->arena = NULL;
}

size_t peer_open_attempts(const struct peer *p)
{
    size_t n = 0;

    for (size_t i = 0; i < p->n_attempts; i++)
        n += !p->attempts[i].over;
    return n;
}

/* ---- what it hears --------------------------------------------------------------------------- */

static struct peer_attempt *find(struct peer *p, struct asy_id study, uint64_t trial,
                                 uint32_t attempt)
{
    for (size_t i = 0; i < p->n_attempts; i++)
        if (asy_id_cmp(p->attempts[i].study, study) == 0 && p->attempts[i].trial == trial &&
            p->attempts[i].attempt == attempt)
            return &p->attempts[i];
    return NULL;
}

static void take_marks(struct peer *p, const struct asy_watermark *marks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct peer_attempt *a = find(p, marks[i].study, marks[i].trial, marks[i].attempt);

        if (!a)
            continue;
        a->durable = marks[i].durable > a->durable ? marks[i].durable : a->durable;
        a->closed |= marks[i].closed;
        a->over |= marks[i].closed;
    }
}

static void take_welcome(struct peer *p, const struct asy_msg *msg)
{
    p->session = msg->session;
    p->store = msg->welcome.store;
    p->owner_epoch = msg->welcome.owner_epoch;
    p->told_minor = msg->welcome.minor;
    p->n_welcomes++;
    p->n_keep = msg->welcome.n_keep;
    p->n_kill = msg->welcome.n_kill;
    p->n_offers += msg->welcome.n_offers;
    for (size_t i = 0; i < msg->welcome.n_kill; i++) {
        const struct asy_holding *h = &msg->welcome.kill[i];
        struct peer_attempt *a = find(p, h->study, h->trial, h->attempt);

        if (a)
            a->over = a->closed = 1;
    }
    take_marks(p, msg->welcome.marks, msg->welcome.n_marks);
}

static void take_lease(struct peer *p, const struct asy_lease *l)
{
    p->n_leases++;
    p->n_spread += l->n_placements > 0 || l->part > 0;
    p->n_adopted += !asy_id_is_none(l->adopts) || l->adopts_attempt > 0;
    p->n_with_gpus += l->placement.n_gpus > 0;
    T_EQ("it is for this one", asy_id_cmp(l->placement.worker, p->id), 0);
    if (!T_TRUE(p->n_attempts < PEER_ATTEMPTS_MAX))
        return;
    p->attempts[p->n_attempts++] = (struct peer_attempt){
        .study = l->study, .trial = l->trial, .epoch = l->epoch, .attempt = l->attempt,
        .milestone = l->milestone, .step = l->from.step, .ranks = l->ranks,
        .value = (double)l->trial };
}

static bool take(struct peer *p, const struct asy_msg *msg)
{
    struct peer_attempt *a;

    switch (msg->type) {
    case ASY_MSG_WELCOME:
        take_welcome(p, msg);
        break;
    case ASY_MSG_REHELLO:
        return asy_id_is_none(p->session) || greet(p);
    case ASY_MSG_ACK:
        take_marks(p, msg->ack.marks, msg->ack.n_marks);
        break;
    case ASY_MSG_LEASE:
        for (size_t i = 0; i < msg->lease.n_leases; i++)
            take_lease(p, &msg->lease.leases[i]);
        break;
    case ASY_MSG_CANCEL:
        p->n_cancels++;
        if ((a = find(p, msg->cancel.study, msg->cancel.trial, msg->cancel.attempt)))
            a->cancel = msg->cancel.mode;
        if (a && a->cancel == ASY_CANCEL_KILL)
            a->over = a->closed = 1;
        break;
    case ASY_MSG_DRAIN:
        p->n_drains++;
        break;
    case ASY_MSG_PONG:
        p->n_pongs++;
        break;
    case ASY_MSG_PART:
        p->n_parts++;
        break;
    default:
        return T_EQ(asy_msg_type_name(msg->type), 0, 1); /* nothing that an agent is ever sent */
    }
    return true;
}

static bool drain(struct peer *p)
{
    struct asy_error err = ASY_ERROR_INIT;
    const void *bytes;
    size_t len;
    int rc;

    while ((rc = asy_client_recv(p->client, &bytes, &len, &err)) == 0) {
        struct asy_msg msg;

        asy_arena_reset(p->arena);
        if (!T_OK(asy_msg_decode(bytes, len, p->arena, &msg, &err), &err) || !take(p, &msg))
            return false;
    }
    return T_EQ(err.text, rc, ASY_E_AGAIN);
}

/* ---- what it does ---------------------------------------------------------------------------- */

static bool report(struct peer *p, struct peer_attempt *a, struct asy_event ev)
{
    struct asy_msg msg = { .type = ASY_MSG_REPORTS };
    struct asy_report r = { .study = a->study, .trial = a->trial, .attempt = a->attempt,
                            .epoch = a->epoch, .number = ++a->made };

    ev.study = a->study;
    ev.trial = a->trial;
    ev.attempt = a->attempt;
    ev.started.report = a->made; /* the first member of each */
    r.event = ev;
    msg.reports.reports = &r;
    msg.reports.n_reports = 1;
    return put(p, &msg);
}

static bool begin(struct peer *p, struct peer_attempt *a)
{
    struct asy_event ev = { .kind = ASY_EV_STARTED };

    ev.started.pid = 1;
    ev.started.host = "old";
    ev.started.hardware = ev.started.versions = "{}";
    return report(p, a, ev);
}

static bool checkpoint(struct peer *p, struct peer_attempt *a)
{
    struct asy_event ev = { .kind = ASY_EV_CHECKPOINT };
    char path[80];

    snprintf(path, sizeof path, "/nonexistent/%llu-%llu", (unsigned long long)a->trial,
             (unsigned long long)a->step);
    ev.checkpoint.checkpoint = (struct asy_checkpoint){ .attempt = a->attempt, .step = a->step,
                                                        .bytes = 1, .path = path };
    return report(p, a, ev);
}

static bool end(struct peer *p, struct peer_attempt *a, enum asy_end how)
{
    struct asy_event ev = { .kind = ASY_EV_ENDED };

    ev.ended.end = a->end = how;
    ev.ended.step = a->step;
    ev.ended.objective = NAN;
    a->over = 1;
    return report(p, a, ev);
}

/* A report and its judgement at a time: the next step begins when that is durable. */
static bool step(struct peer *p, struct peer_attempt *a)
{
    struct asy_metric metric = { .name = "loss", .value = a->value };
    struct asy_event ev = { .kind = ASY_EV_REPORT };

    if (a->over || a->durable < a->made)
        return true;
    if (a->made == 0)
        return begin(p, a);
    if (a->cancel || a->step >= a->milestone)
        return checkpoint(p, a) &&
               end(p, a, a->cancel == ASY_CANCEL_STOP ? ASY_END_STOPPED : ASY_END_PAUSED);
    ev.report.step = ++a->step;
    ev.report.metrics = &metric;
    ev.report.n_metrics = 1;
    return report(p, a, ev);
}

static bool work(struct peer *p)
{
    if (asy_id_is_none(p->session))
        return true;
    for (size_t i = 0; i < p->n_attempts && !p->idle; i++)
        if (!step(p, &p->attempts[i]))
            return false;
    if (asy_clock_ms() < p->beat_ms)
        return true;
    p->beat_ms = asy_clock_ms() + BEAT_MS;
    return peer_say(p, ASY_MSG_HEARTBEAT);
}

int peers_turn(struct peer *const *peers, size_t n)
{
    struct asy_poll_item items[8];
    struct asy_error err = ASY_ERROR_INIT;

    for (size_t i = 0; i < n; i++)
        items[i] = (struct asy_poll_item){ .client = peers[i]->client, .fd = -1,
                                           .events = POLLIN };
    if (!T_TRUE(asy_poll(items, n, TURN_MS, &err) >= 0))
        return 0;
    for (size_t i = 0; i < n; i++)
        if (!drain(peers[i]) || !work(peers[i]))
            return 0;
    return 1;
}
