/* SPDX-License-Identifier: Apache-2.0
 * cma_stop.h - when a distribution has nothing more to find (Hansen's tutorial, appendix B.3), and
 * what the next one is: IPOP (Auger and Hansen 2005) doubles the batch, BIPOP (Hansen 2009) changes
 * between that and small batches of narrow distributions, whichever has had fewer trials. */
#ifndef ASY_TUNER_CMA_STOP_H
#define ASY_TUNER_CMA_STOP_H
#include "cma.h"

/* Generations whose values asy__cma_stalled looks at, for batches of lambda; most for the least. */
size_t asy__cma_window(size_t d, size_t lambda);
/* After a step: best and worst value of its batch, NaN where there is none. 1: start anew. */
int asy__cma_stalled(struct asy__cma *cma, double best, double worst);

enum asy__cma_restarts { ASY__CMA_NO_RESTARTS, ASY__CMA_IPOP, ASY__CMA_BIPOP };

struct asy__cma_regime {
    uint64_t run;    /* restarts so far */
    size_t usual;    /* lambda of the first run */
    size_t large;    /* of the last large one */
    int small;       /* the present run is one with a small batch */
    uint64_t used[2]; /* BIPOP: trials of large and small runs */
};
/* The batch and spread of the next run. rng: drawn from twice. */
size_t asy__cma_next(struct asy__cma_regime *regime, enum asy__cma_restarts restarts,
                     struct asy_rng *rng, double *sigma);
#endif
