/* SPDX-License-Identifier: Apache-2.0
 * proc.c - starting and watching child processes.
 *
 * fork and exec by hand: posix_spawn can neither start a session nor tie the child to its parent.
 * Everything that needs memory is prepared before the fork; between fork and exec only functions
 * are called that are safe after a signal, since other threads may have held any lock. If a step
 * fails in the child, it sends which one and why through a close-on-exec pipe; the pipe's end
 * without a word is the sign that exec worked. */
#include <asy/proc.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <asy/clock.h>
#include "proc.h"

enum step { STEP_FDS, STEP_CWD, STEP_EXEC };

struct failure {
    enum step step;
    int errnum;
};

/* ---- in the child, after fork: no memory, no locks ---- */

__attribute__((noreturn)) static void give_up(int pipe_fd, enum step step, int errnum)
{
    struct failure failure = { step, errnum };

    /* Shorter than PIPE_BUF: all or nothing. If it fails, the parent is gone. */
    ASY_IGNORE(write(pipe_fd, &failure, sizeof failure) < 0);
    _exit(127);
}

static void reset_signals(void)
{
    struct sigaction action = { .sa_handler = SIG_DFL };
    sigset_t none;

    for (int signum = 1; signum < NSIG; signum++)
        sigaction(signum, &action, NULL); /* refused for SIGKILL, SIGSTOP and libc's own: fine */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void hide_other_fds(int limit)
{
#ifdef SYS_close_range
    if (syscall(SYS_close_range, 3u, ~0u, 1u << 2 /* CLOSE_RANGE_CLOEXEC */) == 0)
        return;
#endif
    for (int fd = 3; fd < limit; fd++) /* kernels before 5.11 */
        fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* Puts the three standard streams in place, hides the rest, shows what is passed. 0 or errno. */
static int arrange_fds(const struct asy_proc_spec *spec, int fd_limit)
{
    int from[3] = { spec->stdin_fd, spec->stdout_fd, spec->stderr_fd };

    for (int i = 0; i < 3; i++) {
        if (from[i] < 0 && i > 0 && fcntl(i, F_GETFD) >= 0)
            from[i] = i;
        if (from[i] < 0 && (from[i] = open("/dev/null", i ? O_WRONLY : O_RDONLY)) < 0)
            return errno;
        /* Out of the way first, since 0, 1 and 2 may be given in any order. */
        if ((from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 3)) < 0)
            return errno;
    }
    for (int i = 0; i < 3; i++)
        if (dup2(from[i], i) < 0)
            return errno;
    hide_other_fds(fd_limit);
    for (size_t i = 0; i < spec->n_pass_fds; i++)
        if (fcntl(spec->pass_fds[i], F_SETFD, 0) < 0)
            return errno;
    return 0;
}

/* Tries the candidates in turn, as execvp does: what is not there is passed over, what may not be
 * run is remembered. Returns errno. */
static int exec_first(char *const *candidates, const char *const *argv, char *const *env)
{
    int denied = 0;

    for (; *candidates; candidates++) {
        union {
            const char *const *in;
            char *const *out;
        } args = { argv }; /* execve changes nothing of it, its type says otherwise */

        execve(*candidates, args.out, env);
        if (errno == EACCES)
            denied = 1;
        else if (errno != ENOENT && errno != ENOTDIR)
            return errno;
    }
    return denied ? EACCES : ENOENT;
}

__attribute__((noreturn)) static void child(const struct asy_proc_spec *spec,
                                            const struct asy__image *image, int pipe_fd,
                                            pid_t parent, int fd_limit)
{
    int errnum;

    reset_signals();
    if (spec->new_session)
        setsid(); /* fails only for a group leader, which a new child never is */
    if (spec->death_signal) {
        prctl(PR_SET_PDEATHSIG, spec->death_signal);
        if (getppid() != parent) /* it died before the line above */
            _exit(127);
    }
    if ((errnum = arrange_fds(spec, fd_limit)))
        give_up(pipe_fd, STEP_FDS, errnum);
    if (spec->cwd && chdir(spec->cwd) < 0)
        give_up(pipe_fd, STEP_CWD, errno);
    give_up(pipe_fd, STEP_EXEC, exec_first(image->candidates, spec->argv, image->env));
}

/* ---- in the parent ---- */

static int check_spec(const struct asy_proc_spec *spec, struct asy_error *err)
{
    if (!spec->argv || !spec->argv[0] || !spec->argv[0][0])
        return asy_fail(err, ASY_E_INVAL, "cannot start a program without a name");
    for (size_t i = 0; i < spec->n_pass_fds; i++)
        if (spec->pass_fds[i] < 3)
            return asy_fail(err, ASY_E_INVAL, "cannot start '%s': descriptor %d cannot be passed",
                            spec->argv[0], spec->pass_fds[i]);
    return 0;
}

/* A close-on-exec pipe away from the standard streams, in case those are closed here. */
static int error_pipe(int fds[2], struct asy_error *err)
{
    int low[2], errnum;

    if (pipe2(low, O_CLOEXEC) < 0)
        return asy_fail_errno(err, errno, "cannot make a pipe");
    fds[0] = fcntl(low[0], F_DUPFD_CLOEXEC, 3);
    fds[1] = fcntl(low[1], F_DUPFD_CLOEXEC, 3);
    errnum = errno;
    close(low[0]);
    close(low[1]);
    if (fds[0] >= 0 && fds[1] >= 0)
        return 0;
    return asy_fail_errno(err, errnum, "cannot make a pipe");
}

static pid_t fork_child(const struct asy_proc_spec *spec, const struct asy__image *image,
                        int pipe_fd)
{
    struct rlimit limit = { 1024, 1024 };
    pid_t parent = getpid(), pid;
    sigset_t all, before;

    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur > 1 << 20)
        limit.rlim_cur = 1 << 20;
    /* No handler of ours may run in the child before it has reset them. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if ((pid = fork()) == 0)
        child(spec, image, pipe_fd, parent, (int)limit.rlim_cur);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pid;
}

static void reap(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* Waits until the child has become the program, or says why it did not. */
static int await_exec(const struct asy_proc_spec *spec, int pipe_fd, struct asy_error *err)
{
    struct failure failure;
    ssize_t n;

    do
        n = read(pipe_fd, &failure, sizeof failure);
    while (n < 0 && errno == EINTR);
    if (n == 0)
        return 0;
    if (n != (ssize_t)sizeof failure)
        return asy_fail(err, ASY_E_IO, "cannot start '%s': lost its answer", spec->argv[0]);
    switch (failure.step) {
    case STEP_FDS:
        return asy_fail_errno(err, failure.errnum, "cannot start '%s': cannot pass its files",
                              spec->argv[0]);
    case STEP_CWD:
        return asy_fail_errno(err, failure.errnum, "cannot start '%s': cannot enter '%s'",
                              spec->argv[0], spec->cwd);
    default:
        return asy_fail_errno(err, failure.errnum, "cannot start '%s'", spec->argv[0]);
    }
}

int asy_proc_start(const struct asy_proc_spec *spec, struct asy_proc *ret_proc,
                   struct asy_error *err)
{
    struct asy__image image = { NULL, NULL };
    int fds[2] = { -1, -1 }, pidfd = -1, rc;
    pid_t pid = -1;

    if ((rc = check_spec(spec, err)) || (rc = asy__image_make(spec, &image, err)) ||
        (rc = error_pipe(fds, err)))
        goto out;
    if ((pid = fork_child(spec, &image, fds[1])) < 0) {
        rc = asy_fail_errno(err, errno, "cannot start '%s'", spec->argv[0]);
        goto out;
    }
    close(fds[1]);
    fds[1] = -1;
    /* The number cannot be another process's yet: only we reap it. */
    if ((pidfd = (int)syscall(SYS_pidfd_open, pid, 0)) < 0) {
        rc = asy_fail_errno(err, errno, "cannot watch '%s'", spec->argv[0]);
        kill(pid, SIGKILL);
    } else {
        rc = await_exec(spec, fds[0], err);
    }
    if (rc) {
        reap(pid);
        goto out;
    }
    *ret_proc = (struct asy_proc){ pid, pidfd };
    pidfd = -1;
out:
    for (int i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    if (pidfd >= 0)
        close(pidfd);
    asy__image_fini(&image);
    return rc;
}

/* 1: the child has ended. 0: time is up. -1: errno. */
static int await_end(int pidfd, int timeout_ms)
{
    int64_t until = timeout_ms > 0 ? asy_clock_ms() + timeout_ms : 0;
    struct pollfd p = { .fd = pidfd, .events = POLLIN };
    int n, left = timeout_ms;

    while ((n = poll(&p, 1, left)) < 0 && errno == EINTR) {
        if (timeout_ms <= 0)
            continue;
        left = (int)(until - asy_clock_ms());
        if (left < 0)
            left = 0;
    }
    return n;
}

int asy_proc_wait(struct asy_proc *proc, int timeout_ms, int *ret_status, struct asy_error *err)
{
    int status, n;
    pid_t got;

    if (proc->pid <= 0 || proc->pidfd < 0)
        return asy_fail(err, ASY_E_GONE, "the process was waited for already");
    n = await_end(proc->pidfd, timeout_ms);
    if (n < 0)
        return asy_fail_errno(err, errno, "cannot watch process %d", (int)proc->pid);
    if (n == 0)
        return asy_fail(err, ASY_E_TIMEOUT, "process %d still runs", (int)proc->pid);
    do
        got = waitpid(proc->pid, &status, 0);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return asy_fail_errno(err, errno, "cannot wait for process %d", (int)proc->pid);
    proc->pid = -1;
    if (ret_status)
        *ret_status = status;
    return 0;
}

int asy_proc_signal(const struct asy_proc *proc, int signum)
{
    if (proc->pid <= 0 || proc->pidfd < 0)
        return ASY_E_GONE;
    if (syscall(SYS_pidfd_send_signal, proc->pidfd, signum, NULL, 0) == 0)
        return 0;
    return errno == ESRCH ? ASY_E_GONE : asy_fail_errno(NULL, errno, "signal %d", signum);
}

void asy_proc_close(struct asy_proc *proc)
{
    int saved = errno;

    if (proc->pidfd >= 0)
        close(proc->pidfd);
    *proc = (struct asy_proc)ASY_PROC_INIT;
    errno = saved;
}

const char *asy_proc_status_text(int status, char text[64])
{
    const char *name;

    if (WIFEXITED(status)) {
        snprintf(text, 64, "exit code %d", WEXITSTATUS(status));
    } else if (WIFSIGNALED(status)) {
        name = sigabbrev_np(WTERMSIG(status));
        if (name)
            snprintf(text, 64, "signal %d (SIG%s)", WTERMSIG(status), name);
        else
            snprintf(text, 64, "signal %d", WTERMSIG(status));
    } else {
        snprintf(text, 64, "status 0x%x", (unsigned)status);
    }
    return text;
}

static int is_there(pid_t pid)
{
    return kill(pid, 0) == 0 || errno != ESRCH;
}

int asy_proc_lives(int64_t pid)
{
    char path[64], text[512], *state;
    ssize_t n;
    int fd;

    if (pid <= 0 || pid > INT32_MAX || !is_there((pid_t)pid))
        return 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        return is_there((pid_t)pid); /* it has just gone, or /proc is not mounted */
    n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    state = strrchr(text, ')'); /* "pid (name) state ...", and the name may hold anything */
    return !state || !state[1] || (state[2] != 'Z' && state[2] != 'X');
}
