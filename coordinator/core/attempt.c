/* SPDX-License-Identifier: Apache-2.0
 * attempt.c - one lease's try at a job: told to end, and what its end means for the trial.
 *
 * A lost worker's attempts stay open as orphans: their trials are queued again, but until one is
 * really leased anew its old attempt may come back and go on. The end LOST is therefore recorded
 * when the next lease fences it, not when the worker falls silent. An attempt of several parts is
 * over with the first worker that is lost: its ranks cannot go on without the others. */
#include "core_impl.h"
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BACKOFF_MAX_MS 60000

/* ---- telling it to end ----------------------------------------------------------------------- */

/* Of its workers one that leaves. The lead's own agent sees to that itself, the others cannot: only
 * all ranks together can stop at a checkpoint. */
static const struct asy__worker *leaving(const struct asy__attempt *a)
{
    for (size_t i = 1; i < a->n_parts; i++)
        if (a->parts[i].worker->draining)
            return a->parts[i].worker;
    return NULL;
}

static enum asy_cancel_mode wanted(struct asy_core *core, const struct asy__attempt *a,
                                   enum asy_cause *ret_cause, const char **ret_text)
{
    const struct asy__trial *t = a->trial;
    const struct asy__study *s = t->study;
    const struct asy__worker *w;

    if (t->stop != ASY_CAUSE_NONE) {
        *ret_cause = t->stop;
        *ret_text = t->stop == ASY_CAUSE_PRUNED ? asy__str(t->text) : "stopped by the user";
        return ASY_CANCEL_STOP;
    }
    if (s->state == ASY_STUDY_STOPPING) {
        *ret_cause = s->cause;
        *ret_text = asy__str(s->text);
        return ASY_CANCEL_STOP;
    }
    if (core->draining) {
        *ret_cause = ASY_CAUSE_DRAINING;
        *ret_text = "the coordinator is drained";
        return ASY_CANCEL_PAUSE;
    }
    if (s->state == ASY_STUDY_PAUSED && s->spec->checkpoint) {
        *ret_cause = ASY_CAUSE_STUDY_PAUSED;
        *ret_text = asy__str(s->text);
        return ASY_CANCEL_PAUSE;
    }
    if ((w = leaving(a))) {
        *ret_cause = ASY_CAUSE_PREEMPTED;
        *ret_text = asy__textf(core, "worker '%s' is being drained", asy__str(w->host));
        return ASY_CANCEL_PAUSE;
    }
    return (enum asy_cancel_mode)0;
}

void asy__attempt_sync(struct asy_core *core, struct asy__attempt *a)
{
    enum asy_cause cause = ASY_CAUSE_NONE;
    const char *text = "";
    enum asy_cancel_mode mode;
    struct asy__session *lead;
    struct asy_msg *msg;

    if (!a || a->orphan || !(lead = a->parts[0].worker->session))
        return;
    mode = wanted(core, a, &cause, &text);
    if (mode <= a->told || !(msg = asy__send(core, lead, ASY_MSG_CANCEL, 1)))
        return;
    a->told = mode;
    msg->cancel.study = a->trial->study->id;
    msg->cancel.trial = a->trial->number;
    msg->cancel.attempt = a->number;
    msg->cancel.epoch = a->epoch;
    msg->cancel.mode = mode;
    msg->cancel.grace_ms = a->trial->study->spec->grace_ms;
    msg->cancel.cause = cause;
    msg->cancel.text = asy__dup(core, text);
}

/* ---- what its end means ---------------------------------------------------------------------- */

static void complete(struct asy_core *core, struct asy__trial *t)
{
    const struct asy_study_spec *spec = t->study->spec;
    double *values = asy__alloc(core, asy__n_values(t->study) * sizeof *values);

    if (!values)
        return;
    asy__trial_values(t, values);
    for (size_t i = 0; i < spec->n_objectives; i++)
        if (isnan(values[i])) {
            asy__trial_end(core, t, ASY_TRIAL_FAILED, ASY_CAUSE_NO_VALUE,
                           asy__textf(core, t->reported && spec->objectives[i].take == ASY_TAKE_MEAN
                                                ? "no mean for '%s': nan was among its values"
                                            : t->reported && spec->n_objectives == 1
                                                ? "only nan was reported for '%s'"
                                                : "no value for '%s' was reported",
                                      spec->objectives[i].metric));
            return;
        }
    asy__trial_end(core, t, ASY_TRIAL_COMPLETE, ASY_CAUSE_NONE,
                   asy__outside(core, t->study, values));
}

static void paused(struct asy_core *core, struct asy__trial *t, uint64_t step, uint64_t milestone)
{
    struct asy__study *s = t->study;
    struct asy_event ev;
    char text[240] = "";
    double *values;

    if (milestone == UINT64_MAX || step < milestone) {
        asy__trial_queue(core, t,
                         core->draining                   ? ASY_CAUSE_DRAINING
                         : s->state == ASY_STUDY_PAUSED ? ASY_CAUSE_STUDY_PAUSED
                                                          : ASY_CAUSE_PREEMPTED, "");
        return;
    }
    if (milestone >= s->spec->length_max) {
        complete(core, t);
        return;
    }
    if (t->last_step < (double)milestone) { /* nobody could compare it, so it would wait for ever */
        asy__trial_end(core, t, ASY_TRIAL_FAILED, ASY_CAUSE_NO_VALUE,
                       asy__textf(core, "no value for '%s' was reported at step %" PRIu64
                                  ", where it paused to be compared",
                                  s->spec->objectives[0].metric, milestone));
        return;
    }
    if (t->member) { /* its interval is done; another trial goes on from it */
        complete(core, t);
        return;
    }
    if (!(values = asy__alloc(core, asy__n_values(s) * sizeof *values)))
        return;
    asy__trial_values(t, values);
    asy_pruner_explain(s->pruner, t->number, text, sizeof text);
    ev = asy__event(core, ASY_EV_TRIAL_STATE, s, t);
    ev.trial_state.state = ASY_TRIAL_PAUSED;
    ev.trial_state.cause = ASY_CAUSE_RUNG;
    ev.trial_state.text = asy__dup(core, text);
    ev.trial_state.value = values[0];
    ev.trial_state.step = t->step;
    asy__emit(core, &ev);
}

/* In a deterministic study a failure that training did not cause changes the table. */
static const char *voiding(const struct asy__study *s)
{
    return s->lag > 0 ? "; the study is not deterministic any more" : "";
}

static const char *crash_text(struct asy_core *core, const struct asy__trial *t, const char *text,
                              const char *more)
{
    const char *why = *text ? text : "no reason given";

    return t->crashes == 1 ? asy__textf(core, "crashed: %s%s", why, more)
                           : asy__textf(core, "crashed %" PRIu32 " times, the last time: %s%s",
                                        t->crashes, why, more);
}

/* After the n-th time in a row: each doubles the wait. */
static void back_off(const struct asy_core *core, struct asy__trial *t, uint32_t n)
{
    int64_t wait_ms = core->config.backoff_ms;

    for (uint32_t i = 1; i < n && wait_ms < BACKOFF_MAX_MS; i++)
        wait_ms *= 2;
    t->ready_ms = core->now_ms + (wait_ms < BACKOFF_MAX_MS ? wait_ms : BACKOFF_MAX_MS);
}

static void crashed(struct asy_core *core, struct asy__trial *t, enum asy_cause cause,
                    const char *text)
{
    struct asy__study *s = t->study;

    if (cause == ASY_CAUSE_BAD_JOB || cause == ASY_CAUSE_DATA) { /* would fail again */
        asy__trial_end(core, t, ASY_TRIAL_FAILED, cause, text);
        return;
    }
    if ((int64_t)t->crashes > s->spec->retries) {
        int once = s->spec->retries == 0;

        asy__trial_end(core, t, ASY_TRIAL_FAILED, once && cause ? cause : ASY_CAUSE_RETRIES,
                       crash_text(core, t, text, voiding(s)));
        return;
    }
    asy__trial_queue(core, t, ASY_CAUSE_BACKOFF, crash_text(core, t, text, ""));
    back_off(core, t, t->crashes);
}

/* Twice: one worker alone may not see the file. It is left alone, for somebody else may. */
static const char *without_checkpoint(struct asy_core *core, struct asy__trial *t,
                                      const char *text)
{
    struct asy_checkpoint newest = asy__newest_checkpoint(t);
    const struct asy__checkpoint *before = t->n_checkpoints > 1
                                               ? &t->checkpoints[t->n_checkpoints - 2] : NULL;

    if (t->refusals < 2 || newest.attempt == 0)
        return text;
    text = asy__textf(core, "%s; it goes on without that of step %" PRIu64, text, newest.step);
    asy__trial_drop_behind(core, t, before, newest.attempt);
    return text;
}

/* Or stopped though nobody asked. That is no fault of the trial's, so no number of them ends it. */
static void refused(struct asy_core *core, struct asy__trial *t, enum asy_cause cause,
                    const char *text)
{
    int had_own = asy__newest_checkpoint(t).attempt != 0;

    if (cause == ASY_CAUSE_CHECKPOINT_GONE)
        text = without_checkpoint(core, t, text);
    if (cause == ASY_CAUSE_CHECKPOINT_GONE && t->refusals > 1 && t->parent && !had_own) {
        asy__trial_end(core, t, ASY_TRIAL_FAILED, cause,
                       asy__textf(core, "it cannot start from trial %" PRIu64 ": %s",
                                  t->parent->number, text));
        return;
    }
    if (t->refusals > 1)
        text = asy__textf(core, "refused %" PRIu32 " times in a row, the last time: %s",
                          t->refusals, text);
    asy__trial_queue(core, t, cause == ASY_CAUSE_DISK_FULL || cause == ASY_CAUSE_CHECKPOINT_GONE
                                  ? cause : ASY_CAUSE_BACKOFF, text);
    back_off(core, t, t->refusals);
}

static void lost(struct asy_core *core, struct asy__trial *t, enum asy_cause cause,
                 const char *text)
{
    if (t->losses >= core->config.lost_limit)
        asy__trial_end(core, t, ASY_TRIAL_FAILED, ASY_CAUSE_NO_PROGRESS,
                       asy__textf(core, "no progress: lost %" PRIu32 " times in a row without a "
                                  "newer checkpoint, the last time: %s%s",
                                  t->losses, text, voiding(t->study)));
    else if (t->state != ASY_TRIAL_QUEUED)
        asy__trial_queue(core, t, cause, text);
}

static int broke_off(enum asy_end end)
{
    return end == ASY_END_LOST || end == ASY_END_PREEMPTED || end == ASY_END_CRASHED;
}

/* Leased again from this checkpoint, a program would take a step beyond its milestone. A crash is
 * nothing else than a lost word at a rung; at the whole length it may have cost the model. */
int asy__trial_has_reached(const struct asy__trial *t, enum asy_end end, uint64_t milestone)
{
    if (t->n_checkpoints == 0 || t->checkpoints[t->n_checkpoints - 1].step < milestone ||
        t->last_step < (double)milestone)
        return 0;
    return broke_off(end) && (end != ASY_END_CRASHED || milestone < t->study->spec->length_max);
}

/* A checkpoint at the milestone whose value was lost is of no use: the pruner cannot rank the
 * trial, and from there a program would not report that value any more. It goes on from the one
 * before. */
static void drop_unvalued(struct asy_core *core, struct asy__trial *t, uint64_t milestone)
{
    while (!core->rc && t->last_step < (double)milestone && t->n_checkpoints > 0 &&
           t->checkpoints[t->n_checkpoints - 1].step >= milestone)
        asy__trial_drop_at(core, t, t->checkpoints[t->n_checkpoints - 1].attempt,
                           t->checkpoints[t->n_checkpoints - 1].step);
}

static void follow(struct asy_core *core, struct asy__trial *t, const struct asy_event *ev,
                   uint64_t milestone)
{
    enum asy_end end = ev->ended.end;
    const char *text = asy__str(ev->ended.text);
    uint64_t step = ev->ended.step > t->step ? ev->ended.step : t->step;

    if (broke_off(end))
        drop_unvalued(core, t, milestone);
    if (end == ASY_END_COMPLETE) {
        complete(core, t);
    } else if (end == ASY_END_DIVERGED) {
        asy__trial_end(core, t, ASY_TRIAL_FAILED, ASY_CAUSE_DIVERGED,
                       *text ? text : asy__textf(core, "diverged at step %" PRIu64, step));
    } else if (t->stop != ASY_CAUSE_NONE || t->hit || t->study->state == ASY_STUDY_STOPPING) {
        asy__trial_stopped(core, t);
    } else if (end == ASY_END_PAUSED) {
        paused(core, t, step, milestone);
    } else if (asy__trial_has_reached(t, end, milestone)) {
        paused(core, t, step > milestone ? step : milestone, milestone);
    } else if (end == ASY_END_CRASHED) {
        crashed(core, t, ev->ended.cause, text);
    } else if (end == ASY_END_LOST || end == ASY_END_PREEMPTED) {
        lost(core, t, end == ASY_END_LOST ? ASY_CAUSE_LOST
                      : ev->ended.cause == ASY_CAUSE_DISK_FULL ? ASY_CAUSE_DISK_FULL
                                                               : ASY_CAUSE_PREEMPTED, text);
    } else {
        refused(core, t, ev->ended.cause, text);
    }
}

void asy__attempt_ended(struct asy_core *core, struct asy__trial *t, const struct asy_event *ev)
{
    uint64_t milestone = t->attempt->milestone;
    struct asy__farewell others = asy__parts_note(core, t->attempt, ev);

    asy__emit(core, ev);
    asy__parts_dismiss(core, t, &others, ev);
    if (!core->rc)
        follow(core, t, ev, milestone);
}

void asy__attempt_lost(struct asy_core *core, struct asy__trial *t, enum asy_end end,
                       enum asy_cause cause, const char *text)
{
    struct asy_event ev = asy__event(core, ASY_EV_ENDED, t->study, t);

    ev.ended.end = end;
    ev.ended.cause = cause;
    ev.ended.text = asy__dup(core, text);
    ev.ended.step = t->step;
    ev.ended.objective = NAN;
    asy__attempt_ended(core, t, &ev);
}
