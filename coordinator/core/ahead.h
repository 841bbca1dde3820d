/* SPDX-License-Identifier: Apache-2.0
 * ahead.h - how many points of a sampler that learns are drawn before anybody has room for them.
 *
 * A worker that comes free waits until the sampler has made its next point, and where hundreds come
 * free in a second, for those of others as well. Points that lie ready spare it that, but they are
 * made from less than could be known. So none are drawn ahead while waiting takes a small share of
 * a trial's time, and with fewer than 32 attempts at once; else a sixteenth of what runs: each
 * point is made while the outcomes of all that runs are missing, and that many more change little.
 * One is asked for as one is taken: in batches, whoever waits would wait for a whole one. Those
 * that wait for the sampler side by side all the same come from one model (asy_sampler_ask_many()).
 *
 * Pure: times come from the caller. Only what was measured of late counts; all is soft. */
#ifndef ASY__AHEAD_H
#define ASY__AHEAD_H
#include <stdint.h>

struct asy__ahead {
    double ask_ms;   /* the sampler's time for a point; 0: not measured */
    double gap_ms;   /* between points that are taken up; 0: not measured */
    double busy_ms;  /* since when the sampler makes the next one */
    double taken_ms; /* when the last one was taken up; 0: none */
};

/* An ask went out; idle: no other was on its way. now_ms > 0, here and below. */
void asy__ahead_asked(struct asy__ahead *ahead, int idle, double now_ms);
/* A point came. */
void asy__ahead_answered(struct asy__ahead *ahead, double now_ms);
/* A new point was leased. */
void asy__ahead_taken(struct asy__ahead *ahead, double now_ms);
/* How many points are to be ready or on their way beyond what there is room for, at most 32.
 * running: attempts of the study. */
uint64_t asy__ahead_depth(const struct asy__ahead *ahead, uint64_t running);
#endif
