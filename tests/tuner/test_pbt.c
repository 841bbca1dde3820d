/* SPDX-License-Identifier: Apache-2.0
 * test_pbt.c - population based training: the rule (also that of pb2) told once more in plain words
 * and held against random histories, how parameters move, restarts, and the toy of Jaderberg et al.
 * 2017. */
#include <asy/rng.h>
#include <asy/tuner.h>
#include "asytest.h"

static const struct asy_value words[] = {
    { .type = ASY_VALUE_STRING, .s = "a" }, { .type = ASY_VALUE_STRING, .s = "b" },
    { .type = ASY_VALUE_STRING, .s = "c" }, { .type = ASY_VALUE_STRING, .s = "d" },
};
static const double first_two[] = { 0, 1 };
static const struct asy_when if_low = { .parent = 2, .values = first_two, .n_values = 2 };
enum { LR, N, WORD, DEEP, LEN };
static const struct asy_param params[LEN] = {
    { .name = "lr", .lo = 1e-4, .hi = 1, .log = 1 },
    { .name = "n", .type = ASY_PARAM_INT, .lo = 1, .hi = 1000 },
    { .name = "word", .type = ASY_PARAM_CHOICE, .choices = words, .n_choices = 4 },
    { .name = "deep", .lo = 0, .hi = 1, .step = 0.125, .whens = &if_low, .n_whens = 1 },
};

static struct asy_space *make_space(const struct asy_param *p, size_t n)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_space *space = NULL;

    if (!T_OK(asy_space_create(&space, &err), &err))
        abort();
    for (size_t i = 0; i < n; i++)
        if (!T_OK(asy_space_add(space, &p[i], &err), &err))
            abort();
    return space;
}

static const char *name = "pbt"; /* of those that are made */

static struct asy_sampler *make(const struct asy_space *space, uint64_t seed,
                                const struct asy_option *options, size_t n)
{
    static const enum asy_goal goal = ASY_MAXIMIZE;
    struct asy_sampler_spec spec = { .name = name, .seed = seed, .goals = &goal, .n_goals = 1,
                                     .options = options, .n_options = n };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_sampler *s = NULL;

    if (!T_OK(asy_sampler_create(space, &spec, &s, &err), &err))
        abort();
    return s;
}

/* ---- the rule, in plain words --------------------------------------------------------------- */

enum { MEMBERS = 8, TRIALS = 400 };
struct plain {
    double x[LEN];
    struct asy_origin origin;
    int running, complete, over;
    double value;
};

static int64_t latest(const struct plain *t, int64_t n, uint64_t member, int complete)
{
    while (n-- > 0)
        if (t[n].origin.member == member && (!complete || t[n].complete))
            return n;
    return -1;
}

/* Trials whose value is larger than that of k, among the latest complete ones of members that train
 * on; *ret_n: how many these are. */
static size_t place(const struct plain *t, int64_t n, int64_t k, size_t *ret_n)
{
    size_t better = 0;

    *ret_n = 0;
    for (uint64_t m = 1; m <= MEMBERS; m++) {
        int64_t other = latest(t, n, m, 1);

        if (other < 0 || t[other].over)
            continue;
        ++*ret_n;
        better += t[other].value > t[k].value || (t[other].value == t[k].value && other < k);
    }
    return better;
}

static void check_next(const struct plain *t, int64_t n)
{
    const struct plain *now = &t[n];
    int64_t last = -1, own, parent = (int64_t)now->origin.parent - 1;
    size_t len = 0, cut, at;

    for (uint64_t m = 1; m <= MEMBERS; m++) /* who has waited longest */
        if (latest(t, n, m, 0) < 0) {
            T_TRUE(n < MEMBERS && now->origin.member == (uint64_t)n + 1 && parent < 0);
            return;
        } else {
            int64_t k = latest(t, n, m, 0);

            if (!t[k].running && !t[k].over && (last < 0 || k < last))
                last = k;
        }
    if (!T_TRUE(last >= 0 && now->origin.member == t[last].origin.member))
        return;
    own = latest(t, n, now->origin.member, 1);
    place(t, n, 0, &len);
    cut = (size_t)ceil(0.25 * (double)len);
    cut = cut < len / 2 ? cut : len / 2;
    if (len == 0) {
        T_TRUE(parent < 0);
        return;
    }
    at = own >= 0 ? place(t, n, own, &len) : len;
    if (t[last].complete && at < len - cut) { /* goes on as it is */
        T_EQ("its own", parent, own);
        T_TRUE(!memcmp(now->x, t[own].x, sizeof now->x));
        return;
    }
    if (T_TRUE(parent >= 0))
        T_TRUE(place(t, n, parent, &len) < (cut ? cut : 1));
}

static struct asy_outcome outcome_of(const struct plain *t, int64_t k)
{
    return (struct asy_outcome){
        .number = (uint64_t)k, .x = t[k].x, .values = &t[k].value, .origin = t[k].origin,
        .over = t[k].over,
        .state = t[k].running    ? ASY_OUTCOME_RUNNING
                 : t[k].complete ? ASY_OUTCOME_COMPLETE : ASY_OUTCOME_FAILED,
    };
}

/* A sampler made anew that is told of all before, the last first, has the same answer. */
static void check_restart(struct asy_space *space, uint64_t seed, const struct asy_option *options,
                          const struct plain *t, int64_t n)
{
    struct asy_sampler *again = make(space, seed, options, 1);
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_origin origin;
    double x[LEN];

    for (int64_t k = n; k-- > 0;) {
        struct asy_outcome o = outcome_of(t, k);

        T_OK(asy_sampler_tell(again, &o, &err), &err);
    }
    T_OK(asy_sampler_ask(again, (uint64_t)n, NULL, x, &err), &err);
    origin = asy_sampler_origin(again);
    T_TRUE(origin.member == t[n].origin.member && origin.parent == t[n].origin.parent);
    T_TRUE(!memcmp(x, t[n].x, sizeof x));
    asy_sampler_destroy(again);
}

/* Turns end in a random order, some of them badly, and some are the last ones. */
static void go_on(void)
{
    static const struct asy_option options[] = { { "population", MEMBERS } };
    struct asy_space *space = make_space(params, LEN);

    for (uint64_t seed = 0; seed < 20; seed++) {
        struct asy_sampler *s = make(space, seed, options, 1);
        struct asy_error err = ASY_ERROR_INIT;
        static struct plain t[TRIALS];
        struct asy_rng rng;
        double x[LEN];
        int64_t n = 0;
        int full = 0;

        memset(t, 0, sizeof t);
        asy_rng_init(&rng, seed, 1, ASY_RNG_SIM);
        while (n < TRIALS - 1 && !full) {
            int64_t k = n > 0 ? (int64_t)asy_rng_below(&rng, (uint64_t)n) : 0, busy = 0;

            for (int64_t i = 0; i < n; i++)
                busy += t[i].running || t[i].over;
            if (busy < MEMBERS) {
                int rc = asy_sampler_ask(s, (uint64_t)n, NULL, t[n].x, &err);

                if (!T_OK(rc, &err))
                    break;
                t[n].origin = asy_sampler_origin(s);
                check_next(t, n);
                if (asy_rng_below(&rng, 8) == 0)
                    check_restart(space, seed, options, t, n);
                t[n++].running = 1;
            } else if (t[k].running) {
                struct asy_outcome o;

                t[k].running = 0;
                t[k].complete = asy_rng_below(&rng, 8) != 0;
                t[k].value = floor(asy_rng_double(&rng) * 12);
                t[k].over = t[k].complete && n > 60 && asy_rng_below(&rng, 12) == 0;
                o = outcome_of(t, k);
                o.origin = (struct asy_origin){ 0 }; /* it knows */
                T_OK(asy_sampler_tell(s, &o, &err), &err);
                full = 1;
                for (uint64_t m = 1; m <= MEMBERS; m++)
                    full &= latest(t, n, m, 0) >= 0 && t[latest(t, n, m, 0)].over;
            }
        }
        T_EQ("all are trained", asy_sampler_ask(s, TRIALS, NULL, x, &err), ASY_E_FULL);
        T_HAS("all are trained", err.text, "all 8 members are trained to their end");
        asy_sampler_destroy(s);
    }
    asy_space_destroy(space);
}

static void members_go_on_as_the_rule_has_it(void)
{
    go_on();
}

static void so_do_those_that_explore_by_a_model(void)
{
    name = "pb2";
    go_on();
    name = "pbt";
}

/* ---- how parameters move --------------------------------------------------------------------- */

/* The child of the one good trial of two, at `at`, by a sampler that has these options. */
static struct asy_origin child(struct asy_space *space, uint64_t seed, double resample,
                               const double *at, double *ret_x)
{
    const struct asy_option options[] = { { "population", 2 }, { "resample", resample } };
    struct asy_sampler *s = make(space, seed, options, 2);
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_origin origin;
    double value = 1;

    for (uint64_t number = 0; number < 2; number++) { /* the first is the worse one */
        struct asy_outcome o = { .number = number, .state = ASY_OUTCOME_COMPLETE, .x = at,
                                 .values = &value, .origin = { number + 1, 0 } };

        T_OK(asy_sampler_tell(s, &o, &err), &err);
        value++;
    }
    T_OK(asy_sampler_ask(s, 2, NULL, ret_x, &err), &err);
    origin = asy_sampler_origin(s);
    asy_sampler_destroy(s);
    return origin;
}

static void parameters_move_by_a_factor_a_step_or_a_place(void)
{
    static const struct {
        const char *name;
        double at[LEN], down[LEN], up[LEN];
    } cases[] = {
        { "inside", { 0.1, 100, 1, 0.5 }, { 0.08, 80, 0, 0.375 }, { 0.12, 120, 2, 0.625 } },
        { "whole numbers are cut", { 0.01, 17, 2, NAN }, { 0.008, 13, 1, NAN },
          { 0.012, 20, 3, NAN } },
        { "by one at least", { 0.5, 3, 1, 0.125 }, { 0.4, 2, 0, 0 }, { 0.6, 4, 2, 0.25 } },
        { "within the bounds", { 1, 1000, 3, NAN }, { 0.8, 800, 2, NAN }, { 1, 1000, 3, NAN } },
        { "at the lower ones", { 1e-4, 1, 0, 0 }, { 1e-4, 1, 0, 0 }, { 1.2e-4, 2, 1, 0.125 } },
    };
    struct asy_space *space = make_space(params, LEN);

    for (size_t k = 0; k < ASY_ARRAY_LEN(cases); k++)
        for (uint64_t seed = 0; seed < 200; seed++) {
            double x[LEN];
            struct asy_origin origin = child(space, seed, 0, cases[k].at, x);

            T_TRUE(origin.member == 1 && origin.parent == 2);
            for (size_t i = 0; i < LEN; i++) {
                if (isnan(x[i]) || isnan(cases[k].at[i]))
                    continue; /* its condition came to hold, or does no more */
                t__check(fabs(x[i] - cases[k].down[i]) < 1e-12 ||
                             fabs(x[i] - cases[k].up[i]) < 1e-12,
                         __LINE__, __FILE__, "%s: %s moves to %g", cases[k].name, params[i].name,
                         x[i]);
            }
        }
    asy_space_destroy(space);
}

/* Counts within five standard deviations. */
static void a_quarter_is_drawn_anew_and_half_of_the_rest_goes_up(void)
{
    enum { DRAWS = 20000 };
    struct asy_space *space = make_space(params, LEN);
    const double at[LEN] = { 0.1, 100, 1, 0.5 };
    double anew = 0, up = 0, x[LEN];

    for (uint64_t seed = 0; seed < DRAWS; seed++) {
        child(space, seed, 0.25, at, x);
        up += fabs(x[LR] - 0.12) < 1e-12;
        anew += fabs(x[LR] - 0.12) > 1e-12 && fabs(x[LR] - 0.08) > 1e-12;
    }
    T_NEAR("anew", anew, DRAWS * 0.25, 5 * sqrt(DRAWS * 0.25 * 0.75));
    T_NEAR("up", up, DRAWS * 0.375, 5 * sqrt(DRAWS * 0.375 * 0.625));
    asy_space_destroy(space);
}

/* A study whose trials cannot but fail would never end. */
static void failures_come_to_an_end(void)
{
    struct asy_space *space = make_space(params, LEN);
    struct asy_sampler *s = make(space, 1, NULL, 0);
    struct asy_error err = ASY_ERROR_INIT;
    double x[LEN], value = 1;

    for (uint64_t n = 0; n < 14; n++) { /* of which the second is complete: 12 after it */
        struct asy_outcome o = { .number = n, .x = x, .values = &value,
                                 .state = n == 1 ? ASY_OUTCOME_COMPLETE : ASY_OUTCOME_FAILED };

        T_OK(asy_sampler_ask(s, n, NULL, x, &err), &err);
        T_OK(asy_sampler_tell(s, &o, &err), &err);
    }
    T_EQ("given up", asy_sampler_ask(s, 14, NULL, x, &err), ASY_E_GONE);
    T_HAS("given up", err.text, "the last 12 trials failed");
    asy_sampler_destroy(s);
    asy_space_destroy(space);
}

static void what_it_wants_of_trials_is_known(void)
{
    static const struct {
        const char *name;
        struct asy_option options[2];
        size_t n;
        uint64_t length, size, interval;
    } cases[] = {
        { "pbt", { { 0 } }, 0, 100, 4, 10 },
        { "pbt", { { 0 } }, 0, 7, 4, 1 },
        { "pb2", { { "population", 3 } }, 1, 100, 3, 10 },
        { "pbt", { { "population", 9 }, { "interval", 5 } }, 2, UINT64_MAX, 9, 5 },
        { "tpe", { { 0 } }, 0, 100, 0, 0 },
    };

    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        struct asy_population p = asy_population_of(cases[i].name, cases[i].options, cases[i].n,
                                                    cases[i].length);

        T_EQ(cases[i].name, p.size, cases[i].size);
        T_EQ(cases[i].name, p.interval, cases[i].interval);
    }
}

/* ---- the toy -------------------------------------------------------------------------------- */

/* The mean of the members' values after 25 turns of 4 gradient steps on a surrogate of
 * 1.2 - a^2 - b^2 that sees a and b through the two parameters (Jaderberg et al. 2017, figure
 * 2). */
static double toy(uint64_t seed, double quantile)
{
    enum { TURNS = 25, SIZE = 4 };
    static const struct asy_param h[] = { { .name = "h0", .lo = 0, .hi = 1 },
                                          { .name = "h1", .lo = 0, .hi = 1 } };
    const struct asy_option options[] = { { "quantile", quantile } };
    struct asy_space *space = make_space(h, 2);
    struct asy_sampler *s = make(space, seed, options, 1);
    struct asy_error err = ASY_ERROR_INIT;
    double theta[TURNS * SIZE][2], sum = 0;

    for (uint64_t n = 0; n < TURNS * SIZE; n++) {
        double x[2], value;
        struct asy_outcome o = { .number = n, .state = ASY_OUTCOME_COMPLETE, .x = x,
                                 .values = &value };
        struct asy_origin origin;

        T_OK(asy_sampler_ask(s, n, NULL, x, &err), &err);
        origin = asy_sampler_origin(s);
        for (size_t i = 0; i < 2; i++)
            theta[n][i] = origin.parent ? theta[origin.parent - 1][i] : 0.9;
        for (int step = 0; step < 4; step++)
            for (size_t i = 0; i < 2; i++)
                theta[n][i] -= 0.01 * 2 * x[i] * theta[n][i];
        value = 1.2 - theta[n][0] * theta[n][0] - theta[n][1] * theta[n][1];
        T_OK(asy_sampler_tell(s, &o, &err), &err);
        sum += n >= TURNS * SIZE - SIZE ? value / SIZE : 0;
    }
    asy_sampler_destroy(s);
    asy_space_destroy(space);
    return sum;
}

static void the_toy_is_solved_by_a_population(void)
{
    enum { SEEDS = 40 };
    double with = 0, without = 0;

    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        with += toy(seed, 0.25) / SEEDS;
        without += toy(seed, 0) / SEEDS;
    }
    printf("\nmean value of members: %.4f, each by itself %.4f, at most 1.2\n", with, without);
    T_TRUE(with > without + 0.1);
}

T_MAIN("pbt", T_TEST(members_go_on_as_the_rule_has_it),
       T_TEST(so_do_those_that_explore_by_a_model),
       T_TEST(parameters_move_by_a_factor_a_step_or_a_place),
       T_TEST(a_quarter_is_drawn_anew_and_half_of_the_rest_goes_up),
       T_TEST(failures_come_to_an_end), T_TEST(what_it_wants_of_trials_is_known),
       T_TEST(the_toy_is_solved_by_a_population))
