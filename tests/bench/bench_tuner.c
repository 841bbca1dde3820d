/* SPDX-License-Identifier: Apache-2.0
 * bench_tuner.c - runs a sampler through asy/tuner.h: its time, and what it finds.
 *
 *   bench_tuner problems
 *   bench_tuner ask SAMPLER SPACE DIMS TRIALS ROUNDS RUNS
 *   bench_tuner study SAMPLER SPACE DIMS GOALS TRIALS RUNS
 *   bench_tuner idle SAMPLER SPACE DIMS WORKERS TRIALS RUNS
 *   bench_tuner regret SAMPLER PROBLEM FIRST_SEED SEEDS TRIALS TABLES
 *
 * SAMPLER may be auto-RULE: "auto" without that rule, see tuner/auto.h.
 *
 * SPACE is mixed (of five parameters two floats, a float on a log scale, an int and a choice of
 * four) or floats. ask tells TRIALS random points and prints one line for each of RUNS: the time of
 * each of ROUNDS rounds that tell a result and ask the next point, in ms, then "|" and their mean
 * in processor time. study prints the seconds of a whole study for each run, and those of the
 * processor. idle simulates WORKERS that run trials of about a second each and
 * are served one after the other, with asks and tells as long as they are measured to be: for each
 * run it prints the share of the workers' time that they wait, and the best value. regret prints
 * for each seed the smallest regret after 60, 100, 200, 500 and 1,000 trials, as many as there
 * are.
 * tests/bench/tuner.py makes rows of it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <asy/clock.h>
#include <asy/parse.h>
#include <asy/rng.h>
#include <asy/tuner.h>
#include "auto.h"
#include "problems.h"

#define GOALS_MAX 2
static const size_t checkpoints[] = { 60, 100, 200, 500, 1000 };

static void die(const char *what)
{
    fprintf(stderr, "bench_tuner: %s\n", what);
    exit(1);
}

static struct asy_sampler *make_sampler(const struct asy_space *space, const char *name,
                                        uint64_t seed, uint64_t budget, size_t n_goals)
{
    static const enum asy_goal goals[GOALS_MAX] = { ASY_MINIMIZE, ASY_MINIMIZE };
    struct asy_sampler_spec spec = { .name = name, .seed = seed, .goals = goals,
                                     .n_goals = n_goals, .budget = budget };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_sampler *sampler = NULL;
    unsigned rule = strncmp(name, "auto-", 5) ? 0 : asy__auto_rule(name + 5);

    if (rule ? asy__auto_create(space, &spec, ASY__AUTO_ALL & ~rule, &sampler, &err)
             : asy_sampler_create(space, &spec, &sampler, &err))
        die(err.text);
    return sampler;
}

static void ask(struct asy_sampler *s, uint64_t number, double *x)
{
    struct asy_error err = ASY_ERROR_INIT;

    if (asy_sampler_ask(s, number, NULL, x, &err))
        die(err.text);
}

static void tell(struct asy_sampler *s, uint64_t number, const double *x, const double *values)
{
    struct asy_outcome o = { .number = number, .state = ASY_OUTCOME_COMPLETE, .x = x,
                             .values = values, .last_step = -1 };
    struct asy_error err = ASY_ERROR_INIT;

    if (asy_sampler_tell(s, &o, &err))
        die(err.text);
}

static struct asy_space *new_space(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_space *space = NULL;

    if (asy_space_create(&space, &err))
        die(err.text);
    return space;
}

static void add(struct asy_space *space, size_t i, struct asy_param p)
{
    struct asy_error err = ASY_ERROR_INIT;
    char name[32];

    snprintf(name, sizeof name, "p%zu", i);
    p.name = name;
    if (asy_space_add(space, &p, &err))
        die(err.text);
}

static const struct asy_value *words(size_t n)
{
    static struct asy_value values[64];

    if (n > ASY_ARRAY_LEN(values))
        die("too many choices");
    for (size_t i = 0; i < n; i++)
        values[i] = (struct asy_value){ .type = ASY_VALUE_INT, .i = (int64_t)i };
    return values;
}

/* Seconds of the processor so far: what a machine that others use too does not change much. */
static double cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- speed ----------------------------------------------------------------------------------- */

/* The mixed space is the one of the published Optuna measurements. */
static struct asy_space *speed_space(const char *kind, size_t dims)
{
    static const struct asy_param mixed[] = {
        { .lo = 0, .hi = 1 },
        { .lo = 0, .hi = 1 },
        { .lo = 1e-5, .hi = 1, .log = 1 },
        { .type = ASY_PARAM_INT, .lo = 0, .hi = 1000 },
    };
    struct asy_space *space = new_space();

    if (strcmp(kind, "mixed") && strcmp(kind, "floats"))
        die("SPACE is 'mixed' or 'floats'");
    for (size_t i = 0; i < dims; i++) {
        if (!strcmp(kind, "floats"))
            add(space, i, (struct asy_param){ .lo = -5, .hi = 10 });
        else if (i % 5 == 4)
            add(space, i, (struct asy_param){ .type = ASY_PARAM_CHOICE, .choices = words(4),
                                              .n_choices = 4 });
        else
            add(space, i, mixed[i % 5]);
    }
    return space;
}

/* floats: Rosenbrock around 1, or around 2 for the second goal. mixed: bowls off the centre. */
static double speed_value(const struct asy_space *space, const double *x, size_t goal)
{
    double sum = 0, at = goal ? 0.7 : 0.3, shift = goal ? 1 : 0;
    size_t n = asy_space_len(space);

    for (size_t i = 0; i < n; i++) {
        const struct asy_param *p = asy_space_at(space, i);
        double u = p->log ? log(x[i] / p->lo) / log(p->hi / p->lo)
                          : (x[i] - p->lo) / (p->hi - p->lo);

        if (p->lo == -5)
            sum += pow(x[i] - shift - 1, 2) +
                   (i ? 100 * pow(x[i] - shift - pow(x[i - 1] - shift, 2), 2) : 0);
        else
            sum += p->type == ASY_PARAM_CHOICE ? x[i] != (goal ? 1 : 2) : pow(u - at, 2);
    }
    return sum;
}

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

/* ---- workers --------------------------------------------------------------------------------- */

struct worker {
    int64_t free_ns; /* when its trial ends, on the simulated clock */
    uint64_t number; /* of its trial; UINT64_MAX: none yet */
    double *x;
};

static size_t next_worker(const struct worker *workers, size_t n)
{
    size_t next = 0;

    for (size_t i = 1; i < n; i++)
        if (workers[i].free_ns < workers[next].free_ns)
            next = i;
    return next;
}

/* Tells the worker's result and asks its next point; how long that took. */
static int64_t serve(const struct asy_space *space, struct asy_sampler *s, struct worker *w,
                     uint64_t number, double *best)
{
    double value = w->number == UINT64_MAX ? INFINITY : speed_value(space, w->x, 0);
    int64_t start = asy_clock_ns();

    if (w->number != UINT64_MAX)
        tell(s, w->number, w->x, &value);
    ask(s, number, w->x);
    w->number = number;
    *best = fmin(*best, value);
    return asy_clock_ns() - start;
}

static void run_idle(const char *name, const char *kind, size_t dims, size_t n_workers,
                     size_t trials, size_t seed)
{
    struct asy_space *space = speed_space(kind, dims);
    struct asy_sampler *s = make_sampler(space, name, seed, trials, 1);
    struct worker *workers = calloc(n_workers, sizeof *workers);
    double best = INFINITY, waited = 0, ran = 0;
    int64_t server_ns = 0;
    struct asy_rng rng;

    if (!workers)
        die("no memory");
    asy_rng_init(&rng, seed, 0, ASY_RNG_SIM);
    for (size_t i = 0; i < n_workers; i++) {
        workers[i].number = UINT64_MAX;
        if (!(workers[i].x = calloc(dims, sizeof *workers[i].x)))
            die("no memory");
    }
    for (uint64_t number = 0; number < trials; number++) {
        struct worker *w = &workers[next_worker(workers, n_workers)];
        double seconds = 0.9 + 0.2 * asy_rng_double(&rng);

        server_ns = server_ns > w->free_ns ? server_ns : w->free_ns;
        server_ns += serve(space, s, w, number, &best);
        waited += (double)(server_ns - w->free_ns) / 1e9;
        ran += seconds;
        w->free_ns = server_ns + (int64_t)(1e9 * seconds);
    }
    printf("%.6f %.6f\n", waited / (waited + ran), best);
    for (size_t i = 0; i < n_workers; i++)
        free(workers[i].x);
    free(workers);
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

static size_t count(const char *text)
{
    struct asy_error err = ASY_ERROR_INIT;
    int64_t n;

    if (asy_parse_i64(text, strlen(text), &n, &err) || n < 0)
        die("a count is a whole number, 0 or more");
    return (size_t)n;
}

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
    } else if (!strcmp(what, "idle") && argc == 8 && count(argv[5]) > 0) {
        for (size_t run = 0; run < count(argv[7]); run++)
            run_idle(argv[2], argv[3], count(argv[4]), count(argv[5]), count(argv[6]), run);
    } else if (!strcmp(what, "regret") && argc == 8) {
        for (size_t i = 0; i < count(argv[5]); i++)
            run_regret(argv[2], argv[3], count(argv[4]) + i, count(argv[6]), argv[7]);
    } else {
        fprintf(stderr, "usage: see the head of tests/bench/bench_tuner.c\n");
        return 2;
    }
    return 0;
}
