/* SPDX-License-Identifier: Apache-2.0
 * sampler_gp.c - Bayesian optimisation by a Gaussian process: the point of the largest expected
 * improvement (Jones, Schonlau, Welch 1998) in logarithms, under hyperparameters of the largest
 * posterior density.
 *
 * All that an answer depends on is a function of the latest outcomes, not of the calls before: rows
 * stand in the order of trial numbers; hyperparameters are those of the first m finished trials, m
 * falling behind by at most a thirty-second, found from those of the first m / 2, a chain of a few
 * fits that any history of calls arrives at. What is kept between asks (fits, rows of the factor)
 * is what would be computed again.
 *
 * Pruned trials count with their last value, but as no better than the median of completed ones;
 * diverged ones and values that are not finite as the worst. Running trials take part with drawn
 * outcomes, over which the improvement is averaged (Snoek, Larochelle, Adams 2012, section 3.2).
 *
 * Parameters that are not always active are drawn by tpe, given the others. */
#include "sampler.h"
#include <stdlib.h>
#include <string.h>
#include <asy/la.h>
#include "gp_data.h"
#include "gp_search.h"

enum { STARTUP_TRIALS };
static const struct asy__option options[] = {
    [STARTUP_TRIALS] = { "startup_trials", 10, 1, 1e6 },
};
#define SEARCH_BLOCK ((uint64_t)1 << 56) /* above the blocks of random and tpe */
#define FITS_MAX 64
#define GOOD_MAX 4
#define NOISIER_MAX 8
#define ROWS_MAX 1536   /* finished trials in the model: the time of an ask grows with their cube */
#define CHOSEN_MAX 160  /* finished trials that the knee of the warping is chosen from */
#define FITTED_MAX 1024 /* finished trials that hyperparameters are found from */
static const double knees[] = { INFINITY, 1, 0.1 }; /* see gp_warp.h */

struct fit {
    size_t m;
    uint64_t last; /* number of the m-th finished trial */
    double *theta; /* [2 (d + 2) + 1] objective, constraint, knee */
};
struct gp {
    struct asy__gp_dim *dims; /* [d] of the parameters that are always active */
    size_t d;
    struct asy_sampler *tpe; /* for the others; NULL: there are none */
    struct asy__gp_data data;
    struct asy__gp objective, feasible;
    struct fit fits[FITS_MAX]; /* [n_fits] ascending */
    size_t n_fits;
    double *u;                 /* [3, d] scratch: of tell, fixed, found */
};

/* ---- life ---------------------------------------------------------------------------------- */

static void destroy(struct asy_sampler *s)
{
    struct gp *gp = s->state;

    asy_sampler_destroy(gp->tpe);
    asy__gp_data_fini(&gp->data);
    asy__gp_fini(&gp->objective);
    asy__gp_fini(&gp->feasible);
    for (size_t i = 0; i < FITS_MAX; i++)
        free(gp->fits[i].theta);
    free(gp->dims);
    free(gp->u);
    free(gp);
}

static int make_tpe(struct asy_sampler *s, struct gp *gp, struct asy_error *err)
{
    struct asy_sampler_spec spec = { .name = "tpe", .seed = s->seed, .goals = s->goals,
                                     .n_goals = s->n_goals };
    int conditional = 0;

    for (size_t i = 0; i < asy_space_len(s->space); i++)
        conditional |= asy_space_at(s->space, i)->n_whens > 0;
    return conditional ? asy_sampler_create(s->space, &spec, &gp->tpe, err) : 0;
}

static int create(struct asy_sampler *s, struct asy_error *err)
{
    size_t n = asy_space_len(s->space);
    struct gp *gp;

    if (s->n_goals > 1)
        return asy_fail(err, ASY_E_INVAL, "sampler 'gp' takes one objective, not %zu", s->n_goals);
    if (!(gp = s->state = calloc(1, sizeof *gp)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a sampler");
    if (!(gp->dims = calloc(n + 1, sizeof *gp->dims)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a sampler");
    for (size_t i = 0; i < n; i++)
        if (asy_space_at(s->space, i)->n_whens == 0 && asy_space_values(s->space, i) > 1)
            asy__gp_dim_init(&gp->dims[gp->d++], s->space, i);
    gp->data.d = gp->d;
    if (!(gp->u = calloc(3 * gp->d + 1, sizeof *gp->u)) ||
        asy__gp_init(&gp->objective, gp->dims, gp->d) ||
        asy__gp_init(&gp->feasible, gp->dims, gp->d))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a sampler");
    return make_tpe(s, gp, err);
}

/* ---- what has been seen -------------------------------------------------------------------- */

/* Forgets the fits that a change of this trial's outcome concerns. */
static void forget_fits(struct gp *gp, uint64_t number)
{
    while (gp->n_fits > 0 && gp->fits[gp->n_fits - 1].last >= number)
        gp->n_fits--;
}

static struct asy__gp_trial classify(const struct asy_sampler *s, const struct asy_outcome *o)
{
    double value = o->values ? o->values[0] : NAN;
    struct asy__gp_trial trial = { .number = o->number, .violation = o->violation };

    value = s->goals[0] == ASY_MAXIMIZE ? -value : value;
    if (o->state == ASY_OUTCOME_RUNNING) {
        trial.running = 1;
    } else if (o->state == ASY_OUTCOME_FAILED) {
        trial.state = o->diverged ? ASY__GP_WORST : ASY__GP_UNFINISHED;
    } else if (!isfinite(value)) {
        trial.state = ASY__GP_WORST;
    } else {
        trial.state = o->state == ASY_OUTCOME_PRUNED ? ASY__GP_CENSORED : ASY__GP_VALUE;
        trial.y = value;
    }
    return trial;
}

static int same(const struct asy__gp_trial *a, const struct asy__gp_trial *b)
{
    return a->state == b->state && a->y == b->y && a->violation == b->violation;
}

static int tell(struct asy_sampler *s, const struct asy_outcome *outcome, struct asy_error *err)
{
    struct gp *gp = s->state;
    struct asy__gp_trial trial = classify(s, outcome), *known;
    double *before;
    int rc;

    if (asy__gp_data_reserve(&gp->data))
        return asy_fail(err, ASY_E_NOMEM, "no memory for trial %llu",
                        (unsigned long long)outcome->number);
    if (gp->tpe && (rc = asy_sampler_tell(gp->tpe, outcome, err)))
        return rc;
    for (size_t j = 0; j < gp->d; j++)
        gp->u[j] = asy__gp_coordinate(&gp->dims[j], outcome->x[gp->dims[j].param]);
    known = asy__gp_data_get(&gp->data, outcome->number);
    before = known ? gp->data.us + (size_t)(known - gp->data.trials) * gp->d : NULL;
    if (known ? !same(known, &trial) || memcmp(before, gp->u, gp->d * sizeof *gp->u)
              : trial.state != ASY__GP_UNFINISHED)
        forget_fits(gp, outcome->number);
    asy__gp_data_put(&gp->data, &trial, gp->u);
    return 0;
}

/* ---- hyperparameters ----------------------------------------------------------------------- */

/* Rows [n] of the view, keeping those that stand there already. */
static int set_rows(struct asy__gp *model, const struct asy__gp_view *view, size_t n)
{
    size_t keep = 0;

    if (asy__gp_reserve(model, n))
        return ASY_E_NOMEM;
    for (int equal = 1; keep < model->n && keep < n; keep += (size_t)equal) {
        for (size_t j = 0; j < model->d; j++)
            equal &= model->x[j * model->cap + keep] == view->us[keep][j];
        if (!equal)
            break;
    }
    asy__gp_cut(model, keep);
    for (size_t i = keep; i < n; i++)
        asy__gp_push(model, view->us[i]);
    return 0;
}

/* How many of n finished trials the hyperparameters are found from. */
static size_t fitted_of(size_t n)
{
    size_t step = 1;

    while (64 * step <= n)
        step *= 2;
    return n - n % step;
}

/* A place for the fit of the first m trials, in order. */
static struct fit *fit_insert(struct gp *gp, size_t m, uint64_t last)
{
    double *theta = gp->n_fits < FITS_MAX ? gp->fits[gp->n_fits].theta : gp->fits[0].theta;
    size_t at;

    if (!theta && !(theta = malloc((2 * (gp->d + 2) + 1) * sizeof *theta)))
        return NULL;
    if (gp->n_fits == FITS_MAX) { /* the shortest goes: it is the cheapest to find again */
        memmove(&gp->fits[0], &gp->fits[1], (FITS_MAX - 1) * sizeof gp->fits[0]);
        gp->n_fits--;
    }
    for (at = gp->n_fits++; at > 0 && gp->fits[at - 1].m > m; at--)
        gp->fits[at] = gp->fits[at - 1];
    gp->fits[at] = (struct fit){ m, last, theta };
    return &gp->fits[at];
}

static int fit_model(struct asy__gp *model, const struct asy__gp_view *view, size_t m,
                     const double *y, double *theta, double *ret_loss)
{
    if (set_rows(model, view, m) || asy__gp_fit(model, y, theta, ret_loss))
        return ASY_E_NOMEM;
    memcpy(theta, model->theta, (model->d + 2) * sizeof *theta);
    return 0;
}

/* Fits the objective under each knee, and takes the one under which the values as they were told
 * have the largest density; with more trials, under the knee that half of them had. */
static int fit_objective(struct gp *gp, struct asy__gp_view *view, size_t m, double *theta)
{
    size_t size = gp->d + 2;
    double best = INFINITY, *tries = malloc(2 * size * sizeof *tries);
    double loss, fitted, known = theta[2 * size];
    int rc = ASY_E_NOMEM;

    for (size_t i = 0; tries && i < (m > CHOSEN_MAX ? 1 : ASY_ARRAY_LEN(knees)); i++) {
        double knee = m > CHOSEN_MAX ? known : knees[i];

        memcpy(tries, theta, size * sizeof *tries);
        loss = -asy__gp_view_warp(view, m, knee);
        if (fit_model(&gp->objective, view, m, view->t, tries, &fitted))
            goto out;
        loss += fitted;
        if (i > 0 && !(loss < best))
            continue;
        best = loss;
        memcpy(tries + size, tries, size * sizeof *tries);
        theta[2 * size] = knee;
    }
    if (tries) {
        memcpy(theta, tries + size, size * sizeof *theta);
        rc = 0;
    }
out:
    free(tries);
    return rc;
}

/* theta [2 (d + 2) + 1] = the hyperparameters of the first m finished trials. */
static int find_fit(struct gp *gp, struct asy__gp_view *view, size_t m, double *theta)
{
    size_t size = gp->d + 2, half = fitted_of(m / 2);
    struct fit *fit;
    double unused;

    for (size_t i = 0; i < gp->n_fits; i++)
        if (gp->fits[i].m == m) {
            memcpy(theta, gp->fits[i].theta, (2 * size + 1) * sizeof *theta);
            return 0;
        }
    if (m >= 64) {
        if (find_fit(gp, view, half, theta))
            return ASY_E_NOMEM;
    } else {
        asy__gp_fit_start(gp->d, theta);
        asy__gp_fit_start(gp->d, theta + size);
        theta[2 * size] = knees[0];
    }
    if (fit_objective(gp, view, m, theta) ||
        (view->constrained &&
         fit_model(&gp->feasible, view, m, view->c, theta + size, &unused)) ||
        !(fit = fit_insert(gp, m, view->trials[m - 1]->number)))
        return ASY_E_NOMEM;
    memcpy(fit->theta, theta, (2 * size + 1) * sizeof *theta);
    return 0;
}

/* ---- the model of an ask ------------------------------------------------------------------- */

static int same_theta(const struct asy__gp *model, const double *theta)
{
    return !memcmp(model->theta, theta, (model->d + 2) * sizeof *theta);
}

/* Rows and factor; a model that rounding has made indefinite gets more noise. */
static int settle(struct asy__gp *model, const struct asy__gp_view *view, double *theta)
{
    int rc;

    if (!same_theta(model, theta))
        asy__gp_set_theta(model, theta);
    if (set_rows(model, view, view->n))
        return ASY_E_NOMEM;
    for (int i = 0; (rc = asy__gp_factor(model)) == ASY_E_INVAL && i < NOISIER_MAX; i++) {
        theta[model->d + 1] += log(10);
        asy__gp_set_theta(model, theta);
    }
    return rc;
}

/* alpha [rows] = K^-1 y for the known y [n_known]; what runs has the outcome that lies z [rows -
 * n_known] standard deviations from where the rows before it predict it; NULL: none. v: [rows]
 * scratch. Returns the least outcome of what runs. */
static double solve(const struct asy__gp *model, size_t n_known, const double *y, const double *z,
                    double *v, double *alpha)
{
    double least = INFINITY;

    asy_la_lower_many(n_known, 1, model->w, model->cap, y, n_known, v, n_known);
    for (size_t i = n_known; i < model->n; i++) {
        v[i] = z ? z[i - n_known] : 0;
        least = fmin(least, asy_la_dot(i + 1, model->l + i * model->cap, v));
    }
    asy_la_lower_many_t(model->n, 1, model->w, model->cap, v, model->n, alpha, model->n);
    return least;
}

/* The value to beat: the best known one of those that are feasible; INFINITY: none is. */
static double best_known(const struct asy__gp_view *view)
{
    double best = INFINITY;

    for (size_t i = 0; i < view->n_finished; i++)
        if (!(view->trials[i]->violation > 0))
            best = fmin(best, view->t[i]);
    return best;
}

/* Fills the improvement's side of acq. memory: [paths + 2, rows]. Normal draws come in pairs of
 * opposite sign. */
static void set_paths(struct gp *gp, const struct asy__gp_view *view, struct asy_rng *rng,
                      double *memory, double *best, struct asy__gp_acq *acq)
{
    size_t n = gp->objective.n, running = n - view->n_finished;
    double known = best_known(view), *z = memory, *v = memory + n, *alpha = memory + 2 * n;

    acq->n_paths = running ? ASY__GP_PATHS_MAX : 1;
    acq->objective = known < INFINITY ? &gp->objective : NULL;
    acq->alpha = alpha;
    acq->best = best;
    for (size_t s = 0; s < acq->n_paths; s++) {
        for (size_t i = 0; i < running; i++)
            z[i] = s % 2 ? -z[i] : asy_rng_normal(rng);
        best[s] = solve(&gp->objective, view->n_finished, view->t, z, v, alpha + s * n);
        best[s] = fmin(best[s], known);
    }
}

/* The best finished points, feasible ones first. good: [GOOD_MAX, d]. */
static size_t list_good(const struct gp *gp, const struct asy__gp_view *view, double *good)
{
    const struct asy__gp_trial *taken[GOOD_MAX];
    size_t n = 0;

    for (size_t k = 0; k < GOOD_MAX && k < view->n_finished; k++) {
        size_t best = SIZE_MAX;

        for (size_t i = 0; i < view->n_finished; i++) {
            const struct asy__gp_trial *trial = view->trials[i], *than;
            size_t known = 0;

            while (known < k && taken[known] != trial)
                known++;
            if (known < k)
                continue;
            than = best == SIZE_MAX ? NULL : view->trials[best];
            if (!than || trial->violation < than->violation ||
                (trial->violation == than->violation && view->t[i] < view->t[best]))
                best = i;
        }
        taken[k] = view->trials[best];
        memcpy(good + n++ * gp->d, view->us[best], gp->d * sizeof *good);
    }
    return n;
}

static int all_finite(const struct gp *gp)
{
    for (size_t j = 0; j < gp->d; j++)
        if (gp->dims[j].kind == ASY__GP_REAL)
            return 0;
    return 1;
}

/* Searches under a model that is settled. memory: [(GOOD_MAX + 1) d]. */
static int find_best(struct asy_sampler *s, struct asy_rng *rng, const struct asy__gp_view *view,
                     const struct asy__gp_acq *acq, double *memory)
{
    struct gp *gp = s->state;
    const struct asy__gp *model = acq->objective ? acq->objective : acq->feasible;
    double *length = memory + GOOD_MAX * gp->d;
    struct asy__gp_search search = { .space = s->space, .dims = gp->dims, .d = gp->d,
                                     .fixed = gp->u + gp->d, .good = memory, .length = length,
                                     .rng = *rng };

    search.n_good = list_good(gp, view, memory);
    search.known = all_finite(gp) ? model : NULL;
    for (size_t j = 0; j < gp->d; j++)
        length[j] = fmin(1 / sqrt(model->s[j]), 1);
    return asy__gp_search(&search, acq, gp->u + 2 * gp->d);
}

static int suggest(struct asy_sampler *s, uint64_t number, struct asy__gp_view *view)
{
    struct gp *gp = s->state;
    struct asy_rng rng = asy__sampler_rng(s, number, SEARCH_BLOCK);
    size_t n = view->n, size = gp->d + 2;
    size_t few = view->n_finished < FITTED_MAX ? view->n_finished : FITTED_MAX;
    size_t n_doubles = (ASY__GP_PATHS_MAX + 4) * n + ASY__GP_WORK(n) + 2 * size + 1 +
                       (GOOD_MAX + 1) * gp->d;
    double *theta = malloc(n_doubles * sizeof *theta), *paths, *other, best[ASY__GP_PATHS_MAX];
    struct asy__gp_acq acq = { 0 };
    int rc = ASY_E_NOMEM;

    if (!theta || find_fit(gp, view, fitted_of(few), theta))
        goto out;
    paths = theta + 2 * size + 1;
    other = paths + (ASY__GP_PATHS_MAX + 2) * n;
    acq.work = other + 2 * n;
    asy__gp_view_warp(view, view->n_finished, theta[2 * size]);
    asy__gp_view_limit(view, ROWS_MAX);
    n = view->n;
    if ((rc = settle(&gp->objective, view, theta)))
        goto out;
    set_paths(gp, view, &rng, paths, best, &acq);
    if (view->constrained) {
        if ((rc = settle(&gp->feasible, view, theta + size)))
            goto out;
        solve(&gp->feasible, view->n_finished, view->c, NULL, other + n, other);
        acq.feasible = &gp->feasible;
        acq.feasible_alpha = other;
    }
    rc = find_best(s, &rng, view, &acq, acq.work + ASY__GP_WORK(n));
out:
    free(theta);
    return rc;
}

/* ---- asking -------------------------------------------------------------------------------- */

/* Completes a point whose parameters that are always active stand in x. */
static int complete(struct asy_sampler *s, uint64_t number, const double *fixed, double *x,
                    struct asy_error *err)
{
    struct gp *gp = s->state;
    size_t n = asy_space_len(s->space);
    double *all;
    int rc;

    if (!gp->tpe)
        return 0;
    if (!(all = malloc((n + 1) * sizeof *all)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a point");
    for (size_t i = 0; i < n; i++)
        all[i] = asy_space_at(s->space, i)->n_whens == 0 ? x[i]
                 : fixed                                 ? fixed[i]
                                                         : ASY_INACTIVE;
    rc = gp->tpe->class->ask(gp->tpe, number, all, x, err);
    free(all);
    return rc;
}

static void begin_point(const struct asy_sampler *s, double *x)
{
    for (size_t i = 0; i < asy_space_len(s->space); i++)
        x[i] = asy_space_values(s->space, i) == 1 ? asy_space_value(s->space, i, 0) : ASY_INACTIVE;
}

static int ask_model(struct asy_sampler *s, uint64_t number, const double *fixed,
                     struct asy__gp_view *view, double *x, struct asy_error *err)
{
    struct gp *gp = s->state;
    int rc;

    for (size_t j = 0; j < gp->d; j++) {
        double v = fixed ? fixed[gp->dims[j].param] : NAN;

        gp->u[gp->d + j] = isnan(v) ? v : asy__gp_coordinate(&gp->dims[j], v);
    }
    if ((rc = suggest(s, number, view)))
        return asy_fail(err, rc, rc == ASY_E_NOMEM ? "no memory to suggest trial %llu"
                                                   : "no model of the trials before %llu",
                        (unsigned long long)number);
    begin_point(s, x);
    for (size_t j = 0; j < gp->d; j++) {
        size_t i = gp->dims[j].param;

        x[i] = fixed && !isnan(fixed[i])
                   ? fixed[i]
                   : asy__gp_value(&gp->dims[j], s->space, gp->u[2 * gp->d + j]);
    }
    return complete(s, number, fixed, x, err);
}

static int ask(struct asy_sampler *s, uint64_t number, const double *fixed, double *x,
               struct asy_error *err)
{
    struct gp *gp = s->state;
    const struct asy__gp_trial *own;
    struct asy__gp_view view;
    int rc;

    own = asy__gp_data_get(&gp->data, number);
    if (own && own->state != ASY__GP_UNFINISHED)
        forget_fits(gp, number); /* asked again: its own outcome does not count */
    if (asy__gp_view_init(&view, &gp->data, number)) {
        asy__gp_view_fini(&view);
        return asy_fail(err, ASY_E_NOMEM, "no memory to suggest trial %llu",
                        (unsigned long long)number);
    }
    if ((double)view.n_finished < s->options[STARTUP_TRIALS] || (gp->d == 0 && !gp->tpe)) {
        asy__random_point(s, number, fixed, x);
        rc = 0;
    } else if (gp->d == 0) { /* all that there is to choose has conditions */
        begin_point(s, x);
        rc = complete(s, number, fixed, x, err);
    } else {
        rc = ask_model(s, number, fixed, &view, x, err);
        if (rc && own && own->state != ASY__GP_UNFINISHED)
            forget_fits(gp, number); /* they were made without it, which stays */
    }
    asy__gp_view_fini(&view);
    return rc;
}

const struct asy__sampler_class asy__sampler_gp = {
    .name = "gp", .options = options, .n_options = ASY_ARRAY_LEN(options), .needs_history = 1,
    .create = create, .destroy = destroy, .ask = ask, .tell = tell,
};
