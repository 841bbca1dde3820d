/* SPDX-License-Identifier: Apache-2.0
 * gbdt.c - the model: trees one after another in one array of nodes, and what they predict. */
#include "gbdt_impl.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define ROWS_AT_ONCE 64 /* that go through a tree while it is in the cache */

/* ---- parameters ------------------------------------------------------------------------------ */

static int outside(const char *name, double value, struct asy_error *err)
{
    return asy_fail(err, ASY_E_INVAL, "%s: %g is not possible", name, value);
}

int asy__gbdt_check(const struct asy_gbdt_params *p, size_t features, struct asy_error *err)
{
    const struct {
        const char *name;
        double value, above, max; /* above < value <= max */
    } ranges[] = {
        { "learning_rate", p->learning_rate, 0, 1 }, { "subsample", p->subsample, 0, 1 },
        { "colsample", p->colsample, 0, 1 },
    }, penalties[] = {
        { "l1", p->l1, 0, 1e30 }, { "l2", p->l2, 0, 1e30 }, { "gamma", p->gamma, 0, 1e30 },
        { "min_child_weight", p->min_child_weight, 0, 1e30 }, { "base", fabs(p->base), 0, 1e30 },
    };
    size_t least = p->loss == ASY_GBDT_SOFTMAX ? 2 : 0;

    if (features == 0 || features > ASY_GBDT_FEATURES_MAX)
        return outside("features", (double)features, err);
    if (p->loss > ASY_GBDT_SOFTMAX)
        return outside("loss", (double)p->loss, err);
    if (p->classes < least || p->classes > (least ? ASY_GBDT_CLASSES_MAX : 0))
        return outside("classes", (double)p->classes, err);
    if (p->max_depth < 1 || p->max_depth > ASY_GBDT_DEPTH_MAX)
        return outside("max_depth", (double)p->max_depth, err);
    for (size_t i = 0; i < ASY_ARRAY_LEN(ranges); i++)
        if (!(ranges[i].value > ranges[i].above && ranges[i].value <= ranges[i].max))
            return outside(ranges[i].name, ranges[i].value, err);
    for (size_t i = 0; i < ASY_ARRAY_LEN(penalties); i++)
        if (!(penalties[i].value >= penalties[i].above && penalties[i].value <= penalties[i].max))
            return outside(penalties[i].name, penalties[i].value, err);
    return 0;
}

/* ---- the object ------------------------------------------------------------------------------ */

int asy_gbdt_create(const struct asy_gbdt_params *params, size_t features,
                    struct asy_gbdt **ret_model, struct asy_error *err)
{
    struct asy_gbdt *model;
    int rc = asy__gbdt_check(params, features, err);

    if (rc < 0)
        return rc;
    if (!(model = calloc(1, sizeof *model)) || !(model->begin = calloc(1, sizeof *model->begin))) {
        asy_gbdt_destroy(model);
        return asy_fail(err, ASY_E_NOMEM, "no memory for a model of trees");
    }
    model->params = *params;
    model->features = features;
    model->outputs = params->loss == ASY_GBDT_SOFTMAX ? params->classes : 1;
    *ret_model = model;
    return 0;
}

void asy_gbdt_destroy(struct asy_gbdt *model)
{
    int saved = errno;

    if (!model)
        return;
    free(model->begin);
    free(model->nodes);
    free(model);
    errno = saved;
}

/* Room for so many more. */
int asy__gbdt_reserve(struct asy_gbdt *model, size_t trees, size_t nodes, struct asy_error *err)
{
    size_t trees_room = model->n_trees + trees, nodes_room = model->n_nodes + nodes;
    struct asy_gbdt_node *more;
    size_t *begin;

    if (trees_room > model->trees_room) {
        trees_room += trees_room / 2;
        if (!(begin = reallocarray(model->begin, trees_room + 1, sizeof *begin)))
            return asy_fail(err, ASY_E_NOMEM, "no memory for %zu trees", trees_room);
        model->begin = begin;
        model->trees_room = trees_room;
    }
    if (nodes_room > model->nodes_room) {
        nodes_room += nodes_room / 2;
        if (!(more = reallocarray(model->nodes, nodes_room, sizeof *more)))
            return asy_fail(err, ASY_E_NOMEM, "no memory for %zu nodes of trees", nodes_room);
        model->nodes = more;
        model->nodes_room = nodes_room;
    }
    return 0;
}

const struct asy_gbdt_params *asy_gbdt_params(const struct asy_gbdt *model)
{
    return &model->params;
}

size_t asy_gbdt_features(const struct asy_gbdt *model)
{
    return model->features;
}

size_t asy_gbdt_outputs(const struct asy_gbdt *model)
{
    return model->outputs;
}

size_t asy_gbdt_rounds(const struct asy_gbdt *model)
{
    return model->n_trees / model->outputs;
}

const struct asy_gbdt_node *asy_gbdt_tree(const struct asy_gbdt *model, size_t round,
                                          size_t output, size_t *ret_n)
{
    size_t tree = round * model->outputs + output;

    *ret_n = model->begin[tree + 1] - model->begin[tree];
    return model->nodes + model->begin[tree];
}

void asy_gbdt_truncate(struct asy_gbdt *model, size_t rounds)
{
    if (rounds * model->outputs < model->n_trees) {
        model->n_trees = rounds * model->outputs;
        model->n_nodes = model->begin[model->n_trees];
    }
}

/* ---- predictions ----------------------------------------------------------------------------- */

static float value_at(const struct asy_gbdt_node *nodes, const float *x)
{
    const struct asy_gbdt_node *node = nodes;

    while (node->feature >= 0) {
        float value = x[node->feature];
        int left = isnan(value) ? node->default_left : value < node->threshold;

        node = nodes + node->left + !left;
    }
    return node->value;
}

void asy_gbdt_predict_more(const struct asy_gbdt *model, size_t first, const float *x, size_t rows,
                           float *margins)
{
    for (size_t begin = 0; begin < rows; begin += ROWS_AT_ONCE) {
        size_t end = rows - begin < ROWS_AT_ONCE ? rows : begin + ROWS_AT_ONCE;

        for (size_t t = first * model->outputs; t < model->n_trees; t++)
            for (size_t r = begin; r < end; r++)
                margins[r * model->outputs + t % model->outputs] +=
                    value_at(model->nodes + model->begin[t], x + r * model->features);
    }
}

void asy_gbdt_predict(const struct asy_gbdt *model, const float *x, size_t rows, float *margins)
{
    for (size_t i = 0; i < rows * model->outputs; i++)
        margins[i] = (float)model->params.base;
    asy_gbdt_predict_more(model, 0, x, rows, margins);
}
