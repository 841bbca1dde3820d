/* SPDX-License-Identifier: Apache-2.0
 * jsonw_node.c - writing a tree that was read. It stands apart from the writer so that a program
 * which only writes JSON does not link Jansson. */
#include <asy/json.h>

void asy_jsonw_node(struct asy_jsonw *w, const char *key, const struct asy_json *node)
{
    enum asy_json_type type = node ? asy_json_type(node) : ASY_JSON_NULL;
    const struct asy_json *item;
    const char *name;

    switch (type) {
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
            asy_jsonw_node(w, NULL, item);
        asy_jsonw_close(w, ']');
        break;
    case ASY_JSON_OBJECT:
        asy_jsonw_open(w, key, '{');
        for (size_t i = 0; (item = asy_json_member(node, i, &name)); i++)
            asy_jsonw_node(w, name, item);
        asy_jsonw_close(w, '}');
        break;
    default:
        asy_jsonw_null(w, key);
    }
}
