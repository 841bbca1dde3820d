/* SPDX-License-Identifier: Apache-2.0
 * test_nomem.c - every allocation of the tuner fails once: the call reports it, has changed
 * nothing, and works when made again. */
#include <asy/importance.h>
#include <asy/regret.h>
#include <asy/tuner.h>
#include "nomem.h"

/* Makes a call; if memory ran out in it, makes it again. */
#define CALL(call)                                                                                 \
    do {                                                                                           \
        struct asy_error err = ASY_ERROR_INIT;                                                     \
        int rc = (call);                                                                           \
                                                                                                   \
        if (rc == ASY_E_NOMEM && t_nomem_failed() && err.code == ASY_E_NOMEM)                      \
            rc = (call);                                                                           \
        if (!T_OK(rc, &err))                                                                       \
            abort();                                                                               \
    } while (0)

static const struct asy_value names[] = { { .type = ASY_VALUE_INT, .i = 1 },
                                          { .type = ASY_VALUE_INT, .i = 2 } };
static const double first[] = { 0 };
static const struct asy_when if_first = { .parent = 0, .values = first, .n_values = 1 };
static const struct asy_param params[] = {
    { .name = "c", .type = ASY_PARAM_CHOICE, .choices = names, .n_choices = 2 },
    { .name = "x", .lo = 0, .hi = 1 },
    { .name = "n", .type = ASY_PARAM_INT, .lo = 1, .hi = 30, .log = 1 },
    { .name = "k", .type = ASY_PARAM_INT, .lo = 1, .hi = 9, .whens = &if_first, .n_whens = 1 },
};
enum { LEN = ASY_ARRAY_LEN(params), TRIALS = 70 };

static uint64_t mix(uint64_t trace, double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof bits);
    return (trace ^ (isnan(v) ? 7 : bits)) * 0x9e3779b97f4a7c15u;
}

/* A hash of all that a sampler suggests. */
static uint64_t run_sampler(const char *name, size_t n_goals)
{
    static const enum asy_goal goals[3] = { ASY_MINIMIZE, ASY_MAXIMIZE };
    static const struct asy_option small = { "population", 8 };
    static const struct asy_option soon[2] = { { "startup_trials", 4 }, { "warp_inputs", 1 } };
    int nsga = !strncmp(name, "nsga", 4), gp = !strcmp(name, "gp"), numbers = !strcmp(name, "auto");
    struct asy_sampler_spec spec = { .name = name, .goals = goals, .n_goals = n_goals,
                                     .options = gp ? soon : &small, .n_options = gp ? 2 : nsga };
    uint64_t trials = gp ? 7 : numbers ? 11 : n_goals > 1 ? TRIALS / 3 : TRIALS;
    static const double at[2][LEN] = { { 1, 0.5, NAN, NAN }, { 0, 0.2, 3, 4 } };
    static const struct asy_earlier earlier[2] = { { at[0], 0.25 }, { at[1], 0.75 } };
    struct asy_sampler *s = NULL;
    struct asy_space *space = NULL;
    uint64_t trace = 0;

    CALL(asy_space_create(&space, &err));
    for (size_t i = 0; i < LEN; i++)
        if ((i != 1 || (strcmp(name, "grid") && strcmp(name, "brute_force"))) &&
            (!numbers || i == 1 || i == 2))
            CALL(asy_space_add(space, &params[i], &err));
    if (!strcmp(name, "tpe") || !strcmp(name, "cma")) { /* those that learn from them */
        spec.earlier = earlier;
        spec.n_earlier = ASY_ARRAY_LEN(earlier);
    }
    CALL(asy_sampler_create(space, &spec, &s, &err));
    for (uint64_t number = 0; number < trials; number++) {
        double x[LEN], values[3] = { 0, (double)(number * 37 % 11), (double)(number * 31 % 13) };
        struct asy_outcome o = { .number = number, .state = ASY_OUTCOME_COMPLETE, .x = x,
                                 .values = values, .violation = gp && number % 4 == 1 };

        CALL(asy_sampler_ask(s, number, NULL, x, &err));
        for (size_t i = 0; i < asy_space_len(space); i++) {
            trace = mix(trace, x[i]);
            values[0] += isnan(x[i]) ? 0.5 : x[i] * (double)(i + 1);
        }
        CALL(asy_sampler_tell(s, &o, &err));
    }
    if (strcmp(name, "brute_force") && strcmp(name, "grid")) {
        double xs[3 * LEN];

        CALL(asy_sampler_ask_many(s, trials, 3, xs, &err));
        for (size_t i = 0; i < 3 * asy_space_len(space); i++)
            trace = mix(trace, xs[i]);
    }
    asy_sampler_destroy(s);
    asy_space_destroy(space);
    return trace;
}

static void samplers_survive(void)
{
    static const struct {
        const char *name;
        size_t n_goals;
    } samplers[] = { { "tpe", 1 }, { "random", 1 }, { "grid", 1 },
                     { "tpe", 3 }, { "nsga2", 2 },  { "nsga3", 3 },
                     { "qmc", 1 },
                     { "gp", 1 },    { "gp", 2 },    { "cma", 1 },
                     { "brute_force", 1 }, { "auto", 1 }, { "pbt", 1 }, { "pb2", 1 } };

    for (size_t k = 0; k < ASY_ARRAY_LEN(samplers); k++) {
        uint64_t want = 0;
        long n = -1;

        do {
            t_nomem_at(n);
            if (n < 0)
                want = run_sampler(samplers[k].name, samplers[k].n_goals);
            else
                T_TRUE(run_sampler(samplers[k].name, samplers[k].n_goals) == want);
            n++;
        } while (n == 0 || t_nomem_end());
        T_TRUE(n > 10);
    }
}

static double waves(const double *x)
{
    return sin(9 * x[0]) * cos(7 * x[1]);
}

/* What gp suggests after few results of a function that earlier trials, if there are any, know from
 * many: so these are believed. */
static uint64_t run_gp_earlier(size_t n_earlier)
{
    enum { RESULTS = 12, MANY = 60 };
    static const struct asy_param square[2] = { { .name = "x", .lo = 0, .hi = 1 },
                                                { .name = "y", .lo = 0, .hi = 1 } };
    static const enum asy_goal goal = ASY_MINIMIZE;
    static double xs[MANY][2];
    static struct asy_earlier earlier[MANY];
    struct asy_sampler_spec spec = { .name = "gp", .goals = &goal, .n_goals = 1,
                                     .earlier = earlier, .n_earlier = n_earlier };
    struct asy_space *space = NULL;
    struct asy_sampler *s = NULL;
    uint64_t trace = 0;
    double x[2];

    CALL(asy_space_create(&space, &err));
    for (size_t j = 0; j < 2; j++)
        CALL(asy_space_add(space, &square[j], &err));
    for (size_t i = 0; i < MANY; i++) {
        xs[i][0] = ((double)i + 0.5) / MANY;
        xs[i][1] = ((double)(i * 23 % MANY) + 0.5) / MANY;
        earlier[i] = (struct asy_earlier){ xs[i], 0.5 + 0.49 * waves(xs[i]) };
    }
    CALL(asy_sampler_create(space, &spec, &s, &err));
    for (size_t i = 0; i < RESULTS; i++) {
        double value = waves(xs[5 * i]);
        struct asy_outcome o = { .number = i, .state = ASY_OUTCOME_COMPLETE, .x = xs[5 * i],
                                 .values = &value, .last_step = -1 };

        CALL(asy_sampler_tell(s, &o, &err));
    }
    CALL(asy_sampler_ask(s, RESULTS, NULL, x, &err));
    for (size_t i = 0; i < 2; i++)
        trace = mix(trace, x[i]);
    asy_sampler_destroy(s);
    asy_space_destroy(space);
    return trace;
}

static void earlier_studies_survive(void)
{
    uint64_t want = 0, without;
    long n = -1;

    t_nomem_at(-1);
    without = run_gp_earlier(0);
    do {
        t_nomem_at(n);
        if (n < 0)
            want = run_gp_earlier(60);
        else
            T_TRUE(run_gp_earlier(60) == want);
        n++;
    } while (n == 0 || t_nomem_end());
    T_TRUE(n > 10);
    T_TRUE(want != without); /* they were believed */
}

/* ---- asks that fail ------------------------------------------------------------------------ */

enum { KNOWN = 64 }; /* what there is room for at first, so that one more needs memory everywhere */
static const enum asy_goal both[2] = { ASY_MINIMIZE, ASY_MAXIMIZE };

static void tell(struct asy_sampler *s, uint64_t from, uint64_t to, enum asy_outcome_state state)
{
    for (uint64_t i = from; i < to; i++) {
        double x[2] = { (double)(i * 37 % 101) / 101, 1 + (double)(i * 7 % 30) };
        double values[2] = { fabs(x[0] - 0.3) + x[1], x[0] * x[1] };
        struct asy_outcome o = { .number = i, .state = state, .x = x, .values = values,
                                 .last_step = -1 };

        CALL(asy_sampler_tell(s, &o, &err));
    }
}

static struct asy_sampler *busy_sampler(const struct asy_space *space, const char *name,
                                        size_t n_goals)
{
    struct asy_sampler_spec spec = { .name = name, .goals = both, .n_goals = n_goals };
    struct asy_sampler *s = NULL;

    CALL(asy_sampler_create(space, &spec, &s, &err));
    tell(s, 0, 48, ASY_OUTCOME_COMPLETE);
    tell(s, 48, KNOWN, ASY_OUTCOME_RUNNING);
    return s;
}

/* Asks for n_asks points, in vain if an allocation fails, then for another. */
static bool ask_in_vain(const struct asy_space *space, const char *name, size_t n_goals,
                        size_t n_asks, void (*fails)(long n), long n, double *ret_x)
{
    struct asy_sampler *s = busy_sampler(space, name, n_goals);
    struct asy_error err = ASY_ERROR_INIT;
    double xs[6] = { 0 };
    int rc = ASY_E_NOMEM;

    if (fails) {
        fails(n);
        rc = asy_sampler_ask_many(s, KNOWN, n_asks, xs, &err);
        t_nomem_end();
    }
    if (rc != 0) {
        T_OK(asy_sampler_ask(s, KNOWN + 3, NULL, ret_x, &err), &err);
    }
    asy_sampler_destroy(s);
    return rc != 0;
}

static void failed_asks_leave_nothing(void)
{
    static const struct {
        const char *name;
        size_t n_goals, n_asks;
    } samplers[] = { { "auto", 1, 1 }, { "tpe", 1, 3 }, { "tpe", 2, 3 }, { "nsga2", 2, 3 },
                     { "cma", 1, 3 } };
    static void (*const fails[])(long n) = { t_nomem_at, t_nomem_from };
    struct asy_space *space = NULL;

    CALL(asy_space_create(&space, &err));
    for (size_t i = 1; i <= 2; i++)
        CALL(asy_space_add(space, &params[i], &err));
    for (size_t k = 0; k < ASY_ARRAY_LEN(samplers); k++) {
        double want[2], got[2];

        ask_in_vain(space, samplers[k].name, samplers[k].n_goals, 0, NULL, 0, want);
        for (size_t how = 0; how < ASY_ARRAY_LEN(fails); how++) {
            long n = 0;

            while (ask_in_vain(space, samplers[k].name, samplers[k].n_goals, samplers[k].n_asks,
                               fails[how], n, got)) {
                for (size_t i = 0; i < ASY_ARRAY_LEN(want); i++)
                    T_NEAR(samplers[k].name, got[i], want[i], 0);
                n++;
            }
            T_TRUE(n > 2);
        }
    }
    asy_space_destroy(space);
}

/* A pruner's reports have no error to give: it must only stay whole. */
static void pruners_survive(void)
{
    static const enum asy_goal goals[2] = { ASY_MINIMIZE, ASY_MAXIMIZE };
    static const struct asy_option upper[] = { { "upper", 90 } };
    static const struct {
        const char *name;
        size_t n_options;
    } pruners[] = { { "median", 0 },   { "percentile", 0 }, { "patient", 0 }, { "threshold", 1 },
                    { "wilcoxon", 0 }, { "asha", 0 },       { "none", 0 },    { "hyperband", 0 },
                    { "moasha", 0 } };

    for (size_t k = 0; k < ASY_ARRAY_LEN(pruners); k++) {
        long n = 0;

        do {
            struct asy_pruner_spec spec = { .name = pruners[k].name, .options = upper,
                                            .n_options = pruners[k].n_options, .goals = goals,
                                            .n_goals = 2, .length_max = 64, .can_pause = 1 };
            struct asy_pruner *p = NULL;
            uint64_t number, milestone;

            t_nomem_at(n++);
            CALL(asy_pruner_create(&spec, &p, &err));
            for (uint64_t i = 0; i < 100; i++) {
                for (uint64_t step = 1; step <= 64; step *= 2)
                    if (asy_pruner_report(p, i, step, (double[2]){ (double)(i * 37 % 101),
                                                                   (double)(i * 53 % 89) }))
                        break;
                if (asy_pruner_promote(p, &number, &milestone) && number % 2)
                    asy_pruner_unpromote(p, number);
                asy_pruner_ended(p, i, i % 3 != 0);
            }
            t_nomem_end();
            asy_pruner_destroy(p);
        } while (t_nomem_failed());
        T_TRUE(n > 1);
    }
}

static struct asy_losses outcomes; /* 12 points, two objectives or one */

static int ped_anova(struct asy_error *err)
{
    double ret[LEN];

    return asy_importance_ped_anova(&outcomes, ret, err);
}

static int fanova(struct asy_error *err)
{
    double ret[LEN];
    int varies;

    return asy_importance_fanova_tree(&outcomes, 1, 0, ret, &varies, err);
}

static void importance_survives(void)
{
    double x[12 * LEN], losses[24];
    struct asy_space *space = NULL;

    CALL(asy_space_create(&space, &err));
    for (size_t i = 0; i < LEN; i++)
        CALL(asy_space_add(space, &params[i], &err));
    for (size_t k = 0; k < 12; k++) {
        const double point[LEN] = { (double)(k % 2), (double)k / 12, (double)(1 + k),
                                    k % 2 ? ASY_INACTIVE : 5 };

        memcpy(&x[k * LEN], point, sizeof point);
        losses[2 * k] = (double)(k * 5 % 12);
        losses[2 * k + 1] = (double)(k * 7 % 12);
    }
    for (size_t m = 1; m <= 2; m++) {
        outcomes = (struct asy_losses){ space, x, losses, 12, m };
        T_TRUE(t_nomem_each("ped_anova", ped_anova) >= 3);
        if (m == 1)
            T_TRUE(t_nomem_each("fanova", fanova) >= 15);
    }
    asy_space_destroy(space);
}

static double run_regret(void)
{
    struct asy_space *space = NULL;
    struct asy_regret *r = NULL;
    double bound = 0;
    size_t counted;

    CALL(asy_space_create(&space, &err));
    CALL(asy_space_add(space, &params[1], &err));
    CALL(asy_regret_create(space, ASY_MINIMIZE, 0, &r, &err));
    for (uint64_t number = 0; number < ASY_REGRET_TRIALS; number++) {
        double x = (double)(number * 7 % 20) / 20, value = (x - 0.3) * (x - 0.3);
        struct asy_outcome o = { .number = number, .state = ASY_OUTCOME_COMPLETE, .x = &x,
                                 .values = &value, .last_step = -1 };

        CALL(asy_regret_tell(r, &o, &err));
    }
    CALL(asy_regret_bound(r, &bound, &counted, &err));
    asy_regret_destroy(r);
    asy_space_destroy(space);
    return bound;
}

static void a_bound_on_the_regret_survives(void)
{
    double want = 0;
    long n = -1;

    do {
        t_nomem_at(n);
        if (n < 0)
            want = run_regret();
        else
            T_NEAR("bound", run_regret(), want, 0);
        n++;
    } while (n == 0 || t_nomem_end());
    T_TRUE(n > 10);
    T_TRUE(isfinite(want));
}

T_MAIN("nomem", T_TEST(a_bound_on_the_regret_survives), T_TEST(samplers_survive),
       T_TEST(earlier_studies_survive),
       T_TEST(failed_asks_leave_nothing),
       T_TEST(pruners_survive), T_TEST(importance_survives))
