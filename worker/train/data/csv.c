/* SPDX-License-Identifier: Apache-2.0
 * csv.c - the reader is one state machine over bytes.
 *
 * A row's text (quotes removed) gathers in one buffer, with the end of each field noted beside it;
 * the callback gets pointers into it once the row is whole, so that a row may arrive in any number
 * of pieces. Runs of plain bytes are copied at once. */
#include <asy/csv.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include "stream.h"

enum state {
    FIELD_START, /* nothing of this field yet */
    PLAIN,       /* inside an unquoted field */
    QUOTED,      /* inside quotes */
    QUOTE_SEEN,  /* a quote inside quotes: the end, or the first of two */
    RETURN_SEEN, /* \r: \n must follow */
};

struct mark {
    size_t end; /* of the field, in text */
    int quoted;
};

struct asy_csv {
    char separator;
    asy_csv_row_f row_f;
    void *arg;
    enum state state;
    uint64_t row; /* the one being read, from 1 */
    struct asy_buf text;
    struct mark *marks;
    struct asy_csv_field *fields; /* as many as marks */
    size_t n, cap;
    int quoted; /* the present field is */
    size_t bom; /* bytes of a byte order mark seen at the very start; SIZE_MAX: past it */
};

int asy_csv_create(char separator, asy_csv_row_f row, void *arg, struct asy_csv **ret_csv,
                   struct asy_error *err)
{
    struct asy_csv *csv = calloc(1, sizeof *csv);

    if (!csv)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a CSV reader");
    csv->separator = separator;
    csv->row_f = row;
    csv->arg = arg;
    csv->row = 1;
    asy_buf_init(&csv->text, ASY_CSV_ROW_MAX);
    *ret_csv = csv;
    return 0;
}

void asy_csv_destroy(struct asy_csv *csv)
{
    int saved = errno;

    if (!csv)
        return;
    asy_buf_fini(&csv->text);
    free(csv->marks);
    free(csv->fields);
    free(csv);
    errno = saved;
}

static int complain(const struct asy_csv *csv, const char *what, struct asy_error *err)
{
    return asy_fail(err, ASY_E_FORMAT, "row %llu, column %zu: %s", (unsigned long long)csv->row,
                    csv->n + 1, what);
}

static int end_field(struct asy_csv *csv, struct asy_error *err)
{
    if (csv->text.rc < 0) {
        if (csv->text.rc == ASY_E_TOOBIG)
            return asy_fail(err, ASY_E_TOOBIG, "row %llu: longer than %u bytes",
                            (unsigned long long)csv->row, ASY_CSV_ROW_MAX);
        return asy_buf_check(&csv->text, "a row", err);
    }
    if (csv->n == csv->cap) {
        size_t cap = csv->cap ? csv->cap * 2 : 64;
        struct mark *marks;
        struct asy_csv_field *fields;

        if (csv->n >= ASY_CSV_COLUMNS_MAX)
            return asy_fail(err, ASY_E_TOOBIG, "row %llu: more than %u columns",
                            (unsigned long long)csv->row, ASY_CSV_COLUMNS_MAX);
        if (!(marks = realloc(csv->marks, cap * sizeof *marks)))
            return asy_fail(err, ASY_E_NOMEM, "no memory for %zu columns", cap);
        csv->marks = marks;
        if (!(fields = realloc(csv->fields, cap * sizeof *fields)))
            return asy_fail(err, ASY_E_NOMEM, "no memory for %zu columns", cap);
        csv->fields = fields;
        csv->cap = cap;
    }
    csv->marks[csv->n++] = (struct mark){ csv->text.len, csv->quoted };
    csv->quoted = 0;
    csv->state = FIELD_START;
    return 0;
}

static int end_row(struct asy_csv *csv, struct asy_error *err)
{
    size_t from = 0;
    int rc;

    if ((rc = end_field(csv, err)) < 0)
        return rc;
    for (size_t i = 0; i < csv->n; i++) {
        const struct mark *mark = &csv->marks[i];

        csv->fields[i] = (struct asy_csv_field){ csv->text.data + from, mark->end - from,
                                                 mark->quoted };
        from = mark->end;
    }
    if (csv->n > 1 || csv->fields[0].len > 0 || csv->fields[0].quoted)
        rc = csv->row_f(csv->arg, csv->row, csv->fields, csv->n, err);
    asy_buf_clear(&csv->text);
    csv->n = 0;
    csv->row++;
    return rc;
}

/* A byte that ends or may end a field; the same after plain and after quoted text. */
static int end_byte(struct asy_csv *csv, char c, struct asy_error *err)
{
    if (c == csv->separator)
        return end_field(csv, err);
    if (c == '\n')
        return end_row(csv, err);
    csv->state = RETURN_SEEN;
    return 0;
}

static int is_end(const struct asy_csv *csv, char c)
{
    return c == csv->separator || c == '\n' || c == '\r';
}

/* How many of the n bytes are plain content in the present state. */
static size_t run_of(const struct asy_csv *csv, const char *bytes, size_t n)
{
    size_t i = 0;

    if (csv->state == QUOTED)
        while (i < n && bytes[i] != '"' && bytes[i])
            i++;
    else
        while (i < n && !is_end(csv, bytes[i]) && bytes[i] != '"' && bytes[i])
            i++;
    return i;
}

static int one_byte(struct asy_csv *csv, char c, struct asy_error *err)
{
    if (c == '\0')
        return complain(csv, "a NUL byte: is this a binary file?", err);
    switch (csv->state) {
    case FIELD_START:
        if (c == '"') {
            csv->state = QUOTED;
            csv->quoted = 1;
            return 0;
        }
        return end_byte(csv, c, err);
    case PLAIN:
        if (c == '"')
            return complain(csv, "a quote inside a field that does not begin with one", err);
        return end_byte(csv, c, err);
    case QUOTED: /* only a quote ends a run here */
        csv->state = QUOTE_SEEN;
        return 0;
    case QUOTE_SEEN:
        if (c == '"') {
            asy_buf_addc(&csv->text, c);
            csv->state = QUOTED;
            return 0;
        }
        if (!is_end(csv, c))
            return complain(csv, "text after the closing quote", err);
        return end_byte(csv, c, err);
    case RETURN_SEEN:
        if (c != '\n')
            return complain(csv, "a carriage return without a line feed", err);
        return end_row(csv, err);
    }
    return 0;
}

static size_t skip_bom(struct asy_csv *csv, const char *bytes, size_t n)
{
    static const char bom[] = "\xef\xbb\xbf";
    size_t i = 0;

    while (csv->bom < 3 && i < n && bytes[i] == bom[csv->bom])
        i++, csv->bom++;
    if (csv->bom < 3 && i < n) { /* no mark after all: what looked like one is content */
        asy_buf_add(&csv->text, bom, csv->bom);
        csv->state = csv->bom ? PLAIN : FIELD_START;
        csv->bom = SIZE_MAX;
    }
    return i;
}

int asy_csv_feed(struct asy_csv *csv, const char *bytes, size_t n, struct asy_error *err)
{
    size_t i = csv->bom < 3 ? skip_bom(csv, bytes, n) : 0;

    while (i < n) {
        size_t run = 0;
        int rc;

        if (csv->state <= QUOTED)
            run = run_of(csv, bytes + i, n - i);
        if (run > 0) {
            asy_buf_add(&csv->text, bytes + i, run);
            if (csv->text.rc < 0)
                return end_field(csv, err); /* has the text for it */
            if (csv->state == FIELD_START)
                csv->state = PLAIN;
            i += run;
            continue;
        }
        if ((rc = one_byte(csv, bytes[i++], err)) < 0)
            return rc;
    }
    return 0;
}

int asy_csv_finish(struct asy_csv *csv, struct asy_error *err)
{
    if (csv->state == QUOTED)
        return complain(csv, "a quote is opened and never closed", err);
    if (csv->state == RETURN_SEEN)
        return complain(csv, "a carriage return without a line feed", err);
    if (csv->state == FIELD_START && csv->n == 0)
        return 0;
    return end_row(csv, err);
}

/* Feeds the whole file; bounds the text, so that a small gzip file cannot fill the machine. */
static int feed_all(struct asy__stream *stream, struct asy_csv *csv, uint64_t max,
                    struct asy_error *err)
{
    char *piece = malloc(ASY__PIECE);
    size_t n = 1;
    int rc = 0;

    if (!piece)
        return asy_fail(err, ASY_E_NOMEM, "no memory to read a file");
    while (rc == 0 && n) {
        if ((rc = asy__stream_read(stream, piece, ASY__PIECE, &n, err)) < 0)
            break;
        rc = stream->read > max ? asy_fail(err, ASY_E_TOOBIG, "more than %llu bytes of text",
                                           (unsigned long long)max)
                                : asy_csv_feed(csv, piece, n, err);
    }
    free(piece);
    return rc == 0 ? asy_csv_finish(csv, err) : rc;
}

int asy_csv_read_file(const char *path, char separator, uint64_t max, asy_csv_row_f row, void *arg,
                      uint32_t *ret_crc, struct asy_error *err)
{
    struct asy__stream stream = { 0 };
    struct asy_csv *csv = NULL;
    int rc;

    if ((rc = asy__stream_open(path, &stream, err)) < 0)
        return rc;
    if ((rc = asy_csv_create(separator, row, arg, &csv, err)) < 0 ||
        (rc = feed_all(&stream, csv, max, err)) < 0)
        asy_error_prefix(err, "'%s'", path);
    else if (ret_crc)
        *ret_crc = stream.crc;
    asy__stream_close(&stream);
    asy_csv_destroy(csv);
    return rc;
}

const char *asy_csv_zlib_version(void)
{
    return zlibVersion();
}
