/* SPDX-License-Identifier: Apache-2.0
 * header.c - a small model as a header in C99: tables of numbers and the loops over them.
 *
 * All is static, so that any number of files may include it. Each name begins with the study's.
 * Sums are made in float and without fused steps, which the kernels have: answers agree but for
 * rounding. */
#include "header_impl.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_BYTES 256
#define TITLE_MAX_BYTES 4096

/* ---- words ----------------------------------------------------------------------------------- */

static void identifier(const char *study, struct asy_buf *ret)
{
    if (!isalpha((unsigned char)study[0]))
        asy_buf_addc(ret, 'm');
    for (; *study; study++)
        asy_buf_addc(ret, isalnum((unsigned char)*study) ? *study : '_');
}

/* With a point, and exactly: nine digits tell floats apart. */
void asy__put_float(struct asy_buf *to, float value)
{
    size_t from = to->len;

    if (isinf(value)) {
        asy_buf_adds(to, value < 0 ? "-INFINITY" : "INFINITY");
        return;
    }
    asy_buf_addf(to, "%.9g", (double)value);
    if (!to->rc && !strpbrk(to->data + from, ".e"))
        asy_buf_adds(to, ".0");
    asy_buf_addc(to, 'f');
}

void asy__put_floats(struct asy__writer *w, const char *what, size_t number, const float *x,
                     size_t n)
{
    asy_buf_addf(w->to, "static const float %s_%s_%zu[%zu] = {", w->name, what, number, n);
    for (size_t i = 0; i < n; i++) {
        asy_buf_adds(w->to, i % ASY__ON_A_LINE ? " " : "\n    ");
        asy__put_float(w->to, x[i]);
        asy_buf_addc(w->to, ',');
    }
    asy_buf_adds(w->to, "\n};\n");
}

/* A literal; "?" too is escaped, for pairs of it begin trigraphs. */
static void put_text(struct asy_buf *to, const char *text)
{
    asy_buf_addc(to, '"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (strchr("\"\\?", c))
            asy_buf_addf(to, "\\%c", c);
        else if (c < ' ' || c > '~')
            asy_buf_addf(to, "\\%03o", c);
        else
            asy_buf_addc(to, (char)c);
    }
    asy_buf_addc(to, '"');
}

/* In a comment, which nothing may end or break. */
static void put_remark(struct asy_buf *to, const char *text)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        asy_buf_addc(to, c < ' ' || c == '*' || c == '\\' || c == '?' ? '_' : (char)c);
    }
}

static void put_texts(struct asy__writer *w, const char *what, const struct asy__dict *texts)
{
    asy_buf_addf(w->to, "static const char *const %s_%s[%zu] = {\n", w->name, what, texts->n);
    for (size_t i = 0; i < texts->n; i++) {
        asy_buf_adds(w->to, "    ");
        put_text(w->to, texts->texts[i]);
        asy_buf_adds(w->to, ",\n");
    }
    asy_buf_adds(w->to, "};\n");
}

/* ---- head ------------------------------------------------------------------------------------ */

static void put_inputs(struct asy__writer *w)
{
    size_t x = 0;

    for (size_t i = 0; i < w->schema->n_columns; i++) {
        const struct asy__column *column = &w->schema->columns[i];
        enum asy__given given = asy__given(column);

        if (given == ASY__GIVEN_NOT)
            continue;
        asy_buf_addf(w->to, " *   x[%zu] ", x);
        put_remark(w->to, column->name);
        if (given == ASY__GIVEN_TEXT)
            asy_buf_addf(w->to, ": where %s_values_%zu has its text; -1: nowhere", w->name, x);
        asy_buf_addc(w->to, '\n');
        x++;
    }
}

static void put_head(struct asy__writer *w)
{
    const struct asy__schema *schema = w->schema;
    struct asy_buf *to = w->to;

    asy_buf_adds(to, "/* ");
    put_remark(to, w->title);
    asy_buf_addf(to,
                 ".\n * Made by Assay %s. All of it is static: include it where it is called.\n *\n"
                 " *   float x[%s_n_inputs], out[%s_n_outputs];\n *   %s_predict(x, out);\n *\n",
                 w->export->version, w->name, w->name, w->name);
    put_inputs(w);
    asy_buf_addf(to, " * A missing value is NAN%s.\n * out: ",
                 schema->fills_missing ? "" : ", and so is the answer then");
    if (schema->classification)
        asy_buf_addf(to, "the chance of each of %s_classes", w->name);
    else
        put_remark(to, schema->columns[schema->label].name);
    asy_buf_addf(to, ". */\n#ifndef %s_H\n#define %s_H\n#include <math.h>\n\n"
                 "enum { %s_n_inputs = %zu, %s_n_outputs = %zu };\n", w->name, w->name, w->name,
                 w->inputs, w->name, asy__outputs_of(schema));
    if (schema->classification)
        put_texts(w, "classes", &schema->classes);
}

/* ---- features -------------------------------------------------------------------------------- */

static void put_number(struct asy__writer *w, size_t f, size_t x)
{
    const struct asy__schema *schema = w->schema;
    struct asy_buf *to = w->to;

    asy_buf_addf(to, "    f[%zu] = (", f);
    if (schema->fills_missing) {
        asy_buf_addf(to, "(x[%zu] != x[%zu] ? ", x, x);
        asy__put_float(to, schema->fill[f]);
        asy_buf_addf(to, " : x[%zu])", x);
    } else {
        asy_buf_addf(to, "x[%zu]", x);
    }
    asy_buf_adds(to, " - ");
    asy__put_float(to, schema->shift[f]);
    asy_buf_adds(to, ") * ");
    asy__put_float(to, schema->factor[f]);
    asy_buf_adds(to, ";\n");
}

/* What columns of categories need outside of functions: their texts, or their numbers. */
static void put_values(struct asy__writer *w)
{
    size_t x = 0;

    for (size_t i = 0; i < w->schema->n_columns; i++) {
        const struct asy__column *column = &w->schema->columns[i];
        enum asy__given given = asy__given(column);
        char what[64];

        snprintf(what, sizeof what, "values_%zu", x);
        if (given == ASY__GIVEN_TEXT)
            put_texts(w, what, &column->values);
        if (given == ASY__GIVEN_CODE) {
            asy_buf_addf(w->to, "static const float %s_%s[%zu] = { ", w->name, what,
                         column->values.n);
            for (size_t v = 0; v < column->values.n; v++) {
                asy__put_float(w->to, asy__code(column, v));
                asy_buf_adds(w->to, ", ");
            }
            asy_buf_adds(w->to, "};\n");
        }
        x += given != ASY__GIVEN_NOT;
    }
}

static void put_features(struct asy__writer *w)
{
    size_t x = 0;

    put_values(w);
    asy_buf_addf(w->to, "\nstatic inline void %s_features(const float *x, float *f)\n{\n"
                 "    int i;\n\n    (void)i;\n", w->name);
    for (size_t i = 0; i < w->schema->n_columns; i++) {
        const struct asy__column *column = &w->schema->columns[i];
        enum asy__given given = asy__given(column);

        if (given == ASY__GIVEN_NUMBER)
            put_number(w, column->feature, x);
        else if (given == ASY__GIVEN_CODE)
            asy_buf_addf(w->to, "    for (i = 0; i < %zu; i++)\n"
                         "        f[%zu + i] = x[%zu] == %s_values_%zu[i] ? 1.0f : 0.0f;\n",
                         column->values.n, column->feature, x, w->name, x);
        else if (given == ASY__GIVEN_TEXT)
            asy_buf_addf(w->to, "    for (i = 0; i < %zu; i++)\n"
                         "        f[%zu + i] = x[%zu] == (float)i ? 1.0f : 0.0f;\n",
                         column->values.n, column->feature, x);
        x += given != ASY__GIVEN_NOT;
    }
    asy_buf_adds(w->to, "}\n");
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* gap: NaN where x has something that is no finite number; trees would go on. */
static void put_gap(struct asy__writer *w)
{
    if (!w->schema->fills_missing)
        asy_buf_addf(w->to, "    for (i = 0; i < %zu; i++)\n        gap += 0 * x[i];\n", w->inputs);
}

static void put_chances(struct asy__writer *w)
{
    size_t outs = asy__outputs_of(w->schema);

    asy_buf_addf(w->to, "    float f[%zu], most, sum = 0, gap = 0;\n    int i;\n\n"
                 "    %s_features(x, f);\n    %s_outputs(f, out);\n", w->schema->n_features,
                 w->name, w->name);
    put_gap(w);
    asy_buf_addf(w->to,
                 "    most = out[0];\n    for (i = 1; i < %zu; i++)\n"
                 "        most = out[i] > most ? out[i] : most;\n"
                 "    for (i = 0; i < %zu; i++)\n"
                 "        sum += out[i] = expf(out[i] - most + gap);\n"
                 "    for (i = 0; i < %zu; i++)\n        out[i] /= sum;\n", outs, outs, outs);
}

static void put_value(struct asy__writer *w)
{
    const struct asy__schema *schema = w->schema;

    asy_buf_addf(w->to, "    float f[%zu], gap = 0;\n%s\n    %s_features(x, f);\n"
                 "    %s_outputs(f, out);\n", schema->n_features,
                 schema->fills_missing ? "" : "    int i;\n", w->name, w->name);
    put_gap(w);
    asy_buf_adds(w->to, "    out[0] = (out[0] + gap) / ");
    asy__put_float(w->to, (float)schema->target_factor);
    asy_buf_adds(w->to, " + ");
    asy__put_float(w->to, (float)schema->target_shift);
    asy_buf_adds(w->to, ";\n");
}

static void put_predict(struct asy__writer *w)
{
    asy_buf_addf(w->to, "\nstatic inline void %s_predict(const float *x, float *out)\n{\n",
                 w->name);
    if (w->schema->classification)
        put_chances(w);
    else
        put_value(w);
    asy_buf_adds(w->to, "}\n#endif\n");
}

/* Numbers that would be written. */
static size_t size_of(const struct asy__model *model)
{
    size_t n = 0, nodes, outputs;

    if (!model->trees)
        return model->net->n_params + model->net->n_buffers;
    outputs = asy_gbdt_outputs(model->trees);
    for (size_t t = 0; t < asy_gbdt_rounds(model->trees) * outputs; t++) {
        asy_gbdt_tree(model->trees, t / outputs, t % outputs, &nodes);
        n += 4 * nodes;
    }
    return n;
}

/* Its features, and what a network computes of them. */
static int check_stack(const struct asy__model *model, struct asy_error *err)
{
    size_t n = model->schema.n_features;

    if (model->net)
        n += asy__header_net_arrays(model->net);
    return n <= ASY_EXPORT_C_STACK / sizeof(float)
               ? 0
               : asy_fail(err, ASY_E_TOOBIG, "C keeps what it computes on the stack, at most %zu "
                          "KiB: this model needs %zu; export it as onnx", ASY_EXPORT_C_STACK >> 10,
                          n * sizeof(float) >> 10);
}

static int check(const struct asy__export *export, struct asy_error *err)
{
    const struct asy__schema *schema = &export->model->schema;
    size_t n = size_of(export->model);
    int rc;

    if (schema->vocabulary || schema->ids)
        return asy_fail(err, ASY_E_UNSUPPORTED, "C is for rows of numbers and categories, this "
                        "is a model of tokens; export it as onnx");
    if (n > ASY_EXPORT_C_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "C is for small models: this one has %zu numbers, over "
                        "%zu; export it as onnx", n, ASY_EXPORT_C_MAX);
    if (!isfinite((float)schema->target_shift) || !isnormal((float)schema->target_factor))
        return asy_fail(err, ASY_E_UNSUPPORTED, "its values, around %g, are out of a float's range",
                        schema->target_shift);
    if (export->model->net && (rc = asy__header_net_check(export->model->net, err)) < 0)
        return rc;
    return check_stack(export->model, err);
}

int asy__export_c(const struct asy__export *export, struct asy_buf *ret, struct asy_error *err)
{
    struct asy__writer w = { .export = export, .schema = &export->model->schema, .to = ret };
    struct asy_buf name, title;
    int rc;

    if ((rc = check(export, err)) < 0)
        return rc;
    for (size_t i = 0; i < w.schema->n_columns; i++)
        w.inputs += asy__given(&w.schema->columns[i]) != ASY__GIVEN_NOT;
    asy_buf_init(&name, NAME_MAX_BYTES);
    identifier(export->study, &name);
    asy_buf_init(&title, TITLE_MAX_BYTES);
    asy__export_title(export, &title);
    if ((rc = asy_buf_check(&name, "the name of the model", err)) == 0 &&
        (rc = asy_buf_check(&title, "a title", err)) == 0) {
        w.name = name.data;
        w.title = title.data;
        put_head(&w);
        put_features(&w);
        if (export->model->trees)
            asy__header_trees(&w);
        else
            asy__header_net(&w);
        put_predict(&w);
        rc = asy_buf_check(ret, "a header in C", err);
    }
    asy_buf_fini(&title);
    asy_buf_fini(&name);
    return rc;
}
