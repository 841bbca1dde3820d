/* SPDX-License-Identifier: Apache-2.0
 * link.c - the heartbeat thread: owns the connection to the coordinator, speaks with the main
 * thread through two boxes of notes, touches no file.
 *
 * The main thread may sit in fsync() for a minute; heartbeats go out all the same, and what arrives
 * waits in the box. Frames leave in the order in which they were given. A HELLO drops the frames
 * before it: they belong to a session that is over. The queue towards the network is bounded by
 * asy__link_send(), the one towards the main thread by not reading the network any more. */
#include "impl.h"
#include "box.h"
#include <asy/clock.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#define OUT_MAX 256          /* frames towards the network */
#define IN_MAX 1024          /* frames towards the main thread */
#define QUIT_FLUSH_MS 500
#define CUT_MS 2000          /* heartbeats find no connection: it is sought at all addresses */
#define TELL_MS 3000         /* until it is told that no address leads there */

enum kind { OPEN, GREET, FRAME, SESSION, STATUS, QUIT, LOST, WAYS };

struct opening {
    struct asy_discovery discovery;
    struct asy_keypair pair;
};
struct beating {
    struct asy_id session;
    int64_t heartbeat_ms, idle_ms, lost_ms;
};
struct note {
    struct asy__note node; /* first: boxes hold it */
    struct note *next;     /* of those that wait for the network */
    enum kind kind;
    size_t len;
    void *bytes; /* FRAME, GREET: the frame; OPEN: struct opening; SESSION: struct beating; WAYS:
                  * of struct asy_way */
    uint32_t free_cores;
    int idle;    /* STATUS, with free_cores */
};
struct asy__link {
    struct asy_channel *channel;
    pthread_t thread;
    int running;
    struct asy__box out, in;
    atomic_size_t queued; /* frames given and not yet sent or dropped */
};

/* What the thread alone has. */
struct io {
    struct asy__link *link;
    struct asy_client *client;
    struct note *first, *last; /* frames that wait for the network */
    struct beating beat;
    int joined, quit, idle;
    uint32_t free_cores;
    int64_t next_beat_ms, heard_ms, quit_by_ms;
    int64_t sought_ms, unsent_ms; /* since when addresses are tried; no heartbeat goes out (0) */
    int told;                     /* that none of them does */
    struct asy_buf frame;
};

/* ---- notes ----------------------------------------------------------------------------------- */

static void note_free(struct note *note)
{
    if (note && note->kind == OPEN && note->bytes)
        explicit_bzero(note->bytes, note->len); /* holds the secret key */
    if (note)
        free(note->bytes);
    free(note);
}

static void free_left(struct asy__note *note, void *arg)
{
    (void)arg;
    note_free((struct note *)note);
}

static struct note *get(struct asy__box *box)
{
    return (struct note *)asy__box_get(box);
}

/* The main thread takes no more for now. */
static int is_full(struct asy__link *link)
{
    return asy__box_count(&link->in) >= IN_MAX;
}

/* bytes are copied. */
static int put(struct asy__box *box, enum kind kind, const void *bytes, size_t len,
               struct asy_error *err)
{
    struct note *note = calloc(1, sizeof *note);

    if (!note || (len && !(note->bytes = malloc(len)))) {
        free(note);
        return asy_fail(err, ASY_E_NOMEM, "no memory for a frame of %zu bytes", len);
    }
    note->kind = kind;
    note->len = len;
    if (len)
        memcpy(note->bytes, bytes, len);
    asy__box_put(box, &note->node);
    return 0;
}

/* ---- the thread ------------------------------------------------------------------------------ */

static void drop_waiting(struct io *io)
{
    while (io->first) {
        struct note *note = io->first;

        io->first = note->next;
        if (note->kind == FRAME)
            atomic_fetch_sub(&io->link->queued, 1);
        note_free(note);
    }
    io->last = NULL;
}

static void wait_for_network(struct io *io, struct note *note)
{
    note->next = NULL;
    if (io->last)
        io->last->next = note;
    else
        io->first = note;
    io->last = note;
}

static void tell_lost(struct io *io)
{
    io->joined = 0;
    drop_waiting(io);
    ASY_IGNORE(put(&io->link->in, LOST, NULL, 0, NULL)); /* the main thread's timers see it later */
}

static int64_t beat_ms(const struct io *io)
{
    return io->idle ? io->beat.idle_ms : io->beat.heartbeat_ms;
}

/* Answers to heartbeats come as much more seldom as these do. */
static int64_t patience_ms(const struct io *io)
{
    return io->idle ? io->beat.lost_ms * io->beat.idle_ms / io->beat.heartbeat_ms
                    : io->beat.lost_ms;
}

static void seek(struct io *io)
{
    io->sought_ms = asy_clock_ms();
    io->unsent_ms = 0;
    io->told = 0;
}

static void open_client(struct io *io, const struct opening *opening)
{
    const char *endpoints[ASY_ENDPOINTS_MAX];
    struct asy_client_spec spec = { .endpoints = endpoints,
                                    .server_key = opening->discovery.server_key,
                                    .public_key = opening->pair.public_key,
                                    .secret_key = opening->pair.secret_key };

    io->joined = 0;
    drop_waiting(io);
    asy_client_destroy(io->client);
    io->client = NULL;
    seek(io);
    spec.n_endpoints = asy_discovery_routes(&opening->discovery, endpoints);
    if (asy_client_create(io->link->channel, &spec, &io->client, NULL) < 0)
        tell_lost(io); /* a discovery file that makes no sense: the main thread reads it again */
}

static void take_note(struct io *io, struct note *note)
{
    switch (note->kind) {
    case OPEN:
        open_client(io, note->bytes);
        break;
    case GREET:
        io->joined = 0;
        drop_waiting(io);
        wait_for_network(io, note);
        return;
    case FRAME:
        wait_for_network(io, note);
        return;
    case SESSION:
        memcpy(&io->beat, note->bytes, sizeof io->beat);
        io->joined = 1;
        io->unsent_ms = 0;
        io->heard_ms = asy_clock_ms();
        io->next_beat_ms = io->heard_ms;
        break;
    case STATUS:
        io->free_cores = note->free_cores;
        io->idle = note->idle;
        if (io->next_beat_ms > asy_clock_ms() + beat_ms(io))
            io->next_beat_ms = asy_clock_ms() + beat_ms(io);
        break;
    case QUIT:
        io->quit = 1;
        io->quit_by_ms = asy_clock_ms() + QUIT_FLUSH_MS;
        break;
    case LOST:
    case WAYS:
        break;
    }
    note_free(note);
}

static void send_waiting(struct io *io)
{
    while (io->client && io->first) {
        struct note *note = io->first;
        int rc = asy_client_send(io->client, note->bytes, note->len, NULL);

        if (rc == ASY_E_AGAIN)
            return;
        io->first = note->next;
        if (!io->first)
            io->last = NULL;
        if (note->kind == FRAME)
            atomic_fetch_sub(&io->link->queued, 1);
        note_free(note); /* refused for good (too big): what mattered in it is sent again anew */
    }
}

static void receive(struct io *io)
{
    const void *bytes;
    size_t len;

    while (!is_full(io->link) && asy_client_recv(io->client, &bytes, &len, NULL) == 0) {
        io->heard_ms = asy_clock_ms();
        ASY_IGNORE(put(&io->link->in, FRAME, bytes, len, NULL)); /* no memory: as if lost */
    }
}

/* The load average without a file: sysinfo(2). */
static double load_now(void)
{
    struct sysinfo info;

    return sysinfo(&info) < 0 ? 0 : (double)info.loads[0] / (double)(1u << SI_LOAD_SHIFT);
}

static void beat(struct io *io, int64_t now_ms)
{
    struct asy_msg msg = { .type = ASY_MSG_HEARTBEAT, .session = io->beat.session };

    io->next_beat_ms = now_ms + beat_ms(io);
    msg.heartbeat.sent_ms = now_ms;
    msg.heartbeat.free_cores = io->free_cores;
    msg.heartbeat.load = load_now();
    asy_buf_clear(&io->frame);
    if (asy_msg_encode(&msg, &io->frame, NULL) < 0)
        return; /* no memory: the next one says it */
    if (asy_client_send(io->client, io->frame.data, io->frame.len, NULL) == 0)
        io->unsent_ms = 0;
    else if (!io->unsent_ms)
        io->unsent_ms = now_ms;
}

/* Silence, or a connection that ended and does not come back. */
static int lost(const struct io *io, int64_t now_ms)
{
    return now_ms - io->heard_ms > patience_ms(io) ||
           (io->unsent_ms && now_ms - io->unsent_ms >= CUT_MS);
}

/* Once for each time that it is sought: why no address leads there. */
static void tell_ways(struct io *io, int64_t now_ms)
{
    struct asy_way ways[ASY_WAYS_MAX];
    enum asy_way_state state = io->client ? asy_client_state(io->client) : ASY_WAY_TRYING;
    size_t n;

    if (io->told || state <= ASY_WAY_OPEN ||
        (state != ASY_WAY_NOT_LET_IN && now_ms < io->sought_ms + TELL_MS))
        return;
    n = asy_client_ways(io->client, ways);
    io->told = put(&io->link->in, WAYS, ways, n * sizeof *ways, NULL) == 0;
}

static int run_timers(struct io *io, int64_t now_ms)
{
    int64_t next = INT64_MAX;

    if (io->quit)
        next = io->quit_by_ms;
    if (io->joined && io->client) {
        if (lost(io, now_ms) && !is_full(io->link)) {
            ASY_IGNORE(asy_client_next(io->client, NULL)); /* fails: the next loss tries again */
            seek(io);
            tell_lost(io);
        } else if (now_ms >= io->next_beat_ms) {
            beat(io, now_ms);
        }
        if (io->joined && io->next_beat_ms < next)
            next = io->next_beat_ms;
    }
    tell_ways(io, now_ms);
    if (io->client && !io->told && now_ms < io->sought_ms + TELL_MS &&
        io->sought_ms + TELL_MS < next)
        next = io->sought_ms + TELL_MS;
    if (next == INT64_MAX)
        return -1;
    return (int)(next > now_ms ? next - now_ms : 0);
}

static void *run(void *arg)
{
    struct io io = { .link = arg };

    asy_buf_init(&io.frame, ASY_FRAME_MAX);
    while (!io.quit || (io.first && asy_clock_ms() < io.quit_by_ms)) {
        struct asy_poll_item items[2] = { { .fd = io.link->out.fd, .events = POLLIN },
                                          { .client = io.client, .events = POLLIN } };
        int wait_ms = run_timers(&io, asy_clock_ms());
        struct note *note;

        if (io.client && is_full(io.link)) {
            items[1].events = 0;
            wait_ms = 20; /* looks again whether the main thread has taken some */
        }
        if (io.first)
            items[1].events |= POLLOUT;
        if (asy_poll(items, io.client ? 2 : 1, wait_ms, NULL) < 0)
            break; /* the context is gone */
        while ((note = get(&io.link->out)))
            take_note(&io, note);
        if (io.client)
            receive(&io);
        send_waiting(&io);
    }
    drop_waiting(&io);
    asy_client_destroy(io.client);
    asy_buf_fini(&io.frame);
    return NULL;
}

/* ---- the main thread's side ------------------------------------------------------------------ */

int asy__link_create(struct asy__link **ret_link, struct asy_error *err)
{
    struct asy__link *link = calloc(1, sizeof *link);
    int rc;

    if (!link)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a link");
    link->out = link->in = (struct asy__box)ASY__BOX_INIT;
    if ((rc = asy__box_init(&link->out, err)) < 0 || (rc = asy__box_init(&link->in, err)) < 0 ||
        (rc = asy_channel_create(8, &link->channel, err)) < 0)
        goto out;
    if ((rc = pthread_create(&link->thread, NULL, run, link)) != 0) {
        rc = asy_fail_errno(err, rc, "cannot start the heartbeat thread");
        goto out;
    }
    link->running = 1;
    *ret_link = link;
    link = NULL;
out:
    asy__link_destroy(link);
    return rc;
}

void asy__link_destroy(struct asy__link *link)
{
    if (!link)
        return;
    if (link->running) {
        while (put(&link->out, QUIT, NULL, 0, NULL) < 0)
            usleep(1000); /* the thread must end, and memory comes back */
        pthread_join(link->thread, NULL);
    }
    asy_channel_destroy(link->channel);
    asy__box_fini(&link->out, free_left, NULL);
    asy__box_fini(&link->in, free_left, NULL);
    free(link);
}

int asy__link_fd(const struct asy__link *link)
{
    return link->in.fd;
}

int asy__link_open(struct asy__link *link, const struct asy_discovery *discovery,
                   const struct asy_keypair *pair, struct asy_error *err)
{
    struct opening opening = { .discovery = *discovery, .pair = *pair };
    int rc = put(&link->out, OPEN, &opening, sizeof opening, err);

    explicit_bzero(&opening, sizeof opening);
    return rc;
}

int asy__link_greet(struct asy__link *link, const struct asy_buf *frame, struct asy_error *err)
{
    return put(&link->out, GREET, frame->data, frame->len, err);
}

int asy__link_session(struct asy__link *link, struct asy_id session, int64_t heartbeat_ms,
                      int64_t idle_ms, int64_t lost_ms, struct asy_error *err)
{
    struct beating beat_as = { session, heartbeat_ms, idle_ms, lost_ms };

    return put(&link->out, SESSION, &beat_as, sizeof beat_as, err);
}

void asy__link_status(struct asy__link *link, uint32_t free_cores, int idle)
{
    struct note *note = calloc(1, sizeof *note);

    if (!note)
        return; /* the next change says it again */
    note->kind = STATUS;
    note->free_cores = free_cores;
    note->idle = idle;
    asy__box_put(&link->out, &note->node);
}

int asy__link_send(struct asy__link *link, const struct asy_buf *frame, struct asy_error *err)
{
    int rc;

    if (atomic_load(&link->queued) >= OUT_MAX)
        return asy_fail(err, ASY_E_AGAIN, "%d frames wait for the network", OUT_MAX);
    atomic_fetch_add(&link->queued, 1);
    if ((rc = put(&link->out, FRAME, frame->data, frame->len, err)) < 0)
        atomic_fetch_sub(&link->queued, 1);
    return rc;
}

enum asy__link_news asy__link_next(struct asy__link *link, void **ret_bytes, size_t *ret_len)
{
    struct note *note = get(&link->in);
    enum asy__link_news news = ASY__LINK_NONE;

    if (!note)
        return news;
    if (note->kind == LOST) {
        news = ASY__LINK_LOST;
    } else {
        news = note->kind == WAYS ? ASY__LINK_WAYS : ASY__LINK_FRAME;
        *ret_bytes = note->bytes;
        *ret_len = note->len;
        note->bytes = NULL;
    }
    note_free(note);
    return news;
}
