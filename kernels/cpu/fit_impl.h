/* SPDX-License-Identifier: Apache-2.0
 * fit_impl.h - losses and updates themselves, compiled once per instruction set, by the rules of
 * fused_impl.h: no contraction, every sum in a fixed order, so that all sets give the same bits.
 *
 * The includer defines FIT (the table's name) and FIT_NAME. */
#include "fit.h"
#include "poly.h"

/* ---- losses ---------------------------------------------------------------------------------- */

static void exp_all(size_t n, float top, float *restrict x)
{
    for (size_t j = 0; j < n; j++)
        x[j] = exp_poly(x[j] - top);
}

/* x = factor x - offset weights */
static void to_gradient(size_t n, float factor, float offset, const float *restrict weights,
                        float *restrict x)
{
    if (weights) {
        for (size_t j = 0; j < n; j++)
            x[j] = factor * x[j] - offset * weights[j];
        return;
    }
    for (size_t j = 0; j < n; j++)
        x[j] = factor * x[j] - offset;
}

/* Sum over the classes of their weight times (logit - top). */
static float drift(size_t n, float top, const float *weights, const float *x)
{
    float sum = 0;

    for (size_t j = 0; j < n; j++)
        sum += weights ? weights[j] * (x[j] - top) : x[j] - top;
    return sum;
}

static double class_loss(const struct asy_class_loss *how, size_t rows, size_t cols, float *logits,
                         const int32_t *labels, float scale, uint64_t *correct)
{
    float even = how->smoothing / (float)cols, all = 0;
    double loss = 0;

    for (size_t j = 0; j < cols; j++)
        all += how->weights ? how->weights[j] : 1.0f;
    for (size_t i = 0; i < rows; i++) {
        float *x = logits + i * cols, top = x[0], sum = 0, own, away;
        size_t best = 0, label = (size_t)labels[i];
        float hit = (1.0f - how->smoothing) * (how->weights ? how->weights[label] : 1.0f);
        float whole = hit + even * all;

        for (size_t j = 1; j < cols; j++) {
            best = x[j] > top ? j : best;
            top = x[j] > top ? x[j] : top;
        }
        *correct += best == label;
        own = x[label] - top;
        away = even > 0 ? even * drift(cols, top, how->weights, x) : 0;
        exp_all(cols, top, x);
        for (size_t j = 0; j < cols; j++)
            sum += x[j];
        loss += (double)whole * log((double)sum) - ((double)hit * (double)own + (double)away);
        if (scale == 0) {
            to_gradient(cols, 1.0f / sum, 0, NULL, x);
            continue;
        }
        to_gradient(cols, scale * whole / sum, scale * even, how->weights, x);
        x[label] -= scale * hit;
    }
    return loss;
}

/* log(1 + e^x) */
static double softplus(double x)
{
    return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
}

static double binary_loss(const struct asy_class_loss *how, size_t rows, float *x,
                          const int32_t *labels, float scale, uint64_t *correct)
{
    float weights[2] = { how->weights ? how->weights[0] : 1.0f,
                         how->weights ? how->weights[1] : 1.0f };
    float even = how->smoothing / 2;
    double loss = 0;

    for (size_t i = 0; i < rows; i++) {
        float hit = (1.0f - how->smoothing) * weights[labels[i]], p;
        float no = even * weights[0] + (labels[i] ? 0 : hit);
        float yes = even * weights[1] + (labels[i] ? hit : 0);
        int one = x[i] > 0;

        *correct += one == labels[i];
        loss += (double)no * softplus((double)x[i]) + (double)yes * softplus(-(double)x[i]);
        p = sigmoid(x[i]);
        x[i] = scale == 0 ? p : scale * ((no + yes) * p - yes);
    }
    return loss;
}

/* ---- updates --------------------------------------------------------------------------------- */

static void adam_l2(const struct asy__adam_step *adam, float decay, size_t n, float *restrict w,
                    const float *restrict g, float *restrict m, float *restrict v)
{
    const struct asy__adam_step c = *adam;
    float rest1 = 1.0f - c.beta1, rest2 = 1.0f - c.beta2;

    for (size_t i = 0; i < n; i++) {
        float grad = g[i] + decay * w[i];

        m[i] = c.beta1 * m[i] + rest1 * grad;
        v[i] = c.beta2 * v[i] + rest2 * (grad * grad);
        w[i] -= c.rate * m[i] / (sqrtf(v[i]) * c.root + c.epsilon);
    }
}

#define LANES 8 /* of sums, whatever the width of a vector */

static double add_lanes(const double sum[LANES])
{
    return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
}

static double sum_squares(size_t n, const float *x)
{
    double sum[LANES] = { 0 };
    size_t whole = n - n % LANES;

    for (size_t i = 0; i < whole; i += LANES)
        for (size_t l = 0; l < LANES; l++)
            sum[l] += (double)x[i + l] * (double)x[i + l];
    for (size_t l = 0; l < n - whole; l++)
        sum[l] += (double)x[whole + l] * (double)x[whole + l];
    return add_lanes(sum);
}

static void scale_all(size_t n, float factor, float *x)
{
    for (size_t i = 0; i < n; i++)
        x[i] *= factor;
}

static void mean_step(size_t n, float rate, const float *restrict w, float *restrict mean)
{
    for (size_t i = 0; i < n; i++)
        mean[i] += rate * (w[i] - mean[i]);
}

static void moments(struct asy__adam_step c, size_t n, const float *restrict g, float *restrict m,
                    float *restrict v)
{
    float rest1 = 1.0f - c.beta1, rest2 = 1.0f - c.beta2;

    for (size_t i = 0; i < n; i++) {
        m[i] = c.beta1 * m[i] + rest1 * g[i];
        v[i] = c.beta2 * v[i] + rest2 * (g[i] * g[i]);
    }
}

/* r of LAMB. */
static inline float lamb_change(struct asy__adam_step c, float decay, float w, float m, float v)
{
    return c.rate * m / (sqrtf(v) * c.root + c.epsilon) + decay * w;
}

#define STRIP 256 /* entries of r at a time */

static void lamb_moments(const struct asy__adam_step *adam, float decay, size_t n, const float *w,
                         const float *g, float *m, float *v, struct asy_norms *ret)
{
    const struct asy__adam_step c = *adam;
    float change[STRIP];

    *ret = (struct asy_norms){ 0 };
    moments(c, n, g, m, v);
    for (size_t at = 0; at < n; at += STRIP) {
        size_t len = n - at < STRIP ? n - at : STRIP;

        for (size_t i = 0; i < len; i++)
            change[i] = lamb_change(c, decay, w[at + i], m[at + i], v[at + i]);
        ret->weights += sum_squares(len, w + at);
        ret->change += sum_squares(len, change);
    }
}

static void lamb_apply(const struct asy__adam_step *adam, float decay, float step, size_t n,
                       float *restrict w, const float *restrict m, const float *restrict v)
{
    const struct asy__adam_step c = *adam;

    for (size_t i = 0; i < n; i++)
        w[i] -= step * lamb_change(c, decay, w[i], m[i], v[i]);
}

static void lars_plain(struct asy_sgd s, float trust, size_t n, float *restrict w,
                       const float *restrict g)
{
    for (size_t i = 0; i < n; i++)
        w[i] -= s.lr * (trust * (g[i] + s.weight_decay * w[i]));
}

static void lars_momentum(struct asy_sgd s, float trust, size_t n, float *restrict w,
                          const float *restrict g, float *restrict m)
{
    for (size_t i = 0; i < n; i++) {
        float grad = trust * (g[i] + s.weight_decay * w[i]);

        m[i] = s.momentum * m[i] + grad;
        w[i] -= s.lr * (s.nesterov ? grad + s.momentum * m[i] : m[i]);
    }
}

static void lars_apply(const struct asy_sgd *sgd, float trust, size_t n, float *w, const float *g,
                       float *m)
{
    if (sgd->momentum == 0)
        lars_plain(*sgd, trust, n, w, g);
    else
        lars_momentum(*sgd, trust, n, w, g, m);
}

const struct asy__fit FIT = {
    FIT_NAME,  class_loss,   binary_loss, adam_l2,    sum_squares,
    scale_all, mean_step,    lamb_moments, lamb_apply, lars_apply,
};
