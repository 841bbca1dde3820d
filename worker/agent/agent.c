/* SPDX-License-Identifier: Apache-2.0
 * agent.c - the agent's main loop: one poll over all descriptors, then timers, then what is due.
 *
 * Objects are freed in sweep() alone, between two rounds, so a callback may end anything. */
#include "impl.h"
#include "bulk.h"
#include "copy.h"
#include <asy/clock.h>
#include <asy/durable.h>
#include <asy/log.h>
#include <asy/slurm.h>
#include <asy/told.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define ARENA_MAX (16u << 20)
#define SWEEP_MS 20
#define REST_MS 5000                /* then what cannot die is left behind */
#define DRAIN_EXTRA_MS 15000        /* beyond twice the longest grace */
#define GANGS_MS 5000
#define OFFERS_MS 2000              /* a setting decides of them at once, an owner may not at all */
#define FILES_WANTED 8192
#define GPU_PATIENCE_MS 5000        /* of a start with drivers; then they answer beside it */
#define GPU_LOOK_MS 100

/* ---- cores ----------------------------------------------------------------------------------- */

static int overlap(const uint32_t *a, size_t n_a, const uint32_t *b, size_t n_b)
{
    for (size_t i = 0, k = 0; i < n_a && k < n_b;) {
        if (a[i] == b[k])
            return 1;
        a[i] < b[k] ? i++ : k++;
    }
    return 0;
}

/* What a fenced attempt had of a device is free when it is gone. */
static int gpus_busy(const struct asy__agent *agent, const struct asy__job *job)
{
    for (size_t i = 0; i < job->n_gpus; i++) {
        uint64_t used = 0;

        for (size_t k = 0; k < job->n_gpus; k++)
            used += strcmp(job->gpus[k], job->gpus[i]) ? 0 : job->gpu_shares[k];
        ASY__EACH(struct asy__job, other, &agent->jobs)
            for (size_t k = 0; other != job && asy__job_alive(other) && k < other->n_gpus; k++)
                used += strcmp(other->gpus[k], job->gpus[i]) ? 0 : other->gpu_shares[k];
        if (used > ASY_GPU_WHOLE)
            return 1;
    }
    return 0;
}

int asy__agent_cpus_busy(struct asy__agent *agent, const struct asy__job *job)
{
    int native = job->spec->study->kind == ASY_RUN_MODEL, busy = gpus_busy(agent, job);

    ASY__EACH(struct asy__job, other, &agent->jobs)
        if (other != job && asy__job_alive(other) &&
            overlap(job->cores, job->n_cores, other->cores, other->n_cores))
            busy = 1;
    ASY__EACH(struct asy__gang, gang, &agent->gangs) {
        if (gang->dead || gang->job ||
            !overlap(job->cores, job->n_cores, gang->cores, gang->n_cores))
            continue;
        if (native && !gang->dying && asy__gang_suits(gang, job)) {
            busy |= gang->running > 0; /* rank 0 has ended its last job, others are about to */
            continue; /* it may take the job itself */
        }
        asy__gang_end(gang);
        busy = 1;
    }
    return busy;
}

uint32_t asy__agent_free_cores(const struct asy__agent *agent)
{
    size_t used = 0;

    if (agent->draining || *asy__agent_unfit(agent))
        return 0;
    ASY__EACH(struct asy__job, job, &agent->jobs)
        if (job->state != ASY__JOB_OVER)
            used += job->n_cores;
    return used < agent->node->n_cores ? agent->node->n_cores - (uint32_t)used : 0;
}

/* ---- leaving --------------------------------------------------------------------------------- */

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

static void read_signals(struct asy__agent *agent)
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

/* 1: the loop may end. *ret_rc says how. */
static int may_leave(struct asy__agent *agent, int64_t now_ms, int *ret_rc, struct asy_error *err)
{
    size_t n;

    *ret_rc = 0;
    if (agent->rejected) {
        *ret_rc = asy_fail(err, ASY_E_DENIED, "the coordinator rejects this worker: %s",
                           agent->reject_text);
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

static void check_idle(struct asy__agent *agent, int64_t now_ms)
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

static int orphaned(const struct asy__agent *agent, int64_t now_ms)
{
    if (agent->session.state == ASY__SESSION_JOINED ||
        now_ms - agent->session.heard_ms < agent->options.orphan_ms)
        return 0;
    ASY__EACH(struct asy__job, job, &agent->jobs)
        if (job->state != ASY__JOB_OVER)
            return 0; /* it trains on to its milestone */
    return 1;
}

/* ---- the poll set ---------------------------------------------------------------------------- */

enum kind {
    SIGNALS, LINK, BULK, ATTEMPT, GANG, JOB_DOOR, GANG_DOOR, CREW_DOOR, CALLER, PIPE, CONN
};
struct watches {
    struct pollfd *fds;
    struct {
        enum kind kind;
        void *object;
    } *what;
    size_t n, cap;
};

static void watch(struct watches *w, int fd, short events, enum kind kind, void *object)
{
    if (w->n == w->cap) {
        size_t cap = w->cap ? 2 * w->cap : 64;
        void *fds = realloc(w->fds, cap * sizeof *w->fds), *what;

        if (!fds)
            return; /* looked at in a later round */
        w->fds = fds;
        if (!(what = realloc(w->what, cap * sizeof *w->what)))
            return;
        w->what = what;
        w->cap = cap;
    }
    w->fds[w->n] = (struct pollfd){ fd, events, 0 };
    w->what[w->n].kind = kind;
    w->what[w->n++].object = object;
}

static void watch_conns(struct watches *w, struct asy__list *conns)
{
    ASY__EACH(struct asy__conn, conn, conns) {
        short events = (short)((asy__conn_listens(conn) ? POLLIN : 0) |
                               (asy_line_pending(conn->line) ||
                                (conn->half && !conn->wait_number) ? POLLOUT : 0));

        if (!conn->dead && events)
            watch(w, asy_line_fd(conn->line), events, CONN, conn);
    }
}

static void watch_crew(struct watches *w, struct asy__gang *gang)
{
    if (!gang->crew)
        return;
    watch(w, gang->crew->door.fd, POLLIN, CREW_DOOR, gang);
    ASY__EACH(struct asy__caller, caller, &gang->crew->callers)
        if (!caller->dead)
            watch(w, caller->fd, caller->done ? 0 : POLLIN, CALLER, caller);
}

static void build_watches(struct asy__agent *agent, struct watches *w)
{
    w->n = 0;
    watch(w, agent->signals, POLLIN, SIGNALS, NULL);
    watch(w, asy__link_fd(agent->link), POLLIN, LINK, NULL);
    watch(w, asy__bulk_fd(agent->bulk), POLLIN, BULK, NULL);
    ASY__EACH(struct asy__job, job, &agent->jobs)
        if (job->run_by)
            watch(w, asy_attempt_fd(job->run_by), POLLIN, ATTEMPT, job);
    ASY__EACH(struct asy__gang, gang, &agent->gangs) {
        if (gang->dead)
            continue;
        watch(w, asy_attempt_fd(gang->attempt), POLLIN, GANG, gang);
        watch(w, gang->door.fd, POLLIN, GANG_DOOR, gang);
        watch_conns(w, &gang->conns);
        watch_crew(w, gang);
    }
    ASY__EACH(struct asy__job, job, &agent->jobs) {
        if (job->state != ASY__JOB_RUNNING)
            continue; /* STARTED comes before anything it says */
        if (job->door.fd >= 0)
            watch(w, job->door.fd, POLLIN, JOB_DOOR, job);
        if (job->pipe.fd >= 0 && job->reports.n < ASY__UNDURABLE_MAX)
            watch(w, job->pipe.fd, POLLIN, PIPE, job);
        watch_conns(w, &job->conns);
    }
}

static void dispatch(struct asy__agent *agent, enum kind kind, void *object, short revents)
{
    struct asy__gang *gang = object;
    struct asy__job *job = object;

    switch (kind) {
    case SIGNALS: read_signals(agent); break;
    case LINK: asy__session_news(agent); break;
    case BULK: asy__transfer_news(agent); break;
    case ATTEMPT: asy__job_attempt(job); break;
    case GANG: asy__gang_ready(gang); break;
    case JOB_DOOR: asy__door_accept(agent, &job->door, job, NULL); break;
    case GANG_DOOR: asy__door_accept(agent, &gang->door, NULL, gang); break;
    case CREW_DOOR: asy__crew_accept(gang); break;
    case CALLER: asy__crew_read(object); break;
    case PIPE: asy__pipe_ready(job); break;
    case CONN: asy__conn_ready(object, revents); break;
    }
}

/* ---- one round ------------------------------------------------------------------------------- */

static void sweep_conns(struct asy__list *conns)
{
    struct asy__list *at = conns->next;

    while (at != conns) {
        struct asy__conn *conn = (struct asy__conn *)at;

        at = at->next;
        if (conn->dead)
            asy__conn_destroy(conn);
    }
}

static void sweep(struct asy__agent *agent)
{
    struct asy__list *at = agent->jobs.next;

    while (at != &agent->jobs) {
        struct asy__job *job = (struct asy__job *)at;

        at = at->next;
        sweep_conns(&job->conns);
        if (job->state != ASY__JOB_OVER || job->run_by || job->gang)
            continue;
        if (!job->forgotten && !job->fenced &&
            (job->reports.durable < job->reports.made || asy__part_follows(job)))
            continue; /* what another part leads ends with a word of the coordinator's */
        asy__files_forget(job);
        asy__job_destroy(job);
        agent->n_jobs--;
    }
    at = agent->gangs.next;
    while (at != &agent->gangs) {
        struct asy__gang *gang = (struct asy__gang *)at;

        at = at->next;
        sweep_conns(&gang->conns);
        if (gang->crew)
            asy__crew_sweep(gang->crew);
        if (gang->dead)
            asy__gang_destroy(gang);
    }
}

/* Ends what a dead supervisor left; it became our child. */
static void sweep_orphans(struct asy__agent *agent, int64_t now_ms)
{
    size_t n = 0, max = 0;
    pid_t *keep;

    if (!agent->sweeping || now_ms < agent->sweep_ms)
        return;
    agent->sweep_ms = now_ms + SWEEP_MS;
    ASY__EACH(struct asy__job, job, &agent->jobs)
        max += job->run_by != NULL;
    ASY__EACH(struct asy__gang, gang, &agent->gangs)
        max += gang->attempt != NULL;
    if (!(keep = calloc(max + ASY__GPU_INTERFACES + 1, sizeof *keep)))
        return; /* the next round tries again */
    n = asy__gpu_search_pids(agent->gpu_search, keep);
    ASY__EACH(struct asy__job, job, &agent->jobs)
        if (job->run_by)
            keep[n++] = asy_attempt_pid(job->run_by);
    ASY__EACH(struct asy__gang, gang, &agent->gangs)
        if (gang->attempt)
            keep[n++] = asy_attempt_pid(gang->attempt);
    if (asy_attempt_sweep(keep, n) == 0)
        agent->sweeping = 0;
    free(keep);
}

/* When we leave: a supervisor that hangs, and what a dead one left. Nobody else would end them. */
static void end_the_rest(void)
{
    int64_t until_ms = asy_clock_ms() + REST_MS;

    while (asy_attempt_sweep(NULL, 0) > 0 && asy_clock_ms() < until_ms)
        ASY_IGNORE(poll(NULL, 0, SWEEP_MS) < 0);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Lines that wait in buffers; 1 if some are left for the next round. */
static int resume_conns(struct asy__list *conns)
{
    int more = 0;

    ASY__EACH(struct asy__conn, conn, conns) {
        asy__conn_resume(conn);
        more |= conn->more && !conn->dead;
    }
    return more;
}

static int64_t gpu_timers(struct asy__agent *agent, int64_t now_ms);

static int64_t run_timers(struct asy__agent *agent, int64_t now_ms)
{
    int64_t next = now_ms + 1000; /* idle checks */
    int more = 0;

    next = earlier(next, asy__session_timers(agent, now_ms));
    next = earlier(next, asy__space_timers(agent, now_ms));
    next = earlier(next, gpu_timers(agent, now_ms));
    ASY__EACH(struct asy__job, job, &agent->jobs) {
        asy__job_try_start(job);
        next = earlier(next, asy__job_timers(job, now_ms));
        next = earlier(next, asy__part_timers(job, now_ms));
        if (job->state == ASY__JOB_RUNNING)
            more |= resume_conns(&job->conns);
    }
    ASY__EACH(struct asy__gang, gang, &agent->gangs) {
        next = earlier(next, asy__gang_timers(gang, now_ms));
        more |= resume_conns(&gang->conns);
    }
    sweep_orphans(agent, now_ms);
    if (agent->sweeping)
        next = earlier(next, agent->sweep_ms);
    check_idle(agent, now_ms);
    asy__door_tell(agent);
    asy__reports_flush(agent, now_ms, 0);
    next = earlier(next, asy__reports_deadline(agent));
    return more ? now_ms : next;
}

static void tell_free_cores(struct asy__agent *agent)
{
    uint32_t n = asy__agent_free_cores(agent);

    if (n != agent->free_told)
        asy__link_status(agent->link, n, n == agent->node->n_cores);
    agent->free_told = n;
}

static int loop(struct asy__agent *agent, struct asy_error *err)
{
    struct watches w = { 0 };
    int rc = 0;

    for (;;) {
        int64_t now_ms = asy_clock_ms(), next = run_timers(agent, now_ms);

        sweep(agent);
        tell_free_cores(agent);
        if (may_leave(agent, now_ms, &rc, err))
            break;
        if (orphaned(agent, now_ms)) {
            rc = asy_fail(err, ASY_E_GONE, "no coordinator was heard for %lld s",
                          (long long)(agent->options.orphan_ms / 1000));
            break;
        }
        build_watches(agent, &w);
        if (poll(w.fds, w.n, next > now_ms ? (int)(next - now_ms) : 0) < 0) {
            if (errno == EINTR)
                continue;
            rc = asy_fail_errno(err, errno, "cannot wait for events");
            break;
        }
        for (size_t i = 0; i < w.n; i++)
            if (w.fds[i].revents)
                dispatch(agent, w.what[i].kind, w.what[i].object, w.fds[i].revents);
    }
    free(w.fds);
    free(w.what);
    return rc;
}

/* ---- life ------------------------------------------------------------------------------------ */

static int take_signals(struct asy__agent *agent, struct asy_error *err)
{
    struct rlimit files;
    sigset_t set;

    sigemptyset(&set);
    asy_told_signals(&set);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGPIPE);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return asy_fail_errno(err, errno, "cannot block signals");
    sigdelset(&set, SIGPIPE); /* blocked for good: writes say EPIPE */
    if ((agent->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
        return asy_fail_errno(err, errno, "cannot take signals");
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < FILES_WANTED) {
        files.rlim_cur = files.rlim_max < FILES_WANTED ? files.rlim_max : FILES_WANTED;
        ASY_IGNORE(setrlimit(RLIMIT_NOFILE, &files) < 0); /* then fewer attempts fit */
    }
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* what a killed supervisor leaves comes to us */
    return 0;
}

static int describe(struct asy__agent *agent, struct asy_error *err)
{
    struct asy_jsonw w;
    int rc;

    asy_buf_clear(&agent->hardware);
    asy_buf_clear(&agent->versions);
    asy_jsonw_init(&w, &agent->hardware, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy__hardware_write(agent, &w);
    asy_jsonw_close(&w, '}');
    asy_jsonw_init(&w, &agent->versions, 0);
    asy_jsonw_open(&w, NULL, '{');
    asy__versions_write(&agent->programs, &w);
    asy_jsonw_close(&w, '}');
    if ((rc = asy_buf_check(&agent->hardware, "the hardware's description", err)) < 0)
        return rc;
    return asy_buf_check(&agent->versions, "the list of versions", err);
}

/* An instance is where its card is. */
static int place_gpus(struct asy__gpus *gpus, const struct asy_node_options *options,
                      const struct asy_node *node, struct asy_error *err)
{
    const char *addresses[ASY__GPUS_MAX];
    uint32_t groups[ASY__GPUS_MAX];
    int rc;

    for (size_t i = 0; i < gpus->n; i++) {
        const struct asy__gpu *card = gpus->list[i].parent[0]
                                          ? asy__gpus_get(gpus, gpus->list[i].parent) : NULL;

        addresses[i] = card ? card->pci : gpus->list[i].pci;
    }
    if ((rc = asy_node_pci_groups(options, node, addresses, gpus->n, groups, err)) < 0)
        return rc;
    for (size_t i = 0; i < gpus->n; i++)
        gpus->list[i].group = groups[i];
    return 0;
}

/* Once their drivers have answered, or their time is up. */
static int take_gpus(struct asy__agent *agent, struct asy_error *err)
{
    static const char *const names[ASY__GPU_INTERFACES] = { "NVML", "CUDA", "OpenCL" };
    struct asy_node_options node_options = ASY_NODE_OPTIONS_INIT;
    struct asy__gpu_search *search = agent->gpu_search;
    int rc;

    agent->gpu_search = NULL;
    asy__gpus_fini(&agent->gpus);
    if ((rc = asy__gpu_search_end(search, &agent->gpus, err)) < 0 ||
        (rc = place_gpus(&agent->gpus, &node_options, agent->node, err)) < 0)
        return rc;
    for (size_t i = 0; i < ASY_ARRAY_LEN(names); i++)
        if (agent->gpus.note[i][0])
            asy_warn("%s: %s, going on without what it would have shown", names[i],
                     agent->gpus.note[i]);
    if (agent->gpus.wanted_note[0])
        asy_warn("%s", agent->gpus.wanted_note);
    return 0;
}

/* patience_ms: how long the start waits for drivers; slower ones are heard later. */
static int learn_gpus(struct asy__agent *agent, int patience_ms, struct asy_error *err)
{
    struct asy__gpu_options options = { .wanted = agent->options.gpus ? agent->options.gpus
                                                                     : "auto",
                                        .sys = "/sys",
                                        .program = agent->programs.worker,
                                        .timeout_ms = ASY__GPU_PROBE_MS };
    int rc = asy__gpu_search_begin(&options, &agent->gpu_search, err);

    if (rc < 0)
        return rc;
    if (asy__gpu_search_wait(agent->gpu_search, patience_ms))
        return take_gpus(agent, err);
    asy_info("drivers of GPUs are slow to answer, going on without GPUs until they have");
    agent->gpus.pending = 1;
    return 0;
}

static int64_t gpu_timers(struct asy__agent *agent, int64_t now_ms)
{
    struct asy_error err = ASY_ERROR_INIT;

    if (!agent->gpu_search)
        return INT64_MAX;
    if (!asy__gpu_search_wait(agent->gpu_search, 0))
        return now_ms + GPU_LOOK_MS;
    if (take_gpus(agent, &err) < 0 || describe(agent, &err) < 0)
        asy_warn("%s, offering no GPUs", err.text);
    asy_info("gpus=%zu", asy__gpus_offered(&agent->gpus));
    if (agent->session.state == ASY__SESSION_JOINED)
        asy__session_greet(agent);
    return INT64_MAX;
}

static int learn_node(struct asy__agent *agent, int gpu_patience_ms, struct asy_error *err)
{
    struct asy_node_options options = ASY_NODE_OPTIONS_INIT;
    int rc;

    options.max_cores = agent->options.max_cores;
    options.max_memory = agent->options.max_memory;
    options.smt = agent->options.smt;
    if (!options.max_memory && asy_slurm_memory()) /* the agent lives in it too */
        options.max_memory = asy_slurm_memory() / 10 * 9;
    options.share = agent->options.share;
    if ((rc = asy_node_create(&options, &agent->node, err)) < 0)
        return rc;
    asy__programs_find(&agent->programs);
    if ((rc = learn_gpus(agent, gpu_patience_ms, err)) < 0)
        return rc;
    asy__programs_probe(&agent->programs);
    asy_attempt_cgroup(agent->cgroup, sizeof agent->cgroup);
    if (agent->programs.fit[0])
        asy_warn("out of service: %s, taking no leases", agent->programs.fit);
    if (agent->programs.trainer_note[0])
        asy_warn("%s", agent->programs.trainer_note);
    return describe(agent, err);
}

static void learn_walltime(struct asy__agent *agent)
{
    struct asy_slurm_job job = { .left_ms = agent->options.walltime_ms };
    struct asy_error err = ASY_ERROR_INIT;

    if (job.left_ms < 0 && asy_slurm_job_id() && asy_slurm_look(&job, &err) < 0)
        asy_warn("cannot ask Slurm for the time left: %s, taking it as unlimited", err.text);
    if (job.left_ms < 0)
        return;
    agent->leave_ms = asy_clock_ms() +
                      asy_slurm_leave_ms(job.left_ms, agent->options.walltime_margin_ms);
    asy_info("walltime=%llds of this batch job are left, leaving in %lld s",
             (long long)job.left_ms / 1000, (long long)(agent->leave_ms - asy_clock_ms()) / 1000);
}

/* An invitation that cannot be read now is a mistake; later it may be about to be replaced. */
static int learn_key(struct asy__agent *agent, const char *key_path, struct asy_error *err)
{
    struct asy_discovery found;
    int rc;

    if (agent->options.join) {
        rc = asy__find_coordinator(agent, 0, &found, err);
        return rc < 0 ? rc : asy_durable_mkdirs(agent->home, err);
    }
    if ((rc = asy_keypair_load(key_path, &agent->pair, err)) == 0)
        memcpy(agent->owner, agent->pair.public_key, sizeof agent->owner);
    return rc;
}

static int set_up(struct asy__agent *agent, struct asy_error *err)
{
    const struct asy_agent_options *options = &agent->options;
    char *key = NULL;
    int rc;

    if (!(agent->home = strdup(options->home)) ||
        !(agent->discovery_path = options->discovery
                                      ? strdup(options->discovery)
                                      : asy__textf("%s/coordinator.json", options->home)) ||
        !(key = asy__textf("%s/keys/user.key", options->home)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for an agent");
    if ((rc = learn_key(agent, key, err)) < 0 || (rc = take_signals(agent, err)) < 0 ||
        (rc = learn_node(agent, GPU_PATIENCE_MS, err)) < 0 ||
        (rc = asy__local_open(agent, err)) < 0 ||
        (rc = asy_arena_create(ARENA_MAX, &agent->arena, err)) < 0 ||
        (rc = asy__rundir_create(agent->rundir, sizeof agent->rundir, err)) < 0 ||
        (rc = asy__link_create(&agent->link, err)) < 0 ||
        (rc = asy__transfer_create(agent, err)) < 0)
        goto out;
    learn_walltime(agent);
    asy__rundir_sweep();
    asy__scratch_sweep();
    asy_info("cores=%u memory=%lluMiB groups=%u gpus=%zu model='%s' cgroup=%s",
             agent->node->n_cores, (unsigned long long)(agent->node->memory >> 20),
             agent->node->n_numa, asy__gpus_offered(&agent->gpus), agent->node->model,
             agent->cgroup[0] ? agent->cgroup : "none");
out:
    free(key);
    return rc;
}

static void tear_down(struct asy__agent *agent)
{
    while (agent->jobs.next != &agent->jobs)
        asy__job_destroy((struct asy__job *)agent->jobs.next);
    while (agent->gangs.next != &agent->gangs)
        asy__gang_destroy((struct asy__gang *)agent->gangs.next);
    asy__link_destroy(agent->link);
    asy__transfer_fini(agent);
    while (agent->specs.next != &agent->specs) {
        struct asy__spec *spec = (struct asy__spec *)agent->specs.next;

        asy__list_del(&spec->node);
        spec->refs++;
        asy__spec_unref(spec);
    }
    asy__scratch_close(agent);
    if (agent->rundir[0])
        asy__rundir_remove(agent->rundir);
    asy__local_close(agent);
    if (agent->signals >= 0)
        close(agent->signals);
    asy_arena_destroy(agent->arena);
    asy__programs_fini(&agent->programs);
    asy__gpu_search_destroy(agent->gpu_search);
    asy__gpus_fini(&agent->gpus);
    asy_node_destroy(agent->node);
    asy_buf_fini(&agent->hardware);
    asy_buf_fini(&agent->versions);
    explicit_bzero(&agent->pair, sizeof agent->pair);
    free(agent->home);
    free(agent->discovery_path);
}

static void init(struct asy__agent *agent, const struct asy_agent_options *options)
{
    memset(agent, 0, sizeof *agent);
    agent->options = *options;
    agent->signals = agent->scratch_fd = agent->work_fd = -1;
    agent->id = asy_id_make();
    agent->leave_ms = agent->drain_until_ms = INT64_MAX;
    agent->idle_since_ms = asy_clock_ms();
    agent->free_told = UINT32_MAX;
    snprintf(agent->version, sizeof agent->version, "%s", options->version ? options->version : "");
    asy__list_init(&agent->jobs);
    asy__list_init(&agent->gangs);
    asy__list_init(&agent->specs);
    asy__list_init(&agent->uploads);
    asy_buf_init(&agent->hardware, 512u << 10);
    asy_buf_init(&agent->versions, 64u << 10);
}

int asy_agent_run(const struct asy_agent_options *options, struct asy_error *err)
{
    static struct asy__agent agent; /* one per process: it owns the signals */
    int rc;

    init(&agent, options);
    if ((rc = set_up(&agent, err)) == 0) {
        asy__session_start(&agent);
        rc = loop(&agent, err);
        asy__session_bye(&agent, rc ? err ? err->text : "" : "drained");
    }
    tear_down(&agent);
    end_the_rest();
    return rc;
}

/* The members that only the probe has, since they take time or files: a gang of two ranks, and a
 * socket as those that programs are given. "ok", or what went wrong. */
static void try_out(struct asy__agent *agent, struct asy_jsonw *w)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy__door door = { .fd = -1 };
    struct asy_buf said;

    asy_buf_init(&said, 256u << 10);
    if (!agent->programs.mpirun[0] || !agent->programs.trainer[0])
        asy_jsonw_null(w, "gang");
    else
        asy_jsonw_str(w, "gang", asy__gang_try(&agent->programs, &said, &err) ? err.text : "ok");
    asy_jsonw_str(w, "gang_said", said.data);
    asy_buf_fini(&said);
    err = (struct asy_error)ASY_ERROR_INIT;
    if (asy__rundir_create(agent->rundir, sizeof agent->rundir, &err) == 0)
        ASY_IGNORE(asy__door_open(agent, &door, &err)); /* the text says it */
    asy_jsonw_str(w, "socket", err.text[0] ? err.text : "ok");
    asy_jsonw_str(w, "socket_path", door.path);
    asy__door_close(&door);
}

int asy_agent_probe(const struct asy_agent_options *options, struct asy_buf *ret_json,
                    struct asy_error *err)
{
    static struct asy__agent agent;
    struct asy_jsonw w;
    int rc;

    init(&agent, options);
    if ((rc = learn_node(&agent, ASY__GPU_PROBE_MS, err)) == 0) {
        asy_jsonw_init(&w, ret_json, 1);
        asy_jsonw_open(&w, NULL, '{');
        asy_jsonw_str(&w, "version", agent.version);
        asy_jsonw_str(&w, "fit", agent.programs.fit);
        asy_jsonw_open(&w, "hardware", '{');
        asy__hardware_write(&agent, &w);
        asy_jsonw_close(&w, '}');
        asy_jsonw_raw(&w, "versions", agent.versions.data, agent.versions.len);
        asy_jsonw_open(&w, "programs", '{');
        asy_jsonw_str(&w, "assay-attempt", agent.programs.attempt);
        asy_jsonw_str(&w, "assay-trainer", agent.programs.trainer);
        asy_jsonw_str(&w, "mpirun", agent.programs.mpirun);
        asy_jsonw_close(&w, '}');
        asy_jsonw_str(&w, "cgroup", agent.cgroup);
        try_out(&agent, &w);
        asy_jsonw_close(&w, '}');
        asy_buf_addc(ret_json, '\n');
        rc = asy_buf_check(ret_json, "the probe", err);
    }
    tear_down(&agent);
    return rc;
}
