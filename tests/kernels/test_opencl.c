/* SPDX-License-Identifier: Apache-2.0
 * The driver of OpenCL: copies arrive whole wherever they lie, any call may fail and leaves nothing
 * behind, each status has its meaning. The table of OpenCL's functions is ours to change: here
 * they are counted, and one fails. */
#include "asytest.h"
#include "device_leaks.h"
#include "frame.h"
#include "opencl/impl.h"
#include <stdlib.h>

static struct asy__cl real;
static long calls, fail_at; /* of those that may fail */
static cl_int failure;
static long objects; /* contexts, queues, programs, kernels, buffers, events that are held */

static cl_int fault(void)
{
    return calls++ == fail_at ? failure : CL_SUCCESS;
}

/* One that makes an object: counted if it does. */
#define MAKES(call)                                                                                \
    do {                                                                                           \
        cl_int status_ = fault();                                                                  \
        void *made_ = NULL;                                                                        \
                                                                                                   \
        if (!status_)                                                                              \
            made_ = call;                                                                          \
        *status = made_ ? CL_SUCCESS : status_;                                                    \
        objects += made_ != NULL;                                                                  \
        return made_;                                                                              \
    } while (0)

static cl_context make_context(const cl_context_properties *properties, cl_uint n,
                               const cl_device_id *devices,
                               void (*notify)(const char *, const void *, size_t, void *),
                               void *arg, cl_int *status)
{
    MAKES(real.clCreateContext(properties, n, devices, notify, arg, status));
}

static cl_command_queue make_queue(cl_context context, cl_device_id device,
                                   cl_command_queue_properties properties, cl_int *status)
{
    MAKES(real.clCreateCommandQueue(context, device, properties, status));
}

static cl_program make_program(cl_context context, cl_uint n, const char **text, const size_t *len,
                               cl_int *status)
{
    MAKES(real.clCreateProgramWithSource(context, n, text, len, status));
}

static cl_kernel make_kernel(cl_program program, const char *name, cl_int *status)
{
    MAKES(real.clCreateKernel(program, name, status));
}

static cl_mem make_buffer(cl_context context, cl_mem_flags flags, size_t bytes, void *host,
                          cl_int *status)
{
    MAKES(real.clCreateBuffer(context, flags, bytes, host, status));
}

/* Mapped memory goes with its buffer, and is not counted. */
static void *map(cl_command_queue queue, cl_mem buffer, cl_bool waits, cl_map_flags flags,
                 size_t at, size_t bytes, cl_uint n, const cl_event *events, cl_event *event,
                 cl_int *status)
{
    if ((*status = fault()))
        return NULL;
    return real.clEnqueueMapBuffer(queue, buffer, waits, flags, at, bytes, n, events, event,
                                   status);
}

#define RELEASES(name, type)                                                                       \
    static cl_int drop_##name(type object)                                                         \
    {                                                                                              \
        objects--;                                                                                 \
        return real.clRelease##name(object);                                                       \
    }
RELEASES(Context, cl_context)
RELEASES(CommandQueue, cl_command_queue)
RELEASES(Program, cl_program)
RELEASES(Kernel, cl_kernel)
RELEASES(MemObject, cl_mem)
RELEASES(Event, cl_event)

static cl_int build(cl_program program, cl_uint n, const cl_device_id *devices, const char *options,
                    void (*notify)(cl_program, void *), void *arg)
{
    cl_int status = fault();

    return status ? status : real.clBuildProgram(program, n, devices, options, notify, arg);
}

static cl_int set_arg(cl_kernel kernel, cl_uint i, size_t size, const void *value)
{
    cl_int status = fault();

    return status ? status : real.clSetKernelArg(kernel, i, size, value);
}

static cl_int read_buffer(cl_command_queue queue, cl_mem buffer, cl_bool waits, size_t at,
                          size_t bytes, void *to, cl_uint n, const cl_event *events,
                          cl_event *event)
{
    cl_int status = fault();

    return status ? status : real.clEnqueueReadBuffer(queue, buffer, waits, at, bytes, to, n,
                                                      events, event);
}

static cl_int write_buffer(cl_command_queue queue, cl_mem buffer, cl_bool waits, size_t at,
                           size_t bytes, const void *from, cl_uint n, const cl_event *events,
                           cl_event *event)
{
    cl_int status = fault();

    if (!status)
        status = real.clEnqueueWriteBuffer(queue, buffer, waits, at, bytes, from, n, events, event);
    objects += !status && event;
    return status;
}

static cl_int fill_buffer(cl_command_queue queue, cl_mem buffer, const void *pattern, size_t size,
                          size_t at, size_t bytes, cl_uint n, const cl_event *events,
                          cl_event *event)
{
    cl_int status = fault();

    return status ? status : real.clEnqueueFillBuffer(queue, buffer, pattern, size, at, bytes, n,
                                                      events, event);
}

static cl_int launch(cl_command_queue queue, cl_kernel kernel, cl_uint dims, const size_t *offset,
                     const size_t *all, const size_t *items, cl_uint n, const cl_event *events,
                     cl_event *event)
{
    cl_int status = fault();

    return status ? status : real.clEnqueueNDRangeKernel(queue, kernel, dims, offset, all, items, n,
                                                         events, event);
}

static cl_int mark(cl_command_queue queue, cl_uint n, const cl_event *events, cl_event *event)
{
    cl_int status = fault();

    if (!status)
        status = real.clEnqueueMarkerWithWaitList(queue, n, events, event);
    objects += !status;
    return status;
}

static cl_int wait_for(cl_uint n, const cl_event *events)
{
    cl_int status = fault();

    return status ? status : real.clWaitForEvents(n, events);
}

static cl_int flush(cl_command_queue queue)
{
    cl_int status = fault();

    return status ? status : real.clFlush(queue);
}

static cl_int finish(cl_command_queue queue)
{
    cl_int status = fault();

    return status ? status : real.clFinish(queue);
}

static void put_between(void)
{
    real = asy__cl;
    asy__cl.clCreateContext = make_context;
    asy__cl.clCreateCommandQueue = make_queue;
    asy__cl.clCreateProgramWithSource = make_program;
    asy__cl.clCreateKernel = make_kernel;
    asy__cl.clCreateBuffer = make_buffer;
    asy__cl.clEnqueueMapBuffer = map;
    asy__cl.clReleaseContext = drop_Context;
    asy__cl.clReleaseCommandQueue = drop_CommandQueue;
    asy__cl.clReleaseProgram = drop_Program;
    asy__cl.clReleaseKernel = drop_Kernel;
    asy__cl.clReleaseMemObject = drop_MemObject;
    asy__cl.clReleaseEvent = drop_Event;
    asy__cl.clBuildProgram = build;
    asy__cl.clSetKernelArg = set_arg;
    asy__cl.clEnqueueReadBuffer = read_buffer;
    asy__cl.clEnqueueWriteBuffer = write_buffer;
    asy__cl.clEnqueueFillBuffer = fill_buffer;
    asy__cl.clEnqueueNDRangeKernel = launch;
    asy__cl.clEnqueueMarkerWithWaitList = mark;
    asy__cl.clWaitForEvents = wait_for;
    asy__cl.clFlush = flush;
    asy__cl.clFinish = finish;
}

/* An array of more than two pages, and a step on it of more than two marks' commands. */
#define LONG (3 * ASY__CL_PAGE / sizeof(float) + 100)
static float *numbers;

static int life(struct asy_device **ret_device, struct asy_error *err)
{
    struct asy_device *device = NULL;
    struct asy__mem *mem = NULL;
    float x[16];
    int rc = asy_device_open(ASY_DEVICE_OPENCL, 0, &device, err);

    *ret_device = device;
    if (rc)
        return rc;
    if ((rc = asy__device_alloc(device, LONG, &mem, err)) == 0)
        rc = asy__device_write(device, mem, 0, numbers, LONG, err);
    for (int i = 0; i < 5 && !rc; i++)
        rc = ASY__LAUNCH(device, err, add, 1, 1, 1, ARG_AT(mem, 0), ARG_AT(mem, 0), ARG_AT(mem, 0),
                         ARG_U64(256));
    if (!rc)
        rc = asy__device_read(device, mem, 0, x, ASY_ARRAY_LEN(x), err);
    if (!rc)
        rc = asy__device_zero(device, mem, 0, 16, err);
    if (mem)
        asy__device_free(device, mem);
    return rc;
}

static void any_call_may_fail(void)
{
    static const struct {
        cl_int status;
        int codes[2]; /* one of them, by what is called */
    } cases[] = {
        { CL_OUT_OF_RESOURCES, { ASY_E_GONE, ASY_E_NOMEM } },
        { CL_MEM_OBJECT_ALLOCATION_FAILURE, { ASY_E_NOMEM, ASY_E_NOMEM } },
        { -9999, { ASY_E_IO, ASY_E_IO } },
    };

    if (!(numbers = calloc(LONG, sizeof *numbers)))
        return;
    for (size_t i = 0; i < ASY_ARRAY_LEN(cases); i++) {
        int rc = -1, n = 0;

        for (failure = cases[i].status; rc != 0 && n < 1000; n++) {
            struct asy_error err = ASY_ERROR_INIT;
            struct asy_device *device;

            calls = 0;
            fail_at = n;
            rc = life(&device, &err);
            if (rc && rc != cases[i].codes[0] && rc != cases[i].codes[1])
                T_EQ(err.text, rc, cases[i].codes[0]);
            if (rc)
                T_HAS("text", err.text, "cl");
            fail_at = -1;
            asy_device_close(device);
            T_EQ("objects", objects, 0);
        }
        T_TRUE(n > 30);
    }
    free(numbers);
}

/* In places of no meaning, over the edges of pages; the source is changed after each call. */
static void copies_arrive_whole(void)
{
    static const size_t pieces[] = { 1, 7, ASY__CL_PAGE / 4 - 3, ASY__CL_PAGE / 4, 5,
                                     ASY__CL_PAGE / 4 + 1, ASY__CL_PAGE, 3 };
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_device *device = NULL;
    struct asy__mem *mem = NULL;
    uint32_t *from = NULL, *got = NULL;
    size_t all = 0;

    for (size_t i = 0; i < ASY_ARRAY_LEN(pieces); i++)
        all += pieces[i];
    from = calloc(all, sizeof *from);
    got = calloc(all, sizeof *got);
    fail_at = -1;
    if (!T_TRUE(from && got) ||
        !T_OK(asy_device_open(ASY_DEVICE_OPENCL, 0, &device, &err), &err) ||
        !T_OK(asy__device_alloc(device, all, &mem, &err), &err))
        goto out;
    for (size_t i = 0, at = 0; i < ASY_ARRAY_LEN(pieces); at += pieces[i++]) {
        for (size_t j = 0; j < pieces[i]; j++)
            from[j] = (uint32_t)((at + j) * 2654435761u);
        T_OK(asy__device_write(device, mem, at, from, pieces[i], &err), &err);
        memset(from, 0, pieces[i] * sizeof *from);
    }
    T_OK(asy__device_read(device, mem, 0, got, all, &err), &err);
    for (size_t i = 0; i < all; i++)
        if (got[i] != (uint32_t)(i * 2654435761u)) {
            T_EQ("number", got[i], (uint32_t)(i * 2654435761u));
            break;
        }
out:
    if (mem)
        asy__device_free(device, mem);
    asy_device_close(device);
    free(from);
    free(got);
    T_EQ("objects", objects, 0);
}

/* 5,000 launches in a row: marks are set and waited for on the way, and all of them are done. */
static void the_host_does_not_run_away(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_device *device = NULL;
    struct asy__mem *mem = NULL;
    const float one = 1;
    float sum[2];

    if (!T_OK(asy_device_open(ASY_DEVICE_OPENCL, 0, &device, &err), &err) ||
        !T_OK(asy__device_alloc(device, 2, &mem, &err), &err) ||
        !T_OK(asy__device_write(device, mem, 0, &one, 1, &err), &err))
        goto out;
    for (int i = 0; i < 5000; i++)
        if (!T_OK(ASY__LAUNCH(device, &err, add, 1, 1, 1, ARG_AT(mem, 0), ARG_AT(mem, 1),
                              ARG_AT(mem, 1), ARG_U64(1)), &err))
            goto out;
    T_OK(asy__device_read(device, mem, 0, sum, 2, &err), &err);
    T_NEAR("sum", (double)sum[1], 5000, 0);
    T_EQ("reads", asy_device_traffic(device).reads, 1);
    T_EQ("launches", asy_device_traffic(device).launches, 5000);
out:
    if (mem)
        asy__device_free(device, mem);
    asy_device_close(device);
    T_EQ("objects", objects, 0);
}

/* A log of far more than 4 KiB: its beginning is the reason. */
static void a_long_log_is_said_from_its_beginning(void)
{
    struct asy_error err = ASY_ERROR_INIT;
    struct asy_device *device = NULL;
    size_t size = 1u << 16;
    char *source = calloc(1, size);
    size_t len = 0;

    fail_at = -1;
    if (!T_TRUE(source != NULL) ||
        !T_OK(asy_device_open(ASY_DEVICE_OPENCL, 0, &device, &err), &err))
        goto out;
    len = (size_t)snprintf(source, size, "kernel void k(global float *x)\n{\n");
    for (int i = 0; i < 15; i++) /* compilers end at some number of errors */
        len += (size_t)snprintf(source + len, size - len, "x[%d] = nobody_%d%0999d;\n", i, i, 0);
    snprintf(source + len, size - len, "}\n");
    T_EQ("build", device->driver->build(device->dev, source, &err), ASY_E_UNSUPPORTED);
    T_HAS("text", err.text, "clBuildProgram: error -11: ");
    T_HAS("text", err.text, "nobody_0");
out:
    asy_device_close(device);
    free(source);
    T_EQ("objects", objects, 0);
}

static void load(void)
{
    struct asy_error err = ASY_ERROR_INIT;

    if (T_OK(asy__cl_load(&err), &err))
        put_between();
}

T_MAIN("opencl", T_TEST(load), T_TEST(copies_arrive_whole), T_TEST(the_host_does_not_run_away),
       T_TEST(any_call_may_fail), T_TEST(a_long_log_is_said_from_its_beginning))
