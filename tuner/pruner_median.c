/* SPDX-License-Identifier: Apache-2.0
 * pruner_median.c - the rule of Optuna's MedianPruner (percentile 50).
 *
 * A running trial's reports are kept until it ends; when it completes they enter the two heaps of
 * their steps, whose tops are the median. Both are O(log n) and nothing is scanned, unlike a
 * percentile over all trials at each report. Warm-up and interval follow Optuna: a step is looked
 * at if it is the first reported one of its interval. */
#include "pruner.h"
#include <stdio.h>
#include <stdlib.h>
#include <asy/parse.h>
#include "map.h"

enum { STARTUP_TRIALS, WARMUP_STEPS, INTERVAL, MIN_TRIALS };
static const struct asy__option options[] = {
    [STARTUP_TRIALS] = { "startup_trials", 5, 0, 1e9 },
    [WARMUP_STEPS] = { "warmup_steps", 0, 0, 1e15 },
    [INTERVAL] = { "interval", 1, 1, 1e15 },
    [MIN_TRIALS] = { "min_trials", 1, 1, 1e9 },
};

struct heap {
    double *v; /* v[0] is the smallest */
    size_t len, cap;
};
struct at_step { /* what completed trials reported at a step */
    struct heap low, high; /* low holds negated values; low.len - high.len is 0 or 1 */
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
    double median;         /* what it was stopped by; NaN: all its values are NaN */
    uint64_t median_of;
};
struct median {
    struct asy__map numbers, steps;
    struct trial *trials;
    struct at_step *at;
    size_t n_trials, cap_trials, n_steps, cap_steps;
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

static void at_step_add(struct at_step *at, double score)
{
    at->n++;
    if (isnan(score) || heap_reserve(&at->low) || heap_reserve(&at->high))
        return;
    if (at->low.len && score > -at->low.v[0])
        heap_push(&at->high, score);
    else
        heap_push(&at->low, -score);
    /* Moving one takes room that heap_reserve() left: the other heap has not grown. */
    if (at->high.len > at->low.len)
        heap_push(&at->low, -heap_pop(&at->high));
    else if (at->low.len > at->high.len + 1)
        heap_push(&at->high, -heap_pop(&at->low));
}

/* NaN: no value. */
static double at_step_median(const struct at_step *at)
{
    double low, high;

    if (!at->low.len)
        return NAN;
    low = -at->low.v[0];
    if (at->low.len > at->high.len)
        return low;
    high = at->high.v[0];
    return low == high ? low : high - (high - low) * 0.5;
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

static struct trial *trial_get(const struct median *m, uint64_t number)
{
    uint32_t i = asy__map_get(&m->numbers, number);

    return i == ASY__MAP_NONE ? NULL : &m->trials[i];
}

static struct trial *trial_make(struct median *m, uint64_t number)
{
    struct trial *t = trial_get(m, number);

    if (t)
        return t;
    if (grow(&m->trials, &m->cap_trials, m->n_trials, sizeof *m->trials) ||
        asy__map_reserve(&m->numbers))
        return NULL;
    t = &m->trials[m->n_trials];
    *t = (struct trial){ .best = NAN };
    asy__map_put(&m->numbers, number, (uint32_t)m->n_trials++);
    return t;
}

static struct at_step *step_make(struct median *m, uint64_t step)
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

/* Whether the step is the first one the trial reports in its interval. */
static int is_looked_at(const struct asy_pruner *p, const struct trial *t, uint64_t step)
{
    uint64_t warmup = (uint64_t)p->options[WARMUP_STEPS];
    uint64_t interval = (uint64_t)p->options[INTERVAL];

    if (step < warmup)
        return 0;
    return !t->has_reported || t->last_step < step - (step - warmup) % interval;
}

static enum asy_verdict judge(const struct asy_pruner *p, struct trial *t, uint64_t step)
{
    const struct median *m = p->state;
    uint32_t i = asy__map_get(&m->steps, step);
    double median;

    if (m->n_complete == 0 || m->n_complete < (uint64_t)p->options[STARTUP_TRIALS])
        return ASY_GO_ON;
    t->median_of = i == ASY__MAP_NONE ? 0 : m->at[i].n;
    t->median = NAN;
    if (!isnan(t->best)) {
        if (t->median_of == 0 || t->median_of < (uint64_t)p->options[MIN_TRIALS])
            return ASY_GO_ON;
        median = at_step_median(&m->at[i]);
        if (!(t->best > median)) /* also where there is no median */
            return ASY_GO_ON;
        t->median = median;
    }
    t->stopped = 1;
    return ASY_STOP;
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
    look = is_looked_at(p, t, step);
    t->reports[t->len++] = (struct report){ step, score };
    t->has_reported = 1;
    t->last_step = step;
    if (isnan(t->best) || score < t->best)
        t->best = score;
    return look ? judge(p, t, step) : ASY_GO_ON;
}

static void ended(struct asy_pruner *p, uint64_t number, int complete)
{
    struct median *m = p->state;
    struct trial *t = trial_make(m, number);

    if (!t || t->ended)
        return;
    t->ended = 1;
    for (size_t r = 0; complete && r < t->len; r++) {
        struct at_step *at = step_make(m, t->reports[r].step);

        if (at)
            at_step_add(at, t->reports[r].score);
    }
    m->n_complete += complete != 0;
    free(t->reports);
    t->reports = NULL;
    t->len = t->cap = 0;
}

static void explain(const struct asy_pruner *p, uint64_t number, char *text, size_t n)
{
    const struct trial *t = trial_get(p->state, number);
    double sign = p->goal == ASY_MAXIMIZE ? -1 : 1;
    char best[32], median[32];

    if (!t || !t->stopped)
        return;
    if (isnan(t->best)) {
        snprintf(text, n, "median: up to step %llu all its values were nan",
                 (unsigned long long)t->last_step);
        return;
    }
    snprintf(text, n, "median: its best value up to step %llu, %s, was worse than %s, the median "
             "of %llu completed trials there", (unsigned long long)t->last_step,
             asy_format_short(sign * t->best, best), asy_format_short(sign * t->median, median),
             (unsigned long long)t->median_of);
}

static int create(struct asy_pruner *p, struct asy_error *err)
{
    if (!(p->state = calloc(1, sizeof(struct median))))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a pruner");
    return 0;
}

static void destroy(struct asy_pruner *p)
{
    struct median *m = p->state;

    if (!m)
        return;
    for (size_t i = 0; i < m->n_trials; i++)
        free(m->trials[i].reports);
    for (size_t i = 0; i < m->n_steps; i++) {
        free(m->at[i].low.v);
        free(m->at[i].high.v);
    }
    free(m->trials);
    free(m->at);
    asy__map_fini(&m->numbers);
    asy__map_fini(&m->steps);
    free(m);
}

static int stops(const struct asy_pruner *p)
{
    return p->state != NULL;
}

const struct asy__pruner_class asy__pruner_median = {
    .name = "median", .options = options, .n_options = ASY_ARRAY_LEN(options), .create = create,
    .destroy = destroy, .report = report, .ended = ended, .explain = explain, .stops = stops,
};
