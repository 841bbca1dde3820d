/* SPDX-License-Identifier: Apache-2.0
 * parzen.h - the Parzen estimator of TPE: a weighted mixture of product kernels, one per observed
 * trial and one for the prior, over a group of parameters that are drawn together.
 *
 * Kernels follow Optuna 5.0 (studied in Watanabe 2023, arXiv 2304.11127): numeric are truncated
 * normals (in log space for log parameters, integrated over the step for discrete ones) whose width
 * is the larger gap to a neighbour, at least range / min(100, n + 2) and at most the range;
 * categorical ones put weight 1 on the observed choice and 1 / (n + 1) on each; the prior is one
 * wide kernel, or what the user gives as such (a normal one, or weights of choices;
 * asy/space.h). Weights ramp up to 1 for the newest 25.
 *
 * Kept incrementally: an observation changes the kernels of its neighbours only (and all widths at
 * their floor while n < 98). Its state depends on the set of observations alone. */
#ifndef ASY_TUNER_PARZEN_H
#define ASY_TUNER_PARZEN_H
#include <asy/rng.h>
#include <asy/space.h>

enum asy__dim_kind { ASY__DIM_CONTINUOUS, ASY__DIM_DISCRETE, ASY__DIM_CHOICE };

/* A parameter as the estimator sees it. */
struct asy__dim {
    size_t param; /* index in the space */
    enum asy__dim_kind kind;
    int log;
    double min, max; /* as in the space */
    double step;     /* DISCRETE */
    double n;        /* values, or choices */
    double lo, hi;   /* of the kernels: widened by half a step, then the logarithm */
    double mean, sd; /* of the prior's kernel */
    const double *weights; /* CHOICE: [n], the space's; NULL: all the same */
    double weight_sum;
};

struct asy__kernels { /* of one dimension; entry k: observation k in order of trial number; the
                         last is the prior */
    double *mu;       /* choice: its index, the prior -1 */
    double *sigma, *inv;
    double *c;        /* log of all factors that do not depend on x */
    uint32_t *value;  /* DISCRETE: number of the grid value that is observed */
    uint32_t *sorted; /* [n] observations by (mu, k) */
    double floor;     /* smallest sigma */
    double *by_gap;   /* DISCRETE, not log: [dim.n] log mass of a value that many steps from mu, for
                         kernels at the floor; NaN: not known yet. NULL: too many values */
};

struct asy__parzen {
    const struct asy__dim *dims;
    size_t n_dims;
    struct asy__kernels *kernels; /* [n_dims] */
    uint64_t *numbers;            /* [n] ascending */
    double *log_w;                /* [n + 1], normalised; for n_weighed observations */
    size_t n_weighed;
    size_t *order;                /* [n_dims] in which dimensions are added up: the telling first */
    size_t n_lead;                /* of them, before kernels are left out */
    int uniform;                  /* all weights 1 (several objectives, below) */
    size_t n, cap;                /* observations; room, without the prior's */
};

/* Memory for asy__parzen_log_pdf, shared by all estimators of a sampler. */
struct asy__parzen_scratch {
    struct sum *sums;
    struct asy__probe *probes;
    double *rest;
    size_t n_candidates, n_dims;
    double **tables; /* [n_tables] log masses by (candidate, grid value) */
    size_t *table_caps, n_tables;
};

/* Describes parameter i. Ordered choices are discrete in their index, unless they have weights. */
void asy__dim_init(struct asy__dim *dim, const struct asy_space *space, size_t i);
/* The number of a grid value; UINT32_MAX beyond 32 bits (no table is that large). */
uint32_t asy__dim_value(const struct asy__dim *dim, double x);

/* dims are borrowed. */
ASY_MUST_CHECK int asy__parzen_init(struct asy__parzen *p, const struct asy__dim *dims,
                                    size_t n_dims, int uniform);
void asy__parzen_fini(struct asy__parzen *p); /* zeroed memory is fine too */
ASY_MUST_CHECK int asy__parzen_reserve(struct asy__parzen *p, size_t n);
/* x: a point of the space in which the dims are active. There is room; number is not there. */
void asy__parzen_insert(struct asy__parzen *p, uint64_t number, const double *x);
void asy__parzen_remove(struct asy__parzen *p, uint64_t number);

/* To be called between the last change and sample or log_pdf. */
void asy__parzen_settle(struct asy__parzen *p);

/* Draws one value per dim (as in the space) into ret_x[n_dims]. */
void asy__parzen_sample(const struct asy__parzen *p, struct asy_rng *rng, double *ret_x);
/* xs: [n_candidates, n_dims] as from sample. Densities of log parameters are over the logarithm. */
void asy__parzen_log_pdf(const struct asy__parzen *p, const double *xs, size_t n_candidates,
                         struct asy__parzen_scratch *scratch, double *ret_log_pdf);
/* The plain sum: the same bits. */
void asy__parzen_log_pdf_ref(const struct asy__parzen *p, const double *xs, size_t n_candidates,
                             struct asy__parzen_scratch *scratch, double *ret_log_pdf);
/* Room for estimators with up to n observations over dims. */
ASY_MUST_CHECK int asy__parzen_scratch_reserve(struct asy__parzen_scratch *scratch,
                                               const struct asy__dim *dims, size_t n_dims,
                                               size_t n_candidates, size_t n);
void asy__parzen_scratch_fini(struct asy__parzen_scratch *scratch);
#endif
