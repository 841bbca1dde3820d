/* SPDX-License-Identifier: Apache-2.0
 * gp_search.h - finds the most promising point: many random points, then local searches from the
 * best of them, by gradient in coordinates that are continuous, by trying values in the others. */
#ifndef ASY_TUNER_GP_SEARCH_H
#define ASY_TUNER_GP_SEARCH_H
#include <asy/rng.h>
#include "gp_acq.h"

struct asy__gp_search {
    const struct asy_space *space;
    const struct asy__gp_dim *dims; /* [d] */
    size_t d;
    const double *fixed;  /* [d] coordinates that stay; NaN: free */
    const double *good;   /* [n_good, d] points worth looking around, the best first */
    size_t n_good;
    const double *length; /* [d] how far to look: length scales */
    const double *lo, *hi; /* [d] the box to stay in, but for choices and a grid of few values */
    const struct asy__gp *known; /* a space of finitely many points: its rows are not suggested
                                  * again while another point is found */
    struct asy_rng rng;
};

/* ret_u: [d]. */
ASY_MUST_CHECK int asy__gp_search(struct asy__gp_search *search, const struct asy__gp_acq *acq,
                                  double *ret_u);
#endif
