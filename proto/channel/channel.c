/* SPDX-License-Identifier: Apache-2.0
 * channel.c - the ZeroMQ context, the socket options that both sides share, and waiting.
 *
 * Every queue is finite. ZeroMQ's own heartbeats stay off: with a finite RCVHWM a slow reader makes
 * libzmq 4.3.4 abort (zeromq/libzmq#3937); liveness is the business of the messages above. */
#include "channel.h"
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/clock.h>
#include <zmq.h>

/* The sockets that a server has besides its ROUTER (see gate.c), and some in slow closing. */
#define EXTRA_SOCKETS 16
#define SOCKETS_PER_CLIENT 3 /* and endpoint, until it is connected: see way.c */
#define ITEMS_ON_STACK (2 * ASY__CLIENT_ITEMS)
#define PLACES_ON_STACK 32

static enum asy_code code_of(int errnum)
{
    switch (errnum) {
    case EADDRINUSE:
        return ASY_E_BUSY;
    case EACCES:
    case EPERM:
        return ASY_E_DENIED;
    case EINVAL:
    case ENODEV:
    case EADDRNOTAVAIL:
    case EPROTONOSUPPORT:
        return ASY_E_INVAL;
    case ENOMEM:
        return ASY_E_NOMEM;
    case EMFILE:
        return ASY_E_FULL;
    case EAGAIN:
        return ASY_E_AGAIN;
    case EHOSTUNREACH:
        return ASY_E_GONE;
    default:
        return ASY_E_IO;
    }
}

int asy__fail_zmq(struct asy_error *err, int errnum, const char *fmt, ...)
{
    enum asy_code code = code_of(errnum);
    char what[160];
    va_list args;

    if (err) {
        va_start(args, fmt);
        vsnprintf(what, sizeof what, fmt, args);
        va_end(args);
        return asy_fail(err, code, "%s: %s", what, zmq_strerror(errnum));
    }
    return code;
}

int asy_channel_create(int max_sockets, struct asy_channel **ret_channel, struct asy_error *err)
{
    struct asy_channel *channel = NULL;
    int limit, rc;

    if (max_sockets <= 0)
        return asy_fail(err, ASY_E_INVAL, "a channel needs room for at least one socket");
    if (!(channel = calloc(1, sizeof *channel)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a channel");
    atomic_flag_clear(&channel->has_server);
    if (!(channel->zmq = zmq_ctx_new())) {
        rc = asy__fail_zmq(err, errno, "cannot make a ZeroMQ context");
        goto out;
    }
    limit = zmq_ctx_get(channel->zmq, ZMQ_SOCKET_LIMIT);
    if (max_sockets > limit - EXTRA_SOCKETS) {
        rc = asy_fail(err, ASY_E_INVAL, "%d sockets are more than ZeroMQ's limit of %d",
                      max_sockets, limit - EXTRA_SOCKETS);
        goto out;
    }
    limit = max_sockets < (limit - EXTRA_SOCKETS) / SOCKETS_PER_CLIENT
                ? SOCKETS_PER_CLIENT * max_sockets + EXTRA_SOCKETS
                : limit;
    if (zmq_ctx_set(channel->zmq, ZMQ_MAX_SOCKETS, limit) < 0 ||
        zmq_ctx_set(channel->zmq, ZMQ_IO_THREADS, 1) < 0) {
        rc = asy__fail_zmq(err, errno, "cannot set up a ZeroMQ context");
        goto out;
    }
    *ret_channel = channel;
    channel = NULL;
    rc = 0;
out:
    asy_channel_destroy(channel);
    return rc;
}

void asy_channel_destroy(struct asy_channel *channel)
{
    int saved = errno;

    if (!channel)
        return;
    ASY_ASSERT(atomic_load(&channel->open) == 0, "%d sockets are open",
               atomic_load(&channel->open));
    if (channel->zmq)
        while (zmq_ctx_term(channel->zmq) < 0 && errno == EINTR)
            ;
    free(channel);
    errno = saved;
}

const char *asy_channel_version(void)
{
    static _Thread_local char text[32];
    int major, minor, patch;

    zmq_version(&major, &minor, &patch);
    snprintf(text, sizeof text, "%d.%d.%d", major, minor, patch);
    return text;
}

const char *asy_channel_sodium_version(void)
{
    const char *(*version)(void) = NULL;
    void *found = dlsym(RTLD_DEFAULT, "sodium_version_string");

    if (!found)
        return NULL;
    memcpy(&version, &found, sizeof version); /* C has no cast from an object to a function */
    return version();
}

/* ---- sockets ------------------------------------------------------------------------------- */

int asy__socket_open(struct asy_channel *channel, int type, void **ret_socket,
                     struct asy_error *err)
{
    void *socket = zmq_socket(channel->zmq, type);

    if (!socket)
        return asy__fail_zmq(err, errno, "cannot make a ZeroMQ socket");
    atomic_fetch_add(&channel->open, 1);
    *ret_socket = socket;
    return 0;
}

void asy__socket_close(struct asy_channel *channel, void *socket)
{
    int saved = errno;

    if (!socket)
        return;
    zmq_close(socket);
    atomic_fetch_sub(&channel->open, 1);
    errno = saved;
}

int asy__set_ints(void *socket, const struct asy__option *options, size_t n, struct asy_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (zmq_setsockopt(socket, options[i].option, &options[i].value, sizeof(int)) < 0)
            return asy__fail_zmq(err, errno, "cannot set socket option %s to %d", options[i].name,
                                 options[i].value);
    return 0;
}

int asy__set_common(void *socket, int queue, struct asy_error *err)
{
    const struct asy__option options[] = {
        { ZMQ_SNDHWM, queue ? queue : 1000, "SNDHWM" },
        { ZMQ_RCVHWM, queue ? queue : 1000, "RCVHWM" },
        { ZMQ_LINGER, ASY__LINGER_MS, "LINGER" },
        { ZMQ_HANDSHAKE_IVL, ASY__HANDSHAKE_MS, "HANDSHAKE_IVL" },
        { ZMQ_TCP_KEEPALIVE, 1, "TCP_KEEPALIVE" },    /* firewalls forget silent flows */
        { ZMQ_TCP_KEEPALIVE_IDLE, 30, "TCP_KEEPALIVE_IDLE" },
        { ZMQ_TCP_KEEPALIVE_INTVL, 10, "TCP_KEEPALIVE_INTVL" },
        { ZMQ_TCP_KEEPALIVE_CNT, 3, "TCP_KEEPALIVE_CNT" },
        { ZMQ_TCP_MAXRT, 20000, "TCP_MAXRT" }, /* ms that sent bytes may stay unacknowledged */
    };
    int64_t max = (int64_t)ASY_CHANNEL_MAX + ASY__CURVE_OVERHEAD;

    if (zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &max, sizeof max) < 0)
        return asy__fail_zmq(err, errno, "cannot limit the size of messages");
    return asy__set_ints(socket, options, ASY_ARRAY_LEN(options), err);
}

int asy__set_text(void *socket, int option, const char *text, const char *name,
                  struct asy_error *err)
{
    if (zmq_setsockopt(socket, option, text, strlen(text)) < 0)
        return asy__fail_zmq(err, errno, "cannot set socket option %s", name);
    return 0;
}

int asy__check_key(const char *key, const char *what, struct asy_error *err)
{
    uint8_t raw[32];
    int ok = key && strnlen(key, ASY_KEY_TEXT) == ASY_KEY_TEXT - 1 && zmq_z85_decode(raw, key);

    explicit_bzero(raw, sizeof raw);
    return ok ? 0 : asy_fail(err, ASY_E_INVAL, "the %s is not a key of 40 Z85 characters", what);
}

/* ---- parts ---------------------------------------------------------------------------------- */

int asy__msg_fill(zmq_msg_t *msg, const void *bytes, size_t n, struct asy_error *err)
{
    if (n > ASY_CHANNEL_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "a frame of %zu bytes is over the limit of %u", n,
                        ASY_CHANNEL_MAX);
    if (zmq_msg_init_size(msg, n) < 0)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a frame of %zu bytes", n);
    if (n > 0)
        memcpy(zmq_msg_data(msg), bytes, n);
    return 0;
}

int asy__recv_parts(void *socket, zmq_msg_t *head, zmq_msg_t *body)
{
    int n = 0;

    do {
        if (n == 1)
            zmq_msg_move(head, body);
        zmq_msg_close(body);
        zmq_msg_init(body);
        /* Parts of a message arrive together: the rest is there. */
        if (zmq_msg_recv(body, socket, ZMQ_DONTWAIT) < 0)
            return -1;
        n++;
    } while (zmq_msg_more(body));
    return n;
}

void asy__take_parts(zmq_msg_t *head, zmq_msg_t *body, int n, const void **ret_head,
                     size_t *ret_head_len, const void **ret_body, size_t *ret_body_len)
{
    zmq_msg_t *first = n == 1 ? body : head;

    *ret_head = zmq_msg_data(first);
    *ret_head_len = zmq_msg_size(first);
    *ret_body = n == 1 ? NULL : zmq_msg_data(body);
    *ret_body_len = n == 1 ? 0 : zmq_msg_size(body);
}

/* ---- waiting ------------------------------------------------------------------------------- */

/* Where an item of the caller's stands in the list that is waited for. */
struct place {
    size_t at;
    int direct; /* what it waits for itself, not a client on its way to a connection */
};

/* One item, as what ZeroMQ is to wait for. Returns how many entries that is. */
static size_t to_zmq(const struct asy_poll_item *item, zmq_pollitem_t *ret, struct place *place,
                     int64_t *ret_due_ms)
{
    short events = (short)((item->events & POLLIN ? ZMQ_POLLIN : 0) |
                           (item->events & POLLOUT ? ZMQ_POLLOUT : 0));
    size_t n = 1;
    int64_t due_ms;

    place->direct = 1;
    if (item->client) {
        place->direct = asy__client_items(item->client, events, ret, &n, &due_ms);
        if (due_ms < *ret_due_ms)
            *ret_due_ms = due_ms;
    } else if (item->server) {
        *ret = (zmq_pollitem_t){ .socket = asy__server_socket(item->server), .events = events };
    } else {
        *ret = (zmq_pollitem_t){ .fd = item->fd, .events = (short)(events | ZMQ_POLLERR) };
    }
    return n;
}

static short from_zmq(short revents)
{
    return (short)((revents & ZMQ_POLLIN ? POLLIN : 0) | (revents & ZMQ_POLLOUT ? POLLOUT : 0) |
                   (revents & ZMQ_POLLERR ? POLLERR : 0));
}

static int until(int64_t due_ms, int timeout_ms)
{
    int64_t left = due_ms == INT64_MAX ? INT64_MAX : due_ms - asy_clock_ms();

    if (left == INT64_MAX || (timeout_ms >= 0 && timeout_ms <= left))
        return timeout_ms < 0 ? -1 : timeout_ms;
    return left < 0 ? 0 : (int)left;
}

static int wait_for(struct asy_poll_item *items, size_t n, zmq_pollitem_t *list,
                    struct place *places, int timeout_ms, struct asy_error *err)
{
    int64_t due_ms = INT64_MAX;
    size_t n_list = 0;
    int rc, ready = 0;

    for (size_t i = 0; i < n; i++) {
        places[i].at = n_list;
        n_list += to_zmq(&items[i], list + n_list, &places[i], &due_ms);
    }
    rc = zmq_poll(list, (int)n_list, until(due_ms, timeout_ms));
    if (rc < 0 && errno != EINTR)
        return asy__fail_zmq(err, errno, "cannot wait for %zu sockets", n);
    for (size_t i = 0; i < n; i++) {
        items[i].revents = rc > 0 && places[i].direct ? from_zmq(list[places[i].at].revents) : 0;
        ready += items[i].revents != 0;
        if (!places[i].direct)
            asy__client_turn(items[i].client);
    }
    return ready;
}

int asy_poll(struct asy_poll_item *items, size_t n, int timeout_ms, struct asy_error *err)
{
    struct place few_places[PLACES_ON_STACK], *places = few_places;
    zmq_pollitem_t few[ITEMS_ON_STACK], *list = few;
    size_t n_list = 0;
    int rc;

    if (n > INT32_MAX / (ASY__CLIENT_ITEMS * sizeof *list))
        return asy_fail(err, ASY_E_INVAL, "cannot wait for %zu things", n);
    for (size_t i = 0; i < n; i++)
        n_list += items[i].client ? asy__client_room(items[i].client) : 1;
    if ((n_list > ASY_ARRAY_LEN(few) && !(list = malloc(n_list * sizeof *list))) ||
        (n > ASY_ARRAY_LEN(few_places) && !(places = malloc(n * sizeof *places))))
        rc = asy_fail(err, ASY_E_NOMEM, "no memory to wait for %zu things", n);
    else
        rc = wait_for(items, n, list, places, timeout_ms, err);
    if (list != few)
        free(list);
    if (places != few_places)
        free(places);
    return rc;
}
