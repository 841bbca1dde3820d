/* SPDX-License-Identifier: Apache-2.0
 * sqlite_rows.c - what one event adds to the tables beside its own row. Rows that are only ever
 * added (metrics, parameters, attempts, tags) are written at once; what it changes in the row of
 * its study or trial waits in the cache for the end of the commit. */
#include "sqlite_impl.h"
#include <string.h>
#include "params.h"
#include "sqlite_sql.h"

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

static void dirty_trial(struct asy__sqlite *s, struct asy__live_trial *trial, unsigned change)
{
    if (!trial->dirty && change) {
        trial->next_dirty = s->cache.dirty_trials;
        s->cache.dirty_trials = trial;
    }
    trial->dirty |= change;
}

int asy__row_of_study(struct asy__sqlite *s, const struct asy_event *ev, uint64_t seq,
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

struct params {
    struct asy__sqlite *s;
    uint64_t run, owner;
    struct asy_error *err;
};

static int add_param(void *arg, const char *name, const char *value, size_t len)
{
    const struct params *p = arg;
    sqlite3_stmt *stmt;
    uint64_t word;
    int rc = 0;

    if ((rc = asy__word_id(p->s, name, &word, p->err)) ||
        !(stmt = asy__db_stmt(&p->s->db, W_PARAM, &rc, p->err)))
        return rc;
    asy__bind_u64(stmt, 1, p->run);
    asy__bind_u64(stmt, 2, word);
    asy__bind_u64(stmt, 3, p->owner);
    sqlite3_bind_text(stmt, 4, value, (int)len, SQLITE_STATIC);
    return asy__db_run(&p->s->db, stmt, p->err);
}

static int add_params(struct asy__sqlite *s, const struct asy__live_trial *t, const char *params,
                      struct asy_error *err)
{
    struct params list = { s, t->id, t->study->owner, err };
    int rc;

    if (!params || !*params)
        return 0;
    if ((rc = asy__params_each(params, &s->text, add_param, &list, err)) == ASY_E_FORMAT)
        asy_error_prefix(err, "parameters of a trial");
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

/* A file that an attempt may have left. */
static int add_left(struct asy__sqlite *s, const struct asy__live_trial *t, const char *name,
                    const struct asy_checkpoint *file, struct asy_error *err)
{
    return file->path && *file->path ? add_artifact(s, t->id, t->study->owner, name, file, err) : 0;
}

static int ended(struct asy__sqlite *s, const struct asy_event *ev,
                 const struct asy__live_trial *t, struct asy_error *err)
{
    uint64_t step = ev->ended.step ? ev->ended.step : t->row.step;
    struct asy_checkpoint model = {
        .attempt = ev->attempt, .step = step, .sha = ev->ended.model_sha,
        .bytes = ev->ended.model_bytes, .path = ev->ended.model_path,
    };
    struct asy_checkpoint scores = {
        .attempt = ev->attempt, .step = step, .sha = ev->ended.scores_sha,
        .bytes = ev->ended.scores_bytes, .path = ev->ended.scores_path,
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
    if ((rc = asy__db_run(&s->db, stmt, err)) ||
        (rc = add_left(s, t, "model", &model, err)))
        return rc;
    return add_left(s, t, ASY_SCORES_FILE, &scores, err);
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

int asy__rows_of_event(struct asy__sqlite *s, const struct asy_event *ev,
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
