/* SPDX-License-Identifier: Apache-2.0
 * op.h - what the files that execute programs on the cpu share. */
#ifndef ASY_CPU_OP_H
#define ASY_CPU_OP_H
#include <asy/conv.h>
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

/* The shape of a convolution's images and kernels. */
static inline struct asy_conv asy__conv_of(const struct asy_op *op)
{
    const size_t *n = op->n;

    return (struct asy_conv){ n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8] };
}

/* One operation on the calling thread; on the team, if there is one and it pays: else returns 0 and
 * has done nothing. */
void asy__op_one(const struct asy_op *op, const struct asy_op_cpu *cpu,
                 const struct asy_op_step *step);
int asy__op_team(const struct asy_op *op, const struct asy_op_cpu *cpu,
                 const struct asy_op_step *step);
/* Operations of images; batch normalisation. */
void asy__op_image(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows);
void asy__op_batch(const struct asy_op *op, const struct asy_op_cpu *cpu, size_t rows);
#endif
