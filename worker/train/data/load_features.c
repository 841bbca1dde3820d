/* SPDX-License-Identifier: Apache-2.0
 * load_features.c - when all cells are seen: whether labels are classes, categories and characters
 * sorted, and a matrix of what they become. */
#include "load.h"
#include "tokens.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* auto: texts and few distinct integers are classes. */
static int choose_task(struct asy__load *load, struct asy_error *err)
{
    struct asy__schema *schema = load->schema;
    enum asy__task task = load->spec->task;
    size_t *now = NULL;
    int rc;

    if (task == ASY__TASK_AUTO)
        task = !load->label_is_number ||
                       (load->integers && !load->overflow &&
                        schema->classes.n <= ASY__INT_CLASSES_MAX)
                   ? ASY__TASK_CLASSIFICATION
                   : ASY__TASK_REGRESSION;
    schema->classification = task == ASY__TASK_CLASSIFICATION;
    if (!schema->classification) {
        asy__dict_fini(&schema->classes);
        return 0;
    }
    if (load->overflow)
        return asy_fail(err, ASY_E_INVAL, "label: more than %d distinct values are no classes",
                        ASY__CLASSES_MAX);
    if (load->n_rows < 2)
        return asy_fail(err, ASY_E_INVAL, "there is a single row, nothing to learn from");
    if (schema->classes.n < 2)
        return asy_fail(err, ASY_E_INVAL, "label: all %zu rows have the same one, there is "
                        "nothing to learn", load->n_rows);
    if ((rc = asy__dict_sort(&schema->classes, &now, err)) < 0)
        return rc;
    for (size_t i = 0; i < load->n_rows; i++)
        load->ids[i] = (int32_t)now[load->ids[i]];
    free(now);
    return 0;
}

/* Numbers the characters that occur, in the order of their code points, and puts the numbers in the
 * cells; of a model, what it does not know is as if it were not there. */
static int number_text(struct asy__load *load, struct asy_error *err)
{
    struct asy__schema *schema = load->schema;
    float *ids = calloc(ASY__POINTS, sizeof *ids);
    int rc = ids ? 0 : asy_fail(err, ASY_E_NOMEM, "no memory for a vocabulary");

    for (uint32_t point = 0; point < ASY__POINTS && rc == 0; point++) {
        size_t id = ASY__DICT_NONE, len;
        char text[4];

        if (!load->seen[point])
            continue;
        len = asy__utf8_encode(point, text);
        if (load->model)
            id = asy__dict_find(&schema->characters, text, len);
        else if ((rc = asy__dict_add(&schema->characters, text, len, &id, err)) == ASY_E_FULL)
            rc = asy_fail(err, ASY_E_TOOBIG, "more than %d distinct characters are too many",
                          ASY__VOCABULARY_MAX);
        ids[point] = id == ASY__DICT_NONE ? NAN : (float)id;
    }
    for (size_t i = 0; i < load->n_rows * load->n_cells && rc == 0; i++)
        load->cells[i] = isnan(load->cells[i]) ? NAN : ids[(uint32_t)load->cells[i]];
    free(ids);
    return rc;
}

/* How many numbers the tokens of a sequence have, and one for what is missing. */
static int count_ids(struct asy__load *load, struct asy_error *err)
{
    struct asy__schema *schema = load->schema;
    size_t n = load->seen ? schema->characters.n : (size_t)load->most + 1;

    if (load->seen && !n)
        return asy_fail(err, ASY_E_FORMAT, "all of its texts are empty");
    for (size_t f = 0; f < schema->n_features; f++)
        schema->fill[f] = (float)n;
    schema->ids = n + 1;
    schema->fills_missing = 1;
    return 0;
}

/* Sorts the categories of each column, renumbers its cells and places the features. */
static int place_features(struct asy__load *load, struct asy_error *err)
{
    struct asy__schema *schema = load->schema;
    int rc;

    for (size_t i = 0; i < schema->n_columns; i++) {
        struct asy__column *column = &schema->columns[i];
        size_t *now = NULL;

        column->feature = schema->n_features;
        if (column->kind == ASY__NUMBER)
            schema->n_features++;
        if (column->kind == ASY__TEXT)
            schema->n_features = load->spec->length;
        if (column->kind != ASY__CATEGORY)
            continue;
        if ((rc = asy__dict_sort(&column->values, &now, err)) < 0)
            return rc;
        for (size_t r = 0; r < load->n_rows; r++) {
            float *cell = &load->cells[r * load->n_cells + load->cell_of[i]];

            if (!isnan(*cell))
                *cell = (float)now[(size_t)*cell];
        }
        free(now);
        schema->n_features += column->values.n;
    }
    schema->fill = calloc(schema->n_features + 1, sizeof *schema->fill);
    schema->shift = calloc(schema->n_features + 1, sizeof *schema->shift);
    schema->factor = calloc(schema->n_features + 1, sizeof *schema->factor);
    if (!schema->fill || !schema->shift || !schema->factor)
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu features", schema->n_features);
    for (size_t f = 0; f < schema->n_features; f++)
        schema->factor[f] = 1;
    return 0;
}

int asy__load_features(struct asy__load *load, struct asy_error *err)
{
    int rc;

    if (!load->model && ((rc = choose_task(load, err)) < 0 ||
                         (rc = place_features(load, err)) < 0))
        return rc;
    if (load->seen && (rc = number_text(load, err)) < 0)
        return rc;
    return !load->model && load->spec->sequence ? count_ids(load, err) : 0;
}

/* Writes the features of one row of cells. A missing or unknown category is none of them. */
static void expand(const struct asy__load *load, const float *cells, float *x)
{
    for (size_t i = 0; i < load->schema->n_columns; i++) {
        const struct asy__column *column = &load->schema->columns[i];

        if (column->kind == ASY__NUMBER) {
            x[column->feature] = cells[load->cell_of[i]];
        } else if (column->kind == ASY__TEXT) {
            memcpy(x, cells, load->n_cells * sizeof *x);
        } else if (column->kind == ASY__CATEGORY) {
            float id = cells[load->cell_of[i]];

            for (size_t v = 0; v < column->values.n; v++)
                x[column->feature + v] = id == (float)v;
        }
    }
}

/* x [total], in memory or in a file, which is x.npy if it has a name. */
static int make_matrix(const struct asy__load *load, size_t total, struct asy__data *data,
                       struct asy_error *err)
{
    size_t width = load->schema->n_features;
    int rc = asy__load_aside(load, data->n_rows, width, "x.npy",
                             ASY__NPY_HEAD + total * sizeof *data->x, &data->x_pages, err);

    if (rc < 0)
        return rc;
    if (data->x_pages.at) {
        asy__npy_head(data->x_pages.at, "<f4", data->n_rows, width);
        data->x = (float *)(void *)((char *)data->x_pages.at + ASY__NPY_HEAD);
        return 0;
    }
    if (posix_memalign((void **)&data->x, 64, (total + 16) * sizeof *data->x)) {
        data->x = NULL;
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu rows of %zu features", data->n_rows,
                        width);
    }
    return 0;
}

int asy__load_matrix(struct asy__load *load, const size_t *order, struct asy__data *data,
                     struct asy_error *err)
{
    size_t width = load->schema->n_features;
    uint64_t total;
    int rc;

    if (__builtin_mul_overflow((uint64_t)data->n_rows, (uint64_t)width, &total) ||
        total > ASY__CELLS_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "%zu rows of %zu features are too many", data->n_rows,
                        width);
    if ((rc = make_matrix(load, (size_t)total, data, err)) < 0)
        return rc;
    data->label = calloc(data->n_rows + 1, sizeof *data->label);
    data->target = calloc(data->n_rows + 1, sizeof *data->target);
    if (!data->label || !data->target)
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu labels", data->n_rows);
    for (size_t i = 0; i < data->n_rows; i++)
        expand(load, load->cells + order[i] * load->n_cells, data->x + i * width);
    return 0;
}
