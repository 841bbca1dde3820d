/* SPDX-License-Identifier: Apache-2.0
 * exec.h - programs of operations (asy/op.h) on a device: each becomes launches.
 *
 * To add an operation: a kernel in source/ with its line in kernel_list.h, a function as below in
 * the file of its theme (exec_*.c), its line in the table of exec.c, and a case in
 * tests/kernels/test_device_*.c. */
#ifndef ASY__EXEC_H
#define ASY__EXEC_H
#include "frame.h"

/* What a program runs on. */
struct asy__pass {
    struct asy_device *device;
    struct asy__mem *spaces[ASY_SPACES]; /* by enum asy_op_space */
    struct asy__mem *label, *target;     /* [rows], or NULL */
    struct asy__mem *class_weights;      /* [classes], or NULL: ones */
    struct asy__mem *sums;               /* [ASY_SUMS][2]: pairs whose sum counts, += */
    struct asy__mem *room;               /* [n_room] between launches of one operation */
    size_t n_room;
    double *rows;                        /* ASY_SUM_ROWS, which the host knows: += */
    asy_device_join_f *join;             /* as in struct asy_device_net_desc; NULL: none */
    void *join_arg;
    double *joined; /* room of a join, asy__exec_joined(): sums, and behind them floats [2 n] */
};

/* One operation on so many rows (those of the batch times per_row). */
typedef int asy__op_f(const struct asy__pass *pass, const struct asy_op *op,
                      const struct asy_op_step *step, size_t rows, struct asy_error *err);
/* Floats of pass->room that it wants, of so many rows or fewer: a last batch may be a part. */
typedef size_t asy__room_f(const struct asy_op *op, size_t rows);
struct asy__op_entry {
    const char *name;  /* "dense" */
    asy__op_f *run;    /* NULL: devices do not have it */
    asy__room_f *room; /* NULL: none */
};
/* ASY_E_UNSUPPORTED: an operation that devices do not have, or not with these flags. */
ASY_MUST_CHECK int asy__exec_check(const struct asy_op *program, size_t n, size_t batch,
                                   size_t *ret_room, struct asy_error *err);
/* Doubles of the room of a join for any operation of the program; 0: none is joined. */
size_t asy__exec_joined(const struct asy_op *program, size_t n);
ASY_MUST_CHECK int asy__exec_run(const struct asy__pass *pass, const struct asy_op *program,
                                 size_t n, const struct asy_op_step *step, struct asy_error *err);

/* The two arguments of an operand; ASY_SPACE_NONE: NULL and 0. */
#define ARG_IN(pass, op, i) ARG_AT((pass)->spaces[(op)->in[i].space], (op)->in[i].at)
#define ARG_OUT(pass, op, i) ARG_AT((pass)->spaces[(op)->out[i].space], (op)->out[i].at)
#define RUN(pass, err, kernel, x, y, z, ...)                                                       \
    ASY__LAUNCH((pass)->device, err, kernel, x, y, z, __VA_ARGS__)

/* sums [cols] of x [rows][cols] over the rows, in a fixed tree; room of asy__column_room(). */
int asy__column_sums(const struct asy__pass *pass, size_t rows, size_t cols, struct asy__arg x,
                     struct asy__arg x_at, struct asy__arg sums, struct asy__arg sums_at,
                     struct asy_error *err);
size_t asy__column_room(size_t rows, size_t cols);
/* Such sums are made of so many rows at a time, in so many parts (1: of no rows, too). */
size_t asy__column_chunk(size_t rows);
size_t asy__column_chunks(size_t rows);
/* dscale and dshift of op, the gradient of a normalisation: a number's mean is in the statistics at
 * row by_row + column by_column, one by its deviation `second` behind it. */
int asy__norm_sums(const struct asy__pass *pass, const struct asy_op *op, size_t rows,
                   size_t by_row, size_t by_column, size_t second, struct asy_error *err);

/* By theme: exec_dense.c, exec_each.c, exec_loss.c, exec_norm.c, exec_tokens.c, exec_image.c. */
asy__op_f asy__op_dense, asy__op_dense_dx, asy__op_dense_dw;
asy__room_f asy__room_dense, asy__room_dense_dx, asy__room_dense_dw;
asy__op_f asy__op_bias_act_grad, asy__op_column_sums, asy__op_add, asy__op_act, asy__op_act_grad,
    asy__op_bias, asy__op_softmax, asy__op_softmax_grad;
asy__room_f asy__room_columns;
asy__op_f asy__op_loss, asy__op_pair;
asy__room_f asy__room_loss;
asy__op_f asy__op_batch_norm, asy__op_batch_norm_eval, asy__op_batch_norm_grad;
asy__room_f asy__room_norm;
asy__op_f asy__op_dropout, asy__op_layer_norm, asy__op_layer_norm_grad, asy__op_embed,
    asy__op_embed_grad, asy__op_attention, asy__op_attention_grad;
asy__room_f asy__room_embed_grad, asy__room_attention_grad;
asy__op_f asy__op_conv, asy__op_conv_dx, asy__op_conv_dw, asy__op_conv_pool,
    asy__op_conv_pool_grad;
asy__room_f asy__room_conv_dw;
asy__op_f asy__op_max_pool, asy__op_max_pool_grad, asy__op_mean_pool, asy__op_mean_pool_grad,
    asy__op_global_mean, asy__op_global_mean_grad, asy__op_global_max, asy__op_global_max_grad;
#endif
