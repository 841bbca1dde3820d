/* SPDX-License-Identifier: Apache-2.0
 * query_auto.c - what the sampler "auto" of a study is, and why.
 *
 * It follows from the study file alone, so a sampler is made of that and asked; nothing is stored
 * that could grow untrue when a study goes on with a larger budget. Who made each point is stored
 * with its trial. */
#include <string.h>
#include <asy/study.h>
#include <asy/tuner.h>
#include "query_impl.h"

#define OPTIONS_MAX 32

static void put_reason(struct asy_jsonw *w, const struct asy_study_spec *spec)
{
    enum asy_goal goals[ASY_STUDY_OBJECTIVES_MAX];
    struct asy_option options[OPTIONS_MAX];
    struct asy_pruner_spec pruner = { .name = spec->pruner, .options = options, .goals = goals,
                                      .n_goals = spec->n_objectives,
                                      .length_max = spec->length_max,
                                      .can_pause = spec->checkpoint };
    struct asy_sampler_spec how = { .name = spec->sampler, .goals = goals,
                                    .n_goals = spec->n_objectives, .seed = spec->seed,
                                    .pruner = &pruner,
                                    .budget = spec->max_trials == UINT64_MAX
                                                  ? 0 : spec->max_trials };
    struct asy_sampler *sampler = NULL;

    for (size_t i = 0; i < spec->n_objectives; i++)
        goals[i] = spec->objectives[i].maximize ? ASY_MAXIMIZE : ASY_MINIMIZE;
    for (size_t i = 0; i < spec->n_pruner_options && i < OPTIONS_MAX; i++, pruner.n_options++)
        options[i] = (struct asy_option){ spec->pruner_options[i].name,
                                          spec->pruner_options[i].value };
    if (asy_sampler_create(spec->space, &how, &sampler, NULL) == 0)
        asy_jsonw_str(w, "sampler_reason", asy_sampler_reason(sampler));
    asy_sampler_destroy(sampler);
}

void asy__auto_reason_write(struct asy_jsonw *w, const char *spec_text)
{
    struct asy_study_spec *spec = NULL;

    if (asy_study_parse(spec_text, strlen(spec_text), "the study", NULL, &spec, NULL, NULL) == 0 &&
        !strcmp(spec->sampler, "auto"))
        put_reason(w, spec);
    asy_study_destroy(spec);
}
