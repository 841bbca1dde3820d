/* SPDX-License-Identifier: Apache-2.0
 * sampler_tpe.c - the tree-structured Parzen estimator (Bergstra et al. 2011) with the rules and
 * defaults of Optuna 5.0.
 *
 * Finished trials are ordered: feasible completed ones by value, pruned ones by the step they
 * reached, infeasible ones by violation, diverged ones last. The best min(ceil(n / 10), 25) feed
 * one density, all others (with running ones: the constant liar) the second; of 24 draws from the
 * first the one with the largest ratio is suggested. With several objectives (Ozaki et al. 2020)
 * the completed ones are ordered by non-domination and the best ceil(n / 10), however many, are
 * good, all with one weight; of a rank that is split, those that together cover the largest
 * hypervolume.
 *
 * Unlike Optuna, which regroups parameters by what trials happened to have, groups are read off
 * the space: parameters under the same conditions are always active together. Estimators are kept
 * between asks and only told of differences; everything they hold depends on the set of latest
 * outcomes alone, so the order of tells does not matter. */
#include "sampler.h"
#include <stdlib.h>
#include <string.h>
#include <asy/pareto.h>
#include "grow.h"
#include "map.h"
#include "parzen.h"
#include "tpe.h"

enum { STARTUP_TRIALS, CANDIDATES, MULTIVARIATE, CONSTANT_LIAR, GROUP };
static const struct asy__option options[] = {
    [STARTUP_TRIALS] = { "startup_trials", 10, 0, 1e6 },
    [CANDIDATES] = { "candidates", 24, 1, 4096 },
    [MULTIVARIATE] = { "multivariate", 1, 0, 1 },
    [CONSTANT_LIAR] = { "constant_liar", 1, 0, 1 },
    [GROUP] = { "group", 1, 0, 1 },
};
#define BELOW_MAX 25 /* with one objective */
#define EARLIER_SHARE 0.1 /* of an earlier study's trials that are good */
#define EARLIER_UNTIL 50  /* results of its own: from there on earlier studies have no say */
#define GROUP_BLOCK ((uint64_t)1 << 48) /* above the blocks of the random draws */
#define BLOCKS_PER_GROUP ((uint64_t)1 << 32)

enum side { NOWHERE, ABOVE, BELOW };
enum kind { FEASIBLE, PRUNED, INFEASIBLE, DIVERGED, UNFINISHED };
struct trial {
    uint64_t number;
    enum kind kind;
    double a, b; /* within a kind: ascending a, then b, then number */
    double guess; /* by earlier studies; NaN: nobody has asked for it */
    enum side side;
    int running, marked;
};
struct group { /* parameters that are always active together */
    struct asy__dim *dims;
    size_t n_dims;
    struct asy__parzen below, above;
};
struct tpe {
    struct group *groups;
    size_t n_groups;
    size_t *group_of;   /* [space length] SIZE_MAX: has a single value */
    double *suggestion; /* [space length] of the current ask; NaN: not drawn yet */
    struct asy__map numbers;
    struct trial *trials; /* [n_trials] */
    double *xs;           /* [n_trials, space length] */
    double *losses;       /* [n_trials, n_goals] all minimised; with several objectives */
    double *feasible;     /* [., n_goals] those of feasible trials, while choosing */
    size_t n_trials, cap;
    uint32_t *ranked; /* [n_ranked] finished trials, the best first */
    size_t n_ranked;
    enum side *earlier; /* [n_earlier of the sampler] */
    uint32_t *below, *chosen; /* [n_below] good at the last ask, [share()] at this one */
    size_t n_below;
    struct asy__parzen_scratch scratch;
    double *draws, *log_l, *log_g; /* [candidates, longest group], [candidates] twice */
};

/* ---- groups -------------------------------------------------------------------------------- */

static int same_when(const struct asy_when *a, const struct asy_when *b)
{
    if (a->parent != b->parent || a->n_values != b->n_values)
        return 0;
    if (!a->n_values)
        return a->lo == b->lo && a->hi == b->hi;
    for (size_t i = 0; i < a->n_values; i++) {
        size_t j = 0;

        while (j < b->n_values && b->values[j] != a->values[i])
            j++;
        if (j == b->n_values)
            return 0;
    }
    return 1;
}

static int covers(const struct asy_param *a, const struct asy_param *b)
{
    for (size_t i = 0; i < a->n_whens; i++) {
        size_t j = 0;

        while (j < b->n_whens && !same_when(&a->whens[i], &b->whens[j]))
            j++;
        if (j == b->n_whens)
            return 0;
    }
    return 1;
}

/* Each condition of either stands at the other as well. */
static int same_conditions(const struct asy_param *a, const struct asy_param *b)
{
    return covers(a, b) && covers(b, a);
}

/* The group of parameter i: one of the same conditions if drawn jointly, else a new one. */
static size_t find_group(const struct asy_sampler *s, const struct tpe *t, size_t i)
{
    const struct asy_param *p = asy_space_at(s->space, i);
    int joint = s->options[MULTIVARIATE] && (s->options[GROUP] || !p->n_whens);

    for (size_t g = 0; joint && g < t->n_groups; g++)
        if (same_conditions(asy_space_at(s->space, t->groups[g].dims[0].param), p))
            return g;
    return t->n_groups;
}

static int add_to_group(const struct asy_sampler *s, struct tpe *t, size_t i)
{
    size_t g = find_group(s, t, i);
    struct group *group = &t->groups[g];
    struct asy__dim *dims = realloc(group->dims, (group->n_dims + 1) * sizeof *dims);

    if (!dims)
        return ASY_E_NOMEM;
    group->dims = dims;
    asy__dim_init(&dims[group->n_dims], s->space, i);
    t->group_of[i] = g;
    group->n_dims++;
    if (g == t->n_groups)
        t->n_groups++;
    return 0;
}

static int make_groups(const struct asy_sampler *s, struct tpe *t)
{
    size_t n = asy_space_len(s->space), candidates = (size_t)s->options[CANDIDATES], longest = 1;

    t->groups = calloc(n + 1, sizeof *t->groups);
    t->group_of = malloc((n + 1) * sizeof *t->group_of);
    t->suggestion = malloc((n + 1) * sizeof *t->suggestion);
    if (!t->groups || !t->group_of || !t->suggestion)
        return ASY_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        t->group_of[i] = SIZE_MAX;
        if (asy_space_values(s->space, i) > 1 && add_to_group(s, t, i))
            return ASY_E_NOMEM;
    }
    for (size_t g = 0; g < t->n_groups; g++) {
        struct group *group = &t->groups[g];

        if (asy__parzen_init(&group->below, group->dims, group->n_dims, s->n_goals > 1) ||
            asy__parzen_init(&group->above, group->dims, group->n_dims, 0))
            return ASY_E_NOMEM;
        longest = group->n_dims > longest ? group->n_dims : longest;
    }
    t->draws = malloc(candidates * longest * sizeof *t->draws);
    t->log_l = malloc(candidates * sizeof *t->log_l);
    t->log_g = malloc(candidates * sizeof *t->log_g);
    return t->draws && t->log_l && t->log_g ? 0 : ASY_E_NOMEM;
}

static void destroy(struct asy_sampler *s)
{
    struct tpe *t = s->state;

    for (size_t g = 0; t->groups && g < asy_space_len(s->space); g++) {
        asy__parzen_fini(&t->groups[g].below);
        asy__parzen_fini(&t->groups[g].above);
        free(t->groups[g].dims);
    }
    free(t->groups);
    free(t->group_of);
    free(t->suggestion);
    asy__map_fini(&t->numbers);
    free(t->trials);
    free(t->xs);
    free(t->losses);
    free(t->feasible);
    free(t->ranked);
    free(t->earlier);
    free(t->below);
    free(t->chosen);
    asy__parzen_scratch_fini(&t->scratch);
    free(t->draws);
    free(t->log_l);
    free(t->log_g);
    free(t);
}

static int create(struct asy_sampler *s, struct asy_error *err)
{
    struct tpe *t;

    if (!(t = calloc(1, sizeof *t)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a sampler");
    s->state = t;
    if (make_groups(s, t) || !(t->earlier = calloc(s->n_earlier + 1, sizeof *t->earlier)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for a sampler");
    return 0;
}

/* ---- what has been seen -------------------------------------------------------------------- */

static struct trial *trial_get(const struct tpe *t, uint64_t number)
{
    uint32_t i = asy__map_get(&t->numbers, number);

    return i == ASY__MAP_NONE ? NULL : &t->trials[i];
}

static double *trial_x(const struct asy_sampler *s, const struct trial *trial)
{
    const struct tpe *t = s->state;

    return &t->xs[(size_t)(trial - t->trials) * asy_space_len(s->space)];
}

/* How many trials are good. */
static size_t share(const struct asy_sampler *s, const struct tpe *t)
{
    size_t n = (t->n_ranked + 9) / 10;

    return n > BELOW_MAX && s->n_goals == 1 ? BELOW_MAX : n;
}

static int grow_trials(const struct asy_sampler *s, struct tpe *t)
{
    size_t n = asy_space_len(s->space), cap = t->cap ? t->cap + t->cap / 2 : 64;

    if (cap >= ASY__MAP_NONE || asy__grow(&t->trials, cap, sizeof *t->trials) ||
        asy__grow(&t->ranked, cap, sizeof *t->ranked) ||
        asy__grow(&t->below, cap, sizeof *t->below) ||
        asy__grow(&t->chosen, cap, sizeof *t->chosen) ||
        asy__grow(&t->xs, cap * (n + 1), sizeof *t->xs))
        return ASY_E_NOMEM;
    if (s->n_goals > 1 && (asy__grow(&t->losses, cap * s->n_goals, sizeof *t->losses) ||
                           asy__grow(&t->feasible, cap * s->n_goals, sizeof *t->feasible)))
        return ASY_E_NOMEM;
    t->cap = cap;
    return 0;
}

/* Room for one more trial anywhere, so that nothing fails half way. */
static int make_room(const struct asy_sampler *s, struct tpe *t)
{
    size_t good = share(s, t) + 1;

    if (t->n_trials == t->cap && grow_trials(s, t))
        return ASY_E_NOMEM;
    for (size_t g = 0; g < t->n_groups; g++)
        if (asy__parzen_reserve(&t->groups[g].above,
                                t->groups[g].above.n + t->n_below + s->n_earlier + 1) ||
            asy__parzen_reserve(&t->groups[g].below,
                                (good > t->n_below ? good : t->n_below) + s->n_earlier))
            return ASY_E_NOMEM;
    return asy__map_reserve(&t->numbers);
}

static int reserve(struct asy_sampler *s, const struct asy_outcome *outcome)
{
    if (asy__takes_back(outcome) && trial_get(s->state, outcome->number))
        return 0;
    return make_room(s, s->state);
}

/* Moves an observation to another side, in all groups that are active in it. */
static void move_point(struct tpe *t, uint64_t number, const double *x, enum side *side,
                       enum side to)
{
    for (size_t g = 0; g < t->n_groups && to != *side; g++) {
        struct group *group = &t->groups[g];

        if (isnan(x[group->dims[0].param]))
            continue;
        if (*side != NOWHERE)
            asy__parzen_remove(*side == ABOVE ? &group->above : &group->below, number);
        if (to != NOWHERE)
            asy__parzen_insert(to == ABOVE ? &group->above : &group->below, number, x);
    }
    *side = to;
}

/* A trial's; earlier studies' come before it. */
static void move(const struct asy_sampler *s, struct trial *trial, enum side to)
{
    move_point(s->state, trial->number + s->n_earlier, trial_x(s, trial), &trial->side, to);
}

/* How much say earlier studies have, in EARLIER_UNTIL-ths. Guesses, each as long as the earlier
 * studies, are made here: results that come when the studies have no say never need one. */
static size_t trust_of(const struct asy_sampler *s, struct tpe *t)
{
    double guesses[EARLIER_UNTIL];

    if (t->n_ranked < ASY__EARLIER_PROOF || t->n_ranked >= EARLIER_UNTIL)
        return 0;
    for (size_t r = 0; r < t->n_ranked; r++) {
        struct trial *trial = &t->trials[t->ranked[r]];

        if (isnan(trial->guess))
            trial->guess = asy__earlier_guess(s, trial_x(s, trial));
        guesses[r] = trial->guess;
    }
    return asy__earlier_holds(guesses, NULL, t->n_ranked) ? EARLIER_UNTIL - t->n_ranked : 0;
}

/* Of what earlier studies found as large a share as the results of its own leave: the best of the
 * good ones, and of the others any, evenly. */
static void move_earlier(const struct asy_sampler *s, struct tpe *t)
{
    size_t n = s->n_earlier, good = 0, rest, left, kept;

    while (good < n && s->earlier[n - 1 - good].rank <= EARLIER_SHARE)
        good++;
    good = good || !n ? good : 1;
    rest = n - good;
    left = n ? trust_of(s, t) : 0;
    kept = rest * left / EARLIER_UNTIL;
    for (size_t i = 0; i < rest; i++)
        move_point(t, i, s->earlier[i].x, &t->earlier[i],
                   i * kept / rest != (i + 1) * kept / rest ? ABOVE : NOWHERE);
    kept = (good * left + EARLIER_UNTIL - 1) / EARLIER_UNTIL;
    for (size_t i = rest; i < n; i++)
        move_point(t, i, s->earlier[i].x, &t->earlier[i], n - i <= kept ? BELOW : NOWHERE);
}

static int before(const struct trial *x, const struct trial *y)
{
    if (x->kind != y->kind)
        return x->kind < y->kind;
    if (x->a != y->a)
        return x->a < y->a;
    if (x->b != y->b)
        return x->b < y->b;
    return x->number < y->number;
}

static size_t rank_of(const struct tpe *t, const struct trial *trial)
{
    size_t lo = 0, hi = t->n_ranked;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (before(&t->trials[t->ranked[mid]], trial))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void rank_remove(struct tpe *t, const struct trial *trial)
{
    size_t r = rank_of(t, trial);

    if (trial->kind == UNFINISHED)
        return;
    memmove(&t->ranked[r], &t->ranked[r + 1], (t->n_ranked - r - 1) * sizeof *t->ranked);
    t->n_ranked--;
}

static void rank_insert(struct tpe *t, const struct trial *trial)
{
    size_t r = rank_of(t, trial);

    if (trial->kind == UNFINISHED)
        return;
    memmove(&t->ranked[r + 1], &t->ranked[r], (t->n_ranked - r) * sizeof *t->ranked);
    t->ranked[r] = (uint32_t)(trial - t->trials);
    t->n_ranked++;
}

/* What the trial is to be ordered by: NaN if any objective is; the first alone, or 0 if choose()
 * orders by all of them. */
static double take_values(const struct asy_sampler *s, const struct asy_outcome *o,
                          const struct trial *trial)
{
    struct tpe *t = s->state;
    double first = NAN;
    int any_nan = 0;

    for (size_t j = 0; o->values && j < s->n_goals; j++) {
        double loss = s->goals[j] == ASY_MAXIMIZE ? -o->values[j] : o->values[j];

        if (s->n_goals > 1)
            t->losses[(size_t)(trial - t->trials) * s->n_goals + j] = loss;
        first = j == 0 ? loss : first;
        any_nan |= isnan(loss);
    }
    if (s->n_goals == 1 || o->state == ASY_OUTCOME_PRUNED)
        return first;
    return any_nan || !o->values ? NAN : 0;
}

/* The kind and order of an outcome, as of Optuna's _split_trials; what is diverged comes last. */
static void classify(const struct asy_sampler *s, const struct asy_outcome *o, struct trial *trial)
{
    double value = take_values(s, o, trial);

    trial->a = trial->b = 0;
    trial->running = o->state == ASY_OUTCOME_RUNNING;
    if (o->state == ASY_OUTCOME_FAILED || o->state == ASY_OUTCOME_RUNNING) {
        trial->kind = o->state == ASY_OUTCOME_FAILED && o->diverged ? DIVERGED : UNFINISHED;
    } else if (o->violation > 0) {
        trial->kind = INFEASIBLE;
        trial->a = o->violation;
    } else if (o->state == ASY_OUTCOME_PRUNED) {
        trial->kind = PRUNED;
        trial->a = o->last_step >= 0 ? -o->last_step : 1;
        trial->b = !(o->last_step >= 0) ? 0 : isnan(value) ? INFINITY : value;
    } else {
        trial->kind = isnan(value) ? DIVERGED : FEASIBLE;
        trial->a = isnan(value) ? 0 : value;
    }
}

static int same_point(const double *x, const double *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (isnan(x[i]) ? !isnan(y[i]) : x[i] != y[i])
            return 0;
    return 1;
}

static void tell(struct asy_sampler *s, const struct asy_outcome *outcome)
{
    struct tpe *t = s->state;
    size_t n = asy_space_len(s->space);
    struct trial *trial;

    if (!(trial = trial_get(t, outcome->number))) {
        trial = &t->trials[t->n_trials];
        *trial = (struct trial){ .number = outcome->number, .kind = UNFINISHED };
        asy__map_put(&t->numbers, outcome->number, (uint32_t)t->n_trials++);
    } else if (!same_point(trial_x(s, trial), outcome->x, n)) {
        move(s, trial, NOWHERE);
    }
    rank_remove(t, trial);
    memcpy(trial_x(s, trial), outcome->x, n * sizeof *outcome->x);
    trial->guess = NAN;
    classify(s, outcome, trial);
    rank_insert(t, trial);
    if (trial->kind == UNFINISHED)
        move(s, trial, trial->running && s->options[CONSTANT_LIAR] ? ABOVE : NOWHERE);
    else if (trial->side == NOWHERE)
        move(s, trial, ABOVE); /* split() sorts out who is below */
}

/* ---- asking -------------------------------------------------------------------------------- */

/* With several objectives: of the pruned ones that got equally far, and of which but some are among
 * the n best, those that are best by rank. */
static int choose_pruned(const struct asy_sampler *s, struct tpe *t, size_t n,
                         struct asy_error *err)
{
    size_t m = s->n_goals, from, upto = n;
    const struct trial *last = n ? &t->trials[t->ranked[n - 1]] : NULL;
    int rc;

    if (!last || last->kind != PRUNED || last->a > 0) /* > 0: it reported nothing */
        return 0;
    for (from = n - 1; from > 0; from--)
        if (t->trials[t->ranked[from - 1]].kind != PRUNED ||
            t->trials[t->ranked[from - 1]].a != last->a)
            break;
    while (upto < t->n_ranked && t->trials[t->ranked[upto]].kind == PRUNED &&
           t->trials[t->ranked[upto]].a == last->a)
        upto++;
    for (size_t r = from; r < upto; r++)
        for (size_t j = 0; j < m; j++) {
            double loss = t->losses[t->ranked[r] * m + j];

            t->feasible[(r - from) * m + j] = isnan(loss) ? INFINITY : loss;
        }
    if ((rc = asy_pareto_best(t->feasible, upto - from, m, n - from, t->chosen + from, err)))
        return rc;
    for (size_t r = from; r < n; r++)
        t->chosen[r] = t->ranked[from + t->chosen[r]];
    return 0;
}

/* The n best into t->chosen: the first of the ranking, or with several objectives those that are
 * best among the feasible ones, which stand there in order of their numbers. */
static int choose(const struct asy_sampler *s, struct tpe *t, size_t n, struct asy_error *err)
{
    size_t feasible = 0, m = s->n_goals;
    int rc;

    if (n > 0)
        memcpy(t->chosen, t->ranked, n * sizeof *t->chosen);
    if (m == 1)
        return 0;
    while (feasible < t->n_ranked && t->trials[t->ranked[feasible]].kind == FEASIBLE) {
        memcpy(&t->feasible[feasible * m], &t->losses[t->ranked[feasible] * m],
               m * sizeof *t->feasible);
        feasible++;
    }
    if (n >= feasible)
        return choose_pruned(s, t, n, err);
    if ((rc = asy_pareto_best(t->feasible, feasible, m, n, t->chosen, err)))
        return rc;
    for (size_t i = 0; i < n; i++)
        t->chosen[i] = t->ranked[t->chosen[i]];
    return 0;
}

/* Brings the sides up to date with the ranking. There is room for every trial above. */
static int split(const struct asy_sampler *s, struct tpe *t, struct asy_error *err)
{
    size_t n = share(s, t);

    if (make_room(s, t) || choose(s, t, n, err))
        return ASY_E_NOMEM;
    for (size_t r = 0; r < n; r++)
        t->trials[t->chosen[r]].marked = 1;
    for (size_t i = 0; i < t->n_below; i++) {
        struct trial *trial = &t->trials[t->below[i]];

        if (!trial->marked && trial->side == BELOW)
            move(s, trial, ABOVE);
    }
    for (size_t r = 0; r < n; r++) {
        t->trials[t->chosen[r]].marked = 0;
        move(s, &t->trials[t->chosen[r]], BELOW);
        t->below[r] = t->chosen[r];
    }
    t->n_below = n;
    move_earlier(s, t);
    return 0;
}

/* Prepares a group for n candidates. */
static int settle(struct tpe *t, struct group *group, size_t n)
{
    size_t most = group->above.n > group->below.n ? group->above.n : group->below.n;

    if (asy__parzen_scratch_reserve(&t->scratch, group->dims, group->n_dims, n, most))
        return ASY_E_NOMEM;
    asy__parzen_settle(&group->below);
    asy__parzen_settle(&group->above);
    return 0;
}

/* The most promising of n candidates xs[n, n_dims]. Fills log_l[n], log_g[n]. */
static size_t judge(struct tpe *t, const struct group *group, const double *xs, size_t n,
                    double *log_l, double *log_g)
{
    size_t best = 0;

    asy__parzen_log_pdf(&group->below, xs, n, &t->scratch, log_l);
    asy__parzen_log_pdf(&group->above, xs, n, &t->scratch, log_g);
    for (size_t i = 1; i < n; i++)
        if (log_l[i] - log_g[i] > log_l[best] - log_g[best])
            best = i;
    return best;
}

/* Draws a group jointly into t->suggestion. */
static int draw_group(const struct asy_sampler *s, uint64_t number, size_t g)
{
    struct tpe *t = s->state;
    struct group *group = &t->groups[g];
    size_t candidates = (size_t)s->options[CANDIDATES], best;
    struct asy_rng rng = asy__sampler_rng(s, number, GROUP_BLOCK + g * BLOCKS_PER_GROUP);

    if (settle(t, group, candidates))
        return ASY_E_NOMEM;
    for (size_t i = 0; i < candidates; i++)
        asy__parzen_sample(&group->below, &rng, &t->draws[i * group->n_dims]);
    best = judge(t, group, t->draws, candidates, t->log_l, t->log_g);
    for (size_t d = 0; d < group->n_dims; d++)
        t->suggestion[group->dims[d].param] =
            asy_space_snap(s->space, group->dims[d].param, t->draws[best * group->n_dims + d]);
    return 0;
}

/* Each group is drawn when its first active parameter comes up; the draw does not depend on which
 * other groups are. */
static int suggest(const struct asy_sampler *s, uint64_t number, const double *fixed, double *x)
{
    struct tpe *t = s->state;
    size_t n = asy_space_len(s->space);

    for (size_t i = 0; i < n; i++)
        t->suggestion[i] = NAN;
    for (size_t i = 0; i < n; i++) {
        x[i] = ASY_INACTIVE;
        if (!asy_space_active(s->space, x, i))
            continue;
        if (fixed && !isnan(fixed[i])) {
            x[i] = fixed[i];
        } else if (t->group_of[i] == SIZE_MAX) {
            x[i] = asy_space_value(s->space, i, 0);
        } else {
            if (isnan(t->suggestion[i]) && draw_group(s, number, t->group_of[i]))
                return ASY_E_NOMEM;
            x[i] = t->suggestion[i];
        }
    }
    return 0;
}

/* What is known of a trial that is asked for again: it must not shun its own point. */
static void forget(const struct asy_sampler *s, uint64_t number)
{
    struct tpe *t = s->state;
    struct trial *own = trial_get(t, number);

    if (!own)
        return;
    rank_remove(t, own);
    own->kind = UNFINISHED;
    move(s, own, NOWHERE);
}

/* xs: [n, space length], of trials in a row, all from the model of this moment. */
static int ask_all(const struct asy_sampler *s, uint64_t number, size_t n, const double *fixed,
                   double *xs, struct asy_error *err)
{
    struct tpe *t = s->state;
    size_t len = asy_space_len(s->space);
    int random;

    for (size_t i = 0; i < n; i++)
        forget(s, number + i);
    random = (double)t->n_ranked < s->options[STARTUP_TRIALS];
    if (!random && split(s, t, err))
        return asy_fail(err, ASY_E_NOMEM, "no memory to suggest trial %llu",
                        (unsigned long long)number);
    for (size_t i = 0; i < n; i++) {
        if (random)
            asy__random_point(s, number + i, fixed, &xs[i * len]);
        else if (suggest(s, number + i, fixed, &xs[i * len]))
            return asy_fail(err, ASY_E_NOMEM, "no memory to suggest trial %llu",
                            (unsigned long long)(number + i));
    }
    return 0;
}

static int ask(struct asy_sampler *s, uint64_t number, const double *fixed, double *x,
               struct asy_error *err)
{
    return ask_all(s, number, 1, fixed, x, err);
}

static int ask_many(struct asy_sampler *s, uint64_t number, size_t n, double *xs,
                    struct asy_error *err)
{
    return ask_all(s, number, n, NULL, xs, err);
}

/* ---- for tests ------------------------------------------------------------------------------ */

size_t asy__tpe_group(const struct asy_sampler *s, size_t param, size_t *ret_params)
{
    const struct tpe *t = s->state;
    const struct group *group = &t->groups[t->group_of[param]];

    for (size_t d = 0; d < group->n_dims; d++)
        ret_params[d] = group->dims[d].param;
    return group->n_dims;
}

int asy__tpe_judge(struct asy_sampler *s, size_t param, const double *xs, size_t n,
                   double *ret_log_l, double *ret_log_g, size_t *ret_best, struct asy_error *err)
{
    struct tpe *t = s->state;
    struct group *group = &t->groups[t->group_of[param]];
    int rc = split(s, t, err);

    if (rc)
        return rc;
    if (settle(t, group, n))
        return asy_fail(err, ASY_E_NOMEM, "no memory to judge points");
    *ret_best = judge(t, group, xs, n, ret_log_l, ret_log_g);
    return 0;
}

const struct asy__sampler_class asy__sampler_tpe = {
    .name = "tpe", .priors = ASY__PRIORS_KERNEL, .needs_history = 1,
    .options = options, .n_options = ASY_ARRAY_LEN(options),
    .create = create, .destroy = destroy, .ask = ask, .ask_many = ask_many,
    .reserve = reserve, .tell = tell,
};
