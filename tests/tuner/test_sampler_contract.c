/* SPDX-License-Identifier: Apache-2.0
 * test_sampler_contract.c - what every sampler promises, held on random studies with each by its
 * name, over spaces of every kind of parameter and one to three objectives: points that are given,
 * several trials at once, results in any order, told twice, asked for again, beyond all bounds,
 * infeasible or none. What a sampler refuses is named (refuses()). */
#include <asy/rng.h>
#include <asy/tuner.h>
#include "asytest.h"
#include "spaces.h"

enum { LEN = T_SPACE_LEN, GOALS = 3, TRIALS = 60, EVENTS = 400, RUNNING = 6, GIVEN = 3 };
static const enum asy_goal down[GOALS] = { ASY_MINIMIZE, ASY_MINIMIZE, ASY_MINIMIZE };
static const enum asy_goal up[GOALS] = { ASY_MAXIMIZE, ASY_MAXIMIZE, ASY_MAXIMIZE };

struct trial {
    double x[LEN], values[GOALS];
    struct asy_outcome outcome; /* the latest that was told; RUNNING: none yet */
};
struct study {
    const char *name;        /* of its sampler */
    struct asy_space *space;
    struct asy_sampler_spec spec;
    struct asy_sampler *s;
    double sign;             /* of all values that are told */
    int restarts;            /* the sampler is made anew now and then */
    struct asy_rng rng, own; /* of the study's events; of restarts */
    struct trial trials[TRIALS];
    size_t n, running, enough;
    uint64_t trace;          /* of all points */
};

static struct asy_space *make_space(size_t k)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_space *space = NULL;

    if (!T_OK(asy_space_create(&space, &err), &err))
        abort();
    for (size_t i = 0; i < t_spaces[k].n; i++)
        if (!T_OK(asy_space_add(space, &t_spaces[k].params[i], &err), &err))
            abort();
    return space;
}

static int is_population(const struct study *study)
{
    return asy_population_of(study->name, study->spec.options, study->spec.n_options, 60).size > 0;
}

/* Few trials have to do for those whose asks take long. */
static int is_slow(const char *name)
{
    return !strcmp(name, "gp") || !strcmp(name, "auto");
}

static struct asy_sampler_spec spec_of(const char *name, const enum asy_goal *goals, size_t n_goals)
{
    static const struct asy_option soon = { "startup_trials", 4 }, litters = { "population", 8 };
    int gp = !strcmp(name, "gp"), nsga = !strncmp(name, "nsga", 4);

    return (struct asy_sampler_spec){ .name = name, .seed = 5, .goals = goals, .n_goals = n_goals,
                                      .options = gp ? &soon : &litters, .n_options = gp || nsga,
                                      .budget = TRIALS, .n_enqueued = GIVEN };
}

static int refuses(const char *name, const struct asy_space *space, size_t n_goals)
{
    if (!strcmp(name, "grid") || !strcmp(name, "brute_force"))
        return !isfinite(asy_space_cardinality(space));
    if (!strcmp(name, "cma") || !strncmp(name, "pb", 2))
        return n_goals > 1;
    return !strcmp(name, "gp") && n_goals > 2;
}

/* ---- events -------------------------------------------------------------------------------- */

static void note(struct study *study, const double *x)
{
    for (size_t i = 0; i < asy_space_len(study->space); i++) {
        uint64_t bits;

        memcpy(&bits, &x[i], sizeof bits);
        study->trace = (study->trace ^ (isnan(x[i]) ? 7 : bits)) * 0x9e3779b97f4a7c15u;
    }
}

static int tell(struct asy_sampler *s, const struct trial *t)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_outcome o = t->outcome;

    o.x = t->x;
    o.values = o.state == ASY_OUTCOME_RUNNING || o.state == ASY_OUTCOME_FAILED ? NULL : t->values;
    return T_OK(asy_sampler_tell(s, &o, &err), &err);
}

/* One made anew, which hears of what there was in another order. */
static void restart(struct study *study)
{
    struct asy_error err = ASY_ERROR_INIT;
    size_t order[TRIALS];

    asy_sampler_destroy(study->s);
    study->s = NULL;
    if (!T_OK(asy_sampler_create(study->space, &study->spec, &study->s, &err), &err))
        abort();
    for (size_t i = 0; i < study->n; i++) {
        size_t k = asy_rng_below(&study->own, i + 1);

        order[i] = order[k];
        order[k] = i;
    }
    for (size_t i = 0; i < study->n; i++)
        tell(study->s, &study->trials[order[i]]);
}

/* Some values of a point that is drawn at random, at least one in three. */
static void give(struct study *study, uint64_t number, double *ret_fixed)
{
    struct asy_sampler_spec spec = { .name = "random", .seed = number, .goals = down,
                                     .n_goals = 1 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_sampler *random = NULL;

    if (!T_OK(asy_sampler_create(study->space, &spec, &random, &err), &err))
        abort();
    T_OK(asy_sampler_ask(random, number, NULL, ret_fixed, &err), &err);
    asy_sampler_destroy(random);
    for (size_t i = 0; i < asy_space_len(study->space); i++)
        if (i % 3 != number % 3 && asy_rng_below(&study->rng, 2))
            ret_fixed[i] = ASY_INACTIVE;
}

static void check_point(const struct study *study, const double *x, const double *fixed)
{
    struct asy_error err = ASY_ERROR_INIT;

    t__check(asy_space_check(study->space, x, &err) == 0, __LINE__, __FILE__, "%s: %s", study->name,
             err.text);
    for (size_t i = 0; fixed && i < asy_space_len(study->space); i++)
        T_TRUE(isnan(fixed[i]) || isnan(x[i]) || x[i] == fixed[i]);
}

/* Asks for trial `number`, new or not; whether it has a point now. */
static int ask(struct study *study, size_t number)
{
    struct trial *t = &study->trials[number];
    struct asy_error err = ASY_ERROR_INIT;
    double fixed[LEN], x[LEN];
    int rc;

    if (study->restarts && asy_rng_below(&study->own, 4) == 0)
        restart(study);
    if (number < GIVEN)
        give(study, number, fixed);
    rc = asy_sampler_ask(study->s, number, number < GIVEN ? fixed : NULL, x, &err);
    if (rc) {
        T_TRUE(rc == ASY_E_FULL || (rc == ASY_E_GONE && is_population(study)));
        return 0;
    }
    check_point(study, x, number < GIVEN ? fixed : NULL);
    memcpy(t->x, x, sizeof x);
    t->outcome = (struct asy_outcome){ .number = number, .state = ASY_OUTCOME_RUNNING,
                                       .last_step = -1, .origin = asy_sampler_origin(study->s) };
    note(study, x);
    return 1;
}

/* Whether there is a next trial. */
static int ask_next(struct study *study)
{
    if (!ask(study, study->n))
        return 0;
    study->n++;
    study->running++;
    return 1;
}

static int ask_some(struct study *study, size_t n)
{
    size_t len = asy_space_len(study->space);
    struct asy_error err = ASY_ERROR_INIT;
    double xs[RUNNING * LEN];

    if (n == 1 || study->n < GIVEN || is_population(study))
        return ask_next(study);
    if (asy_sampler_ask_many(study->s, study->n, n, xs, &err))
        return ask_next(study); /* the space ends within them */
    for (size_t i = 0; i < n; i++) {
        struct trial *t = &study->trials[study->n];

        check_point(study, &xs[i * len], NULL);
        note(study, &xs[i * len]);
        memcpy(t->x, &xs[i * len], len * sizeof *xs);
        t->outcome = (struct asy_outcome){ .number = study->n++, .state = ASY_OUTCOME_RUNNING,
                                           .last_step = -1 };
    }
    study->running += n;
    return 1;
}

static double draw_value(struct study *study, const double *x)
{
    static const double odd[] = { NAN, INFINITY, -INFINITY, 1.7e308, -1.7e308, 5e-324, -0.0 };
    size_t kind = asy_rng_below(&study->rng, 40);
    double sum = (double)asy_rng_below(&study->rng, 3) / 2;

    if (kind < ASY_ARRAY_LEN(odd))
        return study->sign * odd[kind];
    for (size_t i = 0; i < asy_space_len(study->space); i++)
        sum += isnan(x[i]) ? 1 : fabs(x[i] - 2) / (2 + fabs(x[i]));
    return study->sign * sum;
}

/* A result of a trial, also of one that has one. */
static void end(struct study *study, struct trial *t)
{
    static const enum asy_outcome_state states[] = {
        ASY_OUTCOME_COMPLETE, ASY_OUTCOME_COMPLETE, ASY_OUTCOME_COMPLETE, ASY_OUTCOME_PRUNED,
        ASY_OUTCOME_FAILED
    };
    enum asy_outcome_state state = states[asy_rng_below(&study->rng, ASY_ARRAY_LEN(states))];

    study->running -= t->outcome.state == ASY_OUTCOME_RUNNING;
    for (size_t g = 0; g < GOALS; g++)
        t->values[g] = draw_value(study, t->x);
    t->outcome.state = state;
    t->outcome.last_step = (double)asy_rng_below(&study->rng, 5) - 1;
    t->outcome.violation = asy_rng_below(&study->rng, 4) ? 0 : asy_rng_double(&study->rng);
    t->outcome.diverged = state == ASY_OUTCOME_FAILED && asy_rng_below(&study->rng, 2);
    tell(study->s, t);
}

static void ask_again(struct study *study, size_t number)
{
    int ran = study->trials[number].outcome.state == ASY_OUTCOME_RUNNING;

    if (!is_population(study) && ask(study, number))
        study->running += !ran;
}

/* One that runs, if any does. */
static size_t pick_running(struct study *study)
{
    size_t i = asy_rng_below(&study->rng, study->n);

    for (size_t n = study->n; n > 0 && study->trials[i].outcome.state != ASY_OUTCOME_RUNNING; n--)
        i = (i + 1) % study->n;
    return i;
}

static void play(struct study *study)
{
    for (size_t e = 0; e < EVENTS && study->n < study->enough; e++) {
        uint64_t what = asy_rng_below(&study->rng, 16);

        if (what < 9 && study->running < RUNNING) {
            if (!ask_some(study, 1 + what % 3))
                return;
            continue;
        }
        if (study->n == 0)
            continue;
        if (what == 15)
            ask_again(study, asy_rng_below(&study->rng, study->n));
        else if (what == 14)
            end(study, &study->trials[asy_rng_below(&study->rng, study->n)]);
        else if (study->running > 0)
            end(study, &study->trials[pick_running(study)]);
    }
    T_TRUE(study->n >= study->enough);
}

/* Plays a study; 0: the sampler does not take that. */
static int run(const char *name, size_t k, const enum asy_goal *goals, size_t n_goals, int restarts,
               uint64_t seed, uint64_t *ret_trace)
{
    struct study study = { .name = name, .space = make_space(k), .restarts = restarts,
                           .sign = goals == up ? -1 : 1, .spec = spec_of(name, goals, n_goals),
                           .enough = is_slow(name) ? 14 : TRIALS - RUNNING };
    struct asy_error err = ASY_ERROR_INIT;
    int rc = asy_sampler_create(study.space, &study.spec, &study.s, &err);

    T_EQ(name, rc, refuses(name, study.space, n_goals) ? ASY_E_INVAL : 0);
    asy_rng_init(&study.rng, seed, 1, ASY_RNG_SIM);
    asy_rng_init(&study.own, seed, 2, ASY_RNG_SIM);
    if (rc == 0)
        play(&study);
    *ret_trace = study.trace;
    asy_sampler_destroy(study.s);
    asy_space_destroy(study.space);
    return rc == 0;
}

/* ---- what holds ---------------------------------------------------------------------------- */

/* Studies of one sampler, space and number of objectives, each twice; the second time things differ
 * that must not count. */
static void play_twice(const char *what, const char *name, size_t k, size_t n_goals,
                       const enum asy_goal *goals, int restarts)
{
    for (uint64_t seed = 0; seed < (is_slow(name) ? 1 : 12); seed++) {
        uint64_t a = 0, b = 0;

        if (!run(name, k, down, n_goals, 0, seed, &a))
            return;
        run(name, k, goals, n_goals, restarts, seed, &b);
        t__check(a == b, __LINE__, __FILE__, "%s counts: %s, space '%s', %zu objectives, seed %d",
                 what, name, t_spaces[k].name, n_goals, (int)seed);
    }
}

static void play_all(const char *what, const enum asy_goal *goals, int restarts)
{
    const char *name;

    for (size_t i = 0; (name = asy_sampler_name(i)); i++)
        for (size_t k = 0; k < ASY_ARRAY_LEN(t_spaces); k++)
            for (size_t n_goals = 1; n_goals <= GOALS; n_goals++)
                play_twice(what, name, k, n_goals, goals, restarts);
}

static void a_restart_changes_nothing(void)
{
    play_all("a restart", down, 1);
}

static void maximising_is_minimising_the_negation(void)
{
    play_all("maximising", up, 0);
}

T_MAIN("sampler-contract", T_TEST(a_restart_changes_nothing),
       T_TEST(maximising_is_minimising_the_negation))
