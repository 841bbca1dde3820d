/* SPDX-License-Identifier: Apache-2.0
 * Models as files: what is read is what was saved and goes on as if it had never been away, files
 * that lie are refused, and so is everything for which there is no memory. */
#include "trainkit.h"
#include "gbdtkit.h"
#include "nomem.h"

static const struct asy_gbdt_params sample = {
    .loss = ASY_GBDT_SOFTMAX, .classes = 3, .max_depth = 4, .learning_rate = 0.1, .l1 = 0.01,
    .l2 = 1.5, .gamma = 1e-3, .min_child_weight = 0.25, .subsample = 0.75, .colsample = 0.5,
    .base = -0.5, .seed = UINT64_MAX,
};

static int read_back(const char *path, struct asy_gbdt **ret_model, struct asy_error *err)
{
    struct asy_safetensors *file = NULL;
    int rc = asy_safetensors_open(path, &file, err);

    if (rc == 0)
        rc = asy_gbdt_read(file, ret_model, err);
    asy_safetensors_destroy(file);
    return rc;
}

static void a_model_that_is_read_goes_on(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct kit_fit whole = { 0 };
    struct asy_gbdt_fit *fit = NULL;
    struct asy_gbdt *model = NULL, *empty = NULL;
    struct kit_rows t;
    char dir[64], path[128];

    if (!T_TRUE(kit_dir(dir) != NULL))
        return;
    snprintf(path, sizeof path, "%s/trees.safetensors", dir);
    if (!kit_rows_init(&t, 300, 6, 0.3, 3, 1))
        goto out;
    if (T_OK(kit_fit_init(&whole, &sample, &t, 1, &err), &err) &&
        T_OK(asy_gbdt_save(whole.model, path, &err), &err) &&
        T_OK(read_back(path, &empty, &err), &err) &&
        T_OK(kit_rounds(whole.fit, 5, &err), &err) &&
        T_OK(asy_gbdt_save(whole.model, path, &err), &err) &&
        T_OK(read_back(path, &model, &err), &err)) {
        T_EQ("parameters", memcmp(asy_gbdt_params(model), &sample, sizeof sample), 0);
        T_EQ("features", asy_gbdt_features(model), 6);
        T_EQ("no rounds", asy_gbdt_rounds(empty), 0);
        kit_same_trees("as saved", model, whole.model);
        T_OK(kit_rounds(whole.fit, 5, &err), &err);
        T_OK(asy_gbdt_fit_create(model, whole.table, t.label, t.weight, NULL, &fit, &err), &err);
        T_OK(kit_rounds(fit, 5, &err), &err);
        kit_same_trees("continued", model, whole.model);
        asy_gbdt_truncate(model, 7); /* and once more from there */
        asy_gbdt_fit_destroy(fit);
        fit = NULL;
        T_OK(asy_gbdt_fit_create(model, whole.table, t.label, t.weight, NULL, &fit, &err), &err);
        T_OK(kit_rounds(fit, 3, &err), &err);
        kit_same_trees("again from round 7", model, whole.model);
    }
out:
    asy_gbdt_fit_destroy(fit);
    asy_gbdt_destroy(model);
    asy_gbdt_destroy(empty);
    kit_fit_fini(&whole);
    kit_rows_fini(&t);
    kit_rmdir(dir);
}

/* A tree of three nodes over two features, as a file; one thing of it changed. */
#define HEAD                                                                                       \
    { "format", "asy-gbdt 1" }, { "loss", "squared" }, { "features", "2" }, { "classes", "0" },    \
        { "max_depth", "6" }, { "learning_rate", "0.3" }, { "l1", "0" }, { "l2", "1" },            \
        { "gamma", "0" }, { "min_child_weight", "1" }, { "subsample", "1" }, { "colsample", "1" }, \
        { "base", "0" }, { "seed", "0" }
enum { FORMAT, LOSS, N_FEATURES, CLASSES, DEPTH, RATE, SEED = 13, N_META };

static void files_that_lie_are_refused(void)
{
    static const struct {
        const char *name, *says;
        int meta; /* that has another value; -1: none */
        const char *value;
        int field; /* likewise of the nodes, 7 each */
        float number, trees; /* nodes of the tree */
        const char *tensor;  /* the nodes' name */
        size_t spare;        /* nodes after the tree's */
    } cases[] = {
        { "as it should be", NULL, -1, NULL, -1, 0, 3, "nodes" },
        { "format", "no format", FORMAT, "asy-gbdt 2", -1, 0, 3, "nodes" },
        { "loss", "parameter", LOSS, "hinge", -1, 0, 3, "nodes" },
        { "depth", "parameter", DEPTH, "0", -1, 0, 3, "nodes" },
        { "depth of text", "max_depth", DEPTH, "deep", -1, 0, 3, "nodes" },
        { "classes", "parameter", CLASSES, "4", -1, 0, 3, "nodes" },
        { "rate", "parameter", RATE, "nan", -1, 0, 3, "nodes" },
        { "seed", "seed", SEED, "-1", -1, 0, 3, "nodes" },
        { "features", "node 0", N_FEATURES, "1", -1, 0, 3, "nodes" },
        { "no nodes", "is missing", -1, NULL, -1, 0, 3, "leaves" },
        { "children outside", "node 0", -1, NULL, -1, 0, 2, "nodes" },
        { "a node of no tree", "node 3", -1, NULL, -1, 0, 3, "nodes", 1 },
        { "fewer nodes", "tree 0", -1, NULL, -1, 0, 4, "nodes" },
        { "half a node", "tree 0", -1, NULL, -1, 0, 2.5f, "nodes" },
        { "no number of nodes", "tree 0", -1, NULL, -1, 0, NAN, "nodes" },
        { "empty tree", "tree 0", -1, NULL, -1, 0, 0, "nodes" },
        { "feature above", "node 0", -1, NULL, 0, 2, 3, "nodes" },
        { "feature below", "node 0", -1, NULL, 0, -2, 3, "nodes" },
        { "half a feature", "node 0", -1, NULL, 0, 0.5f, 3, "nodes" },
        { "its own child", "node 0", -1, NULL, 1, 0, 3, "nodes" },
        { "child outside", "node 0", -1, NULL, 1, 2, 3, "nodes" },
        { "child far away", "node 0", -1, NULL, 1, 1e30f, 3, "nodes" },
        { "no threshold", "node 0", -1, NULL, 2, NAN, 3, "nodes" },
        { "a threshold below all", "node 0", -1, NULL, 2, -INFINITY, 3, "nodes" },
        { "direction", "node 0", -1, NULL, 3, 2, 3, "nodes" },
        { "value", "node 1", -1, NULL, 7 + 4, INFINITY, 3, "nodes" },
        { "gain", "node 0", -1, NULL, 5, NAN, 3, "nodes" },
        { "weight", "node 2", -1, NULL, 14 + 6, NAN, 3, "nodes" },
        { "leaf with a child", "node 1", -1, NULL, 7 + 1, 2, 3, "nodes" },
    };
    char dir[64], path[128];

    if (!T_TRUE(kit_dir(dir) != NULL))
        return;
    snprintf(path, sizeof path, "%s/trees.safetensors", dir);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        const char *meta[N_META][2] = { HEAD };
        float nodes[28] = { 1, 1, 0.5f, 1, 0, 9, 4, -1, 0, 0, 0, -2, 0, 1, -1, 0, 0, 0, 3, 0, 3,
                            -1 };
        struct asy_tensor_out tensors[] = { { "trees", 1, { 1 }, &cases[i].trees },
                                            { cases[i].tensor, 2, { 3 + cases[i].spare, 7 },
                                              nodes } };
        static const float x[] = { 0, 0.25f, 0, 0.75f, 0, NAN };
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_gbdt *model = NULL;
        float margins[3];
        int rc;

        if (cases[i].meta >= 0)
            meta[cases[i].meta][1] = cases[i].value;
        if (cases[i].field >= 0)
            nodes[cases[i].field] = cases[i].number;
        if (!T_OK(asy_safetensors_write(path, (const char *const(*)[2])meta, N_META, tensors, 2,
                                        &err), &err))
            break;
        rc = read_back(path, &model, &err);
        T_EQ(cases[i].name, rc, cases[i].says ? ASY_E_CORRUPT : 0);
        T_HAS(cases[i].name, err.text, cases[i].says ? cases[i].says : "");
        if (rc == 0) {
            asy_gbdt_predict(model, x, 3, margins);
            T_TRUE(margins[0] == -2 && margins[1] == 3 && margins[2] == -2);
        }
        asy_gbdt_destroy(model);
    }
    kit_rmdir(dir);
}

/* Depth 2 at most; seven nodes are as many as it allows. */
static void trees_of_another_shape_are_refused(void)
{
    static const struct {
        const char *name, *says;
        float n, left[7]; /* 0: a leaf */
    } cases[] = {
        { "full", NULL, 7, { 1, 3, 5 } },
        { "a leaf", NULL, 1, { 0 } },
        { "one side", NULL, 5, { 1, 0, 3 } },
        { "a way of three", "node 4", 7, { 1, 0, 3, 0, 5 } },
        { "two parents", "node 2", 5, { 1, 3, 3 } },
        { "a child of both", "node 2", 6, { 1, 3, 4 } },
        { "its sister's child", "node 1", 4, { 1, 2 } },
        { "no parent", "node 3", 5, { 1 } },
    };
    char dir[64], path[128];

    if (!T_TRUE(kit_dir(dir) != NULL))
        return;
    snprintf(path, sizeof path, "%s/trees.safetensors", dir);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        const char *meta[N_META][2] = { HEAD };
        float nodes[7 * 7] = { 0 };
        struct asy_tensor_out tensors[] = { { "trees", 1, { 1 }, &cases[i].n },
                                            { "nodes", 2, { (size_t)cases[i].n, 7 }, nodes } };
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_gbdt *model = NULL;

        meta[DEPTH][1] = "2";
        for (size_t k = 0; k < 7; k++) {
            nodes[7 * k] = cases[i].left[k] > 0 ? 0 : -1;
            nodes[7 * k + 1] = cases[i].left[k];
        }
        if (!T_OK(asy_safetensors_write(path, (const char *const(*)[2])meta, N_META, tensors, 2,
                                        &err), &err))
            break;
        T_EQ(cases[i].name, read_back(path, &model, &err), cases[i].says ? ASY_E_CORRUPT : 0);
        T_HAS(cases[i].name, err.text, cases[i].says ? cases[i].says : "");
        asy_gbdt_destroy(model);
    }
    kit_rmdir(dir);
}

/* One bad node, in the second tree of a round of three, and the model is as empty as before. */
static void trees_that_are_refused_leave_the_model(void)
{
    struct asy_gbdt_packed packed = { 0 };
    struct asy_error err = ASY_ERROR_INIT;
    struct kit_fit whole = { 0 };
    struct asy_gbdt *model = NULL;
    struct kit_rows t;

    if (!kit_rows_init(&t, 200, 6, 0.1, 3, 1))
        return;
    if (T_OK(kit_fit_init(&whole, &sample, &t, 1, &err), &err) &&
        T_OK(kit_rounds(whole.fit, 2, &err), &err) &&
        T_OK(asy_gbdt_pack(whole.model, 1, &packed, &err), &err) &&
        T_OK(asy_gbdt_create(&sample, 6, &model, &err), &err) &&
        T_EQ("trees of the first round", packed.n_trees, 3)) {
        float *feature = packed.nodes + (size_t)packed.trees[0] * ASY_GBDT_FIELDS, held = *feature;

        *feature = 6;
        T_EQ("refused", asy_gbdt_unpack(model, &packed, &err), ASY_E_CORRUPT);
        T_EQ("rounds", asy_gbdt_rounds(model), 0);
        *feature = held;
        T_OK(asy_gbdt_unpack(model, &packed, &err), &err);
        asy_gbdt_truncate(whole.model, 1);
        kit_same_trees("the first round", model, whole.model);
        T_EQ("twice", asy_gbdt_unpack(model, &packed, &err), ASY_E_STATE);
    }
    asy_gbdt_packed_fini(&packed);
    asy_gbdt_destroy(model);
    kit_fit_fini(&whole);
    kit_rows_fini(&t);
}

static struct kit_rows table;
static char file[128];

static int fit_and_save(struct asy_error *err)
{
    struct kit_fit fit = { 0 };
    int rc = kit_fit_init(&fit, &sample, &table, 1, err);

    if (rc == 0 && (rc = kit_rounds(fit.fit, 3, err)) == 0)
        rc = asy_gbdt_save(fit.model, file, err);
    kit_fit_fini(&fit);
    return rc;
}

static int read_model(struct asy_error *err)
{
    struct asy_gbdt *model = NULL;
    int rc = read_back(file, &model, err);

    asy_gbdt_destroy(model);
    return rc;
}

static void want_of_memory_is_told(void)
{
    char dir[64];

    if (!T_TRUE(kit_dir(dir) != NULL))
        return;
    snprintf(file, sizeof file, "%s/trees.safetensors", dir);
    if (kit_rows_init(&table, 60, 5, 0.1, 3, 1)) {
        T_TRUE(t_nomem_each("fit and save", fit_and_save) >= 20);
        T_TRUE(t_nomem_each("read", read_model) >= 6);
    }
    kit_rows_fini(&table);
    kit_rmdir(dir);
}

T_MAIN("gbdt_file", T_TEST(a_model_that_is_read_goes_on), T_TEST(files_that_lie_are_refused),
       T_TEST(trees_of_another_shape_are_refused),
       T_TEST(trees_that_are_refused_leave_the_model),
       T_TEST(want_of_memory_is_told))
