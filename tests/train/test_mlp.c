/* SPDX-License-Identifier: Apache-2.0
 * The network's gradients against finite differences.
 *
 * A second implementation, in double precision and written as plain sums, is the reference: its
 * loss is differentiated by central differences (h = 1e-5: truncation and rounding both below
 * 1e-9), so the only tolerance left is the float arithmetic of the network itself: sums of up to 40
 * terms through up to four layers, 2e-5 of the largest gradient. */
#include <asytest.h>
#include <asy/rng.h>
#include "mlp.h"

#define ROWS 11
#define WIDE 16
#define PARAMS 4096

static double act(enum asy_act kind, double z)
{
    switch (kind) {
    case ASY_ACT_RELU:
        return z > 0 ? z : 0;
    case ASY_ACT_TANH:
        return tanh(z);
    case ASY_ACT_GELU:
        return 0.5 * z * (1 + tanh(sqrt(2 / M_PI) * (z + 0.044715 * z * z * z)));
    case ASY_ACT_SIGMOID:
        return 1 / (1 + exp(-z));
    case ASY_ACT_SILU:
        return z / (1 + exp(-z));
    case ASY_ACT_LEAKY_RELU:
        return z > 0 ? z : 0.01 * z;
    case ASY_ACT_NONE:
        break;
    }
    return z;
}

/* Mean loss of the batch. label: classes; NULL: squares against target. */
static double shadow_loss(const struct asy__mlp *mlp, const double *params, const float *x,
                          const int32_t *label, const float *target)
{
    double loss = 0, in[WIDE], out[WIDE];

    for (size_t r = 0; r < ROWS; r++) {
        size_t last = mlp->n_layers - 1, n = mlp->dims[mlp->n_layers];
        double top = -INFINITY, sum = 0;

        for (size_t i = 0; i < mlp->dims[0]; i++)
            in[i] = (double)x[r * mlp->dims[0] + i];
        for (size_t l = 0; l < mlp->n_layers; l++) {
            for (size_t o = 0; o < mlp->dims[l + 1]; o++) {
                out[o] = params[mlp->bias[l] + o];
                for (size_t i = 0; i < mlp->dims[l]; i++)
                    out[o] += params[mlp->weight[l] + o * mlp->dims[l] + i] * in[i];
                out[o] = l == last ? out[o] : act(mlp->act, out[o]);
            }
            memcpy(in, out, sizeof in);
        }
        for (size_t o = 0; o < n; o++)
            top = fmax(top, out[o]);
        for (size_t o = 0; o < n; o++)
            sum += exp(out[o] - top);
        loss += label ? log(sum) + top - out[label[r]]
                      : (out[0] - (double)target[r]) * (out[0] - (double)target[r]);
    }
    return loss / ROWS;
}

static void check(enum asy_act kind, size_t layers, size_t outs)
{
    static float memory[ASY_GEMM_ROOM + 16384] __attribute__((aligned(64)));
    static float params[PARAMS], grads[PARAMS], x[ROWS * WIDE], target[ROWS];
    static double shadow[PARAMS];
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__mlp mlp;
    struct asy_rng rng;
    int32_t label[ROWS];
    uint64_t correct = 0;
    double largest = 0, worst = 0;
    char name[64];

    asy_rng_init(&rng, 3, (uint64_t)kind * 10 + layers, ASY_RNG_SIM);
    if (!T_OK(asy__mlp_plan(&mlp, 9, 13, layers, outs, kind, &err), &err) ||
        !T_TRUE(mlp.n_params <= PARAMS && asy__mlp_room(&mlp, ROWS, 1) <= ASY_ARRAY_LEN(memory)))
        return;
    asy__mlp_bind(&mlp, ROWS, 1, memory);
    asy__mlp_init(&mlp, 5, params);
    for (size_t i = 0; i < mlp.n_params; i++) /* biases too, and nothing at a kink */
        shadow[i] = (double)(params[i] += params[i] != 0 ? 0 : (float)asy_rng_normal(&rng) * 0.1f);
    for (size_t i = 0; i < ROWS * 9; i++)
        x[i] = (float)asy_rng_normal(&rng);
    for (size_t i = 0; i < ROWS; i++) {
        label[i] = (int32_t)asy_rng_below(&rng, outs);
        target[i] = (float)asy_rng_normal(&rng);
    }
    asy__mlp_forward(&mlp, params, x, ROWS);
    if (outs > 1)
        asy_softmax_loss(ROWS, outs, mlp.out[layers], label, 1.0f / ROWS, &correct);
    else
        asy_squared_loss(ROWS, mlp.out[layers], target, 1.0f / ROWS);
    asy__mlp_backward(&mlp, params, x, ROWS, grads);
    for (size_t l = 0; l < mlp.n_layers; l++)
        for (size_t i = 0; i < mlp.dims[l + 1] * (mlp.dims[l] + 1); i++) {
            size_t weights = mlp.dims[l + 1] * mlp.dims[l];
            size_t at = i < weights ? mlp.weight[l] + i : mlp.bias[l] + i - weights;
            double held = shadow[at], up, down;

            shadow[at] = held + 1e-5;
            up = shadow_loss(&mlp, shadow, x, outs > 1 ? label : NULL, target);
            shadow[at] = held - 1e-5;
            down = shadow_loss(&mlp, shadow, x, outs > 1 ? label : NULL, target);
            shadow[at] = held;
            largest = fmax(largest, fabs((up - down) / 2e-5));
            worst = fmax(worst, fabs((up - down) / 2e-5 - (double)grads[at]));
        }
    snprintf(name, sizeof name, "%s, %zu layers, %zu outputs", asy_act_name(kind), layers, outs);
    T_TRUE(largest > 1e-3); /* there is something to compare */
    T_NEAR(name, worst / largest, 0, 2e-5);
}

static void gradients_match_differences(void)
{
    asy_kernels_init();
    for (int kind = ASY_ACT_RELU; kind < ASY_ACT_COUNT; kind++)
        for (size_t layers = 1; layers <= 3; layers++)
            for (size_t outs = 1; outs <= 7; outs += 6)
                check((enum asy_act)kind, layers, outs);
}

static void weights_are_drawn_as_promised(void)
{
    static float a[70000], b[70000];
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__mlp mlp;
    double squares = 0;

    if (!T_OK(asy__mlp_plan(&mlp, 200, 256, 1, 10, ASY_ACT_RELU, &err), &err))
        return;
    asy__mlp_init(&mlp, 1, a);
    asy__mlp_init(&mlp, 1, b);
    T_EQ("same seed", memcmp(a, b, mlp.n_params * sizeof *a), 0);
    asy__mlp_init(&mlp, 2, b);
    T_TRUE(memcmp(a, b, mlp.n_params * sizeof *a) != 0);
    for (size_t i = 0; i < 200 * 256; i++)
        squares += (double)a[mlp.weight[0] + i] * (double)a[mlp.weight[0] + i];
    /* the mean of 51200 squares of a normal has a relative spread of sqrt(2 / 51200) = 0.0063 */
    T_NEAR("He", squares / (200 * 256) * 100, 1, 0.03);
    for (size_t i = 0; i < 256; i++)
        T_TRUE(a[mlp.bias[0] + i] == 0);
}

static void impossible_networks_are_refused(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__mlp mlp;

    T_EQ("layers", asy__mlp_plan(&mlp, 3, 3, 9, 2, ASY_ACT_RELU, &err), ASY_E_INVAL);
    T_EQ("size", asy__mlp_plan(&mlp, 3, 65536, 8, 2, ASY_ACT_RELU, &err), ASY_E_TOOBIG);
    T_EQ("overflow", asy__mlp_plan(&mlp, SIZE_MAX / 2, 65536, 8, 2, ASY_ACT_RELU, &err),
         ASY_E_TOOBIG);
}

T_MAIN("mlp", T_TEST(gradients_match_differences), T_TEST(weights_are_drawn_as_promised),
       T_TEST(impossible_networks_are_refused))
