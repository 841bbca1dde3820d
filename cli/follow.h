/* SPDX-License-Identifier: Apache-2.0
 * follow.h - watching a study until it ends: on a terminal as a picture that is drawn over and
 * over, elsewhere one line per event, or each event as JSON.
 *
 * What is shown comes from the study's durable events (WATCH, NEWS). Only what no event can tell is
 * asked for: why nothing moves. A coordinator that died is waited for; one that this command had
 * started, and whose node is gone too, is started anew. One that ended in order has stored all, and
 * is not waited for. */
#ifndef ASY__FOLLOW_H
#define ASY__FOLLOW_H
#include "cli.h"

enum asy__followed {
    ASY__FOLLOWED_OVER = 1, /* finished or stopped */
    ASY__FOLLOWED_FAILED,   /* failed, or finished with failed trials and no complete one */
    ASY__FOLLOWED_PAUSED,   /* somebody paused it, or it was drained */
    ASY__FOLLOWED_DRAINED,  /* by Ctrl-C: all is stored, what this command started has ended */
    ASY__FOLLOWED_DETACHED, /* by Ctrl-C: it goes on without us */
    ASY__FOLLOWED_LEFT,     /* by a second Ctrl-C: ended at once */
    ASY__FOLLOWED_ENDED,    /* the coordinator has, in order; its last word may be lost */
};
struct asy__follow_end {
    enum asy__followed how;
    char study[128];
    uint64_t since; /* the newest event before this began; 0: none */
    uint64_t complete; /* trials of the study */
    int gained;     /* an event that came since brought something that lasts (gain.h); the last
                     * ones of a coordinator that ends may not come */
};
/* from_start: the study has just been made, so its whole history is news. Interrupts must have been
 * taken (asy__interrupts_take()). */
ASY_MUST_CHECK int asy__follow(struct asy__session *session, const struct asy__options *options,
                               const char *study, int from_start, struct asy__follow_end *ret_end,
                               struct asy_error *err);

/* run.c: `assay run` of options->words[0] inside a batch job. An unfinished study of that name goes
 * on; if the job was requeued and there is but a finished one, that is the result. What was started
 * has ended when this returns the exit code. *ret_end is not set if it did not come so far. */
int asy__run_job(const struct asy__options *options, const char *command, int requeued,
                 struct asy__follow_end *ret_end);
#endif
