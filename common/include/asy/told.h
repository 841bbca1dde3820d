/* SPDX-License-Identifier: Apache-2.0
 * asy/told.h - what a signal asks of a program that serves: to leave in order (checkpoint, report,
 * go), or, when it was told before, to leave at once.
 *
 * Whoever is impatient sends SIGTERM or SIGINT twice. A batch system is not: Slurm sends SIGTERM to
 * every process of a job, some get it from their parent as well, and SIGUSR1 or SIGUSR2 may have
 * come as a warning before. So in its jobs only SIGINT hurries, and the others never do.
 *
 * Threads: any; safe in a signal handler, as nothing here changes the environment. */
#ifndef ASY_TOLD_H
#define ASY_TOLD_H
#include <signal.h>

/* Whether this process runs in a job of Slurm. */
int asy_in_batch_job(void);
/* Adds to set what tells a program to leave: SIGTERM, SIGINT, SIGUSR1, SIGUSR2. */
void asy_told_signals(sigset_t *set);
/* told: 0 before the first. 1: it is to end at once; 0: in order. */
int asy_told(int *told, int signum);
#endif
