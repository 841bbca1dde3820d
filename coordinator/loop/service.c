/* SPDX-License-Identifier: Apache-2.0
 * service.c - the loop: gather input (frames, answers of threads, signals, time), step core, seal
 * what it decided, hand that to the writer, let the gate release what may leave. One round never
 * waits for a disk or a sampler. All waiting is in one poll.
 *
 * A thousand idle workers send a heartbeat each millisecond. While nothing else comes, frames of a
 * crowd gather for NAP_MS before the loop looks at them; all else ends the nap. Closed connections
 * are probed when the channel has a hint of them; peers that are heard are not probed at all.
 *
 * Fairness: a round takes a bounded number of frames, and time passes (ASY_IN_TICK) only after the
 * sockets were found empty, so that nobody is judged silent whose message lies unread. */
#include "service_impl.h"
#include <poll.h>
#include <asy/clock.h>

#define PROBE_MS 500   /* how often silent peers are probed */
#define SILENT_MS 2500 /* half a second more than an idle agent takes to its next heartbeat */
#define DOUBT_MS 1000  /* how long and how often a peer is probed of whose end there is a hint */
#define DOUBT_STEP_MS 10
#define NAP_MS 20
#define CROWD 64    /* peers: fewer do not wake the loop often enough to care */
#define CALM_MS 200 /* without anything but heartbeats: then the loop may nap */
#define LATE_MS 100
#define OUTBOX_MS 2 /* a client that waits is looked at again so soon */

/* ---- stepping core ------------------------------------------------------------------------- */

int asy__service_take(struct asy_service *service, const struct asy_step *step,
                      struct asy_error *err)
{
    int rc;

    for (size_t i = 0; i < step->n_events; i++) {
        if (!service->open && (rc = asy__batch_create(&service->open, err)) < 0)
            return rc;
        if ((rc = asy__batch_add(service->open, &step->events[i], err)) < 0)
            return rc;
    }
    for (size_t i = 0; i < step->n_effects; i++)
        if ((rc = asy_gate_put(service->gate, &step->effects[i], err)) < 0)
            return rc;
    return 0;
}

static int is_work(const struct asy_input *input)
{
    return input->type != ASY_IN_TICK &&
           (input->type != ASY_IN_MSG || input->msg.msg->type != ASY_MSG_HEARTBEAT);
}

int asy__service_feed(struct asy_service *service, const struct asy_input *input,
                      struct asy_error *err)
{
    struct asy_step step = { 0 };
    int rc = asy_core_step(service->core, input, asy_clock_ms(), asy_clock_wall_us(), &step, err);

    if (is_work(input))
        service->worked_ms = service->now_ms;
    if (rc == 0 && service->registered && !service->stays && asy_core_stays(service->core))
        asy__service_stays(service); /* before the answer leaves */
    return rc < 0 ? rc : asy__service_take(service, &step, err);
}

void asy__service_seal(struct asy_service *service)
{
    uint64_t commit;

    if (!service->open)
        return;
    commit = asy_core_seal(service->core);
    ASY_ASSERT(commit != 0, "%zu events, but no commit", service->open->n);
    service->open->commit = commit;
    asy__traffic_sealed(&service->traffic, commit, asy_clock_ns());
    asy__writer_put(service->writer, service->open);
    service->open = NULL;
}

/* ---- connections that may be closed -------------------------------------------------------- */

static void take_hints(struct asy_service *service)
{
    uint64_t peer;

    while ((peer = asy_server_closed(service->server))) {
        asy__peers_doubt(&service->peers, peer, service->now_ms + DOUBT_MS);
        service->probe_ms = service->now_ms;
    }
}

/* Sends something small to whoever may be gone: asy__service_flush() feeds back who is. */
static int probe(struct asy_service *service, struct asy_error *err)
{
    int64_t now_ms = service->now_ms;
    int silent = now_ms >= service->silent_ms, rc = 0;

    if (now_ms < service->probe_ms)
        return 0;
    if (silent)
        service->silent_ms = now_ms + PROBE_MS;
    for (size_t i = 0; i < service->peers.cap && rc == 0; i++) {
        const struct asy__peer *peer = &service->peers.slots[i];
        struct asy_msg msg = { .type = ASY_MSG_PONG };

        if (peer->id && (now_ms < peer->doubt_ms ||
                         (silent && now_ms - peer->heard_ms >= SILENT_MS)))
            rc = asy__service_send(service, peer->id, &msg, err);
    }
    service->probe_ms = now_ms < service->peers.doubt_ms ? now_ms + DOUBT_STEP_MS
                                                         : service->silent_ms;
    return rc;
}

/* ---- rounds -------------------------------------------------------------------------------- */

static int wait_ms(const struct asy_service *service, int64_t due_ms)
{
    int64_t now_ms = asy_clock_ms();
    int64_t next_ms = service->peers.n && service->probe_ms < due_ms ? service->probe_ms : due_ms;

    if (service->keys_ms < next_ms)
        next_ms = service->keys_ms;
    if (service->outbox.n && next_ms > now_ms + OUTBOX_MS)
        next_ms = now_ms + OUTBOX_MS;
    if (next_ms <= now_ms)
        return 0;
    return next_ms - now_ms > 60000 ? 60000 : (int)(next_ms - now_ms);
}

enum { FRAMES, SIGNALS, WRITTEN, ANSWERS, RESULTS, ASKS, CLOSED, KEYS, SOURCES };

/* Waits until something is to be done, and says what came. */
static int await(struct asy_service *service, struct asy_poll_item items[SOURCES], int busy,
                 int64_t due_ms, struct asy_error *err)
{
    int ms = busy ? 0 : wait_ms(service, due_ms), rc;

    if (ms > 0 && service->peers.n >= CROWD && service->now_ms - service->worked_ms >= CALM_MS) {
        rc = asy_poll(items + SIGNALS, SOURCES - SIGNALS, ms < NAP_MS ? ms : NAP_MS, err);
        if (rc < 0)
            return rc;
        ms = rc > 0 ? 0 : wait_ms(service, due_ms);
    }
    rc = asy_poll(items, SOURCES, ms, err);
    service->now_ms = asy_clock_ms();
    return rc < 0 ? rc : 0;
}

static int round_once(struct asy_service *service, int *busy, struct asy_error *err)
{
    struct asy_poll_item items[SOURCES] = {
        [FRAMES] = { .server = service->server, .fd = -1, .events = POLLIN },
        [SIGNALS] = { .fd = service->signals, .events = POLLIN },
        [WRITTEN] = { .fd = service->mail.fd, .events = POLLIN },
        [ANSWERS] = { .fd = service->answers.fd, .events = POLLIN },
        [RESULTS] = { .fd = service->results.fd, .events = POLLIN },
        [ASKS] = { .fd = service->asks.fd, .events = POLLIN },
        [CLOSED] = { .fd = asy_server_closed_fd(service->server), .events = POLLIN },
        [KEYS] = { .fd = service->key_watch, .events = POLLIN },
    };
    int64_t due_ms = asy_core_deadline(service->core);
    int empty, rc;

    if ((rc = await(service, items, *busy, due_ms, err)) < 0)
        return rc;
    if (due_ms != INT64_MAX && service->now_ms - due_ms > LATE_MS)
        asy_core_was_late(service->core, service->now_ms - due_ms);
    if ((items[SIGNALS].revents && (rc = asy__service_take_signals(service, err)) < 0) ||
        (items[WRITTEN].revents && (rc = asy__service_take_written(service, err)) < 0) ||
        (items[ANSWERS].revents && (rc = asy__service_take_answers(service, err)) < 0) ||
        (items[RESULTS].revents && (rc = asy__service_take_results(service, err)) < 0) ||
        (items[ASKS].revents && (rc = asy__service_take_asks(service, err)) < 0) ||
        (rc = asy__service_keys(service, items[KEYS].revents != 0, err)) < 0 ||
        (rc = asy__service_take_frames(service, &empty, err)) < 0)
        return rc;
    if (items[CLOSED].revents)
        take_hints(service);
    if (empty && service->now_ms >= asy_core_deadline(service->core)) {
        struct asy_input input = { .type = ASY_IN_TICK };

        if ((rc = asy__service_feed(service, &input, err)) < 0)
            return rc;
    }
    if (empty && (rc = probe(service, err)) < 0)
        return rc;
    asy__service_seal(service);
    *busy = !empty;
    return asy__service_flush(service, err);
}

static int start_drain(struct asy_service *service, struct asy_error *err)
{
    struct asy_input input = { .type = ASY_IN_DRAIN };
    int rc = asy__service_feed(service, &input, err);

    asy__service_seal(service);
    return rc;
}

int asy_service_run(struct asy_service *service, struct asy_error *err)
{
    int busy = 0, rc = service->drain ? start_drain(service, err) : 0;

    if (rc == 0)
        rc = asy__service_flush(service, err);
    while (rc == 0 && !service->quit)
        rc = round_once(service, &busy, err);
    return rc;
}
