/* SPDX-License-Identifier: Apache-2.0
 * gp_suggest.h - the state of the sampler gp, and the point that its models find most promising. */
#ifndef ASY_TUNER_GP_SUGGEST_H
#define ASY_TUNER_GP_SUGGEST_H
#include "gp_data.h"
#include "gp_earlier.h"
#include "gp_model.h"
#include "sampler.h"

#define ASY__GP_FITS_MAX 64

/* Hyperparameters as they were found from the first m finished trials: those of either objective
 * and of the constraint (their second part is 0 where inputs are not warped), then the knees of
 * the objectives' scales, then the weight of what earlier studies make expect. */
#define ASY__GP_THETA_LEN(d) (3 * ASY__GP_THETA_MAX(d) + ASY__GP_GOALS_MAX + 1)
#define ASY__GP_KNEE(d, goal) (3 * ASY__GP_THETA_MAX(d) + (goal))
#define ASY__GP_WEIGHT(d) (3 * ASY__GP_THETA_MAX(d) + ASY__GP_GOALS_MAX)
struct asy__gp_fitted {
    size_t m;
    uint64_t last; /* number of the m-th finished trial */
    double *theta; /* [ASY__GP_THETA_LEN(d)] */
};

struct asy__gp_sampler {
    struct asy__gp_dim *dims; /* [d] of the parameters that are always active */
    size_t d, n_goals;
    size_t startup;           /* random trials come first */
    int has_region;           /* half of the asks search near the best */
    int warps_inputs;         /* where results bear it out */
    struct asy_sampler *tpe; /* for the others; NULL: there are none */
    struct asy__gp_data data;
    struct asy__gp objective[ASY__GP_GOALS_MAX], feasible;
    struct asy__gp_earlier earlier;
    struct asy__gp_fitted fits[ASY__GP_FITS_MAX]; /* [n_fits] ascending */
    size_t n_fits;
    double *u; /* [3, d] scratch: of tell, fixed, found */
};

/* Forgets the fits that a change of this trial's outcome concerns. */
void asy__gp_forget_fits(struct asy__gp_sampler *gp, uint64_t number);
/* Fills the third row of gp->u by what the view has and the second row holds fixed (NaN: free).
 * There is a finished trial. ASY_E_INVAL: no model. */
ASY_MUST_CHECK int asy__gp_suggest(struct asy_sampler *s, uint64_t number,
                                   struct asy__gp_view *view);
#endif
