/* SPDX-License-Identifier: Apache-2.0
 * prior.h - the priors of parameters (struct asy_prior) as distributions: from a share of their
 * mass to a value and back.
 *
 * A number is drawn from the prior's own scale, cut to its bounds, and moved to the nearest value
 * of a parameter with a step, so that a value has the mass of the interval that is nearest to it;
 * what lies beyond the outermost values is theirs. Parameters without a prior are not asked for
 * here, except by asy__has_prior(). */
#ifndef ASY_TUNER_PRIOR_H
#define ASY_TUNER_PRIOR_H
#include <asy/space.h>

/* Which priors a sampler takes. */
enum asy__priors {
    ASY__PRIORS_NONE = 0,
    ASY__PRIORS_KERNEL, /* weights, and normal ones on the parameter's scale within its bounds */
    ASY__PRIORS_ALL,
};

int asy__has_prior(const struct asy_space *space, size_t i);
/* Whether the parameter has one that tpe cannot have as a kernel. */
int asy__prior_is_foreign(const struct asy_space *space, size_t i);
/* Whether all of a space's are among them; if not, ASY_E_INVAL names the first that is not. */
ASY_MUST_CHECK int asy__priors_check(const struct asy_space *space, enum asy__priors priors,
                                     const char *sampler, struct asy_error *err);
/* The value below which a share u in [0, 1] of the mass lies. */
double asy__prior_value(const struct asy_space *space, size_t i, double u);
/* The share of the mass below a value: from *ret_lo to *ret_hi where it has some of its own (grids,
 * choices), else both are the same. */
void asy__prior_share(const struct asy_space *space, size_t i, double value, double *ret_lo,
                      double *ret_hi);
/* The number at that share of its prior, on the parameter's scale (a log one: its logarithm), not
 * moved to a grid; of an ordered choice the index. */
double asy__prior_number(const struct asy_space *space, size_t i, double u);
/* Mean and standard deviation of such numbers, by the midpoint rule over 512 shares. */
void asy__prior_moments(const struct asy_space *space, size_t i, double *ret_mean, double *ret_sd);
/* The regularised incomplete beta function I_x(a, b): continued fraction of DLMF 8.17.22 by Lentz's
 * method, about 1e-14 relative for a, b up to 1e4. */
double asy__beta_share(double x, double a, double b);
#endif
