/* SPDX-License-Identifier: Apache-2.0
 * survive.c - see survive.h; the directions of NSGA-III are in niche.c. */
#include "survive.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "niche.h"

/* ---- life ---------------------------------------------------------------------------------- */

int asy__survive_init(struct asy__survive *s, size_t m, size_t population, size_t divisions,
                      struct asy_error *err)
{
    *s = (struct asy__survive){ .m = m, .population = population };
    if (divisions == 0)
        return 0;
    s->n_directions = asy__directions_count(m, divisions);
    if (s->n_directions > ASY__DIRECTIONS_MAX)
        return asy_fail(err, ASY_E_INVAL,
                        "%zu divisions of %zu objectives make more than %d directions", divisions,
                        m, ASY__DIRECTIONS_MAX);
    if (!(s->directions = malloc(s->n_directions * m * sizeof *s->directions)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu directions", s->n_directions);
    asy__directions_fill(m, divisions, s->directions);
    return 0;
}

void asy__survive_fini(struct asy__survive *s)
{
    free(s->directions);
    s->directions = NULL;
}

size_t asy__survive_divisions(size_t m, size_t n)
{
    size_t p = 1;

    while (m > 1 && p < 1000 && asy__directions_count(m, p + 1) <= n)
        p++;
    return p;
}

/* ---- who comes first ----------------------------------------------------------------------- */

/* Memory for one selection from n members. */
struct work {
    double *losses;            /* [n, m] of the feasible ones */
    uint32_t *from;            /* [n] their places in the pool */
    uint32_t *ranks;           /* [n] */
    struct asy__mate *mates;   /* [n] */
    double *front, *distances; /* [n, m], [n] */
    size_t n_feasible;
    void *memory;
};

static int work_init(struct work *w, size_t n, size_t m, struct asy_error *err)
{
    size_t doubles = 2 * n * m + n;

    w->memory = malloc(doubles * sizeof(double) + n * sizeof *w->mates + 2 * n * sizeof *w->from);
    if (!w->memory)
        return asy_fail(err, ASY_E_NOMEM, "no memory to choose among %zu trials", n);
    w->losses = w->memory;
    w->front = w->losses + n * m;
    w->distances = w->front + n * m;
    w->mates = (struct asy__mate *)(void *)(w->distances + n);
    w->from = (uint32_t *)(void *)(w->mates + n);
    w->ranks = w->from + n;
    w->n_feasible = 0;
    return 0;
}

static int by_rank(const void *a, const void *b)
{
    const struct asy__mate *x = a, *y = b;

    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    if (x->room != y->room)
        return x->room > y->room ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

/* Crowding distances of one front into the rooms of its mates. */
static int give_room(struct work *w, size_t m, uint32_t rank, struct asy_error *err)
{
    size_t n = 0;
    int rc;

    for (size_t i = 0; i < w->n_feasible; i++)
        if (w->ranks[i] == rank)
            memcpy(&w->front[n++ * m], &w->losses[i * m], m * sizeof *w->front);
    if ((rc = asy_pareto_crowding(w->front, n, m, w->distances, err)))
        return rc;
    n = 0;
    for (size_t i = 0; i < w->n_feasible; i++)
        if (w->ranks[i] == rank)
            w->mates[w->from[i]].room = w->distances[n++];
    return 0;
}

/* Ranks everybody, feasible ones by front. Returns the number of fronts, or a negative code. */
static int rank(struct work *w, const struct asy__member *pool, size_t n, size_t m,
                struct asy_error *err)
{
    uint32_t fronts = 0;
    int rc;

    for (size_t i = 0; i < n; i++) {
        w->mates[i] = (struct asy__mate){ .at = (uint32_t)i };
        if (!pool[i].losses)
            continue;
        w->from[w->n_feasible] = (uint32_t)i;
        memcpy(&w->losses[w->n_feasible++ * m], pool[i].losses, m * sizeof *w->losses);
    }
    if ((rc = asy_pareto_ranks(w->losses, NULL, w->n_feasible, m, w->ranks, err)))
        return rc;
    for (size_t i = 0; i < w->n_feasible; i++) {
        w->mates[w->from[i]].rank = w->ranks[i];
        fronts = w->ranks[i] >= fronts ? w->ranks[i] + 1 : fronts;
    }
    for (size_t i = 0; i < n; i++)
        if (!pool[i].losses)
            w->mates[i].rank = fronts + pool[i].place;
    return (int)fronts;
}

/* NSGA-III: of the front that does not fit whole, those that niching keeps come before the others;
 * afterwards all have the same room. */
static int give_niches(const struct asy__survive *s, struct work *w, struct asy_rng *rng,
                       struct asy_error *err)
{
    struct asy__niching niching = { .m = s->m, .directions = s->directions,
                                    .n_directions = s->n_directions, .values = w->losses,
                                    .ranks = w->ranks, .n = w->n_feasible };
    uint8_t *kept = calloc(w->n_feasible + 1, 1);
    int rc;

    if (!kept)
        return asy_fail(err, ASY_E_NOMEM, "no memory for %zu niches", s->n_directions);
    rc = asy__niche(&niching, s->population, rng, kept, err);
    for (size_t i = 0; i < w->n_feasible; i++)
        w->mates[w->from[i]].room = kept[i];
    free(kept);
    return rc;
}

int asy__survive(const struct asy__survive *s, const struct asy__member *pool, size_t n,
                 struct asy_rng *rng, struct asy__mate *ret, size_t *ret_n, struct asy_error *err)
{
    size_t kept = n < s->population ? n : s->population;
    struct work w = { 0 };
    int fronts, rc;

    if ((rc = work_init(&w, n + 1, s->m, err)))
        return rc;
    if ((rc = fronts = rank(&w, pool, n, s->m, err)) < 0)
        goto out;
    rc = 0;
    if (s->directions)
        rc = w.n_feasible > s->population ? give_niches(s, &w, rng, err) : 0;
    for (int r = 0; !s->directions && r < fronts && rc == 0; r++)
        rc = give_room(&w, s->m, (uint32_t)r, err);
    if (rc)
        goto out;
    qsort(w.mates, n, sizeof *w.mates, by_rank);
    memcpy(ret, w.mates, kept * sizeof *ret);
    for (size_t i = 0; s->directions && i < kept; i++)
        ret[i].room = 0;
    *ret_n = kept;
out:
    free(w.memory);
    return rc;
}
