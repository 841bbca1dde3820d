/* SPDX-License-Identifier: Apache-2.0
 * check.c - see check.h. */
#include "check.h"
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include "dump.h"

static int integrity(const struct asy_store_spec *spec, struct asy_error *err)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    char path[4200];
    int rc = 0;

    snprintf(path, sizeof path, "%s/assay.db", spec->path);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1, &stmt, NULL) != SQLITE_OK ||
        sqlite3_step(stmt) != SQLITE_ROW)
        rc = asy_fail(err, ASY_E_CORRUPT, "integrity check: %s", sqlite3_errmsg(db));
    else if (strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") != 0)
        rc = asy_fail(err, ASY_E_CORRUPT, "integrity check: %.150s",
                      (const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return rc;
}

struct copy {
    struct asy_store *to;
    uint64_t seq;
    struct asy_error *err;
};

static int copy_event(void *arg, const struct asy_event *event)
{
    struct copy *copy = arg;

    if (event->seq != copy->seq + 1)
        return asy_fail(copy->err, ASY_E_CORRUPT, "event %llu follows %llu",
                        (unsigned long long)event->seq, (unsigned long long)copy->seq);
    return asy_store_commit(copy->to, event, 1, &copy->seq, copy->err);
}

static int same_rows(struct asy_store *store, struct asy_store *memory, struct asy_error *err)
{
    struct asy_buf got, want;
    char text[200];
    int rc;

    asy_buf_init(&got, (size_t)1 << 30);
    asy_buf_init(&want, (size_t)1 << 30);
    if (!(rc = dump_reader(asy_store_reader(store), &got, err)) &&
        !(rc = dump_replay(store, &got, err)) &&
        !(rc = dump_reader(asy_store_reader(memory), &want, err)) &&
        !(rc = dump_replay(memory, &want, err)) &&
        !(rc = asy_buf_check(&got, "a dump", err)) && !(rc = asy_buf_check(&want, "a dump", err)) &&
        dump_differs(got.data, want.data, text))
        rc = asy_fail(err, ASY_E_CORRUPT, "the rows do not fit the events: %s", text);
    asy_buf_fini(&got);
    asy_buf_fini(&want);
    return rc;
}

int check_store(const struct asy_store_spec *spec, uint64_t acked, uint64_t *ret_last,
                struct asy_error *err)
{
    static const struct asy_store_spec memory_spec = { 0 };
    struct asy_store *store = NULL, *memory = NULL;
    struct asy_store_info info;
    struct copy copy = { .err = err };
    int rc;

    if ((rc = asy_store_open(spec, &store, &info, err)) ||
        (rc = asy_store_open(&memory_spec, &memory, NULL, err)))
        goto out;
    copy.to = memory;
    if ((rc = asy_reader_events(asy_store_reader(store), ASY_ID_NONE, UINT64_MAX, 0, UINT64_MAX, -1,
                                copy_event, &copy, err)))
        goto out;
    if (copy.seq < acked)
        rc = asy_fail(err, ASY_E_CORRUPT, "%llu events are there, %llu were acknowledged",
                      (unsigned long long)copy.seq, (unsigned long long)acked);
    else if (copy.seq != info.last_seq)
        rc = asy_fail(err, ASY_E_CORRUPT, "%llu events are there, the store says %llu",
                      (unsigned long long)copy.seq, (unsigned long long)info.last_seq);
    else
        rc = same_rows(store, memory, err);
    if (ret_last)
        *ret_last = copy.seq;
out:
    asy_store_close(store);
    asy_store_close(memory);
    return rc ? rc : integrity(spec, err);
}
