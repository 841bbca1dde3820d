/* SPDX-License-Identifier: Apache-2.0
 * row.h - one line of JSON per figure, in the form that docs/benchmarks.md describes, and the
 * statistics behind the figures.
 *
 * Threads: one. */
#ifndef BENCH_ROW_H
#define BENCH_ROW_H
#include <stddef.h>
#include "disk.h"

struct row {
    const char *name;         /* "service.cycles_per_s" */
    const char *key;          /* the case; NULL: the name has none */
    const char *unit;
    double value;
    size_t n;                 /* runs behind the value */
    const struct disk *disk;  /* NULL: the figure does not depend on it */
    const char *peer;         /* what does the same elsewhere; NULL: nothing */
    double peer_value;        /* a time: the ratio says how many times less ours is */
};
void row_put(const struct row *row);
/* What could not be measured. */
void row_put_missing(const char *name, const char *key, const char *unit, const char *why);

/* Both sort the values; n > 0. */
double median(double *values, size_t n);
double quantile(double *values, size_t n, double q); /* the smallest that q of all do not exceed */
#endif
