/* SPDX-License-Identifier: Apache-2.0
 * op_batch.c - batch normalisation on the cpu: sums of these rows, those of the whole batch, the
 * rows. */
#include "op.h"
#include <asy/batch_norm.h>
#include <string.h>

/* Room for two sums: of these rows, and of all. */
static double *sums_at(const struct asy_op_cpu *cpu, const struct asy_op *op, int i, size_t half)
{
    return (double *)(void *)out(cpu, op, i) + half * asy_batch_sums_len(op->n[0]);
}

static const double *joined(const struct asy_op_cpu *cpu, const double *own, double *all, size_t n)
{
    if (!cpu->join)
        return own;
    memcpy(all, own, asy_batch_sums_len(n) * sizeof *all);
    cpu->join(cpu->join_arg, all, asy_batch_sums_len(n));
    return all;
}

static void norm(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows)
{
    double *own = sums_at(cpu, op, 4, 0), *all = sums_at(cpu, op, 4, 1);
    const float *x = in(cpu, op, 0);
    float *stats = out(cpu, op, 1);
    size_t n = op->n[0];

    (cpu->plain ? asy_batch_sums_ref : asy_batch_sums)(rows, n, x, own);
    asy_batch_stats(n, op->value, joined(cpu, own, all, n), stats, out(cpu, op, 2),
                    out(cpu, op, 3));
    (cpu->plain ? asy_batch_norm_ref : asy_batch_norm)(rows, n, x, stats, in(cpu, op, 1),
                                                       in(cpu, op, 2), out(cpu, op, 0));
}

static void norm_eval(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows)
{
    float *stats = out(cpu, op, 1);

    asy_batch_stats_of(op->n[0], op->value, in(cpu, op, 3), in(cpu, op, 4), stats);
    (cpu->plain ? asy_batch_norm_ref : asy_batch_norm)(rows, op->n[0], in(cpu, op, 0), stats,
                                                       in(cpu, op, 1), in(cpu, op, 2),
                                                       out(cpu, op, 0));
}

static void norm_grad(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows)
{
    double *own = sums_at(cpu, op, 3, 0), *all = sums_at(cpu, op, 3, 1);
    const float *dy = in(cpu, op, 0), *x = in(cpu, op, 1), *stats = in(cpu, op, 3);
    float *dscale = out(cpu, op, 1), *dshift = out(cpu, op, 2);
    size_t n = op->n[0];

    (cpu->plain ? asy_batch_grad_sums_ref : asy_batch_grad_sums)(rows, n, dy, x, stats, own);
    for (size_t i = 0; i < n; i++) {
        dshift[i] = (float)own[i];
        dscale[i] = (float)own[n + i];
    }
    (cpu->plain ? asy_batch_norm_grad_ref : asy_batch_norm_grad)(
        rows, n, dy, x, stats, in(cpu, op, 2), joined(cpu, own, all, n), out(cpu, op, 0));
}

void asy__op_batch(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows)
{
    if (op->kind == ASY_OP_BATCH_NORM)
        norm(op, cpu, rows);
    else if (op->kind == ASY_OP_BATCH_NORM_EVAL)
        norm_eval(op, cpu, rows);
    else
        norm_grad(op, cpu, rows);
}
