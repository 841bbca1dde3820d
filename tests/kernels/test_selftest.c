/* SPDX-License-Identifier: Apache-2.0
 * The start-up check finds a BLAS that computes wrongly, and says where. */
#include <asytest.h>
#include <asy/kernels.h>

/* A plain BLAS with one planted fault. */
static enum fault { RIGHT, DROPS_LAST_K, WRONG_WHEN_BOTH_TRANSPOSED, KEEPS_NAN, WRITES_BETWEEN_ROWS,
                    ROUNDS_TO_HALF } fault;

#define PLAIN_GEMM(name, real)                                                                     \
    static void name(int ta, int tb, size_t m, size_t n, size_t k, real alpha, const real *a,      \
                     size_t lda, const real *b, size_t ldb, real beta, real *c, size_t ldc)        \
    {                                                                                              \
        size_t upto = fault == DROPS_LAST_K && k > 64 ? k - 1 : k;                                 \
                                                                                                   \
        for (size_t i = 0; i < m; i++)                                                             \
            for (size_t j = 0; j < n; j++) {                                                       \
                double sum = 0, old = beta == 0 && fault != KEEPS_NAN ? 0 : (double)c[i * ldc + j];\
                                                                                                   \
                for (size_t l = 0; l < upto; l++)                                                  \
                    sum += (double)(ta ? a[l * lda + i] : a[i * lda + l]) *                        \
                           (double)(tb ? b[j * ldb + l] : b[l * ldb + j]);                         \
                if (fault == WRONG_WHEN_BOTH_TRANSPOSED && ta && tb)                               \
                    sum *= 1.01;                                                                   \
                c[i * ldc + j] = (real)((double)alpha * sum + (double)beta * old);                 \
                if (fault == ROUNDS_TO_HALF)                                                       \
                    c[i * ldc + j] *= (real)1.0005;                                                \
                if (fault == WRITES_BETWEEN_ROWS && j + 1 == n)                                    \
                    c[i * ldc + n] = 0;                                                            \
            }                                                                                      \
    }
PLAIN_GEMM(plain_sgemm, float)
PLAIN_GEMM(plain_dgemm, double)

static void the_installed_blas_is_right(void)
{
    struct asy_error err = ASY_ERROR_INIT;

    T_OK(asy_kernels_selftest(&err), &err);
    T_HAS("name", asy_kernels_name(), "openblas-");
    T_HAS("name", asy_kernels_name(), ", fused ");
}

static void a_planted_fault_is_found_and_named(void)
{
    static const struct asy_blas plain = { plain_sgemm, plain_dgemm };
    static const struct {
        const char *name;
        enum fault fault;
        const char *says;
    } cases[] = {
        { "drops the last k", DROPS_LAST_K, "sgemm NN of 128 x 47 x 95" },
        { "wrong for TT", WRONG_WHEN_BOTH_TRANSPOSED, "sgemm TT of 1 x 1 x 1" },
        { "multiplies NaN by beta 0", KEEPS_NAN, "nan" },
        { "writes between rows", WRITES_BETWEEN_ROWS, "column 1" },
        { "too few bits", ROUNDS_TO_HALF, "sgemm NN of 1 x 1 x 1" },
    };
    struct asy_error err = ASY_ERROR_INIT;

    asy_kernels_set_blas(&plain);
    fault = RIGHT;
    T_OK(asy_kernels_selftest(&err), &err);
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        fault = cases[i].fault;
        T_EQ(cases[i].name, asy_kernels_selftest(&err), ASY_E_CORRUPT);
        T_HAS(cases[i].name, err.text, cases[i].says);
    }
    asy_kernels_set_blas(NULL);
    T_OK(asy_kernels_selftest(&err), &err);
}

static void speed_is_plausible(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    double gflops = 0, gb = 0;

    T_OK(asy_kernels_speed(&gflops, &gb, &err), &err);
    printf(" %.1f GFLOP/s, %.1f GB/s ", gflops, gb);
    T_TRUE(gflops > 0.1 && gflops < 10000); /* neither zero nor beyond any core */
    T_TRUE(gb > 0.01 && gb < 10000);
}

T_MAIN("selftest", T_TEST(the_installed_blas_is_right), T_TEST(a_planted_fault_is_found_and_named),
       T_TEST(speed_is_plausible))
