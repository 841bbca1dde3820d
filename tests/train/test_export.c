/* SPDX-License-Identifier: Apache-2.0
 * Exported models, read back with the structs of ONNX's own definition: inputs, nodes, constants,
 * refusals. What they compute, test_onnx.py compares. */
#include "trainkit.h"
#include <math.h>
#include <nomem.h>
#include <onnx.pb-c.h>
#include <asy/comm.h>
#include <asy/export.h>
#include <asy/safetensors.h>
#include <asy/training.h>
#include "graph.h"
#include "state.h"

#define ROWS 60

static struct {
    char dir[64], model[4096];
} made;

/* A number, a category of texts, one of numbers, a number; gaps, if wanted; the label. */
static bool write_table(const char *path, const char *label, int gaps)
{
    static const char *const colours[] = { "red", "blue", "green */ ?\?=" };
    struct asy_buf text;
    bool ok;

    asy_buf_init(&text, 1u << 16);
    asy_buf_addf(&text, "x,colour,code,width,%s\n", label);
    for (int i = 0; i < ROWS; i++) {
        asy_buf_addf(&text, "%g,%s,%d,", (i * 37 % 60) / 7.0, colours[i % 3], i % 2 ? 10 : 7);
        asy_buf_addf(&text, gaps && i % 9 == 0 ? "," : "%g,", i / 3.0);
        asy_buf_addf(&text, *label == 'v' ? "%d.5\n" : "%d\n", *label == 'v' ? 100 + i : i / 20);
    }
    ok = kit_write(path, text.data, text.len);
    asy_buf_fini(&text);
    return ok;
}

/* Leaves the model's path in made. label "value": a regression; "kind": three classes. */
static bool make(const char *family, const char *label, const char *data, const char *params)
{
    struct asy_error err = ASY_ERROR_INIT;
    static const struct asy_train_callbacks none;
    static struct asy_train_result result;
    struct asy_trainer *trainer = NULL;
    struct asy_comm *comm = NULL;
    struct asy_json *job = NULL;
    char table[128];
    bool ok;

    if (!T_TRUE(kit_dir(made.dir) != NULL))
        return false;
    snprintf(table, sizeof table, "%s/table.csv", made.dir);
    ok = write_table(table, label, strstr(data, "mean") != NULL);
    job = kit_family_job(family, table, data, "train_loss", "minimize", 2, params, "");
    ok = ok && T_OK(asy_comm_self(&comm, &err), &err) &&
         T_OK(asy_trainer_create(comm, &trainer, &err), &err) &&
         T_OK(asy_trainer_run(trainer, job, made.dir, NULL, &none, &result, &err), &err);
    snprintf(made.model, sizeof made.model, "%s", result.model_path);
    asy_trainer_destroy(trainer);
    asy_comm_destroy(comm);
    asy_json_destroy(job);
    return ok;
}

#define CATEGORIES "\"categorical\":[\"code\"]"
#define WHOLE CATEGORIES ",\"split\":{\"validation\":0.2}"
#define GAPS WHOLE ",\"missing\":\"mean\""

static bool export(enum asy_export_format format, struct asy_buf *ret)
{
    struct asy_error err = ASY_ERROR_INIT;

    asy_buf_init(ret, 1u << 24);
    return T_OK(asy_export(made.model, format, "1.2.3", ret, &err), &err);
}

/* The model as a message, the caller's to free. */
static Onnx__ModelProto *exported(void)
{
    Onnx__ModelProto *model = NULL;
    struct asy_buf bytes;

    if (export(ASY_EXPORT_ONNX, &bytes))
        model = onnx__model_proto__unpack(NULL, bytes.len, (const uint8_t *)bytes.data);
    T_TRUE(model != NULL);
    asy_buf_fini(&bytes);
    return model;
}

static void drop(Onnx__ModelProto *model)
{
    if (model)
        onnx__model_proto__free_unpacked(model, NULL);
    kit_rmdir(made.dir);
}

static const char *meta(const Onnx__ModelProto *model, const char *key)
{
    for (size_t i = 0; i < model->n_metadata_props; i++)
        if (!strcmp(model->metadata_props[i]->key, key))
            return model->metadata_props[i]->value;
    return NULL;
}

static const Onnx__TensorProto *constant(const Onnx__GraphProto *graph, const char *name)
{
    for (size_t i = 0; i < graph->n_initializer; i++)
        if (!strcmp(graph->initializer[i]->name, name))
            return graph->initializer[i];
    return NULL;
}

static const Onnx__AttributeProto *attribute(const Onnx__NodeProto *node, const char *name)
{
    for (size_t i = 0; i < node->n_attribute; i++)
        if (!strcmp(node->attribute[i]->name, name))
            return node->attribute[i];
    return NULL;
}

static const Onnx__NodeProto *node_of(const Onnx__GraphProto *graph, const char *op)
{
    for (size_t i = 0; i < graph->n_node; i++)
        if (!strcmp(graph->node[i]->op_type, op))
            return graph->node[i];
    return NULL;
}

/* "x:1[N,3] colour:8[N,1]" */
static const char *describe(Onnx__ValueInfoProto *const *infos, size_t n, char text[400])
{
    size_t len = 0;

    text[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        const Onnx__TypeProto__Tensor *tensor = infos[i]->type->tensor_type;

        len += (size_t)snprintf(text + len, 400 - len, "%s%s:%d[", i ? " " : "", infos[i]->name,
                                tensor->elem_type);
        for (size_t d = 0; d < tensor->shape->n_dim; d++) {
            const Onnx__TensorShapeProto__Dimension *dim = tensor->shape->dim[d];

            if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM)
                len += (size_t)snprintf(text + len, 400 - len, "%s", dim->dim_param);
            else
                len += (size_t)snprintf(text + len, 400 - len, ",%d", (int)dim->dim_value);
        }
        len += (size_t)snprintf(text + len, 400 - len, "]");
    }
    return text;
}

static const char *ops(const Onnx__GraphProto *graph, char text[400])
{
    size_t len = 0;

    text[0] = '\0';
    for (size_t i = 0; i < graph->n_node; i++)
        len += (size_t)snprintf(text + len, 400 - len, "%s%s", i ? " " : "",
                                graph->node[i]->op_type);
    return text;
}

/* Each name that a node takes was made before it. */
static void names_are_made_before_use(const Onnx__GraphProto *graph)
{
    for (size_t i = 0; i < graph->n_node; i++)
        for (size_t k = 0; k < graph->node[i]->n_input; k++) {
            const char *name = graph->node[i]->input[k];
            int found = constant(graph, name) != NULL;

            for (size_t j = 0; j < graph->n_input; j++)
                found |= !strcmp(graph->input[j]->name, name);
            for (size_t j = 0; j < i; j++)
                found |= !strcmp(graph->node[j]->output[0], name);
            T_EQ(name, found, 1);
        }
}

#define CODED "Equal Cast"
#define TEXTS "OneHotEncoder Squeeze"
static void what_goes_in_and_comes_out_is_said(void)
{
    static const struct {
        const char *name, *family, *label, *data, *params, *inputs, *outputs, *ops;
    } cases[] = {
        { "classes", "mlp", "kind", WHOLE, "\"layers\":1", "x:1[N,3] colour:8[N,1]",
          "label:7[N] probabilities:1[N,3]",
          "Gather Sub Mul " TEXTS " Gather " CODED " Concat Gather Gemm Relu Gemm Mul ReduceSum "
          "Add Softmax ArgMax Gather" },
        { "values, gaps", "mlp", "value", GAPS, "\"layers\":1,\"activation\":\"silu\"",
          "x:1[N,3] colour:8[N,1]", "value:1[N,1]",
          "Gather IsNaN Where Sub Mul " TEXTS " Gather " CODED " Concat Gather Gemm Sigmoid Mul "
          "Gemm Div Add" },
        { "numbers alone", "mlp", "kind", "\"exclude\":[\"colour\"],\"scale\":\"none\"",
          "\"layers\":1,\"activation\":\"tanh\"", "x:1[N,3]", "label:7[N] probabilities:1[N,3]",
          "Gemm Tanh Gemm Mul ReduceSum Add Softmax ArgMax Gather" },
        { "trees", "gbdt", "kind", GAPS, "", "x:1[N,3] colour:8[N,1]",
          "label:7[N] probabilities:1[N,3]",
          "Gather IsNaN Where Sub Mul " TEXTS " Gather " CODED " Concat Gather "
          "TreeEnsembleRegressor Softmax ArgMax Gather" },
    };
    char text[400];

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        Onnx__ModelProto *model = NULL;

        if (make(cases[i].family, cases[i].label, cases[i].data, cases[i].params) &&
            (model = exported())) {
            const Onnx__GraphProto *graph = model->graph;

            T_STR(cases[i].name, describe(graph->input, graph->n_input, text), cases[i].inputs);
            T_STR(cases[i].name, describe(graph->output, graph->n_output, text), cases[i].outputs);
            T_STR(cases[i].name, ops(graph, text), cases[i].ops);
            names_are_made_before_use(graph);
        }
        drop(model);
    }
}

static void where_it_comes_from_is_said(void)
{
    Onnx__ModelProto *model = NULL;

    if (make("mlp", "kind", WHOLE, "\"hidden\":5") && (model = exported())) {
        T_EQ("ir", model->ir_version, 8);
        T_EQ("opsets", model->n_opset_import, 2);
        T_EQ("opset", model->opset_import[0]->version, 17);
        T_STR("ml", model->opset_import[1]->domain, "ai.onnx.ml");
        T_STR("producer", model->producer_name, "assay");
        T_STR("version", model->producer_version, "1.2.3");
        T_STR("graph", model->graph->name, "test");
        T_HAS("about", model->doc_string, "mlp of study 'test', trial 3, train_loss ");
        T_STR("study", meta(model, "study"), "test");
        T_STR("trial", meta(model, "trial"), "3");
        T_STR("metric", meta(model, "metric"), "train_loss");
        T_HAS("parameters", meta(model, "parameters"), "\"hidden\":5");
        T_STR("columns", meta(model, "columns"), "[\"x\",\"code\",\"width\"]");
        T_STR("classes", meta(model, "classes"), "[\"0\",\"1\",\"2\"]");
        T_STR("assay", meta(model, "assay"), "1.2.3");
        T_HAS("report", meta(model, "report"), "\"part\":\"validation\",\"rows\":12,");
    }
    drop(model);
}

/* No copy of a weight is rounded. */
static void weights_are_those_of_the_model(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_safetensors *file = NULL;
    Onnx__ModelProto *model = NULL;

    if (!make("mlp", "kind", WHOLE, "\"layers\":2") || !(model = exported()) ||
        !T_OK(asy_safetensors_open(made.model, &file, &err), &err))
        goto out;
    T_EQ("tensors", asy_safetensors_len(file), 6);
    for (size_t i = 0; i < asy_safetensors_len(file); i++) {
        const struct asy_tensor *want = asy_safetensors_at(file, i);
        const Onnx__TensorProto *got;
        char name[64];

        snprintf(name, sizeof name, "/%s", want->name);
        if (!T_TRUE((got = constant(model->graph, name)) != NULL) ||
            !T_EQ(name, got->raw_data.len, want->size))
            continue;
        T_EQ(name, memcmp(got->raw_data.data, want->bytes, want->size), 0);
        T_EQ(name, got->n_dims, want->n_dims);
        for (size_t d = 0; d < got->n_dims; d++)
            T_EQ(name, got->dims[d], want->shape[d]);
    }
out:
    asy_safetensors_destroy(file);
    drop(model);
}

static void compare_nodes(const struct asy_gbdt *trees, const Onnx__NodeProto *node)
{
    const int64_t *feature = attribute(node, "nodes_featureids")->ints;
    const int64_t *left = attribute(node, "nodes_truenodeids")->ints;
    const int64_t *right = attribute(node, "nodes_falsenodeids")->ints;
    const int64_t *missing = attribute(node, "nodes_missing_value_tracks_true")->ints;
    const float *threshold = attribute(node, "nodes_values")->floats;
    const float *leaf = attribute(node, "target_weights")->floats;
    const int64_t *target = attribute(node, "target_ids")->ints;
    size_t at = 0, leaves = 0, outputs = asy_gbdt_outputs(trees), n = 0, differ = 0;

    for (size_t t = 0; t < asy_gbdt_rounds(trees) * outputs; t++) {
        const struct asy_gbdt_node *want = asy_gbdt_tree(trees, t / outputs, t % outputs, &n);

        for (size_t i = 0; i < n; i++, at++, want++) {
            const ProtobufCBinaryData *mode = &attribute(node, "nodes_modes")->strings[at];

            if (want->feature < 0) {
                differ += mode->len != 4 || leaf[leaves] != want->value ||
                          target[leaves] != (int64_t)(t % outputs);
                leaves++;
                continue;
            }
            differ += mode->len != 9 || memcmp(mode->data, "BRANCH_LT", 9) != 0 ||
                      feature[at] != want->feature || threshold[at] != want->threshold ||
                      left[at] != want->left || right[at] != left[at] + 1 ||
                      missing[at] != want->default_left;
        }
    }
    T_TRUE(at > 20 && leaves > 10);
    T_EQ("nodes", attribute(node, "nodes_values")->n_floats, at);
    T_EQ("leaves", attribute(node, "target_weights")->n_floats, leaves);
    T_EQ("fields that differ", differ, 0);
}

static void trees_are_those_of_the_model(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    Onnx__ModelProto *model = NULL;
    struct asy__model stored = { 0 };
    const Onnx__NodeProto *node;

    if (make("gbdt", "kind", WHOLE, "\"max_depth\":4,\"min_child_weight\":0") &&
        (model = exported()) && T_OK(asy__model_read(made.model, &stored, &err), &err) &&
        T_TRUE((node = node_of(model->graph, "TreeEnsembleRegressor")) != NULL)) {
        T_EQ("targets", attribute(node, "n_targets")->i, 3);
        compare_nodes(stored.trees, node);
    }
    asy__model_fini(&stored);
    drop(model);
}

/* The size is known before anything is copied, so that the weights need not be there. */
static void a_file_over_two_gigabytes_is_refused(void)
{
    static const float few[4];
    size_t dims[] = { 1, 4 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__graph *graph = NULL;
    struct asy_buf bytes;

    asy_buf_init(&bytes, SIZE_MAX / 2);
    for (int large = 0; large < 2; large++) {
        dims[0] = large ? (size_t)INT32_MAX / 16 + 1 : 1;
        if (!T_OK(asy__graph_create(&graph, &err), &err))
            break;
        asy__graph_floats(graph, "weight", few, dims, 2);
        T_EQ("rc", asy__graph_pack(graph, "g", "", "1", &bytes, &err), large ? ASY_E_TOOBIG : 0);
        asy__graph_destroy(graph);
    }
    T_HAS("text", err.text, "can have 2147483647");
    T_TRUE(bytes.len < 1000);
    asy_buf_fini(&bytes);
}

static void headers_hold_what_names_cannot_break(void)
{
    struct asy_buf text;

    asy_buf_init(&text, 0);
    if (make("mlp", "kind", WHOLE, "\"hidden\":4") && export(ASY_EXPORT_C, &text)) {
        T_HAS("function", text.data, "static inline void test_predict(const float *x, float *out)");
        T_HAS("a text", text.data, "\"green */ \\?\\?=\",");
        T_HAS("numbers", text.data, "test_values_2[2] = { 7.0f, 10.0f, };");
        T_HAS("an input", text.data, "x[1] colour: where test_values_1 has its text");
    }
    asy_buf_fini(&text);
    kit_rmdir(made.dir);
}

static void what_cannot_be_exported_is_refused(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    enum asy_export_format format;
    struct asy_buf bytes;

    asy_buf_init(&bytes, 1u << 24);
    T_EQ("format", asy_export_format("pmml", &format, &err), ASY_E_INVAL);
    T_HAS("format", err.text, "onnx or c, not as 'pmml'");
    T_EQ("no file", asy_export("/nowhere/m", ASY_EXPORT_ONNX, "1", &bytes, &err), ASY_E_NOENT);
    if (make("mlp", "kind", WHOLE, "\"hidden\":1100,\"layers\":2")) {
        T_EQ("large", asy_export(made.model, ASY_EXPORT_C, "1", &bytes, &err), ASY_E_TOOBIG);
        T_HAS("large", err.text, "C is for small models: this one has 12");
    }
    T_EQ("nothing written", bytes.len, 0);
    kit_rmdir(made.dir);
    /* 7 features; 17 or 18 arrays of 15,000 numbers, as the first activation joins */
    for (int acts = 17; acts <= 18; acts++) {
        struct asy_buf layers;

        asy_buf_init(&layers, 4096);
        asy_buf_adds(&layers, "\"layers\":[{\"dense\":15000}");
        for (int i = 0; i < acts; i++)
            asy_buf_addf(&layers, ",{\"act\":\"%s\"}", i % 2 ? "relu" : "tanh");
        asy_buf_addc(&layers, ']');
        if (make("layers", "kind", WHOLE, layers.data)) {
            int rc = asy_export(made.model, ASY_EXPORT_C, "1", &bytes, &err);

            T_EQ("stack", rc, acts == 18 ? ASY_E_TOOBIG : 0);
        }
        kit_rmdir(made.dir);
        asy_buf_fini(&layers);
    }
    T_HAS("stack", err.text, "on the stack, at most 1024 KiB: this model needs 10");
    asy_buf_fini(&bytes);
}

static int each_format(struct asy_error *err)
{
    int rc = 0;

    for (int f = ASY_EXPORT_ONNX; f <= ASY_EXPORT_C && rc == 0; f++) {
        struct asy_buf bytes;

        asy_buf_init(&bytes, 1u << 24);
        rc = asy_export(made.model, (enum asy_export_format)f, "1", &bytes, err);
        asy_buf_fini(&bytes);
    }
    return rc;
}

static void want_of_memory_is_said(void)
{
    static const char *const families[] = { "mlp", "gbdt" };

    for (size_t i = 0; i < ASY_ARRAY_LEN(families); i++) {
        if (make(families[i], "kind", GAPS, i ? "\"max_depth\":2" : "\"hidden\":4"))
            T_TRUE(t_nomem_each(families[i], each_format) > 50);
        kit_rmdir(made.dir);
    }
}

T_MAIN("export", T_TEST(what_goes_in_and_comes_out_is_said), T_TEST(where_it_comes_from_is_said),
       T_TEST(weights_are_those_of_the_model), T_TEST(trees_are_those_of_the_model),
       T_TEST(a_file_over_two_gigabytes_is_refused), T_TEST(headers_hold_what_names_cannot_break),
       T_TEST(what_cannot_be_exported_is_refused), T_TEST(want_of_memory_is_said))
