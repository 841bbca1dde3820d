/* SPDX-License-Identifier: Apache-2.0
 * pruner_hyperband.c - Hyperband (Li et al. 2017, arXiv 1603.06560) without its rounds: brackets
 * side by side, each an ASHA of its own with another lowest rung (as Li et al. 2018, section 3.4,
 * and Optuna have it).
 *
 * A trial's bracket is a function of its number: the numbers' radical inverses (van der Corput's
 * sequence) are spread over the brackets' shares, so that any number of trials is shared out as
 * the budgets say to within a few. Optuna hashes name and number, which leaves that to chance. */
#include "pruner.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MIN_LENGTH, REDUCTION, BRACKETS };
static const struct asy__option options[] = {
    [MIN_LENGTH] = { "min", 1, 1, 1e15, 0 },
    [REDUCTION] = { "reduction", 3, 2, 1e6, 0 },
    [BRACKETS] = { "brackets", 0, 0, ASY__RUNGS_MAX, 0 },
};

struct hyperband {
    struct asy_pruner *brackets[ASY__RUNGS_MAX]; /* [n] the lowest rung rises */
    double upto[ASY__RUNGS_MAX];                 /* [n] share of trials in it and those before */
    size_t n;
};

/* 0.b0 b1 b2 ... in base 2 for the number ... b2 b1 b0: from 0 to below 1. */
static double radical_inverse(uint64_t number)
{
    double inverse = 0;

    for (double place = 0.5; number; number >>= 1, place /= 2)
        inverse += (double)(number & 1) * place;
    return inverse;
}

size_t asy__hyperband_bracket(const struct asy_pruner *p, uint64_t number)
{
    const struct hyperband *h = p->state;
    double at = radical_inverse(number);
    size_t b = 0;

    while (b + 1 < h->n && at >= h->upto[b])
        b++;
    return b;
}

size_t asy__hyperband_brackets(const struct asy_pruner *p)
{
    const struct hyperband *h = p->state;

    return h->n;
}

double asy__hyperband_budget(const struct asy_pruner *p, size_t bracket)
{
    const struct hyperband *h = p->state;
    double s = (double)(h->n - 1 - bracket);

    return ceil((double)h->n * pow(p->options[REDUCTION], s) / (s + 1));
}

static struct asy_pruner *bracket_of(const struct asy_pruner *p, uint64_t number)
{
    const struct hyperband *h = p->state;

    return h->brackets[asy__hyperband_bracket(p, number)];
}

static uint64_t milestone(const struct asy_pruner *p, uint64_t number, uint64_t step)
{
    return asy__pruner_asha.milestone(bracket_of(p, number), number, step);
}

static enum asy_verdict report(struct asy_pruner *p, uint64_t number, uint64_t step, double score)
{
    return asy__pruner_asha.report(bracket_of(p, number), number, step, score);
}

/* ---- promotion ----------------------------------------------------------------------------- */

/* All rungs lie at min * reduction^k, so that the milestones of promotions say whose is higher; of
 * equal ones that of the bracket with more rungs below goes first. */
static int promote(struct asy_pruner *p, uint64_t *ret_number, uint64_t *ret_milestone)
{
    struct hyperband *h = p->state;
    struct asy_pruner *from = NULL;

    for (size_t b = 0; b < h->n; b++) {
        uint64_t number, upto;

        if (!asy__pruner_asha.promote(h->brackets[b], &number, &upto))
            continue;
        if (from && upto <= *ret_milestone) {
            asy__pruner_asha.unpromote(h->brackets[b], number);
            continue;
        }
        if (from)
            asy__pruner_asha.unpromote(from, *ret_number);
        from = h->brackets[b];
        *ret_number = number;
        *ret_milestone = upto;
    }
    return from != NULL;
}

static int promote_last(struct asy_pruner *p, uint64_t *ret_number, uint64_t *ret_milestone)
{
    struct hyperband *h = p->state;
    struct asy_pruner *from = NULL;
    uint64_t best_length = 0;
    double best = INFINITY;

    for (size_t b = 0; b < h->n; b++) {
        uint64_t number, upto, length;
        double score;

        if (!asy__pruner_asha.promote_last(h->brackets[b], &number, &upto))
            continue;
        asy__asha_stands(h->brackets[b], number, &length, &score);
        if (from && (length < best_length || (length == best_length && score >= best))) {
            asy__pruner_asha.unpromote(h->brackets[b], number);
            continue;
        }
        if (from)
            asy__pruner_asha.unpromote(from, *ret_number);
        from = h->brackets[b];
        best_length = length;
        best = score;
        *ret_number = number;
        *ret_milestone = upto;
    }
    return from != NULL;
}

static void unpromote(struct asy_pruner *p, uint64_t number)
{
    asy__pruner_asha.unpromote(bracket_of(p, number), number);
}

static void ended(struct asy_pruner *p, uint64_t number, int complete)
{
    asy__pruner_asha.ended(bracket_of(p, number), number, complete);
}

static void explain(const struct asy_pruner *p, uint64_t number, char *text, size_t n)
{
    const struct hyperband *h = p->state;
    size_t b = asy__hyperband_bracket(p, number);
    char rule[200] = "";

    asy__pruner_asha.explain(h->brackets[b], number, rule, sizeof rule);
    if (rule[0])
        snprintf(text, n, "hyperband: bracket %zu of %zu, %s", b + 1, h->n,
                 rule + strlen("asha: "));
}

/* ---- building ------------------------------------------------------------------------------ */

/* How many lowest rungs there are, from min to length_max. */
static size_t most_brackets(const struct asy_pruner *p)
{
    uint64_t length = (uint64_t)p->options[MIN_LENGTH];
    size_t n = 1;

    while (n < ASY__RUNGS_MAX &&
           !__builtin_mul_overflow(length, (uint64_t)p->options[REDUCTION], &length) &&
           length <= p->length_max)
        n++;
    return n;
}

static int add_bracket(const struct asy_pruner *p, struct hyperband *h, double least,
                       struct asy_error *err)
{
    struct asy_pruner *bracket = asy__pruner_like(p, &asy__pruner_asha);

    if (!bracket)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a pruner");
    h->brackets[h->n++] = bracket;
    bracket->options[MIN_LENGTH] = least;
    bracket->options[ASY__ASHA_RULE] = ASY__ASHA_BY_PAPER;
    return asy__pruner_asha.create(bracket, err);
}

static int create(struct asy_pruner *p, struct asy_error *err)
{
    size_t most = most_brackets(p), n = (size_t)p->options[BRACKETS];
    double least = p->options[MIN_LENGTH], total = 0, sum = 0;
    struct hyperband *h;
    int rc;

    if (least > (double)p->length_max)
        return asy_fail(err, ASY_E_INVAL,
                        "pruner 'hyperband': min %.0f is above the longest training length %llu",
                        least, (unsigned long long)p->length_max);
    if (n > most)
        return asy_fail(err, ASY_E_INVAL, "pruner 'hyperband': %zu brackets are more than the %zu "
                        "that fit between min and the longest training length", n, most);
    if (!(p->state = h = calloc(1, sizeof *h)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a pruner");
    for (size_t b = 0; b < (n ? n : most); b++, least *= p->options[REDUCTION])
        if ((rc = add_bracket(p, h, least, err)))
            return rc;
    for (size_t b = 0; b < h->n; b++)
        total += asy__hyperband_budget(p, b);
    for (size_t b = 0; b < h->n; b++)
        h->upto[b] = (sum += asy__hyperband_budget(p, b)) / total;
    return 0;
}

static void destroy(struct asy_pruner *p)
{
    struct hyperband *h = p->state;

    for (size_t b = 0; h && b < h->n; b++)
        asy_pruner_destroy(h->brackets[b]);
    free(h);
}

static int stops(const struct asy_pruner *p)
{
    return !p->can_pause;
}

const struct asy__pruner_class asy__pruner_hyperband = {
    .name = "hyperband", .options = options, .n_options = ASY_ARRAY_LEN(options),
    .create = create, .destroy = destroy, .milestone = milestone, .report = report,
    .promote = promote, .promote_last = promote_last, .unpromote = unpromote, .ended = ended,
    .explain = explain, .stops = stops,
};
