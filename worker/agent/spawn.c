/* SPDX-License-Identifier: Apache-2.0
 * spawn.c - starting the program of an attempt.
 *
 * asy/proc.h cannot be used: between fork and exec the child must wait until its parent has put it
 * into the group and has read its CPU mask back, so that the program never runs a single
 * instruction unbound. The supervisor has one thread, so the child may call what it likes.
 *
 *   child: session, death signal, files, CPUs  --'r'-->  parent: group, reads the mask
 *   child: exec  <--'g'--                       parent; end of file on `up` means exec succeeded
 */
#include "spawn.h"
#include <asy/attempt.h>
#include <asy/told.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the child writes up; one write(2) below PIPE_BUF, so it arrives whole. */
struct word {
    char what; /* 'r'eady, 'd'enied, 'm'issing, 'f'ailed */
    char text[240];
};

static void say(int up, char what, const char *text)
{
    struct word word = { .what = what };

    snprintf(word.text, sizeof word.text, "%s", text);
    ASY_IGNORE(write(up, &word, sizeof word) < 0); /* the parent sees the end of file instead */
}

static int open_onto(const char *path, int flags, int fd)
{
    int opened = open(path ? path : "/dev/null", flags | O_CLOEXEC, 0600);

    if (opened < 0)
        return -1;
    if (opened == fd)
        return fcntl(fd, F_SETFD, 0);
    if (dup2(opened, fd) < 0)
        return -1;
    close(opened);
    return 0;
}

static int set_files(const struct asy__spawn *spawn)
{
    if (spawn->out_fd >= 0) {
        if (dup2(spawn->out_fd, 1) < 0)
            return -1;
    } else if (open_onto(spawn->out, O_WRONLY | O_CREAT | O_APPEND, 1) < 0) {
        return -1;
    }
    if (open_onto(spawn->err, O_WRONLY | O_CREAT | O_APPEND, 2) < 0)
        return -1;
    return open_onto(NULL, O_RDONLY, 0);
}

/* When memory runs out, the kernel shall take the trial, not the agent. */
static void volunteer(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd >= 0) {
        ASY_IGNORE(write(fd, "500", 3) < 0); /* refused only if it is higher already */
        close(fd);
    }
}

static void default_signals(int deaf)
{
    sigset_t blocked;

    for (int signum = 1; signum < NSIG; signum++)
        signal(signum, SIG_DFL); /* fails for those that cannot be caught: fine */
    sigemptyset(&blocked);
    if (deaf) {
        asy_told_signals(&blocked);
        sigaddset(&blocked, SIGHUP);
    }
    sigprocmask(SIG_SETMASK, &blocked, NULL);
}

/* Nothing that passes: what there is under this name is no program that may be run. */
static int is_missing(int errnum)
{
    return errnum == ENOENT || errnum == ENOTDIR || errnum == EACCES || errnum == ENOEXEC;
}

__attribute__((noreturn)) static void child(const struct asy__spawn *spawn, pid_t parent, int up,
                                            int go)
{
    struct asy_error err = ASY_ERROR_INIT;
    char c;

    setsid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127); /* the supervisor died before the line above */
    default_signals(spawn->deaf);
    volunteer();
    if (spawn->n_cpus && asy_cpus_bind(0, spawn->cpus, spawn->n_cpus, &err) < 0) {
        say(up, 'd', err.text);
        _exit(127);
    }
    if (set_files(spawn) < 0) {
        asy_fail_errno(&err, errno, "cannot open its log files");
        say(up, 'f', err.text);
        _exit(127);
    }
    say(up, 'r', "");
    if (read(go, &c, 1) != 1)
        _exit(127);
    execvp(spawn->argv[0], spawn->argv);
    asy_fail_errno(&err, errno, "cannot start '%s'", spawn->argv[0]);
    say(up, is_missing(errno) ? 'm' : 'f', err.text);
    _exit(127);
}

/* The binding as the kernel has it, read from outside. */
static int verify(const struct asy__spawn *spawn, pid_t pid, struct asy_error *err)
{
    static unsigned have[ASY__SPAWN_CPUS];
    size_t n;
    int rc;

    if (!spawn->n_cpus)
        return 0;
    if ((rc = asy_cpus_read(pid, have, ASY__SPAWN_CPUS, &n, err)) < 0)
        return rc;
    if (n != spawn->n_cpus || memcmp(have, spawn->cpus, n * sizeof have[0]))
        return asy_fail(err, ASY_E_DENIED, "process %d is not bound as asked", (int)pid);
    return 0;
}

/* 0 and a word, 1 at end of file. */
static int hear(int up, struct word *ret_word)
{
    ssize_t n;

    do
        n = read(up, ret_word, sizeof *ret_word);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof *ret_word)
        return 1;
    ret_word->text[sizeof ret_word->text - 1] = '\0';
    return 0;
}

static int judge(const struct word *word, struct asy_error *err)
{
    switch (word->what) {
    case 'd': return asy_fail(err, ASY_E_DENIED, "%s", word->text);
    case 'm': return asy_fail(err, ASY_E_NOENT, "%s", word->text);
    default: return asy_fail(err, ASY_E_IO, "%s", word->text);
    }
}

static int shake_hands(const struct asy__spawn *spawn, const struct asy__cgroup *group, pid_t pid,
                       int up, int go, struct asy_error *err)
{
    struct word word;
    int rc;

    if (hear(up, &word) == 1)
        return asy_fail(err, ASY_E_GONE, "the child ended before it could start the program");
    if (word.what != 'r')
        return judge(&word, err);
    if (group->path[0] && asy__cgroup_join(group, pid) < 0)
        return asy_fail_errno(err, errno, "cannot move the program into '%s'", group->path);
    if ((rc = verify(spawn, pid, err)) < 0)
        return rc;
    if (write(go, "g", 1) != 1)
        return asy_fail_errno(err, errno, "cannot release the child");
    if (hear(up, &word) == 0)
        return judge(&word, err);
    return 0;
}

int asy__spawn(const struct asy__spawn *spawn, const struct asy__cgroup *group, pid_t *ret_pid,
               struct asy_error *err)
{
    int up[2] = { -1, -1 }, go[2] = { -1, -1 };
    pid_t pid = -1, self = getpid();
    int rc;

    if (pipe2(up, O_CLOEXEC) < 0 || pipe2(go, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
        rc = asy_fail_errno(err, errno, "cannot start a process");
        goto out;
    }
    if (pid == 0)
        child(spawn, self, up[1], go[0]);
    close(up[1]);
    close(go[0]);
    up[1] = go[0] = -1;
    rc = shake_hands(spawn, group, pid, up[0], go[1], err);
    if (rc < 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    } else {
        *ret_pid = pid;
    }
out:
    for (int i = 0; i < 2; i++) {
        if (up[i] >= 0)
            close(up[i]);
        if (go[i] >= 0)
            close(go[i]);
    }
    return rc;
}
