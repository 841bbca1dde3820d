/* SPDX-License-Identifier: Apache-2.0
 * array.c - the rows of an array. In C's order a row is read at a time. In Fortran's a row lies
 * scattered over the whole array, which is then read into memory. */
#include "array.h"
#include "hdf5.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Names the file, and the array where it has several. */
static int blame(const struct asy__array *array, int rc, struct asy_error *err)
{
    if (rc < 0 && array->name)
        asy_error_prefix(err, "array '%.60s'", array->name);
    if (rc < 0)
        asy_error_prefix(err, "'%s'", array->path);
    return rc;
}

static int read_header(struct asy__array *array, struct asy__shape *ret, struct asy_error *err)
{
    struct asy__stream *s = &array->stream;
    unsigned char head[6];
    size_t n = 0;
    int rc;

    if (array->entry)
        return asy__npy_header(s, ret, err);
    if ((rc = asy__stream_read(s, head, sizeof head, &n, err)) < 0)
        return rc;
    if (gzseek(s->gz, 0, SEEK_SET) < 0)
        return asy_fail(err, ASY_E_IO, "cannot be read again from its start");
    s->crc = 0;
    s->read = 0;
    if (asy__is_idx(head, n))
        return asy__idx_header(s, ret, err);
    if (!asy__is_npy(head, n))
        return asy_fail(err, ASY_E_FORMAT, "it is neither an NPY nor an IDX array");
    return asy__npy_header(s, ret, err);
}

static int open_header(struct asy__array *array, struct asy__shape *ret, struct asy_error *err)
{
    int rc;

    if (array->hdf5)
        return blame(array, asy__hdf5_shape(array->hdf5, array->name, ret, err), err);
    rc = array->entry ? asy__stream_open_member(array->path, array->entry, &array->stream, err)
                      : asy__stream_open(array->path, &array->stream, err);
    return rc < 0 ? rc : blame(array, read_header(array, ret, err), err);
}

void asy__array_stop(struct asy__array *array)
{
    asy__stream_close(&array->stream);
    asy__hdf5_end(array->set);
    array->set = NULL;
    free(array->bytes);
    array->bytes = NULL;
    free(array->place);
    array->place = NULL;
    asy_buf_fini(&array->text);
}

static int describe(struct asy__array array, const char *name, struct asy__array *ret,
                    struct asy_error *err)
{
    int rc;

    if (name && !(array.name = strdup(name)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for an array");
    rc = open_header(&array, &array.shape, err);
    asy__array_stop(&array);
    if (rc < 0)
        free(array.name);
    else
        *ret = array;
    return rc;
}

int asy__array_describe(const char *path, const struct asy__zip_entry *entry, const char *name,
                        struct asy__array *ret, struct asy_error *err)
{
    return describe((struct asy__array){ .path = path, .entry = entry }, name, ret, err);
}

int asy__array_describe_set(const char *path, const struct asy__hdf5 *hdf5, const char *name,
                            struct asy__array *ret, struct asy_error *err)
{
    return describe((struct asy__array){ .path = path, .hdf5 = hdf5 }, name, ret, err);
}

void asy__array_fini(struct asy__array *array)
{
    asy__array_stop(array);
    free(array->name);
    *array = (struct asy__array){ 0 };
}

/* ---- in Fortran's order --------------------------------------------------------------------- */

/* As much as there is, and not what the header claims, is what memory is taken for. */
static int read_whole(struct asy__array *array, size_t total, struct asy_error *err)
{
    size_t have = 0, room = 0, got = 1;
    int rc;

    while (have < total && got) {
        if (have == room) {
            unsigned char *more;

            room = room < total / 2 ? 2 * room + ASY__PIECE : total;
            room = room < total ? room : total;
            if (!(more = realloc(array->bytes, room)))
                return asy_fail(err, ASY_E_NOMEM, "no memory for %zu bytes of it", room);
            array->bytes = more;
        }
        rc = asy__stream_read(&array->stream, array->bytes + have, room - have, &got, err);
        if (rc < 0)
            return rc;
        have += got;
    }
    return have == total ? 0 : asy_fail(err, ASY_E_FORMAT, "it ends after %zu of %zu bytes", have,
                                        total);
}

/* Where the elements of the first row lie: the first dimension runs fastest. */
static void place_columns(const struct asy__shape *shape, size_t *place)
{
    for (size_t c = 0; c < shape->n_columns; c++) {
        size_t at = 0, rest = c, stride[ASY__DIMS_MAX], step = (size_t)shape->n_rows;

        for (size_t d = 1; d < shape->n_dims; d++) {
            stride[d] = step;
            step *= (size_t)shape->dims[d];
        }
        for (size_t d = shape->n_dims; d-- > 1;) {
            at += rest % (size_t)shape->dims[d] * stride[d];
            rest /= (size_t)shape->dims[d];
        }
        place[c] = at * shape->item;
    }
}

static int begin_fortran(struct asy__array *array, struct asy_error *err)
{
    const struct asy__shape *shape = &array->shape;
    double has = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    size_t cells = (size_t)shape->n_rows * shape->n_columns, total;

    if (__builtin_mul_overflow(cells, shape->item, &total) || (double)total > has)
        return asy_fail(err, ASY_E_TOOBIG, "it is in Fortran's order and takes more memory than "
                        "there is; save it in C's (numpy.ascontiguousarray)");
    if (!(array->place = calloc(shape->n_columns, sizeof *array->place)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu columns", shape->n_columns);
    place_columns(shape, array->place);
    array->step = shape->item;
    return read_whole(array, total, err);
}

/* ---- elements ------------------------------------------------------------------------------- */

static uint64_t raw(const unsigned char *p, size_t n, int big_endian)
{
    uint16_t a;
    uint32_t b;
    uint64_t c;

    switch (n) {
    case 1:
        return *p;
    case 2:
        memcpy(&a, p, 2);
        return big_endian ? be16toh(a) : le16toh(a);
    case 4:
        memcpy(&b, p, 4);
        return big_endian ? be32toh(b) : le32toh(b);
    default:
        memcpy(&c, p, 8);
        return big_endian ? be64toh(c) : le64toh(c);
    }
}

/* IEEE 754 binary16. */
static double half(uint64_t bits)
{
    double sign = bits & 0x8000 ? -1 : 1, fraction = (double)(bits & 0x3ff);
    int exponent = (int)(bits >> 10 & 31);

    if (exponent == 31)
        return fraction > 0 ? (double)NAN : sign * (double)INFINITY;
    return sign * (exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24));
}

static double number(const struct asy__shape *shape, const unsigned char *p)
{
    uint64_t bits = raw(p, shape->item, shape->big_endian);
    unsigned spare = 64 - 8 * (unsigned)shape->item;
    uint32_t low = (uint32_t)bits;
    float single;
    double value;

    switch (shape->kind) {
    case ASY__SIGNED:
        return (double)((int64_t)(bits << spare) >> spare);
    case ASY__FLOAT:
        if (shape->item == 2)
            return half(bits);
        memcpy(&single, &low, sizeof single);
        memcpy(&value, &bits, sizeof value);
        return shape->item == 4 ? (double)single : value;
    default:
        return shape->kind == ASY__BOOL ? (double)(bits != 0) : (double)bits;
    }
}

/* As a cell has it, of integers that doubles may not hold. */
static uint64_t whole(const struct asy__shape *shape, const unsigned char *p)
{
    uint64_t bits;

    if (shape->item < 8 || (shape->kind != ASY__SIGNED && shape->kind != ASY__UNSIGNED))
        return 0;
    bits = raw(p, shape->item, shape->big_endian);
    if (shape->kind == ASY__SIGNED && bits >> 63)
        bits = 0 - bits;
    return bits < ASY__EXACT ? 0 : bits;
}

/* Appends a code point. -1: it is none. */
static int add_utf8(struct asy_buf *buf, uint32_t c)
{
    char bytes[4];
    size_t n = c ? asy__utf8_encode(c, bytes) : 0;

    if (!n)
        return -1;
    asy_buf_add(buf, bytes, n);
    return 0;
}

static int add_pointed(struct asy__array *array, const unsigned char *p, struct asy_error *err)
{
    const char *text;

    memcpy(&text, p, sizeof text);
    if (text)
        asy_buf_adds(&array->text, text);
    return asy_buf_check(&array->text, "the texts of a row", err);
}

/* The text of an element goes behind the row's others. NULs behind it do not count. */
static int add_text(struct asy__array *array, const unsigned char *p, struct asy_error *err)
{
    const struct asy__shape *shape = &array->shape;
    size_t unit = shape->kind == ASY__UCS4 ? 4 : 1, n = shape->item / unit;

    if (shape->kind == ASY__POINTERS)
        return add_pointed(array, p, err);
    while (n && !raw(p + (n - 1) * unit, unit, shape->big_endian))
        n--;
    if (unit == 1 && n && memchr(p, 0, n))
        return asy_fail(err, ASY_E_FORMAT, "row %llu: a text with a NUL in it",
                        (unsigned long long)array->row + 1);
    if (unit == 1)
        asy_buf_add(&array->text, p, n);
    for (size_t i = 0; i < n && unit == 4; i++)
        if (add_utf8(&array->text, (uint32_t)raw(p + 4 * i, 4, shape->big_endian)) < 0)
            return asy_fail(err, ASY_E_FORMAT, "row %llu: a text that is not Unicode",
                            (unsigned long long)array->row + 1);
    return asy_buf_check(&array->text, "the texts of a row", err);
}

static int fill_texts(struct asy__array *array, const unsigned char *row, struct asy__cell *cells,
                      struct asy_error *err)
{
    const struct asy__shape *shape = &array->shape;
    size_t from = 0;
    int rc;

    asy_buf_clear(&array->text);
    for (size_t c = 0; c < shape->n_columns; c++) {
        size_t at = array->place ? array->place[c] : c * shape->item;

        if ((rc = add_text(array, row + at, err)) < 0)
            return rc;
        cells[c].len = array->text.len - from;
        from = array->text.len;
    }
    from = 0;
    for (size_t c = 0; c < shape->n_columns; c++) {
        cells[c] = (struct asy__cell){ .text = array->text.data + from, .len = cells[c].len };
        from += cells[c].len;
    }
    return 0;
}

/* ---- rows ----------------------------------------------------------------------------------- */

static int same(const struct asy__shape *a, const struct asy__shape *b)
{
    int same = a->kind == b->kind && a->item == b->item && a->big_endian == b->big_endian &&
               a->fortran == b->fortran && a->n_dims == b->n_dims;

    for (size_t i = 0; same && i < a->n_dims; i++)
        same = a->dims[i] == b->dims[i];
    return same;
}

static int make_ready(struct asy__array *array, const struct asy__shape *now, struct asy_error *err)
{
    const struct asy__shape *shape = &array->shape;
    size_t row = shape->n_columns * shape->item;

    if (!same(now, shape))
        return asy_fail(err, ASY_E_STATE, "it changed while it was read");
    if (array->hdf5)
        return asy__hdf5_begin(array->hdf5, array->name, shape, &array->set, err);
    if (shape->fortran && shape->n_dims > 1)
        return begin_fortran(array, err);
    if (!(array->bytes = malloc(row)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a row of %zu bytes", row);
    return 0;
}

int asy__array_begin(struct asy__array *array, struct asy_error *err)
{
    struct asy__shape now = { 0 };
    int rc;

    array->row = 0;
    array->step = 0;
    array->crc = 0;
    asy_buf_init(&array->text, 4 * ASY_CSV_ROW_MAX);
    if ((rc = open_header(array, &now, err)) == 0)
        rc = blame(array, make_ready(array, &now, err), err);
    if (rc < 0)
        asy__array_stop(array);
    return rc;
}

/* Of what the file says, not of its bytes, which many files of the same say otherwise. */
static void add_crc(struct asy__array *array, const unsigned char *row,
                    const struct asy__cell *cells)
{
    const struct asy__shape *shape = &array->shape;

    if (shape->kind != ASY__POINTERS)
        array->crc = (uint32_t)crc32_z(array->crc, row, shape->n_columns * shape->item);
    for (size_t c = 0; c < shape->n_columns && shape->kind == ASY__POINTERS; c++) {
        array->crc = (uint32_t)crc32_z(array->crc, (const void *)cells[c].text, cells[c].len);
        array->crc = (uint32_t)crc32_z(array->crc, (const void *)"", 1);
    }
}

int asy__array_row(struct asy__array *array, struct asy__cell *cells, struct asy_error *err)
{
    const struct asy__shape *shape = &array->shape;
    size_t n = shape->n_columns * shape->item, got = n;
    const unsigned char *row = array->set ? NULL : array->bytes + array->row * array->step;
    int rc = 0;

    if (array->set)
        rc = asy__hdf5_row(array->set, &row, err);
    else if (!array->step)
        rc = asy__stream_read(&array->stream, array->bytes, n, &got, err);
    if (rc == 0 && got < n)
        rc = asy_fail(err, ASY_E_FORMAT, "it ends in row %llu of %llu",
                      (unsigned long long)array->row + 1, (unsigned long long)shape->n_rows);
    if (rc < 0)
        return blame(array, rc, err);
    if (shape->kind >= ASY__BYTES)
        rc = fill_texts(array, row, cells, err);
    for (size_t c = 0; c < shape->n_columns && shape->kind < ASY__BYTES; c++) {
        size_t at = array->place ? array->place[c] : c * shape->item;

        cells[c] = (struct asy__cell){ .number = number(shape, row + at),
                                       .whole = whole(shape, row + at) };
    }
    array->row++;
    if (array->set && rc == 0)
        add_crc(array, row, cells);
    return blame(array, rc, err);
}

int asy__array_end(struct asy__array *array, uint32_t *ret_crc, struct asy_error *err)
{
    size_t got = 0;
    char more;
    int rc = array->set ? 0 : asy__stream_read(&array->stream, &more, 1, &got, err);

    if (rc == 0 && got)
        rc = asy_fail(err, ASY_E_FORMAT, "more follows its %llu rows",
                      (unsigned long long)array->shape.n_rows);
    if (rc == 0)
        *ret_crc = array->set ? array->crc : array->stream.crc;
    asy__array_stop(array);
    return blame(array, rc, err);
}
