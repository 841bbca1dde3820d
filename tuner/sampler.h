/* SPDX-License-Identifier: Apache-2.0
 * sampler.h - what a kind of sampler provides to sampler.c, and what the kinds share. */
#ifndef ASY_TUNER_SAMPLER_H
#define ASY_TUNER_SAMPLER_H
#include "option.h"
#include "prior.h"
#include <asy/rng.h>

struct asy__sampler_class {
    const char *name;
    const struct asy__option *options; /* [n_options] */
    size_t n_options;
    int needs_history;
    enum asy__priors priors;
    int (*create)(struct asy_sampler *s, struct asy_error *err); /* NULL: nothing to do */
    void (*destroy)(struct asy_sampler *s);
    /* Fills x. The fixed entries (NULL: none) are values of their parameters. */
    int (*ask)(struct asy_sampler *s, uint64_t number, const double *fixed, double *x,
               struct asy_error *err);
    /* Fills xs[n, space length] of trials in a row from one model; NULL: they are asked one after
     * the other. */
    int (*ask_many)(struct asy_sampler *s, uint64_t number, size_t n, double *xs,
                    struct asy_error *err);
    /* reserve makes room for all that tell adds, and changes nothing else, so that tell cannot
     * fail; an outcome that takes back a trial it knows needs none. x is a point of the space. Both
     * NULL: does not listen. */
    int (*reserve)(struct asy_sampler *s, const struct asy_outcome *outcome);
    void (*tell)(struct asy_sampler *s, const struct asy_outcome *outcome);
};
extern const struct asy__sampler_class asy__sampler_random, asy__sampler_grid, asy__sampler_tpe,
    asy__sampler_nsga2, asy__sampler_nsga3, asy__sampler_qmc,
    asy__sampler_gp, asy__sampler_cma, asy__sampler_brute_force, asy__sampler_pbt,
    asy__sampler_pb2;

#define ASY__EARLIER_PROOF 10 /* results of its own: before, a study trusts no earlier one */

struct asy_sampler {
    const struct asy__sampler_class *class;
    const struct asy_space *space;
    uint64_t seed;
    enum asy_goal *goals; /* [n_goals] */
    size_t n_goals;
    uint64_t n_enqueued; /* with those that were told */
    struct asy_earlier *earlier; /* [n_earlier] of earlier studies, whole points; the worst first */
    size_t n_earlier;
    uint64_t n_told;     /* added to the numbers of the study's trials */
    double options[ASY__OPTIONS_MAX]; /* in the order of class->options */
    char reason[200];
    char drew[24]; /* who made the point of the last ask */
    struct asy_origin origin; /* of the last ask; its parent numbered within the sampler */
    void *state;
};

/* Makes of s a sampler for each bracket of spec->pruner, which is hyperband. */
ASY_MUST_CHECK int asy__sampler_brackets(struct asy_sampler *s, const struct asy_space *space,
                                         const struct asy_sampler_spec *spec,
                                         struct asy_error *err);
/* A sampler of this kind without options or state, for the caller to destroy. */
ASY_MUST_CHECK int asy__sampler_new(const struct asy__sampler_class *class,
                                    const struct asy_space *space,
                                    const struct asy_sampler_spec *spec,
                                    struct asy_sampler **ret_sampler, struct asy_error *err);
/* Copies what earlier studies found to s (earlier.c). */
ASY_MUST_CHECK int asy__sampler_earlier(struct asy_sampler *s, const struct asy_sampler_spec *spec,
                                        struct asy_error *err);
/* As how good a share of results a point would rank by those of earlier studies: the mean of the
 * nearest, by distance. There are some. x: a point of the space. */
double asy__earlier_guess(const struct asy_sampler *s, const double *x);
/* Whether n results bear earlier studies out: guesses [n] of their points; results [n], NULL: they
 * rise. Of harmful studies hardly ever, of those that say nothing seldom. */
int asy__earlier_holds(const double *guesses, const double *results, size_t n);
/* The class's own, where it has one: for samplers that are made of others. */
ASY_MUST_CHECK int asy__sampler_reserve(struct asy_sampler *s, const struct asy_outcome *outcome);
void asy__sampler_tell(struct asy_sampler *s, const struct asy_outcome *outcome);
/* Whether the trial counts for nothing from now on. */
static inline int asy__takes_back(const struct asy_outcome *outcome)
{
    return outcome->state == ASY_OUTCOME_FAILED && !outcome->diverged;
}
/* A stream of draws for part of a trial, starting at the given block of its Philox stream. */
struct asy_rng asy__sampler_rng(const struct asy_sampler *s, uint64_t number, uint64_t block);
/* The random sampler's draw for parameter i: a function of seed, number and i alone. */
double asy__random_value(const struct asy_sampler *s, uint64_t number, size_t i);
/* A point of random draws and fixed entries. */
void asy__random_point(const struct asy_sampler *s, uint64_t number, const double *fixed,
                       double *x);
#endif
