/* SPDX-License-Identifier: Apache-2.0
 * json.c - reading JSON. Jansson parses; its tree is then laid out as one block of nodes, so that
 * the i-th member of an object is found at once (a hash table can only be walked). Texts stay in
 * Jansson's tree, which the root keeps.
 *
 * Jansson's own depth limit is too generous for our stacks and peers, so the depth is measured on
 * the text before anything is allocated for it.
 *
 * Jansson (2.14) takes a refused allocation for a mistake in the text, or aborts by an assertion.
 * So each tree lies in chunks of its own, Jansson's part and ours, and a refusal leaves the parser
 * by longjmp: no frame of Jansson holds anything that is not in the chunks. */
#include <asy/json.h>
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>

#define DEPTH_MAX 64u

#define CHUNK_MIN 2048u
#define CHUNK_MAX (1u << 20)

struct asy_json {
    json_t *json;
    const char *key;        /* of an object's member */
    struct asy_json *items; /* n_items nodes of an array or object */
    size_t n_items;
};

struct chunk {
    struct chunk *next;
    size_t used, size; /* of bytes */
    _Alignas(16) char bytes[];
};
struct memory {
    struct chunk *chunks; /* the newest first */
    jmp_buf refused;
};
/* What is read, in the newest of its own chunks. */
struct tree {
    struct chunk *chunks;
    struct asy_json nodes[]; /* the root first */
};

static _Thread_local struct memory *memory; /* of the parse that runs in this thread */

static void *take(size_t n)
{
    struct chunk *chunk = memory->chunks;
    size_t size = chunk ? 2 * chunk->size : CHUNK_MIN;
    void *p;

    if (n > SIZE_MAX / 2)
        longjmp(memory->refused, 1);
    n = (n + 15) & ~(size_t)15;
    if (!chunk || chunk->size - chunk->used < n) {
        size = size > CHUNK_MAX ? CHUNK_MAX : size;
        size = size < n ? n : size;
        if (!(chunk = malloc(sizeof *chunk + size)))
            longjmp(memory->refused, 1);
        *chunk = (struct chunk){ .next = memory->chunks, .size = size };
        memory->chunks = chunk;
    }
    p = chunk->bytes + chunk->used;
    chunk->used += n;
    return p;
}

static void keep(void *p)
{
    (void)p; /* the chunks go all at once */
}

static void set_allocator(void)
{
    json_set_alloc_funcs(take, keep);
}

static void free_chunks(struct chunk *chunk)
{
    while (chunk) {
        struct chunk *next = chunk->next;

        free(chunk);
        chunk = next;
    }
}

/* Brackets outside of strings; what else is wrong with the text is Jansson's to find. */
static int check_depth(const char *text, size_t len, struct asy_error *err)
{
    unsigned depth = 0, line = 1;
    size_t line_start = 0;
    int quoted = 0;

    for (size_t i = 0; i < len; i++) {
        char c = text[i];

        if (c == '\n') {
            line++;
            line_start = i + 1;
        }
        if (quoted) {
            if (c == '\\')
                i++;
            else if (c == '"')
                quoted = 0;
        } else if (c == '"') {
            quoted = 1;
        } else if (c == '{' || c == '[') {
            if (++depth > DEPTH_MAX)
                return asy_fail(err, ASY_E_TOOBIG, "line %u column %zu: nested deeper than %u",
                                line, i - line_start + 1, DEPTH_MAX);
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return 0;
}

static size_t children(const json_t *json)
{
    return json_is_array(json) ? json_array_size(json) : json_object_size(json);
}

static size_t count(json_t *json)
{
    size_t n = 1, i;
    const char *key;
    json_t *item;

    if (json_is_array(json))
        json_array_foreach(json, i, item)
            n += count(item);
    else if (json_is_object(json))
        json_object_foreach(json, key, item)
            n += count(item);
    return n;
}

/* Fills node and takes the nodes of everything below it from *next. */
static void lay_out(struct asy_json *node, json_t *json, const char *key, struct asy_json **next)
{
    struct asy_json *item;
    json_t *child;
    size_t i;

    *node = (struct asy_json){ .json = json, .key = key, .n_items = children(json) };
    node->items = item = *next;
    *next += node->n_items;
    if (json_is_array(json))
        json_array_foreach(json, i, child)
            lay_out(item++, child, NULL, next);
    else if (json_is_object(json))
        json_object_foreach(json, key, child)
            lay_out(item++, child, key, next);
}

/* 0, ASY_E_NOMEM, or ASY_E_FORMAT with *error filled. What was taken stays in m. */
static int build(struct memory *m, const char *text, size_t len, struct tree **ret,
                 json_error_t *error)
{
    struct asy_json *next;
    json_t *json;
    size_t n;

    if (setjmp(m->refused))
        return ASY_E_NOMEM;
    json = json_loadb(len ? text : "", len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, error);
    if (!json)
        return ASY_E_FORMAT;
    n = count(json);
    *ret = take(sizeof **ret + n * sizeof (*ret)->nodes[0]); /* n is below len */
    next = (*ret)->nodes + 1;
    lay_out((*ret)->nodes, json, NULL, &next);
    return 0;
}

int asy_json_parse(const char *text, size_t len, struct asy_json **ret_root, struct asy_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct memory m = { .chunks = NULL };
    struct tree *tree = NULL;
    json_error_t error;
    int rc;

    pthread_once(&once, set_allocator);
    if ((rc = check_depth(text, len, err)))
        return rc;
    memory = &m;
    rc = build(&m, text, len, &tree, &error);
    memory = NULL;
    if (rc) {
        free_chunks(m.chunks);
        if (rc == ASY_E_NOMEM)
            return asy_fail(err, ASY_E_NOMEM, "no memory for the JSON text");
        return asy_fail(err, ASY_E_FORMAT, "line %d column %d: %s", error.line < 1 ? 1 : error.line,
                        error.column < 0 ? 0 : error.column, error.text);
    }
    tree->chunks = m.chunks;
    *ret_root = tree->nodes;
    return 0;
}

void asy_json_destroy(struct asy_json *root)
{
    int saved = errno;

    if (root)
        free_chunks(((struct tree *)((char *)root - offsetof(struct tree, nodes)))->chunks);
    errno = saved;
}

enum asy_json_type asy_json_type(const struct asy_json *node)
{
    switch (node ? json_typeof(node->json) : JSON_NULL) {
    case JSON_OBJECT:
        return ASY_JSON_OBJECT;
    case JSON_ARRAY:
        return ASY_JSON_ARRAY;
    case JSON_STRING:
        return ASY_JSON_STRING;
    case JSON_INTEGER:
        return ASY_JSON_INT;
    case JSON_REAL:
        return ASY_JSON_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return ASY_JSON_BOOL;
    default:
        return ASY_JSON_NULL;
    }
}

const struct asy_json *asy_json_get(const struct asy_json *node, const char *key)
{
    if (asy_json_type(node) == ASY_JSON_OBJECT)
        for (size_t i = 0; i < node->n_items; i++)
            if (!strcmp(node->items[i].key, key))
                return &node->items[i];
    return NULL;
}

size_t asy_json_len(const struct asy_json *node)
{
    return node ? node->n_items : 0;
}

const struct asy_json *asy_json_at(const struct asy_json *node, size_t i)
{
    return asy_json_type(node) == ASY_JSON_ARRAY && i < node->n_items ? &node->items[i] : NULL;
}

const struct asy_json *asy_json_member(const struct asy_json *node, size_t i, const char **ret_key)
{
    if (asy_json_type(node) != ASY_JSON_OBJECT || i >= node->n_items)
        return NULL;
    if (ret_key)
        *ret_key = node->items[i].key;
    return &node->items[i];
}

const char *asy_json_str(const struct asy_json *node, const char *fallback)
{
    return asy_json_type(node) == ASY_JSON_STRING ? json_string_value(node->json) : fallback;
}

int64_t asy_json_i64(const struct asy_json *node, int64_t fallback)
{
    return asy_json_type(node) == ASY_JSON_INT ? json_integer_value(node->json) : fallback;
}

double asy_json_f64(const struct asy_json *node, double fallback)
{
    const char *text;

    switch (asy_json_type(node)) {
    case ASY_JSON_INT:
    case ASY_JSON_REAL:
        return json_number_value(node->json);
    case ASY_JSON_STRING:
        text = json_string_value(node->json);
        if (!strcmp(text, "nan"))
            return NAN;
        if (!strcmp(text, "inf"))
            return INFINITY;
        return strcmp(text, "-inf") ? fallback : -INFINITY;
    default:
        return fallback;
    }
}

int asy_json_bool(const struct asy_json *node, int fallback)
{
    return asy_json_type(node) == ASY_JSON_BOOL ? json_is_true(node->json) : fallback;
}

const char *asy_json_version(void)
{
    return jansson_version_str();
}
