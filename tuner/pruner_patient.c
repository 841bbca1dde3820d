/* SPDX-License-Identifier: Apache-2.0
 * pruner_patient.c - the rule of Optuna's PatientPruner: a trial is not stopped, by itself or by
 * another pruner, before it has been worse than its own best for a while.
 *
 * The inner pruner hears of every report, since it compares trials by them, and is asked to take
 * its verdict back while patience lasts. Only those pruners can be wrapped whose verdict depends on
 * reports alone, not on verdicts: not asha, whose rungs hold whom it looked at. */
#include "pruner.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/parse.h>
#include "trials.h"

enum { PATIENCE, MIN_DELTA, INNER, FIRST_INNER };
/* From FIRST_INNER on: those of the inner pruner, by name; NaN: its own default. */
static const struct asy__option options[] = {
    [PATIENCE] = { "patience", 5, 0, 1e5, 0 },
    [MIN_DELTA] = { "min_delta", 0, 0, 1e300, 1 },
    [INNER] = { "inner", 0, 0, 3, 0 },
    { "startup_trials", NAN, 0, 1e9, 0 },
    { "warmup_steps", NAN, 0, 1e15, 0 },
    { "interval", NAN, 1, 1e15, 0 },
    { "min_trials", NAN, 1, 1e9, 0 },
    { "percentile", NAN, 0, 100, 1 },
    { "lower", NAN, -INFINITY, INFINITY, 1 },
    { "upper", NAN, -INFINITY, INFINITY, 1 },
};
static const struct asy__pruner_class *const inners[] = {
    NULL, &asy__pruner_median, &asy__pruner_percentile, &asy__pruner_threshold,
};

struct trial {
    double *recent; /* [cap] the last patience + 1 scores, in a ring; NULL: it has ended */
    size_t cap;
    uint64_t n;     /* scores in all; the next goes to n % (patience + 1) */
    double before;  /* the best of those that left the ring; NaN: none */
    double after;   /* the best in the ring when it was stopped */
    uint64_t last_step;
    int ended, stopped;
};
struct patient {
    struct asy__trials trials;
    struct asy_pruner *inner; /* NULL: none */
};

static struct trial *trial_make(struct patient *s, uint64_t number)
{
    static const struct trial fresh = { .before = NAN };

    return ASY__TRIAL_MAKE(&s->trials, number, struct trial, &fresh);
}

/* Room for one more score. */
static int ring_reserve(struct trial *t, size_t most)
{
    size_t cap = t->cap ? 2 * t->cap : 8;

    if (t->n < t->cap || t->cap == most)
        return 0;
    cap = cap < most ? cap : most;
    if (asy__grow(&t->recent, cap, sizeof *t->recent))
        return ASY_E_NOMEM;
    t->cap = cap;
    return 0;
}

/* Whether it has been worse than before for long enough, this score included. */
static int is_worse(const struct asy_pruner *p, struct trial *t, double score)
{
    size_t most = (size_t)p->options[PATIENCE] + 1;

    if (t->n >= most) /* fmin() leaves NaN out */
        t->before = fmin(t->before, t->recent[t->n % most]);
    t->recent[t->n++ % most] = score;
    if (t->n <= most)
        return 0;
    t->after = NAN;
    for (size_t i = 0; i < most; i++)
        t->after = fmin(t->after, t->recent[i]);
    return t->before + p->options[MIN_DELTA] < t->after;
}

static enum asy_verdict report(struct asy_pruner *p, uint64_t number, uint64_t step, double score)
{
    struct patient *s = p->state;
    struct trial *t = trial_make(s, number);
    enum asy_verdict verdict = ASY_STOP;

    if (!t || t->ended)
        return ASY_GO_ON;
    if (t->stopped)
        return ASY_STOP;
    if ((t->n && step <= t->last_step) || ring_reserve(t, (size_t)p->options[PATIENCE] + 1))
        return ASY_GO_ON;
    t->last_step = step;
    if (s->inner)
        verdict = s->inner->class->report(s->inner, number, step, score);
    if (is_worse(p, t, score) && verdict == ASY_STOP) {
        t->stopped = 1;
        return ASY_STOP;
    }
    if (s->inner && verdict == ASY_STOP)
        s->inner->class->unstop(s->inner, number);
    return ASY_GO_ON;
}

static void ended(struct asy_pruner *p, uint64_t number, int complete)
{
    struct patient *s = p->state;
    struct trial *t = trial_make(s, number);

    if (!t || t->ended)
        return;
    t->ended = 1;
    free(t->recent);
    t->recent = NULL;
    if (s->inner)
        s->inner->class->ended(s->inner, number, complete);
}

static void explain(const struct asy_pruner *p, uint64_t number, char *text, size_t n)
{
    const struct patient *s = p->state;
    const struct trial *t = ASY__TRIAL_GET(&s->trials, number, struct trial);
    char after[32], before[32], delta[48] = "";
    int len;

    if (!t || !t->stopped)
        return;
    if (p->options[MIN_DELTA] > 0)
        snprintf(delta, sizeof delta, " by more than %g", p->options[MIN_DELTA]);
    len = snprintf(text, n, "patient: the best of its last %.0f values up to step %llu, %s, was "
                   "worse than its best before them, %s%s", p->options[PATIENCE] + 1,
                   (unsigned long long)t->last_step,
                   asy_format_short(asy__pruner_value(p, t->after), after),
                   asy_format_short(asy__pruner_value(p, t->before), before), delta);
    if (s->inner && len >= 0 && (size_t)len + 8 < n) {
        memcpy(text + len, "; ", 3);
        s->inner->class->explain(s->inner, number, text + len + 2, n - (size_t)len - 2);
    }
}

static int make_inner(struct asy_pruner *p, struct patient *s, struct asy_error *err)
{
    const struct asy__pruner_class *class = inners[(size_t)p->options[INNER]];
    unsigned used = 0;
    int rc;

    if (class && !(s->inner = asy__pruner_like(p, class)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a pruner");
    for (size_t i = 0; class && i < class->n_options; i++) {
        s->inner->options[i] = class->options[i].fallback;
        for (size_t o = FIRST_INNER; o < ASY_ARRAY_LEN(options); o++)
            if (!strcmp(options[o].name, class->options[i].name)) {
                used |= 1u << o;
                if (!isnan(p->options[o]))
                    s->inner->options[i] = p->options[o];
            }
    }
    for (size_t o = FIRST_INNER; o < ASY_ARRAY_LEN(options); o++)
        if (!isnan(p->options[o]) && !(used & 1u << o))
            return asy_fail(err, ASY_E_INVAL, "pruner 'patient': %s is no option of its inner "
                            "pruner, which is %s", options[o].name, class ? class->name : "none");
    if (class && (rc = class->create(s->inner, err))) {
        asy_error_prefix(err, "pruner 'patient'");
        return rc;
    }
    return 0;
}

static int create(struct asy_pruner *p, struct asy_error *err)
{
    if (!(p->state = calloc(1, sizeof(struct patient))))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a pruner");
    return make_inner(p, p->state, err);
}

static void destroy(struct asy_pruner *p)
{
    struct patient *s = p->state;
    struct trial *trials = s ? (struct trial *)s->trials.items : NULL;

    if (!s)
        return;
    for (size_t i = 0; i < s->trials.len; i++)
        free(trials[i].recent);
    asy__trials_fini(&s->trials);
    asy_pruner_destroy(s->inner);
    free(s);
}

static int stops(const struct asy_pruner *p)
{
    return p->state != NULL;
}

const struct asy__pruner_class asy__pruner_patient = {
    .name = "patient", .options = options, .n_options = ASY_ARRAY_LEN(options), .create = create,
    .destroy = destroy, .report = report, .ended = ended, .explain = explain, .stops = stops,
};
