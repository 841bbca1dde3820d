/* SPDX-License-Identifier: Apache-2.0
 * source.h - the files that a study names as its data, as rows, whatever their format.
 *
 * The format is found by content. Rows may be read any number of times.
 *
 * Ownership: open/close; the spec is borrowed. Threads: one owner. */
#ifndef ASY__SOURCE_H
#define ASY__SOURCE_H
#include "array.h"
#include "data.h"
#include "svm.h"

struct asy__source {
    const struct asy__data_spec *spec;
    enum asy__format format; /* never AUTO */
    /* 1: the first row has the columns' names, 0: it has not, -1: who reads it has to find out */
    int header;
    int by_place; /* names are made up from places: another file's columns may count by theirs */
    size_t image[3]; /* of the one array with several columns, if a row of it is an image */
    struct asy__zip_entry *members; /* NPZ */
    struct asy__hdf5 *hdf5;
    size_t n_members; /* of either */
    struct asy__array *arrays; /* [n_arrays] beside each other: NPZ, NPY, IDX, HDF5 */
    size_t n_arrays, n_columns;
    struct asy__svm_range range;
};

/* model (NULL allowed): columns that must be there, be they all zero (libsvm). */
ASY_MUST_CHECK int asy__source_open(const struct asy__data_spec *spec,
                                    const struct asy__schema *model, struct asy__source *ret,
                                    struct asy_error *err);
void asy__source_close(struct asy__source *source); /* zeroed memory is fine too */
/* Rows have their number in the file; names that are not in it come as row 0. ret_crc (NULL
 * allowed): of all bytes. */
ASY_MUST_CHECK int asy__source_rows(struct asy__source *source, asy__row_f row, void *arg,
                                    uint32_t *ret_crc, struct asy_error *err);
#endif
