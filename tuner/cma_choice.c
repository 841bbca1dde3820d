/* SPDX-License-Identifier: Apache-2.0
 * cma_choice.c - categories beside the normal distribution, independent of it and of each other, as
 * in CatCMA (Hamano et al. 2024): natural gradient steps whose length is a trust region that grows
 * while they go on in one direction (Akimoto et al. 2019, "Adaptive stochastic natural gradient
 * method for one-shot neural architecture search"). Unlike there, a step never goes beyond what was
 * selected, so that probabilities stay probabilities. */
#include "cma_coord.h"
#include <math.h>
#include <string.h>

#define ALPHA 1.5

void asy__cma_choices_start(const struct asy__cma_coords *coords, struct asy__cma *cma)
{
    const struct asy_space *space = coords->sampler->space;
    int any = 0;

    for (size_t c = 0; c < coords->n_choices; c++) {
        const struct asy__cma_choice *choice = &coords->choices[c];
        const double *weights = asy_space_at(space, choice->param)->prior.weights;
        double sum = 0;

        for (size_t k = 0; k < choice->n; k++)
            sum += weights ? weights[k] : 1;
        for (size_t k = 0; k < choice->n; k++)
            cma->probs[choice->first + k] = (weights ? weights[k] : 1) / sum;
        any |= weights != NULL;
    }
    if (any) /* none is left out of play */
        asy__cma_choices_settle(coords, cma);
}

void asy__cma_choices_settle(const struct asy__cma_coords *coords, struct asy__cma *cma)
{
    double stay = pow(0.73, 1 / fmax((double)coords->n_choices, 1));

    for (size_t c = 0; c < coords->n_choices; c++) {
        size_t n = coords->choices[c].n;
        double *q = cma->probs + coords->choices[c].first, sum = 0;
        double least = fmin((1 - stay) / (double)(n - 1), 1 / (double)n);

        for (size_t k = 0; k < n; k++) {
            q[k] = fmax(q[k], least);
            sum += q[k];
        }
        for (size_t k = 0; k < n && sum > 1; k++)
            q[k] += (1 - sum) / (sum - (double)n * least) * (q[k] - least);
    }
}

/* What the weighted points have more of each value than the distribution. */
static void gradient(const struct asy__cma_coords *coords, const struct asy__cma *cma,
                     const double *const *xs, const double *weights, size_t mu, double *ret_g)
{
    memset(ret_g, 0, coords->n_probs * sizeof *ret_g);
    for (size_t c = 0; c < coords->n_choices; c++) {
        const struct asy__cma_choice *choice = &coords->choices[c];

        for (size_t i = 0; i < mu; i++) {
            double v = xs[i][choice->param];

            if (isnan(v))
                continue;
            for (size_t k = 0; k < choice->n; k++)
                ret_g[choice->first + k] +=
                    weights[i] * (((double)k == v) - cma->probs[choice->first + k]);
        }
    }
}

void asy__cma_choices_step(const struct asy__cma_coords *coords, struct asy__cma *cma,
                           const double *const *xs, double *scratch)
{
    double *g = scratch, *weights = g + coords->n_probs, norm = 0, path = 0, step, beta;
    double free_params = (double)(coords->n_probs - coords->n_choices), delta;
    struct asy__cma_shape shape = { .d = coords->d + coords->n_choices };
    struct asy__cma_rates rates;

    if (coords->n_choices == 0)
        return;
    asy__cma_rates(&shape, cma->vars.lambda, weights, &rates);
    gradient(coords, cma, xs, weights, rates.mu, g);
    for (size_t k = 0; k < coords->n_probs; k++)
        norm += g[k] * g[k] / cma->probs[k];
    if (!(norm > 0))
        return;
    norm = sqrt(norm);
    delta = 1 / cma->vars.delta;
    beta = fmin(delta / sqrt(free_params), 1);
    for (size_t k = 0; k < coords->n_probs; k++) {
        cma->path_q[k] = (1 - beta) * cma->path_q[k] +
                         sqrt(beta * (2 - beta)) * g[k] / sqrt(cma->probs[k]) / norm;
        path += cma->path_q[k] * cma->path_q[k];
    }
    cma->vars.gamma = (1 - beta) * (1 - beta) * cma->vars.gamma + beta * (2 - beta);
    cma->vars.delta *= exp(beta * (cma->vars.gamma - path / ALPHA));
    step = fmin(1, delta / norm);
    for (size_t k = 0; k < coords->n_probs; k++)
        cma->probs[k] += step * g[k];
    asy__cma_choices_settle(coords, cma);
}

double asy__cma_choice_at(const struct asy__cma_choice *choice, const struct asy__cma *cma,
                          double u)
{
    size_t k = 0;

    for (; k + 1 < choice->n && u >= cma->probs[choice->first + k]; k++)
        u -= cma->probs[choice->first + k];
    return (double)k;
}
