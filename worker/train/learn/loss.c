/* SPDX-License-Identifier: Apache-2.0
 * loss.c - see loss.h. */
#include "loss.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <asy/parse.h>
#include "score.h"

int asy__loss_weighs(const struct asy__hyper *hyper)
{
    return hyper->class_balance > 0 || hyper->class_weights;
}

static const char *weighs_by(const struct asy__hyper *hyper)
{
    return hyper->class_weights ? "class_weights" : "class_balance";
}

/* What the study gives to a class by its name, or by its place among them. */
static double given(const struct asy__hyper *hyper, const struct asy__dict *classes, size_t c)
{
    const struct asy_json *weights = hyper->class_weights;

    if (!weights)
        return 1;
    return asy_json_f64(asy_json_type(weights) == ASY_JSON_ARRAY
                            ? asy_json_at(weights, c)
                            : asy_json_get(weights, classes->texts[c]), 1);
}

static int check_weights(const struct asy_json *weights, const struct asy__schema *schema,
                         struct asy_error *err)
{
    const struct asy__dict *classes = &schema->classes;
    const char *name, *nearest;

    if (!weights)
        return 0;
    if (asy_json_type(weights) == ASY_JSON_ARRAY && asy_json_len(weights) != classes->n)
        return asy_fail(err, ASY_E_INVAL, "class_weights: %zu numbers for the %zu classes of "
                        "'%.60s'", asy_json_len(weights), classes->n,
                        schema->columns[schema->label].name);
    if (asy_json_type(weights) == ASY_JSON_ARRAY)
        return 0;
    for (size_t i = 0; asy_json_member(weights, i, &name); i++) {
        if (asy__dict_find(classes, name, strlen(name)) != ASY__DICT_NONE)
            continue;
        nearest = asy_nearest(name, strlen(name), (const char *const *)classes->texts, classes->n);
        return asy_fail(err, ASY_E_INVAL, "class_weights: '%.60s' has no class '%.40s'%s%.40s%s",
                        schema->columns[schema->label].name, name,
                        nearest ? "; did you mean '" : "", nearest ? nearest : "",
                        nearest ? "'?" : "");
    }
    return 0;
}

struct asy_op asy__loss_scored(const struct asy__hyper *hyper, const struct asy__schema *schema)
{
    struct asy_op op = { .kind = ASY_OP_SQUARED_LOSS, .n = { asy__outputs_of(schema) } };

    if (schema->classification) {
        op.kind = ASY_OP_SOFTMAX_LOSS;
    } else if (hyper->loss == ASY__LOSS_HUBER) {
        op.kind = ASY_OP_HUBER_LOSS;
        op.value = (float)hyper->delta;
    } else if (hyper->loss == ASY__LOSS_QUANTILE) {
        op.kind = ASY_OP_QUANTILE_LOSS;
        op.value = (float)hyper->quantile;
    }
    return op;
}

struct asy_op asy__loss_learnt(const struct asy__hyper *hyper, const struct asy__schema *schema)
{
    struct asy_op op = asy__loss_scored(hyper, schema);

    if (op.kind != ASY_OP_SOFTMAX_LOSS)
        return op;
    if (hyper->loss == ASY__LOSS_BINARY)
        op.kind = ASY_OP_BINARY_LOSS;
    else if (hyper->label_smoothing > 0 || asy__loss_weighs(hyper))
        op.kind = ASY_OP_CLASS_LOSS;
    op.value = (float)hyper->label_smoothing;
    op.n[0] = asy__loss_outputs(hyper, schema);
    return op;
}

size_t asy__loss_outputs(const struct asy__hyper *hyper, const struct asy__schema *schema)
{
    return hyper->loss == ASY__LOSS_BINARY ? 1 : asy__outputs_of(schema);
}

/* Whether the label is what the loss is of. */
static int check_label(const struct asy__hyper *hyper, const struct asy__schema *schema,
                       struct asy_error *err)
{
    const char *label = schema->columns[schema->label].name;
    const char *name = asy__hyper_word(hyper, "loss");

    if (hyper->loss == ASY__LOSS_AUTO)
        return 0;
    if (hyper->loss != ASY__LOSS_BINARY)
        return !schema->classification
                   ? 0
                   : asy_fail(err, ASY_E_INVAL, "loss: '%s' is of numbers, but '%.60s' has %zu "
                              "classes", name, label, schema->classes.n);
    if (!schema->classification)
        return asy_fail(err, ASY_E_INVAL, "loss: 'binary' is of two classes, but '%.60s' is a "
                        "number; data.task: classification makes its values classes", label);
    if (schema->classes.n != 2)
        return asy_fail(err, ASY_E_INVAL, "loss: 'binary' is of two classes, but '%.60s' has %zu",
                        label, schema->classes.n);
    return 0;
}

int asy__loss_check(const struct asy__hyper *hyper, const struct asy__schema *schema,
                    struct asy_error *err)
{
    const char *label;
    int rc;

    if (hyper->family == ASY__PLUGIN) {
        if (hyper->loss != ASY__LOSS_AUTO || hyper->label_smoothing > 0 || asy__loss_weighs(hyper))
            return asy_fail(err, ASY_E_INVAL, "loss, label_smoothing and %s are of networks; a "
                            "plug-in has a loss of its own", weighs_by(hyper));
        return 0;
    }
    if (schema->vocabulary) {
        if (hyper->loss != ASY__LOSS_AUTO || asy__loss_weighs(hyper))
            return asy_fail(err, ASY_E_INVAL, "loss and %s are not of tokens", weighs_by(hyper));
        return 0;
    }
    label = schema->columns[schema->label].name;
    if ((rc = check_label(hyper, schema, err)) < 0)
        return rc;
    if (!schema->classification && hyper->label_smoothing > 0)
        return asy_fail(err, ASY_E_INVAL, "label_smoothing is of classes, but '%.60s' is a number",
                        label);
    if (!schema->classification && asy__loss_weighs(hyper))
        return asy_fail(err, ASY_E_INVAL, "%s is of classes, but '%.60s' is a number",
                        weighs_by(hyper), label);
    return check_weights(hyper->class_weights, schema, err);
}

/* (rows / rows_of)^balance, at 1 of which every class has the same weight in all, times what is
 * given. */
static double unscaled(const struct asy__hyper *hyper, const struct asy__data *data, size_t c,
                       double rows_of)
{
    double rows = (double)data->start[ASY__TRAIN + 1];

    return pow(rows / rows_of, hyper->class_balance) * given(hyper, &data->schema.classes, c);
}

int asy__loss_weights(const struct asy__hyper *hyper, const struct asy__data *data, float *weights,
                      struct asy_error *err)
{
    size_t classes = data->schema.classes.n, rows = data->start[ASY__TRAIN + 1];
    double *rows_of = calloc(classes, sizeof *rows_of), sum = 0;

    if (!rows_of)
        return asy_fail(err, ASY_E_NOMEM, "no memory for the weights of %zu classes", classes);
    for (size_t i = 0; i < rows; i++)
        rows_of[data->label[i]]++;
    for (size_t c = 0; c < classes; c++)
        sum += rows_of[c] > 0 ? rows_of[c] * unscaled(hyper, data, c, rows_of[c]) : 0;
    for (size_t c = 0; c < classes; c++)
        weights[c] = rows_of[c] > 0 ? (float)(unscaled(hyper, data, c, rows_of[c]) *
                                              (double)rows / sum)
                                    : 0;
    free(rows_of);
    return 0;
}
