/* SPDX-License-Identifier: Apache-2.0
 * search.h - the sampler of a study as its spec has it: the one that answers, and the one of a
 * replay.
 *
 * Threads: any. */
#ifndef ASY__SEARCH_H
#define ASY__SEARCH_H
#include <asy/study.h>
#include <asy/tuner.h>

/* budget: as in the effect SAMPLER of asy/core.h. spec must outlive *ret_sampler, which is the
 * caller's to destroy. Fails as asy_sampler_create(). */
ASY_MUST_CHECK int asy__search_sampler(const struct asy_study_spec *spec, uint64_t budget,
                                       struct asy_sampler **ret_sampler, struct asy_error *err);
#endif
