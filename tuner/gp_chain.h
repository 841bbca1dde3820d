/* SPDX-License-Identifier: Apache-2.0
 * gp_chain.h - hyperparameters of the sampler gp: a chain of fits, each from that of half as many
 * trials, which any history of calls arrives at. */
#ifndef ASY_TUNER_GP_CHAIN_H
#define ASY_TUNER_GP_CHAIN_H
#include "gp_suggest.h"

/* Of more finished trials the shape of the model stays, and earlier studies have no say. */
#define ASY__GP_CHOSEN_MAX 160
/* theta [ASY__GP_THETA_LEN(d)] = the hyperparameters for n >= 1 finished trials: of as many, or of
 * a few less. */
ASY_MUST_CHECK int asy__gp_find_fit(struct asy__gp_sampler *gp, struct asy__gp_view *view, size_t n,
                                    double *theta);
/* Rows [n] of the view, keeping those that stand there already. */
ASY_MUST_CHECK int asy__gp_set_rows(struct asy__gp *model, const struct asy__gp_view *view,
                                    size_t n);
/* Whether hyperparameters [ASY__GP_THETA_MAX(d)] of a process warp its inputs. */
int asy__gp_theta_warps(size_t d, const double *theta);
#endif
