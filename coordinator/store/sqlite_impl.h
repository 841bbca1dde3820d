/* SPDX-License-Identifier: Apache-2.0
 * sqlite_impl.h - what the files of the SQLite engine share. */
#ifndef ASY__SQLITE_IMPL_H
#define ASY__SQLITE_IMPL_H
#include <sqlite3.h>
#include "project.h"
#include "store_impl.h"

#define ASY__SCHEMA_VERSION 4
#define ASY__APPLICATION_ID 0x41737379 /* "Assy" */
#define ASY__PAGE_BYTES 4096

/* ---- sqlite.c: statements -------------------------------------------------------------------- */

/* A connection with its prepared statements; sql is the engine's table of texts. */
struct asy__db {
    sqlite3 *db;
    const char *const *sql;
    sqlite3_stmt **stmts; /* [n_stmts] prepared when first used */
    size_t n_stmts;
    int64_t hold_ms;      /* a reader's own: its queries may take so long; 0: for ever */
    int64_t began_ms;     /* with hold_ms: the query under way */
};
ASY_MUST_CHECK int asy__db_init(struct asy__db *db, const char *const *sql, size_t n,
                                struct asy_error *err);
void asy__db_fini(struct asy__db *db);  /* the statements, not the connection */
void asy__db_close(struct asy__db *db); /* both */
/* The error that SQLite just gave, as a code with text. */
int asy__db_fail(const struct asy__db *db, const char *what, struct asy_error *err);
ASY_MUST_CHECK int asy__db_exec(struct asy__db *db, const char *sql, const char *what,
                                struct asy_error *err);
/* Statement i, reset and ready for its parameters; NULL: err is filled and *ret_rc set. */
sqlite3_stmt *asy__db_stmt(struct asy__db *db, size_t i, int *ret_rc, struct asy_error *err);
/* Runs a statement that gives no row. */
ASY_MUST_CHECK int asy__db_run(struct asy__db *db, sqlite3_stmt *stmt, struct asy_error *err);
/* 1: a row is there; 0: no further one, the statement is reset; negative: failed, reset. */
int asy__db_row(struct asy__db *db, sqlite3_stmt *stmt, struct asy_error *err);
/* Gives up the rest of a statement's rows. */
void asy__db_done(sqlite3_stmt *stmt);

void asy__bind_u64(sqlite3_stmt *stmt, int i, uint64_t value);
void asy__bind_text(sqlite3_stmt *stmt, int i, const char *text); /* NULL: "" ; not copied */
void asy__bind_id(sqlite3_stmt *stmt, int i, const struct asy_id *id);
/* The value, then the flag at i + 1. */
void asy__bind_f64(sqlite3_stmt *stmt, int i, double value);
uint64_t asy__col_u64(sqlite3_stmt *stmt, int i);
double asy__col_f64(sqlite3_stmt *stmt, int i); /* value and flag */
const char *asy__col_text(sqlite3_stmt *stmt, int i);
void asy__col_id(sqlite3_stmt *stmt, int i, struct asy_id *ret);

static inline uint64_t asy__run_id(uint64_t study, uint64_t trial)
{
    return (study << 32) + (trial == ASY__NO_TRIAL ? 0 : trial + 1);
}

/* ---- sqlite_open.c --------------------------------------------------------------------------- */

struct asy__sqlite_reader {
    struct asy_reader base;
    struct asy__db db;              /* the writer's own reader borrows its connection */
    struct asy_arena *arena;
};
/* Statements and arena of a reader; db.db is the caller's to set. */
ASY_MUST_CHECK int asy__reader_init(struct asy__sqlite_reader *reader, struct asy_error *err);
void asy__sqlite_reader_close(struct asy_reader *reader);
/* All but the connection. */
void asy__reader_fini(struct asy__sqlite_reader *reader);
extern const struct asy__reader_ops asy__sqlite_reader_ops;
extern const char *const asy__read_sql[];
extern const size_t asy__read_sql_len;

/* ---- sqlite_open.c: what backups use as well ------------------------------------------------- */

ASY_MUST_CHECK int asy__sqlite_connect(struct asy__db *db, const char *path, const char *vfs,
                                       int flags, struct asy_error *err);
/* One number that a statement gives, 0 if it gives none. */
ASY_MUST_CHECK int asy__sqlite_number(struct asy__db *db, const char *sql, int64_t *ret,
                                      struct asy_error *err);
/* Refuses what is not a store, or one of a later release; *ret_version 0: empty. */
ASY_MUST_CHECK int asy__sqlite_check_schema(struct asy__db *db, int64_t *ret_version,
                                            struct asy_error *err);
/* An empty file that its owner alone may read. */
ASY_MUST_CHECK int asy__sqlite_create(const char *path, struct asy_error *err);

/* ---- sqlite_cache.c: rows that are not finished ---------------------------------------------- */

struct asy__live_study {
    struct asy__live_study *next, *next_dirty;
    struct asy_id uuid;
    uint64_t id, owner;
    struct asy__study row;
    uint64_t events, last_seq, state_seq;
    int dirty, changed;             /* changed: state, cause or text too */
};
struct asy__live_trial {
    struct asy__live_trial *next, *next_dirty;
    uint64_t id;                    /* of the run */
    struct asy__live_study *study;
    const struct asy_event *created;/* in the commit in hand; its row is not inserted yet */
    const char *host;               /* set in the commit in hand */
    struct asy__trial row;
    unsigned dirty;
};
struct asy__word {
    struct asy__word *next;
    uint64_t id;
    uint64_t hash;
    char text[];
};
/* Hash tables of what the writer met; dropped as a whole when a commit fails. Trials leave it with
 * their end, so its size follows what runs. */
struct asy__cache {
    struct asy__live_study *studies[256];
    struct asy__live_trial **trials;    /* [n_buckets] */
    size_t n_buckets, n_trials;
    struct asy__live_trial *spare;
    struct asy__word *words[1024];
    size_t n_words;
    struct asy__live_study *dirty_studies;
    struct asy__live_trial *dirty_trials;
};
ASY_MUST_CHECK int asy__cache_init(struct asy__cache *cache, struct asy_error *err);
void asy__cache_fini(struct asy__cache *cache);
void asy__cache_clear(struct asy__cache *cache);

/* ---- sqlite_copy.c: the log and its way back into the database ----------------------------- */

/* What the writer knows of it. */
struct asy__log {
    uint64_t number;                /* counts its beginnings */
    int pages;                      /* in it */
    int copied;                     /* of them, so far as known */
    int rest;                       /* not copied when the last round was asked for; 0: none was */
    int help_at;                    /* the writer does not copy before it has so many pages */
};
struct asy__copier;
struct asy__sqlite;
/* Takes the connection over, also when it fails. by_hand: no thread, asy__copier_round() alone. */
ASY_MUST_CHECK int asy__copier_open(sqlite3 *db, int no_sync, int by_hand,
                                    struct asy__copier **ret_copier, struct asy_error *err);
void asy__copier_close(struct asy__copier *copier);
void asy__copier_round(struct asy__copier *copier);
/* Fails as a round has: before anything is written. NULL is fine. */
ASY_MUST_CHECK int asy__copier_failed(struct asy__copier *copier, struct asy_error *err);
/* After each commit: asks for a round, or copies what is left of one. */
void asy__copier_after(struct asy__sqlite *s);
/* SQLite's hook of a commit; arg is a struct asy__log. */
int asy__log_grew(void *arg, sqlite3 *db, const char *name, int pages);
/* SQLite's hook in the middle of a query; arg is a reader's struct asy__db. 1: end it. */
int asy__reader_tick(void *arg);

struct asy__sqlite {
    struct asy_store base;
    struct asy__db db;
    struct asy__copier *copier;     /* NULL: there is no log */
    struct asy__log log;
    struct asy__sqlite_reader reader;
    struct asy__cache cache;
    struct asy_buf body, text;
    struct asy_arena *arena;        /* replay */
    char *folder;
    int no_sync;
};
extern const char *const asy__write_sql[];
extern const size_t asy__write_sql_len;

/* Finds, or loads from the tables: *ret NULL if there is none. */
ASY_MUST_CHECK int asy__live_study(struct asy__sqlite *s, struct asy_id uuid,
                                   struct asy__live_study **ret, struct asy_error *err);
ASY_MUST_CHECK int asy__live_trial(struct asy__sqlite *s, struct asy__live_study *study,
                                   uint64_t number, struct asy__live_trial **ret,
                                   struct asy_error *err);
/* New entries; the caller fills them. */
struct asy__live_study *asy__cache_add_study(struct asy__cache *cache, struct asy_id uuid);
struct asy__live_trial *asy__cache_add_trial(struct asy__cache *cache, uint64_t id);
void asy__cache_drop_trial(struct asy__cache *cache, struct asy__live_trial *trial);
/* The number of a text in `word`, made if new; "" is 0. */
ASY_MUST_CHECK int asy__word_id(struct asy__sqlite *s, const char *text, uint64_t *ret,
                                struct asy_error *err);

/* ---- sqlite_rows.c --------------------------------------------------------------------------- */

/* The rows of STUDY_CREATED. */
ASY_MUST_CHECK int asy__row_of_study(struct asy__sqlite *s, const struct asy_event *ev,
                                     uint64_t seq, struct asy__live_study **ret,
                                     struct asy_error *err);
/* Those of every other event; study is NULL for workers. */
ASY_MUST_CHECK int asy__rows_of_event(struct asy__sqlite *s, const struct asy_event *ev,
                                      struct asy__live_study *study, uint64_t seq,
                                      struct asy_error *err);

/* ---- sqlite_commit.c, sqlite_replay.c -------------------------------------------------------- */

/* ASY_E_BUSY: the store has another owner now. */
int asy__sqlite_lost(struct asy_error *err);
int asy__sqlite_commit(struct asy_store *store, const struct asy_event *events, size_t n,
                       struct asy_error *err);
int asy__sqlite_replay(struct asy_store *store, asy_event_f each, void *arg,
                       struct asy_error *err);
/* Columns seq, study.uuid, trial, attempt, kind, wall_us, body from the first column on. */
ASY_MUST_CHECK int asy__read_event(sqlite3_stmt *stmt, struct asy_arena *arena,
                                   struct asy_event *ret, struct asy_error *err);
#endif
