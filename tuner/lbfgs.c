/* SPDX-License-Identifier: Apache-2.0
 * lbfgs.c - see lbfgs.h. Why it is our own: docs/decisions/0018-own-lbfgs.md. */
#include "lbfgs.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ARMIJO 1e-4
#define MEMORY ASY__LBFGS_MEMORY

int asy__lbfgs_init(struct asy__lbfgs *o, size_t d)
{
    double *at;

    *o = (struct asy__lbfgs){ .d = d };
    if (!(at = o->memory = calloc((d + 1) * (8 + 2 * MEMORY), sizeof *at)))
        return ASY_E_NOMEM;
    o->lo = at;
    o->hi = at += d;
    o->size = at += d;
    o->x = at += d;
    o->g = at += d;
    o->trial = at += d;
    o->p = at += d;
    o->masked = at += d;
    o->s = at += d;
    o->y = at + MEMORY * d;
    return 0;
}

void asy__lbfgs_fini(struct asy__lbfgs *o)
{
    free(o->memory);
    *o = (struct asy__lbfgs){ 0 };
}

void asy__lbfgs_start(struct asy__lbfgs *o, const struct asy__lbfgs_rule *rule, const double *x)
{
    o->rule = *rule;
    o->n_pairs = 0;
    o->evaluations = 0;
    o->f = INFINITY;
    memcpy(o->x, x, o->d * sizeof *x);
    memcpy(o->trial, x, o->d * sizeof *x);
}

/* Whether a bound keeps variable i from following the negative gradient. */
static int held(const struct asy__lbfgs *o, size_t i)
{
    return (o->x[i] <= o->lo[i] && o->g[i] >= 0) || (o->x[i] >= o->hi[i] && o->g[i] <= 0);
}

static double dot_free(const struct asy__lbfgs *o, const double *a, const double *b)
{
    double sum = 0;

    for (size_t i = 0; i < o->d; i++)
        if (!held(o, i))
            sum += a[i] * b[i];
    return sum;
}

/* p = -H g in the free variables, by the two loops of the algorithm. */
static void quasi_newton(struct asy__lbfgs *o)
{
    size_t m = o->n_pairs < MEMORY ? o->n_pairs : MEMORY;
    double alpha[MEMORY], rho[MEMORY], gamma = 1;
    int scaled = 0;

    for (size_t i = 0; i < o->d; i++)
        o->p[i] = held(o, i) ? 0 : -o->g[i];
    for (size_t k = 0; k < m; k++) {
        size_t at = (o->n_pairs - 1 - k) % MEMORY;
        const double *s = o->s + at * o->d, *y = o->y + at * o->d;
        double sy = dot_free(o, s, y);

        rho[k] = sy > 0 ? 1 / sy : 0;
        alpha[k] = rho[k] * dot_free(o, s, o->p);
        for (size_t i = 0; i < o->d && rho[k] > 0; i++)
            o->p[i] -= held(o, i) ? 0 : alpha[k] * y[i];
        if (rho[k] > 0 && !scaled) {
            for (size_t i = 0; i < o->d; i++)
                o->masked[i] = o->size[i] * y[i];
            gamma = sy / dot_free(o, o->masked, y);
            scaled = 1;
        }
    }
    for (size_t i = 0; i < o->d; i++)
        o->p[i] *= gamma * o->size[i];
    for (size_t k = m; k-- > 0;) {
        size_t at = (o->n_pairs - 1 - k) % MEMORY;
        const double *s = o->s + at * o->d;
        double beta = rho[k] * dot_free(o, o->y + at * o->d, o->p);

        for (size_t i = 0; i < o->d && rho[k] > 0; i++)
            o->p[i] += held(o, i) ? 0 : (alpha[k] - beta) * s[i];
    }
}

static void steepest(struct asy__lbfgs *o)
{
    o->n_pairs = 0;
    for (size_t i = 0; i < o->d; i++)
        o->p[i] = held(o, i) ? 0 : -o->size[i] * o->g[i];
}

static void set_trial(struct asy__lbfgs *o)
{
    for (size_t i = 0; i < o->d; i++) {
        double at = o->x[i] + o->t * o->p[i];

        o->trial[i] = at < o->lo[i] ? o->lo[i] : at > o->hi[i] ? o->hi[i] : at;
    }
}

/* A new direction and the first point along it; 0: the gradient is small, or nothing moves. */
static int aim(struct asy__lbfgs *o)
{
    double longest = 0, steep = 0;

    for (size_t i = 0; i < o->d; i++)
        steep = held(o, i) ? steep : fmax(steep, fabs(o->g[i]));
    if (!(steep > o->rule.gradient))
        return 0;
    quasi_newton(o);
    o->slope = dot_free(o, o->g, o->p);
    if (!(o->slope < 0)) {
        steepest(o);
        o->slope = dot_free(o, o->g, o->p);
    }
    for (size_t i = 0; i < o->d; i++)
        longest = fmax(longest, fabs(o->p[i]));
    if (!(longest > 0) || !isfinite(longest))
        return 0;
    o->t = longest > o->rule.step_max ? o->rule.step_max / longest : 1;
    set_trial(o);
    return 1;
}

static void remember(struct asy__lbfgs *o, const double *g)
{
    double *s = o->s + o->n_pairs % MEMORY * o->d, *y = o->y + o->n_pairs % MEMORY * o->d;
    double sy = 0, yy = 0;

    for (size_t i = 0; i < o->d; i++) {
        double change = g[i] - o->g[i];

        sy += (o->trial[i] - o->x[i]) * change;
        yy += change * change;
    }
    if (!(sy > 1e-10 * yy))
        return;
    for (size_t i = 0; i < o->d; i++) {
        s[i] = o->trial[i] - o->x[i];
        y[i] = g[i] - o->g[i];
    }
    o->n_pairs++;
}

/* The step was too long: another share of it, by the parabola through both values. */
static int shorten(struct asy__lbfgs *o, double f)
{
    double down = o->t * o->slope, rise = f - o->f;
    double share = isfinite(f) && rise > down ? -0.5 * down / (rise - down) : 0.1;

    o->t *= share < 0.1 ? 0.1 : share > 0.5 ? 0.5 : share;
    set_trial(o);
    for (size_t i = 0; i < o->d; i++)
        if (o->trial[i] != o->x[i])
            return 1;
    return 0;
}

int asy__lbfgs_tell(struct asy__lbfgs *o, double f, const double *g)
{
    double want, gain;
    int first = o->evaluations++ == 0;

    if (first && !isfinite(f))
        return 0;
    if (!first) {
        want = o->f;
        for (size_t i = 0; i < o->d; i++)
            want += ARMIJO * o->g[i] * (o->trial[i] - o->x[i]);
        if (!(f <= want) || !isfinite(f))
            return o->evaluations < o->rule.evaluations_max && shorten(o, f);
        remember(o, g);
    }
    gain = o->f - f;
    memcpy(o->x, o->trial, o->d * sizeof *o->x);
    memcpy(o->g, g, o->d * sizeof *o->g);
    o->f = f;
    if (!first && gain <= o->rule.gain * fmax(fabs(f), 1))
        return 0;
    return o->evaluations < o->rule.evaluations_max && aim(o);
}
