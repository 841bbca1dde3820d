/* SPDX-License-Identifier: Apache-2.0
 * channel.h - what the sources of this folder share about sockets. */
#ifndef ASY_CHANNEL_PRIVATE_H
#define ASY_CHANNEL_PRIVATE_H
#include <stdatomic.h>
#include <asy/channel.h>
#include <zmq.h>

/* Bytes that a CURVE message command adds to its payload on the wire: name 8, nonce 8, box 16,
 * flags 1. ZMQ_MAXMSGSIZE is compared with the sum. */
#define ASY__CURVE_OVERHEAD 33
/* After this many frames that are not for us a receive returns, so that a peer that sends nothing
 * else cannot hold the loop. */
#define ASY__SKIP_MAX 64
#define ASY__LINGER_MS 100
#define ASY__HANDSHAKE_MS 5000 /* bounds half-open handshakes */

struct asy_channel {
    void *zmq;
    atomic_int open;        /* sockets of ours in it */
    atomic_flag has_server; /* somebody owns the ZAP endpoint */
    atomic_uint serial;     /* for names that must be new */
};

struct asy__option {
    int option, value;
    const char *name;
};

/* "<what>: <text of errnum>", with the code mapped from errnum. */
ASY_PRINTF(3, 4) int asy__fail_zmq(struct asy_error *err, int errnum, const char *fmt, ...);
ASY_MUST_CHECK int asy__socket_open(struct asy_channel *channel, int type, void **ret_socket,
                                    struct asy_error *err);
void asy__socket_close(struct asy_channel *channel, void *socket); /* NULL is fine */
ASY_MUST_CHECK int asy__set_ints(void *socket, const struct asy__option *options, size_t n,
                                 struct asy_error *err);
/* What both sides set: bounds, keepalive, time limits. queue: messages; 0: the usual number. */
ASY_MUST_CHECK int asy__set_common(void *socket, int queue, struct asy_error *err);
/* A new message of n bytes; on failure there is none to close. */
ASY_MUST_CHECK int asy__msg_fill(zmq_msg_t *msg, const void *bytes, size_t n,
                                 struct asy_error *err);
/* Receives the parts of a message that has arrived: the last in body, and, of two, the first in
 * head. Both must be initialised. Returns how many there were, or negative with errno. */
int asy__recv_parts(void *socket, zmq_msg_t *head, zmq_msg_t *body);
/* What asy__recv_parts() left, as head and body. */
void asy__take_parts(zmq_msg_t *head, zmq_msg_t *body, int n, const void **ret_head,
                     size_t *ret_head_len, const void **ret_body, size_t *ret_body_len);
ASY_MUST_CHECK int asy__set_text(void *socket, int option, const char *text, const char *name,
                                 struct asy_error *err);
/* ASY_E_INVAL unless key is the Z85 text of 32 bytes; what: "server key". */
ASY_MUST_CHECK int asy__check_key(const char *key, const char *what, struct asy_error *err);

void *asy__server_socket(const struct asy_server *server);
#define ASY__CLIENT_ITEMS (3 * ASY_WAYS_MAX)
/* What to wait for on behalf of a client: its socket with these events, alone, and returns 1; or,
 * until it has one, what its ways wait for, at most until *ret_due_ms (INT64_MAX: no limit), and
 * returns 0. */
int asy__client_items(const struct asy_client *client, short events,
                      zmq_pollitem_t items[ASY__CLIENT_ITEMS], size_t *ret_n, int64_t *ret_due_ms);
size_t asy__client_room(const struct asy_client *client); /* that these items need */
/* Takes what has happened on its ways. */
void asy__client_turn(struct asy_client *client);
#endif
