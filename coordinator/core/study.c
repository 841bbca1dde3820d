/* SPDX-License-Identifier: Apache-2.0
 * study.c - a study: made, found, ended.
 *
 * A study that is over leaves a shell (name, owner, state), so that names stay taken and a
 * resubmission is answered the same; all else is freed. Its spec may still be borrowed by the
 * sampler's thread and goes when that says so.
 *
 * Ending goes in bounded portions: STOPPING first, then the waiting trials a few hundred a step,
 * then the final state. */
#include "core_impl.h"
#include <asy/parse.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENDS_PER_STEP 256
#define PREFIX_MIN 6
#define LAST_FAILURES 3

/* ---- finding --------------------------------------------------------------------------------- */

static int same_id(const void *item, const void *key)
{
    const struct asy__study *s = item;

    return asy_id_cmp(s->id, *(const struct asy_id *)key) == 0;
}

struct name_key {
    const char *project, *name;
};

static int same_name(const void *item, const void *key)
{
    const struct asy__study *s = item;
    const struct name_key *k = key;

    return !strcmp(s->name, k->name) && !strcmp(s->project, k->project);
}

static uint64_t hash_name(const char *project, const char *name)
{
    return asy__mix(asy__hash_text(project) + 3 * asy__hash_text(name));
}

struct asy__study *asy__study_get(const struct asy_core *core, struct asy_id id)
{
    return asy__hashmap_get(&core->studies, asy_id_hash(id), same_id, &id);
}

struct asy__study *asy__study_by_name(const struct asy_core *core, const char *project,
                                      const char *name)
{
    struct name_key key = { project, name };

    return asy__hashmap_get(&core->names, hash_name(project, name), same_name, &key);
}

static int matches(const struct asy__study *s, const char *text)
{
    char id[ASY_ID_TEXT];
    size_t len = strlen(text);

    if (!strcmp(s->name, text))
        return 1;
    return len >= PREFIX_MIN && len < ASY_ID_TEXT &&
           !strncmp(asy_id_format(s->id, id), text, len);
}

int asy__study_seen(const struct asy__study *s, const char *key)
{
    return !key || !strcmp(s->owner, key);
}

static struct asy__study *newest_match(const struct asy__node *list, const char *key,
                                       const char *text)
{
    struct asy__study *s, *found = NULL;

    asy__each(s, list, struct asy__study, node)
        if (asy__study_seen(s, key) && matches(s, text) &&
            (!found || s->created_us >= found->created_us))
            found = s;
    return found;
}

struct asy__study *asy__study_find_for(const struct asy_core *core, const char *key,
                                       const char *name_or_id)
{
    struct asy_id id;
    struct asy__study *s;

    if (!name_or_id || !*name_or_id)
        return NULL;
    if (asy_id_parse(name_or_id, strlen(name_or_id), &id, NULL) == 0 &&
        (s = asy__study_get(core, id)) && asy__study_seen(s, key))
        return s;
    s = newest_match(&core->live, key, name_or_id);
    return s ? s : newest_match(&core->shells, key, name_or_id);
}

struct asy__study *asy__study_find(const struct asy_core *core, const char *name_or_id)
{
    return asy__study_find_for(core, NULL, name_or_id);
}

/* ---- making and freeing ---------------------------------------------------------------------- */

void asy__study_destroy(struct asy__study *s)
{
    if (!s)
        return;
    for (uint64_t i = 0; i < s->n_trials; i++) {
        struct asy__attempt *a = s->trials[i]->attempt;

        if (a)
            asy__attempt_close(NULL, a);
        asy__trial_destroy(s->trials[i]);
    }
    for (size_t i = 0; i < s->n_retired; i++)
        asy_study_destroy(s->retired[i]);
    free(s->retired);
    free(s->trials);
    free(s->ring);
    free(s->standings);
    free(s->notes);
    free(s->reserved);
    asy_pruner_destroy(s->pruner);
    asy__refused_destroy(s->refused);
    asy_study_destroy(s->spec);
    free(s->spec_text);
    free(s->refused_change);
    free(s->text);
    free(s->near);
    free(s->give_up);
    free(s->name);
    free(s->base_name);
    free(s->project);
    free(s);
}

static struct asy__study *study_new(struct asy_core *core, const struct asy_event *ev)
{
    struct asy__study *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    for (size_t i = 0; i < ASY_ARRAY_LEN(s->lists); i++)
        asy__list_init(&s->lists[i]);
    asy__list_init(&s->spares);
    asy__list_init(&s->keepers);
    s->id = ev->study;
    s->created_us = ev->wall_us;
    s->state = ASY_STUDY_RUNNING;
    s->best = s->reached = NAN;
    s->best_trial = -1;
    s->budget = UINT64_MAX;
    s->promo_stale = 1;
    s->name = strdup(asy__str(ev->study_created.name));
    s->project = strdup(asy__str(ev->study_created.project));
    s->spec_text = strdup(asy__str(ev->study_created.spec));
    s->owner = asy__intern(core, asy__str(ev->study_created.owner));
    if (s->name && s->project && s->spec_text && s->owner)
        return s;
    asy__study_destroy(s);
    return NULL;
}

int asy__study_add(struct asy_core *core, const struct asy_event *ev, struct asy_error *err)
{
    struct asy__study *s;
    uint64_t by_id = asy_id_hash(ev->study), by_name;

    if (asy__study_get(core, ev->study))
        return asy_fail(err, ASY_E_CORRUPT, "study '%s' was made twice",
                        asy__str(ev->study_created.name));
    if (!(s = study_new(core, ev)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for study '%s'",
                        asy__str(ev->study_created.name));
    by_name = hash_name(s->project, s->name);
    if (asy__hashmap_put(&core->studies, by_id, s))
        goto nomem;
    if (asy__hashmap_put(&core->names, by_name, s)) {
        asy__hashmap_drop(&core->studies, by_id, s);
        goto nomem;
    }
    asy__list_push(&core->live, &s->node);
    return 0;
nomem:
    asy__study_destroy(s);
    return asy_fail(err, ASY_E_NOMEM, "no memory for a further study");
}

static struct asy_option *options_of(const struct asy_study_spec *spec)
{
    struct asy_option *o = calloc(spec->n_pruner_options + 1, sizeof *o);

    for (size_t i = 0; o && i < spec->n_pruner_options; i++)
        o[i] = (struct asy_option){ spec->pruner_options[i].name, spec->pruner_options[i].value };
    return o;
}

int asy__pruner_for(const struct asy_study_spec *spec, struct asy_pruner **ret_pruner,
                    struct asy_error *err)
{
    struct asy_option *options = options_of(spec);
    enum asy_goal goals[ASY_STUDY_OBJECTIVES_MAX];
    struct asy_pruner_spec ps = {
        .name = spec->pruner, .options = options, .n_options = spec->n_pruner_options,
        .goals = goals, .n_goals = spec->n_objectives, .length_max = spec->length_max,
        .can_pause = spec->checkpoint,
    };
    int rc;

    if (!options)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a pruner");
    for (size_t i = 0; i < spec->n_objectives; i++)
        goals[i] = spec->objectives[i].maximize ? ASY_MAXIMIZE : ASY_MINIMIZE;
    rc = asy_pruner_create(&ps, ret_pruner, err);
    free(options);
    return rc;
}

int asy__study_need(struct asy_core *core, struct asy__study *s, struct asy_error *err)
{
    struct asy_error why = ASY_ERROR_INIT;
    struct asy_buf problems;
    int rc;

    if ((s->spec && s->pruner) || s->refused)
        return 0;
    asy_buf_init(&problems, 64 << 10);
    rc = asy_study_parse(s->spec_text, strlen(s->spec_text), s->name, NULL, &s->spec, &problems,
                         &why);
    asy_buf_fini(&problems);
    if (rc == 0 && !s->pruner)
        rc = asy__pruner_for(s->spec, &s->pruner, &why);
    if (rc == 0 && !s->base_name && !(s->base_name = strdup(s->spec->name)))
        rc = asy_fail(&why, ASY_E_NOMEM, "no memory");
    if (rc) {
        asy_error_prefix(&why, "study '%s'", s->name);
        return asy__study_refuse(core, s, rc, &why, err);
    }
    s->population = asy__population_for(s->spec);
    s->lag = s->spec->deterministic ? s->spec->lag : 0;
    if (s->budget == UINT64_MAX) /* of its first spec, which is parsed before any change applies */
        s->budget = s->spec->max_trials == UINT64_MAX ? 0 : s->spec->max_trials;
    return 0;
}

/* The current spec goes out of use. */
void asy__study_retire(struct asy_core *core, struct asy__study *s)
{
    struct asy_study_spec **grown;

    if (!s->spec)
        return;
    if (!s->has_sampler) {
        asy_study_destroy(s->spec);
        s->spec = NULL;
        return;
    }
    if (!(grown = realloc(s->retired, (s->n_retired + 1) * sizeof *grown))) {
        core->rc = ASY_E_NOMEM;
        return;
    }
    s->retired = grown;
    s->retired[s->n_retired++] = s->spec;
    s->spec = NULL;
}

void asy__study_forgotten(struct asy_core *core, struct asy_id id)
{
    struct asy__study *s = asy__study_get(core, id);

    if (!s || !s->over) {
        core->nonsense++;
        return;
    }
    for (size_t i = 0; i < s->n_retired; i++)
        asy_study_destroy(s->retired[i]);
    free(s->retired);
    s->retired = NULL;
    s->n_retired = 0;
    s->has_sampler = 0;
}

void asy__study_empty(struct asy_core *core, struct asy__study *s)
{
    struct asy_effect *fx;

    ASY_ASSERT(s->n_open == 0, "study '%s' ends with %zu attempts open", s->name, s->n_open);
    for (uint64_t i = 0; i < s->n_trials; i++)
        asy__trial_destroy(s->trials[i]);
    free(s->trials);
    free(s->ring);
    free(s->standings);
    free(s->notes);
    free(s->spec_text);
    free(s->refused_change);
    asy_pruner_destroy(s->pruner);
    s->trials = NULL;
    s->refused_change = NULL;
    s->ring = NULL;
    s->standings = NULL;
    s->notes = NULL;
    s->spec_text = NULL;
    s->pruner = NULL;
    asy__refused_destroy(s->refused);
    s->refused = NULL;
    s->n_trials = s->cap_trials = 0;
    s->n_notes = s->cap_notes = 0;
    s->asking = 0;
    s->kept = 0;
    asy__list_init(&s->spares);
    asy__list_init(&s->keepers);
    free(s->reserved);
    s->reserved = NULL;
    s->n_reserved = 0;
    s->over = 1;
    asy__list_take(&s->node);
    asy__list_push(&core->shells, &s->node);
    if (s->has_sampler && (fx = asy__effect(core, ASY_FX_FORGET, asy__so_far(core))))
        fx->study = s->id;
    asy__study_retire(core, s);
}

/* ---- plain facts ----------------------------------------------------------------------------- */

double asy__better(const struct asy__study *s, size_t objective, double a, double b)
{
    if (isnan(a) || isnan(b))
        return isnan(a) ? b : a;
    if (objective >= s->spec->n_objectives)
        return b; /* of a constraint's metric the last counts */
    return (s->spec->objectives[objective].maximize ? b > a : b < a) ? b : a;
}

uint32_t asy__need_ranks(const struct asy__study *s)
{
    return s->spec->ranks ? s->spec->ranks : 1;
}

uint32_t asy__need_cores(const struct asy__study *s)
{
    uint64_t n = (uint64_t)s->spec->cores * asy__need_ranks(s);

    return n == 0 ? 1 : n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

const char *asy__ranks_text(const struct asy__study *s, char text[48])
{
    text[0] = '\0';
    if (s->spec->ranks > 1)
        snprintf(text, 48, " (%" PRIu32 " ranks of %" PRIu32 ")", s->spec->ranks, s->spec->cores);
    return text;
}

uint64_t asy__need_memory(const struct asy__study *s)
{
    uint64_t n;

    return __builtin_mul_overflow(s->spec->memory, s->spec->ranks ? s->spec->ranks : 1, &n)
               ? UINT64_MAX : n;
}

uint64_t asy__study_max_trials(const struct asy_core *core, const struct asy__study *s)
{
    return s->spec->max_trials < core->config.max_trials ? s->spec->max_trials
                                                         : core->config.max_trials;
}

int asy__study_can_create(const struct asy_core *core, const struct asy__study *s)
{
    return s->state != ASY_STUDY_STOPPING && !s->exhausted && !s->enough &&
           s->n_trials < asy__study_max_trials(core, s) && asy__members_free(s) > 0;
}

struct asy__trial *asy__study_promotable(struct asy__study *s, uint64_t *ret_milestone)
{
    uint64_t number, milestone;
    struct asy__trial *t;

    if ((s->promo_none && !s->promo_stale) || s->enough)
        return NULL;
    s->promo_stale = 0;
    s->promo_none = !asy_pruner_promote(s->pruner, &number, &milestone);
    if (s->promo_none)
        return NULL;
    asy_pruner_unpromote(s->pruner, number);
    /* It has reported its rung but has not ended there yet: its pause makes this stale again. */
    t = asy__trial_get(s, number);
    if (!t || t->state != ASY_TRIAL_PAUSED)
        return NULL;
    if (ret_milestone)
        *ret_milestone = milestone;
    return t;
}

/* ---- states ---------------------------------------------------------------------------------- */

void asy__study_state(struct asy_core *core, struct asy__study *s, enum asy_study_state state,
                      enum asy_cause cause, const char *text)
{
    struct asy_event ev = asy__event(core, ASY_EV_STUDY_STATE, s, NULL);

    ev.study_state.state = state;
    ev.study_state.cause = cause;
    ev.study_state.text = asy__dup(core, text);
    asy__emit(core, &ev);
}

void asy__study_sync(struct asy_core *core, struct asy__study *s)
{
    struct asy__trial *t;

    asy__each(t, &s->lists[ASY__OPEN], struct asy__trial, node)
        asy__attempt_sync(core, t->attempt);
}

void asy__study_stop(struct asy_core *core, struct asy__study *s, enum asy_cause cause,
                     const char *text)
{
    asy__study_state(core, s, ASY_STUDY_STOPPING, cause, text);
    asy__study_sync(core, s);
}

/* Whether nothing is left to run, queue, promote or ask. */
static int exhausted(struct asy_core *core, struct asy__study *s)
{
    return s->counts[ASY_TRIAL_QUEUED] + s->counts[ASY_TRIAL_LEASED] +
                   s->counts[ASY_TRIAL_RUNNING] == 0 &&
           s->asking == 0 && !asy__study_can_create(core, s) && !asy__study_promotable(s, NULL) &&
           (s->lag == 0 || s->fed == s->next_job);
}

/* A search that ends while all of its trials wait at rungs would leave no whole trial and no model
 * behind: then the best of them runs to its end after all, and if it fails on the way the next.
 * After LAST_FAILURES of them it is given up. */
static int finish_best(struct asy_core *core, struct asy__study *s)
{
    struct asy_event ev;
    uint64_t number, milestone, failed = 0;

    if (s->counts[ASY_TRIAL_COMPLETE] || s->enough)
        return 0;
    for (uint64_t i = 0; i < s->n_trials; i++)
        failed += s->trials[i]->state == ASY_TRIAL_FAILED &&
                  s->trials[i]->goal >= s->spec->length_max;
    if (failed >= LAST_FAILURES || !asy_pruner_promote_last(s->pruner, &number, &milestone))
        return 0;
    asy_pruner_unpromote(s->pruner, number);
    ev = asy__event(core, ASY_EV_TRIAL_STATE, s, s->trials[number]);
    ev.trial_state.state = ASY_TRIAL_QUEUED;
    ev.trial_state.cause = ASY_CAUSE_RUNG;
    ev.trial_state.text = "no trial has run to its end: the best one goes on";
    ev.trial_state.value = (double)NAN;
    ev.trial_state.step = milestone;
    asy__emit(core, &ev);
    return 1;
}

static void end_naturally(struct asy_core *core, struct asy__study *s)
{
    enum asy_cause cause = s->enough      ? s->enough
                           : s->exhausted || asy__members_free(s) == 0 ? ASY_CAUSE_EXHAUSTED
                                          : ASY_CAUSE_BUDGET_TRIALS;
    const char *text = asy__textf(core, "%" PRIu64 " trial%s: %" PRIu64 " complete, %" PRIu64
                                  " pruned, %" PRIu64 " failed, %" PRIu64 " cancelled",
                                  s->n_trials, ASY_S(s->n_trials), s->counts[ASY_TRIAL_COMPLETE],
                                  s->counts[ASY_TRIAL_PRUNED] + s->counts[ASY_TRIAL_PAUSED],
                                  s->counts[ASY_TRIAL_FAILED], s->counts[ASY_TRIAL_CANCELLED]);

    asy__members_tidy(core, s, 1);
    if (s->given_up && !s->enough)
        asy__study_stop(core, s, ASY_CAUSE_SAMPLER_FAILED, asy__dup(core, asy__str(s->give_up)));
    else if (s->counts[ASY_TRIAL_PAUSED])
        asy__study_stop(core, s, cause, text);
    else
        asy__study_state(core, s, ASY_STUDY_FINISHED, cause, text);
}

static void close_waiting(struct asy_core *core, struct asy__study *s)
{
    static const enum asy__where wheres[] = { ASY__AGAIN, ASY__FRESH, ASY__PAUSED };
    int budget = ENDS_PER_STEP;

    for (size_t i = 0; i < ASY_ARRAY_LEN(wheres); i++) {
        struct asy__node *list = &s->lists[wheres[i]];

        while (!asy__list_empty(list) && budget-- > 0 && !core->rc) {
            struct asy__trial *t = asy__item(list->next, struct asy__trial, node);

            if (t->attempt)
                asy__attempt_lost(core, t, ASY_END_LOST, ASY_CAUSE_LOST, "the study has ended");
            else
                asy__trial_stopped(core, t);
        }
        if (budget <= 0) {
            core->more = 1;
            return;
        }
    }
    if (s->n_open > 0 || core->rc)
        return;
    asy__members_tidy(core, s, 1);
    asy__study_state(core, s,
                     s->cause == ASY_CAUSE_USER             ? ASY_STUDY_STOPPED
                     : s->cause == ASY_CAUSE_SAMPLER_FAILED ||
                       s->cause == ASY_CAUSE_REFUSED        ? ASY_STUDY_FAILED
                                                            : ASY_STUDY_FINISHED,
                     s->cause, s->text);
}

static const char *stagnation_text(struct asy_core *core, const struct asy__study *s)
{
    char best[32];

    return asy__textf(core, "the last %" PRIu64 " complete trial%s brought nothing better than %s "
                      "(budget.patience)", s->stale, ASY_S(s->stale),
                      asy_format_short(s->reached, best));
}

/* Which trial reached the target: one that still runs, or the best of the complete ones. */
static const char *target_text(struct asy_core *core, const struct asy__study *s)
{
    double *values = asy__alloc(core, asy__n_values(s) * sizeof *values);
    double value = s->best;
    uint64_t number = s->best_trial < 0 ? 0 : (uint64_t)s->best_trial;
    char got[32], target[32];

    for (uint64_t i = 0; values && i < s->n_trials; i++)
        if (s->trials[i]->hit && !asy_trial_state_ended(s->trials[i]->state)) {
            asy__trial_values(s->trials[i], values);
            value = values[0];
            number = i;
            break;
        }
    return asy__textf(core, "trial %" PRIu64 " reached the target %s with %s", number,
                      asy_format_short(s->spec->objectives[0].target, target),
                      asy_format_short(value, got));
}

static const char *enough_text(struct asy_core *core, const struct asy__study *s)
{
    return s->enough == ASY_CAUSE_TARGET   ? target_text(core, s)
           : s->enough == ASY_CAUSE_REGRET ? asy__dup(core, asy__str(s->near))
                                           : stagnation_text(core, s);
}

static void check_time(struct asy_core *core, struct asy__study *s)
{
    int64_t used_ms, left_ms;

    if (s->spec->max_time_ms == INT64_MAX)
        return;
    used_ms = (core->wall_us - s->created_us - s->paused_us) / 1000;
    left_ms = s->spec->max_time_ms - used_ms;
    if (left_ms > 0) {
        asy__wake(core, core->now_ms + left_ms);
        return;
    }
    asy__study_stop(core, s, ASY_CAUSE_BUDGET_TIME,
                    asy__textf(core, "its %.0f s are used up, with %" PRIu64 " trial%s begun and %"
                               PRIu64 " complete", (double)s->spec->max_time_ms / 1000,
                               s->n_trials, ASY_S(s->n_trials), s->counts[ASY_TRIAL_COMPLETE]));
}

/* ---- what follows from all that ------------------------------------------------------------- */

void asy__study_pump(struct asy_core *core, struct asy__study *s)
{
    if (!s->has_sampler && s->state != ASY_STUDY_STOPPING)
        asy__study_make_sampler(core, s);
    if (s->remakes && s->asking == 0 && s->state != ASY_STUDY_STOPPING)
        asy__study_remake_sampler(core, s);
    if (s->n_notes > 0 && s->has_sampler)
        asy__study_tell_notes(core, s);
    asy__members_tidy(core, s, 0);
    if (s->state == ASY_STUDY_RUNNING)
        check_time(core, s);
    if (s->state == ASY_STUDY_RUNNING && s->enough && s->lag == 0)
        asy__study_stop(core, s, s->enough, enough_text(core, s));
    if (s->state == ASY_STUDY_RUNNING && exhausted(core, s) && !finish_best(core, s))
        end_naturally(core, s);
    if (s->state == ASY_STUDY_STOPPING)
        close_waiting(core, s);
}
