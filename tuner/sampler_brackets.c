/* SPDX-License-Identifier: Apache-2.0
 * sampler_brackets.c - a sampler for each bracket of a hyperband study (BOHB, Falkner et al. 2018,
 * arXiv 1807.01774, with the rule of Optuna 5.0): a trial is suggested from the outcomes of its own
 * bracket alone.
 *
 * Falkner et al. make one model, of the longest training length that has enough results. That needs
 * each trial's value at each length; outcomes have but the latest one, so that a restart may tell a
 * sampler of the latest alone. And the order by which tpe takes pruned trials, the longest first,
 * amounts to the same within a bracket: what got furthest is good. Across brackets it would not do:
 * all trials of the last one run to the end, however bad they are, and would count as good. */
#include "pruner.h"
#include "sampler.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct brackets {
    struct asy_pruner *pruner;
    struct asy_sampler **samplers; /* [n] */
    size_t n;
};

/* number: within the sampler, where results from elsewhere come first. */
static struct asy_sampler *sampler_of(const struct asy_sampler *s, uint64_t number)
{
    const struct brackets *b = s->state;

    return b->samplers[asy__hyperband_bracket(b->pruner, number - s->n_told)];
}

static int ask(struct asy_sampler *s, uint64_t number, const double *fixed, double *x,
               struct asy_error *err)
{
    struct asy_sampler *of = sampler_of(s, number);

    return of->class->ask(of, number, fixed, x, err);
}

/* Results from elsewhere are of no bracket: all learn from them. */
static int reserve(struct asy_sampler *s, const struct asy_outcome *outcome)
{
    const struct brackets *b = s->state;

    if (outcome->number >= s->n_told)
        return asy__sampler_reserve(sampler_of(s, outcome->number), outcome);
    for (size_t i = 0; i < b->n; i++)
        if (asy__sampler_reserve(b->samplers[i], outcome))
            return ASY_E_NOMEM;
    return 0;
}

static void tell(struct asy_sampler *s, const struct asy_outcome *outcome)
{
    const struct brackets *b = s->state;

    if (outcome->number >= s->n_told)
        asy__sampler_tell(sampler_of(s, outcome->number), outcome);
    for (size_t i = 0; outcome->number < s->n_told && i < b->n; i++)
        asy__sampler_tell(b->samplers[i], outcome);
}

static void destroy(struct asy_sampler *s)
{
    struct brackets *b = s->state;

    for (size_t i = 0; b->samplers && i < b->n; i++)
        asy_sampler_destroy(b->samplers[i]);
    free(b->samplers);
    asy_pruner_destroy(b->pruner);
    free(b);
}

static const struct asy__sampler_class class = {
    .name = "brackets", .needs_history = 1, .destroy = destroy, .ask = ask,
    .reserve = reserve, .tell = tell,
};

int asy__sampler_brackets(struct asy_sampler *s, const struct asy_space *space,
                          const struct asy_sampler_spec *spec, struct asy_error *err)
{
    struct asy_sampler_spec each = *spec;
    size_t said = strlen(s->reason);
    struct brackets *b;
    int rc;

    if (!(b = calloc(1, sizeof *b)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a sampler");
    s->class = &class;
    s->state = b;
    if ((rc = asy_pruner_create(spec->pruner, &b->pruner, err)))
        return rc;
    each.pruner = NULL;
    if (!(b->samplers = calloc(asy__hyperband_brackets(b->pruner), sizeof(struct asy_sampler *))))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a sampler");
    for (; b->n < asy__hyperband_brackets(b->pruner); b->n++)
        if ((rc = asy_sampler_create(space, &each, &b->samplers[b->n], err)))
            return rc;
    snprintf(s->reason + said, sizeof s->reason - said, ", in each of %zu brackets by itself",
             b->n);
    return 0;
}
