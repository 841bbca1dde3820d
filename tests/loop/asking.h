/* SPDX-License-Identifier: Apache-2.0
 * asking.h - asks a store as the coordinator does, all pieces of an answer at once. */
#ifndef ASY_TEST_ASKING_H
#define ASY_TEST_ASKING_H
#include "../asytest.h"
#include "query_impl.h"

struct answer {
    struct asy_json *root;
    struct asy_buf json;
    size_t pieces, longest; /* bytes of the longest piece */
    int rc;
    struct asy_error err;
};

static inline bool ask(struct asy_store *store, const struct asy__question *q, struct answer *a)
{
    struct asy__asked asked;
    size_t before = 0;

    *a = (struct answer){ 0 };
    asy_buf_init(&a->json, 64u << 20);
    asy__asked_init(&asked, q, &a->json);
    do {
        a->rc = asy__asked_piece(&asked, asy_store_reader(store), &a->err);
        a->pieces++;
        if (a->json.len - before > a->longest)
            a->longest = a->json.len - before;
        before = a->json.len;
    } while (a->rc > 0);
    asy__asked_fini(&asked);
    return a->rc == 0 &&
           T_OK(asy_json_parse(a->json.data, a->json.len, &a->root, &a->err), &a->err);
}

static inline void answer_fini(struct answer *a)
{
    asy_json_destroy(a->root);
    asy_buf_fini(&a->json);
}
#endif
