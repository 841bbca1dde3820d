/* SPDX-License-Identifier: Apache-2.0
 * world.h - a core with nothing around it: inputs are made by hand, commits are durable at once,
 * the sampler answers when told to. Unlike the simulator nothing happens here that a test did not
 * ask for. */
#ifndef WORLD_H
#define WORLD_H
#include <asytest.h>
#include <asy/core.h>

#define OWNER "owner"
#define CLIENT_PEER 1
#define LEASES_MAX 256

struct lease {              /* a copy of what an agent was sent */
    uint64_t peer, trial, epoch, milestone, reported, from_step;
    struct asy_id study;
    uint32_t attempt, cores[16];
    size_t n_cores;
    char from[64], spec[32];
    char gpus[128];         /* "G0" for a whole one, "G1:2500" for a part, … */
    uint32_t part, ranks, all_ranks;
    size_t n_parts;
    uint64_t seed;
    struct asy_sha params;
    struct asy_id adopts;
    uint32_t adopts_attempt;
};
struct part {               /* a PART that an agent was sent */
    uint64_t peer, trial;
    uint32_t from, to;
    enum asy_part_kind kind;
    char word[64], text[128];
};
struct cancel {
    uint64_t peer, trial;
    uint32_t attempt;
    enum asy_cancel_mode mode;
    enum asy_cause cause;
};
struct world {
    struct asy_core_config config;
    struct asy_core *core;
    int64_t now;
    int auto_ask;           /* answer every ASK at once; else they are counted */
    double regret;          /* what its answers say of it, of regret_n trials; 0: nothing */
    size_t regret_n;
    uint64_t exhausted_at;  /* the sampler's answers from this trial on are ASY_E_FULL; 0: never */
    int needs_history;
    uint64_t sealed;        /* the last commit */
    int unanswered;         /* questions stay open; else they are answered at once */
    int late;               /* commits are durable only when world_durable() says so */
    struct asy_arena *arena;
    struct asy_event *events;
    size_t n_events, cap_events;
    struct asy_id sessions[64]; /* by peer */
    /* since the last world_clear() */
    struct lease leases[LEASES_MAX];
    size_t n_leases;
    struct cancel cancels[LEASES_MAX];
    struct part parts[LEASES_MAX];
    size_t n_parts, n_closed; /* closed: marks that say so */
    size_t n_samplers; /* that were made */
    size_t n_cancels, n_tells, n_drops, n_quits, n_asks, n_news, n_drains, n_closes, n_rehellos,
        n_pongs;
    uint64_t asks[LEASES_MAX];
    size_t n_ahead;        /* asks that may be answered from one model with others */
    uint64_t quit_commit;  /* that the last QUIT waits for */
    uint64_t query_commit; /* that the last QUERY's answer waits for */
    struct asy_outcome tells[LEASES_MAX];
    double tell_values[LEASES_MAX];
    struct asy_watermark mark; /* the last of the last ACK */
    struct { struct asy_holding keep[8], kill[8]; size_t n_keep, n_kill, n_marks, n_offers;
             struct asy_watermark marks[8]; } welcome;
    struct { uint64_t peer, request, seq; } news[LEASES_MAX]; /* the first ones */
    uint64_t asked_upto;    /* of the last QUERY effect */
    char asked_key[64];     /* "": may see everything */
    int reply_code;
    char reply[512], reply_json[512], reject[256], rule[256], remedy[400];
};

bool world_open(struct world *w); /* config may be changed by world_start's caller before */
bool world_start(struct world *w);
void world_close(struct world *w);
void world_clear(struct world *w);
/* Another core on the same events; compares digests first. */
bool world_restart(struct world *w);
/* Another core, of another store, on the first n events: a backup was restored. */
bool world_restore(struct world *w, size_t n_events);
/* The stored file of a study, or that of its changes (kind), becomes this one, as if another build
 * had accepted it, and another core begins on the same events. */
bool world_refuse(struct world *w, struct asy_id study, enum asy_event_kind kind,
                  const char *spec);
/* The lease as its agent offers it, held for the store that world_open() made. */
struct asy_offer world_offer(const struct lease *l);
void world_input(struct world *w, const struct asy_input *input);
void world_msg(struct world *w, uint64_t peer, const char *key, struct asy_msg *msg);
/* Time passes in steps of 500 ms; the agents in [first, last] send heartbeats (0: none). */
void world_pass(struct world *w, int64_t ms, uint64_t first, uint64_t last);
void world_tick(struct world *w, int64_t ms);
void world_durable(struct world *w); /* everything so far, where commits are late */

struct agent {
    uint64_t peer;
    uint32_t cores, n_groups; /* 0: 1 group */
    uint64_t memory;
    const char *fit, *hardware, *key;
    const struct asy_gpu *gpus;
    size_t n_gpus;
    int64_t walltime_ms;      /* 0: unlimited */
    uint64_t life;            /* another process of the same place */
    int old;                  /* it speaks protocol 1.0 */
    const struct asy_holding *holdings;
    size_t n_holdings;
};
void world_agent(struct world *w, const struct agent *agent);
void world_client(struct world *w, uint64_t peer, const char *key);
/* `extra`: further lines of the study file. Returns the id; reply in w->reply_code. */
struct asy_id world_submit(struct world *w, uint64_t peer, const char *key, uint64_t serial,
                           const char *yaml, int resume);
#define STUDY_HEAD(name) "assay: 1\nname: " name "\nobjective: {metric: loss, goal: minimize}\n" \
                         "parameters: {x: {min: 0.0, max: 1.0}}\n"
#define RUN(length, checkpoint) "run: {command: [run], length: {unit: steps, max: " #length \
                                "}, checkpoint: " #checkpoint "}\n"
/* WATCH (or the end of it); the answer, if core refuses, is in w->reply_code. */
void world_watch(struct world *w, uint64_t peer, const char *key, uint64_t request,
                 const char *study, int stop);
int world_control(struct world *w, uint64_t peer, const char *key, enum asy_control_verb verb,
                  const char *study, int64_t number);
void world_asked(struct world *w, struct asy_id study, uint64_t number, double x, int rc);
/* Of a sampler with a population. */
void world_member(struct world *w, struct asy_id study, uint64_t number, double x, int rc,
                  struct asy_origin origin);

void world_started(struct world *w, struct lease *l);
void world_report(struct world *w, struct lease *l, uint64_t step, double loss);
void world_checkpoint(struct world *w, struct lease *l, uint64_t step);
void world_end(struct world *w, struct lease *l, enum asy_end end, uint64_t step);
void world_end_cause(struct world *w, struct lease *l, enum asy_end end, uint64_t step,
                     enum asy_cause cause);
void world_send(struct world *w, struct lease *l, uint64_t number, const struct asy_event *event);
/* PART from the worker of a lease to another part of its attempt. */
void world_part(struct world *w, const struct lease *l, uint32_t to, enum asy_part_kind kind,
                const char *word, const char *text);
void world_closed(struct world *w, uint64_t peer); /* its connection */
/* STARTED, one report, COMPLETE. */
void world_complete(struct world *w, struct lease *l, uint64_t step, double loss);

enum asy_trial_state world_state(struct world *w, struct asy_id study, uint64_t trial);
/* The last state event of a study (trial < 0) or trial. */
const struct asy_event *world_last(struct world *w, struct asy_id study, int64_t trial,
                                   enum asy_event_kind kind);
size_t world_count(struct world *w, enum asy_event_kind kind);
/* The name of the cause that explain gives; its text in w->reply, rule and remedy beside it. */
const char *world_explain(struct world *w, const char *study, int64_t trial);
const char *world_explain_worker(struct world *w, const char *worker);
#endif
