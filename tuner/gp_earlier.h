/* SPDX-License-Identifier: Apache-2.0
 * gp_earlier.h - what earlier studies make the sampler gp expect: a Gaussian process of how their
 * trials ranked. Times a weight it is the mean of the new study's process, which so models only
 * what is different now (after Golovin et al. 2017, "Google Vizier: a service for black-box
 * optimization", section 3.3). */
#ifndef ASY_TUNER_GP_EARLIER_H
#define ASY_TUNER_GP_EARLIER_H
#include "gp_model.h"
#include "sampler.h"

struct asy__gp_earlier {
    struct asy__gp gp; /* settled once made */
    double *alpha;     /* [gp.n] NULL: not made yet */
};
#define ASY__GP_EARLIER_WORK(earlier) (2 * ((earlier)->gp.n + (earlier)->gp.d))

/* dims: d of them, borrowed. */
ASY_MUST_CHECK int asy__gp_earlier_init(struct asy__gp_earlier *earlier,
                                        const struct asy__gp_dim *dims, size_t d);
void asy__gp_earlier_fini(struct asy__gp_earlier *earlier);
/* Makes it of the sampler's earlier trials, of which there are some; once. A function of them and
 * the seed alone. */
ASY_MUST_CHECK int asy__gp_earlier_make(struct asy__gp_earlier *earlier,
                                        const struct asy_sampler *s);
/* The mean at u [d]: 0 is as good as most, below is better, by about 1. ret_gradient: [d], of
 * choices 0, or NULL. work: [ASY__GP_EARLIER_WORK(earlier)]. */
double asy__gp_earlier_mean(const struct asy__gp_earlier *earlier, const double *u, double *work,
                            double *ret_gradient);
/* What to multiply means [n] by so that results t [n] follow them, by least squares; 0: the results
 * do not bear them out, by their order. */
double asy__gp_earlier_weight(size_t n, const double *means, const double *t);
/* How likely it is that means [n] rank results t [n] better than left [n] does, which a model says
 * of each from the others (Feurer, Letham, Bakshy 2018, "Scalable meta-learning for Bayesian
 * optimization", section 4): the share of samples of the results in which they put fewer pairs into
 * the wrong order. A function of these alone. */
double asy__gp_earlier_share(size_t n, const double *t, const double *means, const double *left);
#endif
