/* SPDX-License-Identifier: Apache-2.0
 * test_truncnorm.c - the truncated normal against 60-digit values (golden/make_truncnorm.py). */
#include "truncnorm.h"
#include "asytest.h"
#include "golden/truncnorm.inc"

/* Relative in the value; results around 0 (mass near 1) are themselves tiny and still relative. */
static bool near(const char *what, double x, double got, double want, double tol)
{
    return t__check(fabs(got - want) <= tol * fabs(want) + 1e-305, __LINE__, __FILE__,
                    "%s of %.17g is %.17g, not %.17g (%.2g off)", what, x, got, want,
                    fabs(got - want) / fabs(want));
}

static void log_ndtr_matches(void)
{
    /* A few units in the last place of erfc, and x^2 of them from rounding its argument. */
    for (size_t i = 0; i < ASY_ARRAY_LEN(log_ndtr_cases); i++) {
        double x = log_ndtr_cases[i][0];

        near("log Phi", x, asy__log_ndtr(x), log_ndtr_cases[i][1],
             x > 0 ? 2e-16 * (10 + x * x) : 2e-15);
    }
}

static void log_mass_matches(void)
{
    /* Cancellation in the difference of two tails just above the narrow case costs the most. */
    for (size_t i = 0; i < ASY_ARRAY_LEN(log_mass_cases); i++)
        near("log mass from", log_mass_cases[i][0],
             asy__log_mass(log_mass_cases[i][0], log_mass_cases[i][1]), log_mass_cases[i][2],
             2e-13);
}

static void ndtri_exp_matches(void)
{
    for (size_t i = 0; i < ASY_ARRAY_LEN(ndtri_exp_cases); i++)
        near("quantile of log p", ndtri_exp_cases[i][0], asy__ndtri_exp(ndtri_exp_cases[i][0]),
             ndtri_exp_cases[i][1], 1e-13);
}

static void ppf_matches(void)
{
    /* An absolute error of the interval's size is what sampling sees. */
    for (size_t i = 0; i < ASY_ARRAY_LEN(ppf_cases); i++) {
        const double *c = ppf_cases[i];
        double got = asy__truncnorm_ppf(c[0], c[1], c[2]);

        t__check(fabs(got - c[3]) <= 1e-11 * fmin(c[2] - c[1], 1), __LINE__, __FILE__,
                 "q = %.17g of [%g, %g]: %.17g, not %.17g", c[0], c[1], c[2], got, c[3]);
    }
    T_NEAR("q 0", asy__truncnorm_ppf(0, -2, 1), -2, 0);
    T_NEAR("q 1", asy__truncnorm_ppf(1, -2, 1), 1, 0);
}

/* The cases of log_mass join without a step, and the middle form is the same function. */
static void mass_is_monotone_over_the_seams(void)
{
    for (double mid = -45; mid <= 45; mid += 0.37) {
        double last = -INFINITY;

        for (double half = 1e-6; half < 60; half *= 1.01) {
            double v = asy__log_mass(mid - half, mid + half), w = asy__log_mass_mid(mid, half);

            if (!(v >= last) || fabs(v - w) > 1e-9 * (1 + fabs(v)))
                t__check(false, __LINE__, __FILE__, "at %g, half %g: %.17g after %.17g, mid %.17g",
                         mid, half, v, last, w);
            last = v - 1e-12 * fabs(v); /* where the mass has reached 1, rounding may go down */
        }
    }
    T_TRUE(asy__log_mass(1, 1) == -INFINITY);
}

/* Parts of kernels, as sums of tails, are what logarithms of differences say. */
static void masses_around_zero_are_exact(void)
{
    for (double a = -40; a <= 0; a += 0.37)
        for (double b = 0; b <= 40; b += 0.53)
            if (b - a >= 1) /* rounding of 1 minus two tails, over a mass of a third or more */
                T_NEAR("mass", asy__mass_around(a, b), exp(asy__log_mass(a, b)), 1e-15);
}

/* The two ways to a quantile, by sums and by logarithms, agree where both apply. */
static void quantiles_agree_whatever_way(void)
{
    for (double a = -9; a <= -0.5; a += 0.25)
        for (double q = 1e-9; q < 1; q += 0.0173) {
            double b = 1.3, by_sums = asy__truncnorm_ppf(q, a, b);
            double mass = log(q) + asy__log_mass(a, b), below = asy__log_ndtr(a);
            double by_logs = asy__ndtri_exp(below + log1p(exp(mass - below)));

            /* Above 0 the logarithm of Phi forgets digits. */
            T_NEAR("quantile", by_sums, by_logs, by_logs < 0 ? 1e-13 : 1e-12);
        }
}

T_MAIN("truncnorm", T_TEST(log_ndtr_matches), T_TEST(log_mass_matches), T_TEST(ndtri_exp_matches),
       T_TEST(ppf_matches), T_TEST(mass_is_monotone_over_the_seams),
       T_TEST(masses_around_zero_are_exact), T_TEST(quantiles_agree_whatever_way))
