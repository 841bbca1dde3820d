/* SPDX-License-Identifier: Apache-2.0
 * reference_tokens.c - the plain twins of asy/norm.h and asy/attention.h, written to be read, with
 * libm and sums in double precision. */
#include <asy/attention.h>
#include <asy/norm.h>
#include <math.h>
#include <string.h>

void asy_layer_norm_ref(size_t rows, size_t cols, float epsilon, const float *x,
                        const float *scale, const float *shift, float *y, float *stats)
{
    for (size_t i = 0; i < rows; i++) {
        double mean = 0, variance = 0, by;

        for (size_t j = 0; j < cols; j++)
            mean += (double)x[i * cols + j] / (double)cols;
        for (size_t j = 0; j < cols; j++)
            variance += ((double)x[i * cols + j] - mean) * ((double)x[i * cols + j] - mean) /
                        (double)cols;
        by = 1 / sqrt(variance + (double)epsilon);
        for (size_t j = 0; j < cols; j++)
            y[i * cols + j] = (float)(((double)x[i * cols + j] - mean) * by * (double)scale[j] +
                                      (double)shift[j]);
        stats[2 * i] = (float)mean;
        stats[2 * i + 1] = (float)by;
    }
}

void asy_layer_norm_grad_ref(size_t rows, size_t cols, int add, const float *x,
                             const float *scale, const float *stats, const float *dy, float *dx,
                             float *dscale, float *dshift)
{
    for (size_t j = 0; j < cols; j++) {
        double by_scale = 0, by_shift = 0;

        for (size_t i = 0; i < rows; i++) {
            double d = (double)dy[i * cols + j];

            by_shift += d;
            by_scale += d * ((double)x[i * cols + j] - (double)stats[2 * i]) *
                        (double)stats[2 * i + 1];
        }
        dscale[j] = (float)by_scale;
        dshift[j] = (float)by_shift;
    }
    for (size_t i = 0; i < rows; i++) {
        double mean = (double)stats[2 * i], by = (double)stats[2 * i + 1], g = 0, gh = 0;

        for (size_t j = 0; j < cols; j++) {
            double one = (double)dy[i * cols + j] * (double)scale[j];

            g += one / (double)cols;
            gh += one * ((double)x[i * cols + j] - mean) * by / (double)cols;
        }
        for (size_t j = 0; j < cols; j++) {
            double h = ((double)x[i * cols + j] - mean) * by;
            double d = by * ((double)dy[i * cols + j] * (double)scale[j] - g - h * gh);

            dx[i * cols + j] = (float)(d + (add ? (double)dx[i * cols + j] : 0));
        }
    }
}

void asy_embed_ref(size_t rows, size_t tokens, size_t cols, const float *ids, const float *table,
                   const float *place, float *y)
{
    for (size_t i = 0; i < rows * cols; i++) {
        size_t row = i / cols, j = i % cols;

        y[i] = table[(size_t)ids[row] * cols + j] + (place ? place[row % tokens * cols + j] : 0);
    }
}

void asy_embed_grad_ref(size_t rows, size_t tokens, size_t cols, size_t vocabulary, int add,
                        const float *ids, const float *dy, float *dtable, float *dplace)
{
    for (size_t i = 0; i < vocabulary * cols; i++) {
        double sum = add ? (double)dtable[i] : 0;

        for (size_t r = 0; r < rows; r++)
            sum += (size_t)ids[r] == i / cols ? (double)dy[r * cols + i % cols] : 0;
        dtable[i] = (float)sum;
    }
    for (size_t i = 0; dplace && i < tokens * cols; i++) {
        double sum = 0;

        for (size_t r = i / cols; r < rows; r += tokens)
            sum += (double)dy[r * cols + i % cols];
        dplace[i] = (float)sum;
    }
}

/* Token `to` of a sequence as token `from` sees it, by head. */
struct pair {
    const float *q, *k, *v; /* [width] */
    size_t row; /* of the query, in all */
};

static struct pair pair_of(const struct asy_attention *s, const float *qkv, size_t i, size_t from,
                           size_t to)
{
    size_t model = s->heads * s->width, first = i / s->heads * s->tokens;
    const float *head = qkv + i % s->heads * s->width;

    return (struct pair){ head + (first + from) * 3 * model,
                          head + (first + to) * 3 * model + model,
                          head + (first + to) * 3 * model + 2 * model, first + from };
}

static double dot(size_t n, const float *a, const float *b)
{
    double sum = 0;

    for (size_t j = 0; j < n; j++)
        sum += (double)a[j] * (double)b[j];
    return sum;
}

static double score(const struct asy_attention *s, const struct pair *pair)
{
    return dot(s->width, pair->q, pair->k) / sqrt((double)s->width);
}

/* What dropout makes of a weight of 1. */
static double kept(const struct asy_attention *s, size_t i, size_t from, size_t to)
{
    uint64_t number = ((s->first * s->heads + i) * s->tokens + from) * s->tokens + to;
    float one = 1;

    if (s->drop)
        asy_dropout_ref(s->drop, number, 1, &one, &one);
    return (double)one;
}

void asy_attention_ref(const struct asy_attention *s, const float *qkv, float *y, float *stats)
{
    for (size_t i = 0; i < s->sequences * s->heads; i++)
        for (size_t from = 0; from < s->tokens; from++) {
            size_t keys = s->causal ? from + 1 : s->tokens;
            struct pair pair = pair_of(s, qkv, i, from, 0);
            float *out = y + (pair.row * s->heads + i % s->heads) * s->width;
            double top = score(s, &pair), sum = 0;

            for (size_t to = 0; to < keys; to++) {
                pair = pair_of(s, qkv, i, from, to);
                top = fmax(top, score(s, &pair));
            }
            for (size_t to = 0; to < keys; to++) {
                pair = pair_of(s, qkv, i, from, to);
                sum += exp(score(s, &pair) - top);
            }
            for (size_t j = 0; j < s->width; j++) {
                double mean = 0;

                for (size_t to = 0; to < keys; to++) {
                    pair = pair_of(s, qkv, i, from, to);
                    mean += exp(score(s, &pair) - top) / sum * kept(s, i, from, to) *
                            (double)pair.v[j];
                }
                out[j] = (float)mean;
            }
            stats[2 * (i * s->tokens + from)] = (float)top;
            stats[2 * (i * s->tokens + from) + 1] = (float)(1 / sum);
        }
}

/* dqkv is rounded to float as each pair is added, as sums in an output are. */
void asy_attention_grad_ref(const struct asy_attention *s, const float *qkv, const float *stats,
                            const float *dy, float *dqkv)
{
    size_t model = s->heads * s->width;

    memset(dqkv, 0, s->sequences * s->tokens * 3 * model * sizeof *dqkv);
    for (size_t i = 0; i < s->sequences * s->heads; i++)
        for (size_t from = 0; from < s->tokens; from++) {
            size_t keys = s->causal ? from + 1 : s->tokens;
            const float *stat = stats + 2 * (i * s->tokens + from);
            double mean = 0;

            for (int round = 0; round < 2; round++) /* the mean of dp first, then what it is for */
                for (size_t to = 0; to < keys; to++) {
                    struct pair pair = pair_of(s, qkv, i, from, to);
                    const float *d = dy + (pair.row * s->heads + i % s->heads) * s->width;
                    double p = exp(score(s, &pair) - (double)stat[0]) * (double)stat[1];
                    double left = kept(s, i, from, to), dp = left * dot(s->width, d, pair.v), ds;
                    float *dq = dqkv + (pair.q - qkv), *dk = dqkv + (pair.k - qkv);

                    mean += round ? 0 : p * dp;
                    ds = p * (dp - mean) / sqrt((double)s->width);
                    for (size_t j = 0; j < s->width && round; j++) {
                        dq[j] += (float)(ds * (double)pair.k[j]);
                        dk[j] += (float)(ds * (double)pair.q[j]);
                        dk[j + model] += (float)(left * p * (double)d[j]);
                    }
                }
        }
}
