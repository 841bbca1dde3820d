/* SPDX-License-Identifier: Apache-2.0
 * study_param.c - one of the `parameters`: its range or values, and whether the model takes it. */
#include "study_param.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const param_keys[] = { "type", "min", "max", "scale", "step", "values", "when",
                                          "prior" };

void asy__bad(struct asy__drafts *w, struct asy__draft *d, const struct asy_yaml *node,
              const char *fmt, ...)
{
    char text[400], key[ASY__PARAM_KEY_TEXT], note[100] = "";
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    snprintf(key, sizeof key, "parameters.%s", d->name);
    if (strstr(text, " never ")) /* a condition, of which another parameter is to blame */
        asy__fixed_note(w->p, text, note);
    asy__problem(w->p, node, key, "%s%s%s", text, note, *note ? ": leave this parameter out" : "");
    d->bad = 1;
}

int asy__is_number(const struct asy_yaml *node)
{
    return node && (node->type == ASY_YAML_INT || node->type == ASY_YAML_REAL) &&
           isfinite(node->f);
}

const struct asy_yaml *asy__member(const struct asy_yaml *map, const char *key)
{
    const struct asy_yaml *node = asy_yaml_get(map, key);

    return node && node->type != ASY_YAML_NULL ? node : NULL;
}

/* ---- numbers -------------------------------------------------------------------------------- */

static int bound(struct asy__drafts *w, struct asy__draft *d, const char *key, double *ret)
{
    const struct asy_yaml *node = asy__member(d->node, key);
    char shown[64];

    if (!node)
        asy__bad(w, d, d->node, "needs %s (or values)", key);
    else if (!asy__is_number(node))
        asy__bad(w, d, node, "%s must be a number, not %s", key, asy__shown(node, shown));
    else
        *ret = node->f;
    return asy__is_number(node);
}

static void decide_type(struct asy__drafts *w, struct asy__draft *d)
{
    const struct asy_yaml *type = asy__member(d->node, "type"), *min = asy__member(d->node, "min"),
                          *max = asy__member(d->node, "max"), *step = asy__member(d->node, "step");
    const char *word = type ? asy__scalar(type) : NULL;
    char shown[64];

    if (word && !strcmp(word, "int"))
        d->param.type = ASY_PARAM_INT;
    else if (word && !strcmp(word, "float"))
        d->param.type = ASY_PARAM_FLOAT;
    else if (type)
        asy__bad(w, d, type, "type must be int or float, not %s", asy__shown(type, shown));
    else
        d->param.type = min->type == ASY_YAML_INT && max->type == ASY_YAML_INT &&
                                (!step || step->type == ASY_YAML_INT)
                            ? ASY_PARAM_INT
                            : ASY_PARAM_FLOAT;
}

static void read_scale(struct asy__drafts *w, struct asy__draft *d)
{
    const struct asy_yaml *scale = asy__member(d->node, "scale");
    const char *word = scale ? asy__scalar(scale) : "linear";
    char shown[64];

    if (word && !strcmp(word, "log"))
        d->param.log = 1;
    else if (!word || strcmp(word, "linear") != 0)
        asy__bad(w, d, scale, "scale must be linear or log, not %s", asy__shown(scale, shown));
    if (d->param.log && !(d->param.lo > 0))
        asy__bad(w, d, asy__member(d->node, "min"), "min must be above 0 on a log scale");
}

static void read_step(struct asy__drafts *w, struct asy__draft *d)
{
    const struct asy_yaml *step = asy__member(d->node, "step");
    char shown[64];

    if (!step)
        return;
    if (!asy__is_number(step) || !(step->f > 0))
        asy__bad(w, d, step, "step must be a number above 0, not %s", asy__shown(step, shown));
    else
        d->param.step = step->f;
}

static int whole(double value)
{
    return value == floor(value) && fabs(value) <= ASY__INT_LIMIT;
}

static void read_range(struct asy__drafts *w, struct asy__draft *d)
{
    struct asy_param *q = &d->param;
    int has_min = bound(w, d, "min", &q->lo), has_max = bound(w, d, "max", &q->hi);

    if (!has_min || !has_max)
        return;
    decide_type(w, d);
    read_step(w, d);
    read_scale(w, d);
    if (q->lo > q->hi)
        asy__bad(w, d, asy__member(d->node, "min"), "min is above max");
    if (q->type == ASY_PARAM_INT && !(whole(q->lo) && whole(q->hi) && whole(q->step)))
        asy__bad(w, d, d->node, "min, max and step of an int must be whole numbers up to 2^53");
}

/* ---- values --------------------------------------------------------------------------------- */

static int compare_numbers(const void *a, const void *b)
{
    double x = ((const struct asy_value *)a)->f, y = ((const struct asy_value *)b)->f;

    return (x > y) - (x < y);
}

int asy__to_value(struct asy__drafts *w, const struct asy_yaml *node, struct asy_value *ret)
{
    *ret = (struct asy_value){ .i = node->i, .f = node->f };
    switch (node->type) {
    case ASY_YAML_INT:
        ret->type = ASY_VALUE_INT;
        return fabs(node->f) <= ASY__INT_LIMIT;
    case ASY_YAML_REAL:
        ret->type = ASY_VALUE_REAL;
        return isfinite(node->f);
    case ASY_YAML_BOOL:
        ret->type = ASY_VALUE_BOOL;
        return 1;
    case ASY_YAML_STRING:
        ret->type = ASY_VALUE_STRING;
        ret->s = asy__scalar(node) ? asy__take_text(w->p, node->text, node->len) : NULL;
        return ret->s != NULL;
    default:
        return 0;
    }
}

int asy__is_numeric(const struct asy_value *value)
{
    return value->type == ASY_VALUE_INT || value->type == ASY_VALUE_REAL;
}

int asy__same_value(const struct asy_value *a, const struct asy_value *b)
{
    if (asy__is_numeric(a) && asy__is_numeric(b))
        return a->f == b->f;
    if (a->type != b->type)
        return 0;
    return a->type == ASY_VALUE_STRING ? !strcmp(a->s, b->s) : a->i == b->i;
}

static void check_values(struct asy__drafts *w, struct asy__draft *d, const struct asy_yaml *list,
                         struct asy_value *values)
{
    size_t numbers = 0;
    char shown[64];

    for (size_t i = 0; i < list->len; i++)
        numbers += asy__is_numeric(&values[i]);
    if (numbers == list->len) {
        qsort(values, list->len, sizeof *values, compare_numbers);
        d->param.ordered = 1;
    }
    for (size_t i = 1; d->param.ordered && i < list->len; i++)
        if (values[i].f == values[i - 1].f) {
            asy__bad(w, d, list, "has %.15g twice", values[i].f);
            return;
        }
    for (size_t i = 1; !d->param.ordered && i < list->len; i++)
        for (size_t j = 0; j < i; j++)
            if (asy__same_value(&values[i], &values[j])) {
                asy__bad(w, d, list->items[i], "has %s twice", asy__shown(list->items[i], shown));
                return;
            }
}

static void read_values(struct asy__drafts *w, struct asy__draft *d)
{
    static const char *const others[] = { "min", "max", "scale", "step", "type" };
    const struct asy_yaml *list = asy__member(d->node, "values");
    struct asy_value *values;
    char shown[64];

    d->param.type = ASY_PARAM_CHOICE;
    for (size_t i = 0; i < ASY_ARRAY_LEN(others); i++)
        if (asy__member(d->node, others[i]))
            asy__bad(w, d, asy__member(d->node, others[i]), "has values, so %s has no meaning",
                     others[i]);
    if (list->type != ASY_YAML_LIST || list->len == 0 || list->len > ASY_SPACE_MAX) {
        asy__bad(w, d, list, "values must be a list of 1 to %d values", ASY_SPACE_MAX);
        return;
    }
    if (!(values = asy__take(w->p, list->len * sizeof *values)))
        return;
    for (size_t i = 0; i < list->len; i++)
        if (!asy__to_value(w, list->items[i], &values[i])) {
            asy__bad(w, d, list->items[i], "a value must be a text, number, true or false, not %s",
                     asy__shown(list->items[i], shown));
            return;
        }
    d->param.choices = values;
    d->param.n_choices = list->len;
    check_values(w, d, list, values);
}

/* ---- what a model takes --------------------------------------------------------------------- */

static void check_choice(struct asy__drafts *w, struct asy__draft *d, const struct asy__row *row,
                         const struct asy_value *value)
{
    int fits;
    char allowed[200];

    switch (row->kind) {
    case ASY__WORD:
        fits = value->type == ASY_VALUE_STRING && asy__words_have(row->words, value->s);
        break;
    case ASY__FLAG:
        fits = value->type == ASY_VALUE_BOOL;
        break;
    default:
        fits = asy__is_numeric(value) && asy__in_range(row, value->f) &&
               (row->kind != ASY__INT || value->f == floor(value->f));
    }
    if (!fits)
        asy__bad(w, d, asy__member(d->node, "values"), "every value must be %s%s",
                 row->kind == ASY__WORD ? "one of " : "",
                 asy__row_allowed(row, allowed, sizeof allowed));
}

/* Every value that it may have is one that the row allows. */
static void check_fits(struct asy__drafts *w, struct asy__draft *d, const struct asy__row *row)
{
    char allowed[200];

    if (d->bad)
        return;
    if (row->kind == ASY__LAYERS) {
        asy__bad(w, d, d->node, "cannot be searched; its numbers and words can, as \"{name}\"");
        return;
    }
    if (row->kind == ASY__WEIGHTS) {
        asy__bad(w, d, d->node, "cannot be searched; class_balance can");
        return;
    }
    for (size_t i = 0; i < d->param.n_choices && !d->bad; i++)
        check_choice(w, d, row, &d->param.choices[i]);
    if (d->param.n_choices)
        return;
    if (row->kind == ASY__WORD || row->kind == ASY__FLAG)
        asy__bad(w, d, d->node, "needs values: %s", asy__row_allowed(row, allowed, sizeof allowed));
    else if (!asy__in_range(row, d->param.lo) || !asy__in_range(row, d->param.hi) ||
             (row->kind == ASY__INT && d->param.type != ASY_PARAM_INT))
        asy__bad(w, d, d->node, "must be %s", asy__row_allowed(row, allowed, sizeof allowed));
}

/* Whether layers have its value somewhere; then it must fit there. */
static int is_of_layers(struct asy__drafts *w, struct asy__draft *d)
{
    int found = 0;

    for (size_t i = 0; i < w->p->n_layer_uses; i++) {
        if (strcmp(w->p->layer_uses[i].name, d->name) != 0)
            continue;
        if (!found && d->when)
            asy__bad(w, d, d->when, "a layer has its value, so it cannot have conditions");
        check_fits(w, d, w->p->layer_uses[i].row);
        found = 1;
    }
    return found;
}

static void check_hyperparameter(struct asy__drafts *w, struct asy__draft *d)
{
    const struct asy__row *row = asy__option(w->p, w->p->model_group, d->name);
    const char *names[ASY__ROWS_MAX], *name;
    char hint[128];
    size_t n = 0;

    if (!row && w->p->kind == ASY_RUN_PLUGIN && !w->p->own_known)
        return; /* who loads it will know */
    if (!row && is_of_layers(w, d))
        return;
    if (!row) {
        while (n < ASY__ROWS_MAX && (name = asy__option_name(w->p, w->p->model_group, n)))
            names[n++] = name;
        asy__did_you_mean(d->name, names, n, hint, sizeof hint);
        asy__bad(w, d, d->key, "is not a hyperparameter of %s%s%s", asy__family(w->p),
                 w->p->layer_uses ? ", nor has a layer its value" : "", hint);
        return;
    }
    if (asy__row_val(w->p, row)->node)
        asy__bad(w, d, d->key, "stands in run as a constant too");
    check_fits(w, d, row);
}

/* ---- one parameter -------------------------------------------------------------------------- */

/* Letters, digits, _ and -, in parts between dots. */
static int is_param_name(const char *name)
{
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");

    return n && !name[n] && n <= 100 && name[0] != '.' && name[0] != '-' && name[n - 1] != '.' &&
           !strstr(name, "..");
}

static void check_keys(struct asy__drafts *w, struct asy__draft *d)
{
    char hint[128];

    for (size_t i = 0; i < d->node->len; i++) {
        const char *key = d->node->keys[i]->text;
        size_t k = 0;

        while (k < ASY_ARRAY_LEN(param_keys) && strcmp(param_keys[k], key) != 0)
            k++;
        if (k < ASY_ARRAY_LEN(param_keys))
            continue;
        asy__did_you_mean(key, param_keys, k, hint, sizeof hint);
        asy__bad(w, d, d->node->keys[i], "unknown key '%.40s'%s", key,
                 hint[0] ? hint : "; known are type, min, max, scale, step, values, when, prior");
    }
}

/* Of a parameter without other mistakes. */
static void read_prior(struct asy__drafts *w, struct asy__draft *d)
{
    const struct asy_yaml *node = asy__member(d->node, "prior"), *where;
    char why[300];

    if (node && !d->bad && !w->p->rc &&
        !asy__study_prior(w->p, node, asy__member(d->node, "values"), &d->param, &where, why,
                          sizeof why))
        asy__bad(w, d, where, "prior: %s", why);
}

void asy__read_param(struct asy__drafts *w, struct asy__draft *d)
{
    d->param.name = d->name;
    if (!is_param_name(d->name)) {
        asy__bad(w, d, d->key, "is not a name (letters, digits, '_', '-', parts joined by '.')");
    } else if (d->node->type != ASY_YAML_MAP) {
        asy__bad(w, d, d->node, "must be {min, max} or {values: [...]}%s",
                 w->p->model_group ? "; a constant stands in run" : "");
    } else {
        check_keys(w, d);
        d->when = asy__member(d->node, "when");
        if (asy__member(d->node, "values"))
            read_values(w, d);
        else
            read_range(w, d);
        read_prior(w, d);
    }
    if (w->p->model_group)
        check_hyperparameter(w, d);
}
