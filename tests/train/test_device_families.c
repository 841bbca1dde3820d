/* SPDX-License-Identifier: Apache-2.0
 * Networks of every family on a device (PoCL, where nothing else is there) beside the cpu: outputs,
 * the gradient, the loss while they learn, the same bits when they learn again.
 *
 * Tolerances: both sides compute in single precision, in other orders and with other polynomials.
 * Over the handful of layers of these networks that comes to some 1e-6 of the greatest number of
 * a gradient; 1e-4 is left, and 1e-4 for each step's loss, as the difference of the weights grows
 * while they learn. */
#include <asytest.h>
#include <asy/buf.h>
#include <asy/device.h>
#include <asy/rng.h>
#include "kernels/device_leaks.h"
#include "learn/loss.h"
#include "learn/score.h"
#include "net/families.h"

#define ROWS 24
#define STEPS 20
#define CLASSES 3
#define VOCABULARY 11
#define SEED 7
#define FIRST 5 /* rows of the batch before these */
#define TOL 1e-4

enum task { TABLE, NUMBERS, TOKENS };
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
                 e->task == TABLE ? "classification" : "regression");
    for (size_t i = 0; i < e->features; i++)
        asy_buf_addf(text, "{\"name\":\"c%zu\",\"kind\":\"number\"},", i);
    asy_buf_addf(text, "{\"name\":\"y\",\"kind\":\"label\"}],\"classes\":%s",
                 e->task == TABLE ? "[\"0\",\"1\",\"2\"]" : "[]");
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
        p->label[i] = (int32_t)(asy_rng_u32(rng) % (e->task == TOKENS ? VOCABULARY : CLASSES));
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

static void on_device(bool (*test)(const struct example *, struct pair *))
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_device *device = NULL;

    asy_kernels_init();
    if (T_OK(asy_device_open(ASY_DEVICE_OPENCL, 0, &device, &err), &err))
        T_TRUE(each(device, test));
    asy_device_close(device);
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
    on_device(same_outputs);
}

static void networks_have_the_gradient_of_the_cpu(void)
{
    on_device(same_gradient);
}

static void networks_learn_as_on_the_cpu(void)
{
    on_device(same_curve);
}

static void networks_learn_the_same_twice(void)
{
    on_device(same_bits);
}

T_MAIN("device-families", T_TEST(networks_have_the_outputs_of_the_cpu),
       T_TEST(networks_have_the_gradient_of_the_cpu), T_TEST(networks_learn_as_on_the_cpu),
       T_TEST(networks_learn_the_same_twice))
