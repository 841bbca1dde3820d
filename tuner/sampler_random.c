/* SPDX-License-Identifier: Apache-2.0
 * sampler_random.c - independent draws, each from its own place in the trial's stream, so that a
 * parameter's draw does not change when others are added behind it, fixed, or inactive. */
#include "sampler.h"
#include "prior.h"

#define BLOCKS_PER_PARAM 65536u /* an unbiased integer may take several draws */

struct asy_rng asy__sampler_rng(const struct asy_sampler *s, uint64_t number, uint64_t block)
{
    struct asy_rng rng;

    asy_rng_init(&rng, s->seed, number, ASY_RNG_SAMPLER);
    rng.counter = block;
    return rng;
}

double asy__random_value(const struct asy_sampler *s, uint64_t number, size_t i)
{
    const struct asy_param *p = asy_space_at(s->space, i);
    struct asy_rng rng = asy__sampler_rng(s, number, i * (uint64_t)BLOCKS_PER_PARAM);
    double n = asy_space_values(s->space, i), lo, hi, u;

    if (asy__has_prior(s->space, i))
        return asy__prior_value(s->space, i, asy_rng_double(&rng));
    if (isfinite(n) && !p->log)
        return asy_space_value(s->space, i, (double)asy_rng_below(&rng, (uint64_t)n));
    u = asy_rng_double(&rng);
    if (!p->log)
        return asy_space_snap(s->space, i, p->lo + u * (p->hi - p->lo));
    /* Each grid value gets the logarithmic width of the step around it. */
    lo = log(p->lo - p->step / 2);
    hi = log(p->hi + p->step / 2);
    return asy_space_snap(s->space, i, exp(lo + u * (hi - lo)));
}

void asy__random_point(const struct asy_sampler *s, uint64_t number, const double *fixed,
                       double *x)
{
    for (size_t i = 0; i < asy_space_len(s->space); i++) {
        x[i] = ASY_INACTIVE;
        if (!asy_space_active(s->space, x, i))
            continue;
        x[i] = fixed && !isnan(fixed[i]) ? fixed[i] : asy__random_value(s, number, i);
    }
}

static int ask(struct asy_sampler *s, uint64_t number, const double *fixed, double *x,
               struct asy_error *err)
{
    (void)err;
    asy__random_point(s, number, fixed, x);
    return 0;
}

const struct asy__sampler_class asy__sampler_random = { .name = "random", .priors = ASY__PRIORS_ALL,
                                                        .ask = ask };
