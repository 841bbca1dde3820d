/* SPDX-License-Identifier: Apache-2.0
 * Bytes as a study: what a sampler, or a pruner, is told. The first three choose it, its space and
 * objectives; then each byte is an event with the numbers that follow, any doubles. Every point is
 * one of the space, and a sampler that is made anew and told the same in another order gives the
 * same one next. */
#include <asy/tuner.h>
#include <string.h>
#include "fuzz.h"
#include "../tuner/spaces.h"

enum { GOALS = 3, TRIALS = 40, LENGTH = 30 };
struct bytes {
    const uint8_t *at, *end;
};
struct trial {
    double x[T_SPACE_LEN], values[GOALS];
    struct asy_outcome outcome;
};
struct study {
    const struct asy_space *space;
    struct asy_sampler_spec spec;
    struct asy_sampler *s;
    struct trial trials[TRIALS];
    size_t n, most;
};

static uint8_t next(struct bytes *b)
{
    return b->at < b->end ? *b->at++ : 0;
}

/* A small whole number, or, behind a byte of 255, any double. */
static double next_double(struct bytes *b)
{
    uint8_t first = next(b);
    uint64_t bits = 0;
    double v;

    if (first < 255)
        return (double)first - 8;
    for (size_t i = 0; i < sizeof bits; i++)
        bits |= (uint64_t)next(b) << 8 * i;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static size_t count_names(const char *(*name)(size_t))
{
    size_t n = 0;

    while (name(n))
        n++;
    return n;
}

/* ---- samplers ------------------------------------------------------------------------------ */

static int ask(struct asy_sampler *s, uint64_t number, const struct asy_space *space, double *ret_x)
{
    struct asy_error err = ASY_ERROR_INIT;
    int rc = asy_sampler_ask(s, number, NULL, ret_x, &err);

    FUZZ_CHECK(rc == 0 || rc == ASY_E_FULL || rc == ASY_E_GONE);
    FUZZ_CHECK(rc || asy_space_check(space, ret_x, &err) == 0);
    return rc;
}

static void tell(struct asy_sampler *s, const struct trial *t)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_outcome o = t->outcome;

    o.x = t->x;
    o.values = o.state == ASY_OUTCOME_RUNNING || o.state == ASY_OUTCOME_FAILED ? NULL : t->values;
    FUZZ_CHECK(asy_sampler_tell(s, &o, &err) == 0);
}

static void end(struct study *study, struct trial *t, struct bytes *b)
{
    uint8_t how = next(b);

    t->outcome.state = how % 8 == 0   ? ASY_OUTCOME_FAILED
                       : how % 8 == 1 ? ASY_OUTCOME_RUNNING
                       : how % 8 < 4  ? ASY_OUTCOME_PRUNED
                                      : ASY_OUTCOME_COMPLETE;
    t->outcome.last_step = how & 8 ? next_double(b) : -1;
    t->outcome.violation = how & 16 ? fabs(next_double(b)) : 0;
    t->outcome.diverged = how % 8 == 0 && how & 32;
    t->outcome.over = how & 64 && t->outcome.state == ASY_OUTCOME_COMPLETE;
    for (size_t g = 0; g < study->spec.n_goals; g++)
        t->values[g] = next_double(b);
    tell(study->s, t);
}

/* Whether there is a next trial. */
static int ask_next(struct study *study)
{
    struct trial *t = &study->trials[study->n];

    if (ask(study->s, study->n, study->space, t->x))
        return 0;
    t->outcome = (struct asy_outcome){ .number = study->n++, .state = ASY_OUTCOME_RUNNING,
                                       .last_step = -1, .origin = asy_sampler_origin(study->s) };
    return 1;
}

static void make_anew(struct study *study)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_sampler *other = NULL;
    double x[2][T_SPACE_LEN] = { 0 };
    int rc[2];

    FUZZ_CHECK(asy_sampler_create(study->space, &study->spec, &other, &err) == 0);
    for (size_t i = study->n; i-- > 0;)
        tell(other, &study->trials[i]);
    rc[0] = ask(study->s, study->n, study->space, x[0]);
    rc[1] = ask(other, study->n, study->space, x[1]);
    FUZZ_CHECK(rc[0] == rc[1]);
    for (size_t i = 0; rc[0] == 0 && i < asy_space_len(study->space); i++)
        FUZZ_CHECK(isnan(x[0][i]) ? isnan(x[1][i]) : x[0][i] == x[1][i]);
    asy_sampler_destroy(other);
}

static void play_sampler(struct study *study, struct bytes *b)
{
    while (b->at < b->end && study->n < study->most) {
        uint8_t what = next(b);

        if (study->n == 0 || what < 128) {
            if (!ask_next(study))
                break;
        } else {
            end(study, &study->trials[what % study->n], b);
        }
    }
    make_anew(study);
}

static void run_sampler(const struct asy_space *space, const enum asy_goal *goals, size_t n_goals,
                        uint8_t which, struct bytes *b)
{
    static const struct asy_option soon = { "startup_trials", 3 };
    const char *name = asy_sampler_name(which % count_names(asy_sampler_name));
    int gp = !strcmp(name, "gp"), slow = gp || !strcmp(name, "auto");
    struct study study = { .space = space, .most = slow ? 14 : TRIALS - 1,
                           .spec = { .name = name, .options = &soon, .goals = goals,
                                     .n_options = gp || !strcmp(name, "tpe"), .budget = TRIALS,
                                     .n_goals = n_goals } };
    struct asy_error err = ASY_ERROR_INIT;

    if (asy_sampler_create(space, &study.spec, &study.s, &err) == 0)
        play_sampler(&study, b);
    asy_sampler_destroy(study.s);
}

/* ---- pruners ------------------------------------------------------------------------------- */

static void play_pruner(struct asy_pruner *p, struct bytes *b)
{
    uint64_t steps[TRIALS] = { 0 }, goals[TRIALS];
    char text[240];

    for (uint64_t i = 0; i < TRIALS; i++)
        goals[i] = asy_pruner_milestone(p, i, 0);
    while (b->at < b->end) {
        uint8_t what = next(b);
        uint64_t i = what % TRIALS, upto;
        double values[GOALS];

        if (what >= 240 && asy_pruner_promote(p, &i, &upto)) {
            FUZZ_CHECK(i < TRIALS && upto > steps[i] && upto <= LENGTH);
            goals[i] = upto;
        } else if (what >= 220) {
            asy_pruner_ended(p, i, what % 2);
        } else if (steps[i] < goals[i]) {
            for (size_t g = 0; g < GOALS; g++)
                values[g] = next_double(b);
            FUZZ_CHECK(asy_pruner_report(p, i, ++steps[i], values) != ASY_PAUSE ||
                       steps[i] == goals[i]);
        }
        if (i < TRIALS) /* promote() leaves it alone where nobody waits */
            asy_pruner_explain(p, i, text, sizeof text);
    }
}

static void run_pruner(const enum asy_goal *goals, uint8_t which, struct bytes *b)
{
    static const struct asy_option upper = { "upper", 8 };
    const char *name = asy_pruner_name(which % count_names(asy_pruner_name));
    struct asy_pruner_spec spec = { .name = name, .options = &upper, .goals = goals,
                                    .n_options = !strcmp(name, "threshold"), .n_goals = GOALS,
                                    .length_max = LENGTH, .can_pause = which & 64 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_pruner *p = NULL;

    FUZZ_CHECK(asy_pruner_create(&spec, &p, &err) == 0);
    play_pruner(p, b);
    asy_pruner_destroy(p);
}

/* ---- both ---------------------------------------------------------------------------------- */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes b = { data, data + size };
    uint8_t which = next(&b), where = next(&b) % ASY_ARRAY_LEN(t_spaces), many = next(&b);
    enum asy_goal goals[GOALS];
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_space *space = NULL;

    for (size_t g = 0; g < GOALS; g++)
        goals[g] = many >> (2 + g) & 1 ? ASY_MAXIMIZE : ASY_MINIMIZE;
    if (size > 1u << 12 || asy_space_create(&space, &err))
        return 0;
    for (size_t i = 0; i < t_spaces[where].n; i++)
        FUZZ_CHECK(asy_space_add(space, &t_spaces[where].params[i], &err) == 0);
    if (which & 128)
        run_pruner(goals, which & 127, &b);
    else
        run_sampler(space, goals, 1 + many % GOALS, which, &b);
    asy_space_destroy(space);
    return 0;
}
