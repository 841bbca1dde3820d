/* SPDX-License-Identifier: Apache-2.0
 * gp_data.h - the trials that a Gaussian process learns from, and their values made fit for one. */
#ifndef ASY_TUNER_GP_DATA_H
#define ASY_TUNER_GP_DATA_H
#include <asy/tuner.h>
#include "map.h"

#define ASY__GP_GOALS_MAX 2 /* objectives */

enum asy__gp_state { ASY__GP_UNFINISHED, ASY__GP_VALUE, ASY__GP_CENSORED, ASY__GP_WORST };
struct asy__gp_trial {
    uint64_t number;
    enum asy__gp_state state;
    int running;
    double y[ASY__GP_GOALS_MAX]; /* VALUE, CENSORED: finite, smaller is better */
    double violation; /* 0: feasible */
};
struct asy__gp_data {
    size_t d;
    struct asy__map numbers;
    struct asy__gp_trial *trials; /* [n] */
    double *us;                   /* [n, d] coordinates */
    uint32_t *order;              /* [n] by number */
    size_t n, cap;
};

void asy__gp_data_fini(struct asy__gp_data *data);
ASY_MUST_CHECK int asy__gp_data_reserve(struct asy__gp_data *data); /* the next put cannot fail */
/* NULL: not known; borrowed until the next put. */
struct asy__gp_trial *asy__gp_data_get(const struct asy__gp_data *data, uint64_t number);
/* Adds the trial or replaces it. u: [d]. */
void asy__gp_data_put(struct asy__gp_data *data, const struct asy__gp_trial *trial,
                      const double *u);

/* A picture of the data for one answer: finished trials by number, then running ones by number. */
struct asy__gp_view {
    size_t n, n_finished;
    const struct asy__gp_trial **trials; /* [n] */
    const double **us;                   /* [n] of [d] */
    double *y; /* [n_finished] of the last warp: values, censored and worst ones filled in */
    double *t[ASY__GP_GOALS_MAX]; /* [n_finished] y of either objective as the model sees it */
    double *expected; /* [n] by earlier studies, of the first objective; 0 without any */
    double *rest;     /* [n_finished] t[0] without the share of it that is expected */
    double *c; /* [n_finished] above 0: infeasible; mean square 1 */
    int constrained; /* any is infeasible */
    void *memory;
};
/* number is left out: it is the one asked for. */
ASY_MUST_CHECK int asy__gp_view_init(struct asy__gp_view *view, const struct asy__gp_data *data,
                                     uint64_t number);
void asy__gp_view_fini(struct asy__gp_view *view);
/* Fills y, c, constrained and t of that objective from the first m finished trials alone; knee and
 * what is returned as of asy__gp_warp(). */
double asy__gp_view_warp(struct asy__gp_view *view, size_t m, size_t goal, double knee);
/* Fills rest of the first m finished trials: t[0] - weight expected. */
void asy__gp_view_expect(struct asy__gp_view *view, size_t m, double weight);
/* Leaves at most max >= 2 finished trials: the best max / 2 by the sum of both t (that of an
 * objective that is not there is 0), feasible ones first, and of the others the latest. y means
 * nothing afterwards. */
void asy__gp_view_limit(struct asy__gp_view *view, size_t max);
#endif
