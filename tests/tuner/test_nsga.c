/* SPDX-License-Identifier: Apache-2.0
 * test_nsga.c - NSGA-II and NSGA-III: what children are made of, who survives, that the order of
 * results does not matter, and whether they find fronts; TPE with several objectives as well. */
#include <asy/pareto.h>
#include <asy/tuner.h>
#include "asytest.h"
#include "niche.h"
#include "survive.h"
#include "vary.h"

static const struct asy_value names[] = {
    { .type = ASY_VALUE_STRING, .s = "a" },
    { .type = ASY_VALUE_STRING, .s = "b" },
    { .type = ASY_VALUE_STRING, .s = "c" },
};
static const double is_a[] = { 0 };
static const struct asy_when if_a = { .parent = 1, .values = is_a, .n_values = 1 };
static const struct asy_param conditional[] = {
    { .name = "x", .lo = 0, .hi = 1 },
    { .name = "kind", .type = ASY_PARAM_CHOICE, .choices = names, .n_choices = 3 },
    { .name = "p", .lo = 1e-3, .hi = 1, .log = 1, .whens = &if_a, .n_whens = 1 },
    { .name = "n", .type = ASY_PARAM_INT, .lo = 1, .hi = 9 },
};
enum { LEN = ASY_ARRAY_LEN(conditional) };
static const char *const kinds[] = { "nsga2", "nsga3", "tpe" };
static struct asy_error err = ASY_ERROR_INIT;

static struct asy_space *make_space(const struct asy_param *params, size_t n)
{
    struct asy_space *space = NULL;

    if (!T_OK(asy_space_create(&space, &err), &err))
        abort();
    for (size_t i = 0; i < n; i++)
        if (!T_OK(asy_space_add(space, &params[i], &err), &err))
            abort();
    return space;
}

static struct asy_sampler *make(const struct asy_space *space, const char *name, uint64_t seed,
                                size_t n_goals, const struct asy_option *option)
{
    static const enum asy_goal goals[] = { ASY_MINIMIZE, ASY_MINIMIZE, ASY_MINIMIZE };
    struct asy_sampler_spec spec = { .name = name, .seed = seed, .goals = goals,
                                     .n_goals = n_goals, .options = option,
                                     .n_options = option != NULL };
    struct asy_sampler *sampler = NULL;

    if (!T_OK(asy_sampler_create(space, &spec, &sampler, &err), &err))
        abort();
    return sampler;
}

static void ask(struct asy_sampler *s, uint64_t number, double *x)
{
    if (!T_OK(asy_sampler_ask(s, number, NULL, x, &err), &err))
        abort();
}

static void tell(struct asy_sampler *s, const struct asy_outcome *o)
{
    if (!T_OK(asy_sampler_tell(s, o, &err), &err))
        abort();
}

static int same(const double *x, const double *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (isnan(x[i]) ? !isnan(y[i]) : x[i] != y[i])
            return 0;
    return 1;
}

/* ---- the sampler's promises ---------------------------------------------------------------- */

enum { TOLD = 170 };
struct log {
    struct asy_outcome outcomes[TOLD];
    double xs[TOLD][LEN], values[TOLD][2];
};

/* Outcomes of all kinds for random points, three in four of them complete. */
static void make_log(const struct asy_space *space, struct log *log)
{
    struct asy_sampler *random = make(space, "random", 77, 2, NULL);
    struct asy_rng rng;

    asy_rng_init(&rng, 61, 0, ASY_RNG_SIM);
    for (size_t i = 0; i < TOLD; i++) {
        ask(random, i, log->xs[i]);
        log->values[i][0] = asy_rng_below(&rng, 20) ? (double)asy_rng_below(&rng, 30) : NAN;
        log->values[i][1] = (double)asy_rng_below(&rng, 30);
        log->outcomes[i] = (struct asy_outcome){
            .number = i, .state = ASY_OUTCOME_COMPLETE, .x = log->xs[i], .values = log->values[i],
            .last_step = (double)asy_rng_below(&rng, 5) - 1,
            .violation = asy_rng_below(&rng, 5) ? 0 : asy_rng_double(&rng),
            .diverged = asy_rng_below(&rng, 2) != 0,
        };
        if (asy_rng_below(&rng, 4) == 0)
            log->outcomes[i].state = (enum asy_outcome_state)(1 + asy_rng_below(&rng, 4));
    }
    asy_sampler_destroy(random);
}

/* Told forwards, backwards, and with detours while others are asked for. */
static void order_of_tells_does_not_matter(void)
{
    static struct log log;
    struct asy_space *space = make_space(conditional, LEN);

    make_log(space, &log);
    for (size_t k = 0; k < ASY_ARRAY_LEN(kinds); k++) {
        struct asy_sampler *s[3];
        double x[3][LEN], other[LEN] = { 0.5, 2, NAN, 3 };
        const double good[] = { 0, 0 };

        for (size_t i = 0; i < 3; i++)
            s[i] = make(space, kinds[k], 5, 2, NULL);
        for (size_t i = 0; i < TOLD; i++) {
            struct asy_outcome detour = { .number = i * 77 % TOLD, .state = ASY_OUTCOME_COMPLETE,
                                          .x = other, .values = good };

            tell(s[0], &log.outcomes[i]);
            tell(s[1], &log.outcomes[TOLD - 1 - i]);
            tell(s[2], &detour);
        }
        for (size_t i = 0; i < TOLD; i++) {
            ask(s[2], TOLD + 100, x[2]);
            tell(s[2], &log.outcomes[i * 37 % TOLD]);
        }
        tell(s[2], &(struct asy_outcome){ .number = TOLD + 100, .state = ASY_OUTCOME_FAILED,
                                          .x = x[2] });
        for (uint64_t number = TOLD; number < TOLD + 30; number++) {
            for (size_t i = 0; i < 3; i++)
                ask(s[i], number, x[i]);
            T_TRUE(same(x[0], x[1], LEN) && same(x[0], x[2], LEN));
        }
        for (size_t i = 0; i < 3; i++)
            asy_sampler_destroy(s[i]);
    }
    asy_space_destroy(space);
}

/* The first population is random, then it learns; an ask that is repeated gives the same. */
static void startup_is_random_and_asks_repeat(void)
{
    static const struct asy_option small = { "population", 10 };
    struct asy_space *space = make_space(conditional, LEN);

    for (size_t k = 0; k < 2; k++) {
        struct asy_sampler *s = make(space, kinds[k], 9, 2, &small);
        struct asy_sampler *random = make(space, "random", 9, 2, NULL);

        for (uint64_t i = 0; i < 60; i++) {
            double x[LEN], again[LEN], r[LEN];
            struct asy_outcome o = { .number = i, .state = ASY_OUTCOME_COMPLETE, .x = x };

            ask(s, i, x);
            ask(random, i, r);
            T_TRUE((i < 10) == same(x, r, LEN));
            o.values = x; /* x and kind */
            tell(s, &o);
            ask(s, i, again); /* although its own result is known */
            T_TRUE(same(x, again, LEN));
            tell(s, &o);
        }
        T_EQ("history", asy_sampler_needs_history(s), 1);
        asy_sampler_destroy(s);
        asy_sampler_destroy(random);
    }
    asy_space_destroy(space);
}

/* Where half of the points are infeasible, pruned or diverged, children look like the others. */
static void what_is_not_feasible_has_no_children(void)
{
    static const struct asy_param line[] = { { .name = "x", .lo = 0, .hi = 1 } };
    static const struct asy_outcome bad[] = {
        { .state = ASY_OUTCOME_COMPLETE, .violation = 0.1 },
        { .state = ASY_OUTCOME_PRUNED, .last_step = 9 },
        { .state = ASY_OUTCOME_FAILED, .diverged = 1 },
    };
    struct asy_space *space = make_space(line, 1);

    for (size_t k = 0; k < 2; k++)
        for (size_t c = 0; c < ASY_ARRAY_LEN(bad); c++) {
            struct asy_sampler *s = make(space, kinds[k], c, 2, NULL);
            size_t low = 0;
            double x;

            for (uint64_t i = 0; i < 120; i++) {
                struct asy_outcome o = bad[c];
                const double values[] = { i % 2 ? 5 : 1, i % 2 ? 7 - 1e-3 * (double)i : 1 };

                if (i % 2)
                    o = (struct asy_outcome){ .state = ASY_OUTCOME_COMPLETE };
                x = (i % 2 ? 0.1 : 0.9) + 1e-4 * (double)i;
                o.number = i;
                o.x = &x;
                o.values = values;
                tell(s, &o);
            }
            for (uint64_t i = 0; i < 50; i++) {
                ask(s, 200 + i, &x);
                low += x < 0.5;
            }
            T_TRUE(low > 47); /* but for wide mutations */
            asy_sampler_destroy(s);
        }
    asy_space_destroy(space);
}

/* ---- children ------------------------------------------------------------------------------ */

static void children_take_after_their_parents(void)
{
    static const struct asy_param square[] = {
        { .name = "x", .lo = 0, .hi = 1 },
        { .name = "y", .lo = 1e-4, .hi = 1, .log = 1 },
    };
    enum { N = 20000 };
    struct asy_space *space = make_space(square, 2);
    struct asy_sampler *s = make(space, "nsga2", 0, 2, NULL);
    struct asy__vary how = { .crossover_eta = 20, .mutation_eta = 20 };
    const double a[] = { 0.45, 1e-2 }, b[] = { 0.55, 1e-1 };
    struct asy__dim dims[2];
    double mean = 0, mean_log = 0, spread = 0;
    size_t near = 0;

    how.dims = dims;
    for (size_t i = 0; i < 2; i++)
        asy__dim_init(&dims[i], space, i);
    for (uint64_t i = 0; i < N; i++) {
        struct asy_rng rng = asy__sampler_rng(s, i, 0);
        double x[2];

        asy__vary(s, &how, i, i % 2 ? a : b, i % 2 ? b : a, NULL, &rng, x);
        T_OK(asy_space_check(space, x, &err), &err);
        mean += x[0] / N;
        mean_log += log10(x[1]) / N;
        spread += fabs(x[0] - 0.5) / N;
        near += fabs(x[0] - 0.45) < 0.02 || fabs(x[0] - 0.55) < 0.02;
    }
    /* Symmetric around the middle of the parents; five standard errors of 0.06 and 0.6. */
    T_NEAR("mean", mean, 0.5, 0.003);
    T_NEAR("mean of the logarithm", mean_log, -1.5, 0.03);
    T_TRUE(spread > 0.045 && spread < 0.08);
    t__check(near > 0.6 * N, __LINE__, __FILE__, "%zu of %d near a parent", near, N);
    asy_sampler_destroy(s);
    asy_space_destroy(space);
}

/* Equal parents: only mutation is left, of one parameter in the mean, by a step at least. */
static void mutation_changes_one_in_the_mean(void)
{
    enum { N = 4000 };
    static const struct asy_param params[] = {
        { .name = "n", .type = ASY_PARAM_INT, .lo = 1, .hi = 3 },
        { .name = "kind", .type = ASY_PARAM_CHOICE, .choices = names, .n_choices = 3 },
        { .name = "x", .lo = 0, .hi = 1 },
        { .name = "one", .lo = 2, .hi = 2 },
    };
    struct asy_space *space = make_space(params, 4);
    struct asy_sampler *s = make(space, "nsga2", 0, 2, NULL);
    struct asy__vary how = { .crossover_eta = 20, .mutation_eta = 20 };
    const double a[] = { 3, 1, 0.5, 2 };
    size_t changed[4] = { 0 };
    struct asy__dim dims[4];

    how.dims = dims;
    for (size_t i = 0; i < 4; i++)
        asy__dim_init(&dims[i], space, i);
    for (uint64_t i = 0; i < N; i++) {
        struct asy_rng rng = asy__sampler_rng(s, i, 0);
        double x[4];

        asy__vary(s, &how, i, a, a, NULL, &rng, x);
        T_OK(asy_space_check(space, x, &err), &err);
        for (size_t k = 0; k < 4; k++)
            changed[k] += x[k] != a[k];
    }
    for (size_t k = 0; k < 3; k++) /* five standard deviations */
        T_NEAR(params[k].name, (double)changed[k], N / 3.0, 5 * sqrt(N * 2 / 9.0));
    T_EQ("a single value", changed[3], 0);
    asy_sampler_destroy(s);
    asy_space_destroy(space);
}

/* A parameter is inherited from whoever has it, drawn where nobody has, kept where it is fixed. */
static void conditions_hold_for_children(void)
{
    struct asy_space *space = make_space(conditional, LEN);
    struct asy_sampler *s = make(space, "nsga2", 0, 2, NULL);
    struct asy__vary how = { .crossover_eta = 20, .mutation_eta = 20 };
    const double with[] = { 0.2, 0, 0.25, 4 }, without[] = { 0.7, 2, NAN, 8 };
    const double fixed[] = { NAN, NAN, 0.5, 2 };
    struct asy__dim dims[LEN];
    size_t has = 0, inherited = 0, drawn = 0;

    how.dims = dims;
    for (size_t i = 0; i < LEN; i++)
        asy__dim_init(&dims[i], space, i);
    for (uint64_t i = 0; i < 2000; i++) {
        struct asy_rng rng = asy__sampler_rng(s, i, 0);
        double x[LEN];

        asy__vary(s, &how, i, without, with, NULL, &rng, x);
        T_OK(asy_space_check(space, x, &err), &err);
        has += !isnan(x[2]);
        inherited += x[2] == 0.25;
        asy__vary(s, &how, i, without, without, NULL, &rng, x);
        T_OK(asy_space_check(space, x, &err), &err);
        drawn += !isnan(x[2]);
        asy__vary(s, &how, i, with, without, fixed, &rng, x);
        T_OK(asy_space_check(space, x, &err), &err);
        T_TRUE(x[3] == 2 && (isnan(x[2]) || x[2] == 0.5));
    }
    t__check(has > 500 && inherited > 0.6 * (double)has && drawn > 100, __LINE__, __FILE__,
             "%zu have it, %zu as the parent, %zu by mutation", has, inherited, drawn);
    asy_sampler_destroy(s);
    asy_space_destroy(space);
}

/* ---- survival ------------------------------------------------------------------------------ */

enum { POOL = 40 };

static void make_pool(struct asy_rng *rng, size_t m, double *losses, struct asy__member *pool)
{
    for (size_t i = 0; i < POOL; i++) {
        for (size_t j = 0; j < m; j++)
            losses[i * m + j] = asy_rng_double(rng);
        pool[i] = (struct asy__member){ .losses = &losses[i * m] };
        if (i % 5 == 4)
            pool[i] = (struct asy__member){ .place = (uint32_t)i };
    }
}

static void nobody_survives_who_is_dominated_by_the_dead(void)
{
    struct asy_rng rng;

    asy_rng_init(&rng, 8, 0, ASY_RNG_SIM);
    for (size_t round = 0; round < 60; round++) {
        size_t m = 1 + round % 4, population = 5 + asy_rng_below(&rng, 30), kept;
        struct asy__survive s;
        struct asy__member pool[POOL];
        struct asy__mate mates[POOL];
        double losses[POOL * 4];
        int alive[POOL] = { 0 };

        make_pool(&rng, m, losses, pool);
        T_OK(asy__survive_init(&s, m, population, round / 4 % 2 * 4, &err), &err);
        T_OK(asy__survive(&s, pool, POOL, &rng, mates, &kept, &err), &err);
        T_EQ("kept", kept, population);
        for (size_t i = 0; i < kept; i++)
            alive[mates[i].at] = 1;
        for (size_t i = 0; i < POOL; i++)
            for (size_t k = 0; k < POOL && alive[i]; k++)
                if (!alive[k] && pool[k].losses)
                    T_TRUE(pool[i].losses &&
                           !asy_pareto_dominates(pool[k].losses, pool[i].losses, m));
        asy__survive_fini(&s);
    }
}

/* Of one front the ends survive, and of two that are close but one. */
static void crowded_ones_go_first(void)
{
    const double losses[] = { 0, 10, 1, 9, 1.1, 8.9, 4, 5, 9, 1, 10, 0 };
    struct asy__member pool[6];
    struct asy__mate mates[5];
    struct asy__survive s;
    struct asy_rng rng;
    size_t kept;

    asy_rng_init(&rng, 1, 0, ASY_RNG_SIM);
    for (size_t i = 0; i < 6; i++)
        pool[i] = (struct asy__member){ .losses = &losses[2 * i] };
    T_OK(asy__survive_init(&s, 2, 5, 0, &err), &err);
    T_OK(asy__survive(&s, pool, 6, &rng, mates, &kept, &err), &err);
    T_EQ("kept", kept, 5);
    for (size_t i = 0; i < 5; i++)
        T_TRUE(mates[i].at != 1);
    T_TRUE(isinf(mates[0].room) && isinf(mates[1].room));
    asy__survive_fini(&s);
}

static void directions_are_a_grid_of_the_simplex(void)
{
    static const struct {
        size_t m, divisions, count;
    } cases[] = { { 1, 4, 1 }, { 2, 7, 8 }, { 3, 12, 91 }, { 4, 3, 20 }, { 6, 1, 6 } };

    for (size_t c = 0; c < ASY_ARRAY_LEN(cases); c++) {
        size_t m = cases[c].m, n = cases[c].count;
        double *d = malloc(n * m * sizeof *d);

        T_EQ("count", asy__directions_count(m, cases[c].divisions), n);
        asy__directions_fill(m, cases[c].divisions, d);
        for (size_t i = 0; i < n; i++) {
            double sum = 0;

            for (size_t j = 0; j < m; j++)
                sum += d[i * m + j];
            for (size_t j = 0; j < m; j++) {
                double parts = d[i * m + j] / sum * (double)cases[c].divisions;

                T_NEAR("whole parts", parts, rint(parts), 1e-12 * (double)cases[c].divisions);
            }
            for (size_t k = 0; k < i; k++)
                T_TRUE(!same(&d[i * m], &d[k * m], m));
        }
        free(d);
    }
    T_EQ("divisions for 50 and 3", asy__survive_divisions(3, 50), 8);
    T_EQ("a bound", asy__directions_count(16, 100), ASY__DIRECTIONS_MAX + 1);
}

/* A front with three members close to each direction: one of each survives, the nearest. */
static void each_direction_keeps_its_nearest(void)
{
    struct asy__survive s;
    struct asy__member pool[90];
    struct asy__mate mates[30];
    double losses[90 * 3];
    int alive[30] = { 0 };
    struct asy_rng rng;
    size_t kept, n;

    asy_rng_init(&rng, 2, 0, ASY_RNG_SIM);
    T_OK(asy__survive_init(&s, 3, 28, 6, &err), &err);
    n = s.n_directions;
    T_EQ("directions", n, 28);
    for (size_t d = 0; d < n; d++)
        for (size_t k = 0; k < 3; k++) {
            double *v = &losses[(3 * d + k) * 3], norm = 0;

            for (size_t j = 0; j < 3; j++) {
                v[j] = s.directions[d * 3 + j] + 0.02 * (double)k * (j == d % 3);
                norm += v[j] * v[j];
            }
            for (size_t j = 0; j < 3; j++)
                v[j] /= sqrt(norm);
            pool[3 * d + k] = (struct asy__member){ .losses = v };
        }
    T_OK(asy__survive(&s, pool, 3 * n, &rng, mates, &kept, &err), &err);
    T_EQ("kept", kept, 28);
    for (size_t i = 0; i < kept; i++) {
        alive[mates[i].at / 3]++;
        T_EQ("its place", mates[i].at % 3, 0);
    }
    for (size_t d = 0; d < n; d++)
        T_EQ("of a direction", alive[d], 1);
    asy__survive_fini(&s);
}

/* ---- fronts -------------------------------------------------------------------------------- */

/* ZDT1 of Zitzler, Deb, Thiele 2000: the front is f2 = 1 - sqrt(f1). */
static void zdt1(const double *x, size_t n, double *f)
{
    double g = 1;

    for (size_t i = 1; i < n; i++)
        g += 9 * x[i] / (double)(n - 1);
    f[0] = x[0];
    f[1] = g * (1 - sqrt(x[0] / g));
}

/* Mean over five seeds of the volume below (1.1, 3) after 300 trials, 16 at a time. */
static double volume_of(const char *name)
{
    static const double ref[] = { 1.1, 3 };
    enum { D = 6, TRIALS = 300, AHEAD = 16, SEEDS = 5 };
    struct asy_param params[D];
    char texts[D][8];
    struct asy_space *space;
    double sum = 0;

    for (size_t i = 0; i < D; i++) {
        snprintf(texts[i], sizeof texts[i], "x%zu", i);
        params[i] = (struct asy_param){ .name = texts[i], .lo = 0, .hi = 1 };
    }
    space = make_space(params, D);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        struct asy_sampler *s = make(space, name, seed, 2, NULL);
        static double xs[TRIALS][D], values[TRIALS][2];
        double volume;

        for (uint64_t i = 0; i < TRIALS + AHEAD; i++) {
            struct asy_outcome o = { .state = ASY_OUTCOME_COMPLETE };

            if (i < TRIALS) {
                ask(s, i, xs[i]);
                zdt1(xs[i], D, values[i]);
            }
            if (i < AHEAD)
                continue;
            o.number = i - AHEAD;
            o.x = xs[i - AHEAD];
            o.values = values[i - AHEAD];
            tell(s, &o);
        }
        T_OK(asy_pareto_volume(values[0], TRIALS, 2, ref, &volume, &err), &err);
        sum += volume / SEEDS;
        asy_sampler_destroy(s);
    }
    asy_space_destroy(space);
    return sum;
}

static void fronts_are_found(void)
{
    double random = volume_of("random");

    printf("random %.3f ", random);
    for (size_t k = 0; k < ASY_ARRAY_LEN(kinds); k++) {
        double volume = volume_of(kinds[k]);

        printf("%s %.3f ", kinds[k], volume);
        T_TRUE(volume > random + 0.25);
    }
}

T_MAIN("nsga", T_TEST(order_of_tells_does_not_matter), T_TEST(startup_is_random_and_asks_repeat),
       T_TEST(what_is_not_feasible_has_no_children), T_TEST(children_take_after_their_parents),
       T_TEST(mutation_changes_one_in_the_mean), T_TEST(conditions_hold_for_children),
       T_TEST(nobody_survives_who_is_dominated_by_the_dead), T_TEST(crowded_ones_go_first),
       T_TEST(directions_are_a_grid_of_the_simplex), T_TEST(each_direction_keeps_its_nearest),
       T_TEST(fronts_are_found))
