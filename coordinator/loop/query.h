/* SPDX-License-Identifier: Apache-2.0
 * query.h - answers from the store, made in bounded pieces so that a long one holds up neither a
 * commit nor another question: open questions take turns, a piece each.
 *
 * On a local disk a thread of its own answers, on a connection of its own. On a network file system
 * only the writer's connection may read: the writer's thread then calls asy__query_turn() between
 * its commits. The answers are the same. The thread is there in both cases: it also removes files
 * that nobody needs.
 *
 * Threads: the loop's, but for asy__query_turn(). */
#ifndef ASY__QUERY_H
#define ASY__QUERY_H
#include <asy/buf.h>
#include <asy/core.h>
#include <asy/store.h>
#include "bulk.h"

/* An answer, or a part of one: the JSON of all parts together is the answer. */
struct asy__query_answer {        /* query -> loop */
    struct asy__letter letter;
    uint64_t peer;
    struct asy_id session;
    uint64_t request;
    int more;                     /* others follow */
    int rc;
    struct asy_error err;         /* rc 0: its text is how far the answer is, or "" */
    struct asy_buf json;
};
struct asy__query;
/* store_path: where the thread reads; NULL: somebody else gives the turns. */
ASY_MUST_CHECK int asy__query_create(const char *store_path, struct asy__mail *answers,
                                     struct asy__query **ret_query, struct asy_error *err);
/* Questions that are open get no answer. Files that are still to be dropped are: reader is the
 * writer's own, whose thread has ended. */
void asy__query_destroy(struct asy__query *query, struct asy_reader *reader);
/* Copies a QUERY effect (a QUERY or a WATCH). live: what core says of it, a JSON object,
 * or NULL. */
ASY_MUST_CHECK int asy__query_put(struct asy__query *query, const struct asy_effect *effect,
                                  const char *live, struct asy_error *err);
/* Removes the file at path, unless the store has it on record in its turn: it must be durable there
 * that whoever asks needs it no more. */
ASY_MUST_CHECK int asy__query_drop_file(struct asy__query *query, const char *path,
                                        struct asy_error *err);
/* Removes the file or tree at path, in turns, without a question: nobody can need it. */
ASY_MUST_CHECK int asy__query_remove(struct asy__query *query, const char *path,
                                     struct asy_error *err);
/* Removes what the coordinator of before was to drop and died over: the files of the checkpoints
 * that the newest events up to last_seq dropped, as asy__query_drop_file() does. Its turns are many
 * and short. */
ASY_MUST_CHECK int asy__query_sweep(struct asy__query *query, uint64_t last_seq,
                                    struct asy_error *err);
/* Removes what a study that is over, or with ASY_ID_NONE each of those, has left among the
 * artifacts: checkpoints that came after their attempt was fenced, of attempts that an adoption
 * discarded, and parts of what broke off. The store is asked once for each study that has some. */
ASY_MUST_CHECK int asy__query_tidy(struct asy__query *query, const char *artifacts,
                                   struct asy_id study, struct asy_error *err);
/* Fills in whose the study is and whether its trial has that model, and puts ask into its own
 * `reply`. ask is the query's until then. */
ASY_MUST_CHECK int asy__query_look(struct asy__query *query, struct asy__bulk_ask *ask,
                                   struct asy_error *err);
/* Whatever this peer has asked so far needs no answer any more. */
ASY_MUST_CHECK int asy__query_forget(struct asy__query *query, uint64_t peer,
                                     struct asy_error *err);
/* One piece of one answer or of the sweep, or one file; returns whether there is more to do. One
 * thread, that of the reader. */
int asy__query_turn(struct asy__query *query, struct asy_reader *reader);

struct asy__question {
    const char *what, *study, *arg;
    int64_t trial, after, limit;
    uint64_t upto;                /* events up to this one are looked at */
    const char *key;              /* of who asks, to whom only theirs exist; NULL: sees all */
    const char *live;             /* NULL: core knows nothing of it */
};
#endif
