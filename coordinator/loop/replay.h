/* SPDX-License-Identifier: Apache-2.0
 * replay.h - a stored study once more: its events go through a core of their own, a fresh sampler
 * is asked for each trial with what the recorded one knew, and each decision of the pruner is made
 * again.
 *
 * What a sampler knew is on record (TrialCreated `knew`): all outcomes up to that event, and all
 * trials before it as running; `with` says which trials were drawn from one model. A trial without
 * that, made by an older version, cannot be proven; the fresh sampler is told of it instead.
 *
 * Pure: no I/O, no clock. Threads: one owner. */
#ifndef ASY__REPLAY_H
#define ASY__REPLAY_H
#include <asy/core.h>

struct asy__replay_result {
    uint64_t events;                       /* looked at */
    uint64_t suggested;                    /* points that the sampler made again */
    uint64_t enqueued;                     /* among them those that the study gave */
    uint64_t unproven;                     /* points without a record of what was known */
    uint64_t stops, pauses, promotions, values, lengths; /* decisions that followed */
    /* The first difference; `differs` 0: there is none. */
    int differs;
    uint64_t seq, trial;                   /* trial UINT64_MAX: of none */
    uint64_t knew, outcomes;               /* of a point: what was known, up to `knew` */
    char parameter[128];                   /* of a point; "": something else differs */
    char stored[160], replayed[160];       /* its values */
    char text[240];                        /* all of it in one line */
};
struct asy__replay;
/* The caller destroys *ret_replay. */
ASY_MUST_CHECK int asy__replay_create(struct asy__replay **ret_replay, struct asy_error *err);
void asy__replay_destroy(struct asy__replay *replay); /* NULL is fine */
/* The next event of the study, in their order, from STUDY_CREATED on; borrowed for the call. Of a
 * sampler that draws several points from one model these are looked at when the next trial comes.
 * 1: a difference was found, which ends it. Negative: it cannot go on. */
ASY_MUST_CHECK int asy__replay_event(struct asy__replay *replay, const struct asy_event *event,
                                     struct asy_error *err);
/* After the last event. */
ASY_MUST_CHECK int asy__replay_end(struct asy__replay *replay, struct asy_error *err);
const struct asy__replay_result *asy__replay_result(const struct asy__replay *replay);
#endif
