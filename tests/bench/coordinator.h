/* SPDX-License-Identifier: Apache-2.0
 * coordinator.h - a real assay-coordinator in a home of its own, seen from outside: started, asked
 * as a client, weighed by what /proc says, killed.
 *
 * Threads: one, which must outlive the coordinator (it dies with that thread). */
#ifndef BENCH_COORDINATOR_H
#define BENCH_COORDINATOR_H
#include <limits.h>
#include <asy/keys.h>
#include <asy/msg.h>
#include <asy/proc.h>

struct coordinator {
    char program[PATH_MAX], home[PATH_MAX];
    struct asy_proc proc;
    struct asy_discovery found;   /* while it runs */
    struct asy_keypair user;
    struct asy_channel *channel;  /* for clients and agents; lives from start to kill */
    struct asy_client *client;    /* the line of coordinator_ask() */
    struct asy_id session;
    uint32_t bulk_port;           /* as WELCOME told it */
    struct asy_arena *arena;
    struct asy_buf frame, json;
    uint64_t request;
    double ready_ms;              /* from exec until a client was welcomed */
};
/* programs: the folder of assay-coordinator. Makes home, if it is not there. */
ASY_MUST_CHECK int coordinator_init(struct coordinator *c, const char *programs, const char *home,
                                    struct asy_error *err);
void coordinator_fini(struct coordinator *c); /* kills it */
/* Returns when a client has been welcomed. room: how many agents may connect besides. */
ASY_MUST_CHECK int coordinator_start(struct coordinator *c, size_t room, struct asy_error *err);
/* SIGKILL. Whatever uses the channel must be closed before. */
void coordinator_kill(struct coordinator *c);
/* Copies the home of one that does not run, synced to disk. */
ASY_MUST_CHECK int coordinator_copy(const struct coordinator *from, struct coordinator *to,
                                    struct asy_error *err);

ASY_MUST_CHECK int coordinator_submit(struct coordinator *c, const char *spec,
                                      struct asy_id *ret_study, struct asy_error *err);
/* The answer to a QUERY is in c->json. study: NULL, or its name. */
ASY_MUST_CHECK int coordinator_query(struct coordinator *c, const char *what, const char *study,
                                     struct asy_error *err);
/* How many workers it knows. */
ASY_MUST_CHECK int coordinator_workers(struct coordinator *c, size_t *ret_n, struct asy_error *err);

struct usage {
    int64_t cpu_ns;  /* of all its threads since its start */
    int64_t wall_ns; /* when that was read */
    int64_t rss_kib;
};
ASY_MUST_CHECK int coordinator_usage(const struct coordinator *c, struct usage *ret_usage,
                                     struct asy_error *err);
#endif
