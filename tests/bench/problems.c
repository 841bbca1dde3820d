/* SPDX-License-Identifier: Apache-2.0
 * problems.c - see problems.h: names, seeds, and the classical functions. */
#include "problems_impl.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PI 3.14159265358979323846

/* ---- the seed's draws ------------------------------------------------------------------------ */

double problem_uniform(struct problem *p)
{
    uint64_t z = p->draws += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

double problem_normal(struct problem *p) /* Box and Muller 1958 */
{
    double u = 1 - problem_uniform(p), v = problem_uniform(p);

    return sqrt(-2 * log(u)) * cos(2 * PI * v);
}

/* ---- classical functions: as in Surjanovic and Bingham's collection -------------------------- */

static double square(double v)
{
    return v * v;
}

static double branin(const double *z, size_t n)
{
    (void)n;
    return square(z[1] - 5.1 / (4 * PI * PI) * z[0] * z[0] + 5 / PI * z[0] - 6) +
           10 * (1 - 1 / (8 * PI)) * (cos(z[0]) + 1);
}

static double hartmann6(const double *z, size_t n)
{
    static const double c[4] = { 1, 1.2, 3, 3.2 };
    static const double a[4][6] = { { 10, 3, 17, 3.5, 1.7, 8 },
                                    { 0.05, 10, 17, 0.1, 8, 14 },
                                    { 3, 3.5, 1.7, 10, 17, 8 },
                                    { 17, 8, 0.05, 10, 0.1, 14 } };
    static const double at[4][6] = { { 0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886 },
                                     { 0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991 },
                                     { 0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650 },
                                     { 0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381 } };
    double sum = 3.32236801141551;

    for (size_t i = 0; i < 4; i++) {
        double far = 0;

        for (size_t k = 0; k < n; k++)
            far += a[i][k] * square(z[k] - at[i][k]);
        sum -= c[i] * exp(-far);
    }
    return sum;
}

static double ackley(const double *z, size_t n)
{
    double squares = 0, waves = 0;

    for (size_t i = 0; i < n; i++) {
        squares += z[i] * z[i] / (double)n;
        waves += cos(2 * PI * z[i]) / (double)n;
    }
    return -20 * expm1(-0.2 * sqrt(squares)) - exp(1) * expm1(waves - 1);
}

static double rosenbrock(const double *z, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i + 1 < n; i++)
        sum += 100 * square(z[i + 1] - z[i] * z[i]) + square(z[i] - 1);
    return sum;
}

static double rastrigin(const double *z, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += z[i] * z[i] + 10 * (1 - cos(2 * PI * z[i]));
    return sum;
}

static double levy(const double *z, size_t n)
{
    double last = 1 + (z[n - 1] - 1) / 4, sum = square(sin(PI * (1 + (z[0] - 1) / 4)));

    for (size_t i = 0; i + 1 < n; i++) {
        double w = 1 + (z[i] - 1) / 4;

        sum += square(w - 1) * (1 + 10 * square(sin(PI * w + 1)));
    }
    return sum + square(last - 1) * (1 + square(sin(2 * PI * last)));
}

static const double zeros[PROBLEM_DIMS_MAX];
static const double ones[PROBLEM_DIMS_MAX] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                               1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
static const double branin_home[] = { PI, 2.275 };
static const double hartmann6_home[] = { 0.20168951, 0.15001069, 0.47687397,
                                         0.27533243, 0.31165162, 0.65730053 };
static const struct classic {
    const char *name;
    double (*f)(const double *z, size_t n); /* >= 0, also outside the box it usually has */
    size_t dims;
    double width; /* of the box */
    const double *home;
} classics[] = {
    { "branin2", branin, 2, 15, branin_home },
    { "hartmann6", hartmann6, 6, 1, hartmann6_home },
    { "ackley5", ackley, 5, 65.536, zeros },
    { "ackley10", ackley, 10, 65.536, zeros },
    { "rosenbrock5", rosenbrock, 5, 15, ones },
    { "rosenbrock20", rosenbrock, 20, 15, ones },
    { "rastrigin5", rastrigin, 5, 10.24, zeros },
    { "levy10", levy, 10, 20, ones },
};
#define N_CLASSICS (sizeof classics / sizeof classics[0])

const char *problem_classic_name(size_t i)
{
    return i < N_CLASSICS ? classics[i].name : NULL;
}

static const struct classic *classic_find(const char *name)
{
    for (size_t i = 0; i < N_CLASSICS; i++)
        if (!strcmp(classics[i].name, name))
            return &classics[i];
    return NULL;
}

static double classic_regret(const struct problem *p, const double *x)
{
    double z[PROBLEM_DIMS_MAX];

    for (size_t i = 0; i < p->dims; i++)
        z[i] = x[i] - p->opt[i] + p->home[i];
    return p->f(z, p->dims);
}

/* The box is as wide as usual; the best lies anywhere in its inner 80 %. */
int problem_classic_init(struct problem *p, const char *name)
{
    const struct classic *c = classic_find(name);

    if (!c)
        return -1;
    p->regret = classic_regret;
    p->f = c->f;
    p->home = c->home;
    p->dims = c->dims;
    for (size_t i = 0; i < c->dims; i++) {
        double lo = c->home[i] - c->width * (0.1 + 0.8 * problem_uniform(p));

        p->params[i] = (struct problem_param){ PROBLEM_FLOAT, lo, lo + c->width };
        p->opt[i] = c->home[i];
    }
    return 0;
}

/* ---- all of them ----------------------------------------------------------------------------- */

const char *problem_name(size_t i)
{
    static const char *(*const lists[])(size_t) = { problem_classic_name, problem_bbob_name,
                                                    problem_table_name };

    for (size_t list = 0; list < sizeof lists / sizeof lists[0]; list++)
        for (size_t k = 0; lists[list](k); k++)
            if (i-- == 0)
                return lists[list](k);
    return NULL;
}

struct problem *problem_open(const char *name, uint64_t seed, const char *tables)
{
    struct problem *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    p->draws = seed * 0xd1342543de82ef95u + 1;
    if (problem_classic_init(p, name) && problem_bbob_init(p, name) &&
        problem_table_init(p, name, tables)) {
        problem_close(p);
        return NULL;
    }
    p->offset = floor(2000 * problem_uniform(p) - 1000) / 10;
    return p;
}

void problem_close(struct problem *p)
{
    if (!p)
        return;
    problem_table_destroy(p->table);
    free(p->rot);
    free(p->rot2);
    free(p->peaks);
    free(p);
}

size_t problem_dims(const struct problem *p)
{
    return p->dims;
}

const struct problem_param *problem_param(const struct problem *p, size_t i)
{
    return &p->params[i];
}

double problem_regret(const struct problem *p, const double *x)
{
    double regret = p->regret(p, x);

    return regret > 0 ? regret : 0; /* rounding */
}

double problem_value(const struct problem *p, const double *x)
{
    return problem_regret(p, x) + p->offset;
}

void problem_optimum(const struct problem *p, double *x)
{
    memcpy(x, p->opt, p->dims * sizeof *x);
}
