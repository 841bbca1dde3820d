/* SPDX-License-Identifier: Apache-2.0
 * loss.c - see loss.h. */
#include "loss.h"
#include <math.h>
#include <stdlib.h>
#include "score.h"

int asy__loss_weighs(const struct asy__hyper *hyper)
{
    return hyper->class_balance > 0;
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
            return asy_fail(err, ASY_E_INVAL, "loss, label_smoothing and class_balance are of "
                            "networks; a plug-in has a loss of its own");
        return 0;
    }
    if (schema->vocabulary) {
        if (hyper->loss != ASY__LOSS_AUTO || asy__loss_weighs(hyper))
            return asy_fail(err, ASY_E_INVAL, "loss and class_balance are not of tokens");
        return 0;
    }
    label = schema->columns[schema->label].name;
    if ((rc = check_label(hyper, schema, err)) < 0)
        return rc;
    if (!schema->classification && hyper->label_smoothing > 0)
        return asy_fail(err, ASY_E_INVAL, "label_smoothing is of classes, but '%.60s' is a number",
                        label);
    if (!schema->classification && asy__loss_weighs(hyper))
        return asy_fail(err, ASY_E_INVAL, "class_balance is of classes, but '%.60s' is a number",
                        label);
    return 0;
}

/* (rows / rows_of)^balance, scaled: at 1 every class has the same weight in all. */
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
        if (rows_of[c] > 0)
            sum += rows_of[c] * pow((double)rows / rows_of[c], hyper->class_balance);
    for (size_t c = 0; c < classes; c++)
        weights[c] = rows_of[c] > 0 ? (float)(pow((double)rows / rows_of[c], hyper->class_balance) *
                                              (double)rows / sum)
                                    : 0;
    free(rows_of);
    return 0;
}
