/* SPDX-License-Identifier: Apache-2.0
 * bench_transfer.c - what search.from gains, and what it costs where the earlier study misleads.
 *
 *   bench_transfer SAMPLER PROBLEM SHIFT SEEDS TRIALS
 *
 * The earlier study: 60 trials of SAMPLER on PROBLEM (problems.h, no tables). The new one: the same
 * function moved by SHIFT of each side of the box, wrapped round at its ends, and of another scale;
 * SHIFT "bad": the same function, but the earlier study maximised it, so that it recommends the
 * worst. Prints the medians over the seeds of the smallest regret after a fifth of
 * the trials, half of them and all: without the earlier study, with it, and their ratio (above 1:
 * it helps). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/parse.h>
#include <asy/study.h>
#include "drive.h"
#include "problems.h"

enum { EARLIER = 60, MARKS = 3, DIMS_MAX = 32 };

struct task {
    struct problem *p;
    const struct asy_space *space;
    double shift;
    int bad; /* the earlier study maximises */
    size_t trials;
};

static double at(const struct task *t, const double *x, double shift, double *moved)
{
    for (size_t i = 0; i < problem_dims(t->p); i++) {
        const struct problem_param *of = problem_param(t->p, i);
        double u = (x[i] - of->lo) / (of->hi - of->lo) - shift;

        moved[i] = of->lo + (u - floor(u)) * (of->hi - of->lo);
    }
    return problem_value(t->p, moved);
}

/* The new study's text, with parameters as the problem's. */
static struct asy_study_spec *new_study(const struct task *t)
{
    struct asy_study_spec *spec = NULL;
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_buf text = { 0 };

    asy_buf_init(&text, 1u << 16);
    asy_buf_addf(&text, "{\"assay\":1,\"name\":\"new\",\"dir\":\"/\",\"run\":{\"command\":"
                 "[\"/bin/true\"]},\"objective\":{\"metric\":\"v\",\"goal\":\"minimize\"},"
                 "\"budget\":{\"trials\":%zu},\"search\":{\"from\":[\"old\"]},\"parameters\":{",
                 t->trials);
    for (size_t i = 0; i < problem_dims(t->p); i++)
        asy_buf_addf(&text, "%s\"p%zu\":{\"min\":%.17g,\"max\":%.17g,\"type\":\"float\"}",
                     i ? "," : "", i, problem_param(t->p, i)->lo, problem_param(t->p, i)->hi);
    asy_buf_adds(&text, "}}");
    if (asy_study_parse(text.data, text.len, "new", NULL, &spec, NULL, &err))
        die(err.text);
    asy_buf_fini(&text);
    return spec;
}

/* Runs the earlier study and takes what it found. */
static struct asy_study_spec *learn(const struct task *t, const char *sampler, uint64_t seed)
{
    struct asy_study_spec *spec = new_study(t), *with = NULL;
    struct asy_sampler *s = make_sampler(t->space, sampler, 1000 + seed, EARLIER, 1);
    struct asy_study_source from = { .name = "old" };
    struct asy_json *tree = NULL, *list = NULL;
    struct asy_buf text = { 0 }, notes = { 0 };
    struct asy_error err = ASY_ERROR_INIT;
    double x[DIMS_MAX], moved[DIMS_MAX];
    const char *old = t->bad ? "{\"objective\":{\"goal\":\"maximize\"}}"
                             : "{\"objective\":{\"goal\":\"minimize\"}}";

    asy_buf_init(&text, 1u << 20);
    asy_buf_init(&notes, 1u << 16);
    asy_buf_adds(&text, "{\"trials\":[");
    for (size_t i = 0; i < EARLIER; i++) {
        double value, told;

        ask(s, i, x);
        value = 7 + 30 * at(t, x, 0, moved);
        told = t->bad ? -value : value;
        tell(s, i, x, &told);
        asy_buf_addf(&text, "%s{\"number\":%zu,\"state\":\"complete\",\"value\":%.17g,"
                     "\"params\":{", i ? "," : "", i, value);
        for (size_t j = 0; j < problem_dims(t->p); j++)
            asy_buf_addf(&text, "%s\"p%zu\":%.17g", j ? "," : "", j, x[j]);
        asy_buf_adds(&text, "}}");
    }
    asy_buf_adds(&text, "]}");
    if (asy_json_parse(old, strlen(old), &tree, &err) ||
        asy_json_parse(text.data, text.len, &list, &err))
        die(err.text);
    from.spec = tree;
    from.trials = list;
    if (asy_study_with_earlier(spec, &from, &notes, &with, &err))
        die(err.text);
    asy_json_destroy(tree);
    asy_json_destroy(list);
    asy_buf_fini(&text);
    asy_buf_fini(&notes);
    asy_sampler_destroy(s);
    asy_study_destroy(spec);
    return with;
}

static void search(const struct task *t, const char *sampler, uint64_t seed,
                   const struct asy_study_spec *with, double *ret_best)
{
    static const enum asy_goal goal = ASY_MINIMIZE;
    size_t n = with ? with->n_earlier : 0, given = with ? with->n_enqueue : 0;
    struct asy_earlier earlier[64];
    struct asy_sampler_spec spec = { .name = sampler, .seed = seed, .goals = &goal, .n_goals = 1,
                                     .budget = t->trials, .n_enqueued = given,
                                     .earlier = earlier, .n_earlier = n };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_sampler *s = NULL;
    double x[DIMS_MAX], moved[DIMS_MAX], best = INFINITY;

    for (size_t i = 0; i < n; i++)
        earlier[i] = (struct asy_earlier){ with->earlier_x + i * problem_dims(t->p),
                                           with->earlier[i].rank };
    if (asy_sampler_create(t->space, &spec, &s, &err))
        die(err.text);
    for (size_t i = 0; i < t->trials; i++) {
        double value;

        if (asy_sampler_ask(s, i, i < given ? with->enqueue + i * problem_dims(t->p) : NULL, x,
                            &err))
            die(err.text);
        value = at(t, x, t->shift, moved);
        best = fmin(best, problem_regret(t->p, moved));
        tell(s, i, x, &value);
        for (size_t m = 0; m < MARKS; m++)
            if (i + 1 == (m == 0 ? t->trials / 5 : m == 1 ? t->trials / 2 : t->trials))
                ret_best[m] = best;
    }
    asy_sampler_destroy(s);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, ascending);
    return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

int main(int argc, char **argv)
{
    double *best[2][MARKS], got[MARKS];
    size_t seeds, trials;

    if (argc != 6) {
        fprintf(stderr, "usage: see the head of tests/bench/bench_transfer.c\n");
        return 2;
    }
    seeds = count(argv[4]);
    trials = count(argv[5]);
    for (size_t i = 0; i < 2 * MARKS; i++)
        if (!(best[i / MARKS][i % MARKS] = calloc(seeds + 1, sizeof(double))))
            die("no memory");
    for (uint64_t seed = 0; seed < seeds; seed++) {
        struct task t = { .p = problem_open(argv[2], seed, NULL), .trials = trials,
                          .bad = !strcmp(argv[3], "bad") };
        struct asy_study_spec *with;
        struct asy_space *space = new_space();

        if (!t.p || problem_dims(t.p) > DIMS_MAX)
            die("no such problem");
        if (!t.bad && asy_parse_f64(argv[3], strlen(argv[3]), &t.shift, NULL) < 0)
            die("the shift is a number, or bad");
        for (size_t i = 0; i < problem_dims(t.p); i++)
            add(space, i, (struct asy_param){ .lo = problem_param(t.p, i)->lo,
                                              .hi = problem_param(t.p, i)->hi });
        t.space = space;
        with = learn(&t, argv[1], seed);
        for (size_t k = 0; k < 2; k++) {
            search(&t, argv[1], seed, k ? with : NULL, got);
            for (size_t m = 0; m < MARKS; m++)
                best[k][m][seed] = got[m];
        }
        asy_study_destroy(with);
        asy_space_destroy(space);
        problem_close(t.p);
    }
    printf("%s,%s,%s", argv[1], argv[2], argv[3]);
    for (size_t m = 0; m < MARKS; m++) {
        double without = median(best[0][m], seeds), with = median(best[1][m], seeds);

        printf(",%.3g,%.3g,%.2f", without, with, without / with);
    }
    printf("\n");
    for (size_t i = 0; i < 2 * MARKS; i++)
        free(best[i / MARKS][i % MARKS]);
    return 0;
}
