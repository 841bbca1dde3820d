/* SPDX-License-Identifier: Apache-2.0
 * study_wandb_args.c - a trial's parameters as W&B hands them to a program: words in Python's
 * notation (True, 1e-05, {'lr': 0.1} for nested ones), or JSON.
 *
 * Here a nested parameter is one whose name has dots; there it is a map in a map, which is what
 * programs find behind ${args} and its like. */
#include "study_impl.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum asy__args asy__wandb_args(const char *name)
{
    static const char *const names[] = {
        [ASY__ARGS_PLAIN] = "wandb:args",
        [ASY__ARGS_NO_HYPHENS] = "wandb:args_no_hyphens",
        [ASY__ARGS_NO_FLAGS] = "wandb:args_no_boolean_flags",
        [ASY__ARGS_JSON] = "wandb:args_json",
        [ASY__ARGS_JSON_FILE] = "wandb:args_json_file",
    };

    for (size_t i = 1; i < ASY_ARRAY_LEN(names); i++)
        if (!strcmp(name, names[i]))
            return (enum asy__args)i;
    return ASY__ARGS_NONE;
}

/* ---- single values --------------------------------------------------------------------------- */

/* As Python writes a float: 100000.0 where C's shortest notation is 1e+05. */
static void put_real(struct asy_buf *out, double value)
{
    char text[40];

    asy__real_text(value, text);
    if (strchr(text, 'e') && fabs(value) >= 1 && fabs(value) < 1e16)
        snprintf(text, sizeof text, "%.1f", value);
    asy_buf_adds(out, text);
}

static void put_quoted(struct asy_buf *out, const char *text)
{
    char quote = strchr(text, '\'') && !strchr(text, '"') ? '"' : '\'';

    asy_buf_addc(out, quote);
    for (; *text; text++)
        if (*text == '\n')
            asy_buf_adds(out, "\\n");
        else if (*text == '\t')
            asy_buf_adds(out, "\\t");
        else if (*text == '\r')
            asy_buf_adds(out, "\\r");
        else
            asy_buf_addf(out, "%s%c", *text == quote || *text == '\\' ? "\\" : "", *text);
    asy_buf_addc(out, quote);
}

static void put_text(struct asy_buf *out, const char *text, int json)
{
    struct asy_jsonw w;

    if (!json) {
        put_quoted(out, text);
        return;
    }
    asy_jsonw_init(&w, out, 0);
    asy_jsonw_str(&w, NULL, text);
}

/* quoted: within a map, where Python shows a text's quotes. */
static void put_value(struct asy_buf *out, const struct asy_json *value, int json, int quoted)
{
    switch (asy_json_type(value)) {
    case ASY_JSON_INT:
        asy_buf_addf(out, "%" PRId64, asy_json_i64(value, 0));
        break;
    case ASY_JSON_REAL:
        put_real(out, asy_json_f64(value, 0));
        break;
    case ASY_JSON_BOOL:
        asy_buf_adds(out, asy_json_bool(value, 0) ? (json ? "true" : "True")
                                                  : (json ? "false" : "False"));
        break;
    default:
        if (quoted)
            put_text(out, asy_json_str(value, ""), json);
        else
            asy_buf_adds(out, asy_json_str(value, ""));
    }
}

/* ---- nested parameters ----------------------------------------------------------------------- */

/* The i-th member if it is the first of its kind below prefix (len bytes of its name): the length
 * of its next part; *ret_leaf: it is a value. 0: it is elsewhere, or went with an earlier one. */
static size_t part_at(const struct asy_json *params, size_t i, const char *prefix, size_t len,
                      const char **ret_key, int *ret_leaf)
{
    const char *key, *other;
    size_t part;

    if (!asy_json_member(params, i, &key) || strncmp(key, prefix, len) != 0)
        return 0;
    part = strcspn(key + len, ".");
    *ret_key = key;
    *ret_leaf = !key[len + part];
    for (size_t k = 0; k < i && !*ret_leaf; k++)
        if (asy_json_member(params, k, &other) && !strncmp(other, key, len + part + 1))
            return 0;
    return part;
}

static void put_group(struct asy_buf *out, const struct asy_json *params, const char *prefix,
                      size_t len, int json)
{
    size_t n = 0;

    asy_buf_addc(out, '{');
    for (size_t i = 0; i < asy_json_len(params); i++) {
        const char *key;
        int leaf;
        size_t part = part_at(params, i, prefix, len, &key, &leaf);
        char name[256];

        if (!part)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(part < 255 ? part : 255), key + len);
        asy_buf_adds(out, n++ ? ", " : "");
        put_text(out, name, json);
        asy_buf_adds(out, ": ");
        if (leaf)
            put_value(out, asy_json_get(params, key), json, 1);
        else
            put_group(out, params, key, len + part + 1, json);
    }
    asy_buf_addc(out, '}');
}

void asy_study_json_args(const struct asy_json *params, struct asy_buf *out)
{
    put_group(out, params, "", 0, 1);
}

int asy__wandb_word(const struct asy_json *params, size_t i, enum asy__args kind,
                    struct asy_buf *out)
{
    const struct asy_json *value;
    const char *key;
    int leaf;
    size_t part = part_at(params, i, "", 0, &key, &leaf);

    if (!part)
        return 0;
    value = leaf ? asy_json_get(params, key) : NULL;
    if (kind == ASY__ARGS_NO_FLAGS && leaf && asy_json_type(value) == ASY_JSON_BOOL) {
        asy_buf_addf(out, "--%s", key);
        return asy_json_bool(value, 0);
    }
    asy_buf_addf(out, "%s%.*s=", kind == ASY__ARGS_NO_HYPHENS ? "" : "--", (int)part, key);
    if (leaf)
        put_value(out, value, 0, 0);
    else
        put_group(out, params, key, part + 1, 0);
    return 1;
}

int asy_study_wants_json_file(const struct asy_study_spec *spec)
{
    for (size_t i = 0; i < spec->n_command; i++)
        if (!strcmp(spec->command[i], "{wandb:args_json_file}"))
            return 1;
    return 0;
}
