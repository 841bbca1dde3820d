/* SPDX-License-Identifier: Apache-2.0
 * header_trees.c - boosted trees in C: all nodes in one table, and a walk through it. */
#include "header_impl.h"

static void put_nodes(struct asy__writer *w, const struct asy_gbdt *trees)
{
    size_t outputs = asy_gbdt_outputs(trees), n_trees = asy_gbdt_rounds(trees) * outputs, n = 0;
    size_t at = 0;

    asy_buf_addf(w->to,
                 "/* A leaf has feature -1 and a value; other nodes a threshold, below which a\n"
                 " * row goes to the left child; the right one is the next. */\n"
                 "struct %s_node {\n    float value;\n    int feature, left, missing_left;\n};\n"
                 "static const struct %s_node %s_nodes[] = {\n", w->name, w->name, w->name);
    for (size_t t = 0; t < n_trees; t++) {
        const struct asy_gbdt_node *node = asy_gbdt_tree(trees, t / outputs, t % outputs, &n);

        for (size_t i = 0; i < n; i++, node++) {
            asy_buf_adds(w->to, "    { ");
            asy__put_float(w->to, node->feature < 0 ? node->value : node->threshold);
            asy_buf_addf(w->to, ", %d, %u, %d },\n", (int)node->feature, (unsigned)node->left,
                         (int)(node->default_left != 0));
        }
    }
    asy_buf_addf(w->to, "};\nstatic const int %s_trees[%zu] = { /* the root of each */\n", w->name,
                 n_trees);
    for (size_t t = 0; t < n_trees; t++, at += n) {
        asy_gbdt_tree(trees, t / outputs, t % outputs, &n);
        asy_buf_addf(w->to, "%s%zu,%s", t % ASY__ON_A_LINE ? " " : "    ", at,
                     t % ASY__ON_A_LINE == ASY__ON_A_LINE - 1 || t + 1 == n_trees ? "\n" : "");
    }
    asy_buf_adds(w->to, "};\n");
}

void asy__header_trees(struct asy__writer *w)
{
    const struct asy_gbdt *trees = w->export->model->trees;
    size_t outputs = asy_gbdt_outputs(trees), n = asy_gbdt_rounds(trees) * outputs;
    int logistic = asy_gbdt_params(trees)->loss == ASY_GBDT_LOGISTIC;

    put_nodes(w, trees);
    asy_buf_addf(w->to, "\nstatic inline void %s_outputs(const float *f, float *out)\n{\n"
                 "    float margin[%zu];\n    int k, t;\n\n    for (k = 0; k < %zu; k++)\n"
                 "        margin[k] = ", w->name, outputs, outputs);
    asy__put_float(w->to, (float)asy_gbdt_params(trees)->base);
    asy_buf_addf(w->to,
                 ";\n    for (t = 0; t < %zu; t++) {\n"
                 "        const struct %s_node *root = %s_nodes + %s_trees[t], *node = root;\n\n"
                 "        while (node->feature >= 0) {\n"
                 "            float v = f[node->feature];\n"
                 "            int left = v != v ? node->missing_left : v < node->value;\n\n"
                 "            node = root + node->left + !left;\n        }\n"
                 "        margin[t %% %zu] += node->value;\n    }\n", n, w->name, w->name, w->name,
                 outputs);
    if (logistic) /* the log-odds of the second class */
        asy_buf_adds(w->to, "    out[0] = 0;\n    out[1] = margin[0];\n}\n");
    else
        asy_buf_addf(w->to, "    for (k = 0; k < %zu; k++)\n        out[k] = margin[k];\n}\n",
                     outputs);
}
