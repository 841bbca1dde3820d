/* SPDX-License-Identifier: Apache-2.0
 * pruner.h - what a kind of pruner provides to pruner.c. */
#ifndef ASY_TUNER_PRUNER_H
#define ASY_TUNER_PRUNER_H
#include "option.h"

struct asy__pruner_class {
    const char *name;
    const struct asy__option *options; /* [n_options] */
    size_t n_options;
    /* Fills p->state from p's other fields; NULL: nothing to do. */
    int (*create)(struct asy_pruner *p, struct asy_error *err);
    void (*destroy)(struct asy_pruner *p);
    /* The rest may be NULL: length_max, ASY_GO_ON, 0, nothing, "", 0. */
    uint64_t (*milestone)(const struct asy_pruner *p, uint64_t step);
    /* score: the value, negated if the goal is to maximise. */
    enum asy_verdict (*report)(struct asy_pruner *p, uint64_t number, uint64_t step, double score);
    int (*promote)(struct asy_pruner *p, uint64_t *ret_number, uint64_t *ret_milestone);
    int (*promote_last)(struct asy_pruner *p, uint64_t *ret_number, uint64_t *ret_milestone);
    void (*unpromote)(struct asy_pruner *p, uint64_t number);
    void (*ended)(struct asy_pruner *p, uint64_t number, int complete);
    void (*explain)(const struct asy_pruner *p, uint64_t number, char *text, size_t n);
    int (*stops)(const struct asy_pruner *p);
};
extern const struct asy__pruner_class asy__pruner_none, asy__pruner_median, asy__pruner_asha;

struct asy_pruner {
    const struct asy__pruner_class *class;
    enum asy_goal goal;
    uint64_t length_max;
    int can_pause;
    double options[ASY__OPTIONS_MAX]; /* in the order of class->options */
    void *state;
};
#endif
