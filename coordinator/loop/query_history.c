/* SPDX-License-Identifier: Apache-2.0
 * query_history.c - how a study went: the hypervolume of its front after each complete trial within
 * the constraints, and the learning curves of all trials. However many reports a trial has, a piece
 * reads few of them and a curve takes little memory: it is thinned while it is read.
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
#define CURVES_AT_ONCE 32     /* trials that are looked up together */
#define ROWS_AT_ONCE 2048     /* reports of one piece, of however many curves */
#define CURVE_POINTS_MAX 192  /* that are shown of one curve, but for its last; even */

struct asy__point {
    uint64_t step;
    double value;
};
/* A learning curve, as far as it has been read. */
struct asy__curve {
    struct asy__point points[CURVE_POINTS_MAX]; /* [n]: of the n_seen every stride-th */
    struct asy__point last;
    size_t n, n_seen, stride;
    uint64_t step, seq;    /* of the row before the next */
    int64_t rows;          /* of the last reading */
};
struct asy__past {
    double ref[ASY_OBJECTIVES_MAX], volume;
    double *front;         /* [n_front, m] */
    size_t n_front;
    char *metric;          /* of curves */
    uint64_t numbers[CURVES_AT_ONCE]; /* [n_numbers] of trials whose curves come; next: the one in
                                       * hand */
    size_t n_numbers;
    struct asy__curve curve;
};

void asy__past_free(struct asy__asked *asked)
{
    if (!asked->past)
        return;
    free(asked->past->front);
    free(asked->past->metric);
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
    asked->next = 0;
    asked->past->curve.stride = 1;
    asy_jsonw_str(&asked->w, "study", asked->name);
    asy_jsonw_str(&asked->w, "metric", metric);
    asy_jsonw_open(&asked->w, "curves", '[');
    asy_json_destroy(spec);
    return rc;
}

/* A point of the curve in hand. Every stride-th is kept, and the last; where the buffer is full,
 * every other one of them goes and the stride doubles. */
static int on_metric(void *arg, const struct asy_metric_row *row)
{
    struct asy__curve *curve = &((struct asy__past *)arg)->curve;

    curve->rows++;
    curve->step = row->step;
    curve->seq = row->seq;
    if (row->attempt == 0)
        return 0;
    curve->last = (struct asy__point){ row->step, row->value };
    if (curve->n_seen++ % curve->stride != 0)
        return 0;
    if (curve->n == CURVE_POINTS_MAX) {
        curve->n /= 2;
        for (size_t i = 0; i < curve->n; i++)
            curve->points[i] = curve->points[2 * i];
        curve->stride *= 2;
    }
    curve->points[curve->n++] = curve->last;
    return 0;
}

static void write_curve(struct asy__asked *asked, uint64_t number)
{
    const struct asy__curve *curve = &asked->past->curve;
    int has_last = (curve->n_seen - 1) % curve->stride == 0;

    asy_jsonw_open(&asked->w, NULL, '{');
    asy_jsonw_u64(&asked->w, "trial", number);
    asy_jsonw_open(&asked->w, "steps", '[');
    for (size_t i = 0; i < curve->n; i++)
        asy_jsonw_u64(&asked->w, NULL, curve->points[i].step);
    if (!has_last)
        asy_jsonw_u64(&asked->w, NULL, curve->last.step);
    asy_jsonw_close(&asked->w, ']');
    asy_jsonw_open(&asked->w, "values", '[');
    for (size_t i = 0; i < curve->n; i++)
        asy_jsonw_f64(&asked->w, NULL, curve->points[i].value);
    if (!has_last)
        asy_jsonw_f64(&asked->w, NULL, curve->last.value);
    asy_jsonw_close(&asked->w, ']');
    asy_jsonw_close(&asked->w, '}');
}

static int on_trial(void *arg, const struct asy_trial_row *row)
{
    struct asy__asked *asked = arg;

    asked->past->numbers[asked->past->n_numbers++] = row->number;
    asked->after = (int64_t)row->number;
    return 0;
}

/* The trials whose curves come next. */
static int more_trials(struct asy__asked *asked, struct asy_reader *reader, struct asy_error *err)
{
    asked->past->n_numbers = asked->next = 0;
    return asy_reader_trials(reader, asked->study, asked->after, CURVES_AT_ONCE, 0, on_trial, asked,
                             err);
}

/* Reads on in the curve in hand, at most so many rows. 1: it is whole. */
static int read_on(struct asy__asked *asked, struct asy_reader *reader, int64_t rows,
                   struct asy_error *err)
{
    struct asy__past *past = asked->past;
    struct asy__curve *curve = &past->curve;
    int rc;

    curve->rows = 0;
    rc = asy_reader_series(reader, asked->study, past->numbers[asked->next], past->metric,
                           curve->step, curve->seq, rows, on_metric, past, err);
    return rc < 0 ? rc : curve->rows < rows;
}

int asy__curves_write(struct asy__asked *asked, struct asy_reader *reader, struct asy_error *err)
{
    struct asy__past *past;
    int rc;

    if (!asked->begun && (rc = begin_curves(asked, err)) < 0)
        return rc;
    past = asked->past;
    if (asked->next == past->n_numbers) {
        if ((rc = more_trials(asked, reader, err)) < 0)
            return rc;
        if (past->n_numbers == 0) {
            asy_jsonw_close(&asked->w, ']');
            return 0;
        }
    }
    for (int64_t left = ROWS_AT_ONCE; left > 0 && asked->next < past->n_numbers;) {
        if ((rc = read_on(asked, reader, left, err)) < 0)
            return rc;
        left -= past->curve.rows;
        if (rc == 0)
            break;
        if (past->curve.n_seen > 1)
            write_curve(asked, past->numbers[asked->next]);
        past->curve = (struct asy__curve){ .stride = 1 };
        asked->next++;
    }
    return 1;
}
