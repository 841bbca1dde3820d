/* SPDX-License-Identifier: Apache-2.0
 * study_space.c - the key `parameters`: a space of them (study_param.c), and `search.fixed`.
 *
 * The space wants a condition's parent before its children; the file may have any order. */
#include "study_param.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define CHOICES_SHOWN 12

/* ---- conditions ----------------------------------------------------------------------------- */

static struct asy__draft *find(struct asy__drafts *w, const char *name)
{
    for (size_t i = 0; i < w->n; i++)
        if (!strcmp(w->drafts[i].name, name))
            return &w->drafts[i];
    return NULL;
}

/* A wanted value of the parent as an entry of a point; NAN: it cannot have it. */
static double entry_of(struct asy__drafts *w, const struct asy_param *parent,
                       const struct asy_yaml *node)
{
    struct asy_value value;

    if (!asy__to_value(w, node, &value))
        return NAN;
    for (size_t i = 0; i < parent->n_choices; i++)
        if (asy__same_value(&parent->choices[i], &value))
            return (double)i;
    if (parent->type == ASY_PARAM_CHOICE || !asy__is_numeric(&value))
        return NAN;
    return value.f >= parent->lo && value.f <= parent->hi ? value.f : NAN;
}

static void when_values(struct asy__drafts *w, struct asy__draft *d, const struct asy_param *parent,
                        const struct asy_yaml *node, struct asy_when *when)
{
    struct asy_yaml *one[1] = { (struct asy_yaml *)(uintptr_t)node };
    struct asy_yaml *const *items = node->type == ASY_YAML_LIST ? node->items : one;
    size_t n = node->type == ASY_YAML_LIST ? node->len : 1;
    double *values = asy__take(w->p, (n + 1) * sizeof *values);
    char shown[64];

    if (n == 0)
        asy__bad(w, d, node, "when has an empty list for '%s'", parent->name);
    for (size_t i = 0; values && i < n; i++) {
        values[i] = entry_of(w, parent, items[i]);
        if (isnan(values[i]))
            asy__bad(w, d, items[i], "when: '%s' never is %s", parent->name,
                     asy__shown(items[i], shown));
    }
    when->values = values;
    when->n_values = n;
}

/* min and max of numbers; of an ordered choice, those values that lie between. */
static void when_range(struct asy__drafts *w, struct asy__draft *d, const struct asy_param *parent,
                       const struct asy_yaml *node, struct asy_when *when)
{
    const struct asy_yaml *min = asy__member(node, "min"), *max = asy__member(node, "max");
    double lo = min ? min->f : -DBL_MAX, hi = max ? max->f : DBL_MAX, *values;
    size_t n = 0;

    if ((min && !asy__is_number(min)) || (max && !asy__is_number(max)) || (!min && !max) ||
        node->len != (size_t)(!!min + !!max) || lo > hi) {
        asy__bad(w, d, node, "when: a range is {min: number, max: number}");
    } else if (parent->type != ASY_PARAM_CHOICE) {
        when->lo = lo;
        when->hi = hi;
    } else if (!parent->ordered) {
        asy__bad(w, d, node, "when: '%s' has no numbers; give a value or a list", parent->name);
    } else if ((values = asy__take(w->p, parent->n_choices * sizeof *values))) {
        for (size_t i = 0; i < parent->n_choices; i++)
            if (parent->choices[i].f >= lo && parent->choices[i].f <= hi)
                values[n++] = (double)i;
        if (n == 0)
            asy__bad(w, d, node, "when: '%s' never lies there", parent->name);
        when->values = values;
        when->n_values = n;
    }
}

static void read_when(struct asy__drafts *w, struct asy__draft *d)
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

static void check_parents(struct asy__drafts *w, struct asy__draft *d)
{
    char hint[128];

    if (!d->when)
        return;
    if (d->when->type != ASY_YAML_MAP || d->when->len == 0) {
        asy__bad(w, d, d->when, "when must be {parameter: value, [list] or {min, max}}");
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
        asy__bad(w, d, d->when->keys[i], "when: '%.40s' is not a parameter%s", name, hint);
    }
}

/* ---- what is held fixed --------------------------------------------------------------------- */

const char *asy__fixed_note(struct asy__parse *p, const char *mistake, char text[100])
{
    const struct asy_yaml *map = asy__val(p, "search.fixed")->node;
    char quoted[ASY__PARAM_KEY_TEXT], shown[64];

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

static void refuse_fixed(struct asy__drafts *w, const struct asy__draft *d,
                         const struct asy_yaml *node, const char *key)
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
static int narrow(struct asy__drafts *w, struct asy__draft *d, const struct asy_yaml *node)
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
static void hold_fixed(struct asy__drafts *w)
{
    const struct asy_yaml *map = asy__val(w->p, "search.fixed")->node;
    char hint[128], shown[64], key[ASY__PARAM_KEY_TEXT];

    if (map && map->type != ASY_YAML_MAP) {
        asy__problem(w->p, map, "search.fixed", "must be a map of parameters and values, not %s",
                     asy__shown(map, shown));
        return;
    }
    for (size_t i = 0; map && i < map->len; i++) {
        const char *name = map->keys[i]->text;
        struct asy__draft *d = find(w, name);

        snprintf(key, sizeof key, "search.fixed.%.100s", name);
        if (!d)
            asy__problem(w->p, map->keys[i], key, "is not a parameter%s",
                         asy__did_you_mean(name, w->names, w->n, hint, sizeof hint));
        else if (!d->bad && !narrow(w, d, map->items[i]))
            refuse_fixed(w, d, map->items[i], key);
    }
}

/* ---- the space ------------------------------------------------------------------------------ */

static int ready(const struct asy__draft *d)
{
    for (size_t i = 0; d->when && i < d->when->len; i++)
        if (d->parents[i] && !d->parents[i]->added)
            return 0;
    return 1;
}

static void add(struct asy__drafts *w, struct asy__draft *d)
{
    struct asy_error err = ASY_ERROR_INIT;
    char prefix[ASY__PARAM_KEY_TEXT];
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
    asy__bad(w, d, d->node, "%s",
             strncmp(err.text, prefix, strlen(prefix)) ? err.text : err.text + strlen(prefix));
}

static void add_all(struct asy__drafts *w)
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
            asy__bad(w, &w->drafts[i], w->drafts[i].when,
                     "when: the conditions go round in a circle");
}

/* By the names in the file, whatever else is wrong with those parameters. */
static void check_layers(struct asy__drafts *w)
{
    char hint[128];

    for (size_t i = 0; i < w->p->n_layer_uses; i++) {
        const struct asy__layer_use *use = &w->p->layer_uses[i];

        if (find(w, use->name))
            continue;
        asy__did_you_mean(use->name, w->names, w->n, hint, sizeof hint);
        asy__problem(w->p, use->node, use->key, "'%.60s' is no parameter of the study%s", use->name,
                     hint);
    }
}

void asy__study_space(struct asy__parse *p)
{
    const struct asy_yaml *map = asy__val(p, "parameters")->node;
    struct asy__drafts w = { .p = p };
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
        asy__read_param(&w, &w.drafts[i]);
    for (size_t i = 0; i < w.n && !p->rc; i++)
        check_parents(&w, &w.drafts[i]);
    check_layers(&w);
    if (!p->rc)
        hold_fixed(&w);
    add_all(&w);
}
