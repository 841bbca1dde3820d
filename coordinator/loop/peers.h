/* SPDX-License-Identifier: Apache-2.0
 * peers.h - the connections that are open, so that each can be probed: a ROUTER tells of a closed
 * connection only when something is sent to it.
 *
 * Threads: the loop. */
#ifndef ASY__PEERS_H
#define ASY__PEERS_H
#include <asy/error.h>

struct asy__peers {
    uint64_t *slots; /* open addressing; 0: free */
    size_t cap, n;
};
void asy__peers_fini(struct asy__peers *peers);
ASY_MUST_CHECK int asy__peers_add(struct asy__peers *peers, uint64_t peer, struct asy_error *err);
void asy__peers_drop(struct asy__peers *peers, uint64_t peer);
#endif
