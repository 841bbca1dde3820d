/* SPDX-License-Identifier: Apache-2.0
 * gain.h - whether a stretch of a study's events brought something that lasts: a trial that ended,
 * or a checkpoint beyond the one that its attempt began from. All else is done again by whoever
 * goes on after it. An attempt whose lease is not among the events is taken to have begun from
 * nothing.
 *
 * Ownership: zeroed memory is a beginning; fini. Threads: one owner. */
#ifndef ASY__GAIN_H
#define ASY__GAIN_H
#include <asy/json.h>

struct asy__gain {
    int any;
    uint64_t *from; /* [n] by trial: the step that its attempt began from */
    size_t n;
};

/* ASY_E_FORMAT: it is about no trial that can be. */
ASY_MUST_CHECK int asy__gain_event(struct asy__gain *gain, const struct asy_json *event,
                                   struct asy_error *err);
void asy__gain_fini(struct asy__gain *gain);
#endif
