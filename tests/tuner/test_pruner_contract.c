/* SPDX-License-Identifier: Apache-2.0
 * test_pruner_contract.c - what every pruner promises, held on random logs of each by its name. */
#include <asy/rng.h>
#include <asy/tuner.h>
#include "asytest.h"

enum { TRIALS = 40, EVENTS = 3000, LENGTH = 60, GOALS = 2 };
static const enum asy_goal down[GOALS] = { ASY_MINIMIZE, ASY_MINIMIZE };
static const enum asy_goal up[GOALS] = { ASY_MAXIMIZE, ASY_MAXIMIZE };

struct run {
    struct asy_pruner *p;
    double sign;             /* of the values reported */
    uint64_t trace;          /* of all that was answered */
    size_t stopped, paused, promoted;
};
struct trial {
    uint64_t step, goal;
    enum { NEW, RUNS, WAITS, OVER } state;
};

static struct asy_pruner *make(const char *name, int can_pause, const enum asy_goal *goals)
{
    static const struct asy_option upper = { "upper", 8 };
    struct asy_pruner_spec spec = { .name = name, .options = &upper, .goals = goals,
                                    .n_options = !strcmp(name, "threshold"), .n_goals = GOALS,
                                    .length_max = LENGTH, .can_pause = can_pause };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_pruner *p = NULL;

    if (!T_OK(asy_pruner_create(&spec, &p, &err), &err))
        abort();
    return p;
}

static void note(struct run *r, uint64_t a, uint64_t b)
{
    r->trace = (r->trace ^ a ^ b << 32) * 0x9e3779b97f4a7c15u;
}

static void note_text(struct run *r, const char *name, uint64_t number, int must)
{
    char text[240];

    asy_pruner_explain(r->p, number, text, sizeof text);
    if (must)
        T_TRUE(!strncmp(text, name, strlen(name)) && text[strlen(name)] == ':');
    for (const char *c = text; r->sign > 0 && *c; c++)
        note(r, (uint64_t)*c, 1);
}

static void report(struct run *r, const char *name, struct trial *t, uint64_t i,
                   struct asy_rng *rng)
{
    double values[GOALS];
    enum asy_verdict got;

    for (size_t g = 0; g < GOALS; g++) {
        uint64_t kind = asy_rng_below(rng, 40);

        values[g] = kind == 0   ? (double)NAN
                    : kind == 1 ? (double)INFINITY
                                : (double)(i % 9 + asy_rng_below(rng, 6)) / 2;
        values[g] *= r->sign;
    }
    t->step += 1 + asy_rng_below(rng, 3);
    t->step = t->step < t->goal ? t->step : t->goal;
    got = asy_pruner_report(r->p, i, t->step, values);
    note(r, i, got);
    if (got != ASY_GO_ON) {
        T_EQ("the same again", asy_pruner_report(r->p, i, t->step + 1, values), got);
        note_text(r, name, i, 1);
    }
    r->stopped += got == ASY_STOP;
    r->paused += got == ASY_PAUSE;
    if (got == ASY_PAUSE) {
        T_EQ("pauses at its milestone", t->step, t->goal);
        t->state = WAITS;
    } else if (got == ASY_STOP || t->step == LENGTH) {
        t->state = OVER;
        asy_pruner_ended(r->p, i, got != ASY_STOP);
        T_EQ("of who has ended",
             asy_pruner_report(r->p, i, t->step + 1, values) != ASY_PAUSE, 1);
    }
}

static void promote(struct run *r, struct trial *trials, int last)
{
    uint64_t number = 0, upto = 0, again = 0, upto_again = 0;
    int (*call)(struct asy_pruner *, uint64_t *, uint64_t *) =
        last ? asy_pruner_promote_last : asy_pruner_promote;

    if (!call(r->p, &number, &upto))
        return;
    asy_pruner_unpromote(r->p, number);
    T_EQ("given back", call(r->p, &again, &upto_again), 1);
    T_TRUE(again == number && upto_again == upto);
    if (!T_TRUE(number < TRIALS && trials[number].state == WAITS))
        return;
    T_TRUE(upto > trials[number].step && upto <= LENGTH);
    T_TRUE(last ? upto == LENGTH
                : upto == asy_pruner_milestone(r->p, number, trials[number].step));
    if (last) {
        asy_pruner_unpromote(r->p, number);
        return;
    }
    trials[number].goal = upto;
    trials[number].state = RUNS;
    r->promoted++;
    note(r, number, upto);
}

static void play(struct run *r, const char *name, uint64_t seed)
{
    struct trial trials[TRIALS] = { 0 };
    struct asy_rng rng;

    asy_rng_init(&rng, seed, 1, ASY_RNG_SIM);
    for (size_t e = 0; e < EVENTS; e++) {
        uint64_t i = asy_rng_below(&rng, TRIALS), what = asy_rng_below(&rng, 60);
        struct trial *t = &trials[i];

        if (what < 12) {
            promote(r, trials, what == 0);
        } else if (t->state == NEW) {
            t->goal = asy_pruner_milestone(r->p, i, 0);
            t->state = RUNS;
        } else if (what == 12 && t->state != OVER) { /* failed, or cancelled while it waits */
            t->state = OVER;
            asy_pruner_ended(r->p, i, 0);
        } else if (t->state == RUNS) {
            report(r, name, t, i, &rng);
        }
        note_text(r, name, i, 0);
    }
}

static void the_same_calls_give_the_same_answers(void)
{
    const char *name;

    for (size_t k = 0; (name = asy_pruner_name(k)); k++)
        for (int can_pause = 0; can_pause < 2; can_pause++) {
            size_t stopped = 0, paused = 0, promoted = 0;
            int stops = 0;

            for (uint64_t seed = 0; seed < 60; seed++) {
                struct run a = { make(name, can_pause, down), 1, 0, 0, 0, 0 };
                struct run b = { make(name, can_pause, down), 1, 0, 0, 0, 0 };

                stops = asy_pruner_stops(a.p);
                play(&a, name, seed);
                play(&b, name, seed);
                T_TRUE(a.trace == b.trace);
                stopped += a.stopped;
                paused += a.paused;
                promoted += a.promoted;
                asy_pruner_destroy(a.p);
                asy_pruner_destroy(b.p);
            }
            t__check((stopped > 0) == stops && (paused > 0) == (promoted > 0) &&
                         (stops || paused || !strcmp(name, "none")),
                     __LINE__, __FILE__, "%s, can_pause %d: %zu stopped, %zu paused, %zu promoted",
                     name, can_pause, stopped, paused, promoted);
        }
}

static void maximising_is_minimising_the_negation(void)
{
    const char *name;

    for (size_t k = 0; (name = asy_pruner_name(k)); k++)
        for (uint64_t seed = 0; seed < 60 && strcmp(name, "threshold") != 0; seed++) {
            struct run a = { make(name, seed % 2, down), 1, 0, 0, 0, 0 };
            struct run b = { make(name, seed % 2, up), -1, 0, 0, 0, 0 };

            play(&a, name, seed);
            play(&b, name, seed);
            T_EQ(name, a.stopped, b.stopped);
            T_EQ(name, a.paused, b.paused);
            T_EQ(name, a.promoted, b.promoted);
            asy_pruner_destroy(a.p);
            asy_pruner_destroy(b.p);
        }
}

static void milestones_rise_to_the_whole_length(void)
{
    const char *name;

    for (size_t k = 0; (name = asy_pruner_name(k)); k++)
        for (int can_pause = 0; can_pause < 2; can_pause++) {
            struct asy_pruner *p = make(name, can_pause, down);

            for (uint64_t i = 0; i < 50; i++)
                for (uint64_t step = 0; step < LENGTH;) {
                    uint64_t next = asy_pruner_milestone(p, i, step);

                    if (!T_TRUE(next > step && next <= LENGTH))
                        break;
                    for (uint64_t s = step; s < next; s++)
                        T_TRUE(asy_pruner_milestone(p, i, s) == next);
                    step = next;
                }
            T_TRUE(asy_pruner_milestone(p, 3, LENGTH) == LENGTH);
            asy_pruner_destroy(p);
        }
}

T_MAIN("pruner-contract", T_TEST(the_same_calls_give_the_same_answers),
       T_TEST(maximising_is_minimising_the_negation), T_TEST(milestones_rise_to_the_whole_length))
