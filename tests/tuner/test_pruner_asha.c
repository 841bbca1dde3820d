/* SPDX-License-Identifier: Apache-2.0
 * test_pruner_asha.c - both rules by which asha promotes, on hundreds of random sweeps against the
 * rule stated again as plainly as possible; what rule 2 tells, and that it is for pauses alone. */
#include <string.h>
#include <asy/rng.h>
#include <asy/tuner.h>
#include "asytest.h"

enum { MANY = 60, SWEEPS = 600, RUNGS = 6, LENGTH = 60, REDUCTION = 4 };
/* Lowest rung 2: the lengths of each rule below LENGTH. */
static const uint64_t lengths[2][RUNGS + 1] = { { 2, 8, 32, LENGTH },
                                                { 2, 4, 8, 16, 32, LENGTH } };
static const size_t n_rungs[2] = { 3, 5 };

static struct asy_pruner *make(int rule, enum asy_goal goal, int can_pause)
{
    const struct asy_option options[] = { { "min", 2 }, { "reduction", REDUCTION },
                                          { "rule", rule } };
    const struct asy_pruner_spec spec = { .name = "asha", .options = options,
                                          .n_options = rule ? 3 : 2, .goals = &goal, .n_goals = 1,
                                          .length_max = LENGTH, .can_pause = can_pause };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_pruner *p = NULL;

    if (!T_OK(asy_pruner_create(&spec, &p, &err), &err))
        abort();
    return p;
}

/* ---- the rules, plainly ---------------------------------------------------------------------- */

struct trial {
    double value[RUNGS]; /* at each rung where it has an entry */
    int has[RUNGS], waits;
    int newest;          /* rung; -1: none */
    uint64_t step, goal;
    int state;           /* 0 new, 1 runs, 2 waits, 3 over */
};
struct sweep {
    struct asy_pruner *p;
    int rule;
    struct trial t[MANY];
    size_t pauses, promoted;
};

/* By which an entry of a rung is compared. */
static double stands(const struct sweep *s, size_t i, int rung)
{
    const struct trial *t = &s->t[i];
    double gained;

    for (int r = rung - 1; s->rule == 2 && r >= 0; r--)
        if (t->has[r]) {
            gained = (t->value[r] - t->value[rung]) / (rung - r);
            return gained > 0 && isfinite(gained) ? t->value[rung] - gained : t->value[rung];
        }
    return t->value[rung];
}

static int goes_before(const struct sweep *s, size_t i, size_t j, int rung)
{
    double a = stands(s, i, rung), b = stands(s, j, rung);

    if (isnan(a) || isnan(b))
        return isnan(a) == isnan(b) ? i < j : !isnan(a);
    return a == b ? i < j : a < b;
}

/* The trial of a rung that goes on, or MANY. */
static size_t first_of(const struct sweep *s, int rung, int last)
{
    size_t n = 0, best = MANY, place = 0, quota;

    for (size_t i = 0; i < MANY; i++) {
        n += s->t[i].has[rung] != 0;
        if (s->t[i].has[rung] && s->t[i].newest == rung && s->t[i].waits &&
            (best == MANY || goes_before(s, i, best, rung)))
            best = i;
    }
    for (size_t i = 0; best < MANY && i < MANY; i++)
        place += i != best && s->t[i].has[rung] && goes_before(s, i, best, rung);
    if (s->rule == 1)
        quota = n / REDUCTION;
    else
        quota = rung == 0 ? (n + REDUCTION - 1) / REDUCTION : (n + 1) / 2;
    if (best < MANY && (last || (s->rule == 2 && isnan(s->t[best].value[rung]))))
        return isnan(s->t[best].value[rung]) ? MANY : best;
    return best < MANY && place < quota ? best : MANY;
}

static size_t plain_promote(const struct sweep *s, int last, uint64_t *ret_upto)
{
    for (int r = (int)n_rungs[s->rule - 1] - 1; r >= 0; r--) {
        size_t i = first_of(s, r, last);

        if (i == MANY)
            continue;
        *ret_upto = last ? LENGTH : lengths[s->rule - 1][r + 1];
        return i;
    }
    return MANY;
}

/* ---- random sweeps --------------------------------------------------------------------------- */

static int promote(struct sweep *s, int last, int take_back)
{
    uint64_t number = MANY, upto = 0, want_upto = 0;
    size_t want = plain_promote(s, last, &want_upto);
    int got = last ? asy_pruner_promote_last(s->p, &number, &upto)
                   : asy_pruner_promote(s->p, &number, &upto);

    if (!T_EQ("one goes on", got, want < MANY) || !got)
        return got == (want < MANY);
    if (!T_EQ("who", number, want) || !T_EQ("how far", upto, want_upto))
        return 0;
    if (take_back) {
        asy_pruner_unpromote(s->p, number);
        return 1;
    }
    s->promoted++;
    s->t[want].waits = 0;
    s->t[want].state = 1;
    s->t[want].goal = upto;
    return 1;
}

static int step_on(struct sweep *s, struct trial *t, double sign, struct asy_rng *rng)
{
    static const double odd[] = { NAN, INFINITY, -INFINITY, 1e308 };
    size_t number = (size_t)(t - s->t);
    double v = asy_rng_below(rng, 20) ? (double)asy_rng_below(rng, 40) : odd[asy_rng_below(rng, 4)];
    double value = sign * v;
    int rung = (int)n_rungs[s->rule - 1] - 1, pauses;

    t->step += 1 + asy_rng_below(rng, 1 + t->step);
    t->step = t->step > t->goal + 1 ? t->goal : t->step; /* now and then one too far */
    t->step = t->step > LENGTH ? LENGTH : t->step;
    while (rung >= 0 && lengths[s->rule - 1][rung] > t->step)
        rung--;
    pauses = t->step < LENGTH && rung > t->newest;
    if (!T_EQ("verdict", asy_pruner_report(s->p, number, t->step, &value),
              pauses ? ASY_PAUSE : ASY_GO_ON))
        return 0;
    if (pauses) {
        s->pauses++;
        t->has[rung] = t->waits = 1;
        t->value[rung] = v;
        t->newest = rung;
        t->state = 2;
    } else if (t->step == LENGTH) {
        t->state = 3;
        asy_pruner_ended(s->p, number, 1);
    }
    return 1;
}

static int event(struct sweep *s, double sign, struct asy_rng *rng)
{
    size_t i = (size_t)asy_rng_below(rng, MANY), what = (size_t)asy_rng_below(rng, 60);
    struct trial *t = &s->t[i];

    if (what < 12)
        return promote(s, what == 0, what > 9);
    if (t->state == 0) {
        t->state = 1;
        t->goal = asy_pruner_milestone(s->p, i, 0);
        return T_EQ("first", t->goal, 2);
    }
    if (what == 12 && t->state < 3) {
        t->state = 3;
        t->waits = 0;
        asy_pruner_ended(s->p, i, 0);
        return 1;
    }
    return t->state == 1 ? step_on(s, t, sign, rng) : 1;
}

static void promotions_follow_their_rule(void)
{
    for (int rule = 1; rule <= 2; rule++) {
        size_t pauses = 0, promoted = 0;

        for (uint64_t seed = 0; seed < SWEEPS; seed++) {
            double sign = seed % 2 ? -1 : 1;
            struct sweep s = { .rule = rule,
                               .p = make(rule, sign < 0 ? ASY_MAXIMIZE : ASY_MINIMIZE, 1) };
            struct asy_rng rng;
            int fine = 1;

            asy_rng_init(&rng, seed, (uint64_t)rule, ASY_RNG_SIM);
            for (size_t i = 0; i < MANY; i++)
                s.t[i].newest = -1;
            for (size_t e = 0; fine && e < 900; e++)
                fine = event(&s, sign, &rng);
            asy_pruner_destroy(s.p);
            pauses += s.pauses;
            promoted += s.promoted;
        }
        T_TRUE(pauses > 30 * SWEEPS && promoted > 5 * SWEEPS);
    }
}

/* ---- what is told ---------------------------------------------------------------------------- */

static void report_one(struct asy_pruner *p, uint64_t number, uint64_t step, double value)
{
    T_EQ("pauses", asy_pruner_report(p, number, step, &value), ASY_PAUSE);
}

static void the_trend_is_told(void)
{
    struct asy_pruner *p = make(0, ASY_MAXIMIZE, 1); /* rule 2 is what holds if none is named */
    uint64_t number = 9, upto = 0;
    char text[240];

    report_one(p, 0, 2, 0.5);
    asy_pruner_explain(p, 0, text, sizeof text);
    T_STR("lowest", text, "asha: its value 0.5 at step 2 is place 1 of 1 there; one in 4 goes on, "
                          "so the best one does");
    T_TRUE(asy_pruner_promote(p, &number, &upto) && number == 0 && upto == 4);
    report_one(p, 1, 2, 0.25);
    report_one(p, 0, 4, 0.625);
    asy_pruner_explain(p, 0, text, sizeof text);
    T_STR("better", text, "asha: its value 0.625 at step 4, and 0.75 at 8 if it goes on "
                          "so, is place 1 of 1 there; one in 2 goes on, so the best one does");
    T_TRUE(asy_pruner_promote(p, &number, &upto) && number == 0 && upto == 8);
    report_one(p, 0, 8, 0.5); /* worse: no trend */
    asy_pruner_explain(p, 0, text, sizeof text);
    T_STR("worse", text, "asha: its value 0.5 at step 8 is place 1 of 1 there; one in 2 goes on, "
                         "so the best one does");
    asy_pruner_explain(p, 1, text, sizeof text);
    T_HAS("the other", text, "0.25 at step 2 is place 2 of 2 there; one in 4");
    asy_pruner_destroy(p);
}

/* Without pauses the rule makes no difference: it is the stopping form. */
static void what_cannot_pause_has_one_rule(void)
{
    struct asy_pruner *p[2] = { make(1, ASY_MINIMIZE, 0), make(2, ASY_MINIMIZE, 0) };
    struct asy_rng rng;
    size_t stops = 0;

    asy_rng_init(&rng, 1, 1, ASY_RNG_SIM);
    for (uint64_t number = 0; number < 200; number++)
        for (uint64_t step = 1; step <= LENGTH; step++) {
            double value = (double)asy_rng_below(&rng, 1000);
            enum asy_verdict a = asy_pruner_report(p[0], number, step, &value);

            T_EQ("verdict", asy_pruner_report(p[1], number, step, &value), a);
            stops += a == ASY_STOP;
            if (a == ASY_STOP)
                break;
        }
    T_TRUE(stops > 100);
    asy_pruner_destroy(p[0]);
    asy_pruner_destroy(p[1]);
}

T_MAIN("pruner asha", T_TEST(promotions_follow_their_rule), T_TEST(the_trend_is_told),
       T_TEST(what_cannot_pause_has_one_rule))
