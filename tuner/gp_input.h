/* SPDX-License-Identifier: Apache-2.0
 * gp_input.h - inputs as a Gaussian process sees them: the distribution function of Kumaraswamy,
 * 1 - (1 - u^a)^b, which stretches the part of [0, 1] where an objective changes
 * faster (Snoek, Swersky, Zemel, Adams 2014, "Input warping for Bayesian optimization of
 * non-stationary functions"). a = b = 1 leaves all as it is. */
#ifndef ASY_TUNER_GP_INPUT_H
#define ASY_TUNER_GP_INPUT_H

/* u in [0, 1]. */
double asy__gp_input(double u, double a, double b);
/* Its derivative by u; at the ends, where there may be none, that of a point beside them. */
double asy__gp_input_slope(double u, double a, double b);
/* Its derivatives by log a and log b. */
void asy__gp_input_by(double u, double a, double b, double *ret_by_a, double *ret_by_b);
#endif
