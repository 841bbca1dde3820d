/* SPDX-License-Identifier: Apache-2.0
 * export.c - reads a stored model, and its description again, for what no pass needs: names. */
#include "export_impl.h"
#include <math.h>
#include <string.h>
#include <asy/parse.h>
#include <asy/safetensors.h>

int asy_export_format(const char *name, enum asy_export_format *ret, struct asy_error *err)
{
    static const char *const names[] = { "onnx", "c" };

    for (size_t i = 0; i < ASY_ARRAY_LEN(names); i++)
        if (!strcmp(names[i], name)) {
            *ret = (enum asy_export_format)i;
            return 0;
        }
    return asy_fail(err, ASY_E_INVAL, "models are exported as onnx or c, not as '%.40s'", name);
}

float asy__code(const struct asy__column *column, size_t i)
{
    const char *text = column->values.texts[i];
    double value = (double)NAN;

    if (asy_parse_f64(text, strlen(text), &value, NULL) < 0)
        return NAN;
    return (float)value;
}

/* Values that are numbers are sorted as such. */
enum asy__given asy__given(const struct asy__column *column)
{
    if (column->kind == ASY__NUMBER || column->kind == ASY__TEXT)
        return ASY__GIVEN_NUMBER;
    if (column->kind != ASY__CATEGORY)
        return ASY__GIVEN_NOT;
    for (size_t i = 0; i < column->values.n; i++)
        if (!isfinite(asy__code(column, i)) ||
            (i && asy__code(column, i) <= asy__code(column, i - 1)))
            return ASY__GIVEN_TEXT;
    return ASY__GIVEN_CODE;
}

const float *asy__export_tensor(const struct asy__model *model, const struct asy__layer *layer,
                                size_t i)
{
    const struct asy__tensor *tensor = &model->net->tensors[layer->tensors[i]];

    return model->memory + (tensor->is_buffer ? model->net->n_params : 0) + tensor->at;
}

void asy__export_title(const struct asy__export *export, struct asy_buf *ret)
{
    const struct asy_json *about = export->about;
    char text[32];

    asy_buf_addf(ret, "%s of study '%s', trial %lld, %s %s",
                 asy_json_str(asy_json_get(about, "family"), ""), export->study,
                 (long long)asy_json_i64(asy_json_get(about, "trial"), 0),
                 asy_json_str(asy_json_get(about, "metric"), "objective"),
                 asy_format_f64(asy_json_f64(asy_json_get(about, "objective"), (double)NAN), text));
}

/* The file was read whole before, so what is missing here is none of ours. report borrows from
 * it. */
static int read_about(const struct asy_safetensors *file, struct asy_json **ret_about,
                      const char **ret_report, struct asy_error *err)
{
    const char *text = asy_safetensors_meta(file, "model");

    *ret_report = asy_safetensors_meta(file, "report");
    return text ? asy_json_parse(text, strlen(text), ret_about, err)
                : asy_fail(err, ASY_E_CORRUPT, "the file changed while it was read");
}

static int export_it(const struct asy__model *model, const struct asy__export *export,
                     enum asy_export_format format, struct asy_buf *ret, struct asy_error *err)
{
    if (!model->trees && !model->net)
        return asy_fail(err, ASY_E_UNSUPPORTED, "models of the family '%.40s' are not exported",
                        asy_json_str(asy_json_get(export->about, "family"), ""));
    if (model->trees && asy_gbdt_rounds(model->trees) == 0)
        return asy_fail(err, ASY_E_UNSUPPORTED, "it has no trees");
    return format == ASY_EXPORT_C ? asy__export_c(export, ret, err)
                                  : asy__export_onnx(export, ret, err);
}

int asy_export(const char *model_path, enum asy_export_format format, const char *version,
               struct asy_buf *ret, struct asy_error *err)
{
    struct asy_safetensors *file = NULL;
    struct asy__model model = { 0 };
    struct asy__export export = { .model = &model, .version = version };
    struct asy_json *about = NULL;
    int rc;

    if ((rc = asy__model_read(model_path, &model, err)) < 0)
        return rc;
    if ((rc = asy_safetensors_open(model_path, &file, err)) == 0) {
        if ((rc = read_about(file, &about, &export.report, err)) == 0) {
            export.about = about;
            export.study = asy_json_str(asy_json_get(about, "study"), "model");
            rc = export_it(&model, &export, format, ret, err);
        }
        if (rc < 0)
            asy_error_prefix(err, "'%s'", model_path);
    }
    asy_json_destroy(about);
    asy_safetensors_destroy(file);
    asy__model_fini(&model);
    return rc;
}
