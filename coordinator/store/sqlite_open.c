/* SPDX-License-Identifier: Apache-2.0
 * sqlite_open.c - opening a store: folder, lock, file, settings, schema, then one transaction that
 * raises owner_epoch and tells a copy from the original.
 *
 * Settings of the writer. Local disk: WAL with synchronous=FULL, so a commit is one fsync of the
 * log, which sqlite_copy.c copies back. Network file system: one connection,
 * locking_mode=EXCLUSIVE, which keeps the index of a log in our own memory should the store come
 * from a local disk, and a rollback journal that stays in place (PERSIST), since making and
 * removing files is what such file systems are slowest at. */
#include "sqlite_impl.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <asy/fs.h>
#include <asy/clock.h>
#include <asy/durable.h>

#define BUSY_MS 5000
#define HOLD_MS 10000 /* a query's, while the log is long */
#define TICK_OPS 100000
#define TEXT(x) TEXT_(x)
#define TEXT_(x) #x
#define MIGRATION "\n-- @migration "

/* What a burst made of the log's file is given back when it is begun anew. */
static const char local_writer[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                                   "PRAGMA wal_autocheckpoint=0;"
                                   "PRAGMA journal_size_limit=67108864;";
static const char network_writer[] = "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=PERSIST;"
                                     "PRAGMA synchronous=FULL;";
/* Pages of 4 KiB: a commit of one cycle takes a quarter less than with 8 KiB, since the disk takes
 * longer for more bytes. The size counts when the file is made. */
static const char any_writer[] = "PRAGMA page_size=" TEXT(ASY__PAGE_BYTES) ";"
                                 "PRAGMA foreign_keys=OFF;"
                                 "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-65536;"
                                 "PRAGMA trusted_schema=OFF;";

static void configure(void)
{
    /* Counting every allocation under a lock costs a tenth of a commit; nobody reads the counts.
     * Refused if somebody has started SQLite before us: then it is slower, not wrong. */
    ASY_IGNORE(sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0));
}

static int db_path(const char *folder, char path[PATH_MAX], struct asy_error *err)
{
    int n = snprintf(path, PATH_MAX, "%s/assay.db", folder);

    if (n < 0 || n + 16 > PATH_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "path of %d characters is too long", n);
    return 0;
}

int asy__sqlite_connect(struct asy__db *db, const char *path, const char *vfs, int flags,
                        struct asy_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int rc;

    pthread_once(&once, configure);
    if (sqlite3_open_v2(path, &db->db, flags | SQLITE_OPEN_NOMUTEX, vfs) != SQLITE_OK) {
        rc = asy__db_fail(db, "open the database", err);
        asy_error_prefix(err, "store '%s'", path);
        return rc;
    }
    sqlite3_extended_result_codes(db->db, 1);
    sqlite3_busy_timeout(db->db, BUSY_MS);
    sqlite3_db_config(db->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return 0;
}

/* One number that a statement gives, 0 if it gives none. */
int asy__sqlite_number(struct asy__db *db, const char *sql, int64_t *ret, struct asy_error *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = 0;

    *ret = 0;
    if (sqlite3_prepare_v2(db->db, sql, -1, &stmt, NULL) != SQLITE_OK)
        return asy__db_fail(db, "read the store", err);
    if (asy__db_row(db, stmt, NULL) > 0)
        *ret = sqlite3_column_int64(stmt, 0);
    else if (sqlite3_errcode(db->db) != SQLITE_DONE)
        rc = asy__db_fail(db, "read the store", err);
    sqlite3_finalize(stmt);
    return rc;
}

/* ---- schema ---------------------------------------------------------------------------------- */

/* The text of migration n, NULL if there is none. */
static char *migration(int n)
{
    char mark[48];
    const char *start, *end;
    int len = snprintf(mark, sizeof mark, MIGRATION "%d\n", n);

    if (!(start = strstr(asy__schema_sql, mark)))
        return NULL;
    start += len;
    end = strstr(start, MIGRATION);
    return end ? strndup(start, (size_t)(end - start)) : strdup(start);
}

static int run_migration(struct asy__db *db, int n, struct asy_error *err)
{
    char *sql = migration(n), version[128];
    int rc;

    if (!sql)
        return asy_fail(err, ASY_E_NOMEM, "no memory for version %d of the schema", n);
    snprintf(version, sizeof version,
             "INSERT INTO schema_version VALUES (%d, %lld); PRAGMA user_version=%d;", n,
             (long long)asy_clock_wall_us(), n);
    if ((rc = asy__db_exec(db, "BEGIN IMMEDIATE", "begin", err)))
        goto out;
    if ((rc = asy__db_exec(db, sql, "change the schema", err)) ||
        (rc = asy__db_exec(db, version, "change the schema", err)) ||
        (rc = asy__db_exec(db, "COMMIT", "change the schema", err)))
        ASY_IGNORE(asy__db_exec(db, "ROLLBACK", "roll back", NULL)); /* may be over already */
out:
    free(sql);
    return rc;
}

/* Refuses what is not a store, or one of a later release; ret_version 0: empty. */
int asy__sqlite_check_schema(struct asy__db *db, int64_t *ret_version, struct asy_error *err)
{
    int64_t app, tables;
    int rc;

    if ((rc = asy__sqlite_number(db, "PRAGMA user_version", ret_version, err)) ||
        (rc = asy__sqlite_number(db, "PRAGMA application_id", &app, err)) ||
        (rc = asy__sqlite_number(db, "SELECT count(*) FROM sqlite_schema", &tables, err)))
        return rc;
    if (app != ASY__APPLICATION_ID && (app != 0 || tables != 0))
        return asy_fail(err, ASY_E_CORRUPT, "the file is not a store of Assay");
    if (*ret_version > ASY__SCHEMA_VERSION)
        return asy_fail(err, ASY_E_CORRUPT, "the store has schema version %lld, this release knows "
                        "%d: use a later release", (long long)*ret_version, ASY__SCHEMA_VERSION);
    return 0;
}

static int migrate(struct asy__db *db, struct asy_error *err)
{
    int64_t version;
    int rc = asy__sqlite_check_schema(db, &version, err);

    if (rc)
        return rc;
    if (version == 0) {
        char sql[64];

        snprintf(sql, sizeof sql, "PRAGMA application_id=%d", ASY__APPLICATION_ID);
        if ((rc = asy__db_exec(db, sql, "mark the file", err)))
            return rc;
    }
    for (int n = (int)version + 1; n <= ASY__SCHEMA_VERSION && rc == 0; n++)
        rc = run_migration(db, n, err);
    return rc;
}

/* ---- taking the store ------------------------------------------------------------------------ */

/* Reads the store's one row; *ret_found 0: it is new. */
static int read_self(struct asy__db *db, struct asy_store_info *info, char place[64],
                     int *ret_found, struct asy_error *err)
{
    sqlite3_stmt *stmt = NULL;
    int64_t seq;
    int rc;

    *ret_found = 0;
    if (sqlite3_prepare_v2(db->db, "SELECT uuid, owner_epoch, port, place FROM store", -1, &stmt,
                           NULL) != SQLITE_OK)
        return asy__db_fail(db, "read the store", err);
    if ((rc = asy__db_row(db, stmt, err)) > 0) {
        asy__col_id(stmt, 0, &info->id);
        info->owner_epoch = asy__col_u64(stmt, 1);
        info->port = sqlite3_column_int(stmt, 2);
        snprintf(place, 64, "%s", asy__col_text(stmt, 3));
        *ret_found = 1;
        rc = 0;
    }
    sqlite3_finalize(stmt);
    if (rc || (rc = asy__sqlite_number(db, "SELECT max(seq) FROM event", &seq, err)))
        return rc;
    info->last_seq = (uint64_t)seq;
    return 0;
}

/* Whether this database is a copy of the one that the folder had, or of one from elsewhere. */
static int is_copy(const struct asy_store_info *info, const char *was, const char *is,
                   const struct asy__seen *seen)
{
    if (*was && *is && strcmp(was, is) != 0)
        return 1;
    if (asy_id_cmp(seen->store, info->id) != 0)
        return 0; /* the lock file knows nothing of it */
    return info->owner_epoch < seen->owner_epoch ||
           (info->owner_epoch == seen->owner_epoch && info->last_seq < seen->seq);
}

static int write_self(struct asy__db *db, const struct asy_store_info *info, const char *place,
                      struct asy_error *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc;

    if (sqlite3_prepare_v2(db->db, "INSERT OR REPLACE INTO store(one, owner_id, uuid, owner_epoch,"
                           " port, place) VALUES (1, 0, ?, ?, ?, ?)", -1, &stmt, NULL) != SQLITE_OK)
        return asy__db_fail(db, "take the store", err);
    asy__bind_id(stmt, 1, &info->id);
    asy__bind_u64(stmt, 2, info->owner_epoch);
    sqlite3_bind_int(stmt, 3, info->port);
    asy__bind_text(stmt, 4, place);
    rc = asy__db_run(db, stmt, err);
    sqlite3_finalize(stmt);
    return rc;
}

static int take(struct asy__sqlite *s, const char *path, const struct asy__seen *seen,
                struct asy_error *err)
{
    struct asy_store_info *info = &s->base.info;
    char was[64] = "", is[64];
    int found, rc;

    asy__place_of(path, is);
    if ((rc = asy__db_exec(&s->db, "BEGIN IMMEDIATE", "take the store", err)))
        return rc;
    if ((rc = read_self(&s->db, info, was, &found, err)))
        goto out;
    info->restored = found && is_copy(info, was, is, seen);
    if (!found || info->restored)
        info->id = asy_id_make();
    /* Above everything that agents may have seen of this folder. */
    if (info->owner_epoch < seen->owner_epoch)
        info->owner_epoch = seen->owner_epoch;
    info->owner_epoch++;
    if (!(rc = write_self(&s->db, info, is, err)))
        rc = asy__db_exec(&s->db, "COMMIT", "take the store", err);
out:
    if (rc)
        ASY_IGNORE(asy__db_exec(&s->db, "ROLLBACK", "roll back", NULL)); /* may be over already */
    return rc;
}

/* ---- the store ------------------------------------------------------------------------------- */

/* The last one to close copies the log back and removes it. After a copy that failed the log may be
 * all that is left of some pages: it stays, and whoever opens the store next copies the whole. */
static void keep_log(struct asy__db *db)
{
    sqlite3_db_config(db->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
}

static void close_store(struct asy_store *base)
{
    struct asy__sqlite *s = (struct asy__sqlite *)base;

    if (asy__copier_failed(s->copier, NULL))
        keep_log(&s->db);
    asy__copier_close(s->copier);
    asy__cache_fini(&s->cache);
    asy__reader_fini(&s->reader);
    asy__db_close(&s->db);
    asy__lock_drop(base->lock, asy_id_is_none(base->info.id) ? NULL : &base->info);
    asy_arena_destroy(s->arena);
    asy_buf_fini(&s->body);
    asy_buf_fini(&s->text);
    free(s->folder);
    free(s);
}

static int set_port(struct asy_store *base, int port, struct asy_error *err)
{
    struct asy__sqlite *s = (struct asy__sqlite *)base;
    char sql[128];
    int rc;

    snprintf(sql, sizeof sql, "UPDATE store SET port=%d WHERE owner_epoch=%llu", port,
             (unsigned long long)base->info.owner_epoch);
    if ((rc = asy__db_exec(&s->db, sql, "store the port", err)))
        return rc;
    return sqlite3_changes(s->db.db) == 1 ? 0 : asy__sqlite_lost(err);
}

static void copy_back(struct asy_store *base)
{
    struct asy__sqlite *s = (struct asy__sqlite *)base;

    if (s->copier)
        asy__copier_round(s->copier);
}

static const struct asy__store_ops ops = {
    .close = close_store, .commit = asy__sqlite_commit, .set_port = set_port,
    .replay = asy__sqlite_replay, .copy_back = copy_back,
};

/* A mode that SQLite cannot have leaves the old one without a word. */
static int check_mode(struct asy__db *db, const char *want, struct asy_error *err)
{
    sqlite3_stmt *stmt = NULL;
    int rc = 0;

    if (sqlite3_prepare_v2(db->db, "PRAGMA journal_mode", -1, &stmt, NULL) != SQLITE_OK ||
        sqlite3_step(stmt) != SQLITE_ROW)
        rc = asy__db_fail(db, "read the journal mode", err);
    else if (strcmp(asy__col_text(stmt, 0), want) != 0)
        rc = asy_fail(err, ASY_E_IO, "cannot change the journal mode from '%s' to '%s'",
                      asy__col_text(stmt, 0), want);
    sqlite3_finalize(stmt);
    return rc;
}

static int setup(struct asy__sqlite *s, struct asy_error *err)
{
    int network = s->base.info.network_fs, rc;

    asy_buf_init(&s->body, ASY__BODY_BUDGET);
    asy_buf_init(&s->text, ASY__BODY_BUDGET);
    s->reader.db.db = s->db.db;
    s->reader.base.ops = &asy__sqlite_reader_ops;
    s->base.reader = &s->reader.base;
    if ((rc = asy__db_init(&s->db, asy__write_sql, asy__write_sql_len, err)) ||
        (rc = asy__reader_init(&s->reader, err)) || (rc = asy__cache_init(&s->cache, err)) ||
        (rc = asy_arena_create(ASY__BODY_BUDGET, &s->arena, err)) ||
        (rc = asy__db_exec(&s->db, any_writer, "set up the connection", err)) ||
        (rc = asy__db_exec(&s->db, network ? network_writer : local_writer,
                           "set up the connection", err)) ||
        (rc = check_mode(&s->db, network ? "persist" : "wal", err)))
        return rc;
    return s->no_sync ? asy__db_exec(&s->db, "PRAGMA synchronous=OFF", "set up the connection", err)
                      : 0;
}

/* Once the schema is there. */
static int start_copier(struct asy__sqlite *s, const struct asy_store_spec *spec, const char *path,
                        struct asy_error *err)
{
    struct asy__db db = { .db = NULL };
    int rc;

    if (s->base.info.network_fs)
        return 0;
    if ((rc = asy__sqlite_connect(&db, path, spec->vfs, SQLITE_OPEN_READWRITE, err))) {
        asy__db_close(&db);
        return rc;
    }
    keep_log(&db);
    sqlite3_wal_hook(s->db.db, asy__log_grew, &s->log);
    return asy__copier_open(db.db, s->no_sync, spec->copy_by_hand, &s->copier, err);
}

/* The database's name in its folder is as durable as its first commit. */
static int sync_folder(const char *path, struct asy_error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = 0;

    if (fd < 0)
        return asy_fail_errno(err, errno, "cannot open '%s'", path);
    if (fsync(fd) < 0 && errno != EINVAL) /* EINVAL: names are synced by themselves here */
        rc = asy_fail_errno(err, errno, "cannot sync '%s'", path);
    close(fd);
    return rc;
}

/* A new database readable by its owner alone; SQLite's other files take its mode over. The
 * descriptor is closed before SQLite takes locks, which closing it would drop. */
int asy__sqlite_create(const char *path, struct asy_error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return asy_fail_errno(err, errno, "cannot open '%s'", path);
    close(fd);
    return 0;
}

int asy__sqlite_open(const struct asy_store_spec *spec, struct asy_store **ret_store,
                     struct asy_error *err)
{
    struct asy__sqlite *s = NULL;
    struct asy__seen seen;
    char path[PATH_MAX];
    int rc;

    if ((rc = db_path(spec->path, path, err)) || (rc = asy_durable_mkdirs(spec->path, err)))
        return rc;
    if (!(s = calloc(1, sizeof *s)))
        return asy_fail(err, ASY_E_NOMEM, "no memory to open a store");
    s->base.ops = &ops;
    s->no_sync = spec->no_sync;
    if (!(s->folder = strdup(spec->path))) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory to open a store");
        goto out;
    }
    if ((rc = asy_fs_of(spec->path, s->base.info.fs, &s->base.info.network_fs, err)))
        goto out;
    s->base.info.network_fs |= spec->assume_network;
    if ((rc = asy__lock_take(spec->path, s->base.info.network_fs, &s->base.lock, &seen, err)) ||
        (rc = asy__sqlite_create(path, err)) ||
        (rc = asy__sqlite_connect(&s->db, path, spec->vfs,
                                  SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, err)))
        goto out;
    if ((rc = setup(s, err)) || (rc = migrate(&s->db, err)) || (rc = take(s, path, &seen, err)) ||
        (rc = sync_folder(spec->path, err)) || (rc = start_copier(s, spec, path, err))) {
        asy_error_prefix(err, "store '%s'", path);
        s->base.info.id = ASY_ID_NONE; /* it never was ours: the lock file stays as it is */
        goto out;
    }
    asy__lock_beat(s->base.lock, &s->base.info);
    *ret_store = &s->base;
    s = NULL;
out:
    if (s)
        close_store(&s->base);
    return rc;
}

/* ---- a reader's own connection --------------------------------------------------------------- */

void asy__sqlite_reader_close(struct asy_reader *base)
{
    struct asy__sqlite_reader *r = (struct asy__sqlite_reader *)base;

    asy__reader_fini(r);
    asy__db_close(&r->db);
    free(r);
}

static int reader_setup(struct asy__sqlite_reader *r, struct asy_error *err)
{
    int64_t version;
    int rc;

    if ((rc = asy__reader_init(r, err)) ||
        (rc = asy__db_exec(&r->db, "PRAGMA query_only=1; PRAGMA mmap_size=268435456;"
                           "PRAGMA temp_store=MEMORY; PRAGMA trusted_schema=OFF;",
                           "set up the connection", err)) ||
        (rc = asy__sqlite_check_schema(&r->db, &version, err)))
        return rc;
    keep_log(&r->db);
    sqlite3_progress_handler(r->db.db, TICK_OPS, asy__reader_tick, &r->db);
    if (version != ASY__SCHEMA_VERSION)
        return asy_fail(err, ASY_E_STATE, "it has schema version %lld: its owner must open it "
                                          "first", (long long)version);
    return 0;
}

int asy__sqlite_reader_open(const struct asy_store_spec *spec, struct asy_reader **ret_reader,
                            struct asy_error *err)
{
    struct asy__sqlite_reader *r = NULL;
    char path[PATH_MAX], fs[32];
    int network, rc;

    if ((rc = db_path(spec->path, path, err)) || (rc = asy_fs_of(spec->path, fs, &network, err)))
        return rc;
    if (network || spec->assume_network)
        return asy_fail(err, ASY_E_STATE, "cannot open a reader of '%s': on a network file system "
                        "(%s) its owner alone reads it", path, fs);
    if (!(r = calloc(1, sizeof *r)))
        return asy_fail(err, ASY_E_NOMEM, "no memory to open a reader");
    r->base.ops = &asy__sqlite_reader_ops;
    r->db.hold_ms = spec->hold_ms ? spec->hold_ms : HOLD_MS;
    if ((rc = asy__sqlite_connect(&r->db, path, spec->vfs, SQLITE_OPEN_READWRITE, err)))
        goto out;
    if ((rc = reader_setup(r, err))) {
        asy_error_prefix(err, "store '%s'", path);
        goto out;
    }
    *ret_reader = &r->base;
    r = NULL;
out:
    if (r)
        asy__sqlite_reader_close(&r->base);
    return rc;
}

/* ---- a look from outside --------------------------------------------------------------------- */

/* "file:<path>?immutable=1": no lock, no file beside it, nothing written. */
static void immutable_uri(const char *path, char uri[3 * PATH_MAX + 32])
{
    size_t n = 0;

    n += (size_t)snprintf(uri, 8, "file:");
    for (const char *at = path; *at; at++) {
        if (strchr("%?#", *at))
            n += (size_t)snprintf(uri + n, 4, "%%%02X", (unsigned)*at);
        else
            uri[n++] = *at;
    }
    snprintf(uri + n, 16, "?immutable=1");
}

/* A store that was closed in order has no log beside it and stands whole in its file: then SQLite
 * is kept from making the files that a reader of a log needs. */
static int connect_to_look(struct asy__db *db, const char *path, struct asy_error *err)
{
    char log[PATH_MAX + 8], uri[3 * PATH_MAX + 32];

    snprintf(log, sizeof log, "%s-wal", path);
    if (access(log, F_OK) == 0)
        return asy__sqlite_connect(db, path, NULL, SQLITE_OPEN_READONLY, err);
    immutable_uri(path, uri);
    return asy__sqlite_connect(db, uri, NULL, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, err);
}

static int look(struct asy__db *db, struct asy_store_look *ret, struct asy_error *err)
{
    struct asy_store_info info = { .port = 0 };
    char place[64];
    int64_t version;
    int found, rc;

    if ((rc = asy__sqlite_check_schema(db, &version, err)))
        return rc;
    ret->schema = (int)version;
    if (version == 0 || (rc = read_self(db, &info, place, &found, err)))
        return rc; /* 0: its owner ended before it had made the tables */
    ret->id = info.id;
    ret->owner_epoch = info.owner_epoch;
    ret->port = info.port;
    return 0;
}

int asy__sqlite_look(const char *folder, struct asy_store_look *ret, struct asy_error *err)
{
    struct asy__db db = { .db = NULL };
    char path[PATH_MAX];
    int rc;

    ret->exists = 0;
    ret->schema_known = ASY__SCHEMA_VERSION;
    if ((rc = db_path(folder, path, err)))
        return rc;
    if (access(path, F_OK) < 0)
        return errno == ENOENT ? 0 : asy_fail_errno(err, errno, "cannot look at '%s'", path);
    ret->exists = 1;
    if (access(path, R_OK) < 0)
        return asy_fail_errno(err, errno, "cannot read '%s'", path);
    if ((rc = connect_to_look(&db, path, err)) == 0 && (rc = look(&db, ret, err)) < 0)
        asy_error_prefix(err, "store '%s'", path);
    asy__db_close(&db);
    return rc;
}
