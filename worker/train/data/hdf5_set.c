/* SPDX-License-Identifier: Apache-2.0
 * hdf5_set.c - data sets of HDF5 files: what they are, and their rows.
 *
 * Rows are read in blocks: a call of the library for each would take longer than its row. A block
 * has whole chunks, as the library unpacks a chunk anew for each call unless it is a small one. */
#include "hdf5_impl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct asy__h5 *const h5 = &asy__h5;

#define BLOCK_BYTES (1u << 20)
#define BLOCK_MOST (64u << 20)            /* where a chunk has so many */
#define CHUNK_MAX ((hsize_t)1 << 30)      /* bytes; the library takes memory for a whole one */
#define TEXTS_MAX 256                     /* of any length, in a block */
#define BIG_ENDIAN_HERE (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)

/* What is open of a data set while it is looked at. */
struct look {
    hid_t set, space, type, plist;
};

static void close_look(struct look *look)
{
    if (look->plist >= 0)
        h5->p_close(look->plist);
    if (look->type >= 0)
        h5->t_close(look->type);
    if (look->space >= 0)
        h5->s_close(look->space);
    if (look->set >= 0)
        h5->d_close(look->set);
}

static int open_look(const struct asy__hdf5 *file, const char *name, struct look *ret,
                     struct asy_error *err)
{
    struct look look = { -1, -1, -1, -1 };

    if ((look.set = h5->d_open(file->file, name, H5_DEFAULT)) < 0 ||
        (look.space = h5->d_space(look.set)) < 0 || (look.type = h5->d_type(look.set)) < 0 ||
        (look.plist = h5->d_plist(look.set)) < 0) {
        int rc = asy__h5_fail(err, "it cannot be opened");

        close_look(&look);
        return rc;
    }
    *ret = look;
    return 0;
}

static int read_type(const struct look *look, struct asy__shape *shape, struct asy_error *err)
{
    int class_id = h5->t_class(look->type), variable = 0;
    size_t size = h5->t_size(look->type);

    shape->kind = ASY__FLOAT;
    shape->item = sizeof(double);
    shape->big_endian = BIG_ENDIAN_HERE;
    if (class_id == H5_INTEGER || class_id == H5_FLOAT || class_id == H5_ENUM)
        return 0;
    if (class_id == H5_COMPOUND)
        return asy_fail(err, ASY_E_UNSUPPORTED, "its elements have fields; save them as data sets "
                        "of their own");
    if (class_id != H5_STRING || (variable = h5->t_is_variable(look->type)) < 0)
        return asy_fail(err, ASY_E_UNSUPPORTED, "its type is not read: numbers, truth values and "
                        "texts are");
    shape->kind = variable ? ASY__POINTERS : ASY__BYTES;
    shape->item = variable ? sizeof(char *) : size;
    return shape->item && shape->item <= ASY__ITEM_MAX
               ? 0
               : asy_fail(err, ASY_E_UNSUPPORTED, "its texts have %zu bytes each", size);
}

static int check_filters(const struct look *look, struct asy_error *err)
{
    int n = h5->p_n_filters(look->plist);

    for (int i = 0; i < n; i++) {
        unsigned flags = 0, config = 0;
        char name[40] = "";
        size_t values = 0;
        int filter = h5->p_filter(look->plist, (unsigned)i, &flags, &values, NULL, sizeof name,
                                  name, &config);

        name[sizeof name - 1] = '\0';
        if (filter < 0 || h5->z_has(filter) > 0)
            continue;
        return asy_fail(err, ASY_E_UNSUPPORTED, "it is packed by filter %d ('%s'), which libhdf5 "
                        "has not on this machine; pack it by gzip", filter,
                        asy__utf8_text(name, strlen(name)) ? name : "?");
    }
    return 0;
}

/* The values must be in the file itself. */
static int check_place(const struct look *look, const struct asy__shape *shape,
                       struct asy_error *err)
{
    hsize_t chunk[ASY__DIMS_MAX], bytes = h5->t_size(look->type);
    int layout = h5->p_layout(look->plist);

    if (layout < 0)
        return asy__h5_fail(err, "it cannot be opened");
    if (layout == H5_VIRTUAL || h5->p_external(look->plist) != 0)
        return asy_fail(err, ASY_E_UNSUPPORTED, "its values lie in other files, which are not read "
                        "by way of this one");
    if (layout == H5_CHUNKED &&
        h5->p_chunk(look->plist, ASY__DIMS_MAX, chunk) != (int)shape->n_dims)
        return asy__h5_fail(err, "its chunks cannot be read");
    for (size_t d = 0; d < shape->n_dims && layout == H5_CHUNKED; d++)
        if (chunk[d] == 0 || __builtin_mul_overflow(bytes, chunk[d], &bytes) || bytes > CHUNK_MAX)
            return asy_fail(err, ASY_E_TOOBIG, "its chunks have more than %llu MiB each",
                            CHUNK_MAX >> 20);
    return h5->d_stored(look->set) ? 0
                                  : asy_fail(err, ASY_E_FORMAT, "nothing has been written to it");
}

static int read_shape(const struct look *look, struct asy__shape *shape, struct asy_error *err)
{
    int n = h5->s_n_dims(look->space), rc;
    hsize_t dims[ASY__DIMS_MAX];

    if (n < 0 || n > ASY__DIMS_MAX || h5->s_dims(look->space, dims, NULL) < 0)
        return asy__h5_fail(err, "its shape cannot be read");
    shape->n_dims = (size_t)n;
    for (size_t d = 0; d < shape->n_dims; d++)
        shape->dims[d] = dims[d];
    if ((rc = read_type(look, shape, err)) < 0 || (rc = asy__shape_measure(shape, err)) < 0)
        return rc;
    return (rc = check_place(look, shape, err)) < 0 ? rc : check_filters(look, err);
}

int asy__hdf5_shape(const struct asy__hdf5 *file, const char *name, struct asy__shape *ret,
                    struct asy_error *err)
{
    struct asy__shape shape = { 0 };
    struct look look;
    int rc;

    if ((rc = open_look(file, name, &look, err)) < 0)
        return rc;
    if ((rc = read_shape(&look, &shape, err)) == 0)
        *ret = shape;
    close_look(&look);
    return rc;
}

/* ---- rows ----------------------------------------------------------------------------------- */

struct asy__hdf5_set {
    struct look look;
    hid_t type; /* of the elements in block; borrowed */
    struct asy__shape shape;
    unsigned char *block;   /* rows from.. of it */
    size_t room, from, n;   /* rows that it can hold; the first of it; those that it holds */
    size_t next;            /* row */
};

/* Rows of a block: of whole chunks, where these are not too large. */
static size_t block_rows(const struct look *look, const struct asy__shape *shape)
{
    size_t row = shape->n_columns * shape->item, rows = BLOCK_BYTES / row, most = BLOCK_MOST / row;
    hsize_t chunk[ASY__DIMS_MAX] = { 1 };

    rows = rows ? rows : 1;
    most = most ? most : 1;
    if (shape->kind == ASY__POINTERS) {
        rows = TEXTS_MAX / shape->n_columns;
        rows = rows ? rows : 1;
    } else if (h5->p_layout(look->plist) == H5_CHUNKED &&
               h5->p_chunk(look->plist, ASY__DIMS_MAX, chunk) > 0 && chunk[0] > 0) {
        size_t n = chunk[0] < most ? (size_t)chunk[0] : most;

        rows = rows < n ? n : rows / n * n;
    }
    return rows < shape->n_rows ? rows : (size_t)shape->n_rows;
}

int asy__hdf5_begin(const struct asy__hdf5 *file, const char *name, const struct asy__shape *shape,
                    struct asy__hdf5_set **ret_set, struct asy_error *err)
{
    struct asy__hdf5_set *set = calloc(1, sizeof *set);
    int rc;

    if (!set)
        return asy_fail(err, ASY_E_NOMEM, "no memory to read a data set");
    if ((rc = open_look(file, name, &set->look, err)) < 0) {
        free(set);
        return rc;
    }
    set->shape = *shape;
    set->type = shape->kind == ASY__FLOAT ? *h5->t_double : set->look.type;
    set->room = block_rows(&set->look, shape);
    if (!(set->block = calloc(set->room, shape->n_columns * shape->item))) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for %zu rows of it", set->room);
        asy__hdf5_end(set);
        return rc;
    }
    *ret_set = set;
    return 0;
}

/* The block's n rows from `from` on as one row of elements. */
static hid_t memory_of(const struct asy__hdf5_set *set)
{
    hsize_t n = (hsize_t)set->n * set->shape.n_columns;

    return h5->s_create(1, &n, NULL);
}

/* Texts of any length are the library's. */
static void drop_block(struct asy__hdf5_set *set)
{
    hid_t memory = set->n && set->shape.kind == ASY__POINTERS ? memory_of(set) : -1;

    if (memory >= 0) {
        h5->d_reclaim(set->type, memory, H5_DEFAULT, set->block);
        h5->s_close(memory);
    }
    set->n = 0;
}

void asy__hdf5_end(struct asy__hdf5_set *set)
{
    if (!set)
        return;
    drop_block(set);
    close_look(&set->look);
    free(set->block);
    free(set);
}

/* What does not belong to a text becomes NULs, which do not count at its end. */
static void clear_padding(unsigned char *text, size_t size, int padding)
{
    size_t n = size;

    if (padding == H5_NULL_TERMINATED)
        n = strnlen((const char *)text, size);
    if (padding == H5_SPACE_PADDED)
        while (n && (text[n - 1] == ' ' || text[n - 1] == '\0'))
            n--;
    memset(text + n, 0, size - n);
}

static void clear_paddings(struct asy__hdf5_set *set)
{
    const struct asy__shape *shape = &set->shape;
    int padding = shape->kind == ASY__BYTES ? h5->t_padding(set->type) : -1;

    for (size_t i = 0; padding >= 0 && i < set->n * shape->n_columns; i++)
        clear_padding(set->block + i * shape->item, shape->item, padding);
}

static int read_block(struct asy__hdf5_set *set, struct asy_error *err)
{
    const struct asy__shape *shape = &set->shape;
    size_t left = (size_t)shape->n_rows - set->next;
    hsize_t start[ASY__DIMS_MAX] = { set->next }, count[ASY__DIMS_MAX];
    hid_t memory;
    int rc = 0;

    drop_block(set);
    set->from = set->next;
    set->n = left < set->room ? left : set->room;
    count[0] = set->n;
    for (size_t d = 1; d < shape->n_dims; d++)
        count[d] = shape->dims[d];
    if ((memory = memory_of(set)) < 0 ||
        h5->s_select(set->look.space, H5_SELECT_SET, start, NULL, count, NULL) < 0 ||
        h5->d_read(set->look.set, set->type, memory, set->look.space, H5_DEFAULT, set->block) < 0) {
        rc = asy__h5_fail(err, "its values cannot be read");
        set->n = 0;
    }
    clear_paddings(set);
    if (memory >= 0)
        h5->s_close(memory);
    return rc;
}

int asy__hdf5_row(struct asy__hdf5_set *set, const unsigned char **ret_row, struct asy_error *err)
{
    int rc;

    ASY_ASSERT(set->next < set->shape.n_rows, "row %zu", set->next);
    if (set->next >= set->from + set->n && (rc = read_block(set, err)) < 0)
        return rc;
    *ret_row = set->block +
               (set->next - set->from) * set->shape.n_columns * set->shape.item;
    set->next++;
    return 0;
}
