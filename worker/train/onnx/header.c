/* SPDX-License-Identifier: Apache-2.0
 * header.c - a small model as a header in C99: tables of numbers and the loops over them.
 *
 * All is static, so that any number of files may include it. Each name begins with the study's.
 * Sums are made in float and without fused steps, which the kernels have: answers agree but for
 * rounding. */
#include "export_impl.h"
#include "net_impl.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_BYTES 256
#define TITLE_MAX_BYTES 4096
#define ON_A_LINE 8

struct writer {
    const struct asy__export *export;
    const struct asy__schema *schema;
    struct asy_buf *to;
    const char *name; /* of the study, as an identifier */
    const char *title;
    size_t inputs;
};

/* ---- words ----------------------------------------------------------------------------------- */

static void identifier(const char *study, struct asy_buf *ret)
{
    if (!isalpha((unsigned char)study[0]))
        asy_buf_addc(ret, 'm');
    for (; *study; study++)
        asy_buf_addc(ret, isalnum((unsigned char)*study) ? *study : '_');
}

/* With a point, and exactly: nine digits tell floats apart. */
static void put_float(struct asy_buf *to, float value)
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

static void put_floats(struct writer *w, const char *what, size_t number, const float *x, size_t n)
{
    asy_buf_addf(w->to, "static const float %s_%s_%zu[%zu] = {", w->name, what, number, n);
    for (size_t i = 0; i < n; i++) {
        asy_buf_adds(w->to, i % ON_A_LINE ? " " : "\n    ");
        put_float(w->to, x[i]);
        asy_buf_addc(w->to, ',');
    }
    asy_buf_adds(w->to, "\n};\n");
}

static void put_texts(struct writer *w, const char *what, const struct asy__dict *texts)
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

static void put_inputs(struct writer *w)
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

static void put_head(struct writer *w)
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

static void put_number(struct writer *w, size_t f, size_t x)
{
    const struct asy__schema *schema = w->schema;
    struct asy_buf *to = w->to;

    asy_buf_addf(to, "    f[%zu] = (", f);
    if (schema->fills_missing) {
        asy_buf_addf(to, "(x[%zu] != x[%zu] ? ", x, x);
        put_float(to, schema->fill[f]);
        asy_buf_addf(to, " : x[%zu])", x);
    } else {
        asy_buf_addf(to, "x[%zu]", x);
    }
    asy_buf_adds(to, " - ");
    put_float(to, schema->shift[f]);
    asy_buf_adds(to, ") * ");
    put_float(to, schema->factor[f]);
    asy_buf_adds(to, ";\n");
}

/* What columns of categories need outside of functions: their texts, or their numbers. */
static void put_values(struct writer *w)
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
                put_float(w->to, asy__code(column, v));
                asy_buf_adds(w->to, ", ");
            }
            asy_buf_adds(w->to, "};\n");
        }
        x += given != ASY__GIVEN_NOT;
    }
}

static void put_features(struct writer *w)
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

/* ---- networks -------------------------------------------------------------------------------- */

static const char *activation(enum asy_act act)
{
    switch (act) {
    case ASY_ACT_NONE:
        return "v";
    case ASY_ACT_RELU:
        return "v < 0 ? 0.0f : v"; /* NaN stays */
    case ASY_ACT_TANH:
        return "tanhf(v)";
    case ASY_ACT_GELU:
        return "0.5f * v * (1.0f + tanhf(0.797884561f * (v + 0.044715f * v * v * v)))";
    case ASY_ACT_SIGMOID:
        return "1.0f / (1.0f + expf(-v))";
    case ASY_ACT_SILU:
        return "v / (1.0f + expf(-v))";
    case ASY_ACT_LEAKY_RELU:
        return "v < 0 ? 0.01f * v : v";
    }
    ASY_ASSERT(0, "activation %d", (int)act);
    return "";
}

static int has_layer(const struct asy__net *net, enum asy__layer_kind kind, enum asy_act act)
{
    for (size_t l = 0; l < net->n_layers; l++)
        if (net->layers[l].desc.kind == kind && net->layers[l].desc.act == act)
            return 1;
    return 0;
}

static void put_dense(struct writer *w, enum asy_act act)
{
    asy_buf_addf(w->to,
                 "\nstatic inline void %s_dense_%s(const float *weight, const float *bias, "
                 "int rows,\n    int in, int out, const float *x, float *y)\n{\n"
                 "    int r, i, k;\n\n    for (r = 0; r < rows; r++, x += in)\n"
                 "        for (k = 0; k < out; k++, y++) {\n"
                 "            float v = bias[k];\n\n            for (i = 0; i < in; i++)\n"
                 "                v += weight[k * in + i] * x[i];\n"
                 "            *y = %s;\n        }\n}\n",
                 w->name, asy_act_name(act), activation(act));
}

static void put_act(struct writer *w, enum asy_act act)
{
    asy_buf_addf(w->to,
                 "\nstatic inline void %s_act_%s(int n, const float *x, float *y)\n{\n"
                 "    int i;\n\n    for (i = 0; i < n; i++) {\n        float v = x[i];\n\n"
                 "        y[i] = %s;\n    }\n}\n", w->name, asy_act_name(act), activation(act));
}

static void put_norm(struct writer *w)
{
    asy_buf_addf(w->to,
                 "\nstatic inline void %s_norm(const float *weight, const float *bias, int rows, "
                 "int n,\n    const float *x, float *y)\n{\n    int r, i;\n\n"
                 "    for (r = 0; r < rows; r++, x += n, y += n) {\n"
                 "        float mean = 0, square = 0;\n\n"
                 "        for (i = 0; i < n; i++)\n            mean += x[i] / (float)n;\n"
                 "        for (i = 0; i < n; i++)\n"
                 "            square += (x[i] - mean) * (x[i] - mean) / (float)n;\n"
                 "        for (i = 0; i < n; i++)\n"
                 "            y[i] = (x[i] - mean) / sqrtf(square + ", w->name);
    put_float(w->to, ASY__NORM_EPSILON);
    asy_buf_adds(w->to, ") * weight[i] + bias[i];\n    }\n}\n");
}

/* A function for each kind of layer, and activation, that the network has. */
static void put_functions(struct writer *w)
{
    const struct asy__net *net = w->export->model->net;

    for (int i = 0; i < ASY_ACT_COUNT; i++) {
        if (has_layer(net, ASY__DENSE, (enum asy_act)i))
            put_dense(w, (enum asy_act)i);
        if (i != ASY_ACT_NONE && has_layer(net, ASY__ACT, (enum asy_act)i))
            put_act(w, (enum asy_act)i);
    }
    if (has_layer(net, ASY__LAYER_NORM, ASY_ACT_NONE))
        put_norm(w);
}

/* Whether it leaves its input as it is. */
static int passes_on(const struct asy__layer *layer)
{
    return layer->desc.kind == ASY__FLATTEN || layer->desc.kind == ASY__DROPOUT ||
           (layer->desc.kind == ASY__ACT && layer->desc.act == ASY_ACT_NONE);
}

/* Where a layer's i-th input is: the array of the layer that it comes from. */
static const char *array_of(const struct asy__layer *layer, size_t i, const size_t *arrays,
                            char name[32])
{
    if (layer->from[i] == ASY__FEATURES || arrays[layer->from[i]] == ASY__FEATURES)
        return "f";
    snprintf(name, 32, "y%zu", arrays[layer->from[i]]);
    return name;
}

static void put_layer(struct writer *w, const struct asy__layer *layer, const size_t *arrays)
{
    size_t l = layer->number, vectors = asy__shape_vectors(layer->out), n = layer->out.channels;
    char a[32], b[32];
    const char *x = array_of(layer, 0, arrays, a);

    if (passes_on(layer))
        return;
    if (layer->desc.kind == ASY__DENSE)
        asy_buf_addf(w->to,
                     "    %s_dense_%s(%s_weight_%zu, %s_bias_%zu, %zu, %zu, %zu, %s, y%zu);\n",
                     w->name, asy_act_name(layer->desc.act), w->name, l, w->name, l, vectors,
                     layer->in[0].channels, n, x, l);
    else if (layer->desc.kind == ASY__LAYER_NORM)
        asy_buf_addf(w->to, "    %s_norm(%s_weight_%zu, %s_bias_%zu, %zu, %zu, %s, y%zu);\n",
                     w->name, w->name, l, w->name, l, vectors, n, x, l);
    else if (layer->desc.kind == ASY__ACT)
        asy_buf_addf(w->to, "    %s_act_%s(%zu, %s, y%zu);\n", w->name,
                     asy_act_name(layer->desc.act), vectors * n, x, l);
    else
        asy_buf_addf(w->to, "    for (i = 0; i < %zu; i++)\n        y%zu[i] = %s[i] + %s[i];\n",
                     vectors * n, l, x, array_of(layer, 1, arrays, b));
}

static void put_tensors(struct writer *w, const struct asy__layer *layer)
{
    const struct asy__model *model = w->export->model;

    if (layer->n_tensors < 2)
        return;
    put_floats(w, "weight", layer->number, asy__export_tensor(model, layer, 0),
               model->net->tensors[layer->tensors[0]].n);
    put_floats(w, "bias", layer->number, asy__export_tensor(model, layer, 1),
               model->net->tensors[layer->tensors[1]].n);
}

static void put_net(struct writer *w)
{
    const struct asy__net *net = w->export->model->net;
    size_t arrays[ASY__LAYERS_MAX]; /* which layer's array has the output of each */

    for (size_t l = 0; l < net->n_layers; l++) {
        const struct asy__layer *layer = &net->layers[l];

        arrays[l] = l;
        if (passes_on(layer))
            arrays[l] = layer->from[0] == ASY__FEATURES ? ASY__FEATURES : arrays[layer->from[0]];
        put_tensors(w, layer);
    }
    put_functions(w);
    asy_buf_addf(w->to, "\nstatic inline void %s_outputs(const float *f, float *out)\n{\n",
                 w->name);
    for (size_t l = 0; l < net->n_layers; l++)
        if (arrays[l] == l)
            asy_buf_addf(w->to, "    float y%zu[%zu];\n", l, asy__shape_size(net->layers[l].out));
    asy_buf_adds(w->to, "    int i;\n\n");
    for (size_t l = 0; l < net->n_layers; l++)
        put_layer(w, &net->layers[l], arrays);
    asy_buf_addf(w->to, "    for (i = 0; i < %zu; i++)\n        out[i] = y%zu[i];\n}\n",
                 asy__shape_size(net->outputs), arrays[net->n_layers - 1]);
}

/* ASY_E_UNSUPPORTED: a layer that put_layer() does not know. */
static int check_net(const struct asy__net *net, struct asy_error *err)
{
    static const char is_known[ASY__LAYER_KINDS] = {
        [ASY__DENSE] = 1, [ASY__ADD] = 1,     [ASY__FLATTEN] = 1,
        [ASY__ACT] = 1,   [ASY__DROPOUT] = 1, [ASY__LAYER_NORM] = 1,
    };

    for (size_t l = 0; l < net->n_layers; l++)
        if (!is_known[net->layers[l].desc.kind])
            return asy_fail(err, ASY_E_UNSUPPORTED, "C has no layer of the kind '%s'; export it "
                            "as onnx", net->layers[l].type->name);
    return 0;
}

/* ---- trees ----------------------------------------------------------------------------------- */

static void put_nodes(struct writer *w, const struct asy_gbdt *trees)
{
    size_t outputs = asy_gbdt_outputs(trees), n_trees = asy_gbdt_rounds(trees) * outputs, n = 0;
    size_t at = 0;

    asy_buf_addf(w->to,
                 "/* A leaf has feature -1 and a value; other nodes a threshold, below which a\n"
                 " * row goes to the left child; the right one is the next. */\n"
                 "struct %s_node {\n    float value;\n    int feature, left, missing_left;\n};\n"
                 "static const struct %s_node %s_nodes[] = {\n", w->name, w->name, w->name);
    for (size_t t = 0; t < n_trees; t++) {
        const struct asy_gbdt_node *node = asy_gbdt_tree(trees, t / outputs, t % outputs, &n);

        for (size_t i = 0; i < n; i++, node++) {
            asy_buf_adds(w->to, "    { ");
            put_float(w->to, node->feature < 0 ? node->value : node->threshold);
            asy_buf_addf(w->to, ", %d, %u, %d },\n", (int)node->feature, (unsigned)node->left,
                         (int)(node->default_left != 0));
        }
    }
    asy_buf_addf(w->to, "};\nstatic const int %s_trees[%zu] = { /* the root of each */\n", w->name,
                 n_trees);
    for (size_t t = 0; t < n_trees; t++, at += n) {
        asy_gbdt_tree(trees, t / outputs, t % outputs, &n);
        asy_buf_addf(w->to, "%s%zu,%s", t % ON_A_LINE ? " " : "    ", at,
                     t % ON_A_LINE == ON_A_LINE - 1 || t + 1 == n_trees ? "\n" : "");
    }
    asy_buf_adds(w->to, "};\n");
}

static void put_trees(struct writer *w)
{
    const struct asy_gbdt *trees = w->export->model->trees;
    size_t outputs = asy_gbdt_outputs(trees), n = asy_gbdt_rounds(trees) * outputs;
    int logistic = asy_gbdt_params(trees)->loss == ASY_GBDT_LOGISTIC;

    put_nodes(w, trees);
    asy_buf_addf(w->to, "\nstatic inline void %s_outputs(const float *f, float *out)\n{\n"
                 "    float margin[%zu];\n    int k, t;\n\n    for (k = 0; k < %zu; k++)\n"
                 "        margin[k] = ", w->name, outputs, outputs);
    put_float(w->to, (float)asy_gbdt_params(trees)->base);
    asy_buf_addf(w->to,
                 ";\n    for (t = 0; t < %zu; t++) {\n"
                 "        const struct %s_node *root = %s_nodes + %s_trees[t], *node = root;\n\n"
                 "        while (node->feature >= 0) {\n"
                 "            float v = f[node->feature];\n"
                 "            int left = v != v ? node->missing_left : v < node->value;\n\n"
                 "            node = root + node->left + !left;\n        }\n"
                 "        margin[t %% %zu] += node->value;\n    }\n", n, w->name, w->name, w->name,
                 outputs);
    if (logistic) /* the log-odds of the second class */
        asy_buf_adds(w->to, "    out[0] = 0;\n    out[1] = margin[0];\n}\n");
    else
        asy_buf_addf(w->to, "    for (k = 0; k < %zu; k++)\n        out[k] = margin[k];\n}\n",
                     outputs);
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* gap: NaN where x has something that is no finite number; trees would go on. */
static void put_gap(struct writer *w)
{
    if (!w->schema->fills_missing)
        asy_buf_addf(w->to, "    for (i = 0; i < %zu; i++)\n        gap += 0 * x[i];\n", w->inputs);
}

static void put_chances(struct writer *w)
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

static void put_value(struct writer *w)
{
    const struct asy__schema *schema = w->schema;

    asy_buf_addf(w->to, "    float f[%zu], gap = 0;\n%s\n    %s_features(x, f);\n"
                 "    %s_outputs(f, out);\n", schema->n_features,
                 schema->fills_missing ? "" : "    int i;\n", w->name, w->name);
    put_gap(w);
    asy_buf_adds(w->to, "    out[0] = (out[0] + gap) / ");
    put_float(w->to, (float)schema->target_factor);
    asy_buf_adds(w->to, " + ");
    put_float(w->to, (float)schema->target_shift);
    asy_buf_adds(w->to, ";\n");
}

static void put_predict(struct writer *w)
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
        return model->net->n_params;
    outputs = asy_gbdt_outputs(model->trees);
    for (size_t t = 0; t < asy_gbdt_rounds(model->trees) * outputs; t++) {
        asy_gbdt_tree(model->trees, t / outputs, t % outputs, &nodes);
        n += 4 * nodes;
    }
    return n;
}

static int check(const struct asy__export *export, struct asy_error *err)
{
    const struct asy__schema *schema = &export->model->schema;
    size_t n = size_of(export->model);

    if (schema->vocabulary)
        return asy_fail(err, ASY_E_UNSUPPORTED, "C is for rows of a table, this is a model of "
                        "tokens; export it as onnx");
    if (n > ASY_EXPORT_C_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "C is for small models: this one has %zu numbers, over "
                        "%zu; export it as onnx", n, ASY_EXPORT_C_MAX);
    if (!isfinite((float)schema->target_shift) || !isnormal((float)schema->target_factor))
        return asy_fail(err, ASY_E_UNSUPPORTED, "its values, around %g, are out of a float's range",
                        schema->target_shift);
    return export->model->net ? check_net(export->model->net, err) : 0;
}

int asy__export_c(const struct asy__export *export, struct asy_buf *ret, struct asy_error *err)
{
    struct writer w = { .export = export, .schema = &export->model->schema, .to = ret };
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
            put_trees(&w);
        else
            put_net(&w);
        put_predict(&w);
        rc = asy_buf_check(ret, "a header in C", err);
    }
    asy_buf_fini(&title);
    asy_buf_fini(&name);
    return rc;
}
