/* SPDX-License-Identifier: Apache-2.0
 * sampler_gp.c - Bayesian optimisation by Gaussian processes: the point of the largest expected
 * improvement (Jones, Schonlau, Welch 1998) in logarithms, of two objectives of the hypervolume,
 * under hyperparameters of the largest posterior density.
 *
 * All that an answer depends on is a function of the latest outcomes, not of the calls before: rows
 * stand in the order of trial numbers; hyperparameters are those of the first m finished trials, m
 * falling behind by at most a thirty-second, found from those of the first m / 2, a chain of a few
 * fits that any history of calls arrives at. What is kept between asks (fits, rows of the factor)
 * is what would be computed again.
 *
 * Pruned trials count with their last value, but as no better than the median of completed ones;
 * diverged ones and values that are not finite as the worst. Running trials take part with drawn
 * outcomes, over which the improvement is averaged (Snoek, Larochelle, Adams 2012, section 3.2).
 *
 * Parameters that are not always active are drawn by tpe, given the others. */
#include "sampler.h"
#include <stdlib.h>
#include <string.h>
#include "gp_suggest.h"

enum { STARTUP_TRIALS, REGION, WARP_INPUTS };
static const struct asy__option options[] = {
    [STARTUP_TRIALS] = { "startup_trials", 10, 1, 1e6 },
    [REGION] = { "region", 1, 0, 1 },
    [WARP_INPUTS] = { "warp_inputs", 0, 0, 1 },
};
/* ---- life ---------------------------------------------------------------------------------- */

static void destroy(struct asy_sampler *s)
{
    struct asy__gp_sampler *gp = s->state;

    asy_sampler_destroy(gp->tpe);
    asy__gp_data_fini(&gp->data);
    for (size_t g = 0; g < ASY__GP_GOALS_MAX; g++)
        asy__gp_fini(&gp->objective[g]);
    asy__gp_fini(&gp->feasible);
    asy__gp_earlier_fini(&gp->earlier);
    for (size_t i = 0; i < ASY__GP_FITS_MAX; i++)
        free(gp->fits[i].theta);
    free(gp->dims);
    free(gp->u);
    free(gp);
}

/* Priors that tpe could not have are those of parameters that it never draws: all of these are
 * given to it. */
static int make_tpe(struct asy_sampler *s, struct asy__gp_sampler *gp, struct asy_error *err)
{
    const struct asy__sampler_class *class = &asy__sampler_tpe;
    struct asy_sampler_spec spec = { .seed = s->seed, .goals = s->goals, .n_goals = s->n_goals };
    int rc;

    if ((rc = asy__sampler_new(class, s->space, &spec, &gp->tpe, err)) ||
        (rc = asy__options_read("sampler 'tpe'", class->options, class->n_options, NULL, 0,
                                gp->tpe->options, err)))
        return rc;
    return class->create(gp->tpe, err);
}

static int make_conditional(struct asy_sampler *s, struct asy__gp_sampler *gp,
                            struct asy_error *err)
{
    int any = 0;

    for (size_t i = 0; i < asy_space_len(s->space); i++) {
        if (asy_space_at(s->space, i)->n_whens == 0)
            continue;
        any = 1;
        if (asy__prior_is_foreign(s->space, i))
            return asy_fail(err, ASY_E_INVAL, "sampler 'gp' takes for conditional parameters "
                            "priors of mean and sd on the parameter's own scale, and weights, not "
                            "that of '%s': random, qmc, cma, nsga2 and nsga3 do",
                            asy_space_at(s->space, i)->name);
    }
    return any ? make_tpe(s, gp, err) : 0;
}

static int create(struct asy_sampler *s, struct asy_error *err)
{
    size_t n = asy_space_len(s->space);
    struct asy__gp_sampler *gp;

    if (s->n_goals > ASY__GP_GOALS_MAX)
        return asy_fail(err, ASY_E_INVAL, "sampler 'gp' takes one objective or two, not %zu",
                        s->n_goals);
    if (!(gp = s->state = calloc(1, sizeof *gp)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a sampler");
    if (!(gp->dims = calloc(n + 1, sizeof *gp->dims)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a sampler");
    for (size_t i = 0; i < n; i++)
        if (asy_space_at(s->space, i)->n_whens == 0 && asy_space_values(s->space, i) > 1)
            asy__gp_dim_init(&gp->dims[gp->d++], s->space, i);
    gp->data.d = gp->d;
    gp->n_goals = s->n_goals;
    gp->startup = (size_t)s->options[STARTUP_TRIALS];
    gp->has_region = s->options[REGION] != 0;
    gp->warps_inputs = s->options[WARP_INPUTS] != 0;
    if (!(gp->u = calloc(3 * gp->d + 1, sizeof *gp->u)) ||
        asy__gp_init(&gp->objective[0], gp->dims, gp->d) ||
        asy__gp_init(&gp->objective[1], gp->dims, gp->d) ||
        asy__gp_init(&gp->feasible, gp->dims, gp->d) ||
        asy__gp_earlier_init(&gp->earlier, gp->dims, gp->d))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a sampler");
    return make_conditional(s, gp, err);
}

/* ---- what has been seen -------------------------------------------------------------------- */

static struct asy__gp_trial classify(const struct asy_sampler *s, const struct asy_outcome *o)
{
    struct asy__gp_trial trial = { .number = o->number, .violation = o->violation };
    int finite = o->values != NULL;

    for (size_t g = 0; g < s->n_goals; g++)
        finite = finite && isfinite(o->values[g]);
    if (o->state == ASY_OUTCOME_RUNNING) {
        trial.running = 1;
    } else if (o->state == ASY_OUTCOME_FAILED) {
        trial.state = o->diverged ? ASY__GP_WORST : ASY__GP_UNFINISHED;
    } else if (!finite) {
        trial.state = ASY__GP_WORST;
    } else {
        trial.state = o->state == ASY_OUTCOME_PRUNED ? ASY__GP_CENSORED : ASY__GP_VALUE;
        for (size_t g = 0; g < s->n_goals; g++)
            trial.y[g] = s->goals[g] == ASY_MAXIMIZE ? -o->values[g] : o->values[g];
    }
    return trial;
}

static int same(const struct asy__gp_trial *a, const struct asy__gp_trial *b)
{
    return a->state == b->state && a->y[0] == b->y[0] && a->y[1] == b->y[1] &&
           a->violation == b->violation;
}

static int reserve(struct asy_sampler *s, const struct asy_outcome *outcome)
{
    struct asy__gp_sampler *gp = s->state;

    if (gp->tpe && asy__sampler_reserve(gp->tpe, outcome))
        return ASY_E_NOMEM;
    if (asy__takes_back(outcome) && asy__gp_data_get(&gp->data, outcome->number))
        return 0;
    return asy__gp_data_reserve(&gp->data);
}

static void tell(struct asy_sampler *s, const struct asy_outcome *outcome)
{
    struct asy__gp_sampler *gp = s->state;
    struct asy__gp_trial trial = classify(s, outcome), *known;
    double *before;

    if (gp->tpe)
        asy__sampler_tell(gp->tpe, outcome);
    for (size_t j = 0; j < gp->d; j++)
        gp->u[j] = asy__gp_coordinate(&gp->dims[j], outcome->x[gp->dims[j].param]);
    known = asy__gp_data_get(&gp->data, outcome->number);
    before = known ? gp->data.us + (size_t)(known - gp->data.trials) * gp->d : NULL;
    if (known ? !same(known, &trial) || memcmp(before, gp->u, gp->d * sizeof *gp->u)
              : trial.state != ASY__GP_UNFINISHED)
        asy__gp_forget_fits(gp, outcome->number);
    asy__gp_data_put(&gp->data, &trial, gp->u);
}

/* ---- asking -------------------------------------------------------------------------------- */

/* Completes a point whose parameters that are always active stand in x. */
static int complete(struct asy_sampler *s, uint64_t number, const double *fixed, double *x,
                    struct asy_error *err)
{
    struct asy__gp_sampler *gp = s->state;
    size_t n = asy_space_len(s->space);
    double *all;
    int rc;

    if (!gp->tpe)
        return 0;
    if (!(all = malloc((n + 1) * sizeof *all)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a point");
    for (size_t i = 0; i < n; i++)
        all[i] = asy_space_at(s->space, i)->n_whens == 0 ? x[i]
                 : fixed                                 ? fixed[i]
                                                         : ASY_INACTIVE;
    rc = gp->tpe->class->ask(gp->tpe, number, all, x, err);
    free(all);
    return rc;
}

static void begin_point(const struct asy_sampler *s, double *x)
{
    for (size_t i = 0; i < asy_space_len(s->space); i++)
        x[i] = asy_space_values(s->space, i) == 1 ? asy_space_value(s->space, i, 0) : ASY_INACTIVE;
}

static int ask_model(struct asy_sampler *s, uint64_t number, const double *fixed,
                     struct asy__gp_view *view, double *x, struct asy_error *err)
{
    struct asy__gp_sampler *gp = s->state;
    int rc;

    for (size_t j = 0; j < gp->d; j++) {
        double v = fixed ? fixed[gp->dims[j].param] : NAN;

        gp->u[gp->d + j] = isnan(v) ? v : asy__gp_coordinate(&gp->dims[j], v);
    }
    if ((rc = asy__gp_suggest(s, number, view)))
        return asy_fail(err, rc, rc == ASY_E_NOMEM ? "no memory to suggest trial %llu"
                                                   : "no model of the trials before %llu",
                        (unsigned long long)number);
    begin_point(s, x);
    for (size_t j = 0; j < gp->d; j++) {
        size_t i = gp->dims[j].param;

        x[i] = fixed && !isnan(fixed[i])
                   ? fixed[i]
                   : asy__gp_value(&gp->dims[j], s->space, gp->u[2 * gp->d + j]);
    }
    return complete(s, number, fixed, x, err);
}

static int ask(struct asy_sampler *s, uint64_t number, const double *fixed, double *x,
               struct asy_error *err)
{
    struct asy__gp_sampler *gp = s->state;
    const struct asy__gp_trial *own;
    struct asy__gp_view view;
    int rc;

    own = asy__gp_data_get(&gp->data, number);
    if (own && own->state != ASY__GP_UNFINISHED)
        asy__gp_forget_fits(gp, number); /* asked again: its own outcome does not count */
    if (asy__gp_view_init(&view, &gp->data, number)) {
        asy__gp_view_fini(&view);
        return asy_fail(err, ASY_E_NOMEM, "no memory to suggest trial %llu",
                        (unsigned long long)number);
    }
    if ((double)view.n_finished < s->options[STARTUP_TRIALS] || (gp->d == 0 && !gp->tpe)) {
        asy__random_point(s, number, fixed, x);
        rc = 0;
    } else if (gp->d == 0) { /* all that there is to choose has conditions */
        begin_point(s, x);
        rc = complete(s, number, fixed, x, err);
    } else {
        rc = ask_model(s, number, fixed, &view, x, err);
        if (rc && own && own->state != ASY__GP_UNFINISHED)
            asy__gp_forget_fits(gp, number); /* they were made without it, which stays */
    }
    asy__gp_view_fini(&view);
    return rc;
}

const struct asy__sampler_class asy__sampler_gp = {
    .name = "gp", .priors = ASY__PRIORS_ALL, .needs_history = 1,
    .options = options, .n_options = ASY_ARRAY_LEN(options),
    .create = create, .destroy = destroy, .ask = ask, .reserve = reserve,
    .tell = tell,
};
