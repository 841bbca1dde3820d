/* SPDX-License-Identifier: Apache-2.0
 * problems_mo.c - see problems_mo.h. Fewer parameters than in the papers (30, 12 and 24), since
 * trials are few; reference points are about where random search begins, those of WFG the largest
 * values of its objectives. */
#include "problems_mo.h"
#include <math.h>
#include "problems_wfg.h"

#define PI 3.14159265358979323846
#define BEST 0.37

/* How far a parameter is from its best value, 0 to 1. */
static double away(double x)
{
    return fabs(x - BEST) / (1 - BEST);
}

static double mean_of_rest(const double *x, size_t n)
{
    double sum = 0;

    for (size_t i = 1; i < n; i++)
        sum += away(x[i]);
    return sum / (double)(n - 1);
}

static void zdt1(const double *x, size_t n, double *f)
{
    double g = 1 + 9 * mean_of_rest(x, n);

    f[0] = x[0];
    f[1] = g * (1 - sqrt(f[0] / g));
}

static void zdt2(const double *x, size_t n, double *f)
{
    double g = 1 + 9 * mean_of_rest(x, n);

    f[0] = x[0];
    f[1] = g * (1 - f[0] / g * f[0] / g);
}

static void zdt3(const double *x, size_t n, double *f)
{
    double g = 1 + 9 * mean_of_rest(x, n);

    f[0] = x[0];
    f[1] = g * (1 - sqrt(f[0] / g) - f[0] / g * sin(10 * PI * f[0]));
}

static void zdt4(const double *x, size_t n, double *f)
{
    double g = 1 + 10 * (double)(n - 1);

    for (size_t i = 1; i < n; i++) {
        double y = 5 * away(x[i]);

        g += y * y - 10 * cos(4 * PI * y);
    }
    f[0] = x[0];
    f[1] = g * (1 - sqrt(f[0] / g));
}

static void zdt6(const double *x, size_t n, double *f)
{
    double g = 1 + 9 * pow(mean_of_rest(x, n), 0.25);

    f[0] = 1 - exp(-4 * x[0]) * pow(sin(6 * PI * x[0]), 6);
    f[1] = g * (1 - f[0] / g * f[0] / g);
}

static void dtlz2(const double *x, size_t n, double *f)
{
    double g = 1;

    for (size_t i = 2; i < n; i++)
        g += (x[i] - 0.5) * (x[i] - 0.5);
    f[0] = g * cos(x[0] * PI / 2) * cos(x[1] * PI / 2);
    f[1] = g * cos(x[0] * PI / 2) * sin(x[1] * PI / 2);
    f[2] = g * sin(x[0] * PI / 2);
}

static const struct {
    const char *name;
    void (*f)(const double *x, size_t n, double *f);
    size_t dims, goals;
    double reference[MO_GOALS_MAX];
} problems[] = {
    { "zdt1", zdt1, 10, 2, { 1.1, 11 } },
    { "zdt2", zdt2, 10, 2, { 1.1, 11 } },
    { "zdt3", zdt3, 10, 2, { 1.1, 11 } },
    { "zdt4", zdt4, 10, 2, { 1.1, 300 } },
    { "zdt6", zdt6, 10, 2, { 1.1, 11 } },
    { "dtlz2", dtlz2, 7, 3, { 2.5, 2.5, 2.5 } },
    { "wfg1", wfg1, 10, 2, { 3, 5 } },
    { "wfg2", wfg2, 10, 2, { 3, 5 } },
    { "wfg3", wfg3, 10, 2, { 3, 5 } },
    { "wfg4", wfg4, 10, 2, { 3, 5 } },
    { "wfg5", wfg5, 10, 2, { 3, 5 } },
    { "wfg6", wfg6, 10, 2, { 3, 5 } },
    { "wfg7", wfg7, 10, 2, { 3, 5 } },
    { "wfg8", wfg8, 10, 2, { 3, 5 } },
    { "wfg9", wfg9, 10, 2, { 3, 5 } },
};

const char *mo_problem_name(size_t i)
{
    return i < sizeof problems / sizeof *problems ? problems[i].name : NULL;
}

size_t mo_problem_dims(size_t i)
{
    return problems[i].dims;
}

size_t mo_problem_goals(size_t i)
{
    return problems[i].goals;
}

void mo_problem_values(size_t i, const double *x, double *ret_values)
{
    problems[i].f(x, problems[i].dims, ret_values);
}

const double *mo_problem_reference(size_t i)
{
    return problems[i].reference;
}
