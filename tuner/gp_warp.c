/* SPDX-License-Identifier: Apache-2.0
 * gp_warp.c - see gp_warp.h.
 *
 * Objectives that reach over orders of magnitude are seen on a scale that is logarithmic for bad
 * values (a knee of 1: for those worse than the median) or for nearly all (0.1). As trials get
 * better the median comes down, and the scale with it. The sampler takes the knee under which the
 * values are most probable. docs/benchmarks.md has what this gains; normal scores of the ranks of
 * the worse half (Song et al. 2024, arXiv 2408.11527) were tried and lost. */
#include "gp_warp.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Returns what t was divided by; 1: all were equal. */
static double standardise(size_t n, double *t)
{
    double mean = 0, variance = 0;

    for (size_t i = 0; i < n; i++)
        mean += t[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        variance += (t[i] - mean) * (t[i] - mean) / (double)n;
    for (size_t i = 0; i < n; i++)
        t[i] = variance > 0 ? (t[i] - mean) / sqrt(variance) : 0;
    return variance > 0 ? sqrt(variance) : 1;
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

double asy__gp_warp(size_t n, const double *y, double knee, double *t)
{
    double least, gap, slopes = 0;

    if (n == 0)
        return 0;
    for (size_t i = 0; i < n; i++)
        t[i] = y[i];
    qsort(t, n, sizeof *t, ascending);
    least = t[0];
    gap = half_gap(n, t);
    for (size_t i = 0; i < n; i++) {
        double above = y[i] / 2 - least / 2, beyond; /* the quotient may overflow, not its log */

        t[i] = gap > 0 ? fmin(above / gap, 1e150) : 0;
        if (!(gap > 0) || !(above > knee * gap))
            continue;
        beyond = log(above) - log(knee * gap);
        t[i] = knee * (1 + beyond);
        slopes -= beyond;
    }
    return slopes - (double)n * log(standardise(n, t));
}

/* Bounds beyond the least value lie on the linear part, which goes on below it. */
int asy__gp_unwarp(size_t n, const double *y, double knee, double t, double *ret_value)
{
    double *sorted = malloc((2 * n + 1) * sizeof *sorted), *ts;
    double least, gap, v, scale, top;

    if (!sorted)
        return ASY_E_NOMEM;
    ts = sorted + n;
    memcpy(sorted, y, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, ascending);
    asy__gp_warp(n, sorted, knee, ts);
    least = sorted[0];
    gap = half_gap(n, sorted);
    top = (sorted[n - 1] / 2 - least / 2) / gap; /* of the worst: as asy__gp_warp() has it */
    top = top > knee ? knee * (1 + log(top / knee)) : top;
    scale = top / (ts[n - 1] - ts[0]);
    v = (t - ts[0]) * scale;
    free(sorted);
    *ret_value = !(gap > 0) || !isfinite(scale)
                     ? NAN : least + 2 * gap * (v > knee ? knee * exp(v / knee - 1) : v);
    return 0;
}
