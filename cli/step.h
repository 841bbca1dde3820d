/* SPDX-License-Identifier: Apache-2.0
 * step.h - the agents of a job of Slurm with several nodes: one step, that has a task,
 * `assay node --agent`, on each node.
 *
 * srun starts the step and is then let go of. While it lives it ends all tasks by SIGKILL as soon
 * as the job is cancelled or requeued, so that nothing could checkpoint; without it they get
 * SIGTERM and KillWait as all processes of a job do. Once every task has said that it runs, srun
 * and its watcher are killed, and the task on this node stands for the step: a warning to the step
 * ends it like all the others. Nobody is there then whom the tasks could print to, so each has a
 * log of its own, node-NODE.log.
 *
 * Threads: one owner. */
#ifndef ASY__STEP_H
#define ASY__STEP_H
#include <asy/buf.h>
#include <asy/proc.h>

struct asy__step {
    int from;                      /* what the tasks say; -1: closed */
    struct asy_buf said;
};
#define ASY__STEP_INIT { .from = -1 }

/* The words of srun after its name, up to those of the agent: *ret_n more. agent: path of assay. */
void asy__step_words(const char **argv, int *n, int64_t nodes, const char *agent);
/* A pipe for the tasks' words; *ret_to goes to srun and is the caller's to close. */
ASY_MUST_CHECK int asy__step_listen(struct asy__step *step, int *ret_to, struct asy_error *err);
/* What has come. *ret_here: the task on this node, once all run; else it is left alone. */
void asy__step_hear(struct asy__step *step, const char *home, int64_t nodes, pid_t *ret_here);
/* srun goes, and *srun is the task on this node from here on. Failing leaves srun as it was. */
ASY_MUST_CHECK int asy__step_let_go(struct asy_proc *srun, pid_t here, struct asy_error *err);
/* Tells the step that a node which was killed has left, if there is one, to leave. */
void asy__step_clear(const char *home);
void asy__step_fini(struct asy__step *step);

/* In a task: stdout and stderr go to its log; *ret_say is what stdout was. */
ASY_MUST_CHECK int asy__step_log(const char *home, int *ret_say, struct asy_error *err);
void asy__step_say(int say); /* it runs; closes say */
/* How long its worker looks for a coordinator, for its --orphan-exit; "": the setting says it. */
ASY_MUST_CHECK int asy__step_patience(const char *home, const char **ret_time,
                                      struct asy_error *err);
/* When the coordinator last marked the lock of its store, which it does every ten seconds, by the
 * clock of the file system. 0: that cannot be seen. */
int64_t asy__step_beat_us(const char *home);
/* How much longer that mark must stay as it is until the coordinator is dead: after 40 s, which
 * are four marks, or two minutes on a network file system. There the mark is synced, and whoever
 * looks opens the file anew, so that it should tell of the present; but clients may believe for a
 * minute what they knew (acregmax of NFS), and the one that writes may wait for a slow server. How
 * old it is now counts, but for 25 s it is watched in any case: some file systems have the times of
 * the hosts that write, whose clocks differ. 0 for beat_us: the whole time. */
int64_t asy__step_silence_ms(const char *home, int64_t beat_us);
/* The job's coordinator is dead, and so is its batch script: puts the job back into its queue, or
 * ends it if it may not be requeued. */
ASY_MUST_CHECK int asy__step_give_up(struct asy_error *err);
#endif
