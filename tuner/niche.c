/* SPDX-License-Identifier: Apache-2.0
 * niche.c - see niche.h. */
#include "niche.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <asy/pareto.h>

#define SMALL 1e-6 /* weight of the other objectives where one is sought out */

/* ---- directions ---------------------------------------------------------------------------- */

/* Binomial (divisions + m - 1) over (m - 1). */
size_t asy__directions_count(size_t m, size_t divisions)
{
    double count = 1;

    for (size_t j = 1; j < m; j++)
        count = count * (double)(divisions + j) / (double)j;
    return count > ASY__DIRECTIONS_MAX ? ASY__DIRECTIONS_MAX + 1 : (size_t)(count + 0.5);
}

void asy__directions_fill(size_t m, size_t divisions, double *ret)
{
    size_t parts[ASY_OBJECTIVES_MAX] = { divisions }, count = asy__directions_count(m, divisions);

    for (size_t d = 0; d < count; d++) {
        double norm = 0;
        size_t j = m - 1, last = parts[m - 1];

        for (size_t i = 0; i < m; i++)
            norm += (double)(parts[i] * parts[i]);
        for (size_t i = 0; i < m; i++)
            ret[d * m + i] = (double)parts[i] / sqrt(norm);
        /* The next in descending order: one goes from the last part that has any, the end apart, to
         * the part behind it, which takes all of the end as well. */
        parts[m - 1] = 0;
        while (j > 0 && parts[j - 1] == 0)
            j--;
        if (j == 0)
            break;
        parts[j - 1]--;
        parts[j] = last + 1;
    }
}

/* ---- normalisation ------------------------------------------------------------------------- */

struct frame {
    size_t m;
    double ideal[ASY_OBJECTIVES_MAX];
    double scale[ASY_OBJECTIVES_MAX]; /* normalised: (v - ideal) * scale */
};

/* Solves a x = 1 by elimination with pivots; 0: singular. a: [m, m], destroyed. */
static int solve_ones(double *a, size_t m, double *x)
{
    for (size_t i = 0; i < m; i++)
        x[i] = 1;
    for (size_t c = 0; c < m; c++) {
        size_t pivot = c;

        for (size_t r = c + 1; r < m; r++)
            if (fabs(a[r * m + c]) > fabs(a[pivot * m + c]))
                pivot = r;
        if (!(fabs(a[pivot * m + c]) > 1e-14))
            return 0;
        for (size_t j = 0; pivot != c && j < m; j++) {
            double v = a[c * m + j];

            a[c * m + j] = a[pivot * m + j];
            a[pivot * m + j] = v;
        }
        if (pivot != c) {
            double v = x[c];

            x[c] = x[pivot];
            x[pivot] = v;
        }
        for (size_t r = c + 1; r < m; r++) {
            double f = a[r * m + c] / a[c * m + c];

            for (size_t j = c; j < m; j++)
                a[r * m + j] -= f * a[c * m + j];
            x[r] -= f * x[c];
        }
    }
    for (size_t c = m; c-- > 0;) {
        for (size_t j = c + 1; j < m; j++)
            x[c] -= a[c * m + j] * x[j];
        x[c] /= a[c * m + c];
    }
    return 1;
}

/* The first front's member that is best but in objective j. */
static size_t extreme(const struct asy__niching *c, const struct frame *f, size_t j)
{
    double least = INFINITY;
    size_t at = 0;

    for (size_t i = 0; i < c->n; i++) {
        double worst = -INFINITY;

        if (c->ranks[i] > 0)
            continue;
        for (size_t k = 0; k < c->m; k++)
            worst = fmax(worst, (c->values[i * c->m + k] - f->ideal[k]) / (k == j ? 1 : SMALL));
        if (!(worst < least))
            continue;
        least = worst;
        at = i;
    }
    return at;
}

static void make_frame(const struct asy__niching *c, struct frame *f)
{
    double extremes[ASY_OBJECTIVES_MAX * ASY_OBJECTIVES_MAX], x[ASY_OBJECTIVES_MAX];
    double worst[ASY_OBJECTIVES_MAX];
    int ok = 1;

    f->m = c->m;
    for (size_t j = 0; j < c->m; j++) {
        f->ideal[j] = INFINITY;
        worst[j] = -INFINITY;
        for (size_t i = 0; i < c->n; i++) {
            f->ideal[j] = fmin(f->ideal[j], c->values[i * c->m + j]);
            if (c->ranks[i] == 0)
                worst[j] = fmax(worst[j], c->values[i * c->m + j]);
        }
    }
    for (size_t j = 0; j < c->m; j++) {
        size_t at = extreme(c, f, j);

        for (size_t k = 0; k < c->m; k++)
            extremes[j * c->m + k] = c->values[at * c->m + k] - f->ideal[k];
    }
    ok = solve_ones(extremes, c->m, x);
    for (size_t j = 0; j < c->m; j++)
        ok = ok && x[j] > 0 && isfinite(x[j]) && 1 / x[j] > 1e-9;
    for (size_t j = 0; j < c->m; j++) {
        double length = ok ? 1 / x[j] : worst[j] - f->ideal[j];

        f->scale[j] = length > 0 && isfinite(length) ? 1 / length : 1;
    }
}

/* ---- niches -------------------------------------------------------------------------------- */

struct niche {
    uint32_t members, candidates;
};
struct place {
    uint32_t niche;
    double distance; /* squared, from the line of its direction */
};

static struct place nearest(const struct asy__niching *c, const struct frame *f, size_t i)
{
    struct place best = { 0, INFINITY };
    double v[ASY_OBJECTIVES_MAX], norm = 0;

    for (size_t j = 0; j < c->m; j++) {
        v[j] = (c->values[i * c->m + j] - f->ideal[j]) * f->scale[j];
        norm += v[j] * v[j];
    }
    for (size_t d = 0; d < c->n_directions; d++) {
        double along = 0, distance;

        for (size_t j = 0; j < c->m; j++)
            along += v[j] * c->directions[d * c->m + j];
        distance = norm - along * along;
        if (distance < best.distance)
            best = (struct place){ (uint32_t)d, distance };
    }
    return best;
}

/* An emptiest of the niches that have candidates, drawn among equals. */
static uint32_t next_niche(size_t n, const struct niche *niches, struct asy_rng *rng)
{
    uint32_t fewest = UINT32_MAX;
    uint64_t equal = 0, pick;

    for (size_t d = 0; d < n; d++) {
        if (niches[d].candidates == 0 || niches[d].members > fewest)
            continue;
        equal = niches[d].members == fewest ? equal + 1 : 1;
        fewest = niches[d].members;
    }
    pick = asy_rng_below(rng, equal);
    for (uint32_t d = 0;; d++)
        if (niches[d].candidates > 0 && niches[d].members == fewest && pick-- == 0)
            return d;
}

/* Who comes into it next: the nearest candidate if it has no member, else any. */
static size_t next_member(const struct asy__niching *c, const struct place *places, uint32_t rank,
                          const uint8_t *kept, struct niche *niche, uint32_t number,
                          struct asy_rng *rng)
{
    uint64_t pick = niche->members == 0 ? 0 : asy_rng_below(rng, niche->candidates);
    size_t at = SIZE_MAX;

    for (size_t i = 0; i < c->n; i++) {
        if (c->ranks[i] != rank || kept[i] || places[i].niche != number)
            continue;
        if (niche->members > 0 ? pick-- == 0
                               : at == SIZE_MAX || places[i].distance < places[at].distance)
            at = i;
    }
    niche->members++;
    niche->candidates--;
    return at;
}

/* Keeps the ranks that fit whole; the next rank, and how many were kept. */
static size_t keep_whole(const struct asy__niching *c, size_t k, uint8_t *kept, uint32_t *ret_rank)
{
    size_t n = 0;

    for (*ret_rank = 0;; (*ret_rank)++) {
        size_t count = 0;

        for (size_t i = 0; i < c->n; i++)
            count += c->ranks[i] == *ret_rank;
        if (count == 0 || n + count > k)
            return n;
        for (size_t i = 0; i < c->n; i++)
            kept[i] |= c->ranks[i] == *ret_rank;
        n += count;
    }
}

int asy__niche(const struct asy__niching *niching, size_t k, struct asy_rng *rng, uint8_t *ret_kept,
               struct asy_error *err)
{
    struct place *places = malloc((niching->n + 1) * sizeof *places);
    struct niche *niches = calloc(niching->n_directions, sizeof *niches);
    uint32_t rank;
    struct frame frame;
    size_t n;
    int rc = 0;

    if (!places || !niches) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for %zu niches", niching->n_directions);
        goto out;
    }
    n = keep_whole(niching, k, ret_kept, &rank);
    make_frame(niching, &frame);
    for (size_t i = 0; i < niching->n; i++) {
        if (niching->ranks[i] > rank)
            continue;
        places[i] = nearest(niching, &frame, i);
        niches[places[i].niche].members += ret_kept[i];
        niches[places[i].niche].candidates += !ret_kept[i];
    }
    for (; n < k; n++) {
        uint32_t d = next_niche(niching->n_directions, niches, rng);

        ret_kept[next_member(niching, places, rank, ret_kept, &niches[d], d, rng)] = 1;
    }
out:
    free(places);
    free(niches);
    return rc;
}
