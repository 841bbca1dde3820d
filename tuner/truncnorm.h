/* SPDX-License-Identifier: Apache-2.0
 * truncnorm.h - the normal distribution in logarithms, and cut to an interval.
 *
 * All are accurate to about 1e-13 relative (of the value, or of the logarithm where it is not
 * close to 0), far into the tails, where probabilities themselves underflow. */
#ifndef ASY_TUNER_TRUNCNORM_H
#define ASY_TUNER_TRUNCNORM_H

#define ASY__LOG_SQRT_2PI 0.91893853320467274178

double asy__log_ndtr(double x);              /* log Phi(x) */
double asy__ndtri_exp(double y);             /* x with log Phi(x) == y, y <= 0 */
double asy__log_mass(double a, double b);    /* log(Phi(b) - Phi(a)), a <= b */
double asy__log_mass_mid(double mid, double half); /* the same for mid - half .. mid + half */
/* Phi(b) - Phi(a), a <= 0 <= b and not both near 0. */
double asy__mass_around(double a, double b);
/* The quantile q in [0, 1] of the standard normal cut to [a, b]. */
double asy__truncnorm_ppf(double q, double a, double b);
#endif
