/* SPDX-License-Identifier: Apache-2.0
 * test_pareto.c - ranks, crowding, volumes and subsets against Optuna and pymoo
 * (golden/make_pareto.py), and against what they are by definition. */
#include <asy/pareto.h>
#include <asy/rng.h>
#include "asytest.h"

static const struct golden {
    const char *kind;
    size_t n, m, k, n_best;
    double volume;
    const double *values, *violations, *ref, *crowding; /* no crowding where points are equal */
    const uint32_t *ranks, *constrained, *subset, *best;
} goldens[] = {
#include "golden/pareto.inc"
};
enum { N = 64, M = 6 };
static struct asy_error err = ASY_ERROR_INIT;

/* ---- the peers ----------------------------------------------------------------------------- */

static void check_indices(const struct golden *g, const char *what, const uint32_t *got,
                          const uint32_t *want, size_t n)
{
    char name[80];

    for (size_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, "%s %zu x %zu: %s of %zu", g->kind, g->n, g->m, what, i);
        T_EQ(name, got[i], want[i]);
    }
}

static void ranks_are_the_peers(void)
{
    for (size_t c = 0; c < ASY_ARRAY_LEN(goldens); c++) {
        const struct golden *g = &goldens[c];
        uint32_t ranks[N];

        T_OK(asy_pareto_ranks(g->values, NULL, g->n, g->m, ranks, &err), &err);
        check_indices(g, "rank", ranks, g->ranks, g->n);
        T_OK(asy_pareto_ranks(g->values, g->violations, g->n, g->m, ranks, &err), &err);
        check_indices(g, "constrained rank", ranks, g->constrained, g->n);
    }
}

static void crowding_is_pymoos(void)
{
    for (size_t c = 0; c < ASY_ARRAY_LEN(goldens); c++) {
        const struct golden *g = &goldens[c];
        double got[N];

        T_OK(asy_pareto_crowding(g->values, g->n, g->m, got, &err), &err);
        for (size_t i = 0; g->crowding && i < g->n; i++)
            if (g->crowding[i] == 1e300)
                T_TRUE(isinf(got[i]));
            else /* sums of at most 6 quotients in another order */
                T_NEAR(g->kind, got[i], g->crowding[i], 1e-13 * (1 + got[i]));
    }
}

static void volumes_are_optunas(void)
{
    for (size_t c = 0; c < ASY_ARRAY_LEN(goldens); c++) {
        const struct golden *g = &goldens[c];
        double got, ref[M];

        T_OK(asy_pareto_volume(g->values, g->n, g->m, g->ref, &got, &err), &err);
        T_NEAR(g->kind, got, g->volume, 1e-12 * g->volume); /* other order of some 100 terms */
        asy_pareto_reference(g->values, g->n, g->m, ref);
        for (size_t j = 0; j < g->m; j++)
            T_TRUE(ref[j] == g->ref[j]);
    }
}

static void subsets_are_optunas(void)
{
    for (size_t c = 0; c < ASY_ARRAY_LEN(goldens); c++) {
        const struct golden *g = &goldens[c];
        uint32_t got[N], front[N];
        double rows[N * M];
        size_t n = 0, k;

        for (size_t i = 0; i < g->n; i++) {
            if (g->ranks[i])
                continue;
            memcpy(&rows[n * g->m], &g->values[i * g->m], g->m * sizeof *rows);
            front[n++] = (uint32_t)i;
        }
        k = g->k < n ? g->k : n;
        T_OK(asy_pareto_subset(rows, n, g->m, g->ref, k, got, &err), &err);
        for (size_t i = 0; i < k; i++)
            got[i] = front[got[i]];
        check_indices(g, "subset", got, g->subset, k);
        T_OK(asy_pareto_best(g->values, g->n, g->m, g->n_best, got, &err), &err);
        check_indices(g, "best", got, g->best, g->n_best);
    }
}

/* ---- by definition ------------------------------------------------------------------------- */

/* Every third set has few different values, so that there are ties and equal points. */
static void draw(struct asy_rng *rng, size_t round, double *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        values[i] = round % 3 ? asy_rng_double(rng) : (double)asy_rng_below(rng, 4) / 4;
}

static void ranks_are_those_of_peeling(void)
{
    struct asy_rng rng;

    asy_rng_init(&rng, 3, 0, ASY_RNG_SIM);
    for (size_t round = 0; round < 300; round++) {
        size_t n = asy_rng_below(&rng, N + 1), m = 1 + asy_rng_below(&rng, M);
        double values[N * M];
        uint32_t got[N], want[N], rank = 0;
        size_t left = n;

        draw(&rng, round, values, n * m);
        T_OK(asy_pareto_ranks(values, NULL, n, m, got, &err), &err);
        for (size_t i = 0; i < n; i++)
            want[i] = UINT32_MAX;
        for (; left > 0; rank++)
            for (size_t i = 0; i < n; i++) {
                size_t k = 0;

                while (k < n && (want[k] < rank || !asy_pareto_dominates(&values[k * m],
                                                                         &values[i * m], m)))
                    k++;
                if (want[i] == UINT32_MAX && k == n) {
                    want[i] = rank;
                    left--;
                }
            }
        for (size_t i = 0; i < n; i++)
            T_EQ("rank", got[i], want[i]);
    }
}

/* The volume of a union of boxes by inclusion and exclusion over all subsets. */
static double by_subsets(const double *values, size_t n, size_t m, const double *ref)
{
    double sum = 0;

    for (unsigned set = 1; set < 1u << n; set++) {
        double product = __builtin_popcount(set) % 2 ? 1 : -1;

        for (size_t j = 0; j < m; j++) {
            double corner = -INFINITY;

            for (size_t i = 0; i < n; i++)
                if (set & 1u << i)
                    corner = fmax(corner, values[i * m + j]);
            product *= fmax(ref[j] - corner, 0);
        }
        sum += product;
    }
    return sum;
}

static void volumes_are_those_of_inclusion_and_exclusion(void)
{
    static const double ref[M] = { 1, 0.9, 1.2, 1, 0.8, 1 }; /* some points are beyond */
    struct asy_rng rng;

    asy_rng_init(&rng, 4, 0, ASY_RNG_SIM);
    for (size_t round = 0; round < 150; round++) {
        size_t n = asy_rng_below(&rng, 9), m = 1 + asy_rng_below(&rng, M);
        double values[9 * M], got, want, each[9];

        draw(&rng, round, values, n * m);
        want = by_subsets(values, n, m, ref);
        T_OK(asy_pareto_volume(values, n, m, ref, &got, &err), &err);
        T_NEAR("volume", got, want, 1e-12); /* sums of 256 terms of at most 1 */
        T_OK(asy_pareto_contributions(values, n, m, ref, each, &err), &err);
        for (size_t i = 0; i < n; i++) {
            double others[9 * M];

            memcpy(others, values, i * m * sizeof *others);
            memcpy(&others[i * m], &values[(i + 1) * m], (n - i - 1) * m * sizeof *others);
            T_NEAR("alone", each[i], want - by_subsets(others, n - 1, m, ref), 1e-12);
        }
    }
}

/* Greedily, with every volume computed anew. */
static void plain_subset(const double *values, size_t n, size_t m, const double *ref, size_t k,
                         uint32_t *ret)
{
    double chosen[N * M], volume, most;
    int taken[N] = { 0 };

    for (size_t c = 0; c < k; c++) {
        size_t at = SIZE_MAX;

        most = -1;
        for (size_t i = 0; i < n; i++) {
            memcpy(&chosen[c * m], &values[i * m], m * sizeof *chosen);
            T_OK(asy_pareto_volume(chosen, c + 1, m, ref, &volume, &err), &err);
            if (taken[i] || volume <= most)
                continue;
            most = volume;
            at = i;
        }
        taken[at] = 1;
        memcpy(&chosen[c * m], &values[at * m], m * sizeof *chosen);
    }
    for (size_t i = 0, c = 0; i < n; i++)
        if (taken[i])
            ret[c++] = (uint32_t)i;
}

static void subsets_are_greedy(void)
{
    static const double ref[M] = { 1, 0.9, 1.2, 1, 0.8, 1 };
    struct asy_rng rng;

    asy_rng_init(&rng, 5, 0, ASY_RNG_SIM);
    for (size_t round = 0; round < 60; round++) {
        size_t n = 2 + asy_rng_below(&rng, 20), m = 2 + asy_rng_below(&rng, M - 1);
        size_t k = 1 + asy_rng_below(&rng, 4);
        double values[N * M];
        uint32_t got[N], want[N];

        draw(&rng, 1, values, n * m);
        k = k < n ? k : n;
        for (size_t i = 0; i < n; i++) /* each covers something, so that no ties come up */
            for (size_t j = 0; j < m; j++)
                values[i * m + j] *= 0.75;
        T_OK(asy_pareto_subset(values, n, m, ref, k, got, &err), &err);
        plain_subset(values, n, m, ref, k, want);
        for (size_t i = 0; i < k; i++)
            T_EQ("chosen", got[i], want[i]);
    }
}

static void odd_sets_have_an_answer(void)
{
    const double equal[] = { 1, 2, 1, 2, 1, 2 }, far[] = { -INFINITY, 1, 0, INFINITY, 1, 0 };
    const double ref[] = { 3, 3 }, none[] = { INFINITY, 3 };
    double volume, each[3];
    uint32_t at[3];

    T_OK(asy_pareto_volume(equal, 0, 2, ref, &volume, &err), &err);
    T_TRUE(volume == 0);
    T_OK(asy_pareto_volume(equal, 3, 2, ref, &volume, &err), &err);
    T_TRUE(volume == 2);
    T_OK(asy_pareto_contributions(equal, 3, 2, ref, each, &err), &err);
    T_TRUE(each[0] == 0 && each[1] == 0 && each[2] == 0);
    T_OK(asy_pareto_crowding(equal, 3, 2, each, &err), &err);
    T_TRUE(each[0] == 0 && each[2] == 0);
    T_OK(asy_pareto_subset(equal, 3, 2, ref, 2, at, &err), &err);
    T_TRUE(at[0] == 0 && at[1] == 1);
    T_OK(asy_pareto_volume(far, 3, 2, ref, &volume, &err), &err);
    T_TRUE(isinf(volume));
    T_OK(asy_pareto_ranks(far, NULL, 3, 2, at, &err), &err);
    T_TRUE(at[0] == 0 && at[1] == 1 && at[2] == 0);
    T_OK(asy_pareto_subset(far, 3, 2, none, 2, at, &err), &err);
    T_TRUE(at[0] == 0 && at[1] == 1);
    T_OK(asy_pareto_subset(far, 3, 2, ref, 2, at, &err), &err);
    T_TRUE(at[0] < at[1] && at[1] < 3);
    T_OK(asy_pareto_best(equal, 3, 2, 0, at, &err), &err);
}

T_MAIN("pareto", T_TEST(ranks_are_the_peers), T_TEST(crowding_is_pymoos),
       T_TEST(volumes_are_optunas), T_TEST(subsets_are_optunas),
       T_TEST(ranks_are_those_of_peeling), T_TEST(volumes_are_those_of_inclusion_and_exclusion),
       T_TEST(subsets_are_greedy), T_TEST(odd_sets_have_an_answer))
