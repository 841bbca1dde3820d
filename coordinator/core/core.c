/* SPDX-License-Identifier: Apache-2.0
 * core.c - one step: the input is taken in, then everything that may follow from it (ends, asks,
 * leases) is decided, in an order that depends on nothing but the state. */
#include <asy/core.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "core_impl.h"

#define ARENA_BUDGET ((size_t)1 << 30)
#define PART_MS 5000
#define SCRATCH_MAX ((size_t)16 << 20)

int asy_core_create(const struct asy_core_config *config, struct asy_core **ret_core,
                    struct asy_error *err)
{
    struct asy_core *core = NULL;
    int rc = ASY_E_NOMEM;

    if (!(core = calloc(1, sizeof *core)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for the core");
    core->config = *config;
    core->open_commit = 1;
    core->seq = config->last_seq;
    core->wake_ms = ASY__NEVER;
    core->idle_since_ms = ASY__NEVER;
    asy__list_init(&core->live);
    asy__list_init(&core->shells);
    asy__list_init(&core->all_workers);
    asy__list_init(&core->free_workers);
    asy__list_init(&core->all_sessions);
    asy__list_init(&core->watchers);
    asy__list_init(&core->offers);
    asy_buf_init(&core->scratch, SCRATCH_MAX);
    core->version = strdup(asy__str(config->version));
    core->owner = strdup(asy__str(config->owner));
    if (!core->version || !core->owner) {
        asy_fail(err, ASY_E_NOMEM, "no memory for the core");
        goto out;
    }
    if ((rc = asy_arena_create(ARENA_BUDGET, &core->arena, err)))
        goto out;
    *ret_core = core;
    core = NULL;
out:
    asy_core_destroy(core);
    return rc;
}

static void destroy_studies(struct asy__node *list)
{
    struct asy__study *study;

    if (list->next)
        asy__each(study, list, struct asy__study, node)
            asy__study_destroy(study);
}

void asy_core_destroy(struct asy_core *core)
{
    struct asy__worker *worker;
    struct asy__session *session;

    if (!core)
        return;
    asy__each(session, &core->all_sessions, struct asy__session, node) {
        free(session->watches);
        free(session);
    }
    destroy_studies(&core->live);
    destroy_studies(&core->shells);
    asy__each(worker, &core->all_workers, struct asy__worker, node)
        asy__worker_destroy(worker);
    for (size_t i = 0; i < core->n_pending; i++) {
        asy_arena_destroy(core->pending[i].arena);
        free(core->pending[i].events);
    }
    free(core->pending);
    asy__hashmap_fini(&core->studies);
    asy__hashmap_fini(&core->names);
    asy__hashmap_fini(&core->workers);
    asy__hashmap_fini(&core->sessions);
    asy__hashmap_fini(&core->session_ids);
    for (size_t i = 0; i < core->n_owners; i++)
        free(core->owners[i]);
    free(core->owners);
    free(core->events);
    free(core->effects);
    asy_arena_destroy(core->arena);
    asy_buf_fini(&core->scratch);
    free(core->version);
    free(core->owner);
    free(core);
}

int asy_core_replay(struct asy_core *core, const struct asy_event *event, struct asy_error *err)
{
    int rc;

    ASY_ASSERT(!core->started, "replay after the start");
    if ((rc = asy__apply(core, event, err)))
        asy_error_prefix(err, "event %llu", (unsigned long long)event->seq);
    return rc;
}

static void begin(struct asy_core *core, int64_t now_ms, int64_t wall_us)
{
    asy_arena_reset(core->arena);
    core->n_events = core->n_effects = 0;
    core->more = 0;
    core->now_ms = now_ms;
    core->wall_us = wall_us;
}

/* Open attempts that are not orphans: what must end before a drained process may. */
static size_t n_running(const struct asy_core *core)
{
    struct asy__study *study;
    size_t n = 0;

    asy__each(study, &core->live, struct asy__study, node)
        n += study->counts[ASY_TRIAL_LEASED] + study->counts[ASY_TRIAL_RUNNING];
    return n;
}

static int holds_up(const struct asy_core *core)
{
    struct asy__study *study;

    asy__each(study, &core->live, struct asy__study, node)
        if (study->state != ASY_STUDY_PAUSED || strcmp(asy__str(study->text), "drained") != 0)
            return 1;
    return 0;
}

static void quit(struct asy_core *core)
{
    if (core->quit_sent)
        return;
    asy__effect(core, ASY_FX_QUIT, asy__so_far(core));
    core->quit_sent = 1;
}

/* Whoever wants an end while the store cannot write gets it: nothing more can be stored, and nobody
 * was told of what waits. */
static void quit_unstored(struct asy_core *core)
{
    if (core->store_bad && (core->quit_wanted || core->draining || core->quit_sent == 1)) {
        asy__effect(core, ASY_FX_QUIT, 0);
        core->quit_sent = 2;
    }
}

/* Nothing runs any more. The agents know that they are to leave and do so when the last watermark
 * has come: who ends before may take it along. They are not waited for for ever. */
static int may_part(struct asy_core *core)
{
    struct asy__session *s;
    size_t n_agents = 0;

    if (n_running(core) > 0)
        return 0;
    asy__each(s, &core->all_sessions, struct asy__session, node)
        n_agents += s->role == ASY_ROLE_AGENT;
    if (n_agents == 0)
        return 1;
    if (core->part_ms == 0)
        core->part_ms = core->now_ms + PART_MS;
    asy__wake(core, core->part_ms);
    return core->now_ms >= core->part_ms;
}

/* What was drained leaves with us: on record as here, it would be waited for at the next start. */
static void part(struct asy_core *core)
{
    struct asy__worker *w;

    asy__each(w, &core->all_workers, struct asy__worker, node)
        if (w->present && asy__list_empty(&w->parts))
            asy__worker_lost(core, w, ASY_CAUSE_DRAINING, "the coordinator was drained");
}

static void idle(struct asy_core *core)
{
    int64_t at;

    if (core->quit_sent < 2)
        quit_unstored(core);
    if (core->draining && !core->quit_sent && may_part(core)) {
        part(core);
        quit(core);
    }
    if (core->quit_wanted)
        quit(core);
    if (core->config.idle_exit_ms < 0)
        return;
    if (holds_up(core)) {
        core->idle_since_ms = core->now_ms;
        return;
    }
    at = core->idle_since_ms + core->config.idle_exit_ms;
    if (core->now_ms >= at)
        quit(core);
    else
        asy__wake(core, at);
}

static void timers(struct asy_core *core)
{
    if (core->now_ms < core->wake_ms)
        return;
    core->wake_ms = ASY__NEVER;
    asy__worker_timers(core);
    asy__session_timers(core);
}

static void pump(struct asy_core *core)
{
    struct asy__study *study;

    asy__each(study, &core->live, struct asy__study, node)
        if (!core->rc)
            asy__study_pump(core, study);
    if (!core->rc)
        asy__offers_pump(core);
    if (!core->rc)
        asy__schedule(core);
    asy__each(study, &core->live, struct asy__study, node)
        if (!core->rc)
            asy__study_ask(core, study);
    if (!core->rc)
        idle(core);
}

static int finish(struct asy_core *core, struct asy_step *ret_step, struct asy_error *err)
{
    if (core->rc)
        return asy_fail(err, core->rc, "no memory for a step of the core");
    *ret_step = (struct asy_step){ core->events, core->n_events, core->effects, core->n_effects };
    return 0;
}

int asy_core_replay_tells(struct asy_core *core, struct asy_step *ret_step, struct asy_error *err)
{
    struct asy__study *study;

    ASY_ASSERT(!core->started, "a core that has started tells its samplers itself");
    begin(core, 0, 0);
    asy__each(study, &core->live, struct asy__study, node)
        while (!core->rc && study->n_notes > 0)
            asy__study_tell_notes(core, study);
    return finish(core, ret_step, err);
}

/* Workers known from the store may come back with what they run; until then nobody is judged. */
static void await_workers(struct asy_core *core)
{
    struct asy__worker *worker;
    int64_t window = core->config.reattach_ms;

#if ASY_MUTANT == 4
    window = 0;
#endif
    asy__each(worker, &core->all_workers, struct asy__worker, node) {
        worker->seen_ms = core->now_ms;
        worker->reattach = worker->awaited = 1;
        worker->lost_ms = worker->present ? core->now_ms + window : ASY__NEVER;
        asy__wake(core, worker->lost_ms);
    }
}

static void end_refused(struct asy_core *core)
{
    struct asy__study *study;

    asy__each(study, &core->live, struct asy__study, node)
        asy__refused_end(core, study);
}

int asy_core_start(struct asy_core *core, int64_t now_ms, int64_t wall_us,
                   struct asy_step *ret_step, struct asy_error *err)
{
    struct asy__study *study;
    int rc;

    begin(core, now_ms, wall_us);
    asy__each(study, &core->live, struct asy__study, node)
        if ((rc = asy__study_need(core, study, err)))
            return rc;
    core->started = 1;
    end_refused(core);
    core->idle_since_ms = now_ms;
    core->reattach_until_ms = now_ms + core->config.reattach_ms;
    if (core->config.restored)
        core->lease_from_ms = now_ms + core->config.reattach_ms;
    await_workers(core);
    timers(core);
    pump(core);
    return finish(core, ret_step, err);
}

/* While the store cannot write, nobody is judged: what would follow from it cannot be stored. Then
 * all have the time that they have after a restart. */
static void store_state(struct asy_core *core, int ok, const char *text)
{
    struct asy__worker *w;

    if (ok && core->store_bad) {
        asy__each(w, &core->all_workers, struct asy__worker, node) {
            w->seen_ms = core->now_ms;
            if (!w->session && w->present)
                w->lost_ms = core->now_ms + core->config.reattach_ms;
        }
        asy__wake(core, core->now_ms);
    }
    core->store_bad = !ok;
    snprintf(core->store_text, sizeof core->store_text, "%s", text);
}

int asy_core_step(struct asy_core *core, const struct asy_input *input, int64_t now_ms,
                  int64_t wall_us, struct asy_step *ret_step, struct asy_error *err)
{
    struct asy__session *session;

    ASY_ASSERT(core->started, "a step before the start");
    if (core->rc)
        return finish(core, ret_step, err);
    begin(core, now_ms, wall_us);
    timers(core);
    if (core->rc)
        return finish(core, ret_step, err);
    switch (input->type) {
    case ASY_IN_MSG:
        asy__session_msg(core, input);
        break;
    case ASY_IN_CLOSED:
        if ((session = asy__session_get(core, input->peer)))
            asy__session_close(core, session);
        break;
    case ASY_IN_ASKED:
        asy__study_asked(core, input);
        break;
    case ASY_IN_DURABLE:
        asy__news(core, input->durable.commit);
        break;
    case ASY_IN_DRAIN:
        asy__drain(core);
        break;
    case ASY_IN_FAILED_COMMIT:
        store_state(core, input->store.ok, asy__str(input->store.text));
        break;
    case ASY_IN_FORGOTTEN:
        asy__study_forgotten(core, input->forgotten.study);
        break;
    case ASY_IN_ANSWERED:
        asy__session_answered(core, input);
        break;
    case ASY_IN_TICK:
        break;
    }
    pump(core);
    return finish(core, ret_step, err);
}

uint64_t asy_core_seal(struct asy_core *core)
{
    if (core->open_events == 0)
        return 0;
    core->open_events = 0;
    core->last_commit = core->open_commit++;
    return core->last_commit;
}

int64_t asy_core_deadline(const struct asy_core *core)
{
    return core->more ? core->now_ms : core->wake_ms;
}

void asy_core_was_late(struct asy_core *core, int64_t late_ms)
{
    struct asy__worker *worker;

    if (late_ms <= 0)
        return;
    asy__each(worker, &core->all_workers, struct asy__worker, node) {
        worker->seen_ms += late_ms;
        if (worker->lost_ms != ASY__NEVER)
            worker->lost_ms += late_ms;
    }
}
