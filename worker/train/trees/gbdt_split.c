/* SPDX-License-Identifier: Apache-2.0
 * gbdt_split.c - the best split of a node, from its histogram.
 *
 * Sums stay whole numbers until the gain, so equal partitions have equal gains to the last bit,
 * whichever feature makes them. The gains of a feature are computed first and compared afterwards:
 * a loop without jumps, which becomes vectors. */
#include "gbdt_impl.h"
#include <string.h>

#define GAIN_MIN 1e-6 /* below, a gain is rounding (xgboost's kRtEps) */

/* Sums left of each candidate of a feature, in units of the loss. */
struct candidates {
    size_t n;
    double g[ASY_GBDT_BINS_MAX], h[ASY_GBDT_BINS_MAX];
    double gain[ASY_GBDT_BINS_MAX];
};

static double shrink(double g, double l1)
{
    return (g > l1 ? g - l1 : 0) + (g < -l1 ? g + l1 : 0);
}

static double gain_of(double g, double h, double l1, double l2)
{
    double shrunk = shrink(g, l1);

    return h + l2 > 0 ? shrunk * shrunk / (h + l2) : 0;
}

double asy__gbdt_leaf(const struct asy_gbdt_params *params, struct asy__gbdt_cell sum,
                      struct asy__gbdt_scale scale)
{
    double h = (double)sum.h * scale.h + params->l2;
    double g = shrink((double)sum.g * scale.g, params->l1);

    return h > 0 ? -params->learning_rate * g / h : 0;
}

/* gain = those of both children; -1 where a child is too light. */
static void compute_gains(const struct asy_gbdt_params *params, double g, double h,
                          struct candidates *c)
{
    double l1 = params->l1, l2 = params->l2, least = params->min_child_weight;

    for (size_t i = 0; i < c->n; i++) {
        double left_h = c->h[i], right_h = h - left_h;
        double left_g = shrink(c->g[i], l1), right_g = shrink(g - c->g[i], l1);
        double gain = left_g * left_g / (left_h + l2) + right_g * right_g / (right_h + l2);
        int fits = (left_h >= least) & (right_h >= least) & (left_h > 0) & (right_h > 0);

        c->gain[i] = fits ? gain : -1;
    }
}

static void take(struct asy__gbdt_split *best, double gain, size_t feature, size_t bin,
                 unsigned default_left)
{
    best->gain = gain;
    best->feature = feature;
    best->bin = (unsigned)bin;
    best->default_left = default_left;
}

/* The candidates of one side for missing values; cells [n_bins + 1], bin 0 first. */
static void try_feature(const struct asy_gbdt_params *params, const struct asy__gbdt_cell *cells,
                        size_t n_bins, size_t feature, struct asy__gbdt_cell sum,
                        struct asy__gbdt_scale scale, unsigned default_left,
                        struct asy__gbdt_split *best)
{
    struct asy__gbdt_cell left = { 0, 0 };
    struct candidates c;

    if (default_left)
        left = cells[0];
    c.n = default_left ? n_bins - 1 : n_bins;
    for (size_t i = 0; i < c.n; i++) {
        left.g += cells[i + 1].g;
        left.h += cells[i + 1].h;
        c.g[i] = (double)left.g * scale.g;
        c.h[i] = (double)left.h * scale.h;
    }
    compute_gains(params, (double)sum.g * scale.g, (double)sum.h * scale.h, &c);
    for (size_t i = 0; i < c.n; i++) {
        size_t at = default_left ? c.n - 1 - i : i;

        if (c.gain[at] > best->gain)
            take(best, c.gain[at], feature, at + 1, default_left);
    }
}

static struct asy__gbdt_cell sum_left(const struct asy__gbdt_cell *cells,
                                      const struct asy__gbdt_split *split)
{
    struct asy__gbdt_cell left = { 0, 0 };

    for (size_t i = split->default_left ? 0 : 1; i <= split->bin; i++) {
        left.g += cells[i].g;
        left.h += cells[i].h;
    }
    return left;
}

void asy__gbdt_find_split(const struct asy_gbdt_cuts *cuts, const struct asy_gbdt_params *params,
                          const uint8_t *use, const struct asy__gbdt_cell *cells,
                          struct asy__gbdt_cell sum, struct asy__gbdt_scale scale,
                          struct asy__gbdt_split *ret)
{
    double unsplit = gain_of((double)sum.g * scale.g, (double)sum.h * scale.h, params->l1,
                             params->l2);
    struct asy__gbdt_split best = { 0 };

    best.gain = unsplit + GAIN_MIN;
    for (size_t f = 0; f < cuts->features; f++) {
        const struct asy__gbdt_cell *own = cells + cuts->at[f];

        if (!use[f])
            continue;
        try_feature(params, own, cuts->n[f] + 1, f, sum, scale, 0, &best);
        if (own[0].g || own[0].h)
            try_feature(params, own, cuts->n[f] + 1, f, sum, scale, 1, &best);
    }
    if (best.bin > 0 && best.gain - unsplit >= params->gamma) {
        best.gain -= unsplit;
        best.left = sum_left(cells + cuts->at[best.feature], &best);
        *ret = best;
    } else {
        memset(ret, 0, sizeof *ret);
    }
}
