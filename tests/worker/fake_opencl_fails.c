/* SPDX-License-Identifier: Apache-2.0
 * fake_opencl_fails.c - beside fake_opencl.c, what a program wants for computing. No context is
 * ever made: FAKE_CONTEXT is the status that tells why. So nothing else here is reached. */
#include <stdint.h>
#include <stdlib.h>

void *clCreateContext(const intptr_t *properties, unsigned n, void *const *devices, void *notify,
                      void *arg, int *ret_status);
void *clCreateContext(const intptr_t *properties, unsigned n, void *const *devices, void *notify,
                      void *arg, int *ret_status)
{
    const char *status = getenv("FAKE_CONTEXT");

    (void)properties;
    (void)n;
    (void)devices;
    (void)notify;
    (void)arg;
    *ret_status = status ? (int)strtol(status, NULL, 10) : -1;
    return NULL;
}

#define UNREACHED(name)                                                                            \
    void name(void);                                                                               \
    void name(void)                                                                                \
    {                                                                                              \
        abort();                                                                                   \
    }
UNREACHED(clReleaseContext)
UNREACHED(clCreateCommandQueue)
UNREACHED(clReleaseCommandQueue)
UNREACHED(clCreateProgramWithSource)
UNREACHED(clBuildProgram)
UNREACHED(clGetProgramBuildInfo)
UNREACHED(clReleaseProgram)
UNREACHED(clCreateKernel)
UNREACHED(clReleaseKernel)
UNREACHED(clSetKernelArg)
UNREACHED(clCreateBuffer)
UNREACHED(clReleaseMemObject)
UNREACHED(clEnqueueReadBuffer)
UNREACHED(clEnqueueWriteBuffer)
UNREACHED(clEnqueueFillBuffer)
UNREACHED(clEnqueueMapBuffer)
UNREACHED(clEnqueueUnmapMemObject)
UNREACHED(clEnqueueNDRangeKernel)
UNREACHED(clEnqueueMarkerWithWaitList)
UNREACHED(clWaitForEvents)
UNREACHED(clReleaseEvent)
UNREACHED(clFlush)
UNREACHED(clFinish)
