/* SPDX-License-Identifier: Apache-2.0
 * coord.c - the simulated coordinator process: what the loop does, with a store that commits after
 * a while and a process that may die at every commit and every send. */
#include "sim.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WALL_US INT64_C(1700000000000000)
#define KEY "k"

static int64_t wall_us(const struct sim *s)
{
    return WALL_US + s->now * 1000;
}

/* ---- replay ---------------------------------------------------------------------------------- */

static int study_over(const struct asy_event *ev)
{
    return ev->kind == ASY_EV_STUDY_STATE && ev->study_state.state >= ASY_STUDY_FINISHED;
}

struct kept { /* what asy_store_replay() would leave out */
    size_t over[SIM_STUDIES_MAX]; /* index + 1 of the event that ended the study */
};

/* Of workers the newest joining that no leaving follows. */
static int newest_joining(const struct sim *s, size_t i)
{
    struct asy_id id = s->events[i].worker_joined.id;

    for (size_t k = i + 1; k < s->n_durable; k++) {
        const struct asy_event *ev = &s->events[k];

        if ((ev->kind == ASY_EV_WORKER_JOINED && asy_id_cmp(ev->worker_joined.id, id) == 0) ||
            (ev->kind == ASY_EV_WORKER_GONE && asy_id_cmp(ev->worker_gone.id, id) == 0))
            return 0;
    }
    return 1;
}

static int wanted(const struct sim *s, const struct kept *kept, size_t i)
{
    const struct asy_event *ev = &s->events[i];
    size_t study;

    if (ev->kind == ASY_EV_WORKER_JOINED)
        return newest_joining(s, i);
    if (ev->kind == ASY_EV_WORKER_GONE)
        return 0;
    study = sim_study_index(s, ev->study);
    if (study == SIM_STUDIES_MAX || kept->over[study] == 0)
        return 1;
    return ev->kind == ASY_EV_STUDY_CREATED || i + 1 == kept->over[study];
}

static struct asy_core *replayed(struct sim *s)
{
    struct asy_core_config config = ASY_CORE_CONFIG_INIT;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_core *core = NULL;
    struct kept kept = { { 0 } };

    config.store = s->store_id;
    config.owner_epoch = s->owner_epoch;
    config.last_seq = s->n_durable;
    config.restored = s->restored;
    config.foreign = s->o->foreign;
    config.version = "sim";
    config.owner = KEY;
    config.idle_exit_ms = -1;
    config.backoff_ms = 200;
    if (s->o->seed % 2) /* sometimes passed for a while, sometimes always */
        config.artifact_quota = s->o->seed % 4 == 1 ? 200 : 0;
    for (size_t i = 0; i < s->n_durable; i++)
        if (study_over(&s->events[i]))
            kept.over[sim_study_index(s, s->events[i].study)] = i + 1;
    if (asy_core_create(&config, &core, &err)) {
        sim_fail(s, "cannot make a core: %s", err.text);
        return NULL;
    }
    for (size_t i = 0; i < s->n_durable; i++)
        if (wanted(s, &kept, i) && asy_core_replay(core, &s->events[i], &err)) {
            sim_fail(s, "replay: %s", err.text);
            break;
        }
    return core;
}

/* With nothing on its way to disk, a core replayed from disk is the live one. */
static void compare(struct sim *s)
{
    struct asy_core *twin = replayed(s);

    s->result->restarts_compared++;
    if (twin && !s->result->failed && asy_core_digest(twin) != asy_core_digest(s->core))
        sim_fail(s, "the replayed core differs from the live one after event %zu", s->n_durable);
    asy_core_destroy(twin);
}

/* ---- backups --------------------------------------------------------------------------------- */

static void commit_is_durable(struct sim *s, size_t n)
{
    s->n_durable += n;
    if (s->n_commits == s->cap_commits) {
        s->cap_commits = s->cap_commits ? 2 * s->cap_commits : 256;
        s->commits = realloc(s->commits, s->cap_commits * sizeof *s->commits);
        ASY_ASSERT(s->commits);
    }
    s->commits[s->n_commits++] = s->n_durable;
}

/* How many events a backup has that knows every study. */
static size_t least(const struct sim *s)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n_durable; i++)
        if (s->events[i].kind == ASY_EV_STUDY_CREATED && ++n == s->o->n_studies)
            return i + 1;
    return SIZE_MAX;
}

static void restore(struct sim *s)
{
    size_t from = 0, pick;

    while (from < s->n_commits && s->commits[from] < least(s))
        from++;
    if (from == s->n_commits)
        return;
    pick = from + (size_t)asy_rng_below(&s->rng, s->n_commits - from);
    s->n_commits = pick + 1;
    s->n_events = s->n_durable = s->commits[pick];
    s->n_finished = 0;
    for (size_t i = 0; i < s->n_durable; i++)
        s->n_finished += study_over(&s->events[i]) != 0;
    s->store_id = asy_id_from(7000, ++s->serial);
    s->restored = 1;
    s->result->restores++;
    sim_log_restored(s);
    sim_trace(s, "a backup of %zu events is restored", s->n_durable);
}

/* ---- life and death -------------------------------------------------------------------------- */

void sim_coord_crash(struct sim *s, const char *where)
{
    if (!s->core)
        return;
    sim_trace(s, "coordinator dies %s", where);
    s->result->crashes++;
    if (s->flying.n > 0 && sim_chance(s) < 0.5) { /* it reached the disk, but nobody heard */
        for (size_t i = s->n_durable; i < s->n_durable + s->flying.n; i++)
            s->n_finished += study_over(&s->events[i]) != 0;
        commit_is_durable(s, s->flying.n);
    }
    s->n_events = s->n_durable;
    s->flying = s->open = (struct sim_commit){ 0 };
    sim_search_reset(s); /* its space is the core's */
    asy_core_destroy(s->core);
    asy_gate_destroy(s->gate);
    s->core = NULL;
    s->gate = NULL;
    sim_room_reset(s);
    s->life++;
    s->tick_at = SIM_NEVER;
    s->stalled_until = s->stall_ms = s->full_until = 0;
    s->draining = 0;
    for (size_t i = 1; i <= s->n_conns; i++)
        s->conns[i].up = 0;
    if (sim_hits(s, s->o->restores))
        restore(s);
    sim_at(s, s->now + sim_between(s, 10, sim_chance(s) < 0.2 ? 15000 : 1500), SIM_START, 0, 0, 0);
}

static void after_step(struct sim *s, const struct asy_step *step);

void sim_coord_start(struct sim *s)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_step step;

    s->owner_epoch++;
    s->started_ms = s->now;
    sim_trace(s, "coordinator starts, epoch %llu, %zu events", (unsigned long long)s->owner_epoch,
              s->n_durable);
    if (!(s->core = replayed(s)) || s->result->failed)
        return;
    sim_reattach_begin(s);
    s->restored = 0;
    if (asy_gate_create(&s->gate, &err) ||
        asy_core_start(s->core, s->now, wall_us(s), &step, &err))
        sim_fail(s, "start: %s", err.text);
    else
        after_step(s, &step);
}

/* ---- effects --------------------------------------------------------------------------------- */

static void perform(struct sim *s, const struct asy_effect *fx)
{
    size_t study = sim_study_index(s, fx->study);

    switch (fx->type) {
    case ASY_FX_SEND:
        sim_send_to_peer(s, fx->peer, &fx->msg);
        break;
    case ASY_FX_ASK:
        sim_ask(s, study, fx->ask.number, fx->ask.fixed, fx->ask.knew);
        break;
    case ASY_FX_FORGET:
        sim_search_told(s, study, fx);
        sim_at(s, s->now + sim_between(s, 0, 20), SIM_FORGOTTEN, study, 0, s->life);
        break;
    case ASY_FX_CLOSE:
        s->conns[fx->peer].seen_down = 1;
        s->conns[fx->peer].up = 0;
        break;
    case ASY_FX_QUIT:
        sim_coord_crash(s, "because it was drained");
        break;
    case ASY_FX_TELL:
    case ASY_FX_SAMPLER:
    case ASY_FX_DROP_FILE:
        sim_told_compute(s, study, fx);
        sim_search_told(s, study, fx);
        break;
    case ASY_FX_QUERY:
        break;
    }
}

static void release(struct sim *s)
{
    const struct asy_effect *fx;

    while (s->core && !s->result->failed && (fx = asy_gate_next(s->gate))) {
        uint64_t life = s->life;

        if (sim_hits(s, s->o->crash_send)) {
            sim_coord_crash(s, "before a send");
            return;
        }
        perform(s, fx);
        if (life == s->life && fx->type == ASY_FX_SEND && sim_hits(s, s->o->crash_send)) {
            sim_coord_crash(s, "after a send");
            return;
        }
    }
}

/* ---- commits --------------------------------------------------------------------------------- */

static void keep(struct sim *s, const struct asy_event *ev)
{
    if (s->n_events == s->cap_events) {
        s->cap_events = s->cap_events ? 2 * s->cap_events : 256;
        s->events = realloc(s->events, s->cap_events * sizeof *s->events);
        ASY_ASSERT(s->events);
    }
    if (asy_event_copy(ev, s->arena, &s->events[s->n_events], NULL))
        sim_fail(s, "no memory for events");
    else
        s->events[s->n_events].seq = s->n_events + 1, s->n_events++;
}

static void begin_commit(struct sim *s)
{
    if (s->flying.n > 0 || s->open.n == 0)
        return;
    if (sim_hits(s, s->o->crash_commit)) {
        sim_coord_crash(s, "before a commit");
        return;
    }
    s->flying = (struct sim_commit){ asy_core_seal(s->core), s->open.n };
    s->open.n = 0;
    sim_at(s, s->now + sim_between(s, 1, 20), SIM_COMMITTED, s->life, 0, 0);
}

static void after_step(struct sim *s, const struct asy_step *step)
{
    int64_t at;

    sim_room_check(s, step);
    for (size_t i = 0; i < step->n_events; i++)
        keep(s, &step->events[i]);
    s->open.n += step->n_events;
    for (size_t i = 0; i < step->n_effects; i++)
        if (asy_gate_put(s->gate, &step->effects[i], NULL))
            sim_fail(s, "no memory in the gate");
    at = asy_core_deadline(s->core);
    if (at != SIM_NEVER && (s->tick_at == SIM_NEVER || at < s->tick_at || s->tick_at < s->now)) {
        s->tick_at = at > s->now ? at : s->now;
        sim_at(s, s->tick_at, SIM_TICK, s->life, 0, 0);
    }
    begin_commit(s);
    release(s);
}

void sim_coord_input(struct sim *s, const struct asy_input *input)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_step step;

    if (asy_core_step(s->core, input, s->now, wall_us(s), &step, &err))
        sim_fail(s, "step: %s", err.text);
    else
        after_step(s, &step);
}

static void tell_store(struct sim *s, int ok)
{
    struct asy_input input = { .type = ASY_IN_FAILED_COMMIT };

    input.store.ok = ok;
    input.store.text = ok ? "" : "disk full";
    if (!ok)
        asy_gate_let_ask(s->gate);
    sim_coord_input(s, &input);
}

/* 1: the disk is full; the commit is tried again every second. */
static int finds_no_space(struct sim *s)
{
    if (!s->full_until && sim_hits(s, s->o->disk_full)) {
        s->full_until = s->now + sim_between(s, 500, 15000);
        sim_trace(s, "the disk is full");
    }
    if (s->now >= s->full_until)
        return 0;
    sim_at(s, s->now + 1000, SIM_COMMITTED, s->life, 0, 0);
    tell_store(s, 0);
    return 1;
}

void sim_coord_committed(struct sim *s)
{
    struct asy_input input = { .type = ASY_IN_DURABLE };
    uint64_t life = s->life;
    int was_full;

    if (finds_no_space(s))
        return;
    was_full = s->full_until != 0;
    s->full_until = 0;
    for (size_t i = s->n_durable; i < s->n_durable + s->flying.n; i++) {
        s->n_finished += study_over(&s->events[i]) != 0;
        sim_trace_event(s, &s->events[i]);
    }
    commit_is_durable(s, s->flying.n);
    input.durable.commit = s->flying.number;
    s->flying.n = 0;
    s->result->commits++;
    if (sim_hits(s, s->o->crash_commit)) {
        sim_coord_crash(s, "after a commit");
        return;
    }
    if (s->open.n == 0 && sim_chance(s) < 0.05)
        compare(s);
    asy_gate_durable(s->gate, input.durable.commit);
    sim_coord_input(s, &input);
    if (was_full && life == s->life && s->core)
        tell_store(s, 1);
}

void sim_coord_tick(struct sim *s)
{
    struct asy_input input = { .type = ASY_IN_TICK };

    s->tick_at = SIM_NEVER;
    sim_coord_input(s, &input);
}

void sim_coord_frame(struct sim *s, uint64_t peer, const void *bytes, size_t n)
{
    struct asy_input input = { .type = ASY_IN_MSG, .peer = peer };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_arena *arena = NULL;
    struct asy_msg msg;

    if (asy_arena_create((size_t)16 << 20, &arena, &err) ||
        asy_msg_decode(bytes, n, arena, &msg, &err)) {
        sim_fail(s, "the coordinator cannot read a frame: %s", err.text);
    } else {
        input.msg.msg = &msg;
        input.msg.key = KEY;
        sim_coord_input(s, &input);
    }
    asy_arena_destroy(arena);
}

int sim_coord_quiet(const struct sim *s)
{
    return s->core && s->flying.n == 0 && s->open.n == 0;
}
