/* SPDX-License-Identifier: Apache-2.0
 * Models of sequences beside those of PyTorch, from the same weights on the same data, as
 * make_gpt_golden.py has them on record: the loss of each step, before its update.
 *
 * Tolerance: 1e-4, of the loss where that is above 1, over 100 steps of SGD with momentum and 20 of
 * Adam, which divides by roots of small numbers and so multiplies differences of rounding. */
#include "trainkit.h"
#include "net/families.h"
#include "learn/score.h"

#define GOLDEN ASY_SOURCE_DIR "/tests/train/data/gpt_torch.json"
#define MOST 1024     /* numbers of the data */
#define PARAMS 32768
#define WORK 262144

struct bench {
    size_t rows, batch, tokens, vocabulary, features, classes;
    float x[MOST];
    int32_t label[MOST];
    float params[PARAMS], grads[PARAMS], m[PARAMS], v[PARAMS];
};
static struct bench bench;
static float memory[ASY_OP_ROOM + WORK] __attribute__((aligned(64)));

/* In [-0.5, 0.5), as the script draws them. */
static double draw(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (double)*state / 4294967296.0 - 0.5;
}

static int32_t below(size_t n, uint32_t *state)
{
    return (int32_t)((draw(state) + 0.5) * (double)n);
}

/* Scales and shifts of first values, as the script has them. */
static void draw_tensor(const struct asy__tensor *tensor, uint32_t *state)
{
    int is_norm = tensor->init == ASY__ONES, is_weight = strstr(tensor->name, "weight") && !is_norm;
    int is_bias = !is_norm && !is_weight && tensor->n_dims == 1;
    double scale = is_weight ? 2 / sqrt((double)tensor->shape[1]) : is_bias || is_norm ? 0.2 : 1;

    for (size_t i = 0; i < tensor->n; i++)
        bench.params[tensor->at + i] = (float)(draw(state) * scale + (is_norm ? 1 : 0));
}

static void make_sequences(uint32_t *state)
{
    size_t n = 0;

    for (size_t r = 0; r < bench.rows; r++) {
        int32_t id = below(bench.vocabulary, state);

        for (size_t t = 0; t < bench.tokens; t++, n++) {
            bench.x[n] = (float)id;
            bench.label[n] = id = below(bench.vocabulary, state);
        }
    }
}

static void make_rows(uint32_t *state)
{
    for (size_t i = 0; i < bench.rows * bench.features; i++)
        bench.x[i] = (float)(draw(state) * 2);
    for (size_t i = 0; i < bench.rows; i++)
        bench.label[i] = below(bench.classes, state);
}

/* Rows of tokens, with padding behind them, the last of the vocabulary. */
static void make_padded(uint32_t *state)
{
    for (size_t r = 0; r < bench.rows; r++) {
        size_t n = 1 + (size_t)below(bench.features, state);

        for (size_t t = 0; t < bench.features; t++)
            bench.x[r * bench.features + t] =
                (float)(t < n ? below(bench.vocabulary - 1, state) : (int32_t)bench.vocabulary - 1);
    }
    for (size_t i = 0; i < bench.rows; i++)
        bench.label[i] = below(bench.classes, state);
}

static void update(const struct asy_json *node, uint64_t step, size_t n)
{
    double lr = asy_json_f64(asy_json_get(node, "lr"), 0);
    double decay = asy_json_f64(asy_json_get(node, "weight_decay"), 0);
    struct asy_adam adam = { lr, 0.9, 0.999, 1e-8, decay };
    struct asy_sgd sgd = { (float)lr, (float)asy_json_f64(asy_json_get(node, "momentum"), 0),
                           (float)decay, 0 };

    if (!strcmp(asy_json_str(asy_json_get(node, "optimizer"), ""), "adam"))
        asy_adam_step(&adam, step + 1, n, bench.params, bench.grads, bench.m, bench.v);
    else
        asy_sgd_step(&sgd, n, bench.params, bench.grads, bench.m);
}

/* labels: of a row. */
static void train(const struct asy_json *node, struct asy__net *net, size_t labels)
{
    const struct asy_json *losses = asy_json_get(node, "losses");
    struct asy__learner learner = asy__net_learner(net, bench.params, NULL);
    size_t width = asy__shape_size(net->features), n = bench.batch * labels;
    double worst = 0;
    char name[96];

    for (size_t step = 0; step < asy_json_len(losses); step++) {
        size_t from = step * bench.batch % bench.rows;
        struct asy__batch batch = { .rows = bench.batch, .x = bench.x + from * width,
                                    .label = bench.label + from * labels,
                                    .scale = 1.0f / (float)n, .step = step };
        double want = asy_json_f64(asy_json_at(losses, step), 0), got;
        struct asy__score score = { .rows = 0 };

        ASY_IGNORE(learner.type->gradient(&learner, &batch, bench.grads, &score, NULL));
        got = score.loss / (double)n; /* (a network's gradient cannot fail) */
        worst = fmax(worst, fabs(got - want) / fmax(1e-3, want));
        update(node, step, net->n_params);
    }
    snprintf(name, sizeof name, "%s, %s, %zu steps",
             asy_json_str(asy_json_get(node, "family"), "?"),
             asy_json_str(asy_json_get(node, "optimizer"), "?"), asy_json_len(losses));
    T_TRUE(asy_json_len(losses) >= 20);
    T_NEAR(name, worst, 0, 1e-4);
}

static void check(const struct asy_json *node)
{
    int family = asy__family_find(asy_json_str(asy_json_get(node, "family"), NULL));
    struct asy__schema schema = { .classification = 1, .classes = { .n = bench.classes },
                                  .n_features = bench.features };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__net *net = NULL;
    struct asy__hyper hyper;
    uint32_t state = 7;

    if (!T_TRUE(family >= 0))
        return;
    asy__hyper_defaults((enum asy__family)family, &hyper);
    if (family == ASY__GPT) {
        hyper.context = (int64_t)bench.tokens;
        schema = (struct asy__schema){ .classification = 1, .vocabulary = bench.vocabulary };
        make_sequences(&state);
    } else if (asy_json_bool(asy_json_get(node, "ids"), 0)) {
        schema.ids = bench.vocabulary;
        make_padded(&state);
    } else {
        make_rows(&state);
    }
    if (T_OK(asy__hyper_read(asy_json_get(node, "params"), &hyper, &err), &err) &&
        T_OK(asy__family_net(&hyper, &schema, bench.batch, 1, &net, &err), &err) &&
        T_TRUE(net->n_params <= PARAMS && asy__net_room(net) <= ASY_ARRAY_LEN(memory))) {
        memset(bench.params, 0, sizeof bench.params);
        memset(bench.grads, 0, sizeof bench.grads);
        memset(bench.m, 0, sizeof bench.m);
        memset(bench.v, 0, sizeof bench.v);
        for (size_t t = 0; t < net->n_tensors; t++)
            draw_tensor(&net->tensors[t], &state);
        asy__net_bind(net, memory);
        train(node, net, family == ASY__GPT ? bench.tokens : 1);
    }
    asy__net_destroy(net);
}

static size_t count(const struct asy_json *root, const char *name)
{
    return (size_t)asy_json_i64(asy_json_get(root, name), 1);
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
        bench.rows = count(root, "rows");
        bench.batch = count(root, "batch");
        bench.tokens = count(root, "tokens");
        bench.vocabulary = count(root, "vocabulary");
        bench.features = count(root, "features");
        bench.classes = count(root, "classes");
        T_TRUE(asy_json_len(cases) >= 12);
        if (T_TRUE(bench.rows * bench.tokens <= MOST && bench.rows * bench.features <= MOST))
            for (size_t i = 0; i < asy_json_len(cases); i++)
                check(asy_json_at(cases, i));
    }
    asy_json_destroy(root);
    free(text);
}

T_MAIN("gpt_parity", T_TEST(losses_are_those_of_the_peer))
