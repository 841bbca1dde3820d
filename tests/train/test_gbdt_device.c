/* SPDX-License-Identifier: Apache-2.0
 * Trees that a device grows (PoCL, where nothing else is there) beside the cpu's: of the squared
 * loss the same ones to the last bit, of others as the device's exponential function lets them be;
 * by one rank and by several, in one go and continued. */
#include "gbdtkit.h"
#include "kernels/device_leaks.h"
#include "trees/trees_device.h"
#include <math.h>
#include <stdlib.h>

static struct asy_device *device_open(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_device *device = NULL;

    T_OK(asy_device_open(ASY_DEVICE_OPENCL, 0, &device, &err), &err);
    return device;
}

/* A model beside that of a kit_fit, from the same table. */
struct beside {
    struct asy_gbdt *model;
    struct asy__device_fit *fit;
};

static void beside_fini(struct beside *b)
{
    asy__device_fit_destroy(b->fit);
    asy_gbdt_destroy(b->model);
    *b = (struct beside){ NULL, NULL };
}

static bool beside_init(struct beside *b, struct asy_device *device, const struct kit_fit *f,
                        const struct kit_rows *t, int weighted)
{
    struct asy_error err = ASY_ERROR_INIT;

    *b = (struct beside){ NULL, NULL };
    return T_OK(asy_gbdt_create(asy_gbdt_params(f->model), t->features, &b->model, &err), &err) &&
           T_OK(asy__device_fit_create(device, b->model, f->table, t->label,
                                       weighted ? t->weight : NULL, NULL, &b->fit, &err), &err);
}

static bool rounds(struct asy__device_fit *fit, size_t n)
{
    struct asy_error err = ASY_ERROR_INIT;
    bool ok = true;

    for (size_t i = 0; ok && i < n; i++)
        ok = T_OK(asy__device_fit_round(fit, &err), &err);
    return ok;
}

/* ---- the same trees -------------------------------------------------------------------------- */

static const struct table_case {
    const char *name;
    size_t rows, features;
    double missing;
    int weighted;
    struct asy_gbdt_params p;
} tables[] = {
    { "one row", 1, 1, 0, 0, { .max_depth = 3 } },
    { "one level", 300, 3, 0, 0, { .max_depth = 1 } },
    { "less than a word of features", 500, 5, 0.1, 0, { .max_depth = 4 } },
    { "a word of features", 2048, 8, 0.1, 1, { .max_depth = 6 } },
    { "some words", 2049, 19, 0, 0, { .max_depth = 6, .l1 = 0.3, .gamma = 0.1 } },
    { "all missing", 200, 4, 1, 0, { .max_depth = 3 } },
    { "most missing", 5000, 9, 0.9, 1, { .max_depth = 5, .min_child_weight = 20 } },
    { "deep", 6000, 12, 0.05, 1, { .max_depth = 9, .min_child_weight = 0, .l2 = 0 } },
    { "rows and features drawn", 7000, 17, 0.1, 0,
      { .max_depth = 6, .subsample = 0.4, .colsample = 0.3 } },
    { "no children of leaves", 4000, 6, 0, 0, { .max_depth = 7, .gamma = 30 } },
    { "many rows", 70000, 4, 0.02, 1, { .max_depth = 5 } },
};

/* What is not said is as usual. */
static struct asy_gbdt_params params_of(const struct table_case *c, enum asy_gbdt_loss loss)
{
    struct asy_gbdt_params p = c->p;

    p.loss = loss;
    p.classes = loss == ASY_GBDT_SOFTMAX ? kit_classes(loss) : 0;
    p.learning_rate = 0.3;
    p.subsample = p.subsample > 0 ? p.subsample : 1;
    p.colsample = p.colsample > 0 ? p.colsample : 1;
    p.seed = 11;
    return p;
}

/* Every third feature has a value for each row, and so all bins; every third has one value. */
static void spread(struct kit_rows *t)
{
    struct asy_rng rng;

    asy_rng_init(&rng, 3, t->rows, ASY_RNG_SIM);
    for (size_t i = 0; i < t->rows * t->features; i++) {
        size_t f = i % t->features;

        if (f % 3 == 0 && !isnan(t->x[i]))
            t->x[i] += (float)asy_rng_double(&rng);
        else if (f % 3 == 1)
            t->x[i] = 0.5f;
    }
}

/* Six rounds; full: the first feature has all bins. */
static void compare_trees(struct asy_device *device, const struct table_case *c, uint64_t seed,
                          int full)
{
    struct asy_gbdt_params p = params_of(c, ASY_GBDT_SQUARED);
    struct asy_error err = ASY_ERROR_INIT;
    struct beside b = { NULL, NULL };
    struct kit_rows t;
    struct kit_fit f;
    size_t cuts = 0;

    if (!kit_rows_init(&t, c->rows, c->features, c->missing, 0, seed))
        return;
    if (full)
        spread(&t);
    if (T_OK(kit_fit_init(&f, &p, &t, c->weighted, &err), &err) &&
        T_OK(kit_rounds(f.fit, 6, &err), &err) && beside_init(&b, device, &f, &t, c->weighted) &&
        rounds(b.fit, 6) && kit_same_trees(c->name, b.model, f.model)) {
        asy_gbdt_cuts_get(f.cuts, 0, &cuts);
        if (full)
            T_EQ(c->name, cuts, ASY_GBDT_BINS_MAX - 2); /* so the last bin is 255 */
        T_EQ(c->name, memcmp(asy__device_fit_margins(b.fit), asy_gbdt_fit_margins(f.fit),
                             t.rows * sizeof(float)), 0);
    }
    beside_fini(&b);
    kit_fit_fini(&f);
    kit_rows_fini(&t);
}

static void trees_are_the_cpus(void)
{
    static const struct table_case full[] = {
        { "all bins", 4000, 10, 0, 0, { .max_depth = 4 } },
        { "all bins, some missing", 4000, 10, 0.1, 1, { .max_depth = 6 } },
        { "all levels", 9000, 10, 0.02, 0,
          { .max_depth = ASY_GBDT_DEPTH_MAX, .min_child_weight = 0 } },
    };
    struct asy_device *device = device_open();

    for (size_t i = 0; device && i < ASY_ARRAY_LEN(tables); i++)
        compare_trees(device, &tables[i], i, 0);
    for (size_t i = 0; device && i < ASY_ARRAY_LEN(full); i++)
        compare_trees(device, &full[i], i, 1);
    asy_device_close(device);
}

static double mean_loss(const struct asy_gbdt *model, const float *margins,
                        const struct kit_rows *t, int weighted)
{
    double sum, weight;

    asy_gbdt_loss(model, margins, t->label, weighted ? t->weight : NULL, t->rows, &sum, &weight);
    return sum / weight;
}

/* Rows that a round left out have the values of its trees, too: those that the model gives. */
static void check_margins(const char *name, const struct beside *b, const struct kit_rows *t)
{
    size_t n = t->rows * asy_gbdt_outputs(b->model);
    float *want = calloc(n, sizeof *want);

    if (T_TRUE(want != NULL)) {
        asy_gbdt_predict(b->model, t->x, t->rows, want);
        T_EQ(name, memcmp(asy__device_fit_margins(b->fit), want, n * sizeof *want), 0);
    }
    free(want);
}

/* A last bit of a chance may choose another of two splits that are as good. */
static void losses_are_the_cpus(void)
{
    struct asy_device *device = device_open();

    for (size_t i = 0; device && i < 2 * ASY_ARRAY_LEN(tables); i++) {
        const struct table_case *c = &tables[i / 2];
        struct asy_gbdt_params p = params_of(c, i % 2 ? ASY_GBDT_SOFTMAX : ASY_GBDT_LOGISTIC);
        struct asy_error err = ASY_ERROR_INIT;
        struct beside b = { NULL, NULL };
        struct kit_rows t;
        struct kit_fit f;

        if (!kit_rows_init(&t, c->rows, c->features, c->missing, kit_classes(p.loss), i))
            break;
        if (T_OK(kit_fit_init(&f, &p, &t, c->weighted, &err), &err) &&
            beside_init(&b, device, &f, &t, c->weighted))
            for (size_t r = 0; r < 8 && T_OK(asy_gbdt_fit_round(f.fit, &err), &err); r++) {
                if (!rounds(b.fit, 1))
                    break;
                T_NEAR(c->name, mean_loss(b.model, asy__device_fit_margins(b.fit), &t, c->weighted),
                       mean_loss(f.model, asy_gbdt_fit_margins(f.fit), &t, c->weighted), 1e-5);
            }
        if (b.fit)
            check_margins(c->name, &b, &t);
        beside_fini(&b);
        kit_fit_fini(&f);
        kit_rows_fini(&t);
    }
    asy_device_close(device);
}

/* What it had before, and where it was made, is no matter. */
static void a_model_is_continued(void)
{
    const struct table_case *c = &tables[8];
    struct asy_gbdt_params p = params_of(c, ASY_GBDT_SQUARED);
    struct asy_device *device = device_open();
    struct asy_error err = ASY_ERROR_INIT;
    struct beside b = { NULL, NULL };
    struct kit_rows t;
    struct kit_fit f;

    if (!device || !kit_rows_init(&t, c->rows, c->features, c->missing, 0, 5))
        return;
    if (T_OK(kit_fit_init(&f, &p, &t, 0, &err), &err) && T_OK(kit_rounds(f.fit, 7, &err), &err) &&
        beside_init(&b, device, &f, &t, 0) && rounds(b.fit, 3)) {
        struct asy_gbdt_fit *here = NULL;

        asy__device_fit_destroy(b.fit); /* the next two rounds here, the last two there */
        b.fit = NULL;
        if (T_OK(asy_gbdt_fit_create(b.model, f.table, t.label, NULL, NULL, &here, &err), &err))
            T_OK(kit_rounds(here, 2, &err), &err);
        asy_gbdt_fit_destroy(here);
        if (T_OK(asy__device_fit_create(device, b.model, f.table, t.label, NULL, NULL, &b.fit,
                                        &err), &err) && rounds(b.fit, 2))
            kit_same_trees("continued", b.model, f.model);
    }
    beside_fini(&b);
    kit_fit_fini(&f);
    kit_rows_fini(&t);
    asy_device_close(device);
}

/* ---- what goes to and fro -------------------------------------------------------------------- */

static struct asy_device_traffic traffic_of_a_round(struct asy_device *device, size_t i)
{
    const struct table_case *c = &tables[i];
    struct asy_gbdt_params p = params_of(c, ASY_GBDT_SOFTMAX);
    struct asy_device_traffic before = { 0 }, after = { 0 };
    struct asy_error err = ASY_ERROR_INIT;
    struct beside b = { NULL, NULL };
    struct kit_rows t;
    struct kit_fit f;

    if (!kit_rows_init(&t, c->rows, c->features, c->missing, 3, i))
        return after;
    if (T_OK(kit_fit_init(&f, &p, &t, 0, &err), &err) && beside_init(&b, device, &f, &t, 0) &&
        rounds(b.fit, 1)) {
        before = asy_device_traffic(device);
        rounds(b.fit, 1);
        after = asy_device_traffic(device);
    }
    beside_fini(&b);
    kit_fit_fini(&f);
    kit_rows_fini(&t);
    after.reads -= before.reads;
    after.writes -= before.writes;
    after.bytes_written -= before.bytes_written;
    return after;
}

/* Three trees, of any depth, of any table. */
static void a_round_reads_twice(void)
{
    struct asy_device *device = device_open();
    struct asy_device_traffic traffic;

    for (size_t i = 0; device && i < ASY_ARRAY_LEN(tables); i++) {
        traffic = traffic_of_a_round(device, i);
        T_EQ(tables[i].name, traffic.reads, 2); /* trees, margins */
        T_EQ(tables[i].name, traffic.writes, tables[i].p.colsample > 0); /* features drawn */
        T_TRUE(traffic.bytes_written < 100);
    }
    asy_device_close(device);
}

/* ---- ranks ----------------------------------------------------------------------------------- */

struct rank {
    struct kit_rank rank;
    size_t begin, end;
    const struct asy_gbdt_cuts *cuts;
    const struct kit_rows *t;
    struct asy_device *device;
    struct asy_gbdt *model;
    struct asy_error err;
    int rc;
};

static void *run_rank(void *arg)
{
    struct rank *rank = arg;
    const struct asy_gbdt_shard shard = { rank->begin, kit_add_up, &rank->rank };
    struct asy_gbdt_table *table = NULL;
    struct asy__device_fit *fit = NULL;

    rank->rc = asy_gbdt_table_create(rank->cuts, rank->t->x + rank->begin * rank->t->features,
                                     rank->end - rank->begin, &table, &rank->err);
    if (rank->rc == 0)
        rank->rc = asy__device_fit_create(rank->device, rank->model, table,
                                          rank->t->label + rank->begin, NULL, &shard, &fit,
                                          &rank->err);
    for (size_t i = 0; rank->rc == 0 && i < 4; i++)
        rank->rc = asy__device_fit_round(fit, &rank->err);
    asy__device_fit_destroy(fit);
    asy_gbdt_table_destroy(table);
    return NULL;
}

/* By ranks with a device each, whose rows end at ends[1], ends[2], ... */
static void compare_ranks(const char *name, const struct asy_gbdt *alone,
                          const struct asy_gbdt_cuts *cuts, const struct kit_rows *t,
                          const size_t ends[KIT_RANKS + 1])
{
    struct asy_error err = ASY_ERROR_INIT;
    struct rank ranks[KIT_RANKS];
    pthread_t thread[KIT_RANKS];
    struct kit_sum sum;
    bool ok = true;

    pthread_barrier_init(&sum.barrier, NULL, KIT_RANKS);
    for (size_t r = 0; r < KIT_RANKS; r++) {
        ranks[r] = (struct rank){ .rank = { &sum, r }, .begin = ends[r], .end = ends[r + 1],
                                  .cuts = cuts, .t = t, .device = device_open() };
        ok = T_OK(asy_gbdt_create(asy_gbdt_params(alone), t->features, &ranks[r].model,
                                  &err), &err) && ranks[r].device && ok;
    }
    for (size_t r = 0; ok && r < KIT_RANKS; r++)
        T_EQ("start", pthread_create(&thread[r], NULL, run_rank, &ranks[r]), 0);
    for (size_t r = 0; ok && r < KIT_RANKS; r++)
        pthread_join(thread[r], NULL);
    for (size_t r = 0; r < KIT_RANKS; r++) {
        if (ok && T_OK(ranks[r].rc, &ranks[r].err))
            kit_same_trees(name, ranks[r].model, alone);
        asy_gbdt_destroy(ranks[r].model);
        asy_device_close(ranks[r].device);
    }
    pthread_barrier_destroy(&sum.barrier);
}

/* Of the squared loss those are the cpu's; of another one, of one device. */
static void compare_divisions(enum asy_gbdt_loss loss, struct asy_device *device)
{
    static const size_t ends[][KIT_RANKS + 1] = {
        { 0, 2334, 4667, 7000 }, { 0, 1, 6999, 7000 }, { 0, 0, 7000, 7000 },
    };
    const struct table_case *c = &tables[8];
    struct asy_gbdt_params p = params_of(c, loss);
    struct asy_error err = ASY_ERROR_INIT;
    struct beside b = { NULL, NULL };
    struct kit_rows t;
    struct kit_fit f;

    if (!T_EQ(c->name, c->rows, 7000) ||
        !kit_rows_init(&t, c->rows, c->features, c->missing, kit_classes(loss), 9))
        return;
    if (T_OK(kit_fit_init(&f, &p, &t, 0, &err), &err) && T_OK(kit_rounds(f.fit, 4, &err), &err) &&
        beside_init(&b, device, &f, &t, 0) && rounds(b.fit, 4))
        for (size_t i = 0; i < ASY_ARRAY_LEN(ends); i++)
            compare_ranks(i == 0 ? "even" : i == 1 ? "uneven" : "empty",
                          loss == ASY_GBDT_SQUARED ? f.model : b.model, f.cuts, &t, ends[i]);
    beside_fini(&b);
    kit_fit_fini(&f);
    kit_rows_fini(&t);
}

static void ranks_make_the_trees_of_one(void)
{
    struct asy_device *device = device_open();

    if (device) {
        compare_divisions(ASY_GBDT_SQUARED, device);
        compare_divisions(ASY_GBDT_LOGISTIC, device);
        compare_divisions(ASY_GBDT_SOFTMAX, device);
    }
    asy_device_close(device);
}

/* ---- what cannot be -------------------------------------------------------------------------- */

static void what_is_not_possible_is_refused(void)
{
    struct asy_gbdt_params p = params_of(&tables[2], ASY_GBDT_SQUARED);
    struct asy_device *device = device_open();
    struct asy_error err = ASY_ERROR_INIT;
    struct beside b = { NULL, NULL };
    struct asy__device_fit *fit = NULL;
    struct kit_rows t;
    struct kit_fit f;

    if (!device || !kit_rows_init(&t, 500, 5, 0, 0, 1))
        return;
    if (T_OK(kit_fit_init(&f, &p, &t, 0, &err), &err)) {
        t.label[7] = NAN;
        T_EQ("label", asy__device_fit_create(device, f.model, f.table, t.label, NULL, NULL, &fit,
                                             &err), ASY_E_INVAL);
        T_HAS("label", err.text, "the label of row 7");
        t.label[7] = 3e38f;
        t.weight[7] = 3e38f;
        if (beside_init(&b, device, &f, &t, 1)) {
            T_EQ("too large", asy__device_fit_round(b.fit, &err), ASY_E_TOOBIG);
            T_EQ("as before", asy_gbdt_rounds(b.model), 0);
        }
    }
    beside_fini(&b);
    kit_fit_fini(&f);
    kit_rows_fini(&t);
    asy_device_close(device);
}

int main(void)
{
    static const struct t_test tests[] = {
        T_TEST(trees_are_the_cpus),
        T_TEST(losses_are_the_cpus),
        T_TEST(a_model_is_continued),
        T_TEST(a_round_reads_twice),
        T_TEST(ranks_make_the_trees_of_one),
        T_TEST(what_is_not_possible_is_refused),
    };

    return t__main("gbdt-device", tests, ASY_ARRAY_LEN(tests));
}
