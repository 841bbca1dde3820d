/* SPDX-License-Identifier: Apache-2.0
 * logehvi.c - see logehvi.h.
 *
 * With psi(a) = E[(a - Y)+] the improvement within a strip [l, u] below h is the product of two
 * expectations, since the objectives are independent (Emmerich, Yang, Deutz, Wang, Fonseca 2016,
 * "A multicriteria generalization of Bayesian global optimization"):
 *     E[(u - max(l, Y1))+] E[(h - Y2)+] = (psi1(u) - psi1(l)) psi2(h).
 * psi(a) = sigma h((a - mean) / sigma) with h as logei.h has it. Sums and differences are taken of
 * logarithms, so that far from any improvement there still is a slope. */
#include "logehvi.h"
#include <math.h>
#include <stdlib.h>
#include "logei.h"

static int by_first(const void *a, const void *b)
{
    const double *x = a, *y = b;

    if (x[0] != y[0])
        return (x[0] > y[0]) - (x[0] < y[0]);
    return (x[1] > y[1]) - (x[1] < y[1]);
}

void asy__strips_make(struct asy__strips *strips, size_t n, double *points,
                      const double *reference)
{
    strips->n = 1;
    strips->edges[0] = -INFINITY;
    strips->heights[0] = reference[1];
    qsort(points, n, 2 * sizeof *points, by_first);
    for (size_t i = 0; i < n && points[2 * i] < reference[0]; i++)
        if (points[2 * i + 1] < strips->heights[strips->n - 1]) {
            strips->edges[strips->n] = points[2 * i];
            strips->heights[strips->n++] = points[2 * i + 1];
        }
    strips->edges[strips->n] = reference[0];
}

struct psi {
    double log, z, slope; /* slope: psi's derivative by the place, over psi, times sigma */
};

static struct psi psi_at(double a, double mean, double sigma)
{
    struct psi p = { .log = -INFINITY };

    if (a > -INFINITY) {
        p.z = (a - mean) / sigma;
        p.log = asy__log_h(p.z, &p.slope) + log(sigma);
    }
    return p;
}

double asy__log_ehvi(const struct asy__strips *strips, const double *mean, const double *sigma,
                     double *ret_by_mean, double *ret_by_sigma)
{
    double top = -INFINITY, sum = 0, parts[4] = { 0 };
    struct psi l = psi_at(-INFINITY, mean[0], sigma[0]);

    for (size_t i = 0; i < strips->n; i++) {
        struct psi u = psi_at(strips->edges[i + 1], mean[0], sigma[0]);
        struct psi h = psi_at(strips->heights[i], mean[1], sigma[1]);
        double less = l.log - u.log, term, weight, of_u, of_l;

        if (!(less < 0)) /* as narrow as that: nothing */
            continue;
        term = u.log + log(-expm1(less)) + h.log;
        of_u = -1 / expm1(less);
        of_l = exp(less) * of_u;
        if (term > top) { /* what was summed so far shrinks */
            weight = exp(top - term);
            sum *= weight;
            for (size_t k = 0; k < 4; k++)
                parts[k] *= weight;
            top = term;
        }
        weight = exp(term - top);
        sum += weight;
        parts[0] += weight * (l.slope * of_l - u.slope * of_u);
        parts[1] -= weight * h.slope;
        parts[2] += weight * ((1 - u.slope * u.z) * of_u - (1 - l.slope * l.z) * of_l);
        parts[3] += weight * (1 - h.slope * h.z);
        l = u;
    }
    for (size_t k = 0; k < 2; k++) {
        ret_by_mean[k] = sum > 0 ? parts[k] / sum / sigma[k] : 0;
        ret_by_sigma[k] = sum > 0 ? parts[2 + k] / sum / sigma[k] : 0;
    }
    return sum > 0 ? top + log(sum) : -INFINITY;
}
