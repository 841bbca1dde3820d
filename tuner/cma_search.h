/* SPDX-License-Identifier: Apache-2.0
 * cma_search.h - the distribution as a function of the finished trials.
 *
 * Finished trials are taken in the order of their numbers, a batch at a time; what is left over
 * waits for the rest of its batch. A late result thus takes its place among the earlier ones: the
 * search goes back to the last state kept from before it and takes up everything since once more.
 * So each result counts, however late, and the state does not depend on when it came. */
#ifndef ASY_TUNER_CMA_SEARCH_H
#define ASY_TUNER_CMA_SEARCH_H
#include "cma_coord.h"
#include "cma_past.h"
#include "cma_stop.h"

struct asy__cma_stand { /* where the search is, beside its distributions */
    int started;        /* there is a distribution */
    int due;            /* it is to be followed by another run's */
    size_t pos;         /* finished trials taken, of their order */
    struct asy__cma_regime regime;
    size_t shadow;      /* up to there trials may be ones that the run before asked for */
};
struct asy__cma_kept { /* a state to go back to */
    struct asy__cma_stand stand;
    struct asy__cma_vars now, before;
    double *blocks; /* [2, block_len] */
};

struct asy__cma_search {
    const struct asy_sampler *sampler;
    size_t lambda; /* of the first run */
    size_t warm;   /* trials that the first distribution is made of; 0: none */
    struct asy__cma_trial *earlier; /* [n_earlier of the sampler] likewise, if warm is 0; or NULL */
    enum asy__cma_restarts restarts;
    struct asy__cma_coords coords;
    struct asy__cma_past past;
    struct asy__cma_stand stand;
    struct asy__cma now, before; /* the present run's, the end of the one before */
    struct asy__cma_kept *kept;  /* [n_kept] ascending pos */
    size_t n_kept, max_kept;
    void *scratch;
    size_t scratch_cap;
};

/* shape.d, n_probs and funhist are filled in here. */
ASY_MUST_CHECK int asy__cma_search_init(struct asy__cma_search *search,
                                        const struct asy_sampler *s, size_t population,
                                        struct asy__cma_shape shape);
void asy__cma_search_fini(struct asy__cma_search *search);
/* Takes up what is finished. After ASY_E_NOMEM it can be called again. */
ASY_MUST_CHECK int asy__cma_search_update(struct asy__cma_search *search);
#endif
