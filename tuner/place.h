/* SPDX-License-Identifier: Apache-2.0
 * place.h - the place of a trial in a sequence of points: its number, less the trials before it
 * that took none, because their points were given.
 *
 * The study's enqueued points have the lowest numbers and are counted without being asked for, so
 * that a sampler made anew in the middle of a study goes on where the old one was. */
#ifndef ASY_TUNER_PLACE_H
#define ASY_TUNER_PLACE_H
#include "sampler.h"

struct asy__places {
    uint64_t *given; /* [n] ascending: numbers above the enqueued ones */
    size_t n, cap;
};

void asy__places_fini(struct asy__places *places);
/* 1 and *ret_place; or 0: the trial's point is given, in whole or in part, and it is noted; or
 * ASY_E_NOMEM. */
ASY_MUST_CHECK int asy__sequence_place(const struct asy_sampler *s, struct asy__places *places,
                                       uint64_t number, const double *fixed, uint64_t *ret_place,
                                       struct asy_error *err);
#endif
