/* SPDX-License-Identifier: Apache-2.0
 * asy/store.h - the record of everything: domain verbs over plain structs. SQL, placeholders, NaN
 * and upserts stay in one file per engine.
 *
 * commit() writes each event as one row of `event` and its projections (study, run, attempt, param,
 * metric, tag, dataset, artifact, worker) in one transaction, and returns when it is on disk. On a
 * local disk: WAL with synchronous=FULL, copied back by a thread of the store's own; on a network
 * file system, and on one whose kind is unknown: one connection, EXCLUSIVE, rollback journal.
 * Tables follow the tracking world; the schema is coordinator/store/schema.sql, with numbered
 * forward-only migrations.
 *
 * The store has one owner. <path>/assay.lock is locked while it is open and names host, boot id and
 * pid; where locks may not reach the other hosts (network file systems) the heartbeat in it counts
 * too. owner_epoch is raised at each opening, and every commit checks that it is still ours: an
 * owner that lost the store in spite of its lock is refused with ASY_E_BUSY.
 *
 * A restored or copied database is another store and gets a new id at its first opening. Two marks
 * tell: the database remembers inode and time of birth of its own file, and the lock file
 * the newest owner_epoch and seq that this folder has seen, so that a backup which was copied over
 * the old file, inode kept, shows as older than its folder.
 *
 * Ownership: rows passed to callbacks are borrowed for the call. Threads: a struct asy_store
 * belongs to one thread (the writer); each reader thread opens its own struct asy_reader. */
#ifndef ASY_STORE_H
#define ASY_STORE_H
#include <asy/event.h>

struct asy_store;
struct asy_store_spec {
    const char *path;       /* folder; the database is <path>/assay.db. NULL: in memory (tests) */
    const char *vfs;        /* name of an SQLite VFS (tests); NULL: default */
    int no_sync;            /* for the test that proves it matters; never set by programs */
    int assume_network;     /* tests: as if the folder were on a network file system */
    int copy_by_hand;       /* tests: no thread copies the log back, asy_store_copy_back() does */
    int64_t hold_ms;        /* tests: how long a query may keep a long log from being copied back;
                             * 0: 10 s */
};
struct asy_store_info {
    struct asy_id id;       /* made when the store is created; a restored backup gets a new one */
    uint64_t owner_epoch;
    uint64_t last_seq;
    int port;               /* stored listening port; 0: none yet */
    int network_fs;         /* rollback journal and one connection */
    int restored;           /* the id is new because this is a copy of another store */
    char fs[32];            /* "ext", "nfs", "memory", … */
};
/* Makes the folder if need be. ASY_E_BUSY: another live owner; the text names host, pid and since
 * when. ASY_E_CORRUPT: failed check or a later schema. ret_info may be NULL. */
ASY_MUST_CHECK int asy_store_open(const struct asy_store_spec *spec, struct asy_store **ret_store,
                                  struct asy_store_info *ret_info, struct asy_error *err);
void asy_store_close(struct asy_store *store); /* NULL is fine; the writer's own reader goes too */
/* All or nothing, durable on return. The events get the numbers after the last one in order,
 * *ret_last_seq is that of the last (seq in the events is not read). n may be 0.
 * ASY_E_NOSPACE: the disk is full, nothing was written, a later commit may succeed.
 * ASY_E_INVAL: an event names a study or trial that is not there, creates one that is, or leaves
 * out a trial number. ASY_E_BUSY: another owner has taken the store. */
ASY_MUST_CHECK int asy_store_commit(struct asy_store *store, const struct asy_event *events,
                                    size_t n, uint64_t *ret_last_seq, struct asy_error *err);
ASY_MUST_CHECK int asy_store_set_port(struct asy_store *store, int port, struct asy_error *err);
/* One round of copying the log back, for copy_by_hand. */
void asy_store_copy_back(struct asy_store *store);
/* Refreshes the lock file's heartbeat; call it every 10 s or oftener. */
void asy_store_touch(struct asy_store *store);

/* Return 0 to go on, anything else ends the query with that code. */
typedef int (*asy_event_f)(void *arg, const struct asy_event *event);
/* Events that core needs after a restart, in seq order: all of unfinished studies; of finished ones
 * STUDY_CREATED and the last STUDY_STATE alone (their names stay taken); the newest WORKER_JOINED
 * of each worker that has not gone. */
ASY_MUST_CHECK int asy_store_replay(struct asy_store *store, asy_event_f each, void *arg,
                                    struct asy_error *err);

/* ---- reading -------------------------------------------------------------------------------- */

struct asy_reader;
/* Opens a store on a local disk for reading, on a connection of its own, whether or not it has an
 * owner. In memory and on a network file system: ASY_E_STATE; there only the writer's thread can
 * read, through asy_store_reader(). */
ASY_MUST_CHECK int asy_reader_open(const struct asy_store_spec *spec,
                                   struct asy_reader **ret_reader, struct asy_error *err);
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
    /* running: leased ones too */
    uint64_t trials, complete, pruned, failed, cancelled, running, paused, queued;
    double best;                   /* of complete, feasible trials; NaN: none */
    int64_t best_trial;            /* -1: none */
    int maximize;                  /* of its first objective: larger values are better */
    uint64_t last_seq;             /* of its newest event */
};
struct asy_trial_row {
    struct asy_id id, study;
    uint64_t number;
    enum asy_trial_state state;
    enum asy_cause cause;
    const char *text, *params /* JSON */, *source;
    const char *outcome;           /* JSON as in the event that ended it; "": none */
    double value;                  /* objective, of a paused trial so far; NaN: none */
    uint64_t step, seed;
    uint32_t attempts;
    int64_t created_us, started_us, ended_us;
    const char *host;
    uint64_t parent, member;       /* as in the event that created it */
};
struct asy_attempt_row {
    struct asy_id id;
    uint32_t attempt, resumed_from; /* attempt whose checkpoint it started from; 0: nothing */
    uint64_t resumed_step, epoch, milestone, step;
    enum asy_end end;              /* 0: not ended */
    enum asy_cause cause;
    const char *text, *host, *hardware, *versions;
    const char *cores;             /* "0-3,8"; placements are parted by "; " */
    int64_t leased_us, started_us, ended_us;
    int32_t exit_code, signal;
    double cpu_s;
    uint64_t max_rss;
};
struct asy_metric_row {
    const char *name;
    uint64_t step;
    double value;
    uint32_t attempt;              /* 0: a score from outside training */
    int64_t wall_us;               /* reporter's, if it said; else coordinator's */
    int superseded;
    uint64_t seq;                  /* of the event that brought it */
};
/* The last checkpoints of a trial are named "checkpoint", its final model "model", and how that did
 * ASY_SCORES_FILE. */
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
struct asy_dataset_row {
    const char *name, *digest, *source, *profile /* JSON */;
};
struct asy_worker_row {
    struct asy_id id;
    const char *host, *hardware, *fit, *version;
    uint32_t cores;
    uint64_t memory;
    int64_t joined_us, gone_us;    /* joined: for the last time; gone 0: it is there */
    enum asy_cause cause;          /* of its going */
    const char *text;
};
typedef int (*asy_study_row_f)(void *arg, const struct asy_study_row *row);
typedef int (*asy_trial_row_f)(void *arg, const struct asy_trial_row *row);
typedef int (*asy_attempt_row_f)(void *arg, const struct asy_attempt_row *row);
typedef int (*asy_metric_row_f)(void *arg, const struct asy_metric_row *row);
typedef int (*asy_metric_name_f)(void *arg, const char *name);
typedef int (*asy_artifact_row_f)(void *arg, const struct asy_artifact_row *row);
typedef int (*asy_tag_row_f)(void *arg, const struct asy_tag_row *row);
typedef int (*asy_dataset_row_f)(void *arg, const struct asy_dataset_row *row);
typedef int (*asy_worker_row_f)(void *arg, const struct asy_worker_row *row);

/* Newest first, at most limit (< 0: all; so in the queries below). name_or_id: one study (exactly
 * this name, the newest if projects share it; else an id or a prefix of at least 6 digits); NULL:
 * all. owner: as if no other user had any; NULL: those of all. ASY_E_NOENT with the nearest name;
 * ASY_E_INVAL: several ids begin so. */
ASY_MUST_CHECK int asy_reader_studies(struct asy_reader *reader, const char *owner,
                                      const char *name_or_id, int64_t limit, asy_study_row_f each,
                                      void *arg, struct asy_error *err);
/* By number, from `after` + 1 on (-1: from the first). order_by_value: best first (study's goal),
 * those without a value last; `after` then counts places in this order. A study that is not there
 * has no trials. */
ASY_MUST_CHECK int asy_reader_trials(struct asy_reader *reader, struct asy_id study, int64_t after,
                                     int64_t limit, int order_by_value, asy_trial_row_f each,
                                     void *arg, struct asy_error *err);
/* ASY_E_NOENT: no such trial. */
ASY_MUST_CHECK int asy_reader_trial(struct asy_reader *reader, struct asy_id study, uint64_t number,
                                    asy_trial_row_f each, void *arg, struct asy_error *err);
ASY_MUST_CHECK int asy_reader_attempts(struct asy_reader *reader, struct asy_id study,
                                       uint64_t number, asy_attempt_row_f each, void *arg,
                                       struct asy_error *err);
/* By name and step. with_superseded: also what later attempts undid. (What a fenced attempt said is
 * among the events, SUPERSEDED; it never became a metric.) */
ASY_MUST_CHECK int asy_reader_metrics(struct asy_reader *reader, struct asy_id study,
                                      uint64_t number, int with_superseded, asy_metric_row_f each,
                                      void *arg, struct asy_error *err);
/* What the metrics of one lineage are called, in byte order, from what follows `after` on (NULL:
 * from the first), at most limit: its cost grows with the number of names alone (but in memory,
 * with the store). */
ASY_MUST_CHECK int asy_reader_metric_names(struct asy_reader *reader, struct asy_id study,
                                           uint64_t number, const char *after, int64_t limit,
                                           asy_metric_name_f each, void *arg,
                                           struct asy_error *err);
/* Of one name and one lineage, by step and seq, from what follows (step, seq) on (0, 0: from the
 * first), at most limit: its cost grows with limit alone (but in memory, with the store). */
ASY_MUST_CHECK int asy_reader_series(struct asy_reader *reader, struct asy_id study,
                                     uint64_t number, const char *name, uint64_t step, uint64_t seq,
                                     int64_t limit, asy_metric_row_f each, void *arg,
                                     struct asy_error *err);
ASY_MUST_CHECK int asy_reader_artifacts(struct asy_reader *reader, struct asy_id study,
                                        uint64_t number, asy_artifact_row_f each, void *arg,
                                        struct asy_error *err);
/* 1: some run of any study, finished or not, has this path among its artifacts, as a kept
 * checkpoint, a model or another file; 0: none has. */
ASY_MUST_CHECK int asy_reader_has_file(struct asy_reader *reader, const char *path,
                                       struct asy_error *err);
/* number UINT64_MAX: the study's own. */
ASY_MUST_CHECK int asy_reader_tags(struct asy_reader *reader, struct asy_id study, uint64_t number,
                                   asy_tag_row_f each, void *arg, struct asy_error *err);
/* The data that went in, by name and digest. number UINT64_MAX: the study's own. */
ASY_MUST_CHECK int asy_reader_datasets(struct asy_reader *reader, struct asy_id study,
                                       uint64_t number, asy_dataset_row_f each, void *arg,
                                       struct asy_error *err);
/* All that ever joined, those that did last first. */
ASY_MUST_CHECK int asy_reader_workers(struct asy_reader *reader, int64_t limit,
                                      asy_worker_row_f each, void *arg, struct asy_error *err);
/* Events after a seq and up to another, of a study (none: all) and trial (UINT64_MAX: all). What it
 * costs is bounded by the distance of the two, for one trial by the limit. */
ASY_MUST_CHECK int asy_reader_events(struct asy_reader *reader, struct asy_id study, uint64_t trial,
                                     uint64_t after_seq, uint64_t upto_seq, int64_t limit,
                                     asy_event_f each, void *arg, struct asy_error *err);
/* A name that no study has: `x`, else `x-2`, `x-3`, … text holds n bytes; ASY_E_TOOBIG: too few. On
 * failure text holds nothing of use. */
ASY_MUST_CHECK int asy_reader_free_name(struct asy_reader *reader, const char *name, char *text,
                                        size_t n, struct asy_error *err);
/* ---- looking from outside (`assay doctor`) --------------------------------------------------- */

/* Who has, or last had, the store open, as its lock file says. */
struct asy_store_holder {
    char host[256], boot[64];       /* "": the file says nothing */
    int64_t pid, since_us, beat_us;
    int open;                       /* it was not closed in order, or is open */
};
struct asy_store_look {
    char fs[32];                    /* kind of file system below the folder, or below the nearest
                                     * one above it that exists */
    int network_fs;
    int locked;                     /* a living process has it open, as far as locks reach */
    struct asy_store_holder holder;
    int exists;                     /* there is a database; what follows is its content */
    struct asy_id id;
    uint64_t owner_epoch;
    int port, schema, schema_known; /* version of its schema, and the newest that we know */
};
/* What there is at path, without opening it as its owner and without changing it; whether it has an
 * owner does not matter. A missing folder is no error. ASY_E_CORRUPT, ASY_E_DENIED, ...: the
 * database cannot be read; what was found until then is in *ret. */
ASY_MUST_CHECK int asy_store_look(const char *path, struct asy_store_look *ret,
                                  struct asy_error *err);

/* ---- backups --------------------------------------------------------------------------------- */

/* Files are created with mode 0600; what fails leaves none. Artifacts, logs and keys lie beside the
 * store and are not in it. */
struct asy_store_copy {
    uint64_t bytes, last_seq, studies;
};
/* A consistent copy of the store in this folder as one file, on disk on return; its owner may go on
 * meanwhile. ASY_E_NOENT: no store; ASY_E_EXISTS: the file is there; ASY_E_BUSY: on a network file
 * system while it has an owner. */
ASY_MUST_CHECK int asy_store_backup(const char *folder, const char *file,
                                    struct asy_store_copy *ret, struct asy_error *err);
/* Makes the folder's store of such a file; it gets a new id when it is first opened. ASY_E_EXISTS:
 * the folder has a store; ASY_E_BUSY: somebody opens it; ASY_E_CORRUPT: not a store of ours. */
ASY_MUST_CHECK int asy_store_restore(const char *folder, const char *file,
                                     struct asy_store_copy *ret, struct asy_error *err);

const char *asy_store_sqlite_version(void); /* as loaded: "3.40.1" */
#endif
