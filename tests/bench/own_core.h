/* SPDX-License-Identifier: Apache-2.0
 * own_core.h - turns of a benchmark that count if the thread had its core meanwhile, and the loop
 * of multiply-adds that they are measured by.
 *
 * Threads: one. */
#ifndef BENCH_OWN_CORE_H
#define BENCH_OWN_CORE_H
#include "gemm.h"

#define OWN_CORE_FLOPS 4e8   /* of one turn, about 2 ms */
#define OWN_CORE_WHY "the core was not ours for 95 % of the time"

struct own_core {
    int any;                 /* every turn counts: numbers without meaning, for the test */
    double cpu, wall, lost_s;
};
enum own_core_turn { OWN_CORE_COUNTS, OWN_CORE_AGAIN, OWN_CORE_NEVER };

double own_core_seconds(void); /* of the thread's processor time */
void own_core_begin(struct own_core *turn);
/* What becomes of the turn: it counts, or is to be made again, for two minutes of lost turns at
 * most. */
enum own_core_turn own_core_end(struct own_core *turn);

/* GFLOP/s of multiply-adds that wait for nothing, by this instruction set. */
double own_core_loop(const struct asy__gemm *isa);
#endif
