/* SPDX-License-Identifier: Apache-2.0
 * pruner_moasha.c - asynchronous successive halving for several objectives (Schmucker et al. 2021,
 * arXiv 2106.12639): the best of a rung are its best by non-domination rank, and of the rank that
 * is cut those that together cover most (asy_pareto_best(); the paper covers by an epsilon-net, as
 * their distances say, which depends on the objectives' scales; the hypervolume's choice does not).
 *
 * Promotion and stopping as with asha. Ranks are kept as entries come (ranks.h): an entry costs
 * O(n), seldom more. Which trials of the front that is cut are among the best is found only where a
 * verdict hangs on it, once after each entry, over at most 1024 of two objectives or 256 of three
 * on that front; of more, those go on that are furthest from their neighbours, O(n log n): the loop
 * waits for it. */
#include "pruner.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/parse.h>
#include "ranks.h"
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
    size_t n;                /* entries, also those with NaN */
    struct asy__ranks ranks; /* of those without, in the order in which they came */
    uint64_t *numbers;       /* [ranks.n] */
    uint8_t *waits;          /* [ranks.n] */
    uint8_t *among;          /* [ranks.n] is_chosen: of rank `cut`, whether among the best */
    size_t cap;
    uint32_t cut;    /* is_cut: all of lower ranks are among the best, and `part` of this one */
    size_t part;
    int is_cut, is_chosen;
    int is_quiet;    /* none could be promoted; nothing has changed since */
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

    if (asy__ranks_reserve(&r->ranks, m))
        return ASY_E_NOMEM;
    if (r->ranks.n < r->cap)
        return 0;
    if (asy__grow(&r->numbers, cap, sizeof *r->numbers) ||
        asy__grow(&r->waits, cap, sizeof *r->waits) || asy__grow(&r->among, cap, sizeof *r->among))
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
    r->is_cut = r->is_chosen = r->is_quiet = 0;
    t->rung = at;
    t->entry = any_nan ? SIZE_MAX : r->ranks.n;
    memcpy(t->shown, scores, (m < SHOWN_MAX ? m : SHOWN_MAX) * sizeof *scores);
    if (any_nan)
        return;
    r->numbers[r->ranks.n] = number;
    r->waits[r->ranks.n] = 0;
    asy__ranks_add(&r->ranks, m, scores);
}

static int before(const struct rung *r, size_t x, size_t y)
{
    if (r->ranks.ranks[x] != r->ranks.ranks[y])
        return r->ranks.ranks[x] < r->ranks.ranks[y];
    return r->numbers[x] < r->numbers[y];
}

/* Which front the best `limit` entries cut. */
static void find_cut(struct rung *r, size_t limit)
{
    if (!r->is_cut)
        asy__ranks_cut(&r->ranks, limit < r->ranks.n ? limit : r->ranks.n, &r->cut, &r->part);
    r->is_cut = 1;
}

/* Whether an entry is among the best, by the cut that was found. */
static int among_best(const struct asy_pruner *p, struct rung *r, size_t entry, int *ret_among)
{
    uint32_t rank = r->ranks.ranks[entry];

    if (rank != r->cut || r->part == 0) {
        *ret_among = rank < r->cut;
        return 0;
    }
    if (!r->is_chosen && asy__ranks_choose(&r->ranks, p->n_goals, r->cut, r->part, r->among))
        return ASY_E_NOMEM;
    r->is_chosen = 1;
    *ret_among = r->among[entry];
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
            find_cut(r, t->limit);
            if (among_best(p, r, t->entry, &among))
                continue;
            t->front = r->ranks.ranks[t->entry] + (size_t)1;
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

static void goes_on(struct moasha *a, struct rung *r, size_t entry, uint64_t *ret_number)
{
    *ret_number = r->numbers[entry];
    r->waits[entry] = 0;
    ASY__TRIAL_GET(&a->trials, *ret_number, struct trial)->phase = RUNS;
}

/* The first that waits of the best; SIZE_MAX: none. Those of whole fronts come first, so that the
 * one that is cut is looked at only where none of them waits. */
static int first_best(const struct asy_pruner *p, struct rung *r, size_t *ret_entry)
{
    size_t first = SIZE_MAX;
    int among;

    for (int whole = 1; whole >= 0 && first == SIZE_MAX; whole--)
        for (size_t i = 0; i < r->ranks.n; i++) {
            if (!r->waits[i] || (r->ranks.ranks[i] < r->cut) != whole)
                continue;
            if (among_best(p, r, i, &among))
                return ASY_E_NOMEM;
            if (among && (first == SIZE_MAX || before(r, i, first)))
                first = i;
        }
    *ret_entry = first;
    return 0;
}

static int promote(struct asy_pruner *p, uint64_t *ret_number, uint64_t *ret_milestone)
{
    struct moasha *a = p->state;

    for (int at = a->n_rungs - 1; at >= 0; at--) {
        struct rung *r = &a->rungs[at];
        size_t entry;

        if (r->is_quiet)
            continue;
        find_cut(r, r->n / a->reduction);
        if (first_best(p, r, &entry))
            return 0;
        r->is_quiet = entry == SIZE_MAX;
        if (r->is_quiet)
            continue;
        goes_on(a, r, entry, ret_number);
        *ret_milestone = at + 1 < a->n_rungs ? a->length[at + 1] : p->length_max;
        return 1;
    }
    return 0;
}

static int promote_last(struct asy_pruner *p, uint64_t *ret_number, uint64_t *ret_milestone)
{
    struct moasha *a = p->state;

    for (int at = a->n_rungs - 1; at >= 0; at--) {
        struct rung *r = &a->rungs[at];
        size_t first = SIZE_MAX;

        for (size_t i = 0; i < r->ranks.n; i++)
            if (r->waits[i] && (first == SIZE_MAX || before(r, i, first)))
                first = i;
        if (first == SIZE_MAX)
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
    a->rungs[t->rung].is_quiet = 0;
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
    if (waits && t->entry != SIZE_MAX)
        rank = r->ranks.ranks[t->entry] + (size_t)1;
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
    if (p->n_goals > 3) /* what covers most is not found in time for the loop */
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
        asy__ranks_fini(&a->rungs[at].ranks);
        free(a->rungs[at].numbers);
        free(a->rungs[at].waits);
        free(a->rungs[at].among);
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
