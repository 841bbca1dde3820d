/* SPDX-License-Identifier: Apache-2.0
 * sqlite_replay.c - the events that a restart needs, in order.
 *
 * Two streams are merged by number. One is of single events: first and last of finished studies,
 * and workers that are there. The other has all events of unfinished studies: read straight through
 * `event` from the oldest of them on, or, where they are a small part of that, looked up by their
 * numbers, which the index has without the bodies. */
#include "sqlite_impl.h"
#include <stdlib.h>
#include "sqlite_sql.h"

#define SCAN_FACTOR 4 /* so many rows are skipped in the time of one look-up */

int asy__read_event(sqlite3_stmt *stmt, struct asy_arena *arena, struct asy_event *ret,
                    struct asy_error *err)
{
    const void *body = sqlite3_column_blob(stmt, 6);
    size_t n = (size_t)sqlite3_column_bytes(stmt, 6);
    int rc;

    *ret = (struct asy_event){
        .seq = asy__col_u64(stmt, 0),
        .trial = sqlite3_column_type(stmt, 2) == SQLITE_NULL ? ASY__NO_TRIAL
                                                             : asy__col_u64(stmt, 2),
        .attempt = (uint32_t)sqlite3_column_int64(stmt, 3),
        .kind = (enum asy_event_kind)sqlite3_column_int(stmt, 4),
        .wall_us = sqlite3_column_int64(stmt, 5),
    };
    asy__col_id(stmt, 1, &ret->study);
    asy_arena_reset(arena);
    if ((rc = asy_event_decode(body, n, arena, ret, err)))
        asy_error_prefix(err, "event %llu", (unsigned long long)ret->seq);
    return rc;
}

struct seqs {
    uint64_t *seqs;
    size_t n, cap;
};

static int read_fixed(struct asy__sqlite *s, struct seqs *list, struct asy_error *err)
{
    int rc = 0;
    sqlite3_stmt *stmt = asy__db_stmt(&s->db, W_FIXED, &rc, err);

    if (!stmt)
        return rc;
    while ((rc = asy__db_row(&s->db, stmt, err)) > 0) {
        if (list->n == list->cap) {
            size_t cap = list->cap ? 2 * list->cap : 64;
            uint64_t *grown = reallocarray(list->seqs, cap, sizeof *grown);

            if (!grown) {
                asy__db_done(stmt);
                return asy_fail(err, ASY_E_NOMEM, "no memory for replay");
            }
            list->seqs = grown;
            list->cap = cap;
        }
        list->seqs[list->n++] = asy__col_u64(stmt, 0);
    }
    return rc;
}

/* The statement that gives the events of unfinished studies. */
static sqlite3_stmt *open_stream(struct asy__sqlite *s, int *ret_rc, struct asy_error *err)
{
    uint64_t first, count, range;
    sqlite3_stmt *stmt = asy__db_stmt(&s->db, W_UNFINISHED, ret_rc, err);

    if (!stmt)
        return NULL;
    if ((*ret_rc = asy__db_row(&s->db, stmt, err)) <= 0)
        return NULL;
    first = asy__col_u64(stmt, 0);
    count = asy__col_u64(stmt, 1);
    asy__db_done(stmt);
    range = s->base.info.last_seq - (first ? first - 1 : s->base.info.last_seq);
    *ret_rc = 0;
    stmt = asy__db_stmt(&s->db, count <= range / SCAN_FACTOR ? W_LOOKUP : W_SCAN, ret_rc, err);
    if (stmt)
        asy__bind_u64(stmt, 1, first);
    return stmt;
}

static int give_one(struct asy__sqlite *s, uint64_t seq, asy_event_f each, void *arg,
                    struct asy_error *err)
{
    struct asy_event event;
    sqlite3_stmt *stmt;
    int rc = 0;

    if (!(stmt = asy__db_stmt(&s->db, W_ONE_EVENT, &rc, err)))
        return rc;
    asy__bind_u64(stmt, 1, seq);
    if ((rc = asy__db_row(&s->db, stmt, err)) <= 0)
        return rc ? rc : asy_fail(err, ASY_E_CORRUPT, "event %llu is missing",
                                  (unsigned long long)seq);
    if (!(rc = asy__read_event(stmt, s->arena, &event, err)))
        rc = each(arg, &event);
    asy__db_done(stmt);
    return rc;
}

static int merge(struct asy__sqlite *s, const struct seqs *fixed, asy_event_f each, void *arg,
                 struct asy_error *err)
{
    struct asy_event event;
    size_t next = 0;
    int rc = 0, more;
    sqlite3_stmt *stream = open_stream(s, &rc, err);

    if (!stream)
        return rc;
    for (;;) {
        if ((more = asy__db_row(&s->db, stream, err)) < 0)
            return more;
        while (next < fixed->n && (!more || fixed->seqs[next] < asy__col_u64(stream, 0)))
            if ((rc = give_one(s, fixed->seqs[next++], each, arg, err)))
                goto out;
        if (!more)
            return 0;
        if ((rc = asy__read_event(stream, s->arena, &event, err)) || (rc = each(arg, &event)))
            goto out;
    }
out:
    asy__db_done(stream);
    return rc;
}

int asy__sqlite_replay(struct asy_store *store, asy_event_f each, void *arg, struct asy_error *err)
{
    struct asy__sqlite *s = (struct asy__sqlite *)store;
    struct seqs fixed = { 0 };
    int rc;

    if (!(rc = read_fixed(s, &fixed, err)))
        rc = merge(s, &fixed, each, arg, err);
    free(fixed.seqs);
    return rc;
}
