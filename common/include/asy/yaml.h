/* SPDX-License-Identifier: Apache-2.0
 * asy/yaml.h - reading YAML into a tree that knows its lines (over libyaml; the only place that
 * includes it).
 *
 * Scalars follow the YAML 1.2 core schema: "1e-4" is a number, "no" a string, "~", "null" and an
 * empty plain scalar are null. Duplicate keys, aliases that would expand without bound (anchors are
 * refused altogether), more than one document, depth above 32 and files above max bytes are errors
 * with line and column.
 *
 * Ownership: the root owns every node and text. Threads: one owner. */
#ifndef ASY_YAML_H
#define ASY_YAML_H
#include <asy/error.h>

enum asy_yaml_type {
    ASY_YAML_NULL, ASY_YAML_BOOL, ASY_YAML_INT, ASY_YAML_REAL, ASY_YAML_STRING, ASY_YAML_LIST,
    ASY_YAML_MAP,
};
struct asy_yaml {
    enum asy_yaml_type type;
    unsigned line, column;    /* from 1, of the node's first character */
    const char *text;         /* scalars: the text as written, terminated */
    size_t len;               /* of text; items of a list or map */
    int64_t i;                /* INT, BOOL (0 or 1) */
    double f;                 /* REAL, INT */
    struct asy_yaml **items;  /* LIST: len nodes; MAP: len values */
    struct asy_yaml **keys;   /* MAP: len key nodes (scalars) */
};

ASY_MUST_CHECK int asy_yaml_parse(const char *text, size_t len, size_t max,
                                  struct asy_yaml **ret_root, struct asy_error *err);
/* Called for each key that stands in its map already; why says where. */
typedef void (*asy_yaml_twice_f)(void *ctx, const struct asy_yaml *key, const char *why);
/* The same for readers that name every mistake at once: a duplicate key is handed to twice (unless
 * NULL) and the text is read on; the tree has the first one only. */
ASY_MUST_CHECK int asy_yaml_parse_on(const char *text, size_t len, size_t max,
                                     asy_yaml_twice_f twice, void *ctx,
                                     struct asy_yaml **ret_root, struct asy_error *err);
void asy_yaml_destroy(struct asy_yaml *root);
const char *asy_yaml_version(void); /* of libyaml, as loaded: "0.2.5" */
/* The value of a key of a map, or NULL. */
struct asy_yaml *asy_yaml_get(const struct asy_yaml *map, const char *key);
#endif
