/* SPDX-License-Identifier: Apache-2.0
 * fit.h - the table of losses and updates that one instruction set provides: asy/loss.h and
 * asy/update.h in what has vectors. */
#ifndef ASY_FIT_H
#define ASY_FIT_H
#include <asy/loss.h>
#include <asy/update.h>
#include "fused.h"

struct asy__fit {
    const char *name;
    double (*class_loss)(const struct asy_class_loss *loss, size_t rows, size_t cols,
                         float *logits, const int32_t *labels, float scale, uint64_t *correct);
    double (*binary_loss)(const struct asy_class_loss *loss, size_t rows, float *x,
                          const int32_t *labels, float scale, uint64_t *correct);
    /* decay: of the gradient's L2 term. */
    void (*adam_l2)(const struct asy__adam_step *adam, float decay, size_t n, float *w,
                    const float *g, float *m, float *v);
    double (*sum_squares)(size_t n, const float *x);
    void (*scale)(size_t n, float factor, float *x);
    void (*mean_step)(size_t n, float rate, const float *w, float *mean);
    /* rate and root of adam are those of lr 1. */
    void (*lamb_moments)(const struct asy__adam_step *adam, float decay, size_t n, const float *w,
                         const float *g, float *m, float *v, struct asy_norms *ret);
    void (*lamb_apply)(const struct asy__adam_step *adam, float decay, float step, size_t n,
                       float *w, const float *m, const float *v);
    void (*lars_apply)(const struct asy_sgd *sgd, float trust, size_t n, float *w, const float *g,
                       float *m);
};
extern const struct asy__fit asy__fit_base;
extern const struct asy__fit asy__fit_avx2;
extern const struct asy__fit asy__fit_avx512;
const struct asy__fit *asy__fit_get(void);
#endif
