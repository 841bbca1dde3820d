/* SPDX-License-Identifier: Apache-2.0
 * pruner_wilcoxon.c - the rule of Optuna's WilcoxonPruner: trials that are evaluated on many
 * instances (folds, seeds, problems) are compared with the best one instance by instance.
 *
 * The best trial is the completed one with the best mean of its values, which is the objective of
 * such a study; so the caller need not say what trials were worth. Only its values are kept, and
 * those of running trials. */
#include "pruner.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <asy/parse.h>
#include "signed_rank.h"
#include "trials.h"

enum { P_THRESHOLD, STARTUP_STEPS };
static const struct asy__option options[] = {
    [P_THRESHOLD] = { "p_threshold", 0.1, 0, 1, 1 },
    [STARTUP_STEPS] = { "startup_steps", 2, 0, 1e9, 0 },
};

struct results { /* by ascending instance */
    struct result {
        uint64_t step;
        double score;
    } *at; /* [len] */
    size_t len, cap;
    double sum;
    int finite; /* all of them */
};
struct trial {
    struct results results;
    int ended, stopped;
    double p, mean, best_mean; /* that stopped it */
    size_t shared;
    uint64_t best;
};
struct wilcoxon {
    struct asy__trials trials;
    struct results best; /* len 0: none */
    uint64_t best_number;
    double *differences; /* [cap_differences] */
    size_t cap_differences;
};

static struct trial *trial_make(struct wilcoxon *w, uint64_t number)
{
    static const struct trial fresh = { .results = { .finite = 1 } };

    return ASY__TRIAL_MAKE(&w->trials, number, struct trial, &fresh);
}

static double mean(const struct results *r)
{
    return r->len ? r->sum / (double)r->len : NAN;
}

/* Room for one more result, and for as many differences. */
static int reserve(struct wilcoxon *w, struct results *r)
{
    size_t cap = r->cap ? 2 * r->cap : 8;

    if (r->len == r->cap) {
        if (asy__grow(&r->at, cap, sizeof *r->at))
            return ASY_E_NOMEM;
        r->cap = cap;
    }
    if (w->cap_differences < r->cap) {
        if (asy__grow(&w->differences, r->cap, sizeof *w->differences))
            return ASY_E_NOMEM;
        w->cap_differences = r->cap;
    }
    return 0;
}

/* Fills w->differences with how much worse it is on the instances that both have. */
static size_t compare(struct wilcoxon *w, const struct results *r)
{
    size_t n = 0;

    for (size_t i = 0, b = 0; i < r->len && b < w->best.len;) {
        if (r->at[i].step == w->best.at[b].step)
            w->differences[n++] = r->at[i++].score - w->best.at[b++].score;
        else if (r->at[i].step < w->best.at[b].step)
            i++;
        else
            b++;
    }
    return n;
}

static enum asy_verdict judge(const struct asy_pruner *p, struct trial *t)
{
    struct wilcoxon *w = p->state;
    double least = fmax(2, p->options[STARTUP_STEPS]);

    if (!t->results.finite || !w->best.len || !w->best.finite)
        return ASY_GO_ON;
    t->shared = compare(w, &t->results);
    if ((double)t->shared < least)
        return ASY_GO_ON;
    t->mean = mean(&t->results);
    t->best_mean = mean(&w->best);
    t->best = w->best_number;
    t->p = asy__signed_rank_p(w->differences, t->shared);
    t->stopped = t->p < p->options[P_THRESHOLD] && t->mean > t->best_mean;
    return t->stopped ? ASY_STOP : ASY_GO_ON;
}

static enum asy_verdict report(struct asy_pruner *p, uint64_t number, uint64_t step, double score)
{
    struct wilcoxon *w = p->state;
    struct trial *t = trial_make(w, number);
    struct results *r = t ? &t->results : NULL;

    if (!t || t->ended)
        return ASY_GO_ON;
    if (t->stopped)
        return ASY_STOP;
    if ((r->len && step <= r->at[r->len - 1].step) || reserve(w, r))
        return ASY_GO_ON;
    r->at[r->len++] = (struct result){ step, score };
    r->sum += score;
    r->finite = r->finite && isfinite(score);
    return judge(p, t);
}

static void ended(struct asy_pruner *p, uint64_t number, int complete)
{
    struct wilcoxon *w = p->state;
    struct trial *t = trial_make(w, number);
    struct results *r = t ? &t->results : NULL;

    if (!t || t->ended)
        return;
    t->ended = 1;
    if (complete && !isnan(mean(r)) && (!w->best.len || mean(r) < mean(&w->best))) {
        free(w->best.at);
        w->best = *r;
        w->best_number = number;
        *r = (struct results){ 0 };
    }
    free(r->at);
    *r = (struct results){ 0 };
}

static void explain(const struct asy_pruner *p, uint64_t number, char *text, size_t n)
{
    const struct wilcoxon *w = p->state;
    const struct trial *t = ASY__TRIAL_GET(&w->trials, number, struct trial);
    char chance[32], own[32], best[32];

    if (!t || !t->stopped)
        return;
    snprintf(text, n, "wilcoxon: on the %zu instances that it shared with trial %llu, the best, it "
             "was worse with p %s, below %g; its mean %s, that of the best %s", t->shared,
             (unsigned long long)t->best, asy_format_short(t->p, chance), p->options[P_THRESHOLD],
             asy_format_short(asy__pruner_value(p, t->mean), own),
             asy_format_short(asy__pruner_value(p, t->best_mean), best));
}

static int create(struct asy_pruner *p, struct asy_error *err)
{
    if (!(p->state = calloc(1, sizeof(struct wilcoxon))))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a pruner");
    return 0;
}

static void destroy(struct asy_pruner *p)
{
    struct wilcoxon *w = p->state;
    struct trial *trials = w ? (struct trial *)w->trials.items : NULL;

    if (!w)
        return;
    for (size_t i = 0; i < w->trials.len; i++)
        free(trials[i].results.at);
    asy__trials_fini(&w->trials);
    free(w->best.at);
    free(w->differences);
    free(w);
}

static int stops(const struct asy_pruner *p)
{
    return p->state != NULL;
}

const struct asy__pruner_class asy__pruner_wilcoxon = {
    .name = "wilcoxon", .options = options, .n_options = ASY_ARRAY_LEN(options), .create = create,
    .destroy = destroy, .report = report, .ended = ended, .explain = explain, .stops = stops,
};
