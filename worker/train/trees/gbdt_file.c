/* SPDX-License-Identifier: Apache-2.0
 * gbdt_file.c - models as files. All fields of nodes are floats, which whole numbers of this size
 * are without loss; parameters are texts of metadata. */
#include "gbdt_impl.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/parse.h>

#define FORMAT "asy-gbdt 1"
#define TEXT_MAX 32

/* ---- parameters ------------------------------------------------------------------------------ */

enum kind { REAL, COUNT, NUMBER };

static const struct member {
    const char *name;
    enum kind kind;
    size_t offset; /* in struct asy_gbdt */
} members[] = {
#define AT(member) offsetof(struct asy_gbdt, member)
    { "features", COUNT, AT(features) },
    { "classes", COUNT, AT(params.classes) },
    { "max_depth", COUNT, AT(params.max_depth) },
    { "learning_rate", REAL, AT(params.learning_rate) },
    { "l1", REAL, AT(params.l1) },
    { "l2", REAL, AT(params.l2) },
    { "gamma", REAL, AT(params.gamma) },
    { "min_child_weight", REAL, AT(params.min_child_weight) },
    { "subsample", REAL, AT(params.subsample) },
    { "colsample", REAL, AT(params.colsample) },
    { "base", REAL, AT(params.base) },
    { "seed", NUMBER, AT(params.seed) },
#undef AT
};
static const char *const losses[] = { "squared", "logistic", "softmax" };

static void format_member(const struct asy_gbdt *model, const struct member *member,
                          char text[TEXT_MAX])
{
    const char *at = (const char *)model + member->offset;
    uint64_t number = 0;

    if (member->kind == REAL) {
        asy_format_f64(*(const double *)at, text);
        return;
    }
    number = member->kind == COUNT ? *(const size_t *)at : *(const uint64_t *)at;
    snprintf(text, TEXT_MAX, "%llu", (unsigned long long)number);
}

static int parse_member(const struct asy_safetensors *file, const struct member *member,
                        struct asy_gbdt *model, struct asy_error *err)
{
    const char *text = asy_safetensors_meta(file, member->name);
    char *at = (char *)model + member->offset;
    uint64_t number = 0;
    int rc;

    if (!text)
        return asy_fail(err, ASY_E_CORRUPT, "a model of trees without '%s'", member->name);
    if (member->kind == REAL)
        rc = asy_parse_f64(text, strlen(text), (double *)at, NULL);
    else
        rc = asy_parse_u64(text, strlen(text), &number, NULL);
    if (rc < 0)
        return asy_fail(err, ASY_E_CORRUPT, "'%s' of a model of trees is '%.40s'", member->name,
                        text);
    if (member->kind == COUNT)
        *(size_t *)at = number;
    else if (member->kind == NUMBER)
        *(uint64_t *)at = number;
    return 0;
}

/* ---- tensors --------------------------------------------------------------------------------- */

int asy_gbdt_packed_init(size_t n_trees, size_t n_nodes, struct asy_gbdt_packed *ret_packed,
                         struct asy_error *err)
{
    struct asy_gbdt_packed packed = {
        .n_trees = n_trees,
        .n_nodes = n_nodes,
        .trees = calloc(n_trees + 1, sizeof *packed.trees),
        .nodes = calloc(n_nodes + 1, ASY_GBDT_FIELDS * sizeof *packed.nodes),
    };

    if (packed.trees && packed.nodes) {
        *ret_packed = packed;
        return 0;
    }
    asy_gbdt_packed_fini(&packed);
    return asy_fail(err, ASY_E_NOMEM, "no memory to copy %zu nodes of trees", n_nodes);
}

void asy_gbdt_packed_fini(struct asy_gbdt_packed *packed)
{
    free(packed->trees);
    free(packed->nodes);
    *packed = (struct asy_gbdt_packed){ 0 };
}

static void pack_node(const struct asy_gbdt_node *node, float fields[ASY_GBDT_FIELDS])
{
    fields[0] = (float)node->feature;
    fields[1] = (float)node->left;
    fields[2] = node->threshold;
    fields[3] = (float)node->default_left;
    fields[4] = node->value;
    fields[5] = node->gain;
    fields[6] = node->weight;
}

int asy_gbdt_pack(const struct asy_gbdt *model, size_t rounds, struct asy_gbdt_packed *ret_packed,
                  struct asy_error *err)
{
    struct asy_gbdt_packed packed = { 0 };
    size_t most = asy_gbdt_rounds(model);
    size_t n_trees = (rounds < most ? rounds : most) * model->outputs;
    int rc = asy_gbdt_packed_init(n_trees, model->begin[n_trees], &packed, err);

    if (rc < 0)
        return rc;
    for (size_t t = 0; t < packed.n_trees; t++)
        packed.trees[t] = (float)(model->begin[t + 1] - model->begin[t]);
    for (size_t i = 0; i < packed.n_nodes; i++)
        pack_node(model->nodes + i, packed.nodes + i * ASY_GBDT_FIELDS);
    *ret_packed = packed;
    return 0;
}

void asy_gbdt_packed_tensors(const struct asy_gbdt_packed *packed, struct asy_tensor_out ret[2])
{
    ret[0] = (struct asy_tensor_out){ "trees", 1, { packed->n_trees }, packed->trees };
    ret[1] = (struct asy_tensor_out){ "nodes", 2, { packed->n_nodes, ASY_GBDT_FIELDS },
                                      packed->nodes };
}

static size_t count_of(const struct asy_safetensors *file, const char *name, size_t width)
{
    const struct asy_tensor *tensor = asy_safetensors_find(file, name);

    return tensor ? tensor->size / (width * sizeof(float)) : 0;
}

int asy_gbdt_packed_read(const struct asy_safetensors *file, struct asy_gbdt_packed *ret_packed,
                         struct asy_error *err)
{
    struct asy_gbdt_packed packed = { 0 };
    int rc = asy_gbdt_packed_init(count_of(file, "trees", 1),
                                  count_of(file, "nodes", ASY_GBDT_FIELDS), &packed, err);

    if (rc == 0 &&
        (rc = asy_safetensors_read_f32(file, "trees", packed.n_trees, packed.trees, err)) == 0)
        rc = asy_safetensors_read_f32(file, "nodes", packed.n_nodes * ASY_GBDT_FIELDS,
                                      packed.nodes, err);
    if (rc < 0)
        asy_gbdt_packed_fini(&packed);
    else
        *ret_packed = packed;
    return rc;
}

static int bad(struct asy_error *err, const char *what, size_t i)
{
    return asy_fail(err, ASY_E_CORRUPT, "%s %zu of a model of trees is not possible", what, i);
}

/* A whole number of 0 .. max. */
static int whole(float value, size_t max)
{
    return value >= 0 && value <= (float)max && value == rintf(value);
}

/* Children come after their parent, so every way down ends. All that is known goes left of an
 * infinite threshold; nothing would of one below all numbers, which is no split. */
static int unpack_node(const struct asy_gbdt *model, const float *fields, size_t at, size_t n,
                       struct asy_gbdt_node *node)
{
    int leaf = fields[0] == -1;

    if (!leaf && !(whole(fields[0], model->features - 1) && whole(fields[1], n - 1) &&
                   fields[1] > (float)at && fields[1] + 1 < (float)n && fields[2] > -INFINITY))
        return -1;
    if (leaf && (fields[1] != 0 || fields[2] != 0))
        return -1;
    if (!whole(fields[3], 1) || !isfinite(fields[4]) || !isfinite(fields[5]) ||
        !isfinite(fields[6]))
        return -1;
    *node = (struct asy_gbdt_node){
        .feature = (int32_t)fields[0], .left = (uint32_t)fields[1], .threshold = fields[2],
        .default_left = (int32_t)fields[3], .value = fields[4], .gain = fields[5],
        .weight = fields[6],
    };
    return 0;
}

/* Node `at` on its way's place `depth[at]`, counted from 1; 0: no node above has led there. A node
 * has one parent, and no way is longer than max_depth. */
static int place_node(const struct asy_gbdt *model, const struct asy_gbdt_node *nodes, size_t at,
                      uint8_t *depth)
{
    uint8_t *child = depth + nodes[at].left;

    if (depth[at] == 0)
        return -1;
    if (nodes[at].feature < 0)
        return 0;
    if (depth[at] > model->params.max_depth || child[0] || child[1])
        return -1;
    child[0] = child[1] = (uint8_t)(depth[at] + 1);
    return 0;
}

/* depth [packed->n_nodes] zeros */
static int unpack_trees(struct asy_gbdt *model, const struct asy_gbdt_packed *packed,
                        uint8_t *depth, struct asy_error *err)
{
    if (packed->n_trees % model->outputs != 0)
        return bad(err, "tree", packed->n_trees);
    for (size_t t = 0; t < packed->n_trees; t++) {
        size_t begin = model->n_nodes, n = 0;

        if (!whole(packed->trees[t], asy__gbdt_nodes_max(&model->params)) ||
            packed->trees[t] < 1 || (n = (size_t)packed->trees[t]) > packed->n_nodes - begin)
            return bad(err, "tree", t);
        depth[begin] = 1;
        for (size_t i = 0; i < n; i++)
            if (unpack_node(model, packed->nodes + (begin + i) * ASY_GBDT_FIELDS, i, n,
                            model->nodes + begin + i) < 0 ||
                place_node(model, model->nodes + begin, i, depth + begin) < 0)
                return bad(err, "node", begin + i);
        model->n_nodes += n;
        model->begin[++model->n_trees] = model->n_nodes;
    }
    return model->n_nodes == packed->n_nodes ? 0 : bad(err, "node", model->n_nodes);
}

int asy_gbdt_unpack(struct asy_gbdt *model, const struct asy_gbdt_packed *packed,
                    struct asy_error *err)
{
    uint8_t *depth = NULL;
    int rc;

    if (model->n_trees > 0)
        return asy_fail(err, ASY_E_STATE, "the model has trees already");
    if ((rc = asy__gbdt_reserve(model, packed->n_trees, packed->n_nodes, err)) < 0)
        return rc;
    if (!(depth = calloc(packed->n_nodes + 1, sizeof *depth)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu nodes of trees", packed->n_nodes);
    if ((rc = unpack_trees(model, packed, depth, err)) < 0)
        asy_gbdt_truncate(model, 0);
    free(depth);
    return rc;
}

/* ---- files ----------------------------------------------------------------------------------- */

int asy_gbdt_save(const struct asy_gbdt *model, const char *path, struct asy_error *err)
{
    char texts[ASY_ARRAY_LEN(members)][TEXT_MAX];
    const char *meta[ASY_ARRAY_LEN(members) + 2][2] = { { "format", FORMAT },
                                                        { "loss", losses[model->params.loss] } };
    struct asy_gbdt_packed packed = { 0 };
    struct asy_tensor_out tensors[2];
    int rc = asy_gbdt_pack(model, SIZE_MAX, &packed, err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < ASY_ARRAY_LEN(members); i++) {
        format_member(model, members + i, texts[i]);
        meta[i + 2][0] = members[i].name;
        meta[i + 2][1] = texts[i];
    }
    asy_gbdt_packed_tensors(&packed, tensors);
    rc = asy_safetensors_write(path, (const char *const(*)[2])meta, ASY_ARRAY_LEN(meta), tensors,
                               ASY_ARRAY_LEN(tensors), err);
    asy_gbdt_packed_fini(&packed);
    return rc;
}

static int read_head(const struct asy_safetensors *file, struct asy_gbdt *head,
                     struct asy_error *err)
{
    const char *format = asy_safetensors_meta(file, "format");
    const char *loss = asy_safetensors_meta(file, "loss");
    size_t l = 0;
    int rc;

    if (!format || strcmp(format, FORMAT) != 0)
        return asy_fail(err, ASY_E_CORRUPT, "not a model of trees: no format '" FORMAT "'");
    while (l < ASY_ARRAY_LEN(losses) && (!loss || strcmp(losses[l], loss) != 0))
        l++;
    head->params.loss = (enum asy_gbdt_loss)l; /* an unknown one is refused below */
    for (size_t i = 0; i < ASY_ARRAY_LEN(members); i++)
        if ((rc = parse_member(file, members + i, head, err)) < 0)
            return rc;
    if ((rc = asy__gbdt_check(&head->params, head->features, err)) < 0)
        return asy_fail(err, ASY_E_CORRUPT, "a model of trees with a parameter that is not "
                        "possible");
    return 0;
}

int asy_gbdt_read(const struct asy_safetensors *file, struct asy_gbdt **ret_model,
                  struct asy_error *err)
{
    struct asy_gbdt_packed packed = { 0 };
    struct asy_gbdt *model = NULL, head = { 0 };
    int rc;

    if ((rc = read_head(file, &head, err)) == 0 &&
        (rc = asy_gbdt_create(&head.params, head.features, &model, err)) == 0 &&
        (rc = asy_gbdt_packed_read(file, &packed, err)) == 0)
        rc = asy_gbdt_unpack(model, &packed, err);
    asy_gbdt_packed_fini(&packed);
    if (rc < 0)
        asy_gbdt_destroy(model);
    else
        *ret_model = model;
    return rc;
}
