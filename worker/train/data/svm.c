/* SPDX-License-Identifier: Apache-2.0
 * svm.c - lines of LIBSVM's format, as its tools and scikit-learn write them.
 *
 * Nothing is guessed: indices ascend in a line, a label is one number, and what belongs to ranking
 * (qid:) or to several labels is refused by name. */
#include "svm.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <asy/buf.h>
#include <asy/parse.h>
#include "stream.h"

#define NAME "feature "

struct words {
    const char *at, *end;
};

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* The next word before a comment or the end; 0: there is none. */
static int next_word(struct words *w, const char **ret, size_t *ret_n)
{
    while (w->at < w->end && is_blank(*w->at))
        w->at++;
    if (w->at == w->end || *w->at == '#')
        return 0;
    *ret = w->at;
    while (w->at < w->end && !is_blank(*w->at) && *w->at != '#')
        w->at++;
    *ret_n = (size_t)(w->at - *ret);
    return 1;
}

static int is_pair(const char *word, size_t n)
{
    const char *colon = memchr(word, ':', n);
    uint64_t index;
    double value;

    if (!colon)
        return 0;
    if (colon - word == 3 && !memcmp(word, "qid", 3))
        return 1;
    return asy_parse_u64(word, (size_t)(colon - word), &index, NULL) == 0 &&
           asy_parse_f64(colon + 1, n - (size_t)(colon + 1 - word), &value, NULL) == 0;
}

int asy__is_svm(const char *text, size_t n)
{
    const char *stop = text + n, *line = text, *end;

    while (stop > text && stop[-1] != '\n' && !is_blank(stop[-1]))
        stop--; /* of a line that is cut off, its whole words */
    for (; line < stop; line = end < stop ? end + 1 : stop) {
        struct words words = { line, NULL };
        size_t len = 0, pairs = 0;
        const char *word = NULL;
        double label;

        if (!(end = memchr(line, '\n', (size_t)(stop - line))))
            end = stop;
        words.end = end;
        if (!next_word(&words, &word, &len))
            continue;
        if (asy_parse_f64(word, len, &label, NULL) < 0)
            return 0;
        for (; next_word(&words, &word, &len); pairs++)
            if (!is_pair(word, len))
                return 0;
        if (pairs)
            return 1;
    }
    return 0;
}

/* ---- lines ---------------------------------------------------------------------------------- */

struct pair {
    uint64_t index;
    double value;
    uint64_t whole; /* as a cell's */
};

struct reader {
    uint64_t line; /* from 1 */
    double label;
    uint64_t whole; /* of the label */
    struct pair *pairs; /* of the line */
    size_t n, cap;
    struct asy__svm_range *range; /* to widen; NULL: rows are wanted */
    /* rows */
    uint64_t low;
    size_t width; /* of features */
    struct asy__cell *cells; /* [width + 1] */
    asy__row_f row;
    void *arg;
};

static int bad_line(const struct reader *r, struct asy_error *err, const char *word, size_t n,
                    const char *why)
{
    return asy_fail(err, ASY_E_FORMAT, "row %llu: '%.*s' %s", (unsigned long long)r->line,
                    (int)(n < 40 ? n : 40), word, why);
}

static int read_pair(struct reader *r, const char *word, size_t n, struct asy_error *err)
{
    const char *colon = memchr(word, ':', n);
    struct pair pair;

    if (colon && colon - word == 3 && !memcmp(word, "qid", 3))
        return bad_line(r, err, word, n, "is for ranking, which no model here does");
    if (!colon || asy_parse_u64(word, (size_t)(colon - word), &pair.index, NULL) < 0)
        return bad_line(r, err, word, n, "is not index:value");
    if (asy_parse_f64(colon + 1, n - (size_t)(colon + 1 - word), &pair.value, NULL) < 0)
        return bad_line(r, err, word, n, "has no number behind the colon");
    pair.whole = asy__whole(colon + 1, n - (size_t)(colon + 1 - word));
    if (pair.index >= ASY_CSV_COLUMNS_MAX)
        return bad_line(r, err, word, n, "is beyond the 65535 features that a row may have");
    if (r->n && r->pairs[r->n - 1].index >= pair.index)
        return bad_line(r, err, word, n, "comes after an index that is not lower");
    if (r->n == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : 64;
        struct pair *more = realloc(r->pairs, cap * sizeof *more);

        if (!more)
            return asy_fail(err, ASY_E_NOMEM, "no memory for a row");
        r->pairs = more;
        r->cap = cap;
    }
    r->pairs[r->n++] = pair;
    return 0;
}

/* ret_empty: there is nothing in it. */
static int read_line(struct reader *r, const char *text, size_t n, int *ret_empty,
                     struct asy_error *err)
{
    struct words words = { text, text + n };
    const char *word = NULL;
    size_t len = 0;
    int rc;

    r->n = 0;
    if (memchr(text, 0, n))
        return asy_fail(err, ASY_E_FORMAT, "row %llu: a NUL byte: is this a binary file?",
                        (unsigned long long)r->line);
    if ((*ret_empty = !next_word(&words, &word, &len)))
        return 0;
    if (asy_parse_f64(word, len, &r->label, NULL) < 0)
        return bad_line(r, err, word, len,
                        memchr(word, ',', len) ? "are several labels; the native models have one"
                                               : "is no number; a line begins with its label");
    r->whole = asy__whole(word, len);
    while (next_word(&words, &word, &len))
        if ((rc = read_pair(r, word, len, err)) < 0)
            return rc;
    return 0;
}

static int take_line(struct reader *r, const char *text, size_t n, struct asy_error *err)
{
    int empty = 0, rc = read_line(r, text, n, &empty, err);

    if (rc < 0 || empty)
        return rc;
    if (r->range) {
        if (r->n && r->pairs[0].index < r->range->low)
            r->range->low = r->pairs[0].index;
        if (r->n && r->pairs[r->n - 1].index > r->range->high)
            r->range->high = r->pairs[r->n - 1].index;
        return 0;
    }
    for (size_t c = 0; c < r->width; c++)
        r->cells[c].number = 0, r->cells[c].whole = 0;
    for (size_t i = 0; i < r->n; i++) {
        if (r->pairs[i].index < r->low || r->pairs[i].index - r->low >= r->width)
            return asy_fail(err, ASY_E_STATE, "it changed while it was read");
        r->cells[r->pairs[i].index - r->low].number = r->pairs[i].value;
        r->cells[r->pairs[i].index - r->low].whole = r->pairs[i].whole;
    }
    r->cells[r->width].number = r->label;
    r->cells[r->width].whole = r->whole;
    return r->row(r->arg, r->line, r->cells, r->width + 1, err);
}

/* The whole lines in the buffer; what is left of it is the beginning of the next. */
static int take_lines(struct reader *r, struct asy_buf *buf, struct asy_error *err)
{
    const char *line = buf->data, *end, *stop = buf->data + buf->len;
    int rc;

    for (; (end = memchr(line, '\n', (size_t)(stop - line))); line = end + 1) {
        r->line++;
        if ((rc = take_line(r, line, (size_t)(end - line), err)) < 0)
            return rc;
    }
    asy_buf_drop(buf, (size_t)(line - buf->data));
    return 0;
}

static int read_stream(struct reader *r, struct asy__stream *stream, struct asy_buf *buf,
                       struct asy_error *err)
{
    size_t got = 1;
    int rc;

    while (got) {
        char *room = asy_buf_room(buf, ASY__PIECE);

        if (!room && buf->rc == ASY_E_TOOBIG)
            return asy_fail(err, ASY_E_TOOBIG, "row %llu: longer than %u bytes",
                            (unsigned long long)r->line + 1, ASY_CSV_ROW_MAX);
        if (!room)
            return asy_buf_check(buf, "a row", err);
        if ((rc = asy__stream_read(stream, room, ASY__PIECE, &got, err)) < 0)
            return rc;
        if (stream->read > ASY__TEXT_MAX)
            return asy_fail(err, ASY_E_TOOBIG, "more than %llu bytes of text",
                            (unsigned long long)ASY__TEXT_MAX);
        asy_buf_grew(buf, got);
        if ((rc = take_lines(r, buf, err)) < 0)
            return rc;
    }
    r->line++;
    return take_line(r, buf->data, buf->len, err);
}

static int read_file(struct reader *r, const char *path, uint32_t *ret_crc, struct asy_error *err)
{
    struct asy__stream stream = { 0 };
    struct asy_buf buf;
    int rc;

    if ((rc = asy__stream_open(path, &stream, err)) < 0)
        return rc;
    asy_buf_init(&buf, ASY_CSV_ROW_MAX + ASY__PIECE);
    if ((rc = read_stream(r, &stream, &buf, err)) < 0)
        asy_error_prefix(err, "'%s'", path);
    else if (ret_crc)
        *ret_crc = stream.crc;
    asy_buf_fini(&buf);
    asy__stream_close(&stream);
    free(r->pairs);
    return rc;
}

int asy__svm_scan(const char *path, struct asy__svm_range *range, struct asy_error *err)
{
    struct asy__svm_range found = *range;
    struct reader r = { .range = &found };
    int rc = read_file(&r, path, NULL, err);

    if (rc == 0 && found.low <= found.high && found.high - found.low + 2 > ASY_CSV_COLUMNS_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "'%s': features %llu to %llu and the label are more "
                        "than %u columns", path, (unsigned long long)found.low,
                        (unsigned long long)found.high, ASY_CSV_COLUMNS_MAX);
    if (rc == 0)
        *range = found;
    return rc;
}

/* ---- rows ----------------------------------------------------------------------------------- */

static int name_row(const struct reader *r, struct asy_error *err)
{
    struct asy_buf names;
    size_t from = 0;
    int rc;

    asy_buf_init(&names, ASY_CSV_ROW_MAX);
    for (size_t c = 0; c < r->width; c++) {
        asy_buf_addf(&names, NAME "%llu", (unsigned long long)(r->low + c));
        r->cells[c].len = names.len - from;
        from = names.len;
    }
    asy_buf_adds(&names, "label");
    r->cells[r->width].len = names.len - from;
    if ((rc = asy_buf_check(&names, "the columns' names", err)) == 0) {
        from = 0;
        for (size_t c = 0; c <= r->width; c++) {
            r->cells[c].text = names.data + from;
            from += r->cells[c].len;
        }
        rc = r->row(r->arg, 0, r->cells, r->width + 1, err);
    }
    for (size_t c = 0; c <= r->width; c++)
        r->cells[c] = (struct asy__cell){ 0 };
    asy_buf_fini(&names);
    return rc;
}

int asy__svm_rows(const char *path, const struct asy__svm_range *range, asy__row_f row, void *arg,
                  uint32_t *ret_crc, struct asy_error *err)
{
    struct reader r = { .low = range->low, .row = row, .arg = arg };
    int rc;

    if (range->low > range->high)
        return asy_fail(err, ASY_E_FORMAT, "'%s': no row has a feature", path);
    r.width = (size_t)(range->high - range->low + 1);
    if (!(r.cells = calloc(r.width + 1, sizeof *r.cells)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu columns", r.width + 1);
    if ((rc = name_row(&r, err)) == 0)
        rc = read_file(&r, path, ret_crc, err);
    free(r.cells);
    return rc;
}

int asy__svm_index(const char *name, uint64_t *ret)
{
    size_t n = strlen(NAME);

    if (strncmp(name, NAME, n) != 0)
        return -1;
    return asy_parse_u64(name + n, strlen(name + n), ret, NULL) < 0 ||
                   *ret >= ASY_CSV_COLUMNS_MAX ? -1 : 0;
}
