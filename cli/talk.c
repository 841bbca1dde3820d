/* SPDX-License-Identifier: Apache-2.0
 * talk.c - what is said in a session: greet, ask and wait, or post and take frames as they come. A
 * break in the middle of a question is waited out (the coordinator may be restarting) for as long
 * as ASY__PATIENCE_MS; questions are asked again, which every verb allows. */
#include <poll.h>
#include <string.h>
#include <asy/clock.h>
#include "session_impl.h"

#define GREET_MS 3000
#define LOOK_MS 200  /* between two looks whether the coordinator asked is still there */

/* A question is lost with the process it was put to; its successor does not know of it. */
static int replaced(const struct asy__session *session)
{
    struct asy_discovery now;

    return asy__session_find(session, &now, NULL) < 0 || asy_discovery_stale(&now) ||
           now.pid != session->found.pid || now.owner_epoch != session->found.owner_epoch;
}

/* ASY_E_AGAIN: whoever should answer is gone. */
static int receive(struct asy__session *session, int64_t deadline_ms, struct asy_msg *ret_msg,
                   struct asy_error *err)
{
    int interrupts = asy__interrupts();

    for (;;) {
        struct asy_poll_item item = { .client = session->client, .fd = -1, .events = POLLIN };
        int64_t left_ms = deadline_ms - asy_clock_ms();
        const void *bytes;
        size_t len;
        int rc = asy_client_recv(session->client, &bytes, &len, err);

        if (rc == 0) {
            asy_arena_reset(session->arena);
            return asy_msg_decode(bytes, len, session->arena, ret_msg, err);
        }
        if (rc != ASY_E_AGAIN)
            return rc;
        if (asy__interrupts() != interrupts)
            return asy_fail(err, ASY_E_CANCELLED, "interrupted");
        if (left_ms <= 0)
            return asy_fail(err, ASY_E_TIMEOUT, "the coordinator does not answer");
        rc = asy_poll(&item, 1, left_ms < LOOK_MS ? (int)left_ms : LOOK_MS, err);
        if (rc < 0)
            return rc;
        if (rc == 0 && replaced(session))
            return asy_fail(err, ASY_E_AGAIN, "the coordinator went away");
    }
}

static int transmit(struct asy__session *session, const struct asy_msg *msg, int64_t deadline_ms,
                    struct asy_error *err)
{
    int rc;

    asy_buf_clear(&session->frame);
    if ((rc = asy_msg_encode(msg, &session->frame, err)) < 0)
        return rc;
    while ((rc = asy_client_send(session->client, session->frame.data, session->frame.len, err)) ==
               ASY_E_AGAIN &&
           asy_client_state(session->client) != ASY_WAY_NOT_LET_IN &&
           asy_clock_ms() < deadline_ms) {
        struct asy_poll_item item = { .client = session->client, .fd = -1, .events = POLLOUT };

        if ((rc = asy_poll(&item, 1, ASY__STEP_MS, err)) < 0)
            return rc;
    }
    return rc;
}

void asy__advise_ways(const struct asy_client *client)
{
    struct asy_way ways[ASY_WAYS_MAX];
    size_t n = asy_client_ways(client, ways);
    struct asy_buf text;

    asy_buf_init(&text, ASY_WAYS_TEXT);
    asy_ways_why(ways, n, &text);
    asy__advise(text.data);
    asy_buf_fini(&text);
}

/* Why no connection came about, and what to do. */
static int unconnected(const struct asy__session *session, struct asy_error *err)
{
    const struct asy_discovery *found = &session->found;

    if (replaced(session))
        return asy_fail(err, ASY_E_AGAIN, "the coordinator went away");
    asy__advise_ways(session->client);
    if (asy_client_state(session->client) == ASY_WAY_NOT_LET_IN)
        return asy_fail(err, ASY_E_DENIED, "the coordinator on host '%.60s' does not let in the "
                        "key of '%.100s'", found->host, session->options->coordinator
                            ? session->options->coordinator : session->options->home);
    return asy_fail(err, ASY_E_AGAIN, "no connection to host '%.60s'", found->host);
}

int asy__session_greet(struct asy__session *session, int64_t timeout_ms, struct asy_error *err)
{
    struct asy_msg msg = { .type = ASY_MSG_HELLO };
    struct asy_discovery *found = &session->found;
    struct asy_client_spec spec = { 0 };
    const char *endpoints[ASY_ENDPOINTS_MAX];
    int64_t deadline_ms = asy_clock_ms() + timeout_ms;
    int rc;

    if ((rc = asy__session_find(session, found, err)) < 0)
        return rc;
    session->turn++;
    if (asy_discovery_stale(found))
        return asy_fail(err, ASY_E_NOENT, "the coordinator of '%.100s' does not live any more",
                        session->options->home);
    spec.n_endpoints = asy_discovery_routes(found, endpoints);
    spec.endpoints = endpoints;
    spec.server_key = found->server_key;
    spec.public_key = session->keys.public_key;
    spec.secret_key = session->keys.secret_key;
    asy_client_destroy(session->client);
    asy_client_destroy(session->bulk); /* its port may be another one now */
    session->client = session->bulk = NULL;
    if ((rc = asy_client_create(session->channel, &spec, &session->client, err)) < 0)
        return rc;
    msg.hello.role = ASY_ROLE_CLIENT;
    msg.hello.major = ASY_PROTOCOL_MAJOR;
    msg.hello.minor = ASY_PROTOCOL_MINOR;
    msg.hello.agent = session->agent;
    msg.hello.walltime_left_ms = -1;
    if ((rc = transmit(session, &msg, deadline_ms, err)) == ASY_E_AGAIN)
        return unconnected(session, err);
    if (rc < 0)
        return rc;
    for (;;) {
        if ((rc = receive(session, deadline_ms, &msg, err)) < 0)
            return rc;
        if (msg.type == ASY_MSG_REJECT)
            return asy_fail(err, ASY_E_DENIED, "the coordinator refused: %s", msg.reject.text);
        if (msg.type == ASY_MSG_WELCOME) {
            session->id = msg.session;
            session->welcome.store = msg.welcome.store;
            session->welcome.epoch = msg.welcome.owner_epoch;
            session->welcome.minor = msg.welcome.minor;
            session->welcome.bulk_port = msg.welcome.bulk_port;
            snprintf(session->welcome.version, sizeof session->welcome.version, "%s",
                     msg.welcome.version ? msg.welcome.version : "");
            snprintf(session->welcome.files, sizeof session->welcome.files, "%s",
                     msg.welcome.files ? msg.welcome.files : "");
            snprintf(session->welcome.nonce, sizeof session->welcome.nonce, "%s",
                     msg.welcome.nonce ? msg.welcome.nonce : "");
            asy__advise("");
            return 0;
        }
    }
}

int asy__session_speaks(const struct asy__session *session, uint32_t minor, struct asy_error *err)
{
    if (session->welcome.minor >= minor)
        return 0;
    return asy_fail(err, ASY_E_UNSUPPORTED, "the coordinator (version %s) speaks protocol %d.%u, "
                    "this needs %d.%u: end it with 'assay down', and the next one is of this "
                    "version", session->welcome.version, ASY_PROTOCOL_MAJOR,
                    session->welcome.minor, ASY_PROTOCOL_MAJOR, minor);
}

static void set_request(struct asy_msg *msg, uint64_t request)
{
    switch (msg->type) {
    case ASY_MSG_SUBMIT:
        msg->submit.request = request;
        break;
    case ASY_MSG_CONTROL:
        msg->control.request = request;
        break;
    case ASY_MSG_RECORD:
        msg->record.request = request;
        break;
    case ASY_MSG_WATCH:
        msg->watch.request = request;
        break;
    default:
        msg->query.request = request;
        break;
    }
}

/* A text beside a good answer is news of the coordinator that every command passes on, once. */
static void hear(struct asy__session *session, int code, const char *text)
{
    int news = code == 0 && text && *text;

    if (code < 0 || news == session->news)
        return;
    session->news = news;
    if (news)
        fprintf(stderr, "assay: %s; nothing new starts, it goes on by itself when there is space\n",
                text);
    else
        fprintf(stderr, "assay: there is space again, going on\n");
}

/* A part of a long answer says how far it is, which a terminal shows until the last is there. */
static void pass_on(struct asy__session *session, const struct asy_msg *answer)
{
    const char *text = answer->reply.text;
    int shows = answer->reply.more && text && *text && asy__columns(stderr) > 0;

    if (shows || session->shows)
        fprintf(stderr, "\r\033[K%s", shows ? text : "");
    session->shows = shows;
    if (!answer->reply.more)
        hear(session, answer->reply.code, text);
}

/* One try on the present connection. ASY_E_AGAIN: greet again first. */
static int ask_once(struct asy__session *session, struct asy_msg *msg, struct asy_buf *json,
                    struct asy_error *err)
{
    int64_t deadline_ms = asy_clock_ms() + ASY__PATIENCE_MS;
    uint64_t request = ++session->request;
    struct asy_msg answer;
    int rc;

    set_request(msg, request);
    msg->session = session->id;
    asy_buf_clear(json);
    if ((rc = transmit(session, msg, asy_clock_ms() + GREET_MS, err)) < 0)
        return ASY_E_AGAIN;
    for (;;) {
        if ((rc = receive(session, deadline_ms, &answer, err)) < 0)
            return rc;
        if (answer.type == ASY_MSG_REHELLO)
            return asy_fail(err, ASY_E_AGAIN, "the coordinator was started anew");
        if (answer.type != ASY_MSG_REPLY || answer.reply.request != request)
            continue;
        deadline_ms = asy_clock_ms() + ASY__PATIENCE_MS; /* it is at work */
        pass_on(session, &answer);
        if (answer.reply.code < 0)
            return asy_fail(err, (enum asy_code)answer.reply.code, "%s",
                            answer.reply.text ? answer.reply.text : "refused");
        asy_buf_add(json, answer.reply.json, answer.reply.json_len);
        if (!answer.reply.more)
            return asy_buf_check(json, "the answer", err);
    }
}

int asy__session_left(const struct asy__session *session)
{
    struct asy_discovery now;

    return asy__session_find(session, &now, NULL) == ASY_E_NOENT;
}

int asy__ask(struct asy__session *session, struct asy_msg *msg, struct asy_buf *json,
             struct asy_error *err)
{
    int64_t deadline_ms = asy_clock_ms() + ASY__PATIENCE_MS;
    int interrupts = asy__interrupts(), rc;

    while ((rc = ask_once(session, msg, json, err)) == ASY_E_AGAIN) {
        while ((rc = asy__session_greet(session, GREET_MS, err)) < 0) {
            if (rc == ASY_E_DENIED || rc == ASY_E_CANCELLED)
                return rc;
            if (asy__interrupts() != interrupts)
                return asy_fail(err, ASY_E_CANCELLED, "interrupted");
            if (asy__session_left(session))
                return asy_fail(err, ASY_E_GONE, "the coordinator has ended");
            if (asy_clock_ms() > deadline_ms)
                return asy_fail(err, ASY_E_GONE, "the coordinator went away and did not return");
            ASY_IGNORE(poll(NULL, 0, ASY__STEP_MS) < 0);
        }
        if (asy_clock_ms() > deadline_ms)
            return asy_fail(err, ASY_E_GONE, "the coordinator does not take messages");
    }
    return rc;
}

int asy__query(struct asy__session *session, const char *what, const char *study, int64_t trial,
               int64_t after, int64_t limit, const char *arg, struct asy_buf *json,
               struct asy_json **ret_root, struct asy_error *err)
{
    struct asy_msg msg = { .type = ASY_MSG_QUERY };
    int rc;

    msg.query.what = what;
    msg.query.study = study;
    msg.query.trial = trial;
    msg.query.after = after;
    msg.query.limit = limit;
    msg.query.arg = arg ? arg : "";
    if ((rc = asy__ask(session, &msg, json, err)) < 0)
        return rc;
    return asy_json_parse(json->data, json->len, ret_root, err);
}

/* ---- without waiting ----------------------------------------------------------------------- */

int asy__post(struct asy__session *session, struct asy_msg *msg, uint64_t *ret_request,
              struct asy_error *err)
{
    uint64_t request = ++session->request;
    int rc;

    set_request(msg, request);
    msg->session = session->id;
    if ((rc = transmit(session, msg, 0, err)) < 0)
        return rc;
    *ret_request = request;
    return 0;
}

int asy__next(struct asy__session *session, int fd, int timeout_ms, struct asy_msg *ret_msg,
              struct asy_error *err)
{
    struct asy_poll_item items[] = { { .client = session->client, .fd = -1, .events = POLLIN },
                                     { .fd = fd, .events = POLLIN } };
    const void *bytes;
    size_t len;
    int rc = session->client ? asy_client_recv(session->client, &bytes, &len, err) : ASY_E_AGAIN;

    if (rc == ASY_E_AGAIN && timeout_ms > 0) {
        rc = session->client ? asy_poll(items, fd >= 0 ? 2 : 1, timeout_ms, err)
                             : asy_poll(items + 1, fd >= 0, timeout_ms, err);
        if (rc < 0)
            return rc;
        rc = session->client ? asy_client_recv(session->client, &bytes, &len, err) : ASY_E_AGAIN;
    }
    if (rc < 0)
        return rc;
    asy_arena_reset(session->arena);
    if ((rc = asy_msg_decode(bytes, len, session->arena, ret_msg, err)) == 0 &&
        ret_msg->type == ASY_MSG_REHELLO)
        return asy_fail(err, ASY_E_STATE, "the coordinator was started anew");
    if (rc == 0 && ret_msg->type == ASY_MSG_REPLY && ret_msg->reply.code == 0)
        session->news = ret_msg->reply.text && *ret_msg->reply.text; /* the caller shows it */
    return rc;
}
