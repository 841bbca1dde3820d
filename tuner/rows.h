/* SPDX-License-Identifier: Apache-2.0
 * rows.h - points of several objectives in lexicographic order: what pareto.c and hypervolume.c
 * share. */
#ifndef ASY_TUNER_ROWS_H
#define ASY_TUNER_ROWS_H
#include <asy/pareto.h>

struct asy__row_ref {
    const double *v; /* [m] */
    uint32_t index;  /* in the caller's array */
};

/* By v[0], then v[1], and so on; equal rows by index. NULL: no memory. The caller frees. */
struct asy__row_ref *asy__rows_sorted(const double *values, size_t n, size_t m);
int asy__rows_equal(const double *a, const double *b, size_t m);
#endif
