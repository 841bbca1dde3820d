/* SPDX-License-Identifier: Apache-2.0
 * exec_norm.c - batch normalisation, and what the gradients of both normalisations sum over the
 * rows.
 *
 * A batch that is here as a whole stays on the device. Of one that lies in several places each adds
 * up its own rows there, two numbers a channel; the host reads them and joins them in double
 * precision, as the cpu does, and what they come to is sent back. */
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
    return (asy__column_chunks(rows) + 1) * 2 * op->n[0]; /* behind the parts: their total */
}

/* ---- with those of others -------------------------------------------------------------------- */

static float *pair_of(const struct asy__pass *pass, size_t n)
{
    return (float *)(void *)(pass->joined + asy_batch_sums_len(n));
}

/* The total of these rows, which a kernel has put behind its parts: to pair_of(). */
static int read_total(const struct asy__pass *pass, size_t rows, size_t n, struct asy_error *err)
{
    return asy__device_read(pass->device, pass->room, asy__column_chunks(rows) * 2 * n,
                            pair_of(pass, n), 2 * n, err);
}

/* That of all rows, to the beginning of the room. */
static int write_total(const struct asy__pass *pass, size_t n, struct asy_error *err)
{
    return asy__device_write(pass->device, pass->room, 0, pair_of(pass, n), 2 * n, err);
}

static int join(const struct asy__pass *pass, size_t n, struct asy_error *err)
{
    int rc = pass->join(pass->join_arg, pass->joined, asy_batch_sums_len(n), err);

    if (rc == 0 && pass->joined[2 * n] > UINT32_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "%.0f rows of a batch", pass->joined[2 * n]);
    return rc;
}

/* Of these rows: the sum of x, that of its squares, from means and what differs from them. */
static int sums_of(const struct asy__pass *pass, const struct asy_op *op, size_t rows,
                   struct asy_error *err)
{
    size_t n = op->n[0], chunk = asy__column_chunk(rows), chunks = asy__column_chunks(rows);
    const float *pair = pair_of(pass, n);
    double *sums = pass->joined;
    int rc;

    if ((rc = RUN(pass, err, batch_parts, asy__groups(n, 64), chunks, 1, ARG_IN(pass, op, 0),
                  ARG_MEM(pass->room), ARG_U32(rows), ARG_U32(n), ARG_U32(chunk))) ||
        (rc = RUN(pass, err, batch_total, asy__groups(n, 64), 1, 1, ARG_MEM(pass->room),
                  ARG_U32(chunks), ARG_U32(rows), ARG_U32(n), ARG_U32(chunk))) ||
        (rc = read_total(pass, rows, n, err)))
        return rc;
    for (size_t i = 0; i < n; i++) {
        sums[i] = (double)pair[i] * (double)rows;
        sums[n + i] = (double)pair[n + i] + (double)pair[i] * sums[i];
    }
    sums[2 * n] = (double)rows;
    return 0;
}

/* Leaves mean and squares of all rows in the room, as if they were one part of so many rows. */
static int join_moments(const struct asy__pass *pass, const struct asy_op *op, size_t rows,
                        size_t *ret_rows, struct asy_error *err)
{
    size_t n = op->n[0];
    float *pair = pair_of(pass, n);
    double *sums = pass->joined, all;
    int rc;

    if ((rc = sums_of(pass, op, rows, err)) || (rc = join(pass, n, err)))
        return rc;
    all = sums[2 * n];
    for (size_t i = 0; i < n; i++) {
        double mean = all > 0 ? sums[i] / all : 0, squares = sums[n + i] - mean * sums[i];

        pair[i] = (float)mean;
        pair[n + i] = (float)(squares < 0 ? 0 : squares); /* NaN stays */
    }
    *ret_rows = (size_t)all;
    return write_total(pass, n, err);
}

/* Leaves dscale and dshift of all rows in the room; op's own are of these. */
static int join_gradients(const struct asy__pass *pass, const struct asy_op *op, size_t rows,
                          size_t *ret_rows, struct asy_error *err)
{
    size_t n = op->n[0], chunks = asy__column_chunks(rows), total = chunks * 2 * n;
    float *pair = pair_of(pass, n);
    double *sums = pass->joined;
    int rc;

    if ((rc = RUN(pass, err, norm_total, asy__groups(n, 64), 1, 1, ARG_MEM(pass->room),
                  ARG_U32(chunks), ARG_U32(n), ARG_AT(pass->room, total),
                  ARG_AT(pass->room, total + n))) ||
        (rc = read_total(pass, rows, n, err)))
        return rc;
    for (size_t i = 0; i < 2 * n; i++)
        sums[i] = (double)pair[i];
    sums[2 * n] = (double)rows;
    if ((rc = join(pass, n, err)))
        return rc;
    for (size_t i = 0; i < 2 * n; i++)
        pair[i] = (float)sums[i];
    *ret_rows = (size_t)sums[2 * n];
    return write_total(pass, n, err);
}

/* ---- batch normalisation --------------------------------------------------------------------- */

static int apply(const struct asy__pass *pass, const struct asy_op *op, size_t rows,
                 struct asy_error *err)
{
    size_t total = rows * op->n[0];

    return RUN(pass, err, batch_norm, asy__groups(total, 256), 1, 1, ARG_IN(pass, op, 0),
               ARG_IN(pass, op, 1), ARG_IN(pass, op, 2), ARG_OUT(pass, op, 1),
               ARG_OUT(pass, op, 0), ARG_U64(total), ARG_U32(op->n[0]));
}

/* From parts in the room, of `chunk` rows each. */
static int stats_of(const struct asy__pass *pass, const struct asy_op *op, size_t rows,
                    size_t chunk, struct asy_error *err)
{
    size_t n = op->n[0];

    return RUN(pass, err, batch_stats, asy__groups(n, 64), 1, 1, ARG_MEM(pass->room),
               ARG_U32(asy__groups(rows, chunk)), ARG_U32(rows), ARG_U32(n), ARG_U32(chunk),
               ARG_F32(op->value), ARG_F32(ASY_BATCH_MOMENTUM), ARG_OUT(pass, op, 1),
               ARG_OUT(pass, op, 2), ARG_OUT(pass, op, 3));
}

/* Of no rows at all there is nothing to do: the running statistics stay. */
int asy__op_batch_norm(const struct asy__pass *pass, const struct asy_op *op,
                       const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    size_t n = op->n[0], all = rows, chunk = asy__column_chunk(rows);
    int rc = 0;

    (void)step;
    if (pass->join)
        rc = join_moments(pass, op, rows, &all, err);
    else if (rows > 0)
        rc = RUN(pass, err, batch_parts, asy__groups(n, 64), asy__column_chunks(rows), 1,
                 ARG_IN(pass, op, 0), ARG_MEM(pass->room), ARG_U32(rows), ARG_U32(n),
                 ARG_U32(chunk));
    if (rc == 0 && all > 0)
        rc = stats_of(pass, op, all, pass->join ? all : chunk, err);
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

static int grad(const struct asy__pass *pass, const struct asy_op *op, size_t rows, size_t all,
                struct asy__arg dscale, struct asy__arg dscale_at, struct asy__arg dshift,
                struct asy__arg dshift_at, struct asy_error *err)
{
    size_t n = op->n[0], total = rows * n;

    return RUN(pass, err, batch_norm_grad, asy__groups(total, 256), 1, 1, ARG_IN(pass, op, 0),
               ARG_IN(pass, op, 1), ARG_IN(pass, op, 2), ARG_IN(pass, op, 3), ARG_OUT(pass, op, 0),
               dscale, dscale_at, dshift, dshift_at, ARG_U64(total), ARG_U32(n),
               ARG_F32(1 / (float)all));
}

int asy__op_batch_norm_grad(const struct asy__pass *pass, const struct asy_op *op,
                            const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    size_t n = op->n[0], all;
    int rc = asy__norm_sums(pass, op, rows, 0, 1, n, err);

    (void)step;
    if (rc == 0 && !pass->join)
        return grad(pass, op, rows, rows, ARG_OUT(pass, op, 1), ARG_OUT(pass, op, 2), err);
    if (rc || (rc = join_gradients(pass, op, rows, &all, err)))
        return rc;
    return grad(pass, op, rows, all, ARG_AT(pass->room, 0), ARG_AT(pass->room, n), err);
}
