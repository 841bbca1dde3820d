/* SPDX-License-Identifier: Apache-2.0
 * study_weights.c - what rows of each class weigh: a map of classes' names, as they are in the
 * data, and numbers, or a list of numbers in the classes' order. Which classes there are, whoever
 * reads the data says. */
#include "study_impl.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static int is_number(const struct asy_yaml *node)
{
    return node->type == ASY_YAML_INT || node->type == ASY_YAML_REAL;
}

void asy__study_read_weights(struct asy__parse *p, const struct asy__row *row, const char *key,
                             const struct asy_yaml *node, struct asy__value *v)
{
    int named = node->type == ASY_YAML_MAP;
    char allowed[200], shown[64], place[200];

    asy__row_allowed(row, allowed, sizeof allowed);
    if ((!named && node->type != ASY_YAML_LIST) || !node->len) {
        asy__problem(p, node, key, "must be %s, not %s", allowed, asy__shown(node, shown));
        return;
    }
    for (size_t i = 0; i < node->len; i++) {
        const struct asy_yaml *weight = node->items[i];

        if (named && !asy__scalar(node->keys[i]))
            asy__problem(p, node->keys[i], key, "has an impossible key");
        if (is_number(weight) && isfinite(weight->f) && asy__in_range(row, weight->f))
            continue;
        if (named)
            snprintf(place, sizeof place, "%s.%s", key, asy__shown(node->keys[i], shown));
        else
            snprintf(place, sizeof place, "%s[%zu]", key, i);
        asy__problem(p, weight, place, "must be a number from %g to %g, not %s", row->min, row->max,
                     asy__shown(weight, shown));
    }
    v->has = 1;
}

void asy__study_write_weights(struct asy_jsonw *w, const char *key, const struct asy_yaml *node)
{
    int named = node->type == ASY_YAML_MAP;
    char text[40];

    asy_jsonw_open(w, key, named ? '{' : '[');
    for (size_t i = 0; i < node->len; i++) {
        asy__real_text(node->items[i]->f, text);
        asy_jsonw_raw(w, named ? node->keys[i]->text : NULL, text, strlen(text));
    }
    asy_jsonw_close(w, named ? '}' : ']');
}
