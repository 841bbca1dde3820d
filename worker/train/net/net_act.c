/* SPDX-License-Identifier: Apache-2.0
 * net_act.c - activations, by themselves and of layers that have one, and dropout. */
#include "net_impl.h"

static int same_shape(struct asy__plan *plan, struct asy__layer *layer, struct asy_error *err)
{
    (void)plan, (void)err;
    layer->out = layer->in[0];
    return 0;
}

/* The activation of so many vectors as an operation of its own, or its gradient. */
static void emit_act(struct asy__plan *plan, const struct asy__layer *layer, size_t vectors,
                     struct asy_operand x, struct asy_operand y)
{
    size_t n = layer->out.channels;

    if (layer->desc.act == ASY_ACT_SOFTMAX)
        asy__plan_emit(plan, &(struct asy_op){ .kind = ASY_OP_SOFTMAX, .per_row = vectors,
                                               .n = { n }, .in = { x }, .out = { y } });
    else
        asy__plan_emit(plan, &(struct asy_op){ .kind = ASY_OP_ACT, .act = layer->desc.act,
                                               .per_row = 1, .n = { vectors * n }, .in = { x },
                                               .out = { y } });
}

static void emit_act_grad(struct asy__plan *plan, const struct asy__layer *layer, size_t vectors,
                          struct asy_operand dy, struct asy_operand from, struct asy_operand dx)
{
    size_t n = layer->out.channels;

    if (layer->desc.act == ASY_ACT_SOFTMAX)
        asy__plan_emit(plan, &(struct asy_op){ .kind = ASY_OP_SOFTMAX_GRAD, .per_row = vectors,
                                               .n = { n }, .in = { dy, from }, .out = { dx } });
    else
        asy__plan_emit(plan, &(struct asy_op){ .kind = ASY_OP_ACT_GRAD, .act = layer->desc.act,
                                               .per_row = 1, .n = { vectors * n },
                                               .in = { dy, from }, .out = { dx } });
}

/* ---- of a layer that has one ----------------------------------------------------------------- */

enum asy_act asy__plan_act(const struct asy__layer *layer)
{
    return layer->desc.act < ASY_ACT_EACH ? layer->desc.act : ASY_ACT_NONE;
}

void asy__plan_act_rest(struct asy__plan *plan, const struct asy__layer *layer, size_t vectors,
                        struct asy_operand y)
{
    if (layer->desc.act != asy__plan_act(layer))
        emit_act(plan, layer, vectors, y, y);
}

struct asy_operand asy__plan_act_grad(struct asy__plan *plan, const struct asy__layer *layer,
                                      size_t vectors, const struct asy__act_grad *of)
{
    size_t n = layer->out.channels;
    struct asy_operand sums = layer->desc.act == ASY_ACT_NONE ? of->dy : of->dz;

    if (layer->desc.act != ASY_ACT_NONE && layer->desc.act == asy__plan_act(layer)) {
        asy__plan_emit(plan, &(struct asy_op){
            .kind = ASY_OP_BIAS_ACT_GRAD, .act = layer->desc.act, .per_row = vectors, .n = { n },
            .in = { of->dy, of->from }, .out = { sums, of->dbias } });
        return sums;
    }
    if (layer->desc.act != ASY_ACT_NONE)
        emit_act_grad(plan, layer, vectors, of->dy, of->from, sums);
    asy__plan_emit(plan, &(struct asy_op){
        .kind = ASY_OP_COLUMN_SUMS, .per_row = vectors, .n = { n }, .in = { sums },
        .out = { of->dbias } });
    return sums;
}

/* ---- by itself: none is left where it has joined the layer before ---------------------------- */

static void act_forward(struct asy__plan *plan, struct asy__layer *layer)
{
    struct asy_operand x = asy__plan_x(plan, layer, 0);

    if (layer->desc.act == ASY_ACT_NONE) {
        asy__plan_same(plan, layer);
        return;
    }
    layer->y = asy__plan_value(plan, asy__shape_size(layer->out), 0);
    emit_act(plan, layer, asy__shape_vectors(layer->out), x, layer->y);
    layer->saved[0] = asy_act_needs_sum(layer->desc.act) ? x : layer->y;
}

static void act_backward(struct asy__plan *plan, struct asy__layer *layer)
{
    struct asy_operand dx;

    if (layer->desc.act == ASY_ACT_NONE) {
        asy__plan_pass_on(plan, layer);
        return;
    }
    dx = asy__plan_dy_room(plan, layer);
    emit_act_grad(plan, layer, asy__shape_vectors(layer->out), layer->dy, layer->saved[0], dx);
    asy__plan_give(plan, layer, 0, dx);
}

/* ---- dropout --------------------------------------------------------------------------------- */

static int dropout_shape(struct asy__plan *plan, struct asy__layer *layer, struct asy_error *err)
{
    if (!(layer->desc.rate >= 0 && layer->desc.rate <= 0.99))
        return asy__plan_refuse(layer, err, "a rate of %g lies outside 0 to 0.99",
                                layer->desc.rate);
    return same_shape(plan, layer, err);
}

/* The same numbers forward and backward: what is dropped is worked out anew. */
static void drop(struct asy__plan *plan, const struct asy__layer *layer, struct asy_operand x,
                 struct asy_operand y)
{
    asy__plan_emit(plan, &(struct asy_op){ .kind = ASY_OP_DROPOUT,
                                           .value = (float)layer->desc.rate, .per_row = 1,
                                           .n = { asy__shape_size(layer->out), layer->number },
                                           .in = { x }, .out = { y } });
}

static void dropout_forward(struct asy__plan *plan, struct asy__layer *layer)
{
    if (!asy__plan_trains(plan) || layer->desc.rate == 0) {
        asy__plan_same(plan, layer);
        return;
    }
    layer->y = asy__plan_value(plan, asy__shape_size(layer->out), 0);
    drop(plan, layer, asy__plan_x(plan, layer, 0), layer->y);
}

static void dropout_backward(struct asy__plan *plan, struct asy__layer *layer)
{
    struct asy_operand dx = layer->dy;

    if (layer->desc.rate != 0) {
        dx = asy__plan_dy_room(plan, layer);
        drop(plan, layer, layer->dy, dx);
    }
    asy__plan_give(plan, layer, 0, dx);
}

const struct asy__layer_type asy__layer_act = {
    .name = "act", .ins = 1,
    .shape = same_shape, .forward = act_forward, .backward = act_backward,
};
const struct asy__layer_type asy__layer_dropout = {
    .name = "dropout", .ins = 1,
    .shape = dropout_shape, .forward = dropout_forward, .backward = dropout_backward,
};
