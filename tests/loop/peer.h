/* SPDX-License-Identifier: Apache-2.0
 * peer.h - a scripted agent: real frames over a real socket to a running coordinator, of whatever
 * minor version of the protocol. It runs nothing: each attempt that it is leased "trains" a step
 * each time it is looked at, up to its milestone. The opposite of tests/worker/coord.h. */
#ifndef PEER_H
#define PEER_H
#include <asy/msg.h>
#include "../bench/coordinator.h"

#define PEER_ATTEMPTS_MAX 32

struct peer_attempt {
    struct asy_id study;
    uint64_t trial, epoch, milestone, step;
    uint32_t attempt, ranks;
    uint64_t made, durable; /* reports */
    enum asy_cancel_mode cancel;
    int over, closed;
    double value;           /* of its next steps */
    enum asy_end end;
};
struct peer {
    uint32_t minor, cores;
    const struct asy_gpu *gpus;
    size_t n_gpus;
    struct asy_id id, session, store;
    uint64_t owner_epoch;
    struct asy_client *client;
    struct asy_arena *arena;
    int64_t beat_ms;
    int idle;               /* attempts stay where they are, nothing is reported */
    struct peer_attempt attempts[PEER_ATTEMPTS_MAX];
    size_t n_attempts;
    /* what came */
    size_t n_leases, n_spread, n_parts, n_offers, n_adopted, n_with_gpus, n_cancels, n_drains,
        n_pongs, n_welcomes, n_keep, n_kill; /* n_keep, n_kill: of the last WELCOME */
    uint32_t told_minor;    /* by WELCOME */
};

/* 1 if all went well; a failed check was printed. Connects and greets; wait for n_welcomes. */
int peer_open(struct peer *p, const struct coordinator *c);
/* To another coordinator, or another life of it: it holds what it held. */
int peer_again(struct peer *p, const struct coordinator *c);
void peer_leave(struct peer *p); /* the connection ends */
void peer_close(struct peer *p); /* ... and all that it had */
int peer_say(struct peer *p, enum asy_msg_type type); /* HEARTBEAT, DRAIN or BYE */
/* One round of all of them: takes what has come, steps what they run, beats. */
int peers_turn(struct peer *const *peers, size_t n);
size_t peer_open_attempts(const struct peer *p);
#endif
