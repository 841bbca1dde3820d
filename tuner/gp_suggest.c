/* SPDX-License-Identifier: Apache-2.0
 * gp_suggest.c - see gp_suggest.h: models, paths of what runs, and the search. */
#include "gp_suggest.h"
#include <stdlib.h>
#include <string.h>
#include <asy/la.h>
#include "gp_chain.h"
#include "gp_region.h"
#include "gp_search.h"

#define SEARCH_BLOCK ((uint64_t)1 << 56) /* above the blocks of random and tpe */
#define GOOD_MAX 8   /* points that are looked around: the best, or some of the front */
#define GOOD_BEST 4
#define ROWS_MAX 1536   /* finished trials in the model: the time of an ask grows with their cube */
#define VOLUME_PATHS 4  /* fantasies of two objectives: each makes strips of its own */

/* ---- the model of an ask ------------------------------------------------------------------- */

static int same_theta(const struct asy__gp *model, const double *theta)
{
    return model->warped == asy__gp_theta_warps(model->d, theta) &&
           !memcmp(model->theta, theta, asy__gp_theta_len(model) * sizeof *theta);
}

/* Rows and factor. */
static int settle(struct asy__gp *model, const struct asy__gp_view *view, double *theta)
{
    if (!same_theta(model, theta)) {
        asy__gp_warp_inputs(model, asy__gp_theta_warps(model->d, theta));
        asy__gp_set_theta(model, theta);
    }
    if (asy__gp_set_rows(model, view, view->n))
        return ASY_E_NOMEM;
    return asy__gp_settle(model, theta);
}

/* alpha [rows] = K^-1 y for the known y [n_known]; what runs has the outcome that lies z [rows -
 * n_known] standard deviations from where the rows before it predict it (NULL: none), which
 * ret_running [rows - n_known] gets. v: [rows] scratch. */
static void solve(const struct asy__gp *model, size_t n_known, const double *y, const double *z,
                  double *v, double *alpha, double *ret_running)
{
    asy_la_lower_many(n_known, 1, model->w, model->cap, y, n_known, v, n_known);
    for (size_t i = n_known; i < model->n; i++) {
        v[i] = z ? z[i - n_known] : 0;
        if (ret_running)
            ret_running[i - n_known] = asy_la_dot(i + 1, model->l + i * model->cap, v);
    }
    asy_la_lower_many_t(model->n, 1, model->w, model->cap, v, model->n, alpha, model->n);
}

/* The value to beat: the best known one of those that are feasible; INFINITY: none is. */
static double best_known(const struct asy__gp_view *view)
{
    double best = INFINITY;

    for (size_t i = 0; i < view->n_finished; i++)
        if (!(view->trials[i]->violation > 0))
            best = fmin(best, view->t[0][i]);
    return best;
}

/* What the improvement is computed from; its arrays are one block. */
struct paths {
    double *z;       /* [3, rows] normal draws of either objective, what runs comes to */
    double *v;       /* [rows] scratch */
    double *alphas;  /* [goals, paths, rows] */
    double *points;  /* [rows, 2] */
    double *edges, *heights; /* [paths, rows + 2], [paths, rows + 1] */
    double best[ASY__GP_PATHS_MAX];
    struct asy__strips strips[ASY__GP_PATHS_MAX];
};

static size_t n_paths_of(const struct asy__gp_sampler *gp, size_t running)
{
    return !running ? 1 : gp->n_goals > 1 ? VOLUME_PATHS : ASY__GP_PATHS_MAX;
}

static int alloc_paths(struct paths *paths, const struct asy__gp_sampler *gp, size_t n,
                       size_t n_paths)
{
    size_t goals = gp->n_goals;
    double *at = malloc((6 * n + goals * n_paths * n + n_paths * (2 * n + 3)) * sizeof *at);

    if (!(paths->z = at))
        return ASY_E_NOMEM;
    paths->v = at + 3 * n;
    paths->points = at + 4 * n;
    paths->alphas = at + 6 * n;
    paths->edges = paths->alphas + goals * n_paths * n;
    paths->heights = paths->edges + n_paths * (n + 2);
    return 0;
}

/* A tenth of the range beyond the worst of each objective, of those that are feasible. */
static void refer(const struct asy__gp_view *view, double *ret_reference)
{
    for (size_t g = 0; g < 2; g++) {
        double worst = -INFINITY, best = INFINITY;

        for (size_t i = 0; i < view->n_finished; i++)
            if (!(view->trials[i]->violation > 0)) {
                worst = fmax(worst, view->t[g][i]);
                best = fmin(best, view->t[g][i]);
            }
        ret_reference[g] = worst + 0.1 * (worst - best) + 1e-12;
    }
}

/* The strips of a path: of what is known to be feasible, and of what runs. */
static void cut_strips(struct paths *paths, const struct asy__gp_view *view, size_t path)
{
    size_t n = 0, room = view->n;
    double reference[2];

    refer(view, reference);
    for (size_t i = 0; i < view->n; i++) {
        if (i < view->n_finished && view->trials[i]->violation > 0)
            continue;
        for (size_t g = 0; g < 2; g++)
            paths->points[2 * n + g] = i < view->n_finished
                                           ? view->t[g][i]
                                           : paths->points[2 * i + g];
        n++;
    }
    paths->strips[path].edges = paths->edges + path * (room + 2);
    paths->strips[path].heights = paths->heights + path * (room + 1);
    asy__strips_make(&paths->strips[path], n, paths->points, reference);
}

/* Fills the improvement's side of acq. Normal draws come in pairs of opposite sign. */
static void set_paths(struct asy__gp_sampler *gp, const struct asy__gp_view *view,
                      struct asy_rng *rng, struct paths *paths, struct asy__gp_acq *acq)
{
    size_t n = view->n, running = n - view->n_finished;
    double known = best_known(view), *z = paths->z, *came = paths->z + 2 * n;

    acq->objective = known < INFINITY ? &gp->objective[0] : NULL;
    acq->second = known < INFINITY && gp->n_goals > 1 ? &gp->objective[1] : NULL;
    acq->alpha = paths->alphas;
    acq->second_alpha = paths->alphas + acq->n_paths * n;
    acq->best = paths->best;
    acq->strips = paths->strips;
    for (size_t s = 0; s < acq->n_paths; s++) {
        paths->best[s] = known;
        for (size_t g = 0; g < gp->n_goals; g++) {
            double *draws = z + g * running;

            for (size_t i = 0; i < running; i++)
                draws[i] = s % 2 ? -draws[i] : asy_rng_normal(rng);
            solve(&gp->objective[g], view->n_finished, g ? view->t[g] : view->rest, draws, paths->v,
                  paths->alphas + (g * acq->n_paths + s) * n, came);
            for (size_t i = 0; i < running; i++) {
                came[i] += g ? 0 : acq->weight * view->expected[view->n_finished + i];
                paths->points[2 * (view->n_finished + i) + g] = came[i];
                paths->best[s] = g ? paths->best[s] : fmin(paths->best[s], came[i]);
            }
        }
        if (acq->second)
            cut_strips(paths, view, s);
    }
}

/* Of the i-th finished trial: smaller is better, the objective last. */
static int is_better(const struct asy__gp_view *view, size_t i, size_t than)
{
    double a = view->trials[i]->violation, b = view->trials[than]->violation;

    return a < b || (a == b && view->t[0][i] < view->t[0][than]);
}

/* The best finished points, feasible ones first. good: [GOOD_BEST, d]. */
static size_t list_best(const struct asy__gp_sampler *gp, const struct asy__gp_view *view,
                        double *good)
{
    size_t taken[GOOD_BEST], n = 0;

    for (; n < GOOD_BEST && n < view->n_finished; n++) {
        size_t best = SIZE_MAX;

        for (size_t i = 0; i < view->n_finished; i++) {
            size_t known = 0;

            while (known < n && taken[known] != i)
                known++;
            if (known == n && (best == SIZE_MAX || is_better(view, i, best)))
                best = i;
        }
        taken[n] = best;
        memcpy(good + n * gp->d, view->us[best], gp->d * sizeof *good);
    }
    return n;
}

static int is_of_front(const struct asy__gp_view *view, size_t i)
{
    int beaten = view->trials[i]->violation > 0;

    for (size_t k = 0; k < view->n_finished && !beaten; k++)
        beaten = !(view->trials[k]->violation > 0) && view->t[0][k] <= view->t[0][i] &&
                 view->t[1][k] <= view->t[1][i] &&
                 (view->t[0][k] < view->t[0][i] || view->t[1][k] < view->t[1][i]);
    return !beaten;
}

/* Any points of the front of two objectives (reservoir sampling). good: [GOOD_MAX, d]. */
static size_t list_front(const struct asy__gp_sampler *gp, const struct asy__gp_view *view,
                         struct asy_rng *rng, double *good)
{
    size_t seen = 0;

    for (size_t i = 0; i < view->n_finished; i++) {
        size_t at = seen;

        if (!is_of_front(view, i))
            continue;
        if (seen++ >= GOOD_MAX)
            at = (size_t)asy_rng_below(rng, seen);
        if (at < GOOD_MAX)
            memcpy(good + at * gp->d, view->us[i], gp->d * sizeof *good);
    }
    return seen < GOOD_MAX ? seen : GOOD_MAX;
}

static int all_finite(const struct asy__gp_sampler *gp)
{
    for (size_t j = 0; j < gp->d; j++)
        if (gp->dims[j].kind == ASY__GP_REAL)
            return 0;
    return 1;
}

/* The box of the search, [d] each: of a finite space all, since the best of it may be known. */
static void set_box(const struct asy__gp_sampler *gp, uint64_t number,
                    const struct asy__gp_view *view, const struct asy__gp_acq *acq,
                    const double *center, const double *s, double *lo, double *hi)
{
    for (size_t j = 0; j < gp->d; j++) {
        lo[j] = 0;
        hi[j] = 1;
    }
    if (gp->has_region && asy__gp_is_near(number) && acq->objective && !acq->second &&
        !all_finite(gp))
        asy__gp_region_box(gp->d, center, s,
                           asy__gp_region_side(view, gp->startup, gp->d), lo, hi);
}

/* s [d] of gp_model.h as they are for inputs that are not warped, around u. x: [d] scratch. */
static void straighten(const struct asy__gp *model, const double *u, double *x, double *ret_s)
{
    asy__gp_see(model, u, x, ret_s);
    for (size_t j = 0; j < model->d; j++)
        ret_s[j] = model->s[j] * ret_s[j] * ret_s[j];
}

/* Searches under a model that is settled. memory: [(GOOD_MAX + 4) d]. */
static int find_best(struct asy_sampler *s, uint64_t number, struct asy_rng *rng,
                     const struct asy__gp_view *view, const struct asy__gp_acq *acq, double *memory)
{
    struct asy__gp_sampler *gp = s->state;
    const struct asy__gp *model = acq->objective ? acq->objective : acq->feasible;
    double *length = memory + GOOD_MAX * gp->d, *lo = length + gp->d, *hi = lo + gp->d;
    double *straight = hi + gp->d;
    struct asy__gp_search search = { .space = s->space, .dims = gp->dims, .d = gp->d,
                                     .fixed = gp->u + gp->d, .good = memory, .length = length,
                                     .lo = lo, .hi = hi, .rng = *rng };

    search.n_good = acq->second ? list_front(gp, view, &search.rng, memory)
                                : list_best(gp, view, memory);
    search.known = all_finite(gp) ? model : NULL;
    if (acq->second) {
        straighten(acq->second, memory, lo, straight);
        for (size_t j = 0; j < gp->d; j++)
            hi[j] = straight[j];
    }
    straighten(model, memory, lo, straight);
    for (size_t j = 0; j < gp->d; j++) {
        length[j] = fmin(1 / sqrt(straight[j]), 1);
        if (acq->second)
            length[j] = fmin(1 / sqrt(hi[j]), length[j]);
    }
    set_box(gp, number, view, acq, memory, straight, lo, hi);
    return asy__gp_search(&search, acq, gp->u + 2 * gp->d);
}

/* Brings the models up to date with the view, which is cut to what they hold. */
static int settle_all(struct asy__gp_sampler *gp, struct asy__gp_view *view, double *theta)
{
    size_t size = ASY__GP_THETA_MAX(gp->d);
    int rc = 0;

    for (size_t g = 0; g < gp->n_goals; g++)
        asy__gp_view_warp(view, view->n_finished, g, theta[ASY__GP_KNEE(gp->d, g)]);
    asy__gp_view_limit(view, ROWS_MAX);
    asy__gp_view_expect(view, view->n_finished, theta[ASY__GP_WEIGHT(gp->d)]);
    for (size_t g = 0; g < gp->n_goals && !rc; g++)
        rc = settle(&gp->objective[g], view, theta + g * size);
    return rc || !view->constrained ? rc : settle(&gp->feasible, view, theta + 2 * size);
}

/* Fills what earlier studies make expect of the view's points. */
static int expect(struct asy_sampler *s, struct asy__gp_view *view)
{
    struct asy__gp_sampler *gp = s->state;
    double *work;

    if (!s->n_earlier || gp->n_goals > 1 || view->n_finished < ASY__EARLIER_PROOF)
        return 0;
    if (!gp->earlier.alpha) {
        int rc = asy__gp_earlier_make(&gp->earlier, s);

        if (rc)
            return rc;
    }
    if (!(work = malloc(ASY__GP_EARLIER_WORK(&gp->earlier) * sizeof *work)))
        return ASY_E_NOMEM;
    for (size_t i = 0; i < view->n; i++)
        view->expected[i] = asy__gp_earlier_mean(&gp->earlier, view->us[i], work, NULL);
    free(work);
    return 0;
}

static int use_earlier(const struct asy__gp_sampler *gp, double weight, struct asy__gp_acq *acq)
{
    if (!(weight > 0))
        return 0;
    acq->earlier = &gp->earlier;
    acq->weight = weight;
    acq->earlier_work = malloc(ASY__GP_EARLIER_WORK(acq->earlier) * sizeof *acq->earlier_work);
    return acq->earlier_work ? 0 : ASY_E_NOMEM;
}

int asy__gp_suggest(struct asy_sampler *s, uint64_t number, struct asy__gp_view *view)
{
    struct asy__gp_sampler *gp = s->state;
    struct asy_rng rng = asy__sampler_rng(s, number, SEARCH_BLOCK);
    size_t n = view->n;
    size_t n_doubles = 2 * n + ASY__GP_WORK(n, gp->d) + ASY__GP_THETA_LEN(gp->d) +
                       (GOOD_MAX + 4) * gp->d;
    double *theta = malloc(n_doubles * sizeof *theta), *other;
    struct asy__gp_acq acq = { 0 };
    struct paths paths = { 0 };
    int rc = ASY_E_NOMEM;

    if (!theta || (rc = expect(s, view)) ||
        (rc = asy__gp_find_fit(gp, view, view->n_finished, theta)))
        goto out;
    if ((rc = settle_all(gp, view, theta)))
        goto out;
    n = view->n;
    acq.n_paths = n_paths_of(gp, n - view->n_finished);
    if ((rc = alloc_paths(&paths, gp, n, acq.n_paths)))
        goto out;
    other = theta + ASY__GP_THETA_LEN(gp->d);
    acq.work = other + 2 * n;
    if ((rc = use_earlier(gp, theta[ASY__GP_WEIGHT(gp->d)], &acq)))
        goto out;
    set_paths(gp, view, &rng, &paths, &acq);
    if (view->constrained) {
        solve(&gp->feasible, view->n_finished, view->c, NULL, other + n, other, NULL);
        acq.feasible = &gp->feasible;
        acq.feasible_alpha = other;
    }
    rc = find_best(s, number, &rng, view, &acq, acq.work + ASY__GP_WORK(n, gp->d));
out:
    free(paths.z);
    free(acq.earlier_work);
    free(theta);
    return rc;
}
