/* SPDX-License-Identifier: Apache-2.0
 * gbdt_hist.c - sums of derivatives by bin: where the time of boosting goes.
 *
 * A cell is one vector of two 64-bit sums, so that each feature of a row costs one load, one add
 * and one store. The number of features in a word is a constant to the compiler, which keeps the
 * eight addresses apart and unrolls. */
#include "gbdt_impl.h"

#define AHEAD 16 /* rows that are fetched before they are wanted */

typedef int64_t sums __attribute__((vector_size(16), may_alias));

static inline __attribute__((always_inline)) void add_rows(const uint64_t *words,
                                                           const struct asy__gbdt_pair *pairs,
                                                           const uint32_t *rows, size_t n,
                                                           const size_t *at,
                                                           struct asy__gbdt_cell *cells,
                                                           size_t lanes)
{
    struct asy__gbdt_cell *cell[ASY__GBDT_LANES];

    for (size_t k = 0; k < lanes; k++)
        cell[k] = cells + at[k];
    for (size_t i = 0; i < n; i++) {
        uint32_t row = rows[i], next = rows[i + AHEAD < n ? i + AHEAD : i];
        sums pair = { pairs[row].g, pairs[row].h };
        uint64_t word = words[row];

        __builtin_prefetch(words + next);
        __builtin_prefetch(pairs + next);
        for (size_t k = 0; k < lanes; k++)
            *(sums *)(cell[k] + (word >> 8 * k & 255)) += pair;
    }
}

static void add_word(const uint64_t *words, const struct asy__gbdt_pair *pairs,
                     const uint32_t *rows, size_t n, const size_t *at,
                     struct asy__gbdt_cell *cells, size_t lanes)
{
    switch (lanes) {
#define LANES(count)                                                                               \
    case count:                                                                                    \
        add_rows(words, pairs, rows, n, at, cells, count);                                         \
        break
        LANES(1);
        LANES(2);
        LANES(3);
        LANES(4);
        LANES(5);
        LANES(6);
        LANES(7);
        LANES(8);
#undef LANES
    }
}

static int any(const uint8_t *use, size_t n)
{
    int found = 0;

    for (size_t k = 0; k < n; k++)
        found |= use[k];
    return found;
}

void asy__gbdt_build(const struct asy_gbdt_table *table, const uint8_t *use,
                     const struct asy__gbdt_pair *pairs, const uint32_t *rows, size_t n,
                     struct asy__gbdt_cell *cells)
{
    size_t features = table->cuts->features;

    for (size_t f = 0; f < features; f += ASY__GBDT_LANES) {
        size_t lanes = features - f < ASY__GBDT_LANES ? features - f : ASY__GBDT_LANES;

        if (any(use + f, lanes))
            add_word(table->words + f / ASY__GBDT_LANES * table->rows, pairs, rows, n,
                     table->cuts->at + f, cells, lanes);
    }
}

void asy__gbdt_build_ref(const struct asy_gbdt_table *table, const uint8_t *use,
                         const struct asy__gbdt_pair *pairs, const uint32_t *rows, size_t n,
                         struct asy__gbdt_cell *cells)
{
    for (size_t f = 0; f < table->cuts->features; f++)
        for (size_t i = 0; use[f] && i < n; i++) {
            struct asy__gbdt_cell *cell = cells + table->cuts->at[f] +
                                          asy__gbdt_bin(table, f, rows[i]);

            cell->g += pairs[rows[i]].g;
            cell->h += pairs[rows[i]].h;
        }
}

void asy__gbdt_subtract(size_t n, const struct asy__gbdt_cell *sibling,
                        struct asy__gbdt_cell *cells)
{
    for (size_t i = 0; i < n; i++) {
        cells[i].g -= sibling[i].g;
        cells[i].h -= sibling[i].h;
    }
}
