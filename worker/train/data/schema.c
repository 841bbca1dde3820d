/* SPDX-License-Identifier: Apache-2.0
 * schema.c - a schema as JSON, for model files. */
#include "tokens.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = { "skipped", "number", "category", "label", "text" };

void asy__schema_fini(struct asy__schema *schema)
{
    for (size_t i = 0; i < schema->n_columns && schema->columns; i++) {
        free(schema->columns[i].name);
        asy__dict_fini(&schema->columns[i].values);
    }
    free(schema->columns);
    asy__dict_fini(&schema->classes);
    asy__dict_fini(&schema->characters);
    free(schema->fill);
    free(schema->shift);
    free(schema->factor);
    *schema = (struct asy__schema){ 0 };
}

size_t asy__column_numbers(const struct asy__schema *schema, const struct asy__column *column)
{
    if (column->kind == ASY__NUMBER)
        return 1;
    return column->kind == ASY__TEXT ? schema->n_features : 0; /* it is the only one */
}

static void write_texts(struct asy_jsonw *w, const char *key, const struct asy__dict *dict)
{
    asy_jsonw_open(w, key, '[');
    for (size_t i = 0; i < dict->n; i++)
        asy_jsonw_str(w, NULL, dict->texts[i]);
    asy_jsonw_close(w, ']');
}

static void write_floats(struct asy_jsonw *w, const char *key, const float *x, size_t n)
{
    asy_jsonw_open(w, key, '[');
    for (size_t i = 0; i < n; i++)
        asy_jsonw_f64(w, NULL, (double)x[i]);
    asy_jsonw_close(w, ']');
}

void asy__schema_write(const struct asy__schema *schema, struct asy_jsonw *w, const char *key)
{
    asy_jsonw_open(w, key, '{');
    if (schema->vocabulary) {
        asy_jsonw_str(w, "task", "tokens");
        asy_jsonw_u64(w, "vocabulary", schema->vocabulary);
        write_texts(w, "characters", &schema->classes);
        asy_jsonw_close(w, '}');
        return;
    }
    asy_jsonw_str(w, "task", schema->classification ? "classification" : "regression");
    asy_jsonw_bool(w, "header", schema->has_header);
    asy_jsonw_str(w, "missing", schema->fills_missing ? "mean" : "error");
    asy_jsonw_open(w, "columns", '[');
    for (size_t i = 0; i < schema->n_columns; i++) {
        asy_jsonw_open(w, NULL, '{');
        asy_jsonw_str(w, "name", schema->columns[i].name);
        asy_jsonw_str(w, "kind", kinds[schema->columns[i].kind]);
        if (schema->columns[i].kind == ASY__CATEGORY)
            write_texts(w, "values", &schema->columns[i].values);
        asy_jsonw_close(w, '}');
    }
    asy_jsonw_close(w, ']');
    if (schema->ids) {
        asy_jsonw_open(w, "sequence", '{');
        asy_jsonw_u64(w, "ids", schema->ids);
        asy_jsonw_u64(w, "length", schema->n_features);
        write_texts(w, "characters", &schema->characters);
        asy_jsonw_close(w, '}');
    }
    if (schema->image[0]) {
        asy_jsonw_open(w, "image", '[');
        for (size_t d = 0; d < 3; d++)
            asy_jsonw_u64(w, NULL, schema->image[d]);
        asy_jsonw_close(w, ']');
    }
    if (schema->classification) {
        write_texts(w, "classes", &schema->classes);
    } else {
        asy_jsonw_f64(w, "target_shift", schema->target_shift);
        asy_jsonw_f64(w, "target_factor", schema->target_factor);
    }
    write_floats(w, "fill", schema->fill, schema->n_features);
    write_floats(w, "shift", schema->shift, schema->n_features);
    write_floats(w, "factor", schema->factor, schema->n_features);
    asy_jsonw_close(w, '}');
}

static int bad(struct asy_error *err, const char *what)
{
    return asy_fail(err, ASY_E_CORRUPT, "the schema's %s cannot be used", what);
}

/* Distinct texts in their stored order. */
static int read_texts(const struct asy_json *list, struct asy__dict *dict, struct asy_error *err)
{
    const struct asy_json *node;
    size_t id = 0;
    int rc;

    for (size_t i = 0; (node = asy_json_at(list, i)); i++) {
        const char *text = asy_json_str(node, NULL);

        if (!text)
            return bad(err, "list of texts");
        if ((rc = asy__dict_add(dict, text, strlen(text), &id, err)) < 0)
            return rc;
        if (id != i)
            return bad(err, "list of texts");
    }
    return 0;
}

static int read_floats(const struct asy_json *list, size_t n, float **ret, struct asy_error *err)
{
    if (asy_json_len(list) != n)
        return bad(err, "list of numbers");
    if (!(*ret = calloc(n + 1, sizeof **ret)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu numbers", n);
    for (size_t i = 0; i < n; i++) {
        (*ret)[i] = (float)asy_json_f64(asy_json_at(list, i), (double)NAN);
        if (!isfinite((*ret)[i]))
            return bad(err, "list of numbers");
    }
    return 0;
}

static int read_column(const struct asy_json *node, struct asy__column *column,
                       struct asy_error *err)
{
    const char *name = asy_json_str(asy_json_get(node, "name"), NULL);
    const char *kind = asy_json_str(asy_json_get(node, "kind"), "");
    size_t k = 0;

    asy__dict_init(&column->values, ASY__CATEGORIES_MAX);
    while (k < ASY_ARRAY_LEN(kinds) && strcmp(kinds[k], kind) != 0)
        k++;
    if (!name || k == ASY_ARRAY_LEN(kinds))
        return bad(err, "column");
    column->kind = (enum asy__column_kind)k;
    if (!(column->name = strdup(name)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a column");
    return read_texts(asy_json_get(node, "values"), &column->values, err);
}

/* length: of a text, which then is all that there is; 0: there can be none. */
static int read_columns(const struct asy_json *list, size_t length, struct asy__schema *schema,
                        struct asy_error *err)
{
    size_t labels = 0, texts = 0, n = asy_json_len(list);
    int rc;

    if (n < 2 || n > ASY_CSV_COLUMNS_MAX)
        return bad(err, "list of columns");
    if (!(schema->columns = calloc(n, sizeof *schema->columns)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu columns", n);
    schema->n_columns = n;
    for (size_t i = 0; i < n; i++) {
        struct asy__column *column = &schema->columns[i];

        if ((rc = read_column(asy_json_at(list, i), column, err)) < 0)
            return rc;
        column->feature = schema->n_features;
        if (column->kind == ASY__NUMBER)
            schema->n_features++;
        else if (column->kind == ASY__CATEGORY)
            schema->n_features += column->values.n;
        else if (column->kind == ASY__LABEL)
            labels++, schema->label = i;
        else if (column->kind == ASY__TEXT)
            texts++, schema->n_features += length;
    }
    if (texts && (texts > 1 || !length || schema->n_features != length))
        return bad(err, "text");
    return labels == 1 && schema->n_features ? 0 : bad(err, "list of columns");
}

/* What is no shape of an image counts as none. */
static void read_image(const struct asy_json *list, struct asy__schema *schema)
{
    int64_t dims[3];

    for (size_t d = 0; d < 3; d++) {
        dims[d] = asy_json_i64(asy_json_at(list, d), 0);
        if (dims[d] < 1 || dims[d] > ASY_CSV_COLUMNS_MAX)
            return;
    }
    for (size_t d = 0; d < 3; d++)
        schema->image[d] = (size_t)dims[d];
}

static int read_tokens(const struct asy_json *node, struct asy__schema *ret, struct asy_error *err)
{
    struct asy__schema schema = { .classification = 1 };
    int64_t n = asy_json_i64(asy_json_get(node, "vocabulary"), 0);
    int rc;

    asy__dict_init(&schema.classes, ASY__VOCABULARY_MAX);
    rc = read_texts(asy_json_get(node, "characters"), &schema.classes, err);
    if (rc == 0 && (n < 2 || n > ASY__VOCABULARY_MAX ||
                    (schema.classes.n && schema.classes.n != (size_t)n)))
        rc = bad(err, "vocabulary");
    if (rc < 0) {
        asy__schema_fini(&schema);
        return rc;
    }
    schema.vocabulary = (size_t)n;
    *ret = schema;
    return 0;
}

/* What rows are sequences of. ret_length: of a text; 0: none. */
static int read_sequence(const struct asy_json *node, struct asy__schema *schema,
                         size_t *ret_length, struct asy_error *err)
{
    int64_t ids = asy_json_i64(asy_json_get(node, "ids"), 0);
    int64_t length = asy_json_i64(asy_json_get(node, "length"), 0);
    int rc;

    asy__dict_init(&schema->characters, ASY__VOCABULARY_MAX);
    if (!node)
        return 0;
    if (ids < 2 || ids > ASY__VOCABULARY_MAX + 1 || length < 1 || length > ASY_CSV_COLUMNS_MAX)
        return bad(err, "sequence");
    if ((rc = read_texts(asy_json_get(node, "characters"), &schema->characters, err)) < 0)
        return rc;
    if (schema->characters.n && schema->characters.n + 1 != (size_t)ids)
        return bad(err, "sequence");
    schema->ids = (size_t)ids;
    *ret_length = schema->characters.n ? (size_t)length : 0;
    return 0;
}

/* Numbers of tokens are as they are, and what is missing is the last of them. */
static int check_sequence(const struct asy__schema *schema, struct asy_error *err)
{
    for (size_t i = 0; i < schema->n_columns && schema->ids; i++)
        if (schema->columns[i].kind == ASY__CATEGORY)
            return bad(err, "sequence");
    for (size_t f = 0; f < schema->n_features && schema->ids; f++)
        if (schema->fill[f] != (float)(schema->ids - 1) || schema->shift[f] != 0 ||
            schema->factor[f] != 1)
            return bad(err, "sequence");
    return 0;
}

int asy__schema_read(const struct asy_json *node, struct asy__schema *ret, struct asy_error *err)
{
    struct asy__schema schema = { 0 };
    const char *task = asy_json_str(asy_json_get(node, "task"), "");
    size_t length = 0;
    int rc;

    if (!strcmp(task, "tokens"))
        return read_tokens(node, ret, err);
    asy__dict_init(&schema.classes, ASY__CLASSES_MAX);
    schema.classification = !strcmp(task, "classification");
    schema.has_header = asy_json_bool(asy_json_get(node, "header"), 0);
    schema.fills_missing = !strcmp(asy_json_str(asy_json_get(node, "missing"), ""), "mean");
    schema.target_shift = asy_json_f64(asy_json_get(node, "target_shift"), 0);
    schema.target_factor = asy_json_f64(asy_json_get(node, "target_factor"), 1);
    read_image(asy_json_get(node, "image"), &schema);
    if (!schema.classification && strcmp(task, "regression") != 0)
        rc = bad(err, "task");
    else if (!isfinite(schema.target_shift) || !isfinite(schema.target_factor) ||
             schema.target_factor == 0)
        rc = bad(err, "target");
    else if ((rc = read_sequence(asy_json_get(node, "sequence"), &schema, &length, err)) == 0 &&
             (rc = read_columns(asy_json_get(node, "columns"), length, &schema, err)) == 0 &&
             (rc = read_texts(asy_json_get(node, "classes"), &schema.classes, err)) == 0 &&
             (rc = read_floats(asy_json_get(node, "fill"), schema.n_features, &schema.fill,
                               err)) == 0 &&
             (rc = read_floats(asy_json_get(node, "shift"), schema.n_features, &schema.shift,
                               err)) == 0 &&
             (rc = read_floats(asy_json_get(node, "factor"), schema.n_features, &schema.factor,
                               err)) == 0 &&
             (rc = check_sequence(&schema, err)) == 0 &&
             schema.classification && schema.classes.n < 2)
        rc = bad(err, "list of classes");
    if (rc < 0) {
        asy__schema_fini(&schema);
        return rc;
    }
    *ret = schema;
    return 0;
}

/* By way of its JSON: one description of a schema's content is enough. */
int asy__schema_copy(const struct asy__schema *schema, struct asy__schema *ret,
                     struct asy_error *err)
{
    struct asy_json *root = NULL;
    struct asy_jsonw w;
    struct asy_buf buf;
    int rc;

    asy_buf_init(&buf, SIZE_MAX / 2);
    asy_jsonw_init(&w, &buf, 0);
    asy__schema_write(schema, &w, NULL);
    if ((rc = asy_buf_check(&buf, "a schema", err)) == 0 &&
        (rc = asy_json_parse(buf.data, buf.len, &root, err)) == 0)
        rc = asy__schema_read(root, ret, err);
    asy_json_destroy(root);
    asy_buf_fini(&buf);
    return rc;
}
