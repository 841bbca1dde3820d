/* SPDX-License-Identifier: Apache-2.0
 * device_case.h - programs of a few operations on a device beside the same on the cpu by the _ref
 * twins: all memory that they may write is compared, so what was not to be written, too; and the
 * device gives the same bits twice. */
#ifndef DEVICE_CASE_H
#define DEVICE_CASE_H
#include "asytest.h"
#include "exec.h"

#define CASE_OPS 4
struct device_case {
    const char *name;
    struct asy_op ops[CASE_OPS]; /* [n_ops]; 0: one */
    size_t n_ops;
    size_t rows;
    size_t n[ASY_SPACES]; /* floats of each space, by enum asy_op_space */
    int classes;          /* labels are below it; 0: there are none */
    int labels;           /* of a row; 0: 1 */
    int ids;              /* INPUT has whole numbers below it; 0: any numbers */
    float scale;          /* of the loss */
    uint64_t seed, step, first;
    const float *class_weights;
    /* Of WORK: a part whose content is the back end's own (saved statistics, room). */
    size_t own_at, own_n;
    double tol; /* times (1 + |want|) */
};

/* The first device of OpenCL (PoCL where tests run), opened once; NULL, and the test has failed:
 * there is none. */
struct asy_device *case_device(void);
void case_device_close(void);

void case_run(const struct device_case *c);
#endif
