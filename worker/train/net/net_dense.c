/* SPDX-License-Identifier: Apache-2.0
 * net_dense.c - fully connected layers; on tokens or pixels, the same one for each. */
#include "net_impl.h"

enum { WEIGHT, BIAS };

static int shape(struct asy__plan *plan, struct asy__layer *layer, struct asy_error *err)
{
    size_t in = layer->in[0].channels, out = layer->desc.width;
    struct asy__tensor weight = { .name = "weight", .n_dims = 2, .shape = { out, in },
                                  .init = ASY__NORMAL },
                       bias = { "bias", 1, { out },
                                .is_buffer = asy__plan_is_normed(plan, layer) };
    int rc;

    if (out == 0)
        return asy__plan_refuse(layer, err, "a width of 0 is not possible");
    layer->out = layer->in[0];
    layer->out.channels = out;
    weight.spread = layer->desc.spread > 0 ? layer->desc.spread
                                           : asy__init_spread(layer->desc.act, in, out);
    rc = asy__plan_tensor(plan, layer, &weight, err);
    return rc < 0 ? rc : asy__plan_tensor(plan, layer, &bias, err);
}

static void forward(struct asy__plan *plan, struct asy__layer *layer)
{
    size_t vectors = asy__shape_vectors(layer->out), in = layer->in[0].channels;
    size_t out = layer->out.channels;
    int keeps = asy__plan_trains(plan) && asy_act_needs_sum(layer->desc.act);
    struct asy_operand y = asy__plan_value(plan, vectors * out, 0);
    struct asy_operand z = keeps ? asy__plan_value(plan, vectors * out, 0) : y;

    asy__plan_emit(plan, &(struct asy_op){
        .kind = ASY_OP_DENSE, .act = asy__plan_act(layer), .per_row = vectors, .n = { in, out },
        .in = { asy__plan_x(plan, layer, 0), asy__plan_tensor_at(plan, layer, WEIGHT),
                asy__plan_tensor_at(plan, layer, BIAS) },
        .out = { y, z } });
    asy__plan_act_rest(plan, layer, vectors, y);
    layer->y = y;
    layer->saved[0] = z;
}

static struct asy_operand dz_of(struct asy__plan *plan, struct asy__layer *layer, size_t vectors)
{
    struct asy_operand dz = layer->desc.act == ASY_ACT_NONE ? layer->dy
                                                             : asy__plan_dy_room(plan, layer);

    if (asy__plan_is_normed(plan, layer))
        return layer->dy;
    return asy__plan_act_grad(plan, layer, vectors,
                              &(struct asy__act_grad){ layer->dy, dz, layer->saved[0],
                                                       asy__plan_grad_at(plan, layer, BIAS) });
}

static void backward(struct asy__plan *plan, struct asy__layer *layer)
{
    size_t vectors = asy__shape_vectors(layer->out), in = layer->in[0].channels;
    size_t out = layer->out.channels;
    struct asy_operand dz = dz_of(plan, layer, vectors), dx = { ASY_SPACE_NONE, 0 };
    int wants = asy__plan_wants(plan, layer, 0);

    if (wants) { /* first, as the weights may change with dw */
        dx = asy__plan_value(plan, vectors * in, 0);
        asy__plan_emit(plan, &(struct asy_op){
            .kind = ASY_OP_DENSE_DX, .per_row = vectors, .n = { in, out },
            .in = { dz, asy__plan_tensor_at(plan, layer, WEIGHT) }, .out = { dx } });
    }
    asy__plan_emit(plan, &(struct asy_op){
        .kind = ASY_OP_DENSE_DW, .per_row = vectors, .n = { in, out },
        .in = { dz, asy__plan_x(plan, layer, 0) },
        .out = { asy__plan_grad_at(plan, layer, WEIGHT) } });
    if (wants)
        asy__plan_give(plan, layer, 0, dx);
}

const struct asy__layer_type asy__layer_dense = {
    .name = "dense", .ins = 1, .has_act = 1,
    .shape = shape, .forward = forward, .backward = backward,
};
