/* SPDX-License-Identifier: Apache-2.0
 * asy/store.h - the record of everything: domain verbs over plain structs. SQL, placeholders, NaN
 * and upserts stay in one file per engine.
 *
 * commit() writes each event as one row of `event` and its projections (experiment, run, attempt,
 * param, metric, tag, dataset input, artifact, worker) in one transaction, and returns when it is
 * on disk: local disk WAL with synchronous=FULL; on a network file system one connection, EXCLUSIVE,
 * rollback journal. Tables follow the tracking world; the schema is coordinator/store/schema.sql,
 * with numbered forward-only migrations.
 *
 * The store has one owner: a lock file beside it (host, boot id, pid, heartbeat) and owner_epoch,
 * raised at each opening.
 *
 * Ownership: rows passed to callbacks are borrowed for the call. Threads: a struct asy_store belongs
 * to one thread (the writer); each reader thread opens its own struct asy_reader. */
#ifndef ASY_STORE_H
#define ASY_STORE_H
#include <asy/event.h>

struct asy_store;
struct asy_store_spec {
    const char *path;       /* folder; the database is <path>/assay.db. NULL: in memory (tests) */
    const char *vfs;        /* name of an SQLite VFS (tests); NULL: default */
    int no_sync;            /* for the test that proves it matters; never set by programs */
};
struct asy_store_info {
    struct asy_id id;       /* made when the store is created; a restored backup gets a new one */
    uint64_t owner_epoch;
    uint64_t last_seq;
    int port;               /* stored listening port; 0: none yet */
    int network_fs;         /* rollback journal and one connection */
    char fs[32];            /* "ext4", "nfs", … */
};
/* ASY_E_BUSY: another live owner; the text names host, pid and since when. ASY_E_CORRUPT: failed
 * check or a later schema. */
ASY_MUST_CHECK int asy_store_open(const struct asy_store_spec *spec, struct asy_store **ret_store,
                                  struct asy_store_info *ret_info, struct asy_error *err);
void asy_store_close(struct asy_store *store);
/* All or nothing, durable on return. Gives each event its seq (*ret_last_seq: of the last).
 * ASY_E_NOSPACE: the disk is full, nothing was written, a later commit may succeed. */
ASY_MUST_CHECK int asy_store_commit(struct asy_store *store, const struct asy_event *events,
                                    size_t n, uint64_t *ret_last_seq, struct asy_error *err);
ASY_MUST_CHECK int asy_store_set_port(struct asy_store *store, int port, struct asy_error *err);
/* Refreshes the lock file's heartbeat. */
void asy_store_touch(struct asy_store *store);

/* Return 0 to go on, anything else ends the query with that code. */
typedef int (*asy_event_f)(void *arg, const struct asy_event *event);
/* Events that core needs after a restart, in seq order: all of unfinished studies; of finished ones
 * STUDY_CREATED and the last STUDY_STATE alone (their names stay taken); the newest WORKER_JOINED of
 * each worker that has not gone. */
ASY_MUST_CHECK int asy_store_replay(struct asy_store *store, asy_event_f each, void *arg,
                                    struct asy_error *err);

/* ---- reading -------------------------------------------------------------------------------- */

struct asy_reader;
/* In-memory stores: reads the same memory, from the writer's thread only. Network file system: NULL
 * path readers are refused with ASY_E_STATE; the store thread serves them (asy_store_reader). */
ASY_MUST_CHECK int asy_reader_open(const struct asy_store_spec *spec, struct asy_reader **ret_reader,
                                   struct asy_error *err);
void asy_reader_close(struct asy_reader *reader);
/* The writer's own reader; borrowed. */
struct asy_reader *asy_store_reader(struct asy_store *store);

struct asy_study_row {
    struct asy_id id;
    const char *name, *project, *owner, *spec, *command_line;
    enum asy_study_state state;
    enum asy_cause cause;
    const char *text;
    int64_t created_us, ended_us;  /* 0: not ended */
    uint64_t trials, complete, pruned, failed, cancelled, running, paused, queued;
    double best;                   /* NaN: none */
    int64_t best_trial;            /* -1: none */
};
struct asy_trial_row {
    struct asy_id id, study;
    uint64_t number;
    enum asy_trial_state state;
    enum asy_cause cause;
    const char *text, *params /* JSON */, *source;
    double value;                  /* objective; NaN: none */
    uint64_t step, seed;
    uint32_t attempts;
    int64_t created_us, started_us, ended_us;
    const char *host;
};
struct asy_attempt_row {
    struct asy_id id;
    uint32_t attempt, resumed_from; /* attempt whose checkpoint it started from; 0: nothing */
    uint64_t resumed_step, epoch, milestone, step;
    enum asy_end end;              /* 0: not ended */
    enum asy_cause cause;
    const char *text, *host, *hardware, *versions, *cores;
    int64_t leased_us, started_us, ended_us;
    int32_t exit_code, signal;
    double cpu_s;
    uint64_t max_rss;
};
struct asy_metric_row {
    const char *name;
    uint64_t step;
    double value;
    uint32_t attempt;
    int64_t wall_us;
    int superseded;
};
struct asy_artifact_row {
    const char *name, *path;
    struct asy_sha sha;
    uint64_t bytes;
    uint64_t step;
    uint32_t attempt;
};
struct asy_tag_row {
    const char *key, *value;
};
typedef int (*asy_study_row_f)(void *arg, const struct asy_study_row *row);
typedef int (*asy_trial_row_f)(void *arg, const struct asy_trial_row *row);
typedef int (*asy_attempt_row_f)(void *arg, const struct asy_attempt_row *row);
typedef int (*asy_metric_row_f)(void *arg, const struct asy_metric_row *row);
typedef int (*asy_artifact_row_f)(void *arg, const struct asy_artifact_row *row);
typedef int (*asy_tag_row_f)(void *arg, const struct asy_tag_row *row);

/* Newest first. name_or_id: one study (a name, the newest of `x`, `x-2`, … is itself only; an id or a
 * unique prefix of at least 6 digits); NULL: all. ASY_E_NOENT with the nearest name. */
ASY_MUST_CHECK int asy_reader_studies(struct asy_reader *reader, const char *name_or_id,
                                      int64_t limit, asy_study_row_f each, void *arg,
                                      struct asy_error *err);
/* By number, from `after` + 1 on (-1: from the first). order_by_value: best first (study's goal). */
ASY_MUST_CHECK int asy_reader_trials(struct asy_reader *reader, struct asy_id study, int64_t after,
                                     int64_t limit, int order_by_value, asy_trial_row_f each,
                                     void *arg, struct asy_error *err);
ASY_MUST_CHECK int asy_reader_trial(struct asy_reader *reader, struct asy_id study, uint64_t number,
                                    asy_trial_row_f each, void *arg, struct asy_error *err);
ASY_MUST_CHECK int asy_reader_attempts(struct asy_reader *reader, struct asy_id study,
                                       uint64_t number, asy_attempt_row_f each, void *arg,
                                       struct asy_error *err);
/* By name and step. with_superseded: also what fenced attempts and undone steps left. */
ASY_MUST_CHECK int asy_reader_metrics(struct asy_reader *reader, struct asy_id study,
                                      uint64_t number, int with_superseded, asy_metric_row_f each,
                                      void *arg, struct asy_error *err);
ASY_MUST_CHECK int asy_reader_artifacts(struct asy_reader *reader, struct asy_id study,
                                        uint64_t number, asy_artifact_row_f each, void *arg,
                                        struct asy_error *err);
/* number UINT64_MAX: the study's own. */
ASY_MUST_CHECK int asy_reader_tags(struct asy_reader *reader, struct asy_id study, uint64_t number,
                                   asy_tag_row_f each, void *arg, struct asy_error *err);
/* Events after a seq, of a study (none: all) and trial (UINT64_MAX: all). */
ASY_MUST_CHECK int asy_reader_events(struct asy_reader *reader, struct asy_id study, uint64_t trial,
                                     uint64_t after_seq, int64_t limit, asy_event_f each, void *arg,
                                     struct asy_error *err);
/* A name not taken in this project: `x`, else `x-2`, `x-3`, … text holds n bytes. */
ASY_MUST_CHECK int asy_reader_free_name(struct asy_reader *reader, const char *name, char *text,
                                        size_t n, struct asy_error *err);
#endif
