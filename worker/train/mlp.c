/* SPDX-License-Identifier: Apache-2.0
 * mlp.c - the passes are straight lines over the kernels. */
#include "mlp.h"
#include <math.h>
#include <string.h>
#include <asy/rng.h>

static size_t round16(size_t n)
{
    return (n + 15) / 16 * 16;
}

int asy__mlp_plan_dims(struct asy__mlp *mlp, const size_t *dims, size_t layers, enum asy_act act,
                       struct asy_error *err)
{
    size_t at = 0;

    memset(mlp, 0, sizeof *mlp);
    if (layers + 1 > ASY__LAYERS_MAX)
        return asy_fail(err, ASY_E_INVAL, "a network of %zu layers is not possible", layers);
    mlp->n_layers = layers + 1;
    mlp->act = act;
    for (size_t l = 0; l < layers + 2; l++) {
        if (dims[l] == 0)
            return asy_fail(err, ASY_E_INVAL, "a layer of no width is not possible");
        mlp->dims[l] = dims[l];
    }
    for (size_t l = 0; l < mlp->n_layers; l++) {
        size_t weights;

        if (__builtin_mul_overflow(mlp->dims[l], mlp->dims[l + 1], &weights) ||
            weights > ASY__PARAMS_MAX || at > ASY__PARAMS_MAX)
            return asy_fail(err, ASY_E_TOOBIG, "a network of %zu layers of %zu on %zu features has "
                            "more than %zu parameters", layers, mlp->dims[layers], mlp->dims[0],
                            ASY__PARAMS_MAX);
        mlp->weight[l] = at;
        at += round16(weights);
        mlp->bias[l] = at;
        at += round16(mlp->dims[l + 1]);
    }
    mlp->n_params = at;
    return 0;
}

int asy__mlp_plan(struct asy__mlp *mlp, size_t in, size_t hidden, size_t layers, size_t out,
                  enum asy_act act, struct asy_error *err)
{
    size_t dims[ASY__LAYERS_MAX + 1];

    if (layers + 1 > ASY__LAYERS_MAX)
        return asy_fail(err, ASY_E_INVAL, "a network of %zu layers is not possible", layers);
    dims[0] = in;
    for (size_t l = 1; l <= layers; l++)
        dims[l] = hidden;
    dims[layers + 1] = out;
    return asy__mlp_plan_dims(mlp, dims, layers, act, err);
}

static size_t widest_hidden(const struct asy__mlp *mlp)
{
    size_t widest = 0;

    for (size_t l = 1; l < mlp->n_layers; l++)
        widest = mlp->dims[l] > widest ? mlp->dims[l] : widest;
    return widest;
}

size_t asy__mlp_room(const struct asy__mlp *mlp, size_t rows_max, int backward)
{
    size_t room = ASY_GEMM_ROOM, copies = asy_act_needs_sum(mlp->act) ? 2 : 1;

    for (size_t l = 0; l + 1 < mlp->n_layers; l++)
        room += copies * round16(rows_max * mlp->dims[l + 1]);
    room += round16(rows_max * mlp->dims[mlp->n_layers]);
    return room + (backward ? 2 * round16(rows_max * widest_hidden(mlp)) : 0);
}

static float *take(float **memory, size_t n)
{
    float *here = *memory;

    *memory += round16(n);
    return here;
}

void asy__mlp_bind(struct asy__mlp *mlp, size_t rows_max, int backward, float *memory)
{
    mlp->rows_max = rows_max;
    mlp->room = take(&memory, ASY_GEMM_ROOM); /* first: memory is aligned as it wants it */
    for (size_t l = 0; l < mlp->n_layers; l++) {
        size_t n = rows_max * mlp->dims[l + 1];
        int keeps_sum = l + 1 < mlp->n_layers && asy_act_needs_sum(mlp->act);

        mlp->out[l] = take(&memory, n);
        mlp->sum[l] = keeps_sum ? take(&memory, n) : mlp->out[l];
    }
    for (int i = 0; i < 2 && backward; i++)
        mlp->back[i] = take(&memory, rows_max * widest_hidden(mlp));
}

void asy__mlp_init(const struct asy__mlp *mlp, uint64_t seed, float *params)
{
    memset(params, 0, mlp->n_params * sizeof *params);
    for (size_t l = 0; l < mlp->n_layers; l++) {
        size_t in = mlp->dims[l], out = mlp->dims[l + 1];
        int glorot = l + 1 == mlp->n_layers || mlp->act == ASY_ACT_TANH ||
                     mlp->act == ASY_ACT_SIGMOID;
        double spread = sqrt(glorot ? 2.0 / (double)(in + out) : 2.0 / (double)in);
        struct asy_rng rng;

        asy_rng_init(&rng, seed, l, ASY_RNG_INIT);
        for (size_t i = 0; i < in * out; i++)
            params[mlp->weight[l] + i] = (float)(asy_rng_normal(&rng) * spread);
    }
}

static enum asy_act act_of(const struct asy__mlp *mlp, size_t l)
{
    return l + 1 < mlp->n_layers ? mlp->act : ASY_ACT_NONE;
}

void asy__mlp_forward(const struct asy__mlp *mlp, const float *params, const float *x, size_t rows)
{
    for (size_t l = 0; l < mlp->n_layers; l++) {
        const float *in = l ? mlp->out[l - 1] : x;

        asy_dense(rows, mlp->dims[l], mlp->dims[l + 1], in, params + mlp->weight[l], mlp->sum[l],
                  mlp->room);
        asy_bias_act(act_of(mlp, l), rows, mlp->dims[l + 1], params + mlp->bias[l], mlp->sum[l],
                     mlp->out[l]);
    }
}

void asy__mlp_backward(const struct asy__mlp *mlp, const float *params, const float *x,
                       size_t rows, float *grads)
{
    size_t last = mlp->n_layers - 1;
    float *dy = mlp->out[last];

    asy_column_sums(rows, mlp->dims[last + 1], dy, grads + mlp->bias[last]);
    for (size_t l = last;; l--) {
        const float *in = l ? mlp->out[l - 1] : x;
        float *dx = mlp->back[l & 1];

        asy_dense_dw(rows, mlp->dims[l], mlp->dims[l + 1], dy, in, grads + mlp->weight[l],
                     mlp->room);
        if (l == 0)
            break;
        asy_dense_dx(rows, mlp->dims[l], mlp->dims[l + 1], dy, params + mlp->weight[l], dx,
                     mlp->room);
        asy_bias_act_grad(mlp->act, rows, mlp->dims[l], mlp->sum[l - 1], mlp->out[l - 1], dx,
                          grads + mlp->bias[l - 1]);
        dy = dx;
    }
}
