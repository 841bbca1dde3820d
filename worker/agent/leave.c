/* SPDX-License-Identifier: Apache-2.0
 * leave.c - when and how the agent leaves: drained by a signal, a coordinator, the end of its batch
 * job or idleness, it takes nothing new, has what runs paused, and goes when its last reports are
 * durable, or when no more time is left for that. */
#include "impl.h"
#include <asy/clock.h>
#include <asy/log.h>
#include <asy/told.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define DRAIN_EXTRA_MS 15000        /* beyond twice the longest grace */
#define GANGS_MS 5000
#define LAST_PATIENCE_MS 30000
#define OFFERS_MS 2000              /* a setting decides of them at once, an owner may not at all */

void asy__agent_drain(struct asy__agent *agent, enum asy_cause cause, const char *text)
{
    int64_t grace_ms = 0;

    if (!agent->draining)
        asy_info("draining: %s", text);
    agent->draining = agent->leaving = 1;
    ASY__EACH(struct asy__job, job, &agent->jobs) {
        if (job->state == ASY__JOB_OVER || job->fenced)
            continue;
        if (job->grace_ms > grace_ms)
            grace_ms = job->grace_ms;
        if (!job->ordered && !asy__part_follows(job)) /* that one's lead is told to pause all */
            asy__job_cancel(job, ASY_CANCEL_PAUSE, 0, cause, text);
    }
    if (agent->drain_until_ms == INT64_MAX)
        agent->drain_until_ms = asy_clock_ms() + 2 * grace_ms + DRAIN_EXTRA_MS;
}

static void drain_self(struct asy__agent *agent, const char *text)
{
    struct asy_msg msg = { .type = ASY_MSG_DRAIN, .session = agent->session.id };
    struct asy_buf frame;

    if (!agent->draining && agent->session.state == ASY__SESSION_JOINED) {
        asy_buf_init(&frame, ASY_FRAME_MAX);
        msg.drain.text = text;
        if (asy_msg_encode(&msg, &frame, NULL) == 0)
            ASY_IGNORE(asy__link_send(agent->link, &frame, NULL)); /* leases will be refused */
        asy_buf_fini(&frame);
    }
    asy__agent_drain(agent, ASY_CAUSE_PREEMPTED, text);
}

void asy__leave_signals(struct asy__agent *agent)
{
    struct signalfd_siginfo info;

    while (read(agent->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        const char *name = sigabbrev_np((int)info.ssi_signo);
        char text[80];
        int at_once;

        snprintf(text, sizeof text, "the worker got SIG%s", name ? name : "?");
        at_once = asy_told(&agent->told, (int)info.ssi_signo);
        drain_self(agent, text);
        if (at_once)
            agent->drain_until_ms = 0;
    }
}

/* What is over and was leased by another store waits for its owner alone: for a while only. */
static size_t n_awaited(struct asy__agent *agent, int64_t now_ms)
{
    size_t n = 0;

    ASY__EACH(struct asy__job, job, &agent->jobs)
        n += job->state != ASY__JOB_OVER || !asy__job_foreign(job);
    if (n > 0 || agent->n_jobs == 0) {
        agent->offers_until_ms = 0;
        return n;
    }
    if (agent->offers_until_ms == 0)
        agent->offers_until_ms = now_ms + OFFERS_MS;
    return now_ms < agent->offers_until_ms ? agent->n_jobs : 0;
}

/* No coordinator is there, and nothing trains on to its milestone. When the job's time is up there
 * is none left for patience: the next one goes on sooner if this one is given up by then. */
static int is_orphaned(const struct asy__agent *agent, int64_t now_ms)
{
    int64_t patience_ms = agent->options.orphan_ms;

    if (now_ms >= agent->leave_ms && patience_ms > LAST_PATIENCE_MS)
        patience_ms = LAST_PATIENCE_MS;
    if (agent->session.state == ASY__SESSION_JOINED ||
        now_ms - agent->session.heard_ms < patience_ms)
        return 0;
    ASY__EACH(struct asy__job, job, &agent->jobs)
        if (job->state != ASY__JOB_OVER)
            return 0;
    return 1;
}

/* 1: the loop may end. *ret_rc says how. */
int asy__leave_now(struct asy__agent *agent, int64_t now_ms, int *ret_rc, struct asy_error *err)
{
    size_t n;

    *ret_rc = 0;
    if (agent->rejected) {
        *ret_rc = asy_fail(err, ASY_E_DENIED, "the coordinator rejects this worker: %s",
                           agent->reject_text);
        return 1;
    }
    if (is_orphaned(agent, now_ms)) {
        *ret_rc = asy_fail(err, ASY_E_GONE, "no coordinator was heard for %lld s",
                           (long long)((now_ms - agent->session.heard_ms) / 1000));
        return 1;
    }
    if (!agent->leaving)
        return 0;
    ASY__EACH(struct asy__gang, gang, &agent->gangs)
        if (!gang->job)
            asy__gang_end(gang);
    n = n_awaited(agent, now_ms);
    if (n == 0 && agent->gangs.next == &agent->gangs) {
        if (agent->n_jobs > 0)
            asy_warn("leaving %zu attempts of another store that nobody decided of", agent->n_jobs);
        return 1;
    }
    if (now_ms < agent->drain_until_ms)
        return 0;
    if (n == 0) /* only trainers that do not want to end: they are killed as we go */
        return now_ms > agent->drain_until_ms + GANGS_MS;
    *ret_rc = asy_fail(err, ASY_E_CANCELLED,
                       "ended with %zu attempts whose reports are not durable", n);
    return 1;
}

void asy__leave_idle(struct asy__agent *agent, int64_t now_ms)
{
    const struct asy__session *s = &agent->session;

    if (agent->n_jobs || s->state != ASY__SESSION_JOINED)
        agent->idle_since_ms = now_ms;
    if (agent->options.once_idle_exit && !agent->leaving &&
        now_ms - agent->idle_since_ms >= agent->options.idle_exit_ms)
        drain_self(agent, "idle");
    if (now_ms >= agent->leave_ms && !agent->draining)
        drain_self(agent, "the batch job's time is nearly up");
    if (s->state == ASY__SESSION_JOINED)
        agent->session.heard_ms = now_ms;
}
