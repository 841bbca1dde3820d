/* SPDX-License-Identifier: Apache-2.0
 * flood.c - see flood.h.
 *
 * A real client is led through a relay to the real server: what it sent is the recording. After
 * that plain sockets do, but for the handshakes that must be whole. */
#include "flood.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <asy/clock.h>
#include <asy/keys.h>
#include <asy/parse.h>

/* Sizes in bytes, ZMTP 3.1 and its CURVE: a greeting, the client's HELLO and the server's WELCOME
 * as commands, and the least that an INITIATE has. */
#define GREETING 64
#define HELLO 202
#define WELCOME 170
#define INITIATE 264
#define RECORD_MAX 4096
#define RECORD_MS 10000
#define QUIET_MS 200 /* then a client has said all that it has to say */
#define OPEN_MAX 4096
#define HALF_OPEN_MS 30000 /* longer than a server may wait */
#define SHORT_MS 2000
#define CLIENTS 128        /* whole handshakes on their way */
#define ROOM (8 * CLIENTS) /* a thread of ZeroMQ closes those of before, late on a busy machine */

struct attempt {
    int fd; /* -1: free */
    enum flood_kind kind;
    int64_t until_ms;
    size_t got;
    int initiated;
};
struct recording {
    uint8_t bytes[RECORD_MAX];
    size_t n;
};
struct flood {
    struct sockaddr_in to;
    char endpoint[64];
    struct flood_spec spec;
    char server_key[ASY_KEY_TEXT];
    struct asy_keypair stranger, other;
    struct recording right, wrong;
    struct asy_channel *channel;
    struct asy_client *clients[CLIENTS]; /* a ring: the oldest goes first */
    struct attempt *attempts;            /* [OPEN_MAX] */
    size_t at;                           /* where a free one is looked for */
    int epoll;
    atomic_int stop;
    pthread_t thread;
    struct flood_counts counts;
    struct asy_error failure;
};

/* ---- sockets --------------------------------------------------------------------------------- */

static int connect_to(const struct sockaddr_in *to)
{
    const struct linger reset = { 1, 0 }; /* no port stays taken */
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) < 0 ||
        connect(fd, (const struct sockaddr *)to, sizeof *to) < 0) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

static int parse_endpoint(const char *endpoint, struct sockaddr_in *ret, struct asy_error *err)
{
    const char *host = strstr(endpoint, "://"), *colon = strrchr(endpoint, ':');
    char text[INET_ADDRSTRLEN];
    int64_t port;

    *ret = (struct sockaddr_in){ .sin_family = AF_INET };
    if (!host || colon <= host || (size_t)(colon - host - 3) >= sizeof text ||
        asy_parse_i64(colon + 1, strlen(colon + 1), &port, NULL) < 0)
        return asy_fail(err, ASY_E_INVAL, "'%s' is not tcp://ADDRESS:PORT", endpoint);
    snprintf(text, sizeof text, "%.*s", (int)(colon - host - 3), host + 3);
    ret->sin_port = htons((uint16_t)port);
    if (inet_pton(AF_INET, text, &ret->sin_addr) != 1)
        return asy_fail(err, ASY_E_INVAL, "'%s' is no IPv4 address", text);
    return 0;
}

/* ---- recording ------------------------------------------------------------------------------- */

/* Passes on what comes at `from`; what the client says is kept. 0: the connection is over. */
static int pass(int from, int to, struct recording *keep)
{
    uint8_t bytes[1024];
    ssize_t n = recv(from, bytes, sizeof bytes, 0);

    if (n <= 0 || send(to, bytes, (size_t)n, MSG_NOSIGNAL) != n)
        return 0;
    if (keep && keep->n + (size_t)n <= sizeof keep->bytes) {
        memcpy(keep->bytes + keep->n, bytes, (size_t)n);
        keep->n += (size_t)n;
    }
    return 1;
}

static void relay(int near, int far, struct recording *keep)
{
    int64_t until_ms = asy_clock_ms() + RECORD_MS;
    struct pollfd items[] = { { near, POLLIN, 0 }, { far, POLLIN, 0 } };

    while (asy_clock_ms() < until_ms && poll(items, 2, QUIET_MS) > 0)
        if ((items[0].revents && !pass(near, far, keep)) ||
            (items[1].revents && !pass(far, near, NULL)))
            return;
}

/* What a client with the stranger's key says to somebody whose key it takes for `server_key`. */
static int record(struct flood *f, const char *server_key, struct recording *ret, size_t least,
                  struct asy_error *err)
{
    struct sockaddr_in here = { .sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof here;
    char endpoint[64];
    const char *endpoints[] = { endpoint };
    struct asy_client_spec spec = { endpoints, 1, server_key, f->stranger.public_key,
                                    f->stranger.secret_key };
    struct asy_client *client = NULL;
    int door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), near = -1, far = -1, rc;

    ret->n = 0;
    if (door < 0 || bind(door, (struct sockaddr *)&here, len) < 0 || listen(door, 1) < 0 ||
        getsockname(door, (struct sockaddr *)&here, &len) < 0) {
        rc = asy_fail_errno(err, errno, "cannot listen");
        goto out;
    }
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", ntohs(here.sin_port));
    if ((rc = asy_client_create(f->channel, &spec, &client, err)) < 0)
        goto out;
    if ((near = accept4(door, NULL, NULL, SOCK_CLOEXEC)) < 0 || (far = connect_to(&f->to)) < 0) {
        rc = asy_fail_errno(err, errno, "cannot reach the server");
        goto out;
    }
    relay(near, far, ret);
    if (ret->n < least)
        rc = asy_fail(err, ASY_E_IO, "a client said only %zu bytes, not %zu", ret->n, least);
out:
    asy_client_destroy(client);
    if (door >= 0)
        close(door);
    if (near >= 0)
        close(near);
    if (far >= 0)
        close(far);
    return rc;
}

/* ---- attempts -------------------------------------------------------------------------------- */

static void end(struct flood *f, struct attempt *a)
{
    ASY_IGNORE(epoll_ctl(f->epoll, EPOLL_CTL_DEL, a->fd, NULL) < 0); /* close() does it too */
    close(a->fd);
    a->fd = -1;
}

static struct attempt *free_attempt(struct flood *f, int64_t now_ms)
{
    for (size_t i = 0; i < OPEN_MAX; i++) {
        struct attempt *a = &f->attempts[f->at++ % OPEN_MAX];

        if (a->fd >= 0 && now_ms >= a->until_ms)
            end(f, a);
        if (a->fd < 0)
            return a;
    }
    return NULL;
}

static int begin(struct flood *f, enum flood_kind kind)
{
    static const char garbage[] = "GET / HTTP/1.1\r\nHost: somewhere\r\nAccept: */*\r\n\r\n";
    const struct recording *from = kind == FLOOD_OTHER_SERVER ? &f->wrong : &f->right;
    const void *bytes = kind == FLOOD_GARBAGE ? (const void *)garbage : from->bytes;
    size_t n = kind == FLOOD_GARBAGE ? sizeof garbage - 1 : GREETING + HELLO;
    int64_t now_ms = asy_clock_ms();
    struct attempt *a = free_attempt(f, now_ms);
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = a };

    if (!a)
        return asy_fail(&f->failure, ASY_E_FULL, "too many connections are open");
    if ((a->fd = connect_to(&f->to)) < 0)
        return asy_fail_errno(&f->failure, errno, "cannot connect");
    a->kind = kind;
    a->got = 0;
    a->initiated = 0;
    a->until_ms = now_ms + (kind == FLOOD_HALF_OPEN ? HALF_OPEN_MS : SHORT_MS);
    if (epoll_ctl(f->epoll, EPOLL_CTL_ADD, a->fd, &event) < 0)
        return asy_fail_errno(&f->failure, errno, "cannot watch a connection");
    ASY_IGNORE(send(a->fd, bytes, n, MSG_NOSIGNAL) < 0); /* the server may have ended it */
    return 0;
}

/* A client gives up by itself when it hears that its key is not wanted. */
static int begin_whole(struct flood *f)
{
    const char *endpoints[] = { f->endpoint };
    struct asy_client_spec spec = { endpoints, 1, f->server_key, f->stranger.public_key,
                                    f->stranger.secret_key };
    struct asy_client **client = &f->clients[f->counts.sent[FLOOD_UNKNOWN_KEY] % CLIENTS];

    asy_client_destroy(*client);
    *client = NULL;
    return asy_client_create(f->channel, &spec, client, &f->failure);
}

static void hear(struct flood *f, struct attempt *a)
{
    uint8_t bytes[1024];
    ssize_t n = recv(a->fd, bytes, sizeof bytes, MSG_DONTWAIT);

    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        end(f, a);
        return;
    }
    a->got += n > 0 ? (size_t)n : 0;
    if (a->kind != FLOOD_REPLAY || a->initiated || a->got < GREETING + WELCOME)
        return;
    a->initiated = 1;
    ASY_IGNORE(send(a->fd, f->right.bytes + GREETING + HELLO, f->right.n - GREETING - HELLO,
                    MSG_NOSIGNAL) < 0);
}

static int hear_all(struct flood *f, int64_t until_ns)
{
    struct epoll_event events[64];
    int64_t left_ns;

    while ((left_ns = until_ns - asy_clock_ns()) > 0) {
        int n = epoll_wait(f->epoll, events, 64, (int)((left_ns + 999999) / 1000000));

        if (n < 0 && errno != EINTR)
            return asy_fail_errno(&f->failure, errno, "cannot wait");
        for (int i = 0; i < n; i++)
            hear(f, events[i].data.ptr);
    }
    return 0;
}

static void *run(void *arg)
{
    struct flood *f = arg;
    int64_t from_ns = asy_clock_ns();
    uint64_t n = 0;
    int rc = 0;

    while (rc == 0 && !atomic_load(&f->stop)) {
        enum flood_kind kind = n % FLOOD_KINDS;

        if ((rc = kind == FLOOD_UNKNOWN_KEY ? begin_whole(f) : begin(f, kind)) < 0)
            break;
        f->counts.sent[kind]++;
        rc = hear_all(f, from_ns + (int64_t)(1e9 * (double)++n / f->spec.rate));
    }
    f->counts.all = n;
    f->counts.seconds = 1e-9 * (double)(asy_clock_ns() - from_ns);
    return NULL;
}

/* ---- start and stop -------------------------------------------------------------------------- */

static void flood_destroy(struct flood *f)
{
    for (size_t i = 0; i < CLIENTS; i++)
        asy_client_destroy(f->clients[i]);
    for (size_t i = 0; f->attempts && i < OPEN_MAX; i++)
        if (f->attempts[i].fd >= 0)
            close(f->attempts[i].fd);
    if (f->epoll >= 0)
        close(f->epoll);
    asy_channel_destroy(f->channel);
    free(f->attempts);
    free(f);
}

static void want_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 2 * OPEN_MAX) {
        limit.rlim_cur = limit.rlim_max < 2 * OPEN_MAX ? limit.rlim_max : 2 * OPEN_MAX;
        ASY_IGNORE(setrlimit(RLIMIT_NOFILE, &limit) < 0); /* then it says that it cannot connect */
    }
}

int flood_start(const struct flood_spec *spec, struct flood **ret_flood, struct asy_error *err)
{
    struct flood *f = calloc(1, sizeof *f);
    int rc;

    if (!f)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a flood");
    f->spec = *spec;
    f->epoll = epoll_create1(EPOLL_CLOEXEC);
    snprintf(f->endpoint, sizeof f->endpoint, "%s", spec->endpoint);
    snprintf(f->server_key, sizeof f->server_key, "%s", spec->server_key);
    want_descriptors();
    if (f->epoll < 0 || !(f->attempts = malloc(OPEN_MAX * sizeof *f->attempts))) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for a flood");
        goto out;
    }
    for (size_t i = 0; i < OPEN_MAX; i++)
        f->attempts[i].fd = -1;
    if ((rc = parse_endpoint(spec->endpoint, &f->to, err)) < 0 ||
        (rc = asy_keypair_make(&f->stranger, err)) < 0 ||
        (rc = asy_keypair_make(&f->other, err)) < 0 ||
        (rc = asy_channel_create(ROOM, &f->channel, err)) < 0 ||
        (rc = record(f, f->server_key, &f->right, GREETING + HELLO + INITIATE, err)) < 0 ||
        (rc = record(f, f->other.public_key, &f->wrong, GREETING + HELLO, err)) < 0)
        goto out;
    if ((rc = pthread_create(&f->thread, NULL, run, f)) != 0) {
        rc = asy_fail_errno(err, rc, "cannot start a thread");
        goto out;
    }
    *ret_flood = f;
    return 0;
out:
    flood_destroy(f);
    return rc;
}

int flood_stop(struct flood *f, struct flood_counts *ret_counts, struct asy_error *err)
{
    int rc;

    atomic_store(&f->stop, 1);
    pthread_join(f->thread, NULL);
    *ret_counts = f->counts;
    rc = f->failure.code ? asy_fail(err, ASY_E_IO, "the flood: %s", f->failure.text) : 0;
    flood_destroy(f);
    return rc;
}
