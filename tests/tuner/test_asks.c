/* SPDX-License-Identifier: Apache-2.0
 * test_asks.c - many asks at once, and asks in any order. */
#include <asy/tuner.h>
#include "asytest.h"

#define TRIALS 60
static const struct asy_value names[] = { { .type = ASY_VALUE_INT, .i = 1 },
                                          { .type = ASY_VALUE_INT, .i = 2 },
                                          { .type = ASY_VALUE_INT, .i = 3 } };
static const double first[] = { 0 };
static const struct asy_when if_first = { .parent = 0, .values = first, .n_values = 1 };
static const struct asy_param params[] = {
    { .name = "c", .type = ASY_PARAM_CHOICE, .choices = names, .n_choices = 3 },
    { .name = "n", .type = ASY_PARAM_INT, .lo = 1, .hi = 30 },
    { .name = "k", .type = ASY_PARAM_INT, .lo = 1, .hi = 9, .whens = &if_first, .n_whens = 1 },
    { .name = "x", .lo = 0, .hi = 1 },
};
enum { LEN = ASY_ARRAY_LEN(params), FINITE = LEN - 1 };

/* Without its last parameter every sampler can have it. */
static struct asy_space *make_space(size_t n)
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

/* It is told of one result from elsewhere, so that its own numbers are not the study's. */
static struct asy_sampler *make(const struct asy_space *space, const char *name,
                                uint64_t n_enqueued, const struct asy_option *option)
{
    static const enum asy_goal goal = ASY_MINIMIZE;
    static const double x[LEN] = { 1, 3, NAN, 0.5 }, value = 2;
    const struct asy_outcome told = { .state = ASY_OUTCOME_COMPLETE, .x = x, .values = &value,
                                      .last_step = -1 };
    struct asy_sampler_spec spec = { .name = name, .seed = 5, .goals = &goal, .n_goals = 1,
                                     .options = option, .n_options = option != NULL,
                                     .n_enqueued = n_enqueued, .told = &told, .n_told = 1 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_sampler *sampler = NULL;

    if (!T_OK(asy_sampler_create(space, &spec, &sampler, &err), &err))
        abort();
    return sampler;
}

static int same_point(const double *x, const double *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (isnan(x[i]) ? !isnan(y[i]) : x[i] != y[i])
            return 0;
    return 1;
}

/* FAILED: as if it had never been asked for. */
static void tell(struct asy_sampler *s, uint64_t number, const double *x, size_t n,
                 enum asy_outcome_state state)
{
    struct asy_error err = ASY_ERROR_INIT;
    double value = 0;
    struct asy_outcome o = { .number = number, .state = state, .x = x,
                             .values = &value, .last_step = -1 };

    for (size_t i = 0; i < n; i++)
        value += isnan(x[i]) ? 1 : fabs(x[i] - 2) / (2 + fabs(x[i]));
    T_OK(asy_sampler_tell(s, &o, &err), &err);
}

/* tpe: each point is what its trial alone would have got. Others: as if asked in turn. */
static void many_asks_give_the_points_that_they_say(void)
{
    static const char *const kinds[] = { "tpe", "random", "nsga2", "qmc", "gp", "cma", "auto" };
    struct asy_space *space = make_space(LEN);

    for (size_t k = 0; k < ASY_ARRAY_LEN(kinds); k++) {
        int together = !strcmp(kinds[k], "tpe") || !strcmp(kinds[k], "auto");
        struct asy_sampler *s = make(space, kinds[k], 0, NULL);
        struct asy_sampler *twin = make(space, kinds[k], 0, NULL);
        struct asy_error err = ASY_ERROR_INIT;
        double xs[7 * LEN], x[LEN];
        size_t n = 1;

        for (uint64_t number = 0; number < TRIALS; number += n, n = 1 + n % 7) {
            if (!T_OK(asy_sampler_ask_many(s, number, n, xs, &err), &err))
                break;
            for (size_t i = 0; i < n; i++) {
                T_OK(asy_sampler_ask(twin, number + i, NULL, x, &err), &err);
                T_TRUE(same_point(x, &xs[i * LEN], LEN));
                if (together)
                    tell(twin, number + i, x, LEN, ASY_OUTCOME_FAILED);
            }
            for (size_t i = 0; together && i < n; i++)
                tell(twin, number + i, &xs[i * LEN], LEN, ASY_OUTCOME_RUNNING);
            for (size_t i = 1; i < n; i++) { /* the first of each batch runs on */
                tell(s, number + i, &xs[i * LEN], LEN, ASY_OUTCOME_COMPLETE);
                tell(twin, number + i, &xs[i * LEN], LEN, ASY_OUTCOME_COMPLETE);
            }
        }
        asy_sampler_destroy(s);
        asy_sampler_destroy(twin);
    }
    asy_space_destroy(space);
}

static void what_many_asks_cannot_have_is_an_error(void)
{
    struct asy_space *space = make_space(1);
    struct asy_sampler *s = make(space, "grid", 0, NULL);
    struct asy_error err = ASY_ERROR_INIT;
    double xs[4] = { 7, 7, 7, 7 };

    T_EQ("more than there are", asy_sampler_ask_many(s, 0, 4, xs, &err), ASY_E_FULL);
    T_TRUE(xs[0] == 7 && xs[3] == 7);
    T_OK(asy_sampler_ask_many(s, 0, 3, xs, &err), &err);
    T_TRUE(xs[0] == 0 && xs[1] == 1 && xs[2] == 2);
    T_EQ("none", asy_sampler_ask_many(s, 0, 0, NULL, &err), 0);
    T_EQ("beyond the last number", asy_sampler_ask_many(s, (1ull << 53) - 1, 2, xs, &err),
         ASY_E_INVAL);
    asy_sampler_destroy(s);
    asy_space_destroy(space);
}

/* Enqueued points have the first numbers: whatever else was asked before, or was not asked at all,
 * since the sampler was made anew, each trial has the one point of its number. */
static void places_do_not_depend_on_the_order_of_asks(void)
{
    static const struct {
        const char *name;
        struct asy_option option;
    } cases[] = { { "grid", { "shuffle", 0 } }, { "grid", { "shuffle", 1 } },
                  { "qmc", { "sequence", 0 } }, { "qmc", { "sequence", 1 } } };
    const double given[FINITE] = { 1, 4, NAN };
    struct asy_space *space = make_space(FINITE);

    for (size_t k = 0; k < ASY_ARRAY_LEN(cases); k++)
        for (uint64_t n_enqueued = 0; n_enqueued < 8; n_enqueued += 7) {
            struct asy_sampler *s = make(space, cases[k].name, n_enqueued, &cases[k].option);
            struct asy_error err = ASY_ERROR_INIT;
            double want[TRIALS][FINITE], x[FINITE];

            for (uint64_t i = 0; i < TRIALS; i++)
                T_OK(asy_sampler_ask(s, i, i < n_enqueued ? given : NULL, want[i], &err), &err);
            asy_sampler_destroy(s);
            s = make(space, cases[k].name, n_enqueued, &cases[k].option);
            for (uint64_t turn = 0; turn < 2 * TRIALS; turn++) {
                uint64_t number = turn * 37 % TRIALS; /* 37 and 60 have no factor in common */

                T_OK(asy_sampler_ask(s, number, number < n_enqueued ? given : NULL, x, &err),
                     &err);
                T_TRUE(same_point(x, want[number], FINITE));
            }
            asy_sampler_destroy(s);
        }
    asy_space_destroy(space);
}

T_MAIN("asks", T_TEST(many_asks_give_the_points_that_they_say),
       T_TEST(what_many_asks_cannot_have_is_an_error),
       T_TEST(places_do_not_depend_on_the_order_of_asks))
