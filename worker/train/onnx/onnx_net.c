/* SPDX-License-Identifier: Apache-2.0
 * onnx_net.c - the layers of a network as nodes. */
#include "export_impl.h"
#include "net_impl.h"

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

static const char *activation(struct asy__graph *g, enum asy_act act, const char *x)
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
    }
    ASY_ASSERT(0, "activation %d", (int)act);
    return x;
}

/* ---- layers ---------------------------------------------------------------------------------- */

/* A vector is [N][channels], all else [N][height][width][channels]. */
static int is_vector(struct asy__shape shape)
{
    return shape.height == 1 && shape.width == 1;
}

/* x in another shape; N stays. */
static const char *reshaped(struct asy__graph *g, const char *x, struct asy__shape to)
{
    const int64_t dims[] = { 0, (int64_t)to.height, (int64_t)to.width, (int64_t)to.channels };
    const int64_t flat[] = { 0, (int64_t)to.channels };

    return is_vector(to) ? ASY__NODE(g, "Reshape", x, asy__graph_ints(g, NULL, flat, 2))
                         : ASY__NODE(g, "Reshape", x, asy__graph_ints(g, NULL, dims, 4));
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

    if (is_vector(layer->in[0])) {
        y = ASY__NODE(g, "Gemm", x[0], w, b);
        asy__graph_attr_int(g, "transB", 1);
    } else {
        y = ASY__NODE(g, "Add", ASY__NODE(g, "MatMul", x[0], ASY__NODE(g, "Transpose", w)), b);
    }
    return activation(g, layer->desc.act, y);
}

static const char *add(struct asy__graph *g, const struct asy__model *model,
                       const struct asy__layer *layer, const char *const *x)
{
    (void)model, (void)layer;
    return ASY__NODE(g, "Add", x[0], x[1]);
}

static const char *flatten(struct asy__graph *g, const struct asy__model *model,
                           const struct asy__layer *layer, const char *const *x)
{
    (void)model;
    return is_vector(layer->in[0]) ? x[0] : reshaped(g, x[0], layer->out);
}

static const char *act(struct asy__graph *g, const struct asy__model *model,
                       const struct asy__layer *layer, const char *const *x)
{
    (void)model;
    return activation(g, layer->desc.act, x[0]);
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

/* Its output, of inputs x; NULL: no way to say it is known. */
typedef const char *(*emit_f)(struct asy__graph *g, const struct asy__model *model,
                              const struct asy__layer *layer, const char *const *x);
static const emit_f emitters[ASY__LAYER_KINDS] = {
    [ASY__DENSE] = dense,
    [ASY__ADD] = add,
    [ASY__FLATTEN] = flatten,
    [ASY__ACT] = act,
    [ASY__DROPOUT] = dropout,
    [ASY__LAYER_NORM] = layer_norm,
};

int asy__onnx_net(struct asy__graph *graph, const struct asy__model *model, const char *features,
                  const char **ret_outs, struct asy_error *err)
{
    const struct asy__net *net = model->net;
    const char **out = asy__graph_room(graph, net->n_layers, sizeof *out), *x[ASY__LAYER_INS];

    if (!out)
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu layers", net->n_layers);
    if (!is_vector(net->features))
        features = reshaped(graph, features, net->features);
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
