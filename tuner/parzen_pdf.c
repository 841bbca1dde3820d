/* SPDX-License-Identifier: Apache-2.0
 * parzen_pdf.c - log densities of a batch of candidates under a Parzen estimator.
 *
 * This is nearly all of TPE's time: candidates x kernels x dimensions terms. Kernels are taken in
 * blocks that stay in cache while all dimensions and candidates pass over them; what does not
 * depend on the candidate was computed when the kernel changed. A discrete kernel whose width is at
 * the floor, as nearly all are, has a log mass that depends on the distance in steps alone, or in
 * log space on the two grid values: those are computed on first use and kept, the former as long
 * as the floor stays. */
#include "parzen.h"
#include <stdlib.h>
#include "truncnorm.h"

#define BLOCK 256
#define NEGLIGIBLE 50.0 /* exp(-50) of the largest term vanishes even times 10^6 */

struct block {
    size_t from, n; /* kernels */
    size_t n_candidates;
    double *acc; /* [n_candidates, BLOCK] */
};

static void add_continuous(const struct asy__dim *dim, const struct asy__kernels *ks,
                           const struct block *b, const double *xs, size_t stride)
{
    const double *mu = &ks->mu[b->from], *inv = &ks->inv[b->from], *c = &ks->c[b->from];

    for (size_t i = 0; i < b->n_candidates; i++) {
        double x = dim->log ? log(xs[i * stride]) : xs[i * stride];
        double *acc = &b->acc[i * BLOCK];

        for (size_t k = 0; k < b->n; k++) {
            double z = (x - mu[k]) * inv[k];

            acc[k] += c[k] - 0.5 * z * z;
        }
    }
}

/* n_obs: observations of the estimator; kernel n_obs is the prior. */
static void add_choice(const struct asy__dim *dim, const struct asy__kernels *ks,
                       const struct block *b, const double *xs, size_t stride, size_t n_obs)
{
    double other = 1 / (double)(n_obs + 1), log_total = log(1 + dim->n * other);
    double log_hit = log(1 + other) - log_total, log_miss = log(other) - log_total;
    const double *mu = &ks->mu[b->from];
    size_t n = n_obs - b->from < b->n ? n_obs - b->from : b->n;

    for (size_t i = 0; i < b->n_candidates; i++) {
        double x = xs[i * stride], *acc = &b->acc[i * BLOCK];

        for (size_t k = 0; k < n; k++)
            acc[k] += mu[k] == x ? log_hit : log_miss;
        if (n < b->n)
            acc[n] -= log(dim->n);
    }
}

/* The interval of x that stands for a grid value. */
static void cell(const struct asy__dim *dim, double x, double *ret_mid, double *ret_half)
{
    double left = x - dim->step / 2;

    *ret_mid = x;
    *ret_half = dim->step / 2;
    if (dim->log) { /* the difference of the ends' logarithms would cancel */
        *ret_half = 0.5 * log1p(dim->step / left);
        *ret_mid = log(left) + *ret_half;
    }
}

/* Where the log mass of value x under kernel at is or belongs; NULL: nowhere. */
static double *known_mass(const struct asy__kernels *ks, double *row, uint32_t value, size_t at)
{
    if (ks->sigma[at] != ks->floor)
        return NULL;
    if (ks->by_gap)
        return &ks->by_gap[value > ks->value[at] ? value - ks->value[at] : ks->value[at] - value];
    return row ? &row[ks->value[at]] : NULL;
}

/* table: [n_candidates, dim->n], NaN where not known yet; NULL: none. */
static void add_discrete(const struct asy__dim *dim, const struct asy__kernels *ks,
                         const struct block *b, const double *xs, size_t stride, double *table)
{
    for (size_t i = 0; i < b->n_candidates; i++) {
        double x = xs[i * stride], mid, half, *acc = &b->acc[i * BLOCK];
        double *row = table ? &table[i * (size_t)dim->n] : NULL;
        uint32_t value = asy__dim_value(dim, x);

        cell(dim, x, &mid, &half);
        for (size_t k = 0; k < b->n; k++) {
            size_t at = b->from + k;
            double *known = known_mass(ks, row, value, at), mass;

            if (known && !isnan(*known)) {
                mass = *known;
            } else if (known && ks->by_gap) { /* of the gap alone, whichever pair came first */
                double gap = dim->step * (double)(known - ks->by_gap);

                mass = *known = asy__log_mass_mid(gap * ks->inv[at], half * ks->inv[at]);
            } else {
                mass = asy__log_mass_mid((mid - ks->mu[at]) * ks->inv[at], half * ks->inv[at]);
                if (known)
                    *known = mass;
            }
            acc[k] += ks->c[at] + mass;
        }
    }
}

/* Whether a table by candidate pays for n observations: no larger than what it saves. */
static int has_table(const struct asy__dim *dim, size_t n)
{
    return dim->kind == ASY__DIM_DISCRETE && dim->log && dim->n <= (double)n;
}

static void clear_tables(const struct asy__parzen *p, struct asy__parzen_scratch *scratch,
                         size_t n_candidates)
{
    for (size_t d = 0; d < p->n_dims; d++) {
        size_t n = has_table(&p->dims[d], p->n) ? n_candidates * (size_t)p->dims[d].n : 0;

        for (size_t i = 0; i < n; i++)
            scratch->tables[d][i] = NAN;
    }
}

/* Adds a block's terms to a sum that is kept as scale + log(sum). */
static void fold(const double *acc, size_t n, double *scale, double *sum)
{
    double top = acc[0];

    for (size_t k = 1; k < n; k++)
        top = acc[k] > top ? acc[k] : top;
    if (top > *scale) {
        *sum *= exp(*scale - top);
        *scale = top;
    }
    for (size_t k = 0; k < n; k++)
        if (acc[k] > *scale - NEGLIGIBLE)
            *sum += exp(acc[k] - *scale);
}

static void fill_block(const struct asy__parzen *p, const struct block *b, const double *xs,
                       struct asy__parzen_scratch *scratch)
{
    for (size_t i = 0; i < b->n_candidates; i++)
        for (size_t k = 0; k < b->n; k++)
            b->acc[i * BLOCK + k] = p->log_w[b->from + k];
    for (size_t d = 0; d < p->n_dims; d++) {
        const struct asy__dim *dim = &p->dims[d];

        if (dim->kind == ASY__DIM_CONTINUOUS)
            add_continuous(dim, &p->kernels[d], b, &xs[d], p->n_dims);
        else if (dim->kind == ASY__DIM_CHOICE)
            add_choice(dim, &p->kernels[d], b, &xs[d], p->n_dims, p->n);
        else
            add_discrete(dim, &p->kernels[d], b, &xs[d], p->n_dims,
                         has_table(dim, p->n) ? scratch->tables[d] : NULL);
    }
}

void asy__parzen_log_pdf(const struct asy__parzen *p, const double *xs, size_t n_candidates,
                         struct asy__parzen_scratch *scratch, double *ret_log_pdf)
{
    double *scale = scratch->acc + n_candidates * BLOCK, *sum = scale + n_candidates;
    struct block b = { .n_candidates = n_candidates, .acc = scratch->acc };

    ASY_ASSERT(n_candidates <= scratch->n_candidates && p->n_weighed == p->n);
    for (size_t i = 0; i < n_candidates; i++) {
        scale[i] = -INFINITY;
        sum[i] = 0;
    }
    clear_tables(p, scratch, n_candidates);
    for (b.from = 0; b.from <= p->n; b.from += BLOCK) {
        b.n = p->n + 1 - b.from < BLOCK ? p->n + 1 - b.from : BLOCK;
        fill_block(p, &b, xs, scratch);
        for (size_t i = 0; i < n_candidates; i++)
            fold(&b.acc[i * BLOCK], b.n, &scale[i], &sum[i]);
    }
    for (size_t i = 0; i < n_candidates; i++)
        ret_log_pdf[i] = scale[i] + log(sum[i]);
}

/* ---- memory -------------------------------------------------------------------------------- */

static int tables_reserve(struct asy__parzen_scratch *scratch, size_t n_tables)
{
    double **tables = realloc(scratch->tables, n_tables * sizeof *tables);
    size_t *caps;

    if (!tables)
        return ASY_E_NOMEM;
    scratch->tables = tables;
    if (!(caps = realloc(scratch->table_caps, n_tables * sizeof *caps)))
        return ASY_E_NOMEM;
    scratch->table_caps = caps;
    for (size_t d = scratch->n_tables; d < n_tables; d++) {
        tables[d] = NULL;
        caps[d] = 0;
    }
    scratch->n_tables = n_tables;
    return 0;
}

int asy__parzen_scratch_reserve(struct asy__parzen_scratch *scratch, const struct asy__dim *dims,
                                size_t n_dims, size_t n_candidates, size_t n)
{
    if (n_candidates > scratch->n_candidates) {
        double *acc = realloc(scratch->acc, n_candidates * (BLOCK + 2) * sizeof *acc);

        if (!acc)
            return ASY_E_NOMEM;
        scratch->acc = acc;
        scratch->n_candidates = n_candidates;
    }
    if (n_dims > scratch->n_tables && tables_reserve(scratch, n_dims))
        return ASY_E_NOMEM;
    for (size_t d = 0; d < n_dims; d++) {
        size_t need = has_table(&dims[d], n) ? n_candidates * (size_t)dims[d].n : 0;
        double *table;

        if (need <= scratch->table_caps[d])
            continue;
        if (!(table = realloc(scratch->tables[d], need * sizeof *table)))
            return ASY_E_NOMEM;
        scratch->tables[d] = table;
        scratch->table_caps[d] = need;
    }
    return 0;
}

void asy__parzen_scratch_fini(struct asy__parzen_scratch *scratch)
{
    for (size_t d = 0; d < scratch->n_tables; d++)
        free(scratch->tables[d]);
    free(scratch->tables);
    free(scratch->table_caps);
    free(scratch->acc);
    *scratch = (struct asy__parzen_scratch){ 0 };
}
