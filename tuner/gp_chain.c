/* SPDX-License-Identifier: Apache-2.0
 * gp_chain.c - see gp_chain.h. */
#include "gp_chain.h"
#include <stdlib.h>
#include <string.h>
#include <asy/la.h>

#define FITTED_MAX 1024 /* finished trials that hyperparameters are found from */
#define INPUT_ROWS 2    /* inputs are warped from so many trials for each coordinate on, */
#define INPUT_GAIN 0.5  /* if the density grows for each by this at least, in logarithms */
static const double knees[] = { INFINITY, 1, 0.1 }; /* see gp_warp.h */

void asy__gp_forget_fits(struct asy__gp_sampler *gp, uint64_t number)
{
    while (gp->n_fits > 0 && gp->fits[gp->n_fits - 1].last >= number)
        gp->n_fits--;
}

int asy__gp_set_rows(struct asy__gp *model, const struct asy__gp_view *view, size_t n)
{
    size_t keep = 0;

    if (asy__gp_reserve(model, n))
        return ASY_E_NOMEM;
    for (int equal = 1; keep < model->n && keep < n; keep += (size_t)equal) {
        for (size_t j = 0; j < model->d; j++)
            equal &= model->u[j * model->cap + keep] == view->us[keep][j];
        if (!equal)
            break;
    }
    asy__gp_cut(model, keep);
    for (size_t i = keep; i < n; i++)
        asy__gp_push(model, view->us[i]);
    return 0;
}

int asy__gp_theta_warps(size_t d, const double *theta)
{
    for (size_t j = d + 2; j < ASY__GP_THETA_MAX(d); j++)
        if (theta[j] != 0)
            return 1;
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
static struct asy__gp_fitted *fit_insert(struct asy__gp_sampler *gp, size_t m, uint64_t last)
{
    double *theta = gp->n_fits < ASY__GP_FITS_MAX ? gp->fits[gp->n_fits].theta : gp->fits[0].theta;
    size_t at;

    if (!theta && !(theta = malloc(ASY__GP_THETA_LEN(gp->d) * sizeof *theta)))
        return NULL;
    if (gp->n_fits == ASY__GP_FITS_MAX) { /* the shortest goes: it is the cheapest to find again */
        memmove(&gp->fits[0], &gp->fits[1], (ASY__GP_FITS_MAX - 1) * sizeof gp->fits[0]);
        gp->n_fits--;
    }
    for (at = gp->n_fits++; at > 0 && gp->fits[at - 1].m > m; at--)
        gp->fits[at] = gp->fits[at - 1];
    gp->fits[at] = (struct asy__gp_fitted){ m, last, theta };
    return &gp->fits[at];
}

/* theta [ASY__GP_THETA_MAX(d)]: from there, and what was found; the second part only if warps. */
static int fit_model(struct asy__gp *model, const struct asy__gp_view *view, size_t m,
                     const double *y, int warps, double *theta, double *ret_loss)
{
    asy__gp_warp_inputs(model, warps);
    if (asy__gp_set_rows(model, view, m) || asy__gp_fit(model, y, theta, ret_loss))
        return ASY_E_NOMEM;
    memcpy(theta, model->theta, asy__gp_theta_len(model) * sizeof *theta);
    return 0;
}

/* One objective's fit in progress. */
struct choice {
    struct asy__gp *model;
    struct asy__gp_view *view;
    size_t goal, m;
    double *start;       /* [ASY__GP_THETA_MAX(d)] that of half of the trials; what was chosen */
    double knee, weight;
    const double *y;     /* [m] what the model is of: t, or what is left of it */
    double *tried, *best; /* [ASY__GP_THETA_MAX(d)] */
};

static size_t theta_size(const struct choice *c)
{
    return ASY__GP_THETA_MAX(c->model->d) * sizeof *c->start;
}

/* With plain inputs under each knee: the one under which the values as they were told have the
 * largest density. *ret_loss: of the values as the model sees them under it. */
static int choose_knee(struct choice *c, double *ret_loss)
{
    size_t d = c->model->d;
    double best = INFINITY, fitted;

    for (size_t i = 0; i < ASY_ARRAY_LEN(knees); i++) {
        double loss = -asy__gp_view_warp(c->view, c->m, c->goal, knees[i]);

        memcpy(c->tried, c->start, theta_size(c));
        memset(c->tried + d + 2, 0, 2 * d * sizeof *c->tried);
        if (fit_model(c->model, c->view, c->m, c->view->t[c->goal], 0, c->tried, &fitted))
            return ASY_E_NOMEM;
        loss += fitted;
        if (i > 0 && !(loss < best))
            continue;
        best = loss;
        *ret_loss = fitted;
        c->knee = knees[i];
        memcpy(c->best, c->tried, theta_size(c));
    }
    asy__gp_view_warp(c->view, c->m, c->goal, c->knee);
    return 0;
}

/* ret_left [m]: what the model, of theta, says of each value from the others alone (Rasmussen and
 * Williams 2006, equation 5.12). */
static int leave_out(struct choice *c, double *theta, double *ret_left)
{
    struct asy__gp *gp = c->model;
    const double *t = c->view->t[c->goal];
    double *v = malloc(2 * c->m * sizeof *v), *alpha;
    int rc = ASY_E_NOMEM;

    if (!v)
        return rc;
    alpha = v + c->m;
    asy__gp_warp_inputs(gp, 0);
    asy__gp_set_theta(gp, theta);
    if (asy__gp_set_rows(gp, c->view, c->m) || (rc = asy__gp_settle(gp, theta)))
        goto out;
    asy_la_lower_many(c->m, 1, gp->w, gp->cap, t, c->m, v, c->m);
    asy_la_lower_many_t(c->m, 1, gp->w, gp->cap, v, c->m, alpha, c->m);
    for (size_t i = 0; i < c->m; i++) {
        double inverse = 0; /* of the covariances, at i, i */

        for (size_t k = i; k < c->m; k++)
            inverse += gp->w[k * gp->cap + i] * gp->w[k * gp->cap + i];
        ret_left[i] = t[i] - alpha[i] / inverse;
    }
    rc = 0;
out:
    free(v);
    return rc;
}

/* Takes what earlier studies make expect for the mean, as far as it ranks results better. */
static int choose_earlier(struct choice *c, double *loss)
{
    double *left = malloc(c->m * sizeof *left), weight; /* [m] as if each were left out */
    int rc = 0;

    if (!left)
        return ASY_E_NOMEM;
    weight = asy__gp_earlier_weight(c->m, c->view->expected, c->view->t[0]);
    memcpy(c->tried, c->best, theta_size(c)); /* which may get more noise */
    if (weight > 0 && !(rc = leave_out(c, c->tried, left)))
        weight *= asy__gp_earlier_share(c->m, c->view->t[0], c->view->expected, left);
    free(left);
    if (rc == ASY_E_INVAL)
        return 0;
    if (rc || !(weight > 0))
        return rc;
    asy__gp_view_expect(c->view, c->m, weight);
    c->weight = weight;
    c->y = c->view->rest;
    return fit_model(c->model, c->view, c->m, c->y, 0, c->best, loss);
}

/* Warps inputs where that makes the values much more probable: each a and b can gain a little from
 * chance alone, and a model with needless ones finds less. */
static int choose_inputs(struct choice *c, double loss)
{
    size_t d = c->model->d, n = 0;
    double warped;

    for (size_t j = 0; j < d; j++)
        n += c->model->dims[j].kind != ASY__GP_CATEGORY;
    if (n == 0 || c->m < INPUT_ROWS * d)
        return 0;
    memcpy(c->tried, asy__gp_theta_warps(d, c->start) ? c->start : c->best, theta_size(c));
    if (fit_model(c->model, c->view, c->m, c->y, 1, c->tried, &warped))
        return ASY_E_NOMEM;
    if (warped < loss - INPUT_GAIN * (double)n)
        memcpy(c->best, c->tried, theta_size(c));
    return 0;
}

/* With more trials: of the shape that was chosen from half of them. */
static int keep_shape(struct choice *c)
{
    double loss;

    asy__gp_view_warp(c->view, c->m, c->goal, c->knee);
    memcpy(c->best, c->start, theta_size(c));
    return fit_model(c->model, c->view, c->m, c->view->t[c->goal],
                     asy__gp_theta_warps(c->model->d, c->start), c->best, &loss);
}

/* theta: the sampler's whole. */
static int fit_objective(struct asy__gp_sampler *gp, size_t goal, struct asy__gp_view *view,
                         size_t m, double *theta)
{
    struct choice c = { .model = &gp->objective[goal], .view = view, .goal = goal, .m = m,
                        .start = theta + goal * ASY__GP_THETA_MAX(gp->d), .y = view->t[goal],
                        .knee = theta[ASY__GP_KNEE(gp->d, goal)] };
    double loss = 0;
    int rc;

    if (!(c.tried = malloc(2 * theta_size(&c))))
        return ASY_E_NOMEM;
    c.best = c.tried + ASY__GP_THETA_MAX(gp->d);
    rc = m > ASY__GP_CHOSEN_MAX ? keep_shape(&c) : choose_knee(&c, &loss);
    if (!rc && m <= ASY__GP_CHOSEN_MAX && gp->earlier.alpha)
        rc = choose_earlier(&c, &loss);
    if (!rc && m <= ASY__GP_CHOSEN_MAX && gp->warps_inputs)
        rc = choose_inputs(&c, loss);
    if (!rc) {
        memcpy(c.start, c.best, theta_size(&c));
        theta[ASY__GP_KNEE(gp->d, goal)] = c.knee;
        theta[ASY__GP_WEIGHT(gp->d)] = c.weight;
    }
    free(c.tried);
    return rc;
}

static int fit_all(struct asy__gp_sampler *gp, struct asy__gp_view *view, size_t m, double *theta)
{
    size_t size = ASY__GP_THETA_MAX(gp->d);
    double unused;

    for (size_t g = 0; g < gp->n_goals; g++)
        if (fit_objective(gp, g, view, m, theta))
            return ASY_E_NOMEM;
    return view->constrained
               ? fit_model(&gp->feasible, view, m, view->c, 0, theta + 2 * size, &unused)
               : 0;
}

/* theta = that of the first m finished trials. */
static int find_fit_of(struct asy__gp_sampler *gp, struct asy__gp_view *view, size_t m,
                       double *theta)
{
    size_t len = ASY__GP_THETA_LEN(gp->d);
    struct asy__gp_fitted *fit;

    for (size_t i = 0; i < gp->n_fits; i++)
        if (gp->fits[i].m == m) {
            memcpy(theta, gp->fits[i].theta, len * sizeof *theta);
            return 0;
        }
    if (m >= 64) {
        if (find_fit_of(gp, view, fitted_of(m / 2), theta))
            return ASY_E_NOMEM;
    } else {
        memset(theta, 0, len * sizeof *theta); /* logarithms: all 1 */
        for (size_t g = 0; g < ASY__GP_GOALS_MAX; g++)
            theta[ASY__GP_KNEE(gp->d, g)] = knees[0];
    }
    if (fit_all(gp, view, m, theta) ||
        !(fit = fit_insert(gp, m, view->trials[m - 1]->number)))
        return ASY_E_NOMEM;
    memcpy(fit->theta, theta, len * sizeof *theta);
    return 0;
}

int asy__gp_find_fit(struct asy__gp_sampler *gp, struct asy__gp_view *view, size_t n, double *theta)
{
    return find_fit_of(gp, view, fitted_of(n < FITTED_MAX ? n : FITTED_MAX), theta);
}
