/* SPDX-License-Identifier: Apache-2.0
 * What a fit promises: the same trees on any number of ranks and after any interruption, losses
 * that fall, margins that are its model's predictions, and refusals that change nothing. */
#include "gbdtkit.h"
#include "nomem.h"
#include "trees/gbdt_impl.h"
#include <stddef.h>

static struct asy_gbdt_params params_for(enum asy_gbdt_loss loss, size_t depth)
{
    struct asy_gbdt_params params = ASY_GBDT_PARAMS_INIT;

    params.loss = loss;
    params.classes = loss == ASY_GBDT_SOFTMAX ? 3 : 0;
    params.max_depth = depth;
    params.seed = 5;
    return params;
}

/* ---- whole numbers --------------------------------------------------------------------------- */

static void derivatives_become_the_nearest_whole_numbers(void)
{
    static const struct {
        const char *name;
        float value;
        int32_t want;
    } cases[] = {
        { "nothing", 0, 0 },
        { "less than a half", 0.4999f, 0 },
        { "just below a half", 0x1.fffffep-2f, 0 },
        { "a half", 0.5f, 1 },
        { "one and a half", 1.5f, 2 },
        { "two and a half", 2.5f, 3 },
        { "the last half", 0x1p22f + 0.5f, 0x400001 },
        { "odd above 2^23", 0x1p23f + 1, 0x800001 },
        { "odd below 2^24", 0x1p24f - 1, 0xffffff },
        { "even above 2^23", 0x1p23f + 2, 0x800002 },
        { "the largest", 0x1p30f, 0x40000000 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        T_EQ(cases[i].name, asy__gbdt_whole(cases[i].value), cases[i].want);
        T_EQ(cases[i].name, asy__gbdt_whole(-cases[i].value), -cases[i].want);
    }
}

/* ---- losses and margins ---------------------------------------------------------------------- */

static double mean_loss(const struct kit_fit *fit, const struct kit_rows *t)
{
    double sum, weight;

    asy_gbdt_loss(fit->model, asy_gbdt_fit_margins(fit->fit), t->label, t->weight, t->rows, &sum,
                  &weight);
    return sum / weight;
}

static void each_round_lowers_the_loss(void)
{
    for (int loss = ASY_GBDT_SQUARED; loss <= ASY_GBDT_SOFTMAX; loss++) {
        struct asy_gbdt_params params = params_for((enum asy_gbdt_loss)loss, 4);
        struct asy_error err = ASY_ERROR_INIT;
        struct kit_fit fit = { 0 };
        struct kit_rows t;
        double before;

        if (!kit_rows_init(&t, 500, 6, 0.1, kit_classes(params.loss), 1))
            return;
        if (T_OK(kit_fit_init(&fit, &params, &t, 1, &err), &err)) {
            before = mean_loss(&fit, &t);
            for (int round = 0; round < 20; round++) {
                double after;

                T_OK(asy_gbdt_fit_round(fit.fit, &err), &err);
                after = mean_loss(&fit, &t);
                T_TRUE(after < before);
                before = after;
            }
        }
        kit_fit_fini(&fit);
        kit_rows_fini(&t);
    }
}

static void margins_are_the_predictions(void)
{
    for (int loss = ASY_GBDT_SQUARED; loss <= ASY_GBDT_SOFTMAX; loss++) {
        struct asy_gbdt_params params = params_for((enum asy_gbdt_loss)loss, 5);
        static float margins[300 * 3], more[300 * 3];
        struct asy_error err = ASY_ERROR_INIT;
        struct kit_fit fit = { 0 };
        struct kit_rows t;
        size_t size;

        params.subsample = 0.6; /* rows that took no part are told, too */
        params.base = 0.25;
        if (!kit_rows_init(&t, 300, 9, 0.3, kit_classes(params.loss), 2))
            return;
        if (T_OK(kit_fit_init(&fit, &params, &t, 1, &err), &err) &&
            T_OK(kit_rounds(fit.fit, 4, &err), &err)) {
            size = 300 * asy_gbdt_outputs(fit.model) * sizeof *margins;
            asy_gbdt_predict(fit.model, t.x, 300, more);
            T_OK(kit_rounds(fit.fit, 6, &err), &err);
            asy_gbdt_predict_more(fit.model, 4, t.x, 300, more);
            asy_gbdt_predict(fit.model, t.x, 300, margins);
            T_EQ("all", memcmp(margins, asy_gbdt_fit_margins(fit.fit), size), 0);
            T_EQ("in two parts", memcmp(margins, more, size), 0);
        }
        kit_fit_fini(&fit);
        kit_rows_fini(&t);
    }
}

static void chances_sum_to_one(void)
{
    struct asy_gbdt_params params = params_for(ASY_GBDT_SOFTMAX, 3);
    float margins[] = { 0, 0, 0, 90, -90, 0, -1000, 1000, 999 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_gbdt *model = NULL;

    if (!T_OK(asy_gbdt_create(&params, 1, &model, &err), &err))
        return;
    asy_gbdt_respond(model, 3, margins);
    for (size_t r = 0; r < 3; r++) /* three floats of at most 1 */
        T_NEAR("sum", (double)(margins[3 * r] + margins[3 * r + 1] + margins[3 * r + 2]), 1, 2e-7);
    T_NEAR("a third", (double)margins[0], 1.0 / 3, 1e-7);
    T_NEAR("e", (double)(margins[7] / margins[8]), exp(1), 1e-6);
    asy_gbdt_destroy(model);
}

/* ---- data without a split -------------------------------------------------------------------- */

static void tables_without_a_split_give_leaves(void)
{
    static float constant[20], missing[20], ramp[20];
    static float same[20], label[20], weight[20], none[20];
    const struct {
        const char *name;
        const float *x, *label, *weight;
        size_t rows;
        double value; /* -sum g / (sum h + 1) */
    } cases[] = {
        { "constant column", constant, label, NULL, 20, 190.0 / 21 },
        { "all missing", missing, label, NULL, 20, 190.0 / 21 },
        { "one row", ramp, label + 7, NULL, 1, 7.0 / 2 },
        { "equal labels", ramp, same, NULL, 20, 60.0 / 21 },
        { "weights", constant, label, weight, 20, 380.0 / 41 },
        { "no weight at all", ramp, label, none, 20, 0 },
    };

    for (size_t i = 0; i < 20; i++) {
        constant[i] = 2.5f;
        missing[i] = NAN;
        ramp[i] = label[i] = (float)i;
        same[i] = 3;
        weight[i] = 2;
    }
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_gbdt_params params = params_for(ASY_GBDT_SQUARED, 3);
        struct asy_error err = ASY_ERROR_INIT;
        struct kit_fit f = { 0 };
        const struct asy_gbdt_node *node;
        size_t n = 0;

        params.learning_rate = 1;
        if (T_OK(asy_gbdt_cuts_create(cases[i].x, cases[i].rows, 1, 256, &f.cuts, &err), &err) &&
            T_OK(asy_gbdt_table_create(f.cuts, cases[i].x, cases[i].rows, &f.table, &err), &err) &&
            T_OK(asy_gbdt_create(&params, 1, &f.model, &err), &err) &&
            T_OK(asy_gbdt_fit_create(f.model, f.table, cases[i].label, cases[i].weight, NULL,
                                     &f.fit, &err), &err) &&
            T_OK(asy_gbdt_fit_round(f.fit, &err), &err)) {
            node = asy_gbdt_tree(f.model, 0, 0, &n);
            T_EQ(cases[i].name, n, 1);
            T_NEAR(cases[i].name, (double)node->value, cases[i].value, 1e-6);
        }
        kit_fit_fini(&f);
    }
}

static void a_weight_of_two_is_the_row_twice(void)
{
    struct asy_gbdt_params params = params_for(ASY_GBDT_SQUARED, 5);
    struct asy_error err = ASY_ERROR_INIT;
    struct kit_fit once = { 0 }, twice = { 0 };
    struct kit_rows t = { 0 }, u = { 0 };

    if (!kit_rows_init(&t, 200, 5, 0.1, 0, 3) || !kit_rows_init(&u, 400, 5, 0.1, 0, 3))
        goto out;
    for (size_t r = 0; r < 200; r++)
        for (size_t i = 0; i < 2; i++) {
            memcpy(u.x + (2 * r + i) * 5, t.x + r * 5, 5 * sizeof *t.x);
            u.label[2 * r + i] = t.label[r];
            t.weight[r] = 2;
        }
    if (T_OK(kit_fit_init(&once, &params, &t, 1, &err), &err) &&
        T_OK(kit_fit_init(&twice, &params, &u, 0, &err), &err) &&
        T_OK(kit_rounds(once.fit, 1, &err), &err) && T_OK(kit_rounds(twice.fit, 1, &err), &err))
        kit_same_trees("twice", once.model, twice.model);
out:
    kit_fit_fini(&once);
    kit_fit_fini(&twice);
    kit_rows_fini(&t);
    kit_rows_fini(&u);
}

/* ---- ranks ----------------------------------------------------------------------------------- */

struct rank {
    struct kit_rank rank;
    size_t begin, end, rounds;
    const struct asy_gbdt_cuts *cuts;
    const struct kit_rows *t;
    struct asy_gbdt *model;
    int rc;
};

static void *run_rank(void *arg)
{
    struct rank *rank = arg;
    struct asy_gbdt_shard shard = { rank->begin, kit_add_up, &rank->rank };
    struct asy_gbdt_table *table = NULL;
    struct asy_gbdt_fit *fit = NULL;

    rank->rc = asy_gbdt_table_create(rank->cuts, rank->t->x + rank->begin * rank->t->features,
                                     rank->end - rank->begin, &table, NULL);
    if (rank->rc == 0)
        rank->rc = asy_gbdt_fit_create(rank->model, table, rank->t->label + rank->begin,
                                       rank->t->weight + rank->begin, &shard, &fit, NULL);
    if (rank->rc == 0)
        rank->rc = kit_rounds(fit, rank->rounds, NULL);
    asy_gbdt_fit_destroy(fit);
    asy_gbdt_table_destroy(table);
    return NULL;
}

/* As many rounds as `alone` has, by ranks whose rows end at ends[1], ends[2], ... */
static void compare_ranks(const char *name, const struct kit_fit *alone, const struct kit_rows *t,
                          const size_t ends[KIT_RANKS + 1])
{
    struct asy_error err = ASY_ERROR_INIT;
    struct rank ranks[KIT_RANKS] = { 0 };
    pthread_t thread[KIT_RANKS];
    struct kit_sum sum;

    pthread_barrier_init(&sum.barrier, NULL, KIT_RANKS);
    for (size_t r = 0; r < KIT_RANKS; r++) {
        ranks[r] = (struct rank){ .rank = { &sum, r }, .begin = ends[r], .end = ends[r + 1],
                                  .rounds = asy_gbdt_rounds(alone->model), .cuts = alone->cuts,
                                  .t = t };
        T_OK(asy_gbdt_create(asy_gbdt_params(alone->model), t->features, &ranks[r].model, &err),
             &err);
    }
    for (size_t r = 0; r < KIT_RANKS; r++)
        T_EQ("start", pthread_create(&thread[r], NULL, run_rank, &ranks[r]), 0);
    for (size_t r = 0; r < KIT_RANKS; r++)
        pthread_join(thread[r], NULL);
    for (size_t r = 0; r < KIT_RANKS; r++) {
        T_EQ(name, ranks[r].rc, 0);
        kit_same_trees(name, ranks[r].model, alone->model);
        asy_gbdt_destroy(ranks[r].model);
    }
    pthread_barrier_destroy(&sum.barrier);
}

static void ranks_make_the_trees_of_one(void)
{
    static const struct {
        const char *name;
        enum asy_gbdt_loss loss;
        size_t first_end, second_end; /* where the ranks' rows end; the third has the rest */
        double subsample, colsample;
    } cases[] = {
        { "squared", ASY_GBDT_SQUARED, 100, 333, 1, 1 },
        { "logistic, drawn", ASY_GBDT_LOGISTIC, 201, 202, 0.7, 0.5 },
        { "softmax, one rank without rows", ASY_GBDT_SOFTMAX, 250, 250, 0.5, 0.3 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_gbdt_params params = params_for(cases[i].loss, 5);
        struct asy_error err = ASY_ERROR_INIT;
        struct kit_fit alone = { 0 };
        struct kit_rows t;
        size_t ends[KIT_RANKS + 1] = { 0, cases[i].first_end, cases[i].second_end, 500 };

        params.subsample = cases[i].subsample;
        params.colsample = cases[i].colsample;
        if (!kit_rows_init(&t, 500, 11, 0.1, kit_classes(params.loss), i))
            return;
        if (T_OK(kit_fit_init(&alone, &params, &t, 1, &err), &err) &&
            T_OK(kit_rounds(alone.fit, 8, &err), &err))
            compare_ranks(cases[i].name, &alone, &t, ends);
        kit_fit_fini(&alone);
        kit_rows_fini(&t);
    }
}

static int fail_at(void *context, int64_t *x, size_t n, struct asy_error *err)
{
    int *left = context;

    (void)x;
    (void)n;
    return (*left)-- > 0 ? 0 : asy_fail(err, ASY_E_GONE, "a rank is gone");
}

static void a_failed_round_leaves_the_model(void)
{
    struct asy_gbdt_params params = params_for(ASY_GBDT_SOFTMAX, 4);
    struct asy_error err = ASY_ERROR_INIT;
    struct kit_fit whole = { 0 };
    struct kit_rows t;
    int left = 1000, round_calls;

    if (!kit_rows_init(&t, 200, 5, 0, 3, 4))
        return;
    if (!T_OK(kit_fit_init(&whole, &params, &t, 0, &err), &err) ||
        !T_OK(kit_rounds(whole.fit, 2, &err), &err))
        goto out;
    for (round_calls = 0; round_calls < 1000; round_calls++) {
        struct asy_gbdt_shard shard = { 0, fail_at, &left };
        struct asy_gbdt_fit *fit = NULL;
        struct asy_gbdt *model = NULL;
        int rc = 0;

        left = 1000;
        if (T_OK(asy_gbdt_create(&params, 5, &model, &err), &err) &&
            T_OK(asy_gbdt_fit_create(model, whole.table, t.label, NULL, &shard, &fit, &err),
                 &err) &&
            T_OK(kit_rounds(fit, 2, &err), &err)) {
            left = round_calls;
            rc = asy_gbdt_fit_round(fit, &err);
            T_TRUE(rc == 0 || rc == ASY_E_GONE);
            if (rc < 0)
                kit_same_trees("failed", model, whole.model);
        }
        asy_gbdt_fit_destroy(fit);
        asy_gbdt_destroy(model);
        if (rc == 0)
            break;
    }
    T_TRUE(round_calls >= 3 * 4); /* for each tree one of the scale, one of the root, two or more */
out:
    kit_fit_fini(&whole);
    kit_rows_fini(&t);
}

/* What ranks tell each other, with what the others add to it. */
struct others {
    int64_t add;
    int sums;
    int64_t said; /* by this rank, in the first of the sums */
};

static int sum_with_others(void *context, int64_t *x, size_t n, struct asy_error *err)
{
    struct others *others = context;

    (void)n;
    (void)err;
    if (others->sums++ == 0) {
        others->said = x[0];
        x[0] += others->add;
    }
    return 0;
}

/* No rank is left waiting in the sum of a tree. */
static void ranks_without_memory_end_the_round_of_all(void)
{
    struct asy_gbdt_params params = params_for(ASY_GBDT_SQUARED, 3);
    struct asy_error err = ASY_ERROR_INIT;
    struct kit_fit whole = { 0 };
    struct kit_rows t;

    if (!kit_rows_init(&t, 200, 5, 0, 0, 4))
        return;
    if (T_OK(kit_fit_init(&whole, &params, &t, 0, &err), &err))
        for (int own = 0; own < 2; own++) {
            struct others others = { .add = !own };
            struct asy_gbdt_shard shard = { 0, sum_with_others, &others };
            struct asy_gbdt_fit *fit = NULL;
            struct asy_gbdt *model = NULL;

            if (T_OK(asy_gbdt_create(&params, 5, &model, &err), &err) &&
                T_OK(asy_gbdt_fit_create(model, whole.table, t.label, NULL, &shard, &fit, &err),
                     &err)) {
                others.sums = 0;
                if (own)
                    t_nomem_at(0);
                T_EQ("code", asy_gbdt_fit_round(fit, &err), ASY_E_NOMEM);
                T_EQ("an allocation failed", t_nomem_end(), own);
                T_EQ("sums", others.sums, 1);
                T_EQ("told", others.said, own);
                T_EQ("rounds", asy_gbdt_rounds(model), 0);
            }
            asy_gbdt_fit_destroy(fit);
            asy_gbdt_destroy(model);
        }
    kit_fit_fini(&whole);
    kit_rows_fini(&t);
}

/* ---- draws ----------------------------------------------------------------------------------- */

static void draws_take_their_shares(void)
{
    struct asy_gbdt_params params = params_for(ASY_GBDT_SQUARED, 6);
    struct asy_error err = ASY_ERROR_INIT;
    struct kit_fit fit = { 0 };
    struct kit_rows t;
    double share = 0;
    uint8_t ever[12] = { 0 };

    params.subsample = 0.3;
    params.colsample = 0.25; /* 3 of 12 */
    if (!kit_rows_init(&t, 1000, 12, 0, 0, 6))
        return;
    if (T_OK(kit_fit_init(&fit, &params, &t, 0, &err), &err) &&
        T_OK(kit_rounds(fit.fit, 60, &err), &err))
        for (size_t round = 0; round < 60; round++) {
            uint8_t used[12] = { 0 };
            size_t n = 0, features = 0;
            const struct asy_gbdt_node *tree = asy_gbdt_tree(fit.model, round, 0, &n);

            for (size_t i = 0; i < n; i++)
                if (tree[i].feature >= 0)
                    used[tree[i].feature] = ever[tree[i].feature] = 1;
            for (size_t f = 0; f < 12; f++)
                features += used[f];
            T_TRUE(features <= 3);
            share += (double)tree[0].weight / 1000 / 60; /* second derivatives are 1 */
        }
    /* 60,000 draws: a standard deviation of sqrt(0.21 / 60000) = 0.0019, seeded */
    T_NEAR("rows", share, 0.3, 0.008);
    for (size_t f = 0; f < 12; f++)
        T_TRUE(ever[f]);
    kit_fit_fini(&fit);
    kit_rows_fini(&t);
}

/* ---- refusals -------------------------------------------------------------------------------- */

static void impossible_parameters_are_refused(void)
{
    static const struct {
        const char *says;
        size_t offset; /* of a double */
        double value;
    } cases[] = {
#define AT(member) #member, offsetof(struct asy_gbdt_params, member)
        { AT(learning_rate), 0 },      { AT(learning_rate), 1.5 },
        { AT(learning_rate), NAN },    { AT(subsample), 0 },
        { AT(colsample), 2 },          { AT(l1), -1 },
        { AT(l2), INFINITY },          { AT(gamma), NAN },
        { AT(min_child_weight), -0.5 }, { AT(base), NAN },
        { AT(base), -INFINITY },
#undef AT
    };
    static const struct {
        const char *says;
        enum asy_gbdt_loss loss;
        size_t classes, depth, features;
    } counts[] = {
        { "max_depth", ASY_GBDT_SQUARED, 0, 0, 1 },
        { "max_depth", ASY_GBDT_SQUARED, 0, ASY_GBDT_DEPTH_MAX + 1, 1 },
        { "classes", ASY_GBDT_LOGISTIC, 2, 3, 1 },
        { "classes", ASY_GBDT_SOFTMAX, 1, 3, 1 },
        { "classes", ASY_GBDT_SOFTMAX, ASY_GBDT_CLASSES_MAX + 1, 3, 1 },
        { "loss", (enum asy_gbdt_loss)3, 0, 3, 1 },
        { "features", ASY_GBDT_SQUARED, 0, 3, 0 },
        { "features", ASY_GBDT_SQUARED, 0, 3, ASY_GBDT_FEATURES_MAX + 1 },
    };
    struct asy_gbdt *model = NULL;

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_gbdt_params params = ASY_GBDT_PARAMS_INIT;
        struct asy_error err = ASY_ERROR_INIT;

        memcpy((char *)&params + cases[i].offset, &cases[i].value, sizeof cases[i].value);
        T_EQ(cases[i].says, asy_gbdt_create(&params, 1, &model, &err), ASY_E_INVAL);
        T_HAS("text", err.text, cases[i].says);
    }
    for (size_t i = 0; i < ASY_ARRAY_LEN(counts); i++) {
        struct asy_gbdt_params params = ASY_GBDT_PARAMS_INIT;
        struct asy_error err = ASY_ERROR_INIT;

        params.loss = counts[i].loss;
        params.classes = counts[i].classes;
        params.max_depth = counts[i].depth;
        T_EQ(counts[i].says, asy_gbdt_create(&params, counts[i].features, &model, &err),
             ASY_E_INVAL);
        T_HAS("text", err.text, counts[i].says);
    }
    T_TRUE(model == NULL);
}

static void impossible_rows_are_refused(void)
{
    static const struct {
        const char *name;
        enum asy_gbdt_loss loss;
        float x, label, weight;
        const char *says; /* NULL: accepted */
    } cases[] = {
        { "fine", ASY_GBDT_SQUARED, 1, -3, 0, NULL },
        { "missing", ASY_GBDT_SQUARED, NAN, 1, 1, NULL },
        { "infinite", ASY_GBDT_SQUARED, INFINITY, 1, 1, "row 1, feature 0 is infinite" },
        { "infinite below", ASY_GBDT_SQUARED, -INFINITY, 1, 1, "row 1, feature 0 is infinite" },
        { "label", ASY_GBDT_SQUARED, 1, NAN, 1, "the label of row 1" },
        { "infinite label", ASY_GBDT_SQUARED, 1, INFINITY, 1, "the label of row 1" },
        { "half a chance", ASY_GBDT_LOGISTIC, 1, 0.5f, 1, NULL },
        { "no chance", ASY_GBDT_LOGISTIC, 1, 1.5f, 1, "the label of row 1, 1.5" },
        { "class", ASY_GBDT_SOFTMAX, 1, 2, 1, NULL },
        { "half a class", ASY_GBDT_SOFTMAX, 1, 0.5f, 1, "the label of row 1" },
        { "class below", ASY_GBDT_SOFTMAX, 1, -1, 1, "the label of row 1" },
        { "class above", ASY_GBDT_SOFTMAX, 1, 3, 1, "the label of row 1" },
        { "weight", ASY_GBDT_SQUARED, 1, 1, NAN, "the weight of row 1" },
        { "negative weight", ASY_GBDT_SQUARED, 1, 1, -1, "the weight of row 1, -1" },
        { "infinite weight", ASY_GBDT_SQUARED, 1, 1, INFINITY, "the weight of row 1" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_gbdt_params params = params_for(cases[i].loss, 2);
        float x[] = { 0, cases[i].x }, label[] = { 0, cases[i].label };
        float weight[] = { 1, cases[i].weight };
        struct kit_rows t = { 2, 1, x, label, weight };
        struct asy_error err = ASY_ERROR_INIT;
        struct kit_fit fit = { 0 };

        T_EQ(cases[i].name, kit_fit_init(&fit, &params, &t, 1, &err),
             cases[i].says ? ASY_E_INVAL : 0);
        T_HAS(cases[i].name, err.text, cases[i].says ? cases[i].says : "");
        kit_fit_fini(&fit);
    }
}

static void tables_that_do_not_fit_are_refused(void)
{
    struct asy_gbdt_params params = params_for(ASY_GBDT_SQUARED, 3);
    struct kit_fit fit = { 0 }, other = { 0 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_gbdt_cuts *cuts = NULL;
    struct asy_gbdt_fit *more = NULL;
    struct kit_rows t, u;
    static const float x[1] = { 0 };

    T_EQ("no rows", asy_gbdt_cuts_create(x, 0, 1, 256, &cuts, &err), ASY_E_INVAL);
    T_EQ("no features", asy_gbdt_cuts_create(x, 1, 0, 256, &cuts, &err), ASY_E_INVAL);
    T_EQ("2 bins", asy_gbdt_cuts_create(x, 1, 1, 2, &cuts, &err), ASY_E_INVAL);
    T_EQ("257 bins", asy_gbdt_cuts_create(x, 1, 1, 257, &cuts, &err), ASY_E_INVAL);
    if (!kit_rows_init(&t, 100, 4, 0, 0, 7))
        return;
    if (!kit_rows_init(&u, 100, 3, 0, 0, 7)) {
        kit_rows_fini(&t);
        return;
    }
    if (T_OK(kit_fit_init(&fit, &params, &t, 0, &err), &err) &&
        T_OK(kit_rounds(fit.fit, 2, &err), &err) &&
        T_OK(kit_fit_init(&other, &params, &u, 0, &err), &err)) {
        T_EQ("features", asy_gbdt_fit_create(fit.model, other.table, t.label, NULL, NULL, &more,
                                             &err), ASY_E_INVAL);
        kit_fit_fini(&other);
        for (size_t i = 0; i < 400; i++)
            t.x[i] += 0.125f;
        T_OK(kit_fit_init(&other, &params, &t, 0, &err), &err);
        T_EQ("cuts", asy_gbdt_fit_create(fit.model, other.table, t.label, NULL, NULL, &more, &err),
             ASY_E_INVAL);
        T_HAS("cuts", err.text, "made with other cuts");
    }
    kit_fit_fini(&fit);
    kit_fit_fini(&other);
    kit_rows_fini(&t);
    kit_rows_fini(&u);
}

static void derivatives_beyond_floats_end_the_fit(void)
{
    struct asy_gbdt_params params = params_for(ASY_GBDT_SQUARED, 2);
    float x[] = { 0, 1 }, label[] = { 1e30f, 0 }, weight[] = { 1e30f, 1 };
    struct kit_rows t = { 2, 1, x, label, weight };
    struct asy_error err = ASY_ERROR_INIT;
    struct kit_fit fit = { 0 };

    if (T_OK(kit_fit_init(&fit, &params, &t, 1, &err), &err)) {
        T_EQ("too large", asy_gbdt_fit_round(fit.fit, &err), ASY_E_TOOBIG);
        T_EQ("rounds", asy_gbdt_rounds(fit.model), 0);
    }
    kit_fit_fini(&fit);
}

T_MAIN("gbdt_fit", T_TEST(derivatives_become_the_nearest_whole_numbers),
       T_TEST(each_round_lowers_the_loss), T_TEST(margins_are_the_predictions),
       T_TEST(chances_sum_to_one), T_TEST(tables_without_a_split_give_leaves),
       T_TEST(a_weight_of_two_is_the_row_twice), T_TEST(ranks_make_the_trees_of_one),
       T_TEST(a_failed_round_leaves_the_model),
       T_TEST(ranks_without_memory_end_the_round_of_all), T_TEST(draws_take_their_shares),
       T_TEST(impossible_parameters_are_refused), T_TEST(impossible_rows_are_refused),
       T_TEST(tables_that_do_not_fit_are_refused), T_TEST(derivatives_beyond_floats_end_the_fit))
