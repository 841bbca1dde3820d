/* SPDX-License-Identifier: Apache-2.0
 * test_la_eigen.c - eigenvalues and vectors of symmetric matrices, beside LAPACK's dsyev. */
#include <asy/la.h>
#include <asy/rng.h>
#include <float.h>
#include "asytest.h"

void dsyev_(const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w,
            double *work, const int *lwork, int *info);

#define DIGEST INT64_C(-2115846032212439965)
enum { N_MAX = 150 };
static double a[N_MAX * N_MAX], copy[N_MAX * N_MAX], vectors[N_MAX * N_MAX];
static double values[N_MAX], want[N_MAX], work[ASY_LA_EIGH_WORK(N_MAX)];

enum kind { NORMAL, GRADED, DIAGONAL, ZERO, RANK_ONE, REPEATED, TRIDIAGONAL, HUGE_ENTRIES, TINY,
            CONDITION, TINY_TAIL, TINY_BLOCK };
static const struct {
    const char *name;
    enum kind kind;
    size_t n;
} cases[] = {
    { "one", NORMAL, 1 },        { "two", NORMAL, 2 },         { "three", NORMAL, 3 },
    { "seven", NORMAL, 7 },      { "forty", NORMAL, 40 },      { "many", NORMAL, N_MAX },
    { "graded", GRADED, 24 },    { "diagonal", DIAGONAL, 12 }, { "zero", ZERO, 9 },
    { "rank 1", RANK_ONE, 20 },  { "repeated", REPEATED, 30 }, { "tridiagonal", TRIDIAGONAL, 33 },
    { "huge", HUGE_ENTRIES, 8 }, { "tiny", TINY, 8 },          { "condition 1e14", CONDITION, 10 },
    { "a tail whose square is lost", TINY_TAIL, 3 },
    { "a block whose squares are lost", TINY_BLOCK, 3 },
};

static double entry(struct asy_rng *rng, enum kind kind, size_t i, size_t j)
{
    double x = asy_rng_double(rng) * 2 - 1, u = (double)i + 1, v = (double)j + 1;

    switch (kind) {
    case NORMAL:
        return x;
    case GRADED:
        return x * pow(10, -(u + v) / 4);
    case DIAGONAL:
        return i == j ? x : 0;
    case ZERO:
        return 0;
    case RANK_ONE:
        return u * v / 100;
    case REPEATED: /* 2 I less a projection: 2, and once 1 */
        return (i == j ? 2 : 0) - 1.0 / 30;
    case TRIDIAGONAL:
        return i == j ? 2 : i == j + 1 ? -1 : 0;
    case HUGE_ENTRIES:
        return x * 1e300;
    case TINY:
        return x * 1e-300;
    case CONDITION:
        return i == j ? pow(10, -14.0 * (double)i / 9) + (i ? 0 : x) : 0;
    case TINY_TAIL:
        return i == j ? 1 : i - j == 2 ? 2e-81 : j == 0 ? 0.5 : 0.3;
    case TINY_BLOCK:
        return i == 0 ? 1 : j == 0 ? 0 : i == j ? 1e-160 * (3 * v - 4) : 1e-160;
    }
    return 0;
}

/* The upper triangle is filled with what must not be looked at. */
static void fill(enum kind kind, size_t n)
{
    struct asy_rng rng;

    asy_rng_init(&rng, 5, n * 16 + kind, ASY_RNG_SIM);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            a[i * n + j] = j > i ? NAN : entry(&rng, kind, i, j);
}

static double at(size_t i, size_t j, size_t n)
{
    return j > i ? a[j * n + i] : a[i * n + j];
}

/* Largest |value|: the scale of all errors. */
static double norm(size_t n)
{
    double largest = 0;

    for (size_t i = 0; i < n; i++)
        largest = fmax(largest, fabs(want[i]));
    return largest;
}

static void lapack(size_t n)
{
    int order = (int)n, size = 40 * N_MAX, info = -1;
    static double room[40 * N_MAX];

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            copy[i * n + j] = at(i, j, n);
    dsyev_("N", "U", &order, copy, &order, want, room, &size, &info);
    T_EQ("dsyev", info, 0);
}

/* Backward stable methods are within a small multiple of n eps |A| of the exact values, and of each
 * other; 4 n leaves room for both. */
static void values_are_those_of_lapack(void)
{
    struct asy_error err = ASY_ERROR_INIT;

    for (size_t c = 0; c < ASY_ARRAY_LEN(cases); c++) {
        size_t n = cases[c].n;

        fill(cases[c].kind, n);
        lapack(n);
        if (!T_OK(asy_la_eigh(a, n, values, vectors, work, &err), &err))
            continue;
        for (size_t k = 0; k < n; k++)
            T_NEAR(cases[c].name, values[k], want[k], 4 * (double)n * DBL_EPSILON * norm(n));
    }
}

/* A v = value v, and the vectors are orthonormal: both to 8 n eps. */
static void vectors_belong_to_the_values(void)
{
    struct asy_error err = ASY_ERROR_INIT;

    for (size_t c = 0; c < ASY_ARRAY_LEN(cases); c++) {
        size_t n = cases[c].n;
        double tol = 8 * (double)n * DBL_EPSILON, scale;

        fill(cases[c].kind, n);
        lapack(n);
        scale = norm(n);
        if (!T_OK(asy_la_eigh(a, n, values, vectors, work, &err), &err))
            continue;
        for (size_t k = 0; k < n; k++)
            for (size_t i = 0; i < n; i++) {
                const double *v = vectors + k * n, *other = vectors + i * n;
                double image = 0, product = 0;

                for (size_t j = 0; j < n; j++) {
                    image += at(i, j, n) * v[j];
                    product += other[j] * v[j];
                }
                T_NEAR(cases[c].name, image, values[k] * v[i], tol * scale);
                T_NEAR(cases[c].name, product, i == k, tol);
            }
    }
}

/* The same bits from every compiler and processor: a digest made by gcc 12 without optimisation on
 * x86-64. */
static void results_have_the_same_bits_everywhere(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    uint64_t digest = 0;

    fill(NORMAL, 40);
    if (!T_OK(asy_la_eigh(a, 40, values, vectors, work, &err), &err))
        return;
    for (size_t i = 0; i < 40 + 1600; i++) {
        uint64_t bits;

        memcpy(&bits, i < 40 ? &values[i] : &vectors[i - 40], sizeof bits);
        digest = (digest ^ bits) * 0x9e3779b97f4a7c15u;
        digest ^= digest >> 29;
    }
    T_EQ("digest", digest, DIGEST);
}

static void what_is_not_finite_is_refused(void)
{
    static const double bad[] = { NAN, INFINITY, -INFINITY };
    struct asy_error err = ASY_ERROR_INIT;

    T_OK(asy_la_eigh(a, 0, values, vectors, work, &err), &err);
    for (size_t i = 0; i < ASY_ARRAY_LEN(bad); i++) {
        fill(NORMAL, 5);
        a[3 * 5 + 1] = bad[i];
        T_EQ("not finite", asy_la_eigh(a, 5, values, vectors, work, &err), ASY_E_INVAL);
        T_HAS("not finite", err.text, "not finite");
    }
}

T_MAIN("la_eigen", T_TEST(values_are_those_of_lapack), T_TEST(vectors_belong_to_the_values),
       T_TEST(results_have_the_same_bits_everywhere), T_TEST(what_is_not_finite_is_refused))
