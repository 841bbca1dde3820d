/* SPDX-License-Identifier: Apache-2.0
 * apply.c - what each event does to the lasting state: the only place that changes it, live and in
 * replay alike.
 *
 * The pruner is part of the lasting state: it is called here and nowhere else (a promotion is
 * peeked at beforehand and taken back), so replay gives the same pruner. In deterministic studies
 * its calls come in job order, from job.c. An event that does not fit the state is ASY_E_CORRUPT:
 * impossible live (asserted by the caller), a broken store in replay. */
#include "core_impl.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int misfit(const struct asy_event *ev, struct asy_error *err)
{
    return asy_fail(err, ASY_E_CORRUPT,
                    "event '%s' of trial %llu attempt %u does not fit the state",
                    asy_event_kind_name(ev->kind), (unsigned long long)ev->trial, ev->attempt);
}

static int nomem(struct asy_error *err)
{
    return asy_fail(err, ASY_E_NOMEM, "no memory to apply an event");
}

static int set_text(char **place, const char *text)
{
    char *copy = NULL;

    if (text && *text && !(copy = strdup(text)))
        return ASY_E_NOMEM;
    free(*place);
    *place = copy;
    return 0;
}

/* ---- sampler and pruner ---------------------------------------------------------------------- */

void asy__tell_effect(struct asy_core *core, const struct asy__study *study,
                      const struct asy__trial *trial)
{
    size_t nx = asy_space_len(study->spec->space), nv = study->spec->n_objectives;
    double *values = asy__alloc(core, (nx + nv) * sizeof *values);
    int complete = trial->heard == ASY_OUTCOME_COMPLETE, over;
    struct asy_origin origin = asy__trial_origin(trial, &over);
    struct asy_effect *fx;

    if (!values || !(fx = asy__effect(core, ASY_FX_TELL, 0)))
        return;
    memcpy(values, trial->x, nx * sizeof *values);
    memcpy(values + nx, asy__trial_heard(trial), nv * sizeof *values);
    fx->study = study->id;
    fx->n_x = nx;
    fx->n_values = nv;
    fx->tell = (struct asy_outcome){
        .number = trial->number, .state = trial->heard, .x = values, .values = values + nx,
        .last_step = trial->heard_step, .origin = origin, .over = over, .diverged = trial->diverged,
        .violation = asy__violation(study, asy__trial_heard(trial), complete ? INFINITY : 0),
    };
}

/* While a rebuilt sampler has not heard all notes, what is new lines up behind them. A note is told
 * as things stand then, so a trial needs but one. */
void asy__tell(struct asy_core *core, struct asy__study *study, struct asy__trial *trial,
               enum asy_outcome_state state)
{
    if (!asy__trial_hear(trial, state) || trial->noted)
        return;
    if (core->started && study->state == ASY_STUDY_STOPPING && !study->has_sampler)
        return; /* nothing will be asked any more */
    if (core->started && study->n_notes == 0) {
        if (state != ASY_OUTCOME_RUNNING) /* the sampler remembers what it was asked */
            asy__tell_effect(core, study, trial);
        return;
    }
    if (study->n_notes == study->cap_notes) {
        size_t cap = study->cap_notes ? 2 * study->cap_notes : 64;
        uint64_t *grown = realloc(study->notes, cap * sizeof *grown);

        if (!grown) {
            core->rc = ASY_E_NOMEM;
            return;
        }
        study->notes = grown;
        study->cap_notes = cap;
    }
    study->notes[study->n_notes++] = trial->number;
    trial->noted = 1;
}

/* What waits at a rung may wait there until the study ends, and a sampler that heard of ends alone
 * would have next to nothing to learn from. So it counts as pruned until there is more to say. */
void asy__tell_pause(struct asy_core *core, struct asy__study *study, struct asy__trial *trial)
{
    asy__trial_finalise(trial, 1);
    if (!isnan(asy__trial_final(trial)[0]))
        asy__tell(core, study, trial, ASY_OUTCOME_PRUNED);
}

void asy__tell_end(struct asy_core *core, struct asy__study *study, struct asy__trial *trial)
{
    enum asy_outcome_state state = ASY_OUTCOME_FAILED;

    asy__trial_finalise(trial, 0);
    if (trial->state == ASY_TRIAL_COMPLETE)
        state = ASY_OUTCOME_COMPLETE;
    else if (trial->state == ASY_TRIAL_PRUNED && !isnan(asy__trial_final(trial)[0]))
        state = ASY_OUTCOME_PRUNED;
    asy_pruner_ended(study->pruner, trial->number, trial->state == ASY_TRIAL_COMPLETE);
    study->promo_stale = 1;
    trial->told = 1;
    asy__member_told(trial);
    asy__tell(core, study, trial, state);
}

int asy__reaches_target(const struct asy__study *study, const double *values)
{
    const struct asy_objective *o = &study->spec->objectives[0];

    if (isnan(o->target) || isnan(values[0]) || asy__violation(study, values, INFINITY) > 0)
        return 0;
    return o->maximize ? values[0] >= o->target : values[0] <= o->target;
}

void asy__count_result(struct asy__study *s, struct asy__trial *t)
{
    const double *values = asy__trial_final(t);

    if (asy__reaches_target(s, values))
        s->enough = ASY_CAUSE_TARGET;
    if (!isnan(values[0]) && !(asy__violation(s, values, INFINITY) > 0) &&
        (isnan(s->reached) || asy__better(s, 0, s->reached, values[0]) != s->reached)) {
        s->reached = values[0];
        s->stale = 0;
        if (s->enough == ASY_CAUSE_STAGNATION && s->lag == 0 && s->state != ASY_STUDY_STOPPING)
            s->enough = ASY_CAUSE_NONE; /* nothing has followed from it yet */
    } else if (!isnan(s->reached) && ++s->stale >= s->spec->patience && !s->enough) {
        s->enough = ASY_CAUSE_STAGNATION;
    }
}

/* ---- studies --------------------------------------------------------------------------------- */

static int study_over(enum asy_study_state state)
{
    return state >= ASY_STUDY_FINISHED;
}

static int study_state(struct asy_core *core, struct asy__study *s, const struct asy_event *ev,
                       struct asy_error *err)
{
    enum asy_study_state to = ev->study_state.state;

    /* Of a finished study replay yields but the first and the last event. */
    if (!asy__study_may(s->state, to) &&
        !(study_over(to) && s->n_trials == 0 && !core->started && !s->over))
        return misfit(ev, err);
    if (s->state == to && ev->study_state.cause == ASY_CAUSE_EXHAUSTED) {
        s->exhausted = 1;
        return 0;
    }
    if (s->state == to && ev->study_state.cause == ASY_CAUSE_SAMPLER_FAILED) {
        s->exhausted = s->given_up = 1;
        return set_text(&s->give_up, ev->study_state.text) ? nomem(err) : 0;
    }
    if (s->state == to && ev->study_state.cause == ASY_CAUSE_REGRET) { /* its text is the reason */
        s->enough = s->enough ? s->enough : ASY_CAUSE_REGRET;
        return set_text(&s->near, ev->study_state.text) ? nomem(err) : 0;
    }
    if (set_text(&s->text, ev->study_state.text))
        return nomem(err);
    if (s->state == ASY_STUDY_PAUSED && to != ASY_STUDY_PAUSED) {
        s->paused_us += ev->wall_us - s->paused_since_us;
        s->paused_since_us = 0;
    } else if (to == ASY_STUDY_PAUSED && s->paused_since_us == 0) {
        s->paused_since_us = ev->wall_us;
    }
    s->state = to;
    s->cause = ev->study_state.cause;
    if (study_over(to))
        asy__study_empty(core, s);
    return 0;
}

/* What was enough by the earlier budget may not be by this one. A bound on the regret is no part of
 * the log: one that still suffices is heard of again with the next point. */
static void budget_changed(struct asy__study *s, double before, uint64_t patience)
{
    double now = s->spec->regret;

    if (s->enough == ASY_CAUSE_REGRET && !(now == before))
        s->enough = ASY_CAUSE_NONE;
    if (s->enough == ASY_CAUSE_STAGNATION && s->spec->patience > patience &&
        s->stale < s->spec->patience)
        s->enough = ASY_CAUSE_NONE;
    if (!s->enough && s->spec->patience < patience && !isnan(s->reached) &&
        s->stale >= s->spec->patience)
        s->enough = ASY_CAUSE_STAGNATION;
    if (s->has_sampler && isnan(before) && !isnan(now))
        s->remakes = 1; /* who bounds it must know of all trials */
}

static int study_changed(struct asy_core *core, struct asy__study *s, const struct asy_event *ev,
                         struct asy_error *err)
{
    int refused = asy__refused_change(core, s, asy__str(ev->study_changed.spec), err), rc;
    uint64_t patience = s->spec ? s->spec->patience : UINT64_MAX;
    double regret = s->spec ? s->spec->regret : NAN;
    char *text;

    if (refused)
        return refused < 0 ? refused : 0;
    if (!(text = strdup(asy__str(ev->study_changed.spec))))
        return nomem(err);
    free(s->spec_text);
    s->spec_text = text;
    asy__study_retire(core, s);
    if ((rc = asy__study_need(core, s, err)) == 0 && s->spec)
        budget_changed(s, regret, patience);
    return rc;
}

/* ---- trials ---------------------------------------------------------------------------------- */

static void set_state(struct asy__trial *t, enum asy_trial_state state)
{
    t->study->counts[t->state]--;
    t->study->counts[state]++;
    t->state = state;
}

static int trial_created(struct asy_core *core, struct asy__study *s, const struct asy_event *ev,
                         struct asy_error *err)
{
    struct asy__trial *t;
    int rc = asy__trial_add(core, s, ev, err);

    if (rc)
        return rc;
    if (s->asking > 0)
        s->asking--;
    t = s->trials[ev->trial];
    rc = asy__member_created(s, t, (struct asy_origin){ ev->trial_created.member,
                                                        ev->trial_created.parent });
    if (rc == ASY_E_CORRUPT)
        return misfit(ev, err);
    if (rc || asy__job_open(s, t))
        return nomem(err);
    asy__tell(core, s, t, ASY_OUTCOME_RUNNING);
    asy__offers_bind(core, t);
    return 0;
}

static void note_best(struct asy__study *s, struct asy__trial *t)
{
    double value = asy__trial_final(t)[0];

    if (asy__violation(s, asy__trial_final(t), INFINITY) > 0)
        return;
    if (!isnan(value) && (isnan(s->best) || asy__better(s, 0, s->best, value) != s->best)) {
        s->best = value;
        s->best_trial = (int64_t)t->number;
    }
}

static void trial_over(struct asy_core *core, struct asy__trial *t)
{
    struct asy__study *s = t->study;

    asy__trial_move(t, ASY__OVER);
    asy__member_ended(t);
    if (s->lag == 0 || !asy__job_tells(s, t))
        asy__tell_end(core, s, t);
    else
        asy__trial_finalise(t, 1);
    if (t->state == ASY_TRIAL_COMPLETE) {
        note_best(s, t);
        if (s->lag == 0)
            asy__count_result(s, t);
    }
    asy__job_done(s, t);
}

static int promoted(struct asy__trial *t, const struct asy_event *ev, struct asy_error *err)
{
    struct asy__study *s = t->study;
    uint64_t number, milestone;

    if ((!asy_pruner_promote(s->pruner, &number, &milestone) &&
         !asy_pruner_promote_last(s->pruner, &number, &milestone)) ||
        number != t->number)
        return misfit(ev, err);
    s->promo_stale = 1;
    t->goal = ev->trial_state.step;
    if (asy__job_open(s, t))
        return nomem(err);
    return 0;
}

static int trial_queued(struct asy__trial *t, const struct asy_event *ev, struct asy_error *err)
{
    int rc;

    if (t->state == ASY_TRIAL_PAUSED && (rc = promoted(t, ev, err)))
        return rc;
    if (t->attempt && !t->attempt->orphan) {
        t->attempt->orphan = 1;
        t->study->cores_used -= t->attempt->n_cores;
    }
    set_state(t, ASY_TRIAL_QUEUED);
    asy__trial_move(t, ASY__AGAIN);
    return 0;
}

static int trial_state(struct asy_core *core, struct asy__study *s, const struct asy_event *ev,
                       struct asy_error *err)
{
    struct asy__trial *t = asy__trial_get(s, ev->trial);
    enum asy_trial_state to = ev->trial_state.state;

    if (!t || !asy__trial_may(t->state, to) || (asy_trial_state_ended(to) && t->attempt))
        return misfit(ev, err);
    if (t->state == to) {
        t->stop = ev->trial_state.cause;
        return 0;
    }
    if (set_text(&t->text, ev->trial_state.text))
        return nomem(err);
    t->cause = ev->trial_state.cause;
    if (to == ASY_TRIAL_QUEUED)
        return trial_queued(t, ev, err);
    if (to == ASY_TRIAL_LEASED || to == ASY_TRIAL_RUNNING) {
        if (!t->attempt)
            return misfit(ev, err);
        if (t->attempt->orphan)
            s->cores_used += t->attempt->n_cores;
        t->attempt->orphan = 0;
        if (to == ASY_TRIAL_RUNNING)
            t->attempt->started = 1;
        set_state(t, to);
        asy__trial_move(t, ASY__OPEN);
        return 0;
    }
    set_state(t, to);
    t->diverged = t->cause == ASY_CAUSE_DIVERGED;
    if (to == ASY_TRIAL_PAUSED) {
        t->losses = 0;
        asy__trial_move(t, ASY__PAUSED);
        if (s->lag == 0)
            asy__tell_pause(core, s, t);
        asy__job_done(s, t);
        s->promo_stale = 1;
    } else {
        trial_over(core, t);
    }
    return 0;
}

/* ---- attempts -------------------------------------------------------------------------------- */

static int leased(struct asy_core *core, struct asy__study *s, const struct asy_event *ev,
                  struct asy_error *err)
{
    struct asy__trial *t = asy__trial_get(s, ev->trial);
    int rc;

    if (!t || t->attempt || !asy__trial_may(t->state, ASY_TRIAL_LEASED) ||
        ev->attempt <= t->attempts || ev->leased.n_placements == 0)
        return misfit(ev, err);
    if ((rc = asy__attempt_open(core, t, ev, err)))
        return rc;
    asy__trial_rewind(t, ev->leased.from.step, ev->leased.from.attempt == 0);
    t->cause = ASY_CAUSE_NONE;
    t->attempts = ev->attempt;
    set_state(t, ASY_TRIAL_LEASED);
    asy__trial_move(t, ASY__OPEN);
    return 0;
}

static double newest_step(const struct asy__trial *t)
{
    return t->n_hist ? t->hist[(t->n_hist - 1) * (1 + asy__n_values(t->study))] : -1;
}

/* Of the newest row of its history. A step that was judged is not judged again. */
static void verdict(struct asy__trial *t)
{
    struct asy__study *s = t->study;
    double values[ASY_STUDY_OBJECTIVES_MAX];
    char text[240];

    s->promo_stale = 1;
    asy__trial_at(t, t->n_hist - 1, values);
    if (asy_pruner_report(s->pruner, t->number, (uint64_t)newest_step(t), values) != ASY_STOP)
        return;
    if (t->stop == ASY_CAUSE_NONE) {
        t->stop = ASY_CAUSE_PRUNED;
        asy_pruner_explain(s->pruner, t->number, text, sizeof text);
        ASY_IGNORE(set_text(&t->text, text)); /* without memory it is pruned all the same */
    }
}

/* A pruner that compares several objectives hears of a step once all of them came with it. Where
 * one is left out there, that shows when a later step comes, or when the trial pauses to be
 * compared. */
static void overdue(struct asy__trial *t)
{
    if (t->study->lag == 0 && asy_pruner_compares(t->study->pruner) > 1 && t->n_hist > 0 &&
        asy__trial_has(t, t->n_hist - 1, 1))
        verdict(t);
}

static int report(struct asy__study *s, struct asy__trial *t, const struct asy_event *ev,
                  struct asy_error *err)
{
    double values[ASY_STUDY_OBJECTIVES_MAX + ASY_STUDY_CONSTRAINTS_MAX], value = NAN;
    size_t compared = asy_pruner_compares(s->pruner);
    double step = (double)ev->report.step;
    int has = 0;

    if (step > newest_step(t))
        overdue(t);
    if (asy__trial_record(t, ev, &value, &has))
        return nomem(err);
    if (s->lag > 0)
        return 0;
    if (compared > 1 ? newest_step(t) == step && asy__trial_has(t, t->n_hist - 1, compared) : has)
        verdict(t);
    if (!has || s->spec->objectives[0].take != ASY_TAKE_BEST ||
        isnan(s->spec->objectives[0].target))
        return 0;
    asy__trial_values(t, values); /* of all the history */
    values[0] = value;
    if (asy__reaches_target(s, values))
        t->hit = 1, s->enough = ASY_CAUSE_TARGET;
    return 0;
}

/* Whoever interrupts a sweep as often as they like has not lost it. */
static int is_loss(const struct asy__attempt *a, const struct asy_event *ev)
{
    return a->started && ev->ended.cause != ASY_CAUSE_DRAINING &&
           ev->ended.cause != ASY_CAUSE_STUDY_PAUSED && ev->ended.cause != ASY_CAUSE_OFFERED;
}

static int ended(struct asy_core *core, struct asy__trial *t, const struct asy_event *ev,
                 struct asy_error *err)
{
    if (ev->ended.end == ASY_END_LOST &&
        asy__trial_fence(t, t->attempt->number, t->attempt->applied))
        return nomem(err);
    if (ev->ended.end == ASY_END_PAUSED ||
        asy__trial_has_reached(t, ev->ended.end, t->attempt->milestone))
        overdue(t);
    if (ev->ended.end == ASY_END_COMPLETE)
        t->by_itself = asy__newest_checkpoint(t).step < t->attempt->milestone;
    if (t->member && asy__newest_checkpoint(t).step >= t->study->spec->length_max)
        t->by_itself = 1; /* beyond its interval, to the very end: nobody can go on from it */
    t->refusals = ev->ended.end == ASY_END_REFUSED ? t->refusals + 1 : 0;
    switch (ev->ended.end) {
    case ASY_END_CRASHED:
        t->crashes += !asy__trial_has_reached(t, ev->ended.end, t->attempt->milestone);
        break;
    case ASY_END_LOST:
    case ASY_END_PREEMPTED:
        t->losses += is_loss(t->attempt, ev);
        break;
    case ASY_END_PAUSED:
        t->losses = 0;
        break;
    default:
        break;
    }
    if (ev->ended.model_path && *ev->ended.model_path)
        t->study->kept += ev->ended.model_bytes + ev->ended.scores_bytes;
    asy__attempt_close(core, t->attempt);
    return 0;
}

static void superseded(const struct asy_core *core, const struct asy_event *ev)
{
    struct asy__study *s = asy__study_get(core, ev->study);
    struct asy__trial *t = s && !s->over ? asy__trial_get(s, ev->trial) : NULL;
    struct asy__fenced *f = t ? asy__trial_fenced(t, ev->attempt) : NULL;

    if (f && ev->superseded.report > f->upto)
        f->upto = ev->superseded.report;
}

/* Only what lies beyond all before it: a program that begins anew each time writes checkpoints too.
 * At the milestone a value is progress, not a checkpoint. */
static void note_progress(struct asy__trial *t, uint64_t step, uint64_t milestone)
{
    if (step >= milestone || step <= t->furthest)
        return;
    t->furthest = step;
    t->losses = 0;
}

/* STARTED, REPORT, CHECKPOINT and ENDED: what an attempt says of itself. */
static int attempt_event(struct asy_core *core, struct asy__study *s, const struct asy_event *ev,
                         uint64_t number, struct asy_error *err)
{
    struct asy__trial *t = asy__trial_get(s, ev->trial);
    struct asy__attempt *a = t ? t->attempt : NULL;

    if (!a || a->number != ev->attempt)
        return misfit(ev, err);
    if (!core->started) /* else it was noted when it came */
        asy__pace_note(core, a, ev);
    if (number > 0)
        a->applied = number;
    switch (ev->kind) {
    case ASY_EV_STARTED:
        a->started = 1;
        if (t->state == ASY_TRIAL_LEASED)
            set_state(t, ASY_TRIAL_RUNNING);
        return 0;
    case ASY_EV_REPORT:
        return report(s, t, ev, err);
    case ASY_EV_CHECKPOINT:
        note_progress(t, ev->checkpoint.checkpoint.step, a->milestone);
        return asy__trial_checkpoint(t, &ev->checkpoint.checkpoint) ? nomem(err) : 0;
    default:
        return ended(core, t, ev, err);
    }
}

static int checkpoint_dropped(struct asy__study *s, const struct asy_event *ev,
                              struct asy_error *err)
{
    struct asy__trial *t = asy__trial_get(s, ev->trial);

    if (!t)
        return misfit(ev, err);
    asy__trial_forget_checkpoint(t, &ev->checkpoint_dropped.checkpoint);
    return 0;
}

/* ---- workers --------------------------------------------------------------------------------- */

static int worker_joined(struct asy_core *core, const struct asy_event *ev, struct asy_error *err)
{
    struct asy__worker *w;
    int rc = asy__worker_need(core, ev->worker_joined.id, &w);

    if (rc || asy__worker_cores(w, ev->worker_joined.cores) ||
        set_text(&w->host, ev->worker_joined.host) || set_text(&w->fit, ev->worker_joined.fit) ||
        set_text(&w->version, ev->worker_joined.version) ||
        set_text(&w->hardware, ev->worker_joined.hardware))
        return nomem(err);
    w->n_cores = ev->worker_joined.cores;
    w->memory = ev->worker_joined.memory;
    w->present = 1;
    return 0;
}

static int worker_gone(struct asy_core *core, const struct asy_event *ev)
{
    struct asy__worker *w = asy__worker_get(core, ev->worker_gone.id);

    if (w) {
        w->present = 0;
        asy__worker_release(core, w);
    }
    return 0;
}

static int of_study(struct asy_core *core, struct asy__study *s, const struct asy_event *ev,
                    struct asy_error *err)
{
    switch (ev->kind) {
    case ASY_EV_STUDY_STATE:
        return study_state(core, s, ev, err);
    case ASY_EV_STUDY_CHANGED:
        return study_changed(core, s, ev, err);
    case ASY_EV_TRIAL_CREATED:
        return trial_created(core, s, ev, err);
    case ASY_EV_TRIAL_STATE:
        return trial_state(core, s, ev, err);
    case ASY_EV_LEASED:
        return leased(core, s, ev, err);
    case ASY_EV_STARTED:
        return attempt_event(core, s, ev, ev->started.report, err);
    case ASY_EV_REPORT:
        return attempt_event(core, s, ev, ev->report.report, err);
    case ASY_EV_CHECKPOINT:
        return attempt_event(core, s, ev, ev->checkpoint.report, err);
    case ASY_EV_ENDED:
        return attempt_event(core, s, ev, ev->ended.report, err);
    case ASY_EV_CHECKPOINT_DROPPED:
        return checkpoint_dropped(s, ev, err);
    default:
        return misfit(ev, err);
    }
}

int asy__apply(struct asy_core *core, const struct asy_event *ev, struct asy_error *err)
{
    struct asy__study *s;
    int rc;

    switch (ev->kind) {
    case ASY_EV_WORKER_JOINED:
        return worker_joined(core, ev, err);
    case ASY_EV_WORKER_GONE:
        return worker_gone(core, ev);
    case ASY_EV_STUDY_CREATED:
        return asy__study_add(core, ev, err);
    case ASY_EV_SUPERSEDED:
        superseded(core, ev);
        return 0;
    case ASY_EV_ARTIFACT: /* of these the store keeps record; nothing is decided by them */
    case ASY_EV_TAG:
    case ASY_EV_SCORE:
    case ASY_EV_DATASET:
        return 0;
    default:
        break;
    }
    if (!(s = asy__study_get(core, ev->study)) || s->over)
        return misfit(ev, err);
    if (ev->kind != ASY_EV_STUDY_STATE && (rc = asy__study_need(core, s, err)))
        return rc;
    if (ev->kind != ASY_EV_STUDY_STATE && s->refused)
        return asy__refused_apply(s, ev, err);
    if ((rc = of_study(core, s, ev, err)))
        return rc;
    if (s->lag > 0 && !s->over)
        asy__job_settle(core, s);
    return core->rc;
}
