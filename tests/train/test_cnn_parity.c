/* SPDX-License-Identifier: Apache-2.0
 * Convolutional networks beside those of PyTorch, from the same weights on the same data, as
 * make_cnn_golden.py has them on record: the loss of each step, before its update, and that of all
 * rows at the end.
 *
 * Tolerance: 1e-4 of the loss over 100 steps of SGD with momentum and 20 of Adam, which divides by
 * roots of small numbers and so multiplies differences of rounding. */
#include "trainkit.h"
#include "net/families.h"
#include "learn/score.h"

#define GOLDEN ASY_SOURCE_DIR "/tests/train/data/cnn_torch.json"
#define ROWS_MAX 96
#define FEATURES_MAX 320
#define PARAMS 8192

struct bench {
    size_t features, rows, batch;
    float x[ROWS_MAX * FEATURES_MAX];
    int32_t label[ROWS_MAX];
    float params[PARAMS], grads[PARAMS], m[PARAMS], v[PARAMS], buffers[PARAMS];
};
static struct bench bench;
static float memory[ASY_OP_ROOM + 2000000] __attribute__((aligned(64)));

/* In [-0.5, 0.5), as the script draws them. */
static double draw(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (double)*state / 4294967296.0 - 0.5;
}

/* Scales and shifts of first values, as the script has them. */
static void draw_tensor(const struct asy__tensor *tensor, uint32_t *state)
{
    int is_norm = tensor->init == ASY__ONES;
    size_t inner = tensor->n / tensor->shape[0];
    double scale = tensor->n_dims == 4   ? 3 / sqrt((double)inner)
                   : tensor->n_dims == 2 ? 2 / sqrt((double)inner)
                                         : 0.2;

    for (size_t i = 0; i < tensor->n; i++)
        bench.params[tensor->at + i] = (float)(draw(state) * scale + (is_norm ? 1 : 0));
}

static void update(const struct asy_json *node, uint64_t step, size_t n)
{
    double lr = asy_json_f64(asy_json_get(node, "lr"), 0);
    struct asy_adam adam = { lr, 0.9, 0.999, 1e-8, 0 };
    struct asy_sgd sgd = { .lr = (float)lr,
                           .momentum = (float)asy_json_f64(asy_json_get(node, "momentum"), 0) };

    if (!strcmp(asy_json_str(asy_json_get(node, "optimizer"), ""), "adam"))
        asy_adam_step(&adam, step + 1, n, bench.params, bench.grads, bench.m, bench.v);
    else
        asy_sgd_step(&sgd, n, bench.params, bench.grads, bench.m);
}

static double evaluate(const struct asy__learner *learner, size_t classes)
{
    uint64_t correct = 0;
    double loss = 0;

    for (size_t at = 0; at < bench.rows; at += bench.batch) {
        struct asy_error err = ASY_ERROR_INIT;
        float *out;

        if (!T_OK(learner->type->outputs(learner, bench.x + at * bench.features, bench.batch, &out,
                                         &err), &err))
            return (double)NAN;
        loss += asy_softmax_loss_ref(bench.batch, classes, out, bench.label + at, 0, &correct);
    }
    return loss / (double)bench.rows;
}

static void train(const struct asy_json *node, struct asy__net *net)
{
    const struct asy_json *losses = asy_json_get(node, "losses");
    struct asy__learner learner = asy__net_learner(net, bench.params, bench.buffers);
    double worst = 0, want;
    char name[96];

    for (size_t step = 0; step < asy_json_len(losses); step++) {
        size_t from = step * bench.batch % bench.rows;
        struct asy__batch batch = { .rows = bench.batch, .x = bench.x + from * bench.features,
                                    .label = bench.label + from,
                                    .scale = 1.0f / (float)bench.batch, .step = step };
        struct asy__score score = { .rows = 0 };

        ASY_IGNORE(learner.type->gradient(&learner, &batch, bench.grads, &score, NULL));
        want = asy_json_f64(asy_json_at(losses, step), 0); /* (one rank: it cannot fail) */
        worst = fmax(worst, fabs(score.loss / (double)bench.batch - want) / fmax(1e-3, want));
        update(node, step, net->n_params);
    }
    snprintf(name, sizeof name, "%s, %s, %zu steps", asy_json_str(asy_json_get(node, "name"), "?"),
             asy_json_str(asy_json_get(node, "optimizer"), "?"), asy_json_len(losses));
    T_TRUE(asy_json_len(losses) >= 20);
    T_NEAR(name, worst, 0, 1e-4);
    want = asy_json_f64(asy_json_get(node, "evaluated"), 0);
    /* of weights that have moved apart as the losses did, and of running variances besides */
    T_NEAR(name, evaluate(&learner, net->outputs.channels), want, 5e-4 * fmax(want, 1));
}

static bool make_data(const size_t image[3], size_t outputs, uint32_t *state)
{
    bench.features = image[0] * image[1] * image[2];
    if (!T_TRUE(bench.rows <= ROWS_MAX && bench.features <= FEATURES_MAX &&
                bench.rows % bench.batch == 0))
        return false;
    for (size_t i = 0; i < bench.rows * bench.features; i++)
        bench.x[i] = (float)(draw(state) * 2);
    for (size_t i = 0; i < bench.rows; i++)
        bench.label[i] = (int32_t)((draw(state) + 0.5) * (double)outputs);
    return true;
}

static void check(const struct asy_json *node, size_t outputs)
{
    struct asy__schema schema = { .classification = 1 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__net *net = NULL;
    struct asy__hyper hyper;
    uint32_t state = 7;

    schema.classes.n = outputs;
    for (size_t d = 0; d < 3; d++)
        schema.image[d] = (size_t)asy_json_i64(asy_json_at(asy_json_get(node, "image"), d), 1);
    schema.n_features = schema.image[0] * schema.image[1] * schema.image[2];
    asy__hyper_defaults(ASY__CNN, &hyper);
    if (T_OK(asy__hyper_read(asy_json_get(node, "parameters"), &hyper, &err), &err) &&
        T_OK(asy__family_net(&hyper, &schema, bench.batch, bench.batch, &net, &err), &err) &&
        T_TRUE(net->n_params <= PARAMS && net->n_buffers <= PARAMS &&
               asy__net_room(net) <= ASY_ARRAY_LEN(memory)) &&
        make_data(schema.image, outputs, &state)) {
        memset(bench.grads, 0, sizeof bench.grads);
        memset(bench.m, 0, sizeof bench.m);
        memset(bench.v, 0, sizeof bench.v);
        asy__net_init(net, 1, bench.params, bench.buffers);
        for (size_t t = 0; t < net->n_tensors; t++)
            if (!net->tensors[t].is_buffer)
                draw_tensor(&net->tensors[t], &state);
        asy__net_bind(net, memory);
        train(node, net);
    }
    asy__net_destroy(net);
}

static void losses_are_those_of_the_peer(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_json *root = NULL;
    const struct asy_json *cases;
    char *text = NULL;
    size_t len = 0;

    asy_kernels_init();
    if (T_OK(asy_read_file(GOLDEN, 1u << 20, &text, &len, &err), &err) &&
        T_OK(asy_json_parse(text, len, &root, &err), &err)) {
        cases = asy_json_get(root, "cases");
        bench.rows = (size_t)asy_json_i64(asy_json_get(root, "rows"), 0);
        bench.batch = (size_t)asy_json_i64(asy_json_get(root, "batch"), 1);
        T_TRUE(asy_json_len(cases) >= 12);
        for (size_t i = 0; i < asy_json_len(cases); i++)
            check(asy_json_at(cases, i), (size_t)asy_json_i64(asy_json_get(root, "outputs"), 1));
    }
    asy_json_destroy(root);
    free(text);
}

T_MAIN("cnn_parity", T_TEST(losses_are_those_of_the_peer))
