/* SPDX-License-Identifier: Apache-2.0
 * asy/loss.h - losses with their gradients in one pass, beside the two plain ones of asy/kernels.h,
 * whose rules on layout, bits and threads hold here too.
 *
 * All return the sum over the rows of their losses and turn outputs into scale times its gradient;
 * what scale 0 leaves there is said at each. NaN gives NaN. */
#ifndef ASY_LOSS_H
#define ASY_LOSS_H
#include <asy/kernels.h>

/* The target of a row of class y is (1 - smoothing) on y and smoothing / classes on each class (of
 * Szegedy et al. 2016, arXiv 1512.00567, section 7), each entry times its class's weight; as
 * PyTorch's CrossEntropyLoss has it, with the sum in place of its weighted mean. */
struct asy_class_loss {
    float smoothing;      /* from 0 to below 1 */
    const float *weights; /* [classes], NULL: ones */
};
/* Cross-entropy of that target and the softmax of logits [rows][cols]; labels and *correct as in
 * asy_softmax_loss(), whose bits it has where there is no smoothing and no weight. scale 0: logits
 * becomes the softmax. */
double asy_class_loss(const struct asy_class_loss *loss, size_t rows, size_t cols, float *logits,
                      const int32_t *labels, float scale, uint64_t *correct);
double asy_class_loss_ref(const struct asy_class_loss *loss, size_t rows, size_t cols,
                          float *logits, const int32_t *labels, float scale, uint64_t *correct);
/* The same of two classes by one logit a row, that of class 1 (of 0 it is 0): labels [rows] are 0
 * or 1. scale 0: x becomes the probability of class 1. */
double asy_binary_loss(const struct asy_class_loss *loss, size_t rows, float *x,
                       const int32_t *labels, float scale, uint64_t *correct);
double asy_binary_loss_ref(const struct asy_class_loss *loss, size_t rows, float *x,
                           const int32_t *labels, float scale, uint64_t *correct);

/* With d = y - target, for y and target [rows]; scale 0: y stays.
 * Huber 1964, equation 2.1: d^2 / 2 up to |d| = delta > 0, delta (|d| - delta / 2) beyond. */
double asy_huber_loss(float delta, size_t rows, float *y, const float *target, float scale);
double asy_huber_loss_ref(float delta, size_t rows, float *y, const float *target, float scale);
/* Koenker and Bassett 1978, equation 1.7: (1 - quantile) d above the target, quantile |d| below it;
 * least where y is that quantile. At d = 0 the gradient is 0. */
double asy_quantile_loss(float quantile, size_t rows, float *y, const float *target, float scale);
double asy_quantile_loss_ref(float quantile, size_t rows, float *y, const float *target,
                             float scale);
#endif
