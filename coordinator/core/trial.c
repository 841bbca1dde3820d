/* SPDX-License-Identifier: Apache-2.0
 * trial.c - a trial: its place in its study's queues, its checkpoints, and its values along the
 * lineage of attempts.
 *
 * The history of objective values is kept only as far back as the trial may have to be rewound,
 * that is to its oldest kept checkpoint; what lies before is folded into "best so far" and "last".
 * Once the trial is over only its final values stay. */
#include "core_impl.h"
#include <asy/parse.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HIST_MAX 4096 /* before it grows beyond, what can be folded is: without checkpoints, all */

size_t asy__n_values(const struct asy__study *study)
{
    return study->spec->n_objectives + study->spec->n_constraints;
}

/* The metric of the i-th value. */
static const char *metric_of(const struct asy_study_spec *spec, size_t i)
{
    return i < spec->n_objectives ? spec->objectives[i].metric
                                  : spec->constraints[i - spec->n_objectives].metric;
}

/* A NaN of its own stands for what a report did not have, apart from a NaN that it had. */
static double absent(void)
{
    return __builtin_nan("0xab5e47");
}

int asy__is_absent(double value)
{
    const double none = absent();

    return memcmp(&value, &none, sizeof value) == 0;
}

/* Whether a row of the history has an objective. */
static int has_objective(const struct asy__trial *t, const double *row)
{
    for (size_t i = 0; i < t->study->spec->n_objectives; i++)
        if (!asy__is_absent(row[1 + i]))
            return 1;
    return 0;
}

static size_t n_x(const struct asy__study *study)
{
    return asy_space_len(study->spec->space);
}

static double *base_best(struct asy__trial *t)
{
    return t->x + n_x(t->study);
}

static double *base_last(struct asy__trial *t)
{
    return base_best(t) + asy__n_values(t->study);
}

static double *base_sum(struct asy__trial *t)
{
    return base_best(t) + 4 * asy__n_values(t->study);
}

static double *base_number(struct asy__trial *t)
{
    return base_best(t) + 5 * asy__n_values(t->study);
}

const double *asy__trial_final(const struct asy__trial *t)
{
    return t->x + n_x(t->study) + 2 * asy__n_values(t->study);
}

const double *asy__trial_heard(const struct asy__trial *t)
{
    return asy__trial_final(t) + asy__n_values(t->study);
}

struct asy__trial *asy__trial_get(const struct asy__study *study, uint64_t number)
{
    return number < study->n_trials ? study->trials[number] : NULL;
}

static int make_room(struct asy__study *study)
{
    uint64_t cap = study->cap_trials ? 2 * study->cap_trials : 16;
    struct asy__trial **grown;

    if (study->n_trials < study->cap_trials)
        return 0;
    if (!(grown = realloc(study->trials, cap * sizeof *grown)))
        return ASY_E_NOMEM;
    study->trials = grown;
    study->cap_trials = cap;
    return 0;
}

int asy__trial_add(struct asy_core *core, struct asy__study *study,
                   const struct asy_event *created, struct asy_error *err)
{
    size_t nx = n_x(study), no = asy__n_values(study);
    struct asy__trial *t;

    (void)core;
    if (created->trial != study->n_trials || created->trial_created.n_x != nx)
        return asy_fail(err, ASY_E_CORRUPT, "trial %llu of study '%s' does not fit",
                        (unsigned long long)created->trial, study->name);
    if (make_room(study) || !(t = calloc(1, sizeof *t + (nx + 6 * no) * sizeof t->x[0])))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a trial of study '%s'", study->name);
    t->study = study;
    t->id = created->trial_created.id;
    t->number = created->trial;
    t->seed = created->trial_created.seed;
    t->state = ASY_TRIAL_QUEUED;
    t->fed_step = t->last_step = t->base_step = t->heard_step = -1;
    memcpy(t->x, created->trial_created.x, nx * sizeof *t->x);
    for (size_t i = 0; i < 4 * no; i++)
        t->x[nx + i] = NAN; /* sums and numbers are 0 */
    study->trials[study->n_trials++] = t;
    study->counts[t->state]++;
    asy__trial_move(t, ASY__FRESH);
    return 0;
}

static void free_checkpoints(struct asy__trial *t)
{
    for (size_t i = 0; i < t->n_checkpoints; i++)
        free(t->checkpoints[i].path);
    free(t->checkpoints);
    t->checkpoints = NULL;
    t->n_checkpoints = 0;
}

void asy__trial_destroy(struct asy__trial *t)
{
    free_checkpoints(t);
    free(t->fenced);
    free(t->hist);
    free(t->text);
    free(t->params);
    free(t);
}

int asy__trial_fence(struct asy__trial *t, uint32_t attempt, uint64_t upto)
{
    struct asy__fenced *grown = realloc(t->fenced, (t->n_fenced + 1) * sizeof *grown);

    if (!grown)
        return ASY_E_NOMEM;
    t->fenced = grown;
    t->fenced[t->n_fenced++] = (struct asy__fenced){ attempt, upto };
    return 0;
}

struct asy__fenced *asy__trial_fenced(const struct asy__trial *t, uint32_t attempt)
{
    for (size_t i = 0; i < t->n_fenced; i++)
        if (t->fenced[i].attempt == attempt)
            return &t->fenced[i];
    return NULL;
}

void asy__trial_move(struct asy__trial *t, enum asy__where where)
{
    struct asy__study *s = t->study;

    if (t->where == where && where != ASY__AGAIN)
        return;
    s->n_fresh -= t->where == ASY__FRESH;
    s->n_again -= t->where == ASY__AGAIN;
    asy__list_take(&t->node);
    t->where = where;
    s->n_fresh += where == ASY__FRESH;
    s->n_again += where == ASY__AGAIN;
    if (where != ASY__NOWHERE && where != ASY__OVER)
        asy__list_push(&s->lists[where], &t->node);
}

/* ---- values ---------------------------------------------------------------------------------- */

static size_t stride(const struct asy__trial *t)
{
    return 1 + asy__n_values(t->study);
}

static void fold(struct asy__trial *t, const double *row)
{
    if (has_objective(t, row))
        t->base_step = row[0];
    for (size_t i = 0; i < asy__n_values(t->study); i++) {
        if (asy__is_absent(row[1 + i]))
            continue;
        base_sum(t)[i] += row[1 + i]; /* NaN, too: no instance goes missing */
        base_number(t)[i]++;
        if (isnan(row[1 + i]))
            continue;
        base_best(t)[i] = asy__better(t->study, i, base_best(t)[i], row[1 + i]);
        base_last(t)[i] = row[1 + i];
    }
}

/* Values at or below the oldest kept checkpoint can never be rewound any more: without one a trial
 * begins anew. Those of the newest step stay while the pruner may have to hear of them together
 * with ones that are still to come. */
static void fold_settled(struct asy__trial *t)
{
    int gathers = asy_pruner_compares(t->study->pruner) > 1;
    size_t w = stride(t), n = 0;
    uint64_t oldest = UINT64_MAX;

    for (size_t i = 0; i < t->n_checkpoints; i++)
        if (t->checkpoints[i].step < oldest)
            oldest = t->checkpoints[i].step;
    while (n < t->n_hist && t->hist[w * n] <= (double)oldest &&
           (t->study->lag == 0 || t->hist[w * n] <= t->fed_step) &&
           !(gathers && t->hist[w * n] >= t->last_step))
        fold(t, t->hist + w * n++);
    t->n_hist -= n;
    if (n)
        memmove(t->hist, t->hist + w * n, w * t->n_hist * sizeof *t->hist);
}

static int hist_room(struct asy__trial *t)
{
    size_t cap = t->cap_hist ? 2 * t->cap_hist : 4;
    double *grown;

    if (t->n_hist == t->cap_hist && t->n_hist >= HIST_MAX)
        fold_settled(t);
    if (t->n_hist < t->cap_hist)
        return 0;
    if (!(grown = realloc(t->hist, cap * stride(t) * sizeof *grown)))
        return ASY_E_NOMEM;
    t->hist = grown;
    t->cap_hist = cap;
    return 0;
}

static int find_metric(const struct asy_event *report, const char *name, double *ret)
{
    for (size_t i = 0; i < report->report.n_metrics; i++)
        if (!strcmp(report->report.metrics[i].name, name)) {
            *ret = report->report.metrics[i].value;
            return 1;
        }
    return 0;
}

int asy__trial_record(struct asy__trial *t, const struct asy_event *report, double *ret_first,
                      int *ret_has)
{
    const struct asy_study_spec *spec = t->study->spec;
    double *row, value;
    int any = 0;

    t->step = report->report.step;
    *ret_has = find_metric(report, spec->objectives[0].metric, ret_first);
    for (size_t i = 0; i < asy__n_values(t->study); i++)
        any |= find_metric(report, metric_of(spec, i), &value);
    if (!any)
        return 0;
    if (hist_room(t))
        return ASY_E_NOMEM;
    row = t->hist + stride(t) * t->n_hist++;
    row[0] = (double)report->report.step;
    for (size_t i = 0; i < asy__n_values(t->study); i++)
        if (!find_metric(report, metric_of(spec, i), &row[1 + i]))
            row[1 + i] = absent();
    if (has_objective(t, row)) {
        t->reported = 1;
        t->last_step = row[0];
    }
    return 0;
}

int asy__trial_has(const struct asy__trial *t, size_t row, size_t n)
{
    size_t w = stride(t);

    for (size_t i = 0; i < n; i++) {
        size_t k = row;

        while (asy__is_absent(t->hist[w * k + 1 + i]))
            if (k-- == 0 || t->hist[w * k] != t->hist[w * row])
                return 0;
    }
    return 1;
}

void asy__trial_at(const struct asy__trial *t, size_t row, double *ret_values)
{
    const double *last = t->x + n_x(t->study) + asy__n_values(t->study);

    size_t w = stride(t);

    for (size_t i = 0; i < t->study->spec->n_objectives; i++) {
        double v = t->hist[w * row + 1 + i];

        for (size_t k = row; asy__is_absent(v) && k-- > 0;)
            if (t->hist[w * k] == t->hist[w * row] || !isnan(t->hist[w * k + 1 + i]))
                v = t->hist[w * k + 1 + i];
        ret_values[i] = asy__is_absent(v) ? last[i] : v;
    }
}

void asy__trial_rewind(struct asy__trial *t, uint64_t step, int from_nothing)
{
    size_t w = stride(t), kept = 0;

    for (size_t i = 0; from_nothing && i < asy__n_values(t->study); i++) {
        base_best(t)[i] = base_last(t)[i] = NAN;
        base_sum(t)[i] = base_number(t)[i] = 0;
    }
    if (from_nothing)
        t->base_step = -1;
    for (size_t i = 0; i < t->n_hist; i++)
        if (!from_nothing && t->hist[w * i] <= (double)step)
            memmove(t->hist + w * kept++, t->hist + w * i, w * sizeof *t->hist);
    t->n_hist = kept;
    t->step = step;
    if (!from_nothing && t->last_step <= (double)step)
        return;
    while (kept > 0 && !has_objective(t, t->hist + w * (kept - 1)))
        kept--;
    t->last_step = kept ? t->hist[w * (kept - 1)] : t->base_step;
}

/* Of all reports of the i-th value; NaN if one is, or if there are none. */
static double mean_of(const struct asy__trial *t, size_t i)
{
    size_t no = asy__n_values(t->study);
    double sum = t->x[n_x(t->study) + 4 * no + i], n = t->x[n_x(t->study) + 5 * no + i];

    for (size_t k = 0; k < t->n_hist; k++) {
        double v = t->hist[stride(t) * k + 1 + i];

        if (asy__is_absent(v))
            continue;
        sum += v;
        n++;
    }
    return n > 0 ? sum / n : NAN;
}

void asy__trial_values(const struct asy__trial *t, double *ret_values)
{
    const struct asy_study_spec *spec = t->study->spec;
    const double *best = t->x + n_x(t->study), *last = best + asy__n_values(t->study);

    for (size_t i = 0; i < asy__n_values(t->study); i++) {
        int take_best = i < spec->n_objectives && spec->objectives[i].take == ASY_TAKE_BEST;

        if (i < spec->n_objectives && spec->objectives[i].take == ASY_TAKE_MEAN) {
            ret_values[i] = mean_of(t, i);
            continue;
        }
        ret_values[i] = take_best ? best[i] : last[i];
        for (size_t k = 0; k < t->n_hist; k++) {
            double v = t->hist[stride(t) * k + 1 + i];

            if (!isnan(v))
                ret_values[i] = take_best ? asy__better(t->study, i, ret_values[i], v) : v;
        }
    }
}

double asy__violation(const struct asy__study *study, const double *values, double unknown)
{
    const struct asy_study_spec *spec = study->spec;
    double sum = 0;

    for (size_t i = 0; i < spec->n_constraints; i++) {
        const struct asy_constraint *c = &spec->constraints[i];
        double value = values[spec->n_objectives + i];

        sum += isnan(value)      ? unknown
               : value > c->max ? value - c->max
               : value < c->min ? c->min - value
                                : 0;
    }
    return sum;
}

const char *asy__outside(struct asy_core *core, const struct asy__study *study,
                         const double *values)
{
    const struct asy_study_spec *spec = study->spec;
    char got[32], bound[32];

    for (size_t i = 0; i < spec->n_constraints; i++) {
        const struct asy_constraint *c = &spec->constraints[i];
        double value = values[spec->n_objectives + i];

        if (value >= c->min && value <= c->max)
            continue;
        if (isnan(value))
            return asy__textf(core, "outside the constraints: no value for '%s' was reported",
                              c->metric);
        return asy__textf(core, "outside the constraints: %s is %s, %s %s", c->metric,
                          asy_format_short(value, got), value > c->max ? "above" : "below",
                          asy_format_short(value > c->max ? c->max : c->min, bound));
    }
    return "";
}

void asy__trial_finalise(struct asy__trial *t, int keep_history)
{
    asy__trial_values(t, t->x + n_x(t->study) + 2 * asy__n_values(t->study));
    if (keep_history)
        return;
    free(t->hist);
    t->hist = NULL;
    t->n_hist = t->cap_hist = 0;
}

int asy__trial_hear(struct asy__trial *t, enum asy_outcome_state state)
{
    size_t no = asy__n_values(t->study);
    const double *final = asy__trial_final(t);
    double *heard = t->x + n_x(t->study) + 3 * no;

    if (t->heard == state && t->heard_step == t->last_step &&
        !memcmp(heard, final, no * sizeof *heard))
        return 0;
    memcpy(heard, final, no * sizeof *heard);
    t->heard = state;
    t->heard_step = t->last_step;
    return 1;
}

/* ---- checkpoints ----------------------------------------------------------------------------- */

int asy__trial_checkpoint(struct asy__trial *t, const struct asy_checkpoint *from)
{
    struct asy__checkpoint *grown;
    char *path = strdup(asy__str(from->path));

    grown = realloc(t->checkpoints, (t->n_checkpoints + 1) * sizeof *grown);
    if (grown)
        t->checkpoints = grown;
    if (!grown || !path) {
        free(path);
        return ASY_E_NOMEM;
    }
    t->checkpoints[t->n_checkpoints++] = (struct asy__checkpoint){
        .attempt = from->attempt, .step = from->step, .bytes = from->bytes, .sha = from->sha,
        .path = path,
    };
    t->study->kept += from->bytes;
    asy__list_take(&t->spare);
    if (t->n_checkpoints > 1)
        asy__list_push(&t->study->spares, &t->spare);
    return 0;
}

void asy__trial_forget_checkpoint(struct asy__trial *t, const struct asy_checkpoint *gone)
{
    for (size_t i = 0; i < t->n_checkpoints; i++) {
        struct asy__checkpoint *c = &t->checkpoints[i];

        if (c->attempt != gone->attempt || c->step != gone->step ||
            strcmp(c->path, asy__str(gone->path)) != 0)
            continue;
        free(c->path);
        t->study->kept -= c->bytes;
        t->n_checkpoints--;
        memmove(c, c + 1, (t->n_checkpoints - i) * sizeof *c);
        break;
    }
    if (t->n_checkpoints < 2)
        asy__list_take(&t->spare);
    if (t->n_checkpoints == 0) {
        asy__list_take(&t->keeper);
        free_checkpoints(t);
    } else {
        fold_settled(t);
    }
}

struct asy_checkpoint asy__newest_checkpoint(const struct asy__trial *t)
{
    const struct asy__checkpoint *c;

    if (t->n_checkpoints == 0)
        return (struct asy_checkpoint){ 0 };
    c = &t->checkpoints[t->n_checkpoints - 1];
    return (struct asy_checkpoint){ c->attempt, c->step, c->sha, c->bytes, c->path };
}

static void drop_record(struct asy_core *core, struct asy__trial *t, size_t i, int with_file)
{
    const struct asy__checkpoint *c = &t->checkpoints[i];
    const char *path = asy__dup(core, c->path);
    struct asy_event ev = asy__event(core, ASY_EV_CHECKPOINT_DROPPED, t->study, t);
    struct asy_effect *fx;

    ev.attempt = c->attempt;
    ev.checkpoint_dropped.checkpoint =
        (struct asy_checkpoint){ c->attempt, c->step, c->sha, c->bytes, path };
    asy__emit(core, &ev);
    if (with_file && (fx = asy__effect(core, ASY_FX_DROP_FILE, asy__so_far(core)))) {
        fx->study = t->study->id;
        fx->file.path = path;
    }
}

static void drop(struct asy_core *core, struct asy__trial *t, size_t i)
{
    drop_record(core, t, i, 1);
}

void asy__trial_drop_behind(struct asy_core *core, struct asy__trial *t,
                            const struct asy__checkpoint *from, uint32_t attempt)
{
    size_t keep = from ? (size_t)(from - t->checkpoints) + 1 : 0;

    while (!core->rc && t->n_checkpoints > keep)
        drop_record(core, t, t->n_checkpoints - 1,
                    t->checkpoints[t->n_checkpoints - 1].attempt != attempt);
}

void asy__trial_drop_checkpoints(struct asy_core *core, struct asy__trial *t, size_t keep)
{
    while (!core->rc && t->n_checkpoints > keep)
        drop(core, t, 0);
}

void asy__trial_drop_at(struct asy_core *core, struct asy__trial *t, uint32_t attempt,
                        uint64_t step)
{
    for (size_t i = 0; i < t->n_checkpoints; i++)
        if (t->checkpoints[i].attempt == attempt && t->checkpoints[i].step == step) {
            drop(core, t, i);
            return;
        }
}

/* The newest checkpoint of a trial stays even where the quota is passed: one that runs would lose
 * its progress, and of one that waits at a rung nobody can say that it will never be promoted,
 * neither that it is not the one which runs to the end when all others have failed. Models stay
 * always. */
void asy__study_fit_quota(struct asy_core *core, struct asy__study *s)
{
    while (!core->rc && s->kept > core->config.artifact_quota && !asy__list_empty(&s->spares))
        drop(core, asy__item(s->spares.next, struct asy__trial, spare), 0);
}

/* ---- states ---------------------------------------------------------------------------------- */

static void put_number(struct asy_jsonw *w, const char *key, double value)
{
    if (isfinite(value))
        asy_jsonw_f64(w, key, value);
    else
        asy_jsonw_null(w, key);
}

/* What one value does not tell: "" where it tells all. */
static const char *outcome_of(struct asy_core *core, const struct asy__trial *t,
                              const double *values)
{
    const struct asy_study_spec *spec = t->study->spec;
    struct asy_jsonw w;

    if (spec->n_objectives == 1 && spec->n_constraints == 0)
        return "";
    asy_buf_clear(&core->scratch);
    asy_jsonw_init(&w, &core->scratch, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_open(&w, "values", '[');
    for (size_t i = 0; i < spec->n_objectives; i++)
        put_number(&w, NULL, values[i]);
    asy_jsonw_close(&w, ']');
    put_number(&w, "violation", asy__violation(t->study, values, INFINITY));
    asy_jsonw_close(&w, '}');
    if (core->scratch.rc)
        core->rc = ASY_E_NOMEM;
    return asy__dup(core, core->scratch.rc ? "" : core->scratch.data);
}

static void emit_state(struct asy_core *core, struct asy__trial *t, enum asy_trial_state state,
                       enum asy_cause cause, const char *text, double value, const char *outcome)
{
    struct asy_event ev = asy__event(core, ASY_EV_TRIAL_STATE, t->study, t);

    ev.trial_state.state = state;
    ev.trial_state.cause = cause;
    ev.trial_state.text = asy__dup(core, text);
    ev.trial_state.value = value;
    ev.trial_state.step = t->step;
    ev.trial_state.outcome = outcome;
    asy__emit(core, &ev);
}

void asy__trial_end(struct asy_core *core, struct asy__trial *t, enum asy_trial_state state,
                    enum asy_cause cause, const char *text)
{
    double *values = asy__alloc(core, asy__n_values(t->study) * sizeof *values);

    if (!values)
        return;
    asy__trial_values(t, values);
    asy__trial_drop_checkpoints(core, t, asy__member_keeps(t, state));
    if (state == ASY_TRIAL_FAILED)
        emit_state(core, t, state, cause, text, NAN, "");
    else
        emit_state(core, t, state, cause, text, values[0], outcome_of(core, t, values));
}

void asy__trial_queue(struct asy_core *core, struct asy__trial *t, enum asy_cause cause,
                      const char *text)
{
    emit_state(core, t, ASY_TRIAL_QUEUED, cause, text, NAN, "");
}

static const char *target_text(struct asy_core *core, const struct asy__trial *t)
{
    double *values = asy__alloc(core, asy__n_values(t->study) * sizeof *values);
    char got[32], target[32];

    if (!values)
        return "";
    asy__trial_values(t, values);
    return asy__textf(core, "its value %s reached the target %s",
                      asy_format_short(values[0], got),
                      asy_format_short(t->study->spec->objectives[0].target, target));
}

/* Why the study's end is its end, and where it stood. */
static const char *ended_text(struct asy_core *core, const struct asy__trial *t)
{
    const struct asy__study *s = t->study;
    const char *why = asy_cause_info(s->cause)->name;
    char place[240] = "";

    if (t->state == ASY_TRIAL_PAUSED)
        asy_pruner_explain(s->pruner, t->number, place, sizeof place);
    return asy__textf(core, "the study has ended (%s) while it %s at step %" PRIu64 "%s%s", why,
                      t->state == ASY_TRIAL_PAUSED || t->state == ASY_TRIAL_QUEUED ? "waited"
                                                                                   : "ran",
                      t->step, *place ? "; " : "", place);
}

void asy__trial_stopped(struct asy_core *core, struct asy__trial *t)
{
    const struct asy__study *s = t->study;

    if (t->hit)
        asy__trial_end(core, t, ASY_TRIAL_COMPLETE, ASY_CAUSE_TARGET, target_text(core, t));
    else if (t->stop == ASY_CAUSE_PRUNED)
        asy__trial_end(core, t, ASY_TRIAL_PRUNED, ASY_CAUSE_PRUNED, t->text);
    else if (t->stop == ASY_CAUSE_USER)
        asy__trial_end(core, t, ASY_TRIAL_CANCELLED, ASY_CAUSE_USER, "stopped by the user");
    else if (s->cause == ASY_CAUSE_USER && s->state == ASY_STUDY_STOPPING)
        asy__trial_end(core, t, ASY_TRIAL_CANCELLED, ASY_CAUSE_USER, "the study was stopped");
    else if (t->reported || t->state == ASY_TRIAL_PAUSED)
        asy__trial_end(core, t, ASY_TRIAL_PRUNED, ASY_CAUSE_STUDY_ENDED, ended_text(core, t));
    else
        asy__trial_end(core, t, ASY_TRIAL_CANCELLED, ASY_CAUSE_STUDY_ENDED, ended_text(core, t));
}
