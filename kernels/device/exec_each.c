/* SPDX-License-Identifier: Apache-2.0
 * exec_each.c - elementwise operations, the softmax, and sums of columns. */
#include "exec.h"

#define CHUNK 64      /* rows of a part of a column's sum */
#define CHUNKS_MAX 64 /* parts; beyond it they grow longer */

/* The numbers in source/each.clc. */
_Static_assert(ASY_ACT_NONE == 0 && ASY_ACT_RELU == 1 && ASY_ACT_TANH == 2 && ASY_ACT_GELU == 3 &&
                   ASY_ACT_SIGMOID == 4 && ASY_ACT_SILU == 5 && ASY_ACT_LEAKY_RELU == 6,
               "activations are numbered as in each.clc");

size_t asy__column_chunk(size_t rows)
{
    size_t chunk = asy__groups(rows, CHUNKS_MAX);

    return chunk > CHUNK ? chunk : CHUNK;
}

size_t asy__column_chunks(size_t rows)
{
    return rows ? asy__groups(rows, asy__column_chunk(rows)) : 1;
}

size_t asy__column_room(size_t rows, size_t cols)
{
    return asy__column_chunks(rows) * cols;
}

int asy__column_sums(const struct asy__pass *pass, size_t rows, size_t cols, struct asy__arg x,
                     struct asy__arg x_at, struct asy__arg sums, struct asy__arg sums_at,
                     struct asy_error *err)
{
    size_t chunk = asy__column_chunk(rows), chunks = asy__column_chunks(rows);
    int rc;

    if (chunks == 1)
        return RUN(pass, err, column_parts, asy__groups(cols, 64), 1, 1, x, x_at, sums, sums_at,
                   ARG_U32(rows), ARG_U32(cols), ARG_U32(chunk));
    rc = RUN(pass, err, column_parts, asy__groups(cols, 64), chunks, 1, x, x_at,
             ARG_AT(pass->room, 0), ARG_U32(rows), ARG_U32(cols), ARG_U32(chunk));
    return rc ? rc : RUN(pass, err, column_total, asy__groups(cols, 64), 1, 1, ARG_MEM(pass->room),
                         ARG_U32(chunks), ARG_U32(cols), sums, sums_at);
}

int asy__op_column_sums(const struct asy__pass *pass, const struct asy_op *op,
                        const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    (void)step;
    return asy__column_sums(pass, rows, op->n[0], ARG_IN(pass, op, 0), ARG_OUT(pass, op, 0), err);
}

size_t asy__room_columns(const struct asy_op *op, size_t rows)
{
    return asy__column_room(rows, op->n[0]);
}

int asy__op_act_grad(const struct asy__pass *pass, const struct asy_op *op,
                     const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    size_t n = rows * op->n[0];

    (void)step;
    return RUN(pass, err, act_grad, asy__groups(n, 256), 1, 1, ARG_IN(pass, op, 0),
               ARG_IN(pass, op, 1), ARG_OUT(pass, op, 0), ARG_U64(n), ARG_U32(op->act));
}

int asy__op_bias_act_grad(const struct asy__pass *pass, const struct asy_op *op,
                          const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    int rc = asy__op_act_grad(pass, op, step, rows, err);

    return rc ? rc : asy__column_sums(pass, rows, op->n[0], ARG_OUT(pass, op, 0),
                                      ARG_OUT(pass, op, 1), err);
}

int asy__op_add(const struct asy__pass *pass, const struct asy_op *op,
                const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    size_t n = rows * op->n[0];

    (void)step;
    return RUN(pass, err, add, asy__groups(n, 256), 1, 1, ARG_IN(pass, op, 0), ARG_IN(pass, op, 1),
               ARG_OUT(pass, op, 0), ARG_U64(n));
}

int asy__op_act(const struct asy__pass *pass, const struct asy_op *op,
                const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    size_t n = rows * op->n[0];

    (void)step;
    return RUN(pass, err, act, asy__groups(n, 256), 1, 1, ARG_IN(pass, op, 0),
               ARG_OUT(pass, op, 0), ARG_U64(n), ARG_U32(op->act));
}

int asy__op_bias(const struct asy__pass *pass, const struct asy_op *op,
                 const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    size_t n = rows * op->n[0];

    (void)step;
    return RUN(pass, err, bias_act, asy__groups(n, 256), 1, 1, ARG_IN(pass, op, 0),
               ARG_IN(pass, op, 1), ARG_OUT(pass, op, 0), ARG_OUT(pass, op, 0), ARG_U64(n),
               ARG_U32(op->n[0]), ARG_U32(ASY_ACT_NONE), ARG_U32(0));
}

int asy__op_softmax(const struct asy__pass *pass, const struct asy_op *op,
                    const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    (void)step;
    return RUN(pass, err, softmax, rows, 1, 1, ARG_IN(pass, op, 0), ARG_OUT(pass, op, 0),
               ARG_U32(op->n[0]));
}

int asy__op_softmax_grad(const struct asy__pass *pass, const struct asy_op *op,
                         const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    (void)step;
    return RUN(pass, err, softmax_grad, rows, 1, 1, ARG_IN(pass, op, 0), ARG_IN(pass, op, 1),
               ARG_OUT(pass, op, 0), ARG_U32(op->n[0]));
}
