/* SPDX-License-Identifier: Apache-2.0
 * net_tokens.c - layers of sequences: rows cut into tokens, what is learnt of places, embeddings
 * and the way back from them, attention. */
#include "net_impl.h"
#include <asy/attention.h>

/* ---- a row as tokens ------------------------------------------------------------------------- */

static int tokens_shape(struct asy__plan *plan, struct asy__layer *layer, struct asy_error *err)
{
    size_t n = asy__shape_size(layer->in[0]), tokens = layer->desc.width;

    (void)plan;
    if (tokens == 0 || n % tokens)
        return asy__plan_refuse(layer, err, "%zu numbers do not make %zu tokens of one length", n,
                                tokens);
    layer->out = (struct asy__shape){ 1, tokens, n / tokens };
    return 0;
}

static void tokens_forward(struct asy__plan *plan, struct asy__layer *layer)
{
    layer->y = asy__plan_x(plan, layer, 0);
}

static void tokens_backward(struct asy__plan *plan, struct asy__layer *layer)
{
    if (asy__plan_wants(plan, layer, 0))
        asy__plan_give(plan, layer, 0, layer->dy);
}

const struct asy__layer_type asy__layer_tokens = {
    .name = "tokens", .ins = 1, .shape = tokens_shape, .forward = tokens_forward,
    .backward = tokens_backward,
};

/* ---- places ---------------------------------------------------------------------------------- */

static int place_shape(struct asy__plan *plan, struct asy__layer *layer, struct asy_error *err)
{
    struct asy__tensor place = { "place", 2,
                                 { asy__shape_vectors(layer->in[0]), layer->in[0].channels },
                                 .init = ASY__NORMAL, .spread = layer->desc.spread };

    layer->out = layer->in[0];
    return asy__plan_tensor(plan, layer, &place, err);
}

static void place_forward(struct asy__plan *plan, struct asy__layer *layer)
{
    size_t n = asy__shape_size(layer->out);

    layer->y = asy__plan_value(plan, n, 0);
    asy__plan_emit(plan, &(struct asy_op){
        .kind = ASY_OP_BIAS, .per_row = 1, .n = { n },
        .in = { asy__plan_x(plan, layer, 0), asy__plan_tensor_at(plan, layer, 0) },
        .out = { layer->y } });
}

static void place_backward(struct asy__plan *plan, struct asy__layer *layer)
{
    asy__plan_emit(plan, &(struct asy_op){
        .kind = ASY_OP_COLUMN_SUMS, .per_row = 1, .n = { asy__shape_size(layer->out) },
        .in = { layer->dy }, .out = { asy__plan_grad_at(plan, layer, 0) } });
    if (asy__plan_wants(plan, layer, 0))
        asy__plan_give(plan, layer, 0, layer->dy);
}

const struct asy__layer_type asy__layer_place = {
    .name = "place", .ins = 1, .shape = place_shape, .forward = place_forward,
    .backward = place_backward,
};

/* ---- embeddings ------------------------------------------------------------------------------ */

enum { TABLE, PLACE };

static int embed_shape(struct asy__plan *plan, struct asy__layer *layer, struct asy_error *err)
{
    size_t tokens = asy__shape_vectors(layer->in[0]), width = layer->desc.width;
    struct asy__tensor table = { "table", 2, { layer->desc.vocabulary, width },
                                 .init = ASY__NORMAL, .spread = layer->desc.spread };
    struct asy__tensor place = { "place", 2, { tokens, width }, .init = ASY__NORMAL,
                                 .spread = layer->desc.spread };
    int rc;

    if (layer->in[0].channels != 1 || layer->from[0] != ASY__FEATURES)
        return asy__plan_refuse(layer, err, "it takes the numbers of tokens, which are features");
    if (width == 0 || layer->desc.vocabulary == 0)
        return asy__plan_refuse(layer, err, "a width of 0 is not possible");
    layer->out = (struct asy__shape){ 1, tokens, width };
    rc = asy__plan_tensor(plan, layer, &table, err);
    return rc < 0 ? rc : asy__plan_tensor(plan, layer, &place, err);
}

static void embed_forward(struct asy__plan *plan, struct asy__layer *layer)
{
    size_t tokens = asy__shape_vectors(layer->out), width = layer->out.channels;

    layer->y = asy__plan_value(plan, tokens * width, 0);
    asy__plan_emit(plan, &(struct asy_op){
        .kind = ASY_OP_EMBED, .per_row = tokens, .n = { tokens, width, layer->desc.vocabulary },
        .in = { asy__plan_x(plan, layer, 0), asy__plan_tensor_at(plan, layer, TABLE),
                asy__plan_tensor_at(plan, layer, PLACE) },
        .out = { layer->y } });
}

/* A table that is shared has the gradient of its other use by then, as that comes later in a
 * forward pass. */
static void embed_backward(struct asy__plan *plan, struct asy__layer *layer)
{
    size_t tokens = asy__shape_vectors(layer->out), width = layer->out.channels;

    asy__plan_emit(plan, &(struct asy_op){
        .kind = ASY_OP_EMBED_GRAD, .flags = layer->desc.is_shared ? ASY_OP_ADDS : 0,
        .per_row = tokens, .n = { tokens, width, layer->desc.vocabulary },
        .in = { asy__plan_x(plan, layer, 0), layer->dy },
        .out = { asy__plan_grad_at(plan, layer, TABLE),
                 asy__plan_grad_at(plan, layer, PLACE) } });
}

const struct asy__layer_type asy__layer_embed = {
    .name = "embed", .ins = 1, .shape = embed_shape, .forward = embed_forward,
    .backward = embed_backward,
};

static int unembed_shape(struct asy__plan *plan, struct asy__layer *layer, struct asy_error *err)
{
    const struct asy__layer *embed = asy__plan_layer(plan, layer, layer->desc.table - 1);
    struct asy__tensor bias = { "bias", 1, { 0 } };

    if (!embed || embed->desc.kind != ASY__EMBED || !embed->desc.is_shared ||
        embed->desc.width != layer->in[0].channels)
        return asy__plan_refuse(layer, err, "it has no embedding of %zu channels to share",
                                layer->in[0].channels);
    layer->out = layer->in[0];
    layer->out.channels = bias.shape[0] = embed->desc.vocabulary;
    return asy__plan_tensor(plan, layer, &bias, err);
}

static const struct asy__layer *table_of(const struct asy__plan *plan,
                                         const struct asy__layer *layer)
{
    return asy__plan_layer(plan, layer, layer->desc.table - 1);
}

static void unembed_forward(struct asy__plan *plan, struct asy__layer *layer)
{
    size_t vectors = asy__shape_vectors(layer->out), in = layer->in[0].channels;
    size_t out = layer->out.channels;

    layer->y = asy__plan_value(plan, vectors * out, 0);
    asy__plan_emit(plan, &(struct asy_op){
        .kind = ASY_OP_DENSE, .per_row = vectors, .n = { in, out },
        .in = { asy__plan_x(plan, layer, 0),
                asy__plan_tensor_at(plan, table_of(plan, layer), TABLE),
                asy__plan_tensor_at(plan, layer, 0) },
        .out = { layer->y, layer->y } });
}

static void unembed_backward(struct asy__plan *plan, struct asy__layer *layer)
{
    size_t vectors = asy__shape_vectors(layer->out), in = layer->in[0].channels;
    size_t out = layer->out.channels;
    struct asy_operand dx;

    asy__plan_emit(plan, &(struct asy_op){
        .kind = ASY_OP_COLUMN_SUMS, .per_row = vectors, .n = { out }, .in = { layer->dy },
        .out = { asy__plan_grad_at(plan, layer, 0) } });
    asy__plan_emit(plan, &(struct asy_op){
        .kind = ASY_OP_DENSE_DW, .per_row = vectors, .n = { in, out },
        .in = { layer->dy, asy__plan_x(plan, layer, 0) },
        .out = { asy__plan_grad_at(plan, table_of(plan, layer), TABLE) } });
    if (!asy__plan_wants(plan, layer, 0))
        return;
    dx = asy__plan_value(plan, vectors * in, 0);
    asy__plan_emit(plan, &(struct asy_op){
        .kind = ASY_OP_DENSE_DX, .per_row = vectors, .n = { in, out },
        .in = { layer->dy, asy__plan_tensor_at(plan, table_of(plan, layer), TABLE) },
        .out = { dx } });
    asy__plan_give(plan, layer, 0, dx);
}

const struct asy__layer_type asy__layer_unembed = {
    .name = "unembed", .ins = 1, .shape = unembed_shape, .forward = unembed_forward,
    .backward = unembed_backward,
};

/* ---- attention ------------------------------------------------------------------------------- */

static int attention_shape(struct asy__plan *plan, struct asy__layer *layer, struct asy_error *err)
{
    size_t heads = layer->desc.heads, channels = layer->in[0].channels;

    (void)plan;
    if (!(layer->desc.rate >= 0 && layer->desc.rate <= 0.99))
        return asy__plan_refuse(layer, err, "a rate of %g lies outside 0 to 0.99",
                                layer->desc.rate);
    if (heads == 0 || channels % (3 * heads))
        return asy__plan_refuse(layer, err, "%zu channels are not query, key and value of %zu "
                                "heads", channels, heads);
    layer->out = (struct asy__shape){ 1, asy__shape_vectors(layer->in[0]), channels / 3 };
    return 0;
}

/* Operands are the caller's to set. Evaluation drops nothing. */
static struct asy_op attention_op(const struct asy__plan *plan, const struct asy__layer *layer,
                                  enum asy_op_kind kind)
{
    return (struct asy_op){
        .kind = kind, .flags = layer->desc.causal ? ASY_OP_CAUSAL : 0, .per_row = 1,
        .value = asy__plan_trains(plan) ? (float)layer->desc.rate : 0,
        .n = { asy__shape_vectors(layer->out), layer->desc.heads,
               layer->out.channels / layer->desc.heads, layer->number },
    };
}

static void attention_forward(struct asy__plan *plan, struct asy__layer *layer)
{
    struct asy_op op = attention_op(plan, layer, ASY_OP_ATTENTION);
    size_t tokens = op.n[0];

    layer->y = asy__plan_value(plan, asy__shape_size(layer->out), 0);
    layer->saved[0] = asy__plan_value(plan, layer->desc.heads * tokens * 2, 0);
    op.in[0] = asy__plan_x(plan, layer, 0);
    op.out[0] = layer->y;
    op.out[1] = layer->saved[0];
    op.out[2] = asy__plan_value(plan, 0, asy_attention_scores(tokens));
    asy__plan_emit(plan, &op);
}

static void attention_backward(struct asy__plan *plan, struct asy__layer *layer)
{
    struct asy_op op = attention_op(plan, layer, ASY_OP_ATTENTION_GRAD);

    if (!asy__plan_wants(plan, layer, 0))
        return;
    op.in[0] = asy__plan_x(plan, layer, 0);
    op.in[1] = layer->saved[0];
    op.in[2] = layer->dy;
    op.out[0] = asy__plan_value(plan, 3 * asy__shape_size(layer->out), 0);
    op.out[1] = asy__plan_value(plan, 0, asy_attention_scores(op.n[0]));
    asy__plan_emit(plan, &op);
    asy__plan_give(plan, layer, 0, op.out[0]);
}

const struct asy__layer_type asy__layer_attention = {
    .name = "attention", .ins = 1, .shape = attention_shape, .forward = attention_forward,
    .backward = attention_backward,
};
