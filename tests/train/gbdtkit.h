/* SPDX-License-Identifier: Apache-2.0
 * gbdtkit.h - tables and fits for the tests of trees. */
#ifndef GBDTKIT_H
#define GBDTKIT_H
#include <asytest.h>
#include <pthread.h>
#include <asy/gbdt.h>
#include <asy/rng.h>

/* Rows with labels, made by kit_table(). */
struct kit_rows {
    size_t rows, features;
    float *x, *label, *weight;
};
static inline void kit_rows_fini(struct kit_rows *t)
{
    free(t->x);
    free(t->label);
    free(t->weight);
    memset(t, 0, sizeof *t);
}

/* Features of few values, from 2 to 20 each; a share of them missing. The label is made of the
 * first three and noise, in quarters: of classes, if there are any. Weights are 0.5, 1, 1.5, 2. */
static inline bool kit_rows_init(struct kit_rows *t, size_t rows, size_t features, double missing,
                                 size_t classes, uint64_t seed)
{
    struct asy_rng rng;

    *t = (struct kit_rows){ .rows = rows, .features = features };
    t->x = calloc(rows * features + 1, sizeof *t->x);
    t->label = calloc(rows + 1, sizeof *t->label);
    t->weight = calloc(rows + 1, sizeof *t->weight);
    if (!T_TRUE(t->x && t->label && t->weight)) {
        kit_rows_fini(t);
        return false;
    }
    asy_rng_init(&rng, seed, rows, ASY_RNG_SIM);
    for (size_t r = 0; r < rows; r++) {
        float *x = t->x + r * features;
        double y = asy_rng_normal(&rng) / 2;

        for (size_t f = 0; f < features; f++) {
            uint64_t values = 2 + f * 7 % 19;
            float value = (float)asy_rng_below(&rng, values) / 4 - 1;

            y += f < 3 ? (double)value * (f == 1 ? -2 : 1) : 0;
            x[f] = asy_rng_double(&rng) < missing ? NAN : value;
        }
        t->label[r] = (float)(rint(y * 4) / 4);
        if (classes)
            t->label[r] = (float)fmin((double)classes - 1, fmax(0, floor(y + (double)classes / 2)));
        t->weight[r] = (float)(1 + asy_rng_below(&rng, 4)) / 2;
    }
    return true;
}

/* Of rows to learn by a loss. */
static inline size_t kit_classes(enum asy_gbdt_loss loss)
{
    return loss == ASY_GBDT_SQUARED ? 0 : loss == ASY_GBDT_LOGISTIC ? 2 : 3;
}

/* A model, its fit and what they stand on. */
struct kit_fit {
    struct asy_gbdt_cuts *cuts;
    struct asy_gbdt_table *table;
    struct asy_gbdt *model;
    struct asy_gbdt_fit *fit;
};
static inline void kit_fit_fini(struct kit_fit *f)
{
    asy_gbdt_fit_destroy(f->fit);
    asy_gbdt_destroy(f->model);
    asy_gbdt_table_destroy(f->table);
    asy_gbdt_cuts_destroy(f->cuts);
    memset(f, 0, sizeof *f);
}

static inline int kit_fit_init(struct kit_fit *f, const struct asy_gbdt_params *params,
                               const struct kit_rows *t, int weighted, struct asy_error *err)
{
    int rc;

    memset(f, 0, sizeof *f);
    if ((rc = asy_gbdt_cuts_create(t->x, t->rows, t->features, ASY_GBDT_BINS_MAX, &f->cuts,
                                   err)) == 0 &&
        (rc = asy_gbdt_table_create(f->cuts, t->x, t->rows, &f->table, err)) == 0 &&
        (rc = asy_gbdt_create(params, t->features, &f->model, err)) == 0)
        rc = asy_gbdt_fit_create(f->model, f->table, t->label, weighted ? t->weight : NULL, NULL,
                                 &f->fit, err);
    if (rc < 0)
        kit_fit_fini(f);
    return rc;
}

static inline int kit_rounds(struct asy_gbdt_fit *fit, size_t rounds, struct asy_error *err)
{
    int rc = 0;

    for (size_t i = 0; i < rounds && rc == 0; i++)
        rc = asy_gbdt_fit_round(fit, err);
    return rc;
}

/* A rank that is a thread, and what such ranks add up: the sum of a shard. */
#define KIT_RANKS 3
struct kit_sum {
    pthread_barrier_t barrier;
    int64_t *part[KIT_RANKS];
};
struct kit_rank {
    struct kit_sum *sum;
    size_t number;
};
static inline int kit_add_up(void *context, int64_t *x, size_t n, struct asy_error *err)
{
    const struct kit_rank *rank = context;
    struct kit_sum *sum = rank->sum;

    (void)err;
    sum->part[rank->number] = x;
    pthread_barrier_wait(&sum->barrier);
    for (size_t i = 0; rank->number == 0 && i < n; i++) {
        int64_t total = 0;

        for (size_t r = 0; r < KIT_RANKS; r++)
            total += sum->part[r][i];
        for (size_t r = 0; r < KIT_RANKS; r++)
            sum->part[r][i] = total;
    }
    pthread_barrier_wait(&sum->barrier);
    return 0;
}

/* Equal to the last bit, all trees. */
static inline bool kit_same_trees(const char *name, const struct asy_gbdt *a,
                                  const struct asy_gbdt *b)
{
    bool same = T_EQ(name, asy_gbdt_rounds(a), asy_gbdt_rounds(b)) &&
                T_EQ(name, asy_gbdt_outputs(a), asy_gbdt_outputs(b));

    for (size_t t = 0; same && t < asy_gbdt_rounds(a) * asy_gbdt_outputs(a); t++) {
        size_t round = t / asy_gbdt_outputs(a), k = t % asy_gbdt_outputs(a), n, m;
        const struct asy_gbdt_node *x = asy_gbdt_tree(a, round, k, &n);
        const struct asy_gbdt_node *y = asy_gbdt_tree(b, round, k, &m);

        same = T_EQ(name, n, m) && T_EQ(name, memcmp(x, y, n * sizeof *x), 0);
    }
    return same;
}
#endif
