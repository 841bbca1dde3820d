/* SPDX-License-Identifier: Apache-2.0
 * familykit.h - networks of every family with rows to learn, on the cpu and on a device. */
#ifndef FAMILYKIT_H
#define FAMILYKIT_H
#include <asytest.h>
#include <asy/buf.h>
#include <asy/device.h>
#include <asy/rng.h>
#include "learn/loss.h"
#include "learn/score.h"
#include "net/families.h"

#define ROWS 24
#define CLASSES 3
#define VOCABULARY 11
#define SEED 7
#define FIRST 5 /* rows of the batch before these */

enum task { TABLE, NUMBERS, TOKENS, TWO };
static const struct example {
    const char *name, *family;
    enum task task;
    size_t features; /* of a row; tokens: of the context */
    double lr;
    const char *params;
} examples[] = {
    { "linear", "linear", TABLE, 13, 0.1, "{}" },
    { "linear huber", "linear", NUMBERS, 5, 0.1, "{\"loss\":\"huber\",\"delta\":0.5}" },
    { "mlp", "mlp", TABLE, 9, 0.05, "{\"hidden\":33,\"layers\":2,\"activation\":\"relu\"}" },
    { "mlp layer norm, dropout", "mlp", TABLE, 9, 0.05,
      "{\"hidden\":33,\"layers\":2,\"activation\":\"gelu\",\"norm\":\"layer\",\"dropout\":0.3}" },
    { "mlp batch norm, smoothing", "mlp", TABLE, 9, 0.05,
      "{\"hidden\":20,\"layers\":2,\"activation\":\"tanh\",\"norm\":\"batch\","
      "\"label_smoothing\":0.1,\"class_balance\":1}" },
    { "mlp squared", "mlp", NUMBERS, 9, 0.02,
      "{\"hidden\":17,\"layers\":1,\"activation\":\"silu\"}" },
    { "mlp quantile", "mlp", NUMBERS, 9, 0.05,
      "{\"hidden\":17,\"layers\":1,\"activation\":\"tanh\",\"loss\":\"quantile\","
      "\"quantile\":0.8}" },
    { "cnn", "cnn", TABLE, 144, 0.05,
      "{\"filters\":6,\"blocks\":2,\"kernel\":3,\"hidden\":16,\"activation\":\"relu\"}" },
    { "cnn mean pool, valid", "cnn", TABLE, 144, 0.05,
      "{\"filters\":5,\"blocks\":1,\"kernel\":4,\"hidden\":16,\"activation\":\"gelu\","
      "\"padding\":\"valid\",\"pool\":\"mean\",\"norm\":\"batch\"}" },
    { "cnn residual", "cnn", TABLE, 100, 0.02,
      "{\"filters\":8,\"blocks\":2,\"kernel\":3,\"residual\":true,\"norm\":\"batch\","
      "\"activation\":\"silu\"}" },
    { "gpt", "gpt", TOKENS, 13, 0.05,
      "{\"d_model\":24,\"heads\":3,\"blocks\":2,\"context\":13,\"tied\":false,\"dropout\":0.1}" },
    { "gpt tied", "gpt", TOKENS, 37, 0.05,
      "{\"d_model\":16,\"heads\":2,\"blocks\":1,\"context\":37,\"tied\":true}" },
    { "transformer", "transformer", TABLE, 40, 0.05,
      "{\"d_model\":12,\"heads\":2,\"blocks\":2,\"tokens\":8,\"dropout\":0.1}" },
    { "layers", "layers", TABLE, 144, 0.05,
      "{\"layers\":[{\"image\":9,\"width\":8},{\"conv\":6,\"kernel\":3,\"pad\":1,\"groups\":2,"
      "\"act\":\"tanh\"},{\"max_pool\":3,\"stride\":2,\"pad\":1},{\"conv\":4,\"kernel\":2,"
      "\"stride\":2,\"act\":\"leaky_relu\"},{\"mean_pool\":2,\"pad\":1,\"stride\":1},"
      "{\"norm\":\"batch\"},{\"act\":\"sigmoid\"},{\"dropout\":0.2},{\"global_mean\":true},"
      "{\"dense\":3}]}" },
    { "layers of shares", "layers", TABLE, 100, 0.05,
      "{\"layers\":[{\"image\":10},{\"conv\":6,\"pad\":1,\"act\":\"softmax\"},{\"max_pool\":2},"
      "{\"flatten\":true},{\"act\":\"softmax\"},{\"dense\":20,\"act\":\"softmax\"}]}" },
    { "transformer that drops weights", "transformer", TABLE, 40, 0.05,
      "{\"d_model\":12,\"heads\":2,\"blocks\":1,\"tokens\":8,\"attention_dropout\":0.3}" },
    { "layers of tokens", "layers", TABLE, 100, 0.05,
      "{\"layers\":[{\"tokens\":10},{\"dense\":12},{\"attention\":2,\"causal\":true},"
      "{\"dense\":9,\"act\":\"tanh\"},{\"global_max\":true},{\"dense\":7,\"act\":\"silu\"}]}" },
    { "mlp binary, smoothing", "mlp", TWO, 9, 0.05,
      "{\"hidden\":20,\"layers\":1,\"loss\":\"binary\",\"label_smoothing\":0.1,"
      "\"class_balance\":1}" },
};

/* ---- what is learnt -------------------------------------------------------------------------- */

static void describe(const struct example *e, struct asy_buf *text)
{
    static const char *const lists[] = { "fill", "shift", "factor" };

    if (e->task == TOKENS) {
        asy_buf_addf(text, "{\"task\":\"tokens\",\"vocabulary\":%d,\"characters\":[]}", VOCABULARY);
        return;
    }
    asy_buf_addf(text, "{\"task\":\"%s\",\"columns\":[",
                 e->task == NUMBERS ? "regression" : "classification");
    for (size_t i = 0; i < e->features; i++)
        asy_buf_addf(text, "{\"name\":\"c%zu\",\"kind\":\"number\"},", i);
    asy_buf_addf(text, "{\"name\":\"y\",\"kind\":\"label\"}],\"classes\":%s",
                 e->task == TABLE ? "[\"0\",\"1\",\"2\"]"
                 : e->task == TWO ? "[\"0\",\"1\"]"
                                  : "[]");
    for (size_t k = 0; k < ASY_ARRAY_LEN(lists); k++) {
        asy_buf_addf(text, ",\"%s\":[", lists[k]);
        for (size_t i = 0; i < e->features; i++)
            asy_buf_addf(text, "%s%d", i ? "," : "", k == 2);
        asy_buf_addc(text, ']');
    }
    asy_buf_addc(text, '}');
}

/* A network twice: on the cpu and on the device. */
struct pair {
    struct asy__schema schema;
    struct asy_json *params_text; /* the hyperparameters borrow from it */
    struct asy__hyper hyper;
    struct asy__net *net;
    struct asy_device_net *there;
    float *params, *grads, *momentum, *buffers, *room, *got, *x, *target;
    int32_t *label;
    float weights[CLASSES];
    size_t labels;
};

static int read_text(const struct asy_buf *text, struct asy_json **ret, struct asy_error *err)
{
    int rc = asy_buf_check(text, "a schema", err);

    return rc ? rc : asy_json_parse(text->data, text->len, ret, err);
}

static int read_example(const struct example *e, struct pair *p, struct asy_error *err)
{
    struct asy_json *root = NULL;
    struct asy_buf text;
    int rc;

    asy_buf_init(&text, 1u << 20);
    describe(e, &text);
    if ((rc = read_text(&text, &root, err)) == 0)
        rc = asy__schema_read(root, &p->schema, err);
    asy_json_destroy(root);
    asy_buf_fini(&text);
    if (rc)
        return rc;
    asy__hyper_defaults((enum asy__family)asy__family_find(e->family), &p->hyper);
    if ((rc = asy_json_parse(e->params, strlen(e->params), &p->params_text, err)) == 0)
        rc = asy__hyper_read(p->params_text, &p->hyper, err);
    return rc;
}

static float *floats(size_t n)
{
    void *x = NULL;

    if (posix_memalign(&x, 64, (n + 1) * sizeof(float)))
        return NULL;
    return memset(x, 0, (n + 1) * sizeof(float));
}

static bool make_rows(const struct example *e, struct pair *p, struct asy_rng *rng)
{
    p->labels = e->task == TOKENS ? e->features : 1;
    p->x = floats(ROWS * e->features);
    p->target = floats(ROWS);
    p->label = calloc(ROWS * p->labels, sizeof *p->label);
    if (!T_TRUE(p->x && p->target && p->label))
        return false;
    for (size_t i = 0; i < ROWS * e->features; i++)
        p->x[i] = e->task == TOKENS ? (float)(asy_rng_u32(rng) % VOCABULARY)
                                    : (float)asy_rng_normal(rng);
    for (size_t i = 0; i < ROWS; i++)
        p->target[i] = (float)asy_rng_normal(rng);
    for (size_t i = 0; i < ROWS * p->labels; i++)
        p->label[i] = (int32_t)(asy_rng_u32(rng) % (e->task == TOKENS ? VOCABULARY
                                                    : e->task == TWO  ? 2
                                                                      : CLASSES));
    for (size_t i = 0; i < CLASSES; i++)
        p->weights[i] = 0.5f + 0.5f * (float)i;
    return true;
}

/* What the training begins with; zeros and ones are moved about, so that they count. */
static bool make_memory(struct pair *p, struct asy_rng *rng)
{
    p->params = floats(p->net->n_params);
    p->grads = floats(p->net->n_params);
    p->momentum = floats(p->net->n_params);
    p->got = floats(p->net->n_params);
    p->buffers = floats(p->net->n_buffers);
    p->room = floats(asy__net_room(p->net));
    if (!T_TRUE(p->params && p->grads && p->momentum && p->got && p->buffers && p->room))
        return false;
    asy__net_bind(p->net, p->room);
    asy__net_init(p->net, SEED, p->params, p->buffers);
    for (size_t t = 0; t < p->net->n_tensors; t++)
        for (size_t i = 0; i < p->net->tensors[t].n && !p->net->tensors[t].is_buffer; i++)
            p->params[p->net->tensors[t].at + i] += (float)(0.1 * asy_rng_double(rng));
    return true;
}

static int there_create(struct asy_device *device, const struct example *e, struct pair *p,
                        struct asy_error *err)
{
    const struct asy__net *net = p->net;
    int weighs = asy__loss_weighs(&p->hyper);

    return asy_device_net_create(
        device,
        &(struct asy_device_net_desc){
            .train = net->train.ops, .eval = net->eval.ops, .n_train = net->train.n,
            .n_eval = net->eval.n, .features = e->features,
            .outputs = asy__shape_size(net->outputs), .labels = p->labels, .out = net->out,
            .train_rows = net->train_rows, .eval_rows = net->eval_rows,
            .n_params = net->n_params, .n_buffers = net->n_buffers, .n_work = net->n_work,
            .class_weights = weighs ? p->weights : NULL, .n_classes = weighs ? CLASSES : 0 },
        &p->there, err);
}

static void pair_fini(struct pair *p)
{
    asy_device_net_destroy(p->there);
    asy__net_destroy(p->net);
    asy__schema_fini(&p->schema);
    asy_json_destroy(p->params_text);
    free(p->params);
    free(p->grads);
    free(p->momentum);
    free(p->buffers);
    free(p->room);
    free(p->got);
    free(p->x);
    free(p->target);
    free(p->label);
}

static bool pair_init(struct asy_device *device, const struct example *e, struct pair *p)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_rng rng;

    *p = (struct pair){ 0 };
    asy_rng_init(&rng, SEED, (uint64_t)(e - examples), ASY_RNG_SIM);
    return T_OK(read_example(e, p, &err), &err) &&
           T_OK(asy__family_net(&p->hyper, &p->schema, ROWS, ROWS, &p->net, &err), &err) &&
           make_rows(e, p, &rng) && make_memory(p, &rng) &&
           T_OK(there_create(device, e, p, &err), &err);
}

/* ---- both sides ------------------------------------------------------------------------------ */

static bool put(struct pair *p)
{
    struct asy_error err = ASY_ERROR_INIT;

    return T_OK(asy_device_net_write(p->there, ASY_ARRAY_PARAMS, p->params, p->net->n_params,
                                     &err), &err) &&
           T_OK(asy_device_net_write(p->there, ASY_ARRAY_BUFFERS, p->buffers, p->net->n_buffers,
                                     &err), &err);
}

static int take_rows(struct pair *p, struct asy_error *err)
{
    return asy_device_net_rows(p->there, ROWS, p->x, p->label, p->target, err);
}

static bool each(struct asy_device *device, bool (*test)(const struct example *, struct pair *))
{
    bool ok = true;

    for (size_t i = 0; i < ASY_ARRAY_LEN(examples); i++) {
        struct pair p;

        if (!pair_init(device, &examples[i], &p) || !put(&p) || !test(&examples[i], &p)) {
            fprintf(stderr, "in '%s'\n", examples[i].name);
            ok = false;
        }
        pair_fini(&p);
    }
    return ok;
}

static void on_device(enum asy_device_kind kind,
                      bool (*test)(const struct example *, struct pair *))
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_device *device = NULL;

    asy_kernels_init();
    if (T_OK(asy_device_open(kind, 0, &device, &err), &err))
        T_TRUE(each(device, test));
    asy_device_close(device);
}
#endif
