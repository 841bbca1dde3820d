/* SPDX-License-Identifier: Apache-2.0
 * asy/update.h - further optimisers over flat memory, and what goes along with an update: norms,
 * clipping, a running mean of the weights. SGD and Adam are in asy/kernels.h, whose rules on
 * layout, bits and threads hold here too.
 *
 * LAMB and LARS want norms of whole tensors, which several ranks may hold in parts. So each comes
 * as two passes over a piece: the first gives sums of squares, of which the caller makes the
 * tensor's norms; the second takes the step. The caller adds up pieces in an order that does not
 * depend on who has them. */
#ifndef ASY_UPDATE_H
#define ASY_UPDATE_H
#include <asy/kernels.h>

/* Adam with weight decay as an L2 term of the gradient, g + weight_decay w in place of g: as
 * PyTorch's Adam. asy_adam_step() has it decoupled, as PyTorch's AdamW. */
void asy_adam_l2_step(const struct asy_adam *adam, uint64_t step, size_t n, float *w,
                      const float *g, float *m, float *v);
void asy_adam_l2_step_ref(const struct asy_adam *adam, uint64_t step, size_t n, float *w,
                          const float *g, float *m, float *v);

/* SGD, Adam and adam_l2 as one, with what a step's entries have in common worked out before, for a
 * gradient that comes in blocks. Make it by a function below. */
enum asy_rule_kind { ASY_BY_SGD, ASY_BY_ADAM, ASY_BY_ADAM_L2 };
struct asy_rule {
    enum asy_rule_kind kind;
    struct asy_sgd sgd;
    float keep, rate, root, epsilon, beta1, beta2, decay; /* of Adam */
};
struct asy_rule asy_rule_sgd(const struct asy_sgd *sgd);
struct asy_rule asy_rule_adam(enum asy_rule_kind kind, const struct asy_adam *adam, uint64_t step);
/* rows x cols entries of flat memory: rows are `row` floats apart, those of the gradient g_row. */
struct asy_block {
    size_t rows, cols, row, g_row;
};
/* w, m, v of a block by its gradient g: row by row what asy_sgd_step(), asy_adam_step() and
 * asy_adam_l2_step() do, to the bit. m and v are NULL where the rule has none. */
void asy_rule_step(const struct asy_rule *rule, const struct asy_block *block, float *w,
                   const float *g, float *m, float *v);

/* The sums over x [n] of x^2, in double precision and a fixed order. */
double asy_sum_squares(size_t n, const float *x);
double asy_sum_squares_ref(size_t n, const float *x);
/* x [n] = factor x */
void asy_scale(size_t n, float factor, float *x);
void asy_scale_ref(size_t n, float factor, float *x);
/* mean [n] += rate (w [n] - mean) */
void asy_mean_step(size_t n, float rate, const float *w, float *mean);
void asy_mean_step_ref(size_t n, float rate, const float *w, float *mean);

/* Sums of squares over a piece: of the weights, and of what would be taken off them. */
struct asy_norms {
    double weights, change;
};
/* LAMB (You et al. 2020, arXiv 1904.00962, algorithm 2): m and v as Adam has them, then
 *   r = mhat / (sqrt(vhat) + epsilon) + weight_decay w;  w -= lr trust r
 * with trust = |w| / |r| of the tensor, or 1 where either is 0. step counts from 1. The first pass
 * changes m and v, the second w. */
void asy_lamb_moments(const struct asy_adam *adam, uint64_t step, size_t n, const float *w,
                      const float *g, float *m, float *v, struct asy_norms *ret);
void asy_lamb_moments_ref(const struct asy_adam *adam, uint64_t step, size_t n, const float *w,
                          const float *g, float *m, float *v, struct asy_norms *ret);
void asy_lamb_apply(const struct asy_adam *adam, uint64_t step, float trust, size_t n, float *w,
                    const float *m, const float *v);
void asy_lamb_apply_ref(const struct asy_adam *adam, uint64_t step, float trust, size_t n, float *w,
                        const float *m, const float *v);

/* LARS (You et al. 2017, arXiv 1708.03888, algorithm 1), around SGD as asy/kernels.h has it, so
 * that lr may change without a jump of the momentum:
 *   g' = trust (g + weight_decay w);  m = momentum m + g';
 *   w -= lr (nesterov ? g' + momentum m : m)
 * with trust = coefficient |w| / (|g| + weight_decay |w|) of the tensor, or 1 where |w| or |g| is
 * 0. The norms are asy_sum_squares() of w and g. */
void asy_lars_apply(const struct asy_sgd *sgd, float trust, size_t n, float *w, const float *g,
                    float *m);
void asy_lars_apply_ref(const struct asy_sgd *sgd, float trust, size_t n, float *w, const float *g,
                        float *m);
#endif
