/* SPDX-License-Identifier: Apache-2.0
 * own_core.c - see own_core.h. */
#include "own_core.h"
#include <time.h>

#define SHARE 0.95
#define PATIENCE_S 120

static double seconds_by(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double own_core_seconds(void)
{
    return seconds_by(CLOCK_THREAD_CPUTIME_ID);
}

void own_core_begin(struct own_core *turn)
{
    turn->wall = seconds_by(CLOCK_MONOTONIC);
    turn->cpu = own_core_seconds();
}

enum own_core_turn own_core_end(struct own_core *turn)
{
    double used = own_core_seconds() - turn->cpu;
    double took = seconds_by(CLOCK_MONOTONIC) - turn->wall;

    if (turn->any || used >= SHARE * took)
        return OWN_CORE_COUNTS;
    turn->lost_s += took;
    return turn->lost_s > PATIENCE_S ? OWN_CORE_NEVER : OWN_CORE_AGAIN;
}

double own_core_loop(const struct asy__gemm *isa)
{
    double flops = 2.0 * ASY__SPIN * (double)isa->lanes, from = own_core_seconds();
    size_t rounds = (size_t)(OWN_CORE_FLOPS / flops);
    volatile float sink = isa->spin(rounds);

    (void)sink;
    return 1e-9 * flops * (double)rounds / (own_core_seconds() - from);
}
