/* SPDX-License-Identifier: Apache-2.0
 * gp_input.c - see gp_input.h. All of it in logarithms, so that neither end loses its digits. */
#include "gp_input.h"
#include <math.h>

#define SLOPE_FROM 1e-4 /* an end's slope is that of the point so far inside */

/* log(1 - u^a), u inside. */
static double log_rest(double u, double a)
{
    return log(-expm1(a * log(u)));
}

double asy__gp_input(double u, double a, double b)
{
    if (u <= 0)
        return 0;
    return u >= 1 ? 1 : -expm1(b * log_rest(u, a));
}

double asy__gp_input_slope(double u, double a, double b)
{
    u = u < SLOPE_FROM ? SLOPE_FROM : u > 1 - SLOPE_FROM ? 1 - SLOPE_FROM : u;
    return a * b * exp((a - 1) * log(u) + (b - 1) * log_rest(u, a));
}

void asy__gp_input_by(double u, double a, double b, double *ret_by_a, double *ret_by_b)
{
    double log_u, rest;

    *ret_by_a = *ret_by_b = 0; /* the ends stay where they are */
    if (u <= 0 || u >= 1)
        return;
    log_u = log(u);
    rest = log_rest(u, a);
    *ret_by_a = a * b * log_u * exp(a * log_u + (b - 1) * rest);
    *ret_by_b = -b * rest * exp(b * rest);
}
