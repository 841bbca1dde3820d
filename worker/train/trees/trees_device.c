/* SPDX-License-Identifier: Apache-2.0
 * trees_device.c - see trees_device.h. */
#include "trees_device.h"
#include <asy/device_trees.h>
#include <errno.h>
#include <stdlib.h>
#include "gbdt_impl.h"

_Static_assert((int)ASY_DEVICE_TREES_SQUARED == (int)ASY_GBDT_SQUARED &&
               (int)ASY_DEVICE_TREES_LOGISTIC == (int)ASY_GBDT_LOGISTIC &&
               (int)ASY_DEVICE_TREES_SOFTMAX == (int)ASY_GBDT_SOFTMAX, "losses are the same");

struct asy__device_fit {
    struct asy_gbdt *model;
    const struct asy_gbdt_table *table;
    struct asy_gbdt_shard shard; /* sum NULL: alone */
    struct asy_device_trees *trees;
    float *margins;                     /* [rows][outputs] */
    uint8_t *use;                       /* [outputs][features] */
    struct asy_device_tree_node *nodes; /* [outputs][places] of a round */
};

static int allocate(struct asy__device_fit *fit, struct asy_error *err)
{
    const struct asy_gbdt *model = fit->model;
    size_t places = asy_device_trees_places(model->params.max_depth);

    fit->margins = calloc(fit->table->rows * model->outputs + 1, sizeof *fit->margins);
    fit->use = calloc(model->outputs, model->features);
    fit->nodes = calloc(model->outputs * places, sizeof *fit->nodes);
    if (!fit->margins || !fit->use || !fit->nodes)
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu margins",
                        fit->table->rows * model->outputs);
    return 0;
}

static int replay(struct asy__device_fit *fit, struct asy_error *err)
{
    struct asy__gbdt_part *parts = calloc(asy__gbdt_nodes_max(&fit->model->params), sizeof *parts);
    int rc = parts ? asy__gbdt_replay(fit->model, fit->table, parts, fit->margins, err)
                   : asy_fail(err, ASY_E_NOMEM, "no memory to go on with a model of trees");

    free(parts);
    return rc;
}

static int create_trees(struct asy__device_fit *fit, struct asy_device *device, const float *label,
                        const float *weight, struct asy_error *err)
{
    const struct asy_gbdt_cuts *cuts = fit->table->cuts;
    const struct asy_gbdt_params *p = &fit->model->params;
    uint32_t *at = calloc(cuts->features + 1, sizeof *at);
    int rc;

    if (!at)
        return asy_fail(err, ASY_E_NOMEM, "no memory for trees on a device");
    for (size_t f = 0; f <= cuts->features; f++)
        at[f] = (uint32_t)cuts->at[f];
    rc = asy_device_trees_create(device, &(struct asy_device_trees_desc){
        .loss = (enum asy_device_trees_loss)p->loss, .outputs = fit->model->outputs,
        .max_depth = p->max_depth, .rows = fit->table->rows, .features = cuts->features,
        .words = fit->table->words, .at = at, .label = label, .weight = weight,
        .learning_rate = p->learning_rate, .l1 = p->l1, .l2 = p->l2, .gamma = p->gamma,
        .min_child_weight = p->min_child_weight, .subsample = p->subsample, .seed = p->seed,
        .first_row = fit->shard.first_row, .join = fit->shard.sum, .join_arg = fit->shard.context,
    }, &fit->trees, err);
    free(at);
    return rc < 0 ? rc : asy_device_trees_write(fit->trees, fit->margins, err);
}

int asy__device_fit_create(struct asy_device *device, struct asy_gbdt *model,
                           const struct asy_gbdt_table *table, const float *label,
                           const float *weight, const struct asy_gbdt_shard *shard,
                           struct asy__device_fit **ret_fit, struct asy_error *err)
{
    struct asy__device_fit *fit;
    int rc = asy__gbdt_check_fit(model, table, label, weight, err);

    if (rc < 0)
        return rc;
    if (!(fit = calloc(1, sizeof *fit)))
        return asy_fail(err, ASY_E_NOMEM, "no memory to fit trees");
    fit->model = model;
    fit->table = table;
    if (shard)
        fit->shard = *shard;
    if ((rc = allocate(fit, err)) < 0 || (rc = replay(fit, err)) < 0 ||
        (rc = create_trees(fit, device, label, weight, err)) < 0) {
        asy__device_fit_destroy(fit);
        return rc;
    }
    *ret_fit = fit;
    return 0;
}

void asy__device_fit_destroy(struct asy__device_fit *fit)
{
    int saved = errno;

    if (!fit)
        return;
    asy_device_trees_destroy(fit->trees);
    free(fit->margins);
    free(fit->use);
    free(fit->nodes);
    free(fit);
    errno = saved;
}

/* What stands at a place, as a node of the model; next: where its children would be. */
static struct asy_gbdt_node node_of(const struct asy_gbdt_cuts *cuts,
                                    const struct asy_device_tree_node *from, size_t next)
{
    struct asy_gbdt_node node = { .feature = -1, .weight = from->weight };

    if (from->feature < 0)
        node.value = from->value;
    else
        asy__gbdt_set_split(cuts, &(struct asy__gbdt_split){
            .gain = (double)from->gain, .feature = (size_t)from->feature, .bin = from->bin,
            .default_left = from->default_left,
        }, next, &node);
    return node;
}

/* A tree of which all places are there becomes one without gaps, in the same order. */
static void append(struct asy_gbdt *model, const struct asy_gbdt_cuts *cuts,
                   const struct asy_device_tree_node *from)
{
    size_t places = asy_device_trees_places(model->params.max_depth), n = 0, next = 1;
    struct asy_gbdt_node *nodes = model->nodes + model->n_nodes;

    for (size_t i = 0; i < places; i++)
        if (from[i].feature != ASY_DEVICE_TREE_NONE) {
            nodes[n++] = node_of(cuts, &from[i], next);
            next += from[i].feature >= 0 ? 2 : 0;
        }
    model->n_nodes += n;
    model->begin[++model->n_trees] = model->n_nodes;
}

int asy__device_fit_round(struct asy__device_fit *fit, struct asy_error *err)
{
    struct asy_gbdt *model = fit->model;
    size_t places = asy_device_trees_places(model->params.max_depth);
    size_t rounds = asy_gbdt_rounds(model);
    int rc = asy__gbdt_reserve_round(model, &fit->shard, err);

    if (rc < 0)
        return rc;
    for (size_t k = 0; k < model->outputs; k++)
        asy__gbdt_draw_features(&model->params, model->features, model->n_trees + k,
                                fit->use + k * model->features);
    rc = asy_device_trees_round(fit->trees, rounds, fit->use, fit->nodes, fit->margins, err);
    if (rc < 0)
        return rc;
    for (size_t k = 0; k < model->outputs; k++)
        append(model, fit->table->cuts, fit->nodes + k * places);
    return 0;
}

const float *asy__device_fit_margins(const struct asy__device_fit *fit)
{
    return fit->margins;
}
