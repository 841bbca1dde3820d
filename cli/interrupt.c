/* SPDX-License-Identifier: Apache-2.0
 * interrupt.c - Ctrl-C and other signals that ask to leave. Without SA_RESTART, so that they end
 * any wait. */
#include "cli.h"
#include <signal.h>
#include <asy/told.h>

static volatile sig_atomic_t interrupts;
static int told;

static void on_interrupt(int signum)
{
    if (asy_told(&told, signum))
        interrupts = 2;
    else if (!interrupts)
        interrupts = 1;
}

void asy__interrupts_take(void)
{
    struct sigaction action = { .sa_handler = on_interrupt };

    asy_told_signals(&action.sa_mask); /* one at a time */
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGUSR2, &action, NULL);
}

int asy__interrupts(void)
{
    return interrupts;
}
