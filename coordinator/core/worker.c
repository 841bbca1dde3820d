/* SPDX-License-Identifier: Apache-2.0
 * worker.c - workers: what they have, what is free of it, and when they count as silent or lost.
 *
 * Deadlines are checked at ticks: traffic only ever moves them later, so the time of the next tick
 * is a lower bound and need not be kept exact. */
#include "core_impl.h"
#include <stdlib.h>
#include <string.h>

static int same_worker(const void *item, const void *key)
{
    const struct asy__worker *w = item;

    return asy_id_cmp(w->id, *(const struct asy_id *)key) == 0;
}

struct asy__worker *asy__worker_get(const struct asy_core *core, struct asy_id id)
{
    return asy__hashmap_get(&core->workers, asy_id_hash(id), same_worker, &id);
}

int asy__worker_need(struct asy_core *core, struct asy_id id, struct asy__worker **ret_worker)
{
    struct asy__worker *w = asy__worker_get(core, id);

    if (!w) {
        if (!(w = calloc(1, sizeof *w)))
            return ASY_E_NOMEM;
        w->id = id;
        w->lost_ms = w->walltime_ms = ASY__NEVER;
        asy__list_init(&w->parts);
        asy__list_init(&w->offers);
        if (asy__hashmap_put(&core->workers, asy_id_hash(id), w)) {
            free(w);
            return ASY_E_NOMEM;
        }
        asy__list_push(&core->all_workers, &w->node);
        core->n_workers++;
    }
    *ret_worker = w;
    return 0;
}

void asy__worker_destroy(struct asy__worker *w)
{
    asy__offers_clear(NULL, w);
    asy__gpus_fini(w);
    free(w->groups);
    free(w->busy);
    free(w->specs);
    free(w->host);
    free(w->key_name);
    free(w->version);
    free(w->fit);
    free(w->hardware);
    free(w);
}

/* What the study keeps goes with one of its workers; another pass chooses again. */
static void drop_reserved(struct asy__study *s, const struct asy__worker *w)
{
    size_t i = 0;

    while (i < s->n_reserved && s->reserved[i] != w)
        i++;
    if (i < s->n_reserved)
        asy__unreserve(s);
}

void asy__worker_release(struct asy_core *core, struct asy__worker *w)
{
    struct asy__study *s;

    asy__worker_listed(core, w);
    if (w->present || w->session || !asy__list_empty(&w->parts))
        return;
    asy__each(s, &core->live, struct asy__study, node)
        drop_reserved(s, w);
    asy__hashmap_drop(&core->workers, asy_id_hash(w->id), w);
    asy__list_take(&w->node);
    core->n_workers--;
    asy__worker_destroy(w);
}

int asy__worker_cores(struct asy__worker *w, size_t n)
{
    uint8_t *grown;

    if (n <= w->cap)
        return 0;
    if (!(grown = realloc(w->busy, n)))
        return ASY_E_NOMEM;
    memset(grown + w->cap, 0, n - w->cap);
    w->busy = grown;
    w->cap = n;
    return 0;
}

/* ---- what is free ---------------------------------------------------------------------------- */

static int core_used(const struct asy__worker *w, uint32_t number)
{
    return w->busy[number] || (w->n_offers && asy__offers_use_core(w, number));
}

uint32_t asy__worker_free(const struct asy__worker *w)
{
    uint32_t n = 0;

    if (w->n_offers == 0)
        return w->n_cores > w->n_busy ? w->n_cores - w->n_busy : 0;
    for (uint32_t c = 0; c < w->n_cores; c++)
        n += !core_used(w, c);
    return n;
}

int asy__worker_serves(const struct asy__worker *w, const struct asy__study *s)
{
    return w->session && w->owner == s->owner;
}

int asy__worker_lasts(const struct asy_core *core, const struct asy__worker *w)
{
    return w->session && w->present && !w->draining && !w->fit &&
           asy__worker_left_ms(core, w) > 0;
}

int asy__worker_ready(const struct asy_core *core, const struct asy__worker *w)
{
    return asy__worker_lasts(core, w) && !w->suspect;
}

void asy__worker_unhold(struct asy__worker *w)
{
    w->held = 0;
    asy__gpus_unhold(w);
}

void asy__worker_listed(struct asy_core *core, struct asy__worker *w)
{
    int wanted = asy__worker_ready(core, w) && asy__worker_free(w) > 0;

    if (wanted && !w->free_node.next) {
        asy__worker_unhold(w);
        asy__list_push(&core->free_workers, &w->free_node);
    } else if (!wanted) {
        asy__list_take(&w->free_node);
    }
}

uint64_t asy__worker_memory_left(const struct asy__worker *w)
{
    uint64_t used = w->memory_used + (w->n_offers ? asy__offers_memory(w) : 0);

    return w->memory > used ? w->memory - used : 0;
}

int asy__worker_could(const struct asy__worker *w, const struct asy__study *s)
{
    return w->n_cores >= asy__need_cores(s) &&
           (w->memory == 0 || w->memory >= asy__need_memory(s)) && asy__gpus_could(w, s);
}

int asy__worker_holds(const struct asy__worker *w, const struct asy__study *s, uint32_t held)
{
    uint64_t memory = asy__need_memory(s);

    if (asy__worker_free(w) < (uint64_t)asy__need_cores(s) + held)
        return 0;
    if (w->memory != 0 && asy__worker_memory_left(w) < memory)
        return 0;
    return asy__gpus_fit(w, s) > 0;
}

/* ---- which cores ----------------------------------------------------------------------------- */

static uint32_t group_of(const struct asy__worker *w, uint32_t core)
{
    return w->groups ? w->groups[core] : 0;
}

/* Free cores of a group that are not chosen yet. */
static uint32_t free_in(const struct asy__worker *w, uint32_t group, const uint8_t *taken)
{
    uint32_t n = 0;

    for (uint32_t c = 0; c < w->n_cores; c++)
        n += group_of(w, c) == group && !core_used(w, c) && !taken[c];
    return n;
}

/* The group with the fewest free cores that still holds `need`; if none does, the one with most. */
static uint32_t best_group(const struct asy__worker *w, uint32_t need, const uint8_t *taken)
{
    uint32_t best = 0, best_free = 0;

    for (uint32_t g = 0; g < (w->n_groups ? w->n_groups : 1); g++) {
        uint32_t n = free_in(w, g, taken);
        int fits = n >= need, best_fits = best_free >= need;

        if (fits > best_fits || (fits == best_fits && (fits ? n < best_free : n > best_free))) {
            best = g;
            best_free = n;
        }
    }
    return best;
}

size_t asy__worker_cores_of(const struct asy__worker *w, uint32_t need, uint32_t group,
                            uint8_t *taken, uint32_t *ret_cores)
{
    uint32_t n = 0;

    while (n < need) {
        uint32_t from = group && free_in(w, group - 1, taken) >= need - n
                            ? group - 1 : best_group(w, need - n, taken), before = n;

        for (uint32_t c = 0; c < w->n_cores && n < need; c++)
            if (group_of(w, c) == from && !core_used(w, c) && !taken[c]) {
                taken[c] = 1;
                ret_cores[n++] = c;
            }
        ASY_ASSERT(n > before, "no free core on a worker that has %u", asy__worker_free(w));
    }
    return n;
}

void asy__worker_place(struct asy_core *core, const struct asy__worker *w,
                       const struct asy__study *s, uint32_t ranks, struct asy_placement *ret)
{
    uint32_t need = ranks * s->spec->cores;
    uint32_t *cores = asy__alloc(core, need * sizeof *cores);
    uint8_t *taken = asy__alloc(core, w->n_cores);

    *ret = (struct asy_placement){ .worker = w->id, .ranks = ranks, .host = "",
                                   .memory = ranks * s->spec->memory };
    if (!cores || !taken)
        return;
    ret->cores = cores;
    if (s->spec->gpus > 0)
        asy__gpus_place(core, w, s, taken, cores, ret);
    else
        ret->n_cores = asy__worker_cores_of(w, need, 0, taken, cores);
}

/* ---- silence --------------------------------------------------------------------------------- */

/* Its trials queue again; what must end anyway ends here, and so does what others are part of. */
static void requeue(struct asy_core *core, struct asy__trial *t, enum asy_cause cause,
                    const char *text)
{
    if (t->stop != ASY_CAUSE_NONE || t->study->state == ASY_STUDY_STOPPING ||
        t->attempt->n_parts > 1)
        asy__attempt_lost(core, t, ASY_END_LOST, cause, text);
    else
        asy__trial_queue(core, t, cause, text);
}

void asy__worker_lost(struct asy_core *core, struct asy__worker *w, enum asy_cause cause,
                      const char *text)
{
    struct asy_event ev = asy__event(core, ASY_EV_WORKER_GONE, NULL, NULL);
    struct asy__session *session = w->session;
    struct asy__part *part;

    ev.worker_gone.id = w->id;
    ev.worker_gone.cause = cause;
    ev.worker_gone.text = asy__dup(core, text);
    if (session) {
        struct asy_effect *fx = asy__effect(core, ASY_FX_CLOSE, 0);

        if (fx)
            fx->peer = session->peer;
        asy__session_close(core, session);
    }
    w->lost_ms = ASY__NEVER;
    w->reattach = 0;
    asy__offers_clear(core, w);
    asy__each(part, &w->parts, struct asy__part, on_worker)
        if (!part->attempt->orphan)
            requeue(core, part->attempt->trial, ASY_CAUSE_LOST,
                    asy__textf(core, "worker '%s': %s", asy__str(w->host), text));
    asy__emit(core, &ev); /* may free the worker */
}

static void check(struct asy_core *core, struct asy__worker *w)
{
    int64_t silent = core->now_ms - w->seen_ms;

    if (!w->session) {
        if (!w->present)
            return;
        if (core->now_ms >= w->lost_ms)
            asy__worker_lost(core, w, ASY_CAUSE_LOST,
                             w->reattach ? "did not come back after the restart"
                                         : "its connection closed");
        else
            asy__wake(core, w->lost_ms);
        return;
    }
    if (silent >= core->config.lost_after_ms) {
        asy__worker_lost(core, w, ASY_CAUSE_LOST,
                         asy__textf(core, "silent for %lld ms", (long long)silent));
        return;
    }
    if (silent >= core->config.suspect_after_ms) {
        w->suspect = 1;
        asy__wake(core, w->seen_ms + core->config.lost_after_ms);
    } else {
        asy__wake(core, w->seen_ms + core->config.suspect_after_ms);
    }
    asy__worker_listed(core, w);
}

void asy__worker_timers(struct asy_core *core)
{
    struct asy__worker *w;

    if (core->store_bad)
        return; /* what is decided now cannot be stored; store_state() goes on */
    asy__each(w, &core->all_workers, struct asy__worker, node)
        check(core, w);
}
