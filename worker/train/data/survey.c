/* SPDX-License-Identifier: Apache-2.0
 * survey.c - the first reading of a file: its shape, its columns' types, whether it has a header,
 * and the plan of columns that follows. */
#include "source.h"
#include "foreign.h"
#include "tokens.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/parse.h>

/* Spaces and tabs around a field do not count, unless it is quoted. */
struct asy__cell asy__cell_trim(const struct asy__cell *cell)
{
    struct asy__cell f = *cell;

    while (!f.quoted && f.len && (*f.text == ' ' || *f.text == '\t'))
        f.text++, f.len--;
    while (!f.quoted && f.len && (f.text[f.len - 1] == ' ' || f.text[f.len - 1] == '\t'))
        f.len--;
    return f;
}

int asy__is_missing(const struct asy__cell *cell)
{
    static const char *const words[] = { "",     "?",    "NA",   "N/A",  "n/a", "NaN",
                                         "nan",  "NAN",  "null", "NULL", "None" };
    struct asy__cell f;

    if (!cell->text)
        return isnan(cell->number);
    f = asy__cell_trim(cell);
    if (f.len > 4 || (f.len && *f.text != '?' && *f.text != 'N' && *f.text != 'n'))
        return 0;
    for (size_t i = 0; i < ASY_ARRAY_LEN(words); i++)
        if (strlen(words[i]) == f.len && !memcmp(words[i], f.text, f.len))
            return 1;
    return 0;
}

int asy__cell_number(const struct asy__cell *cell, double *ret)
{
    struct asy__cell f;

    if (!cell->text) {
        *ret = cell->number;
        return isnan(*ret) ? -1 : 0;
    }
    f = asy__cell_trim(cell);
    if (!f.len || f.len > ASY__NUMBER_MAX || asy_parse_f64(f.text, f.len, ret, NULL) < 0)
        return -1;
    return isnan(*ret) ? -1 : 0;
}

uint64_t asy__whole(const char *text, size_t len)
{
    size_t sign = len && (*text == '+' || *text == '-');
    uint64_t value = 0;

    if (asy_parse_u64(text + sign, len - sign, &value, NULL) < 0)
        return 0;
    return value < ASY__EXACT ? 0 : value;
}

static int first_row(struct asy__survey *survey, const struct asy__cell *cells, size_t n,
                     struct asy_error *err)
{
    if (!(survey->columns = calloc(n, sizeof *survey->columns)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu columns", n);
    survey->n_columns = n;
    for (size_t i = 0; i < n; i++) {
        struct asy__survey_column *column = &survey->columns[i];
        struct asy__cell f = asy__cell_trim(&cells[i]);
        double value;

        if (!(column->first = strndup(f.text ? f.text : "", f.len)))
            return asy_fail(err, ASY_E_NOMEM, "no memory for %zu columns", n);
        column->first_len = f.len;
        column->first_missing = asy__is_missing(&f);
        column->first_number = asy__cell_number(&f, &value) == 0;
    }
    return 0;
}

static int survey_row(void *arg, uint64_t row, const struct asy__cell *cells, size_t n,
                      struct asy_error *err)
{
    struct asy__survey *survey = arg;

    if (survey->n_rows++ == 0)
        return first_row(survey, cells, n, err);
    if (n != survey->n_columns && survey->n_columns == 1 && survey->separator &&
        asy__foreign_separator(survey->columns[0].first, survey->separator, 1, err) < 0)
        return ASY_E_INVAL;
    if (n != survey->n_columns)
        return asy_fail(err, ASY_E_FORMAT, "row %llu has %zu fields, the first has %zu",
                        (unsigned long long)row, n, survey->n_columns);
    for (size_t i = 0; i < n; i++) {
        struct asy__survey_column *column = &survey->columns[i];
        struct asy__cell f;
        double value;

        if (asy__is_missing(&cells[i]))
            continue;
        if (asy__cell_number(&cells[i], &value) == 0) {
            column->n_number++;
            continue;
        }
        f = asy__cell_trim(&cells[i]);
        if (column->n_text++ == 0) {
            column->text_row = row;
            snprintf(column->text, sizeof column->text, "%.*s", (int)f.len, f.text);
        }
        if (!column->first_again)
            column->first_again = f.len == column->first_len &&
                                  !memcmp(f.text, column->first, f.len);
    }
    return 0;
}

int asy__survey_source(struct asy__source *source, struct asy__survey *ret, struct asy_error *err)
{
    int rc;

    *ret = (struct asy__survey){ .header = source->header, .by_place = source->by_place };
    memcpy(ret->image, source->image, sizeof ret->image);
    ret->separator = source->format == ASY__FORMAT_TSV   ? '\t'
                     : source->format == ASY__FORMAT_CSV ? ','
                                                         : 0;
    rc = asy__source_rows(source, survey_row, ret, NULL, err);
    if (rc == 0 && ret->n_rows == 0)
        rc = asy_fail(err, ASY_E_FORMAT, "'%s' has no rows", source->spec->file);
    if (rc < 0)
        asy__survey_fini(ret);
    return rc;
}

void asy__survey_fini(struct asy__survey *survey)
{
    for (size_t i = 0; i < survey->n_columns && survey->columns; i++)
        free(survey->columns[i].first);
    free(survey->columns);
    *survey = (struct asy__survey){ 0 };
}

/* A text above a column of numbers is a header. Where no column has numbers, the first row is one
 * if it has a text in every column that never comes again in it. */
int asy__survey_header(const struct asy__survey *survey)
{
    int numbers = 0, all_new = survey->n_rows > 1;

    for (size_t i = 0; i < survey->n_columns; i++) {
        const struct asy__survey_column *column = &survey->columns[i];
        int rest_numbers = column->n_number > 0 && column->n_text == 0;

        if (rest_numbers && !column->first_missing && !column->first_number)
            return 1;
        numbers |= rest_numbers;
        all_new &= !column->first_missing && !column->first_number && !column->first_again;
    }
    return !numbers && all_new;
}

static int name_column(const struct asy__survey_column *from, size_t i, int has_header,
                       char **ret_name, struct asy_error *err)
{
    if (has_header && from->first_len && !asy__utf8_text(from->first, from->first_len))
        return asy_fail(err, ASY_E_FORMAT, "row 1, column %zu: the name is not UTF-8", i + 1);
    if (has_header && from->first_len)
        *ret_name = strdup(from->first);
    else if (asprintf(ret_name, "column %zu", i + 1) < 0)
        *ret_name = NULL;
    return *ret_name ? 0 : asy_fail(err, ASY_E_NOMEM, "no memory for column names");
}

static int name_columns(const struct asy__survey *survey, struct asy__schema *schema,
                        struct asy_error *err)
{
    struct asy__dict names;
    int rc = 0;

    asy__dict_init(&names, SIZE_MAX);
    for (size_t i = 0; i < schema->n_columns && rc == 0; i++) {
        char **name = &schema->columns[i].name;
        size_t id = i;

        rc = name_column(&survey->columns[i], i, schema->has_header, name, err);
        if (rc == 0)
            rc = asy__dict_add(&names, *name, strlen(*name), &id, err);
        if (rc == 0 && id != i)
            rc = asy_fail(err, ASY_E_FORMAT, "columns %zu and %zu are both named '%.80s'", id + 1,
                          i + 1, *name);
    }
    asy__dict_fini(&names);
    return rc;
}

/* The column that a name or a number (negative: from the end) means. */
static int resolve(const struct asy__schema *schema, const struct asy_json *node, const char *key,
                   size_t *ret, struct asy_error *err)
{
    const char *name = asy_json_str(node, NULL), *nearest;
    int64_t at = asy_json_i64(node, 0), n = (int64_t)schema->n_columns;
    const char **names;

    if (asy_json_type(node) == ASY_JSON_INT) {
        if (at < -n || at >= n)
            return asy_fail(err, ASY_E_INVAL, "%s: no column %lld, there are %zu (0 is the first, "
                            "-1 the last)", key, (long long)at, schema->n_columns);
        *ret = (size_t)(at < 0 ? at + n : at);
        return 0;
    }
    if (!name)
        return asy_fail(err, ASY_E_INVAL, "%s: a column is a name or a number", key);
    for (size_t i = 0; i < schema->n_columns; i++)
        if (!strcmp(schema->columns[i].name, name)) {
            *ret = i;
            return 0;
        }
    if (!schema->has_header)
        return asy_fail(err, ASY_E_INVAL, "%s: no column '%.80s': the file has no header", key,
                        name);
    if (!(names = calloc(schema->n_columns, sizeof *names)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for column names");
    for (size_t i = 0; i < schema->n_columns; i++)
        names[i] = schema->columns[i].name;
    nearest = asy_nearest(name, strlen(name), names, schema->n_columns);
    free(names);
    return asy_fail(err, ASY_E_INVAL, "%s: no column '%.60s'%s%.60s%s", key, name,
                    nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
}

static int choose_label(const struct asy__data_spec *spec, struct asy__schema *schema,
                        struct asy_error *err)
{
    const struct asy_json *label = spec->label;
    int rc;

    schema->label = schema->n_columns - 1;
    if (label && asy_json_type(label) == ASY_JSON_ARRAY) {
        if (asy_json_len(label) != 1)
            return asy_fail(err, ASY_E_UNSUPPORTED, "label: the native models have one label, "
                            "not %zu", asy_json_len(label));
        label = asy_json_at(label, 0);
    }
    if (label && (rc = resolve(schema, label, "label", &schema->label, err)) < 0)
        return rc;
    schema->columns[schema->label].kind = ASY__LABEL;
    return 0;
}

int asy__schema_group(const struct asy__data_spec *spec, const struct asy__schema *schema,
                      size_t *ret, struct asy_error *err)
{
    size_t at = 0;
    int rc = resolve(schema, spec->group, "split.group", &at, err);

    if (rc == 0 && at == schema->label)
        return asy_fail(err, ASY_E_INVAL, "split.group: '%.80s' is the label",
                        schema->columns[at].name);
    if (rc == 0)
        *ret = at;
    return rc;
}

/* It says which rows belong together and is not learnt from. */
static int mark_group(const struct asy__data_spec *spec, struct asy__schema *schema,
                      struct asy_error *err)
{
    size_t at = 0;
    int rc = spec->group ? asy__schema_group(spec, schema, &at, err) : 0;

    if (rc == 0 && spec->group)
        schema->columns[at].kind = ASY__SKIPPED;
    return rc;
}

static int mark(struct asy__schema *schema, const struct asy_json *list, const char *key,
                enum asy__column_kind kind, struct asy_error *err)
{
    const struct asy_json *node;
    int rc;

    if (list && asy_json_type(list) != ASY_JSON_ARRAY && asy_json_type(list) != ASY_JSON_NULL)
        return asy_fail(err, ASY_E_INVAL, "%s: a list of columns is wanted", key);
    for (size_t i = 0; (node = asy_json_at(list, i)); i++) {
        size_t at = 0;

        if ((rc = resolve(schema, node, key, &at, err)) < 0)
            return rc;
        if (at == schema->label)
            return asy_fail(err, ASY_E_INVAL, "%s: '%.80s' is the label", key,
                            schema->columns[at].name);
        if (schema->columns[at].kind == ASY__SKIPPED && kind != ASY__SKIPPED)
            return asy_fail(err, ASY_E_INVAL, "%s: '%.80s' is excluded", key,
                            schema->columns[at].name);
        schema->columns[at].kind = kind;
    }
    return 0;
}

static void count(const struct asy__survey_column *column, int has_header, uint64_t *ret_numbers,
                  uint64_t *ret_texts)
{
    int counts = !has_header && !column->first_missing;

    *ret_numbers = column->n_number + (uint64_t)(counts && column->first_number);
    *ret_texts = column->n_text + (uint64_t)(counts && !column->first_number);
}

/* One mistyped number must not turn a column into as many categories as it has values. */
static int refuse_mixed(const struct asy__survey_column *column, const struct asy__schema *schema,
                        size_t i, struct asy_error *err)
{
    int in_first = !schema->has_header && !column->first_missing && !column->first_number;
    uint64_t n_numbers, n_texts;

    count(column, schema->has_header, &n_numbers, &n_texts);
    if (!n_numbers || !n_texts)
        return 0;
    return asy_fail(err, ASY_E_FORMAT,
                    "column %zu ('%.40s') mixes numbers (%llu) and texts (%llu, the "
                    "first in row %llu: '%.20s'); if all are names, say %s",
                    i + 1, schema->columns[i].name, (unsigned long long)n_numbers,
                    (unsigned long long)n_texts,
                    (unsigned long long)(in_first ? 1 : column->text_row),
                    in_first ? column->first : column->text,
                    i == schema->label ? "task: classification" : "so in data.categorical");
}

static int needed(const struct asy__schema *schema, size_t i, int with_label)
{
    enum asy__column_kind kind = schema->columns[i].kind;

    return kind == ASY__NUMBER || kind == ASY__CATEGORY || kind == ASY__TEXT ||
           (kind == ASY__LABEL && with_label);
}

/* Rows that are sequences: of numbers in all columns, or of the characters of one. */
static int plan_sequence(const struct asy__data_spec *spec, struct asy__schema *schema,
                         struct asy_error *err)
{
    const struct asy__column *first = NULL;

    for (size_t i = 0; i < schema->n_columns; i++) {
        struct asy__column *column = &schema->columns[i];

        if (column->kind == ASY__LABEL || column->kind == ASY__SKIPPED)
            continue;
        if (spec->sequence == ASY__SEQUENCE_TEXT && first)
            return asy_fail(err, ASY_E_INVAL, "sequence: text is of one column beside the label, "
                            "where '%.60s' and '%.60s' stand; exclude all but the text",
                            first->name, column->name);
        first = column;
        if (spec->sequence == ASY__SEQUENCE_TEXT)
            column->kind = ASY__TEXT;
        else if (column->kind != ASY__NUMBER)
            return asy_fail(err, ASY_E_INVAL, "sequence: tokens are numbers, which column '%.60s' "
                            "has not", column->name);
    }
    return 0;
}

int asy__schema_plan(const struct asy__data_spec *spec, const struct asy__survey *survey,
                     struct asy__schema *schema, struct asy_error *err)
{
    uint64_t n_numbers, n_texts;
    size_t used = 0;
    int rc;

    schema->n_columns = survey->n_columns;
    memcpy(schema->image, survey->image, sizeof schema->image);
    schema->has_header = survey->header < 0 ? asy__survey_header(survey) : survey->header;
    if (!(schema->columns = calloc(schema->n_columns, sizeof *schema->columns)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu columns", schema->n_columns);
    if ((rc = name_columns(survey, schema, err)) < 0)
        return rc;
    for (size_t i = 0; i < schema->n_columns; i++) {
        count(&survey->columns[i], schema->has_header, &n_numbers, &n_texts);
        schema->columns[i].kind = !n_texts     ? ASY__NUMBER
                                  : !n_numbers ? ASY__CATEGORY
                                               : ASY__MIXED;
        asy__dict_init(&schema->columns[i].values, ASY__CATEGORIES_MAX);
    }
    asy__dict_init(&schema->classes, ASY__CLASSES_MAX);
    asy__dict_init(&schema->characters, ASY__VOCABULARY_MAX);
    if ((rc = choose_label(spec, schema, err)) < 0 ||
        (rc = mark(schema, spec->exclude, "exclude", ASY__SKIPPED, err)) < 0 ||
        (rc = mark(schema, spec->categorical, "categorical", ASY__CATEGORY, err)) < 0 ||
        (rc = mark_group(spec, schema, err)) < 0 ||
        (spec->sequence && (rc = plan_sequence(spec, schema, err)) < 0))
        return rc;
    for (size_t i = 0; i < schema->n_columns; i++) {
        int undecided = schema->columns[i].kind == ASY__MIXED ||
                        (i == schema->label && spec->task == ASY__TASK_AUTO);

        if (undecided && (rc = refuse_mixed(&survey->columns[i], schema, i, err)) < 0)
            return rc;
        used += needed(schema, i, 0);
    }
    if (!used && schema->n_columns == 1 && survey->separator &&
        (rc = asy__foreign_separator(survey->columns[0].first, survey->separator, 0, err)) < 0)
        return rc;
    if (!used && schema->n_columns == 1 && !survey->separator)
        return asy_fail(err, ASY_E_INVAL, "only one column was found, and labels need others to be "
                        "told from");
    if (!used && schema->n_columns == 1)
        return asy_fail(err, ASY_E_INVAL, "only one column was found; fields are separated by %s "
                        "(format: csv or tsv)", spec->separator == '\t' ? "tabs" : "commas");
    if (!used)
        return asy_fail(err, ASY_E_INVAL, "no column is left to learn from");
    return 0;
}

/* The name that the file's first row gives column i, or its place, as name_column() has it. */
static const char *name_of(const struct asy__survey *survey, size_t i, char made[32],
                           size_t *ret_len)
{
    const struct asy__survey_column *column = &survey->columns[i];

    *ret_len = column->first_len;
    if (column->first_len)
        return column->first;
    *ret_len = (size_t)snprintf(made, 32, "column %zu", i + 1);
    return made;
}

/* ret_absent: the first needed column whose name the file's first row does not have; SIZE_MAX:
 * all are there and map is filled. */
static int match_names(const struct asy__schema *schema, const struct asy__survey *survey,
                       int with_label, size_t *map, size_t *ret_absent, struct asy_error *err)
{
    struct asy__dict names;
    char *seen = calloc(schema->n_columns, 1), made[32];
    size_t id = 0, len, again = SIZE_MAX;
    int rc = seen ? 0 : asy_fail(err, ASY_E_NOMEM, "no memory for column names");

    asy__dict_init(&names, SIZE_MAX);
    for (size_t i = 0; i < schema->n_columns && rc == 0; i++)
        rc = asy__dict_add(&names, schema->columns[i].name, strlen(schema->columns[i].name), &id,
                           err);
    for (size_t i = 0; i < survey->n_columns && rc == 0; i++) {
        const char *name = name_of(survey, i, made, &len);

        id = asy__dict_find(&names, name, len);
        map[i] = id == ASY__DICT_NONE || seen[id] ? SIZE_MAX : id;
        if (id != ASY__DICT_NONE && seen[id] && needed(schema, id, with_label) && again == SIZE_MAX)
            again = i;
        if (id != ASY__DICT_NONE)
            seen[id] = 1;
    }
    *ret_absent = SIZE_MAX;
    for (size_t i = 0; i < schema->n_columns && rc == 0 && *ret_absent == SIZE_MAX; i++)
        if (needed(schema, i, with_label) && !seen[i])
            *ret_absent = i;
    if (rc == 0 && *ret_absent == SIZE_MAX && again != SIZE_MAX) /* else it may be no header */
        rc = asy_fail(err, ASY_E_FORMAT, "column %zu is another one named '%.80s', which the model "
                      "needs one of", again + 1, name_of(survey, again, made, &len));
    asy__dict_fini(&names);
    free(seen);
    return rc;
}

int asy__schema_match(const struct asy__schema *schema, const struct asy__survey *survey,
                      int with_label, int *ret_header, size_t *map, struct asy_error *err)
{
    size_t absent = 0, n = survey->n_columns;
    int drops_label, rc;

    if (schema->has_header && survey->header) {
        if ((rc = match_names(schema, survey, with_label, map, &absent, err)) < 0)
            return rc;
        if (absent == SIZE_MAX) {
            *ret_header = 1;
            return 0;
        }
    }
    *ret_header = survey->header < 0 ? asy__survey_header(survey) : survey->header;
    if (schema->has_header && *ret_header && !survey->by_place)
        return asy_fail(err, ASY_E_INVAL, "no column '%.80s', which the model needs",
                        schema->columns[absent].name);
    drops_label = !with_label && n + 1 == schema->n_columns;
    if (n != schema->n_columns && !drops_label)
        return asy_fail(err, ASY_E_INVAL, "%zu columns without names that the model knows; it was "
                        "trained on %zu with the label", n, schema->n_columns);
    for (size_t i = 0; i < n; i++)
        map[i] = drops_label && i >= schema->label ? i + 1 : i;
    return 0;
}
