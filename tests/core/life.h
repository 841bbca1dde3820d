/* SPDX-License-Identifier: Apache-2.0
 * life.h - what the tests of trials' lives share: a world with one agent, and what is asked of
 * it. */
#ifndef LIFE_H
#define LIFE_H
#include "world.h"

#define ASHA "search: {sampler: random, pruner: {name: asha, min: 1, reduction: 2, rule: 1}}\n"

static inline bool begin(struct world *w, uint32_t cores)
{
    if (!world_open(w) || !world_start(w))
        return false;
    world_client(w, CLIENT_PEER, OWNER);
    world_agent(w, &(struct agent){ .peer = 2, .cores = cores });
    return true;
}

static inline struct asy_id submit(struct world *w, uint64_t serial, const char *yaml)
{
    struct asy_id id = world_submit(w, CLIENT_PEER, OWNER, serial, yaml, 0);

    T_EQ("submitted", w->reply_code, 0);
    return id;
}

static inline enum asy_study_state study_state(struct world *w, struct asy_id study)
{
    const struct asy_event *ev = world_last(w, study, -1, ASY_EV_STUDY_STATE);

    return ev ? ev->study_state.state : ASY_STUDY_RUNNING;
}

static inline const struct asy_event *trial_event(struct world *w, struct asy_id study,
                                                  int64_t trial)
{
    static const struct asy_event none = { 0 };
    const struct asy_event *ev = world_last(w, study, trial, ASY_EV_TRIAL_STATE);

    return ev ? ev : &none;
}

/* Runs a lease to its milestone, checkpointing there. */
static inline void to_rung(struct world *w, struct lease *l, double loss)
{
    world_started(w, l);
    world_report(w, l, l->milestone, loss);
    world_checkpoint(w, l, l->milestone);
    world_end(w, l, ASY_END_PAUSED, l->milestone);
}
#endif
