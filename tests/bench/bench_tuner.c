/* SPDX-License-Identifier: Apache-2.0
 * bench_tuner.c - runs a sampler through asy/tuner.h: its time, and what it finds.
 *
 *   bench_tuner problems
 *   bench_tuner ask SAMPLER SPACE DIMS TRIALS ROUNDS RUNS
 *   bench_tuner study SAMPLER SPACE DIMS GOALS TRIALS RUNS
 *   bench_tuner regret SAMPLER PROBLEM FIRST_SEED SEEDS TRIALS TABLES
 *
 * SAMPLER may be auto-RULE: "auto" without that rule, see tuner/auto.h; or NAME:OPTION=NUMBER.
 *
 * SPACE is mixed (of five parameters two floats, a float on a log scale, an int and a choice of
 * four) or floats. ask tells TRIALS random points and prints one line for each of RUNS: the time of
 * each of ROUNDS rounds that tell a result and ask the next point, in ms, then "|" and their mean
 * in processor time. study prints the seconds of a whole study for each run, and those of the
 * processor. regret prints
 * for each seed the smallest regret after 60, 100, 200, 500 and 1,000 trials, as many as there
 * are.
 * tests/bench/tuner.py makes rows of it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <asy/clock.h>
#include <asy/tuner.h>
#include "drive.h"
#include "problems.h"

static const size_t checkpoints[] = { 60, 100, 200, 500, 1000 };

/* Seconds of the processor so far: what a machine that others use too does not change much. */
static double cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- speed ----------------------------------------------------------------------------------- */

static void speed_values(const struct asy_space *space, const double *x, double *values)
{
    for (size_t goal = 0; goal < GOALS_MAX; goal++)
        values[goal] = speed_value(space, x, goal);
}

static void run_ask(const char *name, const char *kind, size_t dims, size_t trials, size_t rounds)
{
    struct asy_space *space = speed_space(kind, dims);
    struct asy_sampler *random = make_sampler(space, "random", 1, 0, 1);
    struct asy_sampler *s = make_sampler(space, name, 1, trials + rounds + 1, 1);
    double *x = calloc(dims, sizeof *x), values[GOALS_MAX], cpu;

    if (!x)
        die("no memory");
    for (size_t i = 0; i < trials; i++) {
        ask(random, i, x);
        speed_values(space, x, values);
        tell(s, i, x, values);
    }
    ask(s, trials, x);
    cpu = cpu_s();
    for (size_t i = 0; i < rounds; i++) {
        int64_t start;

        speed_values(space, x, values);
        start = asy_clock_ns();
        tell(s, trials + i, x, values);
        ask(s, trials + i + 1, x);
        printf("%.6f ", (double)(asy_clock_ns() - start) / 1e6);
    }
    printf("| %.6f\n", 1e3 * (cpu_s() - cpu) / (double)rounds);
    free(x);
    asy_sampler_destroy(random);
    asy_sampler_destroy(s);
    asy_space_destroy(space);
}

static void run_study(const char *name, const char *kind, size_t dims, size_t n_goals,
                      size_t trials, size_t seed)
{
    struct asy_space *space = speed_space(kind, dims);
    struct asy_sampler *s = make_sampler(space, name, seed, trials, n_goals);
    double *x = calloc(dims, sizeof *x), values[GOALS_MAX], cpu = cpu_s();
    int64_t spent = 0;

    if (!x)
        die("no memory");
    for (size_t i = 0; i < trials; i++) {
        int64_t start = asy_clock_ns();

        ask(s, i, x);
        spent += asy_clock_ns() - start;
        speed_values(space, x, values);
        start = asy_clock_ns();
        tell(s, i, x, values);
        spent += asy_clock_ns() - start;
    }
    printf("%.6f | %.6f\n", (double)spent / 1e9, cpu_s() - cpu);
    free(x);
    asy_sampler_destroy(s);
    asy_space_destroy(space);
}

/* ---- quality --------------------------------------------------------------------------------- */

static struct asy_space *problem_space(const struct problem *p)
{
    struct asy_space *space = new_space();

    for (size_t i = 0; i < problem_dims(p); i++) {
        const struct problem_param *of = problem_param(p, i);
        struct asy_param param = { .lo = of->lo, .hi = of->hi };

        if (of->kind == PROBLEM_INT) {
            param.type = ASY_PARAM_INT;
        } else if (of->kind == PROBLEM_CHOICE) {
            param.type = ASY_PARAM_CHOICE;
            param.n_choices = (size_t)of->hi + 1;
            param.choices = words(param.n_choices);
        }
        add(space, i, param);
    }
    return space;
}

static void run_regret(const char *name, const char *problem, uint64_t seed, size_t trials,
                       const char *tables)
{
    struct problem *p = problem_open(problem, seed, tables);
    struct asy_space *space;
    struct asy_sampler *s;
    double best = INFINITY, *x;
    size_t reached = 0;

    if (!p)
        die("no such problem, or no tables");
    space = problem_space(p);
    s = make_sampler(space, name, seed, trials, 1);
    if (!(x = calloc(problem_dims(p), sizeof *x)))
        die("no memory");
    printf("%s,%llu", problem, (unsigned long long)seed);
    for (size_t i = 0; i < trials; i++) {
        double value;

        ask(s, i, x);
        best = fmin(best, problem_regret(p, x));
        value = problem_value(p, x);
        tell(s, i, x, &value);
        if (reached < ASY_ARRAY_LEN(checkpoints) && i + 1 == checkpoints[reached]) {
            printf(",%.6g", best);
            reached++;
        }
    }
    printf("\n");
    free(x);
    asy_sampler_destroy(s);
    asy_space_destroy(space);
    problem_close(p);
}

/* ---- arguments ------------------------------------------------------------------------------- */

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";

    if (!strcmp(what, "problems") && argc == 2) {
        for (size_t i = 0; problem_name(i); i++)
            puts(problem_name(i));
    } else if (!strcmp(what, "ask") && argc == 8) {
        for (size_t run = 0; run < count(argv[7]); run++)
            run_ask(argv[2], argv[3], count(argv[4]), count(argv[5]), count(argv[6]));
    } else if (!strcmp(what, "study") && argc == 8) {
        size_t n_goals = count(argv[5]);

        if (n_goals < 1 || n_goals > GOALS_MAX)
            die("GOALS is 1 or 2");
        for (size_t run = 0; run < count(argv[7]); run++)
            run_study(argv[2], argv[3], count(argv[4]), n_goals, count(argv[6]), run);
    } else if (!strcmp(what, "regret") && argc == 8) {
        for (size_t i = 0; i < count(argv[5]); i++)
            run_regret(argv[2], argv[3], count(argv[4]) + i, count(argv[6]), argv[7]);
    } else {
        fprintf(stderr, "usage: see the head of tests/bench/bench_tuner.c\n");
        return 2;
    }
    return 0;
}
