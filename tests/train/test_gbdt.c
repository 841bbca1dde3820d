/* SPDX-License-Identifier: Apache-2.0
 * Trees against a second implementation that searches by definition, in double precision, on the
 * values themselves: no bins, no histograms, no sorting.
 *
 * Labels are quarters and weights halves, so derivatives of a first squared round are exact in
 * both; elsewhere they are floats, rounded to 2^-30 of the largest by the one. Gains, sums of up to
 * 300 of them, may differ by 1e-6 of themselves. */
#include "gbdtkit.h"
#include "trees/gbdt_impl.h"

#define ROWS 300

/* ---- the plain search ------------------------------------------------------------------------ */

struct plain {
    const struct asy_gbdt_params *params;
    const struct kit_rows *t;
    double g[ROWS], h[ROWS]; /* [rows] */
    uint8_t here[ROWS];      /* [rows]: those of the node */
};
struct found {
    double gain, g, h; /* of the left side */
    size_t feature;
    float threshold;
    int default_left;
};

static double shrunk(double g, double l1)
{
    return fabs(g) <= l1 ? 0 : g > 0 ? g - l1 : g + l1;
}

static double score(const struct plain *p, double g, double h)
{
    double s = shrunk(g, p->params->l1);

    return h + p->params->l2 > 0 ? s * s / (h + p->params->l2) : 0;
}

static int is_left(float value, float threshold, int default_left)
{
    return isnan(value) ? default_left : value < threshold;
}

static void try_threshold(const struct plain *p, size_t f, float threshold, int default_left,
                          double g, double h, struct found *best)
{
    double left_g = 0, left_h = 0, gain, least = p->params->min_child_weight;

    for (size_t r = 0; r < p->t->rows; r++)
        if (p->here[r] && is_left(p->t->x[r * p->t->features + f], threshold, default_left)) {
            left_g += p->g[r];
            left_h += p->h[r];
        }
    gain = score(p, left_g, left_h) + score(p, g - left_g, h - left_h) - score(p, g, h);
    if (left_h < least || h - left_h < least || left_h <= 0 || h - left_h <= 1e-12 ||
        gain < p->params->gamma || gain <= best->gain + 1e-9 * fabs(best->gain))
        return;
    *best = (struct found){ gain, left_g, left_h, f, threshold, default_left };
}

/* The distinct values of a feature in all rows, ascending; returns how many. */
static size_t list_values(const struct kit_rows *t, size_t f, float *values)
{
    size_t n = 0;

    for (;;) {
        float next = INFINITY;

        for (size_t r = 0; r < t->rows; r++) {
            float v = t->x[r * t->features + f];

            if (v < next && (n == 0 || v > values[n - 1]))
                next = v;
        }
        if (isinf(next))
            return n;
        values[n++] = next;
    }
}

static void search(const struct plain *p, double g, double h, struct found *best)
{
    float values[ROWS];

    *best = (struct found){ .gain = 1e-6 };
    for (size_t f = 0; f < p->t->features; f++) {
        size_t n = list_values(p->t, f, values), missing = 0;

        for (size_t r = 0; r < p->t->rows; r++)
            missing += p->here[r] && isnan(p->t->x[r * p->t->features + f]);
        for (size_t i = 1; i < n; i++)
            try_threshold(p, f, values[i], 0, g, h, best);
        if (missing)
            try_threshold(p, f, INFINITY, 0, g, h, best);
        for (size_t i = n - 1; missing && i >= 1 && i < n; i--)
            try_threshold(p, f, values[i], 1, g, h, best);
    }
}

static void compare_node(struct plain *p, const char *name, const struct asy_gbdt_node *tree,
                         size_t at, size_t depth)
{
    const struct asy_gbdt_node *node = tree + at;
    struct found best = { 0 };
    double g = 0, h = 0;
    uint8_t all[ROWS];

    for (size_t r = 0; r < p->t->rows; r++) {
        g += p->here[r] ? p->g[r] : 0;
        h += p->here[r] ? p->h[r] : 0;
    }
    T_NEAR(name, (double)node->weight, h, 1e-6 * h);
    if (depth < p->params->max_depth)
        search(p, g, h, &best);
    if (best.gain <= 1e-6) {
        double value = -p->params->learning_rate * shrunk(g, p->params->l1) / (h + p->params->l2);

        T_EQ(name, node->feature, -1);
        T_NEAR(name, (double)node->value, value, 1e-5 * fabs(value) + 1e-7);
        return;
    }
    if (!T_EQ(name, node->feature, best.feature) || !T_TRUE(node->threshold == best.threshold) ||
        !T_EQ(name, node->default_left, best.default_left))
        return;
    T_NEAR(name, (double)node->gain, best.gain, 1e-6 * (best.gain + score(p, g, h)));
    memcpy(all, p->here, sizeof all);
    for (int side = 0; side < 2; side++) {
        for (size_t r = 0; r < p->t->rows; r++)
            p->here[r] = all[r] && side != is_left(p->t->x[r * p->t->features + best.feature],
                                                   best.threshold, best.default_left);
        compare_node(p, name, tree, node->left + (size_t)side, depth + 1);
    }
    memcpy(p->here, all, sizeof all);
}

/* ---- derivatives by definition --------------------------------------------------------------- */

static void derive(const struct kit_fit *fit, int weighted, size_t k, struct plain *p)
{
    size_t outputs = asy_gbdt_outputs(fit->model);
    const struct kit_rows *t = p->t;

    for (size_t r = 0; r < t->rows; r++) {
        const float *m = asy_gbdt_fit_margins(fit->fit) + r * outputs;
        double w = weighted ? (double)t->weight[r] : 1, y = (double)t->label[r], q = 0, sum = 0;

        switch (p->params->loss) {
        case ASY_GBDT_SQUARED:
            p->g[r] = w * ((double)m[0] - y);
            p->h[r] = w;
            continue;
        case ASY_GBDT_LOGISTIC:
            q = 1 / (1 + exp(-(double)m[0]));
            p->g[r] = w * (q - y);
            p->h[r] = w * q * (1 - q);
            continue;
        case ASY_GBDT_SOFTMAX:
            for (size_t c = 0; c < outputs; c++)
                sum += exp((double)m[c]);
            q = exp((double)m[k]) / sum;
            p->g[r] = w * (q - (y == (double)k));
            p->h[r] = w * 2 * q * (1 - q);
        }
    }
}

/* The next round, all of whose trees are made from the margins before it. */
static void compare_round(const char *name, struct plain *p, struct kit_fit *fit, int weighted)
{
    size_t outputs = asy_gbdt_outputs(fit->model), round = asy_gbdt_rounds(fit->model), n = 0;
    struct asy_error err = ASY_ERROR_INIT;
    double g[3][ROWS], h[3][ROWS];

    for (size_t k = 0; k < outputs; k++) {
        derive(fit, weighted, k, p);
        memcpy(g[k], p->g, sizeof p->g);
        memcpy(h[k], p->h, sizeof p->h);
    }
    if (!T_OK(asy_gbdt_fit_round(fit->fit, &err), &err))
        return;
    for (size_t k = 0; k < outputs; k++) {
        memcpy(p->g, g[k], sizeof p->g);
        memcpy(p->h, h[k], sizeof p->h);
        compare_node(p, name, asy_gbdt_tree(fit->model, round, k, &n), 0, 0);
        T_TRUE(n > 1); /* there was something to find */
    }
}

static void trees_are_those_of_a_plain_search(void)
{
    static const struct {
        const char *name;
        enum asy_gbdt_loss loss;
        size_t depth, features;
        double missing, l1, l2, gamma, least;
        int weighted;
    } cases[] = {
        { "squared", ASY_GBDT_SQUARED, 4, 5, 0, 0, 1, 0, 1, 0 },
        { "a stump", ASY_GBDT_SQUARED, 1, 5, 0, 0, 1, 0, 1, 0 },
        { "no penalties", ASY_GBDT_SQUARED, 6, 3, 0, 0, 0, 0, 0, 0 },
        { "l1", ASY_GBDT_SQUARED, 5, 5, 0, 4, 1, 0, 1, 0 },
        { "l2", ASY_GBDT_SQUARED, 5, 5, 0, 0, 30, 0, 1, 0 },
        { "gamma", ASY_GBDT_SQUARED, 6, 5, 0, 0, 1, 6, 1, 0 },
        { "heavy children", ASY_GBDT_SQUARED, 6, 5, 0, 0, 1, 0, 25, 0 },
        { "weights", ASY_GBDT_SQUARED, 5, 5, 0, 0, 1, 0, 3, 1 },
        { "missing values", ASY_GBDT_SQUARED, 5, 9, 0.3, 0, 1, 0, 1, 0 },
        { "mostly missing", ASY_GBDT_SQUARED, 4, 9, 0.9, 0, 1, 0, 1, 1 },
        { "logistic", ASY_GBDT_LOGISTIC, 4, 8, 0, 0, 1, 0, 1, 0 },
        { "logistic, all of it", ASY_GBDT_LOGISTIC, 5, 17, 0.1, 0.3, 2, 0.2, 0.5, 1 },
        { "softmax", ASY_GBDT_SOFTMAX, 4, 6, 0, 0, 1, 0, 1, 0 },
        { "softmax, all of it", ASY_GBDT_SOFTMAX, 3, 10, 0.2, 0.1, 1, 0.1, 0.5, 1 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_gbdt_params params = { .loss = cases[i].loss, .max_depth = cases[i].depth,
                                          .learning_rate = 0.4, .l1 = cases[i].l1,
                                          .l2 = cases[i].l2, .gamma = cases[i].gamma,
                                          .min_child_weight = cases[i].least, .subsample = 1,
                                          .colsample = 1 };
        size_t classes = (size_t)cases[i].loss + (cases[i].loss != ASY_GBDT_SQUARED);
        struct asy_error err = ASY_ERROR_INIT;
        struct kit_fit fit = { 0 };
        struct kit_rows t;
        struct plain *p = calloc(1, sizeof *p);

        params.classes = cases[i].loss == ASY_GBDT_SOFTMAX ? classes : 0;
        if (!T_TRUE(p != NULL) ||
            !kit_rows_init(&t, ROWS, cases[i].features, cases[i].missing, classes, i)) {
            free(p);
            return;
        }
        p->params = &params;
        p->t = &t;
        memset(p->here, 1, sizeof p->here);
        if (T_OK(kit_fit_init(&fit, &params, &t, cases[i].weighted, &err), &err))
            for (size_t round = 0; round < 3; round++)
                compare_round(cases[i].name, p, &fit, cases[i].weighted);
        kit_fit_fini(&fit);
        kit_rows_fini(&t);
        free(p);
    }
}

/* ---- parts ----------------------------------------------------------------------------------- */

/* Central differences of the loss, double precision, with h = 1/16, which is exact beside the
 * margins: they are off by h^2 times a higher derivative, 1 at most, over 3. */
static void derivatives_are_those_of_the_loss(void)
{
    static const struct {
        const char *name;
        enum asy_gbdt_loss loss;
        size_t classes;
        float label;
    } cases[] = {
        { "squared", ASY_GBDT_SQUARED, 0, 1.5f },   { "label 0", ASY_GBDT_LOGISTIC, 0, 0 },
        { "label 1", ASY_GBDT_LOGISTIC, 0, 1 },     { "between", ASY_GBDT_LOGISTIC, 0, 0.3f },
        { "two classes", ASY_GBDT_SOFTMAX, 2, 1 },  { "four classes", ASY_GBDT_SOFTMAX, 4, 2 },
    };
    static const float weight = 2, at[4] = { 0.5f, -1.25f, 2, 0.125f };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_gbdt_params params = ASY_GBDT_PARAMS_INIT;
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_gbdt *model = NULL;
        size_t outputs;

        params.loss = cases[i].loss;
        params.classes = cases[i].classes;
        if (!T_OK(asy_gbdt_create(&params, 1, &model, &err), &err))
            continue;
        outputs = asy_gbdt_outputs(model);
        for (size_t k = 0; k < outputs; k++) {
            float m[4], chances[4], g, h;
            double loss[3], sum, twice = cases[i].loss == ASY_GBDT_SOFTMAX ? 2 : 1;

            for (int d = 0; d < 3; d++) {
                memcpy(m, at, sizeof m);
                m[k] += (float)(d - 1) / 16;
                asy_gbdt_loss(model, m, &cases[i].label, &weight, 1, &loss[d], &sum);
            }
            memcpy(chances, at, sizeof chances);
            asy_gbdt_respond(model, 1, chances);
            asy__gbdt_derive(&params, outputs, k, chances, &cases[i].label, &weight, 1, &g, &h);
            T_NEAR(cases[i].name, (double)g, (loss[2] - loss[0]) * 8, 1.3e-3);
            T_NEAR(cases[i].name, (double)h, twice * (loss[2] - 2 * loss[1] + loss[0]) * 256,
                   1.3e-3);
        }
        asy_gbdt_destroy(model);
    }
}

static void histograms_are_plain_sums(void)
{
    for (size_t features = 1; features <= 17; features++) {
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_gbdt_params params = ASY_GBDT_PARAMS_INIT;
        struct asy__gbdt_pair pairs[ROWS];
        struct asy__gbdt_cell *cells = NULL;
        uint32_t rows[ROWS];
        uint8_t use[17];
        struct kit_fit fit = { 0 };
        struct kit_rows t;
        size_t n_cells;

        if (!kit_rows_init(&t, ROWS, features, 0.2, 0, features))
            return;
        if (!T_OK(kit_fit_init(&fit, &params, &t, 0, &err), &err))
            goto next;
        n_cells = fit.cuts->at[features];
        if (!T_TRUE((cells = calloc(2 * n_cells, sizeof *cells)) != NULL))
            goto next;
        memset(use, 1, sizeof use);
        for (uint32_t i = 0; i < ROWS; i++) {
            rows[i] = (i * 7) % ROWS; /* some of them, in no order */
            pairs[i] = (struct asy__gbdt_pair){ (int32_t)(i * 2654435761u) / 2, (int32_t)i << 20 };
        }
        asy__gbdt_build(fit.table, use, pairs, rows, ROWS - 77, cells);
        asy__gbdt_build_ref(fit.table, use, pairs, rows, ROWS - 77, cells + n_cells);
        T_EQ("sums", memcmp(cells, cells + n_cells, n_cells * sizeof *cells), 0);
        asy__gbdt_subtract(n_cells, cells + n_cells, cells);
        for (size_t i = 0; i < n_cells; i++)
            T_TRUE(cells[i].g == 0 && cells[i].h == 0);
next:
        free(cells);
        kit_fit_fini(&fit);
        kit_rows_fini(&t);
    }
}

/* The rows in each bin of a column of n values. */
static size_t count_bins(const float *x, size_t n, size_t max_bins, size_t count[256])
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_gbdt_cuts *cuts = NULL;
    struct asy_gbdt_table *table = NULL;
    size_t n_cuts = 0;

    memset(count, 0, 256 * sizeof *count);
    if (T_OK(asy_gbdt_cuts_create(x, n, 1, max_bins, &cuts, &err), &err) &&
        T_OK(asy_gbdt_table_create(cuts, x, n, &table, &err), &err)) {
        const float *own = asy_gbdt_cuts_get(cuts, 0, &n_cuts);

        for (size_t r = 0; r < n; r++) {
            unsigned bin = asy__gbdt_bin(table, 0, r), want = 0;

            for (size_t i = 0; i < n_cuts; i++)
                want += own[i] <= x[r];
            T_EQ("bin", bin, isnan(x[r]) ? 0 : want + 1);
            count[bin]++;
        }
    }
    asy_gbdt_table_destroy(table);
    asy_gbdt_cuts_destroy(cuts);
    return n_cuts;
}

static void bins_hold_equal_shares(void)
{
    static float x[5100];
    size_t count[256];

    for (size_t i = 0; i < 5100; i++)
        x[i] = (float)(i * 2477 % 5100) - 2550; /* each value once */
    T_EQ("255 bins", count_bins(x, 5100, 256, count), 254);
    for (size_t b = 1; b < 256; b++)
        T_EQ("share", count[b], 20);
    T_EQ("2 bins", count_bins(x, 5100, 3, count), 1);
    T_EQ("half", count[1], 2550);
    for (size_t i = 0; i < 5100; i++)
        x[i] = i % 2 ? 7 : x[i]; /* half of them are one value */
    T_EQ("a frequent value", count_bins(x, 5100, 102, count), 100);
    for (size_t b = 1; b <= 101; b++) /* 2550 others in 100 bins; the one before may be cut short */
        T_TRUE(count[b] >= 2550 ? count[b] < 2565 : count[b] >= 13 && count[b] <= 26);
}

static void columns_of_few_values_keep_them_apart(void)
{
    static const struct {
        const char *name;
        float x[6];
        size_t cuts, count[4];
    } cases[] = {
        { "one value", { 3, 3, 3, 3, 3, 3 }, 0, { 0, 6 } },
        { "two", { 1, 1, 1, 1, 1, 2 }, 1, { 0, 5, 1 } },
        { "three", { 2, 1, 3, 3, 3, 3 }, 2, { 0, 1, 1, 4 } },
        { "missing ones", { NAN, 1, NAN, 2, 2, NAN }, 1, { 3, 1, 2 } },
        { "all missing", { NAN, NAN, NAN, NAN, NAN, NAN }, 0, { 6 } },
        { "two zeros are one", { -0.0f, 0, -1, -0.0f, 0, -1 }, 1, { 0, 2, 4 } },
        { "extremes", { -3e38f, 3e38f, 1e-45f, 0, 0, 0 }, 3, { 0, 1, 3, 1 } },
    };
    size_t count[256];

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        T_EQ(cases[i].name, count_bins(cases[i].x, 6, 256, count), cases[i].cuts);
        for (size_t b = 0; b < 4; b++)
            T_EQ(cases[i].name, count[b], cases[i].count[b]);
    }
}

T_MAIN("gbdt", T_TEST(trees_are_those_of_a_plain_search),
       T_TEST(derivatives_are_those_of_the_loss), T_TEST(histograms_are_plain_sums),
       T_TEST(bins_hold_equal_shares), T_TEST(columns_of_few_values_keep_them_apart))
