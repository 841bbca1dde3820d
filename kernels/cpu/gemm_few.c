/* SPDX-License-Identifier: Apache-2.0
 * gemm_few.c - which products are of few rows or columns, and which operand has them. A question of
 * speed alone: the sums are the same. */
#include "gemm.h"

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

int asy__gemm_is_few(const struct asy__gemm *isa, const struct asy_gemm *s)
{
    return isa->few && s->trans_b && !s->trans_a && smaller(s->m, s->n) <= ASY__FEW_ROWS;
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
