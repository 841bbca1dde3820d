/* SPDX-License-Identifier: Apache-2.0
 * split_groups.c - parts of which none has rows of the same group as another (`split.group`).
 *
 * Groups come in the order of their size, those of equal size shuffled, and each goes to the bin
 * that it leaves nearest to its share of every class: by the squared distances, each as a share of
 * the class's rows. First the test part takes its groups, then validation or the folds divide the
 * others. A bin has a least number of groups: one, or as many as the second deal divides it into.
 * Where no more groups are left than bins lack, they go to those: no part stays without.
 * An exact division is a packing problem, and hard; this one is off by less than the largest group
 * as a rule (docs/decisions/0058). */
#include "data.h"
#include <stdlib.h>
#include <string.h>
#include <asy/rng.h>

struct bin {
    double share;
    size_t least; /* groups that it needs; 0: it is to have none */
    size_t groups;
    double *rows; /* [n_classes] */
};

struct deal {
    const struct asy__grouped *of;
    size_t *rows;   /* [n] by group, file order in each */
    size_t *first;  /* [n_groups + 1] of rows */
    size_t *order;  /* [n_groups] groups as they come */
    size_t *bin_of; /* [n_groups] */
    double *total;  /* [n_classes] rows of the groups that are dealt */
    size_t *count;  /* [n_classes] of the group at hand; all 0 between groups */
    struct bin *bins;
    double *cells;  /* of the bins */
};

static size_t class_of(const struct deal *d, size_t row)
{
    return d->of->label ? (size_t)d->of->label[row] : 0;
}

static void gather(struct deal *d)
{
    const struct asy__grouped *of = d->of;

    for (size_t i = 0; i < of->n; i++)
        d->first[of->group[i] + 1]++;
    for (size_t g = 0; g < of->n_groups; g++)
        d->first[g + 1] += d->first[g];
    for (size_t i = 0; i < of->n; i++)
        d->rows[d->first[of->group[i]]++] = i;
    for (size_t g = of->n_groups; g > 0; g--)
        d->first[g] = d->first[g - 1];
    d->first[0] = 0;
}

/* The n groups of order: shuffled, then the large ones first (by counting, which keeps order). */
static int sort(struct deal *d, size_t n, uint64_t seed, size_t round, struct asy_error *err)
{
    size_t *sorted = calloc(n + 1, sizeof *sorted), *at = calloc(d->of->n + 2, sizeof *at);
    struct asy_rng rng;

    if (!sorted || !at) {
        free(sorted);
        free(at);
        return asy_fail(err, ASY_E_NOMEM, "no memory to split %zu groups", n);
    }
    asy_rng_init(&rng, seed, (uint64_t)round, ASY_RNG_SPLIT);
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)asy_rng_below(&rng, i), held = d->order[i - 1];

        d->order[i - 1] = d->order[j];
        d->order[j] = held;
    }
    for (size_t i = 0; i < n; i++) /* a group of m rows stands behind all larger ones */
        at[d->of->n - (d->first[d->order[i] + 1] - d->first[d->order[i]]) + 1]++;
    for (size_t m = 0; m < d->of->n; m++)
        at[m + 1] += at[m];
    for (size_t i = 0; i < n; i++)
        sorted[at[d->of->n - (d->first[d->order[i] + 1] - d->first[d->order[i]])]++] = d->order[i];
    for (size_t i = 0; i < n; i++)
        d->order[i] = sorted[i];
    free(sorted);
    free(at);
    return 0;
}

/* What the group at hand changes in the bin's distance from its share. */
static double cost(const struct deal *d, size_t group, const struct bin *bin)
{
    double sum = 0;

    for (size_t i = d->first[group]; i < d->first[group + 1]; i++) {
        size_t c = class_of(d, d->rows[i]);
        double k = (double)d->count[c], far = bin->rows[c] - bin->share * d->total[c];

        sum += (2 * far + k) / d->total[c]; /* k rows of the class add up to k times that */
    }
    return sum;
}

static size_t choose(const struct deal *d, size_t group, size_t n_bins, int must_fill)
{
    size_t best = SIZE_MAX;
    double least = 0;

    for (size_t b = 0; b < n_bins; b++) {
        double is;

        if (!d->bins[b].least || (must_fill && d->bins[b].groups >= d->bins[b].least))
            continue;
        is = cost(d, group, &d->bins[b]);
        if (best == SIZE_MAX || is < least) {
            best = b;
            least = is;
        }
    }
    return best;
}

static void set_bin(struct deal *d, size_t b, double share, size_t least)
{
    d->bins[b].share = share;
    d->bins[b].least = share > 0 ? least : 0;
}

/* Deals the n groups of order out to bins that are set: no fewer than these need in all. */
static int deal(struct deal *d, size_t n, size_t n_bins, uint64_t seed, size_t round,
                struct asy_error *err)
{
    size_t classes = d->of->label ? d->of->n_classes : 1, lack = 0;
    int rc = sort(d, n, seed, round, err);

    if (rc < 0)
        return rc;
    memset(d->total, 0, classes * sizeof *d->total);
    memset(d->cells, 0, n_bins * classes * sizeof *d->cells);
    for (size_t b = 0; b < n_bins; b++) {
        d->bins[b].rows = d->cells + b * classes;
        d->bins[b].groups = 0;
        lack += d->bins[b].least;
    }
    for (size_t k = 0; k < n; k++)
        for (size_t i = d->first[d->order[k]]; i < d->first[d->order[k] + 1]; i++)
            d->total[class_of(d, d->rows[i])]++;
    for (size_t k = 0; k < n; k++) {
        size_t group = d->order[k], b;

        for (size_t i = d->first[group]; i < d->first[group + 1]; i++)
            d->count[class_of(d, d->rows[i])]++;
        b = choose(d, group, n_bins, n - k <= lack);
        lack -= d->bins[b].groups++ < d->bins[b].least;
        d->bin_of[group] = b;
        for (size_t i = d->first[group]; i < d->first[group + 1]; i++) {
            d->bins[b].rows[class_of(d, d->rows[i])]++;
            d->count[class_of(d, d->rows[i])] = 0;
        }
    }
    return 0;
}

/* All groups in order; then those that are not of the bin stay there. Returns how many. */
static size_t keep_others(struct deal *d, size_t n, size_t bin)
{
    size_t left = 0;

    for (size_t k = 0; k < n; k++)
        if (d->bin_of[d->order[k]] != bin)
            d->order[left++] = d->order[k];
    return left;
}

static void put(const struct deal *d, size_t n, size_t bin, enum asy__part part, uint8_t *part_of)
{
    for (size_t k = 0; k < n; k++)
        for (size_t i = d->first[d->order[k]];
             d->bin_of[d->order[k]] == bin && i < d->first[d->order[k] + 1]; i++)
            part_of[d->rows[i]] = (uint8_t)part;
}

/* The test part, which is the same in all divisions, and the rest, of as many groups as parts. */
static int take_test(const struct asy__data_spec *spec, struct deal *d, size_t rest,
                     uint8_t *part_of, struct asy_error *err)
{
    size_t n = d->of->n_groups, parts = rest + (spec->test > 0);
    int rc;

    if (n < parts)
        return asy_fail(err, ASY_E_INVAL, "split: %zu group%s cannot be divided into %zu parts", n,
                        n == 1 ? "" : "s", parts);
    for (size_t g = 0; g < n; g++)
        d->order[g] = g;
    set_bin(d, 0, 1 - spec->test, rest);
    set_bin(d, 1, spec->test, 1);
    if ((rc = deal(d, n, 2, spec->seed, 0, err)) == 0)
        put(d, n, 1, ASY__TEST, part_of);
    return rc;
}

static int divide(const struct asy__data_spec *spec, struct deal *d, uint8_t *part_of,
                  struct asy_error *err)
{
    size_t folds = spec->folds, division = spec->division < 0 ? 0 : (size_t)spec->division, n;
    double rest = 1 - spec->test;
    int rc = take_test(spec, d, folds ? folds : 1 + (size_t)(spec->validation > 0), part_of, err);

    if (rc < 0 || spec->division < 0 || (!folds && spec->validation <= 0))
        return rc;
    n = keep_others(d, d->of->n_groups, 1);
    set_bin(d, 0, 1 - spec->validation / rest, 1);
    set_bin(d, 1, spec->validation / rest, 1);
    for (size_t b = 0; b < folds; b++)
        set_bin(d, b, 1 / (double)folds, 1);
    rc = deal(d, n, folds ? folds : 2, spec->seed, 1 + (folds ? division / folds : division), err);
    if (rc == 0)
        put(d, n, folds ? division % folds : 1, ASY__VALIDATION, part_of);
    return rc;
}

int asy__split_groups(const struct asy__data_spec *spec, const struct asy__grouped *of,
                      size_t *order, size_t *start, struct asy_error *err)
{
    size_t bins = spec->folds > 2 ? spec->folds : 2, classes = of->label ? of->n_classes : 1;
    uint8_t *part_of = calloc(of->n + 1, 1); /* ASY__TRAIN */
    struct deal d = { .of = of };
    int rc = 0;

    d.rows = calloc(of->n + 1, sizeof *d.rows);
    d.first = calloc(of->n_groups + 2, sizeof *d.first);
    d.order = calloc(of->n_groups + 1, sizeof *d.order);
    d.bin_of = calloc(of->n_groups + 1, sizeof *d.bin_of);
    d.total = calloc(classes + 1, sizeof *d.total);
    d.count = calloc(classes + 1, sizeof *d.count);
    d.bins = calloc(bins, sizeof *d.bins);
    d.cells = calloc(bins * classes + 1, sizeof *d.cells);
    if (!part_of || !d.rows || !d.first || !d.order || !d.bin_of || !d.total || !d.count ||
        !d.bins || !d.cells) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory to split %zu groups", of->n_groups);
    } else {
        gather(&d);
        if ((rc = divide(spec, &d, part_of, err)) == 0)
            asy__split_arrange(part_of, of->n, order, start);
    }
    free(part_of);
    free(d.rows);
    free(d.first);
    free(d.order);
    free(d.bin_of);
    free(d.total);
    free(d.count);
    free(d.bins);
    free(d.cells);
    return rc;
}
