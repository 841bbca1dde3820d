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

/* ---- the quantile ---------------------------------------------------------------------------- */

/* The ratio of two polynomials of degree 7; coefficients from that of the highest power down. */
static double ratio(double r, const double num[8], const double den[8])
{
    double p = num[0], q = den[0];

    for (int i = 1; i < 8; i++) {
        p = p * r + num[i];
        q = q * r + den[i];
    }
    return p / q;
}

static int is_tail(double p)
{
    return p < 0.075;
}

/* x with Phi(x) = p < 0.5 and log p = y > -700, to about 1e-15: Wichura 1988, algorithm AS 241,
 * PPND16, whose tail takes the logarithm of the probability as it is. y is read there alone. */
static double ndtri_left(double p, double y)
{
    static const double a[8] = { 2.5090809287301226727e+3, 3.3430575583588128105e+4,
                                 6.7265770927008700853e+4, 4.5921953931549871457e+4,
                                 1.3731693765509461125e+4, 1.9715909503065514427e+3,
                                 1.3314166789178437745e+2, 3.3871328727963666080e+0 };
    static const double b[8] = { 5.2264952788528545610e+3, 2.8729085735721942674e+4,
                                 3.9307895800092710610e+4, 2.1213794301586595867e+4,
                                 5.3941960214247511077e+3, 6.8718700749205790830e+2,
                                 4.2313330701600911252e+1, 1 };
    static const double c[8] = { 7.74545014278341407640e-4, 2.27238449892691845833e-2,
                                 2.41780725177450611770e-1, 1.27045825245236838258e+0,
                                 3.64784832476320460504e+0, 5.76949722146069140550e+0,
                                 4.63033784615654529590e+0, 1.42343711074968357734e+0 };
    static const double d[8] = { 1.05075007164441684324e-9, 5.47593808499534494600e-4,
                                 1.51986665636164571966e-2, 1.48103976427480074590e-1,
                                 6.89767334985100004550e-1, 1.67638483018380384940e+0,
                                 2.05319162663775882187e+0, 1 };
    static const double e[8] = { 2.01033439929228813265e-7, 2.71155556874348757815e-5,
                                 1.24266094738807843860e-3, 2.65321895265761230930e-2,
                                 2.96560571828504891230e-1, 1.78482653991729133580e+0,
                                 5.46378491116411436990e+0, 6.65790464350110377720e+0 };
    static const double f[8] = { 2.04426310338993978564e-15, 1.42151175831644588870e-7,
                                 1.84631831751005468180e-5, 7.86869131145613259100e-4,
                                 1.48753612908506148525e-2, 1.36929880922735805310e-1,
                                 5.99832206555887937690e-1, 1 };
    double r = sqrt(-y), off = p - 0.5;

    if (!is_tail(p))
        return off * ratio(0.180625 - off * off, a, b);
    return r <= 5 ? -ratio(r - 1.6, c, d) : -ratio(r - 5, e, f);
}

/* Phi(x), x <= 0; what does not change a sum of about 1 is left out. */
static double tail(double x)
{
    return x < -8.5 ? 0 : 0.5 * erfc(-x * SQRT1_2);
}

double asy__mass_around(double a, double b)
{
    return 1 - tail(a) - tail(-b);
}

/* Newton's method on log Phi(x) = y. log Phi is concave, so after the first step the iterates rise
 * to the root and cannot diverge; from AS 241's value it is one step. */
static double ndtri_exp_left(double y)
{
    double x = y > -700 ? ndtri_left(exp(y), y) : -sqrt(-2 * (y + ASY__LOG_SQRT_2PI));

    for (int i = 0; i < 100; i++) {
        double log_p = asy__log_ndtr(x);
        double dx = (log_p - y) * exp(log_p + 0.5 * x * x + ASY__LOG_SQRT_2PI);

        x -= dx;
        if (fabs(dx) <= 1e-12 * fabs(x) + 1e-16) /* it squares: what is left is below rounding */
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

static double ndtri(double p)
{
    return ndtri_left(p, is_tail(p) ? log(p) : 0);
}

/* An interval around 0 that is not small, as kernels have it: sums of probabilities are exact. */
static double ppf_around(double q, double below, double above)
{
    double mass = 1 - below - above, lower = below + q * mass, upper = above + (1 - q) * mass;

    return lower < upper ? ndtri(lower) : -ndtri(upper);
}

/* The logarithm of Phi at the quantile is exact where Phi is not close to 1, so it is worked out
 * from the end that keeps it away from there. */
double asy__truncnorm_ppf(double q, double a, double b)
{
    double below = 0.5 * erfc(-a * SQRT1_2), above = 0.5 * erfc(b * SQRT1_2), mass, x;

    if (q <= 0)
        return a;
    if (q >= 1)
        return b;
    if (below + above < 0.9 && below < 0.6 && above < 0.6 && q > 1e-250) {
        x = ppf_around(q, below, above);
        return x < a ? a : x > b ? b : x;
    }
    mass = asy__log_mass(a, b);
    if (a >= 0 || (b > 0 && q > 0.5))
        x = -asy__ndtri_exp(log_add(asy__log_ndtr(-b), log1p(-q) + mass));
    else
        x = asy__ndtri_exp(log_add(asy__log_ndtr(a), log(q) + mass));
    return x < a ? a : x > b ? b : x;
}
