/* SPDX-License-Identifier: Apache-2.0
 * op_joint.c - gradients of several parties' rows at once: each makes a part of them all, from the
 * activations of all. Where these are fewer than the weights, that moves less than whole gradients
 * would, and who makes a part has its sum in registers. */
#include "op.h"
#include <asy/base.h>
#include <asy/gemm.h>

#define ROWS_MAX ((size_t)128) /* of a party: of more, taken tiles cost more than they save */

int asy_op_is_worth_joining(const struct asy_op *op, size_t rows, size_t parties)
{
    size_t all = rows * op->per_row;

    return op->kind == ASY_OP_DENSE_DW && parties > 1 && parties <= ASY_OP_PARTIES &&
           all <= ROWS_MAX && all * parties <= ASY_GEMM_SUMMED &&
           all * parties * op->n[0] + all * op->n[1] <= op->n[0] * op->n[1];
}

static const float *of(const struct asy_op_party *party, const struct asy_operand *operand)
{
    return (operand->space == ASY_SPACE_INPUT ? party->input : party->work) + operand->at;
}

/* Who takes a part of an operation's gradient. */
struct joint {
    const struct asy_op_taker *taker;
    size_t at, wide; /* of the part, and how long a row is */
};

static void take_block(void *arg, size_t i, size_t j, size_t rows, size_t cols, const float *g,
                       size_t g_row)
{
    const struct joint *to = arg;
    struct asy_block block = { rows, cols, to->wide, g_row };

    to->taker->take(to->taker->arg, to->at + i * to->wide + j, &block, g);
}

/* Rows from .. to of a dense layer's. */
static void join_rows(const struct asy_op *op, const struct asy_op_cpu *cpu,
                      const struct asy_op_party *parties, size_t n, size_t from, size_t to)
{
    const struct asy_op_taker *taker = cpu->taker;
    size_t wide = op->n[0], high = op->n[1];
    struct joint part = { taker, op->out[0].at + from * wide, wide };
    struct asy_gemm shape = { .trans_a = 1, .m = to - from, .n = wide, .lda = high, .ldb = wide,
                              .ldc = wide };
    struct asy_gemm_taker blocks = { .take = take_block, .arg = &part, .n_near = taker->n_near };
    struct asy_gemm_part parts[ASY_OP_PARTIES];

    for (size_t i = 0; i < taker->n_near; i++)
        blocks.near[i] = taker->near[i] + part.at;
    for (size_t i = 0; i < n; i++)
        parts[i] = (struct asy_gemm_part){ of(&parties[i], &op->in[0]) + from,
                                           of(&parties[i], &op->in[1]),
                                           parties[i].rows * op->per_row };
    asy_gemm_summed(&shape, n, parts, cpu->room, &blocks);
}

void asy_op_joint(const struct asy_op *program, size_t n_ops, const struct asy_op_cpu *cpu,
                  const struct asy_op_party *parties, size_t n, size_t index)
{
    ASY_ASSERT(n <= ASY_OP_PARTIES, "%zu parties are too many", n);
    for (const struct asy_op *op = program; op < program + n_ops; op++)
        if (op->flags & ASY_OP_JOINT)
            join_rows(op, cpu, parties, n, op->n[1] * index / n, op->n[1] * (index + 1) / n);
}
