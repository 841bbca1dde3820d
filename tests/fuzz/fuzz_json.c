/* SPDX-License-Identifier: Apache-2.0
 * JSON from anywhere: what parses can be walked and written, and reads back as the same. */
#include <asy/json.h>
#include <string.h>
#include "fuzz.h"

static void write_node(struct asy_jsonw *w, const char *key, const struct asy_json *node)
{
    const struct asy_json *item;
    const char *name;

    switch (asy_json_type(node)) {
    case ASY_JSON_NULL:
        asy_jsonw_null(w, key);
        break;
    case ASY_JSON_BOOL:
        asy_jsonw_bool(w, key, asy_json_bool(node, 0));
        break;
    case ASY_JSON_INT:
        asy_jsonw_i64(w, key, asy_json_i64(node, 0));
        break;
    case ASY_JSON_REAL:
        asy_jsonw_f64(w, key, asy_json_f64(node, 0));
        break;
    case ASY_JSON_STRING:
        asy_jsonw_str(w, key, asy_json_str(node, ""));
        break;
    case ASY_JSON_ARRAY:
        asy_jsonw_open(w, key, '[');
        for (size_t i = 0; (item = asy_json_at(node, i)); i++)
            write_node(w, NULL, item);
        asy_jsonw_close(w, ']');
        break;
    case ASY_JSON_OBJECT:
        asy_jsonw_open(w, key, '{');
        for (size_t i = 0; (item = asy_json_member(node, i, &name)); i++)
            write_node(w, name, item);
        asy_jsonw_close(w, '}');
    }
}

static void write_text(struct asy_buf *buf, const struct asy_json *root)
{
    struct asy_jsonw w;

    asy_jsonw_init(&w, buf, 0);
    write_node(&w, NULL, root);
}

/* The writer has one level less than the reader. */
static unsigned depth_of(const uint8_t *data, size_t size)
{
    unsigned depth = 0, deepest = 0;

    for (size_t i = 0; i < size; i++) {
        depth += data[i] == '[' || data[i] == '{';
        deepest = depth > deepest ? depth : deepest;
        depth -= depth && (data[i] == ']' || data[i] == '}');
    }
    return deepest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct asy_json *root = NULL, *again = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf first, second;

    if (size > 1u << 16 || depth_of(data, size) > 60)
        return 0;
    asy_buf_init(&first, 1u << 22);
    asy_buf_init(&second, 1u << 22);
    if (asy_json_parse((const char *)data, size, &root, &err) == 0) {
        write_text(&first, root);
        FUZZ_CHECK(first.rc == 0);
        FUZZ_CHECK(asy_json_parse(first.data, first.len, &again, &err) == 0);
        write_text(&second, again);
        FUZZ_CHECK(first.len == second.len && !memcmp(first.data, second.data, first.len));
    }
    asy_json_destroy(root);
    asy_json_destroy(again);
    asy_buf_fini(&first);
    asy_buf_fini(&second);
    return 0;
}
