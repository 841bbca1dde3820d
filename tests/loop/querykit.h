/* SPDX-License-Identifier: Apache-2.0
 * querykit.h - a store with many trials, and questions of peers to the query thread's turns. */
#ifndef ASY_TEST_QUERYKIT_H
#define ASY_TEST_QUERYKIT_H
#include "world.h"
#include "query_impl.h"
#include <stdlib.h>
#include <string.h>

#define N_TRIALS 700 /* more than two pages */

/* Studies a and b with so many trials. */
static inline struct asy_store *store_of(const char *owner_b, uint64_t *ret_seq)
{
    static const struct asy_store_spec spec = { .path = NULL };
    struct asy_event *events = calloc(2 + N_TRIALS, sizeof *events);
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_store *store = NULL;

    ASY_ASSERT(events);
    for (size_t i = 0; i < 2; i++) {
        events[i] = (struct asy_event){ .kind = ASY_EV_STUDY_CREATED, .wall_us = 1,
                                        .study = asy_id_from(i + 1, 1), .trial = UINT64_MAX };
        events[i].study_created.name = i ? "b" : "a";
        events[i].study_created.project = "default";
        events[i].study_created.owner = i ? owner_b : OWNER;
        events[i].study_created.spec = "{}";
        events[i].study_created.command_line = "";
    }
    for (size_t i = 0; i < N_TRIALS; i++) {
        struct asy_event *ev = &events[2 + i];

        *ev = (struct asy_event){ .kind = ASY_EV_TRIAL_CREATED, .wall_us = 2,
                                  .study = asy_id_from(i % 7 ? 1 : 2, 1),
                                  .trial = i % 7 ? i - i / 7 - 1 : i / 7 };
        ev->trial_created.id = asy_id_from(10 + i, 2);
        ev->trial_created.params = "{}";
        ev->trial_created.source = "random";
    }
    if (!T_OK(asy_store_open(&spec, &store, NULL, &err), &err) ||
        !T_OK(asy_store_commit(store, events, 2 + N_TRIALS, ret_seq, &err), &err)) {
        asy_store_close(store);
        store = NULL;
    }
    free(events);
    return store;
}

static inline bool put(struct asy__query *query, uint64_t peer)
{
    struct asy_effect fx = { .type = ASY_FX_QUERY, .peer = peer, .seq = UINT64_MAX };
    struct asy_error err = ASY_ERROR_INIT;

    fx.msg.type = ASY_MSG_QUERY;
    fx.msg.query.request = peer;
    fx.msg.query.what = "trials";
    fx.msg.query.study = "a";
    fx.msg.query.trial = fx.msg.query.after = fx.msg.query.limit = -1;
    return T_OK(asy__query_put(query, &fx, NULL, &err), &err);
}

/* How many parts came for each. */
static inline void count_answers(struct asy__mail *answers, size_t parts[4])
{
    struct asy__letter *letter = asy__mail_take(answers), *next;

    memset(parts, 0, 4 * sizeof *parts);
    for (; letter; letter = next) {
        struct asy__query_answer *answer = (struct asy__query_answer *)letter;

        next = letter->next;
        T_EQ("answered", answer->rc, 0);
        parts[answer->peer]++;
        asy_buf_fini(&answer->json);
        free(answer);
    }
}
#endif
