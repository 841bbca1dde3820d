/* SPDX-License-Identifier: Apache-2.0
 * study_table.c - the keys of the study file: the one table behind parser, help and reference page.
 * Sections stand before their keys; the canonical text has this order. */
#include "study_impl.h"
#include <stdio.h>
#include <string.h>
#include <asy/parse.h>

#define SEED_MAX 9223372036854775807.0 /* as a double 2^63: every int64_t of 0 or more */
#define YEAR_MS 31536000000.0
#define ACTIVATIONS "relu|tanh|gelu|sigmoid|silu|leaky_relu|softmax"

const struct asy__row asy__rows[] = {
#include "study_keys.inc"
#include "study_options.inc"
#include "study_models.inc"
};
const size_t asy__n_rows = ASY_ARRAY_LEN(asy__rows);
_Static_assert(ASY_ARRAY_LEN(asy__rows) <= ASY__ROWS_MAX, "a parse has a value for each row");

const struct asy__row *asy__row_find(const char *path)
{
    for (size_t i = 0; i < asy__n_rows; i++)
        if (!asy__rows[i].group && !strcmp(asy__rows[i].path, path))
            return &asy__rows[i];
    return NULL;
}

int asy__row_is_of(const struct asy__row *row, const char *group)
{
    static const char models[] = "model ";
    const char *family = group + strlen(models);

    if (!row->group || !strcmp(row->group, group))
        return row->group != NULL;
    if (!strcmp(group, ASY__PLUGIN))
        return !strcmp(row->group, ASY__NETWORKS);
    if ((strcmp(row->group, ASY__NETWORKS) && strcmp(row->group, ASY__ALONE)) ||
        strncmp(group, models, strlen(models)))
        return 0;
    return asy__words_have(asy__row_find("run.model")->words, family) && strcmp(family, "gbdt");
}

const struct asy__row *asy__row_option(const char *group, const char *name)
{
    for (size_t i = 0; group && i < asy__n_rows; i++)
        if (asy__row_is_of(&asy__rows[i], group) && !strcmp(asy__rows[i].path, name))
            return &asy__rows[i];
    return NULL;
}

const char *asy__row_leaf(const struct asy__row *row)
{
    const char *dot = strrchr(row->path, '.');

    return dot ? dot + 1 : row->path;
}

const struct asy__row *asy__row_child(const char *section, size_t i)
{
    size_t len = strlen(section);

    for (size_t r = 0; r < asy__n_rows; r++) {
        const struct asy__row *row = &asy__rows[r];
        const char *rest = row->path;

        if (row->group)
            continue;
        if (len) {
            if (strncmp(row->path, section, len) != 0 || row->path[len] != '.')
                continue;
            rest += len + 1;
        }
        if (!strchr(rest, '.') && i-- == 0)
            return row;
    }
    return NULL;
}

const char *asy_study_option(const char *group, size_t i)
{
    for (size_t r = 0; r < asy__n_rows; r++)
        if (asy__row_is_of(&asy__rows[r], group) && i-- == 0)
            return asy__rows[r].path;
    return NULL;
}

const struct asy__row *asy__option(struct asy__parse *p, const char *group, const char *name)
{
    const struct asy__row *row = asy__row_option(group, name);

    for (size_t i = 0; !row && group && group == p->model_group && i < p->n_own; i++)
        if (!strcmp(p->own[i].row.path, name))
            row = &p->own[i].row;
    return row;
}

const char *asy__option_name(struct asy__parse *p, const char *group, size_t i)
{
    const char *name = asy_study_option(group, i);
    size_t n = 0;

    if (name || group != p->model_group)
        return name;
    while (asy_study_option(group, n))
        n++;
    return i - n < p->n_own ? p->own[i - n].row.path : NULL;
}

const char *asy__family(const struct asy__parse *p)
{
    return p->kind == ASY_RUN_PLUGIN ? "the plug-in" : p->model_group + strlen("model ");
}

size_t asy__words_index(const char *words, const char *word)
{
    size_t len = strlen(word);

    for (size_t i = 0; words; words = strchr(words, '|'), i++) {
        words += *words == '|';
        if (!strncmp(words, word, len) && (words[len] == '|' || !words[len]))
            return i;
    }
    return SIZE_MAX;
}

const char *asy_study_option_word(const char *group, const char *name, double value,
                                  size_t *ret_len)
{
    const struct asy__row *row = asy__row_option(group, name);
    const char *word = NULL;

    if (row && row->kind == ASY__FLAG) {
        word = value != 0 ? "yes" : "no";
    } else if (row && row->kind == ASY__WORD) {
        word = row->words;
        for (double i = 0; i < value && word; i++)
            word = strchr(word, '|') ? strchr(word, '|') + 1 : NULL;
    } else if (row && value == 0 && (word = strstr(row->help, "; 0: "))) {
        word += strlen("; 0: ");
    }
    *ret_len = word ? strcspn(word, "|.") : 0;
    return word;
}

int asy__words_have(const char *words, const char *word)
{
    return asy__words_index(words, word) != SIZE_MAX;
}

/* ---- what is allowed, in words -------------------------------------------------------------- */

static void number(char *text, size_t n, const struct asy__row *row, double value)
{
    char plain[32];

    if (row->kind == ASY__DURATION && value >= 86400000)
        snprintf(text, n, "%.0fd", value / 86400000);
    else if (row->kind == ASY__DURATION && value >= 1000)
        snprintf(text, n, "%.0fs", value / 1000);
    else if (row->kind == ASY__DURATION)
        snprintf(text, n, "%.0fms", value);
    else if (row->kind == ASY__SIZE)
        snprintf(text, n, value < 1073741824 ? "%.0fMiB" : "%.0fTiB",
                 value < 1073741824 ? value / 1048576 : value / 1099511627776.0);
    else if (row->kind == ASY__INT && value > 1e18)
        snprintf(text, n, "2^63 - 1");
    else if (row->kind == ASY__INT && value == 1e15)
        snprintf(text, n, "10^15");
    else if (row->kind == ASY__INT && value == 1e9)
        snprintf(text, n, "10^9");
    else if (row->kind == ASY__INT || row->kind == ASY__SHARE)
        snprintf(text, n, "%.0f", value);
    else
        snprintf(text, n, "%s", asy_format_f64(value, plain));
}

static const char *with_range(const struct asy__row *row, const char *what, char *text, size_t n)
{
    char lo[32], hi[32];

    number(lo, sizeof lo, row, row->min);
    number(hi, sizeof hi, row, row->max);
    if (row->min < row->max)
        snprintf(text, n, "%s from %s to %s", what, lo, hi);
    else if (row->flags & ASY__MORE_LATER || row->max > 0)
        snprintf(text, n, "%s", lo);
    else
        snprintf(text, n, "%s", what);
    return text;
}

static const char *one_of(const struct asy__row *row, char *text, size_t n)
{
    size_t len = 0;

    text[0] = 0;
    for (const char *w = row->words; w && len < n; w = strchr(w, '|')) {
        w += *w == '|';
        len += (size_t)snprintf(text + len, n - len, "%s%.*s", len ? ", " : "",
                                (int)strcspn(w, "|"), w);
    }
    return text;
}

const char *asy__row_allowed(const struct asy__row *row, char *text, size_t n)
{
    static const char *const plain[] = {
        [ASY__SECTION] = "a map",
        [ASY__FLAG] = "true or false",
        [ASY__STRING] = "a text",
        [ASY__NAME] = "1 to 64 of a-z, 0-9, '.', '_' and '-'",
        [ASY__PATH] = "a path",
        [ASY__PATHS] = "a list of paths",
        [ASY__STRINGS] = "a list of texts",
        [ASY__STRING_MAP] = "a map of names and texts",
        [ASY__COLUMN] = "a column's name or number (-1: the last)",
        [ASY__COLUMNS] = "a list of column names or numbers (-1: the last)",
        [ASY__AUTO_FLAG] = "auto, true or false",
        [ASY__OBJECTIVE] = "a map, or a list of maps",
        [ASY__CONSTRAINTS] = "a list of maps of metric and min, max or both",
        [ASY__LAYERS] = "a list of layers",
        [ASY__WEIGHTS] = "a map of classes and numbers, or a list of numbers",
        [ASY__FIXED] = "a map of hyperparameters and values",
        [ASY__PARAMETERS] = "a map of names to {min, max} or {values}",
        [ASY__POINTS] = "a list of maps of parameters and values",
        [ASY__TOLD] = "a file, or a list of {point, value}",
        [ASY__FROM] = "names of studies",
        [ASY__POINT] = "a map of parameters and values",
        [ASY__INPUTS] = "a list of files, made by the command line",
        [ASY__WORD] = NULL,
    };
    char whole[80];

    switch (row->kind) {
    case ASY__INT:
        return with_range(row, "a whole number", text, n);
    case ASY__SHARE:
        with_range(row, "a whole number", whole, sizeof whole);
        snprintf(text, n, "%s, or a part of one (as 0.5, in steps of 0.0001)", whole);
        return text;
    case ASY__NUMBER:
        return with_range(row, "a number", text, n);
    case ASY__DURATION:
        return with_range(row, "a duration (as 250ms, 30s, 10m, 2h, 1d)", text, n);
    case ASY__SIZE:
        return with_range(row, "a size (as 512MiB, 2GiB)", text, n);
    case ASY__WORD:
        return one_of(row, text, n);
    default:
        snprintf(text, n, "%s", plain[row->kind]);
        return text;
    }
}
