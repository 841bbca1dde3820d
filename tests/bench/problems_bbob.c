/* SPDX-License-Identifier: Apache-2.0
 * problems_bbob.c - twelve functions of the BBOB suite: Hansen, Finck, Ros, Auger, "Real-parameter
 * black-box optimization benchmarking 2009: noiseless functions definitions", INRIA RR-6829.
 *
 * Formulas are those of the report; rotations and places are drawn by us, so values are not those
 * of its instances. All lie in [-5, 5]^D with the best uniform in [-4, 4]^D, also Rosenbrock's,
 * which the report leaves near the centre. Terms that only count outside the box are left out. */
#include "problems_impl.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PI 3.14159265358979323846
#define N_PEAKS 101

static double square(double v)
{
    return v * v;
}

/* ---- the report's section 0.2 ---------------------------------------------------------------- */

static double t_osz(double v)
{
    double log_v = v != 0 ? log(fabs(v)) : 0, c1 = v > 0 ? 10 : 5.5, c2 = v > 0 ? 7.9 : 3.1;
    double size = exp(log_v + 0.049 * (sin(c1 * log_v) + sin(c2 * log_v)));

    return v > 0 ? size : v < 0 ? -size : 0;
}

/* i / (D - 1): 0 for the first coordinate, 1 for the last. */
static double along(size_t i, size_t n)
{
    return (double)i / (double)(n - 1);
}

static void t_asy(double *z, size_t n, double beta)
{
    for (size_t i = 0; i < n; i++)
        if (z[i] > 0)
            z[i] = pow(z[i], 1 + beta * along(i, n) * sqrt(z[i]));
}

static void stretch(double *z, size_t n, double alpha) /* Lambda^alpha */
{
    for (size_t i = 0; i < n; i++)
        z[i] *= pow(alpha, 0.5 * along(i, n));
}

static void rotate(const double *rot, double *z, size_t n)
{
    double from[PROBLEM_DIMS_MAX];

    memcpy(from, z, n * sizeof *z);
    for (size_t i = 0; i < n; i++) {
        z[i] = 0;
        for (size_t k = 0; k < n; k++)
            z[i] += rot[i * n + k] * from[k];
    }
}

/* R (x - x_opt), where every function but the sphere begins. */
static void begin(const struct problem *p, const double *x, double *z)
{
    for (size_t i = 0; i < p->dims; i++)
        z[i] = x[i] - p->opt[i];
    rotate(p->rot, z, p->dims);
}

/* ---- the functions; each returns the value above its best ------------------------------------ */

static double sphere(const struct problem *p, const double *x)
{
    double sum = 0;

    for (size_t i = 0; i < p->dims; i++)
        sum += square(x[i] - p->opt[i]);
    return sum;
}

static double attractive_sector(const struct problem *p, const double *x)
{
    double z[PROBLEM_DIMS_MAX], sum = 0;

    begin(p, x, z);
    stretch(z, p->dims, 10);
    rotate(p->rot2, z, p->dims);
    for (size_t i = 0; i < p->dims; i++)
        sum += square((z[i] * p->opt[i] > 0 ? 100 : 1) * z[i]);
    return pow(t_osz(sum), 0.9);
}

static double step_ellipsoid(const struct problem *p, const double *x)
{
    double z[PROBLEM_DIMS_MAX], first, sum = 0;

    begin(p, x, z);
    stretch(z, p->dims, 10);
    first = fabs(z[0]) / 1e4;
    for (size_t i = 0; i < p->dims; i++)
        z[i] = fabs(z[i]) > 0.5 ? floor(0.5 + z[i]) : floor(0.5 + 10 * z[i]) / 10;
    rotate(p->rot2, z, p->dims);
    for (size_t i = 0; i < p->dims; i++)
        sum += pow(10, 2 * along(i, p->dims)) * z[i] * z[i];
    return 0.1 * fmax(first, sum);
}

static double rosenbrock(const struct problem *p, const double *x)
{
    double z[PROBLEM_DIMS_MAX], sum = 0, scale = fmax(1, sqrt((double)p->dims) / 8);

    begin(p, x, z);
    for (size_t i = 0; i < p->dims; i++)
        z[i] = scale * z[i] + 1;
    for (size_t i = 0; i + 1 < p->dims; i++)
        sum += 100 * square(z[i] * z[i] - z[i + 1]) + square(z[i] - 1);
    return sum;
}

static double ellipsoid(const struct problem *p, const double *x)
{
    double z[PROBLEM_DIMS_MAX], sum = 0;

    begin(p, x, z);
    for (size_t i = 0; i < p->dims; i++)
        sum += pow(10, 6 * along(i, p->dims)) * square(t_osz(z[i]));
    return sum;
}

static double discus(const struct problem *p, const double *x)
{
    double z[PROBLEM_DIMS_MAX], sum = 0;

    begin(p, x, z);
    for (size_t i = 0; i < p->dims; i++)
        sum += (i == 0 ? 1e6 : 1) * square(t_osz(z[i]));
    return sum;
}

static double bent_cigar(const struct problem *p, const double *x)
{
    double z[PROBLEM_DIMS_MAX], sum = 0;

    begin(p, x, z);
    t_asy(z, p->dims, 0.5);
    rotate(p->rot, z, p->dims);
    for (size_t i = 0; i < p->dims; i++)
        sum += (i == 0 ? 1 : 1e6) * square(z[i]);
    return sum;
}

static double sharp_ridge(const struct problem *p, const double *x)
{
    double z[PROBLEM_DIMS_MAX], sum = 0;

    begin(p, x, z);
    stretch(z, p->dims, 10);
    rotate(p->rot2, z, p->dims);
    for (size_t i = 1; i < p->dims; i++)
        sum += square(z[i]);
    return square(z[0]) + 100 * sqrt(sum);
}

static double different_powers(const struct problem *p, const double *x)
{
    double z[PROBLEM_DIMS_MAX], sum = 0;

    begin(p, x, z);
    for (size_t i = 0; i < p->dims; i++)
        sum += pow(fabs(z[i]), 2 + 4 * along(i, p->dims));
    return sqrt(sum);
}

static double rastrigin(const struct problem *p, const double *x)
{
    double z[PROBLEM_DIMS_MAX], sum = 0;

    begin(p, x, z);
    for (size_t i = 0; i < p->dims; i++)
        z[i] = t_osz(z[i]);
    t_asy(z, p->dims, 0.2);
    rotate(p->rot2, z, p->dims);
    stretch(z, p->dims, 10);
    rotate(p->rot, z, p->dims);
    for (size_t i = 0; i < p->dims; i++)
        sum += 10 * (1 - cos(2 * PI * z[i])) + z[i] * z[i];
    return sum;
}

static double schaffer(const struct problem *p, const double *x)
{
    double z[PROBLEM_DIMS_MAX], sum = 0;

    begin(p, x, z);
    t_asy(z, p->dims, 0.5);
    rotate(p->rot2, z, p->dims);
    stretch(z, p->dims, 10);
    for (size_t i = 0; i + 1 < p->dims; i++) {
        double s = hypot(z[i], z[i + 1]);

        sum += sqrt(s) * (1 + square(sin(50 * pow(s, 0.2)))) / (double)(p->dims - 1);
    }
    return square(sum);
}

/* peaks: for each of N_PEAKS its height, its place [dims], its squared widths [dims]. */
static double gallagher(const struct problem *p, const double *x)
{
    double best = 0;

    for (size_t k = 0; k < N_PEAKS; k++) {
        const double *peak = &p->peaks[k * (1 + 2 * p->dims)];
        double z[PROBLEM_DIMS_MAX], far = 0;

        for (size_t i = 0; i < p->dims; i++)
            z[i] = x[i] - peak[1 + i];
        rotate(p->rot, z, p->dims);
        for (size_t i = 0; i < p->dims; i++)
            far += peak[1 + p->dims + i] * z[i] * z[i];
        best = fmax(best, peak[0] * exp(-far / (2 * (double)p->dims)));
    }
    return square(t_osz(10 - best));
}

/* ---- names and set-up ------------------------------------------------------------------------ */

static const struct bbob {
    const char *name, *name10; /* in 5 dimensions, in 10 */
    double (*regret)(const struct problem *p, const double *x);
} functions[] = {
    { "bbob1-5", "bbob1-10", sphere },
    { "bbob6-5", "bbob6-10", attractive_sector },
    { "bbob7-5", "bbob7-10", step_ellipsoid },
    { "bbob9-5", "bbob9-10", rosenbrock },
    { "bbob10-5", "bbob10-10", ellipsoid },
    { "bbob11-5", "bbob11-10", discus },
    { "bbob12-5", "bbob12-10", bent_cigar },
    { "bbob13-5", "bbob13-10", sharp_ridge },
    { "bbob14-5", "bbob14-10", different_powers },
    { "bbob15-5", "bbob15-10", rastrigin },
    { "bbob17-5", "bbob17-10", schaffer },
    { "bbob21-5", "bbob21-10", gallagher },
};
#define N_FUNCTIONS (sizeof functions / sizeof functions[0])

const char *problem_bbob_name(size_t i)
{
    return i < N_FUNCTIONS       ? functions[i].name
           : i < 2 * N_FUNCTIONS ? functions[i - N_FUNCTIONS].name10
                                 : NULL;
}

/* A random rotation: a matrix of normal numbers, its rows made orthonormal one after the other. */
static double *rotation(struct problem *p)
{
    size_t n = p->dims;
    double *rot = malloc(n * n * sizeof *rot);

    for (size_t i = 0; rot && i < n; i++) {
        double *row = &rot[i * n], length = 0;

        for (size_t k = 0; k < n; k++)
            row[k] = problem_normal(p);
        for (size_t j = 0; j < i; j++) {
            double dot = 0;

            for (size_t k = 0; k < n; k++)
                dot += row[k] * rot[j * n + k];
            for (size_t k = 0; k < n; k++)
                row[k] -= dot * rot[j * n + k];
        }
        for (size_t k = 0; k < n; k++)
            length += row[k] * row[k];
        for (size_t k = 0; k < n; k++)
            row[k] /= sqrt(length);
    }
    return rot;
}

static void shuffle(struct problem *p, double *v, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t k = (size_t)(problem_uniform(p) * (double)i);
        double other = v[k];

        v[k] = v[i - 1];
        v[i - 1] = other;
    }
}

/* Peak 0 is the best: at x_opt, height 10, condition 1000. */
static int make_peaks(struct problem *p)
{
    size_t n = p->dims;
    double conditions[N_PEAKS - 1];

    if (!(p->peaks = malloc(N_PEAKS * (1 + 2 * n) * sizeof *p->peaks)))
        return -1;
    for (size_t k = 0; k + 1 < N_PEAKS; k++)
        conditions[k] = pow(1000, 2 * (double)k / (N_PEAKS - 2));
    shuffle(p, conditions, N_PEAKS - 1);
    for (size_t k = 0; k < N_PEAKS; k++) {
        double *peak = &p->peaks[k * (1 + 2 * n)], condition = k ? conditions[k - 1] : 1000;

        peak[0] = k ? 1.1 + 8 * (double)(k - 1) / (N_PEAKS - 2) : 10;
        for (size_t i = 0; i < n; i++) {
            peak[1 + i] = k ? 10 * problem_uniform(p) - 5 : p->opt[i];
            peak[1 + n + i] = pow(condition, 0.5 * along(i, n)) / pow(condition, 0.25);
        }
        shuffle(p, &peak[1 + n], n);
    }
    return 0;
}

int problem_bbob_init(struct problem *p, const char *name)
{
    size_t at = 0;

    while (at < N_FUNCTIONS && strcmp(functions[at].name, name) &&
           strcmp(functions[at].name10, name))
        at++;
    if (at == N_FUNCTIONS)
        return -1;
    p->regret = functions[at].regret;
    p->dims = strcmp(functions[at].name, name) ? 10 : 5;
    for (size_t i = 0; i < p->dims; i++) {
        p->params[i] = (struct problem_param){ PROBLEM_FLOAT, -5, 5 };
        p->opt[i] = 8 * problem_uniform(p) - 4;
    }
    if (!(p->rot = rotation(p)) || !(p->rot2 = rotation(p)))
        return -1;
    return p->regret == gallagher ? make_peaks(p) : 0;
}
