/* SPDX-License-Identifier: Apache-2.0
 * op.c - programs on the cpu: each record becomes calls of kernels with pointers.
 *
 * A table of functions was rejected: a switch is as fast, and shows in one place what runs. */
#include "op.h"
#include <asy/attention.h>
#include <asy/kernels.h>
#include <asy/loss.h>
#include <asy/norm.h>
#include <math.h>
#include <string.h>

static int is_bf16(const struct asy_op *op)
{
    return (op->flags & ASY_OP_BF16) != 0;
}

static void dense(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows)
{
    const float *x = in(cpu, op, 0), *w = in(cpu, op, 1), *b = in(cpu, op, 2);
    float *y = out(cpu, op, 0), *z = out(cpu, op, 1);

    if (cpu->plain) {
        (is_bf16(op) ? asy_bf16_dense_ref : asy_dense_ref)(rows, op->n[0], op->n[1], x, w, z);
        asy_bias_act_ref(op->act, rows, op->n[1], b, z, y);
        return;
    }
    (is_bf16(op) ? asy_bf16_dense : asy_dense)(rows, op->n[0], op->n[1], x, w, z, cpu->room);
    asy_bias_act(op->act, rows, op->n[1], b, z, y);
}

/* Between parts of a long product whoever waits for what comes from elsewhere has a look. */
#define ENTRIES_TOLD ((size_t)49152) /* of a gradient of weights at least: for each part x is */
#define ROWS_TOLD ((size_t)64)       /* packed anew */
#define STEPS_TOLD ((size_t)512)     /* rows of the batch: a few tenths of a millisecond */

static int tells(const struct asy_op *op, const struct asy_op_cpu *cpu)
{
    return cpu->between && !cpu->plain && !cpu->team && !is_bf16(op);
}

/* The rows of a product do not depend on each other, nor do their bits. */
static void dense_dx_told(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows)
{
    size_t wide = op->n[0], high = op->n[1], n;
    const float *dy = in(cpu, op, 0), *w = in(cpu, op, 1);
    float *dx = out(cpu, op, 0);

    for (size_t i = 0; i < rows; i += n) {
        n = rows - i < STEPS_TOLD ? rows - i : STEPS_TOLD;
        asy_dense_dx(n, wide, high, dy + i * high, w, dx + i * wide, cpu->room);
        if (i + n < rows)
            cpu->between(cpu->between_arg, op, 0);
    }
}

static void dense_dx(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows)
{
    const float *dy = in(cpu, op, 0), *w = in(cpu, op, 1);
    float *dx = out(cpu, op, 0);

    if (cpu->plain)
        (is_bf16(op) ? asy_bf16_dense_dx_ref : asy_dense_dx_ref)(rows, op->n[0], op->n[1], dy, w,
                                                                 dx);
    else if (tells(op, cpu) && asy_kernels_products() != ASY_PRODUCTS_BLAS)
        dense_dx_told(op, cpu, rows);
    else
        (is_bf16(op) ? asy_bf16_dense_dx : asy_dense_dx)(rows, op->n[0], op->n[1], dy, w, dx,
                                                         cpu->room);
}

/* Who takes a gradient of one operation. */
struct taken {
    const struct asy_op_taker *taker;
    size_t at, wide; /* of the whole */
};

static void take_block(void *arg, size_t i, size_t j, size_t rows, size_t cols, const float *g,
                       size_t g_row)
{
    const struct taken *to = arg;
    struct asy_block block = { rows, cols, to->wide, g_row };

    to->taker->take(to->taker->arg, to->at + i * to->wide + j, &block, g);
}

static void dense_dw_taken(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows)
{
    const struct asy_op_taker *taker = cpu->taker;
    size_t wide = op->n[0], high = op->n[1], at = op->out[0].at;
    const float *dy = in(cpu, op, 0), *x = in(cpu, op, 1);
    struct asy_gemm shape = { .trans_a = 1, .m = high, .n = wide, .k = rows, .lda = high,
                              .ldb = wide, .ldc = wide };
    struct taken to = { taker, at, wide };
    struct asy_gemm_taker blocks = { .take = take_block, .arg = &to, .n_near = taker->n_near };

    for (size_t i = 0; i < taker->n_near; i++)
        blocks.near[i] = taker->near[i] + at;
    if (cpu->plain) {
        asy_dense_dw_ref(rows, wide, high, dy, x, out(cpu, op, 0));
        take_block(&to, 0, 0, high, wide, out(cpu, op, 0), wide);
    } else {
        asy_gemm_taken(&shape, dy, x, out(cpu, op, 0), cpu->room, &blocks);
    }
}

/* Rows i.. of a gradient, n of them. Its sums rest in dw from part to part of the batch, which does
 * not change their bits; BLAS has another order within each. */
static void dense_dw_rows(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows,
                          size_t i, size_t n)
{
    size_t wide = op->n[0], high = op->n[1], some;
    size_t steps = asy_kernels_products() == ASY_PRODUCTS_BLAS ? rows : STEPS_TOLD;
    const float *dy = in(cpu, op, 0), *x = in(cpu, op, 1);

    for (size_t k = 0; k < rows; k += some) {
        struct asy_gemm shape = { .trans_a = 1, .add = k > 0, .m = n, .n = wide, .lda = high,
                                  .ldb = wide, .ldc = wide };

        some = shape.k = rows - k < steps ? rows - k : steps;
        asy_gemm(&shape, dy + k * high + i, x + k * wide, out(cpu, op, 0) + i * wide, cpu->room);
        if (k + some < rows)
            cpu->between(cpu->between_arg, op, i * wide);
    }
}

static void dense_dw_told(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows)
{
    size_t wide = op->n[0], high = op->n[1], n;
    size_t least = (ENTRIES_TOLD / wide + ROWS_TOLD - 1) / ROWS_TOLD * ROWS_TOLD;
    size_t most = least > ROWS_TOLD ? least : ROWS_TOLD;

    for (size_t i = 0; i < high; i += n) {
        n = high - i < most ? high - i : most;
        dense_dw_rows(op, cpu, rows, i, n);
        if (i + n < high)
            cpu->between(cpu->between_arg, op, (i + n) * wide);
    }
}

static void dense_dw(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows)
{
    const float *dy = in(cpu, op, 0), *x = in(cpu, op, 1);
    float *dw = out(cpu, op, 0);

    if (cpu->taker && op->flags & ASY_OP_LAST)
        dense_dw_taken(op, cpu, rows);
    else if (tells(op, cpu) && rows > 0)
        dense_dw_told(op, cpu, rows);
    else if (cpu->plain)
        (is_bf16(op) ? asy_bf16_dense_dw_ref : asy_dense_dw_ref)(rows, op->n[0], op->n[1], dy, x,
                                                                 dw);
    else
        (is_bf16(op) ? asy_bf16_dense_dw : asy_dense_dw)(rows, op->n[0], op->n[1], dy, x, dw,
                                                         cpu->room);
}

static void bias_act_grad(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows)
{
    const float *dy = in(cpu, op, 0), *from = in(cpu, op, 1);
    float *dz = out(cpu, op, 0), *db = out(cpu, op, 1);

    if (dz != dy)
        memcpy(dz, dy, rows * op->n[0] * sizeof *dz);
    (cpu->plain ? asy_bias_act_grad_ref : asy_bias_act_grad)(op->act, rows, op->n[0], from, from,
                                                             dz, db);
}

static void add(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows)
{
    const float *x[2] = { in(cpu, op, 0), in(cpu, op, 1) };

    (cpu->plain ? asy_sum_rows_ref : asy_sum_rows)(2, rows * op->n[0], x, out(cpu, op, 0));
}

static struct asy_dropout dropout_of(const struct asy_op *op, const struct asy_op_step *step,
                                     size_t layer)
{
    return (struct asy_dropout){ step->seed, (uint32_t)step->step, (uint32_t)layer, op->value };
}

static void dropout(const struct asy_op *op, const struct asy_op_cpu *cpu,
                    const struct asy_op_step *step, size_t rows)
{
    struct asy_dropout how = dropout_of(op, step, op->n[1]);
    uint64_t first = (uint64_t)step->first * op->per_row * op->n[0];

    (cpu->plain ? asy_dropout_ref : asy_dropout)(&how, first, rows * op->n[0], in(cpu, op, 0),
                                                 out(cpu, op, 0));
}

static void bias(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows)
{
    const float *x = in(cpu, op, 0);
    float *y = out(cpu, op, 0);

    if (y != x)
        memcpy(y, x, rows * op->n[0] * sizeof *y);
    (cpu->plain ? asy_bias_act_ref : asy_bias_act)(ASY_ACT_NONE, rows, op->n[0], in(cpu, op, 1), y,
                                                   y);
}

static void layer_norm(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows)
{
    (cpu->plain ? asy_layer_norm_ref : asy_layer_norm)(rows, op->n[0], op->value, in(cpu, op, 0),
                                                       in(cpu, op, 1), in(cpu, op, 2),
                                                       out(cpu, op, 0), out(cpu, op, 1));
}

static void layer_norm_grad(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows)
{
    (cpu->plain ? asy_layer_norm_grad_ref : asy_layer_norm_grad)(
        rows, op->n[0], 0, in(cpu, op, 1), in(cpu, op, 2), in(cpu, op, 3), in(cpu, op, 0),
        out(cpu, op, 0), out(cpu, op, 1), out(cpu, op, 2));
}

static void embed(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows)
{
    const float *place = op->in[2].space == ASY_SPACE_NONE ? NULL : in(cpu, op, 2);

    (cpu->plain ? asy_embed_ref : asy_embed)(rows, op->n[0], op->n[1], in(cpu, op, 0),
                                             in(cpu, op, 1), place, out(cpu, op, 0));
}

static void embed_grad(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows)
{
    float *dplace = op->out[1].space == ASY_SPACE_NONE ? NULL : out(cpu, op, 1);
    int adds = (op->flags & ASY_OP_ADDS) != 0;

    (cpu->plain ? asy_embed_grad_ref : asy_embed_grad)(rows, op->n[0], op->n[1], op->n[2], adds,
                                                       in(cpu, op, 0), in(cpu, op, 1),
                                                       out(cpu, op, 0), dplace);
}

static struct asy_attention attention_of(const struct asy_op *op, const struct asy_op_step *step,
                                         size_t rows, const struct asy_dropout *drop)
{
    return (struct asy_attention){ rows, op->n[0], op->n[1], op->n[2],
                                   (op->flags & ASY_OP_CAUSAL) != 0, op->value > 0 ? drop : NULL,
                                   step->first };
}

static void attention(const struct asy_op *op, const struct asy_op_cpu *cpu,
                      const struct asy_op_step *step, size_t rows)
{
    struct asy_dropout drop = dropout_of(op, step, op->n[3]);
    struct asy_attention shape = attention_of(op, step, rows, &drop);

    if (cpu->plain)
        asy_attention_ref(&shape, in(cpu, op, 0), out(cpu, op, 0), out(cpu, op, 1));
    else
        asy_attention(&shape, in(cpu, op, 0), out(cpu, op, 0), out(cpu, op, 1), out(cpu, op, 2),
                      cpu->room);
}

static void attention_grad(const struct asy_op *op, const struct asy_op_cpu *cpu,
                           const struct asy_op_step *step, size_t rows)
{
    struct asy_dropout drop = dropout_of(op, step, op->n[3]);
    struct asy_attention shape = attention_of(op, step, rows, &drop);

    if (cpu->plain)
        asy_attention_grad_ref(&shape, in(cpu, op, 0), in(cpu, op, 1), in(cpu, op, 2),
                               out(cpu, op, 0));
    else
        asy_attention_grad(&shape, in(cpu, op, 0), in(cpu, op, 1), in(cpu, op, 2),
                           out(cpu, op, 0), out(cpu, op, 1), cpu->room);
}

static void loss(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows, float scale)
{
    const float *y = in(cpu, op, 0);
    float *dy = out(cpu, op, 0);

    if (dy != y)
        memcpy(dy, y, rows * op->n[0] * sizeof *dy);
    asy_op_loss(op, cpu, rows, dy, scale);
}

static void pair(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows)
{
    const float *x = in(cpu, op, 0);
    float *y = out(cpu, op, 0);

    for (size_t i = 0; i < rows; i++) {
        y[2 * i] = 0;
        y[2 * i + 1] = x[i];
    }
}

static int is_of_classes(const struct asy_op *op)
{
    return op->kind == ASY_OP_SOFTMAX_LOSS || op->kind == ASY_OP_CLASS_LOSS ||
           op->kind == ASY_OP_BINARY_LOSS;
}

static double loss_of_classes(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows,
                              float *out, float scale)
{
    struct asy_class_loss how = { 0, NULL };
    uint64_t correct = 0;
    double loss;

    if (op->kind != ASY_OP_SOFTMAX_LOSS)
        how = (struct asy_class_loss){ op->value, cpu->class_weights };
    if (op->kind == ASY_OP_BINARY_LOSS)
        loss = (cpu->plain ? asy_binary_loss_ref : asy_binary_loss)(&how, rows, out, cpu->label,
                                                                    scale, &correct);
    else
        loss = (cpu->plain ? asy_class_loss_ref : asy_class_loss)(&how, rows, op->n[0], out,
                                                                  cpu->label, scale, &correct);
    cpu->sums[ASY_SUM_CORRECT] += (double)correct;
    return loss;
}

/* Of what is told by the sums beside the loss, before out is lost. */
static void add_errors(const float *target, size_t rows, const float *out, double *sums)
{
    for (size_t i = 0; i < rows; i++) {
        double t = (double)target[i], d = (double)out[i] - t;

        sums[ASY_SUM_ABSOLUTE] += fabs(d);
        sums[ASY_SUM_TARGET] += t;
        sums[ASY_SUM_TARGET_SQUARED] += t * t;
        sums[ASY_SUM_SQUARED] += d * d;
    }
}

static double loss_of_numbers(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows,
                              float *out, float scale)
{
    add_errors(cpu->target, rows, out, cpu->sums);
    if (op->kind == ASY_OP_HUBER_LOSS)
        return (cpu->plain ? asy_huber_loss_ref : asy_huber_loss)(op->value, rows, out, cpu->target,
                                                                  scale);
    if (op->kind == ASY_OP_QUANTILE_LOSS)
        return (cpu->plain ? asy_quantile_loss_ref : asy_quantile_loss)(op->value, rows, out,
                                                                        cpu->target, scale);
    return (cpu->plain ? asy_squared_loss_ref : asy_squared_loss)(rows, out, cpu->target, scale);
}

void asy_op_loss(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows, float *out,
                 float scale)
{
    int classes = is_of_classes(op);

    cpu->sums[ASY_SUM_ROWS] += (double)rows;
    cpu->sums[ASY_SUM_LOSS] += classes ? loss_of_classes(op, cpu, rows, out, scale)
                                       : loss_of_numbers(op, cpu, rows, out, scale);
}

void asy__op_one(const struct asy_op *op, const struct asy_op_cpu *cpu,
                 const struct asy_op_step *step)
{
    size_t rows = step->rows * op->per_row;

    switch (op->kind) {
    case ASY_OP_DENSE:
        dense(op, cpu, rows);
        break;
    case ASY_OP_DENSE_DX:
        dense_dx(op, cpu, rows);
        break;
    case ASY_OP_DENSE_DW:
        dense_dw(op, cpu, rows);
        break;
    case ASY_OP_BIAS_ACT_GRAD:
        bias_act_grad(op, cpu, rows);
        break;
    case ASY_OP_COLUMN_SUMS:
        (cpu->plain ? asy_column_sums_ref : asy_column_sums)(rows, op->n[0], in(cpu, op, 0),
                                                             out(cpu, op, 0));
        break;
    case ASY_OP_ADD:
        add(op, cpu, rows);
        break;
    case ASY_OP_ACT:
        (cpu->plain ? asy_act_ref : asy_act)(op->act, rows * op->n[0], in(cpu, op, 0),
                                             out(cpu, op, 0));
        break;
    case ASY_OP_ACT_GRAD:
        (cpu->plain ? asy_act_grad_ref : asy_act_grad)(
            op->act, rows * op->n[0], in(cpu, op, 1), in(cpu, op, 0), out(cpu, op, 0));
        break;
    case ASY_OP_SOFTMAX:
        (cpu->plain ? asy_softmax_ref : asy_softmax)(rows, op->n[0], in(cpu, op, 0),
                                                     out(cpu, op, 0));
        break;
    case ASY_OP_SOFTMAX_GRAD:
        (cpu->plain ? asy_softmax_grad_ref : asy_softmax_grad)(
            rows, op->n[0], in(cpu, op, 1), in(cpu, op, 0), out(cpu, op, 0));
        break;
    case ASY_OP_DROPOUT:
        dropout(op, cpu, step, rows);
        break;
    case ASY_OP_BIAS:
        bias(op, cpu, rows);
        break;
    case ASY_OP_LAYER_NORM:
        layer_norm(op, cpu, rows);
        break;
    case ASY_OP_LAYER_NORM_GRAD:
        layer_norm_grad(op, cpu, rows);
        break;
    case ASY_OP_EMBED:
        embed(op, cpu, rows);
        break;
    case ASY_OP_EMBED_GRAD:
        embed_grad(op, cpu, rows);
        break;
    case ASY_OP_ATTENTION:
        attention(op, cpu, step, rows);
        break;
    case ASY_OP_ATTENTION_GRAD:
        attention_grad(op, cpu, step, rows);
        break;
    case ASY_OP_CONV:
    case ASY_OP_CONV_DX:
    case ASY_OP_CONV_DW:
    case ASY_OP_CONV_POOL:
    case ASY_OP_CONV_POOL_GRAD:
    case ASY_OP_MAX_POOL:
    case ASY_OP_MAX_POOL_GRAD:
    case ASY_OP_MEAN_POOL:
    case ASY_OP_MEAN_POOL_GRAD:
    case ASY_OP_GLOBAL_MEAN:
    case ASY_OP_GLOBAL_MEAN_GRAD:
    case ASY_OP_GLOBAL_MAX:
    case ASY_OP_GLOBAL_MAX_GRAD:
        asy__op_image(op, cpu, rows);
        break;
    case ASY_OP_BATCH_NORM:
    case ASY_OP_BATCH_NORM_EVAL:
    case ASY_OP_BATCH_NORM_GRAD:
        asy__op_batch(op, cpu, rows);
        break;
    case ASY_OP_SOFTMAX_LOSS:
    case ASY_OP_SQUARED_LOSS:
    case ASY_OP_CLASS_LOSS:
    case ASY_OP_BINARY_LOSS:
    case ASY_OP_HUBER_LOSS:
    case ASY_OP_QUANTILE_LOSS:
        loss(op, cpu, rows, step->scale);
        break;
    case ASY_OP_PAIR:
        pair(op, cpu, rows);
        break;
    }
}

void asy_op_run(const struct asy_op *program, size_t n, const struct asy_op_cpu *cpu,
                const struct asy_op_step *step)
{
    for (const struct asy_op *op = program; op < program + n; op++) {
        if (cpu->joint && op->flags & ASY_OP_JOINT)
            continue;
        if (!asy__op_team(op, cpu, step))
            asy__op_one(op, cpu, step);
        if (cpu->between)
            cpu->between(cpu->between_arg, op, SIZE_MAX);
    }
}
