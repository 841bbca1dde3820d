/* SPDX-License-Identifier: Apache-2.0
 * cma_search.c - takes finished trials into the distribution, and goes back where that is needed.
 *
 * States are kept closely for the last batches and ever more thinly before: most late results are a
 * few batches late, and for the others there is at most about twice as much to do again. */
#include "cma_search.h"
#include <stdlib.h>
#include <string.h>

#define SIGMA (1.0 / 6)
#define KEPT_MAX 32
#define KEPT_CLOSELY 8
#define KEPT_BYTES ((size_t)64 << 20)
#define SHADOW 256 /* trials: more hardly run at once */
#define RUN_NUMBER ((uint64_t)1 << 53) /* the streams of no trial */
#define EARLIER_NUMBER ((uint64_t)1 << 54)
#define WARM_SHARE 0.1
#define WARM_SPREAD 0.1

/* ---- life ---------------------------------------------------------------------------------- */

static size_t usual_lambda(const struct asy__cma_coords *coords)
{
    size_t n = coords->d + coords->n_choices;

    return 4 + (n ? (size_t)(3 * log((double)n)) : 0);
}

/* Their numbers are of no trial: a point on a grid is placed by its number (cma_coord.h). */
static int take_earlier(struct asy__cma_search *search)
{
    const struct asy_sampler *s = search->sampler;

    if (!s->n_earlier || search->warm)
        return 0;
    if (!(search->earlier = calloc(s->n_earlier, sizeof *search->earlier)))
        return ASY_E_NOMEM;
    for (size_t i = 0; i < s->n_earlier; i++)
        search->earlier[i] = (struct asy__cma_trial){
            .number = EARLIER_NUMBER + i, .kind = ASY__CMA_FEASIBLE, .a = s->earlier[i].rank,
        };
    return 0;
}

int asy__cma_search_init(struct asy__cma_search *search, const struct asy_sampler *s,
                         size_t population, struct asy__cma_shape shape)
{
    size_t block;

    search->sampler = s;
    if (take_earlier(search))
        return ASY_E_NOMEM;
    search->past.len_x = asy_space_len(s->space);
    if (asy__cma_coords_init(&search->coords, s))
        return ASY_E_NOMEM;
    search->lambda = population ? population : usual_lambda(&search->coords);
    search->lambda = search->lambda < 4 ? 4 : search->lambda;
    shape.d = search->coords.d;
    shape.n_probs = search->coords.n_probs;
    shape.funhist = asy__cma_window(shape.d, search->lambda);
    if (asy__cma_init(&search->now, &shape) || asy__cma_init(&search->before, &shape))
        return ASY_E_NOMEM;
    block = 2 * (search->now.block_len + 1) * sizeof(double);
    search->max_kept = block * KEPT_MAX <= KEPT_BYTES ? KEPT_MAX : 2 + KEPT_BYTES / block;
    if (!(search->kept = calloc(search->max_kept, sizeof *search->kept)))
        return ASY_E_NOMEM;
    return 0;
}

void asy__cma_search_fini(struct asy__cma_search *search)
{
    for (size_t i = 0; search->kept && i < search->max_kept; i++)
        free(search->kept[i].blocks);
    free(search->kept);
    free(search->earlier);
    free(search->scratch);
    asy__cma_fini(&search->now);
    asy__cma_fini(&search->before);
    asy__cma_past_fini(&search->past);
    asy__cma_coords_fini(&search->coords);
}

static void *scratch(struct asy__cma_search *search, size_t size)
{
    void *more;

    if (size <= search->scratch_cap)
        return search->scratch;
    if (!(more = realloc(search->scratch, size)))
        return NULL;
    search->scratch_cap = size;
    return search->scratch = more;
}

/* ---- states that are kept ------------------------------------------------------------------ */

/* The one whose loss costs least: its neighbours are close for their age. */
static size_t dispensable(const struct asy__cma_search *search)
{
    size_t best = 1;
    double least = INFINITY;

    for (size_t i = 1; i + 1 < search->n_kept && i + KEPT_CLOSELY < search->max_kept; i++) {
        double gap = (double)(search->kept[i + 1].stand.pos - search->kept[i - 1].stand.pos);
        double cost = gap / (1 + (double)(search->stand.pos - search->kept[i].stand.pos));

        if (cost < least) {
            least = cost;
            best = i;
        }
    }
    return best;
}

/* Without memory it keeps nothing: going back takes longer then. */
static void keep(struct asy__cma_search *search)
{
    size_t len = search->now.block_len;
    struct asy__cma_kept *kept;

    if (search->n_kept == search->max_kept) {
        size_t i = dispensable(search);
        struct asy__cma_kept gone = search->kept[i];

        memmove(&search->kept[i], &search->kept[i + 1],
                (search->n_kept - i - 1) * sizeof *search->kept);
        search->kept[--search->n_kept] = gone;
    }
    kept = &search->kept[search->n_kept];
    if (!kept->blocks && !(kept->blocks = malloc((2 * len + 1) * sizeof *kept->blocks)))
        return;
    kept->stand = search->stand;
    kept->now = search->now.vars;
    kept->before = search->before.vars;
    memcpy(kept->blocks, search->now.block, len * sizeof *kept->blocks);
    if (search->stand.regime.run)
        memcpy(kept->blocks + len, search->before.block, len * sizeof *kept->blocks);
    search->n_kept++;
}

/* To the last state that has taken none but the first `same` trials. */
static void go_back(struct asy__cma_search *search, size_t same)
{
    size_t len = search->now.block_len;
    const struct asy__cma_kept *kept;

    while (search->n_kept && search->kept[search->n_kept - 1].stand.pos > same)
        search->n_kept--;
    if (!search->n_kept) {
        search->stand = (struct asy__cma_stand){ 0 };
        return;
    }
    kept = &search->kept[search->n_kept - 1];
    search->now.has_precision = search->before.has_precision = 0;
    search->stand = kept->stand;
    search->now.vars = kept->now;
    search->before.vars = kept->before;
    memcpy(search->now.block, kept->blocks, len * sizeof *kept->blocks);
    if (search->stand.regime.run)
        memcpy(search->before.block, kept->blocks + len, len * sizeof *kept->blocks);
}

/* ---- beginnings ---------------------------------------------------------------------------- */

struct ranked {
    const struct asy__cma_trial *trial;
    const double *x;
};

static int by_rank(const void *a, const void *b)
{
    return asy__cma_compare(((const struct ranked *)a)->trial, ((const struct ranked *)b)->trial);
}

/* Around the middle of what is likely, as wide as that is; without priors in the middle of
 * everything. */
static int start_plain(struct asy__cma_search *search)
{
    size_t d = search->coords.d, row = search->now.shape.separable ? 0 : d, priors = 0;
    double *mean = scratch(search, (2 * d + 1 + row * d) * sizeof *mean), *spread, *cov;

    if (!mean)
        return ASY_E_NOMEM;
    spread = mean + d;
    cov = spread + d;
    memset(cov, 0, row * d * sizeof *cov);
    for (size_t j = 0; j < d; j++) {
        asy__cma_begin(&search->coords, j, &mean[j], &spread[j]);
        spread[j] *= SIGMA * spread[j] * SIGMA;
        priors += (size_t)asy__has_prior(search->sampler->space, search->coords.dims[j].param);
        if (row)
            cov[j * row + j] = spread[j];
    }
    if (priors == 0)
        asy__cma_start(&search->now, mean, SIGMA, search->lambda);
    else if (asy__cma_start_cov(&search->now, mean, row ? cov : spread, search->lambda))
        return ASY_E_NOMEM;
    asy__cma_choices_start(&search->coords, &search->now);
    return 0;
}

/* Mean and covariance of the best, each taken as a small distribution of its own. */
static void gather(const struct asy__cma_search *search, const struct ranked *best, size_t n,
                   double *mean, double *cov, double *u)
{
    size_t d = search->coords.d;

    int separable = search->now.shape.separable;

    memset(mean, 0, d * sizeof *mean);
    memset(cov, 0, (separable ? d : d * d) * sizeof *cov);
    for (size_t i = 0; i < n; i++) {
        asy__cma_locate(&search->coords, &search->now, best[i].trial->number, best[i].x, u + i * d);
        for (size_t j = 0; j < d; j++)
            mean[j] += u[i * d + j] / (double)n;
    }
    for (size_t j = 0; j < d; j++)
        for (size_t k = separable ? j : 0; k <= j; k++) {
            double *at = separable ? &cov[j] : &cov[j * d + k];

            for (size_t i = 0; i < n; i++)
                *at += (u[i * d + j] - mean[j]) * (u[i * d + k] - mean[k]) / (double)n;
            *at += j == k ? WARM_SPREAD * WARM_SPREAD : 0;
        }
}

static void gather_choices(struct asy__cma_search *search, const struct ranked *best, size_t n)
{
    for (size_t c = 0; c < search->coords.n_choices; c++) {
        const struct asy__cma_choice *choice = &search->coords.choices[c];
        double *q = search->now.probs + choice->first, seen = 0;

        for (size_t i = 0; i < n; i++)
            seen += !isnan(best[i].x[choice->param]);
        for (size_t k = 0; k < choice->n && seen > 0; k++) {
            q[k] = 0;
            for (size_t i = 0; i < n; i++)
                q[k] += best[i].x[choice->param] == (double)k ? 1 / seen : 0;
        }
    }
    asy__cma_choices_settle(&search->coords, &search->now);
}

/* From the best n of what is ranked: Nomura et al., "Warm starting CMA-ES" (AAAI 2021), with their
 * gamma = alpha = 0.1. room: doubles behind the ranked ones, [(n + 1) d, d d]. */
static int start_from(struct asy__cma_search *search, const struct ranked *ranked, size_t n,
                      double *room)
{
    size_t d = search->coords.d, square = search->now.shape.separable ? d : d * d;
    double *mean = room, *cov = mean + d;

    if (d) {
        gather(search, ranked, n, mean, cov, cov + square);
        if (asy__cma_start_cov(&search->now, mean, cov, search->lambda))
            return ASY_E_NOMEM;
        asy__cma_choices_start(&search->coords, &search->now);
    }
    gather_choices(search, ranked, n);
    return 0;
}

/* *ret_ranked: room for that many; *ret_room: for start_from() with n of them. */
static int begin_warm(struct asy__cma_search *search, size_t all, size_t n,
                      struct ranked **ret_ranked, double **ret_room)
{
    size_t d = search->coords.d, square = search->now.shape.separable ? d : d * d;

    if (start_plain(search) || asy__cma_precise(&search->now) ||
        !(*ret_ranked = scratch(search, all * sizeof(struct ranked) +
                                            ((n + 1) * d + square) * sizeof(double))))
        return ASY_E_NOMEM;
    *ret_room = (double *)(void *)(*ret_ranked + all);
    return 0;
}

/* From the first `warm` trials. */
static int start_warm(struct asy__cma_search *search)
{
    size_t n = (size_t)ceil(WARM_SHARE * (double)search->warm);
    struct ranked *ranked;
    double *room;

    if (begin_warm(search, search->warm, n, &ranked, &room))
        return ASY_E_NOMEM;
    for (size_t i = 0; i < search->warm; i++)
        ranked[i] = (struct ranked){ asy__cma_past_at(&search->past, i),
                                     asy__cma_past_x(&search->past, i) };
    qsort(ranked, search->warm, sizeof *ranked, by_rank);
    return start_from(search, ranked, n, room);
}

/* From the best tenth of each earlier study: they stand there with the worst first. */
static int start_earlier(struct asy__cma_search *search)
{
    const struct asy_sampler *s = search->sampler;
    struct ranked *ranked;
    size_t n = 0;
    double *room;

    while (n < s->n_earlier && s->earlier[s->n_earlier - 1 - n].rank <= WARM_SHARE)
        n++;
    n = n ? n : 1;
    if (begin_warm(search, n, n, &ranked, &room))
        return ASY_E_NOMEM;
    for (size_t i = 0; i < n; i++)
        ranked[i] = (struct ranked){ &search->earlier[s->n_earlier - 1 - i],
                                     s->earlier[s->n_earlier - 1 - i].x };
    return start_from(search, ranked, n, room);
}

/* Whether the first results bear earlier studies out. */
static int earlier_holds(const struct asy__cma_search *search)
{
    struct ranked own[ASY__EARLIER_PROOF];
    double guesses[ASY__EARLIER_PROOF];

    for (size_t i = 0; i < ASY__EARLIER_PROOF; i++)
        own[i] = (struct ranked){ asy__cma_past_at(&search->past, i),
                                  asy__cma_past_x(&search->past, i) };
    qsort(own, ASY__EARLIER_PROOF, sizeof *own, by_rank);
    for (size_t i = 0; i < ASY__EARLIER_PROOF; i++)
        guesses[i] = asy__earlier_guess(search->sampler, own[i].x);
    return asy__earlier_holds(guesses, NULL, ASY__EARLIER_PROOF);
}

static int start(struct asy__cma_search *search)
{
    size_t first = search->warm ? search->warm : search->earlier ? ASY__EARLIER_PROOF : 0;

    if (first > search->past.n_order)
        return 0;
    if (search->warm                                       ? start_warm(search)
        : search->earlier && earlier_holds(search) ? start_earlier(search)
                                                           : start_plain(search))
        return ASY_E_NOMEM;
    search->stand = (struct asy__cma_stand){
        .started = 1, .pos = first,
        .regime = { .usual = search->lambda, .large = search->lambda },
    };
    asy__cma_keep_margin(&search->coords, &search->now);
    keep(search);
    return 0;
}

/* Another run, from anywhere; where that is likely more often. */
static int restart(struct asy__cma_search *search)
{
    size_t d = search->coords.d, lambda;
    double *mean = scratch(search, (d + 1) * sizeof *mean), sigma = SIGMA;
    struct asy_rng rng = asy__sampler_rng(search->sampler, RUN_NUMBER, 0);

    if (!mean)
        return ASY_E_NOMEM;
    rng.counter = (search->stand.regime.run + 1) << 16;
    asy__cma_copy(&search->before, &search->now);
    lambda = asy__cma_next(&search->stand.regime, search->restarts, &rng, &sigma);
    for (size_t j = 0; j < d; j++)
        mean[j] = asy__cma_likely(&search->coords, j, asy_rng_double(&rng));
    asy__cma_start(&search->now, mean, sigma, lambda);
    asy__cma_choices_start(&search->coords, &search->now);
    search->stand.shadow = search->stand.pos + SHADOW;
    search->stand.due = 0;
    return 0;
}

/* ---- batches ------------------------------------------------------------------------------- */

/* Trials that the run before had asked for come back while this one is young. They are told by
 * their place: more likely under the end of the one than under the present of the other. */
static int is_of_before(const struct asy__cma_search *search, size_t i, double *u)
{
    uint64_t number = asy__cma_past_at(&search->past, i)->number;
    const double *x = asy__cma_past_x(&search->past, i);
    double before;

    if (!search->stand.regime.run || i >= search->stand.shadow || search->before.vars.broken)
        return 0;
    asy__cma_locate(&search->coords, &search->before, number, x, u);
    before = asy__cma_log_pdf(&search->before, u);
    asy__cma_locate(&search->coords, &search->now, number, x, u);
    return before > asy__cma_log_pdf(&search->now, u);
}

/* Fills the next batch and returns 1, *ret_pos being what has been taken then; 0: not enough. */
static int gather_batch(const struct asy__cma_search *search, struct ranked *batch, double *u,
                        size_t *ret_pos)
{
    size_t n = 0, lambda = search->now.vars.lambda, i = search->stand.pos;

    if (search->past.n_order - i < lambda)
        return 0;
    for (; n < lambda && i < search->past.n_order; i++)
        if (!is_of_before(search, i, u))
            batch[n++] = (struct ranked){ asy__cma_past_at(&search->past, i),
                                          asy__cma_past_x(&search->past, i) };
    *ret_pos = i;
    return n == lambda;
}

/* NaN: the value says nothing of the objective. */
static double value_of(const struct ranked *r)
{
    return r->trial->kind == ASY__CMA_FEASIBLE ? r->trial->a : NAN;
}

/* Takes one batch. 1: done, 0: there is none, or ASY_E_NOMEM with nothing changed. */
static int take_batch(struct asy__cma_search *search)
{
    size_t lambda = search->now.vars.lambda, d = search->coords.d, pos;
    size_t doubles = lambda * (d + 1) + d + 2 * search->coords.n_probs;
    struct ranked *batch = scratch(search, lambda * (sizeof *batch + sizeof(double *)) +
                                               doubles * sizeof(double) + sizeof(double));
    const double **points;
    double *us, *rest;

    if (!batch || (search->stand.regime.run && search->stand.pos < search->stand.shadow &&
                   (asy__cma_precise(&search->before) || asy__cma_precise(&search->now))))
        return ASY_E_NOMEM;
    points = (const double **)(void *)(batch + lambda);
    us = (double *)(void *)(points + lambda);
    rest = us + lambda * d;
    if (!gather_batch(search, batch, rest, &pos))
        return 0;
    qsort(batch, lambda, sizeof *batch, by_rank);
    for (size_t i = 0; i < lambda; i++) {
        points[i] = batch[i].x;
        if (!asy__cma_is_placed(&search->coords, &search->now, batch[i].x) &&
            asy__cma_precise(&search->now))
            return ASY_E_NOMEM;
        asy__cma_locate(&search->coords, &search->now, batch[i].trial->number, batch[i].x,
                        us + i * d);
    }
    if (asy__cma_step(&search->now, us))
        return ASY_E_NOMEM;
    asy__cma_choices_step(&search->coords, &search->now, points, rest);
    asy__cma_keep_margin(&search->coords, &search->now);
    search->stand.pos = pos;
    search->stand.regime.used[search->stand.regime.small] += lambda;
    if (asy__cma_stalled(&search->now, value_of(&batch[0]), value_of(&batch[lambda - 1])) &&
        (search->restarts != ASY__CMA_NO_RESTARTS || search->now.vars.broken))
        search->stand.due = 1;
    return 1;
}

int asy__cma_search_update(struct asy__cma_search *search)
{
    int rc;

    if (search->past.same < search->stand.pos || !search->stand.started) {
        if (search->stand.started)
            go_back(search, search->past.same);
        if (!search->stand.started && start(search))
            return ASY_E_NOMEM;
    }
    search->past.same = search->past.n_order;
    while (search->stand.started) {
        if ((rc = search->stand.due ? 1 : take_batch(search)) <= 0)
            return rc;
        if (search->stand.due && restart(search))
            return ASY_E_NOMEM;
        keep(search);
    }
    return 0;
}
