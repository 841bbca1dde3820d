/* SPDX-License-Identifier: Apache-2.0
 * test_ranks.c - ranks of a growing set against those of the whole set, its best against
 * asy_pareto_best(); and what a large front costs moasha, in comparisons and in what is searched
 * for the points that cover most. The linker sends the calls that count through here. */
#include <asy/pareto.h>
#include <asy/rng.h>
#include <asy/tuner.h>
#include "asytest.h"
#include "ranks.h"

enum { POINTS = 400, GOALS = 3, SEEDS = 6, LARGE = 4000 };
static struct asy_error err = ASY_ERROR_INIT;
static struct {
    size_t compared;       /* pairs */
    size_t most_searched;  /* points times how many of them are chosen, at once */
    size_t ranked;         /* points, all anew */
} work;

int __real_asy_pareto_dominates(const double *a, const double *b, size_t m);
int __real_asy_pareto_subset(const double *values, size_t n, size_t m, const double *ref, size_t k,
                             uint32_t *ret, struct asy_error *e);
int __real_asy_pareto_ranks(const double *values, const double *violations, size_t n, size_t m,
                            uint32_t *ret_ranks, struct asy_error *e);
int __wrap_asy_pareto_dominates(const double *a, const double *b, size_t m);
int __wrap_asy_pareto_subset(const double *values, size_t n, size_t m, const double *ref, size_t k,
                             uint32_t *ret, struct asy_error *e);
int __wrap_asy_pareto_ranks(const double *values, const double *violations, size_t n, size_t m,
                            uint32_t *ret_ranks, struct asy_error *e);

int __wrap_asy_pareto_dominates(const double *a, const double *b, size_t m)
{
    work.compared++;
    return __real_asy_pareto_dominates(a, b, m);
}

int __wrap_asy_pareto_subset(const double *values, size_t n, size_t m, const double *ref, size_t k,
                             uint32_t *ret, struct asy_error *e)
{
    work.most_searched = n * k > work.most_searched ? n * k : work.most_searched;
    if (n > 1024) /* seconds each: refused, what counts is known */
        return asy_fail(e, ASY_E_NOMEM, "too many");
    return __real_asy_pareto_subset(values, n, m, ref, k, ret, e);
}

int __wrap_asy_pareto_ranks(const double *values, const double *violations, size_t n, size_t m,
                            uint32_t *ret_ranks, struct asy_error *e)
{
    work.ranked += n;
    return __real_asy_pareto_ranks(values, violations, n, m, ret_ranks, e);
}

/* ---- the set ------------------------------------------------------------------------------- */

/* Ties and equal points; a few long fronts; many short ones. */
static void draw(struct asy_rng *rng, int kind, size_t m, double *point)
{
    double base = (double)asy_rng_below(rng, 60);

    for (size_t j = 0; j < m; j++)
        point[j] = kind == 0   ? (double)asy_rng_below(rng, 9)
                   : kind == 1 ? asy_rng_double(rng)
                               : base + (double)asy_rng_below(rng, 3);
    if (kind == 0 && asy_rng_below(rng, 20) == 0)
        point[0] = INFINITY;
}

static void same_best(struct asy__ranks *set, size_t m, size_t k)
{
    uint32_t best[POINTS], cut;
    uint8_t want[POINTS] = { 0 }, among[POINTS] = { 0 };
    size_t part, differ = 0;

    T_OK(asy_pareto_best(set->values, set->n, m, k, best, &err), &err);
    for (size_t i = 0; i < k; i++)
        want[best[i]] = 1;
    asy__ranks_cut(set, k, &cut, &part);
    if (part > 0)
        T_EQ("chosen", asy__ranks_choose(set, m, cut, part, among), 0);
    for (size_t i = 0; i < set->n; i++)
        differ += want[i] != (set->ranks[i] < cut || (set->ranks[i] == cut && among[i]));
    T_EQ("the same best", differ, 0);
}

static void a_growing_set_has_the_ranks_of_the_whole(void)
{
    for (int kind = 0; kind < 3; kind++)
        for (size_t m = 1; m <= GOALS; m++)
            for (uint64_t seed = 0; seed < SEEDS; seed++) {
                struct asy__ranks set = { 0 };
                uint32_t want[POINTS];
                struct asy_rng rng;
                int same = 1;

                asy_rng_init(&rng, seed, m, ASY_RNG_SIM);
                for (size_t n = 1; same && n <= POINTS; n++) {
                    double point[GOALS];

                    draw(&rng, kind, m, point);
                    if (!T_EQ("room", asy__ranks_reserve(&set, m), 0))
                        return;
                    asy__ranks_add(&set, m, point);
                    if (n > 60 && n % 13)
                        continue;
                    T_OK(asy_pareto_ranks(set.values, NULL, n, m, want, &err), &err);
                    same = T_TRUE(!memcmp(set.ranks, want, n * sizeof *want));
                    for (size_t k = 0; same && m > 1 && n <= 256 && k <= n; k += 1 + n / 5)
                        same_best(&set, m, k);
                }
                asy__ranks_fini(&set);
            }
}

/* On a part of a sphere: nobody dominates. */
static void draw_front(struct asy_rng *rng, double *point)
{
    double square = 0;

    for (size_t j = 0; j < GOALS; j++) {
        point[j] = fabs(asy_rng_normal(rng));
        square += point[j] * point[j];
    }
    for (size_t j = 0; j < GOALS; j++)
        point[j] = -point[j] / sqrt(square);
}

static void of_a_large_front_the_loneliest_are_chosen(void)
{
    struct asy__ranks set = { 0 };
    double distances[POINTS], least = INFINITY, most = 0;
    uint8_t among[POINTS];
    struct asy_rng rng;
    size_t count = 0;

    asy_rng_init(&rng, 1, 0, ASY_RNG_SIM);
    for (size_t i = 0; i < POINTS; i++) {
        double point[GOALS];

        draw_front(&rng, point);
        if (!T_EQ("room", asy__ranks_reserve(&set, GOALS), 0))
            return;
        asy__ranks_add(&set, GOALS, point);
    }
    T_EQ("chosen", asy__ranks_choose(&set, GOALS, 0, 100, among), 0);
    T_OK(asy_pareto_crowding(set.values, POINTS, GOALS, distances, &err), &err);
    for (size_t i = 0; i < POINTS; i++) {
        count += among[i];
        if (among[i])
            least = fmin(least, distances[i]);
        else
            most = fmax(most, distances[i]);
    }
    T_EQ("how many", count, 100);
    T_TRUE(least >= most);
    asy__ranks_fini(&set);
}

/* ---- moasha -------------------------------------------------------------------------------- */

/* Trials on one front: all are looked at as they report, or every fourth time as one may go on. */
static void a_large_front_costs_little(void)
{
    static const enum asy_goal goals[GOALS] = { ASY_MINIMIZE };

    for (int can_pause = 0; can_pause <= 1; can_pause++) {
        struct asy_pruner_spec spec = { .name = "moasha", .goals = goals, .n_goals = GOALS,
                                        .length_max = 64, .can_pause = can_pause };
        struct asy_pruner *p = NULL;
        double most_compared = 0;
        size_t go_on = 0;
        struct asy_rng rng;

        if (!T_OK(asy_pruner_create(&spec, &p, &err), &err))
            return;
        asy_rng_init(&rng, 2, 0, ASY_RNG_SIM);
        memset(&work, 0, sizeof work);
        for (uint64_t i = 0; i < (can_pause ? LARGE : LARGE / 4); i++) {
            uint64_t number, milestone;
            size_t before = work.compared;
            double point[GOALS];

            draw_front(&rng, point);
            go_on += asy_pruner_report(p, i, 1, point) == ASY_GO_ON;
            if (i % 4 == 0)
                go_on += (size_t)asy_pruner_promote(p, &number, &milestone);
            if (i > 2 * ASY__COVER_MAX(GOALS)) /* before, volumes compare too */
                most_compared = fmax(most_compared, (double)(work.compared - before));
        }
        T_TRUE(go_on > 100);
        T_TRUE(most_compared <= 2 * LARGE); /* with those before it, and once more with its front */
        T_TRUE(work.most_searched <= 256 * 256);
        T_EQ("all anew", work.ranked, 0);
        asy_pruner_destroy(p);
    }
}

T_MAIN("ranks", T_TEST(a_growing_set_has_the_ranks_of_the_whole),
       T_TEST(of_a_large_front_the_loneliest_are_chosen), T_TEST(a_large_front_costs_little))
