/* SPDX-License-Identifier: Apache-2.0
 * study_space.c - the keys `parameters` and `search.enqueue`: a space, and points of it.
 *
 * The space wants a condition's parent before its children; the file may have any order. */
#include "study_impl.h"
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_TEXT 200
#define CHOICES_SHOWN 12

struct draft {
    const char *name;
    const struct asy_yaml *key, *node, *when;
    struct draft **parents; /* [when->len]; NULL: no such parameter */
    struct asy_param param;
    int bad, added;
};

struct work {
    struct asy__parse *p;
    struct draft *drafts;
    size_t n;
    const char **names; /* [n], for suggestions */
};

static const char *const param_keys[] = { "type", "min", "max", "scale", "step", "values", "when",
                                          "prior" };

ASY_PRINTF(4, 5)
static void bad(struct work *w, struct draft *d, const struct asy_yaml *node, const char *fmt, ...)
{
    char text[400], key[NAME_TEXT], note[100] = "";
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

static int is_number(const struct asy_yaml *node)
{
    return node && (node->type == ASY_YAML_INT || node->type == ASY_YAML_REAL) &&
           isfinite(node->f);
}

/* A member that is there and not null. */
static const struct asy_yaml *member(const struct asy_yaml *map, const char *key)
{
    const struct asy_yaml *node = asy_yaml_get(map, key);

    return node && node->type != ASY_YAML_NULL ? node : NULL;
}

/* ---- numbers -------------------------------------------------------------------------------- */

static int bound(struct work *w, struct draft *d, const char *key, double *ret)
{
    const struct asy_yaml *node = member(d->node, key);
    char shown[64];

    if (!node)
        bad(w, d, d->node, "needs %s (or values)", key);
    else if (!is_number(node))
        bad(w, d, node, "%s must be a number, not %s", key, asy__shown(node, shown));
    else
        *ret = node->f;
    return is_number(node);
}

static void decide_type(struct work *w, struct draft *d)
{
    const struct asy_yaml *type = member(d->node, "type"), *min = member(d->node, "min"),
                          *max = member(d->node, "max"), *step = member(d->node, "step");
    const char *word = type ? asy__scalar(type) : NULL;
    char shown[64];

    if (word && !strcmp(word, "int"))
        d->param.type = ASY_PARAM_INT;
    else if (word && !strcmp(word, "float"))
        d->param.type = ASY_PARAM_FLOAT;
    else if (type)
        bad(w, d, type, "type must be int or float, not %s", asy__shown(type, shown));
    else
        d->param.type = min->type == ASY_YAML_INT && max->type == ASY_YAML_INT &&
                                (!step || step->type == ASY_YAML_INT)
                            ? ASY_PARAM_INT
                            : ASY_PARAM_FLOAT;
}

static void read_scale(struct work *w, struct draft *d)
{
    const struct asy_yaml *scale = member(d->node, "scale");
    const char *word = scale ? asy__scalar(scale) : "linear";
    char shown[64];

    if (word && !strcmp(word, "log"))
        d->param.log = 1;
    else if (!word || strcmp(word, "linear") != 0)
        bad(w, d, scale, "scale must be linear or log, not %s", asy__shown(scale, shown));
    if (d->param.log && !(d->param.lo > 0))
        bad(w, d, member(d->node, "min"), "min must be above 0 on a log scale");
}

static void read_step(struct work *w, struct draft *d)
{
    const struct asy_yaml *step = member(d->node, "step");
    char shown[64];

    if (!step)
        return;
    if (!is_number(step) || !(step->f > 0))
        bad(w, d, step, "step must be a number above 0, not %s", asy__shown(step, shown));
    else
        d->param.step = step->f;
}

static int whole(double value)
{
    return value == floor(value) && fabs(value) <= ASY__INT_LIMIT;
}

static void read_range(struct work *w, struct draft *d)
{
    struct asy_param *q = &d->param;
    int has_min = bound(w, d, "min", &q->lo), has_max = bound(w, d, "max", &q->hi);

    if (!has_min || !has_max)
        return;
    decide_type(w, d);
    read_step(w, d);
    read_scale(w, d);
    if (q->lo > q->hi)
        bad(w, d, member(d->node, "min"), "min is above max");
    if (q->type == ASY_PARAM_INT && !(whole(q->lo) && whole(q->hi) && whole(q->step)))
        bad(w, d, d->node, "min, max and step of an int must be whole numbers up to 2^53");
}

/* ---- values --------------------------------------------------------------------------------- */

static int compare_numbers(const void *a, const void *b)
{
    double x = ((const struct asy_value *)a)->f, y = ((const struct asy_value *)b)->f;

    return (x > y) - (x < y);
}

static int to_value(struct work *w, const struct asy_yaml *node, struct asy_value *ret)
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

static int numeric(const struct asy_value *value)
{
    return value->type == ASY_VALUE_INT || value->type == ASY_VALUE_REAL;
}

static int same_value(const struct asy_value *a, const struct asy_value *b)
{
    if (numeric(a) && numeric(b))
        return a->f == b->f;
    if (a->type != b->type)
        return 0;
    return a->type == ASY_VALUE_STRING ? !strcmp(a->s, b->s) : a->i == b->i;
}

static void check_values(struct work *w, struct draft *d, const struct asy_yaml *list,
                         struct asy_value *values)
{
    size_t numbers = 0;
    char shown[64];

    for (size_t i = 0; i < list->len; i++)
        numbers += numeric(&values[i]);
    if (numbers == list->len) {
        qsort(values, list->len, sizeof *values, compare_numbers);
        d->param.ordered = 1;
    }
    for (size_t i = 1; d->param.ordered && i < list->len; i++)
        if (values[i].f == values[i - 1].f) {
            bad(w, d, list, "has %.15g twice", values[i].f);
            return;
        }
    for (size_t i = 1; !d->param.ordered && i < list->len; i++)
        for (size_t j = 0; j < i; j++)
            if (same_value(&values[i], &values[j])) {
                bad(w, d, list->items[i], "has %s twice", asy__shown(list->items[i], shown));
                return;
            }
}

static void read_values(struct work *w, struct draft *d)
{
    static const char *const others[] = { "min", "max", "scale", "step", "type" };
    const struct asy_yaml *list = member(d->node, "values");
    struct asy_value *values;
    char shown[64];

    d->param.type = ASY_PARAM_CHOICE;
    for (size_t i = 0; i < ASY_ARRAY_LEN(others); i++)
        if (member(d->node, others[i]))
            bad(w, d, member(d->node, others[i]), "has values, so %s has no meaning", others[i]);
    if (list->type != ASY_YAML_LIST || list->len == 0 || list->len > ASY_SPACE_MAX) {
        bad(w, d, list, "values must be a list of 1 to %d values", ASY_SPACE_MAX);
        return;
    }
    if (!(values = asy__take(w->p, list->len * sizeof *values)))
        return;
    for (size_t i = 0; i < list->len; i++)
        if (!to_value(w, list->items[i], &values[i])) {
            bad(w, d, list->items[i], "a value must be a text, number, true or false, not %s",
                asy__shown(list->items[i], shown));
            return;
        }
    d->param.choices = values;
    d->param.n_choices = list->len;
    check_values(w, d, list, values);
}

/* ---- what a model takes --------------------------------------------------------------------- */

static void check_choice(struct work *w, struct draft *d, const struct asy__row *row,
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
        fits = numeric(value) && asy__in_range(row, value->f) &&
               (row->kind != ASY__INT || value->f == floor(value->f));
    }
    if (!fits)
        bad(w, d, member(d->node, "values"), "every value must be %s%s",
            row->kind == ASY__WORD ? "one of " : "",
            asy__row_allowed(row, allowed, sizeof allowed));
}

/* Every value that it may have is one that the row allows. */
static void check_fits(struct work *w, struct draft *d, const struct asy__row *row)
{
    char allowed[200];

    if (d->bad)
        return;
    if (row->kind == ASY__LAYERS) {
        bad(w, d, d->node, "cannot be searched; its numbers and words can, as \"{name}\"");
        return;
    }
    if (row->kind == ASY__WEIGHTS) {
        bad(w, d, d->node, "cannot be searched; class_balance can");
        return;
    }
    for (size_t i = 0; i < d->param.n_choices && !d->bad; i++)
        check_choice(w, d, row, &d->param.choices[i]);
    if (d->param.n_choices)
        return;
    if (row->kind == ASY__WORD || row->kind == ASY__FLAG)
        bad(w, d, d->node, "needs values: %s", asy__row_allowed(row, allowed, sizeof allowed));
    else if (!asy__in_range(row, d->param.lo) || !asy__in_range(row, d->param.hi) ||
             (row->kind == ASY__INT && d->param.type != ASY_PARAM_INT))
        bad(w, d, d->node, "must be %s", asy__row_allowed(row, allowed, sizeof allowed));
}

/* Whether layers have its value somewhere; then it must fit there. */
static int is_of_layers(struct work *w, struct draft *d)
{
    int found = 0;

    for (size_t i = 0; i < w->p->n_layer_uses; i++) {
        if (strcmp(w->p->layer_uses[i].name, d->name) != 0)
            continue;
        if (!found && d->when)
            bad(w, d, d->when, "a layer has its value, so it cannot have conditions");
        check_fits(w, d, w->p->layer_uses[i].row);
        found = 1;
    }
    return found;
}

static void check_hyperparameter(struct work *w, struct draft *d)
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
        bad(w, d, d->key, "is not a hyperparameter of %s%s", asy__family(w->p), hint);
        return;
    }
    if (asy__row_val(w->p, row)->node)
        bad(w, d, d->key, "stands in run as a constant too");
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

static void check_keys(struct work *w, struct draft *d)
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
        bad(w, d, d->node->keys[i], "unknown key '%.40s'%s", key,
            hint[0] ? hint : "; known are type, min, max, scale, step, values, when, prior");
    }
}

/* Of a parameter without other mistakes. */
static void read_prior(struct work *w, struct draft *d)
{
    const struct asy_yaml *node = member(d->node, "prior"), *where;
    char why[300];

    if (node && !d->bad && !w->p->rc &&
        !asy__study_prior(w->p, node, member(d->node, "values"), &d->param, &where, why,
                          sizeof why))
        bad(w, d, where, "prior: %s", why);
}

static void read_param(struct work *w, struct draft *d)
{
    d->param.name = d->name;
    if (!is_param_name(d->name)) {
        bad(w, d, d->key, "is not a name (letters, digits, '_', '-', parts joined by '.')");
    } else if (d->node->type != ASY_YAML_MAP) {
        bad(w, d, d->node, "must be {min, max} or {values: [...]}%s",
            w->p->model_group ? "; a constant stands in run" : "");
    } else {
        check_keys(w, d);
        d->when = member(d->node, "when");
        if (member(d->node, "values"))
            read_values(w, d);
        else
            read_range(w, d);
        read_prior(w, d);
    }
    if (w->p->model_group)
        check_hyperparameter(w, d);
}

/* ---- conditions ----------------------------------------------------------------------------- */

static struct draft *find(struct work *w, const char *name)
{
    for (size_t i = 0; i < w->n; i++)
        if (!strcmp(w->drafts[i].name, name))
            return &w->drafts[i];
    return NULL;
}

/* A wanted value of the parent as an entry of a point; NAN: it cannot have it. */
static double entry_of(struct work *w, const struct asy_param *parent, const struct asy_yaml *node)
{
    struct asy_value value;

    if (!to_value(w, node, &value))
        return NAN;
    for (size_t i = 0; i < parent->n_choices; i++)
        if (same_value(&parent->choices[i], &value))
            return (double)i;
    if (parent->type == ASY_PARAM_CHOICE || !numeric(&value))
        return NAN;
    return value.f >= parent->lo && value.f <= parent->hi ? value.f : NAN;
}

static void when_values(struct work *w, struct draft *d, const struct asy_param *parent,
                        const struct asy_yaml *node, struct asy_when *when)
{
    struct asy_yaml *one[1] = { (struct asy_yaml *)(uintptr_t)node };
    struct asy_yaml *const *items = node->type == ASY_YAML_LIST ? node->items : one;
    size_t n = node->type == ASY_YAML_LIST ? node->len : 1;
    double *values = asy__take(w->p, (n + 1) * sizeof *values);
    char shown[64];

    if (n == 0)
        bad(w, d, node, "when has an empty list for '%s'", parent->name);
    for (size_t i = 0; values && i < n; i++) {
        values[i] = entry_of(w, parent, items[i]);
        if (isnan(values[i]))
            bad(w, d, items[i], "when: '%s' never is %s", parent->name,
                asy__shown(items[i], shown));
    }
    when->values = values;
    when->n_values = n;
}

/* min and max of numbers; of an ordered choice, those values that lie between. */
static void when_range(struct work *w, struct draft *d, const struct asy_param *parent,
                       const struct asy_yaml *node, struct asy_when *when)
{
    const struct asy_yaml *min = member(node, "min"), *max = member(node, "max");
    double lo = min ? min->f : -DBL_MAX, hi = max ? max->f : DBL_MAX, *values;
    size_t n = 0;

    if ((min && !is_number(min)) || (max && !is_number(max)) || (!min && !max) ||
        node->len != (size_t)(!!min + !!max) || lo > hi) {
        bad(w, d, node, "when: a range is {min: number, max: number}");
    } else if (parent->type != ASY_PARAM_CHOICE) {
        when->lo = lo;
        when->hi = hi;
    } else if (!parent->ordered) {
        bad(w, d, node, "when: '%s' has no numbers; give a value or a list", parent->name);
    } else if ((values = asy__take(w->p, parent->n_choices * sizeof *values))) {
        for (size_t i = 0; i < parent->n_choices; i++)
            if (parent->choices[i].f >= lo && parent->choices[i].f <= hi)
                values[n++] = (double)i;
        if (n == 0)
            bad(w, d, node, "when: '%s' never lies there", parent->name);
        when->values = values;
        when->n_values = n;
    }
}

static void read_when(struct work *w, struct draft *d)
{
    struct asy_when *whens = asy__take(w->p, (d->when->len + 1) * sizeof *whens);
    struct asy_space *space = w->p->study->space;

    for (size_t i = 0; whens && i < d->when->len; i++) {
        const struct asy_yaml *node = d->when->items[i];
        const struct asy_param *parent;

        whens[i].parent = asy_space_find(space, d->when->keys[i]->text);
        if (whens[i].parent == SIZE_MAX)
            return; /* its parent is wrong: that is said there */
        parent = asy_space_at(space, whens[i].parent);
        if (node->type == ASY_YAML_MAP)
            when_range(w, d, parent, node, &whens[i]);
        else
            when_values(w, d, parent, node, &whens[i]);
    }
    d->param.whens = whens;
    d->param.n_whens = d->when->len;
}

static void check_parents(struct work *w, struct draft *d)
{
    char hint[128];

    if (!d->when)
        return;
    if (d->when->type != ASY_YAML_MAP || d->when->len == 0) {
        bad(w, d, d->when, "when must be {parameter: value, [list] or {min, max}}");
        d->when = NULL;
        return;
    }
    if (!(d->parents = asy__take(w->p, d->when->len * sizeof(*d->parents))))
        return;
    for (size_t i = 0; i < d->when->len; i++) {
        const char *name = d->when->keys[i]->text;

        if ((d->parents[i] = find(w, name)))
            continue;
        asy__did_you_mean(name, w->names, w->n, hint, sizeof hint);
        bad(w, d, d->when->keys[i], "when: '%.40s' is not a parameter%s", name, hint);
    }
}

/* ---- what is held fixed --------------------------------------------------------------------- */

const char *asy__fixed_note(struct asy__parse *p, const char *mistake, char text[100])
{
    const struct asy_yaml *map = asy__val(p, "search.fixed")->node;
    char quoted[NAME_TEXT], shown[64];

    text[0] = 0;
    for (size_t i = 0; map && map->type == ASY_YAML_MAP && i < map->len && !text[0]; i++) {
        snprintf(quoted, sizeof quoted, "'%.100s'", map->keys[i]->text);
        if (strstr(mistake, quoted))
            snprintf(text, 100, "; search.fixed holds it at %s",
                     asy__shown(map->items[i], shown));
    }
    return text;
}

/* "from 1 to 8 in steps of 1", "one of sgd, adam": what a parameter can have. */
static void put_values(struct asy_buf *out, const struct asy_param *q)
{
    for (size_t i = 0; i < q->n_choices && i < CHOICES_SHOWN; i++) {
        const struct asy_value *v = &q->choices[i];

        asy_buf_adds(out, i ? ", " : "one of ");
        if (v->type == ASY_VALUE_STRING)
            asy_buf_addf(out, "%.40s", v->s);
        else if (v->type == ASY_VALUE_BOOL)
            asy_buf_adds(out, v->i ? "true" : "false");
        else
            asy_buf_addf(out, "%.15g", v->f);
    }
    if (q->n_choices) {
        asy_buf_adds(out, q->n_choices > CHOICES_SHOWN ? ", ..." : "");
        return;
    }
    asy_buf_addf(out, "from %.15g to %.15g", q->lo, q->hi);
    if (q->step > 0 && q->step != 1)
        asy_buf_addf(out, " in steps of %.15g", q->step);
    else if (q->type == ASY_PARAM_INT)
        asy_buf_adds(out, " in whole numbers");
}

static void refuse_fixed(struct work *w, const struct draft *d, const struct asy_yaml *node,
                         const char *key)
{
    struct asy_buf values = { 0 };
    char shown[64];

    asy_buf_init(&values, 4096);
    put_values(&values, &d->param);
    asy__problem(w->p, node, key, "%s is not a value of this parameter, which is %s",
                 asy__shown(node, shown), values.data ? values.data : "?");
    asy_buf_fini(&values);
}

/* Leaves the parameter one value. 0: it cannot have this one. */
static int narrow(struct work *w, struct draft *d, const struct asy_yaml *node)
{
    struct asy_param *q = &d->param;
    double entry = entry_of(w, q, node), steps = q->step > 0 ? (entry - q->lo) / q->step : 0;

    if (isnan(entry) || fabs(steps - rint(steps)) > 1e-6 ||
        (q->type == ASY_PARAM_INT && entry != floor(entry)))
        return 0;
    q->prior = (struct asy_prior){ .kind = ASY_PRIOR_NONE };
    if (q->type == ASY_PARAM_CHOICE) {
        q->choices += (size_t)entry;
        q->n_choices = 1;
        return 1;
    }
    q->lo = q->hi = entry;
    if (q->type == ASY_PARAM_FLOAT)
        q->step = 0;
    return 1;
}

/* The space that is searched, and stored, is the narrower one. */
static void hold_fixed(struct work *w)
{
    const struct asy_yaml *map = asy__val(w->p, "search.fixed")->node;
    char hint[128], shown[64], key[NAME_TEXT];

    if (map && map->type != ASY_YAML_MAP) {
        asy__problem(w->p, map, "search.fixed", "must be a map of parameters and values, not %s",
                     asy__shown(map, shown));
        return;
    }
    for (size_t i = 0; map && i < map->len; i++) {
        const char *name = map->keys[i]->text;
        struct draft *d = find(w, name);

        snprintf(key, sizeof key, "search.fixed.%.100s", name);
        if (!d)
            asy__problem(w->p, map->keys[i], key, "is not a parameter%s",
                         asy__did_you_mean(name, w->names, w->n, hint, sizeof hint));
        else if (!d->bad && !narrow(w, d, map->items[i]))
            refuse_fixed(w, d, map->items[i], key);
    }
}

/* ---- the space ------------------------------------------------------------------------------ */

static int ready(const struct draft *d)
{
    for (size_t i = 0; d->when && i < d->when->len; i++)
        if (d->parents[i] && !d->parents[i]->added)
            return 0;
    return 1;
}

static void add(struct work *w, struct draft *d)
{
    struct asy_error err = ASY_ERROR_INIT;
    char prefix[NAME_TEXT];
    size_t n = asy_space_len(w->p->study->space);

    d->added = 1;
    if (d->when && !d->bad)
        read_when(w, d);
    if (d->bad || w->p->rc)
        return;
    if (asy_space_add(w->p->study->space, &d->param, &err) == 0) {
        w->p->params[n] = d->node;
        return;
    }
    if (err.code == ASY_E_NOMEM) {
        asy__no_memory(w->p);
        return;
    }
    snprintf(prefix, sizeof prefix, "parameter '%s': ", d->name);
    bad(w, d, d->node, "%s",
        strncmp(err.text, prefix, strlen(prefix)) ? err.text : err.text + strlen(prefix));
}

static void add_all(struct work *w)
{
    int progress = 1;

    while (progress) {
        progress = 0;
        for (size_t i = 0; i < w->n && !w->p->rc; i++)
            if (!w->drafts[i].added && ready(&w->drafts[i])) {
                add(w, &w->drafts[i]);
                progress = 1;
                break; /* the first that can be added: the order is that of the file otherwise */
            }
    }
    for (size_t i = 0; i < w->n && !w->p->rc; i++)
        if (!w->drafts[i].added)
            bad(w, &w->drafts[i], w->drafts[i].when, "when: the conditions go round in a circle");
}

void asy__study_space(struct asy__parse *p)
{
    const struct asy_yaml *map = asy__val(p, "parameters")->node;
    struct work w = { .p = p };
    char shown[64];

    if (!map)
        return;
    if (map->type != ASY_YAML_MAP || map->len == 0 || map->len > ASY_SPACE_MAX) {
        asy__problem(p, map, "parameters", "must be a map of 1 to %d parameters, not %s",
                     ASY_SPACE_MAX, map->len ? asy__shown(map, shown) : "an empty one");
        return;
    }
    w.n = map->len;
    w.drafts = asy__take(p, w.n * sizeof *w.drafts);
    w.names = asy__take(p, w.n * sizeof *w.names);
    p->params = asy__take(p, w.n * sizeof(*p->params));
    if (p->rc)
        return;
    for (size_t i = 0; i < w.n; i++) {
        w.drafts[i].key = map->keys[i];
        w.drafts[i].node = map->items[i];
        w.names[i] = w.drafts[i].name = map->keys[i]->text;
    }
    for (size_t i = 0; i < w.n && !p->rc; i++)
        read_param(&w, &w.drafts[i]);
    for (size_t i = 0; i < w.n && !p->rc; i++)
        check_parents(&w, &w.drafts[i]);
    if (!p->rc)
        hold_fixed(&w);
    add_all(&w);
}

/* ---- points --------------------------------------------------------------------------------- */

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
