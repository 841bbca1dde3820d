/* SPDX-License-Identifier: Apache-2.0
 * bulk.h - the agent's side of the bulk socket: a thread that finds or fetches what attempts need,
 * hands over what they made, and sends what they print.
 *
 * The main thread gives tasks, each under a ticket of its own choice, and hears of them in news. A
 * task outlives broken connections and restarted coordinators; it goes on where it was.
 *
 * Threads: the main thread's; the cache is shared. */
#ifndef ASY__AGENT_BULK_H
#define ASY__AGENT_BULK_H
#include <asy/bulk.h>
#include <asy/keys.h>
#include "cache.h"

struct asy__bulk;
ASY_MUST_CHECK int asy__bulk_create(struct asy__cache *cache, struct asy__bulk **ret_bulk,
                                    struct asy_error *err);
void asy__bulk_destroy(struct asy__bulk *bulk);
int asy__bulk_fd(const struct asy__bulk *bulk); /* readable when there is news */
/* A session has begun: where the bulk socket is. All open transfers begin anew. */
ASY_MUST_CHECK int asy__bulk_connect(struct asy__bulk *bulk, const struct asy_discovery *discovery,
                                     const struct asy_keypair *pair, struct asy_id store,
                                     uint32_t port, struct asy_error *err);

/* What an attempt needs. path: where it lay when the study was submitted; NULL: nowhere. */
struct asy__want {
    enum asy_bulk_what what;     /* INPUT, CHECKPOINT */
    const char *path;
    int look;                    /* it may lie there on this machine, too */
    struct asy_sha sha;
    uint64_t bytes;              /* of an INPUT */
    uint64_t trial;              /* CHECKPOINT: which one */
    uint32_t attempt;
    uint64_t report;
};
/* Finds each at its path, if its content is right, else in the cache, else fetches it there. News
 * FETCHED has their paths; what is in the cache stays pinned until the ticket is forgotten. */
ASY_MUST_CHECK int asy__bulk_fetch(struct asy__bulk *bulk, uint64_t ticket, struct asy_id study,
                                   uint64_t trial, const struct asy__want *wants, size_t n,
                                   struct asy_error *err);
/* Hands over what pin holds, a checkpoint or model, as head says (what, study, trial, attempt,
 * report, sha, tree). News PUT: it is durable, or never will be. The pin is the task's from here
 * on. */
ASY_MUST_CHECK int asy__bulk_put(struct asy__bulk *bulk, uint64_t ticket,
                                 const struct asy_bulk *head, struct asy__pin *pin,
                                 struct asy_error *err);
/* Sends what is written to folder/stdout and folder/stderr as it grows. */
ASY_MUST_CHECK int asy__bulk_tail(struct asy__bulk *bulk, uint64_t ticket, struct asy_id study,
                                  uint64_t trial, uint32_t attempt, const char *folder,
                                  struct asy_error *err);
/* Nothing more will be written: news SEALED when all of it is durable there. */
ASY_MUST_CHECK int asy__bulk_seal(struct asy__bulk *bulk, uint64_t ticket, struct asy_error *err);
/* Ends the task, if it has not ended, and lets go of its pins. */
void asy__bulk_forget(struct asy__bulk *bulk, uint64_t ticket);

enum asy__bulk_news_kind { ASY__BULK_NONE, ASY__BULK_FETCHED, ASY__BULK_PUT, ASY__BULK_SEALED };
struct asy__bulk_news {
    enum asy__bulk_news_kind kind;
    uint64_t ticket;
    int rc;                      /* ASY_E_INVAL of FETCHED: an input is not what it was */
    char text[600];              /* why; of a PUT that succeeded its path there */
    char **paths;                /* FETCHED: [n], one block, the caller's to free() */
    size_t n;
};
/* The next news; NONE: there is none. */
enum asy__bulk_news_kind asy__bulk_next(struct asy__bulk *bulk, struct asy__bulk_news *ret);
#endif
