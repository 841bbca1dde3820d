/* SPDX-License-Identifier: Apache-2.0
 * test_qmc.c - Sobol and Halton points beside SciPy's, what scrambling keeps, and the sampler that
 * hands them out. */
#include <asy/tuner.h>
#include <qmc.h>
#include "asytest.h"

struct qmc_case {
    uint64_t index;
    size_t dim;
    double want;
};
#include "golden/qmc.inc"

static const enum asy__qmc_scramble scrambles[] = { ASY__QMC_NONE, ASY__QMC_LINEAR, ASY__QMC_OWEN };
static const char *const scramble_names[] = { "none", "linear", "owen" };
static uint64_t keys[ASY__QMC_DIMS];

static void make(struct asy__qmc *qmc, enum asy__qmc_sequence sequence,
                 enum asy__qmc_scramble scramble, uint64_t seed, size_t n_dims)
{
    for (size_t i = 0; i < n_dims; i++)
        keys[i] = (seed * 7919 + i + 1) * 0x9e3779b97f4a7c15u;
    if (asy__qmc_init(qmc, sequence, scramble, keys, n_dims))
        abort();
}

/* Sobol points are dyadic and so exactly equal; Halton's are sums of rounded fractions. */
static void points_are_those_of_scipy(void)
{
    struct asy__qmc qmc;

    make(&qmc, ASY__QMC_SOBOL, ASY__QMC_NONE, 0, ASY__QMC_DIMS);
    for (size_t i = 0; i < ASY_ARRAY_LEN(sobol_cases); i++)
        T_NEAR("sobol", asy__qmc_at(&qmc, sobol_cases[i].index, sobol_cases[i].dim),
               sobol_cases[i].want, 0);
    asy__qmc_fini(&qmc);
    make(&qmc, ASY__QMC_HALTON, ASY__QMC_NONE, 0, ASY__QMC_DIMS);
    for (size_t i = 0; i < ASY_ARRAY_LEN(halton_cases); i++)
        T_NEAR("halton", asy__qmc_at(&qmc, halton_cases[i].index, halton_cases[i].dim),
               halton_cases[i].want, 4e-16);
    asy__qmc_fini(&qmc);
}

/* In each interval of length 1 / n there is one of n = base^k points, in every dimension, in every
 * block of n, however they are scrambled. */
static void every_dimension_is_even(void)
{
    static const size_t halton_dims[] = { 0, 1, 2, 7, 50 };
    struct asy__qmc qmc;

    for (size_t s = 0; s < ASY_ARRAY_LEN(scrambles); s++) {
        make(&qmc, ASY__QMC_SOBOL, scrambles[s], 3, ASY__QMC_DIMS);
        for (size_t dim = 0; dim < ASY__QMC_DIMS; dim++) {
            unsigned seen[256] = { 0 }, wrong = 0;

            for (uint64_t i = 0; i < 256; i++)
                wrong += seen[(size_t)(asy__qmc_at(&qmc, 768 + i, dim) * 256)]++;
            T_EQ(scramble_names[s], wrong, 0);
        }
        asy__qmc_fini(&qmc);
        make(&qmc, ASY__QMC_HALTON, scrambles[s], 3, 51);
        for (size_t h = 0; h < ASY_ARRAY_LEN(halton_dims); h++) {
            unsigned seen[4096] = { 0 }, wrong = 0;
            size_t n = qmc.bases[halton_dims[h]];

            n = n * n < 4096 ? n * n : n;
            for (uint64_t i = 0; i < n; i++) /* a hair up: 1 / 3 is rounded down */
                wrong += seen[(size_t)(asy__qmc_at(&qmc, 5 * n + i, halton_dims[h]) * (double)n +
                                       1e-9)]++;
            T_EQ(scramble_names[s], wrong, 0);
        }
        asy__qmc_fini(&qmc);
    }
}

/* How many of the 2^m points from `first` lie in each box of sides 2^-k[d], sum(k) == m - t. */
static void check_net(const char *name, const struct asy__qmc *qmc, unsigned m, unsigned t,
                      const unsigned *k, uint64_t first)
{
    unsigned counts[1024] = { 0 }, wrong = 0;

    for (uint64_t i = first; i < first + ((uint64_t)1 << m); i++) {
        size_t box = 0;

        for (size_t d = 0; d < qmc->n_dims; d++)
            box = box << k[d] | (size_t)ldexp(asy__qmc_at(qmc, i, d), (int)k[d]);
        counts[box]++;
    }
    for (size_t box = 0; box < (size_t)1 << (m - t); box++)
        wrong += counts[box] != 1u << t;
    t__check(wrong == 0, __LINE__, __FILE__, "%s: %u boxes of %u x %u x %u x %u are uneven", name,
             wrong, k[0], k[1], k[2], k[3]);
}

/* (t, m, s)-nets in base 2: t is the sum of the polynomials' degrees less one (Sobol 1967). */
static void blocks_of_sobol_are_nets(void)
{
    enum { M = 9 };
    static const unsigned t_of[5] = { 0, 0, 0, 1, 3 };
    struct asy__qmc qmc;

    for (size_t s = 0; s < 3 * ASY_ARRAY_LEN(scrambles); s++)
        for (size_t n = 2; n <= 4; n++) {
            unsigned left = M - t_of[n];

            make(&qmc, ASY__QMC_SOBOL, scrambles[s % 3], s, n);
            for (unsigned a = 0; a <= left; a++)
                for (unsigned b = 0; a + b <= left; b++)
                    for (unsigned c = 0; a + b + c <= left; c++) {
                        const unsigned k[4] = { a, b, c, left - a - b - c };

                        if ((n > 2 || c == 0) && (n > 3 || k[3] == 0) && (n > 2 || k[3] == 0))
                            check_net(scramble_names[s % 3], &qmc, M, t_of[n], k, s << M);
                    }
            asy__qmc_fini(&qmc);
        }
}

/* The error of the mean of a smooth function over 1,024 points, root mean square over 64 seeds; n
 * random points have standard deviation 0.019 there. */
static void scrambled_points_integrate_better_than_random_ones(void)
{
    static const struct {
        enum asy__qmc_sequence sequence;
        enum asy__qmc_scramble scramble;
        double most; /* about twice what is found */
    } cases[] = {
        { ASY__QMC_SOBOL, ASY__QMC_LINEAR, 4e-4 },  { ASY__QMC_SOBOL, ASY__QMC_OWEN, 2.2e-4 },
        { ASY__QMC_HALTON, ASY__QMC_LINEAR, 2.2e-3 }, { ASY__QMC_HALTON, ASY__QMC_OWEN, 2e-3 },
    };

    for (size_t c = 0; c < ASY_ARRAY_LEN(cases); c++) {
        double square = 0;

        for (uint64_t seed = 0; seed < 64; seed++) {
            struct asy__qmc qmc;
            double sum = 0;

            make(&qmc, cases[c].sequence, cases[c].scramble, seed + 1, 4);
            for (uint64_t i = 0; i < 1024; i++) {
                double product = 1;

                for (size_t d = 0; d < 4; d++)
                    product *= 1 + (asy__qmc_at(&qmc, i, d) - 0.5);
                sum += product;
            }
            square += pow(sum / 1024 - 1, 2) / 64;
            asy__qmc_fini(&qmc);
        }
        t__check(sqrt(square) < cases[c].most, __LINE__, __FILE__, "case %zu: error %g", c,
                 sqrt(square));
    }
}

/* ---- the sampler --------------------------------------------------------------------------- */

enum { LEN = 5 };
static const struct asy_value names[] = {
    { .type = ASY_VALUE_STRING, .s = "a" },
    { .type = ASY_VALUE_STRING, .s = "b" },
    { .type = ASY_VALUE_STRING, .s = "c" },
    { .type = ASY_VALUE_STRING, .s = "d" },
};
static const double in_b[] = { 1 };
static const struct asy_when if_b = { .parent = 1, .values = in_b, .n_values = 1 };
static const struct asy_param params[LEN] = {
    { .name = "lr", .lo = 1e-4, .hi = 1, .log = 1 },
    { .name = "kind", .type = ASY_PARAM_CHOICE, .choices = names, .n_choices = 4 },
    { .name = "only_b", .lo = -1, .hi = 1, .whens = &if_b, .n_whens = 1 },
    { .name = "n", .type = ASY_PARAM_INT, .lo = 1, .hi = 8 },
    { .name = "single", .type = ASY_PARAM_INT, .lo = 3, .hi = 3 },
};

static struct asy_space *make_space(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_space *space = NULL;

    if (!T_OK(asy_space_create(&space, &err), &err))
        abort();
    for (size_t i = 0; i < LEN; i++)
        if (!T_OK(asy_space_add(space, &params[i], &err), &err))
            abort();
    return space;
}

static struct asy_sampler *make_sampler(const struct asy_space *space, double sequence,
                                        double scramble, uint64_t seed, uint64_t n_enqueued)
{
    static const enum asy_goal goal = ASY_MINIMIZE;
    const struct asy_option options[] = { { "sequence", sequence }, { "scramble", scramble } };
    struct asy_sampler_spec spec = { .name = "qmc", .seed = seed, .goals = &goal, .n_goals = 1,
                                     .options = options, .n_options = 2,
                                     .n_enqueued = n_enqueued };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_sampler *s = NULL;

    if (!T_OK(asy_sampler_create(space, &spec, &s, &err), &err))
        abort();
    return s;
}

static bool same(const double *x, const double *y)
{
    for (size_t i = 0; i < LEN; i++)
        if (isnan(x[i]) ? !isnan(y[i]) : x[i] != y[i])
            return false;
    return true;
}

static void choices_and_ints_come_equally_often(void)
{
    struct asy_space *space = make_space();
    struct asy_error err = ASY_ERROR_INIT;

    for (double scramble = 0; scramble <= 2; scramble++) {
        struct asy_sampler *s = make_sampler(space, 0, scramble, 9, 0);
        unsigned kinds[4] = { 0 }, ints[8] = { 0 }, below = 0;
        double x[LEN];

        for (uint64_t number = 64; number < 128; number++) {
            T_OK(asy_sampler_ask(s, number, NULL, x, &err), &err);
            T_OK(asy_space_check(space, x, &err), &err);
            kinds[(size_t)x[1]]++;
            ints[(size_t)x[3] - 1]++;
            below += x[0] < 1e-2;
        }
        for (size_t i = 0; i < 4; i++)
            T_EQ("kind", kinds[i], 16);
        for (size_t i = 0; i < 8; i++)
            T_EQ("int", ints[i], 8);
        T_EQ("half on the logarithmic scale", below, 32);
        asy_sampler_destroy(s);
    }
    asy_space_destroy(space);
}

/* The k-th trial whose point is not given has the k-th point: in any order of asking, with points
 * enqueued at the start or given in between, and for a sampler made anew on the way. */
static void no_point_is_skipped_or_repeated(void)
{
    enum { N = 40 };
    const double given[LEN] = { 0.5, NAN, NAN, NAN, NAN };
    struct asy_space *space = make_space();
    struct asy_error err = ASY_ERROR_INIT;

    for (double sequence = 0; sequence <= 1; sequence++) {
        struct asy_sampler *plain = make_sampler(space, sequence, 1, 5, 0);
        struct asy_sampler *s = make_sampler(space, sequence, 1, 5, 3);
        double want[N][LEN], x[LEN];

        for (size_t k = N; k-- > 0;)
            T_OK(asy_sampler_ask(plain, k, NULL, want[k], &err), &err);
        for (size_t j = 0; j < N; j++)
            for (size_t k = 0; k < j; k++)
                T_TRUE(!same(want[j], want[k]));
        for (uint64_t number = 0; number < 20; number++) {
            T_OK(asy_sampler_ask(s, number, number < 3 || number == 10 ? given : NULL, x, &err),
                 &err);
            if (number >= 3 && number != 10)
                T_TRUE(same(x, want[number - 3 - (number > 10)]));
            else
                T_TRUE(x[0] == 0.5 && !asy_space_check(space, x, &err));
        }
        asy_sampler_destroy(s);
        s = make_sampler(space, sequence, 1, 5, 3);
        T_OK(asy_sampler_ask(s, 23, NULL, x, &err), &err);
        T_TRUE(same(x, want[20]));
        T_EQ("history", asy_sampler_needs_history(s), 0);
        asy_sampler_destroy(s);
        asy_sampler_destroy(plain);
    }
    asy_space_destroy(space);
}

static void another_seed_is_another_sequence(void)
{
    struct asy_space *space = make_space();
    struct asy_error err = ASY_ERROR_INIT;

    for (int options = 0; options < 6; options++) {
        double scramble = options / 2, x[LEN], y[LEN];
        struct asy_sampler *s = make_sampler(space, options % 2, scramble, 1, 0);
        struct asy_sampler *t = make_sampler(space, options % 2, scramble, 2, 0);
        size_t equal = 0;

        for (uint64_t number = 0; number < 50; number++) {
            T_OK(asy_sampler_ask(s, number, NULL, x, &err), &err);
            T_OK(asy_sampler_ask(t, number, NULL, y, &err), &err);
            equal += same(x, y);
        }
        T_EQ(scramble_names[(int)scramble], equal, scramble == 0 ? 50 : 0);
        asy_sampler_destroy(s);
        asy_sampler_destroy(t);
    }
    asy_space_destroy(space);
}

/* More parameters than there are direction numbers for. */
static void what_has_no_dimension_is_random(void)
{
    enum { MANY = ASY__QMC_DIMS + 50 };
    static double x[MANY], sums[MANY];
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_space *space = NULL;
    struct asy_sampler *s;
    double off = 0;

    if (!T_OK(asy_space_create(&space, &err), &err))
        return;
    for (size_t i = 0; i < MANY; i++) {
        char name[20];
        struct asy_param param = { .name = name, .lo = 0, .hi = 1 };

        snprintf(name, sizeof name, "x%zu", i);
        T_OK(asy_space_add(space, &param, &err), &err);
    }
    s = make_sampler(space, 0, 1, 4, 0);
    for (uint64_t number = 0; number < 256; number++) {
        T_OK(asy_sampler_ask(s, number, NULL, x, &err), &err);
        for (size_t i = 0; i < MANY; i++)
            sums[i] += x[i] / 256;
    }
    for (size_t i = 0; i < ASY__QMC_DIMS; i++) /* one in each 256th: the mean is that near */
        T_NEAR("even", sums[i], 0.5, 1.0 / 256);
    for (size_t i = ASY__QMC_DIMS; i < MANY; i++)
        off += pow(sums[i] - 0.5, 2) * 12 * 256;
    T_NEAR("random", off, 50, 50); /* chi-square of 50 degrees: five standard deviations */
    asy_sampler_destroy(s);
    asy_space_destroy(space);
}

T_MAIN("qmc", T_TEST(points_are_those_of_scipy), T_TEST(every_dimension_is_even),
       T_TEST(blocks_of_sobol_are_nets),
       T_TEST(scrambled_points_integrate_better_than_random_ones),
       T_TEST(choices_and_ints_come_equally_often), T_TEST(no_point_is_skipped_or_repeated),
       T_TEST(another_seed_is_another_sequence), T_TEST(what_has_no_dimension_is_random))
