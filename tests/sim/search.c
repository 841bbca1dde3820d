/* SPDX-License-Identifier: Apache-2.0
 * search.c - real samplers, where a study names one: made, told and asked in the order in which
 * effects leave the gate, as the compute thread does, and gone with the coordinator. */
#include "sim.h"
#include <stdlib.h>

static void make(struct sim *s, size_t study, const struct asy_study_spec *spec, uint64_t budget)
{
    enum asy_goal goals[] = { ASY_MINIMIZE };
    struct asy_option options[8], pruner_options[8];
    struct asy_pruner_spec pruner = { .name = spec->pruner, .options = pruner_options,
                                      .goals = goals, .n_goals = 1,
                                      .length_max = spec->length_max,
                                      .can_pause = spec->checkpoint };
    struct asy_sampler_spec sampler = { .name = spec->sampler, .options = options, .goals = goals,
                                        .n_goals = 1, .seed = spec->seed, .pruner = &pruner,
                                        .budget = budget };
    struct asy_error err = ASY_ERROR_INIT;

    ASY_ASSERT(spec->n_sampler_options <= ASY_ARRAY_LEN(options) &&
               spec->n_pruner_options <= ASY_ARRAY_LEN(pruner_options));
    for (; sampler.n_options < spec->n_sampler_options; sampler.n_options++)
        options[sampler.n_options] =
            (struct asy_option){ spec->sampler_options[sampler.n_options].name,
                                 spec->sampler_options[sampler.n_options].value };
    for (; pruner.n_options < spec->n_pruner_options; pruner.n_options++)
        pruner_options[pruner.n_options] =
            (struct asy_option){ spec->pruner_options[pruner.n_options].name,
                                 spec->pruner_options[pruner.n_options].value };
    asy_sampler_destroy(s->studies[study].sampler);
    s->studies[study].sampler = NULL;
    if (asy_sampler_create(spec->space, &sampler, &s->studies[study].sampler, &err) < 0)
        sim_fail(s, "cannot make the sampler: %s", err.text);
}

void sim_search_told(struct sim *s, size_t study, const struct asy_effect *fx)
{
    struct asy_error err = ASY_ERROR_INIT;

    if (!s->o->studies[study].sampler)
        return;
    if (fx->type == ASY_FX_FORGET) { /* its space goes with the study */
        asy_sampler_destroy(s->studies[study].sampler);
        s->studies[study].sampler = NULL;
    } else if (fx->type == ASY_FX_SAMPLER)
        make(s, study, fx->sampler.spec, fx->sampler.budget);
    else if (fx->type == ASY_FX_TELL && s->studies[study].sampler &&
             asy_sampler_tell(s->studies[study].sampler, &fx->tell, &err) < 0)
        sim_fail(s, "the sampler does not take trial %llu: %s",
                 (unsigned long long)fx->tell.number, err.text);
}

int sim_search_ask(struct sim *s, size_t study, uint64_t number, const double *fixed,
                   struct sim_point *ret_point)
{
    struct asy_error err = ASY_ERROR_INIT;
    int rc = s->studies[study].sampler
                 ? asy_sampler_ask(s->studies[study].sampler, number, fixed, &ret_point->x, &err)
                 : asy_fail(&err, ASY_E_STATE, "there is none");

    if (rc < 0 && rc != ASY_E_FULL && rc != ASY_E_GONE)
        sim_fail(s, "the sampler has no point for trial %llu: %s", (unsigned long long)number,
                 err.text);
    if (rc == 0)
        ret_point->origin = asy_sampler_origin(s->studies[study].sampler);
    return rc;
}

void sim_search_reset(struct sim *s)
{
    for (size_t i = 0; i < SIM_STUDIES_MAX; i++) {
        asy_sampler_destroy(s->studies[i].sampler);
        s->studies[i].sampler = NULL;
    }
}
