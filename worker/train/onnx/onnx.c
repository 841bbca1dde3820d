/* SPDX-License-Identifier: Apache-2.0
 * onnx.c - a model as an ONNX graph: a table's columns go in, classes or values come out.
 *
 * All columns that are numbers come as one input, x; each column of texts has its own, since a
 * tensor holds one type. What data/load_*.c do to the cells is done by nodes, in the same order
 * of operations, so that trees see the same bits. Where training knew no missing values, a row that
 * has one gets NaN for an answer: relu and the like would swallow it on the way.
 *
 * Rejected: an input per column also for numbers, as converters from data frames make it: 784 of
 * them for a picture. TreeEnsembleClassifier: what it does with two classes differs between
 * runtimes, so classes are made from margins by nodes of our own. */
#include "export_impl.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <asy/parse.h>

struct build {
    const struct asy__export *export;
    const struct asy__schema *schema;
    struct asy__graph *graph;
    size_t n_x;          /* columns of the input x */
    const char **pieces; /* [n_columns + 2] of the features, ends with NULL */
    size_t n_pieces;
    int64_t *place;      /* [n_features] where the pieces together have each feature */
    size_t n_placed;
};

static const char *concat(struct build *b, const char *const *pieces)
{
    const char *name = asy__graph_node(b->graph, "Concat", NULL, pieces);

    asy__graph_attr_int(b->graph, "axis", 1);
    return name;
}

/* Columns [n] of a matrix. */
static const char *columns_of(struct build *b, const char *matrix, const int64_t *columns,
                              size_t n)
{
    const char *name = ASY__NODE(b->graph, "Gather", matrix,
                                 asy__graph_ints(b->graph, NULL, columns, n));

    asy__graph_attr_int(b->graph, "axis", 1);
    return name;
}

/* ---- numbers --------------------------------------------------------------------------------- */

static int all_are(const float *x, size_t n, float value)
{
    while (n && x[n - 1] == value)
        n--;
    return n == 0;
}

/* from: of the schema, a number for each feature; those of the number columns [n]. */
static float *of_numbers(struct build *b, const float *from, size_t n)
{
    const struct asy__schema *schema = b->schema;
    float *list = asy__graph_room(b->graph, n, sizeof *list);

    for (size_t i = 0, k = 0; list && i < schema->n_columns; i++)
        for (size_t f = 0; f < asy__column_numbers(schema, &schema->columns[i]); f++)
            list[k++] = from[schema->columns[i].feature + f];
    return list;
}

/* feature = ((missing ? fill : value) - shift) * factor */
static const char *scaled(struct build *b, const char *numbers, size_t n)
{
    struct asy__graph *g = b->graph;
    float *fill = of_numbers(b, b->schema->fill, n), *shift = of_numbers(b, b->schema->shift, n);
    float *factor = of_numbers(b, b->schema->factor, n);

    if (!fill || !shift || !factor)
        return "";
    if (b->schema->fills_missing)
        numbers = ASY__NODE(g, "Where", ASY__NODE(g, "IsNaN", numbers),
                            asy__graph_floats(g, "fill", fill, &n, 1), numbers);
    if (!all_are(shift, n, 0))
        numbers = ASY__NODE(g, "Sub", numbers, asy__graph_floats(g, "shift", shift, &n, 1));
    if (!all_are(factor, n, 1))
        numbers = ASY__NODE(g, "Mul", numbers, asy__graph_floats(g, "factor", factor, &n, 1));
    return numbers;
}

/* Numbers of x that a column is: of a text those of its characters. */
static size_t numbers_of(const struct build *b, const struct asy__column *column)
{
    return asy__given(column) == ASY__GIVEN_CODE ? 1 : asy__column_numbers(b->schema, column);
}

/* The columns that are numbers, and where they stand in x. */
static void add_numbers(struct build *b)
{
    int64_t *at = asy__graph_room(b->graph, b->n_x, sizeof *at);
    size_t n = 0, x = 0;

    for (size_t i = 0; at && i < b->schema->n_columns; i++) {
        const struct asy__column *column = &b->schema->columns[i];
        size_t numbers = numbers_of(b, column);

        for (size_t f = 0; f < numbers && asy__given(column) == ASY__GIVEN_NUMBER; f++) {
            at[n++] = (int64_t)(x + f);
            b->place[column->feature + f] = (int64_t)b->n_placed++;
        }
        x += numbers;
    }
    if (n)
        b->pieces[b->n_pieces++] = scaled(b, n == b->n_x ? "x" : columns_of(b, "x", at, n), n);
}

/* ---- categories ------------------------------------------------------------------------------ */

/* 1 where the column's number is that of the value. */
static const char *one_hot_code(struct build *b, const struct asy__column *column, int64_t x)
{
    struct asy__graph *g = b->graph;
    size_t n = column->values.n;
    float *codes = asy__graph_room(g, n, sizeof *codes);
    const char *name;

    for (size_t i = 0; codes && i < n; i++)
        codes[i] = asy__code(column, i);
    name = ASY__NODE(g, "Cast", ASY__NODE(g, "Equal", columns_of(b, "x", &x, 1),
                                          asy__graph_floats(g, NULL, codes, &n, 1)));
    asy__graph_attr_int(g, "to", ASY__GRAPH_F32);
    return name;
}

static const char *one_hot_text(struct build *b, const struct asy__column *column,
                                const char *input)
{
    struct asy__graph *g = b->graph;
    const char *name = ASY__NODE(g, "OneHotEncoder", input);
    static const int64_t axis = 1;

    asy__graph_ml(g);
    asy__graph_attr_texts(g, "cats_strings", (const char *const *)column->values.texts,
                          column->values.n);
    asy__graph_attr_int(g, "zeros", 1); /* of a text that is unknown */
    return ASY__NODE(g, "Squeeze", name, asy__graph_ints(g, NULL, &axis, 1));
}

/* ---- names ----------------------------------------------------------------------------------- */

#define NAME_MAX_BYTES (1u << 20)

static const size_t one = 1;

static int is_taken(const char *name)
{
    static const char *const ours[] = { "x", "label", "probabilities", "value" };

    for (size_t i = 0; i < ASY_ARRAY_LEN(ours); i++)
        if (!strcmp(ours[i], name))
            return 1;
    return name[0] == '/'; /* as those inside do */
}

static int is_column(const struct asy__schema *schema, const char *name)
{
    for (size_t i = 0; i < schema->n_columns; i++)
        if (!strcmp(schema->columns[i].name, name))
            return 1;
    return 0;
}

/* An input has its column's name, with "_" before it as often as it takes to have it alone. */
static void name_input(const struct asy__schema *schema, const char *column, struct asy_buf *name)
{
    for (size_t n = 0;; n++) {
        asy_buf_clear(name);
        for (size_t i = 0; i < n; i++)
            asy_buf_addc(name, '_');
        asy_buf_adds(name, column);
        if (name->rc || (!is_taken(name->data) && !(n && is_column(schema, name->data))))
            return;
    }
}

static int add_categories(struct build *b, struct asy_error *err)
{
    struct asy_buf name;
    int64_t x = 0;
    int rc;

    asy_buf_init(&name, NAME_MAX_BYTES);
    for (size_t i = 0; i < b->schema->n_columns && !name.rc; i++) {
        const struct asy__column *column = &b->schema->columns[i];
        enum asy__given given = asy__given(column);

        if (given == ASY__GIVEN_TEXT) {
            name_input(b->schema, column->name, &name);
            asy__graph_input(b->graph, name.data, ASY__GRAPH_TEXT, &one, 1);
            b->pieces[b->n_pieces++] = one_hot_text(b, column, name.data);
        } else if (given == ASY__GIVEN_CODE) {
            b->pieces[b->n_pieces++] = one_hot_code(b, column, x);
        }
        x += (int64_t)numbers_of(b, column);
        for (size_t v = 0; given >= ASY__GIVEN_CODE && v < column->values.n; v++)
            b->place[column->feature + v] = (int64_t)b->n_placed++;
    }
    rc = asy_buf_check(&name, "the name of an input", err);
    asy_buf_fini(&name);
    return rc;
}

/* ---- features, answers ----------------------------------------------------------------------- */

/* [N][n_features], in the schema's order. */
static int add_features(struct build *b, const char **ret_name, struct asy_error *err)
{
    const struct asy__schema *schema = b->schema;
    int in_order = 1, rc;

    b->pieces = asy__graph_room(b->graph, schema->n_columns + 2, sizeof *b->pieces);
    b->place = asy__graph_room(b->graph, schema->n_features, sizeof *b->place);
    if (!b->pieces || !b->place)
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu features", schema->n_features);
    for (size_t i = 0; i < schema->n_columns; i++)
        b->n_x += numbers_of(b, &schema->columns[i]);
    if (b->n_x) {
        asy__graph_input(b->graph, "x", ASY__GRAPH_F32, &b->n_x, 1);
        add_numbers(b);
    }
    if ((rc = add_categories(b, err)) < 0)
        return rc;
    for (size_t f = 0; f < schema->n_features; f++)
        in_order &= b->place[f] == (int64_t)f;
    *ret_name = b->n_pieces == 1 ? b->pieces[0] : concat(b, b->pieces);
    if (!in_order)
        *ret_name = columns_of(b, *ret_name, b->place, schema->n_features);
    return 0;
}

/* outs, NaN in rows in which x has something that is no finite number. */
static const char *guarded(struct build *b, const char *outs)
{
    struct asy__graph *g = b->graph;
    static const int64_t axis = 1;
    const char *guard;

    if (b->schema->fills_missing || !b->n_x)
        return outs;
    guard = ASY__NODE(g, "ReduceSum", ASY__NODE(g, "Mul", "x", asy__graph_float(g, 0)),
                      asy__graph_ints(g, NULL, &axis, 1));
    return ASY__NODE(g, "Add", outs, guard);
}

static int whole_number(const char *text, int64_t *ret)
{
    char again[32];

    if (asy_parse_i64(text, strlen(text), ret, NULL) < 0)
        return 0;
    snprintf(again, sizeof again, "%lld", (long long)*ret);
    return !strcmp(again, text);
}

/* The classes as a constant: whole numbers, if all are. */
static const char *class_list(struct build *b, enum asy__graph_type *ret_type)
{
    const struct asy__dict *classes = &b->schema->classes;
    int64_t *numbers = asy__graph_room(b->graph, classes->n, sizeof *numbers);
    size_t n = 0;

    while (numbers && n < classes->n && whole_number(classes->texts[n], &numbers[n]))
        n++;
    *ret_type = n == classes->n ? ASY__GRAPH_I64 : ASY__GRAPH_TEXT;
    return n == classes->n ? asy__graph_ints(b->graph, "classes", numbers, n)
                           : asy__graph_texts(b->graph, "classes",
                                              (const char *const *)classes->texts, classes->n);
}

/* The softmax; of one logit its sigmoid, and that of what it is for the other class. */
static const char *chances_of(struct build *b, const char *outs)
{
    const struct asy__net *net = b->export->model->net;
    struct asy__graph *g = b->graph;
    const char *chances;

    if (net && net->is_binary) {
        const char *yes = ASY__NODE(g, "Sigmoid", outs);
        const char *no = ASY__NODE(g, "Sigmoid", ASY__NODE(g, "Neg", outs));

        chances = asy__graph_node(g, "Concat", "probabilities",
                                  (const char *const[]){ no, yes, NULL });
    } else {
        chances = asy__graph_node(g, "Softmax", "probabilities",
                                  (const char *const[]){ outs, NULL });
    }
    asy__graph_attr_int(g, "axis", 1);
    return chances;
}

static void answer_class(struct build *b, const char *outs)
{
    struct asy__graph *g = b->graph;
    enum asy__graph_type type;
    const char *classes = class_list(b, &type), *chances, *best;

    chances = chances_of(b, outs);
    best = ASY__NODE(g, "ArgMax", chances);
    asy__graph_attr_int(g, "axis", 1);
    asy__graph_attr_int(g, "keepdims", 0);
    asy__graph_node(g, "Gather", "label", (const char *const[]){ classes, best, NULL });
    asy__graph_attr_int(g, "axis", 0);
    asy__graph_output(g, "label", type, NULL, 0);
    asy__graph_output(g, "probabilities", ASY__GRAPH_F32, &b->schema->classes.n, 1);
}

/* In the label's units. */
static int answer_value(struct build *b, const char *outs, struct asy_error *err)
{
    float shift = (float)b->schema->target_shift, factor = (float)b->schema->target_factor;
    struct asy__graph *g = b->graph;
    const char *value;

    if (!isfinite(shift) || !isnormal(factor))
        return asy_fail(err, ASY_E_UNSUPPORTED, "its values, around %g, are out of a float's range",
                        b->schema->target_shift);
    value = ASY__NODE(g, "Div", outs, asy__graph_float(g, factor));
    asy__graph_node(g, "Add", "value",
                    (const char *const[]){ value, asy__graph_float(g, shift), NULL });
    asy__graph_output(g, "value", ASY__GRAPH_F32, &one, 1);
    return 0;
}

/* ---- the description ------------------------------------------------------------------------- */

/* Member key of the model's description, under its own name; one that is not there is left out. */
static void copy_member(struct build *b, const char *key, struct asy_buf *text)
{
    const struct asy_json *node = asy_json_get(b->export->about, key);
    struct asy_jsonw w;

    asy_buf_clear(text);
    asy_jsonw_init(&w, text, 0);
    if (!node)
        return;
    if (asy_json_str(node, NULL))
        asy_buf_adds(text, asy_json_str(node, ""));
    else
        asy_jsonw_node(&w, NULL, node);
    asy__graph_meta(b->graph, key, text->data);
}

static void list_columns(struct build *b, struct asy_buf *text)
{
    struct asy_jsonw w;

    asy_buf_clear(text);
    asy_jsonw_init(&w, text, 0);
    asy_jsonw_open(&w, NULL, '[');
    for (size_t i = 0; i < b->schema->n_columns; i++) {
        enum asy__given given = asy__given(&b->schema->columns[i]);

        if (given == ASY__GIVEN_NUMBER || given == ASY__GIVEN_CODE)
            asy_jsonw_str(&w, NULL, b->schema->columns[i].name);
    }
    asy_jsonw_close(&w, ']');
    asy__graph_meta(b->graph, "columns", text->data);
}

static void list_texts(struct build *b, const char *key, const struct asy__dict *dict,
                       struct asy_buf *text)
{
    struct asy_jsonw w;

    asy_buf_clear(text);
    asy_jsonw_init(&w, text, 0);
    asy_jsonw_open(&w, NULL, '[');
    for (size_t i = 0; i < dict->n; i++)
        asy_jsonw_str(&w, NULL, dict->texts[i]);
    asy_jsonw_close(&w, ']');
    asy__graph_meta(b->graph, key, text->data);
}

/* The most tokens of a row. */
static void name_context(struct build *b, struct asy_buf *text)
{
    asy_buf_clear(text);
    asy_buf_addf(text, "%zu", asy__shape_size(b->export->model->net->features));
    asy__graph_meta(b->graph, "context", text->data);
}

static int describe(struct build *b, struct asy_error *err)
{
    static const char *const keys[] = { "family", "study", "trial", "seed", "epoch", "metric",
                                        "objective", "parameters" };
    struct asy_buf text;
    int rc = 0;

    asy_buf_init(&text, ASY__GRAPH_BYTES_MAX);
    for (size_t i = 0; i < ASY_ARRAY_LEN(keys) && rc == 0; i++) {
        copy_member(b, keys[i], &text);
        rc = asy_buf_check(&text, "the model's description", err);
    }
    if (rc == 0 && b->schema->n_columns) {
        list_columns(b, &text);
        rc = asy_buf_check(&text, "the list of columns", err);
    }
    if (rc == 0 && b->schema->classes.n) {
        list_texts(b, b->schema->vocabulary ? "characters" : "classes", &b->schema->classes, &text);
        rc = asy_buf_check(&text, "the list of classes", err);
    }
    if (rc == 0 && b->schema->characters.n) {
        list_texts(b, "characters", &b->schema->characters, &text);
        rc = asy_buf_check(&text, "the list of characters", err);
    }
    if (rc == 0 && b->schema->vocabulary) {
        name_context(b, &text);
        rc = asy_buf_check(&text, "the number of tokens", err);
    }
    if (b->export->report)
        asy__graph_meta(b->graph, "report", b->export->report);
    asy__graph_meta(b->graph, "assay", b->export->version);
    asy_buf_fini(&text);
    return rc;
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* A model of tokens: the numbers of up to as many as it saw at once go in; of each comes what it
 * makes of every token as the next one. */
static int build_tokens(struct build *b, struct asy_error *err)
{
    const struct asy__net *net = b->export->model->net;
    size_t in[] = { 0 }, out[] = { 0, net->outputs.channels };
    struct asy__graph *g = b->graph;
    const char *outs;
    int rc;

    asy__graph_input(g, ASY__ONNX_TOKENS, ASY__GRAPH_I64, in, 1);
    if ((rc = asy__onnx_net(g, b->export->model, ASY__ONNX_TOKENS, &outs, err)) < 0)
        return rc;
    asy__graph_node(g, "Identity", "logits", (const char *const[]){ outs, NULL });
    asy__graph_output(g, "logits", ASY__GRAPH_F32, out, 2);
    return 0;
}

static int build(struct build *b, struct asy_error *err)
{
    const struct asy__model *model = b->export->model;
    const char *outs = NULL;
    int rc;

    if ((rc = describe(b, err)) < 0)
        return rc;
    if (model->schema.vocabulary)
        return build_tokens(b, err);
    if ((rc = add_features(b, &outs, err)) < 0)
        return rc;
    if (model->trees)
        outs = asy__onnx_trees(b->graph, model, outs);
    else if ((rc = asy__onnx_net(b->graph, model, outs, &outs, err)) < 0)
        return rc;
    outs = guarded(b, outs);
    if (!b->schema->classification)
        return answer_value(b, outs, err);
    answer_class(b, outs);
    return 0;
}

int asy__export_onnx(const struct asy__export *export, struct asy_buf *ret, struct asy_error *err)
{
    struct build b = { .export = export, .schema = &export->model->schema };
    struct asy_buf title;
    int rc;

    if ((rc = asy__graph_create(&b.graph, err)) < 0)
        return rc;
    asy_buf_init(&title, NAME_MAX_BYTES);
    asy__export_title(export, &title);
    if ((rc = build(&b, err)) == 0 && (rc = asy_buf_check(&title, "a title", err)) == 0)
        rc = asy__graph_pack(b.graph, export->study, title.data, export->version, ret, err);
    asy_buf_fini(&title);
    asy__graph_destroy(b.graph);
    return rc;
}
