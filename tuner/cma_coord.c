/* SPDX-License-Identifier: Apache-2.0
 * cma_coord.c - from points to coordinates and back, and the margin. */
#include "cma_coord.h"
#include "truncnorm.h"
#include <stdlib.h>

#define PLACE_BLOCK ((uint64_t)1 << 50) /* above the blocks of all suggestions */
#define FAR 30 /* standard deviations: beyond everything */
#define NEAR 0.2 /* by experiment: more costs where the optimum is inside, none where it is not */

/* ---- life ---------------------------------------------------------------------------------- */

static void add_dim(struct asy__cma_coords *coords, size_t i)
{
    const struct asy_param *p = asy_space_at(coords->sampler->space, i);
    double half = p->log ? p->step / 2 : 0;
    struct asy__cma_dim *dim = &coords->dims[coords->d++];

    *dim = (struct asy__cma_dim){ .param = i, .n = asy_space_values(coords->sampler->space, i),
                                  .log = p->log, .lo = p->lo, .hi = p->hi };
    coords->n_grids += isfinite(dim->n);
    if (p->log) {
        dim->lo = log(p->lo - half);
        dim->hi = log(p->hi + half);
    }
}

int asy__cma_coords_init(struct asy__cma_coords *coords, const struct asy_sampler *s)
{
    size_t len = asy_space_len(s->space);

    *coords = (struct asy__cma_coords){ .sampler = s };
    coords->dims = calloc(len + 1, sizeof *coords->dims);
    coords->choices = calloc(len + 1, sizeof *coords->choices);
    if (!coords->dims || !coords->choices)
        return ASY_E_NOMEM;
    for (size_t i = 0; i < len; i++) {
        const struct asy_param *p = asy_space_at(s->space, i);

        if (!(asy_space_values(s->space, i) > 1))
            continue;
        if (p->type != ASY_PARAM_CHOICE || p->ordered) {
            add_dim(coords, i);
            continue;
        }
        coords->choices[coords->n_choices++] = (struct asy__cma_choice){ i, p->n_choices,
                                                                         coords->n_probs };
        coords->n_probs += p->n_choices;
    }
    return 0;
}

void asy__cma_coords_fini(struct asy__cma_coords *coords)
{
    free(coords->dims);
    free(coords->choices);
}

/* ---- cells --------------------------------------------------------------------------------- */

/* Where the cell of value v ends below (side -1) or above (1); the outer ones do not. */
static double edge(const struct asy__cma_coords *coords, size_t j, double v, int side)
{
    const struct asy__cma_dim *dim = &coords->dims[j];
    const struct asy_param *p = asy_space_at(coords->sampler->space, dim->param);
    double k;

    if (dim->log)
        return v <= p->lo && side < 0   ? -INFINITY
               : v >= p->hi && side > 0 ? INFINITY
                                        : (log(v + side * p->step / 2) - dim->lo) /
                                              (dim->hi - dim->lo);
    k = rint((v - p->lo) / p->step) + (side > 0);
    return k <= 0 ? -INFINITY : k >= dim->n ? INFINITY : k / dim->n;
}

double asy__cma_value(const struct asy__cma_coords *coords, size_t j, double u)
{
    const struct asy__cma_dim *dim = &coords->dims[j];
    const struct asy_space *space = coords->sampler->space;

    u = fmin(fmax(u, 0), 1);
    if (dim->log)
        return asy_space_snap(space, dim->param, exp(dim->lo + u * (dim->hi - dim->lo)));
    if (isfinite(dim->n))
        return asy_space_value(space, dim->param, fmin(floor(u * dim->n), dim->n - 1));
    return asy_space_snap(space, dim->param, dim->lo + u * (dim->hi - dim->lo));
}

/* ---- priors -------------------------------------------------------------------------------- */

#define LEAST_SPREAD 1e-4

/* The coordinate of a number on the parameter's scale, as asy__prior_number() has it. */
static double coordinate(const struct asy__cma_coords *coords, size_t j, double number)
{
    const struct asy__cma_dim *dim = &coords->dims[j];
    const struct asy_param *p = asy_space_at(coords->sampler->space, dim->param);
    double half = dim->log ? 0 : p->step / 2; /* with a log scale it is part of lo and hi */

    return (number - (dim->lo - half)) / (dim->hi - dim->lo + 2 * half);
}

void asy__cma_begin(const struct asy__cma_coords *coords, size_t j, double *ret_mean,
                    double *ret_spread)
{
    const struct asy_space *space = coords->sampler->space;
    size_t i = coords->dims[j].param;
    double mean, sd;

    *ret_mean = 0.5;
    *ret_spread = 1;
    if (!asy__has_prior(space, i))
        return;
    asy__prior_moments(space, i, &mean, &sd);
    *ret_mean = fmin(fmax(coordinate(coords, j, mean), 0), 1);
    sd = coordinate(coords, j, mean + sd) - coordinate(coords, j, mean);
    *ret_spread = fmax(sd * sqrt(12), LEAST_SPREAD);
}

double asy__cma_likely(const struct asy__cma_coords *coords, size_t j, double u)
{
    const struct asy_space *space = coords->sampler->space;
    size_t i = coords->dims[j].param;

    if (!asy__has_prior(space, i))
        return u;
    return fmin(fmax(coordinate(coords, j, asy__prior_number(space, i, u)), 0), 1);
}

/* ---- places -------------------------------------------------------------------------------- */

/* Where the coordinate of value v may lie; 1: its place is known, *lo. A continuous one at a bound
 * is taken to be there, until the mean comes so near that most draws are put onto it. */
static int range_of(const struct asy__cma_coords *coords, const struct asy__cma *cma, size_t j,
                    double v, double *lo, double *hi)
{
    double near = NEAR * asy__cma_spread(cma, j);
    const struct asy__cma_dim *dim = &coords->dims[j];
    const struct asy_param *p = asy_space_at(coords->sampler->space, dim->param);

    *lo = -INFINITY;
    *hi = INFINITY;
    if (isnan(v))
        return 0;
    if (isfinite(dim->n)) {
        *lo = edge(coords, j, v, -1);
        *hi = edge(coords, j, v, 1);
    } else if (v <= p->lo && cma->mean[j] < near) {
        *hi = 0;
    } else if (v >= p->hi && cma->mean[j] > 1 - near) {
        *lo = 1;
    } else {
        *lo = *hi = ((dim->log ? log(v) : v) - dim->lo) / (dim->hi - dim->lo);
        return 1;
    }
    return 0;
}

int asy__cma_is_placed(const struct asy__cma_coords *coords, const struct asy__cma *cma,
                       const double *x)
{
    double lo, hi;

    for (size_t j = 0; j < coords->d; j++)
        if (!range_of(coords, cma, j, x[coords->dims[j].param], &lo, &hi))
            return 0;
    return 1;
}

/* Draws step y[j] given the others, within [lo, hi]. */
static double draw_between(const struct asy__cma *cma, const double *y, size_t j, double lo,
                           double hi, double q)
{
    double mean, sd, a, b;

    asy__cma_given(cma, y, j, &mean, &sd);
    a = fmax((lo - mean) / sd, -FAR);
    b = fmin((hi - mean) / sd, FAR);
    if (!(a < b)) /* too far away for the cell to have a shape */
        return fmin(fmax(mean, lo), hi);
    return fmin(fmax(mean + sd * asy__truncnorm_ppf(q, a, b), lo), hi);
}

/* Unknown places begin at the one in their cell that is nearest to the mean; then each is drawn
 * given all others, in turn (Gibbs sampling), twice. */
void asy__cma_locate(const struct asy__cma_coords *coords, const struct asy__cma *cma,
                     uint64_t number, const double *x, double *ret_u)
{
    double *y = ret_u, lo, hi;

    for (size_t j = 0; j < coords->d; j++) {
        double scale = cma->vars.sigma * cma->margin[j];

        if (range_of(coords, cma, j, x[coords->dims[j].param], &lo, &hi))
            y[j] = (lo - cma->mean[j]) / scale;
        else
            y[j] = (fmin(fmax(cma->mean[j], lo), hi) - cma->mean[j]) / scale;
    }
    for (int sweep = 0; sweep < 2; sweep++)
        for (size_t j = 0; j < coords->d; j++) {
            double scale = cma->vars.sigma * cma->margin[j], q;
            struct asy_rng rng;

            if (range_of(coords, cma, j, x[coords->dims[j].param], &lo, &hi))
                continue;
            rng = asy__sampler_rng(coords->sampler, number, PLACE_BLOCK + j);
            q = asy_rng_double(&rng);
            q = sweep ? asy_rng_double(&rng) : q;
            y[j] = draw_between(cma, y, j, (lo - cma->mean[j]) / scale,
                                (hi - cma->mean[j]) / scale, q);
        }
    for (size_t j = 0; j < coords->d; j++)
        ret_u[j] = cma->mean[j] + cma->vars.sigma * cma->margin[j] * y[j];
}

/* ---- margin -------------------------------------------------------------------------------- */

/* The point that a normal variable exceeds with probability p <= 1/2, in standard deviations. */
static double quantile(double p)
{
    return -asy__ndtri_exp(log(p));
}

/* The mean lies in an outer cell with its only edge at `close`. */
static void keep_outer(struct asy__cma *cma, size_t j, double close, double alpha)
{
    double reach = quantile(alpha) * asy__cma_spread(cma, j), away = cma->mean[j] - close;

    if (fabs(away) > reach)
        cma->mean[j] = close + copysign(reach, away);
}

/* Between two edges: moves mean and spread so that both are passed with at least alpha / 2, taking
 * what is missing from the others in proportion to what they have to spare. */
static void keep_inner(struct asy__cma *cma, size_t j, double lo, double hi, double alpha)
{
    double spread = asy__cma_spread(cma, j), least = alpha / 2;
    double low = exp(asy__log_ndtr((lo - cma->mean[j]) / spread));
    double up = exp(asy__log_ndtr((cma->mean[j] - hi) / spread)), mid = 1 - low - up;
    double low1 = fmax(low, least), up1 = fmax(up, least), excess, spare, a, b;

    if (low >= least && up >= least)
        return;
    excess = 1 - low1 - up1 - mid;
    spare = low1 + up1 + mid - 3 * least;
    low1 += excess / spare * (low1 - least);
    up1 += excess / spare * (up1 - least);
    a = quantile(low1);
    b = quantile(up1);
    cma->margin[j] *= (hi - lo) / (a + b) / spread;
    cma->mean[j] = (lo * b + hi * a) / (a + b);
}

void asy__cma_keep_margin(const struct asy__cma_coords *coords, struct asy__cma *cma)
{
    double alpha = 1 / ((double)cma->vars.lambda * (double)coords->d);

    for (size_t j = 0; j < coords->d && coords->n_grids && !cma->vars.broken; j++) {
        double v, lo, hi;

        if (isinf(coords->dims[j].n))
            continue;
        v = asy__cma_value(coords, j, cma->mean[j]);
        lo = edge(coords, j, v, -1);
        hi = edge(coords, j, v, 1);
        if (isfinite(lo) && isfinite(hi))
            keep_inner(cma, j, lo, hi, alpha);
        else
            keep_outer(cma, j, isfinite(lo) ? lo : hi, alpha);
    }
}
