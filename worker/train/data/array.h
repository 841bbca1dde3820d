/* SPDX-License-Identifier: Apache-2.0
 * array.h - arrays of numbers or texts in files (NPY, members of an NPZ, IDX, data sets of HDF5),
 * given row by row.
 *
 * The first dimension counts rows; the others, in C order, make the columns.
 *
 * Ownership: an array borrows its path, member and HDF5 file. describe/fini; begin/end around each
 *            reading.
 * Threads:   one owner. */
#ifndef ASY__ARRAY_H
#define ASY__ARRAY_H
#include <asy/buf.h>
#include "data.h"
#include "stream.h"

#define ASY__DIMS_MAX 32
#define ASY__ITEM_MAX (16u << 10) /* bytes of one text */

enum asy__number_kind {
    ASY__BOOL, ASY__SIGNED, ASY__UNSIGNED, ASY__FLOAT,
    ASY__BYTES, ASY__UCS4, ASY__POINTERS, /* texts; the last are const char *, NULL: an empty one */
};

/* What an array's header says. */
struct asy__shape {
    enum asy__number_kind kind;
    size_t item; /* bytes of an element */
    int big_endian, fortran;
    size_t n_dims;
    uint64_t dims[ASY__DIMS_MAX];
    uint64_t n_rows;
    size_t n_columns; /* of a row */
};

struct asy__array {
    const char *path;
    const struct asy__zip_entry *entry; /* NULL: the whole file */
    char *name;                         /* a member's, without .npy, or a data set's */
    const struct asy__hdf5 *hdf5;       /* NULL: not in such a file */
    struct asy__hdf5_set *set;          /* of it, while it is read */
    struct asy__shape shape;
    struct asy__stream stream;
    uint64_t row;          /* next, from 0 */
    unsigned char *bytes;  /* of a row; of the whole array if that is in Fortran's order */
    size_t *place;         /* [n_columns] of the first row's elements; NULL: one after the other */
    size_t step;           /* bytes from one row to the next in bytes; 0: each comes there anew */
    struct asy_buf text;   /* of the row's cells */
    uint32_t crc;          /* of a data set's elements so far */
};

/* Learns the shape. name (NULL: it has none) is copied. */
ASY_MUST_CHECK int asy__array_describe(const char *path, const struct asy__zip_entry *entry,
                                       const char *name, struct asy__array *ret,
                                       struct asy_error *err);
/* The same of a data set. */
ASY_MUST_CHECK int asy__array_describe_set(const char *path, const struct asy__hdf5 *hdf5,
                                           const char *name, struct asy__array *ret,
                                           struct asy_error *err);
void asy__array_fini(struct asy__array *array); /* zeroed memory is fine too */
/* Opens it at its first row. ASY_E_STATE: it has another shape by now. */
ASY_MUST_CHECK int asy__array_begin(struct asy__array *array, struct asy_error *err);
/* cells [n_columns], borrowed until the next call. */
ASY_MUST_CHECK int asy__array_row(struct asy__array *array, struct asy__cell *cells,
                                  struct asy_error *err);
/* After the last row: nothing may follow. ret_crc: of all bytes. */
ASY_MUST_CHECK int asy__array_end(struct asy__array *array, uint32_t *ret_crc,
                                  struct asy_error *err);

/* Instead of end, where the reading broke off. */
void asy__array_stop(struct asy__array *array);

/* Rows and columns from the dimensions; ASY_E_TOOBIG. */
ASY_MUST_CHECK int asy__shape_measure(struct asy__shape *shape, struct asy_error *err);
/* The headers, from the start of a stream. */
int asy__is_npy(const void *bytes, size_t n);
int asy__is_idx(const void *bytes, size_t n);
ASY_MUST_CHECK int asy__npy_header(struct asy__stream *stream, struct asy__shape *ret,
                                   struct asy_error *err);
ASY_MUST_CHECK int asy__idx_header(struct asy__stream *stream, struct asy__shape *ret,
                                   struct asy_error *err);
#endif
