/* SPDX-License-Identifier: Apache-2.0
 * op_image.c - operations of images on the cpu. */
#include "op.h"
#include <asy/pool.h>

static struct asy_pool pool_of(const struct asy_op *op)
{
    const size_t *n = op->n;

    return (struct asy_pool){ n[0], n[1], n[2], n[3], n[4], n[5] };
}

static const uint8_t *bytes_in(const struct asy_op_cpu *cpu, const struct asy_op *op, int i)
{
    return (const uint8_t *)(const void *)in(cpu, op, i);
}

static uint8_t *bytes_out(const struct asy_op_cpu *cpu, const struct asy_op *op, int i)
{
    return (uint8_t *)(void *)out(cpu, op, i);
}

static void conv(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows)
{
    const float *x = in(cpu, op, 0), *w = in(cpu, op, 1), *b = in(cpu, op, 2);
    float *y = out(cpu, op, 0), *z = out(cpu, op, 1);
    struct asy_conv shape = asy__conv_of(op);

    if (cpu->plain)
        asy_conv_ref(&shape, op->act, rows, x, w, b, z, y);
    else
        asy_conv(&shape, op->act, rows, x, w, b, z, y, out(cpu, op, 2));
}

static void conv_dx(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows)
{
    struct asy_conv shape = asy__conv_of(op);

    if (cpu->plain)
        asy_conv_dx_ref(&shape, rows, in(cpu, op, 0), in(cpu, op, 1), out(cpu, op, 0));
    else
        asy_conv_dx(&shape, rows, in(cpu, op, 0), in(cpu, op, 1), out(cpu, op, 0),
                    out(cpu, op, 1));
}

static void conv_dw(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows)
{
    struct asy_conv shape = asy__conv_of(op);

    if (cpu->plain)
        asy_conv_dw_ref(&shape, rows, 0, in(cpu, op, 0), in(cpu, op, 1), out(cpu, op, 0));
    else
        asy_conv_dw(&shape, rows, 0, in(cpu, op, 0), in(cpu, op, 1), out(cpu, op, 0),
                    out(cpu, op, 1));
}

static void conv_pool(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows)
{
    struct asy_conv shape = asy__conv_of(op);

    (cpu->plain ? asy_conv_pool_ref : asy_conv_pool)(
        &shape, op->n[9], op->n[10], op->act, rows, in(cpu, op, 0), in(cpu, op, 1),
        in(cpu, op, 2), out(cpu, op, 0), bytes_out(cpu, op, 1), out(cpu, op, 2));
}

static void conv_pool_grad(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows)
{
    float *dx = op->out[1].space == ASY_SPACE_NONE ? NULL : out(cpu, op, 1);
    struct asy_conv shape = asy__conv_of(op);

    (cpu->plain ? asy_conv_pool_grad_ref : asy_conv_pool_grad)(
        &shape, op->n[9], op->n[10], rows, 0, in(cpu, op, 0), bytes_in(cpu, op, 1),
        in(cpu, op, 2), in(cpu, op, 3), out(cpu, op, 0), dx, out(cpu, op, 2));
}

static void max_pool(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows)
{
    struct asy_pool shape = pool_of(op);

    (cpu->plain ? asy_max_pool_ref : asy_max_pool)(&shape, rows, in(cpu, op, 0), out(cpu, op, 0),
                                                   bytes_out(cpu, op, 1));
}

static void max_pool_grad(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows)
{
    struct asy_pool shape = pool_of(op);

    (cpu->plain ? asy_max_pool_grad_ref : asy_max_pool_grad)(
        &shape, rows, in(cpu, op, 0), bytes_in(cpu, op, 1), out(cpu, op, 0));
}

static void mean_pool(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows)
{
    const float *from = in(cpu, op, 0);
    struct asy_pool shape = pool_of(op);
    float *to = out(cpu, op, 0);

    if (op->kind == ASY_OP_MEAN_POOL)
        (cpu->plain ? asy_mean_pool_ref : asy_mean_pool)(&shape, rows, from, to);
    else
        (cpu->plain ? asy_mean_pool_grad_ref : asy_mean_pool_grad)(&shape, rows, from, to);
}

static void global_mean(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows)
{
    const float *from = in(cpu, op, 0);
    float *to = out(cpu, op, 0);

    if (op->kind == ASY_OP_GLOBAL_MEAN)
        (cpu->plain ? asy_global_mean_ref : asy_global_mean)(rows, op->n[0], op->n[1], from, to);
    else
        (cpu->plain ? asy_global_mean_grad_ref : asy_global_mean_grad)(rows, op->n[0], op->n[1],
                                                                       from, to);
}

void asy__op_image(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows)
{
    switch (op->kind) {
    case ASY_OP_CONV:
        conv(op, cpu, rows);
        break;
    case ASY_OP_CONV_DX:
        conv_dx(op, cpu, rows);
        break;
    case ASY_OP_CONV_DW:
        conv_dw(op, cpu, rows);
        break;
    case ASY_OP_CONV_POOL:
        conv_pool(op, cpu, rows);
        break;
    case ASY_OP_CONV_POOL_GRAD:
        conv_pool_grad(op, cpu, rows);
        break;
    case ASY_OP_MAX_POOL:
        max_pool(op, cpu, rows);
        break;
    case ASY_OP_MAX_POOL_GRAD:
        max_pool_grad(op, cpu, rows);
        break;
    case ASY_OP_MEAN_POOL:
    case ASY_OP_MEAN_POOL_GRAD:
        mean_pool(op, cpu, rows);
        break;
    case ASY_OP_GLOBAL_MAX:
        asy_global_max(rows, op->n[0], op->n[1], in(cpu, op, 0), out(cpu, op, 0));
        break;
    case ASY_OP_GLOBAL_MAX_GRAD:
        asy_global_max_grad(rows, op->n[0], op->n[1], in(cpu, op, 0), in(cpu, op, 1),
                            in(cpu, op, 2), out(cpu, op, 0));
        break;
    default:
        global_mean(op, cpu, rows);
        break;
    }
}
