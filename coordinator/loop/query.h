/* SPDX-License-Identifier: Apache-2.0
 * query.h - the thread that answers questions from the store, on a connection of its own, so that a
 * long answer holds up neither the loop nor a commit. It also removes files that nobody needs.
 *
 * On a network file system only the writer's connection may read; questions are refused there with
 * a message until it serves them (docs/architecture.md).
 *
 * Threads: the loop's. */
#ifndef ASY__QUERY_H
#define ASY__QUERY_H
#include <asy/buf.h>
#include <asy/msg.h>
#include <asy/store.h>
#include "mail.h"

struct asy__query_answer {        /* query -> loop */
    struct asy__letter letter;
    uint64_t peer;
    struct asy_id session;
    uint64_t request;
    int rc;
    struct asy_error err;
    struct asy_buf json;
};
struct asy__query;
ASY_MUST_CHECK int asy__query_create(const char *store_path, struct asy__mail *answers,
                                     struct asy__query **ret_query, struct asy_error *err);
void asy__query_destroy(struct asy__query *query);
/* Copies a QUERY or WATCH message. */
ASY_MUST_CHECK int asy__query_put(struct asy__query *query, uint64_t peer,
                                  const struct asy_msg *msg, struct asy_error *err);
ASY_MUST_CHECK int asy__query_drop_file(struct asy__query *query, const char *path,
                                        struct asy_error *err);

/* The answer to one question as JSON (query_text.c). */
struct asy__question {
    const char *what, *study, *arg;
    int64_t trial, after, limit;
};
ASY_MUST_CHECK int asy__query_text(struct asy_reader *reader, const struct asy__question *question,
                                   struct asy_buf *json, struct asy_error *err);
#endif
