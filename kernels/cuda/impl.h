/* SPDX-License-Identifier: Apache-2.0
 * impl.h - an open CUDA device, inside kernels/cuda.
 *
 * All work goes into one stream. The context is the device's primary one, which cuBLAS and
 * whatever else of the process uses CUDA share. They may make another current, so each call makes
 * ours current again.
 *
 * What CUDA reports of work that was put into the stream comes with a later call: the text names
 * the call that learnt of it. */
#ifndef ASY__CUDA_IMPL_H
#define ASY__CUDA_IMPL_H
#include "driver.h"
#include "toolkit.h"

/* Memory of the host that the device reads by itself: data is copied here, and a write need not
 * wait. The part in use is filled from its start; one is used again when the device has read it. */
enum { ASY__STAGES = 8, ASY__STAGE_BYTES = 1 << 20 };
struct asy__staging {
    char *memory;              /* [ASY__STAGES][ASY__STAGE_BYTES]; NULL: nothing was written yet */
    CUevent read[ASY__STAGES]; /* the device is through with it */
    unsigned pending;          /* bits: read[i] was recorded */
    unsigned at;               /* the part in use */
    size_t filled;             /* bytes of it */
};

struct asy__module {
    struct asy__module *next;
    CUmodule module;
};

struct asy__kernel {
    struct asy__kernel *next;
    CUfunction function;
    size_t most_items; /* of a group */
    char name[];
};

struct asy__mem {
    CUdeviceptr at;
    size_t bytes;
};

struct asy__dev {
    const struct asy__cuda *cuda;
    const struct asy__nvrtc *nvrtc;
    const struct asy__cublas *cublas; /* NULL: it is not here, or does not start */
    cublasHandle_t blas;
    CUdeviceptr blas_room;
    size_t blas_bytes;
    CUdevice device;
    CUcontext context;
    CUstream stream;
    int capability; /* 90: 9.0 */
    struct asy__staging staging;
    struct asy__module *modules;
    struct asy__kernel *kernels;
};

/* Makes dev's context current. */
ASY_MUST_CHECK int asy__cuda_enter(struct asy__dev *dev, struct asy_error *err);
/* "what: NAME (number): text" of CUDA's result, and a code: ASY_E_GONE for all but what leaves the
 * device as it was. */
ASY_PRINTF(4, 5) int asy__cuda_fail(const struct asy__cuda *cuda, CUresult cu,
                                    struct asy_error *err, const char *fmt, ...);

/* memory.c */
int asy__cuda_alloc(struct asy__dev *dev, size_t bytes, struct asy__mem **ret_mem,
                    struct asy_error *err);
void asy__cuda_free(struct asy__dev *dev, struct asy__mem *mem);
int asy__cuda_write(struct asy__dev *dev, struct asy__mem *mem, size_t at, const void *data,
                    size_t bytes, struct asy_error *err);
int asy__cuda_read(struct asy__dev *dev, struct asy__mem *mem, size_t at, void *data, size_t bytes,
                   struct asy_error *err);
int asy__cuda_zero(struct asy__dev *dev, struct asy__mem *mem, size_t at, size_t bytes,
                   struct asy_error *err);
void asy__cuda_staging_fini(struct asy__dev *dev);

/* launch.c */
int asy__cuda_build(struct asy__dev *dev, const char *source, struct asy_error *err);
int asy__cuda_kernel(struct asy__dev *dev, const char *name, struct asy__kernel **ret_kernel,
                     struct asy_error *err);
int asy__cuda_launch(struct asy__dev *dev, struct asy__kernel *kernel,
                     const struct asy__grid *grid, const struct asy__arg *args, size_t n_args,
                     struct asy_error *err);
void asy__cuda_modules_fini(struct asy__dev *dev);

/* product.c. Starts cuBLAS; text [cap]: "cuBLAS 13.1", or that there is none and why. ASY_E_NOMEM:
 * of the device. */
ASY_MUST_CHECK int asy__cublas_init(struct asy__dev *dev, char *text, size_t cap,
                                  struct asy_error *err);
void asy__cublas_fini(struct asy__dev *dev);
int asy__cuda_product(struct asy__dev *dev, const struct asy__product *product, int *ret_done,
                      struct asy_error *err);
#endif
