/* SPDX-License-Identifier: Apache-2.0
 * ranks.c - see ranks.h. */
#include "ranks.h"
#include <stdlib.h>
#include <string.h>
#include <asy/pareto.h>
#include "grow.h"
#include "rows.h"

void asy__ranks_fini(struct asy__ranks *set)
{
    free(set->values);
    free(set->ranks);
    free(set->order);
    free(set->starts);
    free(set->pushed);
    *set = (struct asy__ranks){ 0 };
}

int asy__ranks_reserve(struct asy__ranks *set, size_t m)
{
    size_t cap = set->cap ? 2 * set->cap : 16;

    if (set->n < set->cap)
        return 0;
    if (asy__grow(&set->values, cap * m, sizeof *set->values) ||
        asy__grow(&set->ranks, cap, sizeof *set->ranks) ||
        asy__grow(&set->order, cap, sizeof *set->order) ||
        asy__grow(&set->starts, cap + 2, sizeof *set->starts) ||
        asy__grow(&set->pushed, 2 * cap, sizeof *set->pushed))
        return ASY_E_NOMEM;
    set->cap = cap;
    return 0;
}

/* ---- one more ------------------------------------------------------------------------------ */

/* Fills starts[n + 1]: how many points have a rank below. */
static void count_ranks(struct asy__ranks *set)
{
    memset(set->starts, 0, (set->n + 2) * sizeof *set->starts);
    for (size_t i = 0; i < set->n; i++)
        set->starts[set->ranks[i] + 1]++;
    for (size_t r = 0; r <= set->n; r++)
        set->starts[r + 1] += set->starts[r];
}

/* Fills order, each rank's points by index; starts as of count_ranks(). */
static void sort_by_rank(struct asy__ranks *set)
{
    count_ranks(set);
    for (size_t i = 0; i < set->n; i++)
        set->order[set->starts[set->ranks[i]]++] = (uint32_t)i;
    for (size_t r = set->n; r > 0; r--) /* each stands where the next one began */
        set->starts[r] = set->starts[r - 1];
    set->starts[0] = 0;
}

static int any_dominates(const struct asy__ranks *set, size_t m, const uint32_t *by, size_t n,
                         size_t point)
{
    for (size_t i = 0; i < n; i++)
        if (asy_pareto_dominates(&set->values[by[i] * m], &set->values[point * m], m))
            return 1;
    return 0;
}

/* Of the points that had the rank, those that any of by[n] dominates have the next one from now on;
 * they are put into ret. Returns how many. */
static size_t push(struct asy__ranks *set, size_t m, uint32_t rank, const uint32_t *by, size_t n,
                   uint32_t *ret)
{
    size_t count = 0;

    for (size_t i = set->starts[rank]; i < set->starts[rank + 1]; i++)
        if (any_dominates(set, m, by, n, set->order[i]))
            ret[count++] = set->order[i];
    for (size_t i = 0; i < count; i++)
        set->ranks[ret[i]] = rank + 1;
    return count;
}

void asy__ranks_add(struct asy__ranks *set, size_t m, const double *point)
{
    uint32_t *by = set->pushed, *next = set->pushed + set->cap, *swap, rank = 0;
    size_t n = 1, own = set->n;

    for (size_t i = 0; i < own; i++)
        if (set->ranks[i] >= rank && asy_pareto_dominates(&set->values[i * m], point, m))
            rank = set->ranks[i] + 1;
    sort_by_rank(set); /* without the new one */
    memcpy(&set->values[own * m], point, m * sizeof *point);
    set->ranks[own] = rank;
    set->n++;
    by[0] = (uint32_t)own;
    for (; rank < own && (n = push(set, m, rank, by, n, next)) > 0; rank++) {
        swap = by;
        by = next;
        next = swap;
    }
}

/* ---- the best ------------------------------------------------------------------------------ */

void asy__ranks_cut(struct asy__ranks *set, size_t k, uint32_t *ret_rank, size_t *ret_part)
{
    uint32_t rank = 0;

    if (set->n > 0)
        count_ranks(set);
    while (rank < set->n && set->starts[rank + 1] <= k)
        rank++;
    *ret_rank = rank;
    *ret_part = set->n > 0 ? k - set->starts[rank] : 0;
}

struct spread {
    double distance;
    uint32_t at; /* in lexicographic order */
};

static int by_distance(const void *a, const void *b)
{
    const struct spread *x = a, *y = b;

    if (x->distance != y->distance)
        return x->distance > y->distance ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

/* Of n rows in lexicographic order the k with the largest crowding distance. memory: [n, m + 1] */
static int choose_spread(const struct asy__row_ref *rows, size_t n, size_t m, size_t k,
                         double *memory, struct spread *spread, uint32_t *ret)
{
    double *distances = memory + n * m;

    for (size_t i = 0; i < n; i++)
        memcpy(&memory[i * m], rows[i].v, m * sizeof *memory);
    if (asy_pareto_crowding(memory, n, m, distances, NULL))
        return ASY_E_NOMEM;
    for (size_t i = 0; i < n; i++)
        spread[i] = (struct spread){ distances[i], (uint32_t)i };
    qsort(spread, n, sizeof *spread, by_distance);
    for (size_t i = 0; i < k; i++)
        ret[i] = rows[spread[i].at].index;
    return 0;
}

static int spread_out(const double *values, size_t n, size_t m, size_t k, uint32_t *ret)
{
    struct asy__row_ref *rows = asy__rows_sorted(values, n, m);
    double *memory = malloc(n * (m + 1) * sizeof *memory);
    struct spread *spread = malloc(n * sizeof *spread);
    int rc = rows && memory && spread ? choose_spread(rows, n, m, k, memory, spread, ret)
                                      : ASY_E_NOMEM;

    free(rows);
    free(memory);
    free(spread);
    return rc;
}

static int choose_of(const double *values, size_t n, size_t m, size_t k, uint32_t *ret)
{
    double ref[ASY_OBJECTIVES_MAX];

    if (n > ASY__COVER_MAX(m))
        return spread_out(values, n, m, k, ret);
    asy_pareto_reference(values, n, m, ref);
    return asy_pareto_subset(values, n, m, ref, k, ret, NULL);
}

int asy__ranks_choose(const struct asy__ranks *set, size_t m, uint32_t rank, size_t k,
                      uint8_t *ret_among)
{
    double *values = malloc((set->n + 1) * m * sizeof *values);
    uint32_t *of = malloc((set->n + 1) * sizeof *of), *chosen = malloc((k + 1) * sizeof *chosen);
    size_t n = 0;
    int rc = ASY_E_NOMEM;

    if (!values || !of || !chosen)
        goto out;
    for (size_t i = 0; i < set->n; i++)
        if (set->ranks[i] == rank) {
            memcpy(&values[n * m], &set->values[i * m], m * sizeof *values);
            of[n++] = (uint32_t)i;
        }
    if ((rc = choose_of(values, n, m, k, chosen)))
        goto out;
    memset(ret_among, 0, set->n);
    for (size_t i = 0; i < k; i++)
        ret_among[of[chosen[i]]] = 1;
out:
    free(values);
    free(of);
    free(chosen);
    return rc;
}
