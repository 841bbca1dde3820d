/* SPDX-License-Identifier: Apache-2.0
 * asy/event.h - the events that are Assay's history: every state change of a study, trial, attempt
 * or worker is first one of these, in one order.
 *
 * The coordinator's core makes them and changes its own state through them alone, live and after a
 * restart; the store writes each as one row of `event` (body as protobuf, message Event of
 * assay.proto) and its projections in the same transaction. Kinds and field numbers are stored for
 * ever: add, never renumber.
 *
 * Ownership: a struct asy_event borrows its texts and arrays; asy_event_decode() puts them into an
 *            arena that the caller resets. Threads: any. */
#ifndef ASY_EVENT_H
#define ASY_EVENT_H
#include <asy/buf.h>
#include <asy/hash.h>
#include <asy/id.h>
#include <asy/json.h>

enum asy_event_kind {
    ASY_EV_STUDY_CREATED = 1,
    ASY_EV_STUDY_STATE = 2,
    ASY_EV_STUDY_CHANGED = 3,   /* budget, resources or priority set anew (resume) */
    ASY_EV_TRIAL_CREATED = 4,
    ASY_EV_TRIAL_STATE = 5,
    ASY_EV_LEASED = 6,
    ASY_EV_STARTED = 7,
    ASY_EV_REPORT = 8,
    ASY_EV_CHECKPOINT = 9,
    ASY_EV_ENDED = 10,          /* an attempt is over, as its agent says or as judged lost */
    ASY_EV_SUPERSEDED = 11,     /* what a fenced attempt still said: kept, counts for nothing */
    ASY_EV_WORKER_JOINED = 12,
    ASY_EV_WORKER_GONE = 13,
    ASY_EV_ARTIFACT = 14,       /* a content-addressed file belongs to a run */
    ASY_EV_TAG = 15,            /* a tag of a run was set */
    ASY_EV_SCORE = 16,          /* a metric from outside training (test scores) */
    ASY_EV_DATASET = 17,        /* a study's data: content id, rows, columns, classes, split */
    ASY_EV_CHECKPOINT_DROPPED = 18,
};

enum asy_study_state {
    ASY_STUDY_RUNNING = 1, ASY_STUDY_PAUSED = 2, ASY_STUDY_STOPPING = 3, ASY_STUDY_FINISHED = 4,
    ASY_STUDY_STOPPED = 5, ASY_STUDY_FAILED = 6,
};
enum asy_trial_state {
    ASY_TRIAL_QUEUED = 1, ASY_TRIAL_LEASED = 2, ASY_TRIAL_RUNNING = 3, ASY_TRIAL_PAUSED = 4,
    ASY_TRIAL_COMPLETE = 5, ASY_TRIAL_PRUNED = 6, ASY_TRIAL_FAILED = 7, ASY_TRIAL_CANCELLED = 8,
};
/* How an attempt ended. */
enum asy_end {
    ASY_END_COMPLETE = 1,  /* whole length done, or the program exited 0 */
    ASY_END_PAUSED = 2,    /* stands at a checkpoint: milestone, pause, drain */
    ASY_END_STOPPED = 3,   /* ended on the coordinator's stop (pruned, cancelled) */
    ASY_END_DIVERGED = 4,
    ASY_END_CRASHED = 5,   /* exit code, signal, out of memory, bad protocol: uses up a retry */
    ASY_END_LOST = 6,      /* the worker was judged lost: no retry used */
    ASY_END_PREEMPTED = 7, /* walltime, drain before a checkpoint: no retry used */
    ASY_END_REFUSED = 8,   /* the agent could not start it (outdated, no room): no retry used */
};

/* Why something waits, failed or was stopped: name and number of each. Stored and shown by
 * `explain`; each has a row in cause.c and a test that provokes it (tests/core/test_explain.c walks
 * this list). */
#define ASY_CAUSES(each)                                                                           \
    each(NONE, 0)                                                                                  \
    /* waiting */                                                                                  \
    each(NO_WORKER, 1)         /* no worker is connected that serves this owner */                 \
    each(NO_CORES, 2)          /* all fitting workers have fewer free cores than asked */          \
    each(NO_MEMORY, 3)                                                                             \
    each(NO_GPU, 4)                                                                                \
    each(TOO_LARGE, 5)         /* no connected worker could ever hold it */                        \
    each(STUDY_PAUSED, 6)                                                                          \
    each(PRIORITY, 7)          /* studies of higher priority or smaller share go first */          \
    each(PARALLEL_LIMIT, 8)    /* budget.parallel is reached */                                    \
    each(RUNG, 9)              /* paused at a rung, not among its best fraction */                 \
    each(REATTACH, 10)         /* its worker is away and may come back with it */                  \
    each(SUSPECT, 11)          /* its worker is silent, not yet lost */                            \
    each(SAMPLER, 12)          /* the sampler is computing */                                      \
    each(LAG, 13)              /* deterministic: waits for an earlier job */                       \
    each(DRAINING, 14)         /* workers are draining */                                          \
    each(UNFIT, 15)            /* the only fitting workers are out of service */                   \
    each(BACKOFF, 16)          /* crashed just now; waits before its next attempt */               \
    each(STORE, 17)            /* the store cannot be written (full disk) */                       \
    each(NO_WORK, 18)          /* of a worker: no trial waits for it; never stored */              \
    each(DISK_FULL, 20)        /* the disk of its worker */                                        \
    each(OTHER_OWNER, 19)      /* of a worker: the trials are another user's; never stored */      \
    each(WALLTIME, 26)         /* the allocations of fitting workers end too soon; never stored */ \
    each(OFFERED, 24)          /* a worker offers an attempt of it from before a restore */        \
    /* failed */                                                                                   \
    each(EXIT_CODE, 32)                                                                            \
    each(SIGNAL, 33)                                                                               \
    each(OUT_OF_MEMORY, 34)                                                                        \
    each(DIVERGED, 35)                                                                             \
    each(NO_VALUE, 36)                                                                             \
    each(NO_PROGRESS, 37)                                                                          \
    each(RETRIES, 38)                                                                              \
    each(NOT_STARTED, 39)                                                                          \
    each(BAD_JOB, 40)                                                                              \
    each(PROTOCOL, 41)                                                                             \
    each(SAMPLER_FAILED, 42)                                                                       \
    each(DATA, 43)                                                                                 \
    each(CHECKPOINT_GONE, 47)  /* the file that a lease starts from is not there, or damaged */    \
    each(REFUSED, 48)          /* the study file, by a build that did not make it */              \
    each(SILENT, 49)           /* run.silence: nothing was heard of a plug-in for so long */       \
    /* stopped */                                                                                  \
    each(PRUNED, 64)           /* the pruner's rule; the text has its numbers */                   \
    each(STUDY_ENDED, 65)      /* still paused or queued when the study ended */                   \
    each(USER, 66)                                                                                 \
    each(BUDGET_TRIALS, 67)                                                                        \
    each(BUDGET_TIME, 68)                                                                          \
    each(TARGET, 69)                                                                               \
    each(EXHAUSTED, 70)        /* the sampler has no further point */                              \
    each(PREEMPTED, 71)                                                                            \
    each(LOST, 72)                                                                                 \
    each(STAGNATION, 73)       /* budget.patience: no trial was better for so long */              \
    each(REGRET, 74)           /* budget.regret: no point can be better by so much, says a model */
enum asy_cause {
#define ASY__CAUSE(name, number) ASY_CAUSE_##name = (number),
    ASY_CAUSES(ASY__CAUSE)
#undef ASY__CAUSE
};
struct asy_cause_info {
    enum asy_cause cause;
    const char *name;   /* "no-cores" */
    const char *rule;   /* one sentence */
    const char *remedy; /* what a user can do; {study} and {trial} stand for what it is about */
};
/* NULL for an unknown value. */
const struct asy_cause_info *asy_cause_info(enum asy_cause cause);
/* The remedy of a cause with the names filled in, as far as they are known (trial < 0: it is about
 * the study); "" for an unknown cause. text holds n bytes. */
void asy_cause_remedy(enum asy_cause cause, const char *study, int64_t trial, char *text,
                      size_t n);
/* Members "cause", "rule", "text" (the numbers of this case) and "remedy" of an open object: the
 * one form in which answers say why. trial < 0: it is about the study. */
void asy_cause_write_json(struct asy_jsonw *w, enum asy_cause cause, const char *text,
                          const char *study, int64_t trial);
/* The same of a study that has ended without a complete trial: nothing promises a result. */
void asy_cause_write_fruitless(struct asy_jsonw *w, enum asy_cause cause, const char *text,
                               const char *study);

struct asy_metric {
    const char *name;
    double value; /* NaN and infinities allowed */
};
#define ASY_GPU_WHOLE 10000 /* amounts of GPUs are counted in this part of a device */

/* A part of a lease on one worker. */
struct asy_placement {
    struct asy_id worker;
    uint32_t ranks;
    const uint32_t *cores;   /* [n_cores] the worker's own core numbers */
    size_t n_cores;
    uint64_t memory;         /* bytes; 0: not limited */
    const char *const *gpus; /* [n_gpus] ids as in struct asy_gpu, rank by rank; one may be there
                              * more than once */
    size_t n_gpus;
    const uint32_t *gpu_shares; /* [n_gpu_shares] 1/10,000 of each of them */
    size_t n_gpu_shares;     /* n_gpus; or 0: whole ones */
    const char *host;        /* in a LEASE with several parts; an event does not say it */
};
struct asy_checkpoint {
    uint32_t attempt;        /* that wrote it; 0: none */
    uint64_t step;
    struct asy_sha sha;
    uint64_t bytes;
    const char *path;        /* where it lies, for whoever shares the file system */
};

/* The name of a run's artifact that says how its model did, class by class. */
#define ASY_SCORES_FILE "scores.json"

struct asy_event {
    uint64_t seq;            /* given by the store's order: 1, 2, …; 0 before it is committed */
    int64_t wall_us;         /* coordinator's wall time */
    struct asy_id study;     /* none for workers */
    uint64_t trial;          /* number in the study; UINT64_MAX: none */
    uint32_t attempt;        /* number in the trial, from 1; 0: none */
    enum asy_event_kind kind;
    union {
        struct { const char *name, *project, *owner, *spec; /* canonical JSON */
                 const char *command_line; } study_created;
        struct { enum asy_study_state state; enum asy_cause cause; const char *text;
                 } study_state;
        struct { const char *spec; } study_changed;
        struct { struct asy_id id; const double *x; size_t n_x; uint64_t seed; const char *params;
                 const char *source; /* "tpe", "enqueued", … */
                 uint64_t knew; /* seq of the newest event whose outcomes the sampler knew when it
                                 * was asked for the point; 0: not recorded */
                 uint64_t with; /* drawn from one model with so many trials right before it */
                 uint64_t parent; /* 1 + number of the trial whose last checkpoint it starts from;
                    0: none */
                 uint64_t member; /* of the population, from 1; 0: none */ } trial_created;
        struct { enum asy_trial_state state; enum asy_cause cause; const char *text;
                 double value; /* objective when paused or ended; NaN: none */ uint64_t step;
                 const char *outcome; /* JSON, when ended, of a study with several objectives or
                    constraints: {"values": [of each objective, null: none], "violation": what is
                    beyond the constraints, null: a metric was not reported} */
                 } trial_state;
        struct { struct asy_id id; uint64_t epoch, job, milestone;
                 const struct asy_placement *placements; size_t n_placements;
                 struct asy_checkpoint from; } leased;
        struct { uint64_t report; int64_t pid; const char *host; const char *hardware; /* JSON */
                 const char *versions; /* JSON */ int64_t reporter_wall_us; } started;
        struct { uint64_t report, step; const struct asy_metric *metrics; size_t n_metrics;
                 int64_t reporter_wall_us; } report;
        struct { uint64_t report; struct asy_checkpoint checkpoint; } checkpoint;
        struct { uint64_t report; enum asy_end end; enum asy_cause cause; const char *text;
                 int32_t exit_code, signal; uint64_t step; double objective;
                 const char *model_path; struct asy_sha model_sha; uint64_t model_bytes;
                 double cpu_s; uint64_t max_rss;
                 const char *scores_path; /* how the model did, class by class; "": not said */
                 struct asy_sha scores_sha; uint64_t scores_bytes; } ended;
        struct { uint64_t report; enum asy_event_kind was; uint64_t step; const char *text;
                 } superseded;
        struct { struct asy_id id; const char *host; const char *hardware; uint32_t cores;
                 uint64_t memory; const char *fit; /* "" or why it is out of service */
                 const char *version; } worker_joined;
        struct { struct asy_id id; enum asy_cause cause; const char *text; } worker_gone;
        struct { const char *name, *path; struct asy_sha sha; uint64_t bytes; } artifact;
        struct { const char *key, *value; } tag;
        struct { const char *name; double value; uint64_t step; } score;
        struct { const char *name, *digest, *source, *profile; /* JSON */ } dataset;
        struct { struct asy_checkpoint checkpoint; } checkpoint_dropped;
    };
};

const char *asy_event_kind_name(enum asy_event_kind kind);  /* "trial-created" */
const char *asy_study_state_name(enum asy_study_state state);
const char *asy_trial_state_name(enum asy_trial_state state);
const char *asy_end_name(enum asy_end end);
/* Whether a trial state is final. */
int asy_trial_state_ended(enum asy_trial_state state);
/* Whether artifacts of that name are what attempts leave: checkpoints, models, how these did. */
int asy_artifact_is_left(const char *name);

/* Memory for decoded events: grows, is reset as a whole (and then keeps up to 1 MiB). */
struct asy_arena;
ASY_MUST_CHECK int asy_arena_create(size_t budget, struct asy_arena **ret_arena,
                                    struct asy_error *err);
void asy_arena_destroy(struct asy_arena *arena);
void asy_arena_reset(struct asy_arena *arena);
/* Zeroed, aligned to 16; NULL when the budget is used up. */
void *asy_arena_alloc(struct asy_arena *arena, size_t n);
char *asy_arena_strdup(struct asy_arena *arena, const char *text, size_t len);

/* Appends the body (all but seq, wall_us, study, trial, attempt, kind, which are columns). */
ASY_MUST_CHECK int asy_event_encode(const struct asy_event *event, struct asy_buf *buf,
                                    struct asy_error *err);
/* Fills the union of *event (columns are set by the caller before: kind must be). Texts are never
 * NULL (an absent one is ""), lists of n = 0 may be. Unknown fields are ignored, unknown kinds are
 * ASY_E_UNSUPPORTED, broken bytes ASY_E_CORRUPT. protobuf-c unpacks into the arena, at most 8 times
 * n and 64 KiB (else ASY_E_TOOBIG); with 16 times n and 64 KiB there is room for all (else
 * ASY_E_FULL). */
ASY_MUST_CHECK int asy_event_decode(const void *bytes, size_t n, struct asy_arena *arena,
                                    struct asy_event *event, struct asy_error *err);
/* A deep copy into the arena. */
ASY_MUST_CHECK int asy_event_copy(const struct asy_event *event, struct asy_arena *arena,
                                  struct asy_event *ret_event, struct asy_error *err);
/* One JSON object with all fields, for `explain`, `replay` and logs: columns first, then the body.
 * Enumerations are their names, ids and sums hex, integers beyond 63 bits and non-finite numbers
 * strings; texts that hold JSON go in as JSON if they are some. */
void asy_event_write_json(const struct asy_event *event, struct asy_jsonw *w, const char *key);
#endif
