/* SPDX-License-Identifier: Apache-2.0
 * test_la.c - products and Cholesky factors: against LAPACK, against plain loops, and the same bits
 * from every instruction set and in every way of getting there. */
#include <asy/rng.h>
#include "asytest.h"
#include "vec.h"

void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info);
void dtrtri_(const char *uplo, const char *diag, const int *n, double *a, const int *lda,
             int *info);

enum { N_MAX = 203, LD = 211 };
static const size_t sizes[] = { 0, 1, 2, 7, 31, 32, 33, 64, 100, N_MAX };

static double *room(size_t n)
{
    double *p = calloc(n + 1, sizeof *p);

    if (!p)
        abort();
    return p;
}

static struct asy_rng rng_of(uint64_t number)
{
    struct asy_rng rng;

    asy_rng_init(&rng, 5, number, ASY_RNG_SIM);
    return rng;
}

static void fill(double *x, size_t n, uint64_t number)
{
    struct asy_rng rng = rng_of(number);

    for (size_t i = 0; i < n; i++)
        x[i] = asy_rng_normal(&rng);
}

/* a [n, LD] = B B^T / n + I/100: eigenvalues from 0.01 to about 4. */
static void fill_definite(double *a, size_t n)
{
    double *b = room(n * n);

    fill(b, n * n, n);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = i == j ? 0.01 * (double)n : 0;

            for (size_t k = 0; k < n; k++)
                sum += b[i * n + k] * b[j * n + k];
            a[i * LD + j] = sum / (double)n;
        }
    free(b);
}

static bool same_lower(const double *a, const double *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(a + i * LD, b + i * LD, (i + 1) * sizeof *a))
            return false;
    return true;
}

/* 1e-12: the condition is at most 400, the sums have at most 203 terms of 1.1e-16 relative. */
#define TOLERANCE 1e-12

static void factors_and_inverses_are_those_of_lapack(void)
{
    for (size_t s = 1; s < ASY_ARRAY_LEN(sizes); s++) {
        size_t n = sizes[s];
        double *l = room(n * LD), *want = room(n * LD), *w = room(n * LD), *c = room(n * LD);
        int order = (int)n, lda = LD, info;
        double logdet = 0;

        fill_definite(l, n);
        fill_definite(want, n);
        dpotrf_("U", &order, want, &lda, &info); /* its upper by columns is our lower by rows */
        T_EQ("a factor", asy_la_cholesky(0, n, l, LD), 0);
        for (size_t i = 0; i < n; i++) {
            logdet += 2 * log(want[i * LD + i]);
            for (size_t j = 0; j <= i; j++)
                T_NEAR("factor", l[i * LD + j], want[i * LD + j], TOLERANCE);
        }
        T_NEAR("log determinant", asy_la_logdet(n, l, LD), logdet, TOLERANCE * (double)n);
        dtrtri_("U", "N", &order, want, &lda, &info);
        asy_la_invert_lower(0, n, l, LD, w, LD);
        asy_la_gram(n, w, LD, c, LD);
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j <= i; j++) {
                double sum = 0;

                T_NEAR("inverse", w[i * LD + j], want[i * LD + j], 100 * TOLERANCE);
                for (size_t k = i; k < n; k++)
                    sum += want[k * LD + i] * want[k * LD + j];
                T_NEAR("inverse of all", c[i * LD + j], sum, 1e4 * TOLERANCE);
            }
        free(l);
        free(want);
        free(w);
        free(c);
    }
}

static void every_instruction_set_gives_the_same_bits(void)
{
    const struct asy__vec *base = asy__vec_at(0), *v;
    double x[N_MAX], y[2][N_MAX], k[2][N_MAX], dk[2][N_MAX], d[N_MAX];

    fill(x, N_MAX, 1);
    fill(d, N_MAX, 2);
    for (size_t i = 0; i < N_MAX; i++)
        d[i] = d[i] * d[i] * (i % 3 ? 1 : 1e4);
    for (size_t a = 1; (v = asy__vec_at(a)); a++)
        for (size_t s = 0; s < ASY_ARRAY_LEN(sizes); s++) {
            const struct asy__vec *of[2] = { base, v };
            size_t n = sizes[s];
            double *l[2] = { room(n * LD), room(n * LD) }, *w[2] = { room(n * LD), room(n * LD) };

            for (size_t i = 0; i < 2; i++) {
                fill(y[i], N_MAX, 3);
                of[i]->axpy(n, 0.3, x, y[i]);
                of[i]->dist_add(n, 0.7, x, 0.1, y[i]);
                of[i]->matern(n, 1.3, d, k[i], dk[i]);
                fill_definite(l[i], n);
                T_EQ(v->name, asy__cholesky(of[i], 0, n, l[i], LD), 0);
                asy__invert_lower(of[i], 0, n, l[i], LD, w[i], LD);
            }
            T_TRUE(same_lower(l[0], l[1], n) && same_lower(w[0], w[1], n));
            for (size_t i = 0; i < 2; i++)
                asy__gram(of[i], n, w[i], LD, l[i], LD);
            T_TRUE(same_lower(l[0], l[1], n));
            T_TRUE(base->dot(n, x, d) == v->dot(n, x, d));
            T_TRUE(base->dist_sum(n, x, d, 0.2) == v->dist_sum(n, x, d, 0.2));
            T_TRUE(!memcmp(y[0], y[1], sizeof y[0]) && !memcmp(k[0], k[1], n * sizeof x[0]) &&
                   !memcmp(dk[0], dk[1], n * sizeof x[0]));
            for (size_t i = 0; i < 2; i++) {
                free(l[i]);
                free(w[i]);
            }
        }
}

/* One by one, in pieces of seven, all at once. */
static void appended_rows_have_the_bits_of_a_whole(void)
{
    static const size_t pieces[] = { 1, 7, N_MAX };
    double *l[3], *w[3];

    for (size_t p = 0; p < 3; p++) {
        l[p] = room(N_MAX * LD);
        w[p] = room(N_MAX * LD);
        fill_definite(l[p], N_MAX);
        for (size_t from = 0; from < N_MAX; from += pieces[p]) {
            size_t n = from + pieces[p] < N_MAX ? from + pieces[p] : N_MAX;

            T_EQ("definite", asy_la_cholesky(from, n, l[p], LD), 0);
            asy_la_invert_lower(from, n, l[p], LD, w[p], LD);
        }
        T_TRUE(same_lower(l[p], l[0], N_MAX) && same_lower(w[p], w[0], N_MAX));
    }
    for (size_t p = 0; p < 3; p++) {
        free(l[p]);
        free(w[p]);
    }
}

static void solves_and_products_undo_each_other(void)
{
    enum { M = 19 };

    for (size_t s = 1; s < ASY_ARRAY_LEN(sizes); s++) {
        size_t n = sizes[s];
        double *l = room(n * LD), *w = room(n * LD);
        double *x = room(M * LD), *y = room(M * LD), *z = room(M * LD);

        fill_definite(l, n);
        T_EQ("definite", asy_la_cholesky(0, n, l, LD), 0);
        asy_la_invert_lower(0, n, l, LD, w, LD);
        fill(x, M * LD, 4);
        memcpy(y, x, M * LD * sizeof *x);
        asy_la_solve_lower_many(n, M, l, LD, y, LD);
        asy_la_lower_many(n, M, w, LD, x, LD, z, LD);
        for (size_t p = 0; p < M; p++) {
            double *one = x + p * LD, forth[N_MAX];

            memcpy(forth, one, n * sizeof *one);
            asy_la_solve_lower(n, l, LD, forth);
            for (size_t i = 0; i < n; i++) {
                T_NEAR("many", y[p * LD + i], forth[i], 100 * TOLERANCE);
                T_NEAR("by the inverse", z[p * LD + i], forth[i], 100 * TOLERANCE);
            }
        }
        asy_la_lower_many_t(n, M, w, LD, x, LD, z, LD);
        for (size_t p = 0; p < M; p++) {
            asy_la_solve_lower_t(n, l, LD, x + p * LD);
            for (size_t i = 0; i < n; i++)
                T_NEAR("transposed", z[p * LD + i], x[p * LD + i], 100 * TOLERANCE);
        }
        free(l);
        free(w);
        free(x);
        free(y);
        free(z);
    }
}

static void products_are_those_of_plain_loops(void)
{
    double *a = room(40 * LD), *x = room(N_MAX), *y = room(N_MAX), *z = room(N_MAX);

    fill(a, 40 * LD, 6);
    fill(x, N_MAX, 7);
    asy_la_gemv(40, N_MAX, a, LD, x, y);
    asy_la_gemv_t(40, N_MAX, a, LD, x, z);
    for (size_t i = 0; i < 40; i++) {
        double sum = 0;

        for (size_t j = 0; j < N_MAX; j++)
            sum += a[i * LD + j] * x[j];
        T_NEAR("A x", y[i], sum, TOLERANCE);
        T_NEAR("dot", asy_la_dot(N_MAX, a + i * LD, x), sum, TOLERANCE);
    }
    for (size_t j = 0; j < N_MAX; j++) {
        double sum = 0;

        for (size_t i = 0; i < 40; i++)
            sum += a[i * LD + j] * x[i];
        T_NEAR("A^T x", z[j], sum, TOLERANCE);
    }
    free(a);
    free(x);
    free(y);
    free(z);
}

static void what_is_not_definite_is_refused(void)
{
    double a[4] = { 1, 0, 2, 1 }, b[4] = { 1, 0, NAN, 1 }, c[4] = { INFINITY, 0, 1, 1 };

    T_EQ("indefinite", asy_la_cholesky(0, 2, a, 2), ASY_E_INVAL);
    T_EQ("NaN", asy_la_cholesky(0, 2, b, 2), ASY_E_INVAL);
    T_EQ("infinite", asy_la_cholesky(0, 2, c, 2), ASY_E_INVAL);
}

/* 4e-15 relative: the exponent's argument is rounded to 1.1e-16 of itself, and is at most 30 where
 * the value is looked at; a few operations more. */
static void covariances_are_exact(void)
{
    for (double d = 0; d < 180; d = 1.1 * d + 1e-3) {
        double at[2] = { d, d }, k[2], dk[2], r = sqrt(5 * d);

        asy_la_matern(2, 2.5, at, k, dk);
        T_NEAR("k", k[1] / (2.5 * (1 + r + r * r / 3) * exp(-r)), 1, 4e-15);
        T_NEAR("dk", dk[0] / (-2.5 * 5 / 6 * (1 + r) * exp(-r)), 1, 4e-15);
    }
    for (double d = 1e3; d < 1e200; d *= 1e7) {
        double k, dk;

        asy_la_matern(1, 1, &d, &k, &dk);
        T_TRUE(k >= 0 && k < 1e-20 && dk <= 0 && dk > -1e-20);
    }
}

T_MAIN("la", T_TEST(factors_and_inverses_are_those_of_lapack),
       T_TEST(every_instruction_set_gives_the_same_bits),
       T_TEST(appended_rows_have_the_bits_of_a_whole), T_TEST(solves_and_products_undo_each_other),
       T_TEST(products_are_those_of_plain_loops), T_TEST(what_is_not_definite_is_refused),
       T_TEST(covariances_are_exact))
