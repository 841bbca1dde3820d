/* SPDX-License-Identifier: Apache-2.0
 * study_value.c - values of the file against their rows: of the row's kind, and in its range. */
#include "study_impl.h"
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <asy/parse.h>

int asy__is_scalar(const struct asy_yaml *node)
{
    return node->type != ASY_YAML_LIST && node->type != ASY_YAML_MAP &&
           node->type != ASY_YAML_NULL;
}

const char *asy__scalar(const struct asy_yaml *node)
{
    return asy__is_scalar(node) && strlen(node->text) == node->len ? node->text : NULL;
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

void asy__wrong(struct asy__parse *p, const struct asy__row *row, const char *key,
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
        asy__wrong(p, row, key, node);
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
        asy__wrong(p, row, key, node);
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
        asy__wrong(p, row, key, node);
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
        asy__wrong(p, row, key, node);
    else
        v->has = 1;
}

static int is_name(const char *text)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-");

    return n >= 1 && n <= 64 && !text[n];
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
        asy__wrong(p, row, key, node);
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
        asy__wrong(p, row, key, node);
        return;
    }
    v->has = 1;
}

/* ---- lists ---------------------------------------------------------------------------------- */

static void read_list(struct asy__parse *p, const struct asy__row *row, const char *key,
                      const struct asy_yaml *node, struct asy__value *v)
{
    char name[ASY__KEY_TEXT], shown[64];

    if (node->type != ASY_YAML_LIST) {
        asy__wrong(p, row, key, node);
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
    char name[ASY__KEY_TEXT], shown[64];

    if (node->type != ASY_YAML_MAP) {
        asy__wrong(p, row, key, node);
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
        asy__wrong(p, row, key, node);
        return;
    }
    if (!(v->list = asy__take(p, (node->len + 1) * sizeof *v->list)) ||
        !(v->numbers = asy__take(p, (node->len + 1) * sizeof *v->numbers)))
        return;
    for (size_t i = 0; i < node->len; i++)
        if (read_one_column(p, node->items[i], &v->list[v->n], &v->numbers[v->n]))
            v->n++;
        else
            asy__wrong(p, row, key, node->items[i]);
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
        asy__wrong(p, row, key, node);
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
    case ASY__PARAMETERS: /* read from the node by study_space.c, points by study_points.c */
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
