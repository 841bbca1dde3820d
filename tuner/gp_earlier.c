/* SPDX-License-Identifier: Apache-2.0
 * gp_earlier.c - see gp_earlier.h. Ranks become the deviations of a normal distribution that have
 * as much of it below them: they spread the best apart, which the search is about. */
#include "gp_earlier.h"
#include <stdlib.h>
#include <string.h>
#include <asy/la.h>
#include "truncnorm.h"

#define ROWS_MAX 256 /* trials in the model: of more, as many evenly by rank */
#define SAMPLES 64
#define SAMPLE_MAX 64 /* results in one */

int asy__gp_earlier_init(struct asy__gp_earlier *earlier, const struct asy__gp_dim *dims, size_t d)
{
    *earlier = (struct asy__gp_earlier){ 0 };
    return asy__gp_init(&earlier->gp, dims, d);
}

void asy__gp_earlier_fini(struct asy__gp_earlier *earlier)
{
    asy__gp_fini(&earlier->gp);
    free(earlier->alpha);
    *earlier = (struct asy__gp_earlier){ 0 };
}

static void standardise(size_t n, double *y)
{
    double mean = 0, square = 0;

    for (size_t i = 0; i < n; i++)
        mean += y[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        square += (y[i] - mean) * (y[i] - mean) / (double)n;
    for (size_t i = 0; i < n; i++)
        y[i] = square > 0 ? (y[i] - mean) / sqrt(square) : 0;
}

/* Rows and their values y [n]. u: [d] scratch. */
static void take_rows(struct asy__gp *gp, const struct asy_sampler *s, size_t n, double *y,
                      double *u)
{
    for (size_t i = 0; i < n; i++) {
        const struct asy_earlier *one =
            &s->earlier[n > 1 ? i * (s->n_earlier - 1) / (n - 1) : 0];

        for (size_t j = 0; j < gp->d; j++)
            u[j] = asy__gp_coordinate(&gp->dims[j], one->x[gp->dims[j].param]);
        asy__gp_push(gp, u);
        y[i] = asy__ndtri_exp(log(one->rank));
    }
    standardise(n, y);
}

int asy__gp_earlier_make(struct asy__gp_earlier *earlier, const struct asy_sampler *s)
{
    struct asy__gp *gp = &earlier->gp;
    size_t n = s->n_earlier < ROWS_MAX ? s->n_earlier : ROWS_MAX;
    double *alpha = malloc(n * sizeof *alpha), *work, loss;
    int rc = ASY_E_NOMEM;

    work = malloc((2 * n + 2 * gp->d + 2) * sizeof *work); /* y, v, theta and a row's room */
    if (!alpha || !work || asy__gp_reserve(gp, n))
        goto out;
    asy__gp_cut(gp, 0);
    take_rows(gp, s, n, work, work + 2 * n);
    asy__gp_fit_start(gp->d, work + 2 * n);
    if (asy__gp_fit(gp, work, work + 2 * n, &loss))
        goto out;
    memcpy(work + 2 * n, gp->theta, (gp->d + 2) * sizeof *work);
    if ((rc = asy__gp_settle(gp, work + 2 * n)))
        goto out;
    asy_la_lower_many(n, 1, gp->w, gp->cap, work, n, work + n, n);
    asy_la_lower_many_t(n, 1, gp->w, gp->cap, work + n, n, alpha, n);
    earlier->alpha = alpha;
    alpha = NULL;
out:
    free(alpha);
    free(work);
    return rc;
}

double asy__gp_earlier_mean(const struct asy__gp_earlier *earlier, const double *u, double *work,
                            double *ret_gradient)
{
    const struct asy__gp *gp = &earlier->gp;
    size_t n = gp->n;
    double *k = work, *dk = k + n, mean, sum = 0;

    asy__gp_covariances(gp, u, n, k, dk);
    mean = asy_la_dot(n, k, earlier->alpha);
    if (!ret_gradient)
        return mean;
    for (size_t i = 0; i < n; i++)
        sum += dk[i] *= earlier->alpha[i];
    for (size_t j = 0; j < gp->d; j++)
        ret_gradient[j] = gp->dims[j].kind == ASY__GP_CATEGORY
                              ? 0
                              : 2 * gp->s[j] *
                                    (u[j] * sum - asy_la_dot(n, dk, gp->x + j * gp->cap));
    return mean;
}

double asy__gp_earlier_weight(size_t n, const double *means, const double *t)
{
    double mean = 0, level = 0, both = 0, square = 0;

    for (size_t i = 0; i < n; i++) {
        mean += means[i] / (double)n;
        level += t[i] / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        both += (means[i] - mean) * (t[i] - level);
        square += (means[i] - mean) * (means[i] - mean);
    }
    return square > 0 && both > 0 && asy__earlier_holds(means, t, n) ? both / square : 0;
}

static int is_wrong(const double *t, const double *guess, size_t i, size_t k)
{
    return (t[i] < t[k]) != (guess[i] < guess[k]);
}

double asy__gp_earlier_share(size_t n, const double *t, const double *means, const double *left)
{
    double won = 0;
    struct asy_rng rng;

    asy_rng_init(&rng, n, 0, ASY_RNG_INIT);
    for (size_t s = 0; s < SAMPLES; s++) {
        size_t drawn[SAMPLE_MAX], wrong[2] = { 0 };

        for (size_t i = 0; i < n && i < SAMPLE_MAX; i++)
            drawn[i] = (size_t)asy_rng_below(&rng, n);
        for (size_t i = 0; i < n && i < SAMPLE_MAX; i++)
            for (size_t k = 0; k < i; k++) {
                wrong[0] += (size_t)is_wrong(t, means, drawn[i], drawn[k]);
                wrong[1] += (size_t)is_wrong(t, left, drawn[i], drawn[k]);
            }
        won += wrong[0] < wrong[1] ? 1 : wrong[0] == wrong[1] ? 0.5 : 0;
    }
    return won / SAMPLES;
}
