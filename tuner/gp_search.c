/* SPDX-License-Identifier: Apache-2.0
 * gp_search.c - see gp_search.h. */
#include "gp_search.h"
#include <stdlib.h>
#include <string.h>
#include "lbfgs.h"

enum {
    N_WIDE = 1024,  /* random points of the whole box */
    N_NEAR = 512,   /* and around the good ones */
    N_STARTS = 10,
    N_ROUNDS = 4,   /* of climbing and trying values in turn */
    FEW = 16,       /* a grid of so many values is tried whole, and not climbed */
    MOVES_MAX = 64, /* values of a coordinate that are tried */
};

struct work {
    struct asy__gp_search *search;
    const struct asy__gp_acq *acq;
    size_t d, n;              /* n: candidates, starts behind them */
    double *u;                /* [n + N_STARTS, d] */
    double *values;           /* [n + N_STARTS] */
    struct asy__lbfgs climbers[N_STARTS];
    double *moves, *move_values;     /* [MOVES_MAX, d], [MOVES_MAX] */
    double *batch, *batch_gradients; /* [N_STARTS, d] */
};

static int climbs(const struct asy__gp_dim *dim)
{
    return dim->kind == ASY__GP_REAL || (dim->kind == ASY__GP_GRID && dim->n_values > FEW);
}

/* ---- candidates ---------------------------------------------------------------------------- */

static double any_value(struct asy__gp_search *s, size_t j)
{
    const struct asy__gp_dim *dim = &s->dims[j];

    if (!isnan(s->fixed[j]))
        return s->fixed[j];
    if (dim->kind == ASY__GP_CATEGORY)
        return (double)asy_rng_below(&s->rng, (uint64_t)dim->n_values);
    return asy__gp_snap(dim, s->space,
                        s->lo[j] + asy_rng_double(&s->rng) * (s->hi[j] - s->lo[j]));
}

static double in_box(const struct asy__gp_search *s, size_t j, double at)
{
    at = at < s->lo[j] ? s->lo[j] : at > s->hi[j] ? s->hi[j] : at;
    return asy__gp_snap(&s->dims[j], s->space, at);
}

/* A copy of a good point, put into the box, some coordinates of which moved: by the same factor of
 * their length scales, from a hundredth to all of it; a fresh draw for a choice. */
static void draw_near(struct asy__gp_search *s, const double *good, double *u)
{
    double reach = pow(10, -2 * asy_rng_double(&s->rng)), share = s->d > 5 ? 5.0 / (double)s->d : 1;

    share = share > asy_rng_double(&s->rng) ? share : 1;
    for (size_t j = 0; j < s->d; j++) {
        int choice = s->dims[j].kind == ASY__GP_CATEGORY, moves;
        double sway = asy_rng_normal(&s->rng);

        u[j] = isnan(s->fixed[j]) ? good[j] : s->fixed[j];
        if (!isnan(s->fixed[j]))
            continue;
        moves = asy_rng_double(&s->rng) < share;
        if (!choice)
            u[j] = in_box(s, j, u[j] + (moves ? reach * sway * s->length[j] : 0));
        else if (moves && asy_rng_double(&s->rng) < 0.3)
            u[j] = any_value(s, j);
    }
}

static void draw_candidates(struct work *w)
{
    struct asy__gp_search *s = w->search;

    for (size_t i = 0; i < w->n; i++) {
        double *u = w->u + i * w->d;

        if (i >= N_WIDE) {
            draw_near(s, s->good + (i - N_WIDE) % s->n_good * w->d, u);
            continue;
        }
        for (size_t j = 0; j < w->d; j++)
            u[j] = any_value(s, j);
    }
    asy__gp_acq_eval(w->acq, w->n, w->u, w->values, NULL);
}

/* The best candidate, and others by chance, with probabilities as their values without the
 * logarithm; each is copied behind the candidates. */
static void pick_starts(struct work *w)
{
    double *weights = w->move_values, top = -INFINITY;
    size_t best = 0;

    for (size_t i = 0; i < w->n; i++)
        best = w->values[i] > w->values[best] ? i : best;
    top = w->values[best];
    for (size_t i = 0; i < w->n; i++)
        weights[i] = i == best ? 0 : exp(w->values[i] - top);
    for (size_t k = 0; k < N_STARTS; k++) {
        double sum = 0, mark;
        size_t at = best;

        for (size_t i = 0; k && i < w->n; i++)
            sum += weights[i];
        mark = asy_rng_double(&w->search->rng) * sum;
        for (size_t i = 0; k && i < w->n && mark >= 0; i++) {
            at = weights[i] > 0 ? i : at;
            mark -= weights[i];
        }
        weights[at] = 0;
        memcpy(w->u + (w->n + k) * w->d, w->u + at * w->d, w->d * sizeof *w->u);
        w->values[w->n + k] = w->values[at];
    }
}

/* ---- local search -------------------------------------------------------------------------- */

static void start_climbers(struct work *w)
{
    static const struct asy__lbfgs_rule rule = { .evaluations_max = 60, .gradient = 1e-4,
                                                 .gain = 1e-6, .step_max = 0.3 };

    for (size_t k = 0; k < N_STARTS; k++) {
        struct asy__lbfgs *o = &w->climbers[k];
        const double *u = w->u + (w->n + k) * w->d;

        for (size_t j = 0; j < w->d; j++) {
            int moves = climbs(&w->search->dims[j]) && isnan(w->search->fixed[j]);

            o->lo[j] = moves ? w->search->lo[j] : u[j];
            o->hi[j] = moves ? w->search->hi[j] : u[j];
            o->size[j] = w->search->length[j] * w->search->length[j];
        }
        asy__lbfgs_start(o, &rule, u);
    }
}

/* All starts climb at once: their points are evaluated together. */
static void climb(struct work *w)
{
    size_t who[N_STARTS], n = N_STARTS;

    start_climbers(w);
    for (size_t k = 0; k < N_STARTS; k++)
        who[k] = k;
    while (n > 0) {
        double values[N_STARTS];
        size_t left = 0;

        for (size_t i = 0; i < n; i++)
            memcpy(w->batch + i * w->d, w->climbers[who[i]].trial, w->d * sizeof *w->batch);
        asy__gp_acq_eval(w->acq, n, w->batch, values, w->batch_gradients);
        for (size_t i = 0; i < n; i++) {
            double *g = w->batch_gradients + i * w->d;

            for (size_t j = 0; j < w->d; j++)
                g[j] = -g[j];
            if (asy__lbfgs_tell(&w->climbers[who[i]], -values[i], g))
                who[left++] = who[i];
        }
        n = left;
    }
}

/* Where the climbers ended, on the grid; values anew. */
static void take_climbed(struct work *w)
{
    double *u = w->u + w->n * w->d;

    for (size_t k = 0; k < N_STARTS; k++)
        for (size_t j = 0; j < w->d; j++) {
            double at = w->climbers[k].x[j];

            u[k * w->d + j] = isnan(w->search->fixed[j])
                                  ? asy__gp_snap(&w->search->dims[j], w->search->space, at)
                                  : w->search->fixed[j];
        }
    asy__gp_acq_eval(w->acq, N_STARTS, u, w->values + w->n, NULL);
}

/* The coordinate of value k of a grid or choice, bit by bit that of a trial that has it: a prior
 * may put several values on one end of the unit interval. */
static double coordinate_at(const struct asy__gp_search *s, const struct asy__gp_dim *dim, double k)
{
    return asy__gp_snap(dim, s->space,
                        asy__gp_coordinate(dim, asy_space_value(s->space, dim->param, k)));
}

/* Other values of coordinate j to try from u: all where they are few; else those of the box at
 * distances of 1, 2, 4 and so on. Returns how many. */
static size_t list_moves(const struct work *w, size_t j, const double *u, double *ret_values)
{
    const struct asy__gp_search *s = w->search;
    const struct asy__gp_dim *dim = &s->dims[j];
    const struct asy_param *p = asy_space_at(s->space, dim->param);
    double now = asy__gp_value(dim, s->space, u[j]), at = rint((now - p->lo) / p->step);
    size_t n = 0;

    if (dim->kind == ASY__GP_CATEGORY || dim->n_values <= FEW) {
        for (double k = 0; k < dim->n_values && n < MOVES_MAX; k++)
            ret_values[n++] = coordinate_at(s, dim, k);
        return n;
    }
    for (double by = 1; by < dim->n_values && n + 2 <= MOVES_MAX; by *= 2)
        for (int up = 0; up < 2; up++) {
            double to = up ? at + by : at - by, move;

            if (to < 0 || to >= dim->n_values)
                continue;
            move = coordinate_at(s, dim, to);
            if (move >= s->lo[j] && move <= s->hi[j])
                ret_values[n++] = move;
        }
    return n;
}

/* The best value of each such coordinate in turn; returns whether anything got better. */
static int try_values(struct work *w, double *u, double *value)
{
    double list[MOVES_MAX];
    int better = 0;

    for (size_t j = 0; j < w->d; j++) {
        size_t n, best = SIZE_MAX;

        if (w->search->dims[j].kind == ASY__GP_REAL || !isnan(w->search->fixed[j]))
            continue;
        n = list_moves(w, j, u, list);
        for (size_t i = 0; i < n; i++) {
            memcpy(w->moves + i * w->d, u, w->d * sizeof *u);
            w->moves[i * w->d + j] = list[i];
        }
        asy__gp_acq_eval(w->acq, n, w->moves, w->move_values, NULL);
        for (size_t i = 0; i < n; i++)
            if (w->move_values[i] > *value) {
                *value = w->move_values[i];
                best = i;
            }
        if (best != SIZE_MAX) {
            u[j] = list[best];
            better = 1;
        }
    }
    return better;
}

static void refine(struct work *w)
{
    int can_climb = 0, can_try = 0, again = 1;

    for (size_t j = 0; j < w->d; j++) {
        can_climb |= climbs(&w->search->dims[j]) && isnan(w->search->fixed[j]);
        can_try |= w->search->dims[j].kind != ASY__GP_REAL && isnan(w->search->fixed[j]);
    }
    for (int round = 0; round < N_ROUNDS && again; round++) {
        again = 0;
        if (can_climb) {
            climb(w);
            take_climbed(w);
        }
        for (size_t k = 0; k < N_STARTS && can_try; k++)
            again |= try_values(w, w->u + (w->n + k) * w->d, &w->values[w->n + k]);
        again &= can_climb;
    }
}

/* ---- the choice ---------------------------------------------------------------------------- */

static int is_known(const struct asy__gp *gp, const double *u)
{
    for (size_t i = 0; gp && i < gp->n; i++) {
        size_t j = 0;

        while (j < gp->d && gp->u[j * gp->cap + i] == u[j])
            j++;
        if (j == gp->d)
            return 1;
    }
    return 0;
}

/* The best of starts and candidates that is not known; the best of all where all are. */
static void choose(struct work *w, double *ret_u)
{
    size_t total = w->n + N_STARTS, best = SIZE_MAX, first = w->n;

    for (size_t i = total; i-- > 0;) {
        first = w->values[i] > w->values[first] ? i : first;
        if ((best == SIZE_MAX || w->values[i] > w->values[best]) &&
            !is_known(w->search->known, w->u + i * w->d))
            best = i;
    }
    memcpy(ret_u, w->u + (best == SIZE_MAX ? first : best) * w->d, w->d * sizeof *ret_u);
}

static int alloc(struct work *w)
{
    size_t d = w->d, longest = w->n > MOVES_MAX ? w->n : MOVES_MAX;

    w->u = calloc((w->n + N_STARTS) * d + w->n + N_STARTS, sizeof *w->u);
    w->moves = calloc(MOVES_MAX * d + longest + 2 * N_STARTS * d, sizeof *w->moves);
    if (!w->u || !w->moves)
        return ASY_E_NOMEM;
    w->values = w->u + (w->n + N_STARTS) * d;
    w->move_values = w->moves + MOVES_MAX * d;
    w->batch = w->move_values + longest;
    w->batch_gradients = w->batch + N_STARTS * d;
    for (size_t k = 0; k < N_STARTS; k++)
        if (asy__lbfgs_init(&w->climbers[k], d))
            return ASY_E_NOMEM;
    return 0;
}

int asy__gp_search(struct asy__gp_search *search, const struct asy__gp_acq *acq, double *ret_u)
{
    struct work w = { .search = search, .acq = acq, .d = search->d, .n = N_WIDE };
    int rc = ASY_E_NOMEM;

    w.n += search->n_good ? N_NEAR : 0;
    if (alloc(&w))
        goto out;
    draw_candidates(&w);
    pick_starts(&w);
    refine(&w);
    choose(&w, ret_u);
    rc = 0;
out:
    for (size_t k = 0; k < N_STARTS; k++)
        asy__lbfgs_fini(&w.climbers[k]);
    free(w.u);
    free(w.moves);
    return rc;
}
