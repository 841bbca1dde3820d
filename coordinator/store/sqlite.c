/* SPDX-License-Identifier: Apache-2.0
 * sqlite.c - SQLite's calls made ours: errors as codes with text, statements prepared once, values
 * bound and read in the store's own way. Binding cannot fail here: the places exist and nothing is
 * copied. */
#include "sqlite_impl.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <asy/clock.h>

int asy__db_init(struct asy__db *db, const char *const *sql, size_t n, struct asy_error *err)
{
    db->sql = sql;
    db->n_stmts = 0;
    if (!(db->stmts = calloc(n, sizeof *db->stmts)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for statements");
    db->n_stmts = n;
    return 0;
}

void asy__db_fini(struct asy__db *db)
{
    for (size_t i = 0; i < db->n_stmts; i++)
        sqlite3_finalize(db->stmts[i]);
    free(db->stmts);
    db->stmts = NULL;
    db->n_stmts = 0;
}

void asy__db_close(struct asy__db *db)
{
    int saved = errno;

    asy__db_fini(db);
    sqlite3_close_v2(db->db);
    db->db = NULL;
    errno = saved;
}

int asy__db_fail(const struct asy__db *db, const char *what, struct asy_error *err)
{
    int code = db->db ? sqlite3_extended_errcode(db->db) : SQLITE_NOMEM;
    int errnum = db->db ? sqlite3_system_errno(db->db) : 0;
    const char *text = db->db ? sqlite3_errmsg(db->db) : "no memory";
    char why[80];

    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return asy_fail(err, ASY_E_NOMEM, "cannot %s: no memory", what);
    case SQLITE_FULL:
        return asy_fail(err, ASY_E_NOSPACE, "cannot %s: the disk is full", what);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return asy_fail(err, ASY_E_CORRUPT, "cannot %s: %s", what, text);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return asy_fail(err, ASY_E_BUSY, "cannot %s: another program has the database locked",
                        what);
    case SQLITE_INTERRUPT:
        return asy_fail(err, ASY_E_TIMEOUT,
                        "cannot %s: the query takes too long, and the store's log "
                        "cannot be copied back meanwhile; ask for less at a time",
                        what);
    case SQLITE_IOERR:
        if (errnum == ENOSPC || errnum == EDQUOT)
            return asy_fail(err, ASY_E_NOSPACE, "cannot %s: %s", what,
                            errnum == EDQUOT ? "the quota is used up" : "the disk is full");
        return asy_fail(err, ASY_E_IO, "cannot %s: %s (%d): %s", what, text, code,
                        errnum ? asy_errno_text(errnum, why) : "unknown cause");
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return asy_fail(err, ASY_E_DENIED, "cannot %s: %s", what, text);
    default:
        return asy_fail(err, ASY_E_IO, "cannot %s: %s (%d)", what, text, code);
    }
}

int asy__db_exec(struct asy__db *db, const char *sql, const char *what, struct asy_error *err)
{
    return sqlite3_exec(db->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0
                                                                     : asy__db_fail(db, what, err);
}

sqlite3_stmt *asy__db_stmt(struct asy__db *db, size_t i, int *ret_rc, struct asy_error *err)
{
    ASY_ASSERT(i < db->n_stmts, "statement %zu of %zu", i, db->n_stmts);
    if (db->hold_ms)
        db->began_ms = asy_clock_ms();
    if (!db->stmts[i] && sqlite3_prepare_v3(db->db, db->sql[i], -1, SQLITE_PREPARE_PERSISTENT,
                                            &db->stmts[i], NULL) != SQLITE_OK) {
        *ret_rc = asy__db_fail(db, "prepare a statement", err);
        return NULL;
    }
    return db->stmts[i];
}

int asy__db_run(struct asy__db *db, sqlite3_stmt *stmt, struct asy_error *err)
{
    int code = sqlite3_step(stmt), rc = 0;

    if (code != SQLITE_DONE && code != SQLITE_ROW)
        rc = asy__db_fail(db, "write to the store", err);
    sqlite3_reset(stmt);
    return rc;
}

int asy__db_row(struct asy__db *db, sqlite3_stmt *stmt, struct asy_error *err)
{
    int code = sqlite3_step(stmt), rc = 0;

    if (code == SQLITE_ROW)
        return 1;
    if (code != SQLITE_DONE)
        rc = asy__db_fail(db, "read the store", err);
    sqlite3_reset(stmt);
    return rc;
}

void asy__db_done(sqlite3_stmt *stmt)
{
    if (stmt)
        sqlite3_reset(stmt);
}

void asy__bind_u64(sqlite3_stmt *stmt, int i, uint64_t value)
{
    sqlite3_bind_int64(stmt, i, (sqlite3_int64)value);
}

void asy__bind_text(sqlite3_stmt *stmt, int i, const char *text)
{
    sqlite3_bind_text(stmt, i, asy__text(text), -1, SQLITE_STATIC);
}

void asy__bind_id(sqlite3_stmt *stmt, int i, const struct asy_id *id)
{
    sqlite3_bind_blob(stmt, i, id->b, sizeof id->b, SQLITE_STATIC);
}

void asy__bind_f64(sqlite3_stmt *stmt, int i, double value)
{
    sqlite3_bind_double(stmt, i, isnan(value) ? 0 : value);
    sqlite3_bind_int(stmt, i + 1, isnan(value) != 0);
}

uint64_t asy__col_u64(sqlite3_stmt *stmt, int i)
{
    return (uint64_t)sqlite3_column_int64(stmt, i);
}

double asy__col_f64(sqlite3_stmt *stmt, int i)
{
    return sqlite3_column_int(stmt, i + 1) ? (double)NAN : sqlite3_column_double(stmt, i);
}

const char *asy__col_text(sqlite3_stmt *stmt, int i)
{
    const unsigned char *text = sqlite3_column_text(stmt, i);

    return text ? (const char *)text : "";
}

void asy__col_id(sqlite3_stmt *stmt, int i, struct asy_id *ret)
{
    const void *bytes = sqlite3_column_blob(stmt, i);

    *ret = ASY_ID_NONE;
    if (bytes && sqlite3_column_bytes(stmt, i) == (int)sizeof ret->b)
        memcpy(ret->b, bytes, sizeof ret->b);
}

const char *asy_store_sqlite_version(void)
{
    return sqlite3_libversion();
}
