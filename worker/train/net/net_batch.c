/* SPDX-License-Identifier: Apache-2.0
 * net_batch.c - batch normalisation (asy/batch_norm.h): of each channel over the whole batch, on
 * all ranks, in training; by the running statistics, which are buffers, afterwards. */
#include "net_impl.h"
#include <asy/batch_norm.h>

enum { SCALE, SHIFT, MEAN, VARIANCE };

static int shape(struct asy__plan *plan, struct asy__layer *layer, struct asy_error *err)
{
    size_t n = layer->in[0].channels;
    const struct asy__tensor tensors[] = {
        { .name = "weight", .n_dims = 1, .shape = { n }, .init = ASY__ONES },
        { .name = "bias", .n_dims = 1, .shape = { n } },
        { .name = "running_mean", .n_dims = 1, .shape = { n }, .is_buffer = 1 },
        { .name = "running_var", .n_dims = 1, .shape = { n }, .is_buffer = 1, .init = ASY__ONES },
    };
    int rc = 0;

    layer->out = layer->in[0];
    for (size_t i = 0; i < ASY_ARRAY_LEN(tensors) && rc == 0; i++)
        rc = asy__plan_tensor(plan, layer, &tensors[i], err);
    return rc;
}

/* Two sums of doubles, in floats. */
static struct asy_operand room(struct asy__plan *plan, size_t n)
{
    return asy__plan_value(plan, 0, 2 * asy_batch_sums_len(n) * sizeof(double) / sizeof(float));
}

static void forward(struct asy__plan *plan, struct asy__layer *layer)
{
    size_t vectors = asy__shape_vectors(layer->out), n = layer->out.channels;
    struct asy_operand mean = asy__plan_tensor_at(plan, layer, MEAN);
    struct asy_operand variance = asy__plan_tensor_at(plan, layer, VARIANCE);
    struct asy_op op = { .kind = ASY_OP_BATCH_NORM_EVAL, .value = ASY__NORM_EPSILON,
                         .per_row = vectors, .n = { n },
                         .in = { asy__plan_x(plan, layer, 0),
                                 asy__plan_tensor_at(plan, layer, SCALE),
                                 asy__plan_tensor_at(plan, layer, SHIFT), mean, variance } };

    layer->y = asy__plan_value(plan, vectors * n, 0);
    layer->saved[0] = asy__plan_value(plan, 0, asy_batch_stats_len(n));
    op.out[0] = layer->y;
    op.out[1] = layer->saved[0];
    if (asy__plan_trains(plan)) {
        op.kind = ASY_OP_BATCH_NORM;
        op.in[3] = op.in[4] = (struct asy_operand){ ASY_SPACE_NONE, 0 };
        op.out[2] = mean;
        op.out[3] = variance;
        op.out[4] = room(plan, n);
        asy__plan_joins(plan);
    }
    asy__plan_emit(plan, &op);
}

static void backward(struct asy__plan *plan, struct asy__layer *layer)
{
    size_t vectors = asy__shape_vectors(layer->out), n = layer->out.channels;
    struct asy_operand dx = asy__plan_dy_room(plan, layer);

    asy__plan_emit(plan, &(struct asy_op){
        .kind = ASY_OP_BATCH_NORM_GRAD, .per_row = vectors, .n = { n },
        .in = { layer->dy, asy__plan_x(plan, layer, 0), asy__plan_tensor_at(plan, layer, SCALE),
                layer->saved[0] },
        .out = { dx, asy__plan_grad_at(plan, layer, SCALE), asy__plan_grad_at(plan, layer, SHIFT),
                 room(plan, n) } });
    if (asy__plan_wants(plan, layer, 0))
        asy__plan_give(plan, layer, 0, dx);
}

const struct asy__layer_type asy__layer_batch_norm = {
    .name = "batch_norm", .ins = 1,
    .shape = shape, .forward = forward, .backward = backward,
};
