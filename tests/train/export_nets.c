/* SPDX-License-Identifier: Apache-2.0
 * export_nets FOLDER: networks of every kind of layer, exported for test_onnx.py: for each case
 * NAME.onnx, NAME.h where C can say it, NAME.x [ROWS][features] and what the network makes of it,
 * NAME.want [ROWS][outputs], as floats. Prints the names. */
#include <asytest.h>
#include <asy/durable.h>
#include <asy/rng.h>
#include "export_impl.h"

#define ROWS 7
#define CLASSES 3
#define LAYERS 16
#define VOCABULARY 9

static const struct {
    const char *name;
    struct asy__shape features;
    int c;      /* a header in C is possible, too */
    int tokens; /* of a vocabulary; outputs are those of each token */
    size_t n;
    struct asy__layer_desc layers[LAYERS];
} cases[] = {
    { "vectors", { 1, 1, 5 }, 1, 0, 7, {
        { ASY__DENSE, .width = 7, .act = ASY_ACT_TANH },
        { ASY__DENSE, .width = 7 },
        { ASY__ADD, { 0, 1 } },
        { ASY__ACT, .act = ASY_ACT_GELU },
        { ASY__LAYER_NORM },
        { ASY__DROPOUT, .rate = 0.5 },
        { ASY__DENSE, .width = CLASSES } } },
    { "tokens", { 1, 4, 3 }, 1, 0, 6, {
        { ASY__LAYER_NORM },
        { ASY__DENSE, .width = 6, .act = ASY_ACT_SILU },
        { ASY__DENSE, .width = 3 },
        { ASY__ADD, { 0, ASY__FEATURES } },
        { ASY__FLATTEN },
        { ASY__DENSE, .width = CLASSES } } },
    { "attention", { 1, 1, 20 }, 1, 0, 11, {
        { ASY__TOKENS, .width = 5 },
        { ASY__PLACE },
        { ASY__DENSE, .width = 18 },
        { ASY__ATTENTION, .heads = 3, .causal = 1, .rate = 0.5 },
        { ASY__LAYER_NORM },
        { ASY__DENSE, .width = 24 },
        { ASY__ATTENTION, .heads = 2 },
        { ASY__DENSE, .width = 24 },
        { ASY__ATTENTION, .heads = 1, .causal = 1 },
        { ASY__FLATTEN },
        { ASY__DENSE, .width = CLASSES } } },
    { "embeddings", { 1, 6, 1 }, 0, 0, 5, {
        { ASY__EMBED, .width = 4, .vocabulary = VOCABULARY, .is_shared = 1 },
        { ASY__DENSE, .width = 4, .act = ASY_ACT_TANH },
        { ASY__UNEMBED, .table = 1 },
        { ASY__FLATTEN },
        { ASY__DENSE, .width = CLASSES } } },
    { "images", { 1, 1, 144 }, 1, 0, 9, {
        { ASY__IMAGE, .image = { 9, 8, 0 } },
        { ASY__CONV, .width = 6, .kernel = 3, .pad = 1, .act = ASY_ACT_RELU, .pool = 2 },
        { ASY__CONV, .width = 4, .kernel = 2, .stride = 2, .groups = 2 },
        { ASY__BATCH_NORM },
        { ASY__ACT, .act = ASY_ACT_GELU },
        { ASY__CONV, .width = 5, .kernel = 1, .act = ASY_ACT_SILU, .pool = 2 },
        { ASY__FLATTEN },
        { ASY__BATCH_NORM },
        { ASY__DENSE, .width = CLASSES } } },
    { "pools", { 10, 7, 2 }, 1, 0, 6, {
        { ASY__CONV, .width = 3, .kernel = 3, .stride = 1, .pad = 2, .act = ASY_ACT_TANH },
        { ASY__MAX_POOL, .kernel = 3, .stride = 2, .pad = 1 },
        { ASY__MEAN_POOL, .kernel = 3, .stride = 2, .pad = 1 },
        { ASY__DENSE, .width = 5 },
        { ASY__GLOBAL_MAX },
        { ASY__DENSE, .width = CLASSES } } },
    { "lines", { 1, 9, 2 }, 1, 0, 5, {
        { ASY__CONV, .width = 4, .kernel = 3, .pad = 1 },
        { ASY__MEAN_POOL, .kernel = 2, .pad = 1, .stride = 2 },
        { ASY__ACT, .act = ASY_ACT_TANH },
        { ASY__GLOBAL_MEAN },
        { ASY__DENSE, .width = CLASSES } } },
    { "shares", { 8, 6, 2 }, 1, 0, 8, {
        { ASY__ACT, .act = ASY_ACT_SOFTMAX },
        { ASY__CONV, .width = 4, .kernel = 3, .pad = 1, .act = ASY_ACT_SOFTMAX, .pool = 2 },
        { ASY__LAYER_NORM },
        { ASY__CONV, .width = 3, .kernel = 1, .act = ASY_ACT_SOFTMAX },
        { ASY__FLATTEN },
        { ASY__DENSE, .width = 6, .act = ASY_ACT_SOFTMAX },
        { ASY__LAYER_NORM },
        { ASY__DENSE, .width = CLASSES } } },
    { "text", { 1, 6, 1 }, 0, 1, 7, {
        { ASY__EMBED, .width = 4, .vocabulary = VOCABULARY },
        { ASY__LAYER_NORM },
        { ASY__DENSE, .width = 12 },
        { ASY__ATTENTION, .heads = 2, .causal = 1 },
        { ASY__ADD, { 1, 0 } },
        { ASY__LAYER_NORM },
        { ASY__DENSE, .width = VOCABULARY } } },
};

/* Columns of numbers, as they are. */
static void describe_columns(size_t features, struct asy_buf *text)
{
    static const char *const lists[] = { "fill", "shift", "factor" };

    asy_buf_adds(text, "{\"task\":\"classification\",\"missing\":\"mean\",\"columns\":[");
    for (size_t i = 0; i < features; i++)
        asy_buf_addf(text, "{\"name\":\"c%zu\",\"kind\":\"number\"},", i);
    asy_buf_adds(text, "{\"name\":\"y\",\"kind\":\"label\"}],\"classes\":[\"0\",\"1\",\"2\"]");
    for (size_t k = 0; k < ASY_ARRAY_LEN(lists); k++) {
        asy_buf_addf(text, ",\"%s\":[", lists[k]);
        for (size_t i = 0; i < features; i++)
            asy_buf_addf(text, "%s%d", i ? "," : "", k == 2);
        asy_buf_addc(text, ']');
    }
    asy_buf_addc(text, '}');
}

static int make_schema(size_t at, struct asy__schema *ret, struct asy_error *err)
{
    struct asy_json *root = NULL;
    struct asy_buf text;
    int rc;

    asy_buf_init(&text, 1u << 20);
    if (cases[at].tokens)
        asy_buf_addf(&text, "{\"task\":\"tokens\",\"vocabulary\":%d,\"characters\":[]}",
                     VOCABULARY);
    else
        describe_columns(asy__shape_size(cases[at].features), &text);
    if ((rc = asy_buf_check(&text, "a schema", err)) == 0 &&
        (rc = asy_json_parse(text.data, text.len, &root, err)) == 0)
        rc = asy__schema_read(root, ret, err);
    asy_json_destroy(root);
    asy_buf_fini(&text);
    return rc;
}

/* Weights as training begins with them, and what it begins with as zeros or ones moved about. */
static int make_net(size_t at, struct asy__model *model, struct asy_error *err)
{
    struct asy__net_options options = { .features = cases[at].features,
                                        .loss = { .kind = ASY_OP_SOFTMAX_LOSS },
                                        .eval_rows = ROWS };
    size_t room;
    struct asy_rng rng;
    int rc;

    if ((rc = asy__net_create(cases[at].layers, cases[at].n, &options, &model->net, err)) < 0)
        return rc;
    room = model->net->n_params + model->net->n_buffers + asy__net_room(model->net);
    if (posix_memalign((void **)&model->memory, 64, room * sizeof(float)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a network");
    memset(model->memory, 0, room * sizeof(float));
    asy__net_bind(model->net, model->memory + model->net->n_params + model->net->n_buffers);
    asy__net_init(model->net, 5, model->memory, model->memory + model->net->n_params);
    asy_rng_init(&rng, 9, at, ASY_RNG_SIM);
    for (size_t i = 0; i < model->net->n_params + model->net->n_buffers; i++)
        model->memory[i] += (float)(0.2 * asy_rng_double(&rng));
    return 0;
}

static int write_file(const char *folder, const char *name, const char *ending, const void *bytes,
                      size_t n, struct asy_error *err)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s.%s", folder, name, ending);
    return asy_durable_write(path, bytes, n, 0644, err);
}

static void softmax(float *out)
{
    double sum = 0;

    for (size_t i = 0; i < CLASSES; i++)
        sum += exp((double)out[i]);
    for (size_t i = 0; i < CLASSES; i++)
        out[i] = (float)(exp((double)out[i]) / sum);
}

static int write_rows(const char *folder, size_t at, struct asy__model *model,
                      struct asy_error *err)
{
    struct asy__learner learner = asy__model_learner(model);
    size_t features = asy__shape_size(model->net->features);
    float *x = calloc(ROWS * features, sizeof *x), *out;
    struct asy_rng rng;
    int rc;

    if (!x)
        return asy_fail(err, ASY_E_NOMEM, "no memory for rows");
    asy_rng_init(&rng, 11, at, ASY_RNG_SIM);
    for (size_t i = 0; i < ROWS * features; i++)
        x[i] = cases[at].layers[0].kind == ASY__EMBED ? (float)(asy_rng_u32(&rng) % VOCABULARY)
                                                      : (float)asy_rng_normal(&rng);
    if ((rc = learner.type->outputs(&learner, x, ROWS, &out, err)) < 0) {
        free(x);
        return rc;
    }
    for (size_t r = 0; r < ROWS && !cases[at].tokens; r++)
        softmax(out + r * CLASSES);
    if ((rc = write_file(folder, cases[at].name, "x", x, ROWS * features * sizeof *x, err)) == 0)
        rc = write_file(folder, cases[at].name, "want", out, ROWS * learner.outs * sizeof *out,
                        err);
    free(x);
    return rc;
}

static int write_exports(const char *folder, size_t at, const struct asy__model *model,
                         struct asy_error *err)
{
    struct asy__export export = { .model = model, .study = cases[at].name, .version = "test" };
    struct asy_buf bytes;
    int rc;

    asy_buf_init(&bytes, 1u << 24);
    if ((rc = asy__export_onnx(&export, &bytes, err)) == 0)
        rc = write_file(folder, cases[at].name, "onnx", bytes.data, bytes.len, err);
    asy_buf_clear(&bytes);
    if (rc == 0 && !cases[at].c && asy__export_c(&export, &bytes, NULL) != ASY_E_UNSUPPORTED)
        rc = asy_fail(err, ASY_E_STATE, "'%s' was exported as C", cases[at].name);
    else if (rc == 0 && cases[at].c && (rc = asy__export_c(&export, &bytes, err)) == 0)
        rc = write_file(folder, cases[at].name, "h", bytes.data, bytes.len, err);
    asy_buf_fini(&bytes);
    return rc;
}

/* A kind of layer that is in no case here may have no export at all. */
static int check_kinds(struct asy_error *err)
{
    int seen[ASY__LAYER_KINDS] = { 0 };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++)
        for (size_t l = 0; l < cases[i].n; l++)
            seen[cases[i].layers[l].kind] = 1;
    for (int kind = 0; kind < ASY__LAYER_KINDS; kind++)
        if (!seen[kind])
            return asy_fail(err, ASY_E_STATE, "no network here has a layer of kind %d (net.h)",
                            kind);
    return 0;
}

int main(int argc, char **argv)
{
    struct asy_error err = ASY_ERROR_INIT;
    int rc = argc == 2 ? check_kinds(&err) : asy_fail(&err, ASY_E_INVAL, "export_nets FOLDER");

    asy_kernels_init();
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases) && rc == 0; i++) {
        struct asy__model model = { 0 };

        if ((rc = make_schema(i, &model.schema, &err)) == 0 &&
            (rc = make_net(i, &model, &err)) == 0 &&
            (rc = write_rows(argv[1], i, &model, &err)) == 0)
            rc = write_exports(argv[1], i, &model, &err);
        asy__model_fini(&model);
        if (rc == 0)
            printf("%s\n", cases[i].name);
    }
    if (rc < 0)
        fprintf(stderr, "export_nets: %s\n", err.text);
    return rc < 0;
}
