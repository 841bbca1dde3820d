/* SPDX-License-Identifier: Apache-2.0
 * space.c - parameter spaces: checking and copying what is added, looking at it.
 *
 * Everything a parameter can be is reduced to "value k of n" (lo + k * step, or the choice's
 * index), so that counting, enumerating and snapping are one mechanism. */
#include <asy/space.h>
#include <stdlib.h>
#include <string.h>
#include "space_impl.h"

#define NAME_LEN_MAX 250 /* what the tracking service takes as a parameter's name */

/* ---- building ------------------------------------------------------------------------------ */

int asy_space_create(struct asy_space **ret_space, struct asy_error *err)
{
    struct asy_space *space = calloc(1, sizeof *space);

    if (!space)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a parameter space");
    *ret_space = space;
    return 0;
}

static void param_fini(struct asy_param *p)
{
    struct asy_value *choices = (struct asy_value *)(uintptr_t)p->choices;
    struct asy_when *whens = (struct asy_when *)(uintptr_t)p->whens;

    for (size_t i = 0; choices && i < p->n_choices; i++)
        if (choices[i].type == ASY_VALUE_STRING)
            free((void *)(uintptr_t)choices[i].s);
    for (size_t i = 0; whens && i < p->n_whens; i++)
        free((void *)(uintptr_t)whens[i].values);
    free(choices);
    free(whens);
    free((void *)(uintptr_t)p->prior.weights);
    free((void *)(uintptr_t)p->name);
}

void asy_space_destroy(struct asy_space *space)
{
    if (!space)
        return;
    for (size_t i = 0; i < space->len; i++) {
        param_fini(&space->slots[i].p);
        free(space->slots[i].cuts);
    }
    free(space->slots);
    free(space);
}

static int copy_choices(struct asy_param *copy, const struct asy_param *param)
{
    struct asy_value *choices;

    if (!(choices = calloc(param->n_choices, sizeof *choices)))
        return ASY_E_NOMEM;
    copy->choices = choices;
    for (size_t i = 0; i < param->n_choices; i++) {
        const struct asy_value *v = &param->choices[i];

        choices[i] = *v;
        choices[i].s = NULL;
        if (v->type == ASY_VALUE_STRING && !(choices[i].s = strdup(v->s)))
            return ASY_E_NOMEM;
        if (v->type == ASY_VALUE_INT || v->type == ASY_VALUE_BOOL)
            choices[i].f = (double)v->i;
        copy->n_choices = i + 1;
    }
    return 0;
}

static int copy_whens(struct asy_param *copy, const struct asy_param *param)
{
    struct asy_when *whens;

    if (!(whens = calloc(param->n_whens, sizeof *whens)))
        return ASY_E_NOMEM;
    copy->whens = whens;
    for (size_t i = 0; i < param->n_whens; i++) {
        const struct asy_when *w = &param->whens[i];
        double *values = NULL;

        if (w->n_values && !(values = malloc(w->n_values * sizeof *values)))
            return ASY_E_NOMEM;
        if (values)
            memcpy(values, w->values, w->n_values * sizeof *values);
        whens[i] = *w;
        whens[i].values = values;
        copy->n_whens = i + 1;
    }
    return 0;
}

static int param_copy(struct asy_param *copy, const struct asy_param *param, struct asy_error *err)
{
    struct asy_param c = *param;
    int rc = 0;

    c.choices = NULL;
    c.whens = NULL;
    c.prior.weights = NULL;
    c.n_choices = c.n_whens = 0;
    if (c.type == ASY_PARAM_INT && c.step == 0)
        c.step = 1;
    if (c.type == ASY_PARAM_CHOICE) { /* its point entries are indices */
        c.lo = 0;
        c.hi = (double)(param->n_choices - 1);
        c.step = 1;
        c.log = 0;
    }
    if (!(c.name = strdup(param->name)))
        rc = ASY_E_NOMEM;
    if (!rc && param->type == ASY_PARAM_CHOICE)
        rc = copy_choices(&c, param);
    if (!rc && param->n_whens)
        rc = copy_whens(&c, param);
    if (!rc && param->prior.kind == ASY_PRIOR_WEIGHTS)
        rc = asy__prior_copy_weights(&c.prior, &param->prior, param->n_choices);
    if (rc) {
        param_fini(&c);
        return asy_fail(err, ASY_E_NOMEM, "no memory for parameter '%s'", param->name);
    }
    *copy = c;
    return 0;
}

static int is_whole(double v)
{
    return v == floor(v) && fabs(v) <= ASY__EXACT_MAX;
}

static int numeric_check(const struct asy_param *p, struct asy_error *err)
{
    if (!isfinite(p->lo) || !isfinite(p->hi) || !isfinite(p->hi - p->lo))
        return asy_fail(err, ASY_E_INVAL, "parameter '%s': its bounds are not finite", p->name);
    if (p->lo > p->hi)
        return asy_fail(err, ASY_E_INVAL, "parameter '%s': minimum %.15g is above maximum %.15g",
                        p->name, p->lo, p->hi);
    if (!isfinite(p->step) || p->step < 0)
        return asy_fail(err, ASY_E_INVAL, "parameter '%s': step %.15g is not above 0", p->name,
                        p->step);
    if (p->type == ASY_PARAM_INT && (!is_whole(p->lo) || !is_whole(p->hi) || !is_whole(p->step)))
        return asy_fail(err, ASY_E_INVAL,
                        "parameter '%s': bounds and step of an int are whole numbers within 2^53",
                        p->name);
    if (p->log && p->lo <= 0)
        return asy_fail(err, ASY_E_INVAL,
                        "parameter '%s': a log scale needs a minimum above 0, not %.15g", p->name,
                        p->lo);
    if (p->log && p->step / 2 >= p->lo)
        return asy_fail(err, ASY_E_INVAL,
                        "parameter '%s': a log scale needs a minimum above half a step, not %.15g",
                        p->name, p->lo);
    if (p->step > 0 && (p->hi - p->lo) / p->step >= ASY__EXACT_MAX)
        return asy_fail(err, ASY_E_INVAL, "parameter '%s': more than 2^53 values", p->name);
    return 0;
}

static int value_equal(const struct asy_value *a, const struct asy_value *b)
{
    if (a->type != b->type)
        return 0;
    if (a->type == ASY_VALUE_STRING)
        return !strcmp(a->s, b->s);
    return a->type == ASY_VALUE_REAL ? a->f == b->f : a->i == b->i;
}

double asy__value_number(const struct asy_value *v)
{
    return v->type == ASY_VALUE_REAL ? v->f : (double)v->i;
}

static int by_value(const void *a, const void *b)
{
    const struct asy_value *x = *(const struct asy_value *const *)a;
    const struct asy_value *y = *(const struct asy_value *const *)b;

    if (x->type != y->type)
        return x->type < y->type ? -1 : 1;
    if (x->type == ASY_VALUE_STRING)
        return strcmp(x->s, y->s);
    if (x->type == ASY_VALUE_REAL)
        return (x->f > y->f) - (x->f < y->f);
    return (x->i > y->i) - (x->i < y->i);
}

static int choices_distinct(const struct asy_param *p, struct asy_error *err)
{
    const struct asy_value **sorted = malloc(p->n_choices * sizeof *sorted);
    int rc = 0;

    if (!sorted)
        return asy_fail(err, ASY_E_NOMEM, "no memory for parameter '%s'", p->name);
    for (size_t i = 0; i < p->n_choices; i++)
        sorted[i] = &p->choices[i];
    qsort(sorted, p->n_choices, sizeof *sorted, by_value);
    for (size_t i = 1; i < p->n_choices && !rc; i++)
        if (value_equal(sorted[i - 1], sorted[i]))
            rc = asy_fail(err, ASY_E_INVAL, "parameter '%s': a value is listed twice", p->name);
    free(sorted);
    return rc;
}

static int choice_check(const struct asy_param *p, struct asy_error *err)
{
    if (!p->n_choices || !p->choices)
        return asy_fail(err, ASY_E_INVAL, "parameter '%s': its list of values is empty", p->name);
    if (p->n_choices > ASY_SPACE_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "parameter '%s': more than %d values", p->name,
                        ASY_SPACE_MAX);
    for (size_t i = 0; i < p->n_choices; i++) {
        const struct asy_value *v = &p->choices[i];

        if (v->type == ASY_VALUE_STRING ? !v->s : v->type == ASY_VALUE_REAL && !isfinite(v->f))
            return asy_fail(err, ASY_E_INVAL, "parameter '%s': value %zu of its list is not usable",
                            p->name, i + 1);
        if (!p->ordered)
            continue;
        if (v->type == ASY_VALUE_STRING || v->type == ASY_VALUE_BOOL)
            return asy_fail(err, ASY_E_INVAL, "parameter '%s': only numbers can be ordered",
                            p->name);
        if (i && asy__value_number(v) <= asy__value_number(&p->choices[i - 1]))
            return asy_fail(err, ASY_E_INVAL, "parameter '%s': ordered values must ascend",
                            p->name);
    }
    return choices_distinct(p, err);
}

static int when_check(const struct asy_space *space, const struct asy_param *p,
                      const struct asy_when *w, struct asy_error *err)
{
    const struct asy_param *parent;

    if (w->parent >= space->len)
        return asy_fail(err, ASY_E_INVAL,
                        "parameter '%s': it can only depend on an earlier parameter", p->name);
    parent = &space->slots[w->parent].p;
    if (w->n_values > ASY_SPACE_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "parameter '%s': more than %d values of '%s'", p->name,
                        ASY_SPACE_MAX, parent->name);
    for (size_t i = 0; i < w->n_values; i++)
        if (!(w->values[i] >= parent->lo && w->values[i] <= parent->hi) ||
            asy_space_snap(space, w->parent, w->values[i]) != w->values[i])
            return asy_fail(err, ASY_E_INVAL, "parameter '%s': '%s' can never be %.15g", p->name,
                            parent->name, w->values[i]);
    if (w->n_values)
        return 0;
    if (parent->type == ASY_PARAM_CHOICE)
        return asy_fail(err, ASY_E_INVAL,
                        "parameter '%s': '%s' is a choice, name its values instead of a range",
                        p->name, parent->name);
    if (!(w->lo <= w->hi) || w->hi < parent->lo || w->lo > parent->hi)
        return asy_fail(err, ASY_E_INVAL,
                        "parameter '%s': '%s' never lies between %.15g and %.15g", p->name,
                        parent->name, w->lo, w->hi);
    return 0;
}

static int param_check(const struct asy_space *space, const struct asy_param *p,
                       struct asy_error *err)
{
    int rc;

    if (!p->name || !p->name[0] || strlen(p->name) > NAME_LEN_MAX)
        return asy_fail(err, ASY_E_INVAL, "a parameter's name has 1 to %d bytes", NAME_LEN_MAX);
    if (asy_space_find(space, p->name) != SIZE_MAX)
        return asy_fail(err, ASY_E_EXISTS, "parameter '%s' is there already", p->name);
    if (space->len >= ASY_SPACE_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "parameter '%s': a space has at most %d", p->name,
                        ASY_SPACE_MAX);
    if (p->type == ASY_PARAM_CHOICE)
        rc = choice_check(p, err);
    else
        rc = numeric_check(p, err);
    if (rc || (rc = asy__prior_check(p, err)))
        return rc;
    if (p->n_whens > space->len)
        return asy_fail(err, ASY_E_INVAL,
                        "parameter '%s': more conditions than parameters before it", p->name);
    for (size_t i = 0; i < p->n_whens; i++)
        if ((rc = when_check(space, p, &p->whens[i], err)))
            return rc;
    return 0;
}

/* Whether v is a whole number of 10^-e: v == m / 10^e exactly as doubles. */
static int as_decimal(double v, double scale, double *ret_m)
{
    double m = rint(v * scale);

    *ret_m = m;
    return fabs(m) < ASY__EXACT_MAX && m / scale == v;
}

static struct asy__grid grid_of(const struct asy_param *p)
{
    struct asy__grid g = { .n = INFINITY, .scale = 1 };

    if (p->step == 0) {
        if (p->lo == p->hi)
            g.n = 1;
        return g;
    }
    g.n = floor((p->hi - p->lo) / p->step + ASY__GRID_TOL) + 1;
    for (int e = 0; e <= 15; e++, g.scale *= 10)
        if (as_decimal(p->lo, g.scale, &g.m_lo) && as_decimal(p->step, g.scale, &g.m_step) &&
            fabs(g.m_lo) + g.n * g.m_step < ASY__EXACT_MAX) {
            g.decimal = 1;
            break;
        }
    return g;
}

double asy__grid_value(const struct asy__slot *s, double k)
{
    if (s->grid.decimal)
        return (s->grid.m_lo + k * s->grid.m_step) / s->grid.scale;
    return s->p.lo + k * s->p.step;
}

double asy__grid_nearest(const struct asy__slot *s, double v)
{
    double k = s->p.step > 0 ? rint((v - s->p.lo) / s->p.step) : 0;

    return k < 0 ? 0 : k > s->grid.n - 1 ? s->grid.n - 1 : k;
}

/* How many values lie below the bound (strictly, or including it). */
static double grid_below(const struct asy__slot *s, double bound, int inclusive)
{
    double lo = 0, hi = s->grid.n;

    while (lo < hi) {
        double mid = floor(lo + (hi - lo) / 2), v = asy__grid_value(s, mid);

        if (v < bound || (inclusive && v == bound))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Notes that a condition may change between values k - 1 and k. There is room in s->cuts. */
static void add_cut(struct asy__slot *s, double k)
{
    size_t at = s->n_cuts;

    if (k <= 0 || k >= s->grid.n)
        return;
    while (at > 0 && s->cuts[at - 1] > k)
        at--;
    if (at > 0 && s->cuts[at - 1] == k)
        return;
    memmove(&s->cuts[at + 1], &s->cuts[at], (s->n_cuts - at) * sizeof *s->cuts);
    s->cuts[at] = k;
    s->n_cuts++;
}

static int make_cut_room(struct asy__slot *s, size_t more)
{
    double *cuts = realloc(s->cuts, (s->n_cuts + more) * sizeof *cuts);

    if (!cuts)
        return ASY_E_NOMEM;
    s->cuts = cuts;
    return 0;
}

static void add_cuts(struct asy__slot *parent, const struct asy_when *w)
{
    if (isinf(parent->grid.n))
        return; /* such a space is not counted */
    for (size_t i = 0; i < w->n_values; i++) {
        double k = asy__grid_nearest(parent, w->values[i]);

        add_cut(parent, k);
        add_cut(parent, k + 1);
    }
    if (!w->n_values) {
        add_cut(parent, grid_below(parent, w->lo, 0));
        add_cut(parent, grid_below(parent, w->hi, 1));
    }
}

/* Joins the components of the new last parameter and of its parents, relinks them all. */
static void join_components(struct asy_space *space)
{
    size_t last = space->len - 1;
    struct asy__slot *s = &space->slots[last];

    s->component = last;
    s->next = SIZE_MAX;
    for (size_t w = 0; w < s->p.n_whens; w++) {
        size_t a = space->slots[s->p.whens[w].parent].component, b = s->component;
        size_t to = a < b ? a : b, from = a < b ? b : a;

        for (size_t i = 0; to != from && i < space->len; i++)
            if (space->slots[i].component == from)
                space->slots[i].component = to;
    }
    for (size_t i = space->len, next = SIZE_MAX; s->p.n_whens && i-- > 0;)
        if (space->slots[i].component == s->component) {
            space->slots[i].next = next;
            next = i;
        }
}

int asy_space_add(struct asy_space *space, const struct asy_param *param, struct asy_error *err)
{
    struct asy__slot *s;
    int rc;

    if ((rc = param_check(space, param, err)))
        return rc;
    if (space->len == space->cap) {
        size_t cap = space->cap ? 2 * space->cap : 16;

        if (!(s = realloc(space->slots, cap * sizeof *s)))
            return asy_fail(err, ASY_E_NOMEM, "no memory for parameter '%s'", param->name);
        space->slots = s;
        space->cap = cap;
    }
    for (size_t i = 0; i < param->n_whens; i++) {
        const struct asy_when *w = &param->whens[i];

        if (make_cut_room(&space->slots[w->parent], 2 * w->n_values + 2))
            return asy_fail(err, ASY_E_NOMEM, "no memory for parameter '%s'", param->name);
    }
    s = &space->slots[space->len];
    memset(s, 0, sizeof *s);
    if ((rc = param_copy(&s->p, param, err)))
        return rc;
    s->grid = grid_of(&s->p);
    if (s->p.step > 0)
        s->p.hi = asy__grid_value(s, s->grid.n - 1);
    asy__prior_settle(&s->p, s->grid.n);
    space->len++;
    for (size_t i = 0; i < s->p.n_whens; i++) {
        space->slots[s->p.whens[i].parent].is_parent = 1;
        add_cuts(&space->slots[s->p.whens[i].parent], &s->p.whens[i]);
    }
    join_components(space);
    return 0;
}

/* ---- looking ------------------------------------------------------------------------------- */

size_t asy_space_len(const struct asy_space *space)
{
    return space->len;
}

const struct asy_param *asy_space_at(const struct asy_space *space, size_t i)
{
    ASY_ASSERT(i < space->len, "parameter %zu of %zu", i, space->len);
    return &space->slots[i].p;
}

size_t asy_space_find(const struct asy_space *space, const char *name)
{
    for (size_t i = 0; i < space->len; i++)
        if (!strcmp(space->slots[i].p.name, name))
            return i;
    return SIZE_MAX;
}

double asy_space_values(const struct asy_space *space, size_t i)
{
    return space->slots[i].grid.n;
}

double asy_space_value(const struct asy_space *space, size_t i, double k)
{
    return asy__grid_value(&space->slots[i], k);
}

double asy_space_snap(const struct asy_space *space, size_t i, double v)
{
    const struct asy__slot *s = &space->slots[i];

    if (s->p.step > 0)
        return asy__grid_value(s, asy__grid_nearest(s, v));
    return v < s->p.lo ? s->p.lo : v > s->p.hi ? s->p.hi : v;
}

int asy__when_holds(const struct asy_when *w, double parent)
{
    if (isnan(parent))
        return 0;
    if (!w->n_values)
        return parent >= w->lo && parent <= w->hi;
    for (size_t i = 0; i < w->n_values; i++)
        if (w->values[i] == parent)
            return 1;
    return 0;
}

int asy_space_active(const struct asy_space *space, const double *x, size_t i)
{
    const struct asy_param *p = &space->slots[i].p;

    for (size_t w = 0; w < p->n_whens; w++)
        if (!asy__when_holds(&p->whens[w], x[p->whens[w].parent]))
            return 0;
    return 1;
}

