/* SPDX-License-Identifier: Apache-2.0
 * problems_wfg.h - WFG 1 to 9 (Huband, Hingston, Barone, While 2006, IEEE Transactions on
 * Evolutionary Computation 10(5)) with two objectives: the first WFG_POSITION parameters say where
 * on the front a point lies, the others how far it is from it.
 *
 * Parameters are in [0, 1] here, in the paper the i-th of them is in [0, 2i]. Objectives are at
 * most 3 and 5. The best values of the others are 0.35, those of WFG 8 and 9 depend on each other.
 *
 * Threads: any. */
#ifndef BENCH_PROBLEMS_WFG_H
#define BENCH_PROBLEMS_WFG_H
#include <stddef.h>

#define WFG_POSITION 4
#define WFG_DIMS_MAX 32

/* x[n], n - WFG_POSITION even, at most WFG_DIMS_MAX; f[2]. */
void wfg1(const double *x, size_t n, double *f);
void wfg2(const double *x, size_t n, double *f);
void wfg3(const double *x, size_t n, double *f);
void wfg4(const double *x, size_t n, double *f);
void wfg5(const double *x, size_t n, double *f);
void wfg6(const double *x, size_t n, double *f);
void wfg7(const double *x, size_t n, double *f);
void wfg8(const double *x, size_t n, double *f);
void wfg9(const double *x, size_t n, double *f);
#endif
