/* SPDX-License-Identifier: Apache-2.0
 * sqlite_sql.c - the texts of the writer's statements. */
#include "sqlite_sql.h"
#include "sqlite_impl.h"

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
                  " seed, attempts, created_us, started_us, ended_us, host, source, params,"
                  " outcome, parent, member) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,"
                  " ?, ?, ?, ?, ?)",
    [W_RUN_STEP] = "UPDATE run SET step = ? WHERE id = ?",
    [W_RUN_STATE] = "UPDATE run SET state = ?, cause = ?, text = coalesce(?, text), value = ?,"
                    " is_nan = ?, step = ?, attempts = ?, started_us = ?, ended_us = ?,"
                    " host = coalesce(?, host), outcome = coalesce(?, outcome) WHERE id = ?",
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
