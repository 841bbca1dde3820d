/* SPDX-License-Identifier: Apache-2.0
 * hdf5.h - data sets of an HDF5 file, a row at a time, through the library of The HDF Group, which
 * is loaded when the first such file is read.
 *
 * Whatever else a file may name is left alone: links, data that lies in other files.
 *
 * Ownership: open/close, begin/end; a set borrows its file. Threads: one, as for the library. */
#ifndef ASY__HDF5_H
#define ASY__HDF5_H
#include "array.h"

struct asy__hdf5;     /* a file */
struct asy__hdf5_set; /* a data set that is being read */

/* bytes: the first of a file; a user's block before the format's own must lie within them. */
int asy__is_hdf5(const void *bytes, size_t n);
/* "-" is standard input, which must be a file. ASY_E_UNSUPPORTED: there is no such library. No
 * failure of these names the file. */
ASY_MUST_CHECK int asy__hdf5_open(const char *path, struct asy__hdf5 **ret_file,
                                  struct asy_error *err);
void asy__hdf5_close(struct asy__hdf5 *file); /* NULL is fine */
/* Names of its data sets, those in groups with the groups' names and slashes before. Borrowed. */
size_t asy__hdf5_len(const struct asy__hdf5 *file);
const char *asy__hdf5_name(const struct asy__hdf5 *file, size_t i);
/* As asy__hdf5_row() gives it: numbers as doubles, texts as they are or as pointers. */
ASY_MUST_CHECK int asy__hdf5_shape(const struct asy__hdf5 *file, const char *name,
                                   struct asy__shape *ret, struct asy_error *err);
/* shape: as it was told. */
ASY_MUST_CHECK int asy__hdf5_begin(const struct asy__hdf5 *file, const char *name,
                                   const struct asy__shape *shape, struct asy__hdf5_set **ret_set,
                                   struct asy_error *err);
void asy__hdf5_end(struct asy__hdf5_set *set); /* NULL is fine */
/* The elements of the next row, borrowed until the next call; there must be one. */
ASY_MUST_CHECK int asy__hdf5_row(struct asy__hdf5_set *set, const unsigned char **ret_row,
                                 struct asy_error *err);
#endif
