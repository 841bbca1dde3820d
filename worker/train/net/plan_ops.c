/* SPDX-License-Identifier: Apache-2.0
 * plan_ops.c - the operations of a program and the values that they name.
 *
 * The operations of a step stand in one line, forward, loss, backward, so a value of WORK lives
 * from the first that names it to the last. A layer whose gradient is merely passed on shares the
 * value; whoever changes one that others still need takes a new one. */
#include "plan.h"
#include <stdlib.h>

void *asy__plan_grow(void *array, size_t n, size_t *cap, size_t size)
{
    size_t more = *cap ? 2 * *cap : 32;

    if (n < *cap)
        return array;
    if ((array = realloc(array, more * size)))
        *cap = more;
    return array;
}

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
    struct asy__work *all;

    all = asy__plan_grow(plan->values, plan->n_values, &plan->values_cap, sizeof *all);
    if (!all) {
        plan->failed = 1;
        return (struct asy_operand){ ASY_SPACE_NONE, 0 };
    }
    plan->values = all;
    all[plan->n_values] =
        (struct asy__work){ .per_row = per_row, .fixed = fixed, .first = SIZE_MAX };
    return (struct asy_operand){ ASY_SPACE_WORK, plan->n_values++ };
}

void asy__plan_live(struct asy__plan *plan, const struct asy_operand *operand, size_t at)
{
    struct asy__work *value;

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
    struct asy_op *ops = asy__plan_grow(program->ops, program->n, &program->cap, sizeof *ops);

    if (!ops) {
        plan->failed = 1;
        return;
    }
    program->ops = ops;
    ops[program->n] = *op;
    if (is_rounded(plan, op->kind))
        ops[program->n].flags |= ASY_OP_BF16;
    for (size_t i = 0; i < ASY_OP_INS; i++)
        asy__plan_live(plan, &op->in[i], program->n);
    for (size_t i = 0; i < ASY_OP_OUTS; i++)
        asy__plan_live(plan, &op->out[i], program->n);
    program->n++;
}

/* Whether a layer below end, other than except, has this gradient. */
static int is_shared(const struct asy__plan *plan, struct asy_operand dy, size_t end, size_t except)
{
    for (size_t l = 0; l < end; l++)
        if (l != except && asy__is_same(plan->net->layers[l].dy, dy))
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
    if (asy__is_same(sum, dx) || is_shared(plan, sum, layer->number + 1, from->number))
        sum = asy__plan_value(plan, n, 0);
    asy__plan_emit(plan, &(struct asy_op){ .kind = ASY_OP_ADD, .per_row = 1, .n = { n },
                                           .in = { from->dy, dx }, .out = { sum } });
    from->dy = sum;
}

void asy__plan_merge(struct asy__plan *plan, struct asy_operand x, struct asy_operand y, size_t at)
{
    struct asy__work *from = &plan->values[x.at], *to = &plan->values[y.at];

    if (y.space != ASY_SPACE_WORK || to->last > at)
        return;
    for (size_t i = at; i < plan->program->n; i++) {
        struct asy_op *op = &plan->program->ops[i];

        for (size_t k = 0; k < ASY_OP_INS; k++)
            op->in[k] = asy__is_same(op->in[k], x) ? y : op->in[k];
        for (size_t k = 0; k < ASY_OP_OUTS; k++)
            op->out[k] = asy__is_same(op->out[k], x) ? y : op->out[k];
    }
    to->last = from->last;
    *from = (struct asy__work){ .first = SIZE_MAX };
}
