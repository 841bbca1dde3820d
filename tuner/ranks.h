/* SPDX-License-Identifier: Apache-2.0
 * ranks.h - ranks of non-domination (asy/pareto.h) of a set of points that grows, and its best.
 *
 * A point's rank is the length of the longest chain of points each of which dominates the next and
 * the last of which dominates it. So a new point has one more than the largest rank of those that
 * dominate it, and no other's rank grows by more than one. A new point costs O(m n) comparisons,
 * and more only where it pushes many others back: each of a front is compared with those that were
 * pushed into it.
 *
 * Threads: one owner. */
#ifndef ASY_TUNER_RANKS_H
#define ASY_TUNER_RANKS_H
#include <stddef.h>
#include <stdint.h>
#include <asy/error.h>

/* Zeroed memory is an empty set. */
struct asy__ranks {
    double *values;  /* [n, m] all minimised, no NaN */
    uint32_t *ranks; /* [n] */
    size_t n, cap;
    uint32_t *order;  /* [n] by rank, while one is added */
    uint32_t *starts; /* [n + 1] where each rank begins in order; how many have it */
    uint32_t *pushed; /* [2, n] */
};

void asy__ranks_fini(struct asy__ranks *set);
ASY_MUST_CHECK int asy__ranks_reserve(struct asy__ranks *set, size_t m); /* for the next add */
void asy__ranks_add(struct asy__ranks *set, size_t m, const double *point);
/* Of the k best the whole ranks below *ret_rank are part, and *ret_part of that rank; k <= n. */
void asy__ranks_cut(struct asy__ranks *set, size_t k, uint32_t *ret_rank, size_t *ret_part);

/* Beyond so many of a rank, covering most is estimated: it takes over 5 ms else. */
#define ASY__COVER_MAX(m) ((m) == 2 ? (size_t)1024 : (size_t)256)
/* Sets ret_among[n] to 1 for k points of the rank, which has more, to 0 for all others: those that
 * cover most, as asy_pareto_best() has it. If the rank has more than ASY__COVER_MAX(m), those with
 * the largest crowding distance instead, at equal distances the first in lexicographic order. */
ASY_MUST_CHECK int asy__ranks_choose(const struct asy__ranks *set, size_t m, uint32_t rank,
                                     size_t k, uint8_t *ret_among);
#endif
