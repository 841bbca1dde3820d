/* SPDX-License-Identifier: Apache-2.0
 * study_layers.c - the list of layers of `run: {model: layers}`.
 *
 * Each item is a map of one kind of layer with its options, which stand in the table's groups
 * "layer <kind>", and of what all of them have, in "layer any". A value "{name}" is that of a
 * parameter of the study. What shapes the layers make depends on the data: the trainer knows. */
#include "study_impl.h"
#include <stdio.h>
#include <string.h>

#define LAYERS_MAX 256
#define KEY_TEXT 160
#define FEATURES "features" /* the name of what the data gives */

struct list {
    struct asy__parse *p;
    const struct asy_yaml *node; /* the list */
    const char **names;          /* [layers so far], NULL gaps */
    size_t at;                   /* the layer that is read */
};

/* ---- the table ------------------------------------------------------------------------------ */

static const struct asy__row *option(const char *kind, const char *name)
{
    char group[64];

    snprintf(group, sizeof group, "layer %.40s", kind);
    return asy__row_option(group, name);
}

/* Its own, or one that all have. */
static const struct asy__row *setting(const char *kind, const char *name)
{
    const struct asy__row *row = option(kind, name);

    return row ? row : option("any", name);
}

static int has_all(const struct asy_yaml *map, const char *kind)
{
    for (size_t i = 0; i < map->len; i++)
        if (!setting(kind, map->keys[i]->text))
            return 0;
    return 1;
}

/* Which kind of layer it is: the key that has all the others as options. NULL: none has. */
static const char *kind_of(const struct asy_yaml *map)
{
    for (size_t i = 0; i < map->len; i++) {
        const char *key = map->keys[i]->text;

        if (strcmp(key, "any") != 0 && option(key, key) && has_all(map, key))
            return key;
    }
    return NULL;
}

static int is_layer_row(const struct asy__row *row)
{
    return row->group && !strncmp(row->group, "layer ", strlen("layer "));
}

/* ---- reading -------------------------------------------------------------------------------- */

/* The name between braces; NULL: it is no parameter's. */
static const char *placeholder(struct asy__parse *p, const struct asy_yaml *node)
{
    const char *text = node->type == ASY_YAML_STRING ? asy__scalar(node) : NULL;

    if (!text || node->len < 3 || text[0] != '{' || strcspn(text + 1, "{}") != node->len - 2 ||
        text[node->len - 1] != '}')
        return NULL;
    return asy__take_text(p, text + 1, node->len - 2);
}

static void add_use(struct list *list, const struct asy__row *row, const char *key,
                    const struct asy_yaml *node, const char *name)
{
    struct asy__parse *p = list->p;

    if (row->kind != ASY__INT && row->kind != ASY__NUMBER && row->kind != ASY__WORD)
        asy__problem(p, node, key, "cannot be a parameter's");
    else if (asy__option(p, p->model_group, name))
        asy__problem(p, node, key, "'%.60s' is the name of a hyperparameter; a layer's parameter "
                     "needs another", name);
    else
        p->layer_uses[p->n_layer_uses++] = (struct asy__layer_use){ name, key, row, node };
}

static void check_earlier(struct list *list, const char *key, const struct asy_yaml *node)
{
    char hint[128];

    for (size_t i = 0; i < list->at; i++)
        if (list->names[i] && !strcmp(list->names[i], node->text))
            return;
    if (!strcmp(node->text, FEATURES))
        return;
    asy__did_you_mean(node->text, list->names, list->at, hint, sizeof hint);
    asy__problem(list->p, node, key, "no layer before it has the name '%.40s'%s", node->text, hint);
}

static void take_name(struct list *list, const char *key, const struct asy_yaml *node)
{
    for (size_t i = 0; i < list->at; i++)
        if (list->names[i] && !strcmp(list->names[i], node->text)) {
            asy__problem(list->p, node, key, "'%.40s' is the name of another layer", node->text);
            return;
        }
    if (!strcmp(node->text, FEATURES))
        asy__problem(list->p, node, key, "'%s' is what the data gives", node->text);
    list->names[list->at] = node->text;
}

/* Whether the key says what kind of layer it is, as `flatten: true` does. */
static int names_kind(const struct asy__row *row)
{
    return !strcmp(row->group + strlen("layer "), row->path);
}

static void read_setting(struct list *list, const struct asy__row *row, const char *key,
                         const struct asy_yaml *node)
{
    struct asy__value *v = asy__row_val(list->p, row);
    const char *name = placeholder(list->p, node);

    if (name) {
        add_use(list, row, key, node, name);
        return;
    }
    memset(v, 0, sizeof *v);
    asy__read_value(list->p, row, key, node);
    if (v->has && row->kind == ASY__FLAG && !v->i && names_kind(row))
        asy__problem(list->p, node, key, "must be true, if it stands there");
    if (v->has && !strcmp(row->path, "name"))
        take_name(list, key, node);
    else if (v->has && row->kind == ASY__NAME)
        check_earlier(list, key, node);
    memset(v, 0, sizeof *v); /* a row serves every layer of its kind */
}

/* A map that is of no kind: a key that nothing has, or keys that do not go together. */
static void no_kind(struct list *list, const char *key, const struct asy_yaml *map)
{
    const char *names[ASY__ROWS_MAX];
    char hint[128], known[300] = "";
    size_t n = 0, len = 0;

    for (size_t i = 0; i < asy__n_rows; i++) {
        const struct asy__row *row = &asy__rows[i];

        if (!is_layer_row(row))
            continue;
        names[n++] = row->path;
        if (names_kind(row) && len < sizeof known)
            len += (size_t)snprintf(known + len, sizeof known - len, "%s%s", len ? ", " : "",
                                    row->path);
    }
    for (size_t i = 0; i < map->len; i++) {
        size_t at = 0;

        while (at < n && strcmp(names[at], map->keys[i]->text) != 0)
            at++;
        if (at < n)
            continue;
        asy__did_you_mean(map->keys[i]->text, names, n, hint, sizeof hint);
        asy__problem(list->p, map->keys[i], key, "unknown key '%.40s'%s%s", map->keys[i]->text,
                     *hint ? hint : "; layers are ", *hint ? "" : known);
        return;
    }
    asy__problem(list->p, map, key, "needs one kind of layer, with options of that kind; layers "
                 "are %s", known);
}

static void read_layer(struct list *list, const struct asy_yaml *node)
{
    const struct asy__row *row;
    const char *kind, *word = asy__scalar(node);
    char key[KEY_TEXT], shown[64];
    const char *kept;

    snprintf(key, sizeof key, "run.layers[%zu]", list->at);
    row = word ? option(word, word) : NULL;
    if (row && row->kind == ASY__FLAG)
        return; /* "flatten" for {flatten: true} */
    if (node->type != ASY_YAML_MAP || node->len == 0) {
        asy__problem(list->p, node, key, "must be a layer, as {dense: 64}, not %s",
                     node->type == ASY_YAML_MAP ? "an empty map" : asy__shown(node, shown));
        return;
    }
    if (!(kind = kind_of(node))) {
        no_kind(list, key, node);
        return;
    }
    for (size_t i = 0; i < node->len && !list->p->rc; i++) {
        const char *name = node->keys[i]->text;

        snprintf(key, sizeof key, "run.layers[%zu].%.40s", list->at, name);
        if ((kept = asy__take_text(list->p, key, strlen(key))))
            read_setting(list, setting(kind, name), kept, node->items[i]);
    }
}

static size_t count_settings(const struct asy_yaml *node)
{
    size_t n = 0;

    for (size_t i = 0; i < node->len; i++)
        n += node->items[i]->type == ASY_YAML_MAP ? node->items[i]->len : 0;
    return n;
}

void asy__study_layers(struct asy__parse *p)
{
    const struct asy__row *row = asy__row_option(p->model_group, "layers");
    struct list list = { .p = p };
    char shown[64];

    if (!row || row->kind != ASY__LAYERS)
        return;
    list.node = asy__row_val(p, row)->node;
    if (!list.node) {
        asy__problem(p, asy__place(p, "run"), "run.layers", "is missing; the model layers needs "
                     "a list of them");
        return;
    }
    if (list.node->type != ASY_YAML_LIST || list.node->len == 0 || list.node->len > LAYERS_MAX) {
        asy__problem(p, list.node, "run.layers", "must be a list of 1 to %d layers, not %s",
                     LAYERS_MAX, list.node->type == ASY_YAML_LIST ? "one of another length"
                                                                  : asy__shown(list.node, shown));
        return;
    }
    list.names = asy__take(p, list.node->len * sizeof *list.names);
    p->layer_uses = asy__take(p, (count_settings(list.node) + 1) * sizeof *p->layer_uses);
    for (; list.at < list.node->len && !p->rc; list.at++)
        read_layer(&list, list.node->items[list.at]);
    asy__row_val(p, row)->has = !p->rc;
}

/* ---- writing -------------------------------------------------------------------------------- */

static void write_setting(struct asy_jsonw *w, const struct asy__row *row,
                          const struct asy_yaml *node)
{
    if (row->kind == ASY__FLAG)
        asy_jsonw_bool(w, row->path, node->i != 0);
    else if (node->type == ASY_YAML_INT && row->kind == ASY__INT)
        asy_jsonw_i64(w, row->path, node->i);
    else if (node->type != ASY_YAML_STRING && row->kind == ASY__NUMBER)
        asy_jsonw_f64(w, row->path, node->f);
    else
        asy_jsonw_str(w, row->path, node->text);
}

void asy__study_write_layers(struct asy_jsonw *w, const char *key, const struct asy_yaml *list)
{
    asy_jsonw_open(w, key, '[');
    for (size_t i = 0; i < list->len; i++) {
        const struct asy_yaml *node = list->items[i];

        asy_jsonw_open(w, NULL, '{');
        if (node->type != ASY_YAML_MAP)
            asy_jsonw_bool(w, node->text, 1);
        for (size_t k = 0; node->type == ASY_YAML_MAP && k < node->len; k++)
            write_setting(w, setting(kind_of(node), node->keys[k]->text), node->items[k]);
        asy_jsonw_close(w, '}');
    }
    asy_jsonw_close(w, ']');
}

const struct asy_yaml *asy__study_layer(struct asy__parse *p, size_t i)
{
    const struct asy__row *row = asy__row_option(p->model_group, "layers");
    const struct asy_yaml *list = row && row->kind == ASY__LAYERS ? asy__row_val(p, row)->node
                                                                  : NULL;

    return list && list->type == ASY_YAML_LIST && i < list->len ? list->items[i] : NULL;
}
