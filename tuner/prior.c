/* SPDX-License-Identifier: Apache-2.0
 * prior.c - see prior.h. Quantiles of the beta distribution come by bisection, which always ends at
 * the nearest double or two; they are drawn once a trial and never in an inner loop. */
#include "prior.h"
#include "truncnorm.h"

#define TINY 1e-300
#define FRACTION_MAX 500 /* terms; sqrt(max(a, b)) are enough */
#define MOMENT_SHARES 512
#define HALVINGS 200     /* down to subnormal numbers and back */

int asy__has_prior(const struct asy_space *space, size_t i)
{
    return asy_space_at(space, i)->prior.kind != ASY_PRIOR_NONE;
}

/* ---- which a sampler takes ------------------------------------------------------------------ */

/* A kernel of tpe spans the parameter's bounds on its scale. */
static int is_kernel(const struct asy_param *p)
{
    const struct asy_prior *q = &p->prior;

    return q->kind == ASY_PRIOR_WEIGHTS ||
           (q->kind == ASY_PRIOR_NORMAL && q->log == p->log && q->lo == p->lo - p->step / 2 &&
            q->hi == p->hi + p->step / 2);
}

int asy__prior_is_foreign(const struct asy_space *space, size_t i)
{
    return asy__has_prior(space, i) && !is_kernel(asy_space_at(space, i));
}

int asy__priors_check(const struct asy_space *space, enum asy__priors priors, const char *sampler,
                      struct asy_error *err)
{
    for (size_t i = 0; priors != ASY__PRIORS_ALL && i < asy_space_len(space); i++) {
        const struct asy_param *p = asy_space_at(space, i);

        if (!asy__has_prior(space, i) ||
            (priors == ASY__PRIORS_KERNEL && !asy__prior_is_foreign(space, i)))
            continue;
        if (priors == ASY__PRIORS_NONE)
            return asy_fail(err, ASY_E_INVAL, "sampler '%s' makes no use of the prior of '%s': "
                            "random, qmc, gp, tpe, cma, nsga2 and nsga3 do", sampler,
                            p->name);
        return asy_fail(err, ASY_E_INVAL, "sampler '%s' takes priors of mean and sd on the "
                        "parameter's own scale, and weights, not that of '%s': random, qmc, gp, "
                        "cma, nsga2 and nsga3 do", sampler, p->name);
    }
    return 0;
}

/* ---- the beta distribution ------------------------------------------------------------------ */

static double not_zero(double v)
{
    return fabs(v) < TINY ? TINY : v;
}

static double beta_fraction(double x, double a, double b)
{
    double c = 1, d = 1 / not_zero(1 - (a + b) * x / (a + 1)), h = d;

    for (int m = 1; m < FRACTION_MAX; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)), step;

        d = 1 / not_zero(1 + even * d);
        c = not_zero(1 + even / c);
        h *= d * c;
        d = 1 / not_zero(1 + odd * d);
        c = not_zero(1 + odd / c);
        step = d * c;
        h *= step;
        if (fabs(step - 1) < 1e-16)
            break;
    }
    return h;
}

/* log Gamma; lgamma() itself leaves the sign in a global. */
static double log_gamma(double v)
{
    int sign;

    return lgamma_r(v, &sign);
}

double asy__beta_share(double x, double a, double b)
{
    double front;

    if (x <= 0 || x >= 1)
        return x <= 0 ? 0 : 1;
    front = exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * log(x) + b * log1p(-x));
    return x < (a + 1) / (a + b + 2) ? front * beta_fraction(x, a, b) / a
                                     : 1 - front * beta_fraction(1 - x, b, a) / b;
}

static double beta_quantile(double u, double a, double b)
{
    double lo = 0, hi = 1;

    for (int i = 0; i < HALVINGS; i++) {
        double mid = lo + (hi - lo) / 2;

        if (mid <= lo || mid >= hi)
            break;
        if (asy__beta_share(mid, a, b) < u)
            lo = mid;
        else
            hi = mid;
    }
    return hi;
}

/* ---- numbers -------------------------------------------------------------------------------- */

static double on_scale(const struct asy_prior *q, double value)
{
    return q->log ? log(value) : value;
}

/* The value at a share, before it is moved to a grid. */
static double number_at(const struct asy_prior *q, double u)
{
    double lo = on_scale(q, q->lo), hi = on_scale(q, q->hi), at, mean;

    switch (q->kind) {
    case ASY_PRIOR_NORMAL:
        mean = on_scale(q, q->a);
        at = mean + q->b * asy__truncnorm_ppf(u, (lo - mean) / q->b, (hi - mean) / q->b);
        break;
    case ASY_PRIOR_BETA:
        at = lo + (hi - lo) * beta_quantile(u, q->a, q->b);
        break;
    default:
        at = lo + (hi - lo) * u;
    }
    at = at < lo ? lo : at > hi ? hi : at;
    return q->log ? exp(at) : at;
}

/* The share of the mass below a number. */
static double share_below(const struct asy_prior *q, double value)
{
    double lo = on_scale(q, q->lo), hi = on_scale(q, q->hi), at, mean;

    if (value <= q->lo || value >= q->hi)
        return value <= q->lo ? 0 : 1;
    at = on_scale(q, value);
    switch (q->kind) {
    case ASY_PRIOR_NORMAL:
        mean = on_scale(q, q->a);
        return exp(asy__log_mass((lo - mean) / q->b, (at - mean) / q->b) -
                   asy__log_mass((lo - mean) / q->b, (hi - mean) / q->b));
    case ASY_PRIOR_BETA:
        return asy__beta_share((at - lo) / (hi - lo), q->a, q->b);
    default:
        return (at - lo) / (hi - lo);
    }
}

/* ---- choices -------------------------------------------------------------------------------- */

static double weight_sum(const struct asy_param *p, size_t n)
{
    double sum = 0;

    for (size_t k = 0; k < n; k++)
        sum += p->prior.weights[k];
    return sum;
}

static double choice_at(const struct asy_param *p, double u)
{
    double left = u * weight_sum(p, p->n_choices);
    size_t k = 0;

    while (k + 1 < p->n_choices && left >= p->prior.weights[k])
        left -= p->prior.weights[k++];
    return (double)k;
}

/* ---- both ----------------------------------------------------------------------------------- */

double asy__prior_value(const struct asy_space *space, size_t i, double u)
{
    const struct asy_param *p = asy_space_at(space, i);

    ASY_ASSERT(p->prior.kind != ASY_PRIOR_NONE, "parameter '%s' has no prior", p->name);
    if (p->prior.kind == ASY_PRIOR_WEIGHTS)
        return choice_at(p, u);
    return asy_space_snap(space, i, number_at(&p->prior, u));
}

double asy__prior_number(const struct asy_space *space, size_t i, double u)
{
    const struct asy_param *p = asy_space_at(space, i);
    double v = p->prior.kind == ASY_PRIOR_WEIGHTS ? choice_at(p, u) : number_at(&p->prior, u);
    double half = p->step / 2;

    v = fmin(fmax(v, p->lo - half), p->hi + half);
    return p->log ? log(v) : v;
}

void asy__prior_moments(const struct asy_space *space, size_t i, double *ret_mean, double *ret_sd)
{
    double numbers[MOMENT_SHARES], mean = 0, square = 0;

    for (size_t k = 0; k < MOMENT_SHARES; k++) {
        numbers[k] = asy__prior_number(space, i, ((double)k + 0.5) / MOMENT_SHARES);
        mean += numbers[k] / MOMENT_SHARES;
    }
    for (size_t k = 0; k < MOMENT_SHARES; k++)
        square += (numbers[k] - mean) * (numbers[k] - mean) / MOMENT_SHARES;
    *ret_mean = mean;
    *ret_sd = sqrt(square);
}

void asy__prior_share(const struct asy_space *space, size_t i, double value, double *ret_lo,
                      double *ret_hi)
{
    const struct asy_param *p = asy_space_at(space, i);
    const struct asy_prior *q = &p->prior;

    ASY_ASSERT(q->kind != ASY_PRIOR_NONE, "parameter '%s' has no prior", p->name);
    if (q->kind == ASY_PRIOR_WEIGHTS) {
        double sum = weight_sum(p, p->n_choices);

        *ret_lo = weight_sum(p, (size_t)value) / sum;
        *ret_hi = weight_sum(p, (size_t)value + 1) / sum;
    } else if (p->step > 0) {
        *ret_lo = value <= p->lo ? 0 : share_below(q, value - p->step / 2);
        *ret_hi = value >= p->hi ? 1 : share_below(q, value + p->step / 2);
    } else {
        *ret_lo = *ret_hi = share_below(q, value);
    }
}
