/* SPDX-License-Identifier: Apache-2.0
 * logei.c - see logei.h.
 *
 * For t = -z > 2.5 through the continued fraction of Mills' ratio (Abramowitz and Stegun 26.2.14)
 *     Phi(-t) / phi(t) = 1 / (t + K),  K = 1 / (t + 2 / (t + 3 / (t + ...))),
 * in which phi(t) - t Phi(-t) = phi(t) K / (t + K): a product, where the paper's formula with erfcx
 * subtracts two numbers that agree in all but the last 2 log10(t) digits. */
#include "logei.h"
#include <math.h>

#define LOG_SQRT_2PI 0.91893853320467274178
#define SQRT_HALF 0.70710678118654752440
#define TAIL 2.5

/* K above; so many steps leave an error below 4e-16 (tried against 50 digits). */
static double fraction(double t)
{
    double k = 0;

    for (int i = 12 + (int)(600 / (t * t)); i > 0; i--)
        k = i / (t + k);
    return k;
}

double asy__log_h(double z, double *ret_slope)
{
    double density, below, h;

    if (z < -TAIL) {
        double k = fraction(-z);

        *ret_slope = 1 / k;
        return -0.5 * z * z - LOG_SQRT_2PI + log(k / (k - z));
    }
    density = exp(-0.5 * z * z - LOG_SQRT_2PI);
    below = 0.5 * erfc(-z * SQRT_HALF);
    h = density + z * below;
    *ret_slope = below / h;
    return log(h);
}
