/* SPDX-License-Identifier: Apache-2.0
 * pruner.h - what a kind of pruner provides to pruner.c. */
#ifndef ASY_TUNER_PRUNER_H
#define ASY_TUNER_PRUNER_H
#include <asy/pareto.h>
#include "option.h"

#define ASY__RUNGS_MAX 64 /* reductions are 2 or more, and lengths below 2^64 */

struct asy__pruner_class {
    const char *name;
    const struct asy__option *options; /* [n_options] */
    size_t n_options;
    /* Fills p->state from p's other fields; NULL: nothing to do. */
    int (*create)(struct asy_pruner *p, struct asy_error *err);
    void (*destroy)(struct asy_pruner *p);
    /* The rest may be NULL: length_max, ASY_GO_ON, 0, nothing, "", 0. */
    uint64_t (*milestone)(const struct asy_pruner *p, uint64_t number, uint64_t step);
    /* score: the value of the first objective, negated if the goal is to maximise. */
    enum asy_verdict (*report)(struct asy_pruner *p, uint64_t number, uint64_t step, double score);
    /* Instead of it: scores[n_goals] of all objectives. */
    enum asy_verdict (*report_all)(struct asy_pruner *p, uint64_t number, uint64_t step,
                                   const double *scores);
    /* A trial that it has just stopped goes on after all, as if the rule had not held. Only of
     * those that patient may wrap. */
    void (*unstop)(struct asy_pruner *p, uint64_t number);
    int (*promote)(struct asy_pruner *p, uint64_t *ret_number, uint64_t *ret_milestone);
    int (*promote_last)(struct asy_pruner *p, uint64_t *ret_number, uint64_t *ret_milestone);
    void (*unpromote)(struct asy_pruner *p, uint64_t number);
    void (*ended)(struct asy_pruner *p, uint64_t number, int complete);
    void (*explain)(const struct asy_pruner *p, uint64_t number, char *text, size_t n);
    int (*stops)(const struct asy_pruner *p);
};
extern const struct asy__pruner_class asy__pruner_none, asy__pruner_median, asy__pruner_percentile,
    asy__pruner_patient, asy__pruner_threshold, asy__pruner_wilcoxon, asy__pruner_asha,
    asy__pruner_hyperband, asy__pruner_moasha;

struct asy_pruner {
    const struct asy__pruner_class *class;
    enum asy_goal goals[ASY_OBJECTIVES_MAX]; /* [n_goals] */
    size_t n_goals;
    uint64_t length_max;
    int can_pause;
    double options[ASY__OPTIONS_MAX]; /* in the order of class->options */
    void *state;
};

/* A pruner of another class and the same study, with options as they are; NULL: no memory. */
struct asy_pruner *asy__pruner_like(const struct asy_pruner *p,
                                    const struct asy__pruner_class *class);
/* Fills ret[ASY__RUNGS_MAX] with least * reduction^k below length_max, ascending; how many. */
int asy__rung_lengths(uint64_t least, uint64_t reduction, uint64_t length_max, uint64_t *ret);
/* The place of asha's option `rule`, and its values. */
enum { ASY__ASHA_RULE = 2, ASY__ASHA_BY_PAPER = 1, ASY__ASHA_BY_TREND = 2 };
/* Where a trial of asha has its newest entry, which it has. */
void asy__asha_stands(const struct asy_pruner *p, uint64_t number, uint64_t *ret_length,
                      double *ret_score);
/* Of hyperband: how many brackets, the one of a trial, and how many trials (of all budgets' sum)
 * one gets: Optuna's ceil(B eta^s / (s + 1)), s = B - 1 - bracket. */
size_t asy__hyperband_brackets(const struct asy_pruner *p);
size_t asy__hyperband_bracket(const struct asy_pruner *p, uint64_t number);
double asy__hyperband_budget(const struct asy_pruner *p, size_t bracket);
/* The value that a score of the first objective stands for. */
static inline double asy__pruner_value(const struct asy_pruner *p, double score)
{
    return p->goals[0] == ASY_MAXIMIZE ? -score : score;
}
#endif
