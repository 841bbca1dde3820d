/* SPDX-License-Identifier: Apache-2.0
 * parzen_pdf.c - log densities of a batch of candidates under a Parzen estimator.
 *
 * The sum of candidates x kernels x dimensions terms would be nearly all of TPE's time. But a
 * kernel that is far from the candidate in a few dimensions adds nothing that a double could hold:
 * the prior, which is wide, is never as small. So kernels are taken in blocks, one dimension after
 * the other, those first that tell most apart, and what cannot come within reach of the sum any
 * more is left out of the dimensions that follow. That changes no bit of the result: what is left
 * out is what the plain sum (asy__parzen_log_pdf_ref) leaves out too, at its end.
 *
 * A discrete kernel whose width is at the floor, as nearly all are, has a log mass that depends on
 * the distance in steps alone, or in log space on the two grid values: those are computed on first
 * use and kept, the former as long as the floor stays. */
#include "parzen.h"
#include <stdlib.h>
#include <string.h>
#include "truncnorm.h"

#define BLOCK 256
#define NEGLIGIBLE 50.0 /* exp(-50) of the largest term vanishes even times 10^6 */
#define FEW 4            /* one in so many left: the others are left out */
#define GLANCE 16        /* looked at together: measured */
#define SLACK 1.0       /* rounding of a sum of terms is far below */
/* -log of the smallest part of a kernel that lies inside: centre at an end, wide as half the range,
 * the largest that the floor is. What is wider is lower by more than its part is smaller. */
#define LOG_PART_MAX 0.7399

/* A candidate in one dimension. */
struct asy__probe {
    double x;            /* as kernels see it; DISCRETE: the middle of its cell */
    double half;         /* DISCRETE: of the cell's width */
    double hit, miss;    /* CHOICE: terms of kernels with its choice, with another */
    double *row;         /* DISCRETE: [dim.n] log masses by grid value, NaN: not known; or NULL */
    uint32_t value;      /* DISCRETE: number of the grid value */
};

/* ---- one term -------------------------------------------------------------------------------- */

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

/* n: observations of the estimator. */
static struct asy__probe make_probe(const struct asy__dim *dim, size_t n, double x, double *row)
{
    struct asy__probe probe = { .x = x, .row = row };

    if (dim->kind == ASY__DIM_DISCRETE) {
        probe.value = asy__dim_value(dim, x);
        cell(dim, x, &probe.x, &probe.half);
    } else if (dim->kind == ASY__DIM_CHOICE) {
        double other = 1 / (double)(n + 1), log_total = log(1 + dim->n * other);

        probe.hit = log(1 + other) - log_total;
        probe.miss = log(other) - log_total;
    } else if (dim->log) {
        probe.x = log(x);
    }
    return probe;
}

static inline double continuous(const struct asy__kernels *ks, double x, size_t at)
{
    double z = (x - ks->mu[at]) * ks->inv[at];

    return ks->c[at] - 0.5 * z * z;
}

/* Where the log mass of the candidate under kernel at is or belongs; NULL: nowhere. */
static double *known_mass(const struct asy__kernels *ks, const struct asy__probe *probe, size_t at)
{
    uint32_t value = ks->value[at];

    if (ks->sigma[at] != ks->floor)
        return NULL;
    if (ks->by_gap)
        return &ks->by_gap[probe->value > value ? probe->value - value : value - probe->value];
    return probe->row ? &probe->row[value] : NULL;
}

static double discrete(const struct asy__dim *dim, const struct asy__kernels *ks,
                       const struct asy__probe *probe, size_t at, size_t n)
{
    double *known = at < n ? known_mass(ks, probe, at) : NULL;
    double away = probe->x - ks->mu[at], mass;

    if (known && !isnan(*known))
        return ks->c[at] + *known;
    if (known && ks->by_gap) /* of the gap alone, whichever pair came first */
        away = dim->step * (double)(known - ks->by_gap);
    mass = asy__log_mass_mid(away * ks->inv[at], probe->half * ks->inv[at]);
    if (known)
        *known = mass;
    return ks->c[at] + mass;
}

/* Kernel n is the prior. */
static double term(const struct asy__dim *dim, const struct asy__kernels *ks,
                   const struct asy__probe *probe, size_t at, size_t n)
{
    switch (dim->kind) {
    case ASY__DIM_CONTINUOUS:
        return continuous(ks, probe->x, at);
    case ASY__DIM_DISCRETE:
        return discrete(dim, ks, probe, at, n);
    case ASY__DIM_CHOICE:
        break;
    }
    if (at == n && dim->weights)
        return log(dim->weights[(size_t)probe->x] / dim->weight_sum);
    return at == n ? -log(dim->n) : ks->mu[at] == probe->x ? probe->hit : probe->miss;
}

/* No kernel's term is above: at the centre of the narrowest, cut as much as can be. A cell is at
 * most as wide as the lowest one. */
static double term_max(const struct asy__dim *dim, const struct asy__kernels *ks)
{
    double top = LOG_PART_MAX - log(ks->floor) - ASY__LOG_SQRT_2PI, mid, half;

    if (dim->kind == ASY__DIM_CHOICE)
        return 0; /* the logarithm of a probability */
    if (dim->kind == ASY__DIM_CONTINUOUS)
        return top;
    cell(dim, dim->min, &mid, &half);
    top += log(2 * half);
    return top < 0 ? top : 0;
}

/* ---- a block of kernels ---------------------------------------------------------------------- */

struct sum { /* scale + log(sum) */
    double scale, sum;
};

/* The survivors of a block so far: kernel from + at[j] has come to acc[j]. */
struct block {
    size_t from, n;
    uint16_t at[BLOCK];
    double acc[BLOCK];
};

/* Adds a continuous dimension's terms for all of a block: twice as fast with AVX2. Nothing is
 * contracted or reordered, so every instruction set gives the same bits. */
__attribute__((always_inline)) static inline void add_each(const double *mu, const double *inv,
                                                           const double *c, double x, double *acc,
                                                           size_t n)
{
    for (size_t k = 0; k < n; k++) {
        double z = (x - mu[k]) * inv[k];

        acc[k] += c[k] - 0.5 * z * z;
    }
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static void add_each_avx2(const double *mu, const double *inv,
                                                          const double *c, double x, double *acc,
                                                          size_t n)
{
    add_each(mu, inv, c, x, acc, n);
}
#endif

static void add_continuous(const struct asy__kernels *ks, double x, struct block *b)
{
    const double *mu = &ks->mu[b->from], *inv = &ks->inv[b->from], *c = &ks->c[b->from];

#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2")) {
        add_each_avx2(mu, inv, c, x, b->acc, b->n);
        return;
    }
#endif
    add_each(mu, inv, c, x, b->acc, b->n);
}

/* Adds a dimension's terms for all of a block. */
static void add_all(const struct asy__parzen *p, size_t d, const struct asy__probe *probe,
                    struct block *b)
{
    if (p->dims[d].kind == ASY__DIM_CONTINUOUS) {
        add_continuous(&p->kernels[d], probe->x, b);
        return;
    }
    if (p->dims[d].kind == ASY__DIM_CHOICE) {
        const double *mu = &p->kernels[d].mu[b->from];

        for (size_t k = 0; k < b->n; k++)
            b->acc[k] += mu[k] == probe->x ? probe->hit : probe->miss;
        return;
    }
    for (size_t k = 0; k < b->n; k++)
        b->acc[k] += term(&p->dims[d], &p->kernels[d], probe, b->from + k, p->n);
}

/* How many of acc[n] are above; all as wide as a double, so that it is done for many at once. */
__attribute__((always_inline)) static inline int64_t count_each(const double *acc, size_t n,
                                                                double cut)
{
    int64_t count = 0;

    for (size_t k = 0; k < n; k++)
        count += acc[k] > cut ? (int64_t)1 : (int64_t)0;
    return count;
}

/* Keeps what is above cut of passes over all. Mostly that is hardly any: GLANCE at once are looked
 * at first. */
__attribute__((always_inline)) static inline void sift_each(struct block *b, double cut)
{
    size_t kept = 0;

    for (size_t from = 0; from < b->n; from += GLANCE) {
        size_t end = from + GLANCE < b->n ? from + GLANCE : b->n;

        if (end - from == GLANCE && !count_each(&b->acc[from], GLANCE, cut))
            continue;
        for (size_t k = from; k < end; k++) {
            double acc = b->acc[k];

            b->at[kept] = (uint16_t)k;
            b->acc[kept] = acc;
            kept += acc > cut;
        }
    }
    b->n = kept;
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static int64_t count_each_avx2(const double *acc, size_t n,
                                                               double cut)
{
    return count_each(acc, n, cut);
}

__attribute__((target("avx2"))) static void sift_each_avx2(struct block *b, double cut)
{
    sift_each(b, cut);
}
#endif

static size_t count_above(const struct block *b, double cut)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2"))
        return (size_t)count_each_avx2(b->acc, b->n, cut);
#endif
    return (size_t)count_each(b->acc, b->n, cut);
}

static void sift(struct block *b, double cut)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2")) {
        sift_each_avx2(b, cut);
        return;
    }
#endif
    sift_each(b, cut);
}

/* Adds a dimension's terms for those left in the block; keeps what is above cut. */
static void narrow(const struct asy__parzen *p, size_t d, const struct asy__probe *probe,
                   double cut, struct block *b)
{
    const struct asy__kernels *ks = &p->kernels[d];
    size_t kept = 0;

    for (size_t j = 0; j < b->n; j++) {
        double acc = b->acc[j] + term(&p->dims[d], ks, probe, b->from + b->at[j], p->n);

        b->at[kept] = b->at[j];
        b->acc[kept] = acc;
        kept += acc > cut;
    }
    b->n = kept;
}

static void narrow_continuous(const struct asy__kernels *ks, double x, double cut, struct block *b)
{
    const double *mu = &ks->mu[b->from], *inv = &ks->inv[b->from], *c = &ks->c[b->from];
    size_t kept = 0, n = b->n;

    for (size_t j = 0; j < n; j++) {
        size_t at = b->at[j];
        double z = (x - mu[at]) * inv[at], acc = b->acc[j] + (c[at] - 0.5 * z * z);

        b->at[kept] = (uint16_t)at;
        b->acc[kept] = acc;
        kept += acc > cut;
    }
    b->n = kept;
}

static void fold(const double *acc, size_t n, struct sum *s)
{
    double top = s->scale;

    for (size_t k = 0; k < n; k++)
        top = acc[k] > top ? acc[k] : top;
    if (top > s->scale) {
        s->sum *= exp(s->scale - top);
        s->scale = top;
    }
    for (size_t k = 0; k < n; k++)
        if (acc[k] > s->scale - NEGLIGIBLE)
            s->sum += exp(acc[k] - s->scale);
}

/* rest[i]: the most that dimensions order[i], order[i + 1], ... can add. Passes over a whole block
 * are fast; to leave kernels out pays only when few are left, the later the more can still be
 * added. */
static void add_block(const struct asy__parzen *p, const struct asy__probe *probes,
                      const double *rest, struct block *b, struct sum *s)
{
    double cut = s->scale - NEGLIGIBLE - SLACK;
    size_t i = 0;

    memcpy(b->acc, &p->log_w[b->from], b->n * sizeof *b->acc);
    do {
        for (size_t end = i + p->n_lead; i < end && i < p->n_dims; i++)
            add_all(p, p->order[i], &probes[p->order[i]], b);
    } while (i < p->n_dims && count_above(b, cut - rest[i]) > b->n / FEW);
    sift(b, cut - rest[i]);
    for (; i < p->n_dims && b->n > 0; i++) {
        size_t d = p->order[i];

        if (p->dims[d].kind == ASY__DIM_CONTINUOUS)
            narrow_continuous(&p->kernels[d], probes[d].x, cut - rest[i + 1], b);
        else
            narrow(p, d, &probes[d], cut - rest[i + 1], b);
    }
    fold(b->acc, b->n, s);
}

/* ---- candidates ------------------------------------------------------------------------------ */

/* Whether a table by candidate pays for n observations: no larger than what it saves. */
static int has_table(const struct asy__dim *dim, size_t n)
{
    return dim->kind == ASY__DIM_DISCRETE && dim->log && dim->n <= (double)n;
}

static double *table_row(const struct asy__parzen *p, const struct asy__parzen_scratch *scratch,
                         size_t d, size_t candidate)
{
    double *row;
    size_t n;

    if (!has_table(&p->dims[d], p->n))
        return NULL;
    n = (size_t)p->dims[d].n;
    row = &scratch->tables[d][candidate * n];
    for (size_t i = 0; i < n; i++)
        row[i] = NAN;
    return row;
}

/* The sum begins with the prior, whose term bounds it from below. */
static struct sum begin(const struct asy__parzen *p, const struct asy__probe *probes)
{
    struct sum s = { .scale = p->log_w[p->n], .sum = 1 };

    for (size_t i = 0; i < p->n_dims; i++) {
        size_t d = p->order[i];

        s.scale += term(&p->dims[d], &p->kernels[d], &probes[d], p->n, p->n);
    }
    return s;
}

static void make_probes(const struct asy__parzen *p, const double *xs, size_t n_candidates,
                        struct asy__parzen_scratch *scratch)
{
    ASY_ASSERT(n_candidates <= scratch->n_candidates && p->n_dims <= scratch->n_tables &&
               p->n_weighed == p->n);
    for (size_t i = 0; i < n_candidates; i++)
        for (size_t d = 0; d < p->n_dims; d++)
            scratch->probes[i * p->n_dims + d] = make_probe(
                &p->dims[d], p->n, xs[i * p->n_dims + d], table_row(p, scratch, d, i));
}

void asy__parzen_log_pdf(const struct asy__parzen *p, const double *xs, size_t n_candidates,
                         struct asy__parzen_scratch *scratch, double *ret_log_pdf)
{
    struct sum *sums = scratch->sums;
    double *rest = scratch->rest;
    struct block b;

    make_probes(p, xs, n_candidates, scratch);
    rest[p->n_dims] = 0;
    for (size_t i = p->n_dims; i-- > 0;)
        rest[i] = rest[i + 1] + term_max(&p->dims[p->order[i]], &p->kernels[p->order[i]]);
    for (size_t i = 0; i < n_candidates; i++)
        sums[i] = begin(p, &scratch->probes[i * p->n_dims]);
    for (b.from = 0; b.from < p->n; b.from += BLOCK)
        for (size_t i = 0; i < n_candidates; i++) {
            b.n = p->n - b.from < BLOCK ? p->n - b.from : BLOCK;
            add_block(p, &scratch->probes[i * p->n_dims], rest, &b, &sums[i]);
        }
    for (size_t i = 0; i < n_candidates; i++)
        ret_log_pdf[i] = sums[i].scale + log(sums[i].sum);
}

void asy__parzen_log_pdf_ref(const struct asy__parzen *p, const double *xs, size_t n_candidates,
                             struct asy__parzen_scratch *scratch, double *ret_log_pdf)
{
    double acc[BLOCK];

    make_probes(p, xs, n_candidates, scratch);
    for (size_t i = 0; i < n_candidates; i++) {
        const struct asy__probe *probes = &scratch->probes[i * p->n_dims];
        struct sum s = begin(p, probes);

        for (size_t from = 0; from < p->n; from += BLOCK) {
            size_t n = p->n - from < BLOCK ? p->n - from : BLOCK;

            for (size_t k = 0; k < n; k++)
                acc[k] = p->log_w[from + k];
            for (size_t o = 0; o < p->n_dims; o++)
                for (size_t k = 0, d = p->order[o]; k < n; k++)
                    acc[k] += term(&p->dims[d], &p->kernels[d], &probes[d], from + k, p->n);
            fold(acc, n, &s);
        }
        ret_log_pdf[i] = s.scale + log(s.sum);
    }
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

/* [n_candidates] sums, [n_candidates, n_dims] probes, [n_dims + 1] rest. */
static int batch_reserve(struct asy__parzen_scratch *scratch, size_t n_candidates, size_t n_dims)
{
    struct sum *sums = realloc(scratch->sums, n_candidates * sizeof *sums);
    struct asy__probe *probes;
    double *rest;

    if (!sums)
        return ASY_E_NOMEM;
    scratch->sums = sums;
    if (!(probes = realloc(scratch->probes, n_candidates * n_dims * sizeof *probes)))
        return ASY_E_NOMEM;
    scratch->probes = probes;
    if (!(rest = realloc(scratch->rest, (n_dims + 1) * sizeof *rest)))
        return ASY_E_NOMEM;
    scratch->rest = rest;
    scratch->n_candidates = n_candidates;
    scratch->n_dims = n_dims;
    return 0;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

int asy__parzen_scratch_reserve(struct asy__parzen_scratch *scratch, const struct asy__dim *dims,
                                size_t n_dims, size_t n_candidates, size_t n)
{
    if ((n_candidates > scratch->n_candidates || n_dims > scratch->n_dims) &&
        batch_reserve(scratch, larger(n_candidates, scratch->n_candidates),
                      larger(n_dims, scratch->n_dims)))
        return ASY_E_NOMEM;
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
    free(scratch->sums);
    free(scratch->probes);
    free(scratch->rest);
    *scratch = (struct asy__parzen_scratch){ 0 };
}
