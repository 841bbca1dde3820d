/* SPDX-License-Identifier: Apache-2.0
 * reserve.c - room that gathers for the first study that finds none, and who may use it meanwhile.
 *
 * That study keeps one worker (if all that it lacks is GPUs: those, and the cores that go with
 * them); a gang that no single worker could hold, as many as it needs (span.c). If it is large, for
 * others need less of anything, it goes first among those of its priority until it has its lease:
 * much room at once comes to nobody who takes turns with those that use it as it comes.
 *
 * Kept room need not lie idle. Others still begin on a kept worker
 *   beside: what fits there together with the trial that waits;
 *   before: what will have ended, at its study's pace, before that trial could begin.
 * Both are held against what ran there when the worker was kept, never against what came later. So
 * a trial waits for the ends of those at most, and for one that took longer than its like. */
#include "core_impl.h"
#include <stdlib.h>

#define SLACK 8 /* "at the same time" is so manieth part of its length */

/* ---- who may use it -------------------------------------------------------------------------- */

struct share {
    uint64_t cores, memory;
};

static void add(struct share *sum, uint64_t cores, uint64_t memory)
{
    sum->cores += cores;
    if (__builtin_add_overflow(sum->memory, memory, &sum->memory))
        sum->memory = UINT64_MAX;
}

/* memory 0 of a worker: it is not known, and no matter. */
static int fits_free(const struct share *sum, const struct asy__worker *w)
{
    return sum->cores <= asy__worker_free(w) &&
           (w->memory == 0 || sum->memory <= asy__worker_memory_left(w));
}

static int fits_whole(const struct share *sum, const struct asy__worker *w)
{
    return sum->cores <= w->n_cores && (w->memory == 0 || sum->memory <= w->memory);
}

/* What the study would take of a worker that is kept for it: of one of several, its share. */
static struct share share_of(const struct asy__worker *w, const struct asy__study *kept)
{
    uint64_t ranks = asy__ranks_could(w, kept);

    return (struct share){ ranks * kept->spec->cores, ranks * kept->spec->memory };
}

/* All that it lacks is GPUs: what is more than it will need is of no use to it. */
static int is_spare(const struct asy__worker *w, const struct asy__study *s,
                    const struct asy__study *kept)
{
    struct share both = share_of(w, kept);

    add(&both, (uint64_t)w->held + asy__need_cores(s), asy__need_memory(s));
    return s->spec->gpus == 0 && fits_free(&both, w);
}

static int fits_beside(const struct asy__worker *w, const struct asy__study *s,
                       const struct asy__study *kept)
{
    struct share all = share_of(w, kept);
    const struct asy__part *part;

    if (s->spec->gpus > 0 && kept->spec->gpus > 0)
        return 0;
    add(&all, (uint64_t)w->held + asy__need_cores(s), asy__need_memory(s));
    asy__each(part, &w->parts, struct asy__part, on_worker)
        if (part->beside && ASY_MUTANT != 7)
            add(&all, part->n_cores, part->memory);
    return fits_whole(&all, w);
}

/* Whether an attempt that began will run for as long as one of the study that begins now. What
 * nobody knows does not. */
static int outlasts(const struct asy_core *core, const struct asy__attempt *a,
                    const struct asy__study *s)
{
    int64_t length_ms = asy__pace_length_ms(s, s->spec->length_max);
    int64_t by_ms = core->now_ms + length_ms - length_ms / SLACK, own_ms;
    uint64_t steps = a->milestone;

    if (!a->leased_ms)
        return 0;
    if (a->trial->study == s)
        return a->leased_ms + length_ms >= by_ms;
    if (steps != UINT64_MAX)
        steps = steps > a->begun_step ? steps - a->begun_step : 0;
    own_ms = asy__pace_length_ms(a->trial->study, steps);
    return length_ms && own_ms && a->leased_ms + own_ms >= by_ms;
}

static int ends_before(const struct asy_core *core, const struct asy__worker *w,
                       const struct asy__study *s, const struct asy__study *kept)
{
    struct share then = share_of(w, kept);
    const struct asy__part *part;

    asy__each(part, &w->parts, struct asy__part, on_worker)
        if (!part->beside && outlasts(core, part->attempt, s))
            add(&then, part->n_cores, part->memory);
    return !fits_whole(&then, w);
}

int asy__spares(const struct asy_core *core, const struct asy__worker *w,
                const struct asy__study *s)
{
    const struct asy__study *kept = w->kept_for;
    struct share need;

    if (!kept || kept == s)
        return 1;
    need = share_of(w, kept);
    if (asy__gpus_ranks_free(w, kept, 0) < asy__ranks_could(w, kept) && fits_free(&need, w))
        return is_spare(w, s, kept);
    return fits_beside(w, s, kept) || ends_before(core, w, s, kept);
}

void asy__reserve_note(const struct asy_core *core, struct asy__attempt *a)
{
    a->leased_ms = core->now_ms;
    a->begun_step = asy__newest_checkpoint(a->trial).step;
    for (size_t i = 0; i < a->n_parts; i++) {
        const struct asy__study *kept = a->parts[i].worker->kept_for;

        a->parts[i].beside = kept && kept != a->trial->study;
    }
}

/* ---- whose it is ----------------------------------------------------------------------------- */

static int may_reserve(const struct asy_core *core, const struct asy__worker *w,
                       const struct asy__study *s)
{
    return asy__worker_serves(w, s) && asy__worker_ready(core, w) && asy__worker_could(w, s) &&
           asy__worker_in_time(core, w, s);
}

static int reserve_one(struct asy_core *core, struct asy__study *s)
{
    struct asy__worker *w, *best = NULL;

    if (s->n_reserved == 1 && may_reserve(core, s->reserved[0], s))
        return 1;
    s->n_reserved = 0;
    asy__each(w, &core->all_workers, struct asy__worker, node)
        if (may_reserve(core, w, s) &&
            (!best || asy__worker_free(w) > asy__worker_free(best)))
            best = w;
    if (!best)
        return 0;
    if (!s->reserved && !(s->reserved = malloc(sizeof *s->reserved))) {
        core->rc = ASY_E_NOMEM;
        return 0;
    }
    s->reserved[s->n_reserved++] = best;
    return 1;
}

static uint64_t need_gpus(const struct asy__study *s)
{
    return (uint64_t)s->spec->gpus * asy__need_ranks(s);
}

void asy__reserve_begin(struct asy_core *core)
{
    const struct asy__study *s;

    core->least.cores = core->least.memory = core->least.gpus = UINT64_MAX;
    asy__each(s, &core->live, struct asy__study, node) {
        uint64_t cores = asy__need_cores(s), memory = asy__need_memory(s), gpus = need_gpus(s);

        core->least.cores = cores < core->least.cores ? cores : core->least.cores;
        core->least.memory = memory < core->least.memory ? memory : core->least.memory;
        core->least.gpus = gpus < core->least.gpus ? gpus : core->least.gpus;
    }
}

int asy__is_large(const struct asy_core *core, const struct asy__study *s)
{
    return asy__need_cores(s) > core->least.cores || asy__need_memory(s) > core->least.memory ||
           need_gpus(s) > core->least.gpus;
}

int asy__reserve(struct asy_core *core, struct asy__study *s)
{
    int spans = asy__spans(core, s);

    if (!(spans ? asy__span_reserve(core, s) : reserve_one(core, s))) {
        s->gathers = 0;
        return 0;
    }
    /* where there is room it is held for a point that is being computed: no more than a turn */
    s->gathers = spans || (asy__is_large(core, s) && (s->gathers || asy__room(core, s, 1) == 0));
    for (size_t i = 0; i < s->n_reserved; i++)
        s->reserved[i]->kept_for = s;
    return 1;
}

void asy__unreserve(struct asy__study *s)
{
    for (size_t i = 0; i < s->n_reserved; i++)
        s->reserved[i]->kept_for = NULL;
    s->n_reserved = 0;
    s->gathers = 0;
}
