/* SPDX-License-Identifier: Apache-2.0
 * way.c - see way.h.
 *
 * libzmq's monitor tells how far a connection comes, but not why connect() failed, and retries by
 * itself for ever. So when it says that it will retry, a plain connect() of our own asks the kernel
 * for the reason. A probe before each connection was rejected: each would count as a failed
 * handshake at the coordinator. Names are looked up here and libzmq gets numbers, since its one I/O
 * thread would stand still for all connections meanwhile.
 *
 * A refusal counts once whoever refused has proven its key (proof.h). After a handshake that failed
 * the socket is closed and another made later, by ourselves: libzmq would try again at once, and as
 * fast for ever, since its pauses grow only while connect() itself fails. */
#include "way.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <asy/address.h>
#include "dial.h"

#define HEAD_START_MS 250   /* until the next way is tried beside this one */
#define PATIENCE_MS 2000    /* then nothing came back; the next is tried if it is but a handshake */
#define CLOSED_LATE_MS 4000 /* a handshake that took so long ran into its time limit */
#define REST_MS 100         /* after a failed handshake; twice as long each time, */
#define REST_MAX_MS 2000    /* up to this: as libzmq does where connect() fails */

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

/* Where it leads now. */
static const char *number_of(const struct asy__way *way)
{
    return way->n_addresses ? way->addresses[way->at] : way->host;
}

/* ---- the probe ------------------------------------------------------------------------------ */

static void end_probe(struct asy__way *way)
{
    if (way->probe_fd >= 0)
        close(way->probe_fd);
    way->probe_fd = -1;
}

static void start_probe(struct asy__way *way)
{
    if (way->probe_fd < 0 && (way->probe_fd = asy__dial(number_of(way), way->port)) < 0)
        judge_errno(way, errno);
}

/* Connected after all: then libzmq's next try will be, too. */
static void read_probe(struct asy__way *way)
{
    int rc = way->probe_fd < 0 ? 0 : asy__dialled(way->probe_fd);

    if (rc == 0)
        return;
    if (rc < 0)
        judge_errno(way, -rc);
    end_probe(way);
}

/* ---- the socket ----------------------------------------------------------------------------- */

static void end_socket(struct asy__way *way, const struct asy__way_keys *keys)
{
    end_probe(way);
    asy__dealer_close(&way->dealer, keys);
}

static int open_socket(struct asy__way *way, const struct asy__way_keys *keys, int64_t now_ms,
                       struct asy_error *err)
{
    const char *number = number_of(way);
    char endpoint[ASY_ENDPOINT_TEXT];
    int rc;

    asy_address_endpoint(number, way->port, endpoint, sizeof endpoint);
    rc = asy__dealer_open(keys, endpoint, strchr(number, ':') != NULL, &way->dealer, err);
    if (rc < 0)
        return rc;
    way->stage = ASY__WAY_CONNECT;
    way->since_ms = now_ms;
    return 0;
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

/* The next one behind the name, or the first again. */
static void go_on(struct asy__way *way, const struct asy__way_keys *keys, int64_t now_ms)
{
    struct asy_error err = ASY_ERROR_INIT;

    end_socket(way, keys);
    way->stage = ASY__WAY_OVER;
    if (way->n_addresses)
        way->at = (way->at + 1) % way->n_addresses;
    if (open_socket(way, keys, now_ms, &err) < 0)
        judge(way, ASY_WAY_UNREACHABLE, "%s", err.text);
}

/* A name may stand for several machines or networks. */
static void next_address(struct asy__way *way, const struct asy__way_keys *keys, int64_t now_ms)
{
    if (way->at + 1 >= way->n_addresses || way->stage == ASY__WAY_LOOKUP ||
        way->stage == ASY__WAY_HANDSHAKE || way->state == ASY_WAY_NOT_LET_IN)
        return;
    judge(way, ASY_WAY_TRYING, "being tried");
    go_on(way, keys, now_ms);
}

/* ---- refused, or not understood ------------------------------------------------------------- */

static void rest(struct asy__way *way, int64_t now_ms)
{
    way->rest_ms = way->rest_ms ? 2 * way->rest_ms : REST_MS;
    if (way->rest_ms > REST_MAX_MS)
        way->rest_ms = REST_MAX_MS;
    way->again_ms = now_ms + way->rest_ms;
    way->stage = ASY__WAY_REST;
}

static void doubt(struct asy__way *way, const char *besides, int64_t now_ms)
{
    judge(way, ASY_WAY_STRANGER, "what listens there does not have the coordinator's key%s",
          besides);
    rest(way, now_ms);
}

static void end_proof(struct asy__way *way)
{
    asy__proof_drop(way->proof);
    way->proof = NULL;
}

/* Somebody refuses the key. */
static void turn_proof(struct asy__way *way, const struct asy__way_keys *keys, int64_t now_ms)
{
    struct asy_error err = ASY_ERROR_INIT;
    int rc = 0;

    if (!way->proof) {
        end_socket(way, keys);
        judge(way, ASY_WAY_TRYING, "being tried");
        way->since_ms = now_ms;
        rc = asy__proof_start(number_of(way), way->port, keys->server_key, &way->proof, &err);
    }
    if (rc == 0 && (rc = asy__proof_turn(way->proof)) == 0 && now_ms - way->since_ms < PATIENCE_MS)
        return;
    end_proof(way);
    if (rc <= 0) {
        doubt(way, ", and refuses this one", now_ms);
        return;
    }
    judge(way, ASY_WAY_NOT_LET_IN, "the coordinator refuses this key");
    way->stage = ASY__WAY_OVER;
}

static void turn_rest(struct asy__way *way, const struct asy__way_keys *keys, int64_t now_ms)
{
    end_socket(way, keys);
    if (now_ms >= way->again_ms)
        go_on(way, keys, now_ms);
}

/* ---- what the monitor tells ----------------------------------------------------------------- */

static void handshake_failed(struct asy__way *way, int64_t now_ms)
{
    if (now_ms - way->since_ms >= CLOSED_LATE_MS)
        judge(way, ASY_WAY_MUTE, "takes connections, but does not speak");
    else
        doubt(way, "", now_ms);
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
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        way->stage = ASY__WAY_PROOF;
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        doubt(way, "", now_ms);
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        handshake_failed(way, now_ms);
        break;
    default:
        break;
    }
}

/* An event is two parts: 16 bits of number with 32 bits of value, then the endpoint. 1: it is open:
 * what may have happened since is for whoever has the socket. One that failed is closed: whatever
 * is told of it after that means nothing. */
static int read_monitor(struct asy__way *way, int64_t now_ms)
{
    uint8_t bytes[16], endpoint[4];
    uint16_t event;

    while (way->dealer.monitor && way->stage != ASY__WAY_PROOF && way->stage != ASY__WAY_REST &&
           zmq_recv(way->dealer.monitor, bytes, sizeof bytes, ZMQ_DONTWAIT) >= (int)sizeof event) {
        zmq_recv(way->dealer.monitor, endpoint, sizeof endpoint, ZMQ_DONTWAIT); /* cut */
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
    if (way->stage == ASY__WAY_PROOF)
        turn_proof(way, keys, now_ms);
    else if (way->stage == ASY__WAY_REST)
        turn_rest(way, keys, now_ms);
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

    asy__dealer_unwatch(&way->dealer, keys);
    socket = way->dealer.socket;
    way->dealer.socket = NULL;
    asy__way_close(way, keys);
    return socket;
}

void asy__way_close(struct asy__way *way, const struct asy__way_keys *keys)
{
    end_socket(way, keys);
    end_proof(way);
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
    if (way->stage == ASY__WAY_REST && way->again_ms < *ret_due_ms)
        *ret_due_ms = way->again_ms;
}

size_t asy__way_items(const struct asy__way *way, zmq_pollitem_t items[ASY__WAY_ITEMS])
{
    size_t n = 0;

    if (way->dealer.monitor)
        items[n++] = (zmq_pollitem_t){ .socket = way->dealer.monitor, .events = ZMQ_POLLIN };
    if (way->probe_fd >= 0)
        items[n++] = (zmq_pollitem_t){ .fd = way->probe_fd, .events = ZMQ_POLLOUT };
    if (way->proof)
        items[n++] = (zmq_pollitem_t){ .fd = asy__proof_fd(way->proof),
                                       .events = asy__proof_events(way->proof) & POLLIN
                                                     ? ZMQ_POLLIN : ZMQ_POLLOUT };
    if (way->lookup)
        items[n++] = (zmq_pollitem_t){ .fd = asy__lookup_fd(way->lookup), .events = ZMQ_POLLIN };
    return n;
}
