/* SPDX-License-Identifier: Apache-2.0
 * asy/csv.h - a streaming reader of comma-separated values as RFC 4180 describes them.
 *
 * Fields may be quoted; a quoted one may hold separators, line ends and doubled quotes. Lines end
 * in \n or \r\n. A byte order mark is skipped, empty lines too. What RFC 4180 leaves open is an
 * error that names row and column: a quote inside an unquoted field, text after a closing quote, a
 * carriage return alone, a NUL byte, a quote that is never closed. Rows count from 1, header and
 * empty lines included; a row over several lines is one.
 *
 * Ownership: create/destroy; fields are borrowed during the callback.
 * Threads:   one owner. */
#ifndef ASY_CSV_H
#define ASY_CSV_H
#include <asy/buf.h>

#define ASY_CSV_ROW_MAX (16u << 20) /* bytes of one row */
#define ASY_CSV_COLUMNS_MAX 65536u

struct asy_csv_field {
    const char *text; /* not terminated */
    size_t len;
    int quoted;
};
/* One row of n >= 1 fields; a negative result ends the reading and is passed on. */
typedef int (*asy_csv_row_f)(void *arg, uint64_t row, const struct asy_csv_field *fields, size_t n,
                             struct asy_error *err);

struct asy_csv;
ASY_MUST_CHECK int asy_csv_create(char separator, asy_csv_row_f row, void *arg,
                                  struct asy_csv **ret_csv, struct asy_error *err);
void asy_csv_destroy(struct asy_csv *csv);
/* The next n bytes, cut anywhere. After a failure only destroy may follow. */
ASY_MUST_CHECK int asy_csv_feed(struct asy_csv *csv, const char *bytes, size_t n,
                                struct asy_error *err);
/* No more bytes: hands out a last row without a line end. */
ASY_MUST_CHECK int asy_csv_finish(struct asy_csv *csv, struct asy_error *err);

/* Reads the file at path ("-": standard input, which must be a file, too) through a parser,
 * gunzipping it if it is a gzip file, at most max bytes of text. ret_crc (NULL allowed): CRC-32 of
 * the text. */
ASY_MUST_CHECK int asy_csv_read_file(const char *path, char separator, uint64_t max,
                                     asy_csv_row_f row, void *arg, uint32_t *ret_crc,
                                     struct asy_error *err);
const char *asy_csv_zlib_version(void); /* as loaded: "1.2.13" */
#endif
