/* SPDX-License-Identifier: Apache-2.0
 * Networks beside those of PyTorch, from the same weights on the same data, as make_net_golden.py
 * has them on record: the loss of each step, before its update.
 *
 * Tolerance: 1e-4 of the loss over 100 steps of SGD with momentum and 20 of Adam, which divides by
 * roots of small numbers and so multiplies differences of rounding. */
#include "trainkit.h"
#include "net/layers.h"
#include "learn/score.h"

#define GOLDEN ASY_SOURCE_DIR "/tests/train/data/net_torch.json"
#define ROWS_MAX 128
#define FEATURES_MAX 48
#define PARAMS 4096

struct bench {
    size_t features, rows, batch;
    float x[ROWS_MAX * FEATURES_MAX], target[ROWS_MAX];
    int32_t label[ROWS_MAX];
    float params[PARAMS], grads[PARAMS], m[PARAMS], v[PARAMS], buffers[PARAMS];
};
static struct bench bench;
static float memory[ASY_OP_ROOM + 65536] __attribute__((aligned(64)));

/* In [-0.5, 0.5), as the script draws them. */
static double draw(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (double)*state / 4294967296.0 - 0.5;
}

/* Scales and shifts of first values, as the script has them. */
static void draw_tensor(const struct asy__tensor *tensor, uint32_t *state)
{
    int is_norm = tensor->init == ASY__ONES, is_place = strstr(tensor->name, "place") != NULL;
    double inner = (double)(tensor->n / tensor->shape[0]);
    double scale = tensor->n_dims == 4                ? 3 / sqrt(inner)
                   : tensor->n_dims == 2 && !is_place ? 2 / sqrt(inner)
                                                      : 0.2;

    for (size_t i = 0; i < tensor->n; i++)
        bench.params[tensor->at + i] = (float)(draw(state) * scale + (is_norm ? 1 : 0));
}

static bool make_data(size_t outputs, uint32_t *state)
{
    if (!T_TRUE(bench.rows <= ROWS_MAX && bench.features <= FEATURES_MAX &&
                bench.rows % bench.batch == 0))
        return false;
    for (size_t i = 0; i < bench.rows * bench.features; i++)
        bench.x[i] = (float)(draw(state) * 2);
    for (size_t i = 0; i < bench.rows; i++)
        bench.label[i] = (int32_t)((draw(state) + 0.5) * (double)outputs);
    for (size_t i = 0; i < bench.rows; i++)
        bench.target[i] = (float)(draw(state) * 2);
    return true;
}

static void update(const struct asy_json *node, uint64_t step, size_t n)
{
    double lr = asy_json_f64(asy_json_get(node, "lr"), 0);
    double decay = asy_json_f64(asy_json_get(node, "weight_decay"), 0);
    struct asy_adam adam = { lr, 0.9, 0.999, 1e-8, decay };
    struct asy_sgd sgd = { (float)lr,
                           (float)asy_json_f64(asy_json_get(node, "momentum"), 0), (float)decay,
                           asy_json_bool(asy_json_get(node, "nesterov"), 0) };

    if (!strcmp(asy_json_str(asy_json_get(node, "optimizer"), ""), "adam"))
        asy_adam_step(&adam, step + 1, n, bench.params, bench.grads, bench.m, bench.v);
    else
        asy_sgd_step(&sgd, n, bench.params, bench.grads, bench.m);
}

static void train(const struct asy_json *node, struct asy__net *net)
{
    const struct asy_json *losses = asy_json_get(node, "losses");
    struct asy__learner learner = asy__net_learner(net, bench.params, bench.buffers);
    double worst = 0;
    char name[96];

    for (size_t step = 0; step < asy_json_len(losses); step++) {
        size_t from = step * bench.batch % bench.rows;
        struct asy__batch batch = { bench.batch, 0, bench.x + from * bench.features,
                                    bench.label + from, bench.target + from,
                                    1.0f / (float)bench.batch, 0, step };
        double want = asy_json_f64(asy_json_at(losses, step), 0), got;
        struct asy__score score = { .rows = 0 };

        ASY_IGNORE(learner.type->gradient(&learner, &batch, bench.grads, &score, NULL));
        got = score.loss / (double)bench.batch; /* (a network's gradient cannot fail) */
        worst = fmax(worst, fabs(got - want) / fmax(1e-3, want));
        update(node, step, net->n_params);
    }
    snprintf(name, sizeof name, "%s, %s, %zu steps", asy_json_str(asy_json_get(node, "name"), "?"),
             asy_json_str(asy_json_get(node, "optimizer"), "?"), asy_json_len(losses));
    T_TRUE(asy_json_len(losses) >= 20);
    T_NEAR(name, worst, 0, 1e-4);
}

static void check(const struct asy_json *node)
{
    size_t outputs = (size_t)asy_json_i64(asy_json_get(node, "outputs"), 1), n = 0;
    int is_binary = asy_json_get(node, "loss") != NULL;
    enum asy_op_kind loss = is_binary     ? ASY_OP_BINARY_LOSS
                            : outputs > 1 ? ASY_OP_SOFTMAX_LOSS
                                          : ASY_OP_SQUARED_LOSS;
    size_t features = (size_t)asy_json_i64(asy_json_get(node, "features"), 0);
    struct asy__net_options options = { { 1, 1, features }, { .kind = loss }, bench.batch, 1 };
    const struct asy_json *list = asy_json_get(node, "layers");
    struct asy__layer_desc output = { .kind = ASY__DENSE, .width = outputs }, *layers = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__net *net = NULL;
    uint32_t state = 7;

    bench.features = features;
    if (asy_json_len(list) > 0 &&
        !T_OK(asy__layers_read(list, NULL, outputs, &layers, &n, &err), &err))
        return;
    if (T_OK(asy__net_create(layers ? layers : &output, layers ? n : 1, &options, &net, &err),
             &err) &&
        T_TRUE(net->n_params <= PARAMS && net->n_buffers <= PARAMS &&
               asy__net_room(net) <= ASY_ARRAY_LEN(memory)) &&
        make_data(is_binary ? 2 : outputs, &state)) {
        asy__net_init(net, 1, bench.params, bench.buffers);
        memset(bench.grads, 0, sizeof bench.grads);
        memset(bench.m, 0, sizeof bench.m);
        memset(bench.v, 0, sizeof bench.v);
        for (size_t t = 0; t < net->n_tensors; t++)
            if (!net->tensors[t].is_buffer)
                draw_tensor(&net->tensors[t], &state);
        asy__net_bind(net, memory);
        train(node, net);
    }
    asy__net_destroy(net);
    free(layers);
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
        T_TRUE(asy_json_len(cases) >= 29);
        for (size_t i = 0; i < asy_json_len(cases); i++)
            check(asy_json_at(cases, i));
    }
    asy_json_destroy(root);
    free(text);
}

T_MAIN("net_parity", T_TEST(losses_are_those_of_the_peer))
