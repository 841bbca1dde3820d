/* SPDX-License-Identifier: Apache-2.0
 * gang.c - running trainers: one process, or the ranks of one mpirun, kept warm between the trials
 * of one owner.
 *
 * A gang is reused for a lease of the same owner, width and memory limit. Other cores are no
 * obstacle: its ranks and all their threads are bound anew, and read back. It is replaced after a
 * failure, after 200 trials, or when it has grown. Every rank greets with the gang's token before
 * it is believed; rank 0 speaks for all. */
#include "impl.h"
#include <asy/clock.h>
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
#define RANK_LOST_MS 1000    /* from a closed connection to SIGKILL, for an honest exit status */
#define GROWN_BYTES (256u << 20)

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

/* Binds every thread of a rank to its share of the gang's CPUs. */
static int bind_rank(const struct asy__gang *gang, uint32_t rank, struct asy_error *err)
{
    size_t share = gang->n_cpus / gang->ranks;
    const unsigned *cpus = gang->cpus + rank * share;
    struct dirent *entry;
    char path[64];
    int rc = 0;
    DIR *dir;

    snprintf(path, sizeof path, "/proc/%d/task", (int)gang->pids[rank]);
    if (!(dir = opendir(path)))
        return asy_fail_errno(err, errno, "cannot list the threads of rank %u", rank);
    while (rc == 0 && (entry = readdir(dir))) {
        int64_t tid;

        if (asy_parse_i64(entry->d_name, strlen(entry->d_name), &tid, NULL) < 0)
            continue;
        rc = asy_cpus_bind((pid_t)tid, cpus, share, err);
        if (rc == ASY_E_GONE)
            rc = 0; /* that thread has just ended */
    }
    closedir(dir);
    return rc;
}

static int bind_all(const struct asy__gang *gang, struct asy_error *err)
{
    int rc = 0;

    for (uint32_t r = 0; rc == 0 && r < gang->ranks; r++)
        rc = bind_rank(gang, r, err);
    return rc;
}

/* ---- starting -------------------------------------------------------------------------------- */

static int create(struct asy__job *job, struct asy__gang **ret_gang, struct asy_error *err)
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
    gang->n_cpus = job->n_cores;
    gang->memory = job->memory;
    gang->kill_at_ms = gang->idle_since_ms = INT64_MAX;
    gang->start_by_ms = asy_clock_ms() + ASY__GANG_START_MS;
    if (!(gang->owner = strdup(job->owner)) ||
        !(gang->pids = calloc(gang->ranks, sizeof *gang->pids)) ||
        !(gang->cpus = malloc(gang->n_cpus * sizeof *gang->cpus))) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for a gang");
        goto out;
    }
    memcpy(gang->cpus, job->cpus, gang->n_cpus * sizeof *gang->cpus);
    if ((rc = asy__gang_launch(gang, job, err)) < 0)
        goto out;
    asy__list_add(&agent->gangs, &gang->node);
    *ret_gang = gang;
    gang = NULL;
out:
    asy__gang_destroy(gang);
    return rc;
}

static int fits(const struct asy__gang *gang, const struct asy__job *job)
{
    return !gang->dying && !gang->dead && !gang->job && !gang->running &&
           gang->greeted == gang->ranks &&
           gang->ranks == job->ranks && gang->n_cpus == job->n_cores &&
           gang->memory == job->memory && job->n_gpus == 0 && !strcmp(gang->owner, job->owner);
}

/* An idle one, bound to the job's cores. */
static struct asy__gang *reuse(struct asy__job *job)
{
    struct asy_error err = ASY_ERROR_INIT;

    ASY__EACH(struct asy__gang, gang, &job->agent->gangs) {
        if (!fits(gang, job))
            continue;
        if (!memcmp(gang->cpus, job->cpus, job->n_cores * sizeof *job->cpus))
            return gang;
        memcpy(gang->cpus, job->cpus, job->n_cores * sizeof *job->cpus);
        if (bind_all(gang, &err) == 0)
            return gang;
        asy_warn("gang=%u: cannot be moved to other cores: %s, replacing it", gang->serial,
                 err.text);
        asy__gang_end(gang);
    }
    return NULL;
}

/* Its ranks are there: the order goes to each. */
static void run(struct asy__gang *gang)
{
    struct asy__job *job = gang->job;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf line;
    struct stat st;
    int rc;

    gang->start_by_ms = INT64_MAX;
    gang->trials++;
    gang->log_from = stat(gang->log, &st) == 0 ? (int64_t)st.st_size : 0;
    gang->cpu_before_s = cpu_of_all(gang);
    asy_buf_init(&line, ASY_GANG_LINE);
    if ((rc = asy__order_run(job, &line, &err)) < 0) {
        asy__job_doom(job, ASY_CAUSE_NOT_STARTED, err.text);
        asy_buf_fini(&line);
        return;
    }
    ASY__EACH(struct asy__conn, conn, &gang->conns)
        if (conn->rank >= 0)
            asy__conn_say(conn, line.data, line.len);
    gang->running = gang->ranks;
    asy_buf_fini(&line);
    asy__job_started(job, gang->pids[0]);
    if (job->verdict != ASY__GO_ON) /* cancelled while it started */
        asy__gang_tell(gang, job->verdict == ASY__STOP ? "stop" : "pause");
}

int asy__gang_start(struct asy__job *job, struct asy_error *err)
{
    const struct asy__programs *programs = &job->agent->programs;
    struct asy__gang *gang;
    int rc;

    if (!programs->trainer[0] || programs->trainer_note[0])
        return asy_fail(err, ASY_E_NOENT, "%s", programs->trainer_note);
    if (job->ranks > 1 && !programs->mpirun[0])
        return asy_fail(err, ASY_E_NOENT, "cannot find 'mpirun', which %u ranks need",
                        job->ranks);
    gang = reuse(job);
    if (!gang && (rc = create(job, &gang, err)) < 0)
        return rc == ASY_E_NOENT ? ASY_E_IO : rc;
    gang->job = job;
    gang->idle_since_ms = INT64_MAX;
    job->gang = gang;
    if (gang->greeted == gang->ranks)
        run(gang);
    return 0;
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
    struct asy_error err = ASY_ERROR_INIT;
    struct ucred peer = { 0 };
    socklen_t len = sizeof peer;

    if (conn->rank >= 0 || !same_token(said->token, gang->token) ||
        said->rank >= (int64_t)gang->ranks || gang->pids[said->rank] != 0 ||
        getsockopt(asy_line_fd(conn->line), SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0) {
        asy_warn("gang=%u: a process greeted with a wrong token or rank, closed it",
                 gang->serial);
        asy__conn_close(conn);
        return;
    }
    conn->rank = (int)said->rank;
    gang->pids[conn->rank] = peer.pid;
    gang->greeted++;
    if (bind_rank(gang, (uint32_t)conn->rank, &err) < 0 && gang->job) {
        asy_error_prefix(&err, "cannot bind rank %d", conn->rank);
        asy__job_doom(gang->job, ASY_CAUSE_NOT_STARTED, err.text);
        return;
    }
    if (gang->greeted == gang->ranks && gang->job && gang->job->state == ASY__JOB_STARTING)
        run(gang);
}

void asy__gang_tell(struct asy__gang *gang, const char *what)
{
    char text[64];
    int n = snprintf(text, sizeof text, "{\"do\":\"%s\"}", what);

    ASY__EACH(struct asy__conn, conn, &gang->conns)
        if (conn->rank >= 0)
            asy__conn_say(conn, text, (size_t)n);
}

void asy__gang_rank_lost(struct asy__gang *gang)
{
    int64_t by = asy_clock_ms() + RANK_LOST_MS;

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
    return rss > 2 * gang->first_rss + GROWN_BYTES;
}

void asy__gang_release(struct asy__gang *gang, int healthy)
{
    copy_log(gang, gang->job);
    gang->job->gang = NULL;
    gang->job = NULL;
    if (!healthy || gang->trials >= ASY__GANG_TRIALS_MAX || has_grown(gang))
        asy__gang_end(gang);
    else
        gang->idle_since_ms = asy_clock_ms();
}

void asy__gang_end(struct asy__gang *gang)
{
    if (gang->dying)
        return;
    gang->dying = 1;
    asy__gang_tell(gang, "exit");
    gang->kill_at_ms = asy_clock_ms() + EXIT_MS;
}

/* Its supervisor has ended: so has its job, if it had one. */
static void over(struct asy__gang *gang, const struct asy_attempt_event *event)
{
    struct asy__job *job = gang->job;

    gang->dying = gang->dead = 1;
    if (event->what == ASY_ATTEMPT_ORPHANED)
        gang->agent->sweeping = 1;
    if (!job)
        return;
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
        if (event.what == ASY_ATTEMPT_STARTED)
            continue;
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
    int64_t next = INT64_MAX;

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
        now_ms - gang->idle_since_ms >= ASY__GANG_IDLE_MS)
        asy__gang_end(gang);
    if (now_ms >= gang->kill_at_ms) {
        gang->kill_at_ms = INT64_MAX;
        asy_attempt_kill(gang->attempt);
    }
    if (gang->start_by_ms < next)
        next = gang->start_by_ms;
    if (gang->kill_at_ms < next)
        next = gang->kill_at_ms;
    if (!gang->job && !gang->dying && gang->idle_since_ms != INT64_MAX &&
        gang->idle_since_ms + ASY__GANG_IDLE_MS < next)
        next = gang->idle_since_ms + ASY__GANG_IDLE_MS;
    return next;
}

void asy__gang_destroy(struct asy__gang *gang)
{
    if (!gang)
        return;
    asy__list_del(&gang->node);
    while (gang->conns.next != &gang->conns)
        asy__conn_destroy((struct asy__conn *)gang->conns.next);
    asy__door_close(&gang->door);
    asy_attempt_destroy(gang->attempt);
    if (gang->log)
        unlink(gang->log); /* each job has its part */
    free(gang->log);
    free(gang->owner);
    free(gang->pids);
    free(gang->cpus);
    free(gang);
}
