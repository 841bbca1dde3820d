/* SPDX-License-Identifier: Apache-2.0
 * sampler_pbt.c - population based training (Jaderberg et al. 2017, arXiv 1711.09846), one trial
 * for each turn of a member, without barriers.
 *
 * Parameters of a trial never change, so a member that goes on is a new trial, too: its parent is
 * its own last turn. The defaults of quantile, resample and the factors are Ray Tune's; the
 * population is Syne Tune's. Ray truncates whole numbers, which then never rise from 1 to 4 by a
 * factor of 1.2; here they move by one at least, as other steps do.
 *
 * pb2 is the same but for where a number goes that a weak member changes: a model of what turns
 * have gained says that (bandit.h). Until it knows enough, and for all that it does not model, pb2
 * does as pbt, so both have the same options. */
#include "bandit.h"
#include <stdio.h>
#include <stdlib.h>

#define MEMBERS_MAX 65536
#define INTERVALS 10
#define DRAWS_FROM ((uint64_t)1 << 32) /* behind those of single parameters */

enum { POPULATION, INTERVAL, QUANTILE, RESAMPLE, UP, DOWN };
static const struct asy__option options[] = {
    { "population", 4, 2, MEMBERS_MAX, 0 }, { "interval", 0, 0, 1e15, 0 },
    { "quantile", 0.25, 0, 0.5, 1 },        { "resample", 0.25, 0, 1, 1 },
    { "factor_up", 1.2, 1, 100, 1 },        { "factor_down", 0.8, 0, 1, 1 },
};

struct asy_population asy_population_of(const char *name, const struct asy_option *given,
                                        size_t n_given, uint64_t length_max)
{
    struct asy_population p = { 0 };

    if (strcmp(name, asy__sampler_pbt.name) != 0 && strcmp(name, asy__sampler_pb2.name) != 0)
        return p;
    p.size = (uint64_t)options[POPULATION].fallback;
    for (size_t i = 0; i < n_given; i++) {
        if (!strcmp(given[i].name, "population"))
            p.size = (uint64_t)given[i].value;
        else if (!strcmp(given[i].name, "interval"))
            p.interval = (uint64_t)given[i].value;
    }
    if (p.interval == 0)
        p.interval = length_max / INTERVALS + (length_max % INTERVALS != 0);
    return p;
}

/* ---- exploration ----------------------------------------------------------------------------- */

static double moved_choice(const struct asy_param *p, double at, int up)
{
    double to = at + (up ? 1 : -1);

    return to < 0 || to > (double)p->n_choices - 1 ? at : to;
}

/* A factor; where that is less than a step, the next value. */
static double moved_number(const struct asy_sampler *s, size_t i, double at, int up)
{
    const struct asy_param *p = asy_space_at(s->space, i);
    double step = p->type == ASY_PARAM_INT && p->step == 0 ? 1 : p->step;
    double to = at * s->options[up ? UP : DOWN];

    if (p->type == ASY_PARAM_INT)
        to = trunc(to);
    if (step > 0 && fabs(to - at) < step)
        to = to < at || (to == at && !up) ? at - step : at + step;
    return asy_space_snap(s->space, i, to);
}

static double explored(const struct asy_sampler *s, uint64_t number, size_t i, double at)
{
    const struct asy_param *p = asy_space_at(s->space, i);
    struct asy_rng rng = asy__sampler_rng(s, number, DRAWS_FROM + i);
    int anew = asy_rng_double(&rng) < s->options[RESAMPLE], up = asy_rng_u32(&rng) & 1;

    if (isnan(at) || anew)
        return asy__random_value(s, number, i);
    return p->type == ASY_PARAM_CHOICE ? moved_choice(p, at, up) : moved_number(s, i, at, up);
}

static void fill(const struct asy_sampler *s, uint64_t number, const struct asy__next *next,
                 const double *fixed, double *x)
{
    for (size_t i = 0; i < asy_space_len(s->space); i++) {
        x[i] = ASY_INACTIVE;
        if (!asy_space_active(s->space, x, i))
            continue;
        if (fixed && !isnan(fixed[i]))
            x[i] = fixed[i];
        else if (next->explores || isnan(next->from->x[i]))
            x[i] = explored(s, number, i, next->from->x[i]);
        else
            x[i] = next->from->x[i];
    }
}

/* ---- the sampler ----------------------------------------------------------------------------- */

static int create(struct asy_sampler *s, struct asy_error *err)
{
    if (s->n_goals != 1)
        return asy_fail(err, ASY_E_INVAL, "sampler '%s' takes one objective, not %zu",
                        s->class->name, s->n_goals);
    if (!(s->state = calloc(1, sizeof(struct asy__turns))))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a sampler");
    return 0;
}

static void destroy(struct asy_sampler *s)
{
    asy__turns_fini(s->state);
    free(s->state);
}

static int reserve(struct asy_sampler *s, const struct asy_outcome *outcome)
{
    return asy__turns_reserve(s, s->state, outcome->number);
}

static void tell(struct asy_sampler *s, const struct asy_outcome *outcome)
{
    asy__turns_tell(s, s->state, outcome);
}

/* The model's values take the place of fixed ones where there are none. */
static int fill_by_model(const struct asy_sampler *s, uint64_t number,
                         const struct asy__next *next, const double *fixed, double *x,
                         struct asy_error *err)
{
    double *chosen = malloc((asy_space_len(s->space) + 1) * sizeof *chosen);

    if (!chosen || asy__bandit_choose(s, s->state, number, next, fixed, chosen)) {
        free(chosen);
        return asy_fail(err, ASY_E_NOMEM, "no memory for a model of a population");
    }
    fill(s, number, next, chosen, x);
    free(chosen);
    return 0;
}

static int ask(struct asy_sampler *s, uint64_t number, const double *fixed, double *x,
               struct asy_error *err)
{
    struct asy_rng rng = asy__sampler_rng(s, number, DRAWS_FROM - 1);
    struct asy__next next;
    int rc;

    asy__turns_forget(s, s->state, number);
    rc = asy__turns_next(s, s->state, (uint64_t)s->options[POPULATION], s->options[QUANTILE], &rng,
                         &next, err);
    if (rc)
        return rc;
    if (!next.from)
        asy__random_point(s, number, fixed, x);
    else if (!next.explores || s->class != &asy__sampler_pb2)
        fill(s, number, &next, fixed, x);
    else if ((rc = fill_by_model(s, number, &next, fixed, x, err)))
        return rc;
    s->origin = (struct asy_origin){ next.member, next.from ? next.from->number + 1 : 0 };
    snprintf(s->drew, sizeof s->drew, "%s", s->class->name);
    return 0;
}

#define CLASS(kind)                                                                                \
    {                                                                                              \
        .name = kind, .options = options, .n_options = ASY_ARRAY_LEN(options), .needs_history = 1, \
        .priors = ASY__PRIORS_ALL, .create = create, .destroy = destroy, .ask = ask,               \
        .reserve = reserve, .tell = tell,                                                          \
    }
const struct asy__sampler_class asy__sampler_pbt = CLASS("pbt");
const struct asy__sampler_class asy__sampler_pb2 = CLASS("pb2");
