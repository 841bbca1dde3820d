/* SPDX-License-Identifier: Apache-2.0
 * refused.c - studies of the store whose file this build refuses: another one accepted it.
 *
 * Such a study must not keep the coordinator from starting. Neither its space nor its pruner can be
 * made, so replay follows but which of its trials and attempts are open; after that they end and
 * the study fails, with the reason. All of it happens in the first step, in one commit: nobody sees
 * such a study live. (To leave it paused was rejected: every part that looks at live studies would
 * have to do without a spec.) Where only a later change is refused, the study keeps the spec before
 * it, is stopped in the first step, and fails when its attempts have ended. */
#include "core_impl.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct left {
    enum asy_trial_state state;
    uint32_t attempt; /* the open one; 0: none */
    double value;     /* of the last state */
    uint64_t step;
};
struct asy__refused {
    struct left *trials; /* [n] by number */
    uint64_t n, cap;
    char why[sizeof((struct asy_error *)0)->text];
};

void asy__refused_destroy(struct asy__refused *refused)
{
    if (!refused)
        return;
    free(refused->trials);
    free(refused);
}

static int is_refusal(int rc)
{
    return rc == ASY_E_INVAL || rc == ASY_E_FORMAT || rc == ASY_E_TOOBIG;
}

int asy__study_refuse(const struct asy_core *core, struct asy__study *s, int rc,
                      const struct asy_error *why, struct asy_error *err)
{
    if (core->started || s->n_trials > 0 || !is_refusal(rc))
        return asy_fail(err, (enum asy_code)rc, "%s", why->text);
    if (!(s->refused = calloc(1, sizeof *s->refused)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for study '%s'", s->name);
    snprintf(s->refused->why, sizeof s->refused->why, "%s", why->text);
    return 0;
}

static int created(struct asy__refused *r, const struct asy_event *ev)
{
    uint64_t cap = r->cap ? 2 * r->cap : 64;
    struct left *grown;

    if (ev->trial != r->n)
        return ASY_E_CORRUPT;
    if (r->n == r->cap) {
        if (!(grown = reallocarray(r->trials, cap, sizeof *grown)))
            return ASY_E_NOMEM;
        r->trials = grown;
        r->cap = cap;
    }
    r->trials[r->n++] = (struct left){ .state = ASY_TRIAL_QUEUED, .value = NAN };
    return 0;
}

static void follow(struct left *t, const struct asy_event *ev)
{
    if (ev->kind == ASY_EV_TRIAL_STATE) {
        t->state = ev->trial_state.state;
        t->value = ev->trial_state.value;
        t->step = ev->trial_state.step;
    } else if (ev->kind == ASY_EV_LEASED) {
        t->attempt = ev->attempt;
    } else if (ev->kind == ASY_EV_ENDED && ev->attempt == t->attempt) {
        t->attempt = 0;
    }
}

int asy__refused_apply(struct asy__study *s, const struct asy_event *ev, struct asy_error *err)
{
    struct asy__refused *r = s->refused;
    int rc = 0;

    if (ev->kind == ASY_EV_TRIAL_CREATED)
        rc = created(r, ev);
    else if (ev->trial < r->n)
        follow(&r->trials[ev->trial], ev);
    else if (ev->trial != ASY__NO_TRIAL)
        rc = ASY_E_CORRUPT;
    if (rc)
        return asy_fail(err, (enum asy_code)rc, "event '%s' of trial %llu of study '%s' cannot be "
                        "applied", asy_event_kind_name(ev->kind), (unsigned long long)ev->trial,
                        s->name);
    return 0;
}

int asy__refused_change(const struct asy_core *core, struct asy__study *s, const char *spec_text,
                        struct asy_error *err)
{
    struct asy_error why = ASY_ERROR_INIT;
    struct asy_study_spec *spec = NULL;
    struct asy_pruner *pruner = NULL;
    struct asy_buf problems;
    int rc;

    if (core->started || s->n_trials == 0)
        return 0;
    asy_buf_init(&problems, 64 << 10);
    rc = asy_study_parse(spec_text, strlen(spec_text), s->name, NULL, &spec, &problems, &why);
    asy_buf_fini(&problems);
    if (rc == 0)
        rc = asy__pruner_for(spec, &pruner, &why);
    asy_pruner_destroy(pruner);
    asy_study_destroy(spec);
    if (rc && !is_refusal(rc))
        return asy_fail(err, (enum asy_code)rc, "%s", why.text);
    free(s->refused_change); /* of an earlier change, which this one replaces */
    s->refused_change = NULL;
    if (rc == 0)
        return 0;
    asy_error_prefix(&why, "study '%s'", s->name);
    if (!(s->refused_change = strdup(why.text)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for study '%s'", s->name);
    return 1;
}

/* ---- the end --------------------------------------------------------------------------------- */

static struct asy_event event_of(const struct asy_core *core, const struct asy__study *s,
                                 enum asy_event_kind kind, uint64_t trial)
{
    struct asy_event ev = asy__event(core, kind, s, NULL);

    ev.trial = trial;
    ev.attempt = s->refused->trials[trial].attempt;
    return ev;
}

static void end_trial(struct asy_core *core, struct asy__study *s, uint64_t number)
{
    const struct left *t = &s->refused->trials[number];
    int waits = t->state == ASY_TRIAL_PAUSED;
    struct asy_event ev;

    if (t->attempt) {
        ev = event_of(core, s, ASY_EV_ENDED, number);
        ev.ended.end = ASY_END_LOST;
        ev.ended.cause = ASY_CAUSE_STUDY_ENDED;
        ev.ended.text = asy__dup(core, s->refused->why);
        ev.ended.step = t->step;
        ev.ended.objective = NAN;
        asy__emit(core, &ev);
    }
    ev = event_of(core, s, ASY_EV_TRIAL_STATE, number);
    ev.trial_state.state = waits ? ASY_TRIAL_PRUNED : ASY_TRIAL_CANCELLED;
    ev.trial_state.cause = ASY_CAUSE_STUDY_ENDED;
    ev.trial_state.text = asy__dup(core, s->refused->why);
    ev.trial_state.value = waits ? t->value : (double)NAN;
    ev.trial_state.step = t->step;
    asy__emit(core, &ev);
}

void asy__refused_end(struct asy_core *core, struct asy__study *s)
{
    const char *why;

    if (s->refused_change && s->state != ASY_STUDY_STOPPING)
        asy__study_stop(core, s, ASY_CAUSE_REFUSED, asy__dup(core, s->refused_change));
    if (!s->refused)
        return;
    why = asy__dup(core, s->refused->why); /* it outlives what the study has */
    for (uint64_t i = 0; i < s->refused->n && !core->rc; i++)
        if (!asy_trial_state_ended(s->refused->trials[i].state))
            end_trial(core, s, i);
    if (!core->rc && s->state != ASY_STUDY_STOPPING)
        asy__study_state(core, s, ASY_STUDY_STOPPING, ASY_CAUSE_REFUSED, why);
    if (!core->rc)
        asy__study_state(core, s, ASY_STUDY_FAILED, ASY_CAUSE_REFUSED, why);
}
