/* SPDX-License-Identifier: Apache-2.0
 * exec_dense.c - dense layers: their three products and what follows the first. */
#include "exec.h"

int asy__op_dense(const struct asy__pass *pass, const struct asy_op *op,
                  const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    size_t in = op->n[0], out = op->n[1];
    struct asy__product product = { rows, out, in, 0, 1, 0,
                                    pass->spaces[op->in[0].space], pass->spaces[op->in[1].space],
                                    pass->spaces[op->out[1].space],
                                    op->in[0].at, op->in[1].at, op->out[1].at, in, in, out };
    int keeps = op->out[0].space != op->out[1].space || op->out[0].at != op->out[1].at;
    int rc = asy__device_product(pass->device, &product, pass->room, pass->n_room, err);

    (void)step;
    if (rc)
        return rc;
    return RUN(pass, err, bias_act, asy__groups(rows * out, 256), 1, 1, ARG_OUT(pass, op, 1),
               ARG_IN(pass, op, 2), ARG_OUT(pass, op, 1), ARG_OUT(pass, op, 0), ARG_U64(rows * out),
               ARG_U32(out), ARG_U32(op->act), ARG_U32(keeps));
}

size_t asy__room_dense(const struct asy_op *op, size_t rows)
{
    return asy__product_room(rows, op->n[1], op->n[0]);
}

int asy__op_dense_dx(const struct asy__pass *pass, const struct asy_op *op,
                     const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    size_t in = op->n[0], out = op->n[1];
    struct asy__product product = { rows, in, out, 0, 0, 0,
                                    pass->spaces[op->in[0].space], pass->spaces[op->in[1].space],
                                    pass->spaces[op->out[0].space],
                                    op->in[0].at, op->in[1].at, op->out[0].at, out, in, in };

    (void)step;
    return asy__device_product(pass->device, &product, pass->room, pass->n_room, err);
}

size_t asy__room_dense_dx(const struct asy_op *op, size_t rows)
{
    return asy__product_room(rows, op->n[0], op->n[1]);
}

int asy__op_dense_dw(const struct asy__pass *pass, const struct asy_op *op,
                     const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    size_t in = op->n[0], out = op->n[1];
    struct asy__product product = { out, in, rows, 1, 0, 0,
                                    pass->spaces[op->in[0].space], pass->spaces[op->in[1].space],
                                    pass->spaces[op->out[0].space],
                                    op->in[0].at, op->in[1].at, op->out[0].at, out, in, in };

    (void)step;
    return asy__device_product(pass->device, &product, pass->room, pass->n_room, err);
}

size_t asy__room_dense_dw(const struct asy_op *op, size_t rows)
{
    return asy__product_room(op->n[1], op->n[0], rows);
}
