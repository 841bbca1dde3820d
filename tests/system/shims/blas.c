/* SPDX-License-Identifier: Apache-2.0
 * Preloaded by tests: a BLAS whose sgemm forgets the last of its products, as a kernel that is
 * wrong for one kind of CPU might. */
#include <stddef.h>

#define ROW_MAJOR 101
#define TRANS 112

void cblas_sgemm(int order, int trans_a, int trans_b, int m, int n, int k, float alpha,
                 const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);

static float element(const float *x, int trans, int row, int column, int ld)
{
    return trans == TRANS ? x[(size_t)column * (size_t)ld + (size_t)row]
                          : x[(size_t)row * (size_t)ld + (size_t)column];
}

__attribute__((visibility("default"))) void cblas_sgemm(int order, int trans_a, int trans_b, int m,
                                                        int n, int k, float alpha, const float *a,
                                                        int lda, const float *b, int ldb,
                                                        float beta, float *c, int ldc)
{
    if (order != ROW_MAJOR)
        __builtin_trap();
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            float *to = &c[(size_t)i * (size_t)ldc + (size_t)j], sum = 0;

            for (int l = 0; l < k - (k > 16); l++)
                sum += element(a, trans_a, i, l, lda) * element(b, trans_b, l, j, ldb);
            *to = alpha * sum + (beta != 0 ? beta * *to : 0);
        }
}
