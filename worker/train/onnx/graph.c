/* SPDX-License-Identifier: Apache-2.0
 * graph.c - the structs of onnx.proto, linked up in memory that goes as a whole.
 *
 * Each piece is an allocation of its own: a graph has some hundred small ones and a few large.
 * Lists double where their length is a power of two, so they need no capacity beside it. */
#include "graph.h"
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/export.h>
#include <onnx.pb-c.h>

#define IR_VERSION 8 /* the one of opset 17 */
#define OPSET 17
#define OPSET_ML 3
#define ML "ai.onnx.ml"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "raw data is little endian");

struct piece {
    struct piece *next;
    max_align_t bytes[];
};
struct asy__graph {
    struct piece *pieces;
    Onnx__GraphProto graph;
    Onnx__ModelProto model;
    Onnx__NodeProto *last; /* NULL: none yet, or no memory */
    size_t n_names;
    int uses_ml, failed;
};

const char *asy_export_protobuf_version(void)
{
    return protobuf_c_version();
}

int asy__graph_create(struct asy__graph **ret_graph, struct asy_error *err)
{
    struct asy__graph *graph = calloc(1, sizeof *graph);

    if (!graph)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a graph");
    onnx__graph_proto__init(&graph->graph);
    onnx__model_proto__init(&graph->model);
    *ret_graph = graph;
    return 0;
}

void asy__graph_destroy(struct asy__graph *graph)
{
    if (!graph)
        return;
    while (graph->pieces) {
        struct piece *piece = graph->pieces;

        graph->pieces = piece->next;
        free(piece);
    }
    free(graph);
}

void *asy__graph_room(struct asy__graph *graph, size_t n, size_t size)
{
    struct piece *piece = NULL;
    size_t bytes;

    if (!graph->failed && !__builtin_mul_overflow(n, size, &bytes) &&
        !__builtin_add_overflow(bytes, sizeof *piece, &bytes))
        piece = calloc(1, bytes);
    if (!piece) {
        graph->failed = 1;
        return NULL;
    }
    piece->next = graph->pieces;
    graph->pieces = piece;
    return piece->bytes;
}

static char *copy(struct asy__graph *graph, const char *text)
{
    size_t n = strlen(text) + 1;
    char *at = asy__graph_room(graph, n, 1);

    return at ? memcpy(at, text, n) : NULL;
}

/* Memory for a message that its init function makes one of. */
static void *message(struct asy__graph *graph, size_t size)
{
    return asy__graph_room(graph, 1, size);
}

/* list [*n], a field of pointers. */
static void push(struct asy__graph *graph, void *list, size_t *n, void *item)
{
    void **old, **now;

    if (!item || graph->failed)
        return;
    memcpy(&old, list, sizeof old);
    now = old;
    if ((*n & (*n - 1)) == 0) {
        if (!(now = asy__graph_room(graph, *n ? 2 * *n : 1, sizeof *now)))
            return;
        if (*n)
            memcpy(now, old, *n * sizeof *now);
        memcpy(list, &now, sizeof now);
    }
    now[(*n)++] = item;
}

/* ---- what goes in and comes out -------------------------------------------------------------- */

/* text, or else number: a size that is known. */
static void push_dim(struct asy__graph *graph, Onnx__TensorShapeProto *shape, const char *text,
                     size_t number)
{
    Onnx__TensorShapeProto__Dimension *dim = message(graph, sizeof *dim);

    if (!dim)
        return;
    onnx__tensor_shape_proto__dimension__init(dim);
    if (text) {
        dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
        dim->dim_param = copy(graph, text);
    } else {
        dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
        dim->dim_value = (int64_t)number;
    }
    push(graph, &shape->dim, &shape->n_dim, dim);
}

static Onnx__ValueInfoProto *value_info(struct asy__graph *graph, const char *name,
                                        enum asy__graph_type type, const size_t *dims, size_t n)
{
    Onnx__ValueInfoProto *info = message(graph, sizeof *info);
    Onnx__TypeProto *is = message(graph, sizeof *is);
    Onnx__TypeProto__Tensor *tensor = message(graph, sizeof *tensor);
    Onnx__TensorShapeProto *shape = message(graph, sizeof *shape);

    if (!info || !is || !tensor || !shape)
        return NULL;
    onnx__value_info_proto__init(info);
    onnx__type_proto__init(is);
    onnx__type_proto__tensor__init(tensor);
    onnx__tensor_shape_proto__init(shape);
    push_dim(graph, shape, "N", 0);
    for (size_t i = 0; i < n; i++)
        push_dim(graph, shape, dims[i] ? NULL : "T", dims[i]);
    tensor->has_elem_type = 1;
    tensor->elem_type = (int32_t)type;
    tensor->shape = shape;
    is->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    is->tensor_type = tensor;
    info->name = copy(graph, name);
    info->type = is;
    return info;
}

void asy__graph_input(struct asy__graph *graph, const char *name, enum asy__graph_type type,
                      const size_t *dims, size_t n)
{
    push(graph, &graph->graph.input, &graph->graph.n_input,
         value_info(graph, name, type, dims, n));
}

void asy__graph_output(struct asy__graph *graph, const char *name, enum asy__graph_type type,
                       const size_t *dims, size_t n)
{
    push(graph, &graph->graph.output, &graph->graph.n_output,
         value_info(graph, name, type, dims, n));
}

void asy__graph_meta(struct asy__graph *graph, const char *key, const char *value)
{
    Onnx__StringStringEntryProto *entry = message(graph, sizeof *entry);

    if (!entry)
        return;
    onnx__string_string_entry_proto__init(entry);
    entry->key = copy(graph, key);
    entry->value = copy(graph, value);
    push(graph, &graph->model.metadata_props, &graph->model.n_metadata_props, entry);
}

/* ---- constants ------------------------------------------------------------------------------- */

/* "/name", or of no name the next "/word_number". */
static char *internal_name(struct asy__graph *graph, const char *name, const char *word)
{
    struct asy_buf text;
    char *at = NULL;

    asy_buf_init(&text, 4096);
    if (name)
        asy_buf_addf(&text, "/%s", name);
    else
        asy_buf_addf(&text, "/%s_%zu", word, graph->n_names++);
    if (text.rc)
        graph->failed = 1;
    else
        at = copy(graph, text.data);
    asy_buf_fini(&text);
    return at;
}

static Onnx__TensorProto *constant(struct asy__graph *graph, const char *name, const char *word,
                                   enum asy__graph_type type, const size_t *dims, size_t n_dims)
{
    Onnx__TensorProto *tensor = message(graph, sizeof *tensor);

    if (!tensor)
        return NULL;
    onnx__tensor_proto__init(tensor);
    tensor->name = internal_name(graph, name, word);
    tensor->dims = asy__graph_room(graph, n_dims + 1, sizeof *tensor->dims);
    if (!tensor->name || !tensor->dims)
        return NULL;
    for (size_t i = 0; i < n_dims; i++)
        tensor->dims[i] = (int64_t)dims[i];
    tensor->n_dims = n_dims;
    tensor->has_data_type = 1;
    tensor->data_type = (int32_t)type;
    push(graph, &graph->graph.initializer, &graph->graph.n_initializer, tensor);
    return tensor;
}

static const char *name_of(const struct asy__graph *graph, const Onnx__TensorProto *tensor)
{
    return graph->failed ? "" : tensor->name;
}

/* The fields of messages are not const, but packing only reads them. */
static void set_raw(Onnx__TensorProto *tensor, const void *data, size_t bytes)
{
    tensor->has_raw_data = 1;
    tensor->raw_data = (ProtobufCBinaryData){ bytes, (uint8_t *)(uintptr_t)data };
}

const char *asy__graph_floats(struct asy__graph *graph, const char *name, const float *data,
                              const size_t *dims, size_t n_dims)
{
    Onnx__TensorProto *tensor = constant(graph, name, "floats", ASY__GRAPH_F32, dims, n_dims);
    size_t bytes = sizeof *data;

    for (size_t i = 0; i < n_dims; i++)
        bytes *= dims[i];
    if (tensor)
        set_raw(tensor, data, bytes);
    return name_of(graph, tensor);
}

static const char *ints(struct asy__graph *graph, const char *name, const int64_t *data, size_t n,
                        size_t n_dims)
{
    Onnx__TensorProto *tensor = constant(graph, name, "ints", ASY__GRAPH_I64, &n, n_dims);
    int64_t *kept = asy__graph_room(graph, n + 1, sizeof *kept);

    if (tensor && kept) {
        memcpy(kept, data, n * sizeof *kept);
        set_raw(tensor, kept, n * sizeof *kept);
    }
    return name_of(graph, tensor);
}

const char *asy__graph_ints(struct asy__graph *graph, const char *name, const int64_t *data,
                            size_t n)
{
    return ints(graph, name, data, n, 1);
}

const char *asy__graph_int(struct asy__graph *graph, int64_t value)
{
    return ints(graph, NULL, &value, 1, 0);
}

/* Texts as fields of bytes. */
static ProtobufCBinaryData *list_texts(struct asy__graph *graph, const char *const *texts,
                                       size_t n)
{
    ProtobufCBinaryData *list = asy__graph_room(graph, n + 1, sizeof *list);

    for (size_t i = 0; list && i < n; i++)
        list[i] = (ProtobufCBinaryData){ strlen(texts[i]), (uint8_t *)(uintptr_t)texts[i] };
    return list;
}

const char *asy__graph_texts(struct asy__graph *graph, const char *name,
                             const char *const *texts, size_t n)
{
    Onnx__TensorProto *tensor = constant(graph, name, "texts", ASY__GRAPH_TEXT, &n, 1);
    ProtobufCBinaryData *list = list_texts(graph, texts, n);

    if (tensor && list) {
        tensor->string_data = list;
        tensor->n_string_data = n;
    }
    return name_of(graph, tensor);
}

const char *asy__graph_float(struct asy__graph *graph, float value)
{
    float *kept = asy__graph_room(graph, 1, sizeof *kept);

    if (kept)
        *kept = value;
    return asy__graph_floats(graph, NULL, kept, NULL, 0);
}

/* ---- nodes ----------------------------------------------------------------------------------- */

const char *asy__graph_node(struct asy__graph *graph, const char *op, const char *name,
                            const char *const *inputs)
{
    Onnx__NodeProto *node = message(graph, sizeof *node);
    char *output = name ? copy(graph, name) : internal_name(graph, NULL, op);

    graph->last = NULL;
    if (!node || !output)
        return "";
    onnx__node_proto__init(node);
    node->op_type = copy(graph, op);
    node->name = output;
    push(graph, &node->output, &node->n_output, output);
    for (; *inputs; inputs++)
        push(graph, &node->input, &node->n_input, copy(graph, *inputs));
    push(graph, &graph->graph.node, &graph->graph.n_node, node);
    if (graph->failed)
        return "";
    graph->last = node;
    return output;
}

void asy__graph_ml(struct asy__graph *graph)
{
    if (!graph->last)
        return;
    graph->last->domain = copy(graph, ML);
    graph->uses_ml = 1;
}

static Onnx__AttributeProto *attribute(struct asy__graph *graph, const char *name,
                                       Onnx__AttributeProto__AttributeType type)
{
    Onnx__AttributeProto *attr = graph->last ? message(graph, sizeof *attr) : NULL;

    if (!attr)
        return NULL;
    onnx__attribute_proto__init(attr);
    attr->name = copy(graph, name);
    attr->has_type = 1;
    attr->type = type;
    push(graph, &graph->last->attribute, &graph->last->n_attribute, attr);
    return graph->failed ? NULL : attr;
}

void asy__graph_attr_int(struct asy__graph *graph, const char *name, int64_t value)
{
    Onnx__AttributeProto *attr =
        attribute(graph, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT);

    if (!attr)
        return;
    attr->has_i = 1;
    attr->i = value;
}

void asy__graph_attr_float(struct asy__graph *graph, const char *name, float value)
{
    Onnx__AttributeProto *attr =
        attribute(graph, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT);

    if (!attr)
        return;
    attr->has_f = 1;
    attr->f = value;
}

void asy__graph_attr_text(struct asy__graph *graph, const char *name, const char *text)
{
    Onnx__AttributeProto *attr =
        attribute(graph, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING);
    char *kept = copy(graph, text);

    if (!attr || !kept)
        return;
    attr->has_s = 1;
    attr->s = (ProtobufCBinaryData){ strlen(kept), (uint8_t *)kept };
}

int64_t *asy__graph_attr_ints(struct asy__graph *graph, const char *name, size_t n)
{
    Onnx__AttributeProto *attr =
        attribute(graph, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS);
    int64_t *list = attr ? asy__graph_room(graph, n + 1, sizeof *list) : NULL;

    if (list) {
        attr->ints = list;
        attr->n_ints = n;
    }
    return list;
}

float *asy__graph_attr_floats(struct asy__graph *graph, const char *name, size_t n)
{
    Onnx__AttributeProto *attr =
        attribute(graph, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS);
    float *list = attr ? asy__graph_room(graph, n + 1, sizeof *list) : NULL;

    if (list) {
        attr->floats = list;
        attr->n_floats = n;
    }
    return list;
}

void asy__graph_attr_texts(struct asy__graph *graph, const char *name, const char *const *texts,
                           size_t n)
{
    Onnx__AttributeProto *attr =
        attribute(graph, name, ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS);
    ProtobufCBinaryData *list = attr ? list_texts(graph, texts, n) : NULL;

    if (!list)
        return;
    attr->strings = list;
    attr->n_strings = n;
}

/* ---- the file -------------------------------------------------------------------------------- */

static void import_opset(struct asy__graph *graph, const char *domain, int64_t version)
{
    Onnx__OperatorSetIdProto *set = message(graph, sizeof *set);

    if (!set)
        return;
    onnx__operator_set_id_proto__init(set);
    set->domain = copy(graph, domain);
    set->has_version = 1;
    set->version = version;
    push(graph, &graph->model.opset_import, &graph->model.n_opset_import, set);
}

int asy__graph_pack(struct asy__graph *graph, const char *name, const char *about,
                    const char *version, struct asy_buf *ret, struct asy_error *err)
{
    Onnx__ModelProto *model = &graph->model;
    uint8_t *room;
    size_t bytes;

    model->has_ir_version = 1;
    model->ir_version = IR_VERSION;
    import_opset(graph, "", OPSET);
    if (graph->uses_ml)
        import_opset(graph, ML, OPSET_ML);
    model->producer_name = copy(graph, "assay");
    model->producer_version = copy(graph, version);
    model->doc_string = copy(graph, about);
    model->graph = &graph->graph;
    graph->graph.name = copy(graph, name);
    if (graph->failed)
        return asy_fail(err, ASY_E_NOMEM, "no memory for an ONNX file");
    bytes = onnx__model_proto__get_packed_size(model);
    if (bytes > ASY__GRAPH_BYTES_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "an ONNX file of this model would have %zu bytes, and "
                        "can have %zu", bytes, ASY__GRAPH_BYTES_MAX);
    if ((room = asy_buf_room(ret, bytes)))
        asy_buf_grew(ret, onnx__model_proto__pack(model, room));
    return asy_buf_check(ret, "an ONNX file", err);
}
