/* SPDX-License-Identifier: Apache-2.0
 * cma_impl.h - what the parts of the step share. */
#ifndef ASY_TUNER_CMA_IMPL_H
#define ASY_TUNER_CMA_IMPL_H
#include "cma.h"

struct asy__cma_work {
    double *weights, *lengths; /* [lambda] */
    double *ys;                /* [lambda, d] */
    double *y, *t;             /* [d] */
    double *sigma;             /* adapt: what it was */
    double *mean;              /* [2, d] */
    double *cov;               /* [4, d, d]; separable: not there */
    double *eigh;              /* [ASY_LA_EIGH_WORK(d)]; separable: not there */
};

ASY_MUST_CHECK int asy__cma_reserve(struct asy__cma *cma, size_t lambda,
                                    struct asy__cma_work *ret_work);
/* Learning rate adaptation: keeps mean and covariance as they are before a step, then shortens the
 * step that was made. */
void asy__cma_rate_before(struct asy__cma *cma, const struct asy__cma_work *work);
void asy__cma_rate_after(struct asy__cma *cma, const struct asy__cma_work *work);
#endif
