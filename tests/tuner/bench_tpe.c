/* SPDX-License-Identifier: Apache-2.0
 * bench_tpe.c - the time of one ask of the TPE sampler, by parameters and trials.
 *
 * The space is the one of the published Optuna measurements: 60 % floats, a third of them on a log
 * scale, 20 % ints, 20 % choices of four. Prints the median over asks, and the time per tell. */
#include <stdio.h>
#include <stdlib.h>
#include <asy/clock.h>
#include <asy/tuner.h>

#define ASKS 15

static void die(const struct asy_error *err)
{
    fprintf(stderr, "bench_tpe: %s\n", err->text);
    exit(1);
}

static struct asy_space *make_space(size_t d)
{
    static const struct asy_value four[] = { { .type = ASY_VALUE_INT, .i = 0 },
                                             { .type = ASY_VALUE_INT, .i = 1 },
                                             { .type = ASY_VALUE_INT, .i = 2 },
                                             { .type = ASY_VALUE_INT, .i = 3 } };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_space *space = NULL;

    if (asy_space_create(&space, &err))
        die(&err);
    for (size_t i = 0; i < d; i++) {
        char name[32];
        struct asy_param p = { .name = name, .lo = 0, .hi = 1 };

        snprintf(name, sizeof name, "p%zu", i);
        if (i % 5 == 2) {
            p.lo = 1e-5;
            p.log = 1;
        } else if (i % 5 == 3) {
            p.type = ASY_PARAM_INT;
            p.hi = 1000;
        } else if (i % 5 == 4) {
            p.type = ASY_PARAM_CHOICE;
            p.choices = four;
            p.n_choices = 4;
        }
        if (asy_space_add(space, &p, &err))
            die(&err);
    }
    return space;
}

static int by_time(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void measure(size_t d, size_t n)
{
    static const enum asy_goal goal = ASY_MINIMIZE;
    struct asy_sampler_spec spec = { .name = "random", .goals = &goal, .n_goals = 1 };
    struct asy_sampler *random = NULL, *tpe = NULL;
    struct asy_space *space = make_space(d);
    struct asy_error err = ASY_ERROR_INIT;
    double *x = calloc(d, sizeof *x);
    int64_t asks[ASKS], tells = 0;

    if (!x || asy_sampler_create(space, &spec, &random, &err))
        die(&err);
    spec.name = "tpe";
    if (asy_sampler_create(space, &spec, &tpe, &err))
        die(&err);
    for (size_t i = 0; i < n + ASKS; i++) {
        struct asy_outcome o = { .number = i, .state = ASY_OUTCOME_COMPLETE, .x = x };
        int64_t start = asy_clock_ns();
        double value = 0;

        if (asy_sampler_ask(i < n ? random : tpe, i, NULL, x, &err))
            die(&err);
        if (i >= n)
            asks[i - n] = asy_clock_ns() - start;
        for (size_t k = 0; k < d; k++)
            value += x[k] * (double)(k + 1);
        o.values = &value;
        start = asy_clock_ns();
        if (asy_sampler_tell(tpe, &o, &err))
            die(&err);
        tells += asy_clock_ns() - start;
    }
    qsort(asks, ASKS, sizeof *asks, by_time);
    printf("%3zu parameters %6zu trials: ask %8.3f ms, tell %7.3f us\n", d, n,
           (double)asks[ASKS / 2] / 1e6, (double)tells / 1e3 / (double)(n + ASKS));
    asy_sampler_destroy(random);
    asy_sampler_destroy(tpe);
    asy_space_destroy(space);
    free(x);
}

int main(void)
{
    static const size_t dims[] = { 5, 20 }, trials[] = { 100, 1000, 10000 };

    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < 3; k++)
            measure(dims[i], trials[k]);
    return 0;
}
