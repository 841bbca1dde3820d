/* SPDX-License-Identifier: Apache-2.0
 * project.c - rows from events. Plain structs, no engine in it. */
#include "project.h"
#include <math.h>
#include <string.h>
#include "store_impl.h"

int asy__study_over(enum asy_study_state state)
{
    return state >= ASY_STUDY_FINISHED;
}

int asy__goal_of_spec(const char *spec)
{
    struct asy_json *root = NULL;
    const struct asy_json *objective;
    int maximize;

    if (!spec || asy_json_parse(spec, strlen(spec), &root, NULL))
        return 0;
    objective = asy_json_get(root, "objective");
    if (objective && asy_json_type(objective) == ASY_JSON_ARRAY)
        objective = asy_json_at(objective, 0);
    maximize = !strcmp(asy_json_str(asy_json_get(objective, "goal"), ""), "maximize");
    asy_json_destroy(root);
    return maximize;
}

void asy__study_init(struct asy__study *study, const struct asy_event *event)
{
    *study = (struct asy__study){
        .state = ASY_STUDY_RUNNING, .text = "", .created_us = event->wall_us, .best = NAN,
        .best_trial = -1, .maximize = asy__goal_of_spec(event->study_created.spec),
    };
}

unsigned asy__study_apply(struct asy__study *study, const struct asy_event *event)
{
    if (event->kind != ASY_EV_STUDY_STATE)
        return ASY__SAME;
    if (event->study_state.state == study->state &&
        (event->study_state.cause == ASY_CAUSE_EXHAUSTED ||
         event->study_state.cause == ASY_CAUSE_SAMPLER_FAILED))
        return ASY__SAME; /* a note for the sampler, no news for who reads */
    study->state = event->study_state.state;
    study->cause = event->study_state.cause;
    study->text = asy__text(event->study_state.text);
    study->ended_us = asy__study_over(study->state) ? event->wall_us : 0;
    return ASY__STATE;
}

void asy__trial_init(struct asy__trial *trial, const struct asy_event *event)
{
    *trial = (struct asy__trial){
        .state = ASY_TRIAL_QUEUED, .text = "", .host = "", .outcome = "", .value = NAN,
        .created_us = event->wall_us,
    };
}

static void set_state(struct asy__trial *trial, struct asy__study *study,
                      enum asy_trial_state state)
{
    study->counts[trial->state]--;
    study->counts[state]++;
    trial->state = state;
}

static void note_best(struct asy__study *study, uint64_t number, double value)
{
    if (isnan(value) || (!isnan(study->best) &&
                         !(study->maximize ? value > study->best : value < study->best)))
        return;
    study->best = value;
    study->best_trial = (int64_t)number;
}

/* Whether the trial keeps within all constraints: a study without them has nothing to say. */
static int is_feasible(const char *outcome)
{
    struct asy_json *root = NULL;
    int feasible;

    if (!outcome || !*outcome || asy_json_parse(outcome, strlen(outcome), &root, NULL))
        return 1;
    feasible = asy_json_f64(asy_json_get(root, "violation"), INFINITY) <= 0;
    asy_json_destroy(root);
    return feasible;
}

static unsigned trial_state(struct asy__trial *trial, struct asy__study *study,
                            const struct asy_event *event)
{
    enum asy_trial_state to = event->trial_state.state;

    if (to == trial->state)
        return ASY__SAME; /* a stop that was asked for, not yet a state */
    set_state(trial, study, to);
    trial->cause = event->trial_state.cause;
    trial->text = asy__text(event->trial_state.text);
    if (event->trial_state.step > 0)
        trial->step = event->trial_state.step;
    if (to == ASY_TRIAL_PAUSED)
        trial->value = event->trial_state.value; /* so far */
    if (asy_trial_state_ended(to)) {
        trial->value = event->trial_state.value;
        trial->ended_us = event->wall_us;
        trial->outcome = asy__text(event->trial_state.outcome);
        if (to == ASY_TRIAL_COMPLETE && is_feasible(trial->outcome))
            note_best(study, event->trial, trial->value);
    }
    return ASY__STATE;
}

unsigned asy__trial_apply(struct asy__trial *trial, struct asy__study *study,
                          const struct asy_event *event)
{
    if (asy_trial_state_ended(trial->state))
        return ASY__SAME;
    switch (event->kind) {
    case ASY_EV_TRIAL_STATE:
        return trial_state(trial, study, event);
    case ASY_EV_LEASED:
        set_state(trial, study, ASY_TRIAL_LEASED);
        trial->cause = ASY_CAUSE_NONE;
        trial->text = "";
        trial->attempts = event->attempt;
        trial->step = event->leased.from.attempt ? event->leased.from.step : 0;
        return ASY__STATE;
    case ASY_EV_STARTED:
        if (trial->state == ASY_TRIAL_LEASED)
            set_state(trial, study, ASY_TRIAL_RUNNING);
        if (trial->started_us == 0)
            trial->started_us = event->wall_us;
        trial->host = asy__text(event->started.host);
        return ASY__STATE;
    case ASY_EV_REPORT:
        trial->step = event->report.step;
        return ASY__PROGRESS;
    default:
        return ASY__SAME;
    }
}

uint64_t asy__undone_above(const struct asy_event *leased, int *ret_all)
{
    *ret_all = leased->leased.from.attempt == 0;
    return leased->leased.from.step;
}

static void write_placement(const struct asy_placement *p, struct asy_buf *buf)
{
    for (size_t i = 0; i < p->n_cores;) {
        size_t last = i;

        while (last + 1 < p->n_cores && p->cores[last + 1] == p->cores[last] + 1)
            last++;
        asy_buf_addf(buf, i ? ",%u" : "%u", p->cores[i]);
        if (last > i)
            asy_buf_addf(buf, "-%u", p->cores[last]);
        i = last + 1;
    }
}

void asy__write_cores(const struct asy_placement *placements, size_t n, struct asy_buf *buf)
{
    for (size_t i = 0; i < n; i++) {
        if (i)
            asy_buf_adds(buf, "; ");
        write_placement(&placements[i], buf);
    }
}

int asy__needs_trial(enum asy_event_kind kind)
{
    switch (kind) {
    case ASY_EV_TRIAL_CREATED:
    case ASY_EV_TRIAL_STATE:
    case ASY_EV_LEASED:
    case ASY_EV_STARTED:
    case ASY_EV_REPORT:
    case ASY_EV_CHECKPOINT:
    case ASY_EV_ENDED:
    case ASY_EV_SUPERSEDED:
    case ASY_EV_SCORE:
    case ASY_EV_CHECKPOINT_DROPPED:
        return 1;
    default:
        return 0;
    }
}

int asy__needs_study(enum asy_event_kind kind)
{
    return kind != ASY_EV_STUDY_CREATED && kind != ASY_EV_WORKER_JOINED &&
           kind != ASY_EV_WORKER_GONE;
}

int asy__check_event(const struct asy_event *event, const uint64_t *known_trials,
                     struct asy_error *err)
{
    const char *name = asy_event_kind_name(event->kind);
    char id[ASY_ID_TEXT];

    if (event->kind < ASY_EV_STUDY_CREATED || event->kind > ASY_EV_CHECKPOINT_DROPPED)
        return asy_fail(err, ASY_E_INVAL, "cannot store an event of kind %d", (int)event->kind);
    if (event->kind == ASY_EV_STUDY_CREATED && known_trials)
        return asy_fail(err, ASY_E_INVAL, "cannot create study %s: it exists",
                        asy_id_format(event->study, id));
    if (asy__needs_study(event->kind) && !known_trials)
        return asy_fail(err, ASY_E_INVAL, "cannot store event '%s': no study %s", name,
                        asy_id_format(event->study, id));
    if (event->trial == ASY__NO_TRIAL)
        return asy__needs_trial(event->kind)
                   ? asy_fail(err, ASY_E_INVAL, "cannot store event '%s' without a trial", name)
                   : 0;
    if (!known_trials)
        return 0;
    if (event->kind == ASY_EV_TRIAL_CREATED) {
        if (event->trial != *known_trials || event->trial >= ASY__MAX_TRIALS)
            return asy_fail(err, ASY_E_INVAL, "cannot create trial %llu: %llu is the next",
                            (unsigned long long)event->trial, (unsigned long long)*known_trials);
        return 0;
    }
    if (event->trial >= *known_trials)
        return asy_fail(err, ASY_E_INVAL, "cannot store event '%s': study %s has no trial %llu",
                        name, asy_id_format(event->study, id), (unsigned long long)event->trial);
    return 0;
}
