/* SPDX-License-Identifier: Apache-2.0
 * reference.c - the plain twins: what the fast kernels must compute, written to be read, with libm
 * and sums in double precision. */
#include "fused.h"
#include <asy/rng.h>
#include <asy/gemm.h>
#include <math.h>

/* y [m][n] = sum over k; a and b are addressed through their two strides. */
static void product(size_t m, size_t n, size_t k, const float *a, size_t a_row, size_t a_k,
                    const float *b, size_t b_k, size_t b_col, float *y)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = 0;

            for (size_t l = 0; l < k; l++)
                sum += (double)a[i * a_row + l * a_k] * (double)b[l * b_k + j * b_col];
            y[i * n + j] = (float)sum;
        }
}

void asy_dense_ref(size_t rows, size_t in, size_t out, const float *x, const float *w, float *y)
{
    product(rows, out, in, x, in, 1, w, 1, in, y);
}

void asy_dense_dx_ref(size_t rows, size_t in, size_t out, const float *dy, const float *w,
                      float *dx)
{
    product(rows, in, out, dy, out, 1, w, in, 1, dx);
}

void asy_dense_dw_ref(size_t rows, size_t in, size_t out, const float *dy, const float *x,
                      float *dw)
{
    product(out, in, rows, dy, 1, out, x, in, 1, dw);
}

void asy_gemm_ref(const struct asy_gemm *s, const float *a, const float *b, float *c)
{
    for (size_t i = 0; i < s->m; i++)
        for (size_t j = 0; j < s->n; j++) {
            double sum = s->add ? (double)c[i * s->ldc + j] : 0;

            for (size_t k = 0; k < s->k; k++)
                sum += (double)a[s->trans_a ? k * s->lda + i : i * s->lda + k] *
                       (double)b[s->trans_b ? j * s->ldb + k : k * s->ldb + j];
            c[i * s->ldc + j] = (float)sum;
        }
}

static const double gelu_root = 0.79788456080286535588; /* sqrt(2 / pi) */
static const double gelu_cube = 0.044715;

static double act(enum asy_act kind, double z)
{
    switch (kind) {
    case ASY_ACT_RELU:
        return z > 0 ? z : 0;
    case ASY_ACT_TANH:
        return tanh(z);
    case ASY_ACT_GELU:
        return 0.5 * z * (1 + tanh(gelu_root * (z + gelu_cube * z * z * z)));
    case ASY_ACT_SIGMOID:
        return 1 / (1 + exp(-z));
    case ASY_ACT_SILU:
        return z / (1 + exp(-z));
    case ASY_ACT_LEAKY_RELU:
        return z > 0 ? z : (double)ASY__LEAKY * z;
    case ASY_ACT_NONE:
    case ASY_ACT_SOFTMAX: /* is not of a number */
        break;
    }
    return z;
}

/* act'(z), with y = act(z). */
static double act_slope(enum asy_act kind, double z, double y)
{
    double t, s;

    switch (kind) {
    case ASY_ACT_RELU:
        return y > 0 ? 1 : 0;
    case ASY_ACT_TANH:
        return 1 - y * y;
    case ASY_ACT_GELU:
        t = tanh(gelu_root * (z + gelu_cube * z * z * z));
        return 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * gelu_root * (1 + 3 * gelu_cube * z * z);
    case ASY_ACT_SIGMOID:
        return y * (1 - y);
    case ASY_ACT_SILU:
        s = 1 / (1 + exp(-z));
        return s * (1 + z * (1 - s));
    case ASY_ACT_LEAKY_RELU:
        return y > 0 ? 1 : (double)ASY__LEAKY;
    case ASY_ACT_NONE:
    case ASY_ACT_SOFTMAX:
        break;
    }
    return 1;
}

void asy_bias_act_ref(enum asy_act kind, size_t rows, size_t cols, const float *bias, float *z,
                      float *y)
{
    for (size_t i = 0; i < rows * cols; i++) {
        z[i] += bias[i % cols];
        y[i] = (float)act(kind, (double)z[i]);
    }
}

void asy_bias_act_grad_ref(enum asy_act kind, size_t rows, size_t cols, const float *z,
                           const float *y, float *dy, float *dbias)
{
    int sums = asy_act_needs_sum(kind);

    for (size_t i = 0; i < rows * cols; i++)
        dy[i] *= (float)act_slope(kind, sums ? (double)z[i] : 0, sums ? 0 : (double)y[i]);
    asy_column_sums_ref(rows, cols, dy, dbias);
}

void asy_act_ref(enum asy_act kind, size_t n, const float *x, float *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = (float)act(kind, (double)x[i]);
}

void asy_act_grad_ref(enum asy_act kind, size_t n, const float *from, const float *dy, float *dx)
{
    for (size_t i = 0; i < n; i++)
        dx[i] = dy[i] * (float)act_slope(kind, (double)from[i], (double)from[i]);
}

void asy_softmax_ref(size_t rows, size_t cols, const float *x, float *y)
{
    for (size_t i = 0; i < rows; i++, x += cols, y += cols) {
        double top = (double)x[0], sum = 0;

        for (size_t j = 1; j < cols; j++)
            top = fmax(top, (double)x[j]);
        for (size_t j = 0; j < cols; j++)
            sum += exp((double)x[j] - top);
        for (size_t j = 0; j < cols; j++)
            y[j] = (float)(exp((double)x[j] - top) / sum);
    }
}

void asy_softmax_grad_ref(size_t rows, size_t cols, const float *y, const float *dy, float *dx)
{
    for (size_t i = 0; i < rows; i++, y += cols, dy += cols, dx += cols) {
        double mean = 0;

        for (size_t j = 0; j < cols; j++)
            mean += (double)y[j] * (double)dy[j];
        for (size_t j = 0; j < cols; j++)
            dx[j] = (float)((double)y[j] * ((double)dy[j] - mean));
    }
}

void asy_dropout_ref(const struct asy_dropout *how, uint64_t first, size_t n, const float *x,
                     float *y)
{
    const uint32_t key[2] = { (uint32_t)how->seed, (uint32_t)(how->seed >> 32) };
    uint32_t below = (uint32_t)(how->rate * 65536 + 0.5f);

    for (size_t i = 0; i < n; i++) {
        uint64_t e = first + i, block = 16 * (e / 128) + e % 16, half = e % 128 / 16;
        const uint32_t counter[4] = { (uint32_t)block, (uint32_t)(block >> 32), how->step,
                                      how->layer ^ (uint32_t)ASY_RNG_DROPOUT << 24 };
        uint32_t words[4];

        asy_philox(counter, key, words);
        if ((words[half / 2] >> half % 2 * 16 & 0xffff) < below)
            y[i] = 0;
        else
            y[i] = x[i] * (65536 / (65536 - (float)below));
    }
}

void asy_column_sums_ref(size_t rows, size_t cols, const float *x, float *sums)
{
    for (size_t j = 0; j < cols; j++) {
        double sum = 0;

        for (size_t i = 0; i < rows; i++)
            sum += (double)x[i * cols + j];
        sums[j] = (float)sum;
    }
}

void asy_sum_rows_ref(size_t rows, size_t n, const float *const *x, float *y)
{
    for (size_t i = 0; i < n; i++) {
        float sum = x[0][i];

        for (size_t r = 1; r < rows; r++)
            sum += x[r][i];
        y[i] = sum;
    }
}

double asy_softmax_loss_ref(size_t rows, size_t cols, float *logits, const int32_t *labels,
                            float scale, uint64_t *correct)
{
    double loss = 0;

    for (size_t i = 0; i < rows; i++) {
        float *x = logits + i * cols;
        size_t best = 0;
        double top, own = (double)x[labels[i]], sum = 0;

        for (size_t j = 1; j < cols; j++)
            best = x[j] > x[best] ? j : best;
        top = (double)x[best];
        *correct += best == (size_t)labels[i];
        for (size_t j = 0; j < cols; j++)
            sum += exp((double)x[j] - top);
        for (size_t j = 0; j < cols; j++) {
            double p = exp((double)x[j] - top) / sum, hit = j == (size_t)labels[i];

            x[j] = (float)(scale == 0 ? p : (double)scale * (p - hit));
        }
        loss += log(sum) + top - own;
    }
    return loss;
}

double asy_squared_loss_ref(size_t rows, float *y, const float *target, float scale)
{
    double loss = 0;

    for (size_t i = 0; i < rows; i++) {
        double d = (double)y[i] - (double)target[i];

        loss += d * d;
        if (scale != 0)
            y[i] = (float)(2 * (double)scale * d);
    }
    return loss;
}

void asy_sgd_step_ref(const struct asy_sgd *sgd, size_t n, float *w, const float *g, float *m)
{
    double lr = (double)sgd->lr, momentum = (double)sgd->momentum;

    for (size_t i = 0; i < n; i++) {
        double grad = (double)g[i] + (double)sgd->weight_decay * (double)w[i], step = grad;

        if (sgd->momentum != 0) {
            double mean = momentum * (double)m[i] + grad;

            m[i] = (float)mean;
            step = sgd->nesterov ? grad + momentum * mean : mean;
        }
        w[i] = (float)((double)w[i] - lr * step);
    }
}

void asy_adam_step_ref(const struct asy_adam *adam, uint64_t step, size_t n, float *w,
                       const float *g, float *m, float *v)
{
    for (size_t i = 0; i < n; i++) {
        double grad = (double)g[i], mean, square;

        mean = adam->beta1 * (double)m[i] + (1 - adam->beta1) * grad;
        square = adam->beta2 * (double)v[i] + (1 - adam->beta2) * grad * grad;
        m[i] = (float)mean;
        v[i] = (float)square;
        mean /= 1 - pow(adam->beta1, (double)step);
        square /= 1 - pow(adam->beta2, (double)step);
        w[i] = (float)((double)w[i] * (1 - adam->lr * adam->weight_decay) -
                       adam->lr * mean / (sqrt(square) + adam->epsilon));
    }
}
