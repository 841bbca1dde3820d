/* SPDX-License-Identifier: Apache-2.0
 * regret.c - see asy/regret.h.
 *
 * The model is that of the sampler gp, for itself: it must not depend on who suggests, and one fit
 * for each tenth of the trials costs little. Values are seen on the scale under which they are most
 * probable (gp_warp.h), and the bounds taken back to theirs, which keeps the order of quantiles.
 *
 * The least lower confidence bound is searched for by many points and then, from the best of them,
 * by steps that halve where no step helps: without gradients, since it has kinks where the
 * deviation vanishes. A search that missed it would end studies too early; points around the best
 * trials are therefore looked at most. */
#include <asy/regret.h>
#include <stdlib.h>
#include <string.h>
#include <asy/la.h>
#include <asy/rng.h>
#include "gp_data.h"
#include "gp_model.h"
#include "gp_warp.h"

#define ROWS_MAX 128       /* of the model: half of them the best, the others the latest */
#define WIDE 2048
#define NEAR 1024
#define STARTS 12
#define STEP_FIRST 0.1
#define STEP_LEAST 1e-3
#define CHUNK 32
#define NOISIER_MAX 8
/* beta = 2 log(d n^2 pi^2 / (6 delta)) / DOWN. Srinivas et al. and Makarova et al. divide by 5,
 * with which one stop in 19 of tests/tuner/test_regret.c came too early; with 2, one in 70.
 * Undivided it stops half as often. */
#define DELTA 0.1
#define DOWN 2
static const double knees[] = { INFINITY, 1, 0.1 };

struct asy_regret {
    const struct asy_space *space;
    enum asy_goal goal;
    struct asy__gp_dim *dims; /* [d] */
    size_t d;
    struct asy__gp_data data;
    double *u;                /* [d] */
    int exact;
    double bound;             /* of the first m; m 0: not known */
    size_t m;
    uint64_t upto;            /* number of the last of them */
};

/* ---- life ---------------------------------------------------------------------------------- */

void asy_regret_destroy(struct asy_regret *regret)
{
    if (!regret)
        return;
    asy__gp_data_fini(&regret->data);
    free(regret->dims);
    free(regret->u);
    free(regret);
}

int asy_regret_create(const struct asy_space *space, enum asy_goal goal, int exact,
                      struct asy_regret **ret_regret, struct asy_error *err)
{
    size_t n = asy_space_len(space);
    struct asy_regret *r;

    for (size_t i = 0; i < n; i++)
        if (asy_space_at(space, i)->n_whens)
            return asy_fail(err, ASY_E_INVAL, "a bound on the regret needs parameters without "
                            "conditions, and '%s' has some", asy_space_at(space, i)->name);
    if (!(r = calloc(1, sizeof *r)) || !(r->dims = calloc(n + 1, sizeof *r->dims)) ||
        !(r->u = calloc(n + 1, sizeof *r->u))) {
        asy_regret_destroy(r);
        return asy_fail(err, ASY_E_NOMEM, "no memory for a bound on the regret");
    }
    r->space = space;
    r->goal = goal;
    r->exact = exact;
    for (size_t i = 0; i < n; i++)
        if (asy_space_values(space, i) > 1)
            asy__gp_dim_init(&r->dims[r->d++], space, i);
    r->data.d = r->d;
    *ret_regret = r;
    return 0;
}

int asy_regret_tell(struct asy_regret *r, const struct asy_outcome *o, struct asy_error *err)
{
    struct asy__gp_trial trial = { .number = o->number };
    int rc = asy_space_check(r->space, o->x, err), known;

    if (rc)
        return rc;
    if (o->state == ASY_OUTCOME_COMPLETE && o->values && isfinite(o->values[0]) &&
        !(o->violation > 0)) {
        trial.state = ASY__GP_VALUE;
        trial.y[0] = r->goal == ASY_MAXIMIZE ? -o->values[0] : o->values[0];
    } else if (!asy__gp_data_get(&r->data, o->number)) {
        return 0;
    }
    known = asy__gp_data_get(&r->data, o->number) != NULL;
    if (asy__gp_data_reserve(&r->data))
        return asy_fail(err, ASY_E_NOMEM, "no memory for trial %llu",
                        (unsigned long long)o->number);
    for (size_t j = 0; j < r->d; j++)
        r->u[j] = asy__gp_coordinate(&r->dims[j], o->x[r->dims[j].param]);
    asy__gp_data_put(&r->data, &trial, r->u);
    if (o->number <= r->upto && (known || r->exact)) /* who else comes late is seen next time */
        r->m = 0;
    return 0;
}

/* ---- the model ----------------------------------------------------------------------------- */

struct model {
    const struct asy_regret *r;
    struct asy__gp gp;
    size_t n;
    double *y, *t, *alpha; /* [n] values, as the model sees them, K^-1 t */
    double *theta, *work;  /* [2, d + 2], [n, cap + 2] and more */
    double knee, width;    /* width: how many deviations a confidence bound lies off */
};

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* t[m] = 1 where a trial is of the model: the best half of ROWS_MAX, of the others the latest. */
static void mark_rows(const struct asy__gp_view *view, size_t m, double *t)
{
    size_t good = 0, left;
    double worst;

    for (size_t i = 0; i < m; i++)
        t[i] = view->trials[i]->y[0];
    qsort(t, m, sizeof *t, ascending);
    worst = m > ROWS_MAX ? t[ROWS_MAX / 2 - 1] : INFINITY;
    for (size_t i = 0; i < m; i++) {
        t[i] = view->trials[i]->y[0] <= worst && (m <= ROWS_MAX || good < ROWS_MAX / 2);
        good += t[i] > 0;
    }
    left = m > ROWS_MAX ? ROWS_MAX - good : 0;
    for (size_t i = m; i-- > 0 && left > 0;)
        if (!(t[i] > 0)) {
            t[i] = 1;
            left--;
        }
}

static void take_rows(const struct asy__gp_view *view, size_t m, struct model *model)
{
    mark_rows(view, m, model->t);
    for (size_t i = 0; i < m; i++)
        if (model->t[i] > 0) {
            model->y[model->n++] = view->trials[i]->y[0];
            asy__gp_push(&model->gp, view->us[i]);
        }
}

static int settle(struct model *model, double *theta)
{
    int rc;

    asy__gp_set_theta(&model->gp, theta);
    for (int i = 0; (rc = asy__gp_factor(&model->gp)) == ASY_E_INVAL && i < NOISIER_MAX; i++) {
        theta[model->gp.d + 1] += log(10);
        asy__gp_set_theta(&model->gp, theta);
    }
    return rc;
}

/* Hyperparameters and scale of the largest density. */
static int fit(struct model *model)
{
    size_t size = model->gp.d + 2;
    double best = INFINITY, loss, shift, *start = model->theta + size;

    for (size_t i = 0; i < ASY_ARRAY_LEN(knees); i++) {
        shift = asy__gp_warp(model->n, model->y, knees[i], model->t);
        asy__gp_fit_start(model->gp.d, start);
        if (asy__gp_fit(&model->gp, model->t, start, &loss))
            return ASY_E_NOMEM;
        if (i > 0 && !(loss - shift < best))
            continue;
        best = loss - shift;
        model->knee = knees[i];
        memcpy(model->theta, model->gp.theta, size * sizeof *model->theta);
    }
    asy__gp_warp(model->n, model->y, model->knee, model->t);
    return settle(model, model->theta);
}

/* values[m] = mean + sign width deviation at the points u [m, d], m <= CHUNK. */
static void confidence(const struct model *model, size_t m, const double *u, double sign,
                       double *values)
{
    const struct asy__gp *gp = &model->gp;
    double *k = model->work, *dk = k + CHUNK * model->n, *v = dk + CHUNK * model->n;
    size_t n = model->n;

    for (size_t p = 0; p < m; p++)
        asy__gp_covariances(gp, u + p * gp->d, n, k + p * n, dk);
    asy_la_lower_many(n, m, gp->w, gp->cap, k, n, v, n);
    for (size_t p = 0; p < m; p++) {
        double variance = gp->s[gp->d] - asy_la_dot(n, v + p * n, v + p * n);

        values[p] = asy_la_dot(n, k + p * n, model->alpha) +
                    sign * model->width * sqrt(fmax(variance, 0));
    }
}

/* ---- the least lower bound ----------------------------------------------------------------- */

struct least {
    const struct model *model;
    struct asy_rng rng;
    double *u;              /* [CHUNK, d] points in hand */
    size_t n;
    double *starts, values[STARTS]; /* [STARTS, d] the best so far, the best first */
    size_t n_starts;
};

static void keep_best(struct least *l, const double *u, double value)
{
    size_t d = l->model->gp.d, at;

    if (l->n_starts == STARTS && !(value < l->values[STARTS - 1]))
        return;
    at = l->n_starts < STARTS ? l->n_starts++ : STARTS - 1;
    for (; at > 0 && l->values[at - 1] > value; at--) {
        l->values[at] = l->values[at - 1];
        memcpy(l->starts + at * d, l->starts + (at - 1) * d, d * sizeof *u);
    }
    l->values[at] = value;
    memcpy(l->starts + at * d, u, d * sizeof *u);
}

static double any_value(struct least *l, size_t j)
{
    const struct asy__gp_dim *dim = &l->model->r->dims[j];

    if (dim->kind == ASY__GP_CATEGORY)
        return (double)asy_rng_below(&l->rng, (uint64_t)dim->n_values);
    return asy__gp_snap(dim, l->model->r->space, asy_rng_double(&l->rng));
}

static double beside(struct least *l, size_t j, double at, double by)
{
    const struct asy__gp_dim *dim = &l->model->r->dims[j];

    if (dim->kind == ASY__GP_CATEGORY)
        return asy_rng_double(&l->rng) < 0.2 ? any_value(l, j) : at;
    return asy__gp_snap(dim, l->model->r->space, fmin(fmax(at + by, 0), 1));
}

/* Random points, and points around the best trials. */
static void look_around(struct least *l)
{
    const struct asy__gp *gp = &l->model->gp;
    double values[CHUNK];

    for (size_t i = 0; i < WIDE + NEAR; i += CHUNK) {
        for (size_t p = 0; p < CHUNK; p++) {
            double reach = pow(10, -3 * asy_rng_double(&l->rng));
            size_t of = (size_t)asy_rng_below(&l->rng, l->model->n);

            if (asy_rng_double(&l->rng) < 0.5) /* the best of some: good ones, mostly */
                for (int k = 0; k < 8; k++) {
                    size_t other = (size_t)asy_rng_below(&l->rng, l->model->n);

                    of = l->model->y[other] < l->model->y[of] ? other : of;
                }
            for (size_t j = 0; j < gp->d; j++)
                l->u[p * gp->d + j] =
                    i < WIDE ? any_value(l, j)
                             : beside(l, j, gp->x[j * gp->cap + of],
                                      reach * asy_rng_normal(&l->rng));
        }
        confidence(l->model, CHUNK, l->u, -1, values);
        for (size_t p = 0; p < CHUNK; p++)
            keep_best(l, l->u + p * gp->d, values[p]);
    }
}

/* Tries steps to both sides along each coordinate (of a choice, another value) and along a random
 * direction; returns the best, *u moved there. */
static double step_from(struct least *l, double *u, double value, double step)
{
    const struct asy__gp *gp = &l->model->gp;
    double values[CHUNK], found = value;
    size_t total = 2 * gp->d + 8, best = SIZE_MAX;

    for (size_t from = 0; from < total; from += CHUNK) {
        size_t m = total - from < CHUNK ? total - from : CHUNK;

        for (size_t p = 0; p < m; p++) {
            size_t k = from + p;
            double *to = l->u + p * gp->d;

            memcpy(to, u, gp->d * sizeof *u);
            if (k < 2 * gp->d) {
                const struct asy__gp_dim *dim = &l->model->r->dims[k / 2];

                to[k / 2] = dim->kind == ASY__GP_CATEGORY
                                ? any_value(l, k / 2)
                                : beside(l, k / 2, u[k / 2], k % 2 ? step : -step);
                continue;
            }
            for (size_t j = 0; j < gp->d; j++)
                to[j] = beside(l, j, u[j], step * asy_rng_normal(&l->rng));
        }
        confidence(l->model, m, l->u, -1, values);
        for (size_t p = 0; p < m; p++)
            if (values[p] < found) {
                found = values[p];
                best = p;
                memcpy(l->starts + STARTS * gp->d, l->u + p * gp->d, gp->d * sizeof *u);
            }
    }
    if (best != SIZE_MAX)
        memcpy(u, l->starts + STARTS * gp->d, gp->d * sizeof *u);
    return found;
}

static int find_least(const struct model *model, double *ret_least)
{
    struct least l = { .model = model };
    size_t d = model->gp.d;

    if (!(l.u = malloc((CHUNK + STARTS + 1) * (d + 1) * sizeof *l.u)))
        return ASY_E_NOMEM;
    l.starts = l.u + CHUNK * (d + 1);
    asy_rng_init(&l.rng, 0, model->n, ASY_RNG_SAMPLER);
    look_around(&l);
    *ret_least = INFINITY;
    for (size_t i = 0; i < l.n_starts; i++) {
        double value = l.values[i], *u = l.starts + i * d;

        for (double step = STEP_FIRST; step >= STEP_LEAST;) {
            double now = step_from(&l, u, value, step);

            step = now < value ? step : step / 2;
            value = now;
        }
        *ret_least = fmin(*ret_least, value);
    }
    free(l.u);
    return 0;
}

/* ---- the bound ----------------------------------------------------------------------------- */

static int alloc_model(struct model *model, const struct asy__gp_view *view, size_t m)
{
    size_t d = model->r->d, rows = m < ROWS_MAX ? m : ROWS_MAX;

    if (asy__gp_init(&model->gp, model->r->dims, d) || asy__gp_reserve(&model->gp, rows))
        return ASY_E_NOMEM;
    model->y = malloc((2 * m + rows + 2 * (d + 2) + 3 * CHUNK * rows) * sizeof *model->y);
    if (!model->y)
        return ASY_E_NOMEM;
    model->t = model->y + m;
    model->alpha = model->t + m;
    model->theta = model->alpha + rows;
    model->work = model->theta + 2 * (d + 2);
    take_rows(view, m, model);
    return 0;
}

/* The least upper bound of a trial. */
static double least_upper(const struct model *model)
{
    const struct asy__gp *gp = &model->gp;
    double least = INFINITY, value, *u = model->theta + gp->d + 2; /* the start of a fit, done */

    for (size_t i = 0; i < model->n; i++) {
        for (size_t j = 0; j < gp->d; j++)
            u[j] = gp->x[j * gp->cap + i];
        confidence(model, 1, u, 1, &value);
        least = fmin(least, value);
    }
    return least;
}

static int find_bound(const struct asy_regret *r, const struct asy__gp_view *view, size_t m,
                      double *ret_bound)
{
    struct model model = { .r = r };
    double beta = 2 * log((double)(r->d ? r->d : 1) * (double)m * (double)m * M_PI * M_PI /
                          (6 * DELTA)) / DOWN;
    double lower, upper;
    int rc;

    *ret_bound = INFINITY;
    model.width = sqrt(beta);
    if ((rc = alloc_model(&model, view, m)) || (rc = fit(&model)))
        goto out;
    asy_la_lower_many(model.n, 1, model.gp.w, model.gp.cap, model.t, model.n, model.work, model.n);
    asy_la_lower_many_t(model.n, 1, model.gp.w, model.gp.cap, model.work, model.n, model.alpha,
                        model.n);
    upper = least_upper(&model);
    if ((rc = find_least(&model, &lower)) ||
        (rc = asy__gp_unwarp(model.n, model.y, model.knee, upper, &upper)) ||
        (rc = asy__gp_unwarp(model.n, model.y, model.knee, lower, &lower)))
        goto out;
    if (!isnan(upper - lower)) /* values that are all equal say nothing */
        *ret_bound = fmax(upper - lower, 0);
out:
    asy__gp_fini(&model.gp);
    free(model.y);
    return rc == ASY_E_INVAL ? 0 : rc; /* no model says nothing */
}

/* How many of n trials a bound is made of. */
static size_t counted(size_t n)
{
    size_t m = ASY_REGRET_TRIALS;

    while (m + (m / 10 ? m / 10 : 1) <= n)
        m += m / 10 ? m / 10 : 1;
    return n < ASY_REGRET_TRIALS ? 0 : m;
}

int asy_regret_bound(struct asy_regret *r, double *ret_bound, size_t *ret_n, struct asy_error *err)
{
    struct asy__gp_view view;
    size_t m;

    if (asy__gp_view_init(&view, &r->data, UINT64_MAX)) {
        asy__gp_view_fini(&view);
        return asy_fail(err, ASY_E_NOMEM, "no memory for a bound on the regret");
    }
    m = r->d ? counted(view.n_finished) : 0;
    if (m && m != r->m) {
        double bound;

        if (find_bound(r, &view, m, &bound)) {
            asy__gp_view_fini(&view);
            return asy_fail(err, ASY_E_NOMEM, "no memory for a bound on the regret");
        }
        r->bound = bound;
        r->m = m;
        r->upto = view.trials[m - 1]->number;
    }
    *ret_bound = m ? r->bound : INFINITY;
    *ret_n = m;
    asy__gp_view_fini(&view);
    return 0;
}
