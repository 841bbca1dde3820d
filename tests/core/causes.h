/* SPDX-License-Identifier: Apache-2.0
 * causes.h - what provokes each cause: a world in which it comes up, and what it says then. Study
 * "a" has the id of serial 1; a worker is called "node". */
#ifndef CAUSES_H
#define CAUSES_H
#include "world.h"

/* What explain says of a trial or study, what the last state event carries, what explain says of
 * the one worker. */
enum cause_where { LIVE, EVENT, WORKER };
struct cause_case {
    enum asy_cause cause;
    void (*provoke)(struct world *w); /* the world has started, a client has greeted */
    enum cause_where where;
    int64_t trial;                    /* -1: the study */
    const char *text;                 /* part of the numbers */
};
extern const struct cause_case cause_cases[];
extern const size_t n_cause_cases;
#endif
