/* SPDX-License-Identifier: Apache-2.0
 * test_tpe.c - the TPE sampler: what it makes of outcomes, and whether it finds minima. */
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
    { .name = "q", .lo = 0, .hi = 1, .whens = &if_a, .n_whens = 1 },
};
static const struct asy_param square[] = { { .name = "x", .lo = -5, .hi = 10 },
                                           { .name = "y", .lo = 0, .hi = 15 } };
static const struct asy_param line[] = { { .name = "x", .lo = 0, .hi = 1 } };

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

static struct asy_sampler *make(const struct asy_space *space, const char *name, uint64_t seed,
                                enum asy_goal goal, const struct asy_option *option)
{
    struct asy_sampler_spec spec = { .name = name, .seed = seed, .goals = &goal, .n_goals = 1,
                                     .options = option, .n_options = option != NULL };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_sampler *sampler = NULL;

    if (!T_OK(asy_sampler_create(space, &spec, &sampler, &err), &err))
        abort();
    return sampler;
}

static void ask(struct asy_sampler *s, uint64_t number, double *x)
{
    struct asy_error err = ASY_ERROR_INIT;

    if (!T_OK(asy_sampler_ask(s, number, NULL, x, &err), &err))
        abort();
}

static void tell(struct asy_sampler *s, struct asy_outcome o)
{
    struct asy_error err = ASY_ERROR_INIT;

    if (!T_OK(asy_sampler_tell(s, &o, &err), &err))
        abort();
}

static void tell_value(struct asy_sampler *s, uint64_t number, const double *x, double value)
{
    tell(s, (struct asy_outcome){ .number = number, .state = ASY_OUTCOME_COMPLETE, .x = x,
                                  .values = &value });
}

/* Outcomes of all kinds for random points, one call each. */
static void make_log(const struct asy_space *space, struct asy_outcome *log, size_t n, double *xs,
                     double *values)
{
    struct asy_sampler *random = make(space, "random", 77, ASY_MINIMIZE, NULL);
    size_t len = asy_space_len(space);
    struct asy_rng rng;

    asy_rng_init(&rng, 61, 0, ASY_RNG_SIM);
    for (size_t i = 0; i < n; i++) {
        ask(random, i, &xs[i * len]);
        values[i] = asy_rng_below(&rng, 10) ? (double)asy_rng_below(&rng, 30) : NAN;
        log[i] = (struct asy_outcome){
            .number = i, .state = (enum asy_outcome_state)(1 + asy_rng_below(&rng, 4)),
            .x = &xs[i * len], .values = &values[i],
            .last_step = (double)asy_rng_below(&rng, 5) - 1,
            .violation = asy_rng_below(&rng, 5) ? 0 : asy_rng_double(&rng),
            .diverged = asy_rng_below(&rng, 2) != 0,
        };
    }
    asy_sampler_destroy(random);
}

/* The latest outcomes alone decide: told forwards, backwards with detours, or between asks. */
static void order_of_tells_does_not_matter(void)
{
    enum { N = 160 };
    static struct asy_outcome log[N];
    static double xs[N * 4], values[N];
    struct asy_space *space = make_space(conditional, 4);
    struct asy_sampler *s[3];
    double x[3][4], other[4] = { 0.5, 2, NAN, NAN }, zero = 0;

    make_log(space, log, N, xs, values);
    for (size_t k = 0; k < 3; k++)
        s[k] = make(space, "tpe", 5, ASY_MINIMIZE, NULL);
    for (size_t i = 0; i < N; i++) {
        tell(s[0], log[i]);
        tell(s[1], log[N - 1 - i]);
        tell_value(s[2], i * 77 % N, other, zero); /* at first all of them are good, elsewhere */
    }
    for (size_t i = 0; i < N; i++) {
        ask(s[2], N + 100, x[2]);
        tell(s[2], log[i * 37 % N]);
    }
    tell(s[2], (struct asy_outcome){ .number = N + 100, .state = ASY_OUTCOME_FAILED, .x = x[2] });
    for (uint64_t number = N; number < N + 30; number++) {
        for (size_t k = 0; k < 3; k++)
            ask(s[k], number, x[k]);
        for (size_t i = 0; i < 4; i++) {
            T_TRUE(isnan(x[0][i]) ? isnan(x[1][i]) : x[0][i] == x[1][i]);
            T_TRUE(isnan(x[0][i]) ? isnan(x[2][i]) : x[0][i] == x[2][i]);
        }
    }
    for (size_t k = 0; k < 3; k++)
        asy_sampler_destroy(s[k]);
    asy_space_destroy(space);
}

/* Mean of the suggestions for new trials, each forgotten again. */
static double mean_ask(struct asy_sampler *s, uint64_t from, size_t n)
{
    double sum = 0, x;

    for (size_t i = 0; i < n; i++) {
        ask(s, from + i, &x);
        tell(s, (struct asy_outcome){ .number = from + i, .state = ASY_OUTCOME_FAILED, .x = &x });
        sum += x;
    }
    return sum / (double)n;
}

/* Twenty trials at 0.1 and twenty at 0.9, alike but for one property: where does it look? */
static void each_kind_of_outcome_has_its_place(void)
{
    static const struct {
        const char *name;
        struct asy_outcome low, high; /* at 0.1, at 0.9 */
        double low_value, high_value;
        enum asy_goal goal;
        int wants_high;
    } cases[] = {
#define DONE .state = ASY_OUTCOME_COMPLETE
#define CUT .state = ASY_OUTCOME_PRUNED
        { "smaller", { DONE }, { DONE }, 2, 1, ASY_MINIMIZE, 1 },
        { "larger", { DONE }, { DONE }, 2, 1, ASY_MAXIMIZE, 0 },
        { "complete before pruned", { DONE }, { CUT, .last_step = 9 }, 2, 1, ASY_MINIMIZE, 0 },
        { "further before shorter", { CUT, .last_step = 3 }, { CUT, .last_step = 4 }, 1, 2,
          ASY_MINIMIZE, 1 },
        { "then by value", { CUT, .last_step = 4 }, { CUT, .last_step = 4 }, 1, 2, ASY_MAXIMIZE,
          1 },
        { "a number before nan", { CUT, .last_step = 4 }, { CUT, .last_step = 4 }, NAN, 2,
          ASY_MINIMIZE, 1 },
        { "any report before none", { CUT, .last_step = 0 }, { CUT, .last_step = -1 }, 5, 2,
          ASY_MINIMIZE, 0 },
        { "pruned before infeasible", { DONE, .violation = 1 }, { CUT, .last_step = 1 }, 1, 2,
          ASY_MINIMIZE, 1 },
        { "less violation", { DONE, .violation = 1 }, { DONE, .violation = 2 }, 2, 1, ASY_MINIMIZE,
          0 },
        { "infeasible before diverged", { DONE, .violation = 9 },
          { .state = ASY_OUTCOME_FAILED, .diverged = 1 }, 2, 1, ASY_MINIMIZE, 0 },
        { "nan is diverged", { DONE }, { CUT, .last_step = -1 }, NAN, 2, ASY_MINIMIZE, 1 },
        { "infinite before diverged", { DONE }, { .state = ASY_OUTCOME_FAILED, .diverged = 1 },
          INFINITY, 1, ASY_MINIMIZE, 0 },
    };

    for (size_t c = 0; c < ASY_ARRAY_LEN(cases); c++) {
        struct asy_space *space = make_space(line, 1);
        struct asy_sampler *s = make(space, "tpe", c, cases[c].goal, NULL);
        double mean;

        for (uint64_t i = 0; i < 40; i++) {
            struct asy_outcome o = i % 2 ? cases[c].high : cases[c].low;
            double x = (i % 2 ? 0.9 : 0.1) + 0.001 * (double)i;

            o.number = i;
            o.x = &x;
            o.values = i % 2 ? &cases[c].high_value : &cases[c].low_value;
            tell(s, o);
        }
        mean = mean_ask(s, 40, 30);
        t__check((mean > 0.5) == cases[c].wants_high, __LINE__, __FILE__, "%s: looks around %g",
                 cases[c].name, mean);
        asy_sampler_destroy(s);
        asy_space_destroy(space);
    }
}

static void plain_failures_are_forgotten(void)
{
    struct asy_space *space = make_space(line, 1);
    struct asy_sampler *with = make(space, "tpe", 1, ASY_MINIMIZE, NULL);
    struct asy_sampler *without = make(space, "tpe", 1, ASY_MINIMIZE, NULL);

    for (uint64_t i = 0; i < 60; i++) {
        double x = 0.01 * (double)i, a, b;

        if (i % 3 == 0)
            tell(with, (struct asy_outcome){ .number = i, .state = ASY_OUTCOME_FAILED, .x = &x });
        else {
            tell_value(with, i, &x, x);
            tell_value(without, i, &x, x);
        }
        ask(with, 100 + i, &a);
        ask(without, 100 + i, &b);
        T_TRUE(a == b);
    }
    asy_sampler_destroy(with);
    asy_sampler_destroy(without);
    asy_space_destroy(space);
}

/* Running trials count as bad: parallel asks spread more than with the option off. */
static void running_trials_push_others_away(void)
{
    static const struct asy_option off = { "constant_liar", 0 };
    struct asy_space *space = make_space(line, 1);
    double spread[2] = { 0 };

    for (size_t k = 0; k < 2; k++)
        for (uint64_t seed = 0; seed < 10; seed++) {
            struct asy_sampler *s = make(space, "tpe", seed, ASY_MINIMIZE, k ? &off : NULL);
            double x, sum = 0, squares = 0;

            for (uint64_t i = 0; i < 30; i++) {
                x = ((double)i + 0.5) / 30;
                tell_value(s, i, &x, fabs(x - 0.3));
            }
            for (uint64_t i = 30; i < 60; i++) {
                ask(s, i, &x);
                sum += x / 30;
                squares += x * x / 30;
            }
            spread[k] += squares - sum * sum;
            asy_sampler_destroy(s);
        }
    t__check(spread[0] > 1.5 * spread[1], __LINE__, __FILE__, "spread %g with, %g without",
             spread[0], spread[1]);
    asy_space_destroy(space);
}

/* The first trials are those of the random sampler; asking again for a trial gives the same. */
static void startup_is_random_and_asks_repeat(void)
{
    static const struct asy_option options = { "startup_trials", 20 };
    struct asy_space *space = make_space(conditional, 4);
    struct asy_sampler *s = make(space, "tpe", 9, ASY_MINIMIZE, &options);
    struct asy_sampler *random = make(space, "random", 9, ASY_MINIMIZE, NULL);
    size_t differ = 0;

    for (uint64_t i = 0; i < 40; i++) {
        double x[4], again[4], r[4];

        ask(s, i, x);
        ask(s, i, again);
        ask(random, i, r);
        for (size_t k = 0; k < 4; k++) {
            T_TRUE(isnan(x[k]) ? isnan(again[k]) : x[k] == again[k]);
            T_TRUE(i >= 20 || (isnan(x[k]) ? isnan(r[k]) : x[k] == r[k]));
        }
        differ += i >= 20 && x[0] != r[0];
        tell_value(s, i, x, x[0]);
    }
    T_EQ("then it learns", differ, 20);
    T_EQ("history", asy_sampler_needs_history(s), 1);
    asy_sampler_destroy(s);
    asy_sampler_destroy(random);
    asy_space_destroy(space);
}

/* p and q matter only together (p near q, at 0.8), and only for kind a, the best one. */
static void conditional_groups_are_learnt(void)
{
    struct asy_space *space = make_space(conditional, 4);
    size_t hits = 0, kinds = 0;

    for (uint64_t seed = 0; seed < 5; seed++) {
        struct asy_sampler *s = make(space, "tpe", seed, ASY_MINIMIZE, NULL);

        for (uint64_t i = 0; i < 120; i++) {
            double x[4], value;

            ask(s, i, x);
            value = fabs(x[0] - 0.5) +
                    (isnan(x[2]) ? 1.2 : fabs(x[2] - 0.8) + 2 * fabs(x[2] - x[3]));
            tell_value(s, i, x, value);
            if (i < 90)
                continue;
            kinds += !isnan(x[2]);
            hits += !isnan(x[2]) && fabs(x[2] - 0.8) < 0.2 && fabs(x[3] - 0.8) < 0.2;
        }
        asy_sampler_destroy(s);
    }
    t__check(kinds > 110 && hits > 70, __LINE__, __FILE__, "kind a %zu, close %zu of 150", kinds,
             hits);
    asy_space_destroy(space);
}

static double branin(const double *x)
{
    const double pi = acos(-1);
    double a = x[1] - 5.1 / (4 * pi * pi) * x[0] * x[0] + 5 / pi * x[0] - 6;

    return a * a + 10 * (1 - 1 / (8 * pi)) * cos(x[0]) + 10 - 0.39788735772973816;
}

static int by_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Median over ten seeds of the best of 100 trials of Branin, above its minimum. */
static double branin_regret(const char *name, const struct asy_option *option, int sign)
{
    struct asy_space *space = make_space(square, 2);
    double best[10];

    for (uint64_t seed = 0; seed < 10; seed++) {
        struct asy_sampler *s =
            make(space, name, seed, sign < 0 ? ASY_MAXIMIZE : ASY_MINIMIZE, option);

        best[seed] = INFINITY;
        for (uint64_t i = 0; i < 100; i++) {
            double x[2], value;

            ask(s, i, x);
            value = branin(x);
            tell_value(s, i, x, sign * value);
            best[seed] = fmin(best[seed], value);
        }
        asy_sampler_destroy(s);
    }
    asy_space_destroy(space);
    qsort(best, 10, sizeof *best, by_double);
    return 0.5 * (best[4] + best[5]);
}

static void beats_random_on_branin(void)
{
    static const struct asy_option single = { "multivariate", 0 };
    double random = branin_regret("random", NULL, 1), tpe = branin_regret("tpe", NULL, 1);
    double each = branin_regret("tpe", &single, 1), up = branin_regret("tpe", NULL, -1);

    printf("random %.4f tpe %.4f univariate %.4f ", random, tpe, each);
    T_TRUE(tpe < random / 3);
    T_TRUE(each < random / 3);
    T_TRUE(up == tpe);
}

/* What a point is worth after long training; kind a with p near q, both at 0.8, is best: 0. */
static double worth(const double *x)
{
    return fabs(x[0] - 0.5) + (isnan(x[2]) ? 1.2 : fabs(x[2] - 0.8) + 2 * fabs(x[2] - x[3]));
}

/* One sweep of 60 points under promotion ASHA, one job at a time, as the coordinator runs it: what
 * waits at a rung is told as pruned there. Returns the worth of the best that came to the end. */
static double sweep(const struct asy_space *space, const char *name, uint64_t seed)
{
    static const enum asy_goal goal = ASY_MINIMIZE;
    struct asy_pruner_spec spec = { .name = "asha", .goals = &goal, .n_goals = 1,
                                    .length_max = 64, .can_pause = 1 };
    struct asy_sampler *sampler = make(space, name, seed, ASY_MINIMIZE, NULL);
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_pruner *pruner = NULL;
    double x[60][4], best = INFINITY;
    uint64_t n = 0, number, upto;

    if (!T_OK(asy_pruner_create(&spec, &pruner, &err), &err))
        abort();
    for (;;) {
        double value;

        if (!asy_pruner_promote(pruner, &number, &upto)) {
            if (n == 60)
                break;
            number = n++;
            ask(sampler, number, x[number]);
            upto = asy_pruner_milestone(pruner, number, 0);
        }
        value = worth(x[number]) + 1 / (double)upto;
        if (asy_pruner_report(pruner, number, upto, &value) == ASY_PAUSE) {
            tell(sampler, (struct asy_outcome){ .number = number, .state = ASY_OUTCOME_PRUNED,
                                                .x = x[number], .values = &value,
                                                .last_step = (double)upto });
        } else {
            asy_pruner_ended(pruner, number, 1);
            tell_value(sampler, number, x[number], value);
            best = fmin(best, worth(x[number]));
        }
    }
    asy_pruner_destroy(pruner);
    asy_sampler_destroy(sampler);
    return best;
}

static void beats_random_among_trials_that_wait(void)
{
    static const char *const samplers[] = { "random", "tpe" };
    struct asy_space *space = make_space(conditional, 4);
    double best[2][20], median[2];

    for (size_t k = 0; k < 2; k++) {
        for (uint64_t seed = 0; seed < 20; seed++)
            best[k][seed] = sweep(space, samplers[k], seed);
        qsort(best[k], 20, sizeof best[k][0], by_double);
        median[k] = 0.5 * (best[k][9] + best[k][10]);
    }
    printf("random %.4f tpe %.4f ", median[0], median[1]);
    T_TRUE(median[1] < 0.7 * median[0]);
    asy_space_destroy(space);
}

/* BOHB: with hyperband each trial is what a sampler suggests that heard of its bracket alone. */
static void brackets_learn_each_from_their_own(void)
{
    static const enum asy_goal goal = ASY_MINIMIZE;
    static const struct asy_option soon = { "startup_trials", 4 };
    struct asy_pruner_spec pruner_spec = { .name = "hyperband", .goals = &goal, .n_goals = 1,
                                           .length_max = 9, .can_pause = 1 };
    struct asy_space *space = make_space(conditional, 4);
    struct asy_sampler_spec spec = { .name = "tpe", .seed = 5, .goals = &goal, .n_goals = 1,
                                     .options = &soon, .n_options = 1, .pruner = &pruner_spec };
    struct asy_sampler *all = NULL, *own[3] = { NULL }; /* lowest rungs 1, 3 and 9 */
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_pruner *pruner = NULL;
    size_t in[3] = { 0 };

    if (!T_OK(asy_sampler_create(space, &spec, &all, &err), &err) ||
        !T_OK(asy_pruner_create(&pruner_spec, &pruner, &err), &err))
        abort();
    T_HAS("reason", asy_sampler_reason(all), "in each of 3 brackets by itself");
    T_TRUE(asy_sampler_needs_history(all));
    for (size_t b = 0; b < 3; b++)
        own[b] = make(space, "tpe", 5, ASY_MINIMIZE, &soon);
    for (uint64_t number = 0; number < 120; number++) {
        uint64_t lowest = asy_pruner_milestone(pruner, number, 0);
        struct asy_sampler *of = own[lowest == 1 ? 0 : lowest == 3 ? 1 : 2];
        double x[4], y[4];

        in[lowest == 1 ? 0 : lowest == 3 ? 1 : 2]++;
        ask(all, number, x);
        ask(of, number, y);
        for (size_t i = 0; i < 4; i++)
            T_TRUE(isnan(x[i]) ? isnan(y[i]) : x[i] == y[i]);
        tell_value(all, number, x, worth(x));
        tell_value(of, number, x, worth(x));
    }
    T_TRUE(in[0] > in[1] && in[1] > in[2] && in[2] > 10);
    for (size_t b = 0; b < 3; b++)
        asy_sampler_destroy(own[b]);
    asy_sampler_destroy(all);
    asy_pruner_destroy(pruner);
    asy_space_destroy(space);
}

/* With several objectives, of trials that were pruned equally far those are good that are best by
 * front: as if they alone had come further. */
static void pruned_trials_of_several_objectives_are_good_by_front(void)
{
    enum { N = 40, GOOD = 4 };
    static const enum asy_goal goals[2] = { ASY_MINIMIZE, ASY_MAXIMIZE };
    static const struct asy_option soon = { "startup_trials", 4 };
    struct asy_space *space = make_space(square, 2);
    struct asy_sampler_spec spec = { .name = "tpe", .seed = 5, .goals = goals, .n_goals = 2,
                                     .options = &soon, .n_options = 1 };
    double losses[2 * N], xs[2 * N], x[2], y[2];
    struct asy_sampler *equal = NULL, *further = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    uint32_t best[GOOD];
    struct asy_rng rng;

    asy_rng_init(&rng, 3, 0, ASY_RNG_SIM);
    T_OK(asy_sampler_create(space, &spec, &equal, &err), &err);
    T_OK(asy_sampler_create(space, &spec, &further, &err), &err);
    for (size_t i = 0; i < N; i++) {
        xs[2 * i] = -5 + 15 * asy_rng_double(&rng);
        xs[2 * i + 1] = 15 * asy_rng_double(&rng);
        losses[2 * i] = asy_rng_double(&rng);
        losses[2 * i + 1] = asy_rng_double(&rng);
    }
    T_OK(asy_pareto_best(losses, N, 2, GOOD, best, &err), &err);
    for (uint64_t i = 0; equal && further && i < N; i++) {
        struct asy_outcome o = { .number = i, .state = ASY_OUTCOME_PRUNED, .x = &xs[2 * i],
                                 .values = (double[2]){ losses[2 * i], -losses[2 * i + 1] },
                                 .last_step = 4 };

        tell(equal, o);
        for (size_t k = 0; k < GOOD; k++)
            o.last_step = best[k] == i ? 9 : o.last_step;
        tell(further, o);
    }
    for (uint64_t number = N; equal && further && number < N + 20; number++) {
        ask(equal, number, x);
        ask(further, number, y);
        T_TRUE(x[0] == y[0] && x[1] == y[1]);
    }
    asy_sampler_destroy(equal);
    asy_sampler_destroy(further);
    asy_space_destroy(space);
}

T_MAIN("tpe", T_TEST(brackets_learn_each_from_their_own),
       T_TEST(pruned_trials_of_several_objectives_are_good_by_front),
       T_TEST(order_of_tells_does_not_matter), T_TEST(each_kind_of_outcome_has_its_place),
       T_TEST(plain_failures_are_forgotten), T_TEST(running_trials_push_others_away),
       T_TEST(startup_is_random_and_asks_repeat), T_TEST(conditional_groups_are_learnt),
       T_TEST(beats_random_on_branin), T_TEST(beats_random_among_trials_that_wait))
