/* SPDX-License-Identifier: Apache-2.0
 * sampler.c - the interface of samplers: checks what comes in, hands calls to the kind chosen. */
#include "auto.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/pareto.h>
#include <asy/parse.h>

#define NUMBER_MAX 9007199254740992u /* 2^53 */

static const struct asy__sampler_class *const classes[] = {
    &asy__sampler_random, &asy__sampler_grid, &asy__sampler_tpe, &asy__sampler_nsga2,
    &asy__sampler_nsga3,  &asy__sampler_qmc,  &asy__sampler_gp,
    &asy__sampler_cma,    &asy__sampler_brute_force, &asy__sampler_pbt,
    &asy__sampler_pb2,
};
static const char *const names[] = { "auto", "random", "grid", "tpe", "nsga2", "nsga3", "qmc",
                                     "gp",   "cma",    "brute_force", "pbt", "pb2" };

static const struct asy__sampler_class *find(const char *name)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(classes); i++)
        if (!strcmp(classes[i]->name, name))
            return classes[i];
    return NULL;
}

const char *asy_sampler_name(size_t i)
{
    return i < ASY_ARRAY_LEN(names) ? names[i] : NULL;
}

const char *asy_sampler_option(const char *sampler, size_t i)
{
    const struct asy__sampler_class *class = find(sampler);

    return class && i < class->n_options ? class->options[i].name : NULL;
}

static int unknown(const char *name, struct asy_error *err)
{
    const char *near = asy_nearest(name, strlen(name), names, ASY_ARRAY_LEN(names));

    if (near)
        return asy_fail(err, ASY_E_INVAL, "unknown sampler '%.60s', did you mean '%s'", name, near);
    return asy_fail(err, ASY_E_INVAL, "unknown sampler '%.60s'", name);
}

/* ---- life ---------------------------------------------------------------------------------- */

int asy__sampler_new(const struct asy__sampler_class *class, const struct asy_space *space,
                     const struct asy_sampler_spec *spec, struct asy_sampler **ret_sampler,
                     struct asy_error *err)
{
    struct asy_sampler *s;

    if (spec->n_goals < 1)
        return asy_fail(err, ASY_E_INVAL, "a sampler needs an objective");
    if (spec->n_goals > ASY_OBJECTIVES_MAX)
        return asy_fail(err, ASY_E_INVAL, "a study has at most %d objectives, not %zu",
                        ASY_OBJECTIVES_MAX, spec->n_goals);
    if (!(s = calloc(1, sizeof *s)) || !(s->goals = calloc(spec->n_goals, sizeof *s->goals))) {
        free(s);
        return asy_fail(err, ASY_E_NOMEM, "no memory for a sampler");
    }
    memcpy(s->goals, spec->goals, spec->n_goals * sizeof *s->goals);
    s->class = class;
    s->space = space;
    s->seed = spec->seed;
    s->n_goals = spec->n_goals;
    s->n_enqueued = spec->n_enqueued;
    *ret_sampler = s;
    return 0;
}

/* State, or a sampler for each bracket. */
static int begin(struct asy_sampler *s, const struct asy_sampler_spec *spec, struct asy_error *err)
{
    if (s->class == &asy__sampler_tpe && spec->pruner && !strcmp(spec->pruner->name, "hyperband"))
        return asy__sampler_brackets(s, s->space, spec, err);
    return s->class->create ? s->class->create(s, err) : 0;
}

/* One that has heard of nothing yet. */
static int make(const struct asy_space *space, const struct asy_sampler_spec *spec,
                struct asy_sampler **ret_sampler, struct asy_error *err)
{
    const struct asy__sampler_class *class = find(spec->name);
    struct asy_sampler *s = NULL;
    char what[40];
    int rc;

    if (!strcmp(spec->name, "auto"))
        return asy__auto_create(space, spec, ASY__AUTO_ALL, ret_sampler, err);
    if (!class)
        return unknown(spec->name, err);
    if ((rc = asy__priors_check(space, class->priors, class->name, err)) ||
        (rc = asy__sampler_new(class, space, spec, &s, err)))
        return rc;
    snprintf(s->reason, sizeof s->reason, "%s, as the study asks", class->name);
    snprintf(s->drew, sizeof s->drew, "%s", class->name);
    snprintf(what, sizeof what, "sampler '%s'", class->name);
    if ((rc = asy__sampler_earlier(s, spec, err)) ||
        (rc = asy__options_read(what, class->options, class->n_options, spec->options,
                                spec->n_options, s->options, err)) ||
        (rc = begin(s, spec, err))) {
        asy_sampler_destroy(s);
        return rc;
    }
    *ret_sampler = s;
    return 0;
}

static int outcome_check(const struct asy_sampler *s, const struct asy_outcome *outcome,
                         struct asy_error *err)
{
    int rc = asy_space_check(s->space, outcome->x, err);

    if (rc)
        return rc;
    if (outcome->state < ASY_OUTCOME_RUNNING || outcome->state > ASY_OUTCOME_FAILED)
        return asy_fail(err, ASY_E_INVAL, "trial %llu has no outcome %d",
                        (unsigned long long)outcome->number, (int)outcome->state);
    if (outcome->state == ASY_OUTCOME_COMPLETE && !outcome->values)
        return asy_fail(err, ASY_E_INVAL, "trial %llu completed without values",
                        (unsigned long long)outcome->number);
    return 0;
}

int asy__sampler_reserve(struct asy_sampler *s, const struct asy_outcome *outcome)
{
    return s->class->reserve ? s->class->reserve(s, outcome) : 0;
}

void asy__sampler_tell(struct asy_sampler *s, const struct asy_outcome *outcome)
{
    if (s->class->tell)
        s->class->tell(s, outcome);
}

/* All of the outcome or nothing, however many samplers this one is made of. */
static int hear(struct asy_sampler *s, const struct asy_outcome *outcome, struct asy_error *err)
{
    if (asy__sampler_reserve(s, outcome))
        return asy_fail(err, ASY_E_NOMEM, "no memory for trial %llu",
                        (unsigned long long)outcome->number);
    asy__sampler_tell(s, outcome);
    return 0;
}

/* Results from elsewhere, as the first trials. */
static int tell_first(struct asy_sampler *s, const struct asy_sampler_spec *spec,
                      struct asy_error *err)
{
    int rc = 0;

    s->n_told = spec->n_told;
    for (size_t i = 0; rc == 0 && i < spec->n_told; i++) {
        struct asy_outcome o = spec->told[i];

        o.number = i;
        if ((rc = outcome_check(s, &o, err)) == 0)
            rc = hear(s, &o, err);
        if (rc < 0)
            asy_error_prefix(err, "result %zu from elsewhere", i);
    }
    return rc;
}

int asy_sampler_create(const struct asy_space *space, const struct asy_sampler_spec *spec,
                       struct asy_sampler **ret_sampler, struct asy_error *err)
{
    struct asy_sampler_spec own = *spec; /* its parts are told through it */
    struct asy_sampler *s = NULL;
    int rc;

    own.n_enqueued += own.n_told;
    own.n_told = 0;
    if ((rc = make(space, &own, &s, err)))
        return rc;
    if ((rc = tell_first(s, spec, err))) {
        asy_sampler_destroy(s);
        return rc;
    }
    *ret_sampler = s;
    return 0;
}

void asy_sampler_destroy(struct asy_sampler *sampler)
{
    if (!sampler)
        return;
    if (sampler->class && sampler->class->destroy && sampler->state) /* half-built ones too */
        sampler->class->destroy(sampler);
    free(sampler->earlier);
    free(sampler->goals);
    free(sampler);
}

int asy_sampler_needs_history(const struct asy_sampler *sampler)
{
    return sampler->class->needs_history;
}

const char *asy_sampler_reason(const struct asy_sampler *sampler)
{
    return sampler->reason;
}

const char *asy_sampler_drew(const struct asy_sampler *sampler)
{
    return sampler->drew;
}

struct asy_origin asy_sampler_origin(const struct asy_sampler *sampler)
{
    struct asy_origin origin = sampler->origin;

    if (origin.parent)
        origin.parent -= sampler->n_told;
    return origin;
}

/* ---- ask and tell -------------------------------------------------------------------------- */

static int number_check(uint64_t number, struct asy_error *err)
{
    if (number >= NUMBER_MAX)
        return asy_fail(err, ASY_E_INVAL, "trial number %llu is not below 2^53",
                        (unsigned long long)number);
    return 0;
}

static int fixed_check(const struct asy_space *space, const double *fixed, struct asy_error *err)
{
    for (size_t i = 0; fixed && i < asy_space_len(space); i++)
        if (!isnan(fixed[i]) && asy_space_snap(space, i, fixed[i]) != fixed[i])
            return asy_fail(err, ASY_E_INVAL, "parameter '%s' cannot be fixed at %.15g",
                            asy_space_at(space, i)->name, fixed[i]);
    return 0;
}

static int remember(struct asy_sampler *sampler, uint64_t number, const double *x,
                    struct asy_error *err)
{
    struct asy_outcome running = { .number = number, .state = ASY_OUTCOME_RUNNING, .x = x,
                                   .origin = sampler->origin };

    return hear(sampler, &running, err);
}

int asy_sampler_ask(struct asy_sampler *sampler, uint64_t number, const double *fixed,
                    double *ret_x, struct asy_error *err)
{
    size_t n = asy_space_len(sampler->space);
    double *x = NULL;
    int rc;

    if ((rc = number_check(number, err)) || (rc = number_check(number + sampler->n_told, err)) ||
        (rc = fixed_check(sampler->space, fixed, err)))
        return rc;
    number += sampler->n_told;
    if (!(x = malloc((n + 1) * sizeof *x)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a point");
    if ((rc = sampler->class->ask(sampler, number, fixed, x, err)) ||
        (rc = remember(sampler, number, x, err)))
        goto out;
    memcpy(ret_x, x, n * sizeof *x);
out:
    free(x);
    return rc;
}

/* So that none of n trials, which were asked for in vain, counts as running. */
static void take_back(struct asy_sampler *sampler, uint64_t number, size_t n, const double *xs)
{
    for (size_t i = 0; i < n; i++) {
        struct asy_outcome none = { .number = number + i, .state = ASY_OUTCOME_FAILED,
                                    .x = &xs[i * asy_space_len(sampler->space)] };

        ASY_IGNORE(asy_sampler_tell(sampler, &none, NULL)); /* it is known: that needs no memory */
    }
}

/* xs: [n, space length] */
static int ask_in_turn(struct asy_sampler *sampler, uint64_t number, size_t n, double *xs,
                       struct asy_error *err)
{
    size_t len = asy_space_len(sampler->space), done = 0;
    int rc = 0;

    while (done < n && !(rc = asy_sampler_ask(sampler, number + done, NULL, &xs[done * len], err)))
        done++;
    if (rc)
        take_back(sampler, number, done, xs);
    return rc;
}

static int ask_at_once(struct asy_sampler *sampler, uint64_t number, size_t n, double *xs,
                       struct asy_error *err)
{
    size_t len = asy_space_len(sampler->space);
    uint64_t within = number + sampler->n_told;
    int rc = number_check(within + n - 1, err);

    if (rc == 0)
        rc = sampler->class->ask_many(sampler, within, n, xs, err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        if ((rc = remember(sampler, within + i, &xs[i * len], err)))
            take_back(sampler, number, i, xs);
    return rc;
}

int asy_sampler_ask_many(struct asy_sampler *sampler, uint64_t number, size_t n, double *ret_xs,
                         struct asy_error *err)
{
    size_t len = asy_space_len(sampler->space), size;
    double *xs = NULL;
    int rc;

    if (n == 0)
        return 0;
    if ((rc = number_check(number, err)) || (rc = number_check(number + n - 1, err)))
        return rc;
    if (__builtin_mul_overflow(len + 1, n, &size) ||
        __builtin_mul_overflow(size, sizeof *xs, &size) || !(xs = malloc(size)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu points", n);
    if (sampler->class->ask_many)
        rc = ask_at_once(sampler, number, n, xs, err);
    else
        rc = ask_in_turn(sampler, number, n, xs, err);
    if (rc == 0)
        memcpy(ret_xs, xs, n * len * sizeof *xs);
    free(xs);
    return rc;
}

int asy_sampler_tell(struct asy_sampler *sampler, const struct asy_outcome *outcome,
                     struct asy_error *err)
{
    struct asy_outcome within = *outcome;
    int rc;

    within.number += sampler->n_told;
    if (within.origin.parent)
        within.origin.parent += sampler->n_told;
    if ((rc = number_check(outcome->number, err)) || (rc = number_check(within.number, err)) ||
        (rc = outcome_check(sampler, outcome, err)))
        return rc;
    return hear(sampler, &within, err);
}
