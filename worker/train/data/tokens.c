/* SPDX-License-Identifier: Apache-2.0
 * tokens.c - see tokens.h. The first reading counts tokens and finds the vocabulary, the second one
 * numbers them. */
#include "tokens.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "array.h"
#include "utf8.h"

#define MARK 0xfeffu     /* the byte order mark, which is no token at a text's start */
#define BEHIND 64        /* bytes that may be read behind the tokens */

int asy__format_is_tokens(enum asy__format format)
{
    return format == ASY__FORMAT_TEXT || format == ASY__FORMAT_TOKENS;
}

/* ---- reading -------------------------------------------------------------------------------- */

/* Code points or numbers, a piece at a time. */
struct reader {
    struct asy__stream stream;
    int is_text;
    struct asy__shape shape; /* of an array */
    uint64_t at;             /* bytes of a text, or numbers of an array, so far */
    size_t held;             /* bytes at the buffer's start that begin a character */
    uint32_t *points;        /* [ASY__PIECE]: the piece */
    unsigned char *bytes;    /* [ASY__PIECE] */
};

static void reader_close(struct reader *r)
{
    asy__stream_close(&r->stream);
    free(r->points);
    free(r->bytes);
}

static int read_head(struct reader *r, struct asy_error *err)
{
    int rc = asy__npy_header(&r->stream, &r->shape, err);

    if (rc < 0)
        return rc;
    if (r->shape.kind != ASY__SIGNED && r->shape.kind != ASY__UNSIGNED)
        return asy_fail(err, ASY_E_FORMAT, "tokens are whole numbers, which its type is not of");
    if (r->shape.n_dims != 1)
        return asy_fail(err, ASY_E_FORMAT, "tokens are an array of one dimension, not of %zu",
                        r->shape.n_dims);
    return 0;
}

static int reader_open(const struct asy__data_spec *spec, struct reader *ret, struct asy_error *err)
{
    struct reader r = { .is_text = spec->format == ASY__FORMAT_TEXT };
    int rc = asy__stream_open(spec->file, &r.stream, err);

    if (rc < 0)
        return rc;
    r.points = malloc(ASY__PIECE * sizeof *r.points);
    r.bytes = malloc(ASY__PIECE);
    if (!r.points || !r.bytes)
        rc = asy_fail(err, ASY_E_NOMEM, "no memory to read tokens");
    else if (!r.is_text)
        rc = read_head(&r, err);
    if (rc < 0) {
        reader_close(&r);
        return rc;
    }
    *ret = r;
    return 0;
}

/* Of n bytes those that make whole characters; the rest is held. last: nothing follows. */
static int take_text(struct reader *r, size_t n, int last, size_t *ret_n, struct asy_error *err)
{
    size_t at = 0, found = 0;

    while (at < n) {
        size_t len = asy__utf8_decode((const char *)r->bytes + at, n - at,
                                      &r->points[found]);

        if (!len && !last && n - at < 4)
            break;
        if (!len)
            return asy_fail(err, ASY_E_FORMAT, "byte %llu (0x%02x) is not UTF-8, which a text is",
                            (unsigned long long)r->at + 1, r->bytes[at]);
        if (!r->bytes[at])
            return asy_fail(err, ASY_E_FORMAT, "byte %llu is zero, which no text has",
                            (unsigned long long)r->at + 1);
        found += r->at || r->points[found] != MARK;
        at += len;
        r->at += len;
    }
    r->held = n - at;
    memmove(r->bytes, r->bytes + at, r->held);
    *ret_n = found;
    return 0;
}

static int next_text(struct reader *r, size_t *ret_n, struct asy_error *err)
{
    size_t want, got = 0;
    int rc = 0;

    do { /* a mark alone makes no token */
        want = ASY__PIECE - r->held;
        if ((rc = asy__stream_read(&r->stream, r->bytes + r->held, want, &got, err)) == 0)
            rc = take_text(r, r->held + got, got < want, ret_n, err);
    } while (rc == 0 && !*ret_n && got == want);
    return rc;
}

/* The element's bits, extended to 64. */
static uint64_t element(const struct asy__shape *shape, const unsigned char *b)
{
    uint64_t bits = 0;
    unsigned shift = 64 - 8 * (unsigned)shape->item;

    for (size_t i = 0; i < shape->item; i++)
        bits = bits << 8 | b[shape->big_endian ? i : shape->item - 1 - i];
    if (shape->kind == ASY__SIGNED)
        return (uint64_t)((int64_t)(bits << shift) >> shift);
    return bits;
}

static int next_numbers(struct reader *r, size_t *ret_n, struct asy_error *err)
{
    uint64_t left = r->shape.n_rows - r->at;
    size_t item = r->shape.item, n = ASY__PIECE / item, got = 0;
    int rc;

    n = left < n ? (size_t)left : n;
    *ret_n = n;
    if (!n) {
        rc = asy__stream_read(&r->stream, r->bytes, 1, &got, err);
        return rc < 0 || !got ? rc : asy_fail(err, ASY_E_FORMAT, "something follows its numbers");
    }
    if ((rc = asy__stream_read(&r->stream, r->bytes, n * item, &got, err)) < 0)
        return rc;
    if (got < n * item)
        return asy_fail(err, ASY_E_FORMAT, "it ends after %llu of %llu numbers",
                        (unsigned long long)r->at + got / item,
                        (unsigned long long)r->shape.n_rows);
    for (size_t i = 0; i < n; i++) {
        uint64_t bits = element(&r->shape, r->bytes + i * item);

        if (bits >= ASY__VOCABULARY_MAX && r->shape.kind == ASY__SIGNED && (int64_t)bits < 0)
            return asy_fail(err, ASY_E_FORMAT, "token %llu is %lld; tokens are numbered from 0",
                            (unsigned long long)r->at + i + 1, (long long)bits);
        if (bits >= ASY__VOCABULARY_MAX)
            return asy_fail(err, ASY_E_TOOBIG, "token %llu is %llu; numbers up to %d are read",
                            (unsigned long long)r->at + i + 1, (unsigned long long)bits,
                            ASY__VOCABULARY_MAX - 1);
        r->points[i] = (uint32_t)bits;
    }
    r->at += n;
    return 0;
}

/* 0 tokens: the end. */
static int reader_next(struct reader *r, size_t *ret_n, struct asy_error *err)
{
    return r->is_text ? next_text(r, ret_n, err) : next_numbers(r, ret_n, err);
}

/* ---- the vocabulary ------------------------------------------------------------------------- */

struct load {
    const struct asy__data_spec *spec;
    const struct asy__schema *model; /* NULL: find the vocabulary */
    const char *folder;
    uint32_t *ids; /* [ASY__POINTS] of a text: number + 1, 0 for what does not occur */
    uint64_t n;    /* tokens */
    uint32_t most; /* of an array's */
};

/* How many tokens there are, and which. */
static int survey(struct load *load, struct asy_error *err)
{
    struct reader r;
    size_t n = 0;
    int rc = reader_open(load->spec, &r, err);

    if (rc < 0)
        return rc;
    while ((rc = reader_next(&r, &n, err)) == 0 && n) {
        load->n += n;
        for (size_t i = 0; i < n; i++) {
            if (r.is_text)
                load->ids[r.points[i]] = 1;
            else
                load->most = r.points[i] > load->most ? r.points[i] : load->most;
        }
    }
    reader_close(&r);
    return rc;
}

/* Numbers for the characters that occur: new ones, or the model's. */
static int number(struct load *load, struct asy__schema *schema, struct asy_error *err)
{
    int rc = 0;

    for (uint32_t point = 0; point < ASY__POINTS && rc == 0; point++) {
        char text[4];
        size_t len, id = 0;

        if (!load->ids[point])
            continue;
        len = asy__utf8_encode(point, text);
        if (load->model) {
            id = asy__dict_find(&schema->classes, text, len);
            if (id == ASY__DICT_NONE)
                return asy_fail(err, ASY_E_FORMAT, "the model does not know '%.*s' (U+%04X), which "
                                "was not in what it was trained on", (int)len, text, point);
        } else if ((rc = asy__dict_add(&schema->classes, text, len, &id, err)) == ASY_E_FULL) {
            return asy_fail(err, ASY_E_TOOBIG, "more than %d distinct characters are too many",
                            ASY__VOCABULARY_MAX);
        }
        load->ids[point] = (uint32_t)id + 1;
    }
    return rc;
}

static int make_schema(struct load *load, struct asy__schema *schema, struct asy_error *err)
{
    int is_text = load->spec->format == ASY__FORMAT_TEXT, rc;

    if (!load->model) {
        asy__dict_init(&schema->classes, ASY__VOCABULARY_MAX);
        schema->classification = 1;
        rc = is_text ? number(load, schema, err) : 0;
        schema->vocabulary = is_text ? schema->classes.n : (size_t)load->most + 1;
        if (rc == 0 && schema->vocabulary < 2)
            rc = asy_fail(err, ASY_E_FORMAT, "all of its tokens are the same, there is nothing to "
                          "learn");
        return rc;
    }
    if (!load->model->vocabulary || (load->model->classes.n > 0) != is_text)
        return asy_fail(err, ASY_E_INVAL, "the model was trained on %s, not on %s",
                        !load->model->vocabulary   ? "rows of a table"
                        : load->model->classes.n ? "a text"
                                                   : "numbers",
                        is_text ? "a text" : "numbers");
    if ((rc = asy__schema_copy(load->model, schema, err)) < 0)
        return rc;
    if (is_text)
        return number(load, schema, err);
    return load->most < schema->vocabulary
               ? 0
               : asy_fail(err, ASY_E_FORMAT, "the model knows tokens up to %zu, not %u",
                          schema->vocabulary - 1, load->most);
}

/* ---- tokens --------------------------------------------------------------------------------- */

/* In memory, or in a file: "tokens.npy" of the folder, or one without a name. */
static int make_room(const struct load *load, struct asy__data *data, struct asy_error *err)
{
    size_t len = ASY__NPY_HEAD + (size_t)load->n * sizeof *data->tokens;
    int rc;

    if (load->folder || (double)len > asy__machine_bytes()) {
        rc = load->folder ? asy__pages_make(load->folder, "tokens.npy", len, &data->x_pages, err)
                          : asy__pages_make(asy__disk_folder(), NULL, len, &data->x_pages, err);
        if (rc < 0)
            return rc;
        asy__npy_head(data->x_pages.at, "<u2", (size_t)load->n, 0);
        data->tokens = (uint16_t *)(void *)((char *)data->x_pages.at + ASY__NPY_HEAD);
        return 0;
    }
    if (!(data->tokens = malloc(len + BEHIND)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for %llu tokens", (unsigned long long)load->n);
    return 0;
}

static int fill(const struct load *load, struct asy__data *data, struct asy_error *err)
{
    uint64_t at = 0;
    struct reader r;
    size_t n = 0;
    int rc = reader_open(load->spec, &r, err);

    if (rc < 0)
        return rc;
    while ((rc = reader_next(&r, &n, err)) == 0 && n) {
        for (size_t i = 0; i < n && at + i < load->n; i++) {
            uint32_t id = r.is_text ? load->ids[r.points[i]] - 1 : r.points[i];

            if (id >= data->schema.vocabulary)
                at = load->n; /* it was not there before */
            else
                data->tokens[at + i] = (uint16_t)id;
        }
        at += n;
    }
    if (rc == 0 && at != load->n)
        rc = asy_fail(err, ASY_E_STATE, "the file changed while it was read");
    data->crc = r.stream.crc;
    reader_close(&r);
    return rc;
}

static int load_all(struct load *load, struct asy__data *data, struct asy_error *err)
{
    int rc;

    if (!(load->ids = calloc(load->spec->format == ASY__FORMAT_TEXT ? ASY__POINTS : 1,
                             sizeof *load->ids)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a vocabulary");
    if ((rc = survey(load, err)) < 0)
        return rc;
    if (load->n > INT32_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "%llu tokens are more than the %d that are read",
                        (unsigned long long)load->n, INT32_MAX);
    if (load->n == 0)
        return asy_fail(err, ASY_E_FORMAT, "it is empty");
    data->n_rows = (size_t)load->n;
    if ((rc = make_schema(load, &data->schema, err)) < 0 ||
        (rc = asy__tokens_split(load->spec, data, err)) < 0 ||
        (rc = make_room(load, data, err)) < 0)
        return rc;
    return fill(load, data, err);
}

int asy__tokens_load(const struct asy__data_spec *spec, const struct asy__schema *model,
                     const char *folder, struct asy__data *ret, struct asy_error *err)
{
    struct load load = { .spec = spec, .model = model, .folder = folder };
    struct asy__data data = { 0 };
    uint64_t size;
    int fd, rc;

    if ((rc = asy__file_open(spec->file, &fd, &size, err)) < 0)
        return rc; /* this names the file, what fails later does not */
    close(fd);
    rc = load_all(&load, &data, err);
    free(load.ids);
    if (rc < 0) {
        asy_error_prefix(err, "'%s'", spec->file);
        asy__data_fini(&data);
        return rc;
    }
    *ret = data;
    return 0;
}
