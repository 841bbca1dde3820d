/* SPDX-License-Identifier: Apache-2.0
 * eigen.c - eigenvalues and vectors of symmetric matrices.
 *
 * All inner loops run along rows and add no two elements of one row, so compilers make vectors of
 * them without changing a bit. That is why the full square is kept where its lower triangle would
 * do, and the vectors are rows. Divide and conquer is faster from some hundreds of rows on, which
 * the tuner does not have. */
#include <asy/la.h>
#include <float.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#define SWEEPS_MAX 60 /* per eigenvalue; 2 is usual, 5 was never seen */
#define SMALL 0x1p-480 /* beside entries below 1: nothing, and its square still has its digits */

/* y += factor * x */
static void add_row(double *restrict y, double factor, const double *restrict x, size_t n)
{
    for (size_t j = 0; j < n; j++)
        y[j] += factor * x[j];
}

/* Copies the lower triangle to both, divided by a power of two that brings the largest entry to
 * [1/2, 1), so that no square overflows. Returns its exponent, or INT_MIN: not all are finite. */
static int load(const double *a, size_t n, double *s)
{
    double largest = 0;
    int exponent;

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++) {
            double entry = fabs(a[i * n + j]);

            if (!isfinite(entry))
                return INT_MIN;
            largest = entry > largest ? entry : largest;
        }
    frexp(largest, &exponent);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++)
            s[i * n + j] = s[j * n + i] = ldexp(a[i * n + j], -exponent);
    return exponent;
}

/* The Householder vector of row k right of the diagonal (algorithm 5.1.1): v[k + 1..n) with
 * v[k + 1] == 1, and *ret_beta, such that (I - beta v v^T) maps the row to a multiple of the first
 * unit vector; returns that multiple. */
static double reflector(const double *row, size_t k, size_t n, double *v, double *ret_beta)
{
    double tail = 0, head = row[k + 1], norm, first;

    for (size_t j = k + 2; j < n; j++)
        tail += row[j] * row[j];
    *ret_beta = 0;
    v[k + 1] = 1;
    for (size_t j = k + 2; j < n; j++)
        v[j] = 0;
    if (tail < DBL_MIN)
        return head;
    norm = sqrt(head * head + tail);
    first = head <= 0 ? head - norm : -tail / (head + norm);
    if (first * first < DBL_MIN)
        return head; /* the rest is below 1e-76 of it, and the square would lose its digits */
    *ret_beta = 2 * first * first / (tail + first * first);
    for (size_t j = k + 2; j < n; j++)
        v[j] = row[j] / first;
    return norm;
}

/* s -> H s H for the reflector's H: a symmetric change of rank two, right of and below k. */
static void reflect_both(double *s, size_t k, size_t n, const double *v, double beta, double *w)
{
    double half = 0;

    for (size_t j = k + 1; j < n; j++)
        w[j] = 0;
    for (size_t i = k + 1; i < n; i++)
        add_row(w + k + 1, beta * v[i], s + i * n + k + 1, n - k - 1);
    for (size_t j = k + 1; j < n; j++)
        half += w[j] * v[j];
    half *= beta / 2;
    for (size_t j = k + 1; j < n; j++)
        w[j] -= half * v[j];
    for (size_t i = k + 1; i < n; i++) {
        add_row(s + i * n + k + 1, -v[i], w + k + 1, n - k - 1);
        add_row(s + i * n + k + 1, -w[i], v + k + 1, n - k - 1);
    }
}

/* q -> H q */
static void reflect_left(double *q, size_t k, size_t n, const double *v, double beta, double *w)
{
    memset(w, 0, n * sizeof *w);
    for (size_t i = k + 1; i < n; i++)
        add_row(w, beta * v[i], q + i * n, n);
    for (size_t i = k + 1; i < n; i++)
        add_row(q + i * n, -v[i], w, n);
}

/* s = q^T T q with T tridiagonal: diagonal d [n], beside it e [n - 1]. v, w: [n] scratch. */
static void tridiagonalise(double *s, size_t n, double *q, double *d, double *e, double *v,
                           double *w)
{
    memset(q, 0, n * n * sizeof *q);
    for (size_t i = 0; i < n; i++)
        q[i * n + i] = 1;
    for (size_t k = 0; k + 1 < n; k++) {
        double beta;

        d[k] = s[k * n + k];
        e[k] = reflector(s + k * n, k, n, v, &beta);
        if (beta == 0)
            continue;
        reflect_both(s, k, n, v, beta, w);
        reflect_left(q, k, n, v, beta, w);
    }
    d[n - 1] = s[n * n - 1];
}

/* The eigenvalue of the 2 x 2 matrix (a b; b c) that is closer to c. */
static double wilkinson(double a, double b, double c)
{
    double half = (a - c) / 2, root = sqrt(half * half + b * b);

    return half == 0 && root == 0 ? c : c - b * b / (half + (half < 0 ? -root : root));
}

static void rotate_rows(double *restrict x, double *restrict y, double c, double s, size_t n)
{
    for (size_t j = 0; j < n; j++) {
        double first = x[j], second = y[j];

        x[j] = c * first - s * second;
        y[j] = s * first + c * second;
    }
}

/* One implicit QR step on rows lo..hi of T (algorithm 8.3.2); the rotations go into q. */
static void step(double *d, double *e, size_t lo, size_t hi, double *q, size_t n)
{
    double shift = wilkinson(d[hi - 1], e[hi - 1], d[hi]);
    double x = d[lo] - shift, z = e[lo];

    for (size_t k = lo; k < hi; k++) {
        double r = sqrt(x * x + z * z), c = 1, s = 0, a = d[k], b = e[k], g = d[k + 1];

        if (r > SMALL) {
            c = x / r;
            s = -z / r;
        }
        if (k > lo)
            e[k - 1] = r;
        d[k] = c * c * a - 2 * c * s * b + s * s * g;
        d[k + 1] = s * s * a + 2 * c * s * b + c * c * g;
        e[k] = c * s * (a - g) + (c * c - s * s) * b;
        if (k + 1 < hi) {
            x = e[k];
            z = -s * e[k + 1];
            e[k + 1] *= c;
        }
        rotate_rows(q + k * n, q + (k + 1) * n, c, s, n);
    }
}

/* Algorithm 8.3.3. 0, or ASY_E_INVAL after too many steps, which only a NaN could cause. */
static int diagonalise(double *d, double *e, double *q, size_t n)
{
    size_t hi = n - 1, left = SWEEPS_MAX * n;

    while (hi > 0) {
        size_t lo = hi;

        for (size_t k = 0; k < hi; k++)
            if (fabs(e[k]) <= DBL_EPSILON * (fabs(d[k]) + fabs(d[k + 1])) || fabs(e[k]) < SMALL)
                e[k] = 0;
        while (lo > 0 && e[lo - 1] != 0)
            lo--;
        if (lo == hi) {
            hi--;
            continue;
        }
        if (left-- == 0)
            return ASY_E_INVAL;
        step(d, e, lo, hi, q, n);
    }
    return 0;
}

static void sort(double *d, double *q, size_t n)
{
    for (size_t i = 0; i + 1 < n; i++) {
        size_t least = i;
        double held;

        for (size_t j = i + 1; j < n; j++)
            if (d[j] < d[least])
                least = j;
        if (least == i)
            continue;
        held = d[i];
        d[i] = d[least];
        d[least] = held;
        for (size_t j = 0; j < n; j++) {
            held = q[i * n + j];
            q[i * n + j] = q[least * n + j];
            q[least * n + j] = held;
        }
    }
}

int asy_la_eigh(const double *a, size_t n, double *ret_values, double *ret_vectors, double *work,
                struct asy_error *err)
{
    double *s = work, *e = work + n * n, *v = e + n, *w = v + n;
    int exponent;

    if (n == 0)
        return 0;
    if ((exponent = load(a, n, s)) == INT_MIN)
        return asy_fail(err, ASY_E_INVAL, "a matrix of %zu rows has an entry that is not finite",
                        n);
    tridiagonalise(s, n, ret_vectors, ret_values, e, v, w);
    if (diagonalise(ret_values, e, ret_vectors, n))
        return asy_fail(err, ASY_E_INVAL, "no eigenvalues of a matrix of %zu rows", n);
    for (size_t i = 0; i < n; i++)
        ret_values[i] = ldexp(ret_values[i], exponent);
    sort(ret_values, ret_vectors, n);
    return 0;
}
