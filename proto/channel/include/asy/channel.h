/* SPDX-License-Identifier: Apache-2.0
 * asy/channel.h - frames between processes: ZeroMQ ROUTER and DEALER with CURVE, and nothing else.
 *
 * A frame is opaque bytes here (asy/msg.h gives it meaning), at most ASY_CHANNEL_MAX long. Nothing
 * blocks: sends are queued up to the high-water mark or refused, waiting is asy_poll() alone. The
 * channel keeps order within one connection and promises nothing else; whoever needs more numbers
 * its messages. Each connection has ZeroMQ's automatic id: a reconnect is a new peer.
 *
 * The peer's identity is its CURVE public key as the handshake proved it (read from the payload
 * part's metadata: libzmq 4.3.4 may lose the first part's).
 *
 * Ownership: create/destroy; received bytes are borrowed until the next receive on that socket.
 * Threads:   a server or client is made, used and destroyed by one thread. The context is shared:
 *            one per process, destroyed after all sockets. */
#ifndef ASY_CHANNEL_H
#define ASY_CHANNEL_H
#include <asy/error.h>

#define ASY_CHANNEL_MAX (1u << 20)
#define ASY_KEY_TEXT 41 /* Z85: 40 characters and the terminator */

struct asy_channel; /* the process's ZeroMQ context */
/* max_sockets: the servers and clients that may be open at once. */
ASY_MUST_CHECK int asy_channel_create(int max_sockets, struct asy_channel **ret_channel,
                                      struct asy_error *err);
void asy_channel_destroy(struct asy_channel *channel);

/* ---- server (ROUTER) ----------------------------------------------------------------------- */

/* Whether a public key may connect; called on the authenticating thread: must be thread-safe,
 * quick, and may be called at any time between create and destroy. */
typedef int (*asy_authorise_f)(void *arg, const char key[ASY_KEY_TEXT]);

struct asy_server_spec {
    const char *interface;   /* address to listen on: "127.0.0.1", "::1"; "*": all, IPv6 too */
    int port;                /* 0: one outside the kernel's ephemeral range is chosen */
    const char *secret_key;  /* Z85 */
    asy_authorise_f authorise;
    void *authorise_arg;
    int queue;               /* messages that wait per peer and direction; 0: 1000 */
    const char *const *also; /* [n_also] further addresses, on the same port */
    size_t n_also;
};
struct asy_server;
/* ASY_E_BUSY: the port is taken. ASY_E_EXISTS: the channel has a server (at most one: it owns the
 * ZAP endpoint). Starts a thread that authenticates. Connections that are new and have said nothing
 * may have a quarter of the descriptors that the process may open (RLIMIT_NOFILE, as it is now),
 * 4096 at most: then the oldest of them is ended, and counts as a failed handshake. */
ASY_MUST_CHECK int asy_server_create(struct asy_channel *channel,
                                     const struct asy_server_spec *spec,
                                     struct asy_server **ret_server, struct asy_error *err);
/* The port is free again when it returns; what was sent before still goes out for 100 ms. */
void asy_server_destroy(struct asy_server *server);
int asy_server_port(const struct asy_server *server);
/* 0 and a frame; ASY_E_AGAIN: none waits. peer names the connection until it closes and is never 0.
 * key is the peer's public key. Frames of more than one part, and those of peers that chose a
 * routing id of their own, are dropped and counted. */
ASY_MUST_CHECK int asy_server_recv(struct asy_server *server, uint64_t *ret_peer,
                                   char ret_key[ASY_KEY_TEXT], const void **ret_bytes,
                                   size_t *ret_len, struct asy_error *err);
/* The same on a socket whose messages have a head and perhaps a body, each at most ASY_CHANNEL_MAX
 * long: *ret_body_len is 0 without one. Messages of more parts are dropped and counted. */
ASY_MUST_CHECK int asy_server_recv_parts(struct asy_server *server, uint64_t *ret_peer,
                                         char ret_key[ASY_KEY_TEXT], const void **ret_head,
                                         size_t *ret_head_len, const void **ret_body,
                                         size_t *ret_body_len, struct asy_error *err);
/* As asy_server_send(); n_body 0: one part. */
ASY_MUST_CHECK int asy_server_send_parts(struct asy_server *server, uint64_t peer, const void *head,
                                         size_t n_head, const void *body, size_t n_body,
                                         struct asy_error *err);
/* ASY_E_GONE: that connection is closed (at once, the fastest death notice there is).
 * ASY_E_AGAIN: the peer does not read; its queue is full. */
ASY_MUST_CHECK int asy_server_send(struct asy_server *server, uint64_t peer, const void *bytes,
                                   size_t n, struct asy_error *err);
/* A peer whose connection has just closed, most likely; 0: none is left. Certain is only what a
 * send says: it may succeed for some milliseconds more, or for ever where the hint is wrong. Hints
 * are given of peers that a frame came from, and may be missing (want of memory, a descriptor that
 * is used again): whoever must know sends to the silent ones, too. */
uint64_t asy_server_closed(struct asy_server *server);
int asy_server_closed_fd(const struct asy_server *server); /* readable while there may be one */
/* Ends the connection of a peer; what it sent before may still come. */
void asy_server_drop(struct asy_server *server, uint64_t peer);
/* Ends the connections whose keys authorise() would not let in any more. */
void asy_server_review(struct asy_server *server);
struct asy_server_counts {
    uint64_t accepted;          /* handshakes that succeeded */
    uint64_t refused_keys;      /* handshakes that authorise() ended; a client may retry */
    uint64_t failed_handshakes; /* not CURVE, wrong server key, closed or silent on the way */
    uint64_t bad_frames;
    char refused_key[ASY_KEY_TEXT]; /* of the last that authorise() ended; "": none */
    char refused_from[64];          /* its address */
    char failed_from[64];           /* of the last handshake that failed; "": not known */
    const char *failed_why;         /* of that one; static */
};
/* Any thread, between create and destroy. */
void asy_server_counts(struct asy_server *server, struct asy_server_counts *ret_counts);

/* ---- client (DEALER) ----------------------------------------------------------------------- */

#define ASY_WAYS_MAX 8
#define ASY_ENDPOINT_TEXT 256

struct asy_client_spec {
    const char *const *endpoints; /* [n_endpoints] "tcp://127.0.0.1:5555", "tcp://[::1]:5555",
                                   * "tcp://name:5555"; at most ASY_WAYS_MAX */
    size_t n_endpoints;
    const char *server_key;       /* Z85 */
    const char *public_key, *secret_key;
    int queue;                    /* messages that wait per direction; 0: 1000 */
};
struct asy_client;
/* Returns before it is connected. The endpoints are tried in order, each with a head start of a
 * quarter of a second (or until it has failed) before the next is tried beside it, so that a dead
 * one costs no more; the first at which the server has proven its key and taken ours is kept, the
 * others are let go. A malformed one is NO_NAME; ASY_E_INVAL: all are. Names are looked up by a
 * thread of their own. asy_poll() and the calls below drive this: a client on which nothing is
 * called does not come further.
 * A refusal stops none of the others. libzmq takes one from anybody, so whoever refuses is asked
 * for a proof of the server key, by half a handshake more, which the server counts as a failed one;
 * without it, it is a STRANGER.
 * Once connected it reconnects there by itself after a break, as a new peer; where it is silent for
 * good (its key was taken off the list, another address would do) is for the caller to judge, who
 * then calls asy_client_next(). */
ASY_MUST_CHECK int asy_client_create(struct asy_channel *channel,
                                     const struct asy_client_spec *spec,
                                     struct asy_client **ret_client, struct asy_error *err);
void asy_client_destroy(struct asy_client *client);
/* Drops the connection and what was queued on it; tries all endpoints anew, beginning with the one
 * after the one that it was connected to, or began with. */
ASY_MUST_CHECK int asy_client_next(struct asy_client *client, struct asy_error *err);

/* What is known of an endpoint. All after OPEN are failures, which may pass. */
enum asy_way_state {
    ASY_WAY_UNTRIED,     /* another one may do */
    ASY_WAY_TRYING,
    ASY_WAY_OPEN,        /* it was connected; frames go this way, or went */
    ASY_WAY_NO_NAME,     /* it cannot be looked up, or is not tcp://HOST:PORT */
    ASY_WAY_UNREACHABLE, /* this machine knows no way there, or the last router before it */
    ASY_WAY_SILENT,      /* nothing came back for 2 s: a firewall, or a machine that is down */
    ASY_WAY_REFUSED,     /* the machine answers, but nobody listens at that port */
    ASY_WAY_MUTE,        /* it takes connections and said nothing for 2 s */
    ASY_WAY_STRANGER,    /* whoever listens there could not prove the server key; tried again after
                          * 0.1 s, growing to 2 s */
    ASY_WAY_NOT_LET_IN   /* whoever has proven the server key refuses the public key; this endpoint
                          * is not tried again until next() */
};
#define ASY_WAY_WHY 160
struct asy_way {
    enum asy_way_state state;
    char endpoint[ASY_ENDPOINT_TEXT];
    char why[ASY_WAY_WHY]; /* "connection refused", "no route to host", "no answer", ... */
};
/* Each endpoint, in the spec's order. Returns how many. */
size_t asy_client_ways(const struct asy_client *client, struct asy_way ret_ways[ASY_WAYS_MAX]);
/* OPEN: it was connected, and may be. TRYING: some may still do. Else each has failed, and this is
 * the failure of the one that came furthest; those that have not refused the key are tried on. */
enum asy_way_state asy_client_state(const struct asy_client *client);
struct asy_buf;
/* "10.0.0.7:5000: connection refused; [fd00::7]:5000: no route to host" */
void asy_ways_text(const struct asy_way *ways, size_t n, struct asy_buf *ret_text);
/* What a person can do about it, as one or two clauses without a full stop. */
void asy_ways_advice(const struct asy_way *ways, size_t n, struct asy_buf *ret_text);
void asy_ways_why(const struct asy_way *ways, size_t n, struct asy_buf *ret_text); /* both */
#define ASY_WAYS_TEXT 8192 /* bytes that any of the three fits in */

ASY_MUST_CHECK int asy_client_recv(struct asy_client *client, const void **ret_bytes,
                                   size_t *ret_len, struct asy_error *err);
/* ASY_E_AGAIN: not connected, or the queue is full: nothing was queued. */
ASY_MUST_CHECK int asy_client_send(struct asy_client *client, const void *bytes, size_t n,
                                   struct asy_error *err);
/* As on the server's side. */
ASY_MUST_CHECK int asy_client_recv_parts(struct asy_client *client, const void **ret_head,
                                         size_t *ret_head_len, const void **ret_body,
                                         size_t *ret_body_len, struct asy_error *err);
ASY_MUST_CHECK int asy_client_send_parts(struct asy_client *client, const void *head,
                                         size_t n_head, const void *body, size_t n_body,
                                         struct asy_error *err);

/* ---- waiting ------------------------------------------------------------------------------- */

struct asy_poll_item {
    struct asy_server *server; /* one of the three */
    struct asy_client *client;
    int fd;
    short events, revents;     /* POLLIN, POLLOUT of poll.h */
};
/* timeout_ms < 0: no limit. Returns the number of ready items, 0 on time-out, EINTR or when a
 * client has come further with its endpoints, or a negative code. A descriptor's error or hang-up
 * is POLLERR in revents. */
ASY_MUST_CHECK int asy_poll(struct asy_poll_item *items, size_t n, int timeout_ms,
                            struct asy_error *err);
const char *asy_channel_version(void); /* of ZeroMQ, as loaded: "4.3.4" */
/* Of the libsodium that ZeroMQ brought along: "1.0.18"; NULL: it uses another, or hides it. */
const char *asy_channel_sodium_version(void);
#endif
