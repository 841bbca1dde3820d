/* SPDX-License-Identifier: Apache-2.0
 * op.h - what the files that execute programs on the cpu share. */
#ifndef ASY_CPU_OP_H
#define ASY_CPU_OP_H
#include <asy/op.h>

/* The i-th operand. */
static inline const float *in(const struct asy_op_cpu *cpu, const struct asy_op *op, int i)
{
    return cpu->read[op->in[i].space] + op->in[i].at;
}

static inline float *out(const struct asy_op_cpu *cpu, const struct asy_op *op, int i)
{
    return cpu->write[op->out[i].space] + op->out[i].at;
}

/* Operations of images; batch normalisation. */
void asy__op_image(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows);
void asy__op_batch(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows);
#endif
