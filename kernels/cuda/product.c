/* SPDX-License-Identifier: Apache-2.0
 * product.c - products of CUDA devices by cuBLAS, see impl.h.
 *
 * The same bits each time: one stream, room of our own for cuBLAS to work in, no atomics (NVIDIA's
 * documents, "Results reproducibility": then the same version gives the same bits on devices of the
 * same architecture and number of multiprocessors). fp32 is fp32: the default mode takes neither
 * TF32 nor emulation, unless variables of NVIDIA's in the environment ask for them.
 *
 * cublasLt, which adds bias and activation to a product, is not used: the kernels of device/source
 * do these on every back end, and what one pass less over the outputs saves was not measured. */
#include "impl.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* What NVIDIA advises: 32 MiB from compute capability 9.0 on. */
static size_t room_of(int capability)
{
    return capability >= 90 ? (size_t)32 << 20 : (size_t)8 << 20;
}

/* The stream before the room: setting a stream takes the room away. */
static cublasStatus_t set_up(struct asy__dev *dev)
{
    const struct asy__cublas *cublas = dev->cublas;
    void *room;
    cublasStatus_t rc;

    memcpy(&room, &dev->blas_room, sizeof room);
    if ((rc = cublas->cublasSetStream_v2(dev->blas, dev->stream)) ||
        (rc = cublas->cublasSetWorkspace_v2(dev->blas, room, dev->blas_bytes)) ||
        (rc = cublas->cublasSetMathMode(dev->blas, ASY__BLAS_DEFAULT_MATH)))
        return rc;
    return cublas->cublasSetAtomicsMode(dev->blas, ASY__BLAS_NO_ATOMICS);
}

static cublasStatus_t start(struct asy__dev *dev, int *ret_version)
{
    cublasStatus_t rc = dev->cublas->cublasCreate_v2(&dev->blas);

    if (rc) {
        dev->blas = NULL;
        return rc;
    }
    if ((rc = dev->cublas->cublasGetVersion_v2(dev->blas, ret_version)))
        return rc;
    return set_up(dev);
}

int asy__cublas_init(struct asy__dev *dev, char *text, size_t cap, struct asy_error *err)
{
    struct asy_error why = ASY_ERROR_INIT;
    CUresult cu;
    cublasStatus_t rc;
    int version = 0;

    if (asy__cublas_get(dev->cuda->version / 1000, &dev->cublas, &why)) {
        snprintf(text, cap, "no cuBLAS");
        return 0;
    }
    dev->blas_bytes = room_of(dev->capability);
    if ((cu = dev->cuda->cuMemAlloc_v2(&dev->blas_room, dev->blas_bytes))) {
        dev->blas_room = 0;
        return asy__cuda_fail(dev->cuda, cu, err, "no memory for cuBLAS");
    }
    if ((rc = start(dev, &version)) == ASY__BLAS_ALLOC_FAILED)
        return asy_fail(err, ASY_E_NOMEM, "no memory for cuBLAS");
    if (rc) {
        asy__cublas_fini(dev);
        snprintf(text, cap, "no cuBLAS (it does not start: %d)", (int)rc);
        return 0;
    }
    if (version < 100000) /* 11.3.4 writes 11304, 12.3.4 writes 120304 */
        version += 99000;
    snprintf(text, cap, "cuBLAS %d.%d", version / 10000, version % 10000 / 100);
    return 0;
}

void asy__cublas_fini(struct asy__dev *dev)
{
    if (dev->blas)
        dev->cublas->cublasDestroy_v2(dev->blas);
    if (dev->blas_room)
        dev->cuda->cuMemFree_v2(dev->blas_room);
    dev->blas = NULL;
    dev->blas_room = 0;
    dev->cublas = NULL;
}

static int fits(const struct asy__product *p)
{
    return p->m <= INT_MAX && p->n <= INT_MAX && p->k <= INT_MAX && p->lda <= INT_MAX &&
           p->ldb <= INT_MAX && p->ldc <= INT_MAX;
}

static float *at(const struct asy__mem *mem, size_t offset)
{
    CUdeviceptr address = mem->at + offset * sizeof(float);
    float *pointer;

    memcpy(&pointer, &address, sizeof pointer);
    return pointer;
}

/* cuBLAS counts by column, where a row-major matrix is its transpose: so it is asked for
 * c' [n][m] = b' a', with the operands changed over. */
int asy__cuda_product(struct asy__dev *dev, const struct asy__product *p, int *ret_done,
                      struct asy_error *err)
{
    const float one = 1.0f, beta = p->adds ? 1.0f : 0.0f;
    cublasStatus_t blas;
    int rc = asy__cuda_enter(dev, err);

    if (rc)
        return rc;
    *ret_done = 0;
    if (!dev->cublas || !fits(p))
        return 0;
    blas = dev->cublas->cublasSgemm_v2(
        dev->blas, p->t_b ? ASY__BLAS_TRANSPOSED : ASY__BLAS_NORMAL,
        p->t_a ? ASY__BLAS_TRANSPOSED : ASY__BLAS_NORMAL, (int)p->n, (int)p->m, (int)p->k, &one,
        at(p->b, p->b_at), (int)p->ldb, at(p->a, p->a_at), (int)p->lda, &beta, at(p->c, p->c_at),
        (int)p->ldc);
    if (blas == ASY__BLAS_ALLOC_FAILED)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a product");
    if (blas)
        return asy_fail(err, ASY_E_GONE, "a product fails: cuBLAS gives %d", (int)blas);
    *ret_done = 1;
    return 0;
}
