/* SPDX-License-Identifier: Apache-2.0
 * problems_mo.h - functions with several objectives, all minimised, in the box [0, 1]^dims: ZDT 1
 * to 4 and 6 (Zitzler, Deb, Thiele 2000), DTLZ2 (Deb et al. 2005) with three objectives, WFG 1 to 9
 * (problems_wfg.h). Also in the shared library that peers load.
 *
 * Of ZDT the best values of all parameters but the first lie at an end of the box, or in its
 * middle; here they lie at 0.37, which no sampler meets by clipping or by starting in the centre.
 *
 * Threads: any. */
#ifndef BENCH_PROBLEMS_MO_H
#define BENCH_PROBLEMS_MO_H
#include <stddef.h>

#define MO_GOALS_MAX 3

#pragma GCC visibility push(default) /* of the shared library */
/* The i-th name; NULL beyond the last. The other functions take its i. */
const char *mo_problem_name(size_t i);
size_t mo_problem_dims(size_t i);
size_t mo_problem_goals(size_t i);
void mo_problem_values(size_t i, const double *x, double *ret_values); /* [dims], [goals] */
const double *mo_problem_reference(size_t i); /* [goals]: volumes are measured from there */
#pragma GCC visibility pop
#endif
