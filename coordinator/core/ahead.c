/* SPDX-License-Identifier: Apache-2.0
 * ahead.c - see ahead.h. The time for a point is measured from the moment when the sampler could
 * begin with it, so points that wait for each other do not count twice. */
#include "ahead.h"

#define SHARE 0.005 /* of a trial's time that a worker may wait */
#define RUNNING_MIN 32
#define PART 16     /* one in so many of what runs is drawn ahead */
#define DEPTH_MAX 32
#define OF_LATE 32.0
#define JUMP 4.0    /* a pause is no measure of how fast points are taken up */

static void note(double *mean, double ms)
{
    ms = ms > 0 ? ms : 0;
    if (*mean > 0 && ms > JUMP * *mean + 1)
        ms = JUMP * *mean + 1;
    *mean += (ms - *mean) / OF_LATE;
}

void asy__ahead_asked(struct asy__ahead *ahead, int idle, double now_ms)
{
    if (idle)
        ahead->busy_ms = now_ms;
}

void asy__ahead_answered(struct asy__ahead *ahead, double now_ms)
{
    note(&ahead->ask_ms, now_ms - ahead->busy_ms);
    ahead->busy_ms = now_ms;
}

void asy__ahead_taken(struct asy__ahead *ahead, double now_ms)
{
    if (ahead->taken_ms > 0)
        note(&ahead->gap_ms, now_ms - ahead->taken_ms);
    ahead->taken_ms = now_ms;
}

/* With `running` attempts and one ended each gap, a trial takes running * gap. A worker waits for
 * ask, and longer the busier the sampler: about ask / (1 - ask / gap) (Pollaczek and Khinchine's
 * formula, rounded up). */
uint64_t asy__ahead_depth(const struct asy__ahead *ahead, uint64_t running)
{
    uint64_t depth = running / PART;

    if (running < RUNNING_MIN ||
        !(ahead->ask_ms > SHARE * (double)running * (ahead->gap_ms - ahead->ask_ms)))
        return 0;
    return depth < DEPTH_MAX ? depth : DEPTH_MAX;
}
