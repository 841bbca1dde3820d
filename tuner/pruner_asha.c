/* SPDX-License-Identifier: Apache-2.0
 * pruner_asha.c - asynchronous successive halving (Li et al. 2018, arXiv 1810.05934).
 *
 * Each rung keeps its entries in an order that counts (order.h). Where trials cannot pause this is
 * the stopping form with the rule of Optuna's SuccessiveHalvingPruner (the three known stopping
 * forms differ: Ray compares with a percentile of the earlier entries, Syne Tune with a rank
 * fraction). Where they can it is the promotion form: by rule 1 algorithm 2 of the paper, by rule 2
 * our own (docs/decisions/0026): one in `reduction` leaves the lowest rung, from there on each rung
 * is twice as long and lets half go on, rounded up, so that none starves; and an entry stands where
 * its value will be at the next rung if it gets better once more by as much as since the last one.
 * An entry stays in its rung when its trial ends: what it showed about the rung holds. */
#include "pruner.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <asy/parse.h>
#include "map.h"
#include "order.h"

enum { MIN_LENGTH, REDUCTION, RULE = ASY__ASHA_RULE };
static const struct asy__option options[] = {
    [MIN_LENGTH] = { "min", 1, 1, 1e15 },
    [REDUCTION] = { "reduction", 4, 2, 1e6 },
    [RULE] = { "rule", ASY__ASHA_BY_TREND, ASY__ASHA_BY_PAPER, ASY__ASHA_BY_TREND },
};

enum phase { RUNS, WAITS, STOPPED, ENDED };
struct trial {
    uint64_t last_step;
    int has_reported;
    enum phase phase;
    int rung;      /* of its newest entry; -1: none */
    double value;  /* there, smaller is better */
    double score;  /* by which it stands there: the value, or what it will be */
    size_t place, n, limit; /* STOPPED: the numbers that decided */
};
struct asha {
    uint64_t length[ASY__RUNGS_MAX]; /* [n_rungs], ascending, all below length_max */
    struct asy__order rungs[ASY__RUNGS_MAX];
    int n_rungs;
    uint64_t reduction;
    int by_trend; /* only where trials can pause */
    struct asy__map numbers;
    struct trial *trials;
    size_t n_trials, cap_trials;
};

static struct trial *trial_get(const struct asha *a, uint64_t number)
{
    uint32_t i = asy__map_get(&a->numbers, number);

    return i == ASY__MAP_NONE ? NULL : &a->trials[i];
}

static struct trial *trial_make(struct asha *a, uint64_t number)
{
    struct trial *t = trial_get(a, number);

    if (t)
        return t;
    if (a->n_trials == a->cap_trials) {
        size_t cap = a->cap_trials ? 2 * a->cap_trials : 16;

        if (!(t = realloc(a->trials, cap * sizeof *t)))
            return NULL;
        a->trials = t;
        a->cap_trials = cap;
    }
    if (asy__map_reserve(&a->numbers))
        return NULL;
    t = &a->trials[a->n_trials];
    *t = (struct trial){ .rung = -1 };
    asy__map_put(&a->numbers, number, (uint32_t)a->n_trials++);
    return t;
}

static uint64_t milestone(const struct asy_pruner *p, uint64_t number, uint64_t step)
{
    const struct asha *a = p->state;

    (void)number;
    for (int r = 0; p->can_pause && r < a->n_rungs; r++)
        if (a->length[r] > step)
            return a->length[r];
    return p->length_max;
}

/* ---- reports ------------------------------------------------------------------------------- */

/* Along the line through the values at its last two rungs, over the rungs, to the next one. What
 * gets worse is not expected to go on so. */
static double expected(const struct trial *t, int rung, double value)
{
    double gained = t->rung < 0 ? 0 : (t->value - value) / (rung - t->rung);

    return gained > 0 && isfinite(gained) ? value - gained : value;
}

/* Promotion form: at the highest rung reached the trial waits. */
static enum asy_verdict pause_at(struct asha *a, struct trial *t, uint64_t number, int rung,
                                 double value)
{
    t->score = a->by_trend ? expected(t, rung, value) : value;
    t->value = value;
    t->rung = rung;
    asy__order_insert(&a->rungs[rung], t->score, number, 1);
    t->phase = WAITS;
    return ASY_PAUSE;
}

/* Stopping form: each rung reached is looked at in turn. NaN never goes on. */
static enum asy_verdict stop_at(struct asha *a, struct trial *t, uint64_t number, int rung,
                                double score)
{
    for (int r = t->rung + 1; r <= rung; r++) {
        struct asy__order *order = &a->rungs[r];

        asy__order_insert(order, score, number, 0);
        t->rung = r;
        t->value = t->score = score;
        t->place = asy__order_better(order, score);
        t->n = order->len;
        t->limit = order->len / a->reduction;
        if (t->limit < 1)
            t->limit = 1;
        if (t->place >= t->limit || isnan(score)) {
            t->phase = STOPPED;
            return ASY_STOP;
        }
    }
    return ASY_GO_ON;
}

static enum asy_verdict report(struct asy_pruner *p, uint64_t number, uint64_t step, double score)
{
    struct asha *a = p->state;
    struct trial *t = trial_make(a, number);
    int rung = a->n_rungs - 1;

    if (!t || t->phase == ENDED)
        return ASY_GO_ON;
    if (t->phase != RUNS)
        return t->phase == WAITS ? ASY_PAUSE : ASY_STOP;
    if (t->has_reported && step <= t->last_step)
        return ASY_GO_ON;
    while (rung >= 0 && a->length[rung] > step)
        rung--;
    for (int r = t->rung + 1; r <= rung; r++)
        if (asy__order_reserve(&a->rungs[r]))
            return ASY_GO_ON;
    t->has_reported = 1;
    t->last_step = step;
    if (rung <= t->rung || step >= p->length_max)
        return ASY_GO_ON; /* at its full length a trial ends by itself */
    return p->can_pause ? pause_at(a, t, number, rung, score) : stop_at(a, t, number, rung, score);
}

/* ---- promotion ----------------------------------------------------------------------------- */

/* One in so many goes on from there. */
static uint64_t one_in(const struct asha *a, int rung)
{
    return a->by_trend && rung > 0 ? 2 : a->reduction;
}

/* How many of a rung may go on. */
static size_t quota(const struct asha *a, int rung)
{
    uint64_t in = one_in(a, rung);
    size_t n = a->rungs[rung].len;

    return n / in + (a->by_trend && n % in != 0);
}

static void goes_on(struct asha *a, int rung, uint64_t number)
{
    struct trial *t = trial_get(a, number);

    asy__order_set_waiting(&a->rungs[rung], t->score, number, 0);
    t->phase = RUNS;
}

static int promote(struct asy_pruner *p, uint64_t *ret_number, uint64_t *ret_milestone)
{
    struct asha *a = p->state;

    for (int r = a->n_rungs - 1; r >= 0; r--) {
        struct asy__order *order = &a->rungs[r];
        uint64_t number;
        size_t place;

        if (!asy__order_best_waiting(order, &number, &place) ||
            place >= quota(a, r))
            continue;
        if (a->by_trend && isnan(trial_get(a, number)->value))
            continue; /* rounded up, the quota may have room for it, and for nothing better */
        goes_on(a, r, number);
        *ret_number = number;
        *ret_milestone = r + 1 < a->n_rungs ? a->length[r + 1] : p->length_max;
        return 1;
    }
    return 0;
}

static int promote_last(struct asy_pruner *p, uint64_t *ret_number, uint64_t *ret_milestone)
{
    struct asha *a = p->state;

    for (int r = a->n_rungs - 1; r >= 0; r--) {
        uint64_t number;
        size_t place;

        if (!asy__order_best_waiting(&a->rungs[r], &number, &place) ||
            isnan(trial_get(a, number)->value))
            continue;
        goes_on(a, r, number);
        *ret_number = number;
        *ret_milestone = p->length_max;
        return 1;
    }
    return 0;
}

static void unpromote(struct asy_pruner *p, uint64_t number)
{
    struct asha *a = p->state;
    struct trial *t = trial_get(a, number);

    if (!p->can_pause || !t || t->phase != RUNS || t->rung < 0)
        return;
    asy__order_set_waiting(&a->rungs[t->rung], t->score, number, 1);
    t->phase = WAITS;
}

static void ended(struct asy_pruner *p, uint64_t number, int complete)
{
    struct asha *a = p->state;
    struct trial *t = trial_make(a, number);

    (void)complete; /* its entries count either way */
    if (!t || t->phase == ENDED)
        return;
    if (t->phase == WAITS)
        asy__order_set_waiting(&a->rungs[t->rung], t->score, number, 0);
    if (t->phase != STOPPED) /* what stopped it stays explained */
        t->phase = ENDED;
}

void asy__asha_stands(const struct asy_pruner *p, uint64_t number, uint64_t *ret_length,
                      double *ret_score)
{
    const struct asha *a = p->state;
    const struct trial *t = trial_get(a, number);

    *ret_length = a->length[t->rung];
    *ret_score = t->score;
}

static void explain(const struct asy_pruner *p, uint64_t number, char *text, size_t n)
{
    const struct asha *a = p->state;
    const struct trial *t = trial_get(a, number);
    char value[32], next[32], rule[80], trend[80] = "";
    size_t place, of, best;
    uint64_t one = a->reduction;
    int waits;

    if (!t || (t->phase != WAITS && t->phase != STOPPED))
        return;
    waits = t->phase == WAITS;
    if (waits) {
        const struct asy__order *order = &a->rungs[t->rung];

        place = asy__order_place(order, t->score, number) + 1;
        of = order->len;
        best = quota(a, t->rung);
        one = one_in(a, t->rung);
    } else {
        place = t->place + 1;
        of = t->n;
        best = t->limit;
    }
    if (best == 1)
        snprintf(rule, sizeof rule, "so the best one %s", waits ? "does" : "did");
    else if (best > 1)
        snprintf(rule, sizeof rule, "so the best %zu %s", best, waits ? "do" : "did");
    else
        snprintf(rule, sizeof rule, "the first once %llu are there",
                 (unsigned long long)a->reduction);
    if (t->score < t->value)
        snprintf(trend, sizeof trend, ", and %s at %llu if it goes on so,",
                 asy_format_short(asy__pruner_value(p, t->score), next),
                 (unsigned long long)(t->rung + 1 < a->n_rungs ? a->length[t->rung + 1]
                                                               : p->length_max));
    snprintf(text, n, "asha: its value %s at step %llu%s %s place %zu of %zu there; one in %llu "
             "goes on, %s", asy_format_short(asy__pruner_value(p, t->value), value),
             (unsigned long long)a->length[t->rung], trend, waits ? "is" : "was", place, of,
             (unsigned long long)one, rule);
}

/* ---- building ------------------------------------------------------------------------------ */

static int create(struct asy_pruner *p, struct asy_error *err)
{
    struct asha *a;
    uint64_t length = (uint64_t)p->options[MIN_LENGTH];

    if (length > p->length_max)
        return asy_fail(err, ASY_E_INVAL,
                        "pruner 'asha': min %llu is above the longest training length %llu",
                        (unsigned long long)length, (unsigned long long)p->length_max);
    if (!(a = calloc(1, sizeof *a)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a pruner");
    a->reduction = (uint64_t)p->options[REDUCTION];
    a->by_trend = p->can_pause && p->options[RULE] == ASY__ASHA_BY_TREND;
    a->n_rungs = asy__rung_lengths(length, a->by_trend ? 2 : a->reduction, p->length_max,
                                   a->length);
    p->state = a;
    return 0;
}

static void destroy(struct asy_pruner *p)
{
    struct asha *a = p->state;

    if (!a)
        return;
    for (int r = 0; r < a->n_rungs; r++)
        asy__order_fini(&a->rungs[r]);
    asy__map_fini(&a->numbers);
    free(a->trials);
    free(a);
}

static int stops(const struct asy_pruner *p)
{
    return !p->can_pause;
}

const struct asy__pruner_class asy__pruner_asha = {
    .name = "asha", .options = options, .n_options = ASY_ARRAY_LEN(options), .create = create,
    .destroy = destroy, .milestone = milestone, .report = report, .promote = promote,
    .promote_last = promote_last, .unpromote = unpromote, .ended = ended, .explain = explain,
    .stops = stops,
};
