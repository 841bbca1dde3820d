/* SPDX-License-Identifier: Apache-2.0
 * told.c - see told.h. */
#include <asy/told.h>
#include <stdlib.h>

int asy_in_batch_job(void)
{
    const char *job = getenv("SLURM_JOB_ID");

    return job && *job;
}

void asy_told_signals(sigset_t *set)
{
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGUSR1);
    sigaddset(set, SIGUSR2);
}

int asy_told(int *told, int signum)
{
    int again = *told && (signum == SIGINT || (signum == SIGTERM && !asy_in_batch_job()));

    *told |= signum == SIGTERM || signum == SIGINT;
    return again;
}
