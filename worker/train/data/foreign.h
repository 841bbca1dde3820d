/* SPDX-License-Identifier: Apache-2.0
 * foreign.h - files that others read and we do not: known by what they begin with, so that the
 * refusal can say what they are and how to make one of ours of them.
 *
 * Threads: any. Errors: ASY_E_UNSUPPORTED or ASY_E_INVAL, without the file's name. */
#ifndef ASY__FOREIGN_H
#define ASY__FOREIGN_H
#include <asy/error.h>
#include "stream.h"

/* bytes: the first of a file, unpacked. 0: none of those known. */
ASY_MUST_CHECK int asy__foreign_check(const char *bytes, size_t n, struct asy_error *err);
/* A zip archive without an array: a workbook, or a packed table. 0: neither. */
ASY_MUST_CHECK int asy__foreign_zip(const struct asy__zip_entry *members, size_t n,
                                    struct asy_error *err);
/* Of a table with a single column, by its first field: fails if something else than the separator
 * (',' or '\t') separates. later: the row that has more than one field, by which it is noticed;
 * decimals have commas then. */
ASY_MUST_CHECK int asy__foreign_separator(const char *first, char separator, int later,
                                          struct asy_error *err);
#endif
