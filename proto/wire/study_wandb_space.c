/* SPDX-License-Identifier: Apache-2.0
 * study_wandb_space.c - the parameters of a W&B sweep: distributions as ranges, scales, steps and
 * priors.
 *
 * An unbounded distribution gets bounds 8 standard deviations from its mean, beyond which one draw
 * in 10^15 would lie. One with q is drawn from its own bounds and moved to the nearest multiple of
 * q, as there; so its lowest and highest value may have less than the others. */
#include "study_wandb.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

#define DEVIATIONS 8
#define DEPTH_MAX 16 /* of nested parameters */
#define NAME_TEXT 128
#define SUM_TOL 1e-6 /* of probabilities, which are written with few digits */

enum family { CONSTANT, CATEGORICAL, UNIFORM, NORMAL, BETA };
enum scale { LINEAR, EXPONENTS, INVERSE_EXPONENTS, VALUES };
struct distribution {
    const char *name;
    enum family family;
    enum scale scale;
    int q, whole;
    const char *const *keys;
    size_t n_keys;
};

#define KEYS(...)                                                                                  \
    .keys = (const char *const[]){ __VA_ARGS__ },                                                  \
    .n_keys = sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *)
static const struct distribution distributions[] = {
    { "constant", CONSTANT, LINEAR, 0, 0, KEYS("value") },
    { "categorical", CATEGORICAL, LINEAR, 0, 0, KEYS("values", "probabilities") },
    { "categorical_w_probabilities", CATEGORICAL, LINEAR, 0, 0, KEYS("values", "probabilities") },
    { "int_uniform", UNIFORM, LINEAR, 0, 1, KEYS("min", "max") },
    { "uniform", UNIFORM, LINEAR, 0, 0, KEYS("min", "max") },
    { "q_uniform", UNIFORM, LINEAR, 1, 0, KEYS("min", "max", "q") },
    { "log_uniform", UNIFORM, EXPONENTS, 0, 0, KEYS("min", "max") },
    { "log_uniform_values", UNIFORM, VALUES, 0, 0, KEYS("min", "max") },
    { "q_log_uniform", UNIFORM, EXPONENTS, 1, 0, KEYS("min", "max", "q") },
    { "q_log_uniform_values", UNIFORM, VALUES, 1, 0, KEYS("min", "max", "q") },
    { "inv_log_uniform", UNIFORM, INVERSE_EXPONENTS, 0, 0, KEYS("min", "max") },
    /* log(1 / x) is even: so is log(x) */
    { "inv_log_uniform_values", UNIFORM, VALUES, 0, 0, KEYS("min", "max") },
    { "normal", NORMAL, LINEAR, 0, 0, KEYS("mu", "sigma") },
    { "q_normal", NORMAL, LINEAR, 1, 0, KEYS("mu", "sigma", "q") },
    { "log_normal", NORMAL, EXPONENTS, 0, 0, KEYS("mu", "sigma") },
    { "q_log_normal", NORMAL, EXPONENTS, 1, 0, KEYS("mu", "sigma", "q") },
    { "beta", BETA, LINEAR, 0, 0, KEYS("a", "b") },
    { "q_beta", BETA, LINEAR, 1, 0, KEYS("a", "b", "q") },
};

struct reading {
    struct asy__parse *p;
    const struct distribution *d;
    const struct asy_yaml *node; /* the parameter's */
    const char *key;             /* "parameters.lr" */
    int grid;
    int bad;
};

ASY_PRINTF(3, 4)
static void bad(struct reading *r, const struct asy_yaml *node, const char *fmt, ...)
{
    char text[400];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    asy__problem(r->p, node, r->key, "%s", text);
    r->bad = 1;
}

static int is_number(const struct asy_yaml *node)
{
    return node && (node->type == ASY_YAML_INT || node->type == ASY_YAML_REAL) &&
           isfinite(node->f);
}

/* ---- which distribution ---------------------------------------------------------------------- */

static const struct distribution *find(const char *name)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(distributions); i++)
        if (!strcmp(distributions[i].name, name))
            return &distributions[i];
    return NULL;
}

static const struct distribution *named(struct reading *r, const struct asy_yaml *node)
{
    const char *names[ASY_ARRAY_LEN(distributions)], *word = asy__scalar(node);
    const struct distribution *d = word ? find(word) : NULL;
    char hint[128], shown[64];

    if (d)
        return d;
    for (size_t i = 0; i < ASY_ARRAY_LEN(names); i++)
        names[i] = distributions[i].name;
    asy__did_you_mean(word ? word : "", names, ASY_ARRAY_LEN(names), hint, sizeof hint);
    bad(r, node, "distribution %s is not one of W&B's that this version knows%s",
        asy__shown(node, shown), hint);
    return NULL;
}

/* What W&B takes where none is named. */
static const struct distribution *inferred(struct reading *r)
{
    const struct asy_yaml *min = asy__wandb_member(r->node, "min");
    const struct asy_yaml *max = asy__wandb_member(r->node, "max");

    if (asy_yaml_get(r->node, "value"))
        return find("constant");
    if (asy_yaml_get(r->node, "values"))
        return find("categorical");
    if (min && max)
        return find(min->type == ASY_YAML_INT && max->type == ASY_YAML_INT ? "int_uniform"
                                                                             : "uniform");
    bad(r, r->node, "needs value, values, min and max, parameters, or a distribution");
    return NULL;
}

static void check_keys(struct reading *r)
{
    char hint[128];

    for (size_t i = 0; i < r->node->len; i++) {
        const char *key = asy__scalar(r->node->keys[i]);
        size_t k = 0;

        while (key && k < r->d->n_keys && strcmp(key, r->d->keys[k]) != 0)
            k++;
        if (key && (k < r->d->n_keys || !strcmp(key, "distribution")))
            continue;
        asy__did_you_mean(key ? key : "", r->d->keys, r->d->n_keys, hint, sizeof hint);
        bad(r, r->node->keys[i], "distribution %s has no '%.40s'%s", r->d->name, key ? key : "?",
            hint);
    }
}

/* ---- values ---------------------------------------------------------------------------------- */

static struct asy_yaml *value_of(struct reading *r, const struct asy_yaml *node)
{
    struct asy_yaml *copy;
    int flag = asy__wandb_flag(r->p, node);
    char shown[64];

    if (flag >= 0)
        return asy__node_flag(r->p, node, flag);
    if (!asy__scalar(node)) {
        bad(r, node, "a value must be a text, number, true or false here; %s has no counterpart",
            asy__shown(node, shown));
        return NULL;
    }
    if ((copy = asy__take(r->p, sizeof *copy)))
        *copy = *node;
    return copy;
}

/* Probabilities become the weights of a prior; a value of probability 0 is left out. */
static void put_values(struct reading *r, struct asy_yaml *out, const struct asy_yaml *values,
                       const struct asy_yaml *shares)
{
    struct asy_yaml *list = asy__node_list(r->p, values, values->len);
    struct asy_yaml *prior = shares ? asy__node_map(r->p, shares, 1) : NULL;
    struct asy_yaml *weights = shares ? asy__node_list(r->p, shares, shares->len) : NULL;
    double sum = 0;

    for (size_t i = 0; i < values->len && !r->p->rc; i++) {
        const struct asy_yaml *share = shares ? shares->items[i] : NULL;

        if (share && (!is_number(share) || share->f < 0)) {
            bad(r, share, "a probability must be a number of 0 or more");
            return;
        }
        sum += share ? share->f : 0;
        if (share && share->f == 0)
            continue;
        asy__node_add(list, value_of(r, values->items[i]));
        if (share)
            asy__node_add(weights, asy__node_real(r->p, share, share->f));
    }
    if (shares && fabs(sum - 1) > SUM_TOL)
        bad(r, shares, "probabilities must sum to 1, not %g", sum);
    asy__node_put(r->p, out, "values", list);
    if (!shares)
        return;
    asy__node_put(r->p, prior, "weights", weights);
    asy__node_put(r->p, out, "prior", prior);
}

static void put_choice(struct reading *r, struct asy_yaml *out)
{
    const struct asy_yaml *values = asy__wandb_member(r->node, "values");
    const struct asy_yaml *shares = asy__wandb_member(r->node, "probabilities");

    if (!values || values->type != ASY_YAML_LIST || values->len == 0)
        bad(r, values ? values : r->node, "values must be a list of one value or more");
    else if (shares && (shares->type != ASY_YAML_LIST || shares->len != values->len))
        bad(r, shares, "probabilities must be a list of %zu numbers, one for each value",
            values->len);
    else if (shares && r->grid)
        bad(r, shares, "method grid takes every value once, so probabilities have no meaning");
    else
        put_values(r, out, values, shares);
}

static void put_constant(struct reading *r, struct asy_yaml *out)
{
    const struct asy_yaml *value = asy_yaml_get(r->node, "value");
    struct asy_yaml *list;

    if (!value) {
        bad(r, r->node, "needs value");
        return;
    }
    list = asy__node_list(r->p, value, 1);
    asy__node_add(list, value_of(r, value));
    asy__node_put(r->p, out, "values", list);
}

/* ---- numbers --------------------------------------------------------------------------------- */

struct numbers {
    double lo, hi;  /* values, before rounding to q */
    double a, b, q; /* q 0: none */
    int whole;      /* results are ints */
};

static double number(struct reading *r, const char *key, double fallback, int needed)
{
    const struct asy_yaml *node = asy__wandb_member(r->node, key);
    char shown[64];

    if (!node && needed)
        bad(r, r->node, "needs %s", key);
    else if (node && !is_number(node))
        bad(r, node, "%s must be a number, not %s", key, asy__shown(node, shown));
    return is_number(node) ? node->f : fallback;
}

static void read_bounds(struct reading *r, struct numbers *n)
{
    double min = number(r, "min", 0, 1), max = number(r, "max", 0, 1);
    const struct asy_yaml *at = asy__wandb_member(r->node, "min");

    if (r->bad)
        return;
    if (min > max || (min == max && r->d->q))
        bad(r, at, "min must be below max");
    else if (r->d->scale == VALUES && min <= 0)
        bad(r, at, "min of %s is a value, which must be above 0", r->d->name);
    else if (r->d->whole && (min != floor(min) || max != floor(max)))
        bad(r, at, "min and max of int_uniform must be whole numbers");
    n->lo = r->d->scale == EXPONENTS           ? exp(min)
            : r->d->scale == INVERSE_EXPONENTS ? exp(-max)
                                               : min;
    n->hi = r->d->scale == EXPONENTS           ? exp(max)
            : r->d->scale == INVERSE_EXPONENTS ? exp(-min)
                                               : max;
    if (!r->bad && (isinf(n->hi) || (r->d->scale != LINEAR && n->lo <= 0)))
        bad(r, at, "min and max of %s are exponents of e, and these are beyond all numbers; "
            "log_uniform_values takes the values themselves", r->d->name);
}

static void read_shape(struct reading *r, struct numbers *n)
{
    int normal = r->d->family == NORMAL;
    double a = number(r, normal ? "mu" : "a", normal ? 0 : 1, 0);
    double b = number(r, normal ? "sigma" : "b", 1, 0);

    if (r->bad)
        return;
    if (b <= 0 || (!normal && a <= 0)) {
        bad(r, r->node, "%s must be above 0", normal ? "sigma" : "a and b");
        return;
    }
    n->a = a;
    n->b = b;
    n->lo = normal ? a - DEVIATIONS * b : 0;
    n->hi = normal ? a + DEVIATIONS * b : 1;
    if (r->d->scale != EXPONENTS)
        return;
    n->a = exp(a);
    n->lo = exp(n->lo);
    n->hi = exp(n->hi);
    if (isinf(n->hi) || n->lo <= 0)
        bad(r, r->node, "mu and sigma of %s are of the logarithm, and these reach beyond all "
            "numbers", r->d->name);
}

static void read_q(struct reading *r, struct numbers *n)
{
    const struct asy_yaml *node = asy__wandb_member(r->node, "q");

    if (!r->d->q)
        return;
    n->q = number(r, "q", 1, 0);
    n->whole = node && node->type == ASY_YAML_INT;
    if (!r->bad && n->q <= 0)
        bad(r, node, "q must be above 0");
}

static struct asy_yaml *typed(struct reading *r, const struct numbers *n, double value)
{
    return n->whole && fabs(value) < 9e15 ? asy__node_int(r->p, r->node, (int64_t)value)
                                          : asy__node_real(r->p, r->node, value);
}

static void put_prior(struct reading *r, struct asy_yaml *out, const struct numbers *n)
{
    struct asy_yaml *prior = asy__node_map(r->p, r->node, 5);
    int normal = r->d->family == NORMAL;

    if (r->d->family != UNIFORM) {
        asy__node_put(r->p, prior, normal ? "mean" : "a", asy__node_real(r->p, r->node, n->a));
        asy__node_put(r->p, prior, normal ? "sd" : "b", asy__node_real(r->p, r->node, n->b));
    }
    asy__node_put(r->p, prior, "min", asy__node_real(r->p, r->node, n->lo));
    asy__node_put(r->p, prior, "max", asy__node_real(r->p, r->node, n->hi));
    asy__node_put(r->p, prior, "scale",
                  asy__node_text(r->p, r->node, r->d->scale == LINEAR ? "linear" : "log"));
    asy__node_put(r->p, out, "prior", prior);
}

/* W&B's grid counts from min in steps of q, and ends before max. */
static void put_grid(struct reading *r, struct asy_yaml *out, const struct numbers *n)
{
    double steps = ceil((n->hi - n->lo) / n->q - 1e-9) - 1;
    struct numbers grid = *n;

    grid.whole = n->whole && n->lo == floor(n->lo);
    asy__node_put(r->p, out, "type", asy__node_text(r->p, r->node, grid.whole ? "int" : "float"));
    asy__node_put(r->p, out, "min", typed(r, &grid, n->lo));
    asy__node_put(r->p, out, "max", typed(r, &grid, n->lo + fmax(steps, 0) * n->q));
    asy__node_put(r->p, out, "step", typed(r, &grid, n->q));
}

static void put_numbers(struct reading *r, struct asy_yaml *out)
{
    struct numbers n = { .whole = r->d->whole };
    double lo, hi;

    if (r->d->family == UNIFORM)
        read_bounds(r, &n);
    else
        read_shape(r, &n);
    read_q(r, &n);
    if (!r->bad && r->grid && !r->d->whole && strcmp(r->d->name, "q_uniform") != 0)
        bad(r, r->node, "method grid needs value, values, int_uniform or q_uniform, not %s",
            r->d->name);
    if (r->bad)
        return;
    if (r->grid && n.q > 0) {
        put_grid(r, out, &n);
        return;
    }
    lo = n.q > 0 ? rint(n.lo / n.q) * n.q : n.lo; /* halves to even, as numpy rounds */
    hi = n.q > 0 ? rint(n.hi / n.q) * n.q : n.hi;
    asy__node_put(r->p, out, "type", asy__node_text(r->p, r->node, n.whole ? "int" : "float"));
    asy__node_put(r->p, out, "min", typed(r, &n, lo));
    asy__node_put(r->p, out, "max", typed(r, &n, hi));
    if (n.q > 0)
        asy__node_put(r->p, out, "step", typed(r, &n, n.q));
    else if (r->d->scale != LINEAR)
        asy__node_put(r->p, out, "scale", asy__node_text(r->p, r->node, "log"));
    if (n.q > 0 || r->d->family != UNIFORM)
        put_prior(r, out, &n);
}

/* ---- all ------------------------------------------------------------------------------------- */

/* In place of a parameter with a mistake. */
static void put_any(struct asy__parse *p, struct asy_yaml *space, const struct asy_yaml *at,
                    const char *name)
{
    struct asy_yaml *any = asy__node_map(p, at, 1), *list = asy__node_list(p, at, 1);

    asy__node_add(list, asy__node_int(p, at, 0));
    asy__node_put(p, any, "values", list);
    asy__node_put(p, space, name, any);
}

struct asy_yaml *asy__wandb_no_space(struct asy__parse *p, const struct asy_yaml *at)
{
    struct asy_yaml *space = asy__node_map(p, at, 1);

    put_any(p, space, at, "x");
    return space;
}

static void add_param(struct asy__parse *p, struct asy_yaml *space, const struct asy_yaml *node,
                      const char *name, int grid)
{
    char key[NAME_TEXT + 16];
    struct reading r = { .p = p, .node = node, .key = key, .grid = grid };
    const struct asy_yaml *distribution = asy__wandb_member(node, "distribution");
    struct asy_yaml *out = asy__node_map(p, node, 6);

    snprintf(key, sizeof key, "parameters.%s", name);
    if ((r.d = distribution ? named(&r, distribution) : inferred(&r)))
        check_keys(&r);
    if (r.bad) {
        put_any(p, space, node, name);
        return;
    }
    if (r.d->family == CONSTANT)
        put_constant(&r, out);
    else if (r.d->family == CATEGORICAL)
        put_choice(&r, out);
    else
        put_numbers(&r, out);
    if (r.bad)
        put_any(p, space, node, name);
    else
        asy__node_put(p, space, name, out);
}

static size_t count(const struct asy_yaml *map, int depth)
{
    size_t n = 0;

    for (size_t i = 0; map->type == ASY_YAML_MAP && i < map->len && depth < DEPTH_MAX; i++) {
        const struct asy_yaml *inner = asy_yaml_get(map->items[i], "parameters");

        n += inner && inner->type == ASY_YAML_MAP ? count(inner, depth + 1) + 1 : 1;
    }
    return n;
}

static void add_all(struct asy__parse *p, struct asy_yaml *space, const struct asy_yaml *map,
                    const char *prefix, int grid, int depth)
{
    static const char *const nested[] = { "parameters" };
    char name[NAME_TEXT], key[NAME_TEXT + 16], shown[64];

    for (size_t i = 0; i < map->len && !p->rc; i++) {
        const struct asy_yaml *node = map->items[i], *inner = asy_yaml_get(node, "parameters");
        const char *leaf = asy__scalar(map->keys[i]);

        if ((size_t)snprintf(name, sizeof name, "%s%s", prefix, leaf ? leaf : "?") >=
            sizeof name - 1) {
            asy__problem(p, map->keys[i], "parameters", "has a name of over %d bytes", NAME_TEXT);
            continue;
        }
        snprintf(key, sizeof key, "parameters.%s", name);
        if (node->type != ASY_YAML_MAP) {
            asy__problem(p, node, key, "must be a map, as {min, max}, {value} or {values}, not %s",
                         asy__shown(node, shown));
            put_any(p, space, node, name);
        } else if (!inner) {
            add_param(p, space, node, name, grid);
        } else if (inner->type != ASY_YAML_MAP || depth + 1 >= DEPTH_MAX) {
            asy__problem(p, inner, key, "parameters must be a map, at most %d deep", DEPTH_MAX);
            put_any(p, space, node, name);
        } else {
            asy__wandb_keys(p, node, key, nested, 1);
            strncat(name, ".", sizeof name - strlen(name) - 1);
            add_all(p, space, inner, name, grid, depth + 1);
        }
    }
}

struct asy_yaml *asy__wandb_space(struct asy__parse *p, const struct asy_yaml *map, int grid)
{
    struct asy_yaml *space = asy__node_map(p, map, count(map, 0) + 1);

    add_all(p, space, map, "", grid, 0);
    return space;
}
