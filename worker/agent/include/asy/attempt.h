/* SPDX-License-Identifier: Apache-2.0
 * asy/attempt.h - one program under supervision: what it is started with, and what is heard of it.
 *
 * The agent never starts a user's program itself. It starts `assay-attempt`, a small process that
 * binds, limits and starts the program, collects every process that descends from it (daemons
 * included), and answers over one socket, its line to the agent. End of file on that line means
 * that the agent is gone: the supervisor then kills all descendants and ends. While the agent
 * lives, an attempt is over (ENDED) only when no descendant is left.
 *
 *   agent -> supervisor   "term\n" (SIGTERM to all of them), "kill\n" (SIGKILL until none is left)
 *   supervisor -> agent   {"started":{"pid":7,"cpus":"0,2-3"}}
 *                         {"refused":"<why the binding or the limits did not hold>"}
 *                         {"missing":"<why there is no such program to start>"}
 *                         {"failed":"<why the program did not start>"}
 *                         {"ended":{"exit":0|"signal":9,"cpu_s":1.5,"max_rss":4096,"oom":false,
 *                                   "left":0,"note":""}}
 * An attempt that never ran ends with that line; there is no "ended" after it.
 *
 * Ownership: create/destroy. Threads: one owner. */
#ifndef ASY_ATTEMPT_H
#define ASY_ATTEMPT_H
#include <sys/types.h>
#include <asy/cpus.h>

struct asy_attempt_spec {
    const char *supervisor;      /* path of assay-attempt */
    const char *const *argv;     /* NULL-terminated; argv[0] is looked up in PATH without a slash */
    const char *const *env_set;  /* as in asy/proc.h */
    const char *const *env_drop;
    const char *cwd;             /* NULL: the agent's */
    const unsigned *cpus;        /* [n_cpus] logical CPUs of the kernel; none: not bound */
    size_t n_cpus;
    const char *stdout_path;     /* appended to; NULL: /dev/null */
    const char *stderr_path;
    int stdout_fd;               /* >= 0: the program's stdout instead of stdout_path; stays the
                                    caller's */
    uint64_t memory;             /* bytes for all its processes together; 0: no limit */
    const char *cgroup;          /* a folder of cgroup v2 in which groups may be made; NULL: none */
    const char *scratch;         /* a folder that goes when nothing runs any more; NULL: none */
    int deaf;                    /* starts with the signals blocked that warn a batch job */
    int no_linger;               /* what outlives the program is killed at once, not after 1 s */
};

enum asy_attempt_what {
    ASY_ATTEMPT_STARTED = 1,
    ASY_ATTEMPT_REFUSED = 2,     /* text; it never ran */
    ASY_ATTEMPT_FAILED = 3,      /* text; it never ran */
    ASY_ATTEMPT_ENDED = 4,       /* nothing of it is left */
    ASY_ATTEMPT_ORPHANED = 5,    /* the supervisor died; what is left of the tree is unknown */
    ASY_ATTEMPT_MISSING = 6,     /* text; it never ran, and would not the next time */
};
struct asy_attempt_event {
    enum asy_attempt_what what;
    pid_t pid;                   /* STARTED: of the program */
    char cpus[256];              /* STARTED: as read back from the kernel */
    char text[240];              /* REFUSED, FAILED, MISSING; ENDED: a note, or "" */
    int exit_code;               /* ENDED: -1 if a signal ended it */
    int signal;                  /* ENDED: 0 if it exited */
    double cpu_s;                /* ENDED: user and system time of all its processes */
    uint64_t max_rss;            /* ENDED: bytes, the largest single process (or group, if known) */
    int out_of_memory;           /* ENDED: killed at its memory limit or by the kernel for it */
    unsigned left;               /* ENDED: processes that outlived the program and were killed */
};

struct asy_attempt;
ASY_MUST_CHECK int asy_attempt_start(const struct asy_attempt_spec *spec,
                                     struct asy_attempt **ret_attempt, struct asy_error *err);
/* Hangs up: a supervisor that still works kills its tree. Waits for it 5 s at most. */
void asy_attempt_destroy(struct asy_attempt *attempt);
int asy_attempt_fd(const struct asy_attempt *attempt);  /* poll for POLLIN */
pid_t asy_attempt_pid(const struct asy_attempt *attempt); /* of the supervisor */
/* The next event; ASY_E_AGAIN: none yet. After any but STARTED there are no more (ASY_E_GONE). */
ASY_MUST_CHECK int asy_attempt_next(struct asy_attempt *attempt,
                                    struct asy_attempt_event *ret_event, struct asy_error *err);
static inline int asy_attempt_never_ran(const struct asy_attempt_event *event)
{
    return event->what == ASY_ATTEMPT_REFUSED || event->what == ASY_ATTEMPT_FAILED ||
           event->what == ASY_ATTEMPT_MISSING;
}
/* Both are requests; the answer is ENDED. Nothing happens if it is over. */
void asy_attempt_term(struct asy_attempt *attempt);
void asy_attempt_kill(struct asy_attempt *attempt);

/* The supervisor's whole life, called by assay-attempt's main: argv as given to the program.
 * Returns its exit code. */
int asy_attempt_main(int argc, char **argv);
/* assay-attempt --launch HOST WORDS…, called by the mpirun of a gang on several nodes: the words go
 * to the agent that started it. Returns the exit code. */
int asy_attempt_launch(int argc, char **argv);
/* A folder of cgroup v2 that this process may make groups in, or "" where there is none. */
void asy_attempt_cgroup(char *ret_path, size_t size);
/* Removes empty groups below it ("": nothing) of supervisors that are dead: they were killed
 * together with their agent, or what was in their group ended late. */
void asy_attempt_tidy(const char *cgroup);
/* Sends SIGKILL to every descendant of this process whose pid is not in keep[n_keep] (nor below one
 * that is) and reaps what it can; returns how many were found. For orphans of a dead supervisor. */
unsigned asy_attempt_sweep(const pid_t *keep, size_t n_keep);
#endif
