/* SPDX-License-Identifier: Apache-2.0
 * test_sampler.c - what holds for every sampler, then random, grid and auto. */
#include <asy/rng.h>
#include <asy/tuner.h>
#include "asytest.h"
#include "auto.h"

enum { LEN = 9 };
static const struct asy_value names[] = {
    { .type = ASY_VALUE_STRING, .s = "sgd" },
    { .type = ASY_VALUE_STRING, .s = "adam" },
    { .type = ASY_VALUE_STRING, .s = "lamb" },
};
static const struct asy_value sizes[] = {
    { .type = ASY_VALUE_INT, .i = 16 },
    { .type = ASY_VALUE_INT, .i = 32 },
    { .type = ASY_VALUE_INT, .i = 64 },
    { .type = ASY_VALUE_INT, .i = 128 },
};
static const double sgd[] = { 0 }, others[] = { 1, 2 };
static const struct asy_when if_sgd = { .parent = 2, .values = sgd, .n_values = 1 };
static const struct asy_when if_other = { .parent = 2, .values = others, .n_values = 2 };
static const struct asy_when if_deep = { .parent = 1, .lo = 3, .hi = 5 };
static const struct asy_param mixed[LEN] = {
    { .name = "lr", .lo = 1e-5, .hi = 1, .log = 1 },
    { .name = "layers", .type = ASY_PARAM_INT, .lo = 1, .hi = 5 },
    { .name = "optimizer", .type = ASY_PARAM_CHOICE, .choices = names, .n_choices = 3 },
    { .name = "momentum", .lo = 0, .hi = 1, .step = 0.1, .whens = &if_sgd, .n_whens = 1 },
    { .name = "beta1", .lo = 0.5, .hi = 1, .whens = &if_other, .n_whens = 1 },
    { .name = "beta2", .lo = 0.9, .hi = 1, .whens = &if_other, .n_whens = 1 },
    { .name = "width", .type = ASY_PARAM_INT, .lo = 16, .hi = 512, .log = 1, .whens = &if_deep,
      .n_whens = 1 },
    { .name = "batch", .type = ASY_PARAM_CHOICE, .choices = sizes, .n_choices = 4, .ordered = 1 },
    { .name = "fixed", .lo = 3, .hi = 3 },
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

static struct asy_sampler *make(const struct asy_space *space, const char *name, uint64_t seed)
{
    static const enum asy_goal goal = ASY_MINIMIZE;
    struct asy_sampler_spec spec = { .name = name, .seed = seed, .goals = &goal, .n_goals = 1 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_sampler *sampler = NULL;

    if (!T_OK(asy_sampler_create(space, &spec, &sampler, &err), &err))
        abort();
    return sampler;
}

/* Some function of a point, so that samplers that learn have something to learn. */
static double quality(const double *x, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += isnan(x[i]) ? 1 : fabs(x[i] - 2) / (2 + fabs(x[i]));
    return sum;
}

/* Outcomes of every kind, as a busy study would have them. */
static void tell_some(struct asy_sampler *s, uint64_t number, const double *x, size_t n)
{
    struct asy_error err = ASY_ERROR_INIT;
    double value = quality(x, n);
    struct asy_outcome o = { .number = number, .state = ASY_OUTCOME_COMPLETE, .x = x,
                             .values = &value, .last_step = -1 };

    switch (number % 11) {
    case 3:
        return; /* runs on */
    case 4:
        o.state = ASY_OUTCOME_PRUNED;
        o.last_step = (double)(number % 5) - 1;
        break;
    case 5:
        o.state = ASY_OUTCOME_FAILED;
        o.values = NULL;
        o.diverged = number % 2 == 0;
        break;
    case 6:
        value = NAN;
        break;
    case 7:
        o.violation = value;
        break;
    case 8:
        value = INFINITY;
        break;
    }
    T_OK(asy_sampler_tell(s, &o, &err), &err);
}

static const char *const kinds[] = { "random", "tpe", "nsga2", "nsga3", "qmc", "gp",
                                    "cma",    "auto", "pbt", "pb2" };

static void suggestions_are_points(void)
{
    struct asy_space *space = make_space(mixed, LEN);

    for (size_t k = 0; k < ASY_ARRAY_LEN(kinds); k++) {
        struct asy_sampler *s = make(space, kinds[k], 3);
        struct asy_error err = ASY_ERROR_INIT;
        double x[LEN];

        for (uint64_t number = 0; number < 300; number++) {
            if (!T_OK(asy_sampler_ask(s, number, NULL, x, &err), &err) ||
                !T_OK(asy_space_check(space, x, &err), &err))
                break;
            tell_some(s, number, x, LEN);
        }
        asy_sampler_destroy(s);
    }
    asy_space_destroy(space);
}

static void same_seed_same_points(void)
{
    struct asy_space *space = make_space(mixed, LEN);

    for (size_t k = 0; k < ASY_ARRAY_LEN(kinds); k++) {
        struct asy_sampler *s[3] = { make(space, kinds[k], 3), make(space, kinds[k], 3),
                                     make(space, kinds[k], 4) };
        struct asy_error err = ASY_ERROR_INIT;
        size_t differ = 0;

        for (uint64_t number = 0; number < 120; number++) {
            double x[3][LEN];
            int same;

            for (size_t i = 0; i < 3; i++) {
                T_OK(asy_sampler_ask(s[i], number, NULL, x[i], &err), &err);
                tell_some(s[i], number, x[i], LEN);
            }
            same = 1;
            for (size_t i = 0; i < LEN; i++) {
                T_TRUE(isnan(x[0][i]) ? isnan(x[1][i]) : x[0][i] == x[1][i]);
                same &= isnan(x[0][i]) ? isnan(x[2][i]) : x[0][i] == x[2][i];
            }
            differ += !same;
        }
        T_EQ("another seed", differ, 120);
        for (size_t i = 0; i < 3; i++)
            asy_sampler_destroy(s[i]);
    }
    asy_space_destroy(space);
}

static void fixed_entries_are_kept(void)
{
    struct asy_space *space = make_space(mixed, LEN);

    for (size_t k = 0; k < ASY_ARRAY_LEN(kinds); k++) {
        struct asy_sampler *s = make(space, kinds[k], 8);
        struct asy_error err = ASY_ERROR_INIT;
        double fixed[LEN], x[LEN];

        for (size_t i = 0; i < LEN; i++)
            fixed[i] = ASY_INACTIVE;
        fixed[0] = 0.125;
        fixed[2] = 0;
        fixed[3] = 0.3;
        fixed[4] = 0.75; /* not active with that optimizer */
        for (uint64_t number = 0; number < 40; number++) {
            T_OK(asy_sampler_ask(s, number, fixed, x, &err), &err);
            T_TRUE(x[0] == 0.125 && x[2] == 0 && x[3] == 0.3 && isnan(x[4]));
            T_OK(asy_space_check(space, x, &err), &err);
            tell_some(s, number, x, LEN);
        }
        fixed[3] = 0.35;
        T_EQ("off the grid", asy_sampler_ask(s, 99, fixed, x, &err), ASY_E_INVAL);
        T_HAS("off the grid", err.text, "'momentum' cannot be fixed at 0.35");
        asy_sampler_destroy(s);
    }
    asy_space_destroy(space);
}

static void bad_calls_are_refused(void)
{
    static const enum asy_goal goals[17] = { ASY_MAXIMIZE };
    static const struct {
        const char *name;
        struct asy_option options[2];
        size_t n_options, n_goals;
        const char *text;
    } cases[] = {
        { "tpee", { { 0 } }, 0, 1, "did you mean 'tpe'" },
        { "bayes", { { 0 } }, 0, 1, "unknown sampler 'bayes'" },
        { "tpe", { { 0 } }, 0, 0, "needs an objective" },
        { "tpe", { { "candidates", 0 } }, 1, 1, "from 1 to 4096, not 0" },
        { "tpe", { { "constant_liar", 2 } }, 1, 1, "from 0 to 1" },
        { "tpe", { { "candidate", 3 } }, 1, 1, "did you mean 'candidates'" },
        { "tpe", { { "candidates", 3 }, { "candidates", 4 } }, 2, 1, "given twice" },
        { "tpe", { { 0 } }, 0, 17, "at most 16 objectives, not 17" },
        { "gp", { { 0 } }, 0, 3, "takes one objective or two, not 3" },
        { "nsga2", { { "divisions", 4 } }, 1, 2, "sampler 'nsga2' has no option 'divisions'" },
        { "nsga3", { { "divisions", 100 } }, 1, 16, "more than 100000 directions" },
        { "random", { { "candidates", 3 } }, 1, 1, "sampler 'random' has no option" },
        { "auto", { { "candidates", 3 } }, 1, 1, "name a sampler" },
        { "grid", { { 0 } }, 0, 1, "float 'lr' has neither step nor list" },
    };
    struct asy_space *space = make_space(mixed, LEN);
    struct asy_sampler *s = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    double x[LEN] = { 0 }, value = 1;
    struct asy_outcome o = { .number = 1, .state = ASY_OUTCOME_COMPLETE, .x = x };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_sampler_spec spec = { .name = cases[i].name, .options = cases[i].options,
                                         .n_options = cases[i].n_options, .goals = goals,
                                         .n_goals = cases[i].n_goals };

        T_EQ(cases[i].text, asy_sampler_create(space, &spec, &s, &err), ASY_E_INVAL);
        T_HAS(cases[i].text, err.text, cases[i].text);
    }
    s = make(space, "tpe", 0);
    T_EQ("not a point", asy_sampler_tell(s, &o, &err), ASY_E_INVAL);
    T_OK(asy_sampler_ask(s, 1, NULL, x, &err), &err);
    T_EQ("no values", asy_sampler_tell(s, &o, &err), ASY_E_INVAL);
    o.values = &value;
    o.state = 9;
    T_EQ("no such state", asy_sampler_tell(s, &o, &err), ASY_E_INVAL);
    T_EQ("number", asy_sampler_ask(s, UINT64_MAX, NULL, x, &err), ASY_E_INVAL);
    asy_sampler_destroy(s);
    asy_sampler_destroy(NULL);
    asy_space_destroy(space);
}

static void names_and_options_are_listed(void)
{
    static const char *const samplers[] = { "auto", "random", "grid",  "tpe",
                                            "nsga2", "nsga3", "qmc", "gp",
                                            "cma",   "brute_force", "pbt", "pb2" };
    static const char *const tpe[] = { "startup_trials", "candidates", "multivariate",
                                       "constant_liar", "group" };

    for (size_t i = 0; i < ASY_ARRAY_LEN(samplers); i++)
        T_STR("name", asy_sampler_name(i), samplers[i]);
    for (size_t i = 0; i < ASY_ARRAY_LEN(tpe); i++)
        T_STR("option", asy_sampler_option("tpe", i), tpe[i]);
    T_TRUE(!asy_sampler_name(ASY_ARRAY_LEN(samplers)));
    T_TRUE(!asy_sampler_option("tpe", ASY_ARRAY_LEN(tpe)) && !asy_sampler_option("random", 0));
    T_TRUE(!asy_sampler_option("auto", 0) && !asy_sampler_option("nothing", 0));
}

/* ---- random -------------------------------------------------------------------------------- */

/* Counts in equal cells of the parameter's own scale: uniform within five standard deviations. */
static void random_is_uniform_on_each_scale(void)
{
    enum { DRAWS = 40000 };
    static const struct asy_param params[] = {
        { .name = "f", .lo = -3, .hi = 7 },
        { .name = "log", .lo = 1e-4, .hi = 1, .log = 1 },
        { .name = "step", .lo = 0, .hi = 0.9, .step = 0.1 },
        { .name = "int", .type = ASY_PARAM_INT, .lo = -2, .hi = 2 },
        { .name = "choice", .type = ASY_PARAM_CHOICE, .choices = names, .n_choices = 3 },
        { .name = "ilog", .type = ASY_PARAM_INT, .lo = 1, .hi = 4, .log = 1 },
    };
    static const double cells[] = { 10, 8, 10, 5, 3, 4 };
    struct asy_space *space = make_space(params, ASY_ARRAY_LEN(params));
    struct asy_sampler *s = make(space, "random", 12);
    struct asy_error err = ASY_ERROR_INIT;
    double counts[6][10] = { { 0 } };

    for (uint64_t number = 0; number < DRAWS; number++) {
        double x[6];

        if (!T_OK(asy_sampler_ask(s, number, NULL, x, &err), &err))
            break;
        counts[0][(size_t)(x[0] + 3)]++;
        counts[1][(size_t)((log10(x[1]) + 4) * 2)]++;
        counts[2][(size_t)rint(x[2] * 10)]++;
        counts[3][(size_t)(x[3] + 2)]++;
        counts[4][(size_t)x[4]]++;
        counts[5][(size_t)x[5] - 1]++;
    }
    for (size_t i = 0; i < 6; i++)
        for (size_t c = 0; c < (size_t)cells[i]; c++) {
            double p = 1 / cells[i];

            if (i == 5) /* the logarithmic width of c + 0.5 .. c + 1.5 */
                p = log(((double)c + 1.5) / ((double)c + 0.5)) / log(9);
            T_NEAR(params[i].name, counts[i][c], DRAWS * p, 5 * sqrt(DRAWS * p * (1 - p)));
        }
    asy_sampler_destroy(s);
    asy_space_destroy(space);
}

/* A parameter's draw depends on nothing but seed, trial and its index. */
static void random_draws_are_independent_of_each_other(void)
{
    struct asy_space *space = make_space(mixed, LEN), *shorter = make_space(mixed, 2);
    struct asy_sampler *s = make(space, "random", 7), *t = make(shorter, "random", 7);
    struct asy_error err = ASY_ERROR_INIT;
    double fixed[LEN], x[LEN], y[LEN], z[2];

    for (size_t i = 0; i < LEN; i++)
        fixed[i] = ASY_INACTIVE;
    fixed[2] = 1;
    T_EQ("history", asy_sampler_needs_history(s), 0);
    for (uint64_t number = 100; number-- > 0;) { /* any order */
        T_OK(asy_sampler_ask(s, number, NULL, x, &err), &err);
        T_OK(asy_sampler_ask(s, number, fixed, y, &err), &err);
        T_OK(asy_sampler_ask(t, number, NULL, z, &err), &err);
        T_TRUE(x[0] == y[0] && x[1] == y[1] && x[7] == y[7] && x[0] == z[0] && x[1] == z[1]);
        T_TRUE(isnan(x[4]) || x[4] == y[4]);
    }
    asy_sampler_destroy(s);
    asy_sampler_destroy(t);
    asy_space_destroy(space);
    asy_space_destroy(shorter);
}

/* ---- grid ---------------------------------------------------------------------------------- */

static const struct asy_param small[] = {
    { .name = "layers", .type = ASY_PARAM_INT, .lo = 2, .hi = 4 },
    { .name = "drop", .lo = 0, .hi = 0.4, .step = 0.2 },
    { .name = "optimizer", .type = ASY_PARAM_CHOICE, .choices = names, .n_choices = 3 },
    { .name = "momentum", .lo = 0, .hi = 0.5, .step = 0.5, .whens = &if_sgd, .n_whens = 1 },
};
enum { POINTS = 3 * 3 * (2 + 1 + 1) };

static void grid_meets_each_point_once(void)
{
    struct asy_space *space = make_space(small, 4);
    struct asy_sampler *s = make(space, "grid", 0);
    struct asy_error err = ASY_ERROR_INIT;
    double seen[POINTS][4], x[4];

    for (size_t k = 0; k < POINTS; k++) {
        if (!T_OK(asy_sampler_ask(s, k, NULL, seen[k], &err), &err) ||
            !T_OK(asy_space_check(space, seen[k], &err), &err))
            break;
        for (size_t j = 0; j < k; j++) {
            size_t same = 0;

            for (size_t i = 0; i < 4; i++)
                same += isnan(seen[k][i]) ? isnan(seen[j][i]) : seen[k][i] == seen[j][i];
            T_TRUE(same < 4);
        }
    }
    T_EQ("history", asy_sampler_needs_history(s), 0);
    T_EQ("exhausted", asy_sampler_ask(s, POINTS, NULL, x, &err), ASY_E_FULL);
    T_HAS("exhausted", err.text, "sampler 'grid': the space has only 36 points");
    asy_sampler_destroy(s);
    s = make(space, "grid", 5); /* a restart in the middle: the number alone counts */
    T_OK(asy_sampler_ask(s, 20, NULL, x, &err), &err);
    for (size_t i = 0; i < 4; i++)
        T_TRUE(isnan(x[i]) ? isnan(seen[20][i]) : x[i] == seen[20][i]);
    asy_sampler_destroy(s);
    asy_space_destroy(space);
}

static struct asy_sampler *make_grid(const struct asy_space *space, double shuffle, uint64_t seed,
                                     uint64_t n_enqueued)
{
    static const enum asy_goal goal = ASY_MINIMIZE;
    const struct asy_option option = { "shuffle", shuffle };
    struct asy_sampler_spec spec = { .name = "grid", .seed = seed, .goals = &goal, .n_goals = 1,
                                     .options = &option, .n_options = 1,
                                     .n_enqueued = n_enqueued };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_sampler *sampler = NULL;

    if (!T_OK(asy_sampler_create(space, &spec, &sampler, &err), &err))
        abort();
    return sampler;
}

/* A sampler that is made anew for the second half hears nothing of the first, enqueued points
 * included. */
static void grid_goes_on_after_a_restart(void)
{
    struct asy_space *space = make_space(small, 4);

    for (uint64_t n_enqueued = 0; n_enqueued < 6; n_enqueued += 5)
        for (double shuffle = 0; shuffle < 2; shuffle++) {
            struct asy_sampler *plain = make_grid(space, 0, 0, 0), *s = NULL;
            const double given[4] = { 3, NAN, NAN, NAN };
            struct asy_error err = ASY_ERROR_INIT;
            unsigned met[POINTS] = { 0 }, moved = 0;
            double x[4], want[4];

            for (uint64_t number = 0; number < POINTS + n_enqueued; number++) {
                if (number % 13 == 0) {
                    asy_sampler_destroy(s);
                    s = make_grid(space, shuffle, 77, n_enqueued);
                }
                T_OK(asy_sampler_ask(s, number, number < n_enqueued ? given : NULL, x, &err),
                     &err);
                for (uint64_t k = 0; k < POINTS && number >= n_enqueued; k++) {
                    T_OK(asy_sampler_ask(plain, k, NULL, want, &err), &err);
                    if (x[0] == want[0] && x[1] == want[1] && x[2] == want[2] &&
                        (isnan(x[3]) || x[3] == want[3])) {
                        met[k]++;
                        moved += k != number - n_enqueued;
                    }
                }
            }
            for (size_t k = 0; k < POINTS; k++)
                T_EQ("met", met[k], 1);
            T_TRUE(shuffle != 0 ? moved > POINTS / 2 : moved == 0);
            T_EQ("over", asy_sampler_ask(s, POINTS + n_enqueued, NULL, x, &err), ASY_E_FULL);
            asy_sampler_destroy(s);
            asy_sampler_destroy(plain);
        }
    asy_space_destroy(space);
}

/* Every point once, enqueued and told ones included, also for a sampler that is made anew and told
 * what there was, in another order. */
static void brute_force_tries_what_nobody_had(void)
{
    static const enum asy_goal goal = ASY_MINIMIZE;
    struct asy_sampler_spec spec = { .name = "brute_force", .seed = 4, .goals = &goal,
                                     .n_goals = 1 };
    const double given[4] = { 3, 0.2, 1, NAN };
    struct asy_space *space = make_space(small, 4);
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_sampler *s[2] = { NULL, NULL };
    double xs[POINTS][4], x[2][4];
    unsigned met[POINTS] = { 0 }, in_turn = 0;

    for (size_t i = 0; i < 2; i++)
        T_OK(asy_sampler_create(space, &spec, &s[i], &err), &err);
    for (uint64_t number = 0; number < 20; number++) {
        struct asy_outcome o = { .number = number, .state = ASY_OUTCOME_FAILED, .x = xs[number] };

        T_OK(asy_sampler_ask(s[0], number, number == 0 ? given : NULL, xs[number], &err), &err);
        T_OK(asy_space_check(space, xs[number], &err), &err);
        met[asy_space_index(space, xs[number])]++;
        in_turn += asy_space_index(space, xs[number]) == number;
        if (number % 2)
            T_OK(asy_sampler_tell(s[0], &o, &err), &err);
    }
    for (uint64_t number = 20; number-- > 0;) {
        struct asy_outcome o = { .number = number, .state = ASY_OUTCOME_RUNNING, .x = xs[number] };

        T_OK(asy_sampler_tell(s[1], &o, &err), &err);
    }
    for (uint64_t number = 20; number < POINTS; number++) {
        for (size_t i = 0; i < 2; i++)
            T_OK(asy_sampler_ask(s[i], number, NULL, x[i], &err), &err);
        T_EQ("the same", asy_space_index(space, x[0]), asy_space_index(space, x[1]));
        met[asy_space_index(space, x[0])]++;
    }
    for (size_t k = 0; k < POINTS; k++)
        T_EQ("met", met[k], 1);
    T_TRUE(in_turn < 10);
    T_EQ("over", asy_sampler_ask(s[0], POINTS, NULL, x[0], &err), ASY_E_FULL);
    T_HAS("over", err.text, "all 36 points of the space have been tried");
    T_OK(asy_sampler_ask(s[0], 30, NULL, x[0], &err), &err); /* asked again: its own is free */
    asy_sampler_destroy(s[0]);
    asy_sampler_destroy(s[1]);
    asy_space_destroy(space);
}

static void grid_skips_none_for_enqueued_points(void)
{
    struct asy_space *space = make_space(small, 4);
    struct asy_sampler *s = make(space, "grid", 0), *plain = make(space, "grid", 0);
    const double fixed[4] = { 3, NAN, 1, NAN };
    struct asy_error err = ASY_ERROR_INIT;
    double x[4], want[4];
    uint64_t index = 0;

    for (uint64_t number = 0; number < POINTS + 3; number++) {
        if (number == 0 || number == 1 || number == 10) {
            T_OK(asy_sampler_ask(s, number, fixed, x, &err), &err);
            T_OK(asy_sampler_ask(s, number, fixed, x, &err), &err); /* asked twice, noted once */
            T_TRUE(x[0] == 3 && x[2] == 1 && isnan(x[3]));
            T_OK(asy_space_check(space, x, &err), &err);
            continue;
        }
        T_OK(asy_sampler_ask(s, number, NULL, x, &err), &err);
        T_OK(asy_sampler_ask(plain, index++, NULL, want, &err), &err);
        for (size_t i = 0; i < 4; i++)
            T_TRUE(isnan(x[i]) ? isnan(want[i]) : x[i] == want[i]);
    }
    T_EQ("exhausted", asy_sampler_ask(s, POINTS + 3, NULL, x, &err), ASY_E_FULL);
    asy_sampler_destroy(s);
    asy_sampler_destroy(plain);
    asy_space_destroy(space);
}

/* ---- auto ---------------------------------------------------------------------------------- */

static void auto_says_what_and_why(void)
{
    static const enum asy_goal goals[3];
    static const struct {
        const char *name;
        size_t first, n;
        uint64_t budget;
        size_t n_goals;
        int learns;
        const char *reason;
    } cases[] = {
        { "conditions", 0, LEN, 100, 1, 1, "auto: tpe, which handles all 9 parameters" },
        { "no budget known", 0, LEN, 0, 1, 1, "auto: tpe, which" },
        { "numbers", 0, 2, 400, 1, 1,
          "auto: gp, which finds most with few trials of numbers; tpe while more than 32 run" },
        { "many numbers", 0, 2, 401, 1, 1,
          "auto: gp up to trial 400, which finds most with few trials of numbers, then from the "
          "best of these on cma, which asks faster" },
        { "numbers without end", 0, 2, 0, 1, 1, "then from the best of these on cma" },
        { "a choice with them", 0, 3, 100, 1, 1, "auto: tpe, which handles all 3 parameters" },
        { "few values", 1, 1, 100, 1, 1, "auto: tpe, which handles all 1 parameters" },
        { "few values of one", 7, 2, 100, 1, 1, "auto: tpe, which handles all 2 parameters" },
        { "short", 0, LEN, 10, 1, 0, "auto: random, because a budget of 10 trials" },
        { "several objectives", 0, LEN, 100, 3, 1,
          "auto: tpe, which handles all 9 parameters and 3 objectives" },
        { "two objectives", 0, 2, 201, 2, 1,
          "auto: gp up to trial 200, which covers most of two objectives with few trials, then "
          "nsga2 from these, which asks faster; tpe while more than 32 run" },
        { "fewer trials", 0, 2, 200, 2, 1, "auto: gp, which covers most" },
        { "a choice among them", 0, 3, 400, 2, 1, "auto: tpe, which" },
        { "empty", 0, 0, 100, 1, 0, "auto: random, because the space has a single point" },
        { "one point", 8, 1, 100, 1, 0, "auto: random, because the space has a single point" },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_space *space = make_space(&mixed[cases[i].first], cases[i].n);
        struct asy_sampler_spec spec = { .name = "auto", .goals = goals,
                                         .n_goals = cases[i].n_goals, .budget = cases[i].budget };
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_sampler *s = NULL;
        double x[LEN];

        if (T_OK(asy_sampler_create(space, &spec, &s, &err), &err)) {
            T_EQ(cases[i].name, asy_sampler_needs_history(s), cases[i].learns);
            T_HAS(cases[i].name, asy_sampler_reason(s), cases[i].reason);
            T_OK(asy_sampler_ask(s, 0, NULL, x, &err), &err);
        }
        asy_sampler_destroy(s);
        asy_space_destroy(space);
    }
}

static void auto_heeds_a_pruner(void)
{
    static const enum asy_goal goals[2];
    static const struct {
        const char *pruner;
        size_t n_goals;
        const char *reason;
    } cases[] = {
        { "none", 1, "auto: gp" },
        { "asha", 1, "auto: tpe, which handles all 2 parameters" },
        { "median", 2, "auto: nsga2, which covers more" },
    };
    struct asy_space *space = make_space(mixed, 2);

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_pruner_spec pruner = { .name = cases[i].pruner, .length_max = 9 };
        struct asy_sampler_spec spec = { .name = "auto", .goals = goals, .budget = 400,
                                         .n_goals = cases[i].n_goals, .pruner = &pruner };
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_sampler *s = NULL;

        if (T_OK(asy_sampler_create(space, &spec, &s, &err), &err))
            T_HAS(cases[i].pruner, asy_sampler_reason(s), cases[i].reason);
        asy_sampler_destroy(s);
    }
    asy_space_destroy(space);
}

/* Value of a trial of the next test; some fail, some are infeasible, some diverge. */
static struct asy_outcome outcome_of(uint64_t number, const double *x, double *value)
{
    struct asy_outcome o = { .number = number, .state = ASY_OUTCOME_COMPLETE, .x = x,
                             .values = value, .last_step = -1 };

    *value = quality(x, 2);
    if (number % 50 == 7)
        o.state = ASY_OUTCOME_FAILED, o.diverged = number > 100;
    if (number % 50 == 9)
        o.violation = 1;
    return o;
}

static void ask_who(struct asy_sampler *s, uint64_t number, double *x, const char *want)
{
    struct asy_error err = ASY_ERROR_INIT;

    T_OK(asy_sampler_ask(s, number, NULL, x, &err), &err);
    T_STR("who", asy_sampler_drew(s), want);
}

/* Results of 16 trials at a time come in some other order: the hand-over comes when enough have
 * finished, goes back with one that is taken back, and one that is told all at once agrees. */
static void auto_hands_over_by_what_has_finished(void)
{
    enum { WORKERS = 16, TRIALS = 26 * WORKERS };
    static double xs[TRIALS + WORKERS][2];
    struct asy_space *space = make_space(mixed, 2);
    struct asy_sampler *s = make(space, "auto", 5), *again = make(space, "auto", 5);
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_outcome o;
    double x[2], value;

    ask_who(s, 0, x, "auto: gp");
    for (uint64_t k = 0; k < TRIALS; k++) { /* all count but 7 and 57, which failed */
        asy__random_point(s, k, NULL, xs[k]);
        o = outcome_of(k, xs[k], &value);
        o.state = ASY_OUTCOME_RUNNING;
        T_OK(asy_sampler_tell(s, &o, &err), &err);
        if (k % WORKERS != WORKERS - 1)
            continue;
        for (uint64_t i = 0; i < WORKERS; i++) {
            uint64_t number = k - (5 * i) % WORKERS;

            o = outcome_of(number, xs[number], &value);
            T_OK(asy_sampler_tell(s, &o, &err), &err);
        }
    }
    for (uint64_t k = 0; k < WORKERS; k++) /* asks that run at once */
        ask_who(s, TRIALS + k, xs[TRIALS + k], "auto: cma");
    for (uint64_t k = TRIALS; k-- > 0;) {
        o = outcome_of(k, xs[k], &value);
        T_OK(asy_sampler_tell(again, &o, &err), &err);
    }
    for (uint64_t k = 0; k < WORKERS; k++) {
        ask_who(again, TRIALS + k, x, "auto: cma");
        T_TRUE(x[0] == xs[TRIALS + k][0] && x[1] == xs[TRIALS + k][1]);
    }
    for (uint64_t k = 20; k < 35; k++) { /* taken back: these have not finished after all */
        o = outcome_of(k, xs[k], &value);
        o.state = ASY_OUTCOME_RUNNING;
        T_OK(asy_sampler_tell(s, &o, &err), &err);
    }
    ask_who(s, TRIALS, x, "auto: gp");
    asy_sampler_destroy(s);
    asy_sampler_destroy(again);
    asy_space_destroy(space);
}

/* gp answers while 32 run beside the one asked for, tpe while more do; of a budget that has no
 * hand-over, too. */
static void auto_asks_tpe_in_a_crowd(void)
{
    enum { DONE = 12, CROWD = 32 };
    static const enum asy_goal goal = ASY_MINIMIZE;
    struct asy_space *space = make_space(mixed, 2);
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_outcome o;
    double x[DONE + CROWD + 2][2], value;

    for (uint64_t budget = 0; budget <= 100; budget += 100) {
        struct asy_sampler_spec spec = { .name = "auto", .seed = 6, .goals = &goal, .n_goals = 1,
                                         .budget = budget };
        struct asy_sampler *s = NULL;

        if (!T_OK(asy_sampler_create(space, &spec, &s, &err), &err))
            break;
        for (uint64_t k = 0; k < DONE; k++) {
            asy__random_point(s, k, NULL, x[k]);
            o = outcome_of(k, x[k], &value);
            T_OK(asy_sampler_tell(s, &o, &err), &err);
        }
        for (uint64_t k = DONE; k < DONE + CROWD + 1; k++)
            ask_who(s, k, x[k], "auto: gp");
        ask_who(s, DONE + CROWD + 1, x[DONE + CROWD + 1], "auto: tpe");
        ask_who(s, DONE + CROWD + 1, x[DONE + CROWD + 1], "auto: tpe"); /* itself does not count */
        for (uint64_t k = DONE; k < DONE + 2; k++) {
            o = outcome_of(k, x[k], &value);
            T_OK(asy_sampler_tell(s, &o, &err), &err);
        }
        ask_who(s, DONE + CROWD + 1, x[DONE + CROWD + 1], "auto: gp");
        asy_sampler_destroy(s);
    }
    asy_space_destroy(space);
}

/* Each rule, switched off, makes another plan where it applies. */
static void auto_does_without_a_rule(void)
{
    static const enum asy_goal goals[2];
    static const struct {
        const char *rule, *reason;
        size_t n_goals;
    } cases[] = {
        { "gp", "auto: tpe", 1 },
        { "crowd", "which finds most with few trials of numbers, then from the best of these on "
                   "cma, which asks faster", 1 },
        { "region", "auto: gp up to trial 400", 1 },
        { "cma", "auto: gp, which finds most with few trials of numbers", 1 },
        { "nsga", "auto: gp, which covers most", 2 },
        { "gp", "auto: nsga2, which covers more than tpe", 2 },
    };
    struct asy_space *space = make_space(mixed, 2);

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_sampler_spec spec = { .name = "auto", .goals = goals,
                                         .n_goals = cases[i].n_goals, .budget = 1000 };
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_sampler *s = NULL;
        unsigned rule = asy__auto_rule(cases[i].rule);

        T_TRUE(rule != 0);
        if (T_OK(asy__auto_create(space, &spec, ASY__AUTO_ALL & ~rule, &s, &err), &err))
            T_HAS(cases[i].rule, asy_sampler_reason(s), cases[i].reason);
        asy_sampler_destroy(s);
    }
    T_TRUE(asy__auto_rule("none") == 0);
    asy_space_destroy(space);
}

/* A sampler that begins with results is one whose first trials they were. */
static void results_from_elsewhere_are_first_trials(void)
{
    enum { TOLD = 30, ASKED = 12 };
    static const enum asy_goal goal = ASY_MINIMIZE;
    static const struct asy_param finite[] = {
        { .name = "a", .type = ASY_PARAM_INT, .lo = 1, .hi = 9 },
        { .name = "b", .lo = 0, .hi = 1, .step = 0.125 },
        { .name = "o", .type = ASY_PARAM_CHOICE, .choices = names, .n_choices = 3 },
    };
    struct asy_space *space = make_space(finite, 3);
    struct asy_outcome told[TOLD];
    double x[TOLD][3], values[TOLD];
    const char *name;

    for (size_t i = 0; i < TOLD; i++) {
        x[i][0] = (double)(1 + i % 9);
        x[i][1] = (double)(i % 5) / 8;
        x[i][2] = (double)(i % 3);
        values[i] = quality(x[i], 3);
        told[i] = (struct asy_outcome){ .number = 77, .state = ASY_OUTCOME_COMPLETE, .x = x[i],
                                        .values = &values[i], .last_step = -1 };
    }
    for (size_t k = 0; (name = asy_sampler_name(k)); k++) {
        struct asy_sampler_spec spec = { .name = name, .seed = 5, .goals = &goal, .n_goals = 1,
                                         .budget = 100, .told = told, .n_told = TOLD };
        struct asy_error err = ASY_ERROR_INIT;
        struct asy_sampler *begun = NULL, *plain = NULL;

        T_OK(asy_sampler_create(space, &spec, &begun, &err), &err);
        spec.n_told = 0;
        spec.n_enqueued = TOLD;
        T_OK(asy_sampler_create(space, &spec, &plain, &err), &err);
        for (size_t i = 0; plain && i < TOLD; i++) {
            told[i].number = i;
            T_OK(asy_sampler_tell(plain, &told[i], &err), &err);
            told[i].number = 77;
        }
        for (uint64_t i = 0; begun && plain && i < ASKED; i++) {
            double got[3], want[3];

            if (!T_OK(asy_sampler_ask(begun, i, NULL, got, &err), &err) ||
                !T_OK(asy_sampler_ask(plain, TOLD + i, NULL, want, &err), &err))
                break;
            t__check(!memcmp(got, want, sizeof got), __LINE__, __FILE__, "%s: trial %d differs",
                     name, (int)i);
            for (size_t j = 0; !strcmp(name, "brute_force") && j < TOLD; j++)
                T_TRUE(memcmp(got, x[j], sizeof got) != 0);
            struct asy_outcome o = { .number = i, .state = ASY_OUTCOME_COMPLETE, .x = got,
                                     .values = &want[1], .last_step = -1 };
            T_OK(asy_sampler_tell(begun, &o, &err), &err);
            o.number += TOLD;
            T_OK(asy_sampler_tell(plain, &o, &err), &err);
        }
        asy_sampler_destroy(begun);
        asy_sampler_destroy(plain);
    }
    asy_space_destroy(space);
}

static void results_outside_of_the_space_are_refused(void)
{
    static const enum asy_goal goal = ASY_MINIMIZE;
    struct asy_param param = { .name = "a", .hi = 1 };
    struct asy_space *space = make_space(&param, 1);
    double x = 2, value = 1;
    struct asy_outcome told = { .state = ASY_OUTCOME_COMPLETE, .x = &x, .values = &value };
    struct asy_sampler_spec spec = { .name = "tpe", .goals = &goal, .n_goals = 1, .told = &told,
                                     .n_told = 1 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_sampler *sampler = NULL;

    T_EQ("outside", asy_sampler_create(space, &spec, &sampler, &err), ASY_E_INVAL);
    T_HAS("outside", err.text, "result 0 from elsewhere");
    T_TRUE(!sampler);
    asy_space_destroy(space);
}

T_MAIN("sampler", T_TEST(results_from_elsewhere_are_first_trials),
       T_TEST(results_outside_of_the_space_are_refused), T_TEST(suggestions_are_points),
       T_TEST(same_seed_same_points),
       T_TEST(fixed_entries_are_kept), T_TEST(bad_calls_are_refused),
       T_TEST(names_and_options_are_listed), T_TEST(random_is_uniform_on_each_scale),
       T_TEST(random_draws_are_independent_of_each_other), T_TEST(grid_meets_each_point_once),
       T_TEST(grid_skips_none_for_enqueued_points), T_TEST(grid_goes_on_after_a_restart),
       T_TEST(brute_force_tries_what_nobody_had),
       T_TEST(auto_says_what_and_why), T_TEST(auto_heeds_a_pruner),
       T_TEST(auto_hands_over_by_what_has_finished),
       T_TEST(auto_asks_tpe_in_a_crowd),
       T_TEST(auto_does_without_a_rule))
