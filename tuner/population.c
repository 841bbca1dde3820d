/* SPDX-License-Identifier: Apache-2.0
 * population.c - see population.h. Truncation selection as in Jaderberg et al. 2017, section 4.1
 * and appendix A.1: of n standings the worst ceil(quantile n), but at most half, take up one of as
 * many best ones. Who is trained to the end is nobody's parent and is not compared: a member that
 * took up its state would have nothing left to train. */
#include "population.h"
#include <math.h>
#include <stdlib.h>

#define FAILED_MOST 3 /* turns of each member */

static size_t size_of(const struct asy_sampler *s)
{
    return sizeof(struct asy__turn) + asy_space_len(s->space) * sizeof(double);
}

void asy__turns_fini(struct asy__turns *turns)
{
    asy__trials_fini(&turns->trials);
    free(turns->fresh);
}

void asy__turns_forget(const struct asy_sampler *s, struct asy__turns *turns, uint64_t number)
{
    struct asy__turn *turn = asy__trials_get(&turns->trials, number, size_of(s));

    if (turn)
        turn->origin = (struct asy_origin){ 0 };
}

const struct asy__turn *asy__turns_at(const struct asy_sampler *s, const struct asy__turns *turns,
                                      size_t i)
{
    return i < turns->trials.len
               ? (const struct asy__turn *)(const void *)(turns->trials.items + i * size_of(s))
               : NULL;
}

const struct asy__turn *asy__turns_get(const struct asy_sampler *s, const struct asy__turns *turns,
                                       uint64_t number)
{
    const struct asy__turn *turn = asy__trials_get(&turns->trials, number, size_of(s));

    return turn && turn->origin.member ? turn : NULL;
}

int asy__turns_reserve(const struct asy_sampler *s, struct asy__turns *turns, uint64_t number)
{
    if (asy__trials_get(&turns->trials, number, size_of(s)))
        return 0;
    if (!turns->fresh && !(turns->fresh = calloc(1, size_of(s))))
        return ASY_E_NOMEM;
    return asy__trials_reserve(&turns->trials, size_of(s));
}

void asy__turns_tell(const struct asy_sampler *s, struct asy__turns *turns,
                     const struct asy_outcome *o)
{
    int complete = o->state == ASY_OUTCOME_COMPLETE && !isnan(o->values[0]);
    struct asy__turn *turn =
        asy__trials_make(&turns->trials, o->number, size_of(s), turns->fresh);

    ASY_ASSERT(turn, "no room was made for trial %llu", (unsigned long long)o->number);
    turn->number = o->number;
    if (o->origin.member)
        turn->origin = o->origin;
    if (turn->origin.member > turns->n_members)
        turns->n_members = turn->origin.member;
    turn->state = o->state == ASY_OUTCOME_RUNNING || complete ? o->state : ASY_OUTCOME_FAILED;
    turn->over = o->over;
    turn->diverged = turn->state == ASY_OUTCOME_FAILED &&
                     (o->diverged || o->state == ASY_OUTCOME_COMPLETE);
    turn->violation = o->violation;
    turn->value = complete ? o->values[0] * (s->goals[0] == ASY_MAXIMIZE ? -1 : 1) : 0;
    memcpy(turn->x, o->x, asy_space_len(s->space) * sizeof *turn->x);
}

/* ---- standings ------------------------------------------------------------------------------- */

struct standing {
    const struct asy__turn *latest, *complete; /* NULL: none */
};

static void note(struct standing *of, const struct asy__turn *turn)
{
    if (!of->latest || turn->number > of->latest->number)
        of->latest = turn;
    if (turn->state == ASY_OUTCOME_COMPLETE &&
        (!of->complete || turn->number > of->complete->number))
        of->complete = turn;
}

static int is_over(const struct standing *of)
{
    return of->complete && of->complete->over;
}

/* Less violation, then the better value, then the older trial. */
static int better_first(const void *a, const void *b)
{
    const struct asy__turn *s = *(const struct asy__turn *const *)a;
    const struct asy__turn *t = *(const struct asy__turn *const *)b;

    if (s->violation != t->violation)
        return s->violation < t->violation ? -1 : 1;
    if (s->value != t->value)
        return s->value < t->value ? -1 : 1;
    return s->number < t->number ? -1 : 1;
}

/* Fills ranked with those that are compared, the best first. */
static size_t rank(const struct standing *standings, uint64_t n, const struct asy__turn **ranked)
{
    size_t len = 0;

    for (uint64_t m = 0; m < n; m++)
        if (standings[m].complete && !is_over(&standings[m]))
            ranked[len++] = standings[m].complete;
    qsort(ranked, len, sizeof *ranked, better_first);
    return len;
}

static void choose(const struct standing *of, const struct asy__turn *const *ranked, size_t n,
                   double quantile, struct asy_rng *rng, struct asy__next *next)
{
    size_t cut = (size_t)ceil(quantile * (double)n), place = 0;
    int failed = of->latest->state != ASY_OUTCOME_COMPLETE;

    cut = cut < n / 2 ? cut : n / 2;
    next->own = of->complete;
    if (failed) {
        next->explores = 1;
        if (n > 0) /* else a new point */
            next->from = ranked[asy_rng_below(rng, cut ? cut : 1)];
        return;
    }
    while (ranked[place] != of->complete)
        place++;
    next->explores = place >= n - cut;
    next->from = next->explores ? ranked[asy_rng_below(rng, cut)] : of->complete;
}

/* The member that has waited longest, by its turn's number; n: nobody is free. */
static uint64_t first_free(const struct standing *standings, uint64_t n, int *ret_running)
{
    uint64_t first = n;

    *ret_running = 0;
    for (uint64_t m = 0; m < n; m++) {
        const struct asy__turn *latest = standings[m].latest;

        if (!latest || is_over(&standings[m]))
            continue;
        if (latest->state == ASY_OUTCOME_RUNNING)
            *ret_running = 1;
        else if (first == n || latest->number < standings[first].latest->number)
            first = m;
    }
    return first;
}

/* The lowest member that has no turn; n + 1: all have. */
static uint64_t vacant(const struct standing *standings, uint64_t n)
{
    uint64_t m = 0;

    while (m < n && standings[m].latest)
        m++;
    return m + 1;
}

/* Turns that failed since the newest complete one, whose number is the highest. */
static uint64_t failed_in_a_row(const struct asy_sampler *s, const struct asy__turns *turns)
{
    const struct asy__turn *turn;
    uint64_t from = 0, n = 0;

    for (size_t i = 0; (turn = asy__turns_at(s, turns, i)); i++)
        if (turn->origin.member && turn->state == ASY_OUTCOME_COMPLETE && turn->number >= from)
            from = turn->number + 1;
    for (size_t i = 0; (turn = asy__turns_at(s, turns, i)); i++)
        n += turn->origin.member && turn->state == ASY_OUTCOME_FAILED && turn->number >= from;
    return n;
}

int asy__turns_next(const struct asy_sampler *s, const struct asy__turns *turns, uint64_t size,
                    double quantile, struct asy_rng *rng, struct asy__next *ret_next,
                    struct asy_error *err)
{
    uint64_t n = turns->n_members, failed = failed_in_a_row(s, turns), free_one, place;
    struct standing *standings = calloc(n + 1, sizeof *standings);
    const struct asy__turn **ranked = calloc(n + 1, sizeof *ranked), *turn;
    struct asy__next next = { 0 };
    int rc = 0, running;

    if (!standings || !ranked) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for a population");
        goto out;
    }
    for (size_t i = 0; (turn = asy__turns_at(s, turns, i)); i++)
        if (turn->origin.member)
            note(&standings[turn->origin.member - 1], turn);
    if (failed >= FAILED_MOST * size) {
        rc = asy_fail(err, ASY_E_GONE, "sampler '%s': the last %llu trials failed, so it has "
                      "nothing to go on from", s->class->name, (unsigned long long)failed);
        goto out;
    }
    free_one = first_free(standings, n, &running);
    place = vacant(standings, n);
    if (place <= size || (free_one == n && running)) {
        next.member = place;
        next.explores = 1;
    } else if (free_one < n) {
        next.member = free_one + 1;
        choose(&standings[free_one], ranked, rank(standings, n, ranked), quantile, rng, &next);
    } else {
        rc = asy_fail(err, ASY_E_FULL, "sampler '%s': all %llu members are trained to their end",
                      s->class->name, (unsigned long long)n);
    }
    if (rc == 0)
        *ret_next = next;
out:
    free(standings);
    free(ranked);
    return rc;
}
