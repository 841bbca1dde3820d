/* SPDX-License-Identifier: Apache-2.0
 * backup.c - a copy of the database as one file while its owner goes on, and a new store from it.
 *
 * SQLite copies page by page within one read transaction: on a local disk (write-ahead log) writers
 * go on meanwhile, and the log grows until the copy is done. On a network file system the owner
 * holds the database alone, so there the store must be closed. VACUUM INTO was the other way: it
 * sorts every table anew, which takes several times as long.
 *
 * The copy bears a place that no file has, so whoever opens it makes a new store of it. */
#include <asy/fs.h>
#include <asy/store.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <asy/durable.h>
#include "sqlite_impl.h"

#define PLACE "backup"

static int copy_pages(struct asy__db *from, struct asy__db *to, struct asy_error *err)
{
    sqlite3_backup *backup = sqlite3_backup_init(to->db, "main", from->db, "main");
    int code;

    if (!backup)
        return asy__db_fail(to, "begin the copy", err);
    code = sqlite3_backup_step(backup, -1);
    sqlite3_backup_finish(backup);
    if (code == SQLITE_DONE)
        return 0;
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED)
        return asy_fail(err, ASY_E_BUSY, "its coordinator has it for itself, as on every network "
                        "file system: end it first ('assay down')");
    return asy__db_fail(to, "copy the database", err);
}

/* As one file, without a log; refuses what is no store of ours. */
static int finish_copy(struct asy__db *to, struct asy_error *err)
{
    int64_t version;
    int rc;

    if ((rc = asy__sqlite_check_schema(to, &version, err)))
        return rc;
    if (version == 0)
        return asy_fail(err, ASY_E_CORRUPT, "there is no store in it");
    if ((rc = asy__db_exec(to, "PRAGMA synchronous=FULL", "set up the copy", err)) ||
        (rc = asy__db_exec(to, "PRAGMA journal_mode=DELETE", "set up the copy", err)))
        return rc;
    return asy__db_exec(to, "UPDATE store SET place='" PLACE "'", "mark the copy", err);
}

static int describe(struct asy__db *to, const char *path, struct asy_store_copy *ret,
                    struct asy_error *err)
{
    struct stat st;
    int64_t seq, studies;
    int rc;

    if ((rc = asy__sqlite_number(to, "SELECT max(seq) FROM event", &seq, err)) ||
        (rc = asy__sqlite_number(to, "SELECT count(*) FROM study", &studies, err)))
        return rc;
    ret->last_seq = (uint64_t)seq;
    ret->studies = (uint64_t)studies;
    ret->bytes = stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
    return 0;
}

/* from to the new file temp, durable, then under its name. */
static int copy_store(const char *from, int flags, const char *temp, const char *path,
                      struct asy_store_copy *ret, struct asy_error *err)
{
    struct asy__db source = { .db = NULL }, copy = { .db = NULL };
    int rc;

    ASY_IGNORE(unlink(temp) < 0 && errno != ENOENT); /* of a copy that was cut short */
    if ((rc = asy__sqlite_connect(&source, from, NULL, flags, err)) ||
        (rc = asy__sqlite_create(temp, err)) ||
        (rc = asy__sqlite_connect(&copy, temp, NULL, SQLITE_OPEN_READWRITE, err)))
        goto out;
    if ((rc = copy_pages(&source, &copy, err)) || (rc = finish_copy(&copy, err)) ||
        (rc = describe(&copy, temp, ret, err)))
        asy_error_prefix(err, "store '%s'", from);
out:
    asy__db_close(&copy);
    asy__db_close(&source);
    if (rc == 0)
        rc = asy_durable_move(temp, path, err);
    if (rc)
        unlink(temp);
    return rc;
}

static int names(const char *folder, const char *path, char db[PATH_MAX], char temp[PATH_MAX],
                 struct asy_error *err)
{
    int n = snprintf(db, PATH_MAX, "%s/assay.db", folder);
    int m = snprintf(temp, PATH_MAX, "%s.part", path);

    if (n < 0 || n + 16 > PATH_MAX || m < 0 || m >= PATH_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "a path of %d characters is too long", n > m ? n : m);
    return 0;
}

int asy_store_backup(const char *folder, const char *file, struct asy_store_copy *ret,
                     struct asy_error *err)
{
    char db[PATH_MAX], temp[PATH_MAX];
    int rc;

    if ((rc = names(folder, file, db, temp, err)))
        return rc;
    if (access(db, F_OK) < 0)
        return asy_fail(err, ASY_E_NOENT, "there is no store in '%s'", folder);
    if (access(file, F_OK) == 0)
        return asy_fail(err, ASY_E_EXISTS, "'%s' is there already: a backup overwrites nothing",
                        file);
    return copy_store(db, SQLITE_OPEN_READWRITE, temp, file, ret, err);
}

static int must_be_empty(const char *folder, const char *db, struct asy_error *err)
{
    if (access(db, F_OK) < 0)
        return 0;
    return asy_fail(err, ASY_E_EXISTS, "there is a store in '%s' already: move that folder away "
                    "first, or restore into another home", folder);
}

int asy_store_restore(const char *folder, const char *file, struct asy_store_copy *ret,
                      struct asy_error *err)
{
    char db[PATH_MAX], temp[PATH_MAX], log[PATH_MAX + 8];
    struct asy__lock *lock = NULL;
    struct asy__seen seen;
    int network, rc;

    snprintf(log, sizeof log, "%s/assay.db", folder);
    if ((rc = names(folder, log, db, temp, err)) || (rc = must_be_empty(folder, db, err)) ||
        (rc = asy_durable_mkdirs(folder, err)) ||
        (rc = asy_fs_of(folder, (char[32]){ 0 }, &network, err)) ||
        (rc = asy__lock_take(folder, network, &lock, &seen, err)))
        return rc;
    if ((rc = must_be_empty(folder, db, err)))
        goto out;
    if (access(file, R_OK) < 0) {
        rc = asy_fail_errno(err, errno, "cannot read '%s'", file);
        goto out;
    }
    snprintf(log, sizeof log, "%s-wal", db);
    ASY_IGNORE(unlink(log) < 0); /* of a database that is not there any more */
    rc = copy_store(file, SQLITE_OPEN_READONLY, temp, db, ret, err);
out:
    asy__lock_drop(lock, NULL);
    return rc;
}
