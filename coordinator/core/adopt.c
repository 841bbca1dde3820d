/* SPDX-License-Identifier: Apache-2.0
 * adopt.c - what becomes of offered attempts: adopted or discarded, as a setting has it in advance
 * or as their owner says, and what is told about those that wait for that word. */
#include "core_impl.h"
#include <stdio.h>
#include <string.h>

/* ---- deciding -------------------------------------------------------------------------------- */

static int place(struct asy_core *core, const struct asy__offer *o, struct asy_placement *ret)
{
    uint32_t *cores = asy__alloc(core, (o->n_cores + 1) * sizeof *cores);
    const char **gpus = asy__alloc(core, (o->n_gpus + 1) * sizeof *gpus);
    uint32_t *shares = asy__alloc(core, (o->n_gpus + 1) * sizeof *shares);

    if (!cores || !gpus || !shares)
        return ASY_E_NOMEM;
    *ret = (struct asy_placement){ .worker = o->worker->id, .ranks = o->ranks };
    if (!o->running)
        return 0; /* it takes up nothing any more, and others may have its cores */
    memcpy(cores, o->cores, o->n_cores * sizeof *cores);
    for (size_t i = 0; i < o->n_gpus; i++) {
        gpus[i] = asy__dup(core, o->gpus[i].id);
        shares[i] = o->gpus[i].share;
    }
    *ret = (struct asy_placement){ .worker = o->worker->id, .ranks = o->ranks, .cores = cores,
                                   .n_cores = o->n_cores, .memory = o->memory, .gpus = gpus,
                                   .n_gpus = o->n_gpus, .gpu_shares = shares,
                                   .n_gpu_shares = o->n_gpus };
    return 0;
}

/* 1: it is leased. The offer is gone then. */
static int adopt(struct asy_core *core, struct asy__offer *o)
{
    struct asy__trial *t = asy__offer_trial(core, o);
    const struct asy__checkpoint *from = o->from.attempt ? asy__offer_start(o, t) : NULL;
    struct asy_placement *placement = asy__alloc(core, sizeof *placement);
    struct asy__adopted what = { .store = o->store, .attempt = o->attempt };

    if (!placement || place(core, o, placement))
        return 0;
    if (t->attempt) /* its lost worker can not come back to it from here on */
        asy__attempt_lost(core, t, ASY_END_LOST, ASY_CAUSE_OFFERED, "a later attempt is adopted");
    if (core->rc || t->state != ASY_TRIAL_QUEUED)
        return 0; /* all that it was to do is on record */
    what.number = o->attempt > t->attempts ? o->attempt : t->attempts + 1;
    if (from)
        what.from = (struct asy_checkpoint){ from->attempt, from->step, from->sha, from->bytes,
                                             asy__dup(core, from->path) };
    if (from && (t->n_checkpoints == 0 || from < t->checkpoints ||
                 from >= t->checkpoints + t->n_checkpoints))
        from = NULL; /* its parent's: none of its own counts any more */
    asy__trial_drop_behind(core, t, from, o->attempt);
    asy__offer_drop(core, o);
    asy__lease_adopted(core, t, placement, &what);
    if (t->attempt)
        asy__attempt_sync(core, t->attempt);
    return 1;
}

static void discard(struct asy_core *core, struct asy__offer *o, const char *text)
{
    struct asy_msg *msg = asy__send(core, o->worker->session, ASY_MSG_CANCEL, 1);

    if (!msg)
        return;
    msg->cancel.study = o->study;
    msg->cancel.trial = o->trial;
    msg->cancel.attempt = o->attempt;
    msg->cancel.epoch = o->epoch;
    msg->cancel.mode = ASY_CANCEL_KILL;
    msg->cancel.cause = ASY_CAUSE_USER;
    msg->cancel.text = asy__dup(core, text);
    msg->cancel.store = o->store;
    asy__offer_drop(core, o);
}

void asy__offers_pump(struct asy_core *core)
{
    struct asy__offer *o;
    char text[240];

    if (core->config.foreign != ASY_FOREIGN_ADOPT || core->draining || core->store_bad ||
        core->quit_sent)
        return;
    asy__each(o, &core->offers, struct asy__offer, all) {
        enum asy__fit fit = asy__offer_fits(core, o, text, sizeof text);

        if (core->rc)
            return;
        if (!o->worker->session)
            continue;
        if (fit == ASY__FITS)
            adopt(core, o);
        else if (fit == ASY__FITS_NEVER)
            discard(core, o, text);
    }
}

/* ---- what a user says ------------------------------------------------------------------------ */

struct wish {
    struct asy_id study; /* none: all */
    int adopt;
    size_t n_done, n_left;
};

static int is_meant(const struct asy_core *core, const struct asy__session *session,
                    const struct asy__offer *o, const struct wish *wish)
{
    if (session->key != o->worker->owner && strcmp(session->key, core->owner) != 0)
        return 0;
    return asy_id_is_none(wish->study) || asy_id_cmp(wish->study, o->study) == 0;
}

static void write_left(struct asy_core *core, const struct asy__offer *o, const char *text,
                       struct asy_jsonw *w)
{
    const struct asy__study *s = asy__study_get(core, o->study);
    char id[ASY_ID_TEXT];

    asy_jsonw_open(w, NULL, '{');
    asy_jsonw_str(w, "study", s ? s->name : asy_id_format(o->study, id));
    asy_jsonw_u64(w, "trial", o->trial);
    asy_jsonw_u64(w, "attempt", o->attempt);
    asy_jsonw_str(w, "worker", asy__str(o->worker->host));
    asy_jsonw_str(w, "why", text);
    asy_jsonw_close(w, '}');
}

static void decide(struct asy_core *core, struct asy__offer *o, struct wish *wish,
                   struct asy_jsonw *left)
{
    char text[240] = "its worker is not connected";

    if (!o->worker->session) {
        wish->n_left++;
        write_left(core, o, text, left);
    } else if (!wish->adopt) {
        discard(core, o, "discarded by the user");
        wish->n_done++;
    } else if (asy__offer_fits(core, o, text, sizeof text) == ASY__FITS && adopt(core, o)) {
        wish->n_done++;
    } else {
        wish->n_left++;
        write_left(core, o, *text ? text : "what it was to do is on record here", left);
    }
}

static int find_study(struct asy_core *core, const struct asy__session *session,
                      const struct asy_msg *msg, struct wish *wish, struct asy_error *err)
{
    const char *name = asy__str(msg->control.study);
    struct asy__study *s;

    if (!*name)
        return 0;
    if (!(s = asy__study_find(core, name)))
        return asy_id_parse(name, strlen(name), &wish->study, NULL) == 0
                   ? 0 : asy_fail(err, ASY_E_NOENT, "no study '%.64s'", name);
    if (!asy__may(core, session, s))
        return asy_fail(err, ASY_E_DENIED, "study '%s' belongs to another user", s->name);
    wish->study = s->id;
    return 0;
}

int asy__offers_control(struct asy_core *core, const struct asy__session *session,
                        const struct asy_msg *msg, const char **ret_json, struct asy_error *err)
{
    struct wish wish = { .adopt = msg->control.verb == ASY_CONTROL_ADOPT };
    struct asy_buf json;
    struct asy_jsonw left;
    struct asy__offer *o;
    int rc = find_study(core, session, msg, &wish, err);

    if (rc)
        return rc;
    asy_buf_init(&json, 256 << 10);
    asy_jsonw_init(&left, &json, 0);
    asy_jsonw_open(&left, NULL, '{');
    asy_jsonw_open(&left, "left", '[');
    asy__each(o, &core->offers, struct asy__offer, all)
        if (!core->rc && is_meant(core, session, o, &wish))
            decide(core, o, &wish, &left);
    asy_jsonw_close(&left, ']');
    asy_jsonw_u64(&left, wish.adopt ? "adopted" : "discarded", wish.n_done);
    asy_jsonw_close(&left, '}');
    *ret_json = json.rc ? "{}" : asy__dup(core, json.data);
    asy_buf_fini(&json);
    if (wish.n_done + wish.n_left == 0)
        return asy_fail(err, ASY_E_NOENT, "no worker offers an attempt of another store%s",
                        asy_id_is_none(wish.study) ? "" : " of this study");
    return 0;
}

/* ---- looking in ------------------------------------------------------------------------------ */

static void write_one(const struct asy_core *core, struct asy__offer *o, struct asy_jsonw *w)
{
    const struct asy__study *s = asy__study_get(core, o->study);
    char id[ASY_ID_TEXT], text[240];
    enum asy__fit fit = asy__offer_fits(core, o, text, sizeof text);

    asy_jsonw_open(w, NULL, '{');
    asy_jsonw_str(w, "study", s ? s->name : asy_id_format(o->study, id));
    asy_jsonw_u64(w, "trial", o->trial);
    asy_jsonw_u64(w, "attempt", o->attempt);
    asy_jsonw_str(w, "store", asy_id_format(o->store, id));
    asy_jsonw_bool(w, "running", o->running);
    asy_jsonw_u64(w, "step", o->step);
    asy_jsonw_bool(w, "fits", fit == ASY__FITS);
    asy_jsonw_str(w, "why", text);
    asy_jsonw_close(w, '}');
}

void asy__offers_write(const struct asy_core *core, const char *key, const struct asy__worker *k,
                       struct asy_jsonw *w)
{
    struct asy__offer *o;

    asy_jsonw_open(w, "offers", '[');
    asy__each(o, &k->offers, struct asy__offer, node)
        if (!key || (k->owner && !strcmp(key, k->owner)))
            write_one(core, o, w);
    asy_jsonw_close(w, ']');
}

size_t asy__offers_of(const struct asy_core *core, const struct asy__study *s)
{
    struct asy__offer *o;
    size_t n = 0;

    asy__each(o, &core->offers, struct asy__offer, all)
        n += asy_id_cmp(o->study, s->id) == 0 && o->worker->owner == s->owner;
    return n;
}
