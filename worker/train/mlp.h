/* SPDX-License-Identifier: Apache-2.0
 * mlp.h - fully connected networks: plan, forward and backward pass.
 *
 * Layer l maps dims[l] to dims[l + 1] values; all but the last are followed by the activation. The
 * parameters are one block: for each layer its weights [out][in], then its bias [out], each begun
 * at a multiple of 16 floats; the gaps stay zero.
 *
 * Ownership: all memory is the caller's (one arena); nothing here allocates. */
#ifndef ASY__MLP_H
#define ASY__MLP_H
#include <asy/gemm.h>
#include <asy/kernels.h>

#define ASY__LAYERS_MAX 9
#define ASY__PARAMS_MAX ((size_t)512 << 20)

struct asy__mlp {
    size_t n_layers; /* weight matrices */
    size_t dims[ASY__LAYERS_MAX + 1];
    enum asy_act act;
    size_t weight[ASY__LAYERS_MAX], bias[ASY__LAYERS_MAX]; /* offsets into params and grads */
    size_t n_params; /* with the gaps */
    size_t rows_max; /* of one pass */
    float *sum[ASY__LAYERS_MAX];  /* [rows_max][dims[l + 1]]; the same as out where not needed */
    float *out[ASY__LAYERS_MAX];  /* [rows_max][dims[l + 1]] */
    float *room;                  /* [ASY_GEMM_ROOM] */
    float *back[2];               /* [rows_max][widest hidden]: gradients of outputs, in turns */
};
/* The shape. ASY_E_TOOBIG: too many parameters. */
ASY_MUST_CHECK int asy__mlp_plan(struct asy__mlp *mlp, size_t in, size_t hidden, size_t layers,
                                 size_t out, enum asy_act act, struct asy_error *err);
/* The same for hidden layers of any widths: dims [layers + 2] from the features to the outputs. */
ASY_MUST_CHECK int asy__mlp_plan_dims(struct asy__mlp *mlp, const size_t *dims, size_t layers,
                                      enum asy_act act, struct asy_error *err);
/* Floats that asy__mlp_bind() needs for passes of up to rows_max rows. backward: with gradients. */
size_t asy__mlp_room(const struct asy__mlp *mlp, size_t rows_max, int backward);
/* memory: aligned to 64 bytes, as much as asy__mlp_room() says. */
void asy__mlp_bind(struct asy__mlp *mlp, size_t rows_max, int backward, float *memory);
/* Weights: He et al. 2015 (arXiv 1502.01852, section 2.2) before rectifiers and their relatives,
 * Glorot and Bengio 2010 (equation 12, as a normal) before tanh, sigmoid and the output; biases 0.
 * Keyed by (seed, layer): no dependence on other draws. */
void asy__mlp_init(const struct asy__mlp *mlp, uint64_t seed, float *params);
/* x [rows][dims[0]]. The result stands in out[n_layers - 1]. */
void asy__mlp_forward(const struct asy__mlp *mlp, const float *params, const float *x,
                      size_t rows);
/* After a forward pass, with out[n_layers - 1] turned into the loss's gradient: grads [n_params] =
 * (the gaps are left alone). */
void asy__mlp_backward(const struct asy__mlp *mlp, const float *params, const float *x,
                       size_t rows, float *grads);
#endif
