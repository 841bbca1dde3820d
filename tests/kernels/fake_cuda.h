/* SPDX-License-Identifier: Apache-2.0
 * fake_cuda.h - a CUDA without a device, for tests: libcuda, NVRTC and cuBLAS, linked into the
 * test, which hands its own symbols to whoever loads the libraries (--wrap=dlopen, fake_launch.c).
 *
 * Nothing is executed but copies, clearing and products. What is put into the stream is done as
 * late as CUDA allows: when something waits. So data that changes too early shows. Kernels are
 * launched into nothing, but their arguments are checked against what the compiler says they take.
 *
 * Misuse is counted, and the first one described: calls before cuInit or without a context, memory
 * that is not there, not pinned, or freed, a group that is too large, ...
 *
 * Threads: one. */
#ifndef FAKE_CUDA_H
#define FAKE_CUDA_H
#include <stddef.h>

#define FAKE_API __attribute__((visibility("default")))

struct fake_cuda {
    /* the machine, set before it is first asked */
    int no_driver, no_nvrtc, no_cublas; /* the library is not installed */
    int real_nvrtc;                     /* the installed one is loaded instead of the fake */
    int init_gives, version;            /* of the driver, 13000 */
    int devices, capability;            /* 90 */
    int most_threads;                   /* of a kernel, whatever its source says; 0: that */
    int blas_gives;                     /* what cublasCreate does */
    size_t memory;                      /* bytes */
    /* the fail_at-th call of this function, from 1 on, gives fail_with; all calls after it do too
     * if that is 700 or above */
    const char *fail;
    int fail_at, fail_with;
    /* what is there now */
    int contexts, streams, events, modules, programs, handles;
    int allocations, pinned;
    size_t bytes;
    /* what happened */
    int compiled, launches, products, waits; /* waits: for an event, the stream, or by cuMemFree */
    int faults;
    char fault[240]; /* the first */
};
extern struct fake_cuda fake_cuda;

/* Does what is in the stream. */
void fake_cuda_flush(void);

/* Among the fakes. */
struct fake_state {
    int initialised;
    const void *context; /* the current one */
};
extern struct fake_state fake_state;
size_t fake_mark(void); /* what is in the stream by now */
void fake_flush_to(size_t mark);
int fake_enter(const char *function); /* what it gives instead of doing something; 0: go on */
int fake_enter_context(const char *function); /* of calls that need a context */
#define FAKE_ENTER()                                                                               \
    do {                                                                                           \
        int gives = fake_enter_context(__func__);                                                  \
                                                                                                   \
        if (gives)                                                                                 \
            return gives;                                                                          \
    } while (0)
void fake_fault(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* c += ..., when the stream comes to it; pointers are the fake's own memory. */
struct fake_product {
    int m, n, k, t_a, t_b;
    float alpha, beta;
    const float *a, *b;
    float *c;
    int lda, ldb, ldc;
};
void fake_queue_product(const struct fake_product *product);
int fake_is_device(const void *at, size_t bytes);
#endif
