/* SPDX-License-Identifier: Apache-2.0
 * params.c - see params.h.
 *
 * Every trial has such an object, written by our own writer: no escapes, no nesting. That form is
 * read here in one pass without a tree, which would cost a tenth of a commit. At the first thing
 * it does not know, the reader gives up before anything was handed out, and Jansson decides. */
#include "params.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <asy/json.h>
#include <asy/parse.h>

#define MEMBERS_MAX 64

/* Where a member's name and value lie in the scratch text, each with its terminator. */
struct member {
    size_t name, value, len;
};

static const char *skip(const char *at)
{
    while (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')
        at++;
    return at;
}

/* A string without escapes into the scratch text; NULL: not that. */
static const char *plain_string(const char *at, struct asy_buf *text)
{
    size_t n;

    if (*at++ != '"')
        return NULL;
    n = strcspn(at, "\"\\");
    if (at[n] != '"')
        return NULL;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)at[i] < 0x20)
            return NULL;
    asy_buf_add(text, at, n);
    asy_buf_addc(text, 0);
    return at + n + 1;
}

/* A number, true, false or null. Its spelling is not judged: our writer wrote it. */
static const char *plain_word(const char *at, struct asy_buf *text)
{
    size_t n = strspn(at, "+-.0123456789Eeaflnrstu");

    if (n == 0)
        return NULL;
    asy_buf_add(text, at, n);
    asy_buf_addc(text, 0);
    return at + n;
}

/* The number of members; -1: not the plain form. */
static int read_plain(const char *at, struct asy_buf *text, struct member members[MEMBERS_MAX])
{
    int n = 0;

    if (*(at = skip(at)) != '{')
        return -1;
    at = skip(at + 1);
    if (*at == '}')
        return *skip(at + 1) ? -1 : 0;
    for (;; at = skip(at + 1)) {
        struct member *m = &members[n];

        if (n++ == MEMBERS_MAX)
            return -1;
        m->name = text->len;
        if (!(at = plain_string(at, text)) || *(at = skip(at)) != ':')
            return -1;
        at = skip(at + 1);
        m->value = text->len;
        if (!(at = *at == '"' ? plain_string(at, text) : plain_word(at, text)))
            return -1;
        m->len = text->len - 1 - m->value;
        if (*(at = skip(at)) == '}')
            return *skip(at + 1) || text->rc ? -1 : n;
        if (*at != ',')
            return -1;
    }
}

/* What Jansson's tree tells of a value. Containers are not written back: they are no parameters. */
static void write_value(const struct asy_json *value, struct asy_buf *buf)
{
    char text[32];

    switch (asy_json_type(value)) {
    case ASY_JSON_STRING:
        asy_buf_adds(buf, asy_json_str(value, ""));
        break;
    case ASY_JSON_INT:
        asy_buf_addf(buf, "%" PRId64, asy_json_i64(value, 0));
        break;
    case ASY_JSON_REAL:
        asy_buf_adds(buf, asy_format_f64(asy_json_f64(value, 0), text));
        break;
    case ASY_JSON_BOOL:
        asy_buf_adds(buf, asy_json_bool(value, 0) ? "true" : "false");
        break;
    case ASY_JSON_NULL:
        asy_buf_adds(buf, "null");
        break;
    default:
        break;
    }
}

static int each_of_tree(const char *json, struct asy_buf *scratch, asy__param_f each, void *arg,
                        struct asy_error *err)
{
    struct asy_json *root = NULL;
    const struct asy_json *value;
    const char *name;
    int rc = asy_json_parse(json, strlen(json), &root, err);

    if (rc == 0 && asy_json_type(root) != ASY_JSON_OBJECT)
        rc = asy_fail(err, ASY_E_FORMAT, "not an object");
    for (size_t i = 0; rc == 0 && (value = asy_json_member(root, i, &name)); i++) {
        asy_buf_clear(scratch);
        write_value(value, scratch);
        if (!(rc = asy_buf_check(scratch, "a parameter", err)))
            rc = each(arg, name, scratch->data, scratch->len);
    }
    asy_json_destroy(root);
    return rc;
}

int asy__params_each(const char *json, struct asy_buf *scratch, asy__param_f each, void *arg,
                     struct asy_error *err)
{
    struct member members[MEMBERS_MAX];
    int n, rc = 0;

    asy_buf_clear(scratch);
    if ((n = read_plain(json, scratch, members)) < 0)
        return each_of_tree(json, scratch, each, arg, err);
    for (int i = 0; i < n && rc == 0; i++)
        rc = each(arg, scratch->data + members[i].name, scratch->data + members[i].value,
                  members[i].len);
    return rc;
}
