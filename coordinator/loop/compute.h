/* SPDX-License-Identifier: Apache-2.0
 * compute.h - the thread that runs samplers, so that no model fit ever holds up the loop. It owns
 * one sampler per study and answers every ask.
 *
 * Threads: the loop's. */
#ifndef ASY__COMPUTE_H
#define ASY__COMPUTE_H
#include <asy/core.h>
#include "mail.h"

struct asy__answer {              /* compute -> loop */
    struct asy__letter letter;
    struct asy_input input;       /* ASKED or FORGOTTEN; borrows from this letter */
    char text[240];
    char source[24];              /* who made the point */
    double x[];
};
struct asy__compute;
ASY_MUST_CHECK int asy__compute_create(struct asy__mail *answers, struct asy__compute **ret_compute,
                                       struct asy_error *err);
void asy__compute_destroy(struct asy__compute *compute); /* drops what waits */
/* Takes a released SAMPLER, ASK, TELL or FORGET effect (copied); it is done after
 * asy__compute_send(). */
ASY_MUST_CHECK int asy__compute_put(struct asy__compute *compute, const struct asy_effect *effect,
                                    struct asy_error *err);
void asy__compute_send(struct asy__compute *compute);
#endif
