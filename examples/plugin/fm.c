/* SPDX-License-Identifier: Apache-2.0
 * fm.c - a factorisation machine for classes (Rendle, "Factorization Machines", 2010) as a plug-in:
 * a score for each class, of each feature by itself and of each two of them together.
 *
 *     cc -std=c17 -O3 -fPIC -shared fm.c $(pkg-config --cflags assay-trainer) -lm -o fm.so
 *     assay run fm.yaml
 *
 * Parameters of a class: a bias, a weight for each feature, `factors` numbers for each feature. */
#include <asy/trainer.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct fm {
    size_t n, classes, factors, width; /* width: parameters of a class */
    double drop;
    uint64_t seed;
    float *x, *score, *sum; /* [n] a row; [classes]; [classes][factors] */
};

enum { FACTORS, DROP };
static const struct asy_trainer_hyper hypers[] = {
    [FACTORS] = { "factors", "numbers that stand for a feature beside others", NULL, 0, 64, 4,
                  ASY_TRAINER_INT, ASY_TRAINER_SHAPE },
    [DROP] = { "drop", "share of the features that training leaves out of a row", NULL, 0, 0.9, 0,
               ASY_TRAINER_REAL, 0 },
};
enum { LOSS, ACCURACY };
static const struct asy_trainer_metric metrics[] = {
    [LOSS] = { "loss", "cross-entropy", 0, 0 },
    [ACCURACY] = { "accuracy", "share right", 0, 0 },
};

static double uniform(uint64_t seed, uint64_t row, uint64_t number)
{
    return (double)(asy_trainer_random(seed, row, number) >> 11) * 0x1p-53;
}

static int create(const struct asy_trainer_setup *setup, struct asy_trainer_shape *ret_shape,
                  void **ret_self, char *why)
{
    size_t n = setup->n_features, factors = (size_t)setup->values[FACTORS];
    struct fm *fm = calloc(1, sizeof *fm + (n + setup->n_classes * (1 + factors)) * sizeof(float));

    if (!fm || !setup->n_classes) {
        snprintf(why, ASY_TRAINER_WHY, fm ? "the label has no classes" : "no memory");
        free(fm);
        return 1;
    }
    *fm = (struct fm){ n, setup->n_classes, factors, 1 + n + n * factors, setup->values[DROP],
                       setup->seed, (float *)(fm + 1), NULL, NULL };
    fm->score = fm->x + n;
    fm->sum = fm->score + fm->classes;
    ret_shape->n_params = fm->classes * fm->width;
    *ret_self = fm;
    return 0;
}

static int params(void *self, float *params, char *why)
{
    struct fm *fm = self;

    (void)why;
    for (size_t c = 0; c < fm->classes; c++)
        for (size_t i = 1 + fm->n; i < fm->width; i++)
            params[c * fm->width + i] = (float)(0.1 * uniform(fm->seed, c, i) - 0.05);
    return 0;
}

/* Scores, then probabilities of the row in fm->x. */
static void forward(struct fm *fm, const float *params, int32_t label, struct asy_trainer_sum *sums)
{
    float most = -INFINITY, total = 0;
    size_t best = 0;

    for (size_t c = 0; c < fm->classes; c++, params += fm->width) {
        const float *v = params + 1 + fm->n;
        float score = params[0], *sum = fm->sum + c * fm->factors;

        for (size_t f = 0; f < fm->factors; f++)
            sum[f] = 0;
        for (size_t i = 0; i < fm->n; i++, v += fm->factors) {
            score += params[1 + i] * fm->x[i];
            for (size_t f = 0; f < fm->factors; f++) {
                sum[f] += v[f] * fm->x[i];
                score -= 0.5f * v[f] * v[f] * fm->x[i] * fm->x[i];
            }
        }
        for (size_t f = 0; f < fm->factors; f++)
            score += 0.5f * sum[f] * sum[f];
        fm->score[c] = score;
        best = score > fm->score[best] ? c : best;
        most = fmaxf(most, score);
    }
    for (size_t c = 0; c < fm->classes; c++)
        total += fm->score[c] = expf(fm->score[c] - most);
    for (size_t c = 0; c < fm->classes; c++)
        fm->score[c] /= total;
    sums[LOSS].sum -= log(fmax((double)fm->score[label], 1e-30));
    sums[ACCURACY].sum += best == (size_t)label;
    sums[LOSS].count += 1;
    sums[ACCURACY].count += 1;
}

static void backward(const struct fm *fm, const float *params, int32_t label, float *grads)
{
    for (size_t c = 0; c < fm->classes; c++, params += fm->width, grads += fm->width) {
        float d = fm->score[c] - (c == (size_t)label), *dv = grads + 1 + fm->n;
        const float *v = params + 1 + fm->n, *sum = fm->sum + c * fm->factors;

        grads[0] += d;
        for (size_t i = 0; i < fm->n; i++, v += fm->factors, dv += fm->factors) {
            grads[1 + i] += d * fm->x[i];
            for (size_t f = 0; f < fm->factors; f++)
                dv[f] += d * fm->x[i] * (sum[f] - v[f] * fm->x[i]);
        }
    }
}

static int step(void *self, const float *params, const struct asy_trainer_rows *rows, float *grads,
                struct asy_trainer_sum *sums, char *why)
{
    struct fm *fm = self;

    (void)why;
    for (size_t r = 0; r < rows->n; r++) {
        for (size_t i = 0; i < fm->n; i++) /* the same features whichever rank has the row */
            fm->x[i] = grads && uniform(rows->seed, rows->row[r], i) < fm->drop
                           ? 0 : rows->features[r * fm->n + i];
        forward(fm, params, rows->label[r], sums);
        if (grads)
            backward(fm, params, rows->label[r], grads);
    }
    return 0;
}

static int evaluate(void *self, const float *params, const struct asy_trainer_rows *rows,
                    struct asy_trainer_sum *sums, char *why)
{
    return step(self, params, rows, NULL, sums, why);
}

static const struct asy_trainer_plugin plugin = {
    .abi = ASY_TRAINER_ABI, .size = sizeof plugin, .name = "fm", .help = "factorisation machine",
    .hypers = hypers, .n_hypers = 2, .hyper_size = sizeof *hypers,
    .metrics = metrics, .n_metrics = 2, .metric_size = sizeof *metrics,
    .create = create, .params = params, .step = step, .evaluate = evaluate, .destroy = free,
};
ASY_TRAINER_EXPORT(plugin)
