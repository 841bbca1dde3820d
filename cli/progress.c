/* SPDX-License-Identifier: Apache-2.0
 * progress.c - see progress.h. */
#include "progress.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/parse.h>
#include "format.h"
#include "tables.h"

#define TRIALS_MAX (UINT64_C(1) << 32) /* the store's own limit */
#define PACE_TRIALS 3 /* fewer say nothing about the rest */
#define PACE_MS 1000

static enum asy_trial_state trial_state(const struct asy_json *node)
{
    const char *name = asy_json_str(node, "");

    for (int i = ASY_TRIAL_QUEUED; i <= ASY_TRIAL_CANCELLED; i++)
        if (!strcmp(name, asy_trial_state_name((enum asy_trial_state)i)))
            return (enum asy_trial_state)i;
    return 0;
}

static enum asy_study_state study_state(const struct asy_json *node, enum asy_study_state fallback)
{
    const char *name = asy_json_str(node, "");

    for (int i = ASY_STUDY_RUNNING; i <= ASY_STUDY_FAILED; i++)
        if (!strcmp(name, asy_study_state_name((enum asy_study_state)i)))
            return (enum asy_study_state)i;
    return fallback;
}

/* Beyond 2^63 an integer travels as a string: there it means "no limit". */
static uint64_t number(const struct asy_json *node, uint64_t fallback)
{
    if (node && asy_json_type(node) == ASY_JSON_STRING)
        return UINT64_MAX;
    return (uint64_t)asy_json_i64(node, (int64_t)fallback);
}

static int64_t duration(const struct asy_json *node)
{
    const char *text = asy_json_str(node, "");
    int64_t ms = 0;

    if (!*text)
        return 1000 * asy_json_i64(node, 0);
    return asy_parse_duration(text, strlen(text), &ms, NULL) == 0 ? ms : 0;
}

static void read_spec(struct asy__progress *p, const struct asy_json *spec)
{
    const struct asy_json *objective = asy_json_get(spec, "objective");
    const struct asy_json *run = asy_json_get(spec, "run");
    const struct asy_json *length = asy_json_get(run, "length");
    const struct asy_json *budget = asy_json_get(spec, "budget");
    const struct asy_json *time = asy_json_get(budget, "time");

    if (asy_json_type(objective) == ASY_JSON_ARRAY)
        objective = asy_json_at(objective, 0);
    snprintf(p->metric, sizeof p->metric, "%s",
             asy_json_str(asy_json_get(objective, "metric"), "value"));
    snprintf(p->unit, sizeof p->unit, "%s", asy_json_str(asy_json_get(length, "unit"), "steps"));
    p->maximize = !strcmp(asy_json_str(asy_json_get(objective, "goal"), ""), "maximize");
    p->takes_best = !strcmp(asy_json_str(asy_json_get(objective, "take"), "best"), "best");
    p->takes_mean = !strcmp(asy_json_str(asy_json_get(objective, "take"), "best"), "mean");
    p->checkpoints = asy_json_get(run, "model") || asy_json_get(run, "plugin") ||
                     asy_json_bool(asy_json_get(run, "checkpoint"), 0);
    p->length_max = number(asy_json_get(length, "max"), 0);
    p->max_trials = number(asy_json_get(budget, "trials"), 0);
    p->max_time_ms = duration(time);
}

int asy__progress_init(struct asy__progress *p, const struct asy_json *study, struct asy_error *err)
{
    *p = (struct asy__progress){ .best_trial = -1, .rate = NAN };
    if (!asy_json_get(study, "spec"))
        return asy_fail(err, ASY_E_FORMAT, "the answer about the study has no specification");
    snprintf(p->name, sizeof p->name, "%s", asy_json_str(asy_json_get(study, "name"), ""));
    snprintf(p->text, sizeof p->text, "%s", asy_json_str(asy_json_get(study, "text"), ""));
    p->state = study_state(asy_json_get(study, "state"), ASY_STUDY_RUNNING);
    p->created_us = asy_json_i64(asy_json_get(study, "created_us"), 0);
    p->seq = number(asy_json_get(study, "last_seq"), 0);
    read_spec(p, asy_json_get(study, "spec"));
    return 0;
}

void asy__progress_fini(struct asy__progress *p)
{
    for (size_t i = 0; i < p->n; i++)
        free(p->trials[i].params);
    free(p->trials);
    *p = (struct asy__progress){ .best_trial = -1, .rate = NAN };
}

/* ---- trials -------------------------------------------------------------------------------- */

static struct asy__seen *trial_at(struct asy__progress *p, uint64_t at, struct asy_error *err)
{
    size_t cap = p->cap ? p->cap : 64;
    struct asy__seen *grown;

    if (at >= TRIALS_MAX) {
        ASY_IGNORE(asy_fail(err, ASY_E_FORMAT, "an event is about no trial"));
        return NULL;
    }
    while (cap <= at)
        cap *= 2;
    if (cap > p->cap) {
        if (!(grown = reallocarray(p->trials, cap, sizeof *grown))) {
            ASY_IGNORE(asy_fail(err, ASY_E_NOMEM, "no memory for %zu trials", cap));
            return NULL;
        }
        p->trials = grown;
        p->cap = cap;
    }
    for (; p->n <= at; p->n++)
        p->trials[p->n] = (struct asy__seen){ .value = NAN, .rate = NAN };
    return &p->trials[at];
}

static void set_state(struct asy__progress *p, struct asy__seen *t, enum asy_trial_state state)
{
    if (t->state)
        p->counts[t->state]--;
    t->state = state;
    if (state)
        p->counts[state]++;
}

static int set_params(struct asy__seen *t, const struct asy_json *params, struct asy_error *err)
{
    struct asy_buf text = { 0 };

    if (t->params)
        return 0;
    asy_buf_init(&text, 1u << 20);
    asy__fmt_params(&text, params);
    if (!(t->params = asy_buf_take(&text, NULL)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a trial's parameters");
    return 0;
}

static int is_better(const struct asy__progress *p, double a, double b)
{
    return !isnan(a) && (isnan(b) || (p->maximize ? a > b : a < b));
}

static void find_best(struct asy__progress *p)
{
    p->best_trial = -1;
    for (size_t i = 0; i < p->n; i++)
        if (!p->trials[i].outside &&
            is_better(p, p->trials[i].value,
                      p->best_trial < 0 ? NAN : p->trials[p->best_trial].value))
            p->best_trial = (int64_t)i;
}

static void set_value(struct asy__progress *p, uint64_t at, double value, uint64_t step)
{
    struct asy__seen *t = &p->trials[at];
    double before = p->best_trial < 0 ? NAN : p->trials[p->best_trial].value;
    int worse = is_better(p, t->value, value) || (isnan(value) && !isnan(t->value));

    t->value = value;
    t->value_step = step;
    if (worse && p->best_trial == (int64_t)at)
        find_best(p);
    else if (!t->outside && is_better(p, value, before))
        p->best_trial = (int64_t)at;
}

static void set_outcome(struct asy__progress *p, uint64_t at, const struct asy_json *outcome)
{
    if (!asy__outside_constraints(outcome))
        return;
    p->trials[at].outside = 1;
    if (p->best_trial == (int64_t)at)
        find_best(p);
}

static int one_row(struct asy__progress *p, const struct asy_json *row, struct asy_error *err)
{
    uint64_t at = number(asy_json_get(row, "number"), UINT64_MAX);
    struct asy__seen *t = trial_at(p, at, err);
    const struct asy_json *value = asy_json_get(row, "value");
    enum asy_trial_state state = trial_state(asy_json_get(row, "state"));

    if (!t)
        return (int)(err ? err->code : ASY_E_FORMAT);
    set_state(p, t, state);
    t->step = number(asy_json_get(row, "step"), 0);
    t->attempt = (uint32_t)asy_json_i64(asy_json_get(row, "attempts"), 0);
    t->from = t->attempt > 1 ? ASY__FROM_UNKNOWN : 0; /* its lease would have said */
    set_outcome(p, at, asy_json_get(row, "outcome"));
    if (state != ASY_TRIAL_FAILED && asy_json_type(value) != ASY_JSON_NULL)
        set_value(p, at, asy_json_f64(value, NAN), t->step);
    return set_params(t, asy_json_get(row, "params"), err);
}

int asy__progress_trials(struct asy__progress *p, const struct asy_json *trials,
                         struct asy_error *err)
{
    const struct asy_json *list = asy_json_get(trials, "trials"), *row;
    int rc = 0;

    for (size_t i = 0; rc == 0 && (row = asy_json_at(list, i)); i++)
        rc = one_row(p, row, err);
    return rc;
}

/* ---- events -------------------------------------------------------------------------------- */

/* Makes the mean of what came before and this value; 0: of how many that is the mean is unknown. */
static int next_mean(struct asy__seen *t, double *value)
{
    if (t->mean_of == 0 && !isnan(t->value))
        return 0;
    t->mean_of++;
    if (t->mean_of > 1)
        *value = t->value + (*value - t->value) / (double)t->mean_of;
    return 1;
}

static void on_report(struct asy__progress *p, uint64_t at, const struct asy_json *event)
{
    const struct asy_json *list = asy_json_get(event, "metrics"), *metric;
    struct asy__seen *t = &p->trials[at];
    uint64_t step = number(asy_json_get(event, "step"), t->step);

    t->step = step;
    for (size_t i = 0; (metric = asy_json_at(list, i)); i++) {
        const char *name = asy_json_str(asy_json_get(metric, "name"), "");
        double value = asy_json_f64(asy_json_get(metric, "value"), NAN);

        if (!strcmp(name, "samples_per_s"))
            t->rate = p->rate = value;
        if (!strcmp(name, p->metric) && p->takes_mean && !next_mean(t, &value))
            continue; /* what the trial ends with says it */
        if (!strcmp(name, p->metric) && !isnan(value) &&
            (!p->takes_best || is_better(p, value, t->value)))
            set_value(p, at, value, step);
    }
}

static void on_state(struct asy__progress *p, uint64_t at, const struct asy_json *event)
{
    struct asy__seen *t = &p->trials[at];
    const struct asy_json *value = asy_json_get(event, "value");
    enum asy_trial_state state = trial_state(asy_json_get(event, "state"));
    double number_now = asy_json_f64(value, NAN);

    if (!state)
        return;
    set_state(p, t, state);
    if (number(asy_json_get(event, "step"), 0))
        t->step = number(asy_json_get(event, "step"), 0);
    if (state == ASY_TRIAL_COMPLETE)
        set_outcome(p, at, asy_json_get(event, "outcome"));
    if (state == ASY_TRIAL_FAILED)
        set_value(p, at, NAN, t->step);
    else if ((asy_trial_state_ended(state) || state == ASY_TRIAL_PAUSED) && !isnan(number_now) &&
             number_now != t->value)
        set_value(p, at, number_now, number(asy_json_get(event, "step"), t->step));
}

static void on_leased(struct asy__progress *p, uint64_t at, const struct asy_json *event)
{
    struct asy__seen *t = &p->trials[at];
    const struct asy_json *from = asy_json_get(event, "from");

    set_state(p, t, ASY_TRIAL_LEASED);
    t->attempt = (uint32_t)asy_json_i64(asy_json_get(event, "attempt"), t->attempt);
    t->from = number(asy_json_get(from, "attempt"), 0) ? number(asy_json_get(from, "step"), 0) : 0;
    if (t->from < t->value_step)
        set_value(p, at, NAN, 0); /* what it had is undone, and comes again */
    t->step = t->from;
    t->until = number(asy_json_get(event, "milestone"), 0);
}

static int on_trial(struct asy__progress *p, uint64_t at, const char *kind,
                    const struct asy_json *event, struct asy_error *err)
{
    struct asy__seen *t = trial_at(p, at, err);

    if (!t)
        return (int)(err ? err->code : ASY_E_FORMAT);
    if (!strcmp(kind, "trial-created")) {
        if (!t->state)
            set_state(p, t, ASY_TRIAL_QUEUED);
        return set_params(t, asy_json_get(event, "params"), err);
    }
    if (asy_trial_state_ended(t->state) || !t->state)
        return 0; /* nothing that comes later moves it */
    if (!strcmp(kind, "leased"))
        on_leased(p, at, event);
    else if (!strcmp(kind, "started"))
        set_state(p, t, ASY_TRIAL_RUNNING);
    else if (!strcmp(kind, "report"))
        on_report(p, at, event);
    else if (!strcmp(kind, "trial-state"))
        on_state(p, at, event);
    return 0;
}

int asy__progress_event(struct asy__progress *p, const struct asy_json *event,
                        struct asy_error *err)
{
    const char *kind = asy_json_str(asy_json_get(event, "kind"), "");
    const struct asy_json *trial = asy_json_get(event, "trial");
    int rc = 0;

    if (trial) {
        rc = on_trial(p, number(trial, UINT64_MAX), kind, event, err);
    } else if (!strcmp(kind, "study-state")) {
        p->state = study_state(asy_json_get(event, "state"), p->state);
        snprintf(p->text, sizeof p->text, "%s", asy_json_str(asy_json_get(event, "text"), ""));
    } else if (!strcmp(kind, "study-changed")) {
        read_spec(p, asy_json_get(event, "spec"));
    }
    if (rc == 0)
        p->seq = number(asy_json_get(event, "seq"), p->seq);
    return rc;
}

/* ---- what follows from it ------------------------------------------------------------------ */

uint64_t asy__progress_done(const struct asy__progress *p)
{
    return p->counts[ASY_TRIAL_PAUSED] + p->counts[ASY_TRIAL_COMPLETE] +
           p->counts[ASY_TRIAL_PRUNED] + p->counts[ASY_TRIAL_FAILED] +
           p->counts[ASY_TRIAL_CANCELLED];
}

void asy__progress_drained(struct asy__progress *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->trials[i].state == ASY_TRIAL_RUNNING || p->trials[i].state == ASY_TRIAL_LEASED)
            set_state(p, &p->trials[i], ASY_TRIAL_QUEUED);
}

int asy__progress_over(const struct asy__progress *p)
{
    return p->state == ASY_STUDY_FINISHED || p->state == ASY_STUDY_STOPPED ||
           p->state == ASY_STUDY_FAILED;
}

/* A running trial that has not reported counts as the mean of those that have; where none of them
 * has, as the last that anyone said. */
double asy__progress_rate(const struct asy__progress *p)
{
    double sum = 0;
    size_t known = 0, running = 0;

    for (size_t i = 0; i < p->n; i++) {
        const struct asy__seen *t = &p->trials[i];

        if (t->state != ASY_TRIAL_RUNNING && t->state != ASY_TRIAL_LEASED)
            continue;
        running++;
        if (!isnan(t->rate)) {
            sum += t->rate;
            known++;
        }
    }
    return !running ? NAN : (known ? sum / (double)known : p->rate) * (double)running;
}

int64_t asy__progress_left_ms(const struct asy__progress *p, uint64_t done_then, int64_t elapsed_ms,
                              int64_t age_ms, int *ret_at_most)
{
    uint64_t done = asy__progress_done(p);
    int64_t left_ms = -1, budget_ms;

    if (p->max_trials && p->max_trials != UINT64_MAX && done < p->max_trials &&
        done >= done_then + PACE_TRIALS && elapsed_ms >= PACE_MS)
        left_ms = (int64_t)((double)elapsed_ms / (double)(done - done_then) *
                            (double)(p->max_trials - done));
    *ret_at_most = left_ms < 0;
    if (p->max_time_ms > 0 && age_ms >= 0) {
        budget_ms = age_ms < p->max_time_ms ? p->max_time_ms - age_ms : 0;
        left_ms = left_ms < 0 || budget_ms < left_ms ? budget_ms : left_ms;
    }
    return left_ms;
}
