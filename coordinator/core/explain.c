/* SPDX-License-Identifier: Apache-2.0
 * explain.c - why a trial or a study waits, failed or was stopped.
 *
 * Nothing is kept for it while scheduling: the question is answered from the state at hand, by the
 * same predicates that the scheduler decides with. What has ended carries its cause in the
 * state. */
#include "core_impl.h"
#include <asy/parse.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct tally { /* of workers that serve the study's owner */
    uint32_t connected, could, unfit, draining, suspect, late, ready, cores_ok;
    uint32_t most_cores, most_free;
    uint64_t most_memory;
    size_t most_gpus;
    int gpus_could;                /* one has the GPUs, if perhaps not the rest */
    const struct asy__worker *unfit_one, *suspect_one, *late_one, *full_one; /* full_one: has the
                                    * cores free, but not the GPUs */
};

static void count_worker(const struct asy_core *core, const struct asy__worker *w,
                         const struct asy__study *s, struct tally *y)
{
    if (!asy__worker_serves(w, s))
        return;
    y->connected++;
    y->most_cores = w->n_cores > y->most_cores ? w->n_cores : y->most_cores;
    y->most_memory = w->memory > y->most_memory ? w->memory : y->most_memory;
    y->most_gpus = w->n_gpus > y->most_gpus ? w->n_gpus : y->most_gpus;
    y->gpus_could |= asy__gpus_could(w, s);
    if (!asy__worker_could(w, s))
        return;
    y->could++;
    if (w->fit) {
        y->unfit++;
        y->unfit_one = w;
    } else if (w->suspect) {
        y->suspect++;
        y->suspect_one = w;
    } else if (!asy__worker_ready(core, w)) {
        y->draining++;
    } else if (!asy__worker_in_time(core, w, s)) {
        y->late++;
        if (!y->late_one || w->walltime_ms > y->late_one->walltime_ms)
            y->late_one = w;
    } else {
        uint32_t n = asy__worker_free(w);

        y->ready++;
        y->most_free = n > y->most_free ? n : y->most_free;
        y->cores_ok += n >= asy__need_cores(s);
        if (n >= asy__need_cores(s) && asy__gpus_fit(w, s) == 0)
            y->full_one = w;
    }
}

/* No connected worker is able to hold it, now or later. */
static enum asy_cause never(const struct asy__study *s, const struct tally *y, char *text,
                            size_t n)
{
    char ranks[48], gpus[64];

    if (y->connected == 0) {
        snprintf(text, n, "no worker that serves the owner of study '%s' is connected", s->name);
        return ASY_CAUSE_NO_WORKER;
    }
    if (!y->gpus_could) {
        snprintf(text, n, "asks for %s; the most that one of %" PRIu32 " worker%s has is %zu%s",
                 asy__gpus_text(s, gpus, sizeof gpus), y->connected, ASY_S(y->connected),
                 y->most_gpus, s->spec->gpus < ASY_GPU_WHOLE && y->most_gpus
                                   ? ", of which no such part can be given out" : "");
        return ASY_CAUSE_NO_GPU;
    }
    if (y->most_cores >= asy__need_cores(s) && asy__need_memory(s) <= y->most_memory)
        snprintf(text, n,
                 "asks for %" PRIu32 " core%s%s%s%s and %" PRIu64 " MiB on one worker; of %" PRIu32
                 " none has %s",
                 asy__need_cores(s), ASY_S(asy__need_cores(s)), asy__ranks_text(s, ranks),
                 s->spec->gpus ? ", " : "",
                 s->spec->gpus ? asy__gpus_text(s, gpus, sizeof gpus) : "",
                 asy__need_memory(s) >> 20, y->connected, s->spec->gpus ? "all" : "both");
    else if (y->most_cores < asy__need_cores(s))
        snprintf(text, n, "asks for %" PRIu32 " core%s%s on one worker; the most that one of %"
                 PRIu32 " has is %" PRIu32, asy__need_cores(s), ASY_S(asy__need_cores(s)),
                 asy__ranks_text(s, ranks), y->connected, y->most_cores);
    else
        snprintf(text, n, "asks for %" PRIu64 " MiB on one worker; the most that one of %" PRIu32
                 " has is %" PRIu64 " MiB", asy__need_memory(s) >> 20, y->connected,
                 y->most_memory >> 20);
    return ASY_CAUSE_TOO_LARGE;
}

const struct asy__study *asy__ahead_of(const struct asy_core *core, struct asy__study *s)
{
    struct asy__study *other, *first = NULL;

    asy__each(other, &core->live, struct asy__study, node)
        if (other != s && asy__goes_before(other, s) &&
            (other->n_reserved > 0 || asy__has_ready(core, other)) &&
            (!first || asy__goes_before(other, first)))
            first = other;
    return first;
}

enum asy_cause asy__why_behind(const struct asy_core *core, const struct asy__study *s,
                               const struct asy__study *first, char *text, size_t n)
{
    int named = first->owner == s->owner || !strcmp(s->owner, core->owner);

    if (first->gathers && first->owner == s->owner && first->spec->priority == s->spec->priority) {
        snprintf(text, n, "study '%s' goes first: it needs %" PRIu32 " cores at once, for which "
                 "%zu worker%s kept", first->name, asy__need_cores(first), first->n_reserved,
                 first->n_reserved == 1 ? " is" : "s are");
        return ASY_CAUSE_PRIORITY;
    }
    snprintf(text, n, "%s%s%s goes first: priority %" PRId64 " with %" PRIu64
             " running cores, against %" PRId64 " with %" PRIu64,
             named ? "study '" : "another user's study", named ? first->name : "",
             named ? "'" : "", first->spec->priority, first->cores_used, s->spec->priority,
             s->cores_used);
    return ASY_CAUSE_PRIORITY;
}

static enum asy_cause no_room(const struct asy_core *core, struct asy__study *s,
                              const struct tally *y, char *text, size_t n)
{
    const struct asy__study *first = asy__ahead_of(core, s);
    char ranks[48], gpus[64], left[80];

    if (first)
        return asy__why_behind(core, s, first, text, n);
    if (y->cores_ok == 0) {
        snprintf(text, n, "needs %" PRIu32 " free core%s%s on one worker; the most that one of %"
                 PRIu32 " has free is %" PRIu32 "%s%s%s", asy__need_cores(s),
                 ASY_S(asy__need_cores(s)), asy__ranks_text(s, ranks), y->ready, y->most_free,
                 s->gathers ? "; worker '" : "",
                 s->gathers ? asy__str(s->reserved[0]->host) : "",
                 s->gathers ? "' is kept for it" : "");
        return ASY_CAUSE_NO_CORES;
    }
    if (y->full_one) {
        snprintf(text, n, "needs %s on one worker that has the cores for it; on '%s' %s",
                 asy__gpus_text(s, gpus, sizeof gpus), asy__str(y->full_one->host),
                 asy__gpus_left(y->full_one, s, left, sizeof left));
        return ASY_CAUSE_NO_GPU;
    }
    snprintf(text, n, "needs %" PRIu64 " MiB on one worker; those with enough free cores have less",
             asy__need_memory(s) >> 20);
    return ASY_CAUSE_NO_MEMORY;
}

/* The allocations of all that could hold it end too soon. */
static enum asy_cause too_late(const struct asy_core *core, const struct asy__study *s,
                               const struct tally *y, char *text, size_t n)
{
    char need[120];

    asy__pace_text(s, need, sizeof need);
    snprintf(text, n, "a trial needs %s; of %" PRIu32 " allocation%s the one on '%s' goes on "
             "longest, for %" PRId64 " s", need, y->late, ASY_S(y->late),
             asy__str(y->late_one->host), asy__worker_left_ms(core, y->late_one) / 1000);
    return ASY_CAUSE_WALLTIME;
}

/* Why a queued trial of this study is not leased. */
static enum asy_cause why_no_lease(const struct asy_core *core, struct asy__study *s, char *text,
                                   size_t n)
{
    struct tally y = { 0 };
    struct asy__worker *w;

    if (core->draining) {
        snprintf(text, n, "the coordinator is being drained");
        return ASY_CAUSE_DRAINING;
    }
    if (core->store_bad) {
        snprintf(text, n, "%s", core->store_text);
        return ASY_CAUSE_STORE;
    }
    if (s->spec->parallel != 0 &&
        s->counts[ASY_TRIAL_LEASED] + s->counts[ASY_TRIAL_RUNNING] >= s->spec->parallel) {
        snprintf(text, n, "%" PRIu64 " of at most %" PRIu64 " trials run",
                 s->counts[ASY_TRIAL_LEASED] + s->counts[ASY_TRIAL_RUNNING], s->spec->parallel);
        return ASY_CAUSE_PARALLEL_LIMIT;
    }
    if (core->now_ms < core->lease_from_ms) {
        snprintf(text, n, "a backup was restored: workers have %" PRId64 " ms to offer what they "
                 "run before anything is leased", core->lease_from_ms - core->now_ms);
        return ASY_CAUSE_REATTACH;
    }
    asy__each(w, &core->all_workers, struct asy__worker, node)
        count_worker(core, w, s, &y);
    if (asy__spans(core, s))
        return asy__why_span_waits(core, s, text, n);
    if (y.could == 0)
        return never(s, &y, text, n);
    if (y.ready > 0)
        return no_room(core, s, &y, text, n);
    if (y.late > 0)
        return too_late(core, s, &y, text, n);
    if (y.suspect > 0) {
        snprintf(text, n, "worker '%s' is silent for %" PRId64 " ms; it counts as lost after %"
                 PRId64 " ms", asy__str(y.suspect_one->host),
                 core->now_ms - y.suspect_one->seen_ms, core->config.lost_after_ms);
        return ASY_CAUSE_SUSPECT;
    }
    if (y.draining > 0) {
        snprintf(text, n, "all %" PRIu32 " fitting workers are draining", y.draining);
        return ASY_CAUSE_DRAINING;
    }
    snprintf(text, n, "worker '%s' is out of service: %s", asy__str(y.unfit_one->host),
             y.unfit_one->fit);
    return ASY_CAUSE_UNFIT;
}

/* The trial, or the first of the study's, that an offered attempt keeps from being leased. */
static const struct asy__trial *held_one(const struct asy_core *core, struct asy__study *s,
                                         const struct asy__trial *t)
{
    struct asy__offer *o;

    if (t || asy__list_empty(&core->offers))
        return t && asy__trial_held(core, t) ? t : NULL;
    if (asy__has_ready(core, s))
        return NULL; /* others go on */
    asy__each(o, &core->offers, struct asy__offer, all)
        if (o->worker->owner == s->owner && asy_id_cmp(o->study, s->id) == 0 &&
            (t = asy__trial_get(s, o->trial)) && t->state == ASY_TRIAL_QUEUED &&
            asy__trial_held(core, t))
            return t;
    return NULL;
}

static enum asy_cause why_held(const struct asy__trial *t, char *text, size_t n)
{
    snprintf(text, n, "worker '%s' %s attempt %" PRIu32 " of trial %" PRIu64 ", which it began "
             "before the backup was restored, at step %" PRIu64 " of %" PRIu64,
             asy__str(t->offer->worker->host), t->offer->running ? "still runs" : "has done",
             t->offer->attempt, t->number, t->offer->step, t->offer->milestone);
    return ASY_CAUSE_OFFERED;
}

static enum asy_cause why_queued(const struct asy_core *core, struct asy__study *s,
                                 const struct asy__trial *t, char *text, size_t n)
{
    const struct asy__trial *held;

    if (s->state == ASY_STUDY_PAUSED) {
        snprintf(text, n, "study '%s' is paused: %s", s->name, asy__str(s->text));
        return ASY_CAUSE_STUDY_PAUSED;
    }
    if ((held = held_one(core, s, t)))
        return why_held(held, text, n);
    if (t && t->ready_ms > core->now_ms) {
        snprintf(text, n, "%s; goes on in %" PRId64 " ms", asy__str(t->text),
                 t->ready_ms - core->now_ms);
        return ASY_CAUSE_BACKOFF;
    }
    return why_no_lease(core, s, text, n);
}

/* Of its workers the one that is away, or silent; else NULL. */
static const struct asy__worker *missing_one(const struct asy__attempt *a)
{
    for (size_t i = 0; i < a->n_parts; i++)
        if (!a->parts[i].worker->session)
            return a->parts[i].worker;
    for (size_t i = 0; i < a->n_parts; i++)
        if (a->parts[i].worker->suspect)
            return a->parts[i].worker;
    return NULL;
}

static enum asy_cause why_runs(const struct asy__attempt *a, char *text, size_t n)
{
    const struct asy__worker *w = a->parts[0].worker;

    if (a->n_parts == 1)
        snprintf(text, n, "runs on worker '%s' to step %" PRIu64, asy__str(w->host),
                 a->milestone);
    else
        snprintf(text, n, "runs on %zu workers, '%s' first, to step %" PRIu64, a->n_parts,
                 asy__str(w->host), a->milestone);
    return ASY_CAUSE_NONE;
}

static enum asy_cause why_open(const struct asy_core *core, const struct asy__trial *t, char *text,
                               size_t n)
{
    const struct asy__worker *w = missing_one(t->attempt);

    if (!w)
        return why_runs(t->attempt, text, n);
    if (!w->session) {
        int64_t left = w->lost_ms == ASY__NEVER ? 0 : w->lost_ms - core->now_ms;

        snprintf(text, n, "worker '%s' is not connected; it has %" PRId64 " ms to come back",
                 asy__str(w->host), left > 0 ? left : 0);
        return ASY_CAUSE_REATTACH;
    }
    snprintf(text, n, "worker '%s' is silent for %" PRId64 " ms; it counts as lost after %"
             PRId64 " ms", asy__str(w->host), core->now_ms - w->seen_ms,
             core->config.lost_after_ms);
    return ASY_CAUSE_SUSPECT;
}

enum asy_cause asy__why_trial(const struct asy_core *core, struct asy__study *s,
                              const struct asy__trial *t, char *text, size_t n)
{
    switch (t->state) {
    case ASY_TRIAL_QUEUED:
        return why_queued(core, s, t, text, n);
    case ASY_TRIAL_LEASED:
    case ASY_TRIAL_RUNNING:
        return why_open(core, t, text, n);
    case ASY_TRIAL_PAUSED:
        asy_pruner_explain(s->pruner, t->number, text, n);
        return ASY_CAUSE_RUNG;
    default:
        snprintf(text, n, "%s", asy__str(t->text));
        return t->cause;
    }
}

/* The one that goes on next, where all that is queued waits out a crash; else NULL. */
static const struct asy__trial *next_retry(const struct asy_core *core, const struct asy__study *s)
{
    const struct asy__trial *t, *next = NULL;

    if (s->n_fresh > 0)
        return NULL;
    asy__each(t, &s->lists[ASY__AGAIN], struct asy__trial, node) {
        if (t->ready_ms <= core->now_ms)
            return NULL;
        if (!next || t->ready_ms < next->ready_ms)
            next = t;
    }
    return next;
}

enum asy_cause asy__why_study(const struct asy_core *core, struct asy__study *s, char *text,
                              size_t n)
{
    const struct asy__trial *retry = next_retry(core, s);
    uint64_t running;

    if (s->state == ASY_STUDY_PAUSED) {
        snprintf(text, n, "%s", asy__str(s->text));
        return ASY_CAUSE_STUDY_PAUSED;
    }
    if (s->state != ASY_STUDY_RUNNING) {
        snprintf(text, n, "%s", asy__str(s->text));
        return s->cause;
    }
    if (s->counts[ASY_TRIAL_QUEUED] > 0 && !retry)
        return why_queued(core, s, NULL, text, n);
    if (s->asking > 0) {
        snprintf(text, n, "the sampler is computing trial %" PRIu64, s->n_trials);
        return ASY_CAUSE_SAMPLER;
    }
    if (asy__job_waits(s)) {
        snprintf(text, n, "job %" PRIu64 " is decided once job %" PRIu64 " has ended",
                 s->next_job, s->fed);
        return ASY_CAUSE_LAG;
    }
    if (retry && !asy__study_promotable(s, NULL))
        return why_queued(core, s, retry, text, n);
    if (retry || asy__study_can_create(core, s))
        return why_no_lease(core, s, text, n);
    running = s->counts[ASY_TRIAL_LEASED] + s->counts[ASY_TRIAL_RUNNING];
    snprintf(text, n, "%" PRIu64 " trial%s running", running, ASY_S(running));
    return ASY_CAUSE_NONE;
}

/* What a study keeps beyond its quota is nothing that it could do without: it goes on all the
 * same. */
static void say_quota(const struct asy_core *core, const struct asy__study *s, char *text, size_t n)
{
    size_t len = strlen(text);

    if (s->kept > core->config.artifact_quota)
        snprintf(text + len, n - len, "%sits models and the newest checkpoints of its trials take %"
                 PRIu64 " MiB, artifact_quota is %" PRIu64 " MiB; it keeps no others",
                 len ? "; " : "", s->kept >> 20, core->config.artifact_quota >> 20);
}

/* How far the search is from budget.regret. */
static void say_regret(const struct asy__study *s, char *text, size_t n)
{
    size_t len = strlen(text);
    char bound[32], wanted[32];

    if (s->regret_n)
        snprintf(text + len, n - len, "%sby a model of %zu trials the best point is better than "
                 "the best of them by %s at most; at %s the study ends", len ? "; " : "",
                 s->regret_n, asy_format_short(s->regret, bound),
                 asy_format_short(s->spec->regret, wanted));
}

int asy_core_explain(const struct asy_core *core, const char *key, const char *name_or_id,
                     int64_t trial, struct asy_jsonw *w, struct asy_error *err)
{
    struct asy__study *s = asy__study_find_for(core, key, name_or_id);
    const struct asy__trial *t;
    enum asy_cause cause;
    char text[400] = "";

    if (!s || s->over)
        return asy_fail(err, ASY_E_NOENT, "no unfinished study '%.64s'", asy__str(name_or_id));
    if (trial < 0) {
        cause = asy__why_study(core, s, text, sizeof text);
        say_quota(core, s, text, sizeof text);
        say_regret(s, text, sizeof text);
        asy_jsonw_str(w, "state", asy_study_state_name(s->state));
    } else {
        if (!(t = asy__trial_get(s, (uint64_t)trial)))
            return asy_fail(err, ASY_E_NOENT, "study '%s' has no trial %" PRId64, s->name, trial);
        cause = asy__why_trial(core, s, t, text, sizeof text);
        asy_jsonw_str(w, "state", asy_trial_state_name(t->state));
    }
    asy_cause_write_json(w, cause, text, s->name, trial);
    return 0;
}
