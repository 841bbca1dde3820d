/* SPDX-License-Identifier: Apache-2.0
 * session.c - the agent's talk with its coordinator: finding it, greeting, what it asks for.
 *
 * Attempts do not notice any of this. A lost connection, a restarted coordinator, a new port: each
 * ends the session, the discovery file is read again, HELLO lists what is held, WELCOME says what
 * to keep, what to kill and which reports are on disk; all above goes out again. */
#include "impl.h"
#include <asy/clock.h>
#include <asy/log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS 500      /* between two looks for a discovery file */
#define GREET_MS 3000    /* for a WELCOME */
#define OLD_MS 2000      /* after an outdated coordinator */
#define KEEP_BYE_MS 10000

static void move_to(struct asy__agent *agent, enum asy__session_state state)
{
    static const char *const names[] = { [ASY__SESSION_NONE] = "none",
                                         [ASY__SESSION_GREETING] = "greeting",
                                         [ASY__SESSION_JOINED] = "joined" };

    if (agent->session.state != state)
        asy_debug("session %s -> %s",
                  agent->session.state ? names[agent->session.state] : "new", names[state]);
    agent->session.state = state;
}

/* ---- HELLO ----------------------------------------------------------------------------------- */

/* Whatever store we meet: it may be one that was restored from a backup. */
static struct asy_offer offer_of(const struct asy__job *job)
{
    struct asy_offer offer = { .store = job->store, .first = job->reports.kept_first,
                               .milestone = job->milestone, .step = job->step, .seed = job->seed,
                               .params = job->params_sha, .from = job->from };

    offer.placement = (struct asy_placement){
        .worker = job->agent->id, .ranks = job->ranks, .cores = job->cores,
        .n_cores = job->n_cores, .memory = job->memory,
        .gpus = (const char *const *)job->gpus, .n_gpus = job->n_gpus,
        .gpu_shares = job->gpu_shares, .n_gpu_shares = job->n_gpus };
    return offer;
}

static size_t list_holdings(struct asy__agent *agent, struct asy_holding *holdings,
                            struct asy_offer *offers)
{
    size_t n = 0;

    ASY__EACH(struct asy__job, job, &agent->jobs) {
        if (job->fenced || job->forgotten)
            continue;
        offers[n] = offer_of(job);
        holdings[n] = (struct asy_holding){ .study = job->study, .trial = job->trial,
                                              .attempt = job->attempt, .epoch = job->epoch,
                                              .running = job->state != ASY__JOB_OVER,
                                              .reported = job->reports.made,
                                              .offer = job->parts ? NULL : &offers[n],
                                              .part = job->parts ? job->parts->own : 0 };
        n++;
    }
    return n;
}

static size_t list_gpus(const struct asy__gpus *from, struct asy_gpu *gpus)
{
    size_t n = 0;

    for (size_t i = 0; i < from->n; i++) {
        const struct asy__gpu *gpu = &from->list[i];

        if (gpu->offered)
            gpus[n++] = (struct asy_gpu){ .id = gpu->id, .name = gpu->name, .memory = gpu->memory,
                                          .group = gpu->group,
                                          .whole = !strcmp(gpu->mode, "exclusive") };
    }
    return n;
}

static int build_hello(struct asy__agent *agent, struct asy_buf *frame, struct asy_error *err)
{
    struct asy_msg msg = { .type = ASY_MSG_HELLO };
    struct asy_holding *holdings = calloc(agent->n_jobs + 1, sizeof *holdings);
    struct asy_offer *offers = calloc(agent->n_jobs + 1, sizeof *offers);
    int64_t left = agent->leave_ms - asy_clock_ms();
    struct asy_gpu gpus[ASY__GPUS_MAX];
    int rc;

    if (!holdings || !offers) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for a greeting");
        goto out;
    }
    msg.hello.role = ASY_ROLE_AGENT;
    msg.hello.major = ASY_PROTOCOL_MAJOR;
    msg.hello.minor = ASY_PROTOCOL_MINOR;
    msg.hello.version = agent->version;
    msg.hello.host = agent->node->host;
    msg.hello.agent = agent->id;
    msg.hello.store = agent->session.store;
    msg.hello.owner_epoch = agent->session.owner_epoch;
    msg.hello.cores = agent->node->n_cores;
    msg.hello.memory = agent->node->memory;
    msg.hello.core_groups = agent->node->group;
    msg.hello.n_core_groups = agent->node->n_cores;
    msg.hello.hardware = agent->hardware.data;
    msg.hello.versions = agent->versions.data;
    msg.hello.fit = asy__agent_unfit(agent);
    msg.hello.walltime_left_ms = agent->leave_ms == INT64_MAX ? -1 : left > 0 ? left : 0;
    msg.hello.holdings = holdings;
    msg.hello.n_holdings = list_holdings(agent, holdings, offers);
    msg.hello.gpus = gpus;
    msg.hello.n_gpus = list_gpus(&agent->gpus, gpus);
    rc = asy_msg_encode(&msg, frame, err);
out:
    free(holdings);
    free(offers);
    return rc;
}

void asy__session_greet(struct asy__agent *agent)
{
    struct asy__session *s = &agent->session;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf frame;

    asy_buf_init(&frame, ASY_FRAME_MAX);
    if (build_hello(agent, &frame, &err) == 0) {
        asy__crash_point("agent.before_hello");
        ASY_IGNORE(asy__link_greet(agent->link, &frame, &err)); /* no memory: the next try */
    } else {
        asy_warn("cannot greet the coordinator: %s, retrying in 3 s", err.text);
    }
    asy_buf_fini(&frame);
    move_to(agent, ASY__SESSION_GREETING);
    s->tries++;
    s->next_ms = asy_clock_ms() + GREET_MS;
}

/* ---- finding it ------------------------------------------------------------------------------ */

static int same_place(const struct asy_discovery *a, const struct asy_discovery *b)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(a->endpoints); i++)
        if (strcmp(a->endpoints[i], b->endpoints[i]))
            return 0;
    return !strcmp(a->server_key, b->server_key);
}

/* A coordinator that may live is greeted. */
static void look(struct asy__agent *agent, int reopen)
{
    static int64_t warned_ms;
    struct asy__session *s = &agent->session;
    const char *routes[ASY_ENDPOINTS_MAX];
    struct asy_discovery found;
    struct asy_error err = ASY_ERROR_INIT;
    int rc = asy__find_coordinator(agent, reopen ? s->turn++ : s->turn, &found, &err);

    if (rc < 0) {
        if (rc != ASY_E_NOENT && asy_log_due(&warned_ms, 10000))
            asy_warn("%s, looking again every 0.5 s", err.text);
        move_to(agent, ASY__SESSION_NONE);
        s->next_ms = asy_clock_ms() + LOOK_MS;
        return;
    }
    if (reopen || !same_place(&found, &s->discovery)) {
        if (!same_place(&found, &s->discovery) && asy_discovery_routes(&found, routes) > 0)
            asy_info("coordinator: on host '%s', %s", found.host, routes[0]);
        s->discovery = found;
        s->tries = 0;
        if (asy__link_open(agent->link, &found, &agent->pair, &err) < 0)
            asy_warn("%s, retrying in 3 s", err.text);
    }
    asy__session_greet(agent);
}

void asy__session_start(struct asy__agent *agent)
{
    move_to(agent, ASY__SESSION_NONE);
    agent->session.heard_ms = asy_clock_ms();
    look(agent, 1);
}

int64_t asy__session_timers(struct asy__agent *agent, int64_t now_ms)
{
    struct asy__session *s = &agent->session;

    if (s->state == ASY__SESSION_JOINED)
        return INT64_MAX;
    if (now_ms >= s->next_ms)
        look(agent, s->state == ASY__SESSION_NONE || s->tries >= ASY__TRIES_REOPEN);
    return s->next_ms;
}

/* ---- what it says ---------------------------------------------------------------------------- */

static void say(struct asy__agent *agent, const struct asy_msg *msg)
{
    struct asy_buf frame;

    asy_buf_init(&frame, ASY_FRAME_MAX);
    if (asy_msg_encode(msg, &frame, NULL) == 0)
        ASY_IGNORE(asy__link_send(agent->link, &frame, NULL)); /* it is a courtesy */
    asy_buf_fini(&frame);
}

static void say_draining(struct asy__agent *agent)
{
    struct asy_msg msg = { .type = ASY_MSG_DRAIN, .session = agent->session.id };

    msg.drain.text = "the worker is draining";
    say(agent, &msg);
}

void asy__session_bye(struct asy__agent *agent, const char *text)
{
    struct asy_msg msg = { .type = ASY_MSG_BYE, .session = agent->session.id };

    if (agent->session.state != ASY__SESSION_JOINED)
        return;
    msg.bye.text = text;
    say(agent, &msg);
}

static void take_mark(struct asy__agent *agent, const struct asy_watermark *mark)
{
    struct asy__job *job = asy__job_find(agent, mark->study, mark->trial, mark->attempt, 0);

    if (!job)
        return;
    asy__report_durable(job, mark->durable);
    if (!mark->closed)
        return;
    if (job->state == ASY__JOB_OVER)
        job->forgotten = 1;
    else if (asy__part_follows(job))
        asy__part_close(job);
    else
        asy__job_fence(job);
}

static void take_ack(struct asy__agent *agent, const struct asy_msg *msg)
{
    asy__crash_point("agent.before_ack");
    for (size_t i = 0; i < msg->ack.n_marks; i++)
        take_mark(agent, &msg->ack.marks[i]);
}

/* Outdated: the store's owner of before, which does not know yet that it is not any more. */
static int outdated(struct asy__agent *agent, const struct asy_msg *msg)
{
    struct asy__session *s = &agent->session;

    if (asy_id_cmp(msg->welcome.store, s->store) || msg->welcome.owner_epoch >= s->owner_epoch)
        return 0;
    asy_warn("owner epoch %llu of the coordinator is below %llu, refusing it, looking again in 2 s",
             (unsigned long long)msg->welcome.owner_epoch, (unsigned long long)s->owner_epoch);
    move_to(agent, ASY__SESSION_NONE);
    s->next_ms = asy_clock_ms() + OLD_MS;
    return 1;
}

/* Whoever invited us for one user may not have us run another's programs. */
static int serves_owner(struct asy__agent *agent, const struct asy_msg *msg)
{
    const char *owner = msg->welcome.owner; /* absent from a coordinator of before */

    if (!owner || !*owner || !strcmp(owner, agent->owner))
        return 1;
    agent->rejected = 1;
    snprintf(agent->reject_text, sizeof agent->reject_text,
             "it takes this worker for another user's than its key was made for");
    return 0;
}

/* Gangs on several nodes are not offered. What another store leased of them is over: without an
 * offer it would pass for the attempt of the same numbers that this store leased. */
static void drop_strange_gangs(struct asy__agent *agent)
{
    ASY__EACH(struct asy__job, job, &agent->jobs) {
        if (!job->parts || job->forgotten || !asy__job_foreign(job))
            continue;
        asy__job_fence(job);
        if (job->state == ASY__JOB_OVER)
            job->forgotten = 1;
    }
}

static void take_welcome(struct asy__agent *agent, const struct asy_msg *msg)
{
    struct asy__session *s = &agent->session;
    int64_t beat_ms = msg->welcome.heartbeat_ms, lost_ms = msg->welcome.lost_after_ms / 2;
    int64_t idle_ms = msg->welcome.idle_heartbeat_ms;
    struct asy_error err = ASY_ERROR_INIT;

    if (outdated(agent, msg) || !serves_owner(agent, msg))
        return;
    beat_ms = beat_ms < 50 ? 50 : beat_ms > 60000 ? 60000 : beat_ms;
    idle_ms = idle_ms < beat_ms ? beat_ms : idle_ms > 60000 ? 60000 : idle_ms;
    lost_ms = lost_ms < 3 * beat_ms ? 3 * beat_ms : lost_ms;
    s->id = msg->session;
    if (asy_id_cmp(msg->welcome.store, s->store))
        s->left_ms = s->heard_ms;
    s->store = msg->welcome.store;
    asy__find_told(agent, msg);
    s->owner_epoch = msg->welcome.owner_epoch;
    s->minor = msg->welcome.minor;
    s->tries = 0;
    s->refused_ms = 0;
    s->heard_ms = asy_clock_ms();
    if (asy__link_session(agent->link, s->id, beat_ms, idle_ms, lost_ms, &err) < 0) {
        asy_warn("%s, greeting again", err.text);
        return; /* the greeting's time-out does it */
    }
    move_to(agent, ASY__SESSION_JOINED);
    asy_info("joined version=%s epoch=%llu keep=%zu kill=%zu offers=%zu",
             msg->welcome.version ? msg->welcome.version : "", (unsigned long long)s->owner_epoch,
             msg->welcome.n_keep, msg->welcome.n_kill, msg->welcome.n_offers);
    for (size_t i = 0; i < msg->welcome.n_kill; i++) {
        const struct asy_holding *h = &msg->welcome.kill[i];
        struct asy__job *job = asy__job_find_of(agent, h->offer ? h->offer->store : ASY_ID_NONE,
                                                h);

        if (job)
            asy__job_fence(job);
    }
    drop_strange_gangs(agent);
    for (size_t i = 0; i < msg->welcome.n_marks; i++)
        take_mark(agent, &msg->welcome.marks[i]);
    asy__transfer_welcome(agent, msg);
    asy__reports_unsend(agent);
    if (agent->draining)
        say_draining(agent);
    asy__crash_point("agent.after_welcome");
}

static void take_leases(struct asy__agent *agent, const struct asy_msg *msg)
{
    struct asy_error err = ASY_ERROR_INIT;

    for (size_t i = 0; i < msg->lease.n_leases; i++)
        if (asy__job_lease(agent, &msg->lease.leases[i], &err) < 0)
            asy_logerr("cannot take a lease: %s, the coordinator will miss its attempt", err.text);
}

static void take_cancel(struct asy__agent *agent, const struct asy_msg *msg)
{
    struct asy_holding what = { .study = msg->cancel.study, .trial = msg->cancel.trial,
                                .attempt = msg->cancel.attempt, .epoch = msg->cancel.epoch };
    struct asy_id store = asy_id_is_none(msg->cancel.store) ? agent->session.store
                                                            : msg->cancel.store;
    struct asy__job *job = asy__job_find_of(agent, store, &what);

    asy__crash_point("agent.before_cancel");
    if (job)
        asy__job_cancel(job, msg->cancel.mode, msg->cancel.grace_ms, msg->cancel.cause,
                        msg->cancel.text);
}

static void take_reject(struct asy__agent *agent, const struct asy_msg *msg)
{
    struct asy__session *s = &agent->session;
    const char *text = msg->reject.text ? msg->reject.text : "no reason given";

    if (s->owner_epoch) { /* it, or another, took us before: perhaps it is the one of the past */
        asy_warn("rejected: %s, looking again in 2 s", text);
        move_to(agent, ASY__SESSION_NONE);
        s->next_ms = asy_clock_ms() + OLD_MS;
        return;
    }
    agent->rejected = 1;
    snprintf(agent->reject_text, sizeof agent->reject_text, "%s", text);
}

/* It leaves on purpose: nobody will take our reports any more. */
static void take_bye(struct asy__agent *agent, const struct asy_msg *msg)
{
    int64_t by = asy_clock_ms() + KEEP_BYE_MS;

    asy_info("the coordinator leaves: %s", msg->bye.text ? msg->bye.text : "");
    move_to(agent, ASY__SESSION_NONE);
    agent->session.next_ms = asy_clock_ms() + LOOK_MS;
    asy__agent_drain(agent, ASY_CAUSE_PREEMPTED, "the coordinator has left");
    if (by < agent->drain_until_ms)
        agent->drain_until_ms = by;
}

static void take_frame(struct asy__agent *agent, const void *bytes, size_t len)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_msg msg;

    asy_arena_reset(agent->arena);
    if (asy_msg_decode(bytes, len, agent->arena, &msg, &err) < 0) {
        asy_warn("frame of %zu bytes from the coordinator: %s, ignoring it", len, err.text);
        return;
    }
    switch (msg.type) { /* these need no session */
    case ASY_MSG_WELCOME: take_welcome(agent, &msg); return;
    case ASY_MSG_REJECT: take_reject(agent, &msg); return;
    case ASY_MSG_REHELLO:
        if (agent->session.state == ASY__SESSION_JOINED)
            asy__session_greet(agent);
        return;
    default: break;
    }
    if (agent->session.state != ASY__SESSION_JOINED ||
        asy_id_cmp(msg.session, agent->session.id))
        return; /* of a session that is over */
    agent->session.heard_ms = asy_clock_ms();
    switch (msg.type) {
    case ASY_MSG_ACK: take_ack(agent, &msg); break;
    case ASY_MSG_LEASE: take_leases(agent, &msg); break;
    case ASY_MSG_CANCEL: take_cancel(agent, &msg); break;
    case ASY_MSG_PART: asy__part_hear(agent, &msg); break;
    case ASY_MSG_DRAIN:
        asy__agent_drain(agent, ASY_CAUSE_DRAINING, "the coordinator is drained");
        break;
    case ASY_MSG_BYE: take_bye(agent, &msg); break;
    default: break; /* PONG, and what later versions may add */
    }
}

void asy__session_news(struct asy__agent *agent)
{
    enum asy__link_news news;
    void *bytes = NULL;
    size_t len = 0;

    while ((news = asy__link_next(agent->link, &bytes, &len)) != ASY__LINK_NONE) {
        if (news == ASY__LINK_LOST) {
            asy_warn("lost the coordinator, looking for it again");
            look(agent, 0);
            continue;
        }
        if (news == ASY__LINK_WAYS)
            asy__find_failed(agent, bytes, len / sizeof(struct asy_way));
        else
            take_frame(agent, bytes, len);
        free(bytes);
        bytes = NULL;
    }
}
