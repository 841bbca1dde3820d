/* SPDX-License-Identifier: Apache-2.0
 * npy.c - the headers of numpy's format (NEP 1: versions 1.0, 2.0 and 3.0) and of IDX, the format
 * of the MNIST files.
 *
 * An NPY header is a Python dictionary; we read exactly what numpy writes, its three keys in any
 * order, and evaluate nothing. Objects are pickles, which can run code: never read. */
#include <stdlib.h>
#include <string.h>
#include <asy/parse.h>
#include "array.h"

#define NPY_HEADER_MAX (64u << 10)

int asy__is_npy(const void *bytes, size_t n)
{
    return n >= 6 && !memcmp(bytes, "\x93NUMPY", 6);
}

int asy__is_idx(const void *bytes, size_t n)
{
    const unsigned char *p = bytes;

    return n >= 4 && !p[0] && !p[1] && p[2] >= 8 && p[2] <= 14 && p[2] != 10 && p[3];
}

static int read_all(struct asy__stream *stream, void *bytes, size_t n, struct asy_error *err)
{
    size_t got = 0;
    int rc = asy__stream_read(stream, bytes, n, &got, err);

    return rc < 0 ? rc : got == n ? 0 : asy_fail(err, ASY_E_FORMAT, "it ends within its header");
}

int asy__shape_measure(struct asy__shape *shape, struct asy_error *err)
{
    uint64_t columns = 1;

    if (!shape->n_dims)
        return asy_fail(err, ASY_E_INVAL, "it is a single value; rows are wanted");
    for (size_t i = 1; i < shape->n_dims; i++)
        if (__builtin_mul_overflow(columns, shape->dims[i], &columns))
            columns = UINT64_MAX;
    shape->n_rows = shape->dims[0];
    if (!shape->n_rows || !columns)
        return asy_fail(err, ASY_E_FORMAT, "it has no %s", columns ? "rows" : "columns");
    if (columns > ASY_CSV_COLUMNS_MAX || columns * shape->item > ASY_CSV_ROW_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "%llu columns of %zu bytes are too many",
                        (unsigned long long)columns, shape->item);
    if (shape->n_rows > INT32_MAX || shape->n_rows * columns > ASY__CELLS_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "%llu rows of %llu columns are too many",
                        (unsigned long long)shape->n_rows, (unsigned long long)columns);
    shape->n_columns = (size_t)columns;
    return 0;
}

/* ---- NPY ------------------------------------------------------------------------------------ */

struct cursor {
    const char *at, *end;
};

static void blanks(struct cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\t'))
        c->at++;
}

/* Whether the word is next, which it then passes. */
static int take(struct cursor *c, const char *word)
{
    size_t n = strlen(word);

    blanks(c);
    if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0)
        return 0;
    c->at += n;
    return 1;
}

static int take_quoted(struct cursor *c, struct cursor *ret)
{
    char quote;

    blanks(c);
    if (c->at == c->end || (*c->at != '\'' && *c->at != '"'))
        return 0;
    quote = *c->at++;
    ret->at = c->at;
    while (c->at < c->end && *c->at != quote && *c->at != '\\')
        c->at++;
    ret->end = c->at;
    return take(c, quote == '\'' ? "'" : "\"");
}

static int bad_header(struct asy_error *err, const char *what)
{
    return asy_fail(err, ASY_E_FORMAT, "its header has no usable %s", what);
}

static int other_type(struct asy_error *err, const char *text, size_t n, const char *why)
{
    return asy_fail(err, ASY_E_UNSUPPORTED, "its type '%.*s' is not read: %s",
                    (int)(n < 20 ? n : 20), text, why);
}

static int read_type(struct cursor *c, struct asy__shape *shape, struct asy_error *err)
{
    static const struct {
        char letter;
        enum asy__number_kind kind;
        unsigned sizes; /* sum of those that there are, each a power of two; 0: any */
        const char *says;
    } kinds[] = { { 'b', ASY__BOOL, 1, "a truth value has 1 byte" },
                  { 'i', ASY__SIGNED, 15, "a whole number has 1, 2, 4 or 8 bytes" },
                  { 'u', ASY__UNSIGNED, 15, "a whole number has 1, 2, 4 or 8 bytes" },
                  { 'f', ASY__FLOAT, 14, "a floating-point number has 2, 4 or 8 bytes" },
                  { 'S', ASY__BYTES, 0, NULL },
                  { 'a', ASY__BYTES, 0, NULL },
                  { 'U', ASY__UCS4, 0, NULL } };
    struct cursor t;
    uint64_t size = 0;
    size_t k = 0, n;

    if (take(c, "["))
        return other_type(err, "[...]", 5, "it has fields; save them as arrays of an NPZ");
    if (!take_quoted(c, &t))
        return bad_header(err, "type");
    n = (size_t)(t.end - t.at);
    if (n && memchr("<>|=", *t.at, 4))
        shape->big_endian = *t.at++ == '>';
    if (t.at < t.end && *t.at == 'O')
        return other_type(err, t.end - n, n, "Python objects can run code; save numbers or texts");
    while (k < ASY_ARRAY_LEN(kinds) && (t.at == t.end || kinds[k].letter != *t.at))
        k++;
    if (k == ASY_ARRAY_LEN(kinds) ||
        asy_parse_u64(t.at + 1, (size_t)(t.end - t.at - 1), &size, NULL) < 0)
        return other_type(err, t.end - n, n, "numbers, truth values and texts are");
    if (kinds[k].sizes && ((size & (size - 1)) || !(kinds[k].sizes & size)))
        return other_type(err, t.end - n, n, kinds[k].says);
    if (!size)
        return other_type(err, t.end - n, n, "all its texts are empty");
    if (kinds[k].kind == ASY__UCS4 && __builtin_mul_overflow(size, 4u, &size))
        size = UINT64_MAX;
    if (size > ASY__ITEM_MAX)
        return other_type(err, t.end - n, n, "an element has too many bytes");
    shape->kind = kinds[k].kind;
    shape->item = (size_t)size;
    return 0;
}

static int read_dims(struct cursor *c, struct asy__shape *shape, struct asy_error *err)
{
    if (!take(c, "("))
        return bad_header(err, "shape");
    while (!take(c, ")")) {
        const char *from = c->at;

        while (c->at < c->end && *c->at >= '0' && *c->at <= '9')
            c->at++;
        if (shape->n_dims == ASY__DIMS_MAX ||
            asy_parse_u64(from, (size_t)(c->at - from), &shape->dims[shape->n_dims], NULL) < 0)
            return bad_header(err, "shape");
        shape->n_dims++;
        if (take(c, ",") || (c->at < c->end && *c->at == ')'))
            continue;
        return bad_header(err, "shape");
    }
    return 0;
}

static int read_order(struct cursor *c, struct asy__shape *shape, struct asy_error *err)
{
    shape->fortran = take(c, "True");
    return shape->fortran || take(c, "False") ? 0 : bad_header(err, "order");
}

static int read_dict(struct cursor *c, struct asy__shape *shape, struct asy_error *err)
{
    static const struct {
        const char *name;
        int (*read)(struct cursor *c, struct asy__shape *shape, struct asy_error *err);
    } keys[] = { { "descr", read_type }, { "fortran_order", read_order }, { "shape", read_dims } };
    unsigned seen = 0;

    if (!take(c, "{"))
        return bad_header(err, "dictionary");
    while (!take(c, "}")) {
        struct cursor key;
        size_t k = 0;
        int rc;

        if (!take_quoted(c, &key) || !take(c, ":"))
            return bad_header(err, "dictionary");
        while (k < ASY_ARRAY_LEN(keys) &&
               (strlen(keys[k].name) != (size_t)(key.end - key.at) ||
                memcmp(keys[k].name, key.at, strlen(keys[k].name)) != 0))
            k++;
        if (k == ASY_ARRAY_LEN(keys) || seen & 1u << k)
            return bad_header(err, "dictionary");
        seen |= 1u << k;
        if ((rc = keys[k].read(c, shape, err)) < 0)
            return rc;
        blanks(c);
        if (!take(c, ",") && (c->at == c->end || *c->at != '}'))
            return bad_header(err, "dictionary");
    }
    blanks(c);
    return seen == 7 && c->at == c->end ? 0 : bad_header(err, "dictionary");
}

int asy__npy_header(struct asy__stream *stream, struct asy__shape *ret, struct asy_error *err)
{
    struct asy__shape shape = { 0 };
    unsigned char head[12];
    struct cursor c;
    char *text = NULL;
    size_t n;
    int rc;

    if ((rc = read_all(stream, head, 10, err)) < 0)
        return rc;
    if (!asy__is_npy(head, 10))
        return asy_fail(err, ASY_E_FORMAT, "it is no NPY array");
    if (head[6] < 1 || head[6] > 3 || head[7])
        return asy_fail(err, ASY_E_UNSUPPORTED, "version %u.%u of NPY is not known", head[6],
                        head[7]);
    n = head[8] | (size_t)head[9] << 8;
    if (head[6] > 1) {
        if ((rc = read_all(stream, head + 10, 2, err)) < 0)
            return rc;
        n |= (size_t)head[10] << 16 | (size_t)head[11] << 24;
    }
    if (n > NPY_HEADER_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "a header of %zu bytes is too long", n);
    if (!(text = malloc(n + 1)))
        return asy_fail(err, ASY_E_NOMEM, "no memory to read a header");
    c = (struct cursor){ text, text + n };
    if ((rc = read_all(stream, text, n, err)) == 0 && (rc = read_dict(&c, &shape, err)) == 0 &&
        (rc = asy__shape_measure(&shape, err)) == 0)
        *ret = shape;
    free(text);
    return rc;
}

/* ---- IDX ------------------------------------------------------------------------------------ */

int asy__idx_header(struct asy__stream *stream, struct asy__shape *ret, struct asy_error *err)
{
    static const struct {
        enum asy__number_kind kind;
        size_t item;
    } types[] = { [8] = { ASY__UNSIGNED, 1 }, [9] = { ASY__SIGNED, 1 }, [11] = { ASY__SIGNED, 2 },
                  [12] = { ASY__SIGNED, 4 },  [13] = { ASY__FLOAT, 4 }, [14] = { ASY__FLOAT, 8 } };
    struct asy__shape shape = { .big_endian = 1 };
    unsigned char head[4], dim[4];
    int rc;

    if ((rc = read_all(stream, head, 4, err)) < 0)
        return rc;
    if (!asy__is_idx(head, 4))
        return asy_fail(err, ASY_E_FORMAT, "it is no IDX array");
    if (head[3] > ASY__DIMS_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "%u dimensions are too many", head[3]);
    shape.kind = types[head[2]].kind;
    shape.item = types[head[2]].item;
    for (shape.n_dims = 0; shape.n_dims < head[3]; shape.n_dims++) {
        if ((rc = read_all(stream, dim, 4, err)) < 0)
            return rc;
        shape.dims[shape.n_dims] = (uint64_t)dim[0] << 24 | (uint64_t)dim[1] << 16 |
                                   (uint64_t)dim[2] << 8 | dim[3];
    }
    if ((rc = asy__shape_measure(&shape, err)) == 0)
        *ret = shape;
    return rc;
}
