/* SPDX-License-Identifier: Apache-2.0
 * asy/core.h - the coordinator's mind: studies, trials, attempts, leases and workers as one pure
 * state machine, step(state, input, now) -> events and effects. No I/O, clock, thread or SQL.
 *
 * All lasting state changes through events (asy/event.h) and through them alone: step() decides on
 * events, applies each to the state at once and hands it out; after a restart the same events,
 * replayed in order, give the same state (asy_core_replay). What is not in events is soft:
 * sessions, heartbeats, free cores, timers, pending asks.
 *
 * Commits. The events handed out since the last asy_core_seal() form commit number n. Every effect
 * carries the number of the commit it depends on (0: none); the gate (asy/gate.h) holds it until
 * the store says that number is durable. Core assumes nothing about when that happens.
 *
 * Samplers run elsewhere: effects ASK and TELL go to them, input ASKED comes back. The pruner is
 * part of core: its calls are cheap.
 *
 * Attempts and fencing. A lease gives a trial's next attempt number and an epoch (equal to it here,
 * of the trial); reports of any other epoch are recorded as superseded and answered closed. Reports
 * of an attempt are numbered 1, 2, …: one at or below the applied number is acknowledged again, one
 * beyond the next is ignored and answered with the watermark, so that the agent sends again.
 *
 * A trial's value is the best or the last (as its study says) of the objective's values in its
 * REPORTs, over its lineage: what an attempt reported above the checkpoint that a later one started
 * from does not count. ENDED.objective is kept on record and decides nothing.
 *
 * Ownership: create/destroy; inputs are borrowed for the call; effects and events are valid until
 *            the next call of step. Threads: the loop only. Errors: only memory; input that makes
 *            no sense is answered, counted, never fatal. A step that failed for memory leaves the
 *            core unusable: end the process, a restart replays what was committed. */
#ifndef ASY_CORE_H
#define ASY_CORE_H
#include <asy/buf.h>
#include <asy/msg.h>
#include <asy/study.h>
#include <asy/tuner.h>

/* What becomes of attempts of another store, which agents offer after a backup was restored. */
enum asy_foreign { ASY_FOREIGN_ASK, ASY_FOREIGN_ADOPT, ASY_FOREIGN_DISCARD };

struct asy_core_config {
    struct asy_id store;           /* identity of the store */
    uint64_t owner_epoch;
    uint64_t last_seq;             /* of the store when it was opened: numbers the NEWS */
    const char *version;
    const char *const *endpoints;  /* [n_endpoints] where it listens, for WELCOME; borrowed */
    size_t n_endpoints;
    const char *owner;             /* public key of the user who started the coordinator */
    const char *files, *nonce;     /* for WELCOME; borrowed as long as core lives; NULL: none */
    uint32_t bulk_port;
    int64_t heartbeat_ms;          /* 1000 */
    int64_t suspect_after_ms;      /* 3000 */
    int64_t lost_after_ms;         /* 10000 */
    int64_t closed_grace_ms;       /* 1000: a closed connection frees its trials after this */
    int64_t reattach_ms;           /* 10000: after a start, running attempts are kept this long */
    int restored;                  /* the store comes from a backup: nothing is leased in the
                                    * reattach window, in which agents offer what they hold */
    enum asy_foreign foreign;
    int64_t idle_exit_ms;          /* 60000: QUIT after the last client and study; < 0: never */
    int64_t backoff_ms;            /* 1000: first wait after a trial's crash, doubled each time */
    uint32_t lost_limit;           /* 3 losses in a row without a newer checkpoint */
    uint32_t checkpoints_kept;     /* 2 */
    uint64_t artifact_quota;       /* 10 GiB: bytes of checkpoints and models of one study, above
                                    * which a trial keeps its newest checkpoint alone */
    uint32_t max_workers, max_sessions;
    uint64_t max_trials;           /* of one study */
};
#define ASY_CORE_CONFIG_INIT                                                                       \
    { .heartbeat_ms = 1000, .suspect_after_ms = 3000, .lost_after_ms = 10000,                      \
      .closed_grace_ms = 1000, .reattach_ms = 10000, .idle_exit_ms = 60000, .backoff_ms = 1000,    \
      .lost_limit = 3, .checkpoints_kept = 2, .artifact_quota = UINT64_C(10) << 30,               \
      .max_workers = 4096, .max_sessions = 16384,          \
      .max_trials = 1000000 }

/* ---- what goes in ---------------------------------------------------------------------------- */

enum asy_input_type {
    ASY_IN_MSG = 1,      /* a frame of a peer */
    ASY_IN_CLOSED = 2,   /* a send to the peer failed as gone, or the peer was dropped */
    ASY_IN_TICK = 3,     /* the deadline passed, or nothing but time */
    ASY_IN_ASKED = 4,    /* a sampler's answer */
    ASY_IN_DURABLE = 5,  /* the store reached this commit: news for watchers only, never a cause */
    ASY_IN_DRAIN = 6,    /* a signal: pause everything, quit when quiet */
    ASY_IN_FAILED_COMMIT = 7, /* the store cannot write (full disk): no new leases until it can */
    ASY_IN_FORGOTTEN = 8,/* the sampler of a FORGET is gone: its spec is not borrowed any more */
    ASY_IN_ANSWERED = 9, /* the last part of the answer to a QUERY effect has been sent */
};
struct asy_input {
    enum asy_input_type type;
    uint64_t peer;                        /* MSG, CLOSED, ANSWERED: the connection */
    union {
        /* proved: the public key that the connection proved; NULL: key. HELLO alone: key, that of
         * the user whose peer it is; name, what stands beside the peer's own key; is_worker: that
         * key may be an agent, and nothing else. */
        struct { const struct asy_msg *msg; const char *key, *proved, *name; int is_worker; } msg;
        struct { struct asy_id study; uint64_t number; int rc; /* 0, ASY_E_FULL, other */
                 const double *x; /* [space length] */ const char *source; const char *text;
                 int needs_history; /* asy_sampler_needs_history(): 0 lets core ask ahead */
                 double regret; size_t regret_n; /* of a study with budget.regret: a bound, and of
                                                  * how many trials; 0: none yet */
                 uint64_t knew;     /* as the ASK said it */
                 uint64_t with;     /* so many asks right before it had the same model; 0: none */
                 struct asy_origin origin; /* asy_sampler_origin() */
                 } asked;
        struct { uint64_t commit; } durable;
        struct { const char *text; int ok; /* 1: it can write again */ } store;
        struct { struct asy_id study; } forgotten;
        struct { struct asy_id session; } answered; /* whose question it was */
    };
};

/* ---- what comes out -------------------------------------------------------------------------- */

enum asy_effect_type {
    ASY_FX_SEND = 1,     /* msg to peer */
    ASY_FX_ASK = 2,      /* compute thread: suggest the point of trial `number` */
    ASY_FX_TELL = 3,     /* compute thread: an outcome */
    ASY_FX_SAMPLER = 4,  /* compute thread: make the sampler of this study (before its first ASK) */
    ASY_FX_FORGET = 5,   /* the study is over (after its commit): compute thread; what is
                          * left of its files */
    ASY_FX_DROP_FILE = 6,/* the file of a checkpoint that is not needed any more (after its commit):
                          * remove it, unless the store has it on record elsewhere */
    ASY_FX_QUIT = 7,     /* the process may end: nothing is left to do */
    ASY_FX_CLOSE = 8,    /* forget this peer, and what it has asked */
    ASY_FX_QUERY = 9,    /* a question that the store answers: query thread */
};
struct asy_effect {
    enum asy_effect_type type;
    uint64_t commit;                      /* released when durable; 0: at once */
    uint64_t peer;
    struct asy_id study;
    size_t n_x, n_values;                 /* ASK: n_x of fixed; TELL: of x and values */
    uint64_t seq;                         /* QUERY: events up to this one are on disk when it
                                           * leaves; of a WATCH, all later ones come as news */
    const char *key;                      /* QUERY: whose it is; NULL: may see everything; as long
                                           * as core */
    union {
        /* SEND; QUERY: a QUERY, or a WATCH whose history up to seq is asked for */
        struct asy_msg msg;
        /* ahead: it may be drawn from one model with the asks next to it that say so too.
         * knew: the sampler has been told of all outcomes up to this event */
        struct { uint64_t number; const double *fixed; int ahead; uint64_t knew; } ask;
        struct asy_outcome tell;
        /* spec is borrowed until ASY_IN_FORGOTTEN; budget: trials that the study began with, 0: not
         * limited. A resumed study may have more, but its sampler goes on as it began, here as
         * after a restart */
        struct { const struct asy_study_spec *spec; uint64_t budget; } sampler;
        struct { const char *path; } file;
    };
};
struct asy_step {
    const struct asy_event *events;       /* [n_events] part of the open commit */
    size_t n_events;
    const struct asy_effect *effects;     /* [n_effects] in order */
    size_t n_effects;
};

struct asy_core;
ASY_MUST_CHECK int asy_core_create(const struct asy_core_config *config,
                                   struct asy_core **ret_core, struct asy_error *err);
void asy_core_destroy(struct asy_core *core);
/* Replay: events of all unfinished studies and of workers, in seq order, before
 * asy_core_start(). */
ASY_MUST_CHECK int asy_core_replay(struct asy_core *core, const struct asy_event *event,
                                   struct asy_error *err);
/* What the sampler of a study would have been told of the events replayed last: effects TELL, of
 * RUNNING for a trial that was created. For a replay that begins no core. */
ASY_MUST_CHECK int asy_core_replay_tells(struct asy_core *core, struct asy_step *ret_step,
                                         struct asy_error *err);
/* What an event decided, if the log alone decides it. */
enum asy_decided {
    ASY_DECIDED_NOTHING = 0,
    ASY_DECIDED_STOP = 1,      /* the pruner's */
    ASY_DECIDED_PAUSE = 2,     /* at a rung */
    ASY_DECIDED_PROMOTION = 3,
    ASY_DECIDED_VALUE = 4,     /* of a trial that was not pruned, from its reports */
    ASY_DECIDED_LENGTH = 5,    /* the milestone of a lease */
};
/* Whether the event, which is to be replayed next, is what the replayed ones lead to: pruner,
 * values and milestones of this core against the record. ASY_E_CORRUPT: it is not, and the text
 * says what would have followed. 0 with *ret_what NOTHING: programs, users or time decided it. */
ASY_MUST_CHECK int asy_core_follows(struct asy_core *core, const struct asy_event *event,
                                    enum asy_decided *ret_what, struct asy_error *err);
/* Ends replay: attempts known as leased or running are kept for the reattach window. Effects: the
 * samplers of unfinished studies and what they must be told. */
ASY_MUST_CHECK int asy_core_start(struct asy_core *core, int64_t now_ms, int64_t wall_us,
                                  struct asy_step *ret_step, struct asy_error *err);
ASY_MUST_CHECK int asy_core_step(struct asy_core *core, const struct asy_input *input,
                                 int64_t now_ms, int64_t wall_us, struct asy_step *ret_step,
                                 struct asy_error *err);
/* Closes the open commit and returns its number (0: it had no events). Call before handing its
 * events to the store. */
uint64_t asy_core_seal(struct asy_core *core);
/* Monotonic time of the next ASY_IN_TICK that is due; INT64_MAX: none. */
int64_t asy_core_deadline(const struct asy_core *core);
/* The loop was late by this much: all deadlines of peers move, so that nobody is judged for it. */
void asy_core_was_late(struct asy_core *core, int64_t late_ms);

/* ---- looking in (for queries; never for decisions) ------------------------------------------- */

/* Live parts of the answers of `ls`, `show`, `workers`, `explain`, as JSON members of an open
 * object. key: of who asks, to whom other users' studies do not exist; NULL: may see everything.
 * ASY_E_NOENT: no such live study (the store may know it). */
ASY_MUST_CHECK int asy_core_write_study(const struct asy_core *core, const char *key,
                                        const char *name_or_id, struct asy_jsonw *w,
                                        struct asy_error *err);
/* All workers, whosever they are; what runs there only of studies that may be seen. */
void asy_core_write_workers(const struct asy_core *core, const char *key, int64_t now_ms,
                            struct asy_jsonw *w);
/* "state" and why (asy_cause_write_json) for a study (trial < 0) or a trial of it, as of the
 * last step. */
ASY_MUST_CHECK int asy_core_explain(const struct asy_core *core, const char *key,
                                    const char *name_or_id, int64_t trial, struct asy_jsonw *w,
                                    struct asy_error *err);
/* The same for a worker, with what `workers` says of it, and for each unfinished study ("studies")
 * why none of its trials goes there. By id, its first digits, or host. ASY_E_NOENT: no such worker;
 * ASY_E_INVAL: several. */
ASY_MUST_CHECK int asy_core_explain_worker(const struct asy_core *core, const char *key,
                                           const char *id_or_host, struct asy_jsonw *w,
                                           struct asy_error *err);
/* The canonical text of a live study and the key of its owner, borrowed until the next step; NULL:
 * no such study. */
const char *asy_core_study_text(const struct asy_core *core, struct asy_id study,
                                const char **ret_owner);
/* Those of all live studies of an owner, each borrowed for the call. */
void asy_core_study_texts(const struct asy_core *core, const char *owner,
                          void (*each)(void *arg, const char *text), void *arg);
/* Whether it does not end when idle: by its configuration, or told so. */
int asy_core_stays(const struct asy_core *core);
/* How many frames bore the session of a connection with another key, and *ret_key, borrowed until
 * the next step, which key the last of them came with ("": there was none). */
uint64_t asy_core_foreign_sessions(const struct asy_core *core, const char **ret_key);
/* A digest of all lasting state: the simulator compares live and replayed cores by it. */
uint64_t asy_core_digest(const struct asy_core *core);
/* What a checker asks of one trial; 0 if it is not live. */
int asy_core_trial_state(const struct asy_core *core, struct asy_id study, uint64_t trial,
                         enum asy_trial_state *ret_state, uint32_t *ret_attempt);
#endif
