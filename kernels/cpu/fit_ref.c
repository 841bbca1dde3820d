/* SPDX-License-Identifier: Apache-2.0
 * fit_ref.c - the plain twins of losses and updates: the formulas one by one, in double
 * precision. */
#include "fit.h"
#include <math.h>

/* What the target of a row of class `label` has on class j. */
static double target_of(const struct asy_class_loss *loss, size_t cols, size_t label, size_t j)
{
    double smoothing = (double)loss->smoothing, weight = loss->weights ? (double)loss->weights[j]
                                                                       : 1;

    return weight * (smoothing / (double)cols + (j == label ? 1 - smoothing : 0));
}

double asy_class_loss_ref(const struct asy_class_loss *how, size_t rows, size_t cols,
                          float *logits, const int32_t *labels, float scale, uint64_t *correct)
{
    double loss = 0;

    for (size_t i = 0; i < rows; i++) {
        float *x = logits + i * cols;
        size_t label = (size_t)labels[i], best = 0;
        double top, sum = 0, whole = 0;

        for (size_t j = 1; j < cols; j++)
            best = x[j] > x[best] ? j : best;
        *correct += best == label;
        top = (double)x[best];
        for (size_t j = 0; j < cols; j++) {
            sum += exp((double)x[j] - top);
            whole += target_of(how, cols, label, j);
        }
        for (size_t j = 0; j < cols; j++) {
            double from_top = (double)x[j] - top, p = exp(from_top) / sum;
            double target = target_of(how, cols, label, j);

            loss += target * (log(sum) - from_top);
            x[j] = (float)(scale == 0 ? p : (double)scale * (whole * p - target));
        }
    }
    return loss;
}

double asy_binary_loss_ref(const struct asy_class_loss *loss, size_t rows, float *x,
                           const int32_t *labels, float scale, uint64_t *correct)
{
    double sum = 0;

    for (size_t i = 0; i < rows; i++) {
        float pair[2] = { 0, x[i] };

        sum += asy_class_loss_ref(loss, 1, 2, pair, labels + i, scale, correct);
        x[i] = pair[1];
    }
    return sum;
}

double asy_huber_loss_ref(float delta, size_t rows, float *y, const float *target, float scale)
{
    double loss = 0, far = (double)delta;

    for (size_t i = 0; i < rows; i++) {
        double d = (double)y[i] - (double)target[i];

        loss += fabs(d) <= far ? d * d / 2 : far * (fabs(d) - far / 2);
        if (scale != 0)
            y[i] = (float)((double)scale * (fabs(d) <= far ? d : copysign(far, d)));
    }
    return loss;
}

double asy_quantile_loss_ref(float quantile, size_t rows, float *y, const float *target,
                             float scale)
{
    double loss = 0, q = (double)quantile;

    for (size_t i = 0; i < rows; i++) {
        double d = (double)y[i] - (double)target[i];

        loss += fmax((1 - q) * d, -q * d);
        if (scale != 0)
            y[i] = (float)((double)scale * (d > 0 ? 1 - q : d < 0 ? -q : 0));
    }
    return loss;
}

/* mhat / (sqrt(vhat) + epsilon), after m and v have taken the gradient. */
static double adam_change(const struct asy_adam *adam, uint64_t step, float m, float v)
{
    double mean = (double)m / (1 - pow(adam->beta1, (double)step));
    double square = (double)v / (1 - pow(adam->beta2, (double)step));

    return mean / (sqrt(square) + adam->epsilon);
}

static void take_gradient(const struct asy_adam *adam, double g, float *m, float *v)
{
    *m = (float)(adam->beta1 * (double)*m + (1 - adam->beta1) * g);
    *v = (float)(adam->beta2 * (double)*v + (1 - adam->beta2) * g * g);
}

void asy_adam_l2_step_ref(const struct asy_adam *adam, uint64_t step, size_t n, float *w,
                          const float *g, float *m, float *v)
{
    for (size_t i = 0; i < n; i++) {
        take_gradient(adam, (double)g[i] + adam->weight_decay * (double)w[i], &m[i], &v[i]);
        w[i] = (float)((double)w[i] - adam->lr * adam_change(adam, step, m[i], v[i]));
    }
}

double asy_sum_squares_ref(size_t n, const float *x)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sum;
}

void asy_scale_ref(size_t n, float factor, float *x)
{
    for (size_t i = 0; i < n; i++)
        x[i] = factor * x[i];
}

void asy_mean_step_ref(size_t n, float rate, const float *w, float *mean)
{
    for (size_t i = 0; i < n; i++)
        mean[i] = (float)((double)mean[i] + (double)rate * ((double)w[i] - (double)mean[i]));
}

static double lamb_change(const struct asy_adam *adam, uint64_t step, float w, float m, float v)
{
    return adam_change(adam, step, m, v) + adam->weight_decay * (double)w;
}

void asy_lamb_moments_ref(const struct asy_adam *adam, uint64_t step, size_t n, const float *w,
                          const float *g, float *m, float *v, struct asy_norms *ret)
{
    *ret = (struct asy_norms){ 0 };
    for (size_t i = 0; i < n; i++) {
        double change;

        take_gradient(adam, (double)g[i], &m[i], &v[i]);
        change = lamb_change(adam, step, w[i], m[i], v[i]);
        ret->weights += (double)w[i] * (double)w[i];
        ret->change += change * change;
    }
}

void asy_lamb_apply_ref(const struct asy_adam *adam, uint64_t step, float trust, size_t n, float *w,
                        const float *m, const float *v)
{
    for (size_t i = 0; i < n; i++)
        w[i] = (float)((double)w[i] -
                       adam->lr * (double)trust * lamb_change(adam, step, w[i], m[i], v[i]));
}

void asy_lars_apply_ref(const struct asy_sgd *sgd, float trust, size_t n, float *w, const float *g,
                        float *m)
{
    for (size_t i = 0; i < n; i++) {
        double grad = (double)trust * ((double)g[i] + (double)sgd->weight_decay * (double)w[i]);
        double step = grad;

        if (sgd->momentum != 0) {
            m[i] = (float)((double)sgd->momentum * (double)m[i] + grad);
            step = sgd->nesterov ? grad + (double)sgd->momentum * (double)m[i] : (double)m[i];
        }
        w[i] = (float)((double)w[i] - (double)sgd->lr * step);
    }
}
