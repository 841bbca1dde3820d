/* SPDX-License-Identifier: Apache-2.0
 * agent.c - the agent's main loop: one poll over all descriptors, then timers, then what is due.
 *
 * Objects are freed in sweep() alone, between two rounds, so a callback may end anything. */
#include "impl.h"
#include "bulk.h"
#include "copy.h"
#include <asy/clock.h>
#include <asy/log.h>
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
#define FILES_WANTED 8192
#define GPU_PATIENCE_MS 5000        /* of a start with drivers; then they answer beside it */

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
    case SIGNALS: asy__leave_signals(agent); break;
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
    if (asy_attempt_sweep(keep, n) == 0) {
        agent->sweeping = 0;
        asy_attempt_tidy(agent->cgroup);
    }
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

static int64_t run_timers(struct asy__agent *agent, int64_t now_ms)
{
    int64_t next = now_ms + 1000; /* idle checks */
    int more = 0;

    next = earlier(next, asy__session_timers(agent, now_ms));
    next = earlier(next, asy__space_timers(agent, now_ms));
    next = earlier(next, asy__learn_timers(agent, now_ms));
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
    asy__leave_idle(agent, now_ms);
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
        if (asy__leave_now(agent, now_ms, &rc, err))
            break;
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
    if ((rc = asy__learn_key(agent, key, err)) < 0 || (rc = take_signals(agent, err)) < 0 ||
        (rc = asy__learn_node(agent, GPU_PATIENCE_MS, err)) < 0 ||
        (rc = asy__local_open(agent, err)) < 0 ||
        (rc = asy_arena_create(ARENA_MAX, &agent->arena, err)) < 0 ||
        (rc = asy__rundir_create(agent->rundir, sizeof agent->rundir, err)) < 0 ||
        (rc = asy__link_create(&agent->link, err)) < 0 ||
        (rc = asy__transfer_create(agent, err)) < 0)
        goto out;
    asy__learn_walltime(agent);
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
    } else if (rc == ASY_E_DENIED) {
        rc = ASY_E_INVAL; /* a file of ours, not the coordinator */
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
    if ((rc = asy__learn_node(&agent, -1, err)) == 0) {
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
