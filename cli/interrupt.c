/* SPDX-License-Identifier: Apache-2.0
 * interrupt.c - Ctrl-C, counted. Without SA_RESTART, so that it ends any wait. */
#include "cli.h"
#include <signal.h>

static volatile sig_atomic_t interrupts;

static void on_interrupt(int signum)
{
    (void)signum;
    interrupts++;
}

void asy__interrupts_take(void)
{
    struct sigaction action = { .sa_handler = on_interrupt };

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int asy__interrupts(void)
{
    return interrupts;
}
