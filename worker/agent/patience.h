/* SPDX-License-Identifier: Apache-2.0
 * patience.h - how long the other side of a connection may be silent before all is begun anew.
 *
 * A chunk is heard of when it has come as a whole, which on a slow link takes longer than any
 * silence that would mean something elsewhere; and whoever gives up too early makes what is on its
 * way come to nothing, each time again. So the limit doubles whenever it is passed, follows from
 * the silences that ended well, and comes down slowly: what is small comes fast on any link.
 *
 * Threads: any, one at a time. */
#ifndef ASY__AGENT_PATIENCE_H
#define ASY__AGENT_PATIENCE_H
#include <stdint.h>

#define ASY__PATIENCE_LEAST_MS 10000
#define ASY__PATIENCE_MOST_MS 160000
#define ASY__PATIENCE_TIMES 3   /* a silence that ended well */

struct asy__patience {          /* zeroed at first */
    int64_t since_ms, limit_ms;
};

static inline int64_t asy__patience_bound(int64_t ms)
{
    return ms < ASY__PATIENCE_LEAST_MS  ? ASY__PATIENCE_LEAST_MS
           : ms > ASY__PATIENCE_MOST_MS ? ASY__PATIENCE_MOST_MS
                                        : ms;
}

/* From now on something is waited for. */
static inline void asy__patience_begin(struct asy__patience *p, int64_t now_ms)
{
    p->since_ms = now_ms;
    p->limit_ms = asy__patience_bound(p->limit_ms);
}

/* It has come, or a part of it. */
static inline void asy__patience_heard(struct asy__patience *p, int64_t now_ms)
{
    int64_t wanted = asy__patience_bound(ASY__PATIENCE_TIMES * (now_ms - p->since_ms));

    p->limit_ms = wanted > p->limit_ms ? wanted : p->limit_ms - (p->limit_ms - wanted) / 8;
    p->since_ms = now_ms;
}

static inline int64_t asy__patience_until(const struct asy__patience *p)
{
    return p->since_ms + p->limit_ms;
}

/* 1: it is over, and begins anew. */
static inline int asy__patience_over(struct asy__patience *p, int64_t now_ms)
{
    if (now_ms <= asy__patience_until(p))
        return 0;
    p->limit_ms = asy__patience_bound(2 * p->limit_ms);
    p->since_ms = now_ms;
    return 1;
}
#endif
