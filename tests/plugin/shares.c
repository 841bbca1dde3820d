/* SPDX-License-Identifier: Apache-2.0
 * shares.c - a plug-in for rows that are divided more than once: it learns a label's number as a
 * line through the features and a share of its own of each training row, so that it has other
 * parameters for each division. It keeps the last update as its state, and counts for `even` only
 * where the rows to validate on are of an even number. */
#include <asy/trainer.h>
#include <stdlib.h>
#include <string.h>

enum { PULL, HYPERS };
static const struct asy_trainer_hyper hypers[HYPERS] = {
    [PULL] = { "pull", "of shares towards zero", NULL, 0, 1, 0.125, ASY_TRAINER_REAL,
               ASY_TRAINER_SHAPE },
};
enum { LOSS, EVEN, METRICS };
static const struct asy_trainer_metric metrics[METRICS] = {
    [LOSS] = { "loss", "squared error", 0, 0 },
    [EVEN] = { "even", "the same, or nothing", 0, 0 },
};

struct shares {
    size_t n, held; /* features, rows to validate on */
    float pull;
    uint64_t update;
};

static int create(const struct asy_trainer_setup *setup, struct asy_trainer_shape *ret_shape,
                  void **ret_self, char *why)
{
    struct shares *s = calloc(1, sizeof *s);

    (void)why;
    if (!s)
        return 1;
    *s = (struct shares){ setup->n_features, setup->n_rows[ASY_TRAINER_VALIDATION],
                          (float)setup->values[PULL], 0 };
    ret_shape->n_params = 1 + s->n + setup->n_rows[ASY_TRAINER_TRAIN];
    *ret_self = s;
    return 0;
}

static int params(void *self, float *params, char *why)
{
    (void)self, (void)why;
    params[0] = 4.5f;
    return 0;
}

static void pass(const struct shares *s, const float *params, const struct asy_trainer_rows *rows,
                 float *grads, struct asy_trainer_sum *sums)
{
    for (size_t r = 0; r < rows->n; r++) {
        const float *x = rows->features + r * s->n;
        size_t own = 1 + s->n + (size_t)rows->row[r];
        int trains = rows->part == ASY_TRAINER_TRAIN;
        float d = params[0] + (trains ? params[own] : 0) - (float)rows->label[r];

        for (size_t i = 0; i < s->n; i++)
            d += params[1 + i] * x[i];
        for (int m = LOSS; m <= (s->held % 2 ? LOSS : EVEN); m++) {
            sums[m].sum += (double)d * (double)d;
            sums[m].count += 1;
        }
        if (!grads)
            continue;
        grads[0] += 2 * d;
        grads[own] += 2 * d + s->pull * params[own];
        for (size_t i = 0; i < s->n; i++)
            grads[1 + i] += 2 * d * x[i];
    }
}

static int step(void *self, const float *params, const struct asy_trainer_rows *rows, float *grads,
                struct asy_trainer_sum *sums, char *why)
{
    struct shares *s = self;

    (void)why;
    s->update = rows->update;
    pass(s, params, rows, grads, sums);
    return 0;
}

static int evaluate(void *self, const float *params, const struct asy_trainer_rows *rows,
                    struct asy_trainer_sum *sums, char *why)
{
    (void)why;
    pass(self, params, rows, NULL, sums);
    return 0;
}

static size_t save(void *self, void *bytes, size_t room)
{
    const struct shares *s = self;

    if (room >= sizeof s->update)
        memcpy(bytes, &s->update, sizeof s->update);
    return sizeof s->update;
}

static int load(void *self, const void *bytes, size_t n, char *why)
{
    struct shares *s = self;

    (void)why;
    if (n != sizeof s->update)
        return 1;
    memcpy(&s->update, bytes, n);
    return 0;
}

static const struct asy_trainer_plugin plugin = {
    .abi = ASY_TRAINER_ABI, .size = sizeof plugin, .name = "shares", .help = "for tests",
    .hypers = hypers, .n_hypers = HYPERS, .hyper_size = sizeof *hypers,
    .metrics = metrics, .n_metrics = METRICS, .metric_size = sizeof *metrics,
    .create = create, .params = params, .step = step, .evaluate = evaluate,
    .save = save, .load = load, .destroy = free,
};
ASY_TRAINER_EXPORT(plugin)
