/* SPDX-License-Identifier: Apache-2.0
 * pace.c - how fast a study's trials get on, as measured, and whether one would still be of use on
 * a worker whose allocation ends.
 *
 * A trial that can be paused is of use once it can checkpoint, which it may at each of its reports
 * (the native engine: after each epoch); any other only at its end. The slowest of late counts:
 * what is measured faster sinks in slowly, since a lease too few costs less than a trial in vain.
 * Times are differences on the clock of the agent that reports, so that what it had to keep back
 * for a while does not seem slow. One gap alone, of a job that was suspended or a file system that
 * hung, counts as at most RISE times what was slowest before: nothing would be leased any more that
 * could show otherwise.
 *
 * A start, up to the first report, comes once in an attempt and may be slow once, as from a cold
 * cache: it counts when it was slow twice. Of the last rounds of starts the second slowest counts;
 * what is told of a start belongs to the slowest of the rounds that were told of since it began,
 * since it may have waited for the same, and makes one of its own if there was none. A single
 * round counts as at most RISE times a gap between reports, and as nothing while no gap is known.
 * An attempt that was preempted before its first report has shown that a start may take as long as
 * it ran: so few are in vain where each start is slow.
 *
 * Soft, but replay measures it again from what attempts said: a job that was requeued would else
 * lease once more what its time is too short for. */
#include "core_impl.h"
#include <math.h>
#include <stdio.h>

#define UNKNOWN_MS 5000  /* least time left for a study that nothing is known of */
#define MARGIN 1.25
#define SINK 8.0         /* one in so many of the way down */
#define RISE 4.0

static void note(double *slowest, double ms)
{
    if (!(ms >= 1))
        ms = 1;
    if (*slowest > 0 && ms > RISE * *slowest)
        ms = RISE * *slowest;
    *slowest = ms > *slowest ? ms : *slowest + (ms - *slowest) / SINK;
}

/* ---- starts ---------------------------------------------------------------------------------- */

/* The slowest round, of those that are kept, that was told of since round number `from`. */
static double *slowest_since(struct asy__pace *pace, uint64_t from)
{
    uint64_t at = pace->n_rounds > ASY__ROUNDS ? pace->n_rounds - ASY__ROUNDS : 0;

    at = from > at ? from : at;
    for (uint64_t i = at + 1; i < pace->n_rounds; i++)
        if (pace->starts_ms[i % ASY__ROUNDS] > pace->starts_ms[at % ASY__ROUNDS])
            at = i;
    return &pace->starts_ms[at % ASY__ROUNDS];
}

static void note_start(struct asy__attempt *a, double ms)
{
    struct asy__pace *pace = &a->trial->study->pace;
    double *round;

    if (!(ms >= 1))
        ms = 1;
    if (a->round < pace->n_rounds) {
        round = slowest_since(pace, a->round);
        *round = ms > *round ? ms : *round;
    } else {
        pace->starts_ms[pace->n_rounds++ % ASY__ROUNDS] = ms;
    }
}

/* The slowest and the second slowest round; 0: there was none. */
static void slowest(const struct asy__pace *pace, double *ret_first, double *ret_second)
{
    *ret_first = *ret_second = 0;
    for (size_t i = 0; i < ASY__ROUNDS && i < pace->n_rounds; i++) {
        double ms = pace->starts_ms[i];

        if (ms > *ret_first) {
            *ret_second = *ret_first;
            *ret_first = ms;
        } else if (ms > *ret_second) {
            *ret_second = ms;
        }
    }
}

/* alone_ms: what a single round counts as at most. */
static double start_ms(const struct asy__pace *pace, double alone_ms)
{
    double first, second;

    slowest(pace, &first, &second);
    return pace->n_rounds > 1 ? second : first < alone_ms ? first : alone_ms;
}

static double believed_ms(const struct asy__pace *pace)
{
    return start_ms(pace, RISE * pace->gap_ms);
}

/* It said nothing in all the time that it had. The log knows of wall time alone, in which there may
 * have been no coordinator: it says no more than others have said. */
static void note_in_vain(struct asy__attempt *a, const struct asy_event *ev)
{
    const struct asy__pace *pace = &a->trial->study->pace;
    double ms = (double)(ev->wall_us - a->started_us) / 1e3, first, second;

    slowest(pace, &first, &second);
    ms = ms < first ? ms : first;
    if (ms > believed_ms(pace))
        note_start(a, ms);
}

/* ---- what attempts say ----------------------------------------------------------------------- */

static double told_ms(const struct asy_event *ev, int64_t reporter_wall_us)
{
    return (double)(reporter_wall_us ? reporter_wall_us : ev->wall_us) / 1e3;
}

/* The log knows of wall time alone, and nobody knows more of what began before a restart. As it may
 * have ended while there was no coordinator, its end counts as no later than a start and a gap
 * after the last report. */
static double whole_ms(const struct asy_core *core, const struct asy__attempt *a,
                       const struct asy_event *ev)
{
    const struct asy__pace *pace = &a->trial->study->pace;
    double ms = (double)(ev->wall_us - a->started_us) / 1e3, most;

    if (a->started_core_ms)
        return (double)(core->now_ms - a->started_core_ms);
    most = a->said_ms - a->started_ms + start_ms(pace, INFINITY) + pace->gap_ms;
    return a->said_step >= 0 && most < ms ? most : ms;
}

static void reported(struct asy__attempt *a, double at_ms, double step)
{
    struct asy__pace *pace = &a->trial->study->pace;

    if (a->said_step < 0) {
        a->first_ms = at_ms - a->started_ms;
        note_start(a, a->first_ms);
    } else if (step > a->said_step && at_ms > a->said_ms) {
        note(&pace->gap_ms, at_ms - a->said_ms);
        note(&pace->step_ms, (at_ms - a->said_ms) / (step - a->said_step));
    } else {
        return;
    }
    a->said_step = step;
    a->said_ms = at_ms;
}

/* One that has reported nothing is all start. */
static void completed(const struct asy_core *core, struct asy__attempt *a,
                      const struct asy_event *ev)
{
    double ms = whole_ms(core, a, ev);

    if (a->said_step < 0)
        note_start(a, ms);
    note(&a->trial->study->pace.rest_ms, a->said_step < 0 ? 0 : ms - a->first_ms);
}

void asy__pace_note(const struct asy_core *core, struct asy__attempt *a,
                    const struct asy_event *ev)
{
    switch (ev->kind) {
    case ASY_EV_STARTED:
        a->started_ms = told_ms(ev, ev->started.reporter_wall_us);
        a->started_us = ev->wall_us;
        a->started_core_ms = core->started ? core->now_ms : 0;
        a->said_step = -1;
        a->round = a->trial->study->pace.n_rounds;
        break;
    case ASY_EV_REPORT:
        if (a->started_us)
            reported(a, told_ms(ev, ev->report.reporter_wall_us), (double)ev->report.step);
        break;
    case ASY_EV_ENDED:
        if (ev->ended.end == ASY_END_COMPLETE && a->started_us)
            completed(core, a, ev);
        else if (ev->ended.end == ASY_END_PREEMPTED && a->started_us && a->said_step < 0)
            note_in_vain(a, ev);
        break;
    default:
        break;
    }
}

/* ---- what follows ---------------------------------------------------------------------------- */

/* 0: nothing was measured that tells. */
static double measured(const struct asy__study *s)
{
    const struct asy__pace *pace = &s->pace;
    double start = believed_ms(pace);

    if (!(start > 0))
        return 0;
    if (s->spec->checkpoint)
        return start + (pace->gap_ms > 0 ? pace->gap_ms : start);
    if (pace->rest_ms > 0)
        return start + pace->rest_ms;
    if (pace->step_ms > 0 && s->spec->length_max != UINT64_MAX)
        return start + (double)s->spec->length_max * pace->step_ms;
    return 0;
}

int64_t asy__pace_need_ms(const struct asy__study *s)
{
    double ms = measured(s) * MARGIN;

    if (!(ms > 0))
        return UNKNOWN_MS;
    return ms < 1e15 ? (int64_t)ms + 1 : (int64_t)1e15;
}

int64_t asy__pace_length_ms(const struct asy__study *s, uint64_t steps)
{
    const struct asy__pace *pace = &s->pace;
    double start = start_ms(pace, INFINITY), ms = 0;

    if (pace->step_ms > 0 && steps != UINT64_MAX)
        ms = start + (double)steps * pace->step_ms;
    else if (pace->rest_ms > 0)
        ms = start + pace->rest_ms;
    return ms < 1e15 ? (int64_t)ms : (int64_t)1e15;
}

int64_t asy__worker_left_ms(const struct asy_core *core, const struct asy__worker *w)
{
    return w->walltime_ms == ASY__NEVER ? ASY__NEVER : w->walltime_ms - core->now_ms;
}

int asy__worker_in_time(const struct asy_core *core, const struct asy__worker *w,
                        const struct asy__study *s)
{
    return asy__worker_left_ms(core, w) >= asy__pace_need_ms(s);
}

void asy__pace_text(const struct asy__study *s, char *text, size_t n)
{
    double seconds = (double)asy__pace_need_ms(s) / 1e3;

    snprintf(text, n, "%.*f s %s", seconds < 100, seconds,
             !(measured(s) > 0)     ? "at least, as its pace is not known yet"
             : s->spec->checkpoint ? "to its first checkpoint, by the last trials' pace"
                                   : "to its end, by the last trials' pace");
}
