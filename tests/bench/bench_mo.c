/* SPDX-License-Identifier: Apache-2.0
 * bench_mo.c - what a sampler covers of problems with several objectives, through asy/tuner.h.
 *
 *   bench_mo problems
 *   bench_mo volume SAMPLER PROBLEM FIRST_SEED SEEDS TRIALS
 *
 * SAMPLER may be auto-RULE: "auto" without that rule, see tuner/auto.h.
 *
 * volume prints "PROBLEM,SEED,VOLUME" for each seed: the hypervolume of all TRIALS results, one
 * asked after the other, from the problem's reference point. tests/bench/tuner_mo.py makes rows of
 * it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/parse.h>
#include <asy/pareto.h>
#include <asy/tuner.h>
#include "auto.h"
#include "problems_mo.h"

#define DIMS_MAX 32

static struct asy_error err = ASY_ERROR_INIT;

static void die(const char *what)
{
    fprintf(stderr, "bench_mo: %s\n", what);
    exit(1);
}

static size_t find(const char *name)
{
    for (size_t i = 0; mo_problem_name(i); i++)
        if (!strcmp(mo_problem_name(i), name))
            return i;
    die("no such problem");
    return 0;
}

static struct asy_space *space_of(size_t problem)
{
    struct asy_space *space = NULL;

    if (asy_space_create(&space, &err))
        die(err.text);
    for (size_t i = 0; i < mo_problem_dims(problem); i++) {
        char name[24];
        struct asy_param p = { .name = name, .lo = 0, .hi = 1 };

        snprintf(name, sizeof name, "p%zu", i);
        if (asy_space_add(space, &p, &err))
            die(err.text);
    }
    return space;
}

static double run(const char *name, size_t problem, uint64_t seed, size_t trials)
{
    static const enum asy_goal goals[MO_GOALS_MAX] = { ASY_MINIMIZE };
    size_t m = mo_problem_goals(problem);
    struct asy_sampler_spec spec = { .name = name, .seed = seed, .goals = goals, .n_goals = m,
                                     .budget = trials };
    struct asy_space *space = space_of(problem);
    double *values = malloc(trials * m * sizeof *values), x[DIMS_MAX], volume;
    struct asy_sampler *s = NULL;
    unsigned rule = strncmp(name, "auto-", 5) ? 0 : asy__auto_rule(name + 5);

    if (!values)
        die("no memory");
    if (rule ? asy__auto_create(space, &spec, ASY__AUTO_ALL & ~rule, &s, &err)
             : asy_sampler_create(space, &spec, &s, &err))
        die(err.text);
    for (size_t i = 0; i < trials; i++) {
        struct asy_outcome o = { .number = i, .state = ASY_OUTCOME_COMPLETE, .x = x,
                                 .values = &values[i * m], .last_step = -1 };

        if (asy_sampler_ask(s, i, NULL, x, &err))
            die(err.text);
        mo_problem_values(problem, x, &values[i * m]);
        if (asy_sampler_tell(s, &o, &err))
            die(err.text);
    }
    if (asy_pareto_volume(values, trials, m, mo_problem_reference(problem), &volume, &err))
        die(err.text);
    asy_sampler_destroy(s);
    asy_space_destroy(space);
    free(values);
    return volume;
}

static size_t count(const char *text)
{
    int64_t n;

    if (asy_parse_i64(text, strlen(text), &n, &err) || n < 0)
        die("a count is a whole number, 0 or more");
    return (size_t)n;
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "problems")) {
        for (size_t i = 0; mo_problem_name(i); i++)
            puts(mo_problem_name(i));
        return 0;
    }
    if (argc != 7 || strcmp(argv[1], "volume") != 0) {
        fprintf(stderr, "usage: see the head of tests/bench/bench_mo.c\n");
        return 2;
    }
    for (size_t i = 0; i < count(argv[5]); i++) {
        uint64_t seed = count(argv[4]) + i;

        printf("%s,%llu,%.9g\n", argv[3], (unsigned long long)seed,
               run(argv[2], find(argv[3]), seed, count(argv[6])));
    }
    return 0;
}
