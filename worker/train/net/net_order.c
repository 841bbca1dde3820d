/* SPDX-License-Identifier: Apache-2.0
 * net_order.c - see net_order.h. A gradient is whole behind the last operation that writes to it;
 * of a dense layer's weights the rows are so one by one. */
#include "net_order.h"
#include <errno.h>
#include <stdlib.h>

struct asy__net_order {
    const struct asy__net *net;
    struct asy_comm_extent *extents;
    size_t n_extents;
    size_t *before; /* [operations + 1]: entries that are whole before each */
};

/* Values keep their places: each that either operation reads is there until the second is over, and
 * the one that is written has its room from the first on. */
static void weights_first(struct asy__net *net)
{
    for (size_t i = 0; i < net->train.n; i++) {
        struct asy_op *op = &net->train.ops[i], dx = *op;

        op->flags &= ~ASY_OP_LAST;
        if (op->kind != ASY_OP_DENSE_DX || i + 1 == net->train.n ||
            op[1].kind != ASY_OP_DENSE_DW || op[1].in[0].at != op->in[0].at)
            continue;
        op[0] = op[1];
        op[1] = dx;
        op[0].flags &= ~ASY_OP_LAST;
        i++;
    }
    for (size_t t = 0; t < net->n_tensors; t++)
        net->tensors[t].early = 0;
}

/* The number of the last operation that writes to a tensor's gradient. */
static size_t last_writer(const struct asy__program *program, size_t at)
{
    for (size_t i = program->n; i-- > 0;)
        for (size_t k = 0; k < ASY_OP_OUTS; k++)
            if (program->ops[i].out[k].space == ASY_SPACE_GRADS && program->ops[i].out[k].at == at)
                return i;
    return 0; /* nobody: it stays what it is */
}

/* A tensor with the gap behind it. */
static struct asy_comm_extent extent_of(const struct asy__tensor *tensor)
{
    return (struct asy_comm_extent){ tensor->at, (tensor->n + 15) / 16 * 16 };
}

static int fill(struct asy__net_order *order, size_t *writers, struct asy_error *err)
{
    const struct asy__net *net = order->net;
    size_t whole = 0;

    for (size_t t = 0; t < net->n_tensors; t++)
        writers[t] = last_writer(&net->train, net->tensors[t].at);
    for (size_t i = 0; i < net->train.n; i++) {
        order->before[i] = whole;
        for (size_t t = 0; t < net->n_tensors; t++)
            if (!net->tensors[t].is_buffer && writers[t] == i) {
                order->extents[order->n_extents] = extent_of(&net->tensors[t]);
                whole += order->extents[order->n_extents++].n;
            }
    }
    order->before[net->train.n] = whole;
    if (whole != net->n_params)
        return asy_fail(err, ASY_E_STATE, "%zu of %zu parameters have a gradient", whole,
                        net->n_params);
    return 0;
}

int asy__net_order_create(struct asy__net *net, struct asy__net_order **ret_order,
                          struct asy_error *err)
{
    struct asy__net_order *order = calloc(1, sizeof *order);
    size_t *writers = calloc(net->n_tensors + 1, sizeof *writers);
    int rc;

    if (!order || !writers ||
        !(order->extents = calloc(net->n_tensors + 1, sizeof *order->extents)) ||
        !(order->before = calloc(net->train.n + 1, sizeof *order->before))) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for the order of %zu gradients",
                      net->n_tensors);
        goto out;
    }
    order->net = net;
    weights_first(net);
    if ((rc = fill(order, writers, err)) < 0)
        goto out;
    *ret_order = order;
    order = NULL;
out:
    free(writers);
    asy__net_order_destroy(order);
    return rc;
}

void asy__net_order_destroy(struct asy__net_order *order)
{
    int saved = errno;

    if (!order)
        return;
    free(order->extents);
    free(order->before);
    free(order);
    errno = saved;
}

const struct asy_comm_extent *asy__net_order_get(const struct asy__net_order *order, size_t *ret_n)
{
    *ret_n = order->n_extents;
    return order->extents;
}

size_t asy__net_order_whole(const struct asy__net_order *order, const struct asy_op *op, size_t n)
{
    size_t i = (size_t)(op - order->net->train.ops);
    size_t from = order->before[i], to = order->before[i + 1];

    return n < to - from ? from + n : to;
}
