/* SPDX-License-Identifier: Apache-2.0
 * fit.c - the public losses and updates, over the table of this CPU's instruction set. */
#include "fit.h"
#include <math.h>

double asy_class_loss(const struct asy_class_loss *loss, size_t rows, size_t cols, float *logits,
                      const int32_t *labels, float scale, uint64_t *correct)
{
    if (loss->smoothing == 0 && !loss->weights)
        return asy_softmax_loss(rows, cols, logits, labels, scale, correct);
    return asy__fit_get()->class_loss(loss, rows, cols, logits, labels, scale, correct);
}

double asy_binary_loss(const struct asy_class_loss *loss, size_t rows, float *x,
                       const int32_t *labels, float scale, uint64_t *correct)
{
    return asy__fit_get()->binary_loss(loss, rows, x, labels, scale, correct);
}

/* One column wide, as asy_squared_loss() is. */
double asy_huber_loss(float delta, size_t rows, float *y, const float *target, float scale)
{
    double loss = 0, far = (double)delta;

    for (size_t i = 0; i < rows; i++) {
        float d = y[i] - target[i];
        double size = fabs((double)d);

        loss += size > far ? far * (size - far / 2) : size * size / 2;
        if (scale != 0)
            y[i] = scale * (d > delta ? delta : d < -delta ? -delta : d);
    }
    return loss;
}

double asy_quantile_loss(float quantile, size_t rows, float *y, const float *target, float scale)
{
    double loss = 0, above = 1 - (double)quantile, below = (double)quantile;

    for (size_t i = 0; i < rows; i++) {
        float d = y[i] - target[i];

        loss += d < 0 ? -below * (double)d : above * (double)d;
        if (scale != 0)
            y[i] = scale * (d < 0 ? -quantile : d > 0 ? 1.0f - quantile : d);
    }
    return loss;
}

void asy_adam_l2_step(const struct asy_adam *adam, uint64_t step, size_t n, float *w,
                      const float *g, float *m, float *v)
{
    struct asy__adam_step constants = asy__adam_constants(adam, step);

    asy__fit_get()->adam_l2(&constants, (float)adam->weight_decay, n, w, g, m, v);
}

struct asy_rule asy_rule_sgd(const struct asy_sgd *sgd)
{
    return (struct asy_rule){ .kind = ASY_BY_SGD, .sgd = *sgd };
}

struct asy_rule asy_rule_adam(enum asy_rule_kind kind, const struct asy_adam *adam, uint64_t step)
{
    struct asy__adam_step c = asy__adam_constants(adam, step);

    return (struct asy_rule){ .kind = kind, .keep = c.keep, .rate = c.rate, .root = c.root,
                              .epsilon = c.epsilon, .beta1 = c.beta1, .beta2 = c.beta2,
                              .decay = (float)adam->weight_decay };
}

void asy_rule_step(const struct asy_rule *rule, const struct asy_block *block, float *w,
                   const float *g, float *m, float *v)
{
    const size_t n = block->rows * block->cols;
    const struct asy_block one = { 1, n, n, n };
    struct asy__adam_step adam = { rule->keep, rule->rate, rule->root, rule->epsilon, rule->beta1,
                                   rule->beta2 };

    if (block->row == block->cols && block->g_row == block->cols)
        block = &one; /* rows that lie side by side */
    if (rule->kind == ASY_BY_SGD) {
        asy__fused_get()->sgd_block(&rule->sgd, block, w, g, m);
        return;
    }
    if (rule->kind == ASY_BY_ADAM) {
        asy__fused_get()->adam_block(&adam, block, w, g, m, v);
        return;
    }
    for (size_t i = 0; i < block->rows; i++)
        asy__fit_get()->adam_l2(&adam, rule->decay, block->cols, w + i * block->row,
                                g + i * block->g_row, m + i * block->row, v + i * block->row);
}

double asy_sum_squares(size_t n, const float *x)
{
    return asy__fit_get()->sum_squares(n, x);
}

void asy_scale(size_t n, float factor, float *x)
{
    asy__fit_get()->scale(n, factor, x);
}

void asy_mean_step(size_t n, float rate, const float *w, float *mean)
{
    asy__fit_get()->mean_step(n, rate, w, mean);
}

/* The constants of a step of length 1: what the norms are of has no lr in it. */
static struct asy__adam_step unit(const struct asy_adam *adam, uint64_t step)
{
    struct asy_adam one = *adam;

    one.lr = 1;
    return asy__adam_constants(&one, step);
}

void asy_lamb_moments(const struct asy_adam *adam, uint64_t step, size_t n, const float *w,
                      const float *g, float *m, float *v, struct asy_norms *ret)
{
    struct asy__adam_step constants = unit(adam, step);

    asy__fit_get()->lamb_moments(&constants, (float)adam->weight_decay, n, w, g, m, v, ret);
}

void asy_lamb_apply(const struct asy_adam *adam, uint64_t step, float trust, size_t n, float *w,
                    const float *m, const float *v)
{
    struct asy__adam_step constants = unit(adam, step);

    asy__fit_get()->lamb_apply(&constants, (float)adam->weight_decay, (float)adam->lr * trust, n, w,
                               m, v);
}

void asy_lars_apply(const struct asy_sgd *sgd, float trust, size_t n, float *w, const float *g,
                    float *m)
{
    asy__fit_get()->lars_apply(sgd, trust, n, w, g, m);
}
