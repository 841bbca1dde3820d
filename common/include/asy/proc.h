/* SPDX-License-Identifier: Apache-2.0
 * asy/proc.h - starting and watching child processes.
 *
 * A child gets exactly the descriptors it is given (all others are close-on-exec), an environment
 * built here, a session of its own if asked, default signal dispositions and an empty signal mask.
 * Death is seen through a pidfd, so it can stand in a poll set.
 *
 * Threads: any; a struct asy_proc has one owner. */
#ifndef ASY_PROC_H
#define ASY_PROC_H
#include <sys/types.h>
#include <asy/buf.h>

struct asy_proc_spec {
    const char *const *argv;    /* argv[0] is looked up in the child's PATH unless it has a slash */
    const char *const *env_set; /* NULL-terminated "K=V"; replaces inherited values; of several for
                                 * one K the last counts; NULL: none */
    const char *const *env_drop;/* NULL-terminated; "K" or a prefix "K*"; NULL: none */
    const char *cwd;            /* NULL: inherited */
    int stdin_fd, stdout_fd, stderr_fd; /* -1: /dev/null for stdin, inherited for the others */
    const int *pass_fds;        /* kept open under the same number in the child */
    size_t n_pass_fds;
    int new_session;            /* setsid() */
    int death_signal;           /* that the child gets when we die (PR_SET_PDEATHSIG); 0: none. The
                                 * kernel means the thread that calls asy_proc_start: it must live
                                 * as long as the child should */
};
#define ASY_PROC_SPEC_INIT { NULL, NULL, NULL, NULL, -1, -1, -1, NULL, 0, 0, 0 }

/* What a child that is started so finds in its environment under this name; NULL: nothing. Borrowed
 * from the spec or this process's environment. */
const char *asy_proc_env(const struct asy_proc_spec *spec, const char *name);

struct asy_proc {
    pid_t pid;
    int pidfd; /* readable when the child has ended */
};
#define ASY_PROC_INIT { -1, -1 }

/* ASY_E_NOENT: no such program; the exec error of the child is reported here, not as an exit. */
ASY_MUST_CHECK int asy_proc_start(const struct asy_proc_spec *spec, struct asy_proc *ret_proc,
                                  struct asy_error *err);
/* Reaps. timeout_ms < 0: waits; 0: asks. ASY_E_TIMEOUT if it still runs. ret_status as waitpid. */
ASY_MUST_CHECK int asy_proc_wait(struct asy_proc *proc, int timeout_ms, int *ret_status,
                                 struct asy_error *err);
int asy_proc_signal(const struct asy_proc *proc, int signum); /* 0, or ASY_E_GONE */
void asy_proc_close(struct asy_proc *proc); /* the pidfd only; kills nothing */
/* 0: there is certainly no such process any more, or all that is left of it waits to be reaped
 * (where nobody reaps it, in a container without an init, that is for good). Else 1. */
int asy_proc_lives(int64_t pid);
/* Runs a program to its end. What it prints is appended to ret_out and ret_errors; NULL: that
 * stream is as spec says. One that still runs, or whose output is still open, after timeout_ms
 * (< 0: no limit) is killed: ASY_E_TIMEOUT; so is one that prints more than a buffer may hold:
 * ASY_E_TOOBIG. On failure the buffers hold what came until then. ret_status as waitpid. */
ASY_MUST_CHECK int asy_proc_capture(const struct asy_proc_spec *spec, int timeout_ms,
                                    struct asy_buf *ret_out, struct asy_buf *ret_errors,
                                    int *ret_status, struct asy_error *err);
/* "exit code 3", "signal 9 (SIGKILL)". text holds 64 bytes. */
const char *asy_proc_status_text(int status, char text[64]);
/* The folder that holds the running program (from /proc/self/exe), so that the programs of one
 * installation or build tree find each other. */
ASY_MUST_CHECK int asy_proc_self_dir(char *ret_path, size_t size, struct asy_error *err);
/* Finds a program of ours: beside the running one, else in ../libexec/assay, else in PATH. */
ASY_MUST_CHECK int asy_proc_find_program(const char *name, char *ret_path, size_t size,
                                         struct asy_error *err);
#endif
