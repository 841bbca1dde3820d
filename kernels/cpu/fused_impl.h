/* SPDX-License-Identifier: Apache-2.0
 * fused_impl.h - the fused kernels themselves, compiled once per instruction set.
 *
 * Plain loops that the compiler turns into vectors. Function multi-versioning by attribute was
 * rejected: its resolvers run before a sanitizer's run-time library is ready. Nothing here may
 * depend on the vector width: no contraction, every sum in a fixed order, so that all sets give the
 * same bits.
 *
 * The includer defines FUSED (the table's name) and FUSED_NAME. */
#include "fused.h"
#include "poly.h"

/* act(z), and act'(z) from z or from y = act(z), whichever asy_act_needs_sum() says. The
 * comparisons are written so that a NaN stays one. */
static inline float none_f(float z)
{
    return z;
}
static inline float none_d(float y)
{
    return y == y ? 1.0f : y;
}
static inline float relu_f(float z)
{
    return z < 0.0f ? 0.0f : z;
}
static inline float relu_d(float y)
{
    return y > 0.0f ? 1.0f : 0.0f;
}
static inline float leaky_f(float z)
{
    return z < 0.0f ? ASY__LEAKY * z : z;
}
static inline float leaky_d(float y)
{
    return y > 0.0f ? 1.0f : ASY__LEAKY;
}
static inline float tanh_f(float z)
{
    return tanh_poly(z);
}
static inline float tanh_d(float y)
{
    return 1.0f - y * y;
}
static inline float sigmoid_f(float z)
{
    return sigmoid(z);
}
static inline float sigmoid_d(float y)
{
    return y * (1.0f - y);
}
static inline float silu_f(float z)
{
    return z * sigmoid(z);
}
static inline float silu_d(float z)
{
    float s = sigmoid(z);

    return s * (1.0f + z * (1.0f - s));
}
/* (1 + tanh u) / 2 = 1 / (1 + e^(-2u)), one exponential and one division, and as exact where it is
 * small as where it is not; likewise what it lacks of 1, which the slope is made of. */
#define GELU_TWICE 1.595769122f /* 2 sqrt(2 / pi) */
#define GELU_CUBE 0.071354816f  /* 0.044715 of that */
static inline float gelu_f(float z)
{
    return z / (1.0f + exp_poly(-z * (GELU_TWICE + GELU_CUBE * (z * z))));
}
static inline float gelu_d(float z)
{
    float s = z * z, e = exp_poly(-z * (GELU_TWICE + GELU_CUBE * s));
    float part = 1.0f / (1.0f + e);

    return part + z * (e * part * part) * (GELU_TWICE + 3.0f * GELU_CUBE * s);
}

/* One row: z += bias, y = act(z); or y = act(y + bias) where the sum is not kept. The latter and
 * gradients also go through four at a time, in the same order: each number of bias is then read
 * once, and of dbias stored once. */
#define ROWS(act)                                                                                  \
    static void act##_row(size_t cols, const float *restrict bias, float *restrict z,              \
                          float *restrict y)                                                       \
    {                                                                                              \
        for (size_t j = 0; j < cols; j++) {                                                        \
            float sum = z[j] + bias[j];                                                            \
                                                                                                   \
            z[j] = sum;                                                                            \
            y[j] = act##_f(sum);                                                                   \
        }                                                                                          \
    }                                                                                              \
    static void act##_row_in_place(size_t cols, const float *restrict bias, float *restrict y)     \
    {                                                                                              \
        for (size_t j = 0; j < cols; j++)                                                          \
            y[j] = act##_f(y[j] + bias[j]);                                                        \
    }                                                                                              \
    static void act##_four_in_place(size_t cols, const float *restrict bias, float *restrict y0,   \
                                    float *restrict y1, float *restrict y2, float *restrict y3)    \
    {                                                                                              \
        for (size_t j = 0; j < cols; j++) {                                                        \
            y0[j] = act##_f(y0[j] + bias[j]);                                                      \
            y1[j] = act##_f(y1[j] + bias[j]);                                                      \
            y2[j] = act##_f(y2[j] + bias[j]);                                                      \
            y3[j] = act##_f(y3[j] + bias[j]);                                                      \
        }                                                                                          \
    }                                                                                              \
    static void act##_row_grad(size_t cols, const float *restrict from, float *restrict dy,        \
                               float *restrict dbias)                                              \
    {                                                                                              \
        for (size_t j = 0; j < cols; j++) {                                                        \
            float d = dy[j] * act##_d(from[j]);                                                    \
                                                                                                   \
            dy[j] = d;                                                                             \
            dbias[j] += d;                                                                         \
        }                                                                                          \
    }                                                                                              \
    static void act##_four_grad(size_t cols, const float *restrict from, float *restrict dy0,      \
                                float *restrict dy1, float *restrict dy2, float *restrict dy3,     \
                                float *restrict dbias)                                             \
    {                                                                                              \
        for (size_t j = 0; j < cols; j++) {                                                        \
            float d0 = dy0[j] * act##_d(from[j]), d1 = dy1[j] * act##_d(from[cols + j]);           \
            float d2 = dy2[j] * act##_d(from[2 * cols + j]);                                       \
            float d3 = dy3[j] * act##_d(from[3 * cols + j]);                                       \
                                                                                                   \
            dy0[j] = d0;                                                                           \
            dy1[j] = d1;                                                                           \
            dy2[j] = d2;                                                                           \
            dy3[j] = d3;                                                                           \
            dbias[j] = (((dbias[j] + d0) + d1) + d2) + d3;                                         \
        }                                                                                          \
    }                                                                                              \
    static void act##_all(size_t n, float *y)                                                      \
    {                                                                                              \
        for (size_t j = 0; j < n; j++)                                                             \
            y[j] = act##_f(y[j]);                                                                  \
    }                                                                                              \
    static void act##_all_grad(size_t n, const float *restrict from, float *restrict dy)           \
    {                                                                                              \
        for (size_t j = 0; j < n; j++)                                                             \
            dy[j] *= act##_d(from[j]);                                                             \
    }
ROWS(none)
ROWS(relu)
ROWS(tanh)
ROWS(gelu)
ROWS(sigmoid)
ROWS(silu)
ROWS(leaky)

struct rows {
    void (*row)(size_t cols, const float *bias, float *z, float *y);
    void (*in_place)(size_t cols, const float *bias, float *y);
    void (*four_in_place)(size_t cols, const float *bias, float *y0, float *y1, float *y2,
                          float *y3);
    void (*grad)(size_t cols, const float *from, float *dy, float *dbias);
    void (*four_grad)(size_t cols, const float *from, float *dy0, float *dy1, float *dy2,
                      float *dy3, float *dbias);
    void (*all)(size_t n, float *y);
    void (*all_grad)(size_t n, const float *from, float *dy);
};
#define ROWS_OF(act)                                                                               \
    { act##_row,       act##_row_in_place, act##_four_in_place, act##_row_grad,                    \
      act##_four_grad, act##_all,          act##_all_grad }
static const struct rows row_table[ASY_ACT_EACH] = {
    [ASY_ACT_NONE] = ROWS_OF(none),       [ASY_ACT_RELU] = ROWS_OF(relu),
    [ASY_ACT_TANH] = ROWS_OF(tanh),       [ASY_ACT_GELU] = ROWS_OF(gelu),
    [ASY_ACT_SIGMOID] = ROWS_OF(sigmoid), [ASY_ACT_SILU] = ROWS_OF(silu),
    [ASY_ACT_LEAKY_RELU] = ROWS_OF(leaky),
};

static void bias_act(enum asy_act act, size_t rows, size_t cols, const float *bias, float *z,
                     float *y)
{
    const struct rows *with = &row_table[act];

    if (y != z) {
        for (size_t i = 0; i < rows; i++)
            with->row(cols, bias, z + i * cols, y + i * cols);
        return;
    }
    for (; rows >= 4; rows -= 4, y += 4 * cols)
        with->four_in_place(cols, bias, y, y + cols, y + 2 * cols, y + 3 * cols);
    for (; rows > 0; rows--, y += cols)
        with->in_place(cols, bias, y);
}

static void bias_act_grad(enum asy_act act, size_t rows, size_t cols, const float *z,
                          const float *y, float *dy, float *dbias)
{
    const struct rows *with = &row_table[act];
    const float *from = asy_act_needs_sum(act) ? z : y;

    memset(dbias, 0, cols * sizeof *dbias);
    for (; rows >= 4; rows -= 4) {
        with->four_grad(cols, from, dy, dy + cols, dy + 2 * cols, dy + 3 * cols, dbias);
        from += 4 * cols;
        dy += 4 * cols;
    }
    for (; rows > 0; rows--) {
        with->grad(cols, from, dy, dbias);
        from += cols;
        dy += cols;
    }
}

static void act(enum asy_act kind, size_t n, const float *x, float *y)
{
    if (y != x)
        memcpy(y, x, n * sizeof *y);
    row_table[kind].all(n, y);
}

static void act_grad(enum asy_act kind, size_t n, const float *from, const float *dy, float *dx)
{
    if (dx != dy)
        memcpy(dx, dy, n * sizeof *dx);
    row_table[kind].all_grad(n, from, dx);
}

static void add_row(size_t cols, const float *restrict x, float *restrict sums)
{
    for (size_t j = 0; j < cols; j++)
        sums[j] += x[j];
}

static void column_sums(size_t rows, size_t cols, const float *x, float *sums)
{
    memset(sums, 0, cols * sizeof *sums);
    for (size_t i = 0; i < rows; i++)
        add_row(cols, x + i * cols, sums);
}

static void add_pair(size_t n, const float *restrict a, const float *restrict b,
                     float *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = a[i] + b[i];
}

/* Four rows at a time, in their order: the processor fetches ahead of all four, where one after the
 * other would begin anew with each block of a row. */
static void add_four(size_t n, const float *restrict a, const float *restrict b,
                     const float *restrict c, const float *restrict d, float *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = ((a[i] + b[i]) + c[i]) + d[i];
}

static void add_four_more(size_t n, const float *restrict a, const float *restrict b,
                          const float *restrict c, const float *restrict d, float *restrict y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = (((y[i] + a[i]) + b[i]) + c[i]) + d[i];
}

#define SUM_BLOCK 1024 /* floats: what is nearest to the core also holds the rows' */

/* Two rows at once; a + b is b + a. More by way of a block of their own, as y may be any of
 * them. */
static void sum_rows(size_t rows, size_t n, const float *const *x, float *y)
{
    float sum[SUM_BLOCK];

    if (rows == 2 && (y == x[0] || y == x[1])) {
        add_row(n, y == x[0] ? x[1] : x[0], y);
        return;
    }
    if (rows == 2) {
        add_pair(n, x[0], x[1], y);
        return;
    }
    for (size_t at = 0; at < n; at += SUM_BLOCK) {
        size_t len = n - at < SUM_BLOCK ? n - at : SUM_BLOCK;

        size_t r = rows >= 4 ? 4 : 1;

        if (rows >= 4)
            add_four(len, x[0] + at, x[1] + at, x[2] + at, x[3] + at, sum);
        else
            memcpy(sum, x[0] + at, len * sizeof *sum);
        for (; r + 4 <= rows; r += 4)
            add_four_more(len, x[r] + at, x[r + 1] + at, x[r + 2] + at, x[r + 3] + at, sum);
        for (; r < rows; r++)
            add_row(len, x[r] + at, sum);
        memcpy(y + at, sum, len * sizeof *sum);
    }
}

/* x[j] = e^(x[j] - top) for one row. */
static void exp_row(size_t cols, float top, float *restrict x)
{
    for (size_t j = 0; j < cols; j++)
        x[j] = exp_poly(x[j] - top);
}

static void scale_row(size_t cols, float factor, float *restrict x)
{
    for (size_t j = 0; j < cols; j++)
        x[j] *= factor;
}

/* Rows whose exponentials are taken together: those of few columns would leave vectors empty. */
#define LOSS_ROWS ((size_t)64)
#define LOSS_NUMBERS ((size_t)1024)

/* Less its greatest number, a row whose exponentials cannot overflow; returns how far the label's
 * lies below that. */
static double below_top(size_t cols, int32_t label, float *x, uint64_t *correct)
{
    float top = x[0], own = x[label];
    size_t best = 0;

    for (size_t j = 1; j < cols; j++) {
        best = x[j] > top ? j : best;
        top = x[j] > top ? x[j] : top;
    }
    *correct += best == (size_t)label;
    for (size_t j = 0; j < cols; j++)
        x[j] -= top;
    return (double)top - (double)own;
}

static double softmax_loss(size_t rows, size_t cols, float *logits, const int32_t *labels,
                           float scale, uint64_t *correct)
{
    size_t most = cols >= LOSS_NUMBERS ? 1 : LOSS_NUMBERS / cols;
    double loss = 0, below[LOSS_ROWS];

    most = most < LOSS_ROWS ? most : LOSS_ROWS;
    for (size_t from = 0, n; from < rows; from += n) {
        float *x = logits + from * cols;

        n = rows - from < most ? rows - from : most;
        for (size_t i = 0; i < n; i++)
            below[i] = below_top(cols, labels[from + i], x + i * cols, correct);
        exp_row(n * cols, 0, x);
        for (size_t i = 0; i < n; i++, x += cols) {
            float sum = 0;

            for (size_t j = 0; j < cols; j++)
                sum += x[j];
            loss += log((double)sum) + below[i];
            scale_row(cols, (scale == 0 ? 1.0f : scale) / sum, x);
            x[labels[from + i]] -= scale;
        }
    }
    return loss;
}

/* What `restrict` says is lost where a function becomes part of another one's loop: gcc would take
 * loops of a few vectors number by number. */
#ifdef __clang__
#define IN_VECTORS
#else
#define IN_VECTORS _Pragma("GCC unroll 1") _Pragma("GCC ivdep")
#endif
#define INLINE static inline __attribute__((always_inline))

INLINE void sgd_plain(size_t n, float lr, float decay, float *restrict w, const float *restrict g)
{
    IN_VECTORS
    for (size_t i = 0; i < n; i++)
        w[i] -= lr * (g[i] + decay * w[i]);
}

INLINE void sgd_momentum(size_t n, float lr, float momentum, float decay, float *restrict w,
                         const float *restrict g, float *restrict m)
{
    IN_VECTORS
    for (size_t i = 0; i < n; i++) {
        m[i] = momentum * m[i] + (g[i] + decay * w[i]);
        w[i] -= lr * m[i];
    }
}

INLINE void sgd_nesterov(size_t n, float lr, float momentum, float decay, float *restrict w,
                         const float *restrict g, float *restrict m)
{
    IN_VECTORS
    for (size_t i = 0; i < n; i++) {
        float grad = g[i] + decay * w[i];

        m[i] = momentum * m[i] + grad;
        w[i] -= lr * (grad + momentum * m[i]);
    }
}

/* Rows as wide as the product's tiles have their width known to the compiler, as a loop over so few
 * would cost more than what it does. */
#define BLOCK_ROWS(block, row_of)                                                                  \
    do {                                                                                           \
        const struct asy_block has = *(block);                                                     \
                                                                                                   \
        for (size_t r = 0, at = 0, from = 0; r < has.rows;                                         \
             r++, at += has.row, from += has.g_row) {                                              \
            if (has.cols == 32)                                                                    \
                row_of(32);                                                                        \
            else if (has.cols == 16)                                                               \
                row_of(16);                                                                        \
            else                                                                                   \
                row_of(has.cols);                                                                  \
        }                                                                                          \
    } while (0)

static void sgd_block(const struct asy_sgd *sgd, const struct asy_block *block, float *w,
                      const float *g, float *m)
{
    const struct asy_sgd s = *sgd;

#define PLAIN(n) sgd_plain(n, s.lr, s.weight_decay, w + at, g + from)
#define MOMENTUM(n) sgd_momentum(n, s.lr, s.momentum, s.weight_decay, w + at, g + from, m + at)
#define NESTEROV(n) sgd_nesterov(n, s.lr, s.momentum, s.weight_decay, w + at, g + from, m + at)
    if (s.momentum == 0)
        BLOCK_ROWS(block, PLAIN);
    else if (s.nesterov)
        BLOCK_ROWS(block, NESTEROV);
    else
        BLOCK_ROWS(block, MOMENTUM);
}

INLINE void adam_row(struct asy__adam_step c, size_t n, float *restrict w, const float *restrict g,
                     float *restrict m, float *restrict v)
{
    float rest1 = 1.0f - c.beta1, rest2 = 1.0f - c.beta2;

    IN_VECTORS
    for (size_t i = 0; i < n; i++) {
        m[i] = c.beta1 * m[i] + rest1 * g[i];
        v[i] = c.beta2 * v[i] + rest2 * (g[i] * g[i]);
        w[i] = w[i] * c.keep - c.rate * m[i] / (sqrtf(v[i]) * c.root + c.epsilon);
    }
}

static void adam_block(const struct asy__adam_step *adam, const struct asy_block *block, float *w,
                       const float *g, float *m, float *v)
{
    const struct asy__adam_step c = *adam;

#define ADAM(n) adam_row(c, n, w + at, g + from, m + at, v + at)
    BLOCK_ROWS(block, ADAM);
}

static void triad(size_t n, float s, float *a, const float *b, const float *c)
{
    float *restrict out = a;

    for (size_t i = 0; i < n; i++)
        out[i] = b[i] + s * c[i];
}

#include "dropout_impl.h"
#include "tokens_impl.h"

const struct asy__fused FUSED = {
    .name = FUSED_NAME,
    .bias_act = bias_act,
    .bias_act_grad = bias_act_grad,
    .act = act,
    .act_grad = act_grad,
    .softmax = softmax,
    .softmax_grad = softmax_grad,
    .dropout = dropout,
    .column_sums = column_sums,
    .sum_rows = sum_rows,
    .softmax_loss = softmax_loss,
    .sgd_block = sgd_block,
    .adam_block = adam_block,
    .triad = triad,
    .layer_norm = layer_norm,
    .layer_norm_grad = layer_norm_grad,
    .embed = embed,
    .embed_grad = embed_grad,
    .attend = attend,
    .attend_again = attend_again,
    .attend_grad = attend_grad,
    .attend_drop = attend_drop,
    .attend_drop_as = attend_drop_as,
};
