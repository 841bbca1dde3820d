/* SPDX-License-Identifier: Apache-2.0
 * asy/slurm.h - the job of Slurm that this process runs in, as its own commands tell of it.
 *
 * Slurm 22.05 has no variable for the end of a job, so squeue is asked, and again only where it
 * fails: each call is work for the one controller of a cluster.
 *
 * Threads: any. */
#ifndef ASY_SLURM_H
#define ASY_SLURM_H
#include <stdint.h>
#include <asy/error.h>

struct asy_slurm_job {
    char id[32];
    int64_t left_ms; /* until its time limit; < 0: it has none */
    int requeue;     /* Slurm may put it back into the queue */
};
/* SLURM_JOB_ID; NULL outside of a job. */
const char *asy_slurm_job_id(void);
/* Where squeue fails or does not answer, as while the controller is busy or away, it is asked again
 * after pauses that grow, for patience_ms (0: never). ASY_E_NOENT: in no job. Other codes: squeue
 * could not be asked, or was not understood. */
#define ASY_SLURM_PATIENCE_MS 60000
ASY_MUST_CHECK int asy_slurm_look(struct asy_slurm_job *ret_job, int64_t patience_ms,
                                  struct asy_error *err);
/* Puts this job back into its queue: Slurm then ends it, as it does for `scontrol requeue`. */
ASY_MUST_CHECK int asy_slurm_requeue(const char *job_id, struct asy_error *err);
/* Ends it for good, as `scancel` does. */
ASY_MUST_CHECK int asy_slurm_cancel(const char *job_id, struct asy_error *err);
/* Sends SIGUSR1 to the tasks of a step, "4711.0". */
ASY_MUST_CHECK int asy_slurm_warn(const char *step, struct asy_error *err);
/* What the job has of this node's memory, in bytes, as Slurm's variables say; 0: they do not. */
uint64_t asy_slurm_memory(void);
/* "1-02:03:04", "03:04", "UNLIMITED" (-1). ASY_E_FORMAT: none of these. */
ASY_MUST_CHECK int asy_slurm_time(const char *text, int64_t *ret_ms, struct asy_error *err);
/* In how many ms a job with so much time left is to be left, so that there is time to checkpoint
 * and report. margin_ms < 0: not set, 90 s, or an eighth of what is left if that is less. */
int64_t asy_slurm_leave_ms(int64_t left_ms, int64_t margin_ms);
#endif
