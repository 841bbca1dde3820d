/* SPDX-License-Identifier: Apache-2.0
 * follows.c - whether what is on record follows from what was recorded before it: the same
 * functions that decide live are asked again, before the event is applied.
 *
 * States and values are compared, texts are not: a later version may word them otherwise. */
#include "core_impl.h"
#include <asy/parse.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static int differs(struct asy_error *err, const struct asy__trial *t, const char *stored,
                   const char *replayed)
{
    return asy_fail(err, ASY_E_CORRUPT, "trial %" PRIu64 " %s on record, but from the log follows "
                    "%s", t->number, stored, replayed);
}

static int same(double a, double b)
{
    return isnan(a) ? isnan(b) : a == b;
}

/* Of a trial that has its values from its reports. */
static int follows_value(const struct asy__trial *t, double stored, struct asy_error *err)
{
    double values[ASY_STUDY_OBJECTIVES_MAX + ASY_STUDY_CONSTRAINTS_MAX];
    char got[32], want[32];

    asy__trial_values(t, values);
    if (same(values[0], stored))
        return 0;
    return asy_fail(err, ASY_E_CORRUPT, "trial %" PRIu64 " has the value %s on record, but its "
                    "reports give %s", t->number, asy_format_short(stored, got),
                    asy_format_short(values[0], want));
}

static int follows_stop(const struct asy__trial *t, const struct asy_event *ev,
                        struct asy_error *err)
{
    if (t->stop != ASY_CAUSE_PRUNED)
        return differs(err, t, "was stopped by the pruner", "that it goes on");
    return follows_value(t, ev->trial_state.value, err);
}

/* It stands at the rung to which it was leased, and can be compared there. */
static int follows_pause(const struct asy__trial *t, const struct asy_event *ev,
                         struct asy_error *err)
{
    uint64_t milestone = asy__milestone_of(t);

    if (milestone >= t->study->spec->length_max)
        return differs(err, t, "waits at a rung", "that it runs to its end");
    if (t->last_step < (double)milestone)
        return differs(err, t, "waits at a rung", "that it has not come to one");
    return follows_value(t, ev->trial_state.value, err);
}

/* The pruner is asked as live, and forgets that it was. */
static int follows_promotion(struct asy__trial *t, const struct asy_event *ev,
                             struct asy_error *err)
{
    struct asy_pruner *pruner = t->study->pruner;
    uint64_t number, milestone;
    char text[80];

    if (!asy_pruner_promote(pruner, &number, &milestone) &&
        !asy_pruner_promote_last(pruner, &number, &milestone))
        return differs(err, t, "was promoted", "that none is");
    asy_pruner_unpromote(pruner, number);
    if (number == t->number && milestone == ev->trial_state.step)
        return 0;
    snprintf(text, sizeof text, "that trial %" PRIu64 " is, to step %" PRIu64, number, milestone);
    return differs(err, t, "was promoted", text);
}

static int follows_state(struct asy__trial *t, const struct asy_event *ev,
                         enum asy_decided *ret_what, struct asy_error *err)
{
    enum asy_trial_state to = ev->trial_state.state;
    enum asy_cause cause = ev->trial_state.cause;

    if (to == t->state)
        return 0;
    if (to == ASY_TRIAL_PRUNED && cause == ASY_CAUSE_PRUNED) {
        *ret_what = ASY_DECIDED_STOP;
        return follows_stop(t, ev, err);
    }
    if (to == ASY_TRIAL_PAUSED) {
        *ret_what = ASY_DECIDED_PAUSE;
        return follows_pause(t, ev, err);
    }
    if (to == ASY_TRIAL_QUEUED && t->state == ASY_TRIAL_PAUSED) {
        *ret_what = ASY_DECIDED_PROMOTION;
        return follows_promotion(t, ev, err);
    }
    if (to == ASY_TRIAL_COMPLETE || to == ASY_TRIAL_PRUNED) {
        *ret_what = ASY_DECIDED_VALUE;
        return follows_value(t, ev->trial_state.value, err);
    }
    return 0;
}

static int follows_lease(const struct asy__trial *t, const struct asy_event *ev,
                         struct asy_error *err)
{
    uint64_t milestone = asy__milestone_of(t);

    if (ev->leased.milestone == milestone)
        return 0;
    return asy_fail(err, ASY_E_CORRUPT, "trial %" PRIu64 " was leased to step %" PRIu64
                    " on record, but from the log follows step %" PRIu64, t->number,
                    ev->leased.milestone, milestone);
}

int asy_core_follows(struct asy_core *core, const struct asy_event *event,
                     enum asy_decided *ret_what, struct asy_error *err)
{
    struct asy__study *s = asy__study_get(core, event->study);
    struct asy__trial *t = s && !s->over && s->pruner ? asy__trial_get(s, event->trial) : NULL;

    *ret_what = ASY_DECIDED_NOTHING;
    if (!t)
        return 0;
    if (event->kind == ASY_EV_TRIAL_STATE)
        return follows_state(t, event, ret_what, err);
    if (event->kind != ASY_EV_LEASED)
        return 0;
    *ret_what = ASY_DECIDED_LENGTH;
    return follows_lease(t, event, err);
}
