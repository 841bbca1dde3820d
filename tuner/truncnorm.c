/* SPDX-License-Identifier: Apache-2.0
 * truncnorm.c - the normal distribution in logarithms, by cases.
 *
 * Mass of an interval: a power series around the middle where it is narrow (the difference of two
 * nearly equal probabilities would cancel), the difference of logarithms of the smaller tail where
 * it lies on one side of 0, the sum of two error functions where it spans 0. */
#include "truncnorm.h"
#include <math.h>

#define SQRT1_2 0.70710678118654752440
#define LN2 0.69314718055994530942
#define NARROW 0.1     /* half (1 + |mid|) up to which the series is used: error below 1e-15 */
#define TAIL (-30.0)   /* below: asymptotic series; Phi itself is still a normal double there */

/* log Phi(x), x < -30: Abramowitz and Stegun 26.2.12. */
static double log_ndtr_tail(double x)
{
    double r = 1 / (x * x), sum = 0;

    for (int k = 9; k >= 1; k--) /* 1 - r (1 - 3 r (1 - 5 r ...)) */
        sum = (2 * k - 1) * r * (1 - sum);
    return -0.5 * x * x - log(-x) - ASY__LOG_SQRT_2PI + log1p(-sum);
}

double asy__log_ndtr(double x)
{
    if (x > 0)
        return log1p(-0.5 * erfc(x * SQRT1_2));
    if (x > TAIL)
        return log(0.5 * erfc(-x * SQRT1_2));
    return isinf(x) ? x : log_ndtr_tail(x);
}

/* phi(mid) times 2 half times sum over k of He_2k(mid) half^2k / (2k+1)!. */
static double log_mass_narrow(double mid, double half)
{
    double m2 = mid * mid, h2 = half * half;
    double he4 = (m2 - 6) * m2 + 3;
    double he6 = ((m2 - 15) * m2 + 45) * m2 - 15;
    double he8 = (((m2 - 28) * m2 + 210) * m2 - 420) * m2 + 105;
    double he10 = ((((m2 - 45) * m2 + 630) * m2 - 3150) * m2 + 4725) * m2 - 945;
    double sum = h2 * (m2 - 1) / 6 + h2 * h2 * he4 / 120 +
                 h2 * h2 * h2 * (he6 / 5040 + h2 * he8 / 362880 + h2 * h2 * he10 / 39916800);

    return log(2 * half) - 0.5 * m2 - ASY__LOG_SQRT_2PI + log1p(sum);
}

/* a < b <= 0 or so: both ends in the left half. */
static double log_mass_left(double a, double b)
{
    double log_b = asy__log_ndtr(b), diff = asy__log_ndtr(a) - log_b;

    return log_b + (diff > -LN2 ? log(-expm1(diff)) : log1p(-exp(diff)));
}

static double log_mass_wide(double a, double b)
{
    double mass;

    if (b <= 0)
        return log_mass_left(a, b);
    if (a >= 0)
        return log_mass_left(-b, -a);
    mass = 0.5 * (erf(b * SQRT1_2) + erf(-a * SQRT1_2));
    if (mass < 0.5)
        return log(mass);
    return log1p(-0.5 * (erfc(b * SQRT1_2) + erfc(-a * SQRT1_2)));
}

double asy__log_mass_mid(double mid, double half)
{
    if (half <= 0)
        return -INFINITY;
    if (half * (1 + fabs(mid)) <= NARROW)
        return log_mass_narrow(mid, half);
    return log_mass_wide(mid - half, mid + half);
}

double asy__log_mass(double a, double b)
{
    double half = 0.5 * (b - a), mid = 0.5 * (a + b);

    if (!(half > 0))
        return -INFINITY;
    if (half * (1 + fabs(mid)) <= NARROW)
        return log_mass_narrow(mid, half);
    return log_mass_wide(a, b);
}

/* Newton's method on log Phi(x) = y. log Phi is concave, so after the first step the iterates rise
 * to the root and cannot diverge. */
static double ndtri_exp_left(double y)
{
    double x = y < -3 ? -sqrt(-2 * (y + ASY__LOG_SQRT_2PI)) : 0;

    for (int i = 0; i < 100; i++) {
        double log_p = asy__log_ndtr(x);
        double dx = (log_p - y) * exp(log_p + 0.5 * x * x + ASY__LOG_SQRT_2PI);

        x -= dx;
        if (fabs(dx) <= 1e-14 * fabs(x) + 1e-16)
            break;
    }
    return x;
}

double asy__ndtri_exp(double y)
{
    if (y >= 0)
        return INFINITY;
    if (isinf(y))
        return -INFINITY;
    if (y > -LN2)
        return -ndtri_exp_left(log(-expm1(y)));
    return ndtri_exp_left(y);
}

static double log_add(double p, double q)
{
    double hi = p > q ? p : q, lo = p > q ? q : p;

    return isinf(hi) ? hi : hi + log1p(exp(lo - hi));
}

/* The logarithm of Phi at the quantile is exact where Phi is not close to 1, so it is worked out
 * from the end that keeps it away from there. */
double asy__truncnorm_ppf(double q, double a, double b)
{
    double mass = asy__log_mass(a, b), x;

    if (q <= 0)
        return a;
    if (q >= 1)
        return b;
    if (a >= 0 || (b > 0 && q > 0.5))
        x = -asy__ndtri_exp(log_add(asy__log_ndtr(-b), log1p(-q) + mass));
    else
        x = asy__ndtri_exp(log_add(asy__log_ndtr(a), log(q) + mass));
    return x < a ? a : x > b ? b : x;
}
