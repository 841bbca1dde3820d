/* SPDX-License-Identifier: Apache-2.0
 * vary.c - see vary.h. A single child is made, so of the two that simulated binary crossover gives
 * one is drawn. */
#include "vary.h"

#define CROSSOVER 0.9 /* how often two parents are crossed at all; else the first is copied */

static double to_line(const struct asy__dim *dim, double x)
{
    return dim->log ? log(x) : x;
}

static double from_line(const struct asy_sampler *s, const struct asy__dim *dim, double y)
{
    return asy_space_snap(s->space, dim->param, dim->log ? exp(y) : y);
}

/* How far a child of parents y1 < y2 lies from their middle, in units of their distance: a density
 * around the parents that falls to 0 at the bound, which is `spare` beyond the nearer one. */
static double spread(double spare, double distance, double eta, double u)
{
    double alpha = 2 - pow(1 + 2 * spare / distance, -(eta + 1));
    double base = u <= 1 / alpha ? u * alpha : 1 / (2 - u * alpha);

    return pow(base, 1 / (eta + 1));
}

static double cross(const struct asy__dim *dim, double a, double b, double eta,
                    struct asy_rng *rng)
{
    double y1 = fmin(a, b), y2 = fmax(a, b), u = asy_rng_double(rng);
    int upper = asy_rng_double(rng) < 0.5;

    if (y2 - y1 <= 1e-14 * (dim->hi - dim->lo))
        return a;
    if (upper)
        return 0.5 * (y1 + y2 + spread(dim->hi - y2, y2 - y1, eta, u) * (y2 - y1));
    return 0.5 * (y1 + y2 - spread(y1 - dim->lo, y2 - y1, eta, u) * (y2 - y1));
}

/* By how much of the range y moves. */
static double shift(const struct asy__dim *dim, double y, double eta, double u)
{
    double range = dim->hi - dim->lo;

    if (u < 0.5) {
        double below = pow(1 - (y - dim->lo) / range, eta + 1);

        return pow(2 * u + (1 - 2 * u) * below, 1 / (eta + 1)) - 1;
    } else {
        double above = pow(1 - (dim->hi - y) / range, eta + 1);

        return 1 - pow(2 * (1 - u) + (2 * u - 1) * above, 1 / (eta + 1));
    }
}

static double mutate(const struct asy_sampler *s, const struct asy__dim *dim, double x, double eta,
                     struct asy_rng *rng)
{
    double y, by, moved;

    if (dim->n <= 1)
        return x;
    if (dim->kind == ASY__DIM_CHOICE) {
        double other = (double)asy_rng_below(rng, (uint64_t)dim->n - 1);

        return other + (other >= x);
    }
    y = to_line(dim, x);
    by = shift(dim, y, eta, asy_rng_double(rng));
    moved = from_line(s, dim, y + by * (dim->hi - dim->lo));
    if (moved != x || dim->step <= 0)
        return moved;
    moved = asy_space_snap(s->space, dim->param, x + (by < 0 ? -dim->step : dim->step));
    return moved != x ? moved
                      : asy_space_snap(s->space, dim->param, x + (by < 0 ? dim->step : -dim->step));
}

/* One parameter of the child, before mutation. */
static double inherit(const struct asy_sampler *s, const struct asy__vary *v, size_t i, double a,
                      double b, int crossed, struct asy_rng *rng)
{
    const struct asy__dim *dim = &v->dims[i];
    int coin = asy_rng_double(rng) < 0.5;

    if (isnan(a) || isnan(b))
        return isnan(a) ? b : a;
    if (!crossed || a == b)
        return a;
    if (dim->kind == ASY__DIM_CHOICE || v->uniform)
        return coin ? b : a;
    if (coin)
        return a;
    return from_line(s, dim, cross(dim, to_line(dim, a), to_line(dim, b), v->crossover_eta, rng));
}

/* How many parameters of a point can vary. */
static size_t count_free(const struct asy__vary *v, const double *x, size_t n)
{
    size_t free = 0;

    for (size_t i = 0; i < n; i++)
        free += !isnan(x[i]) && v->dims[i].n > 1;
    return free;
}

void asy__vary(const struct asy_sampler *s, const struct asy__vary *v, uint64_t number,
               const double *a, const double *b, const double *fixed, struct asy_rng *rng,
               double *ret_x)
{
    size_t n = asy_space_len(s->space);
    double chance = 1 / fmax((double)count_free(v, a, n), 1);
    int crossed = asy_rng_double(rng) < CROSSOVER;

    for (size_t i = 0; i < n; i++) {
        double x;

        ret_x[i] = ASY_INACTIVE;
        if (!asy_space_active(s->space, ret_x, i))
            continue;
        if (fixed && !isnan(fixed[i])) {
            ret_x[i] = fixed[i];
            continue;
        }
        x = inherit(s, v, i, a[i], b[i], crossed, rng);
        if (isnan(x))
            x = asy__random_value(s, number, i);
        else if (asy_rng_double(rng) < chance)
            x = mutate(s, &v->dims[i], x, v->mutation_eta, rng);
        ret_x[i] = x;
    }
}
