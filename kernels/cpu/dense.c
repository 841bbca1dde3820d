/* SPDX-License-Identifier: Apache-2.0
 * dense.c - the products of a dense layer, over BLAS: the only place that includes cblas.h.
 *
 * BLAS is kept to one thread: a rank has one core, and a pool that spins after each call beside
 * other ranks costs more than it gives. */
#include "dense.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <cblas.h>

static CBLAS_TRANSPOSE op(int trans)
{
    return trans ? CblasTrans : CblasNoTrans;
}

static blasint dim(size_t n)
{
    ASY_ASSERT(n <= INT_MAX, "a dimension of %zu is beyond BLAS", n);
    return (blasint)n;
}

static void blas_sgemm(int trans_a, int trans_b, size_t m, size_t n, size_t k, float alpha,
                       const float *a, size_t lda, const float *b, size_t ldb, float beta,
                       float *c, size_t ldc)
{
    cblas_sgemm(CblasRowMajor, op(trans_a), op(trans_b), dim(m), dim(n), dim(k), alpha, a,
                dim(lda), b, dim(ldb), beta, c, dim(ldc));
}

static void blas_dgemm(int trans_a, int trans_b, size_t m, size_t n, size_t k, double alpha,
                       const double *a, size_t lda, const double *b, size_t ldb, double beta,
                       double *c, size_t ldc)
{
    cblas_dgemm(CblasRowMajor, op(trans_a), op(trans_b), dim(m), dim(n), dim(k), alpha, a,
                dim(lda), b, dim(ldb), beta, c, dim(ldc));
}

static const struct asy_blas real_blas = { blas_sgemm, blas_dgemm };
static const struct asy_blas *blas = &real_blas;

/* "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ..." gives the version. */
void asy__blas_init(char *ret_name, size_t size)
{
    const char *config = openblas_get_config();
    const char *space = strchr(config, ' ');
    int len = space ? (int)strcspn(space + 1, " ") : 0;

    openblas_set_num_threads(1);
    snprintf(ret_name, size, "openblas-%.*s %s", len, space ? space + 1 : "",
             openblas_get_corename());
}

const struct asy_blas *asy__blas_get(void)
{
    return blas;
}

void asy_kernels_set_blas(const struct asy_blas *replacement)
{
    blas = replacement ? replacement : &real_blas;
}

void asy_dense(size_t rows, size_t in, size_t out, const float *x, const float *w, float *y)
{
    blas->sgemm(0, 1, rows, out, in, 1, x, in, w, in, 0, y, out);
}

void asy_dense_dx(size_t rows, size_t in, size_t out, const float *dy, const float *w, float *dx)
{
    blas->sgemm(0, 0, rows, in, out, 1, dy, out, w, in, 0, dx, in);
}

void asy_dense_dw(size_t rows, size_t in, size_t out, const float *dy, const float *x, float *dw)
{
    blas->sgemm(1, 0, out, in, rows, 1, dy, out, x, in, 0, dw, in);
}
