/* SPDX-License-Identifier: Apache-2.0
 * dense.c - the products of a dense layer, and BLAS: the only place that includes cblas.h.
 *
 * BLAS is kept to one thread: a rank has one core, and a pool that spins after each call beside
 * other ranks costs more than it gives. */
#include "dense.h"
#include <asy/gemm.h>
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

void asy__blas_gemm(const struct asy_gemm *s, const float *a, const float *b, float *c)
{
    blas->sgemm(s->trans_a, s->trans_b, s->m, s->n, s->k, 1, a, s->lda, b, s->ldb,
                s->add ? 1.0f : 0.0f, c, s->ldc);
}

void asy_dense(size_t rows, size_t in, size_t out, const float *x, const float *w, float *y,
               float *room)
{
    asy_gemm(&(struct asy_gemm){ .trans_b = 1, .m = rows, .n = out, .k = in, .lda = in, .ldb = in,
                                 .ldc = out }, x, w, y, room);
}

void asy_dense_dx(size_t rows, size_t in, size_t out, const float *dy, const float *w, float *dx,
                  float *room)
{
    asy_gemm(&(struct asy_gemm){ .m = rows, .n = in, .k = out, .lda = out, .ldb = in, .ldc = in },
             dy, w, dx, room);
}

void asy_dense_dw(size_t rows, size_t in, size_t out, const float *dy, const float *x, float *dw,
                  float *room)
{
    asy_gemm(&(struct asy_gemm){ .trans_a = 1, .m = out, .n = in, .k = rows, .lda = out, .ldb = in,
                                 .ldc = in }, dy, x, dw, room);
}
