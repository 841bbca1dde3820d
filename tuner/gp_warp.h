/* SPDX-License-Identifier: Apache-2.0
 * gp_warp.h - objective values as a Gaussian process can model them. */
#ifndef ASY_TUNER_GP_WARP_H
#define ASY_TUNER_GP_WARP_H
#include <asy/error.h>

/* t[n] from finite y[n], smaller is better: mean 0, variance 1, the order of y (equal stays
 * equal). With v = (y - least) / (median - least): linear up to v = knee, logarithmic beyond; knee
 * INFINITY: linear. Returns the sum of log dt/dv, by which models of different t compare. */
double asy__gp_warp(size_t n, const double *y, double knee, double *t);
/* The value whose t that is, between those of y [n] or beyond them; NAN: all of y are equal. */
ASY_MUST_CHECK int asy__gp_unwarp(size_t n, const double *y, double knee, double t,
                                  double *ret_value);
#endif
