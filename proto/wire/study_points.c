/* SPDX-License-Identifier: Apache-2.0
 * study_points.c - points of the space: what reads one, and the key `search.enqueue`. */
#include "study_impl.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static void write_scalar(struct asy_jsonw *w, const char *key, const struct asy_yaml *node)
{
    char text[40];

    if (node->type == ASY_YAML_INT) {
        asy_jsonw_i64(w, key, node->i);
    } else if (node->type == ASY_YAML_REAL && isfinite(node->f)) {
        asy__real_text(node->f, text);
        asy_jsonw_raw(w, key, text, strlen(text));
    } else if (node->type == ASY_YAML_BOOL) {
        asy_jsonw_bool(w, key, node->i != 0);
    } else {
        asy_jsonw_strn(w, key, node->text, node->len);
    }
}

int asy__read_point(struct asy__parse *p, const struct asy_yaml *node, int fixed, double *x,
                    struct asy_error *err)
{
    struct asy_json *json = NULL;
    struct asy_jsonw w;
    struct asy_buf buf;
    char shown[64];
    int rc;

    for (size_t i = 0; i < node->len; i++)
        if (!asy__scalar(node->items[i]))
            return asy_fail(err, ASY_E_INVAL, "parameter '%.40s' must have one value, not %s",
                            node->keys[i]->text, asy__shown(node->items[i], shown));
    asy_buf_init(&buf, ASY_STUDY_FILE_MAX * 8);
    asy_jsonw_init(&w, &buf, 0);
    asy_jsonw_open(&w, NULL, '{');
    for (size_t i = 0; i < node->len; i++)
        write_scalar(&w, node->keys[i]->text, node->items[i]);
    asy_jsonw_close(&w, '}');
    if ((rc = asy_buf_check(&buf, "point", err)) == 0 &&
        (rc = asy_json_parse(buf.data, buf.len, &json, err)) == 0)
        rc = asy_space_read(p->study->space, json, fixed, x, err);
    asy_json_destroy(json);
    asy_buf_fini(&buf);
    return rc;
}

void asy__study_enqueue(struct asy__parse *p)
{
    const struct asy_yaml *list = asy__val(p, "search.enqueue")->node;
    size_t len = asy_space_len(p->study->space), cells;
    struct asy_error err = ASY_ERROR_INIT;
    char key[64], shown[64], note[100];
    double *x;

    if (!list)
        return;
    if (list->type != ASY_YAML_LIST) {
        asy__problem(p, list, "search.enqueue", "must be a list of maps, not %s",
                     asy__shown(list, shown));
        return;
    }
    if (__builtin_mul_overflow(list->len, len, &cells) || cells > (16u << 20)) {
        asy__problem(p, list, "search.enqueue", "has too many points");
        return;
    }
    if (!(x = asy__take(p, (cells + 1) * sizeof *x)))
        return;
    for (size_t i = 0; i < list->len && !p->rc; i++) {
        const struct asy_yaml *node = list->items[i];

        snprintf(key, sizeof key, "search.enqueue[%zu]", i);
        if (node->type != ASY_YAML_MAP || node->len == 0)
            asy__problem(p, node, key, "must be a map of parameters and values");
        else if (asy__read_point(p, node, 1, x + i * len, &err) == ASY_E_NOMEM)
            asy__no_memory(p);
        else if (err.code)
            asy__problem(p, node, key, "%s%s", err.text, asy__fixed_note(p, err.text, note));
        err = (struct asy_error)ASY_ERROR_INIT;
    }
    p->study->spec.enqueue = x;
    p->study->spec.n_enqueue = list->len;
}
