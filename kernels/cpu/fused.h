/* SPDX-License-Identifier: Apache-2.0
 * fused.h - the table of fused kernels that one instruction set provides. */
#ifndef ASY_FUSED_H
#define ASY_FUSED_H
#include <asy/kernels.h>
#include <asy/update.h>

/* The slope of leaky_relu for negative sums. */
#define ASY__LEAKY 0.01f

/* Adam's constants of one step, worked out in double precision by the caller:
 *   w = w keep - rate m / (sqrt(v) root + epsilon) */
struct asy__adam_step {
    float keep, rate, root, epsilon, beta1, beta2;
};

/* A block of attention's scores: rows of queries that begin at the first-th, against keys. */
struct asy__scores {
    size_t rows, keys, first, step; /* step: floats from one row to the next */
    float scale;
    int causal; /* row i sees first + i + 1 keys; what it does not see becomes 0 */
};

struct asy__fused {
    const char *name;
    void (*bias_act)(enum asy_act act, size_t rows, size_t cols, const float *bias, float *z,
                     float *y);
    void (*bias_act_grad)(enum asy_act act, size_t rows, size_t cols, const float *z,
                          const float *y, float *dy, float *dbias);
    void (*act)(enum asy_act kind, size_t n, const float *x, float *y);
    void (*act_grad)(enum asy_act kind, size_t n, const float *from, const float *dy, float *dx);
    void (*softmax)(size_t rows, size_t cols, const float *x, float *y);
    void (*softmax_grad)(size_t rows, size_t cols, const float *y, const float *dy, float *dx);
    void (*dropout)(const struct asy_dropout *how, uint64_t first, size_t n, const float *x,
                    float *y);
    void (*column_sums)(size_t rows, size_t cols, const float *x, float *sums);
    void (*sum_rows)(size_t rows, size_t n, const float *const *x, float *y);
    double (*softmax_loss)(size_t rows, size_t cols, float *logits, const int32_t *labels,
                           float scale, uint64_t *correct);
    void (*sgd_block)(const struct asy_sgd *sgd, const struct asy_block *block, float *w,
                      const float *g, float *m);
    void (*adam_block)(const struct asy__adam_step *adam, const struct asy_block *block, float *w,
                       const float *g, float *m, float *v);
    void (*triad)(size_t n, float s, float *a, const float *b, const float *c);
    void (*layer_norm)(size_t rows, size_t cols, float epsilon, const float *x, const float *scale,
                       const float *shift, float *y, float *stats);
    void (*layer_norm_grad)(size_t rows, size_t cols, int add, const float *x, const float *scale,
                            const float *stats, const float *dy, float *dx, float *dscale,
                            float *dshift);
    void (*embed)(size_t rows, size_t tokens, size_t cols, const float *ids, const float *table,
                  const float *place, float *y);
    void (*embed_grad)(size_t rows, size_t tokens, size_t cols, size_t vocabulary, int add,
                       const float *ids, const float *dy, float *dtable, float *dplace);
    /* Of attention, p [rows][keys]: scores become probabilities; the same from stats; dp becomes
     * the gradient by the scores. */
    void (*attend)(const struct asy__scores *scores, float *p, float *stats);
    void (*attend_again)(const struct asy__scores *scores, float *p, const float *stats);
    void (*attend_grad)(const struct asy__scores *scores, const float *p, float *dp);
    /* p after dropout: row i has the numbers from first + i tokens on. And dp after it, by what was
     * left of p. */
    void (*attend_drop)(const struct asy__scores *scores, const struct asy_dropout *how,
                        uint64_t first, size_t tokens, float *p);
    void (*attend_drop_as)(const struct asy__scores *scores, const struct asy_dropout *how,
                           const float *left, float *dp);
};
extern const struct asy__fused asy__fused_base;
extern const struct asy__fused asy__fused_avx2;
extern const struct asy__fused asy__fused_avx512;
const struct asy__fused *asy__fused_get(void);
struct asy__adam_step asy__adam_constants(const struct asy_adam *adam, uint64_t step);
#endif
