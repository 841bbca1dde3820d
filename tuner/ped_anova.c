/* SPDX-License-Identifier: Apache-2.0
 * ped_anova.c - PED-ANOVA, see asy/importance.h. The rules of Optuna 5.0, which golden files hold
 * it to (tests/tuner/golden/make_importance.py):
 *
 * - The good points are the best ceil(0.1 n), and with one objective all that equal the last of
 *   them.
 * - A parameter's values are counted in at most 50 cells (choices: one each; logarithmic ints:
 *   ceil(log2(hi - lo + 1)) + 1), and a density over the cells is made of a kernel at each cell
 *   that has a count, weighed by it, and a wide one of weight 1 as the prior. Kernels of numbers
 *   are normals over the cells' width, all with the width of Scott's rule (1992), at least
 *   0.5 / 1.64 cells; TPE's own widths would be too wide for this.
 * - The importance is the Pearson divergence sum_c p(c) (q(c) / p(c) - 1)^2 of the good points' q
 *   from all points' p, times alpha^2 / beta gamma^2: alpha and beta are the shares of good points
 *   and of all points where the parameter is active, gamma the share of good points.
 * - A parameter that is active in fewer than two points, or has one value, gets 0. */
#include <asy/importance.h>
#include <asy/pareto.h>
#include <stdlib.h>
#include <string.h>
#include "truncnorm.h"

#define CELLS 50
#define QUANTILE 0.1
#define TINY 1e-12 /* added to densities, so that none is 0 */

/* ---- which points are good ------------------------------------------------------------------- */

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* ret_good[n], and returns how many; negative: no memory. */
static int find_good(const struct asy_losses *l, uint8_t *ret_good, size_t *ret_n,
                     struct asy_error *err)
{
    size_t k = (size_t)ceil(QUANTILE * (double)l->n), n = 0;
    double *sorted = NULL;
    uint32_t *best = NULL;
    int rc = ASY_E_NOMEM;

    if (l->m == 1 && (sorted = malloc(l->n * sizeof *sorted))) {
        memcpy(sorted, l->losses, l->n * sizeof *sorted);
        qsort(sorted, l->n, sizeof *sorted, by_size);
        for (size_t i = 0; i < l->n; i++)
            n += ret_good[i] = l->losses[i] <= sorted[k - 1];
        rc = 0;
    } else if (l->m > 1 && (best = malloc(k * sizeof *best)) &&
               (rc = asy_pareto_best(l->losses, l->n, l->m, k, best, err)) == 0) {
        memset(ret_good, 0, l->n);
        for (size_t i = 0; i < k; i++)
            ret_good[best[i]] = 1;
        n = k;
    }
    free(sorted);
    free(best);
    *ret_n = n;
    return rc;
}

/* ---- cells ----------------------------------------------------------------------------------- */

/* How a parameter is cut up. */
struct cells {
    size_t n;         /* 0 or 1: there is nothing to compare */
    int choice, log;
    double lo, width; /* of numbers */
};

static struct cells cells_of(const struct asy_space *space, size_t i)
{
    const struct asy_param *p = asy_space_at(space, i);
    struct cells c = { .choice = p->type == ASY_PARAM_CHOICE && !p->ordered, .log = p->log };
    double n = CELLS, hi;

    if (c.choice) {
        c.n = p->n_choices;
        return c;
    }
    if (p->type == ASY_PARAM_INT && p->log)
        n = fmin(n, ceil(log(p->hi - p->lo + 1) / log(2)) + 1);
    else if (isfinite(asy_space_values(space, i)))
        n = fmin(n, asy_space_values(space, i));
    c.lo = p->log ? log(p->lo) : p->lo;
    hi = p->log ? log(p->hi) : p->hi;
    c.n = p->hi > p->lo ? (size_t)n : 1;
    c.width = c.n > 1 ? (hi - c.lo) / ((double)c.n - 1) : 0;
    return c;
}

/* Halfway between two cells counts for the lower one. */
static size_t cell_of(const struct cells *c, double v)
{
    double k;

    if (c->choice)
        return (size_t)v;
    k = ceil(((c->log ? log(v) : v) - c->lo) / c->width - 0.5);
    return (size_t)fmin(fmax(k, 0), (double)c->n - 1);
}

/* ---- densities over cells -------------------------------------------------------------------- */

/* A normal at mu over the cells 0..n-1, added to p with a weight. */
static void add_kernel(double *p, size_t n, double mu, double sigma, double weight)
{
    double whole = asy__log_mass((-0.5 - mu) / sigma, ((double)n - 0.5 - mu) / sigma);

    for (size_t c = 0; c < n; c++)
        p[c] += weight * exp(asy__log_mass_mid(((double)c - mu) / sigma, 0.5 / sigma) - whole);
}

/* Scott's rule for observations at the counted cells, whose weights are the counts. */
static double scott(const double *counts, size_t n)
{
    double sum = 0, mean = 0, square = 0, below = 0, q1 = -1, q3 = -1, last = 0, sigma;

    for (size_t c = 0; c < n; c++) {
        sum += counts[c];
        mean += counts[c] * (double)c;
    }
    mean /= sum;
    for (size_t c = 0; c < n; c++) {
        if (counts[c] == 0)
            continue;
        square += counts[c] * ((double)c - mean) * ((double)c - mean);
        below += counts[c];
        last = (double)c;
        if (q1 < 0 && below >= floor(sum / 4))
            q1 = (double)c;
        if (q3 < 0 && below > floor(sum * 3 / 4))
            q3 = (double)c;
    }
    sigma = sqrt(square / fmax(1, sum - 1));
    sigma = 1.059 * fmin(((q3 < 0 ? last : q3) - q1) / 1.34, sigma) * pow(sum, -0.2);
    return fmax(sigma, 0.5 / 1.64);
}

static void numbers_density(const double *counts, size_t n, double total, double *p)
{
    double sigma = scott(counts, n);

    for (size_t c = 0; c < n; c++)
        if (counts[c] > 0)
            add_kernel(p, n, (double)c, sigma, counts[c] / total);
    add_kernel(p, n, ((double)n - 1) / 2, (double)n, 1 / total);
}

/* Each seen choice has a kernel: 1 for itself, 1 / kernels for each, over their sum. */
static void choices_density(const double *counts, size_t n, double total, double *p)
{
    double kernels = 1, base, others = 0;

    for (size_t c = 0; c < n; c++)
        kernels += counts[c] > 0;
    base = 1 / kernels / (1 + (double)n / kernels);
    for (size_t c = 0; c < n; c++) {
        p[c] += counts[c] / total / (1 + (double)n / kernels);
        others += counts[c] / total * base;
    }
    for (size_t c = 0; c < n; c++)
        p[c] += others + 1 / total / (double)n;
}

/* counts[n], not all 0; ret[n] adds up to 1. */
static void density(const struct cells *cells, const double *counts, double *ret)
{
    double total = 1;

    for (size_t c = 0; c < cells->n; c++) {
        total += counts[c];
        ret[c] = 0;
    }
    if (cells->choice)
        choices_density(counts, cells->n, total, ret);
    else
        numbers_density(counts, cells->n, total, ret);
}

/* ---- importance ------------------------------------------------------------------------------ */

static double divergence(const struct cells *cells, const double *good, const double *all,
                         double *room)
{
    double *q = room, *p = room + cells->n, sum = 0;

    density(cells, good, q);
    density(cells, all, p);
    for (size_t c = 0; c < cells->n; c++) {
        double ratio = (q[c] + TINY) / (p[c] + TINY) - 1;

        sum += (p[c] + TINY) * ratio * ratio;
    }
    return sum;
}

/* room: [4 * the most cells]. */
static double importance(const struct asy_losses *l, size_t i, const uint8_t *good, size_t n_good,
                         double *room)
{
    const struct cells cells = cells_of(l->space, i);
    double *good_counts = room, *counts = room + cells.n, active = 0, active_good = 0;
    size_t d = asy_space_len(l->space);
    double alpha, beta, gamma = (double)n_good / (double)l->n;

    if (cells.n < 2)
        return 0;
    memset(room, 0, 2 * cells.n * sizeof *room);
    for (size_t k = 0; k < l->n; k++) {
        double v = l->x[k * d + i];

        if (isnan(v))
            continue;
        counts[cell_of(&cells, v)]++;
        active++;
        if (good[k]) {
            good_counts[cell_of(&cells, v)]++;
            active_good++;
        }
    }
    if (active < 2 || active_good == 0)
        return 0;
    alpha = active_good / (double)n_good;
    beta = active / (double)l->n;
    return gamma * gamma * alpha * alpha / beta *
           divergence(&cells, good_counts, counts, room + 2 * cells.n);
}

int asy_importance_ped_anova(const struct asy_losses *losses, double *ret, struct asy_error *err)
{
    size_t d = asy_space_len(losses->space), most = CELLS, n_good = 0;
    uint8_t *good = NULL;
    double *room = NULL;
    int rc = ASY_E_NOMEM;

    for (size_t i = 0; i < d; i++) {
        size_t n = asy_space_at(losses->space, i)->n_choices;

        most = n > most ? n : most;
    }
    if (!(room = malloc(4 * most * sizeof *room)) || !(good = malloc(losses->n + 1)))
        goto out;
    if (losses->n > 1 && (rc = find_good(losses, good, &n_good, err)) < 0)
        goto out;
    for (size_t i = 0; i < d; i++)
        ret[i] = n_good ? importance(losses, i, good, n_good, room) : 0;
    rc = 0;
out:
    free(room);
    free(good);
    return rc == ASY_E_NOMEM
               ? asy_fail(err, rc, "no memory for the importance of %zu parameters", d) : rc;
}
