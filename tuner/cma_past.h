/* SPDX-License-Identifier: Apache-2.0
 * cma_past.h - the finished trials of a study in the order of their numbers, how they rank, and
 * what of that order has changed. */
#ifndef ASY_TUNER_CMA_PAST_H
#define ASY_TUNER_CMA_PAST_H
#include "map.h"
#include "sampler.h"

enum asy__cma_kind { ASY__CMA_FEASIBLE, ASY__CMA_PRUNED, ASY__CMA_INFEASIBLE, ASY__CMA_DIVERGED,
                     ASY__CMA_UNFINISHED };
struct asy__cma_trial {
    uint64_t number;
    enum asy__cma_kind kind;
    double a, b; /* within a kind: ascending a, then b, then number */
};
struct asy__cma_past {
    size_t len_x;
    struct asy__map numbers;
    struct asy__cma_trial *trials; /* [n_trials] */
    double *xs;                    /* [n_trials, len_x] */
    size_t n_trials, cap;
    uint32_t *order;               /* [n_order] finished ones by number */
    size_t n_order;
    size_t same; /* the first so many of the order are as they were when this was set to n_order */
};

void asy__cma_past_fini(struct asy__cma_past *past);
/* The next tell needs no memory. */
ASY_MUST_CHECK int asy__cma_past_reserve(struct asy__cma_past *past);
/* RUNNING and FAILED without having diverged take a trial out of the order. */
void asy__cma_past_tell(struct asy__cma_past *past, const struct asy_sampler *s,
                        const struct asy_outcome *outcome);
void asy__cma_past_forget(struct asy__cma_past *past, uint64_t number);
/* The i-th of the order and its point. */
const struct asy__cma_trial *asy__cma_past_at(const struct asy__cma_past *past, size_t i);
const double *asy__cma_past_x(const struct asy__cma_past *past, size_t i);
/* Below 0: a is the better one. */
int asy__cma_compare(const struct asy__cma_trial *a, const struct asy__cma_trial *b);
#endif
