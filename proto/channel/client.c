/* SPDX-License-Identifier: Apache-2.0
 * client.c - the side of agents and commands: one DEALER to the endpoint that answered first.
 *
 * Each endpoint has a socket of its own until one of them is connected (way.c). One DEALER with
 * several endpoints was rejected: it would deal frames out among all that are connected.
 *
 * IMMEDIATE: nothing is queued for a coordinator that is not there, so a dead one does not get an
 * hour's heartbeats when it is back. Once connected, a refused key or a broken handshake makes
 * libzmq give the connection up for good without a word; whoever hears nothing calls
 * asy_client_next(). */
#include <asy/channel.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/clock.h>
#include <zmq.h>
#include "channel.h"
#include "way.h"

struct asy_client {
    struct asy__way_keys keys;
    struct asy__way *ways; /* [n_ways] */
    size_t n_ways, first;  /* first: where the trying began, or what is connected */
    void *socket;          /* NULL: not connected yet */
    zmq_msg_t head, msg;   /* what the last receive handed out */
};

static int check_spec(const struct asy_client_spec *spec, struct asy_error *err)
{
    int rc;

    if (spec->n_endpoints == 0)
        return asy_fail(err, ASY_E_INVAL, "a client needs an endpoint to connect to");
    if (spec->n_endpoints > ASY_WAYS_MAX)
        return asy_fail(err, ASY_E_INVAL, "%zu endpoints are more than %d", spec->n_endpoints,
                        ASY_WAYS_MAX);
    if ((rc = asy__check_key(spec->server_key, "server key", err)) ||
        (rc = asy__check_key(spec->public_key, "public key", err)))
        return rc;
    return asy__check_key(spec->secret_key, "secret key", err);
}

/* The first way from there on that can be tried; n_ways: there is none. */
static size_t sound_way(const struct asy_client *client, size_t from)
{
    for (size_t i = 0; i < client->n_ways; i++)
        if (client->ways[(from + i) % client->n_ways].port)
            return (from + i) % client->n_ways;
    return client->n_ways;
}

static int make_ways(struct asy_client *client, const struct asy_client_spec *spec,
                     struct asy_error *err)
{
    if (!(client->ways = calloc(spec->n_endpoints, sizeof *client->ways)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu endpoints", spec->n_endpoints);
    for (; client->n_ways < spec->n_endpoints; client->n_ways++)
        asy__way_init(&client->ways[client->n_ways], spec->endpoints[client->n_ways]);
    client->first = sound_way(client, 0);
    if (client->first == client->n_ways)
        return asy_fail(err, ASY_E_INVAL, "endpoint '%.100s' %s", client->ways[0].endpoint,
                        client->ways[0].why);
    return asy__way_begin(&client->ways[client->first], &client->keys, asy_clock_ms(), err);
}

int asy_client_create(struct asy_channel *channel, const struct asy_client_spec *spec,
                      struct asy_client **ret_client, struct asy_error *err)
{
    struct asy_client *client = NULL;
    int rc;

    if ((rc = check_spec(spec, err)))
        return rc;
    if (!(client = calloc(1, sizeof *client)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a client");
    client->keys.channel = channel;
    client->keys.queue = spec->queue;
    memcpy(client->keys.server_key, spec->server_key, ASY_KEY_TEXT);
    memcpy(client->keys.public_key, spec->public_key, ASY_KEY_TEXT);
    memcpy(client->keys.secret_key, spec->secret_key, ASY_KEY_TEXT);
    zmq_msg_init(&client->head);
    zmq_msg_init(&client->msg);
    if ((rc = make_ways(client, spec, err)) == 0)
        *ret_client = client;
    else
        asy_client_destroy(client);
    return rc;
}

static void close_ways(struct asy_client *client)
{
    for (size_t i = 0; i < client->n_ways; i++)
        asy__way_close(&client->ways[i], &client->keys);
}

void asy_client_destroy(struct asy_client *client)
{
    int saved = errno;

    if (!client)
        return;
    zmq_msg_close(&client->head);
    zmq_msg_close(&client->msg);
    close_ways(client);
    asy__socket_close(client->keys.channel, client->socket);
    free(client->ways);
    explicit_bzero(&client->keys, sizeof client->keys);
    free(client);
    errno = saved;
}

int asy_client_next(struct asy_client *client, struct asy_error *err)
{
    static const struct asy__option now[] = { { ZMQ_LINGER, 0, "LINGER" } };
    size_t next = sound_way(client, client->first + 1);
    struct asy__way fresh;
    int rc;

    asy__way_init(&fresh, client->ways[next].endpoint);
    if ((rc = asy__way_begin(&fresh, &client->keys, asy_clock_ms(), err)))
        return rc;
    if (client->socket)
        ASY_IGNORE(asy__set_ints(client->socket, now, 1, NULL)); /* else it lingers a little */
    asy__socket_close(client->keys.channel, client->socket);
    client->socket = NULL;
    close_ways(client);
    for (size_t i = 0; i < client->n_ways; i++)
        if (client->ways[i].port)
            client->ways[i].state = ASY_WAY_UNTRIED;
    client->ways[next] = fresh;
    client->first = next;
    return 0;
}

/* ---- until one is connected ---------------------------------------------------------------- */

static void win(struct asy_client *client, size_t which)
{
    client->socket = asy__way_take(&client->ways[which], &client->keys);
    client->first = which;
    close_ways(client);
}

void asy__client_turn(struct asy_client *client)
{
    int64_t now_ms = asy_clock_ms();
    int wait = 0;

    for (size_t i = 0; i < client->n_ways && !client->socket; i++) {
        size_t which = (client->first + i) % client->n_ways;
        struct asy__way *way = &client->ways[which];
        struct asy_error err = ASY_ERROR_INIT;

        if (way->state == ASY_WAY_UNTRIED && !wait &&
            asy__way_begin(way, &client->keys, now_ms, &err) < 0) {
            way->state = ASY_WAY_UNREACHABLE;
            snprintf(way->why, sizeof way->why, "%.150s", err.text);
        }
        if (asy__way_turn(way, &client->keys, now_ms))
            win(client, which);
        wait |= asy__way_hopeful(way, now_ms);
    }
}

size_t asy__client_room(const struct asy_client *client)
{
    return client->socket ? 1 : ASY__WAY_ITEMS * client->n_ways;
}

int asy__client_items(const struct asy_client *client, short events,
                      zmq_pollitem_t items[ASY__CLIENT_ITEMS], size_t *ret_n, int64_t *ret_due_ms)
{
    int64_t now_ms = asy_clock_ms();

    *ret_n = 0;
    *ret_due_ms = INT64_MAX;
    if (client->socket) {
        items[(*ret_n)++] = (zmq_pollitem_t){ .socket = client->socket, .events = events };
        return 1;
    }
    for (size_t i = 0; i < client->n_ways; i++) {
        *ret_n += asy__way_items(&client->ways[i], items + *ret_n);
        asy__way_due(&client->ways[i], now_ms, ret_due_ms);
    }
    return 0;
}

size_t asy_client_ways(const struct asy_client *client, struct asy_way ret_ways[ASY_WAYS_MAX])
{
    for (size_t i = 0; i < client->n_ways; i++) {
        const struct asy__way *way = &client->ways[i];

        ret_ways[i].state = way->state;
        snprintf(ret_ways[i].endpoint, sizeof ret_ways[i].endpoint, "%s", way->endpoint);
        snprintf(ret_ways[i].why, sizeof ret_ways[i].why, "%s",
                 way->state == ASY_WAY_UNTRIED ? "not tried" : way->why);
    }
    return client->n_ways;
}

enum asy_way_state asy_client_state(const struct asy_client *client)
{
    enum asy_way_state best = ASY_WAY_OPEN;
    int trying = 0;

    if (client->socket)
        return ASY_WAY_OPEN;
    for (size_t i = 0; i < client->n_ways; i++) {
        trying |= client->ways[i].state < ASY_WAY_OPEN;
        if (client->ways[i].state > best)
            best = client->ways[i].state;
    }
    return trying ? ASY_WAY_TRYING : best;
}

/* ---- frames -------------------------------------------------------------------------------- */

/* Whether there is a socket to use. */
static int connected(struct asy_client *client, struct asy_error *err)
{
    if (!client->socket)
        asy__client_turn(client);
    return client->socket ? 0 : asy_fail(err, ASY_E_AGAIN, "not connected");
}

/* The next message of at most `most` parts. Returns their number. */
static int recv_message(struct asy_client *client, int most, struct asy_error *err)
{
    if (connected(client, err) < 0)
        return ASY_E_AGAIN;
    for (int skipped = 0; skipped < ASY__SKIP_MAX; skipped++) {
        int n = asy__recv_parts(client->socket, &client->head, &client->msg);

        if (n < 0)
            return errno == EAGAIN || errno == EINTR
                       ? asy_fail(err, ASY_E_AGAIN, "no frame waits")
                       : asy__fail_zmq(err, errno, "cannot receive");
        if (n <= most) /* else it is not from a coordinator of ours */
            return n;
    }
    return asy_fail(err, ASY_E_AGAIN, "only bad frames came");
}

int asy_client_recv(struct asy_client *client, const void **ret_bytes, size_t *ret_len,
                    struct asy_error *err)
{
    int n = recv_message(client, 1, err);

    if (n < 0)
        return n;
    *ret_bytes = zmq_msg_data(&client->msg);
    *ret_len = zmq_msg_size(&client->msg);
    return 0;
}

int asy_client_recv_parts(struct asy_client *client, const void **ret_head, size_t *ret_head_len,
                          const void **ret_body, size_t *ret_body_len, struct asy_error *err)
{
    int n = recv_message(client, 2, err);

    if (n < 0)
        return n;
    asy__take_parts(&client->head, &client->msg, n, ret_head, ret_head_len, ret_body,
                    ret_body_len);
    return 0;
}

static int sent(int rc, struct asy_error *err)
{
    if (rc >= 0)
        return 0;
    return errno == EAGAIN || errno == EINTR
               ? asy_fail(err, ASY_E_AGAIN, "not connected, or the queue is full")
               : asy__fail_zmq(err, errno, "cannot send");
}

int asy_client_send(struct asy_client *client, const void *bytes, size_t n, struct asy_error *err)
{
    if (n > ASY_CHANNEL_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "a frame of %zu bytes is over the limit of %u", n,
                        ASY_CHANNEL_MAX);
    if (connected(client, err) < 0)
        return ASY_E_AGAIN;
    return sent(zmq_send(client->socket, n > 0 ? bytes : "", n, ZMQ_DONTWAIT), err);
}

int asy_client_send_parts(struct asy_client *client, const void *head, size_t n_head,
                          const void *body, size_t n_body, struct asy_error *err)
{
    zmq_msg_t second;
    int rc;

    if (n_body == 0)
        return asy_client_send(client, head, n_head, err);
    if (n_head > ASY_CHANNEL_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "a head of %zu bytes is over the limit of %u", n_head,
                        ASY_CHANNEL_MAX);
    if ((rc = connected(client, err)) < 0 || (rc = asy__msg_fill(&second, body, n_body, err)) < 0)
        return rc;
    rc = sent(zmq_send(client->socket, head, n_head, ZMQ_DONTWAIT | ZMQ_SNDMORE), err);
    if (rc == 0) /* the message has its pipe: this part goes there, or is dropped with it */
        rc = sent(zmq_msg_send(&second, client->socket, ZMQ_DONTWAIT), err);
    zmq_msg_close(&second);
    return rc;
}
