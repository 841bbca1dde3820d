/* SPDX-License-Identifier: Apache-2.0
 * client.c - the side of agents and commands: one DEALER, replaced as a whole by
 * asy_client_next().
 *
 * IMMEDIATE: nothing is queued for a coordinator that is not there, so a dead one does not get an
 * hour's heartbeats when it is back. A refused key or a broken handshake makes libzmq give the
 * connection up for good without a word; whoever hears nothing calls asy_client_next(). */
#include <asy/channel.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>
#include "channel.h"

#define ENDPOINT_PREFIX "tcp://"

struct asy_client {
    struct asy_channel *channel;
    void *socket;
    char **endpoints; /* [n_endpoints] own copies */
    size_t n_endpoints, current;
    char server_key[ASY_KEY_TEXT], public_key[ASY_KEY_TEXT], secret_key[ASY_KEY_TEXT];
    int queue;
    zmq_msg_t head, msg; /* what the last receive handed out */
};

static int set_options(const struct asy_client *client, void *socket, const char *endpoint,
                       struct asy_error *err)
{
    const struct asy__option options[] = {
        { ZMQ_IMMEDIATE, 1, "IMMEDIATE" },
        { ZMQ_RECONNECT_IVL, 100, "RECONNECT_IVL" },
        { ZMQ_RECONNECT_IVL_MAX, 2000, "RECONNECT_IVL_MAX" },
        { ZMQ_CONNECT_TIMEOUT, 5000, "CONNECT_TIMEOUT" },
        { ZMQ_IPV6, strchr(endpoint, '[') != NULL, "IPV6" },
    };
    int rc;

    if ((rc = asy__set_common(socket, client->queue, err)) ||
        (rc = asy__set_ints(socket, options, ASY_ARRAY_LEN(options), err)) ||
        (rc = asy__set_text(socket, ZMQ_CURVE_SERVERKEY, client->server_key, "CURVE_SERVERKEY",
                            err)) ||
        (rc = asy__set_text(socket, ZMQ_CURVE_PUBLICKEY, client->public_key, "CURVE_PUBLICKEY",
                            err)))
        return rc;
    return asy__set_text(socket, ZMQ_CURVE_SECRETKEY, client->secret_key, "CURVE_SECRETKEY", err);
}

static int open_to(struct asy_client *client, size_t which, void **ret_socket,
                   struct asy_error *err)
{
    const char *endpoint = client->endpoints[which];
    void *socket = NULL;
    int rc;

    if ((rc = asy__socket_open(client->channel, ZMQ_DEALER, &socket, err)))
        return rc;
    if ((rc = set_options(client, socket, endpoint, err)))
        goto out;
    if (zmq_connect(socket, endpoint) < 0) {
        rc = asy__fail_zmq(err, errno, "cannot connect to '%s'", endpoint);
        goto out;
    }
    *ret_socket = socket;
    socket = NULL;
out:
    asy__socket_close(client->channel, socket);
    return rc;
}

static int check_spec(const struct asy_client_spec *spec, struct asy_error *err)
{
    int rc;

    if (spec->n_endpoints == 0)
        return asy_fail(err, ASY_E_INVAL, "a client needs an endpoint to connect to");
    for (size_t i = 0; i < spec->n_endpoints; i++)
        if (strncmp(spec->endpoints[i], ENDPOINT_PREFIX, strlen(ENDPOINT_PREFIX)) != 0)
            return asy_fail(err, ASY_E_INVAL, "endpoint '%s' does not begin with '%s'",
                            spec->endpoints[i], ENDPOINT_PREFIX);
    if ((rc = asy__check_key(spec->server_key, "server key", err)) ||
        (rc = asy__check_key(spec->public_key, "public key", err)))
        return rc;
    return asy__check_key(spec->secret_key, "secret key", err);
}

static int copy_endpoints(struct asy_client *client, const struct asy_client_spec *spec)
{
    if (!(client->endpoints = calloc(spec->n_endpoints, sizeof *client->endpoints)))
        return -1;
    client->n_endpoints = spec->n_endpoints;
    for (size_t i = 0; i < spec->n_endpoints; i++)
        if (!(client->endpoints[i] = strdup(spec->endpoints[i])))
            return -1;
    return 0;
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
    client->channel = channel;
    client->queue = spec->queue;
    zmq_msg_init(&client->head);
    zmq_msg_init(&client->msg);
    memcpy(client->server_key, spec->server_key, ASY_KEY_TEXT);
    memcpy(client->public_key, spec->public_key, ASY_KEY_TEXT);
    memcpy(client->secret_key, spec->secret_key, ASY_KEY_TEXT);
    if (copy_endpoints(client, spec) < 0) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for %zu endpoints", spec->n_endpoints);
        goto out;
    }
    if ((rc = open_to(client, 0, &client->socket, err)))
        goto out;
    *ret_client = client;
    client = NULL;
out:
    asy_client_destroy(client);
    return rc;
}

void asy_client_destroy(struct asy_client *client)
{
    int saved = errno;

    if (!client)
        return;
    zmq_msg_close(&client->head);
    zmq_msg_close(&client->msg);
    asy__socket_close(client->channel, client->socket);
    for (size_t i = 0; i < client->n_endpoints; i++)
        free(client->endpoints[i]);
    free(client->endpoints);
    explicit_bzero(client->secret_key, sizeof client->secret_key);
    free(client);
    errno = saved;
}

int asy_client_next(struct asy_client *client, struct asy_error *err)
{
    static const struct asy__option now[] = { { ZMQ_LINGER, 0, "LINGER" } };
    size_t next = (client->current + 1) % client->n_endpoints;
    void *socket = NULL;
    int rc;

    if ((rc = open_to(client, next, &socket, err)))
        return rc;
    ASY_IGNORE(asy__set_ints(client->socket, now, 1, NULL)); /* else it lingers a little */
    asy__socket_close(client->channel, client->socket);
    client->socket = socket;
    client->current = next;
    return 0;
}

void *asy__client_socket(const struct asy_client *client)
{
    return client->socket;
}

/* The next message of at most `most` parts. Returns their number. */
static int recv_message(struct asy_client *client, int most, struct asy_error *err)
{
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
    if ((rc = asy__msg_fill(&second, body, n_body, err)) < 0)
        return rc;
    rc = sent(zmq_send(client->socket, head, n_head, ZMQ_DONTWAIT | ZMQ_SNDMORE), err);
    if (rc == 0) /* the message has its pipe: this part goes there, or is dropped with it */
        rc = sent(zmq_msg_send(&second, client->socket, ZMQ_DONTWAIT), err);
    zmq_msg_close(&second);
    return rc;
}
