/* SPDX-License-Identifier: Apache-2.0
 * cma_stop.c - the end of one distribution and the beginning of the next. */
#include "cma_stop.h"
#include <math.h>

#define TOL_VALUE 1e-12
#define TOL_X 1e-12   /* of the first sigma */
#define TOL_UP 1e4    /* of the longest axis */
#define CONDITION 1e14
#define GROWTH 2
#define LAMBDA_MAX 65536

size_t asy__cma_window(size_t d, size_t lambda)
{
    return 10 + (size_t)ceil(30 * (double)d / (double)lambda);
}

/* The values of a whole window are the same. */
static int is_flat(struct asy__cma *cma, double best, double worst)
{
    size_t n = asy__cma_window(cma->shape.d, cma->vars.lambda);
    size_t at = (size_t)(cma->vars.generation % n);
    double lo = INFINITY, hi = -INFINITY;

    cma->best[at] = best;
    cma->worst[at] = worst;
    if (cma->vars.generation <= n)
        return 0;
    for (size_t i = 0; i < n; i++) {
        if (isnan(cma->best[i]) || isnan(cma->worst[i]))
            return 0;
        lo = fmin(lo, cma->best[i]);
        hi = fmax(hi, cma->worst[i]);
    }
    return hi - lo < TOL_VALUE;
}

static int is_small(const struct asy__cma *cma)
{
    double sigma = cma->vars.sigma, tol = TOL_X * cma->vars.sigma0;

    for (size_t j = 0; j < cma->shape.d; j++)
        if (!(asy__cma_spread(cma, j) < tol) || !(sigma * fabs(cma->path_c[j]) < tol))
            return 0;
    return 1;
}

/* Adding a part of the spread to a coordinate, or along an axis, changes nothing. */
static int has_no_effect(const struct asy__cma *cma)
{
    size_t d = cma->shape.d, k = (size_t)(cma->vars.generation % d), same = 0;
    double step = 0.1 * cma->vars.sigma * cma->scales[k];

    for (size_t j = 0; j < d; j++) {
        double axis = cma->shape.separable ? (double)(j == k) : cma->vectors[k * d + j];

        if (cma->mean[j] == cma->mean[j] + 0.2 * asy__cma_spread(cma, j))
            return 1;
        same += cma->mean[j] == cma->mean[j] + step * axis;
    }
    return same == d;
}

int asy__cma_stalled(struct asy__cma *cma, double best, double worst)
{
    size_t d = cma->shape.d;
    double least = INFINITY, most = 0;

    if (d == 0)
        return 0;
    if (is_flat(cma, best, worst) || cma->vars.broken)
        return 1;
    for (size_t k = 0; k < d; k++) {
        least = fmin(least, cma->scales[k]);
        most = fmax(most, cma->scales[k]);
    }
    return most * most > CONDITION * least * least || cma->vars.sigma * most > TOL_UP ||
           is_small(cma) || has_no_effect(cma);
}

size_t asy__cma_next(struct asy__cma_regime *regime, enum asy__cma_restarts restarts,
                     struct asy_rng *rng, double *sigma)
{
    double u = asy_rng_double(rng), narrow = pow(10, -2 * asy_rng_double(rng)), ratio;

    regime->run++;
    regime->small = restarts == ASY__CMA_BIPOP && regime->run > 1 &&
                    regime->used[1] < regime->used[0];
    if (restarts == ASY__CMA_NO_RESTARTS)
        return regime->usual;
    if (regime->small) {
        ratio = (double)regime->large / (2 * (double)regime->usual);
        *sigma *= narrow;
        return (size_t)((double)regime->usual * pow(ratio, u * u));
    }
    if (regime->large < LAMBDA_MAX)
        regime->large *= GROWTH;
    return regime->large;
}
