/* SPDX-License-Identifier: Apache-2.0
 * step.c - see step.h. */
#include "step.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <asy/fs.h>
#include <asy/log.h>
#include <asy/parse.h>
#include <asy/settings.h>
#include <asy/slurm.h>

#define SAID_MAX (1u << 20)
#define GONE_MS 5000
#define LOOK_MS 25000 /* in which a living coordinator marks its store twice */
#define PATIENCE "5m"
#define READY "ready node="

static const char *variable(const char *name)
{
    const char *value = getenv(name);

    return value ? value : "";
}

/* ---- starting it ----------------------------------------------------------------------------- */

/* One task on each node, for as long as the job lasts; the death of one leaves the others alone. */
void asy__step_words(const char **argv, int *n, int64_t nodes, const char *agent)
{
    static const char *const rest[] = {
        "--kill-on-bad-exit=0", "--wait=0", "--no-kill",
        "--overlap", /* with one before it that has not quite ended */
        "--mpi=none", "--input=none", "--label",
    };
    static char words[2][32], per_task[48];
    const char *cores = getenv("SLURM_CPUS_PER_TASK");

    snprintf(words[0], sizeof words[0], "--nodes=%" PRId64, nodes);
    snprintf(words[1], sizeof words[1], "--ntasks=%" PRId64, nodes);
    argv[(*n)++] = words[0];
    argv[(*n)++] = words[1];
    if (cores && *cores) { /* srun does not look at that by itself */
        snprintf(per_task, sizeof per_task, "--cpus-per-task=%.20s", cores);
        argv[(*n)++] = per_task;
    }
    for (size_t i = 0; i < ASY_ARRAY_LEN(rest); i++)
        argv[(*n)++] = rest[i];
    argv[(*n)++] = agent;
    argv[(*n)++] = "node";
    argv[(*n)++] = "--agent";
}

int asy__step_listen(struct asy__step *step, int *ret_to, struct asy_error *err)
{
    int fds[2];

    asy__step_fini(step);
    if (pipe2(fds, O_CLOEXEC) < 0)
        return asy_fail_errno(err, errno, "cannot make a pipe");
    asy_buf_init(&step->said, SAID_MAX);
    step->from = fds[0];
    *ret_to = fds[1];
    return 0;
}

void asy__step_fini(struct asy__step *step)
{
    if (step->from < 0)
        return;
    close(step->from);
    step->from = -1;
    asy_buf_fini(&step->said);
}

/* ---- what its tasks say ---------------------------------------------------------------------- */

static char *path_of(const char *home, char path[4200])
{
    snprintf(path, 4200, "%s/step", home);
    return path;
}

/* This job, until it is requeued. */
static const char *this_run(char text[64])
{
    const char *restarts = variable("SLURM_RESTART_COUNT");

    snprintf(text, 64, "%.31s/%.23s", variable("SLURM_JOB_ID"), *restarts ? restarts : "0");
    return text;
}

/* For a node that takes our place. */
static void remember(const char *home, const char *step)
{
    char path[4200], run[64];
    FILE *f = fopen(path_of(home, path), "we");

    if (!f)
        return; /* then such a node would start agents beside those that there are */
    fprintf(f, "%s %s.%s\n", this_run(run), variable("SLURM_JOB_ID"), step);
    fclose(f);
}

/* "0: ready node=n1 pid=123 step=0" */
static int read_ready(const char *line, char node[64], int64_t *ret_pid, char step[32])
{
    const char *at = strstr(line, READY);
    char pid[24];

    return at && sscanf(at, READY "%63s pid=%23[0-9] step=%31[0-9]", node, pid, step) == 3 &&
           asy_parse_i64(pid, strlen(pid), ret_pid, NULL) == 0;
}

static pid_t all_ready(const struct asy__step *step, const char *home, int64_t nodes)
{
    char node[64], number[32] = "", own[32] = "";
    int64_t n = 0, pid, here = 0;

    for (const char *line = step->said.data, *end; (end = strchr(line, '\n')); line = end + 1) {
        if (!read_ready(line, node, &pid, number))
            continue;
        n++;
        if (!strcmp(node, variable("SLURMD_NODENAME"))) {
            here = pid;
            snprintf(own, sizeof own, "%s", number);
        }
    }
    if (n < nodes || here == 0)
        return 0;
    remember(home, own);
    return (pid_t)here;
}

void asy__step_hear(struct asy__step *step, const char *home, int64_t nodes, pid_t *ret_here)
{
    char *room = asy_buf_room(&step->said, 4096);
    ssize_t n = room ? read(step->from, room, 4096) : -1;
    pid_t here;

    if (n <= 0) { /* srun has ended, or says more than tasks ever do: it stays */
        asy__step_fini(step);
        return;
    }
    asy_buf_grew(&step->said, (size_t)n);
    if ((here = all_ready(step, home, nodes)) > 0) {
        asy__step_fini(step);
        *ret_here = here;
    }
}

/* ---- letting go of srun ---------------------------------------------------------------------- */

/* Kills what each of its threads has forked; how many there were. */
static int kill_children(pid_t pid)
{
    char path[300], text[512];
    struct dirent *entry;
    int64_t child;
    int n = 0;
    DIR *dir;

    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    dir = opendir(path);
    while (dir && (entry = readdir(dir))) {
        FILE *f;

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%d/task/%s/children", (int)pid, entry->d_name);
        if (!(f = fopen(path, "re")))
            continue;
        while (fscanf(f, "%500s", text) == 1)
            if (asy_parse_i64(text, strlen(text), &child, NULL) == 0 && child > 1 &&
                kill((pid_t)child, SIGKILL) == 0)
                n++;
        fclose(f);
    }
    if (dir)
        closedir(dir);
    return n;
}

/* Its watcher would end the step when srun dies, so it goes first, and srun must not start another
 * one meanwhile. A kernel that does not show the watcher keeps srun. */
int asy__step_let_go(struct asy_proc *srun, pid_t here, struct asy_error *err)
{
    struct asy_proc task = { here, (int)syscall(SYS_pidfd_open, here, 0) };

    if (task.pidfd < 0)
        return asy_fail_errno(err, errno, "cannot watch process %d", (int)here);
    if (asy_proc_signal(srun, SIGSTOP) < 0 || kill_children(srun->pid) == 0) {
        ASY_IGNORE(asy_proc_signal(srun, SIGCONT)); /* it may have ended */
        asy_proc_close(&task);
        return asy_fail(err, ASY_E_STATE, "srun has no watcher that could be seen");
    }
    ASY_IGNORE(asy_proc_signal(srun, SIGKILL));
    ASY_IGNORE(asy_proc_wait(srun, GONE_MS, NULL, NULL));
    asy_proc_close(srun);
    *srun = task;
    return 0;
}

void asy__step_clear(const char *home)
{
    char path[4200], run[64], now[64], step[64];
    FILE *f = fopen(path_of(home, path), "re");
    int n;

    if (!f)
        return;
    n = fscanf(f, "%63s %63s", run, step);
    fclose(f);
    if (n == 2 && !strcmp(run, this_run(now))) /* else it went with its job */
        ASY_IGNORE(asy_slurm_warn(step, NULL)); /* it may be over */
    ASY_IGNORE(unlink(path) < 0);
}

/* ---- in a task ------------------------------------------------------------------------------- */

int asy__step_log(const char *home, int *ret_say, struct asy_error *err)
{
    char path[4300];
    int say, log, rc = 0;

    snprintf(path, sizeof path, "%s/node-%s.log", home, variable("SLURMD_NODENAME"));
    if ((log = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)) < 0)
        return asy_fail_errno(err, errno, "cannot open '%s'", path);
    if ((say = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)) < 0 || dup2(log, STDOUT_FILENO) < 0 ||
        dup2(log, STDERR_FILENO) < 0)
        rc = asy_fail_errno(err, errno, "cannot write to '%s'", path);
    close(log);
    if (rc == 0)
        *ret_say = say;
    else if (say >= 0)
        close(say);
    return rc;
}

void asy__step_say(int say)
{
    dprintf(say, READY "%s pid=%d step=%s\n", variable("SLURMD_NODENAME"), (int)getpid(),
            variable("SLURM_STEP_ID"));
    close(say);
}

/* ---- without a coordinator ------------------------------------------------------------------- */

int asy__step_patience(const char *home, const char **ret_time, struct asy_error *err)
{
    struct asy_settings *settings = NULL;
    char path[4200];
    int rc;

    snprintf(path, sizeof path, "%s/config.yaml", home);
    if ((rc = asy_settings_load(path, &settings, err)) < 0)
        return rc;
    *ret_time = strcmp(asy_settings_origin(settings, "orphan_exit"), "default") ? "" : PATIENCE;
    asy_settings_destroy(settings);
    return 0;
}

static int64_t mtime_us(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000000 + st->st_mtim.tv_nsec / 1000;
}

/* Opened, since a network file system may tell of the past otherwise. */
int64_t asy__step_beat_us(const char *home)
{
    int64_t us = 0;
    struct stat st;
    char path[4300];
    int fd;

    snprintf(path, sizeof path, "%s/store/assay.lock", home);
    if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        return 0;
    if (fstat(fd, &st) == 0)
        us = mtime_us(&st);
    close(fd);
    return us;
}

/* By the clock of the file system that the home is on: our log there, touched. 0: unknown. */
static int64_t file_now_us(const char *home)
{
    struct stat log, folder;

    if (stat(home, &folder) < 0 || futimens(STDERR_FILENO, NULL) < 0 ||
        fstat(STDERR_FILENO, &log) < 0 || log.st_dev != folder.st_dev)
        return 0;
    return mtime_us(&log);
}

int64_t asy__step_silence_ms(const char *home, int64_t beat_us)
{
    int64_t now_us = file_now_us(home), quiet_ms = now_us > beat_us ? (now_us - beat_us) / 1000 : 0;
    int64_t dead_ms;
    char name[32];
    int network;

    dead_ms = asy_fs_of(home, name, &network, NULL) == 0 && !network ? 40000 : 120000;
    if (beat_us == 0)
        return dead_ms;
    return quiet_ms < dead_ms - LOOK_MS ? dead_ms - quiet_ms : LOOK_MS;
}

int asy__step_give_up(struct asy_error *err)
{
    struct asy_slurm_job job;
    int rc = asy_slurm_look(&job, 0, err);

    if (rc < 0)
        return rc;
    asy_warn("the coordinator is dead and nobody of its node starts another: %s job %s",
             job.requeue ? "putting back into the queue" : "cancelling, as it may not be requeued,",
             job.id);
    return job.requeue ? asy_slurm_requeue(job.id, err) : asy_slurm_cancel(job.id, err);
}
