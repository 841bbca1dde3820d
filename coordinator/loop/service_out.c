/* SPDX-License-Identifier: Apache-2.0
 * service_out.c - what goes out: effects as the gate lets them, each to where it belongs. A peer
 * that is found closed, or that does not read, is fed back to core as gone. */
#include "service_impl.h"
#include <stdio.h>
#include <stdlib.h>
#include "crash.h"

#define REPLY_PART (512u << 10)

static int note_gone(struct asy_service *service, uint64_t peer, struct asy_error *err)
{
    if (service->n_gone > 0 && service->gone[service->n_gone - 1] == peer)
        return 0;
    if (service->n_gone == service->cap_gone) {
        size_t cap = service->cap_gone ? 2 * service->cap_gone : 32;
        uint64_t *gone = realloc(service->gone, cap * sizeof *gone);

        if (!gone)
            return asy_fail(err, ASY_E_NOMEM, "no memory for %zu peers", cap);
        service->gone = gone;
        service->cap_gone = cap;
    }
    service->gone[service->n_gone++] = peer;
    return 0;
}

/* What clients have asked for may come faster than a socket takes it: it waits in the outbox, and
 * what comes later behind it. */
static int send_or_keep(struct asy_service *service, uint64_t peer, enum asy_msg_type type,
                        struct asy_error *err)
{
    const struct asy_buf *frame = &service->frame;
    int waits = asy__outbox_has(&service->outbox, peer), rc = ASY_E_AGAIN;

    if (!waits)
        rc = asy_server_send(service->server, peer, frame->data, frame->len, err);
    if (rc == ASY_E_AGAIN && (waits || type == ASY_MSG_NEWS || type == ASY_MSG_REPLY))
        rc = asy__outbox_put(&service->outbox, peer, frame->data, frame->len, err);
    return rc;
}

/* A frame that cannot be queued because the peer does not read ends its connection: it greets again
 * and hears everything anew, which no dropped frame in the middle would allow. */
int asy__service_send(struct asy_service *service, uint64_t peer, const struct asy_msg *msg,
                     struct asy_error *err)
{
    int rc;

    asy_buf_clear(&service->frame);
    if ((rc = asy_msg_encode(msg, &service->frame, err)) < 0)
        return rc;
    asy__crash_before_send(msg->type);
    rc = send_or_keep(service, peer, msg->type, err);
    asy__crash_after_send(msg->type);
    if (rc == ASY_E_GONE || rc == ASY_E_AGAIN || rc == ASY_E_FULL)
        return note_gone(service, peer, err);
    return rc;
}

static int answered(struct asy_service *service, uint64_t peer, struct asy_id session,
                    struct asy_error *err)
{
    struct asy_input input = { .type = ASY_IN_ANSWERED, .peer = peer };

    input.answered.session = session;
    return asy__service_feed(service, &input, err);
}

int asy__service_reply(struct asy_service *service, uint64_t peer, struct asy_id session,
                       uint64_t request, int code, const char *text, const char *json, size_t len,
                       int more, struct asy_error *err)
{
    size_t at = 0;
    int rc;

    do {
        size_t part = len - at < REPLY_PART ? len - at : REPLY_PART;
        struct asy_msg msg = { .type = ASY_MSG_REPLY, .session = session };

        msg.reply.request = request;
        msg.reply.code = code;
        msg.reply.text = code == 0 && service->full.code ? service->full.text : text;
        msg.reply.json = json ? json + at : NULL;
        msg.reply.json_len = part;
        msg.reply.more = more || at + part < len;
        if ((rc = asy__service_send(service, peer, &msg, err)) < 0)
            return rc;
        at += part;
    } while (at < len);
    return more ? 0 : answered(service, peer, session, err);
}

/* Whoever reads the store has something to do, or may have. */
static int wake_reader(struct asy_service *service, int rc)
{
    if (service->info.network_fs)
        asy__writer_wake(service->writer);
    return rc;
}

int asy__service_forget(struct asy_service *service, uint64_t peer, struct asy_error *err)
{
    asy__peers_drop(&service->peers, peer);
    asy__outbox_drop(&service->outbox, peer);
    return wake_reader(service, asy__query_forget(service->query, peer, err));
}

int asy__service_look(struct asy_service *service, struct asy__bulk_ask *ask,
                      struct asy_error *err)
{
    return wake_reader(service, asy__query_look(service->query, ask, err));
}

int asy__service_tidy(struct asy_service *service, struct asy_id study, struct asy_error *err)
{
    char path[4200];

    snprintf(path, sizeof path, "%s/artifacts", service->home);
    return asy__query_tidy(service->query, path, study, err);
}

static int release(struct asy_service *service, const struct asy_effect *fx, struct asy_error *err)
{
    int rc;

    switch (fx->type) {
    case ASY_FX_SEND:
        return asy__service_send(service, fx->peer, &fx->msg, err);
    case ASY_FX_ASK:
    case ASY_FX_TELL:
    case ASY_FX_SAMPLER:
        return asy__compute_put(service->compute, fx, err);
    case ASY_FX_FORGET:
        asy__bulk_over(service->bulk, fx->study);
        if ((rc = asy__service_tidy(service, fx->study, err)) < 0)
            return rc;
        return asy__compute_put(service->compute, fx, err);
    case ASY_FX_DROP_FILE:
        asy__crash_point("coordinator.before_drop_file");
        return wake_reader(service, asy__query_drop_file(service->query, fx->file.path, err));
    case ASY_FX_QUIT:
        asy__crash_point("coordinator.before_quit");
        service->quit = 1;
        return 0;
    case ASY_FX_CLOSE:
        return asy__service_forget(service, fx->peer, err);
    case ASY_FX_QUERY:
        return wake_reader(service, asy__service_ask(service, fx, err));
    }
    return 0;
}

static int flush_outbox(struct asy_service *service, struct asy_error *err)
{
    uint64_t gone;
    int rc;

    do {
        if ((rc = asy__outbox_flush(&service->outbox, service->server, &gone, err)) < 0 ||
            (gone && (rc = note_gone(service, gone, err)) < 0))
            return rc;
    } while (gone);
    return 0;
}

int asy__service_flush(struct asy_service *service, struct asy_error *err)
{
    const struct asy_effect *fx;
    int rc = flush_outbox(service, err);

    if (rc < 0)
        return rc;
    do {
        while ((fx = asy_gate_next(service->gate)))
            if ((rc = release(service, fx, err)) < 0)
                return rc;
        for (size_t i = 0; i < service->n_gone; i++) {
            struct asy_input input = { .type = ASY_IN_CLOSED, .peer = service->gone[i] };

            if ((rc = asy__service_forget(service, input.peer, err)) < 0 ||
                (rc = asy__service_feed(service, &input, err)) < 0)
                return rc;
        }
        rc = service->n_gone > 0;
        service->n_gone = 0;
        asy__service_seal(service);
    } while (rc);
    asy__compute_send(service->compute);
    asy__traffic_released(&service->traffic, service->durable);
    return 0;
}
