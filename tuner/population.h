/* SPDX-License-Identifier: Apache-2.0
 * population.h - a population whose members train in turns: which trial was whose, who is free, and
 * from where a member goes on.
 *
 * A trial is one turn of one member. A member's standing is its latest complete turn; it is free
 * once its latest turn has ended, unless that is its last. All of it follows from the latest
 * outcomes of the trials, in whatever order they came. */
#ifndef ASY_TUNER_POPULATION_H
#define ASY_TUNER_POPULATION_H
#include "sampler.h"
#include "trials.h"

struct asy__turn {
    uint64_t number;
    struct asy_origin origin; /* member 0: of no population, does not count */
    enum asy_outcome_state state;
    int over;
    int diverged;     /* FAILED: of that */
    double value;     /* smaller is better */
    double violation;
    double x[];       /* [space length] */
};
struct asy__turns {
    struct asy__trials trials; /* of struct asy__turn */
    uint64_t n_members;        /* the highest member that there was */
    struct asy__turn *fresh;   /* what a new turn begins as: all 0; NULL: none was told yet */
};
/* How a member goes on. */
struct asy__next {
    uint64_t member;
    const struct asy__turn *from; /* its parent; NULL: none, a new point */
    const struct asy__turn *own;  /* its own standing; NULL: none */
    int explores;                 /* 0: with the parent's point as it is */
};

void asy__turns_fini(struct asy__turns *turns);
/* The trial is not known any more. */
void asy__turns_forget(const struct asy_sampler *s, struct asy__turns *turns, uint64_t number);
/* So that telling of this trial cannot fail. */
ASY_MUST_CHECK int asy__turns_reserve(const struct asy_sampler *s, struct asy__turns *turns,
                                      uint64_t number);
void asy__turns_tell(const struct asy_sampler *s, struct asy__turns *turns,
                     const struct asy_outcome *outcome);
/* The i-th turn, in the order in which trials came up; NULL beyond the last. */
const struct asy__turn *asy__turns_at(const struct asy_sampler *s, const struct asy__turns *turns,
                                      size_t i);
/* NULL: not known, or forgotten. */
const struct asy__turn *asy__turns_get(const struct asy_sampler *s, const struct asy__turns *turns,
                                       uint64_t number);
/* Who goes on next and from where: with truncation selection, by draws of rng. First the population
 * is filled up to `size`; then the free member whose latest turn has the lowest number; a further
 * one if none is free. The result is borrowed until the next tell. ASY_E_FULL: all are trained
 * to their end, or the last turns have all failed, three for each member. */
ASY_MUST_CHECK int asy__turns_next(const struct asy_sampler *s, const struct asy__turns *turns,
                                   uint64_t size, double quantile, struct asy_rng *rng,
                                   struct asy__next *ret_next, struct asy_error *err);
#endif
