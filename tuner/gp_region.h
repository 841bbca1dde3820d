/* SPDX-License-Identifier: Apache-2.0
 * gp_region.h - the box around the best point that half of the asks search, so that a model which
 * is wrong about the whole space still finds what lies near (after Eriksson, Pearce, Gardner,
 * Turner, Poloczek 2019, "Scalable global optimization via local Bayesian optimization",
 * section 2). One objective. */
#ifndef ASY_TUNER_GP_REGION_H
#define ASY_TUNER_GP_REGION_H
#include "gp_data.h"

#define ASY__GP_SIDE_FIRST 0.8
#define ASY__GP_SIDE_MOST 1.6
#define ASY__GP_SIDE_LEAST 0x1p-7

/* Whether this trial is asked for near the best: five of ten, in a row. */
int asy__gp_is_near(uint64_t number);
/* The side of the box in units of the cube's, from the results of such trials in the order of their
 * numbers: three in a row that improved the best double it, max(4, d) that did not halve it, and
 * from the least it begins anew. startup: as many finished trials do not count. A function of the
 * view alone. */
double asy__gp_region_side(const struct asy__gp_view *view, size_t startup, size_t d);
/* The box [d] of that side around center: longer where the model is smoother, by at most a factor
 * of 5, and cut to the cube. s: [d] as of gp_model.h. */
void asy__gp_region_box(size_t d, const double *center, const double *s, double side,
                        double *ret_lo, double *ret_hi);
#endif
