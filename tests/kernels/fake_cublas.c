/* SPDX-License-Identifier: Apache-2.0
 * fake_cublas.c - cuBLAS, see fake_cuda.h: products are done, by the rules of BLAS, which counts by
 * column. */
#include "fake_cuda.h"
#include "cuda/toolkit.h"
#include <stdlib.h>
#include <string.h>

struct handle {
    int has_stream, has_room, has_mode, has_atomics;
};

FAKE_API cublasStatus_t cublasCreate_v2(cublasHandle_t *ret);
FAKE_API cublasStatus_t cublasCreate_v2(cublasHandle_t *ret)
{
    struct handle *handle;

    if (fake_cuda.blas_gives)
        return fake_cuda.blas_gives;
    if (!(handle = calloc(1, sizeof *handle)))
        return ASY__BLAS_ALLOC_FAILED;
    fake_cuda.handles++;
    memcpy(ret, &handle, sizeof handle);
    return fake_enter(__func__);
}

FAKE_API cublasStatus_t cublasDestroy_v2(cublasHandle_t handle);
FAKE_API cublasStatus_t cublasDestroy_v2(cublasHandle_t handle)
{
    free(handle);
    fake_cuda.handles--;
    return fake_enter(__func__);
}

FAKE_API cublasStatus_t cublasGetVersion_v2(cublasHandle_t handle, int *ret);
FAKE_API cublasStatus_t cublasGetVersion_v2(cublasHandle_t handle, int *ret)
{
    (void)handle;
    *ret = fake_cuda.version >= 12000 ? 130100 : 11304;
    return fake_enter(__func__);
}

FAKE_API cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream);
FAKE_API cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream)
{
    struct handle *h = (struct handle *)handle;

    h->has_stream = stream != NULL;
    h->has_room = 0; /* as documented */
    return fake_enter(__func__);
}

FAKE_API cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void *at, size_t bytes);
FAKE_API cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void *at, size_t bytes)
{
    if (!fake_is_device(at, bytes))
        fake_fault("room for cuBLAS that is not there");
    ((struct handle *)handle)->has_room = 1;
    return fake_enter(__func__);
}

FAKE_API cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode);
FAKE_API cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode)
{
    ((struct handle *)handle)->has_mode = mode == ASY__BLAS_DEFAULT_MATH;
    return fake_enter(__func__);
}

FAKE_API cublasStatus_t cublasSetAtomicsMode(cublasHandle_t handle, cublasAtomicsMode_t mode);
FAKE_API cublasStatus_t cublasSetAtomicsMode(cublasHandle_t handle, cublasAtomicsMode_t mode)
{
    ((struct handle *)handle)->has_atomics = mode == ASY__BLAS_NO_ATOMICS;
    return fake_enter(__func__);
}

static int holds(const float *at, int rows, int columns, int ld)
{
    return ld >= rows &&
           fake_is_device(at, ((size_t)(columns - 1) * (size_t)ld + (size_t)rows) * sizeof *at);
}

FAKE_API cublasStatus_t cublasSgemm_v2(cublasHandle_t handle, cublasOperation_t t_a,
                                       cublasOperation_t t_b, int m, int n, int k,
                                       const float *alpha, const float *a, int lda, const float *b,
                                       int ldb, const float *beta, float *c, int ldc);
FAKE_API cublasStatus_t cublasSgemm_v2(cublasHandle_t handle, cublasOperation_t t_a,
                                       cublasOperation_t t_b, int m, int n, int k,
                                       const float *alpha, const float *a, int lda, const float *b,
                                       int ldb, const float *beta, float *c, int ldc)
{
    const struct handle *h = (const struct handle *)handle;
    int gives = fake_enter(__func__);

    if (gives)
        return gives;
    if (!h->has_stream || !h->has_room || !h->has_mode || !h->has_atomics)
        fake_fault("a product before cuBLAS is set up");
    if (!holds(a, t_a ? k : m, t_a ? m : k, lda) || !holds(b, t_b ? n : k, t_b ? k : n, ldb) ||
        !holds(c, m, n, ldc)) {
        fake_fault("a product of %d x %d x %d beyond its operands", m, n, k);
        return 7;
    }
    fake_queue_product(&(struct fake_product){ m, n, k, t_a, t_b, *alpha, *beta, a, b, c, lda, ldb,
                                               ldc });
    fake_cuda.products++;
    return 0;
}
