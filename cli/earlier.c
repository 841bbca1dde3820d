/* SPDX-License-Identifier: Apache-2.0
 * earlier.c - `search.from`: asks the coordinator what the earlier studies found, and puts that
 * into the study before it is submitted. */
#include "cli.h"
#include <stdlib.h>
#include <string.h>

static int ask_study(struct asy__session *session, const char *name, struct asy_buf *json,
                     struct asy_json **ret_study, struct asy_json **ret_trials,
                     struct asy_error *err)
{
    int rc;

    if ((rc = asy__query(session, "study", name, -1, -1, -1, NULL, json, ret_study, err)) < 0 ||
        (rc = asy__query(session, "trials", name, -1, -1, -1, NULL, json, ret_trials, err)) < 0)
        asy_error_prefix(err, "search.from");
    return rc;
}

int asy__earlier_take(struct asy__session *session, struct asy_study_spec **spec,
                      struct asy_buf *ret_notes, struct asy_error *err)
{
    size_t n = (*spec)->n_from;
    struct asy_json **trees = NULL; /* [2 n] */
    struct asy_study_source *sources = NULL;
    struct asy_study_spec *with = NULL;
    struct asy_buf json = { 0 };
    int rc = 0;

    if (!(*spec)->unread)
        return 0;
    asy_buf_init(&json, 1u << 30);
    trees = calloc(2 * n, sizeof(*trees));
    sources = calloc(n, sizeof *sources);
    if (!trees || !sources)
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for %zu earlier studies", n);
    for (size_t i = 0; i < n && rc == 0; i++) {
        rc = ask_study(session, (*spec)->from[i], &json, &trees[2 * i], &trees[2 * i + 1], err);
        sources[i] = (struct asy_study_source){ (*spec)->from[i],
                                                asy_json_get(trees[2 * i], "spec"),
                                                trees[2 * i + 1] };
    }
    if (rc == 0 && (rc = asy_study_with_earlier(*spec, sources, ret_notes, &with, err)) == 0) {
        asy_study_destroy(*spec);
        *spec = with;
    }
    for (size_t i = 0; trees && i < 2 * n; i++)
        asy_json_destroy(trees[i]);
    free(trees);
    free(sources);
    asy_buf_fini(&json);
    return rc;
}
