/* SPDX-License-Identifier: Apache-2.0
 * exec.c - what devices have of the operations of asy/op.h.
 *
 * A table, where cpu/op.c has a switch: a program is looked at once when a net is made, for what it
 * lacks and for the room that it wants, and what is not in the table is refused by name. */
#include "exec.h"
#include <asy/batch_norm.h>

static const struct asy__op_entry table[] = {
    [ASY_OP_DENSE] = { "dense", asy__op_dense, asy__room_dense },
    [ASY_OP_DENSE_DX] = { "dense-dx", asy__op_dense_dx, asy__room_dense_dx },
    [ASY_OP_DENSE_DW] = { "dense-dw", asy__op_dense_dw, asy__room_dense_dw },
    [ASY_OP_BIAS_ACT_GRAD] = { "bias-act-grad", asy__op_bias_act_grad, asy__room_columns },
    [ASY_OP_COLUMN_SUMS] = { "column-sums", asy__op_column_sums, asy__room_columns },
    [ASY_OP_ADD] = { "add", asy__op_add, NULL },
    [ASY_OP_ACT] = { "act", asy__op_act, NULL },
    [ASY_OP_ACT_GRAD] = { "act-grad", asy__op_act_grad, NULL },
    [ASY_OP_SOFTMAX] = { "softmax", asy__op_softmax, NULL },
    [ASY_OP_SOFTMAX_GRAD] = { "softmax-grad", asy__op_softmax_grad, NULL },
    [ASY_OP_DROPOUT] = { "dropout", asy__op_dropout, NULL },
    [ASY_OP_LAYER_NORM] = { "layer-norm", asy__op_layer_norm, NULL },
    [ASY_OP_LAYER_NORM_GRAD] = { "layer-norm-grad", asy__op_layer_norm_grad, asy__room_norm },
    [ASY_OP_BIAS] = { "bias", asy__op_bias, NULL },
    [ASY_OP_EMBED] = { "embed", asy__op_embed, NULL },
    [ASY_OP_EMBED_GRAD] = { "embed-grad", asy__op_embed_grad, asy__room_embed_grad },
    [ASY_OP_ATTENTION] = { "attention", asy__op_attention, NULL },
    [ASY_OP_ATTENTION_GRAD] = { "attention-grad", asy__op_attention_grad,
                               asy__room_attention_grad },
    [ASY_OP_CONV] = { "conv", asy__op_conv, NULL },
    [ASY_OP_CONV_DX] = { "conv-dx", asy__op_conv_dx, NULL },
    [ASY_OP_CONV_DW] = { "conv-dw", asy__op_conv_dw, asy__room_conv_dw },
    [ASY_OP_CONV_POOL] = { "conv-pool", asy__op_conv_pool, NULL },
    [ASY_OP_CONV_POOL_GRAD] = { "conv-pool-grad", asy__op_conv_pool_grad, asy__room_conv_dw },
    [ASY_OP_MAX_POOL] = { "max-pool", asy__op_max_pool, NULL },
    [ASY_OP_MAX_POOL_GRAD] = { "max-pool-grad", asy__op_max_pool_grad, NULL },
    [ASY_OP_MEAN_POOL] = { "mean-pool", asy__op_mean_pool, NULL },
    [ASY_OP_MEAN_POOL_GRAD] = { "mean-pool-grad", asy__op_mean_pool_grad, NULL },
    [ASY_OP_GLOBAL_MEAN] = { "global-mean", asy__op_global_mean, NULL },
    [ASY_OP_GLOBAL_MEAN_GRAD] = { "global-mean-grad", asy__op_global_mean_grad, NULL },
    [ASY_OP_GLOBAL_MAX] = { "global-max", asy__op_global_max, NULL },
    [ASY_OP_GLOBAL_MAX_GRAD] = { "global-max-grad", asy__op_global_max_grad, NULL },
    [ASY_OP_BATCH_NORM] = { "batch-norm", asy__op_batch_norm, asy__room_norm },
    [ASY_OP_BATCH_NORM_EVAL] = { "batch-norm-eval", asy__op_batch_norm_eval, NULL },
    [ASY_OP_BATCH_NORM_GRAD] = { "batch-norm-grad", asy__op_batch_norm_grad, asy__room_norm },
    [ASY_OP_SOFTMAX_LOSS] = { "softmax-loss", asy__op_loss, asy__room_loss },
    [ASY_OP_SQUARED_LOSS] = { "squared-loss", asy__op_loss, asy__room_loss },
    [ASY_OP_CLASS_LOSS] = { "class-loss", asy__op_loss, asy__room_loss },
    [ASY_OP_BINARY_LOSS] = { "binary-loss", asy__op_loss, asy__room_loss },
    [ASY_OP_HUBER_LOSS] = { "huber-loss", asy__op_loss, asy__room_loss },
    [ASY_OP_QUANTILE_LOSS] = { "quantile-loss", asy__op_loss, asy__room_loss },
    [ASY_OP_PAIR] = { "pair", asy__op_pair, NULL },
};

int asy__exec_check(const struct asy_op *program, size_t n, size_t batch, size_t *ret_room,
                    struct asy_error *err)
{
    size_t room = 0;

    for (size_t i = 0; i < n; i++) {
        const struct asy_op *op = &program[i];
        size_t rows, want;

        ASY_ASSERT((size_t)op->kind < ASY_ARRAY_LEN(table), "operation %d", (int)op->kind);
        if (!table[op->kind].run)
            return asy_fail(err, ASY_E_UNSUPPORTED, "devices do not have the operation '%s'",
                            table[op->kind].name);
        if (op->flags & ASY_OP_BF16)
            return asy_fail(err, ASY_E_UNSUPPORTED,
                            "devices do not compute in mixed precision (operation '%s')",
                            table[op->kind].name);
        if (op->flags & ~(ASY_OP_ADDS | ASY_OP_CAUSAL | ASY_OP_LAST))
            return asy_fail(err, ASY_E_UNSUPPORTED,
                            "devices do not have the operation '%s' with flags %#x",
                            table[op->kind].name, op->flags);
        if (__builtin_mul_overflow(batch, op->per_row, &rows) || rows > UINT32_MAX)
            return asy_fail(err, ASY_E_TOOBIG, "%zu rows with %zu entries of '%s' each", batch,
                            op->per_row, table[op->kind].name);
        want = table[op->kind].room ? table[op->kind].room(op, rows) : 0;
        if (want > room)
            room = want;
    }
    *ret_room = room;
    return 0;
}

size_t asy__exec_joined(const struct asy_op *program, size_t n)
{
    size_t most = 0;

    for (const struct asy_op *op = program; op < program + n; op++)
        if ((op->kind == ASY_OP_BATCH_NORM || op->kind == ASY_OP_BATCH_NORM_GRAD) &&
            asy_batch_sums_len(op->n[0]) + op->n[0] > most)
            most = asy_batch_sums_len(op->n[0]) + op->n[0];
    return most;
}

int asy__exec_run(const struct asy__pass *pass, const struct asy_op *program, size_t n,
                  const struct asy_op_step *step, struct asy_error *err)
{
    for (const struct asy_op *op = program; op < program + n; op++) {
        int rc = table[op->kind].run(pass, op, step, step->rows * op->per_row, err);

        if (rc) {
            asy_error_prefix(err, "operation '%s'", table[op->kind].name);
            return rc;
        }
    }
    return 0;
}
