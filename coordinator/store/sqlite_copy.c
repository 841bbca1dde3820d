/* SPDX-License-Identifier: Apache-2.0
 * sqlite_copy.c - copying the log back into the database, beside the writer.
 *
 * SQLite by itself does it inside the commit that makes the log long, which then takes tens of
 * milliseconds. Here a thread with a connection of its own does it in rounds (PASSIVE checkpoints:
 * they wait for nobody, and sync the log before), while the writer goes on.
 * What the writer adds meanwhile is the rest for the next round, and the log can begin anew only
 * when nothing is left. SQLite syncs the database in that last round alone; so that the writer
 * finds little to sync then, the thread does it in each. So once a round has left a small rest, the
 * writer copies that by itself between two commits, and its next one starts the log at the front.
 *
 * The log stays bounded: the longer it has grown, the larger a rest the writer takes upon itself,
 * and at LOG_PAGES it takes any. A reader that looks at an old state keeps the log from being begun
 * anew, whoever copies; so a query is ended that goes on for long while the log is.
 *
 * Rejected: RESTART checkpoints from the thread, which keep the writer out while they copy and let
 * it find out by polling. */
#include "sqlite_impl.h"
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <asy/clock.h>

#define COPY_PAGES 4096   /* a round is worth while: rows of one burst hit the same pages again */
#define REST_PAGES 128    /* the writer takes at once: a millisecond or two */
#define LOG_PAGES 32768   /* 128 MiB */
#define HELP_AGAIN_PAGES 1024

struct asy__copier {
    struct asy__db db;
    pthread_t thread;
    int runs;             /* the thread */
    int no_sync;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t turn;  /* something below changed */
    int wanted, busy, stop;
    uint64_t log;         /* which one the writer has */
    uint64_t copied_log;  /* that of the last round, and what it has of it in the database */
    int copied;
    int rc;               /* of a failed round: the database cannot be written any more */
    struct asy_error err;
};

/* ---- a round --------------------------------------------------------------------------------- */

/* *ret_copied: pages of the log that are in the database. A full disk, or somebody else at it, is
 * no failure: the rest stays in the log. */
static int copy(struct asy__db *db, int *ret_pages, int *ret_copied, struct asy_error *err)
{
    struct asy_error why = ASY_ERROR_INIT;
    int pages = -1, copied = -1, rc = 0;

    if (sqlite3_wal_checkpoint_v2(db->db, NULL, SQLITE_CHECKPOINT_PASSIVE, &pages, &copied) !=
        SQLITE_OK)
        rc = asy__db_fail(db, "copy the log back", &why);
    *ret_pages = rc || pages < 0 ? 0 : pages;
    *ret_copied = rc || copied < 0 ? 0 : copied;
    if (rc == ASY_E_BUSY || rc == ASY_E_NOSPACE || rc == ASY_E_NOMEM)
        return 0;
    if (rc && err)
        *err = why;
    return rc;
}

static int sync_database(struct asy__db *db, struct asy_error *err)
{
    sqlite3_file *file = NULL;

    if (sqlite3_file_control(db->db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK ||
        !file || !file->pMethods || file->pMethods->xSync(file, SQLITE_SYNC_NORMAL) != SQLITE_OK)
        return asy_fail(err, ASY_E_IO, "cannot copy the log back: the database cannot be synced");
    return 0;
}

static void one_round(struct asy__copier *c)
{
    struct asy_error err = ASY_ERROR_INIT;
    uint64_t log = c->log;
    int pages, copied, rc;

    c->wanted = 0;
    c->busy = 1;
    pthread_mutex_unlock(&c->lock);
    rc = copy(&c->db, &pages, &copied, &err);
    if (!rc && copied > 0 && !c->no_sync)
        rc = sync_database(&c->db, &err);
    pthread_mutex_lock(&c->lock);
    c->busy = 0;
    c->copied = copied;
    c->copied_log = log;
    if (rc && !c->rc) {
        c->rc = rc;
        c->err = err;
    }
    pthread_cond_broadcast(&c->turn);
}

static void *copier_main(void *arg)
{
    struct asy__copier *c = arg;

    pthread_mutex_lock(&c->lock);
    while (!c->stop) {
        if (c->wanted)
            one_round(c);
        else
            pthread_cond_wait(&c->turn, &c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

void asy__copier_round(struct asy__copier *c)
{
    pthread_mutex_lock(&c->lock);
    one_round(c);
    pthread_mutex_unlock(&c->lock);
}

/* ---- begin and end --------------------------------------------------------------------------- */

/* Signals are for the program's own threads. */
static int start(struct asy__copier *c, struct asy_error *err)
{
    sigset_t all, old;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = pthread_create(&c->thread, NULL, copier_main, c);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc)
        return asy_fail_errno(err, rc, "cannot start the thread that copies the log back");
    c->runs = 1;
    return 0;
}

int asy__copier_open(sqlite3 *db, int no_sync, int by_hand, struct asy__copier **ret_copier,
                     struct asy_error *err)
{
    struct asy__copier *c = calloc(1, sizeof *c);
    int rc;

    if (!c) {
        sqlite3_close_v2(db);
        return asy_fail(err, ASY_E_NOMEM, "no memory for the thread that copies the log back");
    }
    c->db.db = db;
    c->no_sync = no_sync;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->turn, NULL);
    /* Only a connection that has read the database knows that it has a log. */
    if ((rc = asy__db_exec(&c->db, no_sync ? "PRAGMA synchronous=OFF; SELECT 1 FROM store"
                                           : "PRAGMA synchronous=FULL; SELECT 1 FROM store",
                           "set up the connection", err)) ||
        (!by_hand && (rc = start(c, err)))) {
        asy__copier_close(c);
        return rc;
    }
    *ret_copier = c;
    return 0;
}

void asy__copier_close(struct asy__copier *c)
{
    if (!c)
        return;
    if (c->runs) {
        pthread_mutex_lock(&c->lock);
        c->stop = 1;
        pthread_cond_broadcast(&c->turn);
        pthread_mutex_unlock(&c->lock);
        pthread_join(c->thread, NULL);
    }
    pthread_cond_destroy(&c->turn);
    pthread_mutex_destroy(&c->lock);
    asy__db_close(&c->db);
    free(c);
}

/* ---- the writer's side ----------------------------------------------------------------------- */

int asy__log_grew(void *arg, sqlite3 *db, const char *name, int pages)
{
    struct asy__log *log = arg;

    (void)db, (void)name;
    if (pages <= log->pages) { /* it was begun anew */
        log->number++;
        log->copied = log->rest = log->help_at = 0;
    }
    log->pages = pages;
    return SQLITE_OK;
}

int asy__copier_failed(struct asy__copier *c, struct asy_error *err)
{
    int rc;

    if (!c)
        return 0;
    pthread_mutex_lock(&c->lock);
    if ((rc = c->rc) && err)
        *err = c->err;
    pthread_mutex_unlock(&c->lock);
    return rc;
}

/* The writer's own hand, while the thread rests. */
static void help(struct asy__sqlite *s)
{
    struct asy_error err = ASY_ERROR_INIT;
    int pages, rc = copy(&s->db, &pages, &s->log.copied, &err);

    /* Not with each commit again, should a reader keep the log from being begun anew. */
    s->log.help_at = s->log.pages + HELP_AGAIN_PAGES;
    s->log.rest = 0;
    if (!rc)
        return;
    pthread_mutex_lock(&s->copier->lock);
    s->copier->rc = rc;
    s->copier->err = err;
    pthread_mutex_unlock(&s->copier->lock);
}

/* Waits out the round under way, and has no other begin. */
static void rest(struct asy__copier *c)
{
    pthread_mutex_lock(&c->lock);
    c->wanted = 0;
    while (c->busy)
        pthread_cond_wait(&c->turn, &c->lock);
    pthread_mutex_unlock(&c->lock);
}

/* How much the writer copies by itself in a log of this length. */
static int allowed_rest(int pages)
{
    return pages >= LOG_PAGES ? pages : REST_PAGES + (pages - COPY_PAGES) / 8;
}

/* Asks for a round if that would do more than the last one: its rest shrinks, or has gathered. */
static void ask(struct asy__copier *c, struct asy__log *log, int left)
{
    if (!c->runs || (left < COPY_PAGES && (log->rest == 0 || left > log->rest / 4 * 3)))
        return;
    log->rest = left;
    c->wanted = 1;
    pthread_cond_broadcast(&c->turn);
}

void asy__copier_after(struct asy__sqlite *s)
{
    struct asy__copier *c = s->copier;
    struct asy__log *log = &s->log;
    int left, mine;

    if (!c || log->pages < COPY_PAGES)
        return;
    if (log->pages >= LOG_PAGES && log->pages >= log->help_at)
        rest(c);
    pthread_mutex_lock(&c->lock);
    if (c->copied_log == log->number && c->copied > log->copied)
        log->copied = c->copied;
    c->log = log->number;
    left = log->pages - log->copied;
    mine = !c->wanted && !c->busy && left <= allowed_rest(log->pages);
    if (!mine && !c->wanted && !c->busy)
        ask(c, log, left);
    pthread_mutex_unlock(&c->lock);
    if (mine && log->pages >= log->help_at)
        help(s);
}

/* ---- readers --------------------------------------------------------------------------------- */

static int64_t log_bytes(sqlite3 *db)
{
    const char *path = sqlite3_db_filename(db, "main");
    struct stat st;

    return path && stat(sqlite3_filename_wal(path), &st) == 0 ? (int64_t)st.st_size : 0;
}

int asy__reader_tick(void *arg)
{
    struct asy__db *db = arg;
    int64_t since_ms = db->began_ms;

    return since_ms && asy_clock_ms() - since_ms > db->hold_ms &&
           log_bytes(db->db) > (int64_t)LOG_PAGES * ASY__PAGE_BYTES;
}
