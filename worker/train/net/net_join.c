/* SPDX-License-Identifier: Apache-2.0
 * net_join.c - layers that only pass on: sums of two outputs, and another shape of one. */
#include "net_impl.h"

static int add_shape(struct asy__plan *plan, struct asy__layer *layer, struct asy_error *err)
{
    const struct asy__shape *a = &layer->in[0], *b = &layer->in[1];

    (void)plan;
    if (a->height != b->height || a->width != b->width || a->channels != b->channels)
        return asy__plan_refuse(layer, err, "%zu x %zu x %zu and %zu x %zu x %zu do not add up",
                                a->height, a->width, a->channels, b->height, b->width,
                                b->channels);
    layer->out = *a;
    return 0;
}

static void add_forward(struct asy__plan *plan, struct asy__layer *layer)
{
    size_t n = asy__shape_size(layer->out);

    layer->y = asy__plan_value(plan, n, 0);
    asy__plan_emit(plan, &(struct asy_op){
        .kind = ASY_OP_ADD, .per_row = 1, .n = { n },
        .in = { asy__plan_x(plan, layer, 0), asy__plan_x(plan, layer, 1) },
        .out = { layer->y } });
}

void asy__plan_pass_on(struct asy__plan *plan, struct asy__layer *layer)
{
    for (size_t i = 0; i < layer->type->ins; i++)
        if (asy__plan_wants(plan, layer, i))
            asy__plan_give(plan, layer, i, layer->dy);
}

void asy__plan_same(struct asy__plan *plan, struct asy__layer *layer)
{
    layer->y = asy__plan_x(plan, layer, 0);
}

static int flatten_shape(struct asy__plan *plan, struct asy__layer *layer, struct asy_error *err)
{
    (void)plan, (void)err;
    layer->out = (struct asy__shape){ 1, 1, asy__shape_size(layer->in[0]) };
    return 0;
}

static int image_shape(struct asy__plan *plan, struct asy__layer *layer, struct asy_error *err)
{
    size_t n = asy__shape_size(layer->in[0]), area, whole;
    struct asy__shape s = layer->desc.image;

    (void)plan;
    s.width = s.width ? s.width : s.height;
    if (__builtin_mul_overflow(s.height, s.width, &area) || area == 0)
        return asy__plan_refuse(layer, err, "an image of %zu x %zu is not possible", s.height,
                                s.width);
    s.channels = s.channels ? s.channels : n / area;
    if (__builtin_mul_overflow(area, s.channels, &whole) || whole != n)
        return asy__plan_refuse(layer, err, "%zu numbers do not make an image of %zu x %zu x %zu",
                                n, s.height, s.width, s.channels);
    layer->out = s;
    return 0;
}

const struct asy__layer_type asy__layer_image = {
    .name = "image", .ins = 1,
    .shape = image_shape, .forward = asy__plan_same, .backward = asy__plan_pass_on,
};
const struct asy__layer_type asy__layer_add = {
    .name = "add", .ins = 2,
    .shape = add_shape, .forward = add_forward, .backward = asy__plan_pass_on,
};
const struct asy__layer_type asy__layer_flatten = {
    .name = "flatten", .ins = 1,
    .shape = flatten_shape, .forward = asy__plan_same, .backward = asy__plan_pass_on,
};
