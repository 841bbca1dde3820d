/* SPDX-License-Identifier: Apache-2.0
 * space_text.c - points of a space: checked, written as JSON or text, read from JSON. */
#include <asy/space.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/parse.h>
#include "space_impl.h"

static int value_check(const struct asy__slot *s, double v, struct asy_error *err)
{
    const struct asy_param *p = &s->p;

    if (p->type == ASY_PARAM_CHOICE && !(v >= 0 && v <= p->hi && v == floor(v)))
        return asy_fail(err, ASY_E_INVAL, "parameter '%s': %.15g is not the number of a choice",
                        p->name, v);
    if (p->lo == p->hi && v != p->lo)
        return asy_fail(err, ASY_E_INVAL, "parameter '%s': %.15g is not %.15g, its only value",
                        p->name, v, p->lo);
    if (!(v >= p->lo && v <= p->hi))
        return asy_fail(err, ASY_E_INVAL,
                        "parameter '%s': %.15g is outside of %.15g to %.15g", p->name, v, p->lo,
                        p->hi);
    if (p->step > 0 && asy__grid_value(s, asy__grid_nearest(s, v)) != v)
        return asy_fail(err, ASY_E_INVAL, "parameter '%s': %.15g is not %.15g plus steps of %.15g",
                        p->name, v, p->lo, p->step);
    return 0;
}

int asy_space_check(const struct asy_space *space, const double *x, struct asy_error *err)
{
    for (size_t i = 0; i < space->len; i++) {
        const struct asy__slot *s = &space->slots[i];
        int active = asy_space_active(space, x, i), rc;

        if (active && isnan(x[i]))
            return asy_fail(err, ASY_E_INVAL, "parameter '%s' has no value", s->p.name);
        if (!active && !isnan(x[i]))
            return asy_fail(err, ASY_E_INVAL,
                            "parameter '%s' has a value though its condition does not hold",
                            s->p.name);
        if (active && (rc = value_check(s, x[i], err)))
            return rc;
    }
    return 0;
}

/* Shortest-exact, always with a point or an exponent: it reads back as a float. */
static const char *real_text(double v, char text[40])
{
    size_t len;

    asy_format_f64(v, text);
    len = strlen(text);
    if (!strpbrk(text, ".eE"))
        memcpy(text + len, ".0", 3);
    return text;
}

static void value_text(const struct asy_value *v, char text[40])
{
    if (v->type == ASY_VALUE_REAL)
        real_text(v->f, text);
    else if (v->type == ASY_VALUE_BOOL)
        snprintf(text, 40, "%s", v->i ? "true" : "false");
    else
        snprintf(text, 40, "%" PRId64, v->i);
}

/* The text of a number or boolean, or the borrowed string. */
static const char *entry_text(const struct asy__slot *s, double v, char text[40])
{
    const struct asy_value *choice;

    if (s->p.type == ASY_PARAM_CHOICE) {
        choice = &s->p.choices[(size_t)v];
        if (choice->type == ASY_VALUE_STRING)
            return choice->s;
        value_text(choice, text);
    } else if (s->p.type == ASY_PARAM_INT) {
        snprintf(text, 40, "%" PRId64, (int64_t)v);
    } else {
        real_text(v, text);
    }
    return text;
}

static int is_string(const struct asy__slot *s, double v)
{
    return s->p.type == ASY_PARAM_CHOICE && s->p.choices[(size_t)v].type == ASY_VALUE_STRING;
}

void asy_space_write(const struct asy_space *space, const double *x, struct asy_jsonw *w,
                     const char *key)
{
    char text[40];

    asy_jsonw_open(w, key, '{');
    for (size_t i = 0; i < space->len; i++) {
        const struct asy__slot *s = &space->slots[i];
        const char *t;

        if (isnan(x[i]))
            continue;
        t = entry_text(s, x[i], text);
        if (is_string(s, x[i]))
            asy_jsonw_str(w, s->p.name, t);
        else
            asy_jsonw_raw(w, s->p.name, t, strlen(t));
    }
    asy_jsonw_close(w, '}');
}

void asy_space_text(const struct asy_space *space, const double *x, size_t i, char *text, size_t n)
{
    char number[40];

    snprintf(text, n, "%s", isnan(x[i]) ? "" : entry_text(&space->slots[i], x[i], number));
}

/* Same type and value. */
static int choice_is(const struct asy_value *v, const struct asy_json *node)
{
    switch (asy_json_type(node)) {
    case ASY_JSON_STRING:
        return v->type == ASY_VALUE_STRING && !strcmp(v->s, asy_json_str(node, ""));
    case ASY_JSON_BOOL:
        return v->type == ASY_VALUE_BOOL && v->i == asy_json_bool(node, 0);
    case ASY_JSON_INT:
        return v->type == ASY_VALUE_INT && v->i == asy_json_i64(node, 0);
    case ASY_JSON_REAL:
        return v->type == ASY_VALUE_REAL && v->f == asy_json_f64(node, NAN);
    default:
        return 0;
    }
}

static int read_choice(const struct asy_param *p, const struct asy_json *node, double *ret,
                       struct asy_error *err)
{
    for (size_t i = 0; i < p->n_choices; i++)
        if (choice_is(&p->choices[i], node)) {
            *ret = (double)i;
            return 0;
        }
    if (asy_json_type(node) == ASY_JSON_INT || asy_json_type(node) == ASY_JSON_REAL)
        for (size_t i = 0; i < p->n_choices; i++)
            if ((p->choices[i].type == ASY_VALUE_INT || p->choices[i].type == ASY_VALUE_REAL) &&
                asy__value_number(&p->choices[i]) == asy_json_f64(node, NAN)) {
                *ret = (double)i;
                return 0;
            }
    if (p->n_choices == 1)
        return asy_fail(err, ASY_E_INVAL, "parameter '%s': not its only value", p->name);
    return asy_fail(err, ASY_E_INVAL, "parameter '%s': not one of its %zu values", p->name,
                    p->n_choices);
}

static int read_entry(const struct asy__slot *s, const struct asy_json *node, double *ret,
                      struct asy_error *err)
{
    const struct asy_param *p = &s->p;
    enum asy_json_type type = asy_json_type(node);
    double v, near;

    if (p->type == ASY_PARAM_CHOICE)
        return read_choice(p, node, ret, err);
    if (p->type == ASY_PARAM_INT && type != ASY_JSON_INT)
        return asy_fail(err, ASY_E_INVAL, "parameter '%s' needs a whole number", p->name);
    if (type != ASY_JSON_INT && type != ASY_JSON_REAL)
        return asy_fail(err, ASY_E_INVAL, "parameter '%s' needs a number", p->name);
    v = asy_json_f64(node, NAN);
    if (p->step > 0) {
        near = asy__grid_value(s, asy__grid_nearest(s, v));
        if (fabs(v - near) <= ASY__GRID_TOL * p->step)
            v = near;
    }
    *ret = v;
    return value_check(s, v, err);
}

/* A given entry whose parents are all given must be active. */
static int fixed_check(const struct asy_space *space, const double *x, size_t i,
                       struct asy_error *err)
{
    const struct asy_param *p = &space->slots[i].p;

    for (size_t w = 0; w < p->n_whens && !isnan(x[i]); w++) {
        double parent = x[p->whens[w].parent];

        if (!isnan(parent) && !asy__when_holds(&p->whens[w], parent))
            return asy_fail(err, ASY_E_INVAL,
                            "parameter '%s' has a value though its condition on '%s' does not hold",
                            p->name, space->slots[p->whens[w].parent].p.name);
    }
    return 0;
}

static int unknown_name(const struct asy_space *space, const char *name, struct asy_error *err)
{
    const char **names = malloc((space->len + 1) * sizeof *names), *near;

    if (!names)
        return asy_fail(err, ASY_E_NOMEM, "no memory to look for '%.100s'", name);
    for (size_t i = 0; i < space->len; i++)
        names[i] = space->slots[i].p.name;
    near = asy_nearest(name, strlen(name), names, space->len);
    free(names);
    if (near)
        return asy_fail(err, ASY_E_INVAL, "unknown parameter '%.80s', did you mean '%.80s'", name,
                        near);
    return asy_fail(err, ASY_E_INVAL, "unknown parameter '%.100s'", name);
}

static int read_members(const struct asy_space *space, const struct asy_json *node, double *x,
                        struct asy_error *err)
{
    const struct asy_json *value;
    const char *name;
    int rc;

    for (size_t m = 0; (value = asy_json_member(node, m, &name)); m++) {
        size_t i = asy_space_find(space, name);

        if (i == SIZE_MAX)
            return unknown_name(space, name, err);
        if ((rc = read_entry(&space->slots[i], value, &x[i], err)))
            return rc;
    }
    return 0;
}

int asy_space_read(const struct asy_space *space, const struct asy_json *node, int fixed,
                   double *ret_x, struct asy_error *err)
{
    double *x;
    int rc;

    if (asy_json_type(node) != ASY_JSON_OBJECT)
        return asy_fail(err, ASY_E_INVAL, "a point is an object of names and values");
    if (!(x = malloc((space->len + 1) * sizeof *x)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a point");
    for (size_t i = 0; i < space->len; i++)
        x[i] = ASY_INACTIVE;
    rc = read_members(space, node, x, err);
    for (size_t i = 0; i < space->len && !rc && fixed; i++)
        rc = fixed_check(space, x, i, err);
    if (!rc && !fixed)
        rc = asy_space_check(space, x, err);
    if (!rc)
        memcpy(ret_x, x, space->len * sizeof *x);
    free(x);
    return rc;
}
