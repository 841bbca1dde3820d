/* SPDX-License-Identifier: Apache-2.0
 * memory.c - memory of CUDA devices, see impl.h.
 *
 * Rejected: cuMemcpyHtoD straight from the caller's memory, which is not pinned: CUDA waits for the
 * whole queue first, so that a step would begin when the one before it has ended. */
#include "impl.h"
#include <stdlib.h>
#include <string.h>

int asy__cuda_alloc(struct asy__dev *dev, size_t bytes, struct asy__mem **ret_mem,
                    struct asy_error *err)
{
    struct asy__mem *mem = NULL;
    CUresult cu;
    int rc = asy__cuda_enter(dev, err);

    if (rc)
        return rc;
    if (!(mem = calloc(1, sizeof *mem)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for an array of a device");
    mem->bytes = bytes ? bytes : 1; /* CUDA has no empty ones */
    if ((cu = dev->cuda->cuMemAlloc_v2(&mem->at, mem->bytes))) {
        free(mem);
        return asy__cuda_fail(dev->cuda, cu, err, "no memory for %zu bytes", bytes);
    }
    if ((cu = dev->cuda->cuMemsetD8Async(mem->at, 0, mem->bytes, dev->stream))) {
        asy__cuda_free(dev, mem);
        return asy__cuda_fail(dev->cuda, cu, err, "cannot clear memory");
    }
    *ret_mem = mem;
    return 0;
}

/* CUDA waits until nothing in the queue can use it. Of a device that is gone the calls fail, and
 * nothing is left to be done. */
void asy__cuda_free(struct asy__dev *dev, struct asy__mem *mem)
{
    if (!mem)
        return;
    if (dev->cuda->cuCtxSetCurrent(dev->context) == 0)
        dev->cuda->cuMemFree_v2(mem->at);
    free(mem);
}

/* ---- staging -------------------------------------------------------------------------------- */

static int staging_init(struct asy__dev *dev, struct asy_error *err)
{
    struct asy__staging *staging = &dev->staging;
    void *memory = NULL;
    CUresult cu = 0;

    for (int i = 0; i < ASY__STAGES && !cu; i++)
        if (!staging->read[i])
            cu = dev->cuda->cuEventCreate(&staging->read[i], ASY__CU_NO_TIMING);
    if (!cu)
        cu = dev->cuda->cuMemHostAlloc(&memory, (size_t)ASY__STAGES * ASY__STAGE_BYTES, 0);
    if (cu)
        return asy__cuda_fail(dev->cuda, cu, err, "cannot pin memory for writing");
    staging->memory = memory;
    return 0;
}

void asy__cuda_staging_fini(struct asy__dev *dev)
{
    for (int i = 0; i < ASY__STAGES; i++)
        if (dev->staging.read[i])
            dev->cuda->cuEventDestroy_v2(dev->staging.read[i]);
    if (dev->staging.memory)
        dev->cuda->cuMemFreeHost(dev->staging.memory);
    memset(&dev->staging, 0, sizeof dev->staging);
}

/* On to the next part, when the device has read what it held. */
static CUresult next_stage(struct asy__dev *dev)
{
    struct asy__staging *staging = &dev->staging;
    CUresult cu = dev->cuda->cuEventRecord(staging->read[staging->at], dev->stream);

    if (cu)
        return cu;
    staging->pending |= 1u << staging->at;
    staging->at = (staging->at + 1) % ASY__STAGES;
    staging->filled = 0;
    if (staging->pending & 1u << staging->at)
        cu = dev->cuda->cuEventSynchronize(staging->read[staging->at]);
    if (!cu)
        staging->pending &= ~(1u << staging->at);
    return cu;
}

/* At most what a part holds. */
static CUresult write_piece(struct asy__dev *dev, CUdeviceptr to, const char *data, size_t n)
{
    struct asy__staging *staging = &dev->staging;
    CUresult cu = 0;
    char *stage;

    if (staging->filled + n > ASY__STAGE_BYTES && (cu = next_stage(dev)))
        return cu;
    stage = staging->memory + (size_t)staging->at * ASY__STAGE_BYTES + staging->filled;
    memcpy(stage, data, n);
    staging->filled += (n + 255) / 256 * 256;
    return dev->cuda->cuMemcpyHtoDAsync_v2(to, stage, n, dev->stream);
}

int asy__cuda_write(struct asy__dev *dev, struct asy__mem *mem, size_t at, const void *data,
                    size_t bytes, struct asy_error *err)
{
    const char *from = data;
    CUresult cu;
    int rc = asy__cuda_enter(dev, err);

    ASY_ASSERT(at <= mem->bytes && bytes <= mem->bytes - at, "%zu + %zu of %zu bytes", at, bytes,
               mem->bytes);
    if (rc == 0 && !dev->staging.memory)
        rc = staging_init(dev, err);
    for (size_t i = 0, n; rc == 0 && i < bytes; i += n) {
        n = bytes - i < ASY__STAGE_BYTES ? bytes - i : ASY__STAGE_BYTES;
        if ((cu = write_piece(dev, mem->at + at + i, from + i, n)))
            rc = asy__cuda_fail(dev->cuda, cu, err, "cannot write %zu bytes", bytes);
    }
    return rc;
}

int asy__cuda_read(struct asy__dev *dev, struct asy__mem *mem, size_t at, void *data, size_t bytes,
                   struct asy_error *err)
{
    CUresult cu;
    int rc = asy__cuda_enter(dev, err);

    ASY_ASSERT(at <= mem->bytes && bytes <= mem->bytes - at, "%zu + %zu of %zu bytes", at, bytes,
               mem->bytes);
    if (rc || bytes == 0)
        return rc;
    cu = dev->cuda->cuMemcpyDtoHAsync_v2(data, mem->at + at, bytes, dev->stream);
    if (!cu)
        cu = dev->cuda->cuStreamSynchronize(dev->stream);
    return cu ? asy__cuda_fail(dev->cuda, cu, err, "cannot read %zu bytes", bytes) : 0;
}

int asy__cuda_zero(struct asy__dev *dev, struct asy__mem *mem, size_t at, size_t bytes,
                   struct asy_error *err)
{
    CUresult cu;
    int rc = asy__cuda_enter(dev, err);

    ASY_ASSERT(at <= mem->bytes && bytes <= mem->bytes - at, "%zu + %zu of %zu bytes", at, bytes,
               mem->bytes);
    if (rc || bytes == 0)
        return rc;
    cu = dev->cuda->cuMemsetD8Async(mem->at + at, 0, bytes, dev->stream);
    return cu ? asy__cuda_fail(dev->cuda, cu, err, "cannot clear %zu bytes", bytes) : 0;
}
