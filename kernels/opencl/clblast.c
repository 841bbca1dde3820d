/* SPDX-License-Identifier: Apache-2.0
 * clblast.c - products by CLBlast, where it is installed, on devices that are not processors: it is
 * tuned for each maker's, our kernels for none. Two functions are called, and declared here (C API
 * of CLBlast 1.5), so a build needs no CLBlast.
 *
 * Which products it takes is a rule of their sizes: below a tile in any direction its copies into
 * padded matrices cost more than they give. No race decides, so the bits of a device stay. On PoCL
 * it is not taken: each kind of shape compiles for a second, the first one for ten. */
#include "impl.h"
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

#define LEAST 64
#define ROW_MAJOR 101
#define NOT_TRANSPOSED 111
#define TRANSPOSED 112

struct asy__clblast {
    int (*gemm)(int layout, int t_a, int t_b, size_t m, size_t n, size_t k, float alpha, cl_mem a,
                size_t a_at, size_t lda, cl_mem b, size_t b_at, size_t ldb, float beta, cl_mem c,
                size_t c_at, size_t ldc, cl_command_queue *queue, cl_event *event, cl_mem room);
    int (*room)(int layout, int t_a, int t_b, size_t m, size_t n, size_t k, size_t a_at, size_t lda,
                size_t b_at, size_t ldb, size_t c_at, size_t ldc, cl_command_queue *queue,
                size_t *ret_bytes);
};
static struct asy__clblast library;
static int is_there;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void)
{
    void *handle = dlopen("libclblast.so.1", RTLD_NOW | RTLD_LOCAL);
    void *gemm = handle ? dlsym(handle, "CLBlastSgemmWithTempBuffer") : NULL;
    void *room = handle ? dlsym(handle, "CLBlastSGemmTempBufferSize") : NULL;

    if (!gemm || !room)
        return;
    memcpy(&library.gemm, &gemm, sizeof gemm);
    memcpy(&library.room, &room, sizeof room);
    is_there = 1;
}

int asy__clblast_open(struct asy__dev *dev)
{
    pthread_once(&once, load);
    if (is_there)
        dev->clblast = &library;
    return is_there;
}

void asy__clblast_close(struct asy__dev *dev)
{
    if (dev->clblast_room)
        asy__cl.clReleaseMemObject(dev->clblast_room);
}

/* Grows with the largest product; what the queue still uses of the old one, OpenCL keeps. */
static int room_for(struct asy__dev *dev, size_t bytes, struct asy_error *err)
{
    cl_int status;
    cl_mem room;

    if (bytes <= dev->clblast_bytes)
        return 0;
    room = asy__cl.clCreateBuffer(dev->context, CL_MEM_READ_WRITE, bytes, NULL, &status);
    if (status)
        return asy__cl_fail_alloc(err, "clCreateBuffer for CLBlast", status);
    if (dev->clblast_room)
        asy__cl.clReleaseMemObject(dev->clblast_room);
    dev->clblast_room = room;
    dev->clblast_bytes = bytes;
    return 0;
}

/* CLBlast passes OpenCL's codes on, and has others of its own below -1023. */
static int fail(struct asy_error *err, int status)
{
    return status > -1024 ? asy__cl_fail(err, "CLBlast", status)
                          : asy_fail(err, ASY_E_IO, "CLBlast: its error %d", status);
}

int asy__clblast_product(struct asy__dev *dev, const struct asy__product *p, int *ret_done,
                         struct asy_error *err)
{
    int t_a = p->t_a ? TRANSPOSED : NOT_TRANSPOSED, t_b = p->t_b ? TRANSPOSED : NOT_TRANSPOSED;
    size_t bytes = 0;
    int status, rc;

    *ret_done = 0;
    if (!dev->clblast || p->m < LEAST || p->n < LEAST || p->k < LEAST)
        return 0;
    status = dev->clblast->room(ROW_MAJOR, t_a, t_b, p->m, p->n, p->k, p->a_at, p->lda, p->b_at,
                                p->ldb, p->c_at, p->ldc, &dev->queue, &bytes);
    if (status)
        return fail(err, status);
    if ((rc = room_for(dev, bytes, err)))
        return rc;
    status = dev->clblast->gemm(ROW_MAJOR, t_a, t_b, p->m, p->n, p->k, 1, p->a->buffer, p->a_at,
                                p->lda, p->b->buffer, p->b_at, p->ldb, p->adds ? 1.0f : 0.0f,
                                p->c->buffer, p->c_at, p->ldc, &dev->queue, NULL,
                                dev->clblast_room);
    if (status)
        return fail(err, status);
    dev->clblast_products++;
    *ret_done = 1;
    return asy__cl_pace(dev, err);
}
