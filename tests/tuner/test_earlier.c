/* SPDX-License-Identifier: Apache-2.0
 * test_earlier.c - what samplers make of earlier studies: they go where it was good there if their
 * own results bear that out, let go of it with more of them, and answer alike whatever order those
 * came in. */
#include <asy/rng.h>
#include <asy/tuner.h>
#include "asytest.h"
#include "sampler.h"

enum { D = 3, N = 40 };

double __real_asy__earlier_guess(const struct asy_sampler *s, const double *x);
double __wrap_asy__earlier_guess(const struct asy_sampler *s, const double *x);

static size_t n_guesses;

double __wrap_asy__earlier_guess(const struct asy_sampler *s, const double *x)
{
    n_guesses++;
    return __real_asy__earlier_guess(s, x);
}

static const struct asy_value names[] = {
    { .type = ASY_VALUE_STRING, .s = "a" },
    { .type = ASY_VALUE_STRING, .s = "b" },
};

static struct asy_space *make_space(void)
{
    static const struct asy_param params[D] = {
        { .name = "x", .lo = 0, .hi = 1 },
        { .name = "y", .lo = 0, .hi = 1 },
        { .name = "k", .type = ASY_PARAM_CHOICE, .choices = names, .n_choices = 2 },
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

/* Points over the square, better the nearer to (0.8, 0.2) and with b; y of every fourth is not
 * known. */
static void make_earlier(double *xs, struct asy_earlier *earlier)
{
    struct asy_rng rng;

    asy_rng_init(&rng, 7, 0, ASY_RNG_INIT);
    for (size_t i = 0; i < N; i++) {
        double far = (double)i / N, turn = 6.2 * asy_rng_double(&rng);

        xs[i * D] = fmin(fmax(0.8 + far * cos(turn), 0), 1);
        xs[i * D + 1] = i % 4 == 3 ? ASY_INACTIVE : fmin(fmax(0.2 + far * sin(turn), 0), 1);
        xs[i * D + 2] = i < N / 2;
        earlier[(i * 7) % N] = (struct asy_earlier){ &xs[i * D], ((double)i + 0.5) / N };
    }
}

static struct asy_sampler *make(const struct asy_space *space, const char *name, size_t n)
{
    static const enum asy_goal goal = ASY_MINIMIZE;
    static double xs[N * D];
    static struct asy_earlier earlier[N];
    struct asy_sampler_spec spec = { .name = name, .seed = 5, .goals = &goal, .n_goals = 1,
                                     .earlier = earlier, .n_earlier = n };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_sampler *sampler = NULL;

    make_earlier(xs, earlier);
    if (!T_OK(asy_sampler_create(space, &spec, &sampler, &err), &err))
        abort();
    return sampler;
}

/* origin: of a trial that another sampler was asked for; zeroed where it is of no population. */
static void tell_from(struct asy_sampler *s, uint64_t number, const double *x, double value,
                      struct asy_origin origin)
{
    struct asy_outcome o = { .number = number, .state = ASY_OUTCOME_COMPLETE, .x = x,
                             .values = &value, .last_step = -1, .origin = origin };
    struct asy_error err = ASY_ERROR_INIT;

    T_OK(asy_sampler_tell(s, &o, &err), &err);
}

static void tell(struct asy_sampler *s, uint64_t number, const double *x, double value)
{
    tell_from(s, number, x, value, (struct asy_origin){ 0 });
}

/* n random results as the earlier ones rank them, or the other way round (sign -1). */
static void tell_some(struct asy_sampler *s, size_t n, double sign)
{
    struct asy_rng rng;
    double x[D];

    asy_rng_init(&rng, 3, 0, ASY_RNG_INIT);
    for (uint64_t i = 0; i < n; i++) {
        for (size_t j = 0; j < D; j++)
            x[j] = j < 2 ? asy_rng_double(&rng) : (double)(i % 2);
        tell(s, i, x, sign * (hypot(x[0] - 0.8, x[1] - 0.2) + (x[2] == 0)));
    }
}

/* The mean distance of 8 suggestions from there. */
static double distance(struct asy_sampler *s)
{
    struct asy_error err = ASY_ERROR_INIT;
    double x[D], sum = 0;

    for (uint64_t i = 100; i < 108; i++) {
        T_OK(asy_sampler_ask(s, i, NULL, x, &err), &err);
        sum += hypot(x[0] - 0.8, x[1] - 0.2) / 8;
    }
    return sum;
}

static void searches_that_bear_them_out_go_where_they_ended(void)
{
    static const char *const samplers[] = { "tpe", "cma", "gp" };
    struct asy_space *space = make_space();

    for (size_t i = 0; i < ASY_ARRAY_LEN(samplers); i++) {
        struct asy_sampler *with = make(space, samplers[i], N);
        struct asy_sampler *without = make(space, samplers[i], 0);
        double a, b;

        tell_some(with, 10, 1);
        tell_some(without, 10, 1);
        a = distance(with);
        b = distance(without);
        if (!T_TRUE(a < 0.75 * b))
            fprintf(stderr, "%s: %g with earlier studies, %g without\n", samplers[i], a, b);
        asy_sampler_destroy(with);
        asy_sampler_destroy(without);
    }
    asy_space_destroy(space);
}

static int answers_alike_of(const char *name, size_t n, double sign)
{
    struct asy_space *space = make_space();
    struct asy_sampler *with = make(space, name, N), *without = make(space, name, 0);
    struct asy_error err = ASY_ERROR_INIT;
    double x[D], y[D];

    tell_some(with, n, sign);
    tell_some(without, n, sign);
    T_OK(asy_sampler_ask(with, 100, NULL, x, &err), &err);
    T_OK(asy_sampler_ask(without, 100, NULL, y, &err), &err);
    asy_sampler_destroy(with);
    asy_sampler_destroy(without);
    asy_space_destroy(space);
    return !memcmp(x, y, sizeof x);
}

static int answer_alike(size_t n, double sign)
{
    return answers_alike_of("tpe", n, sign);
}

/* Not by number, but when its own model ranks results better; of more than 160 it does not ask. */
static void gp_lets_go_of_them(void)
{
    T_TRUE(!answers_alike_of("gp", 10, 1));
    T_TRUE(answers_alike_of("gp", 40, 1));
    T_TRUE(answers_alike_of("gp", 170, 1));
    T_TRUE(answers_alike_of("gp", 12, -1));
    T_TRUE(answers_alike_of("gp", 40, -1));
}

/* Asked all the time, or once, in reverse: while they are believed. */
static void gp_believes_them_by_outcomes_alone(void)
{
    enum { TRIALS = 26 };
    struct asy_space *space = make_space();
    struct asy_sampler *a = make(space, "gp", N), *b = make(space, "gp", N);
    struct asy_error err = ASY_ERROR_INIT;
    double x[TRIALS][D], y[D], values[TRIALS];

    for (uint64_t i = 0; i < TRIALS; i++) {
        T_OK(asy_sampler_ask(a, i, NULL, x[i], &err), &err);
        values[i] = hypot(x[i][0] - 0.8, x[i][1] - 0.2) + (x[i][2] == 0);
        tell(a, i, x[i], values[i]);
    }
    for (uint64_t i = TRIALS; i-- > 0;)
        tell(b, i, x[i], values[i]);
    T_OK(asy_sampler_ask(a, TRIALS, NULL, x[0], &err), &err);
    T_OK(asy_sampler_ask(b, TRIALS, NULL, y, &err), &err);
    T_TRUE(!memcmp(x[0], y, sizeof y));
    asy_sampler_destroy(a);
    asy_sampler_destroy(b);
    asy_space_destroy(space);
}

static void tpe_lets_go_of_them(void)
{
    T_TRUE(answer_alike(9, 1)); /* random ones come first */
    T_TRUE(!answer_alike(10, 1));
    T_TRUE(!answer_alike(49, 1));
    T_TRUE(answer_alike(50, 1));
}

/* A guess looks at every earlier trial, so it is made once for each result that needs one. */
static void tpe_guesses_only_while_they_have_a_say(void)
{
    static const struct { const char *name; size_t told, want; } cases[] = {
        { "too few to judge by", 9, 0 },
        { "just enough", 10, 10 },
        { "the last that count", 49, 49 },
        { "let go", 50, 0 },
    };
    struct asy_space *space = make_space();
    struct asy_error err = ASY_ERROR_INIT;
    double x[D];

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_sampler *s = make(space, "tpe", N);

        n_guesses = 0;
        tell_some(s, cases[i].told, 1);
        for (uint64_t k = 0; k < 3; k++)
            T_OK(asy_sampler_ask(s, 100 + k, NULL, x, &err), &err);
        T_EQ(cases[i].name, n_guesses, cases[i].want);
        asy_sampler_destroy(s);
    }
    asy_space_destroy(space);
}

/* A trial told anew with another point is judged by that one. */
static void tpe_guesses_anew_where_a_point_changes(void)
{
    struct asy_space *space = make_space();
    struct asy_sampler *a = make(space, "tpe", N), *b = make(space, "tpe", N);
    struct asy_error err = ASY_ERROR_INIT;
    double far[D] = { 0.05, 0.95, 0 }, near[D] = { 0.79, 0.2, 1 }, x[D], y[D];

    tell_some(a, 10, 1);
    tell_some(b, 10, 1);
    for (uint64_t i = 0; i < 6; i++)
        tell(a, 20 + i, i % 2 ? far : near, (double)i);
    T_OK(asy_sampler_ask(a, 100, NULL, x, &err), &err);
    for (uint64_t i = 0; i < 6; i++) {
        tell(a, 20 + i, near, -(double)i);
        tell(b, 20 + i, near, -(double)i);
    }
    n_guesses = 0;
    T_OK(asy_sampler_ask(a, 100, NULL, x, &err), &err);
    T_EQ("only those told anew", n_guesses, 6);
    T_OK(asy_sampler_ask(b, 100, NULL, y, &err), &err);
    T_TRUE(!memcmp(x, y, sizeof x));
    asy_sampler_destroy(a);
    asy_sampler_destroy(b);
    asy_space_destroy(space);
}

static void results_that_speak_against_them_are_believed(void)
{
    static const struct {
        const char *name;
        double guesses[12];
        size_t n;
        int want;
    } cases[] = {
        { "in order", { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, 10, 1 },
        { "too few", { 1, 2, 3, 4, 5, 6, 7, 8, 9 }, 9, 0 },
        { "in reverse", { 10, 9, 8, 7, 6, 5, 4, 3, 2, 1 }, 10, 0 },
        { "all alike", { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 }, 10, 0 },
        { "24 of 45 pairs: a tau of 0.07", { 10, 3, 2, 1, 4, 9, 8, 7, 5, 6 }, 10, 0 },
        { "the better half first", { 3, 5, 1, 2, 4, 8, 6, 9, 10, 7 }, 10, 1 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++)
        T_EQ(cases[i].name, asy__earlier_holds(cases[i].guesses, NULL, cases[i].n), cases[i].want);
    T_TRUE(answer_alike(10, -1));
    T_TRUE(answer_alike(30, -1));
}

/* Every sampler takes them, and its answers follow from what is known, not from the order. */
static void answers_do_not_depend_on_the_order_of_results(void)
{
    struct asy_space *space = make_space();
    const char *name;

    for (size_t k = 0; (name = asy_sampler_name(k)); k++) {
        struct asy_sampler *a, *b;
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_origin origins[30];
        double x[30][D], y[D];

        if (!strcmp(name, "grid") || !strcmp(name, "brute_force"))
            continue; /* not for this space */
        a = make(space, name, N);
        b = make(space, name, N);
        for (uint64_t i = 0; i < 30; i++) {
            T_OK(asy_sampler_ask(a, i, NULL, x[i], &err), &err);
            origins[i] = asy_sampler_origin(a);
            tell(a, i, x[i], x[i][0] + x[i][1]);
        }
        for (uint64_t i = 30; i-- > 0;)
            tell_from(b, i, x[i], x[i][0] + x[i][1], origins[i]);
        T_OK(asy_sampler_ask(a, 30, NULL, x[0], &err), &err);
        T_OK(asy_sampler_ask(b, 30, NULL, y, &err), &err);
        if (!T_TRUE(!memcmp(x[0], y, sizeof y)))
            fprintf(stderr, "%s\n", name);
        asy_sampler_destroy(a);
        asy_sampler_destroy(b);
    }
    asy_space_destroy(space);
}

static void what_is_no_trial_is_refused(void)
{
    static const double fine[D] = { 0.5, 0.5, 0 }, outside[D] = { 1.5, 0.5, 0 },
                        nothing[D] = { NAN, NAN, NAN };
    static const struct {
        const char *name;
        struct asy_earlier one;
        const char *want;
    } cases[] = {
        { "outside", { outside, 0.5 }, "1.5 is no value of parameter 'x'" },
        { "nothing", { nothing, 0.5 }, "no value of any parameter" },
        { "no rank", { fine, 1 }, "no rank" },
        { "nan", { fine, NAN }, "no rank" },
    };
    static const enum asy_goal goal = ASY_MINIMIZE;
    struct asy_space *space = make_space();

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_sampler_spec spec = { .name = "tpe", .goals = &goal, .n_goals = 1,
                                         .earlier = &cases[i].one, .n_earlier = 1 };
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_sampler *s = NULL;

        T_EQ(cases[i].name, asy_sampler_create(space, &spec, &s, &err), ASY_E_INVAL);
        T_HAS(cases[i].name, err.text, cases[i].want);
    }
    asy_space_destroy(space);
}

T_MAIN("earlier", T_TEST(searches_that_bear_them_out_go_where_they_ended),
       T_TEST(gp_lets_go_of_them), T_TEST(gp_believes_them_by_outcomes_alone),
       T_TEST(tpe_lets_go_of_them), T_TEST(tpe_guesses_only_while_they_have_a_say),
       T_TEST(tpe_guesses_anew_where_a_point_changes),
       T_TEST(results_that_speak_against_them_are_believed),
       T_TEST(answers_do_not_depend_on_the_order_of_results),
       T_TEST(what_is_no_trial_is_refused))
