/* SPDX-License-Identifier: Apache-2.0
 * test_deterministic.c - promise 5: a deterministic study gives the same table of trials with 1, 4
 * and 16 workers, whatever the timing, and though the coordinator dies on the way.
 *
 * The simulated sampler makes each point from the latest outcome of each trial, so that one too
 * many, too few or too late changes the table. Then every sampler of the tuner does, with each
 * pruner that such a study may have. */
#include <inttypes.h>
#include <asytest.h>
#include "sim.h"

#ifndef ROUNDS
#define ROUNDS 20 /* for each number of workers */
#endif

struct variant {
    const char *name, *pruner, *sampler; /* sampler: NULL: the simulated one */
    uint64_t trials, length, lag, exhausted_at;
    double target;
};

static char *table(const struct variant *v, uint64_t seed, uint64_t timing, size_t agents,
                   int faults)
{
    struct sim_options o = {
        .seed = seed, .timing = timing, .n_agents = agents, .n_studies = 1, .agent_cores = 1,
        .history = 1, .quiet_ms = faults ? 60000 : 0, .limit_ms = 4000000,
    };
    struct asy_error err = ASY_ERROR_INIT;
    struct sim_result result = { 0 };

    o.studies[0] = (struct sim_study_options){
        .pruner = v->pruner, .sampler = v->sampler, .checkpoint = 1, .deterministic = v->lag > 0,
        .trials = v->trials, .length = v->length, .lag = v->lag, .cores = 1, .retries = 100,
        .exhausted_at = v->exhausted_at, .target = v->target,
    };
    if (faults) {
        o.crash_commit = 0.01;
        o.crash_send = 0.002;
        o.cut = 0.005;
        o.twice = 0.05;
        o.attempt_crashes = 0.02;
    }
    if (!T_OK(sim_run(&o, &result, &err), &err))
        return NULL;
    if (result.failed)
        fprintf(stderr, "seed %" PRIu64 " timing %" PRIu64 " agents %zu: %s\n", seed, timing,
                agents, result.why);
    T_TRUE(!result.failed);
    return result.table;
}

static const struct variant variants[] = {
    { "no pruner", "none", NULL, 30, 4, 16, 0, NAN },
    { "no pruner, lag 1", "none", NULL, 12, 3, 1, 0, NAN },
    { "asha", "asha", NULL, 40, 8, 16, 0, NAN },
    { "asha, short lag", "asha", NULL, 24, 8, 3, 0, NAN },
    { "asha, lag 1", "asha", NULL, 12, 4, 1, 0, NAN },
    { "hyperband", "hyperband", NULL, 40, 8, 16, 0, NAN },
    { "hyperband, lag 1", "hyperband", NULL, 16, 4, 1, 0, NAN },
    { "few points", "asha", NULL, 40, 8, 8, 11, NAN },
    { "target", "none", NULL, 40, 4, 6, 0, 0.4 },
    { "target and asha", "asha", NULL, 40, 8, 6, 0, 0.4 },
};

static void compare(const struct variant *v, uint64_t seed)
{
    static const size_t agents[] = { 1, 4, 16 };
    char *want = table(v, seed, 0, 1, 0);

    T_TRUE(want && *want);
    for (size_t k = 0; want && k < ASY_ARRAY_LEN(agents); k++)
        for (uint64_t round = 0; round < ROUNDS; round++) { /* the first without faults */
            char *got = table(v, seed, 1 + k + 3 * round, agents[k], round > 0);

            if (got)
                T_STR(v->name, got, want);
            free(got);
        }
    free(want);
}

static void tables_do_not_depend_on_workers_or_timing(void)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(variants); i++)
        for (uint64_t seed = 1; seed <= 3; seed++)
            compare(&variants[i], seed);
}

/* So that there is a model, or a second generation, within few trials. */
static void name_sampler(const char *name, char *text, size_t size)
{
    const char *option, *rest = "";

    for (size_t i = 0; (option = asy_sampler_option(name, i)); i++)
        rest = !strcmp(option, "population")       ? ", population: 6"
               : !strcmp(option, "startup_trials") ? ", startup_trials: 4" : rest;
    snprintf(text, size, "{name: %s%s}", name, rest);
}

static int has_population(const char *sampler)
{
    return asy_population_of(sampler, NULL, 0, 10).size > 0;
}

/* Those that stop between milestones are refused; one that does not take one objective would have
 * to be named here. */
static int may_be_deterministic(const char *name)
{
    static const enum asy_goal goals[] = { ASY_MINIMIZE };
    struct asy_pruner_spec spec = { .name = name, .goals = goals, .n_goals = 1, .length_max = 8,
                                    .can_pause = 1 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_pruner *pruner = NULL;
    int rc = asy_pruner_create(&spec, &pruner, &err), stops = rc == 0 && asy_pruner_stops(pruner);

    if (rc < 0)
        T_TRUE(!strcmp(name, "moasha") || !strcmp(name, "threshold")); /* a bound is missing */
    asy_pruner_destroy(pruner);
    return rc == 0 && !stops;
}

static void nor_do_those_of_any_sampler_and_pruner(void)
{
    const char *sampler, *pruner;
    size_t n = 0;

    for (size_t i = 0; (sampler = asy_sampler_name(i)); i++)
        for (size_t k = 0; (pruner = asy_pruner_name(k)); k++) {
            char text[100], name[100];
            struct variant v = { name, pruner, text, 20, 4, 6, 0, NAN };

            if (!may_be_deterministic(pruner) ||
                (has_population(sampler) && strcmp(pruner, "none")))
                continue;
            name_sampler(sampler, text, sizeof text);
            snprintf(name, sizeof name, "%s with %s", sampler, pruner);
            compare(&v, 1 + i + k);
            n++;
        }
    T_TRUE(n >= 30);
}

/* Without it, the table does depend on timing: else the test above would show nothing. */
static void tables_of_other_studies_do(void)
{
    struct sim_options o = { .seed = 1, .n_agents = 4, .n_studies = 1, .agent_cores = 2,
                             .history = 1, .limit_ms = 4000000 };
    struct asy_error err = ASY_ERROR_INIT;
    struct sim_result a = { 0 }, b = { 0 };

    o.studies[0] = (struct sim_study_options){ .pruner = "asha", .checkpoint = 1, .trials = 40,
                                               .length = 8, .cores = 1, .target = NAN };
    if (T_OK(sim_run(&o, &a, &err), &err)) {
        o.timing = 1;
        if (T_OK(sim_run(&o, &b, &err), &err))
            T_TRUE(strcmp(a.table, b.table) != 0);
    }
    free(a.table);
    free(b.table);
}

/* Each simulation ends with a replay of what its store has, whatever broke meanwhile. */
static void but_all_follow_from_their_logs(void)
{
    static const char *const pruners[] = { "none", "median", "asha", "hyperband" };
    const char *sampler;
    char text[100];

    for (size_t i = 0; (sampler = asy_sampler_name(i)); i++)
        for (uint64_t seed = 1; seed <= 3 * ASY_ARRAY_LEN(pruners); seed++) {
            const char *pruner = pruners[seed % ASY_ARRAY_LEN(pruners)];
            struct variant v = { sampler, has_population(sampler) ? "none" : pruner, text, 30, 8, 0,
                                 0, NAN }; /* it ends no trial early */

            name_sampler(sampler, text, sizeof text);
            free(table(&v, seed, seed, 4, 1));
        }
}

T_MAIN("deterministic", T_TEST(tables_do_not_depend_on_workers_or_timing),
       T_TEST(nor_do_those_of_any_sampler_and_pruner),
       T_TEST(tables_of_other_studies_do), T_TEST(but_all_follow_from_their_logs))
