/* SPDX-License-Identifier: Apache-2.0
 * session.c - connections, and where each message goes. A connection is a session from its HELLO
 * on (hello.c); a frame of an unknown one is answered REHELLO. */
#include "core_impl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PONGS 4 /* within lost_after */
#define CLIENT_SILENT_MS 600000 /* then a client that watches nothing is forgotten */
#define QUESTIONS_MAX 64 /* of a session, open at a time */

/* ---- sessions -------------------------------------------------------------------------------- */

const char *asy__intern(struct asy_core *core, const char *key)
{
    char **grown, *copy;

    for (size_t i = 0; i < core->n_owners; i++)
        if (!strcmp(core->owners[i], key))
            return core->owners[i];
    if (!(grown = realloc(core->owners, (core->n_owners + 1) * sizeof *grown)))
        return NULL;
    core->owners = grown;
    if (!(copy = strdup(key)))
        return NULL;
    return core->owners[core->n_owners++] = copy;
}

static int same_peer(const void *item, const void *key)
{
    const struct asy__session *s = item;

    return s->peer == *(const uint64_t *)key;
}

struct asy__session *asy__session_get(const struct asy_core *core, uint64_t peer)
{
    return asy__hashmap_get(&core->sessions, asy__mix(peer + 1), same_peer, &peer);
}

static int same_session(const void *item, const void *key)
{
    const struct asy__session *s = item;

    return asy_id_cmp(s->id, *(const struct asy_id *)key) == 0;
}

/* The key that the connection has proved: a worker's own, where it acts for a user. */
static const char *proved(const struct asy_input *input)
{
    return asy__str(input->msg.proved ? input->msg.proved : input->msg.key);
}

struct asy__session *asy__session_open(struct asy_core *core, const struct asy_input *input,
                                       const char *key)
{
    struct asy__session *s = calloc(1, sizeof *s);

    if (!s)
        goto nomem;
    s->peer = input->peer;
    s->id = asy__make_id(core);
    if (asy__hashmap_put(&core->sessions, asy__mix(s->peer + 1), s))
        goto nomem;
    if (asy__hashmap_put(&core->session_ids, asy_id_hash(s->id), s)) {
        asy__hashmap_drop(&core->sessions, asy__mix(s->peer + 1), s);
        goto nomem;
    }
    snprintf(s->proved, sizeof s->proved, "%s", proved(input));
    s->role = input->msg.msg->hello.role;
    s->key = key;
    s->seen_ms = core->now_ms;
    asy__list_push(&core->all_sessions, &s->node);
    core->n_sessions++;
    return s;
nomem:
    free(s);
    core->rc = ASY_E_NOMEM;
    return NULL;
}

/* Its worker, if it is an agent's, gets a short grace to come back. */
void asy__session_close(struct asy_core *core, struct asy__session *s)
{
    struct asy__worker *w = s->worker;
    int spoke = s->spoke;

    asy__hashmap_drop(&core->sessions, asy__mix(s->peer + 1), s);
    asy__hashmap_drop(&core->session_ids, asy_id_hash(s->id), s);
    asy__list_take(&s->node);
    core->n_sessions--;
    asy__list_take(&s->watching);
    free(s->watches);
    free(s);
    if (!w)
        return;
    w->session = NULL;
    w->suspect = 0;
    w->reattach = 0;
    w->lost_ms = core->now_ms + core->config.closed_grace_ms;
    if (w->awaited && !spoke && w->lost_ms < core->reattach_until_ms) /* it heard no answer yet */
        w->lost_ms = core->reattach_until_ms;
    asy__wake(core, w->lost_ms);
    asy__worker_listed(core, w);
}

void asy__session_drop(struct asy_core *core, struct asy__session *s)
{
    struct asy_effect *fx = asy__effect(core, ASY_FX_CLOSE, 0);

    if (fx)
        fx->peer = s->peer;
    asy__session_close(core, s);
}

void asy__session_timers(struct asy_core *core)
{
    struct asy__session *s;

    asy__each(s, &core->all_sessions, struct asy__session, node) {
        if (s->role != ASY_ROLE_CLIENT || s->n_watches > 0)
            continue;
        if (core->now_ms - s->seen_ms >= CLIENT_SILENT_MS)
            asy__session_drop(core, s);
        else
            asy__wake(core, s->seen_ms + CLIENT_SILENT_MS);
    }
}

/* ---- every other message --------------------------------------------------------------------- */

static void heard(struct asy_core *core, struct asy__session *session)
{
    struct asy__worker *w = session->worker;

    session->seen_ms = core->now_ms;
    session->spoke = 1;
    if (!w) {
        core->idle_since_ms = core->now_ms;
        return;
    }
    w->seen_ms = core->now_ms;
    if (w->suspect) {
        w->suspect = 0;
        asy__worker_listed(core, w);
        asy__wake(core, w->seen_ms + core->config.suspect_after_ms);
    }
}

/* An agent must hear that we live within lost_after; with a thousand of them, each answer that it
 * does not need counts. */
static void pong(struct asy_core *core, struct asy__session *session, const struct asy_msg *msg)
{
    struct asy_msg *answer;

    if (core->now_ms < session->pong_ms || !(answer = asy__send(core, session, ASY_MSG_PONG, 0)))
        return;
    answer->pong.sent_ms = msg->heartbeat.sent_ms;
    session->pong_ms = core->now_ms + core->config.lost_after_ms / PONGS;
}

/* What is asked of core itself, and tells of the moment: it must be answered while no commit comes
 * through, or nobody would hear that the disk is full. */
static int is_live(const struct asy_msg *msg)
{
    static const char *const questions[] = { "workers", "explain", "explain-worker",
                                             "live" };

    for (size_t i = 0; i < ASY_ARRAY_LEN(questions) && msg->type == ASY_MSG_QUERY; i++)
        if (!strcmp(asy__str(msg->query.what), questions[i]))
            return 1;
    return 0;
}

static int may_ask(struct asy_core *core, const struct asy__session *session, uint64_t request)
{
    if (session->n_asked < QUESTIONS_MAX)
        return 1;
    asy__reply(core, session, request, ASY_E_FULL,
               "no further question on this connection until one is answered", NULL);
    return 0;
}

static void query(struct asy_core *core, struct asy__session *session, const struct asy_msg *msg)
{
    int waits = !is_live(msg) && (msg->type != ASY_MSG_QUERY || !core->store_bad);
    struct asy_effect *fx = asy__effect(core, ASY_FX_QUERY, waits ? asy__so_far(core) : 0);

    if (!fx)
        return;
    session->n_asked++;
    fx->peer = session->peer;
    fx->seq = core->seq;
    fx->key = strcmp(session->key, core->owner) ? session->key : NULL;
    if (asy_msg_copy(msg, core->arena, &fx->msg, NULL))
        core->rc = ASY_E_NOMEM;
}

void asy__session_answered(struct asy_core *core, const struct asy_input *input)
{
    struct asy__session *session = asy__session_get(core, input->peer);

    if (session && session->n_asked && asy_id_cmp(session->id, input->answered.session) == 0)
        session->n_asked--;
}

static void from_agent(struct asy_core *core, struct asy__session *session,
                       const struct asy_msg *msg)
{
    struct asy__worker *w = session->worker;
    struct asy__part *part;

    switch (msg->type) {
    case ASY_MSG_REPORTS:
        asy__reports(core, session, msg);
        break;
    case ASY_MSG_DRAIN:
        w->draining = 1;
        asy__worker_listed(core, w);
        asy__each(part, &w->parts, struct asy__part, on_worker)
            asy__attempt_sync(core, part->attempt);
        break;
    case ASY_MSG_PART:
        asy__part_relay(core, session, msg);
        break;
    case ASY_MSG_BYE:
        asy__worker_lost(core, w, ASY_CAUSE_PREEMPTED,
                         asy__textf(core, "left: %s", asy__str(msg->bye.text)));
        break;
    case ASY_MSG_RECORD:
        asy__record(core, session, msg);
        break;
    default:
        core->nonsense++;
    }
}

static void from_client(struct asy_core *core, struct asy__session *session,
                        const struct asy_msg *msg)
{
    switch (msg->type) {
    case ASY_MSG_SUBMIT:
        asy__submit(core, session, msg);
        break;
    case ASY_MSG_CONTROL:
    case ASY_MSG_DRAIN:
        asy__control(core, session, msg);
        break;
    case ASY_MSG_QUERY:
        if (may_ask(core, session, msg->query.request))
            query(core, session, msg);
        break;
    case ASY_MSG_WATCH:
        if ((msg->watch.stop || may_ask(core, session, msg->watch.request)) &&
            asy__watch(core, session, msg))
            query(core, session, msg);
        break;
    case ASY_MSG_RECORD:
        asy__record(core, session, msg);
        break;
    case ASY_MSG_BYE:
        asy__session_drop(core, session);
        break;
    default:
        core->nonsense++;
    }
}

static void no_space(struct asy_core *core, const struct asy__session *session, uint64_t request,
                     const char *what)
{
    struct asy_msg *msg = asy__send(core, session, ASY_MSG_REPLY, 0);

    if (!msg)
        return;
    msg->reply.request = request;
    msg->reply.code = ASY_E_NOSPACE;
    msg->reply.text = asy__textf(core, "%s; %s", core->store_text, what);
}

/* Whether the message would add to what cannot be stored now. Reports come again by themselves; who
 * asked for something hears why it is not done. */
static int needs_store(struct asy_core *core, const struct asy__session *session,
                       const struct asy_msg *msg)
{
    static const char later[] = "nothing was changed, ask again when there is space";

    switch (msg->type) {
    case ASY_MSG_REPORTS:
        return 1;
    case ASY_MSG_SUBMIT:
        no_space(core, session, msg->submit.request, later);
        return 1;
    case ASY_MSG_RECORD:
        no_space(core, session, msg->record.request, later);
        return 1;
    case ASY_MSG_CONTROL:
        if (msg->control.verb != ASY_CONTROL_DRAIN && msg->control.verb != ASY_CONTROL_SHUTDOWN) {
            no_space(core, session, msg->control.request, later);
            return 1;
        }
        if (strcmp(session->key, core->owner) != 0)
            return 0; /* refused as ever */
        no_space(core, session, msg->control.request,
                 "ending at once: what was acknowledged is stored, what was not is done again");
        core->quit_wanted = 1;
        return 1;
    default:
        return 0;
    }
}

/* A frame of a session that is not its connection's. Its own connection of before, mostly, which
 * broke; that of another key it cannot have by honest means, and gets nothing by it. */
static void misplaced(struct asy_core *core, const struct asy_input *input)
{
    const struct asy_id *id = &input->msg.msg->session;
    const struct asy__session *holder =
        asy__hashmap_get(&core->session_ids, asy_id_hash(*id), same_session, id);

    if (holder && strcmp(holder->proved, proved(input)) != 0) {
        core->foreign++;
        snprintf(core->foreign_key, sizeof core->foreign_key, "%s", proved(input));
    }
    asy__send_text(core, input->peer, ASY_MSG_REHELLO, "");
}

uint64_t asy_core_foreign_sessions(const struct asy_core *core, const char **ret_key)
{
    *ret_key = core->foreign_key;
    return core->foreign;
}

void asy__session_msg(struct asy_core *core, const struct asy_input *input)
{
    const struct asy_msg *msg = input->msg.msg;
    struct asy__session *session;
    struct asy_msg *answer;

    if (msg->type == ASY_MSG_HELLO) {
        asy__session_hello(core, input);
        return;
    }
    session = asy__session_get(core, input->peer);
    if (!session || asy_id_cmp(session->id, msg->session) != 0) {
        misplaced(core, input);
        return;
    }
    heard(core, session);
    if (msg->type == ASY_MSG_HEARTBEAT) {
        pong(core, session, msg);
    } else if (msg->type == ASY_MSG_UNSUPPORTED) {
        /* A body of a later version; one that we know is the peer's answer to ours. */
        if (msg->unsupported.type > ASY_MSG_PART &&
            (answer = asy__send(core, session, ASY_MSG_UNSUPPORTED, 0)))
            answer->unsupported.type = msg->unsupported.type;
    } else if (core->store_bad && needs_store(core, session, msg)) {
        return;
    } else if (session->role == ASY_ROLE_AGENT) {
        from_agent(core, session, msg);
    } else {
        from_client(core, session, msg);
    }
}
