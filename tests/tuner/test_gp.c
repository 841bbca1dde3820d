/* SPDX-License-Identifier: Apache-2.0
 * test_gp.c - the gp sampler: that its answers are a function of the latest outcomes, what it makes
 * of running, pruned, diverged and infeasible trials, and whether it finds minima. */
#include <asy/pareto.h>
#include <asy/rng.h>
#include <asy/tuner.h>
#include "asytest.h"

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
    { .name = "p", .lo = 0, .hi = 1, .whens = &if_a, .n_whens = 1 },
    { .name = "n", .type = ASY_PARAM_INT, .lo = 1, .hi = 1000, .log = 1 },
};
static const struct asy_param square[] = { { .name = "x", .lo = -5, .hi = 10 },
                                           { .name = "y", .lo = 0, .hi = 15 } };
static const struct asy_param few[] = {
    { .name = "i", .type = ASY_PARAM_INT, .lo = 0, .hi = 3 },
    { .name = "c", .type = ASY_PARAM_CHOICE, .choices = names, .n_choices = 3 },
    { .name = "s", .lo = 0, .hi = 0.4, .step = 0.2 },
};

static struct asy_space *make_space(const struct asy_param *params, size_t n)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_space *space = NULL;

    if (!T_OK(asy_space_create(&space, &err), &err))
        abort();
    for (size_t i = 0; i < n; i++)
        if (!T_OK(asy_space_add(space, &params[i], &err), &err))
            abort();
    return space;
}

static struct asy_sampler *make(const struct asy_space *space, uint64_t seed, enum asy_goal goal)
{
    struct asy_sampler_spec spec = { .name = "gp", .seed = seed, .goals = &goal, .n_goals = 1 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_sampler *sampler = NULL;

    if (!T_OK(asy_sampler_create(space, &spec, &sampler, &err), &err))
        abort();
    return sampler;
}

static bool same_points(const double *x, const double *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (isnan(x[i]) ? !isnan(y[i]) : x[i] != y[i])
            return false;
    return true;
}

static void tell(struct asy_sampler *s, uint64_t number, const double *x, double value)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_outcome o = { .number = number, .state = ASY_OUTCOME_COMPLETE, .x = x,
                             .values = &value, .last_step = -1 };

    T_OK(asy_sampler_tell(s, &o, &err), &err);
}

/* Outcome of any kind, by number. */
static struct asy_outcome outcome(uint64_t number, const double *x, double *value)
{
    struct asy_outcome o = { .number = number, .state = ASY_OUTCOME_COMPLETE, .x = x,
                             .values = value, .last_step = -1 };

    *value = 3 * x[0] + x[1] - log(x[3]) + (isnan(x[2]) ? 1 : x[2]);
    if (number % 9 == 2)
        o.state = ASY_OUTCOME_RUNNING;
    if (number % 9 == 4)
        o.state = ASY_OUTCOME_PRUNED;
    if (number % 9 == 5)
        *value = NAN;
    if (number % 9 == 7)
        o.violation = x[0];
    return o;
}

/* One sampler is told in order and asked all the time, one in reverse and never, one told wrong
 * things first. Across 64 trials, where fits begin to lag. */
static void answers_depend_on_the_latest_outcomes_alone(void)
{
    enum { TRIALS = 90, LEN = 4 };
    struct asy_space *space = make_space(conditional, LEN);
    struct asy_sampler *s[3] = { make(space, 7, ASY_MINIMIZE), make(space, 7, ASY_MINIMIZE),
                                 make(space, 7, ASY_MINIMIZE) };
    struct asy_error err = ASY_ERROR_INIT;
    double x[TRIALS + 1][LEN], y[2][LEN], value;
    struct asy_outcome o;

    for (uint64_t k = 0; k < TRIALS; k++) {
        T_OK(asy_sampler_ask(s[0], k, NULL, x[k], &err), &err);
        o = outcome(k, x[k], &value);
        T_OK(asy_sampler_tell(s[0], &o, &err), &err);
    }
    for (uint64_t k = TRIALS; k-- > 0;) {
        o = outcome(k, x[k], &value);
        T_OK(asy_sampler_tell(s[1], &o, &err), &err);
    }
    for (uint64_t k = 0; k < TRIALS; k++)
        tell(s[2], k, x[(k + 5) % TRIALS], (double)(k % 10));
    T_OK(asy_sampler_ask(s[2], TRIALS, NULL, y[1], &err), &err);
    for (uint64_t k = 0; k < TRIALS; k++) {
        o = outcome(k, x[k], &value);
        T_OK(asy_sampler_tell(s[2], &o, &err), &err);
    }
    T_OK(asy_sampler_ask(s[0], TRIALS, NULL, x[TRIALS], &err), &err);
    T_OK(asy_sampler_ask(s[1], TRIALS, NULL, y[0], &err), &err);
    T_OK(asy_sampler_ask(s[2], TRIALS, NULL, y[1], &err), &err);
    T_TRUE(same_points(x[TRIALS], y[0], LEN));
    T_TRUE(same_points(x[TRIALS], y[1], LEN));
    T_OK(asy_sampler_ask(s[0], TRIALS, NULL, y[0], &err), &err); /* asked again: the same */
    T_TRUE(same_points(x[TRIALS], y[0], LEN));
    for (size_t i = 0; i < 3; i++)
        asy_sampler_destroy(s[i]);
    asy_space_destroy(space);
}

/* As above, of an objective that changes fast at one end, so that inputs are warped, and across the
 * 160 trials from which on the shape of the model stays. */
static void answers_with_warped_inputs_depend_on_outcomes_alone(void)
{
    enum { TRIALS = 170 };
    struct asy_space *space = make_space(square, 2);
    struct asy_option on = { "warp_inputs", 1 };
    enum asy_goal goal = ASY_MINIMIZE;
    struct asy_sampler_spec spec = { .name = "gp", .seed = 7, .goals = &goal, .n_goals = 1,
                                     .options = &on, .n_options = 1 };
    struct asy_sampler *s[3] = { NULL, NULL, make(space, 7, goal) };
    struct asy_error err = ASY_ERROR_INIT;
    double x[TRIALS][2], y[3][2];
    struct asy_rng rng;

    for (size_t i = 0; i < 2; i++)
        if (!T_OK(asy_sampler_create(space, &spec, &s[i], &err), &err))
            abort();
    asy_rng_init(&rng, 5, 1, ASY_RNG_SIM);
    for (uint64_t k = 0; k < TRIALS; k++) {
        x[k][0] = -5 + 15 * asy_rng_double(&rng);
        x[k][1] = 15 * asy_rng_double(&rng);
    }
    for (uint64_t k = 0; k < 2 * TRIALS; k++) {
        uint64_t at = k < TRIALS ? k : 2 * TRIALS - 1 - k;
        double value = sin(12 * sqrt(sqrt((x[at][0] + 5) / 15))) + x[at][1] / 30;

        if (k < TRIALS)
            tell(s[0], at, x[at], value);
        if (k % 23 == 0 && k < TRIALS)
            T_OK(asy_sampler_ask(s[0], k + 1, NULL, y[0], &err), &err);
        if (k >= TRIALS) {
            tell(s[1], at, x[at], value);
            tell(s[2], at, x[at], value);
        }
    }
    for (size_t i = 0; i < 3; i++)
        T_OK(asy_sampler_ask(s[i], TRIALS, NULL, y[i], &err), &err);
    T_TRUE(same_points(y[0], y[1], 2));
    T_TRUE(!same_points(y[0], y[2], 2)); /* they were warped */
    for (size_t i = 0; i < 3; i++)
        asy_sampler_destroy(s[i]);
    asy_space_destroy(space);
}

static double branin(const double *x)
{
    double t = x[1] - 5.1 / (4 * M_PI * M_PI) * x[0] * x[0] + 5 / M_PI * x[0] - 6;

    return t * t + 10 * (1 - 1 / (8 * M_PI)) * cos(x[0]) + 10;
}

/* Branin's minimum is 0.397887; 40 random points come within about 0.5 of it, tpe within 0.1. */
static void finds_the_minimum_of_branin(void)
{
    struct asy_space *space = make_space(square, 2);

    for (int up = 0; up < 2; up++) {
        struct asy_sampler *s = make(space, 3, up ? ASY_MAXIMIZE : ASY_MINIMIZE);
        struct asy_error err = ASY_ERROR_INIT;
        double best = INFINITY;

        for (uint64_t k = 0; k < 40; k++) {
            double x[2];

            T_OK(asy_sampler_ask(s, k, NULL, x, &err), &err);
            best = fmin(best, branin(x));
            tell(s, k, x, up ? -branin(x) : branin(x));
        }
        T_NEAR("regret", best, 0.397887, 0.005);
        asy_sampler_destroy(s);
    }
    asy_space_destroy(space);
}

/* Eight at once: fantasies keep them apart, and cost little of the regret. */
static void parallel_asks_keep_apart(void)
{
    enum { WAYS = 8, TRIALS = 64 };
    struct asy_space *space = make_space(square, 2);
    struct asy_sampler *s = make(space, 4, ASY_MINIMIZE);
    struct asy_error err = ASY_ERROR_INIT;
    double x[TRIALS][2], best = INFINITY;

    for (uint64_t k = 0; k < TRIALS + WAYS; k++) {
        if (k >= WAYS) {
            tell(s, k - WAYS, x[k - WAYS], branin(x[k - WAYS]));
            best = fmin(best, branin(x[k - WAYS]));
        }
        if (k >= TRIALS)
            continue;
        T_OK(asy_sampler_ask(s, k, NULL, x[k], &err), &err);
        for (uint64_t i = k > WAYS ? k - WAYS + 1 : 0; i < k; i++)
            T_TRUE(fabs(x[i][0] - x[k][0]) + fabs(x[i][1] - x[k][1]) > 1e-6);
    }
    T_NEAR("regret", best, 0.397887, 0.02);
    asy_sampler_destroy(s);
    asy_space_destroy(space);
}

static void no_point_of_a_finite_space_comes_twice(void)
{
    enum { POINTS = 4 * 3 * 3, LEN = 3 };
    struct asy_space *space = make_space(few, LEN);
    struct asy_sampler *s = make(space, 5, ASY_MINIMIZE);
    struct asy_error err = ASY_ERROR_INIT;
    double x[POINTS][LEN];
    size_t repeated = 0;

    for (uint64_t k = 0; k < POINTS; k++) {
        T_OK(asy_sampler_ask(s, k, NULL, x[k], &err), &err);
        for (uint64_t i = 0; i < k && k >= 10; i++) /* the first ten are random */
            repeated += same_points(x[i], x[k], LEN);
        tell(s, k, x[k], fabs(x[k][0] - 2) + fabs(x[k][1] - 1) + x[k][2]);
    }
    T_EQ("repeated", repeated, 0);
    T_OK(asy_sampler_ask(s, POINTS, NULL, x[0], &err), &err);
    asy_sampler_destroy(s);
    asy_space_destroy(space);
}

/* Below 4 and above 8 the prior has nothing, so 40 trials are some of 5 times 31 points. */
static void no_point_comes_twice_under_a_narrow_prior(void)
{
    static const struct asy_param narrow[] = {
        { .name = "d", .type = ASY_PARAM_INT, .lo = 1, .hi = 20,
          .prior = { .kind = ASY_PRIOR_UNIFORM, .lo = 4, .hi = 8 } },
        { .name = "y", .type = ASY_PARAM_INT, .lo = 0, .hi = 30 },
    };
    enum { POINTS = 40, LEN = 2 };
    struct asy_space *space = make_space(narrow, LEN);
    struct asy_sampler *s = make(space, 5, ASY_MINIMIZE);
    struct asy_error err = ASY_ERROR_INIT;
    double x[POINTS][LEN];
    size_t repeated = 0;

    for (uint64_t k = 0; k < POINTS; k++) {
        T_OK(asy_sampler_ask(s, k, NULL, x[k], &err), &err);
        for (uint64_t i = 0; i < k && k >= 10; i++)
            repeated += same_points(x[i], x[k], LEN);
        tell(s, k, x[k], fabs(x[k][0] - 8) + fabs(x[k][1] - 20));
    }
    T_EQ("repeated", repeated, 0);
    asy_sampler_destroy(s);
    asy_space_destroy(space);
}

/* The best feasible point is the corner (10, 2) of x + y >= 12; without the constraint the search
 * goes to (-5, 0). Random points alone come to about 17. */
static void constraints_are_kept(void)
{
    struct asy_space *space = make_space(square, 2);
    struct asy_sampler *s = make(space, 6, ASY_MINIMIZE);
    struct asy_error err = ASY_ERROR_INIT;
    double best = INFINITY;

    for (uint64_t k = 0; k < 50; k++) {
        double x[2], value;
        struct asy_outcome o = { .number = k, .state = ASY_OUTCOME_COMPLETE, .x = x,
                                 .values = &value, .last_step = -1 };

        T_OK(asy_sampler_ask(s, k, NULL, x, &err), &err);
        value = x[0] + 2 * x[1];
        o.violation = fmax(0, 12 - x[0] - x[1]);
        best = o.violation > 0 ? best : fmin(best, value);
        T_OK(asy_sampler_tell(s, &o, &err), &err);
    }
    T_NEAR("best", best, 14, 0.5);
    asy_sampler_destroy(s);
    asy_space_destroy(space);
}

/* Where half of the square diverges, the model must not die of it, nor go there. */
static void diverged_trials_are_shunned(void)
{
    struct asy_space *space = make_space(square, 2);
    struct asy_sampler *s = make(space, 8, ASY_MINIMIZE);
    struct asy_error err = ASY_ERROR_INIT;
    size_t diverged = 0;

    for (uint64_t k = 0; k < 40; k++) {
        double x[2];

        T_OK(asy_sampler_ask(s, k, NULL, x, &err), &err);
        diverged += k >= 20 && x[0] < 2;
        tell(s, k, x, x[0] < 2 ? k % 2 ? NAN : INFINITY : x[0] + x[1]);
    }
    T_TRUE(diverged < 10);
    asy_sampler_destroy(s);
    asy_space_destroy(space);
}

/* Extreme values of every kind give a suggestion, never a failure. */
static void any_values_can_be_learnt_from(void)
{
    static const double values[] = { 1e308, -1e308, 5e-324, 0, -0.0, 1e-300, INFINITY, -INFINITY,
                                     NAN, 1, 1, 1 };

    for (size_t of = 1; of <= ASY_ARRAY_LEN(values); of++) {
        struct asy_space *space = make_space(conditional, 4);
        struct asy_sampler *s = make(space, of, of % 2 ? ASY_MINIMIZE : ASY_MAXIMIZE);
        struct asy_error err = ASY_ERROR_INIT;

        for (uint64_t k = 0; k < 16; k++) {
            double x[4];

            T_OK(asy_sampler_ask(s, k, NULL, x, &err), &err);
            T_OK(asy_space_check(space, x, &err), &err);
            tell(s, k, x, values[(size_t)k % of]);
        }
        asy_sampler_destroy(s);
        asy_space_destroy(space);
    }
}

/* Squared distances from two corners, six trials at a time, some infeasible or failed: in 48 trials
 * the volume below (2, 2) is close to the whole front's, 3.33; random points cover about 2.6. The
 * answers are those of a sampler that is told all at once. */
static void two_objectives_are_covered(void)
{
    enum { WAYS = 6, TRIALS = 48 };
    static const enum asy_goal goals[] = { ASY_MINIMIZE, ASY_MAXIMIZE };
    static const struct asy_param plane[] = { { .name = "x", .lo = 0, .hi = 1 },
                                              { .name = "y", .lo = 0, .hi = 1 } };
    struct asy_space *space = make_space(plane, 2);
    struct asy_sampler_spec spec = { .name = "gp", .seed = 2, .goals = goals, .n_goals = 2 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_sampler *s[2] = { NULL, NULL };
    double x[TRIALS + 1][2], values[TRIALS][2], volume, again[2];

    for (size_t i = 0; i < 2; i++)
        if (!T_OK(asy_sampler_create(space, &spec, &s[i], &err), &err))
            goto out;
    for (uint64_t k = 0; k < TRIALS + WAYS; k++) {
        uint64_t done = k - WAYS;

        if (k >= WAYS) {
            double *v = values[done], *at = x[done];
            struct asy_outcome o = { .number = done, .x = at, .values = v, .last_step = -1,
                                     .state = ASY_OUTCOME_COMPLETE, .violation = done % 9 == 5 };

            v[0] = at[0] * at[0] + at[1] * at[1];
            v[1] = -(at[0] - 1) * (at[0] - 1) - (at[1] - 1) * (at[1] - 1);
            o.state = done == 20 ? ASY_OUTCOME_FAILED : o.state;
            o.diverged = done == 20;
            T_OK(asy_sampler_tell(s[0], &o, &err), &err);
            T_OK(asy_sampler_tell(s[1], &o, &err), &err);
            v[1] = -v[1];
        }
        if (k < TRIALS)
            T_OK(asy_sampler_ask(s[0], k, NULL, x[k], &err), &err);
    }
    T_OK(asy_pareto_volume(&values[0][0], TRIALS, 2, (const double[]){ 2, 2 }, &volume, &err),
         &err);
    T_NEAR("volume", volume, 3.33, 0.12);
    T_OK(asy_sampler_ask(s[0], TRIALS, NULL, x[TRIALS], &err), &err);
    T_OK(asy_sampler_ask(s[1], TRIALS, NULL, again, &err), &err);
    T_TRUE(same_points(x[TRIALS], again, 2));
    spec.n_goals = 3;
    spec.goals = (const enum asy_goal[3]){ ASY_MINIMIZE };
    asy_sampler_destroy(s[0]);
    s[0] = NULL;
    T_EQ("three", asy_sampler_create(space, &spec, &s[0], &err), ASY_E_INVAL);
    T_STR("why", err.text, "sampler 'gp' takes one objective or two, not 3");
out:
    for (size_t i = 0; i < 2; i++)
        asy_sampler_destroy(s[i]);
    asy_space_destroy(space);
}

T_MAIN("gp", T_TEST(answers_depend_on_the_latest_outcomes_alone),
       T_TEST(answers_with_warped_inputs_depend_on_outcomes_alone),
       T_TEST(finds_the_minimum_of_branin), T_TEST(parallel_asks_keep_apart),
       T_TEST(no_point_of_a_finite_space_comes_twice),
       T_TEST(no_point_comes_twice_under_a_narrow_prior), T_TEST(constraints_are_kept),
       T_TEST(diverged_trials_are_shunned), T_TEST(any_values_can_be_learnt_from),
       T_TEST(two_objectives_are_covered))
