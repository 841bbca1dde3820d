/* SPDX-License-Identifier: Apache-2.0
 * sampler.c - the interface of samplers: checks what comes in, hands calls to the kind chosen, and
 * chooses one for "auto". */
#include "sampler.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <asy/pareto.h>
#include <asy/parse.h>

#define NSGA_BUDGET 400 /* from there on nsga2 covers more than tpe: bench rows mo.hypervolume */
#define NUMBER_MAX 9007199254740992u /* 2^53 */

static const struct asy__sampler_class *const classes[] = {
    &asy__sampler_random, &asy__sampler_grid, &asy__sampler_tpe, &asy__sampler_nsga2,
    &asy__sampler_nsga3,  &asy__sampler_qmc,  &asy__sampler_gp,
    &asy__sampler_cma,    &asy__sampler_brute_force,
};
static const char *const names[] = { "auto", "random", "grid", "tpe", "nsga2", "nsga3", "qmc",
                                     "gp",   "cma",    "brute_force" };

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

/* ---- choosing ------------------------------------------------------------------------------ */

/* Where crossing numbers makes sense throughout: no choices without order, no conditions. */
static int all_numbers(const struct asy_space *space)
{
    for (size_t i = 0; i < asy_space_len(space); i++) {
        const struct asy_param *p = asy_space_at(space, i);

        if (p->n_whens || (p->type == ASY_PARAM_CHOICE && !p->ordered))
            return 0;
    }
    return 1;
}

/* Grid is never chosen: covering a finite space is a wish that the user states. */
static const struct asy__sampler_class *choose(const struct asy_space *space,
                                               const struct asy_sampler_spec *spec, char *reason,
                                               size_t n)
{
    double startup = asy__sampler_tpe.options[0].fallback;

    if (asy_space_len(space) == 0 || asy_space_cardinality(space) <= 1) {
        snprintf(reason, n, "auto: random, because the space has a single point");
        return &asy__sampler_random;
    }
    if (spec->budget && (double)spec->budget <= startup) {
        snprintf(reason, n,
                 "auto: random, because a budget of %llu trials ends before tpe starts to learn "
                 "(after %.0f)", (unsigned long long)spec->budget, startup);
        return &asy__sampler_random;
    }
    if (spec->n_goals == 2 && spec->budget >= NSGA_BUDGET && all_numbers(space)) {
        snprintf(reason, n,
                 "auto: nsga2, which covers more than tpe of two objectives over numbers in %d "
                 "trials and more", NSGA_BUDGET);
        return &asy__sampler_nsga2;
    }
    if (spec->n_goals > 1)
        snprintf(reason, n,
                 "auto: tpe, which handles all %zu parameters and %zu objectives and learns after "
                 "%.0f trials", asy_space_len(space), spec->n_goals, startup);
    else
        snprintf(reason, n,
                 "auto: tpe, which handles all %zu parameters and learns after %.0f trials",
                 asy_space_len(space), startup);
    return &asy__sampler_tpe;
}

/* With several objectives tpe finds more if it models parameters one by one, as Optuna does there;
 * that costs an exponential for each of them, so that it stays the wish of who names tpe. */
static void set_for_auto(struct asy_sampler *s)
{
    for (size_t i = 0; s->n_goals > 1 && i < s->class->n_options; i++)
        if (!strcmp(s->class->options[i].name, "multivariate"))
            s->options[i] = 0;
}

static int pick(const struct asy_space *space, const struct asy_sampler_spec *spec,
                struct asy_sampler *s, struct asy_error *err)
{
    const char *near;

    if (!strcmp(spec->name, "auto")) {
        s->class = choose(space, spec, s->reason, sizeof s->reason);
        if (spec->n_options)
            return asy_fail(err, ASY_E_INVAL,
                            "sampler 'auto' has no option '%.60s': name a sampler to set it",
                            spec->options[0].name);
        return 0;
    }
    if ((s->class = find(spec->name))) {
        snprintf(s->reason, sizeof s->reason, "%s, as the study asks", s->class->name);
        return 0;
    }
    near = asy_nearest(spec->name, strlen(spec->name), names, ASY_ARRAY_LEN(names));
    if (near)
        return asy_fail(err, ASY_E_INVAL, "unknown sampler '%.60s', did you mean '%s'", spec->name,
                        near);
    return asy_fail(err, ASY_E_INVAL, "unknown sampler '%.60s'", spec->name);
}

/* ---- life ---------------------------------------------------------------------------------- */

int asy_sampler_create(const struct asy_space *space, const struct asy_sampler_spec *spec,
                       struct asy_sampler **ret_sampler, struct asy_error *err)
{
    struct asy_sampler *s = calloc(1, sizeof *s);
    char what[40];
    int rc;

    if (!s)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a sampler");
    if ((rc = pick(space, spec, s, err)))
        goto out;
    if (spec->n_goals < 1) {
        rc = asy_fail(err, ASY_E_INVAL, "a sampler needs an objective");
        goto out;
    }
    if (spec->n_goals > ASY_OBJECTIVES_MAX) {
        rc = asy_fail(err, ASY_E_INVAL, "a study has at most %d objectives, not %zu",
                      ASY_OBJECTIVES_MAX, spec->n_goals);
        goto out;
    }
    s->space = space;
    s->seed = spec->seed;
    s->n_goals = spec->n_goals;
    s->n_enqueued = spec->n_enqueued;
    if (!(s->goals = calloc(spec->n_goals, sizeof *s->goals))) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for a sampler");
        goto out;
    }
    memcpy(s->goals, spec->goals, spec->n_goals * sizeof *s->goals);
    snprintf(what, sizeof what, "sampler '%s'", s->class->name);
    if ((rc = asy__options_read(what, s->class->options, s->class->n_options, spec->options,
                                spec->n_options, s->options, err)))
        goto out;
    if (!strcmp(spec->name, "auto"))
        set_for_auto(s);
    if (s->class == &asy__sampler_tpe && spec->pruner && !strcmp(spec->pruner->name, "hyperband")) {
        if ((rc = asy__sampler_brackets(s, space, spec, err)))
            goto out;
    } else if (s->class->create && (rc = s->class->create(s, err))) {
        goto out;
    }
    *ret_sampler = s;
    s = NULL;
out:
    asy_sampler_destroy(s);
    return rc;
}

void asy_sampler_destroy(struct asy_sampler *sampler)
{
    if (!sampler)
        return;
    if (sampler->class && sampler->class->destroy && sampler->state) /* half-built ones too */
        sampler->class->destroy(sampler);
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

int asy_sampler_ask(struct asy_sampler *sampler, uint64_t number, const double *fixed,
                    double *ret_x, struct asy_error *err)
{
    size_t n = asy_space_len(sampler->space);
    double *x = NULL;
    int rc;

    if ((rc = number_check(number, err)) || (rc = fixed_check(sampler->space, fixed, err)))
        return rc;
    if (!(x = malloc((n + 1) * sizeof *x)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a point");
    if ((rc = sampler->class->ask(sampler, number, fixed, x, err)))
        goto out;
    if (sampler->class->tell) {
        struct asy_outcome running = { .number = number, .state = ASY_OUTCOME_RUNNING, .x = x };

        if ((rc = sampler->class->tell(sampler, &running, err)))
            goto out;
    }
    memcpy(ret_x, x, n * sizeof *x);
out:
    free(x);
    return rc;
}

int asy_sampler_tell(struct asy_sampler *sampler, const struct asy_outcome *outcome,
                     struct asy_error *err)
{
    int rc;

    if ((rc = number_check(outcome->number, err)) ||
        (rc = asy_space_check(sampler->space, outcome->x, err)))
        return rc;
    if (outcome->state < ASY_OUTCOME_RUNNING || outcome->state > ASY_OUTCOME_FAILED)
        return asy_fail(err, ASY_E_INVAL, "trial %llu has no outcome %d",
                        (unsigned long long)outcome->number, (int)outcome->state);
    if (outcome->state == ASY_OUTCOME_COMPLETE && !outcome->values)
        return asy_fail(err, ASY_E_INVAL, "trial %llu completed without values",
                        (unsigned long long)outcome->number);
    return sampler->class->tell ? sampler->class->tell(sampler, outcome, err) : 0;
}
