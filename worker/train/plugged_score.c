/* SPDX-License-Identifier: Apache-2.0
 * plugged_score.c - how a stored model of a plug-in does on a part of its data. */
#include "plugged_impl.h"
#include <stdlib.h>
#include <string.h>
#include <asy/safetensors.h>
#include <asy/training.h>

/* The best parameters and the state beside them. */
static int read_model(struct asy__plugged *p, const struct asy_safetensors *file, float *params,
                      struct asy_error *err)
{
    struct asy__bytes bytes = { 0 };
    int rc = asy_safetensors_read_f32(file, "params", p->kept.n_params, params, err);

    if (rc == 0 && (rc = asy__bytes_read(file, "state", &bytes, err)) == 0)
        rc = asy__plugged_load(p, &bytes, err);
    free(bytes.data);
    return rc;
}

static int write_scores(struct asy__plugged *p, enum asy__part part, struct asy_buf *ret_json,
                        struct asy_error *err)
{
    static const char *const prefixes[ASY__PARTS] = { "train", "val", "test" };
    struct asy__metric_list list = { .n = 0 };
    struct asy_jsonw w;

    asy__plugged_add_metrics(p, prefixes[part], &list);
    asy_jsonw_init(&w, ret_json, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_u64(&w, "rows", asy__rows_of(asy__plugged_data_of(p), part));
    for (size_t i = 0; i < list.n; i++)
        asy_jsonw_f64(&w, list.item[i].name, list.item[i].value);
    asy_jsonw_close(&w, '}');
    return asy_buf_check(ret_json, "the score", err);
}

static int score(const struct asy__job *job, const struct asy__data *data,
                 const struct asy_safetensors *file, enum asy__part part, struct asy_buf *ret_json,
                 struct asy_error *err)
{
    struct asy__plugged_options options = { .job = job, .data = data, .dir = "", .shards = 1 };
    struct asy__plugged *p = NULL;
    struct asy__learner learner;
    float *params = NULL;
    int rc;

    if ((rc = asy_comm_self(&options.comm, err)) < 0 ||
        (rc = asy__plugged_create(&options, &p, err)) < 0 ||
        (rc = asy__plugged_learner(p, ASY__PLUGGED_ROWS, &learner, err)) < 0)
        goto out;
    if (!(params = calloc(p->n_params, sizeof *params)))
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for a model of %zu parameters", p->n_params);
    else if ((rc = read_model(p, file, params, err)) == 0 &&
             (rc = asy__plugged_evaluate(p, params, part, err)) == 0)
        rc = write_scores(p, part, ret_json, err);
out:
    free(params);
    asy__plugged_destroy(p);
    asy_comm_destroy(options.comm);
    return rc;
}

/* Data as the training of this model saw it. */
static int load_data(const struct asy__job *job, const struct asy_json *model,
                     struct asy__data *ret, struct asy_error *err)
{
    struct asy__schema schema = { 0 };
    int rc = asy__schema_read(asy_json_get(model, "schema"), &schema, err);

    if (rc == 0)
        rc = asy__data_load(&job->data, &schema, 1, ret, err);
    asy__schema_fini(&schema);
    return rc;
}

int asy__plugged_score(const struct asy_json *job_json, const char *model_path,
                       enum asy__part part, struct asy_buf *ret_json, struct asy_error *err)
{
    struct asy_safetensors *file = NULL;
    struct asy_json *model = NULL;
    struct asy__data data = { 0 };
    struct asy__job job = { 0 };
    const char *text;
    int rc;

    if ((rc = asy__job_read(job_json, &job, err)) < 0 ||
        (rc = asy_safetensors_open(model_path, &file, err)) < 0)
        goto out;
    text = asy_safetensors_meta(file, "model");
    if (!text)
        rc = asy_fail(err, ASY_E_CORRUPT, "'%.160s': not a model of this version", model_path);
    else if ((rc = asy_json_parse(text, strlen(text), &model, err)) == 0 &&
             (rc = asy__hyper_read(asy_json_get(model, "parameters"), &job.hyper, err)) == 0 &&
             !asy__plugged_has_data(&job))
        rc = load_data(&job, model, &data, err);
    if (rc == 0)
        rc = score(&job, asy__plugged_has_data(&job) ? NULL : &data, file, part, ret_json, err);
out:
    asy_json_destroy(model);
    asy_safetensors_destroy(file);
    asy__data_fini(&data);
    asy__job_fini(&job);
    return rc;
}
