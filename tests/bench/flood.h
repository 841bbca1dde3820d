/* SPDX-License-Identifier: Apache-2.0
 * flood.h - bad handshakes at a steady rate against one port, each kind as often as the others.
 *
 * What a stranger can have seen of a coordinator is recorded first, from one real handshake with a
 * key that it does not know; so most of what is sent costs the sender nothing, and the coordinator
 * what such a message costs it.
 *
 * Threads: start and stop by one; the flood has a thread of its own. */
#ifndef BENCH_FLOOD_H
#define BENCH_FLOOD_H
#include <asy/channel.h>

enum flood_kind {
    FLOOD_GARBAGE,      /* no ZeroMQ at all */
    FLOOD_OTHER_SERVER, /* the greeting of a client that knows another server key */
    FLOOD_REPLAY,       /* the recorded greeting, with all that followed it */
    FLOOD_HALF_OPEN,    /* a greeting that is answered, and nothing more */
    FLOOD_UNKNOWN_KEY,  /* a whole handshake with a key that is in no list */
    FLOOD_KINDS
};
struct flood_spec {
    const char *endpoint;   /* "tcp://127.0.0.1:PORT" */
    const char *server_key; /* Z85 */
    double rate;            /* handshakes a second, all kinds together */
};
struct flood_counts {
    uint64_t sent[FLOOD_KINDS], all;
    double seconds;
};
struct flood;
ASY_MUST_CHECK int flood_start(const struct flood_spec *spec, struct flood **ret_flood,
                               struct asy_error *err);
/* Ends it and frees it. ASY_E_IO: it could not go on, and err says why. */
ASY_MUST_CHECK int flood_stop(struct flood *flood, struct flood_counts *ret_counts,
                              struct asy_error *err);
#endif
