/* SPDX-License-Identifier: Apache-2.0
 * signed_rank.c - see signed_rank.h.
 *
 * Ranks are doubled, so that shared ones are whole numbers and the exact distribution is that of a
 * sum of them, each there or not with probability one half: all its values are multiples of
 * 2^-50 or larger, and exact. */
#include "signed_rank.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EXACT_MAX 50      /* without ties */
#define EXACT_TIED_MAX 13 /* with ties or zeros */
#define SUM_MAX (EXACT_MAX * (EXACT_MAX + 1)) /* of doubled ranks */

struct ranks {
    double plus;   /* sum of the doubled ranks of differences above 0 */
    double zero;   /* ... of those that are 0 */
    double ties;   /* sum of t^3 - t over groups of t equal sizes */
    int has_ties;
    unsigned doubled[EXACT_MAX]; /* [n_doubled] of those that are not 0, where n allows */
    size_t n_doubled;
};

static int by_size(const void *a, const void *b)
{
    double x = fabs(*(const double *)a), y = fabs(*(const double *)b);

    return (x > y) - (x < y);
}

static void rank(double *d, size_t n, struct ranks *r)
{
    size_t end;

    qsort(d, n, sizeof *d, by_size);
    for (size_t i = 0; i < n; i = end) {
        double t, doubled;

        for (end = i + 1; end < n && fabs(d[end]) == fabs(d[i]); end++)
            ;
        t = (double)(end - i);
        doubled = (double)(i + 1 + end); /* twice the mean of the ranks i + 1 to end */
        r->ties += t * t * t - t;
        r->has_ties |= end > i + 1;
        for (size_t k = i; k < end; k++) {
            r->plus += d[k] > 0 ? doubled : 0;
            r->zero += d[k] == 0 ? doubled : 0;
            if (d[k] != 0 && n <= EXACT_MAX)
                r->doubled[r->n_doubled++] = (unsigned)doubled;
        }
    }
}

/* How likely the sum of the ranks above 0 is as large, if each sign is as likely as the other. */
static double exact(const struct ranks *r)
{
    double chance[SUM_MAX + 1] = { 1 }, p = 0;
    unsigned most = 0;

    for (size_t i = 0; i < r->n_doubled; i++) {
        unsigned step = r->doubled[i];

        most += step;
        for (unsigned s = most + 1; s-- > 0;)
            chance[s] = 0.5 * (chance[s] + (s >= step ? chance[s - step] : 0));
    }
    for (unsigned s = (unsigned)r->plus; s <= most; s++)
        p += chance[s];
    return p;
}

double asy__signed_rank_p(double *d, size_t n)
{
    struct ranks r = { 0 };
    double m = (double)n, mean = m * (m + 1) / 4, variance;

    rank(d, n, &r);
    if (n <= EXACT_TIED_MAX || (n <= EXACT_MAX && !r.has_ties && r.zero == 0))
        return exact(&r);
    variance = (m * (m + 1) * (2 * m + 1) - r.ties / 2) / 24;
    return 0.5 * erfc((r.plus / 2 + r.zero / 4 - mean) / sqrt(2 * variance));
}
