/* SPDX-License-Identifier: Apache-2.0
 * net.c - planning a network: shapes and parameters, programs, places in memory.
 *
 * The operations of a step stand in one line, forward, loss, backward, so a value of WORK lives
 * from the first that names it to the last, and two values may share room if their lives do not
 * meet. The largest are placed first, each at the lowest place that is free for its whole life
 * ("greedy by size" of Pisarchyk and Lee 2020, arXiv 2001.03288). A layer whose gradient is merely
 * passed on shares the value; whoever changes one that others still need takes a new one. */
#include "net_impl.h"
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

#define EVAL_WORK ((size_t)4 << 20) /* floats that evaluation takes beyond those of a single row */

struct value {
    size_t per_row, fixed;
    size_t first, last; /* operations that name it: last < first means none */
    size_t size, at;
};

struct asy__plan {
    struct asy__net *net;
    struct asy__program *program; /* that is being made */
    size_t layer;                 /* whose gradient is */
    struct value *values;
    size_t n_values, values_cap;
    int trains, bf16, failed;
};

static size_t round16(size_t n)
{
    return (n + 15) / 16 * 16;
}

/* array with room for one more entry of so many bytes; NULL: no memory, it stays as it was. */
static void *grow(void *array, size_t n, size_t *cap, size_t size)
{
    size_t more = *cap ? 2 * *cap : 32;

    if (n < *cap)
        return array;
    if ((array = realloc(array, more * size)))
        *cap = more;
    return array;
}

/* ---- shapes and tensors ---------------------------------------------------------------------- */

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
    if (!(all = grow(net->tensors, net->n_tensors, &net->tensors_cap, sizeof *all)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for the plan of a network");
    net->tensors = all;
    new = &all[net->n_tensors];
    *new = *tensor;
    snprintf(new->name, sizeof new->name, "layers.%zu.%.24s", layer->number, tensor->name);
    new->n = n;
    new->at = *end;
    new->draws = layer->number | (uint64_t)layer->n_tensors << 32;
    *end += round16(n);
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

static int plan_shapes(struct asy__plan *plan, const struct asy__layer_desc *descs,
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

/* ---- programs -------------------------------------------------------------------------------- */

int asy__plan_trains(const struct asy__plan *plan)
{
    return plan->trains;
}

void asy__plan_joins(struct asy__plan *plan)
{
    plan->net->joins = 1;
}

struct asy_operand asy__plan_x(const struct asy__plan *plan, const struct asy__layer *layer,
                               size_t i)
{
    if (layer->from[i] == ASY__FEATURES)
        return (struct asy_operand){ ASY_SPACE_INPUT, 0 };
    return plan->net->layers[layer->from[i]].y;
}

struct asy_operand asy__plan_tensor_at(const struct asy__plan *plan,
                                       const struct asy__layer *layer, size_t i)
{
    const struct asy__tensor *tensor = &plan->net->tensors[layer->tensors[i]];

    return (struct asy_operand){ tensor->is_buffer ? ASY_SPACE_BUFFERS : ASY_SPACE_PARAMS,
                                 tensor->at };
}

struct asy_operand asy__plan_grad_at(const struct asy__plan *plan, const struct asy__layer *layer,
                                     size_t i)
{
    return (struct asy_operand){ ASY_SPACE_GRADS, plan->net->tensors[layer->tensors[i]].at };
}

struct asy_operand asy__plan_value(struct asy__plan *plan, size_t per_row, size_t fixed)
{
    struct value *all = grow(plan->values, plan->n_values, &plan->values_cap, sizeof *all);

    if (!all) {
        plan->failed = 1;
        return (struct asy_operand){ ASY_SPACE_NONE, 0 };
    }
    plan->values = all;
    all[plan->n_values] = (struct value){ .per_row = per_row, .fixed = fixed, .first = SIZE_MAX };
    return (struct asy_operand){ ASY_SPACE_WORK, plan->n_values++ };
}

static void live(struct asy__plan *plan, const struct asy_operand *operand, size_t at)
{
    struct value *value;

    if (operand->space != ASY_SPACE_WORK)
        return;
    value = &plan->values[operand->at];
    value->first = at < value->first ? at : value->first;
    value->last = at > value->last ? at : value->last;
}

/* Whether an operation of training is a product of a dense layer, which bf16 is about. Evaluation
 * has single precision: what is reported is what the stored model does. */
static int is_rounded(const struct asy__plan *plan, enum asy_op_kind kind)
{
    return plan->bf16 && plan->trains &&
           (kind == ASY_OP_DENSE || kind == ASY_OP_DENSE_DX || kind == ASY_OP_DENSE_DW);
}

void asy__plan_emit(struct asy__plan *plan, const struct asy_op *op)
{
    struct asy__program *program = plan->program;
    struct asy_op *ops = grow(program->ops, program->n, &program->cap, sizeof *ops);

    if (!ops) {
        plan->failed = 1;
        return;
    }
    program->ops = ops;
    ops[program->n] = *op;
    if (is_rounded(plan, op->kind))
        ops[program->n].flags |= ASY_OP_BF16;
    for (size_t i = 0; i < ASY_OP_INS; i++)
        live(plan, &op->in[i], program->n);
    for (size_t i = 0; i < ASY_OP_OUTS; i++)
        live(plan, &op->out[i], program->n);
    program->n++;
}

static int same(struct asy_operand a, struct asy_operand b)
{
    return a.space == b.space && a.at == b.at;
}

/* Whether a layer below end, other than except, has this gradient. */
static int is_shared(const struct asy__plan *plan, struct asy_operand dy, size_t end, size_t except)
{
    for (size_t l = 0; l < end; l++)
        if (l != except && same(plan->net->layers[l].dy, dy))
            return 1;
    return 0;
}

struct asy_operand asy__plan_dy_room(struct asy__plan *plan, const struct asy__layer *layer)
{
    if (!is_shared(plan, layer->dy, layer->number, layer->number))
        return layer->dy;
    return asy__plan_value(plan, asy__shape_size(layer->out), 0);
}

int asy__plan_wants(const struct asy__plan *plan, const struct asy__layer *layer, size_t i)
{
    return layer->from[i] != ASY__FEATURES && plan->net->layers[layer->from[i]].learns;
}

void asy__plan_give(struct asy__plan *plan, const struct asy__layer *layer, size_t i,
                    struct asy_operand dx)
{
    struct asy__layer *from = &plan->net->layers[layer->from[i]];
    struct asy_operand sum = from->dy;
    size_t n = asy__shape_size(from->out);

    if (sum.space == ASY_SPACE_NONE) {
        from->dy = dx;
        return;
    }
    if (same(sum, dx) || is_shared(plan, sum, layer->number + 1, from->number))
        sum = asy__plan_value(plan, n, 0);
    asy__plan_emit(plan, &(struct asy_op){ .kind = ASY_OP_ADD, .per_row = 1, .n = { n },
                                           .in = { from->dy, dx }, .out = { sum } });
    from->dy = sum;
}

static void emit_forward(struct asy__plan *plan)
{
    struct asy__net *net = plan->net;

    for (size_t l = 0; l < net->n_layers; l++)
        net->layers[l].type->forward(plan, &net->layers[l]);
}

/* Where nothing reads y after the operation that makes x of it, x takes y's place. */
static void merge(struct asy__plan *plan, struct asy_operand x, struct asy_operand y, size_t at)
{
    struct value *from = &plan->values[x.at], *to = &plan->values[y.at];

    if (y.space != ASY_SPACE_WORK || to->last > at)
        return;
    for (size_t i = at; i < plan->program->n; i++) {
        struct asy_op *op = &plan->program->ops[i];

        for (size_t k = 0; k < ASY_OP_INS; k++)
            op->in[k] = same(op->in[k], x) ? y : op->in[k];
        for (size_t k = 0; k < ASY_OP_OUTS; k++)
            op->out[k] = same(op->out[k], x) ? y : op->out[k];
    }
    to->last = from->last;
    *from = (struct value){ .first = SIZE_MAX };
}

static void emit_backward(struct asy__plan *plan, const struct asy_op *loss)
{
    struct asy__net *net = plan->net;
    struct asy__layer *last = &net->layers[net->n_layers - 1];
    size_t at = plan->program->n;

    last->dy = asy__plan_value(plan, asy__shape_size(last->out), 0);
    asy__plan_emit(plan, &(struct asy_op){ .kind = loss->kind, .value = loss->value,
                                           .per_row = asy__shape_vectors(last->out),
                                           .n = { last->out.channels }, .in = { last->y },
                                           .out = { last->dy } });
    for (size_t l = net->n_layers; l-- > 0;)
        if (net->layers[l].learns)
            net->layers[l].type->backward(plan, &net->layers[l]);
    if (!plan->failed)
        merge(plan, last->dy, last->y, at);
}

/* ---- places ---------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    const struct value *const *x = a, *const *y = b;

    if ((*x)->size != (*y)->size)
        return (*x)->size < (*y)->size ? 1 : -1;
    return *x < *y ? -1 : *x > *y;
}

static int by_place(const void *a, const void *b)
{
    const struct value *const *x = a, *const *y = b;

    return (*x)->at < (*y)->at ? -1 : (*x)->at > (*y)->at;
}

/* The lowest place free of all of placed [n] that live when value does; near has room for n. */
static void place(struct value *value, struct value **placed, size_t n, const struct value **near)
{
    size_t found = 0, at = 0;

    for (size_t i = 0; i < n; i++)
        if (placed[i]->first <= value->last && value->first <= placed[i]->last)
            near[found++] = placed[i];
    qsort(near, found, sizeof *near, by_place);
    for (size_t i = 0; i < found && at + value->size > near[i]->at; i++)
        if (near[i]->at + near[i]->size > at)
            at = near[i]->at + near[i]->size;
    value->at = at;
}

static void set_offsets(struct asy__plan *plan, struct asy_operand *operands, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (operands[i].space == ASY_SPACE_WORK)
            operands[i].at = plan->values[operands[i].at].at;
}

/* Gives the values their places, for passes of so many rows, and the operations their offsets. */
static int place_values(struct asy__plan *plan, size_t rows, struct asy_error *err)
{
    struct asy__program *program = plan->program;
    struct value **order = NULL;
    const struct value **near = NULL;
    size_t n = 0;
    int rc = 0;

    if (plan->failed || !(order = calloc(plan->n_values + 1, sizeof *order)) ||
        !(near = calloc(plan->n_values + 1, sizeof *near))) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for the plan of a network");
        goto out;
    }
    for (size_t i = 0; i < plan->n_values; i++) {
        struct value *value = &plan->values[i];

        value->size = round16(value->per_row * rows + value->fixed);
        if (value->first <= value->last)
            order[n++] = value;
    }
    qsort(order, n, sizeof *order, by_size);
    for (size_t i = 0; i < n; i++) {
        place(order[i], order, i, near);
        if (order[i]->at + order[i]->size > plan->net->n_work)
            plan->net->n_work = order[i]->at + order[i]->size;
    }
    for (size_t i = 0; i < program->n; i++) {
        set_offsets(plan, program->ops[i].in, ASY_OP_INS);
        set_offsets(plan, program->ops[i].out, ASY_OP_OUTS);
    }
out:
    free(order);
    free(near);
    return rc;
}

static void begin(struct asy__plan *plan, struct asy__program *program, int trains)
{
    plan->program = program;
    plan->trains = trains;
    plan->n_values = 0;
    for (size_t l = 0; l < plan->net->n_layers; l++)
        plan->net->layers[l].dy = (struct asy_operand){ ASY_SPACE_NONE, 0 };
}

/* Whether an operation after the i-th names a place of the parameters or of their gradients. */
static int is_named_after(const struct asy__program *program, size_t i, size_t at)
{
    for (i++; i < program->n; i++) {
        const struct asy_op *op = &program->ops[i];

        for (size_t k = 0; k < ASY_OP_INS; k++)
            if (op->in[k].space == ASY_SPACE_PARAMS && op->in[k].at == at)
                return 1;
        for (size_t k = 0; k < ASY_OP_OUTS; k++)
            if (op->out[k].space == ASY_SPACE_GRADS && op->out[k].at == at)
                return 1;
    }
    return 0;
}

/* Tensors' gradients that may be taken at once. */
static void mark_early(struct asy__net *net)
{
    for (size_t i = 0; i < net->train.n; i++) {
        struct asy_op *op = &net->train.ops[i];

        if (op->kind != ASY_OP_DENSE_DW || op->flags & ASY_OP_BF16 ||
            is_named_after(&net->train, i, op->out[0].at))
            continue;
        op->flags |= ASY_OP_LAST;
        for (size_t t = 0; t < net->n_tensors; t++)
            net->tensors[t].early |= !net->tensors[t].is_buffer &&
                                     net->tensors[t].at == op->out[0].at;
    }
}

/* Whether an operation after the i-th writes to this place. */
static int is_written_after(const struct asy__program *program, size_t i, struct asy_operand what)
{
    for (i++; i < program->n; i++)
        for (size_t k = 0; k < ASY_OP_OUTS; k++)
            if (same(program->ops[i].out[k], what))
                return 1;
    return 0;
}

static int may_be_joint(const struct asy__net *net, size_t i)
{
    const struct asy_op *op = &net->train.ops[i];

    return op->flags & ASY_OP_LAST && asy_op_is_worth_joining(op, net->train_rows, net->parties) &&
           !is_written_after(&net->train, i, op->in[0]) &&
           !is_written_after(&net->train, i, op->in[1]);
}

/* Gradients that the parties make together when the program is over, if these are most of all: what
 * they are made of stays. */
static void mark_joint(struct asy__plan *plan)
{
    struct asy__net *net = plan->net;
    size_t n = 0;

    for (size_t i = 0; i < net->train.n; i++)
        n += may_be_joint(net, i) ? net->train.ops[i].n[0] * net->train.ops[i].n[1] : 0;
    net->joint = !plan->failed && n > net->n_params / 2;
    for (size_t i = 0; i < net->train.n && net->joint; i++) {
        struct asy_op *op = &net->train.ops[i];

        if (!may_be_joint(net, i))
            continue;
        op->flags |= ASY_OP_JOINT;
        live(plan, &op->in[0], net->train.n);
        live(plan, &op->in[1], net->train.n);
        for (size_t t = 0; t < net->n_tensors; t++)
            net->tensors[t].joint |= !net->tensors[t].is_buffer &&
                                     net->tensors[t].at == op->out[0].at;
    }
}

static int plan_training(struct asy__plan *plan, const struct asy_op *loss, struct asy_error *err)
{
    struct asy__net *net = plan->net;

    if (net->train_rows == 0)
        return 0;
    begin(plan, &net->train, 1);
    emit_forward(plan);
    net->n_forward = net->train.n;
    emit_backward(plan, loss);
    mark_early(net);
    mark_joint(plan);
    return place_values(plan, net->train_rows, err);
}

/* Fewer rows at once, if those that are wanted would take more room than is good for a cache. */
static size_t rows_at_once(const struct asy__plan *plan, size_t rows)
{
    size_t per_row = 0;

    for (size_t i = 0; i < plan->n_values; i++)
        per_row += plan->values[i].per_row;
    while (rows > 1 && per_row > EVAL_WORK / rows)
        rows /= 2;
    return rows;
}

/* What evaluation gives: of one logit those of two classes, so that whoever judges and stores has
 * the outputs of classes however they were learnt. */
static struct asy_operand emit_outputs(struct asy__plan *plan)
{
    const struct asy__layer *last = &plan->net->layers[plan->net->n_layers - 1];
    struct asy_operand pair;

    if (!plan->net->is_binary)
        return last->y;
    pair = asy__plan_value(plan, asy__shape_size(plan->net->outputs), 0);
    asy__plan_emit(plan, &(struct asy_op){ .kind = ASY_OP_PAIR, .per_row = 1, .in = { last->y },
                                           .out = { pair } });
    return pair;
}

/* The outputs outlive the program. */
static int plan_evaluation(struct asy__plan *plan, struct asy_error *err)
{
    struct asy__net *net = plan->net;
    struct asy_operand out;
    int rc;

    begin(plan, &net->eval, 0);
    emit_forward(plan);
    out = emit_outputs(plan);
    if (!plan->failed)
        live(plan, &out, net->eval.n);
    net->eval_rows = rows_at_once(plan, net->eval_rows);
    if ((rc = place_values(plan, net->eval_rows, err)) == 0)
        net->out = plan->values[out.at].at;
    return rc;
}

/* Room for the threads of a team beside the first. */
static void plan_team(struct asy__net *net)
{
    size_t trains = asy_op_own(net->train.ops, net->train.n);
    size_t evaluates = asy_op_own(net->eval.ops, net->eval.n);

    net->own = trains > evaluates ? trains : evaluates;
}

/* ---- the whole ------------------------------------------------------------------------------- */

int asy__net_create(const struct asy__layer_desc *layers, size_t n,
                    const struct asy__net_options *options, struct asy__net **ret_net,
                    struct asy_error *err)
{
    struct asy__net *net = calloc(1, sizeof *net);
    struct asy__plan plan = { .net = net, .bf16 = options->bf16 };
    int rc;

    if (n == 0 || n > ASY__LAYERS_MAX) {
        rc = asy_fail(err, ASY_E_INVAL, "a network of %zu layers is not possible", n);
        goto out;
    }
    if (!net || !(net->layers = calloc(n, sizeof *net->layers))) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for the plan of a network");
        goto out;
    }
    net->n_layers = n;
    net->features = options->features;
    net->train_rows = options->train_rows;
    net->eval_rows = options->eval_rows;
    net->is_binary = options->loss.kind == ASY_OP_BINARY_LOSS;
    net->parties = options->parties;
    if ((rc = plan_shapes(&plan, layers, err)) < 0 ||
        (rc = plan_training(&plan, &options->loss, err)) < 0 ||
        (rc = plan_evaluation(&plan, err)) < 0)
        goto out;
    plan_team(net);
    *ret_net = net;
    net = NULL; /* handed over */
out:
    free(plan.values);
    asy__net_destroy(net);
    return rc;
}

void asy__net_destroy(struct asy__net *net)
{
    int saved = errno;

    if (!net)
        return;
    free(net->layers);
    free(net->tensors);
    free(net->train.ops);
    free(net->eval.ops);
    free(net);
    errno = saved;
}
