/* SPDX-License-Identifier: Apache-2.0
 * memory.c - buffers of OpenCL, and copies. */
#include "impl.h"
#include <stdlib.h>
#include <string.h>

#define COMMANDS_FLUSH 32  /* so often the queue is sent on its way */
#define COMMANDS_MARK 1024 /* the host is at most twice as far ahead */

static void drop_event(cl_event *event)
{
    if (*event)
        asy__cl.clReleaseEvent(*event);
    *event = NULL;
}

static int wait_for(cl_event *event, struct asy_error *err)
{
    cl_int status = *event ? asy__cl.clWaitForEvents(1, event) : CL_SUCCESS;

    drop_event(event);
    return status ? asy__cl_fail(err, "clWaitForEvents", status) : 0;
}

int asy__cl_pace(struct asy__dev *dev, struct asy_error *err)
{
    cl_int status;
    int rc;

    if (++dev->commands % COMMANDS_FLUSH == 0 && (status = asy__cl.clFlush(dev->queue)))
        return asy__cl_fail(err, "clFlush", status);
    if (dev->commands < COMMANDS_MARK)
        return 0;
    if ((rc = wait_for(&dev->mark, err)))
        return rc;
    dev->commands = 0;
    status = asy__cl.clEnqueueMarkerWithWaitList(dev->queue, 0, NULL, &dev->mark);
    return status ? asy__cl_fail(err, "clEnqueueMarkerWithWaitList", status) : 0;
}

int asy__cl_zero(struct asy__dev *dev, struct asy__mem *mem, size_t at, size_t bytes,
                 struct asy_error *err)
{
    const cl_uint zero = 0;
    cl_int status = asy__cl.clEnqueueFillBuffer(dev->queue, mem->buffer, &zero, sizeof zero, at,
                                                bytes, 0, NULL, NULL);

    return status ? asy__cl_fail(err, "clEnqueueFillBuffer", status) : asy__cl_pace(dev, err);
}

/* Many drivers give memory when it is first used: so its zeros are waited for. */
int asy__cl_alloc(struct asy__dev *dev, size_t bytes, struct asy__mem **ret_mem,
                  struct asy_error *err)
{
    const cl_uint zero = 0;
    struct asy__mem *mem;
    cl_int status;
    int rc;

    if (bytes > dev->alloc_most)
        return asy_fail(err, ASY_E_TOOBIG,
                        "an array of %zu bytes, and the device gives at most %llu at once "
                        "(CL_DEVICE_MAX_MEM_ALLOC_SIZE)",
                        bytes, (unsigned long long)dev->alloc_most);
    if (!(mem = calloc(1, sizeof *mem)))
        return asy_fail(err, ASY_E_NOMEM, "no memory for an array");
    mem->buffer = asy__cl.clCreateBuffer(dev->context, CL_MEM_READ_WRITE, bytes, NULL, &status);
    if (!status)
        status = asy__cl.clEnqueueFillBuffer(dev->queue, mem->buffer, &zero, sizeof zero, 0, bytes,
                                             0, NULL, NULL);
    if (!status)
        status = asy__cl.clFinish(dev->queue);
    if (status) {
        asy__cl_free(dev, mem);
        rc = asy__cl_fail_alloc(err, "clCreateBuffer", status);
        asy_error_prefix(err, "an array of %zu bytes", bytes);
        return rc;
    }
    *ret_mem = mem;
    return 0;
}

void asy__cl_free(struct asy__dev *dev, struct asy__mem *mem)
{
    (void)dev;
    if (mem->buffer)
        asy__cl.clReleaseMemObject(mem->buffer);
    free(mem);
}

/* The page's memory is the driver's, which can copy from it without a stop on the way. */
static int page_init(struct asy__dev *dev, struct asy__cl_page *page, struct asy_error *err)
{
    cl_int status;

    if (page->bytes)
        return 0;
    if (!page->buffer) {
        page->buffer = asy__cl.clCreateBuffer(dev->context, CL_MEM_ALLOC_HOST_PTR, ASY__CL_PAGE,
                                              NULL, &status);
        if (status) {
            page->buffer = NULL;
            return asy__cl_fail_alloc(err, "clCreateBuffer", status);
        }
    }
    page->bytes = asy__cl.clEnqueueMapBuffer(dev->queue, page->buffer, CL_TRUE, CL_MAP_WRITE, 0,
                                             ASY__CL_PAGE, 0, NULL, NULL, &status);
    if (status)
        page->bytes = NULL;
    return status ? asy__cl_fail_alloc(err, "clEnqueueMapBuffer", status) : 0;
}

void asy__cl_pages_fini(struct asy__dev *dev)
{
    for (int i = 0; i < 2; i++) {
        struct asy__cl_page *page = &dev->pages[i];

        drop_event(&page->last);
        if (page->bytes)
            asy__cl.clEnqueueUnmapMemObject(dev->queue, page->buffer, page->bytes, 0, NULL, NULL);
        if (page->buffer)
            asy__cl.clReleaseMemObject(page->buffer);
    }
    drop_event(&dev->mark);
}

/* Room in a page, at most what is left of it. */
static int page_room(struct asy__dev *dev, struct asy__cl_page **ret_page, struct asy_error *err)
{
    int rc;

    if (dev->page_used == ASY__CL_PAGE) {
        dev->page = !dev->page;
        dev->page_used = 0;
    }
    *ret_page = &dev->pages[dev->page];
    if ((rc = page_init(dev, *ret_page, err)))
        return rc;
    return dev->page_used == 0 ? wait_for(&(*ret_page)->last, err) : 0;
}

int asy__cl_write(struct asy__dev *dev, struct asy__mem *mem, size_t at, const void *data,
                  size_t bytes, struct asy_error *err)
{
    const char *from = data;

    while (bytes > 0) {
        struct asy__cl_page *page;
        int rc = page_room(dev, &page, err);
        size_t left = ASY__CL_PAGE - dev->page_used, n = bytes < left ? bytes : left;
        char *to;
        cl_int status;

        if (rc)
            return rc;
        to = page->bytes + dev->page_used;
        memcpy(to, from, n);
        drop_event(&page->last);
        status = asy__cl.clEnqueueWriteBuffer(dev->queue, mem->buffer, CL_FALSE, at, n, to, 0, NULL,
                                              &page->last);
        if (status)
            return asy__cl_fail(err, "clEnqueueWriteBuffer", status);
        dev->page_used += n;
        from += n;
        at += n;
        bytes -= n;
        if ((rc = asy__cl_pace(dev, err)))
            return rc;
    }
    return 0;
}

int asy__cl_read(struct asy__dev *dev, struct asy__mem *mem, size_t at, void *data, size_t bytes,
                 struct asy_error *err)
{
    cl_int status = asy__cl.clEnqueueReadBuffer(dev->queue, mem->buffer, CL_TRUE, at, bytes, data,
                                                0, NULL, NULL);

    return status ? asy__cl_fail(err, "clEnqueueReadBuffer", status) : 0;
}
