/* SPDX-License-Identifier: Apache-2.0
 * fused.h - the table of fused kernels that one instruction set provides. */
#ifndef ASY_FUSED_H
#define ASY_FUSED_H
#include <asy/kernels.h>

/* The slope of leaky_relu for negative sums. */
#define ASY__LEAKY 0.01f

/* Adam's constants of one step, worked out in double precision by the caller:
 *   w = w keep - rate m / (sqrt(v) root + epsilon) */
struct asy__adam_step {
    float keep, rate, root, epsilon, beta1, beta2;
};

struct asy__fused {
    const char *name;
    void (*bias_act)(enum asy_act act, size_t rows, size_t cols, const float *bias, float *z,
                     float *y);
    void (*bias_act_grad)(enum asy_act act, size_t rows, size_t cols, const float *z,
                          const float *y, float *dy, float *dbias);
    void (*column_sums)(size_t rows, size_t cols, const float *x, float *sums);
    void (*sum_rows)(size_t rows, size_t n, const float *const *x, float *y);
    double (*softmax_loss)(size_t rows, size_t cols, float *logits, const int32_t *labels,
                           float scale, uint64_t *correct);
    void (*sgd_step)(const struct asy_sgd *sgd, size_t n, float *w, const float *g, float *m);
    void (*adam_step)(const struct asy__adam_step *adam, size_t n, float *w, const float *g,
                      float *m, float *v);
    void (*triad)(size_t n, float s, float *a, const float *b, const float *c);
};
extern const struct asy__fused asy__fused_base;
extern const struct asy__fused asy__fused_avx2;
extern const struct asy__fused asy__fused_avx512;
const struct asy__fused *asy__fused_get(void);
struct asy__adam_step asy__adam_constants(const struct asy_adam *adam, uint64_t step);
#endif
