/* SPDX-License-Identifier: Apache-2.0
 * pruner.c - the interface of pruners: checks the spec, hands calls to the kind chosen. */
#include "pruner.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/parse.h>

static const struct asy__pruner_class *const classes[] = {
    &asy__pruner_none,      &asy__pruner_median,   &asy__pruner_percentile, &asy__pruner_patient,
    &asy__pruner_threshold, &asy__pruner_wilcoxon, &asy__pruner_asha,
    &asy__pruner_hyperband, &asy__pruner_moasha,
};

static const struct asy__pruner_class *find(const char *name)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(classes); i++)
        if (!strcmp(classes[i]->name, name))
            return classes[i];
    return NULL;
}

const char *asy_pruner_name(size_t i)
{
    return i < ASY_ARRAY_LEN(classes) ? classes[i]->name : NULL;
}

const char *asy_pruner_option(const char *pruner, size_t i)
{
    const struct asy__pruner_class *class = find(pruner);

    return class && i < class->n_options ? class->options[i].name : NULL;
}

static int unknown(const char *name, struct asy_error *err)
{
    const char *names[ASY_ARRAY_LEN(classes)], *near;

    for (size_t i = 0; i < ASY_ARRAY_LEN(classes); i++)
        names[i] = classes[i]->name;
    near = asy_nearest(name, strlen(name), names, ASY_ARRAY_LEN(classes));
    if (near)
        return asy_fail(err, ASY_E_INVAL, "unknown pruner '%.60s', did you mean '%s'", name, near);
    return asy_fail(err, ASY_E_INVAL, "unknown pruner '%.60s'", name);
}

int asy_pruner_create(const struct asy_pruner_spec *spec, struct asy_pruner **ret_pruner,
                      struct asy_error *err)
{
    const struct asy__pruner_class *class = find(spec->name);
    struct asy_pruner *pruner = NULL;
    char what[40];
    int rc;

    if (!class)
        return unknown(spec->name, err);
    snprintf(what, sizeof what, "pruner '%s'", class->name);
    if (spec->length_max == 0)
        return asy_fail(err, ASY_E_INVAL, "%s: the longest training length is 0", what);
    if (spec->n_goals < 1 || spec->n_goals > ASY_OBJECTIVES_MAX)
        return asy_fail(err, ASY_E_INVAL, "%s: a study has 1 to %d objectives, not %zu", what,
                        ASY_OBJECTIVES_MAX, spec->n_goals);
    if (!(pruner = calloc(1, sizeof *pruner)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a pruner");
    memcpy(pruner->goals, spec->goals, spec->n_goals * sizeof *spec->goals);
    pruner->n_goals = spec->n_goals;
    pruner->length_max = spec->length_max;
    pruner->can_pause = spec->can_pause;
    if ((rc = asy__options_read(what, class->options, class->n_options, spec->options,
                                spec->n_options, pruner->options, err)))
        goto out;
    pruner->class = class;
    if (class->create && (rc = class->create(pruner, err)))
        goto out;
    *ret_pruner = pruner;
    pruner = NULL;
out:
    asy_pruner_destroy(pruner);
    return rc;
}

struct asy_pruner *asy__pruner_like(const struct asy_pruner *p,
                                    const struct asy__pruner_class *class)
{
    struct asy_pruner *like = malloc(sizeof *like);

    if (!like)
        return NULL;
    *like = *p;
    like->class = class;
    like->state = NULL;
    return like;
}

int asy__rung_lengths(uint64_t least, uint64_t reduction, uint64_t length_max, uint64_t *ret)
{
    int n = 0;

    while (least < length_max) {
        ASY_ASSERT(n < ASY__RUNGS_MAX);
        ret[n++] = least;
        if (__builtin_mul_overflow(least, reduction, &least))
            break;
    }
    return n;
}

void asy_pruner_destroy(struct asy_pruner *pruner)
{
    if (!pruner)
        return;
    if (pruner->class && pruner->class->destroy)
        pruner->class->destroy(pruner);
    free(pruner);
}

uint64_t asy_pruner_milestone(const struct asy_pruner *pruner, uint64_t number, uint64_t step)
{
    return pruner->class->milestone ? pruner->class->milestone(pruner, number, step)
                                    : pruner->length_max;
}

size_t asy_pruner_compares(const struct asy_pruner *pruner)
{
    return pruner->class->report_all ? pruner->n_goals : 1;
}

enum asy_verdict asy_pruner_report(struct asy_pruner *pruner, uint64_t number, uint64_t step,
                                   const double *values)
{
    double scores[ASY_OBJECTIVES_MAX];

    if (pruner->class->report_all) {
        for (size_t i = 0; i < pruner->n_goals; i++)
            scores[i] = pruner->goals[i] == ASY_MAXIMIZE ? -values[i] : values[i];
        return pruner->class->report_all(pruner, number, step, scores);
    }
    if (!pruner->class->report)
        return ASY_GO_ON;
    return pruner->class->report(pruner, number, step, asy__pruner_value(pruner, values[0]));
}

int asy_pruner_promote(struct asy_pruner *pruner, uint64_t *ret_number, uint64_t *ret_milestone)
{
    return pruner->class->promote && pruner->class->promote(pruner, ret_number, ret_milestone);
}

int asy_pruner_promote_last(struct asy_pruner *pruner, uint64_t *ret_number,
                            uint64_t *ret_milestone)
{
    return pruner->class->promote_last &&
           pruner->class->promote_last(pruner, ret_number, ret_milestone);
}

void asy_pruner_unpromote(struct asy_pruner *pruner, uint64_t number)
{
    if (pruner->class->unpromote)
        pruner->class->unpromote(pruner, number);
}

void asy_pruner_ended(struct asy_pruner *pruner, uint64_t number, int complete)
{
    if (pruner->class->ended)
        pruner->class->ended(pruner, number, complete);
}

void asy_pruner_explain(const struct asy_pruner *pruner, uint64_t number, char *text, size_t n)
{
    if (n)
        text[0] = 0;
    if (n && pruner->class->explain)
        pruner->class->explain(pruner, number, text, n);
}

int asy_pruner_stops(const struct asy_pruner *pruner)
{
    return pruner->class->stops && pruner->class->stops(pruner);
}
