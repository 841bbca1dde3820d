/* SPDX-License-Identifier: Apache-2.0
 * exec_norm.c - batch normalisation, of a batch that is here as a whole; and what the gradients of
 * both normalisations sum over the rows. */
#include "exec.h"
#include <asy/batch_norm.h>

/* dscale and dshift of op, an ..._NORM_GRAD: statistics as norm_parts takes them. */
int asy__norm_sums(const struct asy__pass *pass, const struct asy_op *op, size_t rows,
                   size_t by_row, size_t by_column, size_t second, struct asy_error *err)
{
    size_t n = op->n[0], chunk = asy__column_chunk(rows), chunks = asy__column_chunks(rows);
    int rc = RUN(pass, err, norm_parts, asy__groups(n, 64), chunks, 1, ARG_IN(pass, op, 0),
                 ARG_IN(pass, op, 1), ARG_IN(pass, op, 3), ARG_U32(by_row), ARG_U32(by_column),
                 ARG_U32(second), ARG_MEM(pass->room), ARG_U32(rows), ARG_U32(n), ARG_U32(chunk));

    return rc ? rc : RUN(pass, err, norm_total, asy__groups(n, 64), 1, 1, ARG_MEM(pass->room),
                         ARG_U32(chunks), ARG_U32(n), ARG_OUT(pass, op, 1), ARG_OUT(pass, op, 2));
}

size_t asy__room_norm(const struct asy_op *op, size_t rows)
{
    return asy__column_chunks(rows) * 2 * op->n[0];
}

static int apply(const struct asy__pass *pass, const struct asy_op *op, size_t rows,
                 struct asy_error *err)
{
    size_t total = rows * op->n[0];

    return RUN(pass, err, batch_norm, asy__groups(total, 256), 1, 1, ARG_IN(pass, op, 0),
               ARG_IN(pass, op, 1), ARG_IN(pass, op, 2), ARG_OUT(pass, op, 1),
               ARG_OUT(pass, op, 0), ARG_U64(total), ARG_U32(op->n[0]));
}

/* Of no rows there is nothing to do: the running statistics stay. */
int asy__op_batch_norm(const struct asy__pass *pass, const struct asy_op *op,
                       const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    size_t n = op->n[0], chunk = asy__column_chunk(rows), chunks = asy__column_chunks(rows);
    int rc;

    (void)step;
    if (rows == 0)
        return 0;
    rc = RUN(pass, err, batch_parts, asy__groups(n, 64), chunks, 1, ARG_IN(pass, op, 0),
             ARG_MEM(pass->room), ARG_U32(rows), ARG_U32(n), ARG_U32(chunk));
    if (rc == 0)
        rc = RUN(pass, err, batch_stats, asy__groups(n, 64), 1, 1, ARG_MEM(pass->room),
                 ARG_U32(chunks), ARG_U32(rows), ARG_U32(n), ARG_U32(chunk), ARG_F32(op->value),
                 ARG_F32(ASY_BATCH_MOMENTUM), ARG_OUT(pass, op, 1), ARG_OUT(pass, op, 2),
                 ARG_OUT(pass, op, 3));
    return rc ? rc : apply(pass, op, rows, err);
}

int asy__op_batch_norm_eval(const struct asy__pass *pass, const struct asy_op *op,
                            const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    int rc = RUN(pass, err, batch_stats_of, asy__groups(op->n[0], 64), 1, 1, ARG_IN(pass, op, 3),
                 ARG_IN(pass, op, 4), ARG_OUT(pass, op, 1), ARG_U32(op->n[0]), ARG_F32(op->value));

    (void)step;
    return rc ? rc : apply(pass, op, rows, err);
}

int asy__op_batch_norm_grad(const struct asy__pass *pass, const struct asy_op *op,
                            const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    size_t n = op->n[0], total = rows * n;
    int rc = asy__norm_sums(pass, op, rows, 0, 1, n, err);

    (void)step;
    return rc ? rc : RUN(pass, err, batch_norm_grad, asy__groups(total, 256), 1, 1,
                         ARG_IN(pass, op, 0), ARG_IN(pass, op, 1), ARG_IN(pass, op, 2),
                         ARG_IN(pass, op, 3), ARG_OUT(pass, op, 0), ARG_OUT(pass, op, 1),
                         ARG_OUT(pass, op, 2), ARG_U64(total), ARG_U32(n),
                         ARG_F32(1 / (float)rows));
}
