/* SPDX-License-Identifier: Apache-2.0
 * sqlite_commit.c - the transaction: events are put in order, changed rows are written, all or
 * nothing.
 *
 * Rows of studies and trials change in the cache and are written once per commit, however many of
 * its events touched them: a trial that ends, or one that is created and leased in the same commit,
 * costs one statement.
 *
 * Pointers into events live as long as the commit; the rows in the cache outlive it, so their texts
 * are NULL again after it, which the statements read as "as it was". */
#include "sqlite_impl.h"
#include "sqlite_sql.h"

#define TRIALS_CACHED 262144u

/* ---- events ---------------------------------------------------------------------------------- */

static void dirty_study(struct asy__sqlite *s, struct asy__live_study *study)
{
    if (study->dirty)
        return;
    study->dirty = 1;
    study->next_dirty = s->cache.dirty_studies;
    s->cache.dirty_studies = study;
}

static int add_event(struct asy__sqlite *s, const struct asy_event *ev,
                     const struct asy__live_study *study, uint64_t seq, struct asy_error *err)
{
    sqlite3_stmt *stmt;
    int rc = 0;

    asy_buf_clear(&s->body);
    if ((rc = asy_event_encode(ev, &s->body, err)) ||
        (rc = asy_buf_check(&s->body, "an event", err)) ||
        !(stmt = asy__db_stmt(&s->db, W_EVENT, &rc, err)))
        return rc;
    asy__bind_u64(stmt, 1, seq);
    asy__bind_u64(stmt, 2, study ? study->owner : 0);
    asy__bind_u64(stmt, 3, study ? study->id : 0);
    if (ev->trial == ASY__NO_TRIAL)
        sqlite3_bind_null(stmt, 4);
    else
        asy__bind_u64(stmt, 4, ev->trial);
    sqlite3_bind_int64(stmt, 5, ev->attempt);
    sqlite3_bind_int(stmt, 6, ev->kind);
    sqlite3_bind_int64(stmt, 7, ev->wall_us);
    sqlite3_bind_blob64(stmt, 8, s->body.data, s->body.len, SQLITE_STATIC);
    return asy__db_run(&s->db, stmt, err);
}

static int put(struct asy__sqlite *s, const struct asy_event *ev, uint64_t seq,
               struct asy_error *err)
{
    struct asy__live_study *study = NULL;
    int rc = asy__live_study(s, ev->study, &study, err);

    if (rc || (rc = asy__check_event(ev, study ? &study->row.trials : NULL, err)))
        return rc;
    if (ev->kind == ASY_EV_STUDY_CREATED && (rc = asy__row_of_study(s, ev, seq, &study, err)))
        return rc;
    if (study) {
        study->events++;
        study->last_seq = seq;
        dirty_study(s, study);
    }
    if ((rc = add_event(s, ev, study, seq, err)))
        return rc;
    return asy__rows_of_event(s, ev, study, seq, err);
}

/* ---- changed rows ---------------------------------------------------------------------------- */

static int insert_run(struct asy__sqlite *s, const struct asy__live_trial *t,
                      struct asy_error *err)
{
    const struct asy_event *ev = t->created;
    uint64_t host, source;
    sqlite3_stmt *stmt;
    int rc = 0;

    if ((rc = asy__word_id(s, t->row.host, &host, err)) ||
        (rc = asy__word_id(s, ev->trial_created.source, &source, err)) ||
        !(stmt = asy__db_stmt(&s->db, W_RUN_ADD, &rc, err)))
        return rc;
    asy__bind_u64(stmt, 1, t->id);
    asy__bind_u64(stmt, 2, t->study->owner);
    asy__bind_id(stmt, 3, &ev->trial_created.id);
    sqlite3_bind_int(stmt, 4, t->row.state);
    sqlite3_bind_int(stmt, 5, t->row.cause);
    asy__bind_text(stmt, 6, t->row.text);
    asy__bind_f64(stmt, 7, t->row.value);
    asy__bind_u64(stmt, 9, t->row.step);
    asy__bind_u64(stmt, 10, ev->trial_created.seed);
    sqlite3_bind_int64(stmt, 11, t->row.attempts);
    sqlite3_bind_int64(stmt, 12, t->row.created_us);
    sqlite3_bind_int64(stmt, 13, t->row.started_us);
    sqlite3_bind_int64(stmt, 14, t->row.ended_us);
    asy__bind_u64(stmt, 15, host);
    asy__bind_u64(stmt, 16, source);
    asy__bind_text(stmt, 17, ev->trial_created.params);
    asy__bind_text(stmt, 18, t->row.outcome);
    asy__bind_u64(stmt, 19, ev->trial_created.parent);
    asy__bind_u64(stmt, 20, ev->trial_created.member);
    return asy__db_run(&s->db, stmt, err);
}

static int update_run(struct asy__sqlite *s, const struct asy__live_trial *t,
                      struct asy_error *err)
{
    sqlite3_stmt *stmt;
    uint64_t host;
    int rc = 0;

    if (t->dirty == ASY__PROGRESS) {
        if (!(stmt = asy__db_stmt(&s->db, W_RUN_STEP, &rc, err)))
            return rc;
        asy__bind_u64(stmt, 1, t->row.step);
        asy__bind_u64(stmt, 2, t->id);
        return asy__db_run(&s->db, stmt, err);
    }
    if ((rc = asy__word_id(s, t->row.host, &host, err)) ||
        !(stmt = asy__db_stmt(&s->db, W_RUN_STATE, &rc, err)))
        return rc;
    sqlite3_bind_int(stmt, 1, t->row.state);
    sqlite3_bind_int(stmt, 2, t->row.cause);
    sqlite3_bind_text(stmt, 3, t->row.text, -1, SQLITE_STATIC); /* NULL: as it was */
    asy__bind_f64(stmt, 4, t->row.value);
    asy__bind_u64(stmt, 6, t->row.step);
    sqlite3_bind_int64(stmt, 7, t->row.attempts);
    sqlite3_bind_int64(stmt, 8, t->row.started_us);
    sqlite3_bind_int64(stmt, 9, t->row.ended_us);
    if (t->row.host)
        asy__bind_u64(stmt, 10, host);
    else
        sqlite3_bind_null(stmt, 10);
    sqlite3_bind_text(stmt, 11, t->row.outcome, -1, SQLITE_STATIC); /* NULL: as it was */
    asy__bind_u64(stmt, 12, t->id);
    return asy__db_run(&s->db, stmt, err);
}

static int update_study(struct asy__sqlite *s, const struct asy__live_study *study,
                        struct asy_error *err)
{
    sqlite3_stmt *stmt;
    int rc = 0, i = 1;

    if (!(stmt = asy__db_stmt(&s->db, W_STUDY_COUNTS, &rc, err)))
        return rc;
    asy__bind_u64(stmt, i++, study->events);
    asy__bind_u64(stmt, i++, study->last_seq);
    for (int state = ASY_TRIAL_QUEUED; state <= ASY_TRIAL_CANCELLED; state++)
        asy__bind_u64(stmt, i++, study->row.counts[state]);
    asy__bind_f64(stmt, i, study->row.best);
    sqlite3_bind_int64(stmt, i + 2, study->row.best_trial);
    asy__bind_u64(stmt, i + 3, study->id);
    if ((rc = asy__db_run(&s->db, stmt, err)) || !study->changed)
        return rc;
    if (!(stmt = asy__db_stmt(&s->db, W_STUDY_STATE, &rc, err)))
        return rc;
    sqlite3_bind_int(stmt, 1, study->row.state);
    sqlite3_bind_int(stmt, 2, study->row.cause);
    sqlite3_bind_text(stmt, 3, study->row.text, -1, SQLITE_STATIC); /* NULL: as it was */
    sqlite3_bind_int64(stmt, 4, study->row.ended_us);
    asy__bind_u64(stmt, 5, study->state_seq);
    asy__bind_u64(stmt, 6, study->id);
    return asy__db_run(&s->db, stmt, err);
}

static int flush(struct asy__sqlite *s, struct asy_error *err)
{
    int rc = 0;

    for (struct asy__live_trial *t = s->cache.dirty_trials; t && rc == 0; t = t->next_dirty)
        rc = t->created ? insert_run(s, t, err) : update_run(s, t, err);
    for (struct asy__live_study *st = s->cache.dirty_studies; st && rc == 0; st = st->next_dirty)
        rc = update_study(s, st, err);
    return rc;
}

/* The commit is on disk: nothing is dirty, nothing points into its events, ended trials leave. */
static void settle(struct asy__sqlite *s)
{
    for (struct asy__live_trial *t = s->cache.dirty_trials, *next; t; t = next) {
        next = t->next_dirty;
        t->dirty = 0;
        t->created = NULL;
        t->row.text = t->row.host = t->row.outcome = NULL;
        if (asy_trial_state_ended(t->row.state))
            asy__cache_drop_trial(&s->cache, t);
    }
    for (struct asy__live_study *st = s->cache.dirty_studies; st; st = st->next_dirty) {
        st->dirty = st->changed = 0;
        st->row.text = NULL;
    }
    s->cache.dirty_trials = NULL;
    s->cache.dirty_studies = NULL;
    if (s->cache.n_trials > TRIALS_CACHED)
        asy__cache_clear(&s->cache);
}

/* ---- the transaction ------------------------------------------------------------------------- */

int asy__sqlite_lost(struct asy_error *err)
{
    return asy_fail(err, ASY_E_BUSY, "cannot write to the store: another owner has taken it");
}

static int run_plain(struct asy__sqlite *s, enum asy__write_stmt which, struct asy_error *err)
{
    int rc = 0;
    sqlite3_stmt *stmt = asy__db_stmt(&s->db, which, &rc, err);

    return stmt ? asy__db_run(&s->db, stmt, err) : rc;
}

static int begin(struct asy__sqlite *s, struct asy_error *err)
{
    sqlite3_stmt *stmt;
    uint64_t epoch;
    int rc = run_plain(s, W_BEGIN, err);

    if (rc || !(stmt = asy__db_stmt(&s->db, W_OWNED, &rc, err)))
        return rc;
    if ((rc = asy__db_row(&s->db, stmt, err)) <= 0)
        return rc ? rc : asy__sqlite_lost(err);
    epoch = asy__col_u64(stmt, 0);
    asy__db_done(stmt);
    return epoch == s->base.info.owner_epoch ? 0 : asy__sqlite_lost(err);
}

int asy__sqlite_commit(struct asy_store *store, const struct asy_event *events, size_t n,
                       struct asy_error *err)
{
    struct asy__sqlite *s = (struct asy__sqlite *)store;
    int rc = asy__copier_failed(s->copier, err);

    if (rc)
        return rc;
    rc = begin(s, err);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = put(s, &events[i], store->info.last_seq + i + 1, err);
    if (rc == 0)
        rc = flush(s, err);
    if (rc == 0)
        rc = run_plain(s, W_COMMIT, err);
    if (rc == 0) {
        settle(s);
        asy__copier_after(s);
        return 0;
    }
    /* SQLite rolls back by itself after some failures, such as a full disk. */
    if (!sqlite3_get_autocommit(s->db.db))
        ASY_IGNORE(run_plain(s, W_ROLLBACK, NULL));
    asy__cache_clear(&s->cache);
    return rc == ASY_E_NOSPACE ? asy__no_space(s->folder, err) : rc;
}
