/* SPDX-License-Identifier: Apache-2.0
 * pruner_threshold.c - the rule of Optuna's ThresholdPruner: a value beyond fixed bounds, or NaN,
 * stops the trial. The bounds are of values as they are reported, whichever way is better. */
#include "pruner.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <asy/parse.h>
#include "interval.h"
#include "trials.h"

enum { LOWER, UPPER, WARMUP_STEPS, INTERVAL };
static const struct asy__option options[] = {
    [LOWER] = { "lower", -INFINITY, -INFINITY, INFINITY, 1 },
    [UPPER] = { "upper", INFINITY, -INFINITY, INFINITY, 1 },
    [WARMUP_STEPS] = { "warmup_steps", 0, 0, 1e15, 0 },
    [INTERVAL] = { "interval", 1, 1, 1e15, 0 },
};

struct trial {
    uint64_t last_step;
    int has_reported, ended, stopped;
    double value; /* that stopped it */
};

static enum asy_verdict report(struct asy_pruner *p, uint64_t number, uint64_t step, double score)
{
    static const struct trial fresh = { 0 };
    struct trial *t = ASY__TRIAL_MAKE(p->state, number, struct trial, &fresh);
    double value = asy__pruner_value(p, score);
    int look;

    if (!t || t->ended)
        return ASY_GO_ON;
    if (t->stopped)
        return ASY_STOP;
    if (t->has_reported && step <= t->last_step)
        return ASY_GO_ON;
    look = asy__is_looked_at(step, t->has_reported, t->last_step,
                             (uint64_t)p->options[WARMUP_STEPS], (uint64_t)p->options[INTERVAL]);
    t->has_reported = 1;
    t->last_step = step;
    t->value = value;
    t->stopped = look && !(value >= p->options[LOWER] && value <= p->options[UPPER]);
    return t->stopped ? ASY_STOP : ASY_GO_ON;
}

static void unstop(struct asy_pruner *p, uint64_t number)
{
    ASY__TRIAL_GET(p->state, number, struct trial)->stopped = 0;
}

static void ended(struct asy_pruner *p, uint64_t number, int complete)
{
    static const struct trial fresh = { 0 };
    struct trial *t = ASY__TRIAL_MAKE(p->state, number, struct trial, &fresh);

    (void)complete; /* trials are judged each by itself */
    if (t)
        t->ended = 1;
}

static void explain(const struct asy_pruner *p, uint64_t number, char *text, size_t n)
{
    const struct trial *t = ASY__TRIAL_GET(p->state, number, struct trial);
    unsigned long long step = t ? t->last_step : 0;
    int below = t && t->value < p->options[LOWER];
    char value[32], bound[32];

    if (!t || !t->stopped)
        return;
    if (isnan(t->value))
        snprintf(text, n, "threshold: its value at step %llu was nan", step);
    else
        snprintf(text, n, "threshold: its value %s at step %llu was %s the bound %s",
                 asy_format_short(t->value, value), step, below ? "below" : "above",
                 asy_format_short(p->options[below ? LOWER : UPPER], bound));
}

static int create(struct asy_pruner *p, struct asy_error *err)
{
    char lower[32], upper[32];

    if (isinf(p->options[LOWER]) && isinf(p->options[UPPER]))
        return asy_fail(err, ASY_E_INVAL, "pruner 'threshold': needs lower, upper or both");
    if (p->options[LOWER] > p->options[UPPER])
        return asy_fail(err, ASY_E_INVAL, "pruner 'threshold': lower (%s) is above upper (%s)",
                        asy_format_short(p->options[LOWER], lower),
                        asy_format_short(p->options[UPPER], upper));
    if (!(p->state = calloc(1, sizeof(struct asy__trials))))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a pruner");
    return 0;
}

static void destroy(struct asy_pruner *p)
{
    if (p->state)
        asy__trials_fini(p->state);
    free(p->state);
}

static int stops(const struct asy_pruner *p)
{
    return p->state != NULL;
}

const struct asy__pruner_class asy__pruner_threshold = {
    .name = "threshold", .options = options, .n_options = ASY_ARRAY_LEN(options), .create = create,
    .destroy = destroy, .report = report, .unstop = unstop, .ended = ended, .explain = explain,
    .stops = stops,
};
