/* SPDX-License-Identifier: Apache-2.0
 * study_plugin.c - the hyperparameters and metrics that a plug-in has of its own.
 *
 * Only its library knows them, and this one does not load it: the reader is asked, who has
 * assay-trainer do that in a process of its own, and the answer becomes rows like those of the
 * table. So the user's file is checked in one pass, with the place of each mistake. Where nobody
 * can be asked (a stored study, a coordinator) rows are made of what the file names, which was
 * checked when it was submitted; a trainer checks again. */
#include "study_impl.h"
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TABLE_MAX (1u << 20)
#define OWN_MAX 64      /* as asy/plugin.h has it */
#define METRICS_MAX 16

static const char group[] = ASY__PLUGIN;

/* ---- what the library says ------------------------------------------------------------------- */

static const char *text_of(struct asy__parse *p, const struct asy_json *map, const char *key)
{
    const char *text = asy_json_str(asy_json_get(map, key), "");

    return asy__take_text(p, text, strlen(text));
}

/* Of letters, digits, _ and - at most n; with `bars` | too. */
static int is_plain(const char *text, int bars, size_t n)
{
    static const char allowed[] = "|abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789_-";
    size_t len = strspn(text, allowed + !bars);

    return len > 0 && len <= n && !text[len];
}

/* The answer comes from a process in which a user's library ran: nothing of it is trusted. */
static int makes_sense(const struct asy_json *node)
{
    const char *type = asy_json_str(asy_json_get(node, "type"), "");
    const struct asy_json *fallback = asy_json_get(node, "default");
    double min = asy_json_f64(asy_json_get(node, "min"), 0);
    double max = asy_json_f64(asy_json_get(node, "max"), 0);
    const char *words = asy_json_str(asy_json_get(node, "words"), "");

    if (!is_plain(asy_json_str(asy_json_get(node, "name"), ""), 0, 40))
        return 0;
    if (!strcmp(type, "word"))
        return is_plain(words, 1, 4000) && is_plain(asy_json_str(fallback, ""), 0, 40) &&
               asy__words_have(words, asy_json_str(fallback, ""));
    if (!strcmp(type, "flag"))
        return fallback && asy_json_type(fallback) == ASY_JSON_BOOL;
    return isfinite(asy_json_f64(fallback, (double)NAN)) && min <= max &&
           fabs(asy_json_f64(fallback, 0)) < 1e300 &&
           (!strcmp(type, "real") ||
            (!strcmp(type, "int") && asy_json_type(fallback) == ASY_JSON_INT &&
             fabs(asy_json_f64(fallback, 0)) <= ASY__INT_LIMIT));
}

/* The default as YAML, like those of the table. */
static const char *fallback_of(struct asy__parse *p, const struct asy__row *row,
                               const struct asy_json *node)
{
    char number[40], text[80];

    if (row->kind == ASY__WORD)
        snprintf(text, sizeof text, "'%.60s'", asy_json_str(node, ""));
    else if (row->kind == ASY__FLAG)
        snprintf(text, sizeof text, "%s", asy_json_bool(node, 0) ? "true" : "false");
    else if (row->kind == ASY__INT)
        snprintf(text, sizeof text, "%.0f", asy_json_f64(node, 0));
    else
        snprintf(text, sizeof text, "%s", asy__real_text(asy_json_f64(node, 0), number));
    return asy__take_text(p, text, strlen(text));
}

static void add_hyper(struct asy__parse *p, const struct asy_json *node)
{
    static const struct {
        const char *name;
        enum asy__kind kind;
    } types[] = { { "real", ASY__NUMBER }, { "int", ASY__INT }, { "flag", ASY__FLAG },
                  { "word", ASY__WORD } };
    struct asy__row *row = &p->own[p->n_own].row;
    const char *type = asy_json_str(asy_json_get(node, "type"), "");
    size_t i = 0;

    while (i + 1 < ASY_ARRAY_LEN(types) && strcmp(types[i].name, type))
        i++;
    *row = (struct asy__row){ .path = text_of(p, node, "name"), .kind = types[i].kind,
                              .group = group, .help = text_of(p, node, "help"),
                              .min = asy_json_f64(asy_json_get(node, "min"), 0),
                              .max = asy_json_f64(asy_json_get(node, "max"), 0) };
    if (asy_json_bool(asy_json_get(node, "shape"), 0))
        row->flags |= ASY__SHAPE;
    if (row->kind == ASY__WORD)
        row->words = text_of(p, node, "words");
    row->fallback = fallback_of(p, row, asy_json_get(node, "default"));
    if (!p->rc)
        p->n_own++;
}

/* "train_NAME" and "val_NAME". */
static void add_metric(struct asy__parse *p, const char *name)
{
    static const char *const parts[] = { "train", "val" };
    char text[80];

    for (size_t i = 0; i < ASY_ARRAY_LEN(parts); i++) {
        snprintf(text, sizeof text, "%s_%.60s", parts[i], name);
        p->own_metrics[p->n_own_metrics] = asy__take_text(p, text, strlen(text));
        p->n_own_metrics += p->own_metrics[p->n_own_metrics] != NULL;
    }
}

static int is_key_of_run(const char *name)
{
    char path[128];

    return snprintf(path, sizeof path, "run.%s", name) < (int)sizeof path &&
           asy__row_find(path) != NULL;
}

static void take_table(struct asy__parse *p, const struct asy_yaml *plugin,
                       const struct asy_json *root)
{
    const struct asy_json *hypers = asy_json_get(root, "hyperparameters"), *node;
    const struct asy_json *metrics = asy_json_get(root, "metrics");
    const struct asy_yaml *data = asy_yaml_get(p->root, "data");
    int own_data = asy_json_bool(asy_json_get(root, "own_data"), 0);

    for (size_t i = 0; i < OWN_MAX && (node = asy_json_at(hypers, i)) && !p->rc; i++) {
        const char *name = asy_json_str(asy_json_get(node, "name"), "");

        if (asy__row_option(group, name) || is_key_of_run(name))
            asy__problem(p, plugin, "run.plugin", "its hyperparameter '%.40s' has the name of one "
                         "of the engine's", name);
        else if (makes_sense(node))
            add_hyper(p, node);
        else
            asy__problem(p, plugin, "run.plugin", "has told a table that makes no sense");
    }
    for (size_t i = 0; i < METRICS_MAX && (node = asy_json_at(metrics, i)); i++)
        if (is_plain(asy_json_str(asy_json_get(node, "name"), ""), 0, 40))
            add_metric(p, asy_json_str(asy_json_get(node, "name"), ""));
    p->own_known = 1;
    if (own_data && !p->no_data)
        asy__problem(p, data, "data", "the plug-in brings its own data; leave it out");
    else if (!own_data && p->no_data)
        asy__problem(p, NULL, "data", "is missing; the plug-in needs a data file");
}

static void ask(struct asy__parse *p, const struct asy_yaml *plugin, const char *path)
{
    struct asy_error why = ASY_ERROR_INIT;
    struct asy_json *root = NULL;
    struct asy_buf json;
    int rc;

    asy_buf_init(&json, TABLE_MAX);
    rc = p->reader->table(p->reader->ctx, path, &json, &why);
    if (rc == 0 && (rc = asy_buf_check(&json, "the table of a plug-in", &why)) == 0)
        rc = asy_json_parse(json.data, json.len, &root, &why);
    if (rc == 0)
        take_table(p, plugin, root);
    else if (rc == ASY_E_INVAL)
        asy__problem(p, plugin, "run.plugin", "%s", why.text);
    else if (rc == ASY_E_NOMEM)
        asy__no_memory(p);
    asy_json_destroy(root);
    asy_buf_fini(&json);
}

/* ---- what the file names --------------------------------------------------------------------- */

/* A row of whatever the value is. */
static void add_named(struct asy__parse *p, const struct asy_yaml *key,
                      const struct asy_yaml *value)
{
    static const enum asy__kind kinds[] = {
        [ASY_YAML_BOOL] = ASY__FLAG, [ASY_YAML_INT] = ASY__INT, [ASY_YAML_REAL] = ASY__NUMBER,
        [ASY_YAML_STRING] = ASY__STRING,
    };
    const char *name = asy__scalar(key);

    if (!name || !*name || strlen(name) > 100 || value->type < ASY_YAML_BOOL ||
        value->type > ASY_YAML_STRING || p->n_own == OWN_MAX)
        return; /* read on, it is an unknown key */
    if (is_key_of_run(name) || asy__row_option(group, name))
        return;
    for (size_t i = 0; i < p->n_own; i++)
        if (!strcmp(p->own[i].row.path, name))
            return;
    p->own[p->n_own].row = (struct asy__row){ .path = asy__take_text(p, name, strlen(name)),
                                              .kind = kinds[value->type], .group = group,
                                              .help = "" };
    p->n_own += p->own[p->n_own].row.path != NULL;
}

static void take_names(struct asy__parse *p)
{
    const struct asy_yaml *run = asy_yaml_get(p->root, "run");
    const struct asy_yaml *maps[] = { run, asy_yaml_get(run, "fixed") };

    for (size_t m = 0; m < ASY_ARRAY_LEN(maps); m++)
        for (size_t i = 0; maps[m] && maps[m]->type == ASY_YAML_MAP && i < maps[m]->len; i++)
            add_named(p, maps[m]->keys[i], maps[m]->items[i]);
}

void asy__study_plugin(struct asy__parse *p, const struct asy_yaml *plugin)
{
    const struct asy_yaml *data = asy_yaml_get(p->root, "data");
    const char *text = asy__scalar(plugin), *path = text ? asy__absolute(p, text) : NULL;

    p->model_group = group;
    p->no_data = !data || data->type == ASY_YAML_NULL;
    p->own = asy__take(p, OWN_MAX * sizeof *p->own);
    p->own_metrics = asy__take(p, 2 * METRICS_MAX * sizeof *p->own_metrics);
    if (p->rc)
        return;
    if (path && *text && p->reader && p->reader->table && access(path, R_OK) == 0)
        ask(p, plugin, path);
    if (!p->own_known)
        take_names(p);
}
