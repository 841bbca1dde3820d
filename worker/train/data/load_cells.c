/* SPDX-License-Identifier: Apache-2.0
 * load_cells.c - from a row's fields to its cells: numbers as they are, NaN where missing,
 * categories as the number of their first appearance, characters as their code points. */
#include "load.h"
#include "tokens.h"
#include <asy/parse.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int at_cell(struct asy_error *err, uint64_t row, size_t column, const char *name,
                   const char *what)
{
    return asy_fail(err, ASY_E_FORMAT, "row %llu, column %zu ('%.60s'): %s",
                    (unsigned long long)row, column + 1, name, what);
}

#define NAME_ROOM (ASY__NUMBER_MAX + 2) /* for a number as text */

/* The digits of a number from ASY__EXACT on, without what makes no difference to them: 0 if it is
 * not written in digits alone, but for zeros behind a point. */
static int copy_digits(const struct asy__cell *cell, char *text)
{
    const char *at = cell->text, *end = at + cell->len;

    if (*at == '-')
        *text++ = '-';
    at += *at == '-' || *at == '+';
    while (at < end && *at == '0')
        at++;
    while (at < end && *at >= '0' && *at <= '9')
        *text++ = *at++;
    at += at < end && *at == '.';
    while (at < end && *at == '0')
        at++;
    *text = '\0';
    return at == end;
}

/* In digits up to where all powers of ten are doubles, as others write them. */
static void name_double(double number, char text[NAME_ROOM])
{
    if (fabs(number) >= (double)ASY__EXACT && fabs(number) < 1e22)
        snprintf(text, NAME_ROOM, "%.0f", number);
    else
        asy_format_f64(number + 0.0, text);
}

/* The text that a number goes by, however it is written. Where doubles are further apart than whole
 * numbers its digits count, if it has them. */
static void name_number(double number, struct asy__cell *cell, char text[NAME_ROOM])
{
    if (cell->whole)
        snprintf(text, NAME_ROOM, "%s%llu", number < 0 ? "-" : "", (unsigned long long)cell->whole);
    else if (fabs(number) < (double)ASY__EXACT || !cell->text || !copy_digits(cell, text))
        name_double(number, text);
    cell->text = text;
    cell->len = strlen(text);
}

/* The id of a text; while fitting, a new one is added. -1: unknown to the model. */
static int intern(struct asy__load *load, struct asy__dict *dict, const char *text, size_t len,
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

/* equal: values by the texts that they go by as numbers; it stays empty unless they can be told
 * apart so. */
static int index_numbers(const struct asy__dict *values, struct asy__dict *equal,
                         struct asy_error *err)
{
    for (size_t i = 0, id = 0; i < values->n; i++) {
        struct asy__cell cell = { .text = values->texts[i], .len = strlen(values->texts[i]),
                                  .quoted = 1 };
        char text[NAME_ROOM];
        double number = 0;
        int rc;

        if (asy__cell_number(&cell, &number) < 0 || !isfinite(number)) {
            asy__dict_fini(equal);
            return 0;
        }
        name_number(number, &cell, text);
        if ((rc = asy__dict_add(equal, cell.text, cell.len, &id, err)) < 0)
            return rc;
        if (id != i) {
            asy__dict_fini(equal);
            return 0;
        }
    }
    return 0;
}

int asy__load_equal(struct asy__load *load, struct asy_error *err)
{
    const struct asy__schema *model = load->model;
    int rc = 0;

    if (!(load->equal = calloc(model->n_columns + 1, sizeof *load->equal)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu columns", model->n_columns);
    for (size_t i = 0; i < model->n_columns && rc == 0; i++) {
        asy__dict_init(&load->equal[i], ASY__CATEGORIES_MAX);
        rc = index_numbers(&model->columns[i].values, &load->equal[i], err);
    }
    return rc;
}

static int read_category(struct asy__load *load, const struct asy__cell *field, uint64_t row,
                         size_t i, struct asy__column *column, float *ret, struct asy_error *err)
{
    struct asy__cell f = asy__cell_trim(field);
    double number;
    char text[NAME_ROOM];
    long id = -1;
    int rc;

    if (!f.text)
        name_number(f.number, &f, text);
    if (f.len > 4096)
        return at_cell(err, row, i, column->name, "a category of more than 4096 bytes");
    if (!asy__utf8_text(f.text, f.len))
        return at_cell(err, row, i, column->name, "not UTF-8");
    rc = intern(load, &column->values, f.text, f.len, &id, err);
    if (rc == ASY_E_FULL)
        return at_cell(err, row, i, column->name,
                       "more than 1000 distinct texts are no categories; exclude the column");
    if (rc == 0 && id < 0 && asy__cell_number(field, &number) == 0) {
        name_number(number, &f, text);
        rc = intern(load, &load->equal[load->map[i]], f.text, f.len, &id, err);
    }
    *ret = (float)id;
    return rc;
}

/* A token of a sequence; below zero there is none, nor where nothing is. */
static int read_token(struct asy__load *load, const struct asy__cell *field, uint64_t row, size_t i,
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
static int read_text(struct asy__load *load, const struct asy__cell *field, uint64_t row, size_t i,
                     const char *name, float *ret, struct asy_error *err)
{
    size_t length = load->model ? load->model->n_features : load->spec->length, n = 0, at = 0, len;
    struct asy__cell f = *field;
    char text[NAME_ROOM];

    if (!f.text && !isnan(f.number))
        name_number(f.number, &f, text);
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
static int read_label(struct asy__load *load, const struct asy__cell *field, uint64_t row, size_t i,
                      struct asy_error *err)
{
    struct asy__cell f = asy__cell_trim(field);
    const char *name = load->schema->columns[load->schema->label].name;
    int is_number = asy__cell_number(field, &load->numbers[load->n_rows]) == 0, rc;
    char text[NAME_ROOM];
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
    if (is_number)
        name_number(load->numbers[load->n_rows], &f, text);
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
static int read_group(struct asy__load *load, const struct asy__cell *field, uint64_t row, size_t i,
                      struct asy_error *err)
{
    const char *name = load->schema->columns[load->group].name;
    struct asy__cell f = asy__cell_trim(field);
    double number;
    char text[NAME_ROOM];
    size_t id = 0;
    int rc;

    if (asy__is_missing(field))
        return at_cell(err, row, i, name, "the group is missing");
    if (asy__cell_number(field, &number) == 0)
        name_number(number, &f, text);
    if ((rc = asy__dict_add(&load->groups, f.text, f.len, &id, err)) == 0)
        load->group_ids[load->n_rows] = (int32_t)id;
    return rc;
}

/* The schema's column that column i of the file is and that training reads; NULL: none. */
static struct asy__column *used(const struct asy__load *load, size_t i)
{
    size_t at = load->map[i];
    struct asy__column *column = at == SIZE_MAX ? NULL : &load->schema->columns[at];

    if (!column || column->kind == ASY__SKIPPED ||
        (column->kind == ASY__LABEL && !load->with_label))
        return NULL;
    return column;
}

/* Behind the end of a sequence nothing lacks. */
static int lacks_any(const struct asy__load *load, const struct asy__cell *fields, size_t n)
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

static int read_cell(struct asy__load *load, uint64_t row, const struct asy__cell *field, size_t i,
                     float *cells, struct asy_error *err)
{
    struct asy__column *column = used(load, i);
    float *cell;

    if (load->group_ids && load->map[i] == load->group)
        return read_group(load, field, row, i, err);
    if (!column)
        return 0;
    if (column->kind == ASY__LABEL && asy__is_missing(field))
        return at_cell(err, row, i, column->name, load->model ? "the label is missing"
                       : "the label is missing (missing: drop leaves such rows out)");
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
               at_cell(err, row, i, column->name, load->model
                       ? "a value is missing (a model of a study with missing: mean fills it)"
                       : "a value is missing (missing: mean or drop would allow it)");
    }
    if (column->kind == ASY__NUMBER)
        return read_number(field, row, i, column->name, cell, err);
    return read_category(load, field, row, i, column, cell, err);
}

int asy__load_row(void *arg, uint64_t row, const struct asy__cell *fields, size_t n,
                  struct asy_error *err)
{
    struct asy__load *load = arg;
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
