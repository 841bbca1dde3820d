/* SPDX-License-Identifier: Apache-2.0
 * bandit.h - where a weak member of a population explores: population-based bandits, PB2
 * (Parker-Holder, Nguyen and Roberts 2020, NeurIPS, algorithms 1 and 2).
 *
 * A turn that went on from a complete one is one observation: what its numbers gained over one
 * interval, given the value it began with and how many turns went before. A member explores where
 * an upper confidence bound on that gain is highest, as a time-varying Gaussian process (tvgp.h)
 * has it. */
#ifndef ASY_TUNER_BANDIT_H
#define ASY_TUNER_BANDIT_H
#include "population.h"

/* Fills ret_x [space length] with the fixed entries (NULL: none) and, as far as these leave them
 * free, the values of modelled parameters for the trial that goes on as `next` says; with NaN where
 * there is neither. Modelled are numbers and ordered choices without conditions. None is chosen
 * while fewer than three turns have gone on. A function of the latest outcomes, seed and number. */
ASY_MUST_CHECK int asy__bandit_choose(const struct asy_sampler *s, const struct asy__turns *turns,
                                      uint64_t number, const struct asy__next *next,
                                      const double *fixed, double *ret_x);

/* ---- what it has learnt from, for tests ----------------------------------------------------- */

#define ASY__BANDIT_CONTEXT 1 /* inputs before the parameters: the value at the start */

struct asy__gain {
    const struct asy__turn *turn, *parent; /* parent: complete */
    double t;                              /* turns before it */
    double y; /* what it gained; from asy__gains_standardise() on as the model sees it */
    int known; /* it has ended; else it trains */
    int worst; /* it diverged, or came to violate constraints: no better than any other */
};
/* *ret_gains [known + running], to be freed: known ones first, each in the order of numbers, the
 * latest of each. */
ASY_MUST_CHECK int asy__gains_of(const struct asy_sampler *s, const struct asy__turns *turns,
                                 struct asy__gain **ret_gains, size_t *ret_known,
                                 size_t *ret_running);
/* Known ones only: mean 0 and variance 1, then cut at -2 and 2. */
void asy__gains_standardise(struct asy__gain *gains, size_t n);
/* How many deviations the bound lies above the mean, with n observations. */
double asy__bandit_bonus(size_t n);
#endif
