/* SPDX-License-Identifier: Apache-2.0
 * specs.c - parsed studies, by content id. A lease carries a study's text only the first time. */
#include "impl.h"
#include <asy/clock.h>
#include <stdlib.h>
#include <string.h>

static void destroy(struct asy__spec *spec)
{
    asy__list_del(&spec->node);
    asy_study_destroy(spec->study);
    free(spec->seen);
    free(spec);
}

/* Makes room by forgetting the one that was not used for longest; those in use stay. */
static void make_room(struct asy__agent *agent)
{
    struct asy__spec *oldest = NULL;
    size_t n = 0;

    ASY__EACH(struct asy__spec, spec, &agent->specs) {
        n++;
        if (!spec->refs && (!oldest || spec->used_ms < oldest->used_ms))
            oldest = spec;
    }
    if (n >= ASY__SPECS_MAX && oldest)
        destroy(oldest);
}

static int parse(struct asy_sha id, const char *text, struct asy_study_spec **ret_study,
                 struct asy_error *err)
{
    struct asy_study_spec *study = NULL;
    struct asy_buf problems;
    int rc;

    asy_buf_init(&problems, 64u << 10);
    rc = asy_study_parse(text, strlen(text), "study", NULL, &study, &problems, err);
    asy_buf_fini(&problems);
    if (rc < 0)
        return rc;
    if (memcmp(study->id.b, id.b, sizeof id.b)) {
        asy_study_destroy(study);
        return asy_fail(err, ASY_E_CORRUPT, "the study's text does not have the id of its lease");
    }
    *ret_study = study;
    return 0;
}

int asy__spec_get(struct asy__agent *agent, struct asy_sha id, const char *text,
                  struct asy__spec **ret_spec, struct asy_error *err)
{
    struct asy_study_spec *study = NULL;
    struct asy__spec *spec;
    int rc;

    ASY__EACH(struct asy__spec, known, &agent->specs) {
        if (memcmp(known->study->id.b, id.b, sizeof id.b))
            continue;
        known->refs++;
        known->used_ms = asy_clock_ms();
        *ret_spec = known;
        return 0;
    }
    if (!text)
        return asy_fail(err, ASY_E_NOENT, "the study of the lease is not known here");
    if ((rc = parse(id, text, &study, err)) < 0)
        return rc;
    if (!(spec = calloc(1, sizeof *spec))) {
        asy_study_destroy(study);
        return asy_fail(err, ASY_E_NOMEM, "no memory for a study");
    }
    make_room(agent);
    spec->study = study;
    spec->refs = 1;
    spec->used_ms = asy_clock_ms();
    asy__list_add(&agent->specs, &spec->node);
    *ret_spec = spec;
    return 0;
}

void asy__spec_unref(struct asy__spec *spec)
{
    if (!spec)
        return;
    spec->refs--;
    if (!spec->node.next && !spec->refs)
        destroy(spec);
}
