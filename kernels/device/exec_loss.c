/* SPDX-License-Identifier: Apache-2.0
 * exec_loss.c - losses: a kernel leaves what each row adds to the sums in the room, and fold_sums
 * adds it up. */
#include "exec.h"

#define OF_CLASSES 2 /* what a row adds to: loss, correct */
#define OF_NUMBERS 5 /* loss, absolute, target, target squared, squared */

/* Where the sums of source/sums.clc go: the loss, and those after it from a base on. */
_Static_assert(ASY_SUM_LOSS == 1 && ASY_SUM_CORRECT == 2 && ASY_SUM_ABSOLUTE == 3 &&
                   ASY_SUM_TARGET == 4 && ASY_SUM_TARGET_SQUARED == 5 && ASY_SUM_SQUARED == 6,
               "sums are numbered as fold_sums has them");

static int is_of_classes(const struct asy_op *op)
{
    return op->kind == ASY_OP_SOFTMAX_LOSS || op->kind == ASY_OP_CLASS_LOSS ||
           op->kind == ASY_OP_BINARY_LOSS;
}

size_t asy__room_loss(const struct asy_op *op, size_t rows)
{
    return 2 * rows * (is_of_classes(op) ? OF_CLASSES : OF_NUMBERS);
}

static int of_rows(const struct asy__pass *pass, const struct asy_op *op, size_t rows, float scale,
                   struct asy_error *err)
{
    if (op->kind == ASY_OP_CLASS_LOSS)
        return RUN(pass, err, class_loss, rows, 1, 1, ARG_IN(pass, op, 0), ARG_OUT(pass, op, 0),
                   ARG_MEM(pass->label), ARG_MEM(pass->class_weights),
                   ARG_I32(pass->class_weights != NULL), ARG_MEM(pass->room), ARG_U32(rows),
                   ARG_U32(op->n[0]), ARG_F32(op->value / (float)op->n[0]), ARG_F32(1 - op->value),
                   ARG_F32(scale));
    if (op->kind == ASY_OP_BINARY_LOSS)
        return RUN(pass, err, binary_loss, asy__groups(rows, 64), 1, 1, ARG_IN(pass, op, 0),
                   ARG_OUT(pass, op, 0), ARG_MEM(pass->label), ARG_MEM(pass->class_weights),
                   ARG_I32(pass->class_weights != NULL), ARG_MEM(pass->room), ARG_U32(rows),
                   ARG_F32(op->value / 2), ARG_F32(1 - op->value), ARG_F32(scale));
    if (op->kind == ASY_OP_SOFTMAX_LOSS)
        return RUN(pass, err, softmax_loss, rows, 1, 1, ARG_IN(pass, op, 0), ARG_OUT(pass, op, 0),
                   ARG_MEM(pass->label), ARG_MEM(pass->room), ARG_U32(rows), ARG_U32(op->n[0]),
                   ARG_F32(scale));
    if (op->kind == ASY_OP_HUBER_LOSS)
        return RUN(pass, err, huber_loss, asy__groups(rows, 64), 1, 1, ARG_IN(pass, op, 0),
                   ARG_OUT(pass, op, 0), ARG_MEM(pass->target), ARG_MEM(pass->room), ARG_U32(rows),
                   ARG_F32(op->value), ARG_F32(scale));
    if (op->kind == ASY_OP_QUANTILE_LOSS)
        return RUN(pass, err, quantile_loss, asy__groups(rows, 64), 1, 1, ARG_IN(pass, op, 0),
                   ARG_OUT(pass, op, 0), ARG_MEM(pass->target), ARG_MEM(pass->room), ARG_U32(rows),
                   ARG_F32(op->value), ARG_F32(scale));
    return RUN(pass, err, squared_loss, asy__groups(rows, 64), 1, 1, ARG_IN(pass, op, 0),
               ARG_OUT(pass, op, 0), ARG_MEM(pass->target), ARG_MEM(pass->room), ARG_U32(rows),
               ARG_F32(scale));
}

int asy__op_loss(const struct asy__pass *pass, const struct asy_op *op,
                 const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    int classes = is_of_classes(op), rc;

    if (rows == 0)
        return 0;
    if ((rc = of_rows(pass, op, rows, step->scale, err)))
        return rc;
    *pass->rows += (double)rows;
    return RUN(pass, err, fold_sums, classes ? OF_CLASSES : OF_NUMBERS, 1, 1, ARG_MEM(pass->room),
               ARG_U32(rows), ARG_MEM(pass->sums),
               ARG_U32(classes ? ASY_SUM_CORRECT - 1 : ASY_SUM_ABSOLUTE - 1));
}

int asy__op_pair(const struct asy__pass *pass, const struct asy_op *op,
                 const struct asy_op_step *step, size_t rows, struct asy_error *err)
{
    (void)step;
    return RUN(pass, err, pair, asy__groups(rows, 256), 1, 1, ARG_IN(pass, op, 0),
               ARG_OUT(pass, op, 0), ARG_U64(rows));
}
