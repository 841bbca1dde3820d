/* SPDX-License-Identifier: Apache-2.0
 * refusals.h - tells people who was not let in at a socket: each kind in one line, which says how
 * many there were since the last one, and seldom enough that a flood fills no disk.
 *
 * Threads: the socket's owner. */
#ifndef ASY__REFUSALS_H
#define ASY__REFUSALS_H
#include <asy/channel.h>

struct asy__refusals { /* what was told, and when; all zero at first */
    uint64_t keys, handshakes, frames;
    int64_t keys_ms, handshakes_ms, frames_ms;
};
/* port: "control", "file". */
void asy__refusals_tell(struct asy__refusals *told, struct asy_server *server, const char *port);
/* Whether a further line may be written of something that is at n by now; *told: up to which it
 * was told. */
int asy__refusals_due(uint64_t n, uint64_t told, int64_t *last_ms);
#endif
