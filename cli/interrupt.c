/* SPDX-License-Identifier: Apache-2.0
 * interrupt.c - Ctrl-C and other signals that ask to leave. Without SA_RESTART, so that they end
 * any wait. */
#include "cli.h"
#include <signal.h>
#include <sys/time.h>
#include <asy/told.h>

static volatile sig_atomic_t interrupts, first;
static int told;

static void on_interrupt(int signum)
{
    if (!first)
        first = signum;
    if (asy_told(&told, signum))
        interrupts = 2;
    else if (!interrupts)
        interrupts = 1;
}

void asy__interrupts_take(void)
{
    struct sigaction action = { .sa_handler = on_interrupt };

    asy_told_signals(&action.sa_mask); /* one at a time */
    sigaddset(&action.sa_mask, SIGALRM);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
}

void asy__interrupt_in(int64_t ms)
{
    struct itimerval timer = { .it_value = { ms / 1000, ms % 1000 * 1000 + 1 } };

    setitimer(ITIMER_REAL, &timer, NULL);
}

int asy__interrupted_by(void)
{
    return first;
}

void asy__interrupts_forget(void)
{
    told = 0;
    interrupts = 0;
}

int asy__interrupts(void)
{
    return interrupts;
}
