/* SPDX-License-Identifier: Apache-2.0
 * data.c - the second reading of a file, and what is made of its cells.
 *
 * The cells of the used columns go into one matrix of floats as they are read (load_cells.c). Only
 * when all are seen are categories sorted and expanded to features (load_features.c), rows divided
 * among the parts, and the scale fitted on the training part alone (load_scale.c). */
#include "load.h"
#include "tokens.h"
#include <stdlib.h>
#include <unistd.h>

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

int asy__load_aside(const struct asy__load *load, uint64_t rows, uint64_t width, const char *name,
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
static int make_room(struct asy__load *load, uint64_t rows, struct asy_error *err)
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
    if ((rc = asy__load_aside(load, rows, load->n_cells, NULL,
                              (size_t)total * sizeof *load->cells, &load->pages, err)) < 0)
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
static int find_group(struct asy__load *load, struct asy_error *err)
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
static int plan(struct asy__load *load, const struct asy__survey *survey, struct asy_error *err)
{
    struct asy__schema *schema = load->schema;
    const struct asy__survey_column *label;
    int rc;

    load->n_file_columns = survey->n_columns;
    if (!(load->map = calloc(survey->n_columns, sizeof *load->map)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu columns", survey->n_columns);
    if (load->model) {
        if ((rc = asy__schema_copy(load->model, schema, err)) < 0 ||
            (rc = asy__load_equal(load, err)) < 0)
            return rc;
        return asy__schema_match(schema, survey, load->with_label, &load->header,
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

/* Which row is of which part. */
static int divide(const struct asy__load *load, struct asy__data *data, size_t *order,
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
static int finish(struct asy__load *load, struct asy__data *data, struct asy_error *err)
{
    size_t *order = NULL;
    int rc;

    if (!load->n_rows)
        return load->n_dropped
                   ? asy_fail(err, ASY_E_FORMAT, "no rows are left: each of %zu lacks something",
                              load->n_dropped)
                   : asy_fail(err, ASY_E_FORMAT, "there are no rows below the header");
    if ((rc = asy__load_features(load, err)) < 0)
        return rc;
    data->n_rows = load->n_rows;
    data->n_dropped = load->n_dropped;
    if (!(order = calloc(data->n_rows, sizeof *order)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu rows", data->n_rows);
    if ((rc = divide(load, data, order, err)) == 0 &&
        (rc = asy__load_matrix(load, order, data, err)) == 0)
        rc = asy__load_scale(load, order, data, err);
    free(order);
    return rc;
}

static int load_all(struct asy__load *load, struct asy__source *source, struct asy__survey *survey,
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
    if ((rc = asy__source_rows(source, asy__load_row, load, &data->crc, err)) < 0)
        return rc;
    if ((rc = finish(load, data, err)) < 0)
        asy_error_prefix(err, "'%s'", spec->file);
    return rc;
}

static int load_it(struct asy__load *load, struct asy__data *ret, struct asy_error *err)
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
    for (size_t i = 0; load->equal && i < load->model->n_columns; i++)
        asy__dict_fini(&load->equal[i]);
    free(load->equal);
    free(load->seen);
    return rc;
}

int asy__data_load(const struct asy__data_spec *spec, const struct asy__schema *model,
                   int with_label, struct asy__data *ret, struct asy_error *err)
{
    struct asy__load load = { .spec = spec, .model = model, .with_label = with_label };

    if (asy__format_is_tokens(spec->format))
        return asy__tokens_load(spec, model, NULL, ret, err);
    if (model && model->vocabulary)
        return asy_fail(err, ASY_E_INVAL, "the model was trained on tokens, not on a table");
    return load_it(&load, ret, err);
}

int asy__data_load_into(const struct asy__data_spec *spec, const char *folder,
                        struct asy__data *ret, struct asy_error *err)
{
    struct asy__load load = { .spec = spec, .with_label = 1, .folder = folder };

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
