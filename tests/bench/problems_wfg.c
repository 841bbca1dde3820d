/* SPDX-License-Identifier: Apache-2.0
 * problems_wfg.c - see problems_wfg.h. A problem bends its parameters (shifts and biases of the
 * paper's table X), reduces them to a place on the front and a distance from it, and gives the
 * front a shape (table VIII). With two objectives all its constants of degeneracy are 1. */
#include "problems_wfg.h"
#include <math.h>
#include <string.h>

#define PI 3.14159265358979323846
#define K WFG_POSITION
#define AT 0.35 /* where distances are 0 */

/* What rounding has put a little outside. */
static double clip(double y)
{
    return fmin(fmax(y, 0), 1);
}

/* ---- bias and shift of one parameter --------------------------------------------------------- */

/* `level` between from and to, steep beside. */
static double b_flat(double y, double level, double from, double to)
{
    if (y < from)
        return clip(level - level * (from - y) / from);
    if (y > to)
        return clip(level + (1 - level) * (y - to) / (1 - to));
    return level;
}

/* A power between 0.02 and 50, which u sets. */
static double b_param(double y, double u)
{
    double a = 0.98 / 49.98, v = a - (1 - 2 * u) * fabs(floor(0.5 - u) + a);

    return clip(pow(y, 0.02 + (50 - 0.02) * v));
}

static double s_linear(double y)
{
    return clip(fabs(y - AT) / fabs(floor(AT - y) + AT));
}

/* A narrow best value of width b around AT, of which all slopes lead away. */
static double s_decept(double y)
{
    double a = AT, b = 0.001, c = 0.05;
    double below = floor(y - a + b) * (1 - c + (a - b) / b) / (a - b);
    double above = floor(a + b - y) * (1 - c + (1 - a - b) / b) / (1 - a - b);

    return clip(1 + (fabs(y - a) - b) * (below + above + 1 / b));
}

/* 30 valleys on each side, the deeper the larger b is. */
static double s_multi(double y, double b)
{
    double far = fabs(y - AT) / (2 * (floor(AT - y) + AT));

    return clip((1 + cos((4 * 30 + 2) * PI * (0.5 - far)) + 4 * b * far * far) / (b + 2));
}

/* ---- reductions of several ------------------------------------------------------------------- */

static double mean(const double *y, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += y[i];
    return clip(sum / (double)n);
}

/* As a mean, but with the distances of each from the next `degree` - 1, in a ring. */
static double r_nonsep(const double *y, size_t n, size_t degree)
{
    double sum = 0, half = ceil((double)degree / 2);

    for (size_t i = 0; i < n; i++) {
        sum += y[i];
        for (size_t k = 1; k < degree; k++)
            sum += fabs(y[i] - y[(i + k) % n]);
    }
    return clip(sum * (double)degree / (double)n / half / (1 + 2 * (double)degree - 2 * half));
}

/* ---- shapes, of the place t[0] and the distance t[1] ----------------------------------------- */

static void put(const double *t, double h0, double h1, double *f)
{
    f[0] = t[1] + 2 * h0;
    f[1] = t[1] + 4 * h1;
}

static double convex(const double *t)
{
    return 1 - cos(t[0] * PI / 2);
}

static void concave(const double *t, double *f)
{
    put(t, sin(t[0] * PI / 2), cos(t[0] * PI / 2), f);
}

/* ---- problems -------------------------------------------------------------------------------- */

static void shift_rest(const double *x, size_t n, double *y)
{
    for (size_t i = 0; i < n; i++)
        y[i] = i < K ? x[i] : s_linear(x[i]);
}

static void means(const double *y, size_t n, double *t)
{
    t[0] = mean(y, K);
    t[1] = mean(y + K, n - K);
}

static void nonsep(const double *y, size_t n, double *t)
{
    t[0] = r_nonsep(y, K, K);
    t[1] = r_nonsep(y + K, n - K, n - K);
}

/* Weights are 2, 4, 6, ... */
static double weighted(const double *y, size_t from, size_t to)
{
    double sum = 0, weights = 0;

    for (size_t i = from; i < to; i++) {
        sum += 2 * (double)(i + 1) * y[i];
        weights += 2 * (double)(i + 1);
    }
    return clip(sum / weights);
}

void wfg1(const double *x, size_t n, double *f)
{
    double y[WFG_DIMS_MAX] = { 0 }, t[2];

    shift_rest(x, n, y);
    for (size_t i = K; i < n; i++)
        y[i] = b_flat(y[i], 0.8, 0.75, 0.85);
    for (size_t i = 0; i < n; i++)
        y[i] = pow(y[i], 0.02);
    t[0] = weighted(y, 0, K);
    t[1] = weighted(y, K, n);
    put(t, convex(t), 1 - t[0] - cos(10 * PI * t[0] + PI / 2) / (10 * PI), f);
}

/* Of WFG 2 and 3: distances in pairs. */
static void reduce_pairs(const double *x, size_t n, double *t)
{
    double y[WFG_DIMS_MAX] = { 0 };
    size_t pairs = (n - K) / 2;

    shift_rest(x, n, y);
    for (size_t i = 0; i < pairs; i++)
        y[K + i] = r_nonsep(&y[K + 2 * i], 2, 2);
    means(y, K + pairs, t);
}

void wfg2(const double *x, size_t n, double *f)
{
    double t[2], wave;

    reduce_pairs(x, n, t);
    wave = cos(5 * t[0] * PI);
    put(t, convex(t), 1 - t[0] * wave * wave, f);
}

void wfg3(const double *x, size_t n, double *f)
{
    double t[2];

    reduce_pairs(x, n, t);
    put(t, t[0], 1 - t[0], f);
}

void wfg4(const double *x, size_t n, double *f)
{
    double y[WFG_DIMS_MAX] = { 0 }, t[2];

    for (size_t i = 0; i < n; i++)
        y[i] = s_multi(x[i], 10);
    means(y, n, t);
    concave(t, f);
}

void wfg5(const double *x, size_t n, double *f)
{
    double y[WFG_DIMS_MAX] = { 0 }, t[2];

    for (size_t i = 0; i < n; i++)
        y[i] = s_decept(x[i]);
    means(y, n, t);
    concave(t, f);
}

void wfg6(const double *x, size_t n, double *f)
{
    double y[WFG_DIMS_MAX] = { 0 }, t[2];

    shift_rest(x, n, y);
    nonsep(y, n, t);
    concave(t, f);
}

void wfg7(const double *x, size_t n, double *f)
{
    double y[WFG_DIMS_MAX] = { 0 }, t[2];

    shift_rest(x, n, y);
    for (size_t i = 0; i < K; i++) /* the power comes before the shift */
        y[i] = b_param(x[i], mean(&x[i + 1], n - i - 1));
    means(y, n, t);
    concave(t, f);
}

void wfg8(const double *x, size_t n, double *f)
{
    double y[WFG_DIMS_MAX] = { 0 }, t[2];

    memcpy(y, x, n * sizeof *y);
    for (size_t i = K; i < n; i++)
        y[i] = s_linear(b_param(x[i], mean(x, i)));
    means(y, n, t);
    concave(t, f);
}

void wfg9(const double *x, size_t n, double *f)
{
    double y[WFG_DIMS_MAX] = { 0 }, t[2];

    for (size_t i = 0; i < n; i++) {
        y[i] = i + 1 < n ? b_param(x[i], mean(&x[i + 1], n - i - 1)) : x[i];
        y[i] = i < K ? s_decept(y[i]) : s_multi(y[i], 95);
    }
    nonsep(y, n, t);
    concave(t, f);
}
