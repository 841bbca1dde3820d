/* SPDX-License-Identifier: Apache-2.0
 * sim.h - the simulator: the real core and gate, real frames, and around them a clock, a network, a
 * store, agents and a client that a seed plays with.
 *
 * Everything happens on one thread in virtual milliseconds; a run is a function of its options
 * alone, so a failing seed can be watched with --trace. What each agent and client was told is
 * logged and at the end held against what the store has (checker.c).
 *
 * The coordinator dies before and after commits and sends, and starts again on what was committed;
 * connections break, stay half open or deliver a frame twice; agents fall silent, die, come
 * back. */
#ifndef SIM_H
#define SIM_H
#include <asy/core.h>
#include <asy/gate.h>
#include <asy/rng.h>

#define SIM_STUDIES_MAX 4
#define SIM_AGENTS_MAX 16
#define SIM_NEVER INT64_MAX
#define SIM_GPUS_MAX 3       /* of an agent */

struct sim_study_options {
    const char *pruner;      /* "none", "median", "asha" */
    const char *sampler;     /* as the study file has it, {name: …}: a real one; NULL: made up */
    int checkpoint, deterministic;
    int checkpoint_first;    /* its program reports a step only after its checkpoint */
    uint64_t trials, length, parallel, lag;
    uint64_t exhausted_at;   /* the sampler has no point from this number on; 0: never */
    uint32_t cores, ranks;   /* cores per rank; several ranks: a model, maybe on several agents */
    uint32_t gpus;           /* 1/10,000 */
    int64_t priority, retries, time_ms;
    double target;           /* NaN: none */
};
struct sim_options {
    uint64_t seed, timing;   /* points come from the seed alone, the rest from both */
    int trace;
    size_t n_agents, n_studies;
    uint32_t agent_cores, agent_gpus;
    struct sim_study_options studies[SIM_STUDIES_MAX];
    /* faults; probabilities per chance, all 0 after quiet_ms */
    double crash_commit, crash_send;     /* of the coordinator */
    double disk_full;                    /* per commit: it waits for some seconds */
    double stalls;                       /* of its loop, per input */
    double cut, twice;                   /* a connection, a frame */
    double agent_dies, agent_stops;      /* per agent and second */
    double attempt_crashes, refuses;     /* per step and part, per lease */
    double control;                      /* client commands per second */
    double restores;                     /* per death of the coordinator: an earlier state of its
                                          * store is all that is left, under another id */
    enum asy_foreign foreign;
    int old_agents;                      /* every third one speaks protocol 1.0 */
    int history;                         /* points depend on all that the sampler heard */
    int64_t quiet_ms, limit_ms;
};
/* A mix of everything, drawn from the seed. */
void sim_options_draw(struct sim_options *options, uint64_t seed);

struct sim_result {
    int failed;
    char why[400];
    char *table;             /* trials of all studies, one a line; free() */
    uint64_t restores, adopted;
    uint64_t steps, commits, crashes, leases, spread, restarts_compared;
    uint64_t kept;           /* workers kept for who needs much room at once */
    int64_t ended_ms;
};
/* 0, or ASY_E_NOMEM. A violated promise is ret->failed. */
ASY_MUST_CHECK int sim_run(const struct sim_options *options, struct sim_result *ret,
                           struct asy_error *err);

/* ---- shared by its files --------------------------------------------------------------------- */

enum sim_what {
    SIM_TO_COORD = 1, SIM_TO_AGENT, SIM_TO_CLIENT, SIM_CONN_NOTICED, SIM_COMMITTED, SIM_START,
    SIM_TICK, SIM_ASKED, SIM_AGENT, SIM_ATTEMPT, SIM_CLIENT, SIM_FORGOTTEN,
};
struct sim_item {
    int64_t at;
    uint64_t order;
    enum sim_what what;
    uint64_t a, b, c, d, knew;
    char source[24];
    void *bytes;             /* owned */
    size_t n;
};

struct sim_conn {            /* both ends; peer is its number */
    size_t agent;            /* SIM_AGENTS_MAX: the client */
    int up, seen_down;       /* up: frames pass; seen_down: the coordinator's side knows */
    int64_t last_to_coord, last_to_peer; /* frames of one direction keep their order */
};

struct sim_report {
    uint64_t number;
    enum asy_event_kind kind;
    enum asy_end end;
    uint64_t step;
    double value;
};
struct sim_attempt {
    struct asy_id study, store;  /* store: that leased it */
    uint64_t seed;
    struct asy_sha params;
    struct asy_checkpoint from;
    uint32_t ranks;
    uint64_t memory;
    size_t study_index;
    uint64_t trial, epoch, milestone, step, serial;
    uint32_t attempt;
    uint32_t cores[8];
    size_t n_cores;
    uint32_t gpus[SIM_GPUS_MAX]; /* 1/10,000 of each */
    uint32_t part, n_parts;  /* n_parts 0: on this agent alone */
    uint32_t ready;          /* of a lead: bits of the members that run */
    int broken;              /* of a member: enum asy_end that the lead is to report */
    double x;
    int native;
    int running, cancel;     /* cancel: enum asy_cancel_mode */
    struct sim_report *reports;
    size_t n_reports;        /* all made, number = index + 1 */
    uint64_t durable;
    int half_said;           /* of its step only the value, or only the checkpoint */
};
struct sim_agent {
    struct asy_id id;
    uint64_t life;           /* of its process */
    uint32_t minor;          /* of its protocol */
    int alive, draining;
    int64_t stopped_until, heard_ms, next_beat_ms;
    uint64_t conn;           /* peer; 0: none */
    struct asy_id session, store;
    uint64_t owner_epoch;
    int welcomed;
    struct sim_attempt *attempts;
    size_t n_attempts;
    struct asy_sha specs[SIM_STUDIES_MAX];
    size_t n_specs;
};

struct sim_pending_request { /* of the client, until it is answered */
    uint64_t request;
    enum asy_control_verb verb; /* 0: submit */
    size_t study;
    int64_t number;
    int record;
};
struct sim {
    const struct sim_options *o;
    struct sim_result *result;
    struct asy_rng rng;
    int64_t now;
    uint64_t order;
    struct sim_item *heap;
    size_t n_heap, cap_heap;
    /* coordinator */
    struct asy_core *core;
    struct asy_gate *gate;
    uint64_t life, owner_epoch;   /* life: of the process; items of an earlier one are void */
    int64_t started_ms, tick_at, stalled_until, stall_ms;
    struct asy_id store_id;
    int draining;
    struct sim_commit { uint64_t number; size_t n; } flying, open; /* n events of `events` */
    int64_t full_until;                  /* the flying commit finds no space before; 0: it may */
    /* the store: seq = index + 1; [0, n_durable) survive */
    struct asy_arena *arena;
    struct asy_event *events;
    size_t n_events, n_durable, cap_events, n_finished;
    size_t *commits;              /* n_durable after each of them: what a backup may have */
    size_t n_commits, cap_commits;
    int restored;                 /* ... and no coordinator has started since */
    struct asy_buf frame;
    /* network */
    struct sim_conn *conns;       /* [peer] */
    size_t n_conns, cap_conns;
    struct sim_agent agents[SIM_AGENTS_MAX];
    uint64_t serial;
    /* client */
    uint64_t client_conn, request;
    struct asy_id client_session;
    int client_welcomed;
    int64_t client_heard;
    struct sim_pending_request *asked;
    size_t n_asked;
    struct sim_study {
        struct asy_id id;
        char *spec;
        int submitted, paused;
        struct asy_sampler *sampler; /* a real one; else NULL */
        int64_t answer_at;                   /* when its last answer is to come */
    } studies[SIM_STUDIES_MAX];
    struct sim_log *log;
    struct sim_room *room;
};

struct sim_point {               /* that a real sampler made */
    double x;
    struct asy_origin origin;
};

double sim_chance(struct sim *s);
int sim_hits(struct sim *s, double p);             /* never after quiet_ms */
int64_t sim_between(struct sim *s, int64_t lo, int64_t hi);
void sim_fail(struct sim *s, const char *fmt, ...) ASY_PRINTF(2, 3);
void sim_trace(struct sim *s, const char *fmt, ...) ASY_PRINTF(2, 3);
void sim_at(struct sim *s, int64_t at, enum sim_what what, uint64_t a, uint64_t b, uint64_t c);
void sim_ask(struct sim *s, size_t study, uint64_t number, const double *fixed, uint64_t knew);
size_t sim_study_index(const struct sim *s, struct asy_id id); /* SIM_STUDIES_MAX: none */

/* the network */
uint64_t sim_connect(struct sim *s, size_t agent);
void sim_cut(struct sim *s, uint64_t peer);
void sim_send_to_coord(struct sim *s, uint64_t peer, const struct asy_msg *msg);
void sim_send_to_peer(struct sim *s, uint64_t peer, const struct asy_msg *msg);

/* coord.c */
void sim_coord_start(struct sim *s);
void sim_coord_crash(struct sim *s, const char *where);
void sim_coord_frame(struct sim *s, uint64_t peer, const void *bytes, size_t n);
void sim_coord_input(struct sim *s, const struct asy_input *input);
void sim_coord_committed(struct sim *s);
void sim_coord_tick(struct sim *s);
int sim_coord_quiet(const struct sim *s);

/* agent.c, client.c */
void sim_agent_start(struct sim *s, size_t i);
void sim_agent_run(struct sim *s, size_t i);
void sim_agent_frame(struct sim *s, size_t i, uint64_t peer, const void *bytes, size_t n);
void sim_agent_step(struct sim *s, size_t i, uint64_t serial);
void sim_agent_fini(struct sim_agent *agent);
/* Something runs there; with a trace it says what. */
int sim_agents_busy(struct sim *s);
double sim_value(double x, uint64_t step);
void sim_client_run(struct sim *s);
void sim_client_frame(struct sim *s, const void *bytes, size_t n);
char *sim_spec(const struct sim_study_options *o, size_t index, uint64_t seed,
               struct asy_error *err); /* canonical; free() */

/* room.c: what is kept for whom, in the core as it is now */
void sim_room_check(struct sim *s, const struct asy_step *step);
void sim_room_reset(struct sim *s); /* the core is gone */

/* search.c: real samplers. The space has one parameter. */
void sim_search_told(struct sim *s, size_t study, const struct asy_effect *fx);
/* ---- replay.c: at the end, every study with a real sampler follows from its log. ------------- */
void sim_replay(struct sim *s);
int sim_search_ask(struct sim *s, size_t study, uint64_t number, const double *fixed,
                   struct sim_point *ret_point); /* 0, ASY_E_FULL or ASY_E_GONE; anything
                                                  * else has failed the run */
void sim_search_reset(struct sim *s); /* the coordinator is gone */

/* checker.c: what was told to whom */
struct sim_log *sim_log_create(void);
void sim_log_destroy(struct sim_log *log);
void sim_told_lease(struct sim *s, size_t agent, const struct asy_lease *lease);
void sim_told_mark(struct sim *s, const struct sim_attempt *a, const struct asy_watermark *mark);
void sim_told_reply(struct sim *s, const struct sim_pending_request *request);
void sim_told_compute(struct sim *s, size_t study, const struct asy_effect *fx);
void sim_trace_event(struct sim *s, const struct asy_event *ev);
/* What the sampler of a study knows: the latest outcome of each trial. */
uint64_t sim_heard(const struct sim *s, size_t study);
void sim_trace_waiting(struct sim *s);
void sim_reattach_begin(struct sim *s);
void sim_log_restored(struct sim *s); /* what was told before may be lost */
void sim_sent_welcome(struct sim *s, size_t agent);
void sim_told_welcome(struct sim *s, size_t agent, const struct asy_msg *welcome);
void sim_check(struct sim *s);
char *sim_table(const struct sim *s);
#endif
