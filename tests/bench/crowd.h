/* SPDX-License-Identifier: Apache-2.0
 * crowd.h - simulated agents: each has a connection of its own with CURVE, speaks the protocol of
 * docs/protocol.md and runs nothing. A lease is answered by one REPORTS frame: REPORT with two
 * metrics and ENDED.
 *
 * The crowd holds the coordinator to its word while it measures: no trial is leased twice, each
 * lease is a first attempt, every result is acknowledged whole and closed, no agent hears nothing
 * for half the time after which it would take the coordinator for dead. What breaks that is
 * ASY_E_CORRUPT.
 *
 * Threads: one. */
#ifndef BENCH_CROWD_H
#define BENCH_CROWD_H
#include "coordinator.h"

struct crowd_spec {
    size_t n;          /* agents of one core each */
    double rate;       /* results per second in all, at random times; 0: each lease at once */
    uint64_t seed;
};
struct crowd;
/* Connects them all; returns when each was welcomed. */
ASY_MUST_CHECK int crowd_create(const struct coordinator *at, const struct crowd_spec *spec,
                                struct crowd **ret_crowd, struct asy_error *err);
void crowd_destroy(struct crowd *crowd);
/* Works until so many further results are acknowledged. */
ASY_MUST_CHECK int crowd_work(struct crowd *crowd, uint64_t results, struct asy_error *err);
/* Does nothing but send heartbeats for this long. */
ASY_MUST_CHECK int crowd_idle(struct crowd *crowd, int64_t ms, struct asy_error *err);
/* Takes no new leases, ends what it has, says goodbye; returns when the coordinator knows of none
 * of them any more, durably. */
ASY_MUST_CHECK int crowd_leave(struct crowd *crowd, struct coordinator *at, struct asy_error *err);

uint64_t crowd_results(const struct crowd *crowd); /* acknowledged so far */
/* Milliseconds from a result to the next lease of the same agent, [n] in order; borrowed, good
 * until the next call. Collected since the last crowd_forget(). */
double *crowd_waits(struct crowd *crowd, size_t *ret_n);
void crowd_forget(struct crowd *crowd);
/* What the crowd reports as the objective of a trial. */
double crowd_value(uint64_t trial);
#endif
