/* SPDX-License-Identifier: Apache-2.0
 * bandit.c - see bandit.h. What the paper leaves open is as in its authors' code (Ray Tune's pb2):
 * gains are standardised and cut at two deviations, beta = 0.2 log(0.4 n). Time is not scaled to
 * the data there is, as it is there: a turn stays as long ago as it was. Here members do not wait
 * for each other, so whoever trains is a point of the batch, whenever it was chosen. */
#include "bandit.h"
#include <math.h>
#include <stdlib.h>
#include "gp_dim.h"
#include "lbfgs.h"
#include "tvgp.h"

#define KNOWN_MIN 3
#define KNOWN_MAX 192 /* with so many an ask takes some 20 ms */
#define RUNNING_MAX 64
#define VALUE_MAX 1e100 /* a difference of two and its square are finite */
#define CANDIDATES 256
#define STARTS 4
#define CUT 2.0
#define BETA_FACTOR 0.2
#define BETA_SHARE 0.4
#define DRAWS_FROM ((uint64_t)1 << 33) /* behind those of sampler_pbt.c */

/* ---- observations ---------------------------------------------------------------------------- */

static const struct asy__turn *parent_of(const struct asy_sampler *s,
                                         const struct asy__turns *turns,
                                         const struct asy__turn *turn)
{
    uint64_t parent = turn->origin.parent;

    return parent && parent <= turn->number ? asy__turns_get(s, turns, parent - 1) : NULL;
}

static double turns_before(const struct asy_sampler *s, const struct asy__turns *turns,
                           const struct asy__turn *turn)
{
    double n = 0;

    while ((turn = parent_of(s, turns, turn)))
        n++;
    return n;
}

/* 0: it says nothing of gains. */
static int read_turn(const struct asy_sampler *s, const struct asy__turns *turns,
                     const struct asy__turn *turn, struct asy__gain *ret_gain)
{
    const struct asy__turn *parent = turn->origin.member ? parent_of(s, turns, turn) : NULL;
    int complete = turn->state == ASY_OUTCOME_COMPLETE;
    int running = turn->state == ASY_OUTCOME_RUNNING;

    if (!parent || parent->state != ASY_OUTCOME_COMPLETE || !(fabs(parent->value) < VALUE_MAX) ||
        (!complete && !running && !turn->diverged))
        return 0;
    *ret_gain = (struct asy__gain){ .turn = turn, .parent = parent, .known = !running,
                                    .t = turns_before(s, turns, turn) };
    ret_gain->worst = !running && (!complete || !(fabs(turn->value) < VALUE_MAX) ||
                                   turn->violation > parent->violation);
    if (complete && !ret_gain->worst)
        ret_gain->y = parent->value - turn->value;
    return 1;
}

static int by_number(const void *a, const void *b)
{
    const struct asy__gain *g = a, *h = b;

    if (g->known != h->known)
        return g->known ? -1 : 1;
    return g->turn->number < h->turn->number ? -1 : 1;
}

int asy__gains_of(const struct asy_sampler *s, const struct asy__turns *turns,
                  struct asy__gain **ret_gains, size_t *ret_known, size_t *ret_running)
{
    struct asy__gain *gains = malloc((turns->trials.len + 1) * sizeof *gains);
    size_t n = 0, known = 0, running;
    const struct asy__turn *turn;

    if (!gains)
        return ASY_E_NOMEM;
    for (size_t i = 0; (turn = asy__turns_at(s, turns, i)); i++)
        if (read_turn(s, turns, turn, &gains[n]))
            known += (size_t)gains[n++].known;
    qsort(gains, n, sizeof *gains, by_number);
    running = n - known;
    *ret_known = known < KNOWN_MAX ? known : KNOWN_MAX;
    *ret_running = running < RUNNING_MAX ? running : RUNNING_MAX;
    memmove(gains, gains + (known - *ret_known), *ret_known * sizeof *gains);
    memmove(gains + *ret_known, gains + (n - *ret_running), *ret_running * sizeof *gains);
    *ret_gains = gains;
    return 0;
}

void asy__gains_standardise(struct asy__gain *gains, size_t n)
{
    double least = INFINITY, mean = 0, square = 0;

    for (size_t i = 0; i < n; i++)
        if (!gains[i].worst)
            least = fmin(least, gains[i].y);
    for (size_t i = 0; i < n; i++) {
        if (gains[i].worst)
            gains[i].y = isfinite(least) ? least : 0;
        mean += gains[i].y / (double)n;
    }
    for (size_t i = 0; i < n; i++)
        square += (gains[i].y - mean) * (gains[i].y - mean) / (double)n;
    for (size_t i = 0; i < n; i++) {
        double y = square > 0 ? (gains[i].y - mean) / sqrt(square) : 0;

        gains[i].y = fmin(fmax(y, -CUT), CUT);
    }
}

double asy__bandit_bonus(size_t n)
{
    return sqrt(BETA_FACTOR * fmax(log(BETA_SHARE * (double)n), 0));
}

/* ---- the model ------------------------------------------------------------------------------- */

struct bandit {
    const struct asy_sampler *s;
    struct asy__gp_dim *dims; /* [d] of the parameters that are modelled */
    size_t d;
    struct asy__gain *gains;
    size_t n_known, n_running;
    double lo, range;    /* of the values that turns begin with */
    double at, t, bonus; /* of the turn that is asked for */
    double *fixed;       /* [d] coordinates; NaN: free */
    double *y, *work, *point, *gradient;
    struct asy__tvgp gp;
    struct asy__lbfgs climb;
};

static void fini(struct bandit *b)
{
    free(b->dims);
    free(b->gains);
    free(b->fixed);
    asy__tvgp_fini(&b->gp);
    asy__lbfgs_fini(&b->climb);
}

/* The parameters that are modelled; their number. dims: [space length], or NULL. */
static size_t modelled(const struct asy_space *space, struct asy__gp_dim *dims)
{
    size_t d = 0;

    for (size_t i = 0; i < asy_space_len(space); i++) {
        const struct asy_param *p = asy_space_at(space, i);

        if (p->n_whens || (p->type == ASY_PARAM_CHOICE && !p->ordered))
            continue;
        if (dims)
            asy__gp_dim_init(&dims[d], space, i);
        d++;
    }
    return d;
}

static int init(struct bandit *b, const struct asy__turns *turns, const double *fixed)
{
    const struct asy_space *space = b->s->space;
    size_t d = b->d, cap;

    if (asy__gains_of(b->s, turns, &b->gains, &b->n_known, &b->n_running))
        return ASY_E_NOMEM;
    cap = b->n_known + b->n_running + 1;
    if (!(b->dims = calloc(d + 1, sizeof *b->dims)) ||
        !(b->fixed = calloc(3 * (d + ASY__BANDIT_CONTEXT) + cap + cap * cap, sizeof *b->fixed)) ||
        asy__tvgp_init(&b->gp, d + ASY__BANDIT_CONTEXT, cap) || asy__lbfgs_init(&b->climb, d))
        return ASY_E_NOMEM;
    b->point = b->fixed + d;
    b->gradient = b->point + d + ASY__BANDIT_CONTEXT;
    b->y = b->gradient + d + ASY__BANDIT_CONTEXT;
    b->work = b->y + cap;
    modelled(space, b->dims);
    for (size_t j = 0; j < d; j++) {
        double v = fixed ? fixed[b->dims[j].param] : NAN;

        b->fixed[j] = isnan(v) ? NAN : asy__gp_coordinate(&b->dims[j], v);
    }
    return 0;
}

/* The values that turns begin with, from 0 to 1. */
static void set_range(struct bandit *b, const struct asy__turn *from)
{
    double hi = from->value;

    b->lo = from->value;
    for (size_t i = 0; i < b->n_known + b->n_running; i++) {
        b->lo = fmin(b->lo, b->gains[i].parent->value);
        hi = fmax(hi, b->gains[i].parent->value);
    }
    b->range = hi > b->lo ? hi - b->lo : 1;
    b->at = (from->value - b->lo) / b->range;
}

static void learn_row(struct bandit *b, size_t i)
{
    const struct asy__gain *gain = &b->gains[i];

    b->point[0] = (gain->parent->value - b->lo) / b->range;
    for (size_t j = 0; j < b->d; j++)
        b->point[ASY__BANDIT_CONTEXT + j] =
            asy__gp_coordinate(&b->dims[j], gain->turn->x[b->dims[j].param]);
    b->y[i] = gain->y;
    asy__tvgp_push(&b->gp, b->point, gain->t);
}

/* Fitted to what is known; then what trains stands in. */
static int learn(struct bandit *b)
{
    int rc;

    asy__gains_standardise(b->gains, b->n_known);
    for (size_t i = 0; i < b->n_known; i++)
        learn_row(b, i);
    if ((rc = asy__tvgp_fit(&b->gp, b->y, b->work)))
        return rc;
    for (size_t i = 0; i < b->n_running; i++)
        learn_row(b, b->n_known + i);
    return asy__tvgp_settle(&b->gp, b->y, b->n_known);
}

/* ---- the point ------------------------------------------------------------------------------- */

/* Minus the bound at u [d], and its derivatives in b->gradient + ASY__BANDIT_CONTEXT. */
static double loss_at(struct bandit *b, const double *u, int slopes)
{
    double *gradient = slopes ? b->gradient : NULL, bound;

    b->point[0] = b->at;
    memcpy(b->point + ASY__BANDIT_CONTEXT, u, b->d * sizeof *u);
    bound = asy__tvgp_bound(&b->gp, b->point, b->t, b->bonus, gradient);
    for (size_t j = 0; slopes && j < b->d; j++)
        gradient[ASY__BANDIT_CONTEXT + j] *= -1;
    return -bound;
}

struct start {
    double loss;
    size_t row; /* of us */
};

/* Keeps the STARTS best, the best first. */
static void offer(struct start *best, size_t *n, double loss, size_t row)
{
    size_t at = *n;

    if (*n == STARTS && loss >= best[STARTS - 1].loss)
        return;
    at = *n < STARTS ? (*n)++ : STARTS - 1;
    for (; at > 0 && best[at - 1].loss > loss; at--)
        best[at] = best[at - 1];
    best[at] = (struct start){ loss, row };
}

/* The lowest loss near u, which becomes that point. */
static double climb(struct bandit *b, double *u)
{
    static const struct asy__lbfgs_rule rule = { .evaluations_max = 40, .gradient = 1e-4,
                                                 .gain = 1e-7, .step_max = 0.5 };
    double length = b->gp.s[ASY__TVGP_LENGTH], loss;

    for (size_t j = 0; j < b->d; j++) {
        b->climb.lo[j] = isnan(b->fixed[j]) ? 0 : b->fixed[j];
        b->climb.hi[j] = isnan(b->fixed[j]) ? 1 : b->fixed[j];
        b->climb.size[j] = length * length;
    }
    asy__lbfgs_start(&b->climb, &rule, u);
    do
        loss = loss_at(b, b->climb.trial, 1);
    while (asy__lbfgs_tell(&b->climb, loss, b->gradient + ASY__BANDIT_CONTEXT));
    memcpy(u, b->climb.x, b->d * sizeof *u);
    return b->climb.f;
}

/* us: [CANDIDATES, d] scratch; random points, of which the best are climbed from. */
static const double *search(struct bandit *b, struct asy_rng *rng, double *us)
{
    struct start best[STARTS];
    size_t n = 0, winner = 0;

    for (size_t i = 0; i < CANDIDATES; i++) {
        double *u = us + i * b->d;

        for (size_t j = 0; j < b->d; j++) {
            double drawn = asy_rng_double(rng);

            u[j] = isnan(b->fixed[j]) ? drawn : b->fixed[j];
        }
        offer(best, &n, loss_at(b, u, 0), i);
    }
    for (size_t k = 0; k < n; k++) {
        best[k].loss = climb(b, us + best[k].row * b->d);
        winner = best[k].loss < best[winner].loss ? k : winner;
    }
    return us + best[winner].row * b->d;
}

static void give(const struct bandit *b, const double *u, double *x)
{
    for (size_t j = 0; j < b->d; j++)
        if (isnan(b->fixed[j]))
            x[b->dims[j].param] = asy__gp_value(&b->dims[j], b->s->space, u[j]);
}

int asy__bandit_choose(const struct asy_sampler *s, const struct asy__turns *turns, uint64_t number,
                       const struct asy__next *next, const double *fixed, double *ret_x)
{
    struct asy_rng rng = asy__sampler_rng(s, number, DRAWS_FROM);
    struct bandit b = { .s = s, .d = modelled(s->space, NULL) };
    double *us = NULL;
    int rc;

    for (size_t i = 0; i < asy_space_len(s->space); i++)
        ret_x[i] = fixed ? fixed[i] : NAN;
    if ((rc = init(&b, turns, fixed)) || b.d == 0 || b.n_known < KNOWN_MIN ||
        !(fabs(next->from->value) < VALUE_MAX))
        goto out;
    set_range(&b, next->from);
    b.t = turns_before(s, turns, next->from) + 1;
    b.bonus = asy__bandit_bonus(b.n_known);
    if (!(us = malloc(CANDIDATES * b.d * sizeof *us))) {
        rc = ASY_E_NOMEM;
        goto out;
    }
    if ((rc = learn(&b)) == 0)
        give(&b, search(&b, &rng, us), ret_x);
    else if (rc == ASY_E_INVAL)
        rc = 0; /* rounding made it indefinite: nothing is chosen */
out:
    free(us);
    fini(&b);
    return rc;
}
