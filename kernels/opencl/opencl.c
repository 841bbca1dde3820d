/* SPDX-License-Identifier: Apache-2.0
 * opencl.c - the driver of OpenCL: opening devices, building kernels, launching them. */
#include "impl.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GROUP_ITEMS 256           /* the most of our kernels */
#define SHARED_BYTES (16u * 1024) /* of local memory, as much as OpenCL 1.0 warrants */

/* Whether our kernels can run on it at all. */
static int check(struct asy__dev *dev, struct asy_error *err)
{
    cl_bool there = CL_FALSE, compiles = CL_FALSE;
    cl_ulong shared = 0;
    size_t items = 0;
    cl_int status = 0;

#define ASK(what, ret)                                                                             \
    if (!status)                                                                                   \
        status = asy__cl.clGetDeviceInfo(dev->id, what, sizeof ret, &ret, NULL)
    ASK(CL_DEVICE_AVAILABLE, there);
    ASK(CL_DEVICE_COMPILER_AVAILABLE, compiles);
    ASK(CL_DEVICE_MAX_WORK_GROUP_SIZE, items);
    ASK(CL_DEVICE_LOCAL_MEM_SIZE, shared);
    ASK(CL_DEVICE_GLOBAL_MEM_SIZE, dev->memory);
    ASK(CL_DEVICE_MAX_MEM_ALLOC_SIZE, dev->alloc_most);
#undef ASK
    if (status)
        return asy__cl_fail(err, "clGetDeviceInfo", status);
    if (!there)
        return asy_fail(err, ASY_E_NOENT, "it is not available");
    if (!compiles)
        return asy_fail(err, ASY_E_UNSUPPORTED, "its driver has no compiler");
    if (items < GROUP_ITEMS || shared < SHARED_BYTES)
        return asy_fail(err, ASY_E_UNSUPPORTED,
                        "groups of %zu work items and %llu bytes of local memory are too small "
                        "(%d and %u are needed)",
                        items, (unsigned long long)shared, GROUP_ITEMS, SHARED_BYTES);
    return 0;
}

static void dev_close(struct asy__dev *dev)
{
    struct asy__kernel *next;

    if (dev->queue)
        asy__cl.clFinish(dev->queue); /* of a device that is gone it fails, and changes nothing */
    for (struct asy__kernel *k = dev->kernels; k; k = next) {
        next = k->next;
        asy__cl.clReleaseKernel(k->kernel);
        free(k);
    }
    asy__clblast_close(dev);
    asy__cl_pages_fini(dev);
    if (dev->program)
        asy__cl.clReleaseProgram(dev->program);
    if (dev->queue)
        asy__cl.clReleaseCommandQueue(dev->queue);
    if (dev->context)
        asy__cl.clReleaseContext(dev->context);
    free(dev);
}

static int start(struct asy__dev *dev, struct asy_error *err)
{
    cl_int status;

    dev->context = asy__cl.clCreateContext(NULL, 1, &dev->id, NULL, NULL, &status);
    if (status)
        return asy__cl_fail(err, "clCreateContext", status);
    dev->queue = asy__cl.clCreateCommandQueue(dev->context, dev->id, 0, &status);
    return status ? asy__cl_fail(err, "clCreateCommandQueue", status) : 0;
}

static int dev_open(size_t index, struct asy__dev **ret_dev, struct asy_device_info *ret_info,
                    struct asy_error *err)
{
    struct asy__dev *dev = calloc(1, sizeof *dev);
    int rc;

    if (!dev)
        return asy_fail(err, ASY_E_NOMEM, "no memory for a device");
    if ((rc = asy__cl_device(index, &dev->id, ret_info, err)) || (rc = check(dev, err)) ||
        (rc = start(dev, err))) {
        dev_close(dev);
        return rc;
    }
    if (!ret_info->is_cpu && asy__clblast_open(dev)) { /* said, for bits depend on it */
        size_t len = strlen(ret_info->driver);

        snprintf(ret_info->driver + len, sizeof ret_info->driver - len, ", CLBlast");
    }
    *ret_dev = dev;
    return 0;
}

/* The first lines of what the compiler says. There is no reading a part of it: memory that is less
 * than the whole is refused. */
static int fail_build(struct asy__dev *dev, cl_int status, struct asy_error *err)
{
    size_t len = 0;
    char *log = NULL;
    int rc;

    if (asy__cl.clGetProgramBuildInfo(dev->program, dev->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &len) ||
        !(log = calloc(1, len + 1)) ||
        asy__cl.clGetProgramBuildInfo(dev->program, dev->id, CL_PROGRAM_BUILD_LOG, len, log, NULL))
        len = 0;
    for (size_t i = 0; i < len; i++)
        if (log[i] == '\n')
            log[i] = ' ';
    rc = asy_fail(err, ASY_E_UNSUPPORTED, "clBuildProgram: error %d: %.160s", status,
                  len ? log : "no log");
    free(log);
    return rc;
}

static int dev_build(struct asy__dev *dev, const char *source, struct asy_error *err)
{
    size_t len = strlen(source);
    cl_int status;
    int rc;

    dev->program = asy__cl.clCreateProgramWithSource(dev->context, 1, &source, &len, &status);
    if (status)
        return asy__cl_fail(err, "clCreateProgramWithSource", status);
    status = asy__cl.clBuildProgram(dev->program, 1, &dev->id, "-cl-std=CL1.2", NULL, NULL);
    if (!status)
        return 0;
    rc = status == CL_BUILD_PROGRAM_FAILURE ? fail_build(dev, status, err)
                                            : asy__cl_fail(err, "clBuildProgram", status);
    asy__cl.clReleaseProgram(dev->program);
    dev->program = NULL;
    return rc;
}

static int dev_kernel(struct asy__dev *dev, const char *name, struct asy__kernel **ret_kernel,
                      struct asy_error *err)
{
    struct asy__kernel *kernel = calloc(1, sizeof *kernel);
    cl_int status;
    int rc;

    if (!kernel)
        return asy_fail(err, ASY_E_NOMEM, "no memory for kernel '%s'", name);
    kernel->kernel = asy__cl.clCreateKernel(dev->program, name, &status);
    if (status) {
        free(kernel);
        rc = asy__cl_fail(err, "clCreateKernel", status);
        asy_error_prefix(err, "kernel '%s'", name);
        return rc;
    }
    kernel->next = dev->kernels;
    dev->kernels = kernel;
    *ret_kernel = kernel;
    return 0;
}

static cl_int set_arg(cl_kernel kernel, cl_uint i, const struct asy__arg *arg)
{
    cl_mem buffer;

    switch (arg->kind) {
    case ASY__ARG_MEM:
        buffer = arg->mem ? arg->mem->buffer : NULL;
        return asy__cl.clSetKernelArg(kernel, i, sizeof buffer, &buffer);
    case ASY__ARG_U64:
        return asy__cl.clSetKernelArg(kernel, i, sizeof arg->u64, &arg->u64);
    case ASY__ARG_U32:
        return asy__cl.clSetKernelArg(kernel, i, sizeof arg->u32, &arg->u32);
    case ASY__ARG_I32:
        return asy__cl.clSetKernelArg(kernel, i, sizeof arg->i32, &arg->i32);
    case ASY__ARG_F32:
        return asy__cl.clSetKernelArg(kernel, i, sizeof arg->f32, &arg->f32);
    }
    return CL_INVALID_ARG_VALUE;
}

static int dev_launch(struct asy__dev *dev, struct asy__kernel *kernel,
                      const struct asy__grid *grid, const struct asy__arg *args, size_t n_args,
                      struct asy_error *err)
{
    size_t items[3] = { grid->items, 1, 1 };
    size_t all[3] = { grid->groups[0] * grid->items, grid->groups[1], grid->groups[2] };
    cl_int status = 0;

    for (size_t i = 0; i < n_args && !status; i++)
        status = set_arg(kernel->kernel, (cl_uint)i, &args[i]);
    if (status)
        return asy__cl_fail(err, "clSetKernelArg", status);
    status = asy__cl.clEnqueueNDRangeKernel(dev->queue, kernel->kernel, 3, NULL, all, items, 0,
                                            NULL, NULL);
    return status ? asy__cl_fail(err, "clEnqueueNDRangeKernel", status) : asy__cl_pace(dev, err);
}

const struct asy__driver asy__driver_opencl = {
    .kind = ASY_DEVICE_OPENCL,
    .list = asy__cl_list,
    .open = dev_open,
    .close = dev_close,
    .build = dev_build,
    .kernel = dev_kernel,
    .alloc = asy__cl_alloc,
    .free = asy__cl_free,
    .write = asy__cl_write,
    .read = asy__cl_read,
    .zero = asy__cl_zero,
    .launch = dev_launch,
    .product = asy__clblast_product,
};
