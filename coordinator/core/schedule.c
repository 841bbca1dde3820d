/* SPDX-License-Identifier: Apache-2.0
 * schedule.c - who runs where: after every input, whatever fits is leased.
 *
 * Studies go by priority, then by the fewest running cores, then by age; within a study first what
 * ran before, then what its pruner promotes, then new points. Of workers with room the one with
 * the most free cores is taken. So that small trials cannot starve a large one, room is kept for
 * the first study in that order that finds none (reserve.c).
 *
 * Room is also kept for points that a sampler is still computing, where their study goes first:
 * else whose sampler answers faster would get the cores. Not for longer than a sampler may take,
 * though (ANSWER_MS).
 *
 * Costs per lease: the live studies and a few dozen workers, never the trials. */
#include "core_impl.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEASES_PER_STEP 256
#define WORKERS_LOOKED_AT 64
#define ANSWER_MS 2000

int asy__goes_before(const struct asy__study *a, const struct asy__study *b)
{
    if (a->spec->priority != b->spec->priority)
        return a->spec->priority > b->spec->priority;
    if (a->gathers != b->gathers)
        return a->gathers;
    if (a->cores_used + a->held_cores != b->cores_used + b->held_cores)
        return a->cores_used + a->held_cores < b->cores_used + b->held_cores;
    return asy_id_cmp(a->id, b->id) < 0; /* ids are time-ordered */
}

static int at_parallel_limit(const struct asy__study *s)
{
    return s->spec->parallel != 0 &&
           s->counts[ASY_TRIAL_LEASED] + s->counts[ASY_TRIAL_RUNNING] >= s->spec->parallel;
}

/* The first trial that ran before and does not wait out a crash. */
static struct asy__trial *first_again(const struct asy_core *core, const struct asy__study *s,
                                      int64_t *ret_wake_ms)
{
    struct asy__trial *t;

    asy__each(t, &s->lists[ASY__AGAIN], struct asy__trial, node) {
        if (asy__trial_held(core, t))
            continue;
        if (t->ready_ms <= core->now_ms)
            return t;
        if (ret_wake_ms && t->ready_ms < *ret_wake_ms)
            *ret_wake_ms = t->ready_ms;
    }
    return NULL;
}

static struct asy__trial *first_fresh(const struct asy_core *core, const struct asy__study *s)
{
    struct asy__trial *t;

    asy__each(t, &s->lists[ASY__FRESH], struct asy__trial, node)
        if (!asy__trial_held(core, t))
            return t;
    return NULL;
}

static struct asy__trial *promotable(struct asy__study *s, uint64_t *ret_milestone)
{
    if (s->lag > 0 && (s->asking > 0 || asy__job_waits(s)))
        return NULL;
    return asy__study_promotable(s, ret_milestone);
}

int asy__has_ready(const struct asy_core *core, struct asy__study *s)
{
    if (s->state != ASY_STUDY_RUNNING || at_parallel_limit(s))
        return 0;
    return first_fresh(core, s) || first_again(core, s, NULL) || promotable(s, NULL);
}

/* ---- room ------------------------------------------------------------------------------------ */

static uint64_t fits_times(const struct asy__worker *w, const struct asy__study *s)
{
    uint64_t n = asy__worker_free(w) / asy__need_cores(s), memory = asy__need_memory(s);
    uint64_t gpus = asy__gpus_fit(w, s);

    if (w->memory != 0 && memory != 0) {
        uint64_t left = asy__worker_memory_left(w);

        n = left / memory < n ? left / memory : n;
    }
    return gpus < n ? gpus : n;
}

uint64_t asy__room(const struct asy_core *core, const struct asy__study *s, uint64_t max)
{
    struct asy__worker *w;
    uint64_t n = 0;

    if (asy__spans(core, s)) {
        n = asy__span_room(core, s);
        return n < max ? n : max;
    }
    asy__each(w, &core->free_workers, struct asy__worker, free_node) {
        if (n >= max)
            break;
        if (asy__worker_serves(w, s) && asy__worker_ready(core, w) &&
            asy__worker_in_time(core, w, s))
            n += fits_times(w, s);
    }
    return n < max ? n : max;
}

static struct asy__worker *find_worker(struct asy_core *core, const struct asy__study *s)
{
    struct asy__worker *w, *best = NULL;
    int looked = 0;

    asy__each(w, &core->free_workers, struct asy__worker, free_node) {
        if (looked >= WORKERS_LOOKED_AT)
            break;
        if (!asy__worker_serves(w, s) || !asy__worker_ready(core, w) ||
            !asy__worker_holds(w, s, w->held) || !asy__gpus_unheld(w, s) ||
            !asy__worker_in_time(core, w, s) || !asy__spares(core, w, s))
            continue;
        looked++;
        if (!best || asy__worker_free(w) - w->held > asy__worker_free(best) - best->held)
            best = w;
    }
    return best;
}

/* Where one trial of the study goes now; 0: nowhere. */
static size_t find_seats(struct asy_core *core, const struct asy__study *s,
                         struct asy__seat **ret_seats)
{
    struct asy__worker *w;

    if (asy__spans(core, s))
        return asy__span_seats(core, s, ret_seats);
    if (!(w = find_worker(core, s)) || !(*ret_seats = asy__alloc(core, sizeof **ret_seats)))
        return 0;
    **ret_seats = (struct asy__seat){ w, asy__need_ranks(s) };
    return 1;
}

/* ---- leases ---------------------------------------------------------------------------------- */

uint64_t asy__milestone_of(const struct asy__trial *t)
{
    const struct asy__study *s = t->study;

    if (!s->spec->checkpoint)
        return s->spec->length_max;
    return t->goal ? t->goal : asy_pruner_milestone(s->pruner, t->number, 0);
}

static int knows_spec(const struct asy__worker *w, struct asy_sha id)
{
    for (size_t i = 0; i < w->n_specs; i++)
        if (!memcmp(w->specs[i].b, id.b, sizeof id.b))
            return 1;
    return 0;
}

/* NULL: the agent has it. What it was told is forgotten with the session. */
static const char *spec_for(struct asy_core *core, struct asy__worker *w,
                            const struct asy__study *s)
{
    struct asy_sha *grown;

    if (knows_spec(w, s->spec->id))
        return NULL;
    if (!(grown = realloc(w->specs, (w->n_specs + 1) * sizeof *grown))) {
        core->rc = ASY_E_NOMEM;
        return NULL;
    }
    w->specs = grown;
    w->specs[w->n_specs++] = s->spec->id;
    return s->spec_text;
}

static const char *params_of(struct asy_core *core, struct asy__trial *t)
{
    struct asy_jsonw w;
    const char *text;

    if (t->params) {
        text = asy__dup(core, t->params);
        free(t->params);
        t->params = NULL;
        return text;
    }
    asy_buf_clear(&core->scratch);
    asy_jsonw_init(&w, &core->scratch, 0);
    asy_space_write(t->study->spec->space, t->x, &w, NULL);
    if (core->scratch.rc)
        core->rc = ASY_E_NOMEM;
    return asy__dup(core, core->scratch.data);
}

/* The placements as all parts are told them, with the names of the hosts. */
static const struct asy_placement *named(struct asy_core *core, const struct asy_event *leased,
                                         const struct asy__attempt *a)
{
    struct asy_placement *all = asy__alloc(core, a->n_parts * sizeof *all);

    for (size_t i = 0; all && i < a->n_parts; i++) {
        all[i] = leased->leased.placements[i];
        all[i].host = asy__dup(core, a->parts[i].worker->host);
    }
    return all;
}

static void send_lease(struct asy_core *core, struct asy__trial *t, size_t part,
                       const struct asy_placement *all, const char *params,
                       const struct asy_event *leased, const struct asy__adopted *adopted)
{
    struct asy__worker *w = t->attempt->parts[part].worker;
    struct asy_lease *lease = asy__alloc(core, sizeof *lease);
    struct asy_msg *msg;

    if (!lease || core->rc || !(msg = asy__send(core, w->session, ASY_MSG_LEASE, ASY_MUTANT != 2)))
        return;
    *lease = (struct asy_lease){
        .study = t->study->id, .trial = t->number, .attempt = leased->attempt,
        .id = leased->leased.id, .run = t->id, .epoch = leased->leased.epoch,
        .milestone = leased->leased.milestone, .seed = t->seed,
        .placement = all[part], .ranks = asy__need_ranks(t->study), .part = (uint32_t)part,
        .from = leased->leased.from, .params = params,
        .spec = asy__dup(core, spec_for(core, w, t->study)), .spec_id = t->study->spec->id,
        .owner = t->study->owner, .resume_retries = t->crashes,
    };
    if (!*lease->spec)
        lease->spec = NULL;
    if (t->attempt->n_parts > 1) {
        lease->placements = all;
        lease->n_placements = t->attempt->n_parts;
    }
    if (adopted) {
        lease->adopts = adopted->store;
        lease->adopts_attempt = adopted->attempt;
    }
    msg->lease.leases = lease;
    msg->lease.n_leases = 1;
}

static void send_leases(struct asy_core *core, struct asy__trial *t,
                        const struct asy_event *leased, const struct asy__adopted *adopted)
{
    const struct asy_placement *all = named(core, leased, t->attempt);
    const char *params = params_of(core, t);

    for (size_t i = 0; all && i < t->attempt->n_parts && !core->rc; i++)
        send_lease(core, t, i, all, params, leased, adopted);
}

static void open_attempt(struct asy_core *core, struct asy__trial *t,
                         const struct asy_placement *placements, size_t n,
                         const struct asy__adopted *adopted)
{
    struct asy_event ev = asy__event(core, ASY_EV_LEASED, t->study, t);

    ev.attempt = adopted ? adopted->number : t->attempts + 1;
    ev.leased.id = asy__make_id(core);
    ev.leased.epoch = ev.attempt;
    ev.leased.job = t->job;
    ev.leased.milestone = asy__milestone_of(t);
    ev.leased.placements = placements;
    ev.leased.n_placements = n;
    ev.leased.from = adopted ? adopted->from : asy__trial_start(t);
    ev.leased.from.path = asy__dup(core, ev.leased.from.path);
    asy__emit(core, &ev);
    if (!core->rc)
        send_leases(core, t, &ev, adopted);
}

static void lease(struct asy_core *core, struct asy__trial *t, const struct asy__seat *seats,
                  size_t n)
{
    struct asy_placement *placements = asy__alloc(core, n * sizeof *placements);

    if (!placements)
        return;
    if (t->attempt) { /* its lost worker can not come back to it from here on */
        asy__attempt_lost(core, t, ASY_END_LOST, ASY_CAUSE_LOST, "it was leased anew");
        if (core->rc || t->state != ASY_TRIAL_QUEUED)
            return;
    }
    for (size_t i = 0; i < n; i++)
        asy__worker_place(core, seats[i].worker, t->study, seats[i].ranks, &placements[i]);
    if (t->attempts == 0)
        asy__ahead_taken(&t->study->ahead, (double)core->now_ms);
    open_attempt(core, t, placements, n, NULL);
    if (!core->rc)
        asy__reserve_note(core, t->attempt);
}

void asy__lease_adopted(struct asy_core *core, struct asy__trial *t,
                        const struct asy_placement *placement, const struct asy__adopted *what)
{
    open_attempt(core, t, placement, 1, what);
}

static struct asy__trial *promote(struct asy_core *core, struct asy__trial *t, uint64_t milestone)
{
    struct asy_event ev = asy__event(core, ASY_EV_TRIAL_STATE, t->study, t);

    ev.trial_state.state = ASY_TRIAL_QUEUED;
    ev.trial_state.cause = ASY_CAUSE_RUNG;
    ev.trial_state.text = "promoted";
    ev.trial_state.value = (double)NAN;
    ev.trial_state.step = milestone;
    asy__emit(core, &ev);
    return t;
}

static struct asy__trial *next_trial(struct asy_core *core, struct asy__study *s)
{
    struct asy__trial *t = first_again(core, s, NULL);
    uint64_t milestone;

    if (t)
        return t;
    if ((t = promotable(s, &milestone)))
        return promote(core, t, milestone);
    return first_fresh(core, s);
}

/* ---- one pass -------------------------------------------------------------------------------- */

/* Whether room is to be kept for a point that its sampler computes, or will be asked for. */
static int may_hold(struct asy_core *core, struct asy__study *s)
{
    if (s->asking > 0) {
        if (core->now_ms - s->asked_ms >= ANSWER_MS)
            return 0;
        asy__wake(core, s->asked_ms + ANSWER_MS);
    }
    return s->held < asy__study_askable(core, s);
}

static struct asy__study *first_of(struct asy__study *a, struct asy__study *b)
{
    return !a || asy__goes_before(b, a) ? b : a;
}

/* The study that goes first; NULL once none has a trial that could be leased, and none is large:
 * such a one keeps its room before its sampler has been asked, which waits for room. */
static struct asy__study *next_study(struct asy_core *core, int *ret_ready)
{
    struct asy__study *s, *best = NULL, *large = NULL;
    int any = 0;

    asy__each(s, &core->live, struct asy__study, node) {
        int ready = !s->blocked && asy__has_ready(core, s);

        any |= ready;
        if (s->blocked || (!ready && !may_hold(core, s)))
            continue;
        best = first_of(best, s);
        if (asy__is_large(core, s))
            large = first_of(large, s);
    }
    best = any ? best : large;
    *ret_ready = best && asy__has_ready(core, best);
    return best;
}

static void begin_pass(struct asy_core *core)
{
    struct asy__study *s;
    struct asy__worker *w;

    asy__reserve_begin(core);
    asy__each(s, &core->live, struct asy__study, node) {
        s->blocked = 0;
        s->held = s->held_cores = 0;
    }
    if (core->holds)
        asy__each(w, &core->free_workers, struct asy__worker, free_node)
            asy__worker_unhold(w);
    core->holds = 0;
}

static void hold(struct asy_core *core, struct asy__study *s, const struct asy__seat *seats,
                 size_t n)
{
    for (size_t i = 0; i < n; i++) {
        seats[i].worker->held += seats[i].ranks * s->spec->cores;
        asy__gpus_hold(core, seats[i].worker, s, seats[i].ranks);
    }
    s->held++;
    s->held_cores += asy__need_cores(s);
    core->holds = 1;
}

static void end_pass(struct asy_core *core, const struct asy__study *holder)
{
    struct asy__study *s;

    asy__each(s, &core->live, struct asy__study, node) {
        s->held = s->held_cores = 0;
        for (size_t i = 0; i < s->n_reserved; i++)
            s->reserved[i]->kept_for = NULL;
        if (s != holder)
            asy__unreserve(s);
        if (s->state == ASY_STUDY_RUNNING)
            first_again(core, s, &core->wake_ms);
    }
}

void asy__schedule(struct asy_core *core)
{
    struct asy__study *s, *holder = NULL;
    struct asy__seat *seats;
    struct asy__trial *t;
    int budget = LEASES_PER_STEP, ready;
    size_t n;

    if (core->draining || core->store_bad || core->quit_sent)
        return;
    if (core->now_ms < core->lease_from_ms) {
        asy__wake(core, core->lease_from_ms);
        return;
    }
    begin_pass(core);
    while (!core->rc && (s = next_study(core, &ready))) {
        if (budget-- == 0) {
            core->more = 1;
            break;
        }
        if (!(n = find_seats(core, s, &seats))) {
            s->blocked = 1;
            if (!holder && asy__reserve(core, s))
                holder = s;
        } else if (!ready) {
            if (!holder && s->gathers && asy__reserve(core, s))
                holder = s;
            hold(core, s, seats, n);
        } else if ((t = next_trial(core, s))) {
            lease(core, t, seats, n);
            asy__unreserve(s);
        } else {
            s->blocked = 1;
        }
    }
    end_pass(core, holder);
}
