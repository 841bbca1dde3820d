/* SPDX-License-Identifier: Apache-2.0
 * data.c - the second reading of a file, and what is made of its cells.
 *
 * The cells of the used columns go into one matrix of floats as they are read: numbers as they are,
 * NaN where missing, categories as the number of their first appearance. Only when all are seen
 * are categories sorted and expanded to features, rows divided among the parts, and the scale
 * fitted on the training part alone. */
#include "source.h"
#include "tokens.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <asy/parse.h>

struct load {
    const struct asy__data_spec *spec;
    const struct asy__schema *model; /* NULL: fit one */
    struct asy__schema *schema;
    int header, with_label, label_is_number;
    size_t *map;    /* [n_file_columns] -> schema column, SIZE_MAX: none */
    size_t n_file_columns;
    size_t *cell_of; /* [n_columns] -> place in a row of cells */
    size_t n_cells; /* per row */
    float *cells;   /* [n_rows][n_cells] */
    double *numbers; /* [n_rows] labels as numbers */
    int32_t *ids;   /* [n_rows] labels as ids of schema->classes */
    size_t n_rows, room, n_dropped, n_seen;
    int integers;   /* all labels are */
    size_t group;             /* the schema's column of split.group; SIZE_MAX: rows stand alone */
    struct asy__dict groups;
    int32_t *group_ids;       /* [room] */
    uint8_t *seen;  /* [ASY__POINTS], of a text: characters that occur */
    uint32_t most;  /* of a sequence of numbers: the greatest */
    int overflow;   /* too many distinct numeric labels to be classes */
    const char *folder; /* where cells and features grow in files; NULL: in memory, if it can */
    struct asy__pages pages; /* of cells that are in a file */
};

static int at_cell(struct asy_error *err, uint64_t row, size_t column, const char *name,
                   const char *what)
{
    return asy_fail(err, ASY_E_FORMAT, "row %llu, column %zu ('%.60s'): %s",
                    (unsigned long long)row, column + 1, name, what);
}

/* The id of a text; while fitting, a new one is added. -1: unknown to the model. */
static int intern(struct load *load, struct asy__dict *dict, const char *text, size_t len,
                  long *ret_id, struct asy_error *err)
{
    size_t id = asy__dict_find(dict, text, len);
    int rc;

    if (id == ASY__DICT_NONE && !load->model) {
        if ((rc = asy__dict_add(dict, text, len, &id, err)) < 0)
            return rc;
    }
    *ret_id = id == ASY__DICT_NONE ? -1 : (long)id;
    return 0;
}

static int read_number(const struct asy__cell *field, uint64_t row, size_t i,
                       const char *name, float *ret, struct asy_error *err)
{
    double value;

    if (asy__cell_number(field, &value) < 0)
        return at_cell(err, row, i, name, "not a number");
    *ret = (float)value;
    if (!isfinite(*ret))
        return at_cell(err, row, i, name, "infinite, or too large for a float");
    return 0;
}

static int read_category(struct load *load, const struct asy__cell *field, uint64_t row,
                         size_t i, struct asy__column *column, float *ret, struct asy_error *err)
{
    struct asy__cell f = asy__cell_trim(field);
    char text[32];
    long id = -1;
    int rc;

    if (!f.text) {
        f.text = asy_format_f64(f.number + 0.0, text);
        f.len = strlen(text);
    }
    if (f.len > 4096)
        return at_cell(err, row, i, column->name, "a category of more than 4096 bytes");
    if (!asy__utf8_text(f.text, f.len))
        return at_cell(err, row, i, column->name, "not UTF-8");
    rc = intern(load, &column->values, f.text, f.len, &id, err);
    if (rc == ASY_E_FULL)
        return at_cell(err, row, i, column->name,
                       "more than 1000 distinct texts are no categories; exclude the column");
    *ret = (float)id;
    return rc;
}

/* A token of a sequence; below zero there is none, nor where nothing is. */
static int read_token(struct load *load, const struct asy__cell *field, uint64_t row, size_t i,
                      const char *name, float *ret, struct asy_error *err)
{
    const struct asy__schema *model = load->model;
    float value = NAN;
    int rc = asy__is_missing(field) ? 0 : read_number(field, row, i, name, &value, err);

    if (rc < 0 || isnan(value) || value < 0) {
        *ret = NAN;
        return rc;
    }
    if (value != rintf(value) || value >= ASY__VOCABULARY_MAX)
        return at_cell(err, row, i, name, "no token: whole numbers up to 65535 are");
    if (model && (size_t)value + 1 >= model->ids)
        return at_cell(err, row, i, name, "a token that the model does not know");
    load->most = (uint32_t)value > load->most ? (uint32_t)value : load->most;
    *ret = value;
    return 0;
}

/* The code points of a text's first characters; behind its end there is nothing. */
static int read_text(struct load *load, const struct asy__cell *field, uint64_t row, size_t i,
                     const char *name, float *ret, struct asy_error *err)
{
    size_t length = load->model ? load->model->n_features : load->spec->length, n = 0, at = 0, len;
    struct asy__cell f = *field;
    char text[32];

    if (!f.text && !isnan(f.number)) {
        f.text = asy_format_f64(f.number + 0.0, text);
        f.len = strlen(text);
    }
    for (; f.text && at < f.len && n < length; at += len) {
        uint32_t point;

        if (!(len = asy__utf8_decode(f.text + at, f.len - at, &point)))
            return at_cell(err, row, i, name, "not UTF-8");
        load->seen[point] = 1;
        ret[n++] = (float)point;
    }
    while (n < length)
        ret[n++] = NAN;
    return 0;
}

/* A class is named by the label's text; equal numbers are one class however they are written. */
static int read_label(struct load *load, const struct asy__cell *field, uint64_t row, size_t i,
                      struct asy_error *err)
{
    struct asy__cell f = asy__cell_trim(field);
    const char *name = load->schema->columns[load->schema->label].name;
    int is_number = asy__cell_number(field, &load->numbers[load->n_rows]) == 0, rc;
    char text[32];
    long id = -1;

    if (is_number && !isfinite(load->numbers[load->n_rows]))
        return at_cell(err, row, i, name, "an infinite label");
    if (!is_number && (load->label_is_number || !load->schema->classification))
        return at_cell(err, row, i, name, "the label is not a number");
    if (!is_number && (f.len > 4096 || !asy__utf8_text(f.text, f.len)))
        return at_cell(err, row, i, name, "a label that is not UTF-8 or has over 4096 bytes");
    if (load->model && !load->model->classification)
        return 0;
    load->integers &= is_number && load->numbers[load->n_rows] == rint(load->numbers[load->n_rows]);
    if (load->overflow)
        return 0;
    if (is_number) {
        f.text = asy_format_f64(load->numbers[load->n_rows] + 0.0, text);
        f.len = strlen(text);
    }
    rc = intern(load, &load->schema->classes, f.text, f.len, &id, err);
    if (rc == ASY_E_FULL && load->label_is_number) {
        load->overflow = 1;
        return 0;
    }
    if (rc == ASY_E_FULL)
        return at_cell(err, row, i, name, "more than 10000 distinct labels are no classes");
    if (rc == 0 && id < 0)
        return at_cell(err, row, i, name, "a label that the model does not know");
    load->ids[load->n_rows] = (int32_t)id;
    return rc;
}

/* Which group the row is of; equal numbers are one, however they are written. */
static int read_group(struct load *load, const struct asy__cell *field, uint64_t row, size_t i,
                      struct asy_error *err)
{
    const char *name = load->schema->columns[load->group].name;
    struct asy__cell f = asy__cell_trim(field);
    double number;
    char text[32];
    size_t id = 0;
    int rc;

    if (asy__is_missing(field))
        return at_cell(err, row, i, name, "the group is missing");
    if (asy__cell_number(field, &number) == 0) {
        f.text = asy_format_f64(number + 0.0, text);
        f.len = strlen(text);
    }
    if ((rc = asy__dict_add(&load->groups, f.text, f.len, &id, err)) == 0)
        load->group_ids[load->n_rows] = (int32_t)id;
    return rc;
}

/* The schema's column that column i of the file is and that training reads; NULL: none. */
static struct asy__column *used(const struct load *load, size_t i)
{
    size_t at = load->map[i];
    struct asy__column *column = at == SIZE_MAX ? NULL : &load->schema->columns[at];

    if (!column || column->kind == ASY__SKIPPED ||
        (column->kind == ASY__LABEL && !load->with_label))
        return NULL;
    return column;
}

/* Behind the end of a sequence nothing lacks. */
static int lacks_any(const struct load *load, const struct asy__cell *fields, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct asy__column *column = used(load, i);

        if (column && (!load->spec->sequence || column->kind == ASY__LABEL) &&
            asy__is_missing(&fields[i]))
            return 1;
        if (load->map[i] == load->group && load->group_ids && asy__is_missing(&fields[i]))
            return 1;
    }
    return 0;
}

static int read_cell(struct load *load, uint64_t row, const struct asy__cell *field, size_t i,
                     float *cells, struct asy_error *err)
{
    struct asy__column *column = used(load, i);
    float *cell;

    if (load->group_ids && load->map[i] == load->group)
        return read_group(load, field, row, i, err);
    if (!column)
        return 0;
    if (column->kind == ASY__LABEL && asy__is_missing(field))
        return at_cell(err, row, i, column->name, "the label is missing");
    if (column->kind == ASY__LABEL)
        return read_label(load, field, row, i, err);
    cell = &cells[load->cell_of[load->map[i]]];
    if (column->kind == ASY__TEXT)
        return read_text(load, field, row, i, column->name, cell, err);
    if (load->spec->sequence || (load->model && load->model->ids))
        return read_token(load, field, row, i, column->name, cell, err);
    if (asy__is_missing(field)) {
        *cell = NAN;
        return load->spec->missing == ASY__MISSING_MEAN ? 0 :
               at_cell(err, row, i, column->name, "a value is missing (missing: mean or drop would "
                       "allow it)");
    }
    if (column->kind == ASY__NUMBER)
        return read_number(field, row, i, column->name, cell, err);
    return read_category(load, field, row, i, column, cell, err);
}

static int load_row(void *arg, uint64_t row, const struct asy__cell *fields, size_t n,
                    struct asy_error *err)
{
    struct load *load = arg;
    float *cells = load->cells + load->n_rows * load->n_cells;
    int rc = 0;

    if (load->n_seen++ == 0 && load->header)
        return 0;
    if (n != load->n_file_columns || load->n_rows == load->room)
        return asy_fail(err, ASY_E_STATE, "the file changed while it was read");
    if (load->spec->missing == ASY__MISSING_DROP && lacks_any(load, fields, n)) {
        load->n_dropped++;
        return 0;
    }
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = read_cell(load, row, &fields[i], i, cells, err);
    if (rc == 0)
        load->n_rows++;
    return rc;
}

double asy__machine_bytes(void)
{
    return (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
}

/* Memory is promised freely and taken back by killing. */
static int machine_holds(uint64_t rows, uint64_t width)
{
    return (double)rows * ((double)width * sizeof(float) + sizeof(double) + sizeof(int32_t)) <=
           asy__machine_bytes();
}

static int too_big(uint64_t rows, uint64_t width, const char *why, struct asy_error *err)
{
    return asy_fail(err, ASY_E_TOOBIG, "%llu rows of %llu numbers take %.3g GiB, this machine has "
                    "%.3g%s%s", (unsigned long long)rows, (unsigned long long)width,
                    (double)rows * (double)width * sizeof(float) / 1073741824,
                    asy__machine_bytes() / 1073741824, *why ? ", and " : "", why);
}

/* Where goes what memory does not hold; /tmp is memory on many machines. */
const char *asy__disk_folder(void)
{
    const char *dir = getenv("TMPDIR");

    return dir && *dir ? dir : "/var/tmp";
}

/* A file of len bytes for rows of floats, if they are for one: under the name (NULL: none) in
 * load->folder, or without one on a disk where memory does not hold them. pages->at stays NULL:
 * they are for memory. Labels are for memory in any case. */
static int put_aside(const struct load *load, uint64_t rows, uint64_t width, const char *name,
                     size_t len, struct asy__pages *pages, struct asy_error *err)
{
    struct asy_error why = ASY_ERROR_INIT;

    if (!machine_holds(rows, 0))
        return too_big(rows, width, "", err);
    if (load->folder)
        return asy__pages_make(load->folder, name, len, pages, err);
    if (machine_holds(rows, width) ||
        asy__pages_make(asy__disk_folder(), NULL, len, pages, &why) == 0)
        return 0;
    return too_big(rows, width, why.text, err);
}

static int has_text(const struct asy__schema *schema)
{
    for (size_t i = 0; i < schema->n_columns; i++)
        if (schema->columns[i].kind == ASY__TEXT)
            return 1;
    return 0;
}

/* Room for the cells of all rows, and where each column's stands. */
static int make_room(struct load *load, uint64_t rows, struct asy_error *err)
{
    struct asy__schema *schema = load->schema;
    uint64_t total;
    int rc;

    if (!(load->cell_of = calloc(schema->n_columns, sizeof *load->cell_of)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu columns", schema->n_columns);
    for (size_t i = 0; i < schema->n_columns; i++)
        if (schema->columns[i].kind == ASY__NUMBER || schema->columns[i].kind == ASY__CATEGORY)
            load->cell_of[i] = load->n_cells++;
        else if (schema->columns[i].kind == ASY__TEXT) /* the only one */
            load->n_cells = load->model ? load->model->n_features : load->spec->length;
    if (load->n_cells > 0 && has_text(schema) && !(load->seen = calloc(ASY__POINTS, 1)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a vocabulary");
    if (rows > INT32_MAX || __builtin_mul_overflow(rows, (uint64_t)load->n_cells, &total) ||
        total > ASY__CELLS_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "%llu rows of %zu columns are too many",
                        (unsigned long long)rows, load->n_cells);
    total += load->n_cells + 1; /* one that is dropped in the end has room, too */
    if ((rc = put_aside(load, rows, load->n_cells, NULL, (size_t)total * sizeof *load->cells,
                        &load->pages, err)) < 0)
        return rc;
    load->room = (size_t)rows;
    load->cells = load->pages.at ? load->pages.at : malloc((size_t)total * sizeof *load->cells);
    load->numbers = malloc(((size_t)rows + 1) * sizeof *load->numbers);
    load->ids = malloc(((size_t)rows + 1) * sizeof *load->ids);
    if (load->group != SIZE_MAX)
        load->group_ids = malloc(((size_t)rows + 1) * sizeof *load->group_ids);
    if (!load->cells || !load->numbers || !load->ids ||
        (load->group != SIZE_MAX && !load->group_ids))
        return asy_fail(err, ASY_E_NOMEM, "no memory for %llu rows of %zu columns",
                        (unsigned long long)rows, load->n_cells);
    return 0;
}

/* Where rows of a group are to stay together, the file has to say which they are. */
static int find_group(struct load *load, struct asy_error *err)
{
    size_t i = 0;
    int rc;

    if (!load->spec->group || !load->with_label)
        return 0;
    if ((rc = asy__schema_group(load->spec, load->schema, &load->group, err)) < 0)
        return rc;
    while (i < load->n_file_columns && load->map[i] != load->group)
        i++;
    return i < load->n_file_columns
               ? 0
               : asy_fail(err, ASY_E_INVAL, "split.group: the file has no column '%.80s'",
                          load->schema->columns[load->group].name);
}

/* Which columns the file has, what they are, and how its label is to be read. */
static int plan(struct load *load, const struct asy__survey *survey, struct asy_error *err)
{
    struct asy__schema *schema = load->schema;
    const struct asy__survey_column *label;
    int rc;

    load->n_file_columns = survey->n_columns;
    if (!(load->map = calloc(survey->n_columns, sizeof *load->map)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu columns", survey->n_columns);
    if (load->model) {
        rc = asy__schema_copy(load->model, schema, err);
        return rc < 0 ? rc : asy__schema_match(schema, survey, load->with_label, &load->header,
                                               load->map, err);
    }
    if ((rc = asy__schema_plan(load->spec, survey, schema, err)) < 0)
        return rc;
    load->header = schema->has_header;
    for (size_t i = 0; i < survey->n_columns; i++)
        load->map[i] = i;
    label = &survey->columns[schema->label];
    load->label_is_number = label->n_text == 0 &&
                            (load->header || label->first_number || label->first_missing);
    schema->classification = load->spec->task != ASY__TASK_REGRESSION;
    schema->fills_missing = load->spec->missing == ASY__MISSING_MEAN;
    load->integers = 1;
    return 0;
}

/* auto: texts and few distinct integers are classes. */
static int choose_task(struct load *load, struct asy_error *err)
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
static int number_text(struct load *load, struct asy_error *err)
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
static int count_ids(struct load *load, struct asy_error *err)
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
static int place_features(struct load *load, struct asy_error *err)
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

/* Writes the features of one row of cells. A missing or unknown category is none of them. */
static void expand(const struct load *load, const float *cells, float *x)
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
static int make_matrix(const struct load *load, size_t total, struct asy__data *data,
                       struct asy_error *err)
{
    size_t width = load->schema->n_features;
    int rc = put_aside(load, data->n_rows, width, "x.npy",
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

static int fill_matrix(struct load *load, const size_t *order, struct asy__data *data,
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

/* Of the training rows' values of each feature. */
struct moments {
    double sum, squares, low, high, mean;
    size_t n;
};

/* By rows: the matrix may be larger than memory. */
static void sum_up(const struct asy__data *data, size_t width, struct moments *of)
{
    size_t rows = data->start[ASY__TRAIN + 1];

    for (size_t f = 0; f < width; f++)
        of[f] = (struct moments){ .low = INFINITY, .high = -INFINITY };
    for (size_t i = 0; i < rows; i++)
        for (size_t f = 0; f < width; f++) {
            double x = (double)data->x[i * width + f];

            if (isnan(x))
                continue;
            of[f].sum += x;
            of[f].n++;
            of[f].low = fmin(of[f].low, x);
            of[f].high = fmax(of[f].high, x);
        }
    for (size_t f = 0; f < width; f++)
        of[f].mean = of[f].n ? of[f].sum / (double)of[f].n : 0;
    for (size_t i = 0; i < rows; i++)
        for (size_t f = 0; f < width; f++) {
            double x = (double)data->x[i * width + f];
            double d = (isnan(x) ? of[f].mean : x) - of[f].mean;

            of[f].squares += d * d;
        }
}

static void fit_feature(const struct moments *of, size_t rows, enum asy__scale scale, size_t f,
                        struct asy__schema *schema)
{
    double spread;

    if (schema->ids)
        return;
    schema->fill[f] = (float)of->mean;
    if (scale == ASY__SCALE_NONE || !of->n)
        return;
    spread = scale == ASY__SCALE_STANDARD ? sqrt(of->squares / (double)rows) : of->high - of->low;
    schema->shift[f] = (float)(scale == ASY__SCALE_STANDARD ? of->mean : of->low);
    schema->factor[f] = spread > 1e-12 * (fabs(of->mean) + 1e-30) ? (float)(1 / spread) : 1;
}

static int fit(const struct asy__data *data, enum asy__scale scale, struct asy__schema *schema,
               struct asy_error *err)
{
    struct moments *of = calloc(schema->n_features + 1, sizeof *of);

    if (!of)
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu features", schema->n_features);
    sum_up(data, schema->n_features, of);
    for (size_t i = 0; i < schema->n_columns; i++) {
        size_t f = schema->columns[i].feature;

        if (schema->columns[i].kind == ASY__NUMBER)
            fit_feature(&of[f], data->start[ASY__TRAIN + 1], scale, f, schema);
    }
    free(of);
    return 0;
}

static void apply(struct asy__data *data)
{
    const struct asy__schema *schema = &data->schema;
    size_t width = schema->n_features;

    for (size_t i = 0; i < data->n_rows; i++) {
        float *x = data->x + i * width;

        for (size_t f = 0; f < width; f++)
            x[f] = ((isnan(x[f]) ? schema->fill[f] : x[f]) - schema->shift[f]) *
                   schema->factor[f];
    }
}

static void fit_target(const struct load *load, const size_t *order, const struct asy__data *data,
                       struct asy__schema *schema)
{
    double sum = 0, squares = 0, n = (double)data->start[ASY__TRAIN + 1];

    for (size_t i = 0; i < data->start[ASY__TRAIN + 1]; i++)
        sum += load->numbers[order[i]];
    for (size_t i = 0; i < data->start[ASY__TRAIN + 1]; i++) {
        double d = load->numbers[order[i]] - sum / n;

        squares += d * d;
    }
    schema->target_shift = sum / n;
    schema->target_factor = squares > 0 ? 1 / sqrt(squares / n) : 1;
}

/* Which row is of which part. */
static int divide(const struct load *load, struct asy__data *data, size_t *order,
                  struct asy_error *err)
{
    const struct asy__schema *schema = load->schema;
    const int32_t *label = schema->classification ? load->ids : NULL;
    const struct asy__grouped grouped = {
        .n = data->n_rows,
        .n_classes = schema->classes.n,
        .n_groups = load->groups.n,
        .label = load->spec->stratify ? label : NULL,
        .group = load->group_ids,
    };

    if (load->group_ids)
        return asy__split_groups(load->spec, &grouped, order, data->start, err);
    return asy__split(load->spec, data->n_rows, label, schema->classes.n, order, data->start, err);
}

/* From the filled cells to the finished matrices. */
static int finish(struct load *load, struct asy__data *data, struct asy_error *err)
{
    struct asy__schema *schema = load->schema;
    size_t *order = NULL;
    int rc;

    if (!load->n_rows)
        return load->n_dropped
                   ? asy_fail(err, ASY_E_FORMAT, "no rows are left: each of %zu lacks something",
                              load->n_dropped)
                   : asy_fail(err, ASY_E_FORMAT, "there are no rows below the header");
    if (!load->model && ((rc = choose_task(load, err)) < 0 ||
                         (rc = place_features(load, err)) < 0))
        return rc;
    if (load->seen && (rc = number_text(load, err)) < 0)
        return rc;
    if (!load->model && load->spec->sequence && (rc = count_ids(load, err)) < 0)
        return rc;
    data->n_rows = load->n_rows;
    data->n_dropped = load->n_dropped;
    if (!(order = calloc(data->n_rows, sizeof *order)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu rows", data->n_rows);
    rc = divide(load, data, order, err);
    if (rc < 0 || (rc = fill_matrix(load, order, data, err)) < 0)
        goto out;
    if (!load->model) {
        if ((rc = fit(data, load->spec->scale, schema, err)) < 0)
            goto out;
        if (!schema->classification)
            fit_target(load, order, data, schema);
    }
    apply(data);
    for (size_t i = 0; i < data->n_rows && load->with_label; i++) {
        if (schema->classification)
            data->label[i] = load->ids[order[i]];
        else
            data->target[i] = (float)((load->numbers[order[i]] - schema->target_shift) *
                                      schema->target_factor);
    }
out:
    free(order);
    return rc;
}

static int load_all(struct load *load, struct asy__source *source, struct asy__survey *survey,
                    struct asy__data *data, struct asy_error *err)
{
    const struct asy__data_spec *spec = load->spec;
    int rc;

    if ((rc = asy__source_open(spec, load->model, source, err)) < 0 ||
        (rc = asy__survey_source(source, survey, err)) < 0)
        return rc;
    if ((rc = plan(load, survey, err)) < 0 || (rc = find_group(load, err)) < 0 ||
        (rc = make_room(load, survey->n_rows, err)) < 0) {
        asy_error_prefix(err, "'%s'", spec->file);
        return rc;
    }
    if ((rc = asy__source_rows(source, load_row, load, &data->crc, err)) < 0)
        return rc;
    if ((rc = finish(load, data, err)) < 0)
        asy_error_prefix(err, "'%s'", spec->file);
    return rc;
}

static int load_it(struct load *load, struct asy__data *ret, struct asy_error *err)
{
    struct asy__data data = { 0 };
    struct asy__source source = { 0 };
    struct asy__survey survey = { 0 };
    int rc;

    load->schema = &data.schema;
    load->group = SIZE_MAX;
    asy__dict_init(&load->groups, INT32_MAX);
    if ((rc = load_all(load, &source, &survey, &data, err)) == 0)
        *ret = data;
    else
        asy__data_fini(&data);
    asy__survey_fini(&survey);
    asy__source_close(&source);
    free(load->map);
    free(load->cell_of);
    if (!load->pages.at)
        free(load->cells);
    asy__pages_close(&load->pages);
    free(load->numbers);
    free(load->ids);
    free(load->group_ids);
    asy__dict_fini(&load->groups);
    free(load->seen);
    return rc;
}

int asy__data_load(const struct asy__data_spec *spec, const struct asy__schema *model,
                   int with_label, struct asy__data *ret, struct asy_error *err)
{
    struct load load = { .spec = spec, .model = model, .with_label = with_label };

    if (asy__format_is_tokens(spec->format))
        return asy__tokens_load(spec, model, NULL, ret, err);
    if (model && model->vocabulary)
        return asy_fail(err, ASY_E_INVAL, "the model was trained on tokens, not on a table");
    return load_it(&load, ret, err);
}

int asy__data_load_into(const struct asy__data_spec *spec, const char *folder,
                        struct asy__data *ret, struct asy_error *err)
{
    struct load load = { .spec = spec, .with_label = 1, .folder = folder };

    if (asy__format_is_tokens(spec->format))
        return asy__tokens_load(spec, NULL, folder, ret, err);
    return load_it(&load, ret, err);
}

size_t asy__data_labels(const struct asy__data *data)
{
    return data->tokens ? data->schema.n_features : 1;
}

struct asy__rows asy__data_rows(const struct asy__data *data, size_t at, size_t rows)
{
    if (!data->tokens)
        return (struct asy__rows){ data->x + at * data->schema.n_features, data->label + at,
                                   data->target + at };
    asy__tokens_rows(data, at, rows);
    return (struct asy__rows){ data->x, data->label, NULL };
}

void asy__data_fini(struct asy__data *data)
{
    char *labels = data->label_pages.at;
    int classes = data->schema.classification;

    if (!data->x_pages.at || data->tokens)
        free(data->x);
    if (!data->x_pages.at)
        free(data->tokens);
    if (!labels || !classes)
        free(data->label);
    if (!labels || classes)
        free(data->target);
    asy__pages_close(&data->x_pages);
    asy__pages_close(&data->label_pages);
    if (data->lock_fd > 0)
        close(data->lock_fd);
    asy__schema_fini(&data->schema);
    *data = (struct asy__data){ 0 };
}
