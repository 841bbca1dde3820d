/* SPDX-License-Identifier: Apache-2.0
 * gp_region.c - see gp_region.h. The paper keeps a model for each region, of the points within;
 * here all share one, which is fitted anyway, and the other asks still search everywhere. */
#include "gp_region.h"
#include <math.h>

#define IN_A_ROW 3
#define GAIN_LEAST 1e-3 /* of a standard deviation of all results */
#define SMOOTHER_MOST 5

int asy__gp_is_near(uint64_t number)
{
    return number % 10 < 5;
}

double asy__gp_region_side(const struct asy__gp_view *view, size_t startup, size_t d)
{
    size_t seen = 0, won = 0, lost = 0, patience = d > 4 ? d : 4;
    double best = INFINITY, side = ASY__GP_SIDE_FIRST;

    for (size_t i = 0; i < view->n_finished; i++) {
        double t = view->trials[i]->violation > 0 ? INFINITY : view->t[0][i];

        if (seen++ >= startup && asy__gp_is_near(view->trials[i]->number)) {
            int better = t < best - GAIN_LEAST;

            won = better ? won + 1 : 0;
            lost = better ? 0 : lost + 1;
            if (won == IN_A_ROW) {
                side = fmin(2 * side, ASY__GP_SIDE_MOST);
                won = 0;
            } else if (lost == patience) {
                side = side / 2 < ASY__GP_SIDE_LEAST ? ASY__GP_SIDE_FIRST : side / 2;
                lost = 0;
            }
        }
        best = fmin(best, t);
    }
    return side;
}

void asy__gp_region_box(size_t d, const double *center, const double *s, double side,
                        double *ret_lo, double *ret_hi)
{
    double mean = 0; /* of log length scales: s is their inverse square */

    for (size_t j = 0; j < d; j++)
        mean -= log(s[j]) / 2 / (double)d;
    for (size_t j = 0; j < d; j++) {
        double longer = exp(-log(s[j]) / 2 - mean), half;

        longer = fmin(fmax(longer, 1.0 / SMOOTHER_MOST), SMOOTHER_MOST);
        half = side / 2 * longer;
        ret_lo[j] = fmax(0, center[j] - half);
        ret_hi[j] = fmin(1, center[j] + half);
    }
}
