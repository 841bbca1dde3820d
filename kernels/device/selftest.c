/* SPDX-License-Identifier: Apache-2.0
 * selftest.c - whether a device computes what the cpu does: a dense layer on some rows. */
#include <math.h>
#include <asy/rng.h>
#include <stdlib.h>
#include <asy/device.h>

#define ROWS 37
#define IN 67
#define OUT 21
#define BIAS_AT (IN * OUT + 1) /* a multiple of 16 */
#define PARAMS (BIAS_AT + 32)
#define FAR 1e-4f /* sums of 67 products of numbers about 1 */
_Static_assert(BIAS_AT % 16 == 0, "tensors begin at multiples of 16");

struct numbers {
    float x[ROWS * IN], params[PARAMS], got[ROWS * OUT], want[ROWS * OUT];
};

static void draw(struct numbers *n)
{
    struct asy_rng rng;

    asy_rng_init(&rng, 5, 0, ASY_RNG_SIM);
    for (size_t i = 0; i < ROWS * IN; i++)
        n->x[i] = (float)asy_rng_normal(&rng);
    for (size_t i = 0; i < PARAMS; i++)
        n->params[i] = (float)asy_rng_normal(&rng);
    asy_dense_ref(ROWS, IN, OUT, n->x, n->params, n->want);
    for (size_t i = 0; i < ROWS * OUT; i++)
        n->want[i] = fmaxf(n->want[i] + n->params[BIAS_AT + i % OUT], 0);
}

static int compute(struct asy_device *device, struct numbers *n, struct asy_error *err)
{
    static const struct asy_op layer = {
        .kind = ASY_OP_DENSE, .act = ASY_ACT_RELU, .per_row = 1, .n = { IN, OUT },
        .in = { { ASY_SPACE_INPUT, 0 }, { ASY_SPACE_PARAMS, 0 }, { ASY_SPACE_PARAMS, BIAS_AT } },
        .out = { { ASY_SPACE_WORK, 0 }, { ASY_SPACE_WORK, 0 } },
    };
    static const struct asy_device_span spans[] = { { 0, IN * OUT, 1 }, { BIAS_AT, OUT, 0 } };
    const struct asy_device_net_desc desc = {
        .eval = &layer, .n_eval = 1, .features = IN, .outputs = OUT, .labels = 1,
        .eval_rows = ROWS, .n_params = PARAMS, .n_work = ROWS * OUT,
        .spans = spans, .n_spans = ASY_ARRAY_LEN(spans),
    };
    struct asy_device_net *net = NULL;
    int rc;

    if ((rc = asy_device_net_create(device, &desc, &net, err)) == 0 &&
        (rc = asy_device_net_write(net, ASY_ARRAY_PARAMS, n->params, PARAMS, err)) == 0 &&
        (rc = asy_device_net_rows(net, ROWS, n->x, NULL, NULL, err)) == 0)
        rc = asy_device_net_outputs(net, ASY_ARRAY_PARAMS, NULL, ROWS, n->got, err);
    asy_device_net_destroy(net);
    return rc;
}

int asy_device_selftest(struct asy_device *device, struct asy_error *err)
{
    struct numbers *n = malloc(sizeof *n);
    int rc;

    if (!n)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a test of a device");
    draw(n);
    rc = compute(device, n, err);
    for (size_t i = 0; i < ROWS * OUT && rc == 0; i++)
        if (!(fabsf(n->got[i] - n->want[i]) <= FAR)) /* nor is NaN */
            rc = asy_fail(err, ASY_E_CORRUPT, "output %zu of a dense layer is %g, not %g", i,
                          (double)n->got[i], (double)n->want[i]);
    free(n);
    return rc;
}
