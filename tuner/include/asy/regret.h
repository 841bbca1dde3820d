/* SPDX-License-Identifier: Apache-2.0
 * asy/regret.h - how much better than the best trial the best point of the space may be: whether a
 * search is worth going on with (Makarova et al. 2022, arXiv 2104.08166, section 3).
 *
 * A Gaussian process models the complete trials, whoever suggested them; the bound is the smallest
 * upper confidence bound of a trial less the smallest lower one of the space. It is as good as the
 * model: of an objective that is not smooth it may be wrong, and is mostly large.
 *
 * Pure, as asy/tuner.h. What a bound is made of are the latest outcomes alone, not their order;
 * unless it is exact, those of the time when it was last found anew.
 * Ownership: keeps a reference to the space, which must outlive it.
 * Threads:   one owner per object. Errors: 0 or a negative enum asy_code. */
#ifndef ASY_REGRET_H
#define ASY_REGRET_H
#include <asy/tuner.h>

#define ASY_REGRET_TRIALS 20 /* complete ones that a model needs */

struct asy_regret;
/* exact: each bound is that of all outcomes told until then, which finds it anew whenever a trial
 * of a lower number ends late; else such a trial is of the next bound. ASY_E_INVAL: a parameter has
 * conditions. */
ASY_MUST_CHECK int asy_regret_create(const struct asy_space *space, enum asy_goal goal, int exact,
                                     struct asy_regret **ret_regret, struct asy_error *err);
void asy_regret_destroy(struct asy_regret *regret);
/* COMPLETE outcomes with a finite first value and no violation count; any other takes an earlier
 * one of its trial back. */
ASY_MUST_CHECK int asy_regret_tell(struct asy_regret *regret, const struct asy_outcome *outcome,
                                   struct asy_error *err);
/* The bound, of the first *ret_n complete trials by number: all but at most a tenth, so that it is
 * found anew only that often (where one of them changes afterwards: at once if exact); INFINITY:
 * there are too few, or no model. After ASY_E_NOMEM it can be called again. */
ASY_MUST_CHECK int asy_regret_bound(struct asy_regret *regret, double *ret_bound, size_t *ret_n,
                                    struct asy_error *err);
#endif
