/* SPDX-License-Identifier: Apache-2.0
 * gemm_way.c - which way a product is computed: by BLAS, as one of few rows or columns, turned, or
 * by tiles as it is. But for BLAS a question of speed alone: the sums are the same. */
#include "gemm_order.h"
#include "dense.h"
#include <asy/base.h>

/* In multiply-adds of a vector: those of tiles, lanes left empty among them; a panel to transpose;
 * then, sums that rest in memory, or a result to transpose. */
int asy__gemm_is_turned(const struct asy__gemm *isa, const struct asy_gemm *s, size_t rests)
{
    const size_t transposing = 7, resting = 4; /* a vector, as measured with AVX-512 */
    size_t down = (s->m + isa->lanes - 1) / isa->lanes;
    size_t across = (s->n + isa->lanes - 1) / isa->lanes;
    size_t plain = across * (s->k * (s->m + transposing) + rests * resting * s->m);
    size_t turned = down * (s->k * (s->n + transposing) + transposing * s->n);

    return s->trans_b && (s->trans_a || turned < plain);
}

int asy__gemm_is_few(const struct asy__gemm *isa, const struct asy_gemm *s)
{
    return isa->few && s->trans_b && !s->trans_a && asy__smaller(s->m, s->n) <= ASY__FEW_ROWS;
}

void asy__gemm_few(const struct asy__gemm *isa, const struct asy_gemm *s, const float *a,
                   const float *b, float *c, float *room)
{
    struct asy__few f = { .a = a, .b = b, .c = c, .rows = s->m, .n = s->n, .k = s->k,
                          .a_row = s->lda, .b_row = s->ldb, .c_row = s->ldc, .add = s->add,
                          .room = room };

    if (s->n < s->m) {
        f.turned = 1;
        f.a = b;
        f.a_row = s->ldb;
        f.rows = s->n;
        f.b = a;
        f.b_row = s->lda;
        f.n = s->m;
    }
    isa->few(&f);
}

int asy__gemm_flat(const struct asy__gemm *isa, const struct asy_gemm *s, const float *a,
                   const float *b, float *c)
{
    struct asy__flat f = { .a = a, .b = b, .c = c, .rows = s->m, .n = s->n, .k = s->k,
                           .a_row = s->lda, .b_row = s->ldb, .c_row = s->ldc, .add = s->add };

    return isa->flat && !s->trans_a && !s->trans_b && isa->flat(&f);
}

void asy_gemm(const struct asy_gemm *shape, const float *a, const float *b, float *c, float *room)
{
    if (asy_kernels_products() == ASY_PRODUCTS_BLAS && shape->m && shape->n && shape->k)
        asy__blas_gemm(shape, a, b, c);
    else
        asy__gemm_run(asy__gemm_get(), shape, a, b, c, room);
}
