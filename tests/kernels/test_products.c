/* SPDX-License-Identifier: Apache-2.0
 * Products by BLAS in place of our own, for whoever asks for it: that BLAS is called, that it is
 * told the shape rightly, and that nothing stays of it. */
#include <asytest.h>
#include <math.h>
#include <stdlib.h>
#include <asy/gemm.h>
#include <asy/kernels.h>
#include <asy/rng.h>

enum { M = 19, N = 23, K = 31, PAD = 3, MOST = (K + PAD) * (K + PAD) };
static float room[ASY_GEMM_ROOM] __attribute__((aligned(64)));
static float a[MOST], b[MOST], c[MOST];
static int calls;

/* Of rows and columns as asy_gemm() means them. */
static void counting(int trans_a, int trans_b, size_t m, size_t n, size_t k, float alpha,
                     const float *x, size_t lda, const float *y, size_t ldb, float beta, float *z,
                     size_t ldc)
{
    calls++;
    T_TRUE(alpha == 1);
    asy_gemm_ref(&(struct asy_gemm){ trans_a, trans_b, beta == 1, m, n, k, lda, ldb, ldc }, x, y,
                 z);
}

static void fill(void)
{
    struct asy_rng rng;

    asy_rng_init(&rng, 1, 0, ASY_RNG_SIM);
    for (size_t i = 0; i < MOST; i++) {
        a[i] = (float)asy_rng_normal(&rng);
        b[i] = (float)asy_rng_normal(&rng);
        c[i] = (float)asy_rng_normal(&rng);
    }
}

static struct asy_gemm shape(int how)
{
    struct asy_gemm s = { .trans_a = how & 1, .trans_b = how >> 1 & 1, .add = how >> 2, .m = M,
                          .n = N, .k = K, .ldc = N + PAD };

    s.lda = (s.trans_a ? M : K) + PAD;
    s.ldb = (s.trans_b ? K : N) + PAD;
    return s;
}

static void blas_multiplies_if_asked(void)
{
    static const struct asy_blas blas = { .sgemm = counting };
    float own[MOST], got[MOST];

    fill();
    asy_kernels_set_blas(&blas);
    for (int how = 0; how < 8; how++) {
        struct asy_gemm s = shape(how);

        calls = 0;
        memcpy(own, c, sizeof c);
        memcpy(got, c, sizeof c);
        asy_gemm(&s, a, b, own, room);
        T_EQ("calls, not asked", calls, 0);
        asy_kernels_set_products(ASY_PRODUCTS_BLAS);
        asy_gemm(&s, a, b, got, room);
        T_EQ("calls", calls, 1);
        for (size_t i = 0; i < MOST; i++) /* 31 roundings of 6e-8 of some tens */
            T_NEAR("an entry", (double)got[i], (double)own[i], 1e-4);
        asy_kernels_set_products(ASY_PRODUCTS_OWN);
    }
    asy_kernels_set_blas(NULL);
}

static void openblas_agrees_but_for_rounding(void)
{
    float own[MOST], got[MOST];

    fill();
    for (int how = 0; how < 8; how++) {
        struct asy_gemm s = shape(how);

        memcpy(own, c, sizeof c);
        memcpy(got, c, sizeof c);
        asy_gemm(&s, a, b, own, room);
        asy_kernels_set_products(ASY_PRODUCTS_BLAS);
        asy_gemm(&s, a, b, got, room);
        asy_kernels_set_products(ASY_PRODUCTS_OWN);
        for (size_t i = 0; i < MOST; i++)
            T_NEAR("an entry", (double)got[i], (double)own[i], 1e-4);
    }
}

static void nothing_to_add_up_leaves_zeros(void)
{
    struct asy_gemm s = shape(0);

    fill();
    s.k = 0;
    asy_kernels_set_products(ASY_PRODUCTS_BLAS);
    asy_gemm(&s, a, b, c, room);
    asy_kernels_set_products(ASY_PRODUCTS_OWN);
    for (size_t i = 0; i < N; i++)
        T_TRUE(c[i] == 0 && c[(M - 1) * s.ldc + i] == 0);
}

static void the_name_says_what_multiplies(void)
{
    char own[200];

    asy_kernels_init();
    snprintf(own, sizeof own, "%s", asy_kernels_name());
    T_TRUE(strstr(own, "gemm openblas") == NULL);
    asy_kernels_set_products(ASY_PRODUCTS_BLAS);
    T_EQ("products", asy_kernels_products(), ASY_PRODUCTS_BLAS);
    T_HAS("name", asy_kernels_name(), ", gemm openblas, fused ");
    asy_kernels_set_products(ASY_PRODUCTS_OWN);
    T_STR("name", asy_kernels_name(), own);
}

/* What a node is judged by is what our kernels and BLAS compute, whoever multiplies. */
static void the_self_test_judges_both(void)
{
    struct asy_error err = ASY_ERROR_INIT;

    asy_kernels_set_products(ASY_PRODUCTS_BLAS);
    T_OK(asy_kernels_selftest(&err), &err);
    asy_kernels_set_products(ASY_PRODUCTS_OWN);
}

T_MAIN("products", T_TEST(the_name_says_what_multiplies), T_TEST(blas_multiplies_if_asked),
       T_TEST(openblas_agrees_but_for_rounding),
       T_TEST(nothing_to_add_up_leaves_zeros), T_TEST(the_self_test_judges_both))
