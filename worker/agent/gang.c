/* SPDX-License-Identifier: Apache-2.0
 * gang.c - running trainers: one process, or the ranks of one mpirun, kept warm between the trials
 * of one owner.
 *
 * A gang is reused for a lease of the same owner, width and memory limit. Other cores are no
 * obstacle: with each order a rank gets the CPUs that are its part of the lease, binds all its
 * threads to them, reads that back and says so; we look ourselves then. Binding from here alone, as
 * it once was, leaves a thread that starts meanwhile where it likes. It is replaced after a
 * failure, after a number of trials (gang_trials), when it has grown (gang_growth), and after a
 * plug-in, whose leaks and threads shall not reach another trial. Every rank greets with the gang's
 * token before it is believed; rank 0 speaks for all. */
#include "impl.h"
#include <asy/clock.h>
#include <asy/durable.h>
#include <asy/log.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <asy/parse.h>

#define EXIT_MS 2000         /* from "exit" to SIGKILL */
#define RANK_LOST_MS 500     /* from a closed connection to SIGKILL, for an honest exit status */
#define FOLLOWS_MS 5000      /* an idle gang on several nodes is ended by its lead */
#define CPUS_TEXT 4096       /* as a supervisor gets it */

/* ---- processes ------------------------------------------------------------------------------- */

static double cpu_of(pid_t pid)
{
    struct timespec t;
    clockid_t clock;

    if (pid <= 0 || clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) < 0)
        return 0;
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* "VmRSS:" or "VmHWM:" of /proc/<pid>/status, in bytes. */
static uint64_t memory_of(pid_t pid, const char *key)
{
    char path[64], line[256];
    uint64_t kib = 0;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    if (!(f = fopen(path, "re")))
        return 0;
    while (fgets(line, sizeof line, f)) {
        const char *at = line + strlen(key);

        if (strncmp(line, key, strlen(key)))
            continue;
        at += strspn(at, " \t");
        if (asy_parse_u64(at, strcspn(at, " \n"), &kib, NULL) < 0)
            kib = 0;
        break;
    }
    fclose(f);
    return kib << 10;
}

static double cpu_of_all(const struct asy__gang *gang)
{
    double sum = 0;

    for (uint32_t r = 0; r < gang->ranks; r++)
        sum += cpu_of(gang->pids[r]);
    return sum;
}

static uint64_t rss_of_all(const struct asy__gang *gang, const char *key)
{
    uint64_t most = 0;

    for (uint32_t r = 0; r < gang->ranks; r++) {
        uint64_t rss = memory_of(gang->pids[r], key);

        most = rss > most ? rss : most;
    }
    return most;
}

void asy__gang_usage(const struct asy__gang *gang, double *ret_cpu_s, uint64_t *ret_max_rss)
{
    *ret_cpu_s = cpu_of_all(gang) - gang->cpu_before_s;
    *ret_max_rss = rss_of_all(gang, "VmHWM:");
}

/* ---- starting -------------------------------------------------------------------------------- */

static int copy_gpus(struct asy__gang *gang, const struct asy__job *job, struct asy_error *err)
{
    if (!(gang->gpus = calloc(job->n_gpus + 1, sizeof *gang->gpus)) ||
        !(gang->gpu_shares = calloc(job->n_gpus + 1, sizeof *gang->gpu_shares)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a gang");
    for (; gang->n_gpus < job->n_gpus; gang->n_gpus++) {
        if (!(gang->gpus[gang->n_gpus] = strdup(job->gpus[gang->n_gpus])))
            return asy_fail(err, ASY_E_NOMEM, "no memory for a gang");
        gang->gpu_shares[gang->n_gpus] = job->gpu_shares[gang->n_gpus];
    }
    return 0;
}

/* daemon, id: of the part of a gang that another node's agent leads; else NULL, none. */
static int create(struct asy__job *job, const struct asy__words *daemon, struct asy_id id,
                  struct asy__gang **ret_gang, struct asy_error *err)
{
    struct asy__agent *agent = job->agent;
    struct asy__gang *gang = calloc(1, sizeof *gang);
    int rc;

    if (!gang)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a gang");
    asy__list_init(&gang->conns);
    gang->agent = agent;
    gang->door.fd = -1;
    gang->serial = ++agent->serial;
    gang->ranks = job->ranks;
    gang->all_ranks = asy__all_ranks(job);
    gang->first_rank = job->parts ? job->parts->first_rank : 0;
    gang->part = job->parts ? job->parts->own : 0;
    gang->id = id;
    gang->n_cores = job->n_cores;
    gang->memory = job->memory;
    gang->kill_at_ms = gang->idle_since_ms = INT64_MAX;
    gang->death.rank = -1;
    gang->start_by_ms = asy_clock_ms() + ASY__GANG_START_MS;
    if (!(gang->owner = strdup(job->owner)) ||
        !(gang->pids = calloc(gang->ranks, sizeof *gang->pids)) ||
        !(gang->cores = malloc(gang->n_cores * sizeof *gang->cores))) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for a gang");
        goto out;
    }
    memcpy(gang->cores, job->cores, gang->n_cores * sizeof *gang->cores);
    if ((rc = copy_gpus(gang, job, err)) < 0 ||
        (rc = asy__gang_launch(gang, job, daemon, err)) < 0)
        goto out;
    asy__list_add(&agent->gangs, &gang->node);
    *ret_gang = gang;
    gang = NULL;
out:
    asy__gang_destroy(gang);
    return rc;
}

int asy__gang_spans(const struct asy__gang *gang)
{
    return gang->all_ranks > gang->ranks;
}

int asy__gang_suits(const struct asy__gang *gang, const struct asy__job *job)
{
    return gang->ranks == job->ranks && gang->n_cores == job->n_cores &&
           gang->all_ranks == asy__all_ranks(job) &&
           gang->part == (job->parts ? job->parts->own : 0) && asy__crew_same(gang, job) &&
           !strcmp(gang->owner, job->owner);
}

/* A process sees for good what it was started with. */
static int same_gpus(const struct asy__gang *gang, const struct asy__job *job)
{
    if (gang->n_gpus != job->n_gpus)
        return 0;
    for (size_t i = 0; i < job->n_gpus; i++)
        if (strcmp(gang->gpus[i], job->gpus[i]) != 0 || gang->gpu_shares[i] != job->gpu_shares[i])
            return 0;
    return 1;
}

int asy__gang_can_take(const struct asy__gang *gang, const struct asy__job *job)
{
    return asy__gang_suits(gang, job) && gang->memory == job->memory && same_gpus(gang, job);
}

static int fits(const struct asy__gang *gang, const struct asy__job *job)
{
    return !gang->dying && !gang->dead && !gang->job && !gang->running &&
           gang->greeted == gang->ranks && asy__gang_can_take(gang, job);
}

/* The launcher waits for its ranks' ends and does little else; it goes along all the same. */
static void move_launcher(const struct asy__gang *gang, const struct asy__job *job)
{
    struct asy_error err = ASY_ERROR_INIT;

    if (gang->launcher && asy_cpus_bind_all(gang->launcher, job->cpus, job->n_cpus, &err) < 0)
        asy_warn("gang=%u: its launcher stays on other cores: %s", gang->serial, err.text);
}

/* An idle one, best on the job's cores already. */
static struct asy__gang *reuse(struct asy__job *job)
{
    struct asy__gang *found = NULL;

    ASY__EACH(struct asy__gang, gang, &job->agent->gangs) {
        if (!fits(gang, job))
            continue;
        if (!memcmp(gang->cores, job->cores, job->n_cores * sizeof *job->cores))
            return gang;
        found = found ? found : gang;
    }
    if (found) {
        memcpy(found->cores, job->cores, job->n_cores * sizeof *job->cores);
        move_launcher(found, job);
    }
    return found;
}

/* The CPUs of one rank: neighbours in the node's order, which share caches. */
static size_t cpus_of(const struct asy__gang *gang, uint32_t rank, unsigned *cpus)
{
    size_t share = gang->n_cores / gang->ranks;

    for (size_t i = 0; i < share; i++)
        cpus[i] = gang->agent->node->cpu[gang->cores[rank * share + i]];
    return asy_cpus_sort(cpus, share);
}

static int order_rank(struct asy__conn *conn, struct asy_error *err)
{
    struct asy__gang *gang = conn->gang;
    unsigned *cpus = calloc(gang->n_cores, sizeof *cpus);
    struct asy_buf line;
    char text[CPUS_TEXT];
    int rc;

    if (!cpus)
        return asy_fail(err, ASY_E_NOMEM, "no memory for an order");
    asy_buf_init(&line, ASY_GANG_LINE);
    rc = asy_cpus_format(cpus, cpus_of(gang, (uint32_t)conn->rank, cpus), text, sizeof text, err);
    if (rc == 0 && (rc = asy__order_run(gang->job, text, &line, err)) == 0)
        asy__conn_say(conn, line.data, line.len);
    asy_buf_fini(&line);
    free(cpus);
    return rc;
}

/* Its ranks are there: the order goes to each. */
static void run(struct asy__gang *gang)
{
    struct asy__job *job = gang->job;
    struct asy_error err = ASY_ERROR_INIT;
    struct stat st;

    gang->start_by_ms = INT64_MAX;
    gang->trials++;
    gang->log_from = stat(gang->log, &st) == 0 ? (int64_t)st.st_size : 0;
    gang->cpu_before_s = cpu_of_all(gang);
    gang->running = gang->ranks;
    ASY__EACH(struct asy__conn, conn, &gang->conns)
        if (conn->rank >= 0 && order_rank(conn, &err) < 0) {
            asy__job_doom(job, ASY_CAUSE_NOT_STARTED, err.text);
            return;
        }
    asy__job_started(job, gang->pids[0]);
    if (job->verdict != ASY__GO_ON) /* cancelled while it started */
        asy__gang_tell(gang, job->verdict == ASY__STOP ? "stop" : "pause");
}

void asy__gang_go(struct asy__gang *gang)
{
    if (gang->greeted == gang->ranks && gang->job && gang->job->state == ASY__JOB_STARTING &&
        asy__crew_complete(gang))
        run(gang);
}

static void take(struct asy__gang *gang, struct asy__job *job)
{
    gang->job = job;
    gang->idle_since_ms = INT64_MAX;
    job->gang = gang;
}

int asy__gang_start(struct asy__job *job, struct asy_error *err)
{
    const struct asy__programs *programs = &job->agent->programs;
    struct asy__gang *gang;
    int rc;

    if (!programs->trainer[0] || programs->trainer_note[0])
        return asy_fail(err, ASY_E_NOENT, "%s", programs->trainer_note);
    if (asy__all_ranks(job) > 1 && !programs->mpirun[0])
        return asy_fail(err, ASY_E_NOENT, "cannot find 'mpirun', which %u ranks need",
                        asy__all_ranks(job));
    gang = reuse(job);
    if (!gang && (rc = create(job, NULL, ASY_ID_NONE, &gang, err)) < 0)
        return rc == ASY_E_NOENT ? ASY_E_IO : rc;
    take(gang, job);
    if (gang->crew)
        asy__crew_run(gang);
    asy__gang_go(gang);
    return 0;
}

int asy__gang_follow(struct asy__job *job, struct asy_id id, const struct asy__words *daemon,
                     struct asy_error *err)
{
    const struct asy__programs *programs = &job->agent->programs;
    struct asy__gang *gang;
    int rc;

    if (!programs->trainer[0] || programs->trainer_note[0])
        return asy_fail(err, ASY_E_NOENT, "%s", programs->trainer_note);
    if ((rc = create(job, daemon, id, &gang, err)) < 0)
        return rc;
    take(gang, job);
    return 0;
}

int asy__gang_rejoin(struct asy__job *job, struct asy_id id, struct asy_error *err)
{
    ASY__EACH(struct asy__gang, gang, &job->agent->gangs) {
        if (gang->dead || gang->dying || asy_id_cmp(gang->id, id) != 0)
            continue;
        if (gang->job || gang->running)
            return asy_fail(err, ASY_E_AGAIN, "its ranks are about to end their last trial");
        if (!fits(gang, job))
            break;
        memcpy(gang->cores, job->cores, job->n_cores * sizeof *job->cores);
        move_launcher(gang, job);
        take(gang, job);
        asy__gang_go(gang);
        return 0;
    }
    return asy_fail(err, ASY_E_NOENT, "its part of the warm gang has ended");
}

/* ---- talking --------------------------------------------------------------------------------- */

/* Equal or not, in a time that does not depend on where they differ. */
static int same_token(const char *a, const char *b)
{
    unsigned char diff = strlen(a) != strlen(b);

    for (size_t i = 0; a[i] && b[i]; i++)
        diff |= (unsigned char)(a[i] ^ b[i]);
    return !diff;
}

void asy__gang_hello(struct asy__conn *conn, const struct asy__said *said)
{
    struct asy__gang *gang = conn->gang;
    struct ucred peer = { 0 };
    socklen_t len = sizeof peer;

    int64_t rank = said->rank - gang->first_rank;

    if (conn->rank >= 0 || !same_token(said->token, gang->token) || rank < 0 ||
        rank >= (int64_t)gang->ranks || gang->pids[rank] != 0 ||
        getsockopt(asy_line_fd(conn->line), SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0) {
        asy__door_refused(gang->agent, asy_line_fd(conn->line),
                          "it greeted a gang with a wrong token or rank");
        asy__conn_close(conn);
        return;
    }
    conn->rank = (int)rank;
    gang->pids[conn->rank] = peer.pid;
    gang->greeted++;
    asy__gang_go(gang);
}

void asy__gang_bound(struct asy__conn *conn, const struct asy__said *said)
{
    struct asy__gang *gang = conn->gang;
    unsigned *cpus = calloc(gang->n_cores, sizeof *cpus);
    struct asy_error err = ASY_ERROR_INIT, why = ASY_ERROR_INIT;
    char want[CPUS_TEXT] = "";
    size_t n;
    int rc = ASY_E_NOMEM;

    if (cpus) {
        n = cpus_of(gang, (uint32_t)conn->rank, cpus);
        if ((rc = asy_cpus_format(cpus, n, want, sizeof want, &why)) == 0)
            rc = strcmp(said->cpus, want)
                     ? asy_fail(&why, ASY_E_DENIED, "%s", said->reason)
                     : asy_cpus_check_all(gang->pids[conn->rank], cpus, n, &why);
    }
    free(cpus);
    if (rc == 0 || (rc != ASY_E_DENIED && kill(gang->pids[conn->rank], 0) < 0))
        return; /* it has ended meanwhile: why, its end says */
    asy_fail(&err, ASY_E_DENIED, "rank %d does not run on CPUs %.60s of its lease: %s",
             conn->rank + (int)gang->first_rank, want,
             why.text[0] ? why.text : "it is bound to others");
    asy__job_doom(gang->job, ASY_CAUSE_NOT_STARTED, err.text);
}

void asy__gang_tell(struct asy__gang *gang, const char *what)
{
    char text[64];
    int n = snprintf(text, sizeof text, "{\"do\":\"%s\"}", what);

    ASY__EACH(struct asy__conn, conn, &gang->conns)
        if (conn->rank >= 0)
            asy__conn_say(conn, text, (size_t)n);
}

void asy__gang_rank_lost(struct asy__gang *gang, int rank)
{
    int64_t by = asy_clock_ms() + RANK_LOST_MS;

    if (gang->all_ranks > 1 && rank >= 0)
        asy__death_of_rank(&gang->death, rank + (int)gang->first_rank, gang->pids[rank]);
    if (by < gang->kill_at_ms)
        gang->kill_at_ms = by;
    gang->dying = 1;
}

/* ---- ending ---------------------------------------------------------------------------------- */

/* The present job's part of the gang's log joins what the trainer wrote into the job's own. */
static void copy_log(const struct asy__gang *gang, const struct asy__job *job)
{
    char *path = asy__textf("%s/stderr", job->logs ? job->logs : "");
    int in = open(gang->log, O_RDONLY | O_CLOEXEC), out = -1;
    off_t from = (off_t)gang->log_from;

    if (in >= 0 && path && (out = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) >= 0 &&
        lseek(out, 0, SEEK_END) >= 0) /* O_APPEND would do, but sendfile() refuses it */
        while (sendfile(out, in, &from, 1u << 20) > 0)
            continue; /* until its end, or until the disk is full */
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    free(path);
}

static int has_grown(struct asy__gang *gang)
{
    uint64_t rss = rss_of_all(gang, "VmRSS:");

    if (gang->trials <= 1)
        gang->first_rss = rss;
    return rss > 2 * gang->first_rss + gang->agent->options.gang_growth;
}

void asy__gang_release(struct asy__gang *gang, int healthy)
{
    int plugin = gang->job->spec->study->kind == ASY_RUN_PLUGIN;

    copy_log(gang, gang->job);
    gang->job->gang = NULL;
    gang->job = NULL;
    if (!healthy || plugin || gang->trials >= gang->agent->options.gang_trials || has_grown(gang))
        asy__gang_end(gang);
    else
        gang->idle_since_ms = asy_clock_ms();
}

void asy__gang_end(struct asy__gang *gang)
{
    if (gang->dying)
        return;
    if (asy__gang_spans(gang)) { /* ranks of other nodes would have to be told at the same time */
        asy__gang_kill(gang);
        return;
    }
    gang->dying = 1;
    asy__gang_tell(gang, "exit");
    gang->kill_at_ms = asy_clock_ms() + EXIT_MS;
}

void asy__gang_kill(struct asy__gang *gang)
{
    gang->dying = gang->killed = 1;
    gang->kill_at_ms = INT64_MAX;
    asy_attempt_kill(gang->attempt);
}

/* What the rank that ended first said last; of one that never began, and of mpirun, in the gang's
 * own log. A signal that ended mpirun and did not come from us was before the ranks' ends. */
static void hear_last_words(struct asy__gang *gang, const struct asy__job *job,
                            struct asy_attempt_event *event)
{
    struct asy__death *death = &gang->death;
    char suffix[16] = "", *path;

    if (event->signal && !gang->killed)
        death->rank = -1;
    else
        asy__death_read(death, gang->log, gang->log_from);
    if (death->rank < 0 || !job->started) {
        asy__end_tail(gang->log, gang->log_from, death->words, sizeof death->words);
    } else {
        if (death->rank > 0)
            snprintf(suffix, sizeof suffix, ".%d", death->rank);
        if ((path = asy__textf("%s/stderr%s", job->logs ? job->logs : "", suffix)))
            asy__end_tail(path, 0, death->words, sizeof death->words);
        free(path);
    }
    if (death->rank >= 0 && (death->signal || death->exit_code >= 0 || gang->killed)) {
        event->signal = death->signal; /* not that by which we ended the rest */
        event->exit_code = death->exit_code;
    }
}

/* Its supervisor has ended: so has its job, if it had one. */
static void over(struct asy__gang *gang, const struct asy_attempt_event *seen)
{
    struct asy_attempt_event copy = *seen, *event = &copy;
    struct asy__job *job = gang->job;

    gang->dying = gang->dead = 1;
    if (event->what == ASY_ATTEMPT_ORPHANED)
        gang->agent->sweeping = 1;
    if (!job)
        return;
    if (gang->all_ranks > 1 && event->what == ASY_ATTEMPT_ENDED)
        hear_last_words(gang, job, event);
    copy_log(gang, job);
    gang->job = NULL;
    if (asy_attempt_never_ran(event))
        asy__job_not_begun(job, event);
    else if (!job->started && !job->doom && !job->ordered && !event->out_of_memory)
        asy__job_not_greeted(job, event);
    else
        asy__job_ended(job, event);
    job->gang = NULL;
}

void asy__gang_ready(struct asy__gang *gang)
{
    struct asy_attempt_event event;

    while (!gang->dead && asy_attempt_next(gang->attempt, &event, NULL) == 0) {
        if (event.what == ASY_ATTEMPT_STARTED) {
            gang->launcher = gang->all_ranks > 1 ? event.pid : 0;
            continue;
        }
        /* what its ranks said last comes before the verdict on their end */
        ASY__EACH(struct asy__conn, conn, &gang->conns)
            while (!conn->dead && asy_line_fill(conn->line, NULL) == 0 && gang->job &&
                   asy__conn_listens(conn)) {
                asy__conn_resume(conn);
                if (!conn->more)
                    break;
            }
        over(gang, &event);
    }
}

int64_t asy__gang_timers(struct asy__gang *gang, int64_t now_ms)
{
    int64_t next = INT64_MAX, idle_ms = gang->agent->options.gang_idle_ms;

    if (gang->part > 0)
        idle_ms += FOLLOWS_MS;

    if (gang->dead)
        return next;
    if (now_ms >= gang->start_by_ms) {
        gang->start_by_ms = INT64_MAX;
        if (gang->job)
            asy__job_doom(gang->job, ASY_CAUSE_NOT_STARTED,
                          "the trainer did not connect within 60 s");
        else
            asy_attempt_kill(gang->attempt);
    }
    if (!gang->job && !gang->dying && gang->idle_since_ms != INT64_MAX &&
        now_ms - gang->idle_since_ms >= idle_ms)
        asy__gang_end(gang);
    if (now_ms >= gang->kill_at_ms) {
        gang->kill_at_ms = INT64_MAX;
        gang->killed = 1;
        asy_attempt_kill(gang->attempt);
    }
    if (gang->start_by_ms < next)
        next = gang->start_by_ms;
    if (gang->kill_at_ms < next)
        next = gang->kill_at_ms;
    if (!gang->job && !gang->dying && gang->idle_since_ms != INT64_MAX &&
        gang->idle_since_ms + idle_ms < next)
        next = gang->idle_since_ms + idle_ms;
    return next;
}

void asy__gang_destroy(struct asy__gang *gang)
{
    if (!gang)
        return;
    asy__list_del(&gang->node);
    asy__crew_destroy(gang->crew);
    while (gang->conns.next != &gang->conns)
        asy__conn_destroy((struct asy__conn *)gang->conns.next);
    asy__door_close(&gang->door);
    asy_attempt_destroy(gang->attempt);
    if (gang->scratch)
        ASY_IGNORE(asy_durable_remove(gang->scratch, NULL)); /* else with the agent's */
    free(gang->scratch);
    if (gang->log)
        unlink(gang->log); /* each job has its part */
    free(gang->log);
    free(gang->owner);
    free(gang->pids);
    free(gang->cores);
    for (size_t i = 0; i < gang->n_gpus; i++)
        free(gang->gpus[i]);
    free(gang->gpus);
    free(gang->gpu_shares);
    free(gang);
}
