/* SPDX-License-Identifier: Apache-2.0
 * query_front.c - the front of a study: its complete trials within the constraints that no other
 * beats in all objectives. With one objective those are the best ones.
 *
 * The values of all trials are read first, page by page; only then is it known who is in it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "query_impl.h"

struct point {
    uint64_t number;
    double losses[ASY_OBJECTIVES_MAX]; /* all minimised */
};
struct asy__front {
    struct asy_json *spec;
    size_t m;
    int maximize[ASY_OBJECTIVES_MAX]; /* [m] */
    struct point *points; /* [n] in the end: of the front alone, by the first objective */
    size_t n, cap, next;
    double *losses;               /* [n, m]: of a history */
};

void asy__front_free(struct asy__asked *asked)
{
    if (!asked->front)
        return;
    asy_json_destroy(asked->front->spec);
    free(asked->front->points);
    free(asked->front->losses);
    free(asked->front);
    asked->front = NULL;
}

/* The j-th objective of a study; NULL beyond the last. */
static const struct asy_json *objective(const struct asy_json *spec, size_t j)
{
    const struct asy_json *node = asy_json_get(spec, "objective");

    if (asy_json_type(node) == ASY_JSON_ARRAY)
        return asy_json_at(node, j);
    return j == 0 ? node : NULL;
}

size_t asy__front_goals(const struct asy_json *spec, int *ret_maximize)
{
    const struct asy_json *node;
    size_t m = 0;

    for (; m < ASY_OBJECTIVES_MAX && (node = objective(spec, m)); m++)
        ret_maximize[m] = !strcmp(asy_json_str(asy_json_get(node, "goal"), ""), "maximize");
    return m;
}

static struct asy__front *begin(const struct asy__asked *asked)
{
    struct asy__front *front = calloc(1, sizeof *front);

    if (!front)
        return NULL;
    ASY_IGNORE(asy_json_parse(asked->spec, strlen(asked->spec), &front->spec, NULL));
    front->m = asy__front_goals(front->spec, front->maximize);
    return front;
}

int asy__outcome_values(const struct asy_trial_row *row, size_t m, double *ret_values)
{
    struct asy_json *outcome = NULL;
    double violation = 0;

    for (size_t j = 0; j < m; j++)
        ret_values[j] = j == 0 ? row->value : NAN;
    if (!*row->outcome ||
        asy_json_parse(row->outcome, strlen(row->outcome), &outcome, NULL) < 0)
        return 1;
    for (size_t j = 0; j < m; j++)
        ret_values[j] = asy_json_f64(asy_json_at(asy_json_get(outcome, "values"), j), NAN);
    violation = asy_json_f64(asy_json_get(outcome, "violation"), INFINITY);
    asy_json_destroy(outcome);
    return violation <= 0;
}

static int on_row(void *arg, const struct asy_trial_row *row)
{
    struct asy__asked *asked = arg;
    struct asy__front *front = asked->front;
    struct point point = { .number = row->number };

    asked->rows++;
    asked->after = (int64_t)row->number;
    if (row->state != ASY_TRIAL_COMPLETE || !asy__outcome_values(row, front->m, point.losses))
        return 0;
    for (size_t j = 0; j < front->m; j++) {
        if (isnan(point.losses[j]))
            return 0;
        if (front->maximize[j])
            point.losses[j] = -point.losses[j];
    }
    if (front->n == front->cap) {
        size_t cap = front->cap ? 2 * front->cap : 64;
        struct point *grown = reallocarray(front->points, cap, sizeof *grown);

        if (!grown)
            return ASY_E_NOMEM;
        front->points = grown;
        front->cap = cap;
    }
    front->points[front->n++] = point;
    return 0;
}

/* By the first objective, those that are equal by the next; unused ones are 0. */
static int by_first(const void *a, const void *b)
{
    const struct point *x = a, *y = b;

    for (size_t j = 0; j < ASY_OBJECTIVES_MAX; j++)
        if (x->losses[j] != y->losses[j])
            return x->losses[j] < y->losses[j] ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

/* Keeps those of the first rank. */
static int keep_front(struct asy__front *front, struct asy_error *err)
{
    double *losses = malloc((front->n * front->m + 1) * sizeof *losses);
    uint32_t *ranks = malloc((front->n + 1) * sizeof *ranks);
    size_t kept = 0;
    int rc = ASY_E_NOMEM;

    if (!losses || !ranks) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for a front");
        goto out;
    }
    for (size_t i = 0; i < front->n; i++)
        memcpy(&losses[i * front->m], front->points[i].losses, front->m * sizeof *losses);
    if ((rc = asy_pareto_ranks(losses, NULL, front->n, front->m, ranks, err)))
        goto out;
    for (size_t i = 0; i < front->n; i++)
        if (ranks[i] == 0)
            front->points[kept++] = front->points[i];
    front->n = kept;
    if (kept)
        qsort(front->points, kept, sizeof *front->points, by_first);
out:
    free(losses);
    free(ranks);
    return rc;
}

static int is_history(const struct asy__asked *asked)
{
    return !strcmp(asked->q->what, "history");
}

/* Keeps those whose values have a volume, as rows. */
static int keep_all(struct asy__front *front, struct asy_error *err)
{
    size_t kept = 0;

    if (!(front->losses = malloc((front->n * front->m + 1) * sizeof *front->losses)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a history");
    for (size_t i = 0; i < front->n; i++) {
        size_t j = 0;

        while (j < front->m && isfinite(front->points[i].losses[j]))
            j++;
        if (j < front->m)
            continue;
        front->points[kept] = front->points[i];
        memcpy(&front->losses[kept++ * front->m], front->points[i].losses,
               front->m * sizeof *front->losses);
    }
    front->n = kept;
    return 0;
}

const double *asy__front_losses(const struct asy__asked *asked, size_t *ret_n, size_t *ret_m)
{
    *ret_n = asked->front->n;
    *ret_m = asked->front->m;
    return asked->front->losses;
}

uint64_t asy__front_number(const struct asy__asked *asked, size_t i)
{
    return asked->front->points[i].number;
}

double asy__front_value(const struct asy__asked *asked, size_t j, double loss)
{
    return asked->front->maximize[j] ? -loss : loss;
}

void asy__front_objectives(struct asy__asked *asked)
{
    asy__put_objectives(&asked->w, asked->front->spec);
}

int asy__front_read(struct asy__asked *asked, struct asy_reader *reader, struct asy_error *err)
{
    int rc;

    if (!asked->front) {
        if (!(asked->front = begin(asked)))
            return asy_fail(err, ASY_E_NOMEM, "no memory for a front");
        asked->after = -1;
    }
    if (asked->front->m < 2 && !strcmp(asked->q->what, "study"))
        return 0; /* its best trial says it */
    asked->rows = 0;
    rc = asy_reader_trials(reader, asked->study, asked->after, ASY__PAGE, 0, on_row, asked, err);
    if (rc == ASY_E_NOMEM)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a front");
    if (rc < 0 || asked->rows == ASY__PAGE)
        return rc < 0 ? rc : 1;
    return is_history(asked) ? keep_all(asked->front, err) : keep_front(asked->front, err);
}

void asy__front_best(const struct asy__asked *asked, struct asy_study_row *row)
{
    const struct asy__front *front = asked->front;

    if (!front || front->m < 2 || front->n == 0 ||
        asy__front_value(asked, 0, front->points[0].losses[0]) != row->best)
        return;
    row->best_trial = (int64_t)front->points[0].number;
}

int asy__front_points(struct asy__asked *asked, struct asy_reader *reader, struct asy_error *err)
{
    const struct asy__front *front = asked->front;

    (void)reader, (void)err;
    if (front->m < 2)
        return 0;
    asy_jsonw_open(&asked->w, "front", '[');
    for (size_t i = 0; i < front->n; i++) {
        asy_jsonw_open(&asked->w, NULL, '{');
        asy_jsonw_u64(&asked->w, "trial", front->points[i].number);
        asy_jsonw_open(&asked->w, "values", '[');
        for (size_t j = 0; j < front->m; j++)
            asy_jsonw_f64(&asked->w, NULL,
                          front->maximize[j] ? -front->points[i].losses[j]
                                              : front->points[i].losses[j]);
        asy_jsonw_close(&asked->w, ']');
        asy_jsonw_close(&asked->w, '}');
    }
    asy_jsonw_close(&asked->w, ']');
    return 0;
}

static void begin_trials(struct asy__asked *asked)
{
    struct asy__front *front = asked->front;
    int64_t limit = asked->q->limit;

    asked->begun = 1;
    asy_jsonw_str(&asked->w, "study", asked->name);
    asy__put_objectives(&asked->w, front->spec);
    asy_jsonw_u64(&asked->w, "size", front->n);
    if (limit >= 0 && (uint64_t)limit < front->n)
        front->n = (size_t)limit;
    asy_jsonw_open(&asked->w, "trials", '[');
}

int asy__front_trials(struct asy__asked *asked, struct asy_reader *reader, struct asy_error *err)
{
    struct asy__front *front = asked->front;
    int rc;

    if (!asked->begun)
        begin_trials(asked);
    for (int i = 0; i < ASY__PAGE && front->next < front->n; i++)
        if ((rc = asy_reader_trial(reader, asked->study, front->points[front->next++].number,
                                   asy__put_trial, asked, err)) < 0)
            return rc;
    if (front->next < front->n)
        return 1;
    asy_jsonw_close(&asked->w, ']');
    return 0;
}
