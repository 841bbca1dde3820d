/* SPDX-License-Identifier: Apache-2.0
 * way.c - see way.h.
 *
 * libzmq's monitor tells how far a connection comes, but not why connect() failed, and retries by
 * itself for ever. So when it says that it will retry, a plain connect() of our own asks the kernel
 * for the reason. A probe before each connection was rejected: each would count as a failed
 * handshake at the coordinator. Names are looked up here and libzmq gets numbers, since its one I/O
 * thread would stand still for all connections meanwhile. */
#include "way.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <asy/address.h>

#define HEAD_START_MS 250   /* until the next way is tried beside this one */
#define PATIENCE_MS 2000    /* then nothing came back; the next is tried if it is but a handshake */
#define CLOSED_LATE_MS 4000 /* a handshake that took so long ran into its time limit */
#define EVENTS                                                                                     \
    (ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |             \
     ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |                  \
     ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)

/* ---- verdicts ------------------------------------------------------------------------------- */

ASY_PRINTF(3, 4)
static void judge(struct asy__way *way, enum asy_way_state state, const char *fmt, ...)
{
    va_list args;

    way->state = state;
    va_start(args, fmt);
    vsnprintf(way->why, sizeof way->why, fmt, args);
    va_end(args);
}

static void judge_errno(struct asy__way *way, int errnum)
{
    char text[80];

    if (errnum == ECONNREFUSED)
        judge(way, ASY_WAY_REFUSED, "connection refused");
    else if (errnum == ETIMEDOUT)
        judge(way, ASY_WAY_SILENT, "no answer");
    else
        judge(way, ASY_WAY_UNREACHABLE, "%s", asy_errno_text(errnum, text));
}

/* ---- endpoints ------------------------------------------------------------------------------ */

void asy__way_init(struct asy__way *way, const char *endpoint)
{
    const char *host;
    size_t n;

    *way = (struct asy__way){ .probe_fd = -1 };
    snprintf(way->endpoint, sizeof way->endpoint, "%s", endpoint);
    if (strlen(endpoint) >= sizeof way->endpoint ||
        asy_address_split(endpoint, &host, &n, &way->port, NULL) < 0) {
        judge(way, ASY_WAY_NO_NAME, "is not tcp://HOST:PORT");
        return;
    }
    if (n > 2 && host[0] == '[' && host[n - 1] == ']')
        host++, n -= 2;
    snprintf(way->host, sizeof way->host, "%.*s", (int)n, host);
}

static int is_number(const char *host)
{
    struct in6_addr any;

    return inet_pton(AF_INET, host, &any) == 1 || inet_pton(AF_INET6, host, &any) == 1;
}

/* ---- the probe ------------------------------------------------------------------------------ */

static void end_probe(struct asy__way *way)
{
    if (way->probe_fd >= 0)
        close(way->probe_fd);
    way->probe_fd = -1;
}

static const char *number_of(const struct asy__way *way)
{
    return way->n_addresses ? way->addresses[way->at] : way->host;
}

static void start_probe(struct asy__way *way)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
                                    .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
    struct addrinfo *to = NULL;
    char port[8];

    snprintf(port, sizeof port, "%d", way->port);
    if (way->probe_fd >= 0 || getaddrinfo(number_of(way), port, &hints, &to))
        return;
    way->probe_fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (way->probe_fd < 0 ||
        (connect(way->probe_fd, to->ai_addr, to->ai_addrlen) < 0 && errno != EINPROGRESS)) {
        judge_errno(way, errno);
        end_probe(way);
    }
    freeaddrinfo(to);
}

/* Connected after all: then libzmq's next try will be, too. */
static void read_probe(struct asy__way *way)
{
    struct pollfd item = { way->probe_fd, POLLOUT, 0 };
    int errnum = 0;
    socklen_t n = sizeof errnum;

    if (way->probe_fd < 0 || poll(&item, 1, 0) <= 0)
        return;
    if (getsockopt(way->probe_fd, SOL_SOCKET, SO_ERROR, &errnum, &n) == 0 && errnum)
        judge_errno(way, errnum);
    end_probe(way);
}

/* ---- the socket ----------------------------------------------------------------------------- */

static int set_options(const struct asy__way_keys *keys, void *socket, int ipv6,
                       struct asy_error *err)
{
    const struct asy__option options[] = {
        { ZMQ_IMMEDIATE, 1, "IMMEDIATE" },
        { ZMQ_RECONNECT_IVL, 100, "RECONNECT_IVL" },
        { ZMQ_RECONNECT_IVL_MAX, 2000, "RECONNECT_IVL_MAX" },
        { ZMQ_CONNECT_TIMEOUT, 5000, "CONNECT_TIMEOUT" },
        { ZMQ_IPV6, ipv6, "IPV6" },
    };
    int rc;

    if ((rc = asy__set_common(socket, keys->queue, err)) ||
        (rc = asy__set_ints(socket, options, ASY_ARRAY_LEN(options), err)) ||
        (rc = asy__set_text(socket, ZMQ_CURVE_SERVERKEY, keys->server_key, "CURVE_SERVERKEY",
                            err)) ||
        (rc = asy__set_text(socket, ZMQ_CURVE_PUBLICKEY, keys->public_key, "CURVE_PUBLICKEY",
                            err)))
        return rc;
    return asy__set_text(socket, ZMQ_CURVE_SECRETKEY, keys->secret_key, "CURVE_SECRETKEY", err);
}

/* While nobody reads a monitor, libzmq's I/O thread would wait: its queue is not bounded, and it is
 * stopped before its reader is closed. */
static int open_monitor(const struct asy__way_keys *keys, void *socket, void **ret_monitor,
                        struct asy_error *err)
{
    static const struct asy__option options[] = { { ZMQ_LINGER, 0, "LINGER" },
                                                  { ZMQ_RCVHWM, 0, "RCVHWM" } };
    char name[64];
    void *monitor = NULL;
    int rc;

    snprintf(name, sizeof name, "inproc://way-%u", atomic_fetch_add(&keys->channel->serial, 1));
    if ((rc = asy__socket_open(keys->channel, ZMQ_PAIR, &monitor, err)) ||
        (rc = asy__set_ints(monitor, options, ASY_ARRAY_LEN(options), err)))
        goto out;
    if (zmq_socket_monitor(socket, name, EVENTS) < 0 || zmq_connect(monitor, name) < 0) {
        rc = asy__fail_zmq(err, errno, "cannot watch a connection");
        zmq_socket_monitor(socket, NULL, 0);
        goto out;
    }
    *ret_monitor = monitor;
    monitor = NULL;
out:
    asy__socket_close(keys->channel, monitor);
    return rc;
}

static void end_monitor(struct asy__way *way, const struct asy__way_keys *keys)
{
    if (way->socket && way->monitor)
        zmq_socket_monitor(way->socket, NULL, 0);
    asy__socket_close(keys->channel, way->monitor);
    way->monitor = NULL;
}

static void end_socket(struct asy__way *way, const struct asy__way_keys *keys)
{
    static const struct asy__option now[] = { { ZMQ_LINGER, 0, "LINGER" } };

    end_probe(way);
    end_monitor(way, keys);
    if (way->socket)
        ASY_IGNORE(asy__set_ints(way->socket, now, 1, NULL)); /* nothing was sent on it */
    asy__socket_close(keys->channel, way->socket);
    way->socket = NULL;
}

static int open_socket(struct asy__way *way, const struct asy__way_keys *keys, int64_t now_ms,
                       struct asy_error *err)
{
    const char *number = number_of(way);
    char endpoint[ASY_ENDPOINT_TEXT];
    void *socket = NULL, *monitor = NULL;
    int rc;

    asy_address_endpoint(number, way->port, endpoint, sizeof endpoint);
    if ((rc = asy__socket_open(keys->channel, ZMQ_DEALER, &socket, err)))
        return rc;
    if ((rc = set_options(keys, socket, strchr(number, ':') != NULL, err)) ||
        (rc = open_monitor(keys, socket, &monitor, err)))
        goto out;
    if (zmq_connect(socket, endpoint) < 0) {
        rc = asy__fail_zmq(err, errno, "cannot connect to '%s'", way->endpoint);
        zmq_socket_monitor(socket, NULL, 0);
        asy__socket_close(keys->channel, monitor);
        goto out;
    }
    way->socket = socket;
    way->monitor = monitor;
    way->stage = ASY__WAY_CONNECT;
    way->since_ms = now_ms;
    socket = NULL;
out:
    asy__socket_close(keys->channel, socket);
    return rc;
}

/* ---- what happens --------------------------------------------------------------------------- */

int asy__way_begin(struct asy__way *way, const struct asy__way_keys *keys, int64_t now_ms,
                   struct asy_error *err)
{
    int rc;

    if (is_number(way->host)) {
        rc = open_socket(way, keys, now_ms, err);
    } else if ((rc = asy__lookup_start(way->host, &way->lookup, err)) == 0) {
        way->stage = ASY__WAY_LOOKUP;
        way->since_ms = now_ms;
    }
    if (rc == 0)
        judge(way, ASY_WAY_TRYING, "being tried");
    return rc;
}

static void read_lookup(struct asy__way *way, const struct asy__way_keys *keys, int64_t now_ms)
{
    struct asy_error err = ASY_ERROR_INIT;
    int n = asy__lookup_take(way->lookup, way->addresses, &err);

    if (n == 0) {
        if (way->state == ASY_WAY_TRYING && now_ms - way->since_ms >= PATIENCE_MS)
            judge(way, ASY_WAY_NO_NAME, "name '%.80s' cannot be looked up: no answer", way->host);
        return;
    }
    asy__lookup_drop(way->lookup);
    way->lookup = NULL;
    way->stage = ASY__WAY_OVER;
    if (n < 0) {
        judge(way, ASY_WAY_NO_NAME, "name '%.80s' cannot be looked up: %s", way->host, err.text);
        return;
    }
    way->n_addresses = n;
    way->at = 0;
    if (open_socket(way, keys, now_ms, &err) < 0)
        judge(way, ASY_WAY_UNREACHABLE, "%s", err.text);
    else
        judge(way, ASY_WAY_TRYING, "being tried");
}

/* A name may stand for several machines or networks. */
static void next_address(struct asy__way *way, const struct asy__way_keys *keys, int64_t now_ms)
{
    struct asy_error err = ASY_ERROR_INIT;

    if (way->at + 1 >= way->n_addresses || way->stage != ASY__WAY_CONNECT)
        return;
    end_socket(way, keys);
    way->stage = ASY__WAY_OVER;
    way->at++;
    if (open_socket(way, keys, now_ms, &err) < 0)
        judge(way, ASY_WAY_UNREACHABLE, "%s", err.text);
    else
        judge(way, ASY_WAY_TRYING, "being tried");
}

static void handshake_failed(struct asy__way *way, int64_t now_ms)
{
    if (now_ms - way->since_ms >= CLOSED_LATE_MS)
        judge(way, ASY_WAY_MUTE, "takes connections, but does not speak");
    else
        judge(way, ASY_WAY_STRANGER, "what listens there does not have the coordinator's key");
}

static void take_event(struct asy__way *way, uint16_t event, int64_t now_ms)
{
    switch (event) {
    case ZMQ_EVENT_CONNECTED:
        end_probe(way);
        way->stage = ASY__WAY_HANDSHAKE;
        way->since_ms = now_ms;
        if (way->state != ASY_WAY_STRANGER && way->state != ASY_WAY_MUTE)
            judge(way, ASY_WAY_TRYING, "being tried");
        break;
    case ZMQ_EVENT_CONNECT_RETRIED:
        if (way->stage == ASY__WAY_CONNECT && now_ms - way->since_ms >= CLOSED_LATE_MS)
            judge(way, ASY_WAY_SILENT, "no answer");
        else if (way->stage == ASY__WAY_CONNECT &&
                 (way->state == ASY_WAY_TRYING || way->state == ASY_WAY_SILENT))
            start_probe(way);
        way->stage = ASY__WAY_CONNECT;
        way->since_ms = now_ms;
        break;
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        judge(way, ASY_WAY_OPEN, "connected");
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH: /* libzmq does not try again */
        judge(way, ASY_WAY_NOT_LET_IN, "the coordinator refuses this key");
        way->stage = ASY__WAY_OVER;
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL: /* nor here */
        judge(way, ASY_WAY_STRANGER, "what listens there does not have the coordinator's key");
        way->stage = ASY__WAY_OVER;
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        if (way->stage != ASY__WAY_OVER)
            handshake_failed(way, now_ms);
        break;
    default:
        break;
    }
}

/* An event is two parts: 16 bits of number with 32 bits of value, then the endpoint. 1: it is open:
 * what may have happened since is for whoever has the socket. */
static int read_monitor(struct asy__way *way, int64_t now_ms)
{
    uint8_t bytes[16], endpoint[4];
    uint16_t event;

    while (way->monitor &&
           zmq_recv(way->monitor, bytes, sizeof bytes, ZMQ_DONTWAIT) >= (int)sizeof event) {
        zmq_recv(way->monitor, endpoint, sizeof endpoint, ZMQ_DONTWAIT); /* cut: not of interest */
        memcpy(&event, bytes, sizeof event);
        take_event(way, event, now_ms);
        if (way->state == ASY_WAY_OPEN)
            return 1;
    }
    return 0;
}

int asy__way_turn(struct asy__way *way, const struct asy__way_keys *keys, int64_t now_ms)
{
    if (way->stage == ASY__WAY_LOOKUP)
        read_lookup(way, keys, now_ms);
    if (read_monitor(way, now_ms))
        return 1;
    read_probe(way);
    if (way->state == ASY_WAY_TRYING && now_ms - way->since_ms >= PATIENCE_MS) {
        if (way->stage == ASY__WAY_CONNECT)
            judge(way, ASY_WAY_SILENT, "no answer");
        else if (way->stage == ASY__WAY_HANDSHAKE)
            judge(way, ASY_WAY_MUTE, "takes connections, but does not speak");
    }
    if (way->state > ASY_WAY_OPEN)
        next_address(way, keys, now_ms);
    return 0;
}

void *asy__way_take(struct asy__way *way, const struct asy__way_keys *keys)
{
    void *socket;

    end_monitor(way, keys);
    socket = way->socket;
    way->socket = NULL;
    asy__way_close(way, keys);
    return socket;
}

void asy__way_close(struct asy__way *way, const struct asy__way_keys *keys)
{
    end_socket(way, keys);
    asy__lookup_drop(way->lookup);
    way->lookup = NULL;
    way->stage = ASY__WAY_IDLE;
}

/* ---- time ----------------------------------------------------------------------------------- */

int asy__way_hopeful(const struct asy__way *way, int64_t now_ms)
{
    if (way->state != ASY_WAY_TRYING)
        return 0;
    return now_ms - way->since_ms <
           (way->stage == ASY__WAY_HANDSHAKE ? PATIENCE_MS : HEAD_START_MS);
}

void asy__way_due(const struct asy__way *way, int64_t now_ms, int64_t *ret_due_ms)
{
    const int64_t at[] = { way->since_ms + HEAD_START_MS, way->since_ms + PATIENCE_MS };

    for (size_t i = 0; way->state == ASY_WAY_TRYING && i < ASY_ARRAY_LEN(at); i++)
        if (at[i] > now_ms && at[i] < *ret_due_ms)
            *ret_due_ms = at[i];
}

size_t asy__way_items(const struct asy__way *way, zmq_pollitem_t items[ASY__WAY_ITEMS])
{
    size_t n = 0;

    if (way->monitor)
        items[n++] = (zmq_pollitem_t){ .socket = way->monitor, .events = ZMQ_POLLIN };
    if (way->probe_fd >= 0)
        items[n++] = (zmq_pollitem_t){ .fd = way->probe_fd, .events = ZMQ_POLLOUT };
    if (way->lookup)
        items[n++] = (zmq_pollitem_t){ .fd = asy__lookup_fd(way->lookup), .events = ZMQ_POLLIN };
    return n;
}
