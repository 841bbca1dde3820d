/* SPDX-License-Identifier: Apache-2.0
 * pruner_percentile.c - the rules of Optuna's PercentilePruner and MedianPruner (percentile 50).
 *
 * A running trial's reports are kept until it ends; when it completes they enter the two heaps of
 * their steps, between whose tops the percentile lies: its share of the values is the same however
 * many they are, so that each further one moves at most one across. Both are O(log n) and nothing
 * is scanned, unlike a percentile over all trials at each report. Between two values it is
 * interpolated as by numpy, whose rounding decides ties; at a value, or between equal ones, it is
 * that value, also where they are infinite and numpy has no number. */
#include "pruner.h"
#include <stdio.h>
#include <stdlib.h>
#include <asy/parse.h>
#include "interval.h"
#include "trials.h"

enum { STARTUP_TRIALS, WARMUP_STEPS, INTERVAL, MIN_TRIALS, PERCENTILE };
static const struct asy__option options[] = {
    [STARTUP_TRIALS] = { "startup_trials", 5, 0, 1e9, 0 },
    [WARMUP_STEPS] = { "warmup_steps", 0, 0, 1e15, 0 },
    [INTERVAL] = { "interval", 1, 1, 1e15, 0 },
    [MIN_TRIALS] = { "min_trials", 1, 1, 1e9, 0 },
    [PERCENTILE] = { "percentile", 25, 0, 100, 1 }, /* last: median does without */
};

struct heap {
    double *v; /* v[0] is the smallest */
    size_t len, cap;
};
struct at_step { /* what completed trials reported at a step */
    struct heap low, high; /* low holds negated values, n_low() of them */
    uint64_t n;            /* NaN included */
};
struct report {
    uint64_t step;
    double score;
};
struct trial {
    struct report *reports; /* [len], of a trial that has not ended */
    size_t len, cap;
    uint64_t last_step;
    double best; /* NaN: none yet */
    int has_reported, ended, stopped;
    double bound;          /* what it was stopped by; NaN: all its values are NaN */
    uint64_t bound_of;
};
struct percentile {
    double share;          /* of the values that lie below it, 0 to 1 */
    struct asy__trials trials;
    struct asy__map steps;
    struct at_step *at;
    size_t n_steps, cap_steps;
    uint64_t n_complete;
};

/* ---- heaps --------------------------------------------------------------------------------- */

static int heap_reserve(struct heap *h)
{
    size_t cap = h->cap ? 2 * h->cap : 4;
    double *v;

    if (h->len < h->cap)
        return 0;
    if (!(v = realloc(h->v, cap * sizeof *v)))
        return ASY_E_NOMEM;
    h->v = v;
    h->cap = cap;
    return 0;
}

static void heap_push(struct heap *h, double v)
{
    size_t i = h->len++;

    for (; i > 0 && h->v[(i - 1) / 2] > v; i = (i - 1) / 2)
        h->v[i] = h->v[(i - 1) / 2];
    h->v[i] = v;
}

static double heap_pop(struct heap *h)
{
    double top = h->v[0], v = h->v[--h->len];
    size_t i = 0;

    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= h->len)
            break;
        if (child + 1 < h->len && h->v[child + 1] < h->v[child])
            child++;
        if (h->v[child] >= v)
            break;
        h->v[i] = h->v[child];
        i = child;
    }
    if (h->len)
        h->v[i] = v;
    return top;
}

/* How many of n values lie below the percentile or at it. */
static size_t n_low(double share, size_t n)
{
    return (size_t)(share * (double)(n - 1)) + 1;
}

static void at_step_add(struct at_step *at, double share, double score)
{
    size_t want;

    at->n++;
    if (isnan(score) || heap_reserve(&at->low) || heap_reserve(&at->high))
        return;
    if (at->low.len && score > -at->low.v[0])
        heap_push(&at->high, score);
    else
        heap_push(&at->low, -score);
    want = n_low(share, at->low.len + at->high.len);
    /* Moving one takes room that heap_reserve() left: the other heap has not grown. */
    if (at->low.len < want)
        heap_push(&at->low, -heap_pop(&at->high));
    else if (at->low.len > want)
        heap_push(&at->high, -heap_pop(&at->low));
}

/* NaN: no value. */
static double at_step_percentile(const struct at_step *at, double share)
{
    double low, high, at_low, part;

    if (!at->low.len)
        return NAN;
    low = -at->low.v[0];
    at_low = share * (double)(at->low.len + at->high.len - 1);
    part = at_low - floor(at_low);
    if (part == 0 || !at->high.len)
        return low;
    high = at->high.v[0];
    if (low == high)
        return low;
    return part < 0.5 ? low + (high - low) * part : high - (high - low) * (1 - part);
}

/* ---- trials -------------------------------------------------------------------------------- */

static int grow(void *array_pointer, size_t *cap, size_t len, size_t size)
{
    void **array = array_pointer, *more;
    size_t want = *cap ? 2 * *cap : 8;

    if (len < *cap)
        return 0;
    if (!(more = realloc(*array, want * size)))
        return ASY_E_NOMEM;
    *array = more;
    *cap = want;
    return 0;
}

static struct at_step *step_make(struct percentile *m, uint64_t step)
{
    uint32_t i = asy__map_get(&m->steps, step);

    if (i != ASY__MAP_NONE)
        return &m->at[i];
    if (grow(&m->at, &m->cap_steps, m->n_steps, sizeof *m->at) || asy__map_reserve(&m->steps))
        return NULL;
    m->at[m->n_steps] = (struct at_step){ 0 };
    asy__map_put(&m->steps, step, (uint32_t)m->n_steps);
    return &m->at[m->n_steps++];
}

static enum asy_verdict judge(const struct asy_pruner *p, struct trial *t, uint64_t step)
{
    const struct percentile *m = p->state;
    uint32_t i = asy__map_get(&m->steps, step);
    double bound;

    if (m->n_complete == 0 || m->n_complete < (uint64_t)p->options[STARTUP_TRIALS])
        return ASY_GO_ON;
    t->bound_of = i == ASY__MAP_NONE ? 0 : m->at[i].n;
    t->bound = NAN;
    if (!isnan(t->best)) {
        if (t->bound_of == 0 || t->bound_of < (uint64_t)p->options[MIN_TRIALS])
            return ASY_GO_ON;
        bound = at_step_percentile(&m->at[i], m->share);
        if (!(t->best > bound)) /* also where there is none */
            return ASY_GO_ON;
        t->bound = bound;
    }
    t->stopped = 1;
    return ASY_STOP;
}

static struct trial *trial_make(struct percentile *m, uint64_t number)
{
    static const struct trial fresh = { .best = NAN };

    return ASY__TRIAL_MAKE(&m->trials, number, struct trial, &fresh);
}

static enum asy_verdict report(struct asy_pruner *p, uint64_t number, uint64_t step, double score)
{
    struct trial *t = trial_make(p->state, number);
    int look;

    if (!t || t->ended)
        return ASY_GO_ON;
    if (t->stopped)
        return ASY_STOP;
    if ((t->has_reported && step <= t->last_step) ||
        grow(&t->reports, &t->cap, t->len, sizeof *t->reports))
        return ASY_GO_ON;
    look = asy__is_looked_at(step, t->has_reported, t->last_step,
                             (uint64_t)p->options[WARMUP_STEPS], (uint64_t)p->options[INTERVAL]);
    t->reports[t->len++] = (struct report){ step, score };
    t->has_reported = 1;
    t->last_step = step;
    if (isnan(t->best) || score < t->best)
        t->best = score;
    return look ? judge(p, t, step) : ASY_GO_ON;
}

static void unstop(struct asy_pruner *p, uint64_t number)
{
    struct percentile *m = p->state;

    ASY__TRIAL_GET(&m->trials, number, struct trial)->stopped = 0;
}

static void ended(struct asy_pruner *p, uint64_t number, int complete)
{
    struct percentile *m = p->state;
    struct trial *t = trial_make(m, number);

    if (!t || t->ended)
        return;
    t->ended = 1;
    for (size_t r = 0; complete && r < t->len; r++) {
        struct at_step *at = step_make(m, t->reports[r].step);

        if (at)
            at_step_add(at, m->share, t->reports[r].score);
    }
    m->n_complete += complete != 0;
    free(t->reports);
    t->reports = NULL;
    t->len = t->cap = 0;
}

static void explain(const struct asy_pruner *p, uint64_t number, char *text, size_t n)
{
    const struct percentile *m = p->state;
    const struct trial *t = ASY__TRIAL_GET(&m->trials, number, struct trial);
    char best[32], bound[32], which[48] = "the median";

    if (!t || !t->stopped)
        return;
    if (isnan(t->best)) {
        snprintf(text, n, "%s: up to step %llu all its values were nan", p->class->name,
                 (unsigned long long)t->last_step);
        return;
    }
    if (p->class == &asy__pruner_percentile)
        snprintf(which, sizeof which, "percentile %g", p->options[PERCENTILE]);
    snprintf(text, n, "%s: its best value up to step %llu, %s, was worse than %s, %s of %llu "
             "completed trials there", p->class->name, (unsigned long long)t->last_step,
             asy_format_short(asy__pruner_value(p, t->best), best),
             asy_format_short(asy__pruner_value(p, t->bound), bound), which,
             (unsigned long long)t->bound_of);
}

static int create(struct asy_pruner *p, struct asy_error *err)
{
    struct percentile *m = calloc(1, sizeof *m);

    if (!m)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a pruner");
    m->share = p->class == &asy__pruner_median ? 0.5 : p->options[PERCENTILE] / 100;
    p->state = m;
    return 0;
}

static void destroy(struct asy_pruner *p)
{
    struct percentile *m = p->state;
    struct trial *trials = m ? (struct trial *)m->trials.items : NULL;

    if (!m)
        return;
    for (size_t i = 0; i < m->trials.len; i++)
        free(trials[i].reports);
    for (size_t i = 0; i < m->n_steps; i++) {
        free(m->at[i].low.v);
        free(m->at[i].high.v);
    }
    asy__trials_fini(&m->trials);
    free(m->at);
    asy__map_fini(&m->steps);
    free(m);
}

static int stops(const struct asy_pruner *p)
{
    return p->state != NULL;
}

const struct asy__pruner_class asy__pruner_median = {
    .name = "median", .options = options, .n_options = PERCENTILE, .create = create,
    .destroy = destroy, .report = report, .unstop = unstop, .ended = ended, .explain = explain,
    .stops = stops,
};
const struct asy__pruner_class asy__pruner_percentile = {
    .name = "percentile", .options = options, .n_options = ASY_ARRAY_LEN(options),
    .create = create, .destroy = destroy, .report = report, .unstop = unstop, .ended = ended,
    .explain = explain, .stops = stops,
};
