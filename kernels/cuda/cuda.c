/* SPDX-License-Identifier: Apache-2.0
 * cuda.c - CUDA's devices: what there are, opening and closing, what goes wrong. See impl.h.
 *
 * Numbers of devices are CUDA's own, which leaves out what CUDA_VISIBLE_DEVICES does. */
#include "impl.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- failing -------------------------------------------------------------------------------- */

int asy__cuda_enter(struct asy__dev *dev, struct asy_error *err)
{
    CUresult cu = dev->cuda->cuCtxSetCurrent(dev->context);

    return cu ? asy__cuda_fail(dev->cuda, cu, err, "cannot be used") : 0;
}

/* What fails alone, with the device as it was; of anything else we do not know. */
static int code_of(CUresult cu)
{
    switch (cu) {
    case ASY__CU_OUT_OF_MEMORY:
        return ASY_E_NOMEM;
    case ASY__CU_INVALID_VALUE:
        return ASY_E_INVAL;
    case ASY__CU_NOT_FOUND:
        return ASY_E_NOENT;
    case ASY__CU_OUT_OF_RESOURCES:
        return ASY_E_TOOBIG;
    case ASY__CU_INVALID_IMAGE:
    case ASY__CU_NO_BINARY:
    case ASY__CU_INVALID_PTX:
    case ASY__CU_NO_JIT:
    case ASY__CU_PTX_VERSION:
        return ASY_E_UNSUPPORTED;
    default:
        return ASY_E_GONE;
    }
}

int asy__cuda_fail(const struct asy__cuda *cuda, CUresult cu, struct asy_error *err,
                   const char *fmt, ...)
{
    const char *name = NULL, *text = NULL;
    char what[120];
    va_list args;

    va_start(args, fmt);
    vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    cuda->cuGetErrorName(cu, &name);
    cuda->cuGetErrorString(cu, &text);
    return asy_fail(err, code_of(cu), "%s: %s (%d): %s", what,
                    name ? name : "an error without a name", (int)cu,
                    text ? text : "no reason is given");
}

/* ---- what there is -------------------------------------------------------------------------- */

static int describe(const struct asy__cuda *cuda, CUdevice device, struct asy_device_info *info)
{
    CUuuid uuid;
    size_t memory = 0;
    int units = 0, n;

    memset(info, 0, sizeof *info);
    info->kind = ASY_DEVICE_CUDA;
    if (cuda->cuDeviceGetName(info->name, sizeof info->name, device) ||
        cuda->cuDeviceTotalMem_v2(&memory, device) ||
        cuda->cuDeviceGetAttribute(&units, ASY__CU_MULTIPROCESSORS, device))
        return -1;
    if (cuda->cuDeviceGetPCIBusId(info->address, sizeof info->address, device))
        info->address[0] = '\0';
    for (char *c = info->address; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    if (cuda->cuDeviceGetUuid_v2(&uuid, device) == 0) {
        n = snprintf(info->uuid, sizeof info->uuid, "%s",
                     strstr(info->name, " MIG ") ? "MIG" : "GPU");
        for (int i = 0; i < 16; i++)
            n += snprintf(info->uuid + n, sizeof info->uuid - (size_t)n, "%s%02x",
                          i == 0 || i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
                          (unsigned char)uuid.bytes[i]);
    }
    snprintf(info->driver, sizeof info->driver, "CUDA %d.%d", cuda->version / 1000,
             cuda->version % 1000 / 10);
    info->memory = memory;
    info->units = (unsigned)units;
    return 0;
}

static int list(struct asy_device_info *ret, size_t cap, size_t *ret_n, struct asy_error *err)
{
    const struct asy__cuda *cuda;
    CUdevice device;
    int n = 0, rc = asy__cuda_get(&cuda, err);

    if (rc)
        return rc;
    if (cuda->cuDeviceGetCount(&n) || n < 0)
        return asy_fail(err, ASY_E_GONE, "CUDA does not tell its devices");
    for (int i = 0; i < n && (size_t)i < cap; i++)
        if (cuda->cuDeviceGet(&device, i) || describe(cuda, device, &ret[i]))
            return asy_fail(err, ASY_E_GONE, "CUDA does not describe its device %d", i);
    *ret_n = (size_t)n;
    return 0;
}

/* ---- open, close ---------------------------------------------------------------------------- */

static int find(struct asy__dev *dev, size_t index, struct asy_device_info *ret_info,
                struct asy_error *err)
{
    int n = 0, major = 0, minor = 0, rc = asy__cuda_get(&dev->cuda, err);

    if (rc)
        return rc;
    if (dev->cuda->cuDeviceGetCount(&n) || n < 0 || index >= (size_t)n)
        return asy_fail(err, ASY_E_NOENT, "CUDA shows %d device%s, none of number %zu", n,
                        ASY_S(n), index);
    if (dev->cuda->cuDeviceGet(&dev->device, (int)index) ||
        describe(dev->cuda, dev->device, ret_info) ||
        dev->cuda->cuDeviceGetAttribute(&major, ASY__CU_CAPABILITY_MAJOR, dev->device) ||
        dev->cuda->cuDeviceGetAttribute(&minor, ASY__CU_CAPABILITY_MINOR, dev->device))
        return asy_fail(err, ASY_E_GONE, "CUDA does not describe its device %zu", index);
    dev->capability = 10 * major + minor;
    return 0;
}

/* Its context and its stream. */
static int start(struct asy__dev *dev, struct asy_error *err)
{
    CUresult cu = dev->cuda->cuDevicePrimaryCtxRetain(&dev->context, dev->device);

    if (cu) {
        dev->context = NULL;
        return asy__cuda_fail(dev->cuda, cu, err, "cannot be opened");
    }
    if ((cu = dev->cuda->cuCtxSetCurrent(dev->context)) ||
        (cu = dev->cuda->cuStreamCreate(&dev->stream, ASY__CU_NON_BLOCKING)))
        return asy__cuda_fail(dev->cuda, cu, err, "cannot be opened");
    return 0;
}

/* CUDA ends what is in the queue first. */
static void close_device(struct asy__dev *dev)
{
    if (!dev)
        return;
    if (dev->context) {
        dev->cuda->cuCtxSetCurrent(dev->context);
        if (dev->stream)
            dev->cuda->cuStreamSynchronize(dev->stream);
        asy__cublas_fini(dev);
        asy__cuda_modules_fini(dev);
        asy__cuda_staging_fini(dev);
        if (dev->stream)
            dev->cuda->cuStreamDestroy_v2(dev->stream);
        dev->cuda->cuCtxSetCurrent(NULL);
        dev->cuda->cuDevicePrimaryCtxRelease_v2(dev->device);
    }
    free(dev);
}

static int open_device(size_t index, struct asy__dev **ret_dev, struct asy_device_info *ret_info,
                       struct asy_error *err)
{
    struct asy__dev *dev = calloc(1, sizeof *dev);
    struct asy_device_info info;
    char blas[60];
    int rc;

    if (!dev)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a device");
    if ((rc = find(dev, index, &info, err)))
        goto out;
    if ((rc = asy__nvrtc_get(dev->cuda->version / 1000, &dev->nvrtc, err)) ||
        (rc = start(dev, err)) || (rc = asy__cublas_init(dev, blas, sizeof blas, err)))
        goto out;
    snprintf(info.driver + strlen(info.driver), sizeof info.driver - strlen(info.driver),
             ", NVRTC %d.%d, %s", dev->nvrtc->major, dev->nvrtc->minor, blas);
    *ret_info = info;
    *ret_dev = dev;
    dev = NULL;
out:
    close_device(dev);
    return rc;
}

const struct asy__driver asy__driver_cuda = {
    .kind = ASY_DEVICE_CUDA,
    .list = list,
    .open = open_device,
    .close = close_device,
    .build = asy__cuda_build,
    .kernel = asy__cuda_kernel,
    .alloc = asy__cuda_alloc,
    .free = asy__cuda_free,
    .write = asy__cuda_write,
    .read = asy__cuda_read,
    .zero = asy__cuda_zero,
    .launch = asy__cuda_launch,
    .product = asy__cuda_product,
};
