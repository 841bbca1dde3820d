/* SPDX-License-Identifier: Apache-2.0
 * tpe.h - what tests ask of the TPE sampler beyond asy/tuner.h: what it thinks of given candidates.
 */
#ifndef ASY_TUNER_TPE_H
#define ASY_TUNER_TPE_H
#include <asy/tuner.h>

/* The parameters that are drawn together with param (which has more than one value), itself among
 * them, ascending, into ret_params[space length]; how many. */
size_t asy__tpe_group(const struct asy_sampler *s, size_t param, size_t *ret_params);
/* Judges n candidates xs[n, that many] for the next draw of that group, whatever startup_trials:
 * log l(x), log g(x) and which one it would take. ASY_E_NOMEM. */
ASY_MUST_CHECK int asy__tpe_judge(struct asy_sampler *s, size_t param, const double *xs, size_t n,
                                  double *ret_log_l, double *ret_log_g, size_t *ret_best,
                                  struct asy_error *err);
#endif
