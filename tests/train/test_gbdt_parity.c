/* SPDX-License-Identifier: Apache-2.0
 * Trees beside those of xgboost on the same data, as make_gbdt_golden.py has them on record.
 *
 * Both bin the digits alike and take the first of equal splits, so trees are the same as long as no
 * two different splits are so nearly equal that rounding decides: xgboost compares gains as
 * floats. Tolerances: margins are sums of up to 20 floats of up to 10, given to six digits after
 * the point, so 2e-5; losses are means of them, 1e-5 of the loss. Real numbers have more values
 * than bins: cuts differ by some rows each, so the losses of the rows that were learnt by 3 %. */
#include "trainkit.h"
#include "gbdtkit.h"
#include <asy/csv.h>
#include <asy/parse.h>

#define GOLDEN ASY_SOURCE_DIR "/tests/train/data/gbdt_xgboost.json"
#define FEATURES 64
#define ROWS_MAX 2000

struct digits {
    size_t n;
    float x[ROWS_MAX * FEATURES], digit[ROWS_MAX], label[ROWS_MAX], weight[ROWS_MAX];
    float pixels[ROWS_MAX * FEATURES]; /* as read */
    float margins[ROWS_MAX * 10];
};

static int take_row(void *arg, uint64_t row, const struct asy_csv_field *fields, size_t n,
                    struct asy_error *err)
{
    struct digits *d = arg;

    (void)row;
    if (n != FEATURES + 1 || d->n == ROWS_MAX)
        return asy_fail(err, ASY_E_FORMAT, "not the digits");
    for (size_t f = 0; f < n; f++) {
        double value = 0;
        int rc = asy_parse_f64(fields[f].text, fields[f].len, &value, err);

        if (rc < 0)
            return rc;
        if (f < FEATURES)
            d->pixels[d->n * FEATURES + f] = (float)value;
        else
            d->digit[d->n] = (float)value;
    }
    d->n++;
    return 0;
}

static void prepare(struct digits *d, const struct asy_json *node)
{
    int odd = !strcmp(asy_json_str(asy_json_get(node, "label"), ""), "odd");
    int missing = asy_json_bool(asy_json_get(node, "missing"), 0);
    int jitter = asy_json_bool(asy_json_get(node, "jitter"), 0);
    uint32_t state = 7; /* as the script has it */
    int weighted = asy_json_bool(asy_json_get(node, "weight"), 0);

    for (size_t r = 0; r < d->n; r++) {
        d->label[r] = odd ? fmodf(d->digit[r], 2) : d->digit[r];
        d->weight[r] = weighted ? (float)(1 + r % 3) : 1;
    }
    for (size_t i = 0; i < d->n * FEATURES; i++)
        d->x[i] = missing && d->pixels[i] == 0 ? NAN : d->pixels[i];
    for (size_t i = 0; jitter && i < d->n * FEATURES; i++) {
        state = state * 1664525u + 1013904223u;
        d->x[i] = (float)((double)d->pixels[i] + (double)state / 4294967296.0);
    }
}

static struct asy_gbdt_params params_of(const struct asy_json *node)
{
    struct asy_gbdt_params p = ASY_GBDT_PARAMS_INIT;
    const char *loss = asy_json_str(asy_json_get(node, "loss"), "");

    p.loss = !strcmp(loss, "squared")    ? ASY_GBDT_SQUARED
             : !strcmp(loss, "logistic") ? ASY_GBDT_LOGISTIC
                                         : ASY_GBDT_SOFTMAX;
    p.classes = p.loss == ASY_GBDT_SOFTMAX ? 10 : 0;
    p.max_depth = (size_t)asy_json_i64(asy_json_get(node, "max_depth"), 0);
    p.learning_rate = asy_json_f64(asy_json_get(node, "learning_rate"), 0);
    p.l1 = asy_json_f64(asy_json_get(node, "l1"), -1);
    p.l2 = asy_json_f64(asy_json_get(node, "l2"), -1);
    p.gamma = asy_json_f64(asy_json_get(node, "gamma"), -1);
    p.min_child_weight = asy_json_f64(asy_json_get(node, "min_child_weight"), -1);
    return p;
}

static size_t count_nodes(const struct asy_gbdt *model)
{
    size_t sum = 0, n = 0;

    for (size_t t = 0; t < asy_gbdt_rounds(model); t++)
        for (size_t k = 0; k < asy_gbdt_outputs(model); k++) {
            asy_gbdt_tree(model, t, k, &n);
            sum += n;
        }
    return sum;
}

static void compare(const char *name, struct digits *d, const struct asy_json *node, size_t every,
                    const struct asy_gbdt *model)
{
    const struct asy_json *margins = asy_json_get(node, "margins");
    double off = margins ? 1e-5 : 0.03;
    double want = asy_json_f64(asy_json_get(node, "mean_loss"), (double)NAN), sum, weight;
    size_t outputs = asy_gbdt_outputs(model), n = 0;

    asy_gbdt_predict(model, d->x, d->n, d->margins);
    for (size_t r = 0; margins && r < d->n; r += every)
        for (size_t k = 0; k < outputs; k++, n++)
            T_NEAR(name, (double)d->margins[r * outputs + k],
                   asy_json_f64(asy_json_at(margins, n), (double)NAN), 2e-5);
    T_EQ(name, asy_json_len(margins), n);
    asy_gbdt_loss(model, d->margins, d->label, d->weight, d->n, &sum, &weight);
    T_NEAR(name, sum / weight, want, off * want);
    if (margins)
        T_EQ(name, count_nodes(model), asy_json_i64(asy_json_get(node, "nodes"), -1));
}

static void run_case(struct digits *d, const struct asy_json *node, size_t every)
{
    const char *name = asy_json_str(asy_json_get(node, "name"), "?");
    struct kit_rows rows = { .features = FEATURES, .rows = d->n };
    struct asy_gbdt_params params = params_of(node);
    struct asy_error err = ASY_ERROR_INIT;
    struct kit_fit fit = { 0 };

    prepare(d, node);
    rows.x = d->x;
    rows.label = d->label;
    rows.weight = d->weight;
    if (T_OK(kit_fit_init(&fit, &params, &rows, 1, &err), &err) &&
        T_OK(kit_rounds(fit.fit, (size_t)asy_json_i64(asy_json_get(node, "rounds"), 0), &err),
             &err))
        compare(name, d, node, every, fit.model);
    kit_fit_fini(&fit);
}

static void trees_are_those_of_xgboost(void)
{
    struct digits *d = calloc(1, sizeof *d);
    struct asy_error err = ASY_ERROR_INIT;
    const struct asy_json *cases, *node;
    struct asy_json *root = NULL;
    char *text = NULL;
    size_t len = 0, n = 0;

    if (!T_TRUE(d != NULL) ||
        !T_OK(asy_csv_read_file(KIT_DIGITS, ',', 1u << 24, take_row, d, NULL, &err), &err) ||
        !T_OK(asy_read_file(GOLDEN, 1u << 20, &text, &len, &err), &err) ||
        !T_OK(asy_json_parse(text, len, &root, &err), &err))
        goto out;
    cases = asy_json_get(root, "cases");
    for (; (node = asy_json_at(cases, n)); n++)
        run_case(d, node, (size_t)asy_json_i64(asy_json_get(root, "every"), 1));
    T_EQ("cases", n, 8);
out:
    asy_json_destroy(root);
    free(text);
    free(d);
}

T_MAIN("gbdt_parity", T_TEST(trees_are_those_of_xgboost))
