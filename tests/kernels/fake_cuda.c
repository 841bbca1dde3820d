/* SPDX-License-Identifier: Apache-2.0
 * fake_cuda.c - the driver, see fake_cuda.h. Memory of the device is memory of the host. */
#include "fake_cuda.h"
#include "cuda/toolkit.h"
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ALLOCATIONS = 4096, MAX_OPS = 65536, MAX_CALLS = 64 };

struct fake_cuda fake_cuda = {
    .version = 13000, .devices = 1, .capability = 90, .memory = (size_t)1 << 30,
};

/* ---- misuse, failures ----------------------------------------------------------------------- */

struct fake_state fake_state;
static int broken;

void fake_fault(const char *fmt, ...)
{
    va_list args;

    if (fake_cuda.faults++)
        return;
    va_start(args, fmt);
    vsnprintf(fake_cuda.fault, sizeof fake_cuda.fault, fmt, args);
    va_end(args);
}

int fake_enter(const char *function)
{
    static struct {
        const char *name;
        int n;
    } calls[MAX_CALLS];
    size_t i = 0;

    while (calls[i].name && strcmp(calls[i].name, function))
        i++;
    calls[i].name = function;
    calls[i].n++;
    if (broken)
        return broken;
    if (!fake_cuda.fail || strcmp(fake_cuda.fail, function) || calls[i].n != fake_cuda.fail_at)
        return 0;
    if (fake_cuda.fail_with >= 700)
        broken = fake_cuda.fail_with;
    return fake_cuda.fail_with;
}

int fake_enter_context(const char *function)
{
    if (!fake_state.initialised)
        fake_fault("%s before cuInit", function);
    if (!fake_state.context)
        fake_fault("%s without a context", function);
    return fake_enter(function);
}

/* ---- the stream ----------------------------------------------------------------------------- */

struct op {
    enum { COPY, CLEAR, PRODUCT } kind;
    void *to;
    const void *from;
    size_t n;
    int byte;
    struct fake_product product;
};
static struct op ops[MAX_OPS];
static size_t n_ops, done_ops, forgotten; /* forgotten: done long ago, not in ops any more */

static void multiply(const struct fake_product *p)
{
    for (int j = 0; j < p->n; j++)
        for (int i = 0; i < p->m; i++) {
            double sum = 0;
            float *c = &p->c[(size_t)j * p->ldc + i];

            for (int k = 0; k < p->k; k++)
                sum += (double)p->a[p->t_a ? (size_t)i * p->lda + k : (size_t)k * p->lda + i] *
                       p->b[p->t_b ? (size_t)k * p->ldb + j : (size_t)j * p->ldb + k];
            *c = (float)(p->alpha * sum + (p->beta != 0.0f ? p->beta * *c : 0.0f));
        }
}

static void flush_to(size_t end)
{
    for (; done_ops < end; done_ops++) {
        const struct op *op = &ops[done_ops];

        if (op->kind == COPY)
            memcpy(op->to, op->from, op->n);
        else if (op->kind == CLEAR)
            memset(op->to, op->byte, op->n);
        else if (op->kind == PRODUCT)
            multiply(&op->product);
    }
    if (done_ops == n_ops) {
        forgotten += n_ops;
        done_ops = n_ops = 0;
    }
}

void fake_cuda_flush(void)
{
    flush_to(n_ops);
}

static void push(struct op op)
{
    if (n_ops == MAX_OPS)
        fake_cuda_flush();
    ops[n_ops++] = op;
}

size_t fake_mark(void)
{
    return forgotten + n_ops;
}

void fake_flush_to(size_t mark)
{
    if (mark > forgotten + done_ops)
        flush_to(mark - forgotten);
}

void fake_queue_product(const struct fake_product *product)
{
    push((struct op){ .kind = PRODUCT, .product = *product });
}

/* ---- memory --------------------------------------------------------------------------------- */

struct room {
    char *at;
    size_t n;
    int is_pinned;
    const void *context; /* of the device's: no other can use it */
};
static struct room rooms[MAX_ALLOCATIONS];

static struct room *room_of(const void *at, size_t n, int is_pinned)
{
    for (size_t i = 0; i < MAX_ALLOCATIONS; i++) {
        struct room *room = &rooms[i];

        if (room->at && room->is_pinned == is_pinned &&
            (is_pinned || room->context == fake_state.context) && (const char *)at >= room->at &&
            (const char *)at + n <= room->at + room->n)
            return room;
    }
    return NULL;
}

int fake_is_device(const void *at, size_t bytes)
{
    return room_of(at, bytes, 0) != NULL;
}

/* What was there before shows if it is not cleared. */
static int take_room(size_t n, int is_pinned, void **ret_at)
{
    size_t i = 0;

    if (n == 0)
        return ASY__CU_INVALID_VALUE;
    if (!is_pinned && (n > fake_cuda.memory || fake_cuda.bytes > fake_cuda.memory - n))
        return ASY__CU_OUT_OF_MEMORY;
    while (i < MAX_ALLOCATIONS && rooms[i].at)
        i++;
    if (i == MAX_ALLOCATIONS || !(*ret_at = malloc(n)))
        return ASY__CU_OUT_OF_MEMORY;
    memset(*ret_at, 0xab, n);
    rooms[i] = (struct room){ *ret_at, n, is_pinned, fake_state.context };
    return 0;
}

static int give_room(void *at, int is_pinned, size_t *ret_n)
{
    struct room *room = room_of(at, 0, is_pinned);

    fake_cuda_flush();
    if (!room || room->at != at) {
        fake_fault("freeing what is not there");
        return ASY__CU_INVALID_VALUE;
    }
    *ret_n = room->n;
    free(room->at);
    room->at = NULL;
    return 0;
}

static void *pointer(CUdeviceptr at)
{
    void *p;

    memcpy(&p, &at, sizeof p);
    return p;
}

FAKE_API CUresult cuMemAlloc_v2(CUdeviceptr *ret, size_t n);
FAKE_API CUresult cuMemAlloc_v2(CUdeviceptr *ret, size_t n)
{
    void *at = NULL;
    int rc;

    FAKE_ENTER();
    if ((rc = take_room(n, 0, &at)))
        return rc;
    *ret = (CUdeviceptr)(uintptr_t)at;
    fake_cuda.allocations++;
    fake_cuda.bytes += n;
    return 0;
}

FAKE_API CUresult cuMemFree_v2(CUdeviceptr at);
FAKE_API CUresult cuMemFree_v2(CUdeviceptr at)
{
    size_t n = 0;
    int rc;

    fake_cuda.waits++;
    FAKE_ENTER();
    if ((rc = give_room(pointer(at), 0, &n)))
        return rc;
    fake_cuda.allocations--;
    fake_cuda.bytes -= n;
    return 0;
}

FAKE_API CUresult cuMemHostAlloc(void **ret, size_t n, unsigned flags);
FAKE_API CUresult cuMemHostAlloc(void **ret, size_t n, unsigned flags)
{
    int rc;

    FAKE_ENTER();
    if (flags)
        fake_fault("pinned memory with flags %u", flags);
    if ((rc = take_room(n, 1, ret)))
        return rc;
    fake_cuda.pinned++;
    return 0;
}

FAKE_API CUresult cuMemFreeHost(void *at);
FAKE_API CUresult cuMemFreeHost(void *at)
{
    size_t n = 0;

    FAKE_ENTER();
    fake_cuda.pinned--;
    return give_room(at, 1, &n);
}

/* ---- copies --------------------------------------------------------------------------------- */

FAKE_API CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t n, CUstream stream);
FAKE_API CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t n, CUstream stream)
{
    FAKE_ENTER();
    if (!stream || !room_of(from, n, 1) || !room_of(pointer(to), n, 0))
        fake_fault("copying %zu bytes to the device from or to what is not there", n);
    else
        push((struct op){ .kind = COPY, .to = pointer(to), .from = from, .n = n });
    return 0;
}

FAKE_API CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t n, CUstream stream);
FAKE_API CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t n, CUstream stream)
{
    FAKE_ENTER();
    if (!stream || !room_of(pointer(from), n, 0))
        fake_fault("copying %zu bytes from where no memory of the device is", n);
    else
        push((struct op){ .kind = COPY, .to = to, .from = pointer(from), .n = n });
    return 0;
}

FAKE_API CUresult cuMemsetD8Async(CUdeviceptr at, unsigned char byte, size_t n, CUstream stream);
FAKE_API CUresult cuMemsetD8Async(CUdeviceptr at, unsigned char byte, size_t n, CUstream stream)
{
    FAKE_ENTER();
    if (!stream || !room_of(pointer(at), n, 0))
        fake_fault("clearing %zu bytes where no memory of the device is", n);
    else
        push((struct op){ .kind = CLEAR, .to = pointer(at), .byte = byte, .n = n });
    return 0;
}
