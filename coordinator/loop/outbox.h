/* SPDX-License-Identifier: Apache-2.0
 * outbox.h - frames for clients whose queue in the channel is full: kept in order, and tried again
 * each round. Where news come by the thousand in one commit, even a client that reads all the time
 * could not be sent them in one go.
 *
 * Bounded for each client and for all of them together: whoever is over a bound does not read.
 *
 * Threads: the loop. */
#ifndef ASY__OUTBOX_H
#define ASY__OUTBOX_H
#include <asy/channel.h>

#define ASY__OUTBOX_PEER (32u << 20)  /* bytes kept for one */
#define ASY__OUTBOX_ALL (256u << 20)  /* for all */
#define ASY__OUTBOX_PEERS 64          /* how many */

struct asy__outbox_frame;
struct asy__outbox_of {
    uint64_t peer;
    struct asy__outbox_frame *first, *last;
    size_t bytes;
};
struct asy__outbox {
    struct asy__outbox_of of[ASY__OUTBOX_PEERS]; /* [n] */
    size_t n, bytes;
};
void asy__outbox_fini(struct asy__outbox *outbox);
int asy__outbox_has(const struct asy__outbox *outbox, uint64_t peer);
/* Copies the frame. ASY_E_FULL: over a bound; what was kept for the peer stays until dropped. */
ASY_MUST_CHECK int asy__outbox_put(struct asy__outbox *outbox, uint64_t peer, const void *bytes,
                                   size_t len, struct asy_error *err);
void asy__outbox_drop(struct asy__outbox *outbox, uint64_t peer);
/* Sends what can be sent now. *ret_gone: a peer that turned out to be gone and was dropped, after
 * which it is to be called again; 0: none. */
ASY_MUST_CHECK int asy__outbox_flush(struct asy__outbox *outbox, struct asy_server *server,
                                     uint64_t *ret_gone, struct asy_error *err);
#endif
