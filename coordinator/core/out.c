/* SPDX-License-Identifier: Apache-2.0
 * out.c - what a step gives out: events (applied as they are made), effects with the commit they
 * wait for, and the news of events that somebody watches.
 *
 * An effect that depends on anything decided so far carries the open commit, or the last one if
 * the open one is empty: numbers never fall, so the gate can keep one queue. */
#include "core_impl.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PENDING_BUDGET ((size_t)64 << 20)

void *asy__alloc(struct asy_core *core, size_t n)
{
    void *bytes = asy_arena_alloc(core->arena, n ? n : 1);

    if (!bytes)
        core->rc = ASY_E_NOMEM;
    return bytes;
}

const char *asy__textf(struct asy_core *core, const char *fmt, ...)
{
    char text[400], *copy;
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    copy = asy_arena_strdup(core->arena, text, strlen(text));
    if (!copy)
        core->rc = ASY_E_NOMEM;
    return copy ? copy : "";
}

const char *asy__dup(struct asy_core *core, const char *text)
{
    char *copy;

    if (!text || !*text)
        return "";
    if (!(copy = asy_arena_strdup(core->arena, text, strlen(text))))
        core->rc = ASY_E_NOMEM;
    return copy ? copy : "";
}

/* Unique within the store: the serial is counted by this owner, and the owner's epoch and the
 * store's identity are mixed in. */
struct asy_id asy__make_id(struct asy_core *core)
{
    uint64_t base = asy_id_hash(core->config.store) + asy__mix(core->config.owner_epoch);

    return asy_id_from((uint64_t)(core->wall_us / 1000), asy__mix(base + ++core->serial));
}

void asy__wake(struct asy_core *core, int64_t at_ms)
{
    if (at_ms < core->wake_ms)
        core->wake_ms = at_ms;
}

uint64_t asy__so_far(const struct asy_core *core)
{
    return core->open_events ? core->open_commit : core->last_commit;
}

/* ---- events ---------------------------------------------------------------------------------- */

struct asy_event asy__event(const struct asy_core *core, enum asy_event_kind kind,
                            const struct asy__study *study, const struct asy__trial *trial)
{
    return (struct asy_event){
        .wall_us = core->wall_us,
        .study = study ? study->id : ASY_ID_NONE,
        .trial = trial ? trial->number : ASY__NO_TRIAL,
        .attempt = trial ? trial->attempts : 0,
        .kind = kind,
    };
}

static int wants(const struct asy_core *core, const struct asy__session *session,
                 const struct asy__watch *watch, struct asy_id study)
{
    const struct asy__study *s;

    if (!asy_id_is_none(watch->study))
        return asy_id_cmp(watch->study, study) == 0;
    s = asy__study_get(core, study);
    return s ? asy__may(core, session, s) : !strcmp(session->key, core->owner);
}

static int watched(const struct asy_core *core, struct asy_id study)
{
    const struct asy__session *s;

    asy__each(s, &core->watchers, struct asy__session, watching)
        for (size_t i = 0; i < s->n_watches; i++)
            if (wants(core, s, &s->watches[i], study))
                return 1;
    return 0;
}

/* The entry of the open commit, made when its first watched event comes. */
static struct asy__pending *pending_open(struct asy_core *core)
{
    struct asy__pending *last = core->n_pending ? &core->pending[core->n_pending - 1] : NULL;

    if (last && last->commit == core->open_commit)
        return last;
    if (core->n_pending == core->cap_pending) {
        size_t cap = core->cap_pending ? 2 * core->cap_pending : 8;
        struct asy__pending *grown = realloc(core->pending, cap * sizeof *grown);

        if (!grown)
            return NULL;
        core->pending = grown;
        core->cap_pending = cap;
    }
    last = &core->pending[core->n_pending];
    *last = (struct asy__pending){ .commit = core->open_commit };
    if (asy_arena_create(PENDING_BUDGET, &last->arena, NULL))
        return NULL;
    core->n_pending++;
    return last;
}

static void keep_for_watchers(struct asy_core *core, const struct asy_event *event)
{
    struct asy__pending *p;

    if (!(p = pending_open(core))) {
        core->rc = ASY_E_NOMEM;
        return;
    }
    if (p->n == p->cap) {
        size_t cap = p->cap ? 2 * p->cap : 8;
        struct asy_event *grown = realloc(p->events, cap * sizeof *grown);

        if (!grown) {
            core->rc = ASY_E_NOMEM;
            return;
        }
        p->events = grown;
        p->cap = cap;
    }
    if (asy_event_copy(event, p->arena, &p->events[p->n], NULL)) {
        core->rc = ASY_E_NOMEM;
        return;
    }
    p->events[p->n++].seq = core->seq;
}

void asy__emit(struct asy_core *core, const struct asy_event *event)
{
    struct asy_error err = ASY_ERROR_INIT;
    int rc;

    if (core->rc)
        return;
    if (core->n_events == core->cap_events) {
        size_t cap = core->cap_events ? 2 * core->cap_events : 64;
        struct asy_event *grown = realloc(core->events, cap * sizeof *grown);

        if (!grown) {
            core->rc = ASY_E_NOMEM;
            return;
        }
        core->events = grown;
        core->cap_events = cap;
    }
    core->events[core->n_events++] = *event;
    core->open_events++;
    core->seq++;
    rc = asy__apply(core, event, &err);
    ASY_ASSERT(rc == 0 || rc == ASY_E_NOMEM, "own event %s refused: %s",
               asy_event_kind_name(event->kind), err.text);
    if (rc)
        core->rc = rc;
    else if (watched(core, event->study))
        keep_for_watchers(core, event);
}

/* ---- effects --------------------------------------------------------------------------------- */

struct asy_effect *asy__effect(struct asy_core *core, enum asy_effect_type type, uint64_t commit)
{
    if (core->rc)
        return NULL;
    if (core->n_effects == core->cap_effects) {
        size_t cap = core->cap_effects ? 2 * core->cap_effects : 64;
        struct asy_effect *grown = realloc(core->effects, cap * sizeof *grown);

        if (!grown) {
            core->rc = ASY_E_NOMEM;
            return NULL;
        }
        core->effects = grown;
        core->cap_effects = cap;
    }
    core->effects[core->n_effects] = (struct asy_effect){ .type = type, .commit = commit };
    return &core->effects[core->n_effects++];
}

struct asy_msg *asy__send(struct asy_core *core, const struct asy__session *session,
                          enum asy_msg_type type, int gated)
{
    struct asy_effect *fx = asy__effect(core, ASY_FX_SEND, gated ? asy__so_far(core) : 0);

    if (!fx)
        return NULL;
    fx->peer = session->peer;
    fx->msg.type = type;
    fx->msg.session = session->id;
    return &fx->msg;
}

/* REJECT or REHELLO: to a peer without a session. */
void asy__send_text(struct asy_core *core, uint64_t peer, enum asy_msg_type type, const char *text)
{
    struct asy_effect *fx = asy__effect(core, ASY_FX_SEND, 0);

    if (!fx)
        return;
    fx->peer = peer;
    fx->msg.type = type;
    if (type == ASY_MSG_REJECT)
        fx->msg.reject.text = text;
}

void asy__reply(struct asy_core *core, const struct asy__session *session, uint64_t request,
                int code, const char *text, const char *json)
{
    struct asy_msg *msg = asy__send(core, session, ASY_MSG_REPLY, 1);

    if (!msg)
        return;
    msg->reply.request = request;
    msg->reply.code = code;
    msg->reply.text = asy__str(text);
    msg->reply.json = asy__str(json);
    msg->reply.json_len = strlen(msg->reply.json);
}

/* ---- news ------------------------------------------------------------------------------------ */

static void news_of(struct asy_core *core, const struct asy_event *event, uint64_t commit)
{
    const struct asy__session *s;
    struct asy_jsonw w;
    char *json;

    asy_buf_clear(&core->scratch);
    asy_jsonw_init(&w, &core->scratch, 0);
    asy_event_write_json(event, &w, NULL);
    json = asy_arena_strdup(core->arena, core->scratch.data, core->scratch.len);
    if (core->scratch.rc || !json) {
        core->rc = ASY_E_NOMEM;
        return;
    }
    asy__each(s, &core->watchers, struct asy__session, watching)
        for (size_t i = 0; i < s->n_watches; i++) {
            struct asy_msg *msg;

            if (event->seq <= s->watches[i].from || !wants(core, s, &s->watches[i], event->study))
                continue;
            if (!(msg = asy__send(core, s, ASY_MSG_NEWS, 0)))
                return;
            core->effects[core->n_effects - 1].commit = commit;
            msg->news.request = s->watches[i].request;
            msg->news.seq = event->seq;
            msg->news.json = json;
            msg->news.json_len = core->scratch.len;
        }
}

void asy__news(struct asy_core *core, uint64_t durable)
{
    size_t n = 0;

    for (; n < core->n_pending && core->pending[n].commit <= durable; n++) {
        struct asy__pending *p = &core->pending[n];

        for (size_t i = 0; i < p->n; i++)
            news_of(core, &p->events[i], p->commit);
        asy_arena_destroy(p->arena);
        free(p->events);
    }
    if (n) {
        core->n_pending -= n;
        memmove(core->pending, core->pending + n, core->n_pending * sizeof *core->pending);
    }
}
