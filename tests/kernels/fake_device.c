/* SPDX-License-Identifier: Apache-2.0
 * fake_device.c - devices, contexts, streams and events, see fake_cuda.h. */
#include "fake_cuda.h"
#include "cuda/toolkit.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- devices -------------------------------------------------------------------------------- */

FAKE_API CUresult cuInit(unsigned flags);
FAKE_API CUresult cuInit(unsigned flags)
{
    if (flags)
        fake_fault("cuInit(%u)", flags);
    fake_state.initialised = 1;
    return fake_cuda.init_gives ? fake_cuda.init_gives
                                : fake_cuda.devices ? 0 : ASY__CU_NO_DEVICE;
}

FAKE_API CUresult cuDriverGetVersion(int *ret);
FAKE_API CUresult cuDriverGetVersion(int *ret)
{
    *ret = fake_cuda.version;
    return fake_enter(__func__);
}

FAKE_API CUresult cuGetErrorName(CUresult error, const char **ret);
FAKE_API CUresult cuGetErrorName(CUresult error, const char **ret)
{
    *ret = error == ASY__CU_OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY"
           : error == 700 ? "CUDA_ERROR_ILLEGAL_ADDRESS"
           : error == 803 ? "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"
                          : NULL;
    return *ret ? 0 : ASY__CU_INVALID_VALUE;
}

FAKE_API CUresult cuGetErrorString(CUresult error, const char **ret);
FAKE_API CUresult cuGetErrorString(CUresult error, const char **ret)
{
    *ret = error == ASY__CU_OUT_OF_MEMORY ? "out of memory"
           : error == 700 ? "an illegal memory access was encountered"
           : error == 803 ? "system has unsupported display driver / cuda driver combination"
                          : NULL;
    return *ret ? 0 : ASY__CU_INVALID_VALUE;
}

FAKE_API CUresult cuDeviceGetCount(int *ret);
FAKE_API CUresult cuDeviceGetCount(int *ret)
{
    *ret = fake_cuda.devices;
    return fake_enter(__func__);
}

FAKE_API CUresult cuDeviceGet(CUdevice *ret, int i);
FAKE_API CUresult cuDeviceGet(CUdevice *ret, int i)
{
    if (i < 0 || i >= fake_cuda.devices)
        fake_fault("device %d of %d", i, fake_cuda.devices);
    *ret = i;
    return fake_enter(__func__);
}

FAKE_API CUresult cuDeviceGetName(char *text, int size, CUdevice device);
FAKE_API CUresult cuDeviceGetName(char *text, int size, CUdevice device)
{
    snprintf(text, (size_t)size, "NVIDIA FAKE%d", (int)device);
    return fake_enter(__func__);
}

FAKE_API CUresult cuDeviceGetUuid_v2(CUuuid *ret, CUdevice device);
FAKE_API CUresult cuDeviceGetUuid_v2(CUuuid *ret, CUdevice device)
{
    memset(ret, device ? 0xbb : 0xaa, sizeof *ret);
    return fake_enter(__func__);
}

FAKE_API CUresult cuDeviceGetPCIBusId(char *text, int size, CUdevice device);
FAKE_API CUresult cuDeviceGetPCIBusId(char *text, int size, CUdevice device)
{
    snprintf(text, (size_t)size, "0000:%s:00.0", device ? "CA" : "3B");
    return fake_enter(__func__);
}

FAKE_API CUresult cuDeviceTotalMem_v2(size_t *ret, CUdevice device);
FAKE_API CUresult cuDeviceTotalMem_v2(size_t *ret, CUdevice device)
{
    (void)device;
    *ret = fake_cuda.memory;
    return fake_enter(__func__);
}

FAKE_API CUresult cuDeviceGetAttribute(int *ret, CUdevice_attribute which, CUdevice device);
FAKE_API CUresult cuDeviceGetAttribute(int *ret, CUdevice_attribute which, CUdevice device)
{
    (void)device;
    *ret = which == ASY__CU_MULTIPROCESSORS ? 132
           : which == ASY__CU_CAPABILITY_MAJOR ? fake_cuda.capability / 10
           : which == ASY__CU_CAPABILITY_MINOR ? fake_cuda.capability % 10
                                               : -1;
    if (*ret < 0)
        fake_fault("attribute %d of a device", (int)which);
    return fake_enter(__func__);
}

/* ---- contexts, streams, events -------------------------------------------------------------- */

/* Handles that point to nothing that anyone could read. */
static void *handle(uintptr_t number)
{
    void *p;

    number |= (uintptr_t)1 << 60;
    memcpy(&p, &number, sizeof p);
    return p;
}

FAKE_API CUresult cuDevicePrimaryCtxRetain(CUcontext *ret, CUdevice device);
FAKE_API CUresult cuDevicePrimaryCtxRetain(CUcontext *ret, CUdevice device)
{
    int gives = fake_enter(__func__);

    if (gives)
        return gives;
    fake_cuda.contexts++;
    *ret = handle(1 + (uintptr_t)device);
    return 0;
}

FAKE_API CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device);
FAKE_API CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device)
{
    (void)device;
    if (--fake_cuda.contexts < 0)
        fake_fault("a context is released twice");
    return 0;
}

FAKE_API CUresult cuCtxSetCurrent(CUcontext context);
FAKE_API CUresult cuCtxSetCurrent(CUcontext context)
{
    fake_state.context = context;
    return fake_enter(__func__);
}

FAKE_API CUresult cuStreamCreate(CUstream *ret, unsigned flags);
FAKE_API CUresult cuStreamCreate(CUstream *ret, unsigned flags)
{
    FAKE_ENTER();
    if (flags != ASY__CU_NON_BLOCKING)
        fake_fault("a stream of flags %u", flags);
    fake_cuda.streams++;
    *ret = handle(0x100);
    return 0;
}

FAKE_API CUresult cuStreamSynchronize(CUstream stream);
FAKE_API CUresult cuStreamSynchronize(CUstream stream)
{
    fake_cuda.waits++;
    FAKE_ENTER();
    if (!stream)
        fake_fault("waiting for no stream");
    fake_cuda_flush();
    return 0;
}

FAKE_API CUresult cuStreamDestroy_v2(CUstream stream);
FAKE_API CUresult cuStreamDestroy_v2(CUstream stream)
{
    FAKE_ENTER();
    if (!stream || --fake_cuda.streams < 0)
        fake_fault("a stream is destroyed twice");
    return 0;
}

struct event {
    int is_recorded;
    size_t at; /* fake_mark() then */
};

FAKE_API CUresult cuEventCreate(CUevent *ret, unsigned flags);
FAKE_API CUresult cuEventCreate(CUevent *ret, unsigned flags)
{
    struct event *event;

    FAKE_ENTER();
    if (flags != ASY__CU_NO_TIMING)
        fake_fault("an event of flags %u", flags);
    if (!(event = calloc(1, sizeof *event)))
        return ASY__CU_OUT_OF_MEMORY;
    fake_cuda.events++;
    memcpy(ret, &event, sizeof event);
    return 0;
}

FAKE_API CUresult cuEventRecord(CUevent event, CUstream stream);
FAKE_API CUresult cuEventRecord(CUevent event, CUstream stream)
{
    FAKE_ENTER();
    if (!stream)
        fake_fault("an event of no stream");
    *(struct event *)event = (struct event){ 1, fake_mark() };
    return 0;
}

FAKE_API CUresult cuEventSynchronize(CUevent event);
FAKE_API CUresult cuEventSynchronize(CUevent event)
{
    struct event *e = (struct event *)event;

    fake_cuda.waits++;
    FAKE_ENTER();
    if (!e->is_recorded)
        fake_fault("waiting for an event that was not recorded");
    else
        fake_flush_to(e->at);
    return 0;
}

FAKE_API CUresult cuEventDestroy_v2(CUevent event);
FAKE_API CUresult cuEventDestroy_v2(CUevent event)
{
    free(event);
    fake_cuda.events--;
    return fake_enter_context(__func__);
}
