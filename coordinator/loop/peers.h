/* SPDX-License-Identifier: Apache-2.0
 * peers.h - the connections that are open, and which of them to probe: a ROUTER tells for certain
 * of a closed connection only when something is sent to it. Probed are those that the channel holds
 * for closed (doubted), often and for a while, and those that were silent, seldom.
 *
 * Threads: the loop. */
#ifndef ASY__PEERS_H
#define ASY__PEERS_H
#include <asy/channel.h>
#include <asy/error.h>

struct asy__peer {
    uint64_t id; /* 0: a free slot */
    int64_t heard_ms, doubt_ms; /* doubt_ms: doubted until then */
    char key[ASY_KEY_TEXT];     /* that it greeted with; "": it has not */
};
struct asy__peers {
    struct asy__peer *slots; /* open addressing */
    size_t cap, n;
    int64_t doubt_ms;        /* none is doubted any more after this */
};
void asy__peers_fini(struct asy__peers *peers);
/* A frame came from it; adds it if it is new. */
ASY_MUST_CHECK int asy__peers_heard(struct asy__peers *peers, uint64_t id, int64_t now_ms,
                                    struct asy_error *err);
/* One that was heard. */
void asy__peers_greeted(struct asy__peers *peers, uint64_t id, const char key[ASY_KEY_TEXT]);
void asy__peers_doubt(struct asy__peers *peers, uint64_t id, int64_t until_ms);
void asy__peers_drop(struct asy__peers *peers, uint64_t id);
#endif
