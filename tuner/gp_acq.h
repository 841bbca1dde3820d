/* SPDX-License-Identifier: Apache-2.0
 * gp_acq.h - how promising points are: the logarithm of the expected improvement (of two
 * objectives: of the hypervolume), averaged over fantasies of what runs, times the probability of
 * being feasible. */
#ifndef ASY_TUNER_GP_ACQ_H
#define ASY_TUNER_GP_ACQ_H
#include "gp_earlier.h"
#include "gp_model.h"
#include "logehvi.h"

#define ASY__GP_PATHS_MAX 16
#define ASY__GP_CHUNK 32 /* points that are evaluated together */

struct asy__gp_acq {
    const struct asy__gp *objective; /* factored; NULL: feasibility alone counts */
    size_t n_paths;        /* fantasies, at least 1 */
    const double *alpha;   /* [n_paths, rows] K^-1 y of each */
    const double *best;    /* [n_paths] the value to beat; not with a second objective */
    const struct asy__gp_earlier *earlier; /* whose mean times weight the objective's rows lack;
                                            * NULL: none. Not with a second objective */
    double weight;
    double *earlier_work;         /* [ASY__GP_EARLIER_WORK(earlier)] */
    const struct asy__gp *second; /* factored, of the same rows; NULL: there is one objective */
    const double *second_alpha;   /* [n_paths, rows] */
    const struct asy__strips *strips; /* [n_paths] of the second objective: what to gain */
    const struct asy__gp *feasible; /* factored; NULL: no constraint. Positive is infeasible. */
    const double *feasible_alpha;   /* [rows] */
    double *work; /* [ASY__GP_WORK(rows, d)] */
};
#define ASY__GP_WORK(rows, d) ((size_t)(ASY__GP_CHUNK) * (8 * (rows) + 4 * (d)))

/* values[m] at the points u [m, d], the larger the better; gradients [m, d] if not NULL (entries of
 * choices are 0). */
void asy__gp_acq_eval(const struct asy__gp_acq *acq, size_t m, const double *u, double *values,
                      double *gradients);
#endif
