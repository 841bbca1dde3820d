/* SPDX-License-Identifier: Apache-2.0
 * pages.h - large arrays in files, mapped into memory: what the machine cannot hold it fetches
 * again, and processes that map one file share it.
 *
 * Behind the file's bytes at least 64 more may be read; what they are does not matter.
 *
 * Ownership: make or open, then close. Threads: one owner while it is written. */
#ifndef ASY__PAGES_H
#define ASY__PAGES_H
#include <stdint.h>
#include <asy/error.h>

struct asy__pages {
    void *at; /* NULL: none */
    size_t len;
};
/* A new file of so many bytes, all zero, for reading and writing; the disk has promised them. name:
 * in the folder; NULL: it has none and is gone when it is closed. */
ASY_MUST_CHECK int asy__pages_make(const char *folder, const char *name, size_t len,
                                   struct asy__pages *ret, struct asy_error *err);
/* ASY_E_CORRUPT: the file is of another length. For reading. */
ASY_MUST_CHECK int asy__pages_open(const char *path, size_t len, struct asy__pages *ret,
                                   struct asy_error *err);
void asy__pages_close(struct asy__pages *pages); /* zeroed memory is fine too */

/* NPY, version 1.0, of a header of just so many bytes: rows of `columns` elements (0: of one, in
 * one dimension) of a type as numpy writes it. */
#define ASY__NPY_HEAD 128
void asy__npy_head(char head[ASY__NPY_HEAD], const char *type, size_t rows, size_t columns);
#endif
