/* SPDX-License-Identifier: Apache-2.0
 * gbdt_loss.c - losses of margins, and their derivatives.
 *
 * Second derivatives of the softmax are twice the diagonal of the Hessian, an upper bound of the
 * whole (Friedman, Hastie and Tibshirani 2000, "Additive logistic regression", section 7, up to a
 * factor), as xgboost has them. */
#include "gbdt_impl.h"
#include <math.h>

#define H_MIN 1e-16f /* of a row: what is certain still has a curvature */

static void softmax(float *margins, size_t n)
{
    float top = margins[0], sum = 0;

    for (size_t k = 1; k < n; k++)
        top = margins[k] > top ? margins[k] : top;
    for (size_t k = 0; k < n; k++)
        sum += margins[k] = expf(margins[k] - top);
    for (size_t k = 0; k < n; k++)
        margins[k] /= sum;
}

void asy_gbdt_respond(const struct asy_gbdt *model, size_t rows, float *margins)
{
    switch (model->params.loss) {
    case ASY_GBDT_SQUARED:
        break;
    case ASY_GBDT_LOGISTIC:
        for (size_t r = 0; r < rows; r++)
            margins[r] = 1 / (1 + expf(-margins[r]));
        break;
    case ASY_GBDT_SOFTMAX:
        for (size_t r = 0; r < rows; r++)
            softmax(margins + r * model->outputs, model->outputs);
        break;
    }
}

void asy__gbdt_derive(const struct asy_gbdt_params *params, size_t outputs, size_t k,
                      const float *chances, const float *label, const float *weight, size_t rows,
                      float *g, float *h)
{
    for (size_t r = 0; r < rows; r++) {
        float p = chances[r * outputs + k], spread = p * (1 - p);

        if (params->loss == ASY_GBDT_SOFTMAX) {
            g[r] = p - (label[r] == (float)k ? 1 : 0);
            spread *= 2;
        } else {
            g[r] = p - label[r];
        }
        h[r] = params->loss == ASY_GBDT_SQUARED ? 1 : spread > H_MIN ? spread : H_MIN;
    }
    for (size_t r = 0; weight && r < rows; r++) {
        g[r] *= weight[r];
        h[r] *= weight[r];
    }
}

static double loss_of(enum asy_gbdt_loss loss, const float *margins, size_t outputs, float label)
{
    double m = (double)margins[0], y = (double)label, top = m, sum = 0;

    if (loss == ASY_GBDT_SQUARED)
        return (m - y) * (m - y) / 2;
    if (loss == ASY_GBDT_LOGISTIC)
        return log1p(exp(-fabs(m))) + (m > 0 ? m : 0) - y * m;
    for (size_t k = 1; k < outputs; k++)
        top = fmax(top, (double)margins[k]);
    for (size_t k = 0; k < outputs; k++)
        sum += exp((double)margins[k] - top);
    return log(sum) + top - (double)margins[(size_t)label];
}

void asy_gbdt_loss(const struct asy_gbdt *model, const float *margins, const float *label,
                   const float *weight, size_t rows, double *ret_sum, double *ret_weight)
{
    double sum = 0, total = 0;

    for (size_t r = 0; r < rows; r++) {
        double w = weight ? (double)weight[r] : 1;

        sum += w * loss_of(model->params.loss, margins + r * model->outputs, model->outputs,
                           label[r]);
        total += w;
    }
    *ret_sum = sum;
    *ret_weight = total;
}
