/* SPDX-License-Identifier: Apache-2.0
 * space_prior.c - priors of parameters: checked and copied. What they mean is the tuner's. */
#include "space_impl.h"
#include <stdlib.h>
#include <string.h>

static double widened(const struct asy_param *p, int up)
{
    double step = p->type == ASY_PARAM_INT && p->step == 0 ? 1 : p->step;

    return up ? p->hi + step / 2 : p->lo - step / 2;
}

static int is_given(const struct asy_prior *q, double bound)
{
    return !isnan(bound) && (q->lo != 0 || q->hi != 0);
}

static int bounds_check(const struct asy_param *p, struct asy_error *err)
{
    const struct asy_prior *q = &p->prior;
    double lo = is_given(q, q->lo) ? q->lo : widened(p, 0);
    double hi = is_given(q, q->hi) ? q->hi : widened(p, 1);

    if (isinf(lo) || isinf(hi) || !isfinite(hi - lo))
        return asy_fail(err, ASY_E_INVAL, "parameter '%s': its prior's bounds are not finite",
                        p->name);
    if (q->log && lo <= 0)
        return asy_fail(err, ASY_E_INVAL, "parameter '%s': a prior on a log scale needs a minimum "
                        "above 0, not %.15g", p->name, lo);
    if (lo >= hi && p->lo < p->hi)
        return asy_fail(err, ASY_E_INVAL, "parameter '%s': its prior's minimum %.15g is not below "
                        "the maximum %.15g", p->name, lo, hi);
    if (hi < widened(p, 0) || lo > widened(p, 1))
        return asy_fail(err, ASY_E_INVAL, "parameter '%s': its prior lies outside of its bounds",
                        p->name);
    return 0;
}

static int shape_check(const struct asy_param *p, struct asy_error *err)
{
    const struct asy_prior *q = &p->prior;

    if (q->kind == ASY_PRIOR_NORMAL && !(isfinite(q->a) && isfinite(q->b) && q->b > 0))
        return asy_fail(err, ASY_E_INVAL, "parameter '%s': its prior needs a mean and a standard "
                        "deviation above 0", p->name);
    if (q->kind == ASY_PRIOR_NORMAL && q->log && q->a <= 0)
        return asy_fail(err, ASY_E_INVAL, "parameter '%s': a prior on a log scale needs a mean "
                        "above 0, not %.15g", p->name, q->a);
    if (q->kind == ASY_PRIOR_BETA &&
        !(isfinite(q->a) && isfinite(q->b) && q->a > 0 && q->b > 0))
        return asy_fail(err, ASY_E_INVAL, "parameter '%s': its beta prior needs a and b above 0",
                        p->name);
    return 0;
}

static int weights_check(const struct asy_param *p, struct asy_error *err)
{
    double sum = 0;

    for (size_t i = 0; i < p->n_choices; i++) {
        double w = p->prior.weights[i];

        if (!(w > 0) || !isfinite(sum += w))
            return asy_fail(err, ASY_E_INVAL, "parameter '%s': a weight must be above 0, not "
                            "%.15g", p->name, w);
    }
    return 0;
}

int asy__prior_check(const struct asy_param *p, struct asy_error *err)
{
    enum asy_prior_kind kind = p->prior.kind;
    int rc;

    if (kind == ASY_PRIOR_NONE)
        return 0;
    if (kind < ASY_PRIOR_UNIFORM || kind > ASY_PRIOR_WEIGHTS ||
        (kind == ASY_PRIOR_WEIGHTS) != (p->type == ASY_PARAM_CHOICE))
        return asy_fail(err, ASY_E_INVAL, "parameter '%s': choices have weights as their prior, "
                        "and only they", p->name);
    if (kind == ASY_PRIOR_WEIGHTS)
        return weights_check(p, err);
    if ((rc = bounds_check(p, err)))
        return rc;
    return shape_check(p, err);
}

int asy__prior_copy_weights(struct asy_prior *copy, const struct asy_prior *prior, size_t n)
{
    double *weights = malloc(n * sizeof *weights);

    if (!weights)
        return ASY_E_NOMEM;
    memcpy(weights, prior->weights, n * sizeof *weights);
    copy->weights = weights;
    return 0;
}

void asy__prior_settle(struct asy_param *p, double n_values)
{
    struct asy_prior *q = &p->prior;
    int has_lo = is_given(q, q->lo), has_hi = is_given(q, q->hi);

    if (n_values <= 1) {
        free((void *)(uintptr_t)q->weights);
        *q = (struct asy_prior){ .kind = ASY_PRIOR_NONE };
        return;
    }
    if (q->kind == ASY_PRIOR_NONE || q->kind == ASY_PRIOR_WEIGHTS)
        return;
    if (!has_lo)
        q->lo = widened(p, 0);
    if (!has_hi)
        q->hi = widened(p, 1);
}
