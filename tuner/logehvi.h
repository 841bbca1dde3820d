/* SPDX-License-Identifier: Apache-2.0
 * logehvi.h - the logarithm of the expected hypervolume improvement of two objectives, both
 * minimised, exact, with its derivatives. */
#ifndef ASY_TUNER_LOGEHVI_H
#define ASY_TUNER_LOGEHVI_H
#include <asy/error.h>

/* What is not dominated below a reference point, cut along the first objective: strip i lies
 * between edges[i] and edges[i + 1] and below heights[i]. */
struct asy__strips {
    size_t n;        /* at least 1 */
    double *edges;   /* [n + 1] ascending; the first is -INFINITY, the last the reference's */
    double *heights; /* [n] descending; the first is the reference's */
};
/* Makes the strips of points [n, 2], which are sorted in place. Room: n + 2 edges, n + 1
 * heights. */
void asy__strips_make(struct asy__strips *strips, size_t n, double *points,
                      const double *reference);
/* Both objectives independent and normal. ret_by_mean, ret_by_sigma: [2] derivatives. */
double asy__log_ehvi(const struct asy__strips *strips, const double *mean, const double *sigma,
                     double *ret_by_mean, double *ret_by_sigma);
#endif
