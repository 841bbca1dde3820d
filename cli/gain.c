/* SPDX-License-Identifier: Apache-2.0
 * gain.c - see gain.h. */
#include "gain.h"
#include <stdlib.h>
#include <string.h>
#include <asy/event.h>

#define TRIALS_MAX (INT64_C(1) << 32) /* the store's own limit */

static int ends_trial(const struct asy_json *event)
{
    const char *name = asy_json_str(asy_json_get(event, "state"), "");

    for (int i = ASY_TRIAL_QUEUED; i <= ASY_TRIAL_CANCELLED; i++)
        if (!strcmp(name, asy_trial_state_name((enum asy_trial_state)i)))
            return asy_trial_state_ended((enum asy_trial_state)i);
    return 0;
}

static uint64_t step_of(const struct asy_json *event, const char *checkpoint)
{
    return (uint64_t)asy_json_i64(asy_json_get(asy_json_get(event, checkpoint), "step"), 0);
}

static int note_from(struct asy__gain *gain, size_t trial, uint64_t step, struct asy_error *err)
{
    size_t n = gain->n ? gain->n : 64;
    uint64_t *grown;

    while (n <= trial)
        n *= 2;
    if (n > gain->n) {
        if (!(grown = reallocarray(gain->from, n, sizeof *grown)))
            return asy_fail(err, ASY_E_NOMEM, "no memory for %zu trials", n);
        memset(grown + gain->n, 0, (n - gain->n) * sizeof *grown);
        gain->from = grown;
        gain->n = n;
    }
    gain->from[trial] = step;
    return 0;
}

int asy__gain_event(struct asy__gain *gain, const struct asy_json *event, struct asy_error *err)
{
    const char *kind = asy_json_str(asy_json_get(event, "kind"), "");
    const struct asy_json *trial = asy_json_get(event, "trial");
    int64_t at = asy_json_i64(trial, -1);

    if (!trial || gain->any)
        return 0;
    if (at < 0 || at >= TRIALS_MAX)
        return asy_fail(err, ASY_E_FORMAT, "an event is about no trial");
    if (!strcmp(kind, "leased"))
        return note_from(gain, (size_t)at, step_of(event, "from"), err);
    if (!strcmp(kind, "checkpoint"))
        gain->any = step_of(event, "checkpoint") >
                    ((size_t)at < gain->n ? gain->from[at] : 0);
    else if (!strcmp(kind, "trial-state"))
        gain->any = ends_trial(event);
    return 0;
}

void asy__gain_fini(struct asy__gain *gain)
{
    free(gain->from);
    *gain = (struct asy__gain){ .any = 0 };
}
