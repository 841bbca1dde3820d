/* SPDX-License-Identifier: Apache-2.0
 * signed_rank.h - Wilcoxon's signed-rank test (Wilcoxon 1945). */
#ifndef ASY_TUNER_SIGNED_RANK_H
#define ASY_TUNER_SIGNED_RANK_H
#include <stddef.h>

/* The p-value of n >= 1 finite differences for the alternative that they are above 0. d[n] is put
 * in another order. Zeros count half on either side ("zsplit"), equal sizes share their ranks.
 *
 * As scipy.stats.wilcoxon 1.17 with method "auto": the exact distribution over all signs for up to
 * 13 differences, and for up to 50 if none is zero and no two are equal in size; else the normal
 * approximation with the correction for ties and none for continuity. */
double asy__signed_rank_p(double *d, size_t n);
#endif
