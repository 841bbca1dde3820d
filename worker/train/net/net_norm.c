/* SPDX-License-Identifier: Apache-2.0
 * net_norm.c - layer normalisation (asy/norm.h) of each vector of channels. */
#include "net_impl.h"

enum { SCALE, SHIFT };

static int shape(struct asy__plan *plan, struct asy__layer *layer, struct asy_error *err)
{
    size_t n = layer->in[0].channels;
    struct asy__tensor scale = { .name = "weight", .n_dims = 1, .shape = { n },
                                 .init = ASY__ONES };
    struct asy__tensor shift = { .name = "bias", .n_dims = 1, .shape = { n } };
    int rc = asy__plan_tensor(plan, layer, &scale, err);

    layer->out = layer->in[0];
    return rc < 0 ? rc : asy__plan_tensor(plan, layer, &shift, err);
}

static void forward(struct asy__plan *plan, struct asy__layer *layer)
{
    size_t vectors = asy__shape_vectors(layer->out), n = layer->out.channels;

    layer->y = asy__plan_value(plan, vectors * n, 0);
    layer->saved[0] = asy__plan_value(plan, 2 * vectors, 0);
    asy__plan_emit(plan, &(struct asy_op){
        .kind = ASY_OP_LAYER_NORM, .value = ASY__NORM_EPSILON, .per_row = vectors, .n = { n },
        .in = { asy__plan_x(plan, layer, 0), asy__plan_tensor_at(plan, layer, SCALE),
                asy__plan_tensor_at(plan, layer, SHIFT) },
        .out = { layer->y, layer->saved[0] } });
}

static void backward(struct asy__plan *plan, struct asy__layer *layer)
{
    size_t vectors = asy__shape_vectors(layer->out), n = layer->out.channels;
    struct asy_operand dx = asy__plan_dy_room(plan, layer);

    asy__plan_emit(plan, &(struct asy_op){
        .kind = ASY_OP_LAYER_NORM_GRAD, .per_row = vectors, .n = { n },
        .in = { layer->dy, asy__plan_x(plan, layer, 0), asy__plan_tensor_at(plan, layer, SCALE),
                layer->saved[0] },
        .out = { dx, asy__plan_grad_at(plan, layer, SCALE),
                 asy__plan_grad_at(plan, layer, SHIFT) } });
    if (asy__plan_wants(plan, layer, 0))
        asy__plan_give(plan, layer, 0, dx);
}

const struct asy__layer_type asy__layer_layer_norm = {
    .name = "layer norm", .ins = 1, .shape = shape, .forward = forward, .backward = backward,
};
