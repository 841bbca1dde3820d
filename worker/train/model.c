/* SPDX-License-Identifier: Apache-2.0
 * model.c - stored models: the weights as PyTorch's nn.Sequential names and shapes them, or the
 * trees as asy/gbdt.h packs them, and in the metadata all that is needed to apply them to a table:
 * columns, scales, classes. */
#include "state.h"
#include "learn/loss.h"
#include "net/families.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/safetensors.h>
#include <asy/training.h>

#define FORMAT "assay model 1"
#define DESCRIPTION_MAX (64u << 20)
#define PASS_ROWS 256

/* What an mlp's first readers need: its activation, and its widths from features to outputs. */
static void describe_mlp(struct asy_jsonw *w, const struct asy__hyper *hyper,
                         const struct asy__net *net)
{
    asy_jsonw_str(w, "activation", asy_act_name((enum asy_act)hyper->activation));
    asy_jsonw_open(w, "dims", '[');
    asy_jsonw_u64(w, NULL, asy__shape_size(net->features));
    for (size_t l = 0; l < net->n_layers; l++)
        if (net->layers[l].desc.kind == ASY__DENSE)
            asy_jsonw_u64(w, NULL, net->layers[l].out.channels);
    asy_jsonw_close(w, ']');
}

static void describe(struct asy_buf *buf, const struct asy__job *job,
                     const struct asy__schema *schema, const struct asy__model_parts *parts,
                     const struct asy__progress *progress)
{
    int best = job->takes_best && progress->best_epoch;
    struct asy_jsonw w;

    asy_jsonw_init(&w, buf, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_str(&w, "family", asy__family_name((enum asy__family)job->hyper.family));
    if (job->plugin)
        asy_jsonw_str(&w, "plugin", asy_plugin_get(job->plugin)->name);
    if (job->hyper.family == ASY__MLP)
        describe_mlp(&w, &job->hyper, parts->net);
    asy_jsonw_str(&w, "study", job->study);
    asy_jsonw_u64(&w, "trial", job->number);
    asy_jsonw_u64(&w, "seed", job->seed);
    asy_jsonw_u64(&w, "epoch", best ? progress->best_epoch : progress->epoch);
    asy_jsonw_str(&w, "metric", job->metric);
    asy_jsonw_f64(&w, "objective", best ? progress->best : progress->last);
    asy_jsonw_str(&w, "kernels", parts->device ? parts->device : asy_kernels_name());
    asy__hyper_write(&job->hyper, &w, "parameters");
    if (!asy__plugged_has_data(job))
        asy__schema_write(schema, &w, "schema");
    asy_jsonw_close(&w, '}');
}

static int write_net(const char *path, const struct asy__model_parts *parts,
                     const char *const (*meta)[2], size_t n_meta, struct asy_error *err)
{
    const struct asy__net *net = parts->net;
    struct asy_tensor_out *tensors = calloc(net->n_tensors, sizeof *tensors);
    int rc;

    if (!tensors)
        return asy_fail(err, ASY_E_NOMEM, "no memory to write a model");
    for (size_t i = 0; i < net->n_tensors; i++) {
        const struct asy__tensor *from = &net->tensors[i];

        tensors[i] = (struct asy_tensor_out){
            .name = from->name, .n_dims = from->n_dims,
            .data = (from->is_buffer ? parts->buffers : parts->params) + from->at,
        };
        for (size_t d = 0; d < from->n_dims; d++)
            tensors[i].shape[d] = from->shape[d];
    }
    rc = asy_safetensors_write(path, meta, n_meta, tensors, net->n_tensors, err);
    free(tensors);
    return rc;
}

static int write_plugged(const char *path, const struct asy__model_parts *parts,
                         const char *const (*meta)[2], size_t n_meta, struct asy_error *err)
{
    const struct asy__bytes *state = parts->state;
    struct asy_tensor_out tensors[2] = {
        { .name = "params", .n_dims = 1, .shape = { parts->n_params }, .data = parts->params },
    };
    size_t n = 1;

    if (state && state->n)
        tensors[n++] = (struct asy_tensor_out){ .name = "state", .n_dims = 1,
                                                .shape = { state->n }, .bytes = state->data };
    return asy_safetensors_write(path, meta, n_meta, tensors, n, err);
}

static int write_gbdt(const char *path, const struct asy__model_parts *parts,
                      const char *const (*meta)[2], size_t n_meta, struct asy_error *err)
{
    struct asy_gbdt_packed packed = { 0 };
    struct asy_tensor_out tensors[2];
    int rc;

    if ((rc = asy_gbdt_pack(parts->trees, parts->n_rounds, &packed, err)) == 0) {
        asy_gbdt_packed_tensors(&packed, tensors);
        rc = asy_safetensors_write(path, meta, n_meta, tensors, ASY_ARRAY_LEN(tensors), err);
    }
    asy_gbdt_packed_fini(&packed);
    return rc;
}

int asy__model_write(const char *path, const struct asy__job *job,
                     const struct asy__schema *schema, const struct asy__model_parts *parts,
                     const struct asy__progress *progress, const char *report,
                     struct asy_error *err)
{
    struct asy_buf text;
    int rc;

    asy_buf_init(&text, DESCRIPTION_MAX);
    describe(&text, job, schema, parts, progress);
    if ((rc = asy_buf_check(&text, "the model's description", err)) == 0) {
        const char *pairs[][2] = { { "format", FORMAT }, { "model", text.data },
                                   { "report", report } };
        const char *const (*meta)[2] = (const char *const(*)[2])pairs;
        size_t n = report ? 3 : 2;

        if (parts->net)
            rc = write_net(path, parts, meta, n, err);
        else if (parts->n_params)
            rc = write_plugged(path, parts, meta, n, err);
        else
            rc = write_gbdt(path, parts, meta, n, err);
    }
    asy_buf_fini(&text);
    return rc;
}

/* What comes out of others is no number either, and nothing would say so. A running variance may be
 * infinite: what it divides is 0. */
static int check_numbers(const struct asy__tensor *tensor, const float *x, struct asy_error *err)
{
    for (size_t i = 0; i < tensor->n; i++)
        if (tensor->is_buffer ? isnan(x[i]) : !isfinite(x[i]))
            return asy_fail(err, ASY_E_CORRUPT,
                            "tensor '%.60s' cannot be used: entry %zu of %zu is %s", tensor->name,
                            i + 1, tensor->n, isnan(x[i]) ? "no number" : "infinite");
    return 0;
}

int asy__parts_check(const struct asy__model_parts *parts, struct asy_error *err)
{
    int rc = 0;

    for (size_t i = 0; parts->net && i < parts->net->n_tensors && rc == 0; i++) {
        const struct asy__tensor *tensor = &parts->net->tensors[i];

        rc = check_numbers(tensor, (tensor->is_buffer ? parts->buffers : parts->params) +
                           tensor->at, err);
    }
    return rc;
}

static int read_tensors(const struct asy_safetensors *file, struct asy__model *model,
                        struct asy_error *err)
{
    const struct asy__net *net = model->net;
    size_t room = net->n_params + net->n_buffers + asy__net_room(net);
    int rc = 0;

    if (asy_safetensors_len(file) != net->n_tensors)
        return asy_fail(err, ASY_E_CORRUPT, "%zu tensors do not make %zu layers",
                        asy_safetensors_len(file), net->n_layers);
    if (posix_memalign((void **)&model->memory, 64, room * sizeof(float))) {
        model->memory = NULL;
        return asy_fail(err, ASY_E_NOMEM, "no memory for a model of %zu parameters", net->n_params);
    }
    memset(model->memory, 0, room * sizeof(float));
    for (size_t i = 0; i < net->n_tensors && rc == 0; i++) {
        const struct asy__tensor *tensor = &net->tensors[i];
        float *to = model->memory + (tensor->is_buffer ? net->n_params : 0) + tensor->at;

        if ((rc = asy_safetensors_read_f32(file, tensor->name, tensor->n, to, err)) == 0)
            rc = check_numbers(tensor, to, err);
    }
    asy__net_bind(model->net, model->memory + net->n_params + net->n_buffers);
    return rc;
}

/* A loss that does not go with the labels was never trained. */
static int read_hyper(const struct asy_json *root, enum asy__family family,
                      struct asy__model *model, struct asy_error *err)
{
    int rc;

    asy__hyper_defaults(family, &model->hyper);
    if ((rc = asy__hyper_read(asy_json_get(root, "parameters"), &model->hyper, err)) < 0)
        return rc;
    if ((rc = asy__loss_check(&model->hyper, &model->schema, err)) == ASY_E_INVAL && err)
        err->code = ASY_E_CORRUPT; /* no mistake of whoever applies it */
    return rc == ASY_E_INVAL ? ASY_E_CORRUPT : rc;
}

/* Whoever applies it goes by the schema for its outputs: of a row, or of each token. */
static int check_outputs(const struct asy__net *net, const struct asy__schema *schema,
                         struct asy_error *err)
{
    size_t has = schema->vocabulary ? net->outputs.channels : asy__shape_size(net->outputs);

    if (has == asy__outputs_of(schema))
        return 0;
    return asy_fail(err, ASY_E_CORRUPT, "a network of %zu outputs does not fit a label of %zu", has,
                    asy__outputs_of(schema));
}

/* The network of the stored hyperparameters, held against the schema and, where the description
 * has them, against the widths. */
static int read_net(const struct asy_safetensors *file, const struct asy_json *root,
                    enum asy__family family, struct asy__model *model, struct asy_error *err)
{
    const struct asy_json *dims = asy_json_get(root, "dims");
    size_t at = 0;
    int rc;

    if ((rc = read_hyper(root, family, model, err)) < 0 ||
        (rc = asy__family_net(&model->hyper, &model->schema, 0, PASS_ROWS, &model->net, err)) < 0 ||
        (rc = check_outputs(model->net, &model->schema, err)) < 0)
        return rc;
    if (dims && asy_json_i64(asy_json_at(dims, at++), 0) != (int64_t)model->schema.n_features)
        return asy_fail(err, ASY_E_CORRUPT, "the network does not fit the described columns");
    for (size_t l = 0; dims && l < model->net->n_layers; l++)
        if (model->net->layers[l].desc.kind == ASY__DENSE &&
            asy_json_i64(asy_json_at(dims, at++), 0) != (int64_t)model->net->layers[l].desc.width)
            return asy_fail(err, ASY_E_CORRUPT, "the description has no usable network");
    return read_tensors(file, model, err);
}

static int read_gbdt(const struct asy_safetensors *file, const struct asy_json *root,
                     struct asy__model *model, struct asy_error *err)
{
    size_t outs = asy__outputs_of(&model->schema);
    struct asy_gbdt_packed packed = { 0 };
    int rc;

    if ((rc = read_hyper(root, ASY__GBDT, model, err)) < 0 ||
        (rc = asy__trees_model(&model->hyper, &model->schema, 0, &model->trees, err)) < 0 ||
        (rc = asy_gbdt_packed_read(file, &packed, err)) < 0)
        return rc;
    if ((rc = asy_gbdt_unpack(model->trees, &packed, err)) == 0 &&
        !(model->memory = calloc(2 * PASS_ROWS * outs, sizeof *model->memory)))
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for a model of trees");
    asy_gbdt_packed_fini(&packed);
    return rc;
}

/* Of an unknown family: none of ours. */
static int read_family(const struct asy_safetensors *file, const struct asy_json *root,
                       struct asy__model *model, struct asy_error *err)
{
    int family = asy__family_find(asy_json_str(asy_json_get(root, "family"), NULL));

    if (family < 0)
        return asy_fail(err, ASY_E_CORRUPT, "the description has no family that is known");
    return asy__family_is_net((enum asy__family)family)
               ? read_net(file, root, (enum asy__family)family, model, err)
               : read_gbdt(file, root, model, err);
}

/* Before a schema is asked for, which not every plug-in has. */
static int check_family(const struct asy_json *root, struct asy_error *err)
{
    if (asy__family_find(asy_json_str(asy_json_get(root, "family"), NULL)) != ASY__PLUGIN)
        return 0;
    return asy_fail(err, ASY_E_INVAL, "it is of plug-in '%.40s', and only that knows what its "
                    "parameters mean", asy_json_str(asy_json_get(root, "plugin"), ""));
}

int asy__model_read(const char *path, struct asy__model *ret, struct asy_error *err)
{
    struct asy_safetensors *file = NULL;
    struct asy_json *root = NULL;
    struct asy__model model = { 0 };
    const char *format, *text;
    int rc;

    asy_kernels_init();
    if ((rc = asy_safetensors_open(path, &file, err)) < 0)
        return rc;
    format = asy_safetensors_meta(file, "format");
    text = asy_safetensors_meta(file, "model");
    if (!format || strcmp(format, FORMAT) != 0 || !text)
        rc = asy_fail(err, ASY_E_CORRUPT, "not a model of this version");
    else if ((rc = asy_json_parse(text, strlen(text), &root, err)) == 0 &&
             (rc = check_family(root, err)) == 0 &&
             (rc = asy__schema_read(asy_json_get(root, "schema"), &model.schema, err)) == 0)
        rc = read_family(file, root, &model, err);
    if (rc < 0) {
        asy_error_prefix(err, "'%s'", path);
        asy__model_fini(&model);
    } else {
        *ret = model;
    }
    if (rc == 0) /* what they borrow goes now */
        ret->hyper.list = ret->hyper.values = ret->hyper.class_weights = NULL;
    asy_json_destroy(root);
    asy_safetensors_destroy(file);
    return rc;
}

void asy__model_fini(struct asy__model *model)
{
    asy__schema_fini(&model->schema);
    asy_gbdt_destroy(model->trees);
    asy__net_destroy(model->net);
    free(model->memory);
    *model = (struct asy__model){ 0 };
}

struct asy__learner asy__model_learner(struct asy__model *model)
{
    size_t outs = asy__outputs_of(&model->schema);

    if (model->net)
        return asy__net_learner(model->net, model->memory, model->memory + model->net->n_params);
    model->tree_outputs = (struct asy__tree_outputs){ model->trees, model->memory,
                                                      model->memory + PASS_ROWS * outs };
    return asy__trees_learner(&model->tree_outputs, PASS_ROWS, outs);
}
