/* SPDX-License-Identifier: Apache-2.0
 * net_conv.c - convolutions of images (asy/conv.h), and max pooling after them: in one operation
 * where the activation lets it, else as two.
 *
 * Batch normalisation takes away whatever is added to all of a channel, so before it there is no
 * bias to learn: it stays among the buffers, at 0, or at what an earlier build had learnt. */
#include "net_impl.h"
#include <asy/conv.h>
#include <asy/pool.h>

enum { WEIGHT, BIAS };
enum { SUM, FROM }; /* saved: z, or y before pooling; which of a window */

static struct asy_conv conv_of(const struct asy__layer *layer)
{
    const struct asy__layer_desc *d = &layer->desc;

    return (struct asy_conv){ .h = layer->in[0].height, .w = layer->in[0].width,
                              .in = layer->in[0].channels, .out = d->width, .kh = d->kernel,
                              .kw = d->kernel, .stride = d->stride ? d->stride : 1,
                              .pad = d->pad, .groups = d->groups ? d->groups : 1 };
}

static int check(const struct asy__layer *layer, const struct asy_conv *c, struct asy_error *err)
{
    if (c->out == 0)
        return asy__plan_refuse(layer, err, "no kernels are not possible");
    if (c->kh == 0 || c->kh > ASY_CONV_KERNEL_MAX || c->stride > ASY_CONV_KERNEL_MAX)
        return asy__plan_refuse(layer, err, "a kernel of %zu and a stride of %zu are not possible: "
                                "1 to %d are", c->kh, c->stride, ASY_CONV_KERNEL_MAX);
    if (c->pad >= c->kh)
        return asy__plan_refuse(layer, err, "a border of %zu is not possible with a kernel of %zu",
                                c->pad, c->kh);
    if (c->h + 2 * c->pad < c->kh || c->w + 2 * c->pad < c->kw)
        return asy__plan_refuse(layer, err, "a kernel of %zu is larger than an image of %zu x %zu",
                                c->kh, c->h, c->w);
    if (c->in % c->groups || c->out % c->groups)
        return asy__plan_refuse(layer, err, "%zu channels to %zu kernels cannot be divided into "
                                "%zu groups", c->in, c->out, c->groups);
    return 0;
}

static int shape(struct asy__plan *plan, struct asy__layer *layer, struct asy_error *err)
{
    struct asy_conv c = conv_of(layer);
    struct asy__tensor weight = { .name = "weight", .n_dims = 4, .init = ASY__NORMAL },
                       bias = { "bias", 1, { c.out },
                                .is_buffer = asy__plan_is_normed(plan, layer) };
    size_t pool = layer->desc.pool, taps = c.kh * c.kw;
    int rc;

    if ((rc = check(layer, &c, err)) < 0)
        return rc;
    layer->out = (struct asy__shape){ asy_conv_h(&c), asy_conv_w(&c), c.out };
    if (pool > ASY_POOL_MAX || (pool && (layer->out.height < pool || layer->out.width < pool)))
        return asy__plan_refuse(layer, err, "of an image of %zu x %zu windows of %zu are not "
                                "possible", layer->out.height, layer->out.width, pool);
    if (pool) {
        layer->out.height /= pool;
        layer->out.width /= pool;
    }
    weight.shape[0] = c.out;
    weight.shape[1] = c.kh;
    weight.shape[2] = c.kw;
    weight.shape[3] = c.in / c.groups;
    weight.spread = layer->desc.spread > 0 ? layer->desc.spread
                    : asy__init_spread(layer->desc.act, taps * weight.shape[3],
                                       taps * (c.out / c.groups));
    rc = asy__plan_tensor(plan, layer, &weight, err);
    return rc < 0 ? rc : asy__plan_tensor(plan, layer, &bias, err);
}

static struct asy_op op_of(const struct asy__layer *layer, enum asy_op_kind kind)
{
    struct asy_conv c = conv_of(layer);

    return (struct asy_op){ .kind = kind, .act = asy__plan_act(layer), .per_row = 1,
                            .n = { c.h, c.w, c.in, c.out, c.kh, c.kw, c.stride, c.pad, c.groups,
                                   layer->desc.pool, layer->desc.pool } };
}

static struct asy_op pool_of(const struct asy__layer *layer, enum asy_op_kind kind)
{
    struct asy_conv c = conv_of(layer);

    return (struct asy_op){ .kind = kind, .per_row = 1,
                            .n = { asy_conv_h(&c), asy_conv_w(&c), c.out, layer->desc.pool,
                                   layer->desc.pool, 0 } };
}

static int at_once(const struct asy__layer *layer)
{
    return layer->desc.pool && asy_conv_pool_fits(layer->desc.act);
}

/* Floats that hold so many bytes. */
static size_t bytes(size_t n)
{
    return (n + sizeof(float) - 1) / sizeof(float);
}

static void forward_at_once(struct asy__plan *plan, struct asy__layer *layer)
{
    struct asy_conv c = conv_of(layer);
    struct asy_op op = op_of(layer, ASY_OP_CONV_POOL);
    size_t n = asy__shape_size(layer->out);

    layer->y = asy__plan_value(plan, n, 0);
    layer->saved[FROM] = asy__plan_value(plan, bytes(n), 0);
    layer->saved[SUM] = layer->y;
    op.in[0] = asy__plan_x(plan, layer, 0);
    op.in[1] = asy__plan_tensor_at(plan, layer, WEIGHT);
    op.in[2] = asy__plan_tensor_at(plan, layer, BIAS);
    op.out[0] = layer->y;
    op.out[1] = layer->saved[FROM];
    op.out[2] = asy__plan_value(plan, 0, asy_conv_pool_room(&c));
    asy__plan_emit(plan, &op);
}

static void forward(struct asy__plan *plan, struct asy__layer *layer)
{
    struct asy_conv c = conv_of(layer);
    struct asy_op op = op_of(layer, ASY_OP_CONV), pool;
    size_t n = asy_conv_h(&c) * asy_conv_w(&c) * c.out;
    int keeps = asy__plan_trains(plan) && asy_act_needs_sum(layer->desc.act);

    if (at_once(layer)) {
        forward_at_once(plan, layer);
        return;
    }
    layer->y = asy__plan_value(plan, n, 0);
    layer->saved[SUM] = keeps ? asy__plan_value(plan, n, 0) : layer->y;
    op.in[0] = asy__plan_x(plan, layer, 0);
    op.in[1] = asy__plan_tensor_at(plan, layer, WEIGHT);
    op.in[2] = asy__plan_tensor_at(plan, layer, BIAS);
    op.out[0] = layer->y;
    op.out[1] = layer->saved[SUM];
    op.out[2] = asy__plan_value(plan, 0, asy_conv_room(&c));
    asy__plan_emit(plan, &op);
    asy__plan_act_rest(plan, layer, asy_conv_h(&c) * asy_conv_w(&c), layer->y);
    if (!layer->desc.pool)
        return;
    pool = pool_of(layer, ASY_OP_MAX_POOL);
    pool.in[0] = layer->y;
    layer->y = asy__plan_value(plan, asy__shape_size(layer->out), 0);
    layer->saved[FROM] = asy__plan_value(plan, bytes(asy__shape_size(layer->out)), 0);
    pool.out[0] = layer->y;
    pool.out[1] = layer->saved[FROM];
    asy__plan_emit(plan, &pool);
}

/* From the gradient of so many pixels' outputs to that of their sums, and the bias's. */
static struct asy_operand back_to_sums(struct asy__plan *plan, struct asy__layer *layer,
                                       size_t pixels, struct asy_operand dy, struct asy_operand dz)
{
    if (asy__plan_is_normed(plan, layer))
        return dy;
    return asy__plan_act_grad(plan, layer, pixels,
                              &(struct asy__act_grad){ dy, dz, layer->saved[SUM],
                                                       asy__plan_grad_at(plan, layer, BIAS) });
}

static struct asy_operand dz_room(struct asy__plan *plan, struct asy__layer *layer)
{
    return layer->desc.act == ASY_ACT_NONE ? layer->dy : asy__plan_dy_room(plan, layer);
}

static void backward_at_once(struct asy__plan *plan, struct asy__layer *layer)
{
    struct asy_conv c = conv_of(layer);
    struct asy_op op = op_of(layer, ASY_OP_CONV_POOL_GRAD);
    int wants = asy__plan_wants(plan, layer, 0);

    op.in[0] = back_to_sums(plan, layer, asy__shape_vectors(layer->out), layer->dy,
                            dz_room(plan, layer));
    op.in[1] = layer->saved[FROM];
    op.in[2] = asy__plan_x(plan, layer, 0);
    op.in[3] = asy__plan_tensor_at(plan, layer, WEIGHT);
    op.out[0] = asy__plan_grad_at(plan, layer, WEIGHT);
    if (wants)
        op.out[1] = asy__plan_value(plan, asy__shape_size(layer->in[0]), 0);
    op.out[2] = asy__plan_value(plan, 0, asy_conv_pool_room(&c));
    asy__plan_emit(plan, &op);
    if (wants)
        asy__plan_give(plan, layer, 0, op.out[1]);
}

/* The gradient of what the pooling took, and where that of the sums may go. */
static struct asy_operand backward_pool(struct asy__plan *plan, struct asy__layer *layer,
                                        struct asy_operand *ret_room)
{
    struct asy_op pool = pool_of(layer, ASY_OP_MAX_POOL_GRAD);

    if (!layer->desc.pool) {
        *ret_room = dz_room(plan, layer);
        return layer->dy;
    }
    pool.in[0] = layer->dy;
    pool.in[1] = layer->saved[FROM];
    pool.out[0] = asy__plan_value(plan, pool.n[0] * pool.n[1] * pool.n[2], 0);
    asy__plan_emit(plan, &pool);
    *ret_room = pool.out[0];
    return pool.out[0];
}

static void backward(struct asy__plan *plan, struct asy__layer *layer)
{
    struct asy_conv c = conv_of(layer);
    struct asy_op dw = op_of(layer, ASY_OP_CONV_DW), dx = op_of(layer, ASY_OP_CONV_DX);
    struct asy_operand dy, dz;

    if (at_once(layer)) {
        backward_at_once(plan, layer);
        return;
    }
    dy = backward_pool(plan, layer, &dz);
    dz = back_to_sums(plan, layer, asy_conv_h(&c) * asy_conv_w(&c), dy, dz);
    dw.in[0] = dz;
    dw.in[1] = asy__plan_x(plan, layer, 0);
    dw.out[0] = asy__plan_grad_at(plan, layer, WEIGHT);
    dw.out[1] = asy__plan_value(plan, 0, asy_conv_room(&c));
    asy__plan_emit(plan, &dw);
    if (!asy__plan_wants(plan, layer, 0))
        return;
    dx.in[0] = dz;
    dx.in[1] = asy__plan_tensor_at(plan, layer, WEIGHT);
    dx.out[0] = asy__plan_value(plan, asy__shape_size(layer->in[0]), 0);
    dx.out[1] = asy__plan_value(plan, 0, asy_conv_room(&c));
    asy__plan_emit(plan, &dx);
    asy__plan_give(plan, layer, 0, dx.out[0]);
}

const struct asy__layer_type asy__layer_conv = {
    .name = "conv", .ins = 1, .has_act = 1,
    .shape = shape, .forward = forward, .backward = backward,
};
