/* SPDX-License-Identifier: Apache-2.0
 * sqlite_read.c - the queries over SQLite. Each lists its rows with one statement, so it sees one
 * state of the store, and ends with its call: an open reader keeps the log from being copied
 * back. */
#include "sqlite_impl.h"
#include <stdio.h>
#include <string.h>

enum read_stmt {
    R_STUDIES, R_STUDIES_NAMED, R_STUDIES_BETWEEN, R_STUDY_ID,
    R_TRIALS, R_TRIALS_BEST, R_ATTEMPTS, R_METRICS, R_ALL_METRICS, R_METRIC_NAMES,
    R_SERIES, R_ARTIFACTS, R_FILE, R_TAGS, R_DATASETS,
    R_WORKERS, R_EVENTS, R_EVENTS_OF_STUDY, R_EVENTS_OF_TRIAL, R_N,
};

#define STUDY_COLUMNS                                                                              \
    "SELECT s.uuid, s.name, x.name, coalesce(u.key, ''), s.spec, s.command_line, s.state,"         \
    " s.cause, s.text, s.created_us, s.ended_us, s.queued, s.leased, s.running, s.paused,"         \
    " s.complete, s.pruned, s.failed, s.cancelled, s.best, s.best_is_nan, s.best_trial,"           \
    " s.last_seq, s.maximize"                                                                      \
    " FROM study s JOIN experiment x ON x.id = s.experiment LEFT JOIN user u ON u.id = s.owner_id"
#define TRIAL_COLUMNS                                                                              \
    "SELECT r.uuid, r.id, r.state, r.cause, r.text, r.params, coalesce(w.text, ''), r.value,"      \
    " r.is_nan, r.step, r.seed, r.attempts, r.created_us, r.started_us, r.ended_us,"               \
    " coalesce(h.text, ''), r.outcome, r.parent, r.member FROM run r"                              \
    " LEFT JOIN word w ON w.id = r.source"                                                         \
    " LEFT JOIN word h ON h.id = r.host WHERE r.id >= ?1 AND r.id <= ?2"
#define METRIC_COLUMNS(superseded)                                                                 \
    "SELECT coalesce(w.text, ''), m.step, m.seq, m.value, m.is_nan, m.attempt, m.wall_us,"         \
    " " #superseded " FROM "
#define EVENT_COLUMNS                                                                              \
    "SELECT e.seq, s.uuid, e.trial, e.attempt, e.kind, e.wall_us, e.body FROM event e"             \
    " LEFT JOIN study s ON s.id = e.study"

const char *const asy__read_sql[] = {
    [R_STUDIES] = STUDY_COLUMNS " ORDER BY s.id DESC LIMIT ?",
    [R_STUDIES_NAMED] = STUDY_COLUMNS " WHERE s.name = ?2 ORDER BY s.id DESC LIMIT ?1",
    [R_STUDIES_BETWEEN] = STUDY_COLUMNS " WHERE s.uuid >= ?2 AND s.uuid <= ?3"
                          " ORDER BY s.id DESC LIMIT ?1",
    [R_STUDY_ID] = "SELECT id, maximize, last_seq, created_seq FROM study WHERE uuid = ?",
    [R_TRIALS] = TRIAL_COLUMNS " ORDER BY r.id LIMIT ?3",
    [R_TRIALS_BEST] = TRIAL_COLUMNS " ORDER BY r.is_nan, r.value * ?5, r.id LIMIT ?3 OFFSET ?4",
    [R_ATTEMPTS] = "SELECT a.uuid, a.attempt, a.from_attempt, a.from_step, a.epoch, a.milestone,"
                   " CASE WHEN a.\"end\" = 0 AND a.attempt = r.attempts THEN r.step ELSE a.step"
                   " END, a.\"end\", a.cause, a.text, coalesce(h.text, ''), coalesce(w.text, ''),"
                   " coalesce(v.text, ''), a.cores, a.leased_us, a.started_us, a.ended_us,"
                   " a.exit_code, a.signal, a.cpu_s, a.max_rss FROM attempt a"
                   " JOIN run r ON r.id = a.run LEFT JOIN word h ON h.id = a.host"
                   " LEFT JOIN word w ON w.id = a.hardware LEFT JOIN word v ON v.id = a.versions"
                   " WHERE a.run = ? ORDER BY a.attempt",
    [R_METRICS] = METRIC_COLUMNS(0) "metric m LEFT JOIN word w ON w.id = m.name WHERE m.run = ?"
                  " ORDER BY 1, 2, 3",
    [R_ALL_METRICS] = METRIC_COLUMNS(0) "metric m LEFT JOIN word w ON w.id = m.name"
                      " WHERE m.run = ?1 UNION ALL " METRIC_COLUMNS(1) "metric_superseded m"
                      " LEFT JOIN word w ON w.id = m.name WHERE m.run = ?1 ORDER BY 1, 2, 3",
    /* From each name one seek to the next, past all its rows. */
    [R_METRIC_NAMES] = "WITH RECURSIVE n(name) AS (SELECT min(name) FROM metric WHERE run = ?1"
                       " UNION ALL SELECT (SELECT min(m.name) FROM metric m WHERE m.run = ?1 AND"
                       " m.name > n.name) FROM n WHERE n.name IS NOT NULL)"
                       " SELECT coalesce(w.text, '') FROM n LEFT JOIN word w ON w.id = n.name"
                       " WHERE n.name IS NOT NULL AND (?2 IS NULL OR coalesce(w.text, '') > ?2)"
                       " ORDER BY 1 LIMIT ?3",
    [R_SERIES] = METRIC_COLUMNS(0) "metric m LEFT JOIN word w ON w.id = m.name WHERE m.run = ?1"
                 " AND m.name = CASE ?2 WHEN '' THEN 0"
                 " ELSE (SELECT id FROM word WHERE text = ?2) END"
                 " AND (m.step, m.seq) > (?3, ?4) ORDER BY m.step, m.seq LIMIT ?5",
    [R_ARTIFACTS] = "SELECT name, path, sha, bytes, step, attempt FROM artifact WHERE run = ?"
                    " ORDER BY name, step, attempt",
    [R_FILE] = "SELECT 1 FROM artifact WHERE path = ? LIMIT 1",
    [R_TAGS] = "SELECT key, value FROM tag WHERE run = ? ORDER BY key",
    [R_DATASETS] = "SELECT d.name, d.digest, d.source, d.profile FROM input i"
                   " JOIN dataset d ON d.id = i.dataset WHERE i.run = ? ORDER BY d.name, d.digest",
    [R_WORKERS] = "SELECT uuid, host, hardware, cores, memory, fit, version, joined_us, gone_us,"
                  " cause, text FROM worker ORDER BY joined_seq DESC LIMIT ?",
    [R_EVENTS] = EVENT_COLUMNS " WHERE e.seq > ?1 AND e.seq <= ?3 ORDER BY e.seq LIMIT ?2",
    [R_EVENTS_OF_STUDY] = EVENT_COLUMNS " WHERE e.seq > ?1 AND e.seq <= ?3 AND +e.study = ?4"
                          " ORDER BY e.seq LIMIT ?2",
    [R_EVENTS_OF_TRIAL] = EVENT_COLUMNS " WHERE e.seq > ?1 AND e.seq <= ?3 AND e.study = ?4"
                          " AND e.trial = ?5 ORDER BY e.seq LIMIT ?2",
};
const size_t asy__read_sql_len = R_N;
_Static_assert(ASY_ARRAY_LEN(asy__read_sql) == R_N, "a statement for each name");

int asy__reader_init(struct asy__sqlite_reader *reader, struct asy_error *err)
{
    int rc = asy__db_init(&reader->db, asy__read_sql, asy__read_sql_len, err);

    return rc ? rc : asy_arena_create(ASY__BODY_BUDGET, &reader->arena, err);
}

void asy__reader_fini(struct asy__sqlite_reader *reader)
{
    asy__db_fini(&reader->db);
    asy_arena_destroy(reader->arena);
    reader->arena = NULL;
}

static sqlite3_stmt *stmt_of(struct asy_reader *reader, enum read_stmt which, int *ret_rc,
                             struct asy_error *err)
{
    return asy__db_stmt(&((struct asy__sqlite_reader *)reader)->db, which, ret_rc, err);
}

static int next_row(struct asy_reader *reader, sqlite3_stmt *stmt, struct asy_error *err)
{
    return asy__db_row(&((struct asy__sqlite_reader *)reader)->db, stmt, err);
}

/* Calls give for each row; what it returns, unless 0, ends the query with that. */
static int each_row(struct asy_reader *reader, sqlite3_stmt *stmt,
                    int (*give)(sqlite3_stmt *stmt, void *ctx), void *ctx, struct asy_error *err)
{
    int rc;

    while ((rc = next_row(reader, stmt, err)) > 0) {
        if ((rc = give(stmt, ctx))) {
            asy__db_done(stmt);
            return rc;
        }
    }
    return rc;
}

struct study_key {
    uint64_t id, last_seq, created_seq;
    int maximize;
};

/* 1: found, 0: no such study. */
static int find_study(struct asy_reader *reader, struct asy_id uuid, struct study_key *ret,
                      struct asy_error *err)
{
    int rc = 0;
    sqlite3_stmt *stmt = stmt_of(reader, R_STUDY_ID, &rc, err);

    if (!stmt)
        return rc;
    asy__bind_id(stmt, 1, &uuid);
    if ((rc = next_row(reader, stmt, err)) <= 0)
        return rc;
    ret->id = asy__col_u64(stmt, 0);
    ret->maximize = sqlite3_column_int(stmt, 1);
    ret->last_seq = asy__col_u64(stmt, 2);
    ret->created_seq = asy__col_u64(stmt, 3);
    asy__db_done(stmt);
    return 1;
}

/* ---- studies --------------------------------------------------------------------------------- */

struct study_ctx {
    asy_study_row_f each;
    void *arg;
};

static int give_study(sqlite3_stmt *stmt, void *arg)
{
    struct study_ctx *ctx = arg;
    struct asy_study_row row = { .best = 0 };

    asy__col_id(stmt, 0, &row.id);
    row.name = asy__col_text(stmt, 1);
    row.project = asy__col_text(stmt, 2);
    row.owner = asy__col_text(stmt, 3);
    row.spec = asy__col_text(stmt, 4);
    row.command_line = asy__col_text(stmt, 5);
    row.state = (enum asy_study_state)sqlite3_column_int(stmt, 6);
    row.cause = (enum asy_cause)sqlite3_column_int(stmt, 7);
    row.text = asy__col_text(stmt, 8);
    row.created_us = sqlite3_column_int64(stmt, 9);
    row.ended_us = sqlite3_column_int64(stmt, 10);
    row.queued = asy__col_u64(stmt, 11);
    row.running = asy__col_u64(stmt, 12) + asy__col_u64(stmt, 13);
    row.paused = asy__col_u64(stmt, 14);
    row.complete = asy__col_u64(stmt, 15);
    row.pruned = asy__col_u64(stmt, 16);
    row.failed = asy__col_u64(stmt, 17);
    row.cancelled = asy__col_u64(stmt, 18);
    row.trials = row.queued + row.running + row.paused + row.complete + row.pruned + row.failed +
                 row.cancelled;
    row.best = asy__col_f64(stmt, 19);
    row.best_trial = sqlite3_column_int64(stmt, 21);
    row.last_seq = asy__col_u64(stmt, 22);
    row.maximize = sqlite3_column_int(stmt, 23);
    return ctx->each(ctx->arg, &row);
}

static int studies(struct asy_reader *reader, const struct asy__pick *pick, int64_t limit,
                   asy_study_row_f each, void *arg, struct asy_error *err)
{
    struct study_ctx ctx = { each, arg };
    enum read_stmt which = pick->by_id ? R_STUDIES_BETWEEN
                                       : pick->name ? R_STUDIES_NAMED : R_STUDIES;
    int rc = 0;
    sqlite3_stmt *stmt = stmt_of(reader, which, &rc, err);

    if (!stmt)
        return rc;
    sqlite3_bind_int64(stmt, 1, limit);
    if (pick->by_id) {
        asy__bind_id(stmt, 2, &pick->lo);
        asy__bind_id(stmt, 3, &pick->hi);
    } else if (pick->name) {
        asy__bind_text(stmt, 2, pick->name);
    }
    return each_row(reader, stmt, give_study, &ctx, err);
}

/* ---- trials ---------------------------------------------------------------------------------- */

struct trial_ctx {
    asy_trial_row_f each;
    void *arg;
    struct asy_id study;
};

static int give_trial(sqlite3_stmt *stmt, void *arg)
{
    struct trial_ctx *ctx = arg;
    struct asy_trial_row row = { .study = ctx->study };

    asy__col_id(stmt, 0, &row.id);
    row.number = (asy__col_u64(stmt, 1) & UINT32_MAX) - 1;
    row.state = (enum asy_trial_state)sqlite3_column_int(stmt, 2);
    row.cause = (enum asy_cause)sqlite3_column_int(stmt, 3);
    row.text = asy__col_text(stmt, 4);
    row.params = asy__col_text(stmt, 5);
    row.source = asy__col_text(stmt, 6);
    row.value = asy__col_f64(stmt, 7);
    row.step = asy__col_u64(stmt, 9);
    row.seed = asy__col_u64(stmt, 10);
    row.attempts = (uint32_t)sqlite3_column_int64(stmt, 11);
    row.created_us = sqlite3_column_int64(stmt, 12);
    row.started_us = sqlite3_column_int64(stmt, 13);
    row.ended_us = sqlite3_column_int64(stmt, 14);
    row.host = asy__col_text(stmt, 15);
    row.outcome = asy__col_text(stmt, 16);
    row.parent = asy__col_u64(stmt, 17);
    row.member = asy__col_u64(stmt, 18);
    return ctx->each(ctx->arg, &row);
}

static int trials(struct asy_reader *reader, struct asy_id study, uint64_t number, int64_t after,
                  int64_t limit, int order_by_value, asy_trial_row_f each, void *arg,
                  struct asy_error *err)
{
    struct trial_ctx ctx = { each, arg, study };
    struct study_key key;
    uint64_t first = (uint64_t)(after + 1), last = ASY__MAX_TRIALS - 1;
    sqlite3_stmt *stmt;
    int rc = find_study(reader, study, &key, err);

    if (rc <= 0 || (!order_by_value && first >= ASY__MAX_TRIALS))
        return rc < 0 ? rc : 0;
    rc = 0;
    if (number != ASY__NO_TRIAL)
        first = last = number;
    else if (order_by_value)
        first = 0;
    if (!(stmt = stmt_of(reader, order_by_value ? R_TRIALS_BEST : R_TRIALS, &rc, err)))
        return rc;
    asy__bind_u64(stmt, 1, asy__run_id(key.id, first));
    asy__bind_u64(stmt, 2, asy__run_id(key.id, last));
    sqlite3_bind_int64(stmt, 3, limit);
    if (order_by_value) {
        sqlite3_bind_int64(stmt, 4, after + 1);
        sqlite3_bind_double(stmt, 5, key.maximize ? -1 : 1);
    }
    return each_row(reader, stmt, give_trial, &ctx, err);
}

/* ---- what hangs on a run --------------------------------------------------------------------- */

/* The statement with the run's id bound; NULL with *ret_rc 0: there is no such study. */
static sqlite3_stmt *of_run(struct asy_reader *reader, enum read_stmt which, struct asy_id study,
                            uint64_t number, int *ret_rc, struct asy_error *err)
{
    struct study_key key;
    sqlite3_stmt *stmt;

    if (number != ASY__NO_TRIAL && number >= ASY__MAX_TRIALS) {
        *ret_rc = 0;
        return NULL;
    }
    if ((*ret_rc = find_study(reader, study, &key, err)) <= 0)
        return NULL;
    *ret_rc = 0;
    if ((stmt = stmt_of(reader, which, ret_rc, err)))
        asy__bind_u64(stmt, 1, asy__run_id(key.id, number));
    return stmt;
}

struct attempt_ctx {
    asy_attempt_row_f each;
    void *arg;
};

static int give_attempt(sqlite3_stmt *stmt, void *arg)
{
    struct attempt_ctx *ctx = arg;
    struct asy_attempt_row row = { .attempt = (uint32_t)sqlite3_column_int64(stmt, 1) };

    asy__col_id(stmt, 0, &row.id);
    row.resumed_from = (uint32_t)sqlite3_column_int64(stmt, 2);
    row.resumed_step = asy__col_u64(stmt, 3);
    row.epoch = asy__col_u64(stmt, 4);
    row.milestone = asy__col_u64(stmt, 5);
    row.step = asy__col_u64(stmt, 6);
    row.end = (enum asy_end)sqlite3_column_int(stmt, 7);
    row.cause = (enum asy_cause)sqlite3_column_int(stmt, 8);
    row.text = asy__col_text(stmt, 9);
    row.host = asy__col_text(stmt, 10);
    row.hardware = asy__col_text(stmt, 11);
    row.versions = asy__col_text(stmt, 12);
    row.cores = asy__col_text(stmt, 13);
    row.leased_us = sqlite3_column_int64(stmt, 14);
    row.started_us = sqlite3_column_int64(stmt, 15);
    row.ended_us = sqlite3_column_int64(stmt, 16);
    row.exit_code = sqlite3_column_int(stmt, 17);
    row.signal = sqlite3_column_int(stmt, 18);
    row.cpu_s = sqlite3_column_double(stmt, 19);
    row.max_rss = asy__col_u64(stmt, 20);
    return ctx->each(ctx->arg, &row);
}

static int attempts(struct asy_reader *reader, struct asy_id study, uint64_t number,
                    asy_attempt_row_f each, void *arg, struct asy_error *err)
{
    struct attempt_ctx ctx = { each, arg };
    int rc;
    sqlite3_stmt *stmt = of_run(reader, R_ATTEMPTS, study, number, &rc, err);

    return stmt ? each_row(reader, stmt, give_attempt, &ctx, err) : rc;
}

struct metric_ctx {
    asy_metric_row_f each;
    void *arg;
};

static int give_metric(sqlite3_stmt *stmt, void *arg)
{
    struct metric_ctx *ctx = arg;
    struct asy_metric_row row = {
        .name = asy__col_text(stmt, 0),
        .step = asy__col_u64(stmt, 1),
        .value = asy__col_f64(stmt, 3),
        .attempt = (uint32_t)sqlite3_column_int64(stmt, 5),
        .wall_us = sqlite3_column_int64(stmt, 6),
        .superseded = sqlite3_column_int(stmt, 7),
        .seq = asy__col_u64(stmt, 2),
    };

    return ctx->each(ctx->arg, &row);
}

static int metrics(struct asy_reader *reader, struct asy_id study, uint64_t number,
                   int with_superseded, asy_metric_row_f each, void *arg, struct asy_error *err)
{
    struct metric_ctx ctx = { each, arg };
    int rc;
    sqlite3_stmt *stmt = of_run(reader, with_superseded ? R_ALL_METRICS : R_METRICS, study, number,
                                &rc, err);

    return stmt ? each_row(reader, stmt, give_metric, &ctx, err) : rc;
}

struct name_ctx {
    asy_metric_name_f each;
    void *arg;
};

static int give_name(sqlite3_stmt *stmt, void *arg)
{
    struct name_ctx *ctx = arg;

    return ctx->each(ctx->arg, asy__col_text(stmt, 0));
}

static int metric_names(struct asy_reader *reader, struct asy_id study, uint64_t number,
                        const char *after, int64_t limit, asy_metric_name_f each, void *arg,
                        struct asy_error *err)
{
    struct name_ctx ctx = { each, arg };
    int rc;
    sqlite3_stmt *stmt = of_run(reader, R_METRIC_NAMES, study, number, &rc, err);

    if (!stmt)
        return rc;
    if (after)
        asy__bind_text(stmt, 2, after);
    else
        sqlite3_bind_null(stmt, 2);
    sqlite3_bind_int64(stmt, 3, limit);
    return each_row(reader, stmt, give_name, &ctx, err);
}

static int series(struct asy_reader *reader, struct asy_id study, uint64_t number,
                  const char *name, uint64_t step, uint64_t seq, int64_t limit,
                  asy_metric_row_f each, void *arg, struct asy_error *err)
{
    struct metric_ctx ctx = { each, arg };
    int rc;
    sqlite3_stmt *stmt = of_run(reader, R_SERIES, study, number, &rc, err);

    if (!stmt)
        return rc;
    asy__bind_text(stmt, 2, name);
    asy__bind_u64(stmt, 3, step);
    asy__bind_u64(stmt, 4, seq);
    sqlite3_bind_int64(stmt, 5, limit);
    return each_row(reader, stmt, give_metric, &ctx, err);
}

struct artifact_ctx {
    asy_artifact_row_f each;
    void *arg;
};

static int give_artifact(sqlite3_stmt *stmt, void *arg)
{
    struct artifact_ctx *ctx = arg;
    struct asy_artifact_row row = {
        .name = asy__col_text(stmt, 0),
        .path = asy__col_text(stmt, 1),
        .bytes = asy__col_u64(stmt, 3),
        .step = asy__col_u64(stmt, 4),
        .attempt = (uint32_t)sqlite3_column_int64(stmt, 5),
    };
    const void *sha = sqlite3_column_blob(stmt, 2);

    if (sha && sqlite3_column_bytes(stmt, 2) == (int)sizeof row.sha.b)
        memcpy(row.sha.b, sha, sizeof row.sha.b);
    return ctx->each(ctx->arg, &row);
}

static int artifacts(struct asy_reader *reader, struct asy_id study, uint64_t number,
                     asy_artifact_row_f each, void *arg, struct asy_error *err)
{
    struct artifact_ctx ctx = { each, arg };
    int rc;
    sqlite3_stmt *stmt = of_run(reader, R_ARTIFACTS, study, number, &rc, err);

    return stmt ? each_row(reader, stmt, give_artifact, &ctx, err) : rc;
}

static int has_file(struct asy_reader *reader, const char *path, struct asy_error *err)
{
    int rc = 0;
    sqlite3_stmt *stmt = stmt_of(reader, R_FILE, &rc, err);

    if (!stmt)
        return rc;
    asy__bind_text(stmt, 1, path);
    if ((rc = next_row(reader, stmt, err)) > 0)
        asy__db_done(stmt);
    return rc;
}

struct tag_ctx {
    asy_tag_row_f each;
    void *arg;
};

static int give_tag(sqlite3_stmt *stmt, void *arg)
{
    struct tag_ctx *ctx = arg;
    struct asy_tag_row row = { asy__col_text(stmt, 0), asy__col_text(stmt, 1) };

    return ctx->each(ctx->arg, &row);
}

static int tags(struct asy_reader *reader, struct asy_id study, uint64_t number,
                asy_tag_row_f each, void *arg, struct asy_error *err)
{
    struct tag_ctx ctx = { each, arg };
    int rc;
    sqlite3_stmt *stmt = of_run(reader, R_TAGS, study, number, &rc, err);

    return stmt ? each_row(reader, stmt, give_tag, &ctx, err) : rc;
}

struct dataset_ctx {
    asy_dataset_row_f each;
    void *arg;
};

static int give_dataset(sqlite3_stmt *stmt, void *arg)
{
    struct dataset_ctx *ctx = arg;
    struct asy_dataset_row row = { asy__col_text(stmt, 0), asy__col_text(stmt, 1),
                                   asy__col_text(stmt, 2), asy__col_text(stmt, 3) };

    return ctx->each(ctx->arg, &row);
}

static int datasets(struct asy_reader *reader, struct asy_id study, uint64_t number,
                    asy_dataset_row_f each, void *arg, struct asy_error *err)
{
    struct dataset_ctx ctx = { each, arg };
    int rc;
    sqlite3_stmt *stmt = of_run(reader, R_DATASETS, study, number, &rc, err);

    return stmt ? each_row(reader, stmt, give_dataset, &ctx, err) : rc;
}

/* ---- workers --------------------------------------------------------------------------------- */

struct worker_ctx {
    asy_worker_row_f each;
    void *arg;
};

static int give_worker(sqlite3_stmt *stmt, void *arg)
{
    struct worker_ctx *ctx = arg;
    struct asy_worker_row row = { .host = asy__col_text(stmt, 1) };

    asy__col_id(stmt, 0, &row.id);
    row.hardware = asy__col_text(stmt, 2);
    row.cores = (uint32_t)sqlite3_column_int64(stmt, 3);
    row.memory = asy__col_u64(stmt, 4);
    row.fit = asy__col_text(stmt, 5);
    row.version = asy__col_text(stmt, 6);
    row.joined_us = sqlite3_column_int64(stmt, 7);
    row.gone_us = sqlite3_column_int64(stmt, 8);
    row.cause = (enum asy_cause)sqlite3_column_int(stmt, 9);
    row.text = asy__col_text(stmt, 10);
    return ctx->each(ctx->arg, &row);
}

static int workers(struct asy_reader *reader, int64_t limit, asy_worker_row_f each, void *arg,
                   struct asy_error *err)
{
    struct worker_ctx ctx = { each, arg };
    int rc = 0;
    sqlite3_stmt *stmt = stmt_of(reader, R_WORKERS, &rc, err);

    if (!stmt)
        return rc;
    sqlite3_bind_int64(stmt, 1, limit);
    return each_row(reader, stmt, give_worker, &ctx, err);
}

/* ---- events ---------------------------------------------------------------------------------- */

struct event_ctx {
    asy_event_f each;
    void *arg;
    struct asy_arena *arena;
    struct asy_error *err;
};

static int give_event(sqlite3_stmt *stmt, void *arg)
{
    struct event_ctx *ctx = arg;
    struct asy_event event;
    int rc = asy__read_event(stmt, ctx->arena, &event, ctx->err);

    return rc ? rc : ctx->each(ctx->arg, &event);
}

static int events(struct asy_reader *reader, struct asy_id study, uint64_t trial,
                  uint64_t after_seq, uint64_t upto_seq, int64_t limit, asy_event_f each,
                  void *arg, struct asy_error *err)
{
    struct event_ctx ctx = { each, arg, ((struct asy__sqlite_reader *)reader)->arena, err };
    enum read_stmt which = R_EVENTS;
    struct study_key key = { .created_seq = 1, .last_seq = INT64_MAX };
    sqlite3_stmt *stmt;
    int rc = 0;

    if (!asy_id_is_none(study)) {
        if ((rc = find_study(reader, study, &key, err)) <= 0)
            return rc;
        which = trial == ASY__NO_TRIAL ? R_EVENTS_OF_STUDY : R_EVENTS_OF_TRIAL;
        rc = 0;
    }
    if (after_seq < key.created_seq - 1)
        after_seq = key.created_seq - 1;
    if (upto_seq > key.last_seq)
        upto_seq = key.last_seq;
    if (after_seq >= upto_seq)
        return 0;
    if (!(stmt = stmt_of(reader, which, &rc, err)))
        return rc;
    asy__bind_u64(stmt, 1, after_seq);
    sqlite3_bind_int64(stmt, 2, limit);
    asy__bind_u64(stmt, 3, upto_seq);
    if (which != R_EVENTS)
        asy__bind_u64(stmt, 4, key.id);
    if (which == R_EVENTS_OF_TRIAL)
        asy__bind_u64(stmt, 5, trial);
    return each_row(reader, stmt, give_event, &ctx, err);
}

const struct asy__reader_ops asy__sqlite_reader_ops = {
    .close = asy__sqlite_reader_close, .studies = studies, .trials = trials, .attempts = attempts,
    .metrics = metrics, .metric_names = metric_names, .series = series, .artifacts = artifacts,
    .has_file = has_file,
    .tags = tags,
    .datasets = datasets, .workers = workers, .events = events,
};
