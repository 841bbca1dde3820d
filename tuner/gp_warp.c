/* SPDX-License-Identifier: Apache-2.0
 * gp_warp.c - see gp_warp.h.
 *
 * With v = (y - least) / (median - least), the better half stays as it is, v <= 1, and beyond the
 * median there is 1 + log v, which goes on with the same slope. So where bad values reach over
 * orders of magnitude the model spends nothing on telling them apart, and as trials get better the
 * median comes down and more of the scale is logarithmic. Tried besides and no better: no warping
 * (forty times the regret on Rosenbrock's function), normal scores of the worse half's ranks, a
 * logarithm from the start. */
#include "gp_warp.h"
#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void standardise(size_t n, double *t)
{
    double mean = 0, variance = 0;

    for (size_t i = 0; i < n; i++)
        mean += t[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        variance += (t[i] - mean) * (t[i] - mean) / (double)n;
    for (size_t i = 0; i < n; i++)
        t[i] = variance > 0 ? (t[i] - mean) / sqrt(variance) : 0;
}

/* Half the distance of the median from the least of the sorted values; of their mean, where half
 * of them are the least. Halves do not overflow. */
static double half_gap(size_t n, const double *sorted)
{
    double gap = sorted[(n - 1) / 2] / 4 + sorted[n / 2] / 4 - sorted[0] / 2, mean = 0;

    for (size_t i = 0; i < n; i++)
        mean += (sorted[i] / 2 - sorted[0] / 2) / (double)n;
    return gap > 0 ? gap : mean;
}

void asy__gp_warp(size_t n, const double *y, double *t)
{
    double least, gap;

    if (n == 0)
        return;
    for (size_t i = 0; i < n; i++)
        t[i] = y[i];
    qsort(t, n, sizeof *t, ascending);
    least = t[0];
    gap = half_gap(n, t);
    for (size_t i = 0; i < n; i++) {
        double above = y[i] / 2 - least / 2; /* over a small gap it may overflow, not its log */

        t[i] = !(gap > 0) ? 0 : above > gap ? 1 + (log(above) - log(gap)) : above / gap;
    }
    standardise(n, t);
}
