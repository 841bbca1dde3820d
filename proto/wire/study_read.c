/* SPDX-License-Identifier: Apache-2.0
 * study_read.c - the file against the table: every key known, every value of its type and range. */
#include "study_impl.h"
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include <asy/parse.h>

#define PATH_TEXT 160 /* a full key */
#define DEFAULT_PATH "/bin:/usr/bin" /* where programs are looked for without PATH */

static int is_scalar(const struct asy_yaml *node)
{
    return node->type != ASY_YAML_LIST && node->type != ASY_YAML_MAP &&
           node->type != ASY_YAML_NULL;
}

const char *asy__scalar(const struct asy_yaml *node)
{
    return is_scalar(node) && strlen(node->text) == node->len ? node->text : NULL;
}

const char *asy__shown(const struct asy_yaml *node, char text[64])
{
    if (node->type == ASY_YAML_LIST)
        return "a list";
    if (node->type == ASY_YAML_MAP)
        return "a map";
    if (node->type == ASY_YAML_NULL)
        return "nothing";
    snprintf(text, 64, "'%.50s%s'", node->text, node->len > 50 ? "..." : "");
    return text;
}

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

/* ---- values --------------------------------------------------------------------------------- */

/* What others call a GPU, which spells like 'cpu'. */
static int is_gpu(const char *word)
{
    static const char *const names[] = { "gpu", "gpus", "nvidia", "amd", "rocm", "hip" };

    for (size_t i = 0; i < ASY_ARRAY_LEN(names); i++)
        if (!strncasecmp(word, names[i], strlen(names[i])) &&
            (!word[strlen(names[i])] || word[strlen(names[i])] == ':'))
            return 1;
    return 0;
}

static void wrong(struct asy__parse *p, const struct asy__row *row, const char *key,
                  const struct asy_yaml *node)
{
    const char *words[32];
    char allowed[200], shown[64], hint[128] = "", copy[200];
    size_t n = 0;

    asy__row_allowed(row, allowed, sizeof allowed);
    if (row->kind == ASY__WORD && node->type == ASY_YAML_STRING) {
        snprintf(copy, sizeof copy, "%s", row->words);
        for (char *w = copy, *end; w && n < 32; w = end ? end + 1 : NULL) {
            words[n++] = w;
            if ((end = strchr(w, '|')))
                *end = 0;
        }
        if (!strcmp(row->path, "resources.device") && is_gpu(node->text))
            snprintf(hint, sizeof hint, "; a GPU is 'cuda' (NVIDIA's) or 'opencl', beside gpus: 1");
        else if (n > 1) /* the only one is named anyway */
            asy__did_you_mean(node->text, words, n, hint, sizeof hint);
    }
    asy__problem(p, node, key, "must be %s%s, not %s%s",
                 row->kind == ASY__WORD && strchr(row->words, '|') ? "one of " : "", allowed,
                 asy__shown(node, shown), hint);
}

static void later(struct asy__parse *p, const struct asy_yaml *node, const char *key,
                  const char *what)
{
    asy__problem(p, node, key, "%s%sis not supported in this version; a later one will have "
                 "it", what ? what : "",
                 what ? " " : "");
}

int asy__in_range(const struct asy__row *row, double value)
{
    return (row->min == 0 && row->max == 0 && !(row->flags & ASY__MORE_LATER)) ||
           (value >= row->min && value <= row->max);
}

/* A plug-in gets its hyperparameters as doubles. */
static int is_inexact(const struct asy__row *row, const struct asy_yaml *node)
{
    return row->group && !strcmp(row->group, ASY__PLUGIN) && node->type == ASY_YAML_INT &&
           (node->i > (int64_t)ASY__INT_LIMIT || node->i < -(int64_t)ASY__INT_LIMIT);
}

static void read_int(struct asy__parse *p, const struct asy__row *row, const char *key,
                     const struct asy_yaml *node, struct asy__value *v)
{
    char more[64];

    if (node->type == ASY_YAML_INT && row->flags & ASY__MORE_LATER && node->f > row->max) {
        snprintf(more, sizeof more, "more than %.0f", row->max);
        later(p, node, key, more);
    } else if (is_inexact(row, node)) {
        asy__problem(p, node, key, "must be a whole number up to 2^53, not %s",
                     asy__shown(node, more));
    } else if (node->type != ASY_YAML_INT || !asy__in_range(row, node->f)) {
        wrong(p, row, key, node);
    } else {
        v->i = node->i;
        v->f = node->f;
        v->has = 1;
    }
}

static void read_number(struct asy__parse *p, const struct asy__row *row, const char *key,
                        const struct asy_yaml *node, struct asy__value *v)
{
    int is_number = node->type == ASY_YAML_INT || node->type == ASY_YAML_REAL;

    if (node->type == ASY_YAML_STRING && row->later) {
        later(p, node, key, row->later);
    } else if (!is_number || !isfinite(node->f) || !asy__in_range(row, node->f)) {
        wrong(p, row, key, node);
    } else {
        v->f = node->f;
        v->has = 1;
    }
}

/* Two decimal notations of one part are the same number of steps. */
static void read_share(struct asy__parse *p, const struct asy__row *row, const char *key,
                       const struct asy_yaml *node, struct asy__value *v)
{
    int is_number = node->type == ASY_YAML_INT || node->type == ASY_YAML_REAL;
    double steps = is_number && isfinite(node->f) ? round(node->f * ASY_GPU_WHOLE) : -1;

    if (steps < 0 || !asy__in_range(row, node->f) || fabs(node->f * ASY_GPU_WHOLE - steps) > 1e-6 ||
        (steps > ASY_GPU_WHOLE && fmod(steps, ASY_GPU_WHOLE) != 0)) {
        wrong(p, row, key, node);
    } else {
        v->i = (int64_t)steps;
        v->f = node->f;
        v->has = 1;
    }
}

static void read_unit(struct asy__parse *p, const struct asy__row *row, const char *key,
                      const struct asy_yaml *node, struct asy__value *v)
{
    const char *text = asy__scalar(node);
    uint64_t size = 0;
    int64_t ms = 0;
    int rc = ASY_E_INVAL;

    if (text && node->type != ASY_YAML_BOOL)
        rc = row->kind == ASY__SIZE ? asy_parse_size(text, node->len, &size, NULL)
                                    : asy_parse_duration(text, node->len, &ms, NULL);
    v->i = row->kind == ASY__SIZE ? (int64_t)size : ms;
    if (rc < 0 || size > INT64_MAX || !asy__in_range(row, (double)v->i))
        wrong(p, row, key, node);
    else
        v->has = 1;
}

static int is_name(const char *text)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-");

    return n >= 1 && n <= 64 && !text[n];
}

const char *asy__absolute(struct asy__parse *p, const char *path)
{
    struct asy__value *dir = asy__val(p, "dir");
    const char *base = dir->has ? dir->s : p->base_dir;
    size_t n_base, n_path;
    char *whole;

    while (path[0] == '.' && path[1] == '/') {
        path += 2;
        path += strspn(path, "/");
    }
    if (!strcmp(path, "."))
        path = "";
    if (path[0] == '/' || !base)
        return asy__take_text(p, path, strlen(path));
    n_base = strlen(base);
    n_path = strlen(path);
    while (n_base > 1 && base[n_base - 1] == '/')
        n_base--;
    if (!(whole = asy__take(p, n_base + n_path + 2)))
        return NULL;
    memcpy(whole, base, n_base);
    if (n_path && whole[n_base - 1] != '/')
        whole[n_base++] = '/';
    memcpy(whole + n_base, path, n_path);
    return whole;
}

void asy__look_for(struct asy__parse *p, const char *path, int mode, const struct asy_yaml *node,
                   const char *key)
{
    struct asy_error why = ASY_ERROR_INIT;

    if (!p->look || access(path, mode) == 0)
        return;
    asy_fail_errno(&why, errno, "cannot %s '%s'", mode == X_OK ? "run" : "read", path);
    asy__problem(p, node, key, "%s", why.text);
}

/* 1: some folder of PATH has it, or may have: what is not absolute depends on where it will run. */
int asy__in_path(const char *name)
{
    const char *at = getenv("PATH");

    for (at = at ? at : DEFAULT_PATH;; at++) {
        int len = (int)strcspn(at, ":");
        char file[PATH_MAX];
        struct stat st;

        if (*at != '/' || snprintf(file, sizeof file, "%.*s/%s", len, at, name) >= (int)sizeof file)
            return 1;
        if (stat(file, &st) == 0 && S_ISREG(st.st_mode) && access(file, X_OK) == 0)
            return 1;
        at += len;
        if (!*at)
            return 0;
    }
}

void asy__look_in_path(struct asy__parse *p, const char *name, const struct asy_yaml *node,
                       const char *key)
{
    const char *here;

    if (!p->look || asy__in_path(name))
        return;
    here = asy__absolute(p, name);
    if (here && access(here, F_OK) == 0)
        asy__problem(p, node, key, "cannot find '%s' in PATH; did you mean './%s'?", name, name);
    else
        asy__problem(p, node, key, "cannot find '%s' in PATH", name);
}

static void read_text(struct asy__parse *p, const struct asy__row *row, const char *key,
                      const struct asy_yaml *node, struct asy__value *v)
{
    const char *text = asy__scalar(node);

    if (text && row->kind == ASY__WORD && row->later && asy__words_have(row->later, text)) {
        char quoted[64];

        snprintf(quoted, sizeof quoted, "'%s'", text);
        later(p, node, key, quoted);
        return;
    }
    if (!text || (row->kind == ASY__WORD && !asy__words_have(row->words, text)) ||
        (row->kind == ASY__NAME && !is_name(text)) || (row->kind == ASY__PATH && !*text)) {
        wrong(p, row, key, node);
        return;
    }
    v->s = row->kind == ASY__PATH ? asy__absolute(p, text) : asy__take_text(p, text, strlen(text));
    v->has = v->s != NULL;
    if (v->has && row->flags & ASY__TO_READ)
        asy__look_for(p, v->s, R_OK, node, key);
}

static void read_flag(struct asy__parse *p, const struct asy__row *row, const char *key,
                      const struct asy_yaml *node, struct asy__value *v)
{
    if (node->type == ASY_YAML_BOOL)
        v->i = node->i;
    else if (row->kind == ASY__AUTO_FLAG && node->type == ASY_YAML_STRING &&
             !strcmp(node->text, "auto"))
        v->i = -1;
    else {
        wrong(p, row, key, node);
        return;
    }
    v->has = 1;
}

/* ---- lists ---------------------------------------------------------------------------------- */

static void read_list(struct asy__parse *p, const struct asy__row *row, const char *key,
                      const struct asy_yaml *node, struct asy__value *v)
{
    char name[PATH_TEXT], shown[64];

    if (node->type != ASY_YAML_LIST) {
        wrong(p, row, key, node);
        return;
    }
    if (!(v->list = asy__take(p, (node->len + 1) * sizeof *v->list)))
        return;
    for (size_t i = 0; i < node->len; i++) {
        const char *text = asy__scalar(node->items[i]);

        snprintf(name, sizeof name, "%s[%zu]", key, i);
        if (!text || (row->kind == ASY__PATHS && !*text)) {
            asy__problem(p, node->items[i], name, "must be a text, not %s",
                         asy__shown(node->items[i], shown));
            continue;
        }
        v->list[v->n] = row->kind == ASY__PATHS ? asy__absolute(p, text)
                                                : asy__take_text(p, text, strlen(text));
        if (v->list[v->n] && row->flags & ASY__TO_READ)
            asy__look_for(p, v->list[v->n], R_OK, node->items[i], name);
        v->n += v->list[v->n] != NULL;
    }
    v->has = 1;
}

static void read_map(struct asy__parse *p, const struct asy__row *row, const char *key,
                     const struct asy_yaml *node, struct asy__value *v)
{
    char name[PATH_TEXT], shown[64];

    if (node->type != ASY_YAML_MAP) {
        wrong(p, row, key, node);
        return;
    }
    if (!(v->list = asy__take(p, (2 * node->len + 1) * sizeof *v->list)))
        return;
    for (size_t i = 0; i < node->len; i++) {
        const char *at = asy__scalar(node->keys[i]), *text = asy__scalar(node->items[i]);

        snprintf(name, sizeof name, "%s.%s", key, at ? at : "?");
        if (!at || !*at || (!strcmp(row->path, "run.env") && strchr(at, '='))) {
            asy__problem(p, node->keys[i], name, "is not a name");
        } else if (!text) {
            asy__problem(p, node->items[i], name, "must be a text, not %s",
                         asy__shown(node->items[i], shown));
        } else if ((v->list[2 * v->n] = asy__take_text(p, at, strlen(at))) &&
                   (v->list[2 * v->n + 1] = asy__take_text(p, text, strlen(text)))) {
            v->n++;
        }
    }
    v->has = 1;
}

/* A name, or a number with *ret_number. 0: neither. */
static int read_one_column(struct asy__parse *p, const struct asy_yaml *node, const char **ret_name,
                           int64_t *ret_number)
{
    *ret_name = NULL;
    *ret_number = 0;
    if (node->type == ASY_YAML_INT && node->i >= -1000000000 && node->i <= 1000000000) {
        *ret_number = node->i;
        return 1;
    }
    if (node->type != ASY_YAML_STRING || !asy__scalar(node) || !node->len)
        return 0;
    return (*ret_name = asy__take_text(p, node->text, node->len)) != NULL;
}

static void read_columns(struct asy__parse *p, const struct asy__row *row, const char *key,
                         const struct asy_yaml *node, struct asy__value *v)
{
    if (node->type != ASY_YAML_LIST) {
        wrong(p, row, key, node);
        return;
    }
    if (!(v->list = asy__take(p, (node->len + 1) * sizeof *v->list)) ||
        !(v->numbers = asy__take(p, (node->len + 1) * sizeof *v->numbers)))
        return;
    for (size_t i = 0; i < node->len; i++)
        if (read_one_column(p, node->items[i], &v->list[v->n], &v->numbers[v->n]))
            v->n++;
        else
            wrong(p, row, key, node->items[i]);
    v->has = 1;
}

static void read_column(struct asy__parse *p, const struct asy__row *row, const char *key,
                        const struct asy_yaml *node, struct asy__value *v)
{
    if (node->type == ASY_YAML_LIST && node->len > 1)
        later(p, node, key, row->later);
    else if (node->type == ASY_YAML_LIST && node->len == 1)
        read_column(p, row, key, node->items[0], v);
    else if (read_one_column(p, node, &v->s, &v->i))
        v->has = 1;
    else
        wrong(p, row, key, node);
}

void asy__read_value(struct asy__parse *p, const struct asy__row *row, const char *key,
                     const struct asy_yaml *node)
{
    struct asy__value *v = asy__row_val(p, row);

    switch (row->kind) {
    case ASY__INT:
        read_int(p, row, key, node, v);
        break;
    case ASY__SHARE:
        read_share(p, row, key, node, v);
        break;
    case ASY__NUMBER:
        read_number(p, row, key, node, v);
        break;
    case ASY__DURATION:
    case ASY__SIZE:
        read_unit(p, row, key, node, v);
        break;
    case ASY__FLAG:
    case ASY__AUTO_FLAG:
        read_flag(p, row, key, node, v);
        break;
    case ASY__PATHS:
    case ASY__STRINGS:
        read_list(p, row, key, node, v);
        break;
    case ASY__STRING_MAP:
        read_map(p, row, key, node, v);
        break;
    case ASY__COLUMN:
        read_column(p, row, key, node, v);
        break;
    case ASY__COLUMNS:
        read_columns(p, row, key, node, v);
        break;
    case ASY__WEIGHTS:
        asy__study_read_weights(p, row, key, node, v);
        break;
    case ASY__PARAMETERS: /* read by study_space.c from the node */
    case ASY__POINTS:
    case ASY__POINT:
    case ASY__TOLD: /* by study_tell.c */
    case ASY__FROM: /* by study_from.c */
    case ASY__INPUTS: /* by study_inputs.c likewise */
    case ASY__CONSTRAINTS: /* by study_goals.c */
    case ASY__LAYERS: /* by study_layers.c */
        break;
    default:
        read_text(p, row, key, node, v);
    }
}

/* ---- sections ------------------------------------------------------------------------------- */

static void read_section(struct asy__parse *p, const char *section, const struct asy_yaml *node);

static void read_scalar_section(struct asy__parse *p, const struct asy__row *row,
                                const struct asy_yaml *node)
{
    const struct asy__row *child;
    char path[PATH_TEXT], shown[64];

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
            wrong(p, row, key, node->items[i]);
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
    else if (row->scalar && is_scalar(node))
        read_scalar_section(p, row, node);
    else
        wrong(p, row, key, node);
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
    char path[PATH_TEXT], group_text[64];
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
    char path[PATH_TEXT];

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
    char path[PATH_TEXT];

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
