/* SPDX-License-Identifier: Apache-2.0
 * lbfgs.h - minimises a smooth function in a box, asking for values rather than calling back, so
 * that many minimisations can share one evaluation of many points.
 *
 * Limited-memory BFGS (Nocedal and Wright 2006, algorithm 7.4) in the variables that are not held
 * by a bound (Bertsekas 1982, "Projected Newton methods"), with a backtracking search along the
 * projected path. A function of what it is told: no clock, no random number. */
#ifndef ASY_TUNER_LBFGS_H
#define ASY_TUNER_LBFGS_H
#include <asy/error.h>

#define ASY__LBFGS_MEMORY 8

struct asy__lbfgs_rule {
    unsigned evaluations_max;
    double gradient; /* ends when no entry of the projected gradient is larger */
    double gain;     /* ends when a step lowers f by less than gain max(|f|, 1) */
    double step_max; /* the longest step of a variable */
};
struct asy__lbfgs {
    size_t d;
    struct asy__lbfgs_rule rule;
    double *lo, *hi;  /* [d] the box, set by the owner before a start */
    double *size;     /* [d] the inverse of the function's curvature, roughly; the owner's too */
    double *x, *g;    /* [d] the best point so far and its gradient */
    double f;
    double *trial;    /* [d] where the next value is wanted */
    double *p;        /* [d] the direction */
    double *s, *y;    /* [ASY__LBFGS_MEMORY, d] steps and what the gradient changed by */
    double *masked;   /* [d] */
    size_t n_pairs;   /* so far; the newest is (n_pairs - 1) % ASY__LBFGS_MEMORY */
    double t, slope;  /* share of p that is tried; its directional derivative */
    unsigned evaluations;
    double *memory;
};

ASY_MUST_CHECK int asy__lbfgs_init(struct asy__lbfgs *o, size_t d);
void asy__lbfgs_fini(struct asy__lbfgs *o);
/* x: [d] inside the box. The first value is wanted at o->trial = x. */
void asy__lbfgs_start(struct asy__lbfgs *o, const struct asy__lbfgs_rule *rule, const double *x);
/* Value and gradient [d] at o->trial. 1: o->trial is where the next one is wanted; 0: done, o->x is
 * the result. A value that is not finite counts as worse than any. */
int asy__lbfgs_tell(struct asy__lbfgs *o, double f, const double *g);
#endif
