/* SPDX-License-Identifier: Apache-2.0
 * onnx_trees.c - boosted trees as a TreeEnsembleRegressor: one target for each margin. A row goes
 * left if its value is below the threshold (BRANCH_LT), a missing one where the tree says. */
#include "export_impl.h"

/* Of all nodes, in order of trees; leaves are listed once more. */
struct lists {
    int64_t *tree, *node, *feature, *left, *right, *missing_left;
    float *threshold;
    const char **mode;
    int64_t *leaf_tree, *leaf_node, *leaf_target;
    float *leaf_value;
};

static size_t count_nodes(const struct asy_gbdt *trees, size_t *ret_leaves)
{
    size_t outputs = asy_gbdt_outputs(trees), total = 0, n = 0;

    *ret_leaves = 0;
    for (size_t t = 0; t < asy_gbdt_rounds(trees) * outputs; t++) {
        const struct asy_gbdt_node *nodes = asy_gbdt_tree(trees, t / outputs, t % outputs, &n);

        for (size_t i = 0; i < n; i++)
            *ret_leaves += nodes[i].feature < 0;
        total += n;
    }
    return total;
}

/* The attributes, empty. 0: no memory. */
static int make_lists(struct asy__graph *g, size_t nodes, size_t leaves, struct lists *ret)
{
    *ret = (struct lists){
        .tree = asy__graph_attr_ints(g, "nodes_treeids", nodes),
        .node = asy__graph_attr_ints(g, "nodes_nodeids", nodes),
        .feature = asy__graph_attr_ints(g, "nodes_featureids", nodes),
        .left = asy__graph_attr_ints(g, "nodes_truenodeids", nodes),
        .right = asy__graph_attr_ints(g, "nodes_falsenodeids", nodes),
        .missing_left = asy__graph_attr_ints(g, "nodes_missing_value_tracks_true", nodes),
        .threshold = asy__graph_attr_floats(g, "nodes_values", nodes),
        .mode = asy__graph_room(g, nodes + 1, sizeof *ret->mode),
        .leaf_tree = asy__graph_attr_ints(g, "target_treeids", leaves),
        .leaf_node = asy__graph_attr_ints(g, "target_nodeids", leaves),
        .leaf_target = asy__graph_attr_ints(g, "target_ids", leaves),
        .leaf_value = asy__graph_attr_floats(g, "target_weights", leaves),
    };
    return ret->leaf_value && ret->mode; /* the last of each kind: failures are sticky */
}

static void fill_lists(const struct asy_gbdt *trees, const struct lists *to)
{
    size_t outputs = asy_gbdt_outputs(trees), at = 0, leaf = 0, n = 0;

    for (size_t t = 0; t < asy_gbdt_rounds(trees) * outputs; t++) {
        const struct asy_gbdt_node *nodes = asy_gbdt_tree(trees, t / outputs, t % outputs, &n);

        for (size_t i = 0; i < n; i++, at++) {
            int is_leaf = nodes[i].feature < 0;

            to->tree[at] = (int64_t)t;
            to->node[at] = (int64_t)i;
            to->mode[at] = is_leaf ? "LEAF" : "BRANCH_LT";
            if (is_leaf) {
                to->leaf_tree[leaf] = (int64_t)t;
                to->leaf_node[leaf] = (int64_t)i;
                to->leaf_target[leaf] = (int64_t)(t % outputs);
                to->leaf_value[leaf++] = nodes[i].value;
                continue;
            }
            to->feature[at] = nodes[i].feature;
            to->threshold[at] = nodes[i].threshold;
            to->left[at] = nodes[i].left;
            to->right[at] = (int64_t)nodes[i].left + 1;
            to->missing_left[at] = nodes[i].default_left;
        }
    }
}

/* Margins; of two classes that of the second, beside which the first has 0. */
static const char *as_outs(struct asy__graph *g, const struct asy_gbdt *trees, const char *margins)
{
    static const float second[] = { 0, 1 };
    static const size_t two = 2;

    if (asy_gbdt_params(trees)->loss != ASY_GBDT_LOGISTIC)
        return margins;
    return ASY__NODE(g, "Mul", margins, asy__graph_floats(g, "second", second, &two, 1));
}

const char *asy__onnx_trees(struct asy__graph *graph, const struct asy__model *model,
                            const char *features)
{
    const struct asy_gbdt *trees = model->trees;
    size_t outputs = asy_gbdt_outputs(trees), leaves = 0, n = count_nodes(trees, &leaves);
    const char *margins = ASY__NODE(graph, "TreeEnsembleRegressor", features);
    struct lists lists;
    float *base;

    asy__graph_ml(graph);
    asy__graph_attr_int(graph, "n_targets", (int64_t)outputs);
    asy__graph_attr_text(graph, "aggregate_function", "SUM");
    asy__graph_attr_text(graph, "post_transform", "NONE");
    if ((base = asy__graph_attr_floats(graph, "base_values", outputs)))
        for (size_t k = 0; k < outputs; k++)
            base[k] = (float)asy_gbdt_params(trees)->base;
    if (!make_lists(graph, n, leaves, &lists))
        return "";
    fill_lists(trees, &lists);
    asy__graph_attr_texts(graph, "nodes_modes", lists.mode, n);
    return as_outs(graph, trees, margins);
}
