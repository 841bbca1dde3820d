/* SPDX-License-Identifier: Apache-2.0
 * exec_tokens.c - operations of rows and tokens: dropout, layer norm, embeddings, attention. */
#include "exec.h"
#include <asy/rng.h>
#include <math.h>

#define DROP_GROUP 128 /* numbers of 16 blocks of Philox (asy/kernels.h) */

/* What its kernels share: those to drop are below `below` of 65536. */
static uint32_t drop_below(const struct asy_op *op)
{
    return (uint32_t)(op->value * 65536 + 0.5f);
}

#define DROP_RULE(op, step, layer)                                                                 \
    ARG_U32((step)->seed), ARG_U32((step)->seed >> 32), ARG_U32((step)->step),                     \
        ARG_U32((uint32_t)(layer) ^ (uint32_t)ASY_RNG_DROPOUT << 24), ARG_U32(drop_below(op)),     \
        ARG_F32(65536 / (65536 - (float)drop_below(op)))

int asy__op_dropout(const struct asy__pass *pass, const struct asy_op *op,
                    const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    uint64_t first = (uint64_t)step->first * op->per_row * op->n[0], n = (uint64_t)rows * op->n[0];
    uint64_t groups = n ? (first + n - 1) / DROP_GROUP - first / DROP_GROUP + 1 : 0;

    return RUN(pass, err, dropout, asy__groups(16 * groups, 256), 1, 1, ARG_IN(pass, op, 0),
               ARG_OUT(pass, op, 0), ARG_U64(n), ARG_U64(first), DROP_RULE(op, step, op->n[1]));
}

int asy__op_layer_norm(const struct asy__pass *pass, const struct asy_op *op,
                       const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    (void)step;
    return RUN(pass, err, layer_norm, rows, 1, 1, ARG_IN(pass, op, 0), ARG_IN(pass, op, 1),
               ARG_IN(pass, op, 2), ARG_OUT(pass, op, 0), ARG_OUT(pass, op, 1),
               ARG_U32(op->n[0]), ARG_F32(op->value));
}

/* The sums first: dx may be dy. */
int asy__op_layer_norm_grad(const struct asy__pass *pass, const struct asy_op *op,
                            const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    int rc = asy__norm_sums(pass, op, rows, 2, 0, 1, err);

    (void)step;
    return rc ? rc : RUN(pass, err, layer_norm_grad, rows, 1, 1, ARG_IN(pass, op, 0),
                         ARG_IN(pass, op, 1), ARG_IN(pass, op, 2), ARG_IN(pass, op, 3),
                         ARG_OUT(pass, op, 0), ARG_U32(op->n[0]));
}

int asy__op_embed(const struct asy__pass *pass, const struct asy_op *op,
                  const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    (void)step;
    return RUN(pass, err, embed, asy__groups(rows * op->n[1], 256), 1, 1, ARG_IN(pass, op, 0),
               ARG_IN(pass, op, 1), ARG_IN(pass, op, 2),
               ARG_I32(op->in[2].space != ASY_SPACE_NONE), ARG_OUT(pass, op, 0), ARG_U32(rows),
               ARG_U32(op->n[0]), ARG_U32(op->n[1]));
}

/* What is of places are sums of the columns of [sequences][tokens cols]. */
int asy__op_embed_grad(const struct asy__pass *pass, const struct asy_op *op,
                       const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    size_t tokens = op->n[0], cols = op->n[1];
    int rc = RUN(pass, err, embed_grad, op->n[2], asy__groups(cols, 128), 1, ARG_IN(pass, op, 0),
                 ARG_IN(pass, op, 1), ARG_OUT(pass, op, 0), ARG_I32((op->flags & ASY_OP_ADDS) != 0),
                 ARG_U32(rows), ARG_U32(cols));

    (void)step;
    if (rc || op->out[1].space == ASY_SPACE_NONE)
        return rc;
    return asy__column_sums(pass, rows / tokens, tokens * cols, ARG_IN(pass, op, 1),
                            ARG_OUT(pass, op, 1), err);
}

size_t asy__room_embed_grad(const struct asy_op *op, size_t rows)
{
    if (op->out[1].space == ASY_SPACE_NONE)
        return 0;
    return asy__column_room(rows / op->n[0], op->n[0] * op->n[1]);
}

/* The arguments that its kernels share. */
#define ATTENTION_SHAPE(op)                                                                        \
    ARG_U32((op)->n[0]), ARG_U32((op)->n[1]), ARG_U32((op)->n[2]),                                 \
        ARG_I32(((op)->flags & ASY_OP_CAUSAL) != 0), ARG_F32((float)(1 / sqrt((double)(op)->n[2])))

#define ATTENTION_DROP(op, step) ARG_U64((step)->first), DROP_RULE(op, step, (op)->n[3])

int asy__op_attention(const struct asy__pass *pass, const struct asy_op *op,
                      const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    size_t blocks = rows * op->n[1] * asy__groups(op->n[0], 32);
    int rc = RUN(pass, err, attention_stats, blocks, 1, 1, ARG_IN(pass, op, 0),
                 ARG_OUT(pass, op, 1), ATTENTION_SHAPE(op));

    return rc ? rc : RUN(pass, err, attention, blocks, asy__groups(op->n[2], 64), 1,
                         ARG_IN(pass, op, 0), ARG_OUT(pass, op, 1), ARG_OUT(pass, op, 0),
                         ATTENTION_SHAPE(op), ATTENTION_DROP(op, step));
}

int asy__op_attention_grad(const struct asy__pass *pass, const struct asy_op *op,
                           const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    size_t blocks = rows * op->n[1] * asy__groups(op->n[0], 32), widths = asy__groups(op->n[2], 64);
    int rc = RUN(pass, err, attention_mean, blocks, 1, 1, ARG_IN(pass, op, 0), ARG_IN(pass, op, 1),
                 ARG_IN(pass, op, 2), ARG_MEM(pass->room), ATTENTION_SHAPE(op),
                 ATTENTION_DROP(op, step));

    if (rc == 0)
        rc = RUN(pass, err, attention_dq, blocks, widths, 1, ARG_IN(pass, op, 0),
                 ARG_IN(pass, op, 1), ARG_IN(pass, op, 2), ARG_MEM(pass->room),
                 ARG_OUT(pass, op, 0), ATTENTION_SHAPE(op), ATTENTION_DROP(op, step));
    if (rc == 0)
        rc = RUN(pass, err, attention_dkv, blocks, widths, 1, ARG_IN(pass, op, 0),
                 ARG_IN(pass, op, 1), ARG_IN(pass, op, 2), ARG_MEM(pass->room),
                 ARG_OUT(pass, op, 0), ATTENTION_SHAPE(op), ATTENTION_DROP(op, step));
    return rc;
}

/* The mean of each query. */
size_t asy__room_attention_grad(const struct asy_op *op, size_t rows)
{
    return rows * op->n[0] * op->n[1];
}
