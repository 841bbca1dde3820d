/* SPDX-License-Identifier: Apache-2.0
 * search.c - see search.h. */
#include "search.h"
#include <stdlib.h>

#define OPTIONS_MAX 32

/* The study's results from elsewhere. */
static struct asy_outcome *told_of(const struct asy_study_spec *spec)
{
    struct asy_outcome *told = calloc(spec->n_told + 1, sizeof *told);

    for (size_t i = 0; told && i < spec->n_told; i++)
        told[i] = (struct asy_outcome){
            .state = ASY_OUTCOME_COMPLETE,
            .x = spec->told + i * asy_space_len(spec->space),
            .values = spec->told_values + i * spec->n_objectives,
            .last_step = -1,
        };
    return told;
}

/* What its earlier studies found. */
static struct asy_earlier *earlier_of(const struct asy_study_spec *spec)
{
    struct asy_earlier *earlier = calloc(spec->n_earlier + 1, sizeof *earlier);

    for (size_t i = 0; earlier && i < spec->n_earlier; i++)
        earlier[i] = (struct asy_earlier){
            .x = spec->earlier_x + i * asy_space_len(spec->space), .rank = spec->earlier[i].rank,
        };
    return earlier;
}

static size_t sampler_options(const struct asy_study_spec *spec, struct asy_option *options)
{
    size_t n = 0;

    for (; n < spec->n_sampler_options && n < OPTIONS_MAX; n++)
        options[n] = (struct asy_option){ spec->sampler_options[n].name,
                                          spec->sampler_options[n].value };
    return n;
}

static size_t pruner_options(const struct asy_study_spec *spec, struct asy_option *options)
{
    size_t n = 0;

    for (; n < spec->n_pruner_options && n < OPTIONS_MAX; n++)
        options[n] = (struct asy_option){ spec->pruner_options[n].name,
                                          spec->pruner_options[n].value };
    return n;
}

int asy__search_sampler(const struct asy_study_spec *spec, uint64_t budget,
                        struct asy_sampler **ret_sampler, struct asy_error *err)
{
    struct asy_option options[OPTIONS_MAX], of_pruner[OPTIONS_MAX];
    enum asy_goal goals[ASY_STUDY_OBJECTIVES_MAX];
    struct asy_outcome *told = told_of(spec);
    struct asy_earlier *earlier = earlier_of(spec);
    struct asy_pruner_spec pruner = {
        .name = spec->pruner, .options = of_pruner, .n_options = pruner_options(spec, of_pruner),
        .goals = goals, .n_goals = spec->n_objectives, .length_max = spec->length_max,
        .can_pause = spec->checkpoint,
    };
    struct asy_sampler_spec sampler = {
        .name = spec->sampler, .options = options, .n_options = sampler_options(spec, options),
        .goals = goals, .n_goals = spec->n_objectives, .seed = spec->seed, .budget = budget,
        .n_enqueued = spec->n_enqueue, .pruner = &pruner, .told = told, .n_told = spec->n_told,
        .earlier = earlier, .n_earlier = spec->n_earlier,
    };
    int rc;

    if (!told || !earlier) {
        free(told);
        free(earlier);
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu results",
                        spec->n_told + spec->n_earlier);
    }
    for (size_t i = 0; i < spec->n_objectives; i++)
        goals[i] = spec->objectives[i].maximize ? ASY_MAXIMIZE : ASY_MINIMIZE;
    rc = asy_sampler_create(spec->space, &sampler, ret_sampler, err);
    free(told);
    free(earlier);
    return rc;
}
