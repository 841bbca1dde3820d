/* SPDX-License-Identifier: Apache-2.0
 * service.c - the loop: gather input (frames, answers of threads, signals, time), step core, seal
 * what it decided, hand that to the writer, let the gate release what may leave. One round never
 * waits for a disk or a sampler. All waiting is in one poll.
 *
 * A thousand idle workers send a heartbeat each millisecond. While nothing else comes, frames of a
 * crowd gather for NAP_MS before the loop looks at them; all else ends the nap. Closed connections
 * are probed when the channel has a hint of them; peers that are heard are not probed at all.
 *
 * Fairness: a round takes at most ROUND_FRAMES frames, and time passes (ASY_IN_TICK) only after the
 * sockets were found empty, so that nobody is judged silent whose message lies unread. */
#include <asy/service.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <asy/channel.h>
#include <asy/clock.h>
#include <asy/core.h>
#include <asy/durable.h>
#include <asy/gate.h>
#include <asy/keys.h>
#include <asy/log.h>
#include "compute.h"
#include "crash.h"
#include "outbox.h"
#include "peers.h"
#include "query.h"
#include "writer.h"

#define ROUND_FRAMES 512
#define BATCH_EVENTS 256 /* then a commit is handed over in the middle of a round */
#define PROBE_MS 500   /* how often silent peers are probed */
#define SILENT_MS 2500 /* half a second more than an idle agent takes to its next heartbeat */
#define DOUBT_MS 1000  /* how long and how often a peer is probed of whose end there is a hint */
#define DOUBT_STEP_MS 10
#define NAP_MS 20
#define CROWD 64       /* peers: fewer do not wake the loop often enough to care */
#define CALM_MS 200    /* without anything but heartbeats: then the loop may nap */
#define LATE_MS 100
#define OUTBOX_MS 2 /* a client that waits is looked at again so soon */
#define REPLY_PART (512u << 10)
#define ARENA_BUDGET (16u << 20)
#define PATH_MAX_ 4096

struct asy_service {
    char home[PATH_MAX_], discovery[PATH_MAX_], store_path[PATH_MAX_];
    struct asy_store *store;
    struct asy_store_info info;
    struct asy_core *core;
    struct asy_gate *gate;
    struct asy_channel *channel;
    struct asy_server *server;
    struct asy_keyring *ring;
    struct asy_keypair user, keys;
    struct asy__mail mail, answers, results; /* from the writer, compute and query threads */
    struct asy__writer *writer;
    struct asy__compute *compute;
    struct asy__query *query;
    struct asy__batch *open;       /* events of the open commit */
    struct asy_arena *arena;       /* the frame being decoded */
    struct asy_buf frame;
    struct asy__peers peers;
    struct asy__outbox outbox;
    uint64_t *gone;                /* peers found closed while effects were released */
    size_t n_gone, cap_gone;
    int64_t now_ms;                /* of this round */
    int64_t worked_ms;             /* when anything but heartbeats and time came last */
    int64_t probe_ms, silent_ms;   /* when the next probes are due: of all, of silent peers */
    int64_t warned_ms;
    int signals;                   /* signalfd */
    int held;                      /* the discovery file, from when it is published */
    int quit, drain, drains, registered;
    struct asy_error failure;      /* of a replayed event */
    struct asy_error full;         /* why the store cannot write now; code 0: it can */
};

/* ---- stepping core ------------------------------------------------------------------------- */

static int take_step(struct asy_service *service, const struct asy_step *step,
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

static int feed(struct asy_service *service, const struct asy_input *input, struct asy_error *err)
{
    struct asy_step step = { 0 };
    int rc = asy_core_step(service->core, input, asy_clock_ms(), asy_clock_wall_us(), &step, err);

    if (is_work(input))
        service->worked_ms = service->now_ms;
    return rc < 0 ? rc : take_step(service, &step, err);
}

static void seal(struct asy_service *service)
{
    uint64_t commit;

    if (!service->open)
        return;
    commit = asy_core_seal(service->core);
    ASY_ASSERT(commit != 0, "%zu events, but no commit", service->open->n);
    service->open->commit = commit;
    asy__writer_put(service->writer, service->open);
    service->open = NULL;
}

/* ---- letting effects out ------------------------------------------------------------------- */

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
static int send_msg(struct asy_service *service, uint64_t peer, const struct asy_msg *msg,
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

/* more: of a longer answer, whose other parts follow. */
static int send_reply(struct asy_service *service, uint64_t peer, struct asy_id session,
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
        if ((rc = send_msg(service, peer, &msg, err)) < 0)
            return rc;
        at += part;
    } while (at < len);
    return 0;
}

/* What core says of the moment, as the members of an object. */
static int write_live(struct asy_service *service, const struct asy_effect *fx, const char *what,
                      struct asy_buf *json, struct asy_error *err)
{
    const struct asy_msg *msg = &fx->msg;
    struct asy_jsonw w;
    int rc = 0;

    asy_buf_init(json, 64u << 20);
    asy_jsonw_init(&w, json, 0);
    asy_jsonw_open(&w, NULL, '{');
    if (!strcmp(what, "workers"))
        asy_core_write_workers(service->core, fx->key, asy_clock_ms(), &w);
    else if (!strcmp(what, "explain-worker"))
        rc = asy_core_explain_worker(service->core, fx->key, msg->query.arg, &w, err);
    else if (!strcmp(what, "explain"))
        rc = asy_core_explain(service->core, fx->key, msg->query.study, msg->query.trial, &w, err);
    else
        rc = asy_core_write_study(service->core, fx->key, msg->query.study, &w, err);
    asy_jsonw_close(&w, '}');
    return rc < 0 ? rc : asy_buf_check(json, "the answer", err);
}

static int ask_store(struct asy_service *service, const struct asy_effect *fx, const char *live,
                     struct asy_error *err)
{
    int rc = asy__query_put(service->query, fx, live, err);

    if (service->info.network_fs)
        asy__writer_wake(service->writer);
    return rc;
}

static int drop_file(struct asy_service *service, const char *path, struct asy_error *err)
{
    int rc = asy__query_drop_file(service->query, path, err);

    if (service->info.network_fs)
        asy__writer_wake(service->writer);
    return rc;
}

static int answer_live(struct asy_service *service, const struct asy_effect *fx, const char *what,
                       struct asy_error *err)
{
    struct asy_error why = ASY_ERROR_INIT;
    struct asy_buf json = { 0 };
    int code = write_live(service, fx, what, &json, &why), rc;

    if (code == ASY_E_NOENT && !strcmp(what, "explain-worker")) { /* one that is gone, maybe */
        asy_buf_fini(&json);
        return ask_store(service, fx, NULL, err);
    }
    rc = send_reply(service, fx->peer, fx->msg.session, fx->msg.query.request, code, why.text,
                    code ? NULL : json.data, code ? 0 : json.len, 0, err);
    asy_buf_fini(&json);
    return rc;
}

/* What core says goes along with the question; what has ended the store knows alone. */
static int ask_why(struct asy_service *service, const struct asy_effect *fx, struct asy_error *err)
{
    struct asy_buf json = { 0 };
    int live = write_live(service, fx, "explain", &json, NULL) == 0;
    int rc = ask_store(service, fx, live ? json.data : NULL, err);

    asy_buf_fini(&json);
    return rc;
}

static int ask(struct asy_service *service, const struct asy_effect *fx, struct asy_error *err)
{
    const char *what =
        fx->msg.type == ASY_MSG_QUERY && fx->msg.query.what ? fx->msg.query.what : "";

    if (!strcmp(what, "workers") || !strcmp(what, "explain-worker") || !strcmp(what, "live"))
        return answer_live(service, fx, what, err);
    return !strcmp(what, "explain") ? ask_why(service, fx, err)
                                    : ask_store(service, fx, NULL, err);
}

static void forget_peer(struct asy_service *service, uint64_t peer)
{
    asy__peers_drop(&service->peers, peer);
    asy__outbox_drop(&service->outbox, peer);
}

static int release(struct asy_service *service, const struct asy_effect *fx, struct asy_error *err)
{
    switch (fx->type) {
    case ASY_FX_SEND:
        return send_msg(service, fx->peer, &fx->msg, err);
    case ASY_FX_ASK:
    case ASY_FX_TELL:
    case ASY_FX_SAMPLER:
    case ASY_FX_FORGET:
        return asy__compute_put(service->compute, fx, err);
    case ASY_FX_DROP_FILE:
        asy__crash_point("coordinator.before_drop_file");
        return drop_file(service, fx->file.path, err);
    case ASY_FX_QUIT:
        asy__crash_point("coordinator.before_quit");
        service->quit = 1;
        return 0;
    case ASY_FX_CLOSE:
        forget_peer(service, fx->peer);
        return 0;
    case ASY_FX_QUERY:
        return ask(service, fx, err);
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

/* Releases all that may leave; peers found closed on the way are fed back once each. */
static int flush(struct asy_service *service, struct asy_error *err)
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

            forget_peer(service, input.peer);
            if ((rc = feed(service, &input, err)) < 0)
                return rc;
        }
        rc = service->n_gone > 0;
        service->n_gone = 0;
        seal(service);
    } while (rc);
    asy__compute_send(service->compute);
    return 0;
}

/* ---- input --------------------------------------------------------------------------------- */

static int take_frame(struct asy_service *service, uint64_t peer, const char *key,
                      const void *bytes, size_t len, struct asy_error *err)
{
    struct asy_error why = ASY_ERROR_INIT;
    struct asy_msg msg = { 0 };
    struct asy_input input = { .type = ASY_IN_MSG, .peer = peer };
    int rc;

    asy_arena_reset(service->arena);
    rc = asy_msg_decode(bytes, len, service->arena, &msg, &why);
    if (rc < 0 && rc != ASY_E_UNSUPPORTED) {
        if (asy_log_due(&service->warned_ms, 1000))
            asy_warn("peer=%llx sent a frame that is none of ours, ignoring it: %s",
                     (unsigned long long)peer, why.text);
        return 0;
    }
    if ((rc = asy__peers_heard(&service->peers, peer, service->now_ms, err)) < 0)
        return rc;
    if (msg.type == ASY_MSG_REPORTS)
        asy__crash_point("coordinator.before_reports");
    else if (msg.type == ASY_MSG_CONTROL)
        asy__crash_point("coordinator.before_control");
    input.msg.msg = &msg;
    input.msg.key = key;
    return feed(service, &input, err);
}

static int take_frames(struct asy_service *service, int *ret_empty, struct asy_error *err)
{
    *ret_empty = 0;
    for (int i = 0; i < ROUND_FRAMES; i++) {
        struct asy_error why = ASY_ERROR_INIT;
        char key[ASY_KEY_TEXT];
        const void *bytes;
        uint64_t peer;
        size_t len;
        int rc = asy_server_recv(service->server, &peer, key, &bytes, &len, &why);

        if (rc == ASY_E_AGAIN) {
            *ret_empty = 1;
            return 0;
        }
        if (rc < 0)
            return asy_fail(err, (enum asy_code)rc, "%s", why.text);
        if ((rc = take_frame(service, peer, key, bytes, len, err)) < 0)
            return rc;
        if (service->open && service->open->n >= BATCH_EVENTS)
            seal(service);
    }
    return 0;
}

static int take_written(struct asy_service *service, const struct asy__written *written,
                        struct asy_error *err)
{
    struct asy_input input = { .type = ASY_IN_DURABLE };
    int rc;

    if (written->rc == ASY_E_NOSPACE) {
        if (!service->full.code)
            asy_logerr("store: %s; nothing new is leased or taken, trying again every second",
                       written->text);
        asy_fail(&service->full, ASY_E_NOSPACE, "%s", written->text);
        asy_gate_let_ask(service->gate);
        input.type = ASY_IN_FAILED_COMMIT;
        input.store.text = written->text;
        input.store.ok = 0;
        return feed(service, &input, err);
    }
    if (written->rc < 0)
        return asy_fail(err, (enum asy_code)written->rc, "%s", written->text);
    if (service->full.code)
        asy_info("store: there is space again, going on");
    service->full.code = ASY_OK;
    asy__crash_point("coordinator.before_release");
    asy_gate_durable(service->gate, written->commit);
    input.durable.commit = written->commit;
    if ((rc = feed(service, &input, err)) < 0)
        return rc;
    input.type = ASY_IN_FAILED_COMMIT;
    input.store.text = "";
    input.store.ok = 1;
    return feed(service, &input, err);
}

static int take_written_mail(struct asy_service *service, struct asy_error *err)
{
    struct asy__letter *letter, *next;
    int rc = 0;

    for (letter = asy__mail_take(&service->mail); letter; letter = next) {
        next = letter->next;
        if (rc == 0)
            rc = take_written(service, (const struct asy__written *)letter, err);
        free(letter);
    }
    return rc;
}

static int take_answers(struct asy_service *service, struct asy_error *err)
{
    struct asy__letter *letter, *next;
    int rc = 0;

    for (letter = asy__mail_take(&service->answers); letter; letter = next) {
        asy__crash_point("coordinator.before_answer");
        next = letter->next;
        if (rc == 0)
            rc = feed(service, &((const struct asy__answer *)letter)->input, err);
        free(letter);
    }
    return rc;
}

static int take_results(struct asy_service *service, struct asy_error *err)
{
    struct asy__letter *letter, *next;
    int rc = 0;

    for (letter = asy__mail_take(&service->results); letter; letter = next) {
        struct asy__query_answer *answer = (struct asy__query_answer *)letter;

        next = letter->next;
        if (rc == 0)
            rc = send_reply(service, answer->peer, answer->session, answer->request, answer->rc,
                            answer->err.text, answer->rc ? NULL : answer->json.data,
                            answer->rc ? 0 : answer->json.len, answer->more, err);
        asy_buf_fini(&answer->json);
        free(letter);
    }
    return rc;
}

static int take_signals(struct asy_service *service, struct asy_error *err)
{
    struct signalfd_siginfo info;
    int rc = 0;

    while (rc == 0 && read(service->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        struct asy_input input = { .type = ASY_IN_DRAIN };

        if (service->drains++) {
            asy_info("second signal, ending at once");
            service->quit = 1;
            return 0;
        }
        asy_info("signal=%u draining: trials checkpoint and pause", info.ssi_signo);
        rc = feed(service, &input, err);
    }
    return rc;
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

/* Sends something small to whoever may be gone: flush() feeds back who is. */
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
            rc = send_msg(service, peer->id, &msg, err);
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

    if (service->outbox.n && next_ms > now_ms + OUTBOX_MS)
        next_ms = now_ms + OUTBOX_MS;
    if (next_ms <= now_ms)
        return 0;
    return next_ms - now_ms > 60000 ? 60000 : (int)(next_ms - now_ms);
}

enum { FRAMES, SIGNALS, WRITTEN, ANSWERS, RESULTS, CLOSED, SOURCES };

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
        [CLOSED] = { .fd = asy_server_closed_fd(service->server), .events = POLLIN },
    };
    int64_t due_ms = asy_core_deadline(service->core);
    int empty, rc;

    if ((rc = await(service, items, *busy, due_ms, err)) < 0)
        return rc;
    if (due_ms != INT64_MAX && service->now_ms - due_ms > LATE_MS)
        asy_core_was_late(service->core, service->now_ms - due_ms);
    if ((items[SIGNALS].revents && (rc = take_signals(service, err)) < 0) ||
        (items[WRITTEN].revents && (rc = take_written_mail(service, err)) < 0) ||
        (items[ANSWERS].revents && (rc = take_answers(service, err)) < 0) ||
        (items[RESULTS].revents && (rc = take_results(service, err)) < 0) ||
        (rc = take_frames(service, &empty, err)) < 0)
        return rc;
    if (items[CLOSED].revents)
        take_hints(service);
    if (empty && service->now_ms >= asy_core_deadline(service->core)) {
        struct asy_input input = { .type = ASY_IN_TICK };

        if ((rc = feed(service, &input, err)) < 0)
            return rc;
    }
    if (empty && (rc = probe(service, err)) < 0)
        return rc;
    seal(service);
    *busy = !empty;
    return flush(service, err);
}

static int start_drain(struct asy_service *service, struct asy_error *err)
{
    struct asy_input input = { .type = ASY_IN_DRAIN };
    int rc = feed(service, &input, err);

    seal(service);
    return rc;
}

int asy_service_run(struct asy_service *service, struct asy_error *err)
{
    int busy = 0, rc = service->drain ? start_drain(service, err) : 0;

    if (rc == 0)
        rc = flush(service, err);
    while (rc == 0 && !service->quit)
        rc = round_once(service, &busy, err);
    return rc;
}

/* ---- building and ending ------------------------------------------------------------------- */

static int path_in(const char *home, const char *name, char path[PATH_MAX_], struct asy_error *err)
{
    if (snprintf(path, PATH_MAX_, "%s/%s", home, name) >= PATH_MAX_)
        return asy_fail(err, ASY_E_TOOBIG, "path '%s/%s' is too long", home, name);
    return 0;
}

static int load_keys(struct asy_service *service, struct asy_error *err)
{
    char path[PATH_MAX_];
    int rc;

    if ((rc = path_in(service->home, "keys", path, err)) < 0 ||
        (rc = asy_durable_mkdirs(path, err)) < 0 ||
        (rc = path_in(service->home, "keys/user.key", path, err)) < 0 ||
        (rc = asy_keypair_load(path, &service->user, err)) < 0 ||
        (rc = path_in(service->home, "keys/server.key", path, err)) < 0 ||
        (rc = asy_keypair_load(path, &service->keys, err)) < 0 ||
        (rc = path_in(service->home, "keys/authorized", path, err)) < 0 ||
        (rc = asy_keyring_load(path, &service->ring, err)) < 0)
        return rc;
    return asy_keyring_add(service->ring, service->user.public_key, "owner", err);
}

static int on_replay(void *arg, const struct asy_event *event)
{
    struct asy_service *service = arg;

    asy__crash_point("coordinator.in_replay");
    return asy_core_replay(service->core, event, &service->failure);
}

static int build_core(struct asy_service *service, const struct asy_service_spec *spec,
                      struct asy_error *err)
{
    const struct asy_settings *set = spec->settings;
    struct asy_core_config config = ASY_CORE_CONFIG_INIT;
    struct asy_step step = { 0 };
    int rc;

    config.store = service->info.id;
    config.owner_epoch = service->info.owner_epoch;
    config.last_seq = service->info.last_seq;
    config.version = spec->version;
    config.owner = service->user.public_key;
    config.heartbeat_ms = asy_settings_i64(set, "heartbeat");
    config.suspect_after_ms = asy_settings_i64(set, "suspect_after");
    config.lost_after_ms = asy_settings_i64(set, "lost_after");
    config.closed_grace_ms = asy_settings_i64(set, "closed_grace");
    config.reattach_ms = asy_settings_i64(set, "reattach_window");
    config.idle_exit_ms = spec->keep ? -1 : asy_settings_i64(set, "idle_exit");
    config.lost_limit = (uint32_t)asy_settings_i64(set, "lost_retries");
    config.checkpoints_kept = (uint32_t)asy_settings_i64(set, "checkpoints_kept");
    config.artifact_quota = (uint64_t)asy_settings_i64(set, "artifact_quota");
    config.max_workers = (uint32_t)asy_settings_i64(set, "max_workers");
    config.max_trials = (uint64_t)asy_settings_i64(set, "max_study_trials");
    if ((rc = asy_core_create(&config, &service->core, err)) < 0 ||
        (rc = asy_gate_create(&service->gate, err)) < 0)
        return rc;
    asy__crash_point("coordinator.before_replay");
    if ((rc = asy_store_replay(service->store, on_replay, service, err)) < 0) {
        if (service->failure.text[0] && err)
            *err = service->failure;
        return rc;
    }
    asy__crash_point("coordinator.after_replay");
    rc = asy_core_start(service->core, asy_clock_ms(), asy_clock_wall_us(), &step, err);
    return rc < 0 ? rc : take_step(service, &step, err);
}

static int on_turn(void *arg, struct asy_reader *reader)
{
    return asy__query_turn(arg, reader);
}

static int start_threads(struct asy_service *service, struct asy_error *err)
{
    struct asy__guest guest = { .turn = NULL };
    int network = service->info.network_fs, rc;

    if ((rc = asy__mail_init(&service->mail, err)) < 0 ||
        (rc = asy__mail_init(&service->answers, err)) < 0 ||
        (rc = asy__mail_init(&service->results, err)) < 0 ||
        (rc = asy__query_create(network ? NULL : service->store_path, &service->results,
                                &service->query, err)) < 0)
        return rc;
    if (network)
        guest = (struct asy__guest){ on_turn, service->query };
    rc = asy__writer_create(service->store, &guest, &service->mail, &service->writer, err);
    if (rc < 0)
        return rc;
    return asy__compute_create(&service->answers, &service->compute, err);
}

static int listen_on(struct asy_service *service, const struct asy_service_spec *spec,
                     struct asy_error *err)
{
    const char *interface = asy_settings_str(spec->settings, "interface");
    struct asy_server_spec server = { .interface = *interface ? interface : "127.0.0.1",
                                      .port = service->info.port,
                                      .secret_key = service->keys.secret_key,
                                      .authorise = asy_keyring_has,
                                      .authorise_arg = service->ring };
    int rc;

    if ((rc = asy_channel_create((int)asy_settings_i64(spec->settings, "max_workers") + 64,
                                 &service->channel, err)) < 0)
        return rc;
    rc = asy_server_create(service->channel, &server, &service->server, err);
    if (rc == ASY_E_BUSY) {
        asy_warn("port=%d is taken, choosing another; workers find it in the discovery file",
                 server.port);
        server.port = 0;
        rc = asy_server_create(service->channel, &server, &service->server, err);
    }
    if (rc < 0)
        return rc;
    if (asy_server_port(service->server) != service->info.port)
        return asy_store_set_port(service->store, asy_server_port(service->server), err);
    return 0;
}

static int publish(struct asy_service *service, const struct asy_service_spec *spec,
                   struct asy_error *err)
{
    const char *interface = asy_settings_str(spec->settings, "interface");
    struct asy_discovery discovery = { .store = service->info.id,
                                       .owner_epoch = service->info.owner_epoch };
    int rc;

    if ((rc = asy_discovery_here(&discovery, err)) < 0)
        return rc;
    snprintf(discovery.endpoints[0], sizeof discovery.endpoints[0], "tcp://%s:%d",
             *interface && strcmp(interface, "*") ? interface : "127.0.0.1",
             asy_server_port(service->server));
    snprintf(discovery.server_key, sizeof discovery.server_key, "%s", service->keys.public_key);
    snprintf(discovery.version, sizeof discovery.version, "%s", spec->version);
    asy__crash_point("coordinator.before_publish");
    if ((rc = asy_discovery_write(service->discovery, &discovery, &service->held, err)) < 0)
        return rc;
    service->registered = 1;
    asy__crash_point("coordinator.after_publish");
    return 0;
}

static int open_signals(struct asy_service *service, struct asy_error *err)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0 ||
        (service->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC)) < 0)
        return asy_fail_errno(err, errno, "cannot take signals");
    return 0;
}

int asy_service_create(const struct asy_service_spec *spec, struct asy_service **ret_service,
                       struct asy_error *err)
{
    struct asy_service *service = calloc(1, sizeof *service);
    struct asy_store_spec store = { 0 };
    int rc;

    if (!service)
        return asy_fail(err, ASY_E_NOMEM, "no memory for the coordinator");
    service->held = service->signals = -1;
    service->mail.fd = service->answers.fd = service->results.fd = -1;
    asy_buf_init(&service->frame, ASY_FRAME_MAX);
    service->drain = spec->drain;
    snprintf(service->home, sizeof service->home, "%s", spec->home);
    if ((rc = path_in(spec->home, "coordinator.json", service->discovery, err)) < 0 ||
        (rc = path_in(spec->home, "store", service->store_path, err)) < 0 ||
        (rc = open_signals(service, err)) < 0 ||
        (rc = asy_arena_create(ARENA_BUDGET, &service->arena, err)) < 0)
        goto out;
    store.path = service->store_path;
    if ((rc = asy_store_open(&store, &service->store, &service->info, err)) < 0 ||
        (rc = load_keys(service, err)) < 0 || (rc = listen_on(service, spec, err)) < 0 ||
        (rc = build_core(service, spec, err)) < 0 || (rc = start_threads(service, err)) < 0)
        goto out;
    seal(service);
    if ((rc = publish(service, spec, err)) < 0)
        goto out;
    *ret_service = service;
    service = NULL;
    rc = 0;
out:
    asy_service_destroy(service);
    return rc;
}

static void free_letters(struct asy__mail *mail)
{
    struct asy__letter *letter, *next;

    if (mail->fd < 0)
        return;
    for (letter = asy__mail_take(mail); letter; letter = next) {
        next = letter->next;
        free(letter);
    }
    asy__mail_fini(mail);
}

void asy_service_destroy(struct asy_service *service)
{
    struct asy__letter *letter;

    if (!service)
        return;
    asy__compute_destroy(service->compute);
    asy__writer_destroy(service->writer); /* it may be giving turns to the next */
    if (service->query)
        asy__query_destroy(service->query, asy_store_reader(service->store));
    for (letter = service->results.fd < 0 ? NULL : asy__mail_take(&service->results); letter;) {
        struct asy__query_answer *answer = (struct asy__query_answer *)letter;

        letter = letter->next;
        asy_buf_fini(&answer->json);
        free(answer);
    }
    free_letters(&service->results);
    free_letters(&service->answers);
    free_letters(&service->mail);
    if (service->registered)
        ASY_IGNORE(unlink(service->discovery)); /* a stale one is recognised all the same */
    asy__batch_destroy(service->open);
    asy_gate_destroy(service->gate);
    asy_core_destroy(service->core);
    asy_server_destroy(service->server);
    asy_channel_destroy(service->channel);
    asy_keyring_destroy(service->ring);
    asy_store_close(service->store);
    asy_arena_destroy(service->arena);
    asy_buf_fini(&service->frame);
    asy__peers_fini(&service->peers);
    asy__outbox_fini(&service->outbox);
    free(service->gone);
    if (service->signals >= 0)
        close(service->signals);
    if (service->held >= 0)
        close(service->held);
    free(service);
}
