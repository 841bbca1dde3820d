/* SPDX-License-Identifier: Apache-2.0
 * study_check_search.c - samplers and pruners beside the study's length, objectives and space, and
 * what ends the search. */
#include "study_impl.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Which of the words the pruner is; NULL: none of them. */
static const char *pruner_among(struct asy__parse *p, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (asy__is_word(p, "search.pruner.name", words[i]))
            return words[i];
    return NULL;
}

/* The name of a pruner with rungs, at which trials pause if they can; else NULL. */
static const char *with_rungs(struct asy__parse *p)
{
    static const char *const words[] = { "asha", "hyperband", "moasha" };

    return pruner_among(p, words, ASY_ARRAY_LEN(words));
}

static void check_brackets(struct asy__parse *p, int64_t min, int64_t max)
{
    const struct asy__value *n, *by;
    int64_t most = 1;

    n = asy__row_val(p, asy__row_option("pruner hyperband", "brackets"));
    by = asy__row_val(p, asy__row_option("pruner hyperband", "reduction"));
    while (by->has && by->i > 1 && min <= max / by->i) {
        min *= by->i;
        most++;
    }
    if (n->has && by->has && n->i > most)
        asy__problem(p, n->node, "search.pruner.brackets", "only %lld fit between min and "
                     "run.length.max, each with a lowest rung %lld times as high",
                     (long long)most, (long long)by->i);
}

static void check_rungs(struct asy__parse *p, const char *name)
{
    const struct asy__value *max = asy__val(p, "run.length.max"), *min;
    const struct asy_yaml *place = asy__place(p, "search.pruner");
    char group[64];

    min = asy__row_val(p, asy__row_option(asy__group(p, "pruner", group), "min"));
    if (asy__key_missing(p, "run.length.max") && p->kind == ASY_RUN_COMMAND &&
        !asy__val(p, "run.wandb")->i)
        asy__problem(p, place, "search.pruner", "%s needs run.length.max, the length of a whole "
                     "trial", name);
    else if (max->has && min->has && min->i > max->i)
        asy__problem(p, min->node ? min->node : place, "search.pruner.min",
                     "the lowest rung (%lld) lies above run.length.max (%lld)", (long long)min->i,
                     (long long)max->i);
    else if (max->has && min->has && !strcmp(name, "hyperband"))
        check_brackets(p, min->i, max->i);
}

static void check_bounds(struct asy__parse *p, const char *group)
{
    const struct asy__value *lower = asy__row_val(p, asy__row_option(group, "lower"));
    const struct asy__value *upper = asy__row_val(p, asy__row_option(group, "upper"));

    if (!lower->has && !upper->has)
        asy__problem(p, asy__place(p, "search.pruner"), "search.pruner",
                     "threshold needs lower, upper or both");
    else if (lower->has && upper->has && lower->f > upper->f)
        asy__problem(p, lower->node, "search.pruner.lower", "lies above upper");
}

/* Which options of patient are those of its inner pruner. */
static void check_inner(struct asy__parse *p)
{
    const struct asy__value *inner = asy__row_val(p, asy__row_option("pruner patient", "inner"));
    char group[64], key[64];
    const char *name;

    if (!inner->has || !inner->s)
        return;
    snprintf(group, sizeof group, "pruner %s", inner->s);
    for (size_t i = 0; (name = asy_study_option("pruner patient", i)); i++) {
        const struct asy__row *row = asy__row_option("pruner patient", name);
        const struct asy__value *v = asy__row_val(p, row);

        if (row->fallback || !v->node || asy__row_option(group, name))
            continue;
        snprintf(key, sizeof key, "search.pruner.%s", name);
        asy__problem(p, v->node, key, "is no option of the inner pruner, which is %s", inner->s);
    }
    if (!strcmp(inner->s, "threshold"))
        check_bounds(p, "pruner patient");
}

static void check_pruner(struct asy__parse *p)
{
    const char *name = with_rungs(p);

    if (name && !strcmp(name, "moasha") && p->n_goals < 2)
        asy__problem(p, asy__place(p, "search.pruner"), "search.pruner",
                     "moasha is for several objectives; with one, use asha");
    else if (name && !strcmp(name, "moasha") && p->n_goals > 3)
        asy__problem(p, asy__place(p, "search.pruner"), "search.pruner",
                     "moasha compares three objectives at most, not %zu", p->n_goals);
    if (name)
        check_rungs(p, name);
    else if (asy__is_word(p, "search.pruner.name", "threshold"))
        check_bounds(p, "pruner threshold");
    else if (asy__is_word(p, "search.pruner.name", "patient"))
        check_inner(p);
}

static void check_sampler(struct asy__parse *p)
{
    static const struct {
        const char *name, *says;
        size_t most; /* objectives */
    } rows[] = {
        { "cma", "one objective only", 1 },
        { "gp", "two objectives at most", 2 },
        { "pbt", "one objective only", 1 },
        { "pb2", "one objective only", 1 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(rows); i++)
        if (asy__is_word(p, "search.sampler.name", rows[i].name) && p->n_goals > rows[i].most)
            asy__problem(p, asy__place(p, "search.sampler"), "search.sampler",
                         "%s takes %s, not %zu; auto, tpe, nsga2 and nsga3 take more",
                         rows[i].name, rows[i].says, p->n_goals);
}

static void check_deterministic(struct asy__parse *p)
{
    static const char *const stopping[] = { "median", "percentile", "patient", "threshold",
                                            "wilcoxon" };
    const char *name;

    if (!asy__val(p, "search.deterministic")->i)
        return;
    if ((name = pruner_among(p, stopping, ASY_ARRAY_LEN(stopping))))
        asy__problem(p, asy__place(p, "search.pruner"), "search.pruner",
                     "%s stops trials between milestones, which search.deterministic does not "
                     "allow; use asha or none", name);
    if ((name = with_rungs(p)) && p->kind == ASY_RUN_COMMAND && !asy__val(p, "run.checkpoint")->i)
        asy__problem(p, asy__place(p, "search.pruner"), "search.pruner",
                     "%s stops a command without run.checkpoint between milestones, which "
                     "search.deterministic does not allow", name);
    if (asy__val(p, "budget.time")->node)
        asy__problem(p, asy__place(p, "budget.time"), "budget.time",
                     "depends on timing, which search.deterministic does not allow; use "
                     "budget.trials");
}

/* The sampler ends by itself, when a finite space has been tried. */
static int tries_all(struct asy__parse *p)
{
    return asy__is_word(p, "search.sampler.name", "grid") ||
           asy__is_word(p, "search.sampler.name", "brute_force");
}

static void check_grid(struct asy__parse *p)
{
    struct asy_space *space = p->study->space;

    for (size_t i = 0; i < asy_space_len(space); i++)
        if (isinf(asy_space_values(space, i))) {
            char key[200];

            snprintf(key, sizeof key, "parameters.%s", asy_space_at(space, i)->name);
            asy__problem(p, p->params[i], key, "the %s sampler needs a step or values for it",
                         asy__val(p, "search.sampler.name")->s);
        }
}

#define REFUSE_KEY(p, key, ...) asy__problem(p, asy__place(p, key), key, __VA_ARGS__)

/* The sampler's name where its trials go on from each other's checkpoints; else NULL. */
static const char *with_population(struct asy__parse *p)
{
    const char *name = asy__val(p, "search.sampler.name")->s;

    return name && asy__words_have("pbt|pb2", name) ? name : NULL;
}

static const struct asy__value *population_option(struct asy__parse *p, const char *sampler,
                                                  const char *option)
{
    return asy__row_val(p, asy__row_option(!strcmp(sampler, "pbt") ? "sampler pbt" : "sampler pb2",
                                           option));
}

static int is_own(const struct asy__parse *p, const struct asy__row *row)
{
    for (size_t i = 0; i < p->n_own; i++)
        if (row == &p->own[i].row)
            return 1;
    return 0;
}

/* What a checkpoint is made for: of networks all that is a family's own, but for shares that are
 * dropped. */
static int is_shape(const struct asy__parse *p, const struct asy__row *row, const char *name)
{
    static const char *const others[] = { "optimizer", "patience", "bins", "max_depth" };
    const char *family = p->model_group ? p->model_group + strlen("model ") : "";

    if (row->flags & ASY__SHAPE || is_own(p, row))
        return (row->flags & ASY__SHAPE) != 0;
    for (size_t i = 0; i < ASY_ARRAY_LEN(others); i++)
        if (!strcmp(name, others[i]))
            return 1;
    return strcmp(family, "gbdt") != 0 && !strcmp(row->group, p->model_group) &&
           strcmp(name, "dropout") != 0 && strcmp(name, "attention_dropout") != 0;
}

/* Of a parameter whose value layers have. */
static int is_layer_shape(const struct asy__parse *p, const char *name)
{
    for (size_t i = 0; i < p->n_layer_uses; i++)
        if (!strcmp(p->layer_uses[i].name, name) &&
            strcmp(p->layer_uses[i].row->path, "dropout") != 0)
            return 1;
    return 0;
}

/* One output in place of two. */
static int has_binary_loss(const struct asy_param *param)
{
    int found = 0;

    for (size_t i = 0; !strcmp(param->name, "loss") && i < param->n_choices; i++)
        found |= param->choices[i].type == ASY_VALUE_STRING &&
                 !strcmp(param->choices[i].s, "binary");
    return found;
}

/* It cannot change when another trial goes on from the checkpoint. */
static void check_shapes(struct asy__parse *p, const char *sampler)
{
    const struct asy_space *space = p->study->space;
    char key[200];

    for (size_t i = 0; i < asy_space_len(space); i++) {
        const char *name = asy_space_at(space, i)->name;
        const struct asy__row *row = asy__option(p, p->model_group, name);

        if (row ? !is_shape(p, row, name) && !has_binary_loss(asy_space_at(space, i))
                : !is_layer_shape(p, name))
            continue;
        snprintf(key, sizeof key, "parameters.%.100s", name);
        asy__problem(p, p->params[i], key, "cannot change between checkpoints, which %s "
                     "does: a constant in run can be it", sampler);
    }
}

/* A population's trials go on from each other's checkpoints, one interval each. */
static void check_population(struct asy__parse *p, int has_space)
{
    const struct asy__value *interval, *max = asy__val(p, "run.length.max");
    const char *name = with_population(p);

    if (!name)
        return;
    interval = population_option(p, name, "interval");
    if (p->kind == ASY_RUN_COMMAND && !asy__val(p, "run.checkpoint")->i)
        REFUSE_KEY(p, "search.sampler", "%s moves trials on from each other's checkpoints: the "
                   "program has to write them, and run.checkpoint: true has to say so", name);
    if (p->kind && p->kind != ASY_RUN_COMMAND && has_space)
        check_shapes(p, name);
    if (asy__key_missing(p, "run.length.max") && interval->has && interval->i == 0)
        REFUSE_KEY(p, "search.sampler", "%s needs an interval, or run.length.max to take a tenth "
                   "of", name);
    if (max->has && interval->has && interval->i > max->i)
        REFUSE_KEY(p, "search.sampler", "the interval is longer than run.length.max");
    if (!asy__is_word(p, "search.pruner.name", "none"))
        REFUSE_KEY(p, "search.pruner", "has no place beside %s, which ends no trial early: weak "
                   "members go on from strong ones", name);
    if (asy__val(p, "search.tell")->node)
        REFUSE_KEY(p, "search.tell", "results from elsewhere have no checkpoints, so %s has no use "
                   "for them", name);
}

/* A point that is given takes the place of a member's first one: beyond those it would train on
 * another member's weights, which have nothing to do with it. */
static void check_given(struct asy__parse *p)
{
    const struct asy_study_spec *spec = &p->study->spec;
    const char *key, *name = with_population(p);
    const struct asy__value *size = name ? population_option(p, name, "population") : NULL;

    if (!size || spec->n_enqueue <= (uint64_t)size->i)
        return;
    key = spec->n_given > (uint64_t)size->i ? "search.enqueue" : "search.from";
    asy__problem(p, asy__place(p, key), key, "%zu points are given, but only one for each of the "
                 "population's %" PRId64 " members can be a beginning", spec->n_enqueue, size->i);
}

/* The population ends by itself, when each member is trained to the end. */
static int trains_all(struct asy__parse *p)
{
    return with_population(p) && !asy__key_missing(p, "run.length.max");
}

static void check_end(struct asy__parse *p)
{
    /* Whether a space with mistakes is finite will be known when they are mended. */
    if (!asy__val(p, "budget.trials")->node && !asy__val(p, "budget.time")->node &&
        !tries_all(p) && !trains_all(p) && !asy__val(p, "budget.endless")->i)
        asy__problem(p, asy__place(p, "budget"), "budget",
                     "needs trials or time; the study would never end");
}

/* What the model of asy/regret.h takes. */
static void check_regret(struct asy__parse *p)
{
    const struct asy_yaml *node = asy__val(p, "budget.regret")->node;

    if (!node)
        return;
    if (p->n_goals > 1)
        asy__problem(p, node, "budget.regret", "is for a study with one objective");
    if (p->study->spec.n_constraints)
        asy__problem(p, node, "budget.regret", "is for a study without constraints");
    for (size_t i = 0; i < asy_space_len(p->study->space); i++)
        if (asy_space_at(p->study->space, i)->n_whens) {
            asy__problem(p, node, "budget.regret", "is for a space without conditions; '%s' has "
                         "some", asy_space_at(p->study->space, i)->name);
            return;
        }
}

void asy__study_check_search(struct asy__parse *p, int has_space)
{
    check_sampler(p);
    check_pruner(p);
    check_population(p, has_space);
    check_deterministic(p);
}

void asy__study_check_points(struct asy__parse *p)
{
    check_given(p);
    if (tries_all(p))
        check_grid(p);
}

void asy__study_check_budget(struct asy__parse *p)
{
    check_end(p);
    check_regret(p);
}

int asy_study_has_population(const struct asy_study_spec *spec)
{
    return asy__words_have("pbt|pb2", spec->sampler);
}
