/* SPDX-License-Identifier: Apache-2.0
 * cma.c - the distribution and its step.
 *
 * The eigenvectors are brought up to date with every step. Older implementations save that for some
 * generations, because each once cost more than a study's whole batch of points does now. */
#include "cma.h"
#include "cma_impl.h"
#include <asy/la.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SIGMA_MAX 1e32
#define EIGEN_MIN 1e-8 /* in place of an eigenvalue that is not positive */

#define LATE 1.5

/* The longest step that is taken (Hansen, arXiv 1110.4181, table 1). */
static double longest(size_t d)
{
    double n = (double)d;

    return sqrt(n) + 2 * n / (n + 2);
}

/* ---- life ---------------------------------------------------------------------------------- */

/* Hands out the block's parts; with base NULL it only measures. */
static size_t lay_out(struct asy__cma *cma, double *base)
{
    size_t d = cma->shape.d, square = d * d, full = cma->shape.separable ? 0 : square;
    size_t adapt = cma->shape.adapt ? 1 : 0;
    const struct {
        double **at;
        size_t len;
    } parts[] = {
        { &cma->mean, d },           { &cma->cov, full ? full : d },
        { &cma->vectors, full },     { &cma->scales, d },
        { &cma->path_c, d },         { &cma->path_s, d },
        { &cma->margin, d },         { &cma->drift_mean, adapt * d },
        { &cma->drift_cov, adapt * square }, { &cma->probs, cma->shape.n_probs },
        { &cma->path_q, cma->shape.n_probs }, { &cma->best, cma->shape.funhist },
        { &cma->worst, cma->shape.funhist },
    };
    size_t len = 0;

    for (size_t i = 0; i < ASY_ARRAY_LEN(parts); i++) {
        if (base)
            *parts[i].at = base + len;
        len += parts[i].len;
    }
    return len;
}

int asy__cma_init(struct asy__cma *cma, const struct asy__cma_shape *shape)
{
    *cma = (struct asy__cma){ .shape = *shape };
    cma->block_len = lay_out(cma, NULL);
    if (!(cma->block = calloc(cma->block_len + 1, sizeof *cma->block)))
        return ASY_E_NOMEM;
    lay_out(cma, cma->block);
    return 0;
}

void asy__cma_fini(struct asy__cma *cma)
{
    free(cma->block);
    free(cma->scratch);
    free(cma->precision);
}

void asy__cma_copy(struct asy__cma *to, const struct asy__cma *from)
{
    to->vars = from->vars;
    to->has_precision = 0;
    memcpy(to->block, from->block, from->block_len * sizeof *from->block);
}

void asy__cma_start(struct asy__cma *cma, const double *mean, double sigma, size_t lambda)
{
    size_t d = cma->shape.d, square = cma->shape.separable ? d : d * d;

    cma->vars = (struct asy__cma_vars){ .lambda = lambda, .sigma = sigma, .sigma0 = sigma,
                                        .rate_mean = 1, .rate_cov = 1, .delta = 1 };
    cma->has_precision = 0;
    for (double *at = cma->mean; at < cma->probs; at++)
        *at = 0;
    memset(cma->path_q, 0, cma->shape.n_probs * sizeof *cma->path_q);
    for (size_t j = 0; j < d; j++) {
        cma->mean[j] = mean[j];
        cma->scales[j] = cma->margin[j] = 1;
        cma->cov[square == d ? j : j * d + j] = 1;
        if (!cma->shape.separable)
            cma->vectors[j * d + j] = 1;
    }
}

/* ---- rates --------------------------------------------------------------------------------- */

/* Tutorial, equations 49 to 58. The negative weights are scaled so that the covariance stays
 * positive definite. */
static void weigh(const struct asy__cma_shape *shape, size_t lambda, double *weights,
                  struct asy__cma_rates *r)
{
    double d = (double)shape->d, sums[2] = { 0 }, squares[2] = { 0 }, least, faster;

    for (size_t i = 0; i < lambda; i++) {
        double w = log(((double)lambda + 1) / 2) - log((double)i + 1);

        weights[i] = w;
        sums[w < 0] += fabs(w);
        squares[w < 0] += w * w;
    }
    r->mu = lambda / 2;
    r->mu_eff = sums[0] * sums[0] / squares[0];
    faster = shape->separable ? (d + 2) / 3 : 1;
    r->c_1 = fmin(faster * 2 / ((d + 1.3) * (d + 1.3) + r->mu_eff), 0.5);
    r->c_mu = fmin(1 - r->c_1 - 1e-8, faster * 2 * (r->mu_eff - 2 + 1 / r->mu_eff) /
                                          ((d + 2) * (d + 2) + r->mu_eff));
    least = fmin(1 + r->c_1 / r->c_mu, 1 + 2 * sums[1] * sums[1] / squares[1] / (r->mu_eff + 2));
    least = fmin(least, (1 - r->c_1 - r->c_mu) / (d * r->c_mu));
    for (size_t i = 0; i < lambda; i++)
        weights[i] *= weights[i] >= 0 ? 1 / sums[0] : least / sums[1];
}

void asy__cma_rates(const struct asy__cma_shape *shape, size_t lambda, double *weights,
                    struct asy__cma_rates *ret_rates)
{
    struct asy__cma_rates *r = ret_rates;
    double d = (double)shape->d;

    weigh(shape, lambda, weights, r);
    r->c_c = (4 + r->mu_eff / d) / (d + 4 + 2 * r->mu_eff / d);
    r->c_sigma = (r->mu_eff + 2) / (d + r->mu_eff + 5);
    r->d_sigma = 1 + 2 * fmax(0, sqrt((r->mu_eff - 1) / (d + 1)) - 1) + r->c_sigma;
    r->chi = sqrt(d) * (1 - 1 / (4 * d) + 1 / (21 * d * d));
}

/* ---- coordinates --------------------------------------------------------------------------- */

/* Four sums, then one: a fixed order that pipelines well. */
static double dot(const double *a, const double *b, size_t n)
{
    double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
    size_t i = 0;

    for (; i + 4 <= n; i += 4) {
        s0 += a[i] * b[i];
        s1 += a[i + 1] * b[i + 1];
        s2 += a[i + 2] * b[i + 2];
        s3 += a[i + 3] * b[i + 3];
    }
    for (; i < n; i++)
        s0 += a[i] * b[i];
    return (s0 + s1) + (s2 + s3);
}

/* t = D^-1 B^T y, whose length is the Mahalanobis length of y. */
static void to_axes(const struct asy__cma *cma, const double *y, double *ret_t)
{
    size_t d = cma->shape.d;

    for (size_t k = 0; k < d; k++)
        ret_t[k] = (cma->shape.separable ? y[k] : dot(cma->vectors + k * d, y, d)) / cma->scales[k];
}

/* x = B t: what to_axes() made of C^(1/2) x, back again. */
static void from_axes(const struct asy__cma *cma, const double *t, double *ret_x)
{
    size_t d = cma->shape.d;

    if (cma->shape.separable) {
        memcpy(ret_x, t, d * sizeof *t);
        return;
    }
    memset(ret_x, 0, d * sizeof *ret_x);
    for (size_t k = 0; k < d; k++)
        for (size_t j = 0; j < d; j++)
            ret_x[j] += t[k] * cma->vectors[k * d + j];
}

static void decompose(struct asy__cma *cma, double *work)
{
    size_t d = cma->shape.d;

    cma->has_precision = 0;
    if (cma->shape.separable)
        memcpy(cma->scales, cma->cov, d * sizeof *cma->scales);
    else if (asy_la_eigh(cma->cov, d, cma->scales, cma->vectors, work, NULL))
        cma->vars.broken = 1;
    for (size_t k = 0; k < d; k++)
        cma->scales[k] = sqrt(cma->scales[k] > 0 ? cma->scales[k] : EIGEN_MIN);
}

void asy__cma_draw(const struct asy__cma *cma, struct asy_rng *rng, double *ret_x)
{
    size_t d = cma->shape.d;

    memset(ret_x, 0, d * sizeof *ret_x);
    for (size_t k = 0; k < d; k++) {
        double z = asy_rng_normal(rng) * cma->scales[k];

        if (cma->shape.separable) {
            ret_x[k] = z;
            continue;
        }
        for (size_t j = 0; j < d; j++)
            ret_x[j] += z * cma->vectors[k * d + j];
    }
    for (size_t j = 0; j < d; j++)
        ret_x[j] = cma->mean[j] + cma->vars.sigma * cma->margin[j] * ret_x[j];
}

double asy__cma_spread(const struct asy__cma *cma, size_t j)
{
    size_t at = cma->shape.separable ? j : j * cma->shape.d + j;

    return cma->vars.sigma * cma->margin[j] * sqrt(fmax(cma->cov[at], 0));
}

double asy__cma_log_pdf(const struct asy__cma *cma, const double *x)
{
    size_t d = cma->shape.d;
    double sum = 0;

    for (size_t k = 0; k < d; k++) {
        double t = 0;

        for (size_t j = 0; j < d; j++) {
            double y = (x[j] - cma->mean[j]) / (cma->vars.sigma * cma->margin[j]);

            if (!cma->shape.separable)
                t += cma->vectors[k * d + j] * y;
            else if (j == k)
                t = y;
        }
        t /= cma->scales[k];
        sum -= t * t / 2 + log(cma->scales[k] * cma->vars.sigma * cma->margin[k]);
    }
    return sum;
}

int asy__cma_start_cov(struct asy__cma *cma, const double *mean, const double *cov, size_t lambda)
{
    size_t d = cma->shape.d;
    struct asy__cma_work work;
    double sum = 0;

    if (asy__cma_reserve(cma, lambda, &work))
        return ASY_E_NOMEM;
    asy__cma_start(cma, mean, 1, lambda);
    memcpy(cma->cov, cov, (cma->shape.separable ? d : d * d) * sizeof *cov);
    decompose(cma, work.eigh);
    for (size_t k = 0; k < d; k++) /* sigma is what makes the determinant 1 */
        sum += log(cma->scales[k]) / (double)d;
    cma->vars.sigma = cma->vars.sigma0 = exp(sum);
    for (size_t k = 0; k < d; k++)
        cma->scales[k] /= cma->vars.sigma;
    for (size_t i = 0; i < (cma->shape.separable ? d : d * d); i++)
        cma->cov[i] /= cma->vars.sigma * cma->vars.sigma;
    return 0;
}

/* Rows of C^-1, made when they are first needed after a step. */
int asy__cma_precise(struct asy__cma *cma)
{
    size_t d = cma->shape.d;

    if (cma->shape.separable || cma->has_precision)
        return 0;
    if (!cma->precision &&
        !(cma->precision = malloc((d * d + 1) * sizeof *cma->precision)))
        return ASY_E_NOMEM;
    memset(cma->precision, 0, d * d * sizeof *cma->precision);
    for (size_t k = 0; k < d; k++) {
        const double *v = cma->vectors + k * d;
        double inverse = 1 / (cma->scales[k] * cma->scales[k]);

        for (size_t i = 0; i < d; i++)
            for (size_t j = 0; j < d; j++)
                cma->precision[i * d + j] += inverse * v[i] * v[j];
    }
    cma->has_precision = 1;
    return 0;
}

void asy__cma_given(const struct asy__cma *cma, const double *y, size_t j, double *ret_mean,
                    double *ret_sd)
{
    size_t d = cma->shape.d;
    const double *row;

    if (cma->shape.separable) {
        *ret_mean = 0;
        *ret_sd = cma->scales[j];
        return;
    }
    row = cma->precision + j * d;
    *ret_mean = y[j] - dot(row, y, d) / row[j];
    *ret_sd = 1 / sqrt(row[j]);
}

/* ---- the step ------------------------------------------------------------------------------ */

int asy__cma_reserve(struct asy__cma *cma, size_t lambda, struct asy__cma_work *ret_work)
{
    size_t d = cma->shape.d, square = cma->shape.separable ? 0 : d * d;
    size_t n = lambda * (d + 2) + 4 * d + 1 + 4 * square + ASY_LA_EIGH_WORK(square ? d : 0);
    double *more = realloc(cma->scratch, (n + 1) * sizeof *more);

    if (!more)
        return ASY_E_NOMEM;
    cma->scratch = more;
    ret_work->weights = more;
    ret_work->lengths = ret_work->weights + lambda;
    ret_work->ys = ret_work->lengths + lambda;
    ret_work->y = ret_work->ys + lambda * d;
    ret_work->t = ret_work->y + d;
    ret_work->mean = ret_work->t + d;
    ret_work->cov = ret_work->mean + 2 * d;
    ret_work->sigma = ret_work->cov + 4 * square;
    ret_work->eigh = ret_work->sigma + 1;
    return 0;
}

/* Steps from the mean, as if all points were draws from the present distribution. */
static void steps(const struct asy__cma *cma, const double *xs, const struct asy__cma_work *w)
{
    size_t d = cma->shape.d;

    for (size_t i = 0; i < cma->vars.lambda; i++)
        for (size_t j = 0; j < d; j++)
            w->ys[i * d + j] = (xs[i * d + j] - cma->mean[j]) /
                               (cma->vars.sigma * cma->margin[j]);
}

/* Late points come from where the mean was some batches ago, and steps from where it is now would
 * take back what was won since. Where they come from is what they have in common, but so is chance:
 * the centre of lambda draws is off by d / lambda, squared, on average. The estimate is the centre,
 * shrunk towards the mean by what chance explains (the positive part of James and Stein's, with d
 * for d - 2; LATE is by experiment, between no loss in turn and little loss with 16 late). Steps
 * are from there. */
static void find_origin(const struct asy__cma *cma, const struct asy__cma_work *w)
{
    size_t d = cma->shape.d, lambda = cma->vars.lambda;
    double share;

    memset(w->y, 0, d * sizeof *w->y);
    for (size_t i = 0; i < lambda; i++)
        for (size_t j = 0; j < d; j++)
            w->y[j] += w->ys[i * d + j] / (double)lambda;
    to_axes(cma, w->y, w->t);
    share = 1 - LATE * (double)d / ((double)lambda * dot(w->t, w->t, d));
    for (size_t i = 0; i < lambda && share > 0; i++)
        for (size_t j = 0; j < d; j++)
            w->ys[i * d + j] -= share * w->y[j];
}

/* Squared Mahalanobis lengths of the steps, after cutting those that are too long. */
static void measure(const struct asy__cma *cma, const struct asy__cma_work *w)
{
    size_t d = cma->shape.d;
    double most = cma->shape.strict ? INFINITY : longest(d);

    for (size_t i = 0; i < cma->vars.lambda; i++) {
        double *y = w->ys + i * d, length;

        to_axes(cma, y, w->t);
        length = sqrt(dot(w->t, w->t, d));
        for (size_t j = 0; j < d && length > most; j++)
            y[j] *= most / length;
        w->lengths[i] = fmin(length, most) * fmin(length, most);
    }
}

/* Equations 41 and 43 to 45: mean, path and size of the steps. Returns the path's length. */
static double move(struct asy__cma *cma, const struct asy__cma_rates *r,
                   const struct asy__cma_work *w)
{
    size_t d = cma->shape.d;
    double gain = sqrt(r->c_sigma * (2 - r->c_sigma) * r->mu_eff), length, growth;

    memset(w->y, 0, d * sizeof *w->y);
    for (size_t i = 0; i < r->mu; i++)
        for (size_t j = 0; j < d; j++)
            w->y[j] += w->weights[i] * w->ys[i * d + j];
    to_axes(cma, w->y, w->t);
    from_axes(cma, w->t, w->mean);
    for (size_t j = 0; j < d; j++) {
        cma->mean[j] += cma->vars.sigma * w->y[j];
        if (!cma->shape.strict) /* half of the draws are within the cube, even at its faces */
            cma->mean[j] = fmin(fmax(cma->mean[j], 0), 1);
        cma->path_s[j] = (1 - r->c_sigma) * cma->path_s[j] + gain * w->mean[j];
    }
    length = sqrt(dot(cma->path_s, cma->path_s, d));
    /* Bounded as for injected points: one batch at most multiplies sigma by e. */
    growth = r->c_sigma / r->d_sigma * (length / r->chi - 1);
    cma->vars.sigma *= exp(cma->shape.strict ? growth : fmin(growth, 1));
    cma->vars.sigma = fmin(cma->vars.sigma, SIGMA_MAX);
    return length;
}

/* Equations 45 to 47: the paths' outer product and the points'. */
static void adapt_cov(struct asy__cma *cma, const struct asy__cma_rates *r, double length,
                      const struct asy__cma_work *w)
{
    size_t d = cma->shape.d, lambda = cma->vars.lambda;
    double g = (double)cma->vars.generation, kept = 1 - r->c_1, stalls, gain;
    int moving = length / sqrt(1 - pow(1 - r->c_sigma, 2 * (g + 1))) <
                 (1.4 + 2 / ((double)d + 1)) * r->chi;

    gain = moving ? sqrt(r->c_c * (2 - r->c_c) * r->mu_eff) : 0;
    stalls = moving ? 0 : r->c_c * (2 - r->c_c);
    for (size_t j = 0; j < d; j++)
        cma->path_c[j] = (1 - r->c_c) * cma->path_c[j] + gain * w->y[j];
    kept += r->c_1 * stalls;
    for (size_t i = 0; i < lambda; i++) {
        kept -= r->c_mu * w->weights[i];
        if (w->weights[i] < 0)
            w->weights[i] *= (double)d / (w->lengths[i] + 1e-8);
        w->weights[i] *= r->c_mu;
    }
    for (size_t j = 0; j < d; j++) {
        size_t first = cma->shape.separable ? j : 0;
        double *row = cma->shape.separable ? cma->cov : cma->cov + j * d;

        for (size_t k = first; k <= j; k++)
            row[k] = kept * row[k] + r->c_1 * cma->path_c[j] * cma->path_c[k];
        for (size_t i = 0; i < lambda; i++) {
            const double *y = w->ys + i * d;
            double factor = w->weights[i] * y[j];

            for (size_t k = first; k <= j; k++)
                row[k] += factor * y[k];
        }
    }
}

static void check(struct asy__cma *cma)
{
    double sum = cma->vars.sigma;

    for (size_t j = 0; j < cma->shape.d; j++)
        sum += cma->mean[j] + cma->scales[j] + cma->path_c[j] + cma->path_s[j];
    if (!isfinite(sum) || !(cma->vars.sigma > 0))
        cma->vars.broken = 1;
}

int asy__cma_step(struct asy__cma *cma, const double *xs)
{
    struct asy__cma_rates rates;
    struct asy__cma_work work;
    double length;

    if (asy__cma_reserve(cma, cma->vars.lambda, &work))
        return ASY_E_NOMEM;
    cma->vars.generation++;
    if (cma->shape.d == 0 || cma->vars.broken)
        return 0;
    asy__cma_rates(&cma->shape, cma->vars.lambda, work.weights, &rates);
    steps(cma, xs, &work);
    if (!cma->shape.strict)
        find_origin(cma, &work);
    measure(cma, &work);
    if (cma->shape.adapt)
        asy__cma_rate_before(cma, &work);
    length = move(cma, &rates, &work);
    adapt_cov(cma, &rates, length, &work);
    if (cma->shape.adapt)
        asy__cma_rate_after(cma, &work);
    decompose(cma, work.eigh);
    check(cma);
    return 0;
}
