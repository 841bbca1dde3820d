/* SPDX-License-Identifier: Apache-2.0
 * way.h - one endpoint that a client tries: a DEALER, its monitor, and what is known of it so far.
 *
 * Threads: the client's. */
#ifndef ASY_WAY_PRIVATE_H
#define ASY_WAY_PRIVATE_H
#include <stdint.h>
#include "dealer.h"
#include "lookup.h"
#include "proof.h"

#define ASY__WAY_ITEMS 3 /* that one way waits for, at most */

enum asy__way_stage {
    ASY__WAY_IDLE, ASY__WAY_LOOKUP, ASY__WAY_CONNECT, ASY__WAY_HANDSHAKE,
    ASY__WAY_PROOF, /* the key was refused: by whom? */
    ASY__WAY_REST,  /* until it is tried again */
    ASY__WAY_OVER
};
struct asy__way {
    char endpoint[ASY_ENDPOINT_TEXT], host[ASY_ENDPOINT_TEXT];
    int port;                    /* 0: the endpoint is malformed */
    enum asy_way_state state;    /* the last that is known */
    char why[ASY_WAY_WHY];
    enum asy__way_stage stage;   /* what is going on */
    struct asy__dealer dealer;
    struct asy__lookup *lookup;
    char addresses[ASY__LOOKUP_MAX][ASY__LOOKUP_TEXT]; /* [n_addresses] behind the name */
    int n_addresses, at;
    int probe_fd;                /* a connect() of our own, which says why it fails; -1: none */
    struct asy__proof *proof;    /* PROOF; NULL: about to begin */
    int64_t since_ms;            /* since when this stage lasts */
    int64_t rest_ms, again_ms;   /* REST: how long the last one is or was, and its end */
};

/* Nothing is opened yet. What is not tcp://HOST:PORT is NO_NAME and never to be begun. */
void asy__way_init(struct asy__way *way, const char *endpoint);
/* On failure it is as before. */
ASY_MUST_CHECK int asy__way_begin(struct asy__way *way, const struct asy__way_keys *keys,
                                  int64_t now_ms, struct asy_error *err);
/* Takes what has happened. 1: it is open. */
int asy__way_turn(struct asy__way *way, const struct asy__way_keys *keys, int64_t now_ms);
/* Its socket, which nobody watches any more. */
void *asy__way_take(struct asy__way *way, const struct asy__way_keys *keys);
/* Ends what is going on; what is known stays. */
void asy__way_close(struct asy__way *way, const struct asy__way_keys *keys);
/* Whether others should wait for it; until when, or its next turn: *ret_due_ms, if sooner. */
int asy__way_hopeful(const struct asy__way *way, int64_t now_ms);
void asy__way_due(const struct asy__way *way, int64_t now_ms, int64_t *ret_due_ms);
size_t asy__way_items(const struct asy__way *way, zmq_pollitem_t items[ASY__WAY_ITEMS]);
#endif
