/* SPDX-License-Identifier: Apache-2.0
 * session.c - the line to the coordinator: find it by the discovery file, start it if asked, greet,
 * ask and wait. A break in the middle is waited out (the coordinator may be restarting) for as long
 * as PATIENCE_MS; questions are asked again, which every verb allows. */
#include "cli.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <asy/clock.h>
#include <asy/durable.h>
#include <asy/keys.h>
#include <asy/proc.h>

#define PATIENCE_MS 30000
#define GREET_MS 3000
#define STEP_MS 50
#define RETURN_MS 2000 /* a worker whose coordinator was restarted is back sooner */
#define LOOK_MS 200  /* between two looks whether the coordinator asked is still there */
#define END_MS 5000  /* for what was told to end at once */

struct asy__session {
    const struct asy__options *options;
    struct asy_channel *channel;
    struct asy_client *client;
    struct asy_keypair keys;
    struct asy_arena *arena;
    struct asy_buf frame;
    struct asy_id id, agent;
    struct asy__welcome welcome;
    struct asy_discovery found;  /* whom we greeted last */
    uint64_t request;
    int started;                 /* the coordinator is ours, not only a worker */
    int news;                    /* the last answer brought some */
    struct asy_proc node;        /* what we started */
};

static int path_of(const struct asy__options *options, const char *name, char *path, size_t n,
                   struct asy_error *err)
{
    if (snprintf(path, n, "%s/%s", options->home, name) >= (int)n)
        return asy_fail(err, ASY_E_TOOBIG, "path '%.100s/%s' is too long", options->home, name);
    return 0;
}

/* A question is lost with the process it was put to; its successor does not know of it. */
static int replaced(const struct asy__session *session)
{
    struct asy_discovery now;
    char path[4200];

    return path_of(session->options, "coordinator.json", path, sizeof path, NULL) < 0 ||
           asy_discovery_read(path, &now, NULL) < 0 || asy_discovery_stale(&now) ||
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
           asy_clock_ms() < deadline_ms) {
        struct asy_poll_item item = { .client = session->client, .fd = -1, .events = POLLOUT };

        if ((rc = asy_poll(&item, 1, STEP_MS, err)) < 0)
            return rc;
    }
    return rc;
}

/* One try: reads the discovery file, connects, greets. */
static int greet(struct asy__session *session, struct asy_error *err)
{
    struct asy_msg msg = { .type = ASY_MSG_HELLO };
    struct asy_discovery *found = &session->found;
    struct asy_client_spec spec = { 0 };
    const char *endpoints[4];
    char path[4200];
    int64_t deadline_ms = asy_clock_ms() + GREET_MS;
    int rc;

    if ((rc = path_of(session->options, "coordinator.json", path, sizeof path, err)) < 0 ||
        (rc = asy_discovery_read(path, found, err)) < 0)
        return rc;
    if (asy_discovery_stale(found))
        return asy_fail(err, ASY_E_NOENT, "the coordinator of '%.100s' does not live any more",
                        session->options->home);
    for (size_t i = 0; i < ASY_ARRAY_LEN(endpoints); i++)
        if (found->endpoints[i][0])
            endpoints[spec.n_endpoints++] = found->endpoints[i];
    spec.endpoints = endpoints;
    spec.server_key = found->server_key;
    spec.public_key = session->keys.public_key;
    spec.secret_key = session->keys.secret_key;
    asy_client_destroy(session->client);
    session->client = NULL;
    if ((rc = asy_client_create(session->channel, &spec, &session->client, err)) < 0)
        return rc;
    msg.hello.role = ASY_ROLE_CLIENT;
    msg.hello.major = ASY_PROTOCOL_MAJOR;
    msg.hello.minor = ASY_PROTOCOL_MINOR;
    msg.hello.agent = session->agent;
    msg.hello.walltime_left_ms = -1;
    if ((rc = transmit(session, &msg, deadline_ms, err)) < 0)
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
            snprintf(session->welcome.version, sizeof session->welcome.version, "%s",
                     msg.welcome.version ? msg.welcome.version : "");
            return 0;
        }
    }
}

/* Starts program (with "node" first if it is assay) for this home, in a session of its own. */
static int start(struct asy__session *session, const char *name, struct asy_error *err)
{
    int node = !strcmp(name, "assay"), sized = strcmp(name, "assay-coordinator") != 0;
    struct asy_proc_spec spec = ASY_PROC_SPEC_INIT;
    char program[4096], cores[32], log[4300];
    const char *argv[8];
    int n = 0, fd = -1, rc;

    if ((rc = asy_durable_mkdirs(session->options->home, err)) < 0 ||
        (rc = path_of(session->options, "node.log", log, sizeof log, err)) < 0 ||
        (rc = asy_proc_find_program(name, program, sizeof program, err)) < 0)
        return rc;
    if ((fd = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)) < 0)
        return asy_fail_errno(err, errno, "cannot open '%s'", log);
    argv[n++] = program;
    if (node)
        argv[n++] = "node";
    argv[n++] = "--home";
    argv[n++] = session->options->home;
    if (node && session->options->all)
        argv[n++] = "--all";
    if (sized && session->options->cores > 0) {
        snprintf(cores, sizeof cores, "%lld", (long long)session->options->cores);
        argv[n++] = "--cores";
        argv[n++] = cores;
    }
    argv[n] = NULL;
    spec.argv = argv;
    spec.stdout_fd = spec.stderr_fd = fd;
    spec.new_session = 1;
    rc = asy_proc_start(&spec, &session->node, err);
    close(fd);
    session->started = rc == 0 && strcmp(name, "assay-worker") != 0;
    return rc;
}

/* Why the thing we started ended, from the last line of its log. */
static int ended_early(const struct asy__session *session, struct asy_error *err)
{
    char path[4300], *text = NULL, *line;
    size_t len;
    int rc;

    if (path_of(session->options, "node.log", path, sizeof path, err) < 0 ||
        asy_read_file(path, 16u << 20, &text, &len, NULL) < 0)
        return asy_fail(err, ASY_E_GONE, "the coordinator ended at once");
    while (len && text[len - 1] == '\n')
        text[--len] = 0;
    line = strrchr(text, '\n');
    rc = asy_fail(err, ASY_E_GONE, "the coordinator ended at once: %s", line ? line + 1 : text);
    free(text);
    return rc;
}

static int wait_for_start(struct asy__session *session, struct asy_error *err)
{
    int64_t deadline_ms = asy_clock_ms() + PATIENCE_MS;

    for (;;) {
        int status, rc = greet(session, err);

        if (rc == 0 || rc == ASY_E_DENIED)
            return rc;
        if (asy__interrupts())
            return asy_fail(err, ASY_E_CANCELLED, "interrupted");
        if (asy_proc_wait(&session->node, 0, &status, NULL) == 0)
            return ended_early(session, err);
        if (asy_clock_ms() > deadline_ms)
            return asy_fail(err, ASY_E_TIMEOUT, "the coordinator does not answer; see %s/node.log",
                            session->options->home);
        ASY_IGNORE(poll(NULL, 0, STEP_MS) < 0);
    }
}

/* Workers that are connected and stay; and those that are not, but may come back. */
static int count_workers(struct asy__session *session, size_t *ret_here, size_t *ret_away,
                         struct asy_error *err)
{
    const struct asy_json *workers, *worker;
    struct asy_json *root = NULL;
    struct asy_buf json = { 0 };
    int rc;

    *ret_here = *ret_away = 0;
    asy_buf_init(&json, 64u << 20);
    rc = asy__query(session, "workers", "", -1, -1, -1, NULL, &json, &root, err);
    workers = asy_json_get(root, "workers");
    for (size_t i = 0; (worker = asy_json_at(workers, i)); i++) {
        const char *state = asy_json_str(asy_json_get(worker, "state"), "");

        *ret_away += !strcmp(state, "away");
        *ret_here += strcmp(state, "away") && strcmp(state, "gone") && strcmp(state, "draining");
    }
    asy_json_destroy(root);
    asy_buf_fini(&json);
    return rc;
}

/* A coordinator that a reading command started has no worker, or but remembers those of its last
 * life: it gets one from this machine, after a moment in which they could come back. Waits for the
 * first worker, so that what follows finds one and nobody starts a second. */
static int need_worker(struct asy__session *session, struct asy_error *err)
{
    int64_t begun_ms = asy_clock_ms(), waited_ms;
    size_t here, away;
    int rc, status;

    while ((rc = count_workers(session, &here, &away, err)) == 0 && here == 0) {
        waited_ms = asy_clock_ms() - begun_ms;
        if (asy__interrupts())
            return asy_fail(err, ASY_E_CANCELLED, "interrupted");
        if (session->node.pidfd < 0 && (away == 0 || waited_ms > RETURN_MS) &&
            (rc = start(session, "assay-worker", err)) < 0)
            return rc;
        if (session->node.pidfd >= 0 && asy_proc_wait(&session->node, 0, &status, NULL) == 0)
            return ended_early(session, err);
        if (waited_ms > PATIENCE_MS)
            return asy_fail(err, ASY_E_TIMEOUT, "no worker joins; see %s/node.log",
                            session->options->home);
        ASY_IGNORE(poll(NULL, 0, STEP_MS) < 0);
    }
    return rc;
}

void asy__session_drain(struct asy__session *session)
{
    ASY_IGNORE(asy_proc_signal(&session->node, SIGTERM)); /* gone: asy__session_ended() shows it */
}

int asy__session_ended(struct asy__session *session)
{
    int status;

    if (session->node.pidfd < 0)
        return 1;
    if (asy_proc_wait(&session->node, 0, &status, NULL) == ASY_E_TIMEOUT)
        return 0;
    asy_proc_close(&session->node);
    session->node = (struct asy_proc)ASY_PROC_INIT;
    return 1;
}

/* Two signals of one number can be taken for one: so one of each. */
void asy__session_end(struct asy__session *session)
{
    int64_t deadline_ms = asy_clock_ms() + END_MS;

    ASY_IGNORE(asy_proc_signal(&session->node, SIGTERM));
    ASY_IGNORE(asy_proc_signal(&session->node, SIGINT));
    while (!asy__session_ended(session)) {
        if (asy_clock_ms() > deadline_ms)
            ASY_IGNORE(asy_proc_signal(&session->node, SIGKILL));
        ASY_IGNORE(poll(NULL, 0, STEP_MS) < 0);
    }
}

/* A session that has its key and a channel, and no connection yet. */
static int prepare(const struct asy__options *options, const char *key_path,
                   struct asy__session **ret_session, struct asy_error *err)
{
    struct asy__session *session = calloc(1, sizeof *session);
    int rc;

    if (!session)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a session");
    session->options = options;
    session->agent = asy_id_make();
    session->node = (struct asy_proc)ASY_PROC_INIT;
    asy_buf_init(&session->frame, ASY_FRAME_MAX);
    if ((rc = asy_keypair_load(key_path, &session->keys, err)) < 0 ||
        (rc = asy_arena_create(16u << 20, &session->arena, err)) < 0 ||
        (rc = asy_channel_create(64, &session->channel, err)) < 0)
        asy__session_close(session);
    else
        *ret_session = session;
    return rc;
}

int asy__session_open(const struct asy__options *options, enum asy__start what,
                      struct asy__session **ret_session, struct asy_error *err)
{
    struct asy__session *session = NULL;
    char path[4200];
    int rc;

    if ((rc = path_of(options, "keys", path, sizeof path, err)) < 0 ||
        (rc = asy_durable_mkdirs(path, err)) < 0 ||
        (rc = path_of(options, "keys/user.key", path, sizeof path, err)) < 0 ||
        (rc = prepare(options, path, &session, err)) < 0)
        return rc;
    rc = greet(session, err);
    /* One that does not answer may be gone without a trace that this host can see. If it does live,
     * the store tells the second one who has it. */
    if (what != ASY__NO_START &&
        (rc == ASY_E_NOENT || rc == ASY_E_AGAIN || rc == ASY_E_TIMEOUT)) {
        rc = start(session, what == ASY__START_NODE ? "assay" : "assay-coordinator", err);
        if (rc == 0)
            rc = wait_for_start(session, err);
    } else if (rc == ASY_E_NOENT || rc == ASY_E_AGAIN) {
        rc = asy_fail(err, ASY_E_GONE, "no coordinator runs in '%s'", options->home);
    }
    if (rc == 0 && what == ASY__START_NODE)
        rc = need_worker(session, err);
    if (rc == 0) {
        *ret_session = session;
        session = NULL;
    }
    if (rc == ASY_E_CANCELLED && session->started)
        asy__session_drain(session); /* nobody is left who would */
    asy__session_close(session);
    return rc;
}

int asy__session_look(const char *home, struct asy__welcome *ret_welcome, struct asy_error *err)
{
    struct asy__options options = { .limit = -1 };
    struct asy__session *session = NULL;
    char path[4200];
    int rc;

    snprintf(options.home, sizeof options.home, "%s", home);
    if ((rc = path_of(&options, "keys/user.key", path, sizeof path, err)) < 0)
        return rc;
    if (access(path, F_OK) < 0)
        return asy_fail_errno(err, errno, "no key to greet with: '%s'", path);
    if ((rc = prepare(&options, path, &session, err)) < 0)
        return rc;
    if ((rc = greet(session, err)) == 0)
        *ret_welcome = session->welcome;
    asy__session_close(session);
    return rc;
}

void asy__session_close(struct asy__session *session)
{
    if (!session)
        return;
    asy_client_destroy(session->client);
    asy_channel_destroy(session->channel);
    asy_arena_destroy(session->arena);
    asy_buf_fini(&session->frame);
    asy_proc_close(&session->node);
    free(session);
}

int asy__session_started(const struct asy__session *session)
{
    return session->started;
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

/* One try on the present connection. ASY_E_AGAIN: greet again first. */
static int ask_once(struct asy__session *session, struct asy_msg *msg, struct asy_buf *json,
                    struct asy_error *err)
{
    int64_t deadline_ms = asy_clock_ms() + PATIENCE_MS;
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
        hear(session, answer.reply.code, answer.reply.text);
        if (answer.reply.code < 0)
            return asy_fail(err, (enum asy_code)answer.reply.code, "%s",
                            answer.reply.text ? answer.reply.text : "refused");
        asy_buf_add(json, answer.reply.json, answer.reply.json_len);
        if (!answer.reply.more)
            return asy_buf_check(json, "the answer", err);
    }
}

/* A coordinator that ends in order takes its discovery file along; one that died leaves it. */
static int ended_in_order(const struct asy__session *session)
{
    struct asy_discovery now;
    char path[4200];

    return path_of(session->options, "coordinator.json", path, sizeof path, NULL) == 0 &&
           asy_discovery_read(path, &now, NULL) == ASY_E_NOENT;
}

int asy__ask(struct asy__session *session, struct asy_msg *msg, struct asy_buf *json,
             struct asy_error *err)
{
    int64_t deadline_ms = asy_clock_ms() + PATIENCE_MS;
    int interrupts = asy__interrupts(), rc;

    while ((rc = ask_once(session, msg, json, err)) == ASY_E_AGAIN) {
        while ((rc = greet(session, err)) < 0) {
            if (rc == ASY_E_DENIED || rc == ASY_E_CANCELLED)
                return rc;
            if (asy__interrupts() != interrupts)
                return asy_fail(err, ASY_E_CANCELLED, "interrupted");
            if (ended_in_order(session))
                return asy_fail(err, ASY_E_GONE, "the coordinator has ended");
            if (asy_clock_ms() > deadline_ms)
                return asy_fail(err, ASY_E_GONE, "the coordinator went away and did not return");
            ASY_IGNORE(poll(NULL, 0, STEP_MS) < 0);
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
