/* SPDX-License-Identifier: Apache-2.0
 * query_auto.c - what the sampler "auto" of a study is, and why.
 *
 * It follows from the study file alone, so a sampler is made of that and asked; nothing is stored
 * that could grow untrue when a study goes on with a larger budget. Who made each point is stored
 * with its trial. */
#include <string.h>
#include "query_impl.h"
#include "search.h"

/* Results from elsewhere change nothing of the choice, and telling them takes time. */
static void put_reason(struct asy_jsonw *w, const struct asy_study_spec *spec)
{
    struct asy_study_spec bare = *spec;
    struct asy_sampler *sampler = NULL;

    bare.n_told = bare.n_earlier = 0;
    if (asy__search_sampler(&bare, spec->max_trials == UINT64_MAX ? 0 : spec->max_trials, &sampler,
                            NULL) == 0)
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
