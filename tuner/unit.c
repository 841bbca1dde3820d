/* SPDX-License-Identifier: Apache-2.0
 * unit.c - the same scales as those of the random sampler, for numbers from elsewhere. */
#include "unit.h"
#include "prior.h"

double asy__unit_value(const struct asy_space *space, size_t i, double u)
{
    const struct asy_param *p = asy_space_at(space, i);
    double n = asy_space_values(space, i), lo, hi;

    if (asy__has_prior(space, i))
        return asy__prior_value(space, i, u);
    if (!p->log) {
        if (isfinite(n))
            return asy_space_value(space, i, fmin(floor(u * n), n - 1));
        return asy_space_snap(space, i, p->lo + u * (p->hi - p->lo));
    }
    /* Each grid value gets the logarithmic width of the step around it. */
    lo = log(p->lo - p->step / 2);
    hi = log(p->hi + p->step / 2);
    return asy_space_snap(space, i, exp(lo + u * (hi - lo)));
}

double asy__unit_place(const struct asy_space *space, size_t i, double v)
{
    const struct asy_param *p = asy_space_at(space, i);
    double n = asy_space_values(space, i), lo, hi;

    if (p->log) {
        lo = log(p->lo - p->step / 2);
        hi = log(p->hi + p->step / 2);
        return (log(v) - lo) / (hi - lo);
    }
    if (isfinite(n))
        return (rint((v - p->lo) / (p->step > 0 ? p->step : 1)) + 0.5) / n;
    return (v - p->lo) / (p->hi - p->lo);
}
