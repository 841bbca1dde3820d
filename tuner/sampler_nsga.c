/* SPDX-License-Identifier: Apache-2.0
 * sampler_nsga.c - NSGA-II (Deb et al. 2002) and NSGA-III (Deb and Jain 2014) for trials that end
 * in any order.
 *
 * Generations that wait for their last member would leave workers idle, and those that do not wait
 * would depend on who came first. So a generation is a matter of numbers: the finished trials, in
 * the order of their numbers, are cut into litters of a fifth of the population. After each litter
 * those survive that are best among the survivors before it and the litter; parents are taken from
 * the survivors of the last whole litter. What the sampler answers depends on the set of outcomes
 * alone; a result that comes late goes where its number belongs, and the selections behind it are
 * made again. Small litters come close to steady-state selection (Durillo et al. 2009), which needs
 * fewer trials than whole generations.
 *
 * Pruned, infeasible and diverged trials count, behind all others in this order, so that a
 * population exists wherever trials end at all. Until as many trials as the population has are
 * finished, points are random. */
#include "sampler.h"
#include <stdlib.h>
#include <string.h>
#include "grow.h"
#include "map.h"
#include "parzen.h"
#include "survive.h"
#include "vary.h"

enum { POPULATION, CROSSOVER_ETA, MUTATION_ETA, UNIFORM, DIVISIONS };
static const struct asy__option options[] = {
    [POPULATION] = { "population", 24, 4, 10000 },
    [CROSSOVER_ETA] = { "crossover_eta", 20, 0, 1000 },
    [MUTATION_ETA] = { "mutation_eta", 20, 0, 1000 },
    [UNIFORM] = { "uniform", 0, 0, 1 },
    [DIVISIONS] = { "divisions", 0, 0, 100 }, /* nsga3 alone */
};
#define LITTERS 5 /* a litter is a population over this */
#define TRIES 8   /* to make a child that is not there already */
#define CHILD_BLOCK ((uint64_t)1 << 48) /* above the blocks of the random draws */
#define NICHE_BLOCK ((uint64_t)1 << 49)

enum kind { FEASIBLE, PRUNED, INFEASIBLE, DIVERGED, UNFINISHED };
struct trial {
    uint64_t number;
    enum kind kind;
    double a, b; /* within a kind but the first: ascending a, then b, then number */
};
struct nsga {
    size_t population, litter;
    struct asy__dim *dims; /* [space length] */
    struct asy__survive survive;
    struct asy__map numbers;
    struct trial *trials;  /* [n_trials] */
    double *xs;            /* [n_trials, space length] */
    double *losses;        /* [n_trials, n_goals] all minimised */
    size_t n_trials, cap;
    uint32_t *done;        /* [n_done] finished trials in order of their numbers */
    size_t n_done;
    uint32_t *survivors;   /* [cap / litter, population] places in done, ascending, by litter */
    size_t n_litters;      /* with survivors that are up to date */
    struct asy__mate *mates; /* [n_mates] of the last litter, the best first; at: places in done */
    size_t n_mates;
    uint32_t *places;         /* [population + litter] of the pool's members in done */
    struct asy__member *pool; /* [population + litter] */
    struct place *behind;     /* [population + litter] those of them that are not feasible */
};
struct place {
    const struct trial *trial;
    size_t at; /* in the pool */
};

/* ---- life ---------------------------------------------------------------------------------- */

static void destroy(struct asy_sampler *s)
{
    struct nsga *g = s->state;

    free(g->dims);
    asy__survive_fini(&g->survive);
    asy__map_fini(&g->numbers);
    free(g->trials);
    free(g->xs);
    free(g->losses);
    free(g->done);
    free(g->survivors);
    free(g->mates);
    free(g->places);
    free(g->pool);
    free(g->behind);
    free(g);
}

static int create_with(struct asy_sampler *s, size_t divisions, struct asy_error *err)
{
    size_t len = asy_space_len(s->space);
    struct nsga *g = calloc(1, sizeof *g);
    int rc;

    if (!g)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a sampler");
    s->state = g;
    g->population = (size_t)s->options[POPULATION];
    g->litter = g->population / LITTERS ? g->population / LITTERS : 1;
    if ((rc = asy__survive_init(&g->survive, s->n_goals, g->population, divisions, err))) {
        asy_error_prefix(err, "sampler '%s'", s->class->name);
        return rc;
    }
    g->dims = malloc((len + 1) * sizeof *g->dims);
    g->mates = malloc(g->population * sizeof *g->mates);
    g->places = malloc((g->population + g->litter) * sizeof *g->places);
    g->pool = malloc((g->population + g->litter) * sizeof *g->pool);
    g->behind = malloc((g->population + g->litter) * sizeof *g->behind);
    if (!g->dims || !g->mates || !g->places || !g->pool || !g->behind)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a sampler");
    for (size_t i = 0; i < len; i++)
        asy__dim_init(&g->dims[i], s->space, i);
    return 0;
}

static int create_2(struct asy_sampler *s, struct asy_error *err)
{
    return create_with(s, 0, err);
}

static int create_3(struct asy_sampler *s, struct asy_error *err)
{
    size_t divisions = (size_t)s->options[DIVISIONS];

    if (divisions == 0)
        divisions = asy__survive_divisions(s->n_goals, (size_t)s->options[POPULATION]);
    return create_with(s, divisions, err);
}

/* ---- what has been seen -------------------------------------------------------------------- */

static int reserve(struct asy_sampler *s, const struct asy_outcome *outcome)
{
    struct nsga *g = s->state;
    size_t len = asy_space_len(s->space), cap = g->cap ? g->cap + g->cap / 2 : 64;

    if (asy__map_get(&g->numbers, outcome->number) != ASY__MAP_NONE)
        return 0;
    if (g->n_trials == g->cap) {
        if (cap >= ASY__MAP_NONE || asy__grow(&g->trials, cap, sizeof *g->trials) ||
            asy__grow(&g->done, cap, sizeof *g->done) ||
            asy__grow(&g->xs, cap * (len + 1), sizeof *g->xs) ||
            asy__grow(&g->losses, cap * s->n_goals, sizeof *g->losses) ||
            asy__grow(&g->survivors, (cap / g->litter + 1) * g->population, sizeof *g->survivors))
            return ASY_E_NOMEM;
        g->cap = cap;
    }
    return asy__map_reserve(&g->numbers);
}

/* Where the number is among the finished trials, or where it goes. */
static size_t done_place(const struct nsga *g, uint64_t number)
{
    size_t lo = 0, hi = g->n_done;

    if (hi > 0 && g->trials[g->done[hi - 1]].number < number)
        return hi;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (g->trials[g->done[mid]].number < number)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* What was selected from place `at` on is not true any more. */
static void spoil(struct nsga *g, size_t at)
{
    if (g->n_litters > at / g->litter) {
        g->n_litters = at / g->litter;
        g->n_mates = 0;
    }
}

static void take_out(struct nsga *g, const struct trial *trial)
{
    size_t at = done_place(g, trial->number);

    if (trial->kind == UNFINISHED)
        return;
    memmove(&g->done[at], &g->done[at + 1], (g->n_done - at - 1) * sizeof *g->done);
    g->n_done--;
    spoil(g, at);
}

static void put_in(struct nsga *g, const struct trial *trial)
{
    size_t at = done_place(g, trial->number);

    if (trial->kind == UNFINISHED)
        return;
    memmove(&g->done[at + 1], &g->done[at], (g->n_done - at) * sizeof *g->done);
    g->done[at] = (uint32_t)(trial - g->trials);
    g->n_done++;
    spoil(g, at);
}

/* Fills losses; whether all values are numbers. */
static int take_values(const struct asy_sampler *s, const struct asy_outcome *o, double *losses)
{
    int numbers = o->values != NULL;

    for (size_t j = 0; j < s->n_goals; j++) {
        double value = o->values ? o->values[j] : NAN;

        losses[j] = s->goals[j] == ASY_MAXIMIZE ? -value : value;
        numbers &= !isnan(value);
    }
    return numbers;
}

/* The same order of kinds as TPE's. */
static void classify(const struct asy_outcome *o, int numbers, double first, struct trial *trial)
{
    trial->a = trial->b = 0;
    if (o->state == ASY_OUTCOME_FAILED || o->state == ASY_OUTCOME_RUNNING) {
        trial->kind = o->state == ASY_OUTCOME_FAILED && o->diverged ? DIVERGED : UNFINISHED;
    } else if (o->violation > 0) {
        trial->kind = INFEASIBLE;
        trial->a = o->violation;
    } else if (o->state == ASY_OUTCOME_PRUNED) {
        trial->kind = PRUNED;
        trial->a = o->last_step >= 0 ? -o->last_step : 1;
        trial->b = !(o->last_step >= 0) ? 0 : isnan(first) ? INFINITY : first;
    } else {
        trial->kind = numbers ? FEASIBLE : DIVERGED;
    }
}

static void tell(struct asy_sampler *s, const struct asy_outcome *outcome)
{
    struct nsga *g = s->state;
    size_t len = asy_space_len(s->space), i;
    struct trial *trial;
    double *losses;
    int numbers;

    if ((i = asy__map_get(&g->numbers, outcome->number)) == ASY__MAP_NONE) {
        i = g->n_trials++;
        g->trials[i] = (struct trial){ .number = outcome->number, .kind = UNFINISHED };
        asy__map_put(&g->numbers, outcome->number, (uint32_t)i);
    }
    trial = &g->trials[i];
    losses = &g->losses[i * s->n_goals];
    take_out(g, trial);
    memcpy(&g->xs[i * len], outcome->x, len * sizeof *outcome->x);
    numbers = take_values(s, outcome, losses);
    classify(outcome, numbers, losses[0], trial);
    put_in(g, trial);
}

/* ---- who survives -------------------------------------------------------------------------- */

static int by_place(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->trial->kind != y->trial->kind)
        return x->trial->kind < y->trial->kind ? -1 : 1;
    if (x->trial->a != y->trial->a)
        return x->trial->a < y->trial->a ? -1 : 1;
    if (x->trial->b != y->trial->b)
        return x->trial->b < y->trial->b ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

/* The pool of the trials at n places of done. */
static void fill_pool(const struct asy_sampler *s, struct nsga *g, size_t n)
{
    size_t behind = 0;

    for (size_t i = 0; i < n; i++) {
        uint32_t t = g->done[g->places[i]];

        g->pool[i] = (struct asy__member){ .losses = &g->losses[t * s->n_goals] };
        if (g->trials[t].kind == FEASIBLE)
            continue;
        g->pool[i].losses = NULL;
        g->behind[behind++] = (struct place){ &g->trials[t], i };
    }
    qsort(g->behind, behind, sizeof *g->behind, by_place);
    for (size_t k = 0; k < behind; k++)
        g->pool[g->behind[k].at].place = (uint32_t)k;
}

static int by_index(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* The survivors and mates of litter k, given the survivors of the one before. */
static int select_litter(const struct asy_sampler *s, struct nsga *g, size_t k,
                         struct asy_error *err)
{
    uint32_t *survivors = &g->survivors[k * g->population];
    struct asy_rng rng = asy__sampler_rng(s, k, NICHE_BLOCK);
    size_t n = k * g->litter < g->population ? k * g->litter : g->population, kept;
    int rc;

    if (n > 0)
        memcpy(g->places, survivors - g->population, n * sizeof *g->places);
    for (size_t i = 0; i < g->litter; i++)
        g->places[n++] = (uint32_t)(k * g->litter + i);
    fill_pool(s, g, n);
    if ((rc = asy__survive(&g->survive, g->pool, n, &rng, g->mates, &kept, err)))
        return rc;
    for (size_t i = 0; i < kept; i++)
        survivors[i] = g->mates[i].at = g->places[g->mates[i].at];
    qsort(survivors, kept, sizeof *survivors, by_index);
    g->n_mates = kept;
    return 0;
}

static int select_all(const struct asy_sampler *s, struct nsga *g, struct asy_error *err)
{
    size_t litters = g->n_done / g->litter;
    int rc;

    if (g->n_mates == 0 && g->n_litters == litters && litters > 0)
        g->n_litters--; /* its survivors stand, its mates do not */
    for (; g->n_litters < litters; g->n_litters++)
        if ((rc = select_litter(s, g, g->n_litters, err))) {
            g->n_mates = 0;
            return rc;
        }
    return 0;
}

/* ---- asking -------------------------------------------------------------------------------- */

static const double *point(const struct asy_sampler *s, const struct nsga *g, size_t mate)
{
    return &g->xs[g->done[g->mates[mate].at] * asy_space_len(s->space)];
}

/* The better of two that are drawn. */
static size_t tournament(const struct nsga *g, struct asy_rng *rng)
{
    size_t i = asy_rng_below(rng, g->n_mates), k = asy_rng_below(rng, g->n_mates);
    const struct asy__mate *x = &g->mates[i], *y = &g->mates[k];

    if (x->rank != y->rank)
        return x->rank < y->rank ? i : k;
    return x->room >= y->room ? i : k;
}

static int is_mate(const struct asy_sampler *s, const struct nsga *g, const double *x)
{
    size_t len = asy_space_len(s->space);

    for (size_t k = 0; k < g->n_mates; k++) {
        const double *y = point(s, g, k);
        size_t i = 0;

        while (i < len && (x[i] == y[i] || (isnan(x[i]) && isnan(y[i]))))
            i++;
        if (i == len)
            return 1;
    }
    return 0;
}

static void breed(const struct asy_sampler *s, uint64_t number, const double *fixed, double *x)
{
    const struct nsga *g = s->state;
    struct asy__vary how = { .dims = g->dims, .crossover_eta = s->options[CROSSOVER_ETA],
                             .mutation_eta = s->options[MUTATION_ETA],
                             .uniform = s->options[UNIFORM] != 0 };
    struct asy_rng rng = asy__sampler_rng(s, number, CHILD_BLOCK);

    for (int tries = 0; tries < TRIES; tries++) {
        const double *a = point(s, g, tournament(g, &rng));
        const double *b = point(s, g, tournament(g, &rng));

        asy__vary(s, &how, number, a, b, fixed, &rng, x);
        if (!is_mate(s, g, x))
            return;
    }
}

static int ask(struct asy_sampler *s, uint64_t number, const double *fixed, double *x,
               struct asy_error *err)
{
    struct nsga *g = s->state;
    uint32_t own = asy__map_get(&g->numbers, number);
    int rc;

    if (own != ASY__MAP_NONE) { /* asked again: its own result is no reason for it */
        take_out(g, &g->trials[own]);
        g->trials[own].kind = UNFINISHED;
    }
    if (g->n_done < g->population) {
        asy__random_point(s, number, fixed, x);
        return 0;
    }
    if ((rc = select_all(s, g, err)))
        return rc;
    breed(s, number, fixed, x);
    return 0;
}

const struct asy__sampler_class asy__sampler_nsga2 = {
    .name = "nsga2", .options = options, .n_options = DIVISIONS, .needs_history = 1,
    .priors = ASY__PRIORS_ALL,
    .create = create_2, .destroy = destroy, .ask = ask, .reserve = reserve,
    .tell = tell,
};
const struct asy__sampler_class asy__sampler_nsga3 = {
    .name = "nsga3", .options = options, .n_options = ASY_ARRAY_LEN(options), .needs_history = 1,
    .priors = ASY__PRIORS_ALL,
    .create = create_3, .destroy = destroy, .ask = ask, .reserve = reserve,
    .tell = tell,
};
