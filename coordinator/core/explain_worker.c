/* SPDX-License-Identifier: Apache-2.0
 * explain_worker.c - why a worker gets nothing, or no more than it has: what holds for the worker
 * itself comes first (away, out of service, silent, draining, full); else each unfinished study
 * says why none of its trials goes there, and the study that would go first speaks for all. */
#include "core_impl.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PREFIX_MIN 6

/* ---- the worker itself ----------------------------------------------------------------------- */

static enum asy_cause away(const struct asy_core *core, const struct asy__worker *w, char *text,
                           size_t n)
{
    int64_t left = w->lost_ms == ASY__NEVER ? 0 : w->lost_ms - core->now_ms;

    if (!w->present) {
        snprintf(text, n, "it is gone; its attempts are kept until their trials are leased anew");
        return ASY_CAUSE_LOST;
    }
    snprintf(text, n, "%s; it has %" PRId64 " ms to come back",
             w->reattach ? "it has not come back since the coordinator started"
                         : "its connection closed", left > 0 ? left : 0);
    return ASY_CAUSE_REATTACH;
}

/* NONE: it takes leases. */
static enum asy_cause of_itself(const struct asy_core *core, const struct asy__worker *w,
                                char *text, size_t n)
{
    if (!w->session)
        return away(core, w, text, n);
    if (w->fit) {
        snprintf(text, n, "out of service: %s", w->fit);
        return ASY_CAUSE_UNFIT;
    }
    if (w->suspect) {
        snprintf(text, n, "silent for %" PRId64 " ms; it counts as lost after %" PRId64 " ms",
                 core->now_ms - w->seen_ms, core->config.lost_after_ms);
        return ASY_CAUSE_SUSPECT;
    }
    if (core->draining || w->draining) {
        snprintf(text, n, "%s is being drained", core->draining ? "the coordinator" : "it");
        return ASY_CAUSE_DRAINING;
    }
    if (!asy__worker_ready(core, w)) {
        snprintf(text, n, "the time of its allocation is used up");
        return ASY_CAUSE_DRAINING;
    }
    if (core->store_bad) {
        snprintf(text, n, "%s", core->store_text);
        return ASY_CAUSE_STORE;
    }
    return ASY_CAUSE_NONE;
}

/* ---- a study, seen from it ------------------------------------------------------------------- */

static enum asy_cause too_small(const struct asy__worker *w, const struct asy__study *s, char *text,
                                size_t n)
{
    char ranks[48], gpus[64];

    if (w->n_cores < asy__need_cores(s))
        snprintf(text, n, "study '%s' asks for %" PRIu32 " core%s%s; it has %" PRIu32, s->name,
                 asy__need_cores(s), ASY_S(asy__need_cores(s)), asy__ranks_text(s, ranks),
                 w->n_cores);
    else if (w->memory != 0 && w->memory < asy__need_memory(s))
        snprintf(text, n, "study '%s' asks for %" PRIu64 " MiB; it has %" PRIu64 " MiB", s->name,
                 asy__need_memory(s) >> 20, w->memory >> 20);
    else
        snprintf(text, n, "study '%s' asks for %s; it has %zu%s", s->name,
                 asy__gpus_text(s, gpus, sizeof gpus), w->n_gpus,
                 s->spec->gpus < ASY_GPU_WHOLE && w->n_gpus
                     ? ", of which no such part can be given out" : "");
    return ASY_CAUSE_TOO_LARGE;
}

static enum asy_cause too_full(const struct asy__worker *w, const struct asy__study *s, char *text,
                               size_t n)
{
    char ranks[48], gpus[64], left[80];

    if (asy__worker_free(w) < asy__need_cores(s)) {
        snprintf(text, n,
                 "study '%s' needs %" PRIu32 " free core%s%s, it has %" PRIu32 " of %" PRIu32,
                 s->name, asy__need_cores(s), ASY_S(asy__need_cores(s)), asy__ranks_text(s, ranks),
                 asy__worker_free(w), w->n_cores);
        return ASY_CAUSE_NO_CORES;
    }
    if (asy__gpus_fit(w, s) == 0) {
        snprintf(text, n, "study '%s' needs %s; %s", s->name, asy__gpus_text(s, gpus, sizeof gpus),
                 asy__gpus_left(w, s, left, sizeof left));
        return ASY_CAUSE_NO_GPU;
    }
    snprintf(text, n, "study '%s' needs %" PRIu64 " MiB; %" PRIu64 " of %" PRIu64 " MiB are given "
             "out", s->name, asy__need_memory(s) >> 20, w->memory_used >> 20, w->memory >> 20);
    return ASY_CAUSE_NO_MEMORY;
}

static enum asy_cause too_late(const struct asy_core *core, const struct asy__worker *w,
                               const struct asy__study *s, char *text, size_t n)
{
    char need[120];

    asy__pace_text(s, need, sizeof need);
    snprintf(text, n, "a trial of study '%s' needs %s; its allocation goes on for %" PRId64 " s",
             s->name, need, asy__worker_left_ms(core, w) / 1000);
    return ASY_CAUSE_WALLTIME;
}

/* What keeps the study from leasing anything, wherever there is room. */
static int is_of_study(enum asy_cause cause)
{
    return cause == ASY_CAUSE_STUDY_PAUSED || cause == ASY_CAUSE_PARALLEL_LIMIT ||
           cause == ASY_CAUSE_SAMPLER || cause == ASY_CAUSE_LAG || cause == ASY_CAUSE_BACKOFF;
}

/* It could hold some of the ranks; whether it gets them depends on the others. */
static enum asy_cause of_gang(const struct asy_core *core, const struct asy__worker *w,
                              struct asy__study *s, char *text, size_t n)
{
    int waits = s->state == ASY_STUDY_RUNNING && asy__has_ready(core, s);
    char gpus[48], left[80];
    enum asy_cause cause;

    if (waits && asy__ranks_free(w, s, 0) == 0 && asy__ranks_beside_gpus(w, s, 0) > 0) {
        snprintf(text, n, "study '%s' needs %s for one of its %" PRIu32 " ranks; %s", s->name,
                 asy__gpus_each(s, gpus, sizeof gpus) + 2, s->spec->ranks,
                 asy__gpus_left(w, s, left, sizeof left));
        return ASY_CAUSE_NO_GPU;
    }
    if (waits && asy__ranks_free(w, s, 0) == 0) {
        snprintf(text, n, "study '%s' needs %" PRIu32 " free core%s for one of its %" PRIu32
                 " ranks, it has %" PRIu32 " of %" PRIu32, s->name, s->spec->cores,
                 ASY_S(s->spec->cores), s->spec->ranks, asy__worker_free(w), w->n_cores);
        return asy__worker_free(w) < s->spec->cores ? ASY_CAUSE_NO_CORES : ASY_CAUSE_NO_MEMORY;
    }
    cause = asy__why_study(core, s, text, n);
    if (waits || cause == ASY_CAUSE_TOO_LARGE || is_of_study(cause))
        return cause;
    snprintf(text, n, "no trial of study '%s' waits", s->name);
    return ASY_CAUSE_NO_WORK;
}

static enum asy_cause of_study(const struct asy_core *core, const struct asy__worker *w,
                               struct asy__study *s, char *text, size_t n)
{
    enum asy_cause cause;

    if (!asy__worker_serves(w, s)) {
        snprintf(text, n, "study '%s' belongs to another user", s->name);
        return ASY_CAUSE_OTHER_OWNER;
    }
    if (asy__spans(core, s) && asy__ranks_could(w, s) > 0)
        return asy__worker_in_time(core, w, s) ? of_gang(core, w, s, text, n)
                                               : too_late(core, w, s, text, n);
    if (!asy__worker_could(w, s))
        return too_small(w, s, text, n);
    if (s->state == ASY_STUDY_RUNNING && !asy__worker_holds(w, s, 0) && asy__has_ready(core, s))
        return too_full(w, s, text, n);
    if (s->state == ASY_STUDY_RUNNING && !asy__worker_in_time(core, w, s))
        return too_late(core, w, s, text, n);
    cause = asy__why_study(core, s, text, n);
    if (is_of_study(cause))
        return cause;
    snprintf(text, n, "no trial of study '%s' waits", s->name);
    return ASY_CAUSE_NO_WORK;
}

/* The study that says most: a served one before others', then the one that goes first. */
static struct asy__study *spokesman(const struct asy_core *core, const char *key,
                                    const struct asy__worker *w)
{
    struct asy__study *s, *best = NULL;

    asy__each(s, &core->live, struct asy__study, node) {
        int serves = asy__worker_serves(w, s), best_serves = best && asy__worker_serves(w, best);

        if (!asy__study_seen(s, key))
            continue;
        if (!best || serves > best_serves ||
            (serves == best_serves && asy__goes_before(s, best)))
            best = s;
    }
    return best;
}

static enum asy_cause why_worker(const struct asy_core *core, const char *key,
                                 const struct asy__worker *w, char *text, size_t n)
{
    enum asy_cause cause = of_itself(core, w, text, n);
    struct asy__study *s;

    if (cause != ASY_CAUSE_NONE)
        return cause;
    if (asy__worker_free(w) == 0) {
        snprintf(text, n, "none of its %" PRIu32 " core%s is free", w->n_cores, ASY_S(w->n_cores));
        return ASY_CAUSE_NONE;
    }
    if ((s = spokesman(core, key, w)))
        return of_study(core, w, s, text, n);
    snprintf(text, n, "no study %sis unfinished", key ? "of yours " : "");
    return ASY_CAUSE_NO_WORK;
}

/* ---- the answer ------------------------------------------------------------------------------ */

/* By host name, by the name of its invitation, or by an id or the first digits of one; of several
 * the one that is connected: others are what a host ran before. NULL: none or several (*ret_n). */
static const struct asy__worker *find(const struct asy_core *core, const char *word, size_t *ret_n)
{
    const struct asy__worker *w, *found = NULL;
    size_t len = strlen(word), n_connected = 0;

    *ret_n = 0;
    asy__each(w, &core->all_workers, struct asy__worker, node) {
        char id[ASY_ID_TEXT];

        if (strcmp(asy__str(w->host), word) != 0 && strcmp(asy__str(w->key_name), word) != 0 &&
            (len < PREFIX_MIN || strncmp(asy_id_format(w->id, id), word, len) != 0))
            continue;
        ++*ret_n;
        n_connected += w->session != NULL;
        if (!found || w->session)
            found = w;
    }
    return *ret_n == 1 || n_connected == 1 ? found : NULL;
}

int asy_core_explain_worker(const struct asy_core *core, const char *key, const char *id_or_host,
                            struct asy_jsonw *w, struct asy_error *err)
{
    size_t n;
    const struct asy__worker *k = find(core, asy__str(id_or_host), &n);
    enum asy_cause cause;
    struct asy__study *s;
    char text[400] = "";

    if (!k && n == 0)
        return asy_fail(err, ASY_E_NOENT, "no worker '%.64s' is known; 'assay workers' lists them",
                        asy__str(id_or_host));
    if (!k)
        return asy_fail(err, ASY_E_INVAL, "%zu workers are called '%.64s': give the id of one", n,
                        asy__str(id_or_host));
    cause = why_worker(core, key, k, text, sizeof text);
    asy__worker_members(core, key, k, core->now_ms, w);
    asy_cause_write_json(w, cause, text, NULL, -1);
    asy_jsonw_open(w, "studies", '[');
    asy__each(s, &core->live, struct asy__study, node) {
        if (!asy__study_seen(s, key))
            continue;
        cause = of_study(core, k, s, text, sizeof text);
        asy_jsonw_open(w, NULL, '{');
        asy_jsonw_str(w, "study", s->name);
        asy_cause_write_json(w, cause, text, s->name, -1);
        asy_jsonw_close(w, '}');
    }
    asy_jsonw_close(w, ']');
    return 0;
}
