/* SPDX-License-Identifier: Apache-2.0
 * pruner_moasha.c - asynchronous successive halving for several objectives (Schmucker et al. 2021,
 * arXiv 2106.12639): the best of a rung are its best by non-domination rank, and of the rank that
 * is cut those that together cover most (asy_pareto_best(); the paper covers by an epsilon-net, as
 * their distances say, which depends on the objectives' scales; the hypervolume's choice does not).
 *
 * Promotion and stopping as with asha. What a rung holds is ranked again when it is asked for after
 * a new entry, over O(n log n) for two objectives; so a promotion that is looked for often costs
 * nothing while nothing came. */
#include "pruner.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/parse.h>
#include "trials.h"

enum { MIN_LENGTH, REDUCTION };
static const struct asy__option options[] = {
    [MIN_LENGTH] = { "min", 1, 1, 1e15, 0 },
    [REDUCTION] = { "reduction", 4, 2, 1e6, 0 },
};
#define SHOWN_MAX 4 /* values in a text */

enum phase { RUNS, WAITS, STOPPED, ENDED };
struct trial {
    uint64_t last_step;
    int has_reported;
    enum phase phase;
    int rung;      /* of its newest entry; -1: none */
    size_t entry;  /* there; SIZE_MAX: one of its values is NaN */
    size_t front, n, limit; /* STOPPED: the numbers that decided; front from 1, 0: NaN */
    double shown[SHOWN_MAX]; /* its scores there */
};
struct rung {
    size_t n;          /* entries, also those with NaN */
    double *scores;    /* [len, goals] of those without */
    uint64_t *numbers; /* [len] */
    uint8_t *waits;    /* [len] */
    uint32_t *ranks;   /* [len] */
    uint32_t *best;    /* [n_best] entries, by rank, then trial number */
    size_t len, cap, n_best;
    int settled;       /* ranks and best are those of all entries */
};
struct moasha {
    uint64_t length[ASY__RUNGS_MAX]; /* [n_rungs] */
    struct rung rungs[ASY__RUNGS_MAX];
    int n_rungs;
    uint64_t reduction;
    struct asy__trials trials;
};

static struct trial *trial_make(struct moasha *a, uint64_t number)
{
    static const struct trial fresh = { .rung = -1 };

    return ASY__TRIAL_MAKE(&a->trials, number, struct trial, &fresh);
}

static uint64_t milestone(const struct asy_pruner *p, uint64_t number, uint64_t step)
{
    const struct moasha *a = p->state;

    (void)number;
    for (int r = 0; p->can_pause && r < a->n_rungs; r++)
        if (a->length[r] > step)
            return a->length[r];
    return p->length_max;
}

/* ---- rungs --------------------------------------------------------------------------------- */

/* Room for one more entry. */
static int rung_reserve(struct rung *r, size_t m)
{
    size_t cap = r->cap ? 2 * r->cap : 16;

    if (r->len < r->cap)
        return 0;
    if (asy__grow(&r->scores, cap * m, sizeof *r->scores) ||
        asy__grow(&r->numbers, cap, sizeof *r->numbers) ||
        asy__grow(&r->waits, cap, sizeof *r->waits) ||
        asy__grow(&r->ranks, cap, sizeof *r->ranks) || asy__grow(&r->best, cap, sizeof *r->best))
        return ASY_E_NOMEM;
    r->cap = cap;
    return 0;
}

static void rung_add(struct asy_pruner *p, struct trial *t, int at, uint64_t number,
                     const double *scores)
{
    struct rung *r = &((struct moasha *)p->state)->rungs[at];
    size_t m = p->n_goals;
    int any_nan = 0;

    for (size_t i = 0; i < m; i++)
        any_nan |= isnan(scores[i]);
    r->n++;
    r->settled = 0;
    t->rung = at;
    t->entry = any_nan ? SIZE_MAX : r->len;
    memcpy(t->shown, scores, (m < SHOWN_MAX ? m : SHOWN_MAX) * sizeof *scores);
    if (any_nan)
        return;
    memcpy(&r->scores[r->len * m], scores, m * sizeof *scores);
    r->numbers[r->len] = number;
    r->waits[r->len++] = 0;
}

static int before(const struct rung *r, uint32_t x, uint32_t y)
{
    if (r->ranks[x] != r->ranks[y])
        return r->ranks[x] < r->ranks[y];
    return r->numbers[x] < r->numbers[y];
}

/* By insertion within each rank would be quadratic, so a heap: O(k log k). */
static void sift(const struct rung *r, uint32_t *v, size_t i, size_t n)
{
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        uint32_t top = v[i];

        if (child + 1 < n && before(r, v[child], v[child + 1]))
            child++;
        if (!before(r, top, v[child]))
            return;
        v[i] = v[child];
        v[child] = top;
    }
}

static void sort(const struct rung *r, uint32_t *v, size_t n)
{
    for (size_t i = n / 2; i-- > 0;)
        sift(r, v, i, n);
    for (size_t i = n; i-- > 1;) {
        uint32_t last = v[i];

        v[i] = v[0];
        v[0] = last;
        sift(r, v, 0, i);
    }
}

/* Brings ranks and the best `limit` up to date. */
static int settle(const struct asy_pruner *p, struct rung *r, size_t limit)
{
    size_t k = limit < r->len ? limit : r->len;

    if (r->settled)
        return 0;
    if (asy_pareto_ranks(r->scores, NULL, r->len, p->n_goals, r->ranks, NULL) ||
        asy_pareto_best(r->scores, r->len, p->n_goals, k, r->best, NULL))
        return ASY_E_NOMEM;
    sort(r, r->best, k);
    r->n_best = k;
    r->settled = 1;
    return 0;
}

/* ---- reports ------------------------------------------------------------------------------- */

static enum asy_verdict pause_at(struct asy_pruner *p, struct trial *t, uint64_t number, int rung,
                                 const double *scores)
{
    struct moasha *a = p->state;

    rung_add(p, t, rung, number, scores);
    if (t->entry != SIZE_MAX)
        a->rungs[rung].waits[t->entry] = 1;
    t->phase = WAITS;
    return ASY_PAUSE;
}

/* Each rung reached is looked at in turn. Where there is no memory to rank, it is not stopped. */
static enum asy_verdict stop_at(struct asy_pruner *p, struct trial *t, uint64_t number, int rung,
                                const double *scores)
{
    struct moasha *a = p->state;

    for (int at = t->rung + 1; at <= rung; at++) {
        struct rung *r = &a->rungs[at];
        int among = 0;

        rung_add(p, t, at, number, scores);
        t->n = r->n;
        t->limit = r->n / a->reduction > 0 ? r->n / a->reduction : 1;
        t->front = 0;
        if (t->entry != SIZE_MAX) {
            if (settle(p, r, t->limit))
                continue;
            t->front = r->ranks[t->entry] + 1;
            for (size_t i = 0; i < r->n_best; i++)
                among |= r->best[i] == t->entry;
        }
        if (!among) {
            t->phase = STOPPED;
            return ASY_STOP;
        }
    }
    return ASY_GO_ON;
}

static enum asy_verdict report(struct asy_pruner *p, uint64_t number, uint64_t step,
                               const double *scores)
{
    struct moasha *a = p->state;
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
        if (rung_reserve(&a->rungs[r], p->n_goals))
            return ASY_GO_ON;
    t->has_reported = 1;
    t->last_step = step;
    if (rung <= t->rung || step >= p->length_max)
        return ASY_GO_ON; /* at its full length a trial ends by itself */
    return p->can_pause ? pause_at(p, t, number, rung, scores)
                        : stop_at(p, t, number, rung, scores);
}

/* ---- promotion ----------------------------------------------------------------------------- */

static void goes_on(struct moasha *a, struct rung *r, uint32_t entry, uint64_t *ret_number)
{
    *ret_number = r->numbers[entry];
    r->waits[entry] = 0;
    ASY__TRIAL_GET(&a->trials, *ret_number, struct trial)->phase = RUNS;
}

static int promote(struct asy_pruner *p, uint64_t *ret_number, uint64_t *ret_milestone)
{
    struct moasha *a = p->state;

    for (int at = a->n_rungs - 1; at >= 0; at--) {
        struct rung *r = &a->rungs[at];

        if (settle(p, r, r->n / a->reduction))
            return 0;
        for (size_t i = 0; i < r->n_best; i++) {
            if (!r->waits[r->best[i]])
                continue;
            goes_on(a, r, r->best[i], ret_number);
            *ret_milestone = at + 1 < a->n_rungs ? a->length[at + 1] : p->length_max;
            return 1;
        }
    }
    return 0;
}

static int promote_last(struct asy_pruner *p, uint64_t *ret_number, uint64_t *ret_milestone)
{
    struct moasha *a = p->state;

    for (int at = a->n_rungs - 1; at >= 0; at--) {
        struct rung *r = &a->rungs[at];
        uint32_t first = UINT32_MAX;

        if (settle(p, r, r->n / a->reduction))
            return 0;
        for (uint32_t i = 0; i < r->len; i++)
            if (r->waits[i] && (first == UINT32_MAX || before(r, i, first)))
                first = i;
        if (first == UINT32_MAX)
            continue;
        goes_on(a, r, first, ret_number);
        *ret_milestone = p->length_max;
        return 1;
    }
    return 0;
}

static void unpromote(struct asy_pruner *p, uint64_t number)
{
    struct moasha *a = p->state;
    struct trial *t = ASY__TRIAL_GET(&a->trials, number, struct trial);

    if (!p->can_pause || !t || t->phase != RUNS || t->rung < 0)
        return;
    if (t->entry != SIZE_MAX)
        a->rungs[t->rung].waits[t->entry] = 1;
    t->phase = WAITS;
}

static void ended(struct asy_pruner *p, uint64_t number, int complete)
{
    struct moasha *a = p->state;
    struct trial *t = trial_make(a, number);

    (void)complete; /* its entries count either way */
    if (!t || t->phase == ENDED)
        return;
    if (t->phase == WAITS && t->entry != SIZE_MAX)
        a->rungs[t->rung].waits[t->entry] = 0;
    if (t->phase != STOPPED) /* what stopped it stays explained */
        t->phase = ENDED;
}

/* ---- explaining ---------------------------------------------------------------------------- */

/* "0.31, 12.5" */
static void put_values(const struct asy_pruner *p, const struct trial *t, char *text, size_t n)
{
    size_t len = 0;
    char value[32];

    for (size_t i = 0; i < p->n_goals && i < SHOWN_MAX && len < n; i++) {
        double v = p->goals[i] == ASY_MAXIMIZE ? -t->shown[i] : t->shown[i];

        len += (size_t)snprintf(text + len, n - len, "%s%s", i ? ", " : "",
                                asy_format_short(v, value));
    }
    if (p->n_goals > SHOWN_MAX && len < n)
        snprintf(text + len, n - len, ", ...");
}

static void explain(const struct asy_pruner *p, uint64_t number, char *text, size_t n)
{
    struct moasha *a = p->state;
    const struct trial *t = ASY__TRIAL_GET(&a->trials, number, struct trial);
    char values[120], front[40] = "";
    size_t of, best, rank;
    struct rung *r;
    int waits;

    if (!t || (t->phase != WAITS && t->phase != STOPPED))
        return;
    waits = t->phase == WAITS;
    r = &a->rungs[t->rung];
    of = waits ? r->n : t->n;
    best = waits ? r->n / a->reduction : t->limit;
    rank = t->front;
    if (waits && t->entry != SIZE_MAX && settle(p, r, best) == 0)
        rank = (size_t)r->ranks[t->entry] + 1;
    if (t->entry == SIZE_MAX)
        snprintf(front, sizeof front, "behind all fronts");
    else if (rank)
        snprintf(front, sizeof front, "on front %zu", rank);
    put_values(p, t, values, sizeof values);
    snprintf(text, n, "moasha: its values %s at step %llu %s %s of the %zu there; one in %llu goes "
             "on, front by front, a cut one by what covers most, %s%zu %s", values,
             (unsigned long long)a->length[t->rung],
             waits ? "are" : "were", front, of, (unsigned long long)a->reduction,
             best ? "so " : "the first once ", best ? best : (size_t)a->reduction,
             !best ? "are there" : waits ? "may" : "did");
}

/* ---- building ------------------------------------------------------------------------------ */

static int create(struct asy_pruner *p, struct asy_error *err)
{
    struct moasha *a;

    if (p->n_goals < 2)
        return asy_fail(err, ASY_E_INVAL, "pruner 'moasha': is for several objectives; with one, "
                        "use asha");
    if (p->n_goals > 3) /* each entry of a rung costs hypervolumes, which the loop waits for */
        return asy_fail(err, ASY_E_INVAL, "pruner 'moasha': compares three objectives at most, not "
                        "%zu", p->n_goals);
    if (p->options[MIN_LENGTH] > (double)p->length_max)
        return asy_fail(err, ASY_E_INVAL,
                        "pruner 'moasha': min %.0f is above the longest training length %llu",
                        p->options[MIN_LENGTH], (unsigned long long)p->length_max);
    if (!(p->state = a = calloc(1, sizeof *a)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a pruner");
    a->reduction = (uint64_t)p->options[REDUCTION];
    a->n_rungs = asy__rung_lengths((uint64_t)p->options[MIN_LENGTH], a->reduction, p->length_max,
                                   a->length);
    return 0;
}

static void destroy(struct asy_pruner *p)
{
    struct moasha *a = p->state;

    for (int at = 0; a && at < a->n_rungs; at++) {
        free(a->rungs[at].scores);
        free(a->rungs[at].numbers);
        free(a->rungs[at].waits);
        free(a->rungs[at].ranks);
        free(a->rungs[at].best);
    }
    if (a)
        asy__trials_fini(&a->trials);
    free(a);
}

static int stops(const struct asy_pruner *p)
{
    return !p->can_pause;
}

const struct asy__pruner_class asy__pruner_moasha = {
    .name = "moasha", .options = options, .n_options = ASY_ARRAY_LEN(options), .create = create,
    .destroy = destroy, .milestone = milestone, .report_all = report, .promote = promote,
    .promote_last = promote_last, .unpromote = unpromote, .ended = ended, .explain = explain,
    .stops = stops,
};
