/* SPDX-License-Identifier: Apache-2.0
 * cma.h - the covariance matrix adaptation evolution strategy: a normal distribution over the unit
 * cube of d coordinates, moved by batches of ranked points.
 *
 * Equations: Hansen, "The CMA evolution strategy: a tutorial" (arXiv 1604.00772), with weights,
 * rates and active update as in its appendix A. Separable: Ros and Hansen 2008, the diagonal alone
 * is adapted, (d + 2) / 3 times faster. Points need not come from the present distribution: where
 * they come from is estimated (cma.c), and their steps are cut as Hansen, "Injecting external
 * solutions into CMA-ES" (arXiv 1110.4181), has it.
 * Rates: Nomura, Akimoto and Ono, "CMA-ES with learning rate adaptation" (GECCO 2023). Margin:
 * Hamano, Saito, Nomura and Shirakawa, "CMA-ES with margin" (GECCO 2022). Categories: the same
 * authors' CatCMA (GECCO 2024).
 *
 * What changes is in one plain struct and one block of doubles, so a state is kept and brought back
 * by copying both. */
#ifndef ASY_TUNER_CMA_H
#define ASY_TUNER_CMA_H
#include <asy/rng.h>

struct asy__cma_shape { /* fixed for the life of a distribution */
    size_t d;           /* coordinates; 0 is fine */
    int separable;
    int adapt;          /* the learning rates; not together with separable */
    int strict;         /* points are draws from the present distribution, not confined to the
                           cube: the published step, and nothing more */
    size_t n_probs;     /* of all categories */
    size_t funhist;     /* generations that the longest window of asy__cma_stalled needs */
};

struct asy__cma_vars {
    size_t lambda;       /* points of a batch */
    uint64_t generation; /* batches since the start */
    double sigma, sigma0;
    double rate_mean, rate_cov; /* adapt: factors of the steps */
    double power_mean, power_cov;
    double delta, gamma; /* categories: inverse trust region, what is expected of |path_q|^2 */
    int broken;          /* not finite any more: only a start helps */
};

struct asy__cma { /* [d] where nothing else is said */
    struct asy__cma_shape shape;
    struct asy__cma_vars vars;
    double *block;      /* all that follows; [block_len] */
    size_t block_len;
    double *mean;
    double *cov;        /* [d, d], the lower triangle; separable: [d] */
    double *vectors;    /* [d, d] rows are eigenvectors of cov; separable: not there */
    double *scales;     /* roots of the eigenvalues */
    double *path_c, *path_s;
    double *margin;     /* factors of single coordinates' spread, >= their natural 1 */
    double *drift_mean; /* adapt */
    double *drift_cov;  /* adapt: [d, d] */
    double *probs;      /* [n_probs] */
    double *path_q;     /* [n_probs] */
    double *best, *worst; /* [funhist] rings of values */
    double *scratch;    /* not part of the block; nor are these */
    double *precision;  /* [d, d] */
    int has_precision;  /* it is that of cov */
};

ASY_MUST_CHECK int asy__cma_init(struct asy__cma *cma, const struct asy__cma_shape *shape);
void asy__cma_fini(struct asy__cma *cma); /* zeroed memory is fine too */
/* Both of one shape. */
void asy__cma_copy(struct asy__cma *to, const struct asy__cma *from);

/* A new distribution of spread sigma around mean, a batch of lambda >= 2. */
void asy__cma_start(struct asy__cma *cma, const double *mean, double sigma, size_t lambda);
/* The same with a covariance as cma->cov, positive definite. After ASY_E_NOMEM
 * nothing has changed. */
ASY_MUST_CHECK int asy__cma_start_cov(struct asy__cma *cma, const double *mean, const double *cov,
                                      size_t lambda);
/* xs: [lambda, d] the best first. Room for a batch of this size is made first; after ASY_E_NOMEM
 * nothing has changed. */
ASY_MUST_CHECK int asy__cma_step(struct asy__cma *cma, const double *xs);
/* Draws a point, not confined to the cube. */
void asy__cma_draw(const struct asy__cma *cma, struct asy_rng *rng, double *ret_x);
/* Prepares the next. */
ASY_MUST_CHECK int asy__cma_precise(struct asy__cma *cma);
/* How coordinate j of a step y [d], in units of sigma and margin, is distributed given the others:
 * normal. */
void asy__cma_given(const struct asy__cma *cma, const double *y, size_t j, double *ret_mean,
                    double *ret_sd);
/* The standard deviation of one coordinate, with its margin. */
double asy__cma_spread(const struct asy__cma *cma, size_t j);
/* log density at x, without the constant. */
double asy__cma_log_pdf(const struct asy__cma *cma, const double *x);

/* weights: [lambda], positive ones first; they sum to 1, the others are for the active update. */
struct asy__cma_rates {
    size_t mu;
    double mu_eff, c_1, c_mu, c_c, c_sigma, d_sigma, chi;
};
void asy__cma_rates(const struct asy__cma_shape *shape, size_t lambda, double *weights,
                    struct asy__cma_rates *ret_rates);
#endif
