/* SPDX-License-Identifier: Apache-2.0
 * yaml.c - libyaml's events built into a tree. libyaml reads the syntax of YAML 1.1, which for
 * what is accepted here is that of 1.2; what a plain scalar means is decided here, by the core
 * schema of YAML 1.2.2 section 10.3. An integer of more than 64 bits is an error, not a float that
 * lost its digits. */
#include <asy/yaml.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>
#include <asy/parse.h>

#define DEPTH_MAX 32u
#define TAG_PREFIX "tag:yaml.org,2002:"

struct reader {
    yaml_parser_t parser;
    const char *text;
    size_t len;
    asy_yaml_twice_f twice; /* NULL: a key that stands twice is an error */
    void *ctx;
    struct asy_error *err;
};

void asy_yaml_destroy(struct asy_yaml *root)
{
    int saved = errno;

    if (!root)
        return;
    for (size_t i = 0; root->items && i < root->len; i++)
        asy_yaml_destroy(root->items[i]);
    for (size_t i = 0; root->keys && i < root->len; i++)
        asy_yaml_destroy(root->keys[i]);
    free(root->items);
    free(root->keys);
    free((char *)(uintptr_t)root->text); /* ours, const for the readers */
    free(root);
    errno = saved;
}

struct asy_yaml *asy_yaml_get(const struct asy_yaml *map, const char *key)
{
    if (map && map->type == ASY_YAML_MAP)
        for (size_t i = 0; i < map->len; i++)
            if (!strcmp(map->keys[i]->text, key))
                return map->items[i];
    return NULL;
}

#define fail_at(r, code, mark, ...) fail_place((r), (code), (mark).line, (mark).column, __VA_ARGS__)
ASY_PRINTF(5, 6)
static int fail_place(struct reader *r, enum asy_code code, size_t line, size_t column,
                      const char *fmt, ...)
{
    char text[160];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return asy_fail(r->err, code, "line %zu column %zu: %s", line + 1, column + 1, text);
}

static int no_memory(struct reader *r)
{
    return asy_fail(r->err, ASY_E_NOMEM, "no memory for the YAML text");
}

/* The reader knows only the byte at which it stopped. */
static int fail_byte(struct reader *r)
{
    size_t line = 0, column = 0, end = r->parser.problem_offset;

    for (size_t i = 0; i < end && i < r->len; i++) {
        if (r->text[i] == '\n') {
            line++;
            column = 0;
        } else if (((unsigned char)r->text[i] & 0xc0) != 0x80) {
            column++;
        }
    }
    return fail_place(r, ASY_E_FORMAT, line, column, "%s", r->parser.problem);
}

static int next(struct reader *r, yaml_event_t *event)
{
    if (yaml_parser_parse(&r->parser, event))
        return 0;
    switch (r->parser.error) {
    case YAML_MEMORY_ERROR:
        return no_memory(r);
    case YAML_READER_ERROR:
        return fail_byte(r);
    default:
        return fail_at(r, ASY_E_FORMAT, r->parser.problem_mark, "%s%s%s",
                       r->parser.context ? r->parser.context : "",
                       r->parser.context ? ": " : "",
                       r->parser.problem ? r->parser.problem : "not YAML");
    }
}

static int is_one_of(const char *text, const char *a, const char *b, const char *c)
{
    return !strcmp(text, a) || !strcmp(text, b) || !strcmp(text, c);
}

/* 0o17 and 0xff, as in the core schema without a sign. 1: it is one; *ret_fits: in 63 bits. */
static int based_int(const char *text, int64_t *ret, int *ret_fits)
{
    int shift = !strncmp(text, "0o", 2) ? 3 : !strncmp(text, "0x", 2) ? 4 : 0;
    const char *set = shift == 3 ? "01234567" : "0123456789abcdefABCDEF";
    uint64_t value = 0;

    if (!shift || !text[2] || text[2 + strspn(text + 2, set)])
        return 0;
    *ret_fits = 1;
    for (const char *p = text + 2; *p; p++) {
        int digit = *p <= '9' ? *p - '0' : (*p | 0x20) - 'a' + 10;

        if (value >> (63 - shift)) {
            *ret_fits = 0;
            return 1;
        }
        value = value << shift | (uint64_t)digit;
    }
    *ret = (int64_t)value;
    return 1;
}

/* The number patterns of the core schema: 'i', 'f', or 0 for neither. */
static char number_kind(const char *text)
{
    static const char digits[] = "0123456789";
    const char *p = text + (*text == '+' || *text == '-');
    size_t whole = strspn(p, digits), part = 0;

    p += whole;
    if (whole && !*p)
        return 'i';
    if (*p == '.') {
        part = strspn(++p, digits);
        p += part;
    }
    if (whole + part == 0)
        return 0;
    if (*p == 'e' || *p == 'E') {
        p++;
        p += *p == '+' || *p == '-';
        if (!strspn(p, digits))
            return 0;
        p += strspn(p, digits);
    }
    return *p ? 0 : 'f';
}

static int special_float(const char *text, double *ret)
{
    const char *bare = text + (*text == '+' || *text == '-');

    if (is_one_of(bare, ".inf", ".Inf", ".INF"))
        *ret = *text == '-' ? -INFINITY : INFINITY;
    else if (is_one_of(text, ".nan", ".NaN", ".NAN"))
        *ret = NAN;
    else
        return 0;
    return 1;
}

/* The type and value of a plain scalar by the core schema. */
static int resolve(struct reader *r, struct asy_yaml *node, yaml_mark_t mark)
{
    const char *text = node->text;
    char kind = number_kind(text);
    int fits = 1, rc = 0;

    if (!*text || !strcmp(text, "~") || is_one_of(text, "null", "Null", "NULL")) {
        node->type = ASY_YAML_NULL;
    } else if (is_one_of(text, "true", "True", "TRUE")) {
        node->type = ASY_YAML_BOOL;
        node->i = 1;
    } else if (is_one_of(text, "false", "False", "FALSE")) {
        node->type = ASY_YAML_BOOL;
    } else if (based_int(text, &node->i, &fits)) {
        node->type = ASY_YAML_INT;
        rc = fits ? 0 : ASY_E_TOOBIG;
    } else if (kind == 'i') {
        node->type = ASY_YAML_INT;
        rc = asy_parse_i64(text, node->len, &node->i, NULL);
    } else if (kind == 'f') {
        node->type = ASY_YAML_REAL;
        rc = asy_parse_f64(text, node->len, &node->f, NULL);
    } else {
        node->type = special_float(text, &node->f) ? ASY_YAML_REAL : ASY_YAML_STRING;
    }
    if (node->type == ASY_YAML_INT)
        node->f = (double)node->i;
    if (rc == ASY_E_NOMEM)
        return no_memory(r);
    if (rc)
        return fail_at(r, ASY_E_TOOBIG, mark, "'%.40s' is too big for a number (text stands in "
                       "quotes)", text);
    return 0;
}

/* !!str and ! make a string, !!int and its like must agree with the text, others are unknown. */
static int apply_tag(struct reader *r, struct asy_yaml *node, const char *tag, yaml_mark_t mark)
{
    static const char *const names[] = { "null", "bool", "int", "float", "str" };
    int rc;

    if (!strcmp(tag, "!") || !strcmp(tag, TAG_PREFIX "str")) {
        node->type = ASY_YAML_STRING;
        return 0;
    }
    if (strncmp(tag, TAG_PREFIX, strlen(TAG_PREFIX)))
        return fail_at(r, ASY_E_FORMAT, mark, "tag '%.60s' is not known", tag);
    if ((rc = resolve(r, node, mark)))
        return rc;
    if (!strcmp(tag, TAG_PREFIX "float") && node->type == ASY_YAML_INT)
        node->type = ASY_YAML_REAL;
    if (strcmp(tag + strlen(TAG_PREFIX), names[node->type]))
        return fail_at(r, ASY_E_FORMAT, mark, "'%.40s' does not fit the tag '%.60s'", node->text,
                       tag);
    return 0;
}

static struct asy_yaml *new_node(enum asy_yaml_type type, yaml_mark_t mark)
{
    struct asy_yaml *node = calloc(1, sizeof *node);

    if (node) {
        node->type = type;
        node->line = (unsigned)mark.line + 1;
        node->column = (unsigned)mark.column + 1;
    }
    return node;
}

static int read_scalar(struct reader *r, const yaml_event_t *event, struct asy_yaml **ret)
{
    const char *tag = (const char *)event->data.scalar.tag;
    size_t len = event->data.scalar.length;
    struct asy_yaml *node = NULL;
    char *text = NULL;
    int rc;

    if (memchr(event->data.scalar.value, 0, len))
        return fail_at(r, ASY_E_FORMAT, event->start_mark, "a text may not hold a zero byte");
    if (!(node = new_node(ASY_YAML_STRING, event->start_mark)) || !(text = malloc(len + 1))) {
        free(node);
        return no_memory(r);
    }
    memcpy(text, event->data.scalar.value, len);
    text[len] = 0;
    node->text = text;
    node->len = len;
    if (tag)
        rc = apply_tag(r, node, tag, event->start_mark);
    else if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
        rc = resolve(r, node, event->start_mark);
    else
        rc = 0;
    if (rc)
        asy_yaml_destroy(node);
    else
        *ret = node;
    return rc;
}

/* Puts key (NULL in lists) and value into the container, which then owns both. */
static int append(struct reader *r, struct asy_yaml *node, size_t *cap, struct asy_yaml *key,
                  struct asy_yaml *value)
{
    struct asy_yaml **grown;
    size_t more = *cap ? 2 * *cap : 4;

    if (node->len == *cap) {
        if (!(grown = reallocarray(node->items, more, sizeof *grown)))
            return no_memory(r);
        node->items = grown;
        if (key && !(grown = reallocarray(node->keys, more, sizeof *grown)))
            return no_memory(r);
        if (key)
            node->keys = grown;
        *cap = more;
    }
    node->items[node->len] = value;
    if (key)
        node->keys[node->len] = key;
    node->len++;
    return 0;
}

static int by_text(const void *a, const void *b)
{
    const struct asy_yaml *x = *(struct asy_yaml *const *)a, *y = *(struct asy_yaml *const *)b;
    int order = strcmp(x->text, y->text);

    if (order)
        return order;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return x->column < y->column ? -1 : x->column > y->column;
}

#define TWICE "key '%.60s' stands in line %u already"

static int key_twice(struct reader *r, struct asy_yaml *key, const struct asy_yaml *first)
{
    char why[120];

    if (!r->twice)
        return fail_place(r, ASY_E_FORMAT, key->line - 1, key->column - 1, TWICE, key->text,
                          first->line);
    snprintf(why, sizeof why, TWICE, key->text, first->line);
    r->twice(r->ctx, key, why);
    key->line = 0; /* no place: to be left out */
    return 0;
}

/* Takes the keys without a place out of the map. */
static void leave_out(struct asy_yaml *map)
{
    size_t kept = 0;

    for (size_t i = 0; i < map->len; i++) {
        if (map->keys[i]->line) {
            map->keys[kept] = map->keys[i];
            map->items[kept++] = map->items[i];
        } else {
            asy_yaml_destroy(map->keys[i]);
            asy_yaml_destroy(map->items[i]);
        }
    }
    map->len = kept;
}

/* Sorted, so that a hostile file of many keys costs n log n. */
static int check_duplicates(struct reader *r, struct asy_yaml *map)
{
    struct asy_yaml **sorted;
    size_t first = 0;
    int rc = 0;

    if (map->len < 2)
        return 0;
    if (!(sorted = reallocarray(NULL, map->len, sizeof *sorted)))
        return no_memory(r);
    memcpy(sorted, map->keys, map->len * sizeof *sorted);
    qsort(sorted, map->len, sizeof *sorted, by_text);
    for (size_t i = 1; i < map->len && rc == 0; i++) {
        if (strcmp(sorted[i]->text, sorted[first]->text))
            first = i;
        else
            rc = key_twice(r, sorted[i], sorted[first]);
    }
    free(sorted);
    if (rc == 0)
        leave_out(map);
    return rc;
}

static int read_node(struct reader *r, yaml_event_t *event, unsigned depth, struct asy_yaml **ret);

/* The events of a list or map up to its end. */
static int read_items(struct reader *r, struct asy_yaml *node, unsigned depth)
{
    int is_map = node->type == ASY_YAML_MAP, rc, ended;
    yaml_event_type_t end = is_map ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
    struct asy_yaml *key = NULL, *item = NULL;
    size_t cap = 0;
    yaml_event_t event;

    for (;;) {
        if ((rc = next(r, &event)))
            break;
        if ((ended = event.type == end))
            rc = is_map ? check_duplicates(r, node) : 0;
        else if (is_map && !key && (event.type == YAML_SEQUENCE_START_EVENT ||
                                    event.type == YAML_MAPPING_START_EVENT))
            rc = fail_at(r, ASY_E_FORMAT, event.start_mark, "a key must be a single word or text");
        else
            rc = read_node(r, &event, depth, is_map && !key ? &key : &item);
        yaml_event_delete(&event);
        if (rc || ended)
            break;
        if (item) {
            if ((rc = append(r, node, &cap, key, item)))
                break;
            key = item = NULL;
        }
    }
    asy_yaml_destroy(key);
    asy_yaml_destroy(item);
    return rc;
}

static int read_container(struct reader *r, const yaml_event_t *event, unsigned depth,
                          struct asy_yaml **ret)
{
    int is_map = event->type == YAML_MAPPING_START_EVENT, rc;
    const yaml_char_t *tag = is_map ? event->data.mapping_start.tag
                                    : event->data.sequence_start.tag;
    struct asy_yaml *node;

    if (depth >= DEPTH_MAX)
        return fail_at(r, ASY_E_TOOBIG, event->start_mark, "nested deeper than %u", DEPTH_MAX);
    if (tag && strcmp((const char *)tag, is_map ? TAG_PREFIX "map" : TAG_PREFIX "seq"))
        return fail_at(r, ASY_E_FORMAT, event->start_mark, "tag '%.60s' is not known", tag);
    if (!(node = new_node(is_map ? ASY_YAML_MAP : ASY_YAML_LIST, event->start_mark)))
        return no_memory(r);
    if ((rc = read_items(r, node, depth + 1)))
        asy_yaml_destroy(node);
    else
        *ret = node;
    return rc;
}

/* The node that begins with this event, which stays the caller's. depth: containers around it. */
static int read_node(struct reader *r, yaml_event_t *event, unsigned depth, struct asy_yaml **ret)
{
    const yaml_char_t *anchor = NULL;

    if (event->type == YAML_SCALAR_EVENT)
        anchor = event->data.scalar.anchor;
    else if (event->type == YAML_SEQUENCE_START_EVENT)
        anchor = event->data.sequence_start.anchor;
    else if (event->type == YAML_MAPPING_START_EVENT)
        anchor = event->data.mapping_start.anchor;
    else
        return fail_at(r, ASY_E_FORMAT, event->start_mark, "anchors and aliases are not allowed");
    if (anchor)
        return fail_at(r, ASY_E_FORMAT, event->start_mark, "anchors and aliases are not allowed");
    if (event->type == YAML_SCALAR_EVENT)
        return read_scalar(r, event, ret);
    return read_container(r, event, depth, ret);
}

/* Stream start, at most one document, stream end. *ret stays NULL for an empty stream. */
static int read_stream(struct reader *r, struct asy_yaml **ret)
{
    yaml_event_type_t type;
    yaml_event_t event;
    int rc;

    do {
        if ((rc = next(r, &event)))
            return rc;
        type = event.type;
        if (type == YAML_DOCUMENT_START_EVENT && *ret)
            rc = fail_at(r, ASY_E_FORMAT, event.start_mark, "only one document is allowed");
        else if (type != YAML_STREAM_START_EVENT && type != YAML_STREAM_END_EVENT &&
                 type != YAML_DOCUMENT_START_EVENT && type != YAML_DOCUMENT_END_EVENT)
            rc = read_node(r, &event, 0, ret);
        yaml_event_delete(&event);
    } while (rc == 0 && type != YAML_STREAM_END_EVENT);
    return rc;
}

int asy_yaml_parse(const char *text, size_t len, size_t max, struct asy_yaml **ret_root,
                   struct asy_error *err)
{
    return asy_yaml_parse_on(text, len, max, NULL, NULL, ret_root, err);
}

int asy_yaml_parse_on(const char *text, size_t len, size_t max, asy_yaml_twice_f twice, void *ctx,
                      struct asy_yaml **ret_root, struct asy_error *err)
{
    struct reader r = { .text = text, .len = len, .twice = twice, .ctx = ctx, .err = err };
    struct asy_yaml *root = NULL;
    yaml_mark_t start = { 0 };
    int rc;

    if (len > max)
        return asy_fail(err, ASY_E_TOOBIG, "line 1 column 1: more than %zu bytes", max);
    if (!yaml_parser_initialize(&r.parser))
        return no_memory(&r);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)(len ? text : ""), len);
    rc = read_stream(&r, &root);
    if (rc == 0 && !root) {
        /* nothing but comments: the same as an empty plain scalar */
        if (!(root = new_node(ASY_YAML_NULL, start)) || !(root->text = strdup("")))
            rc = no_memory(&r);
    }
    if (rc)
        asy_yaml_destroy(root);
    else
        *ret_root = root;
    yaml_parser_delete(&r.parser);
    return rc;
}

const char *asy_yaml_version(void)
{
    return yaml_get_version_string();
}
