/* SPDX-License-Identifier: Apache-2.0
 * impl.h - what the files of the OpenCL driver share. OpenCL 1.2 is all that is asked for. */
#ifndef ASY__OPENCL_IMPL_H
#define ASY__OPENCL_IMPL_H
#include "driver.h"
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

/* The functions of libOpenCL that are called. */
#define ASY__CL_FUNCTIONS(X)                                                                       \
    X(clGetPlatformIDs) X(clGetPlatformInfo) X(clGetDeviceIDs) X(clGetDeviceInfo)                  \
    X(clCreateContext) X(clReleaseContext) X(clCreateCommandQueue) X(clReleaseCommandQueue)        \
    X(clCreateProgramWithSource) X(clBuildProgram) X(clGetProgramBuildInfo) X(clReleaseProgram)    \
    X(clCreateKernel) X(clReleaseKernel) X(clSetKernelArg)                                         \
    X(clCreateBuffer) X(clReleaseMemObject)                                                        \
    X(clEnqueueReadBuffer) X(clEnqueueWriteBuffer) X(clEnqueueFillBuffer) X(clEnqueueMapBuffer)    \
    X(clEnqueueUnmapMemObject) X(clEnqueueNDRangeKernel) X(clEnqueueMarkerWithWaitList)            \
    X(clWaitForEvents) X(clReleaseEvent) X(clFlush) X(clFinish)
struct asy__cl {
#define ASY__CL_MEMBER(name) __typeof__(&name) name;
    ASY__CL_FUNCTIONS(ASY__CL_MEMBER)
#undef ASY__CL_MEMBER
};
extern struct asy__cl asy__cl; /* after asy__cl_load() */
/* Any thread. ASY_E_NOENT: there is no libOpenCL, or it lacks functions. */
ASY_MUST_CHECK int asy__cl_load(struct asy_error *err);
/* "<call>: <name of the status>", with the code of the status. */
int asy__cl_fail(struct asy_error *err, const char *call, cl_int status);
/* The same, of what allocates: out of resources is out of memory there. */
int asy__cl_fail_alloc(struct asy_error *err, const char *call, cl_int status);

/* The index-th of all devices of all platforms, which stay in their order. */
ASY_MUST_CHECK int asy__cl_device(size_t index, cl_device_id *ret_device,
                                  struct asy_device_info *ret_info, struct asy_error *err);
int asy__cl_list(struct asy_device_info *ret, size_t cap, size_t *ret_n, struct asy_error *err);

/* Memory of the host that the device copies from while the caller goes on: two pages in turn. A
 * page is taken again when what was copied from it is there. */
#define ASY__CL_PAGE ((size_t)2 << 20)
struct asy__cl_page {
    cl_mem buffer;
    char *bytes;   /* mapped as long as the device is open */
    cl_event last; /* of the copies from it, or NULL */
};
struct asy__kernel {
    cl_kernel kernel;
    struct asy__kernel *next;
};
struct asy__mem {
    cl_mem buffer;
};
struct asy__clblast;
struct asy__dev {
    cl_device_id id;
    cl_context context;
    cl_command_queue queue;
    cl_program program;
    struct asy__kernel *kernels;
    struct asy__cl_page pages[2];
    size_t page, page_used;
    unsigned commands; /* since the last mark */
    cl_event mark;     /* or NULL */
    cl_ulong memory, alloc_most;
    const struct asy__clblast *clblast; /* NULL: products are ours */
    cl_mem clblast_room;
    size_t clblast_bytes;
    uint64_t clblast_products; /* that it took */
};

/* After each command: sends what is queued on its way, and waits when the device is far behind. */
ASY_MUST_CHECK int asy__cl_pace(struct asy__dev *dev, struct asy_error *err);
int asy__cl_alloc(struct asy__dev *dev, size_t bytes, struct asy__mem **ret_mem,
                  struct asy_error *err);
void asy__cl_free(struct asy__dev *dev, struct asy__mem *mem);
int asy__cl_write(struct asy__dev *dev, struct asy__mem *mem, size_t at, const void *data,
                  size_t bytes, struct asy_error *err);
int asy__cl_read(struct asy__dev *dev, struct asy__mem *mem, size_t at, void *data, size_t bytes,
                 struct asy_error *err);
int asy__cl_zero(struct asy__dev *dev, struct asy__mem *mem, size_t at, size_t bytes,
                 struct asy_error *err);
void asy__cl_pages_fini(struct asy__dev *dev);

/* Takes CLBlast for products from here on; 0: it is not installed. */
int asy__clblast_open(struct asy__dev *dev);
void asy__clblast_close(struct asy__dev *dev);
int asy__clblast_product(struct asy__dev *dev, const struct asy__product *product, int *ret_done,
                         struct asy_error *err);
#endif
