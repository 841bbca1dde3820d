/* SPDX-License-Identifier: Apache-2.0
 * apply.c - what needs no training: describing a job's data, scoring and applying stored models. */
#include "learn/loss.h"
#include "learn/metrics.h"
#include "state.h"
#include "net/families.h"
#include "data/import.h"
#include "data/tokens.h"
#include <string.h>
#include <asy/kernels.h>
#include <asy/training.h>

static const char *const part_names[ASY__PARTS] = { "train", "validation", "test" };

/* Of the first division, if there are several. */
static void write_split(struct asy_jsonw *w, const struct asy__data_spec *spec,
                        const struct asy__data *data)
{
    asy_jsonw_open(w, "split", '{');
    for (int p = 0; p < ASY__PARTS; p++)
        asy_jsonw_u64(w, part_names[p], data->start[p + 1] - data->start[p]);
    if (spec->folds)
        asy_jsonw_u64(w, "folds", spec->folds);
    if (spec->repeats > 1)
        asy_jsonw_u64(w, "repeats", spec->repeats);
    asy_jsonw_close(w, '}');
}

static void write_description(const struct asy__data_spec *spec, const struct asy__data *data,
                              struct asy_buf *ret_json)
{
    const struct asy__schema *schema = &data->schema;
    struct asy_jsonw w;

    asy_jsonw_init(&w, ret_json, 0);
    asy_jsonw_open(&w, NULL, '{');
    if (schema->vocabulary) {
        asy_jsonw_u64(&w, "tokens", data->n_rows);
        asy_jsonw_u64(&w, "vocabulary", schema->vocabulary);
        asy_jsonw_str(&w, "task", "tokens");
        write_split(&w, spec, data);
        asy_jsonw_close(&w, '}');
        return;
    }
    asy_jsonw_u64(&w, "rows", data->n_rows);
    asy_jsonw_u64(&w, "dropped", data->n_dropped);
    asy_jsonw_u64(&w, "columns", schema->n_columns);
    asy_jsonw_u64(&w, "features", schema->n_features);
    asy_jsonw_bool(&w, "header", schema->has_header);
    asy_jsonw_str(&w, "label", schema->columns[schema->label].name);
    asy_jsonw_str(&w, "task", schema->classification ? "classification" : "regression");
    asy_jsonw_open(&w, "classes", '[');
    for (size_t i = 0; i < schema->classes.n; i++)
        asy_jsonw_str(&w, NULL, schema->classes.texts[i]);
    asy_jsonw_close(&w, ']');
    write_split(&w, spec, data);
    asy_jsonw_close(&w, '}');
}

/* Whether each division of a text has windows: a fold in the middle leaves two pieces to train on,
 * which may have none where the first fold's one piece does. */
static int check_context(const struct asy__data_spec *spec, const struct asy__data *data,
                         size_t context, struct asy_error *err)
{
    size_t divisions = asy__divisions(spec), n = divisions ? divisions : 1;
    struct asy__data_spec of = *spec;
    struct asy__data divided = *data; /* borrows all but its parts */
    int rc = 0;

    for (size_t k = 0; k < n && rc == 0; k++) {
        of.division = (int32_t)k;
        if ((rc = asy__tokens_split(&of, &divided, err)) == 0)
            rc = asy__tokens_fit(&divided, context, err);
    }
    return rc;
}

/* Whether the model of "run", with the parameters of "sample" in it, can learn this data. */
static int check_model(const struct asy_json *study, const struct asy__data_spec *spec,
                       const struct asy__data *data, struct asy_error *err)
{
    const struct asy__schema *schema = &data->schema;
    const struct asy_json *run = asy_json_get(study, "run");
    const struct asy_json *sample = asy_json_get(study, "sample");
    int family = asy__family_find(asy_json_str(asy_json_get(run, "model"), NULL)), rc;
    struct asy__net *net = NULL;
    struct asy__hyper hyper;

    if (!sample || family < 0 || !asy__family_is_net((enum asy__family)family))
        return 0;
    asy__hyper_defaults((enum asy__family)family, &hyper);
    if ((rc = asy__hyper_read(asy_json_get(run, "fixed"), &hyper, err)) == 0 &&
        (rc = asy__hyper_read(sample, &hyper, err)) == 0 &&
        (rc = asy__loss_check(&hyper, schema, err)) == 0)
        rc = asy__family_net(&hyper, schema, 1, 1, &net, err);
    if (rc == 0)
        rc = asy__net_check_rows(net, (size_t)hyper.batch_size, err);
    asy__net_destroy(net);
    if (rc < 0)
        asy_error_prefix(err, "run");
    if (rc == ASY_E_TOOBIG && err)
        err->code = ASY_E_INVAL; /* whoever asks wants to know whose mistake it is */
    if (rc == 0 && data->tokens)
        return check_context(spec, data, (size_t)hyper.context, err);
    return rc == ASY_E_TOOBIG ? ASY_E_INVAL : rc;
}

int asy_trainer_describe(const struct asy_json *job_json, struct asy_buf *ret_json,
                         struct asy_error *err)
{
    const struct asy_json *study = asy_json_get(job_json, "study"), *objective;
    struct asy__data data = { 0 };
    struct asy__data_spec spec;
    const char *metric;
    int rc;

    objective = asy_json_get(study, "objective");
    if (asy_json_type(objective) == ASY_JSON_ARRAY)
        objective = asy_json_at(objective, 0);
    metric = asy_json_str(asy_json_get(objective, "metric"), NULL);
    if (asy_json_get(asy_json_get(study, "run"), "plugin"))
        metric = NULL; /* it has its own, and is not loaded for this */
    if ((rc = asy__data_spec_read(asy_json_get(study, "data"), &spec, err)) < 0)
        return rc;
    spec.division = 0;
    if ((rc = asy__data_load(&spec, NULL, 1, &data, err)) < 0)
        return rc;
    if ((!metric || (rc = asy__metric_check(&data, metric, err)) == 0) &&
        (rc = check_model(study, &spec, &data, err)) == 0) {
        write_description(&spec, &data, ret_json);
        rc = asy_buf_check(ret_json, "the description", err);
    }
    asy__data_fini(&data);
    return rc;
}

static int find_part(const char *name, enum asy__part *ret, struct asy_error *err)
{
    for (int p = 0; p < ASY__PARTS; p++)
        if (!strcmp(part_names[p], name)) {
            *ret = (enum asy__part)p;
            return 0;
        }
    return asy_fail(err, ASY_E_INVAL, "no part '%.60s'; train, validation, test are there", name);
}

/* Everything there is to say of so many rows, but the area where it takes long and the study does
 * not name it. */
static unsigned wanted(const struct asy_json *study, const struct asy__schema *schema, size_t rows)
{
    size_t classes = schema->classes.n;

    if (!classes || rows <= ASY__AREA_UNASKED / classes)
        return ASY__WANTS_ALL;
    return (ASY__WANTS_ALL & ~(unsigned)ASY__WANTS_AREA) | asy__job_wants(study);
}

static int score_part(struct asy__model *model, const struct asy__data *data, enum asy__part part,
                      unsigned wants, struct asy__metric_list *list, struct asy_error *err)
{
    static const char *const prefixes[ASY__PARTS] = { "train", "val", "test" };
    struct asy__learner learner = asy__model_learner(model);
    struct asy__score room, score;
    struct asy__scoring scoring = { .learner = &learner, .data = data, .shards = 1, .room = &room,
                                    .loss = asy__loss_scored(&model->hyper, &model->schema) };
    size_t rows = data->start[part + 1] - data->start[part];
    struct asy__tally_result counts = { 0 };
    int rc = asy_comm_self(&scoring.comm, err);

    if (rc == 0 && model->schema.classification && !model->schema.vocabulary)
        rc = asy__tally_create(model->schema.classes.n, rows, 0, rows,
                               (wants & ASY__WANTS_AREA) != 0, &scoring.tally, err);
    if (rc == 0 && (rc = asy__score_part(&scoring, part, &score, &counts, err)) == 0)
        asy__metrics_add(&score, &counts, &model->schema, (enum asy__loss)model->hyper.loss, wants,
                         prefixes[part], list);
    asy__tally_destroy(scoring.tally);
    asy_comm_destroy(scoring.comm);
    return rc;
}

static int write_score(const struct asy_json *study, struct asy__model *model,
                       const struct asy__data *data, enum asy__part part, struct asy_buf *ret_json,
                       struct asy_error *err)
{
    size_t rows = data->start[part + 1] - data->start[part];
    struct asy__metric_list list = { .n = 0 };
    struct asy_jsonw w;
    int rc;

    if (rows == 0)
        return asy_fail(err, ASY_E_INVAL, "the split has no rows for %s", part_names[part]);
    if ((rc = score_part(model, data, part, wanted(study, &model->schema, rows), &list, err)) < 0)
        return rc;
    asy_jsonw_init(&w, ret_json, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy_jsonw_u64(&w, "rows", rows);
    for (size_t i = 0; i < list.n; i++)
        asy_jsonw_f64(&w, list.item[i].name, list.item[i].value);
    asy_jsonw_close(&w, '}');
    return asy_buf_check(ret_json, "the score", err);
}

/* Rows of another file would be divided otherwise: some that the model has learnt would test it. */
static int check_inputs(const struct asy_json *study, const struct asy__data_spec *spec,
                        struct asy_error *err)
{
    const struct asy_json *inputs = asy_json_get(study, "inputs"), *input;
    int rc = 0;

    for (size_t i = 0; rc == 0 && (input = asy_json_at(inputs, i)); i++) {
        const char *path = asy_json_str(asy_json_get(input, "path"), "");
        const char *hash = asy_json_str(asy_json_get(input, "sha256"), "");
        struct asy_sha sha;

        if (strcmp(path, spec->file) != 0 && (!spec->labels || strcmp(path, spec->labels) != 0))
            continue;
        if (asy_sha_parse(hash, strlen(hash), &sha, NULL) == 0)
            rc = asy__import_source(path, sha, err);
    }
    return rc;
}

int asy_trainer_evaluate(const struct asy_json *job_json, const char *model_path, const char *part,
                         struct asy_buf *ret_json, struct asy_error *err)
{
    const struct asy_json *study = asy_json_get(job_json, "study");
    struct asy__model model = { 0 };
    struct asy__data data = { 0 };
    struct asy__data_spec spec;
    enum asy__part which = ASY__TRAIN;
    int rc;

    if ((rc = find_part(part, &which, err)) < 0)
        return rc;
    if (asy_json_get(asy_json_get(study, "run"), "plugin"))
        return asy__plugged_score(job_json, model_path, which, ret_json, err);
    rc = asy__data_spec_read(asy_json_get(study, "data"), &spec, err);
    if (rc < 0 || (rc = check_inputs(study, &spec, err)) < 0 ||
        (rc = asy__model_read(model_path, &model, err)) < 0)
        return rc;
    rc = asy__data_load(&spec, &model.schema, 1, &data, err);
    if (rc == 0 && data.tokens) /* of its features, which these have yet to become */
        rc = asy__tokens_window(&data, asy__shape_size(model.net->features), err);
    if (rc == 0)
        rc = write_score(study, &model, &data, which, ret_json, err);
    asy__data_fini(&data);
    asy__model_fini(&model);
    return rc;
}

/* A CSV field, quoted where it must be. */
static void add_field(struct asy_buf *buf, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        asy_buf_adds(buf, text);
        return;
    }
    asy_buf_addc(buf, '"');
    for (; *text; text++) {
        if (*text == '"')
            asy_buf_addc(buf, '"');
        asy_buf_addc(buf, *text);
    }
    asy_buf_addc(buf, '"');
}

static void add_header(struct asy_buf *buf, const struct asy__schema *schema)
{
    asy_buf_adds(buf, "prediction");
    for (size_t c = 0; c < schema->classes.n; c++) {
        asy_buf_addc(buf, ',');
        add_field(buf, schema->classes.texts[c]);
    }
    asy_buf_addc(buf, '\n');
}

/* out: one row of a learner's output, turned into probabilities; the class that has most. */
static size_t decide(size_t n, float *out)
{
    int32_t label = 0;
    uint64_t correct = 0;
    size_t best = 0;

    asy_softmax_loss(1, n, out, &label, 0, &correct);
    for (size_t c = 1; c < n; c++)
        best = out[c] > out[best] ? c : best;
    return best;
}

static double target_of(const struct asy__schema *schema, float out)
{
    return (double)out / schema->target_factor + schema->target_shift;
}

static void add_row(struct asy_buf *buf, const struct asy__schema *schema, float *out)
{
    size_t n = schema->classes.n;

    if (!schema->classification) {
        asy_buf_addf(buf, "%.9g\n", target_of(schema, out[0]));
        return;
    }
    add_field(buf, schema->classes.texts[decide(n, out)]);
    for (size_t c = 0; c < n; c++)
        asy_buf_addf(buf, ",%.6g", (double)out[c]);
    asy_buf_addc(buf, '\n');
}

static void add_object(struct asy_buf *buf, const struct asy__schema *schema, float *out)
{
    size_t n = schema->classes.n;
    struct asy_jsonw w;

    asy_jsonw_init(&w, buf, 0);
    asy_jsonw_open(&w, NULL, '{');
    if (schema->classification) {
        asy_jsonw_str(&w, "prediction", schema->classes.texts[decide(n, out)]);
        asy_jsonw_open(&w, "probabilities", '{');
        for (size_t c = 0; c < n; c++)
            asy_jsonw_f64(&w, schema->classes.texts[c], (double)out[c]);
        asy_jsonw_close(&w, '}');
    } else {
        asy_jsonw_f64(&w, "prediction", target_of(schema, out[0]));
    }
    asy_jsonw_close(&w, '}');
    asy_buf_addc(buf, '\n');
}

static int predict(struct asy__model *model, const struct asy__data *data, int as_json,
                   struct asy_buf *ret_text, struct asy_error *err)
{
    struct asy__learner learner = asy__model_learner(model);
    size_t width = model->schema.n_features;

    if (!as_json)
        add_header(ret_text, &model->schema);
    for (size_t at = 0; at < data->n_rows; at += learner.rows_max) {
        size_t left = data->n_rows - at, rows = left < learner.rows_max ? left : learner.rows_max;
        float *out;
        int rc = learner.type->outputs(&learner, data->x + at * width, rows, &out, err);

        if (rc < 0)
            return rc;
        for (size_t i = 0; i < rows; i++)
            (as_json ? add_object : add_row)(ret_text, &model->schema, out + i * learner.outs);
    }
    return asy_buf_check(ret_text, "the predictions", err);
}

int asy_trainer_predict(const char *model_path, const char *csv_path, int as_json,
                        struct asy_buf *ret_text, struct asy_error *err)
{
    struct asy__data_spec spec = { .file = csv_path, .separator = ',', .header = -1 };
    struct asy__model model = { 0 };
    struct asy__data data = { 0 };
    size_t len = strlen(csv_path);
    int rc;

    if ((rc = asy__model_read(model_path, &model, err)) < 0)
        return rc;
    if (model.schema.vocabulary) {
        asy__model_fini(&model);
        return asy_fail(err, ASY_E_UNSUPPORTED, "a model of tokens is not applied to a file; "
                        "'assay generate' lets it write");
    }
    if ((len > 4 && !strcmp(csv_path + len - 4, ".tsv")) ||
        (len > 7 && !strcmp(csv_path + len - 7, ".tsv.gz")))
        spec.separator = '\t';
    spec.missing = model.schema.fills_missing ? ASY__MISSING_MEAN : ASY__MISSING_ERROR;
    if ((rc = asy__data_load(&spec, &model.schema, 0, &data, err)) == 0)
        rc = predict(&model, &data, as_json, ret_text, err);
    asy__data_fini(&data);
    asy__model_fini(&model);
    return rc;
}
