/* SPDX-License-Identifier: Apache-2.0
 * op_team.c - one operation on all threads of a team.
 *
 * Most operations treat each row of the batch by itself: a member runs the whole operation on rows
 * of its own. Where a dense layer has fewer rows than columns, it takes columns, so that each
 * member reads its part of the weights alone. Gradients of weights are sums over all rows, in the
 * order of these, so there the result is divided, by its rows or columns. Each number is computed
 * as one thread would, which is why bits do not depend on the team. Sums that all numbers of the
 * batch go into (losses, statistics of a batch, layer norm's gradients) stay on one thread, and so
 * does what is too small to pay for the threads' meeting.
 *
 * Members meet after each operation. Letting each go on with its rows was rejected: values of WORK
 * lie where others lay before, in rows of other lengths. */
#include "op.h"
#include <string.h>
#include <asy/attention.h>
#include <asy/conv.h>
#include <asy/pool.h>
#include "fused.h"
#include "round.h"

#define LEAST ((size_t)32768) /* work, in numbers passed over, from which on members gain */
#define MULTIPLIES 16         /* so many multiply-adds of a product take as long as one of these */
#define GRAIN ((size_t)16)    /* columns: a cache line's */

/* What a row of the batch takes of each operand, in floats; 0: it is the same for all rows. */
struct rows {
    size_t in[ASY_OP_INS], out[ASY_OP_OUTS];
    size_t grain;         /* rows that begin at whole floats */
    size_t own;           /* floats of an operand that is a thread's own */
    int own_at;           /* which of out */
    size_t work;          /* of a row */
};

static int of_dense(const struct asy_op *op, struct rows *r)
{
    size_t n = op->per_row;
    int forward = op->kind == ASY_OP_DENSE;

    r->in[0] = n * op->n[!forward];
    r->out[0] = n * op->n[forward];
    r->out[1] = forward ? r->out[0] : 0;
    r->work = n * op->n[0] * op->n[1] / MULTIPLIES;
    return 1;
}

/* Operands of n numbers a row: so many of in, and the first of out. */
static int of_numbers(const struct asy_op *op, int ins, struct rows *r)
{
    for (int i = 0; i < ins; i++)
        r->in[i] = op->per_row * op->n[0];
    r->out[0] = r->work = op->per_row * op->n[0];
    return 1;
}

static int of_attention(const struct asy_op *op, struct rows *r)
{
    size_t tokens = op->n[0], y = tokens * op->n[1] * op->n[2], stats = 2 * tokens * op->n[1];

    r->in[0] = 3 * y;
    if (op->kind == ASY_OP_ATTENTION) {
        r->out[0] = y;
        r->out[1] = stats;
        r->own_at = 2;
    } else {
        r->in[1] = stats;
        r->in[2] = y;
        r->out[0] = 3 * y;
        r->own_at = 1;
    }
    r->own = asy_attention_scores(tokens);
    r->work = y * tokens / (MULTIPLIES / 2);
    return 1;
}

static int of_conv(const struct asy_op *op, struct rows *r)
{
    struct asy_conv c = asy__conv_of(op);
    size_t x = c.h * c.w * c.in, y = asy_conv_h(&c) * asy_conv_w(&c) * c.out;

    r->own = asy_conv_room(&c);
    r->work = y * c.kh * c.kw * (c.in / c.groups) / MULTIPLIES;
    if (op->kind == ASY_OP_CONV) {
        r->in[0] = x;
        r->out[0] = r->out[1] = y;
        r->own_at = 2;
    } else {
        r->in[0] = y;
        r->out[0] = x;
        r->own_at = 1;
    }
    return 1;
}

/* Beside the pooled numbers, a byte for each. */
static int of_conv_pool(const struct asy_op *op, struct rows *r)
{
    struct asy_conv c = asy__conv_of(op);
    struct asy_pool p = { asy_conv_h(&c), asy_conv_w(&c), c.out, op->n[9], op->n[10], 0 };

    r->in[0] = c.h * c.w * c.in;
    r->out[0] = asy_pool_h(&p) * asy_pool_w(&p) * c.out;
    r->grain = sizeof(float);
    r->out[1] = r->out[0]; /* bytes: a quarter of it, see shifted() */
    r->own = asy_conv_pool_room(&c);
    r->own_at = 2;
    r->work = p.h * p.w * c.out * c.kh * c.kw * (c.in / c.groups) / MULTIPLIES;
    return 1;
}

/* Whether rows of the batch may be computed apart. */
static int by_rows(const struct asy_op *op, struct rows *r)
{
    *r = (struct rows){ .grain = 1, .own_at = -1 };
    switch (op->kind) {
    case ASY_OP_DENSE:
    case ASY_OP_DENSE_DX:
        return of_dense(op, r);
    case ASY_OP_ACT:
    case ASY_OP_SOFTMAX:
    case ASY_OP_DROPOUT:
    case ASY_OP_BIAS:
        return of_numbers(op, 1, r);
    case ASY_OP_ADD:
    case ASY_OP_ACT_GRAD:
    case ASY_OP_SOFTMAX_GRAD:
        return of_numbers(op, 2, r);
    case ASY_OP_LAYER_NORM:
        r->out[1] = 2 * op->per_row;
        return of_numbers(op, 1, r);
    case ASY_OP_ATTENTION:
    case ASY_OP_ATTENTION_GRAD:
        return of_attention(op, r);
    case ASY_OP_CONV:
    case ASY_OP_CONV_DX:
        return of_conv(op, r);
    case ASY_OP_CONV_POOL:
        return of_conv_pool(op, r);
    default:
        return 0;
    }
}

size_t asy_op_own(const struct asy_op *program, size_t n)
{
    size_t most = 0;

    for (size_t i = 0; i < n; i++) {
        struct rows r;

        if (by_rows(&program[i], &r) && r.own > most)
            most = r.own;
    }
    return asy__round16(ASY_OP_ROOM + most);
}

/* ---- by rows of the batch -------------------------------------------------------------------- */

struct piece {
    const struct asy_op *op;
    const struct asy_op_cpu *cpu;
    const struct asy_op_step *step;
    struct rows rows;
};

/* The operation from a row of the batch on. */
static struct asy_op shifted(const struct asy_op *from, const struct rows *r, size_t row)
{
    struct asy_op op = *from;

    for (int i = 0; i < ASY_OP_INS; i++)
        op.in[i].at += row * r->in[i];
    for (int i = 0; i < ASY_OP_OUTS; i++)
        op.out[i].at += i == 1 && r->grain > 1 ? row / r->grain * r->out[i] : row * r->out[i];
    return op;
}

static void some_rows(void *arg, size_t i, size_t n)
{
    const struct piece *p = arg;
    struct asy_op_cpu cpu = *p->cpu;
    struct asy_op_step step = *p->step;
    struct asy_op op;
    size_t begin, end;

    asy_team_part(step.rows, p->rows.grain, i, n, &begin, &end);
    if (begin == end)
        return;
    op = shifted(p->op, &p->rows, begin);
    if (i > 0) {
        size_t at = cpu.own_at + (i - 1) * cpu.own;

        cpu.room = cpu.write[ASY_SPACE_WORK] + at;
        if (p->rows.own_at >= 0)
            op.out[p->rows.own_at] = (struct asy_operand){ ASY_SPACE_WORK, at + ASY_OP_ROOM };
    }
    step.rows = end - begin;
    step.first += begin;
    asy__op_one(&op, &cpu, &step);
}

/* ---- by the result --------------------------------------------------------------------------- */

static float *room_of(const struct asy_op_cpu *cpu, size_t i)
{
    return i ? cpu->write[ASY_SPACE_WORK] + cpu->own_at + (i - 1) * cpu->own : cpu->room;
}

static void multiply(const struct piece *p, const struct asy_gemm *shape, const float *a,
                     const float *b, float *c, size_t i)
{
    (p->op->flags & ASY_OP_BF16 ? asy_bf16_gemm : asy_gemm)(shape, a, b, c, room_of(p->cpu, i));
}

/* Columns of a dense layer's outputs, with what follows the product. */
static void some_outputs(void *arg, size_t i, size_t n)
{
    const struct piece *p = arg;
    size_t wide = p->op->n[0], cols = p->op->n[1], begin, end;
    size_t rows = p->step->rows * p->op->per_row;
    const float *w = in(p->cpu, p->op, 1), *bias = in(p->cpu, p->op, 2);
    float *y = out(p->cpu, p->op, 0), *z = out(p->cpu, p->op, 1);
    struct asy_gemm shape = { .trans_b = 1, .m = rows, .k = wide, .lda = wide, .ldb = wide,
                              .ldc = cols };

    asy_team_part(cols, GRAIN, i, n, &begin, &end);
    shape.n = end - begin;
    multiply(p, &shape, in(p->cpu, p->op, 0), w + begin * wide, z + begin, i);
    for (size_t r = 0; r < rows && begin < end; r++)
        asy_bias_act(p->op->act, 1, end - begin, bias + begin, z + r * cols + begin,
                     y + r * cols + begin);
}

static void some_inputs(void *arg, size_t i, size_t n)
{
    const struct piece *p = arg;
    size_t wide = p->op->n[0], cols = p->op->n[1], begin, end;
    struct asy_gemm shape = { .m = p->step->rows * p->op->per_row, .k = cols, .lda = cols,
                              .ldb = wide, .ldc = wide };

    asy_team_part(wide, GRAIN, i, n, &begin, &end);
    shape.n = end - begin;
    multiply(p, &shape, in(p->cpu, p->op, 0), in(p->cpu, p->op, 1) + begin,
             out(p->cpu, p->op, 0) + begin, i);
}

static void some_weights(void *arg, size_t i, size_t n)
{
    const struct piece *p = arg;
    size_t wide = p->op->n[0], high = p->op->n[1], begin, end;
    size_t rows = p->step->rows * p->op->per_row;
    const float *dy = in(p->cpu, p->op, 0), *x = in(p->cpu, p->op, 1);
    float *dw = out(p->cpu, p->op, 0);
    struct asy_gemm shape = { .trans_a = 1, .m = high, .n = wide, .k = rows, .lda = high,
                              .ldb = wide, .ldc = wide };

    asy_team_part(high > wide ? high : wide, GRAIN, i, n, &begin, &end);
    if (high > wide) {
        shape.m = end - begin;
        dy += begin;
        dw += begin * wide;
    } else {
        shape.n = end - begin;
        x += begin;
        dw += begin;
    }
    multiply(p, &shape, dy, x, dw, i);
}

#define AT_ONCE 64 /* rows that are added up before their sums leave the nearest cache */

/* sums [n] += rows of x, in their order. */
static void add_rows(size_t rows, size_t n, const float *x, size_t step, float *sums)
{
    const float *from[AT_ONCE + 1] = { sums };

    for (size_t i = 0; i < rows;) {
        size_t some = 0;

        while (some < AT_ONCE && i < rows)
            from[++some] = x + i++ * step;
        asy__fused_get()->sum_rows(some + 1, n, from, sums);
    }
}

static void some_columns(void *arg, size_t i, size_t n)
{
    const struct piece *p = arg;
    size_t cols = p->op->n[0], rows = p->step->rows * p->op->per_row, begin, end;
    int grad = p->op->kind == ASY_OP_BIAS_ACT_GRAD;
    float *sums = out(p->cpu, p->op, grad), *dz = out(p->cpu, p->op, 0);
    const float *dy = in(p->cpu, p->op, 0), *from = grad ? in(p->cpu, p->op, 1) : NULL;

    asy_team_part(cols, GRAIN, i, n, &begin, &end);
    if (begin == end)
        return;
    memset(sums + begin, 0, (end - begin) * sizeof *sums);
    for (size_t r = 0; r < rows; r += AT_ONCE) {
        size_t some = rows - r < AT_ONCE ? rows - r : AT_ONCE, at = r * cols + begin;

        for (size_t k = 0; grad && k < some; k++)
            asy__fused_get()->act_grad(p->op->act, end - begin, from + at + k * cols,
                                       dy + at + k * cols, dz + at + k * cols);
        add_rows(some, end - begin, (grad ? dz : dy) + at, cols, sums + begin);
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* How the operation is divided; NULL: it is not. */
static asy_team_work_f way_of(struct piece *p)
{
    const struct asy_op *op = p->op;
    size_t batch = p->step->rows, rows = batch * op->per_row, columns = op->n[0];
    int product = rows * op->n[0] * op->n[1] >= LEAST * MULTIPLIES; /* of a dense layer */

    if (p->cpu->taker && op->flags & ASY_OP_LAST)
        return NULL; /* what is taken comes from one thread */
    switch (op->kind) {
    case ASY_OP_DENSE_DW:
        return product ? some_weights : NULL;
    case ASY_OP_DENSE:
        if (product && rows < op->n[1])
            return some_outputs;
        break;
    case ASY_OP_DENSE_DX:
        if (product && rows < op->n[0])
            return some_inputs;
        break;
    case ASY_OP_BIAS_ACT_GRAD:
    case ASY_OP_COLUMN_SUMS:
        return rows * columns >= LEAST && columns >= asy_team_size(p->cpu->team) * GRAIN
                   ? some_columns
                   : NULL;
    default:
        break;
    }
    if (!by_rows(op, &p->rows) || batch < 2 * p->rows.grain || batch * p->rows.work < LEAST)
        return NULL;
    return some_rows;
}

int asy__op_team(const struct asy_op *op, const struct asy_op_cpu *cpu,
                 const struct asy_op_step *step)
{
    struct piece piece = { op, cpu, step, { .grain = 1 } };
    asy_team_work_f work;

    if (!cpu->team || cpu->plain || !(work = way_of(&piece)))
        return 0;
    asy_team_run(cpu->team, work, &piece);
    return 1;
}
