/* SPDX-License-Identifier: Apache-2.0
 * asy/json.h - reading and writing JSON (over Jansson; the only place that includes it).
 *
 * Reading gives a tree of borrowed nodes under one root. Depth is limited to 64, duplicate keys are
 * errors. JSON has no NaN or infinity: the strings "nan", "inf", "-inf" stand for them wherever a
 * number is asked for with asy_json_f64().
 *
 * Ownership: asy_json_parse's root is the caller's; nodes from it live as long as the root.
 * Threads:   one owner per tree or writer. */
#ifndef ASY_JSON_H
#define ASY_JSON_H
#include <asy/buf.h>

struct asy_json; /* a node */

/* Errors name line and column. */
ASY_MUST_CHECK int asy_json_parse(const char *text, size_t len, struct asy_json **ret_root,
                                  struct asy_error *err);
void asy_json_destroy(struct asy_json *root);
const char *asy_json_version(void); /* of Jansson, as loaded: "2.14" */

enum asy_json_type {
    ASY_JSON_NULL, ASY_JSON_BOOL, ASY_JSON_INT, ASY_JSON_REAL, ASY_JSON_STRING, ASY_JSON_ARRAY,
    ASY_JSON_OBJECT,
};
enum asy_json_type asy_json_type(const struct asy_json *node);
/* Member of an object, or NULL if absent or node is not an object (or is NULL). */
const struct asy_json *asy_json_get(const struct asy_json *node, const char *key);
size_t asy_json_len(const struct asy_json *node); /* of an array or object; else 0 */
const struct asy_json *asy_json_at(const struct asy_json *node, size_t i); /* array; NULL beyond */
/* i-th member of an object in the order of the text. Returns NULL beyond the last. */
const struct asy_json *asy_json_member(const struct asy_json *node, size_t i,
                                       const char **ret_key);
/* The value, or fallback if node is NULL or of another type. Strings are terminated, borrowed. */
const char *asy_json_str(const struct asy_json *node, const char *fallback);
int64_t asy_json_i64(const struct asy_json *node, int64_t fallback);
double asy_json_f64(const struct asy_json *node, double fallback);
int asy_json_bool(const struct asy_json *node, int fallback);

/* Writing straight into a buffer: commas and escapes are the writer's; invalid UTF-8 becomes
 * U+FFFD. key is NULL inside arrays and at the top. pretty: two-space indentation. */
struct asy_jsonw {
    struct asy_buf *buf;
    unsigned depth;
    int pretty;
    uint64_t has_items; /* bit d: level d already has an item */
};
void asy_jsonw_init(struct asy_jsonw *w, struct asy_buf *buf, int pretty);
void asy_jsonw_open(struct asy_jsonw *w, const char *key, char bracket); /* '{' or '[' */
void asy_jsonw_close(struct asy_jsonw *w, char bracket);                 /* '}' or ']' */
void asy_jsonw_str(struct asy_jsonw *w, const char *key, const char *text); /* NULL: null */
void asy_jsonw_strn(struct asy_jsonw *w, const char *key, const char *text, size_t len);
void asy_jsonw_i64(struct asy_jsonw *w, const char *key, int64_t value);
/* Above 2^63 - 1 as a string: no reader of JSON integers takes such a number. */
void asy_jsonw_u64(struct asy_jsonw *w, const char *key, uint64_t value);
void asy_jsonw_f64(struct asy_jsonw *w, const char *key, double value); /* shortest exact */
void asy_jsonw_bool(struct asy_jsonw *w, const char *key, int value);
void asy_jsonw_null(struct asy_jsonw *w, const char *key);
/* text is JSON already. */
void asy_jsonw_raw(struct asy_jsonw *w, const char *key, const char *text, size_t len);
/* A whole tree that was read; NULL writes null. */
void asy_jsonw_node(struct asy_jsonw *w, const char *key, const struct asy_json *node);
#endif
