/* SPDX-License-Identifier: Apache-2.0
 * hello.c - who greets, and what an agent still holds.
 *
 * All that an agent runs is settled in one place, at HELLO: what it lists and still counts goes on
 * (keep), what it lists and does not count is killed, what we believe it has and it does not list
 * is lost. */
#include "core_impl.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX 4096

/* ---- what an agent has ----------------------------------------------------------------------- */

static int same_text(const char *a, const char *b)
{
    return !strcmp(asy__str(a), asy__str(b));
}

static void join(struct asy_core *core, const struct asy_msg *msg)
{
    const struct asy__worker *w = asy__worker_get(core, msg->hello.agent);
    struct asy_event ev = asy__event(core, ASY_EV_WORKER_JOINED, NULL, NULL);

    if (w && w->present && w->n_cores == msg->hello.cores && w->memory == msg->hello.memory &&
        same_text(w->host, msg->hello.host) && same_text(w->fit, msg->hello.fit) &&
        same_text(w->version, msg->hello.version) && same_text(w->hardware, msg->hello.hardware))
        return;
    ev.worker_joined.id = msg->hello.agent;
    ev.worker_joined.host = asy__dup(core, msg->hello.host);
    ev.worker_joined.hardware = asy__dup(core, msg->hello.hardware);
    ev.worker_joined.cores = msg->hello.cores;
    ev.worker_joined.memory = msg->hello.memory;
    ev.worker_joined.fit = asy__dup(core, msg->hello.fit);
    ev.worker_joined.version = asy__dup(core, msg->hello.version);
    asy__emit(core, &ev);
}

static int take_groups(struct asy__worker *w, const struct asy_msg *msg)
{
    size_t n = msg->hello.n_core_groups;
    uint32_t *groups = n ? calloc(n, sizeof *groups) : NULL;

    if (n && !groups)
        return ASY_E_NOMEM;
    free(w->groups);
    w->groups = groups;
    w->n_groups = 0;
    for (size_t i = 0; i < n; i++) {
        groups[i] = msg->hello.core_groups[i];
        if (groups[i] >= w->n_groups)
            w->n_groups = groups[i] + 1;
    }
    return 0;
}

/* ---- what it still holds --------------------------------------------------------------------- */

static void revive(struct asy_core *core, struct asy__attempt *a)
{
    struct asy_event ev = asy__event(core, ASY_EV_TRIAL_STATE, a->trial->study, a->trial);

    ev.trial_state.state = a->started ? ASY_TRIAL_RUNNING : ASY_TRIAL_LEASED;
    ev.trial_state.text = "its worker came back";
    ev.trial_state.value = NAN;
    ev.trial_state.step = a->trial->step;
    asy__emit(core, &ev);
}

struct lists {
    struct asy_holding *keep, *kill, *offers;
    struct asy_watermark *marks;
    size_t n_keep, n_kill, n_offers, n_marks;
};

/* Whether another store leased it. */
static int is_foreign(const struct asy_core *core, const struct asy_msg *hello,
                      const struct asy_holding *h)
{
    struct asy_id store = h->offer && !asy_id_is_none(h->offer->store) ? h->offer->store
                                                                       : hello->hello.store;

    return !asy_id_is_none(store) && asy_id_cmp(store, core->config.store) != 0;
}

/* Says whose it is, where one of ours may have the same numbers. */
static const struct asy_offer *store_alone(struct asy_core *core, const struct asy_offer *from)
{
    struct asy_offer *offer = from ? asy__alloc(core, sizeof *offer) : NULL;

    if (offer)
        offer->store = from->store;
    return offer;
}

/* 1: its owner decides. */
static int settle_foreign(struct asy_core *core, struct asy__worker *w,
                          const struct asy_holding *h, struct lists *out)
{
    if (!h->offer || core->config.foreign == ASY_FOREIGN_DISCARD || !asy__offer_take(core, w, h))
        return 0;
    out->offers[out->n_offers] = *h;
    out->offers[out->n_offers++].offer = NULL; /* it knows all that */
    return 1;
}

static void settle_one(struct asy_core *core, struct asy__worker *w, const struct asy_holding *h,
                       int foreign, struct lists *out)
{
    struct asy__part *part = NULL;
    struct asy__attempt *a = foreign ? NULL
                             : asy__attempt_find(core, w, h->study, h->trial, h->attempt, h->epoch,
                                                 &part);
    struct asy_watermark mark = { h->study, h->trial, h->attempt, 0, 0 };

    if (foreign && settle_foreign(core, w, h, out))
        return;
    if (!a) {
        mark.closed = 1;
        if (!foreign || !h->offer) /* its numbers may be those of one of ours */
            out->marks[out->n_marks++] = mark;
        if (h->running || (foreign && h->offer)) {
            out->kill[out->n_kill] = *h;
            out->kill[out->n_kill++].offer = foreign ? store_alone(core, h->offer) : NULL;
        }
        return;
    }
    if (a->orphan)
        revive(core, a);
    part->seen = core->hello_serial;
    if (asy__part_leads(part)) {
        a->told = (enum asy_cancel_mode)0;
        mark.durable = a->applied;
    }
    out->marks[out->n_marks++] = mark;
    out->keep[out->n_keep] = *h;
    out->keep[out->n_keep++].offer = NULL;
}

/* What we believe it has, and it does not: lost on the way, or with the agent's last process. */
static void settle_rest(struct asy_core *core, struct asy__worker *w)
{
    struct asy__part *part;

    asy__each(part, &w->parts, struct asy__part, on_worker) {
        int offered = asy__offers_attempt(w, part->attempt);

        if (part->seen == core->hello_serial)
            continue;
        part->gone = 1;
        asy__attempt_lost(core, part->attempt->trial, ASY_END_LOST,
                          offered ? ASY_CAUSE_OFFERED : ASY_CAUSE_LOST,
                          asy__textf(core, "worker '%s' %s", asy__str(w->host),
                                     offered ? "has it from before the backup was restored"
                                             : "does not have it any more"));
    }
}

static int settle(struct asy_core *core, struct asy__worker *w, const struct asy_msg *msg,
                  struct lists *out)
{
    size_t n = msg->hello.n_holdings;

    *out = (struct lists){ .keep = asy__alloc(core, n * sizeof *out->keep),
                           .kill = asy__alloc(core, n * sizeof *out->kill),
                           .offers = asy__alloc(core, n * sizeof *out->offers),
                           .marks = asy__alloc(core, n * sizeof *out->marks) };
    if (!out->keep || !out->kill || !out->offers || !out->marks)
        return ASY_E_NOMEM;
    core->hello_serial++;
    for (size_t i = 0; i < n; i++)
        settle_one(core, w, &msg->hello.holdings[i],
                   is_foreign(core, msg, &msg->hello.holdings[i]), out);
    settle_rest(core, w);
    return 0;
}

/* ---- HELLO ----------------------------------------------------------------------------------- */

static const char *refuse_agent(struct asy_core *core, const struct asy_msg *msg, const char *key)
{
    struct asy__worker *w = asy__worker_get(core, msg->hello.agent);
    struct asy__part *part;
    const char *why;

    if (asy_id_is_none(msg->hello.agent))
        return "an agent needs an id";
    if ((why = asy__gpus_refuse(msg->hello.gpus, msg->hello.n_gpus)))
        return why;
    if (msg->hello.cores == 0 || msg->hello.cores > ASY__CORES_MAX)
        return asy__textf(core, "an agent has 1 to %d cores, not %u", ASY__CORES_MAX,
                          msg->hello.cores);
    if (msg->hello.n_core_groups != 0 && msg->hello.n_core_groups != msg->hello.cores)
        return "each core belongs to one group, or none are named";
    for (size_t i = 0; i < msg->hello.n_core_groups; i++)
        if (msg->hello.core_groups[i] >= msg->hello.cores)
            return "there are no more groups than cores";
    if (asy_id_cmp(msg->hello.store, core->config.store) == 0 &&
        msg->hello.owner_epoch > core->config.owner_epoch)
        return "a later coordinator owns this store";
    if (!w)
        return core->n_workers >= core->config.max_workers ? "no further worker is taken" : NULL;
    if (w->session && w->owner != key)
        return "this agent's id belongs to another user";
    asy__each(part, &w->parts, struct asy__part, on_worker)
        if (part->attempt->trial->study->owner != key)
            return "this agent's id belongs to another user";
    return NULL;
}

static const char *refuse(struct asy_core *core, const struct asy_input *input, const char *key)
{
    const struct asy_msg *msg = input->msg.msg;

    if (msg->hello.major != ASY_PROTOCOL_MAJOR)
        return asy__textf(core, "protocol %u.%u is not served: this coordinator (version %s) "
                          "speaks %d.%d; use the release of Assay that it has", msg->hello.major,
                          msg->hello.minor, core->version, ASY_PROTOCOL_MAJOR, ASY_PROTOCOL_MINOR);
    if (msg->hello.role != ASY_ROLE_AGENT && msg->hello.role != ASY_ROLE_CLIENT)
        return "neither agent nor client";
    if (input->msg.is_worker && msg->hello.role != ASY_ROLE_AGENT)
        return "this key is a worker's: it runs trials and asks nothing; commands need a user's";
    if (core->n_sessions >= core->config.max_sessions)
        return "no further connection is taken";
    return msg->hello.role == ASY_ROLE_AGENT ? refuse_agent(core, msg, key) : NULL;
}

/* An agent that holds nothing has nothing to lose: its silence may take longer to show, though not
 * so long that a beat that comes late makes it suspect. */
static int64_t idle_heartbeat_ms(const struct asy_core_config *config)
{
    int64_t most_ms = config->suspect_after_ms / 3 * 2;
    int64_t ms = 2 * config->heartbeat_ms < most_ms ? 2 * config->heartbeat_ms : most_ms;

    return ms > config->heartbeat_ms ? ms : config->heartbeat_ms;
}

/* A client hears nothing in it that is not as old as the process, so it need not wait. */
static struct asy_msg *welcome(struct asy_core *core, const struct asy__session *session)
{
    struct asy_msg *msg = asy__send(core, session, ASY_MSG_WELCOME,
                                    session->role == ASY_ROLE_AGENT);

    if (!msg)
        return NULL;
    msg->welcome.store = core->config.store;
    msg->welcome.owner_epoch = core->config.owner_epoch;
    msg->welcome.heartbeat_ms = core->config.heartbeat_ms;
    msg->welcome.lost_after_ms = core->config.lost_after_ms;
    msg->welcome.idle_heartbeat_ms = idle_heartbeat_ms(&core->config);
    msg->welcome.version = core->version;
    msg->welcome.endpoints = core->config.endpoints;
    msg->welcome.n_endpoints = core->config.n_endpoints;
    msg->welcome.minor = ASY_PROTOCOL_MINOR;
    msg->welcome.files = asy__str(core->config.files);
    msg->welcome.nonce = asy__str(core->config.nonce);
    msg->welcome.bulk_port = core->config.bulk_port;
    msg->welcome.owner = session->key;
    return msg;
}

/* A worker that was not there may take what others refused: nothing waits longer than for the first
 * time. */
static void try_anew(struct asy_core *core, const struct asy__worker *w)
{
    struct asy__study *s;
    struct asy__trial *t;
    int64_t at_ms = core->now_ms + core->config.backoff_ms;

    for (struct asy__node *n = core->live.next; n != &core->live; n = n->next) {
        s = asy__item(n, struct asy__study, node);
        if (s->owner != w->owner)
            continue;
        asy__each(t, &s->lists[ASY__AGAIN], struct asy__trial, node)
            if (t->refusals > 0 && t->ready_ms > at_ms)
                t->ready_ms = at_ms;
    }
}

/* For want of memory it has none: that is for people. */
static void take_name(struct asy__worker *w, const char *name)
{
    free(w->key_name);
    w->key_name = name ? strdup(name) : NULL;
}

static void hello_agent(struct asy_core *core, struct asy__session *session,
                        const struct asy_input *input)
{
    const struct asy_msg *msg = input->msg.msg;
    struct asy__worker *w;
    struct asy__part *part;
    struct lists lists;
    struct asy_msg *answer;
    int is_new = !asy__worker_get(core, msg->hello.agent);

    join(core, msg);
    if (core->rc || !(w = asy__worker_get(core, msg->hello.agent)))
        return;
    if (w->session)
        asy__session_drop(core, w->session);
    asy__offers_clear(core, w);
    if (take_groups(w, msg) || asy__gpus_take(w, msg->hello.gpus, msg->hello.n_gpus)) {
        core->rc = ASY_E_NOMEM;
        return;
    }
    w->owner = session->key;
    take_name(w, input->msg.name);
    w->session = session;
    session->worker = w;
    w->suspect = w->reattach = 0;
    w->seen_ms = core->now_ms;
    w->lost_ms = ASY__NEVER;
    if (is_new)
        try_anew(core, w);
    w->n_specs = 0;
    w->minor = msg->hello.minor;
    w->walltime_ms = msg->hello.walltime_left_ms < 0
                         ? ASY__NEVER : core->now_ms + msg->hello.walltime_left_ms;
    asy__wake(core, w->seen_ms + core->config.suspect_after_ms);
    if (settle(core, w, msg, &lists) || !(answer = welcome(core, session)))
        return;
    answer->welcome.keep = lists.keep;
    answer->welcome.n_keep = lists.n_keep;
    answer->welcome.kill = lists.kill;
    answer->welcome.n_kill = lists.n_kill;
    answer->welcome.offers = lists.offers;
    answer->welcome.n_offers = lists.n_offers;
    answer->welcome.marks = lists.marks;
    answer->welcome.n_marks = lists.n_marks;
    if (core->draining && (answer = asy__send(core, session, ASY_MSG_DRAIN, 0)))
        answer->drain.text = "the coordinator is drained";
    asy__each(part, &w->parts, struct asy__part, on_worker)
        if (asy__part_leads(part))
            asy__attempt_sync(core, part->attempt);
    asy__worker_listed(core, w);
}

void asy__session_hello(struct asy_core *core, const struct asy_input *input)
{
    struct asy__session *session = asy__session_get(core, input->peer);
    const char *key = core->n_owners < KEYS_MAX ? asy__intern(core, asy__str(input->msg.key))
                                                : NULL;
    const char *why;

    if (session && session->n_asked)
        asy__session_drop(core, session);
    else if (session)
        asy__session_close(core, session);
    if ((core->store_bad || core->quit_sent) && input->msg.msg->hello.role == ASY_ROLE_AGENT)
        return; /* what it holds cannot be settled any more, or now; unanswered, it greets again */
    why = key ? refuse(core, input, key) : "no further user is taken";
    if (why) {
        asy__send_text(core, input->peer, ASY_MSG_REJECT, why);
        return;
    }
    if (!(session = asy__session_open(core, input, key)))
        return;
    if (session->role == ASY_ROLE_AGENT)
        hello_agent(core, session, input);
    else
        ASY_IGNORE(welcome(core, session) == NULL); /* for want of memory: stuck in core->rc */
}
