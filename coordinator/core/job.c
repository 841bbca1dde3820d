/* SPDX-License-Identifier: Apache-2.0
 * job.c - deterministic studies: job k is decided from the outcomes of jobs up to k - lag alone, in
 * job order, so nothing depends on which worker was faster.
 *
 * A job gets its number when it is decided (a new point, a promotion). Outcomes wait in a ring
 * until the next decision may know them; then pruner and sampler hear of them. If at some turn
 * nothing can be decided (no promotion, no points left) though jobs are still out, the turn passes:
 * it counts as a job without an outcome, which lets the next one know one outcome more. All of this
 * follows from events alone, so it needs none of its own. */
#include "core_impl.h"
#include <stdlib.h>

static struct asy__job *slot(const struct asy__study *s, uint64_t job)
{
    return &s->ring[job % s->lag];
}

static int ring_ready(struct asy__study *s)
{
    return s->ring || (s->ring = calloc(s->lag, sizeof *s->ring)) ? 0 : ASY_E_NOMEM;
}

int asy__job_open(struct asy__study *s, struct asy__trial *t)
{
    t->job = s->next_job++;
    if (s->lag == 0)
        return 0;
    if (ring_ready(s))
        return ASY_E_NOMEM;
    t->job_open = 1;
    s->jobs_unfed++;
    *slot(s, t->job) = (struct asy__job){ t->number, 0 };
    return 0;
}

void asy__job_done(struct asy__study *s, struct asy__trial *t)
{
    if (s->lag == 0 || !t->job_open)
        return;
    t->job_open = 0;
    slot(s, t->job)->done = 1;
}

int asy__job_tells(const struct asy__study *s, const struct asy__trial *t)
{
    return t->job >= s->fed;
}

/* The values of one job go to the pruner, of each step when all that it compares has come, or the
 * last that came; its trial's pause or end goes to the sampler, an end to both. */
static void feed(struct asy_core *core, struct asy__study *s, struct asy__trial *t)
{
    double values[ASY_STUDY_OBJECTIVES_MAX];
    size_t w = 1 + asy__n_values(s), compared = asy_pruner_compares(s->pruner);

    for (size_t i = 0; i < t->n_hist; i++) {
        const double *row = t->hist + w * i;
        int last = i + 1 == t->n_hist || row[w] != row[0];

        if (row[0] <= t->fed_step)
            continue;
        if (asy__trial_has(t, i, last ? 1 : compared)) {
            t->fed_step = row[0];
            asy__trial_at(t, i, values);
            asy_pruner_report(s->pruner, t->number, (uint64_t)row[0], values);
        } else if (last) {
            t->fed_step = row[0];
        }
    }
    s->promo_stale = 1;
    if (!asy_trial_state_ended(t->state)) {
        asy__tell_pause(core, s, t);
        return;
    }
    asy__tell_end(core, s, t);
    if (t->state == ASY_TRIAL_COMPLETE)
        asy__count_result(s, t);
}

int asy__job_waits(const struct asy__study *s)
{
    return s->lag > 0 && s->fed < s->next_job && s->next_job - s->fed >= s->lag;
}

void asy__job_settle(struct asy_core *core, struct asy__study *s)
{
    for (;;) {
        while (asy__job_waits(s) && slot(s, s->fed)->done) {
            uint64_t number = slot(s, s->fed++)->trial;

            if (number == ASY__NO_TRIAL)
                continue;
            s->jobs_unfed--;
            feed(core, s, s->trials[number]);
        }
        if (s->jobs_unfed == 0) /* passed turns alone tell nothing */
            s->fed = s->next_job;
        if (asy__job_waits(s) || s->fed == s->next_job ||
            asy__study_can_create(core, s) || asy__study_promotable(s, NULL))
            return;
        *slot(s, s->next_job++) = (struct asy__job){ ASY__NO_TRIAL, 1 };
    }
}
