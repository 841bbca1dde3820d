/* SPDX-License-Identifier: Apache-2.0
 * pareto.c - ranks of non-domination, crowding, the best few. Volumes are in hypervolume.c. */
#include <asy/pareto.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "rows.h"

#define NONE UINT32_MAX

int asy_pareto_dominates(const double *a, const double *b, size_t m)
{
    int better = 0;

    for (size_t j = 0; j < m; j++) {
        if (a[j] > b[j])
            return 0;
        better |= a[j] < b[j];
    }
    return better;
}

/* ---- rows ---------------------------------------------------------------------------------- */

static int by_row(const void *a, const void *b, void *m)
{
    const struct asy__row_ref *x = a, *y = b;

    for (size_t j = 0; j < *(const size_t *)m; j++)
        if (x->v[j] != y->v[j])
            return x->v[j] < y->v[j] ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

struct asy__row_ref *asy__rows_sorted(const double *values, size_t n, size_t m)
{
    struct asy__row_ref *rows = malloc((n + 1) * sizeof *rows);

    for (size_t i = 0; rows && i < n; i++)
        rows[i] = (struct asy__row_ref){ &values[i * m], (uint32_t)i };
    if (rows)
        qsort_r(rows, n, sizeof *rows, by_row, &m);
    return rows;
}

int asy__rows_equal(const double *a, const double *b, size_t m)
{
    for (size_t j = 0; j < m; j++)
        if (a[j] != b[j])
            return 0;
    return 1;
}

/* ---- ranks --------------------------------------------------------------------------------- */

/* Rows come in lexicographic order, so one is dominated by earlier ones alone; and who is dominated
 * by a front's member is by one of each front before it. So the first front without one is found by
 * bisection. Equal rows follow each other: the later ones take over the rank. */
struct fronts {
    uint32_t *newest;   /* [n_fronts] last row of each */
    uint32_t *previous; /* [rows] the row before in its front; NONE */
    size_t n_fronts;
};

static int front_dominates(const struct fronts *f, const struct asy__row_ref *rows, size_t front,
                           size_t row, size_t m)
{
    uint32_t at = f->newest[front];

    if (m <= 2) /* the newest has the front's smallest second value */
        return rows[at].v[m - 1] <= rows[row].v[m - 1];
    for (; at != NONE; at = f->previous[at])
        if (asy_pareto_dominates(rows[at].v, rows[row].v, m))
            return 1;
    return 0;
}

static size_t add_to_front(struct fronts *f, const struct asy__row_ref *rows, size_t row, size_t m)
{
    size_t lo = 0, hi = f->n_fronts;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (front_dominates(f, rows, mid, row, m))
            lo = mid + 1;
        else
            hi = mid;
    }
    f->previous[row] = lo < f->n_fronts ? f->newest[lo] : NONE;
    f->newest[lo] = (uint32_t)row;
    f->n_fronts += lo == f->n_fronts;
    return lo;
}

static int by_violation(const void *a, const void *b, void *violations)
{
    uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
    double x = ((const double *)violations)[i], y = ((const double *)violations)[j];

    return x != y ? (x > y) - (x < y) : (i > j) - (i < j);
}

/* Those that violate, by violation, from rank `from` on. order: [n] for their indices. */
static void rank_violating(const double *violations, size_t n, uint32_t from, uint32_t *order,
                           uint32_t *ret_ranks)
{
    double *keys = (double *)(uintptr_t)violations; /* only read: qsort_r has no const */
    size_t k = 0;

    for (size_t i = 0; i < n; i++)
        if (violations[i] > 0)
            order[k++] = (uint32_t)i;
    qsort_r(order, k, sizeof *order, by_violation, keys);
    for (size_t i = 0; i < k; i++) {
        from += i > 0 && violations[order[i]] != violations[order[i - 1]];
        ret_ranks[order[i]] = from;
    }
}

int asy_pareto_ranks(const double *values, const double *violations, size_t n, size_t m,
                     uint32_t *ret_ranks, struct asy_error *err)
{
    struct asy__row_ref *rows = asy__rows_sorted(values, n, m);
    uint32_t *memory = malloc((2 * n + 1) * sizeof *memory);
    struct fronts fronts = { 0 };
    size_t kept = 0;
    int rc = 0;

    if (!rows || !memory) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory to rank %zu points", n);
        goto out;
    }
    fronts.newest = memory;
    fronts.previous = memory + n;
    for (size_t i = 0; i < n; i++)
        if (!violations || !(violations[rows[i].index] > 0))
            rows[kept++] = rows[i];
    for (size_t i = 0; i < kept; i++)
        if (i > 0 && asy__rows_equal(rows[i].v, rows[i - 1].v, m)) {
            fronts.previous[i] = NONE;
            ret_ranks[rows[i].index] = ret_ranks[rows[i - 1].index];
        } else {
            ret_ranks[rows[i].index] = (uint32_t)add_to_front(&fronts, rows, i, m);
        }
    if (kept < n)
        rank_violating(violations, n, (uint32_t)fronts.n_fronts, memory, ret_ranks);
out:
    free(rows);
    free(memory);
    return rc;
}

/* ---- crowding ------------------------------------------------------------------------------ */

struct column {
    const double *values;
    size_t m, j;
};

static int by_column(const void *a, const void *b, void *ctx)
{
    const struct column *c = ctx;
    uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
    double x = c->values[i * c->m + c->j], y = c->values[j * c->m + c->j];

    return x != y ? (x > y) - (x < y) : (i > j) - (i < j);
}

int asy_pareto_crowding(const double *values, size_t n, size_t m, double *ret,
                        struct asy_error *err)
{
    uint32_t *order = malloc((n + 1) * sizeof *order);

    if (!order)
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu distances", n);
    for (size_t i = 0; i < n; i++)
        ret[i] = 0;
    for (size_t j = 0; j < m && n > 0; j++) {
        struct column column = { values, m, j };
        double range;

        for (size_t i = 0; i < n; i++)
            order[i] = (uint32_t)i;
        qsort_r(order, n, sizeof *order, by_column, &column);
        range = values[order[n - 1] * m + j] - values[order[0] * m + j];
        if (!(range > 0) || isinf(range))
            continue;
        ret[order[0]] = ret[order[n - 1]] = INFINITY;
        for (size_t i = 1; i + 1 < n; i++)
            ret[order[i]] +=
                (values[order[i + 1] * m + j] - values[order[i - 1] * m + j]) / range;
    }
    free(order);
    return 0;
}

/* ---- the best ------------------------------------------------------------------------------ */

void asy_pareto_reference(const double *values, size_t n, size_t m, double *ret_ref)
{
    for (size_t j = 0; j < m; j++) {
        double worst = values[j];

        for (size_t i = 1; i < n; i++)
            worst = fmax(worst, values[i * m + j]);
        ret_ref[j] = fmax(1.1 * worst, 0.9 * worst);
        if (ret_ref[j] == 0)
            ret_ref[j] = 1e-12;
    }
}

/* The rank of which but a part is among the k first, and how many of it; no rank is split: 0. */
static size_t split_rank(const uint32_t *ranks, size_t n, size_t k, uint32_t *counts,
                         uint32_t *ret_rank)
{
    size_t before = 0;

    memset(counts, 0, (n + 1) * sizeof *counts);
    for (size_t i = 0; i < n; i++)
        counts[ranks[i]]++;
    *ret_rank = 0;
    while (before < k && before + counts[*ret_rank] <= k)
        before += counts[(*ret_rank)++];
    return k - before;
}

static int subset_of_rank(const double *values, const uint32_t *ranks, size_t n, size_t m,
                          uint32_t rank, size_t k, uint32_t *ret, struct asy_error *err)
{
    double *rows = malloc(n * m * sizeof *rows), ref[ASY_OBJECTIVES_MAX];
    uint32_t *index = malloc(n * sizeof *index);
    size_t count = 0;
    int rc;

    if (!rows || !index) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory to choose of %zu points", n);
        goto out;
    }
    for (size_t i = 0; i < n; i++) {
        if (ranks[i] != rank)
            continue;
        memcpy(&rows[count * m], &values[i * m], m * sizeof *rows);
        index[count++] = (uint32_t)i;
    }
    asy_pareto_reference(rows, count, m, ref);
    if ((rc = asy_pareto_subset(rows, count, m, ref, k, ret, err)))
        goto out;
    for (size_t i = 0; i < k; i++)
        ret[i] = index[ret[i]];
out:
    free(rows);
    free(index);
    return rc;
}

int asy_pareto_best(const double *values, size_t n, size_t m, size_t k, uint32_t *ret,
                    struct asy_error *err)
{
    uint32_t *ranks = malloc((2 * n + 1) * sizeof *ranks), *chosen, rank = 0;
    size_t part, out = 0, next = 0;
    int rc;

    if (!ranks)
        return asy_fail(err, ASY_E_NOMEM, "no memory to choose of %zu points", n);
    chosen = ranks + n;
    if ((rc = asy_pareto_ranks(values, NULL, n, m, ranks, err)))
        goto out;
    part = split_rank(ranks, n, k, chosen, &rank);
    if (part && (rc = subset_of_rank(values, ranks, n, m, rank, part, chosen, err)))
        goto out;
    for (size_t i = 0; i < n; i++) {
        int taken = ranks[i] < rank || (next < part && chosen[next] == i);

        next += next < part && chosen[next] == i;
        if (taken)
            ret[out++] = (uint32_t)i;
    }
    ASY_ASSERT(out == k, "%zu of %zu points", out, k);
out:
    free(ranks);
    return rc;
}
