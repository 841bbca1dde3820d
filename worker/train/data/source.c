/* SPDX-License-Identifier: Apache-2.0
 * source.c - which format a file has, which arrays make the table, and their rows side by side.
 * What others read and we do not is in foreign.c. */
#include "source.h"
#include "foreign.h"
#include "hdf5.h"
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <asy/parse.h>

static const char *const format_names[ASY__FORMATS] = {
    "auto", "csv", "tsv", "libsvm", "npy", "npz", "idx", "hdf5", "text", "tokens",
};

const char *asy__format_name(enum asy__format format)
{
    return format < ASY_ARRAY_LEN(format_names) ? format_names[format] : NULL;
}

/* ---- formats -------------------------------------------------------------------------------- */

static int is_zip(const char *bytes, size_t n)
{
    return n >= 4 && (!memcmp(bytes, "PK\3\4", 4) || !memcmp(bytes, "PK\5\6", 4));
}

static enum asy__format look_at(const struct asy__data_spec *spec, const char *bytes, size_t n)
{
    if (asy__is_npy(bytes, n))
        return ASY__FORMAT_NPY;
    if (is_zip(bytes, n))
        return ASY__FORMAT_NPZ;
    if (asy__is_hdf5(bytes, n))
        return ASY__FORMAT_HDF5;
    if (asy__is_idx(bytes, n))
        return ASY__FORMAT_IDX;
    if (spec->separator == '\t') /* by its name */
        return ASY__FORMAT_TSV;
    return asy__is_svm(bytes, n) ? ASY__FORMAT_LIBSVM : ASY__FORMAT_CSV;
}

static int judge(const struct asy__data_spec *spec, const char *bytes, size_t n, int plain,
                 enum asy__format *ret, struct asy_error *err)
{
    enum asy__format is = look_at(spec, bytes, n);
    int rc = asy__foreign_check(bytes, n, err);

    if (rc < 0)
        return rc;
    if ((is == ASY__FORMAT_NPZ || is == ASY__FORMAT_HDF5) && !plain)
        return asy_fail(err, ASY_E_UNSUPPORTED, "an %s is packed already and cannot be read "
                        "through gzip; gunzip it",
                        is == ASY__FORMAT_NPZ ? "NPZ" : "HDF5 file");
    if (spec->format >= ASY__FORMAT_NPY && is != spec->format)
        return asy_fail(err, ASY_E_INVAL, "format: the file is no %s, by its first bytes",
                        asy__format_name(spec->format));
    *ret = spec->format == ASY__FORMAT_AUTO ? is : spec->format;
    return 0;
}

static int find_format(const struct asy__data_spec *spec, enum asy__format *ret,
                       struct asy_error *err)
{
    struct asy__stream stream = { 0 };
    char *bytes = malloc(ASY__PIECE);
    size_t n = 0;
    int rc;

    if (!bytes)
        return asy_fail(err, ASY_E_NOMEM, "no memory to read a file");
    if ((rc = asy__stream_open(spec->file, &stream, err)) < 0)
        goto out;
    rc = asy__stream_read(&stream, bytes, ASY__PIECE, &n, err);
    if (rc == 0)
        rc = judge(spec, bytes, n, asy__stream_is_plain(&stream), ret, err);
    if (rc < 0)
        asy_error_prefix(err, "'%s'", spec->file);
out:
    asy__stream_close(&stream);
    free(bytes);
    return rc;
}

/* ---- arrays --------------------------------------------------------------------------------- */

#define NPY_ENDING ".npy"

static int array_name(const struct asy__zip_entry *member, char **ret, struct asy_error *err)
{
    size_t n = strlen(member->name), m = strlen(NPY_ENDING);

    if (n <= m || strcmp(member->name + n - m, NPY_ENDING) != 0)
        return asy_fail(err, ASY_E_FORMAT, "member '%.80s' is no array; an NPZ has .npy files",
                        member->name);
    if (!(*ret = strndup(member->name, n - m)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for an array");
    return 0;
}

static const char *member_name(const struct asy__source *source, size_t i)
{
    return source->hdf5 ? asy__hdf5_name(source->hdf5, i) : source->members[i].name;
}

static int add_set(struct asy__source *source, const char *name, struct asy_error *err)
{
    int rc = asy__array_describe_set(source->spec->file, source->hdf5, name,
                                     &source->arrays[source->n_arrays], err);

    source->n_arrays += rc == 0;
    return rc;
}

static int add_member(struct asy__source *source, size_t i, struct asy_error *err)
{
    const struct asy__zip_entry *member;
    char *name = NULL;
    int rc;

    if (source->hdf5)
        return add_set(source, asy__hdf5_name(source->hdf5, i), err);
    member = source->members + i;
    if ((rc = array_name(member, &name, err)) < 0) {
        asy_error_prefix(err, "'%s'", source->spec->file);
        return rc;
    }
    rc = asy__array_describe(source->spec->file, member, name, &source->arrays[source->n_arrays],
                             err);
    source->n_arrays += rc == 0;
    free(name);
    return rc;
}

/* Those of several dimensions first: what stands beside them, as the label does, comes last. */
static int add_all(struct asy__source *source, struct asy_error *err)
{
    struct asy__array *sorted;
    size_t at = 0;
    int rc;

    for (size_t i = 0; i < source->n_members; i++)
        if ((rc = add_member(source, i, err)) < 0)
            return rc;
    if (!(sorted = calloc(source->n_arrays + 1, sizeof *sorted)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu arrays", source->n_arrays);
    for (int flat = 0; flat < 2; flat++)
        for (size_t i = 0; i < source->n_arrays; i++)
            if ((source->arrays[i].shape.n_columns == 1) == flat)
                sorted[at++] = source->arrays[i];
    memcpy(source->arrays, sorted, source->n_arrays * sizeof *sorted);
    free(sorted);
    return 0;
}

static int no_array(const struct asy__source *source, const char *name, struct asy_error *err)
{
    const char *names[ASY__ZIP_MEMBERS_MAX], *nearest;
    size_t n = source->n_members;

    for (size_t i = 0; i < n; i++)
        names[i] = member_name(source, i);
    nearest = n ? asy_nearest(name, strlen(name), names, n) : NULL;
    return asy_fail(err, ASY_E_INVAL, "'%s': arrays: no array '%.40s'%s%.40s%s", source->spec->file,
                    name, nearest ? "; did you mean '" : "", nearest ? nearest : "",
                    nearest ? "'?" : "");
}

/* Whether the member i is called so: with .npy or without, by its path with / before or without. */
static int is_called(const struct asy__source *source, size_t i, const char *name)
{
    const char *is = member_name(source, i);
    size_t n = strlen(name);

    if (source->hdf5)
        return strcmp(is, name + (*name == '/')) == 0;
    return strncmp(is, name, n) == 0 && (!is[n] || !strcmp(is + n, NPY_ENDING));
}

/* In the order of data.arrays. */
static int add_named(struct asy__source *source, struct asy_error *err)
{
    const struct asy_json *node;
    int rc;

    for (size_t k = 0; (node = asy_json_at(source->spec->arrays, k)); k++) {
        const char *name = asy_json_str(node, "");
        size_t i = 0;

        while (i < source->n_members && !is_called(source, i, name))
            i++;
        if (i == source->n_members)
            return no_array(source, name, err);
        if ((rc = add_member(source, i, err)) < 0)
            return rc;
    }
    return 0;
}

static int open_hdf5(struct asy__source *source, struct asy_error *err)
{
    int rc = asy__hdf5_open(source->spec->file, &source->hdf5, err);

    if (rc < 0)
        asy_error_prefix(err, "'%s'", source->spec->file);
    else
        source->n_members = asy__hdf5_len(source->hdf5);
    return rc;
}

static int open_archive(struct asy__source *source, struct asy_error *err)
{
    size_t n_named = asy_json_len(source->spec->arrays), n;
    int rc;

    rc = source->format == ASY__FORMAT_HDF5
             ? open_hdf5(source, err)
             : asy__zip_list(source->spec->file, &source->members, &source->n_members, err);
    if (rc < 0)
        return rc;
    if (!source->n_members)
        return asy_fail(err, ASY_E_FORMAT, "'%s' has no arrays", source->spec->file);
    if (source->members &&
        (rc = asy__foreign_zip(source->members, source->n_members, err)) < 0) {
        asy_error_prefix(err, "'%s'", source->spec->file);
        return rc;
    }
    n = n_named ? n_named : source->n_members;
    if (n > ASY__ZIP_MEMBERS_MAX)
        return asy_fail(err, ASY_E_INVAL, "'%s': arrays: at most %u can be named",
                        source->spec->file, ASY__ZIP_MEMBERS_MAX);
    if (!(source->arrays = calloc(n, sizeof *source->arrays)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu arrays", n);
    source->header = 1;
    return n_named ? add_named(source, err) : add_all(source, err);
}

static int open_plain(struct asy__source *source, struct asy_error *err)
{
    const struct asy__data_spec *spec = source->spec;
    int rc;

    if (!(source->arrays = calloc(2, sizeof *source->arrays)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for an array");
    source->header = 0;
    if ((rc = asy__array_describe(spec->file, NULL, NULL, &source->arrays[0], err)) < 0)
        return rc;
    source->n_arrays = 1;
    if (!spec->labels)
        return 0;
    if ((rc = asy__array_describe(spec->labels, NULL, NULL, &source->arrays[1], err)) < 0)
        return rc;
    source->n_arrays = 2;
    if (source->arrays[1].shape.n_columns != 1)
        return asy_fail(err, ASY_E_INVAL, "'%s': labels: '%.80s' has %zu columns, not one",
                        spec->file, spec->labels, source->arrays[1].shape.n_columns);
    if (asy_json_i64(spec->label, -1) != -1 || asy_json_str(spec->label, NULL))
        return asy_fail(err, ASY_E_INVAL, "'%s': label: is what data.labels has, the last column; "
                        "leave it out", spec->file);
    return 0;
}

/* N x H x W or N x H x W x C. */
static void find_image(struct asy__source *source)
{
    const struct asy__shape *found = NULL;
    size_t wide = 0;

    for (size_t i = 0; i < source->n_arrays; i++)
        if (source->arrays[i].shape.n_columns > 1) {
            found = &source->arrays[i].shape;
            wide++;
        }
    if (wide != 1 || found->n_dims < 3 || found->n_dims > 4)
        return;
    for (size_t d = 0; d < 3; d++)
        source->image[d] = d + 1 < found->n_dims ? (size_t)found->dims[d + 1] : 1;
}

/* All arrays have as many rows, and together not too many columns. */
static int check_arrays(struct asy__source *source, struct asy_error *err)
{
    const struct asy__array *a = source->arrays;

    for (size_t i = 0; i < source->n_arrays; i++) {
        source->n_columns += a[i].shape.n_columns;
        source->by_place |= a[i].shape.n_columns > 1;
        if (a[i].shape.n_rows == a[0].shape.n_rows)
            continue;
        if (!a[i].name)
            return asy_fail(err, ASY_E_INVAL, "'%s': labels: '%.60s' has %llu, for %llu rows",
                            a[0].path, a[i].path, (unsigned long long)a[i].shape.n_rows,
                            (unsigned long long)a[0].shape.n_rows);
        return asy_fail(err, ASY_E_INVAL, "'%s': arrays: '%.40s' has %llu rows, '%.40s' has %llu; "
                        "name those of one table, the label last, as in data.arrays: [x_train, "
                        "y_train], or save them to a file of their own", a[0].path, a[0].name,
                        (unsigned long long)a[0].shape.n_rows, a[i].name,
                        (unsigned long long)a[i].shape.n_rows);
    }
    if (source->n_columns > ASY_CSV_COLUMNS_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "'%s': more than %u columns", a[0].path,
                        ASY_CSV_COLUMNS_MAX);
    find_image(source);
    return 0;
}

static int open_svm(struct asy__source *source, const struct asy__schema *model,
                    struct asy_error *err)
{
    uint64_t index;

    source->header = 1;
    source->range = (struct asy__svm_range){ 1, 0 };
    for (size_t i = 0; model && i < model->n_columns; i++)
        if (asy__svm_index(model->columns[i].name, &index) == 0) {
            source->range.low = index < source->range.low ? index : source->range.low;
            source->range.high = index > source->range.high ? index : source->range.high;
        }
    return asy__svm_scan(source->spec->file, &source->range, err);
}

static int refuse_keys(const struct asy__source *source, struct asy_error *err)
{
    const struct asy__data_spec *spec = source->spec;
    int plain = source->format == ASY__FORMAT_NPY || source->format == ASY__FORMAT_IDX;

    if (spec->labels && !plain)
        return asy_fail(err, ASY_E_INVAL, "'%s': labels: only an NPY or IDX file has its labels in "
                        "another", spec->file);
    if (asy_json_len(spec->arrays) && source->format != ASY__FORMAT_NPZ &&
        source->format != ASY__FORMAT_HDF5)
        return asy_fail(err, ASY_E_INVAL, "'%s': arrays: only an NPZ or HDF5 file has several",
                        spec->file);
    if (spec->header == 1 && source->format >= ASY__FORMAT_LIBSVM)
        return asy_fail(err, ASY_E_INVAL, "'%s': header: only CSV and TSV can have one",
                        spec->file);
    return 0;
}

int asy__source_open(const struct asy__data_spec *spec, const struct asy__schema *model,
                     struct asy__source *ret, struct asy_error *err)
{
    struct asy__source source = { .spec = spec, .header = spec->header };
    int rc;

    if ((rc = find_format(spec, &source.format, err)) < 0 || (rc = refuse_keys(&source, err)) < 0)
        return rc;
    if (source.format == ASY__FORMAT_LIBSVM)
        rc = open_svm(&source, model, err);
    else if (source.format == ASY__FORMAT_NPZ || source.format == ASY__FORMAT_HDF5)
        rc = open_archive(&source, err);
    else if (source.format > ASY__FORMAT_LIBSVM)
        rc = open_plain(&source, err);
    if (rc == 0)
        rc = check_arrays(&source, err);
    if (rc < 0)
        asy__source_close(&source);
    else
        *ret = source;
    return rc;
}

void asy__source_close(struct asy__source *source)
{
    for (size_t i = 0; i < source->n_arrays; i++)
        asy__array_fini(&source->arrays[i]);
    free(source->arrays);
    asy__zip_list_fini(source->members, source->members ? source->n_members : 0);
    asy__hdf5_close(source->hdf5);
    *source = (struct asy__source){ 0 };
}

/* ---- rows ----------------------------------------------------------------------------------- */

/* name[i,j] for the element that stands at a place of a row, as numpy would say it. */
static void add_name(struct asy_buf *names, const struct asy__array *array, size_t c)
{
    const struct asy__shape *shape = &array->shape;
    size_t at[ASY__DIMS_MAX];

    asy_buf_adds(names, array->name);
    if (shape->n_columns == 1)
        return;
    for (size_t d = shape->n_dims; d-- > 1; c /= (size_t)shape->dims[d])
        at[d] = c % (size_t)shape->dims[d];
    for (size_t d = 1; d < shape->n_dims; d++)
        asy_buf_addf(names, "%c%zu", d == 1 ? '[' : ',', at[d]);
    asy_buf_addc(names, ']');
}

static int give_names(const struct asy__source *source, struct asy__cell *cells, asy__row_f row,
                      void *arg, struct asy_error *err)
{
    struct asy_buf names;
    size_t at = 0, from = 0;
    int rc;

    asy_buf_init(&names, 4 * ASY_CSV_ROW_MAX);
    for (size_t i = 0; i < source->n_arrays; i++)
        for (size_t c = 0; c < source->arrays[i].shape.n_columns; c++) {
            add_name(&names, &source->arrays[i], c);
            cells[at++].len = names.len - from;
            from = names.len;
        }
    from = 0;
    if ((rc = asy_buf_check(&names, "the columns' names", err)) == 0) {
        for (size_t c = 0; c < at; c++) {
            cells[c] = (struct asy__cell){ names.data + from, cells[c].len, 1, 0, 0 };
            from += cells[c].len;
        }
        rc = row(arg, 0, cells, at, err);
    }
    asy_buf_fini(&names);
    return rc;
}

static int give_row(struct asy__source *source, uint64_t number, struct asy__cell *cells,
                    asy__row_f row, void *arg, struct asy_error *err)
{
    size_t at = 0;
    int rc;

    for (size_t i = 0; i < source->n_arrays; i++) {
        if ((rc = asy__array_row(&source->arrays[i], cells + at, err)) < 0)
            return rc;
        at += source->arrays[i].shape.n_columns;
    }
    if ((rc = row(arg, number, cells, at, err)) < 0)
        asy_error_prefix(err, "'%s'", source->spec->file);
    return rc;
}

static int begin_arrays(struct asy__source *source, size_t *ret_begun, struct asy_error *err)
{
    int rc;

    for (*ret_begun = 0; *ret_begun < source->n_arrays; ++*ret_begun)
        if ((rc = asy__array_begin(&source->arrays[*ret_begun], err)) < 0)
            return rc;
    return 0;
}

/* Their checksums are one: of a single array its own. */
static int end_arrays(struct asy__source *source, uint32_t *ret_crc, struct asy_error *err)
{
    uint32_t crc = 0, one = 0;
    int rc;

    for (size_t i = 0; i < source->n_arrays; i++) {
        if ((rc = asy__array_end(&source->arrays[i], &one, err)) < 0)
            return rc;
        crc = i ? (uint32_t)crc32_combine(crc, one, sizeof one) : one;
    }
    if (ret_crc)
        *ret_crc = crc;
    return 0;
}

static int array_rows(struct asy__source *source, asy__row_f row, void *arg, uint32_t *ret_crc,
                      struct asy_error *err)
{
    struct asy__cell *cells = calloc(source->n_columns, sizeof *cells);
    uint64_t n = source->arrays[0].shape.n_rows;
    size_t begun = 0;
    int rc;

    if (!cells)
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu columns", source->n_columns);
    rc = begin_arrays(source, &begun, err);
    if (rc == 0 && source->header == 1)
        rc = give_names(source, cells, row, arg, err);
    for (uint64_t r = 0; r < n && rc == 0; r++)
        rc = give_row(source, r + 1, cells, row, arg, err);
    if (rc == 0)
        rc = end_arrays(source, ret_crc, err);
    for (size_t i = 0; i < begun && rc < 0; i++)
        asy__array_stop(&source->arrays[i]);
    free(cells);
    return rc;
}

/* A row of CSV as a row of cells. */
struct csv_rows {
    struct asy__cell *cells;
    size_t cap;
    asy__row_f row;
    void *arg;
};

static int csv_row(void *arg, uint64_t row, const struct asy_csv_field *fields, size_t n,
                   struct asy_error *err)
{
    struct csv_rows *rows = arg;

    if (n > rows->cap) {
        struct asy__cell *more = realloc(rows->cells, n * sizeof *more);

        if (!more)
            return asy_fail(err, ASY_E_NOMEM, "no memory for %zu columns", n);
        rows->cells = more;
        rows->cap = n;
    }
    for (size_t i = 0; i < n; i++)
        rows->cells[i] = (struct asy__cell){ fields[i].text, fields[i].len, fields[i].quoted,
                                               0, 0 };
    return rows->row(rows->arg, row, rows->cells, n, err);
}

int asy__source_rows(struct asy__source *source, asy__row_f row, void *arg, uint32_t *ret_crc,
                     struct asy_error *err)
{
    const struct asy__data_spec *spec = source->spec;
    struct csv_rows csv = { .row = row, .arg = arg };
    char separator = source->format == ASY__FORMAT_TSV ? '\t' : ',';
    int rc;

    if (source->format == ASY__FORMAT_LIBSVM)
        return asy__svm_rows(spec->file, &source->range, row, arg, ret_crc, err);
    if (source->n_arrays)
        return array_rows(source, row, arg, ret_crc, err);
    rc = asy_csv_read_file(spec->file, separator, ASY__TEXT_MAX, csv_row, &csv, ret_crc, err);
    free(csv.cells);
    return rc;
}
