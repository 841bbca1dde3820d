/* SPDX-License-Identifier: Apache-2.0
 * replay.c - what the store has of studies with real samplers, once more: `assay replay`. */
#include "sim.h"
#include "replay.h"
#include <inttypes.h>

static void replay_study(struct sim *s, size_t study, struct asy__replay *replay)
{
    const struct asy__replay_result *result = asy__replay_result(replay);
    struct asy_error err = ASY_ERROR_INIT;
    size_t made = 0;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < s->n_durable; i++) {
        struct asy_event event = s->events[i];

        event.seq = i + 1;
        if (asy_id_cmp(event.study, s->studies[study].id) != 0)
            continue;
        made += event.kind == ASY_EV_TRIAL_CREATED;
        rc = asy__replay_event(replay, &event, &err);
    }
    if (rc == 0)
        rc = asy__replay_end(replay, &err);
    if (rc)
        sim_fail(s, "study %zu does not follow from its log: %s", study,
                 rc > 0 ? result->text : err.text);
    else if (result->unproven || result->suggested != made)
        sim_fail(s, "of %zu points of study %zu %" PRIu64 " are proven, %" PRIu64 " are not", made,
                 study, result->suggested, result->unproven);
}

void sim_replay(struct sim *s)
{
    struct asy__replay *replay = NULL;
    struct asy_error err = ASY_ERROR_INIT;

    for (size_t i = 0; i < s->o->n_studies && !s->result->failed; i++) {
        if (!s->o->studies[i].sampler)
            continue;
        if (asy__replay_create(&replay, &err) < 0) {
            sim_fail(s, "cannot replay: %s", err.text);
            return;
        }
        replay_study(s, i, replay);
        asy__replay_destroy(replay);
    }
}
