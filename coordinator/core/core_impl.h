/* SPDX-License-Identifier: Apache-2.0
 * core_impl.h - what the files of the core share.
 *
 * Two kinds of fields: lasting ones, which only apply.c (and job.c, trial.c on its behalf) changes,
 * driven by events; and soft ones, marked so, which a restart forgets. Functions that decide read
 * lasting fields, make events with asy__emit() and never write lasting fields themselves.
 *
 * Memory: nothing here returns an error for memory in the middle of a decision; the failure sticks
 * in core->rc and asy_core_step() reports it. */
#ifndef ASY__CORE_IMPL_H
#define ASY__CORE_IMPL_H
#include <asy/core.h>
#include "ahead.h"
#include "list.h"
#include "map.h"

#ifndef ASY_MUTANT /* the mutants of tests/sim; 0: the real thing */
#define ASY_MUTANT 0
#endif
#define ASY__NAME_MAX 64
#define ASY__CORES_MAX 65536
#define ASY__GPUS_MAX 1024
#define ASY__GPU_ID_MAX 95
#define ASY__ASKS_AHEAD 32
#define ASY__NEVER INT64_MAX
#define ASY__NO_TRIAL UINT64_MAX

struct asy__study;
struct asy__trial;
struct asy__attempt;
struct asy__worker;
struct asy__session;
struct asy__offer;

/* Which list of its study a trial stands in. */
enum asy__where { ASY__NOWHERE, ASY__AGAIN, ASY__FRESH, ASY__OPEN, ASY__PAUSED, ASY__OVER };

struct asy__checkpoint {
    uint32_t attempt;
    uint64_t step, bytes;
    struct asy_sha sha;
    char *path;
};

/* An attempt that a later lease cut off: its reports up to here are on record. */
struct asy__fenced {
    uint32_t attempt;
    uint64_t upto;
};

struct asy__trial {
    struct asy__node node;
    struct asy__node spare;        /* in its study's list while it has more than one checkpoint */
    struct asy__node keeper;       /* in its study's list while it is over and keeps a checkpoint */
    struct asy__study *study;
    struct asy__trial *parent;     /* from whose checkpoint it starts; NULL: from nothing */
    uint64_t member;               /* of the population, from 1; 0: there is none */
    uint64_t children;             /* trials that started from its checkpoint and are not over */
    struct asy__attempt *attempt;  /* open: leased, running, or lost and not yet fenced */
    struct asy_id id;
    uint64_t number, seed, job, step;
    uint64_t goal;                 /* milestone it was promoted to; 0: the first one */
    uint32_t attempts;             /* number of the newest attempt; 0: none yet */
    uint32_t crashes, losses;      /* losses: in a row without a newer checkpoint */
    uint32_t refusals;             /* of its leases, in a row */
    uint64_t furthest;             /* step of the newest checkpoint that counted as progress */
    enum asy_trial_state state;
    enum asy_cause cause, stop;    /* stop: NONE, or why it is to end at the next chance */
    enum asy__where where;
    unsigned job_open : 1;         /* its job has no outcome yet */
    unsigned hit : 1;              /* it reached the study's target */
    unsigned reported : 1;         /* the objective's metric came up, if only as NaN */
    unsigned diverged : 1;
    unsigned by_itself : 1;        /* its program ended its training, whatever its milestone */
    unsigned told : 1;             /* sampler and pruner know its end */
    unsigned noted : 1;            /* soft: stands in its study's notes, untold */
    enum asy_outcome_state heard;  /* what the sampler last heard of it, ... */
    struct asy__offer *offer;      /* soft: the newest that another store's attempt of it is */
    char *text;
    char *params;                  /* soft: as JSON, until its first lease; NULL: none */
    struct asy__checkpoint *checkpoints; /* acknowledged, oldest first */
    size_t n_checkpoints;
    struct asy__fenced *fenced;
    size_t n_fenced;
    double *hist;                  /* [n_hist][1 + asy__n_values()]: step, values */
    size_t n_hist, cap_hist;
    double fed_step;               /* deterministic: the pruner has the values up to here; -1 */
    int64_t ready_ms;              /* soft: not leased again before */
    double last_step;              /* of the last objective value; -1: none */
    double base_step;              /* ... of what left hist */
    double heard_step;             /* ... with this last_step, and the values in x */
    double x[]; /* [n_x] point, [n] best, [n] last of what left hist, [n] final, [n] heard,
                 * [n] sum and [n] number of what left hist */
};

/* What an attempt has of a GPU. */
struct asy__gpu_part {
    char *id;
    uint32_t share;                /* 1/10,000 */
};

/* What an attempt has of one worker. */
struct asy__part {
    struct asy__node on_worker;
    struct asy__attempt *attempt;
    struct asy__worker *worker;
    uint32_t ranks;
    uint32_t *cores;
    size_t n_cores;
    uint64_t memory;
    struct asy__gpu_part *gpus;
    size_t n_gpus;
    uint64_t seen;                    /* soft: the HELLO that listed it */
    int gone;                         /* soft: its worker says that it does not have it */
    int beside;                       /* soft: it began while that was kept for another study */
};

struct asy__attempt {
    struct asy__trial *trial;
    struct asy__part *parts;          /* [n_parts] each on another worker; the first leads: it alone
                                       * reports, and is told to pause or stop */
    size_t n_parts;
    struct asy_id id;
    uint32_t number;
    uint64_t epoch, milestone, applied;
    uint64_t n_cores;                 /* of all parts */
    int started, orphan;              /* orphan: its worker is lost (never with several parts) */
    double started_ms, said_ms, said_step; /* soft, on its agent's clock; said_step -1: nothing */
    double first_ms;                  /* soft: from its start to its first report */
    uint64_t round;                   /* soft: rounds of starts that had been told of by then */
    int64_t started_us;               /* soft: when we heard of its start; 0: we did not */
    int64_t started_core_ms;          /* soft: the same; 0: not since our own start */
    int64_t leased_ms;                /* soft; 0: not known */
    uint64_t begun_step;              /* soft: of the checkpoint that it began from */
    enum asy_cancel_mode told;        /* soft: the strongest cancel sent in this session; 0: none */
};

struct asy__job {
    uint64_t trial; /* ASY__NO_TRIAL: a turn at which nothing could be decided */
    int done;
};

/* In ms; 0: not measured. */
#define ASY__ROUNDS 8
struct asy__pace {
    double starts_ms[ASY__ROUNDS]; /* from a start to the first report: the slowest of each round */
    uint64_t n_rounds;             /* ever; number n is at n % ASY__ROUNDS */
    /* the slowest of late: */
    double gap_ms;                 /* between two reports of further steps */
    double step_ms;
    double rest_ms;                /* from the first report to the end, of what came to its end */
};

struct asy__study {
    struct asy__node node;             /* of the live ones, by age */
    struct asy_id id;
    char *name, *base_name, *project;
    const char *owner;                 /* interned */
    char *spec_text;                   /* canonical; NULL once it is over */
    struct asy_study_spec *spec;       /* parsed when first needed */
    struct asy__refused *refused;      /* until the start: this build refuses the spec; NULL: not */
    char *refused_change;              /* why this build refuses a change of it; NULL: no */
    struct asy_pruner *pruner;
    int64_t created_us, paused_us, paused_since_us; /* 0: not paused */
    enum asy_study_state state;
    enum asy_cause cause;
    char *text;
    int over, exhausted;
    int given_up;                      /* by its sampler, whose trials fail */
    char *give_up;                     /* why */
    enum asy_cause enough;             /* TARGET, STAGNATION, REGRET: no more trials are wanted */
    char *near;                        /* REGRET: why */
    double reached;                    /* best value that was counted; NaN: none */
    uint64_t stale;                    /* complete trials counted since it was reached */
    struct asy__trial **trials;
    uint64_t n_trials, cap_trials;
    struct asy__node lists[ASY__OVER]; /* AGAIN, FRESH, OPEN, PAUSED by number */
    uint64_t counts[ASY_TRIAL_CANCELLED + 1];
    uint64_t n_fresh, n_again;
    uint64_t cores_used;               /* by attempts that are not orphans */
    size_t n_open;                     /* attempts, orphans too */
    struct asy_population population;  /* size 0: its sampler has none */
    uint64_t n_busy;                   /* members that train, or have trained to the end */
    struct asy__trial **standings;     /* [population.size] the latest complete trial of each member
                                        * that the sampler knows of; NULL: none */
    struct asy__node keepers;          /* trials that are over and keep a checkpoint */
    uint64_t kept;                     /* bytes of its checkpoints and models */
    struct asy__node spares;           /* trials with more than one checkpoint, longest without a
                                        * new one first */
    double best;                       /* of complete trials, first objective; NaN: none */
    int64_t best_trial;
    /* deterministic studies: jobs [fed, next_job) in a ring of `lag` entries */
    struct asy__job *ring;
    uint64_t next_job, fed, lag;       /* lag 0: not deterministic */
    uint64_t jobs_unfed;               /* among them, without passed turns */
    uint64_t budget;                   /* trials that it began with, for its sampler; 0: no limit;
                                        * UINT64_MAX: its spec was not parsed yet */
    /* soft */
    struct asy_study_spec **retired;   /* not current any more, maybe still borrowed */
    size_t n_retired;
    int has_sampler, asks_ahead, blocked, promo_stale, promo_none;
    int remakes;                       /* its sampler, as soon as no ask is on its way */
    uint64_t asking;                   /* asks on their way: trials [n_trials, n_trials + asking) */
    int64_t asked_ms;                  /* when the sampler was last asked or heard of */
    struct asy__ahead ahead;
    uint64_t held, held_cores;         /* in this pass of the scheduler: room kept for new points */
    uint64_t *notes;                   /* trials that a rebuilt sampler must be told of, in order */
    size_t n_notes, cap_notes, notes_told;
    double regret;                     /* the last bound that was heard of, of so many trials */
    size_t regret_n;
    struct asy__pace pace;
    struct asy__worker **reserved;     /* kept free for it: it is the first that waits for room */
    size_t n_reserved;
    int gathers;                       /* ... and goes before others of its priority until then */
};

struct asy__gpu {
    char *id, *name;
    uint64_t memory;
    uint32_t group;                    /* 1 + NUMA group; 0: near none, or near all */
    int whole;                         /* no part of it is given out */
    uint32_t used;                     /* 1/10,000 that open attempts have of it */
    uint32_t held;                     /* soft: more of it, in this pass of the scheduler */
};

struct asy__worker {
    struct asy__node node, free_node;
    struct asy__node parts;            /* of attempts */
    struct asy_id id;
    char *host, *version, *fit, *hardware;
    int present;
    uint32_t n_cores;
    uint64_t memory, memory_used;
    uint8_t *busy;                     /* [cap] */
    size_t cap;
    uint32_t n_busy;
    /* soft */
    const char *owner;                 /* interned; NULL: not seen since the start */
    char *key_name;                    /* of the key that its agent came with; NULL: not known */
    struct asy__session *session;
    uint32_t *groups;                  /* [n_cores] */
    uint32_t n_groups;
    struct asy__gpu *gpus;
    size_t n_gpus;
    int suspect, draining;
    uint32_t held;                     /* cores, in this pass of the scheduler */
    const struct asy__study *kept_for; /* in this pass; what others still get: reserve.c */
    int64_t seen_ms, lost_ms, walltime_ms; /* lost_ms: without a session, when it is judged */
    int reattach;                      /* lost_ms comes from the start */
    int awaited;                       /* it is known from before the start */
    struct asy_sha *specs;             /* known to the session's agent */
    size_t n_specs;
    struct asy__node offers;           /* what it runs of another store, undecided */
    size_t n_offers;
    uint32_t minor;                    /* of the protocol that its agent speaks */
};

/* An attempt that another store leased, as its agent offers it. Soft. */
enum asy__point { ASY__POINT_UNKNOWN, ASY__POINT_SAME, ASY__POINT_OTHER };
struct asy__offer {
    struct asy__node node, all;        /* in its worker's offers, in the core's */
    struct asy__worker *worker;
    struct asy_id study, store;
    uint64_t trial, epoch, first, milestone, step, seed, memory;
    uint32_t attempt, ranks;
    struct asy_sha params;
    struct asy_checkpoint from;        /* without its path */
    uint32_t *cores;
    size_t n_cores;
    struct asy__gpu_part *gpus;
    size_t n_gpus;
    int running;
    enum asy__point point;             /* of the trial here, beside its own */
};
/* How LEASED and LEASE of an adopted attempt differ from others. */
struct asy__adopted {
    struct asy_id store;
    uint32_t attempt;                  /* its number there */
    uint32_t number;                   /* ... and here */
    struct asy_checkpoint from;        /* attempt 0: it began from nothing */
};

struct asy__watch {
    uint64_t request;
    struct asy_id study; /* none: all */
    uint64_t from;       /* events after this one are its news; those up to it its history */
};
#define ASY__PROVED 48
struct asy__session {
    struct asy__node node;
    struct asy__node watching; /* in core->watchers while it has watches */
    uint64_t peer;
    struct asy_id id;
    enum asy_role role;
    const char *key; /* interned */
    char proved[ASY__PROVED]; /* the key of the connection: a worker's is not its user's */
    struct asy__worker *worker;
    int64_t seen_ms;
    int64_t pong_ms; /* the next PONG does not leave before */
    int spoke;       /* more than its HELLO has come */
    struct asy__watch *watches;
    size_t n_watches;
    size_t n_asked; /* questions that are not answered yet, watches' histories too */
};

/* A commit handed out and not yet known as durable, with the events that somebody watches. */
struct asy__pending {
    uint64_t commit;
    struct asy_arena *arena;
    struct asy_event *events;
    size_t n, cap;
};

struct asy_core {
    struct asy_core_config config;
    char *version, *owner;
    struct asy__hashmap studies, names, workers, sessions, session_ids;
    struct asy__node live, all_workers, free_workers, all_sessions, watchers,
        shells, offers;
    char **owners; /* interned keys */
    size_t n_owners;
    size_t n_workers, n_sessions;
    /* the step in hand */
    struct asy_arena *arena;
    struct asy_event *events;
    size_t n_events, cap_events;
    struct asy_effect *effects;
    size_t n_effects, cap_effects;
    int64_t now_ms, wall_us;
    int rc;
    /* commits */
    uint64_t open_commit, last_commit, open_events, seq;
    struct asy__pending *pending;
    size_t n_pending, cap_pending;
    /* soft */
    int started, draining, quit_wanted, quit_sent, store_bad, more, holds;
    char store_text[240];
    int64_t wake_ms, idle_since_ms;
    int64_t part_ms;           /* drained: who has not left by then is not waited for; 0: not set */
    int64_t reattach_until_ms; /* nobody who comes back before is judged before */
    int64_t lease_from_ms; /* after a restore agents may offer first what they hold */
    struct { uint64_t cores, memory, gpus; } least; /* that any live study needs */
    uint64_t serial, hello_serial, nonsense;
    uint64_t foreign; /* frames with the session of another key's connection */
    char foreign_key[ASY__PROVED];
    struct asy_buf scratch;
};

/* ---- out.c: events and effects of the step --------------------------------------------------- */
struct asy_event asy__event(const struct asy_core *core, enum asy_event_kind kind,
                            const struct asy__study *study, const struct asy__trial *trial);
/* Applies the event and hands it out. */
void asy__emit(struct asy_core *core, const struct asy_event *event);
/* The commit that holds all that was decided so far. */
uint64_t asy__so_far(const struct asy_core *core);
struct asy_effect *asy__effect(struct asy_core *core, enum asy_effect_type type, uint64_t commit);
/* gated 0: leaves at once. The pointer is good until the next effect; NULL for memory. */
struct asy_msg *asy__send(struct asy_core *core, const struct asy__session *session,
                          enum asy_msg_type type, int gated);
void asy__send_text(struct asy_core *core, uint64_t peer, enum asy_msg_type type,
                    const char *text);
void asy__reply(struct asy_core *core, const struct asy__session *session, uint64_t request,
                int code, const char *text, const char *json);
void *asy__alloc(struct asy_core *core, size_t n); /* of the step */
const char *asy__textf(struct asy_core *core, const char *fmt, ...) ASY_PRINTF(2, 3);
const char *asy__dup(struct asy_core *core, const char *text); /* for the step; NULL: "" */
struct asy_id asy__make_id(struct asy_core *core);
void asy__wake(struct asy_core *core, int64_t at_ms);
void asy__news(struct asy_core *core, uint64_t durable);
static inline const char *asy__str(const char *text)
{
    return text ? text : "";
}

/* ---- state.c --------------------------------------------------------------------------------- */
int asy__trial_may(enum asy_trial_state from, enum asy_trial_state to);
int asy__study_may(enum asy_study_state from, enum asy_study_state to);

/* ---- apply.c --------------------------------------------------------------------------------- */
ASY_MUST_CHECK int asy__apply(struct asy_core *core, const struct asy_event *event,
                              struct asy_error *err);
/* Sampler news: an effect while live, a note during replay. */
void asy__tell(struct asy_core *core, struct asy__study *study, struct asy__trial *trial,
               enum asy_outcome_state state);
void asy__tell_effect(struct asy_core *core, const struct asy__study *study,
                      const struct asy__trial *trial);
/* The sampler learns how far a trial has come that waits at its rung. */
void asy__tell_pause(struct asy_core *core, struct asy__study *study, struct asy__trial *trial);
/* Sampler and pruner learn of the end of a trial. */
void asy__tell_end(struct asy_core *core, struct asy__study *study, struct asy__trial *trial);
int asy__reaches_target(const struct asy__study *study, const double *values);
/* Counts what a complete trial says of when the search is to end: by its target, or by
 * budget.patience. In the order of events, or of jobs in a deterministic study. */
void asy__count_result(struct asy__study *study, struct asy__trial *trial);

/* ---- study.c --------------------------------------------------------------------------------- */
struct asy__study *asy__study_get(const struct asy_core *core, struct asy_id id);
struct asy__study *asy__study_find(const struct asy_core *core, const char *name_or_id);
/* The same among what this user may see; key NULL: everything. */
struct asy__study *asy__study_find_for(const struct asy_core *core, const char *key,
                                       const char *name_or_id);
int asy__study_seen(const struct asy__study *study, const char *key);
struct asy__study *asy__study_by_name(const struct asy_core *core, const char *project,
                                      const char *name);
ASY_MUST_CHECK int asy__study_add(struct asy_core *core, const struct asy_event *created,
                                  struct asy_error *err);
ASY_MUST_CHECK int asy__study_need(struct asy_core *core, struct asy__study *study,
                                   struct asy_error *err); /* parses spec, makes pruner; or it
                                                            * is refused */
/* ---- refused.c ---- */
/* In replay, before it has a trial, a study may turn out to be refused by this build (0: it is
 * refused now); else rc, which asy__study_need() met with, and its reason. */
ASY_MUST_CHECK int asy__study_refuse(const struct asy_core *core, struct asy__study *study, int rc,
                                     const struct asy_error *why, struct asy_error *err);
/* Any event of such a study but its states. */
ASY_MUST_CHECK int asy__refused_apply(struct asy__study *study, const struct asy_event *ev,
                                      struct asy_error *err);
/* In replay, once it has trials, this build may refuse a change. 1: it does, and the study keeps
 * the spec that it had until it fails at the start. */
ASY_MUST_CHECK int asy__refused_change(const struct asy_core *core, struct asy__study *study,
                                       const char *spec_text, struct asy_error *err);
void asy__refused_end(struct asy_core *core, struct asy__study *study); /* at the start: it fails */
void asy__refused_destroy(struct asy__refused *refused); /* NULL is fine */

ASY_MUST_CHECK int asy__pruner_for(const struct asy_study_spec *spec,
                                   struct asy_pruner **ret_pruner, struct asy_error *err);
void asy__study_empty(struct asy_core *core, struct asy__study *study); /* it is over */
void asy__study_retire(struct asy_core *core, struct asy__study *study);
void asy__study_forgotten(struct asy_core *core, struct asy_id id);
void asy__study_destroy(struct asy__study *study);
void asy__study_state(struct asy_core *core, struct asy__study *study, enum asy_study_state state,
                      enum asy_cause cause, const char *text);
/* STOPPING, and whoever runs is told. */
void asy__study_stop(struct asy_core *core, struct asy__study *study, enum asy_cause cause,
                     const char *text);
void asy__study_sync(struct asy_core *core, struct asy__study *study); /* cancels that are due */
/* Whether a further trial may be created (lasting facts alone). */
int asy__study_can_create(const struct asy_core *core, const struct asy__study *study);
/* Notes, ends, asks: everything but leases. */
void asy__study_pump(struct asy_core *core, struct asy__study *study);
uint64_t asy__study_max_trials(const struct asy_core *core, const struct asy__study *study);
/* The trial that the pruner would promote, or NULL; changes nothing. */
struct asy__trial *asy__study_promotable(struct asy__study *study, uint64_t *ret_milestone);
double asy__better(const struct asy__study *study, size_t objective, double a, double b);
uint32_t asy__need_cores(const struct asy__study *study);
/* What its need is made of: " (2 ranks of 4)"; "" for a single rank. */
const char *asy__ranks_text(const struct asy__study *study, char text[48]);
uint64_t asy__need_memory(const struct asy__study *study);
uint32_t asy__need_ranks(const struct asy__study *study);

/* ---- ask.c: a study and its sampler ---------------------------------------------------------- */
void asy__study_make_sampler(struct asy_core *core, struct asy__study *study);
/* Another one in its place, which is told all that this one was. */
void asy__study_remake_sampler(struct asy_core *core, struct asy__study *study);
void asy__study_tell_notes(struct asy_core *core, struct asy__study *study);
void asy__study_ask(struct asy_core *core, struct asy__study *study);
void asy__study_asked(struct asy_core *core, const struct asy_input *input);
/* How many new points its sampler may still be asked for, at most ASY__ASKS_AHEAD. */
uint64_t asy__study_askable(const struct asy_core *core, struct asy__study *study);

/* ---- members.c: populations ------------------------------------------------------------------ */
struct asy_population asy__population_for(const struct asy_study_spec *spec);
/* For how many members more the sampler may be asked; UINT64_MAX: it has no population. */
uint64_t asy__members_free(const struct asy__study *study);
struct asy_origin asy__trial_origin(const struct asy__trial *trial, int *ret_over);
/* What is wrong with where the study's next trial is to go on from; NULL: nothing. */
const char *asy__origin_refuse(const struct asy__study *study, struct asy_origin origin);
/* The checkpoint that its next attempt starts from: its own, or its parent's; attempt 0: none. */
struct asy_checkpoint asy__trial_start(const struct asy__trial *trial);
/* The trial was added, its end told to the sampler, its state is final. */
ASY_MUST_CHECK int asy__member_created(struct asy__study *study, struct asy__trial *trial,
                                       struct asy_origin origin);
void asy__member_told(struct asy__trial *trial);
void asy__member_ended(struct asy__trial *trial);
/* How many checkpoints it keeps when it ends so. */
size_t asy__member_keeps(const struct asy__trial *trial, enum asy_trial_state end);
/* Drops checkpoints of trials that are over and that nobody can start from; all: each of them. */
void asy__members_tidy(struct asy_core *core, struct asy__study *study, int all);
/* 1: the checkpoint that it was to start from is gone, and it is failed for that. */
int asy__members_orphan(struct asy_core *core, struct asy__trial *trial);

/* ---- trial.c --------------------------------------------------------------------------------- */
struct asy__trial *asy__trial_get(const struct asy__study *study, uint64_t number);
ASY_MUST_CHECK int asy__trial_add(struct asy_core *core, struct asy__study *study,
                                  const struct asy_event *created, struct asy_error *err);
ASY_MUST_CHECK int asy__trial_fence(struct asy__trial *trial, uint32_t attempt, uint64_t upto);
struct asy__fenced *asy__trial_fenced(const struct asy__trial *trial, uint32_t attempt);
void asy__trial_destroy(struct asy__trial *trial);
void asy__trial_move(struct asy__trial *trial, enum asy__where where);
/* Emits the final state, after dropping the trial's checkpoints. */
void asy__trial_end(struct asy_core *core, struct asy__trial *trial, enum asy_trial_state state,
                    enum asy_cause cause, const char *text);
void asy__trial_queue(struct asy_core *core, struct asy__trial *trial, enum asy_cause cause,
                      const char *text);
/* Ends it as its `stop`, or its study's end, has it. */
void asy__trial_stopped(struct asy_core *core, struct asy__trial *trial);
void asy__trial_drop_checkpoints(struct asy_core *core, struct asy__trial *trial, size_t keep);
/* Those that are newer than `from` (NULL: all): their history is told anew. The files of this
 * attempt stay, it reports them again. */
void asy__trial_drop_behind(struct asy_core *core, struct asy__trial *trial,
                            const struct asy__checkpoint *from, uint32_t attempt);
/* Before another checkpoint of this attempt and step, which replaces it in the store: one that was
 * dropped only then would take the newer one's row along, and with it a file of equal content. */
void asy__trial_drop_at(struct asy_core *core, struct asy__trial *trial, uint32_t attempt,
                        uint64_t step);
/* Drops checkpoints that are not the newest of their trial while the study is above its quota. */
void asy__study_fit_quota(struct asy_core *core, struct asy__study *study);
ASY_MUST_CHECK int asy__trial_record(struct asy__trial *trial, const struct asy_event *report,
                                     double *ret_first, int *ret_has);
ASY_MUST_CHECK int asy__trial_checkpoint(struct asy__trial *trial,
                                         const struct asy_checkpoint *checkpoint);
void asy__trial_forget_checkpoint(struct asy__trial *trial,
                                  const struct asy_checkpoint *checkpoint);
/* Values above the step do not count any more; from_nothing: none do. */
void asy__trial_rewind(struct asy__trial *trial, uint64_t step, int from_nothing);
void asy__trial_values(const struct asy__trial *trial, double *ret_values);
/* Whether the first n objectives came with the step of a row of its history, in that report or in
 * ones before it. */
int asy__trial_has(const struct asy__trial *trial, size_t row, size_t n);
/* The objectives as of a row of its history: what that report lacks is what came last with its step
 * before it, else the last number before that, NaN where there is none. */
void asy__trial_at(const struct asy__trial *trial, size_t row, double *ret_values);
/* The values so far become the final ones. The history goes, unless it is still needed. */
void asy__trial_finalise(struct asy__trial *trial, int keep_history);
const double *asy__trial_final(const struct asy__trial *trial);
/* Keeps the final values as those that the sampler is to hear; returns whether that is anything new
 * to it. asy__trial_heard(): the values kept last. */
int asy__trial_hear(struct asy__trial *trial, enum asy_outcome_state state);
const double *asy__trial_heard(const struct asy__trial *trial);
/* Values of a trial: of the objectives, then the metrics of the constraints. */
size_t asy__n_values(const struct asy__study *study);
/* A value in a row of the history whose report did not have it. */
int asy__is_absent(double value);
/* What is beyond the constraints, summed; `unknown` for each whose metric has no value. */
double asy__violation(const struct asy__study *study, const double *values, double unknown);
/* The first constraint that they do not meet, in words; "" if they meet all. */
const char *asy__outside(struct asy_core *core, const struct asy__study *study,
                         const double *values);
struct asy_checkpoint asy__newest_checkpoint(const struct asy__trial *trial);

/* ---- job.c: deterministic studies ------------------------------------------------------------ */
ASY_MUST_CHECK int asy__job_open(struct asy__study *study, struct asy__trial *trial);
void asy__job_done(struct asy__study *study, struct asy__trial *trial);
/* A trial is over: says whether its end is told in job order, by asy__job_settle(). */
int asy__job_tells(const struct asy__study *study, const struct asy__trial *trial);
/* Feeds outcomes in job order as far as the next decision may know them; passes turns at which
 * nothing can be decided. */
void asy__job_settle(struct asy_core *core, struct asy__study *study);
/* Deterministic and the next decision waits for an earlier job. */
int asy__job_waits(const struct asy__study *study);

/* ---- part.c: attempts and their parts on workers --------------------------------------------- */
/* The open attempt of these numbers with a part on this worker, or NULL: nothing of it counts any
 * more. ret_part: NULL, or that part. */
struct asy__attempt *asy__attempt_find(const struct asy_core *core,
                                       const struct asy__worker *worker, struct asy_id study,
                                       uint64_t trial, uint32_t attempt, uint64_t epoch,
                                       struct asy__part **ret_part);
/* ASY_E_CORRUPT: two parts on one worker. */
ASY_MUST_CHECK int asy__attempt_open(struct asy_core *core, struct asy__trial *trial,
                                     const struct asy_event *leased, struct asy_error *err);
void asy__attempt_close(struct asy_core *core, struct asy__attempt *attempt);
int asy__part_leads(const struct asy__part *part);
/* Who else has to hear that an attempt is over: noted before, told after the event that ends it. */
struct asy__farewell {
    struct asy__session **to;         /* [n] in the step's memory */
    size_t n;
    uint64_t epoch;
};
struct asy__farewell asy__parts_note(struct asy_core *core, const struct asy__attempt *attempt,
                                     const struct asy_event *ended);
void asy__parts_dismiss(struct asy_core *core, const struct asy__trial *trial,
                        const struct asy__farewell *farewell, const struct asy_event *ended);
/* PART: from one part of an open attempt to another. */
void asy__part_relay(struct asy_core *core, struct asy__session *session,
                     const struct asy_msg *msg);

/* ---- attempt.c ------------------------------------------------------------------------------- */
/* Emits ENDED (event's union filled in by the caller) and what follows from it. */
void asy__attempt_ended(struct asy_core *core, struct asy__trial *trial,
                        const struct asy_event *ended);
void asy__attempt_lost(struct asy_core *core, struct asy__trial *trial, enum asy_end end,
                       enum asy_cause cause, const char *text);
/* An attempt that ended so had done what it was leased for, up to this milestone, and that is on
 * record: only the word of it was lost. Nothing is tried again. */
int asy__trial_has_reached(const struct asy__trial *trial, enum asy_end end, uint64_t milestone);
/* Sends a cancel if the attempt should end and has not been told so. */
void asy__attempt_sync(struct asy_core *core, struct asy__attempt *attempt);

/* ---- worker.c -------------------------------------------------------------------------------- */
struct asy__worker *asy__worker_get(const struct asy_core *core, struct asy_id id);
ASY_MUST_CHECK int asy__worker_need(struct asy_core *core, struct asy_id id,
                                    struct asy__worker **ret_worker);
void asy__worker_destroy(struct asy__worker *worker);
/* Removes it if it is gone and nothing refers to it. */
void asy__worker_release(struct asy_core *core, struct asy__worker *worker);
ASY_MUST_CHECK int asy__worker_cores(struct asy__worker *worker, size_t n); /* room in busy */
void asy__worker_lost(struct asy_core *core, struct asy__worker *worker, enum asy_cause cause,
                      const char *text);
void asy__worker_timers(struct asy_core *core);
void asy__worker_listed(struct asy_core *core, struct asy__worker *worker); /* free list upkeep */
void asy__worker_unhold(struct asy__worker *worker); /* nothing of it is held for points to come */
uint32_t asy__worker_free(const struct asy__worker *worker);
uint64_t asy__worker_memory_left(const struct asy__worker *worker);
int asy__worker_serves(const struct asy__worker *worker, const struct asy__study *study);
/* Connected, fit, not draining: what it has counts for the time to come. */
int asy__worker_lasts(const struct asy_core *core, const struct asy__worker *worker);
/* ... and not silent. */
int asy__worker_ready(const struct asy_core *core, const struct asy__worker *worker);
/* Has room for one attempt, leaving out `held` cores. */
int asy__worker_holds(const struct asy__worker *worker, const struct asy__study *study,
                      uint32_t held);
/* Whether it could hold one attempt if nothing ran on it. */
int asy__worker_could(const struct asy__worker *worker, const struct asy__study *study);
/* Chooses cores for so many ranks, in one group where possible; fills the placement from the step's
 * memory. */
void asy__worker_place(struct asy_core *core, const struct asy__worker *worker,
                       const struct asy__study *study, uint32_t ranks,
                       struct asy_placement *ret);
/* Takes `need` free cores that are not `taken` yet: of group - 1, if that has as many (0: no wish).
 * Returns need. */
size_t asy__worker_cores_of(const struct asy__worker *worker, uint32_t need, uint32_t group,
                            uint8_t *taken, uint32_t *ret_cores);

/* ---- gpus.c ---------------------------------------------------------------------------------- */
/* Why what an agent offers is not taken; NULL: it is. */
const char *asy__gpus_refuse(const struct asy_gpu *gpus, size_t n);
/* Replaces what the worker offers; ASY_E_NOMEM: nothing has changed. */
ASY_MUST_CHECK int asy__gpus_take(struct asy__worker *worker, const struct asy_gpu *gpus, size_t n);
void asy__gpus_fini(struct asy__worker *worker);
/* sign 1: an attempt gets the parts; -1: it had them. */
void asy__gpus_occupy(struct asy__worker *worker, const struct asy__gpu_part *parts, size_t n,
                      int sign);
ASY_MUST_CHECK int asy__gpu_parts_copy(const struct asy_placement *placement,
                                       struct asy__gpu_part **ret_parts);
void asy__gpu_parts_free(struct asy__gpu_part *parts, size_t n);
/* How many ranks of an attempt its GPUs could hold, and hold now, with those that are held counted
 * as taken or not; UINT64_MAX: the study wants none. */
uint64_t asy__gpus_ranks_could(const struct asy__worker *worker, const struct asy__study *study);
uint64_t asy__gpus_ranks_free(const struct asy__worker *worker, const struct asy__study *study,
                              int held);
/* How many more attempts its GPUs hold; UINT64_MAX: the study wants none. */
uint64_t asy__gpus_fit(const struct asy__worker *worker, const struct asy__study *study);
/* Whether they hold one more beside what is held for points that samplers compute. */
int asy__gpus_unheld(const struct asy__worker *worker, const struct asy__study *study);
/* Holds what so many ranks of an attempt need, on a worker that has it; and gives all that is held
 * back. */
void asy__gpus_hold(struct asy_core *core, struct asy__worker *worker,
                    const struct asy__study *study, uint32_t ranks);
void asy__gpus_unhold(struct asy__worker *worker);
/* Whether they would hold one if nothing ran. */
int asy__gpus_could(const struct asy__worker *worker, const struct asy__study *study);
size_t asy__gpus_unused(const struct asy__worker *worker);
/* Chooses GPUs and cores for the ranks of the placement, one by one, on a worker that has both;
 * adds them to it. */
void asy__gpus_place(struct asy_core *core, const struct asy__worker *worker,
                     const struct asy__study *study, uint8_t *taken, uint32_t *cores,
                     struct asy_placement *ret);
/* "2 GPUs", "0.5 of a GPU": what one trial asks for. */
const char *asy__gpus_text(const struct asy__study *study, char *text, size_t n);
/* ", 1 GPU", ", 0.5 of a GPU": what one rank asks for; "": none. */
const char *asy__gpus_each(const struct asy__study *study, char *text, size_t n);
/* "1 of its 4 is unused": what is left for such a trial. */
const char *asy__gpus_left(const struct asy__worker *worker, const struct asy__study *study,
                           char *text, size_t n);
/* Members gpus, free_gpus, gpu_list of an open object. */
void asy__gpus_write(const struct asy__worker *worker, struct asy_jsonw *w);

/* ---- pace.c ---------------------------------------------------------------------------------- */
/* What an attempt says of itself, before that is applied. */
void asy__pace_note(const struct asy_core *core, struct asy__attempt *attempt,
                    const struct asy_event *event);
/* How long a trial of it takes from its lease until that was of use. */
int64_t asy__pace_need_ms(const struct asy__study *study);
/* How long an attempt goes on that takes so many steps; UINT64_MAX: to its end. 0: not known. */
int64_t asy__pace_length_ms(const struct asy__study *study, uint64_t steps);
void asy__pace_text(const struct asy__study *study, char *text, size_t n); /* the same, in words */
/* Until the worker leaves because its allocation ends; ASY__NEVER. */
int64_t asy__worker_left_ms(const struct asy_core *core, const struct asy__worker *worker);
int asy__worker_in_time(const struct asy_core *core, const struct asy__worker *worker,
                        const struct asy__study *study);

/* ---- offer.c, adopt.c ------------------------------------------------------------------------ */
enum asy__fit { ASY__FITS, ASY__FITS_NOT_YET, ASY__FITS_NEVER };
/* Keeps what the agent offers; 0: not taken. */
int asy__offer_take(struct asy_core *core, struct asy__worker *worker,
                    const struct asy_holding *holding);
void asy__offer_drop(struct asy_core *core, struct asy__offer *offer);
/* core NULL: everything is being torn down. */
void asy__offers_clear(struct asy_core *core, struct asy__worker *worker);
void asy__offers_bind(struct asy_core *core, struct asy__trial *trial); /* the trial is new */
/* NULL: there is none here that it could be of. */
struct asy__trial *asy__offer_trial(const struct asy_core *core, const struct asy__offer *offer);
/* The checkpoint that it began from, as this store has it; NULL: unknown. */
const struct asy__checkpoint *asy__offer_start(const struct asy__offer *offer,
                                               const struct asy__trial *trial);
/* Whether it may be adopted now; if not, text says why. */
enum asy__fit asy__offer_fits(const struct asy_core *core, struct asy__offer *offer, char *text,
                              size_t n);
/* Not leased to anybody while an attempt of it is offered that may be adopted. */
int asy__trial_held(const struct asy_core *core, const struct asy__trial *trial);
/* Whether it is offered by this worker: it was leased before the backup was made. */
int asy__offers_attempt(const struct asy__worker *worker, const struct asy__attempt *attempt);
int asy__offers_use_core(const struct asy__worker *worker, uint32_t number);
uint64_t asy__offers_memory(const struct asy__worker *worker);
/* Decides as the setting has it. */
void asy__offers_pump(struct asy_core *core);
/* Verbs ADOPT and DISCARD; *ret_json: how many, and what was left and why. */
int asy__offers_control(struct asy_core *core, const struct asy__session *session,
                        const struct asy_msg *msg, const char **ret_json, struct asy_error *err);
void asy__offers_write(const struct asy_core *core, const char *key,
                       const struct asy__worker *worker, struct asy_jsonw *w);
/* How many trials are missing up to the last of this study that is offered and not there yet. */
uint64_t asy__offers_missing(const struct asy_core *core, const struct asy__study *study);
size_t asy__offers_of(const struct asy_core *core, const struct asy__study *study);

/* ---- session.c, hello.c, report.c, control.c ------------------------------------------------- */
struct asy__session *asy__session_get(const struct asy_core *core, uint64_t peer);
struct asy__session *asy__session_open(struct asy_core *core, const struct asy_input *hello,
                                       const char *key); /* NULL: for memory */
void asy__session_close(struct asy_core *core, struct asy__session *session);
/* ... and its connection. */
void asy__session_drop(struct asy_core *core, struct asy__session *session);
void asy__session_hello(struct asy_core *core, const struct asy_input *input);
void asy__session_msg(struct asy_core *core, const struct asy_input *input);
void asy__session_answered(struct asy_core *core, const struct asy_input *input);
void asy__session_timers(struct asy_core *core);
const char *asy__intern(struct asy_core *core, const char *key);
void asy__reports(struct asy_core *core, struct asy__session *session, const struct asy_msg *msg);
void asy__submit(struct asy_core *core, struct asy__session *session, const struct asy_msg *msg);
void asy__control(struct asy_core *core, struct asy__session *session, const struct asy_msg *msg);
void asy__record(struct asy_core *core, struct asy__session *session, const struct asy_msg *msg);
/* 1: it watches from here on, and history up to here is to be asked of the store. */
int asy__watch(struct asy_core *core, struct asy__session *session, const struct asy_msg *msg);
/* Whether this user may see and steer the study. */
int asy__may(const struct asy_core *core, const struct asy__session *session,
             const struct asy__study *study);
void asy__drain(struct asy_core *core);

/* ---- span.c: gangs that no single worker could hold ------------------------------------------ */
struct asy__seat {                    /* where ranks of a trial go */
    struct asy__worker *worker;
    uint32_t ranks;
};
/* How many of the study's ranks the worker would hold if nothing ran on it, or now (leaving out
 * `held` cores); at most all of them. */
uint32_t asy__ranks_could(const struct asy__worker *worker, const struct asy__study *study);
uint32_t asy__ranks_free(const struct asy__worker *worker, const struct asy__study *study,
                         uint32_t held);
/* The second as if GPUs were no matter. */
uint32_t asy__ranks_beside_gpus(const struct asy__worker *worker, const struct asy__study *study,
                                uint32_t held);
/* It has several ranks, which several workers could hold, and no one that lasts all of them. */
int asy__spans(const struct asy_core *core, const struct asy__study *study);
/* How few workers could ever hold it; 0: not even all. */
uint32_t asy__span_width(struct asy_core *core, const struct asy__study *study);
/* Free room for all of its ranks on as few workers, the lead's first; 0: none. */
size_t asy__span_seats(struct asy_core *core, const struct asy__study *study,
                       struct asy__seat **ret_seats);
/* Chooses those workers on which room is to gather; 0: there are none. */
ASY_MUST_CHECK int asy__span_reserve(struct asy_core *core, struct asy__study *study);
/* Gangs of the study that would find room now. */
uint64_t asy__span_room(const struct asy_core *core, const struct asy__study *study);
enum asy_cause asy__why_span_waits(const struct asy_core *core, struct asy__study *study,
                                   char *text, size_t n);

/* ---- reserve.c: room that gathers ------------------------------------------------------------ */
void asy__reserve_begin(struct asy_core *core); /* a pass of the scheduler */
/* Others need less of something: they could take it as it comes. */
int asy__is_large(const struct asy_core *core, const struct asy__study *study);
/* Keeps workers for the study from here on in this pass; 0: there are none. */
int asy__reserve(struct asy_core *core, struct asy__study *study);
void asy__unreserve(struct asy__study *study);
/* Whether a trial of the study may have of the worker what is free, for all that it may be kept for
 * another one. */
int asy__spares(const struct asy_core *core, const struct asy__worker *worker,
                const struct asy__study *study);
void asy__reserve_note(const struct asy_core *core, struct asy__attempt *attempt); /* it began */

/* ---- schedule.c, explain.c, look.c ----------------------------------------------------------- */
void asy__schedule(struct asy_core *core);
uint64_t asy__milestone_of(const struct asy__trial *trial);
/* The trial is queued and has no attempt. */
void asy__lease_adopted(struct asy_core *core, struct asy__trial *trial,
                        const struct asy_placement *placement, const struct asy__adopted *what);
/* How many attempts of this study would find room now, at most max. */
uint64_t asy__room(const struct asy_core *core, const struct asy__study *study, uint64_t max);
int asy__goes_before(const struct asy__study *a, const struct asy__study *b);
int asy__has_ready(const struct asy_core *core, struct asy__study *study);
/* The study that keeps this one waiting since it goes first; NULL: none. */
const struct asy__study *asy__ahead_of(const struct asy_core *core, struct asy__study *study);
enum asy_cause asy__why_behind(const struct asy_core *core, const struct asy__study *study,
                               const struct asy__study *first, char *text, size_t n);
enum asy_cause asy__why_study(const struct asy_core *core, struct asy__study *study, char *text,
                              size_t n);
enum asy_cause asy__why_trial(const struct asy_core *core, struct asy__study *study,
                              const struct asy__trial *trial, char *text, size_t n);
/* look.c: what `workers` says of one, as members of an open object. */
void asy__worker_members(const struct asy_core *core, const char *key,
                         const struct asy__worker *worker, int64_t now_ms, struct asy_jsonw *w);
#endif
