/* SPDX-License-Identifier: Apache-2.0
 * query_history.c - how a study went: the hypervolume of its front after each complete trial
 * within the constraints, and the learning curves of all trials.
 *
 * Points come by number. The reference point is the same for all: of each objective the worst value
 * among them, a tenth further (asy_pareto_reference()), so the volume only ever grows; with one
 * objective it is how far the best value is from there. Only a point that the front before it does
 * not cover needs a new volume. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <asy/pareto.h>
#include "query_impl.h"

#define AT_ONCE 32     /* points of one piece */
#define VOLUME_GOALS_MAX 4 /* of more objectives no volume is told: it takes too long */
#define CURVES_AT_ONCE 32
#define CURVE_POINTS 96 /* that are shown of one curve */

struct asy__past {
    double ref[ASY_OBJECTIVES_MAX], volume;
    double *front;         /* [n_front, m] */
    size_t n_front;
    char *metric;          /* of curves */
    uint64_t numbers[CURVES_AT_ONCE]; /* of the trials of one piece */
    uint64_t *steps;       /* [n] of the curve in hand */
    double *values;
    size_t n, cap;
};

void asy__past_free(struct asy__asked *asked)
{
    if (!asked->past)
        return;
    free(asked->past->front);
    free(asked->past->metric);
    free(asked->past->steps);
    free(asked->past->values);
    free(asked->past);
    asked->past = NULL;
}

static int past_new(struct asy__asked *asked, struct asy_error *err)
{
    if (!(asked->past = calloc(1, sizeof *asked->past)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a history");
    return 0;
}

/* ---- hypervolume ----------------------------------------------------------------------------- */

static int begin_history(struct asy__asked *asked, size_t n, size_t m, const double *losses,
                         struct asy_error *err)
{
    struct asy__past *past;
    int rc = past_new(asked, err);

    if (rc < 0)
        return rc;
    past = asked->past;
    if (!(past->front = malloc((n + 1) * m * sizeof *past->front)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a history");
    if (n)
        asy_pareto_reference(losses, n, m, past->ref);
    asked->begun = 1;
    asked->next = 0;
    asy_jsonw_str(&asked->w, "study", asked->name);
    asy__front_objectives(asked);
    asy_jsonw_open(&asked->w, "reference", '[');
    for (size_t j = 0; j < m && n; j++)
        asy_jsonw_f64(&asked->w, NULL, asy__front_value(asked, j, past->ref[j]));
    asy_jsonw_close(&asked->w, ']');
    asy_jsonw_open(&asked->w, "history", '[');
    return 0;
}

/* Takes a point into the front, if that does not cover it; then those go which it covers. */
static int admit(struct asy__past *past, const double *point, size_t m, struct asy_error *err)
{
    size_t kept = 0;

    for (size_t i = 0; i < past->n_front; i++)
        if (asy_pareto_dominates(past->front + i * m, point, m))
            return 0;
    for (size_t i = 0; i < past->n_front; i++)
        if (!asy_pareto_dominates(point, past->front + i * m, m))
            memmove(past->front + kept++ * m, past->front + i * m, m * sizeof *point);
    memcpy(past->front + kept++ * m, point, m * sizeof *point);
    past->n_front = kept;
    if (m > VOLUME_GOALS_MAX)
        return 0;
    return asy_pareto_volume(past->front, kept, m, past->ref, &past->volume, err);
}

int asy__history_write(struct asy__asked *asked, struct asy_reader *reader, struct asy_error *err)
{
    size_t n, m;
    const double *losses = asy__front_losses(asked, &n, &m);
    int rc;

    (void)reader;
    if (!asked->begun && (rc = begin_history(asked, n, m, losses, err)) < 0)
        return rc;
    for (int i = 0; i < AT_ONCE && asked->next < n; i++, asked->next++) {
        if ((rc = admit(asked->past, losses + asked->next * m, m, err)) < 0)
            return rc;
        asy_jsonw_open(&asked->w, NULL, '{');
        asy_jsonw_u64(&asked->w, "trial", asy__front_number(asked, asked->next));
        asy_jsonw_u64(&asked->w, "front", asked->past->n_front);
        if (m <= VOLUME_GOALS_MAX)
            asy_jsonw_f64(&asked->w, "volume", asked->past->volume);
        asy_jsonw_close(&asked->w, '}');
    }
    if (asked->next < n)
        return 1;
    asy_jsonw_close(&asked->w, ']');
    return 0;
}

/* ---- learning curves ------------------------------------------------------------------------- */

static int begin_curves(struct asy__asked *asked, struct asy_error *err)
{
    struct asy_json *spec = NULL;
    const struct asy_json *objective;
    const char *metric;
    int rc = past_new(asked, err);

    if (rc < 0 ||
        (rc = asy_json_parse(asked->spec, strlen(asked->spec), &spec, err)) < 0)
        return rc;
    objective = asy_json_get(spec, "objective");
    if (asy_json_type(objective) == ASY_JSON_ARRAY)
        objective = asy_json_at(objective, 0);
    metric = asy_json_str(asy_json_get(objective, "metric"), "");
    if (!(asked->past->metric = strdup(metric)))
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for a curve");
    asked->begun = 1;
    asked->after = -1;
    asy_jsonw_str(&asked->w, "study", asked->name);
    asy_jsonw_str(&asked->w, "metric", metric);
    asy_jsonw_open(&asked->w, "curves", '[');
    asy_json_destroy(spec);
    return rc;
}

static int on_metric(void *arg, const struct asy_metric_row *row)
{
    struct asy__past *past = arg;
    size_t cap = past->cap ? 2 * past->cap : 64;
    uint64_t *steps;
    double *values;

    if (strcmp(row->name, past->metric) != 0 || row->attempt == 0)
        return 0;
    if (past->n == past->cap) {
        if (!(steps = reallocarray(past->steps, cap, sizeof *steps)))
            return ASY_E_NOMEM;
        past->steps = steps;
        if (!(values = reallocarray(past->values, cap, sizeof *values)))
            return ASY_E_NOMEM;
        past->values = values;
        past->cap = cap;
    }
    past->steps[past->n] = row->step;
    past->values[past->n++] = row->value;
    return 0;
}

/* Of a long curve every k-th point, and the last. */
static void write_curve(struct asy__asked *asked, uint64_t number)
{
    const struct asy__past *past = asked->past;
    size_t each = past->n / CURVE_POINTS + 1;

    asy_jsonw_open(&asked->w, NULL, '{');
    asy_jsonw_u64(&asked->w, "trial", number);
    asy_jsonw_open(&asked->w, "steps", '[');
    for (size_t i = 0; i < past->n; i++)
        if (i % each == 0 || i + 1 == past->n)
            asy_jsonw_u64(&asked->w, NULL, past->steps[i]);
    asy_jsonw_close(&asked->w, ']');
    asy_jsonw_open(&asked->w, "values", '[');
    for (size_t i = 0; i < past->n; i++)
        if (i % each == 0 || i + 1 == past->n)
            asy_jsonw_f64(&asked->w, NULL, past->values[i]);
    asy_jsonw_close(&asked->w, ']');
    asy_jsonw_close(&asked->w, '}');
}

static int on_trial(void *arg, const struct asy_trial_row *row)
{
    struct asy__asked *asked = arg;

    asked->past->numbers[asked->rows++] = row->number;
    asked->after = (int64_t)row->number;
    return 0;
}

int asy__curves_write(struct asy__asked *asked, struct asy_reader *reader, struct asy_error *err)
{
    int rc;

    if (!asked->begun && (rc = begin_curves(asked, err)) < 0)
        return rc;
    asked->rows = 0;
    rc = asy_reader_trials(reader, asked->study, asked->after, CURVES_AT_ONCE, 0, on_trial, asked,
                           err);
    for (int64_t i = 0; rc == 0 && i < asked->rows; i++) {
        asked->past->n = 0;
        rc = asy_reader_metrics(reader, asked->study, asked->past->numbers[i], 0, on_metric,
                                asked->past, err);
        if (rc == ASY_E_NOMEM)
            ASY_IGNORE(asy_fail(err, rc, "no memory for a curve")); /* it is rc */
        if (rc == 0 && asked->past->n > 1)
            write_curve(asked, asked->past->numbers[i]);
    }
    if (rc < 0 || asked->rows == CURVES_AT_ONCE)
        return rc < 0 ? rc : 1;
    asy_jsonw_close(&asked->w, ']');
    return 0;
}
