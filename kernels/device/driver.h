/* SPDX-License-Identifier: Apache-2.0
 * driver.h - the little that OpenCL and CUDA are asked for; all else of devices (operations,
 * updates, memory of nets) is written once on top of it, in device/, and so are the kernels: a
 * source that both compile, by the macros of device/source/dialect.h.
 *
 * To add a back end: a struct asy__driver, and its line in device.c.
 *
 * Threads: as asy/device.h. Errors: as there; the text says what of the driver failed and how, kind
 * and device are put before it by device.c. After ASY_E_GONE nothing but free() and close() is
 * called any more. */
#ifndef ASY__DRIVER_H
#define ASY__DRIVER_H
#include <asy/device.h>

struct asy__dev;    /* an open device with one queue, in order; the driver's own */
struct asy__mem;    /* memory of it */
struct asy__kernel; /* of the module that was built */

enum asy__arg_kind { ASY__ARG_MEM, ASY__ARG_U64, ASY__ARG_U32, ASY__ARG_I32, ASY__ARG_F32 };
struct asy__arg {
    enum asy__arg_kind kind;
    union {
        struct asy__mem *mem; /* NULL is passed on */
        uint64_t u64;
        uint32_t u32;
        int32_t i32;
        float f32;
    };
};
/* Groups of work items by dimension, none 0, and the items of a group, which are in one dimension.
 * CUDA: below 2^31 groups in the first dimension, 2^16 in the others. */
struct asy__grid {
    size_t groups[3], items;
};
/* c [m][n] = (adds: +=) a [m][k] b [k][n], row-major; t_a: a lies as [k][m], t_b: b as [n][k].
 * Offsets count floats. */
struct asy__product {
    size_t m, n, k;
    int t_a, t_b, adds;
    struct asy__mem *a, *b, *c;
    size_t a_at, b_at, c_at, lda, ldb, ldc;
};

struct asy__driver {
    enum asy_device_kind kind;
    int (*list)(struct asy_device_info *ret, size_t cap, size_t *ret_n, struct asy_error *err);
    int (*open)(size_t index, struct asy__dev **ret_dev, struct asy_device_info *ret_info,
                struct asy_error *err);
    void (*close)(struct asy__dev *dev);
    /* Compiles a source, once a device, so that products and sums are not fused on their own
     * (NVRTC: --fmad=false); results may be kept on disk by the driver. */
    int (*build)(struct asy__dev *dev, const char *source, struct asy_error *err);
    int (*kernel)(struct asy__dev *dev, const char *name, struct asy__kernel **ret_kernel,
                  struct asy_error *err); /* borrowed: lives as long as dev */
    int (*alloc)(struct asy__dev *dev, size_t bytes, struct asy__mem **ret_mem,
                 struct asy_error *err); /* zeros */
    void (*free)(struct asy__dev *dev, struct asy__mem *mem);
    /* data may be changed after the call, which need not wait. */
    int (*write)(struct asy__dev *dev, struct asy__mem *mem, size_t at, const void *data,
                 size_t bytes, struct asy_error *err);
    int (*read)(struct asy__dev *dev, struct asy__mem *mem, size_t at, void *data, size_t bytes,
                struct asy_error *err); /* waits */
    int (*zero)(struct asy__dev *dev, struct asy__mem *mem, size_t at, size_t bytes,
                struct asy_error *err); /* multiples of 4 */
    int (*launch)(struct asy__dev *dev, struct asy__kernel *kernel, const struct asy__grid *grid,
                  const struct asy__arg *args, size_t n_args, struct asy_error *err);
    /* By the maker's library. NULL, or *ret_done 0: the kernels of device/source do it. */
    int (*product)(struct asy__dev *dev, const struct asy__product *product, int *ret_done,
                   struct asy_error *err);
};
extern const struct asy__driver asy__driver_opencl, asy__driver_cuda;
#endif
