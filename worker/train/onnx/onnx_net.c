/* SPDX-License-Identifier: Apache-2.0
 * onnx_net.c - the layers of a network as nodes. */
#include "export_impl.h"
#include "net/net_impl.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- activations ----------------------------------------------------------------------------- */

/* 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), as the kernels have it; opset 17 has none. */
static const char *gelu(struct asy__graph *g, const char *x)
{
    const char *cube = ASY__NODE(g, "Mul", ASY__NODE(g, "Mul", x, x), x);
    const char *inner = ASY__NODE(g, "Add", x,
                                  ASY__NODE(g, "Mul", cube, asy__graph_float(g, 0.044715f)));
    const char *bend = ASY__NODE(g, "Tanh",
                                 ASY__NODE(g, "Mul", inner, asy__graph_float(g, 0.7978845608f)));
    const char *gate = ASY__NODE(g, "Add", bend, asy__graph_float(g, 1));

    return ASY__NODE(g, "Mul", ASY__NODE(g, "Mul", x, asy__graph_float(g, 0.5f)), gate);
}

/* channels: the dimension of x that has them. */
static const char *activation(struct asy__graph *g, enum asy_act act, int channels, const char *x)
{
    switch (act) {
    case ASY_ACT_NONE:
        return x;
    case ASY_ACT_RELU:
        return ASY__NODE(g, "Relu", x);
    case ASY_ACT_TANH:
        return ASY__NODE(g, "Tanh", x);
    case ASY_ACT_GELU:
        return gelu(g, x);
    case ASY_ACT_SIGMOID:
        return ASY__NODE(g, "Sigmoid", x);
    case ASY_ACT_SILU:
        return ASY__NODE(g, "Mul", x, ASY__NODE(g, "Sigmoid", x));
    case ASY_ACT_LEAKY_RELU:
        x = ASY__NODE(g, "LeakyRelu", x);
        asy__graph_attr_float(g, "alpha", 0.01f);
        return x;
    case ASY_ACT_SOFTMAX:
        x = ASY__NODE(g, "Softmax", x);
        asy__graph_attr_int(g, "axis", channels);
        return x;
    }
    ASY_ASSERT(0, "activation %d", (int)act);
    return x;
}

/* ---- layers ---------------------------------------------------------------------------------- */

/* In a model of tokens a row has as many of them as are given, up to those that it saw at once. */
static int is_open(const struct asy__model *model)
{
    return model->schema.vocabulary > 0;
}

/* How outputs lie: a vector is [N][channels], a row of them [N][width][channels], all else
 * [N][height][width][channels]. */
static size_t rank_of(const struct asy__model *model, struct asy__shape shape)
{
    if (shape.height > 1)
        return 4;
    return shape.width > 1 || is_open(model) ? 3 : 2;
}

/* x in another shape; N stays. */
static const char *reshaped(struct asy__graph *g, const struct asy__model *model, const char *x,
                            struct asy__shape to)
{
    const int64_t dims[] = { (int64_t)to.height, (int64_t)to.width, (int64_t)to.channels };
    size_t rank = rank_of(model, to);
    int64_t shape[4] = { 0 };

    memcpy(shape + 1, dims + (4 - rank), (rank - 1) * sizeof *shape);
    return ASY__NODE(g, "Reshape", x, asy__graph_ints(g, NULL, shape, rank));
}

/* The i-th tensor of a layer, under its stored name. */
static const char *tensor(struct asy__graph *g, const struct asy__model *model,
                          const struct asy__layer *layer, size_t i)
{
    const struct asy__tensor *of = &model->net->tensors[layer->tensors[i]];

    return asy__graph_floats(g, of->name, asy__export_tensor(model, layer, i), of->shape,
                             of->n_dims);
}

/* y = act(x w^T + b), w [out][in] */
static const char *dense(struct asy__graph *g, const struct asy__model *model,
                         const struct asy__layer *layer, const char *const *x)
{
    const char *w = tensor(g, model, layer, 0), *b = tensor(g, model, layer, 1), *y;

    if (rank_of(model, layer->in[0]) == 2) {
        y = ASY__NODE(g, "Gemm", x[0], w, b);
        asy__graph_attr_int(g, "transB", 1);
    } else {
        y = ASY__NODE(g, "Add", ASY__NODE(g, "MatMul", x[0], ASY__NODE(g, "Transpose", w)), b);
    }
    return activation(g, layer->desc.act, -1, y);
}

static const char *add(struct asy__graph *g, const struct asy__model *model,
                       const struct asy__layer *layer, const char *const *x)
{
    (void)model, (void)layer;
    return ASY__NODE(g, "Add", x[0], x[1]);
}

static const char *in_shape(struct asy__graph *g, const struct asy__model *model,
                            const struct asy__layer *layer, const char *const *x)
{
    return reshaped(g, model, x[0], layer->out);
}

static const char *act(struct asy__graph *g, const struct asy__model *model,
                       const struct asy__layer *layer, const char *const *x)
{
    (void)model;
    return activation(g, layer->desc.act, -1, x[0]);
}

static const char *dropout(struct asy__graph *g, const struct asy__model *model,
                           const struct asy__layer *layer, const char *const *x)
{
    (void)g, (void)model, (void)layer;
    return x[0]; /* training alone drops */
}

static const char *layer_norm(struct asy__graph *g, const struct asy__model *model,
                              const struct asy__layer *layer, const char *const *x)
{
    const char *scale = tensor(g, model, layer, 0), *shift = tensor(g, model, layer, 1);
    const char *y = ASY__NODE(g, "LayerNormalization", x[0], scale, shift);

    asy__graph_attr_int(g, "axis", -1);
    asy__graph_attr_float(g, "epsilon", ASY__NORM_EPSILON);
    return y;
}

static const char *transposed(struct asy__graph *g, const char *x, const int *order, size_t n)
{
    const char *y = ASY__NODE(g, "Transpose", x);
    int64_t *perm = asy__graph_attr_ints(g, "perm", n);

    for (size_t i = 0; perm && i < n; i++)
        perm[i] = order[i];
    return y;
}

/* ---- layers of images ------------------------------------------------------------------------ */

/* ONNX has the channels of an image before its pixels, we have them last; runtimes cancel what
 * turns one into the other between two layers. */
static const int channels_first[] = { 0, 3, 1, 2 }, channels_last[] = { 0, 2, 3, 1 };

static const char *as_image(struct asy__graph *g, const struct asy__model *model, const char *x,
                            struct asy__shape shape)
{
    const int64_t dims[] = { 0, (int64_t)shape.height, (int64_t)shape.width,
                             (int64_t)shape.channels };

    if (rank_of(model, shape) < 4)
        x = ASY__NODE(g, "Reshape", x, asy__graph_ints(g, NULL, dims, 4));
    return transposed(g, x, channels_first, 4);
}

static const char *from_image(struct asy__graph *g, const struct asy__model *model, const char *x,
                              struct asy__shape shape)
{
    x = transposed(g, x, channels_last, 4);
    return rank_of(model, shape) < 4 ? reshaped(g, model, x, shape) : x;
}

static void attr_pair(struct asy__graph *g, const char *name, size_t value, size_t n)
{
    int64_t *list = asy__graph_attr_ints(g, name, n);

    for (size_t i = 0; list && i < n; i++)
        list[i] = (int64_t)value;
}

/* x: with its channels first. */
static const char *windows(struct asy__graph *g, const char *op, const char *x, size_t size,
                           size_t stride, size_t pad)
{
    const char *y = ASY__NODE(g, op, x);

    attr_pair(g, "kernel_shape", size, 2);
    attr_pair(g, "strides", stride, 2);
    attr_pair(g, "pads", pad, 4);
    return y;
}

static const char *conv(struct asy__graph *g, const struct asy__model *model,
                        const struct asy__layer *layer, const char *const *x)
{
    const struct asy__layer_desc *d = &layer->desc;
    const char *w = transposed(g, tensor(g, model, layer, 0), channels_first, 4);
    const char *b = tensor(g, model, layer, 1), *y;

    y = ASY__NODE(g, "Conv", as_image(g, model, x[0], layer->in[0]), w, b);
    attr_pair(g, "kernel_shape", d->kernel, 2);
    attr_pair(g, "strides", d->stride ? d->stride : 1, 2);
    attr_pair(g, "pads", d->pad, 4);
    asy__graph_attr_int(g, "group", (int64_t)(d->groups ? d->groups : 1));
    y = activation(g, d->act, 1, y);
    if (d->pool)
        y = windows(g, "MaxPool", y, d->pool, d->pool, 0);
    return from_image(g, model, y, layer->out);
}

/* What lies outside of an image counts for nothing, as we have it. */
static const char *pool(struct asy__graph *g, const struct asy__model *model,
                        const struct asy__layer *layer, const char *const *x)
{
    const struct asy__layer_desc *d = &layer->desc;
    const char *op = d->kind == ASY__MAX_POOL ? "MaxPool" : "AveragePool";
    const char *y = windows(g, op, as_image(g, model, x[0], layer->in[0]), d->kernel,
                            d->stride ? d->stride : d->kernel, d->pad);

    return from_image(g, model, y, layer->out);
}

/* By the running statistics. Of an image between transpositions, as a convolution is, with which
 * runtimes make one of it. */
static const char *batch_norm(struct asy__graph *g, const struct asy__model *model,
                              const struct asy__layer *layer, const char *const *x)
{
    int flat = rank_of(model, layer->in[0]) == 2;
    const char *scale = tensor(g, model, layer, 0), *shift = tensor(g, model, layer, 1);
    const char *mean = tensor(g, model, layer, 2), *variance = tensor(g, model, layer, 3);
    const char *y = flat ? x[0] : as_image(g, model, x[0], layer->in[0]);

    y = ASY__NODE(g, "BatchNormalization", y, scale, shift, mean, variance);
    asy__graph_attr_float(g, "epsilon", ASY__NORM_EPSILON);
    return flat ? y : from_image(g, model, y, layer->out);
}

/* The mean or the greatest of each channel. */
static const char *global(struct asy__graph *g, const struct asy__model *model,
                          const struct asy__layer *layer, const char *const *x)
{
    size_t n = rank_of(model, layer->in[0]) - 2; /* dimensions of pixels */
    const char *y;
    int64_t *axes;

    if (n == 0)
        return x[0];
    y = layer->desc.kind == ASY__GLOBAL_MAX ? ASY__NODE(g, "ReduceMax", x[0])
                                            : ASY__NODE(g, "ReduceMean", x[0]);
    if ((axes = asy__graph_attr_ints(g, "axes", n)))
        for (size_t i = 0; i < n; i++)
            axes[i] = (int64_t)i + 1;
    asy__graph_attr_int(g, "keepdims", 0);
    return y;
}

/* ---- layers of sequences --------------------------------------------------------------------- */

static const char *place(struct asy__graph *g, const struct asy__model *model,
                         const struct asy__layer *layer, const char *const *x)
{
    const size_t dims[] = { layer->out.height, layer->out.width, layer->out.channels };
    const char *name = model->net->tensors[layer->tensors[0]].name;
    size_t rank = rank_of(model, layer->out);

    return ASY__NODE(g, "Add", x[0], asy__graph_floats(g, name, asy__export_tensor(model, layer, 0),
                                                       dims + (4 - rank), rank - 1));
}

/* How many tokens are given, as a list of one. */
static const char *length(struct asy__graph *g)
{
    const char *n = ASY__NODE(g, "Shape", ASY__ONNX_TOKENS);

    asy__graph_attr_int(g, "start", 1);
    asy__graph_attr_int(g, "end", 2);
    return n;
}

/* Rows of the table by the tokens' numbers, plus what is of their places. */
static const char *embed(struct asy__graph *g, const struct asy__model *model,
                         const struct asy__layer *layer, const char *const *x)
{
    static const int64_t flat[] = { 0, -1 }, zero = 0;
    const char *ids = x[0], *places = tensor(g, model, layer, 1), *y, *first;

    if (is_open(model)) {
        first = asy__graph_ints(g, NULL, &zero, 1);
        places = ASY__NODE(g, "Slice", places, first, length(g));
    } else { /* numbers of a table */
        ids = ASY__NODE(g, "Cast", ids);
        asy__graph_attr_int(g, "to", ASY__GRAPH_I64);
        ids = ASY__NODE(g, "Reshape", ids, asy__graph_ints(g, NULL, flat, 2));
    }
    y = ASY__NODE(g, "Gather", tensor(g, model, layer, 0), ids);
    asy__graph_attr_int(g, "axis", 0);
    y = ASY__NODE(g, "Add", y, places);
    return is_open(model) ? y : reshaped(g, model, y, layer->out);
}

/* By the table that an embedding has put there. */
static const char *unembed(struct asy__graph *g, const struct asy__model *model,
                           const struct asy__layer *layer, const char *const *x)
{
    const struct asy__layer *embedding = &model->net->layers[layer->desc.table - 1];
    char table[64];

    snprintf(table, sizeof table, "/%s", model->net->tensors[embedding->tensors[0]].name);
    return ASY__NODE(g, "Add", ASY__NODE(g, "MatMul", x[0], ASY__NODE(g, "Transpose", table)),
                     tensor(g, model, layer, 0));
}

/* What is added to scores [tokens][tokens], so that a token sees none after itself: large enough
 * for its exponential to be 0. Layers of as many tokens share it. */
static const char *masked(struct asy__graph *g, const struct asy__model *model,
                          const struct asy__layer *layer, const char *scores)
{
    const struct asy__net *net = model->net;
    size_t n = asy__shape_vectors(layer->out);
    const int64_t dims[] = { (int64_t)n, (int64_t)n };
    const char *shape, *all;
    char name[40];

    snprintf(name, sizeof name, "/causal.%zu", n);
    for (size_t l = 0; l < layer->number; l++)
        if (net->layers[l].desc.kind == ASY__ATTENTION && net->layers[l].desc.causal &&
            asy__shape_vectors(net->layers[l].out) == n)
            return ASY__NODE(g, "Add", scores, name);
    if (is_open(model)) {
        shape = length(g);
        shape = ASY__NODE(g, "Concat", shape, shape);
        asy__graph_attr_int(g, "axis", 0);
    } else {
        shape = asy__graph_ints(g, NULL, dims, 2);
    }
    all = ASY__NODE(g, "Expand", asy__graph_float(g, -1e30f), shape);
    asy__graph_node(g, "Trilu", name, (const char *const[]){ all, asy__graph_int(g, 1), NULL });
    return ASY__NODE(g, "Add", scores, name);
}

/* x [N][tokens][query, key, value][heads][width] */
static const char *attention(struct asy__graph *g, const struct asy__model *model,
                             const struct asy__layer *layer, const char *const *x)
{
    static const int by_head[] = { 2, 0, 3, 1, 4 }, by_token[] = { 0, 2, 1, 3 };
    static const int turned[] = { 0, 1, 3, 2 };
    size_t width = layer->out.channels / layer->desc.heads;
    int64_t tokens = is_open(model) ? 0 : (int64_t)asy__shape_vectors(layer->out); /* 0: as is */
    const int64_t apart[] = { 0, tokens, 3, (int64_t)layer->desc.heads, (int64_t)width };
    const int64_t joined[] = { 0, tokens, (int64_t)layer->out.channels };
    const char *all = ASY__NODE(g, "Reshape", x[0], asy__graph_ints(g, NULL, apart, 5));
    const char *part[3], *scores, *y; /* each part [N][heads][tokens][width] */

    all = transposed(g, all, by_head, 5);
    for (int i = 0; i < 3; i++) {
        part[i] = ASY__NODE(g, "Gather", all, asy__graph_int(g, i));
        asy__graph_attr_int(g, "axis", 0);
    }
    scores = ASY__NODE(g, "MatMul", part[0], transposed(g, part[1], turned, 4));
    scores = ASY__NODE(g, "Mul", scores, asy__graph_float(g, (float)(1 / sqrt((double)width))));
    if (layer->desc.causal)
        scores = masked(g, model, layer, scores);
    scores = ASY__NODE(g, "Softmax", scores);
    asy__graph_attr_int(g, "axis", -1);
    y = transposed(g, ASY__NODE(g, "MatMul", scores, part[2]), by_token, 4);
    if (!is_open(model))
        return reshaped(g, model, y, layer->out);
    return ASY__NODE(g, "Reshape", y, asy__graph_ints(g, NULL, joined, 3));
}

/* ---- all ------------------------------------------------------------------------------------- */

/* Its output, of inputs x; NULL: no way to say it is known. */
typedef const char *(*emit_f)(struct asy__graph *g, const struct asy__model *model,
                              const struct asy__layer *layer, const char *const *x);
static const emit_f emitters[ASY__LAYER_KINDS] = {
    [ASY__DENSE] = dense,
    [ASY__ADD] = add,
    [ASY__FLATTEN] = in_shape,
    [ASY__ACT] = act,
    [ASY__DROPOUT] = dropout,
    [ASY__LAYER_NORM] = layer_norm,
    [ASY__TOKENS] = in_shape,
    [ASY__IMAGE] = in_shape,
    [ASY__PLACE] = place,
    [ASY__EMBED] = embed,
    [ASY__UNEMBED] = unembed,
    [ASY__ATTENTION] = attention,
    [ASY__CONV] = conv,
    [ASY__MAX_POOL] = pool,
    [ASY__MEAN_POOL] = pool,
    [ASY__GLOBAL_MEAN] = global,
    [ASY__GLOBAL_MAX] = global,
    [ASY__BATCH_NORM] = batch_norm,
};

int asy__onnx_net(struct asy__graph *graph, const struct asy__model *model, const char *features,
                  const char **ret_outs, struct asy_error *err)
{
    const struct asy__net *net = model->net;
    const char **out = asy__graph_room(graph, net->n_layers, sizeof *out), *x[ASY__LAYER_INS];

    if (!out)
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu layers", net->n_layers);
    if (!is_open(model) && rank_of(model, net->features) > 2)
        features = reshaped(graph, model, features, net->features);
    for (size_t l = 0; l < net->n_layers; l++) {
        const struct asy__layer *layer = &net->layers[l];

        if (!emitters[layer->desc.kind])
            return asy_fail(err, ASY_E_UNSUPPORTED, "a layer of the kind '%s' is not exported yet",
                            layer->type->name);
        for (size_t i = 0; i < layer->type->ins; i++)
            x[i] = layer->from[i] == ASY__FEATURES ? features : out[layer->from[i]];
        out[l] = emitters[layer->desc.kind](graph, model, layer, x);
    }
    *ret_outs = out[net->n_layers - 1];
    return 0;
}
