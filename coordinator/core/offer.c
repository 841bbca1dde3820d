/* SPDX-License-Identifier: Apache-2.0
 * offer.c - attempts of another store, which agents offer after a backup was restored.
 *
 * An offer is soft: the agent makes it again with each HELLO, so a restart loses nothing. While it
 * is undecided its attempt runs on and its trial, where the attempt fits it, is not leased to
 * anybody else. Adopting is leasing: the trial's next attempt is opened where the offered one runs,
 * as events like any other, and LEASE tells the agent which of its attempts goes on under it. All
 * rules of attempts then hold, so that no trial gets two results.
 *
 * An attempt fits if the trial here is the same point with the same seed, waits for the same
 * milestone, and its history has no hole: it began from nothing or from a checkpoint that this
 * store knows, and its agent still has all of its reports. That says nothing of ids: a trial that
 * was created after the backup fits once the sampler has made the same point of it again. */
#include "core_impl.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OFFERS_MAX 4096 /* of one worker */
#define POINT_MAX (1u << 20)

/* ---- keeping them ---------------------------------------------------------------------------- */

struct asy__trial *asy__offer_trial(const struct asy_core *core, const struct asy__offer *o)
{
    struct asy__study *s = asy__study_get(core, o->study);

    return s && !s->over && s->owner == o->worker->owner ? asy__trial_get(s, o->trial) : NULL;
}

static void offer_free(struct asy__offer *o)
{
    asy__gpu_parts_free(o->gpus, o->n_gpus);
    free(o->cores);
    free(o);
}

static struct asy__offer *offer_new(const struct asy_holding *h)
{
    const struct asy_placement *p = &h->offer->placement;
    struct asy__offer *o = calloc(1, sizeof *o);

    if (!o)
        return NULL;
    *o = (struct asy__offer){ .study = h->study, .trial = h->trial, .attempt = h->attempt,
                              .epoch = h->epoch, .running = h->running, .store = h->offer->store,
                              .first = h->offer->first, .milestone = h->offer->milestone,
                              .step = h->offer->step, .seed = h->offer->seed,
                              .params = h->offer->params, .from = h->offer->from,
                              .ranks = p->ranks, .memory = p->memory };
    o->from.path = NULL;
    if (!(o->cores = calloc(p->n_cores + 1, sizeof *o->cores)) ||
        asy__gpu_parts_copy(p, &o->gpus)) {
        offer_free(o);
        return NULL;
    }
    o->n_gpus = p->n_gpus;
    for (; o->n_cores < p->n_cores; o->n_cores++)
        o->cores[o->n_cores] = p->cores[o->n_cores];
    return o;
}

/* The newest attempt that is offered of a trial speaks for it. */
void asy__offers_bind(struct asy_core *core, struct asy__trial *t)
{
    struct asy__offer *o;

    t->offer = NULL;
    asy__each(o, &core->offers, struct asy__offer, all)
        if (asy__offer_trial(core, o) == t && (!t->offer || o->epoch > t->offer->epoch))
            t->offer = o;
}

int asy__offer_take(struct asy_core *core, struct asy__worker *w, const struct asy_holding *h)
{
    struct asy__offer *o;
    struct asy__trial *t;

    if (w->n_offers >= OFFERS_MAX)
        return 0;
    if (!(o = offer_new(h))) {
        core->rc = ASY_E_NOMEM;
        return 0;
    }
    o->worker = w;
    asy__list_push(&w->offers, &o->node);
    asy__list_push(&core->offers, &o->all);
    w->n_offers++;
    if (o->running)
        asy__gpus_occupy(w, o->gpus, o->n_gpus, 1);
    if ((t = asy__offer_trial(core, o)))
        asy__offers_bind(core, t);
    return 1;
}

void asy__offer_drop(struct asy_core *core, struct asy__offer *o)
{
    struct asy__trial *t = asy__offer_trial(core, o);
    struct asy__worker *w = o->worker;

    asy__list_take(&o->node);
    asy__list_take(&o->all);
    w->n_offers--;
    if (o->running)
        asy__gpus_occupy(w, o->gpus, o->n_gpus, -1);
    if (t)
        asy__offers_bind(core, t);
    offer_free(o);
    asy__worker_listed(core, w);
}

void asy__offers_clear(struct asy_core *core, struct asy__worker *w)
{
    struct asy__offer *o;

    asy__each(o, &w->offers, struct asy__offer, node) {
        if (core)
            asy__offer_drop(core, o);
        else
            offer_free(o); /* everything is being torn down */
    }
}

/* ---- what they take up ----------------------------------------------------------------------- */

int asy__offers_attempt(const struct asy__worker *w, const struct asy__attempt *a)
{
    struct asy__offer *o;

    asy__each(o, &w->offers, struct asy__offer, node)
        if (o->trial == a->trial->number && o->attempt == a->number &&
            asy_id_cmp(o->study, a->trial->study->id) == 0)
            return 1;
    return 0;
}

int asy__offers_use_core(const struct asy__worker *w, uint32_t number)
{
    struct asy__offer *o;

    asy__each(o, &w->offers, struct asy__offer, node)
        for (size_t i = 0; o->running && i < o->n_cores; i++)
            if (o->cores[i] == number)
                return 1;
    return 0;
}

uint64_t asy__offers_memory(const struct asy__worker *w)
{
    struct asy__offer *o;
    uint64_t sum = 0;

    asy__each(o, &w->offers, struct asy__offer, node)
        sum += o->running ? o->memory : 0;
    return sum;
}

/* ---- whether one fits ------------------------------------------------------------------------ */

/* Compared once: neither point nor seed of a trial ever changes (of seeds agents keep 63 bits).
 * Without memory: not yet. */
static void compare(struct asy__offer *o, const struct asy__trial *t)
{
    struct asy_buf text;
    struct asy_jsonw w;
    struct asy_sha sha;

    if (o->point != ASY__POINT_UNKNOWN)
        return;
    asy_buf_init(&text, POINT_MAX);
    asy_jsonw_init(&w, &text, 0);
    asy_space_write(t->study->spec->space, t->x, &w, NULL);
    if (!text.rc && asy_sha_bytes(text.data, text.len, &sha, NULL) == 0)
        o->point = ((o->seed ^ t->seed) & INT64_MAX) == 0 &&
                           !memcmp(sha.b, o->params.b, sizeof sha.b)
                       ? ASY__POINT_SAME : ASY__POINT_OTHER;
    asy_buf_fini(&text);
}

static const struct asy__checkpoint *start_among(const struct asy__offer *o,
                                                 const struct asy__trial *t)
{
    for (size_t i = 0; i < t->n_checkpoints; i++)
        if (t->checkpoints[i].attempt == o->from.attempt &&
            t->checkpoints[i].step == o->from.step &&
            !memcmp(t->checkpoints[i].sha.b, o->from.sha.b, sizeof o->from.sha.b))
            return &t->checkpoints[i];
    return NULL;
}

const struct asy__checkpoint *asy__offer_start(const struct asy__offer *o,
                                               const struct asy__trial *t)
{
    const struct asy__checkpoint *own = start_among(o, t);

    return own || !t->parent ? own : start_among(o, t->parent);
}

static int placed(const struct asy__offer *o)
{
    for (size_t i = 0; i < o->n_cores; i++)
        if (o->cores[i] >= o->worker->n_cores)
            return 0;
    return o->n_cores > 0 && o->ranks > 0;
}

/* What of the attempt itself stands against it, and always will. */
static enum asy__fit never_fits(const struct asy__offer *o, const struct asy__trial *t, char *text,
                                size_t n)
{
    if (o->point == ASY__POINT_OTHER)
        snprintf(text, n, "trial %" PRIu64 " has other parameters here: it was created after the "
                 "backup", o->trial);
    else if (asy_trial_state_ended(t->state))
        snprintf(text, n, "trial %" PRIu64 " has ended here", o->trial);
    else if (t->offer != o)
        snprintf(text, n, "a later attempt of trial %" PRIu64 " is offered by worker '%s'",
                 o->trial, t->offer ? asy__str(t->offer->worker->host) : "");
    else if (o->first > 1)
        snprintf(text, n, "its first %" PRIu64 " reports are on no disk any more", o->first - 1);
    else if (o->from.attempt && !asy__offer_start(o, t))
        snprintf(text, n, "it began from a checkpoint at step %" PRIu64 " that was made after the "
                 "backup, so its history would have a hole", o->from.step);
    else if (o->ranks != asy__need_ranks(t->study))
        snprintf(text, n, "it is but a part of a gang, of %" PRIu32 " of its %" PRIu32 " ranks",
                 o->ranks, asy__need_ranks(t->study));
    else if (!placed(o))
        snprintf(text, n, "its placement makes no sense");
    else
        return ASY__FITS;
    return ASY__FITS_NEVER;
}

enum asy__fit asy__offer_fits(const struct asy_core *core, struct asy__offer *o, char *text,
                              size_t n)
{
    const struct asy__study *s = asy__study_get(core, o->study);
    const struct asy__trial *t = asy__offer_trial(core, o);
    const struct asy__attempt *a = t ? t->attempt : NULL;
    char id[ASY_ID_TEXT];
    enum asy__fit fit;

    text[0] = 0;
    if (!s || s->owner != o->worker->owner) {
        snprintf(text, n, "this store has no study %s: it was created after the backup, or the "
                 "store is another one altogether", asy_id_format(o->study, id));
        return ASY__FITS_NOT_YET;
    }
    if (s->over || s->state == ASY_STUDY_STOPPING) {
        snprintf(text, n, "study '%s' is over here", s->name);
        return ASY__FITS_NEVER;
    }
    if (!t) {
        snprintf(text, n, "study '%s' has no trial %" PRIu64 " here yet", s->name, o->trial);
        return ASY__FITS_NOT_YET;
    }
    compare(o, t);
    if ((fit = never_fits(o, t, text, n)) != ASY__FITS)
        return fit;
    if (a && !a->orphan)
        snprintf(text, n, "trial %" PRIu64 " was leased again: attempt %" PRIu32 " %s worker '%s'",
                 o->trial, a->number,
                 a->parts[0].worker->session ? "runs on" : "may come back with",
                 asy__str(a->parts[0].worker->host));
    else if (o->point == ASY__POINT_UNKNOWN)
        snprintf(text, n, "no memory to compare it");
    else if (t->state == ASY_TRIAL_PAUSED)
        snprintf(text, n, "trial %" PRIu64 " waits at a rung here", o->trial);
    else if (asy__milestone_of(t) != o->milestone)
        snprintf(text, n, "trial %" PRIu64 " goes to step %" PRIu64 " here, not to %" PRIu64,
                 o->trial, asy__milestone_of(t), o->milestone);
    else
        return ASY__FITS;
    return ASY__FITS_NOT_YET;
}

int asy__trial_held(const struct asy_core *core, const struct asy__trial *t)
{
    char text[240];

    return t->offer && t->offer->worker->session &&
           asy__offer_fits(core, t->offer, text, sizeof text) == ASY__FITS;
}

uint64_t asy__offers_missing(const struct asy_core *core, const struct asy__study *s)
{
    struct asy__offer *o;
    uint64_t upto = s->n_trials;

    asy__each(o, &core->offers, struct asy__offer, all)
        if (o->trial >= upto && o->trial < core->config.max_trials &&
            o->worker->owner == s->owner && asy_id_cmp(o->study, s->id) == 0)
            upto = o->trial + 1;
    return upto - s->n_trials;
}
