/* SPDX-License-Identifier: Apache-2.0
 * session_impl.h - the insides of a session, for session.c (who lives, and is started) and talk.c
 * (what is said). */
#ifndef ASY__SESSION_IMPL_H
#define ASY__SESSION_IMPL_H
#include <asy/keys.h>
#include <asy/proc.h>
#include "cli.h"

#define ASY__PATIENCE_MS 30000 /* how long a coordinator may be away */
#define ASY__STEP_MS 50

struct asy__session {
    const struct asy__options *options;
    struct asy_channel *channel;
    struct asy_client *client, *bulk; /* bulk: when a file is fetched; NULL: not yet */
    uint32_t transfer;           /* the last one of that */
    struct asy_keypair keys;
    struct asy_arena *arena;
    struct asy_buf frame;
    struct asy_id id, agent;
    struct asy__welcome welcome;
    struct asy_discovery found;  /* whom we greeted last */
    unsigned turn;               /* of the places that an invitation leads to */
    uint64_t request;
    int started;                 /* the coordinator is ours, not only a worker */
    int sized;                   /* the worker that we started has --cores */
    int gave_way;                /* what we started left the home to another of its kind */
    int news;                    /* the last answer brought some */
    int shows;                   /* how far the answer is stands on the terminal */
    struct asy_proc node;        /* what we started */
    const char *node_name;       /* its program */
    int64_t log_from;            /* where what it says begins in node.log */
};

/* Where the coordinator is now, by the home's discovery file or by --coordinator. */
ASY_MUST_CHECK int asy__session_find(const struct asy__session *session,
                                     struct asy_discovery *ret_found, struct asy_error *err);
/* ---- fetch.c, for send.c --------------------------------------------------------------------- */

/* Opens session->bulk, if it is not open yet. */
ASY_MUST_CHECK int asy__bulk_connect(struct asy__session *session, struct asy_error *err);
/* ASY_E_AGAIN: not connected, or the queue is full. */
ASY_MUST_CHECK int asy__bulk_say(struct asy__session *session, struct asy_bulk *head,
                                 const void *body, size_t n, struct asy_error *err);
/* The next message, borrowed until the next call. ASY_E_AGAIN: none has come. */
ASY_MUST_CHECK int asy__bulk_hear(struct asy__session *session, struct asy_bulk *ret_head,
                                  const void **ret_body, size_t *ret_n, struct asy_error *err);
/* Why nothing comes, and what to do. */
int asy__bulk_unreachable(const struct asy__session *session, struct asy_error *err);

/* Advises by what the client met at each of its endpoints. */
void asy__advise_ways(const struct asy_client *client);
ASY_MUST_CHECK int asy__home_file(const struct asy__options *options, const char *name, char *path,
                                  size_t n, struct asy_error *err);
#endif
