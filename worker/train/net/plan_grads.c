/* SPDX-License-Identifier: Apache-2.0
 * plan_grads.c - when the gradients of dense layers are whole, and which of them are made for all
 * parties at once. */
#include "plan.h"

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

void asy__plan_mark_early(struct asy__net *net)
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
            if (asy__is_same(program->ops[i].out[k], what))
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

void asy__plan_mark_joint(struct asy__plan *plan)
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
        asy__plan_live(plan, &op->in[0], net->train.n);
        asy__plan_live(plan, &op->in[1], net->train.n);
        for (size_t t = 0; t < net->n_tensors; t++)
            net->tensors[t].joint |= !net->tensors[t].is_buffer &&
                                     net->tensors[t].at == op->out[0].at;
    }
}
