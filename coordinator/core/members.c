/* SPDX-License-Identifier: Apache-2.0
 * members.c - studies that train a population: how many of its members train, where a trial starts
 * that goes on from another one, and how long the checkpoints for that are kept.
 *
 * A trial is one interval of one member's training. The sampler says whose it is and from which
 * trial's last checkpoint it starts (its parent); core only sees to it that no more points are
 * asked for than members are free, and that a checkpoint stays as long as somebody may start from
 * it: while its trial is the latest complete one of its member, while the sampler may be choosing,
 * and while a trial that started from it is not over (docs/decisions/0027). */
#include "core_impl.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct asy_population asy__population_for(const struct asy_study_spec *spec)
{
    struct asy_option options[32];
    size_t n = 0;

    for (; n < spec->n_sampler_options && n < ASY_ARRAY_LEN(options); n++)
        options[n] = (struct asy_option){ spec->sampler_options[n].name,
                                          spec->sampler_options[n].value };
    return asy_population_of(spec->sampler, options, n, spec->length_max);
}

uint64_t asy__members_free(const struct asy__study *s)
{
    if (s->population.size == 0)
        return UINT64_MAX;
    return s->n_busy < s->population.size ? s->population.size - s->n_busy : 0;
}

/* Trained to its end: nobody goes on from it. */
static int is_over(const struct asy__trial *t)
{
    return t->state == ASY_TRIAL_COMPLETE &&
           (t->by_itself || t->goal >= t->study->spec->length_max);
}

struct asy_origin asy__trial_origin(const struct asy__trial *t, int *ret_over)
{
    *ret_over = t->member && is_over(t);
    return (struct asy_origin){ t->member, t->parent ? t->parent->number + 1 : 0 };
}

const char *asy__origin_refuse(const struct asy__study *s, struct asy_origin origin)
{
    if (s->population.size == 0)
        return origin.member || origin.parent ? "its sampler has no population" : NULL;
    if (origin.member == 0 || origin.member > s->population.size)
        return "a member that is not of the population";
    return origin.parent > s->n_trials ? "a parent that does not exist" : NULL;
}

struct asy_checkpoint asy__trial_start(const struct asy__trial *t)
{
    struct asy_checkpoint own = asy__newest_checkpoint(t);

    return own.attempt || !t->parent ? own : asy__newest_checkpoint(t->parent);
}

/* ---- what events do -------------------------------------------------------------------------- */

int asy__member_created(struct asy__study *s, struct asy__trial *t, struct asy_origin origin)
{
    uint64_t start, left;

    if (asy__origin_refuse(s, origin) || origin.parent > t->number)
        return ASY_E_CORRUPT;
    if (s->population.size == 0)
        return 0;
    if (!s->standings && !(s->standings = calloc(s->population.size, sizeof *s->standings)))
        return ASY_E_NOMEM;
    t->member = origin.member;
    t->parent = origin.parent ? s->trials[origin.parent - 1] : NULL;
    start = asy__trial_start(t).step;
    left = s->spec->length_max > start ? s->spec->length_max - start : 1;
    t->step = start;
    t->goal = start + (s->population.interval < left ? s->population.interval : left);
    if (t->parent)
        t->parent->children++;
    s->n_busy++;
    return 0;
}

void asy__member_told(struct asy__trial *t)
{
    if (t->member == 0)
        return;
    if (!is_over(t))
        t->study->n_busy--;
    if (t->state == ASY_TRIAL_COMPLETE)
        t->study->standings[t->member - 1] = t;
}

void asy__member_ended(struct asy__trial *t)
{
    if (t->member == 0)
        return;
    if (t->parent)
        t->parent->children--;
    if (t->n_checkpoints)
        asy__list_push(&t->study->keepers, &t->keeper);
}

/* ---- checkpoints ----------------------------------------------------------------------------- */

size_t asy__member_keeps(const struct asy__trial *t, enum asy_trial_state end)
{
    return t->member && end == ASY_TRIAL_COMPLETE ? 1 : 0;
}

/* The sampler chooses among the latest complete trials of the members, as it was told of them. */
static int may_be_chosen(const struct asy__study *s, const struct asy__trial *t)
{
    if (s->state == ASY_STUDY_STOPPING)
        return 0;
    return s->asking > 0 || !t->told ||
           (s->standings[t->member - 1] == t && !is_over(t));
}

void asy__members_tidy(struct asy_core *core, struct asy__study *s, int all)
{
    struct asy__trial *t;

    asy__each(t, &s->keepers, struct asy__trial, keeper) {
        if (core->rc)
            return;
        if (!all && ((t->children > 0 && ASY_MUTANT != 8) || may_be_chosen(s, t)))
            continue;
        asy__trial_drop_checkpoints(core, t, 0);
    }
}

int asy__members_orphan(struct asy_core *core, struct asy__trial *t)
{
    if (!t->parent || asy__trial_start(t).attempt)
        return 0;
    asy__trial_end(core, t, ASY_TRIAL_FAILED, ASY_CAUSE_CHECKPOINT_GONE,
                   asy__textf(core, "trial %" PRIu64 ", from whose checkpoint it was to start, has "
                              "none", t->parent->number));
    return 1;
}
