/* SPDX-License-Identifier: Apache-2.0
 * exec_image.c - operations of images: convolutions, with pooling behind them or without, and
 * pooling. */
#include "exec.h"
#include <asy/conv.h>
#include <asy/pool.h>

/* ---- convolutions ---------------------------------------------------------------------------- */

#define LINES 64 /* the tiles of source/conv.clc */
#define COLUMNS 32
#define WINDOWS (LINES / 4)
#define GROUPS_ENOUGH 512 /* of dw, so that a large device has work */
#define PIXELS_FEW 256    /* of a piece of dw */

static struct asy_conv conv_of(const struct asy_op *op)
{
    const size_t *n = op->n;

    return (struct asy_conv){ n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8] };
}

/* The pooling behind it; size 0: none. */
static struct asy_pool pool_behind(const struct asy_op *op)
{
    struct asy_conv c = conv_of(op);

    if (op->kind != ASY_OP_CONV_POOL && op->kind != ASY_OP_CONV_POOL_GRAD)
        return (struct asy_pool){ 0 };
    return (struct asy_pool){ asy_conv_h(&c), asy_conv_w(&c), c.out, op->n[9], op->n[10], 0 };
}

/* The kernels count pixels in 32 bits, up to the last line of a tile. */
static int check_pixels(const struct asy_conv *c, size_t rows, struct asy_error *err)
{
    size_t most = UINT32_MAX - LINES, here = c->h * c->w, there = asy_conv_h(c) * asy_conv_w(c);

    if (rows > most / (here > there ? here : there))
        return asy_fail(err, ASY_E_TOOBIG, "%zu images of %zu x %zu are more than devices take at "
                        "once", rows, c->h, c->w);
    return 0;
}

#define CONV_ARGS(c, p, rows)                                                                      \
    ARG_U32((c).h), ARG_U32((c).w), ARG_U32((c).in), ARG_U32((c).out), ARG_U32((c).kh),            \
        ARG_U32((c).kw), ARG_U32((c).stride), ARG_U32((c).pad), ARG_U32((c).groups),               \
        ARG_U32(asy_conv_h(&(c))), ARG_U32(asy_conv_w(&(c))), ARG_U32((p).size),                   \
        ARG_U32((p).stride), ARG_U32((p).size ? asy_pool_h(&(p)) : 0),                             \
        ARG_U32((p).size ? asy_pool_w(&(p)) : 0), ARG_U32(rows)

int asy__op_conv(const struct asy__pass *pass, const struct asy_op *op,
                 const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    struct asy_conv c = conv_of(op);
    struct asy_pool p = pool_behind(op);
    size_t pixels = rows * asy_conv_h(&c) * asy_conv_w(&c);
    int keeps = op->out[0].space != op->out[1].space || op->out[0].at != op->out[1].at;
    int rc = check_pixels(&c, rows, err);

    (void)step;
    return rc ? rc : RUN(pass, err, conv, asy__groups(pixels, LINES),
                         asy__groups(c.out / c.groups, COLUMNS), c.groups, ARG_IN(pass, op, 0),
                         ARG_IN(pass, op, 1), ARG_IN(pass, op, 2), ARG_OUT(pass, op, 1),
                         ARG_OUT(pass, op, 0), CONV_ARGS(c, p, rows), ARG_U32(op->act),
                         ARG_U32(keeps));
}

int asy__op_conv_pool(const struct asy__pass *pass, const struct asy_op *op,
                      const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    struct asy_conv c = conv_of(op);
    struct asy_pool p = pool_behind(op);
    size_t windows = rows * asy_pool_h(&p) * asy_pool_w(&p);
    int rc = check_pixels(&c, rows, err);

    (void)step;
    return rc ? rc : RUN(pass, err, conv_pool, asy__groups(windows, WINDOWS),
                         asy__groups(c.out / c.groups, COLUMNS), c.groups, ARG_IN(pass, op, 0),
                         ARG_IN(pass, op, 1), ARG_IN(pass, op, 2), ARG_OUT(pass, op, 0),
                         ARG_OUT(pass, op, 1), CONV_ARGS(c, p, rows), ARG_U32(op->act));
}

/* dz: of what the convolution gave, or of the pooled, with where those came from. */
struct back {
    const struct asy__pass *pass;
    struct asy_conv c;
    struct asy_pool p;
    size_t rows;
    struct asy_operand dz, from;
    struct asy_error *err;
};
#define AT(b, operand) ARG_AT((b)->pass->spaces[(operand).space], (operand).at)

static int run_dx(const struct back *b, struct asy_operand w, struct asy_operand dx)
{
    int rc = check_pixels(&b->c, b->rows, b->err);

    return rc ? rc : RUN(b->pass, b->err, conv_dx,
                         asy__groups(b->rows * b->c.h * b->c.w, LINES),
                         asy__groups(b->c.in / b->c.groups, COLUMNS), b->c.groups, AT(b, b->dz),
                         AT(b, b->from), AT(b, w), AT(b, dx), CONV_ARGS(b->c, b->p, b->rows));
}

static size_t taps_of(const struct asy_conv *c)
{
    return c->kh * c->kw * (c->in / c->groups);
}

/* The most pieces that the pixels of so many rows are cut into for dw. */
static size_t pieces_of(const struct asy_conv *c, size_t rows)
{
    size_t tiles = asy__groups(taps_of(c), LINES) * asy__groups(c->out / c->groups, COLUMNS) *
                   c->groups;
    size_t most = asy__groups(rows * asy_conv_h(c) * asy_conv_w(c), PIXELS_FEW);
    size_t pieces = asy__groups(GROUPS_ENOUGH, tiles);

    pieces = pieces < most ? pieces : most;
    return pieces ? pieces : 1;
}

static int run_dw(const struct back *b, struct asy_operand x, struct asy_operand dw)
{
    size_t pixels = b->rows * asy_conv_h(&b->c) * asy_conv_w(&b->c), taps = taps_of(&b->c);
    size_t piece = asy__groups(pixels, pieces_of(&b->c, b->rows));
    size_t pieces = piece ? asy__groups(pixels, piece) : 1;
    struct asy__mem *to = pieces > 1 ? b->pass->room : b->pass->spaces[dw.space];
    int rc = check_pixels(&b->c, b->rows, b->err);

    if (rc == 0)
        rc = RUN(b->pass, b->err, conv_dw, asy__groups(taps, LINES),
                 asy__groups(b->c.out / b->c.groups, COLUMNS), b->c.groups * pieces, AT(b, b->dz),
                 AT(b, b->from), AT(b, x), ARG_AT(to, pieces > 1 ? 0 : dw.at),
                 CONV_ARGS(b->c, b->p, b->rows), ARG_U32(piece));
    if (rc || pieces == 1)
        return rc;
    return RUN(b->pass, b->err, product_total, asy__groups(b->c.out * taps, 256), 1, 1,
               ARG_MEM(b->pass->room), ARG_U32(pieces), AT(b, dw), ARG_U64(taps), ARG_U32(taps),
               ARG_U64(b->c.out * taps), ARG_U32(0));
}

size_t asy__room_conv_dw(const struct asy_op *op, size_t rows)
{
    struct asy_conv c = conv_of(op);

    return pieces_of(&c, rows) * c.out * taps_of(&c);
}

int asy__op_conv_dx(const struct asy__pass *pass, const struct asy_op *op,
                    const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    struct back b = { pass, conv_of(op), pool_behind(op), rows, op->in[0],
                      { ASY_SPACE_NONE, 0 }, err };

    (void)step;
    return run_dx(&b, op->in[1], op->out[0]);
}

int asy__op_conv_dw(const struct asy__pass *pass, const struct asy_op *op,
                    const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    struct back b = { pass, conv_of(op), pool_behind(op), rows, op->in[0],
                      { ASY_SPACE_NONE, 0 }, err };

    (void)step;
    return run_dw(&b, op->in[1], op->out[0]);
}

int asy__op_conv_pool_grad(const struct asy__pass *pass, const struct asy_op *op,
                           const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    struct back b = { pass, conv_of(op), pool_behind(op), rows, op->in[0], op->in[1], err };
    int rc = run_dw(&b, op->in[2], op->out[0]);

    (void)step;
    if (rc || op->out[1].space == ASY_SPACE_NONE)
        return rc;
    return run_dx(&b, op->in[3], op->out[1]);
}

/* ---- pooling --------------------------------------------------------------------------------- */

static struct asy_pool pool_of(const struct asy_op *op)
{
    const size_t *n = op->n;

    return (struct asy_pool){ n[0], n[1], n[2], n[3], n[4], n[5] };
}

#define POOL_ARGS(p, n)                                                                            \
    ARG_U32((p).h), ARG_U32((p).w), ARG_U32((p).channels), ARG_U32((p).size),                      \
        ARG_U32((p).stride), ARG_U32((p).pad), ARG_U32(asy_pool_h(&(p))),                          \
        ARG_U32(asy_pool_w(&(p))), ARG_U64(n)

int asy__op_max_pool(const struct asy__pass *pass, const struct asy_op *op,
                     const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    struct asy_pool p = pool_of(op);
    size_t n = rows * asy_pool_h(&p) * asy_pool_w(&p) * p.channels;

    (void)step;
    return RUN(pass, err, max_pool, asy__groups(n, 256), 1, 1, ARG_IN(pass, op, 0),
               ARG_OUT(pass, op, 0), ARG_OUT(pass, op, 1), POOL_ARGS(p, n));
}

int asy__op_max_pool_grad(const struct asy__pass *pass, const struct asy_op *op,
                          const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    struct asy_pool p = pool_of(op);
    size_t n = rows * p.h * p.w * p.channels;

    (void)step;
    return RUN(pass, err, max_pool_grad, asy__groups(n, 256), 1, 1, ARG_IN(pass, op, 0),
               ARG_IN(pass, op, 1), ARG_OUT(pass, op, 0), POOL_ARGS(p, n));
}

int asy__op_mean_pool(const struct asy__pass *pass, const struct asy_op *op,
                      const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    struct asy_pool p = pool_of(op);
    size_t n = rows * asy_pool_h(&p) * asy_pool_w(&p) * p.channels;

    (void)step;
    return RUN(pass, err, mean_pool, asy__groups(n, 256), 1, 1, ARG_IN(pass, op, 0),
               ARG_OUT(pass, op, 0), POOL_ARGS(p, n));
}

int asy__op_mean_pool_grad(const struct asy__pass *pass, const struct asy_op *op,
                           const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    struct asy_pool p = pool_of(op);
    size_t n = rows * p.h * p.w * p.channels;

    (void)step;
    return RUN(pass, err, mean_pool_grad, asy__groups(n, 256), 1, 1, ARG_IN(pass, op, 0),
               ARG_OUT(pass, op, 0), POOL_ARGS(p, n));
}

int asy__op_global_mean(const struct asy__pass *pass, const struct asy_op *op,
                        const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    (void)step;
    return RUN(pass, err, global_mean, rows, asy__groups(op->n[1], 64), 1, ARG_IN(pass, op, 0),
               ARG_OUT(pass, op, 0), ARG_U32(op->n[0]), ARG_U32(op->n[1]));
}

int asy__op_global_mean_grad(const struct asy__pass *pass, const struct asy_op *op,
                             const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    size_t n = rows * op->n[0] * op->n[1];

    (void)step;
    return RUN(pass, err, global_mean_grad, asy__groups(n, 256), 1, 1, ARG_IN(pass, op, 0),
               ARG_OUT(pass, op, 0), ARG_U32(op->n[0]), ARG_U32(op->n[1]), ARG_U64(n));
}

int asy__op_global_max(const struct asy__pass *pass, const struct asy_op *op,
                       const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    size_t n = rows * op->n[1];

    (void)step;
    return RUN(pass, err, global_max, asy__groups(n, 256), 1, 1, ARG_IN(pass, op, 0),
               ARG_OUT(pass, op, 0), ARG_U32(op->n[0]), ARG_U32(op->n[1]), ARG_U64(n));
}

int asy__op_global_max_grad(const struct asy__pass *pass, const struct asy_op *op,
                            const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    size_t n = rows * op->n[1];

    (void)step;
    return RUN(pass, err, global_max_grad, asy__groups(n, 256), 1, 1, ARG_IN(pass, op, 0),
               ARG_IN(pass, op, 1), ARG_IN(pass, op, 2), ARG_OUT(pass, op, 0), ARG_U32(op->n[0]),
               ARG_U32(op->n[1]), ARG_U64(n));
}
