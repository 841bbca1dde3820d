/* SPDX-License-Identifier: Apache-2.0
 * net_pool.c - pooling of images (asy/pool.h). */
#include "net_impl.h"
#include <asy/pool.h>

static struct asy_pool pool_of(const struct asy__layer *layer)
{
    const struct asy__layer_desc *d = &layer->desc;

    return (struct asy_pool){ layer->in[0].height, layer->in[0].width, layer->in[0].channels,
                              d->kernel, d->stride ? d->stride : d->kernel, d->pad };
}

static int shape(struct asy__plan *plan, struct asy__layer *layer, struct asy_error *err)
{
    struct asy_pool p = pool_of(layer);

    (void)plan;
    if (p.size == 0 || p.size > ASY_POOL_MAX || p.stride > ASY_POOL_MAX || p.pad > p.size / 2)
        return asy__plan_refuse(layer, err, "windows of %zu, %zu apart, with a border of %zu are "
                                "not possible", p.size, p.stride, p.pad);
    if (p.h + 2 * p.pad < p.size || p.w + 2 * p.pad < p.size)
        return asy__plan_refuse(layer, err, "a window of %zu is larger than an image of %zu x %zu",
                                p.size, p.h, p.w);
    layer->out = (struct asy__shape){ asy_pool_h(&p), asy_pool_w(&p), p.channels };
    return 0;
}

static struct asy_op op_of(const struct asy__layer *layer, enum asy_op_kind kind)
{
    struct asy_pool p = pool_of(layer);

    return (struct asy_op){ .kind = kind, .per_row = 1,
                            .n = { p.h, p.w, p.channels, p.size, p.stride, p.pad } };
}

static void max_forward(struct asy__plan *plan, struct asy__layer *layer)
{
    struct asy_op op = op_of(layer, ASY_OP_MAX_POOL);
    size_t n = asy__shape_size(layer->out);

    layer->y = asy__plan_value(plan, n, 0);
    layer->saved[0] = asy__plan_value(plan, (n + sizeof(float) - 1) / sizeof(float), 0);
    op.in[0] = asy__plan_x(plan, layer, 0);
    op.out[0] = layer->y;
    op.out[1] = layer->saved[0];
    asy__plan_emit(plan, &op);
}

static void mean_forward(struct asy__plan *plan, struct asy__layer *layer)
{
    struct asy_op op = op_of(layer, ASY_OP_MEAN_POOL);

    layer->y = asy__plan_value(plan, asy__shape_size(layer->out), 0);
    op.in[0] = asy__plan_x(plan, layer, 0);
    op.out[0] = layer->y;
    asy__plan_emit(plan, &op);
}

static void give(struct asy__plan *plan, struct asy__layer *layer, struct asy_op *op)
{
    if (!asy__plan_wants(plan, layer, 0))
        return;
    op->in[0] = layer->dy;
    op->out[0] = asy__plan_value(plan, asy__shape_size(layer->in[0]), 0);
    asy__plan_emit(plan, op);
    asy__plan_give(plan, layer, 0, op->out[0]);
}

static void max_backward(struct asy__plan *plan, struct asy__layer *layer)
{
    struct asy_op op = op_of(layer, ASY_OP_MAX_POOL_GRAD);

    op.in[1] = layer->saved[0];
    give(plan, layer, &op);
}

static void mean_backward(struct asy__plan *plan, struct asy__layer *layer)
{
    struct asy_op op = op_of(layer, ASY_OP_MEAN_POOL_GRAD);

    give(plan, layer, &op);
}

static int global_shape(struct asy__plan *plan, struct asy__layer *layer, struct asy_error *err)
{
    (void)plan, (void)err;
    layer->out = (struct asy__shape){ 1, 1, layer->in[0].channels };
    return 0;
}

static struct asy_op global_op(const struct asy__layer *layer, enum asy_op_kind kind)
{
    return (struct asy_op){ .kind = kind, .per_row = 1,
                            .n = { asy__shape_vectors(layer->in[0]), layer->in[0].channels } };
}

static void global_forward(struct asy__plan *plan, struct asy__layer *layer)
{
    struct asy_op op = global_op(layer, layer->desc.kind == ASY__GLOBAL_MAX ? ASY_OP_GLOBAL_MAX
                                                                            : ASY_OP_GLOBAL_MEAN);

    layer->y = asy__plan_value(plan, asy__shape_size(layer->out), 0);
    op.in[0] = asy__plan_x(plan, layer, 0);
    op.out[0] = layer->y;
    asy__plan_emit(plan, &op);
}

static void global_mean_backward(struct asy__plan *plan, struct asy__layer *layer)
{
    struct asy_op op = global_op(layer, ASY_OP_GLOBAL_MEAN_GRAD);

    give(plan, layer, &op);
}

static void global_max_backward(struct asy__plan *plan, struct asy__layer *layer)
{
    struct asy_op op = global_op(layer, ASY_OP_GLOBAL_MAX_GRAD);

    op.in[1] = asy__plan_x(plan, layer, 0);
    op.in[2] = layer->y;
    give(plan, layer, &op);
}

const struct asy__layer_type asy__layer_max_pool = {
    .name = "max_pool", .ins = 1,
    .shape = shape, .forward = max_forward, .backward = max_backward,
};
const struct asy__layer_type asy__layer_mean_pool = {
    .name = "mean_pool", .ins = 1,
    .shape = shape, .forward = mean_forward, .backward = mean_backward,
};
const struct asy__layer_type asy__layer_global_mean = {
    .name = "global_mean", .ins = 1,
    .shape = global_shape, .forward = global_forward, .backward = global_mean_backward,
};
const struct asy__layer_type asy__layer_global_max = {
    .name = "global_max", .ins = 1,
    .shape = global_shape, .forward = global_forward, .backward = global_max_backward,
};
