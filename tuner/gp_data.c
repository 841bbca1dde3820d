/* SPDX-License-Identifier: Apache-2.0
 * gp_data.c - see gp_data.h. */
#include "gp_data.h"
#include <stdlib.h>
#include <string.h>
#include "gp_warp.h"

void asy__gp_data_fini(struct asy__gp_data *data)
{
    asy__map_fini(&data->numbers);
    free(data->trials);
    free(data->us);
    free(data->order);
    *data = (struct asy__gp_data){ 0 };
}

int asy__gp_data_reserve(struct asy__gp_data *data)
{
    size_t cap = data->cap ? data->cap + data->cap / 2 : 64;
    void *more;

    if (data->n == data->cap) {
        if (cap >= ASY__MAP_NONE || !(more = realloc(data->trials, cap * sizeof *data->trials)))
            return ASY_E_NOMEM;
        data->trials = more;
        if (!(more = realloc(data->us, cap * (data->d + 1) * sizeof *data->us)))
            return ASY_E_NOMEM;
        data->us = more;
        if (!(more = realloc(data->order, cap * sizeof *data->order)))
            return ASY_E_NOMEM;
        data->order = more;
        data->cap = cap;
    }
    return asy__map_reserve(&data->numbers);
}

struct asy__gp_trial *asy__gp_data_get(const struct asy__gp_data *data, uint64_t number)
{
    uint32_t i = asy__map_get(&data->numbers, number);

    return i == ASY__MAP_NONE ? NULL : &data->trials[i];
}

void asy__gp_data_put(struct asy__gp_data *data, const struct asy__gp_trial *trial, const double *u)
{
    uint32_t i = asy__map_get(&data->numbers, trial->number);

    if (i == ASY__MAP_NONE) {
        size_t at = data->n;

        i = (uint32_t)data->n++;
        asy__map_put(&data->numbers, trial->number, i);
        while (at > 0 && data->trials[data->order[at - 1]].number > trial->number) {
            data->order[at] = data->order[at - 1];
            at--;
        }
        data->order[at] = i;
    }
    data->trials[i] = *trial;
    memcpy(data->us + i * data->d, u, data->d * sizeof *u);
}

/* ---- views --------------------------------------------------------------------------------- */

/* Appends the trials of one sort in the order of their numbers. */
static void gather(struct asy__gp_view *view, const struct asy__gp_data *data, uint64_t number,
                   int finished)
{
    for (size_t i = 0; i < data->n; i++) {
        const struct asy__gp_trial *trial = &data->trials[data->order[i]];
        int counts = finished ? trial->state != ASY__GP_UNFINISHED : trial->running;

        if (!counts || trial->number == number)
            continue;
        view->trials[view->n] = trial;
        view->us[view->n++] = data->us + data->order[i] * data->d;
    }
    if (finished)
        view->n_finished = view->n;
}

int asy__gp_view_init(struct asy__gp_view *view, const struct asy__gp_data *data, uint64_t number)
{
    size_t n = data->n + 1;
    double *at = calloc(n, (6 * sizeof *at + sizeof *view->trials + sizeof *view->us));

    *view = (struct asy__gp_view){ .memory = at };
    if (!at)
        return ASY_E_NOMEM;
    view->y = at;
    view->t[0] = at + n;
    view->t[1] = at + 2 * n;
    view->c = at + 3 * n;
    view->expected = at + 4 * n;
    view->rest = at + 5 * n;
    view->trials = (const struct asy__gp_trial **)(at + 6 * n);
    view->us = (const double **)(view->trials + n);
    gather(view, data, number, 1);
    gather(view, data, number, 0);
    return 0;
}

void asy__gp_view_fini(struct asy__gp_view *view)
{
    free(view->memory);
    *view = (struct asy__gp_view){ 0 };
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* A censored value is no better than the median of the known ones, the worst as bad as any. */
static void fill_values(struct asy__gp_view *view, size_t m, size_t goal)
{
    double median = -INFINITY, worst = -INFINITY, *t = view->t[goal];
    size_t n = 0;

    for (size_t i = 0; i < m; i++)
        if (view->trials[i]->state == ASY__GP_VALUE)
            t[n++] = view->trials[i]->y[goal];
    qsort(t, n, sizeof *t, ascending);
    if (n > 0)
        median = 0.5 * t[(n - 1) / 2] + 0.5 * t[n / 2];
    for (size_t i = 0; i < m; i++) {
        const struct asy__gp_trial *trial = view->trials[i];

        view->y[i] = trial->y[goal];
        if (trial->state == ASY__GP_CENSORED)
            view->y[i] = fmax(view->y[i], median);
        if (trial->state != ASY__GP_WORST)
            worst = fmax(worst, view->y[i]);
    }
    for (size_t i = 0; i < m; i++)
        if (view->trials[i]->state == ASY__GP_WORST)
            view->y[i] = worst > -INFINITY ? worst : 0;
}

/* The constraint's values: -1/2 where feasible, from 1/2 to 3/2 by the violation, in units of its
 * median, where not; then a mean square of 1. */
static void fill_constraint(struct asy__gp_view *view, size_t m)
{
    double median, square = 0;
    size_t n = 0;

    for (size_t i = 0; i < m; i++)
        if (view->trials[i]->violation > 0)
            view->c[n++] = view->trials[i]->violation;
    view->constrained = n > 0;
    if (n == 0)
        return;
    qsort(view->c, n, sizeof *view->c, ascending);
    median = view->c[n / 2];
    for (size_t i = 0; i < m; i++) {
        double by = view->trials[i]->violation;

        view->c[i] = by > 0 ? 0.5 + (isfinite(by) ? by / (by + median) : 1) : -0.5;
        square += view->c[i] * view->c[i] / (double)m;
    }
    for (size_t i = 0; i < m; i++)
        view->c[i] /= sqrt(square);
}

double asy__gp_view_warp(struct asy__gp_view *view, size_t m, size_t goal, double knee)
{
    fill_values(view, m, goal);
    fill_constraint(view, m);
    return asy__gp_warp(m, view->y, knee, view->t[goal]);
}

void asy__gp_view_expect(struct asy__gp_view *view, size_t m, double weight)
{
    for (size_t i = 0; i < m; i++)
        view->rest[i] = view->t[0][i] - weight * view->expected[i];
}

/* For the order of the best: infeasible ones last. */
static double key(const struct asy__gp_view *view, size_t i)
{
    return view->trials[i]->violation > 0 ? INFINITY : view->t[0][i] + view->t[1][i];
}

/* y[n] = 1 where a finished trial stays, 0 where not. */
static void mark_kept(struct asy__gp_view *view, size_t max)
{
    size_t n = view->n_finished, good = 0, left;
    double worst;

    for (size_t i = 0; i < n; i++)
        view->y[i] = key(view, i);
    qsort(view->y, n, sizeof *view->y, ascending);
    worst = view->y[max / 2 - 1];
    for (size_t i = 0; i < n; i++) {
        view->y[i] = key(view, i) <= worst && good < max / 2;
        good += view->y[i] > 0;
    }
    left = max - good;
    for (size_t i = n; i-- > 0 && left > 0;)
        if (!(view->y[i] > 0)) {
            view->y[i] = 1;
            left--;
        }
}

void asy__gp_view_limit(struct asy__gp_view *view, size_t max)
{
    size_t kept = 0, n = view->n_finished;

    if (n <= max)
        return;
    mark_kept(view, max);
    for (size_t i = 0; i < view->n; i++) {
        if (i < n && !(view->y[i] > 0))
            continue;
        view->trials[kept] = view->trials[i];
        view->us[kept] = view->us[i];
        view->expected[kept] = view->expected[i];
        if (i < n) {
            for (size_t g = 0; g < ASY__GP_GOALS_MAX; g++)
                view->t[g][kept] = view->t[g][i];
            view->c[kept] = view->c[i];
        }
        kept++;
    }
    view->n = kept;
    view->n_finished = max;
}
