/* SPDX-License-Identifier: Apache-2.0 */
#include "device_mlp.h"
#include <stdlib.h>
#include <asy/rng.h>

/* WORK: hidden outputs (their gradient takes another place), logits. */
#define HIDDEN 0
#define DHIDDEN (HIDDEN + MLP_BATCH * MLP_HIDDEN)
#define LOGITS (DHIDDEN + MLP_BATCH * MLP_HIDDEN)
#define X(at_) { ASY_SPACE_INPUT, at_ }
#define P(at_) { ASY_SPACE_PARAMS, at_ }
#define G(at_) { ASY_SPACE_GRADS, at_ }
#define W(at_) { ASY_SPACE_WORK, at_ }

#define FORWARD                                                                                    \
    { .kind = ASY_OP_DENSE, .act = ASY_ACT_TANH, .per_row = 1, .n = { MLP_IN, MLP_HIDDEN },        \
      .in = { X(0), P(MLP_W1), P(MLP_B1) }, .out = { W(HIDDEN), W(HIDDEN) } },                     \
    { .kind = ASY_OP_DENSE, .per_row = 1, .n = { MLP_HIDDEN, MLP_OUT },                            \
      .in = { W(HIDDEN), P(MLP_W2), P(MLP_B2) }, .out = { W(LOGITS), W(LOGITS) } }

static const struct asy_op train[] = {
    FORWARD,
    { .kind = ASY_OP_SOFTMAX_LOSS, .per_row = 1, .n = { MLP_OUT }, .in = { W(LOGITS) },
      .out = { W(LOGITS) } },
    { .kind = ASY_OP_DENSE_DW, .per_row = 1, .n = { MLP_HIDDEN, MLP_OUT },
      .in = { W(LOGITS), W(HIDDEN) }, .out = { G(MLP_W2) } },
    { .kind = ASY_OP_COLUMN_SUMS, .per_row = 1, .n = { MLP_OUT }, .in = { W(LOGITS) },
      .out = { G(MLP_B2) } },
    { .kind = ASY_OP_DENSE_DX, .per_row = 1, .n = { MLP_HIDDEN, MLP_OUT },
      .in = { W(LOGITS), P(MLP_W2) }, .out = { W(DHIDDEN) } },
    { .kind = ASY_OP_BIAS_ACT_GRAD, .act = ASY_ACT_TANH, .per_row = 1, .n = { MLP_HIDDEN },
      .in = { W(DHIDDEN), W(HIDDEN) }, .out = { W(DHIDDEN), G(MLP_B1) } },
    { .kind = ASY_OP_DENSE_DW, .per_row = 1, .n = { MLP_IN, MLP_HIDDEN },
      .in = { W(DHIDDEN), X(0) }, .out = { G(MLP_W1) } },
};
static const struct asy_op eval[] = { FORWARD };
static const struct asy_device_span spans[MLP_SPANS] = {
    { MLP_W1, MLP_IN * MLP_HIDDEN, 1 },
    { MLP_B1, MLP_HIDDEN, 0 },
    { MLP_W2, MLP_HIDDEN * MLP_OUT, 1 },
    { MLP_B2, MLP_OUT, 0 },
};

const struct asy_op mlp_loss = { .kind = ASY_OP_SOFTMAX_LOSS, .n = { MLP_OUT } };
const struct asy_device_net_desc mlp_desc = {
    .train = train, .eval = eval, .n_train = ASY_ARRAY_LEN(train), .n_eval = ASY_ARRAY_LEN(eval),
    .features = MLP_IN, .outputs = MLP_OUT, .labels = 1, .out = LOGITS, .train_rows = MLP_BATCH,
    .eval_rows = MLP_BATCH, .n_params = MLP_PARAMS, .n_work = LOGITS + MLP_BATCH * MLP_OUT,
    .judged = 2 * MLP_BATCH, .scores = 2,
    .keeps_m = 1, .keeps_v = 1, .keeps_mean = 1, .spans = spans, .n_spans = MLP_SPANS,
};

static float *zeros(size_t n)
{
    size_t bytes = (n * sizeof(float) + 63) / 64 * 64;
    float *x = aligned_alloc(64, bytes);

    return x ? memset(x, 0, bytes) : NULL;
}

bool mlp_init(struct mlp *mlp)
{
    struct asy_rng rng;

    asy_kernels_init();
    asy_rng_init(&rng, 3, 0, ASY_RNG_SIM);
    *mlp = (struct mlp){ .x = zeros(MLP_ROWS * MLP_IN), .params = zeros(MLP_PARAMS),
                         .grads = zeros(MLP_PARAMS), .m = zeros(MLP_PARAMS),
                         .v = zeros(MLP_PARAMS), .mean = zeros(MLP_PARAMS),
                         .work = zeros(mlp_desc.n_work), .gemm = zeros(ASY_OP_ROOM) };
    if (!T_TRUE(mlp->x && mlp->params && mlp->grads && mlp->m && mlp->v && mlp->mean &&
                mlp->work && mlp->gemm))
        return false;
    for (size_t i = 0; i < MLP_ROWS; i++) {
        mlp->label[i] = (int32_t)asy_rng_below(&rng, MLP_OUT);
        for (size_t j = 0; j < MLP_IN; j++) /* of a class: the same twice over */
            mlp->x[i * MLP_IN + j] = (float)(asy_rng_normal(&rng) / 2) +
                                     (j % MLP_OUT == (size_t)mlp->label[i] ? 1.0f : 0.0f);
    }
    for (size_t s = 0; s < MLP_SPANS; s++)
        for (size_t i = 0; i < spans[s].n; i++)
            mlp->params[spans[s].at + i] = (float)(asy_rng_normal(&rng) / 5);
    return true;
}

void mlp_fini(struct mlp *mlp)
{
    float *all[] = { mlp->x,    mlp->params, mlp->grads, mlp->m,
                     mlp->v,    mlp->mean,   mlp->work,  mlp->gemm };

    for (size_t i = 0; i < ASY_ARRAY_LEN(all); i++)
        free(all[i]);
}

void mlp_batch(uint64_t step, uint32_t row[MLP_BATCH])
{
    for (uint32_t i = 0; i < MLP_BATCH; i++)
        row[i] = (uint32_t)((step * 7919 + i * 31 + i * i) % MLP_ROWS);
}

static float trust_of(const struct asy_device_update *update, const struct asy_device_span *span,
                      double weights, double change)
{
    weights = sqrt(weights);
    change = sqrt(change);
    if (!span->adapts || weights == 0 || change == 0)
        return 1;
    if (update->rule == ASY_RULE_LAMB)
        return (float)(weights / change);
    return (float)(update->trust * weights /
                   (change + (double)update->sgd.weight_decay * weights));
}

static void update_by_tensors(struct mlp *mlp, const struct asy_device_update *update)
{
    for (size_t s = 0; s < MLP_SPANS; s++) {
        size_t at = spans[s].at, n = spans[s].n;
        float *w = mlp->params + at, *g = mlp->grads + at, *m = mlp->m + at, *v = mlp->v + at;
        struct asy_norms norms = { asy_sum_squares(n, w), asy_sum_squares(n, g) };

        if (update->rule == ASY_RULE_LARS) {
            asy_lars_apply(&update->sgd, trust_of(update, &spans[s], norms.weights, norms.change),
                           n, w, g, m);
            continue;
        }
        asy_lamb_moments(&update->adam, update->step, n, w, g, m, v, &norms);
        asy_lamb_apply(&update->adam, update->step,
                       trust_of(update, &spans[s], norms.weights, norms.change), n, w, m, v);
    }
}

static void update_on_cpu(struct mlp *mlp, const struct asy_device_update *update)
{
    double norm = sqrt(asy_sum_squares(MLP_PARAMS, mlp->grads));

    if (update->clip > 0 && update->clip / (norm + 1e-6) < 1)
        asy_scale(MLP_PARAMS, (float)(update->clip / (norm + 1e-6)), mlp->grads);
    if (update->rule == ASY_RULE_SGD)
        asy_sgd_step(&update->sgd, MLP_PARAMS, mlp->params, mlp->grads, mlp->m);
    else if (update->rule == ASY_RULE_ADAMW)
        asy_adam_step(&update->adam, update->step, MLP_PARAMS, mlp->params, mlp->grads, mlp->m,
                      mlp->v);
    else if (update->rule == ASY_RULE_ADAM_L2)
        asy_adam_l2_step(&update->adam, update->step, MLP_PARAMS, mlp->params, mlp->grads, mlp->m,
                         mlp->v);
    else
        update_by_tensors(mlp, update);
    if (update->mean_rate > 0)
        asy_mean_step(MLP_PARAMS, (float)update->mean_rate, mlp->params, mlp->mean);
}

void mlp_step(struct mlp *mlp, const struct asy_device_update *update)
{
    struct asy_op_step step = { .rows = MLP_BATCH, .scale = 1.0f / MLP_BATCH };
    double sums[ASY_SUMS] = { 0 };
    int32_t label[MLP_BATCH];
    float x[MLP_BATCH * MLP_IN];
    uint32_t row[MLP_BATCH];
    struct asy_op_cpu cpu = {
        .read = { NULL, x, mlp->params, mlp->grads, NULL, mlp->work },
        .write = { NULL, NULL, NULL, mlp->grads, NULL, mlp->work },
        .label = label, .sums = sums, .room = mlp->gemm,
    };

    mlp_batch(update->step, row);
    for (size_t i = 0; i < MLP_BATCH; i++) {
        memcpy(x + i * MLP_IN, mlp->x + row[i] * MLP_IN, MLP_IN * sizeof *x);
        label[i] = mlp->label[row[i]];
    }
    asy_op_run(train, ASY_ARRAY_LEN(train), &cpu, &step);
    mlp->loss = sums[ASY_SUM_LOSS] / MLP_BATCH;
    update_on_cpu(mlp, update);
}
