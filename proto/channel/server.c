/* SPDX-License-Identifier: Apache-2.0
 * server.c - the coordinator's side: one ROUTER behind CURVE.
 *
 * A peer is ZeroMQ's automatic routing id: a zero byte and a 32-bit number that a closed connection
 * never gets back. It travels as a uint64_t with a mark above it, so that 0 never names a peer. A
 * peer that chose a routing id of its own is not one of ours; its frames are dropped and counted.
 *
 * The socket monitor names a closed connection by its descriptor; every frame names the descriptor
 * that it came through. What the two have in common is kept as a hint, no more.
 *
 * ROUTER_MANDATORY makes a send to a closed connection fail at once; HANDOVER stays off, for with
 * it an authorised peer can take over another's id. */
#include <asy/channel.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <asy/durable.h>
#include <asy/parse.h>
#include <zmq.h>
#include "channel.h"
#include "gate.h"

#define PEER_MARK (UINT64_C(1) << 40)
#define ID_BYTES 5
#define PORT_TRIES 200
#define BOUND_MAX 8
#define CLOSE_LIMIT_MS 2000
#define STALE_MAX 65536u
#define PORT_RANGE_FILE "/proc/sys/net/ipv4/ip_local_port_range"

struct asy_server {
    struct asy_channel *channel;
    void *socket;
    struct asy__gate *gate;
    asy_authorise_f authorise;
    void *arg;
    int owns_zap, has_monitor;
    char bound[BOUND_MAX][64]; /* [n_bound] where it listens */
    int n_bound;
    int port;
    atomic_uint_least64_t bad_frames;
    struct line {
        uint64_t peer; /* whose frame came last through a descriptor; 0: none */
        char key[ASY_KEY_TEXT];
    } *by_fd;          /* [n_fds] */
    size_t n_fds;
    uint64_t *stale; /* [n_stale] peers that are closed, or whose descriptor another one has now */
    size_t n_stale, cap_stale;
    zmq_msg_t head, msg; /* what the last receive handed out */
};

static uint64_t peer_of(const uint8_t id[ID_BYTES])
{
    return PEER_MARK | (uint64_t)id[1] << 24 | (uint64_t)id[2] << 16 | (uint64_t)id[3] << 8 | id[4];
}

static void id_of(uint64_t peer, uint8_t ret_id[ID_BYTES])
{
    ret_id[0] = 0;
    for (int i = 1; i < ID_BYTES; i++)
        ret_id[i] = (uint8_t)(peer >> (8 * (ID_BYTES - 1 - i)));
}

/* ---- the port ------------------------------------------------------------------------------ */

/* Ports that the kernel does not give to outgoing connections: a fixed one stays free for us over a
 * restart. Below its range where there is room, else above. 0: there are none. */
static int stable_ports(int *ret_first)
{
    char *text = NULL, *tab;
    size_t len;
    int64_t low = 32768, high = 60999; /* the kernel's defaults */

    if (asy_read_file(PORT_RANGE_FILE, 256, &text, &len, NULL) == 0 &&
        (tab = memchr(text, '\t', len))) {
        size_t at = (size_t)(tab - text), end = strcspn(tab + 1, " \t\n");

        if (asy_parse_i64(text, at, &low, NULL) || asy_parse_i64(tab + 1, end, &high, NULL)) {
            low = 32768;
            high = 60999;
        }
    }
    free(text);
    if (low > 10000 + PORT_TRIES)
        *ret_first = 10000;
    else if (low > 1024 + PORT_TRIES)
        *ret_first = 1024;
    else
        *ret_first = (int)high + 1, low = 65536;
    return low > *ret_first ? (int)low - *ret_first : 0;
}

static int bind_one(struct asy_server *server, const char *address, int port)
{
    const char *open = strchr(address, ':') && address[0] != '[' ? "[" : "";
    int v6 = strchr(address, ':') || !strcmp(address, "*"); /* "*": IPv4 too, or it alone */
    char endpoint[128], number[16] = "*", *bound = server->bound[server->n_bound];
    size_t size = sizeof server->bound[0];

    if (port)
        snprintf(number, sizeof number, "%d", port);
    if (server->n_bound == BOUND_MAX ||
        snprintf(endpoint, sizeof endpoint, "tcp://%s%s%s:%s", open, address, *open ? "]" : "",
                 number) >= (int)sizeof endpoint) {
        errno = EINVAL;
        return -1;
    }
    if (zmq_setsockopt(server->socket, ZMQ_IPV6, &v6, sizeof v6) < 0 ||
        zmq_bind(server->socket, endpoint) < 0 ||
        zmq_getsockopt(server->socket, ZMQ_LAST_ENDPOINT, bound, &size) < 0)
        return -1;
    server->n_bound++;
    return 0;
}

static int learn_port(struct asy_server *server, struct asy_error *err)
{
    const char *colon = strrchr(server->bound[0], ':');
    int64_t port;

    if (!colon || asy_parse_i64(colon + 1, strlen(colon + 1), &port, NULL))
        return asy_fail(err, ASY_E_IO, "cannot learn the port that was bound");
    server->port = (int)port;
    return 0;
}

/* The listening sockets are closed by an I/O thread: waits for it, so that the port is free when
 * this returns. If the news does not come the port is merely free a little later. */
static void unbind(struct asy_server *server)
{
    int until = asy__gate_closed(server->gate);

    while (server->n_bound > 0)
        until += zmq_unbind(server->socket, server->bound[--server->n_bound]) == 0;
    asy__gate_wait_closed(server->gate, until, CLOSE_LIMIT_MS);
}

/* All of spec's addresses, or none. With port 0 the first one's port is that of all. */
static int bind_all(struct asy_server *server, const struct asy_server_spec *spec, int port,
                    struct asy_error *err)
{
    const char *at = spec->interface;
    int errnum = bind_one(server, at, port) < 0 ? errno : 0, rc;

    for (size_t i = 0; errnum == 0 && i < spec->n_also; i++) {
        if (i == 0 && (rc = learn_port(server, err)) < 0)
            return rc;
        if (bind_one(server, at = spec->also[i], server->port) < 0)
            errnum = errno;
    }
    if (errnum == 0)
        return learn_port(server, err);
    unbind(server);
    return port ? asy__fail_zmq(err, errnum, "cannot listen on '%s' port %d", at, port)
                : asy__fail_zmq(err, errnum, "cannot listen on '%s'", at);
}

static int bind_any(struct asy_server *server, const struct asy_server_spec *spec,
                    struct asy_error *err)
{
    int first, n = stable_ports(&first), rc;

    for (int i = 0; i < PORT_TRIES && n > 0; i++) {
        uint32_t random;

        if (getrandom(&random, sizeof random, 0) != sizeof random)
            break;
        rc = bind_all(server, spec, first + (int)(random % (uint32_t)n), err);
        if (rc != ASY_E_BUSY && rc != ASY_E_DENIED)
            return rc;
    }
    return bind_all(server, spec, 0, err); /* better any port than none */
}

static int listen_on(struct asy_server *server, const struct asy_server_spec *spec,
                     struct asy_error *err)
{
    return spec->port ? bind_all(server, spec, spec->port, err) : bind_any(server, spec, err);
}

/* ---- create and destroy -------------------------------------------------------------------- */

static int check_spec(const struct asy_server_spec *spec, struct asy_error *err)
{
    if (!spec->interface || !*spec->interface)
        return asy_fail(err, ASY_E_INVAL, "a server needs an address to listen on");
    if (spec->port < 0 || spec->port > 65535)
        return asy_fail(err, ASY_E_INVAL, "port %d is not in 0 to 65535", spec->port);
    if (!spec->authorise)
        return asy_fail(err, ASY_E_INVAL, "a server needs to know who may connect");
    return asy__check_key(spec->secret_key, "server's secret key", err);
}

static int set_options(void *socket, const struct asy_server_spec *spec, struct asy_error *err)
{
    const struct asy__option options[] = {
        { ZMQ_ROUTER_MANDATORY, 1, "ROUTER_MANDATORY" },
        { ZMQ_ROUTER_HANDOVER, 0, "ROUTER_HANDOVER" },
        { ZMQ_BACKLOG, 4096, "BACKLOG" }, /* a batch job's agents arrive at once */
        { ZMQ_CURVE_SERVER, 1, "CURVE_SERVER" },
    };
    int rc;

    if ((rc = asy__set_common(socket, spec->queue, err)) ||
        (rc = asy__set_ints(socket, options, ASY_ARRAY_LEN(options), err)) ||
        (rc = asy__set_text(socket, ZMQ_ZAP_DOMAIN, ASY__ZAP_DOMAIN, "ZAP_DOMAIN", err)))
        return rc;
    return asy__set_text(socket, ZMQ_CURVE_SECRETKEY, spec->secret_key, "CURVE_SECRETKEY", err);
}

static int open_monitor(struct asy_server *server, const char *name, struct asy_error *err)
{
    if (zmq_socket_monitor(server->socket, name,
                           ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
                               ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                               ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_CLOSED |
                               ZMQ_EVENT_CLOSE_FAILED | ZMQ_EVENT_DISCONNECTED) < 0)
        return asy__fail_zmq(err, errno, "cannot watch the server's socket");
    server->has_monitor = 1;
    return 0;
}

int asy_server_create(struct asy_channel *channel, const struct asy_server_spec *spec,
                      struct asy_server **ret_server, struct asy_error *err)
{
    struct asy_server *server = NULL;
    char monitor[64];
    int rc;

    if ((rc = check_spec(spec, err)))
        return rc;
    if (!(server = calloc(1, sizeof *server)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a server");
    server->channel = channel;
    server->authorise = spec->authorise;
    server->arg = spec->authorise_arg;
    zmq_msg_init(&server->head);
    zmq_msg_init(&server->msg);
    if (atomic_flag_test_and_set(&channel->has_server)) {
        rc = asy_fail(err, ASY_E_EXISTS, "this channel has a server already");
        goto out;
    }
    server->owns_zap = 1;
    /* A name of its own: an older monitor's may be in use until libzmq has reaped its socket. */
    snprintf(monitor, sizeof monitor, "inproc://assay.monitor.%u",
             atomic_fetch_add(&channel->serial, 1));
    if ((rc = asy__gate_open(channel, monitor, spec->authorise, spec->authorise_arg, &server->gate,
                             err)) ||
        (rc = asy__socket_open(channel, ZMQ_ROUTER, &server->socket, err)) ||
        (rc = set_options(server->socket, spec, err)) ||
        (rc = open_monitor(server, monitor, err)) || (rc = listen_on(server, spec, err)))
        goto out;
    *ret_server = server;
    server = NULL;
out:
    asy_server_destroy(server);
    return rc;
}

void asy_server_destroy(struct asy_server *server)
{
    int saved = errno;

    if (!server)
        return;
    zmq_msg_close(&server->head);
    zmq_msg_close(&server->msg);
    free(server->by_fd);
    free(server->stale);
    if (server->n_bound > 0)
        unbind(server);
    if (server->has_monitor)
        zmq_socket_monitor(server->socket, NULL, 0);
    asy__socket_close(server->channel, server->socket);
    asy__gate_close(server->gate);
    if (server->owns_zap)
        atomic_flag_clear(&server->channel->has_server);
    free(server);
    errno = saved;
}

int asy_server_port(const struct asy_server *server)
{
    return server->port;
}

void *asy__server_socket(const struct asy_server *server)
{
    return server->socket;
}

void asy_server_counts(struct asy_server *server, struct asy_server_counts *ret_counts)
{
    struct asy__gate_counts counts;

    asy__gate_counts(server->gate, &counts);
    ret_counts->accepted = counts.accepted;
    ret_counts->refused_keys = counts.refused;
    ret_counts->failed_handshakes = counts.failed;
    ret_counts->bad_frames = atomic_load(&server->bad_frames);
    memcpy(ret_counts->refused_key, counts.last_key, sizeof ret_counts->refused_key);
    memcpy(ret_counts->refused_from, counts.last_from, sizeof ret_counts->refused_from);
    memcpy(ret_counts->failed_from, counts.failed_from, sizeof ret_counts->failed_from);
    ret_counts->failed_why = counts.failed_why;
}

/* libzmq has no way to end one of a ROUTER's connections; it notices that this one has ended. If
 * the descriptor is another's by now, that one connects anew. */
void asy_server_drop(struct asy_server *server, uint64_t peer)
{
    for (size_t fd = 0; fd < server->n_fds; fd++)
        if (server->by_fd[fd].peer == peer)
            ASY_IGNORE(shutdown((int)fd, SHUT_RDWR) < 0); /* it has ended by itself */
}

void asy_server_review(struct asy_server *server)
{
    for (size_t fd = 0; fd < server->n_fds; fd++)
        if (server->by_fd[fd].peer && !server->authorise(server->arg, server->by_fd[fd].key))
            ASY_IGNORE(shutdown((int)fd, SHUT_RDWR) < 0);
}

/* ---- frames -------------------------------------------------------------------------------- */

/* Receives one message: its routing id and, in server->msg, its last part. Returns the number of
 * parts after the id, or negative with errno. */
static int recv_parts(struct asy_server *server, uint8_t ret_id[ID_BYTES], int *ret_id_len)
{
    if ((*ret_id_len = zmq_recv(server->socket, ret_id, ID_BYTES, ZMQ_DONTWAIT)) < 0)
        return -1;
    return asy__recv_parts(server->socket, &server->head, &server->msg);
}

/* The key from the metadata of the payload part (libzmq 4.3.4 loses the first part's). There is
 * none where nobody answered for the connection: libzmq lets it in when the ZAP endpoint is
 * missing, we do not. */
static int take_key(zmq_msg_t *msg, char ret_key[ASY_KEY_TEXT])
{
    const char *user = zmq_msg_gets(msg, "User-Id");

    if (!user || strnlen(user, ASY_KEY_TEXT) != ASY_KEY_TEXT - 1)
        return 0;
    memcpy(ret_key, user, ASY_KEY_TEXT);
    return 1;
}

/* Its memory is bounded by the descriptors that the process may open. */
static int fd_room(struct asy_server *server, size_t fd)
{
    size_t n = server->n_fds ? 2 * server->n_fds : 64;
    struct line *grown;

    if (fd < server->n_fds)
        return 1;
    n = n > fd ? n : fd + 1;
    if (!(grown = reallocarray(server->by_fd, n, sizeof *grown)))
        return 0;
    memset(grown + server->n_fds, 0, (n - server->n_fds) * sizeof *grown);
    server->by_fd = grown;
    server->n_fds = n;
    return 1;
}

static void note_stale(struct asy_server *server, uint64_t peer)
{
    size_t cap = server->cap_stale ? 2 * server->cap_stale : 16;
    uint64_t *grown;

    if (server->n_stale > 0 && server->stale[server->n_stale - 1] == peer)
        return;
    if (server->n_stale == server->cap_stale) {
        if (cap > STALE_MAX || !(grown = reallocarray(server->stale, cap, sizeof *grown)))
            return;
        server->stale = grown;
        server->cap_stale = cap;
    }
    server->stale[server->n_stale++] = peer;
    asy__gate_raise(server->gate);
}

/* Remembers which descriptor the frame came through. What is closed has none: its number may be
 * anyone's by now. */
static void note_fd(struct asy_server *server, uint64_t peer, const char key[ASY_KEY_TEXT])
{
    int fd = zmq_msg_get(&server->msg, ZMQ_SRCFD);

    if (fd < 0 || !fd_room(server, (size_t)fd) || server->by_fd[fd].peer == peer)
        return;
    if (server->by_fd[fd].peer) /* closed, and the news of it is not here yet */
        note_stale(server, server->by_fd[fd].peer);
    server->by_fd[fd].peer = 0;
    if (asy__gate_heard(server->gate, fd)) {
        note_stale(server, peer);
        return;
    }
    server->by_fd[fd].peer = peer;
    memcpy(server->by_fd[fd].key, key, ASY_KEY_TEXT);
}

uint64_t asy_server_closed(struct asy_server *server)
{
    int fd;

    if (server->n_stale > 0)
        return server->stale[--server->n_stale];
    while ((fd = asy__gate_ended(server->gate)) >= 0)
        if ((size_t)fd < server->n_fds && server->by_fd[fd].peer) {
            uint64_t peer = server->by_fd[fd].peer;

            server->by_fd[fd].peer = 0;
            return peer;
        }
    return 0;
}

int asy_server_closed_fd(const struct asy_server *server)
{
    return asy__gate_ended_fd(server->gate);
}

/* The next message of at most `most` parts. Returns their number. */
static int recv_message(struct asy_server *server, int most, uint64_t *ret_peer,
                        char ret_key[ASY_KEY_TEXT], struct asy_error *err)
{
    for (int skipped = 0; skipped < ASY__SKIP_MAX; skipped++) {
        uint8_t id[ID_BYTES];
        int id_len, n = recv_parts(server, id, &id_len);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return asy_fail(err, ASY_E_AGAIN, "no frame waits");
        if (n < 0)
            return asy__fail_zmq(err, errno, "cannot receive");
        if (n > most || id_len != ID_BYTES || id[0] != 0 || !take_key(&server->msg, ret_key)) {
            atomic_fetch_add(&server->bad_frames, 1);
            continue;
        }
        *ret_peer = peer_of(id);
        note_fd(server, *ret_peer, ret_key);
        return n;
    }
    return asy_fail(err, ASY_E_AGAIN, "only bad frames came");
}

int asy_server_recv(struct asy_server *server, uint64_t *ret_peer, char ret_key[ASY_KEY_TEXT],
                    const void **ret_bytes, size_t *ret_len, struct asy_error *err)
{
    int n = recv_message(server, 1, ret_peer, ret_key, err);

    if (n < 0)
        return n;
    *ret_bytes = zmq_msg_data(&server->msg);
    *ret_len = zmq_msg_size(&server->msg);
    return 0;
}

int asy_server_recv_parts(struct asy_server *server, uint64_t *ret_peer, char ret_key[ASY_KEY_TEXT],
                          const void **ret_head, size_t *ret_head_len, const void **ret_body,
                          size_t *ret_body_len, struct asy_error *err)
{
    int n = recv_message(server, 2, ret_peer, ret_key, err);

    if (n < 0)
        return n;
    asy__take_parts(&server->head, &server->msg, n, ret_head, ret_head_len, ret_body,
                    ret_body_len);
    return 0;
}

/* libzmq lets a millisecond pass between two looks at the news that a peer's queue has been read,
 * and a full queue of answers to a fast peer may lie between them: asking for its events looks. */
static int send_part(struct asy_server *server, const void *bytes, size_t n)
{
    size_t size = sizeof(int);
    int events;

    if (zmq_send(server->socket, bytes, n, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0)
        return 0;
    if (errno != EAGAIN || zmq_getsockopt(server->socket, ZMQ_EVENTS, &events, &size) < 0)
        return -1;
    return zmq_send(server->socket, bytes, n, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0 ? -1 : 0;
}

/* Once the id is taken the payload must follow: all that can fail for want of memory comes
 * before. */
static int send_id(struct asy_server *server, uint64_t peer, struct asy_error *err)
{
    uint8_t id[ID_BYTES];

    id_of(peer, id);
    if (send_part(server, id, sizeof id) == 0)
        return 0;
    if (errno == EHOSTUNREACH)
        return asy_fail(err, ASY_E_GONE, "the peer's connection is closed");
    if (errno == EAGAIN)
        return asy_fail(err, ASY_E_AGAIN, "the peer's queue is full");
    return asy__fail_zmq(err, errno, "cannot send");
}

int asy_server_send_parts(struct asy_server *server, uint64_t peer, const void *head, size_t n_head,
                          const void *body, size_t n_body, struct asy_error *err)
{
    zmq_msg_t first, second;
    int rc;

    if (peer >> 32 != PEER_MARK >> 32)
        return asy_fail(err, ASY_E_GONE, "peer %" PRIu64 " was never here", peer);
    if ((rc = asy__msg_fill(&first, head, n_head, err)) < 0)
        return rc;
    if ((rc = asy__msg_fill(&second, body, n_body, err)) < 0) {
        zmq_msg_close(&first);
        return rc;
    }
    if ((rc = send_id(server, peer, err)) == 0 &&
        (zmq_msg_send(&first, server->socket, ZMQ_DONTWAIT | (n_body ? ZMQ_SNDMORE : 0)) < 0 ||
         (n_body && zmq_msg_send(&second, server->socket, ZMQ_DONTWAIT) < 0)))
        rc = asy__fail_zmq(err, errno, "cannot send");
    zmq_msg_close(&first); /* empty after a send that succeeded */
    zmq_msg_close(&second);
    return rc;
}

int asy_server_send(struct asy_server *server, uint64_t peer, const void *bytes, size_t n,
                    struct asy_error *err)
{
    return asy_server_send_parts(server, peer, bytes, n, NULL, 0, err);
}
