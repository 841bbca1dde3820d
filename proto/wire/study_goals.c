/* SPDX-License-Identifier: Apache-2.0
 * study_goals.c - objectives beyond the first, which the table has no values for, and constraints:
 * read, checked, written.
 *
 * A list of objectives is read from its end through the same rows of the table; each but the first
 * is put aside here, so that what is left in the rows is the first. */
#include "study_impl.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- objectives ----------------------------------------------------------------------------- */

int asy__study_goals_room(struct asy__parse *p, size_t n)
{
    p->goals = asy__take(p, n * sizeof *p->goals);
    p->goal_nodes = asy__take(p, n * sizeof *p->goal_nodes);
    if (!p->goals || !p->goal_nodes)
        return 0;
    p->n_goals = n;
    return 1;
}

static void no_target(struct asy__parse *p)
{
    const struct asy__value *target = asy__val(p, "objective.target");

    if (target->node)
        asy__problem(p, target->node, "objective.target",
                     "is for a study with one objective; with several, none alone is good enough");
}

enum asy_take asy__take_of(const struct asy__value *take)
{
    if (take->has && !strcmp(take->s, "last"))
        return ASY_TAKE_LAST;
    return take->has && !strcmp(take->s, "mean") ? ASY_TAKE_MEAN : ASY_TAKE_BEST;
}

void asy__study_goal_aside(struct asy__parse *p, const struct asy_yaml *item, size_t i)
{
    static const char *const keys[] = { "objective.metric", "objective.goal", "objective.take",
                                        "objective.target" };
    const struct asy__value *metric = asy__val(p, keys[0]), *goal = asy__val(p, keys[1]);
    const struct asy__value *take = asy__val(p, keys[2]);

    if (item->type == ASY_YAML_MAP && !metric->node)
        asy__problem(p, item, keys[0], "is missing: a text");
    if (item->type == ASY_YAML_MAP && !goal->node)
        asy__problem(p, item, keys[1], "is missing: one of maximize, minimize");
    no_target(p);
    p->goal_nodes[i] = metric->node ? metric->node : item;
    p->goals[i] = (struct asy_objective){
        .metric = metric->has ? metric->s : NULL,
        .maximize = goal->has && !strcmp(goal->s, "maximize"),
        .take = asy__take_of(take),
        .target = NAN,
    };
    for (size_t k = 0; k < ASY_ARRAY_LEN(keys); k++)
        *asy__val(p, keys[k]) = (struct asy__value){ 0 };
}

const char *asy__study_judged(struct asy__parse *p, size_t i, const struct asy_yaml **ret_node,
                              const char **ret_key)
{
    const struct asy_study_spec *spec = &p->study->spec;
    size_t n = p->n_goals > 0 ? p->n_goals : 1;

    *ret_key = i < n ? "objective.metric" : "constraints.metric";
    *ret_node = NULL;
    if (i == 0) {
        *ret_node = asy__place(p, "objective.metric");
        return asy__val(p, "objective.metric")->has ? asy__val(p, "objective.metric")->s : NULL;
    }
    if (i < n) {
        *ret_node = p->goal_nodes[i];
        return p->goals[i].metric;
    }
    if (i - n >= spec->n_constraints)
        return NULL;
    *ret_node = p->constraint_nodes[i - n];
    return spec->constraints[i - n].metric;
}

static void check_goals(struct asy__parse *p)
{
    const char *a, *b, *key;
    const struct asy_yaml *node, *other;

    if (p->n_goals > 1) {
        no_target(p);
        if (asy__val(p, "budget.patience")->node)
            asy__problem(p, asy__val(p, "budget.patience")->node, "budget.patience",
                         "is for a study with one objective");
    }
    for (size_t i = 1; i < p->n_goals; i++)
        for (size_t k = 0; k < i; k++) {
            a = asy__study_judged(p, k, &other, &key);
            b = asy__study_judged(p, i, &node, &key);
            if (!a || !b || strcmp(a, b) != 0)
                continue;
            asy__problem(p, node, key, "'%.40s' is an objective already", b);
            break;
        }
}

/* ---- constraints ---------------------------------------------------------------------------- */

static void read_bound(struct asy__parse *p, const struct asy_yaml *map, const char *name,
                       double *bound)
{
    const struct asy_yaml *node = asy_yaml_get(map, name);
    char shown[64], key[32];

    if (!node || node->type == ASY_YAML_NULL)
        return;
    snprintf(key, sizeof key, "constraints.%s", name);
    if ((node->type == ASY_YAML_INT || node->type == ASY_YAML_REAL) && isfinite(node->f))
        *bound = node->f;
    else
        asy__problem(p, node, key, "must be a number, not %s", asy__shown(node, shown));
}

static void check_keys(struct asy__parse *p, const struct asy_yaml *map)
{
    static const char *const known[] = { "metric", "min", "max" };
    char hint[128], shown[64];

    for (size_t i = 0; i < map->len; i++) {
        const char *key = asy__scalar(map->keys[i]);
        size_t k = 0;

        while (key && k < ASY_ARRAY_LEN(known) && strcmp(key, known[k]) != 0)
            k++;
        if (key && k < ASY_ARRAY_LEN(known))
            continue;
        asy__problem(p, map->keys[i], "constraints", "unknown key %s%s",
                     asy__shown(map->keys[i], shown),
                     asy__did_you_mean(key ? key : "", known, ASY_ARRAY_LEN(known), hint,
                                       sizeof hint));
    }
}

static void read_constraint(struct asy__parse *p, const struct asy_yaml *map,
                            struct asy_constraint *ret)
{
    const struct asy_yaml *metric = asy_yaml_get(map, "metric");
    size_t before = p->n_problems;

    *ret = (struct asy_constraint){ .min = -INFINITY, .max = INFINITY };
    check_keys(p, map);
    if (!metric || metric->type != ASY_YAML_STRING || !asy__scalar(metric) || !metric->len)
        asy__problem(p, metric ? metric : map, "constraints.metric",
                     "must be the name of a reported metric");
    else
        ret->metric = asy__take_text(p, metric->text, metric->len);
    read_bound(p, map, "min", &ret->min);
    read_bound(p, map, "max", &ret->max);
    if (p->n_problems > before)
        return;
    if (isinf(ret->min) && isinf(ret->max))
        asy__problem(p, map, "constraints", "needs min or max");
    else if (ret->min > ret->max)
        asy__problem(p, map, "constraints", "min lies above max, so no trial can meet it");
}

static void read_constraints(struct asy__parse *p)
{
    const struct asy_yaml *node = asy__val(p, "constraints")->node;
    struct asy_constraint *list;
    char shown[64];

    if (!node)
        return;
    if (node->type != ASY_YAML_LIST) {
        asy__problem(p, node, "constraints", "must be a list of {metric, min, max}, not %s",
                     asy__shown(node, shown));
        return;
    }
    if (node->len > ASY_STUDY_CONSTRAINTS_MAX) {
        asy__problem(p, node, "constraints", "has %zu entries; %d are allowed", node->len,
                     ASY_STUDY_CONSTRAINTS_MAX);
        return;
    }
    list = asy__take(p, (node->len + 1) * sizeof *list);
    p->constraint_nodes = asy__take(p, (node->len + 1) * sizeof *p->constraint_nodes);
    if (!list || !p->constraint_nodes)
        return;
    for (size_t i = 0; i < node->len; i++) {
        p->constraint_nodes[i] = node->items[i];
        if (node->items[i]->type == ASY_YAML_MAP)
            read_constraint(p, node->items[i], &list[i]);
        else
            asy__problem(p, node->items[i], "constraints", "must be {metric, min, max}, not %s",
                         asy__shown(node->items[i], shown));
    }
    p->study->spec.constraints = list;
    p->study->spec.n_constraints = node->len;
}

/* The native engine keeps the model of the best or the last epoch. */
static void check_take(struct asy__parse *p)
{
    const struct asy__value *take = asy__val(p, "objective.take");
    int mean = asy__take_of(take) == ASY_TAKE_MEAN;

    for (size_t i = 1; i < p->n_goals; i++)
        mean |= p->goals[i].take == ASY_TAKE_MEAN;
    if (mean && p->kind && p->kind != ASY_RUN_COMMAND)
        asy__problem(p, take->node ? take->node : asy__place(p, "objective"), "objective.take",
                     "mean is for commands; a model's value is the best or the last");
}

void asy__study_goals(struct asy__parse *p)
{
    check_goals(p);
    check_take(p);
    read_constraints(p);
}

/* ---- the canonical text ---------------------------------------------------------------------- */

static void write_bound(struct asy_jsonw *w, const char *key, double value)
{
    char text[40];

    if (isinf(value))
        return;
    asy__real_text(value, text);
    asy_jsonw_raw(w, key, text, strlen(text));
}

void asy__study_write_goals(struct asy__parse *p, struct asy_jsonw *w)
{
    asy_jsonw_open(w, "objective", '[');
    for (size_t i = 0; i < p->n_goals; i++) {
        struct asy_objective o = p->goals[i];

        if (i == 0) {
            o.metric = asy__val(p, "objective.metric")->s;
            o.maximize = !strcmp(asy__val(p, "objective.goal")->s, "maximize");
            o.take = asy__take_of(asy__val(p, "objective.take"));
        }
        asy_jsonw_open(w, NULL, '{');
        asy_jsonw_str(w, "metric", o.metric);
        asy_jsonw_str(w, "goal", o.maximize ? "maximize" : "minimize");
        asy_jsonw_str(w, "take", o.take == ASY_TAKE_LAST   ? "last"
                                 : o.take == ASY_TAKE_MEAN ? "mean"
                                                           : "best");
        asy_jsonw_close(w, '}');
    }
    asy_jsonw_close(w, ']');
}

/* Left out where there are none, so that older studies keep their bytes. */
void asy__study_write_constraints(struct asy__parse *p, struct asy_jsonw *w)
{
    const struct asy_study_spec *spec = &p->study->spec;

    if (spec->n_constraints == 0)
        return;
    asy_jsonw_open(w, "constraints", '[');
    for (size_t i = 0; i < spec->n_constraints; i++) {
        asy_jsonw_open(w, NULL, '{');
        asy_jsonw_str(w, "metric", spec->constraints[i].metric);
        write_bound(w, "min", spec->constraints[i].min);
        write_bound(w, "max", spec->constraints[i].max);
        asy_jsonw_close(w, '}');
    }
    asy_jsonw_close(w, ']');
}
