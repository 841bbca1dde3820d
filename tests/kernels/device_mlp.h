/* SPDX-License-Identifier: Apache-2.0
 * device_mlp.h - a network of two dense layers as programs made by hand, its data, and the same
 * training on the cpu. */
#ifndef DEVICE_MLP_H
#define DEVICE_MLP_H
#include "asytest.h"
#include <asy/device.h>

#define MLP_ROWS 200 /* of the data */
#define MLP_BATCH 33
#define MLP_IN 20
#define MLP_HIDDEN 70
#define MLP_OUT 10
#define MLP_W1 0
#define MLP_B1 (MLP_W1 + MLP_IN * MLP_HIDDEN)
#define MLP_W2 (MLP_B1 + 80) /* with a gap, as tensors begin at multiples of 16 */
#define MLP_B2 (MLP_W2 + MLP_HIDDEN * MLP_OUT + 4)
#define MLP_PARAMS (MLP_B2 + 16)
#define MLP_SPANS 4
extern const struct asy_device_net_desc mlp_desc;
extern const struct asy_op mlp_loss;

struct mlp {
    float *x; /* [MLP_ROWS][MLP_IN] */
    int32_t label[MLP_ROWS];
    float *params, *grads, *m, *v, *mean, *work, *gemm; /* of the cpu */
    double loss;                                        /* of the last step, a mean */
};
/* false, and the test has failed: no memory. */
bool mlp_init(struct mlp *mlp);
void mlp_fini(struct mlp *mlp);
/* Rows of the batch of a step, from 1: in an order of no meaning, with repetitions. */
void mlp_batch(uint64_t step, uint32_t row[MLP_BATCH]);
/* Gradient and update on the cpu, by the functions that training takes. */
void mlp_step(struct mlp *mlp, const struct asy_device_update *update);
#endif
