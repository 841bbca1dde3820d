/* SPDX-License-Identifier: Apache-2.0
 * study_check.c - what spans several keys, in the order in which mistakes are looked for. */
#include "study_impl.h"
#include <string.h>

int asy__is_word(struct asy__parse *p, const char *path, const char *word)
{
    const struct asy__value *v = asy__val(p, path);

    return v->has && v->s && !strcmp(v->s, word);
}

void asy__study_check(struct asy__parse *p)
{
    size_t before = p->n_problems;
    int has_space = asy__val(p, "parameters")->node != NULL;

    asy__study_layers(p);
    asy__study_space(p);
    has_space = has_space && p->n_problems == before && !p->rc;
    if (has_space)
        asy__study_enqueue(p);
    asy__study_inputs(p);
    asy__study_goals(p);
    if (p->kind == ASY_RUN_COMMAND)
        asy__study_check_command(p, has_space);
    else if (p->kind)
        asy__study_check_model(p);
    if (p->kind && p->kind != ASY_RUN_COMMAND)
        asy__study_check_data(p);
    asy__study_check_search(p, has_space);
    if (has_space) {
        asy__study_tell(p);
        asy__study_from(p);
        asy__study_check_points(p);
        asy__study_check_priors(p);
    }
    asy__study_check_budget(p);
}
