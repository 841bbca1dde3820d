/* SPDX-License-Identifier: Apache-2.0
 * test_regret.c - the bound on the regret: that it holds, that it becomes small, what it is made
 * of. */
#include <asy/regret.h>
#include <asy/rng.h>
#include "asytest.h"
#include "gp_warp.h"

enum { D = 2, SEEDS = 40, TRIALS = 60 };

static struct asy_space *make_space(void)
{
    static const struct asy_param params[D] = {
        { .name = "x", .lo = -5, .hi = 10 },
        { .name = "y", .lo = 0, .hi = 15 },
    };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_space *space = NULL;

    if (!T_OK(asy_space_create(&space, &err), &err))
        abort();
    for (size_t i = 0; i < D; i++)
        if (!T_OK(asy_space_add(space, &params[i], &err), &err))
            abort();
    return space;
}

/* Regrets: Branin's function, a bowl off the centre, a ripple over a bowl. */
static double branin(const double *x)
{
    return pow(x[1] - 5.1 / (4 * M_PI * M_PI) * x[0] * x[0] + 5 / M_PI * x[0] - 6, 2) +
           10 * (1 - 1 / (8 * M_PI)) * cos(x[0]) + 10 - 0.397887357729738;
}

static double bowl(const double *x)
{
    return pow(x[0] - 1.7, 2) + 3 * pow(x[1] - 11, 2);
}

static double ripple(const double *x)
{
    return 0.1 * bowl(x) + 4 * (1 - cos(1.5 * (x[0] - 1.7)) * cos(1.5 * (x[1] - 11)));
}

static const struct {
    const char *name;
    double (*f)(const double *x);
    double goal; /* a bound that a search of TRIALS is to reach */
} functions[] = { { "branin", branin, 1 }, { "bowl", bowl, 1 }, { "ripple", ripple, 4 } };

static void tell(struct asy_regret *r, uint64_t number, const double *x, double value)
{
    struct asy_outcome o = { .number = number, .state = ASY_OUTCOME_COMPLETE, .x = x,
                             .values = &value, .last_step = -1 };
    struct asy_error err = ASY_ERROR_INIT;

    T_OK(asy_regret_tell(r, &o, &err), &err);
}

/* Searches; stops where the bound is at most goal. Returns the true regret there, NAN: not. */
static double search(const struct asy_space *space, size_t f, uint64_t seed, const char *sampler,
                     enum asy_goal goal, double offset)
{
    struct asy_sampler_spec spec = { .name = sampler, .seed = seed, .goals = &goal, .n_goals = 1 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_regret *r = NULL;
    struct asy_sampler *s = NULL;
    double best = INFINITY, stopped = NAN;

    if (!T_OK(asy_sampler_create(space, &spec, &s, &err), &err) ||
        !T_OK(asy_regret_create(space, goal, 0, &r, &err), &err))
        goto out;
    for (uint64_t i = 0; i < TRIALS && isnan(stopped); i++) {
        double x[D], value, told, bound;
        struct asy_outcome o = { .number = i, .state = ASY_OUTCOME_COMPLETE, .x = x,
                                 .values = &told, .last_step = -1 };
        size_t n;

        T_OK(asy_sampler_ask(s, i, NULL, x, &err), &err);
        value = functions[f].f(x);
        told = goal == ASY_MAXIMIZE ? offset - value : offset + value;
        T_OK(asy_sampler_tell(s, &o, &err), &err);
        tell(r, i, x, told);
        best = fmin(best, value);
        T_OK(asy_regret_bound(r, &bound, &n, &err), &err);
        if (n < ASY_REGRET_TRIALS && !isinf(bound))
            T_TRUE(0);
        if (bound <= functions[f].goal)
            stopped = best;
    }
out:
    asy_regret_destroy(r);
    asy_sampler_destroy(s);
    return stopped;
}

/* Over functions, samplers and seeds. */
static void where_it_is_reached_the_regret_is_no_larger(void)
{
    static const char *const samplers[] = { "gp", "tpe", "random" };
    struct asy_space *space = make_space();
    size_t stops = 0, wrong = 0, gp_stops = 0;

    for (size_t f = 0; f < ASY_ARRAY_LEN(functions); f++)
        for (size_t k = 0; k < ASY_ARRAY_LEN(samplers); k++)
            for (uint64_t seed = 0; seed < SEEDS / (k ? 2 : 4); seed++) {
                double regret = search(space, f, seed, samplers[k],
                                       seed % 2 ? ASY_MAXIMIZE : ASY_MINIMIZE, 100);

                stops += !isnan(regret);
                gp_stops += k == 0 && !isnan(regret);
                wrong += regret > functions[f].goal;
                if (regret > functions[f].goal)
                    fprintf(stderr, "%s %s %d: stopped at a regret of %g\n", functions[f].name,
                            samplers[k], (int)seed, regret);
            }
    printf("%zu stops, %zu of them of gp's 30, %zu too early\n", stops, gp_stops, wrong);
    T_TRUE((double)wrong <= 0.05 * (double)stops);
    T_TRUE(gp_stops >= 20); /* it is of use */
    asy_space_destroy(space);
}

static void it_is_a_function_of_the_latest_outcomes(void)
{
    struct asy_space *space = make_space();
    struct asy_regret *a = NULL, *b = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    double x[40][D], bound, other;
    struct asy_rng rng;
    size_t n;

    if (!T_OK(asy_regret_create(space, ASY_MINIMIZE, 1, &a, &err), &err) ||
        !T_OK(asy_regret_create(space, ASY_MINIMIZE, 1, &b, &err), &err))
        goto out;
    asy_rng_init(&rng, 1, 0, ASY_RNG_SIM);
    for (uint64_t i = 0; i < 40; i++) {
        x[i][0] = -5 + 15 * asy_rng_double(&rng);
        x[i][1] = 15 * asy_rng_double(&rng);
        tell(a, i, x[i], branin(x[i]));
        T_OK(asy_regret_bound(a, &bound, &n, &err), &err);
        if (i + 1 < ASY_REGRET_TRIALS)
            T_TRUE(isinf(bound) && n == 0);
        else
            T_TRUE(isfinite(bound) && n <= i + 1 && n + n / 10 >= i);
    }
    tell(b, 50, x[0], 7);
    T_OK(asy_regret_bound(b, &other, &n, &err), &err);
    for (uint64_t i = 40; i-- > 0;) {
        tell(b, i, x[i], i == 3 ? 1e6 : branin(x[i]));
        T_OK(asy_regret_bound(b, &other, &n, &err), &err);
    }
    tell(b, 3, x[3], branin(x[3]));
    {
        struct asy_outcome failed = { .number = 50, .state = ASY_OUTCOME_FAILED, .x = x[0] };

        T_OK(asy_regret_tell(b, &failed, &err), &err);
    }
    T_OK(asy_regret_bound(b, &other, &n, &err), &err);
    T_NEAR("the same bits", other, bound, 0);
out:
    asy_regret_destroy(a);
    asy_regret_destroy(b);
    asy_space_destroy(space);
}

/* Trials of many workers end in any order: here sixteen at a time, the last first. A bound
 * is found anew at each tenth of them, whoever comes late; an exact one whenever somebody does. */
static void it_is_found_anew_by_the_tenth(void)
{
    static const struct { const char *name; int exact; size_t most, least; } cases[] = {
        { "in any order", 0, 25, 10 },
        { "exact", 1, SIZE_MAX, 40 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_space *space = make_space();
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_regret *r = NULL;
        double x[D], bound, last = NAN;
        size_t n, fits = 0;
        struct asy_rng rng;

        if (T_OK(asy_regret_create(space, ASY_MINIMIZE, cases[i].exact, &r, &err), &err)) {
            asy_rng_init(&rng, 1, 0, ASY_RNG_SIM);
            for (uint64_t k = 0; k < 120; k++) {
                x[0] = -5 + 15 * asy_rng_double(&rng);
                x[1] = 15 * asy_rng_double(&rng);
                tell(r, k ^ 15, x, branin(x));
                T_OK(asy_regret_bound(r, &bound, &n, &err), &err);
                fits += n > 0 && bound != last;
                last = bound;
            }
            T_TRUE(fits <= cases[i].most);
            T_TRUE(fits >= cases[i].least);
            if (fits > cases[i].most || fits < cases[i].least)
                fprintf(stderr, "%s: %zu bounds\n", cases[i].name, fits);
        }
        asy_regret_destroy(r);
        asy_space_destroy(space);
    }
}

static void values_come_back_from_their_scale(void)
{
    static const double knees[] = { INFINITY, 1, 0.1 };
    static const double y[] = { 5, 3, 900, 4, 12, 3, 41, 7, 1e4 };
    enum { N = ASY_ARRAY_LEN(y) };
    double t[N], value;

    for (size_t k = 0; k < ASY_ARRAY_LEN(knees); k++) {
        asy__gp_warp(N, y, knees[k], t);
        for (size_t i = 0; i < N; i++)
            if (T_EQ("memory", asy__gp_unwarp(N, y, knees[k], t[i], &value), 0))
                T_NEAR("value", value, y[i], 1e-9 * y[i]);
        if (T_EQ("memory", asy__gp_unwarp(N, y, knees[k], t[1] - 0.5, &value), 0))
            T_TRUE(value < 3);
    }
}

static void values_that_are_all_equal_bound_nothing(void)
{
    struct asy_space *space = make_space();
    struct asy_regret *r = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    double x[D] = { 0, 0 }, bound = 0;
    size_t n;

    if (T_OK(asy_regret_create(space, ASY_MINIMIZE, 0, &r, &err), &err)) {
        for (uint64_t i = 0; i < 25; i++) {
            x[0] = 0.3 * (double)i;
            tell(r, i, x, 7);
        }
        T_OK(asy_regret_bound(r, &bound, &n, &err), &err);
        T_TRUE(isinf(bound));
    }
    asy_regret_destroy(r);
    asy_space_destroy(space);
}

static void conditions_are_refused(void)
{
    static const double at[] = { 0 };
    static const struct asy_value values[] = { { .type = ASY_VALUE_INT, .i = 1 },
                                               { .type = ASY_VALUE_INT, .i = 2 } };
    struct asy_when when = { .parent = 2, .values = at, .n_values = 1 };
    struct asy_param k = { .name = "k", .type = ASY_PARAM_CHOICE, .choices = values,
                           .n_choices = 2 };
    struct asy_param z = { .name = "z", .lo = 0, .hi = 1, .whens = &when, .n_whens = 1 };
    struct asy_space *space = make_space();
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_regret *r = NULL;

    T_OK(asy_space_add(space, &k, &err), &err);
    T_OK(asy_regret_create(space, ASY_MINIMIZE, 0, &r, &err), &err);
    asy_regret_destroy(r);
    r = NULL;
    T_OK(asy_space_add(space, &z, &err), &err);
    T_EQ("refused", asy_regret_create(space, ASY_MINIMIZE, 0, &r, &err), ASY_E_INVAL);
    T_HAS("refused", err.text, "'z'");
    asy_space_destroy(space);
}

T_MAIN("regret", T_TEST(where_it_is_reached_the_regret_is_no_larger),
       T_TEST(it_is_a_function_of_the_latest_outcomes), T_TEST(it_is_found_anew_by_the_tenth),
       T_TEST(values_come_back_from_their_scale),
       T_TEST(values_that_are_all_equal_bound_nothing), T_TEST(conditions_are_refused))
