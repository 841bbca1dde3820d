/* SPDX-License-Identifier: Apache-2.0
 * model.c - stored models: the weights as PyTorch's nn.Linear names and shapes them, or the trees
 * as asy/gbdt.h packs them, and in the metadata all that is needed to apply them to a table:
 * columns, scales, classes. */
#include "state.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/safetensors.h>
#include <asy/training.h>

#define FORMAT "assay model 1"
#define DESCRIPTION_MAX (64u << 20)
#define PASS_ROWS 256

static void describe_mlp(struct asy_jsonw *w, const struct asy__mlp *mlp)
{
    asy_jsonw_str(w, "activation", asy_act_name(mlp->act));
    asy_jsonw_open(w, "dims", '[');
    for (size_t l = 0; l <= mlp->n_layers; l++)
        asy_jsonw_u64(w, NULL, mlp->dims[l]);
    asy_jsonw_close(w, ']');
}

static void describe(struct asy_buf *buf, const struct asy__job *job,
                     const struct asy__schema *schema, const struct asy__mlp *mlp,
                     const struct asy__progress *progress)
{
    int best = job->takes_best && progress->best_epoch;
    struct asy_jsonw w;

    asy_jsonw_init(&w, buf, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_str(&w, "family", asy__family_name((enum asy__family)job->hyper.family));
    if (mlp)
        describe_mlp(&w, mlp);
    asy_jsonw_str(&w, "study", job->study);
    asy_jsonw_u64(&w, "trial", job->number);
    asy_jsonw_u64(&w, "seed", job->seed);
    asy_jsonw_u64(&w, "epoch", best ? progress->best_epoch : progress->epoch);
    asy_jsonw_str(&w, "metric", job->metric);
    asy_jsonw_f64(&w, "objective", best ? progress->best : progress->last);
    asy_jsonw_str(&w, "kernels", asy_kernels_name());
    asy__hyper_write(&job->hyper, &w, "parameters");
    asy__schema_write(schema, &w, "schema");
    asy_jsonw_close(&w, '}');
}

static size_t list_weights(const struct asy__mlp *mlp, const float *params, char names[][32],
                           struct asy_tensor_out *tensors)
{
    for (size_t l = 0; l < mlp->n_layers; l++) {
        size_t in = mlp->dims[l], out = mlp->dims[l + 1];

        snprintf(names[2 * l], sizeof names[0], "layers.%zu.weight", l);
        snprintf(names[2 * l + 1], sizeof names[0], "layers.%zu.bias", l);
        tensors[2 * l] = (struct asy_tensor_out){ names[2 * l], 2, { out, in },
                                                  params + mlp->weight[l] };
        tensors[2 * l + 1] = (struct asy_tensor_out){ names[2 * l + 1], 1, { out, 0 },
                                                      params + mlp->bias[l] };
    }
    return 2 * mlp->n_layers;
}

int asy__model_write(const char *path, const struct asy__job *job,
                     const struct asy__schema *schema, const struct asy__learner *learner,
                     const struct asy__progress *progress, struct asy_error *err)
{
    int best = job->takes_best && progress->best_epoch, rc = 0;
    struct asy_tensor_out tensors[2 * ASY__LAYERS_MAX];
    char names[2 * ASY__LAYERS_MAX][32];
    struct asy_gbdt_packed packed = { 0 };
    struct asy_buf text;
    size_t n = 2;

    asy_buf_init(&text, DESCRIPTION_MAX);
    if (learner->mlp) {
        n = list_weights(learner->mlp, learner->params, names, tensors);
    } else {
        rc = asy_gbdt_pack(learner->trees, best ? progress->best_epoch : progress->epoch, &packed,
                           err);
        asy_gbdt_packed_tensors(&packed, tensors);
    }
    describe(&text, job, schema, learner->mlp, progress);
    if (rc == 0 && (rc = asy_buf_check(&text, "the model's description", err)) == 0) {
        const char *meta[][2] = { { "format", FORMAT }, { "model", text.data } };

        rc = asy_safetensors_write(path, (const char *const(*)[2])meta, ASY_ARRAY_LEN(meta),
                                   tensors, n, err);
    }
    asy_gbdt_packed_fini(&packed);
    asy_buf_fini(&text);
    return rc;
}

/* Shape and activation from the description, held against the schema. */
static int read_shape(const struct asy_json *root, struct asy__model *model, struct asy_error *err)
{
    const struct asy_json *dims = asy_json_get(root, "dims");
    const char *act = asy_json_str(asy_json_get(root, "activation"), "");
    size_t n = asy_json_len(dims);
    size_t outs = model->schema.classification ? model->schema.classes.n : 1;
    int64_t in = asy_json_i64(asy_json_at(dims, 0), 0), out, hidden;
    int a = 0;

    while (a < ASY_ACT_COUNT && strcmp(asy_act_name((enum asy_act)a), act) != 0)
        a++;
    if (n < 3 || n > ASY__LAYERS_MAX + 1 || a == ASY_ACT_COUNT)
        return asy_fail(err, ASY_E_CORRUPT, "the description has no usable network");
    hidden = asy_json_i64(asy_json_at(dims, 1), 0);
    out = asy_json_i64(asy_json_at(dims, n - 1), 0);
    for (size_t l = 1; l + 1 < n; l++)
        if (asy_json_i64(asy_json_at(dims, l), 0) != hidden)
            hidden = 0;
    if (hidden < 1 || hidden > 65536 || in < 1 || (size_t)in != model->schema.n_features ||
        out < 1 || (size_t)out != outs)
        return asy_fail(err, ASY_E_CORRUPT, "the network does not fit the described columns");
    return asy__mlp_plan(&model->mlp, (size_t)in, (size_t)hidden, n - 2, (size_t)out,
                         (enum asy_act)a, err);
}

static int read_weights(const struct asy_safetensors *file, struct asy__model *model,
                        struct asy_error *err)
{
    struct asy__mlp *mlp = &model->mlp;
    size_t room = mlp->n_params + asy__mlp_room(mlp, PASS_ROWS, 0);
    int rc = 0;

    if (asy_safetensors_len(file) != 2 * mlp->n_layers)
        return asy_fail(err, ASY_E_CORRUPT, "%zu tensors do not make %zu layers",
                        asy_safetensors_len(file), mlp->n_layers);
    if (posix_memalign((void **)&model->memory, 64, room * sizeof(float))) {
        model->memory = NULL;
        return asy_fail(err, ASY_E_NOMEM, "no memory for a model of %zu parameters",
                        mlp->n_params);
    }
    memset(model->memory, 0, room * sizeof(float));
    model->params = model->memory;
    for (size_t l = 0; l < mlp->n_layers && rc == 0; l++) {
        char weight[32], bias[32];

        snprintf(weight, sizeof weight, "layers.%zu.weight", l);
        snprintf(bias, sizeof bias, "layers.%zu.bias", l);
        rc = asy_safetensors_read_f32(file, weight, mlp->dims[l] * mlp->dims[l + 1],
                                      model->params + mlp->weight[l], err);
        if (rc == 0)
            rc = asy_safetensors_read_f32(file, bias, mlp->dims[l + 1],
                                          model->params + mlp->bias[l], err);
    }
    asy__mlp_bind(mlp, PASS_ROWS, 0, model->memory + mlp->n_params);
    return rc;
}

static int read_mlp(const struct asy_safetensors *file, const struct asy_json *root,
                    struct asy__model *model, struct asy_error *err)
{
    int rc = read_shape(root, model, err);

    return rc < 0 ? rc : read_weights(file, model, err);
}

static int read_gbdt(const struct asy_safetensors *file, const struct asy_json *root,
                     struct asy__model *model, struct asy_error *err)
{
    size_t outs = model->schema.classification ? model->schema.classes.n : 1;
    struct asy_gbdt_packed packed = { 0 };
    struct asy__hyper hyper;
    int rc;

    asy__hyper_defaults(ASY__GBDT, &hyper);
    if ((rc = asy__hyper_read(asy_json_get(root, "parameters"), &hyper, err)) < 0 ||
        (rc = asy__trees_model(&hyper, &model->schema, 0, &model->trees, err)) < 0 ||
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
    switch (asy__family_find(asy_json_str(asy_json_get(root, "family"), NULL))) {
    case ASY__MLP:
        return read_mlp(file, root, model, err);
    case ASY__GBDT:
        return read_gbdt(file, root, model, err);
    }
    return asy_fail(err, ASY_E_CORRUPT, "the description has no family that is known");
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
             (rc = asy__schema_read(asy_json_get(root, "schema"), &model.schema, err)) == 0)
        rc = read_family(file, root, &model, err);
    if (rc < 0) {
        asy_error_prefix(err, "'%s'", path);
        asy__model_fini(&model);
    } else {
        *ret = model;
    }
    asy_json_destroy(root);
    asy_safetensors_destroy(file);
    return rc;
}

void asy__model_fini(struct asy__model *model)
{
    asy__schema_fini(&model->schema);
    asy_gbdt_destroy(model->trees);
    free(model->memory);
    *model = (struct asy__model){ 0 };
}

struct asy__learner asy__model_learner(const struct asy__model *model)
{
    size_t outs = model->schema.classification ? model->schema.classes.n : 1;

    if (model->trees)
        return (struct asy__learner){ .trees = model->trees, .margins = model->memory,
                                      .out = model->memory + PASS_ROWS * outs,
                                      .rows_max = PASS_ROWS, .outs = outs };
    return (struct asy__learner){ .mlp = &model->mlp, .params = model->params,
                                  .rows_max = PASS_ROWS, .outs = outs };
}
