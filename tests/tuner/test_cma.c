/* SPDX-License-Identifier: Apache-2.0
 * test_cma.c - the step beside the package cmaes, what it must be blind to, and whole searches. */
#include <asy/rng.h>
#include <asy/tuner.h>
#include <cma_search.h>
#include <truncnorm.h>
#include "asytest.h"

struct step_case {
    size_t d, lambda;
    int adapt;
    const double *points, *states;
};
struct effort_case {
    const char *function;
    size_t d;
    double evaluations;
};
#include "golden/cma.inc"

enum { GENERATIONS = 6, D_MAX = 40 };

/* ---- one step ------------------------------------------------------------------------------ */

/* Ours and theirs add in another order and decompose in another way: 1e-9 of the largest entry
 * leaves room for what six steps make of that. */
static void steps_are_those_of_cmaes(void)
{
    for (size_t c = 0; c < ASY_ARRAY_LEN(step_cases); c++) {
        const struct step_case *want = &step_cases[c];
        struct asy__cma_shape shape = { .d = want->d, .strict = 1, .adapt = want->adapt };
        const double *state = want->states;
        double mean[D_MAX];
        struct asy__cma cma;

        for (size_t j = 0; j < want->d; j++)
            mean[j] = 0.25;
        if (asy__cma_init(&cma, &shape))
            abort();
        asy__cma_start(&cma, mean, 0.8, want->lambda);
        for (size_t g = 0; g < GENERATIONS; g++) {
            if (asy__cma_step(&cma, want->points + g * want->lambda * want->d))
                abort();
            for (size_t j = 0; j < want->d; j++)
                T_NEAR("mean", cma.mean[j], state[j], 1e-9);
            state += want->d;
            T_NEAR("sigma", cma.vars.sigma, *state++, 1e-9);
            for (size_t i = 0; i < want->d; i++)
                for (size_t j = 0; j < want->d; j++, state++)
                    if (j <= i)
                        T_NEAR("C", cma.cov[i * want->d + j], *state, 1e-9 * fabs(*state) + 1e-9);
        }
        asy__cma_fini(&cma);
    }
}

/* Draws have the distribution's mean and covariance, and asy__cma_given() is their regression. */
static void draws_are_of_the_distribution(void)
{
    enum { D = 3, DRAWS = 20000 };
    static const double cov[D * D] = { 0.04, 0, 0, 0.03, 0.05, 0, -0.01, 0.01, 0.02 };
    static const double mean[D] = { 0.2, 0.5, 0.7 };
    const struct asy__cma_shape shape = { .d = D };
    double sums[D] = { 0 }, squares[D * D] = { 0 }, left[2] = { 0 };
    struct asy__cma cma;
    struct asy_rng rng;

    if (asy__cma_init(&cma, &shape) || asy__cma_start_cov(&cma, mean, cov, 7) ||
        asy__cma_precise(&cma))
        abort();
    asy_rng_init(&rng, 3, 1, ASY_RNG_SIM);
    for (size_t n = 0; n < DRAWS; n++) {
        double x[D], y[D], expected, sd;

        asy__cma_draw(&cma, &rng, x);
        for (size_t j = 0; j < D; j++) {
            y[j] = (x[j] - mean[j]) / cma.vars.sigma;
            sums[j] += x[j] / DRAWS;
            for (size_t k = 0; k <= j; k++)
                squares[j * D + k] += (x[j] - mean[j]) * (x[k] - mean[k]) / DRAWS;
        }
        asy__cma_given(&cma, y, 1, &expected, &sd);
        left[0] += (y[1] - expected) / sd / DRAWS;
        left[1] += pow((y[1] - expected) / sd, 2) / DRAWS;
    }
    for (size_t j = 0; j < D; j++) { /* five standard deviations of the averages */
        T_NEAR("mean", sums[j], mean[j], 5 * sqrt(cov[j * D + j] / DRAWS));
        T_NEAR("spread", asy__cma_spread(&cma, j), sqrt(cov[j * D + j]), 1e-12);
        for (size_t k = 0; k <= j; k++)
            T_NEAR("covariance", squares[j * D + k], cov[j * D + k],
                   5 * sqrt(2 * cov[j * D + j] * cov[k * D + k] / DRAWS));
    }
    T_NEAR("given the others", left[0], 0, 5 / sqrt(DRAWS));
    T_NEAR("given the others, squared", left[1], 1, 5 * sqrt(2.0 / DRAWS));
    asy__cma_fini(&cma);
}

/* ---- searches ------------------------------------------------------------------------------ */

struct problem {
    const char *name;
    size_t d, n_ints; /* the first so many are whole numbers */
    double shift[D_MAX];
    double turn[D_MAX * D_MAX]; /* a rotation, where turned */
    int turned;
};

static double value_at(const struct problem *p, const double *x)
{
    double z[D_MAX], sum = 0;

    for (size_t i = 0; i < p->d; i++) {
        z[i] = p->turned ? 0 : x[i] - p->shift[i];
        for (size_t j = 0; j < p->d && p->turned; j++)
            z[i] += p->turn[i * p->d + j] * (x[j] - p->shift[j]);
    }
    for (size_t i = 0; i < p->d; i++)
        if (!strcmp(p->name, "sphere"))
            sum += z[i] * z[i];
        else if (!strcmp(p->name, "ellipsoid"))
            sum += pow(1e6, (double)i / ((double)p->d - 1)) * z[i] * z[i];
        else if (!strcmp(p->name, "linear"))
            sum += x[i] + 5;
        else if (i + 1 < p->d)
            sum += 100 * pow(z[i + 1] + 1 - (z[i] + 1) * (z[i] + 1), 2) + z[i] * z[i];
    return sum;
}

static void make_problem(struct problem *p, const char *name, size_t d, uint64_t seed, int turned)
{
    struct asy_rng rng;

    *p = (struct problem){ .name = name, .d = d, .turned = turned };
    asy_rng_init(&rng, seed, d, ASY_RNG_SIM);
    for (size_t i = 0; i < d; i++)
        p->shift[i] = asy_rng_double(&rng) * 4 - 2;
    for (size_t i = 0; i < d; i++) { /* Gram and Schmidt */
        double *row = p->turn + i * d, norm = 0;

        for (size_t j = 0; j < d; j++)
            row[j] = asy_rng_normal(&rng);
        for (size_t k = 0; k < i; k++) {
            double along = 0;

            for (size_t j = 0; j < d; j++)
                along += row[j] * p->turn[k * d + j];
            for (size_t j = 0; j < d; j++)
                row[j] -= along * p->turn[k * d + j];
        }
        for (size_t j = 0; j < d; j++)
            norm += row[j] * row[j];
        for (size_t j = 0; j < d; j++)
            row[j] /= sqrt(norm);
    }
}

static struct asy_space *space_of(const struct problem *p)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_space *space = NULL;

    if (!T_OK(asy_space_create(&space, &err), &err))
        abort();
    for (size_t i = 0; i < p->d; i++) {
        char name[24];
        struct asy_param param = { .name = name, .lo = -5, .hi = 5,
                                   .type = i < p->n_ints ? ASY_PARAM_INT : ASY_PARAM_FLOAT };

        snprintf(name, sizeof name, "x%zu", i);
        if (!T_OK(asy_space_add(space, &param, &err), &err))
            abort();
    }
    return space;
}

static struct asy_sampler *make(const struct asy_space *space, uint64_t seed,
                                const struct asy_option *options, size_t n)
{
    static const enum asy_goal goal = ASY_MINIMIZE;
    struct asy_sampler_spec spec = { .name = "cma", .seed = seed, .goals = &goal, .n_goals = 1,
                                     .options = options, .n_options = n };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_sampler *sampler = NULL;

    if (!T_OK(asy_sampler_create(space, &spec, &sampler, &err), &err))
        abort();
    return sampler;
}

static void tell(struct asy_sampler *s, uint64_t number, const double *x, double value)
{
    struct asy_outcome o = { .number = number, .state = ASY_OUTCOME_COMPLETE, .x = x,
                             .values = &value, .last_step = -1 };
    struct asy_error err = ASY_ERROR_INIT;

    T_OK(asy_sampler_tell(s, &o, &err), &err);
}

/* Evaluations until the value is at most target, INFINITY beyond max; workers finish at random
 * times between once and three times the shortest. */
static double effort(const struct problem *p, size_t workers, uint64_t seed, double target,
                     size_t max, const struct asy_option *options, size_t n_options)
{
    enum { WORKERS_MAX = 64 };
    struct asy_space *space = space_of(p);
    struct asy_sampler *s = make(space, seed, options, n_options);
    double xs[WORKERS_MAX][D_MAX], ends[WORKERS_MAX], value = INFINITY;
    struct asy_error err = ASY_ERROR_INIT;
    uint64_t numbers[WORKERS_MAX], next = 0;
    struct asy_rng rng;
    size_t done = 0;

    asy_rng_init(&rng, seed, workers, ASY_RNG_SIM);
    for (size_t w = 0; w < workers; w++) {
        T_OK(asy_sampler_ask(s, numbers[w] = next++, NULL, xs[w], &err), &err);
        ends[w] = 0.5 + asy_rng_double(&rng);
    }
    while (value > target && done < max) {
        size_t w = 0;

        for (size_t k = 1; k < workers; k++)
            w = ends[k] < ends[w] ? k : w;
        value = value_at(p, xs[w]);
        tell(s, numbers[w], xs[w], value);
        done++;
        T_OK(asy_sampler_ask(s, numbers[w] = next++, NULL, xs[w], &err), &err);
        ends[w] += 0.5 + asy_rng_double(&rng);
    }
    asy_sampler_destroy(s);
    asy_space_destroy(space);
    return value <= target ? (double)done : INFINITY;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median_effort(const char *name, size_t d, size_t n_ints, int turned, size_t workers,
                            double target, size_t max, const struct asy_option *options,
                            size_t n_options)
{
    enum { RUNS = 25 };
    double efforts[RUNS];

    for (uint64_t run = 0; run < RUNS; run++) {
        struct problem p;

        make_problem(&p, name, d, run, turned);
        p.n_ints = n_ints;
        for (size_t i = 0; i < n_ints; i++)
            p.shift[i] = rint(p.shift[i]);
        efforts[run] = effort(&p, workers, run, target, max, options, n_options);
    }
    qsort(efforts, RUNS, sizeof *efforts, by_value);
    return efforts[RUNS / 2];
}

static void check_effort(const char *name, size_t d, double got, double most)
{
    t__check(got <= most, __LINE__, __FILE__, "%s of %zu: %g evaluations, not at most %g", name, d,
             got, most);
}

/* One worker, as many evaluations as cmaes at most; medians of 25 scatter by a tenth. */
static void it_is_as_fast_as_cmaes(void)
{
    for (size_t c = 0; c < ASY_ARRAY_LEN(effort_cases); c++) {
        const struct effort_case *want = &effort_cases[c];

        check_effort(want->function, want->d,
                     median_effort(want->function, want->d, 0, 0, 1, 1e-8, 30000, NULL, 0),
                     1.2 * want->evaluations);
    }
}

/* 16 workers, each result up to 47 trials late: at most twice the evaluations of one worker in the
 * median, so at least eight times as fast. Without the estimate of where late points came from it
 * is three to five times the evaluations on the last two. */
static void late_results_lose_little(void)
{
    static const struct {
        const char *name;
        size_t d;
    } cases[] = { { "sphere", 10 }, { "ellipsoid", 10 }, { "rosenbrock", 5 } };

    for (size_t c = 0; c < ASY_ARRAY_LEN(cases); c++) {
        double one = median_effort(cases[c].name, cases[c].d, 0, 1, 1, 1e-6, 20000, NULL, 0);
        double many = median_effort(cases[c].name, cases[c].d, 0, 1, 16, 1e-6, 20000, NULL, 0);

        check_effort(cases[c].name, cases[c].d, many, 2 * one);
    }
}

/* A turned ellipsoid is no harder than one along the axes. */
static void rotations_make_no_difference(void)
{
    double straight = median_effort("ellipsoid", 8, 0, 0, 1, 1e-6, 20000, NULL, 0);
    double turned = median_effort("ellipsoid", 8, 0, 1, 1, 1e-6, 20000, NULL, 0);

    T_NEAR("turned", turned, straight, 0.2 * straight);
}

/* Only the order of values counts, so the points stay the same to the bit. */
static void monotone_changes_make_no_difference(void)
{
    struct problem p;
    struct asy_space *space;
    struct asy_sampler *s[3];
    struct asy_error err = ASY_ERROR_INIT;

    make_problem(&p, "rosenbrock", 6, 4, 0);
    space = space_of(&p);
    for (size_t i = 0; i < 3; i++)
        s[i] = make(space, 8, NULL, 0);
    for (uint64_t number = 0; number < 300; number++) {
        double x[3][D_MAX], value;

        for (size_t i = 0; i < 3; i++)
            T_OK(asy_sampler_ask(s[i], number, NULL, x[i], &err), &err);
        T_TRUE(!memcmp(x[0], x[1], p.d * sizeof x[0][0]));
        T_TRUE(!memcmp(x[0], x[2], p.d * sizeof x[0][0]));
        value = value_at(&p, x[0]);
        tell(s[0], number, x[0], value);
        tell(s[1], number, x[1], -exp(-value / 1e5) * 1e-9);
        tell(s[2], number, x[2], value * value * value - 17);
    }
    for (size_t i = 0; i < 3; i++)
        asy_sampler_destroy(s[i]);
    asy_space_destroy(space);
}

/* An optimum in a corner, where three in four draws of two coordinates are outside. */
static void corners_are_found(void)
{
    check_effort("linear", 10, median_effort("linear", 10, 0, 0, 1, 0, 2000, NULL, 0), 1000);
    check_effort("linear", 10, median_effort("linear", 10, 0, 0, 16, 0, 2000, NULL, 0), 1000);
}

static void options_work(void)
{
    static const struct asy_option separable[] = { { "separable", 1 } };
    static const struct asy_option adapt[] = { { "adapt_rate", 1 } };
    static const struct asy_option bipop[] = { { "restarts", 2 }, { "population", 20 } };
    static const struct asy_option both[] = { { "separable", 1 }, { "adapt_rate", 1 } };
    static const enum asy_goal goals[2];
    struct asy_sampler_spec spec = { .name = "cma", .goals = goals, .n_goals = 1, .options = both,
                                     .n_options = 2 };
    double full = median_effort("ellipsoid", 12, 0, 0, 1, 1e-6, 20000, NULL, 0);
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_sampler *s = NULL;
    struct problem p;
    struct asy_space *space;

    /* Axes alone are learnt in less than half of the time (Ros and Hansen 2008). */
    check_effort("separable", 12,
                 median_effort("ellipsoid", 12, 0, 0, 1, 1e-6, 20000, separable, 1), full / 2);
    check_effort("adapt_rate", 4, median_effort("sphere", 4, 0, 0, 1, 1e-6, 5000, adapt, 1), 3000);
    check_effort("bipop", 5, median_effort("sphere", 5, 0, 0, 1, 1e-6, 5000, bipop, 2), 2000);
    make_problem(&p, "sphere", 3, 1, 0);
    space = space_of(&p);
    T_EQ("both", asy_sampler_create(space, &spec, &s, &err), ASY_E_INVAL);
    T_HAS("both", err.text, "adapt_rate needs the whole covariance");
    spec.n_goals = 2;
    T_EQ("goals", asy_sampler_create(space, &spec, &s, &err), ASY_E_INVAL);
    T_HAS("goals", err.text, "takes one objective, not 2");
    asy_space_destroy(space);
}

/* ---- what the answers depend on ------------------------------------------------------------ */

static const struct asy_value words[] = {
    { .type = ASY_VALUE_STRING, .s = "a" }, { .type = ASY_VALUE_STRING, .s = "b" },
    { .type = ASY_VALUE_STRING, .s = "c" }, { .type = ASY_VALUE_STRING, .s = "d" },
};
static const double third[] = { 2 };
static const struct asy_when if_third = { .parent = 1, .values = third, .n_values = 1 };
enum { MIXED = 6 };
static const struct asy_param mixed_params[MIXED] = {
    { .name = "lr", .lo = 1e-5, .hi = 1, .log = 1 },
    { .name = "kind", .type = ASY_PARAM_CHOICE, .choices = words, .n_choices = 4 },
    { .name = "only", .lo = -1, .hi = 1, .whens = &if_third, .n_whens = 1 },
    { .name = "n", .type = ASY_PARAM_INT, .lo = 1, .hi = 64, .log = 1 },
    { .name = "step", .lo = 0, .hi = 1, .step = 0.25 },
    { .name = "one", .lo = 2, .hi = 2 },
};

static struct asy_space *mixed_space(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_space *space = NULL;

    if (!T_OK(asy_space_create(&space, &err), &err))
        abort();
    for (size_t i = 0; i < MIXED; i++)
        if (!T_OK(asy_space_add(space, &mixed_params[i], &err), &err))
            abort();
    return space;
}

static double mixed_value(const double *x)
{
    return pow(log10(x[0]) + 2, 2) + (x[1] == 2 ? pow(x[2] - 0.3, 2) : 1 + x[1] / 4) +
           pow(log2(x[3]) - 4, 2) / 4 + pow(x[4] - 0.75, 2);
}

/* The outcome of trial `number` in a study where everything happens. */
static struct asy_outcome outcome_of(uint64_t number, const double *x, double *value)
{
    struct asy_outcome o = { .number = number, .state = ASY_OUTCOME_COMPLETE, .x = x,
                             .values = value, .last_step = -1 };

    *value = mixed_value(x);
    if (number % 9 == 4) {
        o.state = ASY_OUTCOME_PRUNED;
        o.last_step = (double)(number % 4);
    } else if (number % 9 == 7) {
        o.state = ASY_OUTCOME_FAILED;
        o.diverged = number % 2 == 0;
        o.values = NULL;
    } else if (number % 13 == 5) {
        o.violation = 0.5;
    } else if (number % 17 == 3) {
        *value = number % 2 ? NAN : INFINITY;
    }
    return o;
}

/* Outcomes of one set, in any order, with earlier ones replaced and asks in between, and to a
 * sampler that never asked: the same answers to the bit, also after restarts of the search. */
static void only_the_latest_outcomes_count(void)
{
    enum { N = 400, RUNS = 4 };
    static double xs[N][MIXED];
    const struct asy_option options[] = { { "restarts", 2 } };
    struct asy_space *space = mixed_space();
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_sampler *s[RUNS];
    struct asy_rng rng;
    double value, x[RUNS][MIXED];

    for (size_t r = 0; r < RUNS; r++)
        s[r] = make(space, 5, options, 1);
    for (uint64_t number = 0; number < N; number++) { /* in turn */
        struct asy_outcome o;

        T_OK(asy_sampler_ask(s[0], number, NULL, xs[number], &err), &err);
        o = outcome_of(number, xs[number], &value);
        T_OK(asy_sampler_tell(s[0], &o, &err), &err);
    }
    for (size_t r = 1; r < RUNS; r++) {
        uint32_t order[N];

        asy_rng_init(&rng, 11, r, ASY_RNG_SIM);
        for (uint32_t i = 0; i < N; i++) {
            uint64_t j = asy_rng_below(&rng, i + 1);

            order[i] = order[j];
            order[j] = i;
        }
        for (size_t i = 0; i < N; i++) {
            uint64_t number = order[i];
            struct asy_outcome o = outcome_of(number, xs[number], &value);
            struct asy_outcome early = o;
            double other = 1e-3;

            early.state = i % 2 ? ASY_OUTCOME_COMPLETE : ASY_OUTCOME_RUNNING;
            early.values = &other;
            early.violation = 0;
            if (r > 1)
                T_OK(asy_sampler_tell(s[r], &early, &err), &err);
            if (r > 2 && i % 7 == 0)
                T_OK(asy_sampler_ask(s[r], N + 1, NULL, x[r], &err), &err);
            T_OK(asy_sampler_tell(s[r], &o, &err), &err);
        }
    }
    for (uint64_t number = N; number < N + 20; number++)
        for (size_t r = 0; r < RUNS; r++) {
            T_OK(asy_sampler_ask(s[r], number, NULL, x[r], &err), &err);
            T_TRUE(!memcmp(x[0], x[r], sizeof x[0]));
        }
    for (size_t r = 0; r < RUNS; r++)
        asy_sampler_destroy(s[r]);
    asy_space_destroy(space);
}

static void trials_rank_by_what_became_of_them(void)
{
    static const struct asy__cma_trial ascending[] = {
        { 9, ASY__CMA_FEASIBLE, -INFINITY, 0 }, { 8, ASY__CMA_FEASIBLE, 1, 0 },
        { 10, ASY__CMA_FEASIBLE, 1, 0 },        { 7, ASY__CMA_FEASIBLE, INFINITY, 0 },
        { 6, ASY__CMA_PRUNED, -5, 3 },          { 5, ASY__CMA_PRUNED, -2, 1 },
        { 4, ASY__CMA_PRUNED, -2, 2 },          { 3, ASY__CMA_INFEASIBLE, 0.1, 0 },
        { 2, ASY__CMA_INFEASIBLE, 7, 0 },       { 1, ASY__CMA_DIVERGED, 0, 0 },
    };
    size_t n = ASY_ARRAY_LEN(ascending);

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            T_EQ("order", asy__cma_compare(&ascending[i], &ascending[j]),
                 i < j ? -1 : i > j);
}

/* ---- grids, choices, beginnings ------------------------------------------------------------ */

/* Of a search that sees inside a sampler: the chance to leave the mean's cell. */
static double chance_to_leave(const struct asy__cma_coords *coords, const struct asy__cma *cma,
                              size_t j)
{
    double n = coords->dims[j].n, cell = fmin(fmax(floor(cma->mean[j] * n), 0), n - 1), p = 0;
    double spread = asy__cma_spread(cma, j);

    if (cell > 0)
        p += exp(asy__log_ndtr((cell / n - cma->mean[j]) / spread));
    if (cell < n - 1)
        p += exp(asy__log_ndtr((cma->mean[j] - (cell + 1) / n) / spread));
    return p;
}

/* While the continuous coordinates converge to 1e-9, each whole number may still change. */
static void the_margin_never_collapses(void)
{
    struct problem p;
    struct asy_space *space;
    struct asy_sampler s = { 0 };
    struct asy__cma_search search = { .restarts = ASY__CMA_NO_RESTARTS };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_sampler *real;
    double least = 1, alpha;

    make_problem(&p, "sphere", 6, 2, 0);
    p.n_ints = 3;
    space = space_of(&p);
    s.space = space;
    s.seed = 1;
    s.goals = (enum asy_goal[]){ ASY_MINIMIZE };
    s.n_goals = 1;
    real = make(space, 1, NULL, 0);
    if (!asy__cma_search_init(&search, &s, 0, (struct asy__cma_shape){ 0 })) {
        alpha = 1 / (6.0 * (double)search.lambda);
        for (uint64_t number = 0; number < 1500; number++) {
            double x[6], value;
            struct asy_outcome o = { .number = number, .state = ASY_OUTCOME_COMPLETE, .x = x,
                                     .values = &value };

            T_OK(asy_sampler_ask(real, number, NULL, x, &err), &err);
            value = value_at(&p, x);
            tell(real, number, x, value);
            T_EQ("room", asy__cma_past_reserve(&search.past), 0);
            asy__cma_past_tell(&search.past, &s, &o);
            T_EQ("updated", asy__cma_search_update(&search), 0);
            for (size_t j = 0; j < 3; j++)
                least = fmin(least, chance_to_leave(&search.coords, &search.now, j));
        }
        T_TRUE(asy__cma_spread(&search.now, 5) < 1e-6);
        t__check(least > 0.49 * alpha, __LINE__, __FILE__, "chance %g, not %g", least, alpha / 2);
    }
    asy__cma_search_fini(&search);
    asy_sampler_destroy(real);
    asy_space_destroy(space);
}

static void whole_numbers_are_found(void)
{
    check_effort("ints", 6, median_effort("sphere", 6, 6, 0, 1, 0, 3000, NULL, 0), 600);
    check_effort("half ints", 8, median_effort("sphere", 8, 4, 0, 1, 1e-6, 5000, NULL, 0), 2000);
    check_effort("late", 8, median_effort("sphere", 8, 4, 0, 16, 1e-6, 5000, NULL, 0), 4000);
}

/* Choices and conditional parameters: 200 trials are within 0.05 of the optimum in most runs. */
static void choices_and_conditions_are_learnt(void)
{
    struct asy_space *space = mixed_space();
    struct asy_error err = ASY_ERROR_INIT;
    size_t good = 0, late[2] = { 0 };

    for (uint64_t seed = 0; seed < 20; seed++) {
        struct asy_sampler *s = make(space, seed, NULL, 0);
        double best = INFINITY;

        for (uint64_t number = 0; number < 200; number++) {
            double x[MIXED];

            T_OK(asy_sampler_ask(s, number, NULL, x, &err), &err);
            tell(s, number, x, mixed_value(x));
            best = fmin(best, mixed_value(x));
            late[0] += number >= 150;
            late[1] += number >= 150 && x[1] == 2;
        }
        good += best < 0.05;
        asy_sampler_destroy(s);
    }
    t__check(good >= 16, __LINE__, __FILE__, "only %zu of 20 runs found it", good);
    t__check(late[1] * 2 > late[0], __LINE__, __FILE__, "the best choice %zu of %zu times", late[1],
             late[0]);
    asy_space_destroy(space);
}

/* What an earlier study of the same problem found is told first; the search starts there. */
static void a_warm_start_begins_where_it_was_good(void)
{
    const struct asy_option options[] = { { "warm_trials", 100 } };
    struct asy_error err = ASY_ERROR_INIT;
    double warm = 0, cold = 0;

    for (uint64_t seed = 0; seed < 10; seed++) {
        struct asy_sampler *earlier, *s;
        struct asy_space *space;
        struct problem p;
        double x[D_MAX];

        make_problem(&p, "sphere", 5, seed, 0);
        space = space_of(&p);
        earlier = make(space, seed + 100, NULL, 0);
        s = make(space, seed, options, 1);
        for (uint64_t number = 0; number < 100; number++) {
            T_OK(asy_sampler_ask(earlier, number, NULL, x, &err), &err);
            tell(earlier, number, x, value_at(&p, x));
            tell(s, number, x, value_at(&p, x));
            cold += number < 30 ? value_at(&p, x) : 0;
        }
        for (uint64_t number = 100; number < 130; number++) {
            T_OK(asy_sampler_ask(s, number, NULL, x, &err), &err);
            tell(s, number, x, value_at(&p, x));
            warm += value_at(&p, x);
        }
        asy_sampler_destroy(earlier);
        asy_sampler_destroy(s);
        asy_space_destroy(space);
    }
    t__check(warm < cold / 3, __LINE__, __FILE__, "%g, not a third of %g", warm, cold);
}

/* Nothing changes any more: another run, with twice the batch, from elsewhere. */
static void it_starts_anew_where_all_is_flat(void)
{
    struct asy__cma_regime regime = { .usual = 8, .large = 8 };
    struct asy_rng rng;
    double sigma = 1;
    size_t small = 0;

    asy_rng_init(&rng, 1, 1, ASY_RNG_SIM);
    T_EQ("ipop", asy__cma_next(&regime, ASY__CMA_IPOP, &rng, &sigma), 16);
    T_EQ("ipop", asy__cma_next(&regime, ASY__CMA_IPOP, &rng, &sigma), 32);
    T_NEAR("spread", sigma, 1, 0);
    regime = (struct asy__cma_regime){ .usual = 8, .large = 8 };
    T_EQ("none", asy__cma_next(&regime, ASY__CMA_NO_RESTARTS, &rng, &sigma), 8);
    regime = (struct asy__cma_regime){ .usual = 8, .large = 8 };
    for (size_t run = 0; run < 20; run++) {
        size_t lambda;

        sigma = 1;
        lambda = asy__cma_next(&regime, ASY__CMA_BIPOP, &rng, &sigma);
        T_TRUE(regime.small ? lambda >= 8 - 8 * (regime.large < 16) && lambda <= regime.large / 2
                            : lambda == regime.large);
        T_TRUE(regime.small ? sigma >= 0.01 && sigma <= 1 : sigma == 1);
        regime.used[regime.small] += lambda * 50;
        small += (size_t)regime.small;
    }
    T_TRUE(small >= 5 && small <= 18);
}

static void flat_objectives_end_a_run(void)
{
    struct problem p;
    struct asy_space *space;
    struct asy_sampler *s;
    struct asy_error err = ASY_ERROR_INIT;
    double first[D_MAX] = { 0 }, later[D_MAX] = { 0 };

    make_problem(&p, "sphere", 2, 1, 0);
    space = space_of(&p);
    s = make(space, 2, NULL, 0);
    for (uint64_t number = 0; number < 4000; number++) {
        double x[2];

        T_OK(asy_sampler_ask(s, number, NULL, x, &err), &err);
        T_OK(asy_space_check(space, x, &err), &err);
        tell(s, number, x, 1);
        for (size_t j = 0; j < 2; j++) {
            first[j] = number < 60 ? fmax(first[j], fabs(x[j])) : first[j];
            later[j] = number >= 1000 ? fmax(later[j], fabs(x[j])) : later[j];
        }
    }
    T_TRUE(later[0] > 4 && later[1] > 4); /* runs from elsewhere have been all over the place */
    T_TRUE(first[0] <= 5 && first[1] <= 5);
    asy_sampler_destroy(s);
    asy_space_destroy(space);
}

/* Beyond 200 parameters a search is separable, and still one. */
static void many_parameters_are_searched(void)
{
    enum { MANY = 300 };
    static double x[MANY];
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_space *space = NULL;
    struct asy_sampler *s;
    double first = 0, last = 0;

    if (!T_OK(asy_space_create(&space, &err), &err))
        return;
    for (size_t i = 0; i < MANY; i++) {
        char name[24];
        struct asy_param param = { .name = name, .lo = 0, .hi = 1 };

        snprintf(name, sizeof name, "x%zu", i);
        T_OK(asy_space_add(space, &param, &err), &err);
    }
    s = make(space, 4, NULL, 0);
    for (uint64_t number = 0; number < 2000; number++) {
        double value = 0;

        T_OK(asy_sampler_ask(s, number, NULL, x, &err), &err);
        for (size_t i = 0; i < MANY; i++)
            value += pow(x[i] - 0.3, 2);
        tell(s, number, x, value);
        first += number < 20 ? value / 20 : 0;
        last += number >= 1980 ? value / 20 : 0;
    }
    t__check(last < first / 3, __LINE__, __FILE__, "%g after %g", last, first);
    asy_sampler_destroy(s);
    asy_space_destroy(space);
}

T_MAIN("cma", T_TEST(steps_are_those_of_cmaes), T_TEST(draws_are_of_the_distribution),
       T_TEST(it_is_as_fast_as_cmaes), T_TEST(late_results_lose_little),
       T_TEST(rotations_make_no_difference), T_TEST(monotone_changes_make_no_difference),
       T_TEST(corners_are_found), T_TEST(options_work), T_TEST(only_the_latest_outcomes_count),
       T_TEST(trials_rank_by_what_became_of_them), T_TEST(the_margin_never_collapses),
       T_TEST(whole_numbers_are_found), T_TEST(choices_and_conditions_are_learnt),
       T_TEST(a_warm_start_begins_where_it_was_good), T_TEST(it_starts_anew_where_all_is_flat),
       T_TEST(flat_objectives_end_a_run), T_TEST(many_parameters_are_searched))
