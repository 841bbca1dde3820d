/* SPDX-License-Identifier: Apache-2.0
 * dealer.c - see dealer.h. */
#include "dealer.h"
#include <errno.h>
#include <stdio.h>

#define EVENTS                                                                                     \
    (ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |             \
     ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |                  \
     ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)

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

void asy__dealer_unwatch(struct asy__dealer *dealer, const struct asy__way_keys *keys)
{
    if (dealer->socket && dealer->monitor)
        zmq_socket_monitor(dealer->socket, NULL, 0);
    asy__socket_close(keys->channel, dealer->monitor);
    dealer->monitor = NULL;
}

void asy__dealer_close(struct asy__dealer *dealer, const struct asy__way_keys *keys)
{
    static const struct asy__option now[] = { { ZMQ_LINGER, 0, "LINGER" } };

    asy__dealer_unwatch(dealer, keys);
    if (dealer->socket)
        ASY_IGNORE(asy__set_ints(dealer->socket, now, 1, NULL)); /* nothing was sent on it */
    asy__socket_close(keys->channel, dealer->socket);
    dealer->socket = NULL;
}

int asy__dealer_open(const struct asy__way_keys *keys, const char *endpoint, int ipv6,
                     struct asy__dealer *ret_dealer, struct asy_error *err)
{
    struct asy__dealer dealer = { NULL, NULL };
    int rc;

    if ((rc = asy__socket_open(keys->channel, ZMQ_DEALER, &dealer.socket, err)))
        return rc;
    if ((rc = set_options(keys, dealer.socket, ipv6, err)) == 0 &&
        (rc = open_monitor(keys, dealer.socket, &dealer.monitor, err)) == 0 &&
        zmq_connect(dealer.socket, endpoint) < 0)
        rc = asy__fail_zmq(err, errno, "cannot connect to '%s'", endpoint);
    if (rc == 0)
        *ret_dealer = dealer;
    else
        asy__dealer_close(&dealer, keys);
    return rc;
}
