/* SPDX-License-Identifier: Apache-2.0
 * study_prior.c - the key `prior` of a parameter: read, written, held to what samplers make of it
 * (asy/tuner.h; a test holds both to each other). */
#include "study_impl.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const keys[] = { "mean", "sd", "a", "b", "min", "max", "scale", "weights" };

struct reading {
    struct asy__parse *p;
    const struct asy_yaml *node, *where; /* where: of the mistake */
    char *why;                           /* [n] */
    size_t n;
};

ASY_PRINTF(3, 4)
static int wrong(struct reading *r, const struct asy_yaml *where, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(r->why, r->n, fmt, args);
    va_end(args);
    r->where = where;
    return 0;
}

static int is_number(const struct asy_yaml *node)
{
    return (node->type == ASY_YAML_INT || node->type == ASY_YAML_REAL) && isfinite(node->f);
}

static const struct asy_yaml *member(const struct reading *r, const char *key)
{
    const struct asy_yaml *node = asy_yaml_get(r->node, key);

    return node && node->type != ASY_YAML_NULL ? node : NULL;
}

static int check_keys(struct reading *r)
{
    char hint[128], shown[64];

    if (r->node->type != ASY_YAML_MAP)
        return wrong(r, r->node, "must be a map, as {mean, sd} or {weights: [...]}, not %s",
                     asy__shown(r->node, shown));
    for (size_t i = 0; i < r->node->len; i++) {
        const char *key = asy__scalar(r->node->keys[i]);
        size_t k = 0;

        while (key && k < ASY_ARRAY_LEN(keys) && strcmp(keys[k], key) != 0)
            k++;
        if (key && k < ASY_ARRAY_LEN(keys))
            continue;
        asy__did_you_mean(key ? key : "", keys, ASY_ARRAY_LEN(keys), hint, sizeof hint);
        return wrong(r, r->node->keys[i], "unknown key %s%s",
                     asy__shown(r->node->keys[i], shown),
                     hint[0] ? hint : "; known are mean, sd, a, b, min, max, scale, weights");
    }
    return 1;
}

/* ---- weights -------------------------------------------------------------------------------- */

/* Where the i-th value of the file stands among the parameter's, which are sorted if ordered. */
static size_t place_of(const struct asy_param *param, const struct asy_yaml *value, size_t i)
{
    if (!param->ordered)
        return i;
    for (i = 0; i + 1 < param->n_choices && param->choices[i].f != value->f;)
        i++;
    return i;
}

static int read_weights(struct reading *r, const struct asy_yaml *values, struct asy_param *param)
{
    const struct asy_yaml *list = member(r, "weights");
    double *weights;
    char shown[64];

    if (!list || r->node->len != 1)
        return wrong(r, r->node, "of values is {weights: [...]}, one for each");
    if (list->type != ASY_YAML_LIST || list->len != param->n_choices)
        return wrong(r, list, "weights must be a list of %zu numbers, one for each value",
                     param->n_choices);
    if (!(weights = asy__take(r->p, (list->len + 1) * sizeof *weights)))
        return 1; /* no memory, noted */
    for (size_t i = 0; i < list->len; i++) {
        if (!is_number(list->items[i]) || list->items[i]->f <= 0)
            return wrong(r, list->items[i], "a weight must be a number above 0, not %s",
                         asy__shown(list->items[i], shown));
        weights[place_of(param, values->items[i], i)] = list->items[i]->f;
    }
    param->prior = (struct asy_prior){ .kind = ASY_PRIOR_WEIGHTS, .weights = weights };
    return 1;
}

/* ---- numbers -------------------------------------------------------------------------------- */

/* 1 and the value, or *ret as it was where the key is absent; 0: a mistake. */
static int read_number(struct reading *r, const char *key, double *ret)
{
    const struct asy_yaml *node = member(r, key);
    char shown[64];

    if (node && !is_number(node))
        return wrong(r, node, "%s must be a number, not %s", key, asy__shown(node, shown));
    if (node)
        *ret = node->f;
    return 1;
}

static int read_scale(struct reading *r, struct asy_prior *prior)
{
    const struct asy_yaml *node = member(r, "scale");
    const char *word = node ? asy__scalar(node) : NULL;
    char shown[64];

    if (!node)
        return 1;
    if (!word || (strcmp(word, "log") != 0 && strcmp(word, "linear") != 0))
        return wrong(r, node, "scale must be linear or log, not %s", asy__shown(node, shown));
    prior->log = !strcmp(word, "log");
    return 1;
}

/* Which shape the keys make; 0: a mistake. */
static int read_shape(struct reading *r, struct asy_prior *prior)
{
    const struct asy_yaml *mean = member(r, "mean"), *sd = member(r, "sd");
    const struct asy_yaml *a = member(r, "a"), *b = member(r, "b");

    if (member(r, "weights"))
        return wrong(r, member(r, "weights"), "weights are for values, not for numbers");
    if ((mean || sd) && (a || b))
        return wrong(r, r->node, "has mean or sd, and a or b; give one pair");
    if (!mean != !sd || !a != !b)
        return wrong(r, r->node, "needs both %s", mean || sd ? "mean and sd" : "a and b");
    if (!mean && !a && !member(r, "min") && !member(r, "max"))
        return wrong(r, r->node, "needs mean and sd, a and b, or min and max");
    prior->kind = mean ? ASY_PRIOR_NORMAL : a ? ASY_PRIOR_BETA : ASY_PRIOR_UNIFORM;
    return read_number(r, mean ? "mean" : "a", &prior->a) &&
           read_number(r, mean ? "sd" : "b", &prior->b) && read_number(r, "min", &prior->lo) &&
           read_number(r, "max", &prior->hi);
}

static int check_numbers(struct reading *r, const struct asy_prior *prior)
{
    const struct asy_yaml *min = member(r, "min"), *max = member(r, "max");

    if (prior->kind == ASY_PRIOR_NORMAL && prior->b <= 0)
        return wrong(r, member(r, "sd"), "sd must be above 0");
    if (prior->kind == ASY_PRIOR_NORMAL && prior->log && prior->a <= 0)
        return wrong(r, member(r, "mean"), "mean must be above 0 on a log scale");
    if (prior->kind == ASY_PRIOR_BETA && (prior->a <= 0 || prior->b <= 0))
        return wrong(r, member(r, prior->a <= 0 ? "a" : "b"), "a and b must be above 0");
    if (min && max && min->f >= max->f)
        return wrong(r, min, "min is not below max");
    if (min && prior->log && min->f <= 0)
        return wrong(r, min, "min must be above 0 on a log scale");
    return 1;
}

int asy__study_prior(struct asy__parse *p, const struct asy_yaml *node,
                     const struct asy_yaml *values, struct asy_param *param,
                     const struct asy_yaml **ret_where, char *why, size_t n)
{
    struct reading r = { .p = p, .node = node, .why = why, .n = n };
    struct asy_prior prior = { .log = param->log, .lo = NAN, .hi = NAN };
    int good = check_keys(&r);

    if (good && values)
        good = read_weights(&r, values, param);
    else if (good && (good = read_scale(&r, &prior) && read_shape(&r, &prior) &&
                             check_numbers(&r, &prior)))
        param->prior = prior;
    *ret_where = r.where;
    return good;
}

/* ---- the canonical text ---------------------------------------------------------------------- */

static void write_real(struct asy_jsonw *w, const char *key, double value)
{
    char text[40];

    asy__real_text(value, text);
    asy_jsonw_raw(w, key, text, strlen(text));
}

/* Left out where there is none, so that older studies keep their bytes. */
void asy__study_write_prior(struct asy_jsonw *w, const struct asy_param *param)
{
    const struct asy_prior *prior = &param->prior;
    int normal = prior->kind == ASY_PRIOR_NORMAL;

    if (prior->kind == ASY_PRIOR_NONE)
        return;
    asy_jsonw_open(w, "prior", '{');
    if (prior->kind == ASY_PRIOR_WEIGHTS) {
        asy_jsonw_open(w, "weights", '[');
        for (size_t i = 0; i < param->n_choices; i++)
            write_real(w, NULL, prior->weights[i]);
        asy_jsonw_close(w, ']');
    } else {
        if (prior->kind != ASY_PRIOR_UNIFORM) {
            write_real(w, normal ? "mean" : "a", prior->a);
            write_real(w, normal ? "sd" : "b", prior->b);
        }
        write_real(w, "min", prior->lo);
        write_real(w, "max", prior->hi);
        asy_jsonw_str(w, "scale", prior->log ? "log" : "linear");
    }
    asy_jsonw_close(w, '}');
}

/* ---- samplers -------------------------------------------------------------------------------- */

/* As tuner/prior.c has it for tpe. */
static int is_kernel(const struct asy_param *q)
{
    return q->prior.kind == ASY_PRIOR_WEIGHTS ||
           (q->prior.kind == ASY_PRIOR_NORMAL && q->prior.log == q->log &&
            q->prior.lo == q->lo - q->step / 2 && q->prior.hi == q->hi + q->step / 2);
}

void asy__study_check_priors(struct asy__parse *p)
{
    struct asy_space *space = p->study->space;
    const char *sampler = asy__val(p, "search.sampler.name")->s;

    for (size_t i = 0; sampler && i < asy_space_len(space); i++) {
        const struct asy_param *q = asy_space_at(space, i);
        const struct asy_yaml *where = asy_yaml_get(p->params[i], "prior");
        int to_tpe = asy__words_have("tpe|auto", sampler) || /* gp leaves conditional ones to it */
                     (!strcmp(sampler, "gp") && q->n_whens);
        char key[200];

        if (q->prior.kind == ASY_PRIOR_NONE || (to_tpe && is_kernel(q)) ||
            (!to_tpe && asy__words_have("random|qmc|gp|cma|nsga2|nsga3|pbt|pb2", sampler)))
            continue;
        snprintf(key, sizeof key, "parameters.%s", q->name);
        if (to_tpe)
            asy__problem(p, where, key, "prior: sampler %s takes mean and sd on the parameter's "
                         "own scale, and weights%s; random, qmc%s, cma, nsga2 and nsga3 take any",
                         sampler, strcmp(sampler, "gp") ? "" : " where parameters are conditional",
                         q->n_whens ? "" : ", gp");
        else
            asy__problem(p, where, key, "prior: sampler %s makes no use of it; random, qmc, gp, "
                         "tpe, cma, nsga2 and nsga3 do", sampler);
    }
}
