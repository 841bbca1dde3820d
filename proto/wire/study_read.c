/* SPDX-License-Identifier: Apache-2.0
 * study_read.c - the file against the table: every key is known; study_value.c reads its value. */
#include "study_impl.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- mistakes in keys ----------------------------------------------------------------------- */

static void add_name(const char **names, size_t *n, const char *name)
{
    if (*n < ASY__ROWS_MAX)
        names[(*n)++] = name;
}

/* The group whose options may stand in a section: those of the sampler, the pruner, the model. */
static const char *group_of(struct asy__parse *p, const char *section, char text[64])
{
    if (!strcmp(section, "search.sampler"))
        return asy__group(p, "sampler", text);
    if (!strcmp(section, "search.pruner"))
        return asy__group(p, "pruner", text);
    if (!strcmp(section, "run") || !strcmp(section, "run.fixed"))
        return p->model_group;
    return NULL;
}

/* An option of another sampler or pruner is no misspelling. */
static const char *foreign_group(const char *group, const char *name)
{
    const char *space = group ? strchr(group, ' ') : NULL;

    for (size_t i = 0; space && i < asy__n_rows; i++)
        if (asy__rows[i].group && !strcmp(asy__rows[i].path, name) &&
            !strncmp(asy__rows[i].group, group, (size_t)(space + 1 - group)))
            return asy__rows[i].group + (space + 1 - group);
    return NULL;
}

static void unknown_key(struct asy__parse *p, const char *section, const struct asy_yaml *node,
                        const char *key, const char *leaf)
{
    const char *names[ASY__ROWS_MAX], *name, *other;
    char group_text[64], hint[128], list[400] = "";
    const char *group = group_of(p, section, group_text);
    size_t n = 0, len = 0;

    for (size_t i = 0; asy__row_child(section, i); i++)
        add_name(names, &n, asy__row_leaf(asy__row_child(section, i)));
    for (size_t i = 0; group && (name = asy__option_name(p, group, i)); i++)
        add_name(names, &n, name);
    asy__did_you_mean(leaf, names, n, hint, sizeof hint);
    if (!hint[0] && (other = foreign_group(group, leaf))) {
        if (strcmp(strchr(group, ' '), " ?") != 0) /* a wrong name is a mistake enough */
            asy__problem(p, node, key, "is an option of %s, not of %s", other,
                         strchr(group, ' ') + 1);
        return;
    }
    for (size_t i = 0; !hint[0] && i < n && len < sizeof list; i++)
        len += (size_t)snprintf(list + len, sizeof list - len, "%s%s", i ? ", " : "; known are ",
                                names[i]);
    asy__problem(p, node, key, "unknown key%s", hint[0] ? hint : list);
}

/* ---- sections ------------------------------------------------------------------------------- */

static void read_section(struct asy__parse *p, const char *section, const struct asy_yaml *node);

static void read_scalar_section(struct asy__parse *p, const struct asy__row *row,
                                const struct asy_yaml *node)
{
    const struct asy__row *child;
    char path[ASY__KEY_TEXT], shown[64];

    if (row->scalar[0] == '=') {
        if (strcmp(node->text, row->scalar + 1) != 0)
            asy__problem(p, node, row->path, "must be %s or a map, not %s", row->scalar + 1,
                         asy__shown(node, shown));
        return;
    }
    snprintf(path, sizeof path, "%s.%s", row->path, row->scalar);
    child = asy__row_find(path);
    asy__row_val(p, child)->node = node;
    asy__read_value(p, child, row->path, node);
}

/* From the end, each through the same rows; the first stays there. */
static void read_objectives(struct asy__parse *p, const struct asy__row *row, const char *key,
                            const struct asy_yaml *node)
{
    if (node->len > ASY_STUDY_OBJECTIVES_MAX) {
        asy__problem(p, node, key, "has %zu entries; %d objectives are allowed", node->len,
                     ASY_STUDY_OBJECTIVES_MAX);
        return;
    }
    if (!asy__study_goals_room(p, node->len))
        return;
    for (size_t i = node->len; i-- > 0 && !p->rc;) {
        if (node->items[i]->type == ASY_YAML_MAP)
            read_section(p, row->path, node->items[i]);
        else
            asy__wrong(p, row, key, node->items[i]);
        if (i > 0)
            asy__study_goal_aside(p, node->items[i], i);
    }
    asy__row_val(p, row)->node = node->items[0];
}

static void read_row(struct asy__parse *p, const struct asy__row *row, const char *key,
                     const struct asy_yaml *node)
{
    struct asy__value *v = asy__row_val(p, row);

    if (v->node) { /* once beside the model, once in run.fixed */
        asy__problem(p, node, key, "is given twice");
        return;
    }
    if (row->kind == ASY__OBJECTIVE && node->type == ASY_YAML_LIST && node->len == 1)
        node = node->items[0];
    v->node = node;
    if (row->kind == ASY__PATH && v->has)
        return; /* dir, which was read first */
    if (row->kind == ASY__OBJECTIVE && node->type == ASY_YAML_LIST && node->len > 1)
        read_objectives(p, row, key, node);
    else if (row->kind == ASY__FIXED)
        read_section(p, row->path, node);
    else if (row->kind != ASY__SECTION && row->kind != ASY__OBJECTIVE)
        asy__read_value(p, row, key, node);
    else if (node->type == ASY_YAML_MAP)
        read_section(p, row->path, node);
    else if (row->scalar && asy__is_scalar(node))
        read_scalar_section(p, row, node);
    else
        asy__wrong(p, row, key, node);
}

static void not_for_this(struct asy__parse *p, const struct asy__row *row, const char *key,
                         const struct asy_yaml *node)
{
    if (row->flags & ASY__FOR_MODEL)
        asy__problem(p, node, key, "is for run.model; a command gets its data by itself");
    else if (!(row->flags & ASY__FOR_COMMAND))
        asy__problem(p, node, key, "is for run.plugin");
    else
        asy__problem(p, node, key, "is for run.command, not for a %s",
                     p->kind == ASY_RUN_PLUGIN ? "plug-in" : "model");
}

static void read_key(struct asy__parse *p, const char *section, const struct asy_yaml *key_node,
                     const struct asy_yaml *node)
{
    char path[ASY__KEY_TEXT], group_text[64];
    const struct asy__row *row;
    const char *key = asy__scalar(key_node);

    if (!key && key_node->type == ASY_YAML_NULL)
        key = "null";
    if (!key || strlen(key) > 100) {
        asy__problem(p, key_node, section, "has an impossible key");
        return;
    }
    snprintf(path, sizeof path, "%s%s%s", section, *section ? "." : "", key);
    row = strcmp(section, "run.fixed") && !strchr(key, '.') ? asy__row_find(path) : NULL;
    if (!row)
        row = asy__option(p, group_of(p, section, group_text), key);
    if (!row)
        unknown_key(p, section, key_node, path, key);
    else if (node->type == ASY_YAML_NULL)
        return; /* not given */
    else if (!row->group && !asy__row_applies(p, row))
        not_for_this(p, row, path, key_node);
    else
        read_row(p, row, path, node);
}

static void read_section(struct asy__parse *p, const char *section, const struct asy_yaml *node)
{
    char shown[64];

    if (node->type != ASY_YAML_MAP) {
        asy__problem(p, node, section, "must be a map, not %s", asy__shown(node, shown));
        return;
    }
    for (size_t i = 0; i < node->len && !p->rc; i++)
        read_key(p, section, node->keys[i], node->items[i]);
}

/* ---- what decides how the rest is read ------------------------------------------------------ */

/* Names of sampler and pruner count before their options, wherever they stand. */
static void read_name_first(struct asy__parse *p, const char *section)
{
    const struct asy_yaml *node = p->root, *name;
    char path[ASY__KEY_TEXT];

    node = asy_yaml_get(asy_yaml_get(node, "search"), section);
    name = node && node->type == ASY_YAML_MAP ? asy_yaml_get(node, "name") : node;
    if (!name || name->type != ASY_YAML_STRING || !asy__scalar(name))
        return;
    snprintf(path, sizeof path, "search.%s.name", section);
    asy__val(p, path)->s = asy__words_have(asy__row_find(path)->words, name->text)
                               ? asy__take_text(p, name->text, name->len)
                               : "?";
}

/* The group of a family's hyperparameters; of another name, which its row refuses, that of mlp. A
 * family may have rows of ASY__NETWORKS alone. */
static const char *family_group(struct asy__parse *p, const struct asy_yaml *model)
{
    const char *name = asy__scalar(model);
    char group[64];

    if (!name || !asy__words_have(asy__row_find("run.model")->words, name))
        return "model mlp";
    snprintf(group, sizeof group, "model %s", name);
    return asy__take_text(p, group, strlen(group));
}

static void read_kind(struct asy__parse *p)
{
    static const char *const keys[] = { [ASY_RUN_MODEL] = "model", [ASY_RUN_COMMAND] = "command",
                                        [ASY_RUN_PLUGIN] = "plugin" };
    const struct asy_yaml *run = asy_yaml_get(p->root, "run"), *first = NULL;

    for (size_t i = ASY_RUN_MODEL; i < ASY_ARRAY_LEN(keys); i++) {
        const struct asy_yaml *node = asy_yaml_get(run, keys[i]);

        if (!node || node->type == ASY_YAML_NULL)
            continue;
        if (first)
            asy__problem(p, node, "run", "has both %s and %s; give one", keys[p->kind], keys[i]);
        else
            p->kind = (enum asy_run_kind)i;
        first = first ? first : node;
    }
    if (!first && run && run->type == ASY_YAML_MAP)
        asy__problem(p, run, "run", "needs model, command or plugin");
    if (p->kind == ASY_RUN_MODEL)
        p->model_group = family_group(p, first);
    if (p->kind == ASY_RUN_MODEL && !asy_yaml_get(p->root, "data"))
        asy__problem(p, NULL, "data", "is missing; a model needs a data file");
    if (p->kind == ASY_RUN_PLUGIN)
        asy__study_plugin(p, first);
}

/* ---- defaults ------------------------------------------------------------------------------- */

/* A text of ours in place of what the file could say. */
static void read_ours(struct asy__parse *p, const struct asy__row *row, const char *text)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_yaml *node = NULL;

    if (asy_yaml_parse(text, strlen(text), 1000, &node, &err) < 0) {
        ASY_ASSERT(err.code == ASY_E_NOMEM, "%s: %s", row->path, err.text);
        asy__no_memory(p);
        return;
    }
    asy__read_value(p, row, row->path, node);
    asy_yaml_destroy(node);
}

static void read_default(struct asy__parse *p, const struct asy__row *row)
{
    struct asy__value *v = asy__row_val(p, row);
    const char *text = row->before && !p->base_dir ? row->before : row->fallback;

    if (!row->fallback || v->node || v->has || row->kind == ASY__POINTS ||
        row->kind == ASY__CONSTRAINTS)
        return;
    asy__study_unsaid(p, row);
    read_ours(p, row, text);
}

/* Images under the names that MNIST's files have come with labels beside them. */
static void read_mnist_labels(struct asy__parse *p)
{
    static const char *const names[][2] = { { "images-idx3-ubyte", "labels-idx1-ubyte" },
                                            { "images.idx3-ubyte", "labels.idx1-ubyte" } };
    const struct asy__value *file = asy__val(p, "data.file");
    struct asy__value *labels = asy__val(p, "data.labels");
    size_t n = file->has ? strlen(file->s) : 0, m = strlen(names[0][0]), end;
    char *path;

    if (!n || labels->node || !p->base_dir)
        return;
    end = n > 3 && !strcmp(file->s + n - 3, ".gz") ? n - 3 : n;
    for (size_t i = 0; i < ASY_ARRAY_LEN(names); i++) {
        if (end < m || memcmp(file->s + end - m, names[i][0], m) != 0)
            continue;
        if (!(path = asy__take(p, n + 1)))
            return;
        memcpy(path, file->s, n + 1);
        memcpy(path + end - m, names[i][1], m);
        labels->s = path;
        labels->has = 1;
        asy__look_for(p, path, R_OK, asy__place(p, "data.file"), "data.labels");
    }
}

static int section_given(struct asy__parse *p, const struct asy__row *row)
{
    const char *dot = strrchr(row->path, '.');
    char path[ASY__KEY_TEXT];

    if (!dot)
        return 1;
    snprintf(path, sizeof path, "%.*s", (int)(dot - row->path), row->path);
    return asy__val(p, path)->node && asy__val(p, path)->node->type == ASY_YAML_MAP;
}

static void check_required(struct asy__parse *p)
{
    char allowed[200];

    for (size_t i = 0; i < asy__n_rows; i++) {
        const struct asy__row *row = &asy__rows[i];

        if (!(row->flags & ASY__REQUIRED) || asy__row_val(p, row)->node ||
            !asy__row_applies(p, row) || !section_given(p, row))
            continue;
        asy__problem(p, asy__place(p, row->path), row->path, "is missing: %s%s",
                     row->kind == ASY__WORD ? "one of " : "",
                     asy__row_allowed(row, allowed, sizeof allowed));
    }
}

void asy__study_read(struct asy__parse *p)
{
    const struct asy_yaml *dir = asy_yaml_get(p->root, "dir");

    if (p->root->type != ASY_YAML_MAP) {
        asy__problem(p, p->root, "assay", "a study file is a map that begins with 'assay: 1'");
        return;
    }
    if (dir && dir->type == ASY_YAML_STRING) /* before the paths that start from it */
        asy__read_value(p, asy__row_find("dir"), "dir", dir);
    else if (!p->base_dir)
        asy__problem(p, NULL, "dir", "is missing: the folder that paths start from");
    if (asy__val(p, "dir")->has && asy__val(p, "dir")->s[0] != '/')
        asy__problem(p, dir, "dir", "must be an absolute path");
    read_kind(p);
    read_name_first(p, "sampler");
    read_name_first(p, "pruner");
    read_section(p, "", p->root);
    check_required(p);
    if (p->device)
        read_ours(p, asy__row_find("resources.device"), p->device);
    for (size_t i = 0; i < asy__n_rows && !p->rc; i++)
        read_default(p, &asy__rows[i]);
    for (size_t i = 0; i < p->n_own && !p->rc; i++)
        read_default(p, &p->own[i].row);
    read_mnist_labels(p);
}
