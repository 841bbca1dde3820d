/* SPDX-License-Identifier: Apache-2.0
 * test_watch.c - watching a real coordinator over real sockets: whoever begins to watch while
 * events rain hears each of them once, history and news together; who does not read loses his line,
 * costs little, and goes on where he was.
 *
 * The rain is RECORDs of tags: each is one event of the study. */
#include <asytest.h>
#include <poll.h>
#include <unistd.h>
#include <asy/channel.h>
#include <asy/clock.h>
#include <asy/durable.h>
#include <asy/study.h>
#include "../bench/coordinator.h"

#define PATIENCE_MS 300000
#define SPEC "assay: 1\nname: rain\nobjective: {metric: loss, goal: minimize}\n"                 \
             "parameters: {x: {min: 0.0, max: 1.0}}\nrun: {command: [run]}\nbudget: {trials: 1}\n"

struct line { /* one connection */
    struct asy_client *client;
    struct asy_id session;
    struct asy_arena *arena;
    uint64_t watch;          /* request of the watch; 0: none */
    struct asy_buf history;  /* parts of the answer to it */
    uint64_t upto;           /* the history is complete up to here; 0: not yet */
    uint8_t *seen;           /* [cap] how often each event came */
    size_t cap, n_seen;
    uint64_t newest, acked;  /* acked: of records */
    int greetings, rehellos;
};

/* ---- a connection ---------------------------------------------------------------------------- */

static bool put(struct line *l, struct asy_msg *msg)
{
    struct asy_poll_item item = { .client = l->client, .fd = -1, .events = POLLOUT };
    int64_t limit_ms = asy_clock_ms() + PATIENCE_MS;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf frame;
    int rc;

    asy_buf_init(&frame, ASY_FRAME_MAX);
    msg->session = l->session;
    rc = asy_msg_encode(msg, &frame, &err);
    while (rc == 0 &&
           (rc = asy_client_send(l->client, frame.data, frame.len, &err)) == ASY_E_AGAIN &&
           asy_clock_ms() < limit_ms)
        rc = asy_poll(&item, 1, 1000, &err) < 0 ? -1 : 0;
    asy_buf_fini(&frame);
    return T_OK(rc, &err);
}

static bool greet(struct line *l)
{
    struct asy_msg msg = { .type = ASY_MSG_HELLO };

    l->session = ASY_ID_NONE;
    l->greetings++;
    msg.hello.role = ASY_ROLE_CLIENT;
    msg.hello.major = ASY_PROTOCOL_MAJOR;
    msg.hello.minor = ASY_PROTOCOL_MINOR;
    msg.hello.walltime_left_ms = -1;
    return put(l, &msg);
}

static bool watch(struct line *l)
{
    struct asy_msg msg = { .type = ASY_MSG_WATCH };

    asy_buf_clear(&l->history);
    l->upto = 0;
    msg.watch.request = l->watch;
    msg.watch.study = "rain";
    msg.watch.after_seq = l->newest;
    return put(l, &msg);
}

static void note(struct line *l, uint64_t seq)
{
    if (seq >= l->cap) {
        size_t cap = 2 * seq + 64;

        l->seen = realloc(l->seen, cap);
        ASY_ASSERT(l->seen);
        memset(l->seen + l->cap, 0, cap - l->cap);
        l->cap = cap;
    }
    l->n_seen += l->seen[seq]++ == 0;
    l->newest = seq > l->newest ? seq : l->newest;
}

static bool take_history(struct line *l)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *root = NULL;
    const struct asy_json *list;

    if (!T_OK(asy_json_parse(l->history.data, l->history.len, &root, &err), &err))
        return false;
    list = asy_json_get(root, "events");
    for (size_t i = 0; i < asy_json_len(list); i++)
        note(l, (uint64_t)asy_json_i64(asy_json_get(asy_json_at(list, i), "seq"), 0));
    l->upto = (uint64_t)asy_json_i64(asy_json_get(root, "upto"), 0);
    asy_json_destroy(root);
    return true;
}

static bool take(struct line *l, const struct asy_msg *msg)
{
    switch (msg->type) {
    case ASY_MSG_WELCOME:
        l->session = msg->session;
        return !l->watch || watch(l);
    case ASY_MSG_REHELLO:
        if (l->rehellos++ || asy_id_is_none(l->session))
            return true; /* one greeting answers all that were on their way */
        return greet(l);
    case ASY_MSG_NEWS:
        note(l, msg->news.seq);
        return true;
    case ASY_MSG_REPLY:
        if (!T_EQ(msg->reply.text, msg->reply.code, 0))
            return false;
        if (!l->watch || msg->reply.request != l->watch) {
            l->acked++;
            return true;
        }
        asy_buf_add(&l->history, msg->reply.json, msg->reply.json_len);
        return msg->reply.more || take_history(l);
    default:
        return true; /* PONG: a probe */
    }
}

/* Takes what is there. */
static bool drain(struct line *l)
{
    struct asy_error err = ASY_ERROR_INIT;
    const void *bytes;
    size_t len;
    int rc;

    while ((rc = asy_client_recv(l->client, &bytes, &len, &err)) == 0) {
        struct asy_msg msg;

        asy_arena_reset(l->arena);
        if (!T_OK(asy_msg_decode(bytes, len, l->arena, &msg, &err), &err) || !take(l, &msg))
            return false;
    }
    return T_EQ(err.text, rc, ASY_E_AGAIN);
}

static bool line_open(struct line *l, const struct coordinator *c, uint64_t request)
{
    const char *endpoint = c->found.endpoints[0];
    struct asy_client_spec spec = { &endpoint, 1, c->found.server_key, c->user.public_key,
                                    c->user.secret_key };
    struct asy_error err = ASY_ERROR_INIT;

    *l = (struct line){ .watch = request };
    asy_buf_init(&l->history, 256u << 20);
    return T_OK(asy_arena_create(16u << 20, &l->arena, &err), &err) &&
           T_OK(asy_client_create(c->channel, &spec, &l->client, &err), &err) && greet(l);
}

static void line_close(struct line *l)
{
    asy_client_destroy(l->client);
    asy_arena_destroy(l->arena);
    asy_buf_fini(&l->history);
    free(l->seen);
}

/* Waits until one of the lines has something, or for a while. */
static bool await(struct line **lines, size_t n)
{
    struct asy_poll_item items[8];
    struct asy_error err = ASY_ERROR_INIT;

    for (size_t i = 0; i < n; i++)
        items[i] = (struct asy_poll_item){ .client = lines[i]->client, .fd = -1, .events = POLLIN };
    return T_TRUE(asy_poll(items, n, 1000, &err) >= 0);
}

/* ---- the rain -------------------------------------------------------------------------------- */

#define OUTSTANDING 4000 /* more than a queue of the channel holds */

struct rain {
    struct line line;
    uint64_t sent, n;
    const char *value;
};

static bool fall(struct rain *r)
{
    while (!asy_id_is_none(r->line.session) && r->sent < r->n &&
           r->sent - r->line.acked < OUTSTANDING) {
        struct asy_msg msg = { .type = ASY_MSG_RECORD };
        char key[32];

        snprintf(key, sizeof key, "drop%d", (int)(r->sent % 100));
        msg.record.request = ++r->sent;
        msg.record.study = "rain";
        msg.record.trial = -1;
        msg.record.event.kind = ASY_EV_TAG;
        msg.record.event.tag.key = key;
        msg.record.event.tag.value = r->value;
        if (!put(&r->line, &msg))
            return false;
    }
    return true;
}

/* ---- a coordinator --------------------------------------------------------------------------- */

struct place {
    struct coordinator c;
    char home[64];
    bool ok;
};

static void submit(struct place *p)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_study_spec *spec = NULL;
    struct asy_buf problems;
    struct asy_id id;

    asy_buf_init(&problems, 1 << 16);
    p->ok = T_OK(asy_study_parse(SPEC, strlen(SPEC), "test", p->home, &spec, &problems, &err),
                 &err) &&
            T_OK(coordinator_submit(&p->c, spec->canonical, &id, &err), &err);
    asy_study_destroy(spec);
    asy_buf_fini(&problems);
}

static void place_open(struct place *p)
{
    struct asy_error err = ASY_ERROR_INIT;

    memset(p, 0, sizeof *p);
    snprintf(p->home, sizeof p->home, "/tmp/assay-watch-XXXXXX");
    if (T_TRUE(mkdtemp(p->home) != NULL) &&
        T_OK(coordinator_init(&p->c, PROGRAMS, p->home, &err), &err) &&
        T_OK(coordinator_start(&p->c, 64, &err), &err))
        submit(p);
}

static void place_close(struct place *p)
{
    coordinator_fini(&p->c);
    ASY_IGNORE(asy_durable_remove(p->home, NULL)); /* a folder of the system's own to clean */
}

/* ---- cases ----------------------------------------------------------------------------------- */

/* Each event of [1, last] exactly once. */
static void check_seen(const char *name, const struct line *l, uint64_t last)
{
    size_t twice = 0;

    for (size_t seq = 0; seq < l->cap; seq++)
        twice += l->seen[seq] > 1;
    T_EQ(name, twice, 0);
    T_EQ(name, l->n_seen, last);
    T_EQ(name, l->newest, last);
}

#define DROPS 20000
#define WATCHERS 4

static void each_event_comes_once_whenever_the_watch_began(void)
{
    struct line watchers[WATCHERS] = { 0 }, *lines[WATCHERS + 1];
    struct rain r = { .n = DROPS, .value = "wet" };
    int64_t limit_ms = asy_clock_ms() + PATIENCE_MS;
    size_t n_open = 0, done = 0;
    struct place p;

    place_open(&p);
    lines[0] = &r.line;
    if (!p.ok || !line_open(&r.line, &p.c, 0))
        goto out;
    while (done < WATCHERS && asy_clock_ms() < limit_ms) {
        if (n_open < WATCHERS && r.line.acked >= n_open * DROPS / WATCHERS) {
            lines[n_open + 1] = &watchers[n_open];
            if (!line_open(&watchers[n_open], &p.c, 1000000 + n_open))
                goto out;
            n_open++;
        }
        if (!fall(&r) || !await(lines, n_open + 1))
            goto out;
        done = 0;
        for (size_t i = 0; i <= n_open; i++) {
            if (!drain(lines[i]))
                goto out;
            done += i > 0 && lines[i]->upto && r.line.acked == DROPS &&
                    lines[i]->newest >= DROPS + 1;
        }
    }
    for (size_t i = 0; i < n_open; i++) {
        check_seen("watcher", &watchers[i], DROPS + 1); /* the study itself is the first */
        T_EQ("no line was lost", watchers[i].greetings, 1);
    }
    T_EQ("all watched", n_open, WATCHERS);
out:
    for (size_t i = 0; i < n_open; i++)
        line_close(&watchers[i]);
    line_close(&r.line);
    place_close(&p);
}

/* More than the channel, the outbox and the sockets between take for one client. */
#define HEAVY 8000
#define HEAVY_BYTES 16384

/* Until all of the rain has fallen and is acknowledged; nobody else is read from. */
static bool rain_down(struct rain *r)
{
    int64_t limit_ms = asy_clock_ms() + PATIENCE_MS;
    struct line *line = &r->line;

    while (r->line.acked < r->n && asy_clock_ms() < limit_ms)
        if (!fall(r) || !await(&line, 1) || !drain(line))
            return false;
    return T_EQ("acknowledged", r->line.acked, r->n);
}

/* Until the watcher has heard everything. A line that was given up says nothing by itself: whoever
 * hears nothing asks. */
static bool catch_up(struct line *l, uint64_t last)
{
    int64_t limit_ms = asy_clock_ms() + PATIENCE_MS;
    struct asy_msg beat = { .type = ASY_MSG_HEARTBEAT };
    size_t heard = SIZE_MAX;

    while (l->newest < last && asy_clock_ms() < limit_ms) {
        if (heard == l->n_seen && !l->rehellos && !put(l, &beat))
            return false;
        heard = l->n_seen;
        if (!await(&l, 1) || !drain(l))
            return false;
    }
    return true;
}

static void who_does_not_read_goes_on_where_he_was(void)
{
    struct line slow = { 0 };
    struct rain r = { .n = HEAVY };
    char *value = malloc(HEAVY_BYTES + 1);
    struct line *line = &slow;
    struct place p;

    ASY_ASSERT(value);
    memset(value, 'w', HEAVY_BYTES);
    value[HEAVY_BYTES] = 0;
    r.value = value;
    place_open(&p);
    if (!p.ok || !line_open(&r.line, &p.c, 0) || !line_open(&slow, &p.c, 77))
        goto out;
    while (!slow.upto)
        if (!await(&line, 1) || !drain(&slow))
            goto out;
    if (!rain_down(&r) || !catch_up(&slow, HEAVY + 1))
        goto out;
    check_seen("in the end", &slow, HEAVY + 1);
    T_EQ("the line was given up", slow.rehellos > 0, 1);
    T_EQ("once", slow.greetings, 2);
out:
    line_close(&slow);
    line_close(&r.line);
    place_close(&p);
    free(value);
}

T_MAIN("watch", T_TEST(each_event_comes_once_whenever_the_watch_began),
       T_TEST(who_does_not_read_goes_on_where_he_was))
