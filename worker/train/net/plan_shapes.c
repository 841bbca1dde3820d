/* SPDX-License-Identifier: Apache-2.0
 * plan_shapes.c - which layer takes whose output, and what shapes and tensors come of that. */
#include "plan.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

static const struct asy__layer_type *const types[ASY__LAYER_KINDS] = {
    [ASY__DENSE] = &asy__layer_dense,
    [ASY__ADD] = &asy__layer_add,
    [ASY__FLATTEN] = &asy__layer_flatten,
    [ASY__ACT] = &asy__layer_act,
    [ASY__DROPOUT] = &asy__layer_dropout,
    [ASY__LAYER_NORM] = &asy__layer_layer_norm,
    [ASY__TOKENS] = &asy__layer_tokens,
    [ASY__PLACE] = &asy__layer_place,
    [ASY__EMBED] = &asy__layer_embed,
    [ASY__UNEMBED] = &asy__layer_unembed,
    [ASY__ATTENTION] = &asy__layer_attention,
    [ASY__IMAGE] = &asy__layer_image,
    [ASY__CONV] = &asy__layer_conv,
    [ASY__MAX_POOL] = &asy__layer_max_pool,
    [ASY__MEAN_POOL] = &asy__layer_mean_pool,
    [ASY__BATCH_NORM] = &asy__layer_batch_norm,
    [ASY__GLOBAL_MEAN] = &asy__layer_global_mean,
    [ASY__GLOBAL_MAX] = &asy__layer_global_max,
};

size_t asy__shape_size(struct asy__shape shape)
{
    return shape.height * shape.width * shape.channels;
}

size_t asy__shape_vectors(struct asy__shape shape)
{
    return shape.height * shape.width;
}

double asy__init_spread(enum asy_act act, size_t in, size_t out)
{
    int glorot = act == ASY_ACT_NONE || act == ASY_ACT_TANH || act == ASY_ACT_SIGMOID ||
                 act == ASY_ACT_SOFTMAX;

    return sqrt(glorot ? 2.0 / ((double)in + (double)out) : 2.0 / (double)in);
}

int asy__plan_refuse(const struct asy__layer *layer, struct asy_error *err, const char *format, ...)
{
    char text[200];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return asy_fail(err, ASY_E_INVAL, "layer %zu (%s): %s", layer->number, layer->type->name, text);
}

int asy__plan_tensor(struct asy__plan *plan, struct asy__layer *layer,
                     const struct asy__tensor *tensor, struct asy_error *err)
{
    struct asy__net *net = plan->net;
    size_t *end = tensor->is_buffer ? &net->n_buffers : &net->n_params, n = 1;
    int too_big = 0;
    struct asy__tensor *all, *new;

    ASY_ASSERT(layer->n_tensors < ASY__LAYER_TENSORS, "layer %zu has too many tensors",
               layer->number);
    for (size_t d = 0; d < tensor->n_dims; d++)
        too_big |= __builtin_mul_overflow(n, tensor->shape[d], &n);
    if (too_big || n > ASY__PARAMS_MAX - *end)
        return asy_fail(err, ASY_E_TOOBIG, "layer %zu (%s): the network has more than %zu "
                        "parameters", layer->number, layer->type->name, ASY__PARAMS_MAX);
    if (!(all = asy__plan_grow(net->tensors, net->n_tensors, &net->tensors_cap, sizeof *all)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for the plan of a network");
    net->tensors = all;
    new = &all[net->n_tensors];
    *new = *tensor;
    snprintf(new->name, sizeof new->name, "layers.%zu.%.24s", layer->number, tensor->name);
    new->n = n;
    new->at = *end;
    new->draws = layer->number | (uint64_t)layer->n_tensors << 32;
    *end += asy__round16(n);
    layer->tensors[layer->n_tensors++] = net->n_tensors++;
    return 0;
}

const struct asy__layer *asy__plan_layer(const struct asy__plan *plan,
                                         const struct asy__layer *layer, size_t number)
{
    return number < layer->number ? &plan->net->layers[number] : NULL;
}

int asy__plan_is_normed(const struct asy__plan *plan, const struct asy__layer *layer)
{
    const struct asy__net *net = plan->net;

    if (layer->uses != 1 || layer->desc.act != ASY_ACT_NONE || layer->desc.pool)
        return 0;
    for (size_t l = layer->number + 1; l < net->n_layers; l++)
        if (net->layers[l].desc.kind == ASY__BATCH_NORM && net->layers[l].from[0] == layer->number)
            return 1;
    return 0;
}

int asy__net_check_rows(const struct asy__net *net, size_t rows, struct asy_error *err)
{
    for (size_t l = 0; l < net->n_layers && rows < 2; l++)
        if (net->layers[l].desc.kind == ASY__BATCH_NORM &&
            asy__shape_vectors(net->layers[l].out) == 1)
            return asy_fail(err, ASY_E_INVAL, "a batch of one row has no statistics for norm: "
                            "batch; a batch_size of some dozens has, and norm: layer needs none");
    return 0;
}

/* Where its inputs come from. */
static int resolve(struct asy__net *net, struct asy__layer *layer, struct asy_error *err)
{
    for (size_t i = 0; i < layer->type->ins; i++) {
        size_t from = layer->desc.from[i];

        from = from == 0 ? layer->number - 1 : from == ASY__FEATURES ? from : from - 1;
        if (from != ASY__FEATURES && from >= layer->number)
            return asy__plan_refuse(layer, err, "it takes the output of layer %zu, which is not "
                                    "before it", from);
        layer->from[i] = from;
        if (from != ASY__FEATURES)
            net->layers[from].uses++;
    }
    return 0;
}

static int link(struct asy__net *net, const struct asy__layer_desc *descs, struct asy_error *err)
{
    for (size_t l = 0; l < net->n_layers; l++) {
        struct asy__layer *layer = &net->layers[l];
        int rc;

        layer->desc = descs[l];
        layer->type = types[descs[l].kind];
        layer->number = l;
        if ((rc = resolve(net, layer, err)) < 0)
            return rc;
    }
    for (size_t l = 0; l + 1 < net->n_layers; l++)
        if (net->layers[l].uses == 0)
            return asy__plan_refuse(&net->layers[l], err, "nothing takes its output");
    return 0;
}

/* Activations join the layer before them. */
static void join(struct asy__net *net)
{
    for (size_t l = 0; l < net->n_layers; l++) {
        struct asy__layer *layer = &net->layers[l], *before;

        if (layer->desc.kind != ASY__ACT || layer->from[0] == ASY__FEATURES)
            continue;
        before = &net->layers[layer->from[0]];
        if (!before->type->has_act || before->desc.act != ASY_ACT_NONE || before->uses != 1)
            continue;
        before->desc.act = layer->desc.act;
        layer->desc.act = ASY_ACT_NONE;
    }
}

/* No shape is so large that rows times it could overflow. */
static int check_size(const struct asy__layer *layer, struct asy_error *err)
{
    size_t n;

    if (__builtin_mul_overflow(layer->out.height, layer->out.width, &n) ||
        __builtin_mul_overflow(n, layer->out.channels, &n) || n > ASY__PARAMS_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "layer %zu (%s): a row has more than %zu outputs",
                        layer->number, layer->type->name, ASY__PARAMS_MAX);
    return n ? 0 : asy__plan_refuse(layer, err, "nothing is left of a row");
}

static void take_inputs(const struct asy__net *net, struct asy__layer *layer)
{
    for (size_t i = 0; i < layer->type->ins; i++) {
        size_t from = layer->from[i];

        layer->in[i] = from == ASY__FEATURES ? net->features : net->layers[from].out;
        layer->learns |= from != ASY__FEATURES && net->layers[from].learns;
    }
}

static int plan_outputs(struct asy__net *net, struct asy_error *err)
{
    net->outputs = net->layers[net->n_layers - 1].out;
    if (!net->is_binary)
        return 0;
    if (asy__shape_size(net->outputs) != 1)
        return asy_fail(err, ASY_E_INVAL, "a binary loss is of one output, not of %zu",
                        asy__shape_size(net->outputs));
    net->outputs.channels = 2;
    return 0;
}

int asy__plan_shapes(struct asy__plan *plan, const struct asy__layer_desc *descs,
                       struct asy_error *err)
{
    struct asy__net *net = plan->net;
    int rc;

    if ((rc = link(net, descs, err)) < 0)
        return rc;
    join(net);
    for (size_t l = 0; l < net->n_layers; l++) {
        struct asy__layer *layer = &net->layers[l];

        take_inputs(net, layer);
        if ((rc = layer->type->shape(plan, layer, err)) < 0 || (rc = check_size(layer, err)) < 0)
            return rc;
        layer->learns |= layer->n_tensors > 0;
    }
    if (!net->layers[net->n_layers - 1].learns)
        return asy_fail(err, ASY_E_INVAL, "the network has nothing to learn");
    return plan_outputs(net, err);
}
