/* SPDX-License-Identifier: Apache-2.0
 * gbdt_bins.c - where features are cut into bins, and the bins of rows.
 *
 * A column is sorted by radix (three passes of 11 bits over the bit patterns of its floats), which
 * costs less than a sketch of its quantiles at any size that fits in memory, and is exact. */
#include "gbdt_impl.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CUTS ASY_GBDT_BINS_MAX
#define DIGIT 11
#define DIGITS 3

/* ---- sorting --------------------------------------------------------------------------------- */

/* Bit patterns in the order of the floats. -0 was made 0 before. */
static uint32_t key_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

static float value_of(uint32_t key)
{
    uint32_t bits = key & 0x80000000u ? key & 0x7fffffffu : ~key;
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Sorts keys [n] with the help of other [n]; the result is in one of them, which is returned. */
static uint32_t *sort(uint32_t *keys, uint32_t *other, size_t n)
{
    size_t count[DIGITS][1u << DIGIT] = { 0 };

    for (size_t i = 0; i < n; i++)
        for (unsigned d = 0; d < DIGITS; d++)
            count[d][keys[i] >> d * DIGIT & ((1u << DIGIT) - 1)]++;
    for (unsigned d = 0; d < DIGITS; d++) {
        uint32_t *sorted = other;
        size_t at = 0;

        for (size_t v = 0; v < 1u << DIGIT; v++) {
            size_t here = count[d][v];

            count[d][v] = at;
            at += here;
        }
        for (size_t i = 0; i < n; i++)
            sorted[count[d][keys[i] >> d * DIGIT & ((1u << DIGIT) - 1)]++] = keys[i];
        other = keys;
        keys = sorted;
    }
    return keys;
}

/* ---- cuts ------------------------------------------------------------------------------------ */

static size_t count_values(const uint32_t *sorted, size_t n, size_t enough)
{
    size_t values = n > 0;

    for (size_t i = 1; i < n && values < enough; i++)
        values += sorted[i] != sorted[i - 1];
    return values;
}

/* Where the equal values from `at` on end. */
static size_t run_end(const uint32_t *sorted, size_t n, size_t at)
{
    size_t end = at + 1;

    while (end < n && sorted[end] == sorted[at])
        end++;
    return end;
}

/* A value that is more frequent than a bin's share ends its bin, and begins it if what is before it
 * fills half a bin. The other bins share the other rows equally (as Ke et al. do in LightGBM).
 * Returns the number of cuts. */
static size_t cut_column(const uint32_t *sorted, size_t n, size_t bins, float *cuts)
{
    int each = count_values(sorted, n, bins + 1) <= bins;
    size_t n_cuts = 0, frequent = 0, others = n;

    for (size_t at = 0, end; at < n; at = end)
        if (((end = run_end(sorted, n, at)) - at) * bins > n) {
            frequent++;
            others -= end - at;
        }
    for (size_t at = 0; at < n && n_cuts + 1 < bins;) {
        size_t left = bins > n_cuts + frequent ? bins - n_cuts - frequent : 1;
        size_t want = each ? 1 : (others + left - 1) / left, count = 0, run;
        int heavy;

        do {
            run = run_end(sorted, n, at) - at;
            heavy = run * bins > n;
            if (heavy && count > 0 && 2 * count >= want)
                break;
            at += run;
            count += run;
            frequent -= heavy ? 1 : 0;
            others -= heavy ? 0 : run;
        } while (!heavy && count < want && at < n);
        if (at < n)
            cuts[n_cuts++] = value_of(sorted[at]);
    }
    return n_cuts;
}

static int refuse_infinite(size_t row, size_t feature, struct asy_error *err)
{
    return asy_fail(err, ASY_E_INVAL, "the value of row %zu, feature %zu is infinite", row,
                    feature);
}

static int collect(const float *x, size_t rows, size_t features, size_t f, uint32_t *keys,
                   size_t *ret_n, struct asy_error *err)
{
    size_t n = 0;

    for (size_t r = 0; r < rows; r++) {
        float value = x[r * features + f] + 0.0f;

        if (isinf(value))
            return refuse_infinite(r, f, err);
        keys[n] = key_of(value);
        n += !isnan(value);
    }
    *ret_n = n;
    return 0;
}

static struct asy_gbdt_cuts *cuts_alloc(size_t features)
{
    struct asy_gbdt_cuts *cuts = calloc(1, sizeof *cuts);

    if (!cuts)
        return NULL;
    cuts->features = features;
    cuts->n = calloc(features, sizeof *cuts->n);
    cuts->at = calloc(features + 1, sizeof *cuts->at);
    cuts->cuts = calloc(features, CUTS * sizeof *cuts->cuts);
    if (cuts->n && cuts->at && cuts->cuts)
        return cuts;
    asy_gbdt_cuts_destroy(cuts);
    return NULL;
}

int asy_gbdt_cuts_create(const float *x, size_t rows, size_t features, size_t max_bins,
                         struct asy_gbdt_cuts **ret_cuts, struct asy_error *err)
{
    struct asy_gbdt_cuts *cuts = NULL;
    uint32_t *keys = NULL;
    size_t n = 0;
    int rc = 0;

    if (rows == 0 || rows > ASY_GBDT_ROWS_MAX || features == 0 ||
        features > ASY_GBDT_FEATURES_MAX)
        return asy_fail(err, ASY_E_INVAL, "trees on %zu rows of %zu features are not possible",
                        rows, features);
    if (max_bins < 3 || max_bins > ASY_GBDT_BINS_MAX)
        return asy_fail(err, ASY_E_INVAL, "%zu bins are not 3 to %d", max_bins, ASY_GBDT_BINS_MAX);
    if (!(cuts = cuts_alloc(features)) || !(keys = calloc(2 * rows, sizeof *keys))) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory to bin %zu rows of %zu features", rows,
                      features);
        goto out;
    }
    for (size_t f = 0; f < features; f++) {
        float *column = cuts->cuts + f * CUTS;

        if ((rc = collect(x, rows, features, f, keys, &n, err)) < 0)
            goto out;
        cuts->n[f] = cut_column(sort(keys, keys + rows, n), n, max_bins - 1, column);
        for (size_t i = cuts->n[f]; i < CUTS; i++)
            column[i] = INFINITY;
        cuts->at[f + 1] = cuts->at[f] + cuts->n[f] + 2;
    }
    *ret_cuts = cuts;
    cuts = NULL;
out:
    free(keys);
    asy_gbdt_cuts_destroy(cuts);
    return rc;
}

void asy_gbdt_cuts_destroy(struct asy_gbdt_cuts *cuts)
{
    int saved = errno;

    if (!cuts)
        return;
    free(cuts->n);
    free(cuts->at);
    free(cuts->cuts);
    free(cuts);
    errno = saved;
}

const float *asy_gbdt_cuts_get(const struct asy_gbdt_cuts *cuts, size_t feature, size_t *ret_n)
{
    *ret_n = cuts->n[feature];
    return cuts->cuts + feature * CUTS;
}

/* ---- bins ------------------------------------------------------------------------------------ */

/* The bins of n <= 8 values of a row, in a word. cuts [n][256], infinite from each one's last on,
 * so that all searches take the same eight steps; side by side, as each step waits for its load. */
static inline uint64_t bins_of(const float *cuts, const float *values, size_t n)
{
    unsigned at[ASY__GBDT_LANES] = { 0 };
    uint64_t word = 0;

    for (unsigned step = CUTS / 2; step > 0; step /= 2)
        for (size_t k = 0; k < n; k++)
            at[k] += step * (cuts[k * CUTS + at[k] + step - 1] <= values[k]);
    for (size_t k = 0; k < n; k++)
        word |= (uint64_t)(isnan(values[k]) ? 0 : at[k] + 1) << 8 * k;
    return word;
}

static int fill_words(const struct asy_gbdt_cuts *cuts, const float *x, size_t rows, size_t first,
                      uint64_t *words, struct asy_error *err)
{
    size_t n = cuts->features - first;

    if (n > ASY__GBDT_LANES)
        n = ASY__GBDT_LANES;
    for (size_t r = 0; r < rows; r++) {
        const float *row = x + r * cuts->features + first;

        for (size_t k = 0; k < n; k++)
            if (isinf(row[k]))
                return refuse_infinite(r, first + k, err);
        words[r] = n == ASY__GBDT_LANES ? bins_of(cuts->cuts + first * CUTS, row, ASY__GBDT_LANES)
                                        : bins_of(cuts->cuts + first * CUTS, row, n);
    }
    return 0;
}

int asy_gbdt_table_create(const struct asy_gbdt_cuts *cuts, const float *x, size_t rows,
                          struct asy_gbdt_table **ret_table, struct asy_error *err)
{
    size_t n_words = (cuts->features + ASY__GBDT_LANES - 1) / ASY__GBDT_LANES;
    struct asy_gbdt_table *table = NULL;
    int rc = 0;

    if (rows > ASY_GBDT_ROWS_MAX)
        return asy_fail(err, ASY_E_TOOBIG, "%zu rows on one rank are more than %u", rows,
                        ASY_GBDT_ROWS_MAX);
    if (!(table = calloc(1, sizeof *table)) ||
        !(table->words = calloc(rows * n_words + 1, sizeof *table->words))) {
        rc = asy_fail(err, ASY_E_NOMEM, "no memory for the bins of %zu rows", rows);
        goto out;
    }
    table->cuts = cuts;
    table->rows = rows;
    for (size_t w = 0; w < n_words && rc == 0; w++)
        rc = fill_words(cuts, x, rows, w * ASY__GBDT_LANES, table->words + w * rows, err);
    if (rc == 0) {
        *ret_table = table;
        table = NULL;
    }
out:
    asy_gbdt_table_destroy(table);
    return rc;
}

void asy_gbdt_table_destroy(struct asy_gbdt_table *table)
{
    int saved = errno;

    if (!table)
        return;
    free(table->words);
    free(table);
    errno = saved;
}
