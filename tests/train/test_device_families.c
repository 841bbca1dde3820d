/* SPDX-License-Identifier: Apache-2.0
 * Networks of every family on a device (PoCL, where nothing else is there) beside the cpu: outputs,
 * the gradient, the loss while they learn, the same bits when they learn again.
 *
 * Tolerances: both sides compute in single precision, in other orders and with other polynomials.
 * Over the handful of layers of these networks that comes to some 1e-6 of the greatest number of
 * a gradient; 1e-4 is left, and 1e-4 for each step's loss, as the difference of the weights grows
 * while they learn. */
#include "familykit.h"
#include "kernels/device_leaks.h"

#define STEPS 20
#define TOL 1e-4

/* Leaves the gradient in p->got; *ret_loss: of the rows. */
static bool step_there(struct pair *p, uint64_t step, double *ret_loss)
{
    struct asy_op_step how = { ROWS, FIRST, 1.0f / ROWS, SEED, step };
    struct asy_error err = ASY_ERROR_INIT;
    double sums[ASY_SUMS];

    if (!T_OK(take_rows(p, &err), &err) ||
        !T_OK(asy_device_net_gradient(p->there, 0, &how, &err), &err) ||
        !T_OK(asy_device_net_sums(p->there, 1, sums, &err), &err) ||
        !T_OK(asy_device_net_read(p->there, ASY_ARRAY_GRADS, p->got, p->net->n_params, &err), &err))
        return false;
    *ret_loss = sums[ASY_SUM_LOSS] / sums[ASY_SUM_ROWS];
    return T_EQ("rows", sums[ASY_SUM_ROWS], (double)(ROWS * p->labels));
}

static double step_here(struct pair *p, uint64_t step)
{
    struct asy_op_step how = { ROWS, FIRST, 1.0f / ROWS, SEED, step };
    struct asy_op_cpu cpu = p->net->cpu;
    double sums[ASY_SUMS] = { 0 };

    cpu.read[ASY_SPACE_INPUT] = p->x;
    cpu.read[ASY_SPACE_PARAMS] = p->params;
    cpu.read[ASY_SPACE_GRADS] = cpu.write[ASY_SPACE_GRADS] = p->grads;
    cpu.read[ASY_SPACE_BUFFERS] = cpu.write[ASY_SPACE_BUFFERS] = p->buffers;
    cpu.label = p->label;
    cpu.target = p->target;
    cpu.sums = sums;
    if (asy__loss_weighs(&p->hyper))
        cpu.class_weights = p->weights;
    asy_op_run(p->net->train.ops, p->net->train.n, &cpu, &how);
    return sums[ASY_SUM_LOSS] / sums[ASY_SUM_ROWS];
}

/* Within TOL of the greatest of want. */
static bool near(const char *name, const float *got, const float *want, size_t n)
{
    double most = 0;

    for (size_t i = 0; i < n; i++)
        most = fmax(most, fabs((double)want[i]));
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)got[i] - (double)want[i]) <= TOL * most)) {
            fprintf(stderr, "%s: %zu of %zu, the greatest is %g\n", name, i, n, most);
            return T_NEAR(name, (double)got[i], (double)want[i], TOL * most);
        }
    return T_TRUE(most > 0);
}

/* ---- the tests ------------------------------------------------------------------------------- */

static bool same_outputs(const struct example *e, struct pair *p)
{
    size_t n = ROWS * asy__shape_size(p->net->outputs);
    struct asy__learner learner = asy__net_learner(p->net, p->params, p->buffers);
    float *want = NULL, *got = floats(n);
    struct asy_error err = ASY_ERROR_INIT;
    bool ok = T_TRUE(got != NULL) && T_OK(take_rows(p, &err), &err) &&
              T_OK(asy_device_net_outputs(p->there, ASY_ARRAY_PARAMS, NULL, ROWS, got, &err),
                   &err) &&
              T_OK(learner.type->outputs(&learner, p->x, ROWS, &want, &err), &err) &&
              near(e->name, got, want, n);

    free(got);
    return ok;
}

static bool same_gradient(const struct example *e, struct pair *p)
{
    double want = step_here(p, 3), got;

    return step_there(p, 3, &got) && near(e->name, p->got, p->grads, p->net->n_params) &&
           T_NEAR(e->name, got, want, TOL * fabs(want)); /* as the gradient's */
}

static void sgd(const struct example *e, struct pair *p, float *params, const float *grads)
{
    struct asy_sgd how = { .lr = (float)e->lr, .momentum = 0.9f };

    asy_sgd_step(&how, p->net->n_params, params, grads, p->momentum);
}

/* What the device's gradients make of the weights; losses [STEPS]. */
static bool learn_there(const struct example *e, struct pair *p, float *params, double *losses)
{
    struct asy_error err = ASY_ERROR_INIT;

    memset(p->momentum, 0, p->net->n_params * sizeof(float));
    for (uint64_t s = 0; s < STEPS; s++) {
        if (!step_there(p, s, &losses[s]))
            return false;
        sgd(e, p, params, p->got);
        if (!T_OK(asy_device_net_write(p->there, ASY_ARRAY_PARAMS, params, p->net->n_params, &err),
                  &err))
            return false;
    }
    return true;
}

static bool same_curve(const struct example *e, struct pair *p)
{
    float *params = floats(p->net->n_params);
    double got[STEPS], want[STEPS];
    bool ok = T_TRUE(params != NULL);

    if (ok) {
        memcpy(params, p->params, p->net->n_params * sizeof(float));
        ok = learn_there(e, p, params, got);
    }
    memset(p->momentum, 0, p->net->n_params * sizeof(float));
    for (uint64_t s = 0; s < STEPS && ok; s++) {
        want[s] = step_here(p, s);
        sgd(e, p, p->params, p->grads);
        ok = T_NEAR(e->name, got[s], want[s], TOL * (1 + fabs(want[s])));
    }
    ok = ok && T_TRUE(want[STEPS - 1] < want[0]);
    free(params);
    return ok;
}

static bool same_bits(const struct example *e, struct pair *p)
{
    size_t n = p->net->n_params * sizeof(float);
    float *params[2] = { floats(p->net->n_params), floats(p->net->n_params) };
    double losses[2][STEPS];
    bool ok = T_TRUE(params[0] && params[1]);

    for (int i = 0; i < 2 && ok; i++) {
        memcpy(params[i], p->params, n);
        ok = put(p) && learn_there(e, p, params[i], losses[i]);
    }
    ok = ok && T_EQ(e->name, memcmp(params[0], params[1], n), 0) &&
         T_EQ(e->name, memcmp(losses[0], losses[1], sizeof losses[0]), 0);
    free(params[0]);
    free(params[1]);
    return ok;
}

static void networks_have_the_outputs_of_the_cpu(void)
{
    on_device(ASY_DEVICE_OPENCL, same_outputs);
}

static void networks_have_the_gradient_of_the_cpu(void)
{
    on_device(ASY_DEVICE_OPENCL, same_gradient);
}

static void networks_learn_as_on_the_cpu(void)
{
    on_device(ASY_DEVICE_OPENCL, same_curve);
}

static void networks_learn_the_same_twice(void)
{
    on_device(ASY_DEVICE_OPENCL, same_bits);
}

T_MAIN("device-families", T_TEST(networks_have_the_outputs_of_the_cpu),
       T_TEST(networks_have_the_gradient_of_the_cpu), T_TEST(networks_learn_as_on_the_cpu),
       T_TEST(networks_learn_the_same_twice))
