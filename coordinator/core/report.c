/* SPDX-License-Identifier: Apache-2.0
 * report.c - what attempts report: each number once and in order, acknowledged when durable.
 *
 * One ACK answers each REPORTS frame with the watermark of every attempt in it, whether the reports
 * were new, known already or ahead of a gap. */
#include "core_impl.h"
#include <math.h>
#include <string.h>

#define METRICS_MAX 4096

static int malformed(const struct asy_event *ev)
{
    switch (ev->kind) {
    case ASY_EV_STARTED:
    case ASY_EV_CHECKPOINT:
        return 0;
    case ASY_EV_REPORT:
        if (ev->report.n_metrics > METRICS_MAX)
            return 1;
        for (size_t i = 0; i < ev->report.n_metrics; i++)
            if (!ev->report.metrics[i].name)
                return 1;
        return 0;
    case ASY_EV_ENDED:
        return ev->ended.end < ASY_END_COMPLETE || ev->ended.end > ASY_END_REFUSED;
    default:
        return 1;
    }
}

static void set_number(struct asy_event *ev, uint32_t attempt, uint64_t number)
{
    switch (ev->kind) {
    case ASY_EV_STARTED:
        ev->started.report = number;
        break;
    case ASY_EV_REPORT:
        ev->report.report = number;
        break;
    case ASY_EV_CHECKPOINT:
        ev->checkpoint.report = number;
        ev->checkpoint.checkpoint.attempt = attempt;
        break;
    default:
        ev->ended.report = number;
        if (ev->ended.end == ASY_END_LOST) /* nobody can say that of itself */
            ev->ended.end = ASY_END_PREEMPTED;
    }
}

/* Everything but a failed start means that it runs, even where STARTED did not say so. */
static int means_running(const struct asy_event *ev)
{
    if (ev->kind == ASY_EV_STARTED)
        return 0;
    return ev->kind != ASY_EV_ENDED ||
           (ev->ended.end != ASY_END_CRASHED && ev->ended.end != ASY_END_PREEMPTED &&
            ev->ended.end != ASY_END_REFUSED);
}

static void now_running(struct asy_core *core, struct asy__trial *t)
{
    struct asy_event ev = asy__event(core, ASY_EV_TRIAL_STATE, t->study, t);

    ev.trial_state.state = ASY_TRIAL_RUNNING;
    ev.trial_state.text = "";
    ev.trial_state.value = NAN;
    ev.trial_state.step = t->step;
    asy__emit(core, &ev);
}

/* The report makes no sense: the attempt is over as crashed, and its process is to be killed. */
static void broken(struct asy_core *core, struct asy__session *session, struct asy__attempt *a,
                   uint64_t number)
{
    struct asy_event ev = asy__event(core, ASY_EV_ENDED, a->trial->study, a->trial);
    struct asy_msg *msg;

    ev.ended.report = number;
    ev.ended.end = ASY_END_CRASHED;
    ev.ended.cause = ASY_CAUSE_PROTOCOL;
    ev.ended.text = asy__textf(core, "report %llu makes no sense", (unsigned long long)number);
    ev.ended.step = a->trial->step;
    ev.ended.objective = NAN;
    if ((msg = asy__send(core, session, ASY_MSG_CANCEL, 1))) {
        msg->cancel.study = a->trial->study->id;
        msg->cancel.trial = a->trial->number;
        msg->cancel.attempt = a->number;
        msg->cancel.epoch = a->epoch;
        msg->cancel.mode = ASY_CANCEL_KILL;
        msg->cancel.cause = ASY_CAUSE_PROTOCOL;
        msg->cancel.text = ev.ended.text;
    }
    asy__attempt_ended(core, a->trial, &ev);
}

static void take(struct asy_core *core, struct asy__session *session, struct asy__attempt *a,
                 const struct asy_report *r)
{
    struct asy__trial *t = a->trial;
    struct asy__study *s = t->study;
    struct asy_event ev;

    if (malformed(&r->event)) {
        broken(core, session, a, r->number);
        return;
    }
    if (asy_event_copy(&r->event, core->arena, &ev, NULL)) {
        core->rc = ASY_E_NOMEM;
        return;
    }
    ev.seq = 0;
    ev.wall_us = core->wall_us;
    ev.study = t->study->id;
    ev.trial = t->number;
    ev.attempt = a->number;
    set_number(&ev, a->number, r->number);
    asy__pace_note(core, a, &ev);
    if (t->state != ASY_TRIAL_RUNNING && means_running(&ev))
        now_running(core, t);
    if (ev.kind == ASY_EV_ENDED) {
        asy__attempt_ended(core, t, &ev);
        asy__study_fit_quota(core, s);
        return;
    }
    if (ev.kind == ASY_EV_CHECKPOINT)
        asy__trial_drop_at(core, t, a->number, ev.checkpoint.checkpoint.step);
    asy__emit(core, &ev);
    if (ev.kind == ASY_EV_CHECKPOINT) {
        asy__trial_drop_checkpoints(core, t, core->config.checkpoints_kept);
        asy__study_fit_quota(core, s);
    }
    if (t->stop != ASY_CAUSE_NONE)
        asy__attempt_sync(core, a);
}

/* Kept on record, but counts for nothing. */
static void supersede(struct asy_core *core, const struct asy_report *r)
{
    struct asy__study *s = asy__study_get(core, r->study);
    struct asy__trial *t = s && !s->over ? asy__trial_get(s, r->trial) : NULL;
    struct asy__fenced *f = t ? asy__trial_fenced(t, r->attempt) : NULL;
    struct asy_event ev;

    if (!f || r->number <= f->upto || malformed(&r->event))
        return;
    ev = asy__event(core, ASY_EV_SUPERSEDED, s, t);
    ev.attempt = r->attempt;
    ev.superseded.report = r->number;
    ev.superseded.was = r->event.kind;
    ev.superseded.text = "";
    if (r->event.kind == ASY_EV_REPORT)
        ev.superseded.step = r->event.report.step;
    else if (r->event.kind == ASY_EV_CHECKPOINT)
        ev.superseded.step = r->event.checkpoint.checkpoint.step;
    else if (r->event.kind == ASY_EV_ENDED)
        ev.superseded.text = asy_end_name(r->event.ended.end);
    asy__emit(core, &ev);
}

static struct asy_watermark one(struct asy_core *core, struct asy__session *session,
                                const struct asy_report *r)
{
    struct asy_watermark mark = { r->study, r->trial, r->attempt, 0, 0 };
    struct asy__worker *w = session->worker;
    struct asy__part *part = NULL;
    struct asy__attempt *a =
        asy__attempt_find(core, w, r->study, r->trial, r->attempt, r->epoch, &part);

    if (a && !a->orphan && asy__part_leads(part) && r->number == a->applied + 1) {
        take(core, session, a, r);
        a = asy__attempt_find(core, w, r->study, r->trial, r->attempt, r->epoch, NULL);
        mark.durable = r->number;
    } else if (!a) {
        supersede(core, r);
        mark.durable = r->number;
    } else {
        mark.durable = a->applied;
    }
    mark.closed = !a;
    return mark;
}

void asy__reports(struct asy_core *core, struct asy__session *session, const struct asy_msg *msg)
{
    size_t n = msg->reports.n_reports, n_marks = 0;
    struct asy_watermark *marks;
    struct asy_msg *ack;

    if (n == 0 || !(marks = asy__alloc(core, n * sizeof *marks)))
        return;
    for (size_t i = 0; i < n && !core->rc; i++) {
        const struct asy_report *r = &msg->reports.reports[i];
        struct asy_watermark mark = one(core, session, r), *last = &marks[n_marks];

        if (n_marks > 0 && last[-1].attempt == mark.attempt && last[-1].trial == mark.trial &&
            asy_id_cmp(last[-1].study, mark.study) == 0)
            last[-1] = mark;
        else
            marks[n_marks++] = mark;
    }
    ack = asy__send(core, session, ASY_MSG_ACK, ASY_MUTANT != 1);
    if (!ack)
        return;
    ack->ack.marks = marks;
    ack->ack.n_marks = n_marks;
}
