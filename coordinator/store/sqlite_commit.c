/* SPDX-License-Identifier: Apache-2.0
 * sqlite_commit.c - events into rows: one transaction per commit.
 *
 * Each event is inserted at once, and so are rows that are only ever added (metrics, parameters,
 * attempts, tags). Rows of studies and trials change in the cache and are written once per commit,
 * however many of its events touched them: a trial that ends, or one that is created and leased in
 * the same commit, costs one statement.
 *
 * Pointers into events live as long as the commit; the rows in the cache outlive it, so their texts
 * are NULL again after it, which the statements read as "as it was". */
#include "sqlite_impl.h"
#include <inttypes.h>
#include <string.h>
#include <asy/parse.h>
#include "sqlite_sql.h"

#define TRIALS_CACHED 262144u

const char *const asy__write_sql[] = {
    [W_BEGIN] = "BEGIN IMMEDIATE",
    [W_COMMIT] = "COMMIT",
    [W_ROLLBACK] = "ROLLBACK",
    [W_OWNED] = "SELECT owner_epoch FROM store",
    [W_EVENT] = "INSERT INTO event(seq, owner_id, study, trial, attempt, kind, wall_us, body)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    [W_USER_GET] = "SELECT id FROM user WHERE key = ?",
    [W_USER_ADD] = "INSERT INTO user(key) VALUES (?)",
    [W_PROJECT_GET] = "SELECT id FROM experiment WHERE name = ?",
    [W_PROJECT_ADD] = "INSERT INTO experiment(name, owner_id, created_us) VALUES (?, ?, ?)",
    [W_WORD_GET] = "SELECT id FROM word WHERE text = ?",
    [W_WORD_ADD] = "INSERT INTO word(text) VALUES (?)",
    [W_STUDY_GET] = "SELECT id, owner_id, maximize, state, cause, created_us, ended_us, state_seq,"
                    " last_seq, events, queued, leased, running, paused, complete, pruned, failed,"
                    " cancelled, best, best_is_nan, best_trial FROM study WHERE uuid = ?",
    [W_STUDY_ADD] = "INSERT INTO study(owner_id, uuid, experiment, name, spec, command_line,"
                    " maximize, state, created_us, created_seq, cause, text, ended_us, state_seq,"
                    " last_seq, events, queued, leased, running, paused, complete, pruned, failed,"
                    " cancelled, best, best_is_nan, best_trial)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,"
                    " 0, 0, 1, -1)",
    [W_STUDY_SPEC] = "UPDATE study SET spec = ? WHERE id = ?",
    [W_STUDY_COUNTS] = "UPDATE study SET events = ?, last_seq = ?, queued = ?, leased = ?,"
                       " running = ?, paused = ?, complete = ?, pruned = ?, failed = ?,"
                       " cancelled = ?, best = ?, best_is_nan = ?, best_trial = ? WHERE id = ?",
    [W_STUDY_STATE] = "UPDATE study SET state = ?, cause = ?, text = coalesce(?, text),"
                      " ended_us = ?, state_seq = ? WHERE id = ?",
    [W_RUN_GET] = "SELECT state, cause, value, is_nan, step, attempts, created_us, started_us,"
                  " ended_us FROM run WHERE id = ?",
    [W_RUN_ADD] = "INSERT INTO run(id, owner_id, uuid, state, cause, text, value, is_nan, step,"
                  " seed, attempts, created_us, started_us, ended_us, host, source, params)"
                  " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [W_RUN_STEP] = "UPDATE run SET step = ? WHERE id = ?",
    [W_RUN_STATE] = "UPDATE run SET state = ?, cause = ?, text = coalesce(?, text), value = ?,"
                    " is_nan = ?, step = ?, attempts = ?, started_us = ?, ended_us = ?,"
                    " host = coalesce(?, host) WHERE id = ?",
    [W_ATTEMPT_ADD] = "INSERT INTO attempt(run, attempt, owner_id, uuid, epoch, job, milestone,"
                      " from_attempt, from_step, step, cores, leased_us, started_us, ended_us,"
                      " host, hardware, versions, \"end\", cause, text, exit_code, signal, cpu_s,"
                      " max_rss) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, 0, 0, 0,"
                      " '', 0, 0, 0, 0)",
    [W_ATTEMPT_STARTED] = "UPDATE attempt SET started_us = ?, host = ?, hardware = ?,"
                          " versions = ? WHERE run = ? AND attempt = ?",
    [W_ATTEMPT_ENDED] = "UPDATE attempt SET ended_us = ?, \"end\" = ?, cause = ?, text = ?,"
                        " exit_code = ?, signal = ?, step = ?, cpu_s = ?, max_rss = ?"
                        " WHERE run = ? AND attempt = ?",
    [W_PARAM] = "INSERT OR REPLACE INTO param(run, name, owner_id, value) VALUES (?, ?, ?, ?)",
    [W_METRIC] = "INSERT OR REPLACE INTO metric(run, name, step, seq, owner_id, attempt, wall_us,"
                 " value, is_nan) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [W_UNDO_COPY] = "INSERT INTO metric_superseded SELECT * FROM metric WHERE run = ?"
                    " AND attempt > 0 AND step > ?",
    [W_UNDO_DROP] = "DELETE FROM metric WHERE run = ? AND attempt > 0 AND step > ?",
    [W_TAG] = "INSERT OR REPLACE INTO tag(run, owner_id, key, value) VALUES (?, ?, ?, ?)",
    [W_ARTIFACT] = "INSERT OR REPLACE INTO artifact(run, name, step, attempt, owner_id, path, sha,"
                   " bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    [W_ARTIFACT_DROP] = "DELETE FROM artifact WHERE run = ? AND name = 'checkpoint' AND step = ?"
                        " AND attempt = ?",
    [W_DATASET_ADD] = "INSERT OR IGNORE INTO dataset(owner_id, name, digest, source, profile)"
                      " VALUES (?, ?, ?, ?, ?)",
    [W_DATASET_GET] = "SELECT id FROM dataset WHERE name = ? AND digest = ?",
    [W_INPUT] = "INSERT OR IGNORE INTO input(run, dataset, owner_id) VALUES (?, ?, ?)",
    [W_WORKER_JOINED] = "INSERT INTO worker(owner_id, uuid, host, hardware, cores, memory, fit,"
                        " version, joined_us, joined_seq, gone_us, cause, text)"
                        " VALUES (0, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, 0, '')"
                        " ON CONFLICT(uuid) DO UPDATE SET host = ?2, hardware = ?3, cores = ?4,"
                        " memory = ?5, fit = ?6, version = ?7, joined_us = ?8, joined_seq = ?9,"
                        " gone_us = 0, cause = 0, text = ''",
    [W_WORKER_GONE] = "UPDATE worker SET gone_us = ?, cause = ?, text = ? WHERE uuid = ?",
    /* replay */
    [W_UNFINISHED] = "SELECT coalesce(min(created_seq), 0), coalesce(sum(events), 0) FROM study"
                     " WHERE state < 4",
    [W_FIXED] = "SELECT created_seq FROM study WHERE state >= 4 UNION ALL"
                " SELECT state_seq FROM study WHERE state >= 4 UNION ALL"
                " SELECT joined_seq FROM worker WHERE gone_us = 0 ORDER BY 1",
    [W_ONE_EVENT] = "SELECT e.seq, s.uuid, e.trial, e.attempt, e.kind, e.wall_us, e.body"
                    " FROM event e LEFT JOIN study s ON s.id = e.study WHERE e.seq = ?",
    [W_SCAN] = "SELECT e.seq, s.uuid, e.trial, e.attempt, e.kind, e.wall_us, e.body"
               " FROM event e NOT INDEXED CROSS JOIN study s ON s.id = e.study"
               " WHERE e.seq >= ? AND s.state < 4 ORDER BY e.seq",
    [W_LOOKUP] = "SELECT e.seq, s.uuid, e.trial, e.attempt, e.kind, e.wall_us, e.body FROM"
                 " (SELECT i.seq AS seq FROM study u CROSS JOIN event i ON i.study = u.id"
                 "  WHERE u.state < 4 AND i.seq >= ? ORDER BY 1) q"
                 " CROSS JOIN event e ON e.seq = q.seq CROSS JOIN study s ON s.id = e.study"
                 " ORDER BY q.seq",
};
const size_t asy__write_sql_len = W_N;
_Static_assert(ASY_STUDY_FINISHED == 4 && ASY_TRIAL_CANCELLED == 8, "the statements count on it");
_Static_assert(ASY_ARRAY_LEN(asy__write_sql) == W_N, "a statement for each name");

/* ---- small helpers --------------------------------------------------------------------------- */

/* The id that a text has in a table with the statements get and add; add's further places, if it
 * has them, are owner and time. */
static int intern(struct asy__sqlite *s, enum asy__write_stmt get, enum asy__write_stmt add,
                  const char *text, uint64_t owner, int64_t wall_us, uint64_t *ret,
                  struct asy_error *err)
{
    sqlite3_stmt *stmt;
    int rc = 0;

    if (!(stmt = asy__db_stmt(&s->db, get, &rc, err)))
        return rc;
    asy__bind_text(stmt, 1, text);
    if ((rc = asy__db_row(&s->db, stmt, err)) > 0) {
        *ret = asy__col_u64(stmt, 0);
        asy__db_done(stmt);
        return 0;
    }
    if (rc < 0 || !(stmt = asy__db_stmt(&s->db, add, &rc, err)))
        return rc;
    asy__bind_text(stmt, 1, text);
    if (add == W_PROJECT_ADD) {
        asy__bind_u64(stmt, 2, owner);
        sqlite3_bind_int64(stmt, 3, wall_us);
    }
    if ((rc = asy__db_run(&s->db, stmt, err)))
        return rc;
    *ret = (uint64_t)sqlite3_last_insert_rowid(s->db.db);
    return 0;
}

static void dirty_study(struct asy__sqlite *s, struct asy__live_study *study)
{
    if (study->dirty)
        return;
    study->dirty = 1;
    study->next_dirty = s->cache.dirty_studies;
    s->cache.dirty_studies = study;
}

static void dirty_trial(struct asy__sqlite *s, struct asy__live_trial *trial, unsigned change)
{
    if (!trial->dirty && change) {
        trial->next_dirty = s->cache.dirty_trials;
        s->cache.dirty_trials = trial;
    }
    trial->dirty |= change;
}

/* ---- one event ------------------------------------------------------------------------------- */

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

static int study_created(struct asy__sqlite *s, const struct asy_event *ev, uint64_t seq,
                         struct asy__live_study **ret, struct asy_error *err)
{
    struct asy__live_study *study = asy__cache_add_study(&s->cache, ev->study);
    uint64_t project;
    sqlite3_stmt *stmt;
    int rc = 0;

    if (!study)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a study");
    asy__study_init(&study->row, ev);
    if ((rc = intern(s, W_USER_GET, W_USER_ADD, ev->study_created.owner, 0, 0, &study->owner,
                     err)) ||
        (rc = intern(s, W_PROJECT_GET, W_PROJECT_ADD, ev->study_created.project, study->owner,
                     ev->wall_us, &project, err)) ||
        !(stmt = asy__db_stmt(&s->db, W_STUDY_ADD, &rc, err)))
        return rc;
    asy__bind_u64(stmt, 1, study->owner);
    asy__bind_id(stmt, 2, &ev->study);
    asy__bind_u64(stmt, 3, project);
    asy__bind_text(stmt, 4, ev->study_created.name);
    asy__bind_text(stmt, 5, ev->study_created.spec);
    asy__bind_text(stmt, 6, ev->study_created.command_line);
    sqlite3_bind_int(stmt, 7, study->row.maximize);
    sqlite3_bind_int(stmt, 8, study->row.state);
    sqlite3_bind_int64(stmt, 9, ev->wall_us);
    asy__bind_u64(stmt, 10, seq);
    if ((rc = asy__db_run(&s->db, stmt, err)))
        return rc;
    study->id = (uint64_t)sqlite3_last_insert_rowid(s->db.db);
    *ret = study;
    return 0;
}

static int study_changed(struct asy__sqlite *s, const struct asy_event *ev,
                         const struct asy__live_study *study, struct asy_error *err)
{
    sqlite3_stmt *stmt;
    int rc = 0;

    if (!(stmt = asy__db_stmt(&s->db, W_STUDY_SPEC, &rc, err)))
        return rc;
    asy__bind_text(stmt, 1, ev->study_changed.spec);
    asy__bind_u64(stmt, 2, study->id);
    return asy__db_run(&s->db, stmt, err);
}

/* The text of a parameter's value, as trackers show it. */
static void write_value(const struct asy_json *value, struct asy_buf *buf)
{
    char text[32];

    switch (asy_json_type(value)) {
    case ASY_JSON_STRING:
        asy_buf_adds(buf, asy_json_str(value, ""));
        break;
    case ASY_JSON_INT:
        asy_buf_addf(buf, "%" PRId64, asy_json_i64(value, 0));
        break;
    case ASY_JSON_REAL:
        asy_buf_adds(buf, asy_format_f64(asy_json_f64(value, 0), text));
        break;
    case ASY_JSON_BOOL:
        asy_buf_adds(buf, asy_json_bool(value, 0) ? "true" : "false");
        break;
    default:
        break;
    }
}

static int add_params(struct asy__sqlite *s, const struct asy__live_trial *t, const char *params,
                      struct asy_error *err)
{
    struct asy_json *root = NULL;
    const struct asy_json *value;
    const char *key;
    sqlite3_stmt *stmt = NULL;
    uint64_t word;
    int rc = 0;

    if (!params || !*params)
        return 0;
    if ((rc = asy_json_parse(params, strlen(params), &root, err))) {
        asy_error_prefix(err, "parameters of a trial");
        return rc;
    }
    for (size_t i = 0; (value = asy_json_member(root, i, &key)) && rc == 0; i++) {
        asy_buf_clear(&s->text);
        write_value(value, &s->text);
        if ((rc = asy_buf_check(&s->text, "a parameter", err)) ||
            (rc = asy__word_id(s, key, &word, err)) ||
            !(stmt = asy__db_stmt(&s->db, W_PARAM, &rc, err)))
            break;
        asy__bind_u64(stmt, 1, t->id);
        asy__bind_u64(stmt, 2, word);
        asy__bind_u64(stmt, 3, t->study->owner);
        sqlite3_bind_text(stmt, 4, s->text.data, (int)s->text.len, SQLITE_STATIC);
        rc = asy__db_run(&s->db, stmt, err);
    }
    asy_json_destroy(root);
    return rc;
}

static int trial_created(struct asy__sqlite *s, const struct asy_event *ev,
                         struct asy__live_study *study, struct asy_error *err)
{
    struct asy__live_trial *t = asy__cache_add_trial(&s->cache, asy__run_id(study->id, ev->trial));

    if (!t)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a trial");
    t->study = study;
    t->created = ev;
    asy__trial_init(&t->row, ev);
    study->row.trials++;
    study->row.counts[t->row.state]++;
    dirty_trial(s, t, ASY__STATE);
    return add_params(s, t, ev->trial_created.params, err);
}

/* An attempt undoes what earlier ones reported above the checkpoint it starts from. */
static int supersede(struct asy__sqlite *s, const struct asy_event *ev, uint64_t run,
                     struct asy_error *err)
{
    static const enum asy__write_stmt both[] = { W_UNDO_COPY, W_UNDO_DROP };
    int all, rc = 0;
    uint64_t above = asy__undone_above(ev, &all);

    for (size_t i = 0; i < ASY_ARRAY_LEN(both) && rc == 0; i++) {
        sqlite3_stmt *stmt = asy__db_stmt(&s->db, both[i], &rc, err);

        if (!stmt)
            return rc;
        asy__bind_u64(stmt, 1, run);
        sqlite3_bind_int64(stmt, 2, all ? INT64_MIN : (int64_t)above);
        rc = asy__db_run(&s->db, stmt, err);
    }
    return rc;
}

static int leased(struct asy__sqlite *s, const struct asy_event *ev,
                  const struct asy__live_trial *t, struct asy_error *err)
{
    sqlite3_stmt *stmt;
    int rc = 0;

    if (t->row.attempts > 0 && (rc = supersede(s, ev, t->id, err)))
        return rc;
    asy_buf_clear(&s->text);
    asy__write_cores(ev->leased.placements, ev->leased.n_placements, &s->text);
    if ((rc = asy_buf_check(&s->text, "a list of cores", err)) ||
        !(stmt = asy__db_stmt(&s->db, W_ATTEMPT_ADD, &rc, err)))
        return rc;
    asy__bind_u64(stmt, 1, t->id);
    sqlite3_bind_int64(stmt, 2, ev->attempt);
    asy__bind_u64(stmt, 3, t->study->owner);
    asy__bind_id(stmt, 4, &ev->leased.id);
    asy__bind_u64(stmt, 5, ev->leased.epoch);
    asy__bind_u64(stmt, 6, ev->leased.job);
    asy__bind_u64(stmt, 7, ev->leased.milestone);
    sqlite3_bind_int64(stmt, 8, ev->leased.from.attempt);
    asy__bind_u64(stmt, 9, ev->leased.from.step);
    asy__bind_u64(stmt, 10, ev->leased.from.step);
    sqlite3_bind_text(stmt, 11, s->text.data, (int)s->text.len, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 12, ev->wall_us);
    return asy__db_run(&s->db, stmt, err);
}

static int started(struct asy__sqlite *s, const struct asy_event *ev,
                   const struct asy__live_trial *t, struct asy_error *err)
{
    const char *const texts[] = { ev->started.host, ev->started.hardware, ev->started.versions };
    uint64_t words[ASY_ARRAY_LEN(texts)];
    sqlite3_stmt *stmt;
    int rc = 0;

    for (size_t i = 0; i < ASY_ARRAY_LEN(texts); i++)
        if ((rc = asy__word_id(s, texts[i], &words[i], err)))
            return rc;
    if (!(stmt = asy__db_stmt(&s->db, W_ATTEMPT_STARTED, &rc, err)))
        return rc;
    sqlite3_bind_int64(stmt, 1, ev->wall_us);
    for (size_t i = 0; i < ASY_ARRAY_LEN(texts); i++)
        asy__bind_u64(stmt, (int)i + 2, words[i]);
    asy__bind_u64(stmt, 5, t->id);
    sqlite3_bind_int64(stmt, 6, ev->attempt);
    return asy__db_run(&s->db, stmt, err);
}

static int add_metric(struct asy__sqlite *s, const struct asy_metric *metric, uint64_t run,
                      uint64_t step, uint32_t attempt, int64_t wall_us, uint64_t owner,
                      uint64_t seq, struct asy_error *err)
{
    sqlite3_stmt *stmt;
    uint64_t word;
    int rc = 0;

    if ((rc = asy__word_id(s, metric->name, &word, err)) ||
        !(stmt = asy__db_stmt(&s->db, W_METRIC, &rc, err)))
        return rc;
    asy__bind_u64(stmt, 1, run);
    asy__bind_u64(stmt, 2, word);
    asy__bind_u64(stmt, 3, step);
    asy__bind_u64(stmt, 4, seq);
    asy__bind_u64(stmt, 5, owner);
    sqlite3_bind_int64(stmt, 6, attempt);
    sqlite3_bind_int64(stmt, 7, wall_us);
    asy__bind_f64(stmt, 8, metric->value);
    return asy__db_run(&s->db, stmt, err);
}

static int reported(struct asy__sqlite *s, const struct asy_event *ev,
                    const struct asy__live_trial *t, uint64_t seq, struct asy_error *err)
{
    int64_t wall_us = ev->report.reporter_wall_us ? ev->report.reporter_wall_us : ev->wall_us;
    int rc = 0;

    for (size_t i = 0; i < ev->report.n_metrics && rc == 0; i++)
        rc = add_metric(s, &ev->report.metrics[i], t->id, ev->report.step, ev->attempt, wall_us,
                        t->study->owner, seq, err);
    return rc;
}

static int add_artifact(struct asy__sqlite *s, uint64_t run, uint64_t owner, const char *name,
                        const struct asy_checkpoint *file, struct asy_error *err)
{
    sqlite3_stmt *stmt;
    int rc = 0;

    if (!(stmt = asy__db_stmt(&s->db, W_ARTIFACT, &rc, err)))
        return rc;
    asy__bind_u64(stmt, 1, run);
    asy__bind_text(stmt, 2, name);
    asy__bind_u64(stmt, 3, file->step);
    sqlite3_bind_int64(stmt, 4, file->attempt);
    asy__bind_u64(stmt, 5, owner);
    asy__bind_text(stmt, 6, file->path);
    sqlite3_bind_blob(stmt, 7, file->sha.b, sizeof file->sha.b, SQLITE_STATIC);
    asy__bind_u64(stmt, 8, file->bytes);
    return asy__db_run(&s->db, stmt, err);
}

static int drop_checkpoint(struct asy__sqlite *s, uint64_t run, const struct asy_checkpoint *file,
                           struct asy_error *err)
{
    sqlite3_stmt *stmt;
    int rc = 0;

    if (!(stmt = asy__db_stmt(&s->db, W_ARTIFACT_DROP, &rc, err)))
        return rc;
    asy__bind_u64(stmt, 1, run);
    asy__bind_u64(stmt, 2, file->step);
    sqlite3_bind_int64(stmt, 3, file->attempt);
    return asy__db_run(&s->db, stmt, err);
}

static int ended(struct asy__sqlite *s, const struct asy_event *ev,
                 const struct asy__live_trial *t, struct asy_error *err)
{
    uint64_t step = ev->ended.step ? ev->ended.step : t->row.step;
    struct asy_checkpoint model = {
        .attempt = ev->attempt, .step = step, .sha = ev->ended.model_sha,
        .bytes = ev->ended.model_bytes, .path = ev->ended.model_path,
    };
    sqlite3_stmt *stmt;
    int rc = 0;

    if (!(stmt = asy__db_stmt(&s->db, W_ATTEMPT_ENDED, &rc, err)))
        return rc;
    sqlite3_bind_int64(stmt, 1, ev->wall_us);
    sqlite3_bind_int(stmt, 2, ev->ended.end);
    sqlite3_bind_int(stmt, 3, ev->ended.cause);
    asy__bind_text(stmt, 4, ev->ended.text);
    sqlite3_bind_int(stmt, 5, ev->ended.exit_code);
    sqlite3_bind_int(stmt, 6, ev->ended.signal);
    asy__bind_u64(stmt, 7, step);
    sqlite3_bind_double(stmt, 8, ev->ended.cpu_s >= 0 ? ev->ended.cpu_s : 0);
    asy__bind_u64(stmt, 9, ev->ended.max_rss);
    asy__bind_u64(stmt, 10, t->id);
    sqlite3_bind_int64(stmt, 11, ev->attempt);
    if ((rc = asy__db_run(&s->db, stmt, err)) || !ev->ended.model_path || !*ev->ended.model_path)
        return rc;
    return add_artifact(s, t->id, t->study->owner, "model", &model, err);
}

static int dataset_used(struct asy__sqlite *s, const struct asy_event *ev, uint64_t run,
                        uint64_t owner, struct asy_error *err)
{
    sqlite3_stmt *stmt;
    uint64_t dataset;
    int rc = 0;

    if (!(stmt = asy__db_stmt(&s->db, W_DATASET_ADD, &rc, err)))
        return rc;
    asy__bind_u64(stmt, 1, owner);
    asy__bind_text(stmt, 2, ev->dataset.name);
    asy__bind_text(stmt, 3, ev->dataset.digest);
    asy__bind_text(stmt, 4, ev->dataset.source);
    asy__bind_text(stmt, 5, ev->dataset.profile);
    if ((rc = asy__db_run(&s->db, stmt, err)) ||
        !(stmt = asy__db_stmt(&s->db, W_DATASET_GET, &rc, err)))
        return rc;
    asy__bind_text(stmt, 1, ev->dataset.name);
    asy__bind_text(stmt, 2, ev->dataset.digest);
    if ((rc = asy__db_row(&s->db, stmt, err)) <= 0)
        return rc ? rc : asy_fail(err, ASY_E_CORRUPT, "a dataset has no row");
    dataset = asy__col_u64(stmt, 0);
    asy__db_done(stmt);
    if (!(stmt = asy__db_stmt(&s->db, W_INPUT, &rc, err)))
        return rc;
    asy__bind_u64(stmt, 1, run);
    asy__bind_u64(stmt, 2, dataset);
    asy__bind_u64(stmt, 3, owner);
    return asy__db_run(&s->db, stmt, err);
}

static int tag_set(struct asy__sqlite *s, const struct asy_event *ev, uint64_t run, uint64_t owner,
                   struct asy_error *err)
{
    sqlite3_stmt *stmt;
    int rc = 0;

    if (!(stmt = asy__db_stmt(&s->db, W_TAG, &rc, err)))
        return rc;
    asy__bind_u64(stmt, 1, run);
    asy__bind_u64(stmt, 2, owner);
    asy__bind_text(stmt, 3, ev->tag.key);
    asy__bind_text(stmt, 4, ev->tag.value);
    return asy__db_run(&s->db, stmt, err);
}

static int worker_joined(struct asy__sqlite *s, const struct asy_event *ev, uint64_t seq,
                         struct asy_error *err)
{
    sqlite3_stmt *stmt;
    int rc = 0;

    if (!(stmt = asy__db_stmt(&s->db, W_WORKER_JOINED, &rc, err)))
        return rc;
    asy__bind_id(stmt, 1, &ev->worker_joined.id);
    asy__bind_text(stmt, 2, ev->worker_joined.host);
    asy__bind_text(stmt, 3, ev->worker_joined.hardware);
    sqlite3_bind_int64(stmt, 4, ev->worker_joined.cores);
    asy__bind_u64(stmt, 5, ev->worker_joined.memory);
    asy__bind_text(stmt, 6, ev->worker_joined.fit);
    asy__bind_text(stmt, 7, ev->worker_joined.version);
    sqlite3_bind_int64(stmt, 8, ev->wall_us);
    asy__bind_u64(stmt, 9, seq);
    return asy__db_run(&s->db, stmt, err);
}

static int worker_gone(struct asy__sqlite *s, const struct asy_event *ev, struct asy_error *err)
{
    sqlite3_stmt *stmt;
    int rc = 0;

    if (!(stmt = asy__db_stmt(&s->db, W_WORKER_GONE, &rc, err)))
        return rc;
    sqlite3_bind_int64(stmt, 1, ev->wall_us > 0 ? ev->wall_us : 1);
    sqlite3_bind_int(stmt, 2, ev->worker_gone.cause);
    asy__bind_text(stmt, 3, ev->worker_gone.text);
    asy__bind_id(stmt, 4, &ev->worker_gone.id);
    return asy__db_run(&s->db, stmt, err);
}

/* What an event of a trial that is not over adds, then what it changes in the trial's row. */
static int of_trial(struct asy__sqlite *s, const struct asy_event *ev,
                    struct asy__live_study *study, uint64_t seq, struct asy_error *err)
{
    struct asy__live_trial *t;
    int rc = asy__live_trial(s, study, ev->trial, &t, err);

    if (rc)
        return rc;
    switch (ev->kind) {
    case ASY_EV_LEASED:
        rc = leased(s, ev, t, err);
        break;
    case ASY_EV_STARTED:
        rc = started(s, ev, t, err);
        break;
    case ASY_EV_REPORT:
        rc = reported(s, ev, t, seq, err);
        break;
    case ASY_EV_ENDED:
        rc = ended(s, ev, t, err);
        break;
    default:
        break;
    }
    if (rc == 0)
        dirty_trial(s, t, asy__trial_apply(&t->row, &study->row, ev));
    return rc;
}

/* What hangs on a run, be it a trial's or the study's own. */
static int of_run(struct asy__sqlite *s, const struct asy_event *ev,
                  const struct asy__live_study *study, uint64_t seq, struct asy_error *err)
{
    uint64_t run = asy__run_id(study->id, ev->trial);
    struct asy_checkpoint file;
    struct asy_metric score;

    switch (ev->kind) {
    case ASY_EV_CHECKPOINT:
        return add_artifact(s, run, study->owner, "checkpoint", &ev->checkpoint.checkpoint, err);
    case ASY_EV_CHECKPOINT_DROPPED:
        return drop_checkpoint(s, run, &ev->checkpoint_dropped.checkpoint, err);
    case ASY_EV_ARTIFACT:
        file = (struct asy_checkpoint){ .attempt = ev->attempt, .sha = ev->artifact.sha,
                                        .bytes = ev->artifact.bytes, .path = ev->artifact.path };
        return add_artifact(s, run, study->owner, ev->artifact.name, &file, err);
    case ASY_EV_SCORE:
        score = (struct asy_metric){ ev->score.name, ev->score.value };
        return add_metric(s, &score, run, ev->score.step, 0, ev->wall_us, study->owner, seq, err);
    case ASY_EV_TAG:
        return tag_set(s, ev, run, study->owner, err);
    case ASY_EV_DATASET:
        return dataset_used(s, ev, run, study->owner, err);
    default:
        return 0; /* SUPERSEDED stands in `event` alone */
    }
}

static int project(struct asy__sqlite *s, const struct asy_event *ev,
                   struct asy__live_study *study, uint64_t seq, struct asy_error *err)
{
    switch (ev->kind) {
    case ASY_EV_WORKER_JOINED:
        return worker_joined(s, ev, seq, err);
    case ASY_EV_WORKER_GONE:
        return worker_gone(s, ev, err);
    case ASY_EV_STUDY_CREATED:
        return 0;
    case ASY_EV_STUDY_STATE:
        study->state_seq = seq; /* replay gives the last one, whatever it says */
        ASY_IGNORE(asy__study_apply(&study->row, ev));
        study->changed = 1;
        return 0;
    case ASY_EV_STUDY_CHANGED:
        return study_changed(s, ev, study, err);
    case ASY_EV_TRIAL_CREATED:
        return trial_created(s, ev, study, err);
    case ASY_EV_TRIAL_STATE:
    case ASY_EV_LEASED:
    case ASY_EV_STARTED:
    case ASY_EV_REPORT:
    case ASY_EV_ENDED:
        return of_trial(s, ev, study, seq, err);
    default:
        return of_run(s, ev, study, seq, err);
    }
}

static int put(struct asy__sqlite *s, const struct asy_event *ev, uint64_t seq,
               struct asy_error *err)
{
    struct asy__live_study *study = NULL;
    int rc = asy__live_study(s, ev->study, &study, err);

    if (rc || (rc = asy__check_event(ev, study ? &study->row.trials : NULL, err)))
        return rc;
    if (ev->kind == ASY_EV_STUDY_CREATED && (rc = study_created(s, ev, seq, &study, err)))
        return rc;
    if (study) {
        study->events++;
        study->last_seq = seq;
        dirty_study(s, study);
    }
    if ((rc = add_event(s, ev, study, seq, err)))
        return rc;
    return project(s, ev, study, seq, err);
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
    asy__bind_u64(stmt, 11, t->id);
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
        t->row.text = t->row.host = NULL;
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
    int rc = begin(s, err);

    for (size_t i = 0; i < n && rc == 0; i++)
        rc = put(s, &events[i], store->info.last_seq + i + 1, err);
    if (rc == 0)
        rc = flush(s, err);
    if (rc == 0)
        rc = run_plain(s, W_COMMIT, err);
    if (rc == 0) {
        settle(s);
        return 0;
    }
    /* SQLite rolls back by itself after some failures, such as a full disk. */
    if (!sqlite3_get_autocommit(s->db.db))
        ASY_IGNORE(run_plain(s, W_ROLLBACK, NULL));
    asy__cache_clear(&s->cache);
    return rc;
}
